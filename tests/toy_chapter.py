"""A chapter of four boxes, by which the window shows what it does with any chapter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from app.chapters import Group, Host
from app.player import Player
from widgets.canvas import Canvas
from widgets.inspector import Page
from widgets.picture import Picture, Rect, Text
from widgets.stage import Stage
from widgets.theme import Theme
from widgets.view import View

if TYPE_CHECKING:
    from widgets.canvas import Scene

LAST = 9


@dataclass(frozen=True)
class Boxes:
    """What is drawn: how many boxes, and whether they are round."""

    count: int = 4
    round: bool = False


def boxes(subject: Boxes, tick: float, view: View) -> Picture:
    """Return the boxes, one of them in ink."""
    shapes: list[Any] = []
    for i in range(subject.count):
        fill = view.theme.ink if i == int(tick) % subject.count else view.theme.well
        radius = 40 if subject.round else 0
        shapes.append(Rect(x=100 + 240 * i, y=200, width=180, height=120, name=f"box:{i}",
                           title=f"box {i}", fill=fill, radius=radius))  # fmt: skip
    shapes.append(Text(x=100, y=120, text=f"{subject.count} boxes", size=28, fill=view.theme.ink))
    return Picture(
        width=view.width, height=view.height, background=view.theme.stage, shapes=tuple(shapes),
        title="boxes", description=f"boxes at tick {tick:g}",
    )  # fmt: skip


class Toy(QObject):
    """Boxes: a click opens one, M makes them round."""

    id = "toy"
    changed = Signal()
    said = Signal(str)
    busy = measuring = False

    def __init__(self, host: Host) -> None:
        super().__init__(host.window)
        self.player = Player(self)
        self.player.set_last(LAST)
        self.canvas = Canvas(View(1188, 728, host.theme, host.say))
        self.subject = Boxes()
        self.canvas.show_scene(boxes, self.subject)
        self.page = Stage(self.canvas)
        self.controls = QWidget()
        row = QHBoxLayout(self.controls)
        row.setContentsMargins(0, 0, 0, 0)
        self.button = QPushButton("round")
        self.button.setObjectName("box")
        self.button.clicked.connect(self.toggle_round)
        row.addWidget(self.button)
        self.keys: Mapping[str, Callable[[], object]] = {"mode": self.toggle_round}
        self.log: list[str] = []
        self.kept = 0

    @property
    def is_open(self) -> bool:
        return bool(self.canvas.view.selected)

    def toggle_round(self) -> None:
        self.subject = replace(self.subject, round=not self.subject.round)
        self.canvas.show_scene(boxes, self.subject, same=True)
        self.said.emit("Round." if self.subject.round else "Square.")
        self.changed.emit()

    def groups(self) -> tuple[Group, ...]:
        return (Group("Left", 0, 1), Group("Middle", 2, 7), Group("Right", 8, LAST))

    def title(self, tick: int) -> tuple[str, str]:
        return f"Box {tick} of {LAST}", "round" if self.subject.round else "square"

    def device(self) -> tuple[str, str]:
        return "no device", "Boxes need none."

    def activate(self, name: str) -> None:
        self.canvas.show_with(selected=name)

    def follow(self, name: str) -> None:
        self.activate(name)
        self.changed.emit()

    def back(self) -> None:
        self.activate("")

    def leave(self) -> None:
        self.activate("")

    def page_key(self) -> object:
        return (self.canvas.view.selected or self.player.shown, self.subject.round)

    def write(self, page: Page) -> None:
        f = page.formats
        page.line([(self.canvas.view.selected or f"box at {self.player.shown}", f.title)])
        page.line([page.link("the next box", "box:1", how=f.body)])

    def still(self) -> tuple[Scene, Any]:
        return boxes, self.subject

    def show_theme(self, theme: Theme, scale: float) -> None:
        self.canvas.show_with(theme=theme)
        self.canvas.enlarge(scale)

    def begin(self) -> None:
        self.log.append("begin")

    def end(self) -> None:
        self.player.seek(self.player.target)
        self.log.append("end")

    def remember(self) -> dict[str, Any]:
        return {"tick": self.player.tick}

    def restore(self, kept: dict[str, Any]) -> None:
        tick = kept.get("tick")
        if isinstance(tick, int | float):
            self.player.seek(tick)

    def close(self) -> None:
        self.log.append("close")

"""Chapter 5, The claims: what the course text says, judged by numbers that are gathered here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QSize, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QWidget

from app import claims as numbers
from app.background import Background, Outcome
from app.chapters import Group, Host
from app.player import Player
from app.saying import sentence_of
from app.this_machine import stamp
from engine.statements import Numbers, judge
from widgets.canvas import Canvas
from widgets.scenes.claims import Claims, claims, verdict_words
from widgets.stage import Stage
from widgets.view import View

if TYPE_CHECKING:
    from engine.recorder import Recorder
    from engine.statements import Judged
    from widgets.canvas import Scene
    from widgets.captions import Captions
    from widgets.inspector import Page
    from widgets.theme import Theme

MOST_TICK = 1_000


def _next(parts: Iterator[Numbers], recorder: Recorder) -> Numbers | None:
    """Return the numbers with one more part of them, None when there is no more."""
    from app.compute import watched

    with watched(recorder):
        return next(parts, None)


class TheClaims(QObject):
    """Which statement is shown, and the numbers, which are gathered while the chapter is open."""

    id = "claims"
    changed = Signal()
    said = Signal(str)

    def __init__(self, host: Host) -> None:
        super().__init__(host.window)
        self._say, self._host = host.say, host
        self._path: Path = host.folder / numbers.FILE
        self.player = Player(self)
        self.canvas = Canvas(View(1188, 728, host.theme, host.say))
        self.page = Stage(self.canvas)
        self.controls = ClaimsControls(host.say)
        self.numbers = Numbers()
        self.subject = Claims(judge(self.numbers), progress=0.0)
        self._stop = threading.Event()
        self._gathering = self._front = self._opened = self._failed = False
        self._known = 0  # stamp of this machine's numbers that are judged
        self._version = 0
        self._meter = Background(self)
        self.keys: Mapping[str, Callable[[], object]] = {}
        self._meter.done.connect(self._came)
        self.player.moved.connect(self.canvas.show_tick)
        self.controls.measure.clicked.connect(self.measure_again)
        self.canvas.failed.connect(lambda error: self.said.emit(sentence_of(error)))
        self.player.set_last(self.subject.last_tick)
        self.canvas.show_scene(claims, self.subject)

    # ------------------------------------------------------------------ what the window asks

    @property
    def busy(self) -> bool:
        """Return False: the statements are there at once, and their numbers as they come."""
        return False

    @property
    def measuring(self) -> bool:
        """Return whether numbers are being gathered."""
        return self._gathering

    @property
    def is_open(self) -> bool:
        """Return whether somebody asked for more about a statement."""
        return self._opened

    @property
    def row(self) -> Judged:
        """Return the statement that is shown, with what was found."""
        return self.subject.rows[self.subject.at(self.player.shown)]

    def groups(self) -> tuple[Group, ...]:
        """Return the chapters."""
        return tuple(
            Group(self._say(f"claims.group.{group}"), first, last)
            for group, first, last in self.subject.spans
        )

    def title(self, tick: int) -> tuple[str, str]:
        """Return which statement it is, and what it says."""
        at = self.subject.at(tick)
        head = self._say("claims.transport", number=at + 1, count=len(self.subject.rows))
        return head, self.subject.rows[at].statement.says

    def device(self) -> tuple[str, str]:
        """Return what counts and measures."""
        return self._say("claims.badge"), self._say("claims.badge_title")

    def page_key(self) -> object:
        """Return what the inspector's page depends on."""
        return self.row.statement.id, self._version

    def write(self, page: Page) -> None:
        """Write the page of the statement that is shown."""
        from widgets import claim_pages

        verdict = verdict_words(self.row, self.canvas.view)
        claim_pages.write(page, self.subject, self.player.shown, verdict, self.numbers, self._say)

    def still(self) -> tuple[Scene, Claims]:
        """Return the scene and its subject."""
        return claims, self.subject

    def show_theme(self, theme: Theme, scale: float) -> None:
        """Draw in another theme, so many times larger."""
        self.canvas.show_with(theme=theme)
        self.canvas.enlarge(scale)

    def begin(self) -> None:
        """Gather what is missing, and what another chapter has measured anew."""
        self._front = True
        if self.numbers.threads is not None and stamp(self._path) != self._known:
            self.numbers = replace(self.numbers, threads=None)
            self._show(progress=numbers.progress(self.numbers))
        if self.subject.progress < 1 and not self._failed:
            self._gather()

    def end(self) -> None:
        """Stand still; what is missing is gathered when somebody comes back."""
        self._front = False
        self._stop.set()
        self._gathering = False
        self.player.seek(self.player.target)

    def close(self) -> None:
        """End the worker."""
        self.end()
        self._meter.close()

    def remember(self) -> dict[str, Any]:
        """Return which statement is shown; numbers are gathered anew."""
        return {"tick": self.player.tick}

    def restore(self, kept: dict[str, Any]) -> None:
        """Take what was kept; what is damaged is left at its default."""
        tick = kept.get("tick")
        if isinstance(tick, int | float) and 0 <= tick < MOST_TICK:
            self.player.seek(min(float(int(tick)), self.subject.last_tick))

    # ------------------------------------------------------------------ what is chosen

    def activate(self, name: str) -> None:
        """Go to a statement or a chapter's first one, or open an experiment."""
        kind, _, id = name.partition(":")
        tick = self.subject.tick_of(id)
        if kind == "open" and tick is not None:
            asked = self.subject.rows[tick].statement.experiment
            self.player.seek(tick)
            self._host.open_experiment(asked.chapter, asked.settings, asked.tick)
        elif kind == "claim" and tick is not None:
            self._opened = True
            self.player.seek(tick)
            self.changed.emit()
        elif kind == "group":
            first = {group: first for group, first, _ in self.subject.spans}
            self.player.seek(first.get(id, self.player.tick))
        elif kind == "again":
            self.measure_again()

    def follow(self, name: str) -> None:
        """Open the experiment, or measure again."""
        self.activate(name)

    def back(self) -> None:
        """Close what is opened."""
        self.leave()

    def leave(self) -> None:
        """Close what is opened."""
        if self._opened:
            self._opened = False
            self.changed.emit()

    # ------------------------------------------------------------------ numbers

    def measure_again(self) -> None:
        """Count, run and time everything anew."""
        self._stop.set()
        self._gathering = self._failed = False
        self.numbers = Numbers()
        self._show(progress=0.0)
        self._gather(anew=True)

    def _gather(self, *, anew: bool = False) -> None:
        """Ask for the parts that are missing, one after another."""
        if self._gathering or not self._front:
            return
        self._stop = threading.Event()
        self._gathering = True
        self._parts = numbers.gather(
            self._path, found=self.numbers, anew=anew, stop=self._stop.is_set,
            note=self._host.recorder.note,
        )  # fmt: skip
        self._meter.ask(_next, self._parts, self._host.recorder)

    def _came(self, outcome: Outcome) -> None:
        """Show what has come, and go on; what comes behind a stop is dropped."""
        if not self._gathering:
            return
        if outcome.error is not None:
            self._gathering, self._failed = False, True
            self.said.emit(sentence_of(outcome.error))
            return
        if outcome.value is None:
            self._gathering = False
            self._known = stamp(self._path)
            self._show(progress=1.0)
            return
        self.numbers = outcome.value
        self._show(progress=numbers.progress(self.numbers))
        self._meter.ask(_next, self._parts, self._host.recorder)

    def _show(self, *, progress: float) -> None:
        self.subject = Claims(judge(self.numbers), self.numbers.day, progress)
        self._version += 1
        self.canvas.show_scene(claims, self.subject, same=True)
        self.changed.emit()


class ClaimsControls(QWidget):
    """The button that measures again."""

    def __init__(self, say: Captions) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self.measure = QPushButton(say("claims.measure"))
        self.measure.setObjectName("box")
        self.measure.setToolTip(say("claims.measure_title"))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.measure)
        row.addStretch(1)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Return the size of the button."""
        return self.measure.sizeHint()

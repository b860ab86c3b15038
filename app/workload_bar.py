"""The bar of "3 Computing in AI": workload, part and style."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QMenu, QSizePolicy, QToolButton, QWidget

from app import workloads
from app.workloads import Chosen
from widgets.controls import Choice
from widgets.geometry import icon_factor, px

if TYPE_CHECKING:
    from engine.selfcheck import Recording
    from widgets.captions import Captions
    from widgets.theme import Theme


class WorkloadControls(QWidget):
    """Model, batch, tokens, part and style, each a choice, or one menu where there is no room."""

    chosen = Signal(str, str)  # kind, id

    def __init__(self, say: Captions) -> None:
        super().__init__()
        self._say = say
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self._gap = 8
        self.choices: dict[str, Choice] = {}
        self._recorded: set[str] = set()  # ids that are offered
        self.whole = QToolButton(self)
        self.whole.setObjectName("choice")
        self.whole.setText(say("units.bar.workload"))
        self.whole.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.whole)
        self.whole.setMenu(menu)
        for kind, rows in workloads.offers(say).items():
            choice = Choice(say(f"units.bar.{kind}"))
            choice.setParent(self)
            for id, words in rows:
                choice.add(id, words)
            choice.chosen.connect(partial(self._chosen, kind))
            choice.menu().setTitle(say(f"units.bar.{kind}"))
            menu.addMenu(choice.menu())
            self.choices[kind] = choice
        self.whole.hide()

    def _chosen(self, kind: str, id: str) -> None:
        self.chosen.emit(kind, id)

    def offer_recordings(self, known: Mapping[str, Recording]) -> None:
        """Offer recordings among the parts, each once."""
        for id, recording in known.items():
            if id not in self._recorded:
                self._recorded.add(id)
                self.choices["part"].add(
                    id, self._say("units.bar.recording", card=workloads.short_name(recording.card),
                                  date=recording.date[:10])
                )  # fmt: skip

    def show_chosen(self, chosen: Chosen) -> None:
        """Show what is chosen."""
        work = chosen.workload
        for kind, id in (
            ("model", work.model), ("batch", str(work.batch)), ("tokens", str(work.tokens)),
            ("part", chosen.recording or chosen.part), ("style", str(work.style)),
        ):  # fmt: skip
            self.choices[kind].choose(id)
        self._laid_anew()

    def show_theme(self, theme: Theme, scale: float) -> None:
        """Draw in another theme, so many times larger."""
        self._gap = px(8, icon_factor(scale))
        self._laid_anew()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the size with every choice side by side."""
        hints = [choice.sizeHint() for choice in self.choices.values()]
        gaps = self._gap * (len(hints) - 1)
        return QSize(sum(h.width() for h in hints) + gaps, max(h.height() for h in hints))

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the size of the one menu."""
        return self.whole.sizeHint()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Fold the choices into one menu where they have no room."""
        super().resizeEvent(event)
        self._place()

    def _laid_anew(self) -> None:
        self.updateGeometry()
        self._place()

    def _place(self) -> None:
        folded = self.width() < self.sizeHint().width()
        x = 0
        for button in (self.whole, *self.choices.values()):
            button.setVisible(folded == (button is self.whole))
            hint = button.sizeHint()
            if folded == (button is self.whole):
                button.setGeometry(x, (self.height() - hint.height()) // 2, *hint.toTuple())
                x += hint.width() + self._gap

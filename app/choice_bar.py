"""A bar of choices that folds into one menu where there is no room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QMenu, QSizePolicy, QToolButton, QWidget

from widgets.controls import Choice
from widgets.geometry import icon_factor, px

if TYPE_CHECKING:
    from widgets.captions import Captions
    from widgets.theme import Theme


class ChoiceBar(QWidget):
    """Choices side by side, or one menu with all of them; and what always stands behind them.

    Parameters
    ----------
    whole
        What the one menu is called.
    offers
        By kind what its choice is called, and ids with their words.
    """

    chosen = Signal(str, str)  # kind, id

    def __init__(
        self, say: Captions, whole: str,
        offers: Mapping[str, tuple[str, Sequence[tuple[str, str]]]],
    ) -> None:  # fmt: skip
        super().__init__()
        self._say = say
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self._gap = 8
        self.choices: dict[str, Choice] = {}
        self.whole = QToolButton(self)
        self.whole.setObjectName("choice")
        self.whole.setText(whole)
        self.whole.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.whole)
        self.whole.setMenu(menu)
        for kind, (title, rows) in offers.items():
            choice = Choice(title)
            choice.setParent(self)
            for id, words in rows:
                choice.add(id, words)
            choice.chosen.connect(partial(self._chosen, kind))
            choice.menu().setTitle(title)
            menu.addMenu(choice.menu())
            self.choices[kind] = choice
        self.whole.hide()
        self._behind: tuple[QWidget, ...] = ()  # what is never folded

    def _chosen(self, kind: str, id: str) -> None:
        self.chosen.emit(kind, id)

    def show_ids(self, chosen: Mapping[str, str]) -> None:
        """Show which id of each kind is chosen."""
        for kind, id in chosen.items():
            self.choices[kind].choose(id)
        self._laid_anew()

    def show_theme(self, theme: Theme, scale: float) -> None:
        """Draw in another theme, so many times larger."""
        self._gap = px(8, icon_factor(scale))
        self._laid_anew()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the size with every choice side by side."""
        return self._size((*self.choices.values(), *self._behind))

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the size of the one menu and of what is never folded."""
        return self._size((self.whole, *self._behind))

    def _size(self, of: Sequence[QWidget]) -> QSize:
        hints = [each.sizeHint() for each in of]
        gaps = self._gap * (len(hints) - 1)
        return QSize(sum(h.width() for h in hints) + gaps, max(h.height() for h in hints))

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
        for button in (self.whole, *self.choices.values(), *self._behind):
            shown = button in self._behind or folded == (button is self.whole)
            button.setVisible(shown)
            if shown:
                hint = button.sizeHint()
                top = (self.height() - hint.height()) // 2
                button.setGeometry(x, top, hint.width(), hint.height())
                x += hint.width() + self._gap

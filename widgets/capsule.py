"""The foot of Present: the capsule with its controls, in a strip of its own."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QWidget

from widgets.captions import Captions
from widgets.controls import CAPSULE_MOST
from widgets.geometry import STRIP_PX, px
from widgets.icons import icon
from widgets.theme import Theme


class Strip(QWidget):
    """The foot of Present: holds the capsule, so that it covers nothing of the stage.

    It is as high at every size of the text: what the class reads needs the rest of the screen.
    """

    def __init__(self, say: Captions) -> None:
        super().__init__()
        self.setObjectName("strip")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(STRIP_PX)
        self.setMouseTracking(True)  # the pointer brings the capsule back here, too
        self.capsule = Capsule(say)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 4, 0, 4)
        row.addWidget(self.capsule, 0, Qt.AlignmentFlag.AlignCenter)
        self.capsule.hide()
        self.hide()


class Capsule(QWidget):
    """The controls of Present: back, play, step, and where the clock is."""

    pressed = Signal(str)

    def __init__(self, say: Captions) -> None:
        super().__init__()
        self.setObjectName("capsule")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._playing = False
        self._colour, self._icon = "#FFFFFF", 22
        row = QHBoxLayout(self)
        self.setFixedHeight(44)
        row.setContentsMargins(22, 6, 22, 6)
        row.setSpacing(10)
        self.buttons: dict[str, QToolButton] = {}
        for name in ("back", "play", "step"):
            button = QToolButton()
            button.setObjectName("capsulebutton")
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.setToolTip(say(f"action.{name}"))
            button.clicked.connect(lambda _=False, name=name: self.pressed.emit(name))
            self.buttons[name] = button
            row.addWidget(button)
        self.clock = QLabel()
        self.clock.setObjectName("capsuleclock")
        leave = QLabel(say("window.leave"))
        leave.setObjectName("capsulenote")
        row.addWidget(self.clock)
        row.addSpacing(16)
        row.addWidget(leave)

    def show_clock(self, words: str) -> None:
        """Show where the clock is."""
        self.clock.setText(words)

    def show_playing(self, playing: bool) -> None:
        """Show whether it plays."""
        self._playing = playing
        name = "pause" if playing else "play"
        self.buttons["play"].setIcon(icon(name, self._colour, self._icon))

    def show_theme(self, theme: Theme, scale: float = 1.0) -> None:
        """Draw in another theme, larger as far as the strip has room for it."""
        self._colour, self._icon = theme.onink, px(22, min(scale, CAPSULE_MOST))
        for button in self.buttons.values():
            button.setIconSize(QSize(self._icon, self._icon))
        for name in ("back", "step"):
            self.buttons[name].setIcon(icon(name, self._colour, self._icon))
        self.show_playing(self._playing)

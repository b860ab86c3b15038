"""The foot of the window: first, back, play, step, last; the scrubber with its groups; speeds."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from widgets.captions import Captions
from widgets.icons import icon
from widgets.theme import Theme

MARK_PX = 5  # between two marks of ticks at least
RING_AFTER_MS = 150  # a result that is late is said by a ring round the play button
GAP = 14.0  # px between two groups of the scrubber


class Scrubber(QWidget):
    """Ticks on a line in three groups: Prepare (0), Run (1 … N-1), Answer (N)."""

    sought = Signal(float)

    def __init__(self, theme: Theme, captions: Captions) -> None:
        super().__init__()
        self.theme, self._say = theme, captions
        self.tick, self.last = 0.0, 1
        self.setMinimumSize(240, 42)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(captions("transport.scrubber"))

    def groups(self) -> tuple[tuple[str, float, float, float, float], ...]:
        """Return for each group its caption, left and right edge, and first and last tick."""
        width, end = float(self.width()) - 16, float(self.last)
        side = min(110.0, width * 0.12)
        return (
            ("transport.prepare", 8.0, 8 + side, 0.0, 0.0),
            ("transport.run", 8 + side + GAP, 8 + width - side - GAP, 1.0, max(end - 1, 1.0)),
            ("transport.answer", 8 + width - side, 8 + width, end, end),
        )

    def x_of(self, tick: float) -> float:
        """Return where a tick lies, in px."""
        whole = [self._x_of_whole(t) for t in (int(tick), min(int(tick) + 1, self.last))]
        return whole[0] + (whole[1] - whole[0]) * (tick - int(tick))

    def _x_of_whole(self, tick: int) -> float:
        group = 0 if tick == 0 else 2 if tick >= self.last else 1
        _, left, right, first, last = self.groups()[group]
        if first == last:
            return (left + right) / 2
        return left + 14 + (right - left - 28) * (tick - first) / (last - first)

    def tick_at(self, x: float) -> int:
        """Return the whole tick that is nearest to a place."""
        return min(range(self.last + 1), key=lambda t: abs(self._x_of_whole(t) - x))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint the groups, their ticks, what has been done, and the knob."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme, y, now = self.theme, 12.0, self.x_of(self.tick)
        current = 0 if self.tick < 0.5 else 2 if self.tick > self.last - 0.5 else 1
        for number, (caption, left, right, first, last) in enumerate(self.groups()):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.hair))
            painter.drawRoundedRect(QRectF(left, y - 3, right - left, 6), 3, 3)
            done = min(max(now, left), right)
            painter.setBrush(QColor(theme.ink))
            if done > left and self.isEnabled():
                painter.drawRoundedRect(QRectF(left, y - 3, done - left, 6), 3, 3)
            painter.setPen(QPen(QColor(theme.ink3), 1.5))
            apart = (right - left - 28) / max(last - first, 1)
            every = max(1, math.ceil(MARK_PX / apart))
            for tick in range(int(first), int(last) + 1, every):
                x = self._x_of_whole(tick)
                painter.drawLine(QPointF(x, y + 6), QPointF(x, y + 11))
            font = self.font()
            font.setPixelSize(13)
            font.setBold(number == current)
            painter.setFont(font)
            painter.setPen(QColor(theme.ink if number == current else theme.ink2))
            place = QRectF(left, y + 13, max(right - left, 60), 18)
            painter.drawText(place, Qt.AlignmentFlag.AlignLeft, self._say(caption))
        if not self.isEnabled():  # there is no now
            return
        painter.setPen(QPen(QColor(theme.now_line), 1.8))
        painter.setBrush(QColor(theme.now))
        painter.drawEllipse(QPointF(now, y), 9, 9)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Cut to the tick under the pointer."""
        self.sought.emit(float(self.tick_at(event.position().x())))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Cut along while the button is down."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.sought.emit(float(self.tick_at(event.position().x())))


class Transport(QWidget):
    """Buttons, the step's name, the scrubber and the speeds.

    ``pressed`` carries the id of an action, ``sought`` a tick, ``speed_chosen`` a speed.
    """

    pressed = Signal(str)
    sought = Signal(float)
    speed_chosen = Signal(float)

    def __init__(self, theme: Theme, captions: Captions, speeds: tuple[float, ...]) -> None:
        super().__init__()
        self.setObjectName("transport")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._say, self._theme = captions, theme
        self._playing = False
        self._late = QTimer(self)
        self._late.setSingleShot(True)
        self._late.setInterval(RING_AFTER_MS)
        self._late.timeout.connect(lambda: self._ring(True))
        self.buttons: dict[str, QToolButton] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(20, 3, 20, 2)
        row.setSpacing(6)
        for name in ("first", "back", "play", "step", "last"):
            button = QToolButton()
            button.setObjectName("round" if name == "play" else "plain")
            button.setIconSize(QSize(24, 24) if name == "play" else QSize(20, 20))
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keys to the stage
            button.setAccessibleName(captions(f"action.{name}"))
            button.setToolTip(captions(f"action.{name}"))
            button.clicked.connect(lambda _=False, name=name: self.pressed.emit(name))
            self.buttons[name] = button
            row.addWidget(button)
        row.addSpacing(22)
        middle = QVBoxLayout()
        middle.setSpacing(0)
        self.title = QLabel()
        self.title.setObjectName("ticktitle")
        self.title.setTextFormat(Qt.TextFormat.RichText)
        self.scrubber = Scrubber(theme, captions)
        self.scrubber.sought.connect(self.sought)
        middle.addWidget(self.title)
        middle.addWidget(self.scrubber)
        row.addLayout(middle, 1)
        row.addSpacing(16)
        self.speeds = QButtonGroup(self)
        self.speeds.setExclusive(True)
        for speed in speeds:
            button = QToolButton()
            button.setObjectName("segment")
            button.setCheckable(True)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.setText({0.5: "½×"}.get(speed, f"{speed:g}×"))
            button.setAccessibleName(captions("transport.speed", speed=button.text()))
            button.setToolTip(button.accessibleName())
            button.clicked.connect(lambda _=False, speed=speed: self.speed_chosen.emit(speed))
            self.speeds.addButton(button, round(speed * 10))
            row.addWidget(button)
        self.show_theme(theme)

    def show_theme(self, theme: Theme) -> None:
        """Draw in another theme."""
        self._theme = self.scrubber.theme = theme
        for name, button in self.buttons.items():
            if name != "play":
                button.setIcon(icon(name, theme.ink))
        self._show_play()
        self.scrubber.update()

    def show_tick(self, tick: float, last: int, title: str) -> None:
        """Show where the clock is; ``title`` is rich text."""
        self.scrubber.tick, self.scrubber.last = tick, max(last, 1)
        if self.title.text() != title:
            self.title.setText(title)
        self.scrubber.update()

    def show_playing(self, playing: bool, speed: float) -> None:
        """Show whether it plays, and how fast."""
        self._playing = playing
        self._show_play()
        self.speeds.button(round(speed * 10)).setChecked(True)

    def show_busy(self, busy: bool) -> None:
        """Put a ring round the play button when a result is late."""
        if busy:
            if not self._late.isActive():
                self._late.start()
        else:
            self._late.stop()
            self._ring(False)

    def _ring(self, on: bool) -> None:
        button = self.buttons["play"]
        if button.property("late") != on:
            button.setProperty("late", on)
            button.style().unpolish(button)
            button.style().polish(button)

    def _show_play(self) -> None:
        name = "pause" if self._playing else "play"
        self.buttons["play"].setIcon(icon(name, self._theme.onink, 24))
        self.buttons["play"].setToolTip(self._say(f"action.{'pause' if self._playing else 'play'}"))

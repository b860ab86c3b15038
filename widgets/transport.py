"""The foot of the window: first, back, play, step, last; the scrubber with its groups; speeds."""

from __future__ import annotations

import math
from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from widgets.captions import Captions
from widgets.controls import Choice
from widgets.geometry import icon_factor, px
from widgets.icons import icon
from widgets.theme import Theme

MARK_PX = 5  # between two marks of ticks at least
RING_AFTER_MS = 150  # a result that is late is said by a ring round the play button
# px at 100 %
GAP = 14.0  # between two groups of the scrubber
SCRUBBER = (200, 42)
TITLE = 480  # what the longest title takes, up to a hundred ticks
BEFORE, BEHIND = 22, 16  # the scrubber
SIDES = (20, 3, 20, 2)


def _font(size: int, *, bold: bool) -> QFont:
    font = QFont("Inter")
    font.setPixelSize(size)
    font.setBold(bold)
    return font


@lru_cache(maxsize=64)
def _width(word: str, size: int) -> float:
    """Return how wide a bold word is, in px; for three words no table of widths is read."""
    return QFontMetricsF(_font(size, bold=True)).horizontalAdvance(word)


class Scrubber(QWidget):
    """Ticks on a line in three groups: Prepare (0), Run (1 … N-1), Answer (N)."""

    sought = Signal(float)

    def __init__(self, theme: Theme, captions: Captions) -> None:
        super().__init__()
        self.theme, self._say = theme, captions
        self.tick, self.last = 0.0, 1
        self.enlarge(1.0)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(captions("transport.scrubber"))

    def enlarge(self, scale: float) -> None:
        """Draw everything so many times larger."""
        self._scale = scale
        self.setMinimumSize(*(px(side, scale) for side in SCRUBBER))
        self.update()

    def groups(self) -> tuple[tuple[str, float, float, float, float], ...]:
        """Return for each group its caption, left and right edge, and first and last tick."""
        edge, gap = 8 * self._scale, GAP * self._scale
        width, end = self.width() - 2 * edge, float(self.last)
        names = ("transport.prepare", "transport.run", "transport.answer")
        # Each side has room for its word; where there is more, it takes an eighth.
        word = max(_width(self._say(name), px(13, self._scale)) for name in names)
        side = max(min(110 * self._scale, width * 0.12), word)
        return (
            (names[0], edge, edge + side, 0.0, 0.0),
            (names[1], edge + side + gap, edge + width - side - gap, 1.0, max(end - 1, 1.0)),
            (names[2], edge + width - side, edge + width, end, end),
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
        pad = GAP * self._scale
        return left + pad + (right - left - 2 * pad) * (tick - first) / (last - first)

    def tick_at(self, x: float) -> int:
        """Return the whole tick that is nearest to a place."""
        return min(range(self.last + 1), key=lambda t: abs(self._x_of_whole(t) - x))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint the groups, their ticks, what has been done, and the knob."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        # Along the line in px; across it in px at 100 %.
        theme, k, now = self.theme, self._scale, self.x_of(self.tick)
        y = 12.0 * k
        current = 0 if self.tick < 0.5 else 2 if self.tick > self.last - 0.5 else 1
        for number, (caption, left, right, first, last) in enumerate(self.groups()):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.hair))
            painter.drawRoundedRect(QRectF(left, y - 3 * k, right - left, 6 * k), 3 * k, 3 * k)
            done = min(max(now, left), right)
            painter.setBrush(QColor(theme.ink))
            if done > left and self.isEnabled():
                painter.drawRoundedRect(QRectF(left, y - 3 * k, done - left, 6 * k), 3 * k, 3 * k)
            painter.setPen(QPen(QColor(theme.ink3), 1.5))
            apart = (right - left - 2 * GAP * k) / max(last - first, 1)
            every = max(1, math.ceil(MARK_PX / apart))
            for tick in range(int(first), int(last) + 1, every):
                x = self._x_of_whole(tick)
                painter.drawLine(QPointF(x, y + 6 * k), QPointF(x, y + 11 * k))
            painter.setFont(_font(px(13, k), bold=number == current))
            painter.setPen(QColor(theme.ink if number == current else theme.ink2))
            place = QRectF(left, y + 13 * k, right - left, 18 * k)
            painter.drawText(place, Qt.AlignmentFlag.AlignLeft, self._say(caption))
        if not self.isEnabled():  # there is no now
            return
        painter.setPen(QPen(QColor(theme.now_line), 1.8))
        painter.setBrush(QColor(theme.now))
        painter.drawEllipse(QPointF(now, y), 9 * k, 9 * k)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Cut to the tick under the pointer."""
        self.sought.emit(float(self.tick_at(event.position().x())))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Cut along while the button is down."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.sought.emit(float(self.tick_at(event.position().x())))


class Title(QLabel):
    """One line: which tick it is, and what works at it; what has no room is in the tooltip."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("ticktitle")
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._said: tuple[str, str, str] = ("", "", "")

    def say(self, head: str, note: str, colour: str) -> None:
        """Show a head, and a note beside it in a colour; the same again costs nothing."""
        if (head, note, colour) != self._said:
            self._said = (head, note, colour)
            self._write()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Show as much as there is room for."""
        super().resizeEvent(event)
        self._write()

    def _write(self) -> None:
        head, note, colour = self._said
        strong = QFont(self.font())
        strong.setBold(True)
        gap = QFontMetricsF(self.font()).horizontalAdvance("\u00a0" * 3)
        room = self.width() - QFontMetricsF(strong).horizontalAdvance(head) - gap - 2
        shown = QFontMetricsF(self.font()).elidedText(note, Qt.TextElideMode.ElideRight, room)
        self.setToolTip("" if shown == note else note)
        if not head:
            self.setText("")
            return
        from html import escape  # (here: the first frame says nothing)

        self.setText(
            f'<b>{escape(head)}</b>&nbsp;&nbsp; <span style="color:{colour}">{escape(shown)}</span>'
        )


class Transport(QWidget):
    """Buttons, the step's name, the scrubber and the speeds.

    Where it is narrow for the size of the text, the name stands above all, and the speeds are a
    menu.

    ``pressed`` carries the id of an action, ``sought`` a tick, ``speed_chosen`` a speed. Its icons
    come with ``show_theme``.
    """

    pressed = Signal(str)
    sought = Signal(float)
    speed_chosen = Signal(float)

    def __init__(self, theme: Theme, captions: Captions, speeds: tuple[float, ...]) -> None:
        super().__init__()
        self.setObjectName("transport")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._say, self._theme = captions, theme
        self._playing, self._scale = False, 1.0
        self._late = QTimer(self)
        self._late.setSingleShot(True)
        self._late.setInterval(RING_AFTER_MS)
        self._late.timeout.connect(lambda: self._ring(True))
        self.buttons: dict[str, QToolButton] = {}
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._above, row = QVBoxLayout(self), QHBoxLayout()
        self._above.setSpacing(0)
        # A layout is placed before it is filled: PySide wraps the items of one that comes filled,
        # and the wrapper of the title's item would outlive it when the title moves.
        self._above.addLayout(row)
        row.setSpacing(6)
        for name in ("first", "back", "play", "step", "last"):
            button = QToolButton()
            button.setObjectName("round" if name == "play" else "plain")
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keys to the stage
            button.setAccessibleName(captions(f"action.{name}"))
            button.setToolTip(captions(f"action.{name}"))
            button.clicked.connect(lambda _=False, name=name: self.pressed.emit(name))
            self.buttons[name] = button
            row.addWidget(button)
        row.addSpacing(BEFORE)
        self._middle = QVBoxLayout()
        self._middle.setSpacing(0)
        row.addLayout(self._middle, 1)
        self.title = Title()
        self.scrubber = Scrubber(theme, captions)
        self.scrubber.sought.connect(self.sought)
        self._middle.addWidget(self.title)
        self._middle.addWidget(self.scrubber)
        row.addSpacing(BEHIND)
        self.speed_choice = Choice(captions("transport.speeds"))
        self.speed_choice.chosen.connect(lambda speed: self.speed_chosen.emit(float(speed)))
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
            self.speed_choice.add(str(speed), button.text())
            row.addWidget(button)
        row.addWidget(self.speed_choice)

    def show_theme(self, theme: Theme, scale: float = 1.0) -> None:
        """Draw in another theme, so many times larger."""
        self._theme = self.scrubber.theme = theme
        self._scale = scale
        self.scrubber.enlarge(scale)
        for name, button in self.buttons.items():
            size = self._icon_px(name)
            button.setIconSize(QSize(size, size))
            if name != "play":
                button.setIcon(icon(name, theme.ink, size))
        self._above.setContentsMargins(*(px(side, icon_factor(scale)) for side in SIDES))
        self._show_play()
        self._fit()

    def _icon_px(self, name: str) -> int:
        return px(24 if name == "play" else 20, icon_factor(self._scale))

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Arrange the parts for the width."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Put the title above all where it has no room, and the speeds into a menu."""
        k = self._scale
        buttons = [*self.buttons.values(), *self.speeds.buttons()]
        around = sum(button.sizeHint().width() + 6 for button in buttons)
        around += BEFORE + BEHIND + px(SIDES[0] + SIDES[2], icon_factor(k))
        beside = around + px(TITLE, k) <= self.width()
        segments = around + px(SCRUBBER[0], k) <= self.width()
        for button in self.speeds.buttons():
            button.setVisible(segments)
        self.speed_choice.setVisible(not segments)
        if beside != (self._middle.count() == 2):
            (self._middle if beside else self._above).insertWidget(0, self.title)

    def show_tick(self, tick: float, last: int, head: str = "", note: str = "") -> None:
        """Show where the clock is, in words: a head, and a note beside it."""
        self.scrubber.tick, self.scrubber.last = tick, max(last, 1)
        self.title.say(head, note, self._theme.ink2)
        self.scrubber.update()

    def show_playing(self, playing: bool, speed: float) -> None:
        """Show whether it plays, and how fast."""
        self._playing = playing
        self._show_play()
        self.speeds.button(round(speed * 10)).setChecked(True)
        self.speed_choice.choose(str(speed))

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
        self.buttons["play"].setIcon(icon(name, self._theme.onink, self._icon_px("play")))
        self.buttons["play"].setToolTip(self._say(f"action.{'pause' if self._playing else 'play'}"))

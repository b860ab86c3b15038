"""The foot of the window: first, back, play, step, last; the scrubber with its groups; speeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

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
SCRUBBER, LOW_SCRUBBER = (200, 42), (200, 36)
TITLE = 480  # what the longest title takes, up to a hundred ticks
BEFORE, BEHIND = 22, 16  # the scrubber
SIDES, LOW_SIDES = (20, 3, 20, 2), (20, 1, 20, 0)


def _font(size: int, *, bold: bool) -> QFont:
    font = QFont("Inter")
    font.setPixelSize(size)
    font.setBold(bold)
    return font


@lru_cache(maxsize=64)
def _width(word: str, size: int) -> float:
    """Return how wide a bold word is, in px; for three words no table of widths is read."""
    return QFontMetricsF(_font(size, bold=True)).horizontalAdvance(word)


class Group(NamedTuple):
    """A part of the scrubber: its caption, in words, and its first and last tick."""

    caption: str
    first: int
    last: int


def prepare_run_answer(say: Captions, last: int) -> tuple[Group, ...]:
    """Return the groups of a run: Prepare (0), Run (1 … N-1), Answer (N)."""
    return (
        Group(say("transport.prepare"), 0, 0),
        Group(say("transport.run"), 1, max(last - 1, 1)),
        Group(say("transport.answer"), last, last),
    )


class Scrubber(QWidget):
    """Ticks on a line, in groups: each has its caption under it."""

    sought = Signal(float)

    def __init__(self, theme: Theme, captions: Captions) -> None:
        super().__init__()
        self.theme = theme
        self.tick, self.groups = 0.0, prepare_run_answer(captions, 1)
        self.enlarge(1.0)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(captions("transport.scrubber"))

    def enlarge(self, scale: float, low: bool = False) -> None:
        """Draw everything so many times larger; low: with no more height than that takes."""
        self._scale, self._low = scale, low
        self.setMinimumSize(*(px(side, scale) for side in (LOW_SCRUBBER if low else SCRUBBER)))
        self.update()

    @property
    def last(self) -> int:
        """Return the last tick."""
        return self.groups[-1].last

    def spans(self) -> tuple[tuple[float, float], ...]:
        """Return the left and right edge of each group, in px.

        Each has room for its caption, or takes an eighth; what is left goes to those with many
        ticks.
        """
        gap, edge = GAP * self._scale, 8 * self._scale
        room = self.width() - 2 * edge - gap * (len(self.groups) - 1)
        eighth = min(110 * self._scale, room * 0.125)
        size = px(13, self._scale)
        widths = [max(eighth, _width(group.caption, size)) for group in self.groups]
        left_over = room - sum(widths)
        if left_over < 0:
            widths = [width * room / sum(widths) for width in widths]
        else:
            ticks = [group.last - group.first for group in self.groups]
            ticks = ticks if any(ticks) else [1] * len(ticks)
            widths = [
                width + left_over * n / sum(ticks) for width, n in zip(widths, ticks, strict=True)
            ]
        starts = [edge + sum(widths[:i]) + gap * i for i in range(len(widths))]
        return tuple((start, start + width) for start, width in zip(starts, widths, strict=True))

    def x_of(self, tick: float) -> float:
        """Return where a tick lies, in px."""
        spans = self.spans()
        whole = [self._x_of_whole(t, spans) for t in (int(tick), min(int(tick) + 1, self.last))]
        return whole[0] + (whole[1] - whole[0]) * (tick - int(tick))

    def _group_of(self, tick: int) -> int:
        """Return which group a tick belongs to."""
        begun = [i for i, group in enumerate(self.groups) if group.first <= tick]
        return begun[-1] if begun else 0

    def _x_of_whole(self, tick: int, spans: Sequence[tuple[float, float]]) -> float:
        number = self._group_of(tick)
        (left, right), (_, first, last) = spans[number], self.groups[number]
        if first == last:
            return (left + right) / 2
        pad = GAP * self._scale
        return left + pad + (right - left - 2 * pad) * (tick - first) / (last - first)

    def tick_at(self, x: float) -> int:
        """Return the whole tick that is nearest to a place."""
        spans = self.spans()
        return min(range(self.last + 1), key=lambda t: abs(self._x_of_whole(t, spans) - x))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint the groups, their ticks, what has been done, and the knob."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        # Along the line in px; across it in px at 100 %.
        theme, k, now = self.theme, self._scale, self.x_of(self.tick)
        y, under, mark = (10 * k, 9 * k, 8 * k) if self._low else (12 * k, 13 * k, 11 * k)
        current, spans = self._group_of(int(self.tick + 0.5)), self.spans()
        for number, ((caption, first, last), (left, right)) in enumerate(
            zip(self.groups, spans, strict=True)
        ):
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
            for tick in range(first, last + 1, every) if self.isEnabled() else ():
                x = self._x_of_whole(tick, spans)
                painter.drawLine(QPointF(x, y + mark - 5 * k), QPointF(x, y + mark))
            here = number == current and self.isEnabled()
            font = _font(px(13, k), bold=here)
            painter.setFont(font)
            painter.setPen(QColor(theme.ink if here else theme.ink2))
            room = right - left + (GAP - 4) * k  # up to the next caption
            words = QFontMetricsF(font).elidedText(caption, Qt.TextElideMode.ElideRight, room)
            place = QRectF(left, y + under, room + 1, 18 * k)
            painter.drawText(place, Qt.AlignmentFlag.AlignLeft, words)
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
        self._playing, self._scale, self._low = False, 1.0, False
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
        self.scrubber.enlarge(scale, self._low)
        for name, button in self.buttons.items():
            size = self._icon_px(name)
            button.setIconSize(QSize(size, size))
            if name != "play":
                button.setIcon(icon(name, theme.ink, size))
        sides = LOW_SIDES if self._low else SIDES
        self._above.setContentsMargins(*(px(side, icon_factor(scale)) for side in sides))
        self._show_play()
        self._fit()

    def condense(self, low: bool) -> None:
        """Take less height, where the stage needs it."""
        if low != self._low:
            self._low = low
            self.show_theme(self._theme, self._scale)

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

    def show_groups(self, groups: tuple[Group, ...]) -> None:
        """Show the parts that the ticks are in; with none nothing can be pressed."""
        self.setEnabled(bool(groups))
        self.scrubber.groups = groups or self.scrubber.groups
        self.scrubber.update()

    def show_tick(self, tick: float, head: str = "", note: str = "") -> None:
        """Show where the clock is, in words: a head, and a note beside it."""
        self.scrubber.tick = tick
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
        if bool(button.property("late")) != on:
            button.setProperty("late", on)
            button.style().unpolish(button)
            button.style().polish(button)

    def _show_play(self) -> None:
        name = "pause" if self._playing else "play"
        self.buttons["play"].setIcon(icon(name, self._theme.onink, self._icon_px("play")))
        self.buttons["play"].setToolTip(self._say(f"action.{'pause' if self._playing else 'play'}"))

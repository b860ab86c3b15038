"""The strip "Now" at the foot of every chapter: what ran in the last seconds, by kind of work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QEvent, QSize, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from engine.units import Work
from widgets.captions import Captions
from widgets.geometry import px, text_width
from widgets.numbers import NBSP
from widgets.theme import Theme

if TYPE_CHECKING:
    from engine.shares import Shares
    from widgets.glyphs import Box
    from widgets.picture import Picture, Shape

# px at 100 %
HEIGHT, LOW, BAR, TEXT, ICON = 30.0, 22.0, 12.0, 13.0, 11.0
EDGE, GAP = 18.0, 14.0
NAMED = (Work.SEQUENTIAL, Work.STREAM, Work.MATRIX, Work.COPY, Work.UNCLASSIFIED, Work.IDLE)
ALWAYS = (Work.SEQUENTIAL, Work.STREAM, Work.MATRIX)
LEAST_BAR = 160.0


class LiveStrip(QWidget):
    """A bar of the shares, their per cents, and how they are known.

    ``asked`` tells that somebody wants to read what the shares are.
    """

    asked = Signal()

    def __init__(self, theme: Theme, say: Captions) -> None:
        super().__init__()
        self._theme, self._say, self._scale = theme, say, 1.0
        self._low = False
        self._shares: Shares | None = None
        self._told: tuple[int, ...] | None = None  # what is on the screen
        self._begun = False  # the first frame of the window does not wait for what paints
        self._drawn: tuple[object, Picture] | None = None  # the last picture, and of what
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(say("now.name"))
        self.setToolTip(say("now.definition"))

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Return the height of a line."""
        return QSize(400, px(LOW if self._low else HEIGHT, self._scale))

    def show_theme(self, theme: Theme, scale: float) -> None:
        """Draw in another theme, so many times larger."""
        self._theme, self._scale = theme, scale
        self.setFixedHeight(self.sizeHint().height())
        self.update()

    def condense(self, low: bool) -> None:
        """Take less height, where the stage needs it."""
        if low != self._low:
            self._low = low
            self.show_theme(self._theme, self._scale)

    def show_shares(self, shares: Shares | None) -> None:
        """Show what ran; None: nothing did. The same per cents again cost nothing."""
        told = None if shares is None else tuple(shares.percents[work] for work in NAMED)
        if self._begun and (told, shares is None) == (self._told, self._shares is None):
            return
        self._begun = True
        self._shares, self._told = shares, told
        self.setAccessibleDescription(self.text())
        self.update()

    def show_recording(self, chain: float, grid: float, tokens: int) -> None:
        """Say what recording adds to a run of either model, as a part of it."""
        from engine.shares import MOST_ADDED

        say, more = self._say, max(chain, grid) > MOST_ADDED
        adds = {"chain": _percent(chain), "grid": _percent(grid)}
        said = [say("now.definition"), say("now.recording", tokens=tokens, **adds)]
        if more:
            said.append(say("now.recording_more"))
        self.setToolTip(" ".join(said))

    def event(self, event: QEvent) -> bool:
        """Tell that somebody asks, beside what Qt does."""
        if event.type() == QEvent.Type.ToolTip:
            self.asked.emit()
        return super().event(event)

    def text(self) -> str:
        """Return what the strip shows, in words."""
        if self._shares is None:
            return self._say("now.nothing")
        return ", ".join(
            self._say(f"now.{work}", percent=self._shares.percents[work])
            for work in NAMED
            if work in ALWAYS or self._shares.percents[work]
        )

    def picture(self) -> Picture:
        """Return the strip as a picture of its own width at 100 %."""
        return now_strip(self._shares, self.width() / self._scale, self._theme, self._say)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Paint the strip."""
        if not self._begun:
            return
        from widgets.painter import paint_once

        of = (self._told, self._theme, self.width(), self._scale)
        if self._drawn is None or self._drawn[0] != of:
            self._drawn = of, self.picture()
        paint_once(self._drawn[1], QPainter(self), self._scale)


def _percent(part: float) -> str:
    return f"{max(100 * part, 0.0):.0f}{NBSP}%"


def now_strip(shares: Shares | None, width: float, theme: Theme, say: Captions) -> Picture:
    """Return the strip for a width: words give way to the bar, the last ones first."""
    from widgets.picture import Picture, Rect, Text
    from widgets.units import hues, icon

    middle = HEIGHT / 2
    shapes: list[Shape] = []

    def write(x: float, words: str, colour: str, *, strong: bool = False) -> float:
        weight: Literal[400, 600] = 600 if strong else 400
        shapes.append(Text(x=x, y=middle + TEXT * 0.36, text=words, size=TEXT, fill=colour,
                           weight=weight))  # fmt: skip
        return x + text_width(words, TEXT, weight)

    left = write(EDGE, say("now.title"), theme.ink, strong=True) + GAP
    right = width - EDGE
    source = say("now.nothing") if shares is None else say("now.source", path=shares.path)
    parts: list[tuple[Work, str]] = []
    if shares is not None:
        parts = [
            (work, say(f"now.{work}", percent=shares.percents[work]))
            for work in NAMED
            if work in ALWAYS or shares.percents[work]
        ]
    sizes = [ICON + 5 + text_width(words, TEXT, 600) + GAP for _, words in parts]
    room = right - left - LEAST_BAR
    shown = text_width(source, TEXT) + GAP
    if shown + sum(sizes) <= room:
        shapes.append(Text(x=right, y=middle + TEXT * 0.36, text=source, size=TEXT,
                           fill=theme.ink2, anchor="end"))  # fmt: skip
        right -= shown
    while parts and sum(sizes) > right - left - LEAST_BAR:
        parts.pop()
        sizes.pop()
    end = right - sum(sizes) - (GAP if parts else 0)
    top = middle - BAR / 2
    if shares is None:
        shapes.append(Rect(x=left, y=top, width=end - left, height=BAR, radius=3,
                           stroke=theme.ghost, dash=(4.0, 3.0)))  # fmt: skip
    else:
        x = left
        for work in NAMED:
            wide = (end - left) * shares[work]
            if wide >= 0.5:
                shapes += _segment(work, (x, top, wide, BAR), theme)
            x += wide
    x = right - sum(sizes)
    for (work, words), size in zip(parts, sizes, strict=True):
        colours = hues(work, theme)
        if work in ALWAYS:
            shapes += icon(work, x, middle - ICON / 2, ICON, colours.mark)
        else:
            shapes += _segment(work, (x, middle - ICON / 2, ICON, ICON), theme)
        write(x + ICON + 5, words, colours.text, strong=True)
        x += size
    return Picture(
        width=width, height=HEIGHT, background=theme.window, shapes=tuple(shapes),
        title=say("now.name"),
    )  # fmt: skip


def _segment(work: Work, box: Box, theme: Theme) -> list[Shape]:
    """Return a part of the bar: idle time is hatched and not filled, and dashed is nothing here."""
    from widgets.picture import Rect
    from widgets.units import bar, pattern

    if work is not Work.IDLE:
        return list(bar(work, box, theme, "solid", radius=2.0))
    x, y, width, height = box
    ground = Rect(x=x, y=y, width=width, height=height, radius=2.0, fill=theme.well)
    hatch = pattern(work, box, theme.ink3, 0.55)
    return [ground] if hatch is None else [ground, hatch]

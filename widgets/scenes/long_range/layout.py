"""Where everything of the laboratory stands: a function of the box alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from widgets.geometry import READ, SMALLEST, read_px
from widgets.glyphs import Box

EDGE = 28.0  # px of the stage, at both sides
NOTE = 14.0  # px of the smallest text
CHOICES, CHOICE = 64.0, 34.0  # top of the row of experiments, and its height


@dataclass(frozen=True)
class Place:
    """Where everything stands in a box."""

    width: float
    height: float
    read: float  # px of what the class must read
    body: Box  # of the experiment
    said: float  # baseline of the last line of what it says

    @property
    def edge(self) -> float:
        """Return the right edge of all content."""
        return self.width - EDGE

    def line(self, fromlast: int) -> float:
        """Return the baseline of a line of what is said, the last one is 0."""
        return self.said - fromlast * (self.read + 6)


@lru_cache(maxsize=64)
def place_for(width: float, height: float) -> Place:
    """Return where everything stands in a box of at least SMALLEST."""
    width, height = max(width, SMALLEST[0]), max(height, SMALLEST[1])
    read = read_px(height)
    top = CHOICES + CHOICE + 14
    said = height - 38
    lines = 2 if read == READ else 4  # larger letters are wrapped, and such a box is high
    bottom = said - lines * (read + 6) - 8
    return Place(
        width=width, height=height, read=read,
        body=(EDGE, top, width - 2 * EDGE, bottom - top), said=said,
    )  # fmt: skip

"""Where everything of the chapter stands: a function of the box alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from widgets.geometry import SMALLEST, read_px
from widgets.glyphs import Box

EDGE = 28.0  # of the stage
NOTE = 14.0  # px, the smallest text
PAD = 14.0  # within a panel
GAP = 20.0  # between the three columns


@dataclass(frozen=True)
class Place:
    """Where everything stands in a box."""

    width: float
    height: float
    read: float  # px of what the class must read
    code: float  # px of the rule's lines, the least that it can read
    switch: Box
    rule: Box
    middle: Box
    network: Box

    @property
    def edge(self) -> float:
        """Return the right edge of all content."""
        return self.width - EDGE


@lru_cache(maxsize=64)
def place_for(width: float, height: float) -> Place:
    """Return where everything stands in a box of at least SMALLEST."""
    width, height = max(width, SMALLEST[0]), max(height, SMALLEST[1])
    code = read_px(height)
    read = max(17.0, 1.04 * code)
    wide = width - 2 * EDGE
    switch = (EDGE, 62.0, wide, 4.4 * read + 24)
    top = switch[1] + switch[3] + 14
    high = height - 34 - top
    left, right = 0.33 * wide, 0.277 * wide
    middle = wide - left - right - 2 * GAP
    return Place(
        width=width, height=height, read=read, code=code, switch=switch,
        rule=(EDGE, top, left, high),
        middle=(EDGE + left + GAP, top, middle, high),
        network=(width - EDGE - right, top, right, high),
    )  # fmt: skip

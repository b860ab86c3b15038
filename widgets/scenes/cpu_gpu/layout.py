"""Where everything of the chapter stands: a function of the box alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from widgets.geometry import SMALLEST, read_px
from widgets.glyphs import Box

EDGE = 28.0  # px of the stage, at both sides
NOTE = 14.0  # px of the smallest text
TOP = 76.0  # below the title
AXIS = 22.0  # of the clock's numbers, above the rows of the race


@dataclass(frozen=True)
class Place:
    """Where everything stands in a box."""

    width: float
    height: float
    read: float  # px of what the class must read
    upper: Box  # shapes, or the race
    rows: tuple[float, float, float]  # top of each row of the race
    row: float  # its height
    clock: tuple[float, float]  # left and right end of the race's axis
    lower: float  # top of the lower half
    plot: Box  # time against size
    map: Box  # complexity against volume: its cells
    lengths: tuple[Box, Box, Box]  # against T
    foot: float  # baseline of the numbers below the plots

    @property
    def edge(self) -> float:
        """Return the right edge of all content."""
        return self.width - EDGE


@lru_cache(maxsize=64)
def place_for(width: float, height: float) -> Place:
    """Return where everything stands in a box of at least SMALLEST."""
    width, height = max(width, SMALLEST[0]), max(height, SMALLEST[1])
    spare, wide = height - SMALLEST[1], width - SMALLEST[0]
    read = read_px(height)
    row = 88 + 0.45 * spare / 3
    rows = tuple(TOP + AXIS + i * row for i in range(3))
    lower = rows[2] + row + 6
    bottom = height - 72 - (read - 16)
    top = lower + 92 + (read - 16)
    right = EDGE + 620 + 0.55 * wide
    left = EDGE + 56
    cells = right + 122
    words = 108.0 + 7 * (read - 16)  # behind each plot against T, for the names of its lines
    each = (width - 2 * EDGE - 3 * 56 - 3 * words) / 3
    return Place(
        width=width, height=height, read=read,
        upper=(EDGE, TOP, width - 2 * EDGE, lower - TOP - 8),
        rows=(rows[0], rows[1], rows[2]), row=row,
        clock=(EDGE + 222 + (read - 16) * 6, width - EDGE - 10),
        lower=lower,
        plot=(left, top, right - left, bottom - top),
        map=(cells, lower + 66 + (read - 16), width - EDGE - cells,
             bottom - lower - 66 - (read - 16)),
        lengths=tuple(
            (left + i * (each + words + 56), lower + 74 + (read - 16) * 2, each,
             bottom - lower - 108 - 3 * (read - 16))
            for i in range(3)
        ),  # type: ignore[arg-type]
        foot=bottom + 19,
    )  # fmt: skip

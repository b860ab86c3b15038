"""Where everything of the chapter stands: a function of the box alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from widgets.geometry import SMALLEST
from widgets.glyphs import Box

EDGE = 28.0  # of the stage
NOTE = 14.0  # px, the smallest text
AXIS = 34.0  # below the lanes
WORDS = 252.0  # of a lane, for what it is
FIRST, AFTER = 80.0, 66.0  # of a lane, for what the host does before and after


@dataclass(frozen=True)
class Place:
    """Where everything stands in a box."""

    width: float
    height: float
    read: float  # px of what the class must read
    presets: float  # baseline; 0: no presets
    lanes: tuple[Box, Box, Box]
    axis: float  # baseline of the numbers below the lanes
    time: tuple[float, float]  # left and right end of the device's axis
    panel: Box  # the shares
    faster: Box
    live: Box
    plot: Box
    tiles: Box

    @property
    def edge(self) -> float:
        """Return the right edge of all content."""
        return self.width - EDGE


@lru_cache(maxsize=64)
def place_for(width: float, height: float, controls: bool = True) -> Place:
    """Return where everything stands in a box of at least SMALLEST."""
    width, height = max(width, SMALLEST[0]), max(height, SMALLEST[1])
    spare, wide = height - SMALLEST[1], width - SMALLEST[0]
    top = 106.0 if controls else 78.0
    lane = (304.0 if controls else 324.0) / 3 - 6 + 0.6 * spare / 3
    right = width - 372 - 0.2 * wide
    lanes = tuple((EDGE, top + i * (lane + 6), right - EDGE, lane) for i in range(3))
    bottom, foot = lanes[2][1] + lane + AXIS, height - 34
    middle = EDGE + (right - EDGE) * 0.70
    live: Box = (middle + 22, bottom, right - middle - 22, foot - bottom)
    tiles = 92.0
    plot: Box = (live[0] + 36, bottom + 45, live[2] - 36, foot - bottom - tiles - 45 - 30)
    return Place(
        width=width, height=height, read=max(17.0, 0.0229 * height),
        presets=86.0 if controls else 0.0,
        lanes=(lanes[0], lanes[1], lanes[2]),
        axis=bottom - 13,
        time=(EDGE + WORDS + FIRST + 12, right - 12 - AFTER),
        panel=(right + 26, top, width - EDGE - right - 26, foot - top),
        faster=(EDGE, bottom, middle - EDGE, foot - bottom),
        live=live, plot=plot,
        tiles=(live[0], foot - tiles, live[2], tiles),
    )  # fmt: skip


def plot_box(width: float, height: float, controls: bool = True) -> Box:
    """Return where the live plot stands in a picture of this size: x, y, width, height."""
    return place_for(width, height, controls).plot

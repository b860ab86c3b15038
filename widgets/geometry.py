"""Sizes: how wide a text is, how large the chrome, which box and scale a scene gets. No Qt."""

from __future__ import annotations

import json
from functools import cache, lru_cache

from engine.assets import ASSETS

# Scenes hold text of 14 px in their own units; on a screen none may be under 12 px.
LEAST_SCALE = 12 / 14
SMALLEST = (1188.0, 700.0)  # the box that scenes are made for; it grows, never shrinks
READ = 16.0  # at least, in a scene's own px, of what the class must read
SCREEN_PART = 48  # of a screen's height that this is, at least, in Present
STRIP_PX = 52  # of the screen, for the controls of Present
HIGH = 740.0  # of a box: more is as wide as on any screen but higher, as 3 : 2 or 4 : 3 make one
MOST_READ = 21.0  # what the class must read grows up to here, for a box as high as 5 : 4 makes one
MISSING = 600  # thousandths of the size, for a character that no shipped font has


def px(size: float, factor: float) -> int:
    """Return a size of the chrome in whole px when all text is enlarged by a factor (1 … 2)."""
    return round(size * factor)


def icon_factor(factor: float) -> float:
    """Return the factor of icons without words: large already, they grow half as much."""
    return (1 + factor) / 2


def fit(
    width_px: float,
    height_px: float,
    *,
    smallest: tuple[float, float] = SMALLEST,
    least_scale: float = LEAST_SCALE,
    factor: float = 1.0,
) -> tuple[float, float, float]:
    """Return the box of a scene (width, height) and its scale for a place of so many px.

    The scene is laid out for the place's own shape: the box has it wherever it can be as large as
    ``smallest``. The scale is never under ``least_scale`` times the factor by which all text is
    enlarged; box times scale is then larger than the place, which has to scroll.
    """
    least = least_scale * factor
    scale = max(min(width_px / smallest[0], height_px / smallest[1]), least)
    return max(width_px / scale, smallest[0]), max(height_px / scale, smallest[1]), scale


def fit_screen(width_px: float, height_px: float, screen_px: float) -> tuple[float, float, float]:
    """Return the box of a scene (width, height) and its scale for Present.

    ``screen_px`` is the height of the screen, of which the stage has ``height_px``. The box is as
    high as the class can still read: what stands in rows has the height rather than the letters.
    """
    sides = (width_px / SMALLEST[0], height_px / SMALLEST[1], screen_px / (SCREEN_PART * READ))
    scale = max(min(sides), 0.1)  # a window that is just being made has no size
    return width_px / scale, height_px / scale, scale


def read_px(height: float) -> float:
    """Return the least size of what the class must read, in a box of a height.

    A ``HIGH`` box has larger letters. They are a tenth more than ``SCREEN_PART``, because the strip
    of Present is part of the screen and not of the box.
    """
    return READ if height < HIGH else min(1.1 * height / SCREEN_PART, MOST_READ)


@cache
def _metrics() -> dict[str, dict[str, int]]:
    text = (ASSETS / "fonts" / "metrics.json").read_text(encoding="utf-8")
    table: dict[str, dict[str, int]] = json.loads(text)
    return table


@lru_cache(maxsize=8192)
def text_width(
    text: str, size: float, weight: int = 400, family: str = "sans", italic: bool = False
) -> float:
    """Return the width of a line of text in px, by the advances of the shipped fonts.

    Kerning is left out: it makes a line up to 2 % narrower, never wider by more than a px.
    """
    table = _metrics()
    style = f"{family} {weight}{' italic' if italic else ''}"
    advances = table.get(style) or table[f"{family} {weight}"]
    fallback = table["mathematics"]
    total = sum(advances.get(c) or fallback.get(c, MISSING) for c in text)
    return total * size / 1000

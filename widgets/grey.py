"""A picture without hue, for paper: every colour as its grey, and the sign of a number as hatching.

Hue says who, and everybody has a number, a place or a shape besides. Only the two sides of a signed
map differ in nothing but hue, so what lies below zero is hatched. The lines are shapes like any
other, cut to their cells here, so that SVG, PNG and PDF have the same ones.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from widgets.picture import Cells, Command, Ellipse, Group, Path, Picture, Rect, Shape, Text
from widgets.theme import Theme, luminance

SPACING = 4.0  # px between lines along a row; the same lines run through neighbouring cells
LINE = 1.1  # px that a line is wide
STEP = 42.0  # of L* between a cell and its lines
FULL = 8.0  # of L* between zero and a cell from which on its lines are fully drawn
LIMIT = 6 / 29  # below its cube L* is linear


def grey(picture: Picture, theme: Theme) -> Picture:
    """Return a picture in greys of the same lightness (CIE L*), negative numbers hatched.

    Parameters
    ----------
    theme
        Whose colours the picture has: its signed map says which of them are negative.
    """
    return replace(
        picture,
        background=grey_of(picture.background),
        shapes=_shapes(picture.shapes, theme),
    )


@lru_cache(maxsize=4096)
def grey_of(colour: str) -> str:
    """Return the grey "#RRGGBB" of a colour's luminance, and so of its lightness."""
    return _of_luminance(luminance(colour))


def _of_luminance(light: float) -> str:
    """Return the grey of a luminance. Source: IEC 61966-2-1."""
    part = 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055
    return "#" + 3 * f"{round(min(max(part, 0.0), 1.0) * 255):02X}"


@lru_cache(maxsize=8)
def negative(theme: Theme) -> frozenset[str]:
    """Return the colours that only numbers below zero have in a theme."""
    middle = len(theme.signed_ramp) // 2
    return frozenset(theme.signed_ramp[:middle]) - {*theme.signed_ramp[middle:], *theme.ink_ramp}


def lightness(colour: str) -> float:
    """Return a colour's L*, 0 … 100. Source: CIE 1976."""
    light = luminance(colour)
    root = math.cbrt(light) if light > LIMIT**3 else light / (3 * LIMIT**2) + 4 / 29
    return 116 * root - 16


def _shapes(shapes: tuple[Shape, ...], theme: Theme) -> tuple[Shape, ...]:
    return tuple(made for shape in shapes for made in _shape(shape, theme))


def _shape(shape: Shape, theme: Theme) -> Iterator[Shape]:
    if isinstance(shape, Group):
        yield replace(
            shape, shapes=_shapes(shape.shapes, theme), cache_key=("grey", shape.cache_key)
        )
    elif isinstance(shape, Text):
        yield replace(shape, fill=grey_of(shape.fill))
    elif isinstance(shape, Cells):
        rows = tuple(tuple(map(grey_of, row)) for row in shape.colours)
        yield replace(shape, colours=rows)
        yield from _hatched_cells(shape, theme)
    else:
        fill = shape.fill and grey_of(shape.fill)
        yield replace(shape, fill=fill, stroke=shape.stroke and grey_of(shape.stroke))
        if shape.fill in negative(theme) and not isinstance(shape, Path):
            lines = _on_ellipse(shape) if isinstance(shape, Ellipse) else _on_rect(shape)
            yield _lines(tuple(lines), _line_grey(shape.fill, theme), shape.opacity)


def _hatched_cells(cells: Cells, theme: Theme) -> Iterator[Path]:
    """Return the lines upon a matrix's negative cells, one path for each grey."""
    below = negative(theme)
    if not cells.colours or not cells.colours[0]:
        return
    width, height = cells.width / len(cells.colours[0]), cells.height / len(cells.colours)
    half = cells.gap / 2
    lines: dict[str, list[Command]] = defaultdict(list)
    for r, row in enumerate(cells.colours):
        for c, colour in enumerate(row):
            if colour in below:
                left, top = cells.x + c * width + half, cells.y + r * height + half
                right, bottom = left + width - cells.gap, top + height - cells.gap
                lines[_line_grey(colour, theme)] += _within(left, top, right, bottom)
    for colour, commands in lines.items():
        if commands:  # a tiny cell may lie between two lines
            yield _lines(tuple(commands), colour, cells.opacity)


def _lines(commands: tuple[Command, ...], colour: str, opacity: float) -> Path:
    return Path(commands=commands, stroke=colour, stroke_width=LINE, opacity=opacity)


@lru_cache(maxsize=4096)
def _line_grey(colour: str, theme: Theme) -> str:
    """Return the grey of the lines on a cell: to the side of it where there is more room.

    They fade with the cell towards zero, where nothing is to be seen.
    """
    light, zero = lightness(colour), lightness(theme.signed_map(0.0))
    step = STEP * min(1.0, abs(light - zero) / FULL)
    aim = light - step if light >= 50 else light + step
    root = (aim + 16) / 116
    return _of_luminance(root**3 if root > LIMIT else 3 * LIMIT**2 * (root - 4 / 29))


def _within(left: float, top: float, right: float, bottom: float) -> Iterator[Command]:
    """Return the lines x + y = a multiple of the spacing within a box, from lower left upwards."""
    for k in range(math.ceil((left + top) / SPACING), math.floor((right + bottom) / SPACING) + 1):
        total = k * SPACING
        start, end = max(left, total - bottom), min(right, total - top)
        if end - start > 0.2:
            yield ("M", start, total - start)
            yield ("L", end, total - end)


def _on_rect(rect: Rect) -> Iterator[Command]:
    inset = 0.3 * rect.radius  # round corners stay free
    right, bottom = rect.x + rect.width - inset, rect.y + rect.height - inset
    return _within(rect.x + inset, rect.y + inset, right, bottom)


def _on_ellipse(ellipse: Ellipse) -> Iterator[Command]:
    """Return the lines' chords of an ellipse."""
    rx, ry = ellipse.rx, ellipse.ry
    reach = math.hypot(rx, ry)  # of x + y to either side of the centre's
    middle = ellipse.cx + ellipse.cy
    first, last = math.ceil((middle - reach) / SPACING), math.floor((middle + reach) / SPACING)
    for k in range(first, last + 1):
        # x²/rx² + (d - x)²/ry² = 1 about the centre, solved for x.
        d = k * SPACING - middle
        a, b, c = 1 / rx**2 + 1 / ry**2, -2 * d / ry**2, d * d / ry**2 - 1
        root = b * b - 4 * a * c
        if root <= 0:
            continue
        x1, x2 = (-b - math.sqrt(root)) / (2 * a), (-b + math.sqrt(root)) / (2 * a)
        yield ("M", ellipse.cx + x1, ellipse.cy + d - x1)
        yield ("L", ellipse.cx + x2, ellipse.cy + d - x2)

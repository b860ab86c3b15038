"""The three kinds of work as signs: their icons, patterns and bars. Edge says how we know.

Solid and filled: measured or counted. Dashed and hollow: modelled. Dashed grey: not yet. Each unit
has a pattern besides its hue, so that a bar is told apart in grey and by every eye.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

from engine.units import Work
from widgets.glyphs import Box
from widgets.picture import Command, Ellipse, Path, Rect, Shape

if TYPE_CHECKING:
    from widgets.theme import Theme

Edge = Literal["solid", "dashed", "ghost"]
STEP = 8.0  # px from one line of a pattern to the next
DASH = (5.0, 3.0)


class Hues(NamedTuple):
    """The colours of a kind of work: mark, text on the stage, ground."""

    mark: str
    text: str
    tint: str


def hues(work: Work, theme: Theme) -> Hues:
    """Return the colours of a kind of work; what is no unit's is grey."""
    return {
        Work.SEQUENTIAL: Hues(theme.seq, theme.seq_text, theme.seq_tint),
        Work.STREAM: Hues(theme.stream, theme.stream_text, theme.stream_tint),
        Work.MATRIX: Hues(theme.matrix, theme.matrix_text, theme.matrix_tint),
        Work.COPY: Hues(theme.seq, theme.seq_text, theme.seq_tint),
    }.get(work, Hues(theme.ink3, theme.ink2, theme.well))


def icon(
    work: Work, x: float, y: float, size: float, colour: str, *, name: str = "", title: str = ""
) -> tuple[Shape, ...]:
    """Return a unit's icon with its left top corner at (x, y): dots in a row, bars, a grid."""
    if work is Work.STREAM:
        bar = size * 0.15
        return tuple(
            Rect(x=x + i * (size - bar) / 3, y=y, width=bar, height=size, radius=bar * 0.4,
                 fill=colour, name=name, title=title)
            for i in range(4)
        )  # fmt: skip
    if work is Work.MATRIX:
        side = size * 0.27
        gap = (size - side) / 2
        return tuple(
            Rect(x=x + i * gap, y=y + j * gap, width=side, height=side, radius=side * 0.17,
                 fill=colour, name=name, title=title)
            for i in range(3) for j in range(3)
        )  # fmt: skip
    r, middle = size * 0.17, y + size / 2
    line = Path(
        commands=(("M", x + r, middle), ("L", x + size - r, middle)), stroke=colour,
        stroke_width=size * 0.1,
    )  # fmt: skip
    dots = tuple(
        Ellipse(cx=x + r + i * (size / 2 - r), cy=middle, rx=r, ry=r, fill=colour, name=name,
                title=title)
        for i in range(3)
    )  # fmt: skip
    return (line, *dots)


def pattern(work: Work, box: Box, colour: str, opacity: float, step: float = STEP) -> Path | None:
    """Return the pattern of a kind of work within a box, None where it has no room."""
    x, y, width, height = box
    if width < 2 or height < 2:
        return None
    commands: list[Command] = []
    thick, cap = 1.3 * step / STEP, False
    columns = [x + step * (i + 0.5) for i in range(math.ceil(width / step - 0.5))]
    rows = [y + step * (i + 0.5) for i in range(math.ceil(height / step - 0.5))]
    if work is Work.SEQUENTIAL:
        thick, cap = 2.6 * step / STEP, True
        spread = 1.25 * step
        for i in range(max(math.floor(width / spread), 1)):
            for j in range(max(math.floor(height / spread), 1)):
                cx = x + min((i + 0.5) * spread, width / 2 if width < spread else width)
                cy = y + (j + 0.5) * spread
                commands += [("M", cx - 0.05, cy), ("L", cx + 0.05, cy)]
    elif work is Work.STREAM:
        for cx in columns:
            commands += [("M", cx, y), ("L", cx, y + height)]
    elif work is Work.MATRIX:
        for cx in columns:
            commands += [("M", cx, y), ("L", cx, y + height)]
        for cy in rows:
            commands += [("M", x, cy), ("L", x + width, cy)]
    elif work is Work.IDLE:  # hatched: nobody works
        for i in range(math.ceil((width + height) / step - 0.5)):
            at = step * (i + 0.5)
            a = (x + min(at, width), y + max(at - width, 0.0))
            b = (x + max(at - height, 0.0), y + min(at, height))
            commands += [("M", *a), ("L", *b)]
    elif work is Work.COPY:
        for cy in rows:
            commands += [("M", x, cy), ("L", x + width, cy)]
    if not commands:
        return None
    return Path(
        commands=tuple(commands), stroke=colour, stroke_width=thick,
        cap="round" if cap else "butt", opacity=opacity,
    )  # fmt: skip


def bar(
    work: Work,
    box: Box,
    theme: Theme,
    edge: Edge,
    *,
    radius: float = 4.0,
    name: str = "",
    title: str = "",
) -> tuple[Shape, ...]:
    """Return a bar or box of a kind of work, its edge saying how it is known."""
    x, y, width, height = box
    colour = hues(work, theme).mark
    radius = min(radius, width / 2, height / 2)
    if edge == "solid":
        fill = Rect(x=x, y=y, width=width, height=height, radius=radius, fill=colour, name=name,
                    title=title)  # fmt: skip
        drawn = pattern(work, (x, y, width, height), theme.on(colour), 0.3)
        return (fill, drawn) if drawn is not None else (fill,)
    ground = Rect(x=x, y=y, width=width, height=height, radius=radius, fill=theme.stage, name=name,
                  title=title)  # fmt: skip
    line, thick = (theme.ghost, 1.2) if edge == "ghost" else (colour, min(1.6, width / 2))
    inset = thick / 2
    outline = Rect(
        x=x + inset, y=y + inset, width=max(width - thick, 0.1), height=max(height - thick, 0.1),
        radius=radius, stroke=line, stroke_width=thick, dash=DASH if width > 6 else (),
    )  # fmt: skip
    within = (x + 1, y + 1, width - 2, height - 2)
    drawn = None if edge == "ghost" else pattern(work, within, colour, 0.38)
    return (ground, drawn, outline) if drawn is not None else (ground, outline)


def claim(
    x: float, top: float, bottom: float, theme: Theme, *, beyond: bool, name: str, title: str
) -> tuple[Shape, ...]:
    """Return the mark of a claim: a black triangle with a stem, and an arrow where it says "+"."""
    stem = Path(
        commands=(("M", x, top), ("L", x, bottom)), stroke=theme.ink, stroke_width=2.2,
        hit_width=8, name=name, title=title,
    )  # fmt: skip
    tip = Path(
        commands=(("M", x - 5.5, top - 8), ("L", x + 5.5, top - 8), ("L", x, top + 2), ("Z",)),
        fill=theme.ink, name=name, title=title,
    )  # fmt: skip
    if not beyond:
        return (stem, tip)
    arrow = Path(
        commands=(
            ("M", x + 7, top - 4), ("L", x + 17, top - 4),
            ("M", x + 13, top - 8), ("L", x + 17, top - 4), ("L", x + 13, top),
        ),
        stroke=theme.ink, stroke_width=1.5,
    )  # fmt: skip
    return (stem, tip, arrow)


def whisker(low: float, high: float, y: float, theme: Theme) -> tuple[Shape, ...]:
    """Return the range that a model leaves, as a line in ink with an end at either side."""
    if high - low < 0.5:
        return ()
    return (
        Path(
            commands=(
                ("M", low, y), ("L", high, y),
                ("M", low, y - 4), ("L", low, y + 4), ("M", high, y - 4), ("L", high, y + 4),
            ),
            stroke=theme.ink, stroke_width=1.4,
        ),
    )  # fmt: skip

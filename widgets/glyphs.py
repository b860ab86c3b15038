"""The visual language as functions: each returns the shapes of one sign, the same in every scene.

Hue says who, ink says how much, shape says what, edge says how we know; the yellow marker says now.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING
from unicodedata import bidirectional

from widgets.geometry import text_width
from widgets.picture import Cells, Command, Ellipse, Path, Rect, Shape, Text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from widgets.theme import Theme

    Numbers = Sequence[float] | NDArray[np.floating]

Box = tuple[float, float, float, float]  # x, y, width, height
CELLS = 16  # of a strip; more numbers are pooled
MARK = "\u200e"  # without width: what stands beside it is read from the left


def line(
    points: Sequence[tuple[float, float]], colour: str, width: float = 1.0,
    dash: tuple[float, ...] = (), opacity: float = 1.0,
) -> list[Shape]:  # fmt: skip
    """Return a line through points, none through fewer than two."""
    if len(points) < 2:
        return []
    commands: list[Command] = [("M", *points[0]), *(("L", *point) for point in points[1:])]
    return [
        Path(commands=tuple(commands), stroke=colour, stroke_width=width, dash=dash,
             opacity=opacity)
    ]  # fmt: skip


def arrow(
    start: tuple[float, float],
    end: tuple[float, float],
    colour: str,
    *,
    width: float = 1.8,
    dash: tuple[float, ...] = (),
) -> tuple[Shape, ...]:
    """Return a straight arrow: what stands at its end must wait for what stands at its start."""
    (x1, y1), (x2, y2) = start, end
    length = math.hypot(x2 - x1, y2 - y1)
    head = min(6.5 + 0.9 * (width - 1.8) * 2, length)
    if length < 1.0:
        return ()
    ux, uy = (x2 - x1) / length, (y2 - y1) / length
    bx, by = x2 - ux * head, y2 - uy * head
    half = head * 0.45
    line = Path(
        commands=(("M", x1, y1), ("L", bx + ux * 0.4, by + uy * 0.4)),
        stroke=colour, stroke_width=width, dash=dash,
    )  # fmt: skip
    tip = Path(
        commands=(
            ("M", x2, y2), ("L", bx - uy * half, by + ux * half),
            ("L", bx + uy * half, by - ux * half), ("Z",),
        ),
        fill=colour,
    )  # fmt: skip
    return (line, tip)


def marker(box: Box, theme: Theme, *, opacity: float = 1.0) -> tuple[Shape, ...]:
    """Return the marker of now round a box: a yellow frame with four dark viewfinder corners."""
    x, y, width, height = box
    # Round a small node the corners leave the yellow between them to be seen.
    side = min(width, height)
    radius, reach = min(14.0, 0.22 * side), min(10.0, 0.10 * side)
    k = radius * 0.45  # where the control points of a quarter circle lie
    corners: list[Command] = []
    for cx, sx in ((x, 1.0), (x + width, -1.0)):
        for cy, sy in ((y, 1.0), (y + height, -1.0)):
            corners += [
                ("M", cx, cy + sy * (radius + reach)),
                ("L", cx, cy + sy * radius),
                (
                    "C", cx, cy + sy * k, cx + sx * k, cy, cx + sx * radius, cy,
                ),
                ("L", cx + sx * (radius + reach), cy),
            ]  # fmt: skip
    return (
        Rect(
            x=x, y=y, width=width, height=height, radius=radius,
            stroke=theme.now_edge, stroke_width=4, opacity=opacity,
        ),
        Path(
            commands=tuple(corners), stroke=theme.now_line, stroke_width=2.6, cap="round",
            opacity=opacity,
        ),
    )  # fmt: skip


def pill(right: float, y: float, text: str, theme: Theme, *, size: float = 17) -> tuple[Shape, ...]:
    """Return the clock's pill, its right edge at ``right``."""
    width = text_width(text, size, 600) + 32
    return (
        Rect(
            x=right - width, y=y, width=width, height=32, radius=16,
            fill=theme.now, stroke=theme.now_line, stroke_width=1.6,
        ),
        Text(
            x=right - width / 2, y=y + 16 + 0.36 * size, text=text, size=size, weight=600,
            fill=theme.ink, anchor="middle", read_by_class=True,
        ),
    )  # fmt: skip


def toggle(
    x: float, y: float, on: bool, theme: Theme, *, name: str, title: str
) -> tuple[Shape, ...]:
    """Return a switch of 32 × 18 px with its left top corner at (x, y)."""
    fill, knob = (theme.ink, theme.onink) if on else (theme.hair2, theme.stage)
    return (
        Rect(x=x, y=y, width=32, height=18, radius=9, fill=fill, name=name, title=title),
        Ellipse(cx=x + (23 if on else 9), cy=y + 9, rx=6.5, ry=6.5, fill=knob),
    )


def pooled(values: Numbers, cells: int) -> tuple[float, ...]:
    """Return at most ``cells`` numbers: of each run of neighbours the one of largest magnitude."""
    count = len(values)
    if count <= cells:
        return tuple(float(v) for v in values)
    edges = [round(i * count / cells) for i in range(cells + 1)]
    runs = zip(edges, edges[1:], strict=False)
    return tuple(float(max(values[a:b], key=abs)) for a, b in runs)


def heat(
    values: Numbers,
    box: Box,
    theme: Theme,
    *,
    rows: int = 1,
    gap: float = 0.7,
    limit: float = 1.0,
    most: int = CELLS,
    name: str = "",
    title: str = "",
) -> tuple[Shape, ...]:
    """Return numbers as cells on the signed map, ±``limit`` its ends, within a thin frame.

    More than ``most`` numbers are pooled, see ``pooled``; a cell is then an element no more.
    """
    x, y, width, height = box
    shown = pooled(values, most)
    across = math.ceil(len(shown) / rows)
    colours = tuple(
        tuple(theme.signed_map(v / limit) for v in shown[row * across : (row + 1) * across])
        for row in range(rows)
    )
    index: tuple[tuple[str, ...], ...] = ()
    if len(shown) == len(values):
        index = tuple(
            tuple(str(i) for i in range(row * across, min((row + 1) * across, len(shown))))
            for row in range(rows)
        )
    return (
        Rect(
            x=x - 1.5, y=y - 1.5, width=width + 3, height=height + 3, radius=2.5,
            fill=theme.stage, stroke=theme.hair2, stroke_width=1,
        ),
        Cells(
            x=x, y=y, width=width, height=height, colours=colours, index=index, gap=gap,
            name=name, title=title,
        ),
    )  # fmt: skip


def arc(x1: float, x2: float, y: float, bend: float) -> tuple[Command, ...]:
    """Return a link along a row from x1 to x2, its top ``bend`` px above y (below if negative)."""
    lean = (x2 - x1) * 0.18
    height = bend / 0.75
    return (("M", x1, y), ("C", x1 + lean, y - height, x2 - lean, y - height, x2, y))


def link_width(weight: float, most: float = 6.0) -> float:
    """Return the width in px of a link that carries an attention weight, ``most`` for all of it."""
    return 1 + (most - 1) * weight


def link_opacity(weight: float) -> float:
    """Return the opacity of a link that carries an attention weight."""
    return min(0.95, 0.20 + 0.72 * min(1.0, 1.25 * weight))


def ease(phase: float, start: float, end: float) -> float:
    """Return how far (0 … 1) a motion from ``start`` to ``end`` of a tick has come, eased out."""
    if phase <= start:
        return 0.0
    if phase >= end:
        return 1.0
    return 1 - (1 - (phase - start) / (end - start)) ** 3


def between(a: Box, b: Box, share: float) -> Box:
    """Return the box that lies ``share`` (0 … 1) of the way from a to b."""
    ax, ay, aw, ah = a
    bx, by, bw, bh = b
    return (
        ax + (bx - ax) * share, ay + (by - ay) * share,
        aw + (bw - aw) * share, ah + (bh - ah) * share,
    )  # fmt: skip


def wrapped(text: str, width: float, size: float, weight: int = 400) -> tuple[str, ...]:
    """Return the lines of a text broken at spaces so that none is wider than ``width`` px."""
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size, weight) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return tuple(lines)


def in_line(word: str) -> str:
    """Return somebody's word for a line of other words, which keep their order around it.

    A word of a script that is read from the right would turn the numbers behind it round.
    """
    turns = any(bidirectional(c) in ("R", "AL") for c in word)
    return f"{MARK}{word}{MARK}" if turns else word


def shortened(text: str, width: float, size: float, weight: int = 400) -> str:
    """Return the text, or its start and "…" when it is wider than ``width`` px."""
    if text_width(text, size, weight) <= width:
        return text
    while text and text_width(text + "…", size, weight) > width:
        text = text[:-1]
    return text.rstrip() + "…"

"""One number, a row of them, a sheet, a stack of sheets: of the running model's attention."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from widgets import numbers
from widgets.geometry import text_width
from widgets.glyphs import Box, arrow, shortened
from widgets.picture import Cells, Ellipse, Group, Rect, Shape, Text
from widgets.scenes.cpu_gpu.layout import NOTE, Place
from widgets.scenes.cpu_gpu.parts import ring
from widgets.scenes.cpu_gpu.subject import SHAPES, Race

if TYPE_CHECKING:
    from widgets.view import View

CELL = 36.0  # px at most
SHIFT = (19.0, 11.0)  # px from a sheet of the tensor to the one behind it
VALUES = 20.0  # px that a cell needs for its number
NAME = "weight:p"  # of the cells: weight:p[head,query,key]


def colour(weight: float, view: View) -> str:
    """Return the colour of an attention weight: on a square-root scale, as everywhere."""
    return view.theme.ink_map(math.sqrt(max(weight, 0.0)))


def shapes(subject: Race, tick: float, place: Place, view: View) -> list[Shape]:
    """Return scalar, vector, matrix and tensor; those that are still to come are dashed."""
    tokens, heads = len(subject.words), len(subject.weights)
    x0, y0, width, height = place.upper
    deep = min(heads - 1, 6)
    head, foot = place.read + 22, 2 * place.read + 14
    back = SHIFT[1] * deep
    side = height - head - foot
    cell = min(CELL, (side - back) / tokens, (width - 360) / 3 / tokens)
    sheet = tokens * cell
    one = min(max(64.0, cell), side)
    # The last one's words need room as well, however small its sheets are.
    words = text_width(view.captions("race.tensor"), place.read + 1, 600) + 10
    words += text_width(_counts(subject)[3], place.read, 500)
    widths = (one, sheet, sheet, max(sheet + SHIFT[0] * deep, words))
    gap = (width - sum(widths)) / 3
    top = y0 + head + back
    middle = top + sheet / 2
    drawn: list[Shape] = []
    x = x0
    shown = math.floor(tick)
    for i, (shape, wide) in enumerate(zip(SHAPES, widths, strict=True)):
        box: Box = (x, middle - one / 2, one, one) if i == 0 else (x, top, sheet, sheet)
        if i == 1:
            box = (x, middle - cell / 2, sheet, cell)
        known = i <= shown
        fade = tick - shown if i == shown + 1 else 0.0
        if i:
            start = x - gap + 14 + (one - one if i > 1 else 0)
            line = view.theme.hair2 if known else view.theme.ghost
            drawn += arrow((start, middle), (x - 14, middle), line, width=1.6,
                           dash=() if known else (4.0, 4.0))  # fmt: skip
        drawn += _words(subject, i, (x, y0 + place.read + 4), (y0 + height - place.read - 8), gap,
                        wide, place, view)  # fmt: skip
        if not known:
            drawn += _ghosts(box, deep if i == 3 else 0, view)
        if known or fade > 0:
            parts = _shape(subject, i, box, cell, deep, view)
            drawn.append(Group(shapes=tuple(parts), opacity=1.0 if known else fade))
        if known and view.selected == f"shape:{shape}":
            left, high, w, h = box
            lift = SHIFT[1] * deep if i == 3 else 0
            drawn.append(ring((left, high - lift, wide, h + lift), view))
        x += wide + gap
    return drawn


def _words(
    subject: Race, i: int, head: tuple[float, float], foot: float, gap: float, wide: float,
    place: Place, view: View,
) -> list[Shape]:  # fmt: skip
    """Return what a shape is called, how many numbers it has, and which they are."""
    theme, say = view.theme, view.captions
    heads = len(subject.weights)
    shape, (x, y) = SHAPES[i], head
    size = place.read + 1
    counts = _counts(subject)
    name, title = f"shape:{shape}", say(f"race.title.{shape}", count=counts[i])
    word = say(f"race.{shape}")
    of = say(
        f"race.of.{shape}", word=subject.words[subject.asks], head=subject.head + 1, heads=heads
    )
    room = wide + gap - 12 if i < 3 else wide
    return [
        Text(x=x, y=y, text=word, size=size, weight=600, fill=theme.ink, read_by_class=True,
             name=name, title=title),
        Text(x=x + text_width(word, size, 600) + 10, y=y, text=counts[i], size=place.read,
             weight=500, fill=theme.ink2, read_by_class=True, name=name, title=title),
        Text(x=x, y=foot, text=shortened(of, room, place.read, 400), size=place.read,
             fill=theme.ink2, name=name, title=title, read_by_class=True),
    ]  # fmt: skip


def _counts(subject: Race) -> tuple[str, str, str, str]:
    """Return how many numbers each shape has."""
    tokens, heads = len(subject.words), len(subject.weights)
    return (
        "1", str(tokens), f"{tokens} × {tokens} = {tokens**2}",
        f"{heads} × {tokens} × {tokens} = {heads * tokens**2}",
    )  # fmt: skip


def _ghosts(box: Box, deep: int, view: View) -> list[Shape]:
    x, y, width, height = box
    return [
        Rect(x=x + SHIFT[0] * i, y=y - SHIFT[1] * i, width=width, height=height, radius=4,
             fill=view.theme.stage, stroke=view.theme.ghost, stroke_width=1.2, dash=(4.0, 4.0))
        for i in reversed(range(deep + 1))
    ]  # fmt: skip


def _shape(subject: Race, i: int, box: Box, cell: float, deep: int, view: View) -> list[Shape]:
    tokens, heads = range(len(subject.words)), len(subject.weights)
    key = max(tokens, key=lambda j: subject.weights[subject.head][subject.asks][j])
    if i == 0:
        return sheet(subject, subject.head, (subject.asks,), (key,), box, 24.0, view)
    if i == 1:
        size = min(15.0, cell * 0.45)
        chosen = sheet(subject, subject.head, (subject.asks,), tuple(tokens), box, size, view)
        x, y, width, height = box
        each = width / len(tokens)
        return [*chosen, _frame((x + key * each, y, each, height), view)]
    size = min(NOTE, cell * 0.45)
    if i == 2:
        x, y, width, height = box
        each = height / len(tokens)
        return [
            *sheet(subject, subject.head, tuple(tokens), tuple(tokens), box, size, view),
            _frame((x, y + subject.asks * each, width, each), view),
        ]
    drawn: list[Shape] = []
    x, y, width, height = box
    for j in reversed(range(deep + 1)):
        head = (subject.head + j) % heads
        at: Box = (x + SHIFT[0] * j, y - SHIFT[1] * j, width, height)
        drawn += framed(subject, head, at, size if j == 0 else 0.0, view)
    return drawn


def framed(subject: Race, head: int, box: Box, size: float, view: View) -> list[Shape]:
    """Return a head's sheet in a frame of its hue, with its number at the corner."""
    theme = view.theme
    x, y, width, height = box
    hue = theme.heads[head % len(theme.heads)]
    tokens = tuple(range(len(subject.words)))
    drawn: list[Shape] = [
        Rect(x=x - 3, y=y - 3, width=width + 6, height=height + 6, radius=5, fill=theme.stage,
             stroke=hue, stroke_width=1.8),
        *sheet(subject, head, tokens, tokens, box, size, view),
    ]  # fmt: skip
    if width > 60:
        drawn += [
            Ellipse(cx=x + width + 1, cy=y - 1, rx=9.5, ry=9.5, fill=hue),
            Text(x=x + width + 1, y=y + 4, text=str(head + 1), size=NOTE, weight=700,
                 fill=theme.on(hue), anchor="middle"),
        ]  # fmt: skip
    return drawn


def sheet(
    subject: Race, head: int, rows: tuple[int, ...], columns: tuple[int, ...], box: Box,
    size: float, view: View, gap: float = 1.5,
) -> list[Shape]:  # fmt: skip
    """Return weights of a head as cells, with their per cents where ``size`` leaves them room."""
    x, y, width, height = box
    weights = subject.weights[head]
    colours = tuple(tuple(colour(weights[i][j], view) for j in columns) for i in rows)
    index = tuple(tuple(f"{head},{i},{j}" for j in columns) for i in rows)
    drawn: list[Shape] = [
        Cells(x=x, y=y, width=width, height=height, colours=colours, index=index, name=NAME,
              title=view.captions("race.weight_title", head=head + 1), gap=gap)
    ]  # fmt: skip
    across, down = width / len(columns), height / len(rows)
    if size < NOTE or min(across, down) < VALUES:
        return drawn
    for r, i in enumerate(rows):
        whole = percents(subject, head, i)
        for c, j in enumerate(columns):
            drawn.append(
                Text(x=x + (c + 0.5) * across, y=y + (r + 0.5) * down + 0.36 * size,
                     text=str(whole[j]), size=size, weight=600, anchor="middle",
                     fill=view.theme.on(colours[r][c]), read_by_class=size > 20)
            )  # fmt: skip
    return drawn


def percents(subject: Race, head: int, query: int) -> tuple[int, ...]:
    """Return a row in whole per cents, which add up to 100 where all of it is drawn."""
    row = subject.weights[head][query]
    return numbers.percents(row) if not subject.left_out else tuple(round(100 * w) for w in row)


def _frame(box: Box, view: View) -> Rect:
    x, y, width, height = box
    return Rect(
        x=x - 1.5, y=y - 1.5, width=width + 3, height=height + 3, radius=5, stroke=view.theme.ink,
        stroke_width=2.2,
    )  # fmt: skip

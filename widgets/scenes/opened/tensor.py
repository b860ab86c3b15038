"""The left side: the tensor as sheets, the matrix of the opened sheet, the row of the number."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from widgets.geometry import text_width
from widgets.glyphs import Box, marker, shortened
from widgets.numbers import value as said
from widgets.picture import Cells, Ellipse, Path, Rect, Shape, Text
from widgets.scenes.opened.parts import (
    GAP,
    LEAST,
    Number,
    Scale,
    cell,
    fitted,
    heading,
    main,
    percent,
)
from widgets.scenes.opened.working import TOKENS, Opened, element, labels, place

if TYPE_CHECKING:
    from widgets.view import View

SHEETS_PX = 112.0
MOST_SHEETS = 8
ACROSS = {16: 4, 40: 5}  # how many numbers of a vector stand beside one another
STRIP_PX = 96.0
HOVER_PX = 34.0  # for the value of what lies under the pointer
WORDS_PX = 84.0
LEAST_CELL = (42.0, 24.0)  # px of a cell that holds its value


def tensor(o: Opened, level: int, box: Box, view: View) -> tuple[list[Shape], Box]:
    """Return the left side, and the box of what is opened.

    Parameters
    ----------
    level
        How many of the index were named: all for a number, fewer for a row, matrix or tensor,
        which the marker then goes round.
    """
    x, y, width, height = box
    step, say, theme = o.step, view.captions, view.theme
    scale = scale_of(o)
    shapes: list[Shape] = []
    top, bottom = y, y + height - 46 - HOVER_PX
    if not _ids(o):
        shapes += scale.bar(x, y + height - 32, 130, theme, view)
    sheets_box = matrix_box = row_box = None
    if step.value.ndim > 2:
        count = step.value.shape[-3]
        note = shape_words(o)
        shapes += heading(x, top + 15, width, say("opened.tensor"), note, view)
        found, sheets_box = _sheets(o, (x, top + 28, width, SHEETS_PX), scale, view, count)
        shapes += found
        top += 28 + SHEETS_PX + 22
    values = step.value[o.index[:-2]] if step.value.ndim > 1 else step.value
    word, note = _title(o)
    shapes += heading(x, top + 15, width, word, note, view)
    top += 28
    if step.value.ndim == 0:
        found, own = _single(o, (x, top, width, bottom - top), scale, view)
    elif step.value.ndim == 1:
        found, own, row_box = _vector(o, (x, top, width, bottom - top), scale, view)
    else:
        box = (x, top, width, bottom - top)
        found, own, row_box, matrix_box = _matrix(o, values, box, scale, view)
    shapes += found
    left = step.value.ndim - level
    opened = own
    if left >= 3 and sheets_box is not None:
        opened = sheets_box
    elif left >= 2 and matrix_box is not None:
        opened = matrix_box
    elif left >= 1 and row_box is not None:
        opened = row_box
    px, py, pw, ph = opened
    shapes += marker((px - 3, py - 3, pw + 6, ph + 6), theme)
    return shapes, opened


def scale_of(o: Opened) -> Scale:
    """Return the colours of a step's tensor."""
    return Scale.of(o.step.value, shares=o.step.op == "softmax")


def shape_words(o: Opened) -> str:
    """Return the axes of a step with their lengths."""
    sides = zip(o.step.axes, o.step.value.shape, strict=True)
    return " × ".join(f"{axis} {n}" for axis, n in sides)


def _title(o: Opened) -> tuple[str, str]:
    """Return what the lower part of the left side shows, and of what."""
    say, step = o.say, o.step
    if step.value.ndim == 0:
        return say("opened.number"), ""
    if step.value.ndim == 1:
        return say("opened.vector"), say("opened.numbers", count=step.value.size)
    if step.value.ndim == 2:
        return say("opened.matrix"), shape_words(o)
    axes = list(zip(step.axes, step.value.shape, o.index, strict=True))[:-2]
    return say("opened.matrix"), ", ".join(place(o.trace, a, n, i, say) for a, n, i in axes)


def _shown(o: Opened, number: float, width: float, view: View) -> tuple[str, float]:
    """Return what is written in a cell: a value, a per cent, a word."""
    size = main(view)
    if o.step.op == "softmax":
        text = percent(number)
        return (text if text_width(text, size, 600) <= width else ""), size
    if _ids(o):
        return shortened(o.trace.vocabulary[int(number)], width, size, 600), size
    return fitted(number, width, size, view)


def _ids(o: Opened) -> bool:
    """Return whether a step holds the numbers of words."""
    return o.step.name == "tokens" or o.step.op == "argmax"


def _colour(o: Opened, number: float, scale: Scale, view: View) -> str:
    if _ids(o):
        return view.theme.well  # an id is a name, and neither small nor large
    return scale.colour(number, view.theme)


def _sheets(o: Opened, box: Box, scale: Scale, view: View, count: int) -> tuple[list[Shape], Box]:
    """Return a stack of matrices, the opened one in front, and the box of all."""
    theme = view.theme
    x, y, width, height = box
    own = o.index[-3]
    order = [own, *(i for i in range(count) if i != own)][:MOST_SHEETS]
    rows, columns = o.step.value.shape[-2:]
    side_h = 72.0
    side_w = min(max(side_h * columns / rows, 44.0), 150.0)
    dx = min(44.0, (width - side_w - 30) / max(len(order) - 1, 1))
    dy = (height - side_h - 12) / max(len(order) - 1, 1)
    if len(order) == 1:
        dx = dy = 0.0
    shapes: list[Shape] = []
    heads = o.step.axes[-3] == "head"
    for depth, i in reversed(list(enumerate(order))):
        left, top = x + 2 + dx * depth, y + 12 + dy * (len(order) - 1 - depth)
        frame = theme.heads[i % len(theme.heads)] if heads else theme.hair2
        lead = (*o.index[:-3], i)
        name = element(o.trace, o.step.name, lead)
        words = place(o.trace, o.step.axes[-3], count, i, o.say)
        shapes += [
            Rect(x=left - 3, y=top - 3, width=side_w + 6, height=side_h + 6, radius=4,
                 fill=theme.stage, stroke=frame, stroke_width=2, name=name, title=words),
            Cells(x=left, y=top, width=side_w, height=side_h, name=name, title=words,
                  colours=_colours(o, o.step.value[lead], scale, view, (24, 40)),
                  gap=1.2 if rows <= 8 and columns <= 8 else 0.0),
            Ellipse(cx=left + side_w, cy=top, rx=10, ry=10, fill=frame),
            Text(x=left + side_w, y=top + 5, text=str(i + 1), size=LEAST, weight=700,
                 fill=theme.on(frame), anchor="middle"),
        ]  # fmt: skip
    if count > len(order):
        right = x + 2 + dx * (len(order) - 1) + side_w + 22
        text = o.say("opened.more_sheets", count=count - len(order))
        shapes.append(Text(x=right, y=y + 16, text=shortened(text, x + width - right, LEAST),
                           size=LEAST, fill=theme.ink2))  # fmt: skip
    return shapes, (x - 4, y - 2, side_w + dx * (len(order) - 1) + 20, height + 6)


def _colours(
    o: Opened, values: Any, scale: Scale, view: View, most: tuple[int, int]
) -> tuple[tuple[str, ...], ...]:
    """Return a matrix as colours; more rows or columns than ``most`` are pooled by magnitude."""
    import numpy as np

    rows, columns = (_starts(n, m) for n, m in zip(values.shape, most, strict=True))
    high = np.maximum.reduceat(np.maximum.reduceat(values, rows, axis=0), columns, axis=1)
    low = np.minimum.reduceat(np.minimum.reduceat(values, rows, axis=0), columns, axis=1)
    largest = np.where(np.abs(low) > np.abs(high), low, high).tolist()
    return tuple(tuple(_colour(o, number, scale, view) for number in row) for row in largest)


def _starts(count: int, most: int) -> list[int]:
    """Return where each of at most ``most`` runs of neighbours starts."""
    cells = min(count, most)
    return [round(i * count / cells) for i in range(cells)]


def _matrix(
    o: Opened, values: Any, box: Box, scale: Scale, view: View
) -> tuple[list[Shape], Box, Box, Box]:
    """Return a matrix with words at its rows and columns; the boxes of cell, row and matrix."""
    theme, say = view.theme, view.captions
    x, y, width, height = box
    rows, columns = values.shape
    i, j = o.index[-2:]
    row_axis, column_axis = o.step.axes[-2:]
    row_words, column_words = (
        labels(o.trace, row_axis, rows), labels(o.trace, column_axis, columns),
    )  # fmt: skip
    words = row_axis in TOKENS or rows <= 12
    lead = WORDS_PX if words else 40.0
    room = width - lead
    grid_w = min(room, 62.0 * columns)
    valued = grid_w / columns >= LEAST_CELL[0]
    below = 22.0 + (0.0 if valued else STRIP_PX)
    each_h = min((height - below) / rows, 54.0)
    valued = valued and each_h >= LEAST_CELL[1]
    if not valued and below < STRIP_PX:
        below += STRIP_PX
        each_h = min((height - below) / rows, 54.0)
    grid_h = each_h * rows
    left = x + lead
    each_w = grid_w / columns
    frame = theme.hair2
    if o.step.value.ndim > 2 and o.step.axes[-3] == "head":
        frame = theme.heads[o.index[-3] % len(theme.heads)]
    shapes: list[Shape] = [
        Rect(x=left - 4, y=y - 4, width=grid_w + 8, height=grid_h + 8, radius=6,
             fill=theme.stage, stroke=frame, stroke_width=2)
    ]  # fmt: skip
    shapes += _row_words(o, row_words, (x, y, lead, grid_h), i, row_axis in TOKENS, view)
    own = (left + each_w * j, y + each_h * i, each_w, each_h)
    high = max(each_h, 4.0)  # a row of many is a hair
    own_row = (left, own[1] + (each_h - high) / 2, grid_w, high)
    under = y + grid_h + 22
    if valued:
        for r in range(rows):
            for c in range(columns):
                name = element(o.trace, o.step.name, (*o.index[:-2], r, c))
                number = float(values[r, c])
                text, size = _shown(o, number, each_w - GAP - 9, view)
                inside = (left + each_w * c + GAP / 2, y + each_h * r + GAP / 2,
                          each_w - GAP, each_h - GAP)  # fmt: skip
                shapes += cell(Number(number, name), inside, scale, view, size=size, text=text)
        for c in range(columns):
            shapes.append(
                Text(x=left + each_w * (c + 0.5), y=under, size=LEAST,
                     text=shortened(column_words[c], each_w - 2, LEAST, 600),
                     weight=700 if c == j else 400, fill=theme.ink if c == j else theme.ink2,
                     anchor="middle")
            )  # fmt: skip
        return shapes, own, own_row, (left, y, grid_w, grid_h)
    most = (int(grid_h / 1.5), int(grid_w / 1.5))
    whole = rows <= most[0] and columns <= most[1]
    prefix = ",".join(map(str, o.index[:-2]))
    index = tuple(
        tuple(f"{prefix}{',' if prefix else ''}{r},{c}" for c in range(columns))
        for r in range(rows)
    ) if whole else ()  # fmt: skip
    shapes.append(
        Cells(
            x=left, y=y, width=grid_w, height=grid_h, index=index,
            colours=_colours(o, values, scale, view, most),
            gap=1.0 if min(each_w, each_h) >= 8 else 0.0,
            name=element(o.trace, o.step.name, () if whole else o.index[:-2]),
            title=say("opened.map", shape=shape_words(o)),
        )
    )  # fmt: skip
    # The cell is too small for the marker: lines lead the eye to its row and column.
    mid_x, mid_y = own[0] + own[2] / 2, own[1] + own[3] / 2
    shapes += [
        Path(commands=(("M", left - 10, mid_y), ("L", left - 4, mid_y)), stroke=theme.ink,
             stroke_width=2.4),
        Path(commands=(("M", mid_x, y + grid_h + 4), ("L", mid_x, y + grid_h + 10)),
             stroke=theme.ink, stroke_width=2.4),
        Rect(x=own[0] - 1, y=own[1] - 1, width=max(own[2], 2) + 2, height=max(own[3], 2) + 2,
             stroke=theme.ink, stroke_width=1.6),
    ]  # fmt: skip
    if not whole:
        text = say("opened.pooled", count=f"{rows} × {columns}")
        shapes.append(Text(x=left, y=under + 2, text=shortened(text, room, LEAST), size=LEAST,
                           fill=theme.ink2))  # fmt: skip
    strip = (x, y + grid_h + (26 if whole else 40), width, 42.0)
    found, own = _strip(o, values[i], column_words, strip, scale, view)
    return shapes + found, own, own_row, (left, y, grid_w, grid_h)


def _row_words(
    o: Opened, words: tuple[str, ...], box: Box, own: int, tokens: bool, view: View
) -> list[Shape]:
    """Return what stands at the rows of a matrix; of low rows only what stands at the opened."""
    theme = view.theme
    x, y, width, height = box
    each = height / len(words)
    shapes: list[Shape] = []
    for i, word in enumerate(words):
        if each < 17 and i != own:
            continue
        middle = min(max(y + each * (i + 0.5) + 5, y + 11), y + height)
        shapes.append(
            Text(x=x + width - 14, y=middle, text=shortened(word, width - 16, LEAST, 700),
                 size=LEAST, weight=700 if i == own else 400,
                 fill=theme.ink if i == own else theme.ink2, anchor="end")
        )  # fmt: skip
    return shapes


def _strip(
    o: Opened, row: Any, words: tuple[str, ...], box: Box, scale: Scale, view: View
) -> tuple[list[Shape], Box]:
    """Return some numbers of a row about the opened one, with their places, and its box."""
    theme, say = view.theme, view.captions
    x, y, width, height = box
    count, j = len(row), o.index[-1]
    room = min(5, count)
    first = min(max(j - room // 2, 0), count - room)
    each = width / 5
    lead = o.index[:-1]
    shapes: list[Shape] = []
    own = (x, y, each, height)
    for k in range(room):
        c = first + k
        number = float(row[c])
        inside = (x + each * k + GAP / 2, y, each - GAP, height)
        text, size = _shown(o, number, each - GAP - 6, view)
        if o.step.op == "softmax":
            text = say("rt.percent", value=text)
        name = element(o.trace, o.step.name, (*lead, c))
        fill = _colour(o, number, scale, view)
        shapes += [
            Rect(x=inside[0], y=y, width=inside[2], height=height, radius=4, fill=fill, name=name,
                 title=f"{name.partition(':')[2]} = {said(number)}"),
            Text(x=inside[0] + inside[2] / 2, y=y + height / 2 + 6, text=text, size=size,
                 weight=600, fill=theme.on(fill), anchor="middle",
                 read_by_class=size >= main(view)),
            Text(x=inside[0] + inside[2] / 2, y=y + height + 18, size=LEAST,
                 text=shortened(words[c], each - 4, LEAST, 700), weight=700 if c == j else 400,
                 fill=theme.ink if c == j else theme.ink2, anchor="middle"),
        ]  # fmt: skip
        if c == j:
            own = inside
    return shapes, own


def _vector(o: Opened, box: Box, scale: Scale, view: View) -> tuple[list[Shape], Box, Box]:
    """Return a vector, read row by row where it is long; the opened cell's box and its own."""
    theme, say = view.theme, view.captions
    x, y, width, height = box
    values, own = o.step.value, o.index[-1]
    count = len(values)
    words = labels(o.trace, o.step.axes[-1], count)
    named = o.step.axes[-1] in TOKENS
    columns = next((c for most, c in ACROSS.items() if count <= most), 0)
    shapes: list[Shape] = []
    if columns:
        columns = min(columns, count)
        rows = math.ceil(count / columns)
        label = 18.0 if named or rows <= 8 else 0.0
        each_w = width / max(columns, 4)
        each_h = min((height - 24) / rows, 88.0)
        own_box = (x, y, each_w, each_h)
        for i in range(count):
            left, top = x + each_w * (i % columns), y + each_h * (i // columns)
            inside = (left + GAP / 2, top, each_w - GAP, each_h - label - GAP)
            number = float(values[i])
            text, size = _shown(o, number, inside[2] - 6, view)
            if o.step.op == "softmax":
                text = say("rt.percent", value=text)
            fill = _colour(o, number, scale, view)
            name = element(o.trace, o.step.name, (i,))
            shapes += [
                Rect(x=inside[0], y=top, width=inside[2], height=inside[3], radius=4, fill=fill,
                     name=name, title=f"{name.partition(':')[2]} = {said(number)}"),
                Text(x=left + each_w / 2, y=top + inside[3] / 2 + 6, text=text, size=size,
                     weight=600, fill=theme.on(fill), anchor="middle",
                     read_by_class=size >= main(view)),
            ]  # fmt: skip
            if label:
                shapes.append(
                    Text(x=left + each_w / 2, y=top + inside[3] + 15, size=LEAST, anchor="middle",
                         text=shortened(words[i], each_w - 4, LEAST, 700),
                         weight=700 if i == own else 400,
                         fill=theme.ink if i == own else theme.ink2)
                )  # fmt: skip
            if i == own:
                own_box = inside
        if rows > 1:
            end = y + each_h * rows + 18
            shapes.append(Text(x=x, y=end, text=say("opened.row_by_row"), size=LEAST,
                               fill=theme.ink2))  # fmt: skip
        return shapes, own_box, (x, y, each_w * columns, each_h * rows - GAP)
    across = math.ceil(math.sqrt(count * 1.2))
    rows = math.ceil(count / across)
    each = min(width / across, (height - STRIP_PX - 24) / rows)
    # The last row may be shorter.
    for first, end, below in ((0, count // across * across, 0), (count // across * across, count,
                                                                 count // across)):  # fmt: skip
        if first == end:
            continue
        places = [range(a, min(a + across, end)) for a in range(first, end, across)]
        shapes.append(
            Cells(
                x=x, y=y + each * below, width=each * len(places[0]), height=each * len(places),
                colours=tuple(
                    tuple(_colour(o, float(values[i]), scale, view) for i in row) for row in places
                ),
                index=tuple(tuple(map(str, row)) for row in places),
                gap=1.0 if each >= 8 else 0.0, name=element(o.trace, o.step.name, ()),
                title=say("opened.map", shape=shape_words(o)),
            )
        )  # fmt: skip
    shapes += [
        Rect(x=x + each * (own % across) - 1, y=y + each * (own // across) - 1, width=each + 2,
             height=each + 2, stroke=theme.ink, stroke_width=1.6),
        Text(x=x, y=y + each * rows + 20, text=say("opened.row_by_row"), size=LEAST,
             fill=theme.ink2),
    ]  # fmt: skip
    strip = (x, y + each * rows + 40, width, 42.0)
    found, own_box = _strip(o, values, words, strip, scale, view)
    return shapes + found, own_box, (x, y, each * min(across, count), each * rows)


def _single(o: Opened, box: Box, scale: Scale, view: View) -> tuple[list[Shape], Box]:
    """Return the one number that a tensor without axes is."""
    x, y, width, _ = box
    inside = (x, y + 4, min(width, 180.0), 60.0)
    text, size = _shown(o, o.value, inside[2] - 8, view)
    fill = _colour(o, o.value, scale, view)
    return [
        Rect(x=x, y=y + 4, width=inside[2], height=60, radius=6, fill=fill, name=o.name,
             title=f"{o.step.name} = {said(o.value)}"),
        Text(x=x + inside[2] / 2, y=y + 42, text=text, size=24, weight=700,
             fill=view.theme.on(fill), anchor="middle", read_by_class=True),
    ], inside  # fmt: skip

"""One tile of a tensor core, opened: half operands, sums in float32, the error against float64."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.units import Work
from widgets import equation, numbers
from widgets.geometry import text_width
from widgets.glyphs import shortened
from widgets.picture import Cells, Rect, Shape, Text
from widgets.scenes.computing_units.layout import NOTE, Place
from widgets.scenes.computing_units.parts import note
from widgets.scenes.computing_units.subject import Computing
from widgets.units import icon

if TYPE_CHECKING:
    from widgets.view import View

PAD = 20.0
DIGITS = 6  # significant ones of a sum, so that the roundings are seen


def opened(subject: Computing, place: Place, view: View) -> list[Shape]:
    """Return the three matrices of a tile and one of its sums, in three precisions."""
    tile = subject.tile
    assert tile is not None
    theme, say = view.theme, view.captions
    x, y, width, height = place.faster
    shapes: list[Shape] = [
        Rect(x=x, y=y, width=width, height=height, radius=14, fill=theme.panel,
             stroke=theme.hair, stroke_width=1),
        *icon(Work.MATRIX, x + PAD, y + 17, 19, theme.matrix_text),
        Text(x=x + PAD + 30, y=y + 33, text=say("units.tile.heading"), size=max(18, place.read),
             weight=600, fill=theme.ink, read_by_class=True),
    ]  # fmt: skip
    if view.controls:
        back = say("units.tile.close")
        wide = text_width(back, NOTE, 600) + 24
        shapes += [
            Rect(x=x + width - PAD - wide, y=y + 14, width=wide, height=28, radius=8,
                 fill=theme.well, name="choose:panel:faster", title=say("units.tile.close_title")),
            note(x + width - PAD - wide / 2, y + 33, back, view, strong=True, anchor="middle"),
        ]  # fmt: skip
    where, colon, symbols = tile.source.partition(": ")
    room = width - 2 * PAD - equation.width(symbols, NOTE, 500)
    where = shortened(where + colon, room, NOTE, 500)
    start = x + PAD + text_width(where, NOTE, 500)
    shapes += [
        note(x + PAD, y + 54, where, view, pale=True),
        *equation.shapes(symbols, x=start, y=y + 54, size=NOTE, fill=theme.ink3, weight=500),
    ]
    side = min(height - 54 - 62, (width - 2 * PAD - 2 * 26 - 146) / 3)
    top = y + 66
    at = x + PAD
    row, column = subject.cell
    for letter, values, what in (
        ("A", tile.half_a, "FP16"), ("B", tile.half_b, "FP16"), ("C", tile.mixed, "FP32"),
    ):  # fmt: skip
        shapes += _matrix(letter, values, what, (at, top, side), subject, view)
        at += side + 26
        if letter != "C":
            sign = "×" if letter == "A" else "="
            shapes.append(
                Text(x=at - 13, y=top + side / 2 + 6, text=sign, size=18, weight=500,
                     fill=theme.ink2, anchor="middle")
            )  # fmt: skip
    left, right = at - 4, x + width - PAD
    exact = float(tile.exact[row, column])
    shapes.append(
        note(left, top + 10, f"C[{row + 1},{column + 1}]", view, strong=True, name="tile:sum",
             title=say("units.tile.sum_title", row=row + 1, column=column + 1))
    )  # fmt: skip
    for i, (key, number) in enumerate(
        (("exact", exact), ("mixed", float(tile.mixed[row, column])),
         ("half", float(tile.half[row, column])))
    ):  # fmt: skip
        base = top + 33 + 36 * i
        shapes += [
            note(left, base, say(f"units.tile.{key}"), view, width=right - left),
            Text(x=left, y=base + 17, text=digits(number), size=15, weight=500, family="mono",
                 fill=theme.ink, name=f"tile:{key}", title=say(f"units.tile.{key}_title")),
        ]  # fmt: skip
    base = y + height - 15
    told = say("units.tile.errors", mixed=numbers.value(100 * tile.mixed_error),
               half=numbers.value(100 * tile.half_error))  # fmt: skip
    shapes.append(
        note(x + PAD, base, told, view, strong=True, width=width - 2 * PAD, name="tile:error",
             title=say("units.tile.error_title"))
    )  # fmt: skip
    return shapes


def digits(number: float) -> str:
    """Return a number with the digits in which the three precisions differ."""
    return f"{number:.{DIGITS}g}".replace("-", numbers.MINUS)


def _matrix(
    letter: str, values: Any, what: str, box: tuple[float, float, float], subject: Computing,
    view: View,
) -> list[Shape]:  # fmt: skip
    x, y, side = box
    theme, say = view.theme, view.captions
    numbers_of = np.asarray(values, dtype=np.float64)
    rows, columns = numbers_of.shape
    limit = float(np.abs(numbers_of).max()) or 1.0
    colours = tuple(tuple(theme.signed_map(float(v) / limit) for v in line) for line in numbers_of)
    row, column = subject.cell
    name, title = f"tile:{letter.lower()}", say("units.tile.matrix", letter=letter, what=what,
                                                rows=rows, columns=columns)  # fmt: skip
    index = tuple(tuple(f"{r},{c}" for c in range(columns)) for r in range(rows))
    shapes: list[Shape] = [
        Rect(x=x - 1.5, y=y - 1.5, width=side + 3, height=side + 3, radius=2.5, fill=theme.stage,
             stroke=theme.hair2, stroke_width=1),
        Cells(x=x, y=y, width=side, height=side, colours=colours, gap=0.6, name=name, title=title,
              index=index if letter == "C" else ()),
        note(x, y + side + 17, f"{letter}, {what}", view),
    ]  # fmt: skip
    tall, wide = side / rows, side / columns
    # Which row of A meets which column of B.
    ring = {
        "A": (x, y + row * tall, side, tall),
        "B": (x + column * wide, y, wide, side),
        "C": (x + column * wide, y + row * tall, wide, tall),
    }[letter]
    shapes.append(
        Rect(x=ring[0] - 1, y=ring[1] - 1, width=ring[2] + 2, height=ring[3] + 2, radius=2,
             stroke=theme.ink, stroke_width=1.8)
    )  # fmt: skip
    return shapes

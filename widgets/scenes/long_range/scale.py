"""Why scores are divided by √d: how even the rows of attention are as heads get wider."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from engine.laboratory import DRAWN, TRAINED, Rows, Width
from widgets import numbers
from widgets.geometry import text_width
from widgets.glyphs import Box, line
from widgets.picture import Cells, Shape, Text
from widgets.scenes.long_range.layout import NOTE, Place
from widgets.scenes.long_range.parts import (
    To,
    band,
    mark,
    now_line,
    ring,
    slider,
    words,
)
from widgets.scenes.long_range.subject import Laboratory

if TYPE_CHECKING:
    from widgets.captions import Captions
    from widgets.view import View

KINDS = ("divided", "plain")
PART = 0.5  # of the body, for the plot
MOST_CELLS = 24  # a side of a pattern
MARKS = {TRAINED: "square", DRAWN: "circle"}


def scale(subject: Laboratory, tick: float, place: Place, view: View) -> list[Shape]:
    """Return entropy against the width of a head, and two patterns at the width of now."""
    x, y, width, height = place.body
    half = PART * width
    drawn = _plot(subject, tick, (x, y, half, height), place, view)
    middle = x + half + 22
    drawn += line([(middle, y + 2), (middle, y + height - 8)], view.theme.hair)
    drawn += _patterns(subject, tick, (middle + 24, y, place.edge - middle - 24, height), place,
                       view)  # fmt: skip
    return drawn


def rows_of(width: Width, kind: str) -> Rows:
    """Return the rows of a width, divided or plain."""
    return width.divided if kind == "divided" else width.plain


def _plot(subject: Laboratory, tick: float, box: Box, place: Place, view: View) -> list[Shape]:
    assert subject.scale is not None
    theme, say = view.theme, view.captions
    size = place.read
    x0, y0, width0, height0 = box
    x, y = x0 + 44, y0 + size + 18
    width, height = width0 - 44 - 14, height0 - size - 18 - (98 if view.controls else 48)
    least, most = subject.widths[0], subject.widths[-1]

    def across(d: float) -> float:
        return x + width * math.log(d / least) / math.log(most / least)

    def up(entropy: float) -> float:
        return y + (1 - entropy) * height

    drawn: list[Shape] = [
        words(x0, y0 + size, say("lab.entropy"), view, size=size, weight=600, ink="ink", read=True,
              width=width0)
    ]  # fmt: skip
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        drawn += line([(x, up(value)), (x + width, up(value))],
                      theme.hair2 if value == 0 else theme.hair)  # fmt: skip
        drawn.append(words(x - 8, up(value) + 5, f"{value:g}", view, weight=500, anchor="end"))
    now = subject.width(tick)
    shown = [d for d in subject.widths if d & (d - 1) == 0]
    for d in shown:
        on = d == now
        drawn.append(words(across(d), y + height + 20, str(d), view, anchor="middle",
                           weight=700 if on else 500, ink="ink" if on else "ink2"))  # fmt: skip
    drawn.append(words(x, y + height + 39, say("lab.d_axis"), view, weight=500))
    drawn += now_line(across(now), y - 8, y + height, view)
    for basis in (DRAWN, TRAINED):
        drawn += _lines(subject, basis, across, up, view)
    # The names stand beside the drawn lines, where there is room at every sentence.
    widest = subject.scale.of(DRAWN)[-2:]
    for kind in KINDS:
        rows = [rows_of(width, kind) for width in widest]
        if kind == "plain":
            base = min(up(it.entropy) for it in rows) - 12
        else:
            base = min(up(it.entropies[1]) for it in rows) - 9
        base = min(max(base, y + size), y + height - 8)
        drawn.append(words(across(most) - 8, base, say(f"lab.kind.{kind}"), view, size=size,
                           weight=600, ink="ink" if kind == "divided" else "ink2", anchor="end",
                           read=True))  # fmt: skip
    key = x + width
    for basis in (DRAWN, TRAINED):
        label = say(f"lab.basis.{basis}")
        drawn.append(words(key, y + height + 39, label, view, anchor="end"))
        key -= text_width(label, NOTE) + 12
        drawn.append(mark(MARKS[basis], key, y + height + 34, theme.ink2, theme.stage))
        key -= 18
    if view.controls:
        drawn += slider((x, y0 + height0 - 50, width, 46), "width", list(map(str, subject.widths)),
                        subject.widths.index(now), say("lab.d_title"), view)  # fmt: skip
    return drawn


def _lines(subject: Laboratory, basis: str, across: To, up: To, view: View) -> list[Shape]:
    assert subject.scale is not None
    theme, say = view.theme, view.captions
    drawn: list[Shape] = []
    widths = subject.scale.of(basis)
    for kind in KINDS:
        colour = theme.ink if kind == "divided" else theme.ink3
        rows = [rows_of(width, kind) for width in widths]
        xs = [across(width.d_head) for width in widths]
        if basis == DRAWN:
            drawn += band([(x, up(it.entropies[1])) for x, it in zip(xs, rows, strict=True)],
                          [(x, up(it.entropies[0])) for x, it in zip(xs, rows, strict=True)],
                          colour)  # fmt: skip
        points = [(x, up(it.entropy)) for x, it in zip(xs, rows, strict=True)]
        drawn += line(points, colour, 2.8 if basis == DRAWN else 1.6)
        for width, (px, py) in zip(widths, points, strict=True):
            name = f"width:{basis}:{kind}:{width.d_head}"
            title = say(
                "lab.width_title", kind=say(f"lab.kind.{kind}"), d=width.d_head,
                basis=say(f"lab.basis.{basis}"), entropy=f"{rows_of(width, kind).entropy:.2f}",
            )  # fmt: skip
            drawn.append(mark(MARKS[basis], px, py, colour, theme.stage, name=name, title=title))
            if view.selected == name:
                drawn.append(ring((px - 5, py - 5, 10, 10), view))
    return drawn


def _patterns(subject: Laboratory, tick: float, box: Box, place: Place, view: View) -> list[Shape]:
    assert subject.scale is not None
    theme, say = view.theme, view.captions
    x, y, width, height = box
    size = place.read
    found = subject.at_width(subject.width(tick))
    count = min(len(subject.scale.words), MOST_CELLS)
    d = found.d_head
    head = say("lab.pattern", d=d)
    drawn: list[Shape] = [
        words(x, y + size, head, view, size=size, weight=600, ink="ink", read=True, width=width),
        words(x, y + 2 * size + 6, basis_words(found, say), view, width=width),
    ]  # fmt: skip
    words_wide = 62.0 if count <= 12 else 0.0
    top = y + 3 * size + 36
    each = (width - 24) / 2
    side = min(each - words_wide / 2, height - (top - y) - 3 * size - 34)
    left = x + words_wide
    for i, kind in enumerate(KINDS):
        rows = rows_of(found, kind)
        px = left + i * (side + 26)
        drawn.append(words(px, top - 12, say(f"lab.kind.{kind}"), view, size=size, weight=600,
                           ink="ink", read=True))  # fmt: skip
        colours = tuple(
            tuple(theme.ink_map(math.sqrt(float(rows.pattern[q, k]))) for k in range(count))
            for q in range(count)
        )
        drawn.append(
            Cells(x=px, y=top, width=side, height=side, colours=colours, gap=1.0,
                  rows=tuple(map(str, range(count))), columns=tuple(map(str, range(count))),
                  name=f"cell:{kind}", title=say("lab.cell_title", kind=say(f"lab.kind.{kind}")))
        )  # fmt: skip
        cell = side / count
        if cell >= 40:
            drawn += [
                Text(x=px + (k + 0.5) * cell, y=top + (q + 0.5) * cell + 5, size=NOTE, weight=600,
                     text=f"{100 * float(rows.pattern[q, k]):.0f}", anchor="middle",
                     fill=theme.on(colours[q][k]))
                for q in range(count) for k in range(count)
            ]  # fmt: skip
        foot = top + side + size + 8
        drawn += [
            words(px, foot, say("lab.row_entropy", entropy=f"{rows.entropy:.2f}"), view, size=size,
                  weight=600, ink="ink", read=True),
            words(px, foot + size + 6, say("lab.row_largest", share=round(100 * rows.largest)),
                  view, size=size, read=True),
        ]  # fmt: skip
        if view.selected.startswith(f"cell:{kind}["):
            q, k = map(int, view.selected[:-1].partition("[")[2].split(","))
            drawn.append(ring((px + k * cell + 3, top + q * cell + 3, cell - 6, cell - 6), view))
    if words_wide:
        cell = side / count
        drawn += [
            words(left - 8, top + (q + 0.5) * cell + 5, subject.scale.words[q], view, anchor="end",
                  weight=500, width=words_wide - 6)
            for q in range(count)
        ]  # fmt: skip
    return drawn


def basis_words(found: Width, say: Captions) -> str:
    """Return where the queries and keys of a width are from."""
    if found.basis == TRAINED:
        return say("lab.of_trained", count=found.heads)
    return say("lab.of_drawn")


def messages(subject: Laboratory, tick: float, say: Captions) -> tuple[str, ...]:
    """Return what happens at the widest head, and why: the scores grow as √d."""
    assert subject.scale is not None
    drawn = subject.scale.of(DRAWN)
    first, last = drawn[0], drawn[-1]
    return (
        say("lab.scale_said", d=last.d_head, plain=f"{last.plain.entropy:.2f}",
            largest=round(100 * last.plain.largest), divided=f"{last.divided.entropy:.2f}"),
        say("lab.scale_why", first=first.d_head, last=last.d_head,
            low=numbers.value(float(f"{first.spread:.2g}")),
            high=numbers.value(float(f"{last.spread:.2g}")),
            times=f"{last.spread / first.spread:.1f}",
            root=f"{math.sqrt(last.d_head / first.d_head):.1f}"),
    )  # fmt: skip

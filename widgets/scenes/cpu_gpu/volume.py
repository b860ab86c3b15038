"""Complexity against volume: branches an item against items, with one boundary in ink."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

from engine.crossover import MOST_ITEMS, Volume, volume
from engine.race import BRANCHES
from widgets import numbers
from widgets.geometry import text_width
from widgets.glyphs import wrapped
from widgets.picture import Command, Path, Rect, Shape, Text
from widgets.scenes.cpu_gpu.layout import NOTE, Place
from widgets.scenes.cpu_gpu.parts import power, ring
from widgets.scenes.cpu_gpu.subject import Race
from widgets.theme import mix

if TYPE_CHECKING:
    from widgets.view import View

CLEAR = 3.0  # powers of ten by which one is quicker where its colour is full
# Where familiar work lies: key, items, branches an item. Positions of the kind, not measurements.
EXAMPLES = (
    ("date", 10.0, 16), ("sort", 1e3, 8), ("attention", 1e6, 1), ("product", 1e7, 0),
)  # fmt: skip


@lru_cache(maxsize=64)
def table(subject: Race) -> tuple[tuple[Volume | None, ...], ...]:
    """Return both times by branches (rows, as in BRANCHES) and powers of ten of items."""
    if subject.measured is None:
        return ()
    return tuple(
        tuple(
            volume(
                subject.measured,
                subject.part,
                branches,
                10**k,
                resident=subject.resident,
                graph=subject.graph,
            )  # fmt: skip
            for k in range(MOST_ITEMS + 1)
        )
        for branches in BRANCHES
    )


def volumes(subject: Race, place: Place, view: View) -> list[Shape]:
    """Return the map with its axes, examples and boundary."""
    theme, say = view.theme, view.captions
    x, y, width, height = place.map
    rows, columns = len(BRANCHES), MOST_ITEMS + 1
    across, down = width / columns, height / rows
    head = place.lower + 28
    left = x - 76
    drawn: list[Shape] = [
        Text(x=left, y=head, text=say("race.volume"), size=place.read + 3, weight=600,
             fill=theme.ink, read_by_class=True),
        Text(x=left, y=head + place.read + 6, text=say("race.volume_how"), size=place.read,
             fill=theme.ink2, read_by_class=True),
    ]  # fmt: skip
    known = table(subject)
    for i, branches in enumerate(BRANCHES):
        top = y + height - (i + 1) * down
        drawn.append(Text(x=x - 10, y=top + down / 2 + 5, text=str(branches), size=NOTE,
                          weight=500, fill=theme.ink2, anchor="end"))  # fmt: skip
        for k in range(columns):
            each = known[i][k] if known else None
            box = (x + k * across + 1, top + 1, across - 2, down - 2)
            drawn += _cell(subject, each, box, f"volume:{branches}:{k}", view)
    for k in range(0, columns, 3):
        drawn.append(Text(x=x + (k + 0.5) * across, y=place.foot, text=power(10.0**k),
                          size=place.read, weight=500, fill=theme.ink2, anchor="middle",
                          read_by_class=True))  # fmt: skip
    base = place.foot + place.read + 6
    drawn += [
        Text(x=x + width / 2, y=base, text=say("race.items"), size=NOTE, weight=500,
             fill=theme.ink2, anchor="middle"),
        Text(x=x - 44, y=y + height / 2, text=say("race.branches"), size=NOTE, weight=500,
             fill=theme.ink2, anchor="middle", rotate=-90),
    ]  # fmt: skip
    drawn += _boundary(subject, x, y, across, down, view)
    if not any(each is not None for row in known for each in row):
        drawn += _nothing(place, view)
        return drawn
    return [*drawn, *_examples(x, y, across, down, view)]


def _cell(
    subject: Race, each: Volume | None, box: tuple[float, float, float, float], name: str,
    view: View,
) -> list[Shape]:  # fmt: skip
    theme, say = view.theme, view.captions
    x, y, width, height = box
    if each is None:
        return [Rect(x=x, y=y, width=width, height=height, radius=3, stroke=theme.ghost,
                     stroke_width=1.0, dash=(3.0, 3.0))]  # fmt: skip
    lead = math.log10(each.gpu / each.cpu)  # above 0 the CPU is quicker
    hue = theme.seq if lead > 0 else theme.stream
    share = 0.14 + 0.62 * min(abs(lead) / CLEAR, 1.0)
    title = say(
        "race.volume_title", items=numbers.exact(each.items), count=each.branches,
        cpu=numbers.seconds(each.cpu), gpu=numbers.seconds(each.gpu), part=subject.part_name,
        basis=say("race.inferred" if each.inferred else "race.measured"),
    )  # fmt: skip
    drawn: list[Shape] = [
        Rect(x=x, y=y, width=width, height=height, radius=3, fill=mix(theme.stage, hue, share),
             name=name, title=title)
    ]  # fmt: skip
    if view.selected == name:
        drawn.append(ring(box, view))
    return drawn


def _boundary(
    subject: Race, x: float, y: float, across: float, down: float, view: View
) -> list[Shape]:
    """Return the steps between the cells of the CPU and those of the GPU."""
    known = table(subject)
    if not known:
        return []
    commands: list[Command] = []
    base = y + len(BRANCHES) * down
    for i, row in enumerate(known):
        if row[0] is None:  # not measured
            continue
        won = [k for k, each in enumerate(row) if each is not None and each.gpu > each.cpu]
        edge = x + (won[-1] + 1 if won else 0) * across
        top = base - (i + 1) * down
        commands += [("L" if commands else "M", edge, base - i * down), ("L", edge, top)]
    return [
        Path(commands=tuple(commands), stroke=view.theme.ink, stroke_width=2.6, cap="round",
             hit_width=6, name="boundary", title=view.captions("race.boundary_title"))
    ]  # fmt: skip


def _examples(x: float, y: float, across: float, down: float, view: View) -> list[Shape]:
    """Return chips with familiar work, which say where that lies and not what it takes."""
    theme, say = view.theme, view.captions
    drawn: list[Shape] = []
    for key, items, branches in EXAMPLES:
        words = say(f"race.example.{key}")
        wide = text_width(words, NOTE, 600) + 12
        row = BRANCHES.index(branches)
        middle = x + (math.log10(items) + 0.5) * across
        left = min(max(middle - wide / 2, x + 2), x + (MOST_ITEMS + 1) * across - wide - 2)
        top = y + (len(BRANCHES) - row - 0.5) * down - 10.5
        name, title = f"volume:{branches}:{round(math.log10(items))}", say("race.example_title")
        drawn += [
            Rect(x=left, y=top, width=wide, height=21, radius=6, fill=theme.stage,
                 stroke=theme.ink2, stroke_width=1.2, name=name, title=f"{words}: {title}"),
            Text(x=left + wide / 2, y=top + 15.5, text=words, size=NOTE, weight=600,
                 fill=theme.ink, anchor="middle"),
        ]  # fmt: skip
    return drawn


def _nothing(place: Place, view: View) -> list[Shape]:
    x, y, width, height = place.map
    words = wrapped(view.captions("race.not_measured"), width - 20, place.read, 500)
    return [
        Text(x=x + width / 2, y=y + height * 0.42 + 22 * i, text=line, size=place.read, weight=500,
             fill=view.theme.ink2, anchor="middle")
        for i, line in enumerate(words)
    ]  # fmt: skip

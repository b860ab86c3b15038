"""CPU & GPU works: from one number to a cube of numbers, from one at a time to all at once.

Above, four shapes of data out of the running model, then the race: the same outputs on both, under
one clock of microseconds. Below, time against size with the crossover as a band, complexity against
volume, and what a layer takes against T. Solid and filled is measured on this machine, dashed and
hollow with ≈ is modelled.
"""

from __future__ import annotations

import math
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from widgets import numbers
from widgets.geometry import text_width
from widgets.glyphs import line, pill, shortened
from widgets.picture import Group, Picture, Rect, Shape, Text
from widgets.scenes.cpu_gpu.layout import EDGE, NOTE, Place, place_for
from widgets.scenes.cpu_gpu.lengths import lengths
from widgets.scenes.cpu_gpu.parts import segments
from widgets.scenes.cpu_gpu.race import race
from widgets.scenes.cpu_gpu.shapes import shapes
from widgets.scenes.cpu_gpu.sizes import sizes
from widgets.scenes.cpu_gpu.subject import PAGES, SHAPES, Race
from widgets.scenes.cpu_gpu.volume import volumes

if TYPE_CHECKING:
    from widgets.view import View

__all__ = ["PAGES", "SHAPES", "Race", "cpu_gpu"]


def cpu_gpu(subject: Race, tick: float, view: View) -> Picture:
    """Return the chapter at a tick (a float: its fraction is the way to the next tick).

    Parameters
    ----------
    subject
        Numbers, measurements and choices.
    tick
        0 … ``subject.last_tick``; what lies outside is moved to the nearer end.
    view
        Box (at least ``SMALLEST``), theme, captions and what is selected.
    """
    tick = min(max(tick, 0.0), float(subject.last_tick))
    place = place_for(view.width, view.height)
    page = subject.page(tick)
    drawn: list[Shape] = _head(subject, tick, place, view)
    upper = shapes if page == "shapes" else race
    drawn += upper(subject, tick, place, view)
    y = place.lower
    drawn += line([(EDGE, y), (place.edge, y)], view.theme.hair2, 1.0)
    # Below nothing moves between two ticks, and nothing at all before its own page.
    still = float(math.floor(tick)) if page in ("sizes", "lengths") else 0.0
    drawn.append(_lower(subject, still, place, view._replace(hovered="")))
    return Picture(
        width=place.width,
        height=place.height,
        background=view.theme.stage,
        shapes=tuple(drawn),
        title=view.captions("race.title"),
        description=view.captions("race.description", now=now_words(subject, tick, view)),
    )


@lru_cache(maxsize=16)
def _lower(subject: Race, tick: float, place: Place, view: View) -> Group:
    """Return all below the line: the plots of a page, their choices, and where all is from."""
    page = subject.page(tick)
    drawn = _choices(subject, page, place, view)
    if page == "lengths":
        drawn += lengths(subject, tick, place, view)
    else:
        drawn += [*sizes(subject, tick, place, view), *volumes(subject, place, view)]
    drawn += _source(subject, place, view)
    return Group(shapes=tuple(drawn), slot="race lower", cache_key=(subject, tick, place, view))


def now_words(subject: Race, tick: float, view: View) -> str:
    """Return what the clock's pill says: the shape, the microseconds, n or T."""
    say = view.captions
    page = subject.page(tick)
    if page == "shapes":
        return say(f"race.{SHAPES[math.floor(tick)]}")
    if page == "race":
        return numbers.seconds(subject.clock(tick)) if subject.clock(tick) else say("race.zero")
    if page == "sizes":
        return f"n = {subject.size(tick)}"
    return f"T = {subject.length(tick)}"


def _head(subject: Race, tick: float, place: Place, view: View) -> list[Shape]:
    theme, say = view.theme, view.captions
    title = say("race.title")
    size = max(27.0, place.read + 9)
    left = EDGE + text_width(title, size, 600, "display") + 18
    words = now_words(subject, tick, view)
    clock = pill(place.edge, 22, words, theme, size=max(17.0, place.read))
    room = place.edge - text_width(words, place.read + 1, 600) - 48 - left
    page = subject.page(tick)
    return [
        Text(x=EDGE, y=46, text=title, size=size, weight=600, family="display", fill=theme.ink,
             read_by_class=True),
        Text(x=left, y=45, text=shortened(say(f"race.subtitle.{page}"), room, place.read, 400),
             size=place.read, fill=theme.ink2, read_by_class=True),
        *clock,
    ]  # fmt: skip


def _choices(subject: Race, page: str, place: Place, view: View) -> list[Shape]:
    """Return which plot stands below, and what it is of; a figure says it in words."""
    theme, say = view.theme, view.captions
    size = place.read + 3
    base = place.lower + 28
    drawn: list[Shape] = []
    on = "lengths" if page == "lengths" else "sizes"
    x = EDGE
    for other in ("sizes", "lengths"):
        if other != on and not view.controls:
            continue
        words = say(f"race.page.{other}")
        big = size if other == on else place.read
        weight = 600 if other == on else 500
        wide = text_width(words, big, weight)
        # The other one is a button; the one that is shown is a title.
        if other != on:
            drawn.append(
                Rect(x=x, y=base - 20, width=wide + 20, height=28, radius=8, fill=theme.well,
                     name=f"page:{other}", title=say("race.page_title", page=words))
            )  # fmt: skip
        drawn.append(
            Text(x=x + (10 if other != on else 0), y=base, text=words, size=big,
                 weight=600 if other == on else 500, fill=theme.ink if other == on else theme.ink2,
                 read_by_class=other == on)
        )  # fmt: skip
        x += wide + (36 if other != on else 16)
    if page == "lengths":
        words = say("race.one_layer")
        drawn.append(Text(x=x + 4, y=base, text=shortened(words, place.edge - x - 4, place.read),
                          size=place.read, fill=theme.ink2))  # fmt: skip
        return drawn
    ops = [(op, say(f"race.op.{op}")) for op in ("product", "map", "chain")]
    datas = [(data, say(f"race.{data}")) for data in ("resident", "copied")]
    launches = [(how, say(f"race.{how}")) for how in ("single", "graph")]
    data, how = "resident" if subject.resident else "copied", "graph" if subject.graph else "single"
    y = base + 16 + (place.read - 16)
    if view.controls:
        right, row = segments(EDGE, y, "op", ops, subject.op, view)
        drawn += row
        right, row = segments(right + 8, y, "data", datas, data, view)
        drawn += row
        drawn += segments(right + 8, y, "launch", launches, how, view)[1]
        return drawn
    words = say(
        "race.chosen", op=say(f"race.op.{subject.op}"), data=say(f"race.{data}"),
        launch=say(f"race.{how}"),
    )  # fmt: skip
    drawn.append(
        Text(x=EDGE, y=y + 14, text=shortened(words, place.plot[0] + place.plot[2] - EDGE,
                                             place.read), size=place.read, fill=theme.ink2)
    )  # fmt: skip
    return drawn


def _source(subject: Race, place: Place, view: View) -> list[Shape]:
    """Return the line that says what was measured, what is modelled, and what runs now."""
    say, measured = view.captions, subject.measured
    if subject.progress is not None:
        words = say("race.source_measuring", share=round(100 * subject.progress))
    elif measured is None:
        words = say("race.source_none", part=subject.part.title)
    else:
        day = date.fromisoformat(measured.day)
        words = say(
            "race.source_device" if measured.device else "race.source",
            library=measured.machine.library, count=measured.machine.threads,
            day=f"{day.day} {day:%B %Y}", part=subject.part.title, device=measured.device,
        )  # fmt: skip
    words = shortened(words, place.width - 2 * EDGE, NOTE, 500)
    return [Text(x=EDGE, y=place.height - 12, text=words, size=NOTE, weight=500,
                 fill=view.theme.ink3)]  # fmt: skip

"""What moves between two ticks, and what lights up under the pointer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from engine.trace import Pair, Trace
from widgets.counters import is_counter
from widgets.glyphs import Box, arrow, between, ease, marker
from widgets.picture import Command, Ellipse, Path, Rect, Shape, Text
from widgets.scenes.recurrence_attention.frame import counter_mark
from widgets.scenes.recurrence_attention.layout import (
    Layout,
    around,
    box_of_word,
    place_of,
    read_boxes,
    state_box,
    word_box,
)
from widgets.scenes.recurrence_attention.maps import badge, cell_box
from widgets.scenes.recurrence_attention.states import FORWARD, directions

if TYPE_CHECKING:
    from widgets.view import View


def growing_arrow(
    pair: Pair, tick: int, phase: float, place: Layout, view: View
) -> tuple[Shape, ...]:
    """Return the arrow into the state that is being read, as far as it has grown."""
    if tick > len(place.columns) or tick < 2 or place.detail == "map":
        return ()
    share = ease(phase, 0.15, 0.40)
    if share == 0:
        return ()
    r, y = place.node_r, place.node_y
    gap = 4 if place.detail == "full" else 2
    both = directions(pair.chain)
    width = 3.0 if place.detail == "full" else 2.0 if place.detail == "middle" else 1.5
    shapes: list[Shape] = []
    for d in both:
        away, t = (1, tick) if d == FORWARD else (-1, len(place.columns) + 1 - tick)
        shift = 0.0 if len(both) == 1 else -away * r * 0.3
        start = place.columns[t - 1 - away] + away * (r + gap)
        end = place.columns[t - 1] - away * (r + gap - 1)
        shapes += arrow(
            (start, y + shift), (start + (end - start) * share, y + shift), view.theme.ink,
            width=width if len(both) == 1 else min(width, 2.0),
        )  # fmt: skip
    return tuple(shapes)


def touched(trace: Trace, tick: int, place: Layout) -> tuple[Box, ...]:
    """Return what a side's tick touches: a node above for each direction, the whole grid below."""
    if tick > trace.last_tick:
        return ()
    stage = trace.stage_at[tick].name
    if stage == "embed":
        return (place.words_box,)
    if trace.facts.kind == "chain":
        if stage.startswith("read."):
            last = len(trace.tokens) + 1
            read = [tick if d == FORWARD else last - tick for d in directions(trace)]
            return tuple(_node_box(min(t, len(place.columns)), place) for t in read)
        return (around(place.context if stage == "look_back" else place.chain_answer, 7),)
    kind = stage.rpartition(".")[2]
    if kind == "project":
        return (around(place.concat, 6),)
    if kind == "rest":
        x, y, width, height = place.rest
        return (around((x, y - 5, width + 5, height + 5), 6),)
    return (around(place.grid_answer, 6),) if stage == "answer" else (place.grid_box,)


def _node_box(t: int, place: Layout) -> Box:
    """Return the box of the marker round state t, with its column of the strip."""
    x, y, width, height = state_box(t, place)
    if place.detail == "low" and place.strip is not None:
        x, width = x + width / 2 - place.pitch / 2, place.pitch
        y, height = place.strip[1], y + height - place.strip[1]
    return around((x, y, width, height), 8 if place.detail == "full" else 5)


def markers(pair: Pair, now: int, phase: float, place: Layout, view: View) -> list[Shape]:
    """Return the markers of both sides, on their way from what this tick touches to the next."""
    share = ease(phase, 0.0, 0.20)
    shapes: list[Shape] = []
    for trace in (pair.chain, pair.grid):
        here = touched(trace, now, place)
        there = touched(trace, now + 1, place) if share > 0 else here
        if not there:
            if share < 1:
                for box in here:
                    shapes += marker(box, view.theme, opacity=1 - share)
            continue
        if now == 0 and share == 0 and trace is pair.grid:
            continue  # both sides embed the same words: one frame
        if not here:
            continue
        for i in range(max(len(here), len(there))):  # two meet in one, or one parts into two
            start, end = here[min(i, len(here) - 1)], there[min(i, len(there) - 1)]
            if share < 1 or i < len(there):
                shapes += marker(between(start, end, share), view.theme)
    return shapes


def covers(pair: Pair, tick: int, place: Layout, view: View) -> list[Shape]:
    """Return what hides what each side computed last, so that a class can say what stands there.

    What has been revealed stays so: the answer of a side that waits, too.
    """
    theme = view.theme
    boxes: list[Box] = []
    for trace in (pair.chain, pair.grid):
        newest = min(tick, trace.last_tick)
        if newest <= view.revealed:
            continue
        boxes += [around(box, -3) for box in touched(trace, newest, place)]
        stage = trace.stage_at[newest].name
        if stage == "look_back":  # the weights stand under the states, and lines lead from them
            ceiling = place.context[1] - 8
            floor = place.strip[1] - 20 if place.strip else place.node_y - place.node_r - 3
            boxes.append((place.left - 8, ceiling, place.context[0] - place.left,
                          floor - ceiling))  # fmt: skip
            y = place.strip[1] - 20 if place.strip else place.node_y + place.node_r + 6
            boxes.append((place.left - 8, y, place.right - place.left + 16, 20))
        if stage == f"read.{len(trace.tokens)}":  # the last state stands in the neck as well
            boxes.append(around(place.neck, 3))
        if stage.endswith(".softmax"):  # what the heads look at stands beside them
            top = place.heads[0] - 16
            boxes.append((place.notes - 6, top, place.edge - place.notes + 10,
                          place.heads[-1] + 26 - top))  # fmt: skip
    shapes: list[Shape] = []
    for x, y, width, height in boxes:
        size = min(34.0, height * 0.7)
        shapes += [
            Rect(x=x, y=y, width=width, height=height, radius=min(10.0, height / 3),
                 fill=theme.panel, stroke=theme.ink2, stroke_width=1.4, dash=(5.0, 4.0),
                 name="reveal", title=view.captions("rt.reveal")),
            Text(x=x + width / 2, y=y + height / 2 + size * 0.36, text="?", size=size, weight=700,
                 family="display", fill=theme.ink2, anchor="middle"),
        ]  # fmt: skip
    return shapes


def dimmed(pair: Pair, place: Layout, view: View) -> list[Shape]:
    """Return what lies over the heads and words that are not pinned."""
    veil = view.theme.stage
    boxes: list[Box] = []
    if view.pinned_head is not None:
        half = (place.heads[-1] - place.heads[0]) / max(len(place.heads) - 1, 1) / 2
        for h, y in enumerate(place.heads):
            if h == view.pinned_head:
                continue
            boxes.append((place.notes - 4, y - 17, place.edge - place.notes + 8, 37))
            if place.maps:
                boxes.append(around(place.maps[h], 12))
            else:
                over = max(y - half, place.positions[1] + 18)  # below what heads the numbers
                boxes.append((220, over, place.end - 210, y + half - over))
    if view.pinned_word is not None:
        top = min(place.node_y - place.node_r, place.strip[1] if place.strip else math.inf) - 4
        for i, cx in enumerate(place.columns):
            if i != view.pinned_word:
                boxes.append((cx - place.pitch / 2, top, place.pitch, place.words[1] + 2 - top))
    return [
        Rect(x=x, y=y, width=width, height=height, fill=veil, opacity=0.78)
        for x, y, width, height in boxes
    ]


def lit(pair: Pair, tick: int, place: Layout, view: View) -> list[Shape]:
    """Return what marks the selected element, and rings round what it, or the hovered one, reads.

    While a word is dragged: rings round it, and round the one whose place it would take.
    """
    shapes: list[Shape] = []
    if view.dragged is not None and view.dragged < len(place.columns):
        shapes.append(
            _ring(around(box_of_word(pair, view.dragged, place), 3), view, dash=(5.0, 3.0))
        )
        target = place_of(pair, view.hovered, place) if view.hovered.startswith("ask:") else None
        if target is not None and view.hovered != f"ask:{view.dragged}":
            shapes.append(_ring(around(target, 4), view, dash=()))
        return shapes
    for box in read_boxes(pair, view.hovered or view.selected, place):
        shapes.append(_ring(around(box, 3), view, dash=(5.0, 3.0)))
    if view.selected:
        chosen = place_of(pair, view.selected, place)
        if is_counter(view.selected):
            calm = view._replace(hovered="", selected="")
            shapes += counter_mark(pair, place, calm, view.selected)
        elif chosen is not None:
            inner = cell_box(pair, view.selected, place, view) or chosen
            shapes.append(_ring(around(inner, 4), view, dash=()))
            if inner in place.maps:  # whose number stays over the ring
                x, y, width, _ = inner
                shapes += badge(place.maps.index(inner), x + width, y, view)
    return shapes


def _ring(box: Box, view: View, *, dash: tuple[float, ...]) -> Shape:
    x, y, width, height = box
    return Rect(
        x=x, y=y, width=width, height=height, radius=min(10.0, width / 2, height / 2),
        stroke=view.theme.ink, stroke_width=2, dash=dash,
    )  # fmt: skip


def eye(pair: Pair, place: Layout, view: View) -> list[Shape]:
    """Return the small eye over the word under the pointer: a click hides that word instead."""
    kind, _, number = view.hovered.partition(":")
    if kind not in ("ask", "hide") or not number.isdigit() or view.dragged is not None:
        return []
    i = int(number)
    if i >= len(place.columns) or i == pair.grid.hidden or place.detail == "map":
        return []
    x, y, width, _ = word_box(i, place)
    cx, cy = (x + width - 4, y - 1) if place.detail == "full" else (x + width / 2, y - 9)
    theme = view.theme
    lid: tuple[Command, ...] = (
        ("M", cx - 6, cy), ("Q", cx, cy - 7, cx + 6, cy), ("Q", cx, cy + 7, cx - 6, cy), ("Z",),
    )  # fmt: skip
    title = view.captions("rt.hide_title", word=pair.typed[i])
    return [
        Ellipse(cx=cx, cy=cy, rx=10, ry=10, fill=theme.stage, stroke=theme.ink, stroke_width=1.4,
                name=f"hide:{i}", title=title),
        Path(commands=lid, stroke=theme.ink, stroke_width=1.4),
        Ellipse(cx=cx, cy=cy, rx=2, ry=2, fill=theme.ink),
    ]  # fmt: skip

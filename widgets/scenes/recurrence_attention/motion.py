"""What moves between two ticks, and what lights up under the pointer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.trace import Pair, Trace
from widgets.glyphs import Box, arrow, between, ease, marker
from widgets.picture import Command, Ellipse, Path, Rect, Shape
from widgets.scenes.recurrence_attention.layout import (
    Layout,
    around,
    place_of,
    read_boxes,
    state_box,
    word_box,
)

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
    i, r, y = tick - 1, place.node_r, place.node_y
    gap = 4 if place.detail == "full" else 2
    start = place.columns[i - 1] + r + gap
    end = place.columns[i] - r - gap + 1
    return arrow(
        (start, y), (start + (end - start) * share, y), view.theme.ink,
        width=3.0 if place.detail == "full" else 2.0 if place.detail == "middle" else 1.5,
    )  # fmt: skip


def touched(trace: Trace, tick: int, place: Layout) -> Box | None:
    """Return the box that a side's tick touches: one node above, the whole grid below."""
    if tick > trace.last_tick:
        return None
    stage = trace.stage_at[tick].name
    if stage == "embed":
        return place.words_box
    if trace.facts.kind == "chain":
        if stage.startswith("read."):
            x, y, width, height = state_box(int(stage.removeprefix("read.")), place)
            if place.detail == "low" and place.strip is not None:  # with its column of the strip
                x, width = x + width / 2 - place.pitch / 2, place.pitch
                y, height = place.strip[1], y + height - place.strip[1]
            return around((x, y, width, height), 8 if place.detail == "full" else 5)
        return around(place.context if stage == "look_back" else place.chain_answer, 7)
    kind = stage.rpartition(".")[2]
    if kind == "project":
        return around(place.concat, 6)
    if kind == "rest":
        x, y, width, height = place.rest
        return around((x, y - 5, width + 5, height + 5), 6)
    return around(place.grid_answer, 6) if stage == "answer" else place.grid_box


def markers(pair: Pair, now: int, phase: float, place: Layout, view: View) -> list[Shape]:
    """Return one marker a side, on its way from what this tick touches to what the next does."""
    share = ease(phase, 0.0, 0.20)
    shapes: list[Shape] = []
    for trace in (pair.chain, pair.grid):
        here = touched(trace, now, place)
        there = touched(trace, now + 1, place) if share > 0 else here
        if here is None:
            continue
        if there is None:
            if share < 1:
                shapes += marker(here, view.theme, opacity=1 - share)
            continue
        if now == 0 and share == 0 and trace is pair.grid:
            continue  # both sides embed the same words: one frame
        shapes += marker(between(here, there, share), view.theme)
    return shapes


def lit(pair: Pair, tick: int, place: Layout, view: View) -> list[Shape]:
    """Return rings round what is selected, and round what the hovered element reads."""
    shapes: list[Shape] = []
    for box in read_boxes(pair, view.hovered, place):
        shapes.append(_ring(around(box, 3), view, dash=(5.0, 3.0)))
    if view.selected:
        chosen = place_of(pair, view.selected, place)
        if chosen is not None:
            shapes.append(_ring(around(chosen, 4), view, dash=()))
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
    if kind not in ("ask", "hide") or not number.isdigit():
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

"""The hidden states of the chain, one after another, and the numbers under them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from engine.trace import Pair, Trace
from widgets import equation
from widgets.geometry import text_width
from widgets.glyphs import CELLS, arrow, heat, pooled
from widgets.numbers import percents
from widgets.picture import Cells, Ellipse, Group, Rect, Shape, Text
from widgets.remember import remembered
from widgets.scenes.recurrence_attention.layout import CLASSIC, MAP_TOKENS, Layout

if TYPE_CHECKING:
    from widgets.glyphs import Numbers
    from widgets.view import View

FORWARD, BACK = "rnn.h", "rnn.back.h"


def directions(trace: Trace) -> tuple[str, ...]:
    """Return what the names of the states begin with, one for each direction of reading."""
    return (FORWARD, BACK) if trace.facts.bidirectional else (FORWARD,)


def is_read(trace: Trace, direction: str, t: int, tick: int) -> bool:
    """Return whether a direction has come to token t, from 1, at a tick."""
    tokens = len(trace.tokens)
    return tick >= (t if direction == FORWARD else tokens + 1 - t)


def state_title(pair: Pair, direction: str, t: int, view: View) -> str:
    """Return what a state is called for people."""
    key = "rt.state_title" if direction == FORWARD else "rt.back_title"
    title = view.captions(key, index=t, word=pair.tokens[t - 1])
    return pooled_title(title, pair.chain.facts.width, view)


def states(pair: Pair, tick: int, place: Layout, view: View) -> list[Shape]:
    """Return the hidden states: read t has happened once the tick has come to t.

    A chain of both directions has two in each node, the one from the left above.
    """
    weights = _weights(pair, tick, view)
    shapes: list[Shape] = []
    if place.detail == "map":
        shapes += _outline(pair, place, view)
    else:
        for t in range(1, len(place.columns) + 1):
            shapes += _node(pair, t, tick, place, view)
    if weights and place.detail == "middle" and not view.classic:
        shapes.append(
            Text(
                x=place.left - 6, y=place.node_y + place.node_r + 22, size=16, weight=500,
                text=view.captions("rt.percent_sign"), fill=view.theme.ink2, anchor="end",
            )
        )  # fmt: skip
    for i in sorted(_labelled(weights, place)):
        shapes += _weight(pair, i, weights[i], max(weights), place, view)
    return shapes


def _node(pair: Pair, t: int, tick: int, place: Layout, view: View) -> list[Shape]:
    """Return the node of token t with its states, and the arrows that lead to it."""
    theme, trace = view.theme, pair.chain
    y, r, cx = place.node_y, place.node_r, place.columns[t - 1]
    full, low = place.detail == "full", place.detail == "low"
    both = directions(trace)
    read = {d: is_read(trace, d, t, tick) for d in both}
    known = any(read.values())
    shapes: list[Shape] = []
    reach = place.words[0] - (3 if place.detail != "middle" or t % 2 else -21)
    if not low:
        shapes += arrow(
            (cx, reach), (cx, y + r + 4), theme.ink2 if known else theme.ghost,
            dash=() if known else (3.0, 3.0),
        )  # fmt: skip
    width = 3.0 if full else 2.0 if place.detail == "middle" else 1.5
    gap = 4 if full else 2
    for d in both:
        shift = 0.0 if len(both) == 1 else (-r if d == FORWARD else r) * 0.3
        before = t - 1 if d == FORWARD else t + 1
        if not 1 <= before <= len(place.columns):
            continue
        away = 1 if d == FORWARD else -1
        start = place.columns[before - 1] + away * (r + gap)
        end = cx - away * (r + gap - 1)
        colour = theme.ink if read[d] else theme.ghost
        shapes += arrow((start, y + shift), (end, y + shift), colour,
                        dash=() if read[d] else (4.0, 4.0),
                        width=width if len(both) == 1 else min(width, 2.0))  # fmt: skip
    name = next((f"chain:{d}.{t}" for d in both if read[d]), "")
    title = next((state_title(pair, d, t, view) for d in both if read[d]), "")
    shapes.append(
        Ellipse(
            cx=cx, cy=y, rx=r, ry=r, fill=theme.panel if known else theme.stage,
            stroke=theme.ink if known else theme.ghost,
            stroke_width=(1.6 if low else 2.2) if known else 1.4,
            dash=() if known else (2.0, 2.0) if low else (4.0, 4.0), name=name, title=title,
        )
    )  # fmt: skip
    if full:
        shapes += equation.shapes(
            f"h_{{{t}}}", x=cx, y=y - 8, size=18, weight=600, anchor="middle",
            fill=theme.ink if known else theme.ink3,
        )  # fmt: skip
    for lane, d in enumerate(both):
        if read[d]:
            shapes += _state(pair, d, t, lane, place, view)
    if low and place.strip is not None and not all(read.values()):
        _, top, _, height = place.strip
        half, part = place.pitch / 2 - 1, height / len(both)
        shapes += [
            Rect(x=cx - half, y=top + lane * part, width=2 * half, height=part, radius=2,
                 stroke=theme.ghost, dash=(3.0, 3.0))
            for lane, d in enumerate(both) if not read[d]
        ]  # fmt: skip
    return shapes


def _state(pair: Pair, direction: str, t: int, lane: int, place: Layout, view: View) -> list[Shape]:
    """Return the numbers of one state, within its node or as its column of the strip."""
    theme, trace = view.theme, pair.chain
    cx, y, r = place.columns[t - 1], place.node_y, place.node_r
    lanes = len(directions(trace))
    state = trace.value(f"{direction}.{t}")
    name, title = f"chain:{direction}.{t}", state_title(pair, direction, t, view)
    if place.detail == "full":
        height = 14 / lanes
        box = (cx - 28, y + 2 + lane * (height + 2), 56.0, height)
        return [*heat(state, box, theme, rows=2 if lanes == 1 else 1, name=name, title=title)]
    if place.detail == "middle":
        side = r * 1.3
        box = (cx - side / 2, y - side / 2 + lane * side / lanes, side, side / lanes)
        return [*heat(state, box, theme, rows=4 // lanes, name=name, title=title)]
    assert place.strip is not None
    shapes: list[Shape] = []
    if lane == 0:
        mean = float(sum(state) / len(state))
        shapes.append(
            Ellipse(cx=cx, cy=y, rx=r, ry=r, fill=theme.signed_map(mean), stroke=theme.ink,
                    stroke_width=1.4, name=name, title=title)
        )  # fmt: skip
    return [*shapes, _column(state, cx, lane, lanes, place, view, name=name, title=title)]


def _column(
    state: Numbers, cx: float, lane: int, lanes: int, place: Layout, view: View, *, name: str,
    title: str,
) -> Shape:  # fmt: skip
    """Return one state as a column of the strip, its first number at the top."""
    assert place.strip is not None
    _, top, _, height = place.strip
    shown = pooled(state, CELLS)
    half, part = place.pitch / 2 - 1, height / lanes
    index = tuple((str(i),) for i in range(len(state))) if len(shown) == len(state) else ()
    return Cells(
        x=cx - half, y=top + lane * part, width=2 * half, height=part, name=name, title=title,
        index=index, colours=tuple((view.theme.signed_map(v),) for v in shown),
    )  # fmt: skip


def _outline(pair: Pair, place: Layout, view: View) -> list[Shape]:
    """Return the frame of the strip that fills as the chain reads."""
    assert place.strip is not None
    theme, (x, top, width, height) = view.theme, place.strip
    shapes: list[Shape] = [
        Rect(x=x - 1.5, y=top - 1.5, width=width + 3, height=height + 3, radius=2.5,
             stroke=theme.ghost, dash=(4.0, 4.0))
    ]  # fmt: skip
    every = -(-len(place.columns) // MAP_TOKENS)
    if every > 1:
        text = view.captions("rt.every_state", count=every)
        shapes.append(
            Text(x=place.left, y=top + height + 18, text=text, size=14, weight=500,
                 fill=theme.ink3)
        )  # fmt: skip
    return shapes


def strips(pair: Pair, tick: int, place: Layout, view: View) -> list[Group]:
    """Return the states of the map detail as far as the chain has read, a strip a direction."""
    assert place.strip is not None
    x, y, width, height = place.strip
    both = directions(pair.chain)
    part = height / len(both)
    drawn, more = len(place.columns), len(pair.tokens) - len(place.columns)
    groups = []
    for lane, d in enumerate(both):
        read = min(tick, drawn) if d == FORWARD else min(max(tick - more, 0), drawn)
        wide = read * place.pitch
        left = x if d == FORWARD else x + width - wide
        whole = _strip(pair, d, lane, place, view)
        clip = (left, y + lane * part, wide, part)
        groups.append(Group(shapes=whole.shapes, clip=clip, slot=whole.slot,
                            cache_key=whole.cache_key))  # fmt: skip
    return groups


@remembered(8)
def _strip(pair: Pair, direction: str, lane: int, place: Layout, view: View) -> Group:
    """Return the states of all words in one direction as a map of columns.

    Of more than ``MAP_TOKENS`` states every so manyth is shown, which the axis says.
    """
    assert place.strip is not None
    trace = pair.chain
    _, y, _, height = place.strip
    part = height / len(directions(trace))
    count = len(place.columns)
    run = -(-count // MAP_TOKENS)
    shapes: list[Shape] = []
    for first in range(0, count, run):
        t = min(first + run, count)
        numbers = pooled(trace.value(f"{direction}.{t}"), CELLS)
        shapes.append(
            Cells(
                # A hair wider, so that rounding leaves no gap between two columns.
                x=place.columns[first] - place.pitch / 2, y=y + lane * part,
                width=place.pitch * (t - first) + 0.02, height=part,
                colours=tuple((view.theme.signed_map(v),) for v in numbers),
                name=f"chain:{direction}.{t}", title=state_title(pair, direction, t, view),
            )
        )  # fmt: skip
    key = ("strip", direction, pair.key, place, view)
    return Group(shapes=tuple(shapes), slot=f"strip {lane}", cache_key=key)


def _weights(pair: Pair, tick: int, view: View) -> tuple[int, ...]:
    """Return the numbers under the nodes: per cents that the last state gives, or none.

    Where an earlier state is asked, its per cents; states that it cannot know come not at all.
    """
    trace = pair.chain
    if view.classic:
        return CLASSIC if len(pair.tokens) == len(CLASSIC) else ()
    asked = next((spread for spread in view.spreads if spread.about == "asked"), None)
    if asked is not None:
        return percents(asked.values)
    if not trace.facts.attention or tick < trace.ticks["look_back"]:
        return ()
    return percents(trace.value("attn.pattern"))


def pooled_title(title: str, numbers: int, view: View) -> str:
    """Return a title that says when a strip of cells stands for more numbers."""
    if numbers <= CELLS:
        return title
    return view.captions("rt.pooled", title=title, numbers=numbers, cells=CELLS)


def _labelled(weights: Sequence[int], place: Layout) -> set[int]:
    """Return the words whose number is written: all, or the largest that find room."""
    if place.strip is None:
        return set(range(len(weights)))
    chosen: set[int] = set()
    drawn = range(min(len(weights), len(place.columns)))
    for i in sorted(drawn, key=lambda i: -weights[i]):
        near = any(abs(place.columns[i] - place.columns[other]) < 52 for other in chosen)
        if weights[i] >= 2 and not near:
            chosen.add(i)
    return chosen


def _weight(
    pair: Pair, i: int, weight: int, strongest: int, place: Layout, view: View
) -> list[Shape]:
    """Return the number under a node: a per cent, or a number of the classic picture."""
    theme, cx = view.theme, place.columns[i]
    # In the middle detail there is no room for a sign at each: one stands beside the row.
    bare = view.classic or place.detail == "middle"
    text = str(weight) if bare else view.captions("rt.percent", value=weight)
    best = weight == strongest
    name = "" if view.classic else f"chain:attn.pattern[{i}]"
    title = (
        view.captions("rt.classic_title")
        if view.classic
        else view.captions("rt.weight_title", index=i + 1, word=pair.tokens[i], value=weight)
    )
    colour = theme.ink if best or weight >= 10 else theme.ink2
    heavy: Literal[500, 700] = 700 if best else 500
    x, y = cx + (8 if place.detail == "full" else 4), place.node_y + place.node_r + 22
    anchor: Literal["start", "middle"] = "start"
    if place.strip is not None:
        half = text_width(text, place.read, heavy) / 2  # the switches begin where the words end
        x = min(max(cx, place.left + half), place.right - half)
        y, anchor = place.strip[1] - 5, "middle"
    return [
        Text(
            x=x, y=y, text=text, weight=heavy, fill=colour,
            size=max(19, place.read) if best and place.detail == "full" else place.read,
            anchor=anchor, name=name, title=title, read_by_class=True,
        )
    ]  # fmt: skip

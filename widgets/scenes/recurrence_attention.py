"""From RNN to Transformer: a chain above, a grid below, one row of words that feeds both.

What stands at tick n is what both runs had computed by their stage n; between two ticks the next
state appears over the last. Nothing is drawn that the traces do not hold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from engine.trace import Pair, Trace
from widgets import equation
from widgets.geometry import text_width
from widgets.glyphs import (
    Box,
    arc,
    arrow,
    between,
    ease,
    heat,
    link_opacity,
    link_width,
    marker,
    pill,
    pooled,
    shortened,
    toggle,
    wrapped,
)
from widgets.numbers import count, percents, seconds
from widgets.picture import Cells, Command, Ellipse, Group, Path, Picture, Rect, Shape, Text
from widgets.theme import mix

if TYPE_CHECKING:
    from widgets.view import View

SMALLEST = (1188.0, 728.0)  # the box that the layout was made for; it grows, never shrinks
CLASSIC = (2, 5, 11, 4, 2)  # the numbers of the textbook picture; nobody computed them
GRID_KINDS = ("qkv", "scores", "softmax", "weighted_sum", "project", "rest")
QKV, SCORES, SOFTMAX, WEIGHTED_SUM, PROJECT, REST = range(1, 7)


# ------------------------------------------------------------------ where things stand


@dataclass(frozen=True)
class Layout:
    """Where everything stands in a box: a function of its size, the words and the heads only."""

    width: float
    height: float
    detail: Literal["full", "middle", "low"]  # by px a word: circles, small circles, beads
    left: float  # of the words' columns
    right: float
    pitch: float
    columns: tuple[float, ...]  # middle of each word's column
    node_y: float
    node_r: float
    strip: Box | None  # low detail: the states of all words as one map of columns
    words: tuple[float, float]  # top and bottom of the row of words
    word_width: float
    positions: tuple[float, float]
    heads: tuple[float, ...]  # y of each head's row
    grid_r: float
    bend: float  # highest arc
    concat: Box
    rest: Box
    chain_answer: Box
    grid_answer: Box
    context: Box
    neck: Box  # the strip within the neck
    foot: float  # y of the line above the foot

    @property
    def notes(self) -> float:
        """Return the left edge of the notes at the right of the words."""
        return self.right + 18

    @property
    def edge(self) -> float:
        """Return the right edge of all content."""
        return self.width - 28

    @property
    def grid_box(self) -> Box:
        """Return the box round all nodes of the grid."""
        top, bottom = self.heads[0] - 24, self.heads[-1] + 23
        return (self.left - 6, top, self.right - self.left + 12, bottom - top)

    @property
    def words_box(self) -> Box:
        """Return the box round the words and their positions."""
        top, bottom = self.words[0], self.positions[1]
        return (self.left - 8, top - 8, self.right - self.left + 16, bottom - top + 16)


@lru_cache(maxsize=64)
def layout(tokens: int, heads: int, width: float, height: float) -> Layout:
    """Return the layout for so many words and heads in a box of at least SMALLEST."""
    spare = height - SMALLEST[1]
    top = 0.3 * spare  # everything above the grid moves down by this
    left, right = 256.0, width - 372
    pitch = (right - left) / tokens
    detail: Literal["full", "middle", "low"]
    detail = "full" if pitch >= 90 else "middle" if pitch >= 40 else "low"
    word_width = min(118.0, pitch - 22) if detail == "full" else pitch - 6
    if detail == "full" and tokens > 1:
        step = (right - left - word_width) / (tokens - 1)
        columns = tuple(left + word_width / 2 + i * step for i in range(tokens))
        if tokens < 5:  # keep few words near each other: the chain is read as a chain
            step = min(step, 160.0)
            start = (left + right) / 2 - step * (tokens - 1) / 2
            columns = tuple(start + i * step for i in range(tokens))
    else:
        step = pitch
        columns = tuple(left + pitch * (i + 0.5) for i in range(tokens))
    node_y, node_r, words, strip = {
        "full": (168.0, 35.0, (240.0, 270.0), None),
        "middle": (160.0, min(20.0, pitch * 0.42), (226.0, 271.0), None),
        "low": (189.0, min(6.5, pitch * 0.32), (202.0, 272.0), (left, 112.0, right - left, 64.0)),
    }[detail]
    if strip is not None:
        strip = (strip[0], strip[1] + top, strip[2], strip[3])
    first, last = 335.0 + top, 505.0 + 0.9 * spare
    rows = tuple(
        first + (last - first) * (h / (heads - 1) if heads > 1 else 0.5) for h in range(heads)
    )
    row_pitch = (last - first) / max(heads - 1, 1)
    foot = height - 97
    neck_y = node_y + top
    answer_y = 546 + 0.9 * spare
    return Layout(
        width=width, height=height, detail=detail, left=left, right=right, pitch=step,
        columns=columns, node_y=node_y + top, node_r=node_r, strip=strip,
        words=(words[0] + top, words[1] + top), word_width=word_width,
        positions=(275 + top, 301 + top), heads=rows,
        grid_r={"full": 9.5, "middle": 8.0, "low": min(5.0, pitch * 0.26)}[detail],
        bend=min(24.0, row_pitch * 0.5),
        concat=(left, 555 + 0.9 * spare, right - left, 30),
        rest=(width - 358, answer_y + 3, 146, 52),
        chain_answer=(width - 192, neck_y - 41, 164, 82),
        grid_answer=(width - 192, answer_y - 8, 164, 82),
        context=(right + 37, 85 + top, 96, 14), neck=(right + 37, neck_y - 7, 96, 14),
        foot=foot,
    )  # fmt: skip


@dataclass(frozen=True)
class GridState:
    """Which block of the grid is on the stage, and how far it has come (0: not begun)."""

    block: int
    phase: int
    running: bool


def grid_state(trace: Trace, tick: int, layer: int | None) -> GridState:
    """Return what the grid shows at a tick: the running block, or the chosen one when all are."""
    if tick >= trace.last_tick:
        chosen = trace.facts.layers - 1 if layer is None else layer
        return GridState(min(chosen, trace.facts.layers - 1), REST, False)
    _, _, rest = trace.stage_at[tick].name.partition("blocks.")
    if not rest:
        return GridState(0, 0, False)
    block, _, kind = rest.partition(".")
    return GridState(int(block), GRID_KINDS.index(kind) + 1, True)


# ------------------------------------------------------------------ the scene


def recurrence_attention(pair: Pair, tick: float, view: View) -> Picture:
    """Return chapter 1 at a tick (a float: its fraction is the way to the next tick).

    Parameters
    ----------
    pair
        The two runs over the same words.
    tick
        0 … ``pair.last_tick``; what lies outside is moved to the nearer end.
    view
        Box (at least ``SMALLEST``), theme, captions and what is chosen.
    """
    tick = min(max(tick, 0.0), float(pair.last_tick))
    now = math.floor(tick)
    phase = tick - now
    place = layout(
        len(pair.tokens), max(pair.grid.facts.heads, 1), max(view.width, SMALLEST[0]),
        max(view.height, SMALLEST[1]),
    )  # fmt: skip
    calm = replace(view, hovered="", selected="")
    shapes: list[Shape] = [_frame(pair, place, calm)]
    states = [now] if phase == 0 else [now, now + 1]
    seen = ease(phase, 0.40, 0.80)
    for state in states:
        fade = 1.0 if state == now else seen
        chain_tick = min(state, pair.chain.last_tick)
        if state == now or state <= pair.chain.last_tick:
            shapes.append(
                _faded(_chain(pair, chain_tick, place, calm), f"chain {chain_tick % 2}", fade)
            )
    if phase > 0:
        shapes += _growing_arrow(pair, now + 1, phase, place, view)
    for state in states:
        grid_tick = min(state, pair.grid.last_tick)
        if state == now or state <= pair.grid.last_tick:
            fade = 1.0 if state == now else seen
            leaving = state == now and phase > 0 and now < pair.grid.last_tick
            shapes.append(
                _faded(
                    _links(pair, grid_tick, place, calm),
                    f"links {grid_tick % 2}",
                    1 - seen if leaving else fade,
                )
            )
            shapes.append(
                _faded(_grid(pair, grid_tick, place, calm), f"grid {grid_tick % 2}", fade)
            )
    shapes += _lit(pair, now, place, view)
    shapes += _markers(pair, now, phase, place, view)
    shown = now + 1 if phase >= 0.2 else now
    shapes += pill(place.edge, 24, view.captions("scene.tick", tick=shown), view.theme)
    if view.controls:
        shapes += _eye(pair, place, view)
    return Picture(
        width=place.width,
        height=place.height,
        background=view.theme.stage,
        shapes=tuple(shapes),
        title=view.captions("rt.title"),
        description=view.captions(
            "rt.description", words=" ".join(pair.tokens), tick=shown, last=pair.last_tick
        ),
    )


def _faded(group: Group, slot: str, opacity: float) -> Group:
    return replace(group, slot=slot, opacity=opacity)


# ------------------------------------------------------------------ title, left column, foot


@lru_cache(maxsize=16)
def _frame(pair: Pair, place: Layout, view: View) -> Group:
    """Return what does not change with the tick."""
    theme, say = view.theme, view.captions
    title = say("rt.title")
    shapes: list[Shape] = [
        Text(
            x=28, y=46, text=title, size=27, weight=600, family="display", fill=theme.ink,
            read_by_class=True,
        ),
        Text(
            x=28 + text_width(title, 27, 600, "display") + 22, y=46, text=say("rt.subtitle"),
            size=16, fill=theme.ink2,
        ),
        *_fairness(pair, "chain", place.context[1] + 67, view),
        *_fairness(pair, "grid", place.heads[0] + 17, view),
        *_foot(pair, place, view),
    ]  # fmt: skip
    if view.controls:
        shapes += _switches(pair, place, view)
    top = place.positions[1]
    shapes += [
        Text(
            x=234, y=top + 14, text=say("rt.heads"), size=14, weight=500, fill=theme.ink3,
            anchor="middle",
        ),
        Text(x=place.notes, y=place.words[1] - 4, text=say("rt.tokens"), size=14, weight=500,
             fill=theme.ink3),
        Text(x=place.notes, y=place.positions[1] - 8, text=say("rt.position"), size=14,
             weight=500, fill=theme.pos_text),
        Ellipse(cx=place.notes + 92, cy=top - 13, rx=8, ry=8, fill=theme.ink2),
        Text(x=place.notes + 92, y=top - 8, text="?", size=14, weight=700, fill=theme.stage,
             anchor="middle"),
        Text(x=place.notes + 106, y=top - 8, text=say("rt.asks"), size=14, weight=500,
             fill=theme.ink3),
        Ellipse(cx=place.notes + 156, cy=top - 13, rx=7, ry=7, fill=theme.stage,
                stroke=theme.ink2, stroke_width=2),
        Ellipse(cx=place.notes + 156, cy=top - 13, rx=2.8, ry=2.8, fill=theme.ink2),
        Text(x=place.notes + 169, y=top - 8, text=say("rt.looked_at"), size=14, weight=500,
             fill=theme.ink3),
        Text(x=place.edge, y=top + 12, text=say("rt.held_out"), size=14, weight=500,
             fill=theme.ink3, anchor="end"),
    ]  # fmt: skip
    return Group(shapes=tuple(shapes), slot="frame", cache_key=(pair, place, view))


def _fairness(pair: Pair, side: str, y: float, view: View) -> list[Shape]:
    """Return a side's name, its depth, and what has to be said so that the two can be compared."""
    theme, say, trace = view.theme, view.captions, pair.side(side)
    facts = trace.facts
    name = say(f"rt.{facts.cell or 'transformer'}")
    depth = str(trace.depth)
    deep = say("rt.depth_title", depth=depth)
    states = f"{len(trace.tokens)} × {facts.width}"
    beside = 26 + text_width(depth, 46, 700, "display") + 12
    shapes: list[Shape] = [
        Text(x=28, y=y, text=name, size=23, weight=600, family="display", fill=theme.ink,
             read_by_class=True),
        Text(x=28, y=y + 22, text=say(f"rt.{side}.order"), size=17, weight=600, fill=theme.ink2,
             read_by_class=True),
        Text(x=26, y=y + 72, text=depth, size=46, weight=700, family="display", fill=theme.ink,
             read_by_class=True, name=f"{side}:answer.word", title=deep),
        Text(x=beside, y=y + 52, text=say("rt.depth"), size=15, weight=500, fill=theme.ink2),
        *equation.shapes(_growth(pair, side, view), x=beside, y=y + 72, size=16, fill=theme.ink),
    ]  # fmt: skip
    line = y + 95
    for text in (
        *wrapped(say("rt.sees", what=facts.sees), 196, 14),
        say("rt.parameters", count=count(facts.parameters)),
        say("rt.memory", what=facts.memory),
        *([say("rt.memory_states", count=states)] if facts.attention else []),
    ):
        shapes.append(Text(x=28, y=line, text=text, size=14, fill=theme.ink2))
        line += 17
    return shapes


def growth(pair: Pair, side: str) -> tuple[int, int] | None:
    """Return (slope, constant) of a side's depth in the number of words; None if it is no line.

    Read off the depths that were found from the graph at several lengths.
    """
    column = 1 if side == "chain" else 2
    points = [(row[0], row[column]) for row in pair.depth_of_tokens if row[0] > 1]
    if len(points) < 2:
        return None
    (t0, d0), (t1, d1) = points[0], points[-1]
    slope = (d1 - d0) // (t1 - t0)
    constant = d0 - slope * t0
    return (slope, constant) if all(d == slope * t + constant for t, d in points) else None


def _growth(pair: Pair, side: str, view: View) -> str:
    """Return in the mark-up of equations how the depth of a side grows with the words."""
    line = growth(pair, side)
    if line is None:
        return ""
    slope, constant = line
    if slope == 0:
        return view.captions("rt.any_t")
    times = "T" if slope == 1 else f"{slope}\u2009T"
    if constant == 0:
        return times
    return f"{times} {'+' if constant > 0 else '−'} {abs(constant)}"


def _switches(pair: Pair, place: Layout, view: View) -> list[Shape]:
    """Return what can be switched on the stage; a figure has none of it."""
    theme, say = view.theme, view.captions
    top = place.context[1] - 85
    attention = pair.chain.facts.attention
    rows: list[tuple[float, bool, str, str, str]] = [
        (83 + top, attention, "attention", say("rt.attention_switch"), view.attention_switch),
        (106 + top, view.classic, "classic", say("rt.classic_switch"), ""),
        (place.concat[1] + 6, view.all_arcs, "arcs", say("rt.arcs_switch"), ""),
    ]
    shapes: list[Shape] = []
    for y, on, name, text, reason in rows:
        colour = theme.ink3 if reason else theme.ink2
        state = say("rt.on" if on else "rt.off")
        shapes += toggle(28, y, on, theme, name=f"toggle:{name}", title=reason or f"{text} {state}")
        shapes.append(Text(x=68, y=y + 14, text=text, size=14, weight=500, fill=colour))
        shapes.append(
            Text(
                x=68 + text_width(text + " ", 14, 500), y=y + 14, text=state, size=14, weight=700,
                fill=theme.ink3 if reason else theme.ink,
            )
        )  # fmt: skip
    layers = pair.grid.facts.layers
    if layers > 1:
        y = place.concat[1] - 26
        shapes.append(
            Text(x=28, y=y + 16, text=say("rt.block"), size=14, weight=500, fill=theme.ink2)
        )
        x = 28 + text_width(say("rt.block"), 14, 500) + 10
        chosen = layers - 1 if view.layer is None else min(view.layer, layers - 1)
        for layer in range(layers):
            on = layer == chosen
            shapes.append(
                Rect(
                    x=x, y=y, width=26, height=24, radius=7, fill=theme.ink if on else theme.stage,
                    stroke=None if on else theme.hair2, stroke_width=1.25, name=f"layer:{layer}",
                    title=say("rt.block_title", block=layer + 1),
                )
            )  # fmt: skip
            shapes.append(
                Text(
                    x=x + 13, y=y + 17, text=str(layer + 1), size=14, weight=600, anchor="middle",
                    fill=theme.onink if on else theme.ink2,
                )
            )  # fmt: skip
            x += 31
    return shapes


def _foot(pair: Pair, place: Layout, view: View) -> list[Shape]:
    """Return the strip at the foot: depth against T, work and time of both sides, the sources."""
    theme, say = view.theme, view.captions
    y = place.foot
    chain, grid = pair.chain, pair.grid
    names = (say(f"rt.{chain.facts.cell}"), say("rt.transformer"))
    shapes: list[Shape] = [
        Path(commands=(("M", 28, y), ("L", place.edge, y)), stroke=theme.hair, stroke_width=1),
        *equation.shapes(f"T = {len(pair.tokens)}", x=28, y=y + 44, size=21, fill=theme.ink,
                         weight=600),
        Text(x=28, y=y + 66, text=say("rt.words", count=len(pair.tokens)), size=14,
             fill=theme.ink2),
        *_depth_plot(pair, (180, y + 12, place.right - 320, 37), names, view),
        Text(x=place.edge - 118, y=y + 22, text=names[0], size=14, weight=500, fill=theme.ink2,
             anchor="end"),
        Text(x=place.edge, y=y + 22, text=names[1], size=14, weight=500, fill=theme.ink2,
             anchor="end"),
    ]  # fmt: skip
    rows = (
        (say("rt.flops"), count(chain.flops), count(grid.flops)),
        (say("rt.time"), seconds(chain.seconds), seconds(grid.seconds)),
    )
    for line, (label, *numbers) in enumerate(rows):
        base = y + 45 + 22 * line
        shapes.append(
            Text(x=place.notes + 12, y=base, text=label, size=14, weight=500, fill=theme.ink2)
        )
        for right, number in zip((place.edge - 118, place.edge), numbers, strict=True):
            shapes.append(
                Text(
                    x=right, y=base, text=number, size=17, weight=700, fill=theme.ink,
                    anchor="end", read_by_class=True,
                )
            )  # fmt: skip
    facts = grid.facts
    source = say(
        "rt.source", backend=facts.backend, device=facts.device, precision=facts.precision,
        threads=say("rt.threads", count=facts.threads),
    )  # fmt: skip
    if view.classic:
        source = say("rt.classic_source")
    shapes.append(
        Text(
            x=28, y=place.height - 9, size=14, weight=500, fill=theme.ink3,
            text=shortened(source, place.edge - 28, 14, 500),
        )
    )  # fmt: skip
    notes = dict.fromkeys((*chain.facts.notes, *grid.facts.notes))
    if notes:
        text = shortened(" · ".join(notes), place.edge - 28, 14, 500)
        shapes.append(Text(x=28, y=69, text=text, size=14, weight=500, fill=theme.ink2))
    return shapes


def _depth_plot(pair: Pair, box: Box, names: tuple[str, str], view: View) -> list[Shape]:
    """Return depth against the number of words for both sides, with the words of now marked."""
    theme, say = view.theme, view.captions
    x, y, width, height = box
    points = pair.depth_of_tokens
    if len(points) < 2:
        return []
    longest = points[-1][0]
    deepest = max(max(row[1:]) for row in points)

    def at(tokens: float, depth: float) -> tuple[float, float]:
        return x + width * tokens / longest, y + height * (1 - depth / deepest)

    shapes: list[Shape] = [
        Text(x=x - 14, y=y + 8, text=say("rt.depth"), size=14, weight=500, fill=theme.ink2,
             anchor="end"),
        Path(commands=(("M", x, y + height), ("L", x + width, y + height)), stroke=theme.hair2),
    ]  # fmt: skip
    now = len(pair.tokens)
    for side, column, name, colour, thick in (
        ("grid", 2, names[1], theme.ink3, 2.6), ("chain", 1, names[0], theme.ink, 2.6),
    ):  # fmt: skip
        line = [at(row[0], row[column]) for row in points]
        commands: list[Command] = [("M", *line[0]), *(("L", *p) for p in line[1:])]
        shapes.append(Path(commands=tuple(commands), stroke=colour, stroke_width=thick))
        end_x, end_y = line[-1]
        shapes.append(
            Text(
                x=end_x + 8, y=end_y + 5, size=14, weight=600, fill=colour,
                text=f"{name} {points[-1][column]}",
            )
        )  # fmt: skip
        mark_x, mark_y = at(now, pair.side(side).depth)
        shapes.append(
            Ellipse(cx=mark_x, cy=mark_y, rx=4.5, ry=4.5, fill=theme.stage, stroke=colour,
                    stroke_width=2.2)
        )  # fmt: skip
    shapes.append(
        Text(x=x, y=y + height + 16, text="1", size=14, weight=500, fill=theme.ink3,
             anchor="middle")
    )  # fmt: skip
    shapes.append(
        Text(x=x + width, y=y + height + 16, text=str(longest), size=14, weight=500,
             fill=theme.ink3, anchor="middle")
    )  # fmt: skip
    shapes.append(
        Text(x=x + width / 2, y=y + height + 16, text=crossing(pair, view), size=14, weight=500,
             fill=theme.ink2, anchor="middle")
    )  # fmt: skip
    return shapes


def crossing(pair: Pair, view: View) -> str:
    """Return in words from how many tokens on the grid has the shorter chain of operations."""
    chain, grid = growth(pair, "chain"), growth(pair, "grid")
    if chain is None or grid is None or chain[0] <= grid[0]:
        return ""
    first = (grid[1] - chain[1]) // (chain[0] - grid[0]) + 1
    return view.captions("rt.crossing", tokens=max(first, 1))


# ------------------------------------------------------------------ the chain


@lru_cache(maxsize=128)
def _chain(pair: Pair, tick: int, place: Layout, view: View) -> Group:
    """Return the chain with its words, neck, context and answer, as far as it is at a tick."""
    trace = pair.chain
    ticks = trace.ticks
    shapes = [
        *_words(pair, place, view),
        *_states(pair, tick, place, view),
        *_neck(trace, tick, place, view),
    ]
    if trace.facts.attention:
        shapes += _context(trace, tick, place, view)
    known = tick >= ticks["answer"]
    shapes += _answer(trace, known, place.chain_answer, view)
    if known and tick == trace.last_tick and pair.last_tick > trace.last_tick:
        x, y, width, height = place.chain_answer
        text = view.captions("rt.done", tick=trace.last_tick)
        shapes.append(
            Text(x=x + width, y=y + height + 20, text=text, size=14, weight=500,
                 fill=view.theme.ink3, anchor="end")
        )  # fmt: skip
    return Group(shapes=tuple(shapes), cache_key=("chain", pair, tick, place, view))


def _words(pair: Pair, place: Layout, view: View) -> list[Shape]:
    """Return the row of words and, below each, its position; they feed both sides."""
    theme, say = view.theme, view.captions
    top, bottom = place.words
    asks = pair.grid.hidden if view.query is None else view.query
    shapes: list[Shape] = []
    for i, (word, cx) in enumerate(zip(pair.typed, place.columns, strict=True)):
        hidden = i == pair.grid.hidden
        title = say("rt.hidden_word" if hidden else "rt.word", index=i + 1, word=word)
        look = {
            "fill": theme.well if hidden else theme.panel,
            "stroke": theme.ink if hidden or i == asks else theme.hair2,
            "stroke_width": 1.8 if hidden or i == asks else 1.25,
            "dash": (2.0, 3.0) if pair.unknown[i] else (),
            "name": f"ask:{i}", "title": title,
        }  # fmt: skip
        text = "" if hidden else word
        if place.detail == "full":
            half = place.word_width / 2
            box = (cx - half, top, 2 * half, bottom - top)
        elif place.detail == "middle":  # two rows in turn, so that long words have room
            row = top + (i % 2) * 24
            half = min(place.pitch - 4, max(22.0, text_width(text, 14, 600) / 2 + 7))
            box = (cx - half, row, 2 * half, 21)
        else:
            half = place.pitch / 2 - 1
            box = (cx - half, top, 2 * half, bottom - top)
        x, y, width, height = box
        shapes.append(Rect(x=x, y=y, width=width, height=height, radius=min(7, half), **look))  # type: ignore[arg-type]
        if place.detail == "middle" and i % 2 == 0:
            stem = (("M", cx, y + height), ("L", cx, place.positions[0]))
            shapes.append(Path(commands=stem, stroke=theme.hair2, stroke_width=1))  # type: ignore[arg-type]
        if hidden:
            line = min(half * 0.48, 21)
            dash_y = y + (height * 0.7 if place.detail == "full" else height - 7)
            shapes.append(
                Path(
                    commands=(("M", cx - line, dash_y), ("L", cx + line, dash_y)),
                    stroke=theme.ink, stroke_width=2.4, cap="round",
                )
            )  # fmt: skip
        elif place.detail == "low":
            shapes.append(
                Text(
                    x=cx + 5, y=bottom - 5, rotate=-90, size=14, weight=600, fill=theme.ink,
                    text=shortened(text, bottom - top - 8, 14, 600),
                )
            )  # fmt: skip
        else:
            size = 17 if place.detail == "full" else 14
            shapes.append(
                Text(
                    x=cx, y=y + height / 2 + size * 0.36, size=size, weight=600, fill=theme.ink,
                    text=shortened(text, width - 8, size, 600), anchor="middle",
                    read_by_class=place.detail == "full",
                )
            )  # fmt: skip
    return shapes + _positions(pair, place, view)


def _positions(pair: Pair, place: Layout, view: View) -> list[Shape]:
    """Return the blue boxes: each draws the sines of its own row of the position table."""
    theme, say = view.theme, view.captions
    top, bottom = place.positions
    half = min(place.word_width / 2, place.pitch / 2 - 1)
    table = pair.grid.value("embed.positions")
    on = theme.on(theme.pos)
    shapes: list[Shape] = []
    for i, cx in enumerate(place.columns):
        shapes.append(
            Rect(
                x=cx - half, y=top, width=2 * half, height=bottom - top, radius=min(7, half),
                fill=theme.pos, name=f"grid:embed.positions[{i}]",
                title=say("rt.position_title", index=i + 1),
            )
        )  # fmt: skip
        number = str(i + 1)
        wide = text_width(number, 15, 700)
        if place.detail == "low":
            shapes.append(
                Text(x=cx + 5, y=(top + bottom) / 2, text=number, size=14, weight=700, fill=on,
                     anchor="middle", rotate=-90)
            )  # fmt: skip
            continue
        start = cx - half + (10 if place.detail == "full" else 5)
        shapes.append(Text(x=start, y=bottom - 7.5, text=number, size=15, weight=700, fill=on))
        sines = table[i, 0::2]
        limit = float(abs(table).max()) or 1.0
        x0, x1 = start + wide + 8, cx + half - (10 if place.detail == "full" else 5)
        middle = (top + bottom) / 2
        if x1 - x0 >= 12 and len(sines) > 1:
            wave: list[Command] = []
            for k, v in enumerate(sines):
                x = x0 + (x1 - x0) * k / (len(sines) - 1)
                y = middle - 6.5 * float(v) / limit
                wave.append(("L", x, y) if wave else ("M", x, y))
            shapes.append(Path(commands=tuple(wave), stroke=on, stroke_width=1.7, cap="round"))
        if place.detail == "full":
            plus = (top + place.words[1]) / 2
            shapes.append(
                Ellipse(cx=cx, cy=plus, rx=6.5, ry=6.5, fill=theme.stage, stroke=theme.pos,
                        stroke_width=1.4)
            )  # fmt: skip
            cross: tuple[Command, ...] = (
                ("M", cx - 3.2, plus), ("L", cx + 3.2, plus), ("M", cx, plus - 3.2),
                ("L", cx, plus + 3.2),
            )  # fmt: skip
            shapes.append(Path(commands=cross, stroke=theme.pos, stroke_width=1.5))
    return shapes


def _weights(pair: Pair, tick: int, view: View) -> tuple[int, ...]:
    """Return the numbers under the nodes: per cents that the last state gives, or none."""
    trace = pair.chain
    if view.classic:
        return CLASSIC if len(pair.tokens) == len(CLASSIC) else ()
    if not trace.facts.attention or tick < trace.ticks["look_back"]:
        return ()
    return percents(trace.value("attn.pattern"))


def _states(pair: Pair, tick: int, place: Layout, view: View) -> list[Shape]:
    """Return the hidden states: read t has happened once the tick has come to t."""
    theme, say, trace = view.theme, view.captions, pair.chain
    weights = _weights(pair, tick, view)
    strongest = max(weights, default=0)
    y, r = place.node_y, place.node_r
    shapes: list[Shape] = []
    for i, cx in enumerate(place.columns):
        t = i + 1
        known = tick >= t
        name = f"chain:rnn.h.{t}" if known else ""
        title = say("rt.state_title", index=t, word=pair.tokens[i]) if known else ""
        dash, line = ((), theme.ink) if known else ((4.0, 4.0), theme.ghost)
        reach = place.words[0] - (3 if place.detail != "middle" or i % 2 == 0 else -21)
        if place.detail != "low":
            shapes += arrow(
                (cx, reach), (cx, y + r + 4), theme.ink2 if known else theme.ghost,
                dash=() if known else (3.0, 3.0),
            )  # fmt: skip
        if i > 0:
            gap = 4 if place.detail == "full" else 2
            shapes += arrow(
                (place.columns[i - 1] + r + gap, y), (cx - r - gap + 1, y), line, dash=dash,
                width=3.0 if place.detail == "full" else 2.0 if place.detail == "middle" else 1.5,
            )  # fmt: skip
        shapes.append(
            Ellipse(
                cx=cx, cy=y, rx=r, ry=r, fill=theme.panel if known else theme.stage, stroke=line,
                stroke_width=(2.2 if place.detail != "low" else 1.6) if known else 1.4,
                dash=() if known else (4.0, 4.0) if place.detail != "low" else (2.0, 2.0),
                name=name, title=title,
            )
        )  # fmt: skip
        if place.detail == "full":
            label = f"h_{{{t}}}"
            shapes += equation.shapes(
                label, x=cx, y=y - 8, size=18, weight=600, anchor="middle",
                fill=theme.ink if known else theme.ink3,
            )  # fmt: skip
        if known:
            state = trace.value(f"rnn.h.{t}")
            if place.detail == "full":
                shapes += heat(
                    state, (cx - 28, y + 2, 56, 14), theme, rows=2, name=f"chain:rnn.h.{t}",
                    title=title,
                )  # fmt: skip
            elif place.detail == "middle":
                side = r * 1.3
                shapes += heat(
                    state, (cx - side / 2, y - side / 2, side, side), theme, rows=4,
                    name=f"chain:rnn.h.{t}", title=title,
                )  # fmt: skip
            elif place.strip is not None:
                mean = float(sum(state) / len(state))
                shapes.append(
                    Ellipse(cx=cx, cy=y, rx=r, ry=r, fill=theme.signed_map(mean), stroke=theme.ink,
                            stroke_width=1.4, name=name, title=title)
                )  # fmt: skip
                shapes.append(_column(state, cx, place, view, name=name, title=title))
        elif place.strip is not None:
            _, top, _, height = place.strip
            half = place.pitch / 2 - 1
            shapes.append(
                Rect(x=cx - half, y=top, width=2 * half, height=height, radius=2,
                     stroke=theme.ghost, dash=(3.0, 3.0))
            )  # fmt: skip
        if weights:
            shapes += _weight(pair, i, weights[i], strongest, place, view)
    return shapes


def _column(
    state: Sequence[float], cx: float, place: Layout, view: View, *, name: str, title: str
) -> Shape:
    """Return one state as a column of the strip, its first number at the top."""
    assert place.strip is not None
    _, top, _, height = place.strip
    shown = pooled(state, 16)
    half = place.pitch / 2 - 1
    index = tuple((str(i),) for i in range(len(state))) if len(shown) == len(state) else ()
    return Cells(
        x=cx - half, y=top, width=2 * half, height=height, name=name, title=title, index=index,
        colours=tuple((view.theme.signed_map(v),) for v in shown),
    )  # fmt: skip


def _weight(
    pair: Pair, i: int, weight: int, strongest: int, place: Layout, view: View
) -> list[Shape]:
    """Return the number under a node: a per cent, or a number of the classic picture."""
    theme, cx = view.theme, place.columns[i]
    text = str(weight) if view.classic else view.captions("rt.percent", value=weight)
    best = weight == strongest
    name = "" if view.classic else f"chain:attn.pattern[{i}]"
    title = (
        view.captions("rt.classic_title")
        if view.classic
        else view.captions("rt.weight_title", index=i + 1, word=pair.tokens[i], value=weight)
    )
    colour = theme.ink if best or weight >= 10 else theme.ink2
    heavy: Literal[500, 700] = 700 if best else 500
    if place.detail == "low":
        assert place.strip is not None
        if weight < 5 and not best:  # there is room for a few numbers only; all are on hover
            return []
        return [
            Text(x=cx, y=place.strip[1] + place.strip[3] + 14 - place.strip[3] - 20, text=text,
                 size=14, weight=heavy, fill=colour, anchor="middle", name=name, title=title)
        ]  # fmt: skip
    size = (19 if best else 16) if place.detail == "full" else 14
    return [
        Text(
            x=cx + (8 if place.detail == "full" else 5), y=place.node_y + place.node_r + 22,
            text=text, size=size, weight=heavy, fill=colour, name=name, title=title,
            read_by_class=place.detail == "full",
        )
    ]  # fmt: skip


def _neck(trace: Trace, tick: int, place: Layout, view: View) -> list[Shape]:
    """Return the bottleneck: walls that narrow to the last hidden state, and nothing else in it."""
    theme, say = view.theme, view.captions
    x, y, width, height = place.neck
    middle = y + height / 2
    start, end = place.right + 3, x + width + 2
    open_, shut = min(32.0, max(place.node_r, 22.0)), 13.0
    upper: tuple[Command, ...] = (
        ("M", start, middle - open_),
        ("C", start + 20, middle - open_, start + 10, middle - shut, start + 32, middle - shut),
        ("L", end, middle - shut),
    )
    lower: tuple[Command, ...] = (
        ("L", end, middle + shut), ("L", start + 32, middle + shut),
        ("C", start + 10, middle + shut, start + 20, middle + open_, start, middle + open_),
    )  # fmt: skip
    tokens = len(place.columns)
    known = tick >= tokens
    shapes: list[Shape] = [
        Path(commands=(*upper, *lower, ("Z",)), fill=theme.well, opacity=0.8),
        Path(commands=upper, stroke=theme.ink2, stroke_width=2, cap="round"),
        Path(
            commands=(("M", end, middle + shut), *lower[1:]), stroke=theme.ink2, stroke_width=2,
            cap="round",
        ),
        *arrow(
            (place.columns[-1] + place.node_r + 4, middle), (x - 6, middle),
            theme.ink if known else theme.ghost, dash=() if known else (4.0, 4.0),
            width=3.0 if place.detail == "full" else 2.0,
        ),
    ]  # fmt: skip
    name = f"chain:rnn.h.{tokens}"
    if known:
        shapes += heat(
            trace.value(f"rnn.h.{tokens}"), place.neck, theme, name=name,
            title=say("rt.neck_title", numbers=trace.facts.width),
        )  # fmt: skip
    shapes += equation.shapes(
        "h_T", x=x, y=middle + 36, size=17, fill=theme.ink, weight=600
    )
    beside = x + 25
    lines = say("rt.neck", memory=trace.facts.memory).split("|")
    shapes.append(Text(x=beside, y=middle + 36, text=lines[0], size=14, fill=theme.ink2))
    shapes.append(Text(x=x, y=middle + 54, text=lines[1], size=14, fill=theme.ink2))
    answers = tick >= trace.ticks["answer"]
    shapes += arrow(
        (end + 3, middle), (place.chain_answer[0] - 4, middle),
        theme.ink2 if answers else theme.ghost, dash=() if answers else (3.0, 3.0),
    )  # fmt: skip
    return shapes


def _context(trace: Trace, tick: int, place: Layout, view: View) -> list[Shape]:
    """Return the attention over the states: lines that go round the neck to a context vector."""
    theme, say = view.theme, view.captions
    x, y, width, height = place.context
    known = tick >= trace.ticks["look_back"]
    tokens = len(place.columns)
    shapes: list[Shape] = []
    if known:
        weights = [float(w) for w in trace.value("attn.pattern")]
        top = place.node_y - place.node_r if place.strip is None else place.strip[1] - 18
        order = sorted(range(tokens), key=lambda i: weights[i])
        for i in order:
            if tokens > 6 and weights[i] < 0.02:
                continue
            cx = place.columns[i]
            level = y - 3 + 20 * (i + 0.5) / tokens
            bend = min(22.0, (x - 8 - cx) / 2)
            commands: tuple[Command, ...] = (
                ("M", cx, top - 4), ("C", cx, level + 4, cx + 4, level, cx + bend, level),
                ("L", x - 8, level),
            )  # fmt: skip
            shapes.append(
                Path(
                    commands=commands, stroke=theme.ink2, stroke_width=1 + 5.5 * weights[i],
                    opacity=0.30 + 0.55 * weights[i], cap="round", hit_width=8,
                    name=f"chain:attn.pattern[{i}]",
                    title=say("rt.weight_title", index=i + 1, word=trace.tokens[i],
                              value=percents(weights)[i]),
                )
            )  # fmt: skip
        shapes += heat(
            trace.value("attn.context"), place.context, theme, name="chain:attn.context",
            title=say("rt.context_title"),
        )  # fmt: skip
    else:
        shapes.append(
            Rect(x=x - 1.5, y=y - 1.5, width=width + 3, height=height + 3, radius=2.5,
                 stroke=theme.ghost, dash=(4.0, 4.0))
        )  # fmt: skip
    colour = theme.ink if known else theme.ink3
    label = f"c {say('rt.asked_by')} h_{{{tokens}}}"
    shapes += equation.shapes(label, x=x, y=y + height + 20, size=15, fill=colour)
    answers = tick >= trace.ticks["answer"]
    line, dash = (theme.ink2, ()) if answers else (theme.ghost, (3.0, 3.0))
    box_x, box_y, box_width, _ = place.chain_answer
    down = box_x + box_width / 2
    middle = y + height / 2
    shapes.append(
        Path(
            commands=(
                ("M", x + width + 4, middle), ("L", down - 26, middle),
                ("Q", down, middle, down, middle + 22),
            ),
            stroke=line, stroke_width=1.8, dash=dash,
        )
    )  # fmt: skip
    shapes += arrow((down, middle + 21), (down, box_y - 4), line, dash=dash)
    return shapes


def _answer(trace: Trace, known: bool, box: Box, view: View) -> list[Shape]:
    """Return a side's three likeliest words; each row's bar is as long as it is likely."""
    theme, say, side = view.theme, view.captions, trace.facts.kind
    x, y, width, height = box
    rows = 3
    pitch = (height - 10) / rows
    shapes: list[Shape] = [
        Rect(
            x=x, y=y, width=width, height=height, radius=12, fill=theme.stage,
            stroke=theme.hair2 if known else theme.ghost, stroke_width=1.4,
            dash=() if known else (4.0, 4.0), name=f"{side}:answer.word" if known else "",
            title=say("rt.answer_title", word=trace.answer(1)[0][0]) if known else "",
        )
    ]  # fmt: skip
    if not known:
        for row, share in enumerate((0.5, 0.36, 0.42)):
            shapes.append(
                Rect(
                    x=x + 14, y=y + 5 + pitch * (row + 0.5) - 6, width=width * share, height=12,
                    radius=4, stroke=theme.ghost, stroke_width=1.2, dash=(3.0, 3.0),
                )
            )  # fmt: skip
        return shapes
    places = {word: i for i, word in enumerate(trace.vocabulary)}
    everything = percents(trace.value("answer.probabilities"))
    for row, (word, share) in enumerate(trace.answer(rows)):
        top = y + 5 + pitch * row
        base = top + pitch / 2 + 6
        first = row == 0
        value = everything[places[word]]
        text = say("rt.percent", value=value)
        name = f"{side}:answer.probabilities[{places[word]}]"
        title = say("rt.word_title", word=word, value=value)
        size = 16.5
        bar = max(2.0, (width - 12) * share)
        shapes.append(
            Rect(x=x + 6, y=top + 1, width=width - 12, height=pitch - 2, radius=6,
                 fill=theme.stage, name=name, title=title)
        )  # fmt: skip
        shapes.append(
            Rect(x=x + 6, y=top + 1, width=bar, height=pitch - 2, radius=min(6.0, bar / 2),
                 fill=mix(theme.stage, theme.ink_map(0.5), 0.32), name=name, title=title)
        )  # fmt: skip
        room = width - 28 - text_width(text, size, 700) - 8
        heavy: Literal[500, 700] = 700 if first else 500
        colour = theme.ink if first else theme.ink2
        shapes.append(
            Text(x=x + 14, y=base, text=shortened(word, room, size, heavy), size=size,
                 weight=heavy, fill=colour, read_by_class=True)
        )  # fmt: skip
        shapes.append(
            Text(x=x + width - 14, y=base, text=text, size=size, weight=heavy, fill=colour,
                 anchor="end", read_by_class=True)
        )  # fmt: skip
    return shapes


# ------------------------------------------------------------------ the grid


@lru_cache(maxsize=128)
def _grid(pair: Pair, tick: int, place: Layout, view: View) -> Group:
    """Return the grid's nodes, notes, folded rest and answer, as far as it is at a tick."""
    theme, trace = view.theme, pair.grid
    state = grid_state(trace, tick, view.layer)
    shapes: list[Shape] = [
        *_flow(trace, state, place, view),
        *_nodes(pair, state, place, view),
        *_rest(trace, state, place, view),
        *_answer(trace, tick >= trace.ticks["answer"], place.grid_answer, view),
    ]
    for head in range(trace.facts.heads):
        shapes += _head(pair, state, head, place, view)
    if tick == trace.last_tick and pair.last_tick > trace.last_tick:
        x, y, width, _ = place.grid_answer
        shapes.append(
            Text(x=x + width, y=y - 8, text=view.captions("rt.done", tick=tick), size=14,
                 weight=500, fill=theme.ink3, anchor="end")
        )  # fmt: skip
    return Group(shapes=tuple(shapes), cache_key=("grid", pair, tick, place, view))


def _flow(trace: Trace, state: GridState, place: Layout, view: View) -> list[Shape]:
    """Return the thin lines: each word's numbers fan out to the heads, and in again at concat."""
    theme = view.theme
    begun, gathered = state.phase >= QKV, state.phase >= PROJECT
    bottom, concat = place.positions[1], place.concat[1]
    heads = len(place.heads)
    r = place.grid_r
    spread = min(3.6, (place.pitch / 2 - r - 4) / (heads + 0.5))
    thin: Path
    shapes: list[Shape] = []
    for cx in place.columns:
        if spread < 1.0:  # no room for one line a head: one for all
            commands: tuple[Command, ...] = (("M", cx, bottom), ("L", cx, concat))
            thin = Path(commands=commands, stroke=theme.hair2 if begun else theme.ghost,
                        dash=() if begun else (2.0, 4.0))  # fmt: skip
            shapes.append(thin)
            continue
        for h, y in enumerate(place.heads):
            into = cx - r - 4 - spread * (h + 0.5)
            out = cx + r + 4 + spread * (heads - h - 0.5)
            turn = min(9.0, r)
            fan: tuple[Command, ...] = (
                ("M", cx, bottom), ("C", cx, bottom + 12, into, bottom + 6, into, bottom + 20),
                ("L", into, y - turn), ("Q", into, y, cx - r, y),
            )  # fmt: skip
            join: tuple[Command, ...] = (
                ("M", cx + r, y), ("Q", out, y, out, y + turn), ("L", out, concat - 20),
                ("C", out, concat - 8, cx, concat - 12, cx, concat),
            )  # fmt: skip
            shapes.append(Path(commands=fan, stroke=theme.hair2 if begun else theme.ghost,
                               opacity=1.0 if begun else 0.6, dash=() if begun else (1.5, 3.0)))  # fmt: skip
            shapes.append(Path(commands=join, stroke=theme.hair2 if gathered else theme.ghost,
                               opacity=1.0 if gathered else 0.6,
                               dash=() if gathered else (1.5, 3.0)))  # fmt: skip
    return shapes


def _asks(pair: Pair, view: View) -> int:
    return pair.grid.hidden if view.query is None else min(view.query, len(pair.tokens) - 1)


@lru_cache(maxsize=128)
def _links(pair: Pair, tick: int, place: Layout, view: View) -> Group:
    """Return the attention of the block on the stage: links from who asks to what is looked at.

    While scores, softmax and weighted sum run, all words of all heads ask; afterwards one word's
    links are strong and the others faint, unless all are wanted.
    """
    theme, trace = view.theme, pair.grid
    state = grid_state(trace, tick, view.layer)
    key = ("links", pair, tick, place, view)
    if state.phase < SCORES:
        return Group(shapes=(), cache_key=key)
    everybody = view.all_arcs or (state.running and state.phase <= WEIGHTED_SUM)
    asks = _asks(pair, view)
    pattern = trace.value(f"blocks.{state.block}.attn.pattern")
    tokens = len(pair.tokens)
    least = {"full": 0.01, "middle": 0.05, "low": 0.08}[place.detail]
    most = {"full": 6.0, "middle": 4.5, "low": 3.0}[place.detail]
    links: list[tuple[bool, float, Path]] = []
    for h, y in enumerate(place.heads):
        hue = theme.heads[h % len(theme.heads)]
        for q in range(tokens):
            row = pattern[h, q]
            ranked = sorted(range(tokens), key=lambda k: -row[k])  # noqa: B023
            for k in ranked[: 2 if place.detail == "low" else tokens]:
                weight = float(row[k])
                strong = everybody or q == asks
                if k == q or weight < (least if strong else 0.22):
                    continue
                x1, x2 = place.columns[q], place.columns[k]
                far = abs(q - k) / max(tokens - 1, 1)
                bend = place.bend * (0.55 + 0.45 * far)
                look = {
                    "commands": arc(x1, x2, y, bend if k < q else -bend), "hit_width": 6.0,
                    "name": f"grid:blocks.{state.block}.attn.pattern[{h},{q},{k}]",
                    "title": view.captions(
                        "rt.link_title", head=h + 1, asks=pair.tokens[q], looked=pair.tokens[k],
                        value=percents(row)[k],
                    ),
                }  # fmt: skip
                if state.phase == SCORES:
                    score = f"grid:blocks.{state.block}.attn.scores[{h},{q},{k}]"
                    look |= {"name": score, "title": view.captions(
                        "rt.score_title", head=h + 1, asks=pair.tokens[q], looked=pair.tokens[k]
                    ), "stroke": theme.ink3, "stroke_width": 1.4, "opacity": 0.55}  # fmt: skip
                elif strong:
                    look |= {"stroke": hue, "stroke_width": link_width(weight, most), "cap": "round",
                             "opacity": link_opacity(weight)}  # fmt: skip
                else:
                    look |= {"stroke": theme.ink3, "stroke_width": 1.0, "opacity": 0.22}
                links.append((strong, weight, Path(**look)))  # type: ignore[arg-type]
    links.sort(key=lambda link: link[:2])  # heavier ones are drawn last
    return Group(shapes=tuple(path for *_, path in links), cache_key=key)


def _nodes(pair: Pair, state: GridState, place: Layout, view: View) -> list[Shape]:
    """Return a node for each word in each head, filled by how large its weighted sum is."""
    theme, say, trace = view.theme, view.captions, pair.grid
    r, asks, block = place.grid_r, _asks(pair, view), state.block
    tensor = {0: "", QKV: "q", SCORES: "scores", SOFTMAX: "pattern"}.get(state.phase, "z")
    z = trace.value(f"blocks.{block}.attn.z")
    lengths = (z.astype(float) ** 2).sum(axis=-1) ** 0.5  # (head, token)
    longest = float(lengths.max()) or 1.0
    pattern = trace.value(f"blocks.{block}.attn.pattern")
    shapes: list[Shape] = []
    for h, y in enumerate(place.heads):
        hue = theme.heads[h % len(theme.heads)]
        looked = int(pattern[h, asks].argmax()) if state.phase >= SOFTMAX else -1
        for i, cx in enumerate(place.columns):
            name = f"grid:blocks.{block}.attn.{tensor}[{h},{i}]" if tensor else ""
            title = (
                say(f"rt.node_{tensor}", head=h + 1, word=pair.tokens[i], block=block + 1)
                if tensor
                else ""
            )
            fill, line, thick, dash = theme.stage, theme.hair2, 1.6, ()
            if not tensor:
                line, dash = theme.ghost, (2.0, 3.0)
            elif tensor == "z":
                fill = theme.ink_map(0.55 * float(lengths[h, i]) / longest)
            asking = i == asks and state.phase >= SCORES
            if i == looked and not asking:
                fill, line, thick = theme.stage, hue, 2.4
            if asking:
                fill, line, thick = hue, hue, 2.4
            shapes.append(
                Ellipse(cx=cx, cy=y, rx=r, ry=r, fill=fill, stroke=line,
                        stroke_width=min(thick, r * 0.4), dash=dash, name=name, title=title)
            )  # fmt: skip
            if asking and place.detail != "low":
                shapes.append(
                    Text(x=cx, y=y + 5, text="?", size=14, weight=700, fill=theme.on(hue),
                         anchor="middle")
                )  # fmt: skip
            elif i == looked and not asking:
                dot = r * 0.42
                shapes.append(Ellipse(cx=cx, cy=y, rx=dot, ry=dot, fill=hue))
            elif tensor in ("q", "scores"):
                bars: tuple[Command, ...] = tuple(
                    c for dx in (-0.36, 0.0, 0.36)
                    for c in (("M", cx + dx * r, y - r * 0.4), ("L", cx + dx * r, y + r * 0.4))
                )  # fmt: skip
                shapes.append(Path(commands=bars, stroke=theme.ink2, stroke_width=r * 0.2))
    return shapes


def _head(pair: Pair, state: GridState, head: int, place: Layout, view: View) -> list[Shape]:
    """Return a head's number at the left, and at the right what it does and what is seen of it."""
    theme, say, trace = view.theme, view.captions, pair.grid
    hue = theme.heads[head % len(theme.heads)]
    hue_text = theme.heads_text[head % len(theme.heads_text)]
    y, asks, block = place.heads[head], _asks(pair, view), state.block
    shapes: list[Shape] = [
        Ellipse(cx=234, cy=y, rx=11.5, ry=11.5, fill=hue),
        Text(x=234, y=y + 5.2, text=str(head + 1), size=14.5, weight=700, fill=theme.on(hue),
             anchor="middle"),
    ]  # fmt: skip
    roles = trace.facts.roles
    role, score = roles[block][head] if roles else ("untrained", 0.0)
    shapes.append(
        Text(x=place.notes, y=y - 2, text=say(f"role.{role}"), size=16, weight=600, fill=hue_text,
             read_by_class=True)
    )  # fmt: skip
    if role not in ("mixed", "untrained"):
        shapes.append(
            Text(x=place.edge, y=y + 5, text=f"{score:.2f}", size=17, weight=600, fill=theme.ink,
                 anchor="end", title=say("rt.held_out_title"), read_by_class=True)
        )  # fmt: skip
    tokens = len(pair.tokens)
    if state.phase < SCORES:
        return shapes
    if state.phase == SCORES:
        text = say("rt.scores", count=tokens * tokens)
        shapes.append(Text(x=place.notes, y=y + 16, text=text, size=14, fill=theme.ink2))
        return shapes
    row = trace.value(f"blocks.{block}.attn.pattern")[head, asks]
    shares = percents(row)
    best = int(row.argmax())
    asker = say("rt.hidden") if asks == trace.hidden else pair.tokens[asks]
    lead = say("rt.looks", asks=shortened(asker, 90, 14)) + " "
    target = say("rt.itself") if best == asks else (
        say("rt.hidden") if best == trace.hidden else pair.tokens[best]
    )  # fmt: skip
    shapes.append(Text(x=place.notes, y=y + 16, text=lead, size=14, fill=theme.ink2))
    shapes.append(
        Text(
            x=place.notes + text_width(lead, 14), y=y + 16, size=14, weight=600, fill=theme.ink,
            text=f"{shortened(target, 110, 14, 600)} {say('rt.percent', value=shares[best])}",
            name=f"grid:blocks.{block}.attn.pattern[{head},{asks},{best}]",
        )
    )  # fmt: skip
    itself = float(row[asks])
    if itself >= 0.10 and place.detail != "low":
        cx, r = place.columns[asks], place.grid_r
        loop: tuple[Command, ...] = (
            ("M", cx + 4, y + r - 1), ("C", cx + 12, y + r + 15, cx - 12, y + r + 15, cx - 4, y + r - 1),
        )  # fmt: skip
        shapes.append(Path(commands=loop, stroke=hue, stroke_width=1 + 3 * itself, opacity=0.9))
        text = say("rt.percent", value=shares[asks])
        wide = text_width(text, 14, 600)
        shapes.append(
            Rect(x=cx - 13 - wide, y=y + r - 4, width=wide + 4, height=15, radius=3,
                 fill=theme.stage, opacity=0.9)
        )  # fmt: skip
        shapes.append(
            Text(
                x=cx - 11, y=y + r + 8, size=14, weight=600, fill=hue_text, anchor="end",
                text=text,
                name=f"grid:blocks.{block}.attn.pattern[{head},{asks},{asks}]",
            )
        )  # fmt: skip
    return shapes


def _rest(trace: Trace, state: GridState, place: Layout, view: View) -> list[Shape]:
    """Return concat and project, and the folded rest of the block, on the way to the answer."""
    theme, say, block = view.theme, view.captions, state.block
    projected, finished = state.phase >= PROJECT, state.phase >= REST
    x, y, width, height = place.concat
    shapes: list[Shape] = [
        Rect(
            x=x, y=y, width=width, height=height, radius=8,
            fill=theme.panel if projected else theme.stage,
            stroke=theme.ink2 if projected else theme.ghost, stroke_width=1.6 if projected else 1.3,
            dash=() if projected else (4.0, 4.0),
            name=f"grid:blocks.{block}.attn.out" if projected else "",
            title=say("rt.concat_title"),
        ),
        Text(
            x=x + width / 2, y=y + 20.5, text=say("rt.concat"), size=16, anchor="middle",
            weight=600 if projected else 400, fill=theme.ink if projected else theme.ink3,
            read_by_class=True,
        ),
    ]  # fmt: skip
    rx, ry, rest_width, rest_height = place.rest
    for shift in (5, 0) if trace.facts.layers > 1 else (0,):
        shapes.append(
            Rect(
                x=rx + shift, y=ry - shift, width=rest_width, height=rest_height, radius=8,
                fill=theme.panel if finished else theme.stage,
                stroke=theme.ink2 if finished else theme.ghost, stroke_width=1.4,
                dash=() if finished else (4.0, 4.0),
                name=f"grid:blocks.{block}.x" if finished else "", title=say("rt.rest_title"),
            )
        )  # fmt: skip
    colour = theme.ink if finished else theme.ink3
    shapes += [
        Text(x=rx + 10, y=ry + 21, text=say("rt.rest"), size=14, weight=600, fill=colour),
        Text(x=rx + 10, y=ry + 41, text=say("rt.rest_parts"), size=14,
             fill=theme.ink2 if finished else theme.ink3),
        Text(x=rx + rest_width - 8, y=ry + 41, text=f"×{trace.facts.layers}", size=14, weight=700,
             fill=colour, anchor="end"),
        *arrow((x + width + 2, y + height / 2), (rx - 3, y + height / 2),
               theme.ink2 if finished else theme.ghost),
        *arrow((rx + rest_width + 6, y + height / 2), (place.grid_answer[0] - 3, y + height / 2),
               theme.ink2 if finished and not state.running else theme.ghost),
    ]  # fmt: skip
    return shapes


# ------------------------------------------------------------------ what moves, what is lit


def _growing_arrow(
    pair: Pair, tick: int, phase: float, place: Layout, view: View
) -> tuple[Shape, ...]:
    """Return the arrow into the state that is being read, as far as it has grown."""
    if tick > len(place.columns) or tick < 2:
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


def _around(box: Box, pad: float) -> Box:
    x, y, width, height = box
    return (x - pad, y - pad, width + 2 * pad, height + 2 * pad)


def _touched(trace: Trace, tick: int, place: Layout) -> Box | None:
    """Return the box that a side's tick touches: one node above, the whole grid below."""
    if tick > trace.last_tick:
        return None
    stage = trace.stage_at[tick].name
    if stage == "embed":
        return place.words_box
    if trace.facts.kind == "chain":
        if stage.startswith("read."):
            cx = place.columns[int(stage.removeprefix("read.")) - 1]
            r = place.node_r
            box = (cx - r, place.node_y - r, 2 * r, 2 * r)
            if place.strip is not None:
                box = (cx - place.pitch / 2, place.strip[1], place.pitch,
                       place.node_y + r - place.strip[1])  # fmt: skip
            return _around(box, 8 if place.detail == "full" else 5)
        return _around(place.context if stage == "look_back" else place.chain_answer, 7)
    kind = stage.rpartition(".")[2]
    if kind == "project":
        return _around(place.concat, 6)
    if kind == "rest":
        x, y, width, height = place.rest
        return _around((x, y - 5, width + 5, height + 5), 6)
    return _around(place.grid_answer, 6) if stage == "answer" else place.grid_box


def _markers(
    pair: Pair, now: int, phase: float, place: Layout, view: View
) -> list[Shape]:
    """Return one marker a side, on its way from what this tick touches to what the next does."""
    share = ease(phase, 0.0, 0.20)
    shapes: list[Shape] = []
    for trace in (pair.chain, pair.grid):
        here = _touched(trace, now, place)
        there = _touched(trace, now + 1, place) if share > 0 else here
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


def _lit(pair: Pair, tick: int, place: Layout, view: View) -> list[Shape]:
    """Return rings round what is selected, and round what the hovered element reads."""
    shapes: list[Shape] = []
    for box in _read_boxes(pair, view.hovered, place):
        shapes.append(_ring(_around(box, 3), view, dash=(5.0, 3.0)))
    if view.selected:
        box = place_of(pair, view.selected, place)
        if box is not None:
            shapes.append(_ring(_around(box, 4), view, dash=()))
    return shapes


def _ring(box: Box, view: View, *, dash: tuple[float, ...]) -> Shape:
    x, y, width, height = box
    return Rect(
        x=x, y=y, width=width, height=height, radius=min(10.0, width / 2, height / 2),
        stroke=view.theme.ink, stroke_width=2, dash=dash,
    )  # fmt: skip


def place_of(pair: Pair, name: str, place: Layout) -> Box | None:
    """Return the box on the stage where an element of the traces is drawn, or None."""
    if name.startswith("ask:"):
        return _word_box(int(name[4:]), place)
    found = pair.find(name)
    if found is None:
        return None
    trace, step, index = found
    part = step.name
    if trace.facts.kind == "chain":
        if part.startswith(("rnn.h.", "rnn.r.", "rnn.a.", "rnn.x.")):
            t = int(part.rpartition(".")[2])
            r = place.node_r
            if not 1 <= t <= len(place.columns):
                return None
            return (place.columns[t - 1] - r, place.node_y - r, 2 * r, 2 * r)
        if part == "attn.pattern" and index:
            return _weight_box(index[0], place)
        if part == "attn.context":
            return place.context
        return place.chain_answer if part.startswith("answer.") else None
    if part == "embed.positions" and index:
        half = min(place.word_width / 2, place.pitch / 2 - 1)
        top, bottom = place.positions
        return (place.columns[index[0]] - half, top, 2 * half, bottom - top)
    if ".attn." in part and len(index) >= 2:
        r = place.grid_r
        return (place.columns[index[1]] - r, place.heads[index[0]] - r, 2 * r, 2 * r)
    if part.endswith(".attn.out"):
        return place.concat
    if part.endswith(".x"):
        return place.rest if part.startswith("blocks.") else None
    return place.grid_answer if part.startswith("answer.") else None


def _word_box(i: int, place: Layout) -> Box:
    half = place.word_width / 2 if place.detail == "full" else place.pitch / 2 - 1
    top, bottom = place.words
    return (place.columns[i] - half, top, 2 * half, bottom - top)


def _weight_box(i: int, place: Layout) -> Box:
    y = place.node_y + place.node_r + 6
    return (place.columns[i] + 2, y, min(44.0, place.pitch - 4), 20)


def _read_boxes(pair: Pair, hovered: str, place: Layout) -> list[Box]:
    """Return where that stands which the hovered element reads."""
    found = pair.find(hovered)
    if found is None:
        return []
    trace, step, index = found
    side = trace.facts.kind
    words = range(len(place.columns))
    if side == "chain":
        if step.name.startswith("rnn.h."):
            t = int(step.name.rpartition(".")[2])
            before = place_of(pair, f"chain:rnn.h.{t - 1}", place) if t > 1 else None
            return [box for box in (before, _word_box(t - 1, place)) if box is not None]
        if step.name in ("attn.pattern", "attn.context"):
            states = [place_of(pair, f"chain:rnn.h.{i + 1}", place) for i in words]
            kept = index[0] if step.name == "attn.pattern" and index else None
            return [
                box for i, box in enumerate(states)
                if box is not None and (kept is None or i in (kept, len(words) - 1))
            ]  # fmt: skip
        if step.name.startswith("answer."):
            context = [place.context] if trace.facts.attention else []
            return [_around(place.neck, 1), *context]
        return []
    if step.name == "embed.positions":
        return []
    if ".attn." in step.name and len(index) >= 2:
        head, query = index[0], index[1]
        if step.name.endswith(".q"):
            top, bottom = place.positions
            return [_word_box(query, place)]
        keys = words if len(index) == 2 else (index[2],)
        r = place.grid_r
        y = place.heads[head]
        return [(place.columns[k] - r, y - r, 2 * r, 2 * r) for k in {*keys, query}]
    if step.name.endswith(".attn.out"):
        return [_around(place.grid_box, -4)]
    if step.name.startswith("blocks.") and step.name.endswith(".x"):
        return [place.concat]
    return [place.rest] if step.name.startswith("answer.") else []


def _eye(pair: Pair, place: Layout, view: View) -> list[Shape]:
    """Return the small eye over the word under the pointer: a click hides that word instead."""
    kind, _, number = view.hovered.partition(":")
    if kind not in ("ask", "hide") or not number.isdigit():
        return []
    i = int(number)
    if i >= len(place.columns) or i == pair.grid.hidden:
        return []
    x, y, width, _ = _word_box(i, place)
    cx, cy = x + width - (4 if place.detail == "full" else width / 2), y - (1 if place.detail == "full" else 9)
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

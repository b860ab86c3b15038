"""The chain: words, hidden states, the neck, and the attention that goes round it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from engine.trace import Pair, Trace
from widgets import equation
from widgets.geometry import text_width
from widgets.glyphs import CELLS, arrow, heat, pooled, shortened
from widgets.numbers import percents
from widgets.picture import Cells, Command, Ellipse, Group, Path, Rect, Shape, Text
from widgets.scenes.recurrence_attention.frame import answer
from widgets.scenes.recurrence_attention.layout import CLASSIC, MAP_TOKENS, Layout, asking
from widgets.scenes.recurrence_attention.spread import spreads

if TYPE_CHECKING:
    from widgets.glyphs import Numbers
    from widgets.view import View


@lru_cache(maxsize=128)
def chain(pair: Pair, tick: int, place: Layout, view: View) -> Group:
    """Return the chain with its words, neck, context and answer, as far as it is at a tick."""
    trace = pair.chain
    ticks = trace.ticks
    shapes = [
        *_states(pair, tick, place, view),
        *_neck(trace, tick, place, view),
    ]
    if trace.facts.attention:
        shapes += _context(trace, tick, place, view)
    known = tick >= ticks["answer"]
    shapes += answer(trace, known, place.chain_answer, view)
    if known and tick == trace.last_tick and pair.last_tick > trace.last_tick:
        x, y, width, height = place.chain_answer
        text = view.captions("rt.done", tick=trace.last_tick)
        shapes.append(
            Text(x=x + width, y=y + height + 25, text=text, size=14, weight=500,
                 fill=view.theme.ink3, anchor="end")
        )  # fmt: skip
    return Group(shapes=tuple(shapes), cache_key=("chain", pair, tick, place, view))


@lru_cache(maxsize=32)
def words(pair: Pair, place: Layout, view: View) -> Group:
    """Return the row of words and, below each, its position; they feed both sides."""
    shapes = _row(pair, place, view) if place.detail == "map" else _boxes(pair, place, view)
    shapes += spreads(pair, place, view)
    return Group(shapes=tuple(shapes), slot="words", cache_key=("words", pair, place, view))


@lru_cache(maxsize=32)
def strip(pair: Pair, place: Layout, view: View) -> Group:
    """Return the states of all words as one map of columns, for the map detail.

    What is not yet read is clipped away. Of more than ``MAP_TOKENS`` states every so manyth is
    shown, which the axis says.
    """
    assert place.strip is not None
    trace = pair.chain
    x, y, width, height = place.strip
    states = [trace.value(f"rnn.h.{t}") for t in range(1, len(place.columns) + 1)]
    run = -(-len(states) // MAP_TOKENS)
    shapes: list[Shape] = []
    for first in range(0, len(states), run):
        t = min(first + run, len(states))
        left = place.columns[first] - place.pitch / 2
        title = view.captions("rt.state_title", index=t, word=pair.tokens[t - 1])
        shapes.append(
            Cells(
                # A hair wider, so that rounding leaves no gap between two columns.
                x=left, y=y, width=place.pitch * (t - first) + 0.02, height=height,
                colours=tuple((view.theme.signed_map(v),) for v in pooled(states[t - 1], CELLS)),
                name=f"chain:rnn.h.{t}", title=_pooled_title(title, trace.facts.width, view),
            )
        )  # fmt: skip
    key = ("strip", pair, place, view)
    return Group(shapes=tuple(shapes), slot="strip", cache_key=key)


def _row(pair: Pair, place: Layout, view: View) -> list[Shape]:
    """Return the words where they stand too close to be read: a cell each, two of them named."""
    theme, say = view.theme, view.captions
    top, bottom = place.words
    asks, hidden = asking(pair, view), pair.grid.hidden
    shapes: list[Shape] = []
    edge = 0.5 if place.pitch >= 6 else 0.0
    for i, (word, cx) in enumerate(zip(pair.typed, place.columns, strict=True)):
        strong = i in (asks, hidden)
        wide = max(place.pitch - 2 * edge, 2.0 if strong else 0.0)
        title = say("rt.hidden_word" if i == hidden else "rt.word", index=i + 1, word=word)
        shapes.append(
            Rect(
                x=cx - wide / 2, y=top, width=wide, height=bottom - top,
                fill=theme.ink if strong else theme.ghost if pair.unknown[i] else theme.hair,
                name=f"ask:{i}", title=title,
            )
        )  # fmt: skip
    tags = [(hidden, say("rt.hidden"))]
    if asks != hidden:
        tags.append((asks, say("rt.quoted", word=shortened(pair.typed[asks], 120, 16, 600))))
    spans: list[tuple[float, float]] = []
    for i, text in tags:
        wide = text_width(text, 16, 600)
        x = min(max(place.columns[i] - wide / 2, place.left), place.right - wide)
        if spans and x < spans[0][1] + 12 and x + wide > spans[0][0] - 12:  # beside the first tag
            beside = spans[0][1] + 12
            x = beside if beside + wide <= place.right else spans[0][0] - 12 - wide
        spans.append((x, x + wide))
        shapes.append(
            Text(x=x, y=top - 9, text=text, size=16, weight=600, fill=theme.ink,
                 name=f"ask:{i}", read_by_class=True)
        )  # fmt: skip
        stem = (("M", place.columns[i], top - 6), ("L", place.columns[i], top))
        shapes.append(Path(commands=stem, stroke=theme.ink, stroke_width=1.5))  # type: ignore[arg-type]
    y, floor = place.positions
    if "embed.positions" not in pair.grid:
        shapes.append(
            Rect(x=place.left, y=y, width=place.right - place.left, height=floor - y, radius=7,
                 **_no_position(view))
        )  # fmt: skip
        return shapes
    shapes.append(
        Rect(x=place.left, y=y, width=place.right - place.left, height=floor - y, radius=7,
             fill=theme.pos, name="grid:embed.positions", title=say("rt.positions_title"))
    )  # fmt: skip
    step = next(s for s in (8, 16, 32, 64, 128) if s * place.pitch >= 36)
    for i in range(0, len(place.columns), step):
        x = max(place.columns[i], place.left + 9)
        if x > place.right - 16:
            continue
        shapes.append(
            Text(x=x, y=floor - 8, text=str(i + 1), size=15, weight=700, fill=theme.on(theme.pos),
                 anchor="middle")
        )  # fmt: skip
    return shapes


def _boxes(pair: Pair, place: Layout, view: View) -> list[Shape]:
    """Return a box for each word and one for its position."""
    theme, say = view.theme, view.captions
    top, bottom = place.words
    asks = asking(pair, view)
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
            half = min(place.pitch - 3, max(22.0, text_width(text, 16, 600) / 2 + 6))
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
            blank: tuple[Command, ...] = (("M", cx - line, dash_y), ("L", cx + line, dash_y))
            if place.detail == "low":  # as the turned words have it
                blank = (("M", cx + 4, bottom - 8), ("L", cx + 4, bottom - 34))
            shapes.append(Path(commands=blank, stroke=theme.ink, stroke_width=2.4, cap="round"))
        elif place.detail == "low":
            shapes.append(
                Text(
                    x=cx + 5.5, y=bottom - 5, rotate=-90, size=16, weight=600, fill=theme.ink,
                    text=shortened(text, bottom - top - 8, 16, 600), read_by_class=True,
                )
            )  # fmt: skip
        else:
            size = 17 if place.detail == "full" else 16
            shapes.append(
                Text(
                    x=cx, y=y + height / 2 + size * 0.36, size=size, weight=600, fill=theme.ink,
                    text=shortened(text, width - 6, size, 600), anchor="middle",
                    read_by_class=True,
                )
            )  # fmt: skip
    return shapes + _positions(pair, place, view)


def _no_position(view: View) -> dict[str, Any]:
    """Return how a position looks that is not added: a click adds them again."""
    return {
        "fill": view.theme.stage, "stroke": view.theme.pos, "stroke_width": 1.6,
        "dash": (4.0, 4.0), "name": "toggle:positions" if view.controls else "",
        "title": view.captions("rt.no_position"),
    }  # fmt: skip


def _positions(pair: Pair, place: Layout, view: View) -> list[Shape]:
    """Return the blue boxes: each draws the sines of its own row of the position table."""
    theme, say = view.theme, view.captions
    top, bottom = place.positions
    half = min(place.word_width / 2, place.pitch / 2 - 1)
    if "embed.positions" not in pair.grid:
        return [
            Rect(x=cx - half, y=top, width=2 * half, height=bottom - top, radius=min(7, half),
                 **_no_position(view))
            for cx in place.columns
        ]  # fmt: skip
    table = pair.grid.value("embed.positions")
    on = theme.on(theme.pos)
    widest = max(text_width(str(i + 1), 15, 700) for i in range(len(place.columns)))
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
        x0, x1 = start + widest + 8, cx + half - (10 if place.detail == "full" else 5)
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
    labelled = _labelled(weights, place)
    y, r = place.node_y, place.node_r
    shapes: list[Shape] = []
    if place.detail == "map":
        assert place.strip is not None
        x, top, width, height = place.strip
        shapes.append(
            Rect(x=x - 1.5, y=top - 1.5, width=width + 3, height=height + 3, radius=2.5,
                 stroke=theme.ghost, dash=(4.0, 4.0))
        )  # fmt: skip
        every = -(-len(place.columns) // MAP_TOKENS)
        if every > 1:
            text = say("rt.every_state", count=every)
            shapes.append(
                Text(x=place.left, y=top + height + 18, text=text, size=14, weight=500,
                     fill=theme.ink3)
            )  # fmt: skip
        for i in sorted(labelled):
            shapes += _weight(pair, i, weights[i], strongest, place, view)
        return shapes
    if weights and place.detail == "middle" and not view.classic:
        shapes.append(
            Text(x=place.left - 6, y=y + r + 22, text=say("rt.percent_sign"), size=16, weight=500,
                 fill=theme.ink2, anchor="end")
        )  # fmt: skip
    for i, cx in enumerate(place.columns):
        t = i + 1
        known = tick >= t
        name = f"chain:rnn.h.{t}" if known else ""
        title = say("rt.state_title", index=t, word=pair.tokens[i]) if known else ""
        title = _pooled_title(title, trace.facts.width, view) if known else ""
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
        if i in labelled:
            shapes += _weight(pair, i, weights[i], strongest, place, view)
    return shapes


def _column(
    state: Numbers, cx: float, place: Layout, view: View, *, name: str, title: str
) -> Shape:
    """Return one state as a column of the strip, its first number at the top."""
    assert place.strip is not None
    _, top, _, height = place.strip
    shown = pooled(state, CELLS)
    half = place.pitch / 2 - 1
    index = tuple((str(i),) for i in range(len(state))) if len(shown) == len(state) else ()
    return Cells(
        x=cx - half, y=top, width=2 * half, height=height, name=name, title=title, index=index,
        colours=tuple((view.theme.signed_map(v),) for v in shown),
    )  # fmt: skip


def _pooled_title(title: str, numbers: int, view: View) -> str:
    """Return a title that says when a strip of cells stands for more numbers."""
    if numbers <= CELLS:
        return title
    return view.captions("rt.pooled", title=title, numbers=numbers, cells=CELLS)


def _labelled(weights: Sequence[int], place: Layout) -> set[int]:
    """Return the words whose number is written: all, or the largest that find room."""
    if place.strip is None:
        return set(range(len(weights)))
    chosen: set[int] = set()
    for i in sorted(range(len(weights)), key=lambda i: -weights[i]):
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
    x, y = cx + (8 if place.detail == "full" else 5), place.node_y + place.node_r + 22
    anchor: Literal["start", "middle"] = "start"
    if place.strip is not None:
        x, y, anchor = cx, place.strip[1] - 5, "middle"
    return [
        Text(
            x=x, y=y, text=text, size=19 if best and place.detail == "full" else 16, weight=heavy,
            fill=colour, anchor=anchor, name=name, title=title, read_by_class=True,
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
            ((place.right if place.maps else place.columns[-1] + place.node_r) + 4, middle),
            (x - 6, middle),
            theme.ink if known else theme.ghost, dash=() if known else (4.0, 4.0),
            width=3.0 if place.detail == "full" else 2.0,
        ),
    ]  # fmt: skip
    name = f"chain:rnn.h.{tokens}"
    if known:
        shapes += heat(
            trace.value(f"rnn.h.{tokens}"), place.neck, theme, name=name,
            title=_pooled_title(
                say("rt.neck_title", numbers=trace.facts.width), trace.facts.width, view
            ),
        )  # fmt: skip
    shapes += equation.shapes("h_T", x=x, y=middle + 36, size=17, fill=theme.ink, weight=600)
    beside = x + 25
    lines = say("rt.neck", numbers=trace.facts.width).split("|")
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
    if known and not view.classic:  # beside drawn numbers no computed line
        weights = [float(w) for w in trace.value("attn.pattern")]
        shares = percents(weights)
        top = place.node_y - place.node_r if place.strip is None else place.strip[1] - 18
        thickest = 5.5 if place.strip is None else 3.0
        order = sorted(range(tokens), key=lambda i: weights[i])
        for i in order:
            if tokens > 6 and weights[i] < 0.02:
                continue
            cx = place.columns[i]
            level = y - 3 + (20 if place.strip is None else 8) * (i + 0.5) / tokens
            bend = min(22.0, (x - 8 - cx) / 2)
            value = shares[i]
            commands: tuple[Command, ...] = (
                ("M", cx, top - 4), ("C", cx, level + 4, cx + 4, level, cx + bend, level),
                ("L", x - 8, level),
            )  # fmt: skip
            shapes.append(
                Path(
                    commands=commands, stroke=theme.ink2, stroke_width=1 + thickest * weights[i],
                    opacity=0.30 + 0.55 * weights[i], cap="round", hit_width=8,
                    name=f"chain:attn.pattern[{i}]",
                    title=say("rt.weight_title", index=i + 1, word=trace.tokens[i],
                              value=value),
                )
            )  # fmt: skip
    if known:
        shapes += heat(
            trace.value("attn.context"), place.context, theme, name="chain:attn.context",
            title=_pooled_title(say("rt.context_title"), trace.facts.width, view),
        )  # fmt: skip
    else:
        shapes.append(
            Rect(x=x - 1.5, y=y - 1.5, width=width + 3, height=height + 3, radius=2.5,
                 stroke=theme.ghost, dash=(4.0, 4.0))
        )  # fmt: skip
    colour = theme.ink if known else theme.ink3
    label = f"c {say('rt.asked_by')} h_{{{tokens}}}"
    shapes += equation.shapes(label, x=x, y=y + height + 21, size=17, fill=colour)
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

"""The chain: words, hidden states, the neck, and the attention that goes round it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.trace import Pair, Trace
from widgets import equation
from widgets.geometry import text_width
from widgets.glyphs import arrow, heat, shortened
from widgets.numbers import percents
from widgets.picture import Command, Ellipse, Group, Path, Rect, Shape, Text
from widgets.remember import remembered
from widgets.scenes.recurrence_attention.frame import answer
from widgets.scenes.recurrence_attention.layout import Layout, asking, box_of_word
from widgets.scenes.recurrence_attention.spread import spreads, word_titles
from widgets.scenes.recurrence_attention.states import BACK, pooled_title, states

if TYPE_CHECKING:
    from widgets.view import View


@remembered(48)
def chain(pair: Pair, tick: int, place: Layout, view: View) -> Group:
    """Return the chain with its words, neck, context and answer, as far as it is at a tick."""
    trace = pair.chain
    ticks = trace.ticks
    shapes = [
        *states(pair, tick, place, view),
        *_neck(trace, tick, place, view),
    ]
    if trace.facts.attention:
        shapes += _context(trace, tick, place, view)
    known = tick >= ticks["answer"]
    shapes += answer(trace, known, place.chain_answer, place.read, view)
    if known and tick == trace.last_tick and pair.last_tick > trace.last_tick:
        x, y, width, height = place.chain_answer
        text = view.captions("rt.done", tick=trace.last_tick)
        shapes.append(
            Text(x=x + width, y=y + height + 25, text=text, size=14, weight=500,
                 fill=view.theme.ink3, anchor="end")
        )  # fmt: skip
    return Group(shapes=tuple(shapes), cache_key=("chain", pair.key, tick, place, view))


@remembered(8)
def words(pair: Pair, place: Layout, view: View) -> Group:
    """Return the row of words and, below each, its position; they feed both sides."""
    shapes = _row(pair, place, view) if place.detail == "map" else _boxes(pair, place, view)
    shapes += spreads(pair, place, view)
    return Group(shapes=tuple(shapes), slot="words", cache_key=("words", pair.key, place, view))


def _row(pair: Pair, place: Layout, view: View) -> list[Shape]:
    """Return the words where they stand too close to be read: a cell each, two of them named."""
    theme, say = view.theme, view.captions
    top, bottom = place.words
    asks, hidden = asking(pair, view), pair.grid.hidden
    shapes: list[Shape] = []
    edge = 0.5 if place.pitch >= 6 else 0.0
    titles = word_titles(pair, len(place.columns), view)
    for i, cx in enumerate(place.columns):
        strong = i in (asks, hidden)
        wide = max(place.pitch - 2 * edge, 2.0 if strong else 0.0)
        shapes.append(
            Rect(
                x=cx - wide / 2, y=top, width=wide, height=bottom - top,
                fill=theme.ink if strong else theme.ghost if pair.unknown[i] else theme.hair,
                name=f"ask:{i}", title=titles[i],
            )
        )  # fmt: skip
    tags = [(hidden, say("rt.hidden"))]
    if asks != hidden:
        word = shortened(pair.typed[asks], 130, place.read, 600)
        tags.append((asks, say("rt.quoted", word=word)))
    spans: list[tuple[float, float]] = []
    for i, text in tags:
        if i >= len(place.columns):
            continue
        wide = text_width(text, place.read, 600)
        x = min(max(place.columns[i] - wide / 2, place.left), place.right - wide)
        if spans and x < spans[0][1] + 12 and x + wide > spans[0][0] - 12:  # beside the first tag
            beside = spans[0][1] + 12
            x = beside if beside + wide <= place.right else spans[0][0] - 12 - wide
        spans.append((x, x + wide))
        shapes.append(
            Text(x=x, y=top - 11, text=text, size=place.read, weight=600, fill=theme.ink,
                 name=f"ask:{i}", read_by_class=True)
        )  # fmt: skip
        stem = (("M", place.columns[i], top - 8), ("L", place.columns[i], top))
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
    theme = view.theme
    top, bottom = place.words
    asks = asking(pair, view)
    titles = word_titles(pair, len(place.columns), view)
    shapes: list[Shape] = []
    for i, (word, cx) in enumerate(zip(pair.typed, place.columns, strict=True)):
        hidden = i == pair.grid.hidden
        look = {
            "fill": theme.well if hidden else theme.panel,
            "stroke": theme.ink if hidden or i == asks else theme.hair2,
            "stroke_width": 1.8 if hidden or i == asks else 1.25,
            "dash": (2.0, 3.0) if pair.unknown[i] else (),
            "name": f"ask:{i}", "title": titles[i],
        }  # fmt: skip
        text = "" if hidden else word
        x, y, width, height = box_of_word(pair, i, place)
        half = width / 2
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
                    x=cx + 0.34 * place.read, y=bottom - 5, rotate=-90, size=place.read, weight=600,
                    fill=theme.ink, text=shortened(text, bottom - top - 8, place.read, 600),
                    read_by_class=True,
                )
            )  # fmt: skip
        else:
            size = max(17, place.read) if place.detail == "full" else place.read
            shapes.append(
                Text(
                    x=x + width / 2, y=y + height / 2 + size * 0.36, size=size, weight=600,
                    fill=theme.ink, text=shortened(text, width - 6, size, 600), anchor="middle",
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
    tokens = len(trace.tokens)
    known = tick >= tokens
    both = trace.facts.bidirectional
    numbers = trace.facts.width * (2 if both else 1)
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
        last = [trace.value(name.partition(":")[2])]
        if both:  # the last state of each direction: what was read from the right ends at the left
            last.append(trace.value(f"{BACK}.1"))
        shapes += heat(
            [float(v) for state in last for v in state], place.neck, theme,
            name="" if both else name, limit=1.0,
            title=pooled_title(say("rt.neck_title", numbers=numbers), numbers, view),
        )  # fmt: skip
    label = "h^{→}_T, h^{←}_1" if both else "h_T"
    shapes += equation.shapes(label, x=x, y=middle + 36, size=17, fill=theme.ink, weight=600)
    lines = say("rt.neck", numbers=numbers).split("|")
    if both:  # two letters take the place of the number
        lines = ["", say("rt.neck_both", numbers=numbers)]
    beside = x + 25
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
    tokens = len(trace.tokens)
    shapes: list[Shape] = []
    asked = any(spread.about == "asked" for spread in view.spreads)
    if known and not view.classic and not asked:  # beside other numbers no line of these
        weights = [float(w) for w in trace.value("attn.pattern")]
        shares = percents(weights)
        top = place.node_y - place.node_r
        if place.strip is not None:
            top = place.strip[1] - 2 - place.read
        thickest = 5.5 if place.strip is None else 3.0
        order = sorted(range(len(place.columns)), key=lambda i: weights[i])
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
            title=pooled_title(say("rt.context_title"), trace.facts.width, view),
        )  # fmt: skip
    else:
        shapes.append(
            Rect(x=x - 1.5, y=y - 1.5, width=width + 3, height=height + 3, radius=2.5,
                 stroke=theme.ghost, dash=(4.0, 4.0))
        )  # fmt: skip
    colour = theme.ink if known else theme.ink3
    asks = f"{say('rt.asked_by')} h_{{{tokens}}}"
    if trace.facts.bidirectional:  # the last state of each direction
        asks = say("rt.asked_by_both")
    label = f"c {asks}"
    # Up to the marker round the answer, also with four figures.
    room = place.chain_answer[0] - 11 - x
    size = min(17.0, 17 * room / equation.width(label, 17))
    shapes += equation.shapes(label, x=x, y=y + height + 21, size=size, fill=colour)
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

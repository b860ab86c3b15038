"""What does not change with the tick: title, fairness, switches and foot; and the answers' box."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from engine.trace import Pair, Trace
from widgets import equation
from widgets.geometry import text_width
from widgets.glyphs import Box, shortened, toggle, wrapped
from widgets.numbers import count, percents
from widgets.picture import Ellipse, Group, Rect, Shape, Text
from widgets.scenes.recurrence_attention.foot import depth_line, foot
from widgets.scenes.recurrence_attention.layout import Layout
from widgets.theme import mix

if TYPE_CHECKING:
    from widgets.view import View


@lru_cache(maxsize=16)
def frame(pair: Pair, place: Layout, view: View) -> Group:
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
        *foot(pair, place, view),
    ]  # fmt: skip
    if view.controls:
        shapes += _switches(pair, place, view)
    top = place.positions[1]
    shapes += [
        Text(
            x=234, y=top + 14, text="" if place.maps else say("rt.heads"), size=14, weight=500,
            fill=theme.ink3, anchor="middle",
        ),
        Text(x=place.notes, y=place.words[1] - 4, text=say("rt.tokens"), size=14, weight=500,
             fill=theme.ink3),
        Text(x=place.notes, y=place.positions[1] - 8, text=say("rt.position"), size=14,
             weight=500, fill=theme.pos_text),
        Text(x=place.edge, y=top + 12, text=say("rt.held_out"), size=14, weight=500,
             fill=theme.ink3, anchor="end"),
    ]  # fmt: skip
    if not place.maps:
        shapes += [
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
        ]  # fmt: skip
    if place.detail in ("middle", "low"):
        left_out = say(f"rt.links_{place.detail}")
        shapes.append(
            Text(x=place.notes, y=top + 12, text=left_out, size=14, weight=500, fill=theme.ink3)
        )
    return Group(shapes=tuple(shapes), slot="frame", cache_key=(pair, place, view))


def _fairness(pair: Pair, side: str, y: float, view: View) -> list[Shape]:
    """Return a side's name, its depth, and what has to be said so that the two can be compared."""
    theme, say, trace = view.theme, view.captions, pair.side(side)
    facts = trace.facts
    name = say(f"model.{facts.cell or 'transformer'}")
    depth = str(trace.depth)
    states = f"{len(trace.tokens)} × {facts.width}"
    beside = 26 + text_width(depth, 46, 700, "display") + 12
    shapes: list[Shape] = [
        Text(x=28, y=y, text=name, size=23, weight=600, family="display", fill=theme.ink,
             read_by_class=True),
        Text(x=28, y=y + 22, text=say(f"rt.{side}.order"), size=17, weight=600, fill=theme.ink2,
             read_by_class=True),
        Text(x=26, y=y + 72, text=depth, size=46, weight=700, family="display", fill=theme.ink,
             read_by_class=True),
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


def _growth(pair: Pair, side: str, view: View) -> str:
    """Return in the mark-up of equations how the depth of a side grows with the words."""
    line = depth_line(pair, side)
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
    ]
    if not place.maps:
        rows.append((place.concat[1] + 6, view.all_arcs, "arcs", say("rt.arcs_switch"), ""))
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
    return shapes


def answer(trace: Trace, known: bool, box: Box, view: View) -> list[Shape]:
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

"""What does not change with the tick: title, fairness, switches and foot; and the answers' box."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from engine.trace import Pair, Trace
from widgets import equation
from widgets.counters import ROLES, depth_line, growth_markup
from widgets.geometry import text_width
from widgets.glyphs import Box, shortened, toggle, wrapped
from widgets.hit import bounds
from widgets.numbers import MINUS, count, percents
from widgets.picture import Cells, Ellipse, Group, Rect, Shape, Text
from widgets.remember import remembered
from widgets.scenes.recurrence_attention.foot import foot
from widgets.scenes.recurrence_attention.layout import Layout
from widgets.theme import mix
from widgets.view import Switch

if TYPE_CHECKING:
    from widgets.view import View


@remembered(4)
def frame(pair: Pair, place: Layout, view: View) -> Group:
    """Return what does not change with the tick."""
    theme, say = view.theme, view.captions
    title, subtitle = say("rt.title"), say("rt.subtitle")
    beside = 28 + text_width(title, 27, 600, "display") + 22
    if view.controls and beside + text_width(subtitle, 16) + 16 > _trained_x(pair, place, view):
        subtitle = say("rt.subtitle_short")
    shapes: list[Shape] = [
        Text(
            x=28, y=46, text=title, size=27, weight=600, family="display", fill=theme.ink,
            read_by_class=True,
        ),
        Text(
            x=beside, y=46, text=subtitle, size=16, fill=theme.ink2,
        ),
        *_fairness(pair, "chain", place.context[1] + 74, place.read, view),
        *_fairness(pair, "grid", place.heads[0] + 17, place.read, view),
        *_legend(place, view),
        *foot(pair, place, view),
    ]  # fmt: skip
    if view.controls:
        shapes += _switches(pair, place, view)
    top = place.positions[1]
    shapes += [
        Text(
            x=246, y=top + 14, text="" if place.maps else say("rt.heads"), size=14, weight=500,
            fill=theme.ink3, anchor="end",
        ),
        Text(x=place.notes, y=place.words[1] - 4, text=say("rt.tokens"), size=14, weight=500,
             fill=theme.ink3),
        Text(x=place.notes, y=place.positions[1] - 8, size=14, weight=500, fill=theme.pos_text,
             text="" if _has(view, "positions") else say("rt.position")),
        Text(x=place.edge, y=top + 12, text=say("rt.held_out"), size=14, weight=500,
             fill=theme.ink3, anchor="end", name=ROLES, title=say("rt.held_out_title")),
    ]  # fmt: skip
    if not place.maps:
        y = place.words[1] - 4
        shapes += [
            Ellipse(cx=place.notes + 92, cy=y - 5, rx=8, ry=8, fill=theme.ink2),
            Text(x=place.notes + 92, y=y, text="?", size=14, weight=700, fill=theme.stage,
                 anchor="middle"),
            Text(x=place.notes + 106, y=y, text=say("rt.asks"), size=14, weight=500,
                 fill=theme.ink3),
            Ellipse(cx=place.notes + 156, cy=y - 5, rx=7, ry=7, fill=theme.stage,
                    stroke=theme.ink2, stroke_width=2),
            Ellipse(cx=place.notes + 156, cy=y - 5, rx=2.8, ry=2.8, fill=theme.ink2),
            Text(x=place.notes + 169, y=y, text=say("rt.looked_at"), size=14, weight=500,
                 fill=theme.ink3),
        ]  # fmt: skip
    if place.detail in ("middle", "low"):
        left_out = say(f"rt.links_{place.detail}")
        shapes.append(
            Text(x=place.notes, y=top + 12, text=left_out, size=14, weight=500, fill=theme.ink3)
        )
    return Group(shapes=tuple(shapes), slot="frame", cache_key=(pair.key, place, view))


@remembered(4)
def counter_mark(pair: Pair, place: Layout, view: View, name: str) -> tuple[Shape, ...]:
    """Return the bar beside a counter that is open; a ring would cross the lines next to it."""
    texts = [
        shape
        for shape in frame(pair, place, view).shapes
        if isinstance(shape, Text) and shape.name == name
    ]
    if not texts:
        return ()
    left = min(box[0] for text in texts if (box := bounds(text)) is not None)
    top = min(text.y - 0.78 * text.size for text in texts)
    bottom = max(text.y + 0.06 * text.size for text in texts)
    return (Rect(x=left - 10, y=top, width=4, height=bottom - top, radius=2, fill=view.theme.ink),)


def _legend(place: Layout, view: View) -> list[Shape]:
    """Return what the colours of a state's numbers mean: the signed map with its ends."""
    theme, say = view.theme, view.captions
    x, y, bar = place.notes, place.words[1] - 22, 56.0
    ramp = theme.signed_ramp
    colours = tuple(ramp[round(i * (len(ramp) - 1) / 20)] for i in range(21))
    low = f"{MINUS}1"
    left = x + text_width(low, 14, 500) + 6
    return [
        Text(x=x, y=y, text=low, size=14, weight=500, fill=theme.ink3),
        Cells(x=left, y=y - 10, width=bar, height=10, colours=(colours,),
              title=say("rt.legend_title")),
        Text(x=left + bar + 6, y=y, text=say("rt.legend"), size=14, weight=500, fill=theme.ink3),
    ]  # fmt: skip


def _fairness(pair: Pair, side: str, y: float, read: float, view: View) -> list[Shape]:
    """Return a side's name, its depth, and what has to be said so that the two can be compared."""
    theme, say, trace = view.theme, view.captions, pair.side(side)
    facts = trace.facts
    name = say(f"model.{facts.cell or 'transformer'}")
    depth = str(trace.depth)
    states = f"{len(trace.tokens)} × {facts.width * (2 if facts.bidirectional else 1)}"
    beside = 26 + text_width(depth, 46, 700, "display") + 12
    title = say("count.title.depth", side=name, value=depth)
    growth = equation.shapes(_growth(pair, side, view), x=beside, y=y + 72, size=16, fill=theme.ink)
    opens = f"count:{side}:depth"
    shapes: list[Shape] = [
        Text(x=28, y=y, text=name, size=23, weight=600, family="display", fill=theme.ink,
             read_by_class=True),
        Text(x=28, y=y + 22, text=say(f"rt.{side}.order"), size=max(17, read), weight=600,
             fill=theme.ink2, read_by_class=True),
        Text(x=26, y=y + 72, text=depth, size=46, weight=700, family="display", fill=theme.ink,
             read_by_class=True, name=opens, title=title),
        Text(x=beside, y=y + 52, text=say("rt.depth"), size=15, weight=500, fill=theme.ink2,
             name=opens, title=title),
        *(replace(text, name=opens, title=title) for text in growth),
    ]  # fmt: skip
    parameters = count(facts.parameters)
    memory = [say("rt.memory", what=facts.memory)]
    if facts.attention:
        memory.append(say("rt.memory_states", count=states))
    line = y + 95
    for what, value, lines in (
        ("", "", wrapped(say("rt.sees", what=facts.sees), 188, 14)),
        ("parameters", parameters, [say("rt.parameters", count=parameters)]),
        ("memory", facts.memory, memory),
    ):
        opens = f"count:{side}:{what}" if what else ""
        title = say(f"count.title.{what}", side=name, value=value) if what else ""
        for text in lines:
            shapes.append(
                Text(x=28, y=line, text=text, size=14, fill=theme.ink2, name=opens, title=title)
            )
            line += 17
    return shapes


def _growth(pair: Pair, side: str, view: View) -> str:
    """Return in the mark-up of equations how the depth of a side grows with the words."""
    line = depth_line(pair, side)
    return "" if line is None else growth_markup(line, view.captions("rt.any_t"))


def _switches(pair: Pair, place: Layout, view: View) -> list[Shape]:
    """Return what can be switched on the stage; a figure has none of it."""
    top, bottom = place.context[1] - 85, place.concat[1]
    places = {
        "attention": (28.0, 74 + top), "both": (28.0, 96 + top), "classic": (28.0, 118 + top),
        "arcs": (28.0, bottom + 1), "causal": (28.0, bottom + 24),
        "positions": (place.notes, place.positions[0] + 4),
        "trained": (_trained_x(pair, place, view), 30.0),
    }  # fmt: skip
    own = [Switch("classic", view.classic)]
    if not place.maps:
        own.append(Switch("arcs", view.all_arcs))
    shapes: list[Shape] = []
    for switch in (*view.switches, *own):
        x, y = places[switch.name]
        shapes += _switch(switch, x, y, view)
    return shapes


def _trained_x(pair: Pair, place: Layout, view: View) -> float:
    """Return where the switch of the weights stands: beside the clock's pill at its widest."""
    say = view.captions
    tick = "scene.tick_predict" if view.predicting else "scene.tick"
    pill = text_width(say(tick, tick=pair.last_tick), max(17, place.read), 600) + 32
    words = text_width(f"{say('rt.switch.trained')} {say('rt.off')}", 14, 700)
    return min(place.left + 592, place.edge - pill - 20 - 40 - words)


def _has(view: View, name: str) -> bool:
    """Return whether a switch of a name is drawn."""
    return view.controls and any(switch.name == name for switch in view.switches)


def _switch(switch: Switch, x: float, y: float, view: View) -> list[Shape]:
    """Return one switch with its words, and what it is set to."""
    theme, say = view.theme, view.captions
    text, state = say(f"rt.switch.{switch.name}"), say("rt.on" if switch.on else "rt.off")
    grey = theme.ink3 if switch.reason else None
    title = switch.reason or f"{text} {state}"
    return [
        *toggle(x, y, switch.on, theme, name=f"toggle:{switch.name}", title=title),
        Text(x=x + 40, y=y + 14, text=text, size=14, weight=500, fill=grey or theme.ink2),
        Text(x=x + 40 + text_width(text + " ", 14, 500), y=y + 14, text=state, size=14, weight=700,
             fill=grey or theme.ink),
    ]  # fmt: skip


def answer(trace: Trace, known: bool, box: Box, read: float, view: View) -> list[Shape]:
    """Return a side's three likeliest words; each row's bar is as long as it is likely.

    ``read`` is the least size of what the class must read.
    """
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
        size = max(16.5, read)
        base = top + pitch / 2 + 0.36 * size
        first = row == 0
        value = everything[places[word]]
        text = say("rt.percent", value=value)
        name = f"{side}:answer.probabilities[{places[word]}]"
        title = say("rt.word_title", word=word, value=value)
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

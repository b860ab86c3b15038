"""Against T: dependent steps, FLOPs and time of one layer, recurrent and attending."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from engine.crossover import quicker_at
from engine.race import LAYERS, LENGTHS
from engine.race_lengths import counted
from widgets import numbers
from widgets.glyphs import Box, line, shortened
from widgets.picture import Rect, Shape, Text
from widgets.scenes.cpu_gpu.layout import EDGE, NOTE, Place
from widgets.scenes.cpu_gpu.parts import Scale, decades, mark
from widgets.scenes.cpu_gpu.subject import Race

if TYPE_CHECKING:
    from widgets.captions import Captions
    from widgets.view import View

MARKS = {"elman": "circle", "gru": "square", "attention": "triangle"}
WHATS = ("steps", "flops", "seconds")

Values = Mapping[tuple[str, int], float]  # by layer and tokens


def lengths(subject: Race, tick: float, place: Place, view: View) -> list[Shape]:
    """Return three plots side by side, and what they say in a sentence each."""
    drawn: list[Shape] = []
    for what, box in zip(WHATS, place.lengths, strict=True):
        drawn += _plot(subject, what, box, tick, place, view)
    base = place.foot + place.read + 6
    said = messages(subject, view.captions)
    for i, words in enumerate(said):
        text = shortened(words, place.edge - EDGE, place.read, 600)
        drawn.append(
            Text(x=EDGE, y=base - (len(said) - 1 - i) * (place.read + 5), text=text,
                 size=place.read, weight=600, fill=view.theme.ink, read_by_class=True)
        )  # fmt: skip
    return drawn


def messages(subject: Race, say: Captions) -> tuple[str, ...]:
    """Return what is always true, and what was measured here."""
    rows = () if subject.measured is None else subject.measured.lengths
    steps = max(row.steps for row in counted() if row.layer == LAYERS[-1])
    said = [say("race.fewer_steps", steps=steps)]
    if not any(row.layer == LAYERS[-1] for row in rows):
        return (*said, say("race.time_not_measured"))
    where = {other: _where(*quicker_at(rows, other), say) for other in LAYERS[:-1]}
    said.append(say("race.faster_where", **where))
    return tuple(said)


def _where(quicker: Sequence[int], timed: Sequence[int], say: Captions) -> str:
    """Return at which lengths in words: everywhere, nowhere, from … to …, or each of them."""
    if not quicker:
        return say("race.nowhere")
    if len(quicker) == len(timed):
        return say("race.everywhere", last=timed[-1])
    first, last = timed.index(quicker[0]), timed.index(quicker[-1])
    if last - first + 1 == len(quicker):
        if first == last:
            return say("race.at_t", first=quicker[0])
        return say("race.from_to", first=quicker[0], last=quicker[-1])
    return say("race.at_t", first=", ".join(map(str, quicker)))


def values(subject: Race, what: str) -> Values:
    """Return one of ``WHATS`` of every layer and length: counted, or measured where it was."""
    if what != "seconds":
        return {(row.layer, row.tokens): getattr(row, what) for row in counted()}
    rows = () if subject.measured is None else subject.measured.lengths
    return {(row.layer, row.tokens): row.seconds for row in rows}


def number(value: float | None, what: str, say: Captions) -> str:
    """Return a value of ``what`` as it is said; None: that it was not measured."""
    if value is None:
        return say("race.length_not_timed")
    if what == "seconds":
        return numbers.seconds(value)
    return numbers.exact(int(value)) if what == "steps" else numbers.count(int(value))


def _plot(subject: Race, what: str, box: Box, tick: float, place: Place, view: View) -> list[Shape]:
    theme, say = view.theme, view.captions
    x, y, width, height = box
    colours = {"elman": theme.ink3, "gru": theme.ink2, "attention": theme.ink}
    drawn: list[Shape] = [
        Text(x=x - 56, y=y - 14, text=say(f"race.against.{what}"), size=place.read, weight=600,
             fill=theme.ink, read_by_class=True),
        *line([(x, y + height), (x + width, y + height)], theme.hair2, 1.0),
    ]  # fmt: skip
    across = Scale(LENGTHS[0], LENGTHS[-1], x, x + width)
    for T in LENGTHS[::2]:
        drawn.append(Text(x=across.at(T), y=y + height + 19, text=str(T), size=NOTE, weight=500,
                          fill=theme.ink2, anchor="middle"))  # fmt: skip
    drawn.append(Text(x=x + width + 24, y=y + height + 19, text="T", size=NOTE, italic=True,
                      weight=500, fill=theme.ink))  # fmt: skip
    known = values(subject, what)
    if not known:
        drawn.append(Text(x=x + width / 2, y=y + height / 2, text=say("race.not_measured"),
                          size=place.read, weight=500, fill=theme.ink2, anchor="middle",
                          read_by_class=True))  # fmt: skip
        return drawn
    low, high = decades(list(known.values()))
    up = Scale(low, high, y + height, y)
    count = round(math.log10(high / low))
    every = math.ceil(count * 19 / height)
    for i in range(0, count + 1, every):
        value = low * 10**i
        py = up.at(value)
        drawn += line([(x, py), (x + width, py)], theme.hair2 if i == 0 else theme.hair, 1.0)
        words = (
            numbers.seconds(value * 1.0000001) if what == "seconds" else numbers.count(round(value))
        )
        drawn.append(Text(x=x - 8, y=py + 5, text=words, size=NOTE, weight=500, fill=theme.ink2,
                          anchor="end"))  # fmt: skip
    T = subject.length(tick)
    px = across.at(T)
    drawn += [
        *line([(px, y), (px, y + height)], theme.now, 6.0),
        *line([(px, y), (px, y + height)], theme.now_line, 1.6),
    ]
    ends: list[tuple[float, str]] = []
    for layer in LAYERS:
        own = sorted((t, value) for (whose, t), value in known.items() if whose == layer)
        points = [(across.at(t), up.at(value)) for t, value in own]
        drawn += line(points, colours[layer], 2.4)
        for (t, value), (cx, cy) in zip(own, points, strict=True):
            name = f"length:{layer}:{t}"
            title = say(
                f"race.length_title.{what}", layer=say(f"race.layer.{layer}"), tokens=t,
                value=number(value, what, say),
            )  # fmt: skip
            drawn.append(mark(MARKS[layer], cx, cy, colours[layer], theme.stage, hollow=False,
                              name=name, title=title))  # fmt: skip
            if view.selected == name:
                drawn.append(Rect(x=cx - 9, y=cy - 9, width=18, height=18, radius=9,
                                  stroke=theme.ink, stroke_width=2))  # fmt: skip
        if points:
            ends.append((points[-1][1], layer))
    return [*drawn, *_names(known, what, ends, (x + width + 12, y, height), T, place, view)]


def _names(
    known: Values, what: str, ends: list[tuple[float, str]], column: tuple[float, float, float],
    T: int, place: Place, view: View,
) -> list[Shape]:  # fmt: skip
    """Return the names of the lines behind their ends, with their numbers at the T of now."""
    theme, say = view.theme, view.captions
    x, top, height = column
    pitch = 2 * place.read + 8
    drawn: list[Shape] = []
    least = top + 4
    ends = sorted(ends)
    for i, (y, layer) in enumerate(ends):
        most = top + height - (len(ends) - 1 - i) * pitch - place.read - 2
        y = min(max(y, least), most)
        least = y + pitch
        colour = {"elman": theme.ink3, "gru": theme.ink2}.get(layer, theme.ink)
        drawn += [
            mark(MARKS[layer], x + 4, y - 1, colour, theme.stage, hollow=False, name="", title=""),
            Text(x=x + 14, y=y + 5, text=say(f"race.layer.{layer}"), size=place.read, weight=600,
                 fill=colour, read_by_class=True),
            Text(x=x + 14, y=y + 8 + place.read, text=number(known.get((layer, T)), what, say),
                 size=place.read, weight=500, fill=colour, read_by_class=True),
        ]  # fmt: skip
    return drawn

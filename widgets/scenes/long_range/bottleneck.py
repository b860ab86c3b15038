"""Whole answers against length: what has to go through one state of a fixed size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.laboratory import BREAKS_AT, Bottleneck, Curve
from widgets.geometry import text_width
from widgets.glyphs import Box, line
from widgets.numbers import NBSP
from widgets.picture import Rect, Shape
from widgets.scenes.long_range.layout import Place
from widgets.scenes.long_range.parts import To, band, cross, mark, now_line, ring, words
from widgets.scenes.long_range.subject import Laboratory

if TYPE_CHECKING:
    from widgets.captions import Captions
    from widgets.view import View

MARKS = {
    "rnn": "circle", "gru": "square", "lstm": "triangle", "gru-luong": "diamond",
    "transformer": "circle",
}  # fmt: skip
INKS = {"rnn": "ink3", "gru": "ink3", "lstm": "ink3", "gru-luong": "ink2", "transformer": "ink"}
NAMES = 18.5  # letters' sizes of the column with the names at the right
AXIS = 52.0  # px left of the plot


def plot_of(place: Place) -> Box:
    """Return the box of the plot."""
    x, y, width, height = place.body
    wide = width - AXIS - NAMES * place.read
    return (x + AXIS, y + place.read + 18, wide, height - place.read - 18 - 44)


def percent(share: float) -> str:
    """Return a share as a per cent that says 0 and 100 of nothing else."""
    if 0 < share < 0.01 or 0.99 < share < 1:
        return f"{100 * share:.1f}{NBSP}%"
    return f"{100 * share:.0f}{NBSP}%"


def bottleneck(subject: Laboratory, tick: float, place: Place, view: View) -> list[Shape]:
    """Return a line for each model, with the spread over trainings, and where each breaks."""
    found = subject.bottleneck
    assert found is not None
    theme, say = view.theme, view.captions
    box = plot_of(place)
    x, y, width, height = box
    first, last = found.lengths[0], found.lengths[-1]

    def across(n: float) -> float:
        return x + (n - first) / (last - first) * width

    def up(share: float) -> float:
        return y + (1 - share) * height

    n, trained = subject.length(tick), across(found.longest_trained + 0.5)
    drawn: list[Shape] = [
        Rect(x=trained, y=y - 8, width=x + width - trained + 10, height=height + 8, fill=theme.well,
             radius=4)
    ]  # fmt: skip
    unseen = say("lab.never_seen")
    drawn.append(words(trained + 8, y - 18, unseen, view, weight=500, width=x + width - trained))
    drawn.append(words(x - AXIS, y - 20, say("lab.whole_right"), view, size=place.read, weight=600,
                       ink="ink", read=True))  # fmt: skip
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        colour = theme.hair2 if share in (0.0, BREAKS_AT) else theme.hair
        drawn += line([(x, up(share)), (x + width + 10, up(share))], colour)
        drawn.append(words(x - 10, up(share) + 5, f"{100 * share:.0f}", view, weight=500,
                           anchor="end"))  # fmt: skip
    for length in found.lengths[::2]:
        on = length == n
        drawn.append(words(across(length), y + height + 20, str(length), view, anchor="middle",
                           weight=700 if on else 500, ink="ink" if on else "ink2"))  # fmt: skip
    drawn.append(words(x, y + height + 40, say("lab.digits_axis"), view, weight=500))
    drawn += now_line(across(n), y - 8, y + height, view)
    for curve in found.curves:
        drawn += _curve(curve, across, up, view)
    drawn += _crosses(found, across, up, view)
    drawn += _names(found, n, place, view)
    return drawn


def _curve(curve: Curve, across: To, up: To, view: View) -> list[Shape]:
    theme, say = view.theme, view.captions
    colour = getattr(theme, INKS[curve.model])
    thick = 3.4 if curve.model == "transformer" else 2.2
    drawn: list[Shape] = []
    spread = curve.spread if curve.others else ()
    drawn += band(
        [(across(n), up(high)) for n, _, high in spread],
        [(across(n), up(low)) for n, low, _ in spread], colour,
    )  # fmt: skip
    points = [(across(n), up(share)) for n, share in curve.measured]
    drawn += line(points, colour, thick)
    for (n, share), (px, py) in zip(curve.measured, points, strict=True):
        name = f"point:{curve.model}:{n}"
        title = say("lab.point_title", model=curve.title, n=n, share=percent(share))
        drawn.append(mark(MARKS[curve.model], px, py, colour, theme.stage, name=name, title=title))
        if view.selected == name:
            drawn.append(ring((px - 5, py - 5, 10, 10), view))
    return drawn


def _crosses(found: Bottleneck, across: To, up: To, view: View) -> list[Shape]:
    """Return a cross where each model breaks."""
    drawn: list[Shape] = []
    for curve in found.curves if found.complete else ():
        if curve.breaks is not None:
            share = dict(curve.measured)[curve.breaks]
            drawn.append(cross(across(curve.breaks), up(share), view.theme.stage, 6.5, 5.0))
            drawn.append(cross(across(curve.breaks), up(share), view.theme.ink))
    return drawn


def _names(found: Bottleneck, n: int, place: Place, view: View) -> list[Shape]:
    """Return what each line is called, what it is at the length of now, and where it breaks."""
    theme, say = view.theme, view.captions
    box_x, _, _, _ = place.body
    x, y, width, height = plot_of(place)
    left, right = x + width + 34, place.edge
    drawn: list[Shape] = [
        words(right, y - 20, say("lab.at_digits", n=n), view, size=place.read, weight=600,
              ink="ink", anchor="end", read=True)
    ]  # fmt: skip
    pitch = min((height + 30) / len(found.curves), 5 * place.read)
    for i, curve in enumerate(reversed(found.curves)):
        top = y + i * pitch + place.read
        ink = INKS[curve.model]
        share = dict(curve.measured).get(n)
        number = "—" if share is None else percent(share)
        room = right - left - 18 - text_width("100 %", place.read + 2, 700) - 8
        name, title = f"curve:{curve.model}", say("lab.curve_title", model=curve.title)
        drawn += [
            mark(MARKS[curve.model], left + 4, top - 5, getattr(theme, ink), theme.stage),
            words(left + 16, top, short(curve), view, size=place.read, weight=600, ink="ink",
                  width=room, read=True, name=name, title=title),
            words(right, top, number, view, size=place.read + 2, weight=700, ink="ink",
                  anchor="end", read=True),
            words(left + 16, top + place.read + 4, breaks_words(curve, found, say), view,
                  size=place.read, ink="ink2", width=right - left - 16, read=True),
        ]  # fmt: skip
        if pitch > 3 * place.read + 8:
            memory = say("lab.memory", memory=curve.memory)
            drawn.append(words(left + 16, top + 2 * place.read + 5, memory, view,
                               width=right - left - 16))  # fmt: skip
        if view.selected == name:
            drawn.append(ring((left - 6, top - place.read - 2, right - left + 10,
                               2 * place.read + 14), view))  # fmt: skip
    return drawn


def short(curve: Curve) -> str:
    """Return what a model is called, without what stands in brackets."""
    return curve.title.partition(" (")[0]


def breaks_words(curve: Curve, found: Bottleneck, say: Captions) -> str:
    """Return where a model breaks, and where its trainings from other seeds do."""
    if not found.complete:
        return say("lab.not_yet")
    if curve.breaks is None:
        return say("lab.holds_all", last=found.lengths[-1])
    others = sorted({n for n in (*curve.others_break, curve.breaks) if n is not None})
    if len(others) > 1:
        return say("lab.breaks_seeds", n=curve.breaks, low=others[0], high=others[-1])
    return say("lab.breaks", n=curve.breaks)


def messages(found: Bottleneck, say: Captions) -> tuple[str, ...]:
    """Return what was found, in at most two sentences: who breaks within training, who beyond."""
    if not found.complete:
        done = sum(len(curve.measured) for curve in found.curves)
        return (say("lab.measuring", done=done, all=len(found.curves) * len(found.lengths)),)
    longest = found.longest_trained
    inside = [c for c in found.curves if c.breaks is not None and c.breaks <= longest]
    beyond = [c for c in found.curves if c.breaks is not None and c.breaks > longest]
    never = [c for c in found.curves if c.breaks is None]

    def listed(curves: list[Curve]) -> str:
        return ", ".join(say("lab.at_length", model=short(c), n=c.breaks) for c in curves)

    kept = ", ".join(short(c) for c in (*beyond, *never))
    said = []
    if inside and kept:
        said.append(say("lab.bottleneck_both", broken=listed(inside), kept=kept, longest=longest))
    elif inside:
        said.append(say("lab.bottleneck_all", broken=listed(inside), longest=longest))
    elif kept:
        said.append(say("lab.bottleneck_none", kept=kept, longest=longest))
    if beyond:
        said.append(say("lab.bottleneck_beyond", broken=listed(beyond), longest=longest))
    return tuple(said)

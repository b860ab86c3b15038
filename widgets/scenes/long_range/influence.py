"""How strongly each word moves the answer and over how many operations; how a gradient fades."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from engine.fading import Fading
from engine.laboratory import (
    Reach,
)
from widgets import numbers
from widgets.geometry import text_width
from widgets.glyphs import Box, line, marker
from widgets.picture import Group, Rect, Shape
from widgets.scenes.long_range.layout import NOTE, Place
from widgets.scenes.long_range.parts import (
    band,
    mark,
    ring,
    segments,
    slider,
    words,
)
from widgets.scenes.long_range.subject import (
    MATRICES,
    MOST_WORDS,
    RADII_SHOWN,
    Fades,
    Laboratory,
)

if TYPE_CHECKING:
    from widgets.captions import Captions
    from widgets.view import View

SIDES = ("chain", "grid")
PART = 0.53  # of the body, for the sentence
POINTS = (1, 2, 4, 8, 16, 32, 64, 128)  # reads that can be opened
# Of ten, at the ends of the gradients' axis: the nearest that hold all medians.
LOWS, HIGHS = (-12, -24, -48), (6, 12, 42)
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def influence(subject: Laboratory, tick: float, place: Place, view: View) -> list[Shape]:
    """Return the bars of chain and grid along the sentence, and the gradients beside them."""
    assert subject.reach is not None
    x, y, width, height = place.body
    half = PART * width
    each = height / 2
    drawn: list[Shape] = []
    for i, (side, reach) in enumerate(zip(SIDES, subject.reach, strict=True)):
        box: Box = (x, y + i * each, half, each - 12)
        drawn += _bars(side, reach, seen(reach, tick), tick, box, place, view)
    middle = x + half + 24
    drawn += line([(middle, y + 2), (middle, y + height - 8)], view.theme.hair)
    # Nothing of it moves with the tick: it is made once.
    box = (middle + 22, y, place.edge - middle - 22, height)
    still = _fades(subject, box, place, view._replace(hovered=""))
    return [*drawn, still]


def seen(reach: Reach, tick: float) -> tuple[bool, ...]:
    """Return to which words the gradient has come at a tick.

    A chain's goes back one state a tick, the answering word's first; a grid's comes to all at once.
    """
    count, done = len(reach.words), math.floor(tick)
    if reach.kind == "grid":
        return (done >= 1,) * count
    return tuple(count - t <= done for t in range(count))


def path_words(reach: Reach, t: int, say: Captions) -> str:
    """Return over how many operations a word reaches the answer, the fewest and the most."""
    low, high = reach.shortest[t], reach.longest[t]
    if low is None or high is None:
        return say("lab.no_way")
    return str(low) if low == high else f"{low}–{high}"


def _bars(
    side: str, reach: Reach, known: Sequence[bool], tick: float, box: Box, place: Place, view: View
) -> list[Shape]:
    theme, say = view.theme, view.captions
    x, y, width, height = box
    count = min(len(reach.words), MOST_WORDS)
    left, pitch = x, width / count
    head = say(f"lab.side.{side}", model=reach.title)
    answer = say("lab.answers", word=reach.answered)
    size = place.read
    drawn: list[Shape] = [
        words(x, y + size, head, view, size=size + 1, weight=600, ink="ink", read=True,
              width=width - text_width(answer, size, 500) - 16),
        words(x + width, y + size, answer, view, size=size, weight=500, anchor="end", read=True),
    ]  # fmt: skip
    used = text_width(head, size + 1, 600) + text_width(answer, size, 500) + 40
    note = say("lab.bars_note")
    if text_width(note, NOTE) <= width - used:
        drawn.append(words(x + text_width(head, size + 1, 600) + 14, y + size, note, view))
    foot = y + height - 2 * size - 12
    top = y + 2 * size + 16
    full = foot - top
    wide = min(0.62 * pitch, 46.0)
    most = max(reach.share) or 1.0
    percents = numbers.percents(reach.share) if any(reach.share) else (0,) * len(reach.share)
    drawn += line([(left, foot), (x + width, foot)], theme.hair2)
    # Of one row all are of one size, and all are shorter where one has no room.
    room = pitch - 6
    shares, of_share = _row([f"{it} %" for it in percents], list(map(str, percents)), size, room)
    labels, of_word = _row(list(reach.words), [str(t + 1) for t in range(count)], size, room)
    if pitch >= 46:
        labels = list(reach.words)
    ways, of_way = _row(
        [path_words(reach, t, say) for t in range(count)],
        [str(reach.longest[t] or "—") for t in range(count)], size, room,
    )  # fmt: skip
    now = [t for t in range(count) if reach.kind == "chain" and count - t == math.floor(tick)]
    for t in range(count):
        middle = left + (t + 0.5) * pitch
        name = f"reach:{side}:{t}"
        title = say("lab.reach_title", word=reach.words[t], share=percents[t],
                    way=path_words(reach, t, say))  # fmt: skip
        high = full * reach.share[t] / most
        if known[t]:
            tall = max(high, 1.5)
            drawn.append(Rect(x=middle - wide / 2, y=foot - tall, width=wide, height=tall,
                              radius=min(3.0, wide / 2, tall / 2), fill=theme.ink))  # fmt: skip
            if pitch >= 30:
                drawn.append(words(middle, foot - high - 7, shares[t], view, size=of_share,
                                   weight=600, ink="ink", anchor="middle",
                                   read=of_share == size))  # fmt: skip
        else:
            drawn.append(Rect(x=middle - wide / 2, y=foot - 0.45 * full, width=wide,
                              height=0.45 * full, radius=3, stroke=theme.ghost, stroke_width=1.2,
                              dash=(4.0, 4.0)))  # fmt: skip
        if pitch >= 30:
            drawn.append(words(middle, foot + size + 4, labels[t], view, size=of_word, weight=600,
                               ink="ink", anchor="middle", width=pitch - 4,
                               read=of_word == size))  # fmt: skip
        if known[t] and pitch >= 30:
            drawn.append(words(middle, foot + 2 * size + 8, ways[t], view, size=of_way,
                               anchor="middle", read=of_way == size))  # fmt: skip
        area: Box = (middle - pitch / 2 + 1, top - size - 6, pitch - 2, full + 3 * size + 16)
        drawn.append(Rect(x=area[0], y=area[1], width=area[2], height=area[3], name=name,
                          title=title))  # fmt: skip
        if view.selected == name:
            drawn.append(ring((middle - wide / 2 - 3, foot - full, wide + 6, full), view))
        if t in now and pitch >= 24:
            drawn += marker((middle - pitch / 2 + 2, top - size - 8, pitch - 4,
                             full + 3 * size + 25), theme)  # fmt: skip
    if reach.kind == "grid" and math.floor(tick) == 1:
        drawn += marker((left - 2, top - size - 8, width + 4, full + 3 * size + 25), theme)
    return drawn


def _row(texts: list[str], shorter: list[str], size: float, room: float) -> tuple[list[str], float]:
    """Return a row's texts and their size: large, else as notes, else the shorter ones."""
    for each in (size, NOTE):
        if max(text_width(text, each, 600) for text in texts) <= room:
            return texts, each
    return shorter, NOTE


@lru_cache(maxsize=16)
def _fades(subject: Laboratory, box: Box, place: Place, view: View) -> Group:
    """Return what is left of a gradient against T on a log axis, and the slider of the radius."""
    say = view.captions
    x, y, width, height = box
    size = place.read
    drawn: list[Shape] = [
        words(x, y + size, say("lab.fading"), view, size=size + 1, weight=600, ink="ink", read=True,
              width=width)
    ]  # fmt: skip
    radius = say("lab.radius", radius=f"{subject.radius:g}")
    drawn.append(words(x, y + 2 * size + 10, radius, view, size=size, weight=600, ink="ink",
                       read=True))  # fmt: skip
    row = y + 2 * size + 20
    if view.controls:
        at = (subject.radius - RADII_SHOWN[0]) / (RADII_SHOWN[1] - RADII_SHOWN[0])
        drawn += slider((x + 14, row, width - 30, 46), "radius", [str(it) for it in RADII_SHOWN],
                        at, say("lab.radius_title"), view, every=5)  # fmt: skip
        row += 50
        offers = [(id, say(f"lab.matrix.{id}")) for id in MATRICES]
        drawn += segments(x, row, "matrix", offers, MATRICES[subject.orthogonal],
                          say("lab.matrix"), place, view)  # fmt: skip
        row += 44
    else:
        matrix = say(f"lab.matrix.{MATRICES[subject.orthogonal]}")
        drawn.append(words(x, row + size - 2, say("lab.matrix_is", matrix=matrix), view, size=size))
        row += size + 10
    plot: Box = (x + 58, row + 14, width - 62 - 8, y + height - row - 14 - 42)
    drawn += _plot(subject, plot, place, view)
    return Group(shapes=tuple(drawn), slot="fades", cache_key=(subject, box, place, view))


def _plot(subject: Laboratory, box: Box, place: Place, view: View) -> list[Shape]:
    theme, say = view.theme, view.captions
    x, y, width, height = box
    fades = subject.fade()
    low, high = _exponents(fades)

    def up(value: float) -> float:
        exponent = math.log10(value) if value > 0 else -math.inf
        return y + height * (high - min(max(exponent, low), high)) / (high - low)

    def across(reads: int) -> float:
        return x + width * (reads - 1) / (POINTS[-1] - 1)

    drawn: list[Shape] = []
    every = max(3, 3 * math.ceil((high - low) / 3 / max(height / 34, 1)))
    for exponent in range(-every * (-low // every), high + 1, every):
        py = up(10.0**exponent)
        drawn += line([(x, py), (x + width, py)], theme.hair2 if exponent == 0 else theme.hair)
        label = "1" if exponent == 0 else f"10{str(exponent).translate(SUPERSCRIPT)}"
        drawn.append(words(x - 8, py + 5, label, view, weight=500, anchor="end"))
    for reads in (1, 32, 64, 96, 128):
        drawn.append(words(across(reads), y + height + 19, str(reads), view, weight=500,
                           anchor="middle"))  # fmt: skip
    drawn.append(words(x - 8, y + height + 37, say("lab.reads_axis"), view, weight=500))
    if fades is None:
        drawn.append(words(x + width / 2, y + height / 2, say("lab.fades_awaited"), view,
                           size=place.read, anchor="middle"))  # fmt: skip
        return drawn
    named = (("tanh", fades.tanh, theme.ink, "circle"),
             ("linear", fades.linear, theme.ink3, "square"))  # fmt: skip
    ends: dict[str, float] = {}
    for kind, fading, colour, shape in named:
        median = fading.median
        drawn += band([(across(t), up(most)) for t, (_, most) in enumerate(fading.spread, 1)],
                      [(across(t), up(least)) for t, (least, _) in enumerate(fading.spread, 1)],
                      colour)  # fmt: skip
        drawn += line([(across(t), up(left)) for t, left in enumerate(median, 1)], colour, 2.6)
        for t in POINTS:
            value = median[t - 1]
            name = f"fade:{kind}:{t}"
            title = say("lab.fade_title", kind=say(f"lab.fade.{kind}"), reads=t,
                        value=numbers.value(value))  # fmt: skip
            cx, cy = across(t), up(value)
            drawn.append(mark(shape, cx, cy, colour, theme.stage, name=name, title=title))
            if view.selected == name:
                drawn.append(ring((cx - 5, cy - 5, 10, 10), view))
        ends[kind] = up(median[POINTS[-2] - 1])
    # A name stands on its line at 64 reads; where both lines are near, one below the other.
    upper, lower = sorted(ends, key=ends.__getitem__)
    gap = place.read + 8
    spots = {upper: ends[upper] - 10, lower: max(ends[lower] - 10, ends[upper] - 10 + gap)}
    for kind, spot in spots.items():
        base = min(max(spot, y + place.read), y + height - 4)
        if kind == upper:
            base = min(base, y + height - 6 - gap)
        label = say(f"lab.fade.{kind}")
        left = across(70)
        wide = text_width(label, place.read, 600)
        drawn += [
            Rect(x=left - 4, y=base - 0.8 * place.read - 1, width=wide + 8,
                 height=1.1 * place.read + 3, radius=4, fill=theme.stage, opacity=0.86),
            words(left, base, label, view, size=place.read, weight=600,
                  ink="ink" if kind == "tanh" else "ink2", read=True),
        ]  # fmt: skip
    return drawn


def _exponents(fades: Fades | None) -> tuple[int, int]:
    """Return the powers of ten at the ends of the axis."""
    if fades is None:
        return LOWS[0], HIGHS[0]
    values = [*fades.tanh.median, *fades.linear.median]
    least, most = math.log10(max(min(values), 1e-300)), math.log10(max(*values, 1e-300))
    low = next((it for it in LOWS if it <= least), LOWS[-1])
    return low, next((it for it in HIGHS if it >= most), HIGHS[-1])


def fading_words(subject: Laboratory, say: Captions) -> str:
    """Return what became of the gradient after the last read, "" while it is being computed."""
    fades = subject.fade()
    if fades is None:
        return ""
    last = len(fades.tanh.median)
    parts = {
        kind: say(f"lab.{_became(fading)}", value=numbers.value(fading.median[-1]))
        for kind, fading in (("tanh", fades.tanh), ("linear", fades.linear))
    }
    return say("lab.fading_said", radius=f"{subject.radius:g}", reads=last, **parts)


def _became(fading: Fading) -> str:
    """Return in a word what the gradient does: more or less than a tenth or ten times is left."""
    left = fading.median[-1]
    return "vanishes" if left < 0.1 else "explodes" if left > 10 else "lasts"


def messages(subject: Laboratory, tick: float, say: Captions) -> tuple[str, ...]:
    """Return how the ways grow with the sentence, and what became of the gradient."""
    assert subject.reach is not None
    chain, grid = subject.reach
    ways = []
    for reach in (chain, grid):
        known = [n for n in reach.longest if n is not None]
        ways.append((known[0], known[-1]) if known else (0, 0))
    first, last = ways[0]
    each = round((first - last) / max(len(chain.words) - 1, 1))
    key = "short" if ways[0][0] < ways[1][0] else "said"
    looks = say("lab.one_look" if grid.hops == 1 else "lab.looks", count=grid.hops)
    told = say(f"lab.influence_{key}", word=chain.words[0], reads=chain.hops, looks=looks,
               chain=first, each=each, grid=ways[1][0])  # fmt: skip
    return tuple(filter(None, (told, fading_words(subject, say))))

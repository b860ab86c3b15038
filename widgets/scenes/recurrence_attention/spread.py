"""What each token does: bars at the words, above for the first quantity and below for the second.

Attention is no importance, so that how far the answer moves without a token stands beside it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from engine.trace import Pair
from widgets.geometry import text_width
from widgets.numbers import percents
from widgets.picture import Rect, Shape, Text
from widgets.scenes.recurrence_attention.layout import Layout, word_box

if TYPE_CHECKING:
    from widgets.view import Spread, View

NUMBERED_PX = 100  # of a word's column, from which on there is room for numbers


def spreads(pair: Pair, place: Layout, view: View) -> list[Shape]:
    """Return the bars at the words, their numbers where there is room, and what they mean."""
    shapes: list[Shape] = []
    for row, spread in enumerate(_bars(view)):
        shares = _whole(spread)
        for i, value in enumerate(spread.values[: len(place.columns)]):
            if not math.isnan(value):
                shapes += _bar(pair, i, value, shares[i], row, place, view)
    return shapes


def meaning(pair: Pair, view: View) -> str:
    """Return in words what the bars at the words mean, "" when there are none."""
    say, parts = view.captions, []
    for row, spread in enumerate(_bars(view)):
        where = say("rt.spread_below" if row else "rt.spread_above")
        side = say(f"model.{pair.side(spread.side).facts.cell or 'transformer'}")
        parts.append(say(f"rt.spread_{spread.about}", where=where, side=side, state=spread.state))
    for spread in view.spreads:
        if spread.about == "asked":
            parts.append(say("rt.spread_asked", state=spread.state))
    return f"{say('rt.spread')} {', '.join(parts)}" if parts else ""


def word_titles(pair: Pair, count: int, view: View) -> list[str]:
    """Return what each of the first words is called for people, with what its bars say."""
    bars = [(spread, _whole(spread)) for spread in _bars(view)]
    titles = []
    for i, word in enumerate(pair.typed[:count]):
        key = "rt.hidden_word" if i == pair.grid.hidden else "rt.word"
        said = [view.captions(key, index=i + 1, word=word)]
        said += [
            _title(pair, i, shares[i], spread, view)
            for spread, shares in bars
            if not math.isnan(spread.values[i])
        ]
        titles.append("; ".join(said))
    return titles


def _bars(view: View) -> list[Spread]:
    return [spread for spread in view.spreads if spread.about != "asked"][:2]


def _whole(spread: Spread) -> tuple[int, ...]:
    """Return whole per cents: shares add up to 100, influences stand each for itself."""
    values = [0.0 if math.isnan(value) else value for value in spread.values]
    if spread.about == "share" and sum(values) > 0:
        return percents(values)
    return tuple(round(100 * value) for value in values)


def _title(pair: Pair, i: int, share: int, spread: Spread, view: View) -> str:
    word = pair.typed[i]
    if spread.about == "share":
        return view.captions("rt.share_title", word=word, value=share, state=spread.state)
    cell = pair.side(spread.side).facts.cell
    side = view.captions(f"model.{cell or 'transformer'}")
    return view.captions(f"rt.{spread.about}_title", word=word, value=share, side=side)


def _bar(
    pair: Pair, i: int, value: float, share: int, row: int, place: Layout, view: View
) -> list[Shape]:
    """Return a token's bar: along the edge of its box, or upright where boxes are narrow."""
    theme = view.theme
    x, y, width, height = word_box(i, place)
    title = _title(pair, i, share, _bars(view)[row], view)
    name, full = f"ask:{i}", min(value, 1.0)
    if place.detail == "map":
        tall = full * height / 2
        top = y + height / 2 - tall if row == 0 else y + height / 2
        return [Rect(x=x, y=top, width=width, height=tall, fill=theme.ink2, name=name, title=title)]
    if place.detail == "middle":  # boxes stand in two rows
        y, height = y + (i % 2) * (height / 2 + 1.5), height / 2 - 1.5
    thick = 5.0 if place.detail == "full" else 4.0
    top = (y if row == 0 else y + height) - thick / 2
    edge = [
        Rect(x=x + 3, y=top, width=width - 6, height=thick, fill=theme.hair, name=name, title=title)
    ]
    if full * (width - 6) >= 0.5:
        edge.append(
            Rect(x=x + 3, y=top, width=full * (width - 6), height=thick, fill=theme.ink, name=name,
                 title=title)
        )  # fmt: skip
    return [*edge]


def spread_numbers(place: Layout, view: View) -> list[Shape]:
    """Return the bars' numbers where there is room: beside the arrows, and under the positions.

    They stand on chips over everything else, so that nobody takes them for attention.
    """
    if place.detail != "full" or place.pitch < NUMBERED_PX:
        return []
    theme, size = view.theme, place.read
    shapes: list[Shape] = []
    for row, spread in enumerate(_bars(view)):
        for i, share in enumerate(_whole(spread)):
            if math.isnan(spread.values[i]):
                continue
            text, cx = str(share), place.columns[i]  # the sign stands in what the bars mean
            wide = text_width(text, size, 600)
            x = cx - 13 - wide if row == 0 else cx + 13
            y = place.words[0] - 12 if row == 0 else place.positions[1] + 16
            shapes += [
                Rect(x=x - 5, y=y - 0.93 * size, width=wide + 10, height=1.2 * size, radius=5,
                     fill=theme.well),
                Text(x=x, y=y, text=text, size=size, weight=600, fill=theme.ink,
                     read_by_class=True),
            ]  # fmt: skip
    return shapes

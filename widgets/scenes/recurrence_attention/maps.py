"""The grid where words stand too close for nodes: the attention of each head as a map.

A map's rows ask and its columns are looked at. Below the maps one row is shown as bars, under the
words that it weighs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from engine.trace import Pair
from widgets.geometry import text_width
from widgets.glyphs import Box, arrow
from widgets.numbers import percents
from widgets.picture import Cells, Ellipse, Rect, Shape, Text
from widgets.remember import remembered
from widgets.scenes.recurrence_attention.layout import (
    BRUSH,
    HEAD_R,
    MAP_TOKENS,
    PROJECT,
    QKV,
    SCORES,
    SOFTMAX,
    GridState,
    Layout,
    asking,
)

if TYPE_CHECKING:
    from widgets.theme import Theme
    from widgets.view import View

Values = NDArray[np.floating]


def shown_tokens(tokens: int, view: View) -> range:
    """Return the tokens whose attention the maps show: all, or those that are opened."""
    if view.brush is None or tokens <= MAP_TOKENS:
        return range(tokens)
    start = min(view.brush, max(tokens - BRUSH, 0))
    return range(start, min(start + BRUSH, tokens))


def maps(pair: Pair, state: GridState, place: Layout, view: View) -> list[Shape]:
    """Return a map for each head, what its axes are, and the bars of one row."""
    theme = view.theme
    head = profile_head(pair, state, view)
    span = shown_tokens(len(place.columns), view)
    begun, known = state.phase >= QKV, state.phase >= SCORES
    shapes: list[Shape] = []
    cx = (place.left + place.right) / 2
    shapes += arrow(
        (cx, place.positions[1] + 2), (cx, place.maps[0][1] - 4),
        theme.ink2 if begun else theme.ghost, dash=() if begun else (3.0, 3.0),
    )  # fmt: skip
    for h, box in enumerate(place.maps):
        x, y, width, height = box
        hue = theme.heads[h % len(theme.heads)]
        if known:
            shapes.append(_map(pair, state, h, box, span, view))
        shapes.append(
            Rect(
                x=x - 2, y=y - 2, width=width + 4, height=height + 4, radius=4,
                stroke=hue if known else theme.ghost, stroke_width=3 if h == head else 2,
                dash=() if known else (4.0, 4.0),
            )
        )  # fmt: skip
        shapes += badge(h, x + width, y, view)
    if known:
        shapes += _axes(pair, state, place, span, view)
        shapes += _profile(pair, state, head, place, view)
    x, y, width, height = place.profile
    done = state.phase >= PROJECT
    shapes += arrow(
        (cx, y + height + 2), (cx, place.concat[1] - 3), theme.ink2 if done else theme.ghost,
        dash=() if done else (3.0, 3.0),
    )  # fmt: skip
    return shapes


def profile_head(pair: Pair, state: GridState, view: View) -> int:
    """Return the head whose row is shown as bars: the chosen one, or that of the clearest role."""
    if view.head is not None and view.head < pair.grid.facts.heads:
        return view.head
    roles = pair.grid.facts.roles
    if not roles:
        return 0
    scores = [0.0 if role == "mixed" else score for role, score in roles[state.block]]
    return scores.index(max(scores))


def _values(pair: Pair, state: GridState) -> tuple[str, Values]:
    """Return the name of the tensor that is shown, and its values (head, query, key)."""
    tensor = "scores" if state.phase == SCORES else "pattern"
    name = f"blocks.{state.block}.attn.{tensor}"
    return name, pair.grid.value(name)


def _map(
    pair: Pair, state: GridState, head: int, box: tuple[float, float, float, float], span: range,
    view: View,
) -> Cells:  # fmt: skip
    name, _ = _values(pair, state)
    colours, pool = _colours(pair, name, head, span, view.theme)
    x, y, width, height = box
    one = pool == 1
    return Cells(
        x=x, y=y, width=width, height=height, colours=colours,
        name=f"grid:{name}" if one else f"head:{head}",
        rows=tuple(f"{head},{q}" for q in span) if one else (),
        columns=tuple(str(k) for k in span) if one else (),
        title=view.captions("rt.map_title" if one else "rt.head_title", head=head + 1),
    )  # fmt: skip


@remembered(16)
def _colours(
    pair: Pair, name: str, head: int, span: range, theme: Theme
) -> tuple[tuple[tuple[str, ...], ...], int]:
    """Return a head's map as colours, and how many tokens a cell stands for.

    Weights are drawn on a square-root scale, so that small ones are seen; scores on the signed map.
    """
    values = pair.grid.value(name)[head][span.start : span.stop, span.start : span.stop]
    pool = -(-len(span) // MAP_TOKENS)
    if name.endswith("pattern"):
        ramp = theme.ink_ramp
        shares = np.sqrt(_pooled(values, pool))
    else:
        ramp = theme.signed_ramp
        limit = float(np.abs(pair.grid.value(name)).max()) or 1.0
        shares = (_pooled(values, pool) / limit + 1) / 2
    steps = np.rint(np.clip(shares, 0, 1) * (len(ramp) - 1)).astype(int)
    # Shared strings of the ramp, which NumPy hands out many times faster than a loop.
    return tuple(map(tuple, np.array(ramp, dtype=object)[steps].tolist())), pool


def _pooled(values: Values, pool: int) -> Values:
    """Return a map with one number for ``pool`` × ``pool``: the largest in magnitude."""
    if pool == 1:
        return values
    size = -(-values.shape[0] // pool) * pool
    padded = np.zeros((size, size), values.dtype)
    padded[: values.shape[0], : values.shape[1]] = values
    tiles = padded.reshape(size // pool, pool, size // pool, pool).swapaxes(1, 2)
    flat = tiles.reshape(size // pool, size // pool, pool * pool)
    best = np.abs(flat).argmax(axis=-1)[..., None]
    pooled: Values = np.take_along_axis(flat, best, axis=-1)[..., 0]
    return pooled


def _axes(pair: Pair, state: GridState, place: Layout, span: range, view: View) -> list[Shape]:
    """Return the line below the maps: what rows and columns are, and the scale of the colours."""
    theme, say = view.theme, view.captions
    name, values = _values(pair, state)
    pool = -(-len(span) // MAP_TOKENS)
    x, y, _, height = place.maps[0]
    base = y + height + 24
    text = say("rt.map_axes")
    if pool > 1:
        text = say("rt.map_pooled", count=pool)
    elif len(span) < len(place.columns):
        text = say("rt.map_opened", first=span.start + 1, last=span.stop)
    shapes: list[Shape] = [Text(x=x, y=base, text=text, size=14, weight=500, fill=theme.ink3)]
    weights = name.endswith("pattern")
    limit = float(np.abs(values).max())
    low, high = f"−{limit:.1f}", f"{limit:.1f}"
    if weights:
        low, high = "0", say("rt.percent", value=100)
    ramp = theme.ink_ramp if weights else theme.signed_ramp
    right = place.right
    wide, bar = text_width(high, 14, 500), 44.0
    left = right - wide - 6 - bar
    colours = tuple(ramp[round(i * (len(ramp) - 1) / 23)] for i in range(24))
    label = f"{say('rt.map_root') if weights else say('rt.map_signed')} {low}"
    shapes += [
        Text(x=right, y=base, text=high, size=14, weight=500, fill=theme.ink3, anchor="end"),
        Cells(x=left, y=base - 10, width=bar, height=10, colours=(colours,)),
        Text(x=left - 6, y=base, text=label, size=14, weight=500, fill=theme.ink3, anchor="end"),
    ]
    return shapes


def _profile(
    pair: Pair, state: GridState, head: int, place: Layout, view: View
) -> list[Shape]:  # fmt: skip
    """Return the row of the word that asks, in one head, as bars below the words."""
    theme, say = view.theme, view.captions
    x, y, width, height = place.profile
    asks = asking(pair, view)
    name, values = _values(pair, state)
    row = [float(v) for v in values[head, asks]]
    low, high = min(0.0, *row), max(0.0, *row)
    room, floor = height - 24, y + height - 20
    span = (high - low) or 1.0
    zero = floor + low / span * room
    half = max(place.pitch * 0.42, 0.5)
    hue = theme.heads[head % len(theme.heads)]
    shapes: list[Shape] = [
        Rect(x=x - 6, y=y, width=width + 12, height=height, radius=6, fill=theme.panel,
             stroke=theme.hair),
    ]  # fmt: skip
    shapes += _brush(len(place.columns), place, view)
    shares = percents(row) if state.phase >= SOFTMAX else ()
    for k, (cx, value) in enumerate(zip(place.columns, row, strict=False)):
        tall = abs(value) / span * room
        shapes.append(
            Rect(
                x=cx - half, y=zero - tall if value > 0 else zero, width=2 * half,
                height=max(tall, 0.5), fill=hue,
                name=f"grid:{name}[{head},{asks},{k}]",
                title=say("rt.link_title", head=head + 1, asks=pair.tokens[asks],
                          looked=pair.tokens[k], value=shares[k])
                if shares else say("rt.score_title", head=head + 1, asks=pair.tokens[asks],
                                   looked=pair.tokens[k]),
            )
        )  # fmt: skip
    text = say("rt.row", asks=asks + 1, head=head + 1)
    shapes.append(
        Text(x=x, y=y + height - 5, text=text, size=14, weight=500, fill=theme.ink2,
             name=f"grid:{name}[{head},{asks}]")
    )  # fmt: skip
    most = max(range(len(row)), key=row.__getitem__)
    figure = say("rt.percent", value=shares[most]) if shares else f"{row[most]:.2f}"
    label = say("rt.row_most", word=pair.tokens[most], index=most + 1, value=figure)
    shapes.append(
        Text(x=x + width, y=y + height - 5, text=label, size=14, weight=600, fill=theme.ink,
             anchor="end", name=f"grid:{name}[{head},{asks},{most}]")
    )  # fmt: skip
    return shapes


def _brush(tokens: int, place: Layout, view: View) -> list[Shape]:
    """Return the stretches of tokens that can be opened; the one that is open is framed."""
    if tokens <= MAP_TOKENS:
        return []
    theme, (_, y, _, height) = view.theme, place.profile
    open_ = shown_tokens(tokens, view)
    shapes: list[Shape] = []
    for start in range(0, tokens, BRUSH):
        last = min(start + BRUSH, tokens)
        left = place.columns[start] - place.pitch / 2
        right = place.columns[last - 1] + place.pitch / 2
        chosen = len(open_) < tokens and start == open_.start
        shapes.append(
            Rect(
                x=left, y=y + 2, width=right - left, height=height - 22,
                fill=theme.well if chosen else theme.panel,
                stroke=theme.ink if chosen else theme.hair, stroke_width=1.6 if chosen else 1,
                name=f"brush:{start}",
                title=view.captions(
                    "rt.brush_close" if chosen else "rt.brush_title", first=start + 1, last=last
                ),
            )
        )  # fmt: skip
    return shapes


def cell_box(pair: Pair, name: str, place: Layout, view: View) -> Box | None:
    """Return the box of one weight in its map; None when it is no weight, or is not shown."""
    found = pair.find(name)
    if not place.maps or found is None or ".attn." not in name or len(found[2]) != 3:
        return None
    head, query, key = found[2]
    span = shown_tokens(len(place.columns), view)
    if query not in span or key not in span:
        return None
    x, y, side, _ = place.maps[head]
    size = side / len(span)
    return (x + (key - span.start) * size, y + (query - span.start) * size, size, size)


def note_badge(head: int, place: Layout, view: View) -> list[Shape]:
    """Return a head's number beside its note."""
    return badge(head, place.notes + 13, place.heads[head] + 2, view)


def badge(head: int, x: float, y: float, view: View) -> list[Shape]:
    """Return a head's number about a point; it chooses whose row is shown as bars."""
    theme = view.theme
    hue = theme.heads[head % len(theme.heads)]
    anchor: Literal["middle"] = "middle"
    return [
        Ellipse(cx=x, cy=y, rx=HEAD_R, ry=HEAD_R, fill=hue, name=f"head:{head}",
                title=view.captions("rt.head_title", head=head + 1)),
        Text(x=x, y=y + 5.2, text=str(head + 1), size=14.5, weight=700, anchor=anchor,
             fill=theme.on(hue)),
    ]  # fmt: skip

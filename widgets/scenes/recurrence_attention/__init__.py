"""From RNN to Transformer: a chain above, a grid below, one row of words that feeds both.

What stands at tick n is what both runs had computed by their stage n; between two ticks the next
state appears over the last. Nothing is drawn that the traces do not hold.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.trace import Pair
from widgets.geometry import SMALLEST
from widgets.glyphs import ease, pill
from widgets.picture import Group, Picture, Shape
from widgets.scenes.recurrence_attention.chain import chain, words
from widgets.scenes.recurrence_attention.frame import frame
from widgets.scenes.recurrence_attention.grid import grid, links
from widgets.scenes.recurrence_attention.layout import MOST_DRAWN, layout
from widgets.scenes.recurrence_attention.motion import (
    covers,
    dimmed,
    eye,
    growing_arrow,
    lit,
    markers,
)
from widgets.scenes.recurrence_attention.spread import spread_numbers
from widgets.scenes.recurrence_attention.states import strips

if TYPE_CHECKING:
    from widgets.view import View

# What of a view only some parts are drawn from. The others are given it as it is by default, so
# that a change of it leaves them, and the images kept of them, alone.
OVER_ALL: dict[str, Any] = {
    "hovered": "", "selected": "", "revealed": 0, "pinned_head": None, "pinned_word": None,
}  # fmt: skip
OF_MAPS: dict[str, Any] = {"head": None, "brush": None}
OF_GRID: dict[str, Any] = {"layer": None, **OF_MAPS}
OF_FRAME: dict[str, Any] = {"growth": (), "length": None, "switches": ()}
OF_CHAIN: dict[str, Any] = {"classic": False, "spreads": ()}


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
        min(len(pair.tokens), MOST_DRAWN), max(pair.grid.facts.heads, 1),
        max(view.width, SMALLEST[0]), max(view.height, SMALLEST[1]),
    )  # fmt: skip
    if place.detail == "map" and phase > 0:  # ticks are cuts where nothing small could be followed
        now, phase = (now + 1, 0.0) if phase >= 0.2 else (now, 0.0)
    around = view._replace(**OVER_ALL, **OF_GRID)
    row = around._replace(**OF_FRAME, all_arcs=False)
    above = row._replace(query=None)
    below = view._replace(**OVER_ALL, **OF_FRAME, **OF_CHAIN, **({} if place.maps else OF_MAPS))
    shapes: list[Shape] = [
        frame(pair, place, around._replace(query=None)),
        words(pair, place, row),
    ]
    if place.detail == "map":
        shapes += strips(pair, now, place, above)
    states = [now] if phase == 0 else [now, now + 1]
    seen = ease(phase, 0.40, 0.80)
    for state in states:
        fade = 1.0 if state == now else seen
        chain_tick = min(state, pair.chain.last_tick)
        if state == now or state <= pair.chain.last_tick:
            shapes.append(
                _faded(chain(pair, chain_tick, place, above), f"chain {chain_tick % 2}", fade)
            )
    if phase > 0:
        shapes += growing_arrow(pair, now + 1, phase, place, view)
    for state in states:
        grid_tick = min(state, pair.grid.last_tick)
        if state == now or state <= pair.grid.last_tick:
            fade = 1.0 if state == now else seen
            leaving = state == now and phase > 0 and now < pair.grid.last_tick
            shapes.append(
                _faded(
                    links(pair, grid_tick, place, below),
                    f"links {grid_tick % 2}",
                    1 - seen if leaving else fade,
                )
            )
            shapes.append(
                _faded(grid(pair, grid_tick, place, below), f"grid {grid_tick % 2}", fade)
            )
    shapes += spread_numbers(place, view)
    shapes += dimmed(pair, place, view)
    shapes += lit(pair, now, place, view)
    shapes += markers(pair, now, phase, place, view)
    shown = now + 1 if phase >= 0.2 else now
    if view.predicting:
        shapes += covers(pair, math.ceil(tick), place, view)
    shapes += pill(
        place.edge,
        24,
        view.captions("scene.tick_predict" if view.predicting else "scene.tick", tick=shown),
        view.theme,
        size=max(17, place.read),
    )
    if view.controls:
        shapes += eye(pair, place, view)
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

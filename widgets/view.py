"""View: everything besides the trace and the tick that a scene may depend on."""

from __future__ import annotations

from typing import NamedTuple

from widgets.captions import Captions
from widgets.theme import Theme


class Growth(NamedTuple):
    """What chain and grid (in this order) need for so many tokens: FLOPs counted, time measured."""

    tokens: int
    flops: tuple[int, int]
    seconds: tuple[float, float]


class Switch(NamedTuple):
    """A switch on the stage: whether it is on, and why it cannot be switched ("" when it can)."""

    name: str
    on: bool
    reason: str = ""


class Spread(NamedTuple):
    """A share or an influence of every token, 0 … 1, drawn as bars at the words; NaN has none.

    ``about`` is "replaced" or "left_out" (how far the side's answer moves when the token becomes an
    unknown one, or is left out) or "share" (of each token in hidden state ``state``, from 1).
    "asked" is no bar: the attention that this state would give to the states so far, written under
    them.
    """

    side: str
    about: str
    values: tuple[float, ...]
    state: int = 0


class View(NamedTuple):
    """How a scene is to be drawn.

    ``width`` and ``height`` are the picture's box in its own px, never less than a scene's smallest
    box (``widgets.geometry.fit`` finds the box and the scale for a window or a file). ``query`` is
    the word that asks in the grid (None: the hidden word), ``layer`` the block that is shown when
    none is running (None: the last one). ``hovered`` and ``selected`` are element names of the
    picture. ``controls`` draws what can be switched; a figure has none.
    """

    width: float
    height: float
    theme: Theme
    captions: Captions
    query: int | None = None
    layer: int | None = None
    head: int | None = None  # whose row is shown as bars; None: that of the clearest role
    brush: int | None = None  # first of the tokens that are opened out of pooled maps
    hovered: str = ""
    dragged: int | None = None  # a word that is on its way to another's place
    selected: str = ""
    growth: tuple[Growth, ...] = ()  # by tokens, as measured on this machine
    length: int | None = None  # tokens at the plots' marker; None: those of the sentence
    all_arcs: bool = False
    classic: bool = False  # the classic picture: 2, 5, 11, 4, 2 under the nodes
    controls: bool = True
    switches: tuple[Switch, ...] = ()
    predicting: bool = False  # what a tick computes is covered until it is revealed
    revealed: int = 0  # the last tick that has been, while predicting
    pinned_head: int | None = None  # the other heads are dimmed
    pinned_word: int | None = None  # and the other words
    spreads: tuple[Spread, ...] = ()  # bars: the first above the words, the second below

"""What the laboratory draws: an experiment, and of each what has been computed so far."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from engine.fading import RADII, Fading
from engine.laboratory import (
    DRAWN,
    EXPERIMENTS,
    Bottleneck,
    Reach,
    Scale,
    Shuffled,
    Width,
    Writing,
)

# Of the slider: what is between two of them is asked for on the command line only.
RADII_SHOWN = tuple(
    round(RADII[0] + i / 10, 1) for i in range(round(10 * (RADII[1] - RADII[0])) + 1)
)
MATRICES = ("random", "orthogonal")
MOST_WORDS = 64  # of a sentence that are drawn
SAME = 1e-5  # of the largest number: below, rows differ by rounding only
PANELS = ("grid", "chain", "positions")  # of the experiment with another order


@dataclass(frozen=True, eq=False)
class Fades:
    """How a gradient fades at one spectral radius, with the tanh and without it."""

    tanh: Fading
    linear: Fading


@dataclass(frozen=True, eq=False)
class Laboratory:
    """The subject of the scene.

    Parameters
    ----------
    experiment
        One of ``EXPERIMENTS``.
    bottleneck, writing
        Of the models of the reversed digits; None before anything is there.
    reach
        Of the sentence: of the chain, and of the grid.
    fades
        By radius and whether W_h is orthogonal.
    scale
        Of the sentence's grid.
    shuffled
        Of the sentence: of the grid without positions, of the chain, of the grid with them.
    radius, orthogonal
        Which of the fades is shown.
    problem
        Why the experiment that is shown has no result, in a sentence.
    """

    experiment: str = EXPERIMENTS[0]
    bottleneck: Bottleneck | None = None
    reach: tuple[Reach, Reach] | None = None
    fades: tuple[tuple[tuple[float, bool], Fades], ...] = ()
    scale: Scale | None = None
    shuffled: tuple[Shuffled, ...] = ()
    writing: Writing | None = None
    radius: float = 1.0
    orthogonal: bool = False
    problem: str = ""

    @property
    def known(self) -> bool:
        """Return whether the experiment that is shown has something to show."""
        return {
            "bottleneck": self.bottleneck is not None, "influence": self.reach is not None,
            "scale": self.scale is not None, "position": bool(self.shuffled),
            "writing": self.writing is not None,
        }[self.experiment]  # fmt: skip

    @cached_property
    def last_tick(self) -> int:
        """Return the last tick of the experiment that is shown, 0 while there is nothing."""
        if self.experiment == "bottleneck" and self.bottleneck is not None:
            return len(self.bottleneck.lengths) - 1
        if self.experiment == "influence" and self.reach is not None:
            return max(len(self.reach[0].words), 2)
        if self.experiment == "scale" and self.scale is not None:
            return len(self.widths) - 1
        if self.experiment == "position" and self.shuffled:
            return 1 + len(self.shuffled)
        if self.experiment == "writing" and self.writing is not None:
            return len(self.writing.way("cache").turns)
        return 0

    # ---- bottleneck ----------------------------------------------------------------------------

    def length(self, tick: float) -> int:
        """Return how many digits a tick stands at."""
        assert self.bottleneck is not None
        lengths = self.bottleneck.lengths
        return lengths[min(max(math.floor(tick), 0), len(lengths) - 1)]

    # ---- influence -----------------------------------------------------------------------------

    def fade(self) -> Fades | None:
        """Return the fades at the chosen radius, None while they are being computed."""
        return dict(self.fades).get((self.radius, self.orthogonal))

    # ---- scale ---------------------------------------------------------------------------------

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Return the widths of a head, the narrowest first."""
        assert self.scale is not None
        return tuple(sorted({width.d_head for width in self.scale.widths}))

    def width(self, tick: float) -> int:
        """Return the width that a tick stands at."""
        return self.widths[min(max(math.floor(tick), 0), len(self.widths) - 1)]

    def at_width(self, d_head: int, basis: str = "") -> Width:
        """Return what was found at a width: of trained queries and keys where there are some."""
        assert self.scale is not None
        found = {width.basis: width for width in self.scale.widths if width.d_head == d_head}
        if basis:
            return found[basis]
        return next((it for name, it in found.items() if name != DRAWN), found.get(DRAWN)) or next(
            iter(found.values())
        )

    # ---- position ------------------------------------------------------------------------------

    def panel(self, which: str) -> Shuffled | None:
        """Return the result of a panel, None where a grid has no position encoding."""
        for found in self.shuffled:
            name = "chain" if found.kind == "chain" else "positions" if found.positions else "grid"
            if name == which:
                return found
        return None

    # ---- writing -------------------------------------------------------------------------------

    def turns(self, tick: float) -> int:
        """Return how many turns are over at a tick."""
        assert self.writing is not None
        return min(max(math.floor(tick), 0), self.last_tick)

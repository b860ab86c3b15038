"""Which two models stand on the stage, and how they are run: what the switches switch."""

from __future__ import annotations

from collections.abc import Collection
from itertools import product
from typing import NamedTuple

from app import CELLS, PRECISION, SETS

# In this order they give way where no weights were trained for a combination.
_GIVING_WAY = ({"both": False}, {"attention": True}, {"both": False, "attention": True},
               {"both": False, "attention": True, "size": ""})  # fmt: skip


class Setting(NamedTuple):
    """The choices about the models.

    ``cell`` is the chain's, ``both`` whether it reads from both sides, ``attention`` whether it
    looks back over its states, ``size`` the ending of the set; ``causal`` whether a token of the
    grid sees only what stands left of it. ``positions`` and ``trained`` keep the shape of both
    models, and take the position encoding or the trained weights away. ``precision`` is what both
    compute in, a key of ``engine.precision.PRECISIONS``.
    """

    cell: str = CELLS[0]
    both: bool = False
    attention: bool = True
    size: str = ""
    causal: bool = False
    positions: bool = True
    trained: bool = True
    precision: str = PRECISION

    @property
    def chain(self) -> str:
        """Return the id of the chain."""
        both, plain = "-bi" if self.both else "", "" if self.attention else "-plain"
        return f"{self.cell}{both}{plain}{self.size}"

    @property
    def grid(self) -> str:
        """Return the id of the grid."""
        return "transformer-causal" if self.causal else "transformer"

    def possible(self, available: Collection[str]) -> bool:
        """Return whether both models have weights."""
        return self.chain in available and self.grid in available

    def nearest(self, available: Collection[str]) -> Setting:
        """Return this setting, or the one nearest to it that has weights; the cell stays."""
        others = (self._replace(**changed) for changed in _GIVING_WAY)
        return next((s for s in (self, *others) if s.possible(available)), self)


def of_models(chain: str, grid: str) -> Setting:
    """Return the setting of two ids.

    Raises
    ------
    ValueError
        When no setting has these ids.
    """
    both = (False, True)
    every = (Setting(*choices) for choices in product(CELLS, both, both, SETS, both))
    found = next((one for one in every if (one.chain, one.grid) == (chain, grid)), None)
    if found is None:
        raise ValueError(f"{chain} beside {grid} is on no stage")
    return found

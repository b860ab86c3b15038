"""What is left of a gradient that goes back through a plain RNN, by the radius of its matrix."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engine.ops import Ops
from engine.race import threads
from engine.spending import Spending
from engine.tape import Watch
from engine.units import Unit

Floats = NDArray[np.float64]

RADII = (0.5, 2.0)  # that can be asked for
RADIUS = 1.0
STATE, READS, DRAWS = 64, 128, 8
INPUT = 0.1  # standard deviation of what is read, per number of the state


@dataclass(frozen=True, eq=False)
class Fading:
    """What is left of a gradient after T reads, |dL/dh_0| / |dL/dh_T|.

    ``left`` has axes (draw, T - 1): T goes from 1 on. ``radius`` is the largest |eigenvalue| of
    W_h, ``orthogonal`` says whether all are as large, ``linear`` whether the tanh was left out.
    """

    radius: float
    orthogonal: bool
    linear: bool
    width: int
    left: Floats

    @property
    def median(self) -> tuple[float, ...]:
        """Return the median over the draws, for every T."""
        return tuple(map(float, np.median(self.left, axis=0)))

    @property
    def spread(self) -> tuple[tuple[float, float], ...]:
        """Return the least and the most of the draws, for every T."""
        return tuple(zip(map(float, self.left.min(0)), map(float, self.left.max(0)), strict=True))


def fading(
    radius: float = RADIUS,
    *,
    orthogonal: bool = False,
    linear: bool = False,
    width: int = STATE,
    reads: int = READS,
    draws: int = DRAWS,
    seed: int = 0,
    ops: Ops | None = None,
    watch: Watch | None = None,
) -> Fading:
    """Return how a gradient vanishes or explodes along a plain RNN, in some 0.1 s.

        h_t = tanh(h_{t-1} W_h + x_t),    dL/dh_{t-1} = (dL/dh_t ⊙ (1 - h_t²)) W_hᵀ

    from h_0 = 0, with x_t and dL/dh_T drawn from a normal distribution. W_h is drawn, too, and
    divided by its largest |eigenvalue|; the draws are the same for every radius.

    Parameters
    ----------
    radius
        The spectral radius of W_h.
    orthogonal
        Whether W_h turns only, times the radius: then no direction fades before the others.
    linear
        Without the tanh, h_t = h_{t-1} W_h + x_t.
    width, reads
        Numbers of the state; the longest T.
    draws, seed
        How many matrices, and from where.
    ops
        Where to compute.
    watch
        Is told what was done.

    Raises
    ------
    ValueError
        For a radius that is not above 0.

    Source: Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural
    networks", section 2.1; orthogonal: Saxe et al. 2014, section 4.
    """
    if not (radius > 0 and math.isfinite(radius)):
        raise ValueError(f"A spectral radius is above 0, not {radius}.")
    ops, spending = ops or Ops(), Spending(watch)
    W = radius * recurrent_matrices(width, draws, seed, orthogonal)  # (draw, hidden, hidden)
    rng = np.random.default_rng([seed, width, reads])
    x = rng.normal(0.0, INPUT, (reads, draws, width))
    ends = rng.normal(size=(reads, draws, width))
    h, slopes = np.zeros((draws, width)), np.ones((reads, draws, width))
    if not linear:  # the gradient of the linear one does not depend on its states
        for t in range(reads):
            with spending.on(ops.unit_of("product", (h, W))):
                read = ops.product(h, W)
            with spending.on(Unit.STREAM):
                h = ops.tanh(ops.add(read, x[t]))
                slopes[t] = 1.0 - h * h
    # A row for each T: its gradient begins at h_T, and all that have begun go on together.
    g = np.empty((draws, 0, width))
    with threads(1):  # many small products
        for t in reversed(range(reads)):
            with spending.on(Unit.STREAM):
                g = np.concatenate([ends[t][:, None], g], axis=1)
                g = ops.multiply(g, slopes[t][:, None])
            with spending.on(ops.unit_of("product", (g, W))):
                g = ops.product(g, W, transpose_b=True)
    with spending.on(Unit.STREAM):
        left = np.linalg.norm(g, axis=-1) / np.linalg.norm(ends, axis=-1).T  # (draw, T - 1)
    spending.tell()
    return Fading(radius, orthogonal, linear, width, left)


@lru_cache(maxsize=4)
def recurrent_matrices(width: int, draws: int, seed: int, orthogonal: bool) -> Floats:
    """Return random W_h whose largest |eigenvalue| is 1, shape (draw, hidden, hidden)."""
    W = np.random.default_rng([seed, width]).normal(size=(draws, width, width))
    if orthogonal:
        q, r = np.linalg.qr(W)
        W = q * np.sign(np.diagonal(r, axis1=-2, axis2=-1))[:, None, :]
    else:
        W /= np.abs(np.linalg.eigvals(W)).max(-1)[:, None, None]
    W.setflags(write=False)
    return W

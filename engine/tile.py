"""One tile of a tensor core, computed number by number: half operands, products summed in two ways.

Notation

    A, B            operands of one tile                          (row, inner), (inner, column)
    C               their product                                 (row, column)
    fl16, fl32      rounding to float16, to float32
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

SIDE = 16  # of the smallest product that a tensor core is given (CUDA's wmma: 16 × 16 × 16)

Numbers = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Tile:
    """A product of two small matrices, exactly and as a tensor core computes it.

    ``a`` and ``b`` are the numbers as they are (float64), ``half_a`` and ``half_b`` as they are
    loaded (float16). ``exact`` is a @ b in float64, ``mixed`` the sum of the rounded operands'
    products in float32, ``half`` the same sum kept in float16.
    """

    a: Numbers  # (row, inner)
    b: Numbers  # (inner, column)
    half_a: Numbers
    half_b: Numbers
    exact: Numbers  # (row, column)
    mixed: Numbers
    half: Numbers
    source: str = ""  # whose numbers they are

    @property
    def mixed_error(self) -> float:
        """Return the largest error of ``mixed`` relative to the largest number of ``exact``."""
        return _error(self.mixed, self.exact)

    @property
    def half_error(self) -> float:
        """Return the largest error of ``half`` relative to the largest number of ``exact``."""
        return _error(self.half, self.exact)

    @property
    def operand_error(self) -> float:
        """Return the part of the error that comes from rounding the operands alone."""
        return _error(self.half_a.astype(np.float64) @ self.half_b.astype(np.float64), self.exact)


def multiply(a: ArrayLike, b: ArrayLike, source: str = "") -> Tile:
    """Return a tile's product in float64, with float32 sums and with float16 sums.

        mixed:  c <- fl32(c + a16 b16)        half:  c <- fl16(c + a16 b16)

    A product of two halves has at most 22 significant bits, so float32 holds it exactly; only the
    sums round. The order of a real tensor core's sums is not documented: here it is that of the
    inner index.

    Parameters
    ----------
    a, b
        Shapes (row, inner) and (inner, column), at most SIDE each way.
    source
        Whose numbers they are, for people.

    Raises
    ------
    ValueError
        If the shapes do not fit together or are larger than a tile, or a number is not finite or
        too large for float16 (65 504).

    Source: NVIDIA, Volta whitepaper (WP-08608-001), "Tensor Cores": half operands, sums in FP32.
    """
    left, right = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    sides = (*left.shape, *right.shape)
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[0] or max(sides) > SIDE:
        raise ValueError(f"No tile: {left.shape} times {right.shape}.")
    most = float(np.finfo(np.float16).max)
    if not all(np.isfinite(m).all() and np.abs(m).max(initial=0.0) <= most for m in (left, right)):
        raise ValueError("No tile: a number is not finite, or too large for float16.")
    half_a, half_b = left.astype(np.float16), right.astype(np.float16)
    shape = (left.shape[0], right.shape[1])
    mixed, half = np.zeros(shape, np.float32), np.zeros(shape, np.float16)
    for k in range(left.shape[1]):
        products = np.outer(half_a[:, k].astype(np.float32), half_b[k].astype(np.float32))
        mixed = mixed + products  # float32
        with np.errstate(over="ignore"):  # a sum beyond 65 504 is infinite, as it is there
            half = (half.astype(np.float32) + products).astype(np.float16)
    made = (left, right, half_a, half_b, left @ right, mixed, half)
    for numbers in made:
        numbers.flags.writeable = False
    return Tile(*made, source=source)


def _error(found: Numbers, exact: Numbers) -> float:
    most = float(np.abs(exact).max(initial=0.0))
    return float(np.abs(found.astype(np.float64) - exact).max(initial=0.0)) / most if most else 0.0

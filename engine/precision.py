"""Precisions: how many digits a number keeps, and half precision on a CPU, which has none.

NumPy multiplies matrices of float16 without a BLAS, 170 times slower than float32, and knows no
bfloat16. ``RoundedOps`` therefore computes in float32 and rounds every result, as a tensor core
does that adds up in float32; products of TF32 are there on NVIDIA cards only.

Sources: IEEE 754-2008 (float16, float32); Kalamkar et al. 2019, "A study of BFLOAT16 for deep
learning training" (bfloat16); NVIDIA 2020, "A100 Tensor Core GPU architecture", p. 27 (TF32).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

import numpy as np

from engine.ops import Array, Ops


@dataclass(frozen=True)
class Precision:
    """A way to write a number down.

    Parameters
    ----------
    name
        "float16".
    bits
        Of the numbers in memory.
    digits
        Bits of the significand that count, with the one that is not stored.
    largest
        The largest finite number.
    where
        For people: what is written in it, and what sums are kept in.
    """

    name: str
    bits: int
    digits: int
    largest: float
    where: str

    @property
    def rounding(self) -> float:
        """Return the largest error of one rounding, as part of the number."""
        return float(2.0**-self.digits)


PRECISIONS: dict[str, Precision] = {
    it.name: it
    for it in (
        Precision("float32", 32, 24, float(np.finfo(np.float32).max), "everything"),
        Precision(
            "TF32", 32, 11, float(np.finfo(np.float32).max),
            "operands of matrix products; all else, and every sum, in float32",
        ),
        Precision(
            "float16", 16, 11, float(np.finfo(np.float16).max), "every number; sums in float32"
        ),
        Precision("bfloat16", 16, 8, float(2.0**128 - 2.0**120), "every number; sums in float32"),
    )
}  # fmt: skip
DEFAULT = "float32"
HALVES = ("float16", "bfloat16")


def rounded(x: Array, precision: str) -> Array:
    """Return float32 numbers rounded to the nearest of float16 or bfloat16, still as float32.

    Ties go to the even one; what is too large becomes ∞.
    """
    if precision == "float16":
        with np.errstate(over="ignore"):
            return x.astype(np.float16).astype(np.float32)
    if precision != "bfloat16":
        raise ValueError(f"nothing is rounded to {precision}")
    # The upper half of the bits of float32: add just under half of the last place, or a half
    # where that place is odd, and cut.
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    last = (bits >> np.uint32(16)) & np.uint32(1)
    cut = (bits + np.uint32(0x7FFF) + last) & np.uint32(0xFFFF0000)
    return np.where(np.isnan(x), np.float32(np.nan), cut.view(np.float32)).reshape(x.shape)


# Primitives that compute. The others move numbers, which are rounded already.
COMPUTING = (
    "product", "add", "multiply", "scale", "complement", "tanh", "sigmoid", "relu", "gelu",
    "gelu_erf", "softmax", "norm",
)  # fmt: skip


class RoundedOps(Ops):
    """The primitives in half precision on a CPU: computed in float32, every result rounded.

    Values are arrays of float32 whose numbers all are numbers of the precision, so that bytes are
    counted as they move here.
    """

    def __init__(self, precision: str) -> None:
        super().__init__()
        if precision not in HALVES:
            raise ValueError(f"{precision} is not computed by rounding")
        self.precision = precision
        self._overflowed = False

    def to_device(self, array: Array) -> Any:
        """Return an array in the precision; integers stay as they are."""
        if array.dtype.kind != "f":
            return array
        return self._round(array.astype(np.float32))

    def writer(self, op: str, operands: Sequence[Any], options: Mapping[str, Any]) -> Any:
        """Return a function of such operands and of ``out``, to compute a primitive many times."""
        method = getattr(self, op)
        return lambda *arrays: method(*arrays[:-1], **options, out=arrays[-1])

    def notes(self) -> tuple[str, ...]:
        """Return what has to be said of what was computed since this was asked last."""
        said = [f"{self.precision}: computed in float32 and rounded after every operation"]
        if self._overflowed:
            said.append(overflow(self.precision))
        self._overflowed = False
        return tuple(said)

    def _round(self, x: Array) -> Array:
        """Return numbers rounded in their own place."""
        y = rounded(x, self.precision)
        if np.any(np.isinf(y) & np.isfinite(x)):
            self._overflowed = True
        if not isinstance(x, np.ndarray) or not x.ndim:  # NumPy makes scalars of arrays of 0 axes
            return np.asarray(y)
        x[...] = y
        return x


def overflow(precision: str) -> str:
    """Return the sentence that some numbers were too large for a precision."""
    largest = PRECISIONS[precision].largest
    return f"{precision} ends at {largest:.5g}: some numbers were larger and became ∞"


def _rounding(name: str) -> Callable[..., Any]:
    """Return a primitive whose result is rounded."""
    exact = getattr(Ops, name)

    @wraps(exact)
    def primitive(self: RoundedOps, *operands: Any, **options: Any) -> Any:
        return self._round(exact(self, *operands, **options))

    return primitive


for _name in COMPUTING:
    setattr(RoundedOps, _name, _rounding(_name))

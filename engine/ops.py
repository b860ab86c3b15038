"""Primitive operations on arrays, what each costs, and which unit of hardware does it.

``Ops`` is a complete implementation on ``self.xp``; another array library is a subclass that
overrides only what differs. ``OPS`` has one row for each primitive. Nothing here knows a model:
names, stages and times are ``engine.tape``'s.

Costs count a multiply-add as two FLOPs, and as bytes each operand read once and the result written
once, as if every operation ran as one fused kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.trace import Cost, Unit

Array = NDArray[Any]

GELU_SCALE = math.sqrt(2.0 / math.pi)
GELU_CUBIC = 0.044715  # Hendrycks & Gimpel 2016, the tanh form that GPT-2 uses


class Ops:
    """The primitives on NumPy arrays.

    Every method returns a fresh array, or a view where it says so; no operand is ever written.
    Leading axes beyond those that a method names are a batch.
    """

    backend = "NumPy"
    device = "this CPU"

    def __init__(self) -> None:
        self.xp: Any = np

    def threads(self) -> int:
        """Return how many threads a matrix product uses."""
        pools = _pools().info()
        return max((pool["num_threads"] for pool in pools if pool["user_api"] == "blas"), default=1)

    def to_device(self, array: Array) -> Any:
        """Return a host array where this backend computes."""
        return array

    def to_host(self, array: Any) -> Array:
        """Return a computed array on the host."""
        return np.asarray(array)

    def gather(self, table: Any, ids: Any) -> Any:
        """Return the rows of a table, shape (*ids, feature)."""
        return self.xp.take(table, ids, axis=0)

    def product(self, a: Any, b: Any, transpose_b: bool = False) -> Any:
        """Return the matrix product a b, or a bᵀ.

        An ``a`` with one axis less than ``b`` is one row for each matrix of ``b``.
        """
        if transpose_b:
            b = self.xp.swapaxes(b, -1, -2)
        if a.ndim > 1 and a.ndim == b.ndim - 1:
            return self.xp.matmul(a[..., None, :], b)[..., 0, :]
        return self.xp.matmul(a, b)

    def add(self, first: Any, second: Any, *others: Any) -> Any:
        """Return the sum of two or more arrays."""
        total = first + second
        for other in others:
            total += other
        return total

    def multiply(self, a: Any, b: Any) -> Any:
        """Return the elementwise product a ⊙ b."""
        return a * b

    def scale(self, x: Any, factor: float) -> Any:
        """Return x times one number."""
        return x * factor

    def complement(self, x: Any) -> Any:
        """Return 1 - x."""
        return 1.0 - x

    def tanh(self, x: Any) -> Any:
        """Return the hyperbolic tangent."""
        return self.xp.tanh(x)

    def sigmoid(self, x: Any) -> Any:
        """Return σ(x) = 1 / (1 + exp(-x))."""
        # The same as ½ tanh(x/2) + ½, which cannot overflow: exp(-x) does from x = -88 on.
        y = x * 0.5
        self.xp.tanh(y, out=y)
        y *= 0.5
        y += 0.5
        return y

    def gelu(self, x: Any) -> Any:
        """Return GELU in its tanh form, ½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))."""
        # x * x, never x**3: NumPy's float32 power is a scalar loop, 270 times slower.
        y = x * x
        y *= GELU_CUBIC
        y += 1.0
        y *= x
        y *= GELU_SCALE
        self.xp.tanh(y, out=y)
        y += 1.0
        y *= x
        y *= 0.5
        return y

    def softmax(self, x: Any, mask: Any = None) -> Any:
        """Return softmax(x + mask) over the last axis; a row with everything masked is all zero.

        ``mask`` is added: 0 where a score counts, -inf where it does not.
        """
        xp = self.xp
        y = x + (0.0 if mask is None else mask)
        # Without the row maximum float32 overflows at a score of 89. It is -inf in a fully masked
        # row, and -inf - -inf would be NaN: the lowest finite number keeps that row at exp(-inf).
        highest = xp.max(y, axis=-1, keepdims=True)
        xp.maximum(highest, xp.finfo(y.dtype).min, out=highest)
        y -= highest
        xp.exp(y, out=y)
        total = xp.sum(y, axis=-1, keepdims=True)
        # A row that counts anything sums to at least exp(0) = 1, so this touches only masked rows.
        xp.maximum(total, 1.0, out=total)
        y *= 1.0 / total
        return y

    def norm(self, x: Any, gain: Any, bias: Any, eps: float) -> Any:
        """Return the layer norm over the last axis, (x - mean) / √(variance + eps) gain + bias."""
        xp = self.xp
        y = x - xp.mean(x, axis=-1, keepdims=True)
        variance = xp.mean(y * y, axis=-1, keepdims=True)
        y *= 1.0 / xp.sqrt(variance + eps)
        y *= gain
        y += bias
        return y

    def argmax(self, x: Any) -> Any:
        """Return the index of the largest number on the last axis, as an integer array."""
        return self.xp.asarray(self.xp.argmax(x, axis=-1))

    def view(self, x: Any, at: tuple[Any, ...]) -> Any:
        """Return a part of x as a view; ``at`` indexes its last axes."""
        return x[(..., *at)]

    def split_heads(self, x: Any, heads: int) -> Any:
        """Return (token, feature) as (head, token, d_head), a view."""
        parts = x.reshape(*x.shape[:-1], heads, x.shape[-1] // heads)
        return self.xp.swapaxes(parts, -2, -3)

    def merge_heads(self, x: Any) -> Any:
        """Return (head, token, d_head) as (token, feature), the heads side by side."""
        rows = self.xp.swapaxes(x, -2, -3)  # (token, head, d_head)
        return rows.reshape(*rows.shape[:-2], rows.shape[-2] * rows.shape[-1])

    def concat(self, first: Any, *others: Any) -> Any:
        """Return arrays joined on their last axis."""
        return self.xp.concatenate((first, *others), axis=-1)

    def stack(self, first: Any, *others: Any) -> Any:
        """Return vectors as the rows of a matrix."""
        return self.xp.stack((first, *others), axis=-2)


@cache
def _pools() -> Any:
    """Return the thread pools of this process; looking for them takes milliseconds."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@dataclass(frozen=True)
class Op:
    """What a primitive is called, which unit does it and what it costs.

    ``flops`` takes the operands' shapes, then the result's. Views cost nothing; where not every
    operand is read in full, ``reads_whole`` is False and as much is read as is written.
    """

    label: str
    flops: Callable[[tuple[tuple[int, ...], ...], tuple[int, ...]], int]
    unit: Unit = Unit.STREAM
    moves: bool = True
    reads_whole: bool = True

    def cost(self, operands: tuple[Array, ...], result: Array) -> Cost:
        """Return the work and the traffic of one call."""
        if not self.moves:
            return Cost()
        read = sum(operand.nbytes for operand in operands) if self.reads_whole else result.nbytes
        shapes = tuple(operand.shape for operand in operands)
        return Cost(flops=self.flops(shapes, result.shape), bytes=read + result.nbytes)

    def unit_of(self, operands: tuple[Array, ...]) -> Unit:
        """Return the unit that does one call: a product is matrix work from two rows on."""
        if self.unit is Unit.MATRIX and rows(operands[0].shape, operands[1].shape) < 2:
            return Unit.STREAM
        return self.unit


def rows(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    """Return how many rows of a product a b share one matrix b.

    Parameters
    ----------
    a, b
        Shapes of the operands of ``Ops.product``.
    """
    if len(a) < len(b) or len(a) == 1:
        return 1
    return math.prod(a[:-1]) if len(b) == 2 else a[-2]


def _each(per_element: int) -> Callable[[tuple[tuple[int, ...], ...], tuple[int, ...]], int]:
    """Return the FLOPs of an operation that does the same to every element of its result."""
    return lambda operands, result: per_element * math.prod(result)


OPS: dict[str, Op] = {
    "input": Op("input", _each(0), moves=False),
    "view": Op("view", _each(0), moves=False),
    "split_heads": Op("view", _each(0), moves=False),
    "merge_heads": Op("concatenation", _each(0)),
    "concat": Op("concatenation", _each(0)),
    "stack": Op("concatenation", _each(0)),
    "gather": Op("gather", _each(0), reads_whole=False),
    # An inner product of n numbers is n multiply-adds.
    "product": Op(
        "product",
        lambda operands, result: 2 * operands[0][-1] * math.prod(result),
        unit=Unit.MATRIX,
    ),
    "add": Op("sum", lambda operands, result: (len(operands) - 1) * math.prod(result)),
    "multiply": Op("elementwise product", _each(1)),
    "scale": Op("scaling", _each(1)),
    "complement": Op("1 - x", _each(1)),
    "tanh": Op("tanh", _each(1)),
    "sigmoid": Op("sigmoid", _each(4)),
    "gelu": Op("GELU", _each(15)),
    # Maximum, difference, exp, sum, product; a mask is one addition more.
    "softmax": Op("softmax", lambda operands, result: (4 + len(operands)) * math.prod(result)),
    "norm": Op("layer norm", _each(10)),
    # A choice by comparison, made by the host.
    "argmax": Op("argmax", lambda operands, result: math.prod(operands[0]), unit=Unit.SEQUENTIAL),
}

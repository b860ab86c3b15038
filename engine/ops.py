"""Primitive operations on arrays, what each costs, and which unit of hardware does it.

``Ops`` is a complete implementation on ``self.xp``; another array library is a subclass that
overrides only what differs. ``OPS`` has one row for each primitive. Nothing here knows a model:
names, stages and times are ``engine.tape``'s.

Costs count a multiply-add as two FLOPs, and as bytes each operand read once and the result written
once, as if every operation ran as one fused kernel.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from threading import Lock
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.erf import erf
from engine.trace import Cost, Unit

Array = NDArray[Any]

GELU_SCALE = math.sqrt(2.0 / math.pi)
GELU_CUBIC = 0.044715  # Hendrycks & Gimpel 2016, the tanh form that GPT-2 uses
PART = 2**17  # numbers that are worked on at a time: they stay in the L2 cache between passes


class Arena:
    """Memory for large arrays, in chunks that are used again when nothing lies in them any more.

    Fresh memory is zeroed by the system page by page when it is first written, which costs as much
    as a pass over it; whole chunks can lie on huge pages, and used ones cost nothing.
    """

    LEAST = 2**18  # bytes of an array that is worth it
    SPARE = 16  # a new chunk is this part of all so far, so that little stays empty

    def __init__(self) -> None:
        self._chunks: list[_Chunk] = []
        self._lock = Lock()

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Return an array that holds anything."""
        size = math.prod(shape) * dtype.itemsize
        with self._lock:
            chunk = next((chunk for chunk in self._chunks if chunk.has_room(size)), None)
            if chunk is None:
                held = sum(chunk.memory.size for chunk in self._chunks)
                chunk = _Chunk(max(size, held // self.SPARE))
                self._chunks.append(chunk)
            return chunk.take(shape, dtype, size)


class _Chunk:
    """Memory with what is taken from it one behind the other; an array keeps all of it alive."""

    LINE = 64  # bytes of a line of the cache, at which every array begins

    def __init__(self, size: int) -> None:
        self.memory = np.empty(size + self.LINE, np.uint8)
        self._begin = self._used = -self.memory.ctypes.data % self.LINE
        # Nothing but this object, and whatever getrefcount adds of its own, refers to it now.
        self._alone = sys.getrefcount(self.memory)

    def has_room(self, size: int) -> bool:
        """Return whether so many bytes are left, or are again because no array lies here now."""
        if self._used > self._begin and sys.getrefcount(self.memory) == self._alone:
            self._used = self._begin
        return self._used + size <= self.memory.size

    def take(self, shape: tuple[int, ...], dtype: Any, size: int) -> Array:
        """Return an array of so many bytes."""
        array: Array = np.ndarray(shape, dtype, self.memory, self._used)
        self._used += -(-size // self.LINE) * self.LINE
        return array


# Primitives that are one call of the library, which need not go through a method of ``Ops``.
_UFUNCS = {"add": np.add, "multiply": np.multiply, "tanh": np.tanh}


class Ops:
    """The primitives on NumPy arrays.

    Every method returns a fresh array, or a view where it says so; no operand is ever written.
    Leading axes beyond those that a method names are a batch. ``out`` is an array of the result's
    shape to write to, in place of a fresh one. Large results lie in memory that this object uses
    again when they are gone: keep it, and the next run takes no fresh memory.
    """

    backend = "NumPy"
    device = "this CPU"
    precision = "float32"  # a key of engine.precision.PRECISIONS; float64 stays what it is
    elsewhere = False  # whether arrays lie on another device, from which they have to be fetched
    # What a time is the difference of two of; a device's own is a number once it has been waited
    # for.
    clock: Callable[[], Any] = staticmethod(perf_counter)

    def __init__(self) -> None:
        self.xp: Any = np
        self._arena = Arena()
        # A call with a Python number would make an array of it each time.
        self._half, self._one = np.array(0.5, np.float32), np.array(1.0, np.float32)

    def threads(self) -> int:
        """Return how many threads a matrix product uses."""
        pools = _pools().lib_controllers
        return max((pool.num_threads for pool in pools if pool.user_api == "blas"), default=1)

    def to_device(self, array: Array) -> Any:
        """Return a host array where this backend computes."""
        return array

    def to_host(self, array: Any) -> Array:
        """Return a computed array on the host."""
        return np.asarray(array)

    def fetch(self, arrays: Sequence[Any]) -> list[Array]:
        """Return computed arrays on the host, in floats of at least 32 bits."""
        return [self.to_host(array) for array in arrays]

    def parameter(self, array: Array) -> Any:
        """Return a parameter of a model where this backend computes; it may be kept there."""
        return self.to_device(array)

    def wait(self) -> None:
        """Wait until everything that was asked for has been computed."""

    def unit_of(self, op: str, operands: tuple[Any, ...]) -> Unit:
        """Return the unit that does one call of a primitive here."""
        return op_of(op).unit_of(operands)

    def made(self, op: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return what computes what is no primitive: a row of ``LEARNING``."""
        return function

    def notes(self) -> tuple[str, ...]:
        """Return what has to be said of what was computed since this was asked last."""
        return ()

    def failed(self, error: Exception, step: str) -> Exception:
        """Return what to raise for an error that came up behind a step."""
        return error

    def rows_like(self, value: Any, count: int) -> Any:
        """Return an array that holds anything, with so many rows of the shape of ``value``."""
        return self._out((count, *value.shape), value)

    def writer(self, op: str, operands: Sequence[Any], options: Mapping[str, Any]) -> Any:
        """Return a function of such operands and of ``out``, to compute a primitive many times."""
        method, axes = getattr(self, op), [x.ndim for x in operands]
        if not options:
            if op == "product" and axes == [1, 2]:
                return self.xp.dot  # its call is cheaper than that of matmul
            if op in _UFUNCS and len(axes) == _UFUNCS[op].nin:
                return _UFUNCS[op]
            if len(axes) == 1:
                return method
        return lambda *arrays: method(*arrays[:-1], **options, out=arrays[-1])

    def gather(self, table: Any, ids: Any) -> Any:
        """Return the rows of a table, shape (*ids, feature)."""
        return self.xp.take(table, ids, axis=0)

    def product(self, a: Any, b: Any, transpose_b: bool = False, out: Any = None) -> Any:
        """Return the matrix product a b, or a bᵀ.

        An ``a`` with one axis less than ``b`` is one row for each matrix of ``b``.
        """
        if transpose_b:
            b = self.xp.swapaxes(b, -1, -2)
        if a.ndim > 1 and a.ndim == b.ndim - 1:
            rows = None if out is None else out[..., None, :]
            return self.xp.matmul(a[..., None, :], b, out=rows)[..., 0, :]
        if out is None and a.ndim >= b.ndim > 1 and a.dtype == b.dtype:
            if b.ndim == 2 or a.shape[:-2] == b.shape[:-2]:
                out = self._out((*a.shape[:-1], b.shape[-1]), a)
        return self.xp.matmul(a, b, out=out)

    def matmul(self, a: Any, b: Any) -> Any:
        """Return a b as ``numpy.matmul``."""
        return self.xp.matmul(a, b)

    def add(self, first: Any, second: Any, *others: Any, out: Any = None) -> Any:
        """Return the sum of two or more arrays."""
        if out is None and first.dtype == second.dtype:
            if first.shape[-second.ndim :] == second.shape:
                out = self._out(first.shape, first)
        total = self.xp.add(first, second, out=out)
        for other in others:
            total += other
        return total

    def multiply(self, a: Any, b: Any, out: Any = None) -> Any:
        """Return the elementwise product a ⊙ b."""
        return self.xp.multiply(a, b, out=out)

    def scale(self, x: Any, factor: float, out: Any = None) -> Any:
        """Return x times one number."""
        return self.xp.multiply(x, factor, out=self._out(x.shape, x, out))

    def complement(self, x: Any, out: Any = None) -> Any:
        """Return 1 - x."""
        return self.xp.subtract(self._one, x, out)

    def tanh(self, x: Any, out: Any = None) -> Any:
        """Return the hyperbolic tangent."""
        return self.xp.tanh(x, out=self._out(x.shape, x, out))

    def sigmoid(self, x: Any, out: Any = None) -> Any:
        """Return σ(x) = 1 / (1 + exp(-x))."""
        # The same as ½ tanh(x/2) + ½, which cannot overflow: exp(-x) does from x = -88 on.
        y = self.xp.multiply(x, self._half, out)
        self.xp.tanh(y, y)
        self.xp.multiply(y, self._half, y)
        return self.xp.add(y, self._half, y)

    def relu(self, x: Any, out: Any = None) -> Any:
        """Return max(0, x)."""
        return self.xp.maximum(x, 0.0, out=self._out(x.shape, x, out))

    def gelu_erf(self, x: Any, out: Any = None) -> Any:
        """Return GELU as it is defined, ½ x (1 + erf(x/√2))."""
        result = self._out(x.shape, x, out)
        for part in self._parts(x.shape):
            a, y = x[part], result[part]
            self.xp.multiply(a, math.sqrt(0.5), out=y)
            erf(y, self.xp, out=y)
            y += 1.0
            y *= a
            y *= 0.5
        return result

    def gelu(self, x: Any, out: Any = None) -> Any:
        """Return GELU in its tanh form, ½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))."""
        result = self._out(x.shape, x, out)
        for part in self._parts(x.shape):
            a, y = x[part], result[part]
            # a * a, never a**3: NumPy's float32 power is a scalar loop, 270 times slower.
            self.xp.multiply(a, a, out=y)
            y *= GELU_SCALE * GELU_CUBIC
            y += GELU_SCALE
            y *= a
            self.xp.tanh(y, out=y)
            y += 1.0
            y *= a
            y *= 0.5
        return result

    def softmax(self, x: Any, mask: Any = None, out: Any = None) -> Any:
        """Return softmax(x + mask) over the last axis; a row with everything masked is all zero.

        ``mask`` is added: 0 where a score counts, -inf where it does not.
        """
        xp = self.xp
        result = self._out(x.shape, x, out)
        added = None if mask is None else xp.broadcast_to(mask, x.shape)
        ones, lowest = xp.ones(x.shape[-1:], result.dtype), xp.finfo(result.dtype).min
        for part in self._parts(x.shape):
            a, y = x[part], result[part]
            if added is not None:
                a = xp.add(a, added[part], out=y)
            # Without the row maximum float32 overflows at a score of 89. It is -inf in a fully
            # masked row, and -inf - -inf would be NaN: the lowest finite number keeps that row at
            # exp(-inf).
            highest = xp.max(a, axis=-1, keepdims=True)
            xp.maximum(highest, lowest, out=highest)
            xp.subtract(a, highest, out=y)
            xp.exp(y, out=y)
            total = self._dots(y, ones)
            # A row that counts anything sums to at least exp(0) = 1, so this touches only masked
            # rows.
            y *= 1.0 / xp.maximum(total, 1.0)
        return result

    def norm(self, x: Any, gain: Any, bias: Any, eps: float, out: Any = None) -> Any:
        """Return the layer norm over the last axis, (x - mean) / √(variance + eps) gain + bias."""
        xp = self.xp
        result, d = self._out(x.shape, x, out), x.shape[-1]
        ones = xp.ones(d, result.dtype)
        for part in self._parts(x.shape):
            a, y = x[part], result[part]
            xp.subtract(a, self._dots(a, ones) / d, out=y)
            variance = self._dots(y, y) / d
            y *= 1.0 / xp.sqrt(variance + eps)
            y *= gain
            y += bias
        return result

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

    def merge_heads(self, x: Any, out: Any = None) -> Any:
        """Return (head, token, d_head) as (token, feature), the heads side by side."""
        rows = self.xp.swapaxes(x, -2, -3)  # (token, head, d_head)
        joined = self._out((*rows.shape[:-2], rows.shape[-2] * rows.shape[-1]), x, out)
        joined.reshape(rows.shape)[...] = rows
        return joined

    def concat(self, first: Any, *others: Any) -> Any:
        """Return arrays joined on their last axis."""
        return self.xp.concatenate((first, *others), axis=-1)

    def stack(self, first: Any, *others: Any) -> Any:
        """Return vectors as the rows of a matrix."""
        return self.xp.stack((first, *others), axis=-2)

    @staticmethod
    def _parts(shape: tuple[int, ...]) -> Iterator[tuple[Any, ...]]:
        """Yield indices of the parts that are worked on one after another."""
        return _parts(shape)

    def _dots(self, a: Any, b: Any) -> Any:
        """Return the dot product of each row of a with that of b, as the one number of its row."""
        if self.xp is np:  # a third of the time that a sum takes
            return np.vecdot(a, b)[..., None]
        return self.xp.sum(a * b, axis=-1, keepdims=True)

    def _out(self, shape: tuple[int, ...], like: Any, out: Any = None) -> Any:
        """Return where to write a result of the dtype of ``like``: ``out`` when there is one."""
        if out is not None:
            return out
        if math.prod(shape) * like.itemsize < Arena.LEAST:
            return self.xp.empty(shape, like.dtype)
        return self._arena.empty(shape, like.dtype)


def _parts(shape: tuple[int, ...]) -> Iterator[tuple[Any, ...]]:
    """Yield indices of the parts of an array that stay in the cache from one pass to the next.

    No row of the last axis is cut.
    """
    size = math.prod(shape)
    if size <= PART or len(shape) < 2:
        yield (...,)
    elif (rest := size // shape[0]) > PART:
        for i in range(shape[0]):
            for part in _parts(shape[1:]):
                yield i, *part
    else:
        for i in range(0, shape[0], PART // rest):
            yield slice(i, i + PART // rest), ...


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
    "relu": Op("ReLU", _each(1)),
    "gelu": Op("GELU", _each(15)),
    # Two quotients of polynomials and what joins them: see engine.erf.
    "gelu_erf": Op("GELU", _each(67)),
    # Maximum, difference, exp, sum, product; a mask is one addition more.
    "softmax": Op("softmax", lambda operands, result: (4 + len(operands)) * math.prod(result)),
    "norm": Op("layer norm", _each(10)),
    # A choice by comparison, made by the host.
    "argmax": Op("argmax", lambda operands, result: math.prod(operands[0]), unit=Unit.SEQUENTIAL),
}

# What a step of training does beside primitives: ``engine.learning_step`` has what each computes.
# ``of.k`` is the way back to operand k where that is another work than the way to the first.
LEARNING: dict[str, Op] = {
    # Of the gradient, in other words: the same numbers, or all of them one behind another.
    "same": Op("the same gradient", _each(0), moves=False),
    "flat": Op("one behind another", _each(0), moves=False),
    "part": Op("part of the vector", _each(0), moves=False),
    "place": Op("parts in their places", _each(0)),
    "fold": Op(
        "sum over rows", lambda operands, result: math.prod(operands[0]) - math.prod(result)
    ),
    # As many multiply-adds as forward: of a, each number of g meets a row of b as long as a's.
    "product.grad": Op(
        "product",
        lambda operands, result: 2 * result[-1] * math.prod(operands[0]),
        unit=Unit.MATRIX,
    ),
    "product.grad.1": Op(
        "product",
        lambda operands, result: 2 * operands[0][-1] * math.prod(operands[1]),
        unit=Unit.MATRIX,
    ),
    "gather.grad": Op("sum by word", lambda operands, result: math.prod(operands[0])),
    "tanh.grad": Op("tanh, backward", _each(3)),
    "sigmoid.grad": Op("sigmoid, backward", _each(3)),
    "relu.grad": Op("ReLU, backward", _each(1)),
    "gelu.grad": Op("GELU, backward", _each(11)),
    "gelu_erf.grad": Op("GELU, backward", _each(8)),
    "softmax.grad": Op("softmax, backward", _each(4)),
    "norm.grad": Op("layer norm, backward", _each(13)),
    "norm.grad.1": Op("layer norm, backward", lambda operands, result: 7 * math.prod(operands[0])),
    # The loss, and where the way back begins.
    "pick": Op("gather", _each(0), reads_whole=False),
    "cross_entropy": Op("cross-entropy", lambda operands, result: 2 * math.prod(operands[0])),
    "cross_entropy.grad": Op(
        "cross-entropy, backward",
        lambda operands, result: math.prod(result) + math.prod(operands[1]),
    ),
    # Of every weight a logarithm and 12 more, see ``engine.penalties``.
    "penalty": Op("penalty on heads", _each(13)),
    # The update.
    "length": Op("norm", lambda operands, result: 2 * math.prod(operands[0])),
    "clip": Op("scaling", _each(1)),
    "average": Op("AdamW", _each(3)),
    "average.square": Op("AdamW", _each(4)),
    "descend": Op("AdamW", _each(6)),
}


def op_of(name: str) -> Op:
    """Return the row of a primitive, or of what a step of training does beside them."""
    return OPS[name] if name in OPS else LEARNING[name]


def index_of(told: Mapping[str, int | float], shape: Sequence[int]) -> tuple[int | slice, ...]:
    """Return the index on the last axes that a view takes.

    Parameters
    ----------
    told
        What the view was told, as ``engine.tape`` names it: ``at.k`` and ``from.k``.
    shape
        Of its result.
    """
    axes = sum(name.startswith(("at.", "from.")) for name in told)
    kept = iter(shape[len(shape) - sum(name.startswith("from.") for name in told) :])
    at: list[int | slice] = []
    for axis in range(axes):
        if f"at.{axis}" in told:
            at.append(int(told[f"at.{axis}"]))
        else:
            start = int(told[f"from.{axis}"])
            at.append(slice(start, start + next(kept)))
    return tuple(at)

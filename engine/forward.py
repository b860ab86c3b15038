"""A run that can be repeated: the operations of a trace on other numbers.

A trace says which primitive reads what. Compiled, every array has its place once and for all, and a
repetition is one call of the array library behind another: nothing is recorded, allocated or looked
up. That is what training needs, where some operations on small arrays are run thousands of times.

What a chain computes token by token lies token behind token in one array, so that its way back
(``engine.program``) can take all tokens at once. What reads a result last may overwrite it.
"""

from __future__ import annotations

import ctypes
import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from engine.ops import GELU_CUBIC, GELU_SCALE, Array, Ops, index_of
from engine.trace import Step, Trace, Unit


class Weights:
    """Parameters by name that lie one behind another in one vector."""

    def __init__(self, parameters: Mapping[str, Array], dtype: Any = np.float32) -> None:
        self.vector: Array = np.concatenate([p.ravel() for p in parameters.values()]).astype(dtype)
        self.named = self.split(self.vector, {name: p.shape for name, p in parameters.items()})

    @staticmethod
    def split(vector: Array, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
        """Return the parts of a vector by name, as views."""
        named, start = {}, 0
        for name, shape in shapes.items():
            size = math.prod(shape)
            named[name] = vector[start : start + size].reshape(shape)
            start += size
        return named


class Memory:
    """Where compiled runs have their arrays, each run over the others: one is made at a time.

    So runs over sentences of many lengths hold no more than the longest of them.
    """

    CHUNK = 2**26  # bytes; what is not written to takes no memory
    LINE = 64  # bytes of a line of the cache, at which every array begins

    def __init__(self) -> None:
        self._chunks: list[Any] = []
        self.rewind()

    def rewind(self) -> None:
        """Begin with the arrays of another run."""
        self._chunk, self._used = 0, 0

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Return an array that holds anything; a view of it has it as its base."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        while True:
            if self._chunk == len(self._chunks):
                memory = np.empty(max(size, self.CHUNK) + self.LINE, np.uint8)
                first = -memory.ctypes.data % self.LINE
                # Of an array NumPy would take the whole memory for the base of every view.
                kind = ctypes.c_char * (memory.size - first)
                self._chunks.append(kind.from_buffer(memory.data, first))
            chunk = self._chunks[self._chunk]
            if self._used + size <= len(chunk):
                array: Array = np.ndarray(shape, dtype, chunk, self._used)
                self._used += -(-size // self.LINE) * self.LINE
                return array
            self._chunk, self._used = self._chunk + 1, 0


class Call(NamedTuple):
    """One call of the array library, and for which step it is made."""

    function: Callable[..., Any]
    arrays: tuple[Any, ...]
    step: str


class Place(NamedTuple):
    """Where an array lies: with how many others, in the order of the tokens, and as which."""

    array: Any
    row: int = -1
    stack: Any = None


class Forward:
    """A compiled run.

    Parameters
    ----------
    trace
        A run over a batch, shape and operations of which are repeated.
    weights
        The parameters; they may be changed between two repetitions.
    ops
        NumPy's: with another library the calls would have to be others.
    memory
        Shared with other runs, if any: what this one computed is there until another one is made.

    Raises
    ------
    ValueError
        For a device.

    Attributes
    ----------
    inputs
        What comes from outside, by the name of the step: ids, positions, masks; to be written to.
    """

    def __init__(
        self, trace: Trace, weights: Weights, ops: Ops, memory: Memory | None = None
    ) -> None:
        if ops.elsewhere:
            raise ValueError(f"A compiled run is NumPy's and not {ops.backend}'s.")
        self._xp, self._ops = ops.xp, ops
        self._weights = weights
        self._memory = memory or Memory()
        self._memory.rewind()
        self._steps = [step for step in trace.steps if step.op != "argmax"]
        self._by_name = {step.name: step for step in self._steps}
        self._units = {step.name: step.timing.unit for step in self._steps if step.op == "product"}
        self._consumers: dict[str, list[Step]] = defaultdict(list)
        for step in self._steps:
            for name in step.reads:
                self._consumers[name].append(step)
        self._places: dict[str, Place] = {
            name: Place(array) for name, array in weights.named.items()
        }
        self._kept: dict[str, Any] = {}  # beside the value of a step, for the way back
        self.inputs: dict[str, Any] = {}
        self._by_token = self._read_by_token()
        self._by_word = self._times_by_word()
        self._once = self._added_once()
        self._summed = {name for names in self._once.values() for name in names}
        self._forward: list[Call] = []
        self._compile_forward()

    def value(self, name: str) -> Any:
        """Return the array of a step or parameter."""
        return self._places[name].array

    def forward(self, spent: dict[Unit, float] | None = None) -> None:
        """Compute every value from inputs and weights; add its seconds to those spent by unit."""
        self._make(self._forward, spent)

    def _make(self, calls: list[Call], spent: dict[Unit, float] | None) -> None:
        """Make calls, each of them timed where somebody asks for the seconds spent by unit.

        A gradient of a product is made of products, what else is done to an array is stream.
        """
        if spent is None:
            for function, arrays, _ in calls:
                function(*arrays)
            return
        before = perf_counter()
        for function, arrays, name in calls:
            function(*arrays)
            now = perf_counter()
            spent[self._units.get(name, Unit.STREAM)] += now - before
            before = now

    def _read_by_token(self) -> set[str]:
        """Return what is read token by token: it lies in memory so, and not batch by batch."""
        found = set()
        for step in reversed(self._steps):
            readers = self._consumers[step.name]
            shared = step.value.ndim == 3 and bool(readers)
            if (
                shared
                and all(map(_is_of_token, readers))
                and self._is_only_viewed(step.name)
                or (
                    shared
                    and step.op in ("gather", "product", "add")
                    and all(r.op == "product" and r.name in found for r in readers)
                )
            ):
                found.add(step.name)
        return found

    def _times_by_word(self) -> dict[str, str]:
        """Return the products of nothing but gathered rows, with the gather that each reads.

        Where there are fewer words than tokens, every word is multiplied once and then gathered.
        """
        found: dict[str, str] = {}
        for gather in self._steps:
            if gather.op != "gather":
                continue
            table, ids = gather.reads
            readers, words = self._consumers[gather.name], self.value(table)
            if 2 * len(words) < self._by_name[ids].value.size and all(
                step.op == "product"
                and step.reads[0] == gather.name
                and step.reads[1] in self._weights.named
                and not step.told.get("transpose_b")
                for step in readers
            ):
                found |= {step.name: gather.name for step in readers}
        return found

    def _added_once(self) -> dict[str, list[str]]:
        """Return products of which every token gets the same vector added, with these sums.

        Then the vector is added to all tokens at once, where the product lies.
        """
        found: dict[str, list[str]] = {}
        for step in self._steps:
            views = self._consumers[step.name] if step.name in self._by_token else []
            if step.op != "product" or not views or not all(map(_is_of_token, views)):
                continue
            sums = [reader for view in views for reader in self._consumers[view.name]]
            vectors = {each.reads[1:] for each in sums if each.op == "add"}
            alone = len(sums) == len(views) == len({each.reads[0] for each in sums})
            if alone and len(vectors) == 1 and all(each.op == "add" for each in sums):
                (vector,) = vectors
                if len(vector) == 1 and vector[0] in self._weights.named:
                    found[step.name] = [each.name for each in sums]
        return found

    def _empty(self, step: Step) -> Any:
        """Return an array for the value of a step, or its gradient."""
        shape, dtype = step.value.shape, self._weights.vector.dtype
        if step.name in self._by_token:
            return self.empty((shape[1], shape[0], shape[2]), dtype).swapaxes(0, 1)
        return self.empty(shape, dtype)

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """Return an array that holds anything, and anything again when another run was made."""
        return self._memory.empty(shape, dtype)

    def empty_like(self, array: Any) -> Any:
        """Return such an array of the shape of another, whose rows lie in the same order."""
        if array.ndim == 3 and array.strides[0] < array.strides[1]:
            rows, sentences, numbers = array.swapaxes(0, 1).shape
            return self.empty((rows, sentences, numbers), array.dtype).swapaxes(0, 1)
        return self.empty(array.shape, array.dtype)

    def _compile_forward(self) -> None:
        stacks = self._stacks()
        for step in self._steps:
            self._places[step.name] = self._placed(step, stacks)
            operands = [self.value(name) for name in step.reads]
            make = FORWARD.get(step.op)
            if step.name in self._by_word:
                make = _product_by_word
            if make is None or step.name in self._summed or step.name in self._by_word.values():
                continue
            y = self.value(step.name)
            for function, arrays in make(self, step, operands, y):
                self._forward.append(Call(function, arrays, step.name))
            for name in self._once.get(step.name, ())[:1]:
                vector, rows = self.value(self._by_name[name].reads[1]), rows_of(y)
                self._forward.append(Call(self._xp.add, (rows, vector, rows), name))

    def _stacks(self) -> dict[str, Place]:
        """Return a place in one array for all steps of a recurrence that differ by the token."""
        families: dict[tuple[str, tuple[int, ...]], dict[int, str]] = defaultdict(dict)
        for step in self._steps:
            stem, _, last = step.name.rpartition(".")
            if last.isdigit() and step.op not in ("view", "split_heads"):
                families[stem, step.value.shape][int(last)] = step.name
        places = {}
        for (_, shape), members in families.items():
            stack = self.empty((len(members), *shape), self._weights.vector.dtype)
            for row, t in enumerate(sorted(members)):
                places[members[t]] = Place(stack[row], row, stack)
        return places

    def _placed(self, step: Step, stacks: Mapping[str, Place]) -> Place:
        """Return where the value of a step lies."""
        if step.name in self._summed:
            view = self._by_name[step.reads[0]]
            tokens = self.value(view.reads[0]).swapaxes(0, 1)
            return Place(self.value(view.name), int(view.told["at.0"]), tokens)
        if step.op == "view":
            at = index_of(step.told, step.value.shape)
            return Place(self._ops.view(self.value(step.reads[0]), at))
        if step.op == "split_heads":
            heads = int(step.told["heads"])
            return Place(self._ops.split_heads(self.value(step.reads[0]), heads=heads))
        if step.op == "input":
            floats = step.value.dtype.kind == "f"
            dtype = self._weights.vector.dtype if floats else step.value.dtype
            place = stacks.get(step.name) or Place(self._xp.empty(step.value.shape, dtype))
            place.array[...] = self._xp.asarray(step.value)
            self.inputs[step.name] = place.array
            return place
        if step.op in _IN_PLACE and self._is_spent(step):
            return self._places[step.reads[0]]
        found = stacks.get(step.name)
        return found or Place(self._empty(step))

    def _is_spent(self, step: Step) -> bool:
        """Return whether nobody needs what a step reads first any more: it may be overwritten."""
        source = self._by_name.get(step.reads[0])
        if source is None or len(self._consumers[source.name]) > 1:
            return False
        if source.value.shape != step.value.shape or source.name == step.reads[-1] != step.reads[0]:
            return False
        # What a chain reads again (h of W_h) lies with its own kind, see ``_stacks``.
        if any(reader.op == "product" for reader in self._consumers[step.name]):
            return False
        return source.op in _FORGETTING

    def _is_only_viewed(self, name: str) -> bool:
        """Return whether parts of an array are read that do not overlap and leave nothing out."""
        step, readers = self._by_name.get(name), self._consumers[name]
        if step is None or {reader.op for reader in readers} - {"view", "split_heads"}:
            return False
        seen = sum(math.prod(reader.value.shape) for reader in readers)
        distinct = len({str(reader.options) for reader in readers}) == len(readers)
        return distinct and seen == math.prod(step.value.shape)


def rows_of(array: Any) -> Any:
    """Return an array as a matrix of all its rows, in the order in which they lie in memory."""
    if array.ndim == 3 and array.strides[0] < array.strides[1]:
        array = array.swapaxes(0, 1)
    return array.reshape(-1, array.shape[-1])


def _lies_in_rows(array: Any) -> bool:
    """Return whether ``rows_of`` is a view."""
    return bool(
        array.flags.c_contiguous or (array.ndim == 3 and array.swapaxes(0, 1).flags.c_contiguous)
    )


def alike(a: Any, b: Any) -> bool:
    """Return whether the rows of two arrays lie in the same order, each without gaps."""
    same = a.ndim < 3 or b.ndim < 3 or a.flags.c_contiguous == b.flags.c_contiguous
    return _lies_in_rows(a) and _lies_in_rows(b) and same


def pieces(*arrays: Any) -> list[tuple[Any, ...]]:
    """Return arrays in pieces of their first axis, which stay in the cache from pass to pass."""
    count = len(arrays[0]) if arrays[0].ndim > 1 else 1
    if count < 2:
        return [arrays]
    rows = max(PIECE * count // arrays[0].size, 1)
    return [tuple(a[i : i + rows] for a in arrays) for i in range(0, count, rows)]


def _is_of_token(step: Step) -> bool:
    """Return whether a step is a view of one token of a batch."""
    return (
        step.op == "view"
        and step.options[:1] != ()
        and step.options[0][0] == "at.0"
        and len(step.options) == 2
    )


# ---- the calls of every primitive ---------------------------------------------------------------
#
# Each function takes the compiled run, the step, its operands and its result, and returns calls.

Calls = list[tuple[Callable[..., Any], tuple[Any, ...]]]
# Whose result may be overwritten by what reads it: its own way back does not need it.
PIECE = 2**16  # numbers that are worked on at a time
NEAR = 60.0  # scores may lie apart: exp(-60) is no number's end in float32
_FORGETTING = frozenset({"product", "add", "scale"})
_IN_PLACE = frozenset({"add", "scale", "softmax", "tanh", "sigmoid", "relu"})


def _product(p: Forward, step: Step, operands: list[Any], y: Any) -> Calls:
    a, b = operands
    if bool(step.told.get("transpose_b", False)):
        b = b.swapaxes(-1, -2)
    if a.ndim > 1 and a.ndim == b.ndim - 1:
        return [(p._xp.matmul, (a[..., None, :], b, y[..., None, :]))]
    if b.ndim == 2 and alike(a, y):
        return [(p._xp.matmul, (rows_of(a), b, rows_of(y)))]
    return [(p._xp.matmul, (a, b, y))]


def _product_by_word(p: Forward, step: Step, operands: list[Any], y: Any) -> Calls:
    """Return the product of the table, and the gather of its rows."""
    table, ids = (p.value(name) for name in p._by_name[p._by_word[step.name]].reads)
    every = p.empty((len(table), y.shape[-1]), y.dtype)
    gathered = _gather(p, step, [every, ids], y)
    return [(p._xp.matmul, (table, operands[1], every)), *gathered]


def _add(p: Forward, step: Step, operands: list[Any], y: Any) -> Calls:
    calls: Calls = [(p._xp.add, (operands[0], operands[1], y))]
    return calls + [(p._xp.add, (y, other, y)) for other in operands[2:]]


def _gather(p: Forward, step: Step, operands: list[Any], y: Any) -> Calls:
    table, ids = operands
    if not y.flags.c_contiguous:
        ids, y = ids.swapaxes(0, 1), y.swapaxes(0, 1)
    take = p._xp.take
    return [(lambda table, ids, y: take(table, ids, axis=0, out=y, mode="clip"), (table, ids, y))]


def _norm(p: Forward, step: Step, operands: list[Any], y: Any) -> Calls:
    xp, eps = p._xp, step.told["eps"]
    x, gain, bias = operands
    n, inverse = p.empty_like(y), p.empty((*y.shape[:-1], 1), y.dtype)
    p._kept[f"{step.name}.n"], p._kept[f"{step.name}.inverse"] = n, inverse
    weights = xp.full(x.shape[-1], 1.0 / x.shape[-1], y.dtype)
    flat = inverse[..., 0]

    def norm(x: Any, gain: Any, bias: Any, y: Any) -> None:
        xp.matmul(x, weights, out=flat)  # the mean as a product: three times as quick as mean
        xp.subtract(x, inverse, out=n)
        xp.vecdot(n, n, out=flat)
        flat.__imul__(1.0 / x.shape[-1])
        flat.__iadd__(eps)
        xp.sqrt(flat, out=flat)
        xp.reciprocal(flat, out=flat)
        xp.multiply(n, inverse, out=n)
        xp.multiply(n, gain, out=y)
        xp.add(y, bias, out=y)

    return [(norm, (x, gain, bias, y))]


def _gelu(p: Forward, step: Step, operands: list[Any], y: Any) -> Calls:
    xp, (x,) = p._xp, operands
    t, u = p.empty_like(y), p.empty_like(y)
    p._kept[f"{step.name}.tanh"], p._kept[f"{step.name}.spare"] = t, u

    parts = pieces(x, y, t)

    def gelu(x: Any, y: Any) -> None:
        for x, y, t in parts:
            xp.multiply(x, x, out=t)
            xp.multiply(t, GELU_SCALE * GELU_CUBIC, out=t)
            xp.add(t, GELU_SCALE, out=t)
            xp.multiply(t, x, out=t)
            xp.tanh(t, out=t)
            xp.add(t, 1.0, out=y)
            xp.multiply(y, x, out=y)
            xp.multiply(y, 0.5, out=y)

    return [(gelu, (x, y))]


def _by_ops(name: str, **more: Any) -> Callable[[Forward, Step, list[Any], Any], Calls]:
    def calls(p: Forward, step: Step, operands: list[Any], y: Any) -> Calls:
        method = getattr(p._ops, name)
        options = {k: step.told[k] for k in step.told}
        if not options:
            return [(lambda *arrays: method(*arrays[:-1], out=arrays[-1]), (*operands, y))]
        return [(lambda *arrays: method(*arrays[:-1], **options, out=arrays[-1]), (*operands, y))]

    return calls


def _ufunc(name: str) -> Callable[[Forward, Step, list[Any], Any], Calls]:
    return lambda p, step, operands, y: [(getattr(p._xp, name), (*operands, y))]


def _scale(p: Forward, step: Step, operands: list[Any], y: Any) -> Calls:
    return [(p._xp.multiply, (operands[0], y.dtype.type(step.told["factor"]), y))]


def _complement(p: Forward, step: Step, operands: list[Any], y: Any) -> Calls:
    return [(p._xp.subtract, (y.dtype.type(1.0), operands[0], y))]


def _stack(p: Forward, step: Step, operands: list[Any], y: Any) -> Calls:
    """Return the rows of a matrix; those that lie one behind another are copied at once."""
    places = [p._places[name] for name in step.reads]
    stack, first = places[0].stack, places[0].row
    if stack is None or any(
        place.stack is not stack or place.row != first + k for k, place in enumerate(places)
    ):
        return _joined(-2)(p, step, operands, y)
    return [(p._xp.copyto, (y, p._xp.moveaxis(stack[first : first + len(places)], 0, -2)))]


def _joined(axis: int) -> Callable[[Forward, Step, list[Any], Any], Calls]:
    join = "concatenate" if axis == -1 else "stack"

    def calls(p: Forward, step: Step, operands: list[Any], y: Any) -> Calls:
        function = getattr(p._xp, join)
        return [(lambda *arrays: function(arrays[:-1], axis=axis, out=arrays[-1]), (*operands, y))]

    return calls


def _softmax(p: Forward, step: Step, operands: list[Any], y: Any) -> Calls:
    """Return the softmax; where all scores lie near one another, their largest stands for a row's.

    That of a short row takes NumPy longer than all the rest, and so does the exponential of -∞:
    what a mask closes is multiplied with 0.
    """
    xp, ops, (x, *masks) = p._xp, p._ops, operands
    ones = xp.ones(y.shape[-1], y.dtype)
    total = p.empty((*y.shape[:-1], 1), y.dtype)
    kept = [xp.empty_like(mask) for mask in masks]
    parts = pieces(x, y, total, *(xp.broadcast_to(each, y.shape) for each in kept))

    def softmax(x: Any, *rest: Any) -> None:
        *masks, y = rest
        highest = x.max()
        closed = all(((mask == 0.0) | (mask == -math.inf)).all() for mask in masks)
        if not (highest - x.min() < NEAR and closed):
            ops.softmax(x, masks[0] if masks else None, out=y)
            return
        for mask, kept_of in zip(masks, kept, strict=True):
            xp.exp(mask, out=kept_of)
        for x, y, total, *factors in parts:
            flat = total[..., 0]
            xp.subtract(x, highest, out=y)
            xp.exp(y, out=y)
            for factor in factors:
                xp.multiply(y, factor, out=y)
            xp.vecdot(y, ones, out=flat)
            if factors:
                xp.copyto(flat, 1.0, where=flat == 0.0)  # a row that is closed as a whole stays 0
            xp.reciprocal(flat, out=flat)
            xp.multiply(y, total, out=y)

    return [(softmax, (x, *masks, y))]


FORWARD: dict[str, Callable[[Forward, Step, list[Any], Any], Calls]] = {
    "merge_heads": _by_ops("merge_heads"),
    "concat": _joined(-1),
    "stack": _stack,
    "gather": _gather,
    "product": _product,
    "add": _add,
    "multiply": _ufunc("multiply"),
    "scale": _scale,
    "complement": _complement,
    "tanh": _ufunc("tanh"),
    "sigmoid": _by_ops("sigmoid"),
    "relu": _by_ops("relu"),
    "gelu": _gelu,
    "gelu_erf": _by_ops("gelu_erf"),
    "softmax": _softmax,
    "norm": _norm,
}

"""A compiled run with its way back: how the mean loss of its answers changes with every parameter.

Backward, every operation hands the gradient of its result to what it read. The first contribution
to a gradient is written, later ones are added, and a gradient that is all or part of another is no
array of its own. A parameter that a chain reads once a token (W_h) gets its gradient by one product
over all tokens, at the end.

Notation: y is a result and g its gradient, as in ``engine.autodiff``, which does the same for one
recorded run and for any seeds.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from engine.forward import Call, Forward, Memory, Place, Weights, alike, pieces, rows_of
from engine.ops import GELU_CUBIC, GELU_SCALE, Ops, index_of
from engine.tasks import UNCOUNTED
from engine.trace import Step, Trace, Unit

LOGITS, PROBABILITIES = "answer.logits", "answer.probabilities"
# Takes the array library, a step's value, the gradient that it adds to, and the targets.
Beside = Callable[[Any, Any, Any, Any], None]
NOTHING: Mapping[str, Beside] = {}


class _Part(NamedTuple):
    """What one token contributes to the gradient of a parameter: aᵀ g, or the sum of g alone."""

    g: Place
    a: Place | None = None


class Program(Forward):
    """A compiled run with the cross-entropy of its answers, and its gradient.

    Parameters
    ----------
    trace, weights, ops, memory
        As of ``Forward``, whose inputs it has.
    beside
        For steps that one product reads alone, what adds to their gradient what else is asked of
        them than right answers.
    learns
        Whether it has a way back; without it the gradient stays 0.

    Attributes
    ----------
    targets
        Ids of the right answers, shaped as the answers are; ``UNCOUNTED`` where none is asked for.
    gradient
        Of the mean loss, by name of parameter; ``vector`` is all of it.
    """

    def __init__(
        self, trace: Trace, weights: Weights, ops: Ops, beside: Mapping[str, Beside] = NOTHING,
        memory: Memory | None = None, *, learns: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(trace, weights, ops, memory)
        self._beside = beside
        self.vector = self._xp.zeros_like(weights.vector)
        shapes = {name: array.shape for name, array in weights.named.items()}
        self.gradient = Weights.split(self.vector, shapes)
        logits = self.value(LOGITS)
        self.targets = self._xp.zeros(logits.shape[:-1], np.int64)
        self._backward: list[Call] = []
        self._grads: dict[str, Place] = {}
        self._found: dict[str, int] = defaultdict(int)  # contributions so far
        self._pool: dict[tuple[int, ...], list[Any]] = defaultdict(list)
        self._users: dict[int, int] = defaultdict(int)  # of the memory of a gradient
        self._late: dict[tuple[str, bool], list[_Part]] = defaultdict(list)
        self._alike: dict[tuple[str, int], list[int]] = defaultdict(list)  # rows of a stack by op
        for step in self._steps:
            place = self._places[step.name]
            if place.stack is not None:
                self._alike[step.op, id(place.stack)].append(place.row)
        if learns:
            self._compile_backward()
        # All is laid out: the values of the recorded run are let go.
        self._steps, self._by_name, self._consumers = [], {}, defaultdict(list)

    def loss(self) -> float:
        """Return the mean cross-entropy of the answers that count, in nats."""
        p, targets = self.value(PROBABILITIES), self.targets
        counted = targets != UNCOUNTED
        right = p[counted, targets[counted]]
        return float(-self._xp.log(self._xp.maximum(right, np.finfo(p.dtype).tiny)).mean())

    def backward(self, spent: dict[Unit, float] | None = None) -> None:
        """Compute the gradient of the mean loss of what the last ``forward`` answered.

        Adds its seconds to those spent by unit.
        """
        self._make(self._backward, spent)

    def _compile_backward(self) -> None:
        needed = self._needed()
        logits = self._by_name[LOGITS]
        g = self._take(logits.value.shape)
        self._grads[LOGITS], self._found[LOGITS] = Place(g), 1
        self._users[id(g)] += 1
        arrays = (self.value(PROBABILITIES), self.targets, g)
        self._backward.append(Call(partial(_seed, self._xp), arrays, LOGITS))
        for step in reversed(self._steps):
            if step.name not in self._grads or step.op == "input":
                continue
            place = self._grads[step.name]
            if step.name in self._beside:
                add, value = self._beside[step.name], self.value(step.name)
                self._call(step, add, self._xp, value, place.array, self.targets)
            if step.name in self._by_word:
                _back_by_word(self, step, place)
                self._release(place)
                continue
            for k, name in enumerate(step.reads):
                if name in needed:
                    BACKWARD[step.op](self, step, place, k)
            self._release(place)
        for (name, _), parts in self._late.items():
            self._sum_over_tokens(name, parts)
        for name, array in self.gradient.items():
            if not self._found[name]:
                array[...] = 0.0

    def _needed(self) -> set[str]:
        """Return what lies between a parameter and the answer."""
        needed = set(self.gradient)
        for step in self._steps:
            if not needed.isdisjoint(step.reads) and step.op != "input":
                needed.add(step.name)
        return needed

    def _call(self, step: Step, function: Callable[..., Any], *arrays: Any) -> None:
        self._backward.append(Call(function, arrays, step.name))

    def _take(self, shape: tuple[int, ...]) -> Any:
        free = self._pool[shape]
        return free.pop() if free else self.empty(shape, self._weights.vector.dtype)

    def _hold(self, place: Place) -> None:
        """Note one more who reads the memory of a gradient."""
        key = id(_owner(place.array))
        if key in self._users:
            self._users[key] += 1

    def _release(self, place: Place) -> None:
        """Let the memory of a gradient be used again when nobody reads it any more."""
        owner = _owner(place.array)
        key = id(owner)
        if place.stack is None and key in self._users:
            self._users[key] -= 1
            if self._users[key] == 0:
                self._pool[owner.shape].append(owner)

    def contribute(self, step: Step, name: str, write: Callable[[Any], tuple[Any, ...]]) -> None:
        """Add to the gradient of a name what a call writes.

        ``write`` takes the array to write to and returns the function and its arrays.
        """
        if self._found[name] == 0:
            target = self.target(name)
            self._call(step, *write(target))
        else:
            target = self._grads[name].array if name in self._grads else self.gradient[name]
            extra = self._take(target.shape)
            self._call(step, *write(extra))
            self._call(step, self._xp.add, target, extra, target)
            self._pool[extra.shape].append(extra)
        self._found[name] += 1

    def pass_on(self, step: Step, name: str, place: Place) -> None:
        """Add to the gradient of a name one that is there already; alone it is the same array."""
        if name in self._grads and self._grads[name].array is place.array:
            return
        alone = len(self._consumers[name]) == 1 and not self._is_part(name)
        if alone and self._found[name] == 0 and name in self._by_name:
            self._grads[name] = place
            self._hold(place)
            self._found[name] = 1
            return
        self.contribute(step, name, lambda out: (self._xp.copyto, out, place.array))

    def _is_part(self, name: str) -> bool:
        """Return whether a gradient is a part of another one's array."""
        step = self._by_name.get(name)
        viewed = step is not None and step.op in ("view", "split_heads")
        return viewed and step is not None and self._is_only_viewed(step.reads[0])

    def target(self, name: str) -> Any:
        """Return where the first contribution to the gradient of a name is written."""
        if name in self.gradient:
            return self.gradient[name]
        step = self._by_name[name]
        if self._is_part(name):
            parent = step.reads[0]
            if parent not in self._grads:
                self.target(parent)
                self._found[parent] = 1
            whole = self._grads[parent]
            self._grads[name] = self._part_of(whole, step)
            self._hold(whole)
            return self._grads[name].array
        if step.op == "add":  # whose gradient may be that of a part it reads
            for other in step.reads:
                alone = len(self._consumers[other]) == 1 and self._is_part(other)
                if alone and self._by_name[other].value.shape == step.value.shape:
                    self.target(other)
                    self._found[other] = 1
                    self._grads[name] = self._grads[other]
                    self._hold(self._grads[other])
                    return self._grads[name].array
        stem, _, last = name.rpartition(".")
        if last.isdigit() and self._places[name].stack is not None and self._is_late(step):
            stack = self._kept.setdefault(
                f"{stem} {step.value.shape}", self.empty_like(self._places[name].stack)
            )
            place = Place(stack[self._places[name].row], self._places[name].row, stack)
        else:
            place = Place(
                self._empty(step) if name in self._by_token else self._take(step.value.shape)
            )
            self._users[id(place.array)] += 1
        self._grads[name] = place
        return place.array

    def slope(self, step: Step, slopes: Callable[[Any, Any], None]) -> Any:
        """Return where the slope of a function lies, which depends on its result alone.

        Of a recurrence the slopes of all tokens are computed at once, when the last one is met.
        """
        place = self._places[step.name]
        alike = self._alike.get((step.op, id(place.stack)), [])
        first = min(alike, default=0)
        if len(alike) < 2 or max(alike) - first + 1 > len(alike):  # alone, or with others between
            slope = self.empty(place.array.shape, place.array.dtype)
            self._call(step, slopes, place.array, slope)
            return slope
        key = f"{step.op} {id(place.stack)}"
        if key not in self._kept:
            y = place.stack[first : first + len(alike)]
            self._kept[key] = self.empty(y.shape, y.dtype)
            self._call(step, slopes, y, self._kept[key])
        return self._kept[key][place.row - first]

    def _part_of(self, whole: Place, step: Step) -> Place:
        """Return the part of a gradient that a view of its step takes."""
        if step.op == "split_heads":
            return Place(self._ops.split_heads(whole.array, heads=int(step.told["heads"])))
        at = index_of(step.told, step.value.shape)
        array = self._ops.view(whole.array, at)
        if whole.stack is not None:
            return Place(array, whole.row, self._ops.view(whole.stack, at))
        if isinstance(at[0], int) and array.size * whole.array.shape[-len(at)] == whole.array.size:
            axis = whole.array.ndim - len(at)
            return Place(array, at[0], self._xp.moveaxis(whole.array, axis, 0))
        return Place(array)

    def _is_late(self, step: Step) -> bool:
        """Return whether the gradient of a step is needed behind the last token."""
        ways = [step]
        while ways:
            step = ways.pop()
            parameters = [name for name in step.reads if name in self.gradient]
            if parameters and step.op in ("product", "add"):
                return True
            if step.op == "add":
                ways += [self._by_name[n] for n in step.reads if n in self._by_name]
        return False

    def later(self, name: str, g: Place, a: Place | None = None) -> None:
        """Note a contribution to a parameter that is summed over all tokens at the end."""
        self._late[name, a is None].append(_Part(g, a))

    def _sum_over_tokens(self, name: str, parts: Sequence[_Part]) -> None:
        """Add the contributions of all tokens, at once where they lie one behind another."""
        parts = sorted(parts, key=lambda part: part.g.row)
        behind = _in_order([part.g for part in parts])
        others = [part.a for part in parts if part.a is not None]
        if len(parts) > 1 and behind and (not others or _in_order(others)):
            parts = [
                _Part(
                    _joined_in(parts[0].g, parts[-1].g),
                    _joined_in(others[0], others[-1]) if others else None,
                )
            ]
        step, stream = self._by_name[LOGITS], self._by_name[PROBABILITIES]  # for their units
        for g, a in parts:
            if a is None:
                self.contribute(stream, name, _call_with(_sum_rows, g.array))
            else:
                self.contribute(step, name, _call_with(_product_of, a.array, g.array))


def _seed(xp: Any, p: Any, targets: Any, g: Any) -> None:
    """Write the gradient of the mean cross-entropy to the logits: (p - 1 at the target) / n."""
    counted = targets != UNCOUNTED
    n = max(int(counted.sum()), 1)
    xp.multiply(p, 1.0 / n, out=g)
    rows, ids = g.reshape(-1, g.shape[-1]), targets.ravel()
    rows[xp.arange(len(rows)), xp.maximum(ids, 0)] -= 1.0 / n
    if not counted.all():
        rows *= counted.reshape(-1, 1)


def _owner(array: Any) -> Any:
    """Return the array that another one is a view of, or itself."""
    return array.base if isinstance(array.base, np.ndarray) else array


def _joined_in(first: Place, last: Place) -> Place:
    """Return all places from one to another of the same stack as one array."""
    return Place(first.stack[first.row : last.row + 1])


def _call_with(function: Callable[..., Any], *arrays: Any) -> Callable[[Any], tuple[Any, ...]]:
    """Return what ``Program.contribute`` is given for a function of arrays and of its result."""
    return lambda out: (function, *arrays, out)


def _in_order(places: Sequence[Place]) -> bool:
    if any(place.stack is None for place in places):
        return False
    return all(b.row == a.row + 1 and b.stack is a.stack for a, b in pairwise(places)) or all(
        b.row == a.row + 1 and b.stack.__array_interface__ == a.stack.__array_interface__
        for a, b in pairwise(places)
    )


def _product_of(a: Any, g: Any, out: Any) -> None:
    """Write the sum of aᵀ g over all rows."""
    if alike(a, g):
        a, g = rows_of(a), rows_of(g)
    else:
        a, g = a.reshape(-1, a.shape[-1]), g.reshape(-1, g.shape[-1])
    np.matmul(a.T, g, out=out)


def _sum_rows(g: Any, out: Any) -> None:
    """Write the sum of all rows: a product with ones, which takes a third of the time of a sum."""
    rows = rows_of(g)
    np.matmul(_ones(len(rows), rows.dtype), rows, out=out)


@cache
def _ones(count: int, dtype: Any) -> Any:
    return np.ones(count, dtype)


# ---- what every primitive contributes to the gradient of operand k ------------------------------


def _back_view(p: Program, step: Step, g: Place, k: int) -> None:
    name = step.reads[0]
    if p._is_only_viewed(name):
        return  # it was written there in the first place
    xp = p._xp
    at = index_of(step.told, step.value.shape)
    if p._found[name] == 0:
        p._call(step, p.target(name).fill, 0.0)
        p._found[name] = 1
    whole = p._grads[name].array if name in p._grads else p.gradient[name]
    part = p._ops.view(whole, at)
    p._call(step, xp.add, part, g.array, part)


def _back_split(p: Program, step: Step, g: Place, k: int) -> None:
    # Where views alone read it, its gradient is written to in the shape of the heads already.
    if not p._is_only_viewed(step.reads[0]):
        raise ValueError(f"{step.reads[0]} is read as heads and as a whole; only heads go back.")


def _back_merge(p: Program, step: Step, g: Place, k: int) -> None:
    heads = p.value(step.reads[0]).shape[-3]
    p.pass_on(step, step.reads[0], Place(p._ops.split_heads(g.array, heads=heads)))


def _back_concat(p: Program, step: Step, g: Place, k: int) -> None:
    start = sum(p.value(name).shape[-1] for name in step.reads[:k])
    part = g.array[..., start : start + p.value(step.reads[k]).shape[-1]]
    p.pass_on(step, step.reads[k], Place(part))


def _back_stack(p: Program, step: Step, g: Place, k: int) -> None:
    """Contribute a row; where others follow, all rows are copied at once and added to there."""
    name, row = step.reads[k], g.array[..., k, :]
    fresh = p._found[name] == 0 and name in p._by_name and not p._is_part(name)
    if not fresh or len(p._consumers[name]) == 1 or len(set(step.reads)) < len(step.reads):
        p.pass_on(step, name, Place(row))
        return
    key = f"rows {step.name}"
    if key not in p._kept:
        rows = p._xp.moveaxis(g.array, -2, 0)
        p._kept[key] = p.empty(rows.shape, rows.dtype)
        p._call(step, p._xp.copyto, p._kept[key], rows)
    p._grads[name], p._found[name] = Place(p._kept[key][k]), 1


def _back_gather(p: Program, step: Step, g: Place, k: int) -> None:
    write, *arrays = _sum_by_word(p, step, g)
    p.contribute(step, step.reads[0], lambda out: (write, *arrays, out))


def _sum_by_word(p: Program, gather: Step, g: Place) -> tuple[Any, ...]:
    """Return what writes, for every row of a table, the sum of g over where it was gathered."""
    xp = p._xp
    table, ids = (p.value(name) for name in gather.reads)
    hot = p.empty((ids.size, table.shape[0]), table.dtype)
    every = xp.arange(ids.size)

    if not g.array.flags.c_contiguous:
        ids = ids.swapaxes(0, 1)

    def write(ids: Any, g: Any, out: Any) -> None:
        hot.fill(0.0)
        hot[every, ids.ravel()] = 1.0
        xp.matmul(hot.T, g, out=out)

    return write, ids, rows_of(g.array)


def _back_by_word(p: Program, step: Step, g: Place) -> None:
    """Contribute to table and matrix of a product of gathered rows, from g summed by word."""
    gather = p._by_name[p._by_word[step.name]]
    names = gather.reads[0], step.reads[1]
    table, matrix = (p.value(name) for name in names)
    by_word = p.empty((len(table), g.array.shape[-1]), table.dtype)
    p._call(step, *_sum_by_word(p, gather, g), by_word)
    p.contribute(step, names[1], lambda out: (p._xp.matmul, table.T, by_word, out))
    p.contribute(step, names[0], lambda out: (p._xp.matmul, by_word, matrix.T, out))


def _back_product(p: Program, step: Step, g: Place, k: int) -> None:
    xp, name = p._xp, step.reads[k]
    a, b = (p.value(n) for n in step.reads)
    transposed = bool(step.told.get("transpose_b", False))
    row = a.ndim == b.ndim - 1
    if a.ndim == 1 and b.ndim > 1 and transposed:  # one vector that every row of b is met by
        if k == 0:
            p.contribute(step, name, lambda out: (xp.matmul, g.array.reshape(-1), rows_of(b), out))
        else:
            p.contribute(step, name, lambda out: (xp.multiply, g.array[..., None], a, out))
        return
    if k == 0:
        other = b if transposed else b.swapaxes(-1, -2)
        if row:
            p.contribute(
                step, name, lambda out: (xp.matmul, g.array[..., None, :], other, out[..., None, :])
            )
        elif other.ndim == 2:
            p.contribute(
                step,
                name,
                lambda out: (
                    (xp.matmul, rows_of(g.array), other, rows_of(out))
                    if alike(g.array, out)
                    else (xp.matmul, g.array, other, out)
                ),
            )
        else:
            p.contribute(step, name, lambda out: (xp.matmul, g.array, other, out))
        return
    if name in p.gradient and b.ndim == 2:
        source = p._places[step.reads[0]]
        left, right = (g, source) if transposed else (source, g)
        if g.stack is not None:
            p.later(name, right, left)
        else:
            p.contribute(step, name, lambda out: (_product_of, left.array, right.array, out))
        return
    left, right = (g.array, a) if transposed else (a, g.array)
    if row:
        left, right = left[..., None, :], right[..., None, :]
    p.contribute(step, name, lambda out: (xp.matmul, left.swapaxes(-1, -2), right, out))


def _back_add(p: Program, step: Step, g: Place, k: int) -> None:
    name = step.reads[k]
    shape = p.value(name).shape
    if shape == g.array.shape:
        if name in p.gradient and g.stack is not None:
            p.later(name, g)
        else:
            p.pass_on(step, name, g)
    elif name in p.gradient and len(shape) == 1 and g.stack is not None:
        p.later(name, g)
    elif len(shape) == 1:
        p.contribute(step, name, lambda out: (_sum_rows, g.array, out))
    else:
        axes = g.array.ndim

        def write(g: Any, out: Any) -> None:
            lead = axes - out.ndim
            repeated = (
                *range(lead),
                *(lead + i for i, n in enumerate(out.shape) if n == 1 and g.shape[lead + i] > 1),
            )
            out[...] = g.sum(axis=repeated).reshape(out.shape)

        p.contribute(step, name, lambda out: (write, g.array, out))


def _back_multiply(p: Program, step: Step, g: Place, k: int) -> None:
    other = p.value(step.reads[1 - k])
    p.contribute(step, step.reads[k], lambda out: (p._xp.multiply, g.array, other, out))


def _back_scale(p: Program, step: Step, g: Place, k: int) -> None:
    factor = g.array.dtype.type(step.told["factor"])
    p.contribute(step, step.reads[k], lambda out: (p._xp.multiply, g.array, factor, out))


def _back_complement(p: Program, step: Step, g: Place, k: int) -> None:
    p.contribute(step, step.reads[k], lambda out: (p._xp.negative, g.array, out))


def _back_tanh(p: Program, step: Step, g: Place, k: int) -> None:
    """Contribute g (1 - y²)."""
    xp, one = p._xp, np.ones((), g.array.dtype)

    def slopes(y: Any, out: Any) -> None:
        xp.multiply(y, y, out)
        xp.subtract(one, out, out)

    slope = p.slope(step, slopes)
    p.contribute(step, step.reads[k], lambda out: (xp.multiply, slope, g.array, out))


def _back_sigmoid(p: Program, step: Step, g: Place, k: int) -> None:
    """Contribute g y (1 - y)."""
    xp, one = p._xp, np.ones((), g.array.dtype)

    def slopes(y: Any, out: Any) -> None:
        xp.subtract(one, y, out)
        xp.multiply(out, y, out)

    slope = p.slope(step, slopes)
    p.contribute(step, step.reads[k], lambda out: (xp.multiply, slope, g.array, out))


def _back_relu(p: Program, step: Step, g: Place, k: int) -> None:
    xp, y = p._xp, p.value(step.name)
    p.contribute(
        step,
        step.reads[k],
        lambda out: (lambda y, g, out: xp.multiply(g, y > 0, out=out), y, g.array, out),
    )


def _back_gelu(p: Program, step: Step, g: Place, k: int) -> None:
    xp, x = p._xp, p.value(step.reads[0])
    t, u = p._kept[f"{step.name}.tanh"], p._kept[f"{step.name}.spare"]

    def call(out: Any) -> tuple[Any, ...]:
        parts = pieces(x, g.array, out, t, u)

        def write(x: Any, g: Any, out: Any) -> None:
            # ½ (1 + t) + ½ x (1 - t²) u'
            for x, g, out, t, u in parts:
                xp.multiply(x, x, out=u)
                xp.multiply(u, 1.5 * GELU_CUBIC * GELU_SCALE, out=u)
                xp.add(u, 0.5 * GELU_SCALE, out=u)
                xp.multiply(u, x, out=u)
                xp.multiply(t, t, out=out)
                xp.subtract(1.0, out, out=out)
                xp.multiply(u, out, out=u)
                xp.multiply(t, 0.5, out=out)
                xp.add(u, out, out=u)
                xp.add(u, 0.5, out=u)
                xp.multiply(u, g, out=out)

        return write, x, g.array, out

    p.contribute(step, step.reads[k], call)


def _back_gelu_erf(p: Program, step: Step, g: Place, k: int) -> None:
    xp, x, y = p._xp, p.value(step.reads[0]), p.value(step.name)
    gate = p.empty_like(y)

    def write(x: Any, y: Any, g: Any, out: Any) -> None:
        # Φ + x φ, where Φ = y / x
        xp.divide(y, xp.where(x == 0.0, 1.0, x), out=gate)
        gate[x == 0.0] = 0.5
        xp.multiply(x, x, out=out)
        xp.multiply(out, -0.5, out=out)
        xp.exp(out, out=out)
        xp.multiply(out, 1.0 / math.sqrt(2.0 * math.pi), out=out)
        xp.multiply(out, x, out=out)
        xp.add(out, gate, out=out)
        xp.multiply(out, g, out=out)

    p.contribute(step, step.reads[k], lambda out: (write, x, y, g.array, out))


def _back_softmax(p: Program, step: Step, g: Place, k: int) -> None:
    xp, y = p._xp, p.value(step.name)
    total = p.empty((*y.shape[:-1], 1), y.dtype)

    def call(out: Any) -> tuple[Any, ...]:
        parts = pieces(y, g.array, out, total)

        def write(y: Any, g: Any, out: Any) -> None:
            for y, g, out, total in parts:
                xp.vecdot(g, y, out=total[..., 0])
                xp.subtract(g, total, out=out)
                xp.multiply(out, y, out=out)

        return write, y, g.array, out

    p.contribute(step, step.reads[k], call)


def _back_norm(p: Program, step: Step, g: Place, k: int) -> None:
    xp, name = p._xp, step.reads[k]
    n, inverse = p._kept[f"{step.name}.n"], p._kept[f"{step.name}.inverse"]
    if k == 2:
        p.contribute(step, name, lambda out: (_sum_rows, g.array, out))
        return
    spare = p.empty_like(n)
    if k == 1:

        def of_gain(g: Any, out: Any) -> None:
            xp.multiply(g, n, out=spare)
            rows_of(spare).sum(axis=0, out=out)

        p.contribute(step, name, lambda out: (of_gain, g.array, out))
        return
    gain = p.value(step.reads[1])
    d = n.shape[-1]
    weights = xp.full(d, 1.0 / d, n.dtype)
    mean = p.empty_like(inverse)
    flat = mean[..., 0]

    def of_x(g: Any, out: Any) -> None:
        xp.multiply(g, gain, out=out)
        xp.vecdot(out, n, out=flat)
        xp.multiply(flat, 1.0 / d, out=flat)
        xp.multiply(n, mean, out=spare)
        xp.matmul(out, weights, out=flat)
        xp.subtract(out, mean, out=out)
        xp.subtract(out, spare, out=out)
        xp.multiply(out, inverse, out=out)

    p.contribute(step, name, lambda out: (of_x, g.array, out))


BACKWARD: dict[str, Callable[[Program, Step, Place, int], None]] = {
    "view": _back_view,
    "split_heads": _back_split,
    "merge_heads": _back_merge,
    "concat": _back_concat,
    "stack": _back_stack,
    "gather": _back_gather,
    "product": _back_product,
    "add": _back_add,
    "multiply": _back_multiply,
    "scale": _back_scale,
    "complement": _back_complement,
    "tanh": _back_tanh,
    "sigmoid": _back_sigmoid,
    "relu": _back_relu,
    "gelu": _back_gelu,
    "gelu_erf": _back_gelu_erf,
    "softmax": _back_softmax,
    "norm": _back_norm,
}

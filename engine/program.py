"""A run that can be repeated: the operations of a trace on other numbers, and their gradients.

A trace says which primitive reads what. Compiled, every array has its place once and for all, and a
repetition is one call of the array library behind another: nothing is recorded, allocated or looked
up. That is what training needs, where some operations on small arrays are run thousands of times.

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
from itertools import pairwise
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from engine.ops import GELU_CUBIC, GELU_SCALE, Array, Ops
from engine.tasks import UNCOUNTED
from engine.trace import Step, Trace, Unit

LOGITS, PROBABILITIES = "answer.logits", "answer.probabilities"


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


class _Call(NamedTuple):
    """One call of the array library, and for which step it is made."""

    function: Callable[..., Any]
    arrays: tuple[Any, ...]
    step: str


class _Place(NamedTuple):
    """Where an array lies: with how many others, in the order of the tokens, and as which."""

    array: Any
    row: int = -1
    stack: Any = None


class _Part(NamedTuple):
    """What one token contributes to the gradient of a parameter: aᵀ g, or the sum of g alone."""

    g: _Place
    a: _Place | None = None


class Program:
    """A compiled run with the cross-entropy of its answers, and its gradient.

    Parameters
    ----------
    trace
        A run over a batch, shape and operations of which are repeated.
    weights
        The parameters; they may be changed between two repetitions.
    ops
        Where to compute.

    Attributes
    ----------
    inputs
        What comes from outside, by the name of the step: ids, positions, masks; to be written to.
    targets
        Ids of the right answers, shaped as the answers are; ``UNCOUNTED`` where none is asked for.
    gradient
        Of the mean loss, by name of parameter; ``vector`` is all of it.
    """

    def __init__(self, trace: Trace, weights: Weights, ops: Ops) -> None:
        self._xp, self._ops = ops.xp, ops
        self._weights = weights
        self.vector = self._xp.zeros_like(weights.vector)
        shapes = {name: array.shape for name, array in weights.named.items()}
        self.gradient = Weights.split(self.vector, shapes)
        self._steps = [step for step in trace.steps if step.op != "argmax"]
        self._by_name = {step.name: step for step in self._steps}
        self._units = {step.name: step.timing.unit for step in self._steps if step.op == "product"}
        self._consumers: dict[str, list[Step]] = defaultdict(list)
        for step in self._steps:
            for name in step.reads:
                self._consumers[name].append(step)
        self._places: dict[str, _Place] = {
            name: _Place(array) for name, array in weights.named.items()
        }
        self._kept: dict[str, Any] = {}  # beside the value of a step, for the way back
        self.inputs: dict[str, Any] = {}
        self._by_token = self._read_by_token()
        self._forward: list[_Call] = []
        self._compile_forward()
        logits = self.value(LOGITS)
        self.targets = self._xp.zeros(logits.shape[:-1], np.int64)
        self._backward: list[_Call] = []
        self._grads: dict[str, _Place] = {}
        self._found: dict[str, int] = defaultdict(int)  # contributions so far
        self._pool: dict[tuple[int, ...], list[Any]] = defaultdict(list)
        self._users: dict[int, int] = defaultdict(int)  # of the memory of a gradient
        self._late: dict[tuple[str, bool], list[_Part]] = defaultdict(list)
        self._compile_backward()

    def value(self, name: str) -> Any:
        """Return the array of a step or parameter."""
        return self._places[name].array

    def forward(self, spent: dict[Unit, float] | None = None) -> None:
        """Compute every value from inputs and weights; add its seconds to those spent by unit."""
        self._make(self._forward, spent)

    def _make(self, calls: list[_Call], spent: dict[Unit, float] | None) -> None:
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

    # ------------------------------------------------------------------ forward

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

    def _empty(self, step: Step) -> Any:
        """Return an array for the value of a step, or its gradient."""
        xp, shape, dtype = self._xp, step.value.shape, self._weights.vector.dtype
        if step.name in self._by_token:
            return xp.empty((shape[1], shape[0], shape[2]), dtype).swapaxes(0, 1)
        return xp.empty(shape, dtype)

    def _compile_forward(self) -> None:
        stacks = self._stacks()
        for step in self._steps:
            self._places[step.name] = self._placed(step, stacks)
            operands = [self.value(name) for name in step.reads]
            make = FORWARD.get(step.op)
            if make is None:
                continue
            for function, arrays in make(self, step, operands, self.value(step.name)):
                self._forward.append(_Call(function, arrays, step.name))

    def _stacks(self) -> dict[str, _Place]:
        """Return a place in one array for all steps of a recurrence that differ by the token."""
        families: dict[tuple[str, tuple[int, ...]], dict[int, str]] = defaultdict(dict)
        for step in self._steps:
            stem, _, last = step.name.rpartition(".")
            if last.isdigit() and step.op not in ("view", "split_heads"):
                families[stem, step.value.shape][int(last)] = step.name
        places = {}
        for (_, shape), members in families.items():
            stack = self._xp.empty((len(members), *shape), self._weights.vector.dtype)
            for row, t in enumerate(sorted(members)):
                places[members[t]] = _Place(stack[row], row, stack)
        return places

    def _placed(self, step: Step, stacks: Mapping[str, _Place]) -> _Place:
        """Return where the value of a step lies."""
        if step.op == "view":
            return _Place(self._ops.view(self.value(step.reads[0]), index_of(step)))
        if step.op == "split_heads":
            heads = int(step.told["heads"])
            return _Place(self._ops.split_heads(self.value(step.reads[0]), heads=heads))
        if step.op == "input":
            floats = step.value.dtype.kind == "f"
            dtype = self._weights.vector.dtype if floats else step.value.dtype
            place = stacks.get(step.name) or _Place(self._xp.empty(step.value.shape, dtype))
            place.array[...] = self._xp.asarray(step.value)
            self.inputs[step.name] = place.array
            return place
        if step.op in _IN_PLACE and self._is_spent(step):
            return self._places[step.reads[0]]
        found = stacks.get(step.name)
        return found or _Place(self._empty(step))

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

    # ------------------------------------------------------------------ backward

    def _compile_backward(self) -> None:
        needed = self._needed()
        logits = self._by_name[LOGITS]
        g = self._take(logits.value.shape)
        self._grads[LOGITS], self._found[LOGITS] = _Place(g), 1
        self._users[id(g)] += 1
        arrays = (self.value(PROBABILITIES), self.targets, g)
        self._backward.append(_Call(self._seed, arrays, LOGITS))
        for step in reversed(self._steps):
            if step.name not in self._grads or step.op == "input":
                continue
            place = self._grads[step.name]
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

    def _seed(self, p: Any, targets: Any, g: Any) -> None:
        """Write the gradient of the mean cross-entropy to the logits: (p - 1 at the target) / n."""
        xp = self._xp
        counted = targets != UNCOUNTED
        n = max(int(counted.sum()), 1)
        xp.multiply(p, 1.0 / n, out=g)
        rows, ids = g.reshape(-1, g.shape[-1]), targets.ravel()
        rows[xp.arange(len(rows)), xp.maximum(ids, 0)] -= 1.0 / n
        if n < len(rows):
            rows *= counted.reshape(-1, 1)

    def _call(self, step: Step, function: Callable[..., Any], *arrays: Any) -> None:
        self._backward.append(_Call(function, arrays, step.name))

    def _take(self, shape: tuple[int, ...]) -> Any:
        free = self._pool[shape]
        return free.pop() if free else self._xp.empty(shape, self._weights.vector.dtype)

    def _hold(self, place: _Place) -> None:
        """Note one more who reads the memory of a gradient."""
        owner = place.array if place.array.base is None else place.array.base
        if id(owner) in self._users:
            self._users[id(owner)] += 1

    def _release(self, place: _Place) -> None:
        """Let the memory of a gradient be used again when nobody reads it any more."""
        owner = place.array if place.array.base is None else place.array.base
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

    def pass_on(self, step: Step, name: str, place: _Place) -> None:
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
                f"{stem} {step.value.shape}", self._xp.empty_like(self._places[name].stack)
            )
            place = _Place(stack[self._places[name].row], self._places[name].row, stack)
        else:
            place = _Place(
                self._empty(step) if name in self._by_token else self._take(step.value.shape)
            )
            self._users[id(place.array)] += 1
        self._grads[name] = place
        return place.array

    def _part_of(self, whole: _Place, step: Step) -> _Place:
        """Return the part of a gradient that a view of its step takes."""
        if step.op == "split_heads":
            return _Place(self._ops.split_heads(whole.array, heads=int(step.told["heads"])))
        at = index_of(step)
        array = self._ops.view(whole.array, at)
        if whole.stack is not None:
            return _Place(array, whole.row, self._ops.view(whole.stack, at))
        if isinstance(at[0], int) and array.size * whole.array.shape[-len(at)] == whole.array.size:
            axis = whole.array.ndim - len(at)
            return _Place(array, at[0], self._xp.moveaxis(whole.array, axis, 0))
        return _Place(array)

    def _is_only_viewed(self, name: str) -> bool:
        """Return whether parts of an array are read that do not overlap and leave nothing out."""
        step, readers = self._by_name.get(name), self._consumers[name]
        if step is None or {reader.op for reader in readers} - {"view", "split_heads"}:
            return False
        seen = sum(math.prod(reader.value.shape) for reader in readers)
        distinct = len({str(reader.options) for reader in readers}) == len(readers)
        return distinct and seen == math.prod(step.value.shape)

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

    def later(self, name: str, g: _Place, a: _Place | None = None) -> None:
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
        step = self._by_name[LOGITS]
        for g, a in parts:
            if a is None:
                self.contribute(step, name, _call_with(_sum_rows, g.array))
            else:
                self.contribute(step, name, _call_with(_product_of, a.array, g.array))


def _joined_in(first: _Place, last: _Place) -> _Place:
    """Return all places from one to another of the same stack as one array."""
    return _Place(first.stack[first.row : last.row + 1])


def _call_with(function: Callable[..., Any], *arrays: Any) -> Callable[[Any], tuple[Any, ...]]:
    """Return what ``Program.contribute`` is given for a function of arrays and of its result."""
    return lambda out: (function, *arrays, out)


def _in_order(places: Sequence[_Place]) -> bool:
    if any(place.stack is None for place in places):
        return False
    return all(b.row == a.row + 1 and b.stack is a.stack for a, b in pairwise(places)) or all(
        b.row == a.row + 1 and b.stack.__array_interface__ == a.stack.__array_interface__
        for a, b in pairwise(places)
    )


def _rows(array: Any) -> Any:
    """Return an array as a matrix of all its rows, in the order in which they lie in memory."""
    if array.ndim == 3 and array.strides[0] < array.strides[1]:
        array = array.swapaxes(0, 1)
    return array.reshape(-1, array.shape[-1])


def _lies_in_rows(array: Any) -> bool:
    """Return whether ``_rows`` is a view."""
    return bool(
        array.flags.c_contiguous or (array.ndim == 3 and array.swapaxes(0, 1).flags.c_contiguous)
    )


def _alike(a: Any, b: Any) -> bool:
    """Return whether the rows of two arrays lie in the same order, each without gaps."""
    same = a.ndim < 3 or b.ndim < 3 or a.flags.c_contiguous == b.flags.c_contiguous
    return _lies_in_rows(a) and _lies_in_rows(b) and same


def _is_of_token(step: Step) -> bool:
    """Return whether a step is a view of one token of a batch."""
    return (
        step.op == "view"
        and step.options[:1] != ()
        and step.options[0][0] == "at.0"
        and len(step.options) == 2
    )


def index_of(step: Step) -> tuple[Any, ...]:
    """Return the index on the last axes that a view takes, from the numbers it was told."""
    told = step.told
    axes = sum(name.startswith(("at.", "from.")) for name in told)
    kept = iter(step.value.shape[step.value.ndim - sum(n.startswith("from.") for n in told) :])
    at: list[int | slice] = []
    for axis in range(axes):
        if f"at.{axis}" in told:
            at.append(int(told[f"at.{axis}"]))
        else:
            start = int(told[f"from.{axis}"])
            at.append(slice(start, start + next(kept)))
    return tuple(at)


# ---- forward: the calls of every primitive ------------------------------------------------------
#
# Each function takes the program, the step, its operands and its result, and returns calls.

Calls = list[tuple[Callable[..., Any], tuple[Any, ...]]]
# Whose result may be overwritten by what reads it: its own way back does not need it.
_FORGETTING = frozenset({"product", "add", "scale"})
_IN_PLACE = frozenset({"add", "scale", "softmax", "tanh", "sigmoid", "relu"})


def _product_of(a: Any, g: Any, out: Any) -> None:
    """Write the sum of aᵀ g over all rows."""
    if _alike(a, g):
        a, g = _rows(a), _rows(g)
    else:
        a, g = a.reshape(-1, a.shape[-1]), g.reshape(-1, g.shape[-1])
    np.matmul(a.T, g, out=out)


def _sum_rows(g: Any, out: Any) -> None:
    g.sum(axis=tuple(range(g.ndim - 1)), out=out)


def _product(p: Program, step: Step, operands: list[Any], y: Any) -> Calls:
    a, b = operands
    if bool(step.told.get("transpose_b", False)):
        b = b.swapaxes(-1, -2)
    if a.ndim > 1 and a.ndim == b.ndim - 1:
        return [(p._xp.matmul, (a[..., None, :], b, y[..., None, :]))]
    if b.ndim == 2 and _alike(a, y):
        return [(p._xp.matmul, (_rows(a), b, _rows(y)))]
    return [(p._xp.matmul, (a, b, y))]


def _add(p: Program, step: Step, operands: list[Any], y: Any) -> Calls:
    calls: Calls = [(p._xp.add, (operands[0], operands[1], y))]
    return calls + [(p._xp.add, (y, other, y)) for other in operands[2:]]


def _gather(p: Program, step: Step, operands: list[Any], y: Any) -> Calls:
    table, ids = operands
    if not y.flags.c_contiguous:
        ids, y = ids.swapaxes(0, 1), y.swapaxes(0, 1)
    return [
        (lambda table, ids, y: p._xp.take(table, ids, axis=0, out=y, mode="clip"), (table, ids, y))
    ]


def _norm(p: Program, step: Step, operands: list[Any], y: Any) -> Calls:
    xp, eps = p._xp, step.told["eps"]
    x, gain, bias = operands
    n, inverse = xp.empty_like(y), xp.empty((*y.shape[:-1], 1), y.dtype)
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


def _gelu(p: Program, step: Step, operands: list[Any], y: Any) -> Calls:
    xp, (x,) = p._xp, operands
    t, u = xp.empty_like(y), xp.empty_like(y)
    p._kept[f"{step.name}.tanh"], p._kept[f"{step.name}.spare"] = t, u

    def gelu(x: Any, y: Any) -> None:
        xp.multiply(x, x, out=t)
        xp.multiply(t, GELU_SCALE * GELU_CUBIC, out=t)
        xp.add(t, GELU_SCALE, out=t)
        xp.multiply(t, x, out=t)
        xp.tanh(t, out=t)
        xp.add(t, 1.0, out=y)
        xp.multiply(y, x, out=y)
        xp.multiply(y, 0.5, out=y)

    return [(gelu, (x, y))]


def _by_ops(name: str, **more: Any) -> Callable[[Program, Step, list[Any], Any], Calls]:
    def calls(p: Program, step: Step, operands: list[Any], y: Any) -> Calls:
        method = getattr(p._ops, name)
        options = {k: step.told[k] for k in step.told}
        if not options:
            return [(lambda *arrays: method(*arrays[:-1], out=arrays[-1]), (*operands, y))]
        return [(lambda *arrays: method(*arrays[:-1], **options, out=arrays[-1]), (*operands, y))]

    return calls


def _ufunc(name: str) -> Callable[[Program, Step, list[Any], Any], Calls]:
    return lambda p, step, operands, y: [(getattr(p._xp, name), (*operands, y))]


def _scale(p: Program, step: Step, operands: list[Any], y: Any) -> Calls:
    return [(p._xp.multiply, (operands[0], y.dtype.type(step.told["factor"]), y))]


def _complement(p: Program, step: Step, operands: list[Any], y: Any) -> Calls:
    return [(p._xp.subtract, (y.dtype.type(1.0), operands[0], y))]


def _joined(axis: int) -> Callable[[Program, Step, list[Any], Any], Calls]:
    join = "concatenate" if axis == -1 else "stack"

    def calls(p: Program, step: Step, operands: list[Any], y: Any) -> Calls:
        function = getattr(p._xp, join)
        return [(lambda *arrays: function(arrays[:-1], axis=axis, out=arrays[-1]), (*operands, y))]

    return calls


FORWARD: dict[str, Callable[[Program, Step, list[Any], Any], Calls]] = {
    "merge_heads": _by_ops("merge_heads"),
    "concat": _joined(-1),
    "stack": _joined(-2),
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
    "softmax": _by_ops("softmax"),
    "norm": _norm,
}


# ---- backward: what every primitive contributes to the gradient of operand k ---------------------


def _back_view(p: Program, step: Step, g: _Place, k: int) -> None:
    name = step.reads[0]
    if p._is_only_viewed(name):
        return  # it was written there in the first place
    xp = p._xp
    at = index_of(step)
    if p._found[name] == 0:
        p._call(step, p.target(name).fill, 0.0)
        p._found[name] = 1
    whole = p._grads[name].array if name in p._grads else p.gradient[name]
    part = p._ops.view(whole, at)
    p._call(step, xp.add, part, g.array, part)


def _back_split(p: Program, step: Step, g: _Place, k: int) -> None:
    if not p._is_only_viewed(step.reads[0]):
        raise NotImplementedError


def _back_merge(p: Program, step: Step, g: _Place, k: int) -> None:
    heads = p.value(step.reads[0]).shape[-3]
    p.pass_on(step, step.reads[0], _Place(p._ops.split_heads(g.array, heads=heads)))


def _back_concat(p: Program, step: Step, g: _Place, k: int) -> None:
    start = sum(p.value(name).shape[-1] for name in step.reads[:k])
    part = g.array[..., start : start + p.value(step.reads[k]).shape[-1]]
    p.pass_on(step, step.reads[k], _Place(part))


def _back_stack(p: Program, step: Step, g: _Place, k: int) -> None:
    p.pass_on(step, step.reads[k], _Place(g.array[..., k, :]))


def _back_gather(p: Program, step: Step, g: _Place, k: int) -> None:
    xp = p._xp
    table, ids = (p.value(name) for name in step.reads)
    hot = xp.zeros((ids.size, table.shape[0]), table.dtype)
    every = xp.arange(ids.size)

    if not g.array.flags.c_contiguous:
        ids = ids.swapaxes(0, 1)

    def write(ids: Any, g: Any, out: Any) -> None:
        hot.fill(0.0)
        hot[every, ids.ravel()] = 1.0
        xp.matmul(hot.T, g, out=out)

    p.contribute(step, step.reads[0], lambda out: (write, ids, _rows(g.array), out))


def _back_product(p: Program, step: Step, g: _Place, k: int) -> None:
    xp, name = p._xp, step.reads[k]
    a, b = (p.value(n) for n in step.reads)
    transposed = bool(step.told.get("transpose_b", False))
    row = a.ndim == b.ndim - 1
    if a.ndim == 1 and b.ndim > 1 and transposed:  # one vector that every row of b is met by
        if k == 0:
            p.contribute(step, name, lambda out: (xp.matmul, g.array.reshape(-1), _rows(b), out))
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
                    (xp.matmul, _rows(g.array), other, _rows(out))
                    if _alike(g.array, out)
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


def _back_add(p: Program, step: Step, g: _Place, k: int) -> None:
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


def _back_multiply(p: Program, step: Step, g: _Place, k: int) -> None:
    other = p.value(step.reads[1 - k])
    p.contribute(step, step.reads[k], lambda out: (p._xp.multiply, g.array, other, out))


def _back_scale(p: Program, step: Step, g: _Place, k: int) -> None:
    factor = g.array.dtype.type(step.told["factor"])
    p.contribute(step, step.reads[k], lambda out: (p._xp.multiply, g.array, factor, out))


def _back_complement(p: Program, step: Step, g: _Place, k: int) -> None:
    p.contribute(step, step.reads[k], lambda out: (p._xp.negative, g.array, out))


def _back_tanh(p: Program, step: Step, g: _Place, k: int) -> None:
    xp, y = p._xp, p.value(step.name)
    spare = xp.empty(y.shape, y.dtype)  # the result may lie apart, row by row

    def write(y: Any, g: Any, out: Any) -> None:
        xp.multiply(y, y, spare)
        xp.subtract(1.0, spare, spare)
        xp.multiply(spare, g, out)

    p.contribute(step, step.reads[k], lambda out: (write, y, g.array, out))


def _back_sigmoid(p: Program, step: Step, g: _Place, k: int) -> None:
    xp, y = p._xp, p.value(step.name)
    spare = xp.empty(y.shape, y.dtype)

    def write(y: Any, g: Any, out: Any) -> None:
        xp.subtract(1.0, y, spare)
        xp.multiply(spare, y, spare)
        xp.multiply(spare, g, out)

    p.contribute(step, step.reads[k], lambda out: (write, y, g.array, out))


def _back_relu(p: Program, step: Step, g: _Place, k: int) -> None:
    xp, y = p._xp, p.value(step.name)
    p.contribute(
        step,
        step.reads[k],
        lambda out: (lambda y, g, out: xp.multiply(g, y > 0, out=out), y, g.array, out),
    )


def _back_gelu(p: Program, step: Step, g: _Place, k: int) -> None:
    xp, x = p._xp, p.value(step.reads[0])
    t, u = p._kept[f"{step.name}.tanh"], p._kept[f"{step.name}.spare"]

    def write(x: Any, g: Any, out: Any) -> None:
        # ½ (1 + t) + ½ x (1 - t²) u'
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

    p.contribute(step, step.reads[k], lambda out: (write, x, g.array, out))


def _back_gelu_erf(p: Program, step: Step, g: _Place, k: int) -> None:
    xp, x, y = p._xp, p.value(step.reads[0]), p.value(step.name)
    gate = xp.empty_like(y)

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


def _back_softmax(p: Program, step: Step, g: _Place, k: int) -> None:
    xp, y = p._xp, p.value(step.name)
    total = xp.empty((*y.shape[:-1], 1), y.dtype)

    def write(y: Any, g: Any, out: Any) -> None:
        xp.vecdot(g, y, out=total[..., 0])
        xp.subtract(g, total, out=out)
        xp.multiply(out, y, out=out)

    p.contribute(step, step.reads[k], lambda out: (write, y, g.array, out))


def _back_norm(p: Program, step: Step, g: _Place, k: int) -> None:
    xp, name = p._xp, step.reads[k]
    n, inverse = p._kept[f"{step.name}.n"], p._kept[f"{step.name}.inverse"]
    if k == 2:
        p.contribute(step, name, lambda out: (_sum_rows, g.array, out))
        return
    spare = xp.empty_like(n)
    if k == 1:

        def of_gain(g: Any, out: Any) -> None:
            xp.multiply(g, n, out=spare)
            _rows(spare).sum(axis=0, out=out)

        p.contribute(step, name, lambda out: (of_gain, g.array, out))
        return
    gain = p.value(step.reads[1])
    d = n.shape[-1]
    weights = xp.full(d, 1.0 / d, n.dtype)
    mean = xp.empty_like(inverse)
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


BACKWARD: dict[str, Callable[[Program, Step, _Place, int], None]] = {
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

"""Reverse mode: how numbers of a run change with those that they were computed from.

A gradient goes backward through the recorded calls, the last first. Each call hands the gradient of
its result to its operands by a vector-Jacobian product, one for each primitive, in the table
``PULL``, which has the keys of ``engine.ops.OPS``. Everything that a product needs was captured by
the run, so nothing is run again.

Notation:

    y, g        the result of a call, and the gradient of some scalar to it: g = ∂L/∂y
    seed        the g to start from, shaped like the step that it is laid on

A seed may have axes in front of those of its step; then that many gradients are taken at once. The
identity as a seed, shape (n, n) on a step of n numbers, gives a Jacobian.

Sources: Griewank & Walther 2008, "Evaluating derivatives", section 3.2 (reverse mode); the products
of matrices: Giles 2008, "Collected matrix derivative results for forward and reverse mode
algorithmic differentiation", section 2.2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from time import perf_counter
from typing import Any, NamedTuple

from engine.ops import GELU_CUBIC, GELU_SCALE, Ops, index_of, op_of
from engine.trace import Trace, Unit


class Call(NamedTuple):
    """One call of a primitive: what it read and gave, as arrays where ``Ops`` computes.

    ``told`` are the numbers that are no tensors, as ``engine.trace.Step.told`` names them.
    """

    name: str
    op: str
    reads: tuple[str, ...]
    operands: tuple[Any, ...]
    value: Any
    told: Mapping[str, int | float]


class Part(NamedTuple):
    """A gradient that is zero outside ``at``, an index of the operand."""

    at: tuple[Any, ...]
    value: Any


# From ops, a call, the gradient of its result and the place k of an operand to the gradient of that
# operand, shaped like it (with the seed's axes in front).
Pull = Callable[[Ops, Call, Any, int], "Any | Part"]


def gradients(
    trace: Trace, seeds: Mapping[str, Any], *, wrt: Iterable[str], ops: Ops,
    spent: dict[Unit, float] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return the gradient of Σ seed · step, by name, to steps and parameters of a trace.

    Two of the arrays may share memory, so none may be written.

    Parameters
    ----------
    trace
        A run. Of a run over a batch, the gradient of a parameter is summed over the batch.
    seeds
        For each step to start from, numbers shaped like its value; axes in front, the same for all
        seeds, take many gradients at once.
    wrt
        Names of steps and parameters. What the seeded steps do not depend on gets zeros.
    ops
        Where to compute.
    spent
        Seconds by unit, to which those of every gradient are added.

    Raises
    ------
    KeyError
        When the trace has no step or parameter of a name.
    ValueError
        When a seed does not fit its step.
    """
    return pull_back(calls_of(trace, ops), seeds, wrt=tuple(wrt), ops=ops, spent=spent)


def calls_of(trace: Trace, ops: Ops) -> list[Call]:
    """Return the calls of a run in their order, with every array where ``ops`` computes."""
    arrays = {step.name: ops.to_device(step.value) for step in trace.steps}
    for name in {read for step in trace.steps for read in step.reads} - arrays.keys():
        arrays[name] = ops.to_device(trace.parameters[name])
    return [
        Call(
            step.name, step.op, step.reads, tuple(arrays[name] for name in step.reads),
            arrays[step.name], step.told,
        )
        for step in trace.steps
    ]  # fmt: skip


def pull_back(
    calls: Sequence[Call], seeds: Mapping[str, Any], *, wrt: Collection[str], ops: Ops,
    spent: dict[Unit, float] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return the gradient of Σ seed · result to what calls read or gave, by name.

    Parameters
    ----------
    calls
        In the order in which they were made.
    seeds, wrt, ops, spent
        As ``gradients``.

    Raises
    ------
    KeyError, ValueError
        As ``gradients``.
    """
    arrays = {
        name: array
        for call in calls
        for name, array in zip((*call.reads, call.name), (*call.operands, call.value), strict=True)
    }
    sums = _Sums(ops, arrays, _lead(seeds, arrays))
    for name, seed in seeds.items():
        sums.add(name, ops.xp.asarray(seed, arrays[name].dtype))
    # A gradient is worth its work only on the way to something that is asked for.
    needed = set(wrt)
    for call in calls:
        if not needed.isdisjoint(call.reads):
            needed.add(call.name)
    asked = frozenset(wrt)
    for call in reversed(calls):
        g = sums.of(call.name, keep=call.name in asked)
        if g is None or call.name not in needed:
            continue
        began = perf_counter()
        for k, name in enumerate(call.reads):
            pull = PULL[call.op]
            # An index is a whole number, so nothing flows into it.
            if name in needed and pull is not None and call.operands[k].dtype.kind == "f":
                sums.add(name, pull(ops, call, g, k))
        if spent is not None:
            unit = ops.unit_of(call.op, call.operands)
            spent[unit if op_of(call.op).moves else Unit.SEQUENTIAL] += perf_counter() - began
    return {name: sums.total(name) for name in wrt}


def _lead(seeds: Mapping[str, Any], arrays: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the axes that all seeds have in front of those of their steps."""
    leads = set()
    for name, seed in seeds.items():
        own = len(seed.shape) - arrays[name].ndim
        if own < 0 or seed.shape[own:] != arrays[name].shape:
            raise ValueError(f"{name} is {arrays[name].shape} and its seed {seed.shape}.")
        leads.add(tuple(seed.shape[:own]))
    if len(leads) != 1:
        raise ValueError(f"All seeds need the same axes in front; they have {sorted(leads)}.")
    return leads.pop()


class _Sums:
    """The gradients so far. Each contribution may be somebody else's array: only sums are ours."""

    def __init__(self, ops: Ops, arrays: Mapping[str, Any], lead: tuple[int, ...]) -> None:
        self._xp = ops.xp
        self._arrays = arrays
        self._lead = lead
        self._found: dict[str, Any] = {}
        self._ours: set[str] = set()

    def of(self, name: str, *, keep: bool) -> Any:
        """Return the gradient of a step, or None; its memory is let go unless it is kept."""
        return self._found.get(name) if keep else self._found.pop(name, None)

    def total(self, name: str) -> Any:
        """Return the gradient of a step or parameter, zeros where nothing came."""
        found = self._found.get(name)
        return self._zeros(name) if found is None else found

    def add(self, name: str, gradient: Any) -> None:
        """Add a contribution, whole or a part."""
        whole = not isinstance(gradient, Part)
        if whole and name not in self._found:
            self._found[name] = gradient
            return
        if name not in self._ours:
            found = self._found.get(name)
            self._found[name] = self._zeros(name) if found is None else found.copy()
            self._ours.add(name)
        if whole:
            self._found[name] += gradient
        else:
            self._found[name][gradient.at] += gradient.value

    def _zeros(self, name: str) -> Any:
        array = self._arrays[name]
        return self._xp.zeros((*self._lead, *array.shape), array.dtype)


# ---- one vector-Jacobian product for each primitive ----------------------------------------------


def _fold(g: Any, call: Call, k: int) -> Any:
    """Return a gradient shaped like the result, summed where operand k was repeated to that shape.

    Broadcasting repeats; the gradient of what was repeated is the sum over the repetitions.
    """
    return _summed(g, call.value.ndim, call.operands[k].shape)


def _summed(g: Any, axes: int, shape: tuple[int, ...]) -> Any:
    """Return g, whose last ``axes`` axes are those of a result, summed down to a shape."""
    lead = g.ndim - axes
    missing = axes - len(shape)
    repeated = [*range(lead, lead + missing)]
    repeated += [
        lead + missing + axis
        for axis, length in enumerate(shape)
        if length == 1 and g.shape[lead + missing + axis] > 1
    ]
    if not repeated:
        return g
    return g.sum(axis=tuple(repeated)).reshape(*g.shape[:lead], *shape)


def _view(ops: Ops, call: Call, g: Any, k: int) -> Part:
    """Return g at the place of the view."""
    return Part((..., *index_of(call.told, call.value.shape)), g)


def _split_heads(ops: Ops, call: Call, g: Any, k: int) -> Any:
    return ops.merge_heads(g)


def _merge_heads(ops: Ops, call: Call, g: Any, k: int) -> Any:
    return ops.split_heads(g, heads=call.operands[0].shape[-3])


def _concat(ops: Ops, call: Call, g: Any, k: int) -> Any:
    start = sum(operand.shape[-1] for operand in call.operands[:k])
    return g[..., start : start + call.operands[k].shape[-1]]


def _stack(ops: Ops, call: Call, g: Any, k: int) -> Any:
    return g[..., k, :]


def _gather(ops: Ops, call: Call, g: Any, k: int) -> Any:
    """Return for every row of the table the sum of g over the places where it was taken."""
    table, ids = call.operands
    rows = g.reshape(*g.shape[: g.ndim - call.value.ndim], ids.size, table.shape[-1])
    total = ops.xp.zeros((*rows.shape[:-2], *table.shape), g.dtype)
    # Of a word that stands twice, total[ids] += rows would add one row only.
    ops.xp.add.at(total, (..., ids.ravel(), slice(None)), rows)
    return total


def _product(ops: Ops, call: Call, g: Any, k: int) -> Any:
    """Return g bᵀ for a and aᵀ g for b; of y = a bᵀ, g b for a and gᵀ a for b."""
    a, b = call.operands
    xp, transposed = ops.xp, bool(call.told.get("transpose_b", False))
    a_is_row, b_is_column = a.ndim == 1 or a.ndim == b.ndim - 1, b.ndim == 1
    if b_is_column:
        b, g = b[:, None], g[..., None]
    if a_is_row:
        a, g = a[..., None, :], g[..., None, :]
    axes = call.value.ndim + a_is_row + b_is_column  # of the result, now that all are matrices
    if k == 0:
        other = b if transposed else xp.swapaxes(b, -1, -2)  # (…, m, inner)
        if other.ndim == 2:
            # One product of all rows; matmul would take a small one for every leading index.
            rows = ops.matmul(g.reshape(-1, g.shape[-1]), other)
            of_a = rows.reshape(*g.shape[:-1], other.shape[-1])
        else:
            of_a = ops.matmul(g, other)
        of_a = _summed(of_a, axes, a.shape)
        return of_a[..., 0, :] if a_is_row else of_a
    if b.ndim == 2:  # every row of a met the same matrix, so all rows are summed at once
        n = math.prod(a.shape[:-1])
        g = g.reshape(*g.shape[: g.ndim - axes], n, g.shape[-1])
        a, axes = a.reshape(n, a.shape[-1]), 2
    left, right = (g, a) if transposed else (a, g)
    of_b = _summed(ops.matmul(xp.swapaxes(left, -1, -2), right), axes, b.shape)
    return of_b[..., 0] if b_is_column else of_b


def _add(ops: Ops, call: Call, g: Any, k: int) -> Any:
    return _fold(g, call, k)


def _multiply(ops: Ops, call: Call, g: Any, k: int) -> Any:
    return _fold(g * call.operands[1 - k], call, k)


def _scale(ops: Ops, call: Call, g: Any, k: int) -> Any:
    return g * call.told["factor"]


def _complement(ops: Ops, call: Call, g: Any, k: int) -> Any:
    return -g


def _tanh(ops: Ops, call: Call, g: Any, k: int) -> Any:
    """Return g ⊙ (1 - y²)."""
    y = call.value
    return g * (1.0 - y * y)


def _sigmoid(ops: Ops, call: Call, g: Any, k: int) -> Any:
    """Return g ⊙ y ⊙ (1 - y)."""
    y = call.value
    return g * (y * (1.0 - y))


def _relu(ops: Ops, call: Call, g: Any, k: int) -> Any:
    """Return g where y > 0, and 0 elsewhere: at 0 as PyTorch."""
    return g * (call.value > 0.0)


def _gate(ops: Ops, call: Call) -> Any:
    """Return y/x of a function y = x Φ(x) with Φ(0) = ½: how far the gate Φ stands open."""
    x, xp = call.operands[0], ops.xp
    zero = x == 0.0
    return xp.where(zero, 0.5, call.value / xp.where(zero, 1.0, x)).astype(x.dtype, copy=False)


def _gelu(ops: Ops, call: Call, g: Any, k: int) -> Any:
    """Return g ⊙ (Φ + 2 x Φ (1 - Φ) u') of y = x Φ, Φ = ½ (1 + tanh u).

    u = √(2/π) (x + 0.044715 x³),    u' = √(2/π) (1 + 3 · 0.044715 x²)
    """
    x, gate = call.operands[0], _gate(ops, call)
    slope = x * x
    slope *= 3.0 * GELU_CUBIC * GELU_SCALE
    slope += GELU_SCALE
    slope *= 2.0 * x
    slope *= gate * (1.0 - gate)
    slope += gate
    return g * slope


def _gelu_erf(ops: Ops, call: Call, g: Any, k: int) -> Any:
    """Return g ⊙ (Φ + x φ) of y = x Φ, Φ = ½ (1 + erf(x/√2)), φ = exp(-x²/2) / √(2π)."""
    x = call.operands[0]
    slope = x * x
    slope *= -0.5
    ops.xp.exp(slope, out=slope)
    slope *= 1.0 / math.sqrt(2.0 * math.pi)
    slope *= x
    slope += _gate(ops, call)
    return g * slope


def _softmax(ops: Ops, call: Call, g: Any, k: int) -> Any:
    """Return y ⊙ (g - Σ g ⊙ y), of scores and mask alike: 0 where y is 0, so where masked."""
    y = call.value
    gy = g * y
    gy -= y * gy.sum(axis=-1, keepdims=True)
    return _fold(gy, call, k)


def _norm(ops: Ops, call: Call, g: Any, k: int) -> Any:
    """Return Σ g for the bias, Σ g ⊙ n for the gain, and for x what stands below; d = g ⊙ gain.

        (d - mean d - n ⊙ mean(d ⊙ n)) / √(variance + ε),    n = (x - mean x) / √(variance + ε)

    Source: Ba, Kiros & Hinton 2016, "Layer normalization", eq. 4, differentiated.
    """
    x, gain, _ = call.operands
    xp = ops.xp
    if k == 2:
        return _fold(g, call, k)
    n = x - xp.mean(x, axis=-1, keepdims=True)
    inverse = 1.0 / xp.sqrt(xp.mean(n * n, axis=-1, keepdims=True) + call.told["eps"])
    n *= inverse
    if k == 1:
        return _fold(g * n, call, k)
    d = g * gain
    d -= xp.mean(d, axis=-1, keepdims=True) + n * xp.mean(d * n, axis=-1, keepdims=True)
    d *= inverse
    return d


# None: nothing flows on. An input reads nothing, and the choice of a word does not change by a
# small change of its probability.
PULL: dict[str, Pull | None] = {
    "input": None,
    "view": _view,
    "split_heads": _split_heads,
    "merge_heads": _merge_heads,
    "concat": _concat,
    "stack": _stack,
    "gather": _gather,
    "product": _product,
    "add": _add,
    "multiply": _multiply,
    "scale": _scale,
    "complement": _complement,
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "relu": _relu,
    "gelu": _gelu,
    "gelu_erf": _gelu_erf,
    "softmax": _softmax,
    "norm": _norm,
    "argmax": None,
}

"""One step of training as a trace: forward, loss, backward and update, operation by operation.

What ``engine.program`` does quickly and forgets is recorded here as a run is: every gradient and
every change is a step with its reads, cost, unit and time, so that depth and shares are those of a
whole step of training. The numbers are the same. The gradient of ``blocks.0.attn.pattern`` is the
step ``blocks.0.attn.pattern.grad``, that of a parameter ``blocks.0.attn.W_q.grad``; where several
steps read the same array, ``.grad.1``, ``.grad.2`` … are what each of them hands back, the last
reader first, and ``.grad`` is their sum. ``update.…`` are the bounded norm and AdamW on the vector
of all parameters, ``update.blocks.0.attn.W_q`` what a parameter is afterwards.

Notation: y is the result of an operation on a and b, g = ∂L/∂y the gradient of the loss to it, as
in ``engine.autodiff``, whose products are used.

Sources: those of ``engine.autodiff`` and ``engine.training``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from engine.autodiff import PULL, Call, Part
from engine.models import Model, run
from engine.ops import Array, Ops
from engine.precision import HALVES
from engine.program import LOGITS, NOTHING, PROBABILITIES, Beside
from engine.said import Said
from engine.tape import Record, Tape, Tensor, Watch
from engine.tasks import UNCOUNTED
from engine.trace import Trace
from engine.training import (
    BETA1,
    BETA2,
    CLIP,
    EPS,
    DivergedError,
    Training,
    answers_of,
    as_trained,
    schedule,
)

VECTOR = ("parameter",)
ORDER = ("forward", "loss", "backward", "update")  # of the phases of a step


def phase_of(stage: str) -> str:
    """Return which of ``ORDER`` a stage of a step of training belongs to."""
    if stage in ("loss", "update"):
        return stage
    return "backward" if stage.endswith(".back") else "forward"


def next_step(training: Training, *, ops: Ops | None = None, watch: Watch | None = None) -> Trace:
    """Return the step that a training takes next, recorded; the training stays where it is.

    ``ops`` are where the step is computed, NumPy by default.

    Raises
    ------
    engine.training.DivergedError
        As ``Training.descend``.
    engine.said.Said
        As ``record_step``.
    """
    step, moment, recipe, batch = (
        training.step + 1, training.keep(), training.recipe, training.next_batch(),
    )  # fmt: skip
    model = training.model
    config = as_trained(model.config)
    return record_step(
        replace(model, config=config),
        batch.ids,
        answers_of(batch, 1 + (config.answers == "every")),
        target=batch.target,
        step=step,
        rate=recipe.rate * schedule(step, recipe.steps),
        moments=(moment.mean, moment.square),
        beside=training.beside(),
        ops=ops,
        watch=watch,
    )


def record_step(
    model: Model,
    ids: Array,
    answers: Array,
    *,
    target: Array | None = None,
    hidden: int | None = None,
    words: tuple[str, ...] | None = None,
    step: int = 1,
    rate: float = 1e-3,
    moments: tuple[Array, Array] | None = None,
    beside: Mapping[str, Beside] = NOTHING,
    ops: Ops | None = None,
    watch: Watch | None = None,
) -> Trace:
    """Return one step of training as a trace.

    Parameters
    ----------
    model
        As it is in front of the step; it is not changed.
    ids, target, hidden, words
        As ``engine.models.run``; the last word is hidden by default.
    answers
        Ids of the right words, shaped as the answers are; ``UNCOUNTED`` where none is asked for.
    step, rate
        The number of the step, from 1, and its learning rate.
    moments
        Means of the gradient and of its square so far, all parameters one behind another; zeros by
        default.
    beside
        As of ``engine.program.Program``.
    ops, watch
        As ``engine.models.run``.

    Raises
    ------
    engine.training.DivergedError
        When the gradient is no number.
    engine.said.Said
        As ``engine.models.run``; for half precision.
    """
    ops = ops or Ops()
    if ops.precision in HALVES:
        raise Said(
            f"A step of training is not recorded in {ops.precision}, where small gradients become "
            "0; choose float32 or TF32."
        )
    hidden = ids.shape[-1] - 1 if hidden is None else hidden

    def then(tape: Tape) -> float:
        begun = perf_counter()
        recorder = _Step(tape, tuple(model.parameters), beside)
        # A device goes on computing meanwhile.
        aside = 0.0 if ops.elsewhere else perf_counter() - begun
        recorder.begin(np.asarray(answers), beside)
        recorder.back()
        recorder.update(step, rate, moments)
        return aside

    trace = run(
        model, ids, hidden=hidden, ops=ops, words=words, target=target, watch=watch, then=then
    )
    if not math.isfinite(float(trace.value("update.norm"))):
        raise DivergedError(
            f"Step {step} cannot be shown because its gradient is no number; go back to an earlier "
            "step, or train with a lower learning rate."
        )
    title = f"{trace.facts.title}: one step of training"
    return replace(trace, facts=replace(trace.facts, title=title))


class _Placed(NamedTuple):
    """A gradient that is zero outside ``at``."""

    at: tuple[Any, ...]
    g: Tensor


# What an operation hands back to an operand: a gradient that was recorded, or is already there.
_Handed = Tensor | _Placed


class _Step:
    """Records loss, backward and update behind a run, on its tape."""

    def __init__(self, tape: Tape, parameters: Sequence[str], beside: Collection[str]) -> None:
        self.ops, self.tape = tape.ops, tape
        self._parameters = parameters
        records = tape.so_far()
        self._records = {record.name: record for record in records}
        self._calls = [_call(record) for record in records]
        self._titles = {stage.name: stage.title for stage in tape.stages}
        self.tensors: dict[str, Tensor] = {name: tape.parameter(name) for name in parameters}
        for record in records:
            self.tensors |= {operand.name: operand for operand in record.operands}
            self.tensors[record.name] = Tensor(record.name, record.value)
        self._counts = self._counted(beside)
        self._handed: dict[str, list[_Handed]] = {}

    def _counted(self, beside: Collection[str]) -> dict[str, int]:
        """Return how many gradients each array gets that the loss depends on."""
        needed = set(self._parameters)
        for call in self._calls:
            if call.op != "input" and not needed.isdisjoint(call.reads):
                needed.add(call.name)
        counts = {LOGITS: 1, **dict.fromkeys(beside, 1)}
        for call in reversed(self._calls):
            if call.name not in counts or PULL[call.op] is None:
                continue
            for name, operand in zip(call.reads, call.operands, strict=True):
                if name in needed and operand.dtype.kind == "f":
                    counts[name] = counts.get(name, 0) + 1
        return counts

    def axes(self, name: str) -> tuple[str, ...]:
        """Return the axes of a step or parameter."""
        if name in self._records:
            return self._records[name].axes
        if self.tensors[name].value.ndim < 2:
            return ("out",)
        return ("word", "feature") if name.endswith("embed.E") else ("in", "out")

    # ------------------------------------------------------------------ loss

    def begin(self, answers: Array, beside: Mapping[str, Beside]) -> None:
        """Record the loss and its gradient to the logits, (p - 1 at the right word) / n.

        What else is asked of a step is handed to it first.
        """
        xp, tape = self.ops.xp, self.tape
        p = self.tensors[PROBABILITIES]
        axes = self.axes(PROBABILITIES)[:-1]
        counted = answers != UNCOUNTED
        n, all_counted = max(int(counted.sum()), 1), bool(counted.all())
        least = np.finfo(p.value.dtype).tiny

        def picked(p: Any, answers: Any) -> Any:
            index = xp.maximum(answers, 0)[..., None]
            right = xp.take_along_axis(p, index, axis=-1)[..., 0]
            return xp.where(answers != UNCOUNTED, right, p.dtype.type(1.0))

        def entropy(right: Any) -> Any:
            return xp.asarray(-xp.log(xp.maximum(right, least)).sum() / n, dtype=right.dtype)

        def gradient(p: Any, answers: Any) -> Any:
            g = p * (1.0 / n)
            rows, ids = g.reshape(-1, g.shape[-1]), answers.ravel()
            rows[xp.arange(len(rows)), xp.maximum(ids, 0)] -= 1.0 / n
            if not all_counted:
                rows *= (answers != UNCOUNTED).reshape(-1, 1)
            return g.astype(p.dtype, copy=False)

        with tape.stage("loss", "How wrong is it?", "L = −(1/n) Σ ln p_{right}"):
            asked = np.array(answers, dtype=np.int64)
            right = tape.input(asked, name="answers", axes=axes, equation="right words")
            name, equation = "loss.right", "p_{right}"
            found = tape.made("pick", picked, p, right, name=name, axes=axes, equation=equation)
            equation = "L = −(1/n) Σ ln p_{right}"
            tape.made("cross_entropy", entropy, found, name="loss", axes=(), equation=equation, n=n)
            g = tape.made(
                "cross_entropy.grad", gradient, p, right, name=f"{LOGITS}.grad",
                axes=self.axes(LOGITS), equation="∂L/∂logits = (p − 1_{right}) / n", n=n,
            )  # fmt: skip
            for name, add in beside.items():
                self._handed[name] = []
                self._handed[name].append(self._asked(self.tensors[name], right, add))
        self.tensors[f"{LOGITS}.grad"] = g

    def _asked(self, tensor: Tensor, answers: Tensor, add: Beside) -> Tensor:
        def gradient(value: Any, answers: Any) -> Any:
            g = self.ops.xp.zeros_like(value)
            add(self.ops.xp, value, g, answers)
            return g

        name = tensor.name
        return self.tape.made(
            "penalty", gradient, tensor, answers, name=self.name_of(name), axes=self.axes(name),
            equation="∂(penalty)/∂p",
        )  # fmt: skip

    # ------------------------------------------------------------------ backward

    def back(self) -> None:
        """Record how every operation hands its gradient back, the last one first."""
        reached = [call for call in reversed(self._calls) if call.name in self._counts]
        for stage, calls in groupby(reached, key=lambda call: self._records[call.name].stage):
            with self._stage(stage):
                for call in calls:
                    self._pull(call)
        for name in self._parameters:  # which nothing of the answer depends on
            if name not in self._counts:
                zeros = self.ops.xp.zeros_like(self.tensors[name].value)
                self.tensors[f"{name}.grad"] = self.tape.input(
                    zeros, name=f"{name}.grad", axes=self.axes(name), equation="0"
                )

    @contextmanager
    def _stage(self, stage: str) -> Iterator[None]:
        title = self._titles.get(stage, stage)
        with self.tape.stage(f"{stage}.back", f"{title}: backward", "∂L/∂a = (∂y/∂a)^⊤ ∂L/∂y"):
            yield

    def _pull(self, call: Call) -> None:
        if PULL[call.op] is None:
            return
        g = self.tensors[f"{call.name}.grad"]
        for k, name in enumerate(call.reads):
            if name in self._counts and call.operands[k].dtype.kind == "f":
                handed = self._handed.setdefault(name, [])
                handed.append(BACK[call.op](self, call, g, k))
                if len(handed) == self._counts[name]:
                    self._gather(name, handed)

    def name_of(self, name: str) -> str:
        """Return what the gradient that is handed to an array now is called."""
        if self._counts[name] == 1:
            return f"{name}.grad"
        return f"{name}.grad.{len(self._handed[name]) + 1}"

    def _gather(self, name: str, handed: list[_Handed]) -> None:
        """Record the gradient of an array, now that all who read it have handed theirs back."""
        parts = [one for one in handed if isinstance(one, _Placed)]
        whole = [one for one in handed if isinstance(one, Tensor)]
        final, array = f"{name}.grad", self.tensors[name].value
        axes = self.axes(name)
        for number, apart in enumerate(_disjoint(parts, array.shape), 1):
            alone = not whole and len(apart) == len(parts)
            label = final if alone else f"{final}.place.{number}"
            whole.append(self._put(apart, array, label, axes))
        first = whole[0]
        if len(whole) > 1:
            first = self.tape("add", *whole, name=final, axes=axes, equation="Σ ∂L/∂y ∂y/∂a")
        elif first.name != final:
            first = self.tape.made(
                "same", lambda g: g, first, name=final, axes=axes, equation="∂L/∂a = ∂L/∂y"
            )
        self.tensors[final] = first

    def _put(
        self, parts: Sequence[_Placed], array: Any, name: str, axes: tuple[str, ...]
    ) -> Tensor:
        xp = self.ops.xp

        def put(*gradients: Any) -> Any:
            total = xp.zeros(array.shape, array.dtype)
            for part, g in zip(parts, gradients, strict=True):
                total[part.at] = g
            return total

        gs = (part.g for part in parts)
        return self.tape.made("place", put, *gs, name=name, axes=axes, equation="[g_1, g_2, …]")

    # ------------------------------------------------------------------ update

    def update(self, step: int, rate: float, moments: tuple[Array, Array] | None) -> None:
        """Record the bounded norm and AdamW (here without decay) on all parameters at once."""
        xp, tape = self.ops.xp, self.tape
        weights = [self.tensors[name] for name in self._parameters]
        gradients = [self.tensors[f"{name}.grad"] for name in self._parameters]
        size = sum(weight.value.size for weight in weights)
        dtype = weights[0].value.dtype
        first, second = moments or (np.zeros(size, dtype), np.zeros(size, dtype))

        def vector(name: str, op: str, function: Any, *reads: Tensor, equation: str,
                   **told: float) -> Tensor:  # fmt: skip
            return tape.made(op, function, *reads, name=f"update.{name}", axes=VECTOR,
                             equation=equation, **told)  # fmt: skip

        def joined(*arrays: Any) -> Any:
            return xp.concatenate([array.ravel() for array in arrays])

        def descended(w: Any, m: Any, v: Any) -> Any:
            change = xp.sqrt(v * (1 / (1 - BETA2**step)))
            change += EPS
            xp.divide(m, change, out=change)
            change *= rate / (1 - BETA1**step)
            return w - change

        formula = "w ← w − η m′ / (√v′ + ε)"
        with tape.stage("update", "Change the weights", formula):
            w = vector("before", "flat", joined, *weights, equation="w")
            g = vector("gradient", "flat", joined, *gradients, equation="g = ∂L/∂w")
            m, v = (
                tape.input(np.array(array), name=f"update.{name}.before", axes=VECTOR, equation=e)
                for name, array, e in (("mean", first, "m"), ("square", second, "v"))
            )
            norm = tape.made(
                "length", lambda g: xp.asarray(xp.sqrt(g @ g)), g, name="update.norm", axes=(),
                equation="‖g‖ = √(Σ_i g_i^2)",
            )  # fmt: skip
            g = vector(
                "clipped", "clip", lambda g, norm: g * (CLIP / xp.maximum(norm, CLIP)), g, norm,
                equation="g ← g min(1, c / ‖g‖)", most=CLIP,
            )  # fmt: skip
            m = vector("mean", "average", lambda m, g: m * BETA1 + g * (1 - BETA1), m, g,
                       equation="m ← β_1 m + (1 − β_1) g", beta=BETA1)  # fmt: skip
            v = vector("square", "average.square", lambda v, g: v * BETA2 + g * g * (1 - BETA2),
                       v, g, equation="v ← β_2 v + (1 − β_2) g^2", beta=BETA2)  # fmt: skip
            after = vector("weights", "descend", descended, w, m, v, equation=formula, rate=rate,
                           step=step)  # fmt: skip
            start = 0
            for weight in weights:
                tape.made(
                    "part", _part_of(start, weight.value.shape), after, axes=self.axes(weight.name),
                    name=f"update.{weight.name}", equation="its part of w", start=start,
                )  # fmt: skip
                start += weight.value.size


def _call(record: Record) -> Call:
    """Return a record as the way back reads it."""
    names = tuple(operand.name for operand in record.operands)
    arrays = tuple(operand.value for operand in record.operands)
    return Call(record.name, record.op, names, arrays, record.value, record.told)


def _part_of(start: int, shape: tuple[int, ...]) -> Callable[[Any], Any]:
    return lambda vector: vector[start : start + math.prod(shape)].reshape(shape)


def _disjoint(parts: Sequence[_Placed], shape: tuple[int, ...]) -> list[list[_Placed]]:
    """Return parts in groups that do not lie over one another."""
    groups: list[tuple[Array, list[_Placed]]] = []
    for part in parts:
        free = next((group for group in groups if not group[0][part.at].any()), None)
        if free is None:
            free = np.zeros(shape, bool), []
            groups.append(free)
        free[0][part.at] = True
        free[1].append(part)
    return [group for _, group in groups]


# ---- how every primitive hands its gradient back -------------------------------------------------
#
# Each function takes the step, a call, the gradient g of its result and the place k of an operand;
# it records what has to be computed, as a primitive where one does it, and returns what is handed.

Hand = Callable[[_Step, Call, Tensor, int], _Handed]


def _view(s: _Step, call: Call, g: Tensor, k: int) -> _Handed:
    pull = PULL["view"]
    assert pull is not None
    part = pull(s.ops, call, g.value, k)
    assert isinstance(part, Part)
    return _Placed(part.at, g)


def _split_heads(s: _Step, call: Call, g: Tensor, k: int) -> _Handed:
    name = call.reads[k]
    equation = "[g_1, …, g_h]"
    return s.tape("merge_heads", g, name=s.name_of(name), axes=s.axes(name), equation=equation)


def _merge_heads(s: _Step, call: Call, g: Tensor, k: int) -> _Handed:
    name, heads = call.reads[k], call.operands[0].shape[-3]
    return s.tape(
        "split_heads", g, heads=heads, name=s.name_of(name), axes=s.axes(name), equation="g_h"
    )


def _concat(s: _Step, call: Call, g: Tensor, k: int) -> _Handed:
    start = sum(operand.shape[-1] for operand in call.operands[:k])
    return _taken(s, call, g, k, (slice(start, start + call.operands[k].shape[-1]),))


def _stack(s: _Step, call: Call, g: Tensor, k: int) -> _Handed:
    return _taken(s, call, g, k, (k, slice(0, g.value.shape[-1])))


def _taken(s: _Step, call: Call, g: Tensor, k: int, at: tuple[Any, ...]) -> Tensor:
    """Record the part of g that belongs to operand k."""
    name = call.reads[k]
    equation = f"g_{{{k + 1}}}"
    return s.tape("view", g, at=at, name=s.name_of(name), axes=s.axes(name), equation=equation)


def _product(s: _Step, call: Call, g: Tensor, k: int) -> _Handed:
    """Record g bᵀ for a and aᵀ g for b; of y = a bᵀ, g b for a and gᵀ a for b."""
    a, b = (s.tensors[name] for name in call.reads)
    turned = bool(call.told.get("transpose_b", False))
    if k == 1:
        equation = "g^⊤ a" if turned else "a^⊤ g"
        return _pulled(s, call, k, "product.grad.1", (a, g), equation)
    plain = b.value.ndim > 1 and (a.value.ndim > 1 or b.value.ndim == 2)
    equation = "g b" if turned else "g b^⊤"
    if plain and a.value.ndim == g.value.ndim:
        name = call.reads[k]
        options = {} if turned else {"transpose_b": True}
        return s.tape(
            "product", g, b, name=s.name_of(name), axes=s.axes(name), equation=equation, **options
        )
    return _pulled(s, call, k, "product.grad", (g, b), equation)


def _add(s: _Step, call: Call, g: Tensor, k: int) -> _Handed:
    return _folded(s, call, g, k)


def _folded(s: _Step, call: Call, g: Tensor, k: int) -> _Handed:
    """Hand g on, summed where operand k was repeated to the result's shape."""
    if call.operands[k].shape == g.value.shape:
        return g
    pull = PULL["add"]
    assert pull is not None
    name = call.reads[k]
    return s.tape.made(
        "fold", lambda g: pull(s.ops, call, g, k), g, name=s.name_of(name), axes=s.axes(name),
        equation="Σ_{rows} g",
    )  # fmt: skip


def _multiply(s: _Step, call: Call, g: Tensor, k: int) -> _Handed:
    other, name = s.tensors[call.reads[1 - k]], call.reads[k]
    same = call.operands[k].shape == g.value.shape
    label = s.name_of(name) if same else f"{s.name_of(name)}.rows"
    axes = s.axes(name) if same else s.axes(call.name)
    equation = "g ⊙ b" if k == 0 else "g ⊙ a"
    return _folded(
        s, call, s.tape("multiply", g, other, name=label, axes=axes, equation=equation), k
    )


def _scale(s: _Step, call: Call, g: Tensor, k: int) -> _Handed:
    return _scaled(s, call, g, k, float(call.told["factor"]), "c g")


def _complement(s: _Step, call: Call, g: Tensor, k: int) -> _Handed:
    return _scaled(s, call, g, k, -1.0, "−g")


def _scaled(s: _Step, call: Call, g: Tensor, k: int, factor: float, equation: str) -> Tensor:
    name = call.reads[k]
    return s.tape(
        "scale", g, factor=factor, name=s.name_of(name), axes=s.axes(name), equation=equation
    )


def _norm(s: _Step, call: Call, g: Tensor, k: int) -> _Handed:
    x, gain, _ = (s.tensors[name] for name in call.reads)
    if k == 2:
        return _folded(s, call, g, k)
    if k == 1:
        return _pulled(s, call, k, "norm.grad.1", (g, x), "Σ_{rows} g ⊙ n")
    equation = "(d − mean d − n ⊙ mean(d ⊙ n)) / √(σ^2 + ε),  d = g ⊙ γ"
    return _pulled(s, call, k, "norm.grad", (g, x, gain), equation)


def _pulled(
    s: _Step, call: Call, k: int, op: str, reads: Sequence[Tensor], equation: str
) -> Tensor:
    """Record the product of ``engine.autodiff`` for operand k as one operation."""
    pull = PULL[call.op]
    assert pull is not None
    g = s.tensors[f"{call.name}.grad"].value
    name = call.reads[k]
    return s.tape.made(
        op, lambda *_: pull(s.ops, call, g, k), *reads, name=s.name_of(name), axes=s.axes(name),
        equation=equation,
    )  # fmt: skip


def _elementwise(op: str, reads: str, equation: str) -> Hand:
    """Return how a function of one array hands back: from g and what of x and y it ``reads``."""

    def hand(s: _Step, call: Call, g: Tensor, k: int) -> _Handed:
        known = {"g": g, "x": s.tensors[call.reads[0]], "y": s.tensors[call.name]}
        return _pulled(s, call, k, op, [known[letter] for letter in reads], equation)

    return hand


# Of what has no gradient, as in ``PULL``, None.
BACK: Mapping[str, Any] = {
    "input": None,
    "view": _view,
    "split_heads": _split_heads,
    "merge_heads": _merge_heads,
    "concat": _concat,
    "stack": _stack,
    "gather": lambda s, call, g, k: _pulled(
        s, call, k, "gather.grad", (g, s.tensors[call.reads[1]]), "Σ_{places of the word} g"
    ),
    "product": _product,
    "add": _add,
    "multiply": _multiply,
    "scale": _scale,
    "complement": _complement,
    "tanh": _elementwise("tanh.grad", "gy", "g ⊙ (1 − y^2)"),
    "sigmoid": _elementwise("sigmoid.grad", "gy", "g ⊙ y ⊙ (1 − y)"),
    "relu": _elementwise("relu.grad", "gy", "g ⊙ [y > 0]"),
    "gelu": _elementwise("gelu.grad", "gxy", "g ⊙ (Φ + 2 x Φ (1 − Φ) u′)"),
    "gelu_erf": _elementwise("gelu_erf.grad", "gxy", "g ⊙ (Φ + x φ)"),
    "softmax": _elementwise("softmax.grad", "gy", "y ⊙ (g − Σ_j g_j y_j)"),
    "norm": _norm,
    "argmax": None,
}

"""Whether a device computes what it should: primitives, models and training in every precision.

Everything is compared with NumPy in float64 on the same operands, those of half precision rounded
first, and timed. Gradients and steps of training have no half precision. The result is plain data
that is written as JSON, so that somebody with a card can send it to somebody without one, where
``engine.report`` reads it.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np

from engine import tasks, weights
from engine.autodiff import PULL, Call, pull_back
from engine.device import Device
from engine.gpu import CupyOps, ops_for
from engine.learning_step import ORDER, phase_of, record_step
from engine.live import LIVE, Live
from engine.models import Model, run
from engine.ops import Array, Ops
from engine.precision import HALVES, PRECISIONS
from engine.report import FORMAT, MOST_TEXT, SENTENCE
from engine.shares import Shares, shares_of
from engine.tape import Tape, Tensor
from engine.timing import Classified, Cupti, by_events, fp32_peak, on_card
from engine.trace import Step, Trace, Unit
from engine.training import BETA1, BETA2, CLIP, EPS, Training, answers_of, as_trained

WRONG = 1e9  # stands for an error that is no number: JSON knows neither ∞ nor NaN
TIMES = 3
HOLD_SECONDS = 0.001
SIDES = (256, 1024, 4096)  # of the matrices whose product is timed
SIDES_ON_A_CPU = (256, 512)
LIVE_TOKENS = LIVE.batch * LIVE.tokens
# Whose step of training is taken: one of each kind of model, one with penalties on its heads.
TRAINED = (
    ("brackets", "rnn"), ("missing-word", "transformer"), ("dates", "gru-bahdanau"),
    ("dates", "transformer"),
)  # fmt: skip
SENTENCES = 16  # of its batch
RATE, NTH = 0.1, 10  # of the step: large, so that a wrong change of the weights is seen
UPDATE = 1e-4  # of the largest change: weight and change are added, and rounded to float32
CLOSED = 1e-4  # of a softmax that is nearly closed: differences of numbers that are nearly 1

Operands = tuple[Array, ...]
Case = tuple[Operands, dict[str, Any]]


def _draw(*shapes: tuple[int, ...]) -> Operands:
    generator = np.random.default_rng(sum(map(sum, shapes)))
    return tuple(generator.normal(size=shape).astype(np.float32) for shape in shapes)


def _each(*shapes: tuple[int, ...], **options: Any) -> Callable[[], list[Case]]:
    """Return cases of as many operands as shapes: as they are, and with a batch in front."""
    return lambda: [
        (_draw(*shapes), options),
        (_draw(*((2, *shape) for shape in shapes)), options),
    ]


def _products() -> list[Case]:
    return [
        (_draw((5, 40), (40, 40)), {}),
        (_draw((3, 5, 40), (40, 24)), {}),
        (_draw((5, 7, 8), (5, 9, 8)), {"transpose_b": True}),
        (_draw((5, 7, 9), (5, 9, 8)), {}),
        (_draw((2, 5, 7, 8), (2, 5, 9, 8)), {"transpose_b": True}),
        (_draw((16,), (16, 48)), {}),
        (_draw((40,), (90, 40)), {"transpose_b": True}),
        (_draw((3, 7), (3, 7, 16)), {}),
        (_draw((64, 128), (128, 96)), {}),
    ]


def _softmaxes() -> list[Case]:
    open_ = np.where(np.triu(np.ones((7, 7), bool), 1), -np.inf, 0.0).astype(np.float32)
    shut = np.full((7, 7), -np.inf, np.float32)
    return [
        (_draw((5, 7, 7)), {}),
        ((30 * _draw((5, 7, 7))[0], open_), {}),
        ((*_draw((7, 7)), shut), {}),
    ]


def _norms() -> list[Case]:
    return [(_draw(shape, (40,), (40,)), {"eps": 1e-5}) for shape in ((40,), (5, 40), (2, 5, 40))]


def _gathers() -> list[Case]:
    (table,) = _draw((90, 40))
    return [((table, np.array(ids)), {}) for ids in ([3, 0, 89, 3], [[1, 2], [2, 1]])]


# Operands and options with which a primitive is tried, by its name in ``OPS``.
CASES: dict[str, Callable[[], list[Case]]] = {
    "view": _each((5, 40), at=(slice(1, 4), slice(8, 16))),
    "split_heads": _each((5, 40), heads=5),
    "merge_heads": _each((5, 7, 8)),
    "concat": _each((5, 8), (5, 8)),
    "stack": _each((8,), (8,)),
    "gather": _gathers,
    "product": _products,
    "add": lambda: _each((5, 40), (5, 40), (5, 40))() + [(_draw((5, 40), (40,)), {})],
    "multiply": _each((5, 40), (5, 40)),
    "scale": _each((5, 7, 7), factor=1 / math.sqrt(8)),
    "complement": _each((40,)),
    "tanh": _each((5, 40)),
    "sigmoid": _each((5, 40)),
    "relu": _each((5, 40)),
    "gelu": _each((5, 40)),
    "gelu_erf": _each((5, 40)),
    "softmax": _softmaxes,
    "norm": _norms,
    "argmax": _each((90,)),
}


def tolerance(precision: str, op: str = "") -> tuple[float, str]:
    """Return the largest error that is let pass, as part of the largest value, and the reason.

    Of one primitive, or of every step of a model without ``op``.
    """
    of_one = PRECISIONS[precision].rounding
    if not op:
        least = {"float32": 1e-4, "TF32": 0.02, "float16": 0.05, "bfloat16": 0.4}[precision]
        return least, "up to a hundred operations in a row, each of which rounds"
    if op == "product":
        return max(1e-5, 4 * of_one), "each operand and the result are rounded once"
    if precision in HALVES:
        return max(1e-5, 1.01 * of_one), "computed in float32, rounded once"
    return 1e-5, "sums in another order, and another tanh, exp or erf"


def error_of(found: Array, exact: Array) -> float:
    """Return the largest difference as part of the largest value; ``WRONG`` when it is no number.

    Where both are the same infinity there is no difference.
    """
    if found.shape != exact.shape:
        return WRONG
    finite = np.isfinite(exact)
    if not np.array_equal(found[~finite], exact[~finite], equal_nan=True):
        return WRONG
    if not finite.any():
        return 0.0
    largest = max(float(np.max(np.abs(exact[finite]))), 1e-30)
    off = float(np.max(np.abs(found[finite].astype(np.float64) - exact[finite]))) / largest
    return off if math.isfinite(off) else WRONG


# ---- checking ------------------------------------------------------------------------------------


def check(device: Device, *, program: str, tell: Callable[[str], object]) -> dict[str, Any]:
    """Return what a device computed and how long it took, as plain data.

    Of a GPU ``on_device`` only. What fails is a row with the error's text, and the rest goes on.

    Parameters
    ----------
    device
        As ``engine.gpu.probe`` found it, or the CPU.
    program
        Name and version of what asks.
    tell
        Is told what is being done, a line each.
    """
    cupti = Cupti(device)
    report: dict[str, Any] = {
        "format": FORMAT,
        "made": {
            "program": program,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "system": f"{platform.system()} {platform.machine()}",
        },
        "device": {
            **asdict(replace(device, missing={}, versions={})),
            "missing": dict(device.missing),
            "versions": dict(device.versions),
        },
        "tracing": cupti.reason or "CUPTI",
        "primitives": [],
        "models": [],
        "workloads": [],
        "gradients": [],
        "training": [],
        "products": [],
        "kernels": [],
    }
    names = [name for name in PRECISIONS if name in device.precisions]
    for precision in names:
        tell(f"{precision}: {len(CASES)} primitives")
        ops = ops_for(device, precision)
        report["primitives"] += [_primitive(ops, op) for op in CASES]
        for id in weights.available():
            tell(f"{precision}: {id}")
            report["models"].append(_model(ops, weights.load(id), cupti, report["kernels"]))
        tell(f"{precision}: {LIVE.size.title}")
        report["workloads"].append(_workload(ops, cupti))
        if precision not in HALVES:
            tell(f"{precision}: gradients")
            report["gradients"] += [_gradient(ops, op) for op in CASES if PULL[op] is not None]
            for task, id in TRAINED:
                tell(f"{precision}: a step of training, {task} {id}")
                report["training"].append(_training(ops, task, id, cupti))
        tell(f"{precision}: products of large matrices")
        report["products"] += list(_timed_products(ops))
    if device.gpu:
        report["fp32_peak"] = fp32_peak(device, cast("CupyOps", ops_for(device)))
    report["tracing"] = cupti.reason or "CUPTI"
    rows = [row for name in JUDGED for row in report[name]]
    report["ok"] = bool(rows) and all(row["ok"] for row in rows)
    return report


JUDGED = ("primitives", "models", "gradients", "training")  # whose rows are right or not


def _primitive(ops: Ops, op: str) -> dict[str, Any]:
    """Return the largest error of a primitive over its cases, and the time of the last."""
    most, why = tolerance(ops.precision, op)
    row = {"op": op, "precision": ops.precision, "tolerance": most, "why": why}
    try:
        error = seconds = 0.0
        for operands, options in CASES[op]():
            there = [ops.to_device(x) for x in operands]
            function = getattr(ops, op)
            found = ops.to_host(function(*there, **options))
            wide = (ops.to_host(x) for x in there)
            exact = getattr(Ops(), op)(
                *(x.astype(np.float64) if x.dtype.kind == "f" else x for x in wide), **options
            )
            error = max(error, error_of(found, exact))
            seconds = _seconds(ops, lambda: function(*there, **options))  # noqa: B023 (called now)
        unit = ops.unit_of(op, tuple(there))
    except Exception as failure:
        return row | {"ok": False, "failed": _text(failure)}
    ok = bool(error <= most)
    return row | {"error": error, "ok": ok, "seconds": seconds, "unit": str(unit)}


def _seconds(ops: Ops, call: Callable[[], object]) -> float:
    """Return the shortest of some calls; of a device without the launch, which is queued ahead."""
    best = math.inf
    for _ in range(TIMES):
        if ops.elsewhere:
            ops.wait()
            cast("CupyOps", ops).hold(HOLD_SECONDS)
        start = ops.clock()
        call()
        end = ops.clock()
        ops.wait()
        best = min(best, float(end - start))
    return best


def _model(ops: Ops, model: Model, cupti: Cupti, kernels: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the largest error of a model's steps, its time and its shares."""
    most, why = tolerance(ops.precision)
    row = {
        "model": model.id, "tokens": len(SENTENCE), "precision": ops.precision, "tolerance": most,
        "why": why,
    }  # fmt: skip

    def once(with_: Ops) -> Trace:
        return run(model, SENTENCE, hidden=2, ops=with_)

    try:
        trace, shares = once(ops), None
        if ops.elsewhere and not cupti.reason:
            trace, traced = cupti.trace(once, cast("CupyOps", ops))
            shares = traced.shares
            kernels += [_kernel(model.id, ops.precision, it) for it in traced.kernels]
        elif ops.elsewhere:
            trace, shares = by_events(once, cast("CupyOps", ops))
        shares = shares or shares_of(trace)
        wide = {name: array.astype(np.float64) for name, array in model.parameters.items()}
        exact = run(replace(model, parameters=wide), SENTENCE, hidden=2, ops=Ops())
        errors = {
            mine.name: error_of(mine.value, right.value)
            for mine, right in zip(trace.steps, exact.steps, strict=True)
            if right.value.dtype.kind == "f"
        }
    except Exception as failure:
        return row | {"ok": False, "failed": _text(failure)}
    worst = max(errors, key=lambda name: errors[name])
    return row | {
        "error": errors[worst],
        "step": worst,
        "ok": errors[worst] <= most,
        **_told(shares),
    }


def _told(shares: Shares) -> dict[str, Any]:
    return {
        "seconds": shares.seconds,
        "shares": {str(work): part for work, part in shares.parts.items()},
        "path": shares.path,
        "basis": str(shares.basis),
    }


def _workload(ops: Ops, cupti: Cupti) -> dict[str, Any]:
    """Return the time and the shares of the block that chapter 2 runs."""
    row = {"model": LIVE.model, "tokens": LIVE_TOKENS, "precision": ops.precision}
    try:
        live = Live(LIVE)
        live.run(ops=ops)  # compiles, and fills the memory pool
        if ops.elsewhere:
            _, shares = on_card(lambda there: live.run(ops=there), cast("CupyOps", ops), cupti)
        else:
            shares = live.run(ops=ops).shares
    except Exception as failure:
        return row | {"failed": _text(failure)}
    return row | _told(shares)


def _kernel(model: str, precision: str, it: Classified) -> dict[str, Any]:
    votes = {name: str(vote) if vote else "" for name, vote in it.votes._asdict().items()}
    return {
        "model": model,
        "precision": precision,
        "name": it.kernel.name[:MOST_TEXT],
        "seconds": it.kernel.seconds,
        "work": str(it.work),
        "votes": votes,
    }


def _gradient(ops: Ops, op: str) -> dict[str, Any]:
    """Return the largest error of the gradients of a primitive to its operands, over its cases."""
    most, why = tolerance(ops.precision, "product")  # which the way back of a product is, too
    if op == "softmax":
        most = max(most, CLOSED)
    row = {"op": op, "precision": ops.precision, "tolerance": most, "why": why}
    try:
        error = 0.0
        for operands, options in CASES[op]():
            names = tuple(f"p{k}" for k in range(len(operands)))
            real = [n for n, x in zip(names, operands, strict=True) if x.dtype.kind == "f"]
            told = _told_of(op, operands, options)
            seed = _draw(getattr(Ops(), op)(*operands, **options).shape)[0]
            found = []
            for with_, wide in ((ops, False), (Ops(), True)):
                arrays = [
                    with_.to_device(x.astype(float) if wide and x.dtype.kind == "f" else x)
                    for x in operands
                ]
                y = getattr(with_, op)(*arrays, **options)
                call = Call("y", op, names, tuple(arrays), y, told)
                of = pull_back([call], {"y": seed}, wrt=real, ops=with_)
                found.append({name: with_.to_host(of[name]) for name in real})
            error = max(error, *(error_of(found[0][name], found[1][name]) for name in real))
    except Exception as failure:
        return row | {"ok": False, "failed": _text(failure)}
    return row | {"error": error, "ok": bool(error <= most)}


def _told_of(op: str, operands: Operands, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a call of a primitive is told, as a recorded one is."""
    tape = Tape(Ops(), {})
    reads = [Tensor(str(k), x) for k, x in enumerate(operands)]
    value = getattr(Ops(), op)(*operands, **options)
    tape(op, *reads, name="y", axes=("",) * value.ndim, equation="", **options)
    return dict(tape.so_far()[0].told)


def _training(ops: Ops, task_id: str, id: str, cupti: Cupti) -> dict[str, Any]:
    """Return the errors of the gradient and of the update, and the times and shares of a step.

    The update is compared with AdamW on the device's own gradient.
    """
    most, why = tolerance(ops.precision)
    row = {"model": f"{task_id} {id}", "precision": ops.precision, "tolerance": most, "why": why}
    try:
        task = tasks.load(task_id)
        training = Training(task, replace(task.recipes[id], batch=SENTENCES), 0)
        model, batch = training.model, training.next_batch()
        model = replace(model, config=as_trained(model.config))
        answers = answers_of(batch, 1 + (model.config.answers == "every"))
        size = sum(array.size for array in model.parameters.values())
        mean, square = 0.01 * _draw((size,))[0], 0.01 * np.abs(_draw((size, 1))[0].ravel())

        def once(with_: Ops, dtype: Any = np.float32) -> Trace:
            named = {name: array.astype(dtype) for name, array in model.parameters.items()}
            return record_step(
                replace(model, parameters=named), batch.ids, answers, target=batch.target,
                step=NTH, rate=RATE, moments=(mean.astype(dtype), square.astype(dtype)),
                beside=training.beside(), ops=with_,
            )  # fmt: skip

        shares = None
        if ops.elsewhere:
            trace, shares = by_events(once, cast("CupyOps", ops))
            if not cupti.reason:
                shares = cupti.trace(once, cast("CupyOps", ops))[1].shares
        else:
            trace = once(ops)
            shares = shares_of(trace)
        exact = once(Ops(), float)
        of_gradient = error_of(trace.value("update.gradient"), exact.value("update.gradient"))
        w, g = (trace.value(f"update.{name}").astype(float) for name in ("before", "gradient"))
        right = descended(w, g, mean.astype(float), square.astype(float), step=NTH, rate=RATE)
        of_update = error_of(trace.value("update.weights") - trace.value("update.before"),
                             right - w)  # fmt: skip
    except Exception as failure:
        return row | {"ok": False, "failed": _text(failure)}
    ok = of_gradient <= most and of_update <= UPDATE
    phases = {
        phase: _spent(step for step in trace.steps if phase_of(step.stage) == phase)
        for phase in ORDER
    }
    return row | {
        "gradient_error": of_gradient, "update_error": of_update, "update_tolerance": UPDATE,
        "ok": bool(ok), "phases": phases, **_told(shares),
    }  # fmt: skip


def _spent(steps: Iterable[Step]) -> dict[str, float]:
    """Return the seconds of steps by unit."""
    spent = dict.fromkeys(map(str, Unit), 0.0)
    for step in steps:
        if step.cost.bytes:
            spent[str(step.timing.unit)] += step.timing.seconds
    return spent


def descended(
    w: Array, g: Array, mean: Array, square: Array, *, step: int, rate: float
) -> Array:  # fmt: skip
    """Return weights behind a step of AdamW without decay, by its definition.

    Source: Loshchilov & Hutter 2019, "Decoupled weight decay regularization", algorithm 2.
    """
    g = g * min(1.0, CLIP / float(np.linalg.norm(g)))
    mean = BETA1 * mean + (1 - BETA1) * g
    square = BETA2 * square + (1 - BETA2) * g * g
    m, v = mean / (1 - BETA1**step), square / (1 - BETA2**step)
    new: Array = w - rate * m / (np.sqrt(v) + EPS)
    return new


def _timed_products(ops: Ops) -> Iterator[dict[str, Any]]:
    """Yield how long the product of two n x n matrices takes."""
    for n in SIDES if ops.elsewhere else SIDES_ON_A_CPU:
        row = {"n": n, "precision": ops.precision}
        try:
            a, b = (ops.to_device(x) for x in _draw((n, n), (n, n)))
            seconds = _seconds(ops, lambda: ops.product(a, b))  # noqa: B023 (called now)
        except Exception as failure:
            yield row | {"failed": _text(failure)}
            continue
        yield row | {"seconds": seconds, "flops": 2 * n**3}


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:MOST_TEXT]

"""Whether a device computes what it should: every primitive and every model in every precision.

Everything is compared with NumPy in float64 on the same operands, those of half precision rounded
first, and timed. The result is plain data that is written as JSON, so that somebody with a card can
send it to somebody without one; ``read`` trusts nothing in it.
"""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np

from engine import weights
from engine.device import Device
from engine.gpu import CupyOps, ops_for
from engine.live import LIVE, Live
from engine.models import Model, run
from engine.ops import Array, Ops
from engine.precision import HALVES, PRECISIONS
from engine.said import Said
from engine.shares import Shares, Work, shares_of
from engine.timing import Classified, Cupti, by_events, fp32_peak, on_card
from engine.trace import Basis, Trace
from engine.workload import Mode, Style, Workload

FORMAT = 1
MOST_BYTES = 8_000_000
MOST_ROWS = 20_000
MOST_TEXT = 400
WRONG = 1e9  # stands for an error that is no number: JSON knows neither ∞ nor NaN
TIMES = 3
HOLD_SECONDS = 0.001
SENTENCE = (5, 9, 2, 7, 1)
SIDES = (256, 1024, 4096)  # of the matrices whose product is timed
SIDES_ON_A_CPU = (256, 512)
# Workloads of ``engine.workload`` that are also run: the models of the stage over ``SENTENCE``, and
# the block that chapter 2 runs.
MODEL_OF = {"stage": "transformer", "stage-rnn": "rnn-plain"}
LIVE_TOKENS = LIVE.batch * LIVE.tokens

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
        tell(f"{precision}: products of large matrices")
        report["products"] += list(_timed_products(ops))
    if device.gpu:
        report["fp32_peak"] = fp32_peak(device, cast("CupyOps", ops_for(device)))
    report["tracing"] = cupti.reason or "CUPTI"
    rows = report["primitives"] + report["models"]
    report["ok"] = bool(rows) and all(row["ok"] for row in rows)
    return report


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


# ---- reading -------------------------------------------------------------------------------------


class ReportError(Said):
    """A report that cannot be read: why, and what still works."""


@dataclass(frozen=True)
class Recording:
    """What was measured on somebody's device: shown with its label, never as this machine's."""

    card: str
    date: str
    versions: Mapping[str, str]
    program: str
    ok: bool
    data: Mapping[str, Any]

    @property
    def label(self) -> str:
        """Return what stands beside every number of it."""
        drawn = [f"{name} {self.versions[name]}" for name in sorted(self.versions)
                 if name == "driver" or name.startswith("cupy")]  # fmt: skip
        return " · ".join((f"recorded on {self.card}", self.date[:10], *drawn))

    def of(self, workload: Workload) -> Shares | None:
        """Return the shares of a workload as they were recorded; None where it is no part of it."""
        alone = (workload.mode, workload.style) == (Mode.INFERENCE, Style.CUPY_EAGER)
        precision = next((name for name in PRECISIONS if name.lower() == workload.precision), "")
        if not alone or (workload.every, workload.parallel, workload.tokenizer) != (1, 1, False):
            return None
        size = workload.model, workload.batch, workload.tokens
        if size == (LIVE.model, LIVE.batch, LIVE.tokens):
            return self.shares(LIVE.model, precision)
        if size[1:] == (1, len(SENTENCE)) and workload.model in MODEL_OF:
            return self.shares(MODEL_OF[workload.model], precision)
        return None

    def workloads(self) -> tuple[Workload, ...]:
        """Return the workloads of chapter 2 whose shares were recorded, the smallest last."""
        asked = (
            Workload(model, Mode.INFERENCE, batch, tokens, precision.lower(), Style.CUPY_EAGER)
            for model, batch, tokens in (
                (LIVE.model, LIVE.batch, LIVE.tokens), *((id, 1, len(SENTENCE)) for id in MODEL_OF)
            )
            for precision in ("float16", "bfloat16", "TF32", "float32")
        )  # fmt: skip
        return tuple(workload for workload in asked if self.of(workload) is not None)

    def shares(self, model: str, precision: str) -> Shares | None:
        """Return the shares of a model as they were recorded; None where there are none."""
        for row in (*self.data["models"], *self.data.get("workloads", ())):
            if (row["model"], row["precision"]) == (model, precision) and "shares" in row:
                parts = {Work(name): float(part) for name, part in row["shares"].items()}
                path = f"{row['path']}, {self.label}"
                return Shares(parts, float(row["seconds"]), Basis(row["basis"]), path)
        return None


# Which fields a row has, and of which kind; those of the second may be missing where it failed.
_ROWS: dict[str, tuple[dict[str, type], dict[str, type]]] = {
    "primitives": (
        {"op": str, "precision": str, "tolerance": float, "why": str, "ok": bool},
        {"error": float, "seconds": float, "unit": str, "failed": str},
    ),
    "models": (
        {"model": str, "tokens": int, "precision": str, "tolerance": float, "ok": bool},
        {"error": float, "step": str, "seconds": float, "path": str, "basis": str, "shares": dict,
         "failed": str},
    ),
    "workloads": (
        {"model": str, "tokens": int, "precision": str},
        {"seconds": float, "path": str, "basis": str, "shares": dict, "failed": str},
    ),
    "products": ({"n": int, "precision": str}, {"seconds": float, "flops": int, "failed": str}),
    "kernels": (
        {"model": str, "precision": str, "name": str, "seconds": float, "work": str, "votes": dict},
        {},
    ),
}  # fmt: skip


def read(path: Path) -> Recording:
    """Return the report of a file.

    Raises
    ------
    ReportError
        With one sentence: no file, too large, no JSON, another format, fields that are missing or
        of another kind.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"it is larger than {MOST_BYTES // 1_000_000} MB")
        if not path.is_file():  # a folder, or a device that is read without an end
            raise ValueError("it is no file")
        data = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
        return _checked(data)
    except OSError as error:
        problem = f"it cannot be read ({error.strerror or error})"
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        said = " ".join(str(error).split())[:100]
        problem = f"it lacks {said}" if isinstance(error, KeyError) else said
    raise ReportError(
        f"{path.name} is no report of unrolled doctor --gpu-selfcheck: {problem}; what is shown "
        "stays."
    )


def _refuse(constant: str) -> float:
    raise ValueError(f"it holds {constant}")


def _checked(data: Any) -> Recording:
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError(f"its format is not {FORMAT}")
    made, device = data["made"], data["device"]
    for part, name in ((made, "date"), (made, "program"), (device, "name"), (data, "tracing")):
        _fits(part[name], str, name)
        if not part[name].strip():
            raise ValueError(f"its {name} is empty")
    datetime.fromisoformat(made["date"])
    _fits(data["ok"], bool, "ok")
    _words(device["versions"], "versions")
    for shown in (device["name"], made["program"], *device["versions"].values()):
        if not shown.isprintable():
            raise ValueError("a name holds characters that cannot be shown")
    for name, (needed, possible) in _ROWS.items():
        rows = data.get(name, []) if name == "workloads" else data[name]  # the first had none
        if not isinstance(rows, list) or len(rows) > MOST_ROWS:
            raise ValueError(f"its {name} are no list of up to {MOST_ROWS} rows")
        for row in rows:
            for key, kind in needed.items():
                _fits(row[key], kind, f"{name}.{key}")
            for key, kind in possible.items():
                if key in row:
                    _fits(row[key], kind, f"{name}.{key}")
            if row["precision"] not in PRECISIONS:
                raise ValueError(f"its {name} name the precision {str(row['precision'])[:20]!r}")
            if "shares" in row:
                _shares(row)
    return Recording(
        device["name"], made["date"], device["versions"], made["program"], data["ok"], data
    )


def _fits(value: Any, kind: type, name: str) -> None:
    if type(value) is not kind and (kind, type(value)) != (float, int):
        raise ValueError(f"its {name} is no {kind.__name__}")
    if isinstance(value, str) and len(value) > MOST_TEXT:
        raise ValueError(f"its {name} is longer than {MOST_TEXT} characters")
    if isinstance(value, (int, float)) and not 0 <= value <= 1e18:
        raise ValueError(f"its {name} is {str(value)[:20]}")


def _words(table: Any, name: str) -> None:
    if not isinstance(table, dict) or len(table) > 100:
        raise ValueError(f"its {name} are no table")
    for key, value in table.items():
        _fits(key, str, name)
        _fits(value, str, name)


def _shares(row: Mapping[str, Any]) -> None:
    """Refuse shares that are no partition."""
    for key in ("seconds", "path", "basis"):
        row[key]
    Basis(row["basis"])
    for name, part in row["shares"].items():
        Work(name)
        _fits(part, float, "shares")
    total = math.fsum(row["shares"].values())
    if not abs(total - 1) < 1e-6:
        raise ValueError(f"its shares of {row['model'][:40]} add up to {total:.3g} and not to 1")

"""What a self-check wrote, read again: plain data of somebody's machine, which is not trusted."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from engine.kept import why_unread
from engine.live import LIVE
from engine.precision import PRECISIONS
from engine.said import Said
from engine.shares import Shares
from engine.trace import Basis, Unit
from engine.units import Work
from engine.workload import Mode, Style, Workload

FORMAT = 1
MOST_BYTES = 8_000_000
MOST_ROWS = 20_000
MOST_TEXT = 400
# Workloads of ``engine.workload`` that are also run: the models of the stage over ``SENTENCE``, and
# the block that chapter 2 runs.
SENTENCE = (5, 9, 2, 7, 1)
MODEL_OF = {"stage": "transformer", "stage-rnn": "rnn-plain"}


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
    "gradients": (
        {"op": str, "precision": str, "tolerance": float, "why": str, "ok": bool},
        {"error": float, "failed": str},
    ),
    "training": (
        {"model": str, "precision": str, "tolerance": float, "why": str, "ok": bool},
        {"gradient_error": float, "update_error": float, "update_tolerance": float,
         "seconds": float, "path": str, "basis": str, "shares": dict, "phases": dict,
         "failed": str},
    ),
    "products": ({"n": int, "precision": str}, {"seconds": float, "flops": int, "failed": str}),
    "kernels": (
        {"model": str, "precision": str, "name": str, "seconds": float, "work": str, "votes": dict},
        {},
    ),
}  # fmt: skip


LATER = ("workloads", "gradients", "training")  # which the first reports had not


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
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        problem = why_unread(error)
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
        rows = data.get(name, []) if name in LATER else data[name]
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
            for spent in row.get("phases", {}).values():
                _fits(spent, dict, "phases")
                for unit, seconds in spent.items():
                    _fits(seconds, float, f"seconds of {Unit(unit)}")
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

"""What ``engine.race`` measured, kept in a file per machine for the next start."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, fields, replace
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

from engine import race
from engine.kept import write
from engine.race import (
    Branching,
    Clock,
    Length,
    Machine,
    Measured,
    Note,
    Outputs,
    Point,
    RaceError,
    Rates,
)

VERSION = 2
MOST_BYTES = 1_000_000


def load(path: Path, here: Machine | None = None) -> Measured | None:
    """Return what was measured on this machine before, None when there is nothing to be used.

    A file of another machine, another version or one that is damaged is as good as none: measuring
    again costs ten seconds.
    """
    found = _kept(path, here or race.machine())
    return found if found is not None and found.complete else None


def _kept(path: Path, here: Machine) -> Measured | None:
    """Return what a file keeps of this machine, be it a whole sweep or rates alone."""
    try:
        if path.stat().st_size > MOST_BYTES:
            return None
        data = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(data, dict) or data.get("version") != VERSION:
            return None
        found = _read(data)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return found if found.machine == here else None


class Calibrated(NamedTuple):
    """Rates, the day on which they were measured, and why they are not kept ("": they are)."""

    rates: Rates
    day: str
    problem: str = ""


def calibrated(
    path: Path, *, anew: bool = False, clock: Clock = perf_counter, note: Note | None = None
) -> Calibrated:
    """Return what this machine does in a second: as it is remembered, or measured now and kept.

    A sweep that is kept in the same file brings its rates along, and keeps its other numbers when
    rates are measured anew.

    Raises
    ------
    RaceError
        When they are not remembered and cannot be measured.
    """
    here, today = race.machine(), date.today().isoformat()
    found = _kept(path, here)
    if not anew and found is not None and found.rates is not None:
        return Calibrated(found.rates, found.rates_day or found.day)
    rates = race.calibrate(clock=clock, note=note)
    found = replace(found or Measured(here, today), rates=rates, rates_day=today)
    try:
        save(found, path)
    except RaceError as error:
        return Calibrated(rates, today, str(error))
    return Calibrated(rates, today)


def save(found: Measured, path: Path) -> None:
    """Write what was measured, beside its place first.

    Raises
    ------
    RaceError
        When it cannot be written.
    """
    try:
        write(json.dumps({"version": VERSION, **asdict(found)}), path)
    except OSError as error:
        raise RaceError(
            f"What was measured could not be kept ({error.strerror}); it is shown until you close."
        ) from error


ROWS: dict[str, Any] = {
    "sizes": Point, "outputs": Outputs, "branches": Branching, "lengths": Length,
}  # fmt: skip
MOST_ROWS = 2_000


def _read(data: dict[str, Any]) -> Measured:
    """Return what a file holds.

    Raises
    ------
    ValueError, TypeError, KeyError
        When it holds something else.
    """
    known = {part.name for part in fields(Measured)}
    kept = {name: data[name] for name in known - {"rates_day"}}
    kept["rates_day"] = data.get("rates_day", "")  # the first files had none
    if kept["rates_day"]:
        date.fromisoformat(kept["rates_day"])
    for name, kind in ROWS.items():
        if not isinstance(kept[name], list) or len(kept[name]) > MOST_ROWS:
            raise ValueError(f"its {name} are no rows")
        kept[name] = tuple(_row(kind, row) for row in kept[name])
    kept["machine"] = _row(Machine, kept["machine"])
    kept["rates"] = None if kept["rates"] is None else _row(Rates, kept["rates"])
    date.fromisoformat(kept["day"])
    if not isinstance(kept["complete"], bool) or not isinstance(kept["device"], str):
        raise TypeError("it says nonsense of itself")
    return Measured(**kept)


def _row(kind: Any, row: Any) -> Any:
    """Return a row of a kind whose parts have their types; numbers are finite and not negative."""
    names = kind._fields
    if not isinstance(row, list) or len(row) != len(names):
        raise ValueError("a row has other parts")
    for value, wanted in zip(row, kind.__annotations__.values(), strict=True):
        wanted = getattr(wanted, "__forward_arg__", wanted)
        right: Any = {"str": str, "int": int, "float": (int, float)}[str(wanted)]
        if not isinstance(value, right) or isinstance(value, bool):
            raise TypeError(f"{value!r} is no {wanted}")
        if not isinstance(value, str) and not 0 <= value < math.inf:
            raise ValueError(f"{value!r} is impossible")
    return kind(*row)

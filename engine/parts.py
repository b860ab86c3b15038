"""Data sheets: what a processor can do at most, each figure with its source and its day.

``assets/parts`` holds a file for each. They are plain JSON that anybody can add to, so they are not
trusted: what is too large, of another type or out of any reason is left out and named by
``problems``. The machine that the program runs on becomes a part from rates that were measured.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Protocol

from engine.assets import ASSETS
from engine.said import Said
from engine.workload import Device, Precision

FOLDER = ASSETS / "parts"
FORMAT = 1
MOST_BYTES = 64 * 1024  # of a file; a real one has 3 kB
MOST_TEXT = 300  # characters of a title, source or note
THIS = "this"  # the id of the machine that the program runs on

# Unit of each figure, and between what it can lie for any processor of these decades.
FIGURES = {
    **{precision.value: ("TFLOP/s", 1e-4, 1e6) for precision in Precision},
    "bandwidth": ("GB/s", 0.1, 1e6),
    "memory": ("GB", 0.1, 1e5),
    "sms": ("SM", 1, 1e4),  # streaming multiprocessors: what a tile of a product runs on
    "lanes": ("lanes/SM", 1, 1024),  # float32 lanes of each
    "clock": ("GHz", 0.01, 100),
    "capability": ("cc", 1, 99),  # NVIDIA's compute capability: 9.0 is Hopper
    "special": ("G/s", 1e-3, 1e6),  # exp or tanh a second, of a CPU
    "call": ("µs", 1e-3, 1e4),  # what a call costs before it computes anything, of a CPU
}
NEEDED = {
    Device.GPU: ("float32", "bandwidth", "memory", "sms", "lanes", "clock", "capability"),
    Device.CPU: ("float32", "bandwidth", "special", "call"),
}
# What runs instead where a part has no units for a format.
INSTEAD = {
    Precision.FP8: Precision.FLOAT16,
    Precision.TF32: Precision.FLOAT32,
    Precision.FLOAT16: Precision.FLOAT32,
    Precision.BFLOAT16: Precision.FLOAT32,
}
SPECIAL_PER_SM = 16  # exp or tanh a clock: CUDA C++ programming guide, arithmetic throughput table


class Rates(Protocol):
    """What ``engine.race.Rates`` has: FLOP/s of products, bytes/s of maps, seconds of a call."""

    @property
    def product_one(self) -> float: ...  # noqa: D102
    @property
    def product_all(self) -> float: ...  # noqa: D102
    @property
    def elementwise(self) -> float: ...  # noqa: D102
    @property
    def numpy_call(self) -> float: ...  # noqa: D102


class PartError(Said):
    """A data sheet that cannot be read: its text says why, and what still works."""


@dataclass(frozen=True)
class Figure:
    """One number of a data sheet, in the unit of its source."""

    value: float
    unit: str
    source: str
    read_on: str  # the day, "2026-11-24"


@dataclass(frozen=True)
class Part:
    """A processor; peaks are dense (a sparse 2:4 figure is twice that, for other products).

    ``measured`` tells that its rates were reached and not only promised.
    """

    id: str
    title: str
    device: Device
    figures: tuple[tuple[str, Figure], ...]
    notes: tuple[str, ...] = ()
    measured: bool = False

    @cached_property
    def _by_name(self) -> dict[str, Figure]:
        return dict(self.figures)

    def __contains__(self, name: str) -> bool:
        """Return whether it has a figure of this name."""
        return name in self._by_name

    def __getitem__(self, name: str) -> Figure:
        """Return a figure by its name."""
        return self._by_name[name]

    def runs(self, precision: Precision) -> Precision:
        """Return the format in which it really computes what is asked for in ``precision``."""
        while precision.value not in self._by_name:
            precision = INSTEAD[precision]
        return precision

    def flops_per_second(self, precision: Precision) -> float:
        """Return the peak of products in a format that it has."""
        return self[precision.value].value * 1e12

    @property
    def bytes_per_second(self) -> float:
        """Return the peak of its memory."""
        return self["bandwidth"].value * 1e9

    @property
    def special_per_second(self) -> float:
        """Return how many exp or tanh it computes a second."""
        if self.device == Device.CPU:
            return self["special"].value * 1e9
        return SPECIAL_PER_SM * self["sms"].value * self["clock"].value * 1e9

    @property
    def call_seconds(self) -> float:
        """Return what a call costs on a CPU before it computes anything."""
        return self["call"].value * 1e-6


def available() -> tuple[str, ...]:
    """Return the ids of all parts whose file can be read, the slowest product first."""
    return tuple(_shelf(FOLDER)[0])


def load(id_: str) -> Part:
    """Return a part of ``available``.

    Raises
    ------
    PartError
        When there is none of this name, or its file is damaged.
    """
    parts, problems = _shelf(FOLDER)
    if id_ in parts:
        return parts[id_]
    if id_ in problems:
        raise PartError(problems[id_])
    raise PartError(f"There is no part {str(id_)[:40]!r}; there are {', '.join(parts)}.")


def problems() -> dict[str, str]:
    """Return one sentence for each file that was left out, by its name."""
    return dict(_shelf(FOLDER)[1])


def this_machine(rates: Rates, *, day: str, title: str = "This machine") -> Part:
    """Return this machine as a part, from rates that ``engine.race`` measured on it on a day.

    Raises
    ------
    PartError
        When a rate is no sensible number.
    """
    source = "measured on this machine"
    measured = {
        # On a busy machine all threads can be slower than one.
        "float32": max(rates.product_one, rates.product_all) / 1e12,
        "bandwidth": rates.elementwise / 1e9,
        # exp takes as long as 23 bytes of memory traffic, as in parts/desktop-cpu.json.
        "special": rates.elementwise / 23e9,
        "call": rates.numpy_call * 1e6,
    }
    figures = tuple(
        (name, _figure(name, _number(value), source, day)) for name, value in measured.items()
    )
    return Part(THIS, title[:MOST_TEXT], Device.CPU, figures, measured=True)


# ---- files ---------------------------------------------------------------------------------------


@lru_cache(maxsize=4)
def _shelf(folder: Path) -> tuple[dict[str, Part], dict[str, str]]:
    """Return the parts of a folder by id, and what is wrong with the other files."""
    parts: list[Part] = []
    wrong: dict[str, str] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            parts.append(_read(path))
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            what = " ".join(str(error).split())[:120]
            wrong[path.stem] = (
                f"The data sheet {path.name} is left out ({what}); the other parts are there."
            )
    parts.sort(key=lambda part: part.flops_per_second(part.runs(Precision.FLOAT16)))
    return {part.id: part for part in parts}, wrong


def _read(path: Path) -> Part:
    """Return the part of one file, or raise what ``_shelf`` catches."""
    if not re.fullmatch(r"[a-z0-9-]{1,40}", path.stem):
        raise ValueError("its name has other characters than a-z, 0-9 and -")
    if path.stem == THIS:
        raise ValueError("its name stands for this machine")
    if not path.is_file():
        raise ValueError("it is no file")
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES // 1024} kB")
    sheet = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    if not isinstance(sheet, dict) or sheet.get("format") != FORMAT:
        raise ValueError("it is no data sheet of this version")
    device = Device(sheet["kind"])
    figures = []
    for name, figure in sheet["figures"].items():
        if figure["unit"] != FIGURES[name][0]:
            raise ValueError(f"its {name} is not in {FIGURES[name][0]}")
        source, day = _text(figure["source"]), _text(figure["read_on"])
        if not source or not re.fullmatch(r"\d{4}-\d\d-\d\d", day):
            raise ValueError(f"its {name} has no source or no day")
        figures.append((name, _figure(name, _number(figure["value"]), source, day)))
    missing = [name for name in NEEDED[device] if name not in dict(figures)]
    if missing:
        raise ValueError(f"it has no {', '.join(missing)}")
    notes = sheet.get("notes", [])
    if not isinstance(notes, list):
        raise TypeError("its notes are no list")
    return Part(path.stem, _text(sheet["title"]), device, tuple(figures), tuple(map(_text, notes)))


def _refuse(constant: str) -> float:
    raise ValueError(f"it has a value {constant}")


def _figure(name: str, value: float, source: str, day: str) -> Figure:
    """Return a figure, or refuse one that no processor can have."""
    unit, least, most = FIGURES[name]
    if not least <= value <= most:
        raise PartError(f"{name} = {value:.4g} {unit} is out of all reason")
    return Figure(value, unit, source, day)


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise PartError(f"{str(value)[:40]} is no number")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MOST_TEXT:
        raise TypeError("a text of it is none, or too long")
    return value

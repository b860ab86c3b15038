"""What this machine has, for somebody who wonders what is used, and a report that can be sent."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.said import Said

if TYPE_CHECKING:
    from engine.device import Device

PACKAGES = ("numpy", "PySide6-Essentials", "pyqtgraph", "safetensors", "threadpoolctl")


class DoctorError(Said):
    """What could not be checked or written, in one sentence."""


def rows(program: str) -> Iterator[tuple[str, str]]:
    """Yield what there is, line by line: a name, and what is known of it."""
    from app import session
    from engine import parts, weights
    from engine.gpu import probe
    from engine.ops import Ops
    from engine.timing import Cupti, PipeActive, active, paths

    yield "Unrolled", program
    yield "Python", f"{platform.python_version()}, {platform.system()} {platform.machine()}"
    for package in PACKAGES:
        yield package, _version(package)
    yield "threads", f"{Ops().threads()} for a matrix product, {os.cpu_count()} cores"
    device = probe()
    yield "computes on", _device(device)
    for name, why in device.missing.items():
        if why:
            yield f"not {name}", why
    for note in device.notes:
        yield "note", note
    cupti = Cupti(device)
    known = paths(device, cupti)
    yield "time is measured by", active(known).title
    for path in known:
        if not path.usable:
            yield f"not {path.title}", path.reason
    yield "pipe active (NVML)", PipeActive().reason or "can be sampled"
    yield "parts", ", ".join(parts.available())
    for name, problem in parts.problems().items():
        yield f"damaged: {name}", problem
    yield "models", f"{len(weights.available())} of the missing word"
    yield "settings", str(session.place())


def _device(device: Device) -> str:
    if device.gpu:
        drawn = ", ".join(f"{name} {value}" for name, value in device.versions.items())
        return f"{device.name}, {device.memory_bytes / 2**30:.0f} GiB, {drawn}"
    return f"{device.name} ({device.backend}). {device.reason}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def selfcheck(path: Path, *, program: str, tell: Callable[[str], None]) -> bool:
    """Check the card, write the report, and return whether everything was right.

    Raises
    ------
    engine.said.Said
        With one sentence, when there is no card, or the report cannot be written.
    """
    from engine.device import on_device
    from engine.gpu import probe
    from engine.selfcheck import check

    device = probe()
    if not device.gpu:
        raise DoctorError(
            f"There is no GPU to check: {device.reason.rstrip('.')}. Everything else works on this "
            "CPU; unrolled doctor says what there is."
        )
    report = on_device(lambda: check(device, program=program, tell=tell))
    _write(path, report)
    return bool(report["ok"])


def _write(path: Path, report: dict[str, Any]) -> None:
    """Write a report beside its place first, so that an old one stays whole until then."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        beside.write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise DoctorError(
            f"The report was not written because {path} cannot be ({error.strerror or error}); "
            "choose another place."
        ) from error
    finally:
        beside.unlink(missing_ok=True)

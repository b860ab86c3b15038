"""The machine at hand as a part among the data sheets: measured in 2 s once, and remembered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from engine.parts import Part
    from engine.race import Note

FILE = "this-machine.json"  # beside the settings


class Here(NamedTuple):
    """The part, and why its rates could not be kept ("": they are)."""

    part: Part
    problem: str


def place() -> Path:
    """Return where its numbers are kept, the same for the window and the command line."""
    from PySide6.QtCore import QCoreApplication

    from app import session

    QCoreApplication.setApplicationName("unrolled")  # as the window's, so that both know the same
    return session.place().parent / FILE


def stamp(path: Path) -> int:
    """Return what is another number once its numbers were measured anew, 0 without any."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def part(path: Path, *, anew: bool = False, note: Note | None = None) -> Here:
    """Return this machine; it is measured for 2 s unless that is remembered, or asked for anew.

    ``note`` is told of what runs for it, as by ``engine.race.sweep``.

    Raises
    ------
    engine.said.Said
        With one sentence, when it cannot be measured.
    """
    from engine import parts, race, race_file

    found = race_file.calibrated(path, anew=anew, note=note)
    title = f"This machine ({race.machine().cpu})"
    return Here(parts.this_machine(found.rates, day=found.day, title=title), found.problem)

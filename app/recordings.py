"""Recordings: reports of other people's cards, shown with their label on a machine without one.

``unrolled doctor --gpu-selfcheck`` writes one. Those in ``assets/recordings`` are offered by
themselves; any other is dropped onto the window, which remembers where it lies.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from engine import parts, report
from engine.assets import ASSETS
from engine.report import Recording
from engine.said import Said

FOLDER = ASSETS / "recordings"
PREFIX = "recording:"
MOST = 8  # that are remembered
MARKS = str.maketrans("", "", " -")  # that names of cards have here and there


class Found(NamedTuple):
    """Recordings by their id, their files, and a sentence for each file that is none."""

    recordings: dict[str, Recording]
    paths: tuple[str, ...]
    problems: tuple[str, ...]


def find(paths: Iterable[str]) -> Found:
    """Return the recordings that are shipped and those of files, in this order."""
    shipped = sorted(FOLDER.glob("*.json")) if FOLDER.is_dir() else []
    found: dict[str, Recording] = {}
    kept: list[str] = []
    problems: list[str] = []
    for path in (*shipped, *map(Path, paths)):
        try:
            recording = report.read(path)
        except Said as error:
            problems.append(str(error))
            continue
        found.pop(id_of(recording), None)  # so that the last one that was read is the last
        found[id_of(recording)] = recording
        if path not in shipped:
            kept.append(str(path))
    return Found(found, tuple(kept[-MOST:]), tuple(problems))


def id_of(recording: Recording) -> str:
    """Return the id of a recording: its card and the moment it was made."""
    return f"{PREFIX}{recording.card}, {recording.date}"


def part_like(recording: Recording, otherwise: str) -> str:
    """Return the id of the data sheet of a recording's card, or another one where there is none."""
    card = recording.card.lower().translate(MARKS)
    named = [id for id in parts.available() if id.translate(MARKS) in card]
    return max(named, key=len, default=otherwise)

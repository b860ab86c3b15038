"""What is kept between two starts: a small JSON file. A damaged one is set aside, and said."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from app import CHAPTER, SCALES, SPEEDS, THEMES
from engine.kept import why_unread, write

VERSION = 2
MOST_BYTES = 1_000_000
MOST_OF_CHAPTER = 200_000  # bytes that one of them keeps
MOST_ASIDE = 3  # damaged files that are kept, the newest
OF_CHAPTER_1 = ("text", "recent", "chain", "grid", "tick", "layer", "query")  # up to version 1


class Session(SimpleNamespace):
    """What is shown, and how; of the default what is not ``given``."""

    def __init__(self, **given: Any) -> None:
        self.chapter = CHAPTER  # that is open
        self.theme = "light"
        self.speed = 1.0
        self.scale = 1.0  # of all text
        self.still = False
        self.geometry = ""  # QMainWindow.saveGeometry as base64
        self.inspector = True
        self.rail = True
        self.chapters: dict[str, Any] = {}  # by id, what each remembers
        super().__init__(**given)


def place() -> Path:
    """Return where the settings lie."""
    from PySide6.QtCore import QStandardPaths

    kind = QStandardPaths.StandardLocation.AppConfigLocation
    return Path(QStandardPaths.writableLocation(kind)) / "session.json"


def load(path: Path) -> tuple[Session, str]:
    """Return the settings and "", or the defaults and a sentence when the file cannot be used."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError("it is far too large")
        data = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            raise ValueError("it holds no settings")
        if data.get("version") == 1:
            data = _of_version_1(data)
        if data.get("version") != VERSION:
            raise ValueError(f"it is of version {str(data.get('version'))[:20]}, not {VERSION}")
        return _checked(data), ""
    except FileNotFoundError:
        return Session(), ""
    except (OSError, ValueError, RecursionError) as error:
        return Session(), _set_aside(path, error)


def save(session: Session, path: Path) -> str:
    """Write the settings beside their place and rename them; return "" or what went wrong."""
    try:
        small = {id: own for id, own in session.chapters.items() if _small(own)}
        kept = {"version": VERSION, **vars(session), "chapters": small}
        write(json.dumps(kept, indent=1, ensure_ascii=False), path)
    except OSError as error:
        return f"The settings could not be saved ({error.strerror}); they last until you close."
    return ""


def _of_version_1(data: dict[str, Any]) -> dict[str, Any]:
    """Return settings of the time when there was one chapter, as they are kept now."""
    own = {name: data[name] for name in OF_CHAPTER_1 if name in data}
    others = {name: value for name, value in data.items() if name not in OF_CHAPTER_1}
    return {**others, "version": VERSION, "chapters": {CHAPTER: own}}


def _small(own: Any) -> bool:
    """Return whether this may be what a chapter keeps."""
    return isinstance(own, dict) and len(json.dumps(own)) <= MOST_OF_CHAPTER


def _checked(data: dict[str, Any]) -> Session:
    defaults = Session()
    for name, default in vars(defaults).items():
        value, wanted = data.get(name, default), type(default)
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not wanted:
            raise ValueError(f"its {name} is no {wanted.__name__}")
        setattr(defaults, name, value)
    for name, known in (("theme", THEMES), ("speed", SPEEDS), ("scale", SCALES)):
        if getattr(defaults, name) not in known:
            raise ValueError(f"its {name} is unknown")
    # What a chapter keeps it checks itself: what is damaged there costs nothing else.
    defaults.chapters = {id: own for id, own in defaults.chapters.items() if _small(own)}
    return defaults


def _set_aside(path: Path, error: Exception) -> str:
    reason = why_unread(error)
    named = re.compile(rf"{re.escape(path.stem)}\.damaged-(\d+)\.json")
    try:
        found = [named.fullmatch(entry.name) for entry in path.parent.iterdir()]
        before = sorted((int(match[1]), match[0]) for match in found if match)
        number = before[-1][0] + 1 if before else 1
        aside = path.with_name(f"{path.stem}.damaged-{number}.json")
        os.replace(path, aside)
    except OSError:
        return f"The settings cannot be used ({reason}); the defaults are used."
    for _, old in before[: -MOST_ASIDE + 1]:
        with suppress(OSError):
            path.with_name(old).unlink()
    return (
        f"The settings cannot be used ({reason}); they lie in {aside.name}, the defaults are used."
    )

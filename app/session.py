"""What is kept between two starts: a small JSON file. A damaged one is set aside, and said."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from app import DEFAULT_PAIR, DEFAULT_TEXT, SCALES, SPEEDS, THEMES
from app.setting import of_models

VERSION = 1
MOST_BYTES = 1_000_000
MOST_TICKS = 1_000_000
RECENT = 10  # sentences that are kept
LONGEST = 10_000  # characters of one of them


@dataclass
class Session:
    """What is shown, and how."""

    text: str = DEFAULT_TEXT
    chain: str = DEFAULT_PAIR[0]
    grid: str = DEFAULT_PAIR[1]
    theme: str = "light"
    speed: float = 1.0
    scale: float = 1.0  # of all text
    still: bool = False
    geometry: str = ""  # QMainWindow.saveGeometry as base64
    recent: list[str] = field(default_factory=list)  # sentences, the newest first
    tick: float = 0.0
    layer: int = -1  # -1: the last block
    query: int = -1  # -1: the hidden word
    inspector: bool = True
    rail: bool = True


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
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".session-", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                kept = asdict(session)
                kept["text"] = kept["text"][:LONGEST]
                kept["recent"] = [text for text in kept["recent"] if len(text) <= LONGEST]
                json.dump({"version": VERSION, **kept}, file, indent=1, ensure_ascii=False)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        return f"The settings could not be saved ({error.strerror}); they last until you close."
    return ""


def _checked(data: dict[str, Any]) -> Session:
    defaults = Session()
    for part in fields(Session):
        value = data.get(part.name, getattr(defaults, part.name))
        wanted = type(getattr(defaults, part.name))
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not wanted:
            raise ValueError(f"its {part.name} is no {wanted.__name__}")
        setattr(defaults, part.name, value)
    for name, known in (("theme", THEMES), ("speed", SPEEDS), ("scale", SCALES)):
        if getattr(defaults, name) not in known:
            raise ValueError(f"its {name} is unknown")
    of_models(defaults.chain, defaults.grid)
    if not all(isinstance(text, str) for text in defaults.recent):
        raise ValueError("its recent sentences are no words")
    if not 0 <= defaults.tick < MOST_TICKS or min(defaults.layer, defaults.query) < -1:
        raise ValueError("its tick, block or asking word is impossible")
    defaults.recent = defaults.recent[:RECENT]
    return defaults


def _set_aside(path: Path, error: Exception) -> str:
    reason = str(error).partition(":")[0] or type(error).__name__
    number = 1
    while (aside := path.with_name(f"{path.stem}.damaged-{number}.json")).exists():
        number += 1
    try:
        os.replace(path, aside)
    except OSError:
        return f"The settings cannot be used ({reason}); the defaults are used."
    return (
        f"The settings cannot be used ({reason}); they lie in {aside.name}, the defaults are used."
    )

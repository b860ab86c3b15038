"""What is kept between two starts: a small JSON file. A damaged one is set aside, and said."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from app import DEFAULT_PAIR, DEFAULT_TEXT, SPEEDS, THEMES
from app.setting import of_models

VERSION = 1
MOST_BYTES = 1_000_000


@dataclass
class Session:
    """What is shown, and how."""

    text: str = DEFAULT_TEXT
    chain: str = DEFAULT_PAIR[0]
    grid: str = DEFAULT_PAIR[1]
    theme: str = "light"
    speed: float = 1.0
    still: bool = False
    geometry: str = ""  # QMainWindow.saveGeometry as base64
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
                json.dump({"version": VERSION, **asdict(session)}, file, indent=1)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        return f"The settings could not be saved ({error.strerror}); they last until you close."
    return ""


def _checked(data: dict[str, Any]) -> Session:
    defaults = Session()
    for field in fields(Session):
        value = data.get(field.name, getattr(defaults, field.name))
        wanted = type(getattr(defaults, field.name))
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not wanted:
            raise ValueError(f"its {field.name} is no {wanted.__name__}")
        setattr(defaults, field.name, value)
    if defaults.theme not in THEMES or defaults.speed not in SPEEDS:
        raise ValueError("its theme or speed is unknown")
    of_models(defaults.chain, defaults.grid)
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

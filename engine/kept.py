"""Small files that are kept from one start to the next."""

from __future__ import annotations

import json
import os
from pathlib import Path


def write(text: str, path: Path) -> None:
    """Write a text beside its place, then put it there: what fails leaves what was there before.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    import tempfile  # 5 ms, which the first frame of the window does not wait for

    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def why_unread(error: Exception) -> str:
    """Return in words why a file of JSON could not be read: "it is no text"."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "it is no text"
    if isinstance(error, json.JSONDecodeError):
        return f"it is no JSON from line {error.lineno} on"
    if isinstance(error, OSError):
        return f"it cannot be read ({error.strerror or error})"
    said = " ".join(str(error).split())[:100]
    return f"it lacks {said}" if isinstance(error, KeyError) else said

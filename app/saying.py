"""What is said about an error, in the window."""

from __future__ import annotations

from engine.said import Said
from widgets import captions


def sentence_of(error: Exception) -> str:
    """Return what to say about an error, in a sentence and without a traceback."""
    if isinstance(error, MemoryError):
        return captions.load("en")("window.memory")
    if isinstance(error, Said):
        return " ".join(str(error).split())
    what = " ".join(f"{type(error).__name__}: {error}".split())[:160]
    return captions.load("en")("window.error", what=what)

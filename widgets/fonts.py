"""The shipped fonts, so that nothing depends on what is installed on the machine."""

from __future__ import annotations

from functools import cache

from PySide6.QtGui import QFontDatabase

from engine.assets import ASSETS


@cache
def register_fonts() -> None:
    """Make the shipped fonts known to Qt; what is installed on the machine is not needed."""
    for path in sorted((ASSETS / "fonts").iterdir()):
        if path.suffix in (".otf", ".ttf") and QFontDatabase.addApplicationFont(str(path)) < 0:
            raise RuntimeError(f"Qt cannot read the font {path.name}; install Unrolled again.")

"""The shipped fonts, so that nothing depends on what is installed on the machine."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PySide6.QtGui import QFontDatabase

from engine.assets import ASSETS

FOLDER = ASSETS / "fonts"
CHROME = tuple(f"Inter-{weight}.otf" for weight in ("Regular", "Medium", "SemiBold", "Bold"))


@cache
def register_fonts() -> None:
    """Make the shipped fonts known to Qt; what is installed on the machine is not needed."""
    register_chrome_fonts()
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in (".otf", ".ttf") and path.name not in CHROME:
            _register(path)


@cache
def register_chrome_fonts() -> None:
    """Make those known that stand round the stage: the first frame waits for no others."""
    for name in CHROME:
        _register(FOLDER / name)


def _register(path: Path) -> None:
    if QFontDatabase.addApplicationFont(str(path)) < 0:
        raise RuntimeError(f"Qt cannot read the font {path.name}; install Unrolled again.")

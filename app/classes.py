"""Qt's classes are made in the GUI thread, before another thread names one.

PySide makes a class when it is named for the first time, and does not expect that two threads name
the same one in the same moment: then it forgets it twice, and the process ends with a fault (seen
with PySide6 6.11.3). Importing pyqtgraph names all of them, exporting names some. What is made
already may be named in any thread.
"""

from __future__ import annotations

import math
from time import perf_counter

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import QObject, QTimer

MODULES = (QtCore, QtGui, QtWidgets)
SLICE_SECONDS, EVERY_MS = 0.002, 16  # 0.1 s in all: no frame waits for more than a few ms of it


def unmade() -> list[str]:
    """Return the names of the classes that are not made yet."""
    return [name for module in MODULES for name in _unmade(module)]


def make(seconds: float = math.inf) -> bool:
    """Make classes for so many seconds, in the GUI thread; return whether all are made."""
    end = perf_counter() + seconds
    for module in MODULES:
        for name in _unmade(module):
            if perf_counter() >= end:
                return False
            getattr(module, name)
    return True


def make_bit_by_bit(parent: QObject) -> None:
    """Make all of them while the window goes on."""
    timer = QTimer(parent)

    def go_on() -> None:
        if make(SLICE_SECONDS):
            timer.stop()
            timer.deleteLater()

    timer.timeout.connect(go_on)
    timer.start(EVERY_MS)


def _unmade(module: object) -> list[str]:
    """Return the names that a module lists and does not hold."""
    held = vars(module)
    return [name for name in dir(module) if name not in held]

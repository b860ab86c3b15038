"""Qt's classes are made in the GUI thread, before another thread names one.

PySide makes a class when it is named for the first time, and does not expect that two threads name
the same one in the same moment: then it forgets it twice, and the process ends with a fault (seen
with PySide6 6.11.3). Importing pyqtgraph names all of them, exporting names some. What is made
already may be named in any thread.

They take 15 MB and 0.1 s, so they are made when somebody is about to ask for such a worker.
"""

from __future__ import annotations

import math
from time import perf_counter

from PySide6 import QtCore, QtGui, QtWidgets

MODULES = (QtCore, QtGui, QtWidgets)
SLICE_SECONDS = 0.004  # between two frames


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


def _unmade(module: object) -> list[str]:
    """Return the names that a module lists and does not hold."""
    held = vars(module)
    return [name for name in dir(module) if name not in held]

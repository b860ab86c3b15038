"""The first painted frame of the application, and of a window with nothing in it.

``unrolled bench`` starts processes that run ``empty`` and ``unrolled``. Nothing of the application
is imported for the one, and for the other what its command imports, in the order in which it does.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication, QMainWindow, QWidget


def empty(width: int, height: int) -> None:
    """Open a window with nothing in it, and print when it was painted, as ``time.time``."""
    kept = open_empty(width, height)
    print(until_painted(kept[1]))


def unrolled(settings: str) -> None:
    """Start the application as its command does, and print when its window was painted.

    ``settings`` names a file that is not there: the window opens as it does for a new user.
    """
    from app import session, start
    from app.__main__ import main

    def tell(window: QWidget) -> int:
        print(until_painted(window))
        window.close()
        return 0

    session.place = lambda: Path(settings)
    start.open_window = partial(start.open_window, tell)
    main([])


def open_empty(width: int, height: int) -> tuple[QApplication, QMainWindow]:
    """Return an application and its window, which has nothing in it, shown."""
    from PySide6.QtWidgets import QApplication, QMainWindow

    application = QApplication([])
    window = QMainWindow()
    window.resize(width, height)
    window.show()
    return application, window


def until_painted(window: QWidget) -> float:
    """Handle events until a window has been painted, and return when it was."""
    from PySide6.QtCore import QEvent, QEventLoop, QObject, QTimer

    loop = QEventLoop()
    times: list[float] = []

    def over() -> None:
        times.append(time())
        loop.quit()

    class Painted(QObject):
        def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
            if event.type() == QEvent.Type.Paint:
                QTimer.singleShot(0, over)  # behind the painting that begins now
            return False

    painted = Painted()
    window.installEventFilter(painted)
    window.update()
    loop.exec()
    window.removeEventFilter(painted)
    return times[0]

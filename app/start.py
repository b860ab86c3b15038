"""Opens the window, or takes a picture of it without a display.

The first frame shows everything round the stage, and waits for nothing that it does not show: what
computes, and what draws its results, is imported and begins behind it.
"""

from __future__ import annotations

import gc
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING

from app import CHAPTER
from engine.said import Said

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from app.window import Window

# Qt is imported by the functions that need it: ``open_window`` has the collector rest before.

TITLE_BAR = 40  # px that the frame of a window takes above it, at the most


def application() -> QApplication:
    """Return the application with its name and its fonts."""
    from PySide6.QtWidgets import QApplication

    from widgets.fonts import register_chrome_fonts

    made = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(made, QApplication)
    made.setApplicationName("unrolled")
    made.setApplicationDisplayName("Unrolled")
    register_chrome_fonts()
    font = made.font()
    font.setFamily("Inter")
    font.setPixelSize(14)
    made.setFont(font)
    return made


def open_window(run: Callable[[Window], int] | None = None) -> int:
    """Open the window and return the exit code; ``run`` stands in for the loop of events.

    Raises
    ------
    engine.said.Said
        With one sentence, when no window can open here.
    """
    gc.disable()  # until the first frame there is nothing to collect, also while Qt is imported
    from app import display

    problem = display.problem()
    if problem:
        raise Said(problem)
    import widgets  # noqa: F401  (takes Python's import back from PySide before more is imported)
    from app import session as sessions
    from app.window import Window

    running = application()
    window = Window(sessions.place())
    room = running.primaryScreen().availableGeometry()
    too_large = window.width() > room.width() or window.height() + TITLE_BAR > room.height()
    # Without a display there is no screen that a window could be too large for.
    if too_large and running.platformName() != "offscreen":
        window.showMaximized()
    else:
        window.show()
    window.canvas.setFocus()

    def go_on() -> None:
        gc.freeze()  # modules stay: the collector need not look at them again and again
        gc.enable()
        window.begin()

    after_first_frame(window, go_on)
    return running.exec() if run is None else run(window)


def after_first_frame(window: Window, do: Callable[[], object]) -> None:
    """Do something as soon as a window has been painted for the first time."""
    from PySide6.QtCore import QEvent, QObject, QTimer

    class Watch(QObject):
        def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
            if event.type() == QEvent.Type.Paint:
                watched.removeEventFilter(self)
                QTimer.singleShot(0, do)  # behind the painting that begins now
            return False

    window.installEventFilter(Watch(window))


def shoot(
    path: Path, *, text: str, tick: float, theme_name: str, size: tuple[int, int],
    chapter: str = CHAPTER,
) -> None:  # fmt: skip
    """Save a picture of the whole window at a tick (inf: the last), as PNG; it needs no display.

    A chapter that measures this machine does so first, unless that is remembered.

    Raises
    ------
    engine.said.Said
        With one sentence, when the text cannot be computed, there is no such chapter, the window
        cannot have the size or the tick, or the file cannot be written.
    """
    from app import this_machine
    from app.chapters import CHAPTERS
    from app.compute import tick_in
    from app.window import Window

    if not text.strip():
        raise Said("There is no word to read; give a text with ___ for a word.")
    by_number = {str(entry.number): id for id, entry in CHAPTERS.items() if entry.number}
    id = by_number.get(chapter, chapter)
    if id not in CHAPTERS:
        known = ", ".join((*by_number, *CHAPTERS))
        raise Said(f"There is no chapter {chapter[:40]!r}; there are {known}.")
    running = application()
    with tempfile.TemporaryDirectory() as folder:
        if this_machine.place().is_file():
            shutil.copy(this_machine.place(), Path(folder) / this_machine.FILE)
        window = Window(Path(folder) / "session.json")
        try:
            least = window.minimumSize()
            if size[0] < least.width() or size[1] < least.height():
                raise Said(
                    f"The window is never smaller than {least.width()} × {least.height()}; "
                    "give a larger --size."
                )
            window.resize(*size)
            window.show()
            window.set_theme(theme_name)
            window.first.sentences.set_text(text)
            _wait(lambda: window.first.sentences.background.busy or window.first.measuring)
            if window.first.pair is None:
                raise Said(window.notice.text())
            window.open_chapter(id)
            _wait(lambda: window.chapter.busy or window.chapter.measuring)
            if window.chapter.id != id or not window.chapter.groups():
                raise Said(window.notice.text())
            window.player.seek(tick_in(window.player.last, tick))
            _wait(lambda: window.chapter.busy)
            window.now.show_now()
            running.processEvents()
            if not window.export_window(path=str(path)):
                raise Said(window.notice.text())
        finally:
            window.close()


def _wait(waits: Callable[[], bool]) -> None:
    """Handle events while something is awaited."""
    from PySide6.QtWidgets import QApplication

    while waits():
        QApplication.processEvents()
        sleep(0.005)  # a loop that never rests would be in the times

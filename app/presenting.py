"""Present: nothing but the stage on the whole screen, with its controls in a strip of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QMainWindow, QWidget

from widgets.canvas import Canvas
from widgets.controls import Notice

if TYPE_CHECKING:
    from widgets.capsule import Strip

CAPSULE_MS = 2000


class Presenting(QObject):
    """Hides a window's panels and fills the screen; the controls come with the pointer.

    ``strip`` returns what holds the controls; it is asked for when they are to be shown.
    """

    def __init__(
        self, window: QMainWindow, canvas: Canvas, strip: Callable[[], Strip], notice: Notice,
        panels: tuple[QWidget, ...],
    ) -> None:  # fmt: skip
        super().__init__(window)
        self._window, self._strip = window, strip
        self._notice, self._panels = notice, panels
        self.on = False
        self._was_maximised = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(CAPSULE_MS)
        self._timer.timeout.connect(self._hide_controls)
        self._canvas = canvas
        canvas.installEventFilter(self)

    def show(self, canvas: Canvas) -> None:
        """Present another stage from now on."""
        self._canvas.removeEventFilter(self)
        if self.on:
            blank = self._canvas.blank
            self._fill(False)
            self._canvas, canvas.blank = canvas, blank
            self._fill(True)
        self._canvas = canvas
        canvas.installEventFilter(self)

    def _fill(self, on: bool) -> None:
        """Let the stage fill the screen without what can be switched, or be as it was."""
        self._canvas.blank = self._canvas.blank and on
        self._canvas.present(on)
        self._canvas.show_with(controls=not on)

    def begin(self) -> None:
        """Show nothing but the stage on the whole screen."""
        self.on = True
        self._was_maximised = self._window.isMaximized()
        for panel in self._panels:
            panel.hide()
        self._strip().installEventFilter(self)  # again: Qt keeps a filter once
        self._strip().show()
        self._fill(True)
        self._window.showFullScreen()
        self._canvas.setFocus()

    def end(self) -> None:
        """Show the window as it was; which of its panels have room it finds itself."""
        self.stop()
        self.on = False
        self._notice.hold(False)
        self._strip().capsule.hide()
        self._strip().hide()
        self._fill(False)
        self._window.showMaximized() if self._was_maximised else self._window.showNormal()

    def blank(self) -> None:
        """Make the screen black, or show it again."""
        if self.on:
            self._canvas.blank = blank = not self._canvas.blank
            self._strip().setVisible(not blank)  # nothing at all is to shine
            self._notice.hold(blank)
            self._canvas.update()

    def stop(self) -> None:
        """Wait for nothing any more."""
        self._timer.stop()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Show the controls while the pointer moves."""
        if self.on and event.type() == QEvent.Type.MouseMove:
            self._strip().capsule.show()
            self._timer.start()
        return False

    def _hide_controls(self) -> None:
        """Hide the controls, unless the pointer rests on them."""
        if self._strip().capsule.underMouse():
            self._timer.start()
        else:
            self._strip().capsule.hide()

"""Shows what really runs in this process, ten times a second while something does."""

from __future__ import annotations

from time import perf_counter

from PySide6.QtCore import QObject, QTimer

from engine.recorder import WINDOW_SECONDS, Recorder
from widgets.live_strip import LiveStrip

SHOW_MS = 100
LOOK_MS = 500  # while nothing runs


class Now(QObject):
    """Gives the strip what the recorder has seen; the timer is slow while nothing is seen."""

    def __init__(self, recorder: Recorder, strip: LiveStrip, parent: QObject) -> None:
        super().__init__(parent)
        self._recorder, self._strip = recorder, strip
        self._count, self._changed = -1, 0.0
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self.show_now)

    def begin(self) -> None:
        """Look from now on."""
        self._timer.start()

    def close(self) -> None:
        """Look no more."""
        self._timer.stop()

    def show_now(self) -> None:
        """Show the shares of the last seconds, unless nothing can have changed since."""
        now = perf_counter()
        if self._recorder.count != self._count or self._recorder.busy:
            self._count, self._changed = self._recorder.count, now
        lively = now - self._changed <= WINDOW_SECONDS + 1.0
        self._timer.setInterval(SHOW_MS if lively else LOOK_MS)
        if lively:
            self._strip.show_shares(self._recorder.shares(now))

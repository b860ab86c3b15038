"""Shows what really runs in this process, ten times a second while something does."""

from __future__ import annotations

from time import perf_counter

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from app import DEFAULT_PAIR, DEFAULT_TEXT
from app.background import Background, Outcome
from engine.recorder import WINDOW_SECONDS, Recorder
from engine.units import Work
from widgets.live_strip import LiveStrip

SHOW_MS = 100
TOKENS = len(DEFAULT_TEXT.split())
PAIRS = 41  # of runs, of which one takes less than a millisecond


def recording(recorder: Recorder) -> tuple[float, float]:
    """Return what recording adds to runs of the first two models, as a part of each; about 0.1 s.

    The words do not matter to that, their number does.
    """
    import numpy as np

    from engine import weights
    from engine.recording_cost import overhead

    began = perf_counter()
    chain, grid = (overhead(weights.load(id), np.arange(TOKENS), PAIRS) for id in DEFAULT_PAIR)
    ended = perf_counter()
    recorder.note(began, ended, {Work.UNCLASSIFIED: ended - began})
    return chain, grid


class Now(QObject):
    """Gives the strip what the recorder has seen; while nothing is seen no timer runs.

    What recording adds is measured when somebody asks what the strip is, once.
    """

    _noted = Signal()  # emitted in any thread

    def __init__(self, recorder: Recorder, strip: LiveStrip, parent: QObject) -> None:
        super().__init__(parent)
        self._recorder, self._strip = recorder, strip
        self._count, self._changed = -1, 0.0
        self._timer = QTimer(self)
        self._timer.setInterval(SHOW_MS)
        self._timer.timeout.connect(self.show_now)
        self._noted.connect(self._wake, Qt.ConnectionType.QueuedConnection)
        self._closed = False
        self._background = Background(self)
        self._background.done.connect(self._told)
        strip.asked.connect(self._measure)

    @property
    def awake(self) -> bool:
        """Return whether the timer runs."""
        return self._timer.isActive()

    def begin(self) -> None:
        """Look from now on."""
        self._wake()

    def close(self) -> None:
        """Look no more."""
        self._closed = True
        self._timer.stop()
        self._background.close()

    def show_now(self) -> None:
        """Show the shares of the last seconds; when nothing more can change, rest."""
        now = perf_counter()
        count = self._recorder.count
        if count != self._count or self._recorder.busy:
            self._count, self._changed = count, now
        self._strip.show_shares(self._recorder.shares(now))
        if now - self._changed > WINDOW_SECONDS + 1.0:
            self._timer.stop()
            self._recorder.call_once(self._tell, count)

    def _measure(self) -> None:
        self._strip.asked.disconnect(self._measure)
        self._background.ask(recording, self._recorder)

    def _told(self, outcome: Outcome) -> None:
        if outcome.error is None:  # without its models this chapter has nothing to say of them
            chain, grid = outcome.value
            self._strip.show_recording(chain, grid, TOKENS)

    def _tell(self) -> None:
        """Wake this object, from any thread."""
        try:
            self._noted.emit()
        except RuntimeError:  # it went away with the window
            return

    def _wake(self) -> None:
        if not self._closed and not self._timer.isActive():
            self._changed = perf_counter()
            self._timer.start()

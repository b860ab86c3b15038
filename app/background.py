"""Runs a plain function off the GUI thread; the newest request wins, errors come back as values."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from PySide6.QtCore import QObject, Qt, Signal

from app.threads import leave_a_core

# Python hands the lock over this often: the thread that paints waits 0.5 ms for it and not 5 ms.
SWITCH_SECONDS = 0.0005
PATIENCE_SECONDS = 4.0  # for a computation that still runs when the window closes


class Outcome(NamedTuple):
    """What became of a request: its value, or the error that it raised."""

    number: int
    value: Any = None
    error: Exception | None = None


class _Request(NamedTuple):
    number: int
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


class Background(QObject):
    """One worker thread that computes the newest request.

    A request that waits is replaced by a newer one; the outcome of one that already runs is dropped
    when a newer one has come in the meantime. ``done`` is emitted in the thread of this object.
    """

    done = Signal(object)  # Outcome
    _computed = Signal(object)  # Outcome, emitted in the worker

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._wake = threading.Condition()
        self._waiting: _Request | None = None
        self._newest = 0
        self._delivered = 0
        self._closed = False
        self._thread: threading.Thread | None = None
        self._computed.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    @property
    def busy(self) -> bool:
        """Return whether the newest request has not been answered yet."""
        return self._delivered < self._newest and not self._closed

    def ask(self, function: Callable[..., Any], *arguments: Any) -> int:
        """Request that a function be run with arguments; return the request's number.

        It must be a plain function of plain data: it runs in another thread than all widgets.
        """
        if self._closed:
            return self._newest
        if self._thread is None:
            sys.setswitchinterval(SWITCH_SECONDS)
            self._thread = threading.Thread(target=self._work, name="background", daemon=True)
            self._thread.start()
        with self._wake:
            self._newest += 1
            self._waiting = _Request(self._newest, function, arguments)
            self._wake.notify()
        return self._newest

    def close(self, *, finish: bool = False) -> None:
        """End the worker; what it still computes is waited for and dropped.

        With ``finish`` a request that waits is run as well: its value is lost, its work is not.
        """
        with self._wake:
            self._closed = True
            if not finish:
                self._waiting = None
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(PATIENCE_SECONDS)
            self._thread = None

    def _deliver(self, outcome: Outcome) -> None:
        if outcome.number == self._newest and not self._closed:
            self._delivered = outcome.number
            self.done.emit(outcome)

    # ---- in the worker ------------------------------------------------------------------------

    def _work(self) -> None:
        limited = False
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._closed or self._waiting is not None)
                if self._waiting is None:
                    return
                request, self._waiting = self._waiting, None
            if not limited:
                leave_a_core()
                limited = True
            try:
                outcome = Outcome(request.number, request.function(*request.arguments))
            except Exception as error:
                outcome = Outcome(request.number, error=error)
            with self._wake:
                if self._closed:
                    return
            try:
                self._computed.emit(outcome)
            except RuntimeError:  # the receiver went away with the program
                return
            del request, outcome  # a run is not kept alive until the next request

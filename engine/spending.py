"""Seconds of plain NumPy code by kind of work, for who watches what runs in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from engine.tape import Watch
from engine.units import Unit


class Spending:
    """Adds up the seconds of code that no tape records, by unit; what is left is Python.

    ``watch`` is told of them.
    """

    def __init__(self, watch: Watch | None) -> None:
        self._watch, self._since = watch, perf_counter()
        self.seconds = dict.fromkeys(Unit, 0.0)

    @contextmanager
    def on(self, unit: Unit) -> Iterator[None]:
        """Count the time of the block as a kind of work."""
        began = perf_counter()
        yield
        self.seconds[unit] += perf_counter() - began

    def tell(self) -> None:
        """Tell what was done since this was made, or told last."""
        since, seconds = self._since, self.seconds
        self._since, self.seconds = perf_counter(), dict.fromkeys(Unit, 0.0)
        if self._watch is not None:
            self._watch(since, self._since, seconds)

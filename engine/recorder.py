"""What really ran in this process lately, by kind of work: what the strip "Now" shows."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from engine.units import Basis, Unit, Work

if TYPE_CHECKING:
    from engine.shares import Shares

WINDOW_SECONDS = 2.0
GRAIN_SECONDS = 0.01  # what follows closer is kept as one: half a per cent of the window
MOST = 1024  # stretches of a thread that are kept: at least ten seconds of them
STEPS = 50  # of a training, whose mean is told
LAG_SECONDS = 0.25  # so late may the window end, that a stage that still runs need not be guessed


class _Ran(NamedTuple):
    """A stretch of a thread, with the seconds of each kind of work in it in any order.

    ``around`` stands for a job: what its runs leave of it is its kind of work.
    """

    start: float
    end: float
    spent: Mapping[Work, float]
    around: Work | None = None


class Trained(NamedTuple):
    """What the last steps of a training took: the mean seconds of each phase by kind of work.

    ``step`` is the last one of them, ``steps`` how many there are.
    """

    what: str
    step: int
    steps: int
    seconds: Mapping[str, Mapping[Work, float]]


class Recorder:
    """Keeps what ran in the last seconds, from any thread, in bounded memory.

    On a CPU nothing hides anything: where several threads compute in the same moment, they share it
    equally. What a job does between its runs is sequential; without a job the process is idle.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ran: dict[int, deque[_Ran]] = {}  # by thread
        self._jobs: deque[_Ran] = deque(maxlen=MOST)
        self._open: dict[int, tuple[float, float]] = {}  # by thread: begun, and known until
        self._steps: deque[Mapping[str, Mapping[Unit, float]]] = deque(maxlen=STEPS)
        self._trained = ("", 0)  # what, and its last step
        self._count = 0
        self._waiting: Callable[[], object] | None = None

    @property
    def count(self) -> int:
        """Return a number that grows whenever something is noted."""
        return self._count

    @property
    def busy(self) -> bool:
        """Return whether a job is under way."""
        return bool(self._open)

    def call_once(self, waiting: Callable[[], object], count: int) -> None:
        """Call a function once when more is noted than a ``count``: in any thread, and quickly.

        It must not ask this object anything.
        """
        with self._lock:
            late = count != self._count
            self._waiting = None if late else waiting
        if late:
            waiting()

    def _noted(self) -> None:
        """Count what was noted, and call who waits for it; the lock is held."""
        self._count += 1
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting()

    def watch(self, start: float, end: float, spent: Mapping[Unit, float]) -> None:
        """Note what a run did from start to end, as ``engine.tape`` tells its watch.

        What its operations do not account for is Python: sequential.
        """
        work = {Work(unit.value): max(seconds, 0.0) for unit, seconds in spent.items()}
        known = work.get(Work.MATRIX, 0.0) + work.get(Work.STREAM, 0.0)
        work[Work.SEQUENTIAL] = max(end - start - known, 0.0)
        self.note(start, end, work)

    def note(self, start: float, end: float, spent: Mapping[Work, float]) -> None:
        """Note how many seconds of each kind of work this thread did from start to end."""
        if not end > start:  # nothing, or a clock that was put back
            return
        thread, ran = threading.get_ident(), _Ran(start, end, dict(spent))
        with self._lock:
            kept = self._ran.setdefault(thread, deque(maxlen=MOST))
            if kept and kept[-1].end <= start and end - kept[-1].start <= GRAIN_SECONDS:
                kept[-1] = _joined(kept[-1], ran)
            else:
                kept.append(ran)
            if thread in self._open:
                begun, known = self._open[thread]
                self._open[thread] = begun, max(known, end)
            self._noted()

    def train(self, what: str, step: int, spent: Mapping[str, Mapping[Unit, float]]) -> None:
        """Note a step of a training: its seconds by phase and unit, see ``engine.training``."""
        with self._lock:
            if what != self._trained[0] or step <= self._trained[1]:
                self._steps.clear()
            self._trained = what, step
            self._steps.append(spent)

    @property
    def trained(self) -> Trained | None:
        """Return what the last steps of the last training took; None: none was trained here."""
        with self._lock:
            steps, (what, step) = tuple(self._steps), self._trained
        if not steps:
            return None
        means = {
            phase: {
                Work(unit.value): sum(spent[phase][unit] for spent in steps) / len(steps)
                for unit in Unit
            }
            for phase in steps[0]
        }
        return Trained(what, step, len(steps), means)

    @contextmanager
    def job(self) -> Iterator[None]:
        """Note the time of the block as host work, under the runs that are noted in it."""
        thread, start = threading.get_ident(), perf_counter()
        with self._lock:
            nested = thread in self._open
            if not nested:
                self._open[thread] = start, start
            self._noted()
        try:
            yield
        finally:
            with self._lock:
                if not nested:
                    del self._open[thread]
                    self._jobs.append(_Ran(start, perf_counter(), {}, Work.SEQUENTIAL))
                self._noted()

    def shares(self, now: float, seconds: float = WINDOW_SECONDS) -> Shares | None:
        """Return what ran in the last seconds before ``now``; None when nothing did.

        ``now`` is a time of ``perf_counter``. What a job under way has not told yet is left out by
        looking a little further back, and is unclassified where it is longer than that.
        """
        with self._lock:
            opened = list(self._open.values())
            end = min([now, *(max(known, now - LAG_SECONDS) for _, known in opened)])
            start = end - seconds
            ran = [it for kept in self._ran.values() for it in kept if it.end > start]
            ran += [it for it in self._jobs if it.end > start]
            self._ran = {thread: kept for thread, kept in self._ran.items() if kept[-1].end > start}
        for begun, known in opened:
            ran.append(_Ran(begun, known, {}, Work.SEQUENTIAL))
            ran.append(_Ran(known, end, {}, Work.UNCLASSIFIED))
        ran = [it for it in ran if start < it.end and it.start < min(it.end, end)]
        if not ran:
            return None
        from engine.shares import CPU_PATH, Shares, parts_of  # (here: a window begins without)

        return Shares(parts_of(_totals(ran, start, end)), seconds, Basis.MEASURED, CPU_PATH)


def _totals(ran: list[_Ran], start: float, end: float) -> dict[Work, float]:
    """Return the seconds of each kind of work between start and end."""
    total = dict.fromkeys(Work, 0.0)
    begins = sorted(ran, key=lambda it: it.start)
    edges = sorted({start, end, *(x for it in ran for x in (it.start, it.end) if start < x < end)})
    active: list[_Ran] = []
    place = 0
    for a, b in zip(edges, edges[1:], strict=False):
        while place < len(begins) and begins[place].start <= a:
            active.append(begins[place])
            place += 1
        active = [it for it in active if it.end >= b]
        here = [it for it in active if it.around is None]
        left = b - a
        for it in here:
            part = (b - a) / (it.end - it.start) / len(here)
            for work, spent in it.spent.items():
                total[work] += spent * part
                left -= spent * part
        around = {it.around for it in active}
        rest = next(
            (work for work in (Work.SEQUENTIAL, Work.UNCLASSIFIED) if work in around), Work.IDLE
        )
        total[rest] += max(left, 0.0)
    return total


def _joined(last: _Ran, ran: _Ran) -> _Ran:
    spent = dict(last.spent)
    for work, seconds in ran.spent.items():
        spent[work] = spent.get(work, 0.0) + seconds
    return _Ran(last.start, ran.end, spent)

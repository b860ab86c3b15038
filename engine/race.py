"""What this machine does in a second: rates, and the same work at many sizes, measured in 10 s.

Every time is the best of repeats: whatever else the machine does can only add to one. What was
measured is kept per machine and is measured anew on another one.

The work that is timed, each way from the same formula:

    product     C = A B, two n × n matrices of float32
    map         y = x ⊙ x, n × n numbers
    chain       h ← tanh(h W), n times, 16 numbers: each step waits for the one before
    output      one attention weight, exp(q k / √8 − lse), lse the row's log of the sum
    branches    x ← 1.9 x, then b times: x ← 1.9 x if x < ½ else 1.9 (1 − x), for every item
    length      one layer over T tokens, 64 wide, one thread: RNN, GRU, causal attention, 4 heads

A branch of the last but one depends on the data and cannot be foreseen: it is the tent map, which
is chaotic (Devaney 1989, An Introduction to Chaotic Dynamical Systems, 1.8).
"""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.said import Said
from engine.units import Work

BUDGET_SECONDS = 10.0  # of a whole sweep
RATES_SECONDS = 2.0  # of ``calibrate`` alone
# How the budget is shared out; what a part leaves over goes to those behind it.
PARTS = (("rates", 0.07), ("outputs", 0.03), ("sizes", 0.38), ("branches", 0.12), ("lengths", 0.4))
LATE = 0.4  # of its share, what a part has that begins late because runs before it took too long
OPS = ("product", "map", "chain")
OUTPUTS = "outputs"  # the ``Point.op`` of the race's outputs on a GPU, where n is their number
SIZES = tuple(2**k for k in range(1, 14))  # 2 … 8192
COUNTS = (5, 25, 125)  # outputs of the race: a row, a head, all heads of five tokens
BRANCHES = (0, 1, 2, 4, 8, 16, 32)
ITEMS = {"python": (1, 100), "numpy": (1, 1_000, 100_000)}
LENGTHS = (8, 16, 32, 64, 128, 256, 512, 1024, 2048)
LAYERS = ("elman", "gru", "attention")
STATE, HEAD, WIDTH = 16, 8, 64  # numbers of the chain's state, of a head's row, of a layer
SLOPE = 1.9  # of the tent map: 2 would lose a bit of the mantissa at every branch
LEAST_RUNS, LEAST_LONG, MOST_RUNS = 5, 2, 200
ENOUGH_SECONDS, FEW_SECONDS = 0.015, 0.004  # of one point; of one among many alike
# A run that is likely to take longer is left out; of Python's there is no need for large ones.
LONG_SECONDS, LONG_IN_PYTHON = 0.25, 0.015
INNER_SECONDS = 5e-5  # what is timed at once, so that reading the clock is nothing beside it
MOST_INNER = 512
MOST_SILENT = 5  # runs for which the clock tells no time

Clock = Callable[[], float]
Stop = Callable[[], bool]
Note = Callable[[float, float, Mapping[Work, float]], object]  # begun, ended, seconds by kind
Array = NDArray[np.float32]


class RaceError(Said):
    """Why something could not be measured or kept, in a sentence."""


class Machine(NamedTuple):
    """What times depend on: another one is measured anew."""

    cpu: str
    threads: int
    library: str
    python: str


class Rates(NamedTuple):
    """What this machine does at its best, float32.

    FLOP/s of a product of two matrices with one thread and with all; bytes/s of an elementwise map
    (read and written) and of a copy; seconds of a NumPy call on a few numbers, the mean of a map, a
    maximum and a product; and of one operation of Python.
    """

    product_one: float
    product_all: float
    elementwise: float
    copy: float
    numpy_call: float
    python_op: float


class Point(NamedTuple):
    """The time of one operation at one size.

    ``by`` is "python" (one number at a time), "one" or "all" (NumPy, so many threads), or with a
    GPU "gpu", with ".copied" or ".graph" or both behind it.
    """

    op: str
    by: str
    n: int
    seconds: float


class Outputs(NamedTuple):
    """So many outputs: computed one after another in Python, and all in a few NumPy calls."""

    outputs: int
    in_order: float
    at_once: float


class Branching(NamedTuple):
    """So many items with so many branches each, "python" item by item or "numpy" all at once."""

    branches: int
    by: str
    items: int
    seconds: float


class Length(NamedTuple):
    """The time of one layer over so many tokens; ``engine.race_lengths.counted`` has its work."""

    layer: str
    tokens: int
    seconds: float


@dataclass(frozen=True)
class Measured:
    """What was measured on a machine on a day; while a sweep runs, what there is so far."""

    machine: Machine
    day: str  # ISO 8601
    rates: Rates | None = None
    sizes: tuple[Point, ...] = ()
    outputs: tuple[Outputs, ...] = ()
    branches: tuple[Branching, ...] = ()
    lengths: tuple[Length, ...] = ()
    complete: bool = False
    device: str = ""  # the GPU that points "gpu" were measured on
    rates_day: str = ""  # ISO 8601, where ``rates`` were measured on another day than the rest

    def line(self, op: str, by: str) -> tuple[Point, ...]:
        """Return the points of one line, the smallest size first."""
        return tuple(sorted((p for p in self.sizes if (p.op, p.by) == (op, by)), key=_size))

    def at(self, op: str, by: str, n: int) -> Point | None:
        """Return a point, None where none was measured."""
        return next((p for p in self.sizes if (p.op, p.by, p.n) == (op, by, n)), None)

    def in_order(self, count: int) -> float | None:
        """Return the seconds of so many outputs one after another.

        Where this count was not timed itself it is that of the largest one, in proportion.
        """
        if not self.outputs:
            return None
        exact = next((row for row in self.outputs if row.outputs == count), None)
        row = exact or max(self.outputs)
        return row.in_order * count / row.outputs


def _size(point: Point) -> int:
    return point.n


# ---- the machine ---------------------------------------------------------------------------------


def machine() -> Machine:
    """Return what this machine is called."""
    return Machine(
        cpu=_cpu(),
        threads=os.cpu_count() or 1,
        library=f"NumPy {np.__version__}{_blas()}",
        python=platform.python_version(),
    )


def _cpu() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()[:80]
    except OSError:
        pass  # another system than Linux
    return (platform.processor() or platform.machine() or "CPU")[:80]


def _blas() -> str:
    from threadpoolctl import threadpool_info

    pools = [pool for pool in threadpool_info() if pool.get("user_api") == "blas"]
    return f", {pools[0]['internal_api']} {pools[0].get('version', '')}".rstrip() if pools else ""


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let products use so many threads, and as many as before afterwards."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=count, user_api="blas"):
        yield


# ---- timing --------------------------------------------------------------------------------------


class Watch:
    """Times functions until a part of the budget is spent or somebody stops it.

    The parts of the budget are spent by what the clock says; one that goes backwards cannot prolong
    them, because every loop has a most of runs.
    """

    def __init__(self, clock: Clock, stop: Stop, note: Note | None = None) -> None:
        self._clock, self._stop, self._note = clock, stop, note
        self._spent, self._last = 0.0, clock()
        self._until = math.inf

    @property
    def spent(self) -> float:
        """Return the seconds since the beginning, without those that a clock took back."""
        now = self._clock()
        self._spent += max(now - self._last, 0.0)
        self._last = now
        return self._spent

    @property
    def now(self) -> float:
        """Return what the clock says."""
        return self._clock()

    def begin(self, until: float) -> None:
        """Let a part last until so many seconds after the beginning."""
        self._until = until

    @property
    def over(self) -> bool:
        """Return whether this part has to end."""
        return self._stop() or self.spent >= self._until

    def room(self, seconds: float, most: float = LONG_SECONDS) -> bool:
        """Return whether runs of which one is likely to take so long still fit."""
        needed = LEAST_LONG * seconds
        return seconds <= most and self.spent + needed < self._until and not self._stop()

    def best(
        self,
        run: Callable[..., object],
        *arguments: Any,
        enough: float = ENOUGH_SECONDS,
        work: Work = Work.STREAM,
    ) -> float | None:
        """Return the least seconds of one call; None when the clock told none.

        ``work`` is what it is noted as.
        """
        began = self._clock()
        best, spent, inner, silent = math.inf, 0.0, 1, 0
        for done in range(1, MOST_RUNS + 1):
            start = self._clock()
            for _ in range(inner):
                run(*arguments)
            took = self._clock() - start
            if took > 0:
                best, spent = min(best, took / inner), spent + took
            else:  # it stands still, or was set back
                silent += 1
                if silent == MOST_SILENT:
                    break
            if took < INNER_SECONDS and inner < MOST_INNER:
                inner *= 2
                continue
            least = LEAST_RUNS if spent < 8 * enough else LEAST_LONG
            if (done >= least and spent >= enough) or self.over:
                break
        self.tell(began, {work: spent})
        return best if math.isfinite(best) else None

    def tell(self, began: float, spent: Mapping[Work, float]) -> None:
        """Note what ran since a moment, for who watches what this process does."""
        if self._note is not None:
            self._note(began, self._clock(), spent)


def calibrate(
    seconds: float = RATES_SECONDS, *, clock: Clock = perf_counter, stop: Stop = lambda: False,
    note: Note | None = None,
) -> Rates:  # fmt: skip
    """Return what this machine does in a second, measured here and now in about ``seconds``.

    ``note`` is told of everything that runs, as by ``sweep``.

    Raises
    ------
    RaceError
        When it was stopped, or the clock went backwards all the time.
    """
    watch = Watch(clock, stop, note)
    watch.begin(seconds)
    rates = _rates(watch)
    if rates is None:
        raise RaceError("This machine was not measured: it was stopped, or its clock stood still.")
    return rates


def _rates(watch: Watch) -> Rates | None:
    a, b, out = (drawn(768, 768) for _ in range(3))
    few, row, square, other = drawn(8), drawn(1, 8), drawn(8, 8), drawn(1, 8)
    large, copied = drawn(4_000_000), np.empty(4_000_000, np.float32)
    flops, moved = 2 * 768**3, 2 * large.nbytes

    def product(count: int) -> float | None:
        with threads(count):
            return watch.best(np.matmul, a, b, out, work=Work.MATRIX)

    def call() -> float | None:
        # A model makes all three: what a maximum costs more than a map is Python of NumPy's own.
        with threads(1):
            several = (
                watch.best(np.multiply, few, few, few), watch.best(np.max, row, -1, None, True),
                watch.best(np.matmul, row, square, other),
            )  # fmt: skip
        known = [each for each in several if each is not None]
        return math.fsum(known) / len(known) if len(known) == len(several) else None

    found = (
        product(1), product(os.cpu_count() or 1),
        watch.best(np.multiply, large, large, copied), watch.best(np.copyto, copied, large),
        call(), watch.best(_python_ops, 100, work=Work.SEQUENTIAL),
    )  # fmt: skip
    if any(each is None for each in found) or watch.over and watch.spent == 0:
        return None
    one, every, elementwise, copy, called, python = (each or 1.0 for each in found)
    return Rates(
        flops / one, flops / every, moved / elementwise, moved / copy, called, python / 200
    )


def _python_ops(count: int) -> float:
    """Multiply and add, so many times: twice as many operations."""
    x = 0.5
    for _ in range(count):
        x = x * 0.5 + 0.25
    return x


def drawn(*shape: int) -> Array:
    """Return numbers drawn at random, the same each time."""
    return np.random.default_rng(0).random(shape, np.float32)


# ---- the sweep -----------------------------------------------------------------------------------


def sweep(
    *,
    budget: float = BUDGET_SECONDS,
    clock: Clock = perf_counter,
    stop: Stop = lambda: False,
    today: str = "",
    device: Any = None,
    note: Note | None = None,
) -> Generator[Measured, None, None]:
    """Yield what is measured here, more of it each time, the last time ``complete``.

    Parameters
    ----------
    budget
        Seconds that all of it may take; a single run that has begun is finished, and no
        part is left out because one before it took longer.
    clock, stop
        Where seconds come from; whether to end now, which leaves it incomplete.
    today
        The day that is written beside it (ISO 8601); by default that of the system.
    device
        What runs the same on a GPU (``engine.race_device.OnDevice``), None without one.
    note
        Is told of everything that runs, as ``engine.recorder.Recorder.note``.
    """
    from engine.race_lengths import with_lengths

    found = Measured(machine(), today or date.today().isoformat())
    if device is not None:
        found = replace(found, device=device.name)
        device.warm()  # what it compiles now, it compiles once
    watch = Watch(clock, stop, note)
    until = 0.0
    parts: dict[str, Callable[[Measured, Watch], Iterator[Measured]]] = {
        "rates": _with_rates,
        "outputs": lambda found, watch: _with_outputs(found, watch, device),
        "sizes": lambda found, watch: _with_sizes(found, watch, device),
        "branches": _with_branches,
        "lengths": with_lengths,
    }
    for name, share in PARTS:
        until += share * budget
        watch.begin(max(until, watch.spent + LATE * share * budget))
        for more in parts[name](found, watch):
            found = more
            yield found
            if stop():
                return
        if stop():
            return
    yield replace(found, complete=True)


def _with_rates(found: Measured, watch: Watch) -> Iterator[Measured]:
    rates = _rates(watch)
    if rates is not None:
        yield replace(found, rates=rates)


def _with_outputs(found: Measured, watch: Watch, device: Any) -> Iterator[Measured]:
    for count in COUNTS:
        q, k = drawn(count, HEAD), drawn(count, HEAD)
        lse = np.ones(count, np.float32)
        rows = [(a, b, 1.0) for a, b in zip(q.tolist(), k.tolist(), strict=True)]
        times = (
            watch.best(_outputs, rows, work=Work.SEQUENTIAL),
            watch.best(_outputs_at_once, q, k, lse),
        )
        if times[0] is None or times[1] is None:
            continue
        found = replace(found, outputs=(*found.outputs, Outputs(count, times[0], times[1])))
        if device is not None:
            points = (Point(OUTPUTS, by, count, s) for by, s in device.outputs(count, watch))
            found = replace(found, sizes=(*found.sizes, *points))
        yield found
        if watch.over:
            return


def _outputs(rows: Sequence[tuple[list[float], list[float], float]]) -> list[float]:
    """Return one attention weight a row, one after another."""
    scale, exp = 1 / math.sqrt(HEAD), math.exp
    return [
        exp(sum([x * y for x, y in zip(q, k, strict=True)]) * scale - lse) for q, k, lse in rows
    ]


def _outputs_at_once(q: Array, k: Array, lse: Array) -> Array:
    scores: Array = np.einsum("ij,ij->i", q, k)
    scores *= np.float32(1 / math.sqrt(HEAD))
    scores -= lse
    return np.exp(scores, out=scores)


def _with_sizes(found: Measured, watch: Watch, device: Any) -> Iterator[Measured]:
    """Measure sizes from small to large, all ways at one size before the next."""
    every = os.cpu_count() or 1
    ways: list[tuple[str, int]] = [("python", 1), ("one", 1)]
    ways += [("all", every)] if every > 1 else []
    ended: set[tuple[str, str]] = set()
    last: dict[tuple[str, str], float] = {}
    for n in SIZES:
        for op in OPS:
            growth = {"product": 8.0, "map": 4.0, "chain": 2.0}[op]
            for by, count in ways:
                if (op, by) in ended or (by == "all" and op != "product"):
                    continue  # NumPy does nothing else with several threads
                # A call costs the same at small sizes, so this expects rather too much.
                expected = last.get((op, by), 0.0) * growth
                most = LONG_IN_PYTHON if by == "python" else LONG_SECONDS
                if not watch.room(expected, most):
                    ended.add((op, by))
                    continue
                with threads(count):
                    kind = Work.MATRIX if op == "product" else Work.STREAM
                    kind = Work.SEQUENTIAL if by == "python" else kind
                    seconds = watch.best(*_work(op, by, n), work=kind)
                if seconds is None:
                    continue
                last[op, by] = seconds
                found = replace(found, sizes=(*found.sizes, Point(op, by, n, seconds)))
                yield found
                if watch.over:
                    return
            if device is not None and (op, "gpu") not in ended:
                times = device.time(op, n, watch)
                for by, seconds in times:
                    found = replace(found, sizes=(*found.sizes, Point(op, by, n, seconds)))
                if not times or max(seconds for _, seconds in times) * growth > LONG_SECONDS:
                    ended.add((op, "gpu"))
                yield found
                if watch.over:
                    return


def _work(op: str, by: str, n: int) -> tuple[Any, ...]:
    """Return a function and what it is called with."""
    if op == "product":
        a, b = drawn(n, n), drawn(n, n)
        if by == "python":
            return _python_product, a.tolist(), b.T.tolist()
        return np.matmul, a, b, np.empty_like(a)
    if op == "map":
        x = drawn(n, n)
        if by == "python":
            return _python_map, x.ravel().tolist()
        return np.multiply, x, x, np.empty_like(x)
    h, w = drawn(STATE), drawn(STATE, STATE)
    if by == "python":
        return _python_chain, h.tolist(), w.T.tolist(), n
    return _numpy_chain, h, w, n


def _python_product(a: list[list[float]], b: list[list[float]]) -> list[list[float]]:
    return [[sum([x * y for x, y in zip(row, col, strict=True)]) for col in b] for row in a]


def _python_map(x: list[float]) -> list[float]:
    return [value * value for value in x]


def _python_chain(h: list[float], w: list[list[float]], n: int) -> list[float]:
    tanh = math.tanh
    for _ in range(n):
        h = [tanh(sum([x * y for x, y in zip(h, col, strict=True)])) for col in w]
    return h


def _numpy_chain(h: Array, w: Array, n: int) -> Array:
    dot, tanh, out = np.dot, np.tanh, np.empty_like(h)
    h = h.copy()
    for _ in range(n):
        dot(h, w, out)
        tanh(out, h)
    return h


def _with_branches(found: Measured, watch: Watch) -> Iterator[Measured]:
    """Measure small volumes of all numbers of branches first, so that no row stays empty."""
    before: dict[tuple[int, str], float] = {}
    volumes = [(items, by) for by, several in ITEMS.items() for items in several]
    for items, by in sorted(volumes):
        for branches in BRANCHES:
            if not watch.room(before.get((branches, by), 0.0) * 10, LONG_IN_PYTHON):
                continue
            x = drawn(items)
            if by == "python":
                seconds = watch.best(
                    _branch_items, x.tolist(), branches, enough=FEW_SECONDS, work=Work.SEQUENTIAL
                )
            else:
                scratch = _scratch(items)
                seconds = watch.best(_branch_all, x, branches, scratch, enough=FEW_SECONDS)
            if seconds is None:
                continue
            before[branches, by] = seconds
            row = Branching(branches, by, items, seconds)
            found = replace(found, branches=(*found.branches, row))
            yield found
            if watch.over:
                return


def _branch_items(items: list[float], branches: int) -> list[float]:
    """Return the items behind their branches: of each branch the side that is taken is computed."""
    done = []
    for x in items:
        x = SLOPE * x
        for _ in range(branches):
            x = SLOPE * x if x < 0.5 else SLOPE * (1 - x)
        done.append(x)
    return done


_Scratch = tuple[Array, Array, Array, NDArray[np.bool_]]


def _scratch(items: int) -> _Scratch:
    y, one, other = (np.empty(items, np.float32) for _ in range(3))
    return y, one, other, np.empty(items, np.bool_)


def _branch_all(x: Array, branches: int, scratch: _Scratch) -> Array:
    """Return the same for all items at once: of each branch both sides are computed."""
    y, one, other, taken = scratch
    np.multiply(x, SLOPE, y)
    for _ in range(branches):
        np.less(y, 0.5, taken)
        np.multiply(y, SLOPE, one)
        np.subtract(1.0, y, other)
        np.multiply(other, SLOPE, y)
        np.copyto(y, one, where=taken)
    return y

"""Shares of wall time by kind of work: one definition for everything that is measured or modelled.

At every instant a run does exactly one kind of work: matrix while a kernel that uses tensor cores
runs (on a CPU: a matrix product), else stream while any other kernel runs, else copy while only a
transfer runs, else sequential while the host works, else idle. So shares add up to the whole.

It is a share of *time*, by kernel: a kernel that uses tensor cores counts whole, also while they
wait for memory inside it. That is neither the share of FLOPs nor the share of cycles in which the
tensor pipe works, which are other numbers and are named so where they are shown.

Source: HTA's breakdown of GPU time (github.com/facebookresearch/HolisticTraceAnalysis), extended by
the kind of kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.apportion import percents, shared
from engine.units import Basis, Unit, Work

if TYPE_CHECKING:
    from engine.trace import Trace


GRAIN = 2**40  # parts are whole multiples of 1 / GRAIN, so that any sum of them is exact


@dataclass(frozen=True)
class Shares:
    """The parts (0 … 1) of wall time that each kind of work took; they add up to 1.

    ``seconds`` is the wall time, ``path`` how it is known, in words for people ("CUDA events",
    "CPU timers by kind of work", "roofline model"). ``low`` and ``high`` bound each part where the
    assumptions of a model leave a range; they do not add up to anything.
    """

    parts: dict[Work, float]
    seconds: float
    basis: Basis
    path: str
    low: dict[Work, float] | None = None
    high: dict[Work, float] | None = None

    def __getitem__(self, work: Work) -> float:
        """Return the part of one kind of work."""
        return self.parts.get(work, 0.0)

    @property
    def percents(self) -> dict[Work, int]:
        """Return whole per cents of every kind of work, which add up to 100."""
        return dict(zip(Work, percents(self[work] for work in Work), strict=True))

    @property
    def folded(self) -> Shares:
        """Return the same with copies and idle time counted as sequential, as the course text does.

        Bounds are left out: those of a sum are not the sum of bounds.
        """
        host = sum(self[work] for work in (Work.SEQUENTIAL, Work.COPY, Work.IDLE))
        kept = {work: self[work] for work in (Work.MATRIX, Work.STREAM, Work.UNCLASSIFIED)}
        return Shares({**kept, Work.SEQUENTIAL: host}, self.seconds, self.basis, self.path)


def parts_of(seconds: Mapping[Work, float]) -> dict[Work, float]:
    """Return times as parts of their sum, which add up to exactly 1 in any order.

    Raises
    ------
    ValueError
        When they do not sum to more than 0.
    """
    grains = shared((seconds.get(work, 0.0) for work in Work), GRAIN)
    return {work: count / GRAIN for work, count in zip(Work, grains, strict=True)}


# ---- of a run ------------------------------------------------------------------------------------

MOST_ADDED = 0.05  # of a run's time may be what timing and keeping it adds; more is said
CPU_PATH = "CPU timers by kind of work"
EVENTS_PATH = "CUDA events"


def shares_of(trace: Trace) -> Shares:
    """Return the shares of a run by kind of work, from the times of its operations.

    Matrix are the products of several rows; stream everything else that moves numbers; sequential
    is what is left of the wall time: Python, control flow, views, and the recorder itself. The unit
    of a product on a CPU is that of ``engine.ops``. On a device the times of the operations are
    measured and their unit is inferred from what was sent off.
    """
    on_cpu = trace.facts.backend == "NumPy"
    return shares_by(
        spent_by(trace),
        trace.seconds,
        basis=Basis.MEASURED if on_cpu else Basis.INFERRED,
        path=CPU_PATH if on_cpu else EVENTS_PATH,
    )


def shares_by(
    spent: Mapping[Unit, float],
    wall: float,
    *,
    basis: Basis = Basis.MEASURED,
    path: str = CPU_PATH,
) -> Shares:
    """Return the shares of a wall time of which matrix and stream work are known; the rest is host.

    Times that add up to more than the wall time, as by two clocks, are parts of their sum; where
    no time passed at all everything is sequential.
    """
    matrix, stream = (max(spent.get(unit, 0.0), 0.0) for unit in (Unit.MATRIX, Unit.STREAM))
    whole = max(wall, matrix + stream)
    rest = whole - matrix - stream if whole > 0 else 1.0
    parts = {Work.MATRIX: matrix, Work.STREAM: stream, Work.SEQUENTIAL: rest}
    return Shares(parts_of(parts), whole, basis, path)


def spent_by(trace: Trace) -> dict[Unit, float]:
    """Return the seconds of a run's operations by unit; a view moves nothing and is sequential."""
    spent = dict.fromkeys(Unit, 0.0)
    for step in trace.steps:
        unit = step.timing.unit if step.cost.bytes else Unit.SEQUENTIAL
        spent[unit] += step.timing.seconds
    return spent

"""Shares of wall time by kind of work: one definition for everything that is measured or modelled.

At every instant a run does exactly one kind of work: matrix while a kernel that uses tensor cores
runs (on a CPU: a matrix product), else stream while any other kernel runs, else copy while only a
transfer runs, else sequential while the host works, else idle. So shares add up to the whole.

Source: HTA's breakdown of GPU time (github.com/facebookresearch/HolisticTraceAnalysis), extended by
the kind of kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.trace import Basis


class Work(StrEnum):
    """What a moment of wall time is counted as, in the order in which one hides another."""

    MATRIX = "matrix"
    STREAM = "stream"
    UNCLASSIFIED = "unclassified"  # a kernel whose kind is in doubt
    COPY = "copy"
    SEQUENTIAL = "sequential"  # host work
    IDLE = "idle"


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
    def folded(self) -> Shares:
        """Return the same with copies and idle time counted as sequential, as the course text does.

        Bounds are left out: those of a sum are not the sum of bounds.
        """
        host = sum(self[work] for work in (Work.SEQUENTIAL, Work.COPY, Work.IDLE))
        kept = {work: self[work] for work in (Work.MATRIX, Work.STREAM, Work.UNCLASSIFIED)}
        return Shares({**kept, Work.SEQUENTIAL: host}, self.seconds, self.basis, self.path)

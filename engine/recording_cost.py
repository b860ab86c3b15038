"""What recording every step adds to a run, beside one that computes the same and keeps it."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from time import perf_counter, thread_time
from typing import Any

import numpy as np

from engine.models import Model, record
from engine.ops import Array, Ops
from engine.tape import State, Tape, Tensor
from engine.trace import Stage, Step

# Recording is done by the thread that runs, whatever the others do meanwhile. Windows counts a
# thread's time in steps of 15 ms, longer than a run.
clock: Callable[[], float] = perf_counter if sys.platform == "win32" else thread_time


class Bare(Tape):
    """Runs the same operations and keeps their values, without times, names and records."""

    _depth = 0

    def __init__(self, ops: Ops, parameters: Mapping[str, Array]) -> None:
        super().__init__(ops, parameters)
        self._kept: list[Any] = []

    def __call__(
        self, op: str, *operands: Tensor, name: str, axes: tuple[str, ...], equation: str,
        **options: Any,
    ) -> Tensor:  # fmt: skip
        """Run one primitive of ``OPS``."""
        value = getattr(self.ops, op)(*[operand.value for operand in operands], **options)
        self._kept.append(value)
        if self._depth:  # the first round says what the others are
            return self._record(op, operands, value, 0.0, name, axes, equation, options)
        return Tensor(name, value)

    def recur(
        self, over: Sequence[int], state: State, given: Sequence[Tensor], *,
        stage: Callable[[int], Stage], body: Callable[[int, State], State],
    ) -> dict[str, list[Tensor]]:  # fmt: skip
        """Run the same operations for one index after another."""
        self._depth += 1
        try:
            states = super().recur(over, state, given, stage=stage, body=body)
            self._kept += self._records  # the values of all rounds lie there
            return states
        finally:
            self._depth -= 1
            self._records.clear()

    def steps(self) -> Sequence[Step]:
        """Return what there is of steps, and forget all values."""
        self._kept = []
        return super().steps()

    def _repeat(
        self, first: list[Any], columns: Mapping[str, Iterable[Any]]
    ) -> tuple[Any, list[tuple[Any, ...]]]:
        deque(zip(*self._calls(first, columns), strict=False), maxlen=0)
        return 0.0, []


def overhead(model: Model, ids: Array, times: int = 9) -> float:
    """Return what recording adds to the time of a model's run, as a part of it: 0.03 is 3 %.

    Parameters
    ----------
    model
        Any.
    ids
        Words, shape (token,) or (batch, token).
    times
        Pairs, as ``added`` takes them.
    """
    ids = np.array(ids, np.int64)
    hidden = ids.shape[-1] - 1
    return added(lambda tape: record(tape, model, ids, hidden=hidden), model.parameters, times)


def added(
    compute: Callable[[Tape], object], parameters: Mapping[str, Array], times: int = 9
) -> float:
    """Return what recording adds to the time of what is computed on a tape, as a part of it.

    A run with all records and times is paired with one that computes and keeps the same values and
    nothing else; it is the median of the pairs' ratios of time, less 1. Where the noise of the
    clock is larger, it can be below 0.
    """
    makers: tuple[tuple[type[Tape], Ops], ...] = ((Tape, Ops()), (Bare, Ops()))

    def seconds(maker: type[Tape], ops: Ops) -> float:
        tape = maker(ops, parameters)
        start = clock()
        compute(tape)
        seconds = clock() - start
        tape.steps()  # forgets the records, or they would keep the arrays from being used again
        return seconds

    ratios = []
    for turn in range(times + 1):
        order = makers if turn % 2 else makers[::-1]  # by turns, so that neither is always second
        took = {maker: seconds(maker, ops) for maker, ops in order}
        if turn and took[Bare] > 0:  # the first touches memory
            ratios.append(took[Tape] / took[Bare])
    return median(ratios) - 1.0 if ratios else 0.0

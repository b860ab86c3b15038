"""Counters: the numbers of a whole run, and how each is the sum of its parts.

A counter is named "count:side:what", what being one of ``WHATS``, "count:tokens" (T) or
"count:roles" (what the heads look at). Nothing is added up but steps and parameters of a trace.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.trace import Pair, Stage, Step, Trace, Unit

WHATS = ("depth", "flops", "seconds", "parameters", "memory")
TOKENS, ROLES = "count:tokens", "count:roles"
_NAME = re.compile(rf"count:(chain|grid):({'|'.join(WHATS)})|{TOKENS}|{ROLES}")


def is_counter(name: str) -> bool:
    """Return whether a name is that of a counter."""
    return _NAME.fullmatch(name) is not None


def role_of(trace: Trace, block: int, head: int) -> tuple[str, float]:
    """Return what a head of a grid looks at, and its score; why it has no role, and 0."""
    roles = trace.facts.roles
    if roles:
        return roles[block][head]
    return ("untrained" if "embed.positions" in trace else "unplaced"), 0.0


# ---- by stage, by kind --------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """Stages that do the same one after another, with the steps of each that are added up."""

    stages: tuple[Stage, ...]
    steps: tuple[tuple[Step, ...], ...]  # of each stage

    @property
    def every_step(self) -> tuple[Step, ...]:
        """Return the steps of all stages."""
        return tuple(step for steps in self.steps for step in steps)


def by_stage(trace: Trace, steps: Iterable[Step]) -> tuple[Part, ...]:
    """Return steps of a run by stage, in order; neighbours that do the same are one part."""
    of_stage: dict[str, list[Step]] = {}
    for step in steps:
        of_stage.setdefault(step.stage, []).append(step)
    found = [
        (stage, tuple(of_stage[stage.name])) for stage in trace.stages if stage.name in of_stage
    ]

    def alike(entry: tuple[Stage, tuple[Step, ...]]) -> object:
        stage, steps = entry
        return _stem(stage.name), tuple((step.op, step.cost.flops) for step in steps)

    parts = []
    for _, same in groupby(found, alike):
        stages, columns = zip(*same, strict=True)
        parts.append(Part(stages, columns))
    return tuple(parts)


def counted(trace: Trace) -> tuple[Step, ...]:
    """Return the steps of the longest chain that count 1, as many as the run is deep."""
    from engine.trace import DEPTHLESS

    return tuple(step for step in trace.longest if step.op not in DEPTHLESS)


def working(trace: Trace) -> tuple[Step, ...]:
    """Return the steps that compute or move numbers: all but inputs and views."""
    from engine.ops import OPS

    return tuple(step for step in trace.steps if OPS[step.op].moves)


def by_kind(steps: Iterable[Step]) -> dict[tuple[Unit, str], tuple[Step, ...]]:
    """Return steps by unit and name of their operation."""
    from engine.ops import OPS

    kinds: dict[tuple[Unit, str], tuple[Step, ...]] = {}
    for step in steps:
        kind = (step.timing.unit, OPS[step.op].label)
        kinds[kind] = (*kinds.get(kind, ()), step)
    return kinds


def _stem(name: str) -> str:
    """Return a name without its last number: "read.3" and "read.4" have one stem."""
    return re.sub(r"\.\d+$", "", name)


# ---- depth against the tokens -------------------------------------------------------------------


def depth_line(pair: Pair, side: str) -> tuple[int, int] | None:
    """Return (slope, constant) of a side's depth in the number of words; None if it is no line.

    Read off the depths that were found from the graph at several lengths.
    """
    column = 1 if side == "chain" else 2
    points = [(row[0], row[column]) for row in pair.depth_of_tokens if row[0] > 1]
    if len(points) < 2:
        return None
    (t0, d0), (t1, d1) = points[0], points[-1]
    slope = (d1 - d0) // (t1 - t0)
    constant = d0 - slope * t0
    return (slope, constant) if all(d == slope * t + constant for t, d in points) else None


def crossing(pair: Pair) -> int | None:
    """Return from how many tokens on the grid has the shorter chain; None if it never has."""
    chain, grid = depth_line(pair, "chain"), depth_line(pair, "grid")
    if chain is None or grid is None or chain[0] <= grid[0]:
        return None
    return max((grid[1] - chain[1]) // (chain[0] - grid[0]) + 1, 1)


def growth_markup(line: tuple[int, int], otherwise: str) -> str:
    """Return a line of depths in the mark-up of equations, "3 T + 11"; flat ones otherwise."""
    slope, constant = line
    if slope == 0:
        return otherwise
    times = "T" if slope == 1 else f"{slope}\u2009T"
    return f"{times} {'+' if constant > 0 else '−'} {abs(constant)}" if constant else times


# ---- parameters ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Owner:
    """Parts of a model that have tensors of the same names and shapes, such as two blocks.

    ``names`` is what the tensors' names begin with; ``tensors`` are those of each, by the rest.
    """

    names: tuple[str, ...]
    tensors: tuple[tuple[str, tuple[int, ...]], ...]  # (rest of the name, shape)

    @property
    def size(self) -> int:
        """Return how many parameters one of them has."""
        return sum(math.prod(shape) for _, shape in self.tensors)


def owners(trace: Trace) -> tuple[Owner, ...]:
    """Return the parameters of a run's model by the part that they belong to, in order."""
    found: dict[str, list[tuple[str, tuple[int, ...]]]] = {}
    for name, array in trace.parameters.items():
        owner = re.match(r"(?:\w+\.)?(?:blocks|rnn)\.(?:\d+|back)\b|\w+", name)
        assert owner is not None
        found.setdefault(owner[0], []).append((name[owner.end() + 1 :], array.shape))
    alike = groupby(found, lambda owner: (_stem(owner), tuple(found[owner])))
    return tuple(Owner(tuple(names), tensors) for (_, tensors), names in alike)


def readers(trace: Trace, parameter: str) -> tuple[Step, ...]:
    """Return the steps that read a parameter, the first of each kind of operation."""
    first: dict[str, Step] = {}
    for step in trace.steps:
        if parameter in step.reads:
            first.setdefault(step.op, step)
    return tuple(first.values())


# ---- memory -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kept:
    """Values of one size that wait for a later tick: where they are made and where read last."""

    steps: tuple[Step, ...]
    made: tuple[Stage, ...]  # the stage of each
    read: tuple[Stage, ...]

    @property
    def numbers(self) -> int:
        """Return how many numbers that is, of all values together."""
        return sum(step.value.size for step in self.steps)


def _lives(trace: Trace) -> dict[str, str]:
    """Return for each step that is read at a later tick the stage that reads it last."""
    ticks, last = trace.ticks, dict[str, str]()
    for step in trace.steps:
        for name in step.reads:
            if name in trace and ticks[trace.step(name).stage] < ticks[step.stage]:
                if name not in last or ticks[last[name]] < ticks[step.stage]:
                    last[name] = step.stage
    return last


def kept(trace: Trace) -> tuple[Kept, ...]:
    """Return what a run has to keep from one tick to a later one; values in a row are one entry."""
    last = _lives(trace)
    stages = {stage.name: stage for stage in trace.stages}
    waiting = [step for step in trace.steps if step.name in last and step.value.ndim]
    waiting.sort(key=lambda step: trace.ticks[step.stage])
    families: dict[object, list[Step]] = {}
    for step in waiting:
        reader = last[step.name]
        # A state that the next read needs and one that all is read from wait for another reason.
        key = (_stem(step.name), step.value.shape, _stem(reader))
        families.setdefault(key, []).append(step)
    return tuple(
        Kept(
            tuple(steps),
            tuple(stages[step.stage] for step in steps),
            tuple(stages[last[step.name]] for step in steps),
        )
        for steps in families.values()
    )


def most_kept(trace: Trace) -> tuple[int, int]:
    """Return how many numbers wait at once at the most, and behind which tick first."""
    last, ticks = _lives(trace), trace.ticks
    change = [0] * (trace.last_tick + 1)
    for name, reader in last.items():
        step = trace.step(name)
        change[ticks[step.stage]] += step.value.size
        change[ticks[reader]] -= step.value.size
    waits, numbers = [], 0
    for by in change:
        numbers += by
        waits.append(numbers)
    most = max(waits)
    return most, waits.index(most)

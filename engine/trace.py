"""What one run of a model computed: its steps in order, with their tensors, reads, costs and times.

A run is grouped twice. A *stage* is what the animation lights at one tick; its tick is the longest
path over stages. *Depth* is the longest chain of primitive operations. Both are computed here from
``reads`` and are never authored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Views, transposes and concatenation move or rename numbers; they compute none (depth 0).
DEPTHLESS = frozenset({"input", "view", "split_heads", "merge_heads", "concat", "stack"})


class Unit(StrEnum):
    """The kind of hardware that does an operation."""

    SEQUENTIAL = "sequential"
    STREAM = "stream"
    MATRIX = "matrix"


class Basis(StrEnum):
    """How a number is known."""

    MEASURED = "measured"
    INFERRED = "inferred"
    MODELLED = "modelled"


@dataclass(frozen=True)
class Cost:
    """What an operation has to do: floating-point operations, and bytes read and written once."""

    flops: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class Timing:
    """How long an operation took, on which unit, and how that is known."""

    seconds: float
    unit: Unit
    basis: Basis = Basis.MEASURED


@dataclass(frozen=True, eq=False)
class Step:
    """One primitive operation of a run.

    ``value`` lies on the host and cannot be written. ``reads`` names the steps and parameters that
    the operation needs, in the order of its operands. Two steps are equal when everything but the
    timing is.
    """

    name: str
    op: str
    stage: str
    value: NDArray[Any]
    axes: tuple[str, ...]
    equation: str
    reads: tuple[str, ...]
    cost: Cost
    timing: Timing

    def __eq__(self, other: object) -> bool:
        """Return whether both steps computed the same thing, whatever the time it took."""
        if not isinstance(other, Step):
            return NotImplemented
        mine = (self.name, self.op, self.stage, self.axes, self.equation, self.reads, self.cost)
        theirs = (
            other.name, other.op, other.stage, other.axes, other.equation, other.reads, other.cost,
        )  # fmt: skip
        return mine == theirs and np.array_equal(self.value, other.value, equal_nan=True)


@dataclass(frozen=True)
class Stage:
    """Steps that one tick lights together.

    ``title`` is for people ("Read “that”"); ``equation`` says the stage's work in one line, in the
    mark-up of ``widgets.equation``.
    """

    name: str
    title: str
    equation: str


@dataclass(frozen=True)
class Facts:
    """What has to be said beside a run so that it can be compared fairly."""

    model: str  # id, "rnn"
    title: str  # "RNN with attention, 16 numbers"
    kind: str  # "chain" | "grid"
    cell: str = ""  # "elman" | "gru" | "lstm", "" for a grid
    attention: bool = False  # attention over the states of a chain
    heads: int = 0
    layers: int = 1
    width: int = 0  # numbers in a state (chain) or a residual row (grid)
    sees: str = ""  # "the whole sentence, left to right"
    parameters: int = 0
    memory: str = ""  # "16 numbers", "5 × 40 numbers"
    trained_length: int = 0  # longest sentence in training; 0 when not trained
    roles: tuple[tuple[tuple[str, float], ...], ...] = ()  # [layer][head] -> (role, score)
    backend: str = "NumPy"
    device: str = "this CPU"
    precision: str = "float32"
    threads: int = 1
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trace:
    """The immutable record of one run of a model over one sentence.

    ``tokens`` holds the words as the model read them; ``hidden`` is the index of the hidden word.
    ``parameters`` are the weights by name, ``vocabulary`` the words of the answer, ``seconds`` the
    wall time of the run.
    """

    facts: Facts
    tokens: tuple[str, ...]
    hidden: int
    vocabulary: tuple[str, ...]
    stages: tuple[Stage, ...]
    steps: tuple[Step, ...]
    parameters: Mapping[str, NDArray[Any]] = field(repr=False, compare=False)
    seconds: float = field(default=0.0, compare=False)

    @cached_property
    def _by_name(self) -> dict[str, Step]:
        return {step.name: step for step in self.steps}

    def __contains__(self, name: str) -> bool:
        """Return whether a step of this name was run."""
        return name in self._by_name

    def step(self, name: str) -> Step:
        """Return the step of this name.

        Raises
        ------
        KeyError
            When no step has the name.
        """
        return self._by_name[name]

    def value(self, name: str) -> NDArray[Any]:
        """Return the value of a step, or else of a parameter, of this name."""
        found = self._by_name.get(name)
        return found.value if found is not None else self.parameters[name]

    @cached_property
    def ticks(self) -> dict[str, int]:
        """Return the tick of each stage: its longest path over stages from the input."""
        ticks: dict[str, int] = {}
        stage_of = {step.name: step.stage for step in self.steps}
        for step in self.steps:
            before = [
                ticks[stage_of[name]] + 1
                for name in step.reads
                if name in stage_of and stage_of[name] != step.stage
            ]
            ticks[step.stage] = max([ticks.get(step.stage, 0), *before])
        return ticks

    @cached_property
    def stage_at(self) -> dict[int, Stage]:
        """Return the stage that each tick lights (the longest path makes it one a tick)."""
        return {self.ticks[stage.name]: stage for stage in self.stages}

    @cached_property
    def last_tick(self) -> int:
        """Return the tick at which the answer is known."""
        return max(self.ticks.values())

    @cached_property
    def depths(self) -> dict[str, int]:
        """Return for each step the longest chain of primitive operations that ends in it."""
        depths: dict[str, int] = {}
        for step in self.steps:
            before = max((depths[name] for name in step.reads if name in depths), default=0)
            depths[step.name] = before + (step.op not in DEPTHLESS)
        return depths

    @cached_property
    def depth(self) -> int:
        """Return the longest chain of primitive operations from input to answer."""
        return max(self.depths.values())

    @cached_property
    def flops(self) -> int:
        """Return the floating-point operations of the whole run."""
        return sum(step.cost.flops for step in self.steps)

    def steps_of(self, stage: str) -> tuple[Step, ...]:
        """Return the steps of one stage, in order."""
        return tuple(step for step in self.steps if step.stage == stage)

    def answer(self, count: int) -> tuple[tuple[str, float], ...]:
        """Return the ``count`` likeliest words with their probabilities, the likeliest first."""
        probabilities = self.value("answer.probabilities")
        best = np.argsort(-probabilities, kind="stable")[:count]
        return tuple((self.vocabulary[i], float(probabilities[i])) for i in best)


@dataclass(frozen=True, eq=False)
class Pair:
    """A chain and a grid that read the same sentence under one clock.

    Pairs are compared by identity, so that pictures of one can be remembered. An element of either
    is named ``side:step[i,j]``, for instance ``grid:blocks.0.attn.pattern[1,4,2]``.
    """

    chain: Trace
    grid: Trace
    typed: tuple[str, ...]  # the words as typed, "___" not put in; same length as tokens
    unknown: tuple[bool, ...]  # words outside the vocabulary
    depth_of_tokens: tuple[tuple[int, int, int], ...] = ()  # (T, depth of chain, depth of grid)

    @property
    def tokens(self) -> tuple[str, ...]:
        """Return the words that both sides read."""
        return self.chain.tokens

    @property
    def last_tick(self) -> int:
        """Return the slower side's last tick."""
        return max(self.chain.last_tick, self.grid.last_tick)

    def side(self, side: str) -> Trace:
        """Return the trace of "chain" or "grid"."""
        return {"chain": self.chain, "grid": self.grid}[side]

    def find(self, name: str) -> tuple[Trace, Step, tuple[int, ...]] | None:
        """Return the trace, step and index that an element's name points at, or None."""
        side, _, rest = name.partition(":")
        step_name, _, index = rest.partition("[")
        if side not in ("chain", "grid") or step_name not in self.side(side):
            return None
        trace = self.side(side)
        try:
            where = tuple(int(i) for i in index.rstrip("]").split(",")) if index else ()
        except ValueError:
            return None
        step = trace.step(step_name)
        fits = len(where) <= step.value.ndim and all(
            0 <= i < n for i, n in zip(where, step.value.shape, strict=False)
        )
        return (trace, step, where) if fits else None

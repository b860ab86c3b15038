"""A small workload that really runs on this machine, again and again, each operation timed.

Its weights are drawn at random: how long a product takes does not depend on what it multiplies.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import Any

import numpy as np

from engine import grid
from engine.models import Config, Model, initialise, run
from engine.ops import OPS, Ops
from engine.shares import Shares, shares_by
from engine.tape import Tape, Watch
from engine.tile import SIDE, Tile, multiply
from engine.trace import Step, Unit
from engine.words import ROWS
from engine.workload import Mode, Size, Workload, operations

LIVE = Workload("block-192", Mode.INFERENCE, 4, 64, "float32", "cupy-eager")
MOST_FLOPS = 3_000_000_000  # of a run here: a second of one slow core
MOST_PARAMETERS = 20_000_000  # 80 MB
MOST_NUMBERS = 20_000_000  # that its steps hold, 80 MB
FLOPS_A_SECOND = 10e9  # of a slow core, to say how long a larger one would take
WORDS = 64  # of a block that has no vocabulary


def too_large(workload: Workload) -> float | None:
    """Return about how many seconds a run here would take where it is too large, else None.

    Only the forward pass of a Transformer over a prompt runs here; of others it returns infinity.
    """
    size = workload.size
    if size.chain or workload.mode != Mode.INFERENCE:
        return float("inf")
    flops = sum(op.cost.flops for op in operations(workload))
    rows, T = workload.rows, workload.new_tokens
    scores = workload.batch * size.heads * T * T
    numbers = size.blocks * (3 * scores + rows * (17 * size.width + 3 * size.mlp))
    small = size.parameters <= MOST_PARAMETERS and numbers <= MOST_NUMBERS
    return None if small and flops <= MOST_FLOPS else flops / FLOPS_A_SECOND


def same(workload: Workload) -> bool:
    """Return whether ``Live`` runs this very workload: on a CPU products are float32."""
    return workload.precision == "float32" and too_large(workload) is None


@dataclass(frozen=True, eq=False)
class Measured:
    """One run: its steps with their times, and its wall time in seconds."""

    steps: tuple[Step, ...]
    seconds: float

    @cached_property
    def shares(self) -> Shares:
        """Return the shares of wall time by kind of work.

        What is no operation is Python between them: sequential.
        """
        spent = dict.fromkeys(Unit, 0.0)
        for step in self.steps:
            spent[step.timing.unit if step.cost.bytes else Unit.SEQUENTIAL] += step.timing.seconds
        return shares_by(spent, self.seconds)

    @property
    def worked(self) -> tuple[Step, ...]:
        """Return the steps that move numbers or decide: not views, and not what was given."""
        return tuple(step for step in self.steps if OPS[step.op].moves)


class Live:
    """A workload laid out to be run on this machine; ``run`` runs it once.

    Raises
    ------
    ValueError
        If it is too large, see ``too_large``.
    """

    def __init__(self, workload: Workload, seed: int = 0) -> None:
        if too_large(workload) is not None:
            raise ValueError(f"{workload.size.title} is too large to run here.")
        self.workload, size = workload, workload.size
        self._config = config_of(size)
        rng = np.random.default_rng(seed)
        parameters = initialise(self._config, rng)
        words = tuple(map(str, range(self._config.words)))
        self._model = Model(size.id, self._config, parameters, words)
        self._ids = rng.integers(0, self._config.words, (workload.batch, workload.tokens))
        shape = (workload.batch, workload.tokens, size.width)
        self._x = rng.normal(size=shape).astype(np.float32)
        self._ops = Ops()

    def run(self, watch: Watch | None = None) -> Measured:
        """Return one run, measured; ``watch`` is told what was done, as by ``Tape``."""
        if self.workload.size.whole:
            hidden = self.workload.tokens - 1
            trace = run(self._model, self._ids, hidden=hidden, ops=self._ops, watch=watch)
            return Measured(tuple(trace.steps), trace.seconds)
        tape = Tape(self._ops, self._model.parameters, watch)
        x = tape.input(self._x, name="x", axes=ROWS, equation="x")
        mask = grid.closed(tape, "mask", self.workload.tokens, self.workload.tokens, causal=True,
                           dtype=self._x.dtype)  # fmt: skip
        start = perf_counter()
        for b in range(self._config.layers):
            x = grid.block(tape, x, self._config, b=f"blocks.{b}", mask=mask)
        seconds = perf_counter() - start
        return Measured(tuple(tape.steps()), seconds)

    def tile(self, measured: Measured) -> Tile:
        """Return the first tile of the first product of a run: rows of n times W_q."""
        rows: Any = next(step.value for step in measured.steps if step.name == "blocks.0.norm1")
        a = rows.reshape(-1, rows.shape[-1])[:SIDE, :SIDE]
        b = self._model.parameters["blocks.0.attn.W_q"][: a.shape[1], :SIDE]
        return multiply(a, b, f"{self.workload.size.title}: n W_q, the first {SIDE} × {SIDE}")


def config_of(size: Size) -> Config:
    """Return the configuration of a Transformer of this size."""
    return Config(
        kind="grid", words=size.vocabulary or WORDS, embedding=size.width, width=size.width,
        layers=size.blocks, heads=size.heads, mlp=size.mlp, positions="sinusoidal", causal=True,
    )  # fmt: skip

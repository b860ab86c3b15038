"""A small workload that really runs on this machine, again and again, each operation timed.

It runs on the GPU where one computes, by the best clock there (``engine.timing``), and else on the
CPU. Its weights are drawn at random: how long a product takes does not depend on what it
multiplies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from engine import grid
from engine.device import HOST, Device, on_device
from engine.gpu import ops_for
from engine.models import Config, Model, initialise, run
from engine.operations import operations
from engine.ops import OPS, Ops
from engine.precision import DEFAULT
from engine.recording_cost import added, overhead
from engine.shares import Shares, shares_by
from engine.tape import Tape, Watch
from engine.tile import SIDE, Tile, multiply
from engine.timing import Cupti, PipeActive, on_card
from engine.trace import Step, Unit
from engine.words import ROWS
from engine.workload import Mode, Size, Workload

if TYPE_CHECKING:
    from engine.gpu import CupyOps

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


def same(workload: Workload, precisions: tuple[str, ...] = (DEFAULT,)) -> bool:
    """Return whether ``Live`` runs this very workload where there are these precisions."""
    return workload.precision in precisions and too_large(workload) is None


class Meter:
    """Where runs happen and what measures them: a GPU with its clocks, or this CPU.

    There is to be one of these in a process (see ``engine.timing.Cupti``). ``pipe_reason`` says in
    one sentence why the card's counters tell nothing of its tensor pipe; "" when they do, and where
    there is no card.
    """

    def __init__(self, device: Device = HOST) -> None:
        self.device = device
        self._cupti = on_device(Cupti, device) if device.gpu else None
        self._pipe = PipeActive() if device.gpu else None

    @property
    def name(self) -> str:
        """Return the name of the GPU, "" of a CPU."""
        return self.device.name if self.device.gpu else ""

    @property
    def precisions(self) -> tuple[str, ...]:
        """Return in which formats products are computed there, as ``Workload.precision`` has them.

        A CPU computes half precision in float32 and rounds it, which is no measurement of it.
        """
        if not self.device.gpu:
            return (DEFAULT,)
        return tuple(name.lower() for name in self.device.precisions)

    @property
    def pipe_reason(self) -> str:
        """Return why there is no line "pipe active"."""
        return "" if self._pipe is None else self._pipe.reason

    def pipe_active(self) -> float | None:
        """Return how much (0 … 1) the card's tensor pipe worked since it was asked last."""
        return None if self._pipe is None else self._pipe.sample()

    def ops(self, precision: str) -> Ops:
        """Return the primitives in a precision of ``precisions``."""
        return ops_for(
            self.device, next(p for p in self.device.precisions if p.lower() == precision)
        )

    def run(self, live: Live, watch: Watch | None = None) -> Measured:
        """Return one run, measured by the best clock there is.

        Raises
        ------
        engine.device.Lost
            When the GPU failed in the middle of it.
        """
        if not self.device.gpu:
            return live.run(watch)
        return on_device(self._run, live, watch)

    def _run(self, live: Live, watch: Watch | None) -> Measured:
        ops = self.ops(live.workload.precision)
        found, shares = on_card(
            lambda there: live.run(watch, there), cast("CupyOps", ops), self._cupti
        )
        return replace(found, clocked=shares)


@dataclass(frozen=True, eq=False)
class Measured:
    """One run: its steps with their times, and its wall time in seconds.

    ``clocked`` are its shares where another clock than the operations' own knows them.
    """

    steps: tuple[Step, ...]
    seconds: float
    clocked: Shares | None = None

    @cached_property
    def shares(self) -> Shares:
        """Return the shares of wall time by kind of work.

        What is no operation is Python between them: sequential.
        """
        if self.clocked is not None:
            return self.clocked
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
        for value in parameters.values():
            value.setflags(write=False)  # so that a device may keep them
        words = tuple(map(str, range(self._config.words)))
        self._model = Model(size.id, self._config, parameters, words)
        self._ids = rng.integers(0, self._config.words, (workload.batch, workload.tokens))
        shape = (workload.batch, workload.tokens, size.width)
        self._x = rng.normal(size=shape).astype(np.float32)
        self._ops = Ops()

    def run(self, watch: Watch | None = None, ops: Ops | None = None) -> Measured:
        """Return one run, by default on the CPU's primitives; ``watch`` is told what was done.

        Raises
        ------
        engine.device.Lost
            When the device failed in the middle of it.
        """
        ops = ops or self._ops
        if self.workload.size.whole:
            hidden = self.workload.tokens - 1
            trace = run(self._model, self._ids, hidden=hidden, ops=ops, watch=watch)
            return Measured(tuple(trace.steps), trace.seconds)
        tape = Tape(ops, self._model.parameters, watch)
        try:
            return self._block(tape, ops)
        except Exception as error:
            raise ops.failed(error, tape.behind) from error

    def recording(self, times: int = 9) -> float:
        """Return what recording adds to a run on the CPU, as a part of it; measured in pairs."""
        if self.workload.size.whole:
            return overhead(self._model, self._ids, times)
        return added(lambda tape: self._blocks(tape)(), self._model.parameters, times)

    def _block(self, tape: Tape, ops: Ops) -> Measured:
        blocks = self._blocks(tape)
        start = perf_counter()
        blocks()
        ops.wait()
        seconds = perf_counter() - start
        return Measured(tuple(tape.steps()), seconds)

    def _blocks(self, tape: Tape) -> Callable[[], None]:
        """Return what runs the blocks on what is put in here."""
        x = tape.input(self._x, name="x", axes=ROWS, equation="x")
        mask = grid.closed(tape, "mask", self.workload.tokens, self.workload.tokens, causal=True,
                           dtype=self._x.dtype)  # fmt: skip

        def run() -> None:
            y = x
            for b in range(self._config.layers):
                y = grid.block(tape, y, self._config, b=f"blocks.{b}", mask=mask)

        return run

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

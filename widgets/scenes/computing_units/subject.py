"""What the chapter "3 Computing in AI" draws: one workload, its operations on a clock, its shares.

Everything here is a number that the engine counted, modelled or measured, with what it is the
number of. The scene adds none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from engine.claims import Cause
from engine.recorder import Trained
from engine.shares import Shares
from engine.tile import Tile
from engine.trace import Basis
from engine.units import Work

LANES = (Work.SEQUENTIAL, Work.STREAM, Work.MATRIX)
MODES = ("training", "inference", "decode")
FACTORS = (1, 2, 4, 8, 16, 32, 64)
PANELS = ("faster", "tile")


class Elsewhere(NamedTuple):
    """How long an operation would take in another precision, and which lane it would be in."""

    precision: str
    seconds: float
    work: Work


@dataclass(frozen=True, slots=True)
class Span:
    """An operation on the clock of its stretch; its label may have symbols, as in an equation.

    ``start`` and ``seconds`` say when it works; ``launch`` when the host sent it off, on a clock of
    the host that begins with the first launch of the stretch: start and seconds, None where no one
    launches. ``low`` and ``high`` bound the time where a model leaves a range.
    """

    name: str
    label: str
    work: Work
    start: float
    seconds: float
    equation: str = ""
    shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()  # letter and shape of each operand
    flops: int = 0
    bytes: int = 0
    kernels: int = 1
    launch: tuple[float, float] | None = None
    low: float | None = None
    high: float | None = None
    elsewhere: tuple[Elsewhere, ...] = ()
    why: str = ""  # it is in this lane, in one sentence

    @property
    def lane(self) -> Work:
        """Return the lane: transfers are the host's, as the course text counts them."""
        return Work.SEQUENTIAL if self.work in (Work.COPY, Work.IDLE) else self.work

    @property
    def end(self) -> float:
        """Return when it is done."""
        return self.start + self.seconds


@dataclass(frozen=True, slots=True)
class Stretch:
    """Operations that the device does one after another, drawn on one axis of time.

    ``ahead`` is how long before the device begins the host began to launch them.
    """

    group: str  # forward, answer, backward, update
    spans: tuple[Span, ...]
    block: int = -1  # from 0; -1: none
    ahead: float = 0.0

    @property
    def seconds(self) -> float:
        """Return how long the device takes, its gaps included."""
        return max((span.end for span in self.spans), default=0.0)


@dataclass(frozen=True)
class Run:
    """The operations of one step as the lanes show them: what the host does before and after.

    Of the blocks, which are alike, one is shown; ``blocks`` says how many there are. ``where`` is
    the part that it is modelled for, or what it was measured on; ``on_cpu`` tells that this is a
    CPU, which does the work of all lanes itself.
    """

    basis: Basis
    where: str
    workload: str  # in words
    before: tuple[Span, ...]
    stretches: tuple[Stretch, ...]
    after: tuple[Span, ...]
    blocks: int = 1
    on_cpu: bool = False

    @property
    def runs_on(self) -> str:
        """Return the key of where a lane's work runs, before its unit: "runs", or "would"."""
        return "runs" if self.basis is Basis.MEASURED else "would"

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """Return the operations in the order of their ticks: that of tick n is ``spans[n - 1]``."""
        return (*self.before, *(s for part in self.stretches for s in part.spans), *self.after)

    @property
    def last_tick(self) -> int:
        """Return the tick at which everything is done."""
        return len(self.spans)

    def stretch_at(self, tick: int) -> int:
        """Return which stretch is on the stage at a tick."""
        end = len(self.before)
        for i, part in enumerate(self.stretches):
            end += len(part.spans)
            if tick <= end:
                return i
        return max(len(self.stretches) - 1, 0)

    def groups(self) -> Iterator[tuple[str, int, int, int]]:
        """Yield caption, block, and first and last tick of each part of the scrubber.

        What the host does first and the embedding are one part, what it does at the end belongs to
        the last one.
        """
        parts: list[tuple[str, int, int]] = []
        begun = len(self.before)
        for part in self.stretches:
            if part.group == "embed":
                begun += len(part.spans)
                continue
            if begun:
                parts.append(("host", -1, begun))
                begun = 0
            parts.append((part.group, part.block, len(part.spans)))
        if begun:
            parts.append(("host", -1, begun))
        if self.after:
            caption, block, count = parts.pop() if parts else ("host", -1, 0)
            parts.append((caption, block, count + len(self.after)))
        tick = 0
        for caption, block, count in parts:
            yield caption, block, tick + 1 if tick else 0, tick + count
            tick += count


class Faster(NamedTuple):
    """One unit made so many times faster, and what the whole step then takes."""

    unit: Work
    factor: int
    shares: Shares  # of the step then
    wall: float  # seconds that no factor gets below

    @property
    def seconds(self) -> float:
        """Return the wall time of the step then."""
        return self.shares.seconds

    def gain(self, before: float) -> float:
        """Return how many times faster the whole step is."""
        return before / self.seconds if self.seconds > 0 else 1.0


class Longest(NamedTuple):
    """All operations of one role in a step, and how long they take together."""

    label: str
    work: Work
    times: int
    seconds: float


class Offer(NamedTuple):
    """Something that can be chosen, what it is called, and why it cannot be ("" when it can)."""

    id: str
    label: str
    reason: str = ""


class Sample(NamedTuple):
    """The shares of one run of the live workload, in the order of ``LANES``."""

    sequential: float
    stream: float
    matrix: float


@dataclass(frozen=True)
class Live:
    """What was measured on this CPU, run after run: another workload, said in words."""

    workload: str
    where: str  # by what, and on how many threads
    samples: tuple[Sample, ...] = ()
    seconds: float = 0.0  # of the last run
    note: str = ""  # why it is not the workload itself, and what cannot be measured of it
    clock: str = "cpu"  # that measured: cupti, events or cpu
    device: str = ""  # the GPU that runs it; "": this CPU does
    pipe: tuple[
        float | None, ...
    ] = ()  # of each run, how much the tensor pipe worked; None: unknown
    trained: Trained | None = None  # the real training of this window; None: none has run
    recording: float | None = None  # what it adds to a run, as a part of it; None: not measured


@dataclass(frozen=True)
class Recorded:
    """What somebody else's card was measured to do: never this machine's numbers."""

    card: str
    date: str
    label: str  # with versions
    program: str
    versions: tuple[tuple[str, str], ...]
    ok: bool  # whether all that it computed was right
    tracing: str  # by what kernels were timed, or why not
    rows: tuple[tuple[str, str, Shares | None], ...]  # model, precision, shares


@dataclass(frozen=True)
class Computing:
    """One workload on one part, with all that is counted, modelled, measured and claimed of it.

    ``flops`` are the parts (0 … 1) of counted FLOPs by unit; ``time`` the modelled shares of time;
    ``measured`` those of the very same workload on this machine, None where it did not run here;
    ``measured_on`` is its GPU, "" for its CPU. With ``recorded`` they are of somebody else's card.
    ``claim`` are the course text's shares of time, ``beyond`` the units with a "+" behind theirs.
    ``causes`` say why time and claim differ. ``run`` is what the lanes show.
    """

    model: str  # in words
    size: str  # "8 × 1024 tokens"
    mode: str
    precision: str  # "FP16"
    precision_id: str
    style: str
    part: str  # "H100"
    run: Run
    flops: dict[Work, float]
    time: Shares
    claim: dict[Work, float]
    beyond: tuple[Work, ...]
    causes: tuple[Cause, ...]
    faster: Faster
    source: str
    modes: tuple[Offer, ...] = ()
    precisions: tuple[Offer, ...] = ()
    presets: tuple[tuple[bool, Offer], ...] = ()  # whether the claim is nearly true there
    preset: str = ""
    lanes: tuple[Offer, ...] = ()
    measured: Shares | None = None
    measured_on: str = ""
    recorded: Recorded | None = None
    pipe_active: float | None = None
    longest: tuple[Longest, ...] = ()
    live: Live = field(default_factory=lambda: Live("", ""))
    tile: Tile | None = None
    cell: tuple[int, int] = (0, 0)  # of the tile, whose sum is written out
    panel: str = "faster"
    folded: bool = False

    @property
    def last_tick(self) -> int:
        """Return the tick at which everything is done."""
        return self.run.last_tick

"""How long a step would take on a machine that is not here, and what its time would be spent on.

    seconds of a kernel = floor + max(FLOPs / (peak efficiency), special / rate, bytes / bandwidth)

Products are cut into tiles, which run in waves on the multiprocessors: what does not fill a wave is
lost. Host and device are two queues: the host issues one kernel after another, and the device
begins each when it was issued and the one before has ended.

    issued_i = launches and host work up to i
    start_i = max(issued_i, end_{i-1} + gap),  end_i = start_i + seconds_i

Everything here is modelled: the bases are ``engine.parts`` and the assumptions below, and the bounds
are what the shares become when the assumptions are stretched. Not modelled: communication between
cards, dropout, reuse in the L2 cache, clocks that drop, a data loader that is late.

Sources: Williams et al. 2009, "Roofline: an insightful visual performance model for multicore
architectures"; NVIDIA, "Matrix multiplication background user's guide", for tiles and waves; the
efficiencies are those of large bfloat16 products (81 % on an H100) and copies (90 %) as measured
on such cards, and of FlashAttention 2 and 3 as published by their authors.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.parts import Part
from engine.shares import Shares, Work
from engine.trace import Basis
from engine.workload import (
    Attention,
    Device,
    Elementwise,
    Host,
    Kernel,
    Mode,
    Operation,
    Persistent,
    Precision,
    Product,
    Style,
    Transfer,
    Workload,
    memory_text,
    operations,
)

Floats = NDArray[np.float64]

PATH = "roofline model"

# What the host spends to issue one kernel, seconds, and the device between two of them.
# CuPy's own guide measures 12 to 25 us a call; frameworks in C++ 4 to 10; a graph's node is issued
# by the device.
LAUNCH = {
    Style.CUPY_EAGER: (15e-6, 1e-6),
    Style.FRAMEWORK_EAGER: (6e-6, 1e-6),
    Style.FUSED: (4.5e-6, 1e-6),
    Style.GRAPH: (0.3e-6, 0.8e-6),
}

# Rows and columns of a tile of a product, and which part of the peak tiles of it reach.
TILES = ((256, 128, 0.81), (128, 256, 0.81), (128, 128, 0.76), (128, 64, 0.65), (64, 64, 0.50),
         (32, 32, 0.22), (16, 16, 0.07))  # fmt: skip
SPLITS = (1, 2, 4, 8, 16)  # ways to share the inner sum of few tiles among multiprocessors
LEAST_SPLIT = 64  # numbers of the inner sum that a split keeps
PLAIN = 0.5  # of the float32 peak: what code without tiles reaches
HOST_PRODUCT = 0.8  # of a CPU's peak: what BLAS reaches
TRANSFER_SECONDS = 4e-6  # before a copy's first byte arrives
TRANSFER_BYTES = 25e9  # a second, PCIe 4 x16
ATTENTION = {True: 0.55, False: 0.60}  # of the peak, on cards from Hopper on, on older ones
ATTENTION_BACKWARD = 0.75  # of that
PERSISTENT = 0.35  # of the peak, and no step is shorter than one meeting of all multiprocessors
PERSISTENT_SECONDS = 2.5e-6


class Assumptions(NamedTuple):
    """What is not on any data sheet."""

    floor: float = 2e-6  # seconds of a kernel that does nothing
    memory: float = 0.88  # of the bandwidth that is reached
    product: float = 1.0  # times the efficiency of tiles
    host: float = 1.0  # times the cost of a launch


BASE = Assumptions()
STRETCHED = tuple(
    Assumptions(*some)
    for some in itertools.product((1e-6, 2e-6, 3.5e-6), (0.75, 0.88, 0.95), (0.8, 1.0, 1.15),
                                  (0.5, 1.0, 2.0))
)  # fmt: skip
CORNERS = tuple(
    Assumptions(*some)
    for some in itertools.product((1e-6, 3.5e-6), (0.75, 0.95), (0.8, 1.15), (0.5, 2.0))
)
MANY = 8192  # kernels of a step from which on only the corners are tried


class Bound(StrEnum):
    """What a moment of a lane waits for."""

    LAUNCH = "launch"  # a fixed cost: the launch itself, or a kernel's floor
    MEMORY = "memory"
    ARITHMETIC = "arithmetic"


@dataclass(frozen=True, slots=True)
class Event:
    """One kernel, copy or launch on the clock of the step, in seconds from its begin."""

    lane: Literal["host", "device"]
    start: float
    seconds: float
    operation: Operation
    work: Work
    bound: Bound


@dataclass(frozen=True, slots=True)
class Timed:
    """All operations of one role in a step: "mlp.in" of every block."""

    role: str
    operation: Operation  # the first of them
    count: int
    seconds: float  # of their kernels, together
    share: float  # of wall time
    flops: int
    bytes: int
    bound: Bound


@dataclass(frozen=True, eq=False)
class Modelled:
    """What the model says of one step on one part."""

    workload: Workload  # as asked for
    ran: Workload  # in the format that the part really computes in
    part: Part
    shares: Shares
    seconds_low: float
    seconds_high: float
    flop_parts: dict[Work, float]  # of all FLOPs, by the lane that does them
    pipe_active: float  # of wall time: cycles in which tensor cores would multiply at their peak
    kernels: int
    launch_seconds: float  # of the host, for one kernel
    notes: tuple[str, ...]
    _run: _Run

    @property
    def seconds(self) -> float:
        """Return the wall time of a step."""
        return self.shares.seconds

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """Return every launch and every kernel, in the order of their begin."""
        return tuple(sorted(self._run.events(), key=lambda event: event.start))

    @cached_property
    def by_role(self) -> tuple[Timed, ...]:
        """Return the operations of a step by role, those that take longest first."""
        return self._run.by_role(self.seconds)

    def longest(self, count: int) -> tuple[Timed, ...]:
        """Return the ``count`` roles that take longest."""
        return self.by_role[:count]

    def bound_parts(self, work: Work | None = None) -> dict[Bound, float]:
        """Return which part of wall time kernels (of one lane) wait for what."""
        return self._run.bound_parts(self.seconds, work)


def model(workload: Workload, part: Part) -> Modelled:
    """Return what a step would take on a part, with bounds; the last ones are remembered."""
    return _model(workload, part)


@lru_cache(maxsize=128)
def _model(workload: Workload, part: Part) -> Modelled:
    ran = _as_run(workload, part)
    laid = operations(ran, part.device)
    launched = sum(op.calls for op in laid)
    tried = (BASE, *(STRETCHED if launched <= MANY else CORNERS))
    runs = _runs(ran, part, laid, tried)
    base = runs[0]
    parts = {work: np.array([run.parts[work] for run in runs]) for work in Work}
    walls = [run.seconds for run in runs]
    shares = Shares(
        parts=base.parts,
        seconds=base.seconds,
        basis=Basis.MODELLED,
        path=PATH,
        low={work: float(values.min()) for work, values in parts.items()},
        high={work: float(values.max()) for work, values in parts.items()},
    )
    flops = {work: sum(op.cost.flops for op in laid if op.work == work) for work in Work}
    total = sum(flops.values()) or 1
    return Modelled(
        workload=workload,
        ran=ran,
        part=part,
        shares=shares,
        seconds_low=min(walls),
        seconds_high=max(walls),
        flop_parts={work: count / total for work, count in flops.items() if count},
        pipe_active=base.pipe_seconds / base.seconds,
        kernels=base.kernels,
        launch_seconds=base.launch,
        notes=_notes(workload, ran, part),
        _run=base,
    )


def _as_run(workload: Workload, part: Part) -> Workload:
    """Return the step in the format in which a part really computes it."""
    precision = part.runs(Precision(workload.precision))
    return workload if precision == workload.precision else replace(workload, precision=precision)


def _notes(workload: Workload, ran: Workload, part: Part) -> tuple[str, ...]:
    """Return what has to be said beside the numbers."""
    notes = []
    if ran.precision != workload.precision:
        notes.append(f"{part.title} has no units for {workload.precision}: {ran.precision}.")
    if "memory" in part and ran.memory > part["memory"].value * 1e9:
        held = memory_text(part["memory"].value * 1e9)
        notes.append(
            f"The step needs about {memory_text(ran.memory)} of memory, {part.title} has {held}."
        )
    if workload.parallel > 1:
        notes.append(f"One of {workload.parallel} cards; what they exchange is not counted.")
    if part.device == Device.CPU and workload.style == Style.GRAPH:
        notes.append("A CPU has no launch graph: the same calls, one after the other.")
    return tuple(notes)


# ---- seconds of a kernel -------------------------------------------------------------------------


class _Cost(NamedTuple):
    """Seconds of one kernel beyond its floor, for each set of assumptions, axes (assumption,)."""

    arithmetic: Floats
    memory: Floats
    pipe: float  # seconds at the peak of the tensor cores


class _Machine:
    """A part under several sets of assumptions, axes (assumption,)."""

    def __init__(self, part: Part, tried: Sequence[Assumptions]) -> None:
        self.part = part
        columns = np.array(tried).T
        self.floor, memory, self.product, self.host = columns
        on_cpu = part.device == Device.CPU
        if on_cpu:
            self.floor = np.zeros_like(self.floor)  # a call's cost is the host's
        if part.measured:
            memory = memory / BASE.memory  # its rates were reached
        self.bytes_per_second = part.bytes_per_second * memory

    def cost(self, op: Operation) -> _Cost:
        """Return what one call of an operation costs."""
        flops, bytes_ = op.cost.flops / op.calls, op.cost.bytes / op.calls
        kernel, part = op.kernel, self.part
        moved = bytes_ / self.bytes_per_second
        pipe = 0.0
        match kernel:
            case Transfer():
                moved = np.full_like(moved, TRANSFER_SECONDS + bytes_ / TRANSFER_BYTES)
                return _Cost(np.zeros_like(moved), moved, 0.0)
            case Elementwise():
                seconds = self.plain(flops, kernel.special / op.calls)
                return _Cost(seconds, moved, 0.0)
            case Product() | Attention() | Persistent() if part.device == Device.CPU:
                peak = part.flops_per_second(Precision.FLOAT32)
                reached = 1.0 if part.measured else HOST_PRODUCT
                return _Cost(flops / (peak * reached * self.product), moved, 0.0)
            case Product():
                precision = kernel.precision
                if op.work == Work.STREAM and min(kernel.rows, kernel.columns) == 1:
                    return _Cost(self.plain(flops, 0), moved, 0.0)
                seconds = self.tiles(kernel)
            case Attention():
                precision = kernel.precision
                seconds = self.attention(kernel, flops)
            case Persistent():
                precision = kernel.precision
                a_step = flops / kernel.steps / (part.flops_per_second(precision) * PERSISTENT)
                seconds = np.full_like(moved, max(PERSISTENT_SECONDS, a_step) * kernel.steps)
            case _:
                raise TypeError(f"{kernel} is no kernel")
        if op.work == Work.MATRIX:
            pipe = flops / part.flops_per_second(precision)
        return _Cost(seconds, moved, pipe)

    def plain(self, flops: float, special: float) -> Floats:
        """Return the seconds of arithmetic without tiles."""
        peak = self.part.flops_per_second(Precision.FLOAT32) * PLAIN
        return np.full_like(self.floor, max(flops / peak, special / self.part.special_per_second))

    def tiles(self, product: Product) -> Floats:
        """Return the seconds of a product: its waves of tiles, with the best tile and split."""
        M, N, K = product.rows, product.columns, product.inner
        sms = self.part["sms"].value
        peak = self.part.flops_per_second(product.precision)
        rows, columns, reached = (
            np.array(column)[:, None] for column in zip(*TILES, strict=True)
        )  # (tile, 1)
        splits = np.array([s for s in SPLITS if s == 1 or K / s >= LEAST_SPLIT])  # (split,)
        tiles = product.batch * np.ceil(M / rows) * np.ceil(N / columns) * splits
        waves = np.ceil(tiles / sms)  # (tile, split)
        of_a_wave = 2 * rows * columns * max(K, 32) / splits / (peak / sms * reached)
        # A split sum is written by each of its parts in float32 and read again to be added up.
        rejoined = np.where(splits > 1, 8 * product.batch * M * N * splits, 0)[..., None]
        seconds = (waves * of_a_wave)[..., None] / self.product  # (tile, split, assumption)
        seconds = seconds + rejoined / self.bytes_per_second + 1e-6 * (rejoined > 0)
        return np.asarray(seconds.min(axis=(0, 1)))

    def attention(self, kernel: Attention, flops: float) -> Floats:
        """Return the seconds of a fused attention: what fills too few multiprocessors is slow."""
        sms = self.part["sms"].value
        reached = ATTENTION["fp8" in self.part and sms >= 132]
        reached *= ATTENTION_BACKWARD if kernel.backward else 1
        blocks = kernel.heads * math.ceil(kernel.queries / 128)
        # Few queries: the keys are shared out, 256 at a time.
        shared = min(sms, kernel.heads * math.ceil(kernel.keys / 256))
        filled = min(1.0, max(blocks, shared) / sms)
        peak = self.part.flops_per_second(kernel.precision)
        return np.full_like(self.floor, flops / (peak * reached * filled))


# ---- two queues ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Run:
    """One pass of a step through the queues, under one set of assumptions.

    Arrays have axes (kernel,); ``of`` is the place of each kernel's operation.
    """

    laid: tuple[Operation, ...]
    of: NDArray[np.intp]
    issued: Floats  # when its launch ends
    launches: Floats  # what its launch takes
    starts: Floats
    durations: Floats
    bounds: tuple[Bound, ...]  # by operation
    host: tuple[tuple[Operation, float, float], ...]  # host work: begin, seconds
    parts: dict[Work, float]
    seconds: float
    pipe_seconds: float
    launch: float
    on_cpu: bool

    @property
    def kernels(self) -> int:
        """Return how many kernels and copies are launched."""
        return len(self.of)

    def events(self) -> list[Event]:
        """Return launches, kernels and host work."""
        made: list[Event] = []
        for op, start, seconds in self.host:
            made.append(Event("host", start, seconds, op, Work.SEQUENTIAL, Bound.LAUNCH))
        lane: Literal["host", "device"] = "host" if self.on_cpu else "device"
        rows = zip(
            self.of.tolist(), self.issued.tolist(), self.launches.tolist(), self.starts.tolist(),
            self.durations.tolist(), strict=True,
        )  # fmt: skip
        for place, issued, launch, start, seconds in rows:
            op = self.laid[place]
            begin = issued - launch
            made.append(Event("host", begin, launch, op, Work.SEQUENTIAL, Bound.LAUNCH))
            made.append(Event(lane, start, seconds, op, op.work, self.bounds[place]))
        return made

    def by_role(self, wall: float) -> tuple[Timed, ...]:
        """Return the kernels' seconds by role, the longest first."""
        seconds = np.bincount(self.of, self.durations, minlength=len(self.laid))
        places: dict[str, list[int]] = {}
        for place, op in enumerate(self.laid):
            places.setdefault(op.role, []).append(place)
        took = {self.laid.index(op): s for op, _, s in self.host}
        timed = []
        for role, these in places.items():
            first = self.laid[these[0]]
            spent = sum(float(seconds[i]) + took.get(i, 0.0) for i in these)
            timed.append(
                Timed(
                    role=role,
                    operation=first,
                    count=len(these),
                    seconds=spent,
                    share=spent / wall,
                    flops=sum(self.laid[i].cost.flops for i in these),
                    bytes=sum(self.laid[i].cost.bytes for i in these),
                    bound=self.bounds[these[0]],
                )
            )
        return tuple(sorted(timed, key=lambda one: -one.seconds))

    def bound_parts(self, wall: float, work: Work | None) -> dict[Bound, float]:
        """Return which part of wall time kernels wait for what."""
        seconds = np.bincount(self.of, self.durations, minlength=len(self.laid))
        parts = dict.fromkeys(Bound, 0.0)
        for op, bound, spent in zip(self.laid, self.bounds, seconds, strict=True):
            if work is None or op.work == work:
                parts[bound] += float(spent) / wall
        return parts


@dataclass(frozen=True)
class Faster:
    """What to make faster, and how: seconds are divided by ``times``."""

    work: Work | None = None
    times: float = 1.0


def _runs(
    ran: Workload,
    part: Part,
    laid: tuple[Operation, ...],
    tried: Sequence[Assumptions],
    faster: Faster = Faster(),  # noqa: B008
) -> list[_Run]:
    """Return one run for each set of assumptions."""
    machine = _Machine(part, tried)
    on_cpu = part.device == Device.CPU
    launch, gap = (part.call_seconds, 0.0) if on_cpu else LAUNCH[Style(ran.style)]
    # Blocks are alike: each kernel is timed once.
    known: dict[tuple[Kernel, int, int, int, Work], tuple[Floats, float, Bound]] = {}
    durations_of, pipes, bounds = [], [], []
    nothing = np.zeros(len(tried))
    for op in laid:
        key = (op.kernel, op.cost.flops, op.cost.bytes, op.calls, op.work)
        if key not in known:
            if isinstance(op.kernel, Host):
                known[key] = nothing, 0.0, Bound.LAUNCH
            else:
                cost = machine.cost(op)
                floor = nothing if isinstance(op.kernel, Transfer) else machine.floor
                longer = np.maximum(cost.arithmetic, cost.memory)
                bound = Bound.MEMORY if cost.memory[0] >= cost.arithmetic[0] else Bound.ARITHMETIC
                if longer[0] < (part.call_seconds if on_cpu else floor[0]):
                    bound = Bound.LAUNCH
                known[key] = floor + longer, cost.pipe, bound
        seconds, pipe, bound = known[key]
        durations_of.append(seconds / faster.times if faster.work == op.work else seconds)
        pipes.append(pipe * op.calls)
        bounds.append(bound)
    table = np.array(durations_of)  # (operation, assumption)
    calls = np.array([0 if isinstance(op.kernel, Host) else op.calls for op in laid])
    of = np.repeat(np.arange(len(laid)), calls)
    # Host work in front of a kernel delays its launch; what waits for the device comes at the end.
    before = np.zeros(len(of) + 1)
    waits, works = [], []
    quicker = faster.times if faster.work == Work.SEQUENTIAL else 1.0
    places = np.concatenate([[0], np.cumsum(calls)])
    for place, op in enumerate(laid):
        if isinstance(op.kernel, Host):
            (waits if op.kernel.waits else works).append((place, op))
            if not op.kernel.waits:
                before[places[place]] += op.kernel.seconds / quicker
    masks = {work: np.array([op.work == work for op in laid])[of] for work in Work}
    runs = []
    for i in range(len(tried)):
        durations = table[of, i]  # (kernel,)
        launches = np.full(len(of), launch * machine.host[i] / quicker)
        if on_cpu:
            ends = np.cumsum(before[:-1] + launches + durations)
            starts = ends - durations
            issued, done = starts, float(ends[-1]) if len(ends) else 0.0
        else:
            issued = np.cumsum(before[:-1] + launches)
            # start_i = max over j <= i of issued_j + all that the device does from j to i
            so_far = np.concatenate([[0.0], np.cumsum(durations + gap)[:-1]])
            starts = so_far + np.maximum.accumulate(issued - so_far)
            done = float(starts[-1] + durations[-1])
        host = []
        for place, op in works:
            seconds = op.kernel.seconds / quicker  # type: ignore[union-attr]
            at = places[place]
            begin = float(issued[at] - launches[at]) if at < len(of) else done
            host.append((op, max(0.0, begin - seconds), seconds))
        for _, op in waits:
            seconds = op.kernel.seconds / quicker  # type: ignore[union-attr]
            host.append((op, done, seconds))
            done += seconds
        busy = {
            work: float(durations[masks[work]].sum())
            for work in (Work.MATRIX, Work.STREAM, Work.COPY)
        }
        idle = 0.0 if on_cpu else gap * max(0, len(of) - 1)
        parts = {work: seconds / done for work, seconds in busy.items()}
        parts[Work.UNCLASSIFIED] = 0.0
        parts[Work.IDLE] = idle / done
        parts[Work.SEQUENTIAL] = max(0.0, 1.0 - sum(parts.values()))
        runs.append(
            _Run(
                laid=laid, of=of, issued=issued, launches=launches, starts=starts,
                durations=durations, bounds=tuple(bounds), host=tuple(host), parts=parts,
                seconds=done, pipe_seconds=sum(pipes), launch=launch * float(machine.host[i]),
                on_cpu=on_cpu,
            )
        )  # fmt: skip
    return runs

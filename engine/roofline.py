"""How long a step would take on a machine that is not here, and what its time would be spent on.

    seconds of a kernel = floor + max(FLOPs / (peak efficiency), special / rate, bytes / bandwidth)

Products are cut into tiles, which run in waves on the multiprocessors: what does not fill a wave is
lost. Host and device are two queues: the host issues one kernel after another, and the device
begins each when it was issued and the one before has ended.

    issued_i = launches and host work up to i
    start_i = max(issued_i, end_{i-1} + gap),  end_i = start_i + seconds_i

Everything here is modelled: the bases are ``engine.parts`` and the assumptions below, and the
bounds are what the shares become when the assumptions are stretched. Not modelled: communication
between cards, dropout, reuse in the L2 cache, clocks that drop, a data loader that is late.

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

from engine.operations import operations
from engine.parts import Part
from engine.shares import Shares
from engine.trace import Basis, Cost
from engine.units import Work
from engine.workload import (
    Attention,
    Device,
    Elementwise,
    Host,
    Kernel,
    Operation,
    Persistent,
    Precision,
    Product,
    Style,
    Transfer,
    Workload,
    memory_text,
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
ATTENTION, ATTENTION_HOPPER = 0.60, 0.55  # of the peak: FlashAttention 2; 3 on Hopper and later
HOPPER = 9.0  # compute capability
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
class Span:
    """One operation on the clock of the step, its kernels together.

    ``seconds`` is what its kernels take, without the gaps between them; ``low`` and ``high`` bound
    it. ``launch`` is when the host begins to issue it and what that takes; host work is a launch
    only.
    """

    operation: Operation
    start: float
    end: float
    seconds: float
    low: float
    high: float
    launch: tuple[float, float]
    bound: Bound


@dataclass(frozen=True, slots=True)
class Timed:
    """All operations of one role in a step: "mlp.in" of every block."""

    role: str
    operation: Operation  # the first of them
    count: int
    seconds: float  # of their kernels, or of the host, together
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
    folded: Shares  # copies and idle time counted as sequential, with bounds of its own
    seconds_low: float
    seconds_high: float
    flop_parts: dict[Work, float]  # of all FLOPs, by the lane that does them
    pipe_active: float  # of wall time: cycles in which tensor cores would multiply at their peak
    launch_seconds: float  # of the host, for one kernel
    notes: tuple[str, ...]
    _laid: _Laid
    _queues: _Queues

    @property
    def seconds(self) -> float:
        """Return the wall time of a step."""
        return self.shares.seconds

    @property
    def operations(self) -> tuple[Operation, ...]:
        """Return the operations that ran, in order."""
        return self._laid.operations

    @property
    def kernels(self) -> int:
        """Return how many kernels and copies are launched."""
        return len(self._laid.of)

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """Return all host work, every launch and every kernel, in the order of their begin."""
        laid, queues = self._laid, self._queues
        lane: Literal["host", "device"] = "host" if laid.on_cpu else "device"
        made = [
            Event("host", start, seconds, laid.operations[place], Work.SEQUENTIAL, Bound.LAUNCH)
            for place, (start, seconds) in queues.host.items()
        ]
        columns = (laid.of, queues.issued, queues.launches, queues.starts, queues.durations)
        for place, issued, launch, start, seconds in zip(
            *(column.tolist() for column in columns), strict=True
        ):
            op, begin = laid.operations[place], issued - launch
            made.append(Event("host", begin, launch, op, Work.SEQUENTIAL, Bound.LAUNCH))
            made.append(Event(lane, start, seconds, op, op.work, laid.bounds[place]))
        return tuple(sorted(made, key=lambda event: event.start))

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """Return the operations on the clock, in the order of ``operations``."""
        laid, queues = self._laid, self._queues
        made = []
        for place, op in enumerate(laid.operations):
            bound = laid.bounds[place]
            if place in queues.host:
                start, spent = queues.host[place]
                launch = (start, spent)
                made.append(Span(op, start, start + spent, spent, spent, spent, launch, bound))
                continue
            first, last = laid.first[place], laid.first[place + 1] - 1
            seconds = laid.seconds[place] * op.calls  # (assumption,)
            begin = float(queues.issued[first] - queues.launches[first])
            made.append(
                Span(
                    operation=op,
                    start=float(queues.starts[first]),
                    end=float(queues.starts[last] + queues.durations[last]),
                    seconds=float(seconds[0]),
                    low=float(seconds.min()),
                    high=float(seconds.max()),
                    launch=(begin, float(queues.launches[first : last + 1].sum())),
                    bound=bound,
                )
            )
        return tuple(made)

    @cached_property
    def by_role(self) -> tuple[Timed, ...]:
        """Return the operations of a step by role, those that take longest first."""
        roles: dict[str, list[Span]] = {}
        for span in self.spans:
            roles.setdefault(span.operation.role, []).append(span)
        timed = [
            Timed(
                role=role,
                operation=these[0].operation,
                count=len(these),
                seconds=(spent := sum(span.seconds for span in these)),
                share=spent / self.seconds,
                flops=sum(span.operation.cost.flops for span in these),
                bytes=sum(span.operation.cost.bytes for span in these),
                bound=these[0].bound,
            )
            for role, these in roles.items()
        ]
        return tuple(sorted(timed, key=lambda one: -one.seconds))

    def longest(self, count: int) -> tuple[Timed, ...]:
        """Return the ``count`` roles that take longest."""
        return self.by_role[:count]

    @cached_property
    def bound_parts(self) -> dict[Bound, float]:
        """Return the parts of wall time in which kernels wait for what; the rest is the host's."""
        parts = dict.fromkeys(Bound, 0.0)
        for place, op in enumerate(self._laid.operations):
            seconds = float(self._laid.seconds[place, 0]) * op.calls
            parts[self._laid.bounds[place]] += seconds / self.seconds
        return parts


@lru_cache(maxsize=128)
def model(workload: Workload, part: Part) -> Modelled:
    """Return what a step would take on a part, with bounds; the last ones are remembered."""
    ran = as_run(workload, part)
    laid_out = operations(ran, part.device)
    many = sum(op.calls for op in laid_out) > MANY
    tried = (BASE, *(CORNERS if many else STRETCHED))
    laid = _Laid(ran, part, tried)
    passes = [laid.queue(i) for i in range(len(tried))]
    all_shares = [Shares(each.parts, each.seconds, Basis.MODELLED, PATH) for each in passes]
    flops = {work: sum(op.cost.flops for op in laid_out if op.work == work) for work in Work}
    seconds = [each.seconds for each in passes]
    return Modelled(
        workload=workload,
        ran=ran,
        part=part,
        shares=_bounded(all_shares),
        folded=_bounded([each.folded for each in all_shares]),
        seconds_low=min(seconds),
        seconds_high=max(seconds),
        flop_parts={work: n / (sum(flops.values()) or 1) for work, n in flops.items() if n},
        pipe_active=laid.pipe_seconds / seconds[0],
        launch_seconds=laid.launch,
        notes=_notes(workload, ran, part),
        _laid=laid,
        _queues=passes[0],
    )


def _bounded(several: Sequence[Shares]) -> Shares:
    """Return the first shares with bounds: what they become under the assumptions of the others."""
    values = {work: [each[work] for each in several] for work in several[0].parts}
    low = {work: min(parts) for work, parts in values.items()}
    high = {work: max(parts) for work, parts in values.items()}
    return replace(several[0], low=low, high=high)


@lru_cache(maxsize=256)
def shares(
    workload: Workload,
    part: Part,
    assumptions: Assumptions = BASE,
    faster: tuple[Work, float] | None = None,
) -> Shares:
    """Return the shares under one set of assumptions, without bounds: for "what if".

    ``faster`` divides the seconds of one kind of work; a number below 1 makes it slower.
    """
    laid = _Laid(as_run(workload, part), part, (assumptions,), faster)
    queues = laid.queue(0)
    return Shares(queues.parts, queues.seconds, Basis.MODELLED, PATH)


class Speedup(NamedTuple):
    """One kind of work made ``times`` times faster: the shares then, and what no factor beats."""

    work: Work
    times: float
    shares: Shares
    limit: float  # seconds of a step in which this work takes no time

    @property
    def seconds(self) -> float:
        """Return the wall time then."""
        return self.shares.seconds


def amdahl(known: Modelled | Shares, work: Work, times: float) -> Speedup:
    """Return what a step takes when one kind of work is ``times`` times faster.

    Of shares alone it is Amdahl's law, T' = T (1 - p + p / k). Of a modelled step the two queues
    run again: launches that kernels hid come to light, and short launches can be hidden.

    Source: Amdahl 1967, "Validity of the single processor approach to achieving large scale
    computing capabilities".

    Raises
    ------
    ValueError
        When ``times`` is not above 0.
    """
    if not times > 0:
        raise ValueError(f"nothing is {times} times faster")
    if isinstance(known, Modelled):
        then = shares(known.workload, known.part, BASE, (work, float(times)))
        least = shares(known.workload, known.part, BASE, (work, math.inf))
        return Speedup(work, times, then, least.seconds)
    whole = 1 - known[work] + known[work] / times
    parts = {each: part / whole for each, part in known.parts.items()}
    parts[work] = known[work] / times / whole
    basis = Basis.INFERRED if known.basis == Basis.MEASURED else known.basis
    then = Shares(parts, known.seconds * whole, basis, f"{known.path}, Amdahl’s law")
    return Speedup(work, times, then, known.seconds * (1 - known[work]))


def as_run(workload: Workload, part: Part) -> Workload:
    """Return the step in the format in which a part really computes it."""
    precision = part.runs(Precision(workload.precision))
    return workload if precision == workload.precision else replace(workload, precision=precision)


def _notes(workload: Workload, ran: Workload, part: Part) -> tuple[str, ...]:
    """Return what has to be said beside the numbers."""
    notes = []
    if ran.precision != workload.precision:
        notes.append(
            f"{part.title} has no units for {workload.precision}; it computes in {ran.precision}."
        )
    if ran.precision == Precision.FP8:
        notes.append("Products of 8 bits are modelled only: nothing here runs them.")
    elif ran.precision == Precision.BFLOAT16 and ran.style == Style.CUPY_EAGER:
        if not (ran.batched_half or ran.size.chain):
            notes.append(
                "CuPy refuses bfloat16 products with more than two axes; they are modelled in "
                "float32, as it does with float16."
            )
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
    """Seconds of one kernel, for each set of assumptions, axes (assumption,)."""

    seconds: Floats
    pipe: float  # seconds at the peak of the tensor cores
    bound: Bound


class _Machine:
    """A part under several sets of assumptions, axes (assumption,)."""

    def __init__(self, part: Part, tried: Sequence[Assumptions]) -> None:
        self.part = part
        self.on_cpu = part.device == Device.CPU
        self.floor, memory, self.product, self.host = np.array(tried).T
        self.fixed = float(self.floor[0])  # seconds below which a fixed cost is what counts
        if self.on_cpu:
            self.fixed = part.call_seconds
            self.floor = np.zeros_like(self.floor)  # a call's cost is the host's
        if part.measured:
            memory = memory / BASE.memory  # its rates were reached
        self.bytes_per_second = part.bytes_per_second * memory

    def cost(self, op: Operation) -> _Cost:
        """Return what one call of an operation costs, host work nothing."""
        flops, bytes_ = op.cost.flops / op.calls, op.cost.bytes / op.calls
        if isinstance(op.kernel, Host):
            return _Cost(np.zeros_like(self.floor), 0.0, Bound.LAUNCH)
        if isinstance(op.kernel, Transfer):
            seconds = np.full_like(self.floor, TRANSFER_SECONDS + bytes_ / TRANSFER_BYTES)
            return _Cost(seconds, 0.0, Bound.MEMORY)
        arithmetic = self.arithmetic(op, op.kernel, flops)
        memory = bytes_ / self.bytes_per_second
        bound = Bound.MEMORY if memory[0] >= arithmetic[0] else Bound.ARITHMETIC
        if max(memory[0], arithmetic[0]) < self.fixed:
            bound = Bound.LAUNCH
        pipe = 0.0
        if op.work == Work.MATRIX and not (self.on_cpu or isinstance(op.kernel, Elementwise)):
            pipe = flops / self.part.flops_per_second(op.kernel.precision)
        return _Cost(self.floor + np.maximum(arithmetic, memory), pipe, bound)

    def arithmetic(
        self, op: Operation, kernel: Elementwise | Product | Attention | Persistent, flops: float
    ) -> Floats:
        """Return the seconds of the arithmetic of one call."""
        if isinstance(kernel, Elementwise):
            return self.plain(flops, kernel.special / op.calls)
        if self.on_cpu:
            peak = self.part.flops_per_second(Precision.FLOAT32)
            reached = 1.0 if self.part.measured else HOST_PRODUCT
            return np.asarray(flops / (peak * reached * self.product))
        if isinstance(kernel, Product):
            one_row = op.work == Work.STREAM and min(kernel.rows, kernel.columns) == 1
            return self.plain(flops, 0) if one_row else self.tiles(kernel)
        if isinstance(kernel, Attention):
            return self.attention(kernel, flops)
        a_step = flops / kernel.steps
        a_step /= self.part.flops_per_second(kernel.precision) * PERSISTENT
        return np.full_like(self.floor, max(PERSISTENT_SECONDS, a_step) * kernel.steps)

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
        hopper = self.part["capability"].value >= HOPPER
        reached = ATTENTION_HOPPER if hopper else ATTENTION
        reached *= ATTENTION_BACKWARD if kernel.backward else 1
        blocks = kernel.heads * math.ceil(kernel.queries / 128)
        # Few queries: the keys are shared out, 256 at a time.
        shared = min(sms, kernel.heads * math.ceil(kernel.keys / 256))
        filled = min(1.0, max(blocks, shared) / sms)
        peak = self.part.flops_per_second(kernel.precision)
        return np.full_like(self.floor, flops / (peak * reached * filled))


def arithmetic_seconds(
    flops: float, product: Product | None, part: Part, tried: Sequence[Assumptions]
) -> Floats:
    """Return the seconds of a kernel's arithmetic on a GPU, axes (assumption,).

    It is that of the tiles of a product, and without one that of so many FLOPs without tiles.
    """
    machine = _Machine(part, tried)
    return machine.plain(flops, 0) if product is None else machine.tiles(product)


# ---- two queues ----------------------------------------------------------------------------------


class _Queues(NamedTuple):
    """One pass through the queues under one set of assumptions; arrays have axes (kernel,)."""

    issued: Floats  # when its launch ends
    launches: Floats  # what its launch takes
    starts: Floats
    durations: Floats
    host: dict[int, tuple[float, float]]  # host work by its place in the step: begin, seconds
    parts: dict[Work, float]
    seconds: float


class _Laid:
    """A step laid out for a part: what each kernel takes, under several sets of assumptions.

    ``seconds`` are those of one call, axes (operation, assumption); ``of`` is the place of each
    kernel's operation, axes (kernel,), ``first`` the place of each operation's first kernel.
    """

    def __init__(
        self,
        ran: Workload,
        part: Part,
        tried: Sequence[Assumptions],
        faster: tuple[Work, float] | None = None,
    ) -> None:
        self.on_cpu = part.device == Device.CPU
        self.operations = operations(ran, part.device)
        self.launch, self.gap = LAUNCH[Style(ran.style)]
        if self.on_cpu:
            self.launch, self.gap = part.call_seconds, 0.0
        self._machine = machine = _Machine(part, tried)
        # Blocks are alike, so a kernel is timed once.
        known: dict[tuple[Kernel, Cost, int, Work], _Cost] = {}
        costs = []
        for op in self.operations:
            key = (op.kernel, op.cost, op.calls, op.work)
            if key not in known:
                known[key] = machine.cost(op)
            costs.append(known[key])
        calls = np.array([0 if isinstance(op.kernel, Host) else op.calls for op in self.operations])
        self.seconds = np.array([cost.seconds for cost in costs])
        self.bounds = [cost.bound for cost in costs]
        self.pipe_seconds = sum(
            cost.pipe * op.calls for cost, op in zip(costs, self.operations, strict=True)
        )
        self.of = np.repeat(np.arange(len(calls)), calls)
        self.first = np.concatenate([[0], np.cumsum(calls)])
        self._quicker = 1.0
        if faster is not None:
            work, times = faster
            if work == Work.SEQUENTIAL:
                self._quicker = times
            else:
                of_it = np.array([op.work == work for op in self.operations])
                self.seconds[of_it] /= times
        works = [op.work for op in self.operations]
        self._masks = {
            work: np.array([each == work for each in works])[self.of]
            for work in (Work.MATRIX, Work.STREAM, Work.COPY)
        }

    def queue(self, assumption: int) -> _Queues:
        """Return one pass: what waits for the device comes at the end, other host work before."""
        durations = self.seconds[self.of, assumption]
        launch = self.launch * float(self._machine.host[assumption]) / self._quicker
        launches = np.full(len(self.of), launch)
        before = np.zeros(len(self.of))
        for place, op in enumerate(self.operations):
            if isinstance(op.kernel, Host) and not op.kernel.waits:
                before[self.first[place]] += op.kernel.seconds / self._quicker
        if self.on_cpu:
            starts = np.cumsum(before + launches + durations) - durations
            issued = starts
        else:
            issued = np.cumsum(before + launches)
            # start_i = max over j <= i of issued_j + all that the device does from j to i
            so_far = np.concatenate([[0.0], np.cumsum(durations + self.gap)[:-1]])
            starts = so_far + np.maximum.accumulate(issued - so_far)
        done = float(starts[-1] + durations[-1])
        host: dict[int, tuple[float, float]] = {}
        for place, op in enumerate(self.operations):
            if isinstance(op.kernel, Host):
                spent = op.kernel.seconds / self._quicker
                if op.kernel.waits:
                    host[place] = done, spent
                    done += spent
                else:
                    begin = float(issued[self.first[place]]) - launch - spent
                    host[place] = max(0.0, begin), spent
        parts = dict.fromkeys(Work, 0.0)
        for work, mask in self._masks.items():
            parts[work] = float(durations[mask].sum()) / done
        # Between two kernels the device cannot work; all other time without one is the host's.
        parts[Work.IDLE] = self.gap * (len(self.of) - 1) / done
        parts[Work.SEQUENTIAL] = max(0.0, 1.0 - sum(parts.values()))
        return _Queues(issued, launches, starts, durations, host, parts, done)

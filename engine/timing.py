"""Clocks: which of them can measure here, and the shares of a run by the best one.

In the order in which they are preferred, and the first that can be used is named beside every
number that it gave:

1.  CUPTI kernel activity: every kernel with its own start and end on the device.
2.  CUDA events, queue-ahead: the device is held busy while the host queues the whole run, so that
    what lies between two events holds no launches. How long a run takes with its launches is
    measured by a second run, and what the device does not account for is the host's.
3.  CPU timers by kind of work.

The counters of NVML (GPM) are no path: they say in how many cycles the tensor pipe worked, which is
another number, and drawn as a line named "pipe active".

CUPTI and NVML are imported here only, and when they are asked for. Everything that touches a device
is to be called ``engine.device.on_device``.

Sources: NVIDIA CUPTI documentation, "CUPTI Activity API"; NVML API reference, "GPM functions";
CuPy user guide, "Performance best practices", for what events measure.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, cast

import numpy as np

from engine.kernels import Kernel, Span, Votes, classify, host_spans, partition
from engine.memory import most_bytes
from engine.models import Config, Model, bytes_at_most, initialise, run, shapes
from engine.ops import OPS, Ops, op_of
from engine.said import Said
from engine.shares import CPU_PATH, EVENTS_PATH, Shares, shares_by
from engine.tape import Watch
from engine.trace import Basis, Step, Trace, Unit
from engine.units import Work

if TYPE_CHECKING:
    from engine.device import Device
    from engine.gpu import CupyOps

T = TypeVar("T")


class Timed(Protocol):
    """A run: its steps with their times, and its wall time in seconds."""

    @property
    def steps(self) -> Sequence[Step]: ...  # noqa: D102
    @property
    def seconds(self) -> float: ...  # noqa: D102


R = TypeVar("R", bound=Timed)

CUPTI_PATH = "CUPTI kernel activity"
QUEUED_PATH = f"{EVENTS_PATH}, queue-ahead"
MOST_OVERHEAD = 0.10  # of tracing; above, it is switched off
HOLD = 1.5  # times the host's own time for the run: so long the device is held


@dataclass(frozen=True)
class Path:
    """A way to measure: its id, its name for people, and why it cannot be used ("": it can)."""

    id: str
    title: str
    reason: str = ""

    @property
    def usable(self) -> bool:
        """Return whether it can measure here."""
        return not self.reason


def paths(device: Device, cupti: Cupti | None = None) -> tuple[Path, ...]:
    """Return the clocks in the order in which they are preferred; the first usable one measures.

    Parameters
    ----------
    device
        As ``engine.gpu.probe`` found it.
    cupti
        The tracing of this process; None: not tried.
    """
    none = device.reason or "there is no GPU, so a CPU's timers are the truth"
    traced = none if not device.gpu else "kernel tracing was not tried"
    if device.gpu and cupti is not None:
        traced = cupti.reason
    amd = "an AMD card has other tools" if device.gpu and not device.capability else ""
    return (
        Path("cupti", CUPTI_PATH, amd or traced),
        Path("events", QUEUED_PATH, "" if device.gpu else none),
        Path("cpu", CPU_PATH),
    )


def active(known: Sequence[Path]) -> Path:
    """Return the path that measures."""
    return next(path for path in known if path.usable)


# ---- a run of any model, measured ----------------------------------------------------------------


def random_model(config: Config, title: str = "random weights", seed: int = 0) -> Model:
    """Return a model with weights drawn at random, after what they take has been checked.

    Raises
    ------
    engine.said.Said
        With the memory that they would need, when there is not so much.
    """
    sizes = [_product(shape) for shape in shapes(config).values()]
    needed = 4 * sum(sizes) + 8 * max(sizes)  # one at a time is drawn in float64
    if needed > most_bytes():
        raise Said(
            f"Weights of this size would take {needed / 2**30:,.1f} GiB and at most "
            f"{most_bytes() / 2**30:.1f} GiB can be kept now; choose a smaller model."
        )
    parameters = initialise(config, np.random.default_rng(seed))
    for value in parameters.values():
        value.setflags(write=False)  # so that a device may keep them
    return Model(title, config, parameters, tuple(map(str, range(config.words))))


def _product(shape: tuple[int, ...]) -> int:
    size = 1
    for side in shape:  # plain integers, which do not overflow
        size *= int(side)
    return size


def measure(
    model: Model,
    batch: int,
    tokens: int,
    ops: Ops,
    *,
    watch: Watch | None = None,
    cupti: Cupti | None = None,
) -> tuple[Trace, Shares]:
    """Return one run of a model over random words, and its shares by the best clock for ``ops``.

    Parameters
    ----------
    model
        For instance of ``random_model``: no operation takes longer for one word than for another.
    batch, tokens
        Sentences, and words of each.
    ops
        Where to compute; of a GPU ``on_device`` only.
    watch
        Is told what was done, as of ``engine.models.run``; an error that it raises ends the run.
    cupti
        Traces the kernels, if it can.

    Raises
    ------
    engine.said.Said
        With the memory that it would need, when there is not so much.
    """
    if batch < 1 or tokens < 1:
        raise Said(f"{batch} × {tokens} tokens are no workload; give at least one of both.")
    # Before the words themselves are drawn, which of 10**9 would take all memory.
    needed = bytes_at_most(
        model.config, length=tokens, sentences=batch,
        itemsize=model.parameters["embed.E"].itemsize,
    )  # fmt: skip
    if needed > most_bytes():
        raise Said(
            f"All values of {batch:,} × {tokens:,} tokens would take {needed / 2**30:,.1f} GiB and "
            f"at most {most_bytes() / 2**30:.1f} GiB can be kept now; give fewer tokens."
        )
    ids = np.random.default_rng(0).integers(0, model.config.words, (batch, tokens))

    def once(ops: Ops) -> Trace:
        return run(model, ids, hidden=tokens - 1, ops=ops, watch=watch)

    if not ops.elsewhere:
        spent = dict.fromkeys(Unit, 0.0)
        trace = run(
            model, ids, hidden=tokens - 1, ops=ops, watch=_also(watch, lambda s: _add(spent, s))
        )
        return trace, shares_by(spent, trace.seconds)
    return on_card(once, cast("CupyOps", ops), cupti)


def on_card(
    once: Callable[[Ops], R], ops: CupyOps, cupti: Cupti | None = None
) -> tuple[R, Shares]:  # fmt: skip
    """Return a run on a device and its shares by the best clock there; ``on_device`` only."""
    if cupti is not None and not cupti.reason:
        found, traced = cupti.trace(once, ops)
        if not cupti.reason:
            return found, traced.shares
    return by_events(once, ops)


def _add(total: dict[Unit, float], more: Mapping[Unit, float]) -> None:
    for unit, seconds in more.items():
        total[unit] += seconds


def _also(watch: Watch | None, note: Callable[[Mapping[Unit, float]], None]) -> Watch:
    """Return a watch that notes what it is told, and tells another."""

    def both(start: float, end: float, spent: Mapping[Unit, float]) -> None:
        note(spent)
        if watch is not None:
            watch(start, end, spent)

    return both


def by_events(once: Callable[[Ops], R], ops: CupyOps) -> tuple[R, Shares]:
    """Return a run with its operations' times on the device, and the shares.

    The first run says how long the host needs, the second the wall time, and before the third the
    device is held busy until the host has queued it all: only there the times between events are
    the operations' own. Which unit did an operation is inferred from what was sent off.
    """
    once(ops)  # compiles, and fills the memory pool
    normal = once(ops)
    ops.wait()
    ops.hold(HOLD * normal.seconds)
    found = once(ops)
    spent = dict.fromkeys(Unit, 0.0)
    for step in found.steps:
        if step.cost.bytes:
            spent[step.timing.unit] += step.timing.seconds
    return found, shares_by(spent, normal.seconds, basis=Basis.INFERRED, path=QUEUED_PATH)


# ---- CUPTI ---------------------------------------------------------------------------------------


class Dispatched(NamedTuple):
    """What one operation was sent off as."""

    op: str
    unit: Unit
    flops: int


class Classified(NamedTuple):
    """A kernel, what it counts as, and why."""

    kernel: Kernel
    work: Work
    votes: Votes


@dataclass(frozen=True)
class Traced:
    """The kernels of one run, and the shares of its wall time."""

    kernels: tuple[Classified, ...]
    shares: Shares


def classified(
    kernels: Iterable[Kernel],
    dispatched: Mapping[int, Dispatched],
    fp32_peak: float,
    *,
    tensor_cores: bool = True,
) -> tuple[Classified, ...]:
    """Return what every kernel counts as; copies are copies.

    Parameters
    ----------
    kernels
        As the device ran them; ``op`` is a key of ``dispatched``.
    dispatched
        What each operation was sent off as.
    fp32_peak
        Of the card, FLOP/s.
    tensor_cores
        Whether the card has any.
    """
    kernels = tuple(kernels)
    seconds: dict[int, float] = {}
    for kernel in kernels:
        seconds[kernel.op] = seconds.get(kernel.op, 0.0) + kernel.seconds
    found = []
    for kernel in kernels:
        if kernel.copy:
            found.append(Classified(kernel, Work.COPY, Votes(None, Work.COPY, None)))
            continue
        sent = dispatched.get(kernel.op)
        work, votes = classify(
            None if sent is None else sent.unit,
            kernel.name,
            0 if sent is None else sent.flops,
            seconds[kernel.op],
            fp32_peak,
            tensor_cores=tensor_cores,
        )
        found.append(Classified(kernel, work, votes))
    return tuple(found)


def shares_of_kernels(kernels: Sequence[Classified], start: float, end: float) -> Shares:
    """Return the shares of a stretch of time in which these kernels ran.

    Before the first kernel and behind the last the device waits for the host.
    """
    spans = [Span(it.work, it.kernel.start, it.kernel.end) for it in kernels]
    ran = [it.kernel for it in kernels]
    spans += host_spans(ran)
    if ran:
        spans.append(Span(Work.SEQUENTIAL, start, min(kernel.start for kernel in ran)))
        spans.append(Span(Work.SEQUENTIAL, max(kernel.end for kernel in ran), end))
    else:
        spans.append(Span(Work.SEQUENTIAL, start, end))
    return Shares(partition(spans, start, end), end - start, Basis.MEASURED, CUPTI_PATH)


def fp32_peak(device: Device, ops: CupyOps) -> float:
    """Return the float32 peak of a card, FLOP/s: multiprocessors × lanes × 2 × clock.

    Lanes of a multiprocessor by compute capability: CUDA C++ programming guide, table "Throughput
    of native arithmetic instructions".
    """
    lanes = 64 if device.capability in (6.0, 7.0, 7.2, 7.5, 8.0) else 128
    ask = ops.xp.cuda.runtime.deviceGetAttribute
    return float(ask(16, 0)) * lanes * 2 * float(ask(13, 0)) * 1e3  # multiprocessors, kHz


class Cupti:
    """Traces kernels; ``reason`` says in one sentence why it does not, "" when it does.

    A process can have one tracer, so there is to be one of these. Its buffers are delivered in a
    thread of CUPTI's, where plain values are copied and nothing else is done.
    """

    KINDS = ("CONCURRENT_KERNEL", "MEMCPY", "MEMSET", "RUNTIME", "DRIVER", "EXTERNAL_CORRELATION")
    BUFFER_BYTES = 8 << 20

    def __init__(self, device: Device, *, platform: str = sys.platform) -> None:
        self._device = device
        self._lock = threading.Lock()
        self._rows: list[tuple[Any, ...]] = []
        self.overhead: float | None = None  # of tracing, as a part of the run; None: not measured
        self.reason = device.reason
        if not device.gpu:
            self.reason = device.reason or "there is no GPU"
            return
        try:
            self._cupti = import_module("cupti").cupti
            self._kinds = self._cupti.ActivityKind
            self._cupti.activity_register_callbacks(self._requested, self._completed)
            self._switch(on=True)  # by doing: what does not work says so here
            self._switch(on=False)
        except Exception as error:
            self.reason = why_no_cupti(error, platform)

    def trace(self, once: Callable[[Ops], T], ops: CupyOps) -> tuple[T, Traced]:
        """Return what a run returned, and its kernels.

        At the first call the same is run without tracing, by turns; where tracing costs more than
        ``MOST_OVERHEAD`` it is switched off, and ``reason`` says so.
        """
        if self.overhead is None:
            once(ops)  # compiles, and fills the memory pool
            pairs = [(self._traced(once, ops)[2], _timed(once, ops)) for _ in range(3)]
            self.overhead = max(median(a / b for a, b in pairs if b > 0) - 1.0, 0.0)
            if self.overhead > MOST_OVERHEAD:
                self.reason = (
                    f"tracing made a run {self.overhead:.0%} longer, more than the "
                    f"{MOST_OVERHEAD:.0%} that are let pass; it is switched off"
                )
        result, traced, _ = self._traced(once, ops)
        return result, traced

    def _traced(self, once: Callable[[Ops], T], ops: CupyOps) -> tuple[T, Traced, float]:
        counted = _Counted(ops, self._cupti)
        with self._lock:
            self._rows = []
        self._switch(on=True)
        begun, start = perf_counter(), self._cupti.get_timestamp()
        try:
            result = once(cast("Ops", counted))
            ops.wait()
        finally:
            end, seconds = self._cupti.get_timestamp(), perf_counter() - begun
            self._cupti.activity_flush_all(1)
            self._switch(on=False)
        with self._lock:
            rows, self._rows = self._rows, []
        found = classified(
            kernels_of(rows),
            counted.dispatched,
            fp32_peak(self._device, ops),
            tensor_cores=self._device.tensor_cores,
        )
        return result, Traced(found, shares_of_kernels(found, start * 1e-9, end * 1e-9)), seconds

    def _switch(self, *, on: bool) -> None:
        switch = self._cupti.activity_enable if on else self._cupti.activity_disable
        for name in self.KINDS:
            switch(getattr(self._kinds, name))

    def _requested(self) -> tuple[int, int]:
        return self.BUFFER_BYTES, 0

    def _completed(self, activities: Iterable[Any]) -> None:
        """Copy plain values, in CUPTI's own thread: the records are gone afterwards."""
        kinds = self._kinds
        rows: list[tuple[Any, ...]] = []
        for it in activities:
            if it.kind in (kinds.CONCURRENT_KERNEL, kinds.MEMCPY, kinds.MEMSET):
                name = it.name if it.kind == kinds.CONCURRENT_KERNEL else "memset"
                copies = it.kind == kinds.MEMCPY and _between(it)
                if it.kind == kinds.MEMCPY:
                    name = "memcpy"
                rows.append(("ran", it.correlation_id, name, it.start, it.end, copies))
            elif it.kind in (kinds.RUNTIME, kinds.DRIVER):
                rows.append(("call", it.correlation_id, it.start))
            elif it.kind == kinds.EXTERNAL_CORRELATION:
                rows.append(("op", it.correlation_id, it.external_id))
        with self._lock:
            self._rows += rows


HOST_TO_DEVICE, DEVICE_TO_HOST = 1, 2  # CUpti_ActivityMemcpyKind


def _between(copy: Any) -> bool:
    """Return whether a copy goes between host and device; one on the device is stream work."""
    return copy.copy_kind in (HOST_TO_DEVICE, DEVICE_TO_HOST)


def kernels_of(rows: Iterable[tuple[Any, ...]]) -> tuple[Kernel, ...]:
    """Return kernels, in the order of their begin, of what CUPTI's records say.

    Rows are ("ran", correlation, name, start, end, whether it is a copy), ("call", correlation,
    start) of the call that launched it, and ("op", correlation, number of the operation); times in
    ns on one clock.
    """
    rows = tuple(rows)
    called: dict[int, int] = {}
    for row in rows:
        if row[0] == "call":  # of the runtime's call and the driver's in it, the first
            called[row[1]] = min(row[2], called.get(row[1], row[2]))
    ops = {row[1]: row[2] for row in rows if row[0] == "op"}
    found = [
        Kernel(
            name=row[2],
            start=row[3] * 1e-9,
            end=row[4] * 1e-9,
            launched=called[row[1]] * 1e-9 if row[1] in called else None,
            op=ops.get(row[1], -1),
            copy=bool(row[5]),
        )
        for row in rows
        if row[0] == "ran"
    ]
    return tuple(sorted(found, key=lambda kernel: kernel.start))


class _Counted:
    """Primitives that tell CUPTI the number of each operation, and note what it was sent off as."""

    def __init__(self, ops: CupyOps, cupti: Any) -> None:
        self._ops, self._cupti = ops, cupti
        self._kind = cupti.ExternalCorrelationKind.CUSTOM0
        self.dispatched: dict[int, Dispatched] = {}

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._ops, name)
        return self._counting(name, found) if name in OPS and OPS[name].moves else found

    def writer(self, op: str, operands: Sequence[Any], options: Mapping[str, Any]) -> Any:
        """Return a function of such operands and of ``out``, as ``Ops.writer``."""
        return self._counting(op, self._ops.writer(op, operands, options))

    def made(self, op: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return what computes what is no primitive, as ``Ops.made``."""
        return self._counting(op, function)

    def _counting(self, op: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*operands: Any, **options: Any) -> Any:
            number = len(self.dispatched)
            self._cupti.activity_push_external_correlation_id(self._kind, number)
            try:
                result = function(*operands, **options)
            finally:
                self._cupti.activity_pop_external_correlation_id(self._kind)
            made = operands[-1] if result is None else result
            arrays = tuple(x for x in operands if hasattr(x, "shape") and x is not made)
            flops = op_of(op).cost(arrays, made).flops
            self.dispatched[number] = Dispatched(op, self._ops.unit_of(op, arrays), flops)
            return result

        return call


def _timed(once: Callable[[Ops], Any], ops: CupyOps) -> float:
    start = perf_counter()
    once(ops)
    ops.wait()
    return perf_counter() - start


def why_no_cupti(error: BaseException, platform: str = sys.platform) -> str:
    """Return why kernels cannot be traced, in one sentence without its stop."""
    text = f"{type(error).__name__} {' '.join(str(error).split())}"
    if isinstance(error, ImportError):
        if not platform.startswith("linux"):
            return "kernel tracing needs cupti-python, which exists for Linux only"
        return "cupti-python is not installed; the extra profile has it"
    if "MULTIPLE_SUBSCRIBERS" in text or "HARDWARE_BUSY" in text:
        return (
            "another profiler has CUPTI in this process (Nsight Systems, PyTorch's profiler); "
            "CUPTI serves one at a time, end the other"
        )
    if "INSUFFICIENT_PRIVILEGES" in text:
        return "CUPTI was refused: this user may not trace the GPU"
    if "libcuda" in text or "NotSupported" in text:
        return "CUPTI finds no NVIDIA driver"
    if any(sign in text for sign in ("NOT_INITIALIZED", "NOT_COMPATIBLE", "NOT_SUPPORTED")):
        return (
            "CUPTI and the NVIDIA driver do not fit together; a cupti-python of the driver's own "
            "CUDA version is needed (12.8 for drivers of CUDA 12)"
        )
    return f"CUPTI failed ({text[:120]})"


# ---- NVML ----------------------------------------------------------------------------------------


class PipeActive:
    """How much of the time the tensor pipe of a card worked, by NVML's GPM counters.

    It is a line over the shares and never one of them: a kernel that uses tensor cores waits for
    memory most of its time. ``reason`` says in one sentence why there is none.
    """

    TITLE = "pipe active"
    ANY_TENSOR = 5  # NVML_GPM_METRIC_ANY_TENSOR_UTIL, per cent

    def __init__(self) -> None:
        self.reason = ""
        self._before: Any = None
        try:
            self._nvml = nvml = import_module("pynvml")
            nvml.nvmlInit()
            self._card = nvml.nvmlDeviceGetHandleByIndex(0)
            if not nvml.nvmlGpmQueryDeviceSupport(self._card).isSupportedDevice:
                self.reason = "the tensor pipe is counted by Hopper cards and newer ones only"
                return
            self._before, self._now = nvml.nvmlGpmSampleAlloc(), nvml.nvmlGpmSampleAlloc()
            nvml.nvmlGpmSampleGet(self._card, self._before)
        except Exception as error:
            self.reason = why_no_nvml(error)

    def sample(self) -> float | None:
        """Return the part (0 … 1) of the time since the last sample, None where it is not known.

        Call it 10 times a second at most: what lies between two samples is averaged.
        """
        if self.reason:
            return None
        nvml = self._nvml
        try:
            nvml.nvmlGpmSampleGet(self._card, self._now)
            asked = nvml.c_nvmlGpmMetricsGet_t()
            asked.version, asked.numMetrics = nvml.NVML_GPM_METRICS_GET_VERSION, 1
            asked.sample1, asked.sample2 = self._before, self._now
            asked.metrics[0].metricId = self.ANY_TENSOR
            nvml.nvmlGpmMetricsGet(asked)
        except Exception as error:
            self.reason = why_no_nvml(error)
            return None
        self._before, self._now = self._now, self._before
        metric = asked.metrics[0]
        known = metric.nvmlReturn == 0 and 0.0 <= metric.value <= 100.0
        return float(metric.value) / 100.0 if known else None


def why_no_nvml(error: BaseException) -> str:
    """Return why the tensor pipe cannot be counted, in one sentence without its stop."""
    kind = type(error).__name__
    if isinstance(error, ImportError):
        return "nvidia-ml-py is not installed; the extra profile has it"
    if "NoPermission" in kind or "Insufficient Permissions" in str(error):
        return "NVML was refused: this user may not read the card's counters"
    if "LibraryNotFound" in kind or "DriverNotLoaded" in kind or "Not Found" in str(error):
        return "NVML finds no NVIDIA driver"
    if "NotSupported" in kind or "FunctionNotFound" in kind or "Not Supported" in str(error):
        return "the tensor pipe is counted by Hopper cards and newer ones only"
    return f"NVML failed ({kind}: {' '.join(str(error).split())[:100]})"

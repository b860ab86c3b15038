"""Clocks without a GPU: recorded kernels, fakes of CUPTI and NVML, a card with a virtual clock."""

from __future__ import annotations

import enum
import gc
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import Any

import fakecupy
import numpy as np
import pytest
from fakecupy import Card

from engine import gpu, models, recording_cost, timing
from engine.device import HOST, Device
from engine.gpu import CupyOps
from engine.kernels import Kernel
from engine.live import LIVE, Live
from engine.models import Config, Model, run
from engine.ops import Ops
from engine.recording_cost import Bare, added, overhead
from engine.said import Said
from engine.shares import CPU_PATH, shares_of
from engine.tape import Tape
from engine.timing import (
    CUPTI_PATH,
    QUEUED_PATH,
    Cupti,
    Dispatched,
    PipeActive,
    active,
    by_events,
    classified,
    kernels_of,
    measure,
    paths,
    random_model,
    shares_of_kernels,
    why_no_cupti,
)
from engine.trace import Basis, Trace, Unit
from engine.units import Work

GRID = Config(kind="grid", words=50, embedding=32, width=32, heads=4, layers=2, mlp=64)
GRU = Config(kind="chain", words=50, embedding=16, width=16, cell="gru")
PEAK = 80e12
CALL_US = 4.0  # of a launch: the call of CUDA, which comes last


def grid() -> Model:
    return random_model(GRID)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[Card]:
    """Return a card by whose clock runs are timed, too."""
    gpu._there.clear()
    made = fakecupy.fixture(lambda name, it: monkeypatch.setitem(sys.modules, name, it))
    for module in (models, timing):
        monkeypatch.setattr(module, "perf_counter", lambda: made.host_us * 1e-6)
    yield made
    gpu._there.clear()


def device(name: str = "Fake GeForce RTX 4090", *, tensor_cores: bool = True) -> Device:
    capability = 8.9 if tensor_cores else 7.5
    return Device("CuPy", name, memory_bytes=2**30, capability=capability,
                  tensor_cores=tensor_cores)  # fmt: skip


class ActivityKind(enum.IntEnum):
    """Kinds of records; the numbers are made up."""

    CONCURRENT_KERNEL = 1
    MEMCPY = 2
    MEMSET = 3
    RUNTIME = 4
    DRIVER = 5
    EXTERNAL_CORRELATION = 6


class FakeCupti:
    """Enough of cupti-python: records of what a card did, with the numbers that were pushed."""

    def __init__(self, card: Card, *, refuses: str = "", slows_us: float = 0.0) -> None:
        self.ActivityKind = ActivityKind
        self.ExternalCorrelationKind = SimpleNamespace(CUSTOM0=1)
        self.card, self.refuses, self.slows_us = card, refuses, slows_us
        self.pushed: list[int] = []
        self.enabled: set[int] = set()
        self.records: list[Any] = []
        self.correlation = 0
        launch = card.launch

        def traced(name: str, **options: Any) -> None:
            launch(name, **options)
            called = card.host_us - CALL_US
            if self.enabled:
                card.host_us += self.slows_us
                self._record(name, called)

        card.launch = traced  # type: ignore[method-assign]

    def _record(self, name: str, called: float) -> None:
        kinds, ran = self.ActivityKind, self.card.kernels[-1]
        self.correlation += 1
        self.records.append(
            SimpleNamespace(kind=kinds["RUNTIME"], correlation_id=self.correlation,
                            start=int(called * 1e3))
        )  # fmt: skip
        if self.pushed:
            self.records.append(
                SimpleNamespace(kind=kinds["EXTERNAL_CORRELATION"], external_id=self.pushed[-1],
                                correlation_id=self.correlation)
            )  # fmt: skip
        copy = name.startswith("memcpy")
        self.records.append(
            SimpleNamespace(
                kind=kinds["MEMCPY" if copy else "CONCURRENT_KERNEL"], name=name,
                start=int(ran.begin * 1e3), end=int(ran.end * 1e3),
                correlation_id=self.correlation, copy_kind=2 if "D2H" in name else 1,
            )
        )  # fmt: skip

    def activity_register_callbacks(self, requested: Any, completed: Any) -> None:
        assert requested()[0] > 2**20
        self.completed = completed

    def activity_enable(self, kind: int) -> None:
        if self.refuses:
            raise type("cuptiError", (Exception,), {})(self.refuses)
        self.enabled.add(kind)

    def activity_disable(self, kind: int) -> None:
        self.enabled.discard(kind)

    def activity_push_external_correlation_id(self, kind: int, id: int) -> None:
        self.pushed.append(id)

    def activity_pop_external_correlation_id(self, kind: int) -> int:
        return self.pushed.pop()

    def activity_flush_all(self, flag: int) -> None:
        records, self.records = self.records, []
        thread = threading.Thread(target=self.completed, args=(records,))  # not the engine's
        thread.start()
        thread.join()

    def get_timestamp(self) -> int:
        return int(self.card.host_us * 1e3)


def with_cupti(monkeypatch: pytest.MonkeyPatch, card: Card, **options: Any) -> FakeCupti:
    fake, module = FakeCupti(card, **options), ModuleType("cupti")
    module.cupti = fake  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cupti", module)
    return fake


# ---- which clock ---------------------------------------------------------------------------------


def test_without_a_gpu_the_timers_of_the_cpu_measure_and_the_others_say_why() -> None:
    host = Device("NumPy", "this CPU", reason="CuPy is not installed; NumPy computes.")
    known = paths(host)
    assert [path.id for path in known] == ["cupti", "events", "cpu"]
    assert active(known).title == CPU_PATH
    assert known[0].reason == known[1].reason == host.reason


def test_with_a_gpu_and_no_tracing_events_measure() -> None:
    known = paths(device())
    assert active(known).title == QUEUED_PATH
    assert known[0].reason


def test_kernel_activity_comes_first_where_it_can(
    monkeypatch: pytest.MonkeyPatch, card: Card
) -> None:
    with_cupti(monkeypatch, card)
    assert active(paths(device(), Cupti(device()))).title == CUPTI_PATH


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED (39)", "another profiler"),
        ("ERROR_NOT_INITIALIZED (15): not initialised", "do not fit together"),
        ("ERROR_INSUFFICIENT_PRIVILEGES (35)", "may not trace"),
        ("CUDA driver is not found (libcuda.so.1)", "no NVIDIA driver"),
        ("ERROR_UNKNOWN (999)", "CUPTI failed"),
    ],
)
def test_a_cupti_that_refuses_is_passed_over_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, card: Card, error: str, says: str
) -> None:
    with_cupti(monkeypatch, card, refuses=error)
    cupti = Cupti(device())
    assert says in cupti.reason
    known = paths(device(), cupti)
    assert known[0].reason == cupti.reason
    assert active(known).id == "events"


def test_an_absent_cupti_says_where_it_is_to_be_had() -> None:
    missing = ModuleNotFoundError("No module named 'cupti'", name="cupti")
    assert "extra profile" in why_no_cupti(missing, "linux")
    assert "Linux only" in why_no_cupti(missing, "win32")


def test_nothing_is_asked_of_cupti_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupti", None)  # an import would fail
    assert Cupti(HOST).reason == "there is no GPU"


# ---- kernels -------------------------------------------------------------------------------------


def recorded() -> tuple[tuple[Any, ...], ...]:
    """Return what CUPTI would say of two operations; ns."""
    return (
        ("call", 1, 0), ("op", 1, 0), ("ran", 1, "cupy_add__float32", 5_000, 8_000, False),
        ("call", 2, 1_000), ("call", 2, 900), ("op", 2, 1),
        ("ran", 2, "ampere_fp16_s16816gemm_fp16_64x64_nn", 8_010, 18_010, False),
        ("call", 3, 30_000), ("ran", 3, "memcpy", 33_000, 35_000, True),
    )  # fmt: skip


SENT = {0: Dispatched("add", Unit.STREAM, 100), 1: Dispatched("product", Unit.MATRIX, 10**6)}


def test_records_become_kernels_with_their_call_and_operation() -> None:
    add, product, copy = kernels_of(reversed(recorded()))
    assert (add.op, product.op, copy.op) == (0, 1, -1)
    assert product.launched == pytest.approx(900e-9)  # the outermost of two calls
    assert (add.copy, copy.copy) == (False, True)


def test_kernels_become_an_exclusive_partition() -> None:
    found = classified(kernels_of(recorded()), SENT, PEAK)
    assert [it.work for it in found] == [Work.STREAM, Work.MATRIX, Work.COPY]
    shares = shares_of_kernels(found, 0.0, 40e-6)
    expected = {
        Work.STREAM: 3 / 40, Work.MATRIX: 10 / 40, Work.COPY: 2 / 40,
        # 5 before the first, 15 until the launch of the copy, 5 behind it.
        Work.SEQUENTIAL: (5 + 14.99 + 5) / 40,
    }  # fmt: skip
    for work, part in expected.items():
        assert shares[work] == pytest.approx(part, abs=1e-6)
    assert shares[Work.IDLE] == pytest.approx(0.01 / 40, abs=1e-6)  # the device's own gap
    assert sum(shares.parts.values()) == 1.0
    assert (shares.basis, shares.path) == (Basis.MEASURED, CUPTI_PATH)


@pytest.mark.parametrize(
    ("kind", "work"), [(1, Work.COPY), (2, Work.COPY), (8, Work.STREAM), (10, Work.STREAM)]
)
def test_a_copy_on_the_card_is_stream_work_and_only_one_to_or_from_the_host_a_transfer(
    kind: int, work: Work, card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeCupti(card)
    monkeypatch.setitem(sys.modules, "cupti", SimpleNamespace(cupti=fake))
    made = Cupti(device())
    assert not made.reason
    made._completed([
        SimpleNamespace(kind=ActivityKind.MEMCPY, name="memcpy", start=1, end=9, correlation_id=1,
                        copy_kind=kind),
    ])  # fmt: skip
    (copy,) = kernels_of(made._rows)
    assert [it.work for it in classified([copy], {}, PEAK)] == [work]


def test_a_kernel_in_doubt_is_a_slice_of_its_own() -> None:
    sent = {1: Dispatched("product", Unit.MATRIX, 10**6)}
    odd = [Kernel("ampere_sgemm_128x64_nn", 0.0, 1e-3, op=1)]
    found = classified(odd, sent, PEAK)
    assert shares_of_kernels(found, 0.0, 2e-3)[Work.UNCLASSIFIED] == 0.5


def test_a_card_without_tensor_cores_has_no_matrix_share() -> None:
    found = classified(kernels_of(recorded()), SENT, PEAK, tensor_cores=False)
    assert shares_of_kernels(found, 0.0, 40e-6)[Work.MATRIX] == 0.0


def test_a_device_clock_put_back_loses_the_kernel_and_not_the_run() -> None:
    rows = (("call", 1, 0), ("ran", 1, "cupy_add", 9_000, 4_000, False))
    shares = shares_of_kernels(classified(kernels_of(rows), {}, PEAK), 0.0, 1e-5)
    assert sum(shares.parts.values()) == 1.0
    assert shares[Work.STREAM] == 0.0


def test_a_run_without_kernels_is_the_hosts() -> None:
    assert shares_of_kernels((), 0.0, 1.0)[Work.SEQUENTIAL] == 1.0


# ---- a run on the fake card ----------------------------------------------------------------------


@pytest.mark.parametrize("config", [GRID, GRU])
def test_kernels_of_a_run_carry_their_operations(
    monkeypatch: pytest.MonkeyPatch, card: Card, config: Config
) -> None:
    fake = with_cupti(monkeypatch, card)
    model, ops, cupti = random_model(config), CupyOps(device(), "float16"), Cupti(device())
    trace, traced = cupti.trace(
        lambda ops: run(model, np.arange(6), hidden=5, ops=ops), ops
    )  # fmt: skip
    assert cupti.reason == ""
    assert cupti.overhead == 0.0
    assert not fake.pushed
    assert not fake.enabled
    assert isinstance(trace, Trace)
    ran = [it for it in traced.kernels if not it.kernel.copy and it.kernel.op >= 0]
    assert ran
    products = [it for it in ran if "gemm" in it.kernel.name]
    assert products
    # The card's library took tensor cores for one row, too, where the engine does not expect them.
    expected = {Work.MATRIX: Work.MATRIX, Work.STREAM: Work.UNCLASSIFIED}
    assert all(it.work is expected[it.votes.dispatched] for it in products if it.votes.dispatched)
    assert traced.shares[Work.MATRIX] > 0 or config is GRU
    assert all(it.work is Work.STREAM for it in ran if it.kernel.name.startswith("cupy_"))
    assert sum(traced.shares.parts.values()) == 1.0
    assert traced.shares[Work.SEQUENTIAL] > 0.5  # 15 us a launch for 2 us a kernel


def test_tracing_that_slows_a_run_is_switched_off_and_says_so(
    monkeypatch: pytest.MonkeyPatch, card: Card
) -> None:
    with_cupti(monkeypatch, card, slows_us=6.0)
    model, cupti = grid(), Cupti(device())
    _, shares = measure(model, 1, 6, CupyOps(device()), cupti=cupti)
    assert cupti.overhead is not None
    assert cupti.overhead > 0.1
    assert "switched off" in cupti.reason
    assert shares.path == QUEUED_PATH


def test_by_cupti_a_measured_run_says_so(monkeypatch: pytest.MonkeyPatch, card: Card) -> None:
    with_cupti(monkeypatch, card)
    _, shares = measure(grid(), 1, 6, CupyOps(device()), cupti=Cupti(device()))
    assert (shares.path, shares.basis) == (CUPTI_PATH, Basis.MEASURED)


def test_events_behind_a_held_device_hold_no_launches(card: Card) -> None:
    model, ops = grid(), CupyOps(device(), "float16")

    def once(ops: Ops) -> Trace:
        return run(model, np.arange(6), hidden=5, ops=ops)

    trace, shares = by_events(once, ops)
    held = next(i for i, it in enumerate(card.kernels) if it.name == "unrolled_spin")
    busy = sum(
        it.end - it.begin for it in card.kernels[held + 1 :] if not it.name.startswith("memcpy")
    )
    steps = sum(step.timing.seconds for step in trace.steps if step.cost.bytes)
    assert steps == pytest.approx(busy * 1e-6, rel=0.15)  # no 15 us a launch in any of them
    assert sum(shares.parts.values()) == 1.0
    assert shares[Work.SEQUENTIAL] > 0.5
    assert shares[Work.MATRIX] > 0
    assert (shares.path, shares.basis) == (QUEUED_PATH, Basis.INFERRED)


def test_a_card_without_tensor_cores_sends_no_product_to_them(card: Card) -> None:
    ops = CupyOps(device("NVIDIA GeForce GTX 1660", tensor_cores=False), "float16")
    _, shares = measure(grid(), 1, 6, ops)
    assert shares[Work.MATRIX] == 0.0
    assert shares[Work.STREAM] > 0.0


class Enough(Exception):
    """Somebody does not want to wait any longer."""


@pytest.mark.parametrize("traced", [False, True])
def test_a_run_on_a_card_ends_wherever_it_is_told_to(
    monkeypatch: pytest.MonkeyPatch, card: Card, traced: bool
) -> None:
    monkeypatch.setattr("engine.tape.WATCHED_SECONDS", 0.0)
    fake = with_cupti(monkeypatch, card)
    cupti = Cupti(device()) if traced else None
    for last in (1, 2, 5, 11, 23):
        told = 0

        def stop(start: float, end: float, spent: object, *, last: int = last) -> None:
            nonlocal told
            told += 1
            if told == last:
                raise Enough

        with pytest.raises(Enough):
            measure(grid(), 1, 6, CupyOps(device()), watch=stop, cupti=cupti)
        assert not fake.enabled  # nothing is traced behind it
        assert not fake.pushed


# ---- on the CPU ----------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [GRID, GRU])
def test_a_run_on_the_cpu_has_the_shares_of_its_steps(config: Config) -> None:
    trace, shares = measure(random_model(config), 2, 8, Ops())
    assert shares.path == CPU_PATH
    again = shares_of(trace)
    for work in Work:
        assert shares[work] == pytest.approx(again[work], abs=1e-9)


def test_a_model_too_large_is_refused_with_its_memory() -> None:
    huge = Config(kind="grid", words=10**6, embedding=10**6, width=10**6, heads=1, layers=1, mlp=4)
    with pytest.raises(Said, match=r"GiB"):
        random_model(huge)


@pytest.mark.parametrize(("batch", "tokens"), [(1, 10**9), (10**9, 10**9), (64, 8192)])
def test_a_run_too_large_is_refused_with_its_memory(batch: int, tokens: int) -> None:
    model = random_model(
        Config(kind="grid", words=50, embedding=64, width=64, heads=8, layers=24, mlp=256)
    )
    with pytest.raises(Said, match=r"GiB"):
        measure(model, batch, tokens, Ops())


@pytest.mark.parametrize(("batch", "tokens"), [(0, 4), (4, 0), (-1, 4), (1, -(10**9))])
def test_nonsense_is_refused(batch: int, tokens: int) -> None:
    with pytest.raises(Said, match="no workload"):
        measure(grid(), batch, tokens, Ops())


@pytest.mark.parametrize("config", [GRID, GRU])
def test_what_is_compared_with_recording_computes_the_same(config: Config) -> None:
    model, ids = random_model(config), np.arange(8)
    seen: list[list[Any]] = []

    class Seen(Bare):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            seen.append(self._kept)

    models.record(Seen(Ops(), model.parameters), model, ids, hidden=7)
    trace = run(model, ids, hidden=7, ops=Ops())
    np.testing.assert_array_equal(seen[0][-1], trace.steps[-1].value)


def test_recording_costs_something_where_operations_are_tiny() -> None:
    narrow = Config(kind="chain", words=50, embedding=2, width=2, cell="gru")
    assert 0.0 < overhead(random_model(narrow), np.zeros(64, np.int64), 41) < 3.0


def test_what_recording_adds_is_the_median_of_pairs_by_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, made = [0.0], []
    monkeypatch.setattr(recording_cost, "clock", lambda: now[0])

    def compute(tape: Tape) -> None:
        made.append(isinstance(tape, Bare))
        slow = 100.0 if len(made) == 3 else 1.0  # one busy moment
        now[0] += 2.0 if made[-1] else 2.2 * slow

    assert added(compute, {}, 3) == pytest.approx(0.1)
    assert made == [True, False, False, True, True, False, False, True]


def test_a_run_that_was_timed_leaves_nothing_behind() -> None:
    """Else the next one would take fresh memory, which counts as what recording adds."""
    model = random_model(Config(kind="chain", words=50, embedding=8, width=8, cell="gru"))
    ran: list[weakref.ref[Tape]] = []

    def compute(tape: Tape) -> None:
        ran.append(weakref.ref(tape))
        models.record(tape, model, np.zeros(9, np.int64), hidden=8)

    gc.disable()
    try:
        added(compute, model.parameters, 3)
        assert [ref() for ref in ran] == [None] * 8
    finally:
        gc.enable()


def test_the_live_block_says_what_recording_it_adds() -> None:
    small = replace(LIVE, batch=1, tokens=4)
    ran, wholly = Live(small), Live(replace(small, model="toy"))
    for live in (ran, wholly):
        assert -0.5 < live.recording(9) < 5.0


# ---- NVML ----------------------------------------------------------------------------------------


def nvml(**functions: Callable[..., Any]) -> ModuleType:
    """Return enough of pynvml, with functions in place of its own."""
    module: Any = ModuleType("pynvml")
    module.NVML_GPM_METRICS_GET_VERSION = 1
    module.nvmlInit = lambda: None
    module.nvmlDeviceGetHandleByIndex = lambda _: "card"
    module.nvmlGpmQueryDeviceSupport = lambda _: SimpleNamespace(isSupportedDevice=1)
    samples = iter(range(99))
    module.nvmlGpmSampleAlloc = lambda: next(samples)
    module.nvmlGpmSampleGet = lambda *_: None

    class Asked:
        def __init__(self) -> None:
            self.metrics = [SimpleNamespace(metricId=0, nvmlReturn=99, value=-1.0)]

    def get(asked: Any) -> None:
        assert asked.sample1 != asked.sample2
        assert asked.metrics[0].metricId == PipeActive.ANY_TENSOR
        asked.metrics[0].nvmlReturn, asked.metrics[0].value = 0, 40.0

    module.c_nvmlGpmMetricsGet_t, module.nvmlGpmMetricsGet = Asked, get
    for name, function in functions.items():
        setattr(module, name, function)
    return module  # type: ignore[no-any-return]


def fails(name: str, text: str = "") -> Callable[..., Any]:
    def function(*_: Any) -> Any:
        raise type(name, (Exception,), {})(text)

    return function


def test_the_tensor_pipe_is_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", nvml())
    pipe = PipeActive()
    assert pipe.reason == ""
    assert pipe.sample() == pipe.sample() == 0.4


@pytest.mark.parametrize(
    ("functions", "says"),
    [
        ({"nvmlInit": fails("NVMLError_LibraryNotFound")}, "no NVIDIA driver"),
        ({"nvmlGpmQueryDeviceSupport": fails("NVMLError_NoPermission")}, "was refused"),
        ({"nvmlGpmSampleGet": fails("NVMLError", "Insufficient Permissions")}, "was refused"),
        ({"nvmlGpmQueryDeviceSupport": fails("NVMLError_NotSupported")}, "Hopper"),
        (
            {"nvmlGpmQueryDeviceSupport": lambda _: SimpleNamespace(isSupportedDevice=0)},
            "Hopper",
        ),
        ({"nvmlInit": fails("NVMLError_Unknown", "odd")}, "NVML failed"),
    ],
)
def test_without_the_counters_there_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, functions: dict[str, Any], says: str
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", nvml(**functions))
    pipe = PipeActive()
    assert says in pipe.reason
    assert pipe.sample() is None


def test_counters_that_stop_in_between_say_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    module = nvml()
    monkeypatch.setitem(sys.modules, "pynvml", module)
    pipe = PipeActive()
    module.nvmlGpmMetricsGet = fails("NVMLError_NoPermission")  # type: ignore[attr-defined]
    assert pipe.sample() is None
    assert "was refused" in pipe.reason


def test_a_value_that_no_counter_can_have_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def odd(asked: Any) -> None:
        asked.metrics[0].nvmlReturn, asked.metrics[0].value = 0, float("nan")

    monkeypatch.setitem(sys.modules, "pynvml", nvml(nvmlGpmMetricsGet=odd))
    assert PipeActive().sample() is None


def test_without_its_package_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert "extra profile" in PipeActive().reason

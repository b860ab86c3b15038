"""The GPU without one: every model on a fake card, what is dispatched, and every way to lose it."""

from __future__ import annotations

import ctypes
import gc
import inspect
import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import fakecupy
import numpy as np
import pytest
from fakecupy import Card

from engine import gpu, weights
from engine.device import HOST, Device, Lost, on_device
from engine.gpu import CupyOps, ops_for, probe
from engine.models import Model, run
from engine.ops import OPS, Ops
from engine.precision import HALVES, PRECISIONS, overflow
from engine.said import Said
from engine.selfcheck import CASES, error_of
from engine.trace import Basis, Unit

SENTENCE = [5, 9, 2, 7, 1]
ROOT = Path(__file__).resolve().parents[1]
MODELS = weights.available()
# Relative to the largest value of a tensor. float32: another order of the same sums; the others: a
# rounding after each of up to 100 operations in a row, see test_engine_precision.
TOLERANCE = {"float32": 2e-5, "TF32": 0.02, "float16": 0.05, "bfloat16": 0.4}


def model(id: str) -> Model:
    return weights.load(id)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[Card]:
    gpu._there.clear()
    yield fakecupy.fixture(lambda name, it: monkeypatch.setitem(sys.modules, name, it))
    gpu._there.clear()


def device(card: Card) -> Device:
    return Device(
        "CuPy",
        card.name,
        memory_bytes=card.memory_bytes,
        capability=float(f"{card.capability[0]}.{card.capability[1]}"),
        tensor_cores=True,
    )


def ops_on(card: Card, precision: str = "float32") -> CupyOps:
    return CupyOps(device(card), precision)


# ---- the same numbers ----------------------------------------------------------------------------


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("id", MODELS)
def test_a_model_computes_the_same_on_the_card(card: Card, id: str, precision: str) -> None:
    there = run(model(id), SENTENCE, hidden=2, ops=ops_on(card, precision))
    here = run(model(id), SENTENCE, hidden=2, ops=Ops())
    assert [s.name for s in there.steps] == [s.name for s in here.steps]
    for mine, exact in zip(there.steps, here.steps, strict=True):
        assert (mine.axes, mine.reads, mine.stage, mine.op) == (
            exact.axes,
            exact.reads,
            exact.stage,
            exact.op,
        )
        assert mine.value.shape == exact.value.shape
        assert mine.value.dtype == exact.value.dtype  # int64, or float32 for every precision
        if mine.value.dtype.kind == "f" and mine.value.size:
            assert error_of(mine.value, exact.value) <= TOLERANCE[precision], mine.name
        assert mine.cost.flops == exact.cost.flops
    assert there.facts.backend == "CuPy"
    assert there.facts.precision == precision


@pytest.mark.parametrize("id", ["gru", "lstm", "transformer"])
def test_a_batch_and_padding_compute_the_same_on_the_card(card: Card, id: str) -> None:
    ids = np.array([SENTENCE, SENTENCE[::-1]])
    mask = np.array([[True] * 5, [True] * 3 + [False] * 2]) if id == "transformer" else None
    for precision in ("float32", "float16"):
        there = run(model(id), ids, hidden=1, ops=ops_on(card, precision), mask=mask)
        here = run(model(id), ids, hidden=1, ops=Ops(), mask=mask)
        error = np.max(
            np.abs(there.value("answer.probabilities") - here.value("answer.probabilities"))
        )
        assert error < TOLERANCE[precision]


def test_every_precision_is_another_number(card: Card) -> None:
    found = {
        precision: run(model("transformer"), SENTENCE, hidden=2, ops=ops_on(card, precision))
        .value("answer.probabilities")
        .tobytes()
        for precision in PRECISIONS
    }
    assert len(set(found.values())) == len(PRECISIONS)


def test_every_primitive_is_called_like_numpys() -> None:
    for name in OPS.keys() - {"input"}:
        mine, exact = getattr(CupyOps, name), getattr(Ops, name)
        assert inspect.signature(mine) == inspect.signature(exact), name
    for name in ("to_device", "to_host", "fetch", "parameter", "rows_like", "writer", "unit_of"):
        mine, exact = getattr(CupyOps, name), getattr(Ops, name)
        assert list(inspect.signature(mine).parameters) == list(
            inspect.signature(exact).parameters
        ), name


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("op", sorted(OPS.keys() - {"input"}))
def test_a_primitive_computes_the_same_on_the_card(card: Card, op: str, precision: str) -> None:
    ops = ops_on(card, precision)
    for operands, options in CASES[op]():
        there = ops.to_host(getattr(ops, op)(*map(ops.to_device, operands), **options))
        rounded = [ops.to_host(ops.to_device(x)) for x in operands]
        wide = [x.astype(np.float64) if x.dtype.kind == "f" else x for x in rounded]
        exact = getattr(Ops(), op)(*wide, **options)
        assert there.shape == exact.shape
        largest = max(1e-9, float(np.max(np.abs(exact))))
        # One rounding of the result and, of TF32, one of each operand of a product; float32 adds
        # up in another order.
        most = 4 * PRECISIONS[precision].rounding if op == "product" else 0.0
        most = max(most, 1e-5, 1.01 * PRECISIONS[precision].rounding * (precision in HALVES))
        assert np.max(np.abs(there - exact)) <= most * largest


# ---- what is dispatched --------------------------------------------------------------------------


def kernels_of(card: Card, ops: CupyOps, a: Any, b: Any, **options: Any) -> list[str]:
    x, y = ops.to_device(a), ops.to_device(b)
    before = len(card.kernels)
    found = ops.product(x, y, **options)
    names = [kernel.name for kernel in card.kernels[before:]]
    wide = b.swapaxes(-1, -2) if options.get("transpose_b") else b
    exact = np.matmul(a.astype(float), wide.astype(float))
    assert np.max(np.abs(ops.to_host(found) - exact)) < 0.05 * np.max(np.abs(exact))
    return names


ON_TENSOR_CORES = re.compile("s16816|s1688")


@pytest.mark.parametrize("precision", ["TF32", *HALVES])
@pytest.mark.parametrize(
    ("a", "b", "transposed"),
    [
        ((4, 8), (8, 6), False),
        ((3, 4, 8), (8, 6), False),
        ((3, 4, 8), (3, 8, 6), False),
        ((3, 4, 8), (3, 6, 8), True),
        ((2, 3, 4, 8), (2, 3, 8, 6), False),
        ((2, 3, 4, 8), (2, 3, 6, 8), True),
        ((2, 3, 5, 7), (2, 3, 3, 7), True),  # nothing is a multiple of anything
        ((2, 1, 4, 8), (1, 3, 8, 6), False),
        ((8,), (2, 6, 8), True),
    ],
)
def test_every_product_reaches_the_tensor_cores_in_one_call(
    card: Card, precision: str, a: Any, b: Any, transposed: bool
) -> None:
    generator = np.random.default_rng(0)
    x, y = (generator.normal(size=shape).astype(np.float32) for shape in (a, b))
    names = kernels_of(card, ops_on(card, precision), x, y, transpose_b=transposed)
    products = [name for name in names if "gemm" in name]
    assert len(products) == 1
    assert ON_TENSOR_CORES.search(products[0])
    assert not any("cast" in name or "float32" in name for name in names)


def test_what_cupy_does_with_more_than_two_axes_would_be_seen(card: Card) -> None:
    ops = ops_on(card, "float16")
    x = ops.to_device(np.ones((2, 4, 4), np.float32))
    before = len(card.kernels)
    ops.xp.matmul(x, x)  # what ops.matmul must never do
    names = [kernel.name for kernel in card.kernels[before:]]
    assert len(names) == 3
    assert not any(ON_TENSOR_CORES.search(name) for name in names)


def test_heads_are_multiplied_without_a_copy(card: Card) -> None:
    ops = ops_on(card, "float16")
    rows = ops.to_device(np.random.default_rng(0).normal(size=(5, 40)).astype(np.float32))
    q = ops.split_heads(rows, heads=5)
    before = len(card.kernels)
    ops.product(q, q, transpose_b=True)
    assert len(card.kernels) == before + 1


def test_float32_stays_on_cuda_cores(card: Card) -> None:
    a = np.ones((3, 4, 8), np.float32)
    names = kernels_of(card, ops_on(card), a, a, transpose_b=True)
    assert names == ["ampere_sgemm_128x64_nn"]


def test_without_the_call_products_are_made_one_by_one(card: Card) -> None:
    ops = ops_on(card, "float16")
    ops.xp.cuda.runtime.is_hip = True
    a = np.ones((3, 4, 8), np.float32)
    names = [n for n in kernels_of(card, ops, a, a, transpose_b=True) if "gemm" in n]
    assert len(names) == 3
    assert all(ON_TENSOR_CORES.search(name) for name in names)


@pytest.mark.parametrize(
    ("precision", "shape", "unit"),
    [
        ("float32", (4, 8), Unit.STREAM),
        ("float16", (4, 8), Unit.MATRIX),
        ("TF32", (4, 8), Unit.MATRIX),
        ("float16", (1, 8), Unit.STREAM),
    ],
)
def test_the_unit_of_a_product_is_what_was_dispatched(
    card: Card, precision: str, shape: Any, unit: Unit
) -> None:
    ops = ops_on(card, precision)
    operands = (ops.to_device(np.ones(shape, np.float32)), ops.to_device(np.ones((8, 8))))
    assert ops.unit_of("product", operands) is unit
    assert ops.unit_of("argmax", operands[:1]) is Unit.STREAM
    assert ops.unit_of("gelu", operands[:1]) is Unit.STREAM


def test_a_card_without_tensor_cores_uses_cuda_cores(card: Card) -> None:
    ops = CupyOps(replace(device(card), tensor_cores=False), "float16")
    one = ops.to_device(np.ones((4, 4), np.float32))
    assert ops.unit_of("product", (one, one)) is Unit.STREAM


# ---- waiting, uploading, memory ------------------------------------------------------------------


@pytest.mark.parametrize("id", MODELS)
def test_a_run_waits_behind_its_last_operation_and_when_all_is_fetched(card: Card, id: str) -> None:
    ops = ops_on(card)
    run(model(id), SENTENCE, hidden=2, ops=ops)
    card.waits = 0
    trace = run(model(id), SENTENCE, hidden=2, ops=ops)
    assert card.waits == 3  # behind the run, before fetching, behind fetching
    fetched = [i for i, kernel in enumerate(card.kernels) if kernel.name == "memcpy D2H"]
    computed = [i for i, kernel in enumerate(card.kernels) if "gemm" in kernel.name]
    assert max(computed) < fetched[-1]
    assert len(fetched) < 4 * len(trace.steps)


def test_what_shares_memory_on_the_card_shares_it_here(card: Card) -> None:
    for precision in ("float32", "float16"):
        ops = ops_on(card, precision)
        rows = ops.to_device(np.arange(40, dtype=np.float32).reshape(5, 8))
        part = ops.view(rows, (slice(2, 4), slice(1, 5)))
        heads = ops.split_heads(rows, heads=2)
        whole, seen, cut = ops.fetch([rows, part, heads])
        assert np.shares_memory(whole, seen)
        assert np.array_equal(seen, whole[2:4, 1:5])
        assert np.array_equal(cut, Ops().split_heads(whole, heads=2))
        assert seen.dtype == np.float32


def test_a_small_part_of_a_large_array_is_fetched_alone(card: Card) -> None:
    ops = ops_on(card)
    table = ops.to_device(np.zeros((1000, 8), np.float32))
    (row,) = ops.fetch([ops.view(table, (3, slice(None)))])
    assert row.base is None or row.base.nbytes < 1000


def test_parameters_are_uploaded_once(card: Card) -> None:
    shipped = model("transformer")
    assert not any(array.flags.writeable for array in shipped.parameters.values())
    ops = ops_on(card)
    run(shipped, SENTENCE, hidden=2, ops=ops)
    before = card.uploads
    run(shipped, SENTENCE, hidden=2, ops=ops)
    assert card.uploads - before == 2  # the tokens and the positions


def test_parameters_that_may_change_are_not_kept(card: Card) -> None:
    ops, array = ops_on(card), np.ones(4, np.float32)
    ops.parameter(array)
    array[:] = 2
    assert np.all(ops.to_host(ops.parameter(array)) == 2)


def test_parameters_that_are_kept_are_bounded(card: Card) -> None:
    card.memory_bytes = 2**16
    ops = ops_on(card)
    arrays = [np.full(1024, i, np.float32) for i in range(30)]
    for array in arrays:
        array.setflags(write=False)
        assert float(ops.to_host(ops.parameter(array))[0]) == array[0]
    assert card.used_bytes <= 2**15


def test_a_parameter_at_the_place_of_one_that_is_gone_is_another(card: Card) -> None:
    ops = ops_on(card)
    for i in range(50):
        array = np.full(8, i, np.float32)
        array.setflags(write=False)
        assert ops.to_host(ops.parameter(array))[0] == i
        del array


def test_a_trace_holds_nothing_on_the_card(card: Card) -> None:
    ops, read = ops_on(card), model("gru")  # its parameters are kept as long as it is
    run(read, SENTENCE, hidden=2, ops=ops)
    gc.collect()
    before = card.used_bytes  # the parameters
    trace = run(read, SENTENCE, hidden=2, ops=ops)
    gc.collect()
    assert card.used_bytes == before
    assert all(isinstance(step.value, np.ndarray) for step in trace.steps)
    assert not any(step.value.flags.writeable for step in trace.steps)


def test_times_are_those_of_the_cards_clock(card: Card) -> None:
    trace = run(model("transformer"), SENTENCE, hidden=2, ops=ops_on(card))
    shortest = (fakecupy.KERNEL_US) / 1e6
    for step in trace.steps:
        assert step.timing.basis is Basis.MEASURED
        moved = OPS[step.op].moves
        assert step.timing.seconds >= shortest if moved else step.timing.seconds == 0
    assert sum(step.timing.seconds for step in trace.steps) < card.device_us / 1e6


def test_what_half_precision_cannot_hold_is_said(card: Card) -> None:
    ops = ops_on(card, "float16")
    x = ops.to_device(np.array([300.0], np.float32))
    ops.fetch([ops.multiply(x, x)])
    assert ops.notes() == (overflow("float16"),)
    assert ops.notes() == ()


def test_the_card_is_held_while_the_host_queues(card: Card) -> None:
    ops = ops_on(card)
    ops.hold(0.002)
    assert card.kernels[-1].name == "unrolled_spin"
    assert card.kernels[-1].end - card.kernels[-1].begin == pytest.approx(2000)


# ---- which device --------------------------------------------------------------------------------


def test_a_card_that_computes_is_found(card: Card) -> None:
    found = probe()
    assert found.gpu
    assert found.reason == ""
    assert found.name == card.name
    assert found.precisions == tuple(PRECISIONS)
    assert found.tensor_cores
    assert found.capability == 8.9
    assert found.memory_bytes == card.memory_bytes
    assert found.versions["driver"] == "13.0"
    assert found.launch_seconds > 0


@pytest.mark.parametrize(
    ("capability", "missing"),
    [((9, 0), set()), ((7, 5), {"TF32", "bfloat16"}), ((6, 1), {"TF32", "bfloat16"})],
)
def test_an_older_card_says_which_precisions_it_lacks(
    card: Card, capability: tuple[int, int], missing: set[str]
) -> None:
    card.capability = capability
    found = probe()
    assert {name for name, why in found.missing.items() if why} == missing
    assert found.tensor_cores == (capability >= (7, 0))
    for name in missing:
        assert name in found.missing[name]
        with pytest.raises(Said, match=r"choose one of float32, float16\."):
            ops_for(found, name)


def test_a_gtx_16_has_no_tensor_cores_and_computes(card: Card) -> None:
    card.name, card.capability = "NVIDIA GeForce GTX 1650", (7, 5)
    found = probe()
    assert found.gpu
    assert not found.tensor_cores
    assert any("no tensor cores" in note for note in found.notes)
    assert "float16" in found.precisions


def test_a_product_that_is_wrong_is_no_precision(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CupyOps, "_strided", lambda self, a, b: self._one_by_one(a, b) * 1.5)
    found = probe()
    assert "wrong" in found.missing["TF32"]
    assert "float16" not in found.precisions
    assert found.gpu


def _raising(name: str, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    cupy: Any = sys.modules["cupy"]
    monkeypatch.setattr(cupy, name, fail)


NoLibraryError: Any = type(
    "DynamicLibNotFoundError", (RuntimeError,), {"__module__": "cuda.pathfinder"}
)
FAILURES = {
    "no device": (
        fakecupy.cuda_error(100, "cudaErrorNoDevice: no CUDA-capable device is detected"),
        "CuPy is installed but finds no GPU (CUDA error 100); NumPy computes.",
    ),
    "old driver": (
        fakecupy.cuda_error(35, "cudaErrorInsufficientDriver: CUDA driver version is insufficient"),
        "the NVIDIA driver is older than this CuPy needs (CUDA error 35); update it, or install "
        "the extra gpu-cuda12; NumPy computes.",
    ),
    "no nvrtc": (
        NoLibraryError('Failure finding "libnvrtc.so"'),
        "CuPy lacks a library of CUDA (nvrtc); install the extra gpu-cuda13 or gpu-cuda12; NumPy "
        "computes.",
    ),
    "no cublas": (
        ImportError('Failure finding "libcublasLt.so.13 or libcublasLt.so.12": No such file'),
        "CuPy lacks a library of CUDA (cublaslt); install the extra gpu-cuda13 or gpu-cuda12; "
        "NumPy computes.",
    ),
    "old card": (
        fakecupy.cuda_error(209, "cudaErrorNoKernelImageForDevice: no kernel image is available"),
        "the card is too old for this CuPy; install the extra gpu-cuda12; NumPy computes.",
    ),
    "no memory": (
        fakecupy.OutOfMemoryError("Out of memory allocating 1,024 bytes"),
        "the GPU has no memory left; close what else uses it; NumPy computes.",
    ),
    "anything": (
        fakecupy.CUBLASError("CUBLAS_STATUS_NOT_INITIALIZED"),
        "the GPU failed (CUBLASError: CUBLAS_STATUS_NOT_INITIALIZED); NumPy computes.",
    ),
}


@pytest.mark.parametrize("case", FAILURES)
def test_why_there_is_no_gpu_is_one_sentence(
    card: Card, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    error, sentence = FAILURES[case]
    monkeypatch.setattr("engine.device.wheels", lambda: ("cupy-cuda13x",))
    _raising("matmul", error, monkeypatch)
    found = probe()
    assert not found.gpu
    assert found.reason == sentence
    assert found.precisions == ("float32", "float16", "bfloat16")


def test_no_driver_at_all_is_said_as_such(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    cupy: Any = sys.modules["cupy"]
    cupy.cuda.runtime.driverGetVersion = lambda: 0
    _raising("asarray", fakecupy.cuda_error(35, "cudaErrorInsufficientDriver"), monkeypatch)
    assert probe().reason == (
        "CuPy is installed but there is no NVIDIA driver (CUDA error 35); NumPy computes."
    )


@pytest.mark.parametrize("platform", ["linux", "win32"])
def test_without_a_driver_cupy_is_not_even_imported(
    platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def no_library(name: str) -> None:
        asked.append(name)
        raise OSError(name)

    def no_import(name: str) -> ModuleType:
        raise AssertionError(name)

    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(ctypes, "CDLL", no_library)
    monkeypatch.setattr(gpu, "import_module", no_import)
    monkeypatch.setattr("engine.device.wheels", lambda: ("cupy-cuda13x",))
    found = probe()
    assert asked == [{"linux": "libcuda.so.1", "win32": "nvcuda.dll"}[platform]]
    assert found.reason == "CuPy is installed but there is no NVIDIA driver; NumPy computes."


@pytest.mark.parametrize(
    ("wheels", "platform"), [(("cupy-rocm-5-0",), "linux"), (("cupy-cuda13x",), "plan9")]
)
def test_where_the_driver_has_another_name_cupy_is_asked(
    wheels: tuple[str, ...], platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr("engine.device.wheels", lambda: wheels)
    asked: list[str] = []
    monkeypatch.setattr(gpu, "import_module", asked.append)
    probe()
    assert "cupy" in asked


def test_a_device_count_of_nothing_is_no_device(card: Card) -> None:
    card.devices = 0
    assert "finds no GPU (CUDA error 100)" in probe().reason


def test_several_builds_are_the_reason_when_it_fails_and_a_note_when_not(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.device.wheels", lambda: ("cupy-cuda12x", "cupy-cuda13x"))
    assert any("2 builds of CuPy" in note for note in probe().notes)
    _raising("matmul", RuntimeError("boom"), monkeypatch)
    assert (
        probe().reason == "2 builds of CuPy are installed; uninstall all but one; NumPy computes."
    )


def test_without_cupy_that_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert probe().reason == "CuPy is not installed; NumPy computes."


def test_a_gpu_that_computes_nonsense_is_not_used(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    cupy: Any = sys.modules["cupy"]
    monkeypatch.setattr(cupy, "matmul", lambda a, b, out=None: a)
    assert probe().reason == ("the GPU computed something wrong when it was tried; NumPy computes.")


# ---- losing it -----------------------------------------------------------------------------------


@pytest.mark.parametrize("id", ["transformer", "gru"])
def test_a_card_may_be_lost_at_every_launch(card: Card, id: str) -> None:
    shipped, steps = model(id), set()
    run(shipped, SENTENCE, hidden=2, ops=ops_on(card))
    for n in range(0, len(card.kernels), 3):
        card.kernels.clear()
        card.fails_at = n
        with pytest.raises(Lost) as lost:
            run(shipped, SENTENCE, hidden=2, ops=ops_on(card))
        assert lost.value.for_good
        assert str(lost.value).startswith("The GPU stopped")
        assert str(lost.value).endswith("; NumPy computes instead.")
        steps.add(lost.value.step)
    assert len(steps) > 5
    names = {step.name for step in run(shipped, SENTENCE, hidden=2, ops=Ops()).steps}
    assert any(step in names for step in steps)


def test_too_little_memory_is_no_reason_to_give_the_card_up(card: Card) -> None:
    card.memory_bytes = 20_000
    with pytest.raises(Lost, match="no memory left") as lost:
        run(model("transformer"), SENTENCE, hidden=2, ops=ops_on(card))
    assert not lost.value.for_good


def test_an_error_of_ours_is_not_blamed_on_the_card(card: Card) -> None:
    with pytest.raises(Said, match="outside the vocabulary"):
        run(model("gru"), [10**6], hidden=0, ops=ops_on(card))
    ours = TypeError("ours")
    assert ops_on(card).failed(ours, "") is ours


def test_what_takes_the_place_of_a_lost_gpu_has_its_precision_where_it_can() -> None:
    assert gpu.instead("float16").precision == "float16"
    assert gpu.instead("TF32").precision == "float32"
    assert gpu.instead("bfloat16").backend == "NumPy"


# ---- one thread, one import ----------------------------------------------------------------------


def test_everything_on_the_device_runs_in_one_thread() -> None:
    def where() -> str:
        return threading.current_thread().name

    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(on_device(where))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["device"] * 4
    assert on_device(on_device, where) == "device"  # from inside, too
    with pytest.raises(ZeroDivisionError):
        on_device(lambda: 1 / 0)
    assert on_device(where) == "device"


def test_the_primitives_on_a_card_are_always_the_same(card: Card) -> None:
    found = probe()
    assert ops_for(found, "float16") is ops_for(found, "float16")
    assert ops_for(found, "float16") is not ops_for(found)
    assert ops_for(HOST, "float16") is not ops_for(HOST, "float16")


def test_no_other_file_imports_cupy() -> None:
    """``import_module`` is not seen by import-linter."""
    imports = re.compile(r"""import(_module\(\s*["']| )(cupy|cupyx|cupy_backends)\b""")
    for folder in ("app", "widgets", "engine"):
        for path in (ROOT / folder).rglob("*.py"):
            found = imports.search(path.read_text(encoding="utf-8"))
            assert (found is not None) == (path.name == "gpu.py"), path


def test_the_fake_refuses_what_cupy_refuses(card: Card) -> None:
    cupy: Any = sys.modules["cupy"]
    assert isinstance(cupy, ModuleType)
    x = cupy.asarray(np.ones(3, np.float32))
    with pytest.raises(TypeError, match="Implicit conversion"):
        np.asarray(x)
    with pytest.raises(TypeError, match="Unsupported type"):
        cupy.add(x, np.ones(3, np.float32))
    with pytest.raises(TypeError, match="array of the card"):
        np.exp(x)

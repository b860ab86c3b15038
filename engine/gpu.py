"""The GPU: which device computes, found by doing, and the primitives on it by CuPy.

This is the only file that imports cupy, and it does so when it is asked for a device. Everything
that touches the device runs in one thread (``engine.device.on_device``), so there is one CUDA
context and one order of what it does.

Matrix products are the reason for a GPU, and CuPy hides a trap there: of half-precision arrays
with more than two axes ``cupy.matmul`` makes float32 copies and multiplies those on CUDA cores, and
TF32 it uses for two axes only, if at all. So every product goes through ``CupyOps.matmul``.

Sources: CuPy 14.2, ``cupy/_core/_routines_linalg.pyx``; cuBLAS library documentation,
"cublasGemmStridedBatchedEx" and "cublasComputeType_t".
"""

from __future__ import annotations

import sys
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import wraps
from importlib import import_module
from time import perf_counter
from types import ModuleType
from typing import Any

import numpy as np

from engine.device import (
    HOST,
    NO_TENSOR_CORES,
    Device,
    Lost,
    NoDevice,
    NoDriver,
    Wrong,
    is_of_device,
    lacks_driver,
    meaning,
    notes_of,
    versions,
)
from engine.ops import Array, Ops, op_of, rows
from engine.precision import COMPUTING, DEFAULT, HALVES, PRECISIONS, RoundedOps, overflow
from engine.said import Said
from engine.trace import Unit

TENSOR_FROM = {"float16": 7.0, "bfloat16": 8.0, "TF32": 8.0}  # compute capability
CHAIN = 200  # dependent small operations that are timed once
KEPT = 0.25  # part of the card's memory that parameters may fill

# cudaDataType_t and cublasComputeType_t, which CuPy's binding takes as plain numbers.
DATA_TYPES = {"float32": 0, "float16": 2, "bfloat16": 14}
COMPUTE_32F, COMPUTE_32F_FAST_TF32 = 68, 77
ANY_ALGORITHM = -1

# Keeps the card busy while the host queues what is to be timed behind it, so that the times between
# two events hold no launches. ``ticks`` are those of the card's clock.
SPIN = r"""
extern "C" __global__ void unrolled_spin(const long long ticks) {
    const long long begun = clock64();
    while (clock64() - begun < ticks) { }
}
"""
CLOCK_RATE = 13  # cudaDevAttrClockRate, kHz

# One attention weight a thread, exp(q k / √8 - lse): the outputs of ``engine.race``.
OUTPUTS = r"""
extern "C" __global__ void unrolled_outputs(
    const float* q, const float* k, const float* lse, float* out, const int count
) {
    const int i = blockDim.x * blockIdx.x + threadIdx.x;
    if (i >= count) return;
    float sum = 0.0f;
    for (int j = 0; j < 8; ++j) sum += q[8 * i + j] * k[8 * i + j];
    out[i] = expf(sum * 0.35355339f - lse[i]);
}
"""
THREADS = 128  # of a block


# ---- which device --------------------------------------------------------------------------------


def probe() -> Device:
    """Return the GPU if it really computes, and else the CPU with the reason.

    It imports CuPy, adds, multiplies two matrices in every precision and waits for the result, for
    a library may say that there is a device and fail at the first task. Takes seconds on a GPU that
    has not been used yet: call it ``on_device`` and behind the first frame.
    """
    try:
        return _try()
    except Exception as error:
        return replace(HOST, reason=f"{meaning(error)}; NumPy computes.", versions=versions())


def _try() -> Device:
    if "cupy" not in sys.modules and lacks_driver():
        raise NoDriver
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that several are installed is said by us
        cupy = import_module("cupy")
    runtime = cupy.cuda.runtime
    if runtime.getDeviceCount() < 1:
        raise NoDevice
    about = runtime.getDeviceProperties(0)
    name = about["name"].decode(errors="replace") if about["name"] else "GPU 0"
    hip = bool(getattr(runtime, "is_hip", False))
    capability = 0.0 if hip else float(f"{about['major']}.{about['minor']}")
    ones = cupy.asarray(np.ones((16, 16), np.float32))
    twice = ones + ones
    half = cupy.matmul(twice.astype(np.float16), ones.astype(np.float16))
    cupy.cuda.get_current_stream().synchronize()
    if not np.all(half.get() == 32):
        raise Wrong
    device = Device(
        backend="CuPy",
        name=name,
        memory_bytes=int(about["totalGlobalMem"]),
        capability=capability,
        tensor_cores=not hip and capability >= 7 and NO_TENSOR_CORES.search(name) is None,
        versions=versions() | _cuda_versions(runtime),
        notes=notes_of(name, capability, hip),
    )
    missing = {precision: _lacks(device, precision) for precision in PRECISIONS}
    return replace(device, missing=missing, launch_seconds=_time_chain(cupy))


def _lacks(device: Device, precision: str) -> str:
    """Return why a precision cannot be had on a device, by trying it; "" when it can."""
    needed = TENSOR_FROM.get(precision, 0.0)
    if precision == "TF32" and not device.tensor_cores:
        return "TF32 is a mode of tensor cores, and this card has none"
    if device.capability and device.capability < needed and precision != "float16":
        return (
            f"{precision} needs an NVIDIA card of compute capability {needed} (Ampere) or newer; "
            f"this one has {device.capability}"
        )
    generator = np.random.default_rng(0)
    a = generator.normal(size=(3, 16, 16)).astype(np.float32)
    b = generator.normal(size=(3, 16, 16)).astype(np.float32)
    exact = a.astype(np.float64) @ b.astype(np.float64)
    try:
        ops = CupyOps(device, precision)
        found = ops.to_host(ops.product(ops.to_device(a), ops.to_device(b)))
    except Exception as error:
        return f"{precision} failed when it was tried: {meaning(error)}"
    # Both operands and the result are rounded once, and at most 16 products added up.
    off = np.max(np.abs(found - exact)) / np.max(np.abs(exact))
    if not off <= 8 * PRECISIONS[precision].rounding:
        return f"{precision} was tried and wrong by {off:.1g} of the largest number"
    return ""


def _time_chain(cupy: ModuleType) -> float:
    """Return the seconds that each of many small operations takes that wait for one another."""
    x = cupy.asarray(np.zeros(16, np.float32))
    best = float("inf")
    for _ in range(3):  # the first compiles
        start = perf_counter()
        for _ in range(CHAIN):
            x = x + 1.0
        cupy.cuda.get_current_stream().synchronize()
        best = min(best, (perf_counter() - start) / CHAIN)
    return best


def _cuda_versions(runtime: Any) -> dict[str, str]:
    """Return the versions of driver and runtime, "13.0" of 13000."""
    found = {}
    for name, ask in (
        ("driver", runtime.driverGetVersion),
        ("runtime", runtime.runtimeGetVersion),
    ):
        version = int(ask())
        found[name] = f"{version // 1000}.{version % 1000 // 10}"
    return found


# ---- the primitives ------------------------------------------------------------------------------


class Mark:
    """A moment on the device; the difference of two is known when they have been waited for."""

    __slots__ = ("_cuda", "event")

    def __init__(self, cuda: Any) -> None:
        self._cuda = cuda
        self.event = cuda.Event()
        self.event.record()

    def __sub__(self, before: Mark) -> Elapsed:
        """Return the time since another mark."""
        return Elapsed(self._cuda, before.event, self.event)


class Elapsed:
    """The time between two events, in seconds, as ``float`` of it."""

    __slots__ = ("_begin", "_cuda", "_end")

    def __init__(self, cuda: Any, begin: Any, end: Any) -> None:
        self._cuda, self._begin, self._end = cuda, begin, end

    def __float__(self) -> float:
        """Return it in seconds."""
        return float(self._cuda.get_elapsed_time(self._begin, self._end)) / 1000


class Graph:
    """What was recorded; ``launch`` lets the device do all of it again, ``result`` is its array."""

    def __init__(self, graph: Any, result: Any) -> None:
        self.launch: Callable[[], Any] = graph.launch
        self.result = result


class CupyOps(Ops):
    """The primitives on a GPU, with the names, axes and values of NumPy's.

    Nothing here waits for the device but ``wait``, ``to_host`` and ``fetch``. Half precision is
    stored as such; what is more than one rounding is computed in float32 in between.
    """

    backend = "CuPy"
    elsewhere = True
    # One kernel of float16 that rounds once is the same as float32 and a rounding.
    NATIVE = frozenset({"add", "multiply", "relu", "tanh"})

    def __init__(self, device: Device, precision: str = DEFAULT) -> None:
        super().__init__()
        if precision not in PRECISIONS:
            raise ValueError(f"{precision} is none of {', '.join(PRECISIONS)}")
        self.xp = import_module("cupy")
        self.precision = precision
        self.device = device.name
        self.card = device
        # Plain numbers, which CuPy hands to a kernel: arrays of NumPy it refuses.
        self._half, self._one = 0.5, 1.0  # type: ignore[assignment]
        self._dtype = _dtype(precision)
        self._kept: OrderedDict[int, tuple[Callable[[], Any], Any]] = OrderedDict()
        self._overflowed = False
        self._outputs: Any = None  # a kernel, compiled when it is asked for

    # ---- to the device and back ------------------------------------------------------------------

    def threads(self) -> int:
        """Return how many threads of the host ask the device."""
        return 1

    def to_device(self, array: Array) -> Any:
        """Return a host array on the device; floats in its precision, integers as they are."""
        if self._is_half and array.dtype.kind == "f":
            with np.errstate(over="ignore"):
                array = array.astype(self._dtype)
        return self.xp.asarray(array)

    def parameter(self, array: Array) -> Any:
        """Return a parameter on the device, where it is kept as long as the host's lives.

        Only what cannot be written any more is kept; the oldest goes when there are too many.
        """
        if array.flags.writeable:
            return self.to_device(array)
        key = id(array)
        alive, there = self._kept.pop(key, (lambda: None, None))
        if alive() is not array:
            there, kept = self.to_device(array), self._kept
            alive = weakref.ref(array, lambda _: kept.pop(key, None))
        self._kept[key] = (alive, there)
        most = KEPT * self.card.memory_bytes
        while len(self._kept) > 1 and sum(it.nbytes for _, it in self._kept.values()) > most:
            self._kept.popitem(last=False)
        return there

    def to_host(self, array: Any) -> Array:
        """Return a computed array on the host, floats with at least 32 bits; waits for it."""
        return _widened(array.get())

    def fetch(self, arrays: Sequence[Any]) -> list[Array]:
        """Return computed arrays on the host; what shares memory there shares it here."""
        # An array is fetched whole where most of it is asked for, part by part or not at all.
        asked: dict[int, int] = {}
        for array in arrays:
            asked[id(_whole(array))] = asked.get(id(_whole(array)), 0) + array.nbytes
        copies: dict[int, Array] = {}
        for array in arrays:
            whole = _whole(array)
            if 2 * asked[id(whole)] < whole.nbytes or not whole.flags.c_contiguous:
                whole = array
            if id(whole) not in copies:
                copies[id(whole)] = whole.get(blocking=False)
        self.wait()
        copies = {key: _widened(copy) for key, copy in copies.items()}
        self._overflowed |= self._is_half and any(
            bool(np.isposinf(copy).any()) for copy in copies.values() if copy.dtype.kind == "f"
        )
        return [self._same_part(array, copies) for array in arrays]

    @staticmethod
    def _same_part(array: Any, copies: Mapping[int, Array]) -> Array:
        if id(array) in copies:
            return copies[id(array)]
        whole = _whole(array)
        copy = copies[id(whole)]
        wider = copy.itemsize // array.itemsize
        return np.ndarray(
            array.shape,
            copy.dtype,
            copy,
            (array.data.ptr - whole.data.ptr) * wider,
            tuple(stride * wider for stride in array.strides),
        )

    def wait(self) -> None:
        """Wait until everything that was asked for has been computed."""
        self.xp.cuda.get_current_stream().synchronize()

    # ---- what is said of it ----------------------------------------------------------------------

    def clock(self) -> Mark:
        """Return a mark on the device's own clock."""
        return Mark(self.xp.cuda)

    def unit_of(self, op: str, operands: tuple[Any, ...]) -> Unit:
        """Return the unit that does one call: what is dispatched decides.

        A product of several rows, one backward, too, runs on tensor cores in half precision and
        TF32, if the card has any; everything else is done by its CUDA cores, a choice by
        comparison, too.
        """
        if op_of(op).unit is not Unit.MATRIX:
            return Unit.STREAM
        several = rows(operands[0].shape, operands[1].shape) > 1
        on_tensor_cores = self.card.tensor_cores and self.precision != DEFAULT
        if on_tensor_cores and self.card.capability < TENSOR_FROM[self.precision]:
            on_tensor_cores = False
        return Unit.MATRIX if several and on_tensor_cores else Unit.STREAM

    def notes(self) -> tuple[str, ...]:
        """Return what has to be said of what was computed since this was asked last."""
        said = (overflow(self.precision),) if self._overflowed else ()
        self._overflowed = False
        return said

    def failed(self, error: Exception, step: str) -> Exception:
        """Return ``Lost`` for an error of the device, and any other as it is."""
        if not is_of_device(error):
            return error
        full = type(error).__name__ == "OutOfMemoryError" or getattr(error, "status", 0) == 2
        if full:
            self._kept.clear()
            self.xp.get_default_memory_pool().free_all_blocks()
        return Lost(meaning(error), step, for_good=not full)

    def hold(self, seconds: float) -> None:
        """Keep the device busy for so long, while the host queues what is timed behind it."""
        khz = self.xp.cuda.runtime.deviceGetAttribute(CLOCK_RATE, 0)
        spin = self.xp.RawKernel(SPIN, "unrolled_spin")
        spin((1,), (1,), (np.int64(seconds * khz * 1000),))

    def recorded(self, function: Callable[[], Any]) -> Graph:
        """Return what a function launches, recorded as one graph.

        Raises
        ------
        Exception
            Whatever CuPy raises: it records no product of cuBLAS and nothing that waits.
        """
        stream = self.xp.cuda.Stream(non_blocking=True)
        with stream:
            function()  # compiles, and fills the stream's memory pool
            stream.synchronize()
            stream.begin_capture()
            try:
                result = function()
            except BaseException:
                with suppress(Exception):  # it is broken off
                    stream.end_capture()
                raise
            return Graph(stream.end_capture(), result)

    def outputs(self, q: Any, k: Any, lse: Any) -> Any:
        """Return exp(q k / √8 - lse) of each row, shape (row,), by one kernel.

        Parameters
        ----------
        q, k
            Shapes (row, 8), float32.
        lse
            Shape (row,), float32.
        """
        out = self.xp.empty(lse.shape, lse.dtype)
        count = lse.shape[0]
        if self._outputs is None:
            self._outputs = self.xp.RawKernel(OUTPUTS, "unrolled_outputs")
        arguments = (q, k, lse, out, np.int32(count))
        self._outputs((-(-count // THREADS),), (THREADS,), arguments)
        return out

    # ---- primitives ------------------------------------------------------------------------------

    def writer(self, op: str, operands: Sequence[Any], options: Mapping[str, Any]) -> Any:
        """Return a function of such operands and of ``out``, to compute a primitive many times."""
        method = getattr(self, op)
        return lambda *arrays: method(*arrays[:-1], **options, out=arrays[-1])

    def product(self, a: Any, b: Any, transpose_b: bool = False, out: Any = None) -> Any:
        """Return the matrix product a b, or a bᵀ.

        An ``a`` with one axis less than ``b`` is one row for each matrix of ``b``.
        """
        if transpose_b:
            b = self.xp.swapaxes(b, -1, -2)
        if a.ndim > 1 and a.ndim == b.ndim - 1:
            found = self.matmul(a[..., None, :], b)[..., 0, :]
        else:
            found = self.matmul(a, b)
        return found if out is None else self._copied(found, out)

    def matmul(self, a: Any, b: Any) -> Any:
        """Return a b, by tensor cores where the precision has them.

        Parameters
        ----------
        a, b
            Shapes (…, m, k) and (…, k, n), leading axes as in ``numpy.matmul``; ``a`` may be one
            row of shape (k,).
        """
        if a.ndim == 1:
            return self.matmul(a[None], b)[..., 0, :]
        if a.ndim > 2 and b.ndim == 2:  # the same matrix for every row
            return self.matmul(a.reshape(-1, a.shape[-1]), b).reshape(*a.shape[:-1], b.shape[-1])
        in_tf32 = self.precision == "TF32" and a.dtype == b.dtype == np.float32
        if not in_tf32 and (a.ndim == b.ndim == 2 or not self._is_half):
            return self.xp.matmul(a, b)
        leading = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a, b = (
            self.xp.broadcast_to(x, (*leading, *x.shape[-2:])).reshape(-1, *x.shape[-2:])
            for x in (a, b)
        )
        product = self._strided(a, b) if self._has_strided else self._one_by_one(a, b)
        return product.reshape(*leading, *product.shape[-2:])

    @property
    def _has_strided(self) -> bool:
        return not getattr(self.xp.cuda.runtime, "is_hip", False)

    def _one_by_one(self, a: Any, b: Any) -> Any:
        """Return the products of two stacks of matrices, each by a call of its own."""
        product = self.xp.empty((len(a), a.shape[1], b.shape[2]), a.dtype)
        for i in range(len(a)):
            self.xp.matmul(a[i], b[i], out=product[i])
        return product

    def _strided(self, a: Any, b: Any) -> Any:
        """Return the products of two stacks of matrices, shape (batch, m, n), in one call.

        WORKAROUND: the call is cuBLAS's, by a binding that CuPy does not document. Without it half
        precision with more than two axes is computed in float32 on CUDA cores, and TF32 is not
        used there; can go when cupy/cupy#10317 is released and covers TF32.
        """
        cublas = import_module("cupy_backends.cuda.libs.cublas")
        (count, m, k), n = a.shape, b.shape[-1]
        product = self.xp.empty((count, m, n), a.dtype)
        if 0 in (count, m, n, k):
            product.fill(0)
            return product
        a, a_turned, a_leading = self._laid_out(a)
        b, b_turned, b_leading = self._laid_out(b)
        kind = DATA_TYPES[str(a.dtype)]
        compute = COMPUTE_32F_FAST_TF32 if self.precision == "TF32" else COMPUTE_32F
        one, zero = np.array(1, np.float32), np.array(0, np.float32)
        # cuBLAS counts along columns, where a b in rows is bᵀ aᵀ: the operands change places.
        cublas.gemmStridedBatchedEx(
            self.xp.cuda.device.get_cublas_handle(),
            b_turned, a_turned, n, m, k,
            one.ctypes.data,
            b.data.ptr, kind, b_leading, b.strides[0] // b.itemsize,
            a.data.ptr, kind, a_leading, a.strides[0] // a.itemsize,
            zero.ctypes.data,
            product.data.ptr, kind, n, m * n,
            count, compute, ANY_ALGORITHM,
        )  # fmt: skip
        return product

    def _laid_out(self, x: Any) -> tuple[Any, int, int]:
        """Return matrices as cuBLAS reads them, whether turned, and from one line to the next.

        Heads are views of rows, and a transpose is a view, too: neither is copied.
        """
        _, lines, line = x.shape
        across, along = x.strides[1] // x.itemsize, x.strides[2] // x.itemsize
        if along == 1 and across >= line:
            return x, 0, across
        if across == 1 and along >= lines:
            return x, 1, along
        return self.xp.ascontiguousarray(x), 0, line

    def complement(self, x: Any, out: Any = None) -> Any:
        """Return 1 - x."""
        return self.xp.subtract(1.0, x, out=self._out(x.shape, x, out))

    def sigmoid(self, x: Any, out: Any = None) -> Any:
        """Return σ(x) = 1 / (1 + exp(-x))."""
        y = self.xp.multiply(x, 0.5, out=self._out(x.shape, x, out))
        self.xp.tanh(y, out=y)
        y *= 0.5
        y += 0.5
        return y

    def gelu_erf(self, x: Any, out: Any = None) -> Any:
        """Return GELU as it is defined, ½ x (1 + erf(x/√2))."""
        y = self.xp.multiply(x, 0.5**0.5, out=self._out(x.shape, x, out))
        y = import_module("cupyx.scipy.special").erf(y, out=y)
        y += 1.0
        y *= x
        y *= 0.5
        return y

    def softmax(self, x: Any, mask: Any = None, out: Any = None) -> Any:
        """Return softmax(x + mask) over the last axis; a row with everything masked is all zero.

        ``mask`` is added: 0 where a score counts, -inf where it does not.
        """
        xp = self.xp
        y = self._out(x.shape, x, out)
        if mask is not None:
            x = xp.add(x, mask, out=y)
        # As NumPy's: -inf - -inf of a row with everything masked would be NaN.
        highest = xp.max(x, axis=-1, keepdims=True)
        xp.maximum(highest, float(np.finfo(x.dtype).min), out=highest)
        xp.subtract(x, highest, out=y)
        xp.exp(y, out=y)
        total = xp.sum(y, axis=-1, keepdims=True)
        xp.maximum(total, 1.0, out=total)
        y *= 1.0 / total
        return y

    def norm(self, x: Any, gain: Any, bias: Any, eps: float, out: Any = None) -> Any:
        """Return the layer norm over the last axis, (x - mean) / √(variance + eps) gain + bias."""
        xp = self.xp
        y = xp.subtract(x, xp.mean(x, axis=-1, keepdims=True), out=self._out(x.shape, x, out))
        variance = xp.mean(y * y, axis=-1, keepdims=True)
        y *= 1.0 / xp.sqrt(variance + eps)
        y *= gain
        y += bias
        return y

    @property
    def _is_half(self) -> bool:
        return self.precision in HALVES

    def _out(self, shape: tuple[int, ...], like: Any, out: Any = None) -> Any:
        """Return where to write a result; the memory that is used again is CuPy's own pool."""
        return self.xp.empty(shape, like.dtype) if out is None else out

    @staticmethod
    def _parts(shape: tuple[int, ...]) -> Iterator[tuple[Any, ...]]:
        """Yield the whole: every part would be a launch of its own."""
        yield (...,)

    @staticmethod
    def _copied(found: Any, out: Any) -> Any:
        out[...] = found
        return out


def _half_by_float32(name: str) -> Callable[..., Any]:
    """Return a primitive that computes half precision in float32 and rounds its result."""
    exact = getattr(CupyOps, name)

    @wraps(exact)
    def primitive(self: CupyOps, *operands: Any, **options: Any) -> Any:
        native = self.precision == "float16" and name in CupyOps.NATIVE and len(operands) < 3
        if native or not self._is_half:
            return exact(self, *operands, **options)
        out = options.pop("out", None)
        wide = [
            x.astype(np.float32) if getattr(x, "dtype", None) == self._dtype else x
            for x in operands
        ]
        found = exact(self, *wide, **options).astype(self._dtype)
        return found if out is None else self._copied(found, out)

    return primitive


for _name in COMPUTING:
    if _name != "product":
        setattr(CupyOps, _name, _half_by_float32(_name))


def _dtype(precision: str) -> Any:
    """Return in which type numbers of a precision lie in memory."""
    if precision == "bfloat16":
        return np.dtype(import_module("ml_dtypes").bfloat16)
    return np.dtype(np.float16 if precision == "float16" else np.float32)


def _whole(array: Any) -> Any:
    """Return the array whose memory an array is a part of."""
    return array if array.base is None else array.base


def _widened(array: Array) -> Array:
    """Return a host array whose floats have at least 32 bits, which everybody can read."""
    return array if array.dtype.kind in "iub" or array.itemsize > 2 else array.astype(np.float32)


# ---- what to compute with ------------------------------------------------------------------------

_there: dict[tuple[str, str], CupyOps] = {}


def ops_for(device: Device, precision: str = DEFAULT) -> Ops:
    """Return the primitives on a device, in a precision that it has.

    Those of a GPU are always the same, so that parameters stay there.

    Raises
    ------
    engine.said.Said
        With one sentence, when the device does not have the precision.
    """
    if precision not in device.precisions:
        why = device.missing.get(precision) or f"{precision} is none of {', '.join(PRECISIONS)}"
        raise Said(f"{why}; choose one of {', '.join(device.precisions)}.")
    if not device.gpu:
        return RoundedOps(precision) if precision in HALVES else Ops()
    key = (device.name, precision)
    if key not in _there:
        _there[key] = CupyOps(device, precision)
    return _there[key]


def instead(precision: str) -> Ops:
    """Return the primitives on the CPU that take the place of a lost GPU."""
    return ops_for(HOST, precision if precision in HOST.precisions else DEFAULT)

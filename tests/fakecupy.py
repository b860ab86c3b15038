"""A card that is not there: enough of CuPy to run the engine, on NumPy, with a virtual clock.

It refuses what CuPy refuses (arrays of NumPy as operands, being read without ``get``), does what
CuPy 14.2 does behind the back (products of half precision with more than two axes are made in
float32), counts every wait of the host for the device, and can lose the device or its memory. What
cuBLAS does it does on the raw memory that the pointers name.

Nothing that it says of times was measured on a card: a launch costs the host ``LAUNCH_US`` and a
kernel ``KERNEL_US`` and the time of its FLOPs at ``FLOPS_PER_US``.
"""

from __future__ import annotations

import ctypes
import math
import sys
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partialmethod
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

LAUNCH_US, KERNEL_US, FLOPS_PER_US = 15.0, 2.0, 10e6
COPY_US = 4.0
IMPLICIT = (
    "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy "
    "array explicitly."
)


def _error(module: str, name: str, base: type[Exception]) -> Any:
    return type(name, (base,), {"__module__": module})


CUDARuntimeError = _error("cupy_backends.cuda.api.runtime", "CUDARuntimeError", RuntimeError)
CUBLASError = _error("cupy_backends.cuda.libs.cublas", "CUBLASError", RuntimeError)
OutOfMemoryError = _error("cupy.cuda.memory", "OutOfMemoryError", MemoryError)


def cuda_error(status: int, text: str) -> Exception:
    error: Exception = CUDARuntimeError(text)
    error.status = status  # type: ignore[attr-defined]
    return error


@dataclass
class Kernel:
    """One thing that the card did, in microseconds of its clock."""

    name: str
    begin: float
    end: float


class Card:
    """The card and its clock; the host's clock runs with it."""

    def __init__(
        self,
        name: str = "Fake GeForce RTX 4090",
        capability: tuple[int, int] = (8, 9),
        memory_bytes: int = 2**30,
        devices: int = 1,
    ) -> None:
        self.name, self.capability, self.memory_bytes = name, capability, memory_bytes
        self.devices = devices
        self.host_us = self.device_us = 0.0
        self.kernels: list[Kernel] = []
        self.waits = 0
        self.uploads = 0
        self.capture: list[tuple[str, float]] | None = None  # what is being recorded, in us
        self.used_bytes = 0
        self.places: dict[int, int] = {}  # address: bytes
        self.fails_at: int | None = None
        self.fails_with: Exception = cuda_error(719, "cudaErrorLaunchFailure: unspecified")

    def launch(self, name: str, *, flops: float = 0.0, us: float = KERNEL_US) -> None:
        if self.fails_at is not None and len(self.kernels) >= self.fails_at:
            raise self.fails_with
        if self.capture is not None:
            if name.startswith("memcpy"):
                raise cuda_error(900, "cudaErrorStreamCaptureUnsupported")
            self.capture.append((name, us + flops / FLOPS_PER_US))
            return
        self.host_us += LAUNCH_US
        begin = max(self.host_us, self.device_us)
        self.device_us = begin + us + flops / FLOPS_PER_US
        self.kernels.append(Kernel(name, begin, self.device_us))

    def graph(self, recorded: list[tuple[str, float]]) -> None:
        """Do what was recorded: one launch, and kernels without a gap."""
        self.host_us += LAUNCH_US
        for name, us in recorded:
            begin = max(self.host_us, self.device_us)
            self.device_us = begin + us
            self.kernels.append(Kernel(name, begin, self.device_us))

    def refuse_cublas(self) -> None:
        """Refuse a product while something is recorded, as CuPy does."""
        if self.capture is not None:
            raise NotImplementedError(
                "calling cuBLAS API during stream capture is currently unsupported"
            )

    def wait(self) -> None:
        if self.capture is not None:
            raise cuda_error(900, "cudaErrorStreamCaptureUnsupported")
        self.waits += 1
        self.host_us = max(self.host_us, self.device_us)

    def take(self, memory: np.ndarray[Any, Any]) -> None:
        if self.used_bytes + memory.nbytes > self.memory_bytes:
            raise OutOfMemoryError(f"Out of memory allocating {memory.nbytes:,} bytes")
        self.used_bytes += memory.nbytes
        self.places[memory.ctypes.data] = memory.nbytes

    def free(self, place: int, nbytes: int) -> None:
        self.used_bytes -= nbytes
        self.places.pop(place, None)


class ndarray:  # noqa: N801
    """An array on the card."""

    __array_priority__ = 100

    def __init__(self, card: Card, array: Any, base: ndarray | None = None) -> None:
        self._card, self._a, self.base = card, np.asarray(array), base
        if base is None:
            card.take(self._a)
            weakref.finalize(self, card.free, self._a.ctypes.data, self._a.nbytes)

    def _part(self, array: Any) -> ndarray:
        return ndarray(self._card, array, self if self.base is None else self.base)

    shape = property(lambda self: self._a.shape)
    dtype = property(lambda self: self._a.dtype)
    ndim = property(lambda self: self._a.ndim)
    size = property(lambda self: self._a.size)
    nbytes = property(lambda self: self._a.nbytes)
    itemsize = property(lambda self: self._a.itemsize)
    strides = property(lambda self: self._a.strides)
    flags = property(lambda self: SimpleNamespace(c_contiguous=self._a.flags.c_contiguous))
    data = property(lambda self: SimpleNamespace(ptr=self._a.ctypes.data))

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(IMPLICIT)

    def __array_ufunc__(self, ufunc: Any, *_: Any, **__: Any) -> Any:
        raise TypeError(f"numpy.{ufunc.__name__} was called with an array of the card")

    def __bool__(self) -> bool:
        self._card.wait()
        return bool(self._a)

    def __float__(self) -> float:
        self._card.wait()
        return float(self._a)

    def __int__(self) -> int:
        self._card.wait()
        return int(self._a)

    def __len__(self) -> int:
        return len(self._a)

    def __iter__(self) -> Iterator[ndarray]:
        return (self._part(self._a[i, ...]) for i in range(len(self._a)))

    def __getitem__(self, at: Any) -> ndarray:
        places, by_number = _index(at)
        if by_number:
            self._card.launch("cupy_take")
            return ndarray(self._card, self._a[places])
        return self._part(self._a[places])

    def __setitem__(self, at: Any, value: Any) -> None:
        _refuse(value)
        self._card.launch("cupy_copy")
        self._a[_index(at)[0]] = value._a if isinstance(value, ndarray) else value

    def get(
        self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True
    ) -> Any:
        self._card.launch("memcpy D2H", us=COPY_US)
        if blocking:
            self._card.wait()
        return self._a.copy(order="C")

    def set(self, array: Any) -> None:
        self._card.launch("memcpy H2D", us=COPY_US)
        self._a[...] = array

    def fill(self, value: float) -> None:
        self._card.launch("cupy_fill")
        self._a[...] = value

    def reshape(self, *shape: Any) -> ndarray:
        new = self._a.reshape(*shape)
        if np.shares_memory(new, self._a) or not self._a.size:
            return self._part(new)
        self._card.launch("cupy_copy")
        return ndarray(self._card, new)

    def astype(self, dtype: Any, copy: bool = True) -> ndarray:
        self._card.launch("cupy_copy__cast")
        with np.errstate(over="ignore"):
            return ndarray(self._card, self._a.astype(dtype))

    def _with(self, function: Any, other: Any, *, mine: bool = False) -> ndarray:
        _refuse(other)
        self._card.launch(f"cupy_{function.__name__}", flops=self.size)
        value = other._a if isinstance(other, ndarray) else other
        with np.errstate(all="ignore"):
            if mine:
                function(self._a, value, out=self._a, casting="same_kind")
                return self
            return ndarray(self._card, function(self._a, value))

    def _from(self, function: Any, other: Any) -> ndarray:
        """Return a function of something else and this array."""
        _refuse(other)
        self._card.launch(f"cupy_{function.__name__}", flops=self.size)
        with np.errstate(all="ignore"):
            return ndarray(self._card, function(other, self._a))

    def sum(self, axis: Any = None, dtype: Any = None, out: Any = None,
            keepdims: bool = False) -> ndarray:  # fmt: skip
        assert dtype is None
        assert out is None
        self._card.launch("cupy_sum", flops=self.size)
        return ndarray(self._card, self._a.sum(axis=axis, keepdims=keepdims))

    def copy(self) -> ndarray:
        self._card.launch("cupy_copy")
        return ndarray(self._card, self._a.copy())

    def ravel(self) -> ndarray:
        return self.reshape(-1)

    def __matmul__(self, other: Any) -> ndarray:
        return self._with(np.matmul, other)

    def __neg__(self) -> ndarray:
        self._card.launch("cupy_negative", flops=self.size)
        return ndarray(self._card, -self._a)


def _operators() -> None:
    """Give the array the operators that CuPy's has, each a kernel."""
    for name, function in {
        "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide,
    }.items():  # fmt: skip
        setattr(ndarray, f"__{name}__", partialmethod(ndarray._with, function))
        setattr(ndarray, f"__i{name}__", partialmethod(ndarray._with, function, mine=True))
        setattr(ndarray, f"__r{name}__", lambda self, other, f=function: self._from(f, other))
    for name, compared in {
        "eq": np.equal, "ne": np.not_equal, "gt": np.greater, "lt": np.less,
    }.items():  # fmt: skip
        setattr(ndarray, f"__{name}__", partialmethod(ndarray._with, compared))
    ndarray.__hash__ = object.__hash__  # type: ignore[method-assign]


_operators()


def _index(at: Any) -> tuple[tuple[Any, ...], bool]:
    """Return an index as NumPy takes it, and whether numbers on the card are a part of it."""
    places = at if isinstance(at, tuple) else (at,)
    if any(isinstance(place, np.ndarray) for place in places):
        raise TypeError("an array of the card was indexed by one of the host")
    numbers = [place for place in places if isinstance(place, ndarray)]
    if any(place.dtype.kind == "b" for place in numbers):
        raise TypeError("how many a mask takes is known when the card has been waited for")
    found = tuple(place._a if isinstance(place, ndarray) else place for place in places)
    if not any(place is Ellipsis for place in places):
        found = (*found, ...)
    return found, bool(numbers)


def _refuse(*operands: Any) -> None:
    for operand in operands:
        if isinstance(operand, np.ndarray):
            raise TypeError(f"Unsupported type {type(operand)}")


def tf32(x: Any) -> Any:
    """Return float32 numbers as TF32 has them: the nearest of 11 digits, a tie away from zero."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32)


def install(card: Card, put: Callable[[str, Any], None]) -> ModuleType:
    """Put modules of the names of CuPy's where they are imported from; return ``cupy``."""
    cupy: Any = ModuleType("cupy")
    cupy.ndarray = ndarray
    cupy.float16, cupy.float32, cupy.finfo = np.float16, np.float32, np.finfo

    def asarray(a: Any, dtype: Any = None) -> ndarray:
        if isinstance(a, ndarray):
            return a if dtype in (None, a.dtype) else a.astype(dtype)
        card.uploads += 1
        card.launch("memcpy H2D", us=COPY_US)
        return ndarray(card, np.array(a, dtype))

    def empty(shape: Any, dtype: Any = np.float32) -> ndarray:
        # What is read before it is written is seen at once.
        made = np.empty(shape, dtype)
        made[...] = np.nan if made.dtype.kind not in "iub" else -1
        return ndarray(card, made)

    def on_arrays(name: str) -> Callable[..., ndarray]:
        function = getattr(np, name)

        def kernel(*operands: Any, out: Any = None, **options: Any) -> ndarray:
            _refuse(*operands, out)
            card.launch(f"cupy_{name}", flops=max(getattr(x, "size", 0) for x in operands))
            with np.errstate(all="ignore"):
                found = function(*(getattr(x, "_a", x) for x in operands), **options)
            if out is None:
                return ndarray(card, found)
            if not np.can_cast(found.dtype, out.dtype, "same_kind"):
                raise TypeError(f"{found.dtype} cannot be written to {out.dtype}")
            out._a[...] = found
            return out  # type: ignore[no-any-return]

        return kernel

    for name in ("add", "subtract", "multiply", "divide", "tanh", "maximum", "exp", "log", "sqrt",
                 "max", "sum", "mean", "argmax", "square"):  # fmt: skip
        setattr(cupy, name, on_arrays(name))

    def zeros(shape: Any, dtype: Any = float) -> ndarray:
        card.launch("cupy_fill")
        return ndarray(card, np.zeros(shape, dtype))

    def where(condition: ndarray, x: Any, y: Any) -> ndarray:
        _refuse(condition, x, y)
        card.launch("cupy_where", flops=condition.size)
        return ndarray(card, np.where(*(getattr(it, "_a", it) for it in (condition, x, y))))

    def arange(stop: int) -> ndarray:
        card.launch("cupy_arange")
        return ndarray(card, np.arange(stop))

    def take_along_axis(a: ndarray, indices: ndarray, axis: int) -> ndarray:
        _refuse(a, indices)
        card.launch("cupy_take")
        return ndarray(card, np.take_along_axis(a._a, indices._a, axis=axis))

    def add_at(a: ndarray, indices: Any, b: ndarray) -> None:
        _refuse(a, b)
        if a.dtype not in (np.float16, np.float32, np.float64):
            raise TypeError("cupy.add.at only supports int32, float16, float32, float64, …")
        card.launch("cupy_scatter_add", flops=b.size)
        np.add.at(a._a, _index(indices)[0], b._a)

    for function in (zeros, where, arange, take_along_axis):
        setattr(cupy, function.__name__, function)
    cupy.zeros_like = lambda a: zeros(a.shape, a.dtype)
    cupy.add.at = add_at

    def take(a: ndarray, indices: ndarray, axis: int) -> ndarray:
        _refuse(a, indices)
        card.launch("cupy_take")
        return ndarray(card, np.take(a._a, indices._a, axis=axis))

    def joined(function: Any) -> Any:
        def kernel(arrays: Any, axis: int = 0) -> ndarray:
            _refuse(*arrays)
            card.launch(f"cupy_{function.__name__}")
            return ndarray(card, function([x._a for x in arrays], axis=axis))

        return kernel

    def matmul(a: ndarray, b: ndarray, out: Any = None) -> ndarray:
        _refuse(a, b)
        card.refuse_cublas()
        half = a.dtype.itemsize == 2
        flops = 2.0 * b._a.shape[-1] * a._a.size
        if max(a.ndim, b.ndim) <= 2:
            name = "ampere_fp16_s16816gemm_fp16_64x64_nn" if half else "ampere_sgemm_128x64_nn"
        elif a.dtype == np.float16:
            card.launch("cupy_copy__float16_float32")
            card.launch("cupy_copy__float16_float32")
            name = "ampere_sgemm_64x32_sliced1x4_nn"
        elif half:
            raise TypeError("Wrong type of arguments: bfloat16 in _tensordot_core_int_kernel")
        else:
            name = "ampere_sgemm_128x64_nn"
        card.launch(name, flops=flops)
        with np.errstate(over="ignore"):
            wide = (x._a.astype(np.float32) if half else x._a for x in (a, b))
            found = np.matmul(*wide).astype(a.dtype)
        if out is None:
            return ndarray(card, found)
        out._a[...] = found
        return out  # type: ignore[no-any-return]

    cupy.asarray, cupy.empty, cupy.take, cupy.matmul = asarray, empty, take, matmul
    cupy.concatenate, cupy.stack = joined(np.concatenate), joined(np.stack)
    cupy.swapaxes = lambda a, i, j: a._part(np.swapaxes(a._a, i, j))
    cupy.broadcast_to = lambda a, shape: a._part(np.broadcast_to(a._a, shape))

    def ascontiguousarray(a: ndarray) -> ndarray:
        card.launch("cupy_copy")
        return ndarray(card, np.array(a._a, order="C"))

    cupy.ascontiguousarray = ascontiguousarray
    cupy.get_default_memory_pool = lambda: SimpleNamespace(free_all_blocks=lambda: None)

    class RawKernel:
        def __init__(self, code: str, name: str) -> None:
            self.name = name

        def __call__(self, grid: Any, block: Any, arguments: Any) -> None:
            if self.name == "unrolled_spin":
                card.launch(self.name, us=float(arguments[0]) / 1e3)  # at 1 GHz
                return
            assert self.name == "unrolled_outputs"
            q, k, lse, out, count = (getattr(x, "_a", x) for x in arguments)
            assert grid[0] * block[0] >= count
            card.launch(self.name, flops=19.0 * float(count))
            out[...] = np.exp((q * k).sum(-1) / np.sqrt(8) - lse)

    class Graph:
        def __init__(self, recorded: list[tuple[str, float]]) -> None:
            self.recorded = recorded

        def launch(self) -> None:
            card.graph(self.recorded)

    class Stream:
        def __init__(self, non_blocking: bool = False) -> None:
            assert non_blocking  # the default stream waits for others and cannot be recorded

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: Any) -> None:
            return None

        def synchronize(self) -> None:
            card.wait()

        def begin_capture(self) -> None:
            card.capture = []

        def end_capture(self) -> Any:
            recorded, card.capture = card.capture, None
            assert recorded is not None
            return Graph(recorded)

    cupy.RawKernel = RawKernel

    class Event:
        at: float

        def record(self, stream: Any = None) -> None:
            self.at = max(card.host_us, card.device_us)

        def synchronize(self) -> None:
            card.wait()

    def get_device_count() -> int:
        if isinstance(card.fails_with, CUDARuntimeError) and card.fails_at == -1:
            raise card.fails_with
        return card.devices

    def elapsed(begin: Any, end: Any) -> float:
        return float((end.at - begin.at) / 1e3)

    stream = SimpleNamespace(synchronize=card.wait)
    cupy.cuda = ModuleType("cupy.cuda")
    cupy.cuda.Event, cupy.cuda.get_elapsed_time = Event, elapsed
    cupy.cuda.get_current_stream = lambda: stream
    cupy.cuda.Stream = Stream
    cupy.cuda.device = SimpleNamespace(get_cublas_handle=lambda: 1)
    cupy.cuda.runtime = SimpleNamespace(
        is_hip=False,
        getDeviceCount=get_device_count,
        getDeviceProperties=lambda _: {
            "name": card.name.encode(),
            "major": card.capability[0],
            "minor": card.capability[1],
            "totalGlobalMem": card.memory_bytes,
        },
        driverGetVersion=lambda: 13000,
        runtimeGetVersion=lambda: 13020,
        deviceGetAttribute=lambda *_: 1_000_000,
    )

    special = ModuleType("cupyx.scipy.special")

    def erf(x: ndarray, out: ndarray) -> ndarray:
        card.launch("cupyx_scipy_special_erf", flops=67 * x.size)
        out._a[...] = np.vectorize(math.erf, otypes=[x.dtype])(x._a)
        return out

    special.erf = erf  # type: ignore[attr-defined]
    cublas = ModuleType("cupy_backends.cuda.libs.cublas")
    cublas.gemmStridedBatchedEx = _strided(card)  # type: ignore[attr-defined]
    for name, module in {
        "cupy": cupy, "cupy.cuda": cupy.cuda, "cupyx": ModuleType("cupyx"),
        "cupyx.scipy": ModuleType("cupyx.scipy"), "cupyx.scipy.special": special,
        "cupy_backends": ModuleType("cupy_backends"),
        "cupy_backends.cuda": ModuleType("cupy_backends.cuda"),
        "cupy_backends.cuda.libs": ModuleType("cupy_backends.cuda.libs"),
        "cupy_backends.cuda.libs.cublas": cublas,
    }.items():  # fmt: skip
        put(name, module)
    return cupy  # type: ignore[no-any-return]


def fixture(put: Callable[[str, Any], None], **about: Any) -> Card:
    """Return a card on which the engine's next imports of CuPy work."""
    card = Card(**about)
    install(card, put)
    return card


def _strided(card: Card) -> Callable[..., None]:
    """Return cuBLAS's product of stacks, by columns, on the memory that its pointers name."""

    def memory(
        pointer: int, rows: int, columns: int, leading: int, stride: int, batch: int, dtype: Any
    ) -> Any:
        item = np.dtype(dtype).itemsize
        if leading < max(1, rows):
            raise CUBLASError("CUBLAS_STATUS_INVALID_VALUE")
        last = (stride * (batch - 1) + leading * (columns - 1) + rows) * item
        inside = any(
            place <= pointer and pointer + last <= place + size
            for place, size in card.places.items()
        )
        if not inside:
            raise cuda_error(700, "cudaErrorIllegalAddress: an illegal memory access")
        held = (ctypes.c_char * last).from_address(pointer)
        strides = (stride * item, item, leading * item)
        return np.ndarray((batch, rows, columns), dtype, held, 0, strides)

    def types(kind: int) -> Any:
        if kind == 14:
            import ml_dtypes

            return ml_dtypes.bfloat16
        return {0: np.float32, 2: np.float16}[kind]

    def gemm(
        handle: int, turn_a: int, turn_b: int, m: int, n: int, k: int, alpha: int,
        a: int, a_type: int, lda: int, stride_a: int,
        b: int, b_type: int, ldb: int, stride_b: int, beta: int,
        c: int, c_type: int, ldc: int, stride_c: int, batch: int, compute: int, algorithm: int,
    ) -> None:  # fmt: skip
        card.refuse_cublas()
        scalars = [ctypes.c_float.from_address(pointer).value for pointer in (alpha, beta)]
        assert scalars == [1.0, 0.0]
        assert a_type == b_type == c_type
        assert compute in (68, 77)
        assert compute == 68 or a_type == 0
        dtype = types(a_type)
        A = memory(a, *((k, m) if turn_a else (m, k)), lda, stride_a, batch, dtype)
        B = memory(b, *((n, k) if turn_b else (k, n)), ldb, stride_b, batch, dtype)
        C = memory(c, m, n, ldc, stride_c, batch, dtype)
        A = A.swapaxes(1, 2) if turn_a else A
        B = B.swapaxes(1, 2) if turn_b else B
        names = {0: "ampere_sgemm_128x64_nn", 2: "ampere_fp16_s16816gemm_fp16_64x64_nn",
                 14: "ampere_bf16_s16816gemm_bf16_64x64_nn"}  # fmt: skip
        name = "ampere_tf32_s1688gemm_64x64_nn" if compute == 77 else names[a_type]
        card.launch(name, flops=2.0 * batch * m * n * k)
        wide = [x.astype(np.float32) for x in (A, B)]
        if compute == 77:
            wide = [tf32(x) for x in wide]
        with np.errstate(over="ignore"):
            C[...] = np.matmul(*wide).astype(dtype)

    return gemm


def uninstalled(name: str) -> None:
    """Forget a module, so that the next import looks for it."""
    for loaded in [it for it in sys.modules if it == name or it.startswith(f"{name}.")]:
        del sys.modules[loaded]

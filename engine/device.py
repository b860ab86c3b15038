"""The device that computes: what is known of it, the one thread that touches it, and its errors.

Nothing here needs CuPy; ``engine.gpu`` looks for a GPU and computes on it.
"""

from __future__ import annotations

import ctypes
import queue
import re
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from types import MappingProxyType
from typing import Any, TypeVar

from engine.ops import Ops
from engine.precision import HALVES, PRECISIONS
from engine.said import Said

T = TypeVar("T")

# Cards of compute capability 7.5 that were sold without tensor cores: nothing but the name tells.
NO_TENSOR_CORES = re.compile(r"\bGTX 16\d\d")


@dataclass(frozen=True)
class Device:
    """What computes, and what is known of it.

    Parameters
    ----------
    backend
        "CuPy" or "NumPy".
    name
        "NVIDIA GeForce RTX 4090", or "this CPU".
    reason
        Why it is no GPU, in one sentence; "" for a GPU.
    missing
        For each precision "", or why it cannot be chosen.
    notes
        What else has to be said of it, a sentence each.
    memory_bytes
        Of a card.
    capability
        Compute capability of an NVIDIA card, such as 8.9; 0.0 where there is none.
    tensor_cores
        Whether products in half precision run on tensor cores.
    launch_seconds
        Measured: what each of many small operations that wait for one another takes.
    versions
        Of driver, runtime and packages by name.
    """

    backend: str
    name: str
    reason: str = ""
    missing: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    memory_bytes: int = 0
    capability: float = 0.0
    tensor_cores: bool = False
    launch_seconds: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def gpu(self) -> bool:
        """Return whether it is a GPU."""
        return self.backend == "CuPy"

    @property
    def precisions(self) -> tuple[str, ...]:
        """Return the precisions that can be chosen."""
        return tuple(name for name in PRECISIONS if not self.missing.get(name))


HOST = Device(
    "NumPy",
    Ops.device,
    missing=MappingProxyType(
        {"TF32": "TF32 is a mode of the matrix products of NVIDIA cards; a CPU has none"}
    ),
    notes=tuple(f"{half}: computed in float32 and rounded" for half in HALVES),
)


class Lost(Said):
    """The GPU failed in the middle of a run.

    ``why`` is what happened as part of a sentence, ``step`` the one behind which it was noticed,
    ``for_good`` whether there is no use in asking this device again.
    """

    def __init__(self, why: str, step: str, *, for_good: bool = True) -> None:
        self.why, self.step, self.for_good = why, step, for_good
        behind = f" behind {step}" if step else ""
        super().__init__(f"The GPU stopped{behind} ({why}); NumPy computes instead.")


# ---- one thread ----------------------------------------------------------------------------------


class _Worker:
    """A thread that runs what it is given, one after another; it ends with the program."""

    def __init__(self) -> None:
        self._tasks: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="device", daemon=True)
        self._thread.start()

    def run(self, task: Callable[[], T]) -> T:
        """Return what a function of nothing returns, or raise what it raises, in the thread."""
        if threading.current_thread() is self._thread:
            return task()
        done: Future[T] = Future()
        self._tasks.put((done, task))
        return done.result()

    def _work(self) -> None:
        while True:
            done, task = self._tasks.get()
            try:
                done.set_result(task())
            except BaseException as error:
                done.set_exception(error)
            del done, task  # arrays are not kept alive until the next task


@cache
def _worker() -> _Worker:
    return _Worker()


def on_device(function: Callable[..., T], *arguments: Any) -> T:
    """Return what a function returns that runs in the thread of the device; wait for it."""
    return _worker().run(lambda: function(*arguments))


# ---- what is installed ---------------------------------------------------------------------------


def wheels() -> tuple[str, ...]:
    """Return the installed builds of CuPy."""
    names = (str(found.metadata["Name"] or "").lower() for found in metadata.distributions())
    return tuple(sorted({name for name in names if re.fullmatch(r"cupy(-\w[\w.-]*)?", name)}))


PACKAGES = ("nvidia-cublas", "nvidia-cublas-cu12", "nvidia-cuda-nvrtc", "nvidia-cuda-nvrtc-cu12",
            "nvidia-cuda-runtime", "nvidia-cuda-runtime-cu12", "ml-dtypes", "cupti-python",
            "nvidia-ml-py")  # fmt: skip


def versions() -> dict[str, str]:
    """Return the versions of what is installed for a GPU."""
    found = {}
    for name in (*wheels(), *PACKAGES):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def lacks_driver() -> bool:
    """Return whether CuPy is a build for NVIDIA and there is no driver: it need not be imported.

    That would take 20 MB and 0.2 s to find out the same: CUDA looks for the driver by this name.
    """
    library = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}.get(sys.platform)
    if library is None or not any(name.startswith("cupy-cuda") for name in wheels()):
        return False
    try:
        ctypes.CDLL(library)
    except OSError:
        return True
    return False


def notes_of(name: str, capability: float, hip: bool) -> tuple[str, ...]:
    """Return what has to be said of a card and of the builds of CuPy, a sentence each."""
    notes = []
    if len(wheels()) > 1:
        notes.append(
            f"{len(wheels())} builds of CuPy are installed ({', '.join(wheels())}); they overwrite "
            "each other, uninstall all but one"
        )
    if hip:
        notes.append("AMD: products are left to rocBLAS, and which units do them is not known")
    elif NO_TENSOR_CORES.search(name):
        notes.append(f"{name} has no tensor cores: every product runs on CUDA cores")
    elif capability < 7:
        notes.append(
            f"Compute capability {capability} is older than tensor cores, which came with 7.0: "
            "every product runs on CUDA cores"
        )
    return tuple(notes)


# ---- errors --------------------------------------------------------------------------------------


class NoDriver(Exception):
    """There is no driver of NVIDIA."""


class NoDevice(Exception):
    """CuPy counts no device."""


class Wrong(Exception):
    """The device computed something else than what it was asked for."""


def meaning(error: BaseException) -> str:
    """Return what an error of the device means, as a sentence without its stop."""
    text, status = " ".join(str(error).split()), getattr(error, "status", None)
    kind = type(error).__name__
    if isinstance(error, ModuleNotFoundError) and error.name == "cupy":
        return "CuPy is not installed"
    if isinstance(error, ModuleNotFoundError) and error.name == "ml_dtypes":
        return "the package ml_dtypes is not installed"
    if kind == "OutOfMemoryError" or status == 2:
        return "the GPU has no memory left; close what else uses it"
    if isinstance(error, NoDriver):
        return "CuPy is installed but there is no NVIDIA driver"
    if isinstance(error, NoDevice) or status == 100:
        return "CuPy is installed but finds no GPU (CUDA error 100)"
    if status == 35:
        if _driver() == 0:
            return "CuPy is installed but there is no NVIDIA driver (CUDA error 35)"
        return (
            "the NVIDIA driver is older than this CuPy needs (CUDA error 35); update it, or "
            "install the extra gpu-cuda12"
        )
    old = ("no kernel image", "CUBLAS_STATUS_ARCH_MISMATCH", "invalid value for --gpu-architecture")
    if status == 209 or any(phrase in text for phrase in old):
        return "the card is too old for this CuPy; install the extra gpu-cuda12"
    library = re.search(r"(?:lib)?(cublas|nvrtc|cudart|cublasLt)\b", text, re.IGNORECASE)
    if kind == "DynamicLibNotFoundError" or isinstance(error, ImportError):
        lacking = f" ({library[1].lower()})" if library else f" ({text[:80]})"
        return f"CuPy lacks a library of CUDA{lacking}; install the extra gpu-cuda13 or gpu-cuda12"
    if isinstance(error, Wrong):
        return "the GPU computed something wrong when it was tried"
    if len(wheels()) > 1:
        return f"{len(wheels())} builds of CuPy are installed; uninstall all but one"
    return f"the GPU failed ({kind}: {text[:120]})"


def _driver() -> int:
    """Return the version of the driver, 0 where there is none."""
    try:
        return int(sys.modules["cupy"].cuda.runtime.driverGetVersion())
    except Exception:
        return 0


def is_of_device(error: BaseException) -> bool:
    """Return whether an error came from the device or its libraries, and not from our call."""
    root = type(error).__module__.partition(".")[0]
    return root in ("cupy", "cupy_backends", "cupyx", "cuda") or isinstance(error, ImportError)

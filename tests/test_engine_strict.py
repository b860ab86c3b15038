"""The primitives of a card on array-api-strict's second device: nothing hidden goes to the host.

Its arrays refuse NumPy, operands of two devices and of two types; here they stand in for CuPy's,
and are fetched by ``get`` alone. It knows neither half precision nor ``out``: what is written into
an array has to have its type and shape.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import array_api_strict as strict
import numpy as np
import pytest

from engine import selfcheck, weights
from engine.device import Device
from engine.gpu import CupyOps
from engine.models import run
from engine.ops import OPS, Ops

THERE, HERE = strict.Device("device1"), strict.Device("CPU_DEVICE")
CARD = Device("CuPy", "a strict device", memory_bytes=2**30)
SENTENCE = (5, 9, 2, 7, 1)


class Array:
    """An array on the second device, with what CuPy's has and the standard's has not."""

    fetched = 0

    def __init__(self, array: Any) -> None:
        assert array.device == THERE
        self.strict, self.base = array, None

    shape = property(lambda self: self.strict.shape)
    ndim = property(lambda self: self.strict.ndim)
    dtype = property(lambda self: np.dtype(str(self.strict.dtype).rpartition(".")[2]))
    itemsize = property(lambda self: self.dtype.itemsize)
    nbytes = property(lambda self: self.itemsize * self.strict.size)
    flags = SimpleNamespace(c_contiguous=True)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("an array of the device was read without get")

    def __len__(self) -> int:
        return int(self.shape[0])

    def __iter__(self) -> Iterator[Array]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, at: Any) -> Array:
        places = at if isinstance(at, tuple) else (at,)
        return Array(self.strict[places if Ellipsis in places else (*places, ...)])

    def __setitem__(self, at: Any, value: Any) -> None:
        assert value.strict.dtype == self.strict.dtype
        self.strict[at] = value.strict

    def get(self, blocking: bool = True) -> Any:
        Array.fetched += 1
        return np.array(np.asarray(self.strict.to_device(HERE)))

    def reshape(self, *shape: Any) -> Array:
        sides = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        return Array(strict.reshape(self.strict, sides))

    def astype(self, dtype: Any) -> Array:
        return Array(strict.astype(self.strict, getattr(strict, np.dtype(dtype).name)))

    def _with(self, function: Callable[[Any, Any], Any], other: Any) -> Array:
        return Array(function(self.strict, other.strict if isinstance(other, Array) else other))

    def __add__(self, other: Any) -> Array:
        return self._with(operator.add, other)

    def __mul__(self, other: Any) -> Array:
        return self._with(operator.mul, other)

    def __rtruediv__(self, other: float) -> Array:
        return Array(other / self.strict)

    def __iadd__(self, other: Any) -> Array:
        self.strict[...] = self._with(operator.add, other).strict
        return self

    def __imul__(self, other: Any) -> Array:
        self.strict[...] = self._with(operator.mul, other).strict
        return self


def function(name: str) -> Callable[..., Array]:
    """Return a function of the standard on such arrays, with CuPy's ``out``."""
    done = getattr(strict, name)

    def call(*operands: Any, out: Array | None = None, **options: Any) -> Array:
        like = next(x for x in operands if isinstance(x, Array)).strict.dtype
        found = done(
            *(
                x.strict if isinstance(x, Array)
                else strict.asarray(x, dtype=like, device=THERE)
                for x in operands
            ),
            **options,
        )  # fmt: skip
        if out is None:
            return Array(found)
        assert (out.strict.dtype, out.shape) == (found.dtype, found.shape)
        out.strict[...] = found
        return out

    return call


def module() -> ModuleType:
    """Return what stands in for CuPy."""
    made: Any = ModuleType("cupy")
    for name in ("add", "subtract", "multiply", "tanh", "maximum", "exp", "sqrt", "max", "sum",
                 "mean", "argmax", "matmul"):  # fmt: skip
        setattr(made, name, function(name))

    def asarray(a: Any, dtype: Any = None) -> Array:
        return a if isinstance(a, Array) else Array(strict.asarray(a, device=THERE, copy=True))

    def empty(shape: Any, dtype: Any) -> Array:
        return Array(strict.empty(shape, dtype=getattr(strict, np.dtype(dtype).name), device=THERE))

    def joined(join: Any) -> Callable[..., Array]:
        return lambda arrays, axis: Array(join([x.strict for x in arrays], axis=axis))

    def swapaxes(a: Array, i: int, j: int) -> Array:
        axes = list(range(a.ndim))
        axes[i], axes[j] = axes[j], axes[i]
        return Array(strict.permute_dims(a.strict, tuple(axes)))

    made.asarray, made.empty, made.swapaxes, made.finfo = asarray, empty, swapaxes, np.finfo
    made.take = lambda a, indices, axis: Array(_taken(a.strict, indices.strict, axis))
    made.concatenate = lambda arrays, axis: Array(
        strict.concat([x.strict for x in arrays], axis=axis)
    )
    made.stack = lambda arrays, axis: Array(strict.stack([x.strict for x in arrays], axis=axis))
    made.broadcast_to = lambda a, shape: Array(strict.broadcast_to(a.strict, shape))
    made.float32 = np.float32

    class Event:
        def record(self) -> None:
            return None

    made.cuda = SimpleNamespace(
        Event=Event,
        get_elapsed_time=lambda begin, end: 0.0,
        get_current_stream=lambda: SimpleNamespace(synchronize=lambda: None),
        runtime=SimpleNamespace(is_hip=False),
    )
    return made  # type: ignore[no-any-return]


def _taken(table: Any, ids: Any, axis: int) -> Any:
    """Return rows by ids of any shape: the standard takes those of one axis."""
    rows = strict.take(table, strict.reshape(ids, (-1,)), axis=axis)
    return strict.reshape(rows, (*ids.shape, *table.shape[1:]))


@pytest.fixture
def ops(monkeypatch: pytest.MonkeyPatch) -> CupyOps:
    monkeypatch.setitem(sys.modules, "cupy", module())
    Array.fetched = 0
    return CupyOps(CARD)


# erf is no function of the standard.
@pytest.mark.parametrize("op", sorted(OPS.keys() - {"input", "gelu_erf"}))
def test_every_primitive_stays_on_its_device(ops: CupyOps, op: str) -> None:
    for operands, options in selfcheck.CASES[op]():
        there = [ops.to_device(x) for x in operands]
        found = getattr(ops, op)(*there, **options)
        assert Array.fetched == 0
        exact = getattr(Ops(), op)(
            *(x.astype(np.float64) if x.dtype.kind == "f" else x for x in operands), **options
        )
        assert selfcheck.error_of(ops.to_host(found), np.asarray(exact)) <= 1e-5
        Array.fetched = 0


@pytest.mark.parametrize("id", ["rnn", "gru-bi", "lstm-plain", "transformer", "transformer-causal"])
def test_a_model_is_fetched_once_and_has_the_values_of_numpy(
    ops: CupyOps, id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = weights.load(id)
    waited: list[int] = []
    monkeypatch.setattr(type(ops), "wait", lambda self: waited.append(Array.fetched))
    trace = run(model, SENTENCE, hidden=2, ops=ops)
    assert waited[0] == 0  # up to here nothing had been fetched
    exact = run(model, SENTENCE, hidden=2, ops=Ops())
    for mine, right in zip(trace.steps, exact.steps, strict=True):
        assert selfcheck.error_of(mine.value, right.value) <= 1e-4, mine.name


def test_the_stand_in_refuses_what_the_host_would_have_to_do(ops: CupyOps) -> None:
    there = ops.to_device(np.ones(3, np.float32))
    with pytest.raises(TypeError, match="without get"):
        np.asarray(there)
    with pytest.raises((ValueError, AssertionError)):
        Array(strict.asarray([1.0]))  # of the host
    with pytest.raises(TypeError):
        ops.add(there, ops.to_device(np.ones(3, np.int64)))

"""The error function: against Python's own, over its whole range and in both precisions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.erf import ONE, SMALL, erf

# What its docstring promises, of the value.
PROMISED = {np.float64: 7e-16, np.float32: 4e-7}

promised = pytest.mark.parametrize("dtype", PROMISED, ids=lambda dtype: dtype.__name__)


def exact(x: NDArray[Any]) -> NDArray[np.float64]:
    return np.array([math.erf(float(number)) for number in x])


def numbers(dtype: Any) -> NDArray[Any]:
    """Return numbers of either sign over the whole range, dense where the formulas meet."""
    rng = np.random.default_rng(0)
    tiny = math.sqrt(float(np.finfo(dtype).tiny))
    some = [
        np.linspace(-8, 8, 40_001),
        np.linspace(SMALL - 1e-3, SMALL + 1e-3, 4001),
        np.linspace(ONE - 1e-3, ONE + 1e-3, 401),
        np.geomspace(tiny, 1, 4001),
        rng.normal(size=20_000),
    ]
    x = np.concatenate(some)
    return np.concatenate([x, -x]).astype(dtype)


@promised
def test_the_error_is_what_is_promised(dtype: Any) -> None:
    x = numbers(dtype)
    x = x[x != 0]
    y = erf(x, np)
    assert y.dtype == dtype
    assert np.max(np.abs(y - exact(x)) / np.abs(exact(x))) <= PROMISED[dtype]


@promised
def test_no_error_is_larger_than_the_rounding_of_1(dtype: Any) -> None:
    x = numbers(dtype)
    assert np.max(np.abs(erf(x, np) - exact(x))) <= 2 * np.finfo(dtype).eps


@promised
def test_ends_and_signs(dtype: Any) -> None:
    x = np.array([0.0, -0.0, np.inf, -np.inf, 1e30, -1e30], dtype)
    assert erf(x, np).tolist() == [0.0, 0.0, 1.0, -1.0, 1.0, -1.0]
    assert np.signbit(erf(x, np)).tolist() == np.signbit(x).tolist()
    assert np.isnan(erf(np.array([np.nan], dtype), np)).all()


@promised
def test_it_never_falls(dtype: Any) -> None:
    x = np.linspace(-7, 7, 20_001).astype(dtype)
    assert np.diff(erf(x, np)).min() >= -2 * np.finfo(dtype).eps


def test_the_operand_is_not_written_unless_it_is_asked_for() -> None:
    x = np.array([-1.0, 0.25, 2.0])
    before, y = x.copy(), erf(x, np)
    assert np.array_equal(x, before)
    assert erf(x, np, out=x) is x
    assert np.array_equal(x, y)

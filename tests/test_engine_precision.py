"""Half precision on a CPU: computed in float32, every result rounded, and said."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from engine import weights
from engine.models import run
from engine.ops import OPS, Ops
from engine.precision import COMPUTING, HALVES, PRECISIONS, RoundedOps, overflow, rounded
from engine.trace import DEPTHLESS

SENTENCE = [5, 9, 2, 7, 1]


def test_float16_is_rounded_as_numpy_does() -> None:
    x = np.random.default_rng(0).normal(0, 100, 1000).astype(np.float32)
    assert np.array_equal(rounded(x, "float16"), x.astype(np.float16).astype(np.float32))


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1.0, 1.0),
        (1.0 + 2.0**-8, 1.0),  # a tie, to the even one below
        (1.0 + 3 * 2.0**-8, 1.0 + 2.0**-6),  # a tie, to the even one above
        (1.0 + 2.0**-8 + 2.0**-20, 1.0 + 2.0**-7),
        (-3.14159, -3.140625),
        (float(np.finfo(np.float32).max), np.inf),  # nearer to 2^128 than to the largest
        (-np.inf, -np.inf),
        (0.0, 0.0),
    ],
)
def test_bfloat16_is_rounded_to_the_nearest_even(number: float, expected: float) -> None:
    assert rounded(np.array([number], np.float32), "bfloat16")[0] == expected


@pytest.mark.parametrize("bits", [0x7FC00000, 0xFFFFFFFF, 0x7F800001])
def test_no_number_stays_no_number_in_bfloat16(bits: int) -> None:
    x = np.array([bits], np.uint32).view(np.float32)
    assert np.isnan(rounded(x, "bfloat16"))[0]


@pytest.mark.parametrize("name", PRECISIONS)
def test_the_rounding_of_a_precision_bounds_what_it_does(name: str) -> None:
    precision = PRECISIONS[name]
    if name in HALVES:
        x = np.random.default_rng(0).uniform(1, 2, 10_000).astype(np.float32)
        error = np.max(np.abs(rounded(x, name) - x) / x)
        assert precision.rounding / 2 < error <= precision.rounding
        assert np.isfinite(rounded(np.array([precision.largest], np.float32), name)).all()
    assert precision.bits == 32 or precision.digits < 12


def test_every_primitive_that_computes_is_rounded() -> None:
    assert set(COMPUTING) | DEPTHLESS | {"gather", "argmax"} == set(OPS)


def test_rounded_primitives_are_called_like_exact_ones() -> None:
    for name in OPS.keys() - {"input"}:
        mine, exact = getattr(RoundedOps, name), getattr(Ops, name)
        assert inspect.signature(mine) == inspect.signature(exact), name


@pytest.mark.parametrize("precision", HALVES)
@pytest.mark.parametrize("id", weights.available())
def test_every_number_of_a_run_is_one_of_the_precision(id: str, precision: str) -> None:
    trace = run(weights.load(id), SENTENCE, hidden=2, ops=RoundedOps(precision))
    for step in trace.steps:
        if step.value.dtype.kind == "f":
            assert step.value.dtype == np.float32
            assert np.array_equal(rounded(step.value, precision), step.value), step.name
    assert trace.facts.precision == precision
    assert f"{precision}: computed in float32 and rounded after every operation" in (
        trace.facts.notes
    )


# A rounding at every one of the 100 operations in a row, each of half a unit of the last place;
# norms and softmax keep them from growing.
@pytest.mark.parametrize(("precision", "most"), [("float16", 0.02), ("bfloat16", 0.15)])
@pytest.mark.parametrize("id", ["rnn", "gru", "lstm", "transformer"])
def test_half_precision_stays_near_float32(id: str, precision: str, most: float) -> None:
    model = weights.load(id)
    exact = run(model, SENTENCE, hidden=2, ops=Ops()).value("answer.probabilities")
    half = run(model, SENTENCE, hidden=2, ops=RoundedOps(precision)).value("answer.probabilities")
    assert 0 < np.max(np.abs(half - exact)) < most


def test_what_is_too_large_becomes_infinite_and_is_said_once() -> None:
    ops = RoundedOps("float16")
    x: Any = ops.to_device(np.array([300.0], np.float32))
    assert np.isinf(ops.multiply(x, x))[0]
    assert overflow("float16") in ops.notes()
    assert overflow("float16") not in ops.notes()


def test_a_mask_is_no_overflow() -> None:
    ops = RoundedOps("float16")
    ops.to_device(np.array([0.0, -np.inf], np.float32))
    assert overflow("float16") not in ops.notes()


def test_operands_are_not_rounded_in_their_place() -> None:
    x = np.array([1 / 3], np.float32)
    RoundedOps("float16").to_device(x)
    assert x[0] == np.float32(1 / 3)


@pytest.mark.parametrize("precision", ["TF32", "float32", "float8"])
def test_what_a_cpu_cannot_round_to_is_refused(precision: str) -> None:
    with pytest.raises(ValueError, match="is not computed by rounding"):
        RoundedOps(precision)

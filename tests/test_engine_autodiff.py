"""Gradients: every primitive and every model against central differences.

Against PyTorch they are compared in test_engine_program.py, beside those of compiled runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.autodiff import PULL, Call, gradients, pull_back
from engine.models import Config, Model, run, shapes
from engine.ops import OPS, Ops
from engine.tape import Tape
from engine.trace import Facts, Trace

OPS_HERE = Ops()
# Of central differences over four points: they are off by STEP⁴, and by 1e-16 / STEP of rounding.
STEP = 1e-3
TOLERANCE = 1e-7  # of the largest value of a gradient, in float64

Array = NDArray[Any]


# ---- primitives ----------------------------------------------------------------------------------


def traced(op: str, operands: tuple[Array, ...], **options: Any) -> Trace:
    """Return a trace of one call; the operands are its parameters."""
    named = {f"p{k}": operand for k, operand in enumerate(operands)}
    tape = Tape(OPS_HERE, named)
    value = getattr(OPS_HERE, op)(*operands, **options)
    axes = tuple("abcdef"[: value.ndim])
    tape(op, *map(tape.parameter, named), name="y", axes=axes, equation="", **options)
    return Trace(Facts("", "", "grid"), (), 0, (), (), tape.steps(), named)


def differences(function: Callable[[], float], array: Array) -> Array:
    """Return the central difference of a function to every number of an array that it reads.

    Source: Fornberg 1988, "Generation of finite difference formulas", table 1 (order 4).
    """
    found = np.zeros(array.shape)
    for at in np.ndindex(array.shape):
        was = array[at]
        for steps, weight in {-2: 1, -1: -8, 1: 8, 2: -1}.items():
            array[at] = was + steps * STEP
            found[at] += weight * function() / (12 * STEP)
        array[at] = was
    return found


def near(found: Array, expected: Array, tolerance: float = TOLERANCE) -> bool:
    assert found.shape == expected.shape
    return bool(np.abs(found - expected).max() <= tolerance * max(np.abs(expected).max(), 1e-3))


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng([seed, *shape]).normal(0.3, 1.0, shape)


MASK = np.array([[0.0, -np.inf, 0.0], [-np.inf, -np.inf, -np.inf]])  # the second row all masked
AWAY_FROM_0 = np.array([-3.0, -0.7, 0.4, 2.0])
AROUND_0 = np.array([-9.0, -3.0, -0.7, 0.0, 1e-9, 0.4, 2.0, 9.0])
IDS = np.array([[1, 0, 1], [3, 1, 1]])  # a row that is taken four times, and one never

# op -> name of a case -> operands and options
CASES: dict[str, dict[str, tuple[tuple[Array, ...], dict[str, Any]]]] = {
    "view": {
        "one row": ((numbers(4, 3),), {"at": (2, slice(None))}),
        "some columns": ((numbers(4, 5),), {"at": (slice(1, 3),)}),
        "a block": ((numbers(4, 5),), {"at": (slice(1, 3), slice(2, 5))}),
        "of a batch": ((numbers(2, 4, 3),), {"at": (slice(2), 1)}),
        "one number": ((numbers(4),), {"at": (3,)}),
    },
    "split_heads": {"of a batch": ((numbers(2, 4, 6),), {"heads": 3})},
    "merge_heads": {"of a batch": ((numbers(2, 3, 4, 2),), {})},
    "concat": {"three": ((numbers(2, 3), numbers(2, 1), numbers(2, 4)), {})},
    "stack": {
        "rows": ((numbers(3), numbers(3, seed=1)), {}),
        "of a batch": ((numbers(2, 3), numbers(2, 3, seed=1)), {}),
    },
    "gather": {
        "a sentence": ((numbers(5, 3), IDS[0]), {}),
        "of a batch": ((numbers(5, 3), IDS), {}),
    },
    "product": {
        "matrices": ((numbers(2, 3), numbers(3, 4)), {}),
        "transposed": ((numbers(2, 3), numbers(4, 3)), {"transpose_b": True}),
        "a row": ((numbers(3), numbers(3, 4)), {}),
        "a row, transposed": ((numbers(3), numbers(4, 3)), {"transpose_b": True}),
        "a column": ((numbers(2, 3), numbers(3)), {}),
        "a row and a column": ((numbers(3), numbers(3, seed=1)), {}),
        "heads": ((numbers(2, 4, 3), numbers(2, 3, 5)), {}),
        "heads, transposed": ((numbers(2, 4, 3), numbers(2, 5, 3)), {"transpose_b": True}),
        "a batch of one matrix": ((numbers(2, 4, 3), numbers(3, 5)), {}),
        "a batch, transposed": ((numbers(2, 4, 3), numbers(5, 3)), {"transpose_b": True}),
        "a row for each": ((numbers(2, 3), numbers(2, 3, 4)), {}),
        "a row for each, transposed": ((numbers(2, 3), numbers(2, 4, 3)), {"transpose_b": True}),
        "a repeated matrix": ((numbers(2, 2, 4, 3), numbers(2, 1, 3, 5)), {}),
        "one row for all": ((numbers(3), numbers(2, 3, 4)), {}),
    },
    "add": {
        "three": ((numbers(3), numbers(3, seed=1), numbers(3, seed=2)), {}),
        "a bias": ((numbers(2, 4, 3), numbers(3)), {}),
        "both repeated": ((numbers(4, 1), numbers(1, 3)), {}),
    },
    "multiply": {
        "alike": ((numbers(2, 3), numbers(2, 3, seed=1)), {}),
        "repeated": ((numbers(2, 3), numbers(2, 1)), {}),
        "one row": ((numbers(3), numbers(2, 3)), {}),
    },
    "scale": {"a factor": ((numbers(2, 3),), {"factor": -0.7})},
    "complement": {"a matrix": ((numbers(2, 3),), {})},
    "tanh": {"a matrix": ((numbers(2, 3),), {})},
    "sigmoid": {"a matrix": ((numbers(2, 3),), {})},
    "relu": {"both sides": ((AWAY_FROM_0.copy(),), {})},
    "gelu": {"with 0": ((AROUND_0.copy(),), {})},
    "gelu_erf": {"with 0": ((AROUND_0.copy(),), {})},
    "softmax": {
        "rows": ((numbers(2, 4),), {}),
        "one row": ((numbers(4),), {}),
        "masked": ((numbers(2, 3), MASK), {}),
        "one mask for all heads": ((numbers(4, 2, 3), MASK), {}),
        "a mask for each sentence": (
            (numbers(2, 4, 2, 3), np.stack([MASK, MASK[::-1]])[:, None]), {},
        ),
    },
    "norm": {
        "rows": ((numbers(4, 5), numbers(5), numbers(5, seed=1)), {"eps": 1e-5}),
        "of a batch": ((numbers(2, 3, 4), numbers(4), numbers(4, seed=1)), {"eps": 0.1}),
        "one row": ((numbers(4), numbers(4, seed=1), numbers(4, seed=2)), {"eps": 1e-6}),
    },
}  # fmt: skip
STOPS = {"input", "argmax"}


def test_every_primitive_has_a_gradient() -> None:
    assert set(PULL) == set(OPS)
    assert {name for name, pull in PULL.items() if pull is None} == STOPS


def test_every_gradient_is_tested() -> None:
    assert set(OPS) - STOPS <= set(CASES)


@pytest.mark.parametrize(("op", "case"), [(op, case) for op in CASES for case in CASES[op]])
def test_a_primitive_agrees_with_central_differences(op: str, case: str) -> None:
    operands, options = CASES[op][case]
    function = getattr(OPS_HERE, op)
    weights = numbers(*function(*operands, **options).shape, seed=9)

    def scalar() -> float:
        return float((weights * function(*operands, **options)).sum())

    trace = traced(op, operands, **options)
    real = [k for k, operand in enumerate(operands) if operand.dtype == np.float64]
    found = gradients(trace, {"y": weights}, wrt=[f"p{k}" for k in real], ops=OPS_HERE)
    for k in real:
        with np.errstate(invalid="ignore"):  # -inf of a mask, moved by a difference, is -inf
            expected = differences(scalar, operands[k])
        assert near(found[f"p{k}"], expected), f"operand {k}"


@pytest.mark.parametrize(("op", "case"), [(op, case) for op in CASES for case in CASES[op]])
def test_many_seeds_at_once_are_as_one_after_another(op: str, case: str) -> None:
    operands, options = CASES[op][case]
    trace = traced(op, operands, **options)
    shape = trace.value("y").shape
    seeds = numbers(3, 2, *shape, seed=4)
    wrt = [f"p{k}" for k, operand in enumerate(operands) if operand.dtype == np.float64]
    together = gradients(trace, {"y": seeds}, wrt=wrt, ops=OPS_HERE)
    for at in np.ndindex(3, 2):
        alone = gradients(trace, {"y": seeds[at]}, wrt=wrt, ops=OPS_HERE)
        for name in wrt:
            assert near(together[name][at], alone[name], 1e-14), name


@pytest.mark.parametrize(("op", "case"), [(op, case) for op in CASES for case in CASES[op]])
def test_a_gradient_keeps_the_precision_and_writes_nothing(op: str, case: str) -> None:
    given, options = CASES[op][case]
    operands = tuple(o.astype(np.float32) if o.dtype == np.float64 else o for o in given)
    for operand in operands:
        operand.setflags(write=False)
    trace = traced(op, operands, **options)
    seed = np.ones(trace.value("y").shape, np.float32)
    seed.setflags(write=False)
    wrt = [f"p{k}" for k, operand in enumerate(operands) if operand.dtype == np.float32]
    for gradient in gradients(trace, {"y": seed}, wrt=wrt, ops=OPS_HERE).values():
        assert gradient.dtype == np.float32


def test_the_choice_of_a_word_stops_a_gradient() -> None:
    trace = traced("argmax", (numbers(4),))
    found = gradients(trace, {"y": np.ones(())}, wrt=["p0"], ops=OPS_HERE)
    assert found["p0"].tolist() == [0.0, 0.0, 0.0, 0.0]


def test_a_saturated_gelu_has_the_slope_of_a_line() -> None:
    trace = traced("gelu", (np.array([-1e4, -50.0, 50.0, 1e4], np.float32),))
    found = gradients(trace, {"y": np.ones(4, np.float32)}, wrt=["p0"], ops=OPS_HERE)
    assert found["p0"].tolist() == [0.0, 0.0, 1.0, 1.0]


# ---- a graph -------------------------------------------------------------------------------------


def test_what_is_read_twice_gets_both_gradients_and_no_seed_is_written() -> None:
    """y = x ⊙ x + x, whose slope is 2 x + 1."""
    x = numbers(3)
    square = Call("square", "multiply", ("x", "x"), (x, x), x * x, {})
    y = Call("y", "add", ("square", "x"), (x * x, x), x * x + x, {})
    seed = np.ones(3)
    found = pull_back([square, y], {"y": seed}, wrt=["x", "square"], ops=OPS_HERE)
    assert np.allclose(found["x"], 2 * x + 1, rtol=1e-15)
    assert seed.tolist() == found["square"].tolist() == [1.0, 1.0, 1.0]


def test_seeds_on_several_steps_add_up() -> None:
    trace = of("lstm attention")
    parts = {"rnn.h.2": numbers(4), "rnn.c.1": numbers(4, seed=1), "answer.logits": numbers(7)}
    wrt = ["rnn.W_h", "embed.x"]
    together = gradients(trace, parts, wrt=wrt, ops=OPS_HERE)
    alone = [gradients(trace, {n: seed}, wrt=wrt, ops=OPS_HERE) for n, seed in parts.items()]
    for name in wrt:
        assert near(together[name], np.sum([found[name] for found in alone], axis=0), 1e-14)


def test_what_a_step_does_not_depend_on_has_gradient_0() -> None:
    found = gradients(
        of("elman"), {"rnn.h.1": np.ones(4)}, wrt=["rnn.h.2", "answer.W_c"], ops=OPS_HERE
    )
    assert not found["rnn.h.2"].any()
    assert not found["answer.W_c"].any()


def test_the_gradient_of_a_step_to_itself_is_its_seed() -> None:
    seed = numbers(4)
    found = gradients(of("elman"), {"rnn.h.2": seed}, wrt=["rnn.h.2"], ops=OPS_HERE)
    assert np.array_equal(found["rnn.h.2"], seed)


def test_a_seed_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"rnn\.h\.1 is \(4,\) and its seed \(3,\)"):
        gradients(of("elman"), {"rnn.h.1": np.ones(3)}, wrt=["embed.x"], ops=OPS_HERE)
    seeds = {"rnn.h.1": np.ones((2, 4)), "rnn.h.2": np.ones(4)}
    with pytest.raises(ValueError, match="the same axes in front"):
        gradients(of("elman"), seeds, wrt=["embed.x"], ops=OPS_HERE)


@pytest.mark.parametrize(("seed", "wrt"), [("rnn.h.9", "embed.x"), ("rnn.h.1", "nothing")])
def test_a_name_that_no_step_has_is_an_error(seed: str, wrt: str) -> None:
    with pytest.raises(KeyError):
        gradients(of("elman"), {seed: np.ones(4)}, wrt=[wrt], ops=OPS_HERE)


# ---- models --------------------------------------------------------------------------------------

CHAIN = Config(kind="chain", words=7, embedding=3, width=4, cell="elman")
GRID = Config(kind="grid", words=7, embedding=4, width=4, heads=2, layers=2, mlp=5)
MODELS = {
    "elman": CHAIN,
    "elman attention": replace(CHAIN, attention=True),
    "gru": replace(CHAIN, cell="gru"),
    "gru attention": replace(CHAIN, cell="gru", attention=True),
    "lstm": replace(CHAIN, cell="lstm"),
    "lstm attention": replace(CHAIN, cell="lstm", attention=True),
    "gru, reset before": replace(CHAIN, cell="gru", reset="before"),
    "two layers": replace(CHAIN, layers=2),
    "both directions": replace(CHAIN, cell="lstm", bidirectional=True, attention=True, width=2),
    "two layers of both": replace(CHAIN, cell="gru", bidirectional=True, layers=2, width=2),
    "pre": GRID,
    "post": replace(GRID, norm="post"),
    "causal": replace(GRID, causal=True),
    "post causal": replace(GRID, norm="post", causal=True),
    "learned": replace(GRID, positions="learned", max_length=6),
    "none, relu": replace(GRID, positions="none", activation="relu", layers=1),
    "gelu_erf": replace(GRID, activation="gelu_erf", layers=1),
}
TOKENS = np.array([2, 5, 1, 5])
BATCH = np.array([[2, 5, 1, 5], [0, 3, 3, 6], [4, 1, 0, 2]])


def parameters(config: Config) -> dict[str, Array]:
    """Return parameters without any zero or one that could hide a missing term."""
    rng = np.random.default_rng(3)
    return {name: rng.normal(0.0, 0.5, shape) for name, shape in shapes(config).items()}


def of(name: str) -> Trace:
    config = MODELS[name]
    model = Model("it", config, parameters(config), tuple("abcdefg"))
    return run(model, TOKENS, hidden=2, ops=OPS_HERE)


def against_differences(config: Config, tokens: Array, mask: Array | None = None) -> None:
    """Compare the gradient of a mixture of all answers' probabilities to every parameter."""
    named = parameters(config)
    model = Model("it", config, named, tuple("abcdefg"))
    weights = numbers(*tokens.shape[:-1], config.words, seed=5)

    def ran() -> Trace:
        return run(model, tokens, hidden=2, ops=OPS_HERE, mask=mask)

    def scalar() -> float:
        return float((weights * ran().value("answer.probabilities")).sum())

    found = gradients(ran(), {"answer.probabilities": weights}, wrt=named, ops=OPS_HERE)
    for array in named.values():
        array.setflags(write=True)
    expected = {name: differences(scalar, array) for name, array in named.items()}
    # The bias of the keys adds the same to all scores of a query, which softmax takes out: its
    # gradient is 0, and rounding is measured by the largest of all parameters.
    largest = max(float(np.abs(value).max()) for value in expected.values())
    for name, value in expected.items():
        error = np.abs(found[name] - value).max()
        assert error <= TOLERANCE * max(float(np.abs(value).max()), 1e-5 * largest), name


@pytest.mark.parametrize("name", MODELS)
def test_a_model_agrees_with_central_differences(name: str) -> None:
    against_differences(MODELS[name], TOKENS)


@pytest.mark.parametrize("name", ["gru attention", "post causal"])
def test_a_batch_agrees_with_central_differences(name: str) -> None:
    against_differences(MODELS[name], BATCH)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_padding_agrees_with_central_differences(norm: str) -> None:
    mask = np.array([[True] * 4, [True, True, True, False], [False, True, True, False]])
    against_differences(replace(GRID, norm=norm), BATCH, mask)


def test_a_batch_has_the_sum_of_the_gradients_of_its_sentences() -> None:
    config = MODELS["lstm attention"]
    model = Model("it", config, parameters(config), tuple("abcdefg"))
    seed = numbers(3, 7)
    wrt = list(model.parameters)
    together = run(model, BATCH, hidden=2, ops=OPS_HERE)
    found = gradients(together, {"answer.logits": seed}, wrt=wrt, ops=OPS_HERE)
    alone = [
        gradients(
            run(model, ids, hidden=2, ops=OPS_HERE), {"answer.logits": g}, wrt=wrt, ops=OPS_HERE
        )
        for ids, g in zip(BATCH, seed, strict=True)
    ]
    for name in wrt:
        assert near(found[name], np.sum([each[name] for each in alone], axis=0), 1e-13), name

"""Recurrent cells: what their gates do, by hand and at the ends of their range."""

from __future__ import annotations

from dataclasses import replace
from math import exp, tanh
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.cells import CELLS, numbered
from engine.models import Config, Model, initialise, run, shapes
from engine.ops import Ops
from engine.trace import Trace

VOCABULARY = ("a", "b", "c")


def config(cell: str, *, width: int = 2) -> Config:
    return Config(kind="chain", words=3, embedding=2, width=width, cell=cell)


def read(
    cell: str, tokens: list[int], *, width: int = 2, dtype: Any = np.float64, **changes: Any
) -> Trace:
    """Return a run whose parameters are random but for ``changes`` (``W_h=0.0`` fills rnn.W_h)."""
    shape = config(cell, width=width)
    parameters = initialise(shape, np.random.default_rng(3), dtype)
    for name, value in changes.items():
        parameters[f"rnn.{name}"] = np.broadcast_to(
            np.asarray(value, dtype), parameters[f"rnn.{name}"].shape
        ).copy()
    model = Model(cell, shape, parameters, VOCABULARY)
    return run(model, tokens, hidden=0, ops=Ops())


def gates(width: int, **each: float) -> NDArray[np.float64]:
    """Return a bias with one number for each gate, in the order given."""
    return np.repeat(list(each.values()), width)


def sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x))


@pytest.mark.parametrize("cell", CELLS)
def test_every_gate_has_its_columns(cell: str) -> None:
    named = shapes(config(cell, width=5))
    row = CELLS[cell]
    columns = 5 * len(row.gates)
    assert named["rnn.W_x"] == (2, columns)
    assert named["rnn.W_h"] == (5, columns)
    assert {named[f"rnn.{bias}"] for bias in row.biases} == {(columns,)}


@pytest.mark.parametrize("cell", CELLS)
def test_the_first_state_is_zero(cell: str) -> None:
    trace = read(cell, [1])
    for letter in CELLS[cell].carries:
        assert trace.value(f"rnn.{letter}.0").tolist() == [0.0, 0.0]


def test_elman_by_hand() -> None:
    # x = E[t] = (1, 2) at both tokens; W_x = (.1, .2), so x W_x = .5; W_h = .3; b = -.4.
    shape = config("elman", width=1)
    parameters = initialise(shape, np.random.default_rng(0), np.float64)
    parameters["embed.E"][1] = [1.0, 2.0]
    parameters["rnn.W_x"][:] = [[0.1], [0.2]]
    parameters["rnn.W_h"][:] = 0.3
    parameters["rnn.b"][:] = -0.4
    model = Model("", shape, parameters, VOCABULARY)
    trace = run(model, [1, 1], hidden=0, ops=Ops())
    first = tanh(0.5 - 0.4)
    assert trace.value("rnn.h.1")[0] == pytest.approx(first, rel=1e-15)
    assert trace.value("rnn.h.2")[0] == pytest.approx(tanh(0.3 * first + 0.1), rel=1e-15)


def test_gru_by_hand() -> None:
    # One number: r = σ(.1), z = σ(.2), n = tanh(.3 + r (.4)) and h_0 = 0.
    b, b_h = gates(1, r=0.05, z=0.15, n=0.3), gates(1, r=0.05, z=0.05, n=0.4)
    trace = read("gru", [0], width=1, W_x=0.0, b=b, b_h=b_h)
    r, z = sigmoid(0.1), sigmoid(0.2)
    n = tanh(0.3 + r * 0.4)
    assert trace.value("rnn.r.1")[0] == pytest.approx(r, rel=1e-15)
    assert trace.value("rnn.z.1")[0] == pytest.approx(z, rel=1e-15)
    assert trace.value("rnn.n.1")[0] == pytest.approx(n, rel=1e-15)
    assert trace.value("rnn.h.1")[0] == pytest.approx((1 - z) * n, rel=1e-15)


def onnx_gru(
    X: NDArray[Any], W: NDArray[Any], R: NDArray[Any], B: NDArray[Any], *, linear_before_reset: int
) -> list[NDArray[Any]]:
    """Return H_1 … H_T as the documentation of the ONNX operator GRU defines them.

    Its names and shapes: X (token, input), W[zrh] (3 hidden, input), R[zrh] (3 hidden, hidden),
    B (6 hidden,), which is Wb[zrh] and Rb[zrh]; f is the logistic function, g tanh.

    Source: onnx.ai/onnx/operators/onnx__GRU.html, "Equations (Default: f=Sigmoid, g=Tanh)".
    """
    hidden = R.shape[1]
    Wz, Wr, Wh = W.reshape(3, hidden, -1)
    Rz, Rr, Rh = R.reshape(3, hidden, hidden)
    Wbz, Wbr, Wbh, Rbz, Rbr, Rbh = B.reshape(6, hidden)

    def f(x: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(1 / (1 + np.exp(-x)))

    H, states = np.zeros(hidden), []
    for x in X:
        z = f(x @ Wz.T + H @ Rz.T + Wbz + Rbz)
        r = f(x @ Wr.T + H @ Rr.T + Wbr + Rbr)
        if linear_before_reset == 0:
            h = np.tanh(x @ Wh.T + (r * H) @ Rh.T + Rbh + Wbh)
        else:
            h = np.tanh(x @ Wh.T + r * (H @ Rh.T + Rbh) + Wbh)
        H = (1 - z) * h + z * H
        states.append(H)
    return states


def onnx_layer(
    X: NDArray[Any], named: dict[str, NDArray[Any]], name: str, shape: Config
) -> NDArray[Any]:
    """Return the states of one direction of a layer with the parameters of our names."""
    d = shape.width

    def blocks(matrix: NDArray[Any]) -> list[NDArray[Any]]:
        return [block.T for block in np.split(matrix, matrix.shape[1] // d, axis=1)]

    r, z, n = blocks(named[f"{name}.W_x"])
    W = np.concatenate([z, r, n])
    state = blocks(named[f"{name}.W_h"])
    R = np.concatenate([state[1], state[0], *(state[2:] or blocks(named[f"{name}.W_hn"]))])
    br, bz, bn = np.split(named[f"{name}.b"], 3)
    hr, hz, hn = np.split(named.get(f"{name}.b_h", np.zeros(3 * d)), 3)
    B = np.concatenate([bz, br, bn, hz, hr, hn])
    return np.array(onnx_gru(X, W, R, B, linear_before_reset=int(shape.reset == "after")))


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    ("layers", "bidirectional"), [(1, False), (3, False), (1, True), (2, True)]
)
@pytest.mark.parametrize("reset", ["before", "after"])
def test_a_gru_is_what_onnx_defines(
    reset: str, layers: int, bidirectional: bool, seed: int, dtype: Any
) -> None:
    rng = np.random.default_rng(seed)
    words, inputs, d, T = (int(rng.integers(1, most)) for most in (9, 12, 17, 15))
    shape = Config(
        kind="chain", words=words, embedding=inputs, width=d, cell="gru", reset=reset,
        layers=layers, bidirectional=bidirectional,
    )  # fmt: skip
    named = {name: rng.normal(0, 0.5, size) for name, size in shapes(shape).items()}
    ids = rng.integers(0, words, T)
    cast = {name: value.astype(dtype) for name, value in named.items()}
    trace = run(Model("", shape, cast, ("",) * words), ids, hidden=0, ops=Ops())
    X = named["embed.E"][ids]
    for layer in range(layers):
        name = f"rnn.{layer}" if layer else "rnn"
        states = {name: onnx_layer(X, named, name, shape)}
        if bidirectional:  # the other direction reads from the right, and its states lie as theirs
            back = f"{name}.back"
            states[back] = onnx_layer(X[::-1], named, back, shape)[::-1]
        for which, expected in states.items():
            largest = np.abs(expected).max()
            for t, state_t in enumerate(expected, 1):
                error = np.abs(trace.value(f"{which}.h.{t}") - state_t).max() / largest
                assert error <= {np.float32: 1e-5, np.float64: 1e-10}[dtype]
        X = np.concatenate(list(states.values()), axis=1)


def test_with_an_open_reset_its_place_makes_no_difference() -> None:
    before, after = (replace(config("gru", width=3), reset=reset) for reset in ("before", "after"))
    named = initialise(after, np.random.default_rng(5), np.float64)
    named["rnn.b"][:3] = 1e3  # r = 1
    halves = {"rnn.W_h": named["rnn.W_h"][:, :6], "rnn.W_hn": named["rnn.W_h"][:, 6:]}
    split = {name: (named | halves)[name] for name in shapes(before)}
    one = run(Model("", before, split, VOCABULARY), [0, 1, 2], hidden=0, ops=Ops())
    other = run(Model("", after, named, VOCABULARY), [0, 1, 2], hidden=0, ops=Ops())
    assert np.allclose(one.value("rnn.h.3"), other.value("rnn.h.3"), rtol=1e-12)


def test_before_the_product_the_reset_acts_on_the_state() -> None:
    before = replace(config("gru"), reset="before")
    model = Model("", before, initialise(before, np.random.default_rng(5)), VOCABULARY)
    trace = run(model, [0, 1], hidden=0, ops=Ops())
    assert trace.step("rnn.n.reset.2").reads == ("rnn.r.2", "rnn.h.1")
    assert trace.step("rnn.n.from_h.2").reads == ("rnn.n.reset.2", "rnn.W_hn")
    assert trace.step("rnn.n.from_h.2").equation == "(r_2 ⊙ h_1) W_{hn}"


def test_lstm_by_hand() -> None:
    trace = read("lstm", [0, 0], width=1, W_x=0.0, W_h=0.0, b=gates(1, i=0.1, f=0.2, g=0.3, o=0.4))
    i, f, g, o = sigmoid(0.1), sigmoid(0.2), tanh(0.3), sigmoid(0.4)
    c = f * (i * g) + i * g
    assert trace.value("rnn.c.2")[0] == pytest.approx(c, rel=1e-15)
    assert trace.value("rnn.h.2")[0] == pytest.approx(o * tanh(c), rel=1e-15)


def test_a_gru_whose_update_gate_is_open_keeps_its_state() -> None:
    # z = 1 from the bias alone; the first state is 0, so it stays 0 whatever is read.
    trace = read("gru", [0, 1, 2], b=gates(2, r=0.0, z=1e3, n=0.0))
    assert trace.value("rnn.h.3").tolist() == [0.0, 0.0]


def test_an_lstm_that_forgets_nothing_and_writes_nothing_keeps_its_cell() -> None:
    open_, closed = 1e3, -1e3
    kept = gates(2, i=closed, f=open_, g=0.0, o=0.0)
    trace = read("lstm", [0, 1, 2], b=kept)
    assert trace.value("rnn.c.3").tolist() == [0.0, 0.0]


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("bias", [-1e4, -89.0, 1e4])
def test_a_saturated_gate_neither_warns_nor_breaks(cell: str, bias: float) -> None:
    # In float32, 1 / (1 + exp(-x)) overflows with a warning, here an error, below x = -88.
    trace = read(cell, [0, 1], dtype=np.float32, b=bias)
    assert np.isfinite(trace.value("rnn.h.2")).all()


@pytest.mark.parametrize("cell", CELLS)
def test_a_state_reads_the_state_before_it_and_no_later_token(cell: str) -> None:
    longer, shorter = read(cell, [0, 1, 2]), read(cell, [0, 1])
    assert np.array_equal(longer.value("rnn.h.2"), shorter.value("rnn.h.2"))
    assert not np.array_equal(longer.value("rnn.h.3"), read(cell, [1, 1, 2]).value("rnn.h.3"))


def test_equations_carry_the_number_of_the_token() -> None:
    assert numbered("h_t = tanh(h_{t−1} W_h + x_t W_x + b)", 3) == (
        "h_3 = tanh(h_2 W_h + x_3 W_x + b)"
    )
    assert numbered("h_t = h_{t−1}", 12) == "h_{12} = h_{11}"


@pytest.mark.parametrize("cell", CELLS)
def test_no_equation_of_a_read_still_says_t(cell: str) -> None:
    trace = read(cell, [0, 1])
    said = [step.equation for step in trace.steps] + [stage.equation for stage in trace.stages]
    assert not [line for line in said if "_t" in line or "t−1" in line]

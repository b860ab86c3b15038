"""Recurrent cells: how one token changes the state.

Notation, the same for every cell, at token t of T:

    x_t     the token's embedding; x_t W_x is computed for all t at once, before the first read
    h_t     the hidden state, h_0 = 0                       (hidden,)
    W_x     input to gates                                  (embedding, gates * hidden)
    W_h     state to gates                                  (hidden, gates * hidden)
    b       bias of the gates                               (gates * hidden,)
    σ, ⊙    logistic function, elementwise product

Vectors are rows and stand left of their matrix, as the arrays lie. A cell with several gates keeps
them side by side in one matrix, in the order of ``Cell.gates``; where a formula names W_{hf}, it
means the part of W_h that belongs to the gate f.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.tape import Tape, Tensor

State = Mapping[str, Tensor]  # "h", and "c" where the cell has one


@dataclass(frozen=True)
class Cell:
    """A row of ``CELLS``.

    ``gates`` are the letters of the parts of W_x, W_h and b, in order; ``carries`` the letters of
    the vectors that go from one token to the next; ``biases`` the names of its bias vectors.
    """

    title: str
    gates: tuple[str, ...]
    carries: tuple[str, ...]
    biases: tuple[str, ...]
    equation: str
    read: Callable[[Tape, Tensor, State, int], State]


def elman(tape: Tape, xW: Tensor, state: State, t: int) -> State:
    """Return h_t = tanh(h_{t-1} W_h + x_t W_x + b).

    Parameters
    ----------
    tape
        Records the steps ``rnn.r.t``, ``rnn.x.t``, ``rnn.a.t``, ``rnn.h.t``.
    xW
        x W_x for all tokens, axes (token, hidden).
    state
        h_{t-1}.
    t
        Which token, from 1.

    Source: Elman 1990, "Finding structure in time", fig. 2; the bias and tanh as in Goodfellow et
    al. 2016, eq. 10.8-10.9.
    """
    p = t - 1
    r = tape(
        "product", state["h"], tape.parameter("rnn.W_h"),
        name=f"rnn.r.{t}", axes=("hidden",), equation=f"h_{{{p}}} W_h",
    )  # (hidden,)
    x = _row(tape, xW, t, axis="hidden")  # (hidden,)
    a = tape(
        "add", r, x, tape.parameter("rnn.b"),
        name=f"rnn.a.{t}", axes=("hidden",), equation=f"h_{{{p}}} W_h + x_{{{t}}} W_x + b",
    )  # (hidden,)
    h = tape("tanh", a, name=f"rnn.h.{t}", axes=("hidden",), equation=f"tanh(a_{{{t}}})")
    return {"h": h}


def gru(tape: Tape, xW: Tensor, state: State, t: int) -> State:
    """Return h_t of the gated recurrent unit.

        r_t = σ(x_t W_{xr} + b_r + h_{t-1} W_{hr} + b_{hr})             reset
        z_t = σ(x_t W_{xz} + b_z + h_{t-1} W_{hz} + b_{hz})             update
        n_t = tanh(x_t W_{xn} + b_n + r_t ⊙ (h_{t-1} W_{hn} + b_{hn}))  new state
        h_t = (1 - z_t) ⊙ n_t + z_t ⊙ h_{t-1}

    The reset acts after the product with W_{hn}, which therefore has a bias of its own, b_h: the
    form of cuDNN and PyTorch. In the paper it acts on h_{t-1} before the product, and z and 1 - z
    change places.

    Parameters
    ----------
    tape
        Records ``rnn.r.t``, ``rnn.z.t``, ``rnn.n.t``, ``rnn.h.t`` and what they are made of.
    xW
        x W_x for all tokens, axes (token, gates): r, z, n.
    state
        h_{t-1}.
    t
        Which token, from 1.

    Source: Cho et al. 2014, "Learning phrase representations", eq. 5-8; the reset after the product
    as in version 1 of arXiv 1406.1078 and the GRU of PyTorch.
    """
    p = t - 1
    hidden = ("hidden",)
    x = _row(tape, xW, t, axis="gates")
    x = tape(
        "add", x, tape.parameter("rnn.b"),
        name=f"rnn.from_x.{t}", axes=("gates",), equation=f"x_{{{t}}} W_x + b",
    )  # (3 * hidden,)
    hh = tape(
        "product", state["h"], tape.parameter("rnn.W_h"),
        name=f"rnn.hh.{t}", axes=("gates",), equation=f"h_{{{p}}} W_h",
    )  # (3 * hidden,)
    hh = tape(
        "add", hh, tape.parameter("rnn.b_h"),
        name=f"rnn.from_h.{t}", axes=("gates",), equation=f"h_{{{p}}} W_h + b_h",
    )  # (3 * hidden,)
    from_x = _split(tape, x, t, gates="rzn", source="from_x")
    from_h = _split(tape, hh, t, gates="rzn", source="from_h")

    gate = {}
    for g in "rz":
        a = tape(
            "add", from_x[g], from_h[g], name=f"rnn.{g}.a.{t}", axes=hidden,
            equation=f"x_{{{t}}} W_{{x{g}}} + b_{g} + h_{{{p}}} W_{{h{g}}} + b_{{h{g}}}",
        )  # fmt: skip
        gate[g] = tape(
            "sigmoid", a, name=f"rnn.{g}.{t}", axes=hidden, equation=f"σ(a_{{{g},{t}}})"
        )  # (hidden,)
    reset = tape(
        "multiply", gate["r"], from_h["n"], name=f"rnn.n.reset.{t}", axes=hidden,
        equation=f"r_{{{t}}} ⊙ (h_{{{p}}} W_{{hn}} + b_{{hn}})",
    )  # fmt: skip
    a = tape(
        "add", from_x["n"], reset, name=f"rnn.n.a.{t}", axes=hidden,
        equation=f"x_{{{t}}} W_{{xn}} + b_n + r_{{{t}}} ⊙ (h_{{{p}}} W_{{hn}} + b_{{hn}})",
    )  # fmt: skip
    n = tape("tanh", a, name=f"rnn.n.{t}", axes=hidden, equation=f"tanh(a_{{n,{t}}})")
    renewed = tape(
        "complement", gate["z"], name=f"rnn.h.open.{t}", axes=hidden, equation=f"1 − z_{{{t}}}"
    )
    new = tape(
        "multiply", renewed, n, name=f"rnn.h.new.{t}", axes=hidden,
        equation=f"(1 − z_{{{t}}}) ⊙ n_{{{t}}}",
    )  # fmt: skip
    kept = tape(
        "multiply", gate["z"], state["h"], name=f"rnn.h.kept.{t}", axes=hidden,
        equation=f"z_{{{t}}} ⊙ h_{{{p}}}",
    )  # fmt: skip
    h = tape(
        "add", new, kept, name=f"rnn.h.{t}", axes=hidden,
        equation=f"(1 − z_{{{t}}}) ⊙ n_{{{t}}} + z_{{{t}}} ⊙ h_{{{p}}}",
    )  # fmt: skip
    return {"h": h}


def lstm(tape: Tape, xW: Tensor, state: State, t: int) -> State:
    """Return h_t and c_t of the long short-term memory.

        i_t = σ(x_t W_{xi} + h_{t-1} W_{hi} + b_i)         input gate
        f_t = σ(x_t W_{xf} + h_{t-1} W_{hf} + b_f)         forget gate
        g_t = tanh(x_t W_{xg} + h_{t-1} W_{hg} + b_g)      what may be written
        o_t = σ(x_t W_{xo} + h_{t-1} W_{ho} + b_o)         output gate
        c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t                    cell state, c_0 = 0
        h_t = o_t ⊙ tanh(c_t)

    Parameters
    ----------
    tape
        Records ``rnn.i.t``, ``rnn.f.t``, ``rnn.g.t``, ``rnn.o.t``, ``rnn.c.t``, ``rnn.h.t`` and
        what they are made of.
    xW
        x W_x for all tokens, axes (token, gates): i, f, g, o.
    state
        h_{t-1} and c_{t-1}.
    t
        Which token, from 1.

    Source: Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000; the letters and
    the absence of peepholes as in PyTorch.
    """
    p = t - 1
    hidden = ("hidden",)
    x = _row(tape, xW, t, axis="gates")
    hh = tape(
        "product", state["h"], tape.parameter("rnn.W_h"),
        name=f"rnn.hh.{t}", axes=("gates",), equation=f"h_{{{p}}} W_h",
    )  # (4 * hidden,)
    a = tape(
        "add", hh, x, tape.parameter("rnn.b"),
        name=f"rnn.a.{t}", axes=("gates",), equation=f"h_{{{p}}} W_h + x_{{{t}}} W_x + b",
    )  # (4 * hidden,)
    parts = _split(tape, a, t, gates="ifgo", source="a")
    i, f, g, o = (
        tape(
            "tanh" if letter == "g" else "sigmoid", parts[letter],
            name=f"rnn.{letter}.{t}", axes=hidden,
            equation=f"{'tanh' if letter == 'g' else 'σ'}(a_{{{letter},{t}}})",
        )
        for letter in "ifgo"
    )  # each (hidden,)  # fmt: skip
    kept = tape(
        "multiply", f, state["c"], name=f"rnn.c.kept.{t}", axes=hidden,
        equation=f"f_{{{t}}} ⊙ c_{{{p}}}",
    )  # fmt: skip
    new = tape(
        "multiply", i, g, name=f"rnn.c.new.{t}", axes=hidden,
        equation=f"i_{{{t}}} ⊙ g_{{{t}}}",
    )  # fmt: skip
    c = tape(
        "add", kept, new, name=f"rnn.c.{t}", axes=hidden,
        equation=f"f_{{{t}}} ⊙ c_{{{p}}} + i_{{{t}}} ⊙ g_{{{t}}}",
    )  # fmt: skip
    shown = tape(
        "tanh", c, name=f"rnn.c.tanh.{t}", axes=hidden, equation=f"tanh(c_{{{t}}})"
    )
    h = tape(
        "multiply", o, shown, name=f"rnn.h.{t}", axes=hidden,
        equation=f"o_{{{t}}} ⊙ tanh(c_{{{t}}})",
    )  # fmt: skip
    return {"h": h, "c": c}


def _row(tape: Tape, xW: Tensor, t: int, *, axis: str) -> Tensor:
    """Return x_t W_x, which was computed with that of all other tokens."""
    return tape(
        "view", xW, at=(t - 1, slice(None)),
        name=f"rnn.x.{t}", axes=(axis,), equation=f"x_{{{t}}} W_x",
    )  # fmt: skip


def _split(tape: Tape, joined: Tensor, t: int, *, gates: str, source: str) -> dict[str, Tensor]:
    """Return the parts of a vector that belong to each gate, as views."""
    width = joined.value.shape[-1] // len(gates)
    return {
        g: tape(
            "view", joined, at=(slice(k * width, (k + 1) * width),),
            name=f"rnn.{g}.{source}.{t}", axes=("hidden",), equation=f"part {g} of {source}",
        )
        for k, g in enumerate(gates)
    }  # fmt: skip


CELLS: dict[str, Cell] = {
    "elman": Cell(
        title="RNN", gates=("h",), carries=("h",), biases=("rnn.b",), read=elman,
        equation="h_t = tanh(h_{t−1} W_h + x_t W_x + b)",
    ),
    "gru": Cell(
        title="GRU", gates=("r", "z", "n"), carries=("h",), biases=("rnn.b", "rnn.b_h"), read=gru,
        equation="h_t = (1 − z_t) ⊙ n_t + z_t ⊙ h_{t−1}",
    ),
    "lstm": Cell(
        title="LSTM", gates=("i", "f", "g", "o"), carries=("h", "c"), biases=("rnn.b",), read=lstm,
        equation="h_t = o_t ⊙ tanh(f_t ⊙ c_{t−1} + i_t ⊙ g_t)",
    ),
}  # fmt: skip

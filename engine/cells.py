"""Recurrent cells: how one token changes the state.

Notation, the same for every cell, at token t of T:

    x_t     embedding of the token; x_t W_x comes for all t at once, before the first read
    h_t     hidden state, h_0 = 0                           (hidden,)
    c_t     cell state of an LSTM, c_0 = 0                  (hidden,)
    W_x     input to gates                                  (embedding, gates * hidden)
    W_h     state to gates                                  (hidden, gates * hidden)
    b       bias of the gates                               (gates * hidden,)
    σ, ⊙    logistic function, elementwise product

Vectors are rows and stand left of their matrix, as the arrays lie. The gates of a cell lie side by
side in W_x, W_h and b, in the order of ``Cell.gates``; W_{hf} in a formula is the part of W_h that
belongs to gate f.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from engine.tape import Tape, Tensor

HIDDEN = ("hidden",)
GATES = ("gates",)


@cache
def numbered(equation: str, t: int, *, back: bool = False, mark: str = "", x: str = "x_t") -> str:
    """Return an equation with the number of the token for its letter: h_t becomes h_3.

    Parameters
    ----------
    equation
        Of any token.
    t
        Which token, from 1.
    back
        Whether the sentence is read from the right, so that token t + 1 comes before token t.
    mark
        What stands above the letters of the layer and direction that reads, "→".
    x
        What that layer reads.

    >>> numbered("h_t = tanh(h_{t−1} W_h + x_t W_x + b)", 3)
    'h_3 = tanh(h_2 W_h + x_3 W_x + b)'
    """

    def subscript(index: int) -> str:
        return f"_{index}" if index < 10 else f"_{{{index}}}"

    if mark:
        equation = re.sub(r"\b([a-wyz])_(?=t\b|\{t−1\})", rf"\1^{{{mark}}}_", equation)
    equation = equation.replace("x_t", x).replace("_{t−1}", subscript(t + 1 if back else t - 1))
    return re.sub(r"_t\b", subscript(t), equation)


@dataclass(frozen=True)
class Direction:
    """One direction of one recurrent layer: what its steps are called and how they are written.

    ``layer`` counts from 0. ``mark`` stands above its letters and ``x`` is the letter of what it
    reads, as in ``numbered``. One that ``follows`` reads a state of the layer below as soon as it
    is there; the others find all that they read before their first token. ``stem`` and ``verb`` are
    what names of steps and stages begin with.
    """

    layer: int = 0
    back: bool = False
    mark: str = ""
    x: str = "x_t"
    follows: bool = False
    stem: str = "rnn"
    verb: str = "read"

    @property
    def name(self) -> str:
        """Return "rnn", "rnn.back", "rnn.1" or "rnn.1.back", with which names of steps begin."""
        return f"{self.stem}{self._which}"

    def stage(self, t: int) -> str:
        """Return the name of the stage that reads token t: "read.3", "read.1.back.3"."""
        return f"{self.verb}{self._which}.{t}"

    @property
    def _which(self) -> str:
        return (f".{self.layer}" if self.layer else "") + (".back" if self.back else "")

    def tokens(self, T: int) -> range:
        """Return the tokens, from 1, in the order in which they are read."""
        return range(T, 0, -1) if self.back else range(1, T + 1)

    def numbered(self, equation: str, t: int) -> str:
        """Return an equation of this direction for token t."""
        return numbered(equation, t, back=self.back, mark=self.mark, x=self.x)


class Read:
    """The tape while token t is read: steps get ``rnn.`` before and ``.t`` behind their name.

    Formulas get the number of the token for its letter.

    Parameters
    ----------
    tape
        Where to record.
    direction
        Which layer and direction reads, and what stands for ``rnn`` in the names.
    t
        Which token, from 1.
    x
        What is read: x W_x of all tokens, axes (token, hidden), or (token, gates) of a cell with
        several gates; or the state of the layer below at t, shape (hidden,).
    """

    def __init__(self, tape: Tape, direction: Direction, t: int, x: Tensor) -> None:
        self._tape = tape
        self._direction = direction
        self._t = t
        self._x = x

    def parameter(self, name: str) -> Tensor:
        """Return a parameter of this layer and direction, such as W_h."""
        return self._tape.parameter(f"{self._direction.name}.{name}")

    def __call__(
        self,
        op: str,
        *operands: Tensor,
        name: str,
        equation: str,
        axes: tuple[str, ...] = HIDDEN,
        **options: Any,
    ) -> Tensor:
        """Record one step of this token."""
        return self._tape(
            op,
            *operands,
            name=f"{self._direction.name}.{name}.{self._t}",
            axes=axes,
            equation=self._direction.numbered(equation, self._t),
            **options,
        )

    def token(self, axes: tuple[str, ...]) -> Tensor:
        """Return x_t W_x of this token."""
        if self._direction.follows:
            W_x = self.parameter("W_x")
            return self("product", self._x, W_x, name="x", axes=axes, equation="x_t W_x")
        at = (self._t - 1, slice(None))
        return self("view", self._x, at=at, name="x", axes=axes, equation="x_t W_x")

    def split(self, joined: Tensor, letters: str, source: str, equation: str) -> dict[str, Tensor]:
        """Return the part of each gate of a vector, as views; ``#`` in the equation is its letter.

        The steps are ``rnn.<letter>.<source>.t``.
        """
        width = joined.value.shape[-1] // len(letters)
        return {
            g: self(
                "view",
                joined,
                at=(slice(k * width, (k + 1) * width),),
                name=f"{g}.{source}",
                equation=equation.replace("#", g),
            )
            for k, g in enumerate(letters)
        }


@dataclass(frozen=True)
class States:
    """What one recurrent layer makes of a sentence.

    ``columns`` holds h_t of every token for each of the ``directions``, in the order of the tokens.
    """

    directions: tuple[Direction, ...]
    columns: tuple[list[Tensor], ...]

    @property
    def letter(self) -> str:
        """Return how the last state is written: "h_5", or "[h^{→}_5; h^{←}_1]"."""
        T = len(self.columns[0])
        ends = [way.numbered("h_t", way.tokens(T)[-1]) for way in self.directions]
        return ends[0] if len(ends) == 1 else f"[{'; '.join(ends)}]"

    def last(self, tape: Tape) -> Tensor:
        """Return the last state: of both directions, the one behind their last token, joined."""
        T = len(self.columns[0])
        ends = [
            column[way.tokens(T)[-1] - 1]
            for way, column in zip(self.directions, self.columns, strict=True)
        ]
        if len(ends) == 1:
            return ends[0]
        return tape("concat", *ends, name="rnn.last", axes=HIDDEN, equation=self.letter)

    def rows(self, tape: Tape, name: str) -> Tensor:
        """Return all states, a row a token, shape (token, hidden), as the step ``name``.

        Of a layer of both directions the rows of each are ``name.forward`` and ``name.back``, and
        lie side by side.
        """
        axes, sides = ("token", "hidden"), []
        for way, column in zip(self.directions, self.columns, strict=True):
            part = "" if len(self.directions) == 1 else ".back" if way.back else ".forward"
            first, last = way.numbered("h_t", 1), way.numbered("h_t", len(column))
            rows = f"[{first}; …; {last}]" if len(column) > 1 else f"[{first}]"
            sides.append(tape("stack", *column, name=f"{name}{part}", axes=axes, equation=rows))
        if len(sides) == 1:
            return sides[0]
        joined = f"Concat({', '.join(f'H^{{{way.mark}}}' for way in self.directions)})"
        return tape("concat", *sides, name=name, axes=axes, equation=joined)


State = Mapping[str, Tensor]  # the letters of ``Cell.carries``


@dataclass(frozen=True)
class Cell:
    """A row of ``CELLS``.

    ``gates`` are the letters of the parts of W_x and of every bias, in order; ``carries`` those of
    the vectors that go from one token to the next; ``biases`` the names of its bias vectors;
    ``matrices`` those of the matrices that the state is multiplied with, each with its gates.
    """

    title: str
    gates: str
    carries: str
    biases: tuple[str, ...]
    matrices: tuple[tuple[str, str], ...]
    equation: str
    read: Callable[[Read, State], dict[str, Tensor]]

    def shapes(self, inputs: int, width: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the parameters that read ``inputs`` numbers, in order of use."""
        gates = len(self.gates) * width
        named: dict[str, tuple[int, ...]] = {"W_x": (inputs, gates)}
        named |= {name: (width, len(parts) * width) for name, parts in self.matrices}
        return named | dict.fromkeys(self.biases, (gates,))


def elman(read: Read, state: State) -> dict[str, Tensor]:
    """Return the next state of the simple recurrent network, h of shape (hidden,).

        h_t = tanh(h_{t-1} W_h + x_t W_x + b)

    Parameters
    ----------
    read
        Records ``rnn.r.t``, ``rnn.x.t``, ``rnn.a.t``, ``rnn.h.t``.
    state
        h_{t-1}.

    Source: Elman 1990, "Finding structure in time", figure 2; in formulas Goodfellow, Bengio &
    Courville 2016, "Deep learning", eq. 10.8 and 10.9.
    """
    W_h, b = read.parameter("W_h"), read.parameter("b")
    r = read("product", state["h"], W_h, name="r", equation="h_{t−1} W_h")  # (hidden,)
    x = read.token(HIDDEN)  # (hidden,)
    a = read("add", r, x, b, name="a", equation="h_{t−1} W_h + x_t W_x + b")  # (hidden,)
    h = read("tanh", a, name="h", equation="tanh(h_{t−1} W_h + x_t W_x + b)")  # (hidden,)
    return {"h": h}


def gru(read: Read, state: State) -> dict[str, Tensor]:
    """Return the next state of the gated recurrent unit, h of shape (hidden,).

        r_t = σ(x_t W_{xr} + b_r + h_{t-1} W_{hr} + b_{hr})              reset gate
        z_t = σ(x_t W_{xz} + b_z + h_{t-1} W_{hz} + b_{hz})              update gate
        n_t = tanh(x_t W_{xn} + b_n + r_t ⊙ (h_{t-1} W_{hn} + b_{hn}))   new state
        h_t = (1 - z_t) ⊙ n_t + z_t ⊙ h_{t-1}

    The reset acts behind the product with W_{hn}, which therefore has a bias of its own, b_h: the
    form of cuDNN and PyTorch. In the paper the reset acts on h_{t-1} in front of the product, see
    ``gru_reset_before``.

    Parameters
    ----------
    read
        Records ``rnn.r.t``, ``rnn.z.t``, ``rnn.n.t``, ``rnn.h.t`` and what they are made of.
    state
        h_{t-1}.

    Source: Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder", eq. 5-8;
    the place of the reset and the letters as in ``torch.nn.GRU``.
    """
    h = state["h"]
    W_h, b, b_h = (read.parameter(name) for name in ("W_h", "b", "b_h"))
    x = read.token(GATES)
    x = read("add", x, b, name="from_x", axes=GATES, equation="x_t W_x + b")
    hW = read("product", h, W_h, name="hh", axes=GATES, equation="h_{t−1} W_h")
    hW = read("add", hW, b_h, name="from_h", axes=GATES, equation="h_{t−1} W_h + b_h")
    of_x = read.split(x, "rzn", "from_x", "x_t W_{x#} + b_#")
    of_h = read.split(hW, "rzn", "from_h", "h_{t−1} W_{h#} + b_{h#}")

    def gate(g: str) -> Tensor:
        formula = f"x_t W_{{x{g}}} + b_{g} + h_{{t−1}} W_{{h{g}}} + b_{{h{g}}}"
        a = read("add", of_x[g], of_h[g], name=f"{g}.a", equation=formula)
        return read("sigmoid", a, name=f"{g}", equation=f"σ({formula})")

    r, z = gate("r"), gate("z")  # (hidden,)
    reset = "r_t ⊙ (h_{t−1} W_{hn} + b_{hn})"
    n = read("multiply", r, of_h["n"], name="n.reset", equation=reset)
    n = read("add", of_x["n"], n, name="n.a", equation=f"x_t W_{{xn}} + b_n + {reset}")
    n = read("tanh", n, name="n", equation=f"tanh(x_t W_{{xn}} + b_n + {reset})")  # (hidden,)
    return {"h": _updated(read, z, n, h)}


def gru_reset_before(read: Read, state: State) -> dict[str, Tensor]:
    """Return the next state of the gated recurrent unit of the paper, h of shape (hidden,).

        r_t = σ(x_t W_{xr} + b_r + h_{t-1} W_{hr})               reset gate
        z_t = σ(x_t W_{xz} + b_z + h_{t-1} W_{hz})               update gate
        n_t = tanh(x_t W_{xn} + b_n + (r_t ⊙ h_{t-1}) W_{hn})    new state
        h_t = (1 - z_t) ⊙ n_t + z_t ⊙ h_{t-1}

    The reset acts on the state in front of the product, so W_{hn} has to wait for it and is a
    matrix of its own beside W_h, which holds those of both gates.

    Parameters
    ----------
    read
        Records ``rnn.r.t``, ``rnn.z.t``, ``rnn.n.t``, ``rnn.h.t`` and what they are made of.
    state
        h_{t-1}.

    Source: Cho et al. 2014, eq. 5-8; ONNX, operator GRU with ``linear_before_reset`` = 0.
    """
    h = state["h"]
    W_h, W_hn, b = read.parameter("W_h"), read.parameter("W_hn"), read.parameter("b")
    x = read.token(GATES)
    x = read("add", x, b, name="from_x", axes=GATES, equation="x_t W_x + b")
    hW = read("product", h, W_h, name="hh", axes=GATES, equation="h_{t−1} W_h")  # (2 * hidden,)
    of_x = read.split(x, "rzn", "from_x", "x_t W_{x#} + b_#")
    of_h = read.split(hW, "rz", "from_h", "h_{t−1} W_{h#}")

    def gate(g: str) -> Tensor:
        formula = f"x_t W_{{x{g}}} + b_{g} + h_{{t−1}} W_{{h{g}}}"
        a = read("add", of_x[g], of_h[g], name=f"{g}.a", equation=formula)
        return read("sigmoid", a, name=g, equation=f"σ({formula})")

    r, z = gate("r"), gate("z")  # (hidden,)
    n = read("multiply", r, h, name="n.reset", equation="r_t ⊙ h_{t−1}")
    reset = "(r_t ⊙ h_{t−1}) W_{hn}"
    n = read("product", n, W_hn, name="n.from_h", equation=reset)
    n = read("add", of_x["n"], n, name="n.a", equation=f"x_t W_{{xn}} + b_n + {reset}")
    n = read("tanh", n, name="n", equation=f"tanh(x_t W_{{xn}} + b_n + {reset})")  # (hidden,)
    return {"h": _updated(read, z, n, h)}


def _updated(read: Read, z: Tensor, n: Tensor, h: Tensor) -> Tensor:
    """Return (1 - z_t) ⊙ n_t + z_t ⊙ h_{t-1}, shape (hidden,)."""
    new = read("complement", z, name="h.open", equation="1 − z_t")
    new = read("multiply", new, n, name="h.new", equation="(1 − z_t) ⊙ n_t")
    kept = read("multiply", z, h, name="h.kept", equation="z_t ⊙ h_{t−1}")
    return read("add", new, kept, name="h", equation="(1 − z_t) ⊙ n_t + z_t ⊙ h_{t−1}")


def lstm(read: Read, state: State) -> dict[str, Tensor]:
    """Return the next state of the long short-term memory, h and c of shape (hidden,).

        i_t = σ(h_{t-1} W_{hi} + x_t W_{xi} + b_i)         input gate
        f_t = σ(h_{t-1} W_{hf} + x_t W_{xf} + b_f)         forget gate
        g_t = tanh(h_{t-1} W_{hg} + x_t W_{xg} + b_g)      what may be written
        o_t = σ(h_{t-1} W_{ho} + x_t W_{xo} + b_o)         output gate
        c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t
        h_t = o_t ⊙ tanh(c_t)

    Parameters
    ----------
    read
        Records ``rnn.i.t``, ``rnn.f.t``, ``rnn.g.t``, ``rnn.o.t``, ``rnn.c.t``, ``rnn.h.t`` and
        what they are made of.
    state
        h_{t-1} and c_{t-1}.

    Source: Hochreiter & Schmidhuber 1997, "Long short-term memory"; the forget gate of Gers,
    Schmidhuber & Cummins 2000, "Learning to forget"; letters and no peepholes as in
    ``torch.nn.LSTM``.
    """
    W_h, b = read.parameter("W_h"), read.parameter("b")
    hW = read("product", state["h"], W_h, name="hh", axes=GATES, equation="h_{t−1} W_h")
    x = read.token(GATES)
    formula = "h_{t−1} W_h + x_t W_x + b"
    a = read("add", hW, x, b, name="a", axes=GATES, equation=formula)  # (4 * hidden,)
    part = read.split(a, "ifgo", "a", "h_{t−1} W_{h#} + x_t W_{x#} + b_#")

    def gate(g: str, op: str, sign: str) -> Tensor:
        formula = f"{sign}(h_{{t−1}} W_{{h{g}}} + x_t W_{{x{g}}} + b_{g})"
        return read(op, part[g], name=f"{g}", equation=formula)  # (hidden,)

    i, f = gate("i", "sigmoid", "σ"), gate("f", "sigmoid", "σ")
    g, o = gate("g", "tanh", "tanh"), gate("o", "sigmoid", "σ")
    kept = read("multiply", f, state["c"], name="c.kept", equation="f_t ⊙ c_{t−1}")
    new = read("multiply", i, g, name="c.new", equation="i_t ⊙ g_t")
    c = read("add", kept, new, name="c", equation="f_t ⊙ c_{t−1} + i_t ⊙ g_t")  # (hidden,)
    shown = read("tanh", c, name="c.tanh", equation="tanh(c_t)")
    h = read("multiply", o, shown, name="h", equation="o_t ⊙ tanh(c_t)")  # (hidden,)
    return {"h": h, "c": c}


CELLS: dict[str, Cell] = {
    "elman": Cell(
        title="RNN",
        gates="h",
        carries="h",
        biases=("b",),
        matrices=(("W_h", "h"),),
        equation="h_t = tanh(h_{t−1} W_h + x_t W_x + b)",
        read=elman,
    ),
    "gru": Cell(
        title="GRU",
        gates="rzn",
        carries="h",
        biases=("b", "b_h"),
        matrices=(("W_h", "rzn"),),
        equation="h_t = (1 − z_t) ⊙ n_t + z_t ⊙ h_{t−1}",
        read=gru,
    ),
    "lstm": Cell(
        title="LSTM",
        gates="ifgo",
        carries="hc",
        biases=("b",),
        matrices=(("W_h", "ifgo"),),
        equation="h_t = o_t ⊙ tanh(f_t ⊙ c_{t−1} + i_t ⊙ g_t)",
        read=lstm,
    ),
}

# The GRU of the paper and of ONNX's ``linear_before_reset`` = 0: the same cell for people.
GRU_RESET_BEFORE = replace(
    CELLS["gru"], biases=("b",), matrices=(("W_h", "rz"), ("W_hn", "n")), read=gru_reset_before
)

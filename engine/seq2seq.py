"""The recurrent encoder-decoder: one chain reads the source, a second one writes the target.

The writing chain begins from the last state of the reading one. Without attention that state is all
it has of the source; with attention every step of writing looks back over all states of reading.
Every word of the target answers with the next. Notation, beside that of ``engine.chain``:

    T, S            tokens of source and target
    H               states of the reading chain                 (token of the source, hidden)
    s_t             states of the writing chain, s_0 = h_T      (hidden,)
    p_t             what step t looks at                        (token of the source,)
    c_t             what it brings back, p_t H                  (hidden,)

Sources: Sutskever, Vinyals & Le 2014, "Sequence to sequence learning with neural networks";
Bahdanau, Cho & Bengio 2015, section 3.1, where s_{t-1} asks and c_t is read ("additive"); Luong,
Pham & Manning 2015, section 3, where s_t asks and c_t stands beside it in the answer ("general").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.cells import GATES, HIDDEN, Cell, Direction, Read, State
from engine.chain import cell_of, combine
from engine.ops import Array
from engine.tape import Tape, Tensor
from engine.trace import Stage
from engine.words import embed

if TYPE_CHECKING:
    from engine.models import Config

READS, WRITES = Direction(), Direction(stem="decoder", verb="write", mark="s")
STATES, SOURCE, ALIGNED = ("token", "hidden"), ("key",), ("query", "key")


def shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """Return the name and shape of every parameter, in the order of their use."""
    e, d, cell = config.embedding, config.width, cell_of(config)
    named: dict[str, tuple[int, ...]] = {"embed.E": (config.words, e)}
    for way in (READS, WRITES):
        named |= {f"{way.name}.{name}": shape for name, shape in cell.shapes(e, d).items()}
    if config.attention and config.score == "additive":
        named |= {"decoder.W_c": (d, len(cell.gates) * d)}
        named |= {"attn.W_a": (d, d), "attn.U_a": (d, d), "attn.v_a": (d,)}
    elif config.attention:
        named |= {"attn.W_a": (d, d)}
    return named | {"answer.W_c": (2 * d if config.attention else d, e), "answer.b_c": (e,)}


def numbers_at_most(config: Config, T: int, S: int) -> int:
    """Return a bound on the numbers that a trace holds of one source and its target."""
    e, d, cell = config.embedding, config.width, cell_of(config)
    gates = len(cell.gates)
    read = d * (4 * gates + 11 if gates > 1 else 4)
    numbers = T * (e + read) + S * (e + read + d + 1) + (2 + len(cell.carries)) * d
    if config.attention:
        # Source and keys; of a step what asks, gates of the context; scores, energies.
        numbers += 2 * T * d + S * (d * (6 + 2 * gates) + T * (4 + 2 * d))
    return numbers + S * (4 * e + 2 * config.words)


def said(config: Config, T: int, S: int) -> tuple[str, str, str]:
    """Return title, what is seen, and memory, for people."""
    title = f"{cell_of(config).title} encoder-decoder"
    sees = "the source through its last state, and of the target what stands left"
    memory = f"{config.width} numbers"
    if config.attention:
        name = "Bahdanau" if config.score == "additive" else "Luong"
        title += f" with attention ({name})"
        sees = "all states of the source, and of the target what stands left"
        memory = f"{T} × {memory}"
    return title, sees, memory


def record(tape: Tape, config: Config, ids: Array, target: Array, words: tuple[str, ...]) -> None:
    """Record reading, then writing word by word, then the answer of every word of the target.

    h_t = cell(h_{t-1}, x_t W_x),    s_t = cell(s_{t-1}, y_{t-1} W_x [+ c_t W_c])
    answer = softmax(tanh([s_t; c_t] W_c + b_c) Eᵀ)
    """
    cell, T, S = cell_of(config), ids.shape[-1], target.shape[-1]
    with tape.stage("embed", "Embed", "x = E_{source},  y = E_{target}"):
        x = embed(tape, ids, name="embed.x")  # (token, feature)
        y = embed(tape, target, name="decoder.embed", tokens="decoder.tokens")
        x, y = (_times_W_x(tape, rows, cell, way) for rows, way in ((x, READS), (y, WRITES)))
        nothing = np.zeros((*ids.shape[:-1], config.width), x.value.dtype)
        state: State = {
            letter: tape.input(nothing, name=f"rnn.{letter}.0", axes=HIDDEN, equation="0")
            for letter in cell.carries
        }
    read = tape.recur(
        range(1, T + 1),
        state,
        [x] * T,
        stage=lambda t: Stage(
            READS.stage(t), f"Read “{words[t - 1]}”", READS.numbered(cell.equation, t)
        ),
        body=lambda t, state: cell.read(Read(tape, READS, t, x), state),
    )
    state = {letter: column[-1] for letter, column in read.items()}
    look = _Look(tape, config, read["h"]) if config.attention else None
    before = config.attention and config.score == "additive"
    states, contexts = [], []
    for t in range(1, S + 1):
        with tape.stage(WRITES.stage(t), f"Write word {t}", WRITES.numbered(cell.equation, t)):
            context = look(state["h"], t) if look and before else None
            state = cell.read(_Write(tape, t, y, context), state)
            if look and not before:
                context = look(state["h"], t)
            states.append(state["h"])
            contexts += [] if context is None else [context]
    with tape.stage("answer", "Answer at every word", "softmax(tanh([s; c] W_c + b_c) E^⊤)"):
        rows = tape("stack", *states, name="decoder.states", axes=STATES, equation="[s_1; …; s_S]")
        seen = "S"
        if contexts:
            name, axes = "decoder.contexts", STATES
            c = tape("stack", *contexts, name=name, axes=axes, equation="[c_1; …; c_S]")
            seen, axes = "[S; C]", ("token", "feature")
            rows = tape("concat", rows, c, name="answer.joined", axes=axes, equation=seen)
        combine(tape, rows, seen, ("token",))


class _Write(Read):
    """The tape while word t is written: what is read is the word before, and the context."""

    def __init__(self, tape: Tape, t: int, y: Tensor, context: Tensor | None) -> None:
        super().__init__(tape, WRITES, t, y)
        self._context = context

    def token(self, axes: tuple[str, ...]) -> Tensor:
        """Return y_{t-1} W_x, with the context that is read beside it."""
        y = super().token(axes)
        if self._context is None:
            return y
        W_c, formula = self.parameter("W_c"), "c_t W_c"
        c = self("product", self._context, W_c, name="from_c.product", axes=axes, equation=formula)
        return self("add", y, c, name="from_c", axes=axes, equation="y_{t−1} W_x + c_t W_c")


class _Look:
    """Attention over the states of the source."""

    def __init__(self, tape: Tape, config: Config, states: list[Tensor]) -> None:
        self._tape, self._additive = tape, config.score == "additive"
        with tape.stage("attn.keys", "What can be looked at", "H = [h_1; …; h_T]"):
            self._H = tape("stack", *states, name="attn.states", axes=STATES, equation="H")
            if self._additive:
                U_a, name = tape.parameter("attn.U_a"), "attn.keys"
                self._keys = tape("product", self._H, U_a, name=name, axes=STATES, equation="H U_a")

    def __call__(self, state: Tensor, t: int) -> Tensor:
        """Return what a state brings back, shape (hidden,)."""
        tape, W_a = self._tape, self._tape.parameter("attn.W_a")
        s = f"s_{{{t - 1 if self._additive else t}}}"
        name = f"attn.query.{t}"
        query = tape("product", state, W_a, name=name, axes=HIDDEN, equation=f"{s} W_a")
        if self._additive:
            fits = f"v_a tanh({s} W_a + H U_a)^⊤"
            axes = ("query", "hidden")
            row = tape("stack", query, name=f"attn.asked.{t}", axes=axes, equation=f"[{s} W_a]")
            name, inner = f"attn.energy.sum.{t}", f"H U_a + {s} W_a"
            a = tape("add", self._keys, row, name=name, axes=STATES, equation=inner)
            name = f"attn.energy.{t}"
            energy = tape("tanh", a, name=name, axes=STATES, equation=f"tanh({inner})")
            asks, rows = tape.parameter("attn.v_a"), energy
        else:
            fits, asks, rows = f"{s} W_a H^⊤", query, self._H
        name = f"attn.scores.{t}"
        scores = tape(
            "product", asks, rows, transpose_b=True, name=name, axes=SOURCE, equation=fits
        )
        name, weights = f"attn.pattern.{t}", f"softmax({fits})"
        p = tape("softmax", scores, name=name, axes=SOURCE, equation=weights)
        name = f"attn.context.{t}"
        return tape("product", p, self._H, name=name, axes=HIDDEN, equation=f"p_{{{t}}} H")


def _times_W_x(tape: Tape, x: Tensor, cell: Cell, way: Direction) -> Tensor:
    """Return x W_x of all tokens at once, shape (token, gates * hidden)."""
    W_x, axes = tape.parameter(f"{way.name}.W_x"), ("token", GATES[0])
    return tape("product", x, W_x, name=f"{way.name}.x", axes=axes, equation="x W_x")

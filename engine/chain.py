"""The chain: recurrent layers that read one token after another, and the answer at the end.

Notation, beside that of ``engine.cells``:

    T               tokens of the sentence
    H               states of a layer, a row a token              (token, hidden)
    h^→, h^←        states of the directions of a bidirectional layer; h^→_0 = h^←_{T+1} = 0
    h^{(2)}         states of the second layer
    c               what the last state looks back at             (hidden,)

A layer above the first reads the states of the layer below. In one direction its read t waits for
read t below and for its own read t - 1, so L layers read a sentence in T + L - 1 ticks. A layer of
both directions knows nothing of a token until both have read it, so the next one waits for all of
it: L layers read in L (T + 1) - 1 ticks, and one layer in the T ticks of one direction.

Sources: Elman 1990; Schuster & Paliwal 1997, "Bidirectional recurrent neural networks"; Graves,
Mohamed & Hinton 2013, "Speech recognition with deep recurrent neural networks", eq. 9 and 10
(layers); Luong, Pham & Manning 2015, eq. 5 (the answer).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.attention import SCORES, look_back, look_back_from_every
from engine.cells import CELLS, GRU_RESET_BEFORE, HIDDEN, Cell, Direction, Read, State, States
from engine.ops import Array
from engine.tape import Tape, Tensor
from engine.trace import Stage
from engine.words import FEATURE, answer, embed

if TYPE_CHECKING:
    from engine.models import Config


def cell_of(config: Config) -> Cell:
    """Return the cell of a chain, of a GRU the one with its place of the reset."""
    if config.cell == "gru" and config.reset == "before":
        return GRU_RESET_BEFORE
    return CELLS[config.cell]


def directions(config: Config, layer: int) -> tuple[Direction, ...]:
    """Return the directions of one layer of a chain, the forward one first."""
    which = f"({layer + 1})" if config.layers > 1 else ""
    if config.bidirectional:
        x = f"x^{{{which}}}_t" if layer else "x_t"
        return (
            Direction(layer, mark=f"{which}→", x=x),
            Direction(layer, back=True, mark=f"{which}←", x=x),
        )
    x = f"h^{{({layer})}}_t" if layer else "x_t"
    return (Direction(layer, mark=which, x=x, follows=layer > 0),)


def shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """Return the name and shape of every parameter of a chain, in the order of their use."""
    e, d, cell = config.embedding, config.width, cell_of(config)
    D = config.directions * d  # of a state of all directions
    named: dict[str, tuple[int, ...]] = {"embed.E": (config.words, e)}
    for layer in range(config.layers):
        for direction in directions(config, layer):
            own = cell.shapes(D if layer else e, d)
            named |= {f"{direction.name}.{name}": shape for name, shape in own.items()}
    if config.attention:
        named |= SCORES[config.score].shapes(D)
    return named | {"answer.W_c": (2 * D if config.attention else D, e), "answer.b_c": (e,)}


def numbers_at_most(config: Config, T: int) -> int:
    """Return a bound on the numbers that a trace of a chain holds for one sentence of T tokens."""
    e, d, cell = config.embedding, config.width, cell_of(config)
    gates, D = len(cell.gates), config.directions * config.width
    # The longest cell, GRU, records four rows of gates and eleven vectors a token.
    read = d * (4 * gates + 11 if gates > 1 else 4)
    numbers = T * e + config.layers * config.directions * (T * read + len(cell.carries) * d)
    if config.bidirectional:  # the states of both, for the layer above
        numbers += (config.layers - 1) * 2 * T * D + D
    rows = T if config.answers == "every" else 1
    if config.answers == "every":  # states, and with attention queries, contexts, both joined
        numbers += T * D if not config.attention else 5 * T * D + 3 * T * T
    elif config.attention:
        # Looked at, asked and both joined, and two steps of what fits, which dot and general have
        # not.
        pairs = 6 if config.score in ("concat", "additive") else 1
        numbers += T * ((config.directions - 1 + pairs) * D + 2) + 5 * D
    return numbers + rows * (4 * e + 2 * config.words)


def said(config: Config) -> tuple[str, str, str]:
    """Return title, what is seen, and memory of a chain, for people."""
    cell = cell_of(config)
    carried = len(cell.carries) * config.directions * config.layers
    memory = f"{config.width} numbers"
    if carried > 1:
        memory = f"{carried} × {memory}"
    layers = f" of {config.layers} layers" if config.layers > 1 else ""
    title = f"{'bidirectional ' if config.bidirectional else ''}{cell.title}{layers}"
    title = f"{title[0].upper()}{title[1:]}"
    if config.attention:
        title += f" with {SCORES[config.score].title}"
    how = "from both sides" if config.bidirectional else "left to right"
    return f"{title}, {memory}", f"the whole sentence, {how}", memory


def record(tape: Tape, config: Config, ids: Array, hidden: int, words: tuple[str, ...]) -> None:
    """Record a recurrent model: one token after another, then the answer from the last state.

        x = E[tokens],    h_t = cell(h_{t-1}, x_t W_x),    y = tanh([h_T; c] W_c + b_c)

    In both directions h_t = [h^→_t; h^←_t], and the last state is that of each direction when it
    has read the whole sentence, [h^→_T; h^←_1].
    """
    cell, T = cell_of(config), ids.shape[-1]
    layers = [directions(config, layer) for layer in range(config.layers)]
    with tape.stage("embed", "Embed", "x = E_{tokens}"):
        x = embed(tape, ids, name="embed.x")  # (token, feature)
        reads = [[_times_W_x(tape, x, cell, way)] * T for way in layers[0]]
        nothing = np.zeros((*ids.shape[:-1], config.width), x.value.dtype)
        starts = [[_start(tape, cell, way, nothing, T) for way in layer] for layer in layers]
    for layer, before in zip(layers, starts, strict=True):
        states = States(
            layer,
            tuple(
                _read(tape, cell, way, start, read, hidden, words)
                for way, start, read in zip(layer, before, reads, strict=True)
            ),
        )
        reads = _handed_up(tape, config, cell, states)
    if config.answers == "every":
        _answer_every(tape, config, states)
        return
    if config.attention:
        y, context = look_back(tape, states, SCORES[config.score])
        seen = f"[{states.letter.strip('[]')}; c]"
    else:
        seen = states.letter
    with tape.stage("answer", "Answer", f"softmax(y E^⊤),  y = tanh({seen} W_c + b_c)"):
        if config.attention:
            y = tape("concat", y, context, name="answer.joined", axes=FEATURE, equation=seen)
        else:
            y = states.last(tape)
        combine(tape, y, seen)


def _answer_every(tape: Tape, config: Config, states: States) -> None:
    """Record the answer of every state, which looks back over the states up to itself.

    y = tanh([H; C] W_c + b_c),    C = softmax(H W_a Hᵀ + mask) H
    """
    H, seen = look_back_from_every(tape, states) if config.attention else (None, "H")
    with tape.stage(
        "answer", "Answer at every token", f"softmax(y E^⊤),  y = tanh({seen} W_c + b_c)"
    ):
        if H is None:
            H = states.rows(tape, "answer.states")  # (token, hidden)
        combine(tape, H, seen, ("token",))


def combine(tape: Tape, y: Tensor, seen: str, axes: tuple[str, ...] = ()) -> None:
    """Record the answer of a state, or of every row of states: tanh(y W_c + b_c) E^⊤.

    ``seen`` is how y is written, ``axes`` are those of y but for the last.
    """
    W, b, rows = "answer.W_c", "answer.b_c", (*axes, *FEATURE)
    y = tape.linear(y, W, b, name="answer.combined.sum", axes=rows, letter=seen)
    formula = f"tanh({seen} W_c + b_c)"
    y = tape("tanh", y, name="answer.combined", axes=rows, equation=formula)
    answer(tape, y, axes)


def _times_W_x(tape: Tape, x: Tensor, cell: Cell, way: Direction) -> Tensor:
    """Return x W_x of all tokens at once, shape (token, gates * hidden)."""
    W_x = tape.parameter(f"{way.name}.W_x")
    axes = ("token", "hidden" if len(cell.gates) == 1 else "gates")
    formula = f"{way.x.removesuffix('_t')} W_x"
    return tape("product", x, W_x, name=f"{way.name}.x", axes=axes, equation=formula)


def _start(tape: Tape, cell: Cell, way: Direction, nothing: Array, T: int) -> State:
    """Return the state before the first read, zeros: h_0, or h_{T+1} from the right."""
    at = T + 1 if way.back else 0
    return {
        letter: tape.input(nothing, name=f"{way.name}.{letter}.{at}", axes=HIDDEN, equation="0")
        for letter in cell.carries
    }


def _read(
    tape: Tape,
    cell: Cell,
    way: Direction,
    state: State,
    read: list[Tensor],
    hidden: int,
    words: tuple[str, ...],
) -> list[Tensor]:
    """Return h_t of one direction of a layer, in the order of the tokens.

    ``read`` holds for every token the x of ``engine.cells.Read``.
    """
    tokens = way.tokens(len(words))
    states = tape.recur(
        tokens,
        state,
        [read[t - 1] for t in tokens],
        stage=lambda t: Stage(
            way.stage(t), _title(way, hidden, words, t), way.numbered(cell.equation, t)
        ),
        body=lambda t, state: cell.read(Read(tape, way, t, read[t - 1]), state),
    )
    return states["h"][::-1] if way.back else states["h"]


def _title(way: Direction, hidden: int, words: tuple[str, ...], t: int) -> str:
    """Return what a stage does, for people."""
    what = "the blank" if t - 1 == hidden else f"“{words[t - 1]}”"
    who = f"Layer {way.layer + 1} reads" if way.layer else "Read"
    return f"{who} {what}{' from the right' if way.back else ''}"


def _handed_up(tape: Tape, config: Config, cell: Cell, states: States) -> list[list[Tensor]]:
    """Return what each direction of the next layer reads, for every token; nothing at the top."""
    layer = states.directions[0].layer + 1
    if layer == config.layers:
        return []
    if not config.bidirectional:
        return [states.columns[0]]
    above, T = directions(config, layer), len(states.columns[0])
    letter = above[0].x.removesuffix("_t")
    with tape.stage(f"join.{layer}", f"Hand both directions to layer {layer + 1}", f"{letter} W_x"):
        x = states.rows(tape, f"rnn.{layer}.in")  # (token, 2 * hidden)
        return [[_times_W_x(tape, x, cell, way)] * T for way in above]

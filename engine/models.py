"""The two models: a chain of recurrent reads, and a grid of Transformer blocks.

Both read a sentence with one hidden word and answer which word it is. Notation:

    E           embedding table, also the answer's table        (word, embedding)
    x           embedded tokens                                 (token, embedding)
    T           tokens of the sentence
    i           index of the hidden word

Linear maps are ``x @ W`` with W of shape (in, out).

Sources: Elman 1990; Cho et al. 2014; Hochreiter & Schmidhuber 1997; Luong et al. 2015 (chain).
Vaswani et al. 2017; Devlin et al. 2019 for the hidden word; Hendrycks & Gimpel 2016 for GELU
(grid). Press & Wolf 2017 for answering with the embedding table (both).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.attention import ROWS, look_back, multi_head
from engine.cells import CELLS, HIDDEN, Read, numbered
from engine.ops import Array, Ops
from engine.said import Said
from engine.tape import Tape, Tensor
from engine.trace import Facts, Trace

LIMIT_BYTES = 2**31  # of one trace, which keeps every value; more is refused before it is run
FEATURE = ("feature",)
WORD = ("word",)


@dataclass(frozen=True, kw_only=True)
class Config:
    """The shape of a model.

    Parameters
    ----------
    kind
        "chain" (recurrent) or "grid" (Transformer encoder).
    words
        Words of the vocabulary.
    embedding
        Numbers of a word's vector; in a grid the same as ``width``.
    width
        Numbers of a hidden state (chain) or of a row (grid, d).
    cell, attention
        Of a chain: "elman", "gru" or "lstm"; whether the last state looks back over all states.
    heads, layers, mlp
        Of a grid: heads a block, blocks, width of the MLP inside a block.
    norm
        Of a grid: "pre" (in front of heads and MLP) or "post" (behind each sum).
    positions, position_scale, max_length
        Of a grid: "sinusoidal", times a factor, for any length; or "learned", for ``max_length``.
    causal
        Of a grid: whether a token sees only what stands left of it.
    eps
        ε under the root of the norms.
    """

    kind: str
    words: int
    embedding: int
    width: int
    cell: str = ""
    attention: bool = False
    heads: int = 0
    layers: int = 1
    mlp: int = 0
    norm: str = "pre"
    positions: str = "sinusoidal"
    position_scale: float = 1.0
    max_length: int = 0
    causal: bool = False
    eps: float = 1e-5

    def __post_init__(self) -> None:
        """Refuse a shape that no model has.

        Raises
        ------
        engine.said.Said
            With one sentence that says what is wrong.
        """
        grid = self.kind == "grid"
        counts = {"words": self.words, "embedding": self.embedding, "width": self.width}
        if grid:
            counts |= {"heads": self.heads, "layers": self.layers, "mlp": self.mlp}
        wrong = [name for name, count in counts.items() if count < 1]
        if self.kind not in ("chain", "grid"):
            problem = f"its kind is {self.kind!r} and not chain or grid"
        elif wrong:
            problem = f"{wrong[0]} is {counts[wrong[0]]} and must be 1 or more"
        elif not grid and self.cell not in CELLS:
            problem = f"its cell is {self.cell!r} and not one of {', '.join(CELLS)}"
        elif grid and self.embedding != self.width:
            problem = f"its embedding ({self.embedding}) is not as wide as a row ({self.width})"
        elif grid and self.width % self.heads:
            problem = f"{self.heads} heads do not divide a width of {self.width}"
        elif grid and self.norm not in ("pre", "post"):
            problem = f"its norm is {self.norm!r} and not pre or post"
        elif grid and self.positions not in ("sinusoidal", "learned"):
            problem = f"its positions are {self.positions!r} and not sinusoidal or learned"
        elif grid and self.positions == "learned" and self.max_length < 1:
            problem = "its positions are learned but it has no greatest length"
        else:
            return
        raise Said(f"No model has this shape: {problem}.")


@dataclass(frozen=True, eq=False)
class Model:
    """A configuration with its parameters by name, its words, and the card that came with them."""

    id: str
    config: Config
    parameters: Mapping[str, Array]
    vocabulary: tuple[str, ...]
    card: Mapping[str, Any] = field(default_factory=dict)


def shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """Return the name and shape of every parameter of a model, in the order of their use."""
    e, d = config.embedding, config.width
    named: dict[str, tuple[int, ...]] = {"embed.E": (config.words, e)}
    if config.kind == "chain":
        cell = CELLS[config.cell]
        gates = len(cell.gates) * d
        named |= {"rnn.W_x": (e, gates), "rnn.W_h": (d, gates)}
        named |= dict.fromkeys(cell.biases, (gates,))
        if config.attention:
            named |= {"attn.W_a": (d, d)}
        return named | {
            "answer.W_c": (2 * d if config.attention else d, e),
            "answer.b_c": (e,),
        }
    if config.positions == "learned":
        named |= {"embed.P": (config.max_length, d)}
    for b in range(config.layers):
        for which in ("norm1", "norm2"):
            named |= {f"blocks.{b}.{which}.gain": (d,), f"blocks.{b}.{which}.bias": (d,)}
        for to in "qkvo":
            named |= {f"blocks.{b}.attn.W_{to}": (d, d), f"blocks.{b}.attn.b_{to}": (d,)}
        named |= {
            f"blocks.{b}.mlp.W_in": (d, config.mlp),
            f"blocks.{b}.mlp.b_in": (config.mlp,),
            f"blocks.{b}.mlp.W_out": (config.mlp, d),
            f"blocks.{b}.mlp.b_out": (d,),
        }
    return named | {"answer.norm.gain": (d,), "answer.norm.bias": (d,)}


def initialise(
    config: Config, rng: np.random.Generator, dtype: type[np.floating[Any]] = np.float32
) -> dict[str, Array]:
    """Return untrained parameters: matrices normal with 1/√in, gains 1, biases 0, E and P 0.3."""
    parameters: dict[str, Array] = {}
    for name, shape in shapes(config).items():
        if name.endswith(".gain"):
            value = np.ones(shape)
        elif len(shape) == 1:
            value = np.zeros(shape)
        else:
            deviation = 0.3 if name in ("embed.E", "embed.P") else 1.0 / math.sqrt(shape[0])
            value = rng.normal(0.0, deviation, shape)
        parameters[name] = value.astype(dtype)
    return parameters


def sinusoidal(length: int, width: int) -> NDArray[np.float64]:
    """Return the table of positions, shape (token, feature).

        P_{t,2k} = sin(t / 10000^{2k/d}),    P_{t,2k+1} = cos(t / 10000^{2k/d}),    t from 0

    Source: Vaswani et al. 2017, section 3.5.
    """
    t = np.arange(length)[:, None]  # (token, 1)
    k = np.arange(0, width, 2)[None, :]  # (1, feature / 2)
    angle = t / 10000.0 ** (k / width)
    table = np.empty((length, width))
    table[:, 0::2] = np.sin(angle)
    table[:, 1::2] = np.cos(angle[:, : width // 2])
    return table


def run(
    model: Model,
    tokens: Any,
    *,
    hidden: int,
    ops: Ops,
    words: tuple[str, ...] | None = None,
    mask: Any = None,
    warm: bool = False,
) -> Trace:
    """Return everything that a model computes over one sentence.

    Parameters
    ----------
    model
        The model.
    tokens
        Ids, axes (token,), or (batch, token) to run many sentences of one length; a batch has its
        axis in front of every value, and the first sentence's words.
    hidden
        Index of the hidden word, the same for all sentences of a batch.
    ops
        Where to compute.
    words
        The words as read, for people; by default those of the vocabulary.
    mask
        Of a grid: True where a token counts and False where it is padding, shaped like ``tokens``.
    warm
        Whether to run once unrecorded, so that no step's time includes a first touch of memory.

    Raises
    ------
    engine.said.Said
        With one sentence: an empty sentence, an id outside the vocabulary, a sentence longer than
        learned positions reach, padding for a chain, more values than ``LIMIT_BYTES`` hold.
    """
    ids = np.array(tokens, dtype=np.int64)  # a copy: recorded values are made read-only
    padding = None if mask is None else np.array(mask, dtype=bool)
    _check(model, ids, hidden, padding)
    if words is None:
        words = tuple(model.vocabulary[i] for i in ids.reshape(-1, ids.shape[-1])[0])
    for _ in range(2 if warm else 1):
        tape = Tape(ops, model.parameters)
        start = perf_counter()
        if model.config.kind == "chain":
            _chain(tape, model.config, ids, hidden, words)
        else:
            _grid(tape, model.config, ids, hidden, padding)
        seconds = perf_counter() - start
    return Trace(
        facts=_facts(model, ops, ids.shape[-1]),
        tokens=words,
        hidden=hidden,
        vocabulary=model.vocabulary,
        stages=tuple(tape.stages),
        steps=tape.steps(),
        parameters=model.parameters,
        seconds=seconds,
    )


def depth_at(model: Model, length: int) -> int:
    """Return the depth of a model over a sentence of any length, from its graph alone."""
    return _depth(model.config, length)


@lru_cache(maxsize=512)
def _depth(config: Config, length: int) -> int:
    # Depth does not depend on any width, so the same graph is run with one number a row.
    narrow = replace(
        config, words=1, embedding=1, width=1, heads=min(config.heads, 1), mlp=min(config.mlp, 1),
        max_length=max(config.max_length, length),
    )  # fmt: skip
    parameters = {name: np.zeros(shape) for name, shape in shapes(narrow).items()}
    model = Model("", narrow, parameters, ("",))
    return run(model, np.zeros(length, np.int64), hidden=length - 1, ops=Ops()).depth


def bytes_at_most(config: Config, *, length: int, sentences: int, itemsize: int) -> int:
    """Return a bound on the memory that a trace of this model holds."""
    T, d = length, config.width
    if config.kind == "chain":
        gates = len(CELLS[config.cell].gates)
        # The longest cell, GRU, records three rows of gates and eleven vectors a token.
        numbers = T * (config.embedding + d * (gates + (3 * gates + 11 if gates > 1 else 3)))
        numbers += T * d + 2 * T if config.attention else 0
    else:
        # Scores twice and the pattern; 17 rows and three of the MLP a block.
        block = 3 * config.heads * T * T + T * (17 * d + 3 * config.mlp)
        numbers = config.layers * block + 3 * T * d + T * T
    return itemsize * sentences * (numbers + 4 * config.embedding + 6 * d + 2 * config.words)


def _check(model: Model, ids: Array, hidden: int, padding: Array | None) -> None:
    """Refuse what cannot be run, with one sentence."""
    config, length = model.config, ids.shape[-1] if ids.ndim else 0
    if ids.ndim not in (1, 2) or ids.size == 0:
        problem = "there is no word to read; type a sentence"
    elif ids.min() < 0 or ids.max() >= config.words:
        problem = f"a word has an id outside the vocabulary of {config.words} words"
    elif not 0 <= hidden < length:
        problem = f"word {hidden + 1} is hidden but the sentence has {length}"
    elif config.kind == "grid" and config.positions == "learned" and length > config.max_length:
        problem = (
            f"its positions are learned up to word {config.max_length} and the sentence has "
            f"{length}; shorten it, or choose a model with sinusoidal positions"
        )
    elif padding is not None and padding.shape != ids.shape:
        problem = f"the mask has shape {padding.shape} and the sentence {ids.shape}"
    elif padding is not None and config.kind == "chain" and not padding.all():
        problem = "a recurrent model reads padding as words; give it sentences of one length"
    else:
        needed = bytes_at_most(
            config,
            length=length,
            sentences=ids.size // length,
            itemsize=model.parameters["embed.E"].itemsize,
        )
        if needed <= LIMIT_BYTES:
            return
        problem = (
            f"every value of the run would take up to {needed / 2**30:.1f} GiB and at most "
            f"{LIMIT_BYTES / 2**30:.0f} GiB are kept; shorten the sentence"
        )
    raise Said(f"{model.id or 'This model'} cannot read this: {problem}.")


def _chain(tape: Tape, config: Config, ids: Array, hidden: int, words: tuple[str, ...]) -> None:
    """Record a recurrent model: one token after another, then the answer from the last state.

        x = E[tokens],    h_t = cell(h_{t-1}, x_t W_x),    y = tanh([h_T; c] W_c + b_c)

    Source: Luong et al. 2015, eq. 5 (the last line).
    """
    cell = CELLS[config.cell]
    T = ids.shape[-1]
    with tape.stage("embed", "Embed", "x = E_{tokens}"):
        x = _embed(tape, ids, name="embed.x")  # (token, feature)
        W_x = tape.parameter("rnn.W_x")
        axes = ("token", "hidden" if len(cell.gates) == 1 else "gates")
        xW = tape("product", x, W_x, name="rnn.x", axes=axes, equation="x W_x")
        nothing = np.zeros((*ids.shape[:-1], config.width), x.value.dtype)
        state = {
            letter: tape.input(nothing, name=f"rnn.{letter}.0", axes=HIDDEN, equation="0")
            for letter in cell.carries
        }
    states = []
    for t in range(1, T + 1):
        title = "Read the blank" if t - 1 == hidden else f"Read “{words[t - 1]}”"
        with tape.stage(f"read.{t}", title, numbered(cell.equation, t)):
            state = cell.read(Read(tape, xW, t), state)
        states.append(state["h"])
    y, letter = states[-1], numbered("h_t", T)  # (hidden,)
    context = look_back(tape, states) if config.attention else None  # (hidden,)
    seen = f"[{letter}; c]" if context else letter
    with tape.stage("answer", "Answer", f"softmax(y E^⊤),  y = tanh({seen} W_c + b_c)"):
        if context:
            y = tape("concat", y, context, name="answer.joined", axes=FEATURE, equation=seen)
        W, b = "answer.W_c", "answer.b_c"
        y = tape.linear(y, W, b, name="answer.combined.sum", axes=FEATURE, letter=seen)
        formula = f"tanh({seen} W_c + b_c)"
        y = tape("tanh", y, name="answer.combined", axes=FEATURE, equation=formula)
        _answer(tape, y)


def _grid(tape: Tape, config: Config, ids: Array, hidden: int, padding: Array | None) -> None:
    """Record a Transformer encoder: all tokens at once, block by block, then the hidden row.

        x = E[tokens] + P,    x = block_b(x) for every b,    y = norm(x_i)

    Source: Vaswani et al. 2017, sections 3.1 and 3.5.
    """
    T, d = ids.shape[-1], config.width
    with tape.stage("embed", "Embed and add positions", "x = E_{tokens} + P"):
        x = _embed(tape, ids, name="embed.tokens")  # (token, feature)
        name = "embed.positions"
        if config.positions == "learned":
            table = tape.parameter("embed.P")  # (max_length, feature)
            P = tape("view", table, at=(slice(T), slice(None)), name=name, axes=ROWS, equation="P")
        else:
            wave = (config.position_scale * sinusoidal(T, d)).astype(x.value.dtype)
            formula = "sin, cos(t / 10000^{2k/d})"
            scale = config.position_scale
            P = tape.input(wave, name=name, axes=ROWS, equation=formula, scale=scale)
        x = tape("add", x, P, name="embed.x", axes=ROWS, equation="E_{tokens} + P")
        mask = _mask(tape, T, causal=config.causal, padding=padding, dtype=x.value.dtype)
    for block in range(config.layers):
        x = _block(tape, x, config, block=block, mask=mask)  # (token, feature)
    with tape.stage("answer", "Answer", "softmax(y E^⊤),  y = norm(x_i)"):
        i = numbered("x_t", hidden + 1)
        one = (hidden, slice(None))
        row = tape("view", x, at=one, name="answer.row", axes=FEATURE, equation=i)  # (feature,)
        n = "answer.norm"
        y = tape.norm(row, n, eps=config.eps, name=n, axes=FEATURE, letter=i)  # (feature,)
        _answer(tape, y)


def _embed(tape: Tape, ids: Array, *, name: str) -> Tensor:
    """Return the row of E of every token, shape (token, feature)."""
    tokens = tape.input(ids, name="tokens", axes=("token",), equation="tokens")
    E = tape.parameter("embed.E")
    return tape("gather", E, tokens, name=name, axes=ROWS, equation="E_{tokens}")


def _mask(tape: Tape, T: int, *, causal: bool, padding: Array | None, dtype: Any) -> Tensor | None:
    """Record what no query may look at, as numbers to add to the scores; None when all is open."""
    closed = np.zeros((T, T), bool)  # (query, key)
    if causal:
        closed |= np.triu(np.ones((T, T), bool), k=1)
    axes: tuple[str, ...] = ("query", "key")
    if padding is not None and not padding.all():
        closed = closed | ~padding[..., None, :]  # (…, query, key): nobody looks at padding
        if padding.ndim == 2:
            closed, axes = closed[:, None], ("head", *axes)  # (batch, 1, query, key)
    if not closed.any():
        return None
    added = np.where(closed, -np.inf, 0.0).astype(dtype)
    return tape.input(added, name="mask", axes=axes, equation="0 where open, −∞ where closed")


def _block(tape: Tape, x: Tensor, config: Config, *, block: int, mask: Tensor | None) -> Tensor:
    """Return x behind one Transformer block, shape (token, feature).

        pre-norm:   y = x + heads(norm(x)),    x' = y + mlp(norm(y))
        post-norm:  y = norm(x + heads(x)),    x' = norm(y + mlp(y))
        mlp(n) = gelu(n W_in + b_in) W_out + b_out

    Source: Vaswani et al. 2017, section 3.1 and eq. 2 (post-norm); Xiong et al. 2020, table 1
    (pre-norm); Hendrycks & Gimpel 2016 (GELU in its tanh form).
    """
    b, pre, eps = f"blocks.{block}", config.norm == "pre", config.eps
    norm_eps = eps if pre else None
    out = multi_head(tape, x, block=block, heads=config.heads, norm_eps=norm_eps, mask=mask)
    order = "y + mlp(norm(y)),  y = x + out" if pre else "norm(y + mlp(y)),  y = norm(x + out)"
    with tape.stage(f"{b}.rest", "Rest of the block", order):
        y = tape("add", x, out, name=f"{b}.residual", axes=ROWS, equation="x + out")
        norm = f"{b}.norm2" if pre else f"{b}.norm1"
        n = tape.norm(y, norm, eps=eps, name=norm, axes=ROWS, letter="x + out")
        W, bias, axes = f"{b}.mlp.W_in", f"{b}.mlp.b_in", ("token", "neuron")
        a = tape.linear(n, W, bias, name=f"{b}.mlp.pre", axes=axes, letter="n")  # (token, neuron)
        g = tape("gelu", a, name=f"{b}.mlp.act", axes=axes, equation="gelu(n W_{in} + b_{in})")
        W, bias = f"{b}.mlp.W_out", f"{b}.mlp.b_out"
        mlp = tape.linear(g, W, bias, name=f"{b}.mlp.out", axes=ROWS, letter="g")
        if pre:
            return tape("add", y, mlp, name=f"{b}.x", axes=ROWS, equation="x + out + mlp")
        y = tape("add", n, mlp, name=f"{b}.mlp.residual", axes=ROWS, equation="n + mlp")
        return tape.norm(y, f"{b}.norm2", eps=eps, name=f"{b}.x", axes=ROWS, letter="n + mlp")


def _answer(tape: Tape, y: Tensor) -> None:
    """Record which word fits best: the row y against every word's embedding.

    Source: Press & Wolf 2017, "Using the output embedding to improve language models", section 3.
    """
    E = tape.parameter("embed.E")
    name = "answer.logits"
    logits = tape("product", y, E, transpose_b=True, name=name, axes=WORD, equation="y E^⊤")
    p = tape("softmax", logits, name="answer.probabilities", axes=WORD, equation="softmax(y E^⊤)")
    tape("argmax", p, name="answer.word", axes=(), equation="argmax(p)")


def _facts(model: Model, ops: Ops, length: int) -> Facts:
    """Return what has to be said beside a run of this model."""
    config, card = model.config, model.card
    chain = config.kind == "chain"
    trained = int(card.get("trained_length", 0))
    title = f"Transformer, {config.heads} heads, {config.layers} layers"
    sees = "the whole sentence at once"
    memory = f"{length} × {config.width} numbers"
    if chain:
        cell = CELLS[config.cell]
        carried = len(cell.carries)
        memory = f"{config.width} numbers"
        if carried > 1:
            memory = f"{carried} × {memory}"
        title = f"{cell.title}{' with attention' if config.attention else ''}, {memory}"
        sees = "the whole sentence, left to right"
    elif config.causal:
        sees = "only what stands left of the hidden word"
    notes = []
    if 0 < trained < length:
        notes.append(f"{length} words: longer than the {trained} it was trained for")
    return Facts(
        model=model.id,
        title=str(card.get("title", title)),
        kind=config.kind,
        cell=config.cell,
        attention=config.attention,
        heads=config.heads,
        layers=config.layers,
        width=config.width,
        sees=sees,
        parameters=sum(array.size for array in model.parameters.values()),
        memory=memory,
        trained_length=trained,
        roles=tuple(
            tuple((str(role), float(score)) for role, score in layer)
            for layer in card.get("roles", ())
        ),
        backend=ops.backend,
        device=ops.device,
        precision=str(model.parameters["embed.E"].dtype),
        threads=ops.threads(),
        notes=tuple(notes),
    )

"""The models: a chain of recurrent reads, a grid of Transformer blocks, a translator of two stacks.

All read a sentence with one hidden word and answer which word it is. What each computes stands in
``engine.chain``, ``engine.grid`` and ``engine.translator``; here is what they share: configuration,
parameters, a run. Notation:

    E           embedding table, also the answer's table        (word, embedding)
    x           embedded tokens                                 (token, embedding)
    T           tokens of the sentence

Linear maps are ``x @ W`` with W of shape (in, out).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from time import perf_counter
from typing import Any

import numpy as np

from engine import chain, grid, seq2seq, translator
from engine.attention import SCORES
from engine.cells import CELLS
from engine.grid import ACTIVATIONS, sinusoidal
from engine.memory import most_bytes
from engine.ops import Array, Ops
from engine.said import Said
from engine.tape import Tape, Watch
from engine.trace import Facts, Trace

__all__ = [
    "Config",
    "Model",
    "bytes_at_most",
    "depth_at",
    "initialise",
    "run",
    "shapes",
    "sinusoidal",
]

KINDS = {"chain": chain, "grid": grid, "translator": translator, "seq2seq": seq2seq}


@dataclass(frozen=True, kw_only=True)
class Config:
    """The shape of a model.

    Parameters
    ----------
    kind
        "chain" (recurrent), "grid" (Transformer of one stack: an encoder, or with ``causal`` a
        decoder), "translator" (encoder and decoder, with cross-attention) or "seq2seq" (two chains,
        one that reads and one that writes).
    words
        Words of the vocabulary.
    embedding
        Numbers of a word's vector; in a grid the same as ``width``.
    width
        Numbers of a hidden state of one direction (chain) or of a row (grid, d).
    layers
        Recurrent layers (chain), blocks (grid) or blocks of each stack (translator).
    cell, bidirectional
        Of a chain: "elman", "gru" or "lstm"; whether every layer reads from both sides.
    attention, score
        Of a chain: whether the last state looks back over all states; how well a state fits it,
        "dot", "general", "concat" (Luong) or "additive" (Bahdanau).
    reset
        Of a GRU: whether the reset gate acts "after" the product with the state or "before" it.
    heads, mlp, activation
        Of a grid or translator, as all that follows: heads a block; width of the MLP inside a
        block, and its function: "gelu" (in its tanh form), "gelu_erf" (as it is defined) or "relu".
    norm
        "pre" (in front of heads and MLP) or "post" (behind each sum).
    positions, position_scale, max_length
        "sinusoidal", times a factor, for any length; "learned", for ``max_length``; or
        "none". A model with sinusoidal positions can be run with none, and keeps its parameters.
    causal
        Of a grid: whether a token sees only what stands left of it. The decoder of a translator
        always does, its encoder never.
    eps
        ε under the root of the norms.
    answers
        "hidden": one word, which is hidden; "every": every token (of a translator: of the target)
        answers with the next. A chain's attention is then Luong's "general".
    """

    kind: str
    words: int
    embedding: int
    width: int
    cell: str = ""
    attention: bool = False
    score: str = "general"
    bidirectional: bool = False
    reset: str = "after"
    heads: int = 0
    layers: int = 1
    mlp: int = 0
    activation: str = "gelu"
    norm: str = "pre"
    positions: str = "sinusoidal"
    position_scale: float = 1.0
    max_length: int = 0
    causal: bool = False
    eps: float = 1e-5
    answers: str = "hidden"

    def __post_init__(self) -> None:
        """Refuse a shape that no model has.

        Raises
        ------
        engine.said.Said
            With one sentence that says what is wrong.
        """
        rows = self.kind in ("grid", "translator")
        counts = {"words": self.words, "embedding": self.embedding, "width": self.width}
        counts |= {"layers": self.layers}
        if rows:
            counts |= {"heads": self.heads, "mlp": self.mlp}
        wrong = [name for name, count in counts.items() if count < 1]
        if self.kind not in KINDS:
            problem = f"its kind is {self.kind!r} and not one of {', '.join(KINDS)}"
        elif wrong:
            problem = f"{wrong[0]} is {counts[wrong[0]]} and must be 1 or more"
        elif not rows and self.cell not in CELLS:
            problem = f"its cell is {self.cell!r} and not one of {', '.join(CELLS)}"
        elif not rows and self.reset not in ("after", "before"):
            problem = f"its reset is {self.reset!r} and not after or before"
        elif not rows and self.score not in SCORES:
            problem = f"its score is {self.score!r} and not one of {', '.join(SCORES)}"
        elif rows and self.embedding != self.width:
            problem = f"its embedding ({self.embedding}) is not as wide as a row ({self.width})"
        elif rows and self.width % self.heads:
            problem = f"{self.heads} heads do not divide a width of {self.width}"
        elif rows and self.norm not in ("pre", "post"):
            problem = f"its norm is {self.norm!r} and not pre or post"
        elif rows and self.activation not in ACTIVATIONS:
            problem = (
                f"its activation is {self.activation!r} and not one of {', '.join(ACTIVATIONS)}"
            )
        elif rows and self.positions not in ("sinusoidal", "learned", "none"):
            problem = f"its positions are {self.positions!r} and not sinusoidal, learned or none"
        elif self.answers not in ("hidden", "every"):
            problem = f"its answers are {self.answers!r} and not hidden or every"
        elif self.kind == "seq2seq" and (self.answers, self.layers, self.directions) != (
            "every",
            1,
            1,
        ):
            problem = "two chains answer at every word, and have one layer and one direction each"
        elif self.kind == "chain" and self.answers == "every" and self.score != "general":
            problem = f"its score is {self.score!r} and that of a chain that answers at every token"
            problem += " is general"
        elif rows and self.positions == "learned" and self.max_length < 1:
            problem = "its positions are learned but it has no greatest length"
        else:
            return
        raise Said(f"No model has this shape: {problem}.")

    @property
    def directions(self) -> int:
        """Return in how many directions each layer of a chain reads."""
        return 2 if self.bidirectional else 1


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
    named: dict[str, tuple[int, ...]] = KINDS[config.kind].shapes(config)
    return named


def initialise(
    config: Config, rng: np.random.Generator, dtype: type[np.floating[Any]] = np.float32
) -> dict[str, Array]:
    """Return untrained parameters: matrices normal with 1/√in, gains 1, biases 0, E and P 0.3."""
    parameters: dict[str, Array] = {}
    for name, shape in shapes(config).items():
        if name.endswith(".gain"):
            value = np.ones(shape)
        elif name.rpartition(".")[2].startswith("b"):
            value = np.zeros(shape)
        else:
            deviation = 0.3 if name in ("embed.E", "embed.P") else 1.0 / math.sqrt(shape[0])
            value = rng.normal(0.0, deviation, shape)
        parameters[name] = value.astype(dtype)
    return parameters


def run(
    model: Model,
    tokens: Any,
    *,
    hidden: int,
    ops: Ops,
    words: tuple[str, ...] | None = None,
    mask: Any = None,
    target: Any = None,
    warm: bool = False,
    watch: Watch | None = None,
    then: Callable[[Tape], float] = lambda tape: 0.0,
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
        Of a grid or translator: True where a token counts and False where it is padding, shaped
        like ``tokens``.
    target
        Of a translator: the words of the target so far, as ids with axes (token,), or (batch,
        token) beside a batch of sources; by default one token, the first of the vocabulary. The
        answer is the next.
    warm
        Whether to run once unrecorded, so that no step's time includes a first touch of memory.
    watch
        Is told what was done, and of a long run while it lasts; may raise an error to end it.
    then
        Records what follows, on the same tape, before anything is fetched from a device; returns
        the seconds that it took and that are no part of the run.

    Raises
    ------
    engine.said.Said
        With one sentence: an empty sentence, an id outside the vocabulary, a sentence longer than
        learned positions reach, padding for a chain, more values than the machine has memory for.
    """
    ids = np.array(tokens, dtype=np.int64)  # a copy: recorded values are made read-only
    padding = None if mask is None else np.array(mask, dtype=bool)
    if target is None:
        target = np.zeros((*ids.shape[:-1], 1))
    goal = np.array(target, dtype=np.int64)
    _check(model, ids, goal, hidden, padding)
    if words is None:
        words = tuple(model.vocabulary[i] for i in ids.reshape(-1, ids.shape[-1])[0])
    for _ in range(2 if warm else 1):
        tape = Tape(ops, model.parameters, watch)
        start = perf_counter()
        try:
            record(tape, model, ids, hidden=hidden, words=words, target=goal, padding=padding)
            aside = then(tape)
            ops.wait()
        except Exception as error:
            raise ops.failed(error, tape.behind) from error
        seconds = perf_counter() - start - aside
        tape.tell(all=True)
    try:
        steps = tape.steps()
    except Exception as error:
        raise ops.failed(error, tape.behind) from error
    return Trace(
        facts=_facts(model, ops, ids.shape[-1], goal.shape[-1]),
        tokens=words,
        hidden=hidden,
        vocabulary=model.vocabulary,
        stages=tape.stages,
        steps=steps,
        parameters=model.parameters,
        seconds=seconds,
    )


def record(
    tape: Tape,
    model: Model,
    ids: Array,
    *,
    hidden: int,
    words: tuple[str, ...] | None = None,
    target: Array | None = None,
    padding: Array | None = None,
) -> None:
    """Run a model on a tape; the arguments are those of ``run``, which checks them."""
    if words is None:
        words = tuple(model.vocabulary[i] for i in ids.reshape(-1, ids.shape[-1])[0])
    goal = np.zeros((*ids.shape[:-1], 1), np.int64) if target is None else target
    if model.config.kind == "chain":
        chain.record(tape, model.config, ids, hidden, words)
    elif model.config.kind == "translator":
        translator.record(tape, model.config, ids, goal, padding)
    elif model.config.kind == "seq2seq":
        seq2seq.record(tape, model.config, ids, goal, words)
    else:
        grid.record(tape, model.config, ids, hidden, padding)


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


def bytes_at_most(
    config: Config, *, length: int, sentences: int, itemsize: int, target: int = 1
) -> int:
    """Return a bound on the memory that a trace of this model holds.

    ``length`` and ``target`` are tokens of a sentence and, for a translator, of its target.
    """
    if config.kind == "chain":
        numbers = chain.numbers_at_most(config, length)
    elif config.kind == "translator":
        numbers = translator.numbers_at_most(config, length, target)
    elif config.kind == "seq2seq":
        numbers = seq2seq.numbers_at_most(config, length, target)
    else:
        numbers = grid.numbers_at_most(config, length)
    return itemsize * sentences * numbers


def _check(model: Model, ids: Array, target: Array, hidden: int, padding: Array | None) -> None:
    """Refuse what cannot be run, with one sentence."""
    config, length = model.config, ids.shape[-1] if ids.ndim else 0
    goal = target.shape[-1] if target.ndim else 0
    learned = config.kind in ("grid", "translator") and config.positions == "learned"
    recurrent = config.kind in ("chain", "seq2seq")
    if ids.ndim not in (1, 2) or ids.size == 0:
        problem = "there is no word to read; type a sentence"
    elif goal == 0 or target.shape[:-1] != ids.shape[:-1]:
        problem = "there is no target beside every sentence; begin each with one word"
    elif config.kind in ("chain", "grid") and target.any():
        problem = "it has no decoder for a target; leave it out, or choose a translator"
    elif not all(0 <= some.min() and some.max() < config.words for some in (ids, target)):
        problem = f"a word has an id outside the vocabulary of {config.words} words"
    elif not 0 <= hidden < length:
        problem = f"word {hidden + 1} is hidden but the sentence has {length}"
    elif learned and max(length, goal) > config.max_length:
        problem = (
            f"its positions are learned up to word {config.max_length} and the sentence has "
            f"{max(length, goal)}; shorten it, or choose a model with sinusoidal positions"
        )
    elif padding is not None and padding.shape != ids.shape:
        problem = f"the mask has shape {padding.shape} and the sentence {ids.shape}"
    elif padding is not None and recurrent and not padding.all():
        problem = "a recurrent model reads padding as words; give it sentences of one length"
    else:
        needed = bytes_at_most(
            config,
            length=length,
            target=goal,
            sentences=ids.size // length,
            itemsize=model.parameters["embed.E"].itemsize,
        )
        limit = most_bytes()
        if needed <= limit:
            return
        problem = (
            f"every value of the run would take up to {needed / 2**30:.1f} GiB and at most "
            f"{limit / 2**30:.1f} GiB can be kept now; shorten the sentence or close programs"
        )
    raise Said(f"{model.id or 'This model'} cannot read this: {problem}.")


def _facts(model: Model, ops: Ops, length: int, target: int) -> Facts:
    """Return what has to be said beside a run of this model."""
    config, card = model.config, model.card
    trained = int(card.get("trained_length", 0))
    if config.kind == "chain":
        title, sees, memory = chain.said(config)
    elif config.kind == "translator":
        title, sees, memory = translator.said(config, length, target)
    elif config.kind == "seq2seq":
        title, sees, memory = seq2seq.said(config, length, target)
    else:
        title, sees, memory = grid.said(config, length)
    notes = []
    if 0 < trained < length:
        notes.append(f"{length} words: longer than the {trained} it was trained for")
    notes += ops.notes()
    kept = str(model.parameters["embed.E"].dtype)
    return Facts(
        model=model.id,
        title=str(card.get("title", title)),
        # Which side of the stage it belongs to: a translator is a grid of two stacks.
        kind="chain" if config.kind in ("chain", "seq2seq") else "grid",
        cell=config.cell,
        attention=config.attention,
        bidirectional=config.bidirectional,
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
        precision=kept if ops.precision == "float32" else ops.precision,
        threads=ops.threads(),
        notes=tuple(notes),
    )

"""Writing word by word: what a model that has read a prompt does for every word that it adds.

A grid that sees to the left only reads a prompt at once, but every word that it writes waits for
the one before. What the words so far were made into does not change any more, so their keys and
values can be kept ("cache"): then one row goes through the blocks for each new word, and without it
all rows go again. A chain keeps its state, which is as large after many words as after one.

Notation, beside that of ``engine.attention``:

    K, V        keys and values of all words so far             (head, token, d_head)
    k, v        those of the new word                           (head, 1, d_head)

Source: Shazeer 2019, "Fast Transformer decoding", section 2.3, incremental attention.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine import tasks, weights
from engine.attention import HEADS, attend, cut
from engine.cells import HIDDEN, Read
from engine.chain import cell_of, combine, directions
from engine.grid import answer_row, rest, sinusoidal
from engine.models import Config, Model, run
from engine.ops import Array, Ops
from engine.race import threads
from engine.said import Said
from engine.tape import Tape, Tensor, Watch
from engine.tasks.sequences import BAR
from engine.trace import Trace
from engine.words import ROWS, embed

COLUMNS = ("head", "d_head", "token")


@dataclass(frozen=True, eq=False)
class Turn:
    """One word that was written: the first turn reads the prompt, the others the word before.

    ``given`` are the tokens that went through the model in this turn, ``length`` those that it
    knows of, ``kept`` the numbers that were kept from the turns before. ``word`` is the id that
    came out, ``logits`` have axes (word,). ``depth`` and ``flops`` are counted, ``seconds``
    measured.
    """

    given: int
    length: int
    kept: int
    word: int
    logits: NDArray[Any]
    depth: int
    flops: int
    seconds: float


def with_cache(
    model: Model, prompt: Sequence[int], count: int, *, ops: Ops, repeats: int = 1,
    watch: Watch | None = None,
) -> tuple[Turn, ...]:  # fmt: skip
    """Return the turns that write so many words with keys and values, or the state, kept.

    Parameters
    ----------
    model
        A grid that sees to the left only, or a chain of one layer in one direction without
        attention.
    prompt
        Ids of what is read first.
    count
        Words to write.
    ops
        Where to compute.
    repeats
        Of all turns: each one's seconds are the least of them, because whatever else the machine
        does can only add to a time.
    watch
        Is told what was done; may raise an error to end it.

    Raises
    ------
    engine.said.Said
        With one sentence: a model that cannot write so, a prompt that it cannot read.
    """
    return _fastest(lambda: _kept(_writer(model), prompt, count, ops, watch), repeats)


def without_cache(
    model: Model, prompt: Sequence[int], count: int, *, ops: Ops, repeats: int = 1,
    watch: Watch | None = None,
) -> tuple[Turn, ...]:  # fmt: skip
    """Return the turns that write so many words, each of them by a run over all words so far.

    As ``with_cache``.
    """
    return _fastest(lambda: _anew(_writer(model), prompt, count, ops, watch), repeats)


def _writer(model: Model) -> Model:
    """Return the model with an answer at the last token only, or refuse it."""
    config = model.config
    grid = config.kind == "grid" and config.causal
    chain = config.kind == "chain" and (config.layers, config.directions) == (1, 1)
    if not (grid or (chain and not config.attention)):
        raise Said(
            f"{model.id or 'This model'} cannot write word by word, because a word that it has "
            "read changes with those that come later; choose a grid that sees to the left only, "
            "or a chain of one layer without attention."
        )
    return replace(model, config=replace(config, answers="hidden"))


def _fastest(write: Callable[[], tuple[Turn, ...]], repeats: int) -> tuple[Turn, ...]:
    every = [write() for _ in range(max(repeats, 1))]
    return tuple(
        replace(turns[0], seconds=min(turn.seconds for turn in turns))
        for turns in zip(*every, strict=True)
    )


def _anew(
    model: Model, prompt: Sequence[int], count: int, ops: Ops, watch: Watch | None
) -> tuple[Turn, ...]:
    ids, turns = list(prompt), list[Turn]()
    for _ in range(count):
        trace = run(model, ids, hidden=len(ids) - 1, ops=ops, watch=watch)
        turns.append(_turn(trace, given=len(ids), length=len(ids), kept=0))
        ids.append(turns[-1].word)
    return tuple(turns)


def _kept(
    model: Model, prompt: Sequence[int], count: int, ops: Ops, watch: Watch | None
) -> tuple[Turn, ...]:
    trace = run(model, prompt, hidden=len(prompt) - 1, ops=ops, watch=watch)
    turns = [_turn(trace, given=len(prompt), length=len(prompt), kept=0)]
    add, kept = (
        (_add_to_chain, _state_of(model.config, trace))
        if model.config.kind == "chain"
        else (_add_to_grid, _cache_of(model.config, trace))
    )
    for t in range(len(prompt), len(prompt) + count - 1):
        numbers = sum(array.size for array in kept.values())
        tape = Tape(ops, model.parameters, watch)
        word = np.array([turns[-1].word])
        start = perf_counter()
        kept = add(tape, model.config, word, t, kept)
        ops.wait()
        seconds = perf_counter() - start
        tape.tell(all=True)
        written = replace(
            trace, tokens=(model.vocabulary[word[0]],), hidden=0, stages=tape.stages,
            steps=tape.steps(), seconds=seconds,
        )  # fmt: skip
        turns.append(_turn(written, given=1, length=t + 1, kept=numbers))
    return tuple(turns)


def _turn(trace: Trace, *, given: int, length: int, kept: int) -> Turn:
    return Turn(
        given=given, length=length, kept=kept, word=int(trace.value("answer.word")),
        logits=trace.value("answer.logits"), depth=trace.depth, flops=trace.flops,
        seconds=trace.seconds,
    )  # fmt: skip


# ---- a grid: keys and values ---------------------------------------------------------------------


def _cache_of(config: Config, trace: Trace) -> dict[str, Array]:
    """Return keys and values of all blocks as columns, shape (head, d_head, token)."""
    names = [f"blocks.{b}.attn.{to}" for b in range(config.layers) for to in "kv"]
    return {name: np.ascontiguousarray(np.swapaxes(trace.value(name), -1, -2)) for name in names}


def _add_to_grid(
    tape: Tape, config: Config, word: Array, t: int, kept: dict[str, Array]
) -> dict[str, Array]:
    """Record the blocks over the row of token t, which looks at all that was kept; keep its own."""
    with tape.stage("embed", "Embed and add its position", "x = E_{token} + P_t"):
        x = _placed(tape, config, word, t)  # (1, feature)
    more: dict[str, Array] = {}
    for b in range(config.layers):
        block = f"blocks.{b}"
        with tape.stage(f"{block}.qkv", "q, k, v of the new word", "q, k, v;  K = [K; k]"):
            n, letter = x, "x"
            if config.norm == "pre":
                name, letter = f"{block}.norm1", "n"
                n = tape.norm(x, name, eps=config.eps, name=name, axes=ROWS, letter="x")
            q, *new = (cut(tape, n, f"{block}.attn", to, letter, config.heads) for to in "qkv")
            rows = []
            for row in new:
                columns = _appended(tape, kept[row.name], row)
                more[row.name] = columns.value
                rows.append(_turned(tape, columns, f"{row.name}.all", HEADS))
        out = attend(tape, q, *rows, name=f"{block}.attn", stages=block, mask=None)
        x = rest(tape, x, out, config, b=block)
    answer_row(tape, config, x, 0)
    return more


def _placed(tape: Tape, config: Config, word: Array, t: int) -> Tensor:
    """Return the embedding of one token with the position t, shape (1, feature)."""
    x = embed(tape, word, name="embed.tokens")
    if config.positions == "none":
        return x
    name, axes = "embed.positions", ROWS
    if config.positions == "learned":
        table, one = tape.parameter("embed.P"), (slice(t, t + 1), slice(None))
        P = tape("view", table, at=one, name=name, axes=axes, equation="P_t")
    else:
        wave = config.position_scale * sinusoidal(t + 1, config.width)[t:]
        wave = wave.astype(x.value.dtype)
        P = tape.input(wave, name=name, axes=axes, equation="sin, cos(t / 10000^{2k/d})")
    return tape("add", x, P, name="embed.x", axes=axes, equation="E_{token} + P_t")


def _appended(tape: Tape, before: Array, row: Tensor) -> Tensor:
    """Return what was kept with one more token behind it, shape (head, d_head, token)."""
    name, letter = row.name, row.name[-1].upper()
    old = tape.input(before, name=f"{name}.kept", axes=COLUMNS, equation=f"{letter}^⊤")
    new = _turned(tape, row, f"{name}.column", COLUMNS)
    joined = f"[{letter}; {letter.lower()}]^⊤"
    return tape("concat", old, new, name=f"{name}.columns", axes=COLUMNS, equation=joined)


def _turned(tape: Tape, x: Tensor, name: str, axes: tuple[str, ...]) -> Tensor:
    """Return each head's matrix transposed, as two views: every number its own head, one of it."""
    heads, apart = x.value.shape[-1], (axes[0], axes[1], axes[2], "one")
    one = tape(
        "split_heads", x, heads=heads, name=f"{name}.apart", axes=apart, equation="every number"
    )
    at = (slice(None), slice(None), 0)
    return tape("view", one, at=at, name=name, axes=axes, equation="transposed")


# ---- a chain: its state --------------------------------------------------------------------------


def _state_of(config: Config, trace: Trace) -> dict[str, Array]:
    """Return what the last read left, by letter, each of shape (hidden,)."""
    T = len(trace.tokens)
    return {letter: trace.value(f"rnn.{letter}.{T}") for letter in cell_of(config).carries}


def _add_to_chain(
    tape: Tape, config: Config, word: Array, t: int, kept: dict[str, Array]
) -> dict[str, Array]:
    """Record the read of token t from the state that was kept, and keep the next."""
    cell, (way,) = cell_of(config), directions(config, 0)
    with tape.stage("embed", "Embed", "x = E_{token}"):
        x = embed(tape, word, name="embed.x")  # (1, feature)
        W_x, axes = tape.parameter(f"{way.name}.W_x"), ("token", "gates")
        x = tape("product", x, W_x, name=f"{way.name}.x", axes=axes, equation="x W_x")
    with tape.stage(way.stage(1), "Read the new word", way.numbered(cell.equation, 1)):
        state = {
            letter: tape.input(kept[letter], name=f"rnn.{letter}.0", axes=HIDDEN, equation="kept")
            for letter in cell.carries
        }
        state = dict(cell.read(Read(tape, way, 1, x), state))
    with tape.stage("answer", "Answer", "softmax(y E^⊤),  y = tanh(h W_c + b_c)"):
        combine(tape, state["h"], "h")
    return {letter: tensor.value for letter, tensor in state.items()}


# ---- writing: read at once, write word by word ---------------------------------------------------

TASK = "reverse"
WRITERS = {"cache": "transformer", "anew": "transformer", "chain": "gru"}
DIGITS, REPEATS = 8, 5


@dataclass(frozen=True)
class Way:
    """One way to write an answer: its turns, the first of which reads the whole prompt.

    ``way`` is a key of WRITERS: "cache" keeps keys and values, "anew" runs over all words for each
    word, "chain" keeps its state.
    """

    way: str
    model: str
    title: str
    written: tuple[str, ...]
    turns: tuple[Turn, ...]

    @property
    def depth(self) -> int:
        """Return the dependent operations of all turns: each waits for the one before."""
        return sum(turn.depth for turn in self.turns)

    @property
    def flops(self) -> int:
        """Return the floating-point operations of all turns."""
        return sum(turn.flops for turn in self.turns)

    @property
    def seconds(self) -> float:
        """Return the measured seconds of all turns."""
        return math.fsum(turn.seconds for turn in self.turns)


@dataclass(frozen=True)
class Writing:
    """The same prompt answered in three ways.

    ``difference`` is the largest between the logits with and without the cache, as a part of the
    largest; ``same`` says whether both wrote the same words.
    """

    prompt: tuple[str, ...]
    right: tuple[str, ...]
    ways: tuple[Way, ...]
    difference: float
    same: bool

    def way(self, way: str) -> Way:
        """Return one of the ways."""
        return next(it for it in self.ways if it.way == way)


def writing(
    digits: int | Sequence[int] = DIGITS,
    *,
    seed: int = 0,
    repeats: int = REPEATS,
    ops: Ops | None = None,
    watch: Watch | None = None,
) -> Writing:
    """Return what it takes to read digits and to write them backwards, turn by turn.

    The shipped models of the task write it: a Transformer that sees to the left only, with a cache
    and without, and a GRU. Depth and FLOPs are counted in the runs, the seconds are those of the
    same runs, the least of some repeats. Takes 0.2 s for 8 digits, 2 s for 24.

    Parameters
    ----------
    digits
        Those to be reversed, or how many are drawn.
    seed
        Of the digits.
    repeats
        Of each way.
    ops
        Where to compute.
    watch
        Is told what was done; may raise an error to end it.

    Raises
    ------
    engine.said.Said
        With one sentence: no digit or more than were measured, damaged weights.
    """
    task, ops = tasks.load(TASK), ops or Ops()
    if isinstance(digits, int):
        drawn = np.random.default_rng([seed, abs(digits)]).integers(0, 10, max(digits, 0))
        asked = tuple(map(int, drawn))
    else:
        asked = tuple(digits)
    count, longest = len(asked), max(task.lengths)
    if not 1 <= count <= longest:
        raise Said(f"{count} digits cannot be reversed here; choose from 1 to {longest} of them.")
    if not all(0 <= digit <= 9 for digit in asked):
        raise Said("Only the digits 0 to 9 can be reversed here; leave out everything else.")
    prompt = [*asked, task.vocabulary.index(BAR)]
    ways = []
    for way, id in WRITERS.items():
        model = weights.read(weights.TASKS / TASK / f"{id}.safetensors")
        write = without_cache if way == "anew" else with_cache
        with threads(1):
            turns = write(model, prompt, count, ops=ops, repeats=repeats, watch=watch)
        written = tuple(model.vocabulary[turn.word] for turn in turns)
        ways.append(Way(way, id, str(model.card["title"]), written, turns))
    cached, anew = (np.stack([turn.logits for turn in way.turns]) for way in ways[:2])
    return Writing(
        prompt=tuple(task.vocabulary[i] for i in prompt),
        right=tuple(task.vocabulary[i] for i in reversed(asked)),
        ways=tuple(ways),
        difference=float(np.abs(cached - anew).max() / np.abs(anew).max()),
        same=ways[0].written == ways[1].written,
    )

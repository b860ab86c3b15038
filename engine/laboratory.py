"""The long-range laboratory: what distance, width and order do to a chain and to a grid.

Five experiments, each a function of plain data that returns a frozen result:

    bottleneck  whole answers against length: what has to go through one state
    influence   how far each token moves the answer, and over how many operations; beside it
                ``engine.fading``, what is left of a gradient after T reads
    scale       what softmax makes of scores that grow with d_head, divided by √d_head or not
    position    the same words in another order, with positions and without
    writing     reading at once, writing word by word, with keys and values kept or computed anew

All numbers are computed or measured when they are asked for, but for those of trainings from other
seeds, which stand on the models' cards.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine import tasks, weights
from engine.autodiff import gradients
from engine.decoding import TASK as TASK
from engine.decoding import WRITERS as WRITERS
from engine.decoding import Turn as Turn
from engine.decoding import Way as Way
from engine.decoding import Writing as Writing
from engine.decoding import writing as writing
from engine.influence import Stopped
from engine.models import Model, run
from engine.ops import Ops
from engine.paths import to_answer
from engine.race import threads
from engine.said import Said
from engine.spending import Spending
from engine.tape import Watch
from engine.tasks import UNCOUNTED, Batch, Task
from engine.trace import Trace
from engine.units import Unit

EXPERIMENTS = ("bottleneck", "influence", "scale", "position", "writing")

Stop = Callable[[], bool]
Floats = NDArray[np.float64]


def _never() -> bool:
    return False


# ---- bottleneck: whole answers against length ----------------------------------------------------

MODELS = ("rnn", "gru", "lstm", "gru-luong", "transformer")
BREAKS_AT = 0.5  # a model breaks at the first length where fewer whole sentences are right
FIRST_LENGTHS = (4, 8, 12, 16, 20, 24)  # those that show the most, measured before the others
SENTENCES = 200
SEED = 1  # of the sentences; cards were measured with another


@dataclass(frozen=True)
class Curve:
    """How often one model is right in whole sentences, by length.

    ``measured`` holds length and share of the shipped weights, found here and now, by length;
    ``others`` those of trainings from other seeds, from the card. ``memory`` is what the answer can
    draw on, for people.
    """

    model: str
    title: str
    parameters: int
    memory: str
    measured: tuple[tuple[int, float], ...]
    others: tuple[tuple[tuple[int, float], ...], ...]

    @property
    def breaks(self) -> int | None:
        """Return the first measured length where fewer than half are right; None: nowhere."""
        return _breaks(self.measured)

    @property
    def others_break(self) -> tuple[int | None, ...]:
        """Return where trainings from other seeds break, each at a length or None."""
        return tuple(map(_breaks, self.others))

    @property
    def spread(self) -> tuple[tuple[int, float, float], ...]:
        """Return length, least and most share of all trainings, at every measured length."""
        others = [dict(other) for other in self.others]
        every = [(n, [it, *(o[n] for o in others if n in o)]) for n, it in self.measured]
        return tuple((n, min(shares), max(shares)) for n, shares in every)


def _breaks(points: Sequence[tuple[int, float]]) -> int | None:
    return next((n for n, share in sorted(points) if share < BREAKS_AT), None)


@dataclass(frozen=True)
class Bottleneck:
    """Whole sentences that are right against length, for models of one task and one size.

    ``longest_trained`` is the longest length of training, ``lengths`` are all that are measured,
    each with so many fresh ``sentences``. It is complete when every curve has every length.
    ``day`` is that of a measurement that is remembered, "" of one that was made now.
    """

    task: str
    longest_trained: int
    lengths: tuple[int, ...]
    sentences: int
    curves: tuple[Curve, ...]
    day: str = ""

    @property
    def complete(self) -> bool:
        """Return whether everything has been measured."""
        return all(len(curve.measured) == len(self.lengths) for curve in self.curves)


def bottleneck(
    *,
    sentences: int = SENTENCES,
    seed: int = SEED,
    ops: Ops | None = None,
    stop: Stop = _never,
    watch: Watch | None = None,
    known: Mapping[str, Mapping[int, float]] | None = None,
) -> Iterator[Bottleneck]:
    """Yield how often the shipped models reverse a whole sequence, after every point that is found.

    The first result has no point measured and the cards' other seeds; the others follow in the
    order in which a curve shows, the lengths of the cards first. All of it takes about 10 s of one
    core.

    A sentence counts as right when every digit behind the bar is. Each digit is asked with the
    right ones in front of it; as a model that writes alone goes on rightly until its first error,
    as many whole sentences are right.

    Parameters
    ----------
    sentences, seed
        How many are drawn for each model and length, and from where: the same for all models.
    ops
        Where to compute.
    stop
        Asked before every point; ends the measurement.
    watch
        Told of every run, see ``engine.tape``.
    known
        Shares by model and length that need not be measured.

    Raises
    ------
    engine.said.Said
        With one sentence, when shipped weights are damaged.
    """
    task, ops = tasks.load(TASK), ops or Ops()
    shipped = {id: weights.read(weights.TASKS / TASK / f"{id}.safetensors") for id in MODELS}
    found = {id: dict((known or {}).get(id, {})) for id in MODELS}
    others = {id: _by_length(model.card) for id, model in shipped.items()}
    order = sorted(task.lengths, key=lambda n: (n not in FIRST_LENGTHS, n))

    def result() -> Bottleneck:
        curves = [
            Curve(
                id, str(model.card["title"]), sum(it.size for it in model.parameters.values()),
                _memory(model), tuple(sorted(found[id].items())), others[id],
            )
            for id, model in shipped.items()
        ]  # fmt: skip
        longest = max(map(int, task.in_range))
        return Bottleneck(TASK, longest, task.lengths, sentences, tuple(curves))

    yield result()
    for n in order:
        for id, model in shipped.items():
            if n in found[id]:
                continue
            if stop():
                return
            found[id][n] = exact(
                task, model, n, sentences=sentences, seed=seed, ops=ops, watch=watch
            )
            yield result()


def exact(
    task: Task, model: Model, length: int, *, sentences: int, seed: int, ops: Ops,
    watch: Watch | None = None,
) -> float:  # fmt: skip
    """Return the share of whole sentences of a length that a model answers rightly."""
    right = 0
    with threads(1):  # many small products
        for batch in task.sample(tasks.fresh(seed, str(length)), sentences, str(length)):
            right += _right(model, batch, ops, watch)
    return right / sentences


def _right(model: Model, batch: Batch, ops: Ops, watch: Watch | None) -> int:
    trace = run(model, batch.ids, hidden=batch.ids.shape[-1] - 1, ops=ops, watch=watch)
    good = (trace.value("answer.word") == batch.answers) | (batch.answers == UNCOUNTED)
    return int(good.all(-1).sum())


def _by_length(card: Mapping[str, Any]) -> tuple[tuple[tuple[int, float], ...], ...]:
    """Return what trainings from other seeds reached by length; without those, none."""
    rows = [row for row in card.get("seeds", ()) if row["seed"] != card["seed"]]
    return tuple(
        tuple((int(n), float(share)) for n, share in row["by_length"].items())
        for row in rows
        if "by_length" in row
    )


def _memory(model: Model) -> str:
    """Return what of the sentence an answer can draw on."""
    config = model.config
    if config.kind == "chain" and not config.attention:
        carried = 2 if config.cell == "lstm" else 1
        return f"{carried * config.width} numbers"
    return f"T × {config.width} numbers"


# ---- influence: what moves the answer, and from how far ------------------------------------------


@dataclass(frozen=True)
class Reach:
    """How far each token moves the answer of one model, and from how far away; axes (token,).

    ``gradient`` is ‖∂p / ∂x_t‖ of the answered word's probability p to the numbers of the token's
    embedding. ``shortest`` and ``longest`` count the dependent operations between token and answer
    (``engine.paths``); None where no way leads there. ``hops`` is ``hops_of`` the run.
    """

    model: str
    title: str
    kind: str
    words: tuple[str, ...]
    hidden: int
    answered: str
    probability: float
    gradient: tuple[float, ...]
    shortest: tuple[int | None, ...]
    longest: tuple[int | None, ...]
    hops: int

    @property
    def share(self) -> tuple[float, ...]:
        """Return the gradients as parts of their sum."""
        total = math.fsum(self.gradient)
        return tuple(it / total if total else 0.0 for it in self.gradient)

    @property
    def relative(self) -> tuple[float, ...]:
        """Return the gradients as parts of the largest."""
        most = max(self.gradient)
        return tuple(it / most if most else 0.0 for it in self.gradient)


def influence(
    model: Model, trace: Trace, *, ops: Ops | None = None, watch: Watch | None = None
) -> Reach:
    """Return how far each token of a sentence moves a model's answer, and from how far away.

        g_t = ‖∂p_w / ∂x_t‖ = p_w ‖∂ log p_w / ∂x_t‖,    w the word that is answered

    The shares of p and of log p are the same. It says how strongly a small change of a token's
    numbers would move the answer now. It is computed in float64, because where an answer is nearly
    certain, 1 - p is below float32. It takes some milliseconds for a sentence, 2 s for 512 tokens.

    Parameters
    ----------
    model
        The one that made the trace.
    trace
        A run over one sentence.
    ops
        Where to compute.
    watch
        Is told what was done; may raise an error to end it.

    Source: Simonyan, Vedaldi & Zisserman 2014, "Deep inside convolutional networks", section 3;
    for text Li et al. 2016, "Visualizing and understanding neural models in NLP", section 5.
    """
    ops = ops or Ops()
    again = run(
        _exact_numbers(model), trace.value("tokens"), hidden=trace.hidden, ops=ops,
        words=trace.tokens, watch=watch,
    )  # fmt: skip
    rows = next(step.name for step in again.steps if step.op == "gather")
    p = again.value("answer.probabilities")
    w = int(p.argmax())
    seed = -p[w] * p
    seed[w] = p[w] * math.fsum(np.delete(p, w))  # p (1 - p), exact where p is nearly 1
    spending = Spending(watch)
    back = gradients(
        again, {"answer.logits": seed}, wrt=[rows], ops=ops, spent=spending.seconds
    )  # fmt: skip
    found = ops.to_host(back[rows])
    spending.tell()
    ways = to_answer(again)
    return Reach(
        model=model.id, title=trace.facts.title, kind=trace.facts.kind, words=trace.tokens,
        hidden=trace.hidden, answered=again.vocabulary[w], probability=float(p[w]),
        gradient=tuple(map(float, np.linalg.norm(found, axis=-1))),
        shortest=ways.shortest, longest=ways.longest, hops=hops_of(trace),
    )  # fmt: skip


def hops_of(trace: Trace) -> int:
    """Return the steps from the first word to the answer: reads of a chain, looks of a grid.

    A grid looks there at once where its first block gives the word any weight, else once a block.
    """
    if trace.facts.kind == "chain":
        return len(trace.tokens)
    pattern = trace.value("blocks.0.attn.pattern")  # (head, query, key)
    return 1 if bool((pattern[:, trace.hidden, 0] > 0).any()) else trace.facts.layers


def _exact_numbers(model: Model) -> Model:
    """Return a model that computes in float64."""
    wide = {name: array.astype(np.float64) for name, array in model.parameters.items()}
    return replace(model, parameters=wide)


# ---- scale: why the scores are divided by √d_head ------------------------------------------------

WIDTHS = (8, 16, 24, 32, 40, 64, 128, 256, 512)  # of a head, with drawn queries and keys
TRAINED, DRAWN = "trained", "drawn"
MOST_SCORES = 2**20  # of one width at once: of long sentences fewer matrices are drawn


@dataclass(frozen=True, eq=False)
class Rows:
    """What softmax makes of scores.

    ``entropy`` is the mean over the rows of -Σ p log p / log(keys): 1 where all keys are looked at
    alike, 0 where one is. ``largest`` is the mean over the rows of the largest weight. Both have
    the least and the most over heads or draws beside them, and ``pattern`` (query, key) is that of
    the first.
    """

    entropy: float
    entropies: tuple[float, float]
    largest: float
    largests: tuple[float, float]
    pattern: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Width:
    """One width of a head: its scores divided by √d_head, and as they are.

    ``basis`` says where queries and keys are from: TRAINED (those of so many ``heads`` of the run,
    side by side) or DRAWN (fresh W_q and W_k on the same rows, of unit variance). ``spread`` is
    the standard deviation of the scores before they are divided.
    """

    d_head: int
    basis: str
    heads: int
    spread: float
    divided: Rows
    plain: Rows


@dataclass(frozen=True, eq=False)
class Scale:
    """What a head's width does to its attention, by basis and width; of one block of one run."""

    model: str
    title: str
    words: tuple[str, ...]
    block: int
    widths: tuple[Width, ...]

    def of(self, basis: str) -> tuple[Width, ...]:
        """Return the widths of one basis, the narrowest first."""
        return tuple(width for width in self.widths if width.basis == basis)


def scale(
    trace: Trace, *, block: int = 0, draws: int = 8, seed: int = 0, stop: Stop = _never,
    watch: Watch | None = None,
) -> Scale:  # fmt: skip
    """Return how even the rows of attention are as heads get wider, divided by √d_head or not.

    TRAINED joins the heads of the run: all choices of m heads, their queries and keys side by side,
    d_head = m times their own. They were trained with the division. DRAWN has queries n W_q and
    keys n W_k with the rows n that the block's own come from and W drawn so that each number has
    variance 1 over the sentence: then q k has variance d_head. Takes some milliseconds for a
    sentence, 2 s for 512 tokens.

    Parameters
    ----------
    trace
        A run of a grid over one sentence.
    block
        Which block's queries and keys.
    draws, seed
        How many W_q and W_k for each width, and from where; of more than 360 tokens fewer.
    stop
        Asked before every width.
    watch
        Is told what was done, a width at a time.

    Raises
    ------
    engine.said.Said
        With one sentence: a run without heads, fewer than two tokens.
    engine.influence.Stopped
        When it was stopped.

    Source: Vaswani et al. 2017, section 3.2.1 and its footnote 4.
    """
    name = f"blocks.{block}.attn"
    if f"{name}.q" not in trace:
        raise Said(
            f"{trace.facts.title} has no heads in block {block + 1}, so there are no scores to "
            "divide; choose a grid to see what the division does."
        )
    q, k = (trace.value(f"{name}.{to}").astype(np.float64) for to in "qk")  # (head, token, d_head)
    heads, T, own = q.shape
    if T < 2:
        raise Said("One word has only itself to look at; type a second one to compare weights.")
    shut = trace.value("mask").astype(np.float64) if "mask" in trace else np.zeros((T, T))
    widths, spending = [], Spending(watch)
    with threads(1):  # many small products
        for m in range(1, heads + 1):
            if stop():
                raise Stopped
            with spending.on(Unit.MATRIX):
                products = q @ np.swapaxes(k, -1, -2)  # (head, query, key)
            with spending.on(Unit.STREAM):
                scores = [products[list(some)].sum(0) for some in combinations(range(heads), m)]
                widths.append(_width(m * own, TRAINED, m, np.stack(scores), shut))
            spending.tell()
        n = _read_by_heads(trace, name)  # (token, feature)
        draws = max(min(draws, MOST_SCORES // T**2), 2)
        deviation = 1.0 / math.sqrt(float(np.square(n).sum(-1).mean()))
        for d_head in WIDTHS:
            if stop():
                raise Stopped
            rng = np.random.default_rng([seed, d_head])
            W_q, W_k = (rng.normal(0.0, deviation, (draws, n.shape[-1], d_head)) for _ in "qk")
            with spending.on(Unit.MATRIX):
                scores_drawn = (n @ W_q) @ np.swapaxes(n @ W_k, -1, -2)  # (draw, query, key)
            with spending.on(Unit.STREAM):
                widths.append(_width(d_head, DRAWN, 0, scores_drawn, shut))
            spending.tell()
    return Scale(trace.facts.model, trace.facts.title, trace.tokens, block, tuple(widths))


def _read_by_heads(trace: Trace, name: str) -> Floats:
    """Return the rows that queries and keys of a block are made of, shape (token, feature)."""
    return trace.value(trace.step(f"{name}.q.product").reads[0]).astype(np.float64)


def _width(d_head: int, basis: str, heads: int, scores: Floats, shut: Floats) -> Width:
    """Return one width from its scores, axes (choice, query, key)."""
    divided = _rows(scores / math.sqrt(d_head) + shut, shut)
    spread = float(scores[:, shut == 0].std())
    return Width(d_head, basis, heads, spread, divided, _rows(scores + shut, shut))


def _rows(scores: Floats, shut: Floats) -> Rows:
    """Return what softmax makes of scores; a row with one open key says nothing and is left out.

    -Σ p log p = log Z - Σ p s,    p = exp(s) / Z,  Z = Σ exp(s),  s the scores less the largest
    """
    keys = (shut == 0).sum(-1)  # (query,)
    told = keys > 1
    s = scores[:, told]
    s = s - s.max(-1, keepdims=True)
    e = np.exp(s)
    Z = e.sum(-1)  # (choice, query); the largest of a row is exp(0)
    np.copyto(s, 0.0, where=shut[told] != 0)
    entropy = (np.log(Z) - np.vecdot(e, s) / Z) / np.log(keys[told])
    each, largest = entropy.mean(-1), (1.0 / Z).mean(-1)  # (choice,)
    first = np.exp(scores[0] - scores[0].max(-1, keepdims=True))
    return Rows(
        entropy=float(each.mean()), entropies=(float(each.min()), float(each.max())),
        largest=float(largest.mean()), largests=(float(largest.min()), float(largest.max())),
        pattern=(first / first.sum(-1, keepdims=True)).astype(np.float32),
    )  # fmt: skip


# ---- position: the same words in another order ---------------------------------------------------


@dataclass(frozen=True)
class Shuffled:
    """What another order of the same words does to what a model makes of each of them.

    ``order`` holds for each new place the place in the sentence, ``words`` are the words so.
    ``difference`` is by word of the sentence, at its old place: the largest difference of its row
    (grid, behind the last block) or of the state behind it (chain), as a part of the largest number
    of all of these; ``answer`` is that of the answer's probabilities, as it is. ``equal`` says
    whether no bit of any row differs. ``positions`` says whether there was a position encoding.
    """

    model: str
    title: str
    kind: str
    positions: bool
    order: tuple[int, ...]
    words: tuple[str, ...]
    difference: tuple[float, ...]
    answer: float
    equal: bool

    @property
    def largest(self) -> float:
        """Return the largest difference of any word."""
        return max(self.difference)


def position(
    model: Model, trace: Trace, *, seed: int = 0, ops: Ops | None = None,
    watch: Watch | None = None,
) -> tuple[Shuffled, ...]:  # fmt: skip
    """Return what another order of the words changes: of a grid without positions, and with them.

    Of a chain, which has none, there is one result. Every word gets another place, the hidden one,
    too, and is asked there. Rows that are the same but for rounding differ by some 1e-7: sums over
    the words are added in another order. A grid that sees to the left only has an order without any
    positions, because of its mask.

    Parameters
    ----------
    model
        The one that made the trace.
    trace
        A run over one sentence.
    seed
        Of the order.
    ops
        Where to compute.
    watch
        Is told what was done; may raise an error to end it.

    Raises
    ------
    engine.said.Said
        With one sentence, when there are fewer than two words.
    """
    T, ops = len(trace.tokens), ops or Ops()
    if T < 2:
        raise Said("One word has only one order; type a second one to shuffle them.")
    order = elsewhere(T, seed)
    if model.config.kind == "chain":
        return (_shuffled(model, trace, order, ops, watch, positions=False),)
    without = replace(model, config=replace(model.config, positions="none"))
    found = [_shuffled(without, trace, order, ops, watch, positions=False)]
    if model.config.positions != "none":
        found.append(_shuffled(model, trace, order, ops, watch, positions=True))
    return tuple(found)


def elsewhere(count: int, seed: int) -> NDArray[np.int64]:
    """Return an order in which nothing is at its place."""
    rng = np.random.default_rng([seed, count])
    while True:
        order = rng.permutation(count)
        if (order != np.arange(count)).all():
            return order


def _shuffled(
    model: Model, trace: Trace, order: NDArray[np.int64], ops: Ops, watch: Watch | None, *,
    positions: bool,
) -> Shuffled:  # fmt: skip
    ids, place = trace.value("tokens"), int(np.flatnonzero(order == trace.hidden)[0])
    words = tuple(trace.tokens[i] for i in order)
    before = run(model, ids, hidden=trace.hidden, ops=ops, words=trace.tokens, watch=watch)
    behind = run(model, ids[order], hidden=place, ops=ops, words=words, watch=watch)
    old, new = _rows_of(before)[order], _rows_of(behind)  # (token, feature), at the new places
    apart = np.abs(new - old).max(-1) / np.abs(old).max()
    difference = np.empty(len(ids))
    difference[order] = apart
    p, q = (it.value("answer.probabilities") for it in (before, behind))
    return Shuffled(
        model=model.id, title=trace.facts.title, kind=trace.facts.kind, positions=positions,
        order=tuple(map(int, order)), words=words, difference=tuple(map(float, difference)),
        answer=float(np.abs(p - q).max()), equal=bool(np.array_equal(old, new)),
    )  # fmt: skip


def _rows_of(trace: Trace) -> NDArray[Any]:
    """Return what a model makes of every token, shape (token, feature)."""
    if trace.facts.kind == "grid":
        return trace.value(f"blocks.{trace.facts.layers - 1}.x")
    stem = "rnn" if trace.facts.layers == 1 else f"rnn.{trace.facts.layers - 1}"
    T = len(trace.tokens)
    return np.stack([trace.value(f"{stem}.h.{t}") for t in range(1, T + 1)])

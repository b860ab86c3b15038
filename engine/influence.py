"""What each token does to the answer, and how much of a state each token makes up.

An attention weight says what was looked at, not what mattered. Here is computed what mattered:
``leave_one_out`` takes one token away and asks again, ``state_shares`` differentiates a state.
Neither needs a label, and both are of the model, not of language.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.autodiff import calls_of, pull_back
from engine.models import Model, bytes_at_most, run
from engine.ops import Ops
from engine.precision import PRECISIONS
from engine.said import Said
from engine.tokens import UNKNOWN
from engine.trace import Trace

# How a token is taken away.
REPLACED = "replaced"  # by the unknown word; every other word keeps its place
LEFT_OUT = "left out"  # the sentence is one word shorter; words behind it move one place up

BATCH_BYTES = 2**26  # of one trace over several sentences: enough to share the work, little to hold
SEED_NUMBERS = 2**22  # of the largest gradient: with it and its like, a pass stays under 100 MB
MOST_FLOPS = 2 * 10**11  # of all states together: 10 to 20 seconds of one core
MOST_LEFT_OUT = 10**11  # of all sentences without a token: a minute and a half of one core
# In probability: more than rounding, less than anybody would show. In half precision two devices
# round in another order, each time by a share of the largest number.
SAME_RUN, ROUNDINGS = 1e-4, 16


@dataclass(frozen=True)
class Influence:
    """What the answer owes to each token, axes (token,); of the hidden word itself NaN and "".

    ``how`` is REPLACED or LEFT_OUT. ``moved`` is the total variation distance between the answer
    with all tokens and that without this one, from 0 (nothing changed) to 1; ``lost`` the fall of
    the answered word's probability, from -1 to 1 and negative where the token spoke against the
    answer; ``instead`` the word that is answered without it.
    """

    how: str
    moved: tuple[float, ...]
    lost: tuple[float, ...]
    instead: tuple[str, ...]


class Stopped(Exception):
    """Nobody waits for the answer any more."""


def leave_one_out(
    model: Model,
    trace: Trace,
    *,
    ops: Ops,
    how: str = REPLACED,
    stop: Callable[[], bool] = lambda: False,
) -> Influence:
    """Return how much the answer changes without each token, by running the model without it.

    The number to show is ``moved``, ½ Σ_w |p(w) - p'(w)| over the words of the answer: the
    probability that goes from some words to others. It is 100 % where the answer is another one for
    certain and 0 where nothing changed, counts a change that leaves the first word first, and needs
    no logarithm of a probability near 0, as a divergence does. ``lost`` looks at one word only.

    No way of taking a token away takes nothing else away. REPLACED asks what this word did, at its
    place: length and places stay, though an unknown word still says that there is a word. It is the
    default because the shipped models met unknown words in training (one in fifty) but no sentence
    with a hole. LEFT_OUT asks what the shorter sentence would have been answered: a grid counts the
    words behind one place earlier, a chain reads one step less, and what is left is often not
    grammar: "cat that slept ___" moves the answer of a chain by 86 %, where an unknown word in
    place of "the" moves it by 7 %. Influences do not add up to anything: two words that say the
    same may have none each.

    Parameters
    ----------
    model
        The one that made the trace.
    trace
        A run over one sentence.
    ops
        Where to compute, in the precision of the run.
    how
        REPLACED or LEFT_OUT.
    stop
        Whether to give up; asked in front of every batch of sentences.

    Raises
    ------
    Stopped
        When ``stop`` said so.
    engine.said.Said
        With one sentence, when this model does not give the trace's answer, or when the sentence
        is so long that it would take more than ``MOST_LEFT_OUT``.
    ValueError
        For a run over a batch.

    Source: Li, Monroe & Jurafsky 2016, "Understanding neural networks through representation
    erasure", eq. 1 (with another measure of change).
    """
    ids = trace.value("tokens")
    _one_sentence(trace)
    work = trace.flops * (len(ids) - 1)
    if work > MOST_LEFT_OUT:
        raise Said(
            f"What each of {len(ids)} words does would take {work / 1e9:,.0f} GFLOP, and at most "
            f"{MOST_LEFT_OUT / 1e9:,.0f} are spent on it; choose a shorter sentence."
        )
    whole = trace.value("answer.probabilities")
    again = run(model, ids, hidden=trace.hidden, ops=ops).value("answer.probabilities")
    known = PRECISIONS.get(trace.facts.precision)
    apart = max(SAME_RUN, ROUNDINGS * known.rounding if known is not None else 0.0)
    if again.shape != whole.shape or np.abs(again - whole).max() > apart:
        raise Said(
            f"The influence of each word cannot be computed because the model "
            f"{trace.facts.model!r} answers otherwise here than in this run; the run itself can "
            "be looked at, and asking the same sentence again makes one that fits."
        )
    T, whole = len(ids), again  # by the same device as the others
    without = np.full((T, whole.size), np.nan, whole.dtype)  # (token, word)
    for tokens, sentences, hidden in _sentences(model, ids, trace.hidden, how):
        if stop():
            raise Stopped
        batch = run(model, sentences, hidden=hidden, ops=ops)
        without[tokens] = batch.value("answer.probabilities")
    answered = int(whole.argmax())
    moved = 0.5 * np.abs(without - whole).sum(axis=-1, dtype=np.float64)  # (token,)
    lost = whole[answered] - without[:, answered]  # (token,)
    return Influence(
        how,
        moved=tuple(map(float, moved)),
        lost=tuple(map(float, lost)),
        instead=tuple(
            "" if t == trace.hidden else trace.vocabulary[int(without[t].argmax())]
            for t in range(T)
        ),
    )


def _sentences(
    model: Model, ids: NDArray[np.int64], hidden: int, how: str
) -> Iterator[tuple[list[int], NDArray[np.int64], int]]:
    """Yield tokens, for each the sentence without it, and where in all of these the blank stands.

    Sentences in front of the blank and behind it have it at another place, so they cannot be run as
    one batch when a token is left out.
    """
    T = len(ids)
    if how == REPLACED:
        unknown = model.vocabulary.index(UNKNOWN)
        groups = [([t for t in range(T) if t != hidden], hidden)]
    elif how == LEFT_OUT:
        groups = [(list(range(hidden)), hidden - 1), (list(range(hidden + 1, T)), hidden)]
    else:
        raise ValueError(f"A token is {LEFT_OUT} or {REPLACED}, not {how}.")
    itemsize = model.parameters["embed.E"].itemsize
    one = bytes_at_most(model.config, length=T, sentences=1, itemsize=itemsize)
    at_once = max(1, BATCH_BYTES // one)
    for group, place in groups:
        for start in range(0, len(group), at_once):
            tokens = group[start : start + at_once]
            if how == REPLACED:
                sentences = np.tile(ids, (len(tokens), 1))
                sentences[np.arange(len(tokens)), tokens] = unknown
            else:
                sentences = np.stack([np.delete(ids, t) for t in tokens])
            yield tokens, sentences, place


def state_shares(
    trace: Trace, *, ops: Ops, direction: str = "rnn", states: Sequence[int] | None = None
) -> NDArray[np.float64]:
    """Return the share of each token in each state of a chain, shape (state, token).

        share_{t,s} = ‖∂h_t / ∂x_s‖ / Σ_r ‖∂h_t / ∂x_r‖

    with the Frobenius norm over the state's numbers and those of the token's embedding x_s. It says
    how strongly a small change of token s would move the state now, compared with the same change
    of the others; it does not say what the state holds of it. A row sums to 1; a state that nothing
    moves, because every unit is saturated, has a row of zeros.

    A state of n numbers costs about n times the run up to it, so all states of T tokens cost
    n T / 2 runs: of 16 numbers, below 10 ms for 32 tokens and some seconds for 512; of 74, 0.1 s
    for 32, 2 s for 128 and 10 s for 256. More is refused; one state of 512 tokens takes 0.2 s.

    Parameters
    ----------
    trace
        A run of a chain over one sentence.
    ops
        Where to compute.
    direction
        What the names of the layer's steps begin with: "rnn", or "rnn.back", "rnn.1" …
    states
        Indices of tokens, from 0, behind which the state is meant; by default all.

    Raises
    ------
    engine.said.Said
        With one sentence: a run without such states, more work than MOST_FLOPS, a gradient too
        large for the precision.
    ValueError
        For a run over a batch.

    Source: Brunner et al. 2020, "On identifiability in Transformers", section 5 (Hidden Token
    Attribution).
    """
    if f"{direction}.h.1" not in trace:
        raise Said(
            f"{trace.facts.title} carries no state from word to word, so no word has a share in "
            "one; choose a recurrent model to see shares."
        )
    _one_sentence(trace)
    T = len(trace.tokens)
    names = [f"{direction}.h.{t + 1}" for t in (range(T) if states is None else states)]
    width = trace.value(f"{direction}.h.1").size
    calls = calls_of(trace, ops)
    behind = {call.name: k + 1 for k, call in enumerate(calls)}  # how many calls, with this one
    flops = np.cumsum([step.cost.flops for step in trace.steps])
    work = width * sum(int(flops[behind[name] - 1]) for name in names)
    if work > MOST_FLOPS:
        raise Said(
            f"The shares in {len(names)} states of {T} words would take {work / 1e9:,.0f} GFLOP, "
            f"and at most {MOST_FLOPS / 1e9:,.0f} are spent on them; choose one state, or a "
            "shorter sentence."
        )
    largest = max(call.value.size for call in calls)
    at_once = max(1, SEED_NUMBERS // (width * largest))
    norms = np.zeros((len(names), T))
    for start in range(0, len(names), at_once):
        some = names[start : start + at_once]
        seeds = {}
        for k, name in enumerate(some):
            # The identity on this state: one gradient for each of its numbers.
            seeds[name] = np.zeros((len(some), width, width), trace.value(name).dtype)
            seeds[name][k] = np.eye(width)
        read = calls[: max(behind[name] for name in some)]
        with np.errstate(over="ignore", invalid="ignore"):  # refused below, in words
            found = pull_back(read, seeds, wrt=["embed.x"], ops=ops)["embed.x"]
        jacobian = ops.to_host(found)  # (state, hidden, token, feature)
        # In float64: squares of what has faded over many reads are below float32.
        squares = np.square(jacobian, dtype=np.float64).sum(axis=(1, 3))  # (state, token)
        norms[start : start + len(some)] = np.sqrt(squares)
    if not np.isfinite(norms).all():
        raise Said(
            f"The shares in the states cannot be computed because a gradient is too large for "
            f"{trace.facts.precision}; everything else of the run can be looked at, and a shorter "
            "sentence has smaller ones."
        )
    total = norms.sum(axis=-1, keepdims=True)
    shares: NDArray[np.float64] = norms / np.where(total > 0, total, 1.0)
    return shares


def _one_sentence(trace: Trace) -> None:
    """Refuse a run over a batch, whose tokens are not the steps' rows."""
    if trace.value("tokens").ndim != 1:
        raise ValueError("This is a run over a batch; run each sentence by itself.")

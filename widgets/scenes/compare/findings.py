"""What differs between two sides, in numbers: found from their traces, and nothing is drawn here.

Words are compared with the words that stand in their place, or, when the same words stand in
another order, each word with itself, wherever it stands now.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from engine.trace import Pair, Trace
from widgets.counters import role_of
from widgets.numbers import percents
from widgets.remember import remembered

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOP = 3  # likeliest words that a side shows
HEADS = 5  # of more, those whose rows lie farthest apart
# How far two orders of one sum lie apart, in units of the last place of the largest result: 17 was
# the most that was seen between 3 and 512 words, in the shortest sentence.
ROUNDING_ULPS = 128


class Side(NamedTuple):
    """What is frozen on one half of the stage: two runs at a tick, and what people call it."""

    pair: Pair
    tick: int
    label: str

    def known(self, side: str, stage: str) -> bool:
        """Return whether the trace of "chain" or "grid" has come to a stage by the tick."""
        ticks = self.pair.side(side).ticks
        return stage in ticks and self.tick >= ticks[stage]


# ------------------------------------------------------------------ what was changed


class Changed(NamedTuple):
    """One thing that was changed: what, what it was in A and is in B, and where (from 0)."""

    what: str
    a: str = ""
    b: str = ""
    places: tuple[int, ...] = ()


@remembered(32)
def changed(a: Pair, b: Pair) -> tuple[Changed, ...]:
    """Return everything that was changed from A to B: words first, then models and switches.

    ``a`` and ``b`` are words and ids, and "on" or "off" of a switch.
    """
    found = list(_words_changed(a, b))
    found += _switched(
        ("cell", a.chain.facts.cell, b.chain.facts.cell),
        ("attention", a.chain.facts.attention, b.chain.facts.attention),
        ("both", a.chain.facts.bidirectional, b.chain.facts.bidirectional),
        ("causal", "mask" in a.grid, "mask" in b.grid),
        ("positions", "embed.positions" in a.grid, "embed.positions" in b.grid),
        ("trained", a.chain.facts.trained_length > 0, b.chain.facts.trained_length > 0),
        ("precision", a.grid.facts.precision, b.grid.facts.precision),
    )
    named = {change.what for change in found}
    for side, said in (("chain", {"cell", "attention", "both"}), ("grid", {"causal"})):
        old, new = a.side(side).facts.model, b.side(side).facts.model
        family = _family(old) != _family(new)
        if old != new and (family or not named & said):
            found.append(Changed(side, old, new))
    return tuple(found)


def _switched(*settings: tuple[str, str | bool, str | bool]) -> list[Changed]:
    """Return the settings (what, in A, in B) that are not the same."""

    def said(value: str | bool) -> str:
        return value if isinstance(value, str) else "on" if value else "off"

    return [Changed(what, said(a), said(b)) for what, a, b in settings if a != b]


def _family(model: str) -> str:
    """Return the set that a model's id names: "50k" of "lstm-plain-50k", "" of "lstm"."""
    last = model.rpartition("-")[2]
    return last if last[:1].isdigit() else ""


def _words_changed(a: Pair, b: Pair) -> list[Changed]:
    old, new = a.tokens, b.tokens
    if old == new:
        return []
    if len(old) != len(new):
        return [_other_length(old, new)]
    places = tuple(i for i, pair in enumerate(zip(old, new, strict=True)) if pair[0] != pair[1])
    first, last = places[0], places[-1]
    if sorted(old) == sorted(new):
        what = "swapped" if len(places) == 2 else "order"
        return [Changed(what, old[first], old[last], places)]
    hidden = (a.grid.hidden, b.grid.hidden)
    if len(places) == 2 and set(places) == set(hidden):
        return [Changed("hidden", new[hidden[0]], old[hidden[1]], hidden)]
    if len(places) == 1:
        return [Changed("word", old[first], new[first], places)]
    return [Changed("words" if 2 * len(places) <= len(old) else "sentence", places=places)]


def _other_length(old: tuple[str, ...], new: tuple[str, ...]) -> Changed:
    """Return what was put in or taken out, where that is all."""
    longer, shorter, what = (new, old, "added") if len(new) > len(old) else (old, new, "removed")
    met = set(_aligned(shorter, longer))
    places = tuple(i for i in range(len(longer)) if i not in met)
    if None in met:
        return Changed("sentence", str(len(old)), str(len(new)))
    return Changed(what, *(" ".join(longer[i] for i in places),) * 2, places)


# ------------------------------------------------------------------ which word is which


@lru_cache(maxsize=32)
def meet(old: tuple[str, ...], new: tuple[str, ...]) -> tuple[int | None, ...]:
    """Return for each word of A where the word that it is compared with stands in B, or None."""
    if len(old) != len(new):
        there = _aligned(old, new)
        met = len(old) - there.count(None)
        # Of two sentences that have less in common, what is alike is so by chance.
        return there if 2 * met >= max(len(old), len(new)) else (None,) * len(old)
    if sorted(old) != sorted(new):
        return tuple(range(len(old)))
    moved: dict[str, list[int]] = defaultdict(list)
    for j, (was, word) in enumerate(zip(old, new, strict=True)):
        if was != word:
            moved[word].append(j)
    return tuple(
        i if was == word else moved[was].pop(0)
        for i, (was, word) in enumerate(zip(old, new, strict=True))
    )


def _aligned(old: Sequence[str], new: Sequence[str]) -> tuple[int | None, ...]:
    found: list[int | None] = [None] * len(old)
    for i, j, size in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks():
        found[i : i + size] = range(j, j + size)
    return tuple(found)


def marked(old: tuple[str, ...], new: tuple[str, ...]) -> tuple[frozenset[int], frozenset[int]]:
    """Return which words of A, and which of B, are not what stands in their place on the other.

    None of two sentences of which no word meets another.
    """
    if len(old) == len(new):
        places = frozenset(i for i in range(len(old)) if old[i] != new[i])
        return places, places
    there = meet(old, new)
    met = {j for j in there if j is not None}
    if not met:
        return frozenset(), frozenset()
    return (
        frozenset(i for i, j in enumerate(there) if j is None),
        frozenset(range(len(new))) - met,
    )


# ------------------------------------------------------------------ the answers


class Verdict(NamedTuple):
    """How the two answers of one model relate.

    ``how`` is "pending", "pending_a" or "pending_b" (neither, or only the other one, has an answer
    yet), "so_far" (neither has one, and what both have computed is equal to the last bit), "bits"
    (equal to the last bit), "rounding" (the order of a sum is all that differs), "close" (equal
    within that, for whatever reason), "still" (the same word is likeliest) or "other". ``largest``
    is the largest difference of a word's probability, B − A, and ``word`` that word's index; −1
    where the words of the answers are not the same.
    """

    how: str
    largest: float = 0.0
    word: int = -1
    cause: str = ""


def verdict(a: Side, b: Side, side: str) -> Verdict:
    """Return how the answers of the "chain" or of the "grid" relate."""
    answered = (a.known(side, "answer"), b.known(side, "answer"))
    if not any(answered):
        return Verdict("so_far" if _equal_so_far(a, b, side) else "pending")
    if not all(answered):
        return Verdict("pending_b" if answered[0] else "pending_a")
    return _verdict(a.pair, b.pair, side)


@remembered(32)
def _verdict(a: Pair, b: Pair, side: str) -> Verdict:
    old, new = a.side(side), b.side(side)
    p, q = _probabilities(old), _probabilities(new)
    if old.vocabulary != new.vocabulary:
        return Verdict("still" if old.answer(1)[0][0] == new.answer(1)[0][0] else "other")
    differences = q - p
    word = int(abs(differences).argmax())
    largest = float(differences[word])
    if largest == 0:
        alike = old.tokens == new.tokens and _same_weights(old, new)
        return Verdict("bits", cause="nothing" if alike else "")
    precision = old.value("answer.probabilities").dtype
    bound = ROUNDING_ULPS * float(np.finfo(precision).eps) * float(max(p.max(), q.max()))
    if abs(largest) <= bound:
        blind = side == "grid" and _order_is_nothing(old, new)
        return Verdict("rounding" if blind else "close", largest, word, "order" if blind else "")
    how = "still" if p.argmax() == q.argmax() else "other"
    return Verdict(how, largest, word)


def _probabilities(trace: Trace) -> NDArray[np.float64]:
    return trace.value("answer.probabilities").astype(np.float64)


def _same_weights(a: Trace, b: Trace) -> bool:
    return a.parameters.keys() == b.parameters.keys() and all(
        np.array_equal(array, b.parameters[name]) for name, array in a.parameters.items()
    )


def _order_is_nothing(a: Trace, b: Trace) -> bool:
    """Return whether two runs of a grid read one set of words that has no order for it.

    Attention without positions and without a mask permutes its rows with the words; the answer is
    read from the hidden word's row, and so is the same sum in another order.
    """
    ordered = any(name in trace for trace in (a, b) for name in ("embed.positions", "mask"))
    return not ordered and sorted(a.tokens) == sorted(b.tokens) and _same_weights(a, b)


def _equal_so_far(a: Side, b: Side, side: str) -> bool:
    """Return whether both sides have computed the same steps, and the same numbers in them."""
    old, new = a.pair.side(side), b.pair.side(side)
    done = [
        [step for step in trace.steps if trace.ticks[step.stage] <= tick]
        for trace, tick in ((old, a.tick), (new, b.tick))
    ]
    return [step.name for step in done[0]] == [step.name for step in done[1]] and all(
        np.array_equal(one.value, other.value) for one, other in zip(*done, strict=True)
    )


class Likely(NamedTuple):
    """A word and its whole per cents in A and in B, None where there is no answer yet.

    ``leads`` says whether it is the likeliest word of A, and of B.
    """

    word: str
    percent: tuple[int | None, int | None]
    share: tuple[float, float]
    leads: tuple[bool, bool]


def likely(a: Side, b: Side, side: str) -> tuple[Likely, ...]:
    """Return the words that are among the likeliest of either side: A's first, then B's."""
    known = (a.known(side, "answer"), b.known(side, "answer"))
    return _likely(a.pair, b.pair, side, known)


@remembered(64)
def _likely(a: Pair, b: Pair, side: str, known: tuple[bool, bool]) -> tuple[Likely, ...]:
    traces = (a.side(side), b.side(side))
    words = dict.fromkeys(
        word
        for trace, here in zip(traces, known, strict=True)
        if here
        for word, _ in trace.answer(TOP)
    )
    places = [{word: i for i, word in enumerate(trace.vocabulary)} for trace in traces]
    whole = [percents(_probabilities(t)) if k else () for t, k in zip(traces, known, strict=True)]
    best = [t.answer(1)[0][0] if k else "" for t, k in zip(traces, known, strict=True)]

    def percent(word: str, which: int) -> int | None:
        place = places[which].get(word)
        return whole[which][place] if known[which] and place is not None else None

    def share(word: str, which: int) -> float:
        place = places[which].get(word)
        there = known[which] and place is not None
        return float(_probabilities(traces[which])[place]) if there else 0.0

    return tuple(
        Likely(
            word, (percent(word, 0), percent(word, 1)), (share(word, 0), share(word, 1)),
            (word == best[0], word == best[1]),
        )
        for word in words
    )  # fmt: skip


# ------------------------------------------------------------------ the chain


def weights(side: Side) -> NDArray[np.float64] | None:
    """Return how the last state's attention lies on the states, shape (token,); None before."""
    known = side.known("chain", "look_back")
    return side.pair.chain.value("attn.pattern").astype(np.float64) if known else None


class Moved(NamedTuple):
    """The word whose weight has changed most: its index in A and in B, and its per cents there."""

    word: int
    there: int
    a: int
    b: int


def largest_change(a: Side, b: Side) -> Moved | None:
    """Return where the attention over states has changed most; None where it has not, or is not."""
    old, new = weights(a), weights(b)
    if old is None or new is None:
        return None
    pairs = [
        (i, j) for i, j in enumerate(meet(a.pair.tokens, b.pair.tokens)) if j is not None
    ]  # fmt: skip
    if not pairs:
        return None
    i, j = max(pairs, key=lambda at: abs(new[at[1]] - old[at[0]]))
    before, after = percents(old)[i], percents(new)[j]
    return Moved(i, j, before, after) if old[i] != new[j] else None


class Apart(NamedTuple):
    """How far two last states lie apart, and how long that of A is; Euclidean norms."""

    distance: float
    length: float


def states_apart(a: Side, b: Side) -> Apart | None:
    """Return how far the last hidden states lie apart.

    None before both have read everything, and where other weights make the numbers of a state mean
    other things.
    """
    ends = (_last_state(a), _last_state(b))
    if ends[0] is None or ends[1] is None or not _same_weights(a.pair.chain, b.pair.chain):
        return None
    old, new = ends[0], ends[1]
    return Apart(float(np.linalg.norm(new - old)), float(np.linalg.norm(old)))


def _last_state(side: Side) -> NDArray[np.float64] | None:
    """Return [h^→_T; h^←_1] of the top layer, or h_T, shape (hidden,)."""
    trace = side.pair.chain
    top = f"rnn.{trace.facts.layers - 1}" if trace.facts.layers > 1 else "rnn"
    names = [f"{top}.h.{len(trace.tokens)}"]
    if trace.facts.bidirectional:
        names.append(f"{top}.back.h.1")
    steps = [trace.step(name) for name in names]
    if any(trace.ticks[step.stage] > side.tick for step in steps):
        return None
    return np.concatenate([step.value for step in steps]).astype(np.float64)


# ------------------------------------------------------------------ the grid


class Look(NamedTuple):
    """What one head's asking word looks at most: the word's index, per cents, the head's role."""

    at: int
    percent: int
    role: str


class Head(NamedTuple):
    """One head on both sides, by its index; None where it has not looked yet.

    ``points`` is by how much the weight on what it looked at most in A has changed, in points;
    ``distance`` the total variation distance of the two rows, half the sum of the absolute
    differences, 0 … 1. Both are None where they cannot be compared.
    """

    head: int
    looks: tuple[Look | None, Look | None]
    points: int | None
    distance: float | None


def block(side: Side, layer: int | None) -> int | None:
    """Return the last block whose weights are computed, or ``layer`` if that one's are."""
    done = [
        b
        for b in range(side.pair.grid.facts.layers)
        if side.known("grid", f"blocks.{b}.softmax")
    ]  # fmt: skip
    if layer is not None and layer in done:
        return layer
    return done[-1] if done else None


def asking(pair: Pair, query: int | None) -> int:
    """Return which word asks in the grid: the chosen one, or else the hidden word."""
    return pair.grid.hidden if query is None else min(query, len(pair.tokens) - 1)


def heads(a: Side, b: Side, layer: int | None, query: int | None) -> tuple[Head, ...]:
    """Return the heads of the last computed block on both sides, of many the most changed."""
    sides = (a, b)
    blocks = tuple(block(side, layer) for side in sides)
    rows = [
        None if which is None else side.pair.grid.value(f"blocks.{which}.attn.pattern")[
            :, asking(side.pair, query)
        ].astype(np.float64)
        for side, which in zip(sides, blocks, strict=True)
    ]  # fmt: skip
    there = meet(a.pair.tokens, b.pair.tokens)
    comparable = rows[0] is not None and rows[1] is not None and blocks[0] == blocks[1]
    found = []
    for h in range(max(side.pair.grid.facts.heads for side in sides)):
        looks = [
            None if row is None or h >= len(row) else _look(side, which or 0, h, row[h])
            for side, which, row in zip(sides, blocks, rows, strict=True)
        ]
        points = distance = None
        if comparable and looks[0] is not None and looks[1] is not None:
            old, new = rows[0][h], rows[1][h]  # type: ignore[index]
            at = there[looks[0].at]
            if at is not None:
                points = percents(new)[at] - looks[0].percent
            if None not in there and len(old) == len(new):
                distance = float(0.5 * abs(new[list(there)] - old).sum())
        found.append(Head(h, (looks[0], looks[1]), points, distance))
    found.sort(key=lambda row: -(row.distance or 0.0))
    return tuple(sorted(found[:HEADS], key=lambda row: row.head))


def _look(side: Side, which: int, head: int, row: NDArray[np.float64]) -> Look:
    at = int(row.argmax())
    return Look(at, percents(row)[at], role_of(side.pair.grid, which, head)[0])

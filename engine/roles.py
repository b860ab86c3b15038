"""What the heads of a Transformer look at, measured over held-out sentences.

A role names a target for a query. Its score is the mean, over all queries that have the target, of
the head's weight on it (on all of them together where a query has several):

    role        query                                       target
    previous    every word but the first                    the word left of it
    next        every word but the last                     the word right of it
    itself      every word                                  itself
    subject     the hidden word, where it is a main verb    the noun that the verb agrees with
    hidden      every word but the hidden one               the hidden word
    first       every word from the third on                the first word
    last        every word up to the third from the end     the last word
    same        every word that the sentence has twice      the same word elsewhere
    verb        every word but the verb itself, where       the main verb that could be asked for
                another word is hidden

*first* and *last* leave out the neighbour of the target and the target itself, which would count
for *previous*, *next* and *itself* as well. The strongest role of a head wins; a head none of whose
roles reaches 0.5 is "mixed", with the score of its strongest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.models import Model, run
from engine.ops import Ops
from engine.tasks.missing_word import NUMBER, Example
from engine.tokens import BLANK, UNKNOWN
from engine.trace import Trace

ROLES = ("previous", "next", "itself", "subject", "hidden", "first", "last", "same", "verb")
MIXED = "mixed"
LEAST = 0.5  # a role has at least this score


@dataclass(frozen=True)
class Query:
    """A sentence of the grammar with one word hidden."""

    example: Example
    hidden: int

    @property
    def words(self) -> tuple[str, ...]:
        """The sentence as it is read."""
        words = self.example.words
        return (*words[: self.hidden], BLANK, *words[self.hidden + 1 :])


def hide(examples: Iterable[Example], seed: int = 0) -> list[Query]:
    """Hide the main verb of every other sentence, and any other word of the rest."""
    rng = np.random.default_rng(seed)
    queries = []
    for i, example in enumerate(examples):
        others = [t for t in range(len(example.words)) if t != example.verb]
        queries.append(Query(example, int(rng.choice(others)) if i % 2 else example.verb))
    return queries


def targets(query: Query) -> dict[str, NDArray[np.bool_]]:
    """Return for every role where its targets are, axes (query, key); a row without has none."""
    words, example = query.words, query.example
    T = len(words)
    row, key = np.arange(T)[:, None], np.arange(T)[None, :]
    known = np.array(words)
    verb_is_hidden = query.hidden == example.verb
    return {
        "previous": key == row - 1,
        "next": key == row + 1,
        "itself": key == row,
        "subject": (row == example.verb) & (key == example.subject) & verb_is_hidden,
        "hidden": (key == query.hidden) & (row != query.hidden),
        "first": (key == 0) & (row >= 2),
        "last": (key == T - 1) & (row <= T - 3),
        "same": (known[:, None] == known[None, :]) & (key != row),
        "verb": (key == example.verb) & (row != example.verb) & (not verb_is_hidden),
    }


def scores(
    patterns: Sequence[NDArray[np.floating]], queries: Sequence[Query]
) -> list[dict[str, float]]:
    """Return the score of every role that has a query, a dictionary a head.

    Parameters
    ----------
    patterns
        Attention patterns of one block, a sentence each, axes (head, query, key).
    queries
        The sentences.
    """
    mass: dict[str, NDArray[np.floating]] = {}
    count: dict[str, int] = defaultdict(int)
    for pattern, query in zip(patterns, queries, strict=True):
        for role, target in targets(query).items():
            found = (pattern * target).sum(axis=(1, 2), dtype=np.float64)  # (head,)
            mass[role] = mass.get(role, 0.0) + found
            count[role] += int(target.any(axis=1).sum())
    heads = len(patterns[0])
    return [
        {role: float(mass[role][h]) / count[role] for role in ROLES if count[role]}
        for h in range(heads)
    ]


def role(scored: dict[str, float]) -> tuple[str, float]:
    """Return the strongest role of a head with its score, "mixed" below 0.5."""
    best = max(scored, key=scored.__getitem__)
    return (best if scored[best] >= LEAST else MIXED, scored[best])


def runs(model: Model, queries: Iterable[Query]) -> Iterator[tuple[list[Query], Trace]]:
    """Yield queries that can be run as one batch (same length, same word hidden), with their run.

    A word outside the vocabulary is read as unknown.
    """
    ids = {word: i for i, word in enumerate(model.vocabulary)}
    groups: dict[tuple[int, int], list[Query]] = defaultdict(list)
    for query in queries:
        groups[len(query.words), query.hidden].append(query)
    for (_, hidden), group in sorted(groups.items(), key=lambda item: item[0]):
        tokens = [[ids.get(word, ids[UNKNOWN]) for word in query.words] for query in group]
        yield group, run(model, tokens, hidden=hidden, ops=Ops())


def head_roles(model: Model, queries: Sequence[Query]) -> list[list[tuple[str, float]]]:
    """Return role and score of every head, [layer][head]; nothing for what is no grid."""
    if model.config.kind != "grid":
        return []
    patterns: list[list[NDArray[np.floating]]] = [[] for _ in range(model.config.layers)]
    ordered: list[Query] = []
    for group, trace in runs(model, queries):
        ordered += group
        for b, layer in enumerate(patterns):
            layer.extend(trace.value(f"blocks.{b}.attn.pattern"))
    return [[role(head) for head in scores(layer, ordered)] for layer in patterns]


@dataclass(frozen=True)
class Accuracy:
    """How well a model guesses hidden main verbs.

    Parameters
    ----------
    verb_number
        Share of answers that are a verb in the right number.
    word
        Share of answers that are the very word.
    best_word
        What the best possible guess reaches on the same sentences, from the words that the model
        sees: a causal one only those left of the verb.
    by_distance
        ``verb_number``, ``word`` and ``best_word`` with the number of sentences, for each distance
        of verb and subject.
    """

    verb_number: float
    word: float
    best_word: float
    by_distance: dict[int, tuple[float, float, float, int]]


def accuracy(model: Model, examples: Iterable[Example]) -> Accuracy:
    """Return the accuracy of a model with the main verb of every example hidden."""
    rows: list[tuple[float, float, float]] = []
    distances: list[int] = []
    for group, trace in runs(model, [Query(example, example.verb) for example in examples]):
        for query, answer in zip(group, trace.value("answer.word"), strict=True):
            example, guess = query.example, model.vocabulary[int(answer)]
            right = guess == example.words[example.verb]
            best = example.best_from_left if model.config.causal else example.best
            rows.append((NUMBER.get(guess) is example.plural, right, best))
            distances.append(example.distance)
    table, at = np.array(rows, dtype=np.float64), np.array(distances)
    by_distance = {}
    for d in np.unique(at):
        number, word, best = table[at == d].mean(axis=0).tolist()
        by_distance[int(d)] = (number, word, best, int((at == d).sum()))
    number, word, best = table.mean(axis=0).tolist()
    return Accuracy(number, word, best, by_distance)

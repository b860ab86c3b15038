"""The missing word as a task to be trained on: what is drawn, how every shipped model is made.

Half of the time the main verb is hidden, else any word; one word of fifty is read as unknown. A
model reads whole sentences of one length, and only its answer at the hidden word counts. Who looks
at what becomes clearer with two small penalties, which the grids are given beside their loss (see
``engine.penalties``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from engine.models import Config, Model
from engine.ops import Array
from engine.tasks import UNCOUNTED, Batch, Recipe, Task
from engine.tasks.missing_word import LONGEST, SHORTEST, VOCABULARY, Example, examples
from engine.tokens import BLANK, UNKNOWN

EMBEDDING = 40
SENTENCES = 100_000  # that a network is trained on, the same for every model
VERB_SHARE, UNKNOWN_SHARE = 0.5, 0.02  # of sentences whose verb is hidden; of words read as unknown
NEAR = 4  # the most words between "near" subjects and their verbs, the verb counted
# What a card's numbers are measured on: held-out sentences, of this seed, and so many of them.
HELD_OUT_SEED, HELD_OUT, ROLE_SENTENCES = 9, 20_000, 1000
_IDS = {word: i for i, word in enumerate(VOCABULARY)}


class _Sentences(NamedTuple):
    """Sentences of one length: ids with axes (sentence, token), and where the main verb stands."""

    ids: Array
    verb: Array


def _by_length(some: Iterable[Example]) -> list[_Sentences]:
    groups: dict[int, list[tuple[list[int], int]]] = defaultdict(list)
    for example in some:
        ids = [_IDS[word] for word in example.words]
        groups[len(ids)].append((ids, example.verb))
    return [
        _Sentences(np.array([ids for ids, _ in group]), np.array([verb for _, verb in group]))
        for _, group in sorted(groups.items())
    ]


@cache
def _training_data() -> tuple[tuple[_Sentences, ...], Array]:
    """Return all sentences of training by length, and the share of each length."""
    groups = tuple(_by_length(islice(examples(0, held_out=False), SENTENCES)))
    return groups, np.array([len(group.ids) for group in groups]) / SENTENCES


def hidden_at(ids: Array, hidden: Array) -> Batch:
    """Return sentences with a word of each hidden, which is the one answer that is asked for."""
    rows = np.arange(len(ids))
    answers = np.full(ids.shape, UNCOUNTED)
    answers[rows, hidden] = ids[rows, hidden]
    read = ids.copy()
    read[rows, hidden] = _IDS[BLANK]
    return Batch(read, answers)


def _draw(rng: np.random.Generator, count: int) -> Batch:
    groups, shares = _training_data()
    sentences = groups[int(rng.choice(len(groups), p=shares))]
    some = rng.integers(0, len(sentences.ids), count)
    ids = sentences.ids[some]
    any_word = rng.integers(0, ids.shape[1], count)
    hidden = np.where(rng.random(count) < VERB_SHARE, sentences.verb[some], any_word)
    batch = hidden_at(ids, hidden)
    unknown = (rng.random(ids.shape) < UNKNOWN_SHARE) & (batch.answers == UNCOUNTED)
    batch.ids[unknown] = _IDS[UNKNOWN]
    return batch


def _sample(rng: np.random.Generator, count: int, case: str) -> list[Batch]:
    """Return held-out sentences of a case, those of one length together."""
    some = islice(_of_case(examples(int(rng.integers(1, 2**62)), held_out=True), case), count)
    return [
        hidden_at(ids, rng.integers(0, ids.shape[1], len(ids)) if case == "any-word" else verb)
        for ids, verb in _by_length(some)
    ]


def _of_case(some: Iterator[Example], case: str) -> Iterator[Example]:
    for example in some:
        near = example.distance <= NEAR
        if case in ("verb", "any-word") or near == (case == "near"):
            yield example


def measured(model: Model) -> dict[str, Any]:
    """Return what a card says of a trained model: its answers and the roles of its heads.

    Of the main verb of 20 000 held-out sentences, how often its number and the very word were
    right, beside the best possible, over all and by distance of verb and subject.
    """
    from engine import roles

    some = list(islice(examples(HELD_OUT_SEED, held_out=True), HELD_OUT))
    reached = roles.accuracy(model, some)
    return {
        "shortest": SHORTEST,
        "trained_length": LONGEST,
        "held_out": {
            "sentences": HELD_OUT,
            "verb_number": round(reached.verb_number, 5),
            "word": round(reached.word, 4),
            "best_word": round(reached.best_word, 4),
            "by_distance": {
                str(distance): {
                    "verb_number": round(number, 5),
                    "word": round(word, 4),
                    "best_word": round(best, 4),
                    "sentences": count,
                }
                for distance, (number, word, best, count) in reached.by_distance.items()
            },
        },
        "roles": [
            [[name, round(score, 3)] for name, score in layer]
            for layer in roles.head_roles(model, roles.hide(some[:ROLE_SENTENCES]))
        ],
    }


def _chain(title: str, cell: str, width: int, attention: bool, **recipe: Any) -> Recipe:
    both = recipe.pop("bidirectional", False)
    config = Config(
        kind="chain", words=len(VOCABULARY), embedding=EMBEDDING, width=width, cell=cell,
        attention=attention, bidirectional=both,
    )  # fmt: skip
    return Recipe(title=title, config=config, **recipe)


def _both_sides(cell_title: str, cell: str, attention: bool, **recipe: Any) -> Recipe:
    title = f"Bidirectional {cell_title}{' with attention' if attention else ''}"
    about = "8 numbers of state each way: as many as the 16 of a small chain of one direction"
    return _chain(title, cell, 8, attention, bidirectional=True, about=about, **recipe)


def _grid(title: str, *, causal: bool, about: str = "") -> Recipe:
    config = Config(
        kind="grid", words=len(VOCABULARY), embedding=EMBEDDING, width=EMBEDDING, heads=5,
        layers=2, mlp=160, causal=causal,
    )  # fmt: skip
    return Recipe(
        title=title,
        config=config,
        steps=18_000,
        rate=3e-3,
        sharpen=0.02,
        disagree=0.1,
        start=0.58,
        about=about,
    )


GUESS = Task(
    name="missing-word",
    title="Guess the missing word",
    vocabulary=VOCABULARY,
    draw=_draw,
    sample=_sample,
    cases={
        "verb": "the main verb of sentences that training never saw",
        "near": f"the main verb, at most {NEAR} words behind its subject",
        "far": f"the main verb, {NEAR + 1} words or more behind its subject",
        "any-word": "any word of sentences that training never saw",
    },
    in_range=("verb", "near", "far", "any-word"),
    recipes={
        "rnn": _chain("RNN with attention", "elman", 16, True, steps=110_000, rate=3e-3),
        "rnn-plain": _chain("RNN", "elman", 16, False, steps=110_000, rate=3e-3),
        "gru": _chain("GRU with attention", "gru", 16, True, steps=35_000, rate=4e-3),
        "lstm": _chain("LSTM with attention", "lstm", 16, True, steps=30_000, rate=4e-3),
        "gru-plain": _chain("GRU", "gru", 16, False, steps=60_000, rate=4e-3),
        "lstm-plain": _chain("LSTM", "lstm", 16, False, steps=60_000, rate=4e-3),
        "rnn-bi": _both_sides("RNN", "elman", True, steps=110_000, rate=3e-3),
        "rnn-bi-plain": _both_sides("RNN", "elman", False, steps=110_000, rate=3e-3),
        "gru-bi": _both_sides("GRU", "gru", True, steps=35_000, rate=4e-3),
        "lstm-bi": _both_sides("LSTM", "lstm", True, steps=30_000, rate=4e-3),
        "gru-bi-plain": _both_sides("GRU", "gru", False, steps=45_000, rate=4e-3),
        "lstm-bi-plain": _both_sides("LSTM", "lstm", False, steps=45_000, rate=4e-3),
        "rnn-50k": _chain("RNN with attention", "elman", 110, True, steps=10_000, rate=1e-3),
        "rnn-plain-50k": _chain("RNN", "elman", 157, False, steps=10_000, rate=1e-3),
        "gru-50k": _chain("GRU with attention", "gru", 74, True, steps=8_000, rate=3e-3),
        "lstm-50k": _chain("LSTM with attention", "lstm", 66, True, steps=8_000, rate=3e-3),
        "gru-plain-50k": _chain("GRU", "gru", 88, False, steps=10_000, rate=3e-3),
        "lstm-plain-50k": _chain("LSTM", "lstm", 75, False, steps=10_000, rate=3e-3),
        "transformer": _grid("Transformer", causal=False),
        "transformer-causal": _grid(
            "Transformer, causal",
            causal=True,
            about="best_word is what is best possible from the words left of the hidden one alone",
        ),
    },
    measured=measured,
)

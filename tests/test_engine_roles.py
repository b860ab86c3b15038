"""What heads look at: which word is the target of a role, and how a head's role is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.models import Config, Model, initialise
from engine.roles import (
    ROLES,
    Query,
    accuracy,
    head_roles,
    hide,
    role,
    runs,
    scores,
    targets,
)
from engine.tasks.missing_word import VOCABULARY, Example, examples

CAT = Example(tuple("the cat that slept purrs".split()), 4, 1, plural=False, best=0.85)
FOUND = Example(tuple("the cat that the dogs see purrs".split()), 6, 1, plural=False, best=0.85)
ASKED = Query(CAT, hidden=4)
OTHER = Query(FOUND, hidden=2)


def pairs(query: Query, name: str) -> set[tuple[int, int]]:
    """Return (query, key) of every target of a role."""
    return {(int(i), int(j)) for i, j in np.argwhere(targets(query)[name])}


@pytest.mark.parametrize(
    ("query", "name", "expected"),
    [
        (ASKED, "previous", {(1, 0), (2, 1), (3, 2), (4, 3)}),
        (ASKED, "next", {(0, 1), (1, 2), (2, 3), (3, 4)}),
        (ASKED, "itself", {(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)}),
        (ASKED, "subject", {(4, 1)}),
        (OTHER, "subject", set()),
        (ASKED, "hidden", {(0, 4), (1, 4), (2, 4), (3, 4)}),
        (ASKED, "first", {(2, 0), (3, 0), (4, 0)}),
        (ASKED, "last", {(0, 4), (1, 4), (2, 4)}),
        (ASKED, "same", set()),
        (OTHER, "same", {(0, 3), (3, 0)}),
        (ASKED, "verb", set()),
        (OTHER, "verb", {(0, 6), (1, 6), (2, 6), (3, 6), (4, 6), (5, 6)}),
    ],
)
def test_targets_of_a_role(query: Query, name: str, expected: set[tuple[int, int]]) -> None:
    assert pairs(query, name) == expected


def test_the_hidden_word_is_not_the_same_as_the_word_that_it_hides() -> None:
    assert pairs(Query(FOUND, hidden=3), "same") == set()


def pattern(query: Query, name: str) -> NDArray[np.float64]:
    """Return a pattern (head, query, key) that follows a role, with even weights elsewhere."""
    target = targets(query)[name].astype(float)
    target[target.sum(axis=1) == 0] = 1.0
    weights: NDArray[np.float64] = target / target.sum(axis=1, keepdims=True)
    return weights[None]


@pytest.mark.parametrize("name", ROLES)
def test_a_head_that_follows_a_role_scores_1_and_gets_it(name: str) -> None:
    queries = [ASKED, OTHER]
    (scored,) = scores([pattern(query, name) for query in queries], queries)
    assert scored[name] == pytest.approx(1.0)
    assert role(scored)[0] == name


def test_a_score_is_the_mean_weight_over_the_queries_of_all_sentences() -> None:
    even = [np.full((1, 5, 5), 1 / 5), np.full((1, 7, 7), 1 / 7)]
    (scored,) = scores(even, [ASKED, OTHER])
    assert scored["previous"] == pytest.approx((4 / 5 + 6 / 7) / 10)
    assert scored["subject"] == pytest.approx(1 / 5)
    assert scored["verb"] == pytest.approx(1 / 7)


def test_a_role_without_a_query_has_no_score() -> None:
    (scored,) = scores([np.full((1, 5, 5), 1 / 5)], [ASKED])
    assert "same" not in scored
    assert "verb" not in scored


def test_a_head_whose_strongest_role_stays_below_a_half_is_mixed() -> None:
    assert role({"next": 0.499, "subject": 0.2}) == ("mixed", 0.499)
    assert role({"next": 0.5, "subject": 0.2}) == ("next", 0.5)


def test_every_other_sentence_hides_its_main_verb_and_the_rest_another_word() -> None:
    queries = hide([CAT] * 40)
    assert all(query.hidden == CAT.verb for query in queries[::2])
    assert {query.hidden for query in queries[1::2]} == {0, 1, 2, 3}


def grid() -> Model:
    """Return an untrained Transformer over the words of the grammar."""
    config = Config(
        kind="grid", words=len(VOCABULARY), embedding=8, width=8, heads=2, layers=2, mlp=8
    )
    return Model("grid", config, initialise(config, np.random.default_rng(0)), VOCABULARY)


def test_every_query_is_run_once_with_its_own_words() -> None:
    source = examples(5)
    queries = hide([next(source) for _ in range(30)])
    seen = []
    for group, trace in runs(grid(), queries):
        for query, tokens in zip(group, trace.value("tokens"), strict=True):
            assert tuple(VOCABULARY[i] for i in tokens) == query.words
            assert trace.hidden == query.hidden
            seen.append(query)
    assert sorted(map(queries.index, seen)) == list(range(30))


def test_roles_come_layer_by_layer_and_head_by_head() -> None:
    layers = head_roles(grid(), [ASKED, OTHER])
    assert [len(layer) for layer in layers] == [2, 2]


def test_accuracy_counts_the_answers_of_the_hidden_main_verb() -> None:
    model = grid()
    words = ("the", "cat", "purrs")
    # Gain 0 and bias 1 make every row the same, which the embedding of one word alone fits.
    parameters = dict(model.parameters)
    E = np.zeros((len(VOCABULARY), 8))
    E[VOCABULARY.index("purrs")] = 1.0
    parameters |= {"embed.E": E, "answer.norm.gain": np.zeros(8), "answer.norm.bias": np.ones(8)}
    always = Model("always", model.config, parameters, VOCABULARY)
    right = Example(words, verb=2, subject=1, plural=False, best=0.85)
    other = Example(("the", "dog", "barks"), verb=2, subject=1, plural=False, best=0.85)
    wrong = Example(("the", "dogs", "here", "bark"), verb=3, subject=1, plural=True, best=0.6)
    reached = accuracy(always, [right, other, wrong])
    assert reached.word == pytest.approx(1 / 3)
    assert reached.verb_number == pytest.approx(2 / 3)
    assert reached.best_word == pytest.approx((0.85 + 0.85 + 0.6) / 3)
    assert reached.by_distance[1] == pytest.approx((1.0, 0.5, 0.85, 2))
    assert reached.by_distance[2] == pytest.approx((0.0, 0.0, 0.6, 1))


def test_the_best_of_a_causal_model_is_the_best_from_what_it_sees() -> None:
    model = grid()
    causal = Model("causal", replace(model.config, causal=True), model.parameters, VOCABULARY)
    # Seven cats in ten purr or wait, the others see something or are something.
    assert accuracy(model, [CAT]).best_word == pytest.approx(0.85)
    assert accuracy(causal, [CAT]).best_word == pytest.approx(0.7 * 0.85)

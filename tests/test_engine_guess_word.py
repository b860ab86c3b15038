"""The missing word as a task to be trained on: what is drawn, and that every kind learns it."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from app import learning
from app.__main__ import main
from engine import tasks, training, weights
from engine.models import run
from engine.ops import Ops
from engine.tasks import UNCOUNTED, guess_word
from engine.tasks.missing_word import LONGEST, NUMBER, SHORTEST, VOCABULARY, is_held_out

TASK = tasks.load("missing-word")
BLANK, UNKNOWN = VOCABULARY.index("___"), VOCABULARY.index("<unk>")
KINDS = ("rnn-plain", "gru", "lstm-bi", "transformer", "transformer-causal")


def drawn(steps: int, count: int = 64) -> list[tasks.Batch]:
    return [TASK.draw(np.random.default_rng([0, step]), count) for step in range(steps)]


def test_one_word_of_every_sentence_is_hidden_and_asked_for() -> None:
    for ids, answers, target in drawn(40):
        assert target is None
        assert SHORTEST <= ids.shape[1] <= LONGEST
        assert ((ids == BLANK) == (answers != UNCOUNTED)).all()
        assert ((ids == BLANK).sum(axis=1) == 1).all()


def test_half_of_the_hidden_words_are_main_verbs_and_one_in_fifty_is_unknown() -> None:
    some = drawn(300)
    asked = np.concatenate([answers[answers != UNCOUNTED] for _, answers, _ in some])
    verbs = np.mean([VOCABULARY[i] in NUMBER for i in asked])
    # Half are main verbs, and of any other word one in eight is a verb that shows its number.
    assert 0.5 < verbs < 0.65
    read = np.concatenate([ids[ids != BLANK] for ids, _, _ in some])
    assert np.mean(read == UNKNOWN) == pytest.approx(guess_word.UNKNOWN_SHARE, abs=0.003)


def test_no_sentence_of_training_is_held_out_and_every_one_that_is_asked_is() -> None:
    def held_out(batch: tasks.Batch) -> list[bool]:
        whole = np.where(batch.answers == UNCOUNTED, batch.ids, batch.answers)
        known = whole[(whole != UNKNOWN).all(axis=1)]
        return [is_held_out([VOCABULARY[i] for i in row]) for row in known]

    assert not any(out for batch in drawn(20) for out in held_out(batch))
    for case in TASK.cases:
        sampled = TASK.sample(np.random.default_rng(0), 50, case)
        assert sum(len(batch.ids) for batch in sampled) == 50
        assert all(all(held_out(batch)) for batch in sampled)


def test_a_seed_draws_the_same_sentences() -> None:
    for one, other in zip(drawn(5), drawn(5), strict=True):
        assert np.array_equal(one.ids, other.ids)
        assert np.array_equal(one.answers, other.answers)


@pytest.mark.parametrize("id", KINDS)
def test_every_kind_of_model_learns_some_sentences_by_heart(id: str) -> None:
    some = TASK.draw(np.random.default_rng(0), 8)
    recipe = replace(TASK.recipes[id], steps=150, rate=2e-2)
    made = training.Training(replace(TASK, draw=lambda rng, count: some), recipe, 0)
    losses = [made.descend() for _ in range(recipe.steps)]
    assert losses[0] == pytest.approx(math.log(len(VOCABULARY)), rel=0.4)
    assert losses[-1] < 0.1 * losses[0]


@pytest.mark.parametrize("id", KINDS)
def test_a_batch_of_one_is_trained_on(id: str) -> None:
    made = training.Training(TASK, replace(TASK.recipes[id], batch=1), 0)
    assert all(math.isfinite(made.descend()) for _ in range(3))
    assert made.step == 3


@pytest.mark.parametrize("id", ["lstm-bi", "transformer"])
def test_one_seed_gives_the_same_weights_to_the_bit(id: str) -> None:
    both = [training.Training(TASK, TASK.recipes[id], 3) for _ in range(2)]
    for made in both:
        for _ in range(4):
            made.descend()
    assert np.array_equal(both[0].keep().weights, both[1].keep().weights)


@pytest.mark.parametrize("id", ["rnn", "transformer-causal"])
def test_a_sentence_is_answered_in_training_as_it_is_on_the_stage(id: str) -> None:
    """A grid is trained with an answer at every word: that of the hidden one is the stage's."""
    made = training.Training(TASK, TASK.recipes[id], 0)
    batch = TASK.draw(np.random.default_rng(0), 4)
    program = made.program(batch)
    program.forward()
    answered = program.value("answer.probabilities")
    for row, (ids, answers) in enumerate(zip(batch.ids, batch.answers, strict=True)):
        hidden = int(np.flatnonzero(answers != UNCOUNTED)[0])
        alone = run(made.model, ids, hidden=hidden, ops=Ops()).value("answer.probabilities")
        here = answered[row, hidden] if answered.ndim == 3 else answered[row]
        np.testing.assert_allclose(here, alone, rtol=0, atol=1e-6)


def test_all_shipped_models_have_their_set_up_and_no_other() -> None:
    assert set(TASK.recipes) == set(weights.available())
    for id, recipe in TASK.recipes.items():
        shipped = weights.load(id)
        assert shipped.config == recipe.config, id
        assert shipped.card["title"] == recipe.title


def test_a_trained_model_has_a_card_like_those_that_are_shipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HELD_OUT", "ROLE_SENTENCES"):
        monkeypatch.setattr(guess_word, name, 40)
    monkeypatch.setattr(training, "reached", lambda task, model: {})
    card = training.train(TASK, "transformer", 0, steps=2).card
    shipped = weights.load("transformer").card
    assert card["held_out"].keys() == shipped["held_out"].keys()
    assert sum(row["sentences"] for row in card["held_out"]["by_distance"].values()) == 40
    assert [len(layer) for layer in card["roles"]] == [5, 5]
    assert (card["shortest"], card["trained_length"]) == (SHORTEST, LONGEST)


@pytest.mark.parametrize("id", ["gru", "transformer"])
def test_a_shipped_model_reaches_on_new_sentences_what_its_card_says(id: str) -> None:
    told = learning.evaluate("missing-word", id, "verb", count=600, seed=2)
    word = weights.load(id).card["held_out"]["word"]
    assert abs(told["accuracy"] - word) < 4 * math.sqrt(word * (1 - word) / 600)


def test_far_subjects_cost_the_plain_rnn_more() -> None:
    near, far = (
        learning.evaluate("missing-word", "rnn-plain", case, count=600, seed=2)["accuracy"]
        for case in ("near", "far")
    )
    assert far < near - 0.04


def test_the_command_line_evaluates_the_missing_word(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["evaluate", "missing-word", "--model", "transformer", "--count", "50"]
    assert main([*asked, "--case", "any-word", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["sentences"] == 50
    assert told["what"] == "any word of sentences that training never saw"

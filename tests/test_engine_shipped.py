"""The shipped models: what they reach on sentences that training never saw; what they answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import weights
from engine.cells import CELLS
from engine.models import Model, run
from engine.ops import Ops
from engine.roles import Accuracy, Query, accuracy, head_roles, hide, runs
from engine.tasks.missing_word import (
    FRAMES,
    KINDS,
    LONGEST,
    SHORTEST,
    VOCABULARY,
    Example,
    best_accuracy,
    best_guess,
    examples,
)

ONE_WAY = ("rnn", "rnn-plain", "gru", "gru-plain", "lstm", "lstm-plain")
BOTH_WAYS = ("rnn-bi", "rnn-bi-plain", "gru-bi", "gru-bi-plain", "lstm-bi", "lstm-bi-plain")
SMALL = (*ONE_WAY, *BOTH_WAYS)  # 16 numbers of state
GRIDS = ("transformer", "transformer-causal")
EQUAL = (
    *("rnn-50k", "rnn-plain-50k", "gru-50k", "gru-plain-50k", "lstm-50k", "lstm-plain-50k"),
    *GRIDS,
)
SHIPPED = (*SMALL, *EQUAL)
LOSING = (
    "rnn-plain",
    "rnn-bi-plain",
    "rnn-plain-50k",
)  # what they read fades on the way to the answer
KEEPING = tuple(name for name in SHIPPED if name not in LOSING)
SENTENCES = 4000
ROLE_SENTENCES = 600

shipped = pytest.mark.parametrize("name", SHIPPED)
grids = pytest.mark.parametrize("name", GRIDS)
keeping = pytest.mark.parametrize("name", KEEPING)
load = cache(weights.load)


@cache
def held_out() -> tuple[Example, ...]:
    """Return held-out sentences, others than those that the cards were measured on."""
    return tuple(islice(examples(2024, held_out=True), SENTENCES))


@cache
def reached(name: str) -> Accuracy:
    return accuracy(load(name), held_out())


def answers(model: Model, text: str) -> str:
    """Return the likeliest word for the blank of a text."""
    words = text.split()
    ids = [model.vocabulary.index(word) for word in words]
    trace = run(model, ids, hidden=words.index("___"), ops=Ops())
    return model.vocabulary[int(trace.value("answer.word"))]


def test_these_models_are_shipped() -> None:
    assert set(weights.available()) == set(SHIPPED)


@shipped
def test_a_file_is_under_a_megabyte(name: str) -> None:
    assert (weights.MODELS / f"{name}.safetensors").stat().st_size < 1_000_000


@shipped
def test_a_model_knows_the_words_of_the_grammar(name: str) -> None:
    assert load(name).vocabulary == VOCABULARY


@shipped
def test_a_card_says_for_which_lengths_the_model_was_trained(name: str) -> None:
    card = load(name).card
    assert (card["shortest"], card["trained_length"]) == (SHORTEST, LONGEST)


@shipped
def test_a_card_says_how_many_parameters_there_are(name: str) -> None:
    model = load(name)
    assert model.card["parameters"] == sum(array.size for array in model.parameters.values())


@pytest.mark.parametrize("name", SMALL)
def test_a_small_state_has_16_numbers(name: str) -> None:
    config = load(name).config
    assert config.directions * config.width == 16


@pytest.mark.parametrize("name", BOTH_WAYS)
def test_a_chain_of_both_directions_reads_from_both_sides_with_8_numbers_each(name: str) -> None:
    facts = run(load(name), [3, 12, 2], hidden=2, ops=Ops()).facts
    assert facts.sees == "the whole sentence, from both sides"
    carried = 2 * len(CELLS[facts.cell].carries)  # of an LSTM two vectors each way
    assert facts.memory == f"{carried} × 8 numbers"


@pytest.mark.parametrize("name", EQUAL)
def test_the_equal_budget_is_50_000_parameters_within_5_in_100(name: str) -> None:
    assert load(name).card["parameters"] == pytest.approx(50_000, rel=0.05)


@grids
def test_a_transformer_has_five_heads_two_layers_and_sinusoidal_positions(name: str) -> None:
    config = load(name).config
    assert (config.heads, config.layers, config.positions) == (5, 2, "sinusoidal")


def test_the_transformers_differ_in_the_mask_alone() -> None:
    open_, causal = (load(name).config for name in GRIDS)
    assert causal == replace(open_, causal=True)
    assert causal != open_


def test_a_causal_answer_is_the_same_whatever_follows() -> None:
    model = load("transformer-causal")
    one, other = (
        run(model, [VOCABULARY.index(word) for word in text.split()], hidden=2, ops=Ops())
        for text in ("the birds ___ quietly", "the birds ___ the dogs")
    )
    name = "answer.probabilities"
    # Products of matrices of other sizes round otherwise.
    np.testing.assert_allclose(one.value(name), other.value(name), rtol=1e-4, atol=1e-7)


def test_best_possible_from_the_left_is_less_than_from_the_whole_sentence() -> None:
    open_, causal = (load(name).card["held_out"]["best_word"] for name in GRIDS)
    assert open_ == pytest.approx(best_accuracy(), abs=0.005)
    from_left = [max(c * best_guess(f) for f, c in enumerate(FRAMES[kind])) for kind in KINDS]
    assert causal == pytest.approx(sum(from_left) / len(KINDS), abs=0.005)


@keeping
def test_a_card_promises_the_verb_in_the_right_number_999_times_in_1000(name: str) -> None:
    assert load(name).card["held_out"]["verb_number"] >= 0.999


@keeping
def test_the_verb_comes_in_the_right_number_on_new_sentences(name: str) -> None:
    assert reached(name).verb_number >= 0.999


@keeping
def test_a_card_promises_the_word_within_a_point_of_the_best_possible(name: str) -> None:
    card = load(name).card["held_out"]
    assert card["word"] >= card["best_word"] - 0.01


@shipped
def test_the_word_comes_as_often_as_the_card_says_on_new_sentences(name: str) -> None:
    # How far a share of so many sentences strays: three standard deviations.
    card = load(name).card["held_out"]
    got = reached(name).word - reached(name).best_word
    assert got == pytest.approx(card["word"] - card["best_word"], abs=3 * 0.36 / SENTENCES**0.5)


@shipped
def test_the_card_counts_every_distance_of_its_sentences(name: str) -> None:
    card = load(name).card["held_out"]
    assert sum(row["sentences"] for row in card["by_distance"].values()) == card["sentences"]


def loss_at_5_and_more(name: str) -> float:
    """Return how far the card's word accuracy stays below the best, at distance 5 and more."""
    rows = load(name).card["held_out"]["by_distance"]
    far = [row for distance, row in rows.items() if int(distance) >= 5]
    count = sum(row["sentences"] for row in far)
    return float(sum((row["best_word"] - row["word"]) * row["sentences"] for row in far) / count)


def test_sixteen_numbers_without_attention_lose_words_at_distance_5_and_more() -> None:
    assert loss_at_5_and_more("rnn-plain") > loss_at_5_and_more("rnn") + 0.05


def test_sixteen_numbers_behind_gates_lose_no_words_at_distance_5_and_more() -> None:
    assert max(map(loss_at_5_and_more, ("gru-plain", "lstm-plain"))) < 0.01


def test_reading_from_both_sides_loses_fewer_far_words_but_loses_some() -> None:
    one_way, both_ways = map(loss_at_5_and_more, ("rnn-plain", "rnn-bi-plain"))
    assert 0.05 < both_ways < one_way - 0.02


def test_sixteen_numbers_without_attention_lose_words_on_new_sentences_too() -> None:
    far = [example for example in held_out() if example.distance >= 5]
    plain, with_attention = (accuracy(load(name), far) for name in ("rnn-plain", "rnn"))
    assert plain.word < with_attention.word - 0.04


@keeping
@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("the cat that slept ___", "purrs"),
        ("the keys in the cabinet ___", "turn"),
        ("the dogs that the teacher likes ___", "bark"),
        ("the birds ___ quietly", "chirp"),
    ],
)
def test_a_model_that_keeps_its_subject_answers(name: str, text: str, word: str) -> None:
    assert answers(load(name), text) == word


def test_the_rnn_looks_back_at_the_cat() -> None:
    model = load("rnn")
    ids = [model.vocabulary.index(word) for word in "the cat that slept ___".split()]
    pattern = run(model, ids, hidden=4, ops=Ops()).value("attn.pattern")
    assert int(np.argmax(pattern)) == 1
    assert pattern[1] > 0.5


@grids
def test_a_head_of_a_transformer_looks_at_the_cat(name: str) -> None:
    model = load(name)
    ids = [model.vocabulary.index(word) for word in "the cat that slept ___".split()]
    trace = run(model, ids, hidden=4, ops=Ops())
    on_cat = [trace.value(f"blocks.{b}.attn.pattern")[:, 4, 1].max() for b in range(2)]
    assert max(on_cat) > 0.5


@grids
def test_three_heads_or_more_have_a_role_at_0_6(name: str) -> None:
    roles = [head for layer in load(name).card["roles"] for head in layer]
    assert len(roles) == 10
    assert sum(name != "mixed" and score >= 0.6 for name, score in roles) >= 3


@grids
def test_the_roles_of_the_card_are_measured_again_on_new_sentences(name: str) -> None:
    model = load(name)
    again = head_roles(model, hide(held_out()[:ROLE_SENTENCES]))
    for layer, promised in zip(again, model.card["roles"], strict=True):
        for (role, score), (promised_role, promised_score) in zip(layer, promised, strict=True):
            assert score == pytest.approx(promised_score, abs=0.06)
            if promised_score > 0.56:
                assert role == promised_role


@shipped
def test_an_unknown_word_is_read(name: str) -> None:
    words = ("the", "zebra", "that", "slept", "sleeps")
    query = Query(Example(words, verb=4, subject=1, plural=False, best=1.0), hidden=4)
    ((_, trace),) = runs(load(name), [query])
    assert VOCABULARY[int(trace.value("tokens")[0, 1])] == "<unk>"
    assert np.isfinite(trace.value("answer.probabilities")).all()


@pytest.mark.parametrize("length", [3, 33, 128, 512])
def test_the_transformer_runs_with_its_positions_switched_off_at_any_length(length: int) -> None:
    model = load("transformer")
    off = replace(model, config=replace(model.config, positions="none"))
    ids = np.random.default_rng(length).integers(0, len(VOCABULARY), length)
    turned = run(off, ids[::-1], hidden=length - 1, ops=Ops())
    trace = run(off, ids, hidden=0, ops=Ops())
    assert off.parameters is model.parameters
    assert trace.ticks == run(model, ids, hidden=0, ops=Ops()).ticks
    # The same word is asked for, so the order of the others makes no difference.
    answer = "answer.probabilities"
    assert np.allclose(trace.value(answer), turned.value(answer), rtol=0, atol=1e-4)
    # With positions it does.
    trace = run(model, ids, hidden=0, ops=Ops())
    turned = run(model, ids[::-1], hidden=length - 1, ops=Ops())
    assert not np.allclose(trace.value(answer), turned.value(answer), rtol=0, atol=1e-4)


@shipped
def test_the_readme_says_what_the_card_says(name: str) -> None:
    card = load(name).card
    held_out, parameters = card["held_out"], card["parameters"]
    far = [row for distance, row in held_out["by_distance"].items() if int(distance) >= 9]
    far_right = sum(row["word"] * row["sentences"] for row in far)
    cells = [
        str(parameters),
        f"{100 * held_out['word']:.2f} %",
        f"{100 * held_out['best_word']:.2f} %",
        f"{100 * held_out['verb_number']:.2f} %",
        f"{100 * held_out['by_distance']['1']['word']:.1f} %",
        f"{100 * far_right / sum(row['sentences'] for row in far):.1f} %",
    ]
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    row = next(line for line in readme.splitlines() if line.startswith(f"| `{name}` |"))
    assert row.strip("| ").split(" | ")[2:] == cells


def again() -> dict[str, dict[str, Any]]:
    """Return what the cards say of models that were trained again in NumPy, by their ids."""
    cards = {name: load(name).card for name in SHIPPED}
    return {name: card["again"] for name, card in cards.items() if "again" in card}


def test_numpy_alone_reaches_what_the_shipped_models_do_within_a_point_or_the_spread() -> None:
    assert again().keys() == set(SHIPPED)
    for name, told in again().items():
        held_out = load(name).card["held_out"]
        assert len({training["seed"] for training in told["seeds"]}) == 3
        for what in ("word", "verb_number"):
            reached = [training[what] for training in told["seeds"]]
            spread = max(0.01, max(reached) - min(reached))
            assert max(reached) >= held_out[what] - 0.01, name
            assert min(reached) >= held_out[what] - spread, name


def test_sixteen_numbers_without_attention_lose_words_in_numpy_too() -> None:
    best = load("rnn-plain").card["held_out"]["best_word"]
    assert all(each["word"] < best - 0.05 for each in again()["rnn-plain"]["seeds"])


def test_each_case_of_a_shipped_model_has_three_trainings_behind_it() -> None:
    for name in SHIPPED:
        card = load(name).card
        assert len({training["seed"] for training in card["seeds"]}) == 3
        assert card["seeds"][0]["seed"] == card["seed"]
        for case in ("verb", "near", "far", "any-word"):
            assert all(0 < training[case]["whole"] <= 1 for training in card["seeds"]), name


def span(numbers: Sequence[float], digits: int) -> str:
    """Return the least and the largest in per cent, as the README does."""
    ends = [f"{100 * end:.{digits}f}" for end in (min(numbers), max(numbers))]
    return " to ".join(dict.fromkeys(ends)) + " %"


def test_the_readme_says_what_numpy_reached() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    table = readme.partition("heads with a role at 0.6")[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if "`" in line]
    expected = []
    for name in (row[0].strip("`") for row in rows):
        trainings = again()[name]["seeds"]
        clear = [
            sum(
                role != "mixed" and score >= 0.6 for block in each["roles"] for role, score in block
            )
            for each in trainings
            if "roles" in each
        ]
        expected.append(
            [
                f"`{name}`",
                span([each["word"] for each in trainings], 2),
                span([each["verb_number"] for each in trainings], 2),
                span([each["word_far"] for each in trainings], 1),
                " to ".join(dict.fromkeys(map(str, sorted({min(clear), max(clear)}))))
                if clear
                else "–",
            ]
        )
    assert rows == expected
    assert len(rows) == len(again())

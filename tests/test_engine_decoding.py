"""Writing word by word: what is kept changes the work and not one answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine import decoding, weights
from engine.decoding import WRITERS, with_cache, without_cache, writing
from engine.models import Config, Model, initialise, run
from engine.ops import Ops
from engine.said import Said

OPS = Ops()
GRID = Config(
    kind="grid", words=6, embedding=8, width=8, heads=2, layers=2, mlp=12, causal=True,
    positions="learned", max_length=20, answers="every",
)  # fmt: skip
CHAIN = Config(kind="chain", words=6, embedding=5, width=7, cell="gru", answers="every")
CONFIGS = {
    "learned": GRID,
    "one block, post": replace(GRID, layers=1, norm="post"),
    "three blocks, relu": replace(GRID, layers=3, activation="relu"),
    "sinusoidal": replace(GRID, positions="sinusoidal", position_scale=0.5),
    "no positions": replace(GRID, positions="none"),
    "hidden": replace(GRID, answers="hidden"),
    "elman": replace(CHAIN, cell="elman"),
    "gru": CHAIN,
    "reset before": replace(CHAIN, reset="before"),
    "lstm": replace(CHAIN, cell="lstm"),
}
PROMPT = [1, 4, 2, 2, 5]


def made(config: Config) -> Model:
    return Model("it", config, initialise(config, np.random.default_rng(5)), tuple("abcdef"))


def shipped(id: str) -> Model:
    return weights.read(weights.TASKS / "reverse" / f"{id}.safetensors")


@pytest.mark.parametrize("name", CONFIGS)
def test_what_is_kept_changes_no_answer(name: str) -> None:
    model = made(CONFIGS[name])
    kept = with_cache(model, PROMPT, 6, ops=OPS)
    anew = without_cache(model, PROMPT, 6, ops=OPS)
    assert [turn.word for turn in kept] == [turn.word for turn in anew]
    for a, b in zip(kept, anew, strict=True):
        assert np.abs(a.logits - b.logits).max() < 1e-5 * np.abs(b.logits).max()
    assert [turn.length for turn in kept] == [turn.length for turn in anew] == [5, 6, 7, 8, 9, 10]
    assert [turn.given for turn in kept] == [5, 1, 1, 1, 1, 1]
    assert [turn.given for turn in anew] == [5, 6, 7, 8, 9, 10]


def test_every_word_is_the_one_that_a_run_over_all_before_it_answers() -> None:
    model, ids = made(GRID), list(PROMPT)
    for turn in with_cache(model, PROMPT, 4, ops=OPS):
        every = run(model, ids, hidden=0, ops=OPS)  # answers at every token: the last is meant
        assert turn.word == every.value("answer.word")[-1]
        assert np.allclose(turn.logits, every.value("answer.logits")[-1], atol=1e-5)
        ids.append(turn.word)


@pytest.mark.parametrize(("id", "count"), [("transformer", 16), ("gru", 12), ("lstm", 8)])
def test_shipped_models_write_the_same_with_and_without_a_cache(id: str, count: int) -> None:
    prompt = [*np.random.default_rng(count).integers(0, 10, count), 10]
    kept = with_cache(shipped(id), prompt, count, ops=OPS)
    anew = without_cache(shipped(id), prompt, count, ops=OPS)
    assert [turn.word for turn in kept] == [turn.word for turn in anew]
    for a, b in zip(kept, anew, strict=True):
        assert np.abs(a.logits - b.logits).max() < 1e-5 * np.abs(b.logits).max()


def test_the_cache_is_what_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """With other keys in the cache the words that follow are others."""
    model = made(GRID)
    right = with_cache(model, PROMPT, 3, ops=OPS)
    of = decoding._cache_of
    monkeypatch.setattr(
        decoding,
        "_cache_of",
        lambda config, trace: {
            name: array[..., ::-1].copy() if name.endswith(".k") else array
            for name, array in of(config, trace).items()
        },
    )
    wrong = with_cache(model, PROMPT, 3, ops=OPS)
    assert np.array_equal(wrong[0].logits, right[0].logits)
    assert np.abs(wrong[1].logits - right[1].logits).max() > 1e-3


def test_the_cache_of_a_grid_grows_and_the_state_of_a_chain_does_not() -> None:
    d, layers = GRID.width, GRID.layers
    kept = [turn.kept for turn in with_cache(made(GRID), PROMPT, 4, ops=OPS)]
    assert kept == [0, *(2 * layers * T * d for T in (5, 6, 7))]
    assert [turn.kept for turn in with_cache(made(CHAIN), PROMPT, 4, ops=OPS)] == [0, 7, 7, 7]
    assert all(turn.kept == 0 for turn in without_cache(made(GRID), PROMPT, 4, ops=OPS))


def test_a_cache_saves_work_and_no_dependent_step() -> None:
    kept, anew = (write(made(GRID), PROMPT, 4, ops=OPS) for write in (with_cache, without_cache))
    assert [turn.depth for turn in kept] == [turn.depth for turn in anew]
    assert kept[0].flops == anew[0].flops
    assert all(a.flops < b.flops for a, b in zip(kept[1:], anew[1:], strict=True))


def test_flops_of_a_written_word_are_those_of_one_row() -> None:
    config = replace(GRID, layers=1)
    turn = with_cache(made(config), PROMPT, 2, ops=OPS)[1]
    d, m, h, T, words = 8, 12, 2, 6, 6
    row = 10 * d + 4 * (2 * d * d + d) + 2 * (2 * T * d) + h * T * (1 + 5)
    mlp = 10 * d + 2 * d * m + m + 15 * m + 2 * m * d + d
    rest = d + d + d + 10 * d + 2 * d * words + 5 * words + words  # position, residuals, answer
    assert turn.flops == row + mlp + rest


def test_a_chain_reads_in_steps_and_writes_each_word_in_as_many_as_the_first() -> None:
    turns = with_cache(made(CHAIN), PROMPT, 3, ops=OPS)
    longer = with_cache(made(CHAIN), PROMPT * 2, 3, ops=OPS)
    assert longer[0].depth - turns[0].depth == 9 * 5  # a read of a GRU waits for nine operations
    assert {turn.depth for turn in (*turns[1:], *longer[1:])} == {turns[0].depth - 9 * 4}


def test_seconds_are_the_least_of_the_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = with_cache(made(GRID), PROMPT, 2, ops=OPS)
    rounds = iter([(3.0, 1.0), (2.0, 4.0)])

    def kept(*_: object) -> tuple[decoding.Turn, ...]:
        return tuple(
            replace(turn, seconds=seconds)
            for turn, seconds in zip(turns, next(rounds), strict=True)
        )

    monkeypatch.setattr(decoding, "_kept", kept)
    measured = with_cache(made(GRID), PROMPT, 2, ops=OPS, repeats=2)
    assert [turn.seconds for turn in measured] == [2.0, 1.0]
    assert all(turn.seconds > 0 for turn in turns)


@pytest.mark.parametrize(
    "config",
    [
        replace(GRID, causal=False),
        replace(CHAIN, attention=True),
        replace(CHAIN, bidirectional=True),
        replace(CHAIN, layers=2),
    ],
)
def test_a_model_whose_words_change_with_later_ones_is_refused(config: Config) -> None:
    with pytest.raises(Said, match="cannot write word by word"):
        with_cache(made(config), PROMPT, 2, ops=OPS)


# ---- three ways ----------------------------------------------------------------------------------


def test_the_shipped_transformer_writes_backwards_in_both_ways() -> None:
    found = writing([3, 1, 4, 1, 5, 9], repeats=1)
    assert found.prompt == (*"314159", "|")
    assert [it.way for it in found.ways] == list(WRITERS)
    assert found.way("cache").written == found.way("anew").written == found.right == (*"951413",)
    assert found.same
    assert found.difference < 1e-5


def test_of_all_turns_each_waits_for_the_one_before() -> None:
    found = writing(5, repeats=1)
    cache, anew, chain = found.ways
    assert cache.depth == anew.depth == 5 * cache.turns[0].depth
    assert cache.flops < anew.flops / 2
    # The chain reads in more steps than the grid, and writes each word in fewer.
    assert chain.turns[0].depth > cache.turns[0].depth > chain.turns[1].depth
    assert cache.seconds == pytest.approx(sum(turn.seconds for turn in cache.turns))


def test_the_same_seed_draws_the_same_digits() -> None:
    assert writing(4, seed=2, repeats=1).prompt == writing(4, seed=2, repeats=1).prompt
    assert writing(4, seed=2, repeats=1).prompt != writing(4, seed=3, repeats=1).prompt


@pytest.mark.parametrize("digits", [0, -3, 25, [], [1] * 30])
def test_no_digit_and_too_many_are_refused_in_a_sentence(digits: int | list[int]) -> None:
    with pytest.raises(Said, match="choose from 1 to 24"):
        writing(digits, repeats=1)


def test_what_is_no_digit_is_refused_in_a_sentence() -> None:
    with pytest.raises(Said, match="Only the digits 0 to 9"):
        writing([3, 10], repeats=1)

"""What each token does: against models that are run again, differences, and what must be so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine import influence, weights
from engine.influence import LEFT_OUT, REPLACED, leave_one_out, state_shares
from engine.models import Config, Model, run, shapes
from engine.ops import Ops
from engine.said import Said
from engine.trace import Trace

OPS = Ops()
WORDS = ("<pad>", "<unk>", "___", "the", "cat", "that", "slept", "purrs")
CHAIN = Config(kind="chain", words=8, embedding=3, width=4, cell="elman")
GRID = Config(kind="grid", words=8, embedding=4, width=4, heads=2, layers=2, mlp=5)
MODELS = {
    "elman": CHAIN,
    "gru attention": replace(CHAIN, cell="gru", attention=True),
    "lstm": replace(CHAIN, cell="lstm"),
    "two layers": replace(CHAIN, cell="gru", layers=2),
    "both": replace(CHAIN, cell="lstm", bidirectional=True, attention=True),
    "two layers of both": replace(CHAIN, bidirectional=True, layers=2),
    "grid": GRID,
    "causal": replace(GRID, causal=True, norm="post"),
    "learned": replace(GRID, positions="learned", max_length=6),
}
TOKENS = [3, 4, 5, 6, 7]


def made(config: Config, dtype: Any = np.float64, **changed: NDArray[Any]) -> Model:
    rng = np.random.default_rng(3)
    parameters = {
        name: changed.get(name, rng.normal(0.0, 0.7, shape)).astype(dtype)
        for name, shape in shapes(config).items()
    }
    return Model("it", config, parameters, WORDS)


def ran(model: Model, tokens: list[int] = TOKENS, hidden: int = 4) -> Trace:
    return run(model, tokens, hidden=hidden, ops=OPS)


# ---- one token less ------------------------------------------------------------------------------


def without(tokens: list[int], t: int, hidden: int, how: str) -> tuple[list[int], int]:
    """Return the sentence without token t, and where its blank stands."""
    if how == REPLACED:
        return [*tokens[:t], WORDS.index("<unk>"), *tokens[t + 1 :]], hidden
    return [*tokens[:t], *tokens[t + 1 :]], hidden - (t < hidden)


@pytest.mark.parametrize("how", [LEFT_OUT, REPLACED])
@pytest.mark.parametrize("hidden", [0, 2, 4])
@pytest.mark.parametrize("name", MODELS)
def test_influence_is_that_of_a_model_run_again_for_each_token(
    name: str, hidden: int, how: str
) -> None:
    model = made(MODELS[name])
    trace = ran(model, hidden=hidden)
    found = leave_one_out(model, trace, ops=OPS, how=how)
    whole = trace.value("answer.probabilities")
    answered = int(np.argmax(whole))
    assert found.how == how
    seen = [t for t in range(len(TOKENS)) if t != hidden and not (name == "causal" and t > hidden)]
    assert min((found.moved[t] for t in seen), default=1) > 1e-6  # something to compare
    for t in range(len(TOKENS)):
        if t == hidden:
            continue
        again = ran(model, *without(TOKENS, t, hidden, how))
        p = again.value("answer.probabilities")
        moved = sum(abs(a - b) for a, b in zip(p, whole, strict=True)) / 2
        assert found.moved[t] == pytest.approx(moved, abs=1e-13)
        assert found.lost[t] == pytest.approx(whole[answered] - p[answered], abs=1e-13)
        assert found.instead[t] == again.answer(1)[0][0]


@pytest.mark.parametrize("hidden", [0, 4])
def test_the_hidden_word_has_no_influence_of_its_own(hidden: int) -> None:
    model = made(CHAIN)
    found = leave_one_out(model, ran(model, hidden=hidden), ops=OPS)
    assert np.isnan(found.moved).nonzero()[0].tolist() == [hidden]
    assert np.isnan(found.lost).nonzero()[0].tolist() == [hidden]
    assert found.instead[hidden] == ""


@pytest.mark.parametrize("how", [LEFT_OUT, REPLACED])
@pytest.mark.parametrize("config", [CHAIN, GRID])
def test_the_blank_alone_has_nothing_to_leave_out(config: Config, how: str) -> None:
    model = made(config)
    found = leave_one_out(model, ran(model, [2], 0), ops=OPS, how=how)
    assert len(found.moved) == 1
    assert np.isnan(found.moved[0])


def test_moved_lies_between_0_and_1_and_reaches_both_ends() -> None:
    """A chain without memory answers from the last word alone, here with certainty."""
    E = np.zeros((8, 3))
    E[3], E[4], E[7] = [9, 0, 0], [0, 9, 0], [0, 0, 9]
    W_c = np.zeros((4, 3))
    W_c[:3] = 9 * np.eye(3)
    sure = made(CHAIN, **{
        "embed.E": E, "rnn.W_x": np.eye(3, 4), "rnn.W_h": np.zeros((4, 4)), "rnn.b": np.zeros(4),
        "answer.W_c": W_c, "answer.b_c": np.zeros(3),
    })  # fmt: skip
    found = leave_one_out(sure, ran(sure, [7, 2, 3, 4], 1), ops=OPS, how=LEFT_OUT)
    assert found.moved[0] == pytest.approx(0, abs=1e-12)
    assert found.moved[2] == pytest.approx(0, abs=1e-12)
    assert found.moved[3] == pytest.approx(1, abs=1e-3)
    assert found.lost[3] == pytest.approx(1, abs=1e-3)
    assert found.instead[3] == "the"


@pytest.mark.parametrize("how", [LEFT_OUT, REPLACED])
def test_a_token_that_a_mask_hides_has_no_influence(how: str) -> None:
    model = made(MODELS["causal"])
    found = leave_one_out(model, ran(model, hidden=2), ops=OPS, how=how)
    assert found.moved[3:] == pytest.approx([0, 0], abs=1e-14)
    assert min(found.moved[:2]) > 1e-6


@pytest.mark.parametrize("how", [LEFT_OUT, REPLACED])
@pytest.mark.parametrize("name", ["lstm", "grid"])
def test_small_batches_give_the_same_influence(
    name: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = made(MODELS[name])
    trace = ran(model, hidden=2)
    together = leave_one_out(model, trace, ops=OPS, how=how)
    monkeypatch.setattr(influence, "BATCH_BYTES", 1)
    alone = leave_one_out(model, trace, ops=OPS, how=how)
    assert together.moved == pytest.approx(alone.moved, abs=1e-14, nan_ok=True)


def test_another_model_than_that_of_the_run_is_refused() -> None:
    model = made(CHAIN)
    other = replace(model, parameters=dict(model.parameters) | {"rnn.b": np.ones(4)})
    with pytest.raises(Said, match="the model 'it' answers otherwise here than in this run"):
        leave_one_out(other, ran(model), ops=OPS)


def test_a_way_that_is_none_is_an_error() -> None:
    model = made(CHAIN)
    with pytest.raises(ValueError, match="left out or replaced, not masked"):
        leave_one_out(model, ran(model), ops=OPS, how="masked")


@pytest.mark.parametrize("id", ["rnn", "rnn-50k", "transformer"])
def test_the_noun_decides_the_verb_in_the_shipped_models(id: str) -> None:
    """Whoever trains them again and changes this changes what the lecture says."""
    model = weights.load(id)
    words = ("the", "cat", "that", "slept", "___")
    trace = run(model, [model.vocabulary.index(word) for word in words], hidden=4, ops=OPS)
    found = leave_one_out(model, trace, ops=OPS)
    assert found.how == REPLACED
    assert max(range(4), key=lambda t: found.moved[t]) == 1
    assert found.moved[1] > 0.5


# ---- shares in a state ---------------------------------------------------------------------------


def by_differences(model: Model, direction: str = "rnn") -> NDArray[np.float64]:
    """Return the shares from central differences: every word stands once, so its row of E is x_s.

    The difference over four points is off by the fourth power of the step.
    """
    step, T, words = 1e-3, len(TOKENS), model.parameters["embed.E"]
    words.setflags(write=True)
    norms = np.zeros((T, T))
    for s, word in enumerate(TOKENS):
        for feature in range(words.shape[1]):
            was = words[word, feature]
            slopes = np.zeros((T, model.config.width))
            for steps, weight in {-2: 1, -1: -8, 1: 8, 2: -1}.items():
                words[word, feature] = was + steps * step
                trace = ran(model)
                h = np.stack([trace.value(f"{direction}.h.{t}") for t in range(1, T + 1)])
                slopes += weight * h / (12 * step)
            words[word, feature] = was
            norms[:, s] += (slopes**2).sum(axis=1)
    norms = np.sqrt(norms)
    shares: NDArray[np.float64] = norms / norms.sum(axis=1, keepdims=True)
    return shares


CELLS = [name for name, config in MODELS.items() if config.kind == "chain"]


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        *((name, "rnn") for name in CELLS),
        ("two layers", "rnn.1"),
        ("both", "rnn.back"),
        ("two layers of both", "rnn.1"),
        ("two layers of both", "rnn.1.back"),
    ],
)
def test_shares_agree_with_central_differences(name: str, direction: str) -> None:
    model = made(MODELS[name])
    shares = state_shares(ran(model), ops=OPS, direction=direction)
    expected = by_differences(model, direction)
    assert np.abs(shares - expected).max() <= 1e-7 * expected.max()


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shares_of_a_state_sum_to_1_and_none_comes_from_words_not_read(
    name: str, dtype: Any
) -> None:
    shares = state_shares(ran(made(MODELS[name], dtype)), ops=OPS)
    assert shares.shape == (5, 5)
    assert shares.sum(axis=1) == pytest.approx(np.ones(5), rel=1e-12)
    assert (np.triu(shares, k=1) == 0).all()
    assert (shares[np.tril_indices(5)] > 0).all()


def test_a_state_that_is_read_from_the_right_holds_no_word_left_of_it() -> None:
    shares = state_shares(ran(made(MODELS["both"])), ops=OPS, direction="rnn.back")
    assert (np.tril(shares, k=-1) == 0).all()
    assert (shares[np.triu_indices(5)] > 0).all()


def test_a_layer_above_both_directions_holds_every_word() -> None:
    shares = state_shares(ran(made(MODELS["two layers of both"])), ops=OPS, direction="rnn.1")
    assert (shares > 0).all()


def test_a_chain_without_memory_holds_its_own_word_only() -> None:
    model = made(CHAIN, **{"rnn.W_h": np.zeros((4, 4))})
    assert np.array_equal(state_shares(ran(model), ops=OPS), np.eye(5))


def test_a_linear_chain_forgets_at_the_rate_of_its_matrix() -> None:
    """With numbers near 0 tanh is a line, and W_h = c I makes ∂h_t/∂x_s = c^{t-s} W_x."""
    c, small = 0.6, np.random.default_rng(0).normal(0.0, 1e-6, (8, 3))
    model = made(CHAIN, **{"rnn.W_h": c * np.eye(4), "embed.E": small, "rnn.b": np.zeros(4)})
    t, s = np.indices((5, 5))
    expected = np.where(s <= t, c ** np.abs(t - s), 0.0)
    expected /= expected.sum(axis=1, keepdims=True)
    assert np.allclose(state_shares(ran(model), ops=OPS), expected, rtol=1e-9)


def test_a_state_that_nothing_moves_has_no_shares() -> None:
    model = made(CHAIN, **{"rnn.b": np.full(4, 1e4)})
    assert not state_shares(ran(model), ops=OPS).any()


@pytest.mark.parametrize("name", CELLS)
def test_few_states_at_a_time_give_the_same_shares(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = ran(made(MODELS[name]))
    together = state_shares(trace, ops=OPS)
    monkeypatch.setattr(influence, "SEED_NUMBERS", 1)
    assert np.allclose(state_shares(trace, ops=OPS), together, rtol=1e-13)


def test_some_states_can_be_asked_for() -> None:
    trace = ran(made(MODELS["lstm"]))
    some = state_shares(trace, ops=OPS, states=[4, 1])
    assert np.allclose(some, state_shares(trace, ops=OPS)[[4, 1]], rtol=1e-13)


def test_float32_shares_are_close_to_those_of_float64() -> None:
    for name in CELLS:
        single, double = (
            state_shares(ran(made(MODELS[name], dtype)), ops=OPS)
            for dtype in (np.float32, np.float64)
        )
        assert np.abs(single - double).max() < 1e-5


def test_a_gradient_that_overflows_is_said() -> None:
    """W_h = 10^30 I with every number 0: the second step back leaves float32."""
    model = made(
        CHAIN, np.float32,
        **{"rnn.W_h": 1e30 * np.eye(4), "embed.E": np.zeros((8, 3)), "rnn.b": np.zeros(4)},
    )  # fmt: skip
    with pytest.raises(Said, match=r"a gradient is too large for float32; .*\.$"):
        state_shares(ran(model), ops=OPS)


def test_too_much_work_is_refused_with_its_amount(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = ran(made(CHAIN))
    monkeypatch.setattr(influence, "MOST_FLOPS", 5000)
    with pytest.raises(Said, match=r"The shares in 5 states of 5 words would take .* GFLOP"):
        state_shares(trace, ops=OPS)
    assert state_shares(trace, ops=OPS, states=[1]).shape == (1, 5)


def test_too_many_sentences_without_a_word_are_refused_with_their_amount(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = made(GRID)
    trace = ran(model)
    monkeypatch.setattr(influence, "MOST_LEFT_OUT", 4 * trace.flops)
    assert len(leave_one_out(model, trace, ops=OPS).moved) == 5
    monkeypatch.setattr(influence, "MOST_LEFT_OUT", 4 * trace.flops - 1)
    with pytest.raises(Said, match=r"What each of 5 words does would take .* GFLOP.*\.$"):
        leave_one_out(model, trace, ops=OPS)


def test_a_grid_has_no_state_to_share() -> None:
    with pytest.raises(Said, match=r"carries no state from word to word.*\.$"):
        state_shares(ran(made(GRID)), ops=OPS)


def test_a_batch_is_refused() -> None:
    model = made(CHAIN)
    batch = run(model, [TOKENS, TOKENS], hidden=4, ops=OPS)
    with pytest.raises(ValueError, match="run over a batch"):
        state_shares(batch, ops=OPS)
    with pytest.raises(ValueError, match="run over a batch"):
        leave_one_out(model, batch, ops=OPS)


@pytest.mark.parametrize("how", [REPLACED, LEFT_OUT])
def test_what_nobody_waits_for_ends_in_front_of_the_next_sentences(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(influence, "BATCH_BYTES", 1)  # one sentence at a time
    model = made(GRID)
    trace = ran(model)
    asked: list[int] = []

    def stop() -> bool:
        asked.append(len(asked))
        return len(asked) == 3

    with pytest.raises(influence.Stopped):
        leave_one_out(model, trace, ops=OPS, how=how, stop=stop)
    assert len(asked) == 3  # of four

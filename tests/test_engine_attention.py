"""Attention over states and between tokens: what the weights are and what they never see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.attention import SCORES
from engine.models import Config, Model, initialise, run
from engine.ops import Ops
from engine.trace import Trace

WORDS = 9
VOCABULARY = tuple("abcdefghi")


def grid(
    tokens: Any, *, mask: Any = None, parameters: dict[str, float] | None = None, **changes: Any
) -> Trace:
    shape: dict[str, Any] = {"words": WORDS, "embedding": 8, "width": 8, "heads": 2, "mlp": 12}
    config = Config(kind="grid", **(shape | {"layers": 2} | changes))
    named = initialise(config, np.random.default_rng(1), np.float64)
    for name, value in (parameters or {}).items():
        named[name][:] = value
    model = Model("", config, named, VOCABULARY)
    return run(model, tokens, hidden=0, ops=Ops(), mask=mask)


def chain(tokens: Any, score: str = "general", **parameters: float) -> Trace:
    config = Config(
        kind="chain", words=WORDS, embedding=4, width=3, cell="elman", attention=True, score=score
    )
    named = initialise(config, np.random.default_rng(1), np.float64)
    for name, value in parameters.items():
        named[f"attn.{name}"][:] = value
    return run(Model("", config, named, VOCABULARY), tokens, hidden=0, ops=Ops())


def entropy(p: NDArray[Any]) -> float:
    """Return the mean entropy of rows of weights, 1 for equal ones."""
    rows = -(p * np.log(np.maximum(p, 1e-300))).sum(axis=-1)
    return float(rows.mean() / np.log(p.shape[-1]))


# ---- over states -------------------------------------------------------------------------------


def test_weights_over_states_sum_to_one() -> None:
    assert chain([1, 2, 3, 4]).value("attn.pattern").sum() == pytest.approx(1.0, rel=1e-15)


def test_the_context_is_the_weighted_sum_of_the_states() -> None:
    trace = chain([1, 2, 3])
    p = trace.value("attn.pattern")
    states = [trace.value(f"rnn.h.{t}") for t in (1, 2, 3)]
    expected = sum(weight * state for weight, state in zip(p, states, strict=True))
    assert np.allclose(trace.value("attn.context"), expected, rtol=1e-14)


def test_without_a_question_every_state_weighs_the_same() -> None:
    assert np.allclose(chain([1, 2, 3, 4], W_a=0.0).value("attn.pattern"), 0.25, rtol=1e-15)


def test_the_last_state_asks() -> None:
    assert chain([1, 2, 3]).step("attn.query").reads == ("rnn.h.3", "attn.W_a")


@pytest.mark.parametrize("score", SCORES)
def test_one_state_gets_all_the_weight(score: str) -> None:
    assert chain([1], score).value("attn.pattern").tolist() == [1.0]


@pytest.mark.parametrize("score", SCORES)
def test_whatever_the_score_the_last_state_asks_and_all_states_are_weighed(score: str) -> None:
    trace = chain([1, 2, 3, 4], score)
    p, H = trace.value("attn.pattern"), trace.value("attn.states")
    assert p.sum() == pytest.approx(1.0, rel=1e-15)
    assert np.ptp(p) > 1e-3  # the untrained parameters of no score weigh all the same
    assert np.allclose(trace.value("attn.context"), p @ H, rtol=1e-14)
    asks = [step.name for step in trace.steps if "rnn.h.4" in step.reads]
    assert asks[:2] == ["attn.states", asks[1]]
    assert asks[1] in ("attn.scores", "attn.query", "attn.asked")


def test_scores_by_hand() -> None:
    H = chain([1, 2, 3]).value("attn.states")
    last = H[-1]
    assert np.allclose(chain([1, 2, 3], "dot").value("attn.scores"), H @ last, rtol=1e-14)
    trace = chain([1, 2, 3], "concat")
    W, v = trace.value("attn.W_a"), trace.value("attn.v_a")
    H = trace.value("attn.states")
    expected = [v @ np.tanh(np.concatenate([H[-1], h]) @ W) for h in H]
    assert np.allclose(trace.value("attn.scores"), expected, rtol=1e-13)
    trace = chain([1, 2, 3], "additive")
    W, U, v = (trace.value(f"attn.{name}") for name in ("W_a", "U_a", "v_a"))
    H = trace.value("attn.states")
    expected = [v @ np.tanh(H[-1] @ W + h @ U) for h in H]
    assert np.allclose(trace.value("attn.scores"), expected, rtol=1e-13)


def test_concat_is_additive_with_one_matrix_for_both() -> None:
    concat = chain([1, 2, 3], "concat")
    top, bottom = np.split(concat.value("attn.W_a"), 2)
    config = Config(
        kind="chain", words=WORDS, embedding=4, width=3, cell="elman", attention=True,
        score="additive",
    )  # fmt: skip
    named = dict(concat.parameters) | {"attn.W_a": top, "attn.U_a": bottom}
    additive = run(Model("", config, named, VOCABULARY), [1, 2, 3], hidden=0, ops=Ops())
    assert np.allclose(additive.value("attn.pattern"), concat.value("attn.pattern"), rtol=1e-12)


# ---- between tokens ----------------------------------------------------------------------------


def test_every_row_of_every_pattern_sums_to_one() -> None:
    trace = grid([1, 2, 3, 4, 5])
    for block in (0, 1):
        sums = trace.value(f"blocks.{block}.attn.pattern").sum(axis=-1)
        assert np.allclose(sums, 1.0, rtol=1e-14)


def test_heads_differ_and_lie_side_by_side_behind_the_concatenation() -> None:
    trace = grid([1, 2, 3])
    z = trace.value("blocks.0.attn.z")
    joined = trace.value("blocks.0.attn.concat")
    assert not np.allclose(z[0], z[1])
    assert np.array_equal(joined, np.concatenate([z[0], z[1]], axis=-1))


def test_scores_are_divided_by_the_root_of_the_width_of_a_head() -> None:
    trace = grid([1, 2, 3])
    raw = trace.value("blocks.0.attn.scores.product")
    assert np.allclose(trace.value("blocks.0.attn.scores") * 2.0, raw, rtol=1e-15)  # √4


@pytest.mark.parametrize("d_head", [8, 16, 64, 128])
def test_with_the_root_weights_stay_spread_at_any_width_of_a_head(d_head: int) -> None:
    rng = np.random.default_rng(0)
    q, k = rng.normal(size=(200, d_head)), rng.normal(size=(200, 16, d_head))
    raw = Ops().product(q, k, transpose_b=True)
    scaled = Ops().softmax(raw / np.sqrt(d_head))
    assert entropy(scaled) == pytest.approx(0.85, abs=0.05)
    assert entropy(Ops().softmax(raw)) < 0.6  # without it, hardly anything but the first choice


def test_without_the_root_weights_narrow_as_heads_widen() -> None:
    rng = np.random.default_rng(0)
    spread = []
    for d_head in (8, 16, 64, 128):
        q, k = rng.normal(size=(200, d_head)), rng.normal(size=(200, 16, d_head))
        spread.append(entropy(Ops().softmax(Ops().product(q, k, transpose_b=True))))
    assert spread == sorted(spread, reverse=True)
    assert spread[-1] < 0.2


def test_a_causal_pattern_has_no_weight_on_later_words() -> None:
    pattern = grid([1, 2, 3, 4], causal=True).value("blocks.1.attn.pattern")
    assert np.array_equal(pattern, np.tril(pattern))
    assert pattern[:, 0].tolist() == [[1.0, 0.0, 0.0, 0.0]] * 2


def test_in_a_causal_grid_a_later_word_changes_no_earlier_row() -> None:
    one, other = grid([1, 2, 3, 4], causal=True), grid([1, 2, 3, 8], causal=True)
    assert np.allclose(one.value("blocks.1.x")[:3], other.value("blocks.1.x")[:3], rtol=1e-12)
    assert not np.allclose(one.value("blocks.1.x")[3], other.value("blocks.1.x")[3])


def test_in_a_full_grid_a_later_word_changes_earlier_rows() -> None:
    one, other = grid([1, 2, 3, 4]), grid([1, 2, 3, 8])
    assert not np.allclose(one.value("blocks.1.x")[0], other.value("blocks.1.x")[0])


def test_padding_gets_no_weight_and_changes_nothing() -> None:
    padded = grid([1, 2, 3, 0, 0], mask=[True, True, True, False, False])
    assert (padded.value("blocks.1.attn.pattern")[..., 3:] == 0.0).all()
    alone = grid([1, 2, 3])
    assert np.allclose(padded.value("blocks.1.x")[:3], alone.value("blocks.1.x"), rtol=1e-10)


def test_a_sentence_of_padding_alone_is_zero_weights_and_no_nan() -> None:
    trace = grid([[1, 2], [0, 0]], mask=[[True, True], [False, False]])
    assert (trace.value("blocks.0.attn.pattern")[1] == 0.0).all()
    assert all(np.isfinite(s.value).all() for s in trace.steps if s.name != "mask")


def test_a_mask_without_padding_is_no_step() -> None:
    assert "mask" not in grid([1, 2], mask=[True, True])


def test_without_positions_the_grid_has_no_order() -> None:
    one, other = grid([1, 2, 3], position_scale=0.0), grid([3, 2, 1], position_scale=0.0)
    assert np.allclose(one.value("blocks.1.x"), other.value("blocks.1.x")[::-1], rtol=1e-10)


def test_with_positions_switched_off_swapped_words_swap_their_rows() -> None:
    one, other = grid([1, 2, 3], positions="none"), grid([3, 2, 1], positions="none")
    for name in ("embed.x", "blocks.0.x", "blocks.1.x"):
        assert np.allclose(one.value(name), other.value(name)[::-1], rtol=1e-10), name


def test_with_positions_the_grid_has_an_order() -> None:
    one, other = grid([1, 2, 3]), grid([3, 2, 1])
    assert not np.allclose(one.value("blocks.1.x"), other.value("blocks.1.x")[::-1])


def test_a_large_score_does_not_overflow_the_pattern() -> None:
    # Without the row maximum float64 overflows at exp(710), float32 at exp(89).
    trace = grid([1, 2, 3], parameters={"blocks.0.norm1.gain": 300.0})
    assert np.abs(trace.value("blocks.0.attn.scores")).max() > 1000
    assert np.isfinite(trace.value("blocks.0.attn.pattern")).all()

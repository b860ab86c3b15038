"""The laboratory: every experiment against one that is made by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import combinations, islice
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine import laboratory, tasks, training, weights
from engine.autodiff import gradients
from engine.fading import INPUT, fading, recurrent_matrices
from engine.influence import Stopped
from engine.laboratory import (
    DRAWN,
    FIRST_LENGTHS,
    MODELS,
    TRAINED,
    WIDTHS,
    Curve,
    bottleneck,
    exact,
    hops_of,
    influence,
    position,
    scale,
    writing,
)
from engine.models import Config, Model, initialise, run
from engine.ops import Ops
from engine.said import Said
from engine.tape import Watch
from engine.trace import Trace
from engine.units import Unit

OPS = Ops()
SENTENCE = "the cat that slept ___"


def shipped(id: str) -> Model:
    return weights.load(id)


def ran(model: Model, text: str = SENTENCE) -> Trace:
    ids = [model.vocabulary.index(word) for word in text.split()]
    return run(model, ids, hidden=text.split().index("___"), ops=OPS)


# ---- bottleneck ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("id", "length"), [("rnn", 12), ("gru-luong", 18), ("transformer", 16)])
def test_exact_answers_are_those_that_the_training_counts(id: str, length: int) -> None:
    """A model that is asked digit by digit with its own answers in front errs as often."""
    task = tasks.load("reverse")
    model = weights.read(weights.TASKS / "reverse" / f"{id}.safetensors")
    share = exact(task, model, length, sentences=40, seed=6, ops=OPS)
    config, parameters = model.config, model.parameters
    got = training.score(task, config, parameters, str(length), sentences=40, seed=6)
    assert share == got.whole / 40
    alone = 0
    batch = task.sample(tasks.fresh(6, str(length)), 40, str(length))[0]
    ids = batch.ids.copy()
    for t in range(length):
        at = length + t
        word = run(model, ids[:, : at + 1], hidden=at, ops=OPS).value("answer.word")[:, at]
        if t + 1 < length:
            ids[:, at + 1] = word
        else:
            digits = batch.ids[:, :length][:, ::-1]
            written = np.concatenate([ids[:, length + 1 :], word[:, None]], 1)
            alone = int((written == digits).all(-1).sum())
    assert share == alone / 40


def test_what_is_found_grows_point_by_point_until_it_is_stopped() -> None:
    found = list(islice(bottleneck(sentences=4), 1 + 2 * len(MODELS)))
    assert [sum(len(curve.measured) for curve in it.curves) for it in found] == list(range(11))
    assert not found[-1].complete
    assert [n for n, _ in found[-1].curves[0].measured] == list(FIRST_LENGTHS[:2])
    assert tuple(curve.model for curve in found[0].curves) == MODELS
    assert found[0].longest_trained == 16
    assert found[0].lengths == tuple(range(2, 25))
    budgets = [curve.parameters for curve in found[0].curves]
    assert max(budgets) < 1.1 * min(budgets)
    points = iter([False, False, True])
    assert len(list(bottleneck(sentences=2, stop=lambda: next(points)))) == 3


def test_it_ends_with_every_length_of_every_model(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def share(task: Any, model: Model, length: int, **_: Any) -> float:
        asked.append(length)
        return 1 / length

    monkeypatch.setattr(laboratory, "exact", share)
    *_, last = bottleneck()
    assert last.complete
    assert sorted(asked) == sorted([*range(2, 25)] * len(MODELS))
    assert last.curves[2].measured == tuple((n, 1 / n) for n in range(2, 25))
    assert last.curves[2].breaks == 3


def test_a_model_breaks_at_the_first_length_below_half() -> None:
    def of(*measured: tuple[int, float]) -> Curve:
        others = (((2, 0.4), (4, 1.0)), ((2, 0.9), (4, 0.5)))
        return Curve("it", "It", 1, "", measured, others)

    assert of((2, 1.0), (4, 0.5), (8, 0.49), (12, 0.0)).breaks == 8
    assert of((2, 1.0), (4, 0.5)).breaks is None
    assert of().breaks is None
    assert of().others_break == (2, None)
    assert of((2, 0.6), (4, 0.3)).spread == ((2, 0.4, 0.9), (4, 0.3, 1.0))


@pytest.mark.parametrize("id", MODELS)
def test_cards_say_by_length_what_each_training_reached(id: str) -> None:
    card = weights.read(weights.TASKS / "reverse" / f"{id}.safetensors").card
    assert [row["seed"] for row in card["seeds"]] == [0, 1, 2]
    assert card["by_length"] == card["seeds"][0]["by_length"]
    for row in card["seeds"]:
        assert list(row["by_length"]) == [str(n) for n in range(2, 25)]
        for case in tasks.load("reverse").cases:
            assert row["by_length"][case] == row[case]["whole"]  # of the same sentences
    task = tasks.load("reverse")
    model = weights.read(weights.TASKS / "reverse" / f"{id}.safetensors")
    for n in (11, 14, 18):
        p = min(max(card["by_length"][str(n)], 0.01), 0.99)
        share = exact(task, model, n, sentences=100, seed=3, ops=OPS)
        assert abs(share - p) < 4 * math.sqrt(p * (1 - p) / 100) + 0.01


def test_a_training_writes_on_its_card_what_it_reaches_by_length() -> None:
    task = replace(tasks.load("reverse"), lengths=(2, 5), cases={"2": "2 digits"})
    model = training.train(task, "rnn", 0, steps=1)
    assert list(model.card["by_length"]) == ["2", "5"]
    assert model.card["by_length"]["2"] == model.card["reached"]["2"]["whole"]


# ---- influence -----------------------------------------------------------------------------------

WORDS = ("<pad>", "<unk>", "___", "the", "cat", "that")
CHAIN = Config(kind="chain", words=6, embedding=3, width=4, cell="elman")
GRID = Config(
    kind="grid", words=6, embedding=4, width=4, heads=2, layers=1, mlp=5, norm="pre",
    positions="none", activation="relu",
)  # fmt: skip


def made(config: Config) -> Model:
    return Model("it", config, initialise(config, np.random.default_rng(8), np.float64), WORDS)


def softmax(x: NDArray[Any]) -> NDArray[Any]:
    e: NDArray[Any] = np.exp(x - x.max(-1, keepdims=True))
    e /= e.sum(-1, keepdims=True)
    return e


def normed(x: NDArray[Any]) -> NDArray[Any]:
    n: NDArray[Any] = x - x.mean(-1, keepdims=True)
    n /= np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return n


def by_hand(model: Model, x: NDArray[Any], hidden: int) -> NDArray[Any]:
    """Return the answer's probabilities of embedded tokens, without the engine."""
    p, E = model.parameters, model.parameters["embed.E"]
    if model.config.kind == "chain":
        h = np.zeros(4)
        for row in x:
            h = np.tanh(h @ p["rnn.W_h"] + row @ p["rnn.W_x"] + p["rnn.b"])
        return softmax(np.tanh(h @ p["answer.W_c"] + p["answer.b_c"]) @ E.T)
    n, z = normed(x), []
    q, k, v = (n @ p[f"blocks.0.attn.W_{to}"] + p[f"blocks.0.attn.b_{to}"] for to in "qkv")
    for head in (slice(0, 2), slice(2, 4)):
        z.append(softmax(q[:, head] @ k[:, head].T / np.sqrt(2)) @ v[:, head])
    y = x + np.concatenate(z, -1) @ p["blocks.0.attn.W_o"] + p["blocks.0.attn.b_o"]
    a = np.maximum(normed(y) @ p["blocks.0.mlp.W_in"] + p["blocks.0.mlp.b_in"], 0)
    y = y + a @ p["blocks.0.mlp.W_out"] + p["blocks.0.mlp.b_out"]
    return softmax(normed(y[hidden]) @ E.T)


@pytest.mark.parametrize("config", [CHAIN, GRID], ids=["chain", "grid"])
def test_influence_is_what_central_differences_give(config: Config) -> None:
    model, ids, hidden = made(config), [3, 4, 5, 2, 4], 3
    trace = run(model, ids, hidden=hidden, ops=OPS)
    found = influence(model, trace)
    x = model.parameters["embed.E"][ids]
    p = by_hand(model, x, hidden)
    w = int(p.argmax())
    assert found.answered == WORDS[w]
    assert found.probability == pytest.approx(p[w], rel=1e-12)
    slopes = np.empty(x.shape)
    for at in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[at] = 1e-6
        ahead, behind = (by_hand(model, x + sign * step, hidden)[w] for sign in (1, -1))
        slopes[at] = (ahead - behind) / 2e-6
    norms = np.linalg.norm(slopes, axis=-1)
    assert np.abs(np.array(found.gradient) - norms).max() < 1e-7 * norms.max()
    assert sum(found.share) == pytest.approx(1.0)
    assert max(found.relative) == 1.0
    assert found.share[1] == pytest.approx(norms[1] / norms.sum())
    assert found.relative[1] == pytest.approx(norms[1] / norms.max())


def test_an_answer_that_is_certain_in_float32_still_has_shares() -> None:
    model = made(CHAIN)
    sure = {name: it.astype(np.float32) for name, it in model.parameters.items()}
    sure["embed.E"] = sure["embed.E"].copy()
    sure["embed.E"][4] *= 26
    sure["answer.b_c"] = sure["embed.E"][4]
    model = replace(model, parameters=sure)
    trace = run(model, [3, 5, 2], hidden=2, ops=OPS)
    assert trace.value("answer.probabilities").max() == 1.0
    assert sum(influence(model, trace).share) == pytest.approx(1.0)


def test_the_way_grows_with_distance_in_a_chain_and_not_in_a_grid() -> None:
    chain, grid, looking = (
        influence(m, ran(m)) for m in map(shipped, ("rnn-plain", "transformer", "rnn"))
    )
    assert chain.shortest == (22, 19, 16, 13, 10)
    assert grid.shortest == (16, 16, 16, 16, 10)
    assert looking.shortest == (11, 11, 11, 11, 10)  # attention over the states is a short cut
    assert chain.answered == grid.answered == "purrs"
    assert grid.words == (*SENTENCE.split(),)


# ---- fading --------------------------------------------------------------------------------------


@pytest.mark.parametrize("radius", [0.5, 1.0, 2.0])
def test_a_linear_chain_that_only_turns_leaves_the_radius_to_the_power_of_the_reads(
    radius: float,
) -> None:
    found = fading(radius, orthogonal=True, linear=True)
    assert found.left.shape == (8, 128)
    assert np.allclose(found.left, radius ** np.arange(1, 129), rtol=1e-9)
    assert found.median[9] == pytest.approx(radius**10)


@pytest.mark.parametrize("orthogonal", [False, True])
def test_the_radius_is_the_largest_eigenvalue(orthogonal: bool) -> None:
    W = recurrent_matrices(64, 8, 0, orthogonal)
    sizes = np.abs(np.linalg.eigvals(W))
    assert np.allclose(sizes.max(-1), 1.0)
    assert orthogonal == np.allclose(sizes.min(-1), 1.0)


@pytest.mark.parametrize(("radius", "orthogonal"), [(0.8, True), (1.7, False)])
def test_what_is_left_is_the_gradient_of_a_recorded_chain(radius: float, orthogonal: bool) -> None:
    """The same numbers through ``engine.models`` and ``engine.autodiff``, for every T."""
    width, reads, draws, seed = 6, 9, 2, 4
    found = fading(radius, orthogonal=orthogonal, width=width, reads=reads, draws=draws, seed=seed)
    rng = np.random.default_rng([seed, width, reads])
    x = rng.normal(0.0, INPUT, (reads, draws, width))
    ends = rng.normal(size=(reads, draws, width))
    matrices = recurrent_matrices(width, draws, seed, orthogonal)
    config = Config(kind="chain", words=reads, embedding=width, width=width, cell="elman")
    for draw in range(draws):
        parameters = initialise(config, np.random.default_rng(0), np.float64)
        parameters |= {"embed.E": x[:, draw], "rnn.W_x": np.eye(width)}
        parameters |= {"rnn.W_h": radius * matrices[draw], "rnn.b": np.zeros(width)}
        model = Model("it", config, parameters, tuple("abcdefghi"))
        trace = run(model, range(reads), hidden=reads - 1, ops=OPS)
        for T in range(1, reads + 1):
            end = ends[T - 1, draw]
            first = gradients(trace, {f"rnn.h.{T}": end}, wrt=["rnn.h.0"], ops=OPS)["rnn.h.0"]
            expected = np.linalg.norm(first) / np.linalg.norm(end)
            assert found.left[draw, T - 1] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("radius", "orthogonal", "expected"),
    [
        (1.0, True, (0.8, 0.5, 0.2, 0.02, 3e-4)),
        (0.9, True, (0.35, 0.1, 0.01, 1e-4, 1e-8)),
        (1.5, True, (7, 12, 32, 270, 1e4)),
    ],
)
def test_gradients_fade_as_in_the_experiment_before(
    radius: float, orthogonal: bool, expected: tuple[float, ...]
) -> None:
    """The figures are of an experiment in PyTorch with one draw each."""
    median = fading(radius, orthogonal=orthogonal).median
    for T, told in zip((8, 16, 32, 64, 128), expected, strict=True):
        assert 0.4 < median[T - 1] / told < 2.5


def test_the_draws_differ_and_are_the_same_each_time() -> None:
    once, again = fading(1.2), fading(1.2)
    assert np.array_equal(once.left, again.left)
    assert all(least < most for least, most in once.spread)
    assert np.allclose(fading(1.2, linear=True).left / fading(0.6, linear=True).left,
                       2.0 ** np.arange(1, 129))  # fmt: skip


@pytest.mark.parametrize("radius", [0.0, -1.0, math.nan, math.inf])
def test_a_radius_is_above_0(radius: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        fading(radius)


# ---- scale ---------------------------------------------------------------------------------------


def told(scores: NDArray[Any]) -> tuple[float, float]:
    """Return entropy by log T and largest weight, each the mean over the rows, in plain Python."""
    entropies, largests = [], []
    for row in scores.tolist():
        e = [math.exp(s - max(row)) for s in row]
        p = [it / sum(e) for it in e]
        entropies.append(-sum(it * math.log(it) for it in p if it) / math.log(len(p)))
        largests.append(max(p))
    return float(np.mean(entropies)), float(np.mean(largests))


@pytest.mark.parametrize("block", [0, 1])
def test_a_single_trained_head_has_the_rows_of_the_run(block: int) -> None:
    trace = ran(shipped("transformer"))
    first = scale(trace, block=block).of(TRAINED)[0]
    assert (first.d_head, first.heads) == (8, 1)
    pattern = trace.value(f"blocks.{block}.attn.pattern")
    assert np.allclose(first.divided.pattern, pattern[0], atol=1e-5)
    assert first.divided.largest == pytest.approx(pattern.max(-1).mean(), abs=1e-5)
    scores = trace.value(f"blocks.{block}.attn.scores")
    expected = [told(head.astype(np.float64))[0] for head in scores]
    assert first.divided.entropy == pytest.approx(np.mean(expected), abs=1e-5)
    assert first.divided.entropies == pytest.approx((min(expected), max(expected)), abs=1e-5)


def test_joined_heads_are_queries_and_keys_side_by_side() -> None:
    trace = ran(shipped("transformer"))
    found = scale(trace).of(TRAINED)
    assert [(it.d_head, it.heads) for it in found] == [(8, 1), (16, 2), (24, 3), (32, 4), (40, 5)]
    q, k = (trace.value(f"blocks.0.attn.{to}.sum").astype(np.float64) for to in "qk")
    divided, plain = [], []
    for some in combinations(range(5), 3):
        columns = [8 * head + i for head in some for i in range(8)]
        scores = q[:, columns] @ k[:, columns].T
        divided.append(told(scores / math.sqrt(24)))
        plain.append(told(scores))
    for rows, expected in ((found[2].divided, divided), (found[2].plain, plain)):
        assert rows.entropy == pytest.approx(np.mean([e for e, _ in expected]))
        assert rows.largest == pytest.approx(np.mean([m for _, m in expected]))
        assert rows.largests == pytest.approx((min(expected, key=lambda it: it[1])[1],
                                               max(expected, key=lambda it: it[1])[1]))  # fmt: skip
    assert np.allclose(found[4].plain.pattern, softmax(q @ k.T), atol=1e-6)


def test_widths_that_nobody_waits_for_are_left() -> None:
    asked: list[bool] = []

    def stop() -> bool:
        asked.append(len(asked) == 7)  # five widths are of the heads of the run
        return asked[-1]

    with pytest.raises(Stopped):
        scale(ran(shipped("transformer")), stop=stop)
    assert len(asked) == 8


def test_drawn_scores_grow_with_the_root_of_the_width_and_division_holds_the_rows() -> None:
    found = scale(ran(shipped("transformer")), draws=16).of(DRAWN)
    assert tuple(it.d_head for it in found) == WIDTHS
    for it in found:
        assert it.spread / math.sqrt(it.d_head) == pytest.approx(1.0, abs=0.25)
        assert it.divided.entropy > 0.7
        assert it.plain.entropies[0] <= it.plain.entropy <= it.plain.entropies[1]
        assert np.allclose(it.plain.pattern.sum(-1), 1.0, atol=1e-6)
    assert found[0].plain.entropy > 0.4
    assert found[-1].plain.entropy < 0.12
    assert found[-1].plain.largest > 0.9


def test_a_row_with_one_open_key_says_nothing() -> None:
    trace = ran(shipped("transformer-causal"))
    first = scale(trace).of(TRAINED)[0]
    pattern = trace.value("blocks.0.attn.pattern").astype(np.float64)
    entropies = [
        told(np.log(pattern[head, [t], : t + 1]))[0] for head in range(5) for t in range(1, 5)
    ]
    assert first.divided.entropy == pytest.approx(np.mean(entropies), abs=1e-5)
    assert first.divided.pattern[0].tolist() == [1, 0, 0, 0, 0]


def test_no_heads_and_one_word_are_refused_in_a_sentence() -> None:
    with pytest.raises(Said, match="choose a grid"):
        scale(ran(shipped("rnn-plain")))
    with pytest.raises(Said, match="block 3"):
        scale(ran(shipped("transformer")), block=2)
    with pytest.raises(Said, match="type a second one"):
        scale(ran(shipped("transformer"), "___"))


# ---- position ------------------------------------------------------------------------------------


def test_a_grid_without_positions_makes_the_same_of_the_same_words() -> None:
    model = shipped("transformer")
    without, placed = position(model, ran(model))
    assert (without.positions, placed.positions) == (False, True)
    assert without.largest < 1e-5
    assert without.answer < 1e-5
    assert min(placed.difference) > 0.05
    assert sorted(without.words) == sorted(SENTENCE.split())
    assert all(place != i for i, place in enumerate(without.order))
    assert without.words == tuple(SENTENCE.split()[i] for i in without.order)


@pytest.mark.parametrize("id", ["rnn-plain", "gru", "gru-bi-plain"])
def test_a_chain_makes_something_else_of_every_word(id: str) -> None:
    model = shipped(id)
    (found,) = position(model, ran(model))
    assert not found.positions
    assert not found.equal
    assert min(found.difference) > 0.01


def test_the_mask_of_a_grid_that_sees_to_the_left_is_an_order() -> None:
    model = shipped("transformer-causal")
    without, _ = position(model, ran(model))
    assert min(without.difference) > 0.05


def test_differences_are_those_of_each_words_own_row() -> None:
    model = shipped("transformer")
    trace = ran(model)
    _, placed = position(model, trace, seed=5)
    ids = trace.value("tokens")
    again = run(model, ids[list(placed.order)], hidden=placed.order.index(4), ops=OPS)
    old, new = trace.value("blocks.1.x"), again.value("blocks.1.x")
    for t in range(5):
        apart = np.abs(new[placed.order.index(t)] - old[t]).max() / np.abs(old).max()
        assert placed.difference[t] == pytest.approx(apart, rel=1e-5)
    p, q = (it.value("answer.probabilities") for it in (trace, again))
    assert placed.answer == pytest.approx(np.abs(p - q).max(), rel=1e-5)


def test_equal_to_the_last_bit_is_said_where_it_is_so() -> None:
    """Two words that are the same one are swapped: nothing changes at all."""
    model = shipped("transformer")
    model = replace(model, config=replace(model.config, positions="none"))
    ids = [model.vocabulary.index("cat")] * 2
    (found,) = position(model, run(model, ids, hidden=1, ops=OPS))
    assert found.order == (1, 0)
    assert found.equal
    assert found.largest == found.answer == 0.0


def test_one_word_has_no_other_order() -> None:
    model = shipped("transformer")
    with pytest.raises(Said, match="only one order"):
        position(model, ran(model, "___"))


def test_a_chain_reads_every_word_and_a_grid_looks_there_at_once() -> None:
    for text in (SENTENCE, "the cat that slept and purrs ___"):
        reads = hops_of(ran(shipped("rnn"), text))
        assert (
            reads == len(text.split()) == influence(shipped("rnn"), ran(shipped("rnn"), text)).hops
        )
        assert hops_of(ran(shipped("transformer"), text)) == 1
    grid = ran(shipped("transformer"))
    shut = np.zeros_like(grid.value("blocks.0.attn.pattern"))
    masked = SimpleNamespace(facts=grid.facts, hidden=grid.hidden, value=lambda name: shut)
    assert hops_of(masked) == grid.facts.layers  # type: ignore[arg-type]


# ---- what it runs is told -----------------------------------------------------------------------


def of_work(run: Callable[[Watch], object]) -> dict[Unit, float]:
    """Return the seconds by unit that a watch is told of."""
    spent, behind = dict.fromkeys(Unit, 0.0), perf_counter()

    def watch(start: float, end: float, seconds: Mapping[Unit, float]) -> None:
        nonlocal behind
        assert behind <= start <= end  # one after another
        assert sum(seconds.values()) <= 1.001 * (end - start)  # no more than went by
        behind = end
        for unit in seconds:
            spent[unit] += seconds[unit]

    run(watch)
    return spent


def test_what_an_experiment_computes_is_told_by_unit() -> None:
    chain, grid = shipped("rnn"), shipped("transformer")
    long = "the cat that slept " * 30 + "___"
    of_chain, of_grid = ran(chain, long), ran(grid, long)
    runs: dict[str, Callable[[Watch], object]] = {
        "influence": lambda watch: influence(chain, of_chain, watch=watch),
        "scale": lambda watch: scale(of_grid, watch=watch),
        "position": lambda watch: position(grid, of_grid, watch=watch),
        "writing": lambda watch: writing(4, repeats=1, watch=watch),
        "fading": lambda watch: fading(1.0, watch=watch),
    }
    for name, what in runs.items():
        spent = of_work(what)
        assert spent[Unit.MATRIX] > 0, name
        assert spent[Unit.STREAM] > 0, name

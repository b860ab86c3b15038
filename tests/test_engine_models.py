"""Whole models: agreement with PyTorch's numbers, ticks, depth, facts, and what is refused."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from engine import models
from engine.models import (
    Config,
    Model,
    bytes_at_most,
    depth_at,
    initialise,
    run,
    shapes,
    sinusoidal,
)
from engine.ops import Ops
from engine.said import Said
from engine.trace import Trace, Unit

REFERENCES = sorted(Path(__file__).with_name("references").glob("*.npz"))
# Of the largest value of a tensor. float32 rounds by 6e-8, float64 by 1e-16, and a number passes
# through tens of sums of tens of terms.
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-10}

RNN = Config(kind="chain", words=9, embedding=8, width=16, cell="elman", attention=True)
PLAIN = replace(RNN, attention=False)
GRU = replace(RNN, cell="gru")
LSTM = replace(RNN, cell="lstm")
BOTH = replace(RNN, bidirectional=True)
LAYERS = replace(GRU, layers=3)
BOTH_LAYERS = replace(LSTM, bidirectional=True, layers=2)
GRID = Config(kind="grid", words=9, embedding=20, width=20, heads=5, layers=2, mlp=30)
LEARNED = replace(GRID, positions="learned", max_length=6)
TRANSLATOR = replace(GRID, kind="translator")
CONFIGS = {
    "rnn": RNN,
    "rnn-plain": PLAIN,
    "gru": GRU,
    "lstm": LSTM,
    "both": BOTH,
    "both plain": replace(BOTH, attention=False),
    "layers": LAYERS,
    "both layers": BOTH_LAYERS,
    "pre": GRID,
    "post causal": replace(GRID, norm="post", causal=True),
    "learned": LEARNED,
    "translator": TRANSLATOR,
    "translator post": replace(TRANSLATOR, norm="post", activation="relu", positions="none"),
    "dot": replace(RNN, score="dot"),
    "concat": replace(RNN, score="concat"),
    "additive": replace(BOTH, score="additive"),
    "gru reset before": replace(GRU, reset="before"),
    "no positions": replace(GRID, positions="none", activation="relu"),
    "decoder": replace(GRID, causal=True, activation="gelu_erf"),
}


def model(config: Config, card: Mapping[str, Any] | None = None, dtype: Any = np.float32) -> Model:
    parameters = initialise(config, np.random.default_rng(0), dtype)
    return Model("it", config, parameters, tuple("abcdefghi"), card or {})


def of(config: Config, length: int, **options: Any) -> Trace:
    return run(model(config), np.arange(length) % 9, hidden=length - 1, ops=Ops(), **options)


# ---- PyTorch's numbers -------------------------------------------------------------------------


class Reference(NamedTuple):
    config: Config
    parameters: dict[str, NDArray[Any]]
    tokens: NDArray[Any]
    mask: NDArray[Any] | None
    target: NDArray[Any] | None
    hidden: int
    expected: dict[str, NDArray[Any]]


def reference(path: Path) -> Reference:
    with np.load(path, allow_pickle=False) as file:
        about = json.loads(file["about"].tobytes())
        groups: dict[str, dict[str, NDArray[Any]]] = {"parameter": {}, "expected": {}}
        for key in file.files:
            group, _, name = key.partition(":")
            if name:
                groups[group][name] = file[key]
        return Reference(
            config=Config(**about["config"]),
            parameters=groups["parameter"],
            tokens=file["tokens"],
            mask=file["mask"] if "mask" in file.files else None,
            target=file["target"] if "target" in file.files else None,
            hidden=about["hidden"],
            expected=groups["expected"],
        )


def test_the_references_cover_every_kind_of_model() -> None:
    configs = [reference(path).config for path in REFERENCES]
    assert {c.cell for c in configs} == {"elman", "gru", "lstm", ""}
    assert {(c.norm, c.positions) for c in configs if c.kind == "grid"} == {
        ("pre", "sinusoidal"), ("pre", "learned"), ("post", "sinusoidal"), ("post", "learned"),
        ("post", "none"),
    }  # fmt: skip
    assert {c.score for c in configs if c.attention} == {"dot", "general", "concat", "additive"}
    translators = [c for c in configs if c.kind == "translator"]
    assert {c.norm for c in translators} == {"pre", "post"}
    assert {c.layers for c in translators} == {1, 2}
    assert {c.activation for c in configs} == {"gelu", "gelu_erf", "relu"}
    assert {c.causal for c in configs} == {c.attention for c in configs} == {True, False}
    assert {(c.cell, c.bidirectional, c.layers > 1) for c in configs} >= {
        ("elman", True, False), ("elman", False, True), ("gru", True, True), ("gru", False, True),
        ("lstm", True, False), ("lstm", False, True), ("lstm", True, True),
    }  # fmt: skip
    assert any(c.heads == 1 for c in configs)
    assert any(reference(path).tokens.shape == (1, 1) for path in REFERENCES)
    assert any(reference(path).mask is not None for path in REFERENCES)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("path", REFERENCES, ids=lambda path: path.stem)
def test_every_step_that_pytorch_shows_agrees(path: Path, dtype: Any) -> None:
    case = reference(path)
    cast = {name: value.astype(dtype) for name, value in case.parameters.items()}
    vocabulary = ("",) * case.config.words
    trace = run(
        Model("", case.config, cast, vocabulary), case.tokens, hidden=case.hidden, ops=Ops(),
        mask=case.mask, target=case.target,
    )  # fmt: skip
    assert len(case.expected) > 5
    for name, expected in case.expected.items():
        ours = trace.value(name)
        assert ours.shape == expected.shape, name
        error = np.abs(ours - expected).max() / max(np.abs(expected).max(), 1e-30)
        assert error <= TOLERANCE[dtype], f"{name}: {error:.1e}"


@pytest.mark.parametrize("name", CONFIGS)
def test_a_sentence_alone_is_the_sentence_in_a_batch(name: str) -> None:
    ids = np.array([[1, 2, 3, 4], [5, 6, 7, 8]])
    it = model(CONFIGS[name], dtype=np.float64)
    batch = run(it, ids, hidden=2, ops=Ops())
    for row in (0, 1):
        alone = run(it, ids[row], hidden=2, ops=Ops())
        assert [s.name for s in alone.steps] == [s.name for s in batch.steps]
        for step in alone.steps:
            together = batch.step(step.name)
            value = together.value
            if together.axes[0] == "batch":
                assert together.axes[1:] == step.axes
                value = value[row]
            assert np.allclose(value, step.value, rtol=1e-10, atol=1e-14), step.name


# ---- ticks and depth ---------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 2, 5, 12, 32])
@pytest.mark.parametrize("name", ["rnn", "rnn-plain", "gru", "lstm"])
def test_a_recurrent_model_reads_in_as_many_ticks_as_there_are_tokens(
    name: str, length: int
) -> None:
    trace = of(CONFIGS[name], length)
    reads = {stage: tick for stage, tick in trace.ticks.items() if stage.startswith("read.")}
    assert reads == {f"read.{t}": t for t in range(1, length + 1)}
    attention = CONFIGS[name].attention
    assert trace.ticks["embed"] == 0
    assert trace.last_tick == trace.ticks["answer"] == length + 1 + attention
    if attention:
        assert trace.ticks["look_back"] == length + 1


@pytest.mark.parametrize("length", [1, 5, 32])
@pytest.mark.parametrize("name", ["pre", "post causal"])
def test_a_block_takes_the_same_six_ticks_at_any_length(name: str, length: int) -> None:
    stages = ["qkv", "scores", "softmax", "weighted_sum", "project", "rest"]
    expected = {"embed": 0, "answer": 13}
    for b in (0, 1):
        expected |= {f"blocks.{b}.{stage}": 6 * b + k for k, stage in enumerate(stages, 1)}
    assert of(CONFIGS[name], length).ticks == expected


@pytest.mark.parametrize("length", [1, 2, 5, 12])
@pytest.mark.parametrize("layers", [2, 3])
def test_a_layer_reads_a_token_one_tick_after_the_layer_below(layers: int, length: int) -> None:
    trace = of(replace(RNN, layers=layers), length)
    for t in range(1, length + 1):
        assert trace.ticks[f"read.{t}"] == t
        for layer in range(1, layers):
            assert trace.ticks[f"read.{layer}.{t}"] == t + layer
    assert trace.ticks["look_back"] == length + layers  # T + layers - 1 ticks of reading
    assert trace.last_tick == length + layers + 1


@pytest.mark.parametrize("length", [1, 2, 5, 12])
@pytest.mark.parametrize("cell", ["elman", "gru", "lstm"])
def test_both_directions_take_the_ticks_and_the_depth_of_one(cell: str, length: int) -> None:
    one = of(replace(RNN, cell=cell), length)
    two = of(replace(RNN, cell=cell, bidirectional=True), length)
    for t in range(1, length + 1):
        assert two.ticks[f"read.{t}"] == t
        assert two.ticks[f"read.back.{t}"] == length + 1 - t
    assert (two.last_tick, two.depth) == (one.last_tick, one.depth)


@pytest.mark.parametrize("length", [1, 4])
def test_above_both_directions_a_layer_waits_for_the_whole_sentence(length: int) -> None:
    trace = of(BOTH_LAYERS, length)
    assert trace.ticks["join.1"] == length + 1
    for t in range(1, length + 1):
        assert trace.ticks[f"read.1.{t}"] == length + 1 + t
        assert trace.ticks[f"read.1.back.{t}"] == 2 * (length + 1) - t
    assert trace.ticks["look_back"] == 2 * (length + 1)


def test_from_the_right_a_state_has_read_what_stands_right_of_it() -> None:
    it = model(replace(BOTH, attention=False), dtype=np.float64)
    one, other = (run(it, ids, hidden=0, ops=Ops()) for ids in ([1, 2, 3], [4, 2, 3]))
    for t, same in ((1, False), (2, True), (3, True)):
        name = f"rnn.back.h.{t}"
        assert np.array_equal(one.value(name), other.value(name)) == same
        assert not np.array_equal(one.value(f"rnn.h.{t}"), other.value(f"rnn.h.{t}"))


def test_the_last_state_of_both_directions_has_read_everything() -> None:
    trace = of(BOTH, 4)
    assert trace.step("rnn.last").reads == ("rnn.h.4", "rnn.back.h.1")
    assert trace.step("rnn.last").equation == "[h^{→}_4; h^{←}_1]"
    assert trace.step("attn.query").reads == ("rnn.last", "attn.W_a")


def test_equations_say_which_layer_and_direction() -> None:
    trace = of(BOTH_LAYERS, 4)
    assert trace.step("rnn.hh.2").equation == "h^{(1)→}_1 W_h"
    assert trace.step("rnn.back.hh.2").equation == "h^{(1)←}_3 W_h"
    assert trace.step("rnn.1.back.x.2").equation == "x^{(2)}_2 W_x"
    assert of(replace(RNN, layers=2), 3).step("rnn.1.x.2").equation == "h^{(1)}_2 W_x"
    assert of(BOTH, 3).step("rnn.back.a.2").equation == "h^{←}_3 W_h + x_2 W_x + b"


def test_a_stage_says_which_layer_reads_from_where() -> None:
    titles = {stage.name: stage.title for stage in of(BOTH_LAYERS, 3).stages}
    assert titles["read.1"] == "Read “a”"
    assert titles["read.back.2"] == "Read “b” from the right"
    assert titles["read.1.1"] == "Layer 2 reads “a”"
    assert titles["read.1.back.3"] == "Layer 2 reads the blank from the right"


@pytest.mark.parametrize("target", [1, 4])
@pytest.mark.parametrize("length", [1, 5, 32])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_translator_takes_the_same_ticks_at_any_length(
    norm: str, length: int, target: int
) -> None:
    stages = ["qkv", "scores", "softmax", "weighted_sum", "project"]
    expected = {"encoder.embed": 0, "decoder.embed": 0}
    for b in (0, 1):
        for k, stage in enumerate([*stages, "rest"], 1):
            expected[f"encoder.blocks.{b}.{stage}"] = 6 * b + k
    memory = 12
    if norm == "pre":
        memory = expected["encoder.norm"] = 13
    # The first block's own heads work beside the encoder; those that look across wait for it.
    own, across = 0, memory
    for b in (0, 1):
        expected |= {f"decoder.blocks.{b}.{stage}": own + k for k, stage in enumerate(stages, 1)}
        across = max(across, own + 5)
        for k, stage in enumerate(stages, 1):
            expected[f"decoder.blocks.{b}.cross.{stage}"] = across + k
        own = expected[f"decoder.blocks.{b}.rest"] = across + 6
    expected["answer"] = own + 1
    config = replace(TRANSLATOR, norm=norm)
    assert of(config, length, target=np.arange(target)).ticks == expected


def test_a_translators_target_looks_left_and_at_the_whole_source() -> None:
    it = model(TRANSLATOR, dtype=np.float64)
    trace = run(it, [1, 2, 3, 4], hidden=0, ops=Ops(), target=[5, 6, 7])
    own = trace.value("decoder.blocks.1.attn.pattern")
    assert np.array_equal(own, np.tril(own))
    across = trace.value("decoder.blocks.1.cross.pattern")
    assert across.shape == (5, 3, 4)
    assert (across > 0).all()
    other = run(it, [1, 2, 3, 4], hidden=0, ops=Ops(), target=[5, 6, 8])
    rows = [each.value("decoder.blocks.1.x") for each in (trace, other)]
    assert np.allclose(rows[0][:2], rows[1][:2], rtol=1e-12)
    assert not np.allclose(rows[0][2], rows[1][2])
    elsewhere = run(it, [1, 2, 3, 5], hidden=0, ops=Ops(), target=[5, 6, 7])
    assert not np.allclose(rows[0][0], elsewhere.value("decoder.blocks.1.x")[0])


def test_a_translators_target_does_not_look_at_padding_of_the_source() -> None:
    it = model(TRANSLATOR, dtype=np.float64)
    mask = [True, True, False]
    padded = run(it, [1, 2, 0], hidden=0, ops=Ops(), mask=mask, target=[5, 6])
    alone = run(it, [1, 2], hidden=0, ops=Ops(), target=[5, 6])
    assert (padded.value("decoder.blocks.0.cross.pattern")[..., 2] == 0).all()
    answers = [each.value("answer.probabilities") for each in (padded, alone)]
    assert np.allclose(answers[0], answers[1], rtol=1e-10)


def test_a_translator_answers_with_its_last_row_and_begins_with_the_first_word() -> None:
    it = model(TRANSLATOR)
    begun = run(it, [1, 2, 3], hidden=2, ops=Ops())
    assert begun.value("decoder.tokens").tolist() == [0]
    trace = run(it, [1, 2, 3], hidden=2, ops=Ops(), target=[0, 4])
    assert np.array_equal(trace.value("answer.row"), trace.value("decoder.blocks.1.x")[1])


@pytest.mark.parametrize("name", CONFIGS)
def test_every_tick_lights_a_stage(name: str) -> None:
    trace = of(CONFIGS[name], 4)
    assert sorted(trace.stages_at) == list(range(trace.last_tick + 1))


@pytest.mark.parametrize("name", ["rnn", "rnn-plain", "gru", "lstm", "pre", "post causal"])
def test_where_nothing_works_side_by_side_a_tick_lights_exactly_one_stage(name: str) -> None:
    trace = of(CONFIGS[name], 4)
    assert sorted(trace.ticks.values()) == list(range(trace.last_tick + 1))


def test_both_directions_are_lit_together() -> None:
    trace = of(BOTH, 4)
    assert [stage.name for stage in trace.stages_at[1]] == ["read.1", "read.back.4"]
    assert trace.stage_at[1].name == "read.1"


@pytest.mark.parametrize(
    ("name", "per_token", "constant"),
    [
        # Product, sum and tanh a token, but at the first token x W_x is longer than h_0 W_h: with
        # the embedding 3 T + 1. Then W_c, b_c, tanh, E, softmax, argmax.
        ("rnn-plain", 3, 7),
        # W_a, scores, softmax and weighted sum more.
        ("rnn", 3, 11),
        ("dot", 3, 10),
        # W_a, tanh, v_a, softmax and weighted sum; a sum between the first two.
        ("concat", 3, 12),
        ("additive", 3, 13),
        # A token: product, b_h, sum, σ, reset, sum, tanh, times 1 - z, sum.
        ("gru", 9, 11),
        # A token: product, sum, σ, times i, sum, tanh, times o.
        ("lstm", 7, 11),
        # Embedding and position; 17 a block: norm, W, b, scores, root, softmax, weighted sum, W_o,
        # b_o, residual, norm, W_in, b_in, GELU, W_out, b_out, residual; norm, E, softmax, argmax.
        ("pre", 0, 40),
        ("post causal", 0, 40),
        ("decoder", 0, 40),
        # The encoder: embedding, position, 17 a block, norm. Then two blocks of the decoder as seen
        # from there: the first W_k, b_k, scores, root, softmax, weighted sum, W_o, b_o, residual,
        # norm, W_in, b_in, GELU, W_out, b_out, residual; the second 27. Norm, E, softmax, argmax.
        ("translator", 0, 84),
        # Nothing is added to the embedding.
        ("no positions", 0, 39),
        # A token: product, sum, σ, reset, product, sum, tanh, times 1 - z, sum; the first sum waits
        # for embedding, W_x and bias, which is 2 more than h_0 W_h.
        ("gru reset before", 9, 12),
    ],
)
def test_depth_counted_by_hand(name: str, per_token: int, constant: int) -> None:
    for length in (1, 5, 32):
        assert of(CONFIGS[name], length).depth == per_token * length + constant


@pytest.mark.parametrize("name", [name for name in CONFIGS if name != "learned"])
@pytest.mark.parametrize("length", [1, 5, 40])
def test_depth_at_any_length_is_the_depth_of_a_run(name: str, length: int) -> None:
    assert depth_at(model(CONFIGS[name]), length) == of(CONFIGS[name], length).depth


@pytest.mark.parametrize("target", [1, 7])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_what_is_promised_holds_for_a_target_of_any_length(norm: str, target: int) -> None:
    config = replace(TRANSLATOR, norm=norm)
    trace = of(config, 6, target=np.arange(target))
    promised = bytes_at_most(config, length=6, target=target, sentences=1, itemsize=4)
    assert held(trace) <= promised + 8 * (6 + target + 1)  # and the ids of words
    assert promised <= 1.4 * held(trace)


def test_depth_can_be_asked_beyond_the_length_of_learned_positions() -> None:
    assert depth_at(model(LEARNED), 128) == depth_at(model(LEARNED), 5)


def test_the_flops_of_a_small_grid_by_hand() -> None:
    T, d, h, m, V = 3, 4, 2, 6, 5
    config = Config(kind="grid", words=V, embedding=d, width=d, heads=h, layers=1, mlp=m)
    it = Model("", config, initialise(config, np.random.default_rng(0)), ("",) * V)
    block = (
        10 * T * d  # norm
        + 3 * (2 * T * d * d + T * d)  # q, k, v
        + 2 * T * T * d + h * T * T  # scores, scale
        + 5 * h * T * T  # softmax
        + 2 * T * T * d  # weighted sum
        + 2 * T * d * d + T * d  # W_o
        + T * d + 10 * T * d  # residual, norm
        + 2 * T * d * m + T * m + 15 * T * m + 2 * T * m * d + T * d  # MLP
        + T * d  # residual
    )  # fmt: skip
    answer = 10 * d + 2 * d * V + 5 * V + V
    assert run(it, [0, 1, 2], hidden=0, ops=Ops()).flops == T * d + block + answer


def test_units_of_the_products() -> None:
    chain, grid, single = of(RNN, 4), of(GRID, 4), of(GRID, 1)
    assert chain.step("rnn.x").timing.unit is Unit.MATRIX  # all tokens at once
    assert chain.step("rnn.r.2").timing.unit is Unit.STREAM  # one state
    assert chain.step("attn.scores").timing.unit is Unit.STREAM
    assert grid.step("blocks.0.attn.scores.product").timing.unit is Unit.MATRIX
    assert grid.step("blocks.0.attn.pattern").timing.unit is Unit.STREAM
    assert grid.step("answer.logits").timing.unit is Unit.STREAM
    assert grid.step("answer.word").timing.unit is Unit.SEQUENTIAL
    assert single.step("blocks.0.attn.scores.product").timing.unit is Unit.STREAM


# ---- a run is a record -------------------------------------------------------------------------


@pytest.mark.parametrize("name", CONFIGS)
def test_two_runs_are_equal(name: str) -> None:
    assert of(CONFIGS[name], 5) == of(CONFIGS[name], 5, warm=True)


@pytest.mark.parametrize("name", CONFIGS)
def test_no_value_can_be_written(name: str) -> None:
    assert not any(step.value.flags.writeable for step in of(CONFIGS[name], 3).steps)


@pytest.mark.parametrize("name", CONFIGS)
def test_what_was_handed_in_can_still_be_written(name: str) -> None:
    it, ids = model(CONFIGS[name]), np.array([1, 2, 3])
    before = {key: value.copy() for key, value in it.parameters.items()}
    trace = run(it, ids, hidden=0, ops=Ops())
    assert ids.flags.writeable
    assert all(value.flags.writeable for value in it.parameters.values())
    assert all(np.array_equal(before[key], value) for key, value in it.parameters.items())
    ids[0] = 5
    assert trace.value("tokens")[0] == 1


@pytest.mark.parametrize("name", CONFIGS)
def test_only_views_share_memory_with_what_they_read(name: str) -> None:
    trace = of(CONFIGS[name], 3)
    for step in trace.steps:
        shared = any(np.shares_memory(step.value, trace.value(read)) for read in step.reads)
        assert shared == (step.op in {"view", "split_heads"}), step.name


def held(trace: Trace) -> int:
    """Return the bytes of all values; views have none of their own."""
    return sum(s.value.nbytes for s in trace.steps if s.op not in {"view", "split_heads"})


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("length", [1, 6])
def test_no_trace_holds_more_than_was_promised(name: str, length: int) -> None:
    promised = bytes_at_most(CONFIGS[name], length=length, sentences=1, itemsize=4)
    assert held(of(CONFIGS[name], length)) <= promised + 8 * (length + 1)  # and the ids of words


@pytest.mark.parametrize("name", [name for name in CONFIGS if name != "learned"])
def test_what_is_promised_is_no_wild_guess(name: str) -> None:
    promised = bytes_at_most(CONFIGS[name], length=64, sentences=1, itemsize=4)
    assert promised <= 1.4 * held(of(CONFIGS[name], 64))


def test_a_run_takes_hardly_more_memory_than_its_values() -> None:
    config = replace(GRID, embedding=80, width=80, mlp=320)
    of(config, 128)  # whatever is loaded once
    tracemalloc.start()
    trace = of(config, 128)
    now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    parameters = sum(value.nbytes for value in trace.parameters.values())
    assert now <= 1.1 * held(trace) + parameters
    assert peak <= 1.5 * held(trace) + parameters


def test_a_step_reads_steps_before_it_and_parameters() -> None:
    for config in CONFIGS.values():
        trace = of(config, 3)
        known = set(trace.parameters)
        for step in trace.steps:
            assert known.issuperset(step.reads), step.name
            known.add(step.name)


@pytest.mark.parametrize("name", CONFIGS)
def test_every_parameter_is_read(name: str) -> None:
    trace = of(CONFIGS[name], 3)
    assert {read for step in trace.steps for read in step.reads} >= set(trace.parameters)


def test_the_time_of_a_run_covers_its_steps() -> None:
    trace = of(GRID, 5)
    assert all(step.timing.seconds >= 0 for step in trace.steps)
    assert 0 < sum(step.timing.seconds for step in trace.steps) <= trace.seconds


def test_words_come_from_the_vocabulary_unless_given() -> None:
    assert of(RNN, 3).tokens == ("a", "b", "c")
    given = of(RNN, 3, words=("the", "cat", "___"))
    assert given.tokens == ("the", "cat", "___")
    assert given.stages[1].title == "Read “the”"
    assert given.stages[3].title == "Read the blank"


def test_the_answer_is_the_likeliest_word() -> None:
    trace = of(GRID, 4)
    best = trace.answer(1)[0]
    assert best[0] == trace.vocabulary[int(trace.value("answer.word"))]
    assert best[1] == trace.value("answer.probabilities").max()


def test_the_hidden_row_is_answered_in_a_grid_and_the_last_state_in_a_chain() -> None:
    grid = run(model(GRID), [1, 2, 3], hidden=1, ops=Ops())
    assert np.array_equal(grid.value("answer.row"), grid.value("blocks.1.x")[1])
    chain = run(model(PLAIN), [1, 2, 3], hidden=1, ops=Ops())
    assert chain.step("answer.combined.product").reads[0] == "rnn.h.3"


# ---- facts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "memory", "sees"),
    [
        (RNN, "16 numbers", "the whole sentence, left to right"),
        (LSTM, "2 × 16 numbers", "the whole sentence, left to right"),
        (BOTH, "2 × 16 numbers", "the whole sentence, from both sides"),
        (LAYERS, "3 × 16 numbers", "the whole sentence, left to right"),
        (BOTH_LAYERS, "8 × 16 numbers", "the whole sentence, from both sides"),
        (GRID, "4 × 20 numbers", "the whole sentence at once"),
        (
            TRANSLATOR,
            "4 + 1 rows × 20 numbers",
            "the whole source at once, and of the target what stands left",
        ),
        (replace(GRID, causal=True), "4 × 20 numbers", "only what stands left of the hidden word"),
    ],
)
def test_memory_and_what_is_seen(config: Config, memory: str, sees: str) -> None:
    facts = of(config, 4).facts
    assert (facts.memory, facts.sees) == (memory, sees)


@pytest.mark.parametrize(
    ("config", "title"),
    [
        (RNN, "RNN with attention, 16 numbers"),
        (LSTM, "LSTM with attention, 2 × 16 numbers"),
        (BOTH, "Bidirectional RNN with attention, 2 × 16 numbers"),
        (replace(RNN, score="dot"), "RNN with dot-product attention, 16 numbers"),
        (replace(GRU, score="additive"), "GRU with additive attention, 16 numbers"),
        (LAYERS, "GRU of 3 layers with attention, 3 × 16 numbers"),
        (BOTH_LAYERS, "Bidirectional LSTM of 2 layers with attention, 8 × 16 numbers"),
        (GRID, "Transformer, 5 heads, 2 layers"),
        (TRANSLATOR, "Encoder-decoder, 5 heads, 2 + 2 layers"),
    ],
)
def test_a_model_without_a_card_is_called_what_it_is(config: Config, title: str) -> None:
    facts = of(config, 4).facts
    assert facts.title == title
    assert (facts.layers, facts.bidirectional) == (config.layers, config.bidirectional)


def test_parameters_are_counted() -> None:
    assert of(PLAIN, 2).facts.parameters == 9 * 8 + 8 * 16 + 16 * 16 + 16 + 16 * 8 + 8


def test_the_card_gives_title_length_and_roles() -> None:
    roles = [[["subject", 0.99], ["next", 0.7]], [["mixed", 0.3], ["previous", 0.6]]]
    card = {"title": "Small", "trained_length": 3, "roles": roles}
    trace = run(model(GRID, card), [1, 2, 3, 4, 5], hidden=0, ops=Ops())
    assert trace.facts.title == "Small"
    assert trace.facts.roles[0] == (("subject", 0.99), ("next", 0.7))
    assert trace.facts.notes == ("5 words: longer than the 3 it was trained for",)


def test_a_sentence_of_the_trained_length_needs_no_note() -> None:
    trace = run(model(GRID, {"trained_length": 3}), [1, 2, 3], hidden=0, ops=Ops())
    assert trace.facts.notes == ()


def test_precision_and_threads_are_those_of_the_run() -> None:
    facts = run(model(RNN, dtype=np.float64), [1], hidden=0, ops=Ops()).facts
    assert (facts.precision, facts.backend) == ("float64", "NumPy")
    assert facts.threads >= 1


# ---- parameters --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CONFIGS)
def test_initial_parameters_have_the_named_shapes_and_repeat(name: str) -> None:
    config = CONFIGS[name]
    first = initialise(config, np.random.default_rng(7))
    again = initialise(config, np.random.default_rng(7))
    assert {key: value.shape for key, value in first.items()} == shapes(config)
    assert all(np.array_equal(value, again[key]) for key, value in first.items())
    assert {value.dtype for value in first.values()} == {np.dtype(np.float32)}


def test_positions_are_sines_and_cosines() -> None:
    table = sinusoidal(3, 4)
    assert table[0].tolist() == [0.0, 1.0, 0.0, 1.0]
    assert table[2] == pytest.approx([np.sin(2), np.cos(2), np.sin(0.02), np.cos(0.02)], rel=1e-15)


def test_the_scale_of_positions_is_applied() -> None:
    trace = of(replace(GRID, position_scale=0.5), 3)
    assert np.allclose(trace.value("embed.positions"), 0.5 * sinusoidal(3, 20), rtol=1e-6)


# ---- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "tokens", "options", "said"),
    [
        (RNN, [], {}, "there is no word to read"),
        (RNN, 3, {}, "there is no word to read"),
        (RNN, [1, 9], {}, "outside the vocabulary of 9 words"),
        (RNN, [-1], {}, "outside the vocabulary"),
        (GRID, [1, 2], {"hidden": 2}, "word 3 is hidden but the sentence has 2"),
        (LEARNED, [1] * 7, {}, "learned up to word 6 and the sentence has 7"),
        (GRID, [1, 2], {"mask": [True]}, "the mask has shape"),
        (RNN, [1, 2], {"mask": [True, False]}, "reads padding as words"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(
    config: Config, tokens: Any, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(Said, match=said) as caught:
        run(model(config), tokens, ops=Ops(), **({"hidden": 0} | options))
    message = str(caught.value)
    assert message.startswith("it cannot read this: ")
    assert message.endswith(".")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("config", "target", "said"),
    [
        (TRANSLATOR, [], "there is no target beside every sentence"),
        (TRANSLATOR, [[1, 2]], "there is no target beside every sentence"),
        (TRANSLATOR, [9], "outside the vocabulary of 9 words"),
        (replace(LEARNED, kind="translator"), [1] * 7, "up to word 6 and the sentence has 7"),
        (GRID, [1], "it has no decoder for a target"),
    ],
)
def test_a_target_that_cannot_be_begun_is_refused_in_a_sentence(
    config: Config, target: Any, said: str
) -> None:
    with pytest.raises(Said, match=said):
        run(model(config), [1, 2], hidden=0, ops=Ops(), target=target)


def test_learned_positions_reach_their_last_word() -> None:
    assert of(LEARNED, 6).value("embed.positions").shape == (6, 20)


def test_without_positions_there_is_no_last_word_either() -> None:
    trace = of(replace(LEARNED, positions="none"), 100)
    assert np.array_equal(trace.value("embed.x"), trace.value("embed.tokens"))
    assert "embed.positions" not in trace
    assert trace.stages[0].title == "Embed"


def test_sinusoidal_positions_have_no_last_word() -> None:
    assert of(GRID, 100).value("embed.positions").shape == (100, 20)


def test_a_run_that_would_not_fit_is_refused_before_it_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(models, "most_bytes", lambda: 2**10)
    with pytest.raises(Said, match=r"up to 0\.\d GiB and at most 0\.0 GiB can be kept now"):
        of(GRID, 30)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "tree"}, "its kind is 'tree'"),
        ({"words": 0}, "words is 0"),
        ({"heads": 3}, "3 heads do not divide a width of 20"),
        ({"heads": 0}, "heads is 0"),
        ({"layers": 0}, "layers is 0"),
        ({"kind": "chain", "cell": "gru", "layers": 0}, "layers is 0"),
        ({"embedding": 8}, "its embedding"),
        ({"norm": "mid"}, "its norm is 'mid'"),
        ({"positions": "rotary"}, "its positions are 'rotary'"),
        ({"activation": "swish"}, "its activation is 'swish' and not one of gelu, gelu_erf, relu"),
        ({"kind": "chain", "cell": "gru", "reset": "never"}, "its reset is 'never'"),
        (
            {"kind": "chain", "cell": "gru", "score": "cosine"},
            "its score is 'cosine' and not one of dot, general, concat, additive",
        ),
        ({"positions": "learned"}, "no greatest length"),
        ({"kind": "chain", "cell": "rnn"}, "its cell is 'rnn' and not one of elman, gru, lstm"),
    ],
)
def test_a_shape_that_no_model_has_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(Said, match=said):
        replace(GRID, **changes)

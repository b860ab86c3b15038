"""From text to two traces: the same words on both sides, every note kept, wrong choices said."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app import PRECISIONS, compute
from app.compute import ChoiceError, make_pair, make_trace, split_pair
from engine import weights
from engine.influence import LEFT_OUT, REPLACED, leave_one_out, state_shares
from engine.models import Config, Model, depth_at, initialise, run
from engine.ops import Ops
from engine.precision import PRECISIONS as engine_precisions
from engine.said import Said
from engine.tokens import SentenceError
from engine.weights import WeightsError
from widgets import captions, theme
from widgets.hit import named
from widgets.view import View

WORDS = ("<pad>", "<unk>", "___", "the", "cat", "that", "slept", "purrs")
CHAIN = Config(kind="chain", words=8, embedding=4, width=3, cell="elman", attention=True)
GRID = Config(kind="grid", words=8, embedding=4, width=4, heads=2, layers=2, mlp=6)
TEXT = "the cat that slept ___"


def put(folder: Path, id: str, config: Config, words: tuple[str, ...] = WORDS) -> None:
    parameters = initialise(config, np.random.default_rng(0))
    card = {"trained_length": 4, "shortest": 3, "held_out": {"word": 0.5, "verb_number": 0.75}}
    if config.kind == "grid":
        card["roles"] = [[["first", 0.9]] * config.heads] * config.layers
    weights.write(folder / f"{id}.safetensors", Model(id, config, parameters, words, card))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Small random models stand where the shipped ones do."""
    monkeypatch.setattr(weights, "MODELS", tmp_path)
    put(tmp_path, "rnn", CHAIN)
    put(tmp_path, "transformer", GRID)
    compute.model.cache_clear()
    compute._depths.cache_clear()
    compute._measured.cache_clear()
    yield tmp_path
    compute.model.cache_clear()
    compute._depths.cache_clear()
    compute._measured.cache_clear()


def test_both_sides_read_the_same_words() -> None:
    result = make_pair(TEXT, "rnn", "transformer")
    chain, grid = result.pair.chain, result.pair.grid
    assert chain.tokens == grid.tokens == result.sentence.tokens == tuple(TEXT.split())
    assert chain.hidden == grid.hidden == 4
    np.testing.assert_array_equal(chain.value("tokens"), grid.value("tokens"))
    assert (chain.facts.kind, grid.facts.kind) == ("chain", "grid")


def test_the_depth_is_a_function_of_the_number_of_words() -> None:
    table = make_pair(TEXT, "rnn", "transformer").pair.depth_of_tokens
    assert [row[0] for row in table] == [1, 2, 3, 5, 8, 16, 32, 64, 128]
    at_5 = next(row for row in table if row[0] == 5)
    pair = make_pair(TEXT, "rnn", "transformer").pair
    assert at_5 == (5, pair.chain.depth, pair.grid.depth)
    assert len({grid for _, _, grid in table}) == 1
    assert table[-1][1] == depth_at(compute.model("rnn"), 128)


def test_without_positions_all_that_is_said_of_the_grid_is_of_a_grid_without() -> None:
    made, usual = (make_pair(TEXT, "rnn", "transformer", positions=p).pair for p in (False, True))
    assert usual.grid.facts.roles
    assert made.grid.facts.roles == ()  # they were measured with positions
    rows = {tokens: depths for tokens, *depths in made.depth_of_tokens}
    assert rows[5] == [made.chain.depth, made.grid.depth]
    assert made.grid.depth == usual.grid.depth - 1  # the sum with the positions
    width = usual.grid.facts.width
    for tokens in (3, 5):
        less, more = (
            compute.measure_length("rnn", "transformer", tokens, positions=positions)
            for positions in (False, True)
        )
        assert more.flops[1] - less.flops[1] == tokens * width
        assert more.flops[0] == less.flops[0]
    assert less.flops == (made.chain.flops, made.grid.flops)


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_other_lengths_are_measured_in_the_precision_of_the_run(
    precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[str] = []
    fastest = compute._fastest

    def noted(*given: Any, **how: Any) -> Any:
        computed.append(fastest(*given, **how).facts.precision)
        return fastest(*given, **how)

    monkeypatch.setattr(compute, "_fastest", noted)
    compute._measured.cache_clear()
    for asked in (precision, "float32"):
        compute.measure_length("rnn", "transformer", 4, precision=asked)
    compute._measured.cache_clear()
    assert computed == [precision, precision, "float32", "float32"]


def test_notes_of_the_sentence_reach_both_sides_and_are_said_once() -> None:
    result = make_pair("The zebra ___", "rnn", "transformer")
    assert result.sentence.notes == (
        "Capitals are read as small letters.",
        "Outside the vocabulary, read as unknown: “zebra”.",
    )
    assert result.pair.chain.facts.notes == result.pair.grid.facts.notes == result.sentence.notes
    assert result.notes == result.sentence.notes
    assert result.pair.unknown == (False, True, False)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("___", "1 word: shorter than the 3 it was trained for"),
        ("the ___", "2 words: shorter than the 3 it was trained for"),
        (TEXT, "5 words: longer than the 4 it was trained for"),
    ],
)
def test_a_length_that_was_not_trained_is_said(text: str, note: str) -> None:
    assert make_pair(text, "rnn", "transformer").notes == (note,)


def test_models_are_read_once(folder: Path) -> None:
    make_pair(TEXT, "rnn", "transformer")
    for path in folder.iterdir():
        path.unlink()
    assert make_pair(TEXT, "rnn", "transformer").pair.tokens == tuple(TEXT.split())


def test_a_model_on_the_wrong_side_is_refused_with_those_that_fit() -> None:
    with pytest.raises(ChoiceError, match=r"^rnn is no Transformer; .*: transformer\.$"):
        make_pair(TEXT, "rnn", "rnn")
    with pytest.raises(ChoiceError, match=r"^transformer is no recurrent model; .*: rnn\.$"):
        make_pair(TEXT, "transformer", "transformer")


def test_a_damaged_model_is_not_offered(folder: Path) -> None:
    (folder / "gru.json").write_text("{")
    (folder / "gru.safetensors").write_bytes(b"")
    with pytest.raises(ChoiceError, match=r": rnn\.$"):
        make_pair(TEXT, "transformer", "transformer")


def test_models_with_different_words_are_refused(folder: Path) -> None:
    put(folder, "other", GRID, (*WORDS[:-1], "barks"))
    with pytest.raises(ChoiceError, match="know different words"):
        make_pair(TEXT, "rnn", "other")


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(WeightsError, match=r"^There is no model 'lstm'"):
        make_pair(TEXT, "lstm", "transformer")


def test_a_text_without_words_is_refused() -> None:
    with pytest.raises(SentenceError):
        make_pair(" ", "rnn", "transformer")


@pytest.mark.parametrize("ids", ["", "rnn", "+", "rnn+", "+transformer", "a+b+c"])
def test_what_is_no_pair_is_refused(ids: str) -> None:
    with pytest.raises(ChoiceError, match="is no pair of models"):
        split_pair(ids)


def test_a_pair_is_two_ids() -> None:
    assert split_pair("rnn+transformer") == ("rnn", "transformer")


def test_a_still_has_the_figure_s_shape_and_nothing_to_click() -> None:
    pair = make_pair(TEXT, "rnn", "transformer").pair
    view = View(width=1200, height=900, theme=theme.load("light"), captions=captions.load(),
                hovered="chain:rnn.h.1", selected="chain:rnn.h.2")  # fmt: skip
    wide = compute.still(pair, 3, view, size=(3200, 1600))
    assert wide.width / wide.height == pytest.approx(2)
    names = {name for name, _, _ in named(wide)}
    assert "chain:rnn.h.3" in names
    assert not {name for name in names if name.startswith(("hide:", "toggle:", "layer:"))}
    plain = view._replace(hovered="", selected="")
    assert compute.still(pair, 3, plain, size=(3200, 1600)) == wide


def test_a_trace_as_data_says_of_every_step_what_the_interface_names() -> None:
    trace = make_trace(TEXT, "transformer")
    data = json.loads(json.dumps(compute.trace_as_data(trace), allow_nan=False))
    assert data["model"] == "transformer"
    assert data["tokens"] == TEXT.split()
    assert [row["name"] for row in data["steps"]] == [step.name for step in trace.steps]
    for row in data["steps"]:
        assert list(row) == ["name", "stage", "axes", "shape", "tick", "depth", "reads", "flops",
                             "bytes", "seconds", "basis", "unit"]  # fmt: skip
    pattern = next(row for row in data["steps"] if row["name"] == "blocks.1.attn.pattern")
    assert pattern["axes"] == ["head", "query", "key"]
    assert pattern["shape"] == [2, 5, 5]
    assert pattern["tick"] == 9
    assert pattern["basis"] == "measured"
    assert data["steps"][-1]["depth"] == data["depth"] == trace.depth


def test_every_model_is_listed_with_what_it_sees_and_keeps(folder: Path) -> None:
    (folder / "gru.json").write_text("{")
    (folder / "gru.safetensors").write_bytes(b"")
    put(folder, "causal", replace(GRID, causal=True))
    rows = {row["id"]: row for row in compute.models_as_data()}
    assert list(rows) == ["causal", "gru", "rnn", "transformer"]
    assert "its card is no JSON" in rows["gru"]["error"]
    assert rows["rnn"]["memory"] == "3 numbers"
    assert rows["transformer"]["memory"] == "T × 4 numbers"
    assert rows["causal"]["sees"] == "only what stands left of the hidden word"
    assert rows["rnn"]["held_out"]["word"] == 0.5
    parameters = compute.model("rnn").parameters.values()
    assert rows["rnn"]["parameters"] == sum(array.size for array in parameters)


# ---- on demand ---------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["chain", "grid"])
def test_the_influence_of_each_word_is_computed_once(
    side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = make_pair(TEXT, "rnn", "transformer").pair
    found = compute.influence(pair, side)
    assert len(found.moved) == len(pair.tokens)
    assert 0 < max(found.moved[:4]) <= 1
    id = pair.side(side).facts.model
    again = leave_one_out(compute.model(id), pair.side(side), ops=Ops())
    assert found.moved[:4] == again.moved[:4]
    shorter = compute.influence(pair, side, LEFT_OUT)
    assert shorter.moved[:4] != found.moved[:4]
    monkeypatch.setattr(compute, "leave_one_out", None)
    assert compute.influence(pair, side) is found
    assert compute.influence(pair, side, LEFT_OUT) is shorter


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_in_half_precision_a_word_is_taken_away_in_half_precision(precision: str) -> None:
    half = make_pair(TEXT, "rnn", "transformer", precision=precision).pair
    full = make_pair(TEXT, "rnn", "transformer").pair
    rounding = engine_precisions[precision].rounding
    for side in ("chain", "grid"):
        for how in (REPLACED, LEFT_OUT):
            found, exact = (compute.influence(pair, side, how).moved[:4] for pair in (half, full))
            assert found != exact
            assert found == pytest.approx(exact, abs=50 * rounding)
    weights = compute.asked_by(half, 3)
    assert weights == pytest.approx(compute.asked_by(full, 3), abs=50 * rounding)
    assert sum(weights) == pytest.approx(1, abs=8 * rounding)


def test_the_shares_in_the_states_are_computed_once_and_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pair = make_pair(TEXT, "rnn", "transformer").pair
    shares = compute.state_shares(pair)
    assert shares.shape == (5, 5)
    assert np.array_equal(shares, state_shares(pair.chain, ops=Ops()))
    assert not shares.flags.writeable
    one = compute.state_shares(pair, (3,))
    assert np.allclose(one, shares[[3]])
    monkeypatch.setattr(compute, "shares_of", None)
    assert compute.state_shares(pair) is shares
    assert compute.state_shares(pair, (3,)) is one


def test_what_was_computed_of_a_trace_is_forgotten_with_it() -> None:
    before = len(compute._found)
    pair = make_pair(TEXT, "rnn", "transformer").pair
    compute.influence(pair, "grid")
    compute.state_shares(pair)
    assert len(compute._found) == before + 2
    del pair
    gc.collect()
    assert len(compute._found) == before


def test_the_weights_of_the_run_are_asked_and_not_those_of_the_file() -> None:
    pair = make_pair(TEXT, "rnn", "transformer").pair
    other = replace(compute.model("rnn"), parameters=initialise(CHAIN, np.random.default_rng(5)))
    ids = pair.chain.value("tokens")
    trace = run(other, ids, hidden=4, ops=Ops(), words=pair.tokens)
    found = compute.influence(replace(pair, chain=trace), "chain")
    assert found.moved[:4] == leave_one_out(other, trace, ops=Ops()).moved[:4]


def test_a_run_of_a_model_of_another_shape_is_refused(folder: Path) -> None:
    pair = make_pair(TEXT, "rnn", "transformer").pair
    put(folder, "rnn", replace(CHAIN, width=5))
    compute.model.cache_clear()
    with pytest.raises(ChoiceError, match="another rnn than the one that is installed"):
        compute.influence(pair, "chain")


def test_a_run_without_positions_is_run_again_without_them() -> None:
    pair = make_pair(TEXT, "rnn", "transformer").pair
    read = compute.model("transformer")
    bare = replace(read, config=replace(read.config, positions="none"))
    trace = run(bare, pair.grid.value("tokens"), hidden=4, ops=Ops(), words=pair.tokens)
    found = compute.influence(replace(pair, grid=trace), "grid")
    assert found.moved[:4] == leave_one_out(bare, trace, ops=Ops()).moved[:4]


def test_a_state_is_asked_what_it_would_look_at(folder: Path) -> None:
    pair = make_pair("the cat that slept ___", "rnn", "transformer").pair
    chain = pair.chain
    H = chain.value("attn.states").astype(np.float64)
    W_a = chain.parameters["attn.W_a"].astype(np.float64)
    for t in (1, 3, 5):
        scores = H[t - 1] @ W_a @ H[:t].T
        expected = np.exp(scores - scores.max())
        expected /= expected.sum()
        assert compute.asked_by(pair, t) == pytest.approx(expected.tolist(), abs=1e-5)
    for changed in ({"attention": False}, {"bidirectional": True}):
        put(folder, "rnn", replace(CHAIN, **changed))  # type: ignore[arg-type]
        compute.model.cache_clear()
        other = make_pair("the cat that slept ___", "rnn", "transformer").pair
        assert compute.asked_by(other, 3) == ()


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_half_precision_is_rounded_on_a_cpu_and_said(precision: str) -> None:
    exact = compute.make_pair("the cat that slept ___", "rnn", "transformer").pair
    made = compute.make_pair("the cat that slept ___", "rnn", "transformer", precision=precision)
    assert made.precision == precision
    assert any("rounded" in note for note in made.notes)
    for side in ("chain", "grid"):
        facts = made.pair.side(side).facts
        assert facts.precision == precision
        mine, right = (p.side(side).value("answer.probabilities") for p in (made.pair, exact))
        assert not np.array_equal(mine, right)
        assert np.abs(mine - right).max() < 0.2
        if precision == "float16":
            assert np.array_equal(mine, mine.astype(np.float16).astype(np.float32))


def test_the_precisions_that_can_be_chosen_are_the_engines() -> None:
    assert PRECISIONS == tuple(engine_precisions)
    with pytest.raises(Said, match="TF32 is a mode"):
        compute.make_pair("the cat ___", "rnn", "transformer", precision="TF32")

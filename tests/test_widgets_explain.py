"""Every number of every step is what its explanation computes from what it says it reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.compute import make_pair
from engine.models import Config, Model, initialise, run
from engine.ops import OPS, Ops
from engine.trace import Pair, Trace
from widgets import numbers
from widgets.explain import FILL, explain

WORDS = ("<pad>", "<unk>", "___", "the", "cat", "that", "dog", "slept", "fell")
RNN = Config(kind="chain", words=9, embedding=8, width=12, cell="elman", attention=True)
GRID = Config(kind="grid", words=9, embedding=20, width=20, heads=5, layers=2, mlp=30)
CONFIGS = {
    "rnn": RNN,
    "rnn-plain": replace(RNN, attention=False),
    "gru": replace(RNN, cell="gru"),
    "lstm": replace(RNN, cell="lstm"),
    "gru reset before": replace(RNN, cell="gru", reset="before"),
    "dot": replace(RNN, score="dot"),
    "concat": replace(RNN, score="concat"),
    "additive": replace(RNN, score="additive", bidirectional=True),
    "both directions": replace(RNN, bidirectional=True),
    "layers of both directions": replace(RNN, cell="lstm", bidirectional=True, layers=2),
    "layers": replace(RNN, cell="gru", layers=3),
    "decoder": replace(GRID, causal=True, activation="gelu_erf"),
    "translator": replace(GRID, kind="translator"),
    "translator post-norm": replace(GRID, kind="translator", norm="post", layers=1),
    "without positions": replace(GRID, activation="relu", positions="none"),
    "pre-norm": replace(GRID, position_scale=0.5),
    # As many tokens as a head has numbers: no shape says which matrix stands transposed.
    "square heads": replace(GRID, heads=4),
    "post-norm causal": replace(GRID, norm="post", positions="learned", max_length=8, causal=True),
    # So large an ε is seen in every number behind a norm.
    "large ε": replace(GRID, eps=0.25),
    "one number": replace(GRID, embedding=1, width=1, heads=1, mlp=2),
}
IDS = (3, 4, 3, 7, 2)  # "the" twice: equal rows must not be taken for one another
# Of the largest number of a step: float32 rounds each of tens of terms by 6e-8.
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}


def a_trace(config: Config, dtype: Any = np.float64) -> Trace:
    rng = np.random.default_rng(7)
    # Biases and gains of a fresh model are 0 and 1, where a wrong formula would not be seen.
    parameters = {
        name: (value + 0.3 * rng.normal(size=value.shape)).astype(dtype)
        for name, value in initialise(config, rng, dtype).items()
    }
    target = (0, 5, 8) if config.kind == "translator" else None
    return run(Model("it", config, parameters, WORDS), IDS, hidden=4, ops=Ops(), target=target)


def places(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return first, last and some random indices of an array."""
    rng = np.random.default_rng(1)
    some = [tuple(int(rng.integers(n)) for n in shape) for _ in range(6)]
    return [tuple(0 for _ in shape), tuple(n - 1 for n in shape), *some]


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("name", CONFIGS)
def test_every_number_is_its_formula_of_what_it_reads(name: str, dtype: Any) -> None:
    trace = a_trace(CONFIGS[name], dtype)
    for step in trace.steps:
        largest = float(np.abs(step.value[np.isfinite(step.value)]).max(initial=0))
        for index in places(step.value.shape):
            found = explain(trace, step, index)
            assert found.value == step.value[index]
            expected = pytest.approx(found.value, abs=TOLERANCE[dtype] * largest)
            assert found.recomputed == expected, (found.element, found.equation)


@pytest.mark.parametrize("name", CONFIGS)
def test_filled_in_it_ends_with_the_number(name: str) -> None:
    trace = a_trace(CONFIGS[name])
    for step in trace.steps:
        found = explain(trace, step, (0,) * step.value.ndim)
        assert found.filled.endswith(f" = {numbers.value(found.value)}")
        assert "nan" not in found.filled


@pytest.mark.parametrize("name", CONFIGS)
def test_what_is_read_exists_and_has_the_number(name: str) -> None:
    trace = a_trace(CONFIGS[name])
    pair = Pair(chain=trace, grid=trace, typed=trace.tokens, unknown=(False,) * 5)
    for step in trace.steps:
        reads = explain(trace, step, (0,) * step.value.ndim).reads
        assert bool(reads) == (step.op != "input")
        names = {element.partition("[")[0].rpartition(":")[2] for element, _ in reads}
        # A joined tensor reads for one number only the part that it comes from.
        assert names <= set(step.reads) if step.op in ("concat", "stack") else (
            names == set(step.reads)
        )  # fmt: skip
        for element, number in reads:
            if ":" in element:
                found = pair.find(element)
                assert found is not None, element
                assert found[1].value[found[2]] == number
            else:
                parameter, _, index = element.partition("[")
                at = tuple(int(i) for i in index.rstrip("]").split(","))
                assert trace.parameters[parameter][at] == number


def test_every_primitive_is_explained() -> None:
    assert FILL.keys() == OPS.keys()


def said(trace: Trace, step: str, *index: int) -> tuple[str, str]:
    found = explain(trace, trace.step(step), index)
    return found.equation, found.filled.rpartition(" = ")[0]


def test_a_state_is_written_as_in_the_literature() -> None:
    trace = a_trace(RNN)
    number = numbers.value(trace.value("rnn.a.3")[4])
    assert said(trace, "rnn.h.3", 4) == ("h_{3}[4] = tanh(a_{3}[4])", f"tanh({number})")
    written, filled = said(trace, "rnn.r.3", 4)
    assert written == "(h_2 W_h)[4] = Σ_i h_{2}[i] W_{h}[i,4]"
    assert filled.endswith(" + … (12 terms)")
    assert filled.count("·") == 3


def test_a_state_is_written_with_its_layer_and_direction() -> None:
    def left(name: str, step: str) -> str:
        return said(a_trace(CONFIGS[name]), step, 4)[0]

    both, deep = "both directions", "layers of both directions"
    assert left(both, "rnn.h.3") == "h^{→}_{3}[4] = tanh(a^{→}_{3}[4])"
    assert left(both, "rnn.back.h.3") == "h^{←}_{3}[4] = tanh(a^{←}_{3}[4])"
    assert left(deep, "rnn.1.back.f.3") == "f^{(2)←}_{3}[4] = σ(a^{(2)←}_{f,3}[4])"
    assert left("layers", "rnn.2.r.3") == "r^{(3)}_{3}[4] = σ(a^{(3)}_{r,3}[4])"


def test_both_stacks_of_a_translator_are_written_alike() -> None:
    trace = a_trace(CONFIGS["translator"])
    assert said(trace, "decoder.tokens", 1) == (
        "tokens[1] = number of the word",
        "“that” among 9 words",
    )
    assert said(trace, "decoder.mask", 0, 1) == (
        "mask[0,1] = 0 where open, −∞ where closed", "closed",
    )  # fmt: skip
    wave = said(trace, "decoder.embed.positions", 2, 1)[0]
    assert wave == "P[2,1] = 1 · cos(2 / 10000^{0/20})"
    written = said(trace, "decoder.blocks.1.cross.z", 1, 2, 3)[0]
    assert written == "z[1,2,3] = Σ_i pattern[1,2,i] v[1,i,3]"
    written = said(trace, "decoder.blocks.0.cross.k.product", 1, 2)[0]
    assert written == "(m W_k)[1,2] = Σ_i m[1,i] W_{k}[i,2]"
    assert said(trace, "encoder.blocks.1.x", 0, 0)[0].startswith("x′[0,0] = ")


def test_a_row_of_a_table_has_its_word() -> None:
    trace = a_trace(RNN)
    assert said(trace, "embed.x", 1, 2) == ("x[1,2] = E[4,2]", "row 4 of E, “cat”")
    best = int(trace.value("answer.word"))
    written, filled = said(trace, "answer.word")
    assert written == "word = argmax_i p[i]"
    assert filled.startswith("largest of 9: ")
    assert filled.endswith(f"“{WORDS[best]}”")


def test_scores_are_divided_by_the_root_of_a_heads_width() -> None:
    written, filled = said(a_trace(GRID), "blocks.0.attn.scores", 1, 2, 3)
    assert written == "s[1,2,3] = (q k^⊤)[1,2,3] / √d_{head}"
    assert filled.endswith(" / √4")


def test_a_masked_key_gets_no_weight() -> None:
    trace = a_trace(CONFIGS["post-norm causal"])
    written, filled = said(trace, "blocks.0.attn.pattern", 0, 1, 3)
    assert written.startswith("pattern[0,1,3] = exp(s[0,1,3] + mask[1,3] − max) / ")
    assert filled.startswith("exp(−∞ − ")


def test_a_row_where_everything_is_masked_is_nothing() -> None:
    parameters = initialise(GRID, np.random.default_rng(0))
    model = Model("it", replace(GRID, causal=True), parameters, WORDS)
    trace = run(model, IDS, hidden=4, ops=Ops(), mask=np.array([False, True, True, True, True]))
    found = explain(trace, trace.step("blocks.0.attn.pattern"), (0, 0, 0))
    assert (found.recomputed, found.value) == (0, 0)
    assert found.filled == "everything is masked = 0"


def test_an_element_without_all_axes_is_completed_with_zeros_and_named() -> None:
    trace = a_trace(GRID)
    found = explain(trace, trace.step("blocks.1.attn.z"), (2, 3))
    assert found.index == (2, 3, 0)
    assert found.element == "grid:blocks.1.attn.z[2,3,0]"
    assert explain(trace, trace.step("answer.word"), ()).element == "grid:answer.word"


@pytest.mark.parametrize("name", CONFIGS)
def test_no_letter_stands_for_a_name_of_a_step(name: str) -> None:
    trace = a_trace(CONFIGS[name])
    for step in trace.steps:
        written = explain(trace, step, ()).equation
        assert "blocks" not in written
        assert "rnn." not in written


@pytest.mark.parametrize("name", ["answer.probabilities", "answer.norm"])
def test_a_share_and_a_norm_read_first_what_stands_at_their_own_place(name: str) -> None:
    pair = make_pair("the cat that slept ___", "rnn", "transformer").pair
    step = pair.grid.step(name)
    read = explain(pair.grid, step, (17,)).reads[0][0]
    assert read == f"grid:{step.reads[0]}[17]"

"""The claims of the course text, and why a modelled step is not as claimed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine import parts
from engine.claims import CLAIMS, LEAST, PRESETS, Cause, causes, claim_of
from engine.roofline import Modelled, model
from engine.shares import Shares
from engine.trace import Basis
from engine.units import Work
from engine.workload import Mode, Precision, Style, Workload

TRAINING = CLAIMS[Mode.TRAINING]


def of(workload: Workload, part: str = "h100") -> dict[str, Cause]:
    return {cause.name: cause for cause in causes(model(workload, parts.load(part)))}


def measured(sequential: float, stream: float, matrix: float, **more: float) -> Shares:
    named = {Work.SEQUENTIAL: sequential, Work.STREAM: stream, Work.MATRIX: matrix}
    return Shares(
        {**named, **{Work(k): v for k, v in more.items()}}, 1.0, Basis.MEASURED, "a clock"
    )


def test_the_claims_are_those_of_the_course_text() -> None:
    for mode, percents in ((Mode.TRAINING, (5, 10, 85)), (Mode.INFERENCE, (5, 30, 65))):
        claim = CLAIMS[mode]
        assert tuple(round(100 * part) for part in claim.parts.values()) == percents
        assert sum(claim.parts.values()) == pytest.approx(1)
        assert claim.beyond == (Work.MATRIX,)
        assert "course text" in claim.source
    assert claim_of(Workload(mode=Mode.DECODE)) == CLAIMS[Mode.INFERENCE]


def test_a_claim_counts_copies_and_idle_time_as_sequential() -> None:
    assert TRAINING.holds(measured(0.01, 0.1, 0.85, copy=0.02, idle=0.02))
    assert not TRAINING.holds(measured(0.01, 0.1, 0.75, copy=0.02, idle=0.12))


def test_more_than_a_claim_with_a_plus_is_no_difference() -> None:
    assert TRAINING.holds(measured(0.0, 0.0, 1.0))
    assert not TRAINING.holds(measured(0.05, 0.2, 0.75))
    assert TRAINING.differences(measured(0.05, 0.2, 0.75))[Work.MATRIX] == pytest.approx(-0.1)


# ---- presets -------------------------------------------------------------------------------------


def test_there_are_five_presets_two_of_which_are_nearly_as_claimed() -> None:
    assert [(preset.id, preset.nearly_true) for preset in PRESETS] == [
        ("gpt3-layer", True), ("l4-prefill", True),
        ("toy", False), ("decode-1", False), ("float32", False),
    ]  # fmt: skip


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.id)
def test_a_preset_shows_what_it_says(preset: Any) -> None:
    found = model(preset.workload, parts.load(preset.part))
    assert claim_of(preset.workload).holds(found.shares) == preset.nearly_true
    assert bool(causes(found)) != preset.nearly_true
    assert preset.shows.endswith(".")
    assert found.notes == () or "cards" in found.notes[0]


def test_the_nearly_true_presets_lie_within_five_points() -> None:
    for preset in PRESETS[:2]:
        folded = model(preset.workload, parts.load(preset.part)).folded
        for work, claimed in claim_of(preset.workload).parts.items():
            assert abs(folded[work] - claimed) < LEAST


# ---- causes --------------------------------------------------------------------------------------

GPT2 = Workload("gpt2-124m", Mode.TRAINING, 8, 1024, Precision.FLOAT16, Style.FUSED)
DECODE = Workload("gpt2-124m", Mode.DECODE, 1, 1024, Precision.FLOAT16, Style.GRAPH)
TOY = Workload("toy", Mode.INFERENCE, 1, 5, Precision.FLOAT16, Style.CUPY_EAGER)


def test_a_toy_is_launch_bound_and_unfused() -> None:
    found = of(TOY)
    assert set(found) == {"launch-bound", "unfused"}
    assert "each of 73 kernels costs 15 µs to launch" in found["launch-bound"].sentence
    waits = model(TOY, parts.load("h100")).shares
    expected = waits[Work.SEQUENTIAL] + waits[Work.IDLE]
    assert found["launch-bound"].value == pytest.approx(expected)


def test_writing_one_token_multiplies_one_row() -> None:
    found = of(DECODE)
    assert "one-row" in found
    rows = 2 * 12 * 12 * 768**2 + 2 * 768 * 50257  # twelve blocks, and the answer
    attention = 4 * 12 * 1024 * 768
    elementwise = 25 * (10 + 1) * 768 + 6 * 50257  # norms and sums, and the choice
    expected = rows / (rows + attention + elementwise)
    assert found["one-row"].value == pytest.approx(expected, rel=1e-4)
    without = found["one-row"].without
    assert without is not None
    assert without > 0.6
    assert "one-row" not in of(replace(DECODE, batch=8))


def test_float32_is_named_with_what_half_precision_would_do() -> None:
    found = of(replace(GPT2, precision=Precision.FLOAT32))
    assert set(found) == {"float32"}
    half = model(GPT2, parts.load("h100")).shares[Work.MATRIX]
    assert found["float32"].without == pytest.approx(half)
    assert found["float32"].value > 0.99


def test_a_card_without_tensor_cores_says_so() -> None:
    t4 = parts.load("t4")
    gtx = replace(t4, title="GTX 1660", figures=tuple(f for f in t4.figures if f[0] != "float16"))
    (cause,) = (c for c in causes(model(GPT2, gtx)) if c.name == "float32")
    assert cause.sentence.startswith("GTX 1660 has no tensor cores")


def test_naive_kernels_are_named_with_what_fusing_would_do() -> None:
    found = of(replace(GPT2, style=Style.CUPY_EAGER))
    assert {"unfused", "memory-bound"} <= set(found)
    assert found["unfused"].without == pytest.approx(model(GPT2, parts.load("h100")).shares[
        Work.MATRIX])  # fmt: skip
    assert "unfused" not in of(GPT2)


def test_a_fused_step_on_a_fast_card_waits_for_memory_because_its_tensor_cores_are_fast() -> None:
    found = of(GPT2)
    assert set(found) == {"memory-bound", "fast-tensor-cores"}
    assert found["fast-tensor-cores"].value > 0.99  # of the FLOPs
    slower = found["fast-tensor-cores"].without
    assert slower is not None
    assert slower > model(GPT2, parts.load("h100")).shares[Work.MATRIX] + LEAST
    assert "for 295." in found["memory-bound"].sentence  # 989.4 TFLOP/s over 3.35 TB/s


def test_reading_with_a_large_model_is_more_matrix_work_than_claimed() -> None:
    found = of(Workload("7b", Mode.INFERENCE, 1, 2048))
    assert set(found) == {"large-products"}
    assert "2048 rows" in found["large-products"].sentence


def test_a_cpu_has_its_own_words() -> None:
    found = of(TOY, "desktop-cpu")
    assert "lies between calls" in found["call-bound"].sentence
    assert "fast-tensor-cores" not in found


def test_every_cause_is_a_sentence_with_its_number() -> None:
    for style in Style:
        for mode in Mode:
            for precision in Precision:
                for cause in of(Workload("gpt2-124m", mode, 1, 128, precision, style)).values():
                    assert cause.sentence.endswith(".")
                    assert any(letter.isdigit() for letter in cause.sentence)
                    assert cause.without is None or 0 <= cause.without <= 1


def test_without_a_difference_there_is_no_cause() -> None:
    found: Modelled = model(PRESETS[0].workload, parts.load("a100"))
    assert causes(found) == ()
    assert causes(found, TRAINING._replace(parts={work: 1 / 3 for work in TRAINING.parts})) != ()

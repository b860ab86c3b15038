"""``unrolled shares``: what the time of a step goes to, for people and as data."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.__main__ import main
from app.shares import MODELS, PRESET_IDS
from engine import parts, race
from engine.claims import PRESETS
from engine.workload import SIZES

KEYS = ("sequential", "stream", "matrix", "copy", "idle", "unclassified")
ISSUE = ("--model", "gpt2-124m", "--mode", "training", "--part", "h100", "--style", "fused",
         "--precision", "fp16")  # fmt: skip


def data(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["shares", *arguments, "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out))


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the one sentence with which a call ends."""
    assert main(["shares", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err.strip()


def test_the_kinds_of_work_add_up_to_a_hundred(capsys: pytest.CaptureFixture[str]) -> None:
    found = data(capsys, *ISSUE)
    assert [key for key in found if key in KEYS] == list(KEYS)
    assert sum(found[key] for key in KEYS) == 100
    assert found["basis"] == "modelled"
    assert found["path"] == "roofline model"
    for key in KEYS:
        low, high = found["range"][key]
        assert low - 1 <= found[key] <= high + 1
    assert (found["batch"], found["tokens"], found["computed_in"]) == (8, 1024, "float16")
    assert found["matrix"] == 65
    assert found["claim"] == {"sequential": 5.0, "stream": 10.0, "matrix": 85.0}
    assert {cause["name"] for cause in found["causes"]} == {"memory-bound", "fast-tensor-cores"}


@pytest.mark.parametrize("preset", [preset.id for preset in PRESETS])
def test_folded_shares_have_neither_copies_nor_idle_time(
    preset: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = data(capsys, "--preset", preset, "--fold")
    assert "copy" not in found
    assert "idle" not in found
    assert found["sequential"] + found["stream"] + found["matrix"] + found["unclassified"] == 100
    assert set(found["range"]) == {"sequential", "stream", "matrix", "unclassified"}


def test_people_read_a_table_with_the_claim_and_the_causes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["shares", *ISSUE]) == 0
    out = capsys.readouterr().out
    assert out.startswith("gpt2-124m, training, 8 × 1024 tokens, float16, fused, on NVIDIA H100")
    assert "matrix        65 %  59 … 71  85+      99.8 %" in out
    assert "memory-bound: Kernels wait for memory" in out
    assert "as --fold does" in out
    assert main(["shares", "--preset", "l4-prefill", "--fold"]) == 0
    out = capsys.readouterr().out
    assert "Nearly what the course text" in out
    assert "as --fold does" not in out


def test_choices_change_the_step(capsys: pytest.CaptureFixture[str]) -> None:
    found = data(
        capsys, *ISSUE, "--batch", "2", "--tokens", "64", "--every", "4", "--parallel", "2"
    )
    chosen = tuple(found[key] for key in ("batch", "tokens", "every", "parallel"))
    assert chosen == (2, 64, 4, 2)
    assert "One of 2 cards; what they exchange is not counted." in found["notes"]
    alone = data(capsys, "--preset", "l4-prefill")
    late = data(capsys, "--preset", "l4-prefill", "--tokenizer")
    assert late["seconds"] > alone["seconds"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--tokens", "1000000000"), "of memory on each card, more than any has"),
        (("--batch", "0"), "batch = 0 has nothing to compute"),
        (("--batch", "-3"), "batch = -3 has nothing to compute"),
        (("--model", "gpt-9"), "there are toy, stage"),
        (("--mode", "sleep"), "there are training, inference, decode"),
        (("--part", "h300"), "there are desktop-cpu, t4"),
        (("--style", "baroque"), "there are cupy-eager"),
        (("--precision", "fp99"), "there are float32"),
        (("--preset", "none"), "there are gpt3-layer"),
        (("--batch", "many"), "invalid int value"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refused(capsys, *arguments)


def test_help_names_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert MODELS.split(", ") == list(SIZES)
    assert PRESET_IDS.split(", ") == [preset.id for preset in PRESETS]
    assert main(["shares", "--help"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert all(part in out for part in parts.available())
    assert "unrolled shares --model gpt2-124m" in out


def test_this_machine_is_measured_and_modelled(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = race.Rates(4e10, 8e10, 2e10, 2e10, 3e-7, 5e-8)
    monkeypatch.setattr(race, "calibrate", lambda: rates)
    found = data(capsys, "--part", "this", "--model", "stage", "--mode", "inference")
    assert found["part"] == "this"
    assert found["part_title"].startswith("this machine (")
    assert found["computed_in"] == "float32"
    assert found["copy"] == found["idle"] == 0

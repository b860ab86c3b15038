"""``unrolled shares``: what the time of a step goes to, for people and as data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app import this_machine
from app.__main__ import main
from app.shares import MODELS, PRESET_IDS
from engine import parts, race, race_file
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


RATES = race.Rates(4e10, 8e10, 2e10, 2e10, 3e-7, 5e-8)


def test_this_machine_is_measured_once_and_remembered(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    times = 0

    def calibrate(**_: Any) -> race.Rates:
        nonlocal times
        times += 1
        return RATES._replace(numpy_call=3e-7 / times)

    monkeypatch.setattr(race, "calibrate", calibrate)
    monkeypatch.setattr(this_machine, "place", lambda: tmp_path / "kept" / this_machine.FILE)
    asked = ("--part", "this", "--model", "stage", "--mode", "inference")
    found = data(capsys, *asked)
    assert found["part"] == "this"
    assert found["part_title"].startswith("This machine (")
    again = data(capsys, *asked)
    assert times == 1
    assert again["seconds"] == found["seconds"]
    assert data(capsys, *asked, "--measure")["seconds"] < found["seconds"]
    assert times == 2
    # What a sweep of the machine has found beside the rates is kept.
    assert race_file.load(this_machine.place()) is None  # no sweep yet, so that one is still made
    # Another machine is measured anew.
    monkeypatch.setattr(race, "machine", lambda: race.Machine("another", 1, "NumPy", "3"))
    data(capsys, *asked)
    assert times == 3


def test_rates_anew_leave_the_sweep_as_it_was(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / this_machine.FILE
    swept = race.Measured(
        race.machine(), "2026-01-02", RATES, (race.Point("map", "one", 2, 1e-6),), complete=True
    )
    race_file.save(swept, path)
    monkeypatch.setattr(race, "calibrate", lambda **_: RATES._replace(copy=1e9))
    assert race_file.calibrated(path) == race_file.Calibrated(RATES, "2026-01-02")
    anew = race_file.calibrated(path, anew=True)
    assert anew.rates.copy == 1e9
    assert anew.day > "2026-01-02"
    kept = race_file.load(path)
    assert kept is not None
    assert (kept.day, kept.sizes, kept.rates) == ("2026-01-02", swept.sizes, anew.rates)
    assert race_file.calibrated(path) == anew


def test_rates_that_cannot_be_kept_are_used_and_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(race, "calibrate", lambda **_: RATES)
    monkeypatch.setattr(this_machine, "place", lambda: tmp_path / "file" / this_machine.FILE)
    assert main(["shares", "--part", "this", "--model", "stage", "--mode", "inference"]) == 0
    assert "could not be kept" in capsys.readouterr().err


def test_only_this_machine_can_be_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert "give --part this" in refused(capsys, "--part", "t4", "--measure")


def test_the_shares_of_this_machine(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(race, "calibrate", lambda **_: RATES)
    monkeypatch.setattr(this_machine, "place", lambda: tmp_path / this_machine.FILE)
    found = data(capsys, "--part", "this", "--model", "stage", "--mode", "inference")
    assert found["computed_in"] == "float32"
    assert found["copy"] == found["idle"] == 0

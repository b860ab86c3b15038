"""What the doctor says of a machine, and the report of a card's self-check."""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fakecupy
import pytest
from fakecupy import Card
from test_engine_timing import fails, nvml, with_cupti

from app import doctor
from app.__main__ import main
from engine import gpu, learning_step, parts, selfcheck, weights
from engine import report as report_of
from engine.autodiff import PULL, _tanh
from engine.gpu import probe
from engine.learning_step import ORDER
from engine.ops import OPS
from engine.precision import HALVES, PRECISIONS
from engine.timing import QUEUED_PATH, Cupti
from engine.units import Work


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[Card]:
    monkeypatch.setattr(selfcheck, "SIDES", (16, 32))  # a fake card is no quicker than this one
    gpu._there.clear()
    yield fakecupy.fixture(lambda name, it: monkeypatch.setitem(sys.modules, name, it))
    gpu._there.clear()


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the report of a fake card, which takes seconds to make."""
    folder, told = tmp_path_factory.mktemp("report"), list[str]()
    path = folder / "report.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selfcheck, "SIDES", (16, 32))
        patch.setattr(weights, "available", lambda: ("rnn", "transformer"))
        gpu._there.clear()
        fakecupy.fixture(lambda name, it: patch.setitem(sys.modules, name, it))
        assert doctor.selfcheck(path, program="unrolled test", tell=told.append)
    gpu._there.clear()
    assert any("transformer" in line for line in told)
    assert list(folder.iterdir()) == [path]
    return path.read_text(encoding="utf-8")


@pytest.fixture
def report(card: Card, checked: str, tmp_path: Path) -> Path:
    path = tmp_path / "report.json"
    path.write_text(checked, encoding="utf-8")
    return path


def test_a_machine_without_a_card_says_why_and_what_measures(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "NumPy" in said
    assert "CPU timers by kind of work" in said
    assert "h100" in said


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Return the doctor's rows by their names."""
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    return {name: what.strip() for name, _, what in (line.partition(":") for line in lines)}


def test_a_damaged_data_sheet_is_named_and_the_others_are_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for path in parts.FOLDER.glob("*.json"):
        shutil.copy(path, tmp_path)
    (tmp_path / "t4.json").write_text('{"format": 1, "kind": "gpu"', encoding="utf-8")
    monkeypatch.setattr(parts, "FOLDER", tmp_path)
    rows = said(capsys)
    assert "t4" not in rows["parts"].split(", ")
    assert "h100" in rows["parts"].split(", ")
    lines = [name for name in rows if name.startswith("damaged")]
    assert lines == ["damaged"]
    assert rows["damaged"].startswith("t4: ")
    assert "The data sheet t4.json is left out" in rows["damaged"]


def test_a_card_whose_tools_are_refused_says_why_and_what_measures(
    card: Card, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_cupti(monkeypatch, card, refuses="ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED (39)")
    monkeypatch.setitem(sys.modules, "pynvml", nvml(nvmlGpmSampleGet=fails("NoPermission")))
    rows = said(capsys)
    assert rows["not CUPTI kernel activity"].startswith("another profiler has CUPTI")
    assert rows["time is measured by"] == QUEUED_PATH
    assert rows["pipe active (NVML)"].startswith("NVML was refused")


def test_a_cupti_of_another_driver_is_said(
    card: Card, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_cupti(monkeypatch, card, refuses="ERROR_NOT_COMPATIBLE (17)")
    assert "do not fit together" in said(capsys)["not CUPTI kernel activity"]


def test_a_card_without_tensor_cores_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu._there.clear()
    fakecupy.fixture(
        lambda name, it: monkeypatch.setitem(sys.modules, name, it),
        name="NVIDIA GeForce GTX 1660 Ti", capability=(7, 5),
    )  # fmt: skip
    rows = said(capsys)
    gpu._there.clear()
    assert rows["computes on"].startswith("NVIDIA GeForce GTX 1660 Ti")
    assert "no tensor cores: every product runs on CUDA cores" in rows["note"]
    assert rows["not TF32"] == "TF32 is a mode of tensor cores, and this card has none"


def test_nothing_is_checked_where_there_is_no_card(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "report.json"
    assert main(["doctor", "--gpu-selfcheck", "-o", str(path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("There is no GPU to check: ")
    assert said.count("\n") == 1
    assert not path.exists()


@pytest.mark.parametrize("arguments", [["--gpu-selfcheck"], ["-o", "report.json"]])
def test_a_check_and_its_file_go_together(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", *arguments]) == 2
    assert "needs a file for its report" in capsys.readouterr().err


def test_every_primitive_has_cases(card: Card) -> None:
    assert selfcheck.CASES.keys() == OPS.keys() - {"input"}


def test_the_report_of_a_card_can_be_read_and_is_labelled(report: Path) -> None:
    read = report_of.read(report)
    assert read.ok
    assert read.label.startswith(f"recorded on {probe().name} · 20")
    precisions = {row["precision"] for row in read.data["primitives"]}
    assert precisions == set(PRECISIONS)
    shares = read.shares("transformer", "float16")
    assert shares is not None
    assert math.fsum(shares.parts.values()) == pytest.approx(1)
    assert shares[Work.MATRIX] > 0
    assert read.label in shares.path
    assert read.shares("gru", "float16") is None


def test_a_card_that_computes_wrong_is_found(
    card: Card, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(weights, "available", lambda: ("rnn",))
    monkeypatch.setattr(selfcheck, "TRAINED", ())
    right = gpu.CupyOps.softmax
    monkeypatch.setattr(gpu.CupyOps, "softmax", lambda self, *a, **k: 1.5 * right(self, *a, **k))
    path = tmp_path / "report.json"
    assert not doctor.selfcheck(path, program="unrolled test", tell=lambda line: None)
    data = json.loads(path.read_text(encoding="utf-8"))
    assert [row["op"] for row in data["primitives"] if not row["ok"]] == ["softmax"] * 4


def test_gradients_and_steps_of_training_are_in_the_report(report: Path) -> None:
    data = json.loads(report.read_text(encoding="utf-8"))
    pulled = {op for op, pull in PULL.items() if pull is not None}
    for precision in PRECISIONS:
        steps = [row for row in data["training"] if row["precision"] == precision]
        of = {row["op"] for row in data["gradients"] if row["precision"] == precision}
        if precision in HALVES:
            assert not steps
            assert not of
            continue
        assert of == pulled
        assert len(steps) == len(selfcheck.TRAINED)
        for row in steps:
            assert row["ok"], row
            assert row["gradient_error"] <= row["tolerance"]
            assert row["update_error"] <= row["update_tolerance"]
            assert set(row["phases"]) == set(ORDER)
            assert math.fsum(row["shares"].values()) == pytest.approx(1)
            spent = {
                unit: math.fsum(phase[unit] for phase in row["phases"].values())
                for unit in ("matrix", "stream")
            }
            assert (spent["matrix"] > 0) == (precision == "TF32")
            # The shares are those of the phases, of the wall time.
            for unit, seconds in spent.items():
                assert row["shares"][unit] * row["seconds"] == pytest.approx(seconds, rel=1e-6)
            backward, forward = (row["phases"][name]["stream"] for name in ("backward", "forward"))
            assert backward > forward > 0


@pytest.mark.parametrize("what", ["gradient", "clipping", "means", "change"])
def test_a_card_that_learns_wrong_is_found(
    card: Card, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    wrong = {"clipping": "CLIP", "means": "BETA2", "change": "EPS"}
    if what == "gradient":
        monkeypatch.setitem(  # NumPy's stays right
            PULL, "tanh", lambda ops, call, g, k: g if ops.elsewhere else _tanh(ops, call, g, k)
        )  # fmt: skip
    else:
        # The check goes by its own numbers, the step by others.
        monkeypatch.setattr(learning_step, wrong[what], {"CLIP": 0.5, "BETA2": 0.9, "EPS": 0.1}[
            wrong[what]
        ])  # fmt: skip
    ops = gpu.ops_for(probe())
    row = selfcheck._training(ops, "brackets", "rnn", Cupti(probe()))
    assert not row["ok"]
    assert "failed" not in row
    assert (row["gradient_error"] > row["tolerance"]) == (what == "gradient")
    assert (row["update_error"] > row["update_tolerance"]) == (what != "gradient")
    assert selfcheck._gradient(ops, "tanh")["ok"] == (what != "gradient")


def test_a_card_that_fails_while_it_learns_is_a_row(card: Card) -> None:
    ops, cupti = gpu.ops_for(probe()), Cupti(probe())
    card.fails_at = 0
    for row in (selfcheck._gradient(ops, "tanh"), selfcheck._training(ops, "dates", "gru", cupti)):
        assert not row["ok"]
        assert "cudaErrorLaunchFailure" in row["failed"]


def test_a_report_from_before_training_was_checked_can_be_read(report: Path) -> None:
    data = json.loads(report.read_text(encoding="utf-8"))
    for name in report_of.LATER:
        del data[name]
    report.write_text(json.dumps(data), encoding="utf-8")
    assert report_of.read(report).ok


def _without(data: dict[str, Any]) -> None:
    del data["device"]["name"]


def _nan(data: dict[str, Any]) -> None:
    data["models"][0]["error"] = float("nan")


def _format(data: dict[str, Any]) -> None:
    data["format"] = 99


def _sum(data: dict[str, Any]) -> None:
    data["models"][0]["shares"]["matrix"] = 7.0


def _rows(data: dict[str, Any]) -> None:
    data["kernels"] = "many"


def _huge(data: dict[str, Any]) -> None:
    data["models"][0]["error"] = 10**400  # a whole number that no float holds


def _phase(data: dict[str, Any]) -> None:
    data["training"][0]["phases"]["forward"] = [1.0]


def _unit(data: dict[str, Any]) -> None:
    data["training"][0]["phases"]["forward"] = {"magic": 1.0}


def _untraced(data: dict[str, Any]) -> None:
    del data["tracing"]


def _nameless(data: dict[str, Any]) -> None:
    data["device"]["name"] = " "


def _turned(data: dict[str, Any]) -> None:
    data["device"]["name"] = "\u202eNVIDIA"  # everything behind it would be read backwards


@pytest.mark.parametrize(
    "damage",
    [_without, _nan, _format, _sum, _rows, _huge, _untraced, _nameless, _turned, _phase, _unit],
)
def test_a_damaged_report_is_refused_with_a_sentence(report: Path, damage: Any) -> None:
    data = json.loads(report.read_text(encoding="utf-8"))
    damage(data)
    report.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(report_of.ReportError, match=r"is no report .* what is shown stays\.$"):
        report_of.read(report)


def test_what_is_no_file_is_refused_and_not_read_without_an_end(tmp_path: Path) -> None:
    endless = Path("/dev/zero")
    for path in (tmp_path, *([endless] if endless.exists() else [])):
        with pytest.raises(report_of.ReportError, match="it is no file; what is shown stays"):
            report_of.read(path)


def test_a_report_that_cannot_be_written_is_said(card: Card, tmp_path: Path) -> None:
    with pytest.raises(doctor.DoctorError, match="choose another place"):
        doctor._write(tmp_path / "missing" / "report.json", {})

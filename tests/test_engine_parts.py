"""Data sheets: every figure with its source, and files that are damaged on purpose."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine import parts
from engine.parts import FIGURES, FOLDER, MOST_BYTES, PartError
from engine.workload import Device, Precision

H100 = json.loads((FOLDER / "h100.json").read_text(encoding="utf-8"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder of data sheets."""
    monkeypatch.setattr(parts, "FOLDER", tmp_path)
    return tmp_path


def test_all_shipped_sheets_can_be_read() -> None:
    assert parts.problems() == {}
    assert parts.available() == (
        "desktop-cpu", "t4", "l4", "rtx4090", "a100", "h100", "h200", "b200",
    )  # fmt: skip


@pytest.mark.parametrize("id_", [*parts.available()])
def test_every_figure_has_a_unit_a_source_and_a_day(id_: str) -> None:
    part = parts.load(id_)
    for name, figure in part.figures:
        assert figure.unit == FIGURES[name][0]
        assert len(figure.source) > 6
        assert date(2026, 1, 1) <= date.fromisoformat(figure.read_on) <= date.today()


@pytest.mark.parametrize("id_", [id_ for id_ in parts.available() if id_ != "desktop-cpu"])
def test_lanes_and_clock_explain_the_float32_peak(id_: str) -> None:
    """SM x lanes x 2 x GHz; sources differ most for the B200, by 6 %."""
    part = parts.load(id_)
    computed = part["sms"].value * part["lanes"].value * 2 * part["clock"].value * 1e9
    assert computed == pytest.approx(part.flops_per_second(Precision.FLOAT32), rel=0.07)


@pytest.mark.parametrize("id_", ["l4", "a100", "h100", "b200"])
def test_half_precision_is_twice_tf32(id_: str) -> None:
    part = parts.load(id_)
    half, tf32 = (part.flops_per_second(Precision(p)) for p in ("float16", "tf32"))
    assert half / tf32 == pytest.approx(2, rel=0.03)


def test_a_format_that_a_part_lacks_is_computed_in_the_next_wider_one() -> None:
    def runs(id_: str) -> list[str]:
        return [str(parts.load(id_).runs(precision)) for precision in Precision]

    assert runs("t4") == ["float32", "float32", "float16", "float32", "float16"]
    assert runs("a100") == ["float32", "tf32", "float16", "bfloat16", "float16"]
    assert runs("h100") == [str(precision) for precision in Precision]
    assert runs("desktop-cpu") == ["float32"] * 5


def test_special_functions_are_sixteen_a_clock_and_multiprocessor() -> None:
    assert parts.load("h100").special_per_second == pytest.approx(16 * 132 * 1.98e9)


def test_a_part_that_does_not_exist_is_said_with_those_that_do() -> None:
    with pytest.raises(PartError, match="There is no part 'h300'; there are desktop-cpu, t4"):
        parts.load("h300")


# ---- damaged files -------------------------------------------------------------------------------


def changed(**figures: Any) -> str:
    """Return the sheet of the H100 with figures changed, or left out when None."""
    sheet = json.loads(json.dumps(H100))
    for name, change in figures.items():
        if change is None:
            del sheet["figures"][name]
        else:
            sheet["figures"][name] = sheet["figures"].get(name, {}) | change
    return json.dumps(sheet)


DAMAGED = {
    "empty": "",
    "truncated": json.dumps(H100)[:400],
    "a-list": "[1, 2]",
    "a-number": "7",
    "no-figures": json.dumps({"format": 1, "title": "x", "kind": "gpu"}),
    "of-another-version": json.dumps(H100 | {"format": 99}),
    "of-another-kind": json.dumps(H100 | {"kind": "abacus"}),
    "nan": changed(bandwidth={"value": float("nan")}),
    "infinite": changed(bandwidth={"value": float("inf")}),
    "overflow": json.dumps(H100).replace("3350", "1e999"),
    "zero": changed(bandwidth={"value": 0}),
    "negative": changed(clock={"value": -1.98}),
    "out-of-reason": changed(float16={"value": 1e12}),
    "text-for-number": changed(sms={"value": "132"}),
    "true-for-number": changed(sms={"value": True}),
    "another-unit": changed(bandwidth={"unit": "TB/s"}),
    "without-source": changed(bandwidth={"source": ""}),
    "without-day": changed(bandwidth={"read_on": "yesterday"}),
    "unknown-figure": changed(warp=H100["figures"]["clock"]),
    "without-bandwidth": changed(bandwidth=None),
    "title-of-a-novel": json.dumps(H100 | {"title": "x" * 1000}),
    "notes-of-numbers": json.dumps(H100 | {"notes": [1]}),
    "notes-of-text": json.dumps(H100 | {"notes": "abc"}),
    "deep": "[" * 60_000,
    "large": json.dumps(H100 | {"title": "x" * MOST_BYTES}),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_sheet_is_left_out_and_named(name: str, folder: Path) -> None:
    (folder / "good.json").write_text(json.dumps(H100), encoding="utf-8")
    (folder / f"{name}.json").write_text(DAMAGED[name], encoding="utf-8")
    assert parts.available() == ("good",)
    assert list(parts.problems()) == [name]
    sentence = parts.problems()[name]
    assert f"The data sheet {name}.json is left out (" in sentence
    assert sentence.endswith("; the other parts are there.")
    assert len(sentence) < 250
    with pytest.raises(PartError, match="is left out"):
        parts.load(name)


def test_bytes_that_are_no_text_are_left_out(folder: Path) -> None:
    (folder / "bytes.json").write_bytes(b"\xff\xfe\x00" * 50)
    assert parts.available() == ()
    assert "bytes.json" in parts.problems()["bytes"]


def test_a_folder_a_foreign_name_and_the_name_of_this_machine_are_left_out(folder: Path) -> None:
    (folder / "folder.json").mkdir()
    for name in ("UPPER CASE", parts.THIS):
        (folder / f"{name}.json").write_text(json.dumps(H100), encoding="utf-8")
    assert parts.available() == ()
    assert set(parts.problems()) == {"folder", "UPPER CASE", parts.THIS}


# ---- this machine --------------------------------------------------------------------------------


def rates(**changes: float) -> Any:
    known = {"product_one": 2.5e10, "product_all": 4.5e10}
    known |= {"elementwise": 2.3e10, "numpy_call": 3e-7}
    return SimpleNamespace(**{**known, **changes})


def test_this_machine_is_a_part_from_what_was_measured_on_it() -> None:
    part = parts.this_machine(rates(), day="2026-11-24", title="this machine (a CPU)")
    assert (part.id, part.device, part.measured) == ("this", Device.CPU, True)
    assert part.flops_per_second(Precision.FLOAT32) == pytest.approx(4.5e10)
    assert part.bytes_per_second == pytest.approx(2.3e10)
    assert part.call_seconds == pytest.approx(3e-7)
    assert part.special_per_second == pytest.approx(1e9)
    assert part["bandwidth"].source == "measured on this machine"
    assert part["bandwidth"].read_on == "2026-11-24"


def test_a_busy_machine_is_as_fast_as_its_one_free_thread() -> None:
    part = parts.this_machine(rates(product_one=6e10), day="2026-11-24")
    assert part.flops_per_second(Precision.FLOAT32) == pytest.approx(6e10)


@pytest.mark.parametrize(
    "wrong",
    [
        {"product_one": 0.0, "product_all": 0.0},
        {"elementwise": float("nan")},
        {"numpy_call": float("inf")},
        {"numpy_call": -1.0},
    ],
)
def test_rates_that_no_machine_has_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(PartError):
        parts.this_machine(rates(**wrong), day="2026-11-24")

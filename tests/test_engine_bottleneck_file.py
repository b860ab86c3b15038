"""The bottleneck is remembered: of this machine, these weights, these sentences, and no others."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from test_widgets_long_range import bottleneck as made_up

from engine import bottleneck_file, laboratory, race
from engine.bottleneck_file import load, save
from engine.laboratory import MODELS, SENTENCES, Bottleneck
from engine.said import Said


def measured() -> Bottleneck:
    """Return shares that were measured of the shipped models, made up in this test."""
    begun = next(laboratory.bottleneck())
    right = {id: 7 * i for i, id in enumerate(MODELS)}
    known = {id: {n: (right[id] + n) / SENTENCES for n in begun.lengths} for id in MODELS}
    return next(laboratory.bottleneck(known=known))


def test_what_was_measured_is_there_at_the_next_start_with_its_day(tmp_path: Path) -> None:
    found, path = measured(), tmp_path / "folder" / "bottleneck.json"
    assert found.complete
    assert found.day == ""
    assert load(path) is None
    save(found, path)
    assert load(path) == replace(found, day=date.today().isoformat())
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_what_is_known_is_not_measured_again() -> None:
    began = next(laboratory.bottleneck())
    known = {id: {n: 0.5 for n in began.lengths} for id in MODELS}
    del known["gru"][4]
    *_, last = laboratory.bottleneck(known=known, sentences=8)
    assert last.complete
    (gru,) = [curve for curve in last.curves if curve.model == "gru"]
    assert {share for n, share in gru.measured if n != 4} == {0.5}
    assert dict(gru.measured)[4] == 1.0  # four digits are no difficulty


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("another machine", lambda data: data["asked"][1].__setitem__(0, "another")),
        ("other weights", lambda data: data["asked"].__setitem__(2, "0" * 64)),
        ("other sentences", lambda data: data["asked"].__setitem__(4, 2)),
        ("another version", lambda data: data["asked"].__setitem__(0, 0)),
        ("no day", lambda data: data.__setitem__("day", "soon")),
        ("a model is missing", lambda data: data["right"].pop("gru")),
        ("a length is missing", lambda data: data["right"]["gru"].pop("4")),
        ("more than all", lambda data: data["right"]["gru"].__setitem__("4", SENTENCES + 1)),
        ("less than none", lambda data: data["right"]["gru"].__setitem__("4", -1)),
        ("words", lambda data: data["right"]["gru"].__setitem__("4", "all")),
        ("no numbers", lambda data: data.__setitem__("right", [])),
    ],
)
def test_what_is_of_something_else_or_damaged_is_as_good_as_none(
    tmp_path: Path, what: str, change: Callable[[Any], object]
) -> None:
    path = tmp_path / "bottleneck.json"
    save(measured(), path)
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")
    assert load(path) is None, what
    for text in ("", "[]", "{", "null", "[" * 50_000, "x" * 200_000):
        path.write_text(text, encoding="utf-8")
        assert load(path) is None, text[:10]


def test_the_weights_are_known_by_every_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bottleneck_file.asked()
    assert before == bottleneck_file.asked()
    assert before[1] == list(race.machine())
    read = Path.read_bytes

    def flipped(path: Path) -> bytes:
        data = read(path)
        return data[:-1] + bytes([data[-1] ^ 1]) if path.name == "lstm.safetensors" else data

    monkeypatch.setattr(Path, "read_bytes", flipped)
    assert bottleneck_file.asked()[2] != before[2]


def test_a_full_disk_is_said_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(Said, match="could not be kept .No space left on device.; it is shown"):
        save(made_up(), tmp_path / "bottleneck.json")
    assert list(tmp_path.iterdir()) == []

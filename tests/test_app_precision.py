"""Precision: chosen by key and menu at every width, said in the badge, and remembered."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from driving import key, settled
from pytestqt.qtbot import QtBot

from app.window import Window
from engine.device import HOST


@pytest.fixture
def window(qtbot: QtBot, tmp_path: Path) -> Window:
    return opened(qtbot, tmp_path / "session.json")


def opened(qtbot: QtBot, path: Path) -> Window:
    made = Window(path)
    qtbot.addWidget(made)
    made.resize(1600, 900)
    made.show()
    made.begin()
    qtbot.waitUntil(lambda: made.first.pair is not None, timeout=20_000)
    settled(made, qtbot)
    return made


def computed_in(window: Window) -> str:
    assert window.first.pair is not None
    return window.first.pair.grid.facts.precision


def test_q_goes_through_the_precisions_and_the_badge_says_which(
    window: Window, qtbot: QtBot
) -> None:
    seen = []
    for _ in range(3):
        key(window, qtbot, "Q")
        settled(window, qtbot)
        seen.append(computed_in(window))
        assert window.first.controls.precision_choice.current == seen[-1]
        assert (seen[-1] in window.bar.badge.text()) == (seen[-1] != "float32")
    assert seen == ["float16", "bfloat16", "float32"]
    window.close()


def test_it_is_remembered_and_restored(window: Window, qtbot: QtBot, tmp_path: Path) -> None:
    key(window, qtbot, "Q")
    settled(window, qtbot)
    window.close()
    kept = json.loads((tmp_path / "session.json").read_text(encoding="utf-8"))
    assert kept["chapters"]["rnn-transformer"]["precision"] == "float16"
    again = opened(qtbot, tmp_path / "session.json")
    assert computed_in(again) == "float16"
    assert again.first.controls.precision_choice.current == "float16"
    again.close()


@pytest.mark.parametrize("damaged", [7, None, "float8", ["float16"]])
def test_a_damaged_one_is_left_at_its_default(
    window: Window, damaged: object, qtbot: QtBot
) -> None:
    window.first.restore({"precision": damaged})
    assert window.first.sentences.setting.precision == "float32"
    window.close()


def test_one_that_only_a_gpu_has_waits_for_it(window: Window, qtbot: QtBot) -> None:
    sentences = window.first.sentences
    window.first.restore({"precision": "TF32"})
    assert sentences.setting.precision == "float32"  # nothing is refused meanwhile
    sentences.devices.device = HOST
    sentences._device_found()
    assert sentences.setting.precision == "float32"
    window.first.restore({"precision": "TF32"})
    sentences.devices.device = replace(HOST, backend="CuPy", missing={})
    sentences.rest()  # there is no such card: nothing is asked of it
    window.first.controls.field.setText("")
    sentences._device_found()
    assert sentences.setting.precision == "TF32"
    sentences.devices.device = None
    window.close()


@pytest.mark.parametrize(("width", "beside"), [(1920, True), (1280, False), (960, False)])
def test_it_can_be_chosen_at_every_width(
    window: Window, qtbot: QtBot, width: int, beside: bool
) -> None:
    window.resize(width, 720)
    qtbot.wait(50)
    controls = window.first.controls
    choice = controls.precision_choice
    assert choice.isVisible() == beside
    within = [entry for entry in controls.set_choice.menu().actions() if entry.menu() is not None]
    assert len(within) == 1
    assert within[0].isVisible() != beside
    assert within[0].text() == "precision"
    entries = {entry.data(): entry for entry in within[0].menu().actions()}  # type: ignore[attr-defined]
    assert list(entries) == ["float32", "TF32", "float16", "bfloat16"]
    assert not entries["TF32"].isEnabled()
    entries["float16"].trigger()
    settled(window, qtbot)
    assert computed_in(window) == "float16"
    # The keyboard reaches the button that has the menu.
    assert controls.set_choice.focusPolicy() & controls.set_choice.focusPolicy().TabFocus
    window.close()


def test_in_chapter_2_q_changes_the_workloads(window: Window, qtbot: QtBot) -> None:
    window.do("chapter_2")
    chapter = window.chapter
    qtbot.waitUntil(lambda: bool(chapter.groups()) and not chapter.busy, timeout=20_000)
    seen = []
    for _ in range(4):
        window.do("precision")
        qtbot.waitUntil(lambda: not chapter.busy, timeout=20_000)
        seen.append(chapter.subject.precision)  # type: ignore[attr-defined]
    assert seen == ["BF16", "TF32", "FP32", "FP8"]
    window.close()

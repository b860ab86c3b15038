"""The window, driven as a person drives it: the clock, its keys, what it remembers, closing."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from driving import click, key, settled, shown
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from app.actions import ACTIONS, markdown_table
from app.setting import Setting
from app.window import Window
from engine.weights import WeightsError
from widgets import captions

ROOT = Path(__file__).parents[1]
SAY = captions.load("en")


def window_compute() -> Callable[..., Any]:
    from app import sentences

    return sentences._compute


def test_it_opens_with_the_default_sentence_at_tick_0(window: Window) -> None:
    assert shown(window) == ["the", "cat", "that", "slept", "___"]
    assert window.player.tick == 0
    assert "Tick 0 of 13" in window.transport.title.text()


def test_keys_step_forward_and_back_and_jump(window: Window, qtbot: QtBot) -> None:
    for name, tick in (
        ("Right", 1), ("PgDown", 2), ("Left", 1), ("PgUp", 0), ("End", 13), ("Home", 0),
        ("Shift+Right", 1), ("Shift+Right", 13), ("Shift+Left", 1), ("Shift+Left", 0),
    ):  # fmt: skip
        key(window, qtbot, name)
        settled(window, qtbot)
        assert window.player.tick == tick, name


def test_playing_comes_to_the_end_and_stops(window: Window, qtbot: QtBot) -> None:
    window.player.seek(11)
    window.player.set_speed(4.0)
    key(window, qtbot, "Space")
    assert window.player.playing
    qtbot.waitUntil(lambda: not window.player.playing, timeout=20_000)
    assert window.player.tick == 13


def test_stepping_back_shows_the_same_pixels(window: Window, qtbot: QtBot) -> None:
    def pixels() -> QImage:
        settled(window, qtbot)
        window.canvas.settle()
        return window.canvas.grab().toImage()

    key(window, qtbot, "Right")
    before = pixels()
    key(window, qtbot, "Right")
    assert pixels() != before
    key(window, qtbot, "Left")
    assert pixels() == before


def test_scrubbing_cuts_to_a_tick(window: Window, qtbot: QtBot) -> None:
    scrubber = window.transport.scrubber
    x = int(scrubber.x_of(5))
    qtbot.mouseClick(scrubber, Qt.MouseButton.LeftButton, pos=QPoint(x, 12))
    assert window.player.tick == 5
    assert "Tick 5 of 13" in window.transport.title.text()


def test_contrast_and_darkness_are_two_choices(window: Window, qtbot: QtBot) -> None:
    for name, shown_theme in (
        ("Shift+T", "contrast"), ("T", "contrast-dark"), ("Shift+T", "dark"), ("T", "light"),
    ):  # fmt: skip
        key(window, qtbot, name)
        assert window.theme_name == shown_theme


def test_the_list_of_keys_closes_although_the_window_is_not_active(window: Window) -> None:
    window.help()
    window.sheet.clearFocus()
    window.sheet.show()
    window.do("sentence")
    assert not window.sheet.isVisible()


def test_every_action_can_be_done_at_any_time(
    window: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def choose(*_: Any) -> tuple[str, str]:
        return str(tmp_path / "chosen.png"), ""

    monkeypatch.setattr("PySide6.QtWidgets.QFileDialog.getSaveFileName", choose)
    for action in ACTIONS:
        window.do(action.id)
        settled(window, qtbot)
    while not window.bar.isVisible() or window.sheet.isVisible():
        window.leave()
    assert (tmp_path / "chosen.png").exists()


def test_no_two_actions_share_a_key_and_all_have_words() -> None:
    keys = [k for action in ACTIONS for k in action.keys]
    assert len(keys) == len(set(keys))
    for action in ACTIONS:
        assert SAY(f"action.{action.id}")


def test_the_readme_lists_the_keys() -> None:
    assert markdown_table(SAY) in (ROOT / "README.md").read_text(encoding="utf-8")


def test_closing_while_it_computes_ends_the_worker(qtbot: QtBot, tmp_path: Path) -> None:
    window = Window(tmp_path / "session.json")
    window.show()
    for _ in range(5):
        window.first.sentences.set_text("the cat that slept ___")
    window.close()
    assert not [t for t in threading.enumerate() if t.name == "background"]


def test_what_was_shown_is_shown_again(qtbot: QtBot, tmp_path: Path) -> None:
    for text in ("the dogs ___", ""):
        window = Window(tmp_path / "session.json")
        if text:
            window.first.controls.field.setText(text)
            window.toggle_theme()
        else:
            assert window.first.controls.field.text() == "the dogs ___"
            assert window.theme_name == "dark"
        window.close()


@pytest.mark.parametrize("damage", ["missing", "cut off"])
def test_where_the_remembered_model_cannot_be_read_the_default_stands_in(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    path = tmp_path / "session.json"
    path.write_text('{"version": 1, "chain": "gru-50k"}', encoding="utf-8")
    error = WeightsError(f"gru-50k cannot be used because it is {damage}.")

    def refuse(text: str, setting: Setting) -> Any:
        if setting.chain == "gru-50k":
            raise error
        return compute(text, setting)

    compute: Callable[..., Any] = window_compute()
    monkeypatch.setattr("app.sentences._compute", refuse)
    window = Window(path)
    window.show()
    window.first.sentences.compute()
    qtbot.waitUntil(lambda: window.first.pair is not None, timeout=20_000)
    assert window.first.pair is not None
    assert window.first.pair.chain.facts.model == "rnn"
    assert (
        window.first.controls.chain_choice.current,
        window.first.controls.set_choice.current,
    ) == ("rnn", "")
    assert window.notice.text() == f"{error} Shown is: RNN."
    window.first.sentences.setting = Setting("gru", size="-50k")  # and later what is shown stays
    window.first.sentences.compute()
    settled(window, qtbot)
    assert (
        window.first.controls.chain_choice.current,
        window.first.controls.set_choice.current,
    ) == ("rnn", "")
    assert str(error) in window.notice.text()
    window.close()


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"version": 99}', '{"version": 1, "speed": "fast"}', "\x00" * 50]
)
def test_damaged_settings_are_set_aside_and_said(
    qtbot: QtBot, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "session.json"
    path.write_text(content, encoding="utf-8")
    window = Window(path)
    assert "set" in window.notice.text()
    window.first.sentences.compute()
    qtbot.waitUntil(lambda: window.first.pair is not None, timeout=20_000)
    assert "settings cannot be used" in window.notice.text()  # and the first result leaves it
    assert (tmp_path / "session.damaged-1.json").read_text(encoding="utf-8") == content
    window.close()
    assert json.loads(path.read_text(encoding="utf-8"))["version"] == 2


def test_a_click_on_a_button_leaves_the_keys_to_the_stage(window: Window, qtbot: QtBot) -> None:
    qtbot.mouseClick(window.transport.buttons["step"], Qt.MouseButton.LeftButton)
    settled(window, qtbot)
    assert window.canvas.hasFocus()
    key(window, qtbot, "Space")
    assert window.player.playing
    key(window, qtbot, "Space")


def test_tick_block_and_asking_word_are_shown_again(qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    for again in (False, True):
        window = Window(path)
        window.show()
        window.begin()
        qtbot.waitUntil(lambda w=window: w.first.pair is not None, timeout=20_000)  # type: ignore[misc]
        if again:
            view = window.canvas.view
            assert (window.player.tick, view.layer, view.query) == (13, 0, 2)
        else:
            key(window, qtbot, "End")
            click(window, qtbot, "layer:0")
            click(window, qtbot, "ask:2")
        window.close()


def test_a_passing_notice_goes_with_the_tick_and_another_stays(
    window: Window, qtbot: QtBot
) -> None:
    key(window, qtbot, "Ctrl+Shift+M")
    assert window.notice.isVisible()
    key(window, qtbot, "End")
    assert not window.notice.isVisible()
    window.notice.say("The file could not be read.")
    key(window, qtbot, "Home")
    assert window.notice.text() == "The file could not be read."

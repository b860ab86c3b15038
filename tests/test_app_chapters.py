"""The window with several chapters: each is driven, shown, exported and kept like the first."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from driving import click, key, settled, shown
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QAccessible, QAccessibleEvent, QDropEvent, QGuiApplication, QImage
from pytestqt.qtbot import QtBot
from toy_chapter import LAST, Toy

from app import actions, chapters, key_sheet
from app import window as window_module
from app.actions import ACTIONS, Action
from app.chapters import Entry
from app.window import Window
from widgets import captions
from widgets.fonts import register_fonts

SAY = captions.load("en")
TOY = Action("chapter_9", ("9",), "window", "open_chapter:toy")
MODE = Action("mode", ("M",), "stage", "", "toy")
WORDS = {"action.chapter_9": "Boxes", "toy.caption": "Boxes", "action.mode": "round or not"}


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the toy behind the other chapters."""
    monkeypatch.setitem(
        chapters.CHAPTERS, "toy", Entry(9, "toy.caption", "chip", "toy_chapter:Toy")
    )
    known = [action for action in ACTIONS if action.id != "mode"]
    for module in (actions, window_module, key_sheet):
        monkeypatch.setattr(module, "ACTIONS", (*known, TOY, MODE))
    for caption, words in WORDS.items():
        monkeypatch.setitem(SAY._words, caption, words)


def opened(path: Path) -> Window:
    """Return a window on settings, shown and begun."""
    register_fonts()
    made = Window(path)
    made.show()
    made.begin()
    made.canvas.setFocus()
    return made


@pytest.fixture
def window(qtbot: QtBot, tmp_path: Path) -> Iterator[Window]:
    """Yield a window with chapter 1 in front, and check that it leaves nothing."""
    made = opened(tmp_path / "session.json")
    qtbot.waitUntil(lambda: made.first.pair is not None, timeout=30_000)
    yield made
    made.close()
    leaves_nothing(made, qtbot)
    made.deleteLater()


def leaves_nothing(window: Window, qtbot: QtBot) -> None:
    """Check that no thread and no timer of a closed window goes on."""
    assert not [t for t in threading.enumerate() if t.name == "background"]
    timers = window.findChildren(QTimer)
    qtbot.waitUntil(lambda: not any(timer.isActive() for timer in timers), timeout=2000)


def toy_of(window: Window) -> Toy:
    chapter = window.chapter
    assert isinstance(chapter, Toy)
    return chapter


def test_a_chapter_is_imported_and_made_when_it_is_first_opened(
    window: Window, qtbot: QtBot
) -> None:
    assert list(window._chapters) == ["rnn-transformer"]
    key(window, qtbot, "9")
    made = toy_of(window)
    assert made.log == ["begin"]
    for name in ("1", "9"):
        key(window, qtbot, name)
    assert window.chapter is made
    assert made.log == ["begin", "end", "begin"]


def test_keys_and_the_rail_open_chapters_and_mark_the_open_one(
    window: Window, qtbot: QtBot
) -> None:
    toy, first = window.rail.chapters["toy"], window.rail.chapters["rnn-transformer"]
    assert first.isChecked()
    key(window, qtbot, "9")
    assert toy.isChecked()
    assert not first.isChecked()
    assert window.place.currentWidget() is window.chapter.page
    assert window.canvas.hasFocus()
    qtbot.mouseClick(first, Qt.MouseButton.LeftButton)
    assert window.chapter is window.first
    assert first.isChecked()
    assert window.canvas.hasFocus()
    qtbot.mouseClick(first, Qt.MouseButton.LeftButton)  # the open one again
    assert first.isChecked()


def test_each_chapter_keeps_its_tick_and_what_is_opened_in_it(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "End")
    click(window, qtbot, "chain:rnn.h.3")
    key(window, qtbot, "9")
    assert window.player.tick == 0
    for _ in range(3):
        key(window, qtbot, "Right")
        settled(window, qtbot)
    click(window, qtbot, "box:2")
    for name, tick, selected in (("1", 13, "chain:rnn.h.3"), ("9", 3, "box:2")):
        key(window, qtbot, name)
        assert window.player.tick == tick
        assert window.canvas.view.selected == selected
        assert selected.rpartition(":")[2] in window.inspector.text.toPlainText()


def test_the_foot_and_the_keys_of_time_are_those_of_the_open_chapter(
    window: Window, qtbot: QtBot
) -> None:
    key(window, qtbot, "9")
    assert [group.caption for group in window.transport.scrubber.groups] == [
        "Left", "Middle", "Right",
    ]  # fmt: skip
    assert "Box 0 of 9" in window.transport.title.text()
    for name, tick in (("Shift+Right", 2), ("Shift+Right", 8), ("End", LAST), ("Home", 0)):
        key(window, qtbot, name)
        assert window.player.tick == tick
    scrubber = window.transport.scrubber
    place = QPoint(int(scrubber.x_of(5)), 12)
    qtbot.mouseClick(scrubber, Qt.MouseButton.LeftButton, pos=place)
    assert window.player.tick == 5
    assert window.first.player.tick == 0
    assert window.bar.badge.text() == "no device"
    key(window, qtbot, "1")
    assert window.player.tick == 0
    assert "Tick 0 of 13" in window.transport.title.text()


def test_speed_and_reduced_motion_are_the_same_in_every_chapter(
    window: Window, qtbot: QtBot
) -> None:
    key(window, qtbot, "+")
    key(window, qtbot, "Ctrl+Shift+M")
    key(window, qtbot, "9")
    assert (window.player.speed, window.player.reduced) == (2.0, True)
    key(window, qtbot, "-")
    key(window, qtbot, "Ctrl+Shift+M")
    key(window, qtbot, "1")
    assert (window.player.speed, window.player.reduced) == (1.0, False)


def test_a_chapter_that_is_left_stands_still(window: Window, qtbot: QtBot) -> None:
    window.first.sentences.set_text("the dogs ___")
    key(window, qtbot, "Space")
    key(window, qtbot, "9")
    assert not window.first.busy
    assert not window.first.player.playing
    qtbot.wait(100)
    assert shown(window)[1] == "cat"  # nothing arrives in the back
    key(window, qtbot, "Space")
    assert window.player.playing
    key(window, qtbot, "1")
    assert not toy_of_back(window).player.moving
    settled(window, qtbot)
    assert shown(window)[1] == "dogs"  # what was asked for is computed now


def toy_of_back(window: Window) -> Toy:
    chapter = window._chapters["toy"]
    assert isinstance(chapter, Toy)
    return chapter


def test_bar_and_stage_are_those_of_the_open_chapter(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "9")
    chapter = toy_of(window)
    assert chapter.button.isVisible()
    assert not window.first.controls.isVisible()
    assert not window.first.stage.isVisible()
    qtbot.mouseClick(chapter.button, Qt.MouseButton.LeftButton)
    assert window.notice.text() == "Round."
    assert "round" in window.transport.title.text()
    chapter.button.setFocus()
    key(window, qtbot, "Esc")  # gives the keys back to the stage
    assert window.canvas.hasFocus()
    key(window, qtbot, "1")
    assert window.first.controls.isVisible()
    assert not chapter.button.isVisible()
    assert window.notice.text() == ""


def test_elements_are_walked_opened_and_left(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "9")
    for _ in range(2):
        key(window, qtbot, "Tab")
    assert window.canvas.ringed == "box:1"
    key(window, qtbot, "Return")
    assert window.canvas.view.selected == "box:1"
    key(window, qtbot, "M")  # the same boxes: the ring stays
    assert window.canvas.ringed == "box:1"
    assert "box:1" in window.inspector.text.toPlainText()
    key(window, qtbot, "Backspace")
    assert window.canvas.view.selected == ""
    click(window, qtbot, "box:3")
    key(window, qtbot, "Ctrl+Shift+I")
    key(window, qtbot, "Tab")
    key(window, qtbot, "Return")
    assert window.canvas.view.selected == "box:1"
    window.canvas.setFocus()
    key(window, qtbot, "Esc")
    assert window.canvas.view.selected == ""


def test_what_only_another_chapter_does_says_so(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "M")
    assert "“Boxes”" in window.notice.text()
    key(window, qtbot, "9")
    before = window.canvas.view
    for action in ACTIONS:
        if action.chapter == "rnn-transformer":
            window.notice.clear()
            window.do(action.id)
            assert f"“{SAY('action.chapter_1')}”" in window.notice.text(), action.id
    assert window.canvas.view == before
    key(window, qtbot, "End")
    assert window.notice.text() == ""  # it passes


def test_in_a_narrow_window_an_opened_element_brings_the_inspector(
    window: Window, qtbot: QtBot
) -> None:
    key(window, qtbot, "9")
    window.resize(1000, 700)
    qtbot.wait(50)
    assert not window.inspector.isVisible()
    click(window, qtbot, "box:0")
    assert window.inspector.isVisible()
    key(window, qtbot, "Ctrl+I")
    assert not window.inspector.isVisible()
    click(window, qtbot, "box:0")
    assert window.inspector.isVisible()
    key(window, qtbot, "Esc")
    assert not window.inspector.isVisible()


def test_present_and_the_black_screen_go_along_to_another_chapter(
    window: Window, qtbot: QtBot
) -> None:
    key(window, qtbot, "F5")
    key(window, qtbot, "9")
    assert not window.canvas.view.controls
    assert window.first.canvas.view.controls
    assert not window.bar.isVisible()
    qtbot.mouseMove(window.canvas, QPoint(30, 30))
    qtbot.mouseMove(window.canvas, QPoint(40, 30))
    assert window.strip.capsule.isVisible()
    assert window.strip.capsule.clock.text() == "Box 0 of 9"
    key(window, qtbot, "B")
    assert window.canvas.blank
    key(window, qtbot, "1")
    assert window.canvas.blank
    assert not window._chapters["toy"].canvas.blank
    key(window, qtbot, "PgDown")  # ends the black first
    assert not window.canvas.blank
    key(window, qtbot, "Ctrl+L")  # the sentence is in the bar
    assert window.bar.isVisible()
    assert window.first.controls.field.hasFocus()
    assert window.canvas.view.controls


@pytest.mark.parametrize("ending", [".svg", ".png", ".pdf"])
def test_another_chapter_is_saved(
    window: Window, qtbot: QtBot, tmp_path: Path, ending: str
) -> None:
    key(window, qtbot, "9")
    for grey in (False, True):
        path = tmp_path / f"boxes-{grey}{ending}"
        window.export_stage(ending=ending, path=str(path), scale=1, grey=grey)
        settled(window, qtbot)
        assert window.notice.text() == SAY("window.saved", path=path)
        assert path.stat().st_size > 800
    if ending == ".svg":
        assert "4 boxes" in path.read_text(encoding="utf-8")


def test_another_chapter_is_named_in_the_dialog_copied_and_shot(
    window: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[str] = []

    def choose(_: object, title: str, name: str, *rest: str) -> tuple[str, str]:
        asked.append(name)
        return "", ""

    monkeypatch.setattr("PySide6.QtWidgets.QFileDialog.getSaveFileName", choose)
    key(window, qtbot, "9")
    key(window, qtbot, "End")
    key(window, qtbot, "Ctrl+E")
    assert asked == [f"toy-tick-{LAST}.png"]
    key(window, qtbot, "Ctrl+C")
    settled(window, qtbot)
    assert QGuiApplication.clipboard().image().width() == 1600
    assert window.export_window(path=str(tmp_path / "window.png"))
    assert QImage(str(tmp_path / "window.png")).width() == window.width()


def test_themes_and_sizes_reach_every_chapter(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "9")
    key(window, qtbot, "T")
    key(window, qtbot, "Ctrl+=")
    for chapter in window._chapters.values():
        assert chapter.canvas.view.theme.name == "dark"
        assert 14 * chapter.canvas.fitted()[2] >= 12 * 1.25 - 1e-6


def test_what_is_dropped_is_read_by_chapter_1(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "9")
    data = QMimeData()
    data.setText("the dogs that slept ___")
    window.dropEvent(
        QDropEvent(
            QPointF(600, 300), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
    )  # fmt: skip
    settled(window, qtbot)
    assert window.chapter is window.first
    assert shown(window)[1] == "dogs"


def test_a_tick_is_told_in_the_words_of_its_chapter(
    window: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[QAccessibleEvent] = []
    monkeypatch.setattr(QAccessible, "isActive", lambda: True)
    monkeypatch.setattr(QAccessible, "updateAccessibility", told.append)
    key(window, qtbot, "End")
    key(window, qtbot, "9")
    key(window, qtbot, "End")
    said = [event.message() for event in told if hasattr(event, "message")]
    told.clear()
    assert said[0].startswith("Tick 13 of 13, chain: done at tick 7, ")
    assert ", grid: " in said[0]
    assert said[1] == f"Box {LAST} of {LAST}, square"


def test_a_chapter_that_cannot_be_opened_is_said_and_the_other_stays(
    window: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Entry(9, "toy.caption", "chip", "no_such_module:Chapter")
    monkeypatch.setitem(chapters.CHAPTERS, "toy", broken)
    key(window, qtbot, "9")
    assert "no_such_module" in window.notice.text()
    assert window.chapter is window.first
    assert window.rail.chapters["rnn-transformer"].isChecked()
    key(window, qtbot, "End")
    assert window.player.tick == 13


def test_the_open_chapter_and_what_each_keeps_come_back(qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    window = opened(path)
    qtbot.waitUntil(lambda: window.first.pair is not None, timeout=30_000)
    window.player.to_last()
    window.open_chapter("toy")
    window.player.seek(6)
    window.close()
    again = opened(path)
    assert isinstance(again.chapter, Toy)
    assert again.player.tick == 6
    assert not again.first.busy  # it waits until it is wanted
    again.open_chapter("rnn-transformer")
    qtbot.waitUntil(lambda: again.first.pair is not None, timeout=30_000)
    assert again.player.tick == 13
    again.close()
    leaves_nothing(again, qtbot)


@pytest.mark.parametrize(
    "damage",
    [
        {"chapter": "chapter-99"},
        {"chapters": {"toy": 7, "rnn-transformer": ["x"]}},
        {"chapters": {"toy": {"tick": "soon"}, "rnn-transformer": {"tick": -3, "chain": "x"}}},
        {"chapters": {"rnn-transformer": {"text": 9, "recent": [4], "layer": 1e9, "query": "x"}}},
        {"chapters": {"rnn-transformer": {"tick": 1e308, "recent": "no", "layer": True}}},
    ],
)
def test_a_damaged_entry_of_a_chapter_falls_back(
    qtbot: QtBot, tmp_path: Path, damage: dict[str, object]
) -> None:
    path = tmp_path / "session.json"
    path.write_text(json.dumps({"version": 2, "theme": "dark", **damage}), encoding="utf-8")
    window = opened(path)
    qtbot.waitUntil(lambda: window.first.pair is not None, timeout=30_000)
    assert window.theme_name == "dark"  # the rest of the settings is kept
    assert window.chapter is window.first
    assert window.player.tick == 0
    assert shown(window)[1] == "cat"
    window.open_chapter("toy")
    assert toy_of(window).player.tick == 0
    window.close()
    assert list(tmp_path.glob("*damaged*")) == []


@pytest.mark.parametrize("name", ["rnn-transformer", "toy"])
def test_closing_in_a_chapter_leaves_nothing(qtbot: QtBot, tmp_path: Path, name: str) -> None:
    window = opened(tmp_path / "session.json")
    for id in ("toy", name):
        window.open_chapter(id)
    toy = window._chapters["toy"]
    window.first.sentences.compute()
    window.player.play()
    window.close()
    leaves_nothing(window, qtbot)
    assert isinstance(toy, Toy)
    assert toy.log[-1] == "close"


def test_the_help_lists_what_every_chapter_does(window: Window) -> None:
    window.help()
    assert "Boxes" in window.sheet.toPlainText()
    assert "round or not" in window.sheet.toPlainText()

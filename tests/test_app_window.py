"""The window, driven as a person drives it: typing, keys, clicks, drags, export, closing."""

from __future__ import annotations

import json
import re
import threading
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, QRect, Qt, QTimer, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication, QImage, QKeySequence
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QMenu, QWidget
from pytestqt.qtbot import QtBot

from app import SCALES
from app.__main__ import main
from app.actions import ACTIONS, markdown_table
from app.compute import make_trace
from app.saying import sentence_of
from app.setting import Setting
from app.window import Window
from engine.said import Said
from engine.trace import save as save_trace
from engine.weights import WeightsError
from widgets import captions, theme
from widgets.controls import style_sheet
from widgets.fonts import register_fonts
from widgets.hit import named
from widgets.svg import svg
from widgets.transport import Scrubber
from widgets.view import Spread

ROOT = Path(__file__).parents[1]
SAY = captions.load("en")


@pytest.fixture
def window(qtbot: QtBot, tmp_path: Path) -> Iterator[Window]:
    """Return a window with the default sentence on the stage, and check that it leaves nothing."""
    register_fonts()
    made = Window(tmp_path / "session.json")
    made.show()
    made.begin()
    qtbot.waitUntil(lambda: made.first.pair is not None, timeout=30_000)
    made.canvas.setFocus()
    yield made
    made.close()
    assert not [t for t in threading.enumerate() if t.name == "background"]
    # A frame that was asked for just before may still come; then all is quiet.
    timers = made.findChildren(QTimer)
    qtbot.waitUntil(lambda: not any(timer.isActive() for timer in timers), timeout=2000)
    made.deleteLater()


def key(window: Window, qtbot: QtBot, name: str) -> None:
    """Press a key as Qt names it: "Shift+Right"."""
    combination = QKeySequence(name)[0]  # type: ignore[index]  # the stubs lack it
    focus = QApplication.focusWidget() or window.canvas
    qtbot.keyClick(focus, combination.key(), combination.keyboardModifiers())


def settled(window: Window, qtbot: QtBot) -> None:
    qtbot.waitUntil(
        lambda: (
            not (
                window.player.moving or window.first.sentences.background.busy or window.stills.busy
            )
        ),
        timeout=20_000,
    )


def shown(window: Window) -> list[str]:
    assert window.first.pair is not None
    return list(window.first.pair.tokens)


def click(window: Window, qtbot: QtBot, name: str) -> None:
    point = window.canvas.place_of(name)
    assert point is not None, f"{name} is not on the stage"
    qtbot.mouseClick(window.canvas, Qt.MouseButton.LeftButton, pos=point)


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


def test_typing_computes_another_sentence_and_letters_do_not_act(
    window: Window, qtbot: QtBot
) -> None:
    key(window, qtbot, "Ctrl+L")
    name = window.theme_name
    qtbot.keyClicks(window.first.controls.field, "the keys that the birds turned ___")
    assert window.theme_name == name  # "t" was typed, not obeyed
    window.first.sentences._typing.stop()  # Return must compute by itself
    key(window, qtbot, "Return")
    qtbot.waitUntil(lambda: "keys" in shown(window), timeout=20_000)
    assert shown(window)[-1] == "___"
    assert window.player.tick == 0


def test_only_the_newest_sentence_is_shown(window: Window, qtbot: QtBot) -> None:
    for i in range(100):
        window.first.controls.field.setText(f"the cat {'that slept ' * (i % 3)}___")
        window.first.sentences.compute()
    window.first.controls.field.setText("the dogs ___")
    window.first.sentences.compute()
    settled(window, qtbot)
    assert shown(window) == ["the", "dogs", "___"]


def test_unknown_words_are_marked_and_nothing_fails(window: Window, qtbot: QtBot) -> None:
    window.first.sentences.set_text("the zyzzyva that slept ___")
    settled(window, qtbot)
    assert window.first.pair is not None
    facts = window.first.pair.grid.facts
    assert window.bar.badge.text() == f"{facts.backend} · {facts.device}"
    assert window.first.pair.unknown == (False, True, False, False, False)
    assert "1 unknown" in window.first.controls.field.tag.text()


def test_an_empty_sentence_offers_one(window: Window, qtbot: QtBot) -> None:
    window.first.controls.field.setText("  ")
    window.first.sentences.compute()
    assert window.first.page.currentWidget() is window.first.empty
    qtbot.mouseClick(window.first.empty.button, Qt.MouseButton.LeftButton)
    settled(window, qtbot)
    assert window.first.page.currentWidget() is window.first.stage
    assert shown(window)[1] == "cat"


def test_beside_the_offer_of_a_sentence_nothing_of_the_last_one_is_left(
    window: Window, qtbot: QtBot
) -> None:
    window.first.sentences.set_text("The zebra ___")
    settled(window, qtbot)
    window.player.seek(4)
    window.first.sentences.set_text("")
    settled(window, qtbot)
    assert window.first.pair is None
    assert window.inspector.text.toPlainText() == ""
    assert window.transport.title.text() == ""
    assert not window.notice.isVisible()
    window.first.controls.field.setFocus()
    window.do("play")
    assert not window.player.playing
    window.do("copy")
    assert window.notice.text() == SAY("window.nothing_to_export")


def test_after_an_empty_field_the_tick_is_where_it_was(window: Window, qtbot: QtBot) -> None:
    window.player.seek(4)
    window.first.sentences.set_text("")
    settled(window, qtbot)
    window.first.sentences.set_text("the cat ___")
    settled(window, qtbot)
    assert window.player.tick == 4
    assert window.transport.isEnabled()


def test_a_note_that_the_stage_has_room_for_is_said_once(window: Window, qtbot: QtBot) -> None:
    window.first.sentences.set_text("The cat that slept purrs")
    settled(window, qtbot)
    assert window.first.pair is not None
    assert len(window.first.pair.chain.facts.notes) == 2
    assert not window.notice.isVisible()
    window.resize(960, 600)
    window.first.sentences.set_text("The zebra, the yak and the gnu that slept purrs")
    settled(window, qtbot)
    assert "Outside the vocabulary" in window.notice.text()


def test_a_click_on_a_node_opens_its_numbers(window: Window, qtbot: QtBot) -> None:
    window.player.seek(13)
    click(window, qtbot, "chain:rnn.h.3")
    assert window.canvas.view.selected.startswith("chain:rnn.h.3")
    click(window, qtbot, "ask:1")
    assert window.canvas.view.query == 1
    assert "[0,1" in window.canvas.view.selected
    key(window, qtbot, "Backspace")
    assert window.canvas.view.selected == ""


def test_tab_walks_the_stage_and_enter_opens(window: Window, qtbot: QtBot) -> None:
    window.player.seek(13)
    names = set()
    for _ in range(12):
        key(window, qtbot, "Tab")
        names.add(window.canvas.ringed)
    assert len(names) == 12
    while not window.canvas.ringed.startswith("chain:rnn.h"):
        key(window, qtbot, "Tab")
    key(window, qtbot, "Return")
    assert window.canvas.view.selected.startswith("chain:rnn.h")


def test_predict_covers_what_a_step_computes_until_the_next_press(
    window: Window, qtbot: QtBot
) -> None:
    def drawn() -> set[str]:
        picture = window.canvas.picture()
        assert picture is not None
        return {name for name, *_ in named(picture)}

    key(window, qtbot, "V")
    key(window, qtbot, "PgDown")
    settled(window, qtbot)
    assert window.player.tick == 1
    assert "reveal" in drawn()
    assert "Tick 0" in window.inspector.text.toPlainText()  # which tells no more than the stage
    place = window.canvas.place_of("chain:rnn.h.1")
    assert place is not None
    assert window.canvas.element_at(QPointF(place)) == "reveal"
    key(window, qtbot, "PgDown")  # the same key of a presenter's remote shows it
    settled(window, qtbot)
    assert window.player.tick == 1
    assert "reveal" not in drawn()
    assert "Tick 1" in window.inspector.text.toPlainText()
    key(window, qtbot, "PgDown")
    settled(window, qtbot)
    click(window, qtbot, "reveal")
    assert window.player.tick == 2
    assert "reveal" not in drawn()
    key(window, qtbot, "End")
    assert "reveal" not in drawn()
    key(window, qtbot, "V")
    key(window, qtbot, "Home")
    key(window, qtbot, "PgDown")
    settled(window, qtbot)
    assert "reveal" not in drawn()


def test_a_pinned_head_or_word_dims_the_others(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "End")
    key(window, qtbot, "X")
    assert "Point at" in window.notice.text()
    for name, field in (
        ("grid:blocks.1.attn.z[2,0]", "pinned_head"), ("chain:rnn.h.2", "pinned_word"),
    ):  # fmt: skip
        place = window.canvas.place_of(name)
        assert place is not None
        qtbot.mouseMove(window.canvas, place)
        before = window.canvas.grab().toImage()
        key(window, qtbot, "X")
        assert getattr(window.canvas.view, field) == {"pinned_head": 2, "pinned_word": 1}[field]
        window.canvas.settle()
        assert window.canvas.grab().toImage() != before
        key(window, qtbot, "X")
        assert getattr(window.canvas.view, field) is None


def test_what_each_word_does_is_shown_on_demand(window: Window, qtbot: QtBot) -> None:
    def spreads() -> list[Spread]:
        return list(window.canvas.view.spreads)

    key(window, qtbot, "End")
    assert spreads() == []
    key(window, qtbot, "I")
    qtbot.waitUntil(lambda: len(spreads()) == 2, timeout=20_000)
    chain, grid = spreads()
    assert (chain.side, grid.side) == ("chain", "grid")
    assert max(range(4), key=lambda i: chain.values[i]) == 1  # "cat" decides the verb
    click(window, qtbot, "chain:rnn.h.3")
    qtbot.waitUntil(lambda: [spread.state for spread in spreads()] == [3, 0, 3], timeout=20_000)
    assert len(spreads()[2].values) == 3  # what state 3 would look at so far
    shares = spreads()[0].values
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    assert shares[3:] == (0, 0)  # of what comes later there is nothing in it
    key(window, qtbot, "I")
    assert spreads() == []


def test_what_is_open_opens_one_level_deeper_and_back(
    window: Window, qtbot: QtBot, tmp_path: Path
) -> None:
    key(window, qtbot, "End")
    click(window, qtbot, "chain:rnn.h.3")
    assert window.first.selection.scene == "rnn-transformer"
    key(window, qtbot, "Return")
    assert window.first.selection.scene == "opened"
    assert window.canvas.view.selected == "chain:rnn.h.3"
    click(window, qtbot, "chain:rnn.a.3[0]")  # what it is made of
    assert window.canvas.view.selected == "chain:rnn.a.3[0]"
    assert "rnn.a.3[0]" in window.inspector.text.toPlainText()
    path = tmp_path / "opened.svg"
    window.export_stage(ending=".svg", path=str(path))
    settled(window, qtbot)
    assert "recomputed" in path.read_text(encoding="utf-8")
    key(window, qtbot, "Backspace")
    assert window.canvas.view.selected == "chain:rnn.h.3"
    key(window, qtbot, "Esc")
    assert window.first.selection.scene == "rnn-transformer"
    assert window.canvas.view.selected == "chain:rnn.h.3"
    key(window, qtbot, "Esc")
    assert window.canvas.view.selected == ""


def test_an_opened_number_waits_for_its_tick(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "End")
    for _ in range(2):
        click(window, qtbot, "chain:rnn.h.5")
    assert window.first.selection.scene == "opened"
    key(window, qtbot, "Home")  # it is not computed yet: the stage shows what is
    assert window.first.selection.scene == "rnn-transformer"
    key(window, qtbot, "End")
    assert window.first.selection.scene == "opened"
    click(window, qtbot, "crumb:0")
    assert window.first.selection.scene == "rnn-transformer"
    window.first.sentences.set_text("the dogs ___")  # three tokens: there is no state 5
    settled(window, qtbot)
    assert window.canvas.view.selected == ""


def test_contrast_and_darkness_are_two_choices(window: Window, qtbot: QtBot) -> None:
    for name, shown_theme in (
        ("Shift+T", "contrast"), ("T", "contrast-dark"), ("Shift+T", "dark"), ("T", "light"),
    ):  # fmt: skip
        key(window, qtbot, name)
        assert window.theme_name == shown_theme


def test_hover_lights_what_a_node_reads(window: Window, qtbot: QtBot) -> None:
    window.player.seek(13)
    point = window.canvas.place_of("chain:rnn.h.3")
    assert point is not None
    before = window.canvas.picture()
    qtbot.mouseMove(window.canvas, point + QPoint(0, -20))
    qtbot.waitUntil(lambda: window.canvas.view.hovered.startswith("chain:rnn.h.3"))
    lit = window.canvas.picture()
    assert before is not None
    assert lit is not None
    assert len(lit.shapes) == len(before.shapes) + 2  # the state before, and the word


def test_h_hides_another_word_and_a_drag_swaps_two(window: Window, qtbot: QtBot) -> None:
    window.first.sentences.set_text("the cat that slept purrs")
    settled(window, qtbot)
    assert shown(window)[-1] == "___"
    click(window, qtbot, "ask:1")
    key(window, qtbot, "H")
    settled(window, qtbot)
    assert shown(window) == ["the", "___", "that", "slept", "purrs"]
    window.canvas.dropped.emit(0, 3)
    settled(window, qtbot)
    assert shown(window) == ["slept", "___", "that", "the", "purrs"]


def test_the_attention_switch_takes_the_other_chain(window: Window, qtbot: QtBot) -> None:
    click(window, qtbot, "toggle:attention")
    settled(window, qtbot)
    assert window.first.pair is not None
    assert not window.first.pair.chain.facts.attention
    key(window, qtbot, "A")
    settled(window, qtbot)
    assert window.first.pair.chain.facts.attention


def test_the_causal_mask_takes_the_grid_that_was_trained_with_it(
    window: Window, qtbot: QtBot
) -> None:
    key(window, qtbot, "K")
    settled(window, qtbot)
    assert window.first.pair is not None
    pattern = window.first.pair.grid.value("blocks.0.attn.pattern")
    assert pattern[:, 1, 2:].max() == 0  # nothing ahead is looked at
    assert window.first.pair.grid.facts.model == "transformer-causal"


def test_without_positions_the_grid_does_not_notice_the_order(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "P")
    settled(window, qtbot)
    assert window.first.pair is not None
    before = window.first.pair.grid.value("answer.probabilities")
    window.first.sentences.swap(1, 3)
    settled(window, qtbot)
    after = window.first.pair.grid.value("answer.probabilities")
    assert shown(window)[1] == "slept"
    assert abs(before - after).max() < 1e-6
    assert "not trained for this" in " ".join(window.first.pair.grid.facts.notes)
    key(window, qtbot, "End")
    click(window, qtbot, "toggle:positions")  # the first hollow box, or the switch
    settled(window, qtbot)
    assert abs(window.first.pair.grid.value("answer.probabilities") - after).max() > 1e-3


def test_untrained_weights_have_the_same_shape_and_no_roles(window: Window, qtbot: QtBot) -> None:
    assert window.first.pair is not None
    parameters = window.first.pair.grid.facts.parameters
    key(window, qtbot, "U")
    settled(window, qtbot)
    assert window.first.pair.grid.facts.parameters == parameters
    assert window.first.pair.grid.facts.roles == ()
    assert "nothing is learned" in " ".join(window.first.pair.chain.facts.notes)
    assert window.first.pair.chain.answer(1)[0][1] < 0.5
    key(window, qtbot, "U")
    settled(window, qtbot)
    assert window.first.pair.grid.facts.roles


def test_a_switch_without_weights_says_so(window: Window, qtbot: QtBot) -> None:
    window.first.sentences._available = frozenset({"rnn", "transformer"})
    for name in ("A", "D", "K"):
        key(window, qtbot, name)
        assert "No weights were trained" in window.notice.text()
        window.notice.clear()
    assert window.first.pair is not None
    assert window.first.pair.chain.facts.attention


def test_the_classic_picture_brings_its_five_tokens(window: Window, qtbot: QtBot) -> None:
    window.first.sentences.set_text("the cat ___")
    settled(window, qtbot)
    key(window, qtbot, "C")
    settled(window, qtbot)
    assert window.canvas.view.classic
    assert len(shown(window)) == 5


@pytest.mark.parametrize("ending", [".svg", ".png", ".pdf"])
def test_the_stage_is_saved(window: Window, qtbot: QtBot, tmp_path: Path, ending: str) -> None:
    window.player.seek(7)
    window.export_stage(path=str(tmp_path / f"stage{ending}"), scale=1)
    assert window.notice.text().startswith("Saving")
    settled(window, qtbot)
    assert (tmp_path / f"stage{ending}").stat().st_size > 5000
    assert window.notice.text().startswith("Saved")


def test_a_still_of_the_other_thread_has_the_same_pixels(
    window: Window, qtbot: QtBot, tmp_path: Path
) -> None:
    from app import export
    from app.compute import still

    assert window.first.pair is not None
    window.player.seek(13)
    window.export_stage(path=str(tmp_path / "stage.png"), scale=1)
    picture = still(window.first.pair, 13, window.canvas.view)
    here = export.image(picture, (1600, 900))  # at the same time
    settled(window, qtbot)
    there = QImage(str(tmp_path / "stage.png")).convertToFormat(here.format())
    assert there.constBits() == here.constBits()


def test_a_place_that_cannot_be_written_is_said_in_the_window(window: Window, qtbot: QtBot) -> None:
    window.export_stage(path="/nowhere/at/all.svg")
    settled(window, qtbot)
    assert "/nowhere/at" in window.notice.text()
    window.export_stage(path="/tmp/stage.bmp")
    settled(window, qtbot)
    assert "bmp" in window.notice.text()


def test_one_still_is_made_at_a_time(window: Window, qtbot: QtBot, tmp_path: Path) -> None:
    window.export_stage(path=str(tmp_path / "one.svg"))
    window.export_stage(path=str(tmp_path / "two.svg"))
    assert window.notice.text() == SAY("window.still_saving")
    settled(window, qtbot)
    assert [path.name for path in tmp_path.glob("*.svg")] == ["one.svg"]


def test_closing_waits_for_the_still_that_is_being_made(window: Window, tmp_path: Path) -> None:
    window.export_stage(path=str(tmp_path / "stage.png"), scale=3)
    window.close()
    assert QImage(str(tmp_path / "stage.png")).width() == 4800


@pytest.mark.parametrize("what", ["export_stage", "copy_stage"])
def test_a_still_without_memory_is_said(
    window: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, what: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("app.compute.still", fail)
    getattr(window, what)(**({"path": str(tmp_path / "a.png")} if what == "export_stage" else {}))
    settled(window, qtbot)
    assert window.notice.text() == SAY("window.memory")


def test_the_window_and_the_clipboard_get_an_image(
    window: Window, qtbot: QtBot, tmp_path: Path
) -> None:
    window.export_window(path=str(tmp_path / "window.png"))
    assert QImage(str(tmp_path / "window.png")).width() == window.width()
    window.copy_stage()
    settled(window, qtbot)
    assert QGuiApplication.clipboard().image().size().width() == 1600


def test_the_stage_is_copied_as_an_image_and_as_svg_of_the_same_size(
    window: Window, qtbot: QtBot
) -> None:
    key(window, qtbot, "End")
    key(window, qtbot, "Ctrl+C")
    settled(window, qtbot)
    data = QGuiApplication.clipboard().mimeData()
    assert data.hasImage()
    root = ElementTree.fromstring(data.data("image/svg+xml").data())
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    image = QGuiApplication.clipboard().image()
    assert (int(root.get("width", 0)), int(root.get("height", 0))) == (1600, 900)
    assert (image.width(), image.height()) == (1600, 900)
    assert window.notice.text() == SAY("window.copied")


def test_of_a_stage_whose_svg_did_not_get_there_nobody_says_that_it_was_copied(
    window: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_data = QMimeData.setData
    monkeypatch.setattr(QMimeData, "setData", lambda self, kind, data: set_data(self, kind, b""))
    window.copy_stage()
    settled(window, qtbot)
    assert window.notice.text() == SAY("window.not_copied")


def test_the_tensor_that_is_shown_is_saved_as_npy(
    window: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[str] = []

    def choose(_: Any, title: str, name: str, kinds: str) -> tuple[str, str]:
        asked.append(name)
        return str(tmp_path / chosen), kinds

    monkeypatch.setattr("PySide6.QtWidgets.QFileDialog.getSaveFileName", choose)
    key(window, qtbot, "End")
    window.activate("grid:blocks.0.attn.pattern[1,4,1]")
    (save,) = [a for a in window.inspector.copy_button.menu().actions() if "&S" in a.text()]
    assert window.first.pair is not None
    pattern = window.first.pair.grid.value("blocks.0.attn.pattern")
    # The second name has no ending, and what looks like one is none.
    for name, written in (("a.npy", "a.npy"), ("blocks.0", "blocks.0.npy")):
        chosen = name
        save.trigger()
        back = np.load(tmp_path / written, allow_pickle=False)
        assert back.dtype == pattern.dtype
        assert np.array_equal(back, pattern)
        assert window.notice.text() == SAY("window.saved", path=tmp_path / written)
    assert asked == ["blocks.0.attn.pattern.npy"] * 2
    # A file that was not chosen by its full name is left alone.
    (tmp_path / "blocks.0.npy").write_bytes(b"mine")
    save.trigger()
    assert (tmp_path / "blocks.0.npy").read_bytes() == b"mine"
    assert window.notice.text() == SAY("window.npy_exists", path=tmp_path / "blocks.0.npy")
    chosen = "no such folder/a.npy"
    save.trigger()
    assert "choose another place" in window.notice.text()
    chosen = "a.npy"
    monkeypatch.setattr("PySide6.QtWidgets.QFileDialog.getSaveFileName", lambda *_: ("", ""))
    window.notice.clear()
    save.trigger()
    assert not window.notice.text()


def test_present_shows_the_stage_alone_and_esc_leaves(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "F5")
    assert not window.bar.isVisible()
    assert not window.transport.isVisible()
    assert not window.canvas.view.controls
    key(window, qtbot, "PgDown")
    settled(window, qtbot)
    assert window.player.tick == 1
    key(window, qtbot, "B")
    assert window.canvas.blank
    key(window, qtbot, "Esc")
    assert window.bar.isVisible()
    assert not window.canvas.blank
    assert window.canvas.view.controls


def test_after_present_the_inspector_tells_the_tick_that_is_shown(
    window: Window, qtbot: QtBot
) -> None:
    key(window, qtbot, "F5")
    key(window, qtbot, "End")
    key(window, qtbot, "Esc")
    assert "Tick 13" in window.inspector.text.toPlainText()


def test_a_window_that_becomes_wide_again_tells_the_tick_that_is_shown(
    window: Window, qtbot: QtBot
) -> None:
    window.resize(1000, 720)
    key(window, qtbot, "End")
    window.resize(1600, 900)
    qtbot.waitUntil(lambda: "Tick 13" in window.inspector.text.toPlainText(), timeout=2000)


def test_a_block_is_chosen_at_rest_and_gone_to_while_another_runs(
    window: Window, qtbot: QtBot
) -> None:
    key(window, qtbot, "End")
    click(window, qtbot, "layer:0")
    assert (window.player.tick, window.canvas.view.layer) == (13, 0)
    key(window, qtbot, "Y")
    assert (window.player.tick, window.canvas.view.layer) == (13, 1)
    window.player.seek(3)  # softmax of the first block
    click(window, qtbot, "layer:1")
    assert window.player.tick == 9
    assert "blocks.1" in window.canvas.element_at(
        QPointF(window.canvas.place_of("grid:blocks.1.attn.pattern[0,0]") or QPoint())
    )
    key(window, qtbot, "Y")
    assert window.player.tick == 3


def test_another_sentence_asks_with_its_hidden_word(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "End")
    click(window, qtbot, "ask:1")
    window.first.controls.chain_choice.chosen.emit("gru")
    settled(window, qtbot)
    assert window.canvas.view.query == 1  # another model, the same question
    window.first.sentences.set_text("the dogs that slept ___")
    settled(window, qtbot)
    assert window.canvas.view.query is None


def test_a_blank_screen_has_nothing_that_shines(window: Window, qtbot: QtBot) -> None:
    window.notice.say("Saved.")
    key(window, qtbot, "F5")
    key(window, qtbot, "B")

    def colours() -> set[str]:
        image = window.grab().toImage()
        places = [(x, y) for x in range(0, image.width(), 9) for y in range(0, image.height(), 9)]
        return {image.pixelColor(*place).name() for place in places}

    qtbot.waitUntil(lambda: colours() == {"#000000"}, timeout=2000)  # the stage takes the strip
    key(window, qtbot, "B")
    assert window.strip.isVisible()
    assert window.notice.isVisible()


def test_the_capsule_comes_with_the_pointer_and_stays_under_it(
    window: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    window.presenting._timer.setInterval(20)
    key(window, qtbot, "F5")
    for place in (window.canvas, window.strip):
        assert not window.capsule.isVisible()
        qtbot.mouseMove(place, QPoint(7, 7))
        qtbot.mouseMove(place, QPoint(9, 8))
        qtbot.waitUntil(window.capsule.isVisible, timeout=2000)
        qtbot.waitUntil(lambda: not window.capsule.isVisible(), timeout=2000)
    monkeypatch.setattr(window.capsule, "underMouse", lambda: True)
    qtbot.mouseMove(window.strip, QPoint(7, 7))
    qtbot.wait(100)
    assert window.capsule.isVisible()
    key(window, qtbot, "Esc")
    assert not window.capsule.isVisible()


def test_a_name_without_an_ending_gets_that_of_the_chosen_kind(
    window: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def choose(*_: Any) -> tuple[str, str]:
        return str(tmp_path / "stage"), SAY("window.filter_svg")

    monkeypatch.setattr("PySide6.QtWidgets.QFileDialog.getSaveFileName", choose)
    window.do("export")
    settled(window, qtbot)
    assert (tmp_path / "stage.svg").read_text(encoding="utf-8").startswith("<")


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


def panels(window: Window) -> tuple[bool, bool]:
    return window.rail.isVisible(), window.inspector.isVisible()


@pytest.mark.parametrize(
    ("width", "rail", "inspector"),
    [(1600, True, True), (1438, True, True), (1366, False, True), (1280, True, False),
     (1024, False, False), (960, False, False)],
)  # fmt: skip
def test_where_the_window_is_narrow_first_the_rail_folds_then_the_inspector(
    window: Window, width: int, rail: bool, inspector: bool
) -> None:
    window.resize(width, 800)
    assert panels(window) == (rail, inspector)
    assert window.session.rail
    assert window.session.inspector


@pytest.mark.parametrize("width", [1280, 960])
def test_in_a_narrow_window_a_click_brings_the_inspector_and_esc_takes_it_away(
    window: Window, qtbot: QtBot, width: int
) -> None:
    window.resize(width, 720)
    key(window, qtbot, "End")
    qtbot.wait(50)
    click(window, qtbot, "chain:rnn.h.3")
    assert window.inspector.isVisible()
    assert "tanh" in window.inspector.text.toPlainText()
    qtbot.wait(50)
    place = window.canvas.place_of("chain:rnn.h.3")
    assert place is not None
    assert window.canvas.visibleRegion().contains(place)
    key(window, qtbot, "Esc")
    assert not window.inspector.isVisible()


def test_what_is_folded_for_want_of_room_comes_back_with_it(window: Window, qtbot: QtBot) -> None:
    window.resize(1024, 720)
    key(window, qtbot, "Ctrl+I")
    key(window, qtbot, "Ctrl+B")
    assert panels(window) == (True, True)
    key(window, qtbot, "Ctrl+I")
    key(window, qtbot, "Ctrl+B")
    assert panels(window) == (False, False)
    window.resize(1600, 900)
    assert panels(window) == (True, True)
    key(window, qtbot, "Ctrl+I")
    key(window, qtbot, "Ctrl+B")
    assert panels(window) == (False, False)
    window.resize(1500, 900)
    assert panels(window) == (False, False)


@pytest.mark.parametrize("name", ["light", "dark"])
def test_the_chrome_has_no_yellow_which_means_now(name: str) -> None:
    shown = theme.load(name)
    yellow = {shown.now, shown.now_soft, shown.now_edge}
    assert not [colour for colour in yellow if colour in style_sheet(shown)]


def test_no_two_actions_share_a_key_and_all_have_words() -> None:
    keys = [k for action in ACTIONS for k in action.keys]
    assert len(keys) == len(set(keys))
    for action in ACTIONS:
        assert SAY(f"action.{action.id}")


def test_the_readme_lists_the_keys() -> None:
    assert markdown_table(SAY) in (ROOT / "README.md").read_text(encoding="utf-8")


SIZES = ((1600, 900), (1280, 720), (960, 600))


def enlarge(window: Window, qtbot: QtBot, scale: float) -> None:
    """Press Ctrl+= as often as it takes."""
    key(window, qtbot, "Ctrl+0")
    for _ in range(SCALES.index(scale)):
        key(window, qtbot, "Ctrl+=")
    window.notice.clear()
    assert window.session.scale == scale


def parts_of(window: Window) -> list[QWidget]:
    """Return everything in the chrome that is seen and has words or can be pressed."""
    found: list[QWidget] = [*window.findChildren(QAbstractButton), *window.findChildren(QLabel)]
    found += [window.first.controls.field, window.transport.scrubber]
    return [widget for widget in found if widget.isVisible()]


@pytest.mark.parametrize("scale", SCALES)
def test_no_words_of_the_chrome_are_cut_off(window: Window, qtbot: QtBot, scale: float) -> None:
    enlarge(window, qtbot, scale)
    key(window, qtbot, "End")
    for size in SIZES:
        window.resize(*size)
        for _ in range(2):
            key(window, qtbot, "Ctrl+B")  # with the rail, where there is room for it, and without
            window.notice.clear()
            qtbot.wait(50)
            for widget in parts_of(window):
                words = widget.text() if isinstance(widget, (QAbstractButton, QLabel)) else ""
                if words and not widget.property("wordWrap"):
                    hint = widget.sizeHint()
                    assert widget.width() >= hint.width() - 1, (words, size, widget.width(), hint)
                    assert widget.height() >= hint.height() - 1, (words, size)
                if not isinstance(widget, Scrubber):  # which paints its words itself
                    assert widget.fontInfo().pixelSize() >= 12 * scale, words


@pytest.mark.parametrize("size", SIZES)
def test_nothing_of_the_chrome_overlaps_or_leaves_the_window(
    window: Window, qtbot: QtBot, size: tuple[int, int]
) -> None:
    window.resize(*size)
    for name in ("Ctrl+0", *["Ctrl+="] * 4, *["Ctrl+-"] * 4):
        key(window, qtbot, name)
        for _ in range(2):
            key(window, qtbot, "Ctrl+B")  # with the rail, where there is room for it, and without
            window.notice.clear()
            qtbot.wait(50)
            inside = (window.first.controls.field.tag, window.first.controls.field.pencil)
            places = {
                widget: QRect(widget.mapTo(window, QPoint()), widget.size())
                for widget in parts_of(window)
                if widget not in inside
            }
            for widget, place in places.items():
                assert window.rect().contains(place), (widget.objectName(), window.session.scale)
                for other, beside in places.items():
                    assert widget is other or not place.intersects(beside), (
                        widget.objectName(), other.objectName(), window.session.scale,
                    )  # fmt: skip
            assert window.place.height() > 200  # the stage keeps a third of the smallest window


@pytest.mark.parametrize("scale", SCALES)
def test_no_text_of_the_stage_is_under_12_px_times_the_factor(
    window: Window, qtbot: QtBot, scale: float
) -> None:
    enlarge(window, qtbot, scale)
    for size in SIZES:
        window.resize(*size)
        qtbot.wait(50)
        box_width, _, factor = window.canvas.fitted()
        assert 14 * factor >= 12 * scale - 1e-6
        scrolls = window.first.stage.horizontalScrollBar().maximum() > 0
        assert scrolls == (box_width * factor > window.first.stage.viewport().width() + 1)


def test_the_words_of_the_inspector_and_the_keys_grow_too(window: Window, qtbot: QtBot) -> None:
    enlarge(window, qtbot, 2.0)
    window.resize(1280, 720)
    key(window, qtbot, "End")
    click(window, qtbot, "chain:rnn.h.3")
    qtbot.wait(50)
    document = window.inspector.text.document()
    block = document.begin()
    while block.isValid():
        pieces = block.begin()
        while not pieces.atEnd():
            format = pieces.fragment().charFormat()
            script = format.verticalAlignment() != format.VerticalAlignment.AlignNormal
            size = format.font().pixelSize() * (2 / 3 if script else 1)
            assert size >= 24, pieces.fragment().text()
            pieces += 1
        block = block.next()
    assert document.idealWidth() <= window.inspector.width()
    window.help()
    assert window.sheet.fontInfo().pixelSize() == 28
    key(window, qtbot, "Ctrl+-")
    assert window.sheet.fontInfo().pixelSize() == 24


def test_keys_change_the_size_of_all_text_and_it_is_remembered(
    window: Window, qtbot: QtBot, tmp_path: Path
) -> None:
    seen = []
    for name in ("Ctrl+-", *["Ctrl+="] * 5, "Ctrl+-", "Ctrl+0", "Ctrl++"):
        key(window, qtbot, name)
        seen.append(round(100 * window.session.scale))
        assert f"{seen[-1]} %" in window.notice.text()
    assert seen == [100, 125, 150, 175, 200, 200, 175, 100, 125]
    window.close()
    again = Window(tmp_path / "session.json")
    again.show()
    assert again.session.scale == 1.25
    assert again.first.controls.field.fontInfo().pixelSize() == round(15 * 1.25)
    again.close()


def test_where_large_text_leaves_no_room_for_the_rail_it_is_said(
    window: Window, qtbot: QtBot
) -> None:
    enlarge(window, qtbot, 2.0)
    window.resize(960, 600)
    key(window, qtbot, "Ctrl+B")
    assert not window.rail.isVisible()
    assert window.notice.text() == SAY("window.no_room")
    window.resize(1280, 720)
    key(window, qtbot, "Ctrl+B")
    assert window.rail.isVisible()


def test_present_fills_the_screen_however_large_the_text_is(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "F5")
    qtbot.wait(50)
    before = (window.canvas.size(), window.strip.height())
    enlarge(window, qtbot, 2.0)
    qtbot.wait(50)
    assert (window.canvas.size(), window.strip.height()) == before
    assert window.first.stage.horizontalScrollBar().maximum() == 0
    window.capsule.show()
    qtbot.wait(50)
    for widget in window.capsule.findChildren(QWidget):
        assert window.strip.rect().contains(
            QRect(widget.mapTo(window.strip, QPoint()), widget.size())
        )


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


@pytest.mark.parametrize(
    "error",
    [RuntimeError("no\nway"), MemoryError(), Said("Choose another one."), ValueError("no fit")],
)
def test_an_error_of_the_worker_is_one_sentence_and_the_picture_stays(
    window: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    before = window.first.pair
    monkeypatch.setattr("app.sentences._compute", fail)
    window.first.sentences.compute()
    settled(window, qtbot)
    assert window.notice.text() == sentence_of(error)
    assert "\n" not in window.notice.text()
    assert window.first.pair is before


def test_only_what_is_meant_for_people_is_said_as_it_is() -> None:
    assert sentence_of(Said("Choose another one.")) == "Choose another one."
    assert "error of Unrolled’s own (ValueError: no fit)" in sentence_of(ValueError("no fit"))


def test_a_late_result_is_said_by_a_ring_round_the_play_button(
    window: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()

    def slow(*given: Any) -> Any:
        gate.wait(10)
        return compute(*given)

    compute: Callable[..., Any] = window_compute()
    monkeypatch.setattr("app.sentences._compute", slow)
    window.first.sentences.compute()
    play = window.transport.buttons["play"]
    qtbot.waitUntil(lambda: bool(play.property("late")), timeout=2000)
    gate.set()
    settled(window, qtbot)
    assert not play.property("late")


def window_compute() -> Callable[..., Any]:
    from app import sentences

    return sentences._compute


def test_the_inspector_is_read_by_keys(window: Window, qtbot: QtBot) -> None:
    window.player.seek(13)
    window.activate("chain:rnn.h.3[4]")
    key(window, qtbot, "Ctrl+Shift+I")
    assert window.inspector.text.hasFocus()
    key(window, qtbot, "Tab")
    key(window, qtbot, "Return")
    assert window.canvas.view.selected != "chain:rnn.h.3[4]"
    key(window, qtbot, "Backspace")
    assert window.canvas.view.selected == "chain:rnn.h.3[4]"


def test_present_shows_no_panels_whatever_is_pressed(window: Window, qtbot: QtBot) -> None:
    window.present()
    key(window, qtbot, "Ctrl+I")
    key(window, qtbot, "Ctrl+B")
    assert not window.inspector.isVisible()
    assert not window.rail.isVisible()
    key(window, qtbot, "?")
    key(window, qtbot, "Ctrl+L")
    assert window.first.controls.field.isVisible()
    assert window.first.controls.field.hasFocus()


def test_swapping_says_so_and_an_old_notice_is_not_repeated(window: Window, qtbot: QtBot) -> None:
    window.notice.say("Saved as nothing.")
    window.first.sentences.swap(0, 1)
    settled(window, qtbot)
    assert window.notice.text() == SAY("window.swapped")
    window.first.sentences.hide(0)
    settled(window, qtbot)
    assert "Saved" not in window.notice.text()


def test_only_unknown_words_get_a_chip_and_blanks_none(window: Window, qtbot: QtBot) -> None:
    window.first.sentences.set_text("İzmir cat ___ zz ___ cat zz")
    settled(window, qtbot)
    field = window.first.controls.field
    assert [field.text()[a:b] for a, b in field.chips()] == ["İzmir", "zz", "zz"]


def test_chips_of_a_long_text_stand_at_the_words_that_were_read(
    window: Window, qtbot: QtBot
) -> None:
    # 2056 words: of five "zz" in front the last one is read.
    window.first.sentences.set_text(
        "zz cat " * 5 + "the cat that slept " * 510 + "the cat that zz cat ___"
    )
    settled(window, qtbot)
    field = window.first.controls.field
    end = len(field.text())
    assert len(shown(window)) == 2048
    assert field.chips() == ((28, 30), (end - 10, end - 8))


def test_a_click_on_a_button_leaves_the_keys_to_the_stage(window: Window, qtbot: QtBot) -> None:
    qtbot.mouseClick(window.transport.buttons["step"], Qt.MouseButton.LeftButton)
    settled(window, qtbot)
    assert window.canvas.hasFocus()
    key(window, qtbot, "Space")
    assert window.player.playing
    key(window, qtbot, "Space")


@pytest.mark.parametrize("name", ["shot.jpg", "nowhere/shot.png"])
def test_the_window_is_saved_as_png_or_says_why_not(
    window: Window, tmp_path: Path, name: str
) -> None:
    assert not window.export_window(path=str(tmp_path / name))
    assert window.notice.text().endswith(".")


def test_shot_draws_the_window_and_refuses_what_it_cannot(
    qapp: QApplication, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "window.png"
    assert main(["shot", "--size", "1280x720", "-o", str(place)]) == 0
    assert QImage(str(place)).width() == 1280
    kept = place.read_bytes()
    assert main(["shot", "--text", " ", "-o", str(place)]) == 2
    assert capsys.readouterr().err.strip().endswith(".")
    for refused, word in (
        (["--tick", "14"], "behind the last, 13"), (["--size", "900x500"], "960 × 600"),
    ):  # fmt: skip
        assert main(["shot", *refused, "-o", str(place)]) == 2
        assert word in capsys.readouterr().err
    assert place.read_bytes() == kept


def dropped(window: Window, data: QMimeData) -> None:
    """Drop something on the window as the mouse does."""
    keys, button = Qt.KeyboardModifier.NoModifier, Qt.MouseButton.LeftButton
    place, copying = QPoint(600, 300), Qt.DropAction.CopyAction
    enter = QDragEnterEvent(place, copying, data, button, keys)
    window.dragEnterEvent(enter)
    assert enter.isAccepted()
    window.dropEvent(QDropEvent(QPointF(place), copying, data, button, keys))


def test_a_sentence_a_text_file_and_a_saved_run_can_be_dropped(
    window: Window, qtbot: QtBot, tmp_path: Path
) -> None:
    data = QMimeData()
    data.setText("the dogs that slept ___")
    dropped(window, data)
    settled(window, qtbot)
    assert shown(window)[1] == "dogs"
    (tmp_path / "a.txt").write_text("the old\nteacher ___", encoding="utf-8")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "a.txt"))])
    dropped(window, data)
    settled(window, qtbot)
    assert shown(window) == ["the", "old", "teacher", "___"]
    path = tmp_path / "run.npz"
    save_trace(make_trace("the birds near the river ___", "gru"), path)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    dropped(window, data)
    settled(window, qtbot)
    assert window.first.pair is not None
    assert window.first.pair.chain.facts.model == "gru"
    assert window.first.pair.grid.facts.model == "transformer"
    assert window.first.controls.field.text() == "the birds near the river ___"
    assert "as it was saved" in window.notice.text()


@pytest.mark.parametrize("damage", ["missing", "newer", "cut off", "picture"])
def test_a_file_that_cannot_be_opened_is_said_and_nothing_is_lost(
    window: Window, qtbot: QtBot, tmp_path: Path, damage: str
) -> None:
    path = tmp_path / ("a.png" if damage == "picture" else "run.npz")
    save_trace(make_trace("the birds ___", "gru"), path)
    if damage == "missing":
        path.unlink()
    elif damage == "cut off":
        path.write_bytes(path.read_bytes()[:1000])
    elif damage == "newer":
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        header = members["header.npy"].replace(b'"version": 1', b'"version": 9')
        assert header != members["header.npy"]
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in (members | {"header.npy": header}).items():
                archive.writestr(name, content)
    before = window.first.pair
    window.first.sentences.open_file(str(path))
    settled(window, qtbot)
    assert window.notice.text().endswith(".")
    assert path.name in window.notice.text()
    assert window.first.pair is before


def test_sentences_and_models_are_undone_and_redone(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "Ctrl+Z")
    assert "nothing to undo" in window.notice.text()
    window.first.sentences.set_text("the dogs ___")
    settled(window, qtbot)
    key(window, qtbot, "A")
    settled(window, qtbot)
    assert window.first.sentences.setting == Setting(attention=False)
    key(window, qtbot, "Ctrl+Z")
    settled(window, qtbot)
    assert (shown(window)[1], window.first.sentences.setting) == ("dogs", Setting())
    key(window, qtbot, "Ctrl+Z")
    settled(window, qtbot)
    assert shown(window)[1] == "cat"
    for _ in range(2):
        key(window, qtbot, "Ctrl+Shift+Z")
        settled(window, qtbot)
    assert (shown(window)[1], window.first.sentences.setting) == ("dogs", Setting(attention=False))
    key(window, qtbot, "Ctrl+Y")
    assert "nothing to redo" in window.notice.text()


def test_recent_sentences_are_offered(
    window: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without a display nothing can grab the keyboard, which a menu that pops up wants.
    monkeypatch.setattr(QMenu, "popup", lambda menu, place: None)
    key(window, qtbot, "Ctrl+R")
    assert "no other sentence" in window.notice.text()
    window.first.sentences.set_text("the dogs & cats ___")
    settled(window, qtbot)
    window.first.sentences.set_text("the wolves ___")
    settled(window, qtbot)
    key(window, qtbot, "Ctrl+R")
    menu = window.findChildren(QMenu)[-1]
    assert [entry.text() for entry in menu.actions()] == [
        "the dogs && cats ___", "the cat that slept ___",
    ]  # fmt: skip
    menu.actions()[0].trigger()
    settled(window, qtbot)
    assert shown(window)[1] == "dogs"


def test_tick_block_and_asking_word_are_shown_again(qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    for again in (False, True):
        window = Window(path)
        window.show()
        window.first.sentences.compute()
        qtbot.waitUntil(lambda w=window: w.first.pair is not None, timeout=20_000)  # type: ignore[misc]
        if again:
            view = window.canvas.view
            assert (window.player.tick, view.layer, view.query) == (13, 0, 2)
        else:
            key(window, qtbot, "End")
            click(window, qtbot, "layer:0")
            click(window, qtbot, "ask:2")
        window.close()


def test_a_frozen_state_stands_beside_what_is_changed(
    window: Window, qtbot: QtBot, tmp_path: Path
) -> None:
    def said() -> str:
        picture = window.canvas.picture()
        assert picture is not None
        return svg(picture)

    key(window, qtbot, "End")
    key(window, qtbot, "F")
    assert window.first.selection.scene == "compare"
    assert "A, frozen" in said()
    window.first.sentences.set_text("the dogs that slept ___")
    settled(window, qtbot)
    assert "dogs" in said()
    assert "cat" in said()
    path = tmp_path / "compared.svg"
    window.export_stage(ending=".svg", path=str(path))
    settled(window, qtbot)
    assert "B, now" in path.read_text(encoding="utf-8")
    key(window, qtbot, "F")
    assert window.first.selection.scene == "rnn-transformer"
    key(window, qtbot, "F")
    key(window, qtbot, "Esc")
    assert window.first.selection.scene == "rnn-transformer"


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


COUNTERS = ("depth", "flops", "seconds", "parameters", "memory")


@pytest.mark.parametrize("side", ["chain", "grid"])
def test_every_counter_opens_by_click_and_stays_while_ticks_pass(
    window: Window, qtbot: QtBot, side: str
) -> None:
    assert window.first.pair is not None
    for what in COUNTERS:
        click(window, qtbot, f"count:{side}:{what}")
        page = window.inspector.text.toPlainText()
        assert SAY(f"count.{what}") in page
        assert "Tick" not in page
        key(window, qtbot, "Right")
        settled(window, qtbot)
        assert SAY(f"count.{what}") in window.inspector.text.toPlainText()
        assert window.canvas.view.selected == f"count:{side}:{what}"
    assert window.player.tick == len(COUNTERS)
    key(window, qtbot, "Esc")
    assert f"Tick {len(COUNTERS)}" in window.inspector.text.toPlainText()
    assert not window.canvas.view.selected


def test_a_counter_opens_by_keys_and_stays_when_it_is_opened_again(
    window: Window, qtbot: QtBot
) -> None:
    for _ in range(200):
        key(window, qtbot, "Tab")
        if window.canvas.ringed == "count:tokens":
            break
    for _ in range(2):  # there is nothing one level deeper
        key(window, qtbot, "Return")
        assert window.first.selection.scene == "rnn-transformer"
        assert SAY("count.tokens_small") in window.inspector.text.toPlainText()


def test_a_step_of_the_longest_chain_opens_at_its_own_tick_and_backspace_goes_back(
    window: Window, qtbot: QtBot
) -> None:
    assert window.first.pair is not None
    window.activate("count:chain:depth")
    links = window.inspector.text.links
    assert [link for link in links if window.first.pair.find(link) is None] == []
    window.inspector.linked.emit("chain:attn.pattern")
    assert window.player.tick == window.first.pair.chain.ticks["look_back"]
    assert window.canvas.view.selected == "chain:attn.pattern"
    assert "attn.pattern" in window.inspector.text.toPlainText()
    window.inspector.linked.emit("chain:rnn.h.2")  # was computed before: the clock stays
    assert window.player.tick == window.first.pair.chain.ticks["look_back"]
    key(window, qtbot, "Backspace")
    key(window, qtbot, "Backspace")
    assert window.canvas.view.selected == "count:chain:depth"
    assert "longest chain" in window.inspector.text.toPlainText()


def test_a_counter_of_another_run_is_that_of_the_run_on_the_stage(
    window: Window, qtbot: QtBot
) -> None:
    window.activate("count:chain:depth")
    assert "Depth: 26" in window.inspector.text.toPlainText()
    window.first.sentences.set_text("the small birds near the river ___")
    settled(window, qtbot)
    assert window.first.pair is not None
    assert f"Depth: {window.first.pair.chain.depth}" in window.inspector.text.toPlainText()
    assert window.first.pair.chain.depth == 32


def test_the_page_of_flops_follows_the_marker_of_the_plots(window: Window, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: len(window.canvas.view.growth) > 4, timeout=30_000)
    window.activate("count:grid:flops")
    window.activate("length:3")
    row = next(row for row in window.canvas.view.growth if row.tokens == 3)
    page = re.sub(r"\s", "", window.inspector.text.toPlainText())  # thin and wide spaces alike
    assert f"T=3{row.flops[1]}T=5" in page


def test_a_remote_ends_the_black_screen_before_it_steps(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "F5")
    key(window, qtbot, "B")
    assert window.canvas.blank
    key(window, qtbot, "PgDown")
    assert not window.canvas.blank
    assert window.player.target == 0
    key(window, qtbot, "PgDown")
    assert window.player.target == 1


def test_what_a_comparison_does_not_show_is_not_changed_behind_it(
    window: Window, qtbot: QtBot
) -> None:
    key(window, qtbot, "F")
    before = window.canvas.view
    for name in ("L", "C", "I", "V"):
        key(window, qtbot, name)
        assert "changes nothing here" in window.notice.text()
    assert window.canvas.view == before


def test_opening_what_is_open_already_keeps_the_way_back(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "End")
    for _ in range(2):
        click(window, qtbot, "chain:rnn.h.2")
    click(window, qtbot, "chain:rnn.a.2[0]")
    window.activate("chain:rnn.a.2[0]")
    key(window, qtbot, "Backspace")
    assert window.first.selection.scene == "opened"
    assert window.canvas.view.selected == "chain:rnn.h.2"


def test_what_is_not_drawn_of_a_long_text_can_be_pointed_at_and_opened(
    window: Window, qtbot: QtBot
) -> None:
    window.first.sentences.set_text("the cat " * 300 + "___")
    settled(window, qtbot)
    key(window, qtbot, "End")
    for name in (
        "grid:blocks.1.attn.pattern[0,600,0]",
        "chain:rnn.h.601",
        "chain:attn.pattern[580]",
    ):
        window.canvas.show_view(replace(window.canvas.view, hovered=name))
        assert window.canvas.picture() is not None
        window.first.follow(name)
        assert window.canvas.picture() is not None


def test_a_picture_that_fails_is_said_and_ends_nothing(window: Window, qtbot: QtBot) -> None:
    def broken(*_: object) -> Any:
        return ()[1]  # type: ignore[misc]

    window.canvas._scene = broken
    window.canvas._changed()
    window.canvas.repaint()
    assert "IndexError" in window.notice.text()
    window.first.sentences.compute()
    settled(window, qtbot)
    assert window.canvas.picture() is not None


def test_an_emptied_sentence_leaves_nothing_of_an_opened_number(
    window: Window, qtbot: QtBot, tmp_path: Path
) -> None:
    key(window, qtbot, "End")
    for _ in range(2):
        window.activate("grid:blocks.0.attn.scores[0,1,1]")
    window.first.sentences.set_text("")
    settled(window, qtbot)
    assert window.canvas.picture() is None
    key(window, qtbot, "Ctrl++")
    assert window.export_window(path=str(tmp_path / "empty.png"))
    key(window, qtbot, "End")  # without a sentence there is no clock
    window.first.sentences.set_text("the dogs ___")
    settled(window, qtbot)
    assert window.canvas.picture() is not None


def test_the_keyboards_ring_does_not_outlive_its_element(window: Window, qtbot: QtBot) -> None:
    window.first.sentences.set_text(
        "the small birds behind the big houses near the river ___ quietly"
    )
    settled(window, qtbot)
    while window.canvas.ringed != "ask:7":
        key(window, qtbot, "Tab")
    window.first.sentences.set_text("the cat ___")
    settled(window, qtbot)
    key(window, qtbot, "Return")
    key(window, qtbot, "X")
    assert (window.canvas.view.query, window.canvas.view.pinned_word) == (None, None)
    assert not window.first.selection.is_open


def test_after_a_saved_run_the_switches_start_from_it(
    window: Window, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "run.npz"
    save_trace(make_trace("the birds ___", "gru-bi"), path)
    window.first.controls.field.setText("the dogs ba")
    window.first.controls.field.textEdited.emit(
        "the dogs ba"
    )  # what is being typed gives way to the file
    window.first.sentences.open_file(str(path))
    settled(window, qtbot)
    assert window.first.sentences.setting == Setting("gru", both=True)
    assert window.first.controls.chain_choice.current == "gru"
    key(window, qtbot, "K")
    settled(window, qtbot)
    assert window.first.pair is not None
    assert window.first.pair.chain.facts.model == "gru-bi"
    assert window.first.pair.grid.facts.model == "transformer-causal"


def test_undo_brings_back_what_an_empty_field_took_away(window: Window, qtbot: QtBot) -> None:
    window.first.sentences.set_text("the birds ___")
    settled(window, qtbot)
    window.first.sentences.set_text("")
    settled(window, qtbot)
    key(window, qtbot, "Ctrl+Z")
    settled(window, qtbot)
    assert shown(window)[1] == "birds"
    key(window, qtbot, "Ctrl+Z")
    settled(window, qtbot)
    assert shown(window)[1] == "cat"


def test_predict_covers_nothing_where_nothing_can_be_covered(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "V")
    key(window, qtbot, "F")
    for tick in (1, 2, 3):
        key(window, qtbot, "PgDown")
        settled(window, qtbot)
        assert window.player.tick == tick


def test_nothing_shines_while_the_screen_is_black(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "F5")
    key(window, qtbot, "B")
    window.notice.say("Important.")
    assert not window.notice.isVisible()
    key(window, qtbot, "Esc")
    assert window.notice.isVisible()


def test_a_dragged_word_and_its_goal_are_ringed(window: Window, qtbot: QtBot) -> None:
    def at(name: str) -> QPoint:
        place = window.canvas.place_of(name)
        assert place is not None
        return place

    start, goal, canvas = at("ask:1"), at("ask:3"), window.canvas
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=start)
    for point in (start + QPoint(20, 0), goal):
        qtbot.mouseMove(canvas, point)
    assert (canvas.view.dragged, canvas.view.hovered) == (1, "ask:3")
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=goal)
    settled(window, qtbot)
    assert canvas.view.dragged is None
    assert shown(window)[1] == "slept"

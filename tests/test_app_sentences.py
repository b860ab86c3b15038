"""Chapter 1's sentence and models: typed, switched, undone, dropped, and what is said of them."""

from __future__ import annotations

import re
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from driving import click, key, settled, shown
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QMenu, QWidget
from pytestqt.qtbot import QtBot

from app import SCALES
from app.compute import make_trace
from app.saying import sentence_of
from app.setting import Setting
from app.window import Window
from engine.said import Said
from engine.tasks.missing_word import WORDS
from engine.trace import save as save_trace
from widgets import captions
from widgets.controls import Field
from widgets.geometry import px

SAY = captions.load("en")


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
    assert not window.bar.badge.isVisible()  # nothing was computed
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
    result = window.first.sentences.result
    assert result is not None
    assert " · ".join(result.notes) in window.notice.text()


def test_what_the_stages_line_cuts_off_is_said_below_it(window: Window, qtbot: QtBot) -> None:
    """Of a very long text the stage's line also says that not all of it is drawn."""
    words = "the cat that slept " * 520 + "zebra"
    window.first.sentences.set_text(f"{words} ___")
    settled(window, qtbot)
    assert "“zebra”" in window.notice.text()
    assert "2\u202f048" in window.notice.text() or "2048" in window.notice.text()


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
    assert window.notice.text() == SAY("window.classic_text")
    key(window, qtbot, "End")
    assert not window.notice.isVisible()  # read by now, and the stage has its room again


def test_another_sentence_asks_with_its_hidden_word(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "End")
    click(window, qtbot, "ask:1")
    window.first.controls.chain_choice.chosen.emit("gru")
    settled(window, qtbot)
    assert window.canvas.view.query == 1  # another model, the same question
    window.first.sentences.set_text("the dogs that slept ___")
    settled(window, qtbot)
    assert window.canvas.view.query is None


def window_compute() -> Callable[..., Any]:
    from app import sentences

    return sentences._compute


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


def test_a_long_sentence_that_was_typed_is_seen_from_its_first_word(
    window: Window, qtbot: QtBot
) -> None:
    field, text = window.first.controls.field, "the farmer near the old dogs that slept " * 4
    key(window, qtbot, "Ctrl+L")
    qtbot.keyClicks(field, text)
    assert field.cursorPosition() == len(text)
    qtbot.keyClick(field, Qt.Key.Key_Return)
    settled(window, qtbot)
    assert not field.hasFocus()
    assert field.cursorRect().left() >= 0
    assert field.cursorPosition() == 0
    window.first.sentences.set_text(text + "___")  # as a file, or a sentence of before
    settled(window, qtbot)
    assert field.cursorPosition() == 0


@pytest.mark.parametrize("text", ["שלום cat ___ مرحبا", "cat שלום zzz ___", "the 😀🐈 zzz cat ___"])
def test_chips_stand_at_their_words_whichever_way_they_are_read(
    window: Window, qtbot: QtBot, text: str
) -> None:
    field = window.first.controls.field
    window.first.sentences.set_text(text)
    settled(window, qtbot)
    field.setFocus()
    seen = []
    for first, last in field.chips():
        # Where Qt itself puts the cursor before and behind the word.
        ends = []
        for index in (first, last):
            field.setCursorPosition(len(text[:index].encode("utf-16-le")) // 2)
            ends.append(field.cursorRect().center().x())
        seen.append(tuple(sorted(ends)))
    for position in (0, 3, len(text)):
        field.setCursorPosition(position)
        drawn = field.chip_places()
        assert len(drawn) == len(seen) > 0
        for (left, right), (low, high) in zip(drawn, seen, strict=True):
            assert left == pytest.approx(low, abs=2.5)
            assert right == pytest.approx(high, abs=2.5)


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


def dropped(window: Window, data: QMimeData, onto: QWidget | None = None) -> None:
    """Drop something on a widget of the window, the stage by default, as the mouse does."""
    keys, button = Qt.KeyboardModifier.NoModifier, Qt.MouseButton.LeftButton
    target, copying = onto or window.canvas, Qt.DropAction.CopyAction
    place, handle = target.mapTo(window, target.rect().center()), window.windowHandle()
    assert handle is not None
    enter = QDragEnterEvent(place, copying, data, button, keys)
    QApplication.sendEvent(handle, enter)
    assert enter.isAccepted()
    drop = QDropEvent(QPointF(place), copying, data, button, keys)
    QApplication.sendEvent(handle, drop)
    assert drop.isAccepted()


def test_what_is_dropped_on_the_sentence_takes_its_place(
    window: Window, qtbot: QtBot, tmp_path: Path
) -> None:
    field = window.first.controls.field
    data = QMimeData()
    data.setText("the dogs that slept ___")
    dropped(window, data, field)
    settled(window, qtbot)
    assert field.text() == "the dogs that slept ___"
    (tmp_path / "a.txt").write_text("the birds ___", encoding="utf-8")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "a.txt"))])
    data.setText((tmp_path / "a.txt").as_uri())  # as managers of files do
    dropped(window, data, field)
    settled(window, qtbot)
    assert shown(window) == ["the", "birds", "___"]


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
    (tmp_path / "b.txt").write_text("the cat ___", encoding="utf-8")
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / name)) for name in ("b.txt", "a.txt")])
    dropped(window, data)
    settled(window, qtbot)
    assert shown(window) == ["the", "cat", "___"]
    assert "of those dropped it is the first" in window.notice.text()
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


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("missing", "no such file"), ("newer", "a newer version of Unrolled wrote it"),
        ("cut off", "it is cut off"), ("picture", "is none of these"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_opened_is_said_and_nothing_is_lost(
    window: Window, qtbot: QtBot, tmp_path: Path, damage: str, said: str
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
    assert said in window.notice.text()
    assert window.first.pair is before
    assert window.first.controls.field.text() == "the cat that slept ___"


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


def test_known_words_are_offered_and_take_the_place_of_an_unknown_one(
    window: Window, qtbot: QtBot
) -> None:
    field = window.first.controls.field
    window.first.sentences.set_text("the yak that slept ___")
    settled(window, qtbot)
    assert "words" not in window.first.__dict__  # nothing is made before somebody asks
    qtbot.mouseClick(field.tag, Qt.MouseButton.LeftButton)
    sheet = window.first.words
    assert sheet.isVisible()
    assert sheet.geometry().top() >= field.mapTo(window, QPoint(0, field.height())).y()
    assert window.rect().contains(sheet.geometry())
    assert field.selectedText() == "yak"
    links = set(re.findall(r'href="(\w+)"', sheet.toHtml()))
    assert links == set(WORDS)
    for _ in range(10):  # 7 determiners, 2 relative words, the first animal
        key(window, qtbot, "Tab")
    key(window, qtbot, "Return")
    settled(window, qtbot)
    assert field.text() == "the cat that slept ___"
    assert window.first.sentences._typing.isActive()
    window.first.sentences.compute()
    settled(window, qtbot)
    assert window.first.pair is not None
    assert not any(window.first.pair.unknown)
    assert sheet.isVisible()  # for the next word
    sheet.anchorClicked.emit(QUrl("quietly"))
    assert field.text() == "the cat quietly that slept ___"
    key(window, qtbot, "Esc")
    assert not sheet.isVisible()
    assert field.hasFocus()


def test_a_key_offers_the_known_words_where_the_cursor_is(window: Window, qtbot: QtBot) -> None:
    field = window.first.controls.field
    key(window, qtbot, "F5")
    key(window, qtbot, "Ctrl+W")  # which needs the bar
    assert not window.presenting.on
    sheet = window.first.words
    assert sheet.isVisible()
    sheet.anchorClicked.emit(QUrl("today"))
    assert field.text() == "the cat that slept ___ today"  # nobody typed anywhere
    key(window, qtbot, "T")  # what the window would do by a letter it does not
    assert window.theme_name == "light"
    key(window, qtbot, "Ctrl+W")
    assert not sheet.isVisible()
    assert field.hasFocus()
    field.setCursorPosition(4)
    key(window, qtbot, "Ctrl+W")
    for word in ("small", "brown"):
        sheet.anchorClicked.emit(QUrl(word))
        window.first.sentences.compute()
        settled(window, qtbot)
    assert field.text() == "the small brown cat that slept ___ today"
    qtbot.mouseClick(window.canvas, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    window.canvas.setFocus()
    assert not sheet.isVisible()
    assert field.cursorPosition() == 0
    window.first.sentences.set_text("")
    key(window, qtbot, "Ctrl+W")
    sheet.anchorClicked.emit(QUrl("the"))
    sheet.anchorClicked.emit(QUrl("cat"))
    assert field.text() == "the cat"


@pytest.mark.parametrize("scale", SCALES)
def test_the_known_words_are_readable_at_every_size(
    window: Window, qtbot: QtBot, scale: float
) -> None:
    window.session.scale = scale
    for size in ((1600, 900), (960, 600)):
        window.resize(*size)
        for theme in ("light", "contrast-dark"):
            window.set_theme(theme)
            key(window, qtbot, "Ctrl+W")
            sheet = window.first.words
            assert window.rect().contains(sheet.geometry())
            assert sheet.height() > 250
            assert sheet.horizontalScrollBar().maximum() == 0
            assert sheet.document().defaultFont().pixelSize() == px(14, scale)
            key(window, qtbot, "Esc")


def test_where_the_count_has_no_room_it_tells_what_is_unknown(window: Window, qtbot: QtBot) -> None:
    field = window.first.controls.field
    window.first.sentences.set_text("the yak that slept ___")
    settled(window, qtbot)
    tag = field.tag
    assert tag.text() == "5 tokens, 1 hidden, 1 unknown"
    window.resize(1280, 720)
    qtbot.waitUntil(lambda: tag.text() == "1 unknown" and tag.isVisible())
    window.resize(1600, 900)
    qtbot.waitUntil(lambda: tag.text() == "5 tokens, 1 hidden, 1 unknown")


@pytest.mark.parametrize(
    ("text", "selected", "after"),
    [("", (0, 0), "cat"), ("the", (3, 0), "the cat"), ("the ", (4, 0), "the cat"),
     ("the slept", (4, 0), "the cat slept"), ("the slept", (3, 0), "the cat slept"),
     ("the yak slept", (4, 3), "the cat slept"), ("\U0001f42f\U0001f42f slept", (4, 0),
     "\U0001f42f\U0001f42f cat slept")],
)  # fmt: skip
def test_a_word_that_is_put_in_is_set_off_by_spaces(
    qtbot: QtBot, text: str, selected: tuple[int, int], after: str
) -> None:
    field = Field(SAY)
    qtbot.addWidget(field)
    field.setText(text)
    field.setCursorPosition(selected[0])
    if selected[1]:
        field.setSelection(*selected)
    field.put_in("cat")
    assert field.text() == after


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


def test_a_menu_of_choices_begins_at_what_is_chosen(window: Window) -> None:
    choice = window.first.controls.chain_choice
    choice.choose("gru")
    choice.menu().aboutToShow.emit()
    active = choice.menu().activeAction()
    assert active is not None
    assert active.data() == "gru"  # so that the next key down is the LSTM

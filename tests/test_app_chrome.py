"""What is round the stage: panels that fold, words that fit at every size, Present."""

from __future__ import annotations

from pathlib import Path

import pytest
from driving import click, key, settled
from PySide6.QtCore import QPoint, QRect
from PySide6.QtWidgets import QAbstractButton, QLabel, QWidget
from pytestqt.qtbot import QtBot

from app import SCALES
from app.actions import ACTIONS
from app.window import Window
from widgets import captions, theme
from widgets.controls import style_sheet
from widgets.transport import Scrubber

SAY = captions.load("en")


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


@pytest.mark.parametrize("size", [(1280, 720), (1366, 768), (1600, 900)])
@pytest.mark.parametrize("name", ["", "chain:rnn.h.3"])
def test_at_usual_sizes_the_whole_stage_is_seen_also_with_an_element_opened(
    window: Window, qtbot: QtBot, size: tuple[int, int], name: str
) -> None:
    window.resize(*size)
    key(window, qtbot, "End")
    if name:
        window.activate(name)
        assert window.inspector.isVisible()
    stage = window.first.stage
    bars = (stage.horizontalScrollBar(), stage.verticalScrollBar())
    qtbot.waitUntil(lambda: not any(bar.maximum() for bar in bars), timeout=5000)
    scrubber = window.transport.scrubber
    assert scrubber.height() >= 36  # its words end there
    window.resize(1600, 900)
    assert (window.bar.height(), window.live.height()) == (50, 30)


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


@pytest.mark.parametrize("name", ["light", "dark"])
def test_the_chrome_has_no_yellow_which_means_now(name: str) -> None:
    shown = theme.load(name)
    yellow = {shown.now, shown.now_soft, shown.now_edge}
    assert not [colour for colour in yellow if colour in style_sheet(shown)]


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


@pytest.mark.parametrize("size", SIZES)
def test_the_list_of_keys_is_seen_whole_or_turned_by_keys(
    window: Window, qtbot: QtBot, size: tuple[int, int]
) -> None:
    window.resize(*size)
    key(window, qtbot, "?")
    bar = window.sheet.verticalScrollBar()
    words = window.sheet.toPlainText()
    for action in ACTIONS:
        assert SAY(f"action.{action.id}") in words
    if size == (1600, 900):
        assert bar.maximum() == 0
    while bar.value() < bar.maximum():
        before = bar.value()
        key(window, qtbot, "Down")
        assert bar.value() > before
        assert window.sheet.isVisible()
    for name in ("Up", "PgUp"):
        key(window, qtbot, name)
    assert bar.value() < bar.maximum() or not bar.maximum()
    assert window.player.target == 0  # the clock stands
    key(window, qtbot, "Esc")
    assert not window.sheet.isVisible()


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


def test_present_fills_the_screen_however_large_the_text_is(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "F5")
    qtbot.wait(50)
    before = (window.canvas.size(), window.strip.height())
    enlarge(window, qtbot, 2.0)
    qtbot.wait(50)
    assert (window.canvas.size(), window.strip.height()) == before
    assert window.first.stage.horizontalScrollBar().maximum() == 0
    window.strip.capsule.show()
    qtbot.wait(50)
    for widget in window.strip.capsule.findChildren(QWidget):
        assert window.strip.rect().contains(
            QRect(widget.mapTo(window.strip, QPoint()), widget.size())
        )


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


def test_nothing_shines_while_the_screen_is_black(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "F5")
    key(window, qtbot, "B")
    window.notice.say("Important.")
    assert not window.notice.isVisible()
    key(window, qtbot, "Esc")
    assert window.notice.isVisible()


def test_the_capsule_comes_with_the_pointer_and_stays_under_it(
    window: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    window.presenting._timer.setInterval(20)
    key(window, qtbot, "F5")
    for place in (window.canvas, window.strip):
        assert not window.strip.capsule.isVisible()
        qtbot.mouseMove(place, QPoint(7, 7))
        qtbot.mouseMove(place, QPoint(9, 8))
        qtbot.waitUntil(window.strip.capsule.isVisible, timeout=2000)
        qtbot.waitUntil(lambda: not window.strip.capsule.isVisible(), timeout=2000)
    monkeypatch.setattr(window.strip.capsule, "underMouse", lambda: True)
    qtbot.mouseMove(window.strip, QPoint(7, 7))
    qtbot.wait(100)
    assert window.strip.capsule.isVisible()
    key(window, qtbot, "Esc")
    assert not window.strip.capsule.isVisible()


def test_a_remote_ends_the_black_screen_before_it_steps(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "F5")
    key(window, qtbot, "B")
    assert window.canvas.blank
    key(window, qtbot, "PgDown")
    assert not window.canvas.blank
    assert window.player.target == 0
    key(window, qtbot, "PgDown")
    assert window.player.target == 1

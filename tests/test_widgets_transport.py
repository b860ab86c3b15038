"""The foot of the window: where ticks lie on the scrubber, what is pressed, what is off."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QPainter
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from widgets import captions, theme
from widgets import transport as transports
from widgets.controls import style_sheet
from widgets.fonts import register_fonts
from widgets.geometry import text_width
from widgets.transport import Group, Scrubber, Transport, prepare_run_answer

SAY = captions.load("en")
LIGHT = theme.load("light")


@pytest.fixture
def scrubber(qtbot: QtBot) -> Scrubber:
    register_fonts()
    made = Scrubber(LIGHT, SAY)
    qtbot.addWidget(made)
    made.resize(900, 42)
    return made


@pytest.fixture
def transport(qtbot: QtBot) -> Transport:
    register_fonts()
    made = Transport(LIGHT, SAY, (0.5, 1.0, 2.0, 4.0))
    made.show_theme(LIGHT)
    qtbot.addWidget(made)
    made.resize(1400, 86)
    made.show_groups(prepare_run_answer(SAY, 13))
    made.show_tick(0.0)
    made.show_playing(False, 1.0)
    return made


@pytest.mark.parametrize("last", [1, 2, 3, 7, 13, 34])
def test_a_press_where_a_tick_lies_is_that_tick(scrubber: Scrubber, last: int) -> None:
    scrubber.groups = prepare_run_answer(SAY, last)
    places = [scrubber.x_of(tick) for tick in range(last + 1)]
    assert places == sorted(places)
    assert [scrubber.tick_at(x) for x in places] == list(range(last + 1))


def test_between_two_ticks_the_knob_lies_between_them(scrubber: Scrubber) -> None:
    scrubber.groups = prepare_run_answer(SAY, 13)
    for tick in range(13):
        middle = (scrubber.x_of(tick) + scrubber.x_of(tick + 1)) / 2
        assert scrubber.x_of(tick + 0.5) == pytest.approx(middle)


def test_prepare_and_answer_have_one_tick_each_and_run_the_rest(scrubber: Scrubber) -> None:
    scrubber.groups = prepare_run_answer(SAY, 13)
    assert [group[1:] for group in scrubber.groups] == [(0, 0), (1, 12), (13, 13)]


def test_groups_of_many_ticks_have_more_room_and_each_word_its_own(scrubber: Scrubber) -> None:
    scrubber.groups = (
        Group("Host", 0, 1), Group("Block 7, forward", 2, 12), Group("Backward", 13, 18),
        Group("Update", 19, 20),
    )  # fmt: skip
    places = [scrubber.x_of(tick) for tick in range(21)]
    assert places == sorted(places)
    assert [scrubber.tick_at(x) for x in places] == list(range(21))
    widths = [right - left for left, right in scrubber.spans()]
    assert widths[1] > widths[2] > widths[0] == pytest.approx(widths[3])
    scrubber.resize(200, 42)
    lefts, rights = zip(*scrubber.spans(), strict=True)
    assert all(right < left for right, left in zip(rights, lefts[1:], strict=False))
    assert rights[-1] <= 200


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
def test_at_its_least_width_the_words_of_the_groups_stand_apart(
    scrubber: Scrubber, scale: float
) -> None:
    scrubber.enlarge(scale)
    scrubber.resize(scrubber.minimumSize())
    starts = [left for left, _ in scrubber.spans()]
    ends = [
        left + text_width(group.caption, 13 * scale, 700)
        for left, group in zip(starts, scrubber.groups, strict=True)
    ]
    assert ends[0] < starts[1]
    assert ends[1] < starts[2]
    assert ends[2] <= scrubber.width()


@pytest.mark.parametrize("low", [False, True])
@pytest.mark.parametrize("width", [200, 440, 900])
def test_captions_end_in_dots_and_not_in_half_a_letter_and_no_tick_touches_them(
    scrubber: Scrubber, width: int, low: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    words: list[tuple[QRectF, float, float]] = []
    ends: list[float] = []

    class Spy(QPainter):
        def drawText(self, place: QRectF, flags: Any, text: str) -> None:  # type: ignore[override]  # noqa: N802
            metrics = QFontMetricsF(self.font())
            cap = place.top() + metrics.ascent() - metrics.capHeight()
            words.append((place, metrics.horizontalAdvance(text), cap))

        def drawLine(self, start: QPointF, end: QPointF) -> None:  # type: ignore[override]  # noqa: N802
            ends.append(end.y())

    monkeypatch.setattr(transports, "QPainter", Spy)
    scrubber.groups = (
        Group("From RNN to Transformer", 0, 13), Group("3 Computing in AI", 14, 24),
        Group("CPU & GPU works", 25, 31), Group("Analytical vs Empirical", 32, 41),
    )  # fmt: skip
    scrubber.enlarge(1.0, low)
    scrubber.resize(width, scrubber.minimumHeight())
    scrubber.grab()
    assert len(words) == 4
    for place, advance, cap in words:
        assert advance <= place.width()
        assert max(ends) + 2 <= cap
    for (place, *_), (following, *_) in itertools.pairwise(words):
        assert place.right() < following.left()


@pytest.fixture
def placed(qtbot: QtBot) -> Iterator[Callable[[int, float], Transport]]:
    """Yield what lays the foot out in a window of a width, at a size of the text."""
    register_fonts()
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(1600, 300)
    foot = Transport(LIGHT, SAY, (0.5, 1.0, 2.0, 4.0))
    foot.show_theme(LIGHT)
    foot.setParent(window)
    foot.show_playing(False, 1.0)
    window.show()

    def place(width: int, scale: float) -> Transport:
        window.setStyleSheet(style_sheet(LIGHT, scale))
        foot.show_theme(LIGHT, scale)
        foot.resize(width, 300)
        qtbot.wait(20)
        return foot

    yield place
    window.close()


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("width", [760, 960, 1280])
def test_where_it_is_narrow_the_speeds_are_a_menu_and_the_title_stands_above(
    placed: Callable[[int, float], Transport], width: int, scale: float
) -> None:
    transport = placed(width, scale)
    segments = {button.isVisible() for button in transport.speeds.buttons()}
    assert segments == {not transport.speed_choice.isVisible()}
    above = transport.title.geometry().bottom() < transport.buttons["play"].geometry().top()
    assert above or transport.title.width() >= 470 * scale
    if width >= 480 * scale:
        assert transport.speeds.buttons()[-1].geometry().right() < width
        assert transport.speed_choice.geometry().right() < width


def test_a_speed_is_chosen_from_the_menu_too(transport: Transport) -> None:
    chosen: list[float] = []
    transport.speed_chosen.connect(chosen.append)
    transport.speed_choice.menu().actions()[0].trigger()
    assert chosen == [0.5]
    transport.show_playing(True, 4.0)
    assert transport.speed_choice.text() == "4×"


def test_of_a_title_without_room_the_rest_is_in_the_tooltip(
    placed: Callable[[int, float], Transport],
) -> None:
    transport = placed(960, 1.5)
    note = "chain: a stage with a long name · grid: another one " * 4
    transport.show_tick(3.0, "Tick 3 of 13", note)
    assert "…" in transport.title.text()
    assert transport.title.toolTip() == note
    assert transport.title.sizeHint().width() <= transport.title.width()
    transport.show_tick(4.0, "Tick 4 of 13", "chain: Read <b>")
    assert "Read &lt;b&gt;" in transport.title.text()
    assert transport.title.toolTip() == ""


def test_dragging_seeks_along(scrubber: Scrubber, qtbot: QtBot) -> None:
    scrubber.groups = prepare_run_answer(SAY, 13)
    sought: list[float] = []
    scrubber.sought.connect(sought.append)
    scrubber.show()
    places = [QPoint(round(scrubber.x_of(tick)), 12) for tick in (2, 3, 9)]
    qtbot.mousePress(scrubber, Qt.MouseButton.LeftButton, pos=places[0])
    for place in places[1:]:
        qtbot.mouseMove(scrubber, place)
    qtbot.mouseRelease(scrubber, Qt.MouseButton.LeftButton, pos=places[-1])
    assert sought[0] == 2
    assert sought[-1] == 9


def test_each_button_says_which_action_it_is(transport: Transport, qtbot: QtBot) -> None:
    pressed: list[str] = []
    transport.pressed.connect(pressed.append)
    for button in transport.buttons.values():
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert pressed == ["first", "back", "play", "step", "last"]


def test_a_speed_is_chosen_and_shown(transport: Transport, qtbot: QtBot) -> None:
    chosen: list[float] = []
    transport.speed_chosen.connect(chosen.append)
    for button in transport.speeds.buttons():
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert chosen == [0.5, 1.0, 2.0, 4.0]
    transport.show_playing(True, 2.0)
    checked = transport.speeds.checkedButton()
    assert checked is not None
    assert checked.text() == "2×"


def yellow_dots(scrubber: Scrubber) -> int:
    image = scrubber.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    now = QColor(LIGHT.now).rgb()
    return sum(
        image.pixel(x, y) == now for x in range(image.width()) for y in range(image.height())
    )


def test_the_knob_is_yellow_and_gone_while_there_is_no_now(scrubber: Scrubber) -> None:
    scrubber.groups, scrubber.tick = prepare_run_answer(SAY, 13), 5.0
    assert yellow_dots(scrubber) > 100
    scrubber.setEnabled(False)
    assert yellow_dots(scrubber) == 0
    # Without a now there are no ticks either, and no group is the one that runs.
    many = scrubber.grab().toImage()
    scrubber.tick = 0.0
    assert scrubber.grab().toImage() == many
    scrubber.setEnabled(True)
    assert scrubber.grab().toImage() != many


def test_a_result_in_time_shows_no_ring(transport: Transport, qtbot: QtBot) -> None:
    transport.show_busy(True)
    transport.show_busy(False)
    qtbot.wait(200)
    assert not transport.buttons["play"].property("late")

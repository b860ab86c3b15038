"""The stage as a widget: frames until it has settled, pointer, ring, and names that are read."""

from __future__ import annotations

import sys
from dataclasses import replace
from time import sleep
from typing import Any, cast

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage, QPainter
from pytestqt.qtbot import QtBot

from engine.trace import Pair
from widgets import captions, painter, theme
from widgets.canvas import Canvas
from widgets.geometry import fit, fit_screen
from widgets.picture import Group, Picture, Rect
from widgets.view import View

VIEW = View(1188, 728, theme.load("light"), captions.load("en"))
PAIR = cast(Pair, object())  # the scene below asks nothing of it
NAMES = ("ask:0", "ask:1", "chain:rnn.h.1")


def boxes(pair: Pair, tick: float, view: View) -> Picture:
    """Return three named boxes, the one under the pointer in ink."""
    shapes = tuple(
        Rect(x=100 + 200 * i, y=100, width=100, height=60, name=name, title=f"box {i}",
             fill=view.theme.ink if view.hovered == name else view.theme.well)
        for i, name in enumerate(NAMES)
    )  # fmt: skip
    return Picture(
        width=view.width, height=view.height, background=view.theme.stage, shapes=shapes,
        title="boxes", description=f"three boxes at tick {tick:g}",
    )  # fmt: skip


@pytest.fixture
def canvas(qtbot: QtBot) -> Canvas:
    made = Canvas(VIEW)
    qtbot.addWidget(made)
    made.resize(1188, 728)
    made.show_scene(boxes, PAIR)
    made.show()
    qtbot.waitExposed(made)
    return made


def at(canvas: Canvas, name: str) -> QPoint:
    point = canvas.place_of(name)
    assert point is not None
    return point


def pixel(canvas: Canvas, point: QPoint) -> str:
    image = canvas.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    return image.pixelColor(point).name().upper()


def test_without_a_pair_there_is_an_empty_stage(qtbot: QtBot) -> None:
    empty = Canvas(VIEW)
    qtbot.addWidget(empty)
    empty.resize(1188, 728)
    assert pixel(empty, QPoint(200, 200)) == VIEW.theme.stage
    assert empty.picture() is None
    empty.walk(1)
    assert empty.ringed == ""


def test_the_pointer_lights_what_lies_under_it_and_nothing_once_it_has_left(
    canvas: Canvas, qtbot: QtBot
) -> None:
    qtbot.mouseMove(canvas, at(canvas, "ask:1"))
    assert canvas.view.hovered == "ask:1"
    assert pixel(canvas, at(canvas, "ask:1")) == VIEW.theme.ink
    qtbot.mouseMove(canvas, QPoint(5, 5))
    assert canvas.view.hovered == ""


def test_a_click_opens_and_one_beside_everything_closes(canvas: Canvas, qtbot: QtBot) -> None:
    opened: list[str] = []
    canvas.activated.connect(opened.append)
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=at(canvas, "chain:rnn.h.1"))
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    assert opened == ["chain:rnn.h.1", ""]


def test_only_a_word_is_dropped_and_only_on_a_word(canvas: Canvas, qtbot: QtBot) -> None:
    dropped: list[tuple[int, int]] = []
    opened: list[str] = []
    canvas.dropped.connect(lambda a, b: dropped.append((a, b)))
    canvas.activated.connect(opened.append)
    for start, end in ((0, 1), (0, 2), (2, 0)):
        qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=at(canvas, NAMES[start]))
        qtbot.mouseMove(canvas, at(canvas, NAMES[end]))
        qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=at(canvas, NAMES[end]))
    assert dropped == [(0, 1)]
    assert opened == []


def test_the_ring_goes_round_in_reading_order_and_its_element_is_read(
    canvas: Canvas, qtbot: QtBot
) -> None:
    seen = []
    for _ in range(4):
        canvas.walk(1)
        seen.append(canvas.ringed)
    assert tuple(seen) == (*NAMES, NAMES[0])
    canvas.walk(-1)
    assert canvas.ringed == NAMES[-1]
    assert canvas.accessibleDescription() == "box 2"


def test_the_ring_is_ink_round_the_element(canvas: Canvas, qtbot: QtBot) -> None:
    left = QPoint(at(canvas, "ask:0").x() - 53, at(canvas, "ask:0").y())
    assert pixel(canvas, left) == VIEW.theme.stage
    canvas.walk(1)
    qtbot.waitUntil(canvas.hasFocus)
    assert pixel(canvas, left) == VIEW.theme.ink


def test_the_stage_has_a_name_and_tells_its_moment(canvas: Canvas) -> None:
    canvas.show_tick(3.0)
    canvas.picture()
    assert canvas.accessibleName() == "boxes"
    assert canvas.accessibleDescription() == "three boxes at tick 3"


def test_a_blank_stage_is_black_and_nothing_can_be_clicked(canvas: Canvas, qtbot: QtBot) -> None:
    canvas.blank = True
    assert pixel(canvas, at(canvas, "ask:0")) == "#000000"
    assert canvas.element_at(at(canvas, "ask:0").toPointF()) == ""


def test_another_theme_is_shown_at_once(canvas: Canvas) -> None:
    dark = theme.load("dark")
    canvas.show_with(theme=dark)
    assert pixel(canvas, QPoint(5, 5)) == dark.stage


def test_a_small_place_scrolls_and_a_small_screen_in_present_does_not(qtbot: QtBot) -> None:
    canvas = Canvas(VIEW)
    qtbot.addWidget(canvas)
    assert canvas.minimumWidth() > 960
    canvas.present(True)
    assert canvas.minimumWidth() < 320
    canvas.resize(1600, 900)  # as high as the class can still read, and not as all of it fits
    assert canvas.fitted() == fit_screen(1600, 900, 900) != fit(1600, 900, least_scale=0.1)


def test_a_change_is_settled_when_it_has_been_painted(canvas: Canvas, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: canvas.settled)
    canvas.show_tick(1.0)
    assert not canvas.settled
    qtbot.waitUntil(lambda: canvas.settled)


def test_at_rest_what_is_expected_is_drawn_ahead_once(canvas: Canvas, qtbot: QtBot) -> None:
    drawn: list[str] = []

    def scene(pair: Pair, tick: float, view: View) -> Picture:
        drawn.append(view.hovered)
        if view.hovered == "wrong":
            raise ValueError("no such picture")
        picture = boxes(pair, tick, view)
        slot = Group(shapes=picture.shapes, slot="boxes", cache_key=(view.hovered,))
        return replace(picture, shapes=(slot,))

    told: list[str] = []
    canvas.failed.connect(lambda error: told.append(str(error)))
    canvas.expected = lambda: canvas.view._replace(hovered="ask:1")
    canvas.show_scene(scene, PAIR)
    qtbot.waitUntil(lambda: drawn == ["", "ask:1"])
    ahead = canvas._painter
    qtbot.waitUntil(lambda: any("ask:1" in str(key) for key in ahead._finished))
    assert canvas.view.hovered == ""
    canvas.show_view(canvas.expected())
    assert pixel(canvas, at(canvas, "ask:1")) == VIEW.theme.ink
    assert drawn == ["", "ask:1"]  # it was not drawn again
    canvas.show_tick(1.0)  # what was drawn ahead is of another moment
    canvas.picture()
    assert drawn == ["", "ask:1", "ask:1"]
    canvas.expected = lambda: canvas.view._replace(hovered="wrong")
    qtbot.waitUntil(lambda: "wrong" in drawn)
    assert not told  # it is said when it is asked for
    canvas.show_view(canvas.expected())
    qtbot.waitUntil(lambda: told == ["no such picture"])


def test_another_program_that_takes_the_core_makes_no_more_frames(
    monkeypatch: pytest.MonkeyPatch, canvas: Canvas
) -> None:
    """What a frame may take is its own work; Windows does not count that finely enough."""
    drawn = painter._draw

    def interrupted(*given: Any) -> None:
        sleep(0.004)  # the core is another program's
        drawn(*given)

    monkeypatch.setattr(painter, "_draw", interrupted)
    shapes = boxes(PAIR, 0.0, VIEW).shapes * 3
    group = Group(shapes=shapes, slot="boxes", cache_key=("boxes",))
    picture = replace(boxes(PAIR, 0.0, VIEW), shapes=(group,))
    image = QImage(1188, 728, QImage.Format.Format_ARGB32_Premultiplied)
    pen = QPainter(image)
    settled = painter.Painter().paint(picture, pen, 1.0, 0.014)
    pen.end()
    assert settled == (sys.platform != "win32")

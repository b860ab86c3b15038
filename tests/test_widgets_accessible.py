"""The stage as an assistive technology meets it: through Qt's own question for its elements."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
import shiboken6
from PySide6.QtCore import QEvent, QPoint, QRect
from PySide6.QtGui import QAccessible, QAccessibleEvent, QAccessibleInterface, QGuiApplication
from PySide6.QtWidgets import QApplication, QScrollArea
from pytestqt.qtbot import QtBot

from app.compute import make_pair
from engine.trace import Pair
from widgets import accessible, captions, numbers, theme
from widgets.accessible import Element, Stage
from widgets.canvas import Canvas
from widgets.hit import named
from widgets.scenes import SCENES
from widgets.view import View

VIEW = View(1188, 728, theme.load("light"), captions.load("en"))
SCENE = SCENES["rnn-transformer"]
NAME, VALUE = QAccessible.Text.Name, QAccessible.Text.Value
LONG = (
    "the small birds behind the big houses near the river ___ quietly and the clever doctors "
    "that the painter likes see the lamps today while the red candles under the table burn"
)


@pytest.fixture(scope="module")
def pair() -> Pair:
    return make_pair("the cat that slept ___", "rnn", "transformer").pair


@pytest.fixture
def canvas(qtbot: QtBot, pair: Pair) -> Canvas:
    made = Canvas(VIEW)
    qtbot.addWidget(made)
    made.resize(1188, 728)
    made.show_scene(SCENE, pair)
    made.tick_told = lambda tick: f"tick {tick} of {pair.last_tick}"
    made.value_told = lambda name: accessible.value_of(pair, name, VIEW.captions)
    made.show()
    qtbot.waitExposed(made)
    return made


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[QAccessibleEvent]]:
    """Yield what is told to an assistive technology, as if one were at work."""
    told: list[QAccessibleEvent] = []
    monkeypatch.setattr(QAccessible, "isActive", lambda: True)
    monkeypatch.setattr(QAccessible, "updateAccessibility", told.append)
    yield told
    told.clear()


def stage_of(canvas: Canvas) -> Stage:
    found = QAccessible.queryAccessibleInterface(canvas)
    assert isinstance(found, Stage)
    return found


def children(stage: Stage) -> list[QAccessibleInterface]:
    made = [stage.child(i) for i in range(stage.childCount())]
    assert None not in made
    return [child for child in made if child is not None]


def element(canvas: Canvas, name: str) -> Element:
    found = stage_of(canvas).element(name)
    assert found is not None
    return found


@pytest.mark.parametrize("tick", [0, 3, 13])
def test_every_element_of_the_picture_is_a_child_with_its_name_value_and_place(
    tick: int, canvas: Canvas, pair: Pair
) -> None:
    canvas.show_tick(float(tick))
    picture = canvas.picture()
    assert picture is not None
    elements, stage = named(picture), stage_of(canvas)
    assert stage.childCount() == len(elements) > 10
    assert pair.last_tick == 13
    for i, (child, (name, title, (x, y, width, height))) in enumerate(
        zip(children(stage), elements, strict=True)
    ):
        assert child.isValid()
        assert stage.indexOfChild(child) == i
        assert child.parent() is stage
        said = child.text(NAME)
        assert said == title or (not title and said)
        assert not said.startswith(("chain:", "grid:"))  # never the tensor's own name
        assert child.text(VALUE) == accessible.value_of(pair, name, VIEW.captions)
        corner = canvas.mapToGlobal(QPoint(0, 0))
        box = child.rect().translated(-corner)
        assert abs(box.x() - x) <= 1
        assert abs(box.y() - y) <= 1
        assert abs(box.width() - width) <= 2
        assert abs(box.height() - height) <= 2


def test_a_value_is_the_number_of_the_trace(canvas: Canvas, pair: Pair) -> None:
    canvas.show_tick(13.0)
    weight = pair.grid.value("blocks.1.attn.pattern")[0, 4, 1]
    name = "grid:blocks.1.attn.pattern[0,4,1]"
    link = element(canvas, name)
    assert link.text(NAME) == "head 1: “___” looks at “cat”, 100 per cent"
    assert link.text(VALUE) == numbers.value(float(weight))
    state = pair.chain.value("rnn.h.3")
    least, most = numbers.value(float(state.min())), numbers.value(float(state.max()))
    shown = element(canvas, "chain:rnn.h.3")
    assert shown.text(NAME) == "hidden state 3, after “that”"
    assert shown.text(VALUE) == f"16 numbers from {least} to {most}"
    assert element(canvas, "ask:1").text(VALUE) == ""


def test_what_can_be_switched_is_a_button_and_what_is_shown_a_graphic(canvas: Canvas) -> None:
    canvas.show_tick(3.0)
    for child in children(stage_of(canvas)):
        assert isinstance(child, Element)
        pressed = child.element.startswith(("toggle:", "layer:", "ask:", "hide:"))
        wanted = QAccessible.Role.Button if pressed else QAccessible.Role.Graphic
        assert child.role() == wanted
    assert stage_of(canvas).role() == QAccessible.Role.Canvas


def test_the_element_at_a_point_of_the_screen_is_the_one_under_the_pointer(canvas: Canvas) -> None:
    canvas.show_tick(3.0)
    stage = stage_of(canvas)
    for name in ("ask:1", "chain:rnn.h.3", "toggle:classic"):
        point = canvas.place_of(name)
        assert point is not None
        at = canvas.mapToGlobal(point)
        found = stage.childAt(at.x(), at.y())
        assert isinstance(found, Element)
        assert found.element == name
        assert found.rect().contains(at)
    corner = canvas.mapToGlobal(QPoint(1, 1))
    assert stage.childAt(corner.x(), corner.y()) is None


def test_the_ring_is_the_focus_and_what_is_open_is_selected(canvas: Canvas, qtbot: QtBot) -> None:

    canvas.show_tick(3.0)
    stage = stage_of(canvas)
    assert stage.focusChild() is None
    canvas.walk(1)
    canvas.walk(1)
    qtbot.waitUntil(canvas.hasFocus)
    focused = [child for child in children(stage) if child.state().focused]
    assert [child.element for child in focused if isinstance(child, Element)] == [canvas.ringed]
    assert stage.focusChild() is focused[0]
    canvas.show_view(canvas.view._replace(selected="chain:rnn.h.2[5]"))  # a cell of it
    selected = [child for child in children(stage) if child.state().selected]
    assert [child.element for child in selected if isinstance(child, Element)] == ["chain:rnn.h.2"]


def test_pressing_an_element_is_a_click_on_it(canvas: Canvas) -> None:
    opened: list[str] = []
    canvas.activated.connect(opened.append)
    canvas.show_tick(3.0)
    action = element(canvas, "chain:rnn.h.3").actionInterface()
    assert action.actionNames() == ["Press"]
    action.doAction("Press")
    action.doAction("SetFocus")
    assert opened == ["chain:rnn.h.3"]
    canvas.show_tick(0.0)
    action.doAction("Press")  # not computed any more
    assert opened == ["chain:rnn.h.3"]


def test_an_element_lives_on_while_ticks_pass_and_is_not_valid_before_it_is_computed(
    canvas: Canvas,
) -> None:
    canvas.show_tick(3.0)
    before = element(canvas, "chain:rnn.h.3")
    canvas.show_tick(2.0)
    assert not before.isValid()
    assert before.state().invalid
    assert before.text(NAME) == ""
    assert before.rect() == QRect()
    canvas.show_tick(9.0)
    assert element(canvas, "chain:rnn.h.3") is before
    assert before.isValid()


def test_a_blank_screen_and_an_empty_stage_have_no_elements(canvas: Canvas, qtbot: QtBot) -> None:
    assert stage_of(canvas).childCount() > 0
    canvas.blank = True
    assert stage_of(canvas).childCount() == 0
    empty = Canvas(VIEW)
    qtbot.addWidget(empty)
    assert stage_of(empty).childCount() == 0
    assert stage_of(empty).child(0) is None


def test_what_is_scrolled_away_is_said_to_be(qtbot: QtBot, pair: Pair) -> None:
    area, canvas = QScrollArea(), Canvas(VIEW)
    qtbot.addWidget(area)
    canvas.resize(1188, 728)
    canvas.show_scene(SCENE, pair)
    area.setWidget(canvas)
    area.resize(500, 300)
    area.show()
    qtbot.waitExposed(area)
    assert not element(canvas, "toggle:classic").state().offscreen
    assert element(canvas, "layer:1").state().offscreen
    area.ensureVisible(100, 540)
    assert not element(canvas, "layer:1").state().offscreen


# ------------------------------------------------------------------ what is told


def test_a_tick_and_the_ring_are_told_while_somebody_listens(
    canvas: Canvas, listening: list[QAccessibleEvent]
) -> None:
    canvas.show_tick(3.0)
    told = [event.message() for event in listening if hasattr(event, "message")]
    assert told == ["tick 3 of 13"]
    canvas.show_tick(3.4)  # on its way
    assert len([event for event in listening if hasattr(event, "message")]) == 1
    canvas.show_tick(13.0)
    told = [event.message() for event in listening if hasattr(event, "message")]
    assert told[1:] == ["tick 13 of 13"]
    canvas.walk(1)
    focus = [event for event in listening if event.type() == QAccessible.Event.Focus]
    assert len(focus) == 1
    assert focus[0].accessibleInterface() is stage_of(canvas).element(canvas.ringed)


def test_nothing_is_made_or_told_where_nobody_listens(
    qtbot: QtBot, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[QAccessibleEvent] = []
    monkeypatch.setattr(QAccessible, "isActive", lambda: False)
    monkeypatch.setattr(QAccessible, "updateAccessibility", told.append)
    before = len(accessible._stages)
    quiet = Canvas(VIEW)
    qtbot.addWidget(quiet)
    quiet.show_scene(SCENE, pair)
    for tick in range(5):
        quiet.show_tick(float(tick))
        quiet.walk(1)
    assert told == []
    assert len(accessible._stages) == before


# ------------------------------------------------------------------ how long it lives


def test_it_outlives_the_collection_of_garbage_and_goes_with_its_canvas(
    qtbot: QtBot, pair: Pair
) -> None:
    before = len(accessible._stages)
    canvas = Canvas(VIEW)
    canvas.resize(1188, 728)
    canvas.show_scene(SCENE, pair)
    canvas.show_tick(3.0)
    stage = stage_of(canvas)
    kept = children(stage)
    numbered = [QAccessible.uniqueId(child) for child in kept]  # Qt holds them by these, too
    del kept
    gc.collect()
    for number in numbered:
        found = QAccessible.accessibleInterface(number)
        assert isinstance(found, Element)
        assert found.text(NAME)
    last = QAccessible.accessibleInterface(numbered[-1])
    canvas.deleteLater()
    QApplication.sendPostedEvents(canvas, QEvent.Type.DeferredDelete)
    assert len(accessible._stages) == before
    assert not shiboken6.isValid(stage)
    assert last is not None
    assert not shiboken6.isValid(last)
    assert all(QAccessible.accessibleInterface(number) is None for number in numbered)
    gc.collect()
    QGuiApplication.processEvents()


def test_a_canvas_may_come_and_go_many_times(qtbot: QtBot, pair: Pair) -> None:
    before = len(accessible._stages)
    for _ in range(20):
        canvas = Canvas(VIEW)
        canvas.resize(1188, 728)
        canvas.show_scene(SCENE, pair)
        canvas.show_tick(9.0)
        for child in children(stage_of(canvas)):
            assert QAccessible.uniqueId(child)
        canvas.deleteLater()
        QApplication.sendPostedEvents(canvas, QEvent.Type.DeferredDelete)
        del canvas, child
        gc.collect()
    assert len(accessible._stages) == before


def test_children_that_are_not_on_the_stage_any_more_are_given_up_when_there_are_many(
    canvas: Canvas, monkeypatch: pytest.MonkeyPatch
) -> None:
    canvas.show_tick(3.0)
    stage = stage_of(canvas)
    gone = element(canvas, "grid:blocks.0.attn.pattern[0,0]")
    names = {child.element for child in children(stage) if isinstance(child, Element)}
    monkeypatch.setattr(accessible, "KEPT", len(names))
    canvas.show_tick(13.0)
    assert element(canvas, "grid:answer.word").isValid()
    assert not shiboken6.isValid(gone)
    assert element(canvas, "chain:rnn.h.3").isValid()


def test_many_tokens_are_made_only_as_they_are_asked_for(qtbot: QtBot) -> None:
    canvas = Canvas(VIEW)
    qtbot.addWidget(canvas)
    canvas.resize(1188, 728)
    canvas.show_scene(SCENE, make_pair(LONG, "rnn", "transformer").pair)
    canvas.show_tick(6.0)
    stage = stage_of(canvas)
    assert stage.childCount() > 100
    assert len(stage._children) == 0
    for i in (0, 50, 100):
        child = stage.child(i)
        assert child is not None
        assert child.text(NAME)
    assert len(stage._children) == 3
    assert stage.child(stage.childCount()) is None
    assert stage.child(-1) is None


def test_a_canvas_that_was_asked_for_while_it_was_empty_answers_with_its_first_scene(
    qtbot: QtBot, pair: Pair, listening: list[QAccessibleEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("widgets.accessible.stage_of", lambda widget: None)  # as before any scene
    canvas = Canvas(VIEW)
    qtbot.addWidget(canvas)
    assert not isinstance(QAccessible.queryAccessibleInterface(canvas), Stage)
    monkeypatch.undo()
    monkeypatch.setattr(QAccessible, "isActive", lambda: True)
    canvas.show_scene(SCENE, pair)
    assert stage_of(canvas).childCount() > 20
    stage = stage_of(canvas)
    canvas.show_nothing()
    canvas.show_scene(SCENE, pair)
    assert stage_of(canvas) is stage

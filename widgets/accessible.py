"""The stage for whoever does not see it: its elements as children of the canvas, and what changes.

An assistive technology asks Qt, Qt asks here; where none is at work nothing of this is made. A
child stands for a name and not for a picture: it lives on while ticks pass, and answers from the
picture of the moment, so that a reader does not lose its place.
"""

# Qt's stubs know no null pointer, which is what Qt wants where there is no child, focus or window.
# mypy: disable-error-code="override"

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import shiboken6
from PySide6.QtCore import QObject, QPoint, QPointF, QRect, QRectF
from PySide6.QtGui import (
    QAccessible,
    QAccessibleActionInterface,
    QAccessibleAnnouncementEvent,
    QAccessibleEvent,
    QAccessibleInterface,
    QWindow,
)
from PySide6.QtWidgets import QAccessibleWidget

from widgets import numbers
from widgets.hit import Named, named
from widgets.picture import Group, Picture, Shape, Text

if TYPE_CHECKING:
    from engine.trace import Pair
    from widgets.canvas import Canvas
    from widgets.captions import Captions

PRESSED = (
    "toggle:",
    "layer:",
    "ask:",
    "hide:",
    "choose:",
)  # names of what a click switches or chooses
KEPT = 2000  # children; of more, those that are not on the stage are given up

# Python objects must outlive Qt's references to them, which are Qt's own business.
_stages: dict[int, Stage] = {}


def stage_of(widget: QObject) -> QAccessibleInterface:
    """Return what answers Qt for a canvas."""
    stage = Stage(widget)  # type: ignore[arg-type]
    identity = id(stage)
    _stages[identity] = stage
    widget.destroyed.connect(lambda: _gone(identity))
    return stage


def answer_anew(canvas: Canvas) -> None:
    """Answer for a canvas that Qt was asked for while it was empty, and answered for itself."""
    answered = QAccessible.queryAccessibleInterface(canvas)
    if answered is not None and not isinstance(answered, Stage):
        QAccessible.deleteAccessibleInterface(QAccessible.uniqueId(answered))


def _gone(identity: int) -> None:
    """Give up a canvas that is no more, and its children; Qt has given up its interface."""
    stage = _stages.pop(identity, None)
    if stage is not None:
        stage.forget()


def tick_passed(canvas: Canvas) -> None:
    """Tell whoever listens that another tick is shown, in a sentence."""
    if not QAccessible.isActive():
        return
    sentence = canvas.tick_told(int(canvas.tick))
    if sentence and canvas.isVisible():
        event = QAccessibleAnnouncementEvent(canvas, sentence)
        event.setPoliteness(QAccessible.AnnouncementPoliteness.Polite)  # behind what is read now
        QAccessible.updateAccessibility(event)


def ring_moved(canvas: Canvas) -> None:
    """Tell whoever listens which element has the keyboard's ring now."""
    if not QAccessible.isActive():
        return
    stage = QAccessible.queryAccessibleInterface(canvas)
    element = stage.focusChild() if isinstance(stage, Stage) else None
    if element is not None:
        QAccessible.updateAccessibility(QAccessibleEvent(element, QAccessible.Event.Focus))


def name_of(picture: Picture, element: Named) -> str:
    """Return what an element is called for people: its title, or the words that it is."""
    return element[1] or _words(picture.shapes, element[0]) or element[0]


def _words(shapes: tuple[Shape, ...], name: str) -> str:
    for shape in shapes:
        if isinstance(shape, Group):
            if found := _words(shape.shapes, name):
                return found
        elif isinstance(shape, Text) and shape.name == name:
            return shape.text
    return ""


def value_of(pair: Pair, name: str, say: Captions) -> str:
    """Return the number that an element shows, or how many there are and between which they lie.

    What is switched or chosen has none.
    """
    found = pair.find(name)
    if found is None:
        return ""
    _, step, index = found
    value = step.value[index]
    if value.size == 0 or value.dtype.kind not in "fiu":
        return ""
    if value.size == 1:
        return numbers.value(float(value.reshape(-1)[0]))
    return say(
        "access.numbers",
        count=value.size,
        least=numbers.value(float(value.min())),
        most=numbers.value(float(value.max())),
    )


class Stage(QAccessibleWidget):
    """A canvas: its elements are its children, in reading order."""

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas, QAccessible.Role.Canvas)
        self._canvas = canvas
        self._children: dict[str, Element] = {}  # by name
        self._places: tuple[tuple[Named, ...], dict[str, int]] = ((), {})

    def canvas(self) -> Canvas | None:
        """Return the canvas, None when it is no more."""
        return self._canvas if shiboken6.isValid(self._canvas) else None

    def elements(self) -> tuple[Named, ...]:
        """Return the elements that are seen now."""
        canvas = self.canvas()
        picture = canvas.picture() if canvas is not None and not canvas.blank else None
        return () if picture is None else named(picture)

    def find(self, name: str) -> int:
        """Return which child an element is, -1 if it is not seen."""
        elements = self.elements()
        if self._places[0] is not elements:  # remembered by ``named`` as long as the picture stays
            self._places = (elements, {element[0]: i for i, element in enumerate(elements)})
        return self._places[1].get(name, -1)

    def seen(self, name: str) -> str:
        """Return the element that a name stands for: itself, the matrix of a cell, or none ("")."""
        matrix = name.partition("[")[0]
        return name if self.find(name) >= 0 else matrix if self.find(matrix) >= 0 else ""

    def element(self, name: str) -> Element | None:
        """Return the child that stands for an element, None if it is not seen."""
        name = self.seen(name)
        if not name:
            return None
        if name not in self._children:
            if len(self._children) >= KEPT:
                self._give_up([known for known in self._children if self.find(known) < 0])
            self._children[name] = Element(self, name)
        return self._children[name]

    def forget(self) -> None:
        """Give up all children."""
        self._give_up(list(self._children))

    def _give_up(self, names: list[str]) -> None:
        for name in names:
            child = self._children.pop(name)
            # Qt may hold it by its number; asked for one it gives one, so this is always right.
            QAccessible.deleteAccessibleInterface(QAccessible.uniqueId(child))

    # -------------------------------------------------------------- what Qt asks

    def childCount(self) -> int:  # noqa: N802 (Qt's name)
        """Return how many elements are seen."""
        return len(self.elements())

    def child(self, index: int) -> QAccessibleInterface | None:
        """Return an element in reading order."""
        elements = self.elements()
        return self.element(elements[index][0]) if 0 <= index < len(elements) else None

    def indexOfChild(self, child: QAccessibleInterface) -> int:  # noqa: N802
        """Return an element's place in reading order, -1 if it is not seen."""
        return self.find(child.element) if isinstance(child, Element) else -1

    def childAt(self, x: int, y: int) -> QAccessibleInterface | None:  # noqa: N802
        """Return the element at a point of the screen."""
        canvas = self.canvas()
        if canvas is None:
            return None
        return self.element(canvas.element_at(QPointF(canvas.mapFromGlobal(QPoint(x, y)))))

    def focusChild(self) -> QAccessibleInterface | None:  # noqa: N802
        """Return the element with the keyboard's ring."""
        canvas = self.canvas()
        return self.element(canvas.ringed) if canvas is not None and canvas.hasFocus() else None


class Element(QAccessibleInterface):
    """An element of the stage: what it is called, what it is worth, where it is."""

    def __init__(self, stage: Stage, element: str) -> None:
        super().__init__()
        self._stage = stage
        self.element = element  # its name in the picture
        self._press = _Press(stage, element)

    def _shown(self) -> tuple[Canvas, Picture, Named] | None:
        """Return the canvas, its picture and the element in it, None if it is not seen."""
        if not shiboken6.isValid(self._stage):
            return None
        canvas, index = self._stage.canvas(), self._stage.find(self.element)
        picture = canvas.picture() if canvas is not None else None
        if canvas is None or picture is None or index < 0:
            return None
        return canvas, picture, self._stage.elements()[index]

    # -------------------------------------------------------------- what Qt asks

    def isValid(self) -> bool:  # noqa: N802
        """Return whether the element is on the stage now."""
        return self._shown() is not None

    def object(self) -> QObject | None:
        """Return nothing: an element is no widget."""
        return None

    def parent(self) -> QAccessibleInterface | None:
        """Return the stage."""
        return self._stage if shiboken6.isValid(self._stage) else None

    def window(self) -> QWindow | None:
        """Return the window that it is in."""
        shown = self._shown()
        return shown[0].window().windowHandle() if shown is not None else None

    def child(self, index: int) -> QAccessibleInterface | None:
        """Return nothing: an element has no parts."""
        return None

    def childCount(self) -> int:  # noqa: N802
        """Return 0."""
        return 0

    def childAt(self, x: int, y: int) -> QAccessibleInterface | None:  # noqa: N802
        """Return nothing."""
        return None

    def indexOfChild(self, child: QAccessibleInterface) -> int:  # noqa: N802
        """Return -1."""
        return -1

    def focusChild(self) -> QAccessibleInterface | None:  # noqa: N802
        """Return the element itself, if it has the ring."""
        return self if self.state().focused else None

    def role(self) -> QAccessible.Role:
        """Return whether it is pressed or looked at."""
        pressed = self.element.startswith(PRESSED)
        return QAccessible.Role.Button if pressed else QAccessible.Role.Graphic

    def rect(self) -> QRect:
        """Return where it is on the screen."""
        shown = self._shown()
        if shown is None:
            return QRect()
        canvas, _, (_, _, (x, y, width, height)) = shown
        scale = canvas.fitted()[2]
        box = QRectF(x * scale, y * scale, width * scale, height * scale).toAlignedRect()
        return QRect(canvas.mapToGlobal(box.topLeft()), box.size())

    def state(self) -> QAccessible.State:
        """Return whether it has the ring, is selected, or lies outside of what is seen."""
        state = QAccessible.State()
        shown = self._shown()
        if shown is None:
            state.invalid = True
            return state
        canvas, _, (name, _, _) = shown
        state.focusable = state.selectable = True
        state.focused = canvas.hasFocus() and canvas.ringed == name
        state.selected = self._stage.seen(canvas.view.selected) == name
        if not canvas.isVisible():
            state.invisible = True
        else:
            left_top = canvas.mapToGlobal(QPoint(0, 0))
            seen = canvas.visibleRegion().boundingRect().translated(left_top)
            state.offscreen = not seen.intersects(self.rect())
        return state

    def text(self, kind: QAccessible.Text) -> str:
        """Return its title or its value."""
        shown = self._shown()
        if shown is None:
            return ""
        canvas, picture, element = shown
        if kind == QAccessible.Text.Name:
            return name_of(picture, element)
        # Linux's AT-SPI hands on names and descriptions, and of values only those that can be set.
        if kind == QAccessible.Text.Value or (
            kind == QAccessible.Text.Description and sys.platform == "linux"
        ):
            return canvas.value_told(element[0])
        return ""

    def setText(self, kind: QAccessible.Text, text: str) -> None:  # noqa: N802
        """Change nothing."""

    def interface_cast(self, kind: QAccessible.InterfaceType) -> _Press | None:
        """Return how it is pressed."""
        return self._press if kind == QAccessible.InterfaceType.ActionInterface else None


class _Press(QAccessibleActionInterface):
    """Opens, switches or chooses an element, as a click does."""

    def __init__(self, stage: Stage, element: str) -> None:
        super().__init__()
        self._stage, self._element = stage, element

    def actionNames(self) -> list[str]:  # noqa: N802
        """Return the one thing that can be done."""
        return [QAccessibleActionInterface.pressAction()]

    def doAction(self, name: str) -> None:  # noqa: N802
        """Do as a click does."""
        canvas = self._stage.canvas() if shiboken6.isValid(self._stage) else None
        if (
            canvas is not None
            and name in self.actionNames()
            and self._stage.find(self._element) >= 0
        ):
            canvas.activated.emit(self._element)

    def keyBindingsForAction(self, name: str) -> list[str]:  # noqa: N802
        """Return none: Enter opens what has the ring."""
        return []

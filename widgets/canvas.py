"""The stage: shows one scene, and says what lies under the pointer or the keyboard's ring."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QRect, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QHelpEvent,
    QHideEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QScrollArea, QToolTip, QWidget

from widgets.geometry import LEAST_SCALE, SMALLEST, fit, fit_screen
from widgets.view import View

# What deals with pictures is imported with the first one: the first frame of the window has none,
# and does not wait for it.
if TYPE_CHECKING:
    from PySide6.QtGui import QAccessibleInterface

    from widgets.painter import Painter
    from widgets.picture import Picture

    Scene = Callable[[Any, float, View], Picture]

# For images that are being filled, in a frame: while time goes on, and in answer to a choice.
BUDGET_SECONDS, BUDGET_AT_REST = 0.008, 0.014
DRAG_PX = 8
REST_MS, AHEAD_SECONDS = 150, 0.004  # without a new frame; what is drawn ahead at a time


class Canvas(QWidget):
    """Shows ``scene(subject, tick, view)`` and keeps its images.

    ``activated`` carries the name of what was clicked or opened, ``dropped`` the two word boxes of
    a drag. ``tick_told`` and ``value_told`` say in words, for who does not see it, what happens at
    a tick and what an element is worth. ``expected`` returns the view that is likely to be asked
    for next, or None: at rest its picture is drawn ahead.
    """

    activated = Signal(str)
    dropped = Signal(int, int)
    failed = Signal(object)  # Exception: a picture that could not be drawn

    def __init__(self, view: View, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.view = view
        self.blank = False
        self.tick_told: Callable[[int], str] = lambda tick: ""
        self.value_told: Callable[[str], str] = lambda name: ""
        self.expected: Callable[[], View | None] = lambda: None
        self._least_scale, self._factor, self._presents = LEAST_SCALE, 1.0, False
        self._scene: Scene | None = None
        self._subject: Any = None
        self._tick = 0.0
        self._picture: Picture | None = None
        self._ahead: tuple[float, View, Picture] | None = None  # of the same scene and subject
        self._settled = self._moves = False
        self._ringed = ""  # the element with the keyboard's ring
        self._pressed: tuple[str, QPointF] | None = None
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        self._again.setInterval(0)
        self._again.timeout.connect(self.update)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.timeout.connect(self._draw_ahead)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.present(False)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)

    # -------------------------------------------------------------- what is shown

    def show_scene(self, scene: Scene, subject: Any, *, same: bool = False) -> None:
        """Show another subject, or the same one as another scene.

        ``same`` says that the subject has the elements of the last one: what lies under the pointer
        and what has the keyboard's ring stay what they are.
        """
        if scene is self._scene and subject is self._subject:
            return
        if self._scene is None:
            _let_qt_ask(self)
        if not same:  # what was meant may be no more; the pointer tells again when it moves
            self.view = self.view._replace(hovered="", dragged=None)
            self._ringed, self._pressed = "", None
        self._scene, self._subject, self._ahead = scene, subject, None
        self._changed()

    def show_nothing(self) -> None:
        """Show an empty stage, and keep nothing of the last run."""
        self._scene = self._subject = self._ahead = None
        self._ringed, self._pressed = "", None
        self._changed()

    def show_tick(self, tick: float) -> None:
        """Show another moment."""
        passed = int(tick) != int(self._tick)
        self._moves = self._moves or tick != self._tick  # since the last frame
        self._tick = tick
        self._changed()
        if passed and _is_read():
            from widgets import accessible

            accessible.tick_passed(self)

    def show_view(self, view: View) -> None:
        """Show it another way."""
        if view.theme is not self.view.theme:
            self._painter.clear()
        self.view = view
        self._changed()

    def show_with(self, **changed: Any) -> None:
        """Show it with some of the view changed."""
        self.show_view(self.view._replace(**changed))

    def present(self, on: bool) -> None:
        """Fill whatever screen there is, or scroll where the text would become too small."""
        self._presents = on
        self._least_scale = 0.1 if on else LEAST_SCALE
        self._keep_legible()

    def enlarge(self, factor: float) -> None:
        """Let no text be smaller than so many times the usual least; Present fills the screen."""
        self._factor = factor
        self._keep_legible()

    def _keep_legible(self) -> None:
        self.setMinimumSize(*(int(side * self._least_scale * self._factor) for side in SMALLEST))
        self._changed()

    def _changed(self) -> None:
        self._picture = None
        self._settled = False
        self.update()

    @property
    def settled(self) -> bool:
        """Return whether the last frame showed everything as it is."""
        return self._settled

    def fitted(self) -> tuple[float, float, float]:
        """Return the scene's box (width, height) and its scale for the widget's size."""
        if self._presents:
            return fit_screen(self.width(), self.height(), self.window().height())
        return fit(self.width(), self.height(), least_scale=self._least_scale, factor=self._factor)

    @property
    def subject(self) -> Any:
        """Return what is drawn, None before the first."""
        return self._subject

    @property
    def tick(self) -> float:
        """Return the moment that is shown."""
        return self._tick

    def picture(self) -> Picture | None:
        """Return the picture of this moment, None before there is a subject."""
        if self._picture is None and self._scene is not None and self._subject is not None:
            self._picture = self._drawn(self._sized(self.view))
            self.setAccessibleName(self._picture.title)
            self.setAccessibleDescription(self._picture.description)
        return self._picture

    def _sized(self, view: View) -> View:
        """Return a view with the scene's box for the widget's size."""
        width, height, _ = self.fitted()
        return view._replace(width=width, height=height)

    def _drawn(self, view: View) -> Picture:
        """Return the picture of this moment in a view; what was drawn ahead is taken."""
        assert self._scene is not None
        if self._ahead is not None and self._ahead[:2] == (self._tick, view):
            return self._ahead[2]
        return self._scene(self._subject, self._tick, view)

    def _draw_ahead(self) -> None:
        """Draw a little of the picture that is likely to come, until all of it is there."""
        view = self.expected() if self._settled and self._subject is not None else None
        if view is None:
            return
        view = self._sized(view)
        try:
            picture = self._drawn(view)
        except Exception:  # noqa: BLE001  (it is said when the picture is asked for)
            return
        self._ahead = self._tick, view, picture
        if not self._painter.prepare(picture, AHEAD_SECONDS):
            self._rest.start(0)

    # -------------------------------------------------------------- painting

    @cached_property
    def _painter(self) -> Painter:
        from widgets.painter import Painter

        return Painter()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Paint the picture, and ask for another frame until it has settled."""
        stage = QColor("#000000" if self.blank else self.view.theme.stage)
        try:
            picture = None if self.blank else self.picture()
        except Exception as error:  # Qt would end the program where it meets one
            self._scene = None
            self.failed.emit(error)
            picture = None
        painter = QPainter(self)  # only now: Qt ends the program when one outlives an error
        if picture is None:
            # No fillRect: for it PySide makes the names of 180 gradients, 3 ms of the first frame.
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(stage)
            painter.drawRect(self.rect())
            self._settled = True
            return
        scale = self.fitted()[2]
        budget = BUDGET_SECONDS if self._moves else BUDGET_AT_REST
        self._settled, self._moves = self._painter.paint(picture, painter, scale, budget), False
        if self.hasFocus() and self._ringed:
            self._paint_ring(painter, picture, scale)
        if self._settled:
            self._rest.start(REST_MS)
        else:
            self._again.start()

    def _paint_ring(self, painter: QPainter, picture: Picture, scale: float) -> None:
        from widgets.hit import named

        for name, _, (x, y, width, height) in named(picture):
            if name == self._ringed:
                painter.setRenderHint(QPainter.RenderHint.Antialiasing)
                painter.setPen(QPen(QColor(self.view.theme.ink), 2))
                pad = 3
                box = QRect(
                    int(x * scale) - pad, int(y * scale) - pad,
                    int(width * scale) + 2 * pad, int(height * scale) + 2 * pad,
                )  # fmt: skip
                painter.drawRoundedRect(box, 6, 6)
                return

    def settle(self) -> None:
        """Finish all images now: for a still of the window."""
        from PySide6.QtGui import QImage  # (here: the first frame needs none)

        picture = self.picture()
        if picture is not None and not self.size().isEmpty():
            image = QImage(self.size(), QImage.Format.Format_ARGB32_Premultiplied)
            painter = QPainter(image)
            self._painter.paint(picture, painter, self.fitted()[2])
            painter.end()

    # -------------------------------------------------------------- pointer

    def element_at(self, position: QPointF) -> str:
        """Return the name of the element at a point of the widget, or ""."""
        picture = self.picture()
        if picture is None or self.blank:
            return ""
        from widgets.hit import hit

        scale = self.fitted()[2]
        return hit(picture, position.x() / scale, position.y() / scale)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Say what lies under the pointer."""
        name = self.element_at(event.position())
        hand = bool(name)
        if self._pressed is not None and self._pressed[0].startswith("ask:"):
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
            word, (start, where) = self.view.dragged, self._pressed
            if word is None and (event.position() - where).manhattanLength() > DRAG_PX:
                self.show_with(dragged=int(start[4:]))
        else:
            self.setCursor(
                Qt.CursorShape.PointingHandCursor if hand else Qt.CursorShape.ArrowCursor
            )
        self._point_at(name)

    def _point_at(self, name: str) -> None:
        if name != self.view.hovered:
            self.show_with(hovered=name)

    def _drop(self) -> None:
        if self.view.dragged is not None:
            self.show_with(dragged=None)

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802
        """Forget what lay under the pointer."""
        self._point_at("")

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Remember where a click or drag begins."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed = (self.element_at(event.position()), event.position())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Open what was clicked, or swap the two words of a drag."""
        if self._pressed is None or event.button() != Qt.MouseButton.LeftButton:
            return
        (start, where), self._pressed = self._pressed, None
        self._drop()
        end = self.element_at(event.position())
        moved = (event.position() - where).manhattanLength() > DRAG_PX
        if (
            moved
            and start.startswith("ask:")
            and end.startswith(("ask:", "hide:"))
            and start != end
        ):
            self.dropped.emit(int(start[4:]), int(end.partition(":")[2]))
        elif start == end or not moved:
            self._ringed = ""
            self.activated.emit(start)

    def event(self, event: QEvent) -> bool:
        """Show the tooltip of an element; leave Tab to the window's own actions."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            picture, name = self.picture(), self.element_at(QPointF(event.pos()))
            if picture is not None and name:
                from widgets.hit import title_of

                QToolTip.showText(event.globalPos(), title_of(picture, name), self)
            else:
                QToolTip.hideText()
            return True
        return super().event(event)

    # -------------------------------------------------------------- keyboard

    def walk(self, by: int) -> None:
        """Move the keyboard's ring to the next (1) or previous (-1) element."""
        from widgets.hit import named, title_of

        picture = self.picture()
        names = [name for name, *_ in named(picture)] if picture is not None else []
        if not names:
            return
        if self._ringed in names:
            self._ringed = names[(names.index(self._ringed) + by) % len(names)]
        else:
            self._ringed = names[0 if by > 0 else -1]
        assert picture is not None
        self.setAccessibleDescription(title_of(picture, self._ringed))
        self.setFocus(Qt.FocusReason.OtherFocusReason)
        if _is_read():
            from widgets import accessible

            accessible.ring_moved(self)
        self.update()

    def open_ringed(self) -> None:
        """Open the element with the keyboard's ring."""
        if self._ringed:
            self.activated.emit(self._ringed)

    @property
    def ringed(self) -> str:
        """Return the element with the keyboard's ring, or ""."""
        return self._ringed

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        """Take the ring off the screen."""
        super().focusOutEvent(event)
        self.update()

    def bring_into_sight(self, name: str) -> None:
        """Let what scrolls the canvas show an element, or the matrix that it is a number of."""
        point = self.place_of(name) or self.place_of(name.partition("[")[0])
        viewport = self.parentWidget()
        around = viewport.parentWidget() if viewport is not None else None
        if point is not None and isinstance(around, QScrollArea):
            around.ensureVisible(point.x(), point.y(), 80, 80)

    def place_of(self, name: str) -> QPoint | None:
        """Return the middle of an element on the widget, None when it is not shown."""
        from widgets.hit import named

        picture = self.picture()
        scale = self.fitted()[2]
        for element, _, (x, y, width, height) in named(picture) if picture is not None else ():
            if element == name:
                return QPoint(int((x + width / 2) * scale), int((y + height / 2) * scale))
        return None

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802
        """Ask for no more frames."""
        self._again.stop()
        self._rest.stop()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Lay the scene out for the new size."""
        self._changed()


# Qt's classes for assistive technology have hundreds of constants: the first frame needs none.


def _is_read() -> bool:
    """Return whether an assistive technology reads the window."""
    from PySide6.QtGui import QAccessible

    return QAccessible.isActive()


def _let_qt_ask(canvas: Canvas) -> None:
    """Let Qt ask for the elements of a canvas; what answers is imported when it does."""
    _install_factory()
    if _is_read():
        from widgets import accessible

        accessible.answer_anew(canvas)


@cache
def _install_factory() -> None:
    from PySide6.QtGui import QAccessible

    QAccessible.installFactory(_interface)


def _interface(key: str, widget: QObject) -> QAccessibleInterface | None:
    if key != "Canvas":
        return None
    from widgets import accessible

    return accessible.stage_of(widget)

"""What stands in the place of the stage while there is no sentence."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from widgets.captions import Captions
from widgets.geometry import px
from widgets.theme import Theme


class EmptyPage(QWidget):
    """What is shown while there is no sentence: what to do, and a button that does it."""

    def __init__(self, say: Captions, text: str) -> None:
        super().__init__()
        self.setObjectName("empty")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        title = QLabel(say("window.empty_title"))
        title.setObjectName("emptytitle")
        note = QLabel(say("window.empty_text"))
        note.setObjectName("emptytext")
        self.button = QPushButton(say("window.empty_button", text=text))
        self.button.setObjectName("primary")
        self.sketch = Sketch()
        self._words = (title, note, self.button)
        self._scale = 1.0
        # The page asks for no room: where there is little, the sketch goes.
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self._column = column = QVBoxLayout(self)
        column.addStretch(2)
        column.addWidget(self.sketch, 0, Qt.AlignmentFlag.AlignHCenter)
        for widget in self._words:
            column.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(3)

    def show_theme(self, theme: Theme, scale: float) -> None:
        """Draw in another theme, so many times larger."""
        self._scale = scale
        self._column.setSpacing(px(10, scale))
        self.sketch.show_theme(theme, scale)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Leave the sketch out where it has no room."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        words = sum(widget.sizeHint().height() for widget in self._words)
        needed = words + self.sketch.height() + px(60, self._scale)
        self.sketch.setVisible(self.height() >= needed)


class Sketch(QWidget):
    """A chain over a grid in ghost strokes: what will stand here."""

    COLUMNS, PITCH, RADIUS, DOT = 5, 80, 24, 4  # px

    def __init__(self) -> None:
        super().__init__()
        self._colour, self._scale = QColor(), 1.0

    def show_theme(self, theme: Theme, scale: float) -> None:
        """Draw in another theme, so many times larger."""
        self._colour, self._scale = QColor(theme.ghost), scale
        # Below it, there is a little room.
        self.setFixedSize(px(self.COLUMNS * self.PITCH, scale), px(180, scale))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint five states, and under each five nodes."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.scale(self._scale, self._scale)
        dashed = QPen(self._colour, 1.4)
        dashed.setDashPattern([3.0, 3.0])
        y, r = self.RADIUS + 2.0, float(self.RADIUS)
        for i in range(self.COLUMNS):
            x = self.PITCH * (i + 0.5)
            painter.setPen(dashed)
            painter.drawEllipse(QPointF(x, y), r, r)
            if i:
                painter.drawLine(QPointF(x - self.PITCH + r + 4, y), QPointF(x - r - 4, y))
            painter.setPen(QPen(self._colour, 1.4))
            for j in range(5):
                painter.drawEllipse(QPointF(x, 2 * r + 24 + 19 * j), self.DOT, self.DOT)

"""The parts of the window around the stage: rail, bar, the page without a sentence, the keys."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import QPointF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QTextEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app import CELLS, SETS
from app.actions import ACTIONS, GROUPS, keys_as_text
from widgets.captions import Captions
from widgets.controls import Choice, Field
from widgets.theme import Theme

SHEET_PADDING = 18  # px, of the style sheet: 14 and its border, with a little room
EXPORTS = ((".svg", 1), (".png", 1), (".png", 2), (".png", 3), (".pdf", 1))


class Rail(QWidget):
    """The chapters that there are."""

    def __init__(self, say: Captions) -> None:
        super().__init__()
        self.setObjectName("rail")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedWidth(100)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 14, 6, 8)
        column.setSpacing(14)
        self.logo = QLabel()
        self.logo.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.chapter = QToolButton()
        self.chapter.setObjectName("chapter")
        self.chapter.setCheckable(True)
        self.chapter.setChecked(True)
        self.chapter.setIconSize(QSize(34, 34))
        self.chapter.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        self.chapter.setText(say("window.chapter_1"))
        self.chapter.setToolTip(say("rt.title"))
        self.chapter.setFixedSize(87, 88)
        column.addWidget(self.logo)
        column.addWidget(self.chapter)
        column.addStretch(1)


class Bar(QWidget):
    """Above the stage: the sentence, the models, the device, theme, present and export.

    ``export_asked`` carries a file ending, a scale, and whether it is to be grey.
    """

    export_asked = Signal(str, int, bool)
    copy_asked = Signal()
    window_asked = Signal()

    def __init__(self, say: Captions) -> None:
        super().__init__()
        self.setObjectName("bar")
        self._say = say
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(50)
        row = QHBoxLayout(self)
        row.setContentsMargins(18, 6, 18, 6)
        row.setSpacing(10)
        self.field = Field(say)
        self.chain_choice = Choice(say("window.chain_choice"))
        self.set_choice = Choice(say("window.set_choice"))
        for cell in CELLS:
            self.chain_choice.add(cell, say(f"window.chain.{cell}"))
        for ending in SETS:
            self.set_choice.add(ending, say(f"window.set.{ending.strip('-') or 'small'}"))
        self.badge = QLabel()
        self.badge.setObjectName("badge")
        self.theme_button = QToolButton()
        self.theme_button.setObjectName("plainbox")
        self.theme_button.setAccessibleName(say("action.theme"))
        self.theme_button.setToolTip(say("action.theme"))
        self.present_button = QPushButton(say("window.present"))
        self.present_button.setObjectName("primary")
        self.export_button = QPushButton(say("window.export"))
        self.export_button.setObjectName("box")
        self.export_button.setMenu(self._exports(say))
        row.addWidget(self.field, 3)
        left: list[QWidget] = [self.chain_choice, self.set_choice, self.badge]
        right: list[QWidget] = [self.theme_button, self.present_button, self.export_button]
        for widget in left:
            row.addWidget(widget)
        row.addStretch(1)
        for widget in right:
            row.addWidget(widget)

    def show_device(self, backend: str, device: str) -> None:
        """Say what computed the run on the stage."""
        self.badge.setText(self._say("window.badge", backend=backend, device=device))
        self.badge.setToolTip(self._say("window.badge_title", backend=backend, device=device))

    def _exports(self, say: Captions) -> QMenu:
        menu = QMenu(self)
        for ending, scale in EXPORTS:
            entry = menu.addAction(say(f"window.export_{ending[1:]}", scale=scale))
            entry.triggered.connect(
                lambda _=False, e=ending, k=scale: self.export_asked.emit(e, k, False)
            )
        menu.addAction(say("window.export_grey")).triggered.connect(
            lambda: self.export_asked.emit(".pdf", 1, True)
        )
        menu.addSeparator()
        menu.addAction(say("action.copy")).triggered.connect(lambda: self.copy_asked.emit())
        menu.addAction(say("action.export_window")).triggered.connect(
            lambda: self.window_asked.emit()
        )
        return menu


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
        column = QVBoxLayout(self)
        column.setSpacing(10)
        column.addStretch(2)
        column.addWidget(self.sketch, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(20)
        for widget in (title, note, self.button):
            column.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(3)


class Sketch(QWidget):
    """A chain over a grid in ghost strokes: what will stand here."""

    COLUMNS, PITCH, RADIUS, DOT = 5, 80, 24, 4  # px

    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(self.COLUMNS * self.PITCH, 160)
        self._colour = QColor()

    def show_theme(self, theme: Theme) -> None:
        """Draw in another theme."""
        self._colour = QColor(theme.ghost)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint five states, and under each five nodes."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
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


class KeySheet(QTextEdit):
    """The keys: lies over the window until Esc or a click beside it."""

    def __init__(self, parent: QWidget, say: Captions) -> None:
        super().__init__(parent)
        self.setReadOnly(True)
        self.setObjectName("sheet")
        self.setHtml(keys_as_html(say))

    def show_over(self, window: QWidget) -> None:
        """Show the sheet in the middle of the window."""
        width = min(920, window.width() - 40)
        self.document().setTextWidth(width - 2 * SHEET_PADDING)
        needed = int(self.document().size().height()) + 2 * SHEET_PADDING
        height = min(needed, window.height() - 40)
        self.setGeometry(
            (window.width() - width) // 2, (window.height() - height) // 2, width, height
        )
        self.show()
        self.raise_()
        self.setFocus()

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        """Go when something else is used."""
        super().focusOutEvent(event)
        self.hide()


def keys_as_html(say: Captions) -> str:
    """Return the table of all keys, by groups, in two columns."""

    def table(*groups: str) -> str:
        rows = []
        for group in groups:
            title = escape(say(f"window.group.{group}"))
            rows.append(f"<tr><td colspan='2'><b>{title}</b></td></tr>")
            rows += [
                f"<tr><td><code>{escape(keys_as_text(action))}</code>&nbsp;&nbsp;</td>"
                f"<td>{escape(say(f'action.{action.id}'))}</td></tr>"
                for action in ACTIONS
                if action.group == group
            ]
        return f"<table cellpadding='4'>{''.join(rows)}</table>"

    columns = (table(*GROUPS[:-1]), table(GROUPS[-1]))
    cells = "".join(f"<td width='50%'>{column}</td>" for column in columns)
    return f"<h2>{escape(say('window.keys'))}</h2><table width='100%'><tr>{cells}</tr></table>"

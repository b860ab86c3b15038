"""The parts of the window around the stage: the rail, the bar, and what chapter 1 has in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app import CELLS, PRECISIONS, SETS
from widgets.captions import Captions
from widgets.controls import Choice, Field
from widgets.geometry import icon_factor, px
from widgets.icons import icon
from widgets.theme import Theme

if TYPE_CHECKING:
    from app.chapters import Entry

BAR_HIGH, BAR_LOW = (50, 6), (42, 2)  # px at 100 %: at least, and above and below what it holds
# How the bar is arranged, the first that fits: badge, words on Present and Export, and the controls
# of the chapter beside the rest or on a row of their own.
ARRANGEMENTS = (
    (True, True, True), (False, True, True), (False, False, True),
    (True, True, False), (False, True, False), (False, False, False),
)  # fmt: skip
EXPORTS = ((".svg", 1), (".png", 1), (".png", 2), (".png", 3), (".pdf", 1))


class Rail(QWidget):
    """The chapters that there are; ``chosen`` carries the id of one."""

    chosen = Signal(str)

    def __init__(self, say: Captions, chapters: Mapping[str, Entry]) -> None:
        super().__init__()
        self.setObjectName("rail")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        shown = {id: entry for id, entry in chapters.items() if not entry.part_of}
        self._signs = {id: entry.icon for id, entry in shown.items()}
        self._theme: Theme | None = None
        self._part_of = {id: entry.part_of for id, entry in chapters.items() if entry.part_of}
        self._column = column = QVBoxLayout(self)
        self.logo = QLabel()
        self.logo.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self.logo)
        self.chapters: dict[str, QToolButton] = {}
        group = QButtonGroup(self)
        for id, entry in shown.items():
            self.chapters[id] = button = QToolButton()
            button.setObjectName("chapter")
            button.setCheckable(True)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
            button.setText(say(entry.caption).replace("&", "&&"))  # no mnemonic
            button.setToolTip(say(f"action.chapter_{entry.number}"))
            button.clicked.connect(lambda _=False, id=id: self.chosen.emit(id))
            group.addButton(button)
            column.addWidget(button)
        column.addStretch(1)
        self._sign, self._scale = 0, 1.0  # px of an icon

    def mark(self, id: str) -> None:
        """Mark the chapter that is open, or that which the open one is a part of."""
        self.chapters[self._part_of.get(id, id)].setChecked(True)
        self._show_signs()
        self.update()

    def show_theme(self, theme: Theme, scale: float) -> None:
        """Draw in another theme, so many times larger."""
        self._theme = theme
        self.setFixedWidth(px(100, scale))
        self._column.setContentsMargins(*(px(side, scale) for side in (6, 14, 6, 8)))
        # The room between the chapters, and their icons, grow half as much as the words do.
        self._column.setSpacing(px(14, icon_factor(scale)))
        logo, sign = px(40, scale), px(34, icon_factor(scale))
        self.logo.setPixmap(icon("logo", theme.ink, logo).pixmap(logo, logo))
        self._sign, self._scale = sign, scale
        self._show_signs()
        self._fit()

    def _show_signs(self) -> None:
        if self._theme is None:
            return
        for id, button in self.chapters.items():
            colour = self._theme.ink if button.isChecked() else self._theme.ink2
            button.setIcon(icon(self._signs[id], colour, self._sign))
            button.setIconSize(QSize(self._sign, self._sign))

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Leave the words out where the chapters have no room below one another."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if not self._sign:
            return
        margins, apart = self._column.contentsMargins(), self._column.spacing()
        room = self.height() - margins.top() - margins.bottom() - self.logo.sizeHint().height()
        each = room // len(self.chapters) - apart
        with_words = self._sign + px(54, self._scale)
        named = each >= with_words
        style = Qt.ToolButtonStyle.ToolButtonTextUnderIcon
        for button in self.chapters.values():
            button.setToolButtonStyle(style if named else Qt.ToolButtonStyle.ToolButtonIconOnly)
            high = with_words if named else min(self._sign + px(20, self._scale), max(each, 24))
            button.setFixedSize(px(87, self._scale), high)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint a bar at the edge beside the chapter that is open."""
        super().paintEvent(event)
        for button in self.chapters.values():
            if button.isChecked() and self._theme is not None:
                painter = QPainter(self)
                painter.setRenderHint(QPainter.RenderHint.Antialiasing)
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor(self._theme.ink))
                place, height = button.geometry(), button.height() // 2
                box = QRectF(-2, place.center().y() - height / 2, 5, height)
                painter.drawRoundedRect(box, 2, 2)


class Bar(QWidget):
    """Above the stage: the chapter's controls, the device, theme, present and export.

    ``export_asked`` carries a file ending, a scale, whether it is to be grey, and "text", or
    "paths" for letters as outlines.
    """

    export_asked = Signal(str, int, bool, str)
    copy_asked = Signal()
    window_asked = Signal()

    def __init__(self, say: Captions) -> None:
        super().__init__()
        self.setObjectName("bar")
        self._say = say
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._arranged, self._arranging = ARRANGEMENTS[0], False
        self._scale, self._low = 1.0, False
        self._column, self._row = QVBoxLayout(self), QHBoxLayout()
        self._column.addLayout(self._row)  # while it is empty: see widgets.transport
        self._controls = QWidget()  # of the chapter that is open
        self.badge = QLabel()
        self.badge.setObjectName("badge")
        self.theme_button = QToolButton()
        self.theme_button.setObjectName("plainbox")
        self.theme_button.setAccessibleName(say("action.theme"))
        self.theme_button.setToolTip(say("action.theme"))
        self.present_button, self.export_button = QPushButton(), QPushButton()
        self.present_button.setObjectName("primary")
        self.export_button.setObjectName("box")
        self.export_button.setMenu(self._exports(say))
        self._words = {
            self.present_button: say("window.present"), self.export_button: say("window.export"),
        }  # fmt: skip
        self._saved: dict[QPushButton, int] = {}  # px, where a button has no words
        for button, words in self._words.items():
            button.setAccessibleName(words)
        self.present_button.setToolTip(say("action.present"))
        self.export_button.setToolTip(say("action.export"))
        self._row.addWidget(self._controls)
        self._row.addWidget(self.badge)
        self._row.addStretch(1)
        for right in (self.theme_button, *self._words):
            self._row.addWidget(right)

    def show_controls(self, controls: QWidget) -> None:
        """Show the controls of a chapter."""
        self._controls.hide()
        self._controls = controls
        self._fit(anew=True)
        controls.show()

    def show_theme(self, theme: Theme, scale: float, sign: str) -> None:
        """Draw in another theme, so many times larger; ``sign`` is the icon of the other theme."""
        size = px(16, scale)
        self.theme_button.setIcon(icon(sign, theme.ink, size))
        self.present_button.setIcon(icon("present", theme.onink, size))
        self.export_button.setIcon(icon("export", theme.ink, size))
        for button in (self.theme_button, *self._words):
            button.setIconSize(QSize(size, size))
        for button, words in self._words.items():
            button.setText("")
            least = button.sizeHint().width()
            # Qt leaves 4 px behind an icon, however large the words are.
            self._words[button] = words = "\u2009" * (scale > 1) + words.strip()
            button.setText(words)
            self._saved[button] = button.sizeHint().width() - least
        # The room between words grows half as much as they do.
        self._scale = scale
        self._row.setSpacing(px(10, icon_factor(scale)))
        self._set_height()
        self._fit(anew=True)

    def condense(self, low: bool) -> None:
        """Take less height, where the stage needs it."""
        if low != self._low:
            self._low = low
            self._set_height()

    def _set_height(self) -> None:
        high, edge = BAR_LOW if self._low else BAR_HIGH
        side, edge = (px(size, icon_factor(self._scale)) for size in (18, edge))
        self._column.setContentsMargins(side, edge, side, edge)
        self._column.setSpacing(edge)
        self.setMinimumHeight(px(high, icon_factor(self._scale)))

    def event(self, event: QEvent) -> bool:
        """Arrange the bar anew when it or what it holds has another size."""
        done = super().event(event)
        if event.type() in (QEvent.Type.Resize, QEvent.Type.LayoutRequest):
            self._fit()
        return done

    def _fit(self, *, anew: bool = False) -> None:
        if self._arranging:  # what is shown or moved makes Qt lay the bar out at once
            return
        fits = (how for how in ARRANGEMENTS if self._needed(*how) <= self.width())
        how = next(fits, ARRANGEMENTS[-1])
        if anew or how != self._arranged:
            self._arranging = True
            self._arrange(how)
            self._arranging = False

    def _needed(self, badge: bool, words: bool, beside: bool) -> int:
        """Return how many px an arrangement needs."""
        widths = [self.theme_button.sizeHint().width()]
        if badge and self.badge.text():
            widths.append(self.badge.sizeHint().width())
        if beside:  # the badge goes before the controls have little room
            least = self._controls.minimumSizeHint()
            widths.append((self._controls.sizeHint() if badge else least).width())
        for button, saved in self._saved.items():
            shown = button.sizeHint().width() + (0 if button.text() else saved)
            widths.append(shown - (0 if words else saved))
        gaps = self._row.spacing() * (len(widths) - 1)
        margins = self._column.contentsMargins()
        return sum(widths) + gaps + margins.left() + margins.right()

    def _arrange(self, how: tuple[bool, bool, bool]) -> None:
        badge, words, beside = self._arranged = how
        self.badge.setVisible(badge and bool(self.badge.text()))
        for button, text in self._words.items():
            button.setText(text if words else "")
        if beside:
            expands = self._controls.sizePolicy().expandingDirections()
            self._row.insertWidget(0, self._controls, 8 if expands else 0)
        else:
            self._column.insertWidget(0, self._controls)

    def show_device(self, words: str, sentence: str) -> None:
        """Say what computes."""
        if words != self.badge.text():
            self.badge.setText(words)
            self._fit(anew=True)
        self.badge.setToolTip(sentence)

    def _exports(self, say: Captions) -> QMenu:
        menu = QMenu(self)
        for ending, scale in EXPORTS:
            entry = menu.addAction(say(f"window.export_{ending[1:]}", scale=scale))
            entry.triggered.connect(
                lambda _=False, e=ending, k=scale: self.export_asked.emit(e, k, False, "text")
            )
            if ending == ".svg":
                menu.addAction(say("window.export_paths")).triggered.connect(
                    lambda: self.export_asked.emit(".svg", 1, False, "paths")
                )
        menu.addAction(say("window.export_grey")).triggered.connect(
            lambda: self.export_asked.emit(".pdf", 1, True, "text")
        )
        menu.addSeparator()
        menu.addAction(say("action.copy")).triggered.connect(lambda: self.copy_asked.emit())
        menu.addAction(say("action.export_window")).triggered.connect(
            lambda: self.window_asked.emit()
        )
        return menu


class SentenceControls(QWidget):
    """The sentence and the models of chapter 1."""

    def __init__(self, say: Captions) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.field = Field(say)
        self.chain_choice = Choice(say("window.chain_choice"))
        self.set_choice = Choice(say("window.set_choice"))
        for cell in CELLS:
            self.chain_choice.add(cell, say(f"window.chain.{cell}"))
        for ending in SETS:
            self.set_choice.add(ending, say(f"window.set.{ending.strip('-') or 'small'}"))
        self.precision_choice = Choice(say("window.precision_choice"))
        for precision in PRECISIONS:
            self.precision_choice.add(precision, say(f"window.precision.{precision}"))
        self.precision_choice.grey("TF32", say("window.no_tf32"))
        self.precision_choice.menu().setTitle(say("window.precision_choice"))
        sets = self.set_choice.menu()  # which offers the precision where that has no room
        self._within = (sets.addSeparator(), sets.addMenu(self.precision_choice.menu()))
        self.laboratory = QPushButton(say("window.laboratory"))
        self.laboratory.setObjectName("box")
        self.laboratory.setToolTip(say("action.long_range"))
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.addWidget(self.field, 1)
        for choice in (self.chain_choice, self.set_choice, self.precision_choice):
            self._row.addWidget(choice)
        self._row.addWidget(self.laboratory)

    def show_theme(self, theme: Theme, scale: float) -> None:
        """Draw in another theme, so many times larger."""
        self.field.show_theme(theme, scale)
        self._row.setSpacing(px(10, icon_factor(scale)))
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Fold away what the sentence would have no room beside: precision, then laboratory."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        room = self.width() - self.sizeHint().width()
        self.laboratory.setVisible(room >= 0)
        needed = self.precision_choice.sizeHint().width() + self._row.spacing()
        self.precision_choice.setVisible(room >= needed)
        for entry in self._within:
            entry.setVisible(room < 0)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return what sentence and models need at the least."""
        parts = (self.chain_choice.sizeHint(), self.set_choice.sizeHint())
        wide = self.field.minimumWidth() + sum(part.width() + self._row.spacing() for part in parts)
        return QSize(wide, max(self.field.sizeHint().height(), *(part.height() for part in parts)))

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the size with some room for the sentence, and with the laboratory."""
        least = self.minimumSizeHint()
        more = self.laboratory.sizeHint().width() + self._row.spacing()
        return QSize(least.width() + self.field.minimumWidth() // 2 + more, least.height())

    def edit(self) -> None:
        """Put the cursor into the sentence."""
        self.field.setFocus()
        self.field.selectAll()

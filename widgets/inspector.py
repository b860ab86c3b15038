"""The panel at the right: a page that tells of what is shown on the stage.

It is one text document, written anew when its key changes: its links are reached by keyboard, its
text can be selected, and only the chips of the units are painted behind the text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from PySide6.QtCore import QPointF, QRectF, Qt, QUrl, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QResizeEvent,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextFormat,
    QTextOption,
)
from PySide6.QtWidgets import QFrame, QMenu, QPushButton, QTextBrowser, QVBoxLayout, QWidget

from widgets import clipboard, equation, formats, numbers
from widgets.captions import Captions
from widgets.fonts import register_fonts
from widgets.geometry import px
from widgets.theme import Theme

if TYPE_CHECKING:
    from engine.trace import Pair, Step, Trace

# px at 100 %
MARGIN = 16  # at the left and right of the text
BAR = 12  # that a scroll bar may take
GAP = 8  # at least between what stands at the left and at the right of a line
ABOVE_RULE, BELOW_RULE = 11.5, 12.5
COPIES = ("numpy", "csv", "latex")
SMALL, BODY, FORMULA, SCRIPT, TITLE, MONO, CHIP = 13, 14, 16, 12.6, 17, 12, 13  # px at 100 %
# Spaces that leave room in a chip for its round ends and its icon; they do not break.
BEFORE, AFTER = "\u2003\u2002\u00a0", "\u2004"

UNIT = QTextFormat.Property.UserProperty.value  # of a chip's format

# What stands on a line: text and its format.
Run = tuple[str, QTextCharFormat]
# A step of a run, and an index into its numbers.
Element: TypeAlias = "tuple[Trace, Step, tuple[int, ...]]"


class Inspector(QWidget):
    """Shows the pages that a chapter writes.

    ``linked`` tells what a link that was clicked names; ``save_asked`` the step whose tensor is to
    be saved as .npy; ``copied`` whether the clipboard took what was copied.
    """

    linked = Signal(str)
    save_asked = Signal(object)  # Step
    copied = Signal(bool)

    def __init__(self, theme: Theme, captions: Captions, scale: float = 1.0) -> None:
        super().__init__()
        register_fonts()  # text that was laid out before its font is known is drawn as nonsense
        self.setObjectName("inspector")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._say = captions
        self._theme, self._scale = theme, scale
        self._key: object = None
        self._writer: Callable[[Page], None] | None = None
        self._element: Element | None = None  # of the page
        self.text = _Text()
        self.text.setAccessibleName(captions("inspector.name"))
        self.text.anchorClicked.connect(self._follow)
        self.copy_button = QPushButton(captions("inspector.copy"))
        self.copy_button.setObjectName("box")
        self.copy_button.setVisible(False)
        self.copy_button.setMenu(self._copies())
        self._column = QVBoxLayout(self)
        self._column.setSpacing(10)
        self._column.addWidget(self.text, 1)
        self._column.addWidget(self.copy_button, 0, Qt.AlignmentFlag.AlignHCenter)
        self.show_theme(theme, scale)

    def show_theme(self, theme: Theme, scale: float = 1.0) -> None:
        """Change the colours, and how much larger the words are."""
        self._theme, self._scale = theme, scale
        self._column.setContentsMargins(1, px(14, scale), 0, px(12, scale))
        self.text.show_theme(theme, scale)
        self._formats = Formats(theme, scale)
        self._write()

    def show_page(self, key: object, write: Callable[[Page], None]) -> None:
        """Show a page; the same key again costs nothing.

        The first item of a tuple says which page it is: while that is the same, what is written
        anew stays where it is scrolled to.
        """
        if key == self._key:
            return
        known, self._key, self._writer = self._key, key, write
        bar = self.text.verticalScrollBar()
        place = bar.value() if _page_of(key) == _page_of(known) else 0
        self._write()
        bar.setValue(place)

    def show_nothing(self) -> None:
        """Show an empty panel."""
        self._key = self._writer = None
        self._write()

    def copy(self, format: str) -> None:
        """Copy what is shown: its tensor as "numpy" or "csv", or its equation as "latex"."""
        if self._element is None:
            return
        trace, step, index = self._element
        if format == "latex":
            from widgets.explain import explain

            text = formats.latex(step, explain(trace, step, index, self._say))
        elif format == "csv":
            text = formats.csv(step.value, step.axes)
        else:
            text = formats.literal(step.value)
        self.copied.emit(clipboard.copy(text))

    def _copies(self) -> QMenu:
        menu = QMenu(self)
        for format in COPIES:
            entry = menu.addAction(self._say(f"inspector.copy_{format}"))
            entry.triggered.connect(lambda _=False, format=format: self.copy(format))
        menu.addSeparator()
        menu.addAction(self._say("inspector.save_npy")).triggered.connect(self._ask_save)
        return menu

    def _ask_save(self) -> None:
        if self._element is not None:
            self.save_asked.emit(self._element[1])

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Set the text anew for another width."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._write()

    def _follow(self, link: QUrl) -> None:
        self.linked.emit(self.text.links[int(link.path())])

    def _write(self) -> None:
        width = max(self.width() - px(2 * MARGIN + BAR, self._scale), 120)
        page = Page(self.text, self._formats, width, self._scale)
        if self._writer is not None:
            self._writer(page)
        page.done()
        self._element = page.element
        self.copy_button.setVisible(self._element is not None)


def _page_of(key: object) -> object:
    return key[0] if isinstance(key, tuple) and key else key


def unbroken(words: str) -> str:
    """Return words for one line, with spaces that the fixed-width font has.

    What came from another font would not stand right at a tab stop.
    """
    return words.replace(" ", numbers.NBSP).replace(numbers.THIN, numbers.NBSP)


class Formats:
    """The formats of a theme, so many times larger."""

    def __init__(self, theme: Theme, scale: float) -> None:
        small, body, title, mono, chip = (
            px(size, scale) for size in (SMALL, BODY, TITLE, MONO, CHIP)
        )
        self.small = _format(small, theme.ink2)
        self.body = _format(body, theme.ink)
        self.strong = _format(body, theme.ink, weight=QFont.Weight.DemiBold)
        self.title = _format(title, theme.ink, weight=QFont.Weight.DemiBold)
        self.mono = _format(mono, theme.ink, family="JetBrains Mono")
        self.mono_strong = _format(
            mono, theme.ink, family="JetBrains Mono", weight=QFont.Weight.Medium
        )
        self.mono_shown = _format(
            mono, theme.ink, family="JetBrains Mono", weight=QFont.Weight.Medium
        )
        self.mono_shown.setBackground(QColor(theme.ink))
        self.mono_shown.setForeground(QColor(theme.onink))
        self.chips = {
            unit: _format(chip, text, weight=QFont.Weight.DemiBold)
            for unit, (_, text, _) in units(theme).items()
        }
        for unit, how in self.chips.items():
            how.setProperty(UNIT, unit)
        self._scale = scale
        self.formula = _format(FORMULA * scale, theme.ink)

    def chip(self, unit: str, words: str) -> Run:
        """Return words to be drawn as a unit's chip."""
        return f"{BEFORE}{words}{AFTER}".replace(" ", numbers.NBSP), self.chips[unit]

    def lettered(self, markup: str, how: QTextCharFormat) -> list[Run]:
        """Return an equation, or words with symbols among them, in a format."""
        return [
            (text, _script(how, italic, script, self._scale))
            for text, italic, script in equation.runs(markup)
        ]


def units(theme: Theme) -> dict[str, tuple[str, str, str]]:
    """Return for each unit of hardware the colours of mark, text and ground."""
    return {
        "sequential": (theme.seq, theme.seq_text, theme.seq_tint),
        "stream": (theme.stream, theme.stream_text, theme.stream_tint),
        "matrix": (theme.matrix, theme.matrix_text, theme.matrix_tint),
    }


def _format(
    size: float,
    colour: str,
    *,
    family: str = "Inter",
    weight: QFont.Weight = QFont.Weight.Normal,
    italic: bool = False,
) -> QTextCharFormat:
    font = QFont(family)
    font.setPixelSize(round(size))
    font.setWeight(weight)
    font.setItalic(italic)
    made = QTextCharFormat()
    made.setFont(font)
    made.setForeground(QColor(colour))
    return made


def _script(how: QTextCharFormat, italic: bool, script: int, scale: float) -> QTextCharFormat:
    """Return the format of a piece of an equation."""
    made, font = QTextCharFormat(how), how.font()
    font.setItalic(italic)
    if script:  # Qt sets scripts at two thirds of their format's size
        font.setPixelSize(round(1.5 * SCRIPT * scale))
    made.setFont(font)
    align = QTextCharFormat.VerticalAlignment
    made.setVerticalAlignment(
        {-1: align.AlignSubScript, 0: align.AlignNormal, 1: align.AlignSuperScript}[script]
    )
    return made


class Page:
    """Writes a document from the top.

    ``width`` is that of a line, in px. ``element`` may be set to what the page tells of: then its
    numbers can be copied.
    """

    def __init__(self, text: _Text, formats: Formats, width: int, scale: float) -> None:
        self._text, self.formats, self.width, self._scale = text, formats, width, scale
        self.element: Element | None = None
        self._cursor = text.begin(width)
        self._first, self._rule = True, False

    def line(self, left: list[Run], *, right: list[Run] | None = None, above: int = 1) -> None:
        """Write a line; what stands at the right gets a line of its own where it has no room."""
        right = [(unbroken(words), how) for words, how in right or []]
        fits = sum(width_of(run) for run in (*left, *right)) + px(GAP, self._scale) <= self.width
        # Qt rounds the text before a tab stop, which may end it a pixel behind the stop.
        tab = QTextOption.Tab(self.width - 2, QTextOption.TabType.RightTab)
        block = QTextBlockFormat()
        rule = ABOVE_RULE + BELOW_RULE if self._rule else 0
        block.setTopMargin(px(above + rule, self._scale))
        if right and any(map(_is_script, left)) and not left[0][1].hasProperty(UNIT):
            # A row of a list is as high as the others; round a chip more is needed.
            high = QFontMetricsF(left[0][1].font()).height()
            block.setLineHeight(high, QTextBlockFormat.LineHeightTypes.FixedHeight.value)
        if right and fits:
            block.setTabPositions([tab])
        self._block(block)
        self._runs(left)
        if not right:
            return
        if not fits:
            block = QTextBlockFormat()
            block.setAlignment(Qt.AlignmentFlag.AlignRight)
            self._block(block)
        else:
            self._cursor.insertText("\t", right[0][1])
        self._runs(right)

    def formula(self, markup: str) -> None:
        """Write an equation."""
        self.line(self.formats.lettered(markup, self.formats.formula))

    def rule(self) -> None:
        """Draw a hairline above the next line."""
        self._rule = True

    def link(
        self, words: str, name: str, pair: Pair | None = None, how: QTextCharFormat | None = None
    ) -> Run:
        """Return words that lead to an element.

        With runs, they lead there if the name is an element of these; parameters lead nowhere.
        """
        how = how or self.formats.mono
        if pair is not None and pair.find(name) is None:
            return words, how
        linked = QTextCharFormat(how)
        linked.setAnchor(True)
        linked.setAnchorHref(f"read:{len(self._text.links)}")
        linked.setFontUnderline(True)
        self._text.links.append(name)
        return words, linked

    def done(self) -> None:
        """Show what was written."""
        self._text.end(self._cursor)

    def _block(self, block: QTextBlockFormat) -> None:
        if self._first:
            self._cursor.setBlockFormat(block)
        else:
            self._cursor.insertBlock(block)
        if self._rule:
            self._text.rules.append(self._cursor.position())
        self._first = self._rule = False

    def _runs(self, runs: list[Run]) -> None:
        for words, how in runs:
            start = self._cursor.position()
            self._cursor.insertText(words, how)
            unit, chips = how.stringProperty(UNIT), self._text.chips
            if unit:
                # A chip with symbols in it is several runs.
                start = chips.pop()[0] if chips and chips[-1][1] == start else start
                chips.append((start, self._cursor.position(), unit))


def _is_script(run: Run) -> bool:
    return run[1].verticalAlignment() != QTextCharFormat.VerticalAlignment.AlignNormal


def width_of(run: Run) -> float:
    """Return how wide words are, in px."""
    return QFontMetricsF(run[1].font()).horizontalAdvance(run[0])


class _Text(QTextBrowser):
    """The text; paints chips and hairlines behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.chips: list[tuple[int, int, str]] = []  # first and last position, unit
        self.rules: list[int] = []  # positions of the lines that have a hairline above them
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setOpenLinks(False)
        self.setUndoRedoEnabled(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setLineWrapMode(QTextBrowser.LineWrapMode.FixedPixelWidth)
        self.document().setDocumentMargin(0)

    def show_theme(self, theme: Theme, scale: float) -> None:
        """Change the colours of ground and selection, and how much larger the marks are."""
        self._units, self._hair, self._scale = units(theme), theme.hair, scale
        self.setViewportMargins(px(MARGIN, scale), 0, 0, 0)
        palette = self.palette()
        palette.setColor(QPalette.ColorRole.Base, QColor(theme.window))
        palette.setColor(QPalette.ColorRole.Text, QColor(theme.ink))
        palette.setColor(QPalette.ColorRole.Highlight, QColor(theme.ink))
        palette.setColor(QPalette.ColorRole.HighlightedText, QColor(theme.onink))
        self.setPalette(palette)

    def walk(self, by: int) -> bool:
        """Select the next link, or the one before; behind the last one the focus goes on."""
        return bool(self.focusNextPrevChild(by > 0))

    def follow(self) -> None:
        """Open the link that is selected."""
        href = self.textCursor().charFormat().anchorHref()
        if href:
            self.anchorClicked.emit(QUrl(href))

    def begin(self, width: int) -> QTextCursor:
        """Empty the text and return where to write."""
        self.links, self.chips, self.rules = [], [], []
        self.setLineWrapColumnOrWidth(width)
        self.document().clear()
        cursor = QTextCursor(self.document())
        cursor.beginEditBlock()
        return cursor

    def end(self, cursor: QTextCursor) -> None:
        """Lay out what was written."""
        cursor.endEditBlock()
        # Inserting has moved the widget's own cursor to the end, where the first show would scroll.
        self.moveCursor(QTextCursor.MoveOperation.Start)
        self.verticalScrollBar().setValue(0)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint chips and hairlines, then the text over them."""
        if self.chips or self.rules:
            self._paint_marks()
        super().paintEvent(event)

    def _paint_marks(self) -> None:
        # The first widget that Qt itself has made, as this viewport, makes PySide set up every
        # class of widgets: 40 ms, which the first frame does not have to wait for.
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for start, end, unit in self.chips:
            first, last = self._rect(start), self._rect(end)
            pad = 3 * self._scale
            box = QRectF(
                first.left(), first.top() - pad, last.left() - first.left(),
                first.height() + 2 * pad,
            )  # fmt: skip
            mark, _, ground = self._units[unit]
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(ground))
            painter.drawRoundedRect(box, box.height() / 2, box.height() / 2)
            painter.save()
            painter.translate(box.left(), box.center().y())
            painter.scale(self._scale, self._scale)
            draw_unit(painter, unit, QPointF(8, -5), mark)
            painter.restore()
        painter.setPen(QPen(QColor(self._hair), 1))
        for position in self.rules:
            y = self._rect(position).top() - BELOW_RULE * self._scale
            painter.drawLine(QPointF(0, y), QPointF(self.lineWrapColumnOrWidth(), y))
        painter.end()

    def _rect(self, position: int) -> QRectF:
        cursor = QTextCursor(self.document())
        cursor.setPosition(position)
        return QRectF(self.cursorRect(cursor))


def draw_unit(painter: QPainter, unit: str, corner: QPointF, colour: str) -> None:
    """Draw the mark of a unit, 12 × 10 px: dots in a row, bars, a grid."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colour))
    x, y = corner.x(), corner.y()
    if unit == "sequential":
        for i in range(3):
            painter.drawEllipse(QPointF(x + 2 + 4 * i, y + 5), 1.6, 1.6)
    elif unit == "stream":
        for i in range(4):
            painter.drawRect(QRectF(x + 3.2 * i, y, 1.8, 10))
    else:
        for i in range(3):
            for j in range(3):
                painter.drawRect(QRectF(x + 3.8 * i, y + 3.6 * j, 2.8, 2.8))

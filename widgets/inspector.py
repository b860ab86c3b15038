"""The panel at the right: what a tick does, or where one number or counter comes from.

It is one text document, written anew at every whole tick: its links are reached by keyboard, its
text can be selected, and only the chips of the units are painted behind the text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

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
    QTextOption,
)
from PySide6.QtWidgets import QFrame, QMenu, QPushButton, QTextBrowser, QVBoxLayout, QWidget

from widgets import clipboard, counter_pages, equation, formats, numbers
from widgets.captions import Captions
from widgets.counters import is_counter
from widgets.fonts import register_fonts
from widgets.geometry import px
from widgets.theme import Theme

if TYPE_CHECKING:
    from engine.trace import Pair, Step, Trace
    from widgets.view import Growth

# px at 100 %
MARGIN = 16  # at the left and right of the text
BAR = 12  # that a scroll bar may take
GAP = 8  # at least between what stands at the left and at the right of a line
ABOVE_RULE, BELOW_RULE = 11.5, 12.5
LISTED = 16  # numbers of a row that are written out
COLUMNS, FEWER = 4, 2  # of them beside one another, and where there is no room
CELL = 9  # characters that one of them takes
LINKED = 5  # numbers of one operand that are written out
WORDS = 5  # of an answer
COPIES = ("numpy", "csv", "latex")
SMALL, BODY, FORMULA, SCRIPT, TITLE, MONO, CHIP = 13, 14, 16, 12.6, 17, 12, 13  # px at 100 %
# Spaces that leave room in a chip for its round ends and its icon; they do not break.
BEFORE, AFTER = "\u2003\u2002\u00a0", "\u2004"

# What stands on a line: text and its format.
Run = tuple[str, QTextCharFormat]


class Inspector(QWidget):
    """What happens at a tick, one element in full, or how a counter is added up.

    ``linked`` tells the name of an element that was clicked, "side:step[i,j]"; ``save_asked`` that
    of the element whose tensor is to be saved as .npy; ``copied`` whether the clipboard took what
    was copied.
    """

    linked = Signal(str)
    save_asked = Signal(str)
    copied = Signal(bool)

    def __init__(self, theme: Theme, captions: Captions, scale: float = 1.0) -> None:
        super().__init__()
        register_fonts()  # text that was laid out before its font is known is drawn as nonsense
        self.setObjectName("inspector")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._say = captions
        self._theme, self._scale = theme, scale
        self._shown: tuple[Pair, int | str] | None = None
        self._growth: tuple[tuple[Growth, ...], int | None] = ((), None)
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

    def show_tick(self, pair: Pair, tick: int) -> None:
        """Show what a tick does on both sides; the same again costs nothing."""
        if self._shown != (pair, tick):
            self._shown = (pair, tick)
            self._write()

    def show_element(self, pair: Pair, name: str) -> None:
        """Show one element; a name that points at nothing changes nothing."""
        if pair.find(name) is not None and self._shown != (pair, name):
            self._shown = (pair, name)
            self._write()

    def show_counter(
        self, pair: Pair, name: str, growth: Sequence[Growth] = (), length: int | None = None
    ) -> None:
        """Show how a counter comes about; another name changes nothing.

        ``growth`` is what was measured at other lengths, ``length`` that of the plots' marker.
        """
        if is_counter(name):
            known, self._growth = self._growth, (tuple(growth), length)
            if self._shown != (pair, name):
                self._shown = (pair, name)
                self._write()
            elif known != self._growth:  # measured while somebody reads: the page stays where it is
                bar = self.text.verticalScrollBar()
                place = bar.value()
                self._write()
                bar.setValue(place)

    def show_nothing(self) -> None:
        """Show an empty panel: there is no sentence."""
        self._shown = None
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

    @property
    def _element(self) -> tuple[Trace, Step, tuple[int, ...]] | None:
        """Return what the shown element's name points at, None while a tick is shown."""
        if self._shown is None or not isinstance(self._shown[1], str):
            return None
        return self._shown[0].find(self._shown[1])

    def _copies(self) -> QMenu:
        menu = QMenu(self)
        for format in COPIES:
            entry = menu.addAction(self._say(f"inspector.copy_{format}"))
            entry.triggered.connect(lambda _=False, format=format: self.copy(format))
        menu.addSeparator()
        menu.addAction(self._say("inspector.save_npy")).triggered.connect(self._ask_save)
        return menu

    def _ask_save(self) -> None:
        if self._element is not None and self._shown is not None:
            self.save_asked.emit(str(self._shown[1]))

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Set the text anew for another width."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._write()

    def _follow(self, link: QUrl) -> None:
        self.linked.emit(self.text.links[int(link.path())])

    @property
    def _room(self) -> int:
        """Return how wide a line may be, in px."""
        return max(self.width() - px(2 * MARGIN + BAR, self._scale), 120)

    def _write(self) -> None:
        page = Page(self.text, self._formats, self._room, self._scale)
        if self._shown is not None:
            pair, what = self._shown
            if isinstance(what, str) and is_counter(what):
                counter_pages.write(page, pair, what, self._say, *self._growth)
            elif isinstance(what, str):
                self._write_element(page, pair, what)
            else:
                self._write_tick(page, pair, what)
        page.done()
        self.copy_button.setVisible(self._element is not None)

    # ------------------------------------------------------------------ a tick

    def _write_tick(self, page: Page, pair: Pair, tick: int) -> None:
        sides = [pair.chain, pair.grid]
        # What works stands above what waits.
        sides.sort(key=lambda trace: tick > trace.last_tick)
        for number, trace in enumerate(sides):
            if number:
                page.rule()
            self._write_side(page, trace, tick)

    def _write_side(self, page: Page, trace: Trace, tick: int) -> None:
        say, f = self._say, self._formats
        side = say(f"model.{trace.facts.cell or 'transformer'}")
        page.line([(say("inspector.tick", tick=tick, side=side), f.small)])
        if tick > trace.last_tick:
            waits = say(f"inspector.waits.{trace.facts.kind}", tick=trace.last_tick)
            page.line([(waits, f.body)])
        else:
            stage = trace.stage_at[tick]
            page.line([(stage.title, f.title)])
            page.formula(stage.equation)
            for steps in self._groups(trace, stage.name):
                self._write_work(page, steps)
        if tick >= trace.last_tick:
            self._write_answer(page, trace)

    def _groups(self, trace: Trace, stage: str) -> Iterable[list[Step]]:
        """Return the stage's operations, those of one kind and shape together."""
        from engine.ops import OPS

        groups: dict[tuple[Any, ...], list[Step]] = {}
        for step in trace.steps_of(stage):
            if OPS[step.op].moves:
                key = (step.op, step.timing.unit, step.axes, step.value.shape, step.cost)
                groups.setdefault(key, []).append(step)
        return groups.values()

    def _write_work(self, page: Page, steps: list[Step]) -> None:
        """Write chip, work, shape and time of operations of one kind."""
        f = self._formats
        chip = self._chip(steps[0], len(steps))
        page.line(chip, right=[(self._flops(steps), f.mono)], above=9)
        seconds = math.fsum(step.timing.seconds for step in steps)
        time = [(self._time(seconds, steps[0]), f.mono)]
        page.line([(self._shape(steps[0]), f.small)], right=time, above=4)

    def _write_answer(self, page: Page, trace: Trace) -> None:
        f = self._formats
        page.line([(self._say("inspector.answer"), f.small)], above=10)
        places = {word: i for i, word in enumerate(trace.vocabulary)}
        shares = numbers.percents(trace.value("answer.probabilities"))
        for number, (word, _) in enumerate(trace.answer(WORDS)):
            share = self._say("rt.percent", value=shares[places[word]])
            page.line([(word, f.body if number else f.strong)], right=[(share, f.mono)], above=2)

    # ------------------------------------------------------------------ an element

    def _write_element(self, page: Page, pair: Pair, name: str) -> None:
        from widgets.explain import explain

        found = pair.find(name)
        if found is None:
            return
        trace, step, index = found
        say, f = self._say, self._formats
        explained = explain(trace, step, index, say)
        stage = next(stage for stage in trace.stages if stage.name == step.stage)
        side = say(f"model.{trace.facts.cell or 'transformer'}")
        page.line([(say("inspector.tick", tick=trace.ticks[step.stage], side=side), f.small)])
        page.line([(stage.title, f.title)])
        page.line([(explained.element.partition(":")[2], f.mono)])
        if where := self._where(trace, step, index):
            page.line([(where, f.small)])
        page.formula(step.equation)
        page.line(self._chip(step, 1), right=[(self._flops([step]), f.mono)], above=9)
        page.line(
            [(say("inspector.bytes", count=_unit(step.cost.bytes, "B")), f.small)],
            right=[(self._time(step.timing.seconds, step), f.mono)],
            above=4,
        )
        page.rule()
        if len(index) < step.value.ndim:
            first = say("inspector.first", count=numbers.count(step.value[index].size))
            page.line([(first, f.small)])
        page.formula(explained.equation)
        page.line([(f"= {explained.filled}", f.body)], above=4)
        page.rule()
        self._write_row(page, step, explained.index)
        if explained.reads:
            page.rule()
            self._write_reads(page, pair, explained.reads)

    def _write_row(self, page: Page, step: Step, index: tuple[int, ...]) -> None:
        """Write the row that a number stands in."""
        f = self._formats
        page.line([(self._shape(step), f.small)])
        if not index:
            page.line([(numbers.value(float(step.value)), f.mono_shown)], above=3)
            return
        row = step.value[index[:-1]].tolist()
        first = index[-1] - index[-1] % LISTED
        part = row[first : first + LISTED]
        fits = _width((" " * CELL * COLUMNS, f.mono)) <= self._room
        columns = COLUMNS if fits else FEWER
        for start in range(0, len(part), columns):
            cells = []
            for i, number in enumerate(part[start : start + columns], first + start):
                text = _unbroken(numbers.value(number))
                cells.append((" " * (CELL - len(text)), f.mono))
                cells.append((text, f.mono_shown if i == index[-1] else f.mono))
            page.line(cells, above=3)
        if len(part) < len(row):
            rest = self._say(
                "inspector.rest", first=first, last=first + len(part) - 1, count=len(row)
            )
            page.line([(rest, f.small)], above=3)

    def _write_reads(self, page: Page, pair: Pair, reads: tuple[tuple[str, float], ...]) -> None:
        """Write what a number is made of, an operand after another, as links."""
        f = self._formats
        page.line([(self._say("inspector.reads"), f.small)])
        operands: dict[str, list[tuple[str, float]]] = {}
        for element, number in reads:
            operands.setdefault(element.partition("[")[0], []).append((element, number))
        for operand, elements in operands.items():
            page.line([page.link(operand.rpartition(":")[2], operand, pair)], above=6)
            for element, number in elements[:LINKED]:
                index = element.removeprefix(operand) or operand.rpartition(":")[2]
                value = [(numbers.value(number), f.mono)]
                page.line([page.link(index, element, pair)], right=value)
            if len(elements) > LINKED:
                more = self._say("inspector.more", count=len(elements) - LINKED)
                page.line([(more, f.small)])

    # ------------------------------------------------------------------ words

    def _chip(self, step: Step, times: int) -> list[Run]:
        """Return unit and operation, to be drawn as a chip."""
        from engine.ops import OPS

        unit = step.timing.unit
        words = self._say(f"inspector.unit.{unit}", op=OPS[step.op].label)
        runs = [self._formats.chip(unit, words)]
        if times > 1:
            runs.append((f" ×\u202f{times}", self._formats.small))
        return runs

    def _flops(self, steps: list[Step]) -> str:
        flops = sum(step.cost.flops for step in steps)
        return self._say("inspector.counted", what=_unit(flops, "FLOP"))

    def _time(self, seconds: float, step: Step) -> str:
        basis = step.timing.basis
        return self._say(f"inspector.basis.{basis}", what=numbers.seconds(seconds))

    def _shape(self, step: Step) -> str:
        sides = zip(step.axes, step.value.shape, strict=True)
        return " × ".join(f"{a}\u00a0{n}" for a, n in sides) or self._say("inspector.scalar")

    def _where(self, trace: Trace, step: Step, index: tuple[int, ...]) -> str:
        """Return what an index stands for, where that is more than a number."""
        parts = []
        for axis, i in zip(step.axes, index, strict=False):
            if axis == "head":
                parts.append(self._say("inspector.head", index=i + 1))
            elif axis in ("token", "query", "key", "word"):
                words = trace.vocabulary if axis == "word" else trace.tokens
                parts.append(self._say("inspector.word", axis=axis, word=words[i]))
        return ", ".join(parts)


def _unit(count: int, unit: str) -> str:
    """Return a count with its unit: "388 FLOP", "1.8 kFLOP"."""
    text = numbers.count(count)
    return f"{text}{unit}" if numbers.NBSP in text else f"{text}{numbers.NBSP}{unit}"


def _unbroken(words: str) -> str:
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
        self.formula = {
            (italic, script): _script(theme.ink, italic, script, scale)
            for italic in (False, True)
            for script in (-1, 0, 1)
        }

    def chip(self, unit: str, words: str) -> Run:
        """Return words to be drawn as a unit's chip."""
        return f"{BEFORE}{words}{AFTER}".replace(" ", numbers.NBSP), self.chips[unit]


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


def _script(colour: str, italic: bool, script: int, scale: float) -> QTextCharFormat:
    """Return the format of a piece of an equation."""
    # Qt sets scripts at two thirds of their format's size.
    size = FORMULA if not script else 1.5 * SCRIPT
    made = _format(size * scale, colour, italic=italic)
    align = QTextCharFormat.VerticalAlignment
    made.setVerticalAlignment(
        {-1: align.AlignSubScript, 0: align.AlignNormal, 1: align.AlignSuperScript}[script]
    )
    return made


class Page:
    """Writes a document from the top."""

    def __init__(self, text: _Text, formats: Formats, width: int, scale: float) -> None:
        self._text, self.formats, self._width, self._scale = text, formats, width, scale
        self._cursor = text.begin(width)
        self._first, self._rule = True, False

    def line(self, left: list[Run], *, right: list[Run] | None = None, above: int = 1) -> None:
        """Write a line; what stands at the right gets a line of its own where it has no room."""
        right = [(_unbroken(words), how) for words, how in right or []]
        fits = sum(_width(run) for run in (*left, *right)) + px(GAP, self._scale) <= self._width
        # Qt rounds the text before a tab stop, which may end it a pixel behind the stop.
        tab = QTextOption.Tab(self._width - 2, QTextOption.TabType.RightTab)
        block = QTextBlockFormat()
        rule = ABOVE_RULE + BELOW_RULE if self._rule else 0
        block.setTopMargin(px(above + rule, self._scale))
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
        runs = equation.runs(markup)
        self.line([(text, self.formats.formula[italic, script]) for text, italic, script in runs])

    def rule(self) -> None:
        """Draw a hairline above the next line."""
        self._rule = True

    def link(self, words: str, name: str, pair: Pair, how: QTextCharFormat | None = None) -> Run:
        """Return words that lead to an element, if the name is one; parameters lead nowhere."""
        how = how or self.formats.mono
        if pair.find(name) is None:
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
            for unit, chip in self.formats.chips.items():
                if how is chip:
                    self._text.chips.append((start, self._cursor.position(), unit))


def _width(run: Run) -> float:
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

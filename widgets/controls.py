"""The small widgets of the bar, and the one style sheet that draws all chrome in a theme."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from PySide6.QtCore import QEvent, QRectF, Qt, Signal
from PySide6.QtGui import (
    QActionGroup,
    QColor,
    QFocusEvent,
    QFont,
    QFontMetricsF,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QLabel, QLineEdit, QMenu, QToolButton

from widgets.captions import Captions
from widgets.geometry import icon_factor
from widgets.geometry import px as enlarged
from widgets.icons import icon
from widgets.theme import Theme

CAPSULE_MOST = 1.35  # its words and icons are at most so many times larger: its strip has a height


class Field(QLineEdit):
    """The sentence: words outside the vocabulary get a dotted chip, and the count stands beside."""

    def __init__(self, say: Captions) -> None:
        super().__init__()
        self.setObjectName("sentence")
        self._say = say
        self._words: tuple[tuple[str, bool], ...] = ()
        self._tags: tuple[str, ...] = ()  # what the tag says, the shorter where there is less room
        self._theme: Theme | None = None
        self._px = partial(enlarged, factor=1.0)
        self.setPlaceholderText(say("window.placeholder"))
        self.setAccessibleName(say("window.sentence"))
        self.setMaxLength(200_000)
        self.setAcceptDrops(False)  # the window reads what is dropped, here as anywhere else
        self.tag = QToolButton(self)  # a click on it offers the words that are known
        self.tag.setObjectName("tag")
        self.tag.setToolTip(say("action.words"))
        self.tag.setCursor(Qt.CursorShape.ArrowCursor)
        self.tag.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.pencil = QLabel(self)

    def event(self, event: QEvent) -> bool:
        """Keep Return for the sentence, which the window would take for its own action."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                event.accept()
                return True
        return super().event(event)

    def mark(self, words: tuple[str, ...], unknown: tuple[bool, ...]) -> None:
        """Say how many words there are, and which of them are unknown."""
        self._words = tuple(zip(words, unknown, strict=True))
        # A second blank is read as unknown, but is no word that somebody would look for.
        strange = [word for word, flag in self._words if flag and word.strip("_")]
        count, strangers = len(words), len(strange)
        self._tags = (self._say("window.tag" if words else "window.tag_empty", count=count),)
        if strange:
            long = self._say("window.tag_unknown", count=count, unknown=strangers)
            self._tags = (long, self._say("window.tag_short", unknown=strangers))
        listed = ", ".join(f"“{word}”" for word in dict.fromkeys(strange))
        self.setToolTip(self._say("window.unknown_title", words=listed) if strange else "")
        self._arrange()
        self.update()

    def setText(self, text: str | None) -> None:  # noqa: N802
        """Show another sentence."""
        super().setText(text)
        self.rest()

    def rest(self) -> None:
        """Show the sentence from its first word on, unless somebody types."""
        if not self.hasFocus():
            self.setCursorPosition(0)

    def select_unknown(self) -> None:
        """Select the first unknown word, or go to the end of a sentence that nobody types in."""
        chips, text = self.chips(), self.text()
        if chips:
            first, last = (_units(text[:place]) for place in chips[0])
            self.setSelection(first, last - first)
        elif not self.hasFocus():
            self.end(False)

    def put_in(self, word: str) -> None:
        """Put a word in the place of what is selected, or at the cursor, set off by spaces."""
        self.insert("")  # what is selected goes
        before = self._before_cursor()
        lead = " " * bool(before[-1:].strip())
        tail = " " * bool(self.text()[len(before) :][:1].strip())
        self.insert(f"{lead}{word}{tail}")

    def _before_cursor(self) -> str:
        """Return the text left of the cursor.

        Qt counts in halves of what is outside of the first plane, such as emoji.
        """
        before = self.text().encode("utf-16-le", "replace")[: 2 * self.cursorPosition()]
        return before.decode("utf-16-le", "ignore")

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        """Show the sentence from its first word on when it has been typed."""
        super().focusOutEvent(event)
        stays = (Qt.FocusReason.ActiveWindowFocusReason, Qt.FocusReason.PopupFocusReason)
        if event.reason() not in stays:
            self.setCursorPosition(0)

    def show_theme(self, theme: Theme, scale: float = 1.0) -> None:
        """Draw in another theme, so many times larger."""
        self._theme, self._px = theme, partial(enlarged, factor=scale)
        size = self._px(16)
        self.pencil.setPixmap(icon("pencil", theme.ink3, size).pixmap(size, size))
        self.setMinimumWidth(self._px(210))
        self._arrange()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Keep the tag at the right."""
        self._arrange()

    def _arrange(self) -> None:
        px, tag, size = self._px, self.tag, self._px(16)
        fits = False
        for text in self._tags:
            tag.setText(text)
            tag.adjustSize()
            fits = self.width() > 2 * tag.width() + px(60)
            if fits:
                break
        tag.setVisible(fits)
        tag.move(self.width() - tag.width() - px(8), (self.height() - tag.height()) // 2)
        self.pencil.setGeometry(px(10), (self.height() - size) // 2, size, size)
        right = tag.width() + px(14) if tag.isVisibleTo(self) else px(8)
        self.setTextMargins(px(26), 0, right, 0)

    def chips(self) -> tuple[tuple[int, int], ...]:
        """Return where in the text the unknown words stand: (first, last + 1) each."""
        if not any(unknown for _, unknown in self._words):
            return ()
        return _unknown_places(self._words, self.text())

    def chip_places(self) -> list[tuple[float, float]]:
        """Return the left and right edge of each unknown word in the field, in px."""
        place = _places(self.text(), self.font())
        # Where a character stands follows from where the cursor is: the line may be scrolled.
        start = self.cursorRect().center().x() - place(len(self._before_cursor()))
        edges = ((start + place(first), start + place(last)) for first, last in self.chips())
        return [(min(ends), max(ends)) for ends in edges]

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint the text, and a dotted box round each unknown word that is seen."""
        super().paintEvent(event)
        if self._theme is None or not self.chips():
            return
        painter = QPainter(self)
        pen = QPen(QColor(self._theme.ink2), 1.4)
        pen.setDashPattern([1.5, 2.0])
        painter.setPen(pen)
        margins = self.textMargins()
        width = self.width() - margins.left() - margins.right()
        painter.setClipRect(QRectF(margins.left(), 3, width, self.height() - 6))
        for left, right in self.chip_places():
            box = QRectF(left - 2, 5, right - left + 4, self.height() - 10)
            painter.drawRoundedRect(box, 5, 5)


def _units(text: str) -> int:
    """Return how long Qt says that a text is."""
    return len(text.encode("utf-16-le", "replace")) // 2


def _places(text: str, font: QFont) -> Callable[[int], float]:
    """Return what tells where the cursor stands in a line, in px from one end of it."""
    from unicodedata import bidirectional  # (here: the first frame marks no word)

    if not any(bidirectional(c) in ("R", "AL") for c in text):
        metrics = QFontMetricsF(font)
        return lambda position: metrics.horizontalAdvance(text[:position])
    from PySide6.QtGui import QTextLayout, QTextOption  # (here: the first frame has no such text)

    layout, option = QTextLayout(text, font), QTextOption()
    option.setTextDirection(Qt.LayoutDirection.LayoutDirectionAuto)
    layout.setTextOption(option)
    layout.beginLayout()
    line = layout.createLine()
    layout.endLayout()

    def place(position: int) -> float:
        assert layout.lineCount()  # the line lives as long as its layout
        found: Any = line.cursorToX(_units(text[:position]))
        return float(found[0])

    return place


@lru_cache(maxsize=4)
def _unknown_places(words: tuple[tuple[str, bool], ...], text: str) -> tuple[tuple[int, int], ...]:
    """Return where the unknown ones of the words that were read from a text stand in it."""
    small, origin = _small(text)
    patterns = [_pattern(word) for word, _ in words]
    # Of a long text the words that were read stand together somewhere behind its start.
    together = re.compile(r"\s*".join(patterns), re.IGNORECASE).search(small)
    places, end = [], together.start() if together is not None else 0
    for pattern, (word, unknown) in zip(patterns, words, strict=True):
        found = re.compile(pattern, re.IGNORECASE).search(small, end)
        if found is None:
            continue
        end = found.end()
        if unknown and word.strip("_"):
            places.append((origin[found.start()], origin[end - 1] + 1))
    return tuple(places)


def _small(text: str) -> tuple[str, list[int]]:
    """Return a text in small letters, and for each of its characters where it came from.

    One by one, because a small letter may be more characters than the capital ("İ").
    """
    pairs = [(small, i) for i, letter in enumerate(text) for small in letter.lower()]
    return "".join(small for small, _ in pairs), [i for _, i in pairs]


def _pattern(word: str) -> str:
    """Return what finds a word that was read, from border to border, where it was typed."""
    if not word.strip("_"):
        return "_{2,}"  # however long the blank is
    if word.endswith("…") and len(word) > 1:
        return rf"(?<![^\W_]){re.escape(word[:-1])}\S*"  # a word that was cut
    before = r"(?<![^\W_])" if word[0].isalnum() else ""
    behind = r"(?![^\W_])" if word[-1].isalnum() else ""
    return before + re.escape(word) + behind


class Choice(QToolButton):
    """A button that shows what is chosen and opens a menu; what cannot be is grey with a reason."""

    chosen = Signal(str)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName("choice")
        self.setAccessibleName(name)
        self.setToolTip(name)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.current = ""
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        menu.aboutToShow.connect(self._begin)
        self.setMenu(menu)
        self._group = QActionGroup(self)
        self._group.triggered.connect(lambda action: self._pick(action.data()))
        self._words: dict[str, str] = {}

    def add(self, id: str, text: str) -> None:
        """Offer one more."""
        action = self.menu().addAction(text)
        action.setData(id)
        action.setCheckable(True)
        self._group.addAction(action)
        self._words[id] = text

    def choose(self, id: str) -> None:
        """Show a choice without saying so."""
        if id in self._words:
            self.current = id
            self.setText(self._words[id])
            for action in self._group.actions():
                action.setChecked(action.data() == id)

    def grey(self, id: str, reason: str) -> None:
        """Grey a choice out with a reason, or offer it again with ""."""
        for action in self._group.actions():
            if action.data() == id:
                action.setEnabled(not reason)
                action.setToolTip(reason or self._words[id])
                action.setText(f"{self._words[id]} ({reason})" if reason else self._words[id])

    def _begin(self) -> None:
        """Begin at what is chosen: the next key up or down is the one beside it."""
        checked = self._group.checkedAction()
        if checked is not None:
            self.menu().setActiveAction(checked)

    def _pick(self, id: str) -> None:
        if id != self.current:
            self.choose(id)
            self.chosen.emit(id)


class Notice(QLabel):
    """One line at the foot of the stage: what happened, what still works, what to do."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("notice")
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._kept = self._passing = self._held = False
        self.hide()

    def hold(self, held: bool) -> None:
        """Show nothing until it is let go: the screen is black."""
        self._held = held
        self.setVisible(not held and bool(self.text()))

    def say(self, sentence: str, *, until_next: bool = False, passing: bool = False) -> None:
        """Show a sentence, if there is one.

        ``until_next`` keeps it over the next ``clear``; a ``passing`` one goes when time goes on.
        """
        if not sentence:
            return
        self._kept, self._passing = until_next, passing
        self.setText(sentence)
        self.setVisible(not self._held)

    def add(self, sentence: str) -> None:
        """Show a sentence behind what is said already."""
        self.setText(f"{self.text()} {sentence}".strip())
        self.setVisible(not self._held)

    def pass_by(self) -> None:
        """Take the sentence away if it was a passing one."""
        if self._passing:
            self.clear()

    def clear(self) -> None:
        """Take the sentence away."""
        if self._kept:
            self._kept = False
            return
        self._passing = False
        super().clear()
        self.hide()


def style_sheet(theme: Theme, scale: float = 1.0) -> str:
    """Return the chrome's style in a theme: ink on paper, one hairline, no shadow.

    Everything but hairlines is ``scale`` times larger.
    """
    px = partial(enlarged, factor=scale)
    icon_px = partial(enlarged, factor=icon_factor(scale))
    capsule_px = partial(enlarged, factor=min(scale, CAPSULE_MOST))
    return f"""
    QMainWindow, QWidget {{ background: {theme.window}; color: {theme.ink}; font-family: Inter; font-size: {px(14)}px; }}
    #bar {{ border-bottom: 1px solid {theme.hair}; }}
    #transport {{ border-top: 1px solid {theme.hair}; }}
    #transport QLabel, #transport Scrubber, #bar QLabel, #rail QLabel {{ background: transparent; }}
    #stage, #empty, #strip {{ background: {theme.stage}; }}
    #empty QLabel {{ background: transparent; }}
    #empty #primary {{ min-width: {px(200)}px; }}
    #emptytitle {{ font-size: {px(22)}px; font-weight: 600; }}
    #emptytext {{ color: {theme.ink2}; font-size: {px(16)}px; }}
    #notice {{ background: {theme.panel}; color: {theme.ink}; padding: {px(9)}px {px(28)}px; border-top: 1px solid {theme.hair}; font-size: {px(14)}px; }}
    #sentence {{ background: {theme.panel}; border: 1.5px solid {theme.hair2}; border-radius: {px(8)}px; padding: {px(6)}px 0; font-size: {px(15)}px; selection-background-color: {theme.ink}; selection-color: {theme.onink}; }}
    #sentence:focus {{ border: 2px solid {theme.ink}; background: {theme.stage}; }}
    #bar #tag {{ background: {theme.well}; color: {theme.ink2}; border: none; border-radius: {px(6)}px; padding: {px(3)}px {px(8)}px; font-size: {px(12)}px; font-weight: 500; }}
    #bar #tag:hover {{ color: {theme.ink}; }}
    #bar #badge {{ background: {theme.well}; color: {theme.ink2}; border-radius: {px(14)}px; padding: {px(6)}px {px(14)}px; font-size: {px(13)}px; font-weight: 500; }}
    #choice {{ background: {theme.panel}; border: 1.25px solid {theme.hair2}; border-radius: {px(8)}px; padding: {px(7)}px {px(26)}px {px(7)}px {px(12)}px; font-size: {px(14)}px; font-weight: 500; }}
    #choice::menu-indicator {{ subcontrol-position: right center; subcontrol-origin: padding; right: {px(9)}px; }}
    #primary {{ background: {theme.ink}; color: {theme.onink}; border: none; border-radius: {px(8)}px; padding: {px(8)}px {px(14)}px; font-weight: 600; }}
    #box, #plainbox {{ background: {theme.panel}; border: 1.25px solid {theme.hair2}; border-radius: {px(8)}px; padding: {px(7)}px {px(12)}px; font-weight: 600; }}
    #plainbox {{ padding: {px(6)}px; }}
    #plain {{ background: transparent; border: 2px solid transparent; border-radius: {icon_px(8)}px; padding: {icon_px(5)}px; }}
    #plain:hover, #segment:hover, #choice:hover, #box:hover, #plainbox:hover {{ background: {theme.well}; }}
    #round {{ background: {theme.ink}; border: 3px solid {theme.ink}; border-radius: {icon_px(44) // 2 + 3}px; min-width: {icon_px(44)}px; max-width: {icon_px(44)}px; min-height: {icon_px(44)}px; max-height: {icon_px(44)}px; }}
    #round:disabled {{ background: {theme.ghost}; border-color: {theme.ghost}; }}
    #segment:disabled {{ color: {theme.ghost}; }}
    #round[late="true"] {{ border: 3px dotted {theme.onink}; }}
    #segment {{ background: transparent; border: 1.25px solid transparent; border-radius: {px(7)}px; padding: {px(5)}px {px(9)}px; font-weight: 600; color: {theme.ink2}; }}
    #segment:checked {{ background: {theme.stage}; border-color: {theme.hair2}; color: {theme.ink}; }}
    QToolButton:focus, QPushButton:focus {{ border: 2px solid {theme.ink}; }}
    #primary:focus {{ border: 2px solid {theme.ink}; padding: {px(8) - 2}px {px(14) - 2}px; background-clip: padding; }}
    #ticktitle {{ font-size: {px(15)}px; }}
    #chapter {{ background: transparent; color: {theme.ink2}; border: 1.25px solid transparent; border-radius: {px(10)}px; font-size: {px(12)}px; padding: {px(2)}px; }}
    #chapter:hover {{ background: {theme.well}; }}
    #chapter:checked {{ background: {theme.stage}; color: {theme.ink}; font-weight: 600; border-color: {theme.hair}; }}
    #rail {{ border-right: 1px solid {theme.hair}; }}
    #inspector {{ border-left: 1px solid {theme.hair}; }}
    #capsule {{ background: {theme.ink}; border-radius: 22px; }}
    #capsule QLabel, #capsulebutton {{ background: transparent; border: none; color: {theme.onink}; }}
    #capsuleclock {{ font-size: {capsule_px(17)}px; font-weight: 600; }}
    #capsulenote {{ font-size: {capsule_px(14)}px; }}
    #sheet {{ background: {theme.panel}; border: 1.25px solid {theme.hair2}; padding: {px(14)}px; font-size: {px(14)}px; selection-background-color: {theme.ink}; selection-color: {theme.onink}; }}
    QMenu {{ background: {theme.panel}; border: 1px solid {theme.hair2}; padding: {px(6)}px; }}
    QMenu::item {{ padding: {px(6)}px {px(22)}px; border-radius: {px(6)}px; }}
    QMenu::item:selected {{ background: {theme.well}; }}
    QMenu::item:disabled {{ color: {theme.ink3}; }}
    QToolTip {{ background: {theme.ink}; color: {theme.onink}; border: none; padding: {px(5)}px {px(8)}px; font-size: {px(13)}px; }}
    QScrollBar {{ background: {theme.window}; width: {px(12)}px; height: {px(12)}px; border: none; }}
    QScrollBar::handle {{ background: {theme.hair2}; border-radius: {px(5)}px; min-height: {px(28)}px; min-width: {px(28)}px; margin: {px(2)}px; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
    QScrollBar::add-page, QScrollBar::sub-page {{ background: none; }}
    """  # noqa: E501

"""The small widgets of the bar, and the one style sheet that draws all chrome in a theme."""

from __future__ import annotations

import re
from functools import lru_cache

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QActionGroup,
    QColor,
    QFontMetricsF,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QMenu, QToolButton, QWidget

from widgets.captions import Captions
from widgets.icons import icon
from widgets.theme import Theme


class Field(QLineEdit):
    """The sentence: words outside the vocabulary get a dotted chip, and the count stands beside."""

    def __init__(self, say: Captions) -> None:
        super().__init__()
        self.setObjectName("sentence")
        self._say = say
        self._words: tuple[tuple[str, bool], ...] = ()
        self._theme: Theme | None = None
        self.setPlaceholderText(say("window.placeholder"))
        self.setAccessibleName(say("window.sentence"))
        self.setMinimumWidth(210)
        self.setMaxLength(200_000)
        self.tag = QLabel(self)
        self.tag.setObjectName("tag")
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
        text = self._say("window.tag", count=len(words)) if words else ""
        if strange:
            text = self._say("window.tag_unknown", count=len(words), unknown=len(strange))
        self.tag.setText(text)
        listed = ", ".join(f"“{word}”" for word in dict.fromkeys(strange))
        self.setToolTip(self._say("window.unknown_title", words=listed) if strange else "")
        self._arrange()
        self.update()

    def show_theme(self, theme: Theme) -> None:
        """Draw in another theme."""
        self._theme = theme
        self.pencil.setPixmap(icon("pencil", theme.ink3, 16).pixmap(16, 16))

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Keep the tag at the right."""
        self._arrange()

    def _arrange(self) -> None:
        self.tag.adjustSize()
        self.tag.setVisible(bool(self.tag.text()) and self.width() > 2 * self.tag.width() + 60)
        self.tag.move(self.width() - self.tag.width() - 8, (self.height() - self.tag.height()) // 2)
        self.pencil.setGeometry(10, (self.height() - 16) // 2, 16, 16)
        right = self.tag.width() + 14 if self.tag.isVisibleTo(self) else 8
        self.setTextMargins(26, 0, right, 0)

    def chips(self) -> tuple[tuple[int, int], ...]:
        """Return where in the text the unknown words stand: (first, last + 1) each."""
        if not any(unknown for _, unknown in self._words):
            return ()
        return _unknown_places(self._words, self.text())

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint the text, and a dotted box round each unknown word that is seen."""
        super().paintEvent(event)
        chips = self.chips() if self._theme is not None else ()
        if not chips or self._theme is None:
            return
        painter = QPainter(self)
        pen = QPen(QColor(self._theme.ink2), 1.4)
        pen.setDashPattern([1.5, 2.0])
        painter.setPen(pen)
        metrics, text = QFontMetricsF(self.font()), self.text()
        # Where a character stands follows from where the cursor is: the line may be scrolled.
        start = self.cursorRect().center().x() - metrics.horizontalAdvance(
            text[: self.cursorPosition()]
        )
        margins = self.textMargins()
        width = self.width() - margins.left() - margins.right()
        painter.setClipRect(QRectF(margins.left(), 3, width, self.height() - 6))
        for first, last in chips:
            left = start + metrics.horizontalAdvance(text[:first])
            wide = metrics.horizontalAdvance(text[first:last])
            painter.drawRoundedRect(QRectF(left - 2, 5, wide + 4, self.height() - 10), 5, 5)


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
        self._kept = False
        self.hide()

    def say(self, sentence: str, *, until_next: bool = False) -> None:
        """Show a sentence, if there is one; ``until_next`` keeps it over the next ``clear``."""
        if not sentence:
            return
        self._kept = until_next
        self.setText(sentence)
        self.show()

    def add(self, sentence: str) -> None:
        """Show a sentence behind what is said already."""
        self.setText(f"{self.text()} {sentence}".strip())
        self.show()

    def clear(self) -> None:
        """Take the sentence away."""
        if self._kept:
            self._kept = False
            return
        super().clear()
        self.hide()


class Strip(QWidget):
    """The foot of Present: holds the capsule, so that it covers nothing of the stage."""

    def __init__(self, say: Captions) -> None:
        super().__init__()
        self.setObjectName("strip")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(62)
        self.setMouseTracking(True)  # the pointer brings the capsule back here, too
        self.capsule = Capsule(say)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 4, 0, 8)
        row.addWidget(self.capsule, 0, Qt.AlignmentFlag.AlignCenter)
        self.capsule.hide()
        self.hide()


class Capsule(QWidget):
    """The controls of Present: back, play, step, and where the clock is."""

    pressed = Signal(str)

    def __init__(self, say: Captions) -> None:
        super().__init__()
        self.setObjectName("capsule")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._say = say
        self._playing = False
        self._colour = "#FFFFFF"
        row = QHBoxLayout(self)
        self.setFixedHeight(44)
        row.setContentsMargins(22, 6, 22, 6)
        row.setSpacing(10)
        self.buttons: dict[str, QToolButton] = {}
        for name in ("back", "play", "step"):
            button = QToolButton()
            button.setObjectName("capsulebutton")
            button.setIconSize(QSize(22, 22))
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.setToolTip(say(f"action.{name}"))
            button.clicked.connect(lambda _=False, name=name: self.pressed.emit(name))
            self.buttons[name] = button
            row.addWidget(button)
        self.clock = QLabel()
        self.clock.setObjectName("capsuleclock")
        leave = QLabel(say("window.leave"))
        leave.setObjectName("capsulenote")
        row.addWidget(self.clock)
        row.addSpacing(16)
        row.addWidget(leave)

    def show_tick(self, tick: int, last: int) -> None:
        """Show where the clock is."""
        self.clock.setText(self._say("transport.title", tick=tick, last=last))

    def show_playing(self, playing: bool) -> None:
        """Show whether it plays."""
        self._playing = playing
        name = "pause" if playing else "play"
        self.buttons["play"].setIcon(icon(name, self._colour, 22))

    def show_theme(self, theme: Theme) -> None:
        """Draw in another theme."""
        self._colour = theme.onink
        for name in ("back", "step"):
            self.buttons[name].setIcon(icon(name, self._colour, 22))
        self.show_playing(self._playing)


def style_sheet(theme: Theme) -> str:
    """Return the chrome's style in a theme: ink on paper, one hairline, no shadow."""
    return f"""
    QMainWindow, QWidget {{ background: {theme.window}; color: {theme.ink}; font-family: Inter; font-size: 14px; }}
    #bar {{ border-bottom: 1px solid {theme.hair}; }}
    #transport {{ border-top: 1px solid {theme.hair}; }}
    #transport QLabel, #transport Scrubber, #bar QLabel, #rail QLabel {{ background: transparent; }}
    #stage, #empty, #strip {{ background: {theme.stage}; }}
    #empty QLabel {{ background: transparent; }}
    #empty #primary {{ min-width: 200px; }}
    #emptytitle {{ font-size: 22px; font-weight: 600; }}
    #emptytext {{ color: {theme.ink2}; font-size: 16px; }}
    #notice {{ background: {theme.panel}; color: {theme.ink}; padding: 9px 28px; border-top: 1px solid {theme.hair}; font-size: 14px; }}
    #sentence {{ background: {theme.panel}; border: 1.5px solid {theme.hair2}; border-radius: 8px; padding: 6px 0; font-size: 15px; selection-background-color: {theme.ink}; selection-color: {theme.onink}; }}
    #sentence:focus {{ border: 2px solid {theme.ink}; background: {theme.stage}; }}
    #bar #tag {{ background: {theme.well}; color: {theme.ink2}; border-radius: 6px; padding: 3px 8px; font-size: 12px; font-weight: 500; }}
    #bar #badge {{ background: {theme.well}; color: {theme.ink2}; border-radius: 14px; padding: 6px 14px; font-size: 13px; font-weight: 500; }}
    #choice {{ background: {theme.panel}; border: 1.25px solid {theme.hair2}; border-radius: 8px; padding: 7px 26px 7px 12px; font-size: 14px; font-weight: 500; }}
    #choice::menu-indicator {{ subcontrol-position: right center; subcontrol-origin: padding; right: 9px; }}
    #primary {{ background: {theme.ink}; color: {theme.onink}; border: none; border-radius: 8px; padding: 8px 14px; font-weight: 600; }}
    #box, #plainbox {{ background: {theme.panel}; border: 1.25px solid {theme.hair2}; border-radius: 8px; padding: 7px 12px; font-weight: 600; }}
    #plainbox {{ padding: 6px; }}
    #plain {{ background: transparent; border: 2px solid transparent; border-radius: 8px; padding: 5px; }}
    #plain:hover, #segment:hover, #choice:hover, #box:hover, #plainbox:hover {{ background: {theme.well}; }}
    #round {{ background: {theme.ink}; border: 3px solid {theme.ink}; border-radius: 25px; min-width: 44px; max-width: 44px; min-height: 44px; max-height: 44px; }}
    #round:disabled {{ background: {theme.ghost}; border-color: {theme.ghost}; }}
    #segment:disabled {{ color: {theme.ghost}; }}
    #round[late="true"] {{ border: 3px dotted {theme.onink}; }}
    #segment {{ background: transparent; border: 1.25px solid transparent; border-radius: 7px; padding: 5px 9px; font-weight: 600; color: {theme.ink2}; }}
    #segment:checked {{ background: {theme.stage}; border-color: {theme.hair2}; color: {theme.ink}; }}
    QToolButton:focus, QPushButton:focus {{ border: 2px solid {theme.ink}; }}
    #primary:focus {{ border: 2px solid {theme.ink}; padding: 6px 12px; background-clip: padding; }}
    #ticktitle {{ font-size: 15px; }}
    #chapter {{ background: transparent; border: 1.25px solid transparent; border-radius: 10px; font-size: 12px; font-weight: 600; padding: 2px; }}
    #chapter:checked {{ background: {theme.stage}; border-color: {theme.hair}; }}
    #rail {{ border-right: 1px solid {theme.hair}; }}
    #inspector {{ border-left: 1px solid {theme.hair}; }}
    #capsule {{ background: {theme.ink}; border-radius: 22px; }}
    #capsule QLabel, #capsulebutton {{ background: transparent; border: none; color: {theme.onink}; }}
    #capsuleclock {{ font-size: 17px; font-weight: 600; }}
    #capsulenote {{ font-size: 14px; }}
    #sheet {{ background: {theme.panel}; border: 1.25px solid {theme.hair2}; padding: 14px; font-size: 14px; }}
    QMenu {{ background: {theme.panel}; border: 1px solid {theme.hair2}; padding: 6px; }}
    QMenu::item {{ padding: 6px 22px; border-radius: 6px; }}
    QMenu::item:selected {{ background: {theme.well}; }}
    QMenu::item:disabled {{ color: {theme.ink3}; }}
    QToolTip {{ background: {theme.ink}; color: {theme.onink}; border: none; padding: 5px 8px; font-size: 13px; }}
    QScrollBar {{ background: {theme.window}; width: 12px; height: 12px; border: none; }}
    QScrollBar::handle {{ background: {theme.hair2}; border-radius: 5px; min-height: 28px; min-width: 28px; margin: 2px; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
    QScrollBar::add-page, QScrollBar::sub-page {{ background: none; }}
    """  # noqa: E501

"""The words that the models know, over the window: a click puts one into the sentence."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import QEvent, QPoint, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QTextBrowser

from app.key_sheet import SHEET_PADDING
from engine.tasks.missing_word import WORDS, WORDS_BY_KIND
from widgets.captions import Captions
from widgets.controls import Field
from widgets.fonts import register_fonts
from widgets.geometry import px
from widgets.theme import Theme

KIND = 140  # px at 100 %: of the name of a kind


class WordSheet(QTextBrowser):
    """The known words by kind: lies under the field until Esc or a click beside it.

    Tab and Enter walk and take the words; ``chosen`` tells which one was taken.
    """

    chosen = Signal(str)

    def __init__(self, field: Field, say: Captions) -> None:
        super().__init__(field.window())
        self.hide()
        self.setObjectName("sheet")
        self.setAccessibleName(say("words.title", count=len(WORDS)))
        self.setOpenLinks(False)
        self.anchorClicked.connect(lambda link: self.chosen.emit(link.path()))
        self._field, self._say = field, say

    def show_over(self, theme: Theme, scale: float) -> None:
        """Show the sheet in the middle of the window, but under the field."""
        register_fonts()  # text that was laid out before its font is known is drawn as nonsense
        self.document().setDefaultStyleSheet(
            f"a {{ color: {theme.ink}; text-decoration: none; }} .kind {{ color: {theme.ink2}; }}"
        )
        self.setHtml(words_as_html(self._say, px(KIND, scale)))
        window, field = self._field.window(), self._field
        width = min(px(1360, scale), window.width() - 40)
        top = field.mapTo(window, QPoint(0, field.height())).y() + px(8, scale)
        most = window.height() - top - 20
        self.setGeometry((window.width() - width) // 2, top, width, most)
        self.show()  # at this width the text knows how high it is
        needed = int(self.document().size().height()) + 2 * px(SHEET_PADDING, scale)
        self.resize(width, min(needed, most))
        self.raise_()
        self.setFocus(Qt.FocusReason.PopupFocusReason)  # the cursor stays where it is in the field

    def event(self, event: QEvent) -> bool:
        """Keep the keys that the window would take for its own actions, but those with Ctrl."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            if not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
                event.accept()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Go back to the field by Esc."""
        if event.key() == Qt.Key.Key_Escape:
            self._field.setFocus()
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        """Go when something else is used."""
        super().focusOutEvent(event)
        self.hide()
        self._field.rest()


def words_as_html(say: Captions, first: int) -> str:
    """Return the words as links, one row a kind, whose name has so many px."""
    title, note = escape(say("words.title", count=len(WORDS))), escape(say("words.note"))
    rows = f"<tr><td colspan='2'><h2>{title}</h2></td></tr>"
    rows += f"<tr><td colspan='2' class='kind'>{note}</td></tr>"
    for kind, words in WORDS_BY_KIND.items():
        # A line breaks behind the room between two words.
        links = "&nbsp;&nbsp; ".join(f"<a href='{word}'>{word}</a>" for word in words)
        name = escape(say(f"words.{kind}"))
        rows += f"<tr><td class='kind' width='{first}'>{name}</td><td>{links}</td></tr>"
    return f"<table width='100%' cellpadding='3'>{rows}</table>"

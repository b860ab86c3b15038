"""The list of keys, over the window."""

from __future__ import annotations

from html import escape

from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import QTextEdit, QWidget

from app.actions import ACTIONS, GROUPS, keys_as_text
from widgets.captions import Captions
from widgets.fonts import register_fonts
from widgets.geometry import px

SHEET_PADDING = 18  # px at 100 %, of the style sheet: 14 and its border, with a little room
COLUMN, LINE = 400, 34  # px at 100 % that a column of keys takes, and letters of one of its lines


class KeySheet(QTextEdit):
    """The keys: lies over the window until Esc or a click beside it."""

    def __init__(self, parent: QWidget, say: Captions) -> None:
        super().__init__(parent)
        self.hide()
        self.setReadOnly(True)
        self.setObjectName("sheet")
        self._say = say

    def show_over(self, window: QWidget, scale: float) -> None:
        """Show the sheet in the middle of the window."""
        register_fonts()  # text that was laid out before its font is known is drawn as nonsense
        width, padding = min(px(1360, scale), window.width() - 40), px(SHEET_PADDING, scale)
        columns = max(1, min(3, width // px(COLUMN, scale)))
        self.setHtml(keys_as_html(self._say, columns=columns))
        self.document().setTextWidth(width - 2 * padding)
        needed = int(self.document().size().height()) + 2 * padding
        height = min(needed, window.height() - 40)
        self.setGeometry(
            (window.width() - width) // 2, (window.height() - height) // 2, width, height
        )
        self.show()
        self.raise_()
        self.setFocus()

    def turn(self, by: int) -> None:
        """Show what is further down (1) or up (-1), where there is no room for all keys."""
        bar = self.verticalScrollBar()
        bar.setValue(bar.value() + by * bar.pageStep() // 2)

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        """Go when something else is used."""
        super().focusOutEvent(event)
        self.hide()


def keys_as_html(say: Captions, *, columns: int) -> str:
    """Return the table of all keys, by groups, in so many columns that are about as long."""
    rows: list[tuple[int, str]] = []  # lines that a row is likely to take, and its words
    for group in GROUPS:
        title = escape(say(f"window.group.{group}"))
        rows.append((1, f"<tr><td colspan='2'><b>{title}</b></td></tr>"))
        for action in ACTIONS:
            if action.group == group:
                words = say(f"action.{action.id}")
                keys = f"<td><code>{escape(keys_as_text(action))}</code>&nbsp;&nbsp;</td>"
                lines = 1 + len(words) // LINE
                rows.append((lines, f"<tr>{keys}<td>{escape(words)}</td></tr>"))
    each = sum(lines for lines, _ in rows) / columns
    tables, gone = [""] * columns, 0
    for lines, row in rows:
        tables[min(int((gone + lines / 2) / each), columns - 1)] += row
        gone += lines
    cells = "".join(
        f"<td width='{100 // columns}%'><table cellpadding='3'>{table}</table></td>"
        for table in tables
    )
    return f"<h2>{escape(say('window.keys'))}</h2><table width='100%'><tr>{cells}</tr></table>"

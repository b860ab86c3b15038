"""The small parts that the inspector's pages are written of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from widgets.captions import Captions
    from widgets.inspector import Page


class Writer:
    """Writes on a page in words; who writes what is left to the module of each chapter."""

    def __init__(self, page: Page, say: Captions) -> None:
        self._page, self._say = page, say

    def _head(self, small: str, title: str) -> None:
        f = self._page.formats
        self._page.line([(small, f.small)])
        self._page.line([(title, f.title)])

    def _section(self, title: str, right: str = "") -> None:
        f = self._page.formats
        self._page.rule()
        self._page.line([(title, f.strong)], right=[(right, f.mono)] if right else None)

    def _row(self, left: str, right: str, *, strong: bool = False, name: str = "") -> None:
        f = self._page.formats
        how = f.mono_strong if strong else f.mono
        words = self._page.link(left, name, None, f.small) if name else (left, f.small)
        self._page.line([words], right=[(right, how)], above=2)

    def _words(self, words: str, above: int = 4) -> None:
        self._page.line([(words, self._page.formats.body)], above=above)

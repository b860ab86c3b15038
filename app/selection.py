"""What is opened: an element or counter of the stage, or a path opened one from another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app import CHAPTER
from widgets.canvas import Canvas

if TYPE_CHECKING:
    from engine.trace import Pair
    from widgets.canvas import Scene
    from widgets.inspector import Page
    from widgets.picture import Picture
    from widgets.scenes.compare import Side
    from widgets.view import View


class Selection:
    """Shows on the stage what is opened, as soon as a tick has computed it, and writes its page.

    Until then, and while nothing is opened, the page tells what the tick does. A counter belongs to
    the whole run and is shown at every tick. One level deeper the stage itself shows how the opened
    number comes about (the scene "opened").
    """

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._path: list[str] = []  # opened one from another, the last is shown
        self._deep = False
        self._beside: Scene | None = None  # what is frozen beside what is now
        self._page: tuple[Pair, int | str] | None = None  # a tick, an element or a counter

    @property
    def is_open(self) -> bool:
        """Return whether anything is opened."""
        return bool(self._path)

    @property
    def scene(self) -> str:
        """Return the key of the scene on the stage."""
        if self._deep and self._canvas.view.selected:
            return "opened"
        return CHAPTER if self._beside is None else "compare"

    @property
    def drawing(self) -> Scene:
        """Return the scene on the stage."""
        from widgets.scenes import SCENES

        return self._beside if self.scene == "compare" and self._beside else SCENES[self.scene]

    def freeze(self, frozen: Side, label: str) -> None:
        """Keep a state, and show beside it whatever is on the stage from now on."""
        from widgets.scenes.compare import Side, compare

        def beside(pair: Pair, tick: float, view: View) -> Picture:
            return compare(frozen, Side(pair, round(tick), label), view)

        self._beside = beside

    def thaw(self) -> None:
        """Show the stage alone again."""
        self._beside = None

    def open(self, name: str) -> None:
        """Open an element of the stage; the one that is open already one level deeper."""
        if self.scene == "opened":
            if name not in self._path[-1:]:
                self._path.append(name)
            return
        self._deep = self._path[-1:] == [name] and not _is_counter(name)
        self._path = [name]

    def follow(self, name: str) -> None:
        """Open what the shown element reads."""
        self._path.append(name)

    def back(self) -> None:
        """Go back to the element that this one was opened from, to the stage, or close it."""
        if self._deep and len(self._path) == 1:
            self._deep = False
        else:
            self._path = self._path[:-1]

    def leave(self) -> None:
        """Go back to the stage, where the element stays open, or close it."""
        if self.scene == "opened":
            self._path = self._path[:1]
        else:
            self.close()
        self._deep = False

    def close(self) -> None:
        """Close what is opened."""
        self._path, self._deep = [], False

    def keep(self, pair: Pair) -> None:
        """Keep of what is opened only what another run has, too."""
        self._path = [name for name in self._path if _is_counter(name) or pair.find(name)]

    def show(self, pair: Pair | None, tick: int) -> None:
        """Show what is opened at a whole tick; without a run there is nothing."""
        name = self._path[-1] if self._path else ""
        counter = pair is not None and _is_counter(name)
        found = pair.find(name) if pair is not None else None
        if not counter and (found is None or found[0].ticks[found[1].stage] > tick):
            name = ""
        if name != self._canvas.view.selected:
            self._canvas.show_with(selected=name)
        if pair is None:
            self._canvas.show_nothing()
            self._page = None
        else:
            self._canvas.show_scene(self.drawing, pair)
            self._page = (pair, name or tick)

    def page_key(self) -> object:
        """Return which page the inspector shows, and what else it depends on; None: none."""
        if self._page is None:
            return None
        view = self._canvas.view
        counter = _is_counter(str(self._page[1]))
        return (self._page, view.growth, view.length) if counter else (self._page,)

    def write(self, page: Page) -> None:
        """Write the inspector's page."""
        if self._page is not None:
            from widgets import run_pages

            view = self._canvas.view
            run_pages.write(page, *self._page, view.captions, view.growth, view.length)


def _is_counter(name: str) -> bool:
    from widgets.counters import is_counter  # here: in the first frame nothing is opened

    return is_counter(name)

"""CHAPTERS: what the window can show; each is a module of its own, imported when it is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from app import CHAPTER
from widgets.transport import Group

if TYPE_CHECKING:
    from pathlib import Path

    from PySide6.QtCore import SignalInstance
    from PySide6.QtWidgets import QWidget

    from app.player import Player
    from engine.recorder import Recorder
    from widgets.canvas import Canvas, Scene
    from widgets.captions import Captions
    from widgets.controls import Notice
    from widgets.inspector import Page
    from widgets.theme import Theme

__all__ = ["CHAPTERS", "Chapter", "Entry", "Group", "Host", "Where", "make"]

# A tick of a chapter, or one in a part of it: (number of the group, tick in it); ∞ is the last.
Where = float | tuple[int, float]


class Host(NamedTuple):
    """What a chapter is made in.

    ``folder`` is where the settings lie: what is remembered of this machine belongs beside them.
    ``notice`` is for a sentence that stays, or passes by; others are ``said``. ``recorder`` is told
    of everything that runs. ``open_experiment(chapter, settings, tick)`` shows another chapter, set
    up with what its ``restore`` takes; ``open_chapter`` shows one as it was left.
    ``train_behind`` lets a training that ran when its chapter was left go on behind this one, or
    pause.
    """

    window: QWidget  # the parent of everything
    say: Captions
    theme: Theme
    folder: Path
    notice: Notice
    recorder: Recorder
    open_experiment: Callable[[str, Mapping[str, Any], Where], object] = lambda *_: None
    open_chapter: Callable[[str], object] = lambda _: None
    train_behind: Callable[[bool], object] = lambda _: None


class Chapter(Protocol):
    """A scene with its controls and its clock.

    It is made when it is first opened, and begins at once. ``changed`` tells that its titles,
    groups, device or page for the inspector are others, or that it waits or waits no more; ``said``
    carries a sentence for the notice. The window shows the player's tick on the canvas, and gives
    the player its speed and the first ticks of the groups.
    """

    changed: SignalInstance
    said: SignalInstance

    @property
    def id(self) -> str:
        """Return its key in widgets.scenes.SCENES and in CHAPTERS."""
        ...

    @property
    def player(self) -> Player:
        """Return its clock."""
        ...

    @property
    def page(self) -> QWidget:
        """Return what stands in the place of the stage: the canvas in a widgets.stage.Stage."""
        ...

    @property
    def canvas(self) -> Canvas:
        """Return its canvas; ``show_scene(scene, subject)`` shows what is to be seen."""
        ...

    @property
    def controls(self) -> QWidget:
        """Return what stands in the bar, left of the device."""
        ...

    @property
    def keys(self) -> Mapping[str, Callable[[], object]]:
        """Return by id of an action what that does here, where it is not what it always does."""
        ...

    @property
    def busy(self) -> bool:
        """Return whether a result is awaited: when it is late, the play button says so."""
        ...

    @property
    def measuring(self) -> bool:
        """Return whether numbers are still coming by themselves: a picture waits for them."""
        ...

    @property
    def is_open(self) -> bool:
        """Return whether an element is opened: then a narrow window shows the inspector."""
        ...

    def groups(self) -> tuple[Group, ...]:
        """Return the parts of the scrubber, in words; none while there is nothing to play."""
        ...

    def title(self, tick: int) -> tuple[str, str]:
        """Return which tick it is, and what works at it."""
        ...

    def device(self) -> tuple[str, str]:
        """Return what computes, in a few words, and in a sentence; "" while nobody knows."""
        ...

    def activate(self, name: str) -> None:
        """Do what a click on an element of the scene means; "": beside all elements."""
        ...

    def follow(self, name: str) -> None:
        """Open what a link of the inspector's page names."""
        ...

    def back(self) -> None:
        """Go back to what the shown element was opened from, or close it."""
        ...

    def leave(self) -> None:
        """Close what is opened."""
        ...

    def page_key(self) -> object:
        """Return what the inspector's page depends on: it is written anew when that changes.

        None: there is no page. The first item of a tuple says which page it is: while that is the
        same, the page stays where it is scrolled to.
        """
        ...

    def write(self, page: Page) -> None:
        """Write the inspector's page."""
        ...

    def still(self) -> tuple[Scene, Any] | None:
        """Return scene and subject for a picture file; tick and view are the canvas's."""
        ...

    def show_theme(self, theme: Theme, scale: float) -> None:
        """Draw in another theme, so many times larger."""
        ...

    def begin(self) -> None:
        """Come to the front."""
        ...

    def end(self) -> None:
        """Go to the back: nothing of it computes or moves there."""
        ...

    def remember(self) -> dict[str, Any]:
        """Return what is to be kept for the next start, as JSON."""
        ...

    def restore(self, kept: dict[str, Any]) -> None:
        """Take what was kept; what is damaged or unknown is left at its default."""
        ...

    def close(self) -> None:
        """End what computes."""
        ...


class Entry(NamedTuple):
    """A chapter in the rail: its number, its caption and icon, and who makes it from a Host.

    What is ``part_of`` another chapter has that one's number and no place of its own in the rail.
    """

    number: int  # of its key, and of the action chapter_<number>
    caption: str
    icon: str  # of widgets.icons
    maker: str  # "module:name", imported when the chapter is first opened
    part_of: str = ""


CHAPTERS: dict[str, Entry] = {
    "rnn-transformer": Entry(1, "window.chapter_1", "chain", "app.rnn_transformer:RnnTransformer"),
    "three-computing": Entry(2, "window.chapter_2", "lanes", "app.computing:ComputingUnits"),
    "cpu-gpu": Entry(3, "window.chapter_3", "cpugpu", "app.cpu_gpu:CpuGpu"),
    "analytical-empirical": Entry(
        4, "window.chapter_4", "rule", "app.analytical:AnalyticalEmpirical"
    ),
    "claims": Entry(5, "window.chapter_5", "claims", "app.the_claims:TheClaims"),
    "long-range": Entry(1, "window.chapter_1", "chain", "app.long_range:LongRange", CHAPTER),
}


def make(id: str, host: Host) -> Chapter:
    """Return a chapter, made for the first time."""
    module, _, name = CHAPTERS[id].maker.partition(":")
    chapter: Chapter = getattr(import_module(module), name)(host)
    return chapter

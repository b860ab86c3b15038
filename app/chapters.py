"""What the window asks of a chapter; each chapter is a module of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from PySide6.QtCore import SignalInstance
    from PySide6.QtWidgets import QWidget

    from app.player import Player
    from widgets.canvas import Canvas, Scene
    from widgets.inspector import Page
    from widgets.theme import Theme


class Group(NamedTuple):
    """A part of the scrubber: the key of its caption, and its first and last tick."""

    caption: str
    first: int
    last: int


class Chapter(Protocol):
    """A scene with its controls and its clock.

    It is made when it is first opened. ``changed`` tells that its titles, groups or page for the
    inspector are others; ``said`` carries a sentence for the notice.
    """

    id: str  # a key of widgets.scenes.SCENES
    player: Player
    page: QWidget  # stands in the place of the stage
    canvas: Canvas
    controls: QWidget  # stands in the bar, left of the device
    changed: SignalInstance
    said: SignalInstance

    def groups(self) -> tuple[Group, ...]:
        """Return the parts of the scrubber."""
        ...

    def title(self, tick: int) -> tuple[str, str]:
        """Return which tick it is, and what works at it."""
        ...

    def activate(self, name: str) -> None:
        """Do what a click on an element of the scene means."""
        ...

    def back(self) -> None:
        """Go back to what the shown element was opened from, or close it."""
        ...

    def leave(self) -> None:
        """Close what is opened."""
        ...

    def page_key(self) -> object:
        """Return what the inspector's page depends on: it is written anew when that changes."""
        ...

    def write(self, page: Page) -> None:
        """Write the inspector's page."""
        ...

    def still(self) -> tuple[Scene, Any]:
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

"""What is beside, above and below the stage, and what of it gives way where a window is small."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtWidgets import QWidget

from app.session import Session
from widgets.geometry import px

# px at 100 %.
STAGE_PX, STAGE_HIGH = 1018, 600  # that the stage needs to be seen without scrolling
ROUND_PX = 146  # that bar, clock and strip take of the height, where there is room for them
INSPECTOR_PX, LEAST_INSPECTOR = 320, 256  # as wide as it is, and where the stage needs its room
# Of the window: below, each folds away. The rail gives way first, because a click on a node is to
# show its numbers.
NARROW = {"inspector": STAGE_PX + INSPECTOR_PX, "rail": STAGE_PX + 100}
BESIDE_RAIL = 470  # of bar and foot, at the least
INSPECTOR_MOST = 0.6  # of the window's width, however large the text is


class Low(Protocol):
    """What is above or below the stage."""

    def condense(self, low: bool) -> None:
        """Be low, or as high as usual."""


class Panels:
    """Folds inspector and rail, and makes what is above and below the stage low.

    Parameters
    ----------
    window
        Whose size decides.
    session
        Which of the panels are wanted, and how large all text is.
    inspector, rail
        The panels beside the stage.
    rows
        What is above and below it.
    """

    def __init__(
        self, window: QWidget, session: Session, inspector: QWidget, rail: QWidget,
        rows: tuple[Low, ...],
    ) -> None:  # fmt: skip
        self._window, self._session, self._rows = window, session, rows
        self._panels = {"inspector": inspector, "rail": rail}
        self._unfolded: set[str] = set()  # asked for where there is no room
        self._refolded = False  # the inspector, although something is opened

    def fold(self, *, opened: bool, presenting: bool) -> None:
        """Show what is wanted and has room; the inspector also where something is opened."""
        session, inspector, rail = self._session, self._panels["inspector"], self._panels["rail"]
        asked = "inspector" in self._unfolded or (opened and not self._refolded)
        inspector.setFixedWidth(self._inspector_width())
        shown = session.inspector and (asked or self._has_room("inspector"))
        inspector.setVisible(shown and not presenting)
        shown = session.rail and ("rail" in self._unfolded or self._has_room("rail"))
        rail.setVisible(shown and self.rail_fits and not presenting)

    def toggle(self, name: str) -> None:
        """Want a panel, or not. Where it has no room, that lasts only until it is folded again."""
        visible = self._panels[name].isVisible()
        if not visible:
            self.want(name)
        else:
            if self._has_room(name):
                setattr(self._session, name, False)
            self._unfolded.discard(name)
        if name == "inspector":
            self._refolded = visible

    def want(self, name: str) -> None:
        """Let a panel be shown although it has no room."""
        setattr(self._session, name, True)
        self._unfolded.add(name)

    def follow_opened(self) -> None:
        """Let the inspector be shown again for what is opened."""
        self._refolded = False

    def condense(self) -> None:
        """Let what is above and below the stage be low where the stage needs its height."""
        low = self._window.height() < px(STAGE_HIGH + ROUND_PX, self._session.scale)
        for row in self._rows:
            row.condense(low)

    @property
    def rail_fits(self) -> bool:
        """Return whether bar and foot have room beside the rail, however much it is wanted."""
        needed = self._panels["rail"].maximumWidth() + px(BESIDE_RAIL, self._session.scale)
        return self._window.width() >= needed

    def _has_room(self, name: str) -> bool:
        beside = INSPECTOR_PX if name == "rail" and not self._panels["inspector"].isHidden() else 0
        return self._window.width() >= px(NARROW[name] + beside, self._session.scale)

    def _inspector_width(self) -> int:
        """Return how wide the inspector is: a little less where the stage then need not scroll."""
        width, scale = self._window.width(), self._session.scale
        beside = width - px(STAGE_PX, scale)
        if px(LEAST_INSPECTOR, scale) <= beside < px(INSPECTOR_PX, scale):
            return beside
        return min(px(INSPECTOR_PX, scale), round(INSPECTOR_MOST * width))

"""What was shown before: a line of states with one of them now, for undo and redo."""

from __future__ import annotations

from typing import Generic, TypeVar

MOST = 200

T = TypeVar("T")


class History(Generic[T]):
    """States in the order in which they were shown."""

    def __init__(self) -> None:
        self._states: list[T] = []
        self._now = -1

    def show(self, state: T) -> None:
        """Note what is shown now; what was undone is forgotten. The same again is no new state."""
        if self._now >= 0 and self._states[self._now] == state:
            return
        self._states = [*self._states[: self._now + 1], state][-MOST:]
        self._now = len(self._states) - 1

    @property
    def now(self) -> T | None:
        """Return the state that was noted last, None when there is none."""
        return self._states[self._now] if self._states else None

    def undo(self) -> T | None:
        """Go back to the state before and return it; None when there is none."""
        return self._go(-1)

    def redo(self) -> T | None:
        """Go on to the state that was undone and return it; None when there is none."""
        return self._go(1)

    def _go(self, by: int) -> T | None:
        if not 0 <= self._now + by < len(self._states):
            return None
        self._now += by
        return self._states[self._now]

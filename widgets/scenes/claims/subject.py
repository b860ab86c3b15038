"""What the scene of the claims draws: statements in order, each with what was found."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from engine.statements import GROUPS, Judged, Verdict, counts


@dataclass(frozen=True)
class Claims:
    """Every statement, by chapter; ``progress`` (0 … 1) of the numbers are there."""

    rows: tuple[Judged, ...]
    day: str = ""  # ISO 8601
    progress: float = 1.0

    @cached_property
    def counts(self) -> Mapping[Verdict, int]:
        """Return how many statements have each verdict."""
        return counts(self.rows)

    @property
    def last_tick(self) -> int:
        """Return the tick of the last statement."""
        return len(self.rows) - 1

    def at(self, tick: float) -> int:
        """Return which statement stands at a tick."""
        shown = math.floor(tick) + (1 if tick % 1 >= 0.5 else 0)
        return min(max(shown, 0), self.last_tick)

    def tick_of(self, id: str) -> int | None:
        """Return the tick of a statement, None for one that there is not."""
        return next((i for i, row in enumerate(self.rows) if row.statement.id == id), None)

    @cached_property
    def spans(self) -> tuple[tuple[str, int, int], ...]:
        """Return the chapters with the ticks of their first and last statement."""
        sizes = Counter(row.statement.group for row in self.rows)
        found, first = [], 0
        for group in GROUPS:
            found.append((group, first, first + sizes[group] - 1))
            first += sizes[group]
        return tuple(found)

    @property
    def day_words(self) -> str:
        """Return the day in words, "" while there is none."""
        if not self.day:
            return ""
        day = date.fromisoformat(self.day)
        return f"{day.day} {day:%B %Y}"

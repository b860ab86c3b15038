"""Where everything stands: A at the left, B at the right, what differs between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from widgets.geometry import READ, read_px, text_width

EDGE = 28.0
GAP = 24.0  # between two columns
HEADING = 22.0  # height of the line above a band
BARS = 26.0  # height of the largest bar, at least
NOTE = 18.0  # pitch of the lines that say something of a side
BOX = 30.0  # height of a word that is not turned
TURNED = 62.0  # px that a turned word may take where letters have the usual size
LEAST_LINE = 0.73  # px a word, for each px of its letters: closer, only what differs is written

Words = Literal["boxes", "turned", "cells"]
Column = tuple[float, float]  # x, width


@dataclass(frozen=True)
class Layout:
    """Where everything stands: a function of the box, the words and how many rows there are."""

    width: float
    height: float
    columns: tuple[Column, Column, Column]  # A, what differs, B
    words: tuple[Words, Words]  # how those of A and of B are written
    words_height: float
    labels: float  # baseline of what A and B are
    bars: tuple[float, float]  # top and bottom of the attention over states
    row: float  # pitch of all tables
    answers: float  # y of the line above each table
    heads: float
    costs: float
    pitches: tuple[float, float]  # px a word, in A and in B
    read: float  # least size of what the class must read

    @property
    def edge(self) -> float:
        """Return the right edge of all content."""
        return self.width - EDGE

    @property
    def size(self) -> float:
        """Return the size of a table's text."""
        return max(17.0 if self.row >= 24 else READ, self.read)

    def first(self, band: float) -> float:
        """Return the top of the first row of a table."""
        return band + HEADING


def layout(
    width: float,
    height: float,
    words: tuple[tuple[str, ...], tuple[str, ...]],
    *,
    attention: bool,
    notes: int,
    answers: int,
    heads: int,
) -> Layout:
    """Return the layout for a box of at least ``widgets.geometry.SMALLEST``.

    Parameters
    ----------
    words
        Those of A and of B.
    attention
        Whether a side looks back over its states.
    notes
        Lines that say something of a side.
    answers, heads
        Rows of the tables.
    """
    columns = columns_of(width)
    side = columns[0][1]
    pitches = (side / max(len(words[0]), 4), side / max(len(words[1]), 4))
    read = read_px(height)
    each, over = read + 3, read + 2  # of a table's row, at least; above a bar, for its number
    manners = tuple(_manner(pitches[i], words[i], read) for i in (0, 1))
    tall = max(height for _, height in manners)
    labels = 158.0
    top, bottom = labels + 8 + NOTE * notes, height - 28
    rows = answers + heads + 2
    gaps = 3 * 12.0
    least = (BARS + over if attention else 4.0) + tall + 3 * HEADING + rows * each + gaps
    spare = max(bottom - top - least, 0.0)
    row = each + min(7.0, 0.6 * spare / rows)
    spare -= rows * (row - each)
    more = min(spare, 90.0) if attention else 0.0  # for the bars
    between = 12.0 + (spare - more) / 3
    high = top + (over if attention else 0.0)
    floor = high + (BARS + more if attention else 4.0)
    answers_y = floor + tall + between
    heads_y = answers_y + HEADING + answers * row + between
    costs_y = heads_y + HEADING + heads * row + between
    return Layout(
        width=width, height=height, columns=columns, words=(manners[0][0], manners[1][0]),
        words_height=tall, labels=labels, bars=(high, floor), row=row, answers=answers_y,
        heads=heads_y, costs=costs_y, pitches=pitches, read=read,
    )  # fmt: skip


def columns_of(width: float) -> tuple[Column, Column, Column]:
    """Return the columns of A, of what differs, and of B."""
    middle = 0.26 * (width - 2 * EDGE)
    side = (width - 2 * EDGE - middle - 2 * GAP) / 2
    return (EDGE, side), (EDGE + side + GAP, middle), (EDGE + side + middle + 2 * GAP, side)


def _manner(pitch: float, words: tuple[str, ...], size: float) -> tuple[Words, float]:
    """Return how words are written where one has so many px, and the height that they take."""
    longest = max(text_width(word, size, 600) for word in words)
    if pitch >= longest + 14:
        return "boxes", BOX
    if pitch >= LEAST_LINE * size:
        return "turned", min(longest, TURNED * size / READ) + 14
    return "cells", 16.0

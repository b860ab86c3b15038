"""Small parts that the pages of this scene share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from widgets.geometry import text_width
from widgets.glyphs import Box
from widgets.picture import Ellipse, Path, Rect, Shape, Text
from widgets.scenes.cpu_gpu.layout import NOTE

if TYPE_CHECKING:
    from typing import Literal

    from numpy.typing import NDArray

    from widgets.view import View

    _Points = NDArray[np.float64]  # (point, x and y)
    _Edges = tuple[float, float, float, float]  # left, top, right, bottom

SEGMENT = 28.0  # px high
NOW = 6.0  # px wide, the marker of now
FURTHER = 4.0  # what a name costs for each point that it stands further from the line's end
SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def segments(
    x: float, y: float, kind: str, offers: Sequence[tuple[str, str]], chosen: str, view: View
) -> tuple[float, list[Shape]]:
    """Return a row of choices that begins at x, and its right edge.

    ``offers`` are ids and words; the name of one is "choose:kind:id".
    """
    theme, say = view.theme, view.captions
    label = say(f"race.choose.{kind}")
    shapes: list[Shape] = [
        Text(x=x, y=y + SEGMENT / 2 + 5, text=label, size=NOTE, weight=500, fill=theme.ink2)
    ]
    x += text_width(label, NOTE, 500) + 8
    widths = [text_width(words, NOTE, 600) + 16 for _, words in offers]
    right = x + sum(widths) + 6
    shapes.append(Rect(x=x, y=y, width=right - x, height=SEGMENT, radius=8, fill=theme.well))
    x += 3
    for (id, words), width in zip(offers, widths, strict=True):
        on = id == chosen
        if on:
            shapes.append(
                Rect(x=x, y=y + 3, width=width, height=SEGMENT - 6, radius=6, fill=theme.stage,
                     stroke=theme.hair2, stroke_width=1)
            )  # fmt: skip
        name, title = f"choose:{kind}:{id}", f"{label}: {words}"
        shapes += [
            Text(x=x + width / 2, y=y + SEGMENT / 2 + 5, text=words, size=NOTE,
                 weight=600 if on else 500, anchor="middle",
                 fill=theme.ink if on else theme.ink2),
            # Upon the letters: all of the segment can be clicked.
            Rect(x=x, y=y, width=width, height=SEGMENT, name=name, title=title),
        ]  # fmt: skip
        x += width
    return right, shapes


def ring(box: Box, view: View) -> Rect:
    """Return the ring round what is opened."""
    x, y, width, height = box
    return Rect(
        x=x - 4, y=y - 4, width=width + 8, height=height + 8, radius=7, stroke=view.theme.ink,
        stroke_width=2,
    )  # fmt: skip


class Scale(NamedTuple):
    """A logarithmic axis: the numbers at its ends and where they stand."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return where a number stands; what lies beyond an end is there."""
        value = min(max(value, self.low), self.high)
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)


def decades(values: Sequence[float], most: float = 1e18) -> tuple[float, float]:
    """Return the powers of ten between which all numbers lie."""
    low = 10.0 ** math.floor(math.log10(min(values)) + 1e-9)
    high = 10.0 ** math.ceil(math.log10(max(values)) - 1e-9)
    return low, min(max(high, 10 * low), most)


def power(value: float) -> str:
    """Return a power of ten as it is written: "10⁶", and 1 and 10 as they are."""
    exponent = round(math.log10(value))
    return f"{value:.0f}" if exponent < 2 else f"10{str(exponent).translate(SUPERSCRIPT)}"


def mark(
    shape: str, x: float, y: float, colour: str, ground: str, *, hollow: bool, name: str, title: str
) -> Shape:
    """Return a point of a line: "circle", "square" or "triangle"; hollow when modelled."""
    fill, stroke, size = (ground, colour, 4.2) if hollow else (colour, ground, 4.6)
    thick = 2.0 if hollow else 1.0
    if shape == "circle":
        return Ellipse(cx=x, cy=y, rx=size, ry=size, fill=fill, stroke=stroke, stroke_width=thick,
                       name=name, title=title)  # fmt: skip
    if shape == "square":
        return Rect(x=x - 4, y=y - 4, width=8, height=8, fill=fill, stroke=stroke,
                    stroke_width=thick, name=name, title=title)  # fmt: skip
    return Path(
        commands=(("M", x, y - 5.4), ("L", x + 5, y + 4.2), ("L", x - 5, y + 4.2), ("Z",)),
        fill=fill, stroke=stroke, stroke_width=thick, hit_width=8, name=name, title=title,
    )  # fmt: skip


class Labels:
    """Places the names of lines where they lie upon nothing else within a box."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._taken: list[_Edges] = []
        self._lines: list[tuple[tuple[float, float], _Points]] = []  # where it begins, its points

    def keep_free(self, left: float, top: float, right: float, bottom: float) -> None:
        """Let no name lie in a rectangle."""
        self._taken.append((left, top, right, bottom))

    def keep_off(self, points: Sequence[tuple[float, float]]) -> None:
        """Let no name lie upon a line."""
        dense = [np.array(points[:1])]
        for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False):
            count = max(int(math.hypot(x1 - x0, y1 - y0) / 4), 1)
            dense.append(np.linspace((x0, y0), (x1, y1), count + 1)[1:])
        self._lines.append((points[0], np.concatenate(dense)))

    def away(self, box: _Edges) -> float:
        """Return how far the nearest line is from a rectangle, 0 where one runs through it."""
        return min((_away(box, line) for _, line in self._lines), default=math.inf)

    def between(self, x: float, top: float, bottom: float) -> list[tuple[float, float]]:
        """Return the parts of an upright line of NOW px that lie upon no name."""
        parts = []
        for left, y0, right, y1 in sorted(self._taken, key=lambda box: box[1]):
            if left < x + NOW / 2 and x - NOW / 2 < right:
                parts.append((top, y0))
                top = y1
        return [part for part in (*parts, (top, bottom)) if part[0] + NOW < part[1]]

    def place(
        self, text: str, points: Sequence[tuple[float, float]], colour: str, size: float,
        *, weight: Literal[500, 600] = 600, read: bool = False,
    ) -> list[Shape]:  # fmt: skip
        """Return the name of a line, near it and nearer than any other; none without room."""
        wide = text_width(text, size, weight)
        x0, y0, width, height = self._box
        own = np.array(points)
        best: tuple[float, float, float] | None = None
        for back, (x, y) in enumerate(reversed(points)):
            if best is not None and FURTHER * back >= best[0]:
                break  # what lies that far from the end is no better
            for dx in (8.0, -wide - 8, -wide / 2, -wide - 20, 18.0):
                for dy in (-9.0, size + 5, 5.0, -20.0, size + 17):
                    left, base = x + dx, y + dy
                    box = (left, base - 0.78 * size, left + wide, base + 0.22 * size)
                    if box[0] < x0 or box[2] > x0 + width or box[1] < y0 or box[3] > y0 + height:
                        continue
                    if any(_meet(box, other) for other in self._taken):
                        continue
                    cost = self._cost(box, points[0], own) + FURTHER * back
                    if best is None or cost < best[0]:
                        best = (cost, left, base)
        if best is None or math.isinf(best[0]):
            return []
        _, left, base = best
        self._taken.append((left - 4, base - 0.78 * size - 2, left + wide + 4, base + 0.22 * size))
        return [
            Text(x=left, y=base, text=text, size=size, weight=weight, fill=colour,
                 read_by_class=read)
        ]  # fmt: skip

    def _cost(self, box: _Edges, begin: tuple[float, float], own: _Points) -> float:
        """Return how badly a name stands in a rectangle, ∞ where a line runs through it."""
        away, nearest = _away(box, own), math.inf
        for start, line in self._lines:
            distance = _away(box, line)
            if distance < (3 if start == begin else 4):
                return math.inf
            nearest = nearest if start == begin else min(nearest, distance)
        return away + (60 if nearest < away else 0)


def _meet(a: _Edges, b: _Edges) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _away(box: _Edges, points: _Points) -> float:
    """Return how far the nearest of some points is from a rectangle, 0 within it."""
    left, top, right, bottom = box
    x, y = points[:, 0], points[:, 1]
    across = np.maximum(np.maximum(left - x, x - right), 0.0)
    down = np.maximum(np.maximum(top - y, y - bottom), 0.0)
    return math.sqrt(float((across * across + down * down).min()))

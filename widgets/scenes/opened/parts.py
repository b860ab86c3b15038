"""The signs of an opened number: cells with their values, bars, chains of scalars, a colour bar."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from widgets import equation
from widgets.geometry import READ, read_px, text_width
from widgets.glyphs import Box, arrow, shortened
from widgets.numbers import value as said
from widgets.picture import Cells, Command, Path, Rect, Shape, Text

if TYPE_CHECKING:
    from widgets.glyphs import Numbers
    from widgets.theme import Theme
    from widgets.view import View

LEAST = 14.0
GAP = 4.0  # px between cells
NAMED_BARS = 64  # more bars are two paths, and no elements
Weight = Literal[400, 500, 600, 700]


def main(view: View) -> float:
    """Return the size of the numbers that the class reads."""
    return read_px(view.height)


def fitted(
    number: float, width: float, size: float, view: View, weight: Weight = 600
) -> tuple[str, float]:
    """Return a number with as many digits as fit into ``width`` px, three at most, and its size.

    A number that does not fit even with one digit is "≈0", or nothing when it is not small.
    """
    least = main(view)
    for digits in (3, 2, 1):
        exact = said(number) if digits == 3 or not math.isfinite(number) else said(
            float(f"{number:.{digits - 1}e}")
        )  # fmt: skip
        for smaller in (size, *(s for s in (20.0, max(18.0, least), least, LEAST) if s < size)):
            if text_width(exact, smaller, weight) <= width:
                return exact, smaller
            if digits > 1 and smaller <= least:  # fewer digits are better than small ones
                break
    return ("≈0" if abs(number) < 1e-2 and width > 22 else ""), LEAST


def lettered(
    markup: str, plain: str, box: tuple[float, float, float], size: float, fill: str,
    *, anchor: Literal["start", "middle", "end"] = "start", weight: Weight = 500,
) -> tuple[Text, ...]:  # fmt: skip
    """Return letters in at most ``width`` px on a baseline; plain words where they do not fit.

    ``box`` is x, y and width.
    """
    x, y, width = box
    for smaller in (size, READ, LEAST) if markup else ():
        if smaller <= size and equation.width(markup, smaller, weight) <= width:
            return equation.shapes(
                markup, x=x, y=y, size=smaller, fill=fill, weight=weight, anchor=anchor
            )
    text = shortened(plain, width, LEAST, weight)
    return (Text(x=x, y=y, text=text, size=LEAST, fill=fill, weight=weight, anchor=anchor),)


def heading(x: float, y: float, width: float, word: str, note: str, view: View) -> list[Shape]:
    """Return a section's name with what is said of it behind."""
    theme, size = view.theme, max(18.0, main(view))
    start = x + text_width(word, size, 600) + 12
    return [
        Text(x=x, y=y, text=word, size=size, weight=600, fill=theme.ink, read_by_class=True),
        Text(
            x=start, y=y, text=shortened(note, x + width - start, 15), size=15, fill=theme.ink2
        ),
    ]  # fmt: skip


@dataclass(frozen=True)
class Scale:
    """The colour of each number of a tensor: brick below zero, ink above, or a share of one.

    ``shares`` are drawn on a square-root scale, so that small ones are seen.
    """

    limit: float
    shares: bool = False

    @staticmethod
    def of(numbers: Numbers, *, shares: bool = False) -> Scale:
        """Return the scale that is as wide as the largest number."""
        import numpy as np

        size = np.abs(np.asarray(numbers, np.float64))
        return Scale(float(size[np.isfinite(size)].max(initial=0.0)) or 1.0, shares)

    def colour(self, number: float, theme: Theme) -> str:
        """Return the colour of a number."""
        if self.shares:
            return theme.ink_map(math.sqrt(max(number, 0.0)))
        if math.isnan(number):
            return theme.error
        return theme.signed_map(min(max(number / self.limit, -1.0), 1.0))

    def bar(self, x: float, y: float, width: float, theme: Theme, view: View) -> list[Shape]:
        """Return the legend: every colour in order, and the numbers at its ends."""
        say, steps = view.captions, 64
        if self.shares:
            colours = tuple(self.colour((i / (steps - 1)), theme) for i in range(steps))
            words = (say("rt.percent", value=0), "", say("rt.percent", value=100))
        else:
            ends = [self.limit * (2 * i / (steps - 1) - 1) for i in range(steps)]
            colours = tuple(self.colour(end, theme) for end in ends)
            limit = said(self.limit)
            room = width / 2 - text_width(f"−{limit} 0", LEAST) > 0
            words = (said(-self.limit), "0" if room else "", limit)
        note = say("opened.root_scale" if self.shares else "opened.signed_scale")
        shapes: list[Shape] = [
            Rect(x=x - 1, y=y - 1, width=width + 2, height=14, stroke=theme.hair2),
            Cells(x=x, y=y, width=width, height=12, colours=(colours,)),
            Text(x=x + width + 12, y=y + 11, text=note, size=LEAST, fill=theme.ink2),
        ]
        places: tuple[tuple[float, Literal["start", "middle", "end"]], ...] = (
            (x, "start"), (x + width / 2, "middle"), (x + width, "end"),
        )  # fmt: skip
        for word, (left, anchor) in zip(words, places, strict=True):
            if word:
                shapes.append(
                    Text(x=left, y=y + 28, text=word, size=LEAST, fill=theme.ink2, anchor=anchor)
                )
        return shapes


@dataclass(frozen=True)
class Number:
    """A number with the name of the element it is, "" for one that is no element of the run."""

    value: float
    name: str = ""
    label: str = ""  # of its place: a word, or its index


def cell(
    number: Number, box: Box, scale: Scale, view: View, *, size: float | None = None,
    own: bool = False, text: str | None = None,
) -> list[Shape]:  # fmt: skip
    """Return one number as a cell with its value; the opened one has a frame of ink."""
    theme = view.theme
    x, y, width, height = box
    fill = scale.colour(number.value, theme)
    title = f"{number.name.partition(':')[2]} = {said(number.value)}" if number.name else ""
    shapes: list[Shape] = [
        Rect(
            x=x, y=y, width=width, height=height, radius=min(4.0, height / 5), fill=fill,
            stroke=theme.ink if own else None, stroke_width=2.4, name=number.name, title=title,
        )
    ]  # fmt: skip
    size = main(view) if size is None else size
    if text is None:
        shown, size = fitted(number.value, width - 6, size, view)
    else:
        shown = text
    if shown:
        shapes.append(
            Text(
                x=x + width / 2, y=y + height / 2 + 0.36 * size, text=shown, size=size, weight=600,
                fill=theme.on(fill), anchor="middle", read_by_class=size >= main(view),
            )
        )  # fmt: skip
    return shapes


def chosen(count: int, room: int, own: int, weights: Sequence[float]) -> tuple[int, ...]:
    """Return at most ``room`` places of ``count``: all, or the opened one and the largest."""
    if count <= room:
        return tuple(range(count))
    order = sorted(range(count), key=lambda i: (i != own, -abs(weights[i])))
    return tuple(sorted(order[:room]))


def bars(
    numbers: Sequence[Number], box: Box, view: View, *, strong: Sequence[int] = (), own: int = -1,
    base: float | None = None,
) -> list[Shape]:  # fmt: skip
    """Return all numbers as bars from a line at ``base`` (0 without one); few are elements."""
    theme = view.theme
    x, y, width, height = box
    middle = 0.0 if base is None else base
    finite = [n.value for n in numbers if math.isfinite(n.value)]
    high, low = max([middle, *finite]), min([middle, *finite])
    span = (high - low) or 1.0
    pitch = width / len(numbers)
    inner = pitch * 0.72 if pitch >= 4 else pitch

    def at(number: float) -> float:
        return y + height * (high - min(max(number, low), high)) / span

    zero = at(middle)
    shapes: list[Shape] = []
    paths: dict[str, list[Command]] = {}
    for i, number in enumerate(numbers):
        top, bottom = sorted((at(number.value), zero))
        bottom = max(bottom, top + 1.2)
        share = 0.75 if i in strong or not strong else 0.38
        colour = theme.signed_map(share if number.value >= middle else -share)
        left = x + pitch * i + (pitch - inner) / 2
        if len(numbers) <= NAMED_BARS:
            shapes.append(
                Rect(
                    x=left, y=top, width=inner, height=bottom - top, radius=min(2.0, inner / 4),
                    fill=colour, stroke=theme.ink if i == own else None, stroke_width=1.6,
                    name=number.name,
                    title=f"{number.name.partition(':')[2]} = {said(number.value)}"
                    if number.name
                    else "",
                )
            )  # fmt: skip
            continue
        if i == own:
            colour = theme.ink
        right = left + inner
        paths.setdefault(colour, []).extend(
            (("M", left, top), ("L", right, top), ("L", right, bottom), ("L", left, bottom), ("Z",))
        )
    shapes += [Path(commands=tuple(path), fill=colour) for colour, path in paths.items()]
    shapes.append(
        Path(commands=(("M", x, zero), ("L", x + width, zero)), stroke=theme.hair2, stroke_width=1)
    )
    return shapes


@dataclass(frozen=True)
class Scalar:
    """A number on the way to the result: its letters, what was done before it, its element."""

    value: float
    letters: str  # mark-up
    plain: str  # the same in words
    before: str = ""  # on the arrow that leads to it, or between it and the one before
    name: str = ""
    own: bool = False  # the opened number
    share: bool = False  # said as a per cent
    word: str = ""  # said instead of the number
    joins: bool = False  # stands beside the one before as an operand, without an arrow


def chain(scalars: Sequence[Scalar], box: Box, view: View) -> list[Shape]:
    """Return scalars left to right, with what leads from one to the next on arrows between."""
    theme, say = view.theme, view.captions
    x, y, width, height = box
    sizes = [0.0 if i == 0 else text_width(s.before, 16, 600) + 12 for i, s in enumerate(scalars)]
    gaps = [0.0 if i == 0 else max(28.0, g) for i, g in enumerate(sizes)]
    each = min(150.0, (width - sum(gaps)) / len(scalars))
    shapes: list[Shape] = []
    left = x
    for i, scalar in enumerate(scalars):
        if i:
            middle = left + gaps[i] / 2
            if scalar.joins:
                shapes.append(
                    Text(x=middle, y=y + height / 2 + 6, text=scalar.before, size=16, weight=600,
                         fill=theme.ink, anchor="middle")
                )  # fmt: skip
            else:
                shapes += arrow(
                    (left + 3, y + height / 2 + 8), (left + gaps[i] - 3, y + height / 2 + 8),
                    theme.ink2,
                )  # fmt: skip
                shapes.append(
                    Text(x=middle, y=y + height / 2 - 4, text=scalar.before, size=16, weight=600,
                         fill=theme.ink, anchor="middle")
                )  # fmt: skip
            left += gaps[i]
        title = f"{scalar.plain} = {said(scalar.value)}"
        shapes.append(
            Rect(
                x=left, y=y, width=each, height=height, radius=10, fill=theme.stage,
                stroke=theme.ink if scalar.own else theme.hair2,
                stroke_width=2.2 if scalar.own else 1.25, name=scalar.name, title=title,
            )
        )  # fmt: skip
        shapes += lettered(
            scalar.letters, scalar.plain, (left + 10, y + 22, each - 16), 16, theme.ink2
        )
        number, size = scalar.word, 24.0
        if scalar.share:
            number = percent(scalar.value)
        if number:
            number = shortened(number, each - 16, size, 700)
        else:
            number, size = fitted(scalar.value, each - 16, size, view, 700)
        if scalar.word == "" and scalar.share:
            number = say("opened.share", value=number)
        shapes.append(
            Text(
                x=left + 10, y=y + height - 14, text=number, size=size, weight=700,
                family="display", fill=theme.ink, read_by_class=True,
            )
        )  # fmt: skip
        left += each
    return shapes


def percent(share: float) -> str:
    """Return a share as a whole per cent; one that is none and yet is not nothing as "<1"."""
    whole = round(100 * share)
    return "<1" if whole == 0 and share > 0 else str(whole)


def plot(
    function: Callable[[float], float], at: tuple[float, float], box: Box, view: View
) -> list[Shape]:
    """Return the curve of a function, with a point on it and lines from it to both axes."""
    theme = view.theme
    x, y, width, height = box
    px, py = at
    reach = max(3.0, 1.25 * abs(px))
    xs = [reach * (i / 60 - 1) for i in range(121)]
    ys = [function(v) for v in xs]
    high, low = max([*ys, 0.0, py]), min([*ys, 0.0, py])
    pad = 0.08 * ((high - low) or 1.0)
    high, low = high + pad, low - pad

    def place(a: float, b: float) -> tuple[float, float]:
        return x + width * (a + reach) / (2 * reach), y + height * (high - b) / (high - low)

    x0, y0 = place(0, 0)
    line = [place(a, b) for a, b in zip(xs, ys, strict=True)]
    commands: list[Command] = [("M", *line[0]), *(("L", *p) for p in line[1:])]
    cx, cy = place(px, py)
    shapes: list[Shape] = [
        Path(commands=(("M", x, y0), ("L", x + width, y0)), stroke=theme.hair2, stroke_width=1.2),
        Path(commands=(("M", x0, y), ("L", x0, y + height)), stroke=theme.hair2, stroke_width=1.2),
        Path(commands=tuple(commands), stroke=theme.ink2, stroke_width=3, cap="round"),
        Path(
            commands=(("M", cx, y0), ("L", cx, cy), ("L", x0, cy)), stroke=theme.ink,
            stroke_width=1.4, dash=(4.0, 4.0),
        ),
        Rect(x=cx - 6, y=cy - 6, width=12, height=12, radius=6, fill=theme.ink,
             stroke=theme.stage, stroke_width=2),
    ]  # fmt: skip
    # The numbers stand on the far side of the axes from the point, where the curve seldom is.
    below = y0 + 20 if py >= 0 else y0 - 8
    near = abs(cx - x0) < 32  # the number would lie on the other axis
    shapes.append(
        Text(x=(x0 + (8 if px >= 0 else -8)) if near else min(max(cx, x + 24), x + width - 24),
             y=below, text=said(px), size=main(view), weight=600, fill=theme.ink,
             anchor=("start" if px >= 0 else "end") if near else "middle", read_by_class=True)
    )  # fmt: skip
    shapes.append(
        Text(x=x0 + (-8 if px >= 0 else 8), y=min(max(cy, y + 8), y + height) + 6
             if abs(cy - y0) > 22 else cy + (-12 if py >= 0 else 22),
             text=said(py), size=main(view), weight=600, fill=theme.ink,
             anchor="end" if px >= 0 else "start", read_by_class=True)
    )  # fmt: skip
    return shapes


def stacked(
    shares: Sequence[Number], box: Box, view: View, *, own: int, whole: Sequence[int]
) -> list[Shape]:
    """Return shares of one whole side by side, those that have room with word and per cent.

    ``whole`` are the per cents that add up to 100. Shares thinner than a px are drawn as one.
    """
    theme, say = view.theme, view.captions
    x, y, width, height = box
    total = math.fsum(n.value for n in shares) or 1.0
    shapes: list[Shape] = []
    left, rest = x, 0.0
    frame: list[Shape] = []
    for i, share in enumerate(shares):
        wide = width * share.value / total
        if wide < 1.0 and i != own:
            rest += wide
            continue
        wide = max(wide, 1.0)
        fill = theme.ink_map(0.25 + 0.6 * share.value / total)
        title = f"{share.label}: {said(share.value)}"
        shapes.append(
            Rect(x=left, y=y, width=max(wide - 1.5, 1.0), height=height, radius=min(3.0, wide / 4),
                 fill=fill, name=share.name, title=title)
        )  # fmt: skip
        if i == own:
            frame.append(
                Rect(x=left - 2, y=y - 3, width=max(wide + 0.5, 4.0), height=height + 6, radius=4,
                     stroke=theme.ink, stroke_width=2.2)
            )  # fmt: skip
        cent = say("rt.percent", value=whole[i])
        for text in (f"{share.label} {cent}", cent):
            if text_width(text, main(view), 600) + 10 <= wide:
                shapes.append(
                    Text(x=left + wide / 2, y=y + height / 2 + 6, text=text, size=main(view),
                         weight=600, fill=theme.on(fill), anchor="middle", read_by_class=True)
                )  # fmt: skip
                break
        left += wide
    if rest > 0.5:
        shapes.append(
            Rect(x=left, y=y, width=min(rest, max(x + width - left, 0.5)), height=height,
                 fill=theme.ink_map(0.12))
        )  # fmt: skip
    return shapes + frame

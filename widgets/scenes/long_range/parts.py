"""Small parts that the experiments of this scene share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from widgets.geometry import READ, text_width
from widgets.glyphs import Box, line, shortened, wrapped
from widgets.picture import Command, Ellipse, Path, Rect, Shape, Text
from widgets.scenes.long_range.layout import NOTE, Place

if TYPE_CHECKING:
    from widgets.view import View

Points = Sequence[tuple[float, float]]
To = Callable[[float], float]  # where a number stands
Weight = Literal[400, 500, 600, 700]


def words(
    x: float, y: float, text: str, view: View, *, size: float = NOTE, weight: Weight = 400,
    ink: str = "ink2", width: float = 0.0, anchor: Literal["start", "middle", "end"] = "start",
    read: bool = False, name: str = "", title: str = "", italic: bool = False,
) -> Text:  # fmt: skip
    """Return a line of text in an ink of the theme, shortened to a width where one is given."""
    if width:
        text = shortened(text, width, size, weight)
    return Text(
        x=x, y=y, text=text, size=size, weight=weight, fill=getattr(view.theme, ink),
        anchor=anchor, read_by_class=read, name=name, title=title, italic=italic,
    )  # fmt: skip


def band(above: Points, below: Points, colour: str, opacity: float = 0.14) -> list[Shape]:
    """Return the area between two lines, none between fewer than two points."""
    if len(above) < 2:
        return []
    around = [*above, *reversed(below)]
    commands: list[Command] = [("M", *around[0]), *(("L", *point) for point in around[1:])]
    return [Path(commands=(*commands, ("Z",)), fill=colour, opacity=opacity)]


def mark(
    shape: str, x: float, y: float, colour: str, ground: str, *, size: float = 4.6,
    name: str = "", title: str = "",
) -> Shape:  # fmt: skip
    """Return a point of a line: "circle", "square", "triangle" or "diamond"."""
    s = size
    if shape == "circle":
        return Ellipse(cx=x, cy=y, rx=s, ry=s, fill=colour, stroke=ground, stroke_width=1.0,
                       name=name, title=title)  # fmt: skip
    if shape == "square":
        return Rect(x=x - 0.88 * s, y=y - 0.88 * s, width=1.76 * s, height=1.76 * s, fill=colour,
                    stroke=ground, stroke_width=1.0, name=name, title=title)  # fmt: skip
    commands: tuple[Command, ...] = (
        ("M", x, y - 1.2 * s), ("L", x + 1.1 * s, y + 0.9 * s), ("L", x - 1.1 * s, y + 0.9 * s),
        ("Z",),
    )  # fmt: skip
    if shape == "diamond":
        d = 1.3 * s
        commands = (("M", x, y - d), ("L", x + d, y), ("L", x, y + d), ("L", x - d, y), ("Z",))
    return Path(commands=commands, fill=colour, stroke=ground, stroke_width=1.0, hit_width=8,
                name=name, title=title)  # fmt: skip


def now_line(x: float, top: float, bottom: float, view: View) -> list[Shape]:
    """Return the marker of now across a plot."""
    theme = view.theme
    ends = [(x, top), (x, bottom)]
    return [*line(ends, theme.now, 6.0), *line(ends, theme.now_line, 1.6)]


def ring(box: Box, view: View) -> Rect:
    """Return the ring round what is opened."""
    x, y, width, height = box
    return Rect(x=x - 4, y=y - 4, width=width + 8, height=height + 8, radius=7,
                stroke=view.theme.ink, stroke_width=2)  # fmt: skip


def segments(
    x: float, y: float, kind: str, offers: Sequence[tuple[str, str]], chosen: str, label: str,
    place: Place, view: View,
) -> list[Shape]:  # fmt: skip
    """Return a row of choices that begins at x; the name of one is "choose:kind:id"."""
    theme, size, high = view.theme, place.read, 34.0
    widths = [text_width(text, size, 600) + 26 for _, text in offers]
    shapes: list[Shape] = [
        Rect(x=x, y=y, width=sum(widths) + 6, height=high, radius=9, fill=theme.well)
    ]
    x += 3
    for (id, text), width in zip(offers, widths, strict=True):
        on = id == chosen
        if on:
            shapes.append(Rect(x=x, y=y + 3, width=width, height=high - 6, radius=7,
                               fill=theme.stage, stroke=theme.hair2, stroke_width=1))  # fmt: skip
        shapes += [
            words(x + width / 2, y + high / 2 + 0.36 * size, text, view, size=size,
                  weight=600 if on else 500, ink="ink" if on else "ink2", anchor="middle"),
            # Upon the letters: all of the segment can be clicked.
            Rect(x=x, y=y, width=width, height=high, name=f"choose:{kind}:{id}",
                 title=f"{label}: {text}"),
        ]  # fmt: skip
        x += width
    return shapes


def slider(
    box: Box, kind: str, values: Sequence[str], chosen: float, label: str, view: View,
    every: int = 1,
) -> list[Shape]:  # fmt: skip
    """Return a scale of values, each a place to click; its knob stands at the chosen one.

    The name of a value is "choose:kind:value"; of the values each ``every``-th is written.
    """
    theme = view.theme
    x, y, width, _ = box
    step = width / (len(values) - 1)
    knob = x + step * chosen
    shapes: list[Shape] = [
        Path(commands=(("M", x, y + 9), ("L", x + width, y + 9)), stroke=theme.hair2,
             stroke_width=4, cap="round"),
        Path(commands=(("M", x, y + 9), ("L", max(knob, x + 0.1), y + 9)), stroke=theme.ink,
             stroke_width=4, cap="round"),
        Ellipse(cx=knob, cy=y + 9, rx=9, ry=9, fill=theme.ink),
    ]  # fmt: skip
    for i, value in enumerate(values):
        on, middle = i == chosen, x + i * step
        if i % every == 0:
            shapes.append(
                words(middle, y + 36, value, view, weight=700 if on else 500,
                      ink="ink" if on else "ink3", anchor="middle")
            )  # fmt: skip
        if view.controls:
            name, title = f"choose:{kind}:{value}", f"{label} {value}"
            shapes.append(Rect(x=middle - step / 2, y=y - 4, width=step, height=44, name=name,
                               title=title))  # fmt: skip
    return shapes


def cross(x: float, y: float, colour: str, size: float = 6.0, width: float = 2.4) -> Path:
    """Return a cross: here it breaks."""
    return Path(
        commands=(("M", x - size, y - size), ("L", x + size, y + size),
                  ("M", x - size, y + size), ("L", x + size, y - size)),
        stroke=colour, stroke_width=width, cap="round",
    )  # fmt: skip


def said(lines: Sequence[str], place: Place, view: View) -> list[Shape]:
    """Return what the numbers say, in lines at the foot; they are wrapped in a high box."""
    left = place.width - place.edge
    width, size = place.edge - left, place.read
    if size > READ:
        lines = [part for text in lines for part in wrapped(text, width, size, 600)]
    return [
        words(left, place.line(len(lines) - 1 - i), text, view, size=size, weight=600, ink="ink",
              width=width, read=True)
        for i, text in enumerate(lines)
    ]  # fmt: skip

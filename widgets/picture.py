"""A picture is data: a tuple of a few kinds of shape, the same for screen, SVG, PNG and PDF.

Coordinates are in px of the picture's own box, y downwards. Colours are "#RRGGBB". ``name`` on a
shape says which element it shows ("chain:rnn.h.3", "grid:blocks.0.attn.pattern[1,4,2]") or what a
click on it does ("ask:3", "toggle:attention", "layer:1"); ``title`` is the same for people, used
for the tooltip, the accessible name and the <title> in SVG. Hit test, tooltip, inspector and
accessible text are look-ups of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Rect:
    """A rectangle with rounded corners."""

    x: float
    y: float
    width: float
    height: float
    radius: float = 0.0
    fill: str | None = None
    stroke: str | None = None
    stroke_width: float = 1.0
    dash: tuple[float, ...] = ()  # in px, pen off after pen on
    opacity: float = 1.0
    name: str = ""
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Ellipse:
    """An ellipse about its centre."""

    cx: float
    cy: float
    rx: float
    ry: float
    fill: str | None = None
    stroke: str | None = None
    stroke_width: float = 1.0
    dash: tuple[float, ...] = ()
    opacity: float = 1.0
    name: str = ""
    title: str = ""


# ("M", x, y), ("L", x, y), ("Q", cx, cy, x, y), ("C", c1x, c1y, c2x, c2y, x, y), ("Z",)
Command = (
    tuple[Literal["M", "L"], float, float]
    | tuple[Literal["Q"], float, float, float, float]
    | tuple[Literal["C"], float, float, float, float, float, float]
    | tuple[Literal["Z"]]
)


@dataclass(frozen=True, kw_only=True)
class Path:
    """Lines and Bézier curves. ``hit_width`` is how near to the line a click counts (0: never)."""

    commands: tuple[Command, ...]
    fill: str | None = None
    stroke: str | None = None
    stroke_width: float = 1.0
    dash: tuple[float, ...] = ()
    cap: Literal["butt", "round"] = "butt"
    opacity: float = 1.0
    hit_width: float = 0.0
    name: str = ""
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Text:
    """One line of text on a baseline. ``x`` is its start, middle or end by ``anchor``.

    ``size`` is in px. Figures are always tabular.
    """

    x: float
    y: float
    text: str
    size: float
    fill: str
    weight: Literal[400, 500, 600, 700] = 400
    family: Literal["sans", "display", "mono"] = "sans"
    italic: bool = False
    anchor: Literal["start", "middle", "end"] = "start"
    rotate: float = 0.0  # degrees clockwise about (x, y)
    opacity: float = 1.0
    read_by_class: bool = False  # must be at least 1/48 of the picture's height in Present
    name: str = ""
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Cells:
    """A whole matrix as coloured cells: rows of "#RRGGBB".

    The screen paints one scaled image, vector output a rectangle a cell. ``gap`` px are left
    between cells. An element's name is ``name[i]`` with ``index[row][column]`` for i, or
    ``name[r,c]`` with ``rows[row]`` and ``columns[column]``.
    """

    x: float
    y: float
    width: float
    height: float
    colours: tuple[tuple[str, ...], ...]
    index: tuple[tuple[str, ...], ...] = ()  # "4" or "1,4,2" a cell; empty: name stands for all
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    gap: float = 0.0
    opacity: float = 1.0
    name: str = ""
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Shapes that share an opacity and a clip rectangle (x, y, width, height).

    ``slot`` names a place whose raster the screen may keep, and ``cache_key`` what that raster
    depends on: until the key changes the raster is drawn again, whatever the opacity, clip or
    offset. While a new one is being filled over several frames the slot's last finished raster is
    shown. Vector output ignores both.
    """

    shapes: tuple[Shape, ...]
    opacity: float = 1.0
    clip: tuple[float, float, float, float] | None = None
    dx: float = 0.0
    dy: float = 0.0
    slot: str = ""
    cache_key: object = None


Shape = Rect | Ellipse | Path | Text | Cells | Group


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What a scene draws: a box, its background and the shapes on it, the first one lowest."""

    width: float
    height: float
    background: str
    shapes: tuple[Shape, ...]
    title: str = ""
    description: str = ""

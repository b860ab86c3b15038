"""Writes a picture as SVG: real text, a title on every element, the same bytes every time."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from xml.sax.saxutils import escape, quoteattr

from widgets.picture import Cells, Ellipse, Group, Path, Picture, Rect, Shape, Text
from widgets.theme import rgb

FAMILIES = {
    "sans": "Inter, 'Helvetica Neue', Arial, sans-serif",
    "display": "'Inter Display', Inter, 'Helvetica Neue', Arial, sans-serif",
    "mono": "'JetBrains Mono', Menlo, Consolas, monospace",
}
MOST_CELLS = 4096  # of a matrix; a larger one is pooled to this many


def svg(picture: Picture, *, width: float | None = None, height: float | None = None) -> str:
    """Return a picture as an SVG document.

    Parameters
    ----------
    width, height
        Size of the document in px; the picture's own without them. The picture is scaled into it.

    Raises
    ------
    ValueError
        If a number of the picture is not finite, for then no viewer could show it.
    """
    writer = _Writer(picture.background)
    writer.shapes(picture.shapes)
    box = f"0 0 {_number(picture.width)} {_number(picture.height)}"
    head = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}"'
        f' width="{_number(picture.width if width is None else width)}"'
        f' height="{_number(picture.height if height is None else height)}"'
        f' font-family="{FAMILIES["sans"]}" xml:space="preserve"'
        ' style="font-variant-numeric: tabular-nums; white-space: pre">',
    ]
    if picture.title:
        head.append(f"<title>{_escaped(picture.title)}</title>")
    if picture.description:
        head.append(f"<desc>{_escaped(picture.description)}</desc>")
    background = (
        f'<rect width="{_number(picture.width)}" height="{_number(picture.height)}"'
        f' fill="{picture.background}"/>'
    )
    return "\n".join([*head, background, *writer.lines, "</svg>", ""])


@lru_cache(maxsize=8192)
def _number(value: float) -> str:
    """Return a number with at most two decimals, the same in every language of the system."""
    if not math.isfinite(value):
        raise ValueError(f"A picture with the coordinate {value} cannot be written as SVG.")
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _escaped(text: str) -> str:
    # Control characters cannot stand in XML at all, escaped or not.
    return escape(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text))


_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _Writer:
    """The lines of a document, and the ids that it has given away."""

    def __init__(self, background: str) -> None:
        self._background = background
        self.lines: list[str] = []
        self._ids: dict[str, int] = {}
        self._clips = 0

    def shapes(self, shapes: tuple[Shape, ...]) -> None:
        for shape in shapes:
            if shape.opacity <= 0:
                continue
            if isinstance(shape, Group):
                self._group(shape)
            elif isinstance(shape, Rect):
                self._rect(shape)
            elif isinstance(shape, Ellipse):
                place = _numbers(cx=shape.cx, cy=shape.cy, rx=shape.rx, ry=shape.ry)
                self._element("ellipse", place + _ink(shape), shape)
            elif isinstance(shape, Path):
                self._path(shape)
            elif isinstance(shape, Text):
                self._text(shape)
            else:
                self._cells(shape)

    def _element(self, tag: str, attributes: str, shape: Rect | Ellipse | Path) -> None:
        title = self._title(shape.name, shape.title)
        start = f"<{tag}{self._id(shape.name)}{attributes}"
        self.lines.append(f"{start}>{title}</{tag}>" if title else f"{start}/>")

    def _title(self, name: str, title: str) -> str:
        said = " — ".join(part for part in (title, name) if part)
        return f"<title>{_escaped(said)}</title>" if said else ""

    def _id(self, name: str) -> str:
        """Return an id made of an element's name, with a number if that name has come before."""
        if not name:
            return ""
        base = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-") or "element"
        base = base if base[0].isalpha() else f"e{base}"
        found = base
        # "h-2" may be the second "h" or an element's own name, so what is taken is looked up.
        while found in self._ids:
            self._ids[base] += 1
            found = f"{base}-{self._ids[base]}"
        self._ids[found] = 1
        return f' id="{found}"'

    def _group(self, group: Group) -> None:
        if not group.shapes:
            return
        opening = "<g"
        if group.opacity < 1:
            opening += f' opacity="{_number(group.opacity)}"'
        moved = ""
        if group.dx or group.dy:
            moved = f' transform="translate({_number(group.dx)} {_number(group.dy)})"'
        if group.clip is None:
            self.lines.append(f"{opening}{moved}>")
            self.shapes(group.shapes)
            self.lines.append("</g>")
        else:
            # The clip stays where it is while what is seen through it moves.
            self._clips += 1
            x, y, width, height = group.clip
            place = _numbers(x=x, y=y, width=width, height=height)
            clip = f"clip.{self._clips}"
            self.lines.append(f'<clipPath id="{clip}"><rect{place}/></clipPath>')
            self.lines.append(f'{opening} clip-path="url(#{clip})"><g{moved}>')
            self.shapes(group.shapes)
            self.lines.append("</g></g>")

    def _rect(self, rect: Rect) -> None:
        place = _numbers(x=rect.x, y=rect.y, width=rect.width, height=rect.height)
        if rect.radius > 0:
            place += _numbers(rx=min(rect.radius, rect.width / 2, rect.height / 2))
        self._element("rect", place + _ink(rect), rect)

    def _path(self, path: Path) -> None:
        data = " ".join(
            command[0] + " ".join(_number(value) for value in command[1:])
            for command in path.commands
        )
        line = ""
        if path.stroke:
            line = ' stroke-linejoin="round"'
            if path.cap == "round":
                line += ' stroke-linecap="round"'
        self._element("path", f' d="{data}"{_ink(path)}{line}', path)

    def _text(self, text: Text) -> None:
        attributes = _numbers(x=text.x, y=text.y)
        attributes += f' font-size="{_number(text.size)}"'
        if text.family != "sans":
            attributes += f' font-family="{FAMILIES[text.family]}"'
        if text.weight != 400:
            attributes += f' font-weight="{text.weight}"'
        if text.italic:
            attributes += ' font-style="italic"'
        if text.anchor != "start":
            attributes += f' text-anchor="{text.anchor}"'
        if text.rotate:
            turn = " ".join(_number(value) for value in (text.rotate, text.x, text.y))
            attributes += f' transform="rotate({turn})"'
        attributes += f' fill="{text.fill}"' + _see_through("fill", text.opacity)
        title = self._title(text.name, text.title)
        self.lines.append(
            f"<text{self._id(text.name)}{attributes}>{title}{_escaped(text.text)}</text>"
        )

    def _cells(self, cells: Cells) -> None:
        """Write a rectangle for each cell; without a gap they meet on whole px of the viewer."""
        colours, note = _pooled(cells.colours, self._background)
        if not colours or not colours[0]:
            return
        title = self._title(cells.name, f"{cells.title}{note}")
        crisp = ' shape-rendering="crispEdges"' if cells.gap <= 0 else ""
        opacity = _see_through("fill", cells.opacity)
        self.lines.append(f"<g{self._id(cells.name)}{crisp}{opacity}>{title}")
        width, height = cells.width / len(colours[0]), cells.height / len(colours)
        half = cells.gap / 2
        for r, row in enumerate(colours):
            for c, colour in enumerate(row):
                place = _numbers(
                    x=cells.x + c * width + half,
                    y=cells.y + r * height + half,
                    width=width - cells.gap,
                    height=height - cells.gap,
                )
                cell = ""
                if cells.index and not note:
                    cell = self._title(f"{cells.name}[{cells.index[r][c]}]", cells.title)
                end = f">{cell}</rect>" if cell else "/>"
                self.lines.append(f'<rect{place} fill="{colour}"{end}')
        self.lines.append("</g>")


def _numbers(**values: float) -> str:
    return "".join(f' {key}="{_number(value)}"' for key, value in values.items())


def _see_through(what: str, opacity: float) -> str:
    return "" if opacity >= 1 else f' {what}-opacity="{_number(opacity)}"'


def _ink(shape: Rect | Ellipse | Path) -> str:
    """Return fill and line. Opacity is theirs, not the shape's, as in what Qt paints."""
    parts = [' fill="none"']
    if shape.fill:
        parts = [f" fill={quoteattr(shape.fill)}", _see_through("fill", shape.opacity)]
    if shape.stroke and shape.stroke_width > 0:
        parts += [f" stroke={quoteattr(shape.stroke)}", _see_through("stroke", shape.opacity)]
        if shape.stroke_width != 1:
            parts.append(f' stroke-width="{_number(shape.stroke_width)}"')
        if shape.dash:
            dash = " ".join(_number(part) for part in shape.dash)
            parts.append(f' stroke-dasharray="{dash}"')
    return "".join(parts)


def _pooled(
    colours: tuple[tuple[str, ...], ...], background: str
) -> tuple[tuple[tuple[str, ...], ...], str]:
    """Return a matrix with few enough cells, each the strongest colour of those it stands for.

    A mean would wash out what stands alone, such as one large weight among many small ones.
    """
    rows, columns = len(colours), len(colours[0]) if colours else 0
    if rows * columns <= MOST_CELLS:
        return colours, ""
    step = 2
    while math.ceil(rows / step) * math.ceil(columns / step) > MOST_CELLS:
        step += 1
    few_rows, few_columns = math.ceil(rows / step), math.ceil(columns / step)
    ground = rgb(background)

    def strength(colour: str) -> int:
        # Zero has the background's own grey in every map, so what is far from it is large.
        return sum((a - b) ** 2 for a, b in zip(rgb(colour), ground, strict=True))

    pooled = tuple(
        tuple(
            max(
                (
                    colour
                    for row in colours[r * rows // few_rows : (r + 1) * rows // few_rows]
                    for colour in row[c * columns // few_columns : (c + 1) * columns // few_columns]
                ),
                key=strength,
            )
            for c in range(few_columns)
        )
        for r in range(few_rows)
    )
    return pooled, f" ({rows} × {columns} cells, pooled to {few_rows} × {few_columns} by maximum)"

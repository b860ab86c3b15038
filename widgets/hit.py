"""Which element lies under a point, and every element there is: look-ups in a picture, without Qt.

An element is what a shape's ``name`` says. Mouse and Tab order know the same elements, so that
whatever can be clicked can be reached by keys; the title of the one that is reached is read aloud.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from functools import lru_cache

from widgets.geometry import text_width
from widgets.picture import Cells, Command, Ellipse, Group, Path, Picture, Point, Shape, Text
from widgets.remember import Is

Corners = tuple[float, float, float, float]  # left, top, right, bottom
Rectangle = tuple[float, float, float, float]  # x, y, width, height
Named = tuple[str, str, Rectangle]  # name, title, box

ASCENT, DESCENT = 1.0, 0.3  # of a text's box, in text sizes
PIECES = 16  # straight pieces for which one Bézier curve stands
REMEMBERED = 64  # tuples of shapes
HAIR = 0.05  # px of a shape that nobody sees


def hit(picture: Picture, x: float, y: float) -> str:
    """Return the name of the topmost named shape at a point of the picture, or "".

    A cell of a matrix with an index answers ``name[index]``.
    """
    return _hit(picture.shapes, x, y)


def named(picture: Picture) -> tuple[Named, ...]:
    """Return every named element that is seen: its name, title and box, in reading order.

    Rows come from top to bottom, a row from left to right. A name occurs once; shapes of one name
    that touch are one box, of those that lie apart the first counts. A matrix is one element.
    """
    return _named(Is(picture))


def title_of(picture: Picture, name: str) -> str:
    """Return what a name is called for people, or "". A cell is called like its matrix."""
    titles = _titles(Is(picture))
    return titles.get(name) or titles.get(name.partition("[")[0], "")


def bounds(shape: Shape) -> Corners | None:
    """Return the box within which a shape is painted, its line included; None if it is empty."""
    if isinstance(shape, Group):
        boxes = [box for inner in shape.shapes if (box := bounds(inner)) is not None]
        if not boxes:
            return None
        left, top, right, bottom = enclosing(boxes)
        box = (left + shape.dx, top + shape.dy, right + shape.dx, bottom + shape.dy)
        return box if shape.clip is None else _overlap(box, shape.clip)
    if isinstance(shape, Text):
        return _text_box(shape)
    pad = 0.0 if isinstance(shape, Cells) or not shape.stroke else shape.stroke_width / 2
    if isinstance(shape, Ellipse):
        box = (shape.cx - shape.rx, shape.cy - shape.ry, shape.cx + shape.rx, shape.cy + shape.ry)
    elif isinstance(shape, Path):
        # Control points enclose their curve: good enough, and many times faster than flattening.
        xs = [v for command in shape.commands for v in command[1::2]]
        ys = [v for command in shape.commands for v in command[2::2]]
        if not xs:
            return None
        box = (min(xs), min(ys), max(xs), max(ys))
    else:
        box = (shape.x, shape.y, shape.x + shape.width, shape.y + shape.height)
    return (box[0] - pad, box[1] - pad, box[2] + pad, box[3] + pad)


def enclosing(boxes: list[Corners]) -> Corners:
    """Return the smallest box around all of the boxes."""
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _overlap(box: Corners, clip: Rectangle) -> Corners | None:
    """Return what a clip rectangle (x, y, width, height) leaves of a box."""
    x, y, width, height = clip
    left, top = max(box[0], x), max(box[1], y)
    right, bottom = min(box[2], x + width), min(box[3], y + height)
    return (left, top, right, bottom) if left < right and top < bottom else None


def _text_box(text: Text) -> Corners:
    width = text_width(text.text, text.size, text.weight, text.family, text.italic)
    left = text.x - width * {"start": 0.0, "middle": 0.5, "end": 1.0}[text.anchor]
    box = (left, text.y - ASCENT * text.size, left + width, text.y + DESCENT * text.size)
    if not text.rotate:
        return box
    corners = [
        _turned(x, y, text.x, text.y, text.rotate) for x in (box[0], box[2]) for y in box[1::2]
    ]
    xs, ys = zip(*corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _turned(x: float, y: float, cx: float, cy: float, degrees: float) -> Point:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return cx + (x - cx) * cos - (y - cy) * sin, cy + (x - cx) * sin + (y - cy) * cos


# ------------------------------------------------------------------ the point


Entry = tuple[float, float, float, float, Shape]  # the box that a point must be in, and its shape

_remembered: OrderedDict[int, tuple[tuple[Shape, ...], tuple[Entry, ...]]] = OrderedDict()


def _entries(shapes: tuple[Shape, ...]) -> tuple[Entry, ...]:
    """Return the shapes that can be hit, topmost first.

    A scene puts the same tuples of shapes into many pictures, so they are known by identity. The
    tuple is kept with its entries, so that its identity is not given to another one.
    """
    known = _remembered.get(id(shapes))
    if known is not None:
        _remembered.move_to_end(id(shapes))
        return known[1]
    entries: list[Entry] = []
    for shape in reversed(shapes):
        if isinstance(shape, Group):
            entries.append((0.0, 0.0, 0.0, 0.0, shape))  # its shapes have boxes of their own
            continue
        box = bounds(shape) if shape.name else None
        if box is None:
            continue
        pad = shape.hit_width if isinstance(shape, Path) else 0.0
        entries.append((box[0] - pad, box[1] - pad, box[2] + pad, box[3] + pad, shape))
    result = tuple(entries)
    _remembered[id(shapes)] = (shapes, result)
    if len(_remembered) > REMEMBERED:
        _remembered.popitem(last=False)
    return result


def _hit(shapes: tuple[Shape, ...], x: float, y: float) -> str:
    for left, top, right, bottom, shape in _entries(shapes):
        if isinstance(shape, Group):
            if shape.opacity <= 0 or (shape.clip is not None and not _inside(shape.clip, x, y)):
                continue
            if found := _hit(shape.shapes, x - shape.dx, y - shape.dy):
                return found
        elif left <= x <= right and top <= y <= bottom and _meets(shape, x, y):
            return _cell(shape, x, y) if isinstance(shape, Cells) else shape.name
    return ""


def _inside(clip: Rectangle, x: float, y: float) -> bool:
    return clip[0] <= x <= clip[0] + clip[2] and clip[1] <= y <= clip[1] + clip[3]


def _meets(shape: Shape, x: float, y: float) -> bool:
    """Return whether a point in a shape's box is on the shape itself."""
    if isinstance(shape, Ellipse):
        line = shape.stroke_width / 2 if shape.stroke else 0.0
        rx, ry = shape.rx + line, shape.ry + line
        return rx > 0 and ry > 0 and ((x - shape.cx) / rx) ** 2 + ((y - shape.cy) / ry) ** 2 <= 1
    if isinstance(shape, Path):
        lines = _flattened(shape.commands)
        if shape.hit_width > 0 and any(_near(line, x, y, shape.hit_width) for line in lines):
            return True
        return shape.fill is not None and sum(_winding(line, x, y) for line in lines) != 0
    if isinstance(shape, Text) and shape.rotate:
        x, y = _turned(x, y, shape.x, shape.y, -shape.rotate)
        width = text_width(shape.text, shape.size, shape.weight, shape.family, shape.italic)
        left = shape.x - width * {"start": 0.0, "middle": 0.5, "end": 1.0}[shape.anchor]
        across = -ASCENT * shape.size <= y - shape.y <= DESCENT * shape.size
        return across and left <= x <= left + width
    return True


def _cell(cells: Cells, x: float, y: float) -> str:
    rows = len(cells.rows or cells.index)
    columns = len(cells.columns or (cells.index and cells.index[0]))
    if not rows or not columns:
        return cells.name
    row = min(int((y - cells.y) / cells.height * rows), rows - 1)
    column = min(int((x - cells.x) / cells.width * columns), columns - 1)
    if cells.rows:
        return f"{cells.name}[{cells.rows[row]},{cells.columns[column]}]"
    return f"{cells.name}[{cells.index[row][column]}]"


@lru_cache(maxsize=4096)
def _flattened(commands: tuple[Command, ...]) -> tuple[tuple[Point, ...], ...]:
    """Return a path as lines of straight pieces."""
    lines: list[list[Point]] = []
    for command in commands:
        if command[0] == "M":
            lines.append([(command[1], command[2])])
            continue
        line = lines[-1]
        x0, y0 = line[-1]
        if command[0] == "L":
            line.append((command[1], command[2]))
        elif command[0] == "Z":
            line.append(line[0])
            lines.append([line[0]])
        elif command[0] == "Q":
            _, x1, y1, x2, y2 = command
            for i in range(1, PIECES + 1):
                t = i / PIECES
                a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t * t
                line.append((a * x0 + b * x1 + c * x2, a * y0 + b * y1 + c * y2))
        else:
            _, x1, y1, x2, y2, x3, y3 = command
            for i in range(1, PIECES + 1):
                t = i / PIECES
                a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
                line.append((a * x0 + b * x1 + c * x2 + d * x3, a * y0 + b * y1 + c * y2 + d * y3))
    return tuple(tuple(line) for line in lines if len(line) > 1)


def _near(line: tuple[Point, ...], x: float, y: float, distance: float) -> bool:
    limit = distance * distance
    for (x1, y1), (x2, y2) in zip(line, line[1:], strict=False):
        ux, uy, vx, vy = x2 - x1, y2 - y1, x - x1, y - y1
        length = ux * ux + uy * uy
        t = min(max((ux * vx + uy * vy) / length, 0.0), 1.0) if length else 0.0
        dx, dy = vx - t * ux, vy - t * uy
        if dx * dx + dy * dy <= limit:
            return True
    return False


def _winding(line: tuple[Point, ...], x: float, y: float) -> int:
    """Return how often a line, closed, goes round a point (the fill rule of screen and SVG)."""
    turns = 0
    for (x1, y1), (x2, y2) in zip(line, (*line[1:], line[0]), strict=True):
        if (y1 <= y) == (y2 <= y):
            continue
        if x < x1 + (y - y1) / (y2 - y1) * (x2 - x1):
            turns += 1 if y2 > y1 else -1
    return turns


# ------------------------------------------------------------------ all elements


@lru_cache(maxsize=4)
def _named(same: Is[Picture]) -> tuple[Named, ...]:
    picture = same.what
    boxes: dict[str, Corners] = {}
    whole = (0.0, 0.0, picture.width, picture.height)
    _collect(picture.shapes, 0.0, 0.0, whole, boxes)
    titles = _titles(same)
    found = [
        (name, titles[name], (left, top, right - left, bottom - top))
        for name, (left, top, right, bottom) in boxes.items()
    ]
    found.sort(key=lambda element: (element[2][1] + element[2][3] / 2, element[2][0]))
    ordered: list[Named] = []
    row: list[Named] = []
    end = -math.inf  # a row takes in what has its middle above the lower edge of its first element
    for element in found:
        _, _, (_, y, _, height) = element
        if y + height / 2 > end:
            ordered += sorted(row, key=lambda entry: entry[2][0])
            row, end = [], y + height
        row.append(element)
    return (*ordered, *sorted(row, key=lambda entry: entry[2][0]))


def _collect(
    shapes: tuple[Shape, ...], dx: float, dy: float, clip: Corners, boxes: dict[str, Corners]
) -> None:
    """Note the box of every name within a clip rectangle, given like the boxes by its corners."""
    for shape in shapes:
        if isinstance(shape, Group):
            if shape.opacity <= 0:
                continue
            inner: Corners | None = clip
            if shape.clip is not None:
                x, y, width, height = shape.clip
                inner = _overlap(clip, (x + dx, y + dy, width, height))
            if inner is not None:
                _collect(shape.shapes, dx + shape.dx, dy + shape.dy, inner, boxes)
            continue
        box = bounds(shape) if shape.name else None
        if box is None:
            continue
        left, top = max(box[0] + dx, clip[0]), max(box[1] + dy, clip[1])
        right, bottom = min(box[2] + dx, clip[2]), min(box[3] + dy, clip[3])
        if left > right or top > bottom:
            continue
        if right - left < HAIR < box[2] - box[0] or bottom - top < HAIR < box[3] - box[1]:
            continue  # it only touches what is seen
        known = boxes.get(shape.name)
        if known is None:
            boxes[shape.name] = (left, top, right, bottom)
        elif left <= known[2] and known[0] <= right and top <= known[3] and known[1] <= bottom:
            boxes[shape.name] = enclosing([known, (left, top, right, bottom)])


@lru_cache(maxsize=4)
def _titles(same: Is[Picture]) -> dict[str, str]:
    titles: dict[str, str] = {}

    def collect(shapes: tuple[Shape, ...]) -> None:
        for shape in shapes:
            if isinstance(shape, Group):
                if shape.opacity > 0:
                    collect(shape.shapes)
            elif shape.name and not titles.get(shape.name):
                titles[shape.name] = shape.title

    collect(same.what.shapes)
    return titles

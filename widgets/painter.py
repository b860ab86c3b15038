"""Paints a picture with Qt: on the screen, into an image or into a PDF, from the same shapes.

On the screen what changes rarely is kept. A group with a ``slot`` is painted once into an image of
its own and then only laid over; a new one is filled within the time that a frame can spare, and
meanwhile the slot's last finished image stands in for it. Once settled, the pixels are the same as
without any of this.
"""

from __future__ import annotations

import math
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache, wraps
from time import perf_counter, thread_time
from typing import TypeVar

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFont,
    QGlyphRun,
    QImage,
    QPaintEngine,
    QPainter,
    QPainterPath,
    QPen,
    QRawFont,
    QTextLayout,
    QTransform,
)

from widgets import hit
from widgets.fonts import register_fonts
from widgets.picture import Cells, Ellipse, Group, Path, Picture, Rect, Shape, Text

R = TypeVar("R")

FAMILIES = {"sans": "Inter", "display": "Inter Display", "mono": "JetBrains Mono"}
FALLBACKS = ("Inter", "Unrolled Math")
SHAPING_SIZE = 200  # px; text is laid out at this size and scaled, so 14.5 px is just that
LARGEST_GLYPHS = 60  # device px; larger letters are painted as outlines
MANY_CELLS = 400  # from here on a matrix on the screen is one image
VECTOR_LAYER_SCALE = 4.0  # of a half-faded group in a PDF, which has no such groups
KEPT = 1024  # colours, pens and lines of text: what a few pictures have
MARGIN = 3  # device px round a kept image, for what antialiasing and slanted letters add

# Paths with a round cap have round joins; SVG says the same.
CAPS = {"butt": Qt.PenCapStyle.FlatCap, "round": Qt.PenCapStyle.RoundCap}


# What a frame may take is its own work: when another program takes the core meanwhile, that would
# only make more frames. Windows counts a thread's time by 16 ms.
_clock = perf_counter if sys.platform == "win32" else thread_time


class Painter:
    """Paints pictures, and keeps images of the groups that ask for it.

    Parameters
    ----------
    cache_bytes
        How much all kept images may take; what the last picture shows is kept in any case.
    """

    def __init__(self, cache_bytes: int = 24 * 2**20) -> None:
        self._cache_bytes = cache_bytes
        self._finished: OrderedDict[tuple[object, ...], _Raster] = OrderedDict()
        self._last: dict[str, _Raster] = {}  # by slot
        self._filling: dict[str, _Raster] = {}  # by slot
        self._scale = 0.0  # device px for one px of the last picture
        self._shown: Picture | None = None

    def clear(self) -> None:
        """Forget all images: for another theme, whose last image would look wrong meanwhile."""
        self._finished.clear()
        self._last.clear()
        self._filling.clear()

    def paint(
        self,
        picture: Picture,
        painter: QPainter,
        scale: float = 1.0,
        budget_seconds: float | None = None,
    ) -> bool:
        """Paint a picture with its top left corner at the painter's origin.

        Parameters
        ----------
        scale
            px of the painter for one px of the picture.
        budget_seconds
            How long kept images may be filled in this call; None: until they are finished.

        Returns
        -------
        bool
            Whether the picture is settled: everything is shown as it is, and what is about to fade
            in is ready. If not, paint again.
        """
        if painter.paintEngine().type() != QPaintEngine.Type.Raster:
            paint_once(picture, painter, scale)
            return True
        register_fonts()
        _prepare(painter)
        target = _target(painter, scale)
        self._scale = target.scale
        painter.save()
        painter.setWorldTransform(target.transform())
        _background(picture, painter)
        try:
            self._fill(picture, budget_seconds)
            settled = self._lay(picture.shapes, painter, target)
        except MemoryError:
            self.clear()  # what can be given back at once
            _background(picture, painter)
            _draw(picture.shapes, painter, target)
            settled = True
        painter.restore()
        self._shown = picture
        self._trim()
        return settled

    def prepare(self, picture: Picture, budget_seconds: float) -> bool:
        """Fill images of a picture that is to come, as large as the last; return whether all are.

        What is shown meanwhile stays as it is.
        """
        last = dict(self._last)
        try:
            self._fill(picture, budget_seconds)
        except MemoryError:
            self.clear()
            return True
        self._last = last
        ready = all(key in self._finished for key in self._keys(picture))
        self._trim()
        return ready

    def _fill(self, picture: Picture, budget: float | None) -> None:
        """Go on filling the images of a picture: first those that are seen, until time is up."""
        scale = self._scale
        slots = [shape for shape in picture.shapes if isinstance(shape, Group) and shape.slot]
        end = math.inf if budget is None else _clock() + budget
        for seen in (True, False):
            for group in slots:
                if (group.opacity > 0) != seen or (budget is None and not seen):
                    continue
                key = (group.slot, group.cache_key, scale)
                raster = self._finished.get(key)
                if raster is None:
                    raster = self._filling.get(group.slot)
                    if _clock() >= end and group.slot in self._last:
                        continue
                    if raster is None or raster.key != key:
                        raster = _Raster(group, scale, key)
                    if not raster.fill(end):
                        self._filling[group.slot] = raster
                        continue
                    self._filling.pop(group.slot, None)
                    self._finished[key] = raster
                self._finished.move_to_end(key)
                self._last[group.slot] = raster

    def _lay(self, shapes: tuple[Shape, ...], painter: QPainter, target: _Target) -> bool:
        """Paint the shapes, and over them the image of each group that has one."""
        settled = True
        for shape in shapes:
            if not (isinstance(shape, Group) and shape.slot):
                _draw((shape,), painter, target)
                continue
            raster = self._finished.get((shape.slot, shape.cache_key, target.scale))
            if raster is None:
                settled = False
                raster = self._last.get(shape.slot) or self._filling.get(shape.slot)
            if raster is not None and shape.opacity > 0:
                _lay_over(raster, shape, painter, target)
        return settled

    def _keys(self, picture: Picture) -> set[tuple[object, ...]]:
        """Return the keys of a picture's images."""
        slots = (shape for shape in picture.shapes if isinstance(shape, Group) and shape.slot)
        return {(group.slot, group.cache_key, self._scale) for group in slots}

    def _trim(self) -> None:
        """Forget the images that were used longest ago, until the rest fits."""
        total = sum(raster.size for raster in self._finished.values())
        if total <= self._cache_bytes:
            return
        shown = set() if self._shown is None else self._keys(self._shown)
        for key in list(self._finished):
            if total <= self._cache_bytes:
                return
            if key not in shown:
                total -= self._finished.pop(key).size


class _Target:
    """What is painted on: its scale, where its device px lie, and whether it has any."""

    def __init__(
        self, scale: float, *, device: QTransform | None = None, vector: bool = False
    ) -> None:
        self.scale = scale
        self.device = device or QTransform()
        self.vector = vector

    def transform(self) -> QTransform:
        """Return the transform from the picture to the painter."""
        return QTransform.fromScale(self.scale, self.scale) * self.device


def _target(painter: QPainter, scale: float) -> _Target:
    """Return what a painter paints on. Vector output has real numbers, a screen has device px."""
    if painter.paintEngine().type() != QPaintEngine.Type.Raster:
        return _Target(scale, device=painter.worldTransform(), vector=True)
    # Images are laid on whole device px, so the picture's corner has to be on one.
    world, ratio = painter.worldTransform(), painter.device().devicePixelRatioF()
    left, top = round(world.dx() * ratio), round(world.dy() * ratio)
    device = QTransform(1 / ratio, 0, 0, 1 / ratio, left / ratio, top / ratio)
    return _Target(scale * world.m11() * ratio, device=device)


def paint_once(picture: Picture, painter: QPainter, scale: float = 1.0) -> None:
    """Paint a picture with its top left corner at the painter's origin, and keep nothing."""
    register_fonts()
    _prepare(painter)
    target = _target(painter, scale)
    painter.save()
    painter.setWorldTransform(target.transform())
    _background(picture, painter)
    _draw(picture.shapes, painter, target)
    painter.restore()


class _Raster:
    """The image of a group's shapes, without its opacity, clip and offset."""

    def __init__(self, group: Group, scale: float, key: tuple[object, ...] = ()) -> None:
        self.key = key
        self.scale = scale
        self.left = self.top = 0
        self.image: QImage | None = None
        self.size = 0  # bytes of the image
        self._shapes = group.shapes
        self._next = 0
        boxes = [box for shape in group.shapes if (box := hit.bounds(shape)) is not None]
        if boxes:
            left, top, right, bottom = hit.enclosing(boxes)
            self.left = math.floor(left * scale) - MARGIN
            self.top = math.floor(top * scale) - MARGIN
            width = math.ceil(right * scale) + MARGIN - self.left
            height = math.ceil(bottom * scale) + MARGIN - self.top
            self.image = QImage(width, height, QImage.Format.Format_ARGB32_Premultiplied)
            if self.image.isNull():
                raise MemoryError(f"no image of {width} × {height} px")
            self.image.fill(0)
            self.size = self.image.sizeInBytes()

    def fill(self, end: float) -> bool:
        """Paint shapes until a time of the clock; return whether none is left."""
        if self.image is None:
            return True
        if _clock() >= end:
            return False
        painter = QPainter(self.image)
        _prepare(painter)
        target = _Target(self.scale, device=QTransform.fromTranslate(-self.left, -self.top))
        painter.setWorldTransform(target.transform())
        while self._next < len(self._shapes):
            _draw((self._shapes[self._next],), painter, target)
            self._next += 1
            if _clock() >= end:
                break
        painter.end()
        if self._next < len(self._shapes):
            return False
        self._shapes, self._next = (), 0  # the image is all that is needed of them
        return True


def _lay_over(raster: _Raster, group: Group, painter: QPainter, target: _Target) -> None:
    if raster.image is None:
        return
    scale = target.scale
    painter.save()
    if group.clip is not None:
        painter.setClipRect(QRectF(*group.clip), Qt.ClipOperation.IntersectClip)
    painter.setOpacity(painter.opacity() * group.opacity)
    ratio = scale / raster.scale  # 1, but for the moment after the window's size has changed
    moved = QTransform.fromTranslate(round(group.dx * scale), round(group.dy * scale))
    painter.setWorldTransform(QTransform.fromScale(ratio, ratio) * moved * target.device)
    painter.drawImage(QPointF(raster.left, raster.top), raster.image)
    painter.restore()


def _prepare(painter: QPainter) -> None:
    painter.setRenderHints(
        QPainter.RenderHint.Antialiasing
        | QPainter.RenderHint.TextAntialiasing
        | QPainter.RenderHint.LosslessImageRendering
    )


def _background(picture: Picture, painter: QPainter) -> None:
    painter.fillRect(QRectF(0, 0, picture.width, picture.height), _colour(picture.background, 1.0))


# ------------------------------------------------------------------ shapes


def _draw(shapes: tuple[Shape, ...], painter: QPainter, target: _Target) -> None:
    for shape in shapes:
        if isinstance(shape, Group):
            _draw_group(shape, painter, target)
        elif shape.opacity > 0:
            _DRAW[type(shape)](shape, painter, target)


def _draw_group(group: Group, painter: QPainter, target: _Target) -> None:
    if group.opacity <= 0 or not group.shapes:
        return
    if group.opacity < 1:
        # Where its shapes overlap, a faded group does not shine through itself.
        scale = target.scale if not target.vector else VECTOR_LAYER_SCALE
        raster = _Raster(group, scale)
        raster.fill(math.inf)
        if not target.vector:
            _lay_over(raster, group, painter, target)
            return
    painter.save()
    if group.clip is not None:
        painter.setClipRect(QRectF(*group.clip), Qt.ClipOperation.IntersectClip)
    if target.vector:
        painter.translate(group.dx, group.dy)
    else:
        dx, dy = round(group.dx * target.scale), round(group.dy * target.scale)
        painter.translate(dx / target.scale, dy / target.scale)
    if group.opacity < 1:
        painter.setOpacity(painter.opacity() * group.opacity)
        painter.scale(1 / raster.scale, 1 / raster.scale)
        if raster.image is not None:
            painter.drawImage(QPointF(raster.left, raster.top), raster.image)
    else:
        _draw(group.shapes, painter, target)
    painter.restore()


def _draw_rect(rect: Rect, painter: QPainter, target: _Target) -> None:
    box = QRectF(rect.x, rect.y, rect.width, rect.height)
    if rect.radius <= 0 and not rect.stroke:
        if rect.fill:
            painter.fillRect(box, _colour(rect.fill, rect.opacity))
        return
    _ink(rect, painter)
    if rect.radius > 0:
        painter.drawRoundedRect(box, rect.radius, rect.radius)
    else:
        painter.drawRect(box)


def _draw_ellipse(ellipse: Ellipse, painter: QPainter, target: _Target) -> None:
    _ink(ellipse, painter)
    painter.drawEllipse(QPointF(ellipse.cx, ellipse.cy), ellipse.rx, ellipse.ry)


def _draw_path(path: Path, painter: QPainter, target: _Target) -> None:
    _ink(path, painter)
    commands = path.commands
    if len(commands) == 2 and commands[0][0] == "M" and commands[1][0] == "L":
        painter.drawLine(QPointF(*commands[0][1:]), QPointF(*commands[1][1:]))
        return
    painter.drawPath(outline(path))


def outline(path: Path) -> QPainterPath:
    """Return a path as Qt's, filled by the rule of SVG."""
    result = QPainterPath()
    result.setFillRule(Qt.FillRule.WindingFill)
    for command in path.commands:
        if command[0] == "M":
            result.moveTo(command[1], command[2])
        elif command[0] == "L":
            result.lineTo(command[1], command[2])
        elif command[0] == "Q":
            result.quadTo(*command[1:])
        elif command[0] == "C":
            result.cubicTo(*command[1:])
        else:
            result.closeSubpath()
    return result


def _draw_cells(cells: Cells, painter: QPainter, target: _Target) -> None:
    rows = len(cells.colours)
    columns = len(cells.colours[0]) if rows else 0
    if not columns:
        return
    if not target.vector and rows * columns >= MANY_CELLS:
        _draw_matrix(cells, painter)
        return
    # Cells that touch share an edge: on the screen on a device px, and in vector output each
    # reaches under the next ones, else the background shows between them as a hairline.
    snap = target.scale if not target.vector and cells.gap <= 0 else 0.0
    under = 0.4 if target.vector and cells.gap <= 0 and cells.opacity >= 1 else 0.0
    half = cells.gap / 2

    def edges(start: float, length: float, count: int) -> list[float]:
        places = [start + length * i / count for i in range(count + 1)]
        return [round(place * snap) / snap for place in places] if snap else places

    xs, ys = edges(cells.x, cells.width, columns), edges(cells.y, cells.height, rows)
    # Antialiasing would take a rounding error for an edge between two px.
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, not snap)
    for r, row in enumerate(cells.colours):
        top, bottom = ys[r] + half, ys[r + 1] - half + (under if r + 1 < rows else 0.0)
        for c, colour in enumerate(row):
            left, right = xs[c] + half, xs[c + 1] - half + (under if c + 1 < columns else 0.0)
            painter.fillRect(
                QRectF(left, top, right - left, bottom - top), _colour(colour, cells.opacity)
            )
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)


def _draw_matrix(cells: Cells, painter: QPainter) -> None:
    opacity = painter.opacity()
    painter.setOpacity(opacity * cells.opacity)
    box = QRectF(cells.x, cells.y, cells.width, cells.height)
    painter.drawImage(box, _matrix(cells.colours))
    painter.setOpacity(opacity)


@lru_cache(maxsize=32)
def _matrix(colours: tuple[tuple[str, ...], ...]) -> QImage:
    """Return a matrix as an image with one px a cell."""
    rows, columns = len(colours), len(colours[0])
    data = bytes.fromhex("".join(map("".join, colours)).replace("#", ""))
    # As the raster engine has it inside; the copy keeps the bytes alive.
    rgb = QImage(data, columns, rows, columns * 3, QImage.Format.Format_RGB888)
    return rgb.convertToFormat(QImage.Format.Format_RGB32)


def _draw_text(text: Text, painter: QPainter, target: _Target) -> None:
    if not target.vector and text.size * target.scale > LARGEST_GLYPHS:
        # WORKAROUND: Qt 6.11 paints nothing of a QRawFont's letters above 64 device px, as it takes
        # them from a cache that holds none so large (https://github.com/slint-ui/slint/pull/10633).
        # Can go when test_large_letters_are_painted passes without it.
        painter.fillPath(text_outline(text), _brush(text.fill, text.opacity))
        return
    width, runs = _runs(text.text, text.size, text.weight, text.family, text.italic, target.vector)
    painter.setPen(_colour(text.fill, text.opacity))
    left = -width * {"start": 0.0, "middle": 0.5, "end": 1.0}[text.anchor]
    if text.rotate:
        painter.save()
        painter.translate(text.x, text.y)
        painter.rotate(text.rotate)
        for run in runs:
            painter.drawGlyphRun(QPointF(left, 0.0), run)
        painter.restore()
        return
    for run in runs:
        painter.drawGlyphRun(QPointF(text.x + left, text.y), run)


_DRAW: dict[type, Callable[..., None]] = {
    Rect: _draw_rect,
    Ellipse: _draw_ellipse,
    Path: _draw_path,
    Cells: _draw_cells,
    Text: _draw_text,
}


# ------------------------------------------------------------------ pens and colours


@lru_cache(maxsize=KEPT)
def _colour(colour: str, opacity: float) -> QColor:
    result = QColor(colour)
    result.setAlphaF(opacity)  # not the painter's opacity: PDF and SVG have that for groups only
    return result


@lru_cache(maxsize=KEPT)
def _brush(colour: str, opacity: float) -> QBrush:
    return QBrush(_colour(colour, opacity))


@lru_cache(maxsize=KEPT)
def _pen(
    colour: str, opacity: float, width: float, dash: tuple[float, ...], cap: str, corner: bool
) -> QPen:
    pen = QPen(_colour(colour, opacity), width)
    if dash and width > 0:
        # An odd pattern is repeated, as SVG does; Qt counts in widths of the line.
        pen.setDashPattern([part / width for part in (dash if len(dash) % 2 == 0 else dash * 2)])
    pen.setCapStyle(CAPS[cap])
    pen.setJoinStyle(Qt.PenJoinStyle.SvgMiterJoin if corner else Qt.PenJoinStyle.RoundJoin)
    pen.setMiterLimit(4.0)  # as in SVG
    return pen


def _ink(shape: Rect | Ellipse | Path, painter: QPainter) -> None:
    if shape.stroke and shape.stroke_width > 0:
        cap = shape.cap if isinstance(shape, Path) else "butt"
        corner = isinstance(shape, Rect)
        painter.setPen(
            _pen(shape.stroke, shape.opacity, shape.stroke_width, shape.dash, cap, corner)
        )
    else:
        painter.setPen(Qt.PenStyle.NoPen)
    if shape.fill:
        painter.setBrush(_brush(shape.fill, shape.opacity))
    else:
        painter.setBrush(Qt.BrushStyle.NoBrush)


# ------------------------------------------------------------------ text


def _per_thread(function: Callable[..., R]) -> Callable[..., R]:
    """Keep results as ``lru_cache`` does, in each thread its own: Qt shares no glyphs of a font."""
    kept = threading.local()

    @wraps(function)
    def call(*given: object) -> R:
        cached = getattr(kept, "function", None)
        if cached is None:
            cached = kept.function = lru_cache(maxsize=KEPT)(function)
        result: R = cached(*given)
        return result

    return call


@_per_thread
def font(weight: int, family: str, italic: bool, plain: bool = False) -> QFont:
    """Return a shipped font at ``SHAPING_SIZE``, the same on every machine.

    Hinting and sub-pixel colours would make it differ by the machine's settings. A plain one has
    for each character the glyph that the font's character map names.
    """
    result = QFont([FAMILIES[family], *(name for name in FALLBACKS if name != FAMILIES[family])])
    result.setPixelSize(SHAPING_SIZE)
    result.setWeight(QFont.Weight(weight))
    result.setItalic(italic)
    result.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    result.setStyleStrategy(
        QFont.StyleStrategy.PreferAntialias | QFont.StyleStrategy.NoSubpixelAntialias
    )
    if plain:
        for feature in ("calt", "ccmp", "clig", "liga", "tnum"):
            result.setFeature(QFont.Tag(feature), 0)
    elif family == "mono":
        result.setFeature(QFont.Tag("calt"), 0)  # "->" stays two characters
    else:
        result.setFeature(QFont.Tag("tnum"), 1)
    return result


@_per_thread
def _layout(
    text: str, weight: int, family: str, italic: bool, plain: bool = False
) -> tuple[float, tuple[QGlyphRun, ...]]:
    """Return a line's width and glyphs at ``SHAPING_SIZE``, with its baseline at 0."""
    layout = QTextLayout(text, font(weight, family, italic, plain))
    layout.beginLayout()
    line = layout.createLine()
    layout.endLayout()
    if not line.isValid():
        return 0.0, ()
    line.setPosition(QPointF(0.0, -line.ascent()))
    return line.horizontalAdvance(), tuple(line.glyphRuns())


def _searchable(
    text: str, weight: int, family: str, italic: bool
) -> tuple[float, tuple[QGlyphRun, ...]]:
    """Return a line as ``_layout`` does, in glyphs that a PDF can be searched by.

    Qt tells the characters of a PDF from the font's character map, where tabular figures and
    other alternates are not: numbers and spaces would be lost to whoever searches or copies. So
    the plain glyphs stand in the middle of the places of those.
    """
    width, shown = _layout(text, weight, family, italic)
    _, plain = _layout(text, weight, family, italic, True)
    if [len(run.glyphIndexes()) for run in shown] != [len(run.glyphIndexes()) for run in plain]:
        return width, shown
    runs = []
    for run, simple in zip(shown, plain, strict=True):
        raw, glyphs = run.rawFont(), simple.glyphIndexes()
        rooms = raw.advancesForGlyphIndexes(run.glyphIndexes())
        needs = raw.advancesForGlyphIndexes(glyphs)
        moved = QGlyphRun()
        moved.setRawFont(raw)
        moved.setGlyphIndexes(glyphs)
        moved.setPositions(
            [
                place + (room - need) / 2
                for place, room, need in zip(run.positions(), rooms, needs, strict=True)
            ]
        )
        runs.append(moved)
    return width, tuple(runs)


@_per_thread
def _sized(size: float) -> dict[tuple[str, int, QFont.Style], QRawFont]:
    """Return the fonts of a size so far. Lines that share one share the images of its letters."""
    return {}


@_per_thread
def _runs(
    text: str, size: float, weight: int, family: str, italic: bool, vector: bool
) -> tuple[float, tuple[QGlyphRun, ...]]:
    """Return a line's width and glyphs at any size, of which ``QFont`` knows whole px only."""
    width, large = (_searchable if vector else _layout)(text, weight, family, italic)
    factor = size / SHAPING_SIZE
    runs = []
    sized = _sized(size)
    for run in large:
        large_font = run.rawFont()
        key = (large_font.familyName(), large_font.weight(), large_font.style())
        if key not in sized:
            sized[key] = QRawFont(large_font)
            sized[key].setPixelSize(large_font.pixelSize() * factor)
        small = QGlyphRun()
        small.setRawFont(sized[key])
        small.setGlyphIndexes(run.glyphIndexes())
        small.setPositions([place * factor for place in run.positions()])
        runs.append(small)
    return width * factor, tuple(runs)


@_per_thread
def text_outline(text: Text) -> QPainterPath:
    """Return a text as the outline of its letters, where it stands."""
    register_fonts()
    width, runs = _layout(text.text, text.weight, text.family, text.italic)
    letters = QPainterPath()
    letters.setFillRule(Qt.FillRule.WindingFill)
    for run in runs:
        raw = run.rawFont()
        for glyph, place in zip(run.glyphIndexes(), run.positions(), strict=True):
            letters.addPath(raw.pathForGlyph(glyph).translated(place))
    factor = text.size / SHAPING_SIZE
    left = -width * {"start": 0.0, "middle": 0.5, "end": 1.0}[text.anchor]
    placed = QTransform()
    placed.translate(text.x, text.y)
    placed.rotate(text.rotate)
    placed.scale(factor, factor)
    placed.translate(left, 0.0)
    return placed.map(letters)

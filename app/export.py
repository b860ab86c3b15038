"""Saves a picture as SVG, PNG or PDF: checked first, written beside, verified, then renamed.

No display is needed. A file that was there stays whole until the new one has been re-opened and
found to be as large as it should be.
"""

from __future__ import annotations

import math
import os
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from app import MOST_SIDE
from engine.said import Said
from widgets import picture as shapes
from widgets.picture import Picture
from widgets.svg import svg

if TYPE_CHECKING:
    from PySide6.QtGui import QImage, QPainter, QPainterPath

MOST_PIXELS = 100_000_000  # of a PNG
DOTS_PER_INCH = 96.0  # a px of CSS, SVG and this application
POINTS_PER_PX = 72.0 / DOTS_PER_INCH  # PDF counts in points

Words = Literal["text", "paths"]
Size = tuple[int, int]


class ExportError(Said):
    """A picture cannot be saved; one sentence says what, why and what to do."""


def check(path: Path) -> None:
    """Raise ExportError when nothing can be saved under this name."""
    endings = f"{', '.join(list(FORMATS)[:-1])} or {list(FORMATS)[-1]}"
    if path.suffix.lower() not in FORMATS:
        said = f"ends in {path.suffix!r}" if path.suffix else "has no ending"
        raise ExportError(f"{path.name!r} {said}; give a name that ends in {endings}.")
    folder = path.parent
    if not folder.is_dir():
        raise ExportError(f"There is no folder {str(folder)!r} to save in; make it first.")
    if path.is_dir():
        raise ExportError(f"{str(path)!r} is a folder; give the name of a file.")
    if not os.access(folder, os.W_OK):
        raise ExportError(f"The folder {str(folder)!r} cannot be written to; choose another one.")


def write(
    picture: Picture,
    path: Path,
    *,
    width: int | None = None,
    height: int | None = None,
    scale: float = 1.0,
    text: Words = "text",
) -> None:
    """Save a picture in the format that the file's ending names.

    Parameters
    ----------
    width, height
        Size in px at scale 1; the picture's own without them.
    scale
        How many px of the file one of these is; a PNG keeps its size on paper.
    text
        Whether an SVG holds letters, or their outlines for programs without the fonts.

    Raises
    ------
    ExportError
        If the size is refused, or the file cannot be written or does not come out as it should.
    """
    check(path)
    _check_numbers(picture)
    size = _size(picture, width, height, scale, pixels=path.suffix.lower() == ".png")
    write_format, _ = FORMATS[path.suffix.lower()]
    _replace(path, size, lambda part: write_format(picture, part, size, scale, text))


def write_image(image: QImage, path: Path) -> None:
    """Save an image that is painted already, as a PNG, in the same way.

    Raises
    ------
    ExportError
        If the name has another ending, or the file cannot be written or does not come out right.
    """
    check(path)
    if path.suffix.lower() != ".png":
        raise ExportError(f"{path.name!r} is no PNG; the window is saved as .png.")

    def save(part: Path) -> None:
        if not image.save(str(part), "PNG"):  # type: ignore[call-overload]
            raise OSError("the image was refused")

    _replace(path, (image.width(), image.height()), save)


def _replace(path: Path, size: Size, save: Callable[[Path], None]) -> None:
    """Let a file be written beside its place, verify its size, and put it there."""
    part = path.with_name(f".unrolled-{os.getpid()}{path.suffix.lower()}")
    _, read_size = FORMATS[path.suffix.lower()]
    try:
        save(part)
        found = read_size(part)
        if max(abs(a - b) for a, b in zip(found, size, strict=True)) > _slack(path):
            raise ExportError(
                f"{path.name!r} came out as {found[0]} × {found[1]} px instead of "
                f"{size[0]} × {size[1]} and was not kept; please report this."
            )
        os.replace(part, path)
    except OSError as error:
        why = error.strerror or "the system refused"
        raise ExportError(f"{str(path)!r} could not be written: {why}.") from error
    finally:
        part.unlink(missing_ok=True)


def image(
    picture: Picture, size: tuple[int | None, int | None] = (None, None), scale: float = 1.0
) -> QImage:
    """Return a picture as an image, for the clipboard.

    ``size`` is in px at scale 1; the picture's own without one.
    """
    _check_numbers(picture)
    return _image(picture, _size(picture, *size, scale, pixels=True), scale)


def smallest_text(picture: Picture, width: int, height: int) -> float:
    """Return the size in px of the smallest text of a picture in a file of a size; ∞ without any.

    Text that is not seen does not count.
    """

    def sizes(within: tuple[shapes.Shape, ...]) -> Iterator[float]:
        for shape in within:
            if isinstance(shape, shapes.Group):
                if shape.opacity > 0:
                    yield from sizes(shape.shapes)
            elif isinstance(shape, shapes.Text) and shape.text.strip() and shape.opacity > 0:
                yield shape.size

    scale = min(width / picture.width, height / picture.height)
    return scale * min(sizes(picture.shapes), default=math.inf)


def outlined(picture: Picture) -> Picture:
    """Return a picture with the outlines of its letters instead of text."""
    _application()
    from widgets.painter import text_outline

    def outline(shape: shapes.Shape) -> shapes.Shape:
        if isinstance(shape, shapes.Group):
            return replace(shape, shapes=tuple(outline(inner) for inner in shape.shapes))
        if not isinstance(shape, shapes.Text):
            return shape
        return shapes.Path(
            commands=_commands(text_outline(shape)),
            fill=shape.fill,
            opacity=shape.opacity,
            name=shape.name,
            title=shape.title or shape.text,
        )

    return replace(picture, shapes=tuple(outline(shape) for shape in picture.shapes))


def _check_numbers(value: object) -> None:
    """Raise ExportError when a picture holds a number that is none: Qt would leave its shape out.

    It walks down from the picture through its shapes to their numbers.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise ExportError(f"A picture with the number {value} cannot be saved; please report this.")
    if isinstance(value, tuple):
        for part in value:
            _check_numbers(part)
    elif isinstance(value, (Picture, *get_args(shapes.Shape))):
        for name, part in vars(value).items():
            if name not in ("cache_key", "colours", "index"):  # hold no coordinate
                _check_numbers(part)


def _size(
    picture: Picture, width: int | None, height: int | None, scale: float, *, pixels: bool
) -> Size:
    """Return the size of the file in px, before anything of that size is made."""
    if not math.isfinite(scale) or scale <= 0:
        raise ExportError(f"The scale {scale:g} is not a positive number; give one such as 2.")
    wide = picture.width if width is None else width
    high = picture.height if height is None else height
    sides = (wide * scale, high * scale)
    said = f"{sides[0]:g} × {sides[1]:g} px"
    if not all(math.isfinite(side) and 0.5 < side < MOST_SIDE + 0.5 for side in sides):
        raise ExportError(f"A size of {said} is refused; each side must be 1 to {MOST_SIDE} px.")
    if pixels and sides[0] * sides[1] > MOST_PIXELS:
        raise ExportError(
            f"A size of {said} is refused because it has over {MOST_PIXELS // 10**6} million "
            "pixels; take a smaller one, or .svg or .pdf."
        )
    return round(sides[0]), round(sides[1])


def _slack(path: Path) -> int:
    """Return by how many px a file may differ: a page of Qt's PDF is whole points."""
    return 1 if path.suffix.lower() == ".pdf" else 0


# ------------------------------------------------------------------ formats


_held: list[object] = []


def _application() -> None:
    """Make Qt ready to draw where no window has done so, display or none."""
    from PySide6.QtGui import QGuiApplication

    if QGuiApplication.instance() is None:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
        _held.append(QGuiApplication([]))  # Qt ends with its last reference


def _paint(picture: Picture, painter: QPainter, size: Size) -> None:
    """Paint a picture into the middle of a page, as large as it fits."""
    from PySide6.QtCore import QRectF
    from PySide6.QtGui import QColor

    from widgets.painter import paint_once

    scale = min(size[0] / picture.width, size[1] / picture.height)
    painter.fillRect(QRectF(-1, -1, size[0] + 3, size[1] + 3), QColor(picture.background))
    painter.translate((size[0] - picture.width * scale) / 2, (size[1] - picture.height * scale) / 2)
    paint_once(picture, painter, scale)


def _image(picture: Picture, size: Size, scale: float) -> QImage:
    _application()
    from PySide6.QtGui import QImage, QPainter

    result = QImage(*size, QImage.Format.Format_RGB32)
    if result.isNull():
        raise ExportError(
            f"There is not enough memory for {size[0]} × {size[1]} px; take a smaller size."
        )
    dots_per_metre = round(DOTS_PER_INCH * scale / 0.0254)
    painter = QPainter(result)
    try:
        _paint(picture, painter, size)
    finally:
        painter.end()  # Qt would crash at the end of an image that is still painted on
    result.setDotsPerMeterX(dots_per_metre)
    result.setDotsPerMeterY(dots_per_metre)
    return result


def _write_png(picture: Picture, path: Path, size: Size, scale: float, text: Words) -> None:
    from PySide6.QtGui import QImageWriter

    made = _image(picture, size, scale)
    if picture.title:
        made.setText("Title", picture.title)
    writer = QImageWriter(str(path), b"png")
    if not writer.write(made):
        raise ExportError(f"The PNG could not be written: {writer.errorString()}.")


def _read_png(path: Path) -> Size:
    from PySide6.QtGui import QImageReader

    # All of it is read: a header says nothing of a file that was cut off by a full disk. It was
    # written here, so that Qt need not fear its size.
    limit = QImageReader.allocationLimit()
    QImageReader.setAllocationLimit(0)
    try:
        made = QImageReader(str(path)).read()
    finally:
        QImageReader.setAllocationLimit(limit)
    return made.width(), made.height()


def _write_svg(picture: Picture, path: Path, size: Size, scale: float, text: Words) -> None:
    try:
        written = svg(
            outlined(picture) if text == "paths" else picture, width=size[0], height=size[1]
        )
    except ValueError as error:
        raise ExportError(str(error)) from error
    path.write_text(written, encoding="utf-8", newline="\n")


def _read_svg(path: Path) -> Size:
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError:
        return 0, 0
    return round(float(root.get("width", 0))), round(float(root.get("height", 0)))


def _write_pdf(picture: Picture, path: Path, size: Size, scale: float, text: Words) -> None:
    _application()
    from PySide6.QtCore import QMarginsF, QSizeF
    from PySide6.QtGui import QPageSize, QPainter, QPdfWriter

    writer = QPdfWriter(str(path))
    writer.setResolution(round(DOTS_PER_INCH))
    points = QSizeF(*(math.ceil(side * POINTS_PER_PX) for side in size))
    page = QPageSize(points, QPageSize.Unit.Point, "", QPageSize.SizeMatchPolicy.ExactMatch)
    writer.setPageSize(page)
    writer.setPageMargins(QMarginsF(0, 0, 0, 0))
    writer.setTitle(picture.title)
    writer.setCreator("Unrolled")
    painter = QPainter()
    if not painter.begin(writer):
        raise ExportError("The PDF could not be written: its file could not be opened.")
    try:
        _paint(picture, painter, size)
    except BaseException:
        painter.end()  # Qt would crash at the end of a file that is still painted on
        raise
    if not painter.end():
        raise ExportError("The PDF could not be written to its end; is the disk full?")


def _read_pdf(path: Path) -> Size:
    data = path.read_bytes()
    box = re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", data)
    if box is None or not data.rstrip().endswith(b"%%EOF"):
        return 0, 0
    return round(float(box[1]) / POINTS_PER_PX), round(float(box[2]) / POINTS_PER_PX)


def _commands(outline: QPainterPath) -> tuple[shapes.Command, ...]:
    """Return the commands of one of Qt's paths."""
    from PySide6.QtGui import QPainterPath

    kinds = QPainterPath.ElementType
    commands: list[shapes.Command] = []
    at = 0
    while at < outline.elementCount():
        element = outline.elementAt(at)
        if element.type == kinds.CurveToElement:
            # One curve is three elements: two control points and its end.
            first, second = outline.elementAt(at + 1), outline.elementAt(at + 2)
            commands.append(("C", element.x, element.y, first.x, first.y, second.x, second.y))
            at += 3
            continue
        moves = element.type == kinds.MoveToElement
        commands.append(("M" if moves else "L", element.x, element.y))
        at += 1
    return tuple(commands)


FORMATS: dict[
    str, tuple[Callable[[Picture, Path, Size, float, Words], None], Callable[[Path], Size]]
] = {
    ".svg": (_write_svg, _read_svg),
    ".png": (_write_png, _read_png),
    ".pdf": (_write_pdf, _read_pdf),
}

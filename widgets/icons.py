"""Icons as paths, drawn in the colour they are asked for."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPainterPath, QPen, QPixmap

# On a field of 24 × 24: what is filled, and what is drawn as a line of 2.
_FILLED = {
    "play": "M7 4 L20 12 L7 20 Z",
    "pause": "M6 4 H10 V20 H6 Z M14 4 H18 V20 H14 Z",
    "first": "M5 5 H7 V19 H5 Z M19 5 V19 L9 12 Z",
    "last": "M17 5 H19 V19 H17 Z M5 5 V19 L15 12 Z",
    "back": "M15 5 V19 L5 12 Z M17 5 H19 V19 H17 Z",
    "step": "M9 5 V19 L19 12 Z M5 5 H7 V19 H5 Z",
}
_LINES = {
    "claims": "M10 6 H22 M10 12 H22 M10 18 H22 M2 5.6 L4 7.6 L7.4 3.6 M2 11.6 L4 13.6 L7.4 9.6 "
    "M2 17.6 L4 19.6 L7.4 15.6",
    "present": "M4 9 V4 H9 M15 4 H20 V9 M20 15 V20 H15 M9 20 H4 V15",
    "export": "M12 3 V14 M7 10 L12 15 L17 10 M4 16 V20 H20 V16",
    "pencil": "M4 20 L5 15 L16 4 L20 8 L9 19 Z",
    "moon": "M19 14 C13 16 8 11 10 5 C5 6 3 12 6 16 C9 20 16 20 19 14 Z",
    "sun": "M12 3 V5 M12 19 V21 M3 12 H5 M19 12 H21 M5.6 5.6 L7 7 M17 17 L18.4 18.4 "
    "M5.6 18.4 L7 17 M17 7 L18.4 5.6 M8 12 C8 6.7 16 6.7 16 12 C16 17.3 8 17.3 8 12 Z",
    "chip": "M7 7 H17 V17 H7 Z M10 3 V7 M14 3 V7 M10 17 V21 M14 17 V21 M3 10 H7 M3 14 H7 "
    "M17 10 H21 M17 14 H21",
}
# Left, top, width and height of bars.
_BARS = {
    "lanes": ((0.8, 4, 4.2, 3.9), (0.8, 10, 10.6, 3.9), (0.8, 16, 22.4, 3.9)),
    "rule": (
        (0.8, 4.4, 8.4, 2.6),
        (3.4, 8.6, 5.8, 2.6),
        (3.4, 12.8, 5.8, 2.6),
        (0.8, 17, 8.4, 2.6),
    ),
    "cpugpu": (
        (0.8, 15.6, 3.5, 3.5),
        *((6.4 + 2.9 * i, 15.6, 2.4, 3.5) for i in range(3)),
        *((16.2 + 2.7 * i, 10.9 + 2.9 * j, 2.2, 2.4) for i in range(3) for j in range(3)),
    ),
}


def _path(text: str) -> QPainterPath:
    """Return the path of a few SVG commands: M, L, H, V, C, Z with absolute numbers."""
    path, words = QPainterPath(), text.replace(",", " ").split()
    position, command = QPointF(), ""
    numbers: list[float] = []
    need = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6}
    for word in words:
        letter = word[0]
        if letter.isalpha():
            command, word = letter, word[1:]
            if command == "Z":
                path.closeSubpath()
                continue
        if word:
            numbers.append(float(word))
        if len(numbers) < need[command]:
            continue
        if command == "C":
            a, b, c = (QPointF(*numbers[i : i + 2]) for i in (0, 2, 4))
            path.cubicTo(a, b, c)
            position = c
        else:
            x = numbers[0] if command != "V" else position.x()
            y = numbers[-1] if command != "H" else position.y()
            position = QPointF(x, y)
            (path.moveTo if command == "M" else path.lineTo)(position)
        numbers = []
    return path


def draw(painter: QPainter, name: str, box: QRectF, colour: str) -> None:
    """Draw an icon into a box."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(box.topLeft())
    painter.scale(box.width() / 24, box.height() / 24)
    if name in _FILLED:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colour))
        painter.drawPath(_path(_FILLED[name]))
    elif name == "chain":  # the mark: one after another, then all at once
        painter.setPen(QPen(QColor(colour), 2))
        painter.drawLine(QPointF(3, 5), QPointF(21, 5))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colour))
        for x in (3, 9, 15, 21):
            painter.drawEllipse(QPointF(x, 5), 2, 2)
            for y in (14, 20):
                painter.drawEllipse(QPointF(x, y), 2, 2)
        painter.setPen(QPen(QColor(colour), 1))
        for x in (3, 9, 15):
            painter.drawLine(QPointF(x, 14), QPointF(x + 6, 20))
            painter.drawLine(QPointF(x, 20), QPointF(x + 6, 14))
    elif name == "logo":
        painter.setPen(QPen(QColor(colour), 2))
        painter.drawLine(QPointF(2, 12), QPointF(12, 12))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colour))
        painter.drawEllipse(QPointF(3, 12), 2.5, 2.5)
        for left in (10.3, 14.8, 19.3):
            for top in (5.8, 10.3, 14.8):
                painter.drawRoundedRect(QRectF(left, top, 3.4, 3.4), 0.8, 0.8)
    elif name in _BARS:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colour))
        for bar in _BARS[name]:
            painter.drawRoundedRect(QRectF(*bar), 0.8, 0.8)
        if name == "rule":  # lines of a program, beside a network
            painter.setPen(QPen(QColor(colour), 1))
            for top, low in ((6, 6), (6, 12), (12, 6), (12, 12), (12, 18), (18, 12), (18, 18)):
                painter.drawLine(QPointF(14, top), QPointF(21.5, low))
            painter.setPen(Qt.PenStyle.NoPen)
            for left in (14.0, 21.5):
                for top in (6, 12, 18):
                    painter.drawEllipse(QPointF(left, top), 1.9, 1.9)
        if name == "cpugpu":  # one after another, rising to all at once
            pen = QPen(QColor(colour), 1)
            pen.setDashPattern([1.6, 1.8])
            painter.setPen(pen)
            painter.drawLine(QPointF(0.8, 11), QPointF(14, 5.4))
    else:
        pen = QPen(QColor(colour), 2)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        painter.drawPath(_path(_LINES[name]))
    painter.restore()


@lru_cache(maxsize=64)
def icon(name: str, colour: str, size: int = 20) -> QIcon:
    """Return an icon for a button, sharp on a screen of twice the pixels too."""
    pixmap = QPixmap(2 * size, 2 * size)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    draw(painter, name, QRectF(0, 0, 2 * size, 2 * size), colour)
    painter.end()
    pixmap.setDevicePixelRatio(2)
    return QIcon(pixmap)

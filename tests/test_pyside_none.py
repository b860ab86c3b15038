"""PySide6 6.12.0 below Python 3.12 loses one reference of None in every call that returns nothing.

After some thousand calls the interpreter ends with "none_dealloc: deallocating None". On Python
3.12 and newer None is immortal, and its count never moves.
"""

from __future__ import annotations

import sys

from PySide6.QtGui import QColor, QImage, QPainter, QPen


def test_painting_keeps_the_references_of_none() -> None:
    image = QImage(8, 8, QImage.Format.Format_RGB32)
    painter = QPainter(image)
    pen = QPen(QColor("black"))
    before = sys.getrefcount(None)
    for _ in range(1000):
        painter.setPen(pen)
    lost = before - sys.getrefcount(None)
    painter.end()
    assert lost < 100

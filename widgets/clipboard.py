"""The clipboard, which another program may hold: what was copied is read back before it is said."""

from __future__ import annotations

from PySide6.QtCore import QMimeData
from PySide6.QtGui import QGuiApplication, QImage

SVG = "image/svg+xml"


def copy(what: QImage | str, svg: str = "") -> bool:
    """Put a text, or an image with its SVG beside it, on the clipboard; return whether it is there.

    Qt answers nothing when the system refuses: what is read back then is not what was given. What
    lies there is this program's own object, so that no other one is asked for it.
    """
    clipboard = QGuiApplication.clipboard()
    try:
        if isinstance(what, str):
            clipboard.setText(what)
            return clipboard.text() == what
        both = QMimeData()
        both.setImageData(what)
        if svg:
            both.setData(SVG, svg.encode())
        clipboard.setMimeData(both)
        drawn = bytes(clipboard.mimeData().data(SVG).data()).decode()
        return clipboard.image() == what and drawn == svg
    except RuntimeError:  # the clipboard went away with the program's last window
        return False

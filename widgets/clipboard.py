"""The clipboard, which another program may hold: what was copied is read back before it is said."""

from __future__ import annotations

from PySide6.QtGui import QGuiApplication, QImage


def copy(what: QImage | str) -> bool:
    """Put an image or a text on the clipboard; return whether it lies there.

    Qt answers nothing when the system refuses: what is read back then is not what was given. What
    lies there is this program's own object, so that no other one is asked for it.
    """
    clipboard = QGuiApplication.clipboard()
    try:
        if isinstance(what, str):
            clipboard.setText(what)
            return clipboard.text() == what
        clipboard.setImage(what)
        return clipboard.image() == what
    except RuntimeError:  # the clipboard went away with the program's last window
        return False

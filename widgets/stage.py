"""Stage: a canvas that is scrolled where the window is too small for it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QScrollArea

from widgets.canvas import Canvas


class Stage(QScrollArea):
    """A canvas in the place that a chapter has in the window."""

    def __init__(self, canvas: Canvas) -> None:
        super().__init__()
        self.setObjectName("stage")
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(canvas)

    def to_beginning(self) -> None:
        """Scroll to the left upper corner: another picture is read from there."""
        for bar in (self.horizontalScrollBar(), self.verticalScrollBar()):
            bar.setValue(0)

"""The live plot of shares: stacked areas in the units' colours, a run of the workload a step.

Runs are appended; what has been drawn stays where it is until the plot is full, and then its older
half goes at once. Drawing follows a timer of its own, so that no run waits for a picture and no
frame for a run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt, QTimer
from PySide6.QtGui import QBrush, QColor, QFont, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QWidget

from engine.units import Work
from widgets.scenes.computing_units.live import ORDER, WINDOW, first_shown
from widgets.scenes.computing_units.subject import LANES, Sample
from widgets.units import hues

if TYPE_CHECKING:
    from collections.abc import Sequence

    from widgets.theme import Theme

INTERVAL_MS = 80  # 12.5 times a second at most
TILE = 16  # px of a pattern at 100 %
STRENGTH = 0.22


class SharePlot(pg.PlotWidget):  # type: ignore[misc]
    """Shares of time, run after run.

    It takes no clicks: the stage below it, whose scene draws the same for stills, answers them.
    """

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent, enableMenu=False)
        self.setObjectName("shareplot")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFrameShape(self.Shape.NoFrame)
        self.hideButtons()
        item = self.getPlotItem()
        for side in ("left", "bottom"):
            item.hideAxis(side)
        item.setContentsMargins(0, 0, 0, 0)
        item.vb.setDefaultPadding(0.0)
        item.vb.setMouseEnabled(x=False, y=False)
        item.vb.disableAutoRange()
        self.setRange(xRange=(0, WINDOW - 1), yRange=(0, 1), padding=0)
        # The highest first: each lower area covers what is not its own.
        self._curves = [item.plot(fillLevel=0.0) for _ in ORDER]
        # A line over the areas, not one of them, on a ground that parts it from them.
        self._pipes = [item.plot(connect="finite") for _ in range(2)]
        self._name = pg.TextItem(anchor=(0, 0))
        self._name.setPos(0.5, 0.99)
        self._samples: tuple[Sample, ...] = ()
        self._pipe: tuple[float | None, ...] = ()
        self._words = ""
        self._drawn: tuple[Sample, ...] | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self.draw)
        self.show_theme(theme, 1.0)

    @property
    def settled(self) -> bool:
        """Return whether all runs are drawn."""
        return self._samples is self._drawn

    def show_samples(
        self, samples: Sequence[Sample], pipe: Sequence[float | None] = (), words: str = ""
    ) -> None:
        """Show these runs with the next frame of the plot.

        ``pipe`` says of each how much the tensor pipe worked, ``words`` how that line is called.
        """
        self._samples, self._pipe, self._words = tuple(samples), tuple(pipe), words
        if not self._timer.isActive():
            self._timer.start()

    def show_theme(self, theme: Theme, scale: float) -> None:
        """Draw in another theme, the patterns so many times larger."""
        self.setBackground(QColor(theme.well))
        line = QPen(QColor(theme.stage), 1.2 * scale)
        line.setCosmetic(True)
        for curve, work in zip(self._curves, reversed(ORDER), strict=True):
            curve.setFillBrush(brush(work, theme, scale))
            curve.setPen(line)
        for curve, colour, wide in zip(
            self._pipes, (theme.stage, theme.ink), (4.5, 2.0), strict=True
        ):
            pen = QPen(QColor(colour), wide * scale)
            pen.setCosmetic(True)
            curve.setPen(pen)
        named = QFont("Inter")
        named.setPixelSize(round(14 * scale))
        named.setWeight(QFont.Weight.DemiBold)
        self._name.setFont(named)
        self._name.setColor(QColor(theme.ink))
        self._name.fill = QBrush(QColor(theme.stage))
        self._drawn = None
        self.draw()

    def stop(self) -> None:
        """Draw nothing more until other runs come."""
        self._timer.stop()

    def draw(self) -> None:
        """Draw the runs that are not drawn yet; without any the timer rests."""
        if self._samples is self._drawn:
            self._timer.stop()
            return
        self._drawn = self._samples
        shown = self._samples[first_shown(len(self._samples)) :]
        shown = shown * 2 if len(shown) == 1 else shown  # one run alone is a step wide
        x = np.arange(len(shown), dtype=float)
        table = np.array(shown, dtype=float).reshape(len(shown), len(LANES))
        tops = np.cumsum(table[:, [LANES.index(work) for work in ORDER]], axis=1)  # (run, area)
        for curve, column in zip(self._curves, reversed(range(len(ORDER))), strict=True):
            curve.setData(x, np.minimum(tops[:, column], 1.0))
        self._draw_pipe()

    def _draw_pipe(self) -> None:
        known = self._pipe[first_shown(len(self._pipe)) :]
        known = known * 2 if len(known) == 1 else known
        y = np.array([np.nan if part is None else min(part, 1.0) for part in known], dtype=float)
        shown = bool(np.isfinite(y).any())
        for curve in self._pipes:
            curve.setData(np.arange(len(y), dtype=float), y)
            curve.setVisible(shown)
        item = self.getPlotItem()
        if shown != (self._name.scene() is not None):
            (item.addItem if shown else item.removeItem)(self._name)
        if shown:
            self._name.setText(self._words)


def brush(work: Work, theme: Theme, scale: float) -> QBrush:
    """Return a unit's colour with its pattern at double size and half strength."""
    side = round(TILE * scale)
    colour = hues(work, theme).mark
    image = QPixmap(side, side)
    image.fill(QColor(colour))
    painter = QPainter(image)
    mark = QColor(theme.on(colour))
    mark.setAlphaF(STRENGTH)
    thick = 2.6 * scale
    if work is Work.SEQUENTIAL:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(mark)
        r = thick
        painter.drawEllipse(QRectF(side / 2 - r, side / 2 - r, 2 * r, 2 * r))
    else:
        painter.fillRect(QRectF(0, 0, thick, side), mark)
        if work is Work.MATRIX:
            painter.fillRect(QRectF(thick, 0, side - thick, thick), mark)
    painter.end()
    return QBrush(image)

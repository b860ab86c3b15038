"""What is chosen on the stage: block and head, links, pins, an opened stretch, what is covered."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.player import Player
from widgets.canvas import Canvas
from widgets.captions import Captions
from widgets.controls import Notice

if TYPE_CHECKING:
    from engine.trace import Pair
    from widgets.scenes.recurrence_attention.layout import GridState
    from widgets.view import View


class Choices(QObject):
    """Changes the canvas's view, and the tick where that is how something is seen.

    ``changed`` says that more or less is to be seen beside the stage, too. ``pair`` returns the
    runs on the stage, ``covers`` whether the scene on it can cover what a tick computes.
    """

    changed = Signal()

    def __init__(
        self, canvas: Canvas, player: Player, notice: Notice, say: Captions,
        pair: Callable[[], Pair | None], covers: Callable[[], bool], parent: QObject,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._canvas, self._player, self._notice = canvas, player, notice
        self._say, self._pair, self._covers = say, pair, covers
        player.moved.connect(self._see)

    # ---- blocks and heads ----------------------------------------------------------------------

    def grid_state(self, pair: Pair) -> GridState:
        """Return which block of the grid is on the stage, and how far it has come."""
        from widgets.scenes.recurrence_attention.layout import grid_state

        return grid_state(pair.grid, self._player.shown, self._canvas.view.layer)

    def next_layer(self) -> None:
        """Show the next block of the grid."""
        pair = self._pair()
        if pair is not None:
            self.show_layer(self._next_block(pair))

    def _next_block(self, pair: Pair) -> int:
        return (self.grid_state(pair).block + 1) % pair.grid.facts.layers

    def expected(self) -> View | None:
        """Return how the next block would be shown; None where time goes on or would change."""
        pair = self._pair()
        if pair is None or pair.grid.facts.layers < 2 or self._player.playing:
            return None
        from widgets.scenes.recurrence_attention.layout import grid_state

        block = self._next_block(pair)
        if grid_state(pair.grid, self._player.shown, block).block != block:
            return None
        return self._canvas.view._replace(layer=block)

    def show_layer(self, layer: int) -> None:
        """Show a block; while another runs, go to the tick where this one does the same."""
        pair = self._pair()
        if pair is None:
            return
        from widgets.scenes.recurrence_attention.layout import tick_of_block

        self._canvas.show_with(layer=layer)
        if layer != self.grid_state(pair).block:
            self._player.seek(tick_of_block(pair.grid, self._player.shown, layer))

    def next_head(self) -> None:
        """Show the row of the next head as bars."""
        pair = self._pair()
        if pair is not None:
            from widgets.scenes.recurrence_attention.maps import profile_head

            shown = profile_head(pair, self.grid_state(pair), self._canvas.view)
            self.show_head((shown + 1) % pair.grid.facts.heads)

    def show_head(self, head: int) -> None:
        """Show the row of a head as bars."""
        self._canvas.show_with(head=head)

    def open_stretch(self, start: int) -> None:
        """Open a stretch of tokens out of pooled maps; the one that is open: close it."""
        view = self._canvas.view
        self._canvas.show_with(brush=None if view.brush == start else start)

    def toggle_arcs(self) -> None:
        """Show the links of all words, or of the one that asks."""
        view = self._canvas.view
        self._canvas.show_with(all_arcs=not view.all_arcs)

    def pin(self) -> None:
        """Pin the head or word that is meant; the same again: pin nothing."""
        view = self._canvas.view
        for name in (self._canvas.ringed, view.hovered, view.selected):
            head = re.match(r"head:(\d+)|grid:blocks\.\d+\.attn\.\w+\[(\d+)[],]", name)
            word = re.match(r"ask:(\d+)|chain:rnn\.h\.(\d+)", name)
            if head:
                number = int(head[1] or head[2])
                pinned = None if view.pinned_head == number else number
                self._canvas.show_with(pinned_head=pinned)
                return
            if word:
                number = int(word[1]) if word[1] else int(word[2]) - 1
                pinned = None if view.pinned_word == number else number
                self._canvas.show_with(pinned_word=pinned)
                return
        if (view.pinned_head, view.pinned_word) == (None, None):
            self._notice.say(self._say("window.pin_what"), passing=True)
        else:
            self._canvas.show_with(pinned_head=None, pinned_word=None)

    # ---- what is covered -----------------------------------------------------------------------

    @property
    def covered(self) -> bool:
        """Return whether what the tick on the stage has computed waits to be predicted."""
        view = self._canvas.view
        return view.predicting and self._player.target > view.revealed

    def step(self) -> None:
        """Go to the next tick; while predicting, see first what this one has computed."""
        if self.covered:
            self.reveal()
        else:
            self._player.step()

    def toggle_predict(self) -> None:
        """Cover what each tick computes until the next press, or show everything again."""
        predicting = not self._canvas.view.predicting
        self._canvas.show_with(predicting=predicting, revealed=0)
        self.changed.emit()
        words = "window.predict_on" if predicting else "window.predict_off"
        self._notice.say(self._say(words), passing=True)

    def reveal(self) -> None:
        """Show what the tick has computed, and all before it."""
        if self.covered:
            self._canvas.show_with(revealed=self._player.target)
            self.changed.emit()

    def cover(self) -> None:
        """Take nothing as seen: the numbers of another run are to be predicted anew."""
        if self._covers():
            self._canvas.show_with(revealed=0)

    @property
    def told(self) -> int:
        """Return the last tick that may be told of: what is covered is not."""
        view, shown = self._canvas.view, self._player.shown
        return min(shown, view.revealed) if view.predicting else shown

    def _see(self) -> None:
        """Take as seen what plays, and what is gone to where the scene can cover nothing."""
        if self._player.playing or not self._covers():
            self.reveal()

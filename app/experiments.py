"""From a claim to where it can be seen: a chapter, set up as it says, at its tick."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from PySide6.QtCore import QObject, QTimer, Signal

if TYPE_CHECKING:
    from app.chapters import Chapter, Where
    from app.rnn_transformer import RnnTransformer


def arrange(chapter: Chapter, settings: Mapping[str, Any]) -> None:
    """Choose in a chapter that is open already what its ``restore`` takes in a new one."""
    choose = getattr(chapter, "choose", None)
    if choose is not None:
        if chapter.is_open:
            chapter.leave()
        for kind, chosen in settings.items():
            choose(kind, str(chosen))
    elif settings:
        first = cast("RnnTransformer", chapter)
        for _ in ("the comparison, or what fills the stage", "what is open beside it"):
            first.leave()
        first.restore({**first.remember(), **settings})
        first.sentences.compute()


class Seek(QObject):
    """Goes to a tick of a chapter as soon as that has one, and says ``done``."""

    done = Signal()

    def __init__(self, chapter: Chapter, tick: Where) -> None:
        super().__init__(chapter.page)
        self._chapter, self._tick, self._stopped = chapter, tick, False
        chapter.changed.connect(self._look)
        self._look()

    def _look(self) -> None:
        """Go in the next turn: a chapter says that it waits no more and then takes a result."""
        QTimer.singleShot(0, self, self._go)

    def _go(self) -> None:
        chapter, player = self._chapter, self._chapter.player
        if self._stopped or chapter.busy or not chapter.groups() or not player.last:
            return
        self.stop()
        part, tick = self._tick if isinstance(self._tick, tuple) else (None, self._tick)
        first, last = 0, player.last
        if part is not None:
            _, first, last = chapter.groups()[min(part, len(chapter.groups()) - 1)]
        player.seek(float(last) if math.isinf(tick) else min(first + tick, last))
        self.done.emit()

    def stop(self) -> None:
        """Go nowhere any more."""
        if not self._stopped:
            self._stopped = True
            self._chapter.changed.disconnect(self._look)
            self.deleteLater()

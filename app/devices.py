"""Which device computes: looked for once, behind the first frame, by letting it compute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.background import Background, Outcome

if TYPE_CHECKING:
    from engine.device import Device


class Devices(QObject):
    """The device that computes; None until it has been looked for, while the CPU computes."""

    found = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.device: Device | None = None
        self._asked = False
        self._background = Background(self)
        self._background.done.connect(self._probed)

    def look(self) -> None:
        """Look for a GPU; the second time it is known."""
        if not self._asked:
            self._asked = True
            self._background.ask(_probe)

    def close(self) -> None:
        """Look no more."""
        self._background.close()

    def _probed(self, outcome: Outcome) -> None:
        if outcome.value is not None:
            self.device = outcome.value
            self.found.emit()


def _probe() -> Device:
    from engine.device import on_device
    from engine.gpu import probe

    return on_device(probe)

"""Saves and copies what the window shows, in a thread of its own, so that the window goes on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget

from app import classes
from app.background import Background, Outcome
from widgets import clipboard
from widgets.captions import Captions

if TYPE_CHECKING:
    from app.export import Words
    from engine.trace import Step
    from widgets.canvas import Scene
    from widgets.view import View

SIZE = (1600, 900)  # px that the stage is laid out for


class Stills(QObject):
    """Asks where to save, and saves; one still at a time.

    ``said`` carries what becomes of a still, in a sentence; ``failed`` the error that ended it.
    """

    said = Signal(str)
    failed = Signal(object)  # Exception

    def __init__(self, window: QWidget, say: Captions) -> None:
        super().__init__(window)
        self._window, self._say = window, say
        self._done = ""  # what is said when the still is there
        self._background = Background(self)
        self._background.done.connect(self._finished)

    @property
    def busy(self) -> bool:
        """Return whether a still is being made."""
        return self._background.busy

    def close(self) -> None:
        """Wait for the still that is being made."""
        self._background.close(finish=True)

    def save_stage(
        self,
        scene: Scene,
        subject: Any,
        tick: int,
        view: View,
        *,
        name: str,
        ending: str,
        scale: int,
        grey: bool,
        text: Words,
        path: str,
    ) -> None:
        """Save the stage, laid out for 1600 × 900; without a path ask for one."""
        if self._refused():
            return
        if not path:
            kinds = {self._say(f"window.filter_{e}"): f".{e}" for e in ("svg", "png", "pdf")}
            path, chosen = _ask_where(
                self._window,
                self._say("window.export"),
                f"{name}-tick-{tick}{ending}",
                ";;".join(kinds),
                self._say(f"window.filter_{ending[1:]}"),
            )
            ending = kinds.get(chosen, ending)
        if not path:
            return
        if not Path(path).suffix:
            path += ending
        self._done = self._say("window.saved", path=path)
        self.said.emit(self._say("window.saving", path=path))
        classes.make()  # the worker names some
        self._background.ask(_save, scene, subject, tick, view, Path(path), scale, grey, text)

    def copy_stage(self, scene: Scene, subject: Any, tick: int, view: View) -> None:
        """Copy the stage as an image and as SVG: another program takes which it can."""
        if not self._refused():
            self._done = self._say("window.copied")
            self.said.emit(self._say("window.copying"))
            classes.make()
            self._background.ask(_paint, scene, subject, tick, view)

    def save_tensor(self, step: Step, path: str = "") -> bool:
        """Save all numbers of a step as .npy now; return whether they were.

        Without a path one is asked for. A file that nobody chose by its full name stays as it is.
        """
        chosen = path
        if not chosen:
            chosen, _ = _ask_where(
                self._window,
                self._say("window.save_tensor"),
                f"{step.name}.npy",
                self._say("window.filter_npy"),
            )
        if not chosen:
            return False
        from widgets import formats

        full = chosen.lower().endswith(".npy")
        place = Path(chosen if full else f"{chosen}.npy")
        try:
            if not full and place.exists():
                raise formats.FormatError(self._say("window.npy_exists", path=place))
            formats.save_npy(step.value, place)
        except formats.FormatError as error:
            self.failed.emit(error)
            return False
        self.said.emit(self._say("window.saved", path=place))
        return True

    def save_window(self, image: QImage, path: str) -> bool:
        """Save an image of the whole window as a PNG now; return whether it was."""
        if not path:
            path, _ = _ask_where(
                self._window,
                self._say("action.export_window"),
                "unrolled.png",
                self._say("window.filter_png"),
            )
        if not path:
            return False
        if not Path(path).suffix:
            path += ".png"
        from app import export

        try:
            export.write_image(image, Path(path))
        except (ValueError, OSError, MemoryError) as error:
            self.failed.emit(error)
            return False
        self.said.emit(self._say("window.saved", path=path))
        return True

    def _refused(self) -> bool:
        """Return whether another still is being made, and say so."""
        if self.busy:  # the newer would take its place, and one would be lost
            self.said.emit(self._say("window.still_saving"))
        return self.busy

    def _finished(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            self.failed.emit(outcome.error)
            return
        if outcome.value is not None and not clipboard.copy(*outcome.value):
            self.said.emit(self._say("window.not_copied"))
            return
        self.said.emit(self._done)


def _save(
    scene: Scene, subject: Any, tick: int, view: View, path: Path, scale: int, in_grey: bool,
    text: Words,
) -> None:  # fmt: skip
    from app import export
    from app.compute import still
    from widgets.grey import grey

    picture = still(subject, tick, view, size=SIZE, scene=scene)
    if in_grey:
        picture = grey(picture, view.theme)
    export.write(picture, path, width=SIZE[0], height=SIZE[1], scale=scale, text=text)


def _paint(scene: Scene, subject: Any, tick: int, view: View) -> tuple[QImage, str]:
    from app import export
    from app.compute import still
    from widgets.svg import svg

    picture = still(subject, tick, view, size=SIZE, scene=scene)
    image = export.image(picture, SIZE)  # which refuses a picture with numbers that are none
    return image, svg(picture, width=SIZE[0], height=SIZE[1])


def _ask_where(window: QWidget, *given: str) -> tuple[str, str]:
    """Return where something is to be saved, "" for nowhere, and as which kind of file.

    ``given`` is the dialog's title, a name to begin with, the kinds, and the kind to begin with.
    """
    from PySide6.QtWidgets import QFileDialog  # here: the first frame saves nothing

    title, name, kinds, *kind = given
    if kind:
        return QFileDialog.getSaveFileName(window, title, name, kinds, kind[0])
    return QFileDialog.getSaveFileName(window, title, name, kinds)

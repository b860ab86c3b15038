"""What chapter 1 reads, and with which models: typed, chosen, undone or dropped; and what runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QMimeData, QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QMenu

from app import CELLS, DEFAULT_TEXT, PRECISION, PRECISIONS, SETS
from app.background import Background, Outcome
from app.devices import Devices
from app.history import History
from app.saying import sentence_of
from app.setting import Setting, of_models
from engine.assets import ASSETS
from widgets.view import Switch

if TYPE_CHECKING:
    from app.chapters import Host
    from app.chrome import SentenceControls
    from app.compute import PairResult
    from engine.device import Device
    from engine.recorder import Recorder
    from engine.trace import Pair

TYPING_MS = 250  # after the last key, what was typed is computed
RECENT = 10  # sentences that are kept
LONGEST = 10_000  # characters of one of them
TENSOR_ONLY = "TF32"  # a mode of tensor cores, which no CPU has
SWITCHES = ("attention", "both", "causal", "positions", "trained")


class Sentences(QObject):
    """The sentence in the field, the setting of the models, and the newest run of both.

    ``awaited`` tells that a run is asked for or has been answered; ``arrived`` that there is
    another run, or none any more.
    """

    awaited = Signal()
    arrived = Signal()

    def __init__(self, host: Host, controls: SentenceControls) -> None:
        super().__init__(host.window)
        self._say, self._notice, self._controls = host.say, host.notice, controls
        self._recorder = host.recorder
        self.devices = Devices(self)
        self.devices.found.connect(self._device_found)
        self.result: PairResult | None = None
        self.setting = Setting()
        self.recent: list[str] = []  # the newest first
        self.busy = False  # a run is awaited
        self.background = Background(self)
        self.background.done.connect(self._answered)
        self._available: frozenset[str] = frozenset()
        self._history: History[tuple[str, Setting]] = History()
        self._file = ""  # the saved trace that is being opened, or shown
        self._asked = ""  # the text that is being computed, or shown
        self._due = True  # to be asked for when the chapter comes to the front
        self._later = ""  # a precision that only a device may have
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(TYPING_MS)
        self._typing.timeout.connect(self.compute)
        controls.field.setText(DEFAULT_TEXT)
        controls.field.textEdited.connect(lambda _: self._typing.start())
        controls.field.returnPressed.connect(self.compute)
        controls.chain_choice.chosen.connect(lambda cell: self.choose(cell=cell))
        controls.set_choice.chosen.connect(lambda size: self.choose(size=size))
        controls.precision_choice.chosen.connect(lambda name: self.choose(precision=name))
        self.show_setting()

    @property
    def pair(self) -> Pair | None:
        """Return the runs on the stage, None before the first have come."""
        return None if self.result is None else self.result.pair

    @property
    def text(self) -> str:
        """Return what is typed."""
        return self._controls.field.text()

    # ------------------------------------------------------------------ coming and going

    def go_on(self) -> None:
        """Ask for what is due."""
        if self._due:
            if self._file:
                self.open_file(self._file)
            else:
                self.compute()

    def rest(self) -> None:
        """Await nothing any more; what was awaited is due."""
        if self._typing.isActive():
            self._file = ""
        if self.busy or self._typing.isActive():
            self._due = True
            self._drop()

    def close(self) -> None:
        """End the worker."""
        self._typing.stop()
        self.background.close()
        self.devices.close()

    # ------------------------------------------------------------------ where a sentence comes from

    def set_text(self, text: str) -> None:
        """Put a sentence into the field and compute it."""
        self._controls.field.setText(text)
        self.compute()

    def compute(self) -> None:
        """Ask for a new run of what is typed; the last good picture stays until it comes."""
        self._typing.stop()
        if not self.text.strip():
            self._due = False
            self._drop()
            self.result = None
            self._controls.field.mark((), ())
            self._notice.clear()
            self.arrived.emit()
            return
        self._file, self._asked = "", self.text.strip()
        self._ask(_compute, self.text)

    def open_file(self, path: str) -> None:
        """Open a saved trace beside the other side's model, or read a text file."""
        name = Path(path).name
        if path.lower().endswith(".npz"):
            self._typing.stop()
            self._file, self._asked = path, ""
            self._ask(_open, path)
        elif path.lower().endswith(".txt"):
            try:
                with Path(path).open(encoding="utf-8", errors="replace") as file:
                    from engine.tokens import MOST_CHARACTERS

                    self.set_text(file.read(MOST_CHARACTERS))
            except OSError as error:
                self._notice.say(self._say("window.unread", name=name, why=error.strerror))
        else:
            self._notice.say(self._say("window.drop", name=name))

    def drop(self, data: QMimeData) -> None:
        """Read a sentence or a file that was dropped."""
        files = [url.toLocalFile() for url in data.urls() if url.isLocalFile()]
        if files:
            self.open_file(files[0])
            if len(files) > 1:
                self._notice.say(self._say("window.first_of_files"), until_next=True)
        elif data.hasText():
            self.set_text(data.text())

    def undo(self) -> None:
        """Show the sentence and the models that were shown before."""
        lost = self.result is None or bool(self._file)  # then the state that was noted last
        state = self._history.now if lost else self._history.undo()
        self._go_to(state, "window.nothing_to_undo")

    def redo(self) -> None:
        """Show the sentence and the models that were undone."""
        self._go_to(self._history.redo(), "window.nothing_to_redo")

    def _go_to(self, state: tuple[str, Setting] | None, otherwise: str) -> None:
        if state is None:
            self._notice.say(self._say(otherwise), passing=True)
            return
        text, self.setting = state
        self.show_setting()
        self.set_text(text)

    def show_recent(self) -> None:
        """Offer the sentences that were read before, under the field."""
        others = [text for text in self.recent if text != self.text]
        if not others:
            self._notice.say(self._say("window.no_recent"), passing=True)
            return
        field = self._controls.field
        menu = QMenu(field.window())
        for text in others:
            shown = text if len(text) <= 80 else f"{text[:79]}…"
            entry = menu.addAction(shown.replace("&", "&&"))
            entry.triggered.connect(lambda _=False, text=text: self.set_text(text))
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(field.mapToGlobal(field.rect().bottomLeft()))
        menu.setActiveAction(menu.actions()[0])

    # ------------------------------------------------------------------ its words

    def put_in(self, word: str) -> None:
        """Put a word into the field as if it were typed there."""
        self._controls.field.put_in(word)
        self._typing.start()

    def swap(self, a: int, b: int) -> None:
        """Let two words change places."""
        words = self._words()
        if max(a, b) < len(words):
            words[a], words[b] = words[b], words[a]
            self.set_text(" ".join(words))
            self._notice.say(self._say("window.swapped"), until_next=True)

    def hide(self, index: int) -> None:
        """Hide another word: the one that was hidden is typed again where it is known."""
        if self.result is None:
            return
        words, hidden = list(self.result.sentence.typed), self.result.sentence.hidden
        if index == hidden or not 0 <= index < len(words):
            return
        said = ""
        if words[hidden] == "___":
            # Nobody typed the word: the likeliest one stands in, and is said.
            words[hidden] = self.result.pair.grid.answer(1)[0][0]
            said = self._say("window.put_in", word=words[hidden])
        words[index] = "___"
        self.set_text(" ".join(words))
        self._notice.say(said, until_next=True)

    def _words(self) -> list[str]:
        if self.result is None:
            return []
        sentence = self.result.sentence
        return ["___" if i == sentence.hidden else word for i, word in enumerate(sentence.typed)]

    # ------------------------------------------------------------------ its models

    def show_setting(self) -> None:
        """Show what is chosen, and grey what has no weights; the folder is looked at, not files."""
        folder = ASSETS / "models"
        names = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
        self._available = frozenset(
            name.removesuffix(".safetensors") for name in names if name.endswith(".safetensors")
        )
        self._controls.chain_choice.choose(self.setting.cell)
        self._controls.set_choice.choose(self.setting.size)
        self._controls.precision_choice.choose(self.setting.precision)
        for cell in CELLS:
            self._controls.chain_choice.grey(cell, self._missing(cell=cell))
        for size in SETS:
            self._controls.set_choice.grey(size, self._missing(size=size))

    def choose(self, **changed: Any) -> None:
        """Take other models, or run them another way."""
        self.setting = self.setting._replace(**changed).nearest(self._available)
        self.show_setting()
        self.compute()

    @property
    def precisions(self) -> tuple[str, ...]:
        """Return the precisions that can be chosen; before a device is known, the CPU's."""
        device = self.devices.device
        if device is not None:
            return device.precisions
        return tuple(name for name in PRECISIONS if name != TENSOR_ONLY)

    def next_precision(self) -> None:
        """Compute in the next precision there is, and say in which."""
        known = self.precisions
        at = known.index(self.setting.precision) if self.setting.precision in known else -1
        name = known[(at + 1) % len(known)]
        self.choose(precision=name)
        words = self._say(f"window.precision.{name}")
        self._notice.say(self._say("window.precision_now", precision=words), passing=True)

    def restore_precision(self, name: object) -> None:
        """Take a precision that was kept; one that only a device has waits until it is found."""
        if name == TENSOR_ONLY:
            self._later = TENSOR_ONLY
        elif isinstance(name, str) and name in PRECISIONS:
            self.setting = self.setting._replace(precision=name)
            self.show_setting()

    def toggle(self, name: str) -> None:
        """Switch one of the switches, where there are weights for it."""
        changed = {name: not getattr(self.setting, name)}
        if self._missing(**changed):
            switch = self._say(f"action.{name}")
            self._notice.say(self._say("window.no_switch", switch=switch))
        else:
            self.choose(**changed)

    def switches(self) -> tuple[Switch, ...]:
        """Return the switches of the run on the stage."""
        shown = self._setting_shown()
        assert shown is not None
        return tuple(
            Switch(name, getattr(shown, name), self._missing(**{name: not getattr(shown, name)}))
            for name in SWITCHES
        )

    def _missing(self, **changed: Any) -> str:
        """Return why something cannot be chosen, "" when it can, or the nearest thing to it."""
        near = self.setting._replace(**changed).nearest(self._available)
        possible = near.possible(self._available) and all(
            getattr(near, name) == value for name, value in changed.items()
        )
        return "" if possible else self._say("window.no_weights")

    def _setting_shown(self) -> Setting | None:
        """Return the setting of the run on the stage, None before the first has come."""
        if self.result is None:
            return None
        pair = self.result.pair
        try:
            models = of_models(pair.chain.facts.model, pair.grid.facts.model)
        except ValueError:  # a saved run of a model that is none of the shipped ones
            models = self.setting
        made = self.result
        return models._replace(
            positions=made.positions, trained=made.trained, precision=made.precision
        )

    # ------------------------------------------------------------------ what comes of it

    def _ask(self, function: Any, what: str) -> None:
        device = self.devices.device
        self.background.ask(_recorded, self._recorder, device, function, what, self.setting)
        self.busy, self._due = True, False
        self.awaited.emit()

    def _drop(self) -> None:
        """Await nothing: the newest request computes nothing, so that older ones are dropped."""
        self._typing.stop()
        self.background.ask(_nothing)
        self.busy = False
        self.awaited.emit()

    def _device_found(self) -> None:
        """Offer the precisions of the device, and let a GPU compute from now on."""
        device = self.devices.device
        assert device is not None
        for precision in PRECISIONS:
            self._controls.precision_choice.grey(precision, device.missing.get(precision, ""))
        if self._later in device.precisions and self.setting.precision == PRECISION:
            self.setting = self.setting._replace(precision=self._later)
            self.show_setting()
        self._later = ""
        if device.gpu and not self._file and self.text.strip():
            self.compute()

    def _answered(self, outcome: Outcome) -> None:
        self.devices.look()  # only now: the first picture does not wait for it
        self.busy = False
        self.awaited.emit()
        if outcome.error is not None:
            self._refuse(outcome.error)
        elif outcome.value is not None:
            self._take(outcome.value)

    def _take(self, result: PairResult) -> None:
        """Show a run, and note where it came from."""
        self.result = result
        self._notice.clear()
        field, sentence = self._controls.field, result.sentence
        if self._file:
            self._typing.stop()
            self.setting = self._setting_shown() or self.setting
            self.show_setting()
            field.setText(" ".join(sentence.tokens))
            self._notice.say(self._say("window.opened", name=Path(self._file).name))
        else:
            self._history.show((self._asked, self.setting))
            others = [other for other in self.recent if other != self._asked]
            self.recent = [self._asked, *others][:RECENT]
        field.mark(sentence.typed, result.pair.unknown)
        self.arrived.emit()

    def _refuse(self, error: Exception) -> None:
        """Say what could not be computed, and let the choice of models tell what is shown."""
        from engine.weights import WeightsError

        sentence = sentence_of(error)
        shown = self._setting_shown() or Setting()
        if not isinstance(error, WeightsError) or shown == self.setting:
            self._notice.say(sentence)
            return
        self.setting = shown
        self.show_setting()
        instead = self._say("window.instead", model=self._say(f"window.chain.{shown.cell}"))
        self._notice.say(f"{sentence} {instead}", until_next=self.pair is None)
        if self.pair is None:
            self.compute()


def _nothing() -> None:
    """Compute nothing."""


def _recorded(
    recorder: Recorder, device: Device | None, function: Callable[..., Any], *given: Any
) -> Any:
    """Return what a function returns, whose runs a device computes and the recorder is told of."""
    import widgets.scenes  # noqa: F401  (imported here, so that the window does not wait for it)
    from app.compute import computing_on, watched
    from engine.device import HOST

    with watched(recorder), computing_on(device or HOST):
        return function(*given)


def _open(path: str, setting: Setting) -> Any:
    from app.compute import open_trace

    return open_trace(path, setting.chain, setting.grid)


def _compute(text: str, setting: Setting) -> Any:
    from app.compute import make_pair

    return make_pair(
        text,
        setting.chain,
        setting.grid,
        positions=setting.positions,
        trained=setting.trained,
        precision=setting.precision,
    )

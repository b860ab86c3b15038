"""Chapter 3, CPU & GPU works: what is chosen, what this machine is measured to do, and when."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QPushButton

from app import DEFAULT_PAIR, DEFAULT_TEXT
from app.background import Background, Outcome
from app.chapters import Group, Host
from app.choice_bar import ChoiceBar
from app.player import Player
from app.saying import sentence_of
from app.this_machine import FILE as FILE
from app.this_machine import stamp
from engine import parts
from engine.race import OPS
from engine.workload import Device
from widgets.canvas import Canvas
from widgets.scenes.cpu_gpu import Race, cpu_gpu
from widgets.stage import Stage
from widgets.view import View

if TYPE_CHECKING:
    from engine.race import Measured
    from engine.recorder import Recorder
    from engine.trace import Pair
    from widgets.canvas import Scene
    from widgets.captions import Captions
    from widgets.inspector import Page
    from widgets.theme import Theme

PART = "h100"
ROUND_SECONDS = 0.15  # of measuring, before the new points are shown
DATA, LAUNCHES = ("resident", "copied"), ("single", "graph")
MOST_TICK = 1_000
# Of a subject, what ``prepare`` finds; the rest is chosen.
PREPARED = ("words", "weights", "asks", "head", "block", "left_out", "measured")
# Points of a whole sweep, of which the share that is there is said; more only on a GPU.
POINTS = 160


def prepare(pair: Pair | None, path: Path, part: str) -> Race:
    """Return the subject: of these runs, or of the default sentence, with what is remembered."""
    from engine import race_file
    from widgets.scenes.cpu_gpu.subject import chosen

    if pair is None:
        from app.compute import make_pair

        pair = make_pair(DEFAULT_TEXT, *DEFAULT_PAIR).pair
    return Race(**chosen(pair), measured=race_file.load(path), part=parts.load(part))


def sweep(stop: Callable[[], bool], recorder: Recorder | None = None) -> Iterator[Measured]:
    """Return what this machine does, more of it each time, on its GPU too where it has one.

    A recorder is told of everything that runs for it.
    """
    from importlib.util import find_spec

    from engine import race, race_device

    device = None
    if find_spec("cupy") is not None:
        from engine.device import on_device
        from engine.gpu import ops_for, probe

        found = on_device(probe)
        if found.gpu:
            device = race_device.OnDevice(found.name, on_device(ops_for, found), on_device)
    note = None if recorder is None else recorder.note
    return race.sweep(stop=stop, device=device, note=note)


def _first(stop: threading.Event, recorder: Recorder) -> tuple[Iterator[Measured], Measured | None]:
    return _next(sweep(stop.is_set, recorder), recorder)


def _next(
    points: Iterator[Measured], recorder: Recorder
) -> tuple[Iterator[Measured], Measured | None]:
    """Return what came within a moment, None when there was no more."""
    began, found = monotonic(), None
    with recorder.job():
        for found in points:
            if monotonic() - began > ROUND_SECONDS or found.complete:
                break
    return points, found


def keep(found: Measured, path: Path) -> None:
    """Write what was measured."""
    from engine import race_file

    race_file.save(found, path)


class CpuGpu(QObject):
    """The chapter: measures once in the background, and shows at once what is remembered."""

    id = "cpu-gpu"
    changed = Signal()
    said = Signal(str)

    def __init__(self, host: Host) -> None:
        super().__init__(host.window)
        self._say, self._host = host.say, host
        self._path = host.folder / FILE
        self.player = Player(self)
        self.canvas = Canvas(View(1188, 728, host.theme, host.say))
        self.page = Stage(self.canvas)
        self.controls = RaceControls(host.say)
        self.subject: Race | None = None
        self._pair: Pair | None = None
        self._chosen: dict[str, Any] = {"op": OPS[0], "resident": True, "graph": False}
        self._part = PART
        self._kept_tick = 0.0
        self._known = 0  # stamp of the file that is shown
        self._remembered: Measured | None = None  # that comes back when a sweep is stopped
        self._stop = threading.Event()
        self._sweeping = self._front = False
        self._wanted = True  # until somebody stops it, or it is there
        self._version = 0
        self._background, self._meter, self._keeper = (Background(self) for _ in range(3))
        self.keys: Mapping[str, Callable[[], object]] = {
            "shorter": lambda: self._other_op(-1),
            "longer": lambda: self._other_op(1),
        }
        self._connect()
        self._show_chosen()

    def _connect(self) -> None:
        self._background.done.connect(self._arrive)
        self._meter.done.connect(self._measured)
        self._keeper.done.connect(self._kept)
        self.player.moved.connect(self.canvas.show_tick)
        self.controls.chosen.connect(self.choose)
        self.controls.measure.clicked.connect(self.measure_or_stop)
        self.canvas.failed.connect(lambda error: self.said.emit(sentence_of(error)))

    # ------------------------------------------------------------------ what the window asks

    @property
    def busy(self) -> bool:
        """Return whether there is nothing to be seen yet."""
        return self._background.busy

    @property
    def is_open(self) -> bool:
        """Return whether an element is opened."""
        return bool(self.canvas.view.selected)

    @property
    def measuring(self) -> bool:
        """Return whether this machine is being measured."""
        return self._sweeping

    def groups(self) -> tuple[Group, ...]:
        """Return shapes, race, time against size and against T."""
        if self.subject is None:
            return ()
        first = self.subject.pages
        ends = (first.race - 1, first.sizes - 1, first.lengths - 1, first.last)
        captions = ("shapes", "race", "sizes", "lengths")
        return tuple(
            Group(self._say(f"race.group.{caption}"), begin, end)
            for caption, begin, end in zip(captions, first[:4], ends, strict=True)
        )

    def title(self, tick: int) -> tuple[str, str]:
        """Return which page it is, and what of it is now."""
        if self.subject is None:
            return "", ""
        from widgets.scenes.cpu_gpu import now_words

        page = self.subject.page(tick)
        return self._say(f"race.group.{page}"), now_words(self.subject, tick, self.canvas.view)

    def device(self) -> tuple[str, str]:
        """Return what is measured and what is modelled."""
        if self.subject is None:
            return "", ""
        part, measured = self.subject.part_name, self.subject.measured
        if measured is not None and measured.device:
            device = measured.device
            title = self._say("race.badge_device_title", part=part, device=device)
            return self._say("race.badge_device", device=device), title
        return self._say("race.badge", part=part), self._say("race.badge_title", part=part)

    def page_key(self) -> object:
        """Return what the inspector's page depends on."""
        if self.subject is None:
            return None
        return self.canvas.view.selected or self.player.shown, self._version

    def write(self, page: Page) -> None:
        """Write the page of what is opened, or of the tick."""
        if self.subject is not None:
            from widgets import race_pages

            name = self.canvas.view.selected
            race_pages.write(page, self.subject, name, self.player.shown, self._say)

    def still(self) -> tuple[Scene, Race] | None:
        """Return the scene and its subject."""
        return None if self.subject is None else (cpu_gpu, self.subject)

    def show_theme(self, theme: Theme, scale: float) -> None:
        """Draw in another theme, so many times larger."""
        self.canvas.show_with(theme=theme)
        self.canvas.enlarge(scale)
        self.controls.show_theme(theme, scale)

    def begin(self) -> None:
        """Show the sentence of chapter 1, and measure this machine unless that is remembered.

        Another chapter may have measured it anew.
        """
        self._front = True
        pair = getattr(getattr(self._host.window, "first", None), "pair", None)
        other, known = pair is not None and pair is not self._pair, stamp(self._path)
        if self.subject is None or other or known != self._known:
            self._known = known
            self._pair = pair if other else self._pair
            self._background.ask(prepare, self._pair, self._path, self._part)
            self.changed.emit()
        else:
            self._begin_sweep()

    def end(self) -> None:
        """Stand still; a sweep in the back would take the time of what is in front."""
        self._front = False
        self.player.seek(self.player.target)
        self._end_sweep()

    def close(self) -> None:
        """End the workers."""
        self.end()
        self._background.close()
        self._meter.close()
        self._keeper.close(finish=True)

    def remember(self) -> dict[str, Any]:
        """Return what is chosen, and where we are."""
        return {**self._chosen, "part": self._part, "tick": self.player.tick}

    def restore(self, kept: dict[str, Any]) -> None:
        """Take what was kept; what is damaged is left at its default."""
        if isinstance(kept.get("op"), str) and kept["op"] in OPS:
            self._chosen["op"] = kept["op"]
        for name in ("resident", "graph"):
            if isinstance(kept.get(name), bool):
                self._chosen[name] = kept[name]
        for kind in ("data", "launch"):  # as a claim says them
            if isinstance(kept.get(kind), str):
                self.choose(kind, kept[kind])
        if isinstance(kept.get("part"), str) and kept["part"] in gpus():
            self._part = kept["part"]
        tick = kept.get("tick")
        if isinstance(tick, int | float) and 0 <= tick < MOST_TICK:
            self._kept_tick = float(int(tick))
        self._show_chosen()

    # ------------------------------------------------------------------ what is chosen

    def activate(self, name: str) -> None:
        """Choose what a control of the stage stands for, or open an element."""
        kind, _, rest = name.partition(":")
        if kind == "choose":
            self.choose(*rest.split(":", 1))
        elif kind == "page" and self.subject is not None:
            self.player.seek(getattr(self.subject.pages, rest))
        elif not name or self._is_element(name):
            self._select("" if name == self.canvas.view.selected else name)

    def follow(self, name: str) -> None:
        """Open what a link names."""
        self.activate(name)

    def back(self) -> None:
        """Close what is opened."""
        self._select("")

    def leave(self) -> None:
        """Close what is opened, or stop what is measured."""
        if self.canvas.view.selected:
            self._select("")
        elif self._sweeping:
            self.measure_or_stop()

    def choose(self, kind: str, id: str) -> None:
        """Choose operation, data, launch or part; nothing is measured anew for it."""
        if kind == "op" and id in OPS:
            self._chosen["op"] = id
        elif kind == "data" and id in DATA:
            self._chosen["resident"] = id == DATA[0]
        elif kind == "launch" and id in LAUNCHES:
            self._chosen["graph"] = id == LAUNCHES[1]
        elif kind == "part" and id in gpus():
            self._part = id
        self._show_chosen()
        self._show()

    def _other_op(self, by: int) -> None:
        at = OPS.index(self._chosen["op"]) + by
        self.choose("op", OPS[min(max(at, 0), len(OPS) - 1)])

    def _show_chosen(self) -> None:
        data = DATA[0] if self._chosen["resident"] else DATA[1]
        launch = LAUNCHES[1] if self._chosen["graph"] else LAUNCHES[0]
        self.controls.show_chosen(
            {"part": self._part, "op": self._chosen["op"], "data": data, "launch": launch},
            measuring=self._sweeping,
        )

    def _select(self, name: str) -> None:
        if name != self.canvas.view.selected:
            self.canvas.show_with(selected=name)
            self.changed.emit()

    def _is_element(self, name: str) -> bool:
        from widgets import race_pages

        return self.subject is not None and race_pages.is_element(self.subject, name)

    # ------------------------------------------------------------------ what is shown

    def _arrive(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            self.said.emit(sentence_of(outcome.error))
            self.changed.emit()
            return
        first = self.subject is None
        made: Race = outcome.value
        taken = {name: getattr(made, name) for name in PREPARED}
        if self._sweeping or made.measured is None:
            del taken["measured"]
        self.subject = self.subject or made
        self._show(**taken)
        if first and self._kept_tick:
            self.player.seek(self._kept_tick)
        self._begin_sweep()

    def _show(self, **changed: Any) -> None:
        """Show the subject with what is chosen and what has changed."""
        if self.subject is None:
            return
        before = self.subject.pages
        part = parts.load(self._part)
        self.subject = replace(self.subject, **self._chosen, part=part, **changed)
        after = self.subject.pages
        tick, page = self.player.tick, self.subject.page(0)
        for name in after._fields[:-1]:
            if tick >= getattr(before, name):
                page = name
        self._version += 1
        self.canvas.show_scene(cpu_gpu, self.subject, same=True)
        if self.player.last != after.last:
            self.player.set_last(after.last)
        if after != before and tick >= before.sizes:  # the axis of the race has become another
            self.player.seek(getattr(after, page) + tick - getattr(before, page))
        self.changed.emit()

    # ------------------------------------------------------------------ measuring

    def measure_or_stop(self) -> None:
        """Measure this machine anew, or stop doing so: what was remembered is shown again."""
        if self._sweeping:
            self._wanted = False
            self._end_sweep()
            self.said.emit(self._say("race.stopped"))
        elif self.subject is not None:
            self._wanted = True
            self._begin_sweep(anew=True)

    def _begin_sweep(self, *, anew: bool = False) -> None:
        if self.subject is None or self._sweeping or not self._front:
            return
        known = self.subject.measured is not None and self.subject.measured.complete
        if not anew and (known or not self._wanted):
            return
        self._remembered = self.subject.measured
        self._sweeping = True
        self._stop = threading.Event()
        self._meter.ask(_first, self._stop, self._host.recorder)
        self._show_chosen()
        self._show(progress=0.0)

    def _end_sweep(self) -> None:
        if not self._sweeping:
            return
        self._stop.set()
        self._sweeping = False
        self._show_chosen()
        if self.subject is not None:
            kept = self._remembered if self._remembered is not None else self.subject.measured
            self._show(progress=None, measured=kept)

    def _measured(self, outcome: Outcome) -> None:
        """Show what has come, and go on; what comes behind a stop is dropped."""
        if not self._sweeping or self.subject is None:
            return
        if outcome.error is not None:
            self.said.emit(sentence_of(outcome.error))
            self._wanted = False
            self._end_sweep()
            return
        points, found = outcome.value
        if found is None or found.complete:
            self._sweeping = False
            self._show_chosen()
            shown = found if found is not None else self.subject.measured
            self._show(progress=None, measured=shown)
            if found is not None:
                self._keeper.ask(keep, found, self._path)
            return
        self._meter.ask(_next, points, self._host.recorder)
        self._show(progress=_progress(found), measured=found)

    def _kept(self, outcome: Outcome) -> None:
        self._known = stamp(self._path)
        if outcome.error is not None:
            self.said.emit(sentence_of(outcome.error))


def _progress(found: Measured) -> float:
    done = sum(map(len, (found.sizes, found.outputs, found.branches, found.lengths)))
    return min(done / POINTS, 0.99)


def gpus() -> tuple[str, ...]:
    """Return the ids of the GPUs whose data sheets there are."""
    return tuple(id for id in parts.available() if parts.load(id).device == Device.GPU)


class RaceControls(ChoiceBar):
    """Part, operation, data and launch; and the button to measure."""

    def __init__(self, say: Captions) -> None:
        offers = {
            "part": [(id, parts.load(id).title) for id in gpus()],
            "op": [(op, say(f"race.bar.op.{op}")) for op in OPS],
            "data": [(data, say(f"race.bar.data.{data}")) for data in DATA],
            "launch": [(how, say(f"race.bar.launch.{how}")) for how in LAUNCHES],
        }
        titled = {kind: (say(f"race.bar.{kind}"), rows) for kind, rows in offers.items()}
        super().__init__(say, say("race.bar.whole"), titled)
        self.measure = QPushButton(say("race.measure"), self)
        self.measure.setObjectName("box")
        self._behind = (self.measure,)

    def show_chosen(self, chosen: Mapping[str, str], *, measuring: bool) -> None:
        """Show what is chosen, and what the button does."""
        self.measure.setText(self._say("race.stop" if measuring else "race.measure"))
        self.measure.setToolTip(self._say("race.stop_title" if measuring else "race.measure_title"))
        self.show_ids(chosen)

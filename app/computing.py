"""Chapter 2, 3 Computing in AI: one workload, three lanes, and what share of the time each has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QObject, QRect, QTimer, Signal

from app import classes, recordings, this_machine, workloads
from app.background import Background, Outcome
from app.chapters import Group, Host
from app.live_runs import Beside, Round, measure, subject_of
from app.player import Player
from app.saying import sentence_of
from app.workload_bar import WorkloadControls
from app.workloads import Chosen
from engine import parts
from engine.units import Work
from widgets import equation
from widgets.canvas import Canvas
from widgets.scenes.computing_units import computing_units, plot_box
from widgets.scenes.computing_units.live import WINDOW, last_of, shows_training
from widgets.scenes.computing_units.subject import FACTORS, LANES, MODES, Computing, Live, Sample
from widgets.stage import Stage
from widgets.view import View

if TYPE_CHECKING:
    from app.recordings import Found
    from engine.live import Meter
    from engine.report import Recording
    from engine.workload import Workload
    from widgets.canvas import Scene
    from widgets.inspector import Page
    from widgets.share_plot import SharePlot
    from widgets.theme import Theme

SLICE_MS = 8  # between two slices of what is made before the first run
NEXT_RUN_MS = 80  # between two runs: 12 a second at most
TOLD_MS = 500  # how often the stage says the last numbers
STILL = 6  # times that a training took no step, until it is looked at no more
MOST_TICK = 100_000


class ComputingUnits(QObject):
    """What is chosen of the workload, what was measured, and when it is seen."""

    id = "three-computing"
    changed = Signal()
    said = Signal(str)

    def __init__(self, host: Host) -> None:
        super().__init__(host.window)
        self._say, self._theme, self._scale = host.say, host.theme, 1.0
        self._recorder, self._host = host.recorder, host
        self._seen = (-1, 0)  # the training's last step that was seen, and how often
        self.player = Player(self)
        self.canvas = Canvas(View(1188, 728, host.theme, host.say))
        self.page = Stage(self.canvas)
        self.controls = WorkloadControls(host.say)
        self.chosen = workloads.DEFAULT
        self.subject: Computing | None = None
        self._good = self.chosen  # what the subject was made of
        self._round: Round | None = None
        self._samples: tuple[Sample, ...] = ()
        self._pipe: tuple[float | None, ...] = ()  # of each sample
        self._path = host.folder / this_machine.FILE
        self._anew = False  # whether this machine is to be measured although that is remembered
        self._recordings: dict[str, Recording] = {}
        self._reports: tuple[str, ...] = ()  # files that recordings were read from
        self._version = 0
        self._wanted = ""  # a report that was dropped and is being read
        self._where: Meter | None = None  # what measures here; None: nobody has looked
        self._kept_tick = 0.0
        self._front = False
        self.plot: SharePlot | None = None
        self._background, self._meter, self._reader = (Background(self) for _ in range(3))
        self._next = QTimer(self)
        self._next.setSingleShot(True)
        self._next.setInterval(NEXT_RUN_MS)
        self._told = QTimer(self)
        self._told.setSingleShot(True)
        self._told.setInterval(TOLD_MS)
        self.keys: Mapping[str, Callable[[], object]] = {
            "mode": self.next_mode,
            "precision": self.next_precision,
            "longer": lambda: self._faster(1),
            "shorter": lambda: self._faster(-1),
        }
        self._connect()
        self.controls.show_chosen(self.chosen)

    def _connect(self) -> None:
        self._background.done.connect(self._arrive)
        self._meter.done.connect(self._measured)
        self._reader.done.connect(self._read)
        self._next.timeout.connect(self._run)
        self._told.timeout.connect(self._tell)
        self.player.moved.connect(self.canvas.show_tick)
        self.player.changed.connect(self._go_on)
        self.controls.chosen.connect(self.choose)
        self.canvas.failed.connect(lambda error: self.said.emit(sentence_of(error)))
        self.canvas.installEventFilter(self)

    # ------------------------------------------------------------------ what the window asks

    @property
    def busy(self) -> bool:
        """Return whether another workload is being computed, or a recording read."""
        return self._background.busy or self._reader.busy

    @property
    def measuring(self) -> bool:
        """Return whether the first run here is still to come, or to be drawn."""
        drawn = self.plot is not None and self.plot.settled
        return self._front and not (self._samples and drawn)

    @property
    def is_open(self) -> bool:
        """Return whether an element is opened."""
        return bool(self.canvas.view.selected)

    def groups(self) -> tuple[Group, ...]:
        """Return host, block, backward and update, none before there is a workload."""
        if self.subject is None:
            return ()
        return tuple(
            Group(self._say(f"units.group.{caption}", block=block + 1), first, last)
            for caption, block, first, last in self.subject.run.groups()
        )

    def title(self, tick: int) -> tuple[str, str]:
        """Return which operation it is, and its name and block."""
        if self.subject is None:
            return "", ""
        run = self.subject.run
        head = self._say("units.transport", tick=tick, last=run.last_tick)
        if not 0 < tick <= run.last_tick:
            return head, run.workload
        caption, block = next((c, b) for c, b, _, last in run.groups() if tick <= last)
        where = self._say(f"units.stretch.{caption}", block=block + 1, blocks=run.blocks)
        return head, f"{equation.plain(run.spans[tick - 1].label)} · {where}"

    def device(self) -> tuple[str, str]:
        """Return for what it is modelled, and what was timed."""
        if self.subject is None:
            return "", ""
        part, made = self.subject.part, self.subject.recorded
        if self.chosen.part == parts.THIS:
            part = self._say("units.this_machine_said")
        if made is not None:
            title = self._say("units.badge_recorded_title", label=made.label, part=part)
            return self._say("units.badge_recorded", card=workloads.short_name(made.card)), title
        here = self._where  # before the first run nobody has looked for a GPU
        where = (here.name if here is not None else "") or self._say("units.this_cpu")
        title = self._say("units.badge_title", part=part, where=where)
        if here is not None and here.device.reason:
            title = f"{title} {here.device.reason}"
        return self._say("units.badge", part=part), title

    def page_key(self) -> object:
        """Return what the inspector's page depends on."""
        if self.subject is None:
            return None
        name = self.canvas.view.selected
        which = name or self.player.shown
        return which, self._version, len(self._samples) if name.startswith("live") else 0

    def write(self, page: Page) -> None:
        """Write the page of what is opened, or of the operation at the tick."""
        if self.subject is not None:
            from widgets import unit_pages

            name = self.canvas.view.selected
            unit_pages.write(page, self.subject, name, self.player.shown, self._say)

    def still(self) -> tuple[Scene, Computing] | None:
        """Return the scene and its subject, with the series as it was recorded."""
        if self.subject is None:
            return None
        return computing_units, replace(self.subject, live=self._live())

    def show_theme(self, theme: Theme, scale: float) -> None:
        """Draw in another theme, so many times larger."""
        self._theme, self._scale = theme, scale
        self.canvas.show_with(theme=theme)
        self.canvas.enlarge(scale)
        self.controls.show_theme(theme, scale)
        if self.plot is not None:
            self.plot.show_theme(theme, self.canvas.fitted()[2])
        self._place_plot()

    def begin(self) -> None:
        """Compute what is chosen, and measure once; a training goes on behind."""
        self._front = True
        self._host.train_behind(True)
        self._seen = (-1, 0)
        self._told.start()
        if self.subject is None:
            if self._reports or recordings.FOLDER.is_dir():
                self._reader.ask(recordings.find, self._reports)
            self._compute()
        self._run()

    def end(self) -> None:
        """Stand still, and measure nothing in the back."""
        if self._front:
            self._host.train_behind(False)
        self._front = False
        self._next.stop()
        self._told.stop()
        self.player.seek(self.player.target)
        if self.plot is not None:
            self.plot.stop()

    def close(self) -> None:
        """End the workers."""
        self.end()
        self._background.close()
        self._meter.close()
        self._reader.close()

    def open_recording(self, path: str) -> None:
        """Show what a file of ``unrolled doctor --gpu-selfcheck`` says; what it cannot is said."""
        self._wanted = path
        self._reader.ask(recordings.find, (*self._reports, path))
        self.changed.emit()

    def remember(self) -> dict[str, Any]:
        """Return the workload, what is shown of it, and where we are."""
        chosen, work = self.chosen, self.chosen.workload
        return {
            "model": work.model, "mode": str(work.mode), "batch": work.batch,
            "tokens": work.tokens, "precision": str(work.precision), "style": str(work.style),
            "part": chosen.part, "recording": chosen.recording, "reports": list(self._reports),
            "preset": workloads.preset_of(work, chosen.part),
            "unit": str(chosen.unit), "factor": chosen.factor, "folded": chosen.folded,
            "tick": self.player.tick,
        }  # fmt: skip

    def restore(self, kept: dict[str, Any]) -> None:
        """Take what was kept; what is damaged is left at its default."""
        words = ("model", "mode", "precision", "style", "part")
        texts = {key: kept[key] for key in words if isinstance(kept.get(key), str)}
        whole = {key: kept[key] for key in ("batch", "tokens") if type(kept.get(key)) is int}
        preset = kept.get("preset")
        try:
            if isinstance(preset, str) and preset in workloads.PRESETS:
                self.chosen = workloads.chosen_from(preset=preset)
            else:
                self.chosen = workloads.chosen_from(**texts, **whole)
        except ValueError:
            self.chosen = workloads.DEFAULT
        recording, reports = kept.get("recording"), kept.get("reports")
        if isinstance(reports, list) and all(isinstance(path, str) for path in reports):
            self._reports = tuple(reports[: recordings.MOST])
            if isinstance(recording, str) and self._reports:
                self.chosen = replace(self.chosen, recording=recording)
        unit, factor, tick = (kept.get(key) for key in ("unit", "factor", "tick"))
        if isinstance(unit, str) and unit in {str(work) for work in LANES}:
            self.chosen = replace(self.chosen, unit=Work(unit))
        if type(factor) is int and factor in FACTORS:
            self.chosen = replace(self.chosen, factor=factor)
        if isinstance(kept.get("folded"), bool):
            self.chosen = replace(self.chosen, folded=kept["folded"])
        if isinstance(tick, int | float) and 0 <= tick < MOST_TICK:
            self._kept_tick = float(int(tick))
        self._good = self.chosen
        self.controls.show_chosen(self.chosen)

    # ------------------------------------------------------------------ what is chosen

    def activate(self, name: str) -> None:
        """Choose what a control of the stage stands for, or open an element."""
        if name.startswith("choose:"):
            _, kind, id = name.split(":", 2)
            self.choose(kind, id)
        elif name == "tile:fp16":
            self.choose("panel", "faster" if self.chosen.panel == "tile" else "tile")
            self._select(name if self.chosen.panel == "tile" else "")
        elif name.startswith("open:"):
            self._host.open_chapter(name.removeprefix("open:"))
        elif name.startswith("tile:c[") and name.endswith("]"):
            row, column = (int(n) for n in name[7:-1].split(","))
            self._take(replace(self.chosen, cell=(row, column)))
            self._select("tile:c")
        elif not name or self._is_element(name):
            self._select("" if name == self.canvas.view.selected else name)

    def follow(self, name: str) -> None:
        """Open what a link names."""
        self.activate(name)

    def back(self) -> None:
        """Close what is opened: the element, then the tile."""
        if self.canvas.view.selected:
            self._select("")
        elif self.chosen.panel != "faster":
            self.choose("panel", "faster")

    def leave(self) -> None:
        """Close what is opened."""
        self._select("")

    def next_mode(self) -> None:
        """Go from training to inference, to decoding, and back."""
        at = MODES.index(str(self.chosen.workload.mode))
        self.choose("mode", MODES[(at + 1) % len(MODES)])

    def next_precision(self) -> None:
        """Go to the next precision in which the part computes, from the least to the most exact."""
        if self.subject is None:
            return
        known = [offer.id for offer in self.subject.precisions if not offer.reason]
        at = known.index(now) if (now := str(self.chosen.workload.precision)) in known else -1
        self.choose("precision", known[(at + 1) % len(known)])

    def choose(self, kind: str, id: str) -> None:
        """Choose something of a kind; what cannot be is said, and nothing changes."""
        chosen = self.chosen
        work = chosen.workload
        if reason := self._reason(kind, id):
            self.said.emit(reason)
            return
        try:
            if kind in ("mode", "precision", "style", "batch", "tokens"):
                number = kind in ("batch", "tokens")
                given: dict[str, Any] = {kind: int(id) if number else id}
                self._take(replace(chosen, workload=replace(work, **given)))
            elif kind == "model":
                asked = workloads.chosen_from(
                    model=id, mode=str(work.mode), style=str(work.style),
                    precision=str(work.precision), part=chosen.part,
                )  # fmt: skip
                self._take(replace(chosen, workload=asked.workload))
            elif kind == "preset":
                preset = workloads.PRESETS[id]
                self._take(
                    replace(chosen, workload=preset.workload, part=preset.part, recording="")
                )
            elif kind == "part" and id in self._recordings:
                self._take(self._recorded(id))
            elif kind == "part" and id == workloads.AGAIN:
                self._anew = True
                self._take(replace(chosen, part=parts.THIS, recording=""), anew=True)
            elif kind == "part":
                self._take(replace(chosen, part=id, recording=""))
            elif kind == "lanes":
                self._take(replace(chosen, lanes=id))
            elif kind == "unit":
                self._take(replace(chosen, unit=Work(id)))
            elif kind == "faster":
                self._take(replace(chosen, factor=int(id)))
            elif kind == "fold":
                self._take(replace(chosen, folded=not chosen.folded))
            elif kind == "panel":
                self._take(replace(chosen, panel=id))
        except ValueError as error:
            self.said.emit(sentence_of(error))
            self.controls.show_chosen(self.chosen)

    def _reason(self, kind: str, id: str) -> str:
        """Return why something cannot be chosen now, or ""."""
        if self.subject is None:
            return ""
        offers = {"precision": self.subject.precisions, "lanes": self.subject.lanes}.get(kind, ())
        return next((offer.reason for offer in offers if offer.id == id), "")

    def _faster(self, by: int) -> None:
        at = FACTORS.index(self.chosen.factor) + by
        self.choose("faster", str(FACTORS[min(max(at, 0), len(FACTORS) - 1)]))

    def _recorded(self, id: str) -> Chosen:
        """Return the choice with a recording, of a workload that it has."""
        recording = self._recordings[id]
        part, had = recordings.part_like(recording, self.chosen.part), recording.workloads()
        chosen = replace(self.chosen, recording=id, part=part)
        if recording.of(chosen.workload) is None and had:
            chosen = replace(chosen, workload=had[0])
        return chosen

    def _read(self, outcome: Outcome) -> None:
        """Offer the recordings that were found; one that was asked for is shown."""
        wanted, self._wanted = self._wanted, ""
        if outcome.error is not None:
            self.said.emit(sentence_of(outcome.error))
            self.changed.emit()
            return
        found: Found = outcome.value
        self._recordings, self._reports = found.recordings, found.paths
        self.controls.offer_recordings(self._recordings)
        for problem in found.problems:
            self.said.emit(problem)
        if wanted and wanted in found.paths:
            # It is the last one that was read.
            self._take(self._recorded(list(found.recordings)[-1]), anew=True)
        elif self.chosen.recording:
            known = self.chosen.recording in self._recordings
            self._take(self.chosen if known else replace(self.chosen, recording=""), anew=True)
        self.controls.show_chosen(self.chosen)
        self.changed.emit()

    def _take(self, chosen: Chosen, *, anew: bool = False) -> None:
        if chosen == self.chosen and not anew:
            return
        self.chosen = chosen
        self.controls.show_chosen(chosen)
        self._compute()

    def _select(self, name: str) -> None:
        if name != self.canvas.view.selected:
            self.canvas.show_with(selected=name)
            self.changed.emit()

    def _is_element(self, name: str) -> bool:
        from widgets import unit_pages

        return self.subject is not None and unit_pages.is_element(self.subject, name)

    # ------------------------------------------------------------------ computing

    def _compute(self) -> None:
        """Ask for what is chosen; until it comes the last picture stays."""
        self._background.ask(
            subject_of, self.chosen, self._say, self._live(), self._round,
            Beside(self._recordings.get(self.chosen.recording), self._path, self._anew,
                    self._recorder),
        )  # fmt: skip
        self._anew = False
        self.changed.emit()

    def _arrive(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            self.said.emit(sentence_of(outcome.error))
            self.chosen = self._good
            self.controls.show_chosen(self.chosen)
            self.changed.emit()
            return
        chosen, subject, problem = outcome.value
        if problem:
            self.said.emit(problem)
        first, other = self.subject is None, chosen.workload != self._good.workload
        last = self.subject.run if self.subject is not None else None
        self._good = chosen
        self._version += 1
        if self._live_workload() != (self._round.workload if self._round else None):
            self._samples, self._pipe = (), ()
            self._round = None
            self._run()
        self.subject = replace(subject, live=self._live())
        self.canvas.show_scene(computing_units, self.subject, same=not other)
        if self.canvas.view.selected and not self._is_element(self.canvas.view.selected):
            self._select("")
        if last is None or last.last_tick != self.subject.last_tick:
            self.player.set_last(self.subject.last_tick)
        if first and self._kept_tick:
            self.player.seek(self._kept_tick)
        self._place_plot()
        self.changed.emit()

    # ------------------------------------------------------------------ measuring

    def _live_workload(self) -> Workload:
        precisions = (self._where.precisions,) if self._where is not None else ()
        return workloads.live_workload(self.chosen.workload, *precisions)[0]

    @property
    def _trains(self) -> bool:
        """Return whether a training took a step a moment ago."""
        return 0 <= self._seen[0] and self._seen[1] < STILL

    def _live(self) -> Live:
        """Return what was measured of the training and of the workload that runs here."""
        return replace(self._series(), trained=self._recorder.trained)

    def _series(self) -> Live:
        """Return what was measured of the workload that runs here, with its words."""
        found, work = self._round, self.chosen.workload
        if found is None:
            return workloads.live(work, self._samples, 0.0, self._say)
        return workloads.live(
            work, self._samples, found.measured.seconds, self._say, runs=found.workload,
            path=found.measured.shares.path, device=found.meter.name, pipe=self._pipe,
            pipe_reason=found.meter.pipe_reason, recording=found.recording,
        )  # fmt: skip

    def _go_on(self) -> None:
        """Measure again and again while it plays."""
        if self.player.playing and self._front and not self._meter.busy:
            self._run()

    def _run(self) -> None:
        if self._round is not None and self._trains:
            return  # both would be slower than they are
        if self._front and not self._meter.busy:
            runs = self._round.runs if self._round is not None else None
            if not classes.make(classes.SLICE_SECONDS):  # importing pyqtgraph names them all
                QTimer.singleShot(SLICE_MS, self, self._run)
                return
            adds = self._round.recording if self._round is not None else None
            self._meter.ask(measure, self._live_workload(), runs, self._recorder, self._where, adds)

    def _measured(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            self.said.emit(sentence_of(outcome.error))
            return
        found: Round = outcome.value
        self._where = found.meter
        if found.said:
            self.said.emit(found.said)
        if found.workload != self._live_workload():
            self._run()
            return
        first, self._round = self._round is None, found
        if len(self._samples) >= WINDOW:
            self._samples = self._samples[WINDOW // 2 :]
            self._pipe = self._pipe[WINDOW // 2 :]
        self._samples = (*self._samples, workloads.sample_of(found.measured))
        self._pipe = (*self._pipe, found.pipe)
        if first:  # the lanes can show it now
            self._compute()
        if self._front:
            self._draw_plot()
            if not self._told.isActive():
                self._told.start()
            if self.player.playing:
                self._next.start()

    def _tell(self) -> None:
        """Let the stage say the last numbers; while a training takes steps, again and again."""
        if not self._front:
            return
        trained = self._recorder.trained
        step, times = trained.step if trained is not None else -1, self._seen[1]
        self._seen = (step, times + 1 if step == self._seen[0] else 0)
        if self.subject is not None:
            before = shows_training(self.subject)
            self.subject = replace(self.subject, live=self._live())
            self.canvas.show_scene(computing_units, self.subject, same=True)
            if self.canvas.view.selected.startswith("live"):
                self._version += shows_training(self.subject)
                self.changed.emit()
            if before != shows_training(self.subject):
                self._place_plot()
        if self._seen[1] < STILL:
            self._told.start()

    def _draw_plot(self) -> None:
        if self.plot is None:
            from widgets.share_plot import SharePlot

            self.plot = SharePlot(self._theme, self.canvas)
            self.plot.show_theme(self._theme, self.canvas.fitted()[2])
            self._place_plot()
        known = last_of(self._pipe)
        words = self._say("units.legend.pipe_now", percent=f"{100 * known:.0f}")
        self.plot.show_samples(self._samples, self._pipe, words)

    # ------------------------------------------------------------------ the plot's place

    def _place_plot(self) -> None:
        """Lay the plot over its place on the stage; a black screen has none."""
        plot, view = self.plot, self.canvas.view
        if plot is None:
            return
        width, height, scale = self.canvas.fitted()
        x, y, wide, high = (side * scale for side in plot_box(width, height, view.controls))
        place = QRect(round(x), round(y), round(wide), round(high))
        if plot.geometry() != place:
            plot.setGeometry(place)
        plot.setVisible(self._plot_is_seen)

    @property
    def _plot_is_seen(self) -> bool:
        """Return whether the plot is on the stage: not on a black screen, nor where bars are."""
        subject = self.subject
        return not self.canvas.blank and subject is not None and not shows_training(subject)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Let the plot follow the stage."""
        if self.plot is not None and event.type() in (QEvent.Type.Resize, QEvent.Type.Show):
            self._place_plot()
        elif (
            self.plot is not None
            and event.type() == QEvent.Type.Paint
            and self.plot.isVisibleTo(self.canvas) != self._plot_is_seen
        ):
            QTimer.singleShot(0, self, self._place_plot)
        return False

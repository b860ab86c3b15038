"""Chapter 2, 3 Computing in AI: one workload, three lanes, and what share of the time each has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from PySide6.QtCore import QEvent, QObject, QRect, QSize, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QMenu, QSizePolicy, QToolButton, QWidget

from app import classes, workloads
from app.background import Background, Outcome
from app.chapters import Group, Host
from app.player import Player
from app.saying import sentence_of
from app.workloads import Chosen
from engine.shares import Work
from widgets.canvas import Canvas
from widgets.controls import Choice
from widgets.geometry import icon_factor, px
from widgets.scenes.computing_units import computing_units, plot_box
from widgets.scenes.computing_units.live import WINDOW
from widgets.scenes.computing_units.subject import FACTORS, LANES, MODES, Computing, Live, Sample
from widgets.stage import Stage
from widgets.view import View

if TYPE_CHECKING:
    from engine.live import Live as Runs
    from engine.live import Measured
    from engine.recorder import Recorder
    from engine.tile import Tile
    from engine.workload import Workload
    from widgets.canvas import Scene
    from widgets.captions import Captions
    from widgets.inspector import Page
    from widgets.share_plot import SharePlot
    from widgets.theme import Theme

NEXT_RUN_MS = 80  # between two runs: 12 a second at most
TOLD_MS = 500  # how often the stage says the last numbers
MOST_TICK = 100_000


class _Round(NamedTuple):
    """What the worker brings of one run."""

    workload: Workload
    runs: Runs
    measured: Measured
    tile: Tile


def measure(workload: Workload, runs: Runs | None, recorder: Recorder) -> _Round:
    """Return one run of a workload on this machine, laid out anew unless it was already."""
    import pyqtgraph  # noqa: F401  (the plot is made of it: here, so that no frame waits)

    from engine.live import Live as Runs

    if runs is None or runs.workload != workload:
        runs = Runs(workload)
        runs.run()  # touches its memory for the first time
    with recorder.job():
        measured = runs.run(watch=recorder.watch)
    return _Round(workload, runs, measured, runs.tile(measured))


class ComputingUnits(QObject):
    """What is chosen of the workload, what was measured, and when it is seen."""

    id = "three-computing"
    changed = Signal()
    said = Signal(str)

    def __init__(self, host: Host) -> None:
        super().__init__(host.window)
        self._say, self._theme, self._scale = host.say, host.theme, 1.0
        self._recorder = host.recorder
        self.player = Player(self)
        self.canvas = Canvas(View(1188, 728, host.theme, host.say))
        self.page = Stage(self.canvas)
        self.controls = WorkloadControls(host.say)
        self.chosen = workloads.DEFAULT
        self.subject: Computing | None = None
        self._good = self.chosen  # what the subject was made of
        self._round: _Round | None = None
        self._samples: tuple[Sample, ...] = ()
        self._version = 0
        self._kept_tick = 0.0
        self._front = False
        self.plot: SharePlot | None = None
        self._background, self._meter = Background(self), Background(self)
        self._next = QTimer(self)
        self._next.setSingleShot(True)
        self._next.setInterval(NEXT_RUN_MS)
        self._told = QTimer(self)
        self._told.setSingleShot(True)
        self._told.setInterval(TOLD_MS)
        self.keys: Mapping[str, Callable[[], object]] = {
            "mode": self.next_mode,
            "longer": lambda: self._faster(1),
            "shorter": lambda: self._faster(-1),
        }
        self._connect()
        self.controls.show_chosen(self.chosen)

    def _connect(self) -> None:
        self._background.done.connect(self._arrive)
        self._meter.done.connect(self._measured)
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
        """Return whether another workload is being computed."""
        return self._background.busy

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
        return head, f"{run.spans[tick - 1].label} · {where}"

    def device(self) -> tuple[str, str]:
        """Return for what it is modelled, and what was timed."""
        if self.subject is None:
            return "", ""
        part = self.subject.part
        return self._say("units.badge", part=part), self._say("units.badge_title", part=part)

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
        self.canvas.show_view(replace(self.canvas.view, theme=theme))
        self.canvas.enlarge(scale)
        self.controls.show_theme(theme, scale)
        if self.plot is not None:
            self.plot.show_theme(theme, self.canvas.fitted()[2])
        self._place_plot()

    def begin(self) -> None:
        """Compute what is chosen, and measure once."""
        self._front = True
        if self.subject is None:
            self._compute()
        self._run()

    def end(self) -> None:
        """Stand still, and measure nothing in the back."""
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

    def remember(self) -> dict[str, Any]:
        """Return the workload, what is shown of it, and where we are."""
        chosen, work = self.chosen, self.chosen.workload
        return {
            "model": work.model, "mode": str(work.mode), "batch": work.batch,
            "tokens": work.tokens, "precision": str(work.precision), "style": str(work.style),
            "part": chosen.part, "preset": workloads.preset_of(work, chosen.part),
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
                self._take(replace(chosen, workload=preset.workload, part=preset.part))
            elif kind == "part":
                self._take(replace(chosen, part=id))
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

    def _take(self, chosen: Chosen) -> None:
        if chosen == self.chosen:
            return
        self.chosen = chosen
        self.controls.show_chosen(chosen)
        self._compute()

    def _select(self, name: str) -> None:
        if name != self.canvas.view.selected:
            self.canvas.show_view(replace(self.canvas.view, selected=name))
            self.changed.emit()

    def _is_element(self, name: str) -> bool:
        from widgets import unit_pages

        return self.subject is not None and unit_pages.is_element(self.subject, name)

    # ------------------------------------------------------------------ computing

    def _compute(self) -> None:
        """Ask for what is chosen; until it comes the last picture stays."""
        self._background.ask(_subject, self.chosen, self._say, self._live(), self._round)
        self.changed.emit()

    def _arrive(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            self.said.emit(sentence_of(outcome.error))
            self.chosen = self._good
            self.controls.show_chosen(self.chosen)
            self.changed.emit()
            return
        chosen, subject = outcome.value
        first, other = self.subject is None, chosen.workload != self._good.workload
        last = self.subject.run if self.subject is not None else None
        self._good = chosen
        self._version += 1
        if self._live_workload() != (self._round.workload if self._round else None):
            self._samples, self._round = (), None
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
        return workloads.live_workload(self.chosen.workload)[0]

    def _live(self) -> Live:
        """Return what was measured, with its words."""
        seconds = self._round.measured.seconds if self._round is not None else 0.0
        return workloads.live(self.chosen.workload, self._samples, seconds, self._say)

    def _go_on(self) -> None:
        """Measure again and again while it plays."""
        if self.player.playing and self._front and not self._meter.busy:
            self._run()

    def _run(self) -> None:
        if self._front and not self._meter.busy:
            runs = self._round.runs if self._round is not None else None
            classes.make()  # the worker imports pyqtgraph, which names them all
            self._meter.ask(measure, self._live_workload(), runs, self._recorder)

    def _measured(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            self.said.emit(sentence_of(outcome.error))
            return
        found: _Round = outcome.value
        if found.workload != self._live_workload():
            self._run()
            return
        first, self._round = self._round is None, found
        if len(self._samples) >= WINDOW:
            self._samples = self._samples[WINDOW // 2 :]
        self._samples = (*self._samples, workloads.sample_of(found.measured))
        if first:  # the lanes can show it now
            self._compute()
        if self._front:
            self._draw_plot()
            if not self._told.isActive():
                self._told.start()
            if self.player.playing:
                self._next.start()

    def _tell(self) -> None:
        """Let the stage say the last numbers."""
        if self.subject is not None and self._front:
            self.subject = replace(self.subject, live=self._live())
            self.canvas.show_scene(computing_units, self.subject, same=True)
            if self.canvas.view.selected.startswith("live"):
                self.changed.emit()

    def _draw_plot(self) -> None:
        if self.plot is None:
            from widgets.share_plot import SharePlot

            self.plot = SharePlot(self._theme, self.canvas)
            self.plot.show_theme(self._theme, self.canvas.fitted()[2])
            self._place_plot()
        self.plot.show_samples(self._samples)

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
        plot.setVisible(not self.canvas.blank and self.subject is not None)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Let the plot follow the stage."""
        if self.plot is not None and event.type() in (QEvent.Type.Resize, QEvent.Type.Show):
            self._place_plot()
        elif (
            self.plot is not None
            and event.type() == QEvent.Type.Paint
            and self.plot.isVisibleTo(self.canvas) == self.canvas.blank
        ):
            QTimer.singleShot(0, self, self._place_plot)
        return False


def _subject(
    chosen: Chosen, say: Captions, live: Live, found: _Round | None
) -> tuple[Chosen, Computing]:
    """Return what is drawn of a choice, with what was measured of it."""
    from engine.live import same

    cpu = measured = tile = None
    if found is not None:
        cpu = workloads.measured_run(found.measured, found.workload, say)
        tile = found.tile
        if same(chosen.workload) and workloads.live_workload(chosen.workload)[0] == found.workload:
            measured = found.measured.shares
    # Until the first run has come nobody has looked for a GPU: that may take seconds.
    device = workloads.gpu_here() if found is not None else ""
    made = workloads.computing(
        chosen, say, live=live, cpu=cpu, measured=measured, tile=tile, device=device
    )
    return chosen, made


class WorkloadControls(QWidget):
    """Model, batch, tokens, part and style, each a choice, or one menu where there is no room."""

    chosen = Signal(str, str)  # kind, id

    def __init__(self, say: Captions) -> None:
        super().__init__()
        self._say = say
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self._gap = 8
        self.choices: dict[str, Choice] = {}
        self.whole = QToolButton(self)
        self.whole.setObjectName("choice")
        self.whole.setText(say("units.bar.workload"))
        self.whole.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.whole)
        self.whole.setMenu(menu)
        for kind, rows in workloads.offers(say).items():
            choice = Choice(say(f"units.bar.{kind}"))
            choice.setParent(self)
            for id, words in rows:
                choice.add(id, words)
            choice.chosen.connect(partial(self._chosen, kind))
            choice.menu().setTitle(say(f"units.bar.{kind}"))
            menu.addMenu(choice.menu())
            self.choices[kind] = choice
        self.whole.hide()

    def _chosen(self, kind: str, id: str) -> None:
        self.chosen.emit(kind, id)

    def show_chosen(self, chosen: Chosen) -> None:
        """Show what is chosen."""
        work = chosen.workload
        for kind, id in (
            ("model", work.model), ("batch", str(work.batch)), ("tokens", str(work.tokens)),
            ("part", chosen.part), ("style", str(work.style)),
        ):  # fmt: skip
            self.choices[kind].choose(id)
        self._laid_anew()

    def show_theme(self, theme: Theme, scale: float) -> None:
        """Draw in another theme, so many times larger."""
        self._gap = px(8, icon_factor(scale))
        self._laid_anew()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the size with every choice side by side."""
        hints = [choice.sizeHint() for choice in self.choices.values()]
        gaps = self._gap * (len(hints) - 1)
        return QSize(sum(h.width() for h in hints) + gaps, max(h.height() for h in hints))

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the size of the one menu."""
        return self.whole.sizeHint()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Fold the choices into one menu where they have no room."""
        super().resizeEvent(event)
        self._place()

    def _laid_anew(self) -> None:
        self.updateGeometry()
        self._place()

    def _place(self) -> None:
        folded = self.width() < self.sizeHint().width()
        x = 0
        for button in (self.whole, *self.choices.values()):
            button.setVisible(folded == (button is self.whole))
            hint = button.sizeHint()
            if folded == (button is self.whole):
                button.setGeometry(x, (self.height() - hint.height()) // 2, *hint.toTuple())
                x += hint.width() + self._gap

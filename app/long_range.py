"""The long-range laboratory, a part of chapter 1: five experiments on its sentence and models."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from PySide6.QtCore import QObject, QSize, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QWidget

from app import CHAPTER, DEFAULT_PAIR, DEFAULT_TEXT
from app.background import Background, Outcome
from app.chapters import Group, Host
from app.player import Player
from app.saying import sentence_of
from engine.laboratory import EXPERIMENTS
from engine.said import Said
from widgets.canvas import Canvas
from widgets.controls import Choice
from widgets.geometry import icon_factor, px
from widgets.scenes.long_range import Laboratory, long_range, now_words
from widgets.scenes.long_range.subject import MATRICES, RADII_SHOWN, Fades
from widgets.stage import Stage
from widgets.view import View

if TYPE_CHECKING:
    from pathlib import Path

    from engine.recorder import Recorder
    from engine.tape import Watch
    from widgets.canvas import Scene
    from widgets.captions import Captions
    from widgets.inspector import Page
    from widgets.theme import Theme

ROUND_SECONDS = 0.3  # of what is computed, until it is shown
MOST_TICK = 10_000
FILE = "bottleneck.json"  # beside the settings
MOST_WORDS = 512  # of a sentence: more would take minutes
OF_SENTENCE = ("influence", "scale", "position")  # experiments on the sentence of chapter 1
# What of the subject each experiment finds.
FOUND: dict[str, dict[str, Any]] = {
    "bottleneck": {"bottleneck": None},
    "influence": {"reach": None, "fades": ()},
    "scale": {"scale": None},
    "position": {"shuffled": ()},
    "writing": {"writing": None},
}

Part = dict[str, Any]  # of the subject, and what has to be said, by SAID
SAID = "said"


class Wish(NamedTuple):
    """Which sentence, read by which chain and grid."""

    text: str = DEFAULT_TEXT
    chain: str = DEFAULT_PAIR[0]
    grid: str = DEFAULT_PAIR[1]


# ---- computing ---------------------------------------------------------------------------------


def gather(
    experiment: str, wish: Wish, radius: float, stop: Callable[[], bool] = lambda: False,
    radii: tuple[float, ...] = RADII_SHOWN, recorder: Recorder | None = None,
    path: Path | None = None, anew: bool = False,
) -> Iterator[Part]:  # fmt: skip
    """Return what an experiment finds, more of it each time: fields of its subject.

    ``radii`` are those whose gradients are computed; that which is shown comes first. A recorder is
    told of everything that runs. ``path`` is where the bottleneck is remembered; it is measured
    again although it is there when that is asked for ``anew``, and what cannot be kept is said.

    Raises
    ------
    engine.said.Said
        With one sentence: a model that is not there, a sentence that cannot be read.
    """
    from engine import bottleneck_file, laboratory

    watch = None if recorder is None else recorder.watch
    if experiment == "bottleneck":
        kept = None if anew or path is None else bottleneck_file.load(path)
        if kept is not None:
            yield {"bottleneck": kept}
            return
        for found in laboratory.bottleneck(stop=stop, watch=watch):
            said = {}
            if path is not None and found.complete:
                try:
                    bottleneck_file.save(found, path)
                except Said as error:
                    said = {SAID: str(error)}
            yield {"bottleneck": found, **said}
    elif experiment == "writing":
        yield {"writing": laboratory.writing(watch=watch)}
    else:
        yield from _of_sentence(experiment, wish, radius, stop, radii, watch)


def _of_sentence(
    experiment: str, wish: Wish, radius: float, stop: Callable[[], bool], radii: tuple[float, ...],
    watch: Watch | None,
) -> Iterator[Part]:  # fmt: skip
    from app.compute import make_pair, model
    from engine import laboratory
    from engine.fading import fading
    from engine.influence import Stopped
    from engine.tokens import read_sentence

    vocabulary = {word: i for i, word in enumerate(model(wish.grid).vocabulary)}
    words = len(read_sentence(wish.text, vocabulary).tokens)
    if words > MOST_WORDS:
        raise Said(
            f"{words} words are too many for this experiment, which takes up to "
            f"{MOST_WORDS}; everything else works, shorten the sentence of chapter 1."
        )
    pair = make_pair(wish.text, wish.chain, wish.grid).pair
    if stop():
        return
    if experiment == "scale":
        last = pair.grid.facts.layers - 1
        with suppress(Stopped):
            yield {"scale": laboratory.scale(pair.grid, block=last, stop=stop, watch=watch)}
    elif experiment == "position":
        chain, grid = (
            laboratory.position(model(id), trace, watch=watch)
            for id, trace in ((wish.chain, pair.chain), (wish.grid, pair.grid))
        )
        yield {"shuffled": (grid[0], *chain, *grid[1:])}
    else:
        reach = []
        for id, trace in ((wish.chain, pair.chain), (wish.grid, pair.grid)):
            if stop():
                return
            reach.append(laboratory.influence(model(id), trace, watch=watch))
        fades: dict[tuple[float, bool], Fades] = {}
        yield {"reach": tuple(reach)}
        for other in sorted(radii, key=lambda it: abs(it - radius)):
            for orthogonal in (False, True):
                if stop():
                    return
                tanh, linear = (
                    fading(other, orthogonal=orthogonal, linear=linear, watch=watch)
                    for linear in (False, True)
                )
                fades[other, orthogonal] = Fades(tanh, linear)
            yield {"fades": tuple(fades.items())}


def _next(parts: Iterator[Part], recorder: Recorder) -> tuple[Part | None, bool]:
    """Return what came within a moment, None when there was no more, and whether that is all."""
    from app.compute import watched

    began, found, over = perf_counter(), None, True
    with watched(recorder):
        for part in parts:
            found = {**(found or {}), **part}
            if perf_counter() - began > ROUND_SECONDS or "reach" in found:
                over = False
                break
    return found, over


# ---- the chapter -------------------------------------------------------------------------------


class LongRange(QObject):
    """Which experiment is shown, and what of each has been found, each computed when shown."""

    id = "long-range"
    changed = Signal()
    said = Signal(str)

    def __init__(self, host: Host) -> None:
        super().__init__(host.window)
        self._say, self._host = host.say, host
        self.player = Player(self)
        self.canvas = Canvas(View(1188, 728, host.theme, host.say))
        self.page = Stage(self.canvas)
        self.controls = LaboratoryControls(host.say)
        self.subject = Laboratory()
        self._wish = Wish()
        self._judged = False  # whether a claim asks for the sentence that it was judged by
        self._ticks: dict[str, float] = {}  # by experiment, where each was left
        self._complete: set[str] = set()  # experiments that have found everything
        self._front = False
        self._version = 0
        self._stop = threading.Event()
        # The long measurement goes on where it was, whatever is asked for in between.
        self._workers = {id: Background(self) for id in ("bottleneck", "others")}
        self._parts: dict[str, Iterator[Part]] = {}
        self._asked: dict[str, tuple[str, Iterator[Part]]] = {}  # by worker, the last time
        self.keys: Mapping[str, Callable[[], object]] = {
            "long_range": self.next_experiment,
            "shorter": lambda: self._slide(-1),
            "longer": lambda: self._slide(1),
        }
        for id, worker in self._workers.items():
            worker.done.connect(partial(self._came, id))
        self.player.moved.connect(self.canvas.show_tick)
        self.controls.choice.chosen.connect(partial(self.choose, "experiment"))
        self.controls.back.clicked.connect(lambda: host.open_chapter(CHAPTER))
        self.controls.measure.clicked.connect(self.measure_again)
        self.canvas.failed.connect(lambda error: self.said.emit(sentence_of(error)))
        self._show()

    # ------------------------------------------------------------------ what the window asks

    @property
    def busy(self) -> bool:
        """Return whether the shown experiment has nothing to show yet."""
        return self._front and not self.subject.known and not self.subject.problem

    @property
    def measuring(self) -> bool:
        """Return whether an experiment is being computed."""
        return any(worker.busy for worker in self._workers.values())

    @property
    def is_open(self) -> bool:
        """Return whether an element is opened."""
        return bool(self.canvas.view.selected)

    def groups(self) -> tuple[Group, ...]:
        """Return the parts of the shown experiment."""
        subject, say = self.subject, self._say
        if not subject.known:
            return ()
        last = subject.last_tick
        if subject.experiment == "bottleneck" and subject.bottleneck is not None:
            trained = sum(
                n <= subject.bottleneck.longest_trained for n in subject.bottleneck.lengths
            )
            spans = [("trained", 0, trained - 1), ("beyond", trained, last)]
        elif subject.experiment == "scale":
            trained = sum(subject.at_width(d).basis == "trained" for d in subject.widths)
            spans = [("joined", 0, trained - 1), ("drawn", trained, last)]
        elif subject.experiment == "influence":
            spans = [("answer", 0, 0), ("back", 1, last)]
        elif subject.experiment == "position":
            spans = [("order", 0, 1), ("compare", 2, last)]
        else:
            spans = [("prompt", 0, 0), ("read", 1, 1), ("write", 2, last)]
        return tuple(
            Group(say(f"lab.group.{caption}"), first, until)
            for caption, first, until in spans
            if first <= until
        )

    def title(self, tick: int) -> tuple[str, str]:
        """Return where the experiment is, and its question."""
        now = now_words(self.subject, tick, self._say)
        return now, self._say(f"lab.question.{self.subject.experiment}") if now else ""

    def device(self) -> tuple[str, str]:
        """Return what computes."""
        return self._say("lab.badge"), self._say("lab.badge_title")

    def page_key(self) -> object:
        """Return what the inspector's page depends on."""
        if not self.subject.known:
            return None
        page = (self.subject.experiment, self.canvas.view.selected)
        return page, self.player.shown, self._version

    def write(self, page: Page) -> None:
        """Write the page of what is opened, or of the experiment."""
        from widgets import long_range_pages

        name = self.canvas.view.selected
        long_range_pages.write(page, self.subject, name, self.player.shown, self._say)

    def still(self) -> tuple[Scene, Laboratory] | None:
        """Return the scene and its subject."""
        return (long_range, self.subject) if self.subject.known else None

    def show_theme(self, theme: Theme, scale: float) -> None:
        """Draw in another theme, so many times larger."""
        self.canvas.show_with(theme=theme)
        self.canvas.enlarge(scale)
        self.controls.show_theme(theme, scale)

    def begin(self) -> None:
        """Take the sentence and the models of chapter 1, and compute what is shown of them."""
        self._front = True
        self._read(Wish() if self._judged else self._wish_of_chapter_1())
        self._judged = False
        self.subject = replace(self.subject, problem="")
        self._show()
        self._ask()

    def end(self) -> None:
        """Stand still; what is missing is computed when somebody comes back."""
        self._front = False
        self.player.seek(self.player.target)

    def close(self) -> None:
        """End the workers."""
        self.end()
        self._stop.set()
        for worker in self._workers.values():
            worker.close()

    def remember(self) -> dict[str, Any]:
        """Return what is chosen, and where each experiment is; its numbers are found anew."""
        self._note_tick()
        return {
            "experiment": self.subject.experiment, "radius": self.subject.radius,
            "matrix": MATRICES[self.subject.orthogonal], "ticks": dict(self._ticks),
        }  # fmt: skip

    def restore(self, kept: dict[str, Any]) -> None:
        """Take what was kept; what is damaged is left at its default."""
        experiment, radius = kept.get("experiment"), kept.get("radius")
        changed: Part = {}
        if isinstance(experiment, str) and experiment in EXPERIMENTS:
            changed["experiment"] = experiment
        if isinstance(radius, int | float) and radius in RADII_SHOWN:
            changed["radius"] = float(radius)
        if isinstance(kept.get("matrix"), str) and kept["matrix"] in MATRICES:
            changed["orthogonal"] = kept["matrix"] == MATRICES[1]
        self._judged = kept.get("sentence") == "default"
        ticks = kept.get("ticks")
        for id, tick in ticks.items() if isinstance(ticks, dict) else ():
            if id in EXPERIMENTS and isinstance(tick, int | float) and 0 <= tick < MOST_TICK:
                self._ticks[id] = float(int(tick))
        self.subject = replace(self.subject, **changed)
        self._show()

    # ------------------------------------------------------------------ what is chosen

    def activate(self, name: str) -> None:
        """Choose what a control of the stage stands for, or open an element."""
        if name.startswith("choose:"):
            _, kind, id = name.split(":", 2)
            self.choose(kind, id)
        elif not name or self._is_element(name):
            self._select("" if name == self.canvas.view.selected else name)

    def follow(self, name: str) -> None:
        """Open what a link names."""
        self.activate(name)

    def back(self) -> None:
        """Close what is opened."""
        self._select("")

    def leave(self) -> None:
        """Close what is opened; with nothing open, go back to the stage of chapter 1."""
        if self.is_open:
            self._select("")
        else:
            self._host.open_chapter(CHAPTER)

    def choose(self, kind: str, id: str) -> None:
        """Choose an experiment, a sentence, a spectral radius, a kind of matrix or a width."""
        if kind == "experiment" and id in EXPERIMENTS and id != self.subject.experiment:
            self._note_tick()
            if self.subject.experiment != "bottleneck":
                self._parts.pop(self.subject.experiment, None)  # what is on its way will be dropped
            self.canvas.show_with(selected="")
            self.subject = replace(self.subject, experiment=id, problem="")
            self.page.to_beginning()
            self._show(same=False)
            if self._front:
                self._ask()
        elif kind == "sentence" and id == "default":
            self._read(Wish())
            self._show()
            if self._front:
                self._ask()
        elif kind == "radius" and id in map(str, RADII_SHOWN):
            self.subject = replace(self.subject, radius=float(id))
            self._show()
        elif kind == "matrix" and id in MATRICES:
            self.subject = replace(self.subject, orthogonal=id == MATRICES[1])
            self._show()
        elif kind == "width" and self.subject.scale is not None:
            if id in map(str, self.subject.widths):
                self.player.seek(float(self.subject.widths.index(int(id))))

    def next_experiment(self) -> None:
        """Go to the next experiment, and from the last to the first."""
        at = EXPERIMENTS.index(self.subject.experiment)
        self.choose("experiment", EXPERIMENTS[(at + 1) % len(EXPERIMENTS)])

    def _slide(self, by: int) -> None:
        """Move the slider of the shown experiment one place on."""
        if self.subject.experiment == "influence":
            at = RADII_SHOWN.index(self.subject.radius) + by
            self.choose("radius", str(RADII_SHOWN[min(max(at, 0), len(RADII_SHOWN) - 1)]))
        elif self.subject.known:
            self.player.seek(min(max(self.player.target + by, 0), self.player.last))

    def _select(self, name: str) -> None:
        if name != self.canvas.view.selected:
            self.canvas.show_with(selected=name)
            self.changed.emit()

    def _is_element(self, name: str) -> bool:
        from widgets import long_range_pages

        return long_range_pages.is_element(self.subject, name)

    # ------------------------------------------------------------------ computing

    def measure_again(self) -> None:
        """Find what the shown experiment shows anew."""
        self._note_tick()
        self._forget(self.subject.experiment)
        self.subject = replace(self.subject, problem="")
        self._show()
        self._ask(anew=True)

    def _wish_of_chapter_1(self) -> Wish:
        sentences = getattr(getattr(self._host.window, "first", None), "sentences", None)
        if sentences is None:
            return Wish()
        setting = sentences.setting
        return Wish(sentences.text.strip() or DEFAULT_TEXT, setting.chain, setting.grid)

    def _read(self, wish: Wish) -> None:
        """Take a sentence and its models; what was found of others is forgotten."""
        if wish != self._wish:
            self._wish = wish
            for experiment in OF_SENTENCE:
                self._forget(experiment)

    def _forget(self, experiment: str) -> None:
        self._parts.pop(experiment, None)
        self._complete.discard(experiment)
        self.subject = replace(self.subject, **FOUND[experiment])

    def _ask(self, *, anew: bool = False) -> None:
        """Compute what the shown experiment does not have; anew: also what is remembered."""
        shown = self.subject.experiment
        if shown in self._complete:
            return
        if shown not in self._parts:
            self._parts[shown] = gather(
                shown,
                self._wish,
                self.subject.radius,
                stop=self._stop.is_set,
                recorder=self._host.recorder,
                path=self._host.folder / FILE,
                anew=anew,
            )
        id, asked = "bottleneck" if shown == "bottleneck" else "others", (shown, self._parts[shown])
        if self._workers[id].busy and self._asked.get(id) == asked:
            return  # it is on its way
        self._asked[id] = asked
        self._workers[id].ask(_next, asked[1], self._host.recorder)

    def _came(self, worker: str, outcome: Outcome) -> None:
        """Show what has come, and go on while the experiment is shown."""
        experiment, parts = self._asked[worker]
        if self._parts.get(experiment) is not parts:
            return  # of another sentence, or left
        if outcome.error is not None:
            del self._parts[experiment]
            sentence = sentence_of(outcome.error)
            if experiment == self.subject.experiment and not self.subject.known:
                self.subject = replace(self.subject, problem=sentence)
            self._show()
            self.said.emit(sentence)
            return
        found, over = outcome.value
        if over:
            self._complete.add(experiment)
            del self._parts[experiment]
        if found is not None:
            sentence = found.pop(SAID, "")
            self.subject = replace(self.subject, **found)
            self._show()
            if sentence:
                self.said.emit(sentence)
        if self._front and not over and experiment == self.subject.experiment:
            self._ask()

    def _note_tick(self) -> None:
        """Remember where the shown experiment is."""
        if self.subject.known:
            self._ticks[self.subject.experiment] = self.player.tick

    def _show(self, *, same: bool = True) -> None:
        """Show the subject where it was left."""
        self._version += 1
        subject = self.subject
        self.controls.show_chosen(subject.experiment)
        shown = self.canvas.subject
        begins = shown is None or not shown.known or shown.experiment != subject.experiment
        self.canvas.show_scene(long_range, subject, same=same)
        if self.player.last != subject.last_tick:
            self.player.set_last(subject.last_tick)
        if begins:
            kept = self._ticks.get(subject.experiment, 0.0)
            self.player.seek(min(kept, float(subject.last_tick)))
        selected = self.canvas.view.selected
        if selected and not self._is_element(selected):
            self.canvas.show_with(selected="")
        self.changed.emit()


class LaboratoryControls(QWidget):
    """The way back to the stage, the experiments, and the button that measures again."""

    def __init__(self, say: Captions) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self.back, self.measure = QPushButton(say("lab.back")), QPushButton(say("lab.measure"))
        for button, title in ((self.back, "lab.back_title"), (self.measure, "lab.measure_title")):
            button.setObjectName("box")
            button.setToolTip(say(title))
        self.choice = Choice(say("lab.experiment"))
        for id in EXPERIMENTS:
            self.choice.add(id, say(f"lab.choice.{id}"))
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        for part in (self.back, self.choice, self.measure):
            self._row.addWidget(part)
        self._row.addStretch(1)

    def show_chosen(self, experiment: str) -> None:
        """Show which experiment is open."""
        self.choice.choose(experiment)

    def show_theme(self, theme: Theme, scale: float) -> None:
        """Draw in another theme, so many times larger."""
        self._row.setSpacing(px(8, icon_factor(scale)))

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Return what all of it needs."""
        return self._row.minimumSize()

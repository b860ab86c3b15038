"""Chapter 4, Analytical vs Empirical: a rule and a network solve one task; it is trained here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QSizePolicy, QWidget

from app.chapters import Group, Host
from app.player import Player
from app.saying import sentence_of
from app.solving import ASKED, RATES, TASKS, WIDTHS, Wish
from app.workshop import Told, Workshop
from engine import rules, tasks
from widgets.canvas import Canvas
from widgets.controls import Choice
from widgets.geometry import icon_factor, px
from widgets.scenes.analytical_empirical import analytical_empirical
from widgets.scenes.analytical_empirical.subject import CASES, Solved
from widgets.stage import Stage
from widgets.view import View

if TYPE_CHECKING:
    from widgets.canvas import Scene
    from widgets.captions import Captions
    from widgets.inspector import Page
    from widgets.theme import Theme

MOST_TICK = 100_000
MOST_SEED = 1000
LATE_SECONDS = 1.0  # behind the end of a training, a key that would have paused it
MARGIN = 8  # px, beside the text
LEAST = 150  # px, for a date


class AnalyticalEmpirical(QObject):
    """What is solved, by whom, and when it is seen; a workshop computes all of it."""

    id = "analytical-empirical"
    changed = Signal()
    said = Signal(str)
    _came = Signal(object)  # Told, emitted in the workshop's thread

    def __init__(self, host: Host) -> None:
        super().__init__(host.window)
        self._say, self._theme = host.say, host.theme
        self.player = Player(self)
        self.canvas = Canvas(View(1188, 728, host.theme, host.say))
        self.page = Stage(self.canvas)
        self.controls = TaskControls(host.say)
        self.wish = Wish()
        self.subject: Solved | None = None
        self.workshop = Workshop(self._tell, host.recorder)
        self._awaited, self._number = False, 0
        self._left = self._rests = False  # while it trained; until it begins again
        self._behind = self._ran = False  # that training goes on, also later; it is seen to
        self._kept_tick: float | None = None
        self._ended = -math.inf  # when a training last ended or was paused, by the clock
        self.keys: Mapping[str, Callable[[], object]] = {
            "case": self.next_case,
            "train": lambda: self.choose("train", "toggle"),
            "sentence": self.controls.edit,
        }
        self._came.connect(self._arrive, Qt.ConnectionType.QueuedConnection)
        self.player.moved.connect(self.canvas.show_tick)
        self.player.moved.connect(self._look)
        self.controls.chosen.connect(self.choose)
        self.controls.measure.clicked.connect(self.workshop.again)
        self.controls.field.returnPressed.connect(lambda: self.set_text(self.controls.field.text()))
        self.canvas.failed.connect(lambda error: self.said.emit(sentence_of(error)))
        self.controls.show_wish(self.wish, "")

    # ------------------------------------------------------------------ what the window asks

    @property
    def busy(self) -> bool:
        """Return whether a text waits to be solved."""
        return self._awaited

    @property
    def measuring(self) -> bool:
        """Return whether there is nothing to be seen yet: what is trained is asked for."""
        return self.subject is None

    @property
    def is_open(self) -> bool:
        """Return whether an element is opened."""
        return bool(self.canvas.view.selected)

    def groups(self) -> tuple[Group, ...]:
        """Return the task, the moments of the training, solving, and the comparison."""
        if self.subject is None:
            return ()
        say, moments, last = self._say, self.subject.last_moment, self.subject.last_tick
        return (
            Group(say("solve.group.task"), 0, 0),
            Group(say("solve.group.train"), 1, moments),
            Group(say("solve.group.solve"), moments + 1, last - 1),
            Group(say("solve.group.compare"), last, last),
        )

    def title(self, tick: int) -> tuple[str, str]:
        """Return which tick it is, and what both do at it."""
        subject, say = self.subject, self._say
        if subject is None:
            return "", ""
        head = say("solve.transport", tick=tick, last=subject.last_tick)
        if tick <= 0:
            return head, subject.text
        if tick <= subject.last_moment:
            return head, say("solve.at.train", step=subject.moment_at(tick).step)
        if tick >= subject.last_tick:
            return head, say("solve.at.compare")
        done, ran = subject.solved_at(tick), len(subject.ran.lines)
        line = subject.line_at(tick)
        rule = say("solve.at.line", line=line.number + 1 if line else 0)
        if done >= ran:
            rule = say("solve.at.done" if subject.ran.answer is not None else "solve.at.stops")
        written = subject.moment_at(tick).written
        count = len(written.symbols) if written else 0
        network = say("solve.at.digit", digit=done) if done <= count else say("solve.at.written")
        return head, f"{rule} · {network}"

    def device(self) -> tuple[str, str]:
        """Return where it is trained."""
        return self._say("solve.badge"), self._say("solve.badge_title")

    def page_key(self) -> object:
        """Return what the inspector's page depends on."""
        if self.subject is None:
            return None
        from widgets import solve_pages

        name, shown = self.canvas.view.selected, self.player.shown
        return name, shown, solve_pages.seen(self.subject, shown)

    def write(self, page: Page) -> None:
        """Write the page of what is opened, or of the line and the symbol at the tick."""
        if self.subject is not None:
            from widgets import solve_pages

            name = self.canvas.view.selected
            solve_pages.write(page, self.subject, name, self.player.shown, self._say)

    def still(self) -> tuple[Scene, Solved] | None:
        """Return the scene and its subject."""
        return None if self.subject is None else (analytical_empirical, self.subject)

    def show_theme(self, theme: Theme, scale: float) -> None:
        """Draw in another theme, so many times larger."""
        self._theme = theme
        self.canvas.show_with(theme=theme)
        self.canvas.enlarge(scale)
        self.controls.show_theme(theme, scale)

    def begin(self) -> None:
        """Solve what is chosen, and ask on; a training that went on behind goes on."""
        self._rest(False)
        if self._behind:
            self.workshop.train(True)
        self._left = self._behind = self._ran = False
        if self.subject is None:
            self._solve()

    def end(self) -> None:
        """Stand still: the training is paused, nothing is asked."""
        self.player.seek(self.player.target)
        self._left = self.workshop.trains
        self._rest(True)

    def _rest(self, resting: bool) -> None:
        self._rests = resting
        self.workshop.rest(resting)

    def train_behind(self, on: bool) -> None:
        """Let a training that ran when this chapter was left go on behind another, or pause."""
        if on and (self._left or self._behind):
            self._left, self._behind, self._ran = False, True, False
            self._rest(False)
            self.workshop.train(True)
        elif not on:
            self._rest(True)

    def close(self) -> None:
        """End the workshop."""
        self.workshop.close()

    def remember(self) -> dict[str, Any]:
        """Return what is solved and by whom, and where we are; a training is not kept."""
        return {**self.wish._asdict(), "tick": self.player.tick}

    def restore(self, kept: dict[str, Any]) -> None:
        """Take what was kept; what is damaged is left at its default."""
        task = kept.get("task")
        if not (isinstance(task, str) and task in TASKS):
            task = self.wish.task
        model, case, text = kept.get("model"), kept.get("case"), kept.get("text")
        if not (isinstance(model, str) and model in tasks.load(task).recipes):
            model = TASKS[task]
        if not (isinstance(case, str) and case in ASKED[task]):
            case = self.wish.case if self.wish.case in ASKED[task] else "clean"
        if not (isinstance(text, str) and len(text) <= rules.MOST_CHARACTERS):
            text = ""
        self.wish = Wish(task=task, model=model, case=case, text=text)
        tick = kept.get("tick")
        if isinstance(tick, int | float) and 0 <= tick < MOST_TICK:
            self._kept_tick = float(int(tick))
        self.controls.show_wish(self.wish, text)

    # ------------------------------------------------------------------ what is chosen

    def activate(self, name: str) -> None:
        """Choose what a control of the stage stands for, or open an element."""
        if name.startswith("choose:"):
            _, kind, id = name.split(":", 2)
            self.choose(kind, id)
        elif name == "again:":
            self.workshop.again()
        elif name == "descent:again":
            self._record(anew=True)
            self._select("descent")
        elif not name or self._is_element(name):
            if name == "descent":
                self._record()
            self._select("" if name == self.canvas.view.selected else name)

    def _record(self, *, anew: bool = False) -> None:
        """Let the step that follows the moment in view be recorded, unless one was already."""
        subject = self.subject
        if subject is not None and (anew or subject.descent is None):
            tick = self.player.shown
            at = tick - 1 if 0 < tick <= subject.last_moment else subject.last_moment - 1
            self.workshop.descent(at)

    def follow(self, name: str) -> None:
        """Open what a link names."""
        self.activate(name)

    def back(self) -> None:
        """Close what is opened; of a step of descent go back to what it was opened from."""
        from widgets import descent_pages

        subject, name = self.subject, self.canvas.view.selected
        known = subject is not None and name.startswith("descent:")
        self._select(descent_pages.parent(subject.descent, name) if known and subject else "")

    def leave(self) -> None:
        """Close what is opened."""
        self._select("")

    def next_case(self) -> None:
        """Go to the next position of the switch, and back to the first."""
        offered = list(ASKED[self.wish.task])
        self.choose("case", offered[(offered.index(self.wish.case) + 1) % len(offered)])

    def set_text(self, text: str) -> None:
        """Solve somebody's own text."""
        if len(text) > rules.MOST_CHARACTERS:
            self.said.emit(self._say("solve.too_long", count=rules.MOST_CHARACTERS))
            return
        self._take(self.wish._replace(text=text.strip()))

    def choose(self, kind: str, id: str) -> None:
        """Choose something of a kind; what cannot be is said, and nothing changes."""
        wish, subject = self.wish, self.subject
        if kind == "case" and id in CASES:
            if id not in ASKED[wish.task]:
                self.said.emit(self._say("solve.not_said", reason=self._say(f"solve.not.{id}")))
                return
            self._take(wish._replace(case=id, text=""), anew=True)
        elif kind == "task" and id in TASKS and id != wish.task:
            case = wish.case if wish.case in ASKED[id] else "clean"
            self._take(Wish(task=id, model=TASKS[id], case=case))
        elif kind == "model" and id in tasks.load(wish.task).recipes:
            self._take(wish._replace(model=id, rate=0.0, size=1.0, seed=0))
        elif kind == "seed":
            self._take(wish._replace(seed=(wish.seed + 1) % MOST_SEED))
        elif kind == "rate" and subject is not None:
            higher = [rate for rate in RATES if rate > subject.rate]
            self._take(wish._replace(rate=(*higher, RATES[0])[0]))
        elif kind == "size":
            at = WIDTHS.index(wish.size)
            self._take(wish._replace(size=WIDTHS[(at + 1) % len(WIDTHS)]))
        elif kind == "train" and subject is not None:
            self._train(id)

    def _train(self, what: str) -> None:
        """Start, pause, take one step, or begin again; the latest moment is looked at."""
        assert self.subject is not None
        over = self.subject.moments[-1].step >= self.subject.steps and not self.subject.running
        if what == "toggle" and over and monotonic() - self._ended < LATE_SECONDS:
            return  # it was to be paused: what it has just learned is not thrown away
        self.player.pause()
        self.player.seek(self.subject.last_moment)
        if what == "toggle":
            self.workshop.train(not self.subject.running)
        elif what == "step":
            self.workshop.step()
        elif what == "reset":
            self.workshop.reset()

    def _take(self, wish: Wish, *, anew: bool = False) -> None:
        if wish != self.wish or anew:
            self.wish = wish
            self._solve()

    def _solve(self) -> None:
        self._awaited = True
        self._number = self.workshop.solve(self.wish)
        self.changed.emit()

    def _select(self, name: str) -> None:
        if name != self.canvas.view.selected:
            self.canvas.show_with(selected=name)
            self.changed.emit()

    def _is_element(self, name: str) -> bool:
        from widgets import solve_pages

        return self.subject is not None and solve_pages.is_element(self.subject, name)

    # ------------------------------------------------------------------ what the workshop tells

    def _tell(self, told: Told) -> None:
        """Hand over what the workshop knows, in its thread."""
        try:
            self._came.emit(told)
        except RuntimeError:  # it went away with the window
            return

    def _arrive(self, told: Told) -> None:
        """Show what is known now, where we were."""
        before, now = self.subject, told.solved
        self.subject = now
        if before is not None and before.running and not now.running:
            self._ended = monotonic()
        if self._ran and not now.running and not self._rests:  # it has ended, or could not go on
            self._behind = False
        self._ran = self._behind and now.running
        if told.number == self._number:  # and no newer wish is on its way
            self.wish, self._awaited = told.wish, False
        tick = self._tick_in(before, now)
        self.canvas.show_scene(analytical_empirical, now, same=before is not None)
        if before is None or before.last_tick != now.last_tick:
            self.player.set_last(now.last_tick)
        if tick is not None and round(self.player.tick) != tick and not self.player.playing:
            self.player.seek(tick)
        self.controls.show_wish(self.wish, "" if self._awaited else now.text)
        self.controls.measure.setEnabled(not now.running)
        if self.canvas.view.selected and not self._is_element(self.canvas.view.selected):
            self._select("")
        self._look(self.player.tick)
        if told.sentence:
            self.said.emit(told.sentence)
        self.changed.emit()

    def _tick_in(self, before: Solved | None, now: Solved) -> int | None:
        """Return the tick of what was seen, in what is known now; the training is followed."""
        tick = round(self.player.tick)
        if before is None:
            kept = now.last_tick if self._kept_tick is None else int(self._kept_tick)
            return min(kept, now.last_tick)
        if tick == 0:
            return 0
        if tick < before.last_moment:
            step = before.moments[tick - 1].step
            places = [i for i, moment in enumerate(now.moments) if moment.step <= step]
            return (places[-1] if places else 0) + 1
        if tick == before.last_moment:
            return now.last_moment
        if tick == before.last_tick:
            return now.last_tick
        return min(tick - before.last_moment + now.last_moment, now.last_tick)

    def _look(self, tick: float) -> None:
        """Let the moment of the training that is seen answer, if it did not yet."""
        subject, shown = self.subject, round(tick)
        if subject is not None and subject.moment_at(shown).written is None:
            self.workshop.look_at(shown - 1)


class TaskField(QLineEdit):
    """The text that is solved: somebody's own date or brackets."""

    def event(self, event: QEvent) -> bool:
        """Keep Return for the text, which the window would take for its own action."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                event.accept()
                return True
        return super().event(event)


class TaskControls(QWidget):
    """The text, the network that solves it beside the rule, and the button that measures again."""

    chosen = Signal(str, str)  # kind, id

    def __init__(self, say: Captions) -> None:
        super().__init__()
        self._say = say
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.field = TaskField()
        self.field.setObjectName("sentence")
        self.field.setTextMargins(MARGIN, 0, MARGIN, 0)
        self.field.setAccessibleName(say("solve.field"))
        self.field.setToolTip(say("solve.field"))
        self.choices: dict[str, Choice] = {}
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.addWidget(self.field, 1)
        for task in TASKS:
            choice = Choice(say("solve.models"))
            for id, recipe in tasks.load(task).recipes.items():
                choice.add(id, recipe.title)
            choice.chosen.connect(lambda id: self.chosen.emit("model", id))
            self.choices[task] = choice
            self._row.addWidget(choice)
        self.measure = QPushButton(say("solve.measure"))
        self.measure.setObjectName("box")
        self.measure.setToolTip(say("solve.measure_title"))
        self._row.addWidget(self.measure)

    def show_wish(self, wish: Wish, text: str) -> None:
        """Show what is solved, and by which network."""
        for task, choice in self.choices.items():
            choice.setVisible(task == wish.task)
        self.choices[wish.task].choose(wish.model)
        if text and not self.field.hasFocus() and text != self.field.text():
            self.field.setText(text)

    def show_theme(self, theme: Theme, scale: float) -> None:
        """Draw in another theme, so many times larger."""
        self.field.setMinimumWidth(px(LEAST, icon_factor(scale)))
        self._row.setSpacing(px(10, icon_factor(scale)))

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the size with some room for the text."""
        least = self.minimumSizeHint()
        return QSize(least.width() + 80, least.height())

    def edit(self) -> None:
        """Put the cursor into the text."""
        self.field.setFocus()
        self.field.selectAll()

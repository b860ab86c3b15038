"""What chapter 4 solves: one task by a rule and by a network, which is trained, asked and timed.

The same seed gives the same weights to the bit when products have one thread. Whoever calls decides
when: ``Solving`` works in slices, in the thread that asks for them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import NamedTuple

import numpy as np

from app import learning
from app.asker import SEED, Asker
from engine import rules, tasks
from engine.forward import Weights
from engine.influence import Stopped
from engine.models import Model
from engine.ops import Array
from engine.recorder import Recorder
from engine.said import Said
from engine.tasks import Recipe, Task
from engine.tasks.dates import EXAMPLES, MOST_READ
from engine.trace import Unit
from engine.training import DivergedError, Snapshot, Training, unspent
from widgets.scenes.analytical_empirical.subject import (
    CASES,
    Ablation,
    Case,
    Descent,
    Moment,
    Right,
    Solved,
    Sure,
    Times,
)

SLICE_SECONDS = 0.08  # of training between two looks at what is wanted
EVERY = 100  # steps between two visible points, besides 0, 1, 2, 4, 8 …
MOST_MOMENTS = 80  # that can be gone back to; then every second one is dropped
ROUND = 32  # sentences of a case that are asked in a round
ENOUGH = 512  # sentences of a case
RUNS = 3  # of a step that is recorded, of which the fastest is shown
TOGETHER = 256  # answers that are timed at once
MOST_BRACKETS = 64  # that are read of a text
TASKS = {"dates": "gru-bahdanau", "brackets": "transformer"}  # and the model to begin with
ASKED = {
    "dates": {case: case for case in CASES},
    "brackets": {"clean": "40-deep-6", "out-of-range": "120-deep-12"},
}
EXAMPLE = {
    "dates": {
        "clean": ("5 mar 2019", "2019-03-05"),
        "out-of-range": ("5 mar 1815", "1815-03-05"),
        "typo": ("5 mrach 2019", "2019-03-05"),
        "exceptions": ("christmas 2019", "2019-12-25"),
    },
    "brackets": {
        "clean": ("([{}])[(", ""),
        "out-of-range": ("([{([{([{([{", ""),
    },
}
RATES = (1e-3, 4e-3, 1e-2, 1.0, 1000.0)
WIDTHS = (0.5, 1.0, 1.5)  # times the width of the recipe


class Wish(NamedTuple):
    """What is to be solved and by whom."""

    task: str = "dates"
    model: str = TASKS["dates"]
    case: str = "typo"
    text: str = ""  # "": the example of the case
    seed: int = 0
    rate: float = 0.0  # 0: that of the recipe
    size: float = 1.0  # of the recipe's width


def interval(right: int, asked: int) -> Right:
    """Return a count with the interval that holds its share with 95 per cent confidence."""
    found = learning.share(right, asked)
    return Right(right, asked, *found["interval"])


def readable(task: Task, text: str) -> tuple[str, str]:
    """Return what a network reads of a text, and a sentence about what it does not, or "".

    Raises
    ------
    Said
        When nothing is left to read.
    """
    most = MOST_READ if task.name == "dates" else MOST_BRACKETS
    known = set(task.vocabulary[1:] if task.name == "dates" else "()[]{}")
    small = " ".join(text.lower().split()) if task.name == "dates" else "".join(text.split())
    strange = "".join(dict.fromkeys(c for c in small if c not in known))
    left = "".join(c for c in small if c in known)
    if not left.strip():
        what = "a date such as 5 mar 2019" if task.name == "dates" else "brackets such as ([])"
        raise Said(f"There is nothing in it that the network can read; type {what}.")
    said = ""
    if strange:
        said = f"The network does not know {strange[:12]!r} and reads the text without it."
    if len(left) > most:
        said = f"The network reads the first {most} of {len(left)} characters."
    return left[:most], said


class _Count:
    """Sentences of a case that were asked, for one network or the rule."""

    def __init__(self) -> None:
        self.right = self.asked = self.rounds = 0
        self.sure: tuple[list[float], list[float]] = ([], [])

    def add(self, good: Array) -> None:
        self.right, self.asked = self.right + int(good.sum()), self.asked + len(good)

    @property
    def found(self) -> Right:
        return interval(self.right, self.asked)

    @property
    def surety(self) -> Sure:
        right, wrong = (math.fsum(s) / len(s) if s else None for s in self.sure)
        return Sure(right, wrong, self.asked)


class Solving:
    """A task, a network and its training, and what was asked of it and of the rule.

    Parameters
    ----------
    recorder
        Told of everything that runs.
    stop
        Asked in the middle of what takes long; ends it.
    due
        Asked while a training runs: whether its state is wanted now.
    """

    # What is solved; none of it is there before the first wish.
    _task: Task
    _asker: Asker
    _model: Model
    _ran: rules.Ran
    _read: str
    _wanted: str
    _source: tuple[str, ...]
    _lines: int
    _kept: list[tuple[Snapshot, Moment]]
    _counts: dict[str, _Count]
    _rule: dict[str, _Count]

    def __init__(
        self, recorder: Recorder, stop: Callable[[], bool] = lambda: False,
        due: Callable[[], bool] = lambda: True, called: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        self._recorder, self._stop, self._due, self._called = recorder, stop, due, called
        self.wish = Wish()
        self.running = False
        self.todo: list[Callable[[], None]] = []
        self._first = 0  # round of sentences that is asked first
        self.sentence = ""  # that has to be said
        self.training: Training | None = None
        self._passing: tuple[Snapshot, Moment] | None = None  # the network as it is, while it runs
        self._losses: list[tuple[int, float]] = []
        self._recorded: Descent | None = None
        self._times: Times | None = None
        self._ablation: Ablation | None = None

    @property
    def begun(self) -> bool:
        """Return whether a text was solved."""
        return hasattr(self, "_ran")

    @property
    def has_work(self) -> bool:
        """Return whether there is something to train, to ask or to time."""
        return hasattr(self, "_asker") and (self.running or bool(self.todo))

    def work(self) -> None:
        """Work for a moment."""
        if self.running:
            with self._recorder.job():
                self.descend()
        elif self.todo:
            self.todo.pop(0)()

    # ---- what is solved

    def solve(self, wish: Wish) -> None:
        """Solve a text by the rule and a network; another network begins as it is shipped."""
        task = tasks.load(wish.task)
        rule = rules.RULES[task.name]
        example, wanted = EXAMPLE[task.name][wish.case]
        text = wish.text or example
        read, said = readable(task, text)
        ran = rules.run(task.name, text.strip() if task.name == "dates" else "".join(text.split()))
        if not wanted or text != example:
            wanted = ran.answer or ""
        new = not hasattr(self, "_asker") or (wish.task, wish.model, wish.size) != (
            self.wish.task, self.wish.model, self.wish.size,
        )  # fmt: skip
        begins = new or wish.seed != self.wish.seed
        if new:
            model = learning.load(task, wish.model)
            if wish.size == 1.0:
                asker = Asker(task, model, self._recorder)
            else:
                recipe = self._recipe(task, wish)
                asker = Asker(task, Training(task, recipe, wish.seed).model, self._recorder)
        changed_task = new and (not hasattr(self, "_asker") or wish.task != self.wish.task)
        if changed_task:
            self._rule = {case: _Count() for case in ASKED[task.name]}
        self._task, self._source, self._lines = task, rule.source, rule.lines
        self._ran, self._read, self._wanted = ran, read, wanted
        before, self.wish = self.wish, wish
        if new:
            self._asker, self._model = asker, model
            self._shipped()
        if wish.size != 1.0 and new or (begins and not new):
            self.anew()
        if self.training is not None and wish.rate != before.rate:
            self.training.with_rate(wish.rate or self._task.recipes[wish.model].rate)
        if not new and wish.case != before.case:
            self._counts[wish.case] = _Count()  # how sure it is was asked of the other case alone
        self._passing = None
        self._write_all()
        self._plan()
        if said:
            self.sentence = said

    def _recipe(self, task: Task, wish: Wish) -> Recipe:
        recipe = task.recipes[wish.model]
        config = recipe.config
        if wish.size != 1.0:
            step = max(config.heads, 1) * 2
            width = max(step, round(config.width * wish.size / step) * step)
            rows = config.kind in ("grid", "translator")
            config = replace(config, width=width, embedding=width if rows else config.embedding)
        return replace(recipe, config=config, rate=wish.rate or recipe.rate)

    def _shipped(self) -> None:
        """Begin with the network as it is shipped: one moment, and no training."""
        self.training = self._recorded = None
        self.running = False
        vector = Weights(self._model.parameters).vector.copy()
        steps = int(self._model.card.get("steps", 0))
        self._kept = [(Snapshot(steps, vector, vector[:0], vector[:0]), Moment(steps, {}))]
        self._losses = []
        self._times = None
        self._begin_counts()

    def again(self) -> None:
        """Ask both other sentences, and time them again; not while a training runs."""
        if self.running:
            return
        self._first += ENOUGH // ROUND
        self._rule = {case: _Count() for case in self._rule}
        snapshot, moment = self._kept[-1]
        self._kept[-1] = snapshot, replace(moment, right={})
        self._times = None
        self._begin_counts()
        self._plan()

    def _begin_counts(self) -> None:
        self._counts = {case: _Count() for case in ASKED[self._task.name]}
        self._ablation = None

    def _plan(self) -> None:
        """Plan what is asked and timed of the latest moment, a slice at a time."""
        case = self.wish.case
        self.todo = []
        if self.running:
            return
        add = self.todo.append
        for each in self._counts:
            if self._counts[each].asked < ROUND:
                add(partial(self._ask, each))
        add(self._time)
        if self._ablation is None or self._ablation.case != case:
            self._ablation = None
            add(self._ablate)
        for _ in range(ENOUGH // ROUND):
            for each in (case, *(c for c in self._counts if c != case)):
                add(partial(self._ask, each))

    def _ask(self, case: str) -> None:
        """Ask a round of fresh sentences of a case of both, unless that was enough."""
        count, rule = self._counts[case], self._rule[case]
        if count.asked >= ENOUGH:
            return
        name, seed = ASKED[self._task.name][case], SEED + self._first + count.rounds
        self._asker.show(self._kept[-1][0].weights)
        for batch in self._task.sample(tasks.fresh(seed, name), ROUND, name):
            good, least = self._asker.ask(batch, sure=case == self.wish.case)
            count.add(good)
            if case == self.wish.case:
                for one, right in zip(least, good, strict=True):
                    count.sure[0 if right else 1].append(float(one))
            if self._stop():
                return
        if rule.rounds <= count.rounds:
            right = rules.right(self._task, name, count=ROUND, seed=seed)
            rule.right, rule.asked = rule.right + right, rule.asked + ROUND
            rule.rounds += 1
        count.rounds += 1
        snapshot, moment = self._kept[-1]
        found = {each: c.found for each, c in self._counts.items() if c.asked}
        self._kept[-1] = snapshot, replace(moment, right={**moment.right, **found})

    def _time(self) -> None:
        """Time an answer to the text, alone and many at once."""
        self._asker.show(self._kept[-1][0].weights)
        answer, text = rules.RULES[self._task.name].answer, self._ran.text

        def once(times: int) -> float:
            start = perf_counter()
            for _ in range(times):
                try:
                    answer(text)
                except ValueError:
                    continue
            return (perf_counter() - start) / times

        depth = self._asker.depth(self._read)
        try:
            alone = self._asker.seconds(self._read, 1, 5, self._called)
            together = self._asker.seconds(self._read, TOGETHER, 2, self._called) / TOGETHER
        except Stopped:
            self.todo.insert(0, self._time)  # when nobody calls any more
            return
        self._times = Times(
            rule=min(once(50) for _ in range(5)), rule_batch=min(once(TOGETHER) for _ in range(3)),
            alone=alone, together=together, batch=TOGETHER, rule_depth=len(self._ran.lines),
            depth=depth,
        )  # fmt: skip

    def _ablate(self) -> None:
        """Take away what can be taken away, and ask the first rounds again."""
        snapshot, moment = self._kept[-1]
        self._asker.show(snapshot.weights)
        taken = self._asker.without(moment.head)
        if taken is None:
            return
        what, vector = taken
        case = self.wish.case
        name = ASKED[self._task.name][case]
        found = []
        for weights in (snapshot.weights, vector):
            self._asker.show(weights)
            count = _Count()
            rng = tasks.fresh(SEED + self._first, name)
            for batch in self._task.sample(rng, 2 * ROUND, name):
                count.add(self._asker.ask(batch)[0])
                if self._stop():
                    return
            found.append(count.found)
        self._asker.show(snapshot.weights)
        self._ablation = Ablation(what, case, *found)

    def _write_all(self) -> None:
        """Let the latest moment answer the text; the others answer when they are looked at."""
        self._kept = [(snapshot, replace(m, written=None)) for snapshot, m in self._kept]
        self.look_at(len(self._kept) - 1)

    def look_at(self, number: int) -> None:
        """Let the network of a moment answer the text, by its place among the moments."""
        if not 0 <= number < len(self._kept):
            return
        snapshot, moment = self._kept[number]
        if moment.written is None or moment.written.read != self._read:
            self._kept[number] = snapshot, self._answered(snapshot, moment)

    def _answered(self, snapshot: Snapshot, moment: Moment) -> Moment:
        self._asker.show(snapshot.weights)
        head = moment.head or self._asker.strongest()
        return replace(moment, head=head, written=self._asker.write(self._read, head))

    # ---- one step, recorded

    def record(self, number: int) -> None:
        """Record the step that follows a moment, on another training: this one stays as it is."""
        from engine.learning_step import next_step

        if not 0 <= number < len(self._kept):
            return
        moment = self._kept[number][0]
        fresh = not moment.mean.size
        training = Training(self._task, self._recipe(self._task, self.wish), self.wish.seed)
        if fresh:  # as it is shipped: its weights are all that was kept
            zeros = np.zeros_like(moment.weights)
            training.go_back(Snapshot(0, moment.weights, zeros, zeros))
        else:
            training.go_back(moment)
        with self._recorder.job():
            times = (next_step(training, watch=self._watched) for _ in range(RUNS))
            trace = min(times, key=lambda trace: trace.seconds)
        rate = float(trace.step("update.weights").told["rate"])
        self._recorded = Descent(moment.step, trace, rate, fresh)

    def _watched(self, start: float, end: float, spent: Mapping[Unit, float]) -> None:
        self._recorder.watch(start, end, spent)
        if self._stop():
            raise Said("The window was closed while a step was recorded.")

    # ---- training

    def train(self, on: bool) -> None:
        """Go on training, or pause; a network as shipped begins anew from step 0."""
        if on and (self.training is None or self.training.step >= self.training.recipe.steps):
            self.anew()
        self.running = on
        self.todo = []
        if not on:
            self._keep()
            self._begin_counts()
            self._plan()

    def anew(self) -> None:
        """Begin from step 0 with the first weights of the seed."""
        self.training = Training(self._task, self._recipe(self._task, self.wish), self.wish.seed)
        self._kept, self._losses, self.running = [], [], False
        self._recorded = None
        self._begin_counts()
        self._keep()
        self._plan()

    def step(self) -> None:
        """Take one step of descent."""
        if self.training is None:
            self.anew()
        self.running = False
        self.descend(1)
        self._keep()
        self._begin_counts()
        self._plan()

    def descend(self, most: int = 0) -> None:
        """Take steps for a slice of time, or so many."""
        training = self.training
        assert training is not None
        start = perf_counter()
        taken = 0
        while not self._stop() and training.step < training.recipe.steps:
            before, spent = perf_counter(), unspent()
            try:
                loss = training.descend(spent)
            except DivergedError as error:
                self._roll_back(error)
                return
            units = {unit: sum(spent[phase][unit] for phase in spent) for unit in Unit}
            self._recorder.watch(before, perf_counter(), units)
            what = f"{training.recipe.title}, {training.task.name}"
            self._recorder.train(what, training.step, spent)
            self._losses.append((training.step - 1, loss))
            taken += 1
            if visible(training.step):
                self._keep()
                self._look_around()
            if (most and taken >= most) or (not most and perf_counter() - start > SLICE_SECONDS):
                break
        if training.step >= training.recipe.steps:
            self.running = False
            self._keep()
            self._begin_counts()
            self._plan()
        elif self.running:
            self._show_now()

    def _show_now(self) -> None:
        """Let the network as it is answer, as a moment that gives way to the next."""
        training = self.training
        assert training is not None
        if not self._due():
            return
        moment = Moment(training.step, self._kept[-1][1].right)
        snapshot = training.keep()
        self._passing = snapshot, self._answered(snapshot, moment)

    def _keep(self) -> None:
        """Keep this moment of the training, to be gone back to."""
        training = self.training
        self._passing = None
        if training is None or (self._kept and self._kept[-1][0].step == training.step):
            return
        snapshot = training.keep()
        self._kept.append((snapshot, self._answered(snapshot, Moment(training.step, {}))))
        if len(self._kept) > MOST_MOMENTS:
            self._kept = [*self._kept[:-1:2], self._kept[-1]]

    def _look_around(self) -> None:
        """Ask a few fresh sentences of every case at a visible point of a training."""
        snapshot, moment = self._kept[-1]
        self._asker.show(snapshot.weights)
        found = {}
        for case, name in ASKED[self._task.name].items():
            count = _Count()
            rng = tasks.fresh(SEED + snapshot.step, name)
            for batch in self._task.sample(rng, ROUND, name):
                count.add(self._asker.ask(batch)[0])
                if self._stop():
                    return
            found[case] = count.found
        self._kept[-1] = snapshot, replace(moment, right=found)

    def _roll_back(self, error: DivergedError) -> None:
        """Go back to the last moment whose loss was known to be good, and say so."""
        training = self.training
        assert training is not None
        good = [kept for kept in self._kept if kept[0].step < training.step] or self._kept[:1]
        self._kept = good
        training.go_back(good[-1][0])
        self._losses = [point for point in self._losses if point[0] < max(training.step, 1)]
        self.running, self._passing = False, None
        self._begin_counts()
        self._plan()
        why = " ".join(str(error).split()).partition(";")[0]
        self.sentence = f"{why}; it went back to step {training.step}, train with a lower one."

    # ---- what is told

    def solved(self) -> Solved:
        """Return what is known."""
        wish, task = self.wish, self._task
        offered = ASKED[task.name]
        moments = [moment for _, moment in self._kept]
        passing = self._passing
        if passing is not None and self.running:
            moments.append(passing[1])
        training = self.training
        recipe = training.recipe if training is not None else task.recipes[wish.model]
        steps = recipe.steps if training is not None else moments[-1].step
        return Solved(
            task=task.name, text=self._ran.text, own=bool(wish.text), case=wish.case,
            wanted=self._wanted, ran=self._ran, source=self._source,
            cases=tuple(
                Case(case, EXAMPLE[task.name][case][0]) if case in offered else Case(case, "", "no")
                for case in CASES
            ),
            rule={case: count.found for case, count in self._rule.items() if count.asked},
            model=wish.model, network=recipe.title,
            parameters=self._asker.weights.vector.size, moments=tuple(moments), steps=steps,
            losses=thinned(self._losses), running=self.running,
            trained_here=training is not None, seed=wish.seed, rate=wish.rate or recipe.rate,
            width=recipe.config.width, batch=recipe.batch,
            examples=EXAMPLES if task.name == "dates" else 0,
            lines=self._lines, times=self._times, ablation=self._ablation,
            sure={case: count.surety for case, count in self._counts.items() if count.asked},
            descent=self._recorded,
        )  # fmt: skip


def solve(
    wish: Wish, steps: int = 0, said: Callable[[str], object] = lambda sentence: None
) -> Solved:
    """Return a text solved, with all that is asked and timed; trained here for so many steps.

    ``said`` is told in a sentence what of the text is not read.

    Raises
    ------
    engine.said.Said
        With one sentence: a text that nobody can read, a training that diverges.
    """
    from threadpoolctl import threadpool_limits

    it = Solving(Recorder())
    with threadpool_limits(1, user_api="blas"):
        it.solve(wish)
        if it.sentence:
            said(it.sentence)
            it.sentence = ""
        if steps:
            it.anew()
            it.running = True
            assert it.training is not None
            while it.running and it.training.step < steps:
                it.descend(1)
            if it.sentence:
                raise Said(it.sentence)
            if it.running:
                it.train(False)
        while it.todo:
            it.todo.pop(0)()
    return it.solved()


def visible(step: int) -> bool:
    """Return whether a step of a training is one that can be gone back to."""
    return step % EVERY == 0 or step & (step - 1) == 0


def thinned(points: list[tuple[int, float]], most: int = 240) -> tuple[tuple[int, float], ...]:
    """Return at most so many points, each the mean of its neighbours."""
    if len(points) <= most:
        return tuple(points)
    size = math.ceil(len(points) / most)
    groups = [points[i : i + size] for i in range(0, len(points), size)]
    return tuple((g[-1][0], math.fsum(loss for _, loss in g) / len(g)) for g in groups)

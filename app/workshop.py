"""The workshop of chapter 4: one thread that trains a network, asks it, and times it and the rule.

Everything that computes happens in this thread, with one thread for products: the same seed gives
the same weights to the bit, and nothing of it is waited for by whoever paints. What it tells is a
whole ``Solved``, at most ``TOLD_HZ`` times a second.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from app import learning
from app.background import SWITCH_SECONDS
from app.saying import sentence_of
from engine import rules, tasks
from engine.forward import Weights
from engine.models import Model, depth_at, run
from engine.ops import Array, Ops
from engine.program import Program
from engine.recorder import Recorder
from engine.said import Said
from engine.tasks import UNCOUNTED, Batch, Recipe, Task
from engine.tasks.dates import EXAMPLES, MOST_READ, WRITTEN
from engine.trace import Unit
from engine.training import (
    DivergedError,
    Snapshot,
    Training,
    compiled,
    put,
    unspent,
    written,
)
from widgets.scenes.analytical_empirical.subject import (
    CASES,
    Ablation,
    Case,
    Descent,
    Head,
    Moment,
    Right,
    Solved,
    Sure,
    Times,
    Written,
)

TOLD_HZ = 6.0
SLICE_SECONDS = 0.08  # of training between two looks at what is wanted
EVERY = 100  # steps between two visible points, besides 0, 1, 2, 4, 8 …
MOST_MOMENTS = 80  # that can be gone back to; then every second one is dropped
ROWS = 16  # sentences that are asked at once
ROUND = 32  # sentences of a case that are asked in a round
ENOUGH = 512  # sentences of a case
SEED = 12345  # of the first round: that of ``unrolled evaluate``; each round has the next
RUNS = 3  # of a step that is recorded, of which the fastest is shown
TOGETHER = 256  # answers that are timed at once
MOST_BRACKETS = 64  # that are read of a text
PATIENCE_SECONDS = 0.9  # for the thread to end
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


class Told(NamedTuple):
    """What the workshop tells: what is known, for which wish of which number, and a sentence."""

    solved: Solved
    wish: Wish
    number: int
    sentence: str = ""


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


class Asker:
    """A network whose weights can be exchanged, with its runs compiled once for each length."""

    def __init__(self, task: Task, model: Model, recorder: Recorder | None = None) -> None:
        self.task, self.config, self._recorder = task, model.config, recorder or Recorder()
        self.weights = Weights(model.parameters)
        self._ops = Ops()
        self._programs: dict[tuple[int, int], Program] = {}
        self._model = model

    def show(self, vector: Array) -> None:
        """Take other weights."""
        self.weights.vector[...] = vector

    def _program(self, batch: Batch) -> Program:
        key = batch.ids.shape
        program = self._programs.get(key)
        if program is None:
            program = compiled(self.task, self.config, self.weights, batch, self._ops)
            self._programs[key] = program
        put(program, batch)
        return program

    def batch_of(self, text: str, rows: int = 1) -> Batch:
        """Return a text as a batch."""
        place = {symbol: i for i, symbol in enumerate(self.task.vocabulary)}
        ids = np.tile([place[c] for c in text], (rows, 1))
        if self.task.name == "dates":
            shape = (rows, WRITTEN)
            return Batch(ids, np.zeros(shape, np.int64), np.zeros(shape, np.int64))
        return Batch(ids, np.zeros(ids.shape, np.int64))

    def write(self, text: str, head: Head | None = None) -> Written:
        """Return what the network answers to a text."""
        batch = self.batch_of(text)
        program = self._program(batch)
        start = perf_counter()
        answered, sure = written(program, batch, self._recorder.watch)
        seconds = perf_counter() - start
        symbols = "".join(self.task.vocabulary[i] for i in answered[0])
        rows, looks, query, keys = self._looks(program, head)
        return Written(
            read=text, symbols=symbols, sure=tuple(map(float, sure[0])), looks=looks,
            weights=tuple(tuple(map(float, row)) for row in rows), query=query, keys=keys,
            seconds=seconds,
        )  # fmt: skip

    def _looks(self, program: Program, head: Head | None) -> tuple[Any, str, Any, Any]:
        """Return weights, whose they are, and the shapes of a query and of the keys."""
        config, width = self.config, self.config.width
        if config.kind == "seq2seq" and config.attention:
            rows = [program.value(f"attn.pattern.{t}").reshape(-1) for t in range(1, WRITTEN + 1)]
            return rows, "one", (width,), (len(rows[0]), width)
        each = (width // max(config.heads, 1),)
        if config.kind == "translator":
            found = program.value(f"decoder.blocks.{config.layers - 1}.cross.pattern")[0]
            return found.mean(0), "mean", each, (found.shape[-1], *each)
        if config.kind == "grid" and head is not None:
            found = program.value(f"blocks.{head.block}.attn.pattern")[0, head.head]
            return found, "head", each, (found.shape[-1], *each)
        return (), "none", (width,), ()

    def ask(self, batch: Batch, *, sure: bool = False) -> tuple[Array, Array]:
        """Return for each sentence whether it is right as a whole, and how sure the answer is.

        A network that writes is right as a whole exactly when each symbol is right behind the right
        ones: so it is asked once, and writes by itself only where it shall say how ``sure`` it is.
        """
        good, least = [], []
        for some in _pieces(batch, ROWS):
            program = self._program(some)
            if sure:
                found, p = written(program, some, self._recorder.watch)
            else:
                before, spent = perf_counter(), dict.fromkeys(Unit, 0.0)
                program.forward(spent)
                self._recorder.watch(before, perf_counter(), spent)
                p = program.value("answer.probabilities")
                found, p = p.argmax(-1), p.max(-1)
            counted = some.answers != UNCOUNTED
            good.append(((found == some.answers) | ~counted).all(-1))
            least.append(np.where(counted, p, 1.0).min(-1))
        count = len(batch.ids)
        return np.concatenate(good)[:count], np.concatenate(least)[:count]

    def seconds(self, text: str, rows: int, times: int) -> float:
        """Return the least time that answers to so many texts took."""
        batch = self.batch_of(text, rows)
        program = compiled(self.task, self.config, self.weights, batch, self._ops)
        kinds = dict.fromkeys(Unit, 0.0)  # of a run whose operations are timed, which takes longer

        def watch(start: float, end: float, spent: Mapping[Unit, float]) -> None:
            for unit, seconds in spent.items():
                kinds[unit] += seconds
            self._recorder.watch(start, end, spent)

        put(program, batch)
        start = perf_counter()
        written(program, batch, watch)
        timed = perf_counter() - start
        found = []
        for _ in range(times):
            put(program, batch)
            start = perf_counter()
            written(program, batch)
            end = perf_counter()
            found.append(end - start)
            part = min(found[-1] / timed, 1.0)
            self._recorder.watch(start, end, {unit: part * s for unit, s in kinds.items()})
        return min(found)

    def depth(self, text: str) -> int:
        """Return how many operations depend on one another from text to answer."""
        if self.task.name != "dates":
            return depth_at(self._model, len(text))
        # Each symbol waits for the one before: that many runs, one behind another, of a network
        # that reads all of the answer again; a chain that writes goes through its steps once.
        batch = self.batch_of(text)
        trace = run(self._model, batch.ids[0], hidden=len(text) - 1, ops=self._ops,
                    target=np.zeros(WRITTEN))  # fmt: skip
        return trace.depth * (WRITTEN if self.config.kind == "translator" else 1)

    def strongest(self) -> Head | None:
        """Return the head that is most on the bracket to be closed next; None: has no heads."""
        if self.config.kind != "grid":
            return None
        batch = self.task.sample(tasks.fresh(SEED, "heads"), ROWS, "40-deep-6")[0]
        program = self._program(batch)
        program.forward()
        due = matching(batch.ids)
        rows, columns = np.nonzero(due >= 0)
        found = [
            Head(block, head, float(pattern[rows, head, columns, due[rows, columns]].mean()))
            for block in range(self.config.layers)
            for pattern in (program.value(f"blocks.{block}.attn.pattern"),)
            for head in range(self.config.heads)
        ]
        return max(found, key=lambda head: head.score)

    def without(self, head: Head | None) -> tuple[str, Array] | None:
        """Return what can be taken away of the network, and its weights then; None: nothing."""
        config, size = self.config, self.config.width // max(self.config.heads, 1)
        if config.kind == "seq2seq" and config.attention:
            names = ["attn.v_a" if config.score == "additive" else "attn.W_a"]
        elif config.kind == "translator":
            cross = [f"decoder.blocks.{b}.cross" for b in range(config.layers)]
            names = [f"{b}.{letter}" for b in cross for letter in ("W_q", "b_q")]
        elif config.kind == "grid" and head is not None:
            names = [f"blocks.{head.block}.attn.W_o"]
        else:
            return None
        own = Weights(self.weights.named)
        for name in names:
            if head is not None:
                own.named[name][head.head * size : (head.head + 1) * size] = 0.0
            else:
                own.named[name][...] = 0.0  # every score is 0, every letter weighs the same
        return ("head" if head is not None else "uniform"), own.vector


def matching(ids: Array) -> Array:
    """Return for each bracket where the one stands that has to be closed next; -1: none."""
    found = np.full(ids.shape, -1)
    for row, brackets in enumerate(ids):
        stack: list[int] = []
        for t, bracket in enumerate(brackets):
            if bracket < 3:
                stack.append(t)
            elif stack:
                stack.pop()
            found[row, t] = stack[-1] if stack else -1
    return found


def _pieces(batch: Batch, rows: int) -> Iterator[Batch]:
    """Yield a batch in pieces of so many sentences, the last one filled up with the first."""
    count = len(batch.ids)
    for start in range(0, count, rows):
        some = np.arange(start, start + rows) % count
        target = None if batch.target is None else batch.target[some]
        yield Batch(batch.ids[some], batch.answers[some], target)


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


class Workshop:
    """Trains, asks and times in a thread of its own; ``told`` is called there with what is known.

    Requests return at once. ``close`` ends the thread within a second: no slice of work is longer.
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

    def __init__(self, told: Callable[[Told], None], recorder: Recorder | None = None) -> None:
        self._told, self._recorder = told, recorder or Recorder()
        self._wake = threading.Condition()
        self._orders: list[Callable[[], None]] = []
        self._closed = False
        self._thread: threading.Thread | None = None
        self.wish = Wish()
        self._running = False
        self._resting = False
        self._asked = self._number = 0  # wishes, and the one that was solved last
        self._sentence = ""
        self._last_told = 0.0
        self._training: Training | None = None
        self._passing: tuple[Snapshot, Moment] | None = None  # the network as it is, while it runs
        self._losses: list[tuple[int, float]] = []
        self._todo: list[Callable[[], None]] = []
        self._recorded: Descent | None = None
        self._times: Times | None = None
        self._ablation: Ablation | None = None

    def now(self, wish: Wish, steps: int = 0) -> Solved:
        """Return a text solved in this thread, see ``solve``."""
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, user_api="blas"):
            self._solve(wish)
            if steps:
                self._anew()
                self._running = True
                assert self._training is not None
                while self._running and self._training.step < steps:
                    self._descend(1)
                if self._sentence:
                    raise Said(self._sentence)
                if self._running:
                    self._train(False)
            while self._todo:
                self._todo.pop(0)()
        return self._solved()

    # ------------------------------------------------------------------ what is wanted

    def solve(self, wish: Wish) -> int:
        """Solve a text by the rule and a network; return the number that the answer will have.

        Another network begins as it is shipped.
        """
        self._asked += 1
        self._order(partial(self._answer, self._asked, wish))
        return self._asked

    def _answer(self, number: int, wish: Wish) -> None:
        self._number = number
        self._solve(wish)

    def train(self, on: bool) -> None:
        """Go on training, or pause; a network as shipped begins anew from step 0."""
        self._order(lambda: self._train(on))

    @property
    def trains(self) -> bool:
        """Return whether a training runs now."""
        return self._running

    def step(self) -> None:
        """Take one step of descent."""
        self._order(self._one_step)

    def reset(self) -> None:
        """Begin again from the same weights."""
        self._order(self._anew)

    def look_at(self, number: int) -> None:
        """Let the network of a moment answer the text, by its place among the moments."""
        self._order(lambda: self._look_at(number))

    def descent(self, number: int) -> None:
        """Record the step that is taken from a moment, by its place, operation by operation."""
        self._order(lambda: self._record(number))

    def rest(self, resting: bool) -> None:
        """Do nothing until it is told to go on; training is paused."""
        self._order(lambda: self._rest(resting))

    def close(self) -> None:
        """End the thread."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(PATIENCE_SECONDS)

    def _order(self, what: Callable[[], None]) -> None:
        with self._wake:
            self._orders.append(what)
            self._wake.notify()
        if self._thread is None and not self._closed:
            sys.setswitchinterval(SWITCH_SECONDS)
            self._thread = threading.Thread(target=self._work, name="workshop", daemon=True)
            self._thread.start()

    # ------------------------------------------------------------------ in the thread

    def _work(self) -> None:
        from threadpoolctl import ThreadpoolController

        pools = ThreadpoolController()
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._closed or self._orders or self._has_work())
                if self._closed:
                    return
                orders, self._orders = self._orders, []
            # Only while it works: the number of threads is the whole program's.
            with pools.limit(limits=1, user_api="blas"):
                try:
                    for order in orders:
                        order()
                    if not orders and not self._resting:
                        self._slice()
                except Exception as error:  # said, and the thread stays
                    self._failed(error)
            self._tell(bool(orders))

    def _failed(self, error: Exception) -> None:
        """Say what went wrong; what was solved before stays."""
        self._sentence = sentence_of(error)
        if not isinstance(error, Said):
            self._running, self._todo = False, []
        if not hasattr(self, "_ran"):
            self._solve(Wish())

    def _has_work(self) -> bool:
        return not self._resting and hasattr(self, "_asker") and (self._running or bool(self._todo))

    def _slice(self) -> None:
        if self._running:
            with self._recorder.job():
                self._descend()
        elif self._todo:
            self._todo.pop(0)()

    def _tell(self, now: bool) -> None:
        """Tell what is known, unless that was a moment ago and more is to come."""
        at = perf_counter()
        if not hasattr(self, "_ran") or self._closed:
            return
        if now or self._sentence or not self._has_work() or at - self._last_told > 1 / TOLD_HZ:
            self._last_told = at
            sentence, self._sentence = self._sentence, ""
            self._told(Told(self._solved(), self.wish, self._number, sentence))

    # ---- what is solved

    def _solve(self, wish: Wish) -> None:
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
            self._anew()
        if self._training is not None and wish.rate != before.rate:
            self._training.with_rate(wish.rate or self._task.recipes[wish.model].rate)
        if not new and wish.case != before.case:
            self._counts[wish.case] = _Count()  # how sure it is was asked of the other case alone
        self._passing = None
        self._write_all()
        self._plan()
        if said:
            self._sentence = said

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
        self._training = self._recorded = None
        self._running = False
        vector = Weights(self._model.parameters).vector.copy()
        steps = int(self._model.card.get("steps", 0))
        self._kept = [(Snapshot(steps, vector, vector[:0], vector[:0]), Moment(steps, {}))]
        self._losses = []
        self._times = None
        self._begin_counts()

    def _begin_counts(self) -> None:
        self._counts = {case: _Count() for case in ASKED[self._task.name]}
        self._ablation = None

    def _plan(self) -> None:
        """Plan what is asked and timed of the latest moment, a slice at a time."""
        case = self.wish.case
        self._todo = []
        if self._running:
            return
        add = self._todo.append
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
        name, seed = ASKED[self._task.name][case], SEED + count.rounds
        self._asker.show(self._kept[-1][0].weights)
        for batch in self._task.sample(tasks.fresh(seed, name), ROUND, name):
            good, least = self._asker.ask(batch, sure=case == self.wish.case)
            count.add(good)
            if case == self.wish.case:
                for one, right in zip(least, good, strict=True):
                    count.sure[0 if right else 1].append(float(one))
            if self._closed:
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
        self._times = Times(
            rule=min(once(50) for _ in range(5)), rule_batch=min(once(TOGETHER) for _ in range(3)),
            alone=self._asker.seconds(self._read, 1, 5),
            together=self._asker.seconds(self._read, TOGETHER, 2) / TOGETHER, batch=TOGETHER,
            rule_depth=len(self._ran.lines), depth=depth,
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
            for batch in self._task.sample(tasks.fresh(SEED, name), 2 * ROUND, name):
                count.add(self._asker.ask(batch)[0])
                if self._closed:
                    return
            found.append(count.found)
        self._asker.show(snapshot.weights)
        self._ablation = Ablation(what, case, *found)

    def _write_all(self) -> None:
        """Let the latest moment answer the text; the others answer when they are looked at."""
        self._kept = [(snapshot, replace(m, written=None)) for snapshot, m in self._kept]
        self._look_at(len(self._kept) - 1)

    def _look_at(self, number: int) -> None:
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

    def _record(self, number: int) -> None:
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
        if self._closed:
            raise Said("The window was closed while a step was recorded.")

    # ---- training

    def _train(self, on: bool) -> None:
        if on and (self._training is None or self._training.step >= self._training.recipe.steps):
            self._anew()
        self._running = on
        self._todo = []
        if not on:
            self._keep()
            self._begin_counts()
            self._plan()

    def _anew(self) -> None:
        """Begin from step 0 with the first weights of the seed."""
        self._training = Training(self._task, self._recipe(self._task, self.wish), self.wish.seed)
        self._kept, self._losses, self._running = [], [], False
        self._recorded = None
        self._begin_counts()
        self._keep()
        self._plan()

    def _one_step(self) -> None:
        if self._training is None:
            self._anew()
        self._running = False
        self._descend(1)
        self._keep()
        self._begin_counts()
        self._plan()

    def _descend(self, most: int = 0) -> None:
        """Take steps for a slice of time, or so many."""
        training = self._training
        assert training is not None
        start = perf_counter()
        taken = 0
        while not self._closed and training.step < training.recipe.steps:
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
            self._running = False
            self._keep()
            self._begin_counts()
            self._plan()
        elif self._running:
            self._show_now()

    def _show_now(self) -> None:
        """Let the network as it is answer, as a moment that gives way to the next."""
        training = self._training
        assert training is not None
        at = perf_counter()
        if at - self._last_told <= 1 / TOLD_HZ:
            return
        moment = Moment(training.step, self._kept[-1][1].right)
        snapshot = training.keep()
        self._passing = snapshot, self._answered(snapshot, moment)

    def _keep(self) -> None:
        """Keep this moment of the training, to be gone back to."""
        training = self._training
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
                if self._closed:
                    return
            found[case] = count.found
        self._kept[-1] = snapshot, replace(moment, right=found)

    def _roll_back(self, error: DivergedError) -> None:
        """Go back to the last moment whose loss was known to be good, and say so."""
        training = self._training
        assert training is not None
        good = [kept for kept in self._kept if kept[0].step < training.step] or self._kept[:1]
        self._kept = good
        training.go_back(good[-1][0])
        self._losses = [point for point in self._losses if point[0] < max(training.step, 1)]
        self._running, self._passing = False, None
        self._begin_counts()
        self._plan()
        said = " ".join(str(error).split())
        self._sentence = f"{said} It went back to step {training.step}."

    def _rest(self, resting: bool) -> None:
        if resting and self._running:
            self._train(False)
        self._resting = resting

    # ---- what is told

    def _solved(self) -> Solved:
        wish, task = self.wish, self._task
        offered = ASKED[task.name]
        moments = [moment for _, moment in self._kept]
        passing = self._passing
        if passing is not None and self._running:
            moments.append(passing[1])
        training = self._training
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
            losses=thinned(self._losses), running=self._running,
            trained_here=training is not None, seed=wish.seed, rate=wish.rate or recipe.rate,
            width=recipe.config.width, batch=recipe.batch,
            examples=EXAMPLES if task.name == "dates" else 0,
            lines=self._lines, times=self._times, ablation=self._ablation,
            sure={case: count.surety for case, count in self._counts.items() if count.asked},
            descent=self._recorded,
        )  # fmt: skip


def solve(wish: Wish, steps: int = 0) -> Solved:
    """Return a text solved, with all that is asked and timed; trained here for so many steps.

    Raises
    ------
    engine.said.Said
        With one sentence: a text that nobody can read, a training that diverges.
    """
    shop = Workshop(lambda told: None)
    return shop.now(wish, steps)


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

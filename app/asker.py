"""A network of chapter 4 that is asked: what it answers, looks at and depends on.

Its weights can be exchanged, so that every moment of a training answers through the same runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from time import perf_counter
from typing import Any

import numpy as np

from engine import tasks
from engine.forward import Memory, Weights
from engine.models import Model, depth_at, run
from engine.ops import Array, Ops
from engine.program import Program
from engine.recorder import Recorder
from engine.tasks import UNCOUNTED, Batch, Task
from engine.tasks.dates import WRITTEN
from engine.trace import Unit
from engine.training import compiled, put, written
from widgets.scenes.analytical_empirical.subject import Head, Written

ROWS = 16  # sentences that are asked at once
SEED = 12345  # of the first round: that of ``unrolled evaluate``; each round has the next


class Asker:
    """A network whose weights can be exchanged, with its runs compiled once for each length."""

    def __init__(self, task: Task, model: Model, recorder: Recorder | None = None) -> None:
        self.task, self.config, self._recorder = task, model.config, recorder or Recorder()
        self.weights = Weights(model.parameters)
        self._ops, self._memory = Ops(), Memory()
        self._programs: dict[tuple[int, int], Program] = {}
        self._model = model

    def show(self, vector: Array) -> None:
        """Take other weights."""
        self.weights.vector[...] = vector

    def _program(self, batch: Batch) -> Program:
        key = batch.ids.shape
        program = self._programs.get(key)
        if program is None:
            program = self._programs[key] = compiled(
                self.task, self.config, self.weights, batch, self._ops, memory=self._memory,
                learns=False,
            )  # fmt: skip
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

    def seconds(
        self, text: str, rows: int, times: int, stop: Callable[[], bool] = lambda: False
    ) -> float:
        """Return the least time that answers to so many texts took; raise Stopped when it must."""
        batch = self.batch_of(text, rows)
        program = compiled(
            self.task, self.config, self.weights, batch, self._ops, learns=False
        )  # fmt: skip
        kinds = dict.fromkeys(Unit, 0.0)  # of a run whose operations are timed, which takes longer

        def watch(start: float, end: float, spent: Mapping[Unit, float]) -> None:
            for unit, seconds in spent.items():
                kinds[unit] += seconds
            self._recorder.watch(start, end, spent)

        put(program, batch)
        start = perf_counter()
        written(program, batch, watch, stop)
        timed = perf_counter() - start
        found = []
        for _ in range(times):
            put(program, batch)
            start = perf_counter()
            written(program, batch, stop=stop)
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

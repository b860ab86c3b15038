"""The inspector's pages of one step of descent: its phases, a stage's operations, one of them.

``descent`` is the step, ``descent:stage:NAME`` a stage of it, ``descent:op:NAME`` an operation.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from widgets import numbers
from widgets.numbers import NBSP
from widgets.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.trace import Stage, Step, Trace, Unit
    from widgets.captions import Captions
    from widgets.inspector import Page, Run
    from widgets.scenes.analytical_empirical.subject import Descent, Solved

LISTED, COLUMNS = 16, 2  # numbers that are written out, and of them beside one another
ARROW = "←"


def is_element(descent: Descent | None, rest: str) -> bool:
    """Return whether there is a page behind ``descent:``; the step itself always has one."""
    kind, _, name = rest.partition(":")
    if not rest or descent is None:
        return not rest
    if kind == "op":
        return name in descent.trace
    return kind == "stage" and any(stage.name == name for stage in descent.trace.stages)


def parent(descent: Descent | None, name: str) -> str:
    """Return the page that an element's page was opened from."""
    _, kind, rest = (*name.split(":", 2), "", "")[:3]
    if kind == "op" and descent is not None and rest in descent.trace:
        return f"descent:stage:{descent.trace.step(rest).stage}"
    return "descent" if kind else ""


def write(page: Page, subject: Solved, rest: str, tick: int, say: Captions) -> None:
    """Write the page of a step of descent, or of a stage or operation of it."""
    descent = subject.descent
    if descent is None:
        f = page.formats
        page.line([(say("descent.open"), f.small)])
        page.line([(say("descent.title", step=subject.moment_at(tick).step + 1), f.title)])
        page.line([(say("descent.recording"), f.body)], above=4)
        return
    writer = _Writer(page, descent, say)
    kind, _, name = rest.partition(":")
    if kind == "op":
        writer.operation(descent.trace.step(name))
    elif kind == "stage":
        writer.stage(next(stage for stage in descent.trace.stages if stage.name == name))
    else:
        writer.step(subject, tick)


class _Writer(Writer):
    """Writes on a page in words."""

    def __init__(self, page: Page, descent: Descent, say: Captions) -> None:
        super().__init__(page, say)
        self._descent = descent
        self._trace: Trace = descent.trace

    def _title(self) -> str:
        after = self._descent.after
        if self._descent.fresh:
            return self._say("descent.shipped", step=after)
        return self._say("descent.title", step=after + 1)

    # ------------------------------------------------------------------ the step

    def step(self, subject: Solved, tick: int) -> None:
        """Write what the step came to, where its time goes, and its stages."""
        say, page, trace, f = self._say, self._page, self._trace, self._page.formats
        page.line([(say("descent.open"), f.small)])
        page.line([(self._title(), f.title)])
        page.line([(say("descent.said", batch=subject.batch), f.body)], above=4)
        if self._descent.fresh:
            page.line([(say("descent.fresh"), f.body)], above=4)
        shown = subject.moment_at(tick).step
        if shown != self._descent.after:
            again = page.link(say("descent.again", step=shown), "descent:again", how=f.body)
            page.line([again], above=4)
        page.rule()
        norm = float(trace.value("update.norm"))
        most = float(trace.step("update.clipped").told["most"])
        self._row(say("descent.loss"), numbers.value(float(trace.value("loss"))), strong=True)
        self._row(say("descent.norm"), numbers.value(norm))
        if norm > most:
            self._row(say("descent.bound"), numbers.value(most))
        self._row(say("descent.rate"), numbers.value(self._descent.rate))
        self._row(say("descent.depth"), str(trace.depth), strong=True)
        self._row(say("descent.flops"), numbers.count(trace.flops))
        self._row(say("descent.time"), numbers.seconds(trace.seconds), strong=True)
        self._shares()
        self._stages()

    def _shares(self) -> None:
        """Write the shares of time of every phase, by unit; they add up to 100."""
        from engine.learning_step import ORDER, phase_of
        from engine.ops import op_of
        from engine.trace import Unit

        say, f = self._say, self._page.formats
        spent = {(phase, unit): 0.0 for phase in ORDER for unit in Unit}
        for step in self._trace.steps:
            unit = step.timing.unit if op_of(step.op).moves else Unit.SEQUENTIAL
            spent[phase_of(step.stage), unit] += step.timing.seconds
        rest = max(self._trace.seconds - math.fsum(spent.values()), 0.0)
        *shares, between = numbers.percents([*spent.values(), rest])
        percents = dict(zip(spent, shares, strict=True))
        self._section(say("descent.shares"))
        for phase in ORDER:
            whole = sum(percents[phase, unit] for unit in Unit)
            self._page.line([(say(f"descent.phase.{phase}"), f.body)],
                            right=[(f"{whole}{NBSP}%", f.mono_strong)], above=6)  # fmt: skip
            for unit in Unit:
                if percents[phase, unit]:
                    chip = f.chip(str(unit), say(f"units.work.{unit}").partition(":")[0])
                    right = [(f"{percents[phase, unit]}{NBSP}%", f.mono)]
                    self._page.line([chip], right=right, above=4)
        rest_of = [(f"{between}{NBSP}%", f.mono_strong)]
        self._page.line([(say("descent.rest"), f.body)], right=rest_of, above=6)

    def _stages(self) -> None:
        """Write the stages of every phase as links, with operations and time of each."""
        from engine.learning_step import ORDER, phase_of

        say, page, f = self._say, self._page, self._page.formats
        steps: dict[str, list[Step]] = {stage.name: [] for stage in self._trace.stages}
        for step in self._trace.steps:
            steps[step.stage].append(step)
        for phase in ORDER:
            of_phase = [stage for stage in self._trace.stages if phase_of(stage.name) == phase]
            count = sum(len(steps[stage.name]) for stage in of_phase)
            self._section(say(f"descent.phase.{phase}"), say("descent.operations", count=count))
            for stage in of_phase:
                if steps[stage.name]:
                    link = page.link(stage.title, f"descent:stage:{stage.name}", how=f.small)
                    time = _time(steps[stage.name])
                    page.line([link], right=[(time, f.mono)], above=2)

    # ------------------------------------------------------------------ a stage

    def stage(self, stage: Stage) -> None:
        """Write the operations of a stage: unit, kind, time, and a link to each."""
        say, page, f = self._say, self._page, self._page.formats
        self._up("descent", say("descent.all", step=self._descent.after + 1))
        page.line([(stage.title, f.title)])
        page.formula(stage.equation)
        for step in self._trace.steps_of(stage.name):
            page.line(self._kind(step), right=[(_time([step]), f.mono)], above=9)
            link = page.link(step.name, f"descent:op:{step.name}")
            page.line([link], above=3)

    def _kind(self, step: Step) -> list[Run]:
        """Return unit and operation as a chip, or that nothing was computed."""
        from engine.ops import op_of

        f, row = self._page.formats, op_of(step.op)
        if not row.moves:
            return [(row.label, f.small)]
        unit: Unit = step.timing.unit
        return [f.chip(str(unit), self._say(f"inspector.unit.{unit}", op=row.label))]

    def _up(self, name: str, words: str) -> None:
        f = self._page.formats
        self._page.line([(f"{ARROW}{NBSP}", f.small), self._page.link(words, name, how=f.small)])

    # ------------------------------------------------------------------ an operation

    def operation(self, step: Step) -> None:
        """Write an operation: what it computes from what, its cost and time, and its numbers."""
        say, page, f, trace = self._say, self._page, self._page.formats, self._trace
        stage = next(stage for stage in trace.stages if stage.name == step.stage)
        self._up(f"descent:stage:{stage.name}", stage.title)
        page.line([(step.name, f.mono_strong)], above=4)
        page.formula(step.equation)
        page.line(self._kind(step), right=[(_time([step]), f.mono)], above=9)
        shape = " × ".join(f"{a}{NBSP}{n}" for a, n in zip(step.axes, step.value.shape,
                                                           strict=True))  # fmt: skip
        page.line([(shape or say("inspector.scalar"), f.small)], above=4)
        if step.cost.bytes:
            self._row(say("descent.flops"), numbers.exact(step.cost.flops))
            moved = numbers.size(step.cost.bytes)
            page.line([(say("inspector.bytes", count=moved), f.small)], above=2)
        self._row(say("descent.depth"), str(trace.depths[step.name]))
        if step.reads:
            self._section(say("inspector.reads"))
            for read in dict.fromkeys(step.reads):
                known = read in trace
                run = page.link(read, f"descent:op:{read}") if known else (read, f.mono)
                page.line([run], above=3)
                if not known:
                    page.line([(say("descent.parameter"), f.small)])
        self._numbers(step)

    def _numbers(self, step: Step) -> None:
        """Write the first row of numbers, of a batch that of its first sentence."""
        page, f, say = self._page, self._page.formats, self._say
        value = step.value
        page.rule()
        if not value.ndim:
            page.line([(numbers.value(float(value)), f.mono_shown)])
            return
        batch = step.axes[0] == "batch" and value.ndim > 1
        row = value[(0,) * (value.ndim - 1)]
        part: Sequence[float] = row[:LISTED].tolist()
        key = "descent.first" if batch else "descent.numbers"
        words = say(key, first=1, last=len(part), count=len(row))
        page.line([(words, f.small)])
        for start in range(0, len(part), COLUMNS):
            cells = part[start : start + COLUMNS]
            page.line([(numbers.value(cells[0]), f.mono)],
                      right=[(numbers.value(cells[1]), f.mono)] if cells[1:] else None,
                      above=2)  # fmt: skip
        finite = abs(value[abs(value) < math.inf])
        self._row(say("descent.largest"), numbers.value(float(finite.max(initial=0.0))))


def _time(steps: list[Step]) -> str:
    return numbers.seconds(math.fsum(step.timing.seconds for step in steps))

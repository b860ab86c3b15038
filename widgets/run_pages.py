"""The inspector's pages of a run: what a tick does, and where one number comes from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from widgets import counter_pages, numbers
from widgets.captions import Captions
from widgets.counters import is_counter
from widgets.inspector import Page, Run, unbroken, width_of

if TYPE_CHECKING:
    from engine.trace import Pair, Step, Trace
    from widgets.view import Growth

LISTED = 16  # numbers of a row that are written out
COLUMNS, FEWER = 4, 2  # of them beside one another, and where there is no room
CELL = 9  # characters that one of them takes
LINKED = 5  # numbers of one operand that are written out
WORDS = 5  # of an answer


def write(
    page: Page,
    pair: Pair,
    what: int | str,
    say: Captions,
    growth: Sequence[Growth] = (),
    length: int | None = None,
) -> None:
    """Write what a tick does, where an element comes from, or how a counter is added up.

    A name that points at nothing writes nothing. ``growth`` is what was measured at other lengths,
    ``length`` that of the plots' marker.
    """
    if isinstance(what, int):
        _write_tick(page, pair, what, say)
    elif is_counter(what):
        counter_pages.write(page, pair, what, say, growth, length)
    elif found := pair.find(what):
        page.element = found
        _Writer(page, say).element(pair, *found)


def _write_tick(page: Page, pair: Pair, tick: int, say: Captions) -> None:
    """Write what a tick does on both sides; what works stands above what waits."""
    sides = sorted((pair.chain, pair.grid), key=lambda trace: tick > trace.last_tick)
    for number, trace in enumerate(sides):
        if number:
            page.rule()
        _Writer(page, say).side(trace, tick)


class _Writer:
    """Writes on a page in words."""

    def __init__(self, page: Page, say: Captions) -> None:
        self._page, self._say = page, say

    def side(self, trace: Trace, tick: int) -> None:
        """Write what a tick does on one side."""
        page, say, f = self._page, self._say, self._page.formats
        side = say(f"model.{trace.facts.cell or 'transformer'}")
        page.line([(say("inspector.tick", tick=tick, side=side), f.small)])
        if tick > trace.last_tick:
            waits = say(f"inspector.waits.{trace.facts.kind}", tick=trace.last_tick)
            page.line([(waits, f.body)])
        else:
            for number, stage in enumerate(trace.stages_at[tick]):  # one a direction of reading
                page.line([(stage.title, f.title)], above=9 if number else 1)
                page.formula(stage.equation)
                for steps in self._groups(trace, stage.name):
                    self._write_work(steps)
        if tick >= trace.last_tick:
            self._write_answer(trace)

    def _groups(self, trace: Trace, stage: str) -> Iterable[list[Step]]:
        """Return the stage's operations, those of one kind and shape together."""
        from engine.ops import OPS

        groups: dict[tuple[Any, ...], list[Step]] = {}
        for step in trace.steps_of(stage):
            if OPS[step.op].moves:
                key = (step.op, step.timing.unit, step.axes, step.value.shape, step.cost)
                groups.setdefault(key, []).append(step)
        return groups.values()

    def _write_work(self, steps: list[Step]) -> None:
        """Write chip, work, shape and time of operations of one kind."""
        page, f = self._page, self._page.formats
        chip = self._chip(steps[0], len(steps))
        page.line(chip, right=[(self._flops(steps), f.mono)], above=9)
        seconds = math.fsum(step.timing.seconds for step in steps)
        time = [(self._time(seconds, steps[0]), f.mono)]
        page.line([(self._shape(steps[0]), f.small)], right=time, above=4)

    def _write_answer(self, trace: Trace) -> None:
        page, f = self._page, self._page.formats
        page.line([(self._say("inspector.answer"), f.small)], above=10)
        places = {word: i for i, word in enumerate(trace.vocabulary)}
        shares = numbers.percents(trace.value("answer.probabilities"))
        for number, (word, _) in enumerate(trace.answer(WORDS)):
            share = self._say("rt.percent", value=shares[places[word]])
            page.line([(word, f.body if number else f.strong)], right=[(share, f.mono)], above=2)

    # ------------------------------------------------------------------ an element

    def element(self, pair: Pair, trace: Trace, step: Step, index: tuple[int, ...]) -> None:
        """Write a step, and where the number at an index of it comes from."""
        from widgets.explain import explain

        page, say, f = self._page, self._say, self._page.formats
        explained = explain(trace, step, index, say)
        stage = next(stage for stage in trace.stages if stage.name == step.stage)
        side = say(f"model.{trace.facts.cell or 'transformer'}")
        page.line([(say("inspector.tick", tick=trace.ticks[step.stage], side=side), f.small)])
        page.line([(stage.title, f.title)])
        page.line([(explained.element.partition(":")[2], f.mono)])
        if where := self._where(trace, step, index):
            page.line([(where, f.small)])
        page.formula(step.equation)
        page.line(self._chip(step, 1), right=[(self._flops([step]), f.mono)], above=9)
        page.line(
            [(say("inspector.bytes", count=_unit(step.cost.bytes, "B")), f.small)],
            right=[(self._time(step.timing.seconds, step), f.mono)],
            above=4,
        )
        page.rule()
        if len(index) < step.value.ndim:
            first = say("inspector.first", count=numbers.count(step.value[index].size))
            page.line([(first, f.small)])
        page.formula(explained.equation)
        page.line([(f"= {explained.filled}", f.body)], above=4)
        page.rule()
        self._write_row(step, explained.index)
        if explained.reads:
            page.rule()
            self._write_reads(pair, explained.reads)

    def _write_row(self, step: Step, index: tuple[int, ...]) -> None:
        """Write the row that a number stands in."""
        page, f = self._page, self._page.formats
        page.line([(self._shape(step), f.small)])
        if not index:
            page.line([(numbers.value(float(step.value)), f.mono_shown)], above=3)
            return
        row = step.value[index[:-1]].tolist()
        first = index[-1] - index[-1] % LISTED
        part = row[first : first + LISTED]
        fits = width_of((" " * CELL * COLUMNS, f.mono)) <= self._page.width
        columns = COLUMNS if fits else FEWER
        for start in range(0, len(part), columns):
            cells = []
            for i, number in enumerate(part[start : start + columns], first + start):
                text = unbroken(numbers.value(number))
                cells.append((" " * (CELL - len(text)), f.mono))
                cells.append((text, f.mono_shown if i == index[-1] else f.mono))
            page.line(cells, above=3)
        if len(part) < len(row):
            rest = self._say(
                "inspector.rest", first=first, last=first + len(part) - 1, count=len(row)
            )
            page.line([(rest, f.small)], above=3)

    def _write_reads(self, pair: Pair, reads: tuple[tuple[str, float], ...]) -> None:
        """Write what a number is made of, an operand after another, as links."""
        page, f = self._page, self._page.formats
        page.line([(self._say("inspector.reads"), f.small)])
        operands: dict[str, list[tuple[str, float]]] = {}
        for element, number in reads:
            operands.setdefault(element.partition("[")[0], []).append((element, number))
        for operand, elements in operands.items():
            page.line([page.link(operand.rpartition(":")[2], operand, pair)], above=6)
            for element, number in elements[:LINKED]:
                index = element.removeprefix(operand) or operand.rpartition(":")[2]
                value = [(numbers.value(number), f.mono)]
                page.line([page.link(index, element, pair)], right=value)
            if len(elements) > LINKED:
                more = self._say("inspector.more", count=len(elements) - LINKED)
                page.line([(more, f.small)])

    # ------------------------------------------------------------------ words

    def _chip(self, step: Step, times: int) -> list[Run]:
        """Return unit and operation, to be drawn as a chip."""
        from engine.ops import OPS

        unit = step.timing.unit
        words = self._say(f"inspector.unit.{unit}", op=OPS[step.op].label)
        runs = [self._page.formats.chip(unit, words)]
        if times > 1:
            runs.append((f" ×\u202f{times}", self._page.formats.small))
        return runs

    def _flops(self, steps: list[Step]) -> str:
        flops = sum(step.cost.flops for step in steps)
        return self._say("inspector.counted", what=_unit(flops, "FLOP"))

    def _time(self, seconds: float, step: Step) -> str:
        basis = step.timing.basis
        return self._say(f"inspector.basis.{basis}", what=numbers.seconds(seconds))

    def _shape(self, step: Step) -> str:
        sides = zip(step.axes, step.value.shape, strict=True)
        return " × ".join(f"{a}\u00a0{n}" for a, n in sides) or self._say("inspector.scalar")

    def _where(self, trace: Trace, step: Step, index: tuple[int, ...]) -> str:
        """Return what an index stands for, where that is more than a number."""
        parts = []
        for axis, i in zip(step.axes, index, strict=False):
            if axis == "head":
                parts.append(self._say("inspector.head", index=i + 1))
            elif axis in ("token", "query", "key", "word"):
                words = trace.vocabulary if axis == "word" else trace.tokens
                parts.append(self._say("inspector.word", axis=axis, word=words[i]))
        return ", ".join(parts)


def _unit(count: int, unit: str) -> str:
    """Return a count with its unit: "388 FLOP", "1.8 kFLOP"."""
    text = numbers.count(count)
    return f"{text}{unit}" if numbers.NBSP in text else f"{text}{numbers.NBSP}{unit}"

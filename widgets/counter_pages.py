"""The inspector's page of a counter: the parts that it is the sum of, each with what it links to.

Whole numbers are written with all their digits, times in one unit, so that whoever adds them up
finds the sum. Parts that are alike are folded: "Read “cat” … Read the blank, 4 × 3".
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from widgets import counters, numbers

if TYPE_CHECKING:
    from engine.trace import Basis, Pair, Stage, Step, Unit
    from widgets.captions import Captions
    from widgets.inspector import Page, Run
    from widgets.view import Growth

LENGTHS = (1, 2, 3, 5, 8, 16, 32, 64, 128, 256, 512)  # of those measured, that are listed
TOKENS = 64  # that are listed


def write(
    page: Page,
    pair: Pair,
    name: str,
    say: Captions,
    growth: Sequence[Growth] = (),
    length: int | None = None,
) -> None:
    """Write the page of a counter.

    Parameters
    ----------
    page
        Where to write.
    pair
        The run.
    name
        Of the counter.
    say
        The words.
    growth, length
        What was measured at other lengths, and that of the plots' marker.
    """
    written = _Counter(page, pair, say, growth, length)
    if name == counters.TOKENS:
        written.tokens()
    elif name == counters.ROLES:
        written.roles()
    else:
        _, side, what = name.split(":")
        written.side(side, what)


class _Counter:
    """Writes one page."""

    def __init__(
        self,
        page: Page,
        pair: Pair,
        say: Captions,
        growth: Sequence[Growth],
        length: int | None,
    ) -> None:
        self._page, self._pair, self._say, self._f = page, pair, say, page.formats
        self._growth, self._length = growth, length

    def side(self, side: str, what: str) -> None:
        """Write a counter of one side."""
        self._side, self._trace = side, self._pair.side(side)
        pages: dict[str, Callable[[], None]] = {
            "depth": self._depth,
            "flops": self._flops,
            "seconds": self._seconds,
            "parameters": self._parameters,
            "memory": self._memory,
        }
        pages[what]()

    # ------------------------------------------------------------------ depth

    def _depth(self) -> None:
        page, f, say, trace = self._page, self._f, self._say, self._trace
        self._head(say("count.depth"), str(trace.depth))
        self._words(say("count.depth_said"))
        self._words(say("count.depth_rule"))
        self._section(say("count.longest"))
        for part in counters.by_stage(trace, counters.counted(trace)):
            times, each = len(part.stages), len(part.steps[0])
            sum_ = f"{times} × {each} = {times * each}" if times > 1 else str(each)
            page.line([(self._range(part.stages), f.body)], right=[(sum_, f.mono_strong)], above=9)
            for first, last in zip(part.steps[0], part.steps[-1], strict=True):
                op = [(self._op(first), f.small)]
                page.line(self._links(first, last), right=op, above=2)
        self._sum(say("count.depth"), str(trace.depth))
        self._words(say("count.longest_first"))
        line = counters.depth_line(self._pair, self._side)
        rows = {row[0]: row[1 + self._column] for row in self._pair.depth_of_tokens}
        if not rows:
            return
        if line is not None and self._length is not None:
            rows[self._length] = line[0] * self._length + line[1]
        rows[len(trace.tokens)] = trace.depth
        self._section(say("count.grows"))
        if line is not None:
            page.formula(say("count.depth_line", line=counters.growth_markup(line, str(line[1]))))
            slope = say("count.depth_slope", count=line[0])
            self._words(slope if line[0] else say("count.depth_flat"))
        crossing = counters.crossing(self._pair)
        if crossing is not None:
            self._words(say("count.crossing", tokens=crossing))
        self._rows({tokens: str(depth) for tokens, depth in rows.items()})

    def _links(self, first: Step, last: Step) -> list[Run]:
        """Return links to a step and to the same step of the last of several stages alike."""
        run = self._page.link(first.name, f"{self._side}:{first.name}", self._pair)
        if last is first:
            return [run]
        end = self._page.link(last.name.rpartition(".")[2], f"{self._side}:{last.name}", self._pair)
        return [run, (" … ", self._f.mono), end]

    # ------------------------------------------------------------------ FLOPs and time

    def _flops(self) -> None:
        page, f, say, trace = self._page, self._f, self._say, self._trace
        self._head(say("count.flops"), say("inspector.counted", what=numbers.exact(trace.flops)))
        self._words(say("count.flops_said"))
        steps = [step for step in trace.steps if step.cost.flops]
        parts = counters.by_stage(trace, steps)
        self._section(say("count.by_stage"))
        shares = _shares([_flops(part.every_step) for part in parts])
        for part, share in zip(parts, shares, strict=True):
            each = numbers.exact(_flops(part.steps[0]))
            folded = say("count.times", times=len(part.stages), each=each)
            self._part(part, folded, numbers.exact(_flops(part.every_step)), share)
        self._sum(say("count.sum"), numbers.exact(trace.flops))
        self._section(say("count.by_kind"))
        kinds = sorted(counters.by_kind(steps).items(), key=lambda kind: -_flops(kind[1]))
        shares = _shares([_flops(of) for _, of in kinds])
        for ((unit, op), of), share in zip(kinds, shares, strict=True):
            words = say(f"inspector.unit.{unit}", op=op)
            right = self._amount(numbers.exact(_flops(of)), share)
            page.line([f.chip(unit, words)], right=right, above=9)
        self._sum(say("count.sum"), numbers.exact(trace.flops))
        own = numbers.exact(trace.flops)
        self._grown(lambda row: numbers.exact(row.flops[self._column]), own, "count.counted_at")

    def _seconds(self) -> None:
        say, trace = self._say, self._trace
        steps = counters.working(trace)
        self._head(say("count.seconds"), self._based(trace.seconds, "measured"))
        facts = trace.facts
        threads = say("rt.threads", count=facts.threads)
        where = say(
            "count.seconds_said", backend=facts.backend, device=facts.device, threads=threads
        )
        self._words(where)
        if trace.seconds > _seconds(steps):  # a saved run need not say how long it took
            self._whole(steps)
        self._by_unit(steps)
        self._section(say("count.by_stage"))
        stages = counters.by_stage(trace, steps)
        sums = [_seconds(part.every_step) for part in stages]
        *times, total = numbers.times(sums)
        for part, time, share in zip(stages, times, _shares(sums), strict=True):
            self._part(part, say("count.stages", count=len(part.stages)), time, share)
        self._sum(say("count.operations"), total)
        own = numbers.seconds(trace.seconds)
        self._grown(
            lambda row: numbers.seconds(row.seconds[self._column]), own, "count.measured_at"
        )

    def _whole(self, steps: Sequence[Step]) -> None:
        """Write what of a run's time its operations are, and what lies between them."""
        say = self._say
        self._section(say("count.whole"))
        sums = [_seconds(steps), self._trace.seconds - _seconds(steps)]
        *times, total = numbers.times(sums)
        rows = ((say("count.operations"), _basis(steps)), (say("count.between"), "inferred"))
        for (title, basis), time, share in zip(rows, times, _shares(sums), strict=True):
            self._page.line([(title, self._f.body)], right=self._amount(time, share), above=7)
            self._words(say(f"count.basis.{basis}"))
        self._sum(say("count.run"), total)
        self._words(say("count.between_said"))

    def _by_unit(self, steps: Sequence[Step]) -> None:
        say, f = self._say, self._f
        self._section(say("count.by_unit"))
        units: dict[Unit, list[Step]] = {}
        for step in steps:
            units.setdefault(step.timing.unit, []).append(step)
        sums = [_seconds(of) for of in units.values()]
        *times, total = numbers.times(sums)
        for (unit, of), time, share in zip(units.items(), times, _shares(sums), strict=True):
            chip = f.chip(unit, say(f"count.unit.{unit}"))
            self._page.line([chip], right=self._amount(time, share), above=9)
            self._page.line([(say("count.calls", count=len(of)), f.small)], above=4)
        self._sum(say("count.operations"), total)

    # ------------------------------------------------------------------ parameters and memory

    def _parameters(self) -> None:
        page, f, say, trace = self._page, self._f, self._say, self._trace
        owners = counters.owners(trace)
        total = numbers.exact(sum(len(owner.names) * owner.size for owner in owners))
        self._head(say("count.parameters"), total)
        self._words(say("count.parameters_said"))
        self._section(say("count.by_tensor"))
        for owner in owners:
            times = len(owner.names)
            size = numbers.exact(owner.size)
            if times > 1:
                size = f"{times} × {size} = {numbers.exact(times * owner.size)}"
            title = self._owner(owner.names)
            page.line([(title, f.body)], right=[(size, f.mono_strong)], above=9)
            for name, shape in owner.tensors:
                sides = " × ".join(map(str, shape))
                number = numbers.exact(math.prod(shape))
                runs = [(name, f.mono), (f"  {sides}", f.small)]
                page.line(runs, right=[(number, f.mono)], above=2)
        self._sum(say("count.sum"), total)
        for name in trace.parameters:
            reads = counters.readers(trace, name)
            if len(reads) > 1:
                links = [
                    page.link(step.name, f"{self._side}:{step.name}", self._pair) for step in reads
                ]
                page.line([(say("count.shared", name=name), f.small)], above=8)
                for link in links:
                    page.line([link], above=2)

    def _owner(self, names: Sequence[str]) -> str:
        """Return what a part of a model is called: blocks by number, others as tensors write it."""
        block = re.fullmatch(r"blocks\.(\d+)", names[0])
        if block is None:
            return self._between(names)
        last = int(names[-1].rpartition(".")[2])
        of = [self._say("count.block", block=i + 1) for i in (int(block[1]), last)]
        return self._between(of if len(names) > 1 else of[:1])

    def _memory(self) -> None:
        page, f, say, trace = self._page, self._f, self._say, self._trace
        facts = trace.facts
        self._head(say("count.memory"), facts.memory)
        self._words(say(f"count.memory.{self._side}"))
        if facts.attention:
            width = facts.width * (2 if facts.bidirectional else 1)
            back = len(trace.tokens) * width
            self._words(
                say("count.memory.back", count=len(trace.tokens), numbers=numbers.exact(back))
            )
        self._section(say("count.kept"))
        self._words(say("count.kept_said"))
        for entry in counters.kept(trace):
            first, last = entry.steps[0], entry.steps[-1]
            size, times = first.value.size, len(entry.steps)
            sides = " × ".join(map(str, first.value.shape))
            number = f"{times} × {sides}" if times > 1 else sides
            if number != str(entry.numbers):
                number = f"{number} = {numbers.exact(entry.numbers)}"
            assert size * times == entry.numbers
            page.line(self._links(first, last), right=[(number, f.mono)], above=9)
            made, read = self._range(entry.made), self._range(entry.read)
            block = f"{made.partition(': ')[0]}: "
            if made.startswith(block):  # the block is said once
                read = read.removeprefix(block)
            page.line([(say("count.kept_until", made=made, read=read), f.small)])
        most, tick = counters.most_kept(trace)
        self._sum(say("count.most"), numbers.exact(most))
        stage = trace.stage_at[tick]
        self._words(say("count.most_behind", stage=self._title(stage)))
        every = sum(step.value.size for step in trace.steps)
        self._words(say("count.every", count=numbers.exact(every)))

    # ------------------------------------------------------------------ T

    def tokens(self) -> None:
        """Write what T counts, and what grows with it."""
        page, f, say, pair = self._page, self._f, self._say, self._pair
        count = len(pair.tokens)
        page.line([(say("count.tokens_small"), f.small)])
        page.formula(f"T = {count}")
        self._words(say("count.tokens_said"))
        if self._length not in (None, count):
            self._words(say("count.marker", tokens=self._length, count=count))
        self._section(say("count.by_token"))
        for i, word in enumerate(pair.typed[:TOKENS]):
            known = say("count.unknown") if pair.unknown[i] else ""
            what = say("rt.hidden") if i == pair.grid.hidden else known
            link = page.link(word, f"chain:embed.x[{i}]", pair, f.body)
            right = [(what, f.small)] if what else None
            page.line([(f"{i + 1}  ", f.mono), link], right=right, above=3)
        if count > TOKENS:
            page.line([(say("inspector.more", count=count - TOKENS), f.small)], above=3)
        self._section(say("count.grows"))
        for side in ("chain", "grid"):
            self._side, self._trace = side, pair.side(side)
            trace = self._trace
            line = counters.depth_line(pair, side)
            page.line([(say(f"model.{trace.facts.cell or 'transformer'}"), f.strong)], above=8)
            if line is not None:
                markup = counters.growth_markup(line, str(line[1]))
                page.formula(say("count.depth_line", line=markup))
            self._words(say(f"count.tokens.{side}"))
            if trace.facts.trained_length:
                self._words(say("count.trained", count=trace.facts.trained_length))

    # ------------------------------------------------------------------ roles

    def roles(self) -> None:
        """Write what each head looks at, how surely, and what that means."""
        page, f, say, trace = self._page, self._f, self._say, self._pair.grid
        page.line([(say("model.transformer"), f.small)])
        page.line([(say("count.roles"), f.title)])
        if not trace.facts.roles:
            self._words(say(f"count.roles.{counters.role_of(trace, 0, 0)[0]}"))
            return
        self._words(say("count.roles_said"))
        found = dict[str, None]()
        for block, heads in enumerate(trace.facts.roles):
            self._section(say("count.block", block=block + 1))
            for head, (role, score) in enumerate(heads):
                found[role] = None
                name = f"grid:blocks.{block}.attn.pattern[{head}]"
                link = page.link(say(f"role.{role}"), name, self._pair, f.body)
                right = [(f"{score:.2f}", f.mono)]
                page.line([(f"{head + 1}  ", f.mono), link], right=right, above=3)
        self._section(say("count.roles_mean"))
        for role in found:
            page.line([(say(f"role.{role}"), f.body)], above=7)
            self._words(say(f"count.role.{role}"))

    # ------------------------------------------------------------------ what pages share

    @property
    def _column(self) -> int:
        return 0 if self._side == "chain" else 1

    def _head(self, title: str, value: str) -> None:
        f, say, trace = self._f, self._say, self._trace
        side = say(f"model.{trace.facts.cell or 'transformer'}")
        self._page.line([(say("count.side", side=side, count=len(trace.tokens)), f.small)])
        self._page.line([(f"{title}: {value}", f.title)])

    def _words(self, words: str) -> None:
        self._page.line([(words, self._f.small)], above=3)

    def _section(self, title: str) -> None:
        self._page.rule()
        self._page.line([(title, self._f.strong)])

    def _sum(self, title: str, value: str) -> None:
        f = self._f
        self._page.line([(title, f.strong)], right=[(f"= {value}", f.mono_strong)], above=10)

    def _part(self, part: counters.Part, folded: str, amount: str, share: int) -> None:
        """Write a part's stages and amount; where they are several, how many on a second line."""
        title, right = self._stages(part), self._amount(amount, share)
        if len(part.stages) == 1:
            self._page.line(title, right=right, above=7)
        else:
            self._page.line(title, above=7)
            self._page.line([(folded, self._f.small)], right=right, above=2)

    def _amount(self, amount: str, share: int) -> list[Run]:
        """Return an amount and its share, in columns of a fixed width."""
        per_cent = self._say("rt.percent", value=share)
        return [(amount, self._f.mono), (per_cent.rjust(7), self._f.mono)]

    def _stages(self, part: counters.Part) -> list[Run]:
        """Return the titles of stages alike, each a link to what the stage has computed."""
        ends = (0, -1) if len(part.stages) > 1 else (0,)
        return self._joined(
            [
                self._page.link(
                    self._title(part.stages[i]),
                    f"{self._side}:{part.steps[i][-1].name}",
                    self._pair,
                    self._f.body,
                )
                for i in ends
            ]
        )

    def _joined(self, runs: Sequence[Run]) -> list[Run]:
        joined: list[Run] = []
        for run in runs:
            joined += [(" … ", self._f.body), run] if joined else [run]
        return joined

    def _between(self, names: Sequence[str]) -> str:
        return names[0] if names[0] == names[-1] else f"{names[0]} … {names[-1]}"

    def _range(self, stages: Sequence[Stage]) -> str:
        first, last = stages[0], stages[-1]
        if first.name == last.name:
            return self._title(first)
        return f"{self._title(first)} … {self._title(last)}"  # which may be the same word twice

    def _title(self, stage: Stage) -> str:
        """Return what a stage is called, with the number of its block."""
        block = re.match(r"blocks\.(\d+)\.", stage.name)
        if block is None:
            return stage.title
        return f"{self._say('count.block', block=int(block[1]) + 1)}: {stage.title}"

    def _op(self, step: Step) -> str:
        from engine.ops import OPS

        return OPS[step.op].label

    def _based(self, seconds: float, basis: str) -> str:
        return self._say(f"inspector.basis.{basis}", what=numbers.seconds(seconds))

    def _grown(self, value: Callable[[Growth], str], own: str, about: str) -> None:
        """Write what was measured at other lengths, and the run's own among them."""
        if not self._growth:
            return
        self._section(self._say("count.grows"))
        self._words(self._say(about))
        rows = {
            row.tokens: value(row)
            for row in self._growth
            if row.tokens in LENGTHS or row.tokens == self._length
        }
        self._rows(rows | {len(self._pair.tokens): own})

    def _rows(self, rows: dict[int, str]) -> None:
        """Write a number for each length; that of the plots' marker stands out."""
        f = self._f
        now = self._length or len(self._pair.tokens)
        for i, (tokens, value) in enumerate(sorted(rows.items())):
            how = f.mono_shown if tokens == now else f.mono
            self._page.line([(f"T = {tokens}", how)], right=[(value, how)], above=2 if i else 7)


def _flops(steps: Iterable[Step]) -> int:
    return sum(step.cost.flops for step in steps)


def _seconds(steps: Iterable[Step]) -> float:
    return math.fsum(step.timing.seconds for step in steps)


def _shares(amounts: Sequence[float]) -> tuple[int, ...]:
    return numbers.percents(amounts) if sum(amounts) > 0 else (0,) * len(amounts)


def _basis(steps: Iterable[Step]) -> Basis | str:
    """Return the weakest basis on which the times of steps are known."""
    order = ("measured", "inferred", "modelled")
    return max((step.timing.basis for step in steps), key=order.index, default="measured")

"""The inspector's pages of "3 Computing in AI": an operation, a share, a faster unit, a tile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.shares import MOST_ADDED, Shares
from engine.trace import Basis
from engine.units import Work
from widgets import numbers
from widgets.numbers import NBSP
from widgets.scenes.computing_units.live import adds, title_of
from widgets.scenes.computing_units.opened import digits
from widgets.scenes.computing_units.panel import PARTS, flop_percents, time_percents
from widgets.scenes.computing_units.subject import LANES, Computing, Span
from widgets.scenes.computing_units.trained import by_phase
from widgets.writer import Writer

if TYPE_CHECKING:
    from widgets.captions import Captions
    from widgets.inspector import Page

PAGES = (
    "op", "share", "flops", "measured", "claim", "pipe", "causes", "amdahl", "tile", "lane", "host",
    "live", "workload", "recording",
)  # fmt: skip


def is_element(subject: Computing, name: str) -> bool:
    """Return whether a name is an element that has a page."""
    kind, _, rest = name.partition(":")
    if kind == "op":
        return any(span.name == rest for span in subject.run.spans)
    return kind in PAGES


def write(page: Page, subject: Computing, name: str, tick: int, say: Captions) -> None:
    """Write the page of an element, or without one that of the operation at a tick."""
    writer = _Writer(page, subject, say)
    kind, _, rest = name.partition(":")
    spans = subject.run.spans
    if kind == "op":
        found = next((i for i, span in enumerate(spans) if span.name == rest), None)
        if found is not None:
            writer.operation(spans[found], found + 1)
            return
    pages = {
        "share": writer.share, "flops": writer.share, "measured": writer.share,
        "claim": writer.share, "lane": writer.lane,
    }  # fmt: skip
    if kind in pages and rest in {str(work) for work in Work}:
        pages[kind](Work(rest))
    elif kind == "pipe":
        writer.share(Work.MATRIX)
    elif kind == "causes":
        writer.causes()
    elif kind == "amdahl":
        writer.amdahl()
    elif kind == "tile":
        writer.tile(rest)
    elif kind == "host":
        writer.host()
    elif kind == "live":
        writer.live()
    elif kind == "recording":
        writer.recording()
    elif kind == "workload" or not 0 < tick <= len(spans):
        writer.workload()
    else:
        writer.operation(spans[tick - 1], tick)
        writer.longest()


class _Writer(Writer):
    """Writes on a page in words."""

    def __init__(self, page: Page, subject: Computing, say: Captions) -> None:
        super().__init__(page, say)
        self._subject = subject

    # ------------------------------------------------------------------ small parts

    def _chip(self, work: Work, words: str) -> None:
        unit = str(work) if work in LANES else str(Work.SEQUENTIAL)
        self._page.line([self._page.formats.chip(unit, words)], above=6)

    def _symbol(self, left: str, right: str) -> None:
        """Write what something is called, with its symbols as in an equation, and its number."""
        f = self._page.formats
        self._page.line(f.lettered(left, f.small), right=[(right, f.mono)], above=2)

    def _seconds(self, value: float, basis: Basis | None = None) -> str:
        return self._about(basis or self._subject.run.basis) + numbers.seconds(value)

    @staticmethod
    def _about(basis: Basis) -> str:
        """Return what stands before a number of this basis."""
        return f"≈{NBSP}" if basis is Basis.MODELLED else ""

    # ------------------------------------------------------------------ an operation

    def operation(self, span: Span, tick: int) -> None:
        """Write what an operation is, costs and takes, and why it is in its lane."""
        say, subject = self._say, self._subject
        f = self._page.formats
        self._page.line([(say("units.page.op", tick=tick, last=subject.last_tick), f.small)])
        self._page.line(f.lettered(span.label, f.title))
        self._chip(span.lane, self._where(span))
        if span.equation:
            self._page.formula(span.equation)
        for letter, shape in span.shapes:
            sizes = " × ".join(str(side) for side in shape) or say("inspector.scalar")
            self._symbol(letter, sizes)
        self._page.rule()
        if span.flops:
            self._row(say("units.page.flops"), say("inspector.counted",
                                                   what=numbers.exact(span.flops)))  # fmt: skip
        if span.bytes:
            self._row(say("units.page.bytes"), numbers.size(span.bytes))
        if span.flops and span.bytes:
            self._row(say("units.page.intensity"), numbers.value(span.flops / span.bytes))
        if span.kernels > 1:
            self._row(say("units.page.kernels"), str(span.kernels))
        basis = say(f"units.basis.{subject.run.basis}")
        self._row(say("units.page.time", basis=basis), self._seconds(span.seconds), strong=True)
        if span.low is not None and span.high is not None:
            low, high = (numbers.seconds(v) for v in (span.low, span.high))
            self._row(say("units.page.range"), f"{low} … {high}")
        if span.flops and span.seconds > 0:
            rate = numbers.count(round(span.flops / span.seconds))
            self._row(say("units.page.rate"), f"{self._about(subject.run.basis)}{rate}FLOP/s")
        if span.launch is not None:
            key = "call" if subject.run.on_cpu else "launch"
            self._row(say(f"units.page.{key}"), self._seconds(span.launch[1]))
        for precision, seconds, work in span.elsewhere:
            lane = say(f"units.{work}") if work is not span.work else ""
            words = self._seconds(seconds) + (f", {lane}" if lane else "")
            self._row(say("units.page.in", precision=precision), words)
        if span.why:
            self._section(say("units.page.why"))
            self._words(span.why)

    def _where(self, span: Span) -> str:
        """Return where an operation runs, or would run."""
        say, subject = self._say, self._subject
        if span.work is Work.COPY:
            return say("units.page.copy")
        if span.lane is Work.SEQUENTIAL:
            return say("units.runs.cpu")
        return say(f"units.{subject.run.runs_on}.{'cpu' if subject.run.on_cpu else span.lane}")

    def longest(self) -> None:
        """Write the operations that take longest in the whole step."""
        if not self._subject.longest:
            return
        say, f = self._say, self._page.formats
        self._section(say("units.page.longest"))
        for row in self._subject.longest:
            name = say("units.page.times", label=row.label, count=row.times)
            chip = f.chip(str(row.work if row.work in LANES else Work.SEQUENTIAL), name)
            right = [(self._seconds(row.seconds, Basis.MODELLED), f.mono)]
            self._page.line(f.lettered(*chip), right=right, above=6)

    # ------------------------------------------------------------------ shares

    def share(self, work: Work) -> None:
        """Write what a unit's share of FLOPs, of modelled, measured and claimed time is."""
        say, subject = self._say, self._subject
        if work not in LANES:
            self._rest()
            return
        self._head(say("units.page.share"), say(f"units.{work}.long"))
        percent = time_percents(subject.time, subject.folded)[work]
        self._row(say("units.page.flops_share"), flop_percents(subject)[work])
        self._row(say("units.page.time_share"), f"≈{NBSP}{percent}{NBSP}%", strong=True)
        low, high = (bound or {} for bound in (subject.time.low, subject.time.high))
        if work in low and not subject.folded:
            self._row(say("units.page.range"), f"{100 * low[work]:.0f} … {100 * high[work]:.0f}"
                                               f"{NBSP}%")  # fmt: skip
        if subject.measured is not None:
            here = time_percents(subject.measured, subject.folded)[work]
            key = "measured" if subject.recorded is None else "recorded"
            self._row(say(f"units.page.{key}_share"), f"{here}{NBSP}%", strong=True)
            if subject.recorded is not None:
                self._words(say("units.page.recorded_said", label=subject.recorded.label))
        if work in subject.claim:
            plus = "+" if work in subject.beyond else ""
            self._row(say("units.page.claim_share"),
                      f"{100 * subject.claim[work]:.0f}{plus}{NBSP}%")  # fmt: skip
        if work is Work.MATRIX and subject.pipe_active is not None:
            pipe = f"≈{NBSP}{100 * subject.pipe_active:.1f}{NBSP}%"
            self._row(say("units.page.pipe"), pipe)
            self._words(say("units.page.pipe_said"))
        self._section(say("units.page.definition"))
        self._words(say("units.page.definition_said"))
        self._all(subject.time)
        self._causes()

    def _rest(self) -> None:
        say = self._say
        self._head(say("units.page.share"), say("units.rest"))
        self._words(say("units.page.rest_said"))
        self._all(self._subject.time)

    def _all(self, shares: Shares) -> None:
        """Write all shares of time, which add up to 100."""
        percents = time_percents(shares, self._subject.folded)
        for work in PARTS:
            if work in LANES or percents[work]:
                self._row(self._say(f"units.work.{work}"), f"≈{NBSP}{percents[work]}{NBSP}%")
        self._row(self._say("units.page.step"), self._seconds(shares.seconds, Basis.MODELLED))

    def causes(self) -> None:
        """Write why time and claim differ."""
        self._head(self._say("units.page.claimed"), self._say("units.page.cause"))
        self._causes(heading=False)

    def _causes(self, *, heading: bool = True) -> None:
        say, f = self._say, self._page.formats
        if heading:
            self._section(say("units.page.cause"))
        if not self._subject.causes:
            self._words(say("units.no_cause"))
        for cause in self._subject.causes:
            self._page.line([(say(f"units.cause.{cause.name}"), f.strong)], above=6)
            self._words(cause.sentence, above=1)

    def lane(self, work: Work) -> None:
        """Write what a lane's hardware does, and which operations of this step are in it."""
        say = self._say
        self._head(say("units.page.lane"), say(f"units.{work}.long"))
        self._words(say(f"units.lane.{work}"))
        if work is Work.SEQUENTIAL:
            self.host(heading=False)
        seen: dict[str, float] = {}
        for span in self._subject.run.spans:
            if span.lane is work:
                seen[span.label] = seen.get(span.label, 0.0) + span.seconds
        if seen:
            self._section(say("units.page.in_lane"))
        for label, seconds in seen.items():
            self._symbol(label, self._seconds(seconds))

    def host(self, *, heading: bool = True) -> None:
        """Write what the host does in a step."""
        say = self._say
        if heading:
            self._head(say("units.page.lane"), say("units.page.host"))
        else:
            self._section(say("units.page.host"))
        on_cpu = self._subject.run.on_cpu
        for what in ("tokenise", "call" if on_cpu else "launch", "allocate", "sample"):
            self._row(say(f"units.host.{what}"), say(f"units.host.{what}.how"))
        self._words(say("units.host.said_cpu" if on_cpu else "units.host.said"))

    # ------------------------------------------------------------------ one unit faster

    def amdahl(self) -> None:
        """Write what the whole step gains from one faster unit."""
        say, subject = self._say, self._subject
        chosen, total = subject.faster, subject.time.seconds
        title = say("units.page.faster", unit=say(f"units.{chosen.unit}"), factor=chosen.factor)
        self._head(say("units.page.amdahl"), title)
        self._page.formula("T′ = T (1 − s + s / k)")
        modelled = Basis.MODELLED
        self._row(say("units.page.before"), self._seconds(total, modelled))
        self._row(say("units.page.after"), self._seconds(chosen.seconds, modelled), strong=True)
        self._row(say("units.page.wall"), self._seconds(chosen.wall, modelled))
        gain = chosen.gain(total)
        self._row(say("units.page.gain"), f"≈{NBSP}{gain:.2f} ×", strong=True)
        share = subject.time.folded[chosen.unit]
        plain = total * (1 - share + share / chosen.factor)
        self._section(say("units.page.amdahl_how"))
        self._words(say("units.page.amdahl_said", seconds=self._seconds(plain, modelled)))

    # ------------------------------------------------------------------ tile and live

    def tile(self, which: str) -> None:
        """Write a tile's numbers, or why one is not run."""
        say, tile = self._say, self._subject.tile
        if which in ("sparse", "fp8"):
            self._head(say("units.tile.not_run"), say(f"units.tile.{which}"))
            self._words(say(f"units.tile.{which}_said"))
            return
        self._head(say("units.page.tile"), say("units.tile.heading"))
        if tile is None:
            return
        row, column = self._subject.cell
        where, colon, symbols = tile.source.partition(": ")
        f = self._page.formats
        self._page.line([(where + colon, f.body), *f.lettered(symbols, f.body)], above=4)
        self._page.formula(f"C_{{{row + 1},{column + 1}}} = Σ_k A_{{{row + 1},k}} "
                           f"B_{{k,{column + 1}}}")  # fmt: skip
        for key, number in (
            ("exact", tile.exact[row, column]), ("mixed", tile.mixed[row, column]),
            ("half", tile.half[row, column]),
        ):  # fmt: skip
            self._row(say(f"units.tile.{key}"), digits(float(number)))
        self._section(say("units.page.largest_error"))
        for key, error in (
            ("operands", tile.operand_error), ("mixed", tile.mixed_error),
            ("half", tile.half_error),
        ):  # fmt: skip
            self._row(say(f"units.tile.{key}"), f"{numbers.value(100 * error)}{NBSP}%")
        self._words(say("units.page.tile_said"))

    def live(self) -> None:
        """Write what is measured on this CPU, run after run."""
        say, series = self._say, self._subject.live
        if self._subject.mode == "training":
            self._training()
        self._head(title_of(series, say), series.workload)
        if series.samples:
            last = numbers.percents(series.samples[-1])
            for work, percent in zip(LANES, last, strict=True):
                unit = say("units.page.measured_unit", unit=say(f"units.{work}"))
                self._row(unit, f"{percent}{NBSP}%", strong=True)
            self._row(say("units.page.run"), numbers.seconds(series.seconds))
            self._row(say("units.page.runs"), str(len(series.samples)))
        known = [part for part in series.pipe if part is not None]
        if known:
            self._row(say("units.page.pipe"), f"{100 * known[-1]:.0f}{NBSP}%")
            self._words(say("units.page.pipe_said"))
        self._words(series.where)
        self._row(say("units.page.clock"), say(f"units.clock.{series.clock}"))
        if series.recording is not None:
            self._row(say("units.page.recording_adds"), adds(series.recording))
            if series.recording > MOST_ADDED:
                self._words(say("units.page.recording_more"))
        elif series.samples:
            self._words(say("units.page.recording_none"))
        if series.note:
            self._words(series.note)
        self._section(say("units.page.definition"))
        self._words(say("units.page.live_said_gpu" if series.device else "units.page.live_said"))

    def _training(self) -> None:
        """Write what a step of the real training takes, by phase and unit, or how to start one."""
        say, trained, f = self._say, self._subject.live.trained, self._page.formats
        self._head(
            say("units.page.trained"), trained.what if trained else say("units.trained_none")
        )
        if trained is None:
            self._words(say("units.trained_how"))
        else:
            for phase, of in by_phase(trained).items():
                self._row(say(f"units.trained.{phase}"), f"{sum(of.values())}{NBSP}%", strong=True)
                for work, share in of.items():
                    if share:
                        words = say(f"units.{work}")
                        self._page.line([f.chip(str(work), words)],
                                        right=[(f"{share}{NBSP}%", f.mono)], above=4)  # fmt: skip
            whole = sum(sum(of.values()) for of in trained.seconds.values())
            self._row(say("units.page.trained_step"), numbers.seconds(whole), strong=True)
            self._words(say("units.page.trained_said", steps=trained.steps, step=trained.step))
        link = self._page.link(
            say("units.page.trained_open"), "open:analytical-empirical", how=f.body
        )
        self._page.line([link], above=4)
        self._page.rule()

    def recording(self) -> None:
        """Write whose card was recorded, when, with which versions, and all shares of it."""
        say, made = self._say, self._subject.recorded
        if made is None:
            return
        f = self._page.formats
        self._head(say("units.page.recording"), made.card)
        self._words(say("units.page.not_here"))
        self._row(say("units.page.day"), made.date)
        self._row(say("units.page.program"), made.program)
        for name, version in made.versions:
            self._row(name, version)
        self._words(say("units.page.all_right" if made.ok else "units.page.not_right"))
        self._words(say("units.page.traced", by=made.tracing))
        self._section(say("units.page.recorded_shares"))
        for model, precision, shares in made.rows:
            if shares is None:
                continue
            whole = time_percents(shares, False)
            words = " · ".join(
                f"{say(f'units.work.{work}').partition(':')[0]} {whole[work]}{NBSP}%"
                for work in PARTS if whole[work]
            )  # fmt: skip
            right = [(numbers.seconds(shares.seconds), f.mono)]
            self._page.line([(f"{model}, {precision}", f.strong)], right=right, above=6)
            self._words(words, above=1)

    def workload(self) -> None:
        """Write what the workload is, and on what it is modelled."""
        say, subject = self._say, self._subject
        self._head(say("units.page.workload"), subject.model)
        self._row(say("units.page.mode"), say(f"units.mode.{subject.mode}"))
        self._row(say("units.page.size"), subject.size)
        self._row(say("units.page.precision"), subject.precision)
        self._row(say("units.page.style"), subject.style)
        self._row(say("units.page.part"), subject.part)
        self._row(say("units.page.step"), self._seconds(subject.time.seconds, Basis.MODELLED),
                  strong=True)  # fmt: skip
        self._words(subject.source)
        self._causes()
        self.longest()

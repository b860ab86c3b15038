"""The inspector's pages of "Analytical vs Empirical": a line, a symbol, an accuracy, a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from widgets import descent_pages, numbers
from widgets.numbers import NBSP
from widgets.remember import Is
from widgets.scenes.analytical_empirical.program import changed
from widgets.scenes.analytical_empirical.rows import ROWS
from widgets.scenes.analytical_empirical.subject import CASES, Right, Solved
from widgets.writer import Writer

if TYPE_CHECKING:
    from widgets.captions import Captions
    from widgets.inspector import Page

MOST_LETTERS = 4  # of which the weight is told


def is_element(subject: Solved, name: str) -> bool:
    """Return whether a name is an element that has a page."""
    kind, _, rest = name.partition(":")
    if kind in ("line", "digit") and rest.isdecimal():
        written = subject.moments[-1].written
        many = len(subject.source) if kind == "line" else len(written.symbols) if written else 0
        return int(rest) < many
    if kind == "descent":
        return descent_pages.is_element(subject.descent, rest)
    return (kind == "right" and rest in ("rule", "network")) or (kind == "row" and rest in ROWS)


def seen(subject: Solved, tick: int) -> object:
    """Return all of the subject that a page tells of at a tick."""
    moment = subject.moment_at(tick)
    latest = moment is subject.moments[-1]
    return (
        Is(moment), Is(subject.ran), subject.source, subject.lines, Is(subject.descent),
        subject.case, tuple(subject.rule.items()),
        subject.times, (subject.ablation, subject.sure.get(subject.case)) if latest else None,
        subject.parameters, subject.batch, subject.examples,
        subject.solved_at(tick), subject.digits_at(tick), subject.running,
    )  # fmt: skip


def write(page: Page, subject: Solved, name: str, tick: int, say: Captions) -> None:
    """Write the page of an element, or without one what both do at a tick."""
    writer = _Writer(page, subject, tick, say)
    kind, _, rest = name.partition(":")
    if kind == "descent" and is_element(subject, name):
        descent_pages.write(page, subject, rest, tick, say)
    elif kind == "line" and is_element(subject, name):
        writer.line(int(rest))
    elif kind == "digit" and is_element(subject, name):
        writer.digit(int(rest))
    elif kind == "right":
        writer.right()
    elif kind == "row" and rest in ROWS:
        writer.row(rest)
    else:
        writer.now()


class _Writer(Writer):
    """Writes on a page in words."""

    def __init__(self, page: Page, subject: Solved, tick: int, say: Captions) -> None:
        super().__init__(page, say)
        self._subject, self._tick = subject, tick

    # ------------------------------------------------------------------ the rule

    def now(self) -> None:
        """Write the line that runs and the symbol that is written."""
        subject = self._subject
        line, done = subject.line_at(self._tick), subject.digits_at(self._tick)
        if line is not None:
            self.line(line.number)
            self._page.rule()
        if done:
            self.digit(done - 1)
        elif line is None:
            self.right()
        self._descent()

    def _descent(self) -> None:
        """Lead to one step of descent."""
        page, say = self._page, self._say
        page.rule()
        page.line([page.link(say("descent.open"), "descent", how=page.formats.body)])

    def line(self, number: int) -> None:
        """Write a line of the rule with the names that it knows."""
        say, subject = self._say, self._subject
        self._head(say("solve.rule_title"), say("solve.line", line=number + 1,
                                                lines=len(subject.source)))  # fmt: skip
        f = self._page.formats
        self._page.line([(subject.source[number].strip(), f.mono)], above=4)
        ran = [i for i, line in enumerate(subject.ran.lines) if line.number == number]
        self._row(say("solve.page.ran"), str(len(ran)))
        here = subject.line_at(self._tick)
        if here is not None and here.number == number:
            self._section(say("solve.page.names"))
            for name, value, _ in changed(subject, self._tick):
                self._row(name, value)
        elif ran:
            self._section(say("solve.page.names"))
            for name, value in subject.ran.lines[ran[-1]].names:
                self._row(name, value)
        if subject.ran.reason and ran and ran[-1] == len(subject.ran.lines) - 1:
            self._section(say("solve.page.reason"))
            self._words(subject.ran.reason)

    # ------------------------------------------------------------------ the network

    def digit(self, number: int) -> None:
        """Write a symbol of the network: how sure, what asked, what it looked at."""
        say = self._say
        moment = self._subject.moment_at(self._tick)
        written = moment.written
        if written is None:
            return
        count = len(written.symbols)
        self._head(say("solve.network_title"), say("solve.page.digit", digit=number + 1,
                                                   count=count,
                                                   symbol=written.symbols[number]))  # fmt: skip
        self._row(say("solve.page.sure"), f"{written.sure[number]:.4f}", strong=True)
        if written.weights:
            self._page.formula("c = Σ_i α_i h_i")
            shape = " × ".join(map(str, written.query))
            self._row(say("solve.page.query"), say("solve.page.numbers", shape=shape))
            shape = " × ".join(map(str, written.keys))
            self._row(say("solve.page.keys"), say("solve.page.numbers", shape=shape))
            self._section(say("solve.page.weights"))
            row = written.weights[number]
            order = sorted(range(len(row)), key=lambda i: -row[i])[:MOST_LETTERS]
            for i in order:
                letter = written.read[i] if written.read[i] != " " else say("solve.page.space")
                self._row(say("solve.page.letter", letter=letter, place=i + 1), f"{row[i]:.3f}")
        else:
            self._words(say("solve.page.no_attention"))
        self._page.rule()
        self._row(say("solve.page.all"), numbers.seconds(written.seconds))
        self._row(say("solve.page.step"), str(moment.step))
        self._words(say("solve.page.weight_said"))

    # ------------------------------------------------------------------ numbers

    def right(self) -> None:
        """Write what was asked of both in every case, and between what the share lies."""
        say, subject = self._say, self._subject
        self._head(say("solve.page.accuracy"), say(f"solve.case.{subject.case}"))
        moment = subject.moment_at(self._tick)
        for who, found in (("rule", subject.rule), ("network", moment.right)):
            self._section(say(f"solve.{who}_title"))
            for case in CASES:
                if case in found:
                    self._share(say(f"solve.case.{case}"), found[case], case == subject.case)
        self._section(say("solve.page.how"))
        self._words(say("solve.page.accuracy_said"))
        self._again()

    def _again(self) -> None:
        """Lead to another measurement."""
        page, say = self._page, self._say
        if not self._subject.running:
            page.line([page.link(say("solve.measure"), "again:", how=page.formats.body)], above=4)

    def _share(self, label: str, share: Right, strong: bool) -> None:
        self._row(label, f"{share.right} / {share.asked}", strong=strong)
        low, high = 100 * share.low, 100 * share.high
        self._row(say_interval(self._say), f"{low:.0f} … {high:.0f}{NBSP}%")

    def row(self, row: str) -> None:
        """Write how the numbers of a row of the course text were found."""
        say, subject = self._say, self._subject
        heads = (say(f"solve.row.{row}.{side}") for side in ("rule", "network"))
        self._head(say(f"solve.row.{row}.title"), " / ".join(heads))
        moment, times = subject.moment_at(self._tick), subject.times
        if row == "theory":
            if subject.examples:
                self._row(say("solve.page.distinct"), numbers.exact(subject.examples), strong=True)
            self._row(say("solve.page.drawn"), numbers.exact(moment.step * subject.batch))
        elif row == "program":
            self._row(say("solve.lines_written"), str(subject.lines), strong=True)
            taken = say("solve.steps", count=moment.step)
            self._row(taken, numbers.exact(moment.step), strong=True)
            self._row(say("solve.page.parameters"), numbers.exact(subject.parameters))
            self._row(say("solve.page.batch"), str(subject.batch))
            self._descent()
        elif row == "order" and times is not None:
            for label, rule, network in (
                ("alone", times.rule, times.alone), ("batch", times.rule_batch, times.together),
            ):  # fmt: skip
                self._section(say(f"solve.page.time_{label}", batch=times.batch))
                self._row(say("solve.rule"), numbers.seconds(rule), strong=True)
                self._row(say("solve.network"), numbers.seconds(network), strong=True)
            self._section(say("solve.page.depth"))
            self._row(say("solve.rule"), say("solve.lines", count=times.rule_depth))
            self._row(say("solve.network"), say("solve.page.operations", count=times.depth))
        elif row == "precise":
            self._precise()
        self._section(say("solve.page.how"))
        self._words(say(f"solve.page.{row}_said"))
        if row in ("order", "precise"):
            self._again()

    def _precise(self) -> None:
        say, subject = self._say, self._subject
        latest = subject.moment_at(self._tick) is subject.moments[-1]
        sure = subject.sure.get(subject.case) if latest else None
        if sure is not None:
            for label, mean in (("right", sure.right), ("wrong", sure.wrong)):
                value = "—" if mean is None else f"{mean:.3f}"
                self._row(say(f"solve.page.sure_{label}"), value)
        head = subject.moment_at(self._tick).head
        if head is not None:
            self._row(say("solve.page.head", block=head.block + 1, head=head.head + 1),
                      f"{head.score:.3f}")  # fmt: skip
        if subject.ablation is not None and latest:
            cut = subject.ablation
            self._section(say(f"solve.page.ablation_{cut.what}"))
            self._share(say("solve.page.before"), cut.before, False)
            self._share(say("solve.page.after"), cut.after, True)


def say_interval(say: Captions) -> str:
    """Return what a confidence interval is called."""
    return say("solve.page.interval")

"""Rule programs: the same tasks as the networks', solved by a few lines of ordinary Python.

``run`` executes a program and notes every line that runs with the values that its names have then,
so that it can be shown line by line. Nothing is acted: the lines are those of the program's file.
"""

from __future__ import annotations

import inspect
import reprlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

from engine.rules import brackets, dates
from engine.rules.stop import Stop
from engine.said import Said
from engine.tasks import Task, fresh

MOST_LINES = 10_000  # that are noted of one run; a text for which more run is refused
MOST_CHARACTERS = 500  # of a text: far more than a date or a row of brackets needs


@dataclass(frozen=True)
class Rule:
    """A program.

    ``source`` are its lines as they stand in its file, ``answer`` is the function that they define.
    """

    task: str
    answer: Callable[[str], str]
    source: tuple[str, ...]

    @property
    def lines(self) -> int:
        """Return how many lines somebody had to write: empty ones do not count."""
        return sum(bool(line.strip()) for line in self.source)


@dataclass(frozen=True)
class Line:
    """A line that runs, from 0, and the names with their values before it does."""

    number: int
    names: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Ran:
    """What a program did with a text: its answer or the reason why there is none, line by line."""

    text: str
    answer: str | None
    reason: str
    lines: tuple[Line, ...]


def run(task: str, text: str) -> Ran:
    """Return what the program of a task does with a text.

    Raises
    ------
    engine.said.Said
        With one sentence, when the text is too long for a run to be shown.
    """
    if len(text) > MOST_CHARACTERS:
        raise Said(
            f"The text has {len(text)} characters and a rule is shown for at most "
            f"{MOST_CHARACTERS}; shorten it."
        )
    rule = RULES[task]
    lines: list[Line] = []
    answer, reason = None, ""
    before = sys.gettrace()
    sys.settrace(_watch(rule.answer.__code__, lines))
    try:
        answer = rule.answer(text)
    except Stop as error:
        reason = str(error)
    finally:
        sys.settrace(before)
    return Ran(text, answer, reason, tuple(lines))


def _watch(code: CodeType, lines: list[Line]) -> Callable[[FrameType, str, Any], Any]:
    """Return a trace function that notes the lines of one function, and of none that it calls."""

    def line(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            if len(lines) >= MOST_LINES:
                raise Said(f"More than {MOST_LINES} lines run for this text; shorten it.")
            names = tuple((name, _short(value)) for name, value in frame.f_locals.items())
            lines.append(Line(frame.f_lineno - code.co_firstlineno, names))
        return line

    def call(frame: FrameType, event: str, _: Any) -> Any:
        return line if frame.f_code is code else None

    return call


_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 60
_REPR.maxlist = _REPR.maxtuple = 12


def _short(value: object) -> str:
    """Return a value as Python writes it, cut where it is long."""
    return _REPR.repr(value)


def _rule(task: str, answer: Callable[[str], str]) -> Rule:
    source = inspect.getsource(answer).rstrip("\n").split("\n")
    return Rule(task, answer, tuple(source))


RULES = {"dates": _rule("dates", dates.read), "brackets": _rule("brackets", brackets.due)}


def right(task: Task, case: str, *, count: int, seed: int) -> int:
    """Return how many of fresh sentences of a case the program of a task answers right.

    They are the same that ``engine.training.score`` asks a model.

    Raises
    ------
    engine.said.Said
        With one sentence, when nobody wrote a program for the task.
    """
    if task.name not in RULES:
        raise Said(f"Nobody wrote a rule for {task.name}; there is one for {', '.join(RULES)}.")
    answer, good = RULES[task.name].answer, 0
    for batch in task.sample(fresh(seed, case), count, case):
        for ids, answers in zip(batch.ids, batch.answers, strict=True):
            text, wanted = ("".join(task.vocabulary[i] for i in some) for some in (ids, answers))
            try:
                good += answer(text) == wanted
            except Stop:  # it has no branch for this, and says so
                continue
    return good

"""What the chapter "Analytical vs Empirical" draws: one task, a rule and a network that solve it.

Everything here was run, trained, asked or timed; the scene adds no number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from engine.rules import Line, Ran

if TYPE_CHECKING:
    from engine.trace import Trace

CASES = ("clean", "out-of-range", "typo", "exceptions")


class Right(NamedTuple):
    """How many of the sentences asked were right as a whole, and between what that share lies.

    ``low`` and ``high`` hold it with 95 per cent confidence.
    """

    right: int
    asked: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Return the share that was right."""
        return self.right / self.asked


class Case(NamedTuple):
    """A position of the switch: an example of it, and why it is not offered ("" when it is)."""

    id: str
    example: str
    reason: str = ""


@dataclass(frozen=True)
class Written:
    """What a network answers to a text: symbols, how sure it is of each, and what it looks at.

    ``weights`` has a row a symbol and a column a letter that was read; it is empty for a network
    without attention. ``queries`` and ``key`` say what asks and what is looked at, as shapes.
    """

    read: str
    symbols: str
    sure: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]
    looks: str  # caption: whose weights these are
    query: tuple[int, ...] = ()
    keys: tuple[int, ...] = ()
    seconds: float = 0.0

    @property
    def least(self) -> float:
        """Return how sure it is of the symbol it is least sure of."""
        return min(self.sure)


class Head(NamedTuple):
    """A head, from 0, and the mean of its weight on the bracket that has to be closed next."""

    block: int
    head: int
    score: float


@dataclass(frozen=True)
class Moment:
    """A step of a training, as it can be gone back to."""

    step: int
    right: Mapping[str, Right]  # by case
    written: Written | None = None
    head: Head | None = None


class Times(NamedTuple):
    """Seconds an answer takes, alone and each of ``batch`` at once, and the dependent steps."""

    rule: float
    rule_batch: float
    alone: float
    together: float
    batch: int
    rule_depth: int
    depth: int


class Ablation(NamedTuple):
    """What is right when one thing is taken away; ``what`` is its caption."""

    what: str
    case: str
    before: Right
    after: Right


class Sure(NamedTuple):
    """Means of how sure the network was of its least sure symbol; None where there were none."""

    right: float | None
    wrong: float | None
    asked: int


class Descent(NamedTuple):
    """One step of descent that was recorded, on its batch; ``after`` is the step it is taken from.

    ``fresh`` tells that the means of AdamW begin with it, since nobody kept those of the training.
    """

    after: int
    trace: Trace
    rate: float
    fresh: bool


@dataclass(frozen=True)
class Solved:
    """One task and one text, solved twice.

    ``wanted`` is the right answer, "" when nobody knows. ``moments`` are those of the training that
    can be gone back to, the last one the latest; ``losses`` pairs of step and loss, empty when the
    network was trained before. ``model`` is its id, ``network`` its name.
    """

    task: str
    text: str
    own: bool
    case: str
    wanted: str
    ran: Ran
    source: tuple[str, ...]
    cases: tuple[Case, ...]
    rule: Mapping[str, Right]
    model: str
    network: str
    parameters: int
    moments: tuple[Moment, ...]
    steps: int  # of the whole training
    losses: tuple[tuple[int, float], ...] = ()
    running: bool = False
    trained_here: bool = False
    seed: int = 0
    rate: float = 0.0
    width: int = 0
    batch: int = 64
    examples: int = 0  # that the network was trained on, again and again; 0: each is a new one
    lines: int = 0
    times: Times | None = None
    ablation: Ablation | None = None
    sure: Mapping[str, Sure] = field(default_factory=dict)
    descent: Descent | None = field(default=None, compare=False)

    @property
    def last_moment(self) -> int:
        """Return the tick of the latest moment of the training."""
        return len(self.moments)

    @cached_property
    def solving(self) -> int:
        """Return how many ticks solving takes: as many as the longer of the two."""
        written = self.moments[-1].written
        return max(len(self.ran.lines), len(written.symbols) if written else 0, 1)

    @property
    def last_tick(self) -> int:
        """Return the tick at which both answers are compared."""
        return self.last_moment + self.solving + 1

    def moment_at(self, tick: int) -> Moment:
        """Return the moment of the training that a tick shows: in front and behind the latest."""
        return self.moments[tick - 1 if 0 < tick <= len(self.moments) else -1]

    def solved_at(self, tick: int) -> int:
        """Return how many steps of solving are done at a tick; 0 before."""
        return min(max(tick - self.last_moment, 0), self.solving)

    def line_at(self, tick: int) -> Line | None:
        """Return the line of the program that runs at a tick, the last one that ran after it."""
        done = min(self.solved_at(tick), len(self.ran.lines))
        return self.ran.lines[done - 1] if done else None

    def digits_at(self, tick: int) -> int:
        """Return how many symbols the network has written at a tick: all while it is trained."""
        written = self.moment_at(tick).written
        if written is None:
            return 0
        if 0 < tick <= self.last_moment:
            return len(written.symbols)
        return min(self.solved_at(tick), len(written.symbols))

"""What is worked out beside a run, in the background, and shown at the stage when it comes."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from PySide6.QtCore import QObject, Signal

from app import INFLUENCES
from app.background import Background, Outcome
from widgets.canvas import Canvas
from widgets.view import Spread

if TYPE_CHECKING:
    from engine.device import Device
    from engine.recorder import Recorder
    from engine.trace import Pair

_State = tuple[str, int]  # what a direction's steps begin with, and a state, from 1


class _HowRun(NamedTuple):
    """How two models are run: what work and time depend on besides the number of tokens."""

    models: tuple[str, str]
    positions: bool
    precision: str
    device: str  # that ran the grid


class Studies(QObject):
    """How work grows with the tokens, and, on demand, what each word does.

    ``grown`` says that the plots have another length, ``failed`` carries an error.
    """

    grown = Signal()
    failed = Signal(object)  # Exception

    def __init__(
        self, canvas: Canvas, recorder: Recorder, device: Callable[[], Device | None],
        parent: QObject,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._canvas, self._recorder, self._device = canvas, recorder, device
        self._pair: Pair | None = None
        self._how_run: _HowRun | None = None  # whose growth is measured or shown
        self._wanted: int | None = None  # where the plots' marker is to stand once that is measured
        self._resting = False
        self._how = ""  # of INFLUENCES, what is done to each word; "": nothing is worked out
        self._asked: tuple[Pair | None, _State | None, str] = (None, None, "")
        self._over = threading.Event()  # nobody waits for what is worked out any more
        self.measuring = Background(self)
        self.measuring.done.connect(self._grown)
        self.spreading = Background(self)
        self.spreading.done.connect(self._spread)

    def close(self) -> None:
        """End both workers."""
        self._over.set()
        self.measuring.close()
        self.spreading.close()

    def rest(self, resting: bool) -> None:
        """Measure nothing more for a while, or go on from there."""
        if self._resting and not resting and self._pair is not None:
            self._measure(len(self._canvas.view.growth))
        self._resting = resting

    def show(self, pair: Pair | None) -> None:
        """Work out what belongs to a run and to what is opened of it; the same again is nothing."""
        self._pair = pair
        if pair is not None:
            how_run = _how_run(pair)
            if how_run != self._how_run:
                self._how_run, self._wanted = how_run, self._canvas.view.length
                self._canvas.show_with(growth=(), length=None)
                self._measure(0)
        self._study()

    # ---- growth --------------------------------------------------------------------------------

    def _grown(self, outcome: Outcome) -> None:
        """Show one more length in the plots, and measure the next; an error ends them there."""
        if outcome.value is not None:
            growth = (*self._canvas.view.growth, outcome.value)
            self._canvas.show_with(growth=growth)
            if self._wanted == outcome.value.tokens:
                self.show_length(self._wanted)  # where it stood for other runs
            self.grown.emit()
            if not self._resting:
                self._measure(len(growth))

    def _measure(self, number: int) -> None:
        self.measuring.ask(_measure, self._how_run, number, self._recorder, self._device())

    def shorter(self) -> None:
        """Move the marker of the plots to fewer tokens; the sentence stays."""
        self._change_length(-1)

    def longer(self) -> None:
        """Move the marker of the plots to more tokens; the sentence stays."""
        self._change_length(1)

    def _change_length(self, by: int) -> None:
        view = self._canvas.view
        if self._pair is None:
            return
        own = len(self._pair.tokens)
        now = own if view.length is None else view.length
        others = [row.tokens for row in view.growth if (row.tokens - now) * by > 0]
        if others:
            length = min(others) if by > 0 else max(others)
            self.show_length(length if length != own else None)

    def show_length(self, length: int | None) -> None:
        """Move the marker of the plots; None: to the tokens of the sentence."""
        self._wanted = None
        self._canvas.show_with(length=length)
        self.grown.emit()

    # ---- what each word does -------------------------------------------------------------------

    @property
    def influence(self) -> str:
        """Return what is done to each word to see what it does, "" where nothing is."""
        return self._how

    def next_influence(self) -> str:
        """Show what each word does made unknown, then left out, then no more; return which."""
        ways = ("", *INFLUENCES)
        self._how = ways[(ways.index(self._how) + 1) % len(ways)]
        self._study()
        return self._how

    def keep_influence(self, how: object) -> None:
        """Begin with what was shown the last time; what is none of them shows nothing."""
        self._how = how if isinstance(how, str) and how in INFLUENCES else ""

    def _study(self) -> None:
        """Ask for what each word does, when the run or the opened state is another one."""
        found = re.fullmatch(
            r"chain:(rnn(?:\.back)?)\.h\.(\d+)(\[\d+\])?", self._canvas.view.selected
        )
        state = (found[1], int(found[2])) if found else None
        asked = (self._pair, state, self._how) if self._how else (None, None, "")
        if asked == self._asked:
            return
        self._asked = asked
        self._over.set()
        if self._canvas.view.spreads:
            self._canvas.show_with(spreads=())
        if asked[0] is not None:
            self._over = threading.Event()
            self.spreading.ask(_spreads, *asked, self._over.is_set)

    def _spread(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            self.failed.emit(outcome.error)
        elif self._how and outcome.value is not None:
            self._canvas.show_with(spreads=outcome.value)


def _how_run(pair: Pair) -> _HowRun:
    """Return everything that work and time depend on besides the number of tokens."""
    facts = pair.grid.facts
    models = (pair.chain.facts.model, facts.model)
    return _HowRun(models, "embed.positions" in pair.grid, facts.precision, facts.device)


def _measure(how: _HowRun, number: int, recorder: Recorder, device: Device | None) -> Any:
    """Measure the length of a number; None when there is no further one."""
    from app.compute import GROWTH_LENGTHS, computing_on, measure_length, watched
    from engine.device import HOST

    if number < len(GROWTH_LENGTHS):
        with watched(recorder), computing_on(device or HOST):
            return measure_length(
                *how.models, GROWTH_LENGTHS[number],
                positions=how.positions, precision=how.precision,
            )  # fmt: skip
    return None


def _spreads(
    pair: Pair, state: _State | None, how: str, stop: Callable[[], bool]
) -> tuple[Spread, ...]:
    """Return the influence of each word on both answers, or its share in a state of the chain."""
    from app.compute import asked_by, influence, state_shares

    about = how.replace(" ", "_")
    grid = Spread("grid", about, influence(pair, "grid", how, stop).moved)
    if state is None:
        return (Spread("chain", about, influence(pair, "chain", how, stop).moved), grid)
    direction, t = state
    shares = tuple(float(share) for share in state_shares(pair, (t - 1,), direction)[0])
    asked = asked_by(pair, t)
    spreads = (Spread("chain", "share", shares, t), grid)
    return (*spreads, Spread("chain", "asked", asked, t)) if asked else spreads

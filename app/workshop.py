"""The workshop of chapter 4: one thread that trains a network, asks it, and times it and the rule.

Everything that computes happens in this thread, with one thread for products, and nothing of it is
waited for by whoever paints. What it tells is a whole ``Solved``, at most ``TOLD_HZ`` times a
second.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import NamedTuple

from app.background import SWITCH_SECONDS
from app.saying import sentence_of
from app.solving import Solving, Wish
from engine.recorder import Recorder
from engine.said import Said
from widgets.scenes.analytical_empirical.subject import Solved

TOLD_HZ = 6.0
PATIENCE_SECONDS = 0.9  # for the thread to end


class Told(NamedTuple):
    """What the workshop tells: what is known, for which wish of which number, and a sentence."""

    solved: Solved
    wish: Wish
    number: int
    sentence: str = ""


class Workshop:
    """Trains, asks and times in a thread of its own; ``told`` is called there with what is known.

    Requests return at once. ``close`` ends the thread within a second: no slice of work is longer.
    """

    def __init__(self, told: Callable[[Told], None], recorder: Recorder | None = None) -> None:
        self._told = told
        self._wake = threading.Condition()
        self._orders: list[Callable[[], None]] = []
        self._closed = False
        self._thread: threading.Thread | None = None
        self._resting = False
        self._asked = self._number = 0  # wishes, and the one that was solved last
        self._last_told = 0.0
        self._solving = Solving(
            recorder or Recorder(), lambda: self._closed, self._is_due,
            lambda: self._closed or bool(self._orders),
        )  # fmt: skip

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
        self._solving.solve(wish)

    def train(self, on: bool) -> None:
        """Go on training, or pause; a network as shipped begins anew from step 0."""
        self._order(lambda: self._solving.train(on))

    @property
    def trains(self) -> bool:
        """Return whether a training runs now."""
        return self._solving.running

    def step(self) -> None:
        """Take one step of descent."""
        self._order(self._solving.step)

    def reset(self) -> None:
        """Begin again from the same weights."""
        self._order(self._solving.anew)

    def again(self) -> None:
        """Ask and time both again."""
        self._order(self._solving.again)

    def look_at(self, number: int) -> None:
        """Let the network of a moment answer the text, by its place among the moments."""
        self._order(lambda: self._solving.look_at(number))

    def descent(self, number: int) -> None:
        """Record the step that is taken from a moment, by its place, operation by operation."""
        self._order(lambda: self._solving.record(number))

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
                self._wake.wait_for(lambda: self._closed or self._orders or self._has_work)
                if self._closed:
                    return
                orders, self._orders = self._orders, []
            # Only while it works: the number of threads is the whole program's.
            with pools.limit(limits=1, user_api="blas"):
                try:
                    for order in orders:
                        order()
                    if not orders and not self._resting:
                        self._solving.work()
                except Exception as error:  # said, and the thread stays
                    self._failed(error)
            self._tell(bool(orders))

    def _failed(self, error: Exception) -> None:
        """Say what went wrong; what was solved before stays."""
        solving = self._solving
        solving.sentence = sentence_of(error)
        if not isinstance(error, Said):
            solving.running, solving.todo = False, []
        if not solving.begun:
            solving.solve(Wish())

    @property
    def _has_work(self) -> bool:
        return not self._resting and self._solving.has_work

    def _is_due(self) -> bool:
        """Return whether the last that was told is some time ago."""
        return perf_counter() - self._last_told > 1 / TOLD_HZ

    def _tell(self, now: bool) -> None:
        """Tell what is known, unless that was a moment ago and more is to come."""
        solving = self._solving
        if not solving.begun or self._closed:
            return
        if now or solving.sentence or not self._has_work or self._is_due():
            self._last_told = perf_counter()
            sentence, solving.sentence = solving.sentence, ""
            self._told(Told(solving.solved(), solving.wish, self._number, sentence))

    def _rest(self, resting: bool) -> None:
        if resting and self._solving.running:
            self._solving.train(False)
        self._resting = resting

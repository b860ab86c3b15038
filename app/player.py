"""The only clock: where we are is one number, the tick; its fraction is the way to the next one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import NamedTuple

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from app import SPEEDS

SECONDS_PER_TICK = 0.6  # at 1×
SECONDS_BACK = 0.24  # of one step back
SECONDS_REDUCED = 1.2  # of one tick while playing, when nothing is to move
FRAME_MS = 16
MOST_LATE_SECONDS = 0.05  # a machine that slept does not skip ticks


class _Motion(NamedTuple):
    """The way from one tick to another; a cut stays at its start until its time is over."""

    start: float
    end: float
    began: float
    seconds: float
    cut: bool = False

    def at(self, now: float) -> float:
        """Return the tick at a time."""
        share = min(max((now - self.began) / self.seconds, 0.0), 1.0)
        if share == 1.0:
            return self.end
        return self.start if self.cut else self.start + (self.end - self.start) * share


class Player(QObject):
    """Plays, steps and seeks ticks 0 … ``last``.

    Its timer runs only while something moves. ``clock`` returns seconds; a test gives its own and
    calls ``advance``.
    """

    moved = Signal(float)  # the tick
    changed = Signal()  # playing, speed, last or reduced

    def __init__(
        self, parent: QObject | None = None, *, clock: Callable[[], float] = perf_counter
    ) -> None:
        super().__init__(parent)
        self._clock = clock
        self._tick = 0.0
        self._last = 0
        self._groups: tuple[int, ...] = ()
        self._playing = False
        self._speed = 1.0
        self._reduced = False
        self._held_since: float | None = None
        self._motion: _Motion | None = None
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(FRAME_MS)
        self._timer.timeout.connect(self.advance)

    # ---- what is -------------------------------------------------------------------------------

    @property
    def tick(self) -> float:
        """Return where we are."""
        return self._tick

    @property
    def shown(self) -> int:
        """Return the whole tick whose marker is on the stage."""
        return int(self._tick) if self._tick % 1 < 0.2 else int(self._tick) + 1

    @property
    def last(self) -> int:
        """Return the last tick."""
        return self._last

    @property
    def playing(self) -> bool:
        """Return whether ticks follow one another by themselves."""
        return self._playing

    @property
    def moving(self) -> bool:
        """Return whether the tick is on its way."""
        return self._motion is not None

    @property
    def target(self) -> int:
        """Return the tick where the present motion ends; at rest the tick itself."""
        return round(self._tick if self._motion is None else self._motion.end)

    @property
    def speed(self) -> float:
        """Return the speed, 1 for 600 ms a tick."""
        return self._speed

    @property
    def reduced(self) -> bool:
        """Return whether ticks follow without movement between them."""
        return self._reduced

    @property
    def groups(self) -> tuple[int, ...]:
        """Return the first tick of each group: by default prepare, run, answer."""
        starts = self._groups or (0, 1, self._last)
        return tuple(sorted({min(start, self._last) for start in starts}))

    # ---- what is wanted ------------------------------------------------------------------------

    def set_last(self, last: int) -> None:
        """Say how many ticks there are, and stay as near as can be to where we were."""
        at_end = self._last > 0 and self._tick == self._last
        self._last = last
        self._stop()
        self._go(float(last) if at_end else float(min(math.floor(self._tick), last)))
        if self._playing:
            self._play_on()
        self.changed.emit()

    def set_groups(self, starts: Iterable[int]) -> None:
        """Say at which ticks groups begin."""
        self._groups = tuple(starts)

    def play(self) -> None:
        """Let the ticks follow one another, from the start when we are at the end."""
        if self._last == 0 or self._playing:
            return
        self._playing = True
        self._stop()
        if self._tick >= self._last:
            self._go(0.0)
        self._play_on()
        self.changed.emit()

    def pause(self) -> None:
        """Stop playing; a tick that has begun is finished."""
        if not self._playing:
            return
        self._playing = False
        if self._motion is not None and self._motion.cut:
            self._stop()
        self.changed.emit()

    def toggle(self) -> None:
        """Play, or pause."""
        if self._playing:
            self.pause()
        else:
            self.play()

    def step(self) -> None:
        """Move on to the next tick."""
        self._finish(forward=True)
        self._move(min(math.floor(self._tick) + 1, self._last), SECONDS_PER_TICK / self._speed)

    def back(self) -> None:
        """Move back to the tick before, which plays the same tick reversed."""
        self._finish(forward=False)
        self._move(max(math.ceil(self._tick) - 1, 0), SECONDS_BACK)

    def seek(self, tick: float) -> None:
        """Cut to a tick."""
        self._pause_quietly()
        self._stop()
        self._go(min(max(tick, 0.0), float(self._last)))

    def first(self) -> None:
        """Cut to the first tick."""
        self.seek(0.0)

    def to_last(self) -> None:
        """Cut to the last tick."""
        self.seek(float(self._last))

    def next_group(self) -> None:
        """Cut to where the next group begins."""
        self.seek(next((g for g in self.groups if g > self._tick), self._last))

    def previous_group(self) -> None:
        """Cut to where this group begins, or from there to the one before."""
        self.seek(next((g for g in reversed(self.groups) if g < self._tick), 0))

    def set_speed(self, speed: float) -> None:
        """Choose how fast ticks follow one another."""
        if speed == self._speed or speed not in SPEEDS:
            return
        self._speed = speed
        if self._playing and self._motion is not None and not self._motion.cut:
            self._stop()
            self._play_on()
        self.changed.emit()

    def faster(self) -> None:
        """Take the next higher speed."""
        self.set_speed(SPEEDS[min(SPEEDS.index(self._speed) + 1, len(SPEEDS) - 1)])

    def slower(self) -> None:
        """Take the next lower speed."""
        self.set_speed(SPEEDS[max(SPEEDS.index(self._speed) - 1, 0)])

    def set_reduced(self, reduced: bool) -> None:
        """Choose whether ticks are cuts, for who does not bear movement."""
        self._reduced = reduced
        if self._motion is not None:
            end = self._motion.end
            self._stop()
            self._go(end)
            if self._playing:
                self._play_on()
        self.changed.emit()

    def hold(self, held: bool) -> None:
        """Hold still while a result is awaited, and go on from there."""
        if held and self._held_since is None:
            self._held_since = self._clock()
            self._timer.stop()
        elif not held and self._held_since is not None:
            if self._motion is not None:
                waited = self._clock() - self._held_since
                self._motion = self._motion._replace(began=self._motion.began + waited)
                self._timer.start()
            self._held_since = None

    def advance(self) -> None:
        """Move to where the clock says we are."""
        motion = self._motion
        if motion is None or self._held_since is not None:
            return
        now = self._clock()
        tick = motion.at(now)
        if tick == motion.end:
            late = min(now - motion.began - motion.seconds, MOST_LATE_SECONDS)
            self._stop()
            self._go(tick)
            if self._playing:
                self._play_on(now - late)
        else:
            self._go(tick)

    # ---- how -----------------------------------------------------------------------------------

    def _go(self, tick: float) -> None:
        if tick != self._tick:
            self._tick = tick
            self.moved.emit(tick)

    def _play_on(self, began: float | None = None) -> None:
        """Begin the next tick of playing, or stop playing at the end."""
        if self._tick >= self._last:
            self._playing = False
            self.changed.emit()
            return
        end = math.floor(self._tick) + 1
        seconds = SECONDS_REDUCED if self._reduced else SECONDS_PER_TICK
        share = 1.0 if self._reduced else end - self._tick
        self._motion = _Motion(
            start=self._tick,
            end=float(end),
            began=self._clock() if began is None else began,
            seconds=seconds * share / self._speed,
            cut=self._reduced,
        )
        if self._held_since is None:
            self._timer.start()

    def _move(self, end: int, seconds: float) -> None:
        """Move to a tick by a step."""
        if self._reduced:
            self._go(float(end))
        elif end != self._tick:
            share = abs(end - self._tick)
            self._motion = _Motion(self._tick, float(end), self._clock(), seconds * share)
            if self._held_since is None:
                self._timer.start()

    def _finish(self, *, forward: bool) -> None:
        """Cut a motion of this direction to its end; one of the other ends where it is."""
        self._pause_quietly()
        motion = self._motion
        self._stop()
        if motion is not None and not motion.cut and (motion.end > motion.start) == forward:
            self._go(motion.end)

    def _pause_quietly(self) -> None:
        if self._playing:
            self._playing = False
            self.changed.emit()

    def _stop(self) -> None:
        self._motion = None
        self._timer.stop()

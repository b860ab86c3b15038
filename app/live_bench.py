"""What chapters cost while they compute: frames beside products and a training, the live plot.

Measured as ``app.bench`` measures, in the real window in a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from time import thread_time
from typing import Any

GOAL_MS = 16.0  # of a frame, 95th percentile
PLOT_GOAL_MS = 4.0  # of the plot, a run: a quarter of a frame
PLAYED_SECONDS = 12.0
WHAT = {
    "frames": "frames while this CPU multiplies",
    "plot": "the live plot, a run",
    "training": "frames while a network is trained",
}


def rows(
    child: Callable[[str], dict[str, Any]], percentiles: Callable[[list[float]], dict[str, float]]
) -> list[dict[str, Any]]:
    """Return what frames and plot cost, by the child process "units" of the bench."""
    told = child("units")
    goals = {"frames": GOAL_MS, "plot": PLOT_GOAL_MS, "training": GOAL_MS}
    return [
        {"what": what, "frames": len(told[what]), "runs": told["runs"], "goal_ms": goal}
        | percentiles(told[what])
        for what, goal in goals.items()
    ]


def measure(window: Any, wait: Callable[..., None]) -> dict[str, Any]:
    """Return the CPU seconds of every frame while chapters 2 and 4 play, and of the plot, a run.

    ``wait`` handles events for so many seconds, or until something is true.
    """
    window.do("chapter_2")
    chapter = window.chapter
    wait(30.0, lambda: bool(chapter._samples) and not chapter.busy)
    wait(1.0)
    before = len(chapter._samples)
    frames = _played(window, wait)
    runs, plot = len(chapter._samples) - before, chapter.plot
    wait(1.0)
    chapter.end()
    costs = []
    for count in range(1, 61):
        start = thread_time()
        plot.show_samples(chapter._samples[:1] * count)
        plot.draw()
        plot.viewport().repaint()
        costs.append(thread_time() - start)
    plot.stop()
    window.do("chapter_4")
    chapter = window.chapter
    wait(30.0, lambda: chapter.subject is not None and not chapter.busy)
    chapter.activate("choose:train:toggle")
    wait(30.0, lambda: chapter.subject.running)
    chapter.player.first()
    training = _played(window, wait)
    chapter.end()
    return {"frames": frames[1:], "plot": costs[1:], "training": training[1:], "runs": runs}


def _played(window: Any, wait: Callable[..., None]) -> list[float]:
    """Return the CPU seconds of every frame while the window's chapter plays."""
    from PySide6.QtCore import QEvent, QObject

    frames: list[float] = []

    class Watch(QObject):
        last = thread_time()

        def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
            if event.type() == QEvent.Type.Paint:
                now = thread_time()
                frames.append(now - self.last)
                self.last = now
            return False

    watch, chapter = Watch(), window.chapter
    chapter.canvas.installEventFilter(watch)
    window.do("play")
    wait(PLAYED_SECONDS, lambda: not chapter.player.playing)
    chapter.player.pause()
    chapter.canvas.removeEventFilter(watch)
    return frames

"""Measurements on this machine: frames while playing, runs, the speed of the engine, the start.

The window is the real one, driven by keys in a process of its own, without a display. A frame's
cost is the CPU time of the GUI thread from one painting of the stage to the next: clock, picture,
painting and everything else that happens between them.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import monotonic, thread_time, time
from typing import Any

from engine.said import Said

ROOT = Path(__file__).resolve().parents[1]  # of the modules app, widgets and engine
SIZE = (1600, 900)
TARGET_MS = 16.0
START_GOAL = 1.6  # of an empty window's
STARTS = 5
TIMEOUT_SECONDS = 300.0  # of one child process
QUIET_SECONDS = 1.0  # without a painting, and playing has come to its end
TEXTS = {
    5: "the cat that slept ___",
    12: "the small cat that the tall teacher near the river likes ___",
    32: "the red cat that slept often sneaks and the small dogs that the young farmer near the "
    "dark forest likes bark because the birds that sang sing while the kettle boils ___",
}


class BenchError(Said):
    """A measurement that could not be made: what happened, in a sentence."""


def measure() -> dict[str, Any]:
    """Return all measurements as what JSON can hold.

    Raises
    ------
    BenchError
        When a process that measures did not come to its end.
    """
    return {
        "machine": {
            "system": platform.platform(),
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "size": list(SIZE),
        "target_ms": TARGET_MS,
        "frames": [_frames(count) for count in TEXTS],
        "runs": runs(),
        "engine": engine(),
        "start": start(),
    }


def report(data: dict[str, Any]) -> str:
    """Return measurements as text for people."""
    from app import speed

    width, height = data["size"]
    target = data["target_ms"]
    lines = [f"Frames while playing, {width} x {height}, CPU ms (95 % within {target:g} ms)"]
    lines += [
        f"  {row['tokens']:>3} words   p50 {row['p50_ms']:6.1f}   p95 {row['p95_ms']:6.1f}   "
        f"max {row['max_ms']:6.1f}   {row['frames']} frames   "
        f"{'kept' if row['p95_ms'] <= target else 'missed'}"
        for row in data["frames"]
    ]
    lines += ["", "One run of a model with every step recorded, ms"]
    lines += [
        f"  {row['model']:<16} {row['tokens']:>3} words   {row['seconds'] * 1e3:7.2f}"
        for row in data["runs"]
    ]
    lines += ["", "The engine, random weights, every step recorded: CPU time of one thread"]
    lines += speed.report(data["engine"])
    begin = data["start"]
    lines += [
        "",
        f"From start to first painted frame, s (ratio at most {begin['goal']:g})",
        f"  Unrolled {begin['application_seconds']:.2f}   an empty window "
        f"{begin['empty_window_seconds']:.2f}   ratio {begin['ratio']:.2f}   "
        f"{'kept' if begin['ratio'] <= begin['goal'] else 'missed'}",
    ]
    return "\n".join(lines)


def runs(times: int = 5) -> list[dict[str, Any]]:
    """Return how long every shipped model takes over sentences of several lengths."""
    from app import compute
    from engine.weights import available

    return [
        {
            "model": id,
            "tokens": count,
            "seconds": median(compute.make_trace(text, id).seconds for _ in range(times)),
        }
        for id in available()
        for count, text in TEXTS.items()
    ]


def engine() -> list[dict[str, Any]]:
    """Return how fast the engine is on large models, in a process with nothing else in it."""
    rows: list[dict[str, Any]] = _child("engine")["rows"]
    return rows


def start(times: int = STARTS) -> dict[str, float]:
    """Return the time from a new process to its first painted frame, and an empty window's.

    Both are as from the second start on: Python's compiled modules lie ready, whatever this
    environment says about keeping them.
    """
    ours: list[float] = []
    empty: list[float] = []
    with tempfile.TemporaryDirectory() as compiled:
        for _ in range(times + 1):  # by turns, so that a busy moment meets both
            empty.append(_child("empty", compiled=compiled)["seconds"])
            ours.append(_child("window", compiled=compiled)["seconds"])
    del empty[0], ours[0]  # these compiled
    return {
        "application_seconds": median(ours),
        "empty_window_seconds": median(empty),
        "ratio": median(ours) / median(empty),
        "goal": START_GOAL,
    }


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Return the median, the 95th percentile (nearest rank) and the largest in ms."""
    ordered = sorted(seconds)
    rank = -(-95 * len(ordered) // 100)  # rounded up
    return {
        "p50_ms": median(ordered) * 1e3,
        "p95_ms": ordered[rank - 1] * 1e3,
        "max_ms": ordered[-1] * 1e3,
    }


def _frames(count: int) -> dict[str, Any]:
    seconds = _child("play", TEXTS[count])["frames"]
    if len(seconds) < 10:
        raise BenchError(
            f"Frames at {count} words cannot be measured because the window painted "
            f"{len(seconds)} of them; please report it."
        )
    return {"tokens": count, "frames": len(seconds), **percentiles(seconds)}


# ---- child processes ---------------------------------------------------------------------------


def _child(what: str, *arguments: str, compiled: str = "") -> dict[str, Any]:
    """Run one of ``CHILDREN`` in a new process and return what it measured.

    ``compiled`` is a folder in which compiled modules are kept.
    """
    environ = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    if compiled:
        environ |= {"PYTHONPYCACHEPREFIX": compiled, "PYTHONDONTWRITEBYTECODE": ""}
    code = (
        f"import sys; began = {time()!r}; sys.path.insert(0, {str(ROOT)!r}); "
        "from app import bench; bench.CHILDREN[sys.argv[1]](began, *sys.argv[2:])"
    )
    why = ""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, what, *arguments],
            env=environ,
            capture_output=True,
            encoding="utf-8",
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        why = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        raise BenchError(
            f"The measurement {what!r} did not come to its end ({why or type(error).__name__}); "
            "close other programs and try again."
        ) from error
    return measured


def _empty(began: float) -> None:
    """Measure the start of a window with nothing in it."""
    from PySide6.QtWidgets import QApplication, QMainWindow

    application = QApplication([])
    window = QMainWindow()
    window.resize(*SIZE)
    window.show()
    _until_painted(window)
    _tell({"seconds": time() - began})
    del application


def _window(began: float) -> None:
    """Measure the start of Unrolled."""

    def first_frame(window: Any) -> None:
        _until_painted(window)
        _tell({"seconds": time() - began})

    _open(first_frame)


def _play(_: float, text: str) -> None:
    """Measure every frame while a sentence plays from its start to its end."""
    from PySide6.QtCore import QEvent, QObject, Qt
    from PySide6.QtTest import QTest

    frames: list[float] = []

    class Watch(QObject):
        last = 0.0

        def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
            if event.type() == QEvent.Type.Paint:
                now = thread_time()
                frames.append(now - self.last)
                self.last = now
            return False

    def drive(window: Any) -> None:
        window.resize(*SIZE)
        _until_painted(window)
        window.set_text(text)
        _wait(30.0, lambda: not window.background.busy)
        _wait(2.0)  # painted until it has settled
        stage = window.canvas
        stage.setFocus()
        watch = Watch()
        QTest.keyClick(stage, Qt.Key.Key_Home)
        _wait(1.0)
        stage.installEventFilter(watch)
        watch.last = thread_time()
        QTest.keyClick(stage, Qt.Key.Key_Space)
        count, since = 0, monotonic()

        def at_the_end() -> bool:
            nonlocal count, since
            if len(frames) > count:
                count, since = len(frames), monotonic()
            return monotonic() - since > QUIET_SECONDS

        _wait(TIMEOUT_SECONDS / 2, at_the_end)
        stage.removeEventFilter(watch)
        _tell({"frames": frames})

    _open(drive)


def _engine(_: float) -> None:
    """Measure the engine on large models."""
    from app import speed

    _tell({"rows": speed.measure()})


def _open(then: Callable[[Any], None]) -> None:
    """Open the application's window and call ``then`` with it in place of its event loop."""
    from PySide6.QtWidgets import QApplication, QMainWindow

    def instead(*_: object) -> int:
        windows = [w for w in QApplication.topLevelWidgets() if isinstance(w, QMainWindow)]
        then(windows[0])
        windows[0].close()
        return 0

    QApplication.exec = instead  # type: ignore[method-assign]
    from app import session
    from app.start import open_window

    # Nobody's settings are read or written: the window opens as it does for a new user.
    with tempfile.TemporaryDirectory() as folder:
        session.place = lambda: Path(folder) / "session.json"
        open_window()


def _until_painted(window: Any) -> None:
    """Handle events until a window has been painted."""
    from PySide6.QtCore import QEvent, QEventLoop, QObject, QTimer

    loop = QEventLoop()

    class Painted(QObject):
        def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
            if event.type() == QEvent.Type.Paint:
                QTimer.singleShot(0, loop.quit)  # behind the painting that begins now
            return False

    painted = Painted()
    window.installEventFilter(painted)
    window.update()
    loop.exec()
    window.removeEventFilter(painted)


def _wait(seconds: float, done: Callable[[], bool] = lambda: False) -> None:
    """Handle events for so many seconds, or until something is true, without using the CPU."""
    from PySide6.QtCore import QEventLoop, QTimer

    end, loop, timer = monotonic() + seconds, QEventLoop(), QTimer()
    timer.timeout.connect(lambda: loop.quit() if monotonic() > end or done() else None)
    timer.start(20)
    loop.exec()
    timer.stop()


def _tell(measured: dict[str, Any]) -> None:
    print(json.dumps(measured), flush=True)


CHILDREN: dict[str, Callable[..., None]] = {
    "empty": _empty,
    "window": _window,
    "play": _play,
    "engine": _engine,
}

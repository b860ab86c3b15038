"""Measurements on this machine: the window, runs, the speed of the engine, the start.

The window is the real one, driven by keys and by the pointer in a process of its own, without a
display. A frame's cost is the CPU time of the GUI thread from one painting of the stage to the
next: clock, picture, painting and everything else that happens between them. An answer's cost is
the CPU time from the event to the frame that shows it.
"""

from __future__ import annotations

import json
import math
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

from app import first_frame, live_bench
from engine.said import Said

ROOT = Path(__file__).resolve().parents[1]  # of the modules app, widgets and engine
SIZE = (1600, 900)
TARGET_MS = 16.0  # of a frame while playing, and of a change of layer or head
HOVER_GOAL_MS = 4.0
HOVER_TOKENS = 128
CHANGE_TOKENS = (32, 128)
MEMORY_TOKENS = 128
MEMORY_GOAL_MB = 150.0  # above an empty window, in 10**6 bytes
START_GOAL = 1.6  # of an empty window's
STARTS = 21
RECORDED_WIDTH, RECORDED_PAIRS, RECORDED_GOAL = 256, 41, 0.05
TIMEOUT_SECONDS = 300.0  # of one child process
QUIET_SECONDS = 1.0  # without a painting, and playing has come to its end
WHOLE = 32  # tokens; of a longer text the first FIRST_TICKS and the LAST_TICKS are played, at 4x
FIRST_TICKS, LAST_TICKS = 40, 8  # the first hold every stage of the grid
CHANGES = 20  # of layer and of head
TEXTS = {
    5: "the cat that slept ___",
    12: "the small cat that the tall teacher near the river likes ___",
    32: "the red cat that slept often sneaks and the small dogs that the young farmer near the "
    "dark forest likes bark because the birds that sang sing while the kettle boils ___",
}
# Longer than any sentence of the grammar: its clauses one after another.
LONG_TEXTS = {
    count: " ".join([TEXTS[32].replace("___", "and")] * (count // 32 - 1) + [TEXTS[32]])
    for count in (64, 128, 512)
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
        "frames": [_frames(count) for count in (*TEXTS, *LONG_TEXTS)],
        "answers": answers(),
        "units": live_bench.rows(_child, percentiles),
        "memory": memory(),
        "runs": runs(),
        "engine": engine(),
        "recording": recording(),
        "training": training(),
        "start": start(),
    }


def report(data: dict[str, Any]) -> str:
    """Return measurements as text for people."""
    from app import speed, training_speed

    width, height = data["size"]
    lines = [f"Frames while playing, {width} x {height}, CPU ms (95 % within {TARGET_MS:g} ms)"]
    lines += [_line(f"{row['tokens']:>3} words", row, "frames") for row in data["frames"]]
    lines += ["", "From a key or the pointer to the frame that answers, CPU ms (95 %)"]
    lines += [
        _line(f"{row['tokens']:>3} words   {row['what']:<6}", row, "answers")
        for row in data["answers"]
    ]
    lines += ["", "Chapter 2, a block of 192 numbers runs beside it, CPU ms (95 %)"]
    lines += [_line(f"{live_bench.WHAT[row['what']]:<33}", row, "frames") for row in data["units"]]
    lines += ["", "Memory, 10^6 bytes, the window after playing and an empty window"]
    lines.append(_memory_line(data["memory"]))
    lines += ["", "One run of a model with every step recorded, ms"]
    lines += [
        f"  {row['model']:<16} {row['tokens']:>3} words   {row['seconds'] * 1e3:7.2f}"
        for row in data["runs"]
    ]
    lines += ["", "The engine, random weights, every step recorded: CPU time of one thread"]
    lines += speed.report(data["engine"])
    lines += ["", "What recording every step adds to a run, CPU time of one thread"]
    lines += [
        f"  {row['model']:<24} {row['tokens']:>3} tokens   {row['added']:+6.1%}   "
        f"goal {row['goal']:.0%}   {_verdict(row['added'], row['goal'])}"
        for row in data["recording"]
    ]
    lines += ["", "A step of training, batches of 64, CPU time of one thread"]
    lines += training_speed.report(data["training"])
    begin = data["start"]
    lines += [
        "",
        f"From start to first painted frame, s (ratio at most {begin['goal']:g})",
        f"  Unrolled {begin['application_seconds']:.2f}   an empty window "
        f"{begin['empty_window_seconds']:.2f}   ratio {begin['ratio']:.2f}   "
        f"{_verdict(begin['ratio'], begin['goal'])}",
    ]
    return "\n".join(lines)


def _line(name: str, row: dict[str, Any], of: str) -> str:
    """Return percentiles beside their goal as a line."""
    return (
        f"  {name}   p50 {row['p50_ms']:6.1f}   p95 {row['p95_ms']:6.1f}   "
        f"max {row['max_ms']:6.1f}   {row[of]} {of}   goal {row['goal_ms']:g}   "
        f"{_verdict(row['p95_ms'], row['goal_ms'])}"
    )


def _memory_line(row: dict[str, Any]) -> str:
    if row["above_mb"] is None:
        return f"  {row['tokens']:>3} words   this system does not say what a process takes"
    return (
        f"  {row['tokens']:>3} words   {row['window_mb']:.0f}   {row['empty_window_mb']:.0f}   "
        f"above it {row['above_mb']:.0f}   goal {row['goal_mb']:g}   "
        f"{_verdict(row['above_mb'], row['goal_mb'])}"
    )


def _verdict(value: float, goal: float) -> str:
    return "kept" if value <= goal else "missed"


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


def recording() -> list[dict[str, Any]]:
    """Return what the records and times of every step add to a run, as a part of it."""
    rows: list[dict[str, Any]] = _child("recording")["rows"]
    return rows


def training() -> list[dict[str, Any]]:
    """Return how many steps of training a second there are, beside PyTorch's."""
    rows: list[dict[str, Any]] = _child("training")["rows"]
    return rows


def answers() -> list[dict[str, Any]]:
    """Return how long the stage takes to answer the pointer, and a change of layer or head."""
    rows = []
    for count in sorted({*CHANGE_TOKENS, HOVER_TOKENS}):
        measured = _child("answer", _text(count))
        for what, goal in (("hover", HOVER_GOAL_MS), ("layer", TARGET_MS), ("head", TARGET_MS)):
            if count in (CHANGE_TOKENS if what != "hover" else (HOVER_TOKENS,)):
                seconds = measured[what]
                row = {"what": what, "tokens": count, "answers": len(seconds), "goal_ms": goal}
                rows.append(row | percentiles(seconds))
    return rows


def memory() -> dict[str, Any]:
    """Return what the window takes after playing, above what an empty window takes, in MB."""
    ours = _child("play", _text(MEMORY_TOKENS))["bytes"]
    empty = _child("empty")["bytes"]
    known = ours is not None and empty is not None
    return {
        "tokens": MEMORY_TOKENS,
        "window_mb": ours / 1e6 if known else None,
        "empty_window_mb": empty / 1e6 if known else None,
        "above_mb": (ours - empty) / 1e6 if known else None,
        "goal_mb": MEMORY_GOAL_MB,
    }


def start(times: int = STARTS) -> dict[str, float]:
    """Return the time from a new process to its first painted frame, and an empty window's.

    The ratio is the median over pairs of starts, one right behind the other.

    Both are as from the second start on: Python's compiled modules lie ready, whatever this
    environment says about keeping them.
    """
    ours: list[float] = []
    empty: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        compiled = Path(folder) / "compiled"
        settings = str(Path(folder) / "session.json")
        for _ in range(times + 1):  # by turns, so that a busy moment meets both
            empty.append(_painted_after("empty", *SIZE, compiled=compiled))
            ours.append(_painted_after("unrolled", settings, compiled=compiled))
            Path(settings).unlink(missing_ok=True)
    del empty[0], ours[0]  # these compiled
    return {
        "application_seconds": median(ours),
        "empty_window_seconds": median(empty),
        "ratio": median(a / b for a, b in zip(ours, empty, strict=True)),
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
    seconds = _child("play", _text(count))["frames"]
    if len(seconds) < 10:
        raise BenchError(
            f"Frames at {count} words cannot be measured because the window painted "
            f"{len(seconds)} of them; please report it."
        )
    row = {"tokens": count, "frames": len(seconds), "goal_ms": TARGET_MS}
    return row | percentiles(seconds)


def _text(count: int) -> str:
    return {**TEXTS, **LONG_TEXTS}[count]


# ---- child processes ---------------------------------------------------------------------------


def _painted_after(what: str, *arguments: object, compiled: Path) -> float:
    """Run a function of ``app.first_frame`` in a new process; return when it had painted, in s.

    ``compiled`` is a folder in which compiled modules are kept.
    """
    code = f"from app import first_frame; first_frame.{what}(*{arguments!r})"
    kept = {"PYTHONPYCACHEPREFIX": str(compiled), "PYTHONDONTWRITEBYTECODE": ""}
    began = time()
    return float(_printed(what, code, **kept)) - began


def _child(what: str, *arguments: str) -> dict[str, Any]:
    """Run one of ``CHILDREN`` in a new process and return what it measured."""
    code = "from app import bench; bench.CHILDREN[sys.argv[1]](*sys.argv[2:])"
    measured: dict[str, Any] = json.loads(_printed(what, code, what, *arguments))
    return measured


def _printed(what: str, code: str, *arguments: str, **environ: str) -> str:
    """Return the last line that Python code prints, as JSON, in a process without a display."""
    why = ""
    try:
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}",
                *arguments,
            ],
            env=os.environ | {"QT_QPA_PLATFORM": "offscreen"} | environ,
            capture_output=True,
            encoding="utf-8",
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        why = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        line = done.stdout.splitlines()[-1]
        json.loads(line)
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        raise BenchError(
            f"The measurement {what!r} did not come to its end ({why or type(error).__name__}); "
            "close other programs and try again."
        ) from error
    return line


def _empty() -> None:
    """Measure what a window with nothing in it takes."""
    kept = first_frame.open_empty(*SIZE)
    first_frame.until_painted(kept[1])
    _tell({"bytes": _resident()})


def _play(text: str) -> None:
    """Measure every frame while a sentence plays, and what the window takes afterwards."""
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

    def play(window: Any, first: int, last: float) -> None:
        """Play from a tick until another is reached, or the end."""
        window.player.seek(first)
        _wait(1.0)
        watch = Watch()
        stage = window.canvas
        stage.installEventFilter(watch)
        watch.last = thread_time()
        QTest.keyClick(stage, Qt.Key.Key_Space)
        count, since = len(frames), monotonic()

        def over() -> bool:
            nonlocal count, since
            if len(frames) > count:
                count, since = len(frames), monotonic()
            return bool(window.player.tick >= last) or monotonic() - since > QUIET_SECONDS

        _wait(TIMEOUT_SECONDS / 2, over)
        stage.removeEventFilter(watch)
        if window.player.playing:
            QTest.keyClick(stage, Qt.Key.Key_Space)

    def drive(window: Any) -> None:
        _show(window, text)
        end = window.player.last
        if len(window.first.pair.tokens) <= WHOLE:
            play(window, 0, math.inf)
        else:
            window.player.set_speed(4.0)
            play(window, 0, FIRST_TICKS)
            play(window, end - LAST_TICKS, math.inf)
        _tell({"frames": frames, "bytes": _resident()})

    _open(drive)


def _answer(text: str) -> None:
    """Measure the stage's answers to the pointer, and to a change of block and of head.

    Every change is to a picture that was not shown before; the next block is drawn ahead in the
    0.3 s of rest, as it is in front of a class. Where no row of a head is shown as bars
    another head is pinned.
    """
    from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
    from PySide6.QtGui import QMouseEvent
    from PySide6.QtTest import QTest
    from PySide6.QtWidgets import QApplication

    def drive(window: Any) -> None:
        _show(window, text)
        stage, tokens, facts = (
            window.canvas,
            len(window.first.pair.tokens),
            window.first.pair.grid.facts,
        )
        window.player.seek(window.player.last)
        _wait(1.0)

        def cost(do: Callable[..., object], *given: object) -> float:
            """Return the CPU time from an event until the stage is painted as it then is."""
            before = thread_time()
            do(*given)
            QApplication.processEvents()
            while not stage.settled:
                QApplication.processEvents()
            return thread_time() - before

        def point(at: QPoint) -> None:
            none, whole = Qt.MouseButton.NoButton, QPointF(stage.mapToGlobal(at))
            move, keys = QEvent.Type.MouseMove, Qt.KeyboardModifier.NoModifier
            QApplication.sendEvent(stage, QMouseEvent(move, QPointF(at), whole, none, none, keys))

        hover = []
        for at in _places(stage.width(), stage.height()):
            name = stage.view.hovered
            seconds = cost(point, QPoint(*at))
            if stage.view.hovered != name:  # there was something to answer
                hover.append(seconds)
        point(QPoint(0, 0))
        changes: dict[str, list[float]] = {"layer": [], "head": []}
        for i in range(min(CHANGES, tokens)):
            stage.show_with(query=i)
            _wait(0.3)
            changes["layer"].append(cost(QTest.keyClick, stage, Qt.Key.Key_Y))
            _wait(0.3)
            key = Qt.Key.Key_G
            if tokens <= WHOLE:
                key = Qt.Key.Key_X
                name = f"grid:blocks.0.attn.z[{i % facts.heads},0]"
                stage.show_with(hovered=name)
                _wait(0.3)
            changes["head"].append(cost(QTest.keyClick, stage, key))
        _tell({"hover": hover, **changes})

    _open(drive)


def _places(width: int, height: int, step: int = 29) -> list[tuple[int, int]]:
    """Return points (x, y) of the stage, on the way of a pointer that goes to and fro over it.

    They lie ``step`` px apart, so that they meet each row and column of a map elsewhere.
    """
    columns = range(step // 2, width, step)
    return [
        (x, y)
        for i, y in enumerate(range(step // 2, height, step))
        for x in (columns if i % 2 == 0 else reversed(columns))
    ]


def _show(window: Any, text: str) -> None:
    """Show a sentence, with all that is measured in the background, until it has settled."""
    window.resize(*SIZE)
    first_frame.until_painted(window)
    window.first.sentences.set_text(text)
    quiet = monotonic()

    def computed() -> bool:
        nonlocal quiet
        if window.first.sentences.background.busy or window.first.studies.measuring.busy:
            quiet = monotonic()
        return monotonic() - quiet > QUIET_SECONDS

    _wait(TIMEOUT_SECONDS / 2, computed)
    _wait(1.0)  # painted until it has settled
    window.canvas.setFocus()


def _resident() -> int | None:
    """Return the bytes of memory that this process holds; None where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        return None


def _engine() -> None:
    """Measure the engine on large models."""
    from app import speed

    _tell({"rows": speed.measure()})


def _training() -> None:
    """Measure steps of training."""
    from app import training_speed

    _tell({"rows": training_speed.measure()})


def _units() -> None:
    """Measure frames of chapters 2 and 4, and the plot."""

    def drive(window: Any) -> None:
        window.resize(*SIZE)
        first_frame.until_painted(window)
        _tell(live_bench.measure(window, _wait))

    _open(drive)


def _recording() -> None:
    """Measure what recording costs, at a width of 256 numbers."""
    import numpy as np
    from threadpoolctl import threadpool_limits

    from engine.models import Config
    from engine.recording_cost import overhead
    from engine.timing import random_model

    d, tokens = RECORDED_WIDTH, 128
    configs = {
        f"Transformer, d = {d}": Config(
            kind="grid", words=1000, embedding=d, width=d, heads=8, layers=2, mlp=4 * d
        ),
        f"GRU, {d} numbers": Config(kind="chain", words=1000, embedding=d, width=d, cell="gru"),
    }
    rows = []
    with threadpool_limits(1):
        for name, config in configs.items():
            added = overhead(random_model(config), np.zeros(tokens, np.int64), RECORDED_PAIRS)
            rows.append({"model": name, "tokens": tokens, "added": added, "goal": RECORDED_GOAL})
    _tell({"rows": rows})


def _open(then: Callable[[Any], None]) -> None:
    """Open the application's window and call ``then`` with it in place of its event loop."""
    from app import session
    from app.start import open_window

    def run(window: Any) -> int:
        then(window)
        window.close()
        return 0

    # Nobody's settings are read or written: the window opens as it does for a new user.
    with tempfile.TemporaryDirectory() as folder:
        session.place = lambda: Path(folder) / "session.json"
        open_window(run)


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
    "play": _play,
    "answer": _answer,
    "engine": _engine,
    "recording": _recording,
    "training": _training,
    "units": _units,
}

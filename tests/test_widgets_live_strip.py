"""The strip "Now": what it shows adds up, has room, and costs nothing while nothing changes."""

import threading
from time import perf_counter
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QObject, QPoint
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import QApplication

from app import live
from app.compute import make_trace, watched
from app.live import Now
from engine.recorder import Recorder
from engine.shares import Shares
from engine.trace import Basis
from engine.units import Work
from widgets import captions, theme
from widgets.geometry import text_width
from widgets.live_strip import LiveStrip, now_strip
from widgets.picture import Rect, Text

SAY = captions.load("en")
PARTS = {Work.MATRIX: 0.505, Work.STREAM: 0.2, Work.SEQUENTIAL: 0.095, Work.IDLE: 0.2}
SHARES = Shares(PARTS, 2.0, Basis.MEASURED, "CPU timers by kind of work")


def lines(shares: Shares | None, width: float) -> list[Text]:
    drawn = now_strip(shares, width, theme.load("light"), SAY).shapes
    return [shape for shape in drawn if isinstance(shape, Text)]


@pytest.mark.parametrize("width", [2000, 1500, 1100, 860, 600, 400])
@pytest.mark.parametrize("shares", [SHARES, None])
def test_its_words_have_room_at_every_width(width: float, shares: Shares | None) -> None:
    spans = []
    for text in lines(shares, width):
        wide = text_width(text.text, text.size, text.weight)
        left = text.x - (wide if text.anchor == "end" else 0)
        spans.append((left, left + wide))
        assert text.size >= 12
    spans.sort()
    assert spans[0][0] >= 0
    assert spans[-1][1] <= width
    assert all(a[1] < b[0] for a, b in zip(spans, spans[1:], strict=False))


def test_a_wide_strip_says_everything_and_its_basis() -> None:
    said = " ".join(text.text for text in lines(SHARES, 1500))
    for words in ("Sequential 9 %", "Stream 20 %", "Matrix 51 %", "Idle 20 %", "measured"):
        assert words in said
    assert "CPU timers by kind of work" in said


def test_the_bar_is_as_long_as_the_shares(qtbot: Any) -> None:
    drawn = now_strip(SHARES, 1500, theme.load("light"), SAY).shapes
    marks = theme.load("light")
    wide = {
        shape.fill: shape.width
        for shape in drawn
        if isinstance(shape, Rect) and shape.height == 12.0 and shape.fill
    }
    whole = wide[marks.matrix] / PARTS[Work.MATRIX]
    assert wide[marks.stream] == pytest.approx(0.2 * whole)
    assert wide[marks.seq] == pytest.approx(0.095 * whole)


def test_the_same_shares_again_paint_nothing(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    strip = LiveStrip(theme.load("dark"), SAY)
    qtbot.addWidget(strip)
    painted: list[int] = []
    monkeypatch.setattr(strip, "update", lambda: painted.append(1))
    for shares in (SHARES, SHARES, None, None):
        strip.show_shares(shares)
    assert len(painted) == 2
    assert strip.accessibleDescription() == SAY("now.nothing")


def test_what_runs_is_seen_and_then_idle_and_then_nothing(qtbot: Any) -> None:
    strip, recorder, parent = LiveStrip(theme.load("light"), SAY), Recorder(), QObject()
    qtbot.addWidget(strip)
    now = Now(recorder, strip, parent)
    now.show_now()
    assert strip.text() == SAY("now.nothing")
    with watched(recorder):
        make_trace("the cat that slept ___", "transformer")
    now.show_now()
    assert strip.text() != SAY("now.nothing")
    shares = recorder.shares(perf_counter())
    assert shares is not None
    assert shares[Work.MATRIX] > 0
    assert sum(shares.percents.values()) == 100
    now.close()


def test_no_timer_runs_while_nothing_does_and_the_next_run_wakes_it(qtbot: Any) -> None:
    strip, recorder, parent = LiveStrip(theme.load("light"), SAY), Recorder(), QObject()
    qtbot.addWidget(strip)
    now = Now(recorder, strip, parent)
    now.begin()
    assert now.awake
    now.show_now()
    now._changed -= 100
    now.show_now()
    assert not now.awake
    thread = threading.Thread(target=recorder.note, args=(1.0, 2.0, {Work.MATRIX: 1.0}))
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: now.awake, timeout=2000)
    now.close()
    recorder.note(2.0, 3.0, {Work.MATRIX: 1.0})
    assert not now.awake


def test_what_is_noted_while_it_falls_asleep_is_not_missed() -> None:
    recorder, called = Recorder(), []
    count = recorder.count
    recorder.note(1.0, 2.0, {Work.MATRIX: 1.0})
    recorder.call_once(lambda: called.append(1), count)
    assert called == [1]
    recorder.call_once(lambda: called.append(2), recorder.count)
    assert called == [1]
    for _ in range(3):
        with recorder.job():
            pass
    assert called == [1, 2]


@pytest.mark.qt_log_ignore(r"raise\(\)")  # of the tip's window, where there is no display
@pytest.mark.parametrize(("grid", "more"), [(0.04, False), (0.21, True), (-0.01, False)])
def test_whoever_asks_what_the_strip_is_reads_what_recording_adds(
    qtbot: Any, monkeypatch: pytest.MonkeyPatch, grid: float, more: bool
) -> None:
    strip, recorder, parent = LiveStrip(theme.load("light"), SAY), Recorder(), QObject()
    qtbot.addWidget(strip)
    asked: list[Recorder] = []

    def measured(of: Recorder) -> tuple[float, float]:
        asked.append(of)
        return 0.031, grid

    monkeypatch.setattr(live, "recording", measured)
    now = Now(recorder, strip, parent)
    assert strip.toolTip() == SAY("now.definition")
    for _ in range(2):
        QApplication.sendEvent(
            strip, QHelpEvent(QEvent.Type.ToolTip, QPoint(9, 9), strip.mapToGlobal(QPoint(9, 9)))
        )
        qtbot.waitUntil(lambda: strip.toolTip() != SAY("now.definition"), timeout=5000)
    assert asked == [recorder]  # once
    said = strip.toolTip()
    assert "it adds 3\u00a0% to a run of the RNN over 5 tokens" in said
    assert f"{max(round(100 * grid), 0)}\u00a0% to one of the Transformer" in said
    assert (SAY("now.recording_more") in said) == more
    now.close()


def test_what_recording_adds_is_measured_and_counts_as_having_run() -> None:
    recorder = Recorder()
    chain, grid = live.recording(recorder)
    assert -0.5 < chain < 5.0
    assert -0.5 < grid < 5.0
    shares = recorder.shares(perf_counter())
    assert shares is not None
    assert shares[Work.UNCLASSIFIED] > 0


def test_a_run_of_somebody_else_is_not_told(qtbot: Any) -> None:
    recorder = Recorder()
    with watched(recorder):
        pass
    count = recorder.count
    make_trace("the cat that slept ___", "rnn")
    assert recorder.count == count

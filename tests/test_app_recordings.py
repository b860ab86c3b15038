"""Chapter 2 with a card: somebody else's report, and a card of this machine that is faked."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import fakecupy
import pytest
from fakecupy import Card
from pictures import check_texts, texts
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from pytestqt.qtbot import QtBot
from test_engine_timing import nvml, with_cupti

from app import doctor, recordings, workload_runs, workloads
from app.chapters import Host
from app.computing import ComputingUnits
from app.live_runs import measure
from app.this_machine import FILE
from app.window import Window
from engine import gpu, live, race, race_file, selfcheck, timing, weights
from engine import report as report_of
from engine.device import HOST, on_device
from engine.gpu import probe
from engine.live import LIVE, Meter
from engine.ops import Ops
from engine.recorder import Recorder
from engine.timing import CUPTI_PATH, QUEUED_PATH
from engine.trace import Basis
from engine.units import Work
from engine.workload import Workload
from widgets import captions, theme
from widgets.scenes.computing_units import computing_units
from widgets.scenes.computing_units.live import pipe
from widgets.scenes.computing_units.subject import Live, Sample
from widgets.share_plot import SharePlot
from widgets.view import View

SAY = captions.load("en")
PATIENCE_MS = 30_000
CARD = "NVIDIA H100 80GB HBM3"


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[Card]:
    monkeypatch.setattr(selfcheck, "SIDES", (16,))  # a fake card is no quicker than this one
    gpu._there.clear()
    yield fakecupy.fixture(
        lambda name, it: monkeypatch.setitem(sys.modules, name, it), name=CARD, capability=(9, 0)
    )
    gpu._there.clear()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a report of a self-check, made on a fake card."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selfcheck, "SIDES", (16,))
        patch.setattr(weights, "available", lambda: ("transformer", "rnn-plain"))
        gpu._there.clear()
        fakecupy.fixture(
            lambda name, it: patch.setitem(sys.modules, name, it), name=CARD, capability=(9, 0)
        )
        path = tmp_path_factory.mktemp("stick") / "report.json"
        assert doctor.selfcheck(path, program="unrolled test", tell=lambda line: None)
    gpu._there.clear()
    return path


@pytest.fixture
def chapter(qtbot: QtBot, host: Host) -> Iterator[ComputingUnits]:
    workloads.meter.cache_clear()
    made = ComputingUnits(host)
    qtbot.addWidget(made.page)
    qtbot.addWidget(made.controls)
    made.page.resize(1190, 730)
    made.page.show()
    yield made
    made.close()
    workloads.meter.cache_clear()


def begun(chapter: ComputingUnits, qtbot: QtBot) -> ComputingUnits:
    chapter.begin()
    qtbot.waitUntil(lambda: len(chapter._samples) > 0, timeout=PATIENCE_MS)
    settle(chapter, qtbot)
    return chapter


def settle(chapter: ComputingUnits, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not chapter.busy and chapter.subject is not None, timeout=PATIENCE_MS)


def words(chapter: ComputingUnits) -> str:
    still = chapter.still()
    assert still is not None
    view = View(1600, 900, theme.load("light"), SAY)
    return "\n".join(text.text for text in texts(computing_units(still[1], 3.0, view)))


# ---- recordings ----------------------------------------------------------------------------------


def test_without_a_recording_nothing_is_offered_or_promised(
    chapter: ComputingUnits, qtbot: QtBot
) -> None:
    begun(chapter, qtbot)
    assert "record" not in words(chapter).lower()
    offered = [action.text() for action in chapter.controls.choices["part"].menu().actions()]
    assert not [text for text in offered if "recording" in text]
    assert chapter.remember()["reports"] == []


def test_a_report_that_is_opened_is_shown_as_a_recording(
    chapter: ComputingUnits, qtbot: QtBot, report: Path, host: Host
) -> None:
    begun(chapter, qtbot)
    chapter.open_recording(str(report))
    settle(chapter, qtbot)
    subject = chapter.subject
    assert subject is not None
    assert subject.recorded is not None
    made = report_of.read(report)
    assert subject.recorded.label == made.label
    assert (subject.part, subject.mode, subject.precision) == ("H100", "inference", "FP16")
    assert chapter.chosen.workload == replace(
        LIVE, precision="float16", style="cupy-eager"
    )  # the same workload in every bar
    assert subject.measured == made.of(chapter.chosen.workload)
    assert subject.measured is not None
    assert subject.measured[Work.MATRIX] > 0
    text = words(chapter)
    assert "recorded, not this machine" in text
    assert f"H100 80GB HBM3 · {made.date[:10]}" in text
    assert chapter.device()[0] == "recorded on H100"
    menu = chapter.controls.choices["part"]
    assert menu.text() == f"recording: H100, {made.date[:10]}"
    # From the list it can be left, and taken again.
    chapter.choose("part", "t4")
    settle(chapter, qtbot)
    assert chapter.subject is not None
    assert chapter.subject.recorded is None
    assert "recorded" not in words(chapter)
    chapter.choose("part", recordings.id_of(made))
    settle(chapter, qtbot)
    assert chapter.subject.recorded is not None
    # It is remembered by its file.
    kept = json.loads(json.dumps(chapter.remember()))
    other = ComputingUnits(host)
    qtbot.addWidget(other.page)
    qtbot.addWidget(other.controls)
    other.restore(kept)
    begun(other, qtbot)
    assert other.subject is not None
    assert other.subject.recorded == chapter.subject.recorded
    other.close()


def test_a_workload_that_was_not_recorded_has_no_recorded_bar(
    chapter: ComputingUnits, qtbot: QtBot, report: Path
) -> None:
    begun(chapter, qtbot)
    chapter.open_recording(str(report))
    settle(chapter, qtbot)
    chapter.choose("mode", "training")
    settle(chapter, qtbot)
    assert chapter.subject is not None
    assert chapter.subject.measured is None
    assert "recorded, but not of this workload" in words(chapter)


def test_a_recording_whose_file_is_gone_is_said_and_the_chapter_stays(
    chapter: ComputingUnits, qtbot: QtBot, tmp_path: Path
) -> None:
    told: list[str] = []
    chapter.said.connect(told.append)
    chapter.restore({"reports": [str(tmp_path / "gone.json")], "recording": "recording:x"})
    begun(chapter, qtbot)
    assert chapter.chosen.recording == ""
    assert len(told) == 1
    assert told[0].startswith("gone.json is no report")
    assert chapter.remember()["reports"] == []


@pytest.mark.parametrize("content", [b"{", b'{"theme": "dark"}', b"\xff\xfe", b" " * 9_000_000])
def test_a_file_that_is_no_report_is_refused_and_nothing_is_lost(
    chapter: ComputingUnits, qtbot: QtBot, tmp_path: Path, report: Path, content: bytes
) -> None:
    begun(chapter, qtbot)
    chapter.open_recording(str(report))
    settle(chapter, qtbot)
    before = chapter.chosen
    told: list[str] = []
    chapter.said.connect(told.append)
    path = tmp_path / "other.json"
    path.write_bytes(content)
    chapter.open_recording(str(path))
    settle(chapter, qtbot)
    assert len(told) == 1
    assert told[0].startswith("other.json is no report of unrolled doctor --gpu-selfcheck: ")
    assert told[0].endswith("what is shown stays.")
    assert chapter.chosen == before
    assert chapter.remember()["reports"] == [str(report)]


def test_a_report_is_dropped_onto_the_window(
    qtbot: QtBot, tmp_path: Path, report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = Window(tmp_path / "session.json")
    qtbot.addWidget(window)
    window.show()
    window.begin()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(report))])
    window.dropEvent(
        QDropEvent(QPointF(500, 300), Qt.DropAction.CopyAction, data,
                   Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    )  # fmt: skip
    chapter: Any = window.chapter
    assert chapter.id == "three-computing"
    qtbot.waitUntil(
        lambda: chapter.subject is not None and chapter.subject.recorded is not None,
        timeout=PATIENCE_MS,
    )
    window.close()


@pytest.mark.parametrize(
    ("card", "part"),
    [(CARD, "h100"), ("NVIDIA GeForce RTX 4090", "rtx4090"), ("Tesla T4", "t4"),
     ("NVIDIA H200", "h200"), ("NVIDIA L4", "l4"), ("Some card", "a100")],
)  # fmt: skip
def test_a_recording_is_modelled_by_its_cards_data_sheet(
    card: str, part: str, report: Path
) -> None:
    recording = replace(report_of.read(report), card=card)
    assert recordings.part_like(recording, "a100") == part


def test_every_row_of_a_recording_is_on_its_page(report: Path) -> None:
    recorded = workloads.recorded_as(report_of.read(report))
    models = {(model, precision) for model, precision, _ in recorded.rows}
    assert ("transformer", "float16") in models
    assert ("block-192", "float32") in models
    assert {"driver", "runtime"} <= {name for name, _ in recorded.versions}


@pytest.mark.parametrize("size", [(1018, 620), (1280, 720), (1600, 900), (3200, 1800)])
@pytest.mark.parametrize("controls", [True, False])
def test_a_recording_has_its_room(report: Path, size: tuple[int, int], controls: bool) -> None:
    recording = report_of.read(report)
    runs = tuple(Sample(0.5, 0.3, 0.2) for _ in range(9))
    series = Live("another: One block", "CuPy", runs, 0.01, device=CARD, clock="events",
                  pipe=(0.3,) * 9)  # fmt: skip
    for workload in recording.workloads():
        chosen = replace(workloads.DEFAULT, workload=workload)
        subject = workloads.computing(chosen, SAY, recording=recording, live=series)
        view = View(*size, theme.load("light"), SAY, controls=controls)
        check_texts(computing_units(subject, 3.0, view), f"{workload.model} {workload.precision}")


# ---- a card of this machine ----------------------------------------------------------------------


def test_on_a_card_the_runs_are_measured_there_and_the_clock_is_named(card: Card) -> None:
    meter = Meter(on_device(probe))
    assert meter.name == CARD
    assert "float16" in meter.precisions
    workload, _ = workloads.live_workload(Workload(), meter.precisions)
    assert workload == replace(LIVE, precision="float16")
    before = len(card.kernels)
    found = measure(workload, None, Recorder(), meter)
    assert len(card.kernels) > before
    assert found.measured.shares.path == QUEUED_PATH
    assert found.measured.shares[Work.MATRIX] > 0
    assert sum(found.measured.shares.parts.values()) == 1.0
    sample = workloads.sample_of(found.measured)
    assert sum(sample) == pytest.approx(1.0)
    run = workload_runs.measured_run(found.measured, found.workload, SAY, meter.name)
    assert not run.on_cpu
    shown = workloads.live(Workload(), (sample,), 0.1, SAY, runs=found.workload,
                           path=found.measured.shares.path, device=meter.name)  # fmt: skip
    assert shown.clock == "events"
    assert CARD in shown.where


def test_a_card_that_is_lost_in_a_run_is_replaced_and_said(card: Card) -> None:
    meter = Meter(on_device(probe))
    card.fails_at = len(card.kernels) + 40
    found = measure(replace(LIVE, precision="float16"), None, Recorder(), meter)
    assert found.said.startswith("The GPU stopped")
    assert found.said.endswith("; NumPy computes instead.")
    assert found.meter.name == ""
    assert found.workload == LIVE
    assert sum(found.measured.shares.parts.values()) == 1.0


def test_a_card_without_tensor_cores_has_no_matrix_work(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    card.name, card.capability = "NVIDIA GeForce GTX 1660", (7, 5)
    meter = Meter(on_device(probe))
    assert "tf32" not in meter.precisions
    found = measure(replace(LIVE, precision="float16"), None, Recorder(), meter)
    assert found.measured.shares[Work.MATRIX] == 0.0
    assert found.measured.shares[Work.STREAM] > 0.0
    assert workloads.sample_of(found.measured).matrix == 0.0


def test_the_values_of_a_card_are_those_of_the_cpu(card: Card) -> None:
    there = live.Live(LIVE)
    meter = Meter(on_device(probe))
    on_card = meter.run(there)
    here = there.run()
    mine = {step.name: step.value for step in here.steps}
    for step in on_card.steps:
        assert selfcheck.error_of(step.value, mine[step.name]) < 1e-4, step.name


def test_the_tensor_pipe_is_sampled_beside_each_run(
    monkeypatch: pytest.MonkeyPatch, card: Card
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", nvml())
    meter = Meter(on_device(probe))
    assert meter.pipe_reason == ""
    found = measure(replace(LIVE, precision="float16"), None, Recorder(), meter)
    assert found.pipe == 0.4


def test_counters_without_rights_are_a_sentence_on_the_page(
    monkeypatch: pytest.MonkeyPatch, card: Card
) -> None:
    def refused(*_: Any) -> Any:
        raise type("NVMLError_NoPermission", (Exception,), {})()

    monkeypatch.setitem(sys.modules, "pynvml", nvml(nvmlGpmSampleGet=refused))
    meter = Meter(on_device(probe))
    assert meter.pipe_active() is None
    shown = workloads.live(Workload(), (), 0.0, SAY, device=meter.name,
                           pipe_reason=meter.pipe_reason)  # fmt: skip
    assert shown.note.endswith(
        "No line “pipe active”: NVML was refused: this user may not read the card's counters."
    )


def test_without_a_card_nothing_is_asked_or_said_of_a_pipe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)  # an import would fail
    meter = Meter(HOST)
    assert (meter.pipe_active(), meter.pipe_reason, meter.precisions) == (None, "", ("float32",))


def test_pipe_active_is_a_line_and_no_area() -> None:
    view = View(1600, 900, theme.load("light"), SAY)
    runs = (Sample(0.5, 0.3, 0.2),) * 5
    known = (0.1, None, 0.3, 0.4, 0.35)
    shapes = pipe(Live("w", "x", runs, 0.1, pipe=known), (100.0, 50.0, 590.0, 100.0), view)
    line: Any = next(shape for shape in shapes if getattr(shape, "name", "") == "live:pipe")
    assert line.fill is None
    points = [command[1:] for command in line.commands]
    assert points == [
        (100.0, 140.0), (110.0, 140.0), (120.0, 120.0), (130.0, 110.0), (140.0, 115.0)
    ]  # fmt: skip
    assert [command[0] for command in line.commands] == ["M", "L", "M", "L", "L"]
    assert any(getattr(shape, "text", "") == "pipe active 35 %" for shape in shapes)
    assert pipe(Live("w", "x", runs, 0.1, pipe=(None,) * 5), (0, 0, 9, 9), view) == []
    assert pipe(Live("w", "x", runs, 0.1), (0, 0, 9, 9), view) == []


def test_the_plot_of_the_window_draws_the_same_line(qtbot: QtBot) -> None:
    plot = SharePlot(theme.load("dark"))
    qtbot.addWidget(plot)
    plot.resize(300, 120)
    runs = [Sample(0.5, 0.3, 0.2)] * 4
    plot.show_samples(runs)
    plot.draw()
    assert not any(curve.isVisible() for curve in plot._pipes)
    assert plot._name.scene() is None
    plot.show_samples(list(runs), (0.1, None, 0.3, 0.4), "pipe active 40 %")
    plot.draw()
    assert all(curve.isVisible() for curve in plot._pipes)
    x, y = plot._pipes[-1].getData()
    assert list(x) == [0, 1, 2, 3]
    assert y[0] == 0.1
    assert y[1] != y[1]  # a gap
    assert plot._name.scene() is not None
    assert plot._name.toPlainText() == "pipe active 40 %"
    plot.show_samples(list(runs), (None,) * 4)
    plot.draw()
    assert not any(curve.isVisible() for curve in plot._pipes)


def test_kernel_activity_comes_first(monkeypatch: pytest.MonkeyPatch, card: Card) -> None:
    with_cupti(monkeypatch, card)
    for module in (timing, live):  # what tracing costs is told by the card's clock
        monkeypatch.setattr(module, "perf_counter", lambda: card.host_us * 1e-6)
    meter = Meter(on_device(probe))
    found = measure(replace(LIVE, precision="float16"), None, Recorder(), meter)
    assert found.measured.shares.path == CUPTI_PATH


@pytest.mark.parametrize("step", [-1e-3, 0.0])
def test_a_clock_that_goes_backwards_or_stands_leaves_shares_of_a_whole(
    monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    moments = count(1e6, step)

    class Back(Ops):
        def clock(self) -> float:
            return next(moments)

    monkeypatch.setattr(live, "perf_counter", lambda: next(moments))
    shares = live.Live(LIVE).run(ops=Back()).shares
    assert sum(shares.parts.values()) == 1.0
    assert min(shares.parts.values()) >= 0.0
    assert shares[Work.SEQUENTIAL] == 1.0


class Enough(Exception):
    """Nobody waits for it any more."""


@pytest.mark.parametrize("on_a_card", [False, True])
def test_a_live_run_can_be_ended_behind_every_stage(
    monkeypatch: pytest.MonkeyPatch, card: Card, on_a_card: bool
) -> None:
    monkeypatch.setattr("engine.tape.WATCHED_SECONDS", 0.0)
    meter, runs = Meter(on_device(probe) if on_a_card else HOST), live.Live(LIVE)
    stages = {step.stage for step in runs.run().steps} - {""}
    for last in range(1, len(stages) + 1):
        told = 0

        def stop(start: float, end: float, spent: object, *, last: int = last) -> None:
            nonlocal told
            told += 1
            if told == last:
                raise Enough

        with pytest.raises(Enough):
            meter.run(runs, stop)
    assert sum(meter.run(runs).shares.parts.values()) == 1.0  # and the next one is whole


# ---- this machine as a part ----------------------------------------------------------------------


def test_this_machine_is_a_part_that_is_measured_once(
    chapter: ComputingUnits, qtbot: QtBot, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = 0

    def calibrate(**_: Any) -> race.Rates:
        nonlocal times
        times += 1
        return race.Rates(4e10 * times, 4e10 * times, 2e10, 2e10, 3e-7, 5e-8)

    monkeypatch.setattr(race, "calibrate", calibrate)
    begun(chapter, qtbot)
    assert times == 0  # nobody has asked for it
    chapter.choose("part", "this")
    settle(chapter, qtbot)
    assert chapter.subject is not None
    assert (chapter.subject.part, chapter.subject.time.basis) == ("This machine", Basis.MODELLED)
    first = chapter.subject.time.seconds
    chapter.choose("mode", "inference")
    chapter.choose("mode", "training")
    settle(chapter, qtbot)
    assert times == 1
    # It is a CPU: nothing of it would run on tensor cores.
    text = words(chapter)
    assert "would run on the CPU" in text
    assert "CUDA" not in text.replace("GPU", "")
    assert "tensor" not in text
    assert "launch" not in text
    assert chapter.subject.source.startswith("from rates that were measured here on 2")
    # What is small enough is measured beside its own model, whatever precision was asked for.
    chapter.choose("model", "stage")
    chapter.choose("mode", "inference")
    settle(chapter, qtbot)
    qtbot.waitUntil(
        lambda: chapter.subject is not None and chapter.subject.measured is not None,
        timeout=PATIENCE_MS,
    )
    chapter.choose("model", "gpt2-124m")
    chapter.choose("mode", "training")
    settle(chapter, qtbot)
    # The file is the one that the command line and the race read.
    kept = race_file.calibrated(host.folder / FILE)
    assert kept.rates.product_one == 4e10
    chapter.choose("part", workloads.AGAIN)
    settle(chapter, qtbot)
    assert times == 2
    assert chapter.subject.time.seconds < first
    assert chapter.controls.choices["part"].current == "this"
    restored = ComputingUnits(host)
    restored.restore(json.loads(json.dumps(chapter.remember())))
    assert restored.chosen.part == "this"
    restored.close()

"""Chapter 2 in the window: what is chosen is computed, and what runs here is measured."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from PySide6.QtCore import QSize
from pytestqt.qtbot import QtBot

from app import live_runs, workload_figure, workloads
from app.chapters import CHAPTERS, Host, make
from app.computing import ComputingUnits
from app.workload_bar import WorkloadControls
from engine.device import HOST, Device
from engine.live import LIVE, Meter
from engine.recorder import Recorder
from engine.trace import Basis, Unit
from engine.training import PHASES
from engine.units import Work
from widgets import captions, theme, unit_pages
from widgets.hit import title_of
from widgets.inspector import Inspector
from widgets.scenes.computing_units import plot_box
from widgets.scenes.computing_units.live import WINDOW
from widgets.scenes.computing_units.subject import FACTORS, LANES

SAY = captions.load("en")
PATIENCE_MS = 20_000


@pytest.fixture
def chapter(qtbot: QtBot, host: Host) -> Iterator[ComputingUnits]:
    made = ComputingUnits(host)
    qtbot.addWidget(made.page)
    qtbot.addWidget(made.controls)
    made.page.resize(1190, 730)
    made.page.show()
    yield made
    made.close()


def begun(chapter: ComputingUnits, qtbot: QtBot) -> ComputingUnits:
    """Return the chapter with its first workload and its first run here."""
    chapter.begin()
    settle(chapter, qtbot)
    qtbot.waitUntil(lambda: len(chapter._samples) > 0, timeout=PATIENCE_MS)
    settle(chapter, qtbot)
    return chapter


def settle(chapter: ComputingUnits, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not chapter.busy and chapter.subject is not None, timeout=PATIENCE_MS)


def test_the_table_of_chapters_makes_it(qtbot: QtBot, host: Host) -> None:
    made = make("three-computing", host)
    for widget in (made.page, made.controls):
        qtbot.addWidget(widget)
    assert made.id == "three-computing"
    assert CHAPTERS[made.id].number == 2
    made.close()


def test_it_begins_with_gpt2_and_one_run_of_another_workload(
    chapter: ComputingUnits, qtbot: QtBot
) -> None:
    assert chapter.groups() == ()
    begun(chapter, qtbot)
    assert chapter.subject is not None
    assert (chapter.subject.model, chapter.subject.part) == ("GPT-2 124M", "H100")
    assert chapter.player.last == chapter.subject.last_tick > 30
    assert [group.caption for group in chapter.groups()] == [
        "Host", "Block 7, forward", "Answer", "Backward", "Update",
    ]  # fmt: skip
    starts = [group.first for group in chapter.groups()]
    ends = [group.last for group in chapter.groups()]
    assert starts[0] == 0
    assert ends[-1] == chapter.player.last
    assert [last + 1 for last in ends[:-1]] == starts[1:]
    assert chapter.subject.measured is None  # GPT-2 did not run here
    assert chapter.subject.live.workload == "another: One block, d = 192"
    head, note = chapter.title(10)
    assert head == f"Operation 10 of {chapter.player.last}"
    assert note.endswith("· block 7 of 12, forward")


@pytest.mark.parametrize("preset", list(workloads.PRESETS))
def test_a_preset_is_one_click(chapter: ComputingUnits, qtbot: QtBot, preset: str) -> None:
    begun(chapter, qtbot)
    chapter.activate(f"choose:preset:{preset}")
    settle(chapter, qtbot)
    assert chapter.subject is not None
    assert chapter.subject.preset == preset
    shown = {kind: choice.current for kind, choice in chapter.controls.choices.items()}
    work = workloads.PRESETS[preset].workload
    assert shown == {
        "model": work.model, "batch": str(work.batch), "tokens": str(work.tokens),
        "part": workloads.PRESETS[preset].part, "style": str(work.style),
    }  # fmt: skip


def test_m_goes_through_training_inference_and_decoding(
    chapter: ComputingUnits, qtbot: QtBot
) -> None:
    begun(chapter, qtbot)
    modes = []
    for _ in range(3):
        chapter.keys["mode"]()
        settle(chapter, qtbot)
        assert chapter.subject is not None
        modes.append(chapter.subject.mode)
        assert chapter.player.tick <= chapter.player.last == chapter.subject.last_tick
    assert modes == ["inference", "decode", "training"]


def test_the_choices_of_the_bar_change_the_workload(chapter: ComputingUnits, qtbot: QtBot) -> None:
    begun(chapter, qtbot)
    for kind, id in (("model", "toy"), ("part", "l4"), ("style", "graph"), ("batch", "4")):
        chapter.controls.choices[kind]._pick(id)
        settle(chapter, qtbot)
    work = chapter.chosen.workload
    assert (work.model, work.style, work.batch, work.tokens) == ("toy", "graph", 4, 5)
    assert chapter.subject is not None
    assert chapter.subject.part == "L4"


def test_nonsense_is_said_and_the_last_good_picture_stays(
    chapter: ComputingUnits, qtbot: QtBot
) -> None:
    begun(chapter, qtbot)
    before = chapter.subject
    for kind, id in (("batch", "0"), ("tokens", str(10**9)), ("batch", "x"), ("mode", "asleep")):
        with qtbot.waitSignal(chapter.said) as said:
            chapter.choose(kind, id)
        assert said.args is not None
        assert str(said.args[0]).endswith((".", "'x'"))
    settle(chapter, qtbot)
    assert chapter.subject is before
    assert chapter.controls.choices["batch"].current == "8"


def test_a_precision_that_a_part_has_not_is_said(chapter: ComputingUnits, qtbot: QtBot) -> None:
    begun(chapter, qtbot)
    chapter.choose("part", "t4")
    settle(chapter, qtbot)
    with qtbot.waitSignal(chapter.said) as said:
        chapter.activate("choose:precision:fp8")
    assert said.args == ["T4 has no units for FP8: it would compute in FP16"]
    assert chapter.chosen.workload.precision == "float16"


def test_the_slider_makes_a_unit_faster_by_click_and_by_key(
    chapter: ComputingUnits, qtbot: QtBot
) -> None:
    begun(chapter, qtbot)
    chapter.activate("choose:faster:64")
    chapter.activate("choose:unit:stream")
    settle(chapter, qtbot)
    assert chapter.subject is not None
    assert chapter.subject.faster.unit is Work.STREAM
    assert chapter.subject.faster.factor == 64
    for _ in FACTORS:
        chapter.keys["shorter"]()
    settle(chapter, qtbot)
    assert chapter.subject.faster.factor == 1
    assert chapter.subject.faster.seconds == pytest.approx(chapter.subject.time.seconds)


def test_folding_moves_idle_time_and_copies(chapter: ComputingUnits, qtbot: QtBot) -> None:
    begun(chapter, qtbot)
    chapter.activate("choose:fold:on")
    settle(chapter, qtbot)
    assert chapter.subject is not None
    assert chapter.subject.folded
    chapter.activate("choose:fold:on")
    settle(chapter, qtbot)
    assert not chapter.subject.folded


def test_the_lanes_show_the_run_of_this_cpu(chapter: ComputingUnits, qtbot: QtBot) -> None:
    begun(chapter, qtbot)
    chapter.activate("choose:lanes:cpu")
    settle(chapter, qtbot)
    assert chapter.subject is not None
    assert chapter.subject.run.basis is Basis.MEASURED
    assert chapter.player.last == chapter.subject.last_tick
    assert chapter.subject.time.basis is Basis.MODELLED  # the bars stay those of the workload


def test_the_tile_opens_and_a_cell_of_it_is_chosen(chapter: ComputingUnits, qtbot: QtBot) -> None:
    begun(chapter, qtbot)
    chapter.activate("tile:fp16")
    settle(chapter, qtbot)
    chapter.activate("tile:c[3,5]")
    settle(chapter, qtbot)
    assert chapter.subject is not None
    assert (chapter.subject.panel, chapter.subject.cell) == ("tile", (3, 5))
    assert chapter.canvas.view.selected == "tile:c"
    chapter.back()
    chapter.back()
    settle(chapter, qtbot)
    assert chapter.subject.panel == "faster"
    assert not chapter.is_open


# ------------------------------------------------------------------ measuring


def test_runs_follow_one_another_while_it_plays_and_the_plot_shows_them(
    chapter: ComputingUnits, qtbot: QtBot
) -> None:
    begun(chapter, qtbot)
    chapter.player.play()
    qtbot.waitUntil(lambda: len(chapter._samples) >= 3, timeout=PATIENCE_MS)
    assert chapter.plot is not None
    width, height, scale = chapter.canvas.fitted()
    x, y, _, _ = plot_box(width, height)
    assert abs(chapter.plot.x() - x * scale) <= 1
    assert abs(chapter.plot.y() - y * scale) <= 1
    assert chapter.plot.isVisible()
    chapter.canvas.blank = True
    chapter.canvas.update()
    qtbot.waitUntil(lambda: not chapter.plot.isVisible(), timeout=2000)  # type: ignore[union-attr]
    chapter.player.pause()
    for sample in chapter._samples:
        assert sum(sample) == pytest.approx(1)
    scene, subject = chapter.still() or pytest.fail("there is a picture")
    assert subject.live.samples == chapter._samples
    assert scene(subject, 0, chapter.canvas.view).shapes


def test_what_recording_adds_is_measured_once_and_said_when_it_is_much(
    chapter: ComputingUnits, qtbot: QtBot
) -> None:
    begun(chapter, qtbot)
    found = chapter._round
    assert found is not None
    assert found.recording is not None
    assert live_runs.measure(
        found.workload, found.runs, Recorder(), found.meter, found.recording
    ).recording == found.recording  # fmt: skip
    for adds, said in ((0.01, False), (0.08, True), (None, False)):
        chapter._round = found._replace(recording=adds)
        chapter._tell()
        chapter.activate("live:matrix")
        text, _ = page_of(chapter, qtbot)
        assert ("more than 5 %" in text) == said
        # Of a run that is too long to be run 18 times it says why there is none.
        assert (SAY("units.page.recording_none") in text) == (adds is None)
        scene, subject = chapter.still() or pytest.fail("there is a picture")
        drawn = scene(subject, 0, chapter.canvas.view)
        title = title_of(drawn, "live:shares")
        if adds is not None:
            assert f"{100 * adds:.1f} %" in text
            assert f"recording every operation adds {100 * adds:.1f}\u00a0%" in title
        else:
            assert "recording" not in title
        chapter.leave()


def test_the_badge_says_what_measures_and_why_it_is_no_gpu(
    chapter: ComputingUnits, qtbot: QtBot
) -> None:
    begun(chapter, qtbot)
    _, title = chapter.device()
    assert "measured on this CPU" in title
    assert title.endswith("; NumPy computes.")  # the sentence of the doctor
    card = replace(HOST, backend="CuPy", name="Some card", reason="")
    chapter._where = meter_of(card)
    _, title = chapter.device()
    assert title.endswith("measured on Some card.")


def meter_of(card: Device) -> Meter:
    """Return what measures on a card that is not there: it is only asked what it is."""
    made = Meter()
    made.device = card
    return made


def test_in_the_back_nothing_is_measured(chapter: ComputingUnits, qtbot: QtBot) -> None:
    begun(chapter, qtbot)
    chapter.player.play()
    qtbot.waitUntil(lambda: len(chapter._samples) >= 2, timeout=PATIENCE_MS)
    chapter.end()
    qtbot.waitUntil(lambda: not chapter._meter.busy, timeout=PATIENCE_MS)
    known = len(chapter._samples)
    qtbot.wait(400)
    assert len(chapter._samples) == known
    assert not chapter.player.playing
    assert not chapter._next.isActive()
    chapter.begin()
    qtbot.waitUntil(lambda: len(chapter._samples) > known, timeout=PATIENCE_MS)


def step_of(seconds: float) -> dict[str, dict[Unit, float]]:
    """Return the times of a step of training."""
    units = {Unit.SEQUENTIAL: 0.0, Unit.STREAM: 2 * seconds, Unit.MATRIX: seconds}
    return {phase: dict(units) for phase in PHASES}


def page_of(chapter: ComputingUnits, qtbot: QtBot) -> tuple[str, list[str]]:
    """Return the words and links of the inspector's page."""
    inspector = Inspector(theme.load("light"), SAY)
    qtbot.addWidget(inspector)
    inspector.resize(320, 700)
    inspector.show_page(chapter.page_key(), chapter.write)
    return str(inspector.text.toPlainText()).replace("\u00a0", " "), list(inspector.text.links)


def test_no_training_is_said_with_how_to_start_one(qtbot: QtBot, host: Host) -> None:
    opened: list[str] = []
    chapter = ComputingUnits(host._replace(open_chapter=opened.append))
    for widget in (chapter.page, chapter.controls):
        qtbot.addWidget(widget)
    begun(chapter, qtbot)
    chapter.activate("live:trained")
    page, links = page_of(chapter, qtbot)
    assert "No training has run in this window yet" in page
    assert "press N" in page
    assert links == ["open:analytical-empirical"]
    chapter.follow(links[0])
    assert opened == ["analytical-empirical"]
    chapter.close()


def test_a_training_that_runs_is_shown_by_phase_and_unit(
    chapter: ComputingUnits, qtbot: QtBot, host: Host
) -> None:
    begun(chapter, qtbot)
    chapter.player.play()
    qtbot.waitUntil(lambda: chapter.plot is not None and chapter.plot.isVisibleTo(chapter.canvas),
                    timeout=PATIENCE_MS)  # fmt: skip
    chapter.end()
    host.recorder.train("a GRU, dates", 1, step_of(1e-3))
    chapter.begin()

    def shows(step: int) -> bool:
        told = chapter.subject.live.trained if chapter.subject is not None else None
        return told is not None and told.step == step

    qtbot.waitUntil(partial(shows, 1), timeout=PATIENCE_MS)
    plot = chapter.plot
    assert plot is not None
    qtbot.waitUntil(lambda: not plot.isVisibleTo(chapter.canvas), timeout=PATIENCE_MS)
    for step in (2, 3):  # and while it goes on
        host.recorder.train("a GRU, dates", step, step_of(1e-3))
        qtbot.waitUntil(partial(shows, step), timeout=PATIENCE_MS)
    chapter.activate("live:backward")
    page, _ = page_of(chapter, qtbot)
    assert "This training" in page or "training of this window" in page
    for phase in PHASES:
        assert f"{phase}\t25 %" in page
    assert "12 ms" in page  # a step
    chapter.choose("mode", "inference")
    settle(chapter, qtbot)
    qtbot.waitUntil(lambda: plot.isVisibleTo(chapter.canvas), timeout=PATIENCE_MS)
    # Nothing takes a step any more, so nobody looks.
    qtbot.waitUntil(lambda: not chapter._told.isActive(), timeout=PATIENCE_MS)


def test_a_training_goes_on_behind_it_and_pauses_when_it_is_left(qtbot: QtBot, host: Host) -> None:
    told: list[bool] = []
    chapter = ComputingUnits(host._replace(train_behind=told.append))
    for widget in (chapter.page, chapter.controls):
        qtbot.addWidget(widget)
    chapter.begin()
    assert told == [True]
    chapter.end()
    assert told == [True, False]
    chapter.close()
    assert told == [True, False]


def test_closing_ends_the_workers(chapter: ComputingUnits, qtbot: QtBot) -> None:
    begun(chapter, qtbot)
    chapter.player.play()
    chapter.close()
    assert chapter._meter._thread is None
    assert chapter._background._thread is None
    assert not chapter._next.isActive()
    assert not chapter._told.isActive()


def test_a_workload_that_is_small_enough_runs_itself_and_is_measured(
    chapter: ComputingUnits, qtbot: QtBot
) -> None:
    begun(chapter, qtbot)
    chapter.activate("choose:preset:toy")
    chapter.activate("choose:precision:float32")
    settle(chapter, qtbot)
    qtbot.waitUntil(
        lambda: chapter.subject is not None and chapter.subject.measured is not None,
        timeout=PATIENCE_MS,
    )
    assert chapter.subject is not None
    assert chapter.subject.measured is not None
    assert chapter.subject.measured.basis is Basis.MEASURED
    assert chapter.subject.live.workload == "this workload, FP32"


def test_the_series_is_bounded(chapter: ComputingUnits, qtbot: QtBot) -> None:
    begun(chapter, qtbot)
    chapter._samples = chapter._samples[:1] * WINDOW
    chapter.player.play()
    qtbot.waitUntil(lambda: len(chapter._samples) < WINDOW, timeout=PATIENCE_MS)
    assert len(chapter._samples) >= WINDOW // 2


# ------------------------------------------------------------------ the inspector


def test_every_element_has_a_page_with_words(chapter: ComputingUnits, qtbot: QtBot) -> None:
    begun(chapter, qtbot)
    assert chapter.subject is not None
    inspector = Inspector(theme.load("light"), SAY)
    qtbot.addWidget(inspector)
    inspector.resize(320, 700)
    names = [f"op:{span.name}" for span in chapter.subject.run.spans]
    for kind in ("share", "flops", "claim", "lane"):
        names += [f"{kind}:{work}" for work in LANES]
    names += ["share:idle", "pipe", "causes", "amdahl:after", "tile:fp16", "tile:sparse",
              "tile:fp8", "host:launch", "live:matrix", "workload"]  # fmt: skip
    pages = set()
    for name in names:
        assert unit_pages.is_element(chapter.subject, name), name
        chapter.activate("")
        chapter.canvas.show_with(selected=name)
        inspector.show_page(chapter.page_key(), chapter.write)
        page = inspector.text.toPlainText()
        assert len(page) > 30, name
        pages.add(page)
    assert len(pages) >= len(names) - 10
    chapter.canvas.show_with(selected="")
    chapter.player.seek(9)
    inspector.show_page(chapter.page_key(), chapter.write)
    assert "Longest operations of the step" in inspector.text.toPlainText()


def test_an_operations_page_has_its_numbers_and_its_reason(
    chapter: ComputingUnits, qtbot: QtBot
) -> None:
    begun(chapter, qtbot)
    inspector = Inspector(theme.load("light"), SAY)
    qtbot.addWidget(inspector)
    inspector.resize(340, 700)
    chapter.activate("op:blocks.6.mlp.out")
    assert chapter.is_open
    inspector.show_page(chapter.page_key(), chapter.write)
    page = inspector.text.toPlainText().replace("\u00a0", " ").replace("\u202f", " ")
    # 2 x 8192 x 3072 x 768
    for words in ("38 654 705 664", "8192 × 3072", "3072 × 768", "would run on tensor cores",
                  "in FP32", "Stream", "Why this lane", "reuses every number"):  # fmt: skip
        assert words in page, words
    chapter.activate("op:blocks.6.mlp.out")
    assert not chapter.is_open


# ------------------------------------------------------------------ what is kept


def test_what_is_kept_comes_back(chapter: ComputingUnits, qtbot: QtBot, host: Host) -> None:
    begun(chapter, qtbot)
    for name in ("choose:preset:decode-1", "choose:unit:stream", "choose:faster:16",
                 "choose:fold:on"):  # fmt: skip
        chapter.activate(name)
        settle(chapter, qtbot)
    chapter.player.seek(5)
    kept = json.loads(json.dumps(chapter.remember()))
    other = ComputingUnits(host)
    for widget in (other.page, other.controls):
        qtbot.addWidget(widget)
    other.restore(kept)
    other.begin()
    settle(other, qtbot)
    assert other.chosen == replace(chapter.chosen, preset=other.chosen.preset)
    assert other.player.tick == 5
    other.close()


@pytest.mark.parametrize(
    "kept",
    [{}, {"model": 3, "batch": "8", "tick": -4}, {"model": "gpt9"}, {"batch": 10**15},
     {"preset": ["toy"], "unit": {}, "factor": 3, "folded": 1}],
)  # fmt: skip
def test_what_is_damaged_is_left_at_its_default(
    chapter: ComputingUnits, kept: dict[str, Any]
) -> None:
    chapter.restore(kept)
    assert chapter.chosen == workloads.DEFAULT


def test_the_controls_fold_into_one_menu(qtbot: QtBot) -> None:
    controls = WorkloadControls(SAY)
    qtbot.addWidget(controls)
    controls.show_theme(theme.load("light"), 1.0)
    controls.show_chosen(workloads.DEFAULT)
    controls.show()
    controls.resize(controls.sizeHint())
    assert not controls.whole.isVisible()
    controls.resize(QSize(controls.minimumSizeHint().width(), 40))
    assert controls.whole.isVisible()
    assert [a.text() for a in controls.whole.menu().actions()] == [
        SAY(f"units.bar.{kind}") for kind in controls.choices
    ]


def test_the_theme_and_a_larger_text_reach_the_plot(chapter: ComputingUnits, qtbot: QtBot) -> None:
    begun(chapter, qtbot)
    assert chapter.plot is not None
    before = chapter.plot.grab().toImage()
    chapter.show_theme(theme.load("dark"), 1.5)
    assert chapter.plot.grab().toImage() != before
    width, height, scale = chapter.canvas.fitted()
    assert abs(chapter.plot.width() - plot_box(width, height)[2] * scale) <= 1


def test_nothing_of_the_plot_is_imported_with_the_chapter() -> None:
    import subprocess

    code = (
        "import sys, app.computing; "
        "sys.exit(any(m.partition('.')[0] in ('pyqtgraph', 'cupy') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_figures_choices_are_those_of_the_chapter() -> None:
    assert tuple(str(work) for work in LANES) == workload_figure.UNITS
    assert workload_figure.FACTORS == FACTORS
    assert LIVE.model == "block-192"


def test_a_gpu_that_computes_is_named_and_its_bars_stay_modelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from engine import device

    found = replace(device.HOST, backend="CuPy", name="Some card", reason="")
    monkeypatch.setattr(device, "on_device", lambda function: found)
    workloads.meter.cache_clear()
    assert workloads.gpu_here() == "Some card"
    monkeypatch.setattr(device, "on_device", lambda function: device.HOST)
    workloads.meter.cache_clear()
    assert workloads.gpu_here() == ""
    workloads.meter.cache_clear()
    subject = workloads.computing(workloads.DEFAULT, SAY, device="Some card")
    assert subject.source.startswith("Some card: no bar was timed on it")
    assert subject.run.basis is Basis.MODELLED

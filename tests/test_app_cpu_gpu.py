"""Chapter 3 in the window: measured once, stopped, measured again, and never in the way."""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QSize
from pytestqt.qtbot import QtBot
from test_widgets_cpu_gpu import measured

from app import cpu_gpu, race_figure
from app.chapters import CHAPTERS, Host, make
from app.cpu_gpu import DATA, FILE, LAUNCHES, CpuGpu, RaceControls
from engine import race, race_file
from engine.race import OPS, Measured
from engine.race_lengths import counted
from engine.recorder import Recorder
from engine.said import Said
from widgets import captions, numbers, race_pages, theme
from widgets.inspector import Inspector
from widgets.scenes.cpu_gpu import PAGES

SAY = captions.load("en")
PATIENCE_MS = 20_000


class Sweep:
    """Points that come one by one; ``held`` keeps the next one back."""

    def __init__(self) -> None:
        self.began = self.stopped = 0
        self.held = threading.Event()
        self.held.set()
        self.error: Exception | None = None
        self.whole = replace(measured(), machine=race.machine())

    def __call__(
        self, stop: Callable[[], bool], recorder: Recorder | None = None
    ) -> Iterator[Measured]:
        self.began += 1
        whole = self.whole
        for count in range(0, len(whole.sizes), 6):
            self.held.wait(10)
            if self.error is not None:
                raise self.error
            if stop():
                self.stopped += 1
                return
            time.sleep(0.01)
            yield replace(whole, sizes=whole.sizes[:count], branches=(), complete=False)
        yield whole


@pytest.fixture
def sweep(monkeypatch: pytest.MonkeyPatch) -> Sweep:
    made = Sweep()
    monkeypatch.setattr(cpu_gpu, "sweep", made)
    monkeypatch.setattr(cpu_gpu, "ROUND_SECONDS", 0.005)
    return made


@pytest.fixture
def chapter(qtbot: QtBot, host: Host, sweep: Sweep) -> Iterator[CpuGpu]:
    made = CpuGpu(host)
    qtbot.addWidget(made.page)
    qtbot.addWidget(made.controls)
    made.page.resize(1190, 730)
    made.page.show()
    yield made
    sweep.held.set()
    made.close()


def shown(chapter: CpuGpu, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: chapter.subject is not None and not chapter.busy, timeout=PATIENCE_MS)


def ready(chapter: CpuGpu, qtbot: QtBot) -> CpuGpu:
    chapter.begin()
    shown(chapter, qtbot)
    qtbot.waitUntil(lambda: not chapter.measuring, timeout=PATIENCE_MS)
    return chapter


def test_the_table_of_chapters_makes_it(qtbot: QtBot, host: Host) -> None:
    made = make("cpu-gpu", host)
    for widget in (made.page, made.controls):
        qtbot.addWidget(widget)
    assert made.id == "cpu-gpu"
    assert CHAPTERS[made.id].number == 3
    made.close()


def test_it_measures_at_its_first_start_and_keeps_what_it_found(
    chapter: CpuGpu, qtbot: QtBot, sweep: Sweep, host: Host
) -> None:
    assert chapter.groups() == ()
    seen: list[int] = []
    chapter.changed.connect(lambda: seen.append(points(chapter)))
    ready(chapter, qtbot)
    assert sweep.began == 1
    assert chapter.subject is not None
    assert chapter.subject.measured == sweep.whole
    assert chapter.subject.progress is None
    assert len(set(seen)) > 3  # as they come
    qtbot.waitUntil(lambda: (host.folder / FILE).exists(), timeout=PATIENCE_MS)
    assert race_file.load(host.folder / FILE) == sweep.whole
    assert [group.caption for group in chapter.groups()] == [
        SAY(f"race.group.{page}") for page in PAGES
    ]


def points(chapter: CpuGpu) -> int:
    subject = chapter.subject
    return 0 if subject is None or subject.measured is None else len(subject.measured.sizes)


def test_what_is_remembered_is_shown_at_once_and_not_measured(
    chapter: CpuGpu, qtbot: QtBot, sweep: Sweep, host: Host
) -> None:
    race_file.save(sweep.whole, host.folder / FILE)
    chapter.begin()
    shown(chapter, qtbot)
    assert chapter.subject is not None
    assert chapter.subject.measured == sweep.whole
    assert not chapter.measuring
    assert sweep.began == 0


def test_what_another_chapter_measures_anew_is_shown_without_a_restart(
    chapter: CpuGpu, qtbot: QtBot, sweep: Sweep, host: Host
) -> None:
    race_file.save(replace(sweep.whole, day="2026-01-02"), host.folder / FILE)
    chapter.begin()
    shown(chapter, qtbot)
    assert chapter.subject is not None
    assert chapter.subject.measured is not None
    assert chapter.subject.measured.day == "2026-01-02"
    chapter.end()
    slower = tuple(one._replace(in_order=2 * one.in_order) for one in sweep.whole.outputs)
    race_file.save(replace(sweep.whole, outputs=slower), host.folder / FILE)
    pages = chapter.subject.pages
    chapter.player.seek(pages.sizes + 7.0)
    chapter.begin()
    shown(chapter, qtbot)
    assert chapter.subject.measured.outputs == slower
    assert chapter.subject.pages != pages
    assert chapter.subject.size(chapter.player.target) == 256  # where it was
    chapter.end()
    version = chapter._version
    chapter.begin()
    assert not chapter.busy
    assert chapter._version == version  # and nothing is read twice
    assert sweep.began == 0


@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff", b"[" * 9999])
def test_a_damaged_file_is_measured_anew(
    chapter: CpuGpu, qtbot: QtBot, sweep: Sweep, host: Host, damage: bytes
) -> None:
    (host.folder / FILE).write_bytes(damage)
    ready(chapter, qtbot)
    assert sweep.began == 1
    qtbot.waitUntil(lambda: race_file.load(host.folder / FILE) is not None, timeout=PATIENCE_MS)


def test_a_stop_shows_what_was_known_and_again_is_one_click(
    chapter: CpuGpu, qtbot: QtBot, sweep: Sweep, host: Host
) -> None:
    race_file.save(sweep.whole, host.folder / FILE)
    chapter.begin()
    shown(chapter, qtbot)
    known = chapter.subject.measured if chapter.subject else None
    sweep.held.clear()
    chapter.controls.measure.click()
    assert chapter.measuring
    assert chapter.controls.measure.text() == SAY("race.stop")
    said: list[str] = []
    chapter.said.connect(said.append)
    chapter.controls.measure.click()
    sweep.held.set()
    assert not chapter.measuring
    assert chapter.subject is not None
    assert chapter.subject.measured == known
    assert chapter.subject.progress is None
    assert said == [SAY("race.stopped")]
    qtbot.waitUntil(lambda: sweep.stopped == 1, timeout=PATIENCE_MS)
    chapter.controls.measure.click()
    qtbot.waitUntil(lambda: not chapter.measuring, timeout=PATIENCE_MS)
    assert sweep.began == 2
    assert chapter.subject.measured == sweep.whole


def test_stopped_by_hand_it_does_not_begin_again_by_itself(
    chapter: CpuGpu, qtbot: QtBot, sweep: Sweep
) -> None:
    sweep.held.clear()
    chapter.begin()
    shown(chapter, qtbot)
    assert chapter.measuring
    chapter.leave()  # Esc
    assert not chapter.measuring
    sweep.held.set()
    chapter.end()
    chapter.begin()
    assert not chapter.measuring


def test_switching_away_stops_and_coming_back_goes_on(
    chapter: CpuGpu, qtbot: QtBot, sweep: Sweep
) -> None:
    sweep.held.clear()
    chapter.begin()
    shown(chapter, qtbot)
    assert chapter.measuring
    chapter.end()
    assert not chapter.measuring
    sweep.held.set()
    qtbot.waitUntil(lambda: sweep.stopped == 1, timeout=PATIENCE_MS)
    assert chapter.subject is not None
    assert chapter.subject.progress is None
    ready(chapter, qtbot)
    assert sweep.began == 2
    assert chapter.subject.measured == sweep.whole


def test_closing_in_the_middle_leaves_no_thread(qtbot: QtBot, host: Host, sweep: Sweep) -> None:
    before = threading.active_count()
    made = CpuGpu(host)
    qtbot.addWidget(made.page)
    qtbot.addWidget(made.controls)
    made.begin()
    shown(made, qtbot)
    qtbot.waitUntil(lambda: points(made) > 0, timeout=PATIENCE_MS)
    made.close()
    assert threading.active_count() == before
    made.close()  # twice harms nothing


def test_an_error_in_the_middle_is_said_and_the_chapter_stays(
    chapter: CpuGpu, qtbot: QtBot, sweep: Sweep
) -> None:
    said: list[str] = []
    chapter.said.connect(said.append)
    sweep.error = Said("The clock fell from the wall; look again.")
    ready(chapter, qtbot)
    assert said == ["The clock fell from the wall; look again."]
    assert chapter.canvas.picture() is not None


def test_what_cannot_be_kept_is_said_once(
    chapter: CpuGpu, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    chapter.said.connect(said.append)

    def refuse(found: Measured, path: Path) -> None:
        raise race.RaceError("It could not be kept.")

    monkeypatch.setattr(cpu_gpu, "keep", refuse)
    ready(chapter, qtbot)
    qtbot.waitUntil(lambda: said == ["It could not be kept."], timeout=PATIENCE_MS)


def test_every_choice_is_shown_on_stage_and_in_the_bar(chapter: CpuGpu, qtbot: QtBot) -> None:
    ready(chapter, qtbot)
    pictures = {repr(chapter.canvas.picture())}
    for name in ("choose:op:map", "choose:data:copied", "choose:launch:graph", "choose:op:chain"):
        chapter.activate(name)
        pictures.add(repr(chapter.canvas.picture()))
    chapter.choose("part", "t4")
    pictures.add(repr(chapter.canvas.picture()))
    assert len(pictures) == 6
    bar = {kind: choice.current for kind, choice in chapter.controls.choices.items()}
    assert bar == {"part": "t4", "op": "chain", "data": "copied", "launch": "graph"}
    for nonsense in ("choose:op:sort", "choose:data:", "choose:launch:9", "choose:part:abacus"):
        chapter.activate(nonsense)
    assert bar == {kind: choice.current for kind, choice in chapter.controls.choices.items()}


def test_another_axis_of_the_race_leaves_the_page_where_it_was(
    chapter: CpuGpu, qtbot: QtBot
) -> None:
    ready(chapter, qtbot)
    assert chapter.subject is not None
    for page in ("sizes", "lengths"):
        chapter.player.seek(float(getattr(chapter.subject.pages, page) + 2))
        for id in ("copied", "resident"):
            chapter.choose("data", id)
            assert chapter.subject.page(chapter.player.tick) == page
            assert chapter.player.tick == getattr(chapter.subject.pages, page) + 2
            assert chapter.player.last == chapter.subject.last_tick


def test_the_other_plot_is_a_click_away(chapter: CpuGpu, qtbot: QtBot) -> None:
    ready(chapter, qtbot)
    assert chapter.subject is not None
    chapter.activate("page:lengths")
    assert chapter.player.tick == chapter.subject.pages.lengths
    assert chapter.title(chapter.player.shown) == (SAY("race.group.lengths"), "T = 8")
    chapter.activate("page:sizes")
    assert chapter.title(chapter.player.shown)[1] == "n = 2"


def test_every_element_opens_a_page_and_its_links_open_others(
    chapter: CpuGpu, qtbot: QtBot
) -> None:
    ready(chapter, qtbot)
    inspector = Inspector(theme.load("light"), SAY)
    qtbot.addWidget(inspector)
    inspector.resize(320, 700)
    names = [
        "shape:scalar", "shape:vector", "shape:matrix", "shape:tensor", "weight:p[0,1,2]",
        "weight:p", "lane:cpu:0", "lane:gpu:2", "point:product:one:128", "point:map:gpu:2",
        "point:chain:python:8192", "band:product", "band:map", "band:chain", "volume:4:3",
        "volume:32:9", "boundary", "length:gru:64", "length:attention:2048", "",
    ]  # fmt: skip
    seen = set()
    for name in names:
        chapter.leave()
        chapter.activate(name)
        assert chapter.canvas.view.selected == name
        inspector.show_page(chapter.page_key(), chapter.write)
        seen.add(inspector.text.toPlainText())
        for link in inspector.text.links:
            chapter.follow(link)
            assert chapter.is_open == (link != name)
            chapter.leave()
    assert len(seen) == len(names) - 2  # the tensor has two names, and a tick the scalar's page
    assert all(len(text) > 40 for text in seen)


def test_the_page_of_a_length_that_was_not_timed_counts_it_and_says_so(
    chapter: CpuGpu, qtbot: QtBot
) -> None:
    ready(chapter, qtbot)
    inspector = Inspector(theme.load("light"), SAY)
    qtbot.addWidget(inspector)
    whole = measured()
    rows = tuple(row for row in whole.lengths if row.tokens <= 64)
    known = {(row.layer, row.tokens): row for row in counted()}
    for lengths, missing in ((whole.lengths, 0), (rows, 3), ((), 3)):
        assert chapter.subject is not None
        subject = replace(chapter.subject, measured=replace(whole, lengths=lengths))
        write = partial(race_pages.write, subject=subject, name="length:gru:512", tick=0, say=SAY)
        inspector.show_page(("page", len(lengths)), write)
        read = " ".join(inspector.text.toPlainText().split())
        for layer in race.LAYERS:
            for words in (
                numbers.exact(known[layer, 512].steps), numbers.count(known[layer, 512].flops)
            ):  # fmt: skip
                assert " ".join(words.split()) in read
        assert read.count(SAY("race.length_not_timed")) >= missing
        assert (SAY("race.page.length_missing") in read) == bool(missing)


def test_every_tick_has_a_page(chapter: CpuGpu, qtbot: QtBot) -> None:
    ready(chapter, qtbot)
    inspector = Inspector(theme.load("dark"), SAY)
    qtbot.addWidget(inspector)
    inspector.resize(320, 700)
    assert chapter.subject is not None
    for tick in range(chapter.subject.last_tick + 1):
        chapter.player.seek(float(tick))
        inspector.show_page(chapter.page_key(), chapter.write)
        assert len(inspector.text.toPlainText()) > 40
        assert all(chapter.title(tick))


def test_a_crossover_page_says_why_it_is_a_band(chapter: CpuGpu, qtbot: QtBot) -> None:
    ready(chapter, qtbot)
    inspector = Inspector(theme.load("light"), SAY)
    qtbot.addWidget(inspector)
    inspector.resize(320, 700)
    chapter.activate("band:product")
    inspector.show_page(chapter.page_key(), chapter.write)
    text = inspector.text.toPlainText()
    assert SAY("race.page.why_band") in text
    assert text.count("…") >= 4  # a range for each data and launch


def test_what_is_chosen_is_remembered_and_nonsense_is_not(
    chapter: CpuGpu, qtbot: QtBot, host: Host
) -> None:
    chapter.restore({"op": "map", "resident": False, "graph": True, "part": "l4", "tick": 7.0})
    ready(chapter, qtbot)
    assert chapter.player.tick == 7.0
    kept = chapter.remember()
    assert kept == {"op": "map", "resident": False, "graph": True, "part": "l4", "tick": 7.0}
    for nonsense in (
        {"op": "sort"}, {"op": 3}, {"resident": "yes"}, {"graph": 1}, {"part": "desktop-cpu"},
        {"part": None}, {"tick": -1}, {"tick": 1e9}, {"tick": "3"}, {"tick": float("nan")}, {},
    ):  # fmt: skip
        chapter.restore(nonsense)
        assert chapter.remember() == kept


def test_the_sentence_of_chapter_1_is_taken(qtbot: QtBot, host: Host, sweep: Sweep) -> None:
    from app.compute import make_pair

    class First:
        pair = make_pair("cats ___", "rnn", "transformer").pair

    host.window.first = First()  # type: ignore[attr-defined]
    made = CpuGpu(host)
    qtbot.addWidget(made.page)
    qtbot.addWidget(made.controls)
    ready(made, qtbot)
    assert made.subject is not None
    assert made.subject.counts == (2, 4, 20)
    First.pair = make_pair("the cat ___", "rnn", "transformer").pair
    made.end()
    ready(made, qtbot)
    qtbot.waitUntil(lambda: made.subject is not None and made.subject.counts[0] == 3)
    assert sweep.began == 1  # what was measured stays
    made.close()


def test_the_bar_folds_into_one_menu_and_the_button_stays(qtbot: QtBot) -> None:
    controls = RaceControls(SAY)
    qtbot.addWidget(controls)
    controls.show()
    controls.resize(QSize(1200, 40))
    assert all(choice.isVisible() for choice in controls.choices.values())
    assert not controls.whole.isVisible()
    controls.resize(QSize(controls.minimumSizeHint().width(), 40))
    assert controls.whole.isVisible()
    assert controls.measure.isVisible()
    assert not any(choice.isVisible() for choice in controls.choices.values())


# ------------------------------------------------------------------ the figure


def given(**changed: Any) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    race_figure.add_options(parser)
    made = parser.parse_args([])
    made.tick = 0.0
    for name, value in changed.items():
        setattr(made, name, value)
    return made


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sweep: Sweep) -> Path:
    monkeypatch.setattr("app.session.place", lambda: tmp_path / "session.json")
    return tmp_path / FILE


def test_a_figure_measures_first_and_says_so_unless_it_remembers(
    known: Path, sweep: Sweep, capsys: pytest.CaptureFixture[str]
) -> None:
    figure = race_figure.make(given(op="map", data="copied", launch="graph", part="l4"))
    assert figure.subject.measured == sweep.whole
    assert (figure.subject.op, figure.subject.resident, figure.subject.graph) == (
        "map", False, True,
    )  # fmt: skip
    assert figure.subject.part.id == "l4"
    assert "is being measured, 10 s" in capsys.readouterr().err
    assert known.exists()
    race_figure.make(given())
    assert sweep.began == 1
    assert capsys.readouterr().err == ""
    race_figure.make(given(measure=True))
    assert sweep.began == 2


def test_a_figure_of_nonsense_is_refused_in_a_sentence(known: Path) -> None:
    with pytest.raises(Said, match="There is no GPU 'abacus'; there are "):
        race_figure.make(given(part="abacus"))
    with pytest.raises(Said, match="lies behind the last"):
        race_figure.make(given(tick=999.0))
    with pytest.raises(Said):
        race_figure.make(given(text="  "))


def test_the_options_are_those_of_the_engine() -> None:
    assert race_figure.OPS == OPS
    assert (race_figure.DATA, race_figure.LAUNCHES) == (DATA, LAUNCHES)

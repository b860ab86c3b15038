"""The laboratory in the window: computed when shown, remembered, left, and drawn into a file."""

from __future__ import annotations

import argparse
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from driving import click, key
from pictures import texts
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot
from test_widgets_long_range import bottleneck as made_up
from test_widgets_long_range import fading as made_up_fading

from app import CHAPTER, long_range_figure
from app.chapters import CHAPTERS, Host, make
from app.compute import model
from app.long_range import OF_SENTENCE, LaboratoryControls, LongRange, Wish, _next, gather
from app.window import Window
from engine import bottleneck_file, laboratory
from engine.fading import RADII, fading
from engine.laboratory import EXPERIMENTS, Bottleneck
from engine.recorder import Recorder
from engine.said import Said
from engine.statements import STATEMENTS
from engine.units import Work
from engine.weights import WeightsError
from widgets import captions, theme
from widgets.controls import Notice
from widgets.fonts import register_fonts
from widgets.hit import named
from widgets.inspector import Inspector
from widgets.scenes.long_range import long_range
from widgets.scenes.long_range.subject import MATRICES, RADII_SHOWN

SAY = captions.load("en")
PATIENCE_MS = 30_000
OTHERS = ("influence", "scale", "position", "writing")


class Measured:
    """Points of a measurement that come one by one; ``held`` keeps the next one back."""

    def __init__(self) -> None:
        self.began = self.given = 0
        self.held = threading.Event()
        self.held.set()

    def __call__(self, *, stop: Callable[[], bool], watch: object) -> Iterator[Bottleneck]:
        self.began += 1
        for points in range(0, 24, 3):
            if stop():
                return
            self.given += 1
            yield made_up(points=min(points, 23))
            self.held.wait(10)
        yield made_up()


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> Measured:
    """Measure nothing and draw no matrices: that is tested in the engine."""
    made = Measured()
    monkeypatch.setattr(laboratory, "bottleneck", made)
    monkeypatch.setattr("engine.fading.fading", lambda radius, *, orthogonal, linear, watch:
                        made_up_fading(radius, orthogonal, linear))  # fmt: skip
    monkeypatch.setattr("app.long_range.ROUND_SECONDS", 0.0)
    return made


@pytest.fixture
def host(qtbot: QtBot, tmp_path: Path) -> Host:
    parent, notice = QWidget(), Notice()
    parent.opened = []  # type: ignore[attr-defined]
    for widget in (parent, notice):
        qtbot.addWidget(widget)
    return Host(
        parent, SAY, theme.load("light"), tmp_path, notice, Recorder(),
        open_chapter=parent.opened.append,  # type: ignore[attr-defined]
    )  # fmt: skip


@pytest.fixture
def chapter(qtbot: QtBot, host: Host, measured: Measured) -> Iterator[LongRange]:
    made = LongRange(host)
    for widget in (made.page, made.controls):
        qtbot.addWidget(widget)
    made.page.resize(1190, 730)
    made.page.show()
    yield made
    measured.held.set()
    made.close()


def whole(chapter: LongRange, qtbot: QtBot, experiment: str) -> LongRange:
    """Show an experiment, and wait until it has found everything."""
    chapter.choose("experiment", experiment)
    if not chapter._front:
        chapter.begin()
    qtbot.waitUntil(lambda: experiment in chapter._complete, timeout=PATIENCE_MS)
    return chapter


def elements(chapter: LongRange) -> list[str]:
    picture = chapter.canvas.picture()
    assert picture is not None
    names = [name for name, *_ in named(picture) if not name.startswith("choose:")]
    return [f"{name}[1,2]" if name.startswith("cell:") else name for name in names]


def test_the_table_of_chapters_makes_it_as_a_part_of_the_first(qtbot: QtBot, host: Host) -> None:
    made = make("long-range", host)
    for widget in (made.page, made.controls):
        qtbot.addWidget(widget)
    entry = CHAPTERS[made.id]
    assert (made.id, entry.number, entry.part_of) == ("long-range", 1, CHAPTER)
    assert made.groups() == ()
    assert made.still() is None
    made.close()


def test_each_experiment_is_computed_when_it_is_first_shown(
    chapter: LongRange, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def told(experiment: str, *rest: Any, **more: Any) -> Iterator[dict[str, Any]]:
        asked.append(experiment)
        return gather(experiment, *rest, **more)

    monkeypatch.setattr("app.long_range.gather", told)
    for _ in range(2):
        for experiment in EXPERIMENTS:
            whole(chapter, qtbot, experiment)
            assert chapter.subject.known
            assert not chapter.busy
            assert chapter.player.last == chapter.subject.last_tick > 0
            spans = [(group.first, group.last) for group in chapter.groups()]
            assert spans[0][0] == 0
            assert spans[-1][1] == chapter.player.last
            assert all(b[0] == a[1] + 1 for a, b in zip(spans, spans[1:], strict=False))
            scene, subject = chapter.still() or (None, None)
            assert scene is not None
            assert subject is chapter.subject
    assert asked == list(EXPERIMENTS)


def test_points_are_shown_as_they_come_and_nothing_is_there_before(
    chapter: LongRange, qtbot: QtBot
) -> None:
    seen: list[int] = []
    chapter.changed.connect(lambda: seen.append(points(chapter)))
    chapter.begin()
    assert chapter.busy
    assert chapter.groups() == ()
    assert chapter.page_key() is None
    whole(chapter, qtbot, "bottleneck")
    assert len(set(seen)) > 4
    assert seen == sorted(seen)
    assert chapter.subject.bottleneck is not None
    assert chapter.subject.bottleneck.complete


def points(chapter: LongRange) -> int:
    found = chapter.subject.bottleneck
    return -1 if found is None else sum(len(curve.measured) for curve in found.curves)


def test_a_long_measurement_rests_while_another_experiment_is_shown(
    chapter: LongRange, qtbot: QtBot, measured: Measured
) -> None:
    measured.held.clear()
    chapter.begin()
    qtbot.waitUntil(lambda: points(chapter) >= 0, timeout=PATIENCE_MS)
    chapter.choose("experiment", "writing")
    measured.held.set()
    whole(chapter, qtbot, "writing")
    qtbot.wait(100)
    rested = measured.given
    qtbot.wait(100)
    assert measured.given == rested < 8
    whole(chapter, qtbot, "bottleneck")
    assert measured.began == 1  # and goes on where it was


def test_in_the_back_nothing_goes_on_and_closing_leaves_no_thread(
    qtbot: QtBot, host: Host, measured: Measured
) -> None:
    before = threading.active_count()
    made = LongRange(host)
    for widget in (made.page, made.controls):
        qtbot.addWidget(widget)
    measured.held.clear()
    made.begin()
    qtbot.waitUntil(lambda: points(made) >= 0, timeout=PATIENCE_MS)
    made.end()
    measured.held.set()
    qtbot.wait(200)
    rested = measured.given
    qtbot.wait(100)
    assert measured.given == rested
    made.begin()
    qtbot.waitUntil(lambda: measured.given > rested, timeout=PATIENCE_MS)
    made.close()
    assert threading.active_count() == before
    made.close()  # twice harms nothing


def test_an_experiment_that_was_left_before_it_was_there_is_computed_anew(
    chapter: LongRange, qtbot: QtBot
) -> None:
    chapter.begin()
    for _ in range(3):
        for experiment in OTHERS:
            chapter.choose("experiment", experiment)
    for experiment in OTHERS:
        whole(chapter, qtbot, experiment)
        assert chapter.subject.known
    assert len(chapter.subject.fades) == 2 * len(RADII_SHOWN)
    chapter.choose("experiment", "influence")
    chapter.measure_again()
    for _ in range(5):  # left and come back to while it is on its way
        chapter.end()
        chapter.begin()
    whole(chapter, qtbot, "influence")
    assert chapter.subject.known


# ---- what is chosen ------------------------------------------------------------------------------


def test_every_choice_on_the_stage_is_chosen_and_nonsense_is_not(
    chapter: LongRange, qtbot: QtBot
) -> None:
    whole(chapter, qtbot, "influence")
    shown = {repr(chapter.canvas.picture())}
    for name in ("choose:radius:0.5", "choose:radius:2.0", "choose:matrix:orthogonal"):
        chapter.activate(name)
        shown.add(repr(chapter.canvas.picture()))
        assert chapter.subject.fade() is not None  # at once: all are there
    assert len(shown) == 4
    assert (chapter.subject.radius, chapter.subject.orthogonal) == (2.0, True)
    for nonsense in ("choose:radius:7", "choose:radius:", "choose:matrix:round", "choose:width:8",
                     "choose:experiment:alchemy", "choose:nothing:1"):  # fmt: skip
        chapter.activate(nonsense)
    assert (chapter.subject.radius, chapter.subject.orthogonal) == (2.0, True)
    whole(chapter, qtbot, "scale")
    chapter.activate("choose:width:64")
    qtbot.waitUntil(lambda: not chapter.player.moving, timeout=PATIENCE_MS)
    assert chapter.subject.width(chapter.player.tick) == 64
    chapter.activate("choose:width:9")
    assert chapter.subject.width(chapter.player.target) == 64
    assert chapter.controls.choice.current == "scale"
    chapter.controls.choice.chosen.emit("position")
    assert chapter.subject.experiment == "position"


def test_keys_move_the_sliders_to_their_ends(chapter: LongRange, qtbot: QtBot) -> None:
    whole(chapter, qtbot, "influence")
    chapter.keys["longer"]()
    assert chapter.subject.radius == 1.1
    for _ in range(30):
        chapter.keys["longer"]()
    assert chapter.subject.radius == RADII_SHOWN[-1] == RADII[1]
    for _ in range(30):
        chapter.keys["shorter"]()
    assert chapter.subject.radius == RADII_SHOWN[0] == RADII[0]
    whole(chapter, qtbot, "scale")
    for _ in range(30):
        chapter.keys["longer"]()
    assert chapter.player.target == chapter.player.last
    for _ in range(30):
        chapter.keys["shorter"]()
    assert chapter.player.target == 0


def test_each_experiment_is_left_and_found_again_at_its_tick(
    chapter: LongRange, qtbot: QtBot
) -> None:
    for place, experiment in enumerate(OTHERS, start=1):
        whole(chapter, qtbot, experiment).player.seek(float(place))
        qtbot.waitUntil(lambda: not chapter.player.moving, timeout=PATIENCE_MS)
    for place, experiment in enumerate(OTHERS, start=1):
        whole(chapter, qtbot, experiment)
        assert chapter.player.tick == place


def test_what_is_chosen_is_remembered_and_nonsense_is_not(chapter: LongRange, qtbot: QtBot) -> None:
    kept = {
        "experiment": "scale", "radius": 1.4, "matrix": "orthogonal",
        "ticks": {"scale": 3.0, "writing": 2.0},
    }  # fmt: skip
    chapter.restore(kept)
    whole(chapter, qtbot, "scale")
    assert chapter.player.tick == 3.0
    assert chapter.remember() == kept
    for nonsense in (
        {"experiment": "alchemy"}, {"experiment": 3}, {"radius": 9}, {"radius": "1"},
        {"radius": None}, {"radius": float("nan")}, {"matrix": 1}, {"ticks": [3]},
        {"ticks": {"scale": "x", "alchemy": 3, "position": -1, "writing": 1e9}},
        {"ticks": {"position": float("nan")}}, {},
    ):  # fmt: skip
        chapter.restore(nonsense)
        assert chapter.remember() == kept


# ---- the sentence --------------------------------------------------------------------------------


class Setting:
    chain, grid = "rnn-plain", "transformer-causal"


class Sentences:
    text, setting = "cats ___", Setting


def test_sentence_and_models_of_chapter_1_are_taken_each_time(
    chapter: LongRange, qtbot: QtBot, host: Host, measured: Measured
) -> None:
    class First:
        sentences = Sentences()

    host.window.first = First  # type: ignore[attr-defined]
    whole(chapter, qtbot, "bottleneck")
    whole(chapter, qtbot, "influence")
    assert chapter.subject.reach is not None
    assert [reach.model for reach in chapter.subject.reach] == ["rnn-plain", "transformer-causal"]
    assert chapter.subject.reach[0].words == ("cats", "___")
    whole(chapter, qtbot, "scale")
    chapter.end()
    First.sentences.text = "the dogs that slept ___"
    chapter.begin()
    assert chapter.subject.reach is None
    whole(chapter, qtbot, "scale")
    assert chapter.subject.scale is not None
    assert chapter.subject.scale.words[1] == "dogs"
    assert chapter.subject.bottleneck is not None  # which is of other models, and stays
    First.sentences.text = "   "
    chapter.end()
    chapter.begin()
    whole(chapter, qtbot, "scale")
    assert chapter.subject.scale.words[1] == "cat"


def test_a_missing_model_is_said_and_everything_else_still_works(
    chapter: LongRange, qtbot: QtBot, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentence = "The model rnn is not there; everything else still works, install Unrolled again."

    def broken(id: str) -> Any:
        raise WeightsError(sentence)

    said: list[str] = []
    chapter.said.connect(said.append)
    monkeypatch.setattr("app.compute.model", broken)
    chapter.choose("experiment", "influence")
    chapter.begin()
    qtbot.waitUntil(lambda: said == [sentence], timeout=PATIENCE_MS)
    assert chapter.subject.problem == sentence
    assert not chapter.busy
    assert chapter.groups() == ()
    assert chapter.canvas.picture() is not None
    whole(chapter, qtbot, "writing")
    assert chapter.subject.problem == ""
    chapter.choose("experiment", "influence")
    qtbot.waitUntil(lambda: len(said) == 2, timeout=PATIENCE_MS)
    monkeypatch.setattr("app.compute.model", model)
    chapter.controls.measure.click()
    whole(chapter, qtbot, "influence")
    assert chapter.subject.problem == ""
    assert len(said) == 2


def test_a_sentence_that_cannot_be_shuffled_is_said(
    chapter: LongRange, qtbot: QtBot, host: Host
) -> None:
    class First:
        sentences = Sentences()

    First.sentences.text = "___"
    host.window.first = First  # type: ignore[attr-defined]
    chapter.choose("experiment", "position")
    chapter.begin()
    qtbot.waitUntil(lambda: bool(chapter.subject.problem), timeout=PATIENCE_MS)
    assert "type a second one" in chapter.subject.problem


def test_too_many_words_are_refused_in_a_sentence() -> None:
    text = " ".join(["the dogs that the old teacher likes chirp and"] * 60)
    for experiment in ("influence", "scale", "position"):
        with pytest.raises(Said, match="words are too many for this experiment"):
            next(gather(experiment, Wish(text), 1.0))


@pytest.mark.parametrize("experiment", ["influence", "scale", "position"])
def test_of_what_is_stopped_nothing_more_comes(experiment: str) -> None:
    for asked in range(3):
        answers = iter([False] * asked + [True] * 9)
        found = list(gather(experiment, Wish(), 1.0, stop=lambda it=answers: next(it)))  # type: ignore[misc]
        assert len(found) == (experiment == "position" and asked > 0)


def test_an_error_behind_another_experiment_is_said_and_hides_nothing(
    chapter: LongRange, qtbot: QtBot, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(**more: object) -> Iterator[Bottleneck]:
        yield made_up(points=0)
        measured.held.wait(10)
        raise Said("The weights are damaged; install Unrolled again.")

    monkeypatch.setattr(laboratory, "bottleneck", fails)
    said: list[str] = []
    chapter.said.connect(said.append)
    measured.held.clear()
    chapter.begin()
    qtbot.waitUntil(lambda: points(chapter) == 0, timeout=PATIENCE_MS)
    whole(chapter, qtbot, "writing")
    measured.held.set()
    qtbot.waitUntil(lambda: len(said) == 1, timeout=PATIENCE_MS)
    assert chapter.subject.problem == ""
    assert chapter.subject.known


def test_measure_again_finds_it_anew(chapter: LongRange, qtbot: QtBot, measured: Measured) -> None:
    whole(chapter, qtbot, "bottleneck").player.seek(7.0)
    qtbot.waitUntil(lambda: not chapter.player.moving, timeout=PATIENCE_MS)
    chapter.controls.measure.click()
    assert not chapter.subject.known
    whole(chapter, qtbot, "bottleneck")
    assert measured.began == 2
    assert chapter.player.tick == 7.0


# ---- the inspector -------------------------------------------------------------------------------


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_element_and_every_tick_has_a_page_whose_links_lead_on(
    chapter: LongRange, qtbot: QtBot, experiment: str
) -> None:
    whole(chapter, qtbot, experiment)
    inspector = Inspector(theme.load("light"), SAY)
    qtbot.addWidget(inspector)
    inspector.resize(320, 700)
    for tick in range(int(chapter.player.last) + 1):
        chapter.player.seek(float(tick))
        inspector.show_page(chapter.page_key(), chapter.write)
        assert len(inspector.text.toPlainText()) > 80
    pages = set()
    for name in elements(chapter):
        chapter.back()
        chapter.activate(name)
        assert chapter.canvas.view.selected == name
        assert chapter.is_open
        inspector.show_page(chapter.page_key(), chapter.write)
        text = inspector.text.toPlainText()
        pages.add(text)
        assert SAY("lab.page.basis") in text
        for link in inspector.text.links:
            chapter.follow(link)
            assert chapter.canvas.view.selected == link
        chapter.back()
    # Divided and plain of one width are on one page.
    names = elements(chapter)
    halves = sum(name.startswith("width:") for name in names) // 2
    assert len(pages) >= len(names) - halves > 2
    for nonsense in ("point:abacus:3", "reach:chain:99", "cell:plain[99,0]", "word:grid:-1",
                     "turn:cache:x", "fade:tanh:3", "curve:", "way:none", "x"):  # fmt: skip
        chapter.back()
        chapter.activate(nonsense)
        assert not chapter.is_open


def test_another_experiment_closes_what_is_opened(chapter: LongRange, qtbot: QtBot) -> None:
    whole(chapter, qtbot, "writing")
    chapter.activate("way:cache")
    chapter.next_experiment()
    assert chapter.subject.experiment == "bottleneck"
    assert not chapter.is_open


# ---- in the window -------------------------------------------------------------------------------


@pytest.fixture
def window(qtbot: QtBot, tmp_path: Path) -> Iterator[Window]:
    made = opened(tmp_path / "session.json")
    qtbot.waitUntil(lambda: made.first.pair is not None, timeout=PATIENCE_MS)
    yield made
    made.close()
    made.deleteLater()


def opened(path: Path) -> Window:
    register_fonts()
    made = Window(path)
    made.show()
    made.begin()
    made.canvas.setFocus()
    return made


def lab(window: Window) -> LongRange:
    assert isinstance(window.chapter, LongRange)
    return window.chapter


def test_r_opens_it_goes_on_and_esc_leads_back(window: Window, qtbot: QtBot) -> None:
    rail = window.rail.chapters
    assert "long-range" not in rail
    assert len(rail) == len(CHAPTERS) - 1
    key(window, qtbot, "End")
    key(window, qtbot, "R")
    seen = []
    for _ in EXPERIMENTS:
        seen.append(lab(window).subject.experiment)
        assert rail[CHAPTER].isChecked()
        key(window, qtbot, "R")
    assert seen == list(EXPERIMENTS)
    key(window, qtbot, "R")
    made = lab(window)
    qtbot.waitUntil(lambda: "influence" in made._complete, timeout=PATIENCE_MS)
    key(window, qtbot, "End")
    qtbot.waitUntil(lambda: not window.player.moving, timeout=PATIENCE_MS)
    click(window, qtbot, "reach:grid:1")
    assert made.is_open
    assert "cat" in window.inspector.text.toPlainText()
    key(window, qtbot, "Esc")
    assert not made.is_open
    assert window.chapter is made
    key(window, qtbot, "Esc")
    assert window.chapter is window.first
    assert window.player.tick == 13
    assert rail[CHAPTER].isChecked()
    assert window.canvas.hasFocus()


def test_the_bar_leads_there_and_back_and_key_1_too(window: Window, qtbot: QtBot) -> None:
    assert window.first.controls.laboratory.isVisible()
    qtbot.mouseClick(window.first.controls.laboratory, Qt.MouseButton.LeftButton)
    made = lab(window)
    assert made.controls.isVisible()
    qtbot.mouseClick(made.controls.back, Qt.MouseButton.LeftButton)
    assert window.chapter is window.first
    key(window, qtbot, "R")
    key(window, qtbot, "1")
    assert window.chapter is window.first
    key(window, qtbot, "3")
    key(window, qtbot, "R")  # from any chapter
    assert lab(window) is made
    qtbot.mouseClick(window.rail.chapters[CHAPTER], Qt.MouseButton.LeftButton)
    assert window.chapter is window.first


def test_in_present_esc_leaves_present_first(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "R")
    key(window, qtbot, "F5")
    assert not window.canvas.view.controls
    key(window, qtbot, "R")
    assert lab(window).subject.experiment == "influence"
    key(window, qtbot, "Esc")
    assert window.chapter is not window.first
    key(window, qtbot, "Esc")
    assert window.chapter is window.first


def test_the_next_start_is_where_the_last_one_was(qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    one = opened(path)
    one.open_chapter("long-range")
    lab(one).choose("experiment", "scale")
    qtbot.waitUntil(lambda: "scale" in lab(one)._complete, timeout=PATIENCE_MS)
    one.player.seek(4.0)
    one.close()
    other = opened(path)
    made = lab(other)
    assert other.rail.chapters[CHAPTER].isChecked()
    qtbot.waitUntil(lambda: "scale" in made._complete, timeout=PATIENCE_MS)
    assert made.player.tick == 4.0
    other.close()


def test_claims_open_their_experiments_here(window: Window, qtbot: QtBot) -> None:
    asked = {each.id: each.experiment for each in STATEMENTS
             if each.experiment.chapter == "long-range"}  # fmt: skip
    wanted = {"bottleneck": "bottleneck", "long-range": "bottleneck", "direct": "influence",
              "positions": "position"}  # fmt: skip
    assert {id: it.settings["experiment"] for id, it in asked.items()} == wanted
    for experiment in asked.values():
        window.open_experiment("long-range", experiment.settings, experiment.tick)
        made = lab(window)
        assert made.subject.experiment == experiment.settings["experiment"]
        qtbot.waitUntil(lambda: window._seek is None, timeout=PATIENCE_MS)
        assert isinstance(experiment.tick, int | float)
        assert made.player.target == min(experiment.tick, made.player.last)
        window.open_chapter("claims")
    claim = asked["bottleneck"]
    window.open_experiment("long-range", claim.settings, claim.tick)
    qtbot.waitUntil(lambda: window._seek is None, timeout=PATIENCE_MS)
    found = lab(window).subject.bottleneck
    assert found is not None
    assert isinstance(claim.tick, int | float)
    assert lab(window).subject.length(claim.tick) == found.longest_trained


def test_the_stage_is_saved(window: Window, qtbot: QtBot, tmp_path: Path) -> None:
    key(window, qtbot, "R")
    lab(window).choose("experiment", "writing")
    qtbot.waitUntil(lambda: "writing" in lab(window)._complete, timeout=PATIENCE_MS)
    path = tmp_path / "writing.svg"
    window.export_stage(ending=".svg", path=str(path))
    qtbot.waitUntil(lambda: not window.stills.busy, timeout=PATIENCE_MS)
    assert SAY("lab.question.writing") in path.read_text(encoding="utf-8")


def test_the_controls_ask_for_no_more_than_they_show(qtbot: QtBot) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    controls = LaboratoryControls(SAY)
    controls.setParent(parent)
    controls.show_theme(theme.load("light"), 1.0)
    controls.resize(controls.minimumSizeHint())
    parent.show()
    for part in (controls.back, controls.choice, controls.measure):
        assert part.isVisible()
        assert part.width() >= part.sizeHint().width()


# ---- the figure ----------------------------------------------------------------------------------


def given(**changed: Any) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    long_range_figure.add_options(parser)
    made = parser.parse_args([])
    made.tick, made.every_tick = math.inf, False
    for name, value in changed.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_a_figure_is_computed_whole(experiment: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = {"text": "the dogs ___"} if experiment in OF_SENTENCE else {}
    figure = long_range_figure.make(given(experiment=experiment, **asked))
    assert figure.subject.known
    assert figure.last == figure.subject.last_tick > 0
    told = capsys.readouterr().err
    assert ("being asked" in told) == (experiment == "bottleneck")
    if experiment == "bottleneck":
        assert figure.subject.bottleneck.complete


def test_a_figure_has_any_radius_and_a_width_for_a_tick() -> None:
    figure = long_range_figure.make(
        given(experiment="influence", radius=1.15, matrix="orthogonal", model="gru+transformer")
    )
    assert figure.subject.reach[0].model == "gru"
    assert figure.subject.fade().tanh.radius == 1.15
    assert figure.subject.orthogonal
    asked = given(experiment="scale", d_head=64)
    figure = long_range_figure.make(asked)
    assert figure.subject.width(asked.tick) == 64


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"experiment": "influence", "radius": 3.0}, "3 is no spectral radius from 0.5 to 2"),
        ({"experiment": "influence", "radius": math.nan}, "no spectral radius"),
        ({"radius": 1.0}, "--radius is of --experiment influence; leave it out of bottleneck"),
        ({"matrix": "random"}, "--matrix is of --experiment influence"),
        ({"d_head": 8}, "--d-head is of --experiment scale"),
        ({"text": "the dogs ___"}, "Bottleneck asks models .* leave --text and --model out"),
        ({"experiment": "writing", "model": "gru+transformer"}, "leave --text and --model out"),
        ({"experiment": "scale", "d_head": 9}, "--d-head 9 was not computed; choose 8, 16"),
        ({"experiment": "scale", "d_head": 8, "tick": 2.0}, "leave --tick and --every-tick out"),
        ({"experiment": "scale", "d_head": 8, "every_tick": True}, "leave --tick"),
        ({"experiment": "scale", "tick": 99.0}, "lies behind the last"),
        ({"experiment": "scale", "text": "  "}, "no word to read"),
        ({"experiment": "position", "text": "___"}, "type a second one"),
        ({"experiment": "scale", "model": "abacus"}, "is no pair of models"),
    ],
)  # fmt: skip
def test_a_figure_of_nonsense_is_refused_in_a_sentence(
    asked: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Said, match=sentence):
        long_range_figure.make(given(**asked))


def test_the_options_are_those_of_the_engine() -> None:
    assert long_range_figure.EXPERIMENTS == EXPERIMENTS
    assert long_range_figure.RADII == RADII
    assert long_range_figure.MATRICES == MATRICES
    assert Wish() == Wish(Wish().text, "rnn", "transformer")


@pytest.mark.parametrize("experiment", OTHERS)
def test_what_an_experiment_runs_is_told_by_kind_of_work(
    experiment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the strip of every chapter nothing of the laboratory is unclassified."""
    monkeypatch.setattr("engine.fading.fading", fading)  # the real one
    recorder = Recorder()
    parts = gather(experiment, Wish(), 1.0, radii=(1.0,), recorder=recorder)
    began, over = perf_counter(), False
    while not over:
        _, over = _next(parts, recorder)
    ended = perf_counter()
    shares = recorder.shares(ended, ended - began)
    assert shares is not None
    assert shares[Work.UNCLASSIFIED] == 0
    assert shares[Work.MATRIX] > 0
    assert shares[Work.STREAM] > 0
    assert shares[Work.IDLE] < 0.2
    assert not recorder.busy


def test_the_bottleneck_is_remembered_until_somebody_measures_again(
    qtbot: QtBot, host: Host, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = replace(made_up(), day="2026-11-24")
    saved: list[Bottleneck] = []
    monkeypatch.setattr(bottleneck_file, "load", lambda path: kept)
    monkeypatch.setattr(bottleneck_file, "save", lambda found, path: saved.append(found))
    made = LongRange(host)
    for widget in (made.page, made.controls):
        qtbot.addWidget(widget)
    made.begin()
    qtbot.waitUntil(lambda: made.subject.bottleneck == kept, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: not made.measuring, timeout=PATIENCE_MS)
    assert measured.began == 0
    shown = [t.text for t in texts(long_range(made.subject, 0, made.canvas.view))]
    assert any("asked here on 24 November 2026" in text for text in shown)
    qtbot.mouseClick(made.controls.measure, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(saved) and not made.measuring, timeout=PATIENCE_MS)
    assert measured.began == 1
    assert saved == [made.subject.bottleneck]
    assert saved[0].complete
    assert saved[0].day == ""
    made.close()


def test_a_bottleneck_that_cannot_be_kept_is_shown_and_said(
    qtbot: QtBot, chapter: LongRange, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise Said("What was measured could not be kept.")

    monkeypatch.setattr(bottleneck_file, "save", full)
    said: list[str] = []
    chapter.said.connect(said.append)
    chapter.begin()
    qtbot.waitUntil(lambda: bool(said) and not chapter.measuring, timeout=PATIENCE_MS)
    assert said == ["What was measured could not be kept."]
    assert chapter.subject.bottleneck is not None
    assert chapter.subject.bottleneck.complete
    assert not chapter.subject.problem

"""The claims in the window and on the command line: gathered, judged, opened, measured again."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot
from test_engine_statements import FULL
from threadpoolctl import threadpool_info, threadpool_limits

from app import (
    CHAPTER,
    DEFAULT_PAIR,
    DEFAULT_TEXT,
    INFLUENCES,
    PRECISION,
    claims,
    cpu_gpu,
    experiments,
    learning,
    long_range,
)
from app.__main__ import main
from app.asker import Asker
from app.chapters import CHAPTERS, Host, make
from app.compute import make_pair, watched
from app.solving import Wish
from app.the_claims import TheClaims
from app.workloads import chosen_from
from engine import parts, weights
from engine.claims import PRESETS
from engine.laboratory import EXPERIMENTS
from engine.race import OPS
from engine.race_lengths import counted
from engine.recorder import Recorder
from engine.said import Said
from engine.statements import (
    AT_ONCE,
    EIGHT,
    LARGE,
    LENGTHS,
    RACE,
    SIZES,
    STATEMENTS,
    THREE,
    Numbers,
)
from engine.tasks import load
from engine.tasks.dates import EXAMPLES
from engine.trace import Unit
from engine.units import Work
from widgets import captions, theme
from widgets.controls import Notice
from widgets.inspector import Inspector
from widgets.scenes.cpu_gpu.subject import Race, chosen

SAY = captions.load("en")


def few(path: Path, *, found: Numbers | None = None, anew: bool = False, **_: Any) -> Any:
    """Yield numbers in two parts, as ``claims.gather`` without its work."""
    yield Numbers(depths=FULL.depths, day=FULL.day)
    yield FULL


@pytest.fixture
def host(qtbot: QtBot, tmp_path: Path) -> Host:
    parent, notice = QWidget(), Notice()
    for widget in (parent, notice):
        qtbot.addWidget(widget)
    asked: list[Any] = []
    made = Host(parent, SAY, theme.load("light"), tmp_path, notice, Recorder(),
                lambda *given: asked.append(given))  # fmt: skip
    parent.asked = asked  # type: ignore[attr-defined]
    return made


@pytest.fixture
def chapter(qtbot: QtBot, host: Host, monkeypatch: pytest.MonkeyPatch) -> Iterator[TheClaims]:
    monkeypatch.setattr(claims, "gather", few)
    made = make("claims", host)
    assert isinstance(made, TheClaims)
    qtbot.addWidget(made.page)
    qtbot.addWidget(made.controls)
    made.player.set_reduced(True)
    yield made
    made.close()


def gathered(chapter: TheClaims, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: chapter.subject.progress == 1, timeout=5000)


# ---- the numbers ---------------------------------------------------------------------------------


def test_what_is_counted_comes_first_and_is_true(tmp_path: Path) -> None:
    parts = claims.gather(tmp_path / "machine.json")
    first, second = next(parts), next(parts)
    assert first.depths is not None
    assert dict((t, (c, g)) for t, c, g in first.depths)[5] == (26, 40)
    assert first.links == (25, 15)
    assert first.order is not None
    assert first.order[0] < 1e-5 < first.order[1]
    assert first.path == (5, 1)
    assert first.steps is None
    assert second.steps is not None
    assert len(second.steps) == len(PRESETS)
    assert [step.agrees for step in second.steps] == [p.nearly_true for p in PRESETS]
    assert 0 < claims.progress(first) < claims.progress(second) < 1


def test_what_is_there_is_left_as_it_is_and_a_stop_ends_it(tmp_path: Path) -> None:
    path = tmp_path / "machine.json"
    assert list(claims.gather(path, found=FULL)) == []
    assert list(claims.gather(path, stop=lambda: True)) == []
    assert not path.exists()


@pytest.mark.parametrize("part", ["weights", "rule", "bottleneck"])
def test_a_part_that_runs_ends_within_a_second_of_a_stop(tmp_path: Path, part: str) -> None:
    stopped: list[float] = []

    def stop() -> bool:
        """Stop at the second question, in the middle of the part."""
        stopped.append(perf_counter())
        return len(stopped) > len(claims.PARTS) + 2

    lost: dict[str, Any] = {part: None}
    missing = replace(FULL, **lost)
    assert list(claims.gather(tmp_path / "machine.json", found=missing, stop=stop)) == []
    assert len(stopped) == len(claims.PARTS) + 3
    assert perf_counter() - stopped[-1] < 1


@pytest.mark.parametrize("part", ["rule", "bottleneck"])
def test_questions_to_networks_are_told_by_their_kind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, part: str
) -> None:
    monkeypatch.setattr(claims, "COUNT", 16)
    monkeypatch.setattr(claims, "PARTS", {part: claims.PARTS[part]})
    recorder = Recorder()
    began = perf_counter()
    with watched(recorder):
        found = next(claims.gather(tmp_path / "machine.json", note=recorder.note))
    ended = perf_counter()
    assert found.examples in (None, (0, EXAMPLES))  # those of the training, however often drawn
    shares = recorder.shares(ended, ended - began)
    assert shares is not None
    assert shares[Work.UNCLASSIFIED] == 0.0
    assert shares[Work.MATRIX] > 0.0
    assert shares[Work.STREAM] > 0.0
    assert shares[Work.SEQUENTIAL] > 0.0  # Python between them, and the rule


def test_a_rule_is_timed_alone_and_among_many_by_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []

    def slower(program: Any, text: str, count: int) -> float:
        """Take as long for every answer, on a core that is slow in the first half."""
        counts.append(count)
        return 2.0 if len(counts) < 6 * claims.ROUNDS else 1.0

    monkeypatch.setattr(claims, "_each", slower)
    assert claims._alone_and_together(str, "") == (1.0, 1.0)
    assert counts == [*[1] * 10, claims.TOGETHER] * claims.ROUNDS


def test_runs_that_are_timed_alone_count_by_the_kinds_of_one_that_is_watched() -> None:
    told: list[tuple[float, float, float]] = []

    class Told(Recorder):
        def watch(self, start: float, end: float, spent: Mapping[Unit, float]) -> None:
            told.append((start, end, sum(spent.values())))

    task = load("dates")
    asker = Asker(task, learning.load(task, claims.NETWORK), Told())
    best = asker.seconds("5 march 2019", 2, 3)
    timed = told[-3:]
    assert min(end - start for start, end, _ in timed) == best
    assert all(0 < spent <= (end - start) * 1.05 for start, end, spent in timed)


def test_a_network_is_timed_with_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in chapter 4: threads that wait for one another on a busy core would turn the verdict."""
    seen: list[set[int]] = []

    def seconds(*_: object) -> float:
        pools = threadpool_info()
        seen.append({each["num_threads"] for each in pools if each["user_api"] == "blas"})
        return 1.0

    monkeypatch.setattr(claims, "COUNT", 16)
    monkeypatch.setattr(Asker, "seconds", seconds)
    with threadpool_limits(2, user_api="blas"):
        claims.PARTS["rule"](Numbers())
    assert seen == [{1}, {1}]


def test_the_sweep_is_that_of_the_chapter_beside(tmp_path: Path) -> None:
    assert claims.FILE == cpu_gpu.FILE
    assert claims.PART == cpu_gpu.PART


def test_trained_models_are_asked_at_the_longest_length_that_they_reached() -> None:
    for task, longest in claims.LONGEST.items():
        assert longest in load(task).cases
        card = json.loads((weights.TASKS / task / "transformer.json").read_text("utf-8"))
        assert max(each[longest]["whole"] for each in card["seeds"]) > 0.9
        longer = [case for case in load(task).cases if int(case) > int(longest)]
        assert all(each[case]["whole"] < 0.9 for each in card["seeds"] for case in longer)


def test_experiments_are_of_chapters_that_exist_with_settings_that_they_take(
    qtbot: QtBot, host: Host
) -> None:
    presets = {preset.id for preset in PRESETS}
    for each in STATEMENTS:
        asked = each.experiment
        assert asked.chapter in CHAPTERS
        part, tick = asked.tick if isinstance(asked.tick, tuple) else (0, asked.tick)
        assert min(part, tick) >= 0
        for key, value in asked.settings.items():
            if key == "preset":
                assert value in presets
            elif key in ("chain", "grid"):
                assert value in weights.available()
            elif key == "text":
                assert value == (DEFAULT_TEXT if asked.chapter == CHAPTER else "")
            elif key == "influence":
                assert value in ("", *INFLUENCES)
            elif key == "op":
                assert value in OPS
            elif key == "part":
                assert value == claims.PART
            elif key in ("data", "launch"):
                assert value in (*cpu_gpu.DATA, *cpu_gpu.LAUNCHES)
            elif key == "precision":
                assert value == PRECISION
            elif key in ("lanes", "recording", "sentence"):
                assert value in ("part", "", "default")
            elif key == "model":
                assert value == claims.NETWORK
            elif key == "task":
                assert value == "dates"
            elif key == "experiment":
                assert value in EXPERIMENTS
            else:
                assert key == "case"
                assert value in load("dates").cases


# ---- the chapter ---------------------------------------------------------------------------------


def test_it_begins_with_statements_and_gathers_their_numbers(
    chapter: TheClaims, qtbot: QtBot
) -> None:
    assert chapter.subject.last_tick == len(STATEMENTS) - 1
    assert not chapter.busy
    assert sum(chapter.subject.counts.values()) == 1  # that no number decides
    chapter.begin()
    gathered(chapter, qtbot)
    assert sum(chapter.subject.counts.values()) == len(STATEMENTS)
    assert chapter.still()[1] is chapter.subject
    assert [group.first for group in chapter.groups()] == [s[1] for s in chapter.subject.spans]


def test_the_presenter_steps_through_the_rows(chapter: TheClaims, qtbot: QtBot) -> None:
    chapter.player.step()
    head, note = chapter.title(chapter.player.shown)
    assert head == f"Claim 2 of {len(STATEMENTS)}"
    assert note == STATEMENTS[1].says
    chapter.activate("group:cpu-gpu")
    assert chapter.row.statement.group == "cpu-gpu"
    chapter.activate("claim:typo")  # there is none
    assert not chapter.is_open
    chapter.activate("claim:precise")
    assert chapter.row.statement.id == "precise"
    assert chapter.is_open
    chapter.back()
    assert not chapter.is_open


def test_open_asks_for_the_experiment(chapter: TheClaims, host: Host) -> None:
    chapter.activate("open:precise")
    assert host.window.asked == [  # type: ignore[attr-defined]
        (
            "analytical-empirical",
            {"task": "dates", "model": claims.NETWORK, "case": "typo", "text": ""},
            math.inf,
        )
    ]
    chapter.activate("open:nothing")
    assert len(host.window.asked) == 1  # type: ignore[attr-defined]


def test_measure_again_measures_again(
    chapter: TheClaims, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    chapter.begin()
    gathered(chapter, qtbot)
    asked: list[bool] = []

    def anew(path: Path, **given: Any) -> Any:
        asked.append(given["anew"])
        return few(path)

    monkeypatch.setattr(claims, "gather", anew)
    qtbot.mouseClick(chapter.controls.measure, Qt.MouseButton.LeftButton)
    assert chapter.subject.progress == 0
    gathered(chapter, qtbot)
    assert asked == [True]


def test_what_another_chapter_measures_anew_is_judged(
    chapter: TheClaims, qtbot: QtBot, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    chapter.begin()
    gathered(chapter, qtbot)
    chapter.end()

    def anew(path: Path, *, found: Numbers, **_: Any) -> Any:
        assert found == replace(FULL, threads=None)  # all but the sweep is left as it is
        yield replace(FULL, threads=1, at_once=1.0)

    monkeypatch.setattr(claims, "gather", anew)
    chapter.begin()
    assert chapter.subject.progress == 1
    chapter.end()
    (host.folder / claims.FILE).write_text("{}")
    chapter.begin()
    gathered(chapter, qtbot)
    assert chapter.numbers.threads == 1
    chapter.end()
    chapter.begin()
    assert chapter.subject.progress == 1


def test_what_fails_is_said_once_and_the_rest_stays(
    chapter: TheClaims, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(path: Path, **given: Any) -> Any:
        yield Numbers(depths=FULL.depths, day=FULL.day)
        raise Said("A model is not there.")

    monkeypatch.setattr(claims, "gather", failing)
    said: list[str] = []
    chapter.said.connect(said.append)
    chapter.begin()
    qtbot.waitUntil(lambda: bool(said), timeout=5000)
    assert said == ["A model is not there."]
    assert chapter.numbers.depths == FULL.depths
    chapter.end()
    chapter.begin()
    assert said == ["A model is not there."]


def test_what_is_kept_is_the_tick_and_damage_does_no_harm(chapter: TheClaims) -> None:
    chapter.restore({"tick": 7.0})
    assert chapter.player.target == 7
    assert chapter.remember() == {"tick": chapter.player.tick}
    for bad in ({}, {"tick": "x"}, {"tick": -1}, {"tick": math.nan}, {"tick": 1e9}):
        chapter.restore(bad)
    assert chapter.player.target == 7


def test_the_inspector_says_rule_numbers_and_what_would_turn_it(
    chapter: TheClaims, qtbot: QtBot
) -> None:
    inspector = Inspector(theme.load("light"), SAY, 1.0)
    qtbot.addWidget(inspector)
    chapter.begin()
    gathered(chapter, qtbot)
    for tick, each in enumerate(STATEMENTS):
        chapter.player.seek(tick)
        inspector.show_page(chapter.page_key(), chapter.write)
        shown = inspector.text.toPlainText()
        assert " %" not in inspector.text.document().toRawText()  # they stay on one line
        assert each.says in shown
        assert each.turns in shown
        assert each.rule[1:] in shown
        assert each.not_here in shown
        for name in each.needs:
            assert name.replace("_", " ") in shown
    assert inspector.text.links == ["open:black-box", "again:"]


# ---- in the window -------------------------------------------------------------------------------


def test_the_window_goes_to_the_experiment(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.window import Window

    monkeypatch.setattr(claims, "gather", few)
    window = Window(tmp_path / "settings.json")
    qtbot.addWidget(window)
    window.show()
    window.begin()
    window.do("chapter_5")
    assert window.chapter.id == "claims"
    try:
        for id, chapter, tick in (
            ("single-path", "rnn-transformer", None), ("training", "three-computing", 1),
            ("inference", "three-computing", 1), ("design", "rnn-transformer", 0),
            ("bottleneck", "long-range", 14), ("positions", "long-range", None),
        ):  # fmt: skip
            window.open_chapter("claims")
            window.activate(f"open:{id}")
            assert window.chapter.id == chapter
            qtbot.waitUntil(lambda: window._seek is None, timeout=20_000)
            wanted = window.player.last if tick is None else tick
            assert window.player.target == wanted > -1
        assert window.first.sentences.setting.chain == "rnn-plain"
        chosen = window._chapters["three-computing"].remember()
        assert chosen["preset"] == "l4-prefill"
    finally:
        window.close()


def test_a_claim_opens_what_it_was_judged_by_whatever_was_set_before(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.window import Window

    monkeypatch.setattr(claims, "gather", few)
    monkeypatch.setattr(cpu_gpu, "sweep", lambda *_: iter(()))
    window = Window(tmp_path / "settings.json")
    qtbot.addWidget(window)
    window.show()
    window.begin()
    window.session.chapters[THREE] = {"resident": False, "graph": True}

    def opened(id: str) -> Any:
        window.open_chapter("claims")
        window.activate(f"open:{id}")
        qtbot.waitUntil(lambda: window._seek is None, timeout=20_000)
        qtbot.waitUntil(lambda: not window.chapter.busy, timeout=20_000)
        assert not window.chapter.is_open
        return window.chapter

    try:
        race = opened("volume")
        for _ in range(2):  # made for it, and open already
            kept = race.remember()
            assert (kept["part"], kept["resident"], kept["graph"]) == ("h100", True, False)
            for kind, id in (("part", "l4"), ("data", "copied"), ("launch", "graph")):
                race.choose(kind, id)
            race.activate("lane:cpu:0")
            assert race.is_open
            opened("volume")

        units = opened("training")
        units.chosen = replace(units.chosen, lanes="cpu", recording="of another card")
        now, wanted = opened("inference").chosen, chosen_from(preset="l4-prefill")
        assert replace(now, preset=wanted.preset) == wanted

        solving = opened("sure")
        solving.set_text("7 may 1234")
        assert opened("theory-data").wish == Wish(model=claims.NETWORK, case="clean")

        experiments.arrange(window.first, {"text": "a dog ___", "precision": "float16"})
        laboratory = opened("positions")
        assert laboratory._wish == long_range.Wish()
        window.open_chapter("long-range")
        window.open_chapter("rnn-transformer")
        window.open_chapter("long-range")
        assert laboratory._wish.text == "a dog ___"
        assert opened("positions")._wish == long_range.Wish()

        window.first.activate("chain:rnn.h.1")
        assert window.first.is_open
        assert opened("one-at-a-time").sentences.text == DEFAULT_TEXT
        assert window.first.sentences.setting.precision == PRECISION
    finally:
        window.close()


def test_a_seek_that_was_stopped_goes_nowhere(chapter: TheClaims, qtbot: QtBot) -> None:
    qtbot.addWidget(chapter.page)
    seek = experiments.Seek(chapter, 5)
    seek.stop()
    seek.stop()
    chapter.changed.emit()
    assert chapter.player.target == 0
    other = experiments.Seek(chapter, math.inf)
    with qtbot.waitSignal(other.done):
        pass
    assert chapter.player.target == chapter.player.last
    for tick, wanted in (((1, 2), 2), ((1, math.inf), None), ((9, math.inf), None), (3.0, None)):
        seek = experiments.Seek(chapter, tick)
        with qtbot.waitSignal(seek.done):
            pass
        group = chapter.groups()[min(tick[0], 3)] if isinstance(tick, tuple) else None
        first, last = (0, 3) if group is None else group[1:]
        assert chapter.player.target == (last if wanted is None else first + wanted)


def test_ticks_in_the_race_are_those_of_its_pages() -> None:
    """Its clock's ticks differ from machine to machine, and those of the pages behind it, too."""
    pair = make_pair(DEFAULT_TEXT, *DEFAULT_PAIR).pair
    race = Race(**chosen(pair), measured=None, part=parts.load(claims.PART))
    pages = race.pages
    first = (pages.shapes, pages.race, pages.sizes, pages.lengths)
    assert race.clock(pages.sizes - 1) == race.end
    assert [race.page(first[p]) for p in (RACE, SIZES, LENGTHS)] == ["race", "sizes", "lengths"]
    assert race.size(first[SIZES] + EIGHT) == 8
    assert race.size(first[SIZES] + LARGE) == AT_ONCE
    assert race.length(race.last_tick) == counted()[-1].tokens


# ---- the command line ----------------------------------------------------------------------------


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(claims, "gather", few)
    monkeypatch.setattr(claims, "place", lambda: tmp_path / "machine.json")


@pytest.mark.usefixtures("known")
def test_the_command_line_prints_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claims"]) == 0
    shown = capsys.readouterr().out
    for each in STATEMENTS:
        assert each.says in shown
    assert main(["claims", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in data["claims"]] == [each.id for each in STATEMENTS]
    assert sum(data["verdicts"].values()) == len(STATEMENTS)
    assert {row["basis"] for row in data["claims"]} == {"counted", "measured", "modelled"}
    last = [row["experiment"]["tick"] for row in data["claims"]]
    assert "last" in last
    assert "Infinity" not in json.dumps(data)


@pytest.mark.usefixtures("known")
def test_the_figure_is_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "claims.svg"
    assert main(["figure", "claims", "--tick", "3", "-o", str(path)]) == 0
    assert STATEMENTS[0].says.split(",")[0] in path.read_text(encoding="utf-8")
    assert main(["figure", "claims", "--tick", "500", "-o", str(path)]) == 2
    assert "Tick 500 lies behind the last" in capsys.readouterr().err


def test_what_is_missing_is_said_as_not_measured() -> None:
    shown = claims.report(claims.as_data(Numbers()))
    assert shown.count("not measured") == len(STATEMENTS) - 1

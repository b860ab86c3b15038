"""Chapter 4 in the window: trained live, stopped, rolled back, and never a thread left behind."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot
from threadpoolctl import threadpool_limits

from app import solve_figure, solving
from app.analytical import AnalyticalEmpirical
from app.chapters import CHAPTERS, Host, make
from app.solving import RATES, Solving, Wish, readable
from app.workshop import Told
from engine import tasks
from engine.recorder import Recorder
from engine.said import Said
from engine.units import Work
from widgets import captions, numbers, solve_pages, theme
from widgets.hit import named
from widgets.inspector import Inspector
from widgets.scenes.analytical_empirical.subject import Descent, Solved

SAY = captions.load("en")
PATIENCE_MS = 20_000


@pytest.fixture
def chapter(qtbot: QtBot, host: Host) -> Iterator[AnalyticalEmpirical]:
    made = AnalyticalEmpirical(host)
    qtbot.addWidget(made.page)
    qtbot.addWidget(made.controls)
    made.page.resize(1190, 730)
    made.page.show()
    yield made
    made.close()


def begun(chapter: AnalyticalEmpirical, qtbot: QtBot) -> Solved:
    """Return what is solved first."""
    chapter.begin()
    return settled(chapter, qtbot)


def settled(chapter: AnalyticalEmpirical, qtbot: QtBot) -> Solved:
    qtbot.waitUntil(lambda: not chapter.busy and chapter.subject is not None, timeout=PATIENCE_MS)
    assert chapter.subject is not None
    return chapter.subject


def until(chapter: AnalyticalEmpirical, qtbot: QtBot, holds: Any) -> Solved:
    qtbot.waitUntil(lambda: chapter.subject is not None and holds(chapter.subject),
                    timeout=PATIENCE_MS)  # fmt: skip
    assert chapter.subject is not None
    return chapter.subject


def trained(chapter: AnalyticalEmpirical, qtbot: QtBot, step: int = 3) -> Solved:
    """Train for some steps, and pause."""
    chapter.activate("choose:train:toggle")
    until(chapter, qtbot, lambda s: s.running and s.moments[-1].step >= step)
    chapter.activate("choose:train:toggle")
    return until(chapter, qtbot, lambda s: not s.running)


def test_the_table_of_chapters_makes_it(qtbot: QtBot, host: Host) -> None:
    made = make("analytical-empirical", host)
    for widget in (made.page, made.controls):
        qtbot.addWidget(widget)
    assert made.id == "analytical-empirical"
    assert CHAPTERS[made.id].number == 4
    made.close()


def test_it_begins_full_with_a_typing_error_and_a_trained_network(
    chapter: AnalyticalEmpirical, qtbot: QtBot
) -> None:
    solved = begun(chapter, qtbot)
    assert (solved.task, solved.case, solved.text) == ("dates", "typo", "5 mrach 2019")
    assert solved.ran.reason == "no month is called 'mrach'"
    assert solved.moments[-1].written is not None
    assert solved.moments[-1].written.symbols == "2019-03-05" == solved.wanted
    assert not solved.trained_here
    assert [group.caption for group in chapter.groups()] == ["Task", "Train", "Solve", "Compare"]
    firsts = [group.first for group in chapter.groups()]
    assert firsts == [0, 1, 2, solved.last_tick]
    found = until(chapter, qtbot, lambda s: s.times is not None and s.ablation is not None)
    assert found.times is not None
    assert 0 < found.times.rule < found.times.alone
    assert found.times.together < found.times.alone  # many at once share what one pays alone
    assert found.ablation is not None
    assert found.ablation.after.share < found.ablation.before.share


def test_training_starts_is_paused_and_can_be_gone_back_to(
    chapter: AnalyticalEmpirical, qtbot: QtBot
) -> None:
    begun(chapter, qtbot)
    solved = trained(chapter, qtbot, 40)
    assert solved.trained_here
    steps = [moment.step for moment in solved.moments]
    assert steps[:7] == [0, 1, 2, 4, 8, 16, 32]
    assert steps[-1] >= 40
    assert solved.losses[0][1] > solved.losses[-1][1]
    assert chapter.player.shown == solved.last_moment  # the training is followed
    qtbot.wait(250)
    assert chapter.subject is not None
    assert [moment.step for moment in chapter.subject.moments] == steps  # it stands still
    chapter.player.seek(2.0)
    assert chapter.title(2) == (f"Tick 2 of {solved.last_tick}", "the network after step 1")
    assert chapter.subject.moment_at(2).written is not None


def test_a_pause_that_comes_too_late_throws_nothing_away(
    chapter: AnalyticalEmpirical, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(chapter, qtbot)
    solved = chapter.subject
    assert solved is not None
    assert solved.moments[-1].step == solved.steps
    asked: list[bool] = []
    monkeypatch.setattr(chapter.workshop, "train", asked.append)
    clock = 100.0
    monkeypatch.setattr("app.analytical.monotonic", lambda: clock)
    told = Told(replace(solved, running=True), chapter.wish, chapter._number, "")
    chapter._arrive(told)
    chapter._arrive(told._replace(solved=solved))  # its last step
    chapter.keys["train"]()
    assert not asked
    clock += 1.5
    chapter.keys["train"]()
    assert asked == [True]


def test_one_step_is_one_step(chapter: AnalyticalEmpirical, qtbot: QtBot) -> None:
    begun(chapter, qtbot)
    for count in (1, 2, 3):
        chapter.activate("choose:train:step")
        solved = until(chapter, qtbot, lambda s, n=count: s.moments[-1].step == n)
        assert len(solved.losses) == count
        assert not solved.running


def test_reset_gives_the_same_weights_and_another_seed_gives_others() -> None:
    it = Solving(Recorder())
    found = []
    with threadpool_limits(1, user_api="blas"):
        for seed in (0, 0, 1):
            it.solve(Wish(seed=seed))
            it.anew()
            for _ in range(3):
                it.step()
            found.append((it._kept[0][0].weights, it._kept[-1][0].weights))
    for a, b in zip(found[0], found[1], strict=True):
        assert np.array_equal(a, b)  # to the bit
    assert not np.array_equal(found[0][0], found[2][0])


def test_timing_waits_while_somebody_calls_and_comes_again() -> None:
    called: list[bool] = []

    def call() -> bool:
        called.append(len(called) > 15)
        return called[-1]

    it = Solving(Recorder(), called=call)
    with threadpool_limits(1, user_api="blas"):
        it.solve(Wish(model="transformer"))
        while it.todo[0] != it._time:
            it.work()
        it.work()
        assert len(called) == 17  # in the middle of many answers: one alone asks 10 times a run
        assert it.solved().times is None
        assert it.todo[0] == it._time
        it._called = lambda: False
        it.work()
    assert it.solved().times is not None


def test_a_training_that_diverges_is_rolled_back_and_said(
    chapter: AnalyticalEmpirical, qtbot: QtBot
) -> None:
    begun(chapter, qtbot)
    said: list[str] = []
    chapter.said.connect(said.append)
    while chapter.wish.rate != 1000.0:
        chapter.activate("choose:rate:next")
        settled(chapter, qtbot)
    chapter.activate("choose:train:toggle")
    qtbot.waitUntil(lambda: bool(said), timeout=PATIENCE_MS)
    assert "the learning rate (1000) is too high" in said[-1]
    assert said[-1].endswith("; it went back to step 0, train with a lower one.")
    assert said[-1].count(". ") == 0  # one sentence
    solved = until(chapter, qtbot, lambda s: not s.running)
    assert [moment.step for moment in solved.moments] == [0]
    chapter.activate("choose:rate:next")  # the lowest again, and it goes on from there
    settled(chapter, qtbot)
    assert chapter.wish.rate == RATES[0]
    assert trained(chapter, qtbot).moments[-1].step >= 3


def test_leaving_stops_the_training_and_coming_back_finds_it_as_it_was(
    chapter: AnalyticalEmpirical, qtbot: QtBot
) -> None:
    begun(chapter, qtbot)
    chapter.activate("choose:train:toggle")
    until(chapter, qtbot, lambda s: s.running and s.moments[-1].step > 2)
    chapter.end()
    solved = until(chapter, qtbot, lambda s: not s.running)
    qtbot.wait(300)
    assert chapter.subject is not None
    assert chapter.subject.moments[-1].step == solved.moments[-1].step
    assert not chapter.workshop._has_work
    chapter.begin()
    chapter.activate("choose:train:toggle")
    until(chapter, qtbot, lambda s: s.moments[-1].step > solved.moments[-1].step)


def test_a_training_goes_on_behind_another_chapter_that_asks_for_it(
    chapter: AnalyticalEmpirical, qtbot: QtBot, host: Host
) -> None:
    begun(chapter, qtbot)
    chapter.end()
    chapter.train_behind(True)  # nothing was trained when it was left
    qtbot.wait(100)
    assert not chapter.workshop.trains
    chapter.begin()
    chapter.activate("choose:train:toggle")
    until(chapter, qtbot, lambda s: s.running and s.moments[-1].step > 2)
    chapter.end()
    chapter.train_behind(True)
    qtbot.waitUntil(lambda: chapter.workshop.trains, timeout=PATIENCE_MS)
    told = host.recorder.trained
    assert told is not None
    qtbot.waitUntil(lambda: (host.recorder.trained or told).step > told.step, timeout=PATIENCE_MS)
    chapter.train_behind(False)  # that chapter is left for another one
    qtbot.waitUntil(lambda: not chapter.workshop.trains, timeout=PATIENCE_MS)
    chapter.begin()  # which is this one: it goes on
    qtbot.waitUntil(lambda: chapter.workshop.trains, timeout=PATIENCE_MS)
    assert told.what == "GRU with attention (Bahdanau), dates"
    assert set(told.seconds) == {"batch", "forward", "backward", "update"}


@pytest.mark.parametrize("task", ["dates", "brackets"])
def test_closing_ends_the_thread_within_a_second(
    chapter: AnalyticalEmpirical, qtbot: QtBot, task: str
) -> None:
    begun(chapter, qtbot)
    chapter.activate(f"choose:task:{task}")
    settled(chapter, qtbot)
    chapter.activate("choose:train:toggle")
    until(chapter, qtbot, lambda s: s.running and s.moments[-1].step > 2)
    start = perf_counter()
    chapter.close()
    assert perf_counter() - start < 1.0
    assert not any(thread.name == "workshop" for thread in threading.enumerate())


def test_what_training_runs_is_told_to_the_strip(
    chapter: AnalyticalEmpirical, qtbot: QtBot, host: Host
) -> None:
    begun(chapter, qtbot)
    trained(chapter, qtbot, 30)
    shares = host.recorder.shares(perf_counter())
    assert shares is not None
    assert shares[Work.MATRIX] > 0
    assert shares[Work.STREAM] > 0


@pytest.mark.parametrize("text", ["Grüße!", "~~~", " \u00a0 ", "日本"])
def test_garbage_is_said_and_the_last_text_stays(
    chapter: AnalyticalEmpirical, qtbot: QtBot, text: str
) -> None:
    begun(chapter, qtbot)
    said: list[str] = []
    chapter.said.connect(said.append)
    chapter.activate("choose:task:brackets")
    before = settled(chapter, qtbot)
    chapter.set_text(text)
    settled(chapter, qtbot)
    assert chapter.subject is not None
    if text.strip():
        assert "nothing in it that the network can read" in said[-1]
    assert chapter.subject.text == before.text
    assert chapter.wish.text == ""


def test_an_unknown_letter_is_said_and_the_rest_is_solved(
    chapter: AnalyticalEmpirical, qtbot: QtBot
) -> None:
    begun(chapter, qtbot)
    said: list[str] = []
    chapter.said.connect(said.append)
    chapter.controls.field.setText("5 März 2019")
    chapter.controls.field.returnPressed.emit()
    solved = settled(chapter, qtbot)
    assert "does not know 'ä'" in said[-1]
    assert solved.own
    assert solved.text == "5 März 2019"
    assert solved.ran.answer is None
    assert solved.moments[-1].written is not None
    assert solved.moments[-1].written.read == "5 mrz 2019"


def test_a_text_that_is_too_long_is_said(chapter: AnalyticalEmpirical, qtbot: QtBot) -> None:
    begun(chapter, qtbot)
    said: list[str] = []
    chapter.said.connect(said.append)
    chapter.set_text("5" * 100_000)
    assert "at most 500 characters" in said[-1]
    read, words = readable(tasks.load("dates"), "wednesday, 21 september 2019 or so")
    assert len(read) == 29
    assert "first 29" in words
    with pytest.raises(Said, match="nothing in it"):
        readable(tasks.load("dates"), "ß")


def test_brackets_follow_the_stack_and_grey_what_is_not_asked(
    chapter: AnalyticalEmpirical, qtbot: QtBot
) -> None:
    begun(chapter, qtbot)
    said: list[str] = []
    chapter.said.connect(said.append)
    chapter.activate("choose:task:brackets")
    solved = settled(chapter, qtbot)
    assert (solved.task, solved.case) == ("brackets", "clean")
    assert solved.ran.answer == solved.wanted == ")]}]).])"
    assert solved.moments[-1].head is not None
    assert solved.moments[-1].head.score > 0.5  # on the bracket to be closed next
    chapter.activate("choose:case:typo")
    assert "a wrong bracket is another bracket" in said[-1]
    assert chapter.wish.case == "clean"
    chapter.keys["case"]()
    assert settled(chapter, qtbot).case == "out-of-range"
    chapter.set_text("(]")
    solved = until(chapter, qtbot, lambda s: s.text == "(]")
    assert "closes nothing that is open" in solved.ran.reason


def test_another_network_size_and_seed(chapter: AnalyticalEmpirical, qtbot: QtBot) -> None:
    begun(chapter, qtbot)
    chapter.controls.choices["dates"]._pick("gru")
    solved = until(chapter, qtbot, lambda s: s.model == "gru")
    assert solved.moments[-1].written is not None
    assert solved.moments[-1].written.weights == ()  # it has no attention
    chapter.activate("choose:size:next")
    wider = until(chapter, qtbot, lambda s: s.width > solved.width)
    assert wider.moments[-1].step == 0
    chapter.activate("choose:seed:next")
    other = until(chapter, qtbot, lambda s: s.seed == 1)
    assert other.moments[-1].step == 0
    assert other.trained_here


def test_every_element_opens_its_page(chapter: AnalyticalEmpirical, qtbot: QtBot) -> None:
    begun(chapter, qtbot)
    for task in ("dates", "brackets"):
        chapter.activate(f"choose:task:{task}")
        until(chapter, qtbot, lambda s, t=task: s.task == t and s.ablation and s.times)
        inspector = Inspector(theme.load("light"), SAY)
        qtbot.addWidget(inspector)
        inspector.resize(320, 700)
        picture = chapter.canvas.picture()
        assert picture is not None
        names = [n[0] for n in named(picture) if not n[0].startswith("choose:")]
        assert len(names) > 10
        for name in names:
            chapter.activate(name)
            assert chapter.is_open
            inspector.show_page(chapter.page_key(), chapter.write)
            assert len(inspector.text.toPlainText()) > 20, name
            chapter.back()
        chapter.player.seek(4.0)
        inspector.show_page(chapter.page_key(), chapter.write)
        assert "names before it runs" in inspector.text.toPlainText()


def test_what_is_kept_is_taken_and_what_is_damaged_is_left(
    chapter: AnalyticalEmpirical, qtbot: QtBot, host: Host
) -> None:
    chapter.restore({"task": "brackets", "model": "gru", "case": "out-of-range", "text": "([",
                     "tick": 3})  # fmt: skip
    solved = begun(chapter, qtbot)
    assert (solved.task, solved.model, solved.case, solved.text) == (
        "brackets", "gru", "out-of-range", "([",
    )  # fmt: skip
    assert chapter.player.tick == 3
    kept = chapter.remember()
    for damaged in (
        {}, {"task": 3, "model": [], "case": None, "text": 5, "tick": "x"},
        {"task": "chess", "model": "gpt", "case": "typo"}, {"text": "ß" * 600},
    ):  # fmt: skip
        chapter.wish = Wish()
        chapter.restore(damaged)
        assert chapter.wish == Wish(), damaged
    chapter.restore(kept)
    assert chapter.wish == Wish(task="brackets", model="gru", case="out-of-range", text="([")


def test_a_kept_text_that_nobody_can_read_is_said_and_the_example_is_solved(
    chapter: AnalyticalEmpirical, qtbot: QtBot
) -> None:
    said: list[str] = []
    chapter.said.connect(said.append)
    chapter.restore({"text": "ß"})
    assert begun(chapter, qtbot).text == "5 mrach 2019"
    assert "nothing in it" in said[-1]


def test_the_figure_offers_what_the_chapter_has() -> None:
    from widgets.scenes.analytical_empirical.subject import CASES

    assert solve_figure.TASKS == tuple(solving.TASKS)
    assert solve_figure.CASES == CASES
    assert set(solving.ASKED["dates"]) == set(CASES)
    for task, asked in solving.ASKED.items():
        assert set(asked.values()) <= set(tasks.load(task).cases)
        assert solving.TASKS[task] in tasks.load(task).recipes


def recorded(chapter: AnalyticalEmpirical, qtbot: QtBot) -> Descent:
    """Open one step of descent, and wait until it is recorded."""
    chapter.activate("descent")
    descent = until(chapter, qtbot, lambda s: s.descent is not None).descent
    assert descent is not None
    return descent


def page_of(chapter: AnalyticalEmpirical, inspector: Inspector) -> str:
    inspector.show_page(chapter.page_key(), chapter.write)
    return str(inspector.text.toPlainText()).replace("\u00a0", " ")


def test_one_step_of_descent_opens_operation_by_operation(
    chapter: AnalyticalEmpirical, qtbot: QtBot
) -> None:
    begun(chapter, qtbot)
    trained(chapter, qtbot, 4)
    inspector = Inspector(theme.load("light"), SAY)
    qtbot.addWidget(inspector)
    inspector.resize(320, 700)
    descent = recorded(chapter, qtbot)
    assert chapter.subject is not None
    step = chapter.subject.moments[-1].step
    assert (descent.after, descent.fresh) == (step, False)
    page = page_of(chapter, inspector)
    assert f"Step {step + 1}" in page
    for words in ("forward", "backward", "update", "where the time goes, measured"):
        assert words in page
    percents = [int(n) for n in re.findall(r"^.*?(\d+) %$", page.split("goes, measured")[1], re.M)]
    phases = page.split("goes, measured")[1].split("operations")[0]
    whole = re.findall(r"^(?:forward|loss|backward|update|Python and recording)\t(\d+) %", phases,
                       re.M)  # fmt: skip
    assert sum(map(int, whole)) == 100
    assert len(percents) > len(whole)  # the units of each stand below it
    links = list(inspector.text.links)
    assert {"descent:stage:loss", "descent:stage:update", "descent:stage:write.3.back"} <= set(
        links
    )
    chapter.follow("descent:stage:write.3.back")
    page = page_of(chapter, inspector)
    name = "attn.pattern.3.grad"
    assert name in page
    assert "Matrix" in page or "Stream" in page
    assert f"descent:op:{name}" in inspector.text.links
    chapter.follow(f"descent:op:{name}")
    page = page_of(chapter, inspector)
    first = descent.trace.value(name)[0][0]
    assert numbers.value(float(first)) in page
    assert "of the first sentence" in page
    assert set(descent.trace.step(name).reads) <= set(page.split())
    chapter.follow("descent:op:rnn.W_h.grad")
    assert "in 50 × out 150" in page_of(chapter, inspector)
    chapter.follow("descent:op:loss")
    assert numbers.value(float(descent.trace.value("loss"))) in page_of(chapter, inspector)
    seen = []
    while chapter.is_open:
        seen.append(chapter.canvas.view.selected)
        chapter.back()
    assert seen == ["descent:op:loss", "descent:stage:loss", "descent"]
    # The next step that is taken has the loss that was recorded.
    chapter.activate("choose:train:step")
    solved = until(chapter, qtbot, lambda s: s.moments[-1].step == step + 1)
    assert solved.losses[-1][1] == pytest.approx(float(descent.trace.value("loss")), rel=1e-5)


def test_another_moment_is_recorded_when_it_is_asked_for(
    chapter: AnalyticalEmpirical, qtbot: QtBot
) -> None:
    begun(chapter, qtbot)
    trained(chapter, qtbot, 4)
    first = recorded(chapter, qtbot)
    chapter.player.seek(2.0)  # step 1
    qtbot.waitUntil(lambda: chapter.player.shown == 2)
    inspector = Inspector(theme.load("light"), SAY)
    qtbot.addWidget(inspector)
    inspector.resize(320, 700)
    assert "Record the step after 1" in page_of(chapter, inspector)
    chapter.follow("descent:again")
    solved = until(chapter, qtbot, lambda s: s.descent is not first and s.descent is not None)
    assert solved.descent is not None
    assert solved.descent.after == 1
    assert "Step 2" in page_of(chapter, inspector)
    chapter.activate("choose:train:reset")  # it was of a training that is no more
    until(chapter, qtbot, lambda s: s.descent is None)
    assert "being recorded" in page_of(chapter, inspector) or not chapter.is_open


def test_a_step_from_shipped_weights_says_that_its_means_begin(
    chapter: AnalyticalEmpirical, qtbot: QtBot
) -> None:
    solved = begun(chapter, qtbot)
    descent = recorded(chapter, qtbot)
    assert (descent.after, descent.fresh) == (solved.moments[-1].step, True)
    assert not descent.trace.value("update.mean.before").any()
    inspector = Inspector(theme.load("light"), SAY)
    qtbot.addWidget(inspector)
    inspector.resize(320, 700)
    assert "begin at 0" in page_of(chapter, inspector)


def test_closing_while_a_step_is_recorded_ends_the_thread(
    chapter: AnalyticalEmpirical, qtbot: QtBot
) -> None:
    begun(chapter, qtbot)
    chapter.activate("descent")
    qtbot.wait(60)
    start = perf_counter()
    chapter.close()
    assert perf_counter() - start < 1.0
    assert not any(thread.name == "workshop" for thread in threading.enumerate())


def test_pages_know_no_other_names(chapter: AnalyticalEmpirical, qtbot: QtBot) -> None:
    solved = begun(chapter, qtbot)
    assert solve_pages.is_element(solved, "descent")
    for name in (
        "",
        "descent:op:loss",
        "descent:again",
        "op:1",
        "line:-1",
        "digit:10",
        "digit:x",
        "right:nobody",
        "row:",
    ):
        assert not solve_pages.is_element(solved, name)


def test_every_number_is_measured_again_with_one_click(
    chapter: AnalyticalEmpirical, qtbot: QtBot
) -> None:
    begun(chapter, qtbot)
    before = until(chapter, qtbot, lambda s: s.times is not None and s.ablation is not None
                   and s.rule["typo"].asked >= 2 * solving.ROUND)  # fmt: skip
    known = len(chapter.workshop._solving.todo)
    qtbot.mouseClick(chapter.controls.measure, Qt.MouseButton.LeftButton)
    until(chapter, qtbot, lambda s: s.times is None)
    assert len(chapter.workshop._solving.todo) > known
    behind = until(chapter, qtbot, lambda s: s.times is not None and s.ablation is not None)
    assert behind.times != before.times
    assert behind.ablation != before.ablation
    for name in ("row:order", "row:precise", "right:rule"):
        chapter.activate(name)
        inspector = Inspector(theme.load("light"), SAY)
        qtbot.addWidget(inspector)
        inspector.show_page(0, chapter.write)
        assert "again:" in inspector.text.links
    chapter.activate("again:")
    until(chapter, qtbot, lambda s: s.times is None)
    chapter.activate("choose:train:toggle")
    until(chapter, qtbot, lambda s: s.running)
    assert not chapter.controls.measure.isEnabled()  # what changes is measured when it stands still


def test_what_is_asked_again_is_asked_of_other_sentences() -> None:
    it = Solving(Recorder())
    with threadpool_limits(1, user_api="blas"):
        it.solve(Wish())
        found = []
        for _ in range(3):
            while it._counts["typo"].rounds < 2:
                it._ask("typo")
            found.append(
                (it._rule["typo"].found, it._counts["typo"].found, it._counts["typo"].sure)
            )
            it.again()
            assert not it.solved().rule
            assert not it.solved().moments[-1].right
    assert len(set(map(str, found))) == 3
    assert {each.asked for rule, network, _ in found for each in (rule, network)} == {
        2 * solving.ROUND
    }

"""Chapter 1's stage: opened, walked, pinned, covered, compared, and what each word does."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driving import click, key, settled
from PySide6.QtCore import QPoint, QPointF
from pytestqt.qtbot import QtBot

from app import DEFAULT_PAIR, INFLUENCES, compute
from app.compute import influence
from app.studies import _HowRun
from app.window import Window
from engine.device import HOST, Device
from engine.influence import LEFT_OUT, REPLACED, Stopped
from widgets import captions
from widgets.hit import named
from widgets.picture import Picture
from widgets.svg import svg
from widgets.view import Spread

SAY = captions.load("en")


def test_a_click_on_a_node_opens_its_numbers(window: Window, qtbot: QtBot) -> None:
    window.player.seek(13)
    click(window, qtbot, "chain:rnn.h.3")
    assert window.canvas.view.selected.startswith("chain:rnn.h.3")
    click(window, qtbot, "ask:1")
    assert window.canvas.view.query == 1
    assert "[0,1" in window.canvas.view.selected
    key(window, qtbot, "Backspace")
    assert window.canvas.view.selected == ""


def test_tab_walks_the_stage_and_enter_opens(window: Window, qtbot: QtBot) -> None:
    window.player.seek(13)
    names = set()
    for _ in range(12):
        key(window, qtbot, "Tab")
        names.add(window.canvas.ringed)
    assert len(names) == 12
    while not window.canvas.ringed.startswith("chain:rnn.h"):
        key(window, qtbot, "Tab")
    key(window, qtbot, "Return")
    assert window.canvas.view.selected.startswith("chain:rnn.h")


def covered(window: Window) -> set[str]:
    """Return which of both answers and the first two states are covered."""
    found = set()
    for name in ("chain:answer.word", "grid:answer.word", "chain:rnn.h.1", "chain:rnn.h.2"):
        place = window.canvas.place_of(name)
        if place is not None and window.canvas.element_at(QPointF(place)) == "reveal":
            found.add(name)
    return found


def test_predict_covers_what_a_step_computes_until_the_next_press(
    window: Window, qtbot: QtBot
) -> None:
    key(window, qtbot, "V")
    assert not covered(window)  # of tick 0 there is nothing to say
    key(window, qtbot, "PgDown")
    settled(window, qtbot)
    assert window.player.tick == 1
    assert covered(window) == {"chain:rnn.h.1"}
    assert "Tick 0" in window.inspector.text.toPlainText()  # which tells no more than the stage
    key(window, qtbot, "PgDown")  # the same key of a presenter's remote shows it
    settled(window, qtbot)
    assert window.player.tick == 1
    assert not covered(window)
    assert "Tick 1" in window.inspector.text.toPlainText()
    key(window, qtbot, "PgDown")
    settled(window, qtbot)
    click(window, qtbot, "reveal")
    assert window.player.tick == 2
    assert not covered(window)
    key(window, qtbot, "PgUp")
    settled(window, qtbot)
    assert not covered(window)  # what was seen
    key(window, qtbot, "End")
    key(window, qtbot, "V")
    assert not covered(window)
    key(window, qtbot, "Home")
    key(window, qtbot, "PgDown")
    settled(window, qtbot)
    assert not covered(window)


@pytest.mark.parametrize("how", ["End", "scrubber"])
def test_predict_covers_the_answers_of_who_jumps_to_them(
    window: Window, qtbot: QtBot, how: str
) -> None:
    answers = {"chain:answer.word", "grid:answer.word"}
    key(window, qtbot, "V")
    if how == "End":
        key(window, qtbot, "End")
    else:
        window.transport.sought.emit(window.player.last)
    assert covered(window) == answers
    assert "purrs" not in window.inspector.text.toPlainText()
    key(window, qtbot, "PgUp")
    settled(window, qtbot)
    assert "chain:answer.word" in covered(window)  # of the side that waits, too
    key(window, qtbot, "End")
    key(window, qtbot, "PgDown")
    assert not covered(window)
    assert "purrs" in window.inspector.text.toPlainText()
    for back in ("Shift+Left", "Home", "PgDown"):
        key(window, qtbot, back)
        settled(window, qtbot)
        assert not covered(window)
    key(window, qtbot, "End")
    key(window, qtbot, "K")  # another run has other numbers
    settled(window, qtbot)
    assert covered(window) == answers


def test_what_plays_is_seen_while_predicting(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "V")
    window.player.set_speed(4.0)
    key(window, qtbot, "Space")
    qtbot.waitUntil(lambda: window.player.shown >= 2)
    assert not covered(window)
    key(window, qtbot, "Space")
    settled(window, qtbot)
    assert not covered(window)
    key(window, qtbot, "PgDown")
    settled(window, qtbot)
    assert window.canvas.view.revealed < window.player.tick < window.player.last
    assert window.first.choices.covered


def test_predict_covers_nothing_where_nothing_can_be_covered(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "V")
    key(window, qtbot, "F")
    for tick in (1, 2, 3):
        key(window, qtbot, "PgDown")
        settled(window, qtbot)
        assert window.player.tick == tick


def test_a_pinned_head_or_word_dims_the_others(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "End")
    key(window, qtbot, "X")
    assert "Point at" in window.notice.text()
    for name, field in (
        ("grid:blocks.1.attn.z[2,0]", "pinned_head"), ("chain:rnn.h.2", "pinned_word"),
    ):  # fmt: skip
        place = window.canvas.place_of(name)
        assert place is not None
        qtbot.mouseMove(window.canvas, place)
        before = window.canvas.grab().toImage()
        key(window, qtbot, "X")
        assert getattr(window.canvas.view, field) == {"pinned_head": 2, "pinned_word": 1}[field]
        window.canvas.settle()
        assert window.canvas.grab().toImage() != before
        key(window, qtbot, "X")
        assert getattr(window.canvas.view, field) is None


def test_a_head_is_pinned_by_its_number(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "End")
    place = window.canvas.place_of("grid:blocks.1.attn.pattern[3]")
    assert place is not None
    qtbot.mouseMove(window.canvas, place)
    key(window, qtbot, "X")
    assert window.canvas.view.pinned_head == 3
    key(window, qtbot, "X")
    assert window.canvas.view.pinned_head is None
    click(window, qtbot, "grid:blocks.1.attn.pattern[3]")
    assert window.canvas.view.selected == "grid:blocks.1.attn.pattern[3]"
    assert "head 4" in window.inspector.text.toPlainText()


def test_the_plots_are_of_runs_like_the_one_on_the_stage(window: Window, qtbot: QtBot) -> None:
    """Position off, or another precision, and the marker tells no times or FLOPs of other runs."""

    def measured() -> bool:
        return not (window.first.busy or window.first.measuring)

    def flops() -> tuple[int, int]:
        rows = {row.tokens: row.flops for row in window.canvas.view.growth}
        return rows[5]

    qtbot.waitUntil(measured, timeout=60_000)
    for pressed in ("P", "P"):
        key(window, qtbot, pressed)
        qtbot.waitUntil(measured, timeout=60_000)
        pair = window.first.pair
        assert pair is not None
        assert flops() == (pair.chain.flops, pair.grid.flops)
    asked = window.first.studies._how_run
    assert asked is not None
    assert (asked.positions, asked.precision) == (True, "float32")
    key(window, qtbot, "Q")
    qtbot.waitUntil(lambda: window.first.studies._how_run != asked, timeout=30_000)
    assert window.first.studies._how_run == asked._replace(precision="float16")


def test_the_marker_of_the_plots_stays_where_it_is_when_a_switch_is_switched(
    window: Window, qtbot: QtBot
) -> None:
    def measured() -> bool:
        return not (window.first.busy or window.first.measuring)

    qtbot.waitUntil(measured, timeout=60_000)
    window.activate("length:24")
    for pressed in ("P", "A"):
        key(window, qtbot, pressed)
        qtbot.waitUntil(lambda: len(window.canvas.view.growth) < 3, timeout=20_000)
        assert window.canvas.view.length is None  # not measured yet: no number of another run
        qtbot.waitUntil(measured, timeout=60_000)
        assert window.canvas.view.length == 24


def test_other_lengths_are_measured_on_the_device_of_the_run(
    window: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[str] = []
    on = compute.computing_on

    def noted(device: Device) -> AbstractContextManager[None]:
        used.append(device.name)
        return on(device)

    studies = window.first.studies
    monkeypatch.setattr("app.compute.computing_on", noted)
    monkeypatch.setattr(studies, "_device", lambda: replace(HOST, name="that card"))
    monkeypatch.setattr(
        "app.studies._how_run", lambda pair: _HowRun(DEFAULT_PAIR, True, "float32", "")
    )
    compute._measured.cache_clear()
    window.first._show()
    qtbot.waitUntil(lambda: len(window.canvas.view.growth) == 2, timeout=20_000)
    assert "that card" in used
    compute._measured.cache_clear()


def test_what_each_word_does_is_shown_on_demand(window: Window, qtbot: QtBot) -> None:
    def spreads() -> list[Spread]:
        return list(window.canvas.view.spreads)

    key(window, qtbot, "End")
    assert spreads() == []
    key(window, qtbot, "I")
    qtbot.waitUntil(lambda: len(spreads()) == 2, timeout=20_000)
    chain, grid = spreads()
    assert (chain.side, grid.side) == ("chain", "grid")
    assert max(range(4), key=lambda i: chain.values[i]) == 1  # "cat" decides the verb
    click(window, qtbot, "chain:rnn.h.3")
    qtbot.waitUntil(lambda: [spread.state for spread in spreads()] == [3, 0, 3], timeout=20_000)
    assert len(spreads()[2].values) == 3  # what state 3 would look at so far
    shares = spreads()[0].values
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    assert shares[3:] == (0, 0)  # of what comes later there is nothing in it
    key(window, qtbot, "I")
    key(window, qtbot, "I")
    assert spreads() == []


def test_what_each_word_does_is_given_up_when_nobody_waits_for_it(
    window: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, given_up = threading.Event(), threading.Event()

    def endless(*_: object, stop: Callable[[], bool], **__: object) -> None:
        begun.set()
        while not stop():
            time.sleep(0.001)
        given_up.set()
        raise Stopped

    monkeypatch.setattr("app.compute.leave_one_out", endless)
    key(window, qtbot, "I")
    assert begun.wait(20)
    assert not given_up.is_set()
    key(window, qtbot, "I")  # another question
    assert given_up.wait(20)
    given_up.clear()
    window.close()
    assert given_up.wait(20)


def test_a_word_is_made_unknown_or_left_out_and_which_is_said_and_remembered(
    window: Window, qtbot: QtBot, tmp_path: Path
) -> None:
    def spreads() -> list[Spread]:
        return list(window.canvas.view.spreads)

    def picture() -> Picture:
        shown = window.canvas.picture()
        assert shown is not None
        return shown

    pair = window.first.pair
    assert pair is not None
    assert INFLUENCES == (REPLACED, LEFT_OUT)
    key(window, qtbot, "End")
    for how, words in ((REPLACED, "with the word unknown"), (LEFT_OUT, "with the word left out")):
        key(window, qtbot, "I")
        about = how.replace(" ", "_")
        assert window.notice.text() == SAY(f"window.influence_{about}")
        qtbot.waitUntil(lambda: len(spreads()) == 2, timeout=20_000)
        for spread in spreads():
            assert spread.about == about
            expected = influence(pair, spread.side, how).moved
            assert np.array_equal(spread.values, expected, equal_nan=True)
        assert words in svg(picture())
        said = {"replaced": "made unknown moves", "left_out": "left out moves"}[about]
        assert any(said in title for _, title, _ in named(picture()))
    assert influence(pair, "grid", REPLACED).moved != influence(pair, "grid", LEFT_OUT).moved
    window.close()
    again = Window(tmp_path / "session.json")
    again.show()
    again.begin()
    qtbot.waitUntil(
        lambda: [spread.about for spread in again.canvas.view.spreads] == ["left_out"] * 2,
        timeout=30_000,
    )
    again.do("influence")
    assert again.canvas.view.spreads == ()
    assert again.notice.text() == SAY("window.influence_off")
    again.close()


def test_what_is_open_opens_one_level_deeper_and_back(
    window: Window, qtbot: QtBot, tmp_path: Path
) -> None:
    key(window, qtbot, "End")
    click(window, qtbot, "chain:rnn.h.3")
    assert window.first.selection.scene == "rnn-transformer"
    key(window, qtbot, "Return")
    assert window.first.selection.scene == "opened"
    assert window.canvas.view.selected == "chain:rnn.h.3"
    click(window, qtbot, "chain:rnn.a.3[0]")  # what it is made of
    assert window.canvas.view.selected == "chain:rnn.a.3[0]"
    assert "rnn.a.3[0]" in window.inspector.text.toPlainText()
    path = tmp_path / "opened.svg"
    window.export_stage(ending=".svg", path=str(path))
    settled(window, qtbot)
    assert "recomputed" in path.read_text(encoding="utf-8")
    key(window, qtbot, "Backspace")
    assert window.canvas.view.selected == "chain:rnn.h.3"
    key(window, qtbot, "Esc")
    assert window.first.selection.scene == "rnn-transformer"
    assert window.canvas.view.selected == "chain:rnn.h.3"
    key(window, qtbot, "Esc")
    assert window.canvas.view.selected == ""


def test_an_opened_number_waits_for_its_tick(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "End")
    for _ in range(2):
        click(window, qtbot, "chain:rnn.h.5")
    assert window.first.selection.scene == "opened"
    key(window, qtbot, "Home")  # it is not computed yet: the stage shows what is
    assert window.first.selection.scene == "rnn-transformer"
    key(window, qtbot, "End")
    assert window.first.selection.scene == "opened"
    click(window, qtbot, "crumb:0")
    assert window.first.selection.scene == "rnn-transformer"
    window.first.sentences.set_text("the dogs ___")  # three tokens: there is no state 5
    settled(window, qtbot)
    assert window.canvas.view.selected == ""


def test_hover_lights_what_a_node_reads(window: Window, qtbot: QtBot) -> None:
    window.player.seek(13)
    point = window.canvas.place_of("chain:rnn.h.3")
    assert point is not None
    before = window.canvas.picture()
    qtbot.mouseMove(window.canvas, point + QPoint(0, -20))
    qtbot.waitUntil(lambda: window.canvas.view.hovered.startswith("chain:rnn.h.3"))
    lit = window.canvas.picture()
    assert before is not None
    assert lit is not None
    assert len(lit.shapes) == len(before.shapes) + 2  # the state before, and the word


def test_a_block_is_chosen_at_rest_and_gone_to_while_another_runs(
    window: Window, qtbot: QtBot
) -> None:
    key(window, qtbot, "End")
    click(window, qtbot, "layer:0")
    assert (window.player.tick, window.canvas.view.layer) == (13, 0)
    key(window, qtbot, "Y")
    assert (window.player.tick, window.canvas.view.layer) == (13, 1)
    window.player.seek(3)  # softmax of the first block
    click(window, qtbot, "layer:1")
    assert window.player.tick == 9
    assert "blocks.1" in window.canvas.element_at(
        QPointF(window.canvas.place_of("grid:blocks.1.attn.pattern[0,0]") or QPoint())
    )
    key(window, qtbot, "Y")
    assert window.player.tick == 3


def test_the_next_block_is_drawn_before_it_is_asked_for(window: Window, qtbot: QtBot) -> None:
    window.player.seek(3)  # the chain reads: another block would be at another tick
    expected = window.canvas.expected
    assert expected() is None
    window.player.seek(window.player.last)
    settled(window, qtbot)
    coming = expected()
    assert coming is not None
    key(window, qtbot, "Y")
    assert window.canvas.view == coming
    assert expected() == coming._replace(layer=1 - (coming.layer or 0))
    window.player.seek(window.player.last - 1)
    window.player.play()
    assert expected() is None


def test_a_frozen_state_stands_beside_what_is_changed(
    window: Window, qtbot: QtBot, tmp_path: Path
) -> None:
    def said() -> str:
        picture = window.canvas.picture()
        assert picture is not None
        return svg(picture)

    key(window, qtbot, "End")
    key(window, qtbot, "F")
    assert window.first.selection.scene == "compare"
    assert "A, frozen" in said()
    assert window.notice.text() == SAY("window.freeze")
    window.first.sentences.set_text("the dogs that slept ___")
    settled(window, qtbot)
    assert "dogs" in said()
    assert "cat" in said()
    path = tmp_path / "compared.svg"
    window.export_stage(ending=".svg", path=str(path))
    settled(window, qtbot)
    assert "B, now" in path.read_text(encoding="utf-8")
    key(window, qtbot, "F")
    assert window.first.selection.scene == "rnn-transformer"
    for ends in ("F", "Esc"):
        key(window, qtbot, "F")
        assert window.notice.text() == SAY("window.freeze")
        key(window, qtbot, ends)
        assert window.first.selection.scene == "rnn-transformer"
        assert not window.notice.text()  # that it is frozen is said no more


def test_of_a_chain_of_both_directions_a_tick_tells_of_both(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "D")
    settled(window, qtbot)
    pair = window.first.pair
    assert pair is not None
    window.player.seek(2)
    titles = [stage.title for stage in pair.chain.stages_at[2]]
    assert len(titles) == 2
    said = f"{window.first.title(2)[1]} {window.inspector.text.toPlainText()}"
    for title in titles:
        assert said.count(title) == 2
    flops = window.inspector.text.toPlainText().partition("Transformer")[0].count("FLOP")
    assert flops == 2 * len({step.op for step in pair.chain.steps_of("read.2")} - {"view"})


def test_the_inspector_is_read_by_keys(window: Window, qtbot: QtBot) -> None:
    window.player.seek(13)
    window.activate("chain:rnn.h.3[4]")
    key(window, qtbot, "Ctrl+Shift+I")
    assert window.inspector.text.hasFocus()
    key(window, qtbot, "Tab")
    key(window, qtbot, "Return")
    assert window.canvas.view.selected != "chain:rnn.h.3[4]"
    key(window, qtbot, "Backspace")
    assert window.canvas.view.selected == "chain:rnn.h.3[4]"
    key(window, qtbot, "Esc")
    assert window.canvas.view.selected == ""
    assert window.canvas.hasFocus()
    key(window, qtbot, "Tab")
    assert window.canvas.ringed


COUNTERS = ("depth", "flops", "seconds", "parameters", "memory")


@pytest.mark.parametrize("side", ["chain", "grid"])
def test_every_counter_opens_by_click_and_stays_while_ticks_pass(
    window: Window, qtbot: QtBot, side: str
) -> None:
    assert window.first.pair is not None
    for what in COUNTERS:
        click(window, qtbot, f"count:{side}:{what}")
        page = window.inspector.text.toPlainText()
        assert SAY(f"count.{what}") in page
        assert "Tick" not in page
        key(window, qtbot, "Right")
        settled(window, qtbot)
        assert SAY(f"count.{what}") in window.inspector.text.toPlainText()
        assert window.canvas.view.selected == f"count:{side}:{what}"
    assert window.player.tick == len(COUNTERS)
    key(window, qtbot, "Esc")
    assert f"Tick {len(COUNTERS)}" in window.inspector.text.toPlainText()
    assert not window.canvas.view.selected


def test_a_counter_opens_by_keys_and_stays_when_it_is_opened_again(
    window: Window, qtbot: QtBot
) -> None:
    for _ in range(200):
        key(window, qtbot, "Tab")
        if window.canvas.ringed == "count:tokens":
            break
    for _ in range(2):  # there is nothing one level deeper
        key(window, qtbot, "Return")
        assert window.first.selection.scene == "rnn-transformer"
        assert SAY("count.tokens_small") in window.inspector.text.toPlainText()


def test_a_step_of_the_longest_chain_opens_at_its_own_tick_and_backspace_goes_back(
    window: Window, qtbot: QtBot
) -> None:
    assert window.first.pair is not None
    window.activate("count:chain:depth")
    links = window.inspector.text.links
    assert [link for link in links if window.first.pair.find(link) is None] == []
    window.inspector.linked.emit("chain:attn.pattern")
    assert window.player.tick == window.first.pair.chain.ticks["look_back"]
    assert window.canvas.view.selected == "chain:attn.pattern"
    assert "attn.pattern" in window.inspector.text.toPlainText()
    window.inspector.linked.emit("chain:rnn.h.2")  # was computed before: the clock stays
    assert window.player.tick == window.first.pair.chain.ticks["look_back"]
    key(window, qtbot, "Backspace")
    key(window, qtbot, "Backspace")
    assert window.canvas.view.selected == "count:chain:depth"
    assert "longest chain" in window.inspector.text.toPlainText()


def test_a_counter_of_another_run_is_that_of_the_run_on_the_stage(
    window: Window, qtbot: QtBot
) -> None:
    window.activate("count:chain:depth")
    assert "Depth: 26" in window.inspector.text.toPlainText()
    window.first.sentences.set_text("the small birds near the river ___")
    settled(window, qtbot)
    assert window.first.pair is not None
    assert f"Depth: {window.first.pair.chain.depth}" in window.inspector.text.toPlainText()
    assert window.first.pair.chain.depth == 32


def test_the_page_of_flops_follows_the_marker_of_the_plots(window: Window, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: len(window.canvas.view.growth) > 4, timeout=30_000)
    window.activate("count:grid:flops")
    window.activate("length:3")
    row = next(row for row in window.canvas.view.growth if row.tokens == 3)
    page = re.sub(r"\s", "", window.inspector.text.toPlainText())  # thin and wide spaces alike
    assert f"T=3{row.flops[1]}T=5" in page


def test_what_a_comparison_does_not_show_is_not_changed_behind_it(
    window: Window, qtbot: QtBot
) -> None:
    key(window, qtbot, "F")
    before = window.canvas.view
    for name in ("L", "C", "I", "V"):
        key(window, qtbot, name)
        assert "changes nothing here" in window.notice.text()
    assert window.canvas.view == before


def test_opening_what_is_open_already_keeps_the_way_back(window: Window, qtbot: QtBot) -> None:
    key(window, qtbot, "End")
    for _ in range(2):
        click(window, qtbot, "chain:rnn.h.2")
    click(window, qtbot, "chain:rnn.a.2[0]")
    window.activate("chain:rnn.a.2[0]")
    key(window, qtbot, "Backspace")
    assert window.first.selection.scene == "opened"
    assert window.canvas.view.selected == "chain:rnn.h.2"


def test_what_is_not_drawn_of_a_long_text_can_be_pointed_at_and_opened(
    window: Window, qtbot: QtBot
) -> None:
    window.first.sentences.set_text("the cat " * 300 + "___")
    settled(window, qtbot)
    key(window, qtbot, "End")
    for name in (
        "grid:blocks.1.attn.pattern[0,600,0]",
        "chain:rnn.h.601",
        "chain:attn.pattern[580]",
    ):
        window.canvas.show_with(hovered=name)
        assert window.canvas.picture() is not None
        window.first.follow(name)
        assert window.canvas.picture() is not None


def test_a_picture_that_fails_is_said_and_ends_nothing(window: Window, qtbot: QtBot) -> None:
    def broken(*_: object) -> Any:
        return ()[1]  # type: ignore[misc]

    window.canvas._scene = broken
    window.canvas._changed()
    window.canvas.repaint()
    assert "IndexError" in window.notice.text()
    window.first.sentences.compute()
    settled(window, qtbot)
    assert window.canvas.picture() is not None


def test_the_keyboards_ring_does_not_outlive_its_element(window: Window, qtbot: QtBot) -> None:
    window.first.sentences.set_text(
        "the small birds behind the big houses near the river ___ quietly"
    )
    settled(window, qtbot)
    while window.canvas.ringed != "ask:7":
        key(window, qtbot, "Tab")
    window.first.sentences.set_text("the cat ___")
    settled(window, qtbot)
    key(window, qtbot, "Return")
    key(window, qtbot, "X")
    assert (window.canvas.view.query, window.canvas.view.pinned_word) == (None, None)
    assert not window.first.selection.is_open

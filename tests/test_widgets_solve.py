"""Chapter 4 as a picture: pure, complete, legible, and every number of it asked, run or timed."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from pictures import check_texts, flat, texts
from pytestqt.qtbot import QtBot

from app import asker, learning, solving
from app.solving import Wish
from engine import rules
from widgets import captions, remember, solve_pages, theme
from widgets.geometry import SCREEN_PART, STRIP_PX
from widgets.hit import named
from widgets.inspector import Inspector
from widgets.picture import Group, Picture
from widgets.scenes import analytical_empirical as scene
from widgets.scenes.analytical_empirical import Solved, analytical_empirical
from widgets.scenes.analytical_empirical.parts import percent
from widgets.scenes.analytical_empirical.program import laid_out
from widgets.scenes.analytical_empirical.rows import ROWS
from widgets.scenes.analytical_empirical.subject import Ablation, Case, Moment, Right, Sure, Times
from widgets.svg import svg
from widgets.view import View

GOLDENS = Path(__file__).parent / "goldens"
SAY = captions.load("en")
THEMES = ("light", "dark", "contrast", "contrast-dark")
# Name of the golden, subject, tick from where, theme.
CASES = (
    ("typo", "typo", 8, "light"), ("train", "trained", 6, "dark"),
    ("brackets", "brackets", 20, "light"), ("compare", "exceptions", -1, "light"),
)  # fmt: skip
WISHES = {
    "typo": Wish(), "trained": Wish(), "exceptions": Wish(case="exceptions"),
    "outside": Wish(case="out-of-range"),
    "brackets": Wish(task="brackets", model="transformer", case="clean"),
    "chain": Wish(task="brackets", model="gru", case="out-of-range"),
    "translator": Wish(model="transformer", case="clean"),
    "long": Wish(text="wednesday, 21st of september in the year 2019, a very long date"),
    "many": Wish(task="brackets", model="transformer", case="clean", text="([{}])" * 12),
}  # fmt: skip
STEADY = Times(2.5e-6, 2.4e-6, 4.7e-3, 3.4e-4, 256, 10, 275)


@lru_cache(maxsize=16)
def subject_of(name: str) -> Solved:
    """Return a subject whose times do not change from run to run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(solving, "ENOUGH", 64)  # sentences: which is not what these tests are about
        made = solving.solve(WISHES[name], 130 if name == "trained" else 0)
    times = STEADY._replace(rule_depth=len(made.ran.lines))
    moments = tuple(
        replace(m, written=replace(m.written, seconds=5e-3)) if m.written else m
        for m in made.moments
    )
    return replace(made, times=times, moments=moments)


def view_of(width: float = 1188, height: float = 728, name: str = "light", **more: Any) -> View:
    return View(width, height, theme.load(name), SAY, **more)


def golden(name: str, *_: object) -> Path:
    return GOLDENS / f"analytical-empirical-{name}.svg"


def drawn(name: str, which: str, tick: int, theme_name: str) -> str:
    subject = subject_of(which)
    at = tick if tick >= 0 else subject.last_tick
    return svg(analytical_empirical(subject, at, view_of(name=theme_name)))


def rounded(text: str) -> str:
    """Return a picture without what depends on the last bits of a processor's sums."""
    import re

    return re.sub(r'fill="#[0-9A-Fa-f]{6}"|\d+\.\d+', "~", text)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_pictures_are_the_golden_ones(case: tuple[str, str, int, str]) -> None:
    assert rounded(drawn(*case)) == rounded(golden(*case).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", WISHES)
def test_every_text_is_within_the_picture_large_enough_and_upon_no_other(name: str) -> None:
    subject = subject_of(name)
    ticks = {0, 1, subject.last_moment, subject.last_moment + 1, subject.last_tick - 2,
             subject.last_tick}  # fmt: skip
    for width, height in (
        (1188, 700),
        (1188, 728),
        (1244, 700),
        (1400, 900),
        (1188, 891),
        (1188, 950),
    ):
        for controls in (True, False):
            for tick in ticks:
                view = view_of(width, height, controls=controls)
                check_texts(analytical_empirical(subject, tick, view), f"{name} {tick}")


@pytest.mark.parametrize("name", ["typo", "brackets"])
def test_what_a_number_is_of_is_not_cut_off(name: str) -> None:
    slow = Times(2.97e-6, 5.39e-6, 16.1e-3, 1.32e-3, 256, 38, 428)
    subject = replace(subject_of(name), times=slow)
    for size in ((1188, 700), (1188, 728), (1400, 900), (1188, 891), (1188, 950)):
        for controls in (True, False):
            view = view_of(*size, controls=controls)
            shown = [t.text for t in texts(analytical_empirical(subject, subject.last_tick, view))]
            assert shown.count("alone") == 2, size
            assert not [text for text in shown if "…" in text and "steps" not in text], size


@pytest.mark.parametrize("theme_name", THEMES)
def test_every_theme_has_the_same_legible_words(theme_name: str) -> None:
    subject = subject_of("typo")
    picture = analytical_empirical(subject, 8, view_of(name=theme_name))
    check_texts(picture, theme_name)
    usual = analytical_empirical(subject, 8, view_of())
    assert [t.text for t in texts(picture)] == [t.text for t in texts(usual)]


def test_the_class_can_read_what_it_must() -> None:
    subject = subject_of("typo")
    for height in (700, 740, 800, 891, 950):
        view = view_of(1188, height, controls=False)
        for tick in (0, 8, subject.last_tick):
            for text in texts(analytical_empirical(subject, tick, view)):
                if text.read_by_class:
                    assert text.size >= (height + STRIP_PX) / SCREEN_PART, text


def test_the_same_subject_gives_the_same_picture() -> None:
    one, two = (analytical_empirical(subject_of("typo"), 5.5, view_of()) for _ in range(2))
    assert one == two


@pytest.mark.parametrize("case", ["clean", "out-of-range", "typo", "exceptions"])
def test_accuracies_are_those_of_evaluate(case: str) -> None:
    """Both are asked the very sentences that ``unrolled evaluate`` asks: in rounds, by seeds."""
    found = subject_of({"out-of-range": "outside"}.get(case, "typo"))
    for who, share in (("rule", found.rule[case]), ("gru-bahdanau", found.moments[-1].right[case])):
        rounds = share.asked // solving.ROUND
        asked = [
            learning.evaluate("dates", who, case, count=solving.ROUND, seed=asker.SEED + k)
            for k in range(rounds)
        ]
        assert rounds == 2
        assert share.right == sum(round(a["accuracy"] * solving.ROUND) for a in asked), who
        assert 0 <= share.low <= share.share <= share.high <= 1
    low, high = learning.share(share.right, share.asked)["interval"]
    assert (share.low, share.high) == (low, high)


def test_the_switch_shows_both_accuracies_of_every_case_and_brackets_say_what_is_not_asked() -> (
    None
):
    subject = subject_of("typo")
    seen = [t.text for t in texts(analytical_empirical(subject, subject.last_tick, view_of()))]
    for case in subject.cases:
        for share in (subject.rule[case.id], subject.moments[-1].right[case.id]):
            assert percent(share) in seen
    brackets = analytical_empirical(subject_of("brackets"), 0, view_of())
    seen = [t.text for t in texts(brackets)]
    assert SAY("solve.not.typo") in seen
    assert SAY("solve.not.exceptions") in seen


def test_the_line_that_runs_is_framed_and_its_state_is_that_of_the_run() -> None:
    subject = subject_of("typo")
    yellow = theme.load("light").now_edge
    for done, line in enumerate(subject.ran.lines, start=1):
        tick = subject.last_moment + done
        picture = analytical_empirical(subject, tick, view_of())
        frames = [s for s in flat(picture.shapes) if getattr(s, "stroke", None) == yellow]
        lines = [t for t in texts(picture) if t.name == f"line:{line.number}"]
        assert any(f.y <= t.y <= f.y + f.height for f in frames for t in lines)  # type: ignore[union-attr]
        assert f"line {line.number + 1} of {len(subject.source)}" in [
            t.text for t in texts(picture)
        ]
    assert subject.source == rules.RULES["dates"].source


@pytest.mark.parametrize("name", ["typo", "brackets", "trained"])
@pytest.mark.parametrize("height", [728, 640])
def test_no_line_of_the_program_is_cut_in_half(name: str, height: int) -> None:
    subject, view = subject_of(name), view_of(height=height)
    for tick in range(subject.last_tick + 1):
        drawn: dict[str, list[str]] = {}
        for text in texts(analytical_empirical(subject, tick, view)):
            if text.name.startswith("line:"):
                drawn.setdefault(text.name, []).append(text.text)
        assert drawn
        for line, pieces in drawn.items():
            whole = subject.source[int(line.removeprefix("line:"))]
            assert "".join(pieces).replace(" ", "") == whole.replace(" ", "")


def test_one_step_of_descent_is_no_steps() -> None:
    subject = subject_of("trained")
    tick = next(t for t in range(subject.last_tick) if subject.moment_at(t).step == 1)
    read = [t.text for t in texts(analytical_empirical(subject, tick, view_of()))]
    assert "step of descent" in read


def test_all_of_the_program_is_laid_out_word_by_word() -> None:
    source = rules.RULES["dates"].source
    rows = laid_out(source, 360, 16)
    for number, line in enumerate(source):
        words = "".join("".join(text.split()) for n, _, text in rows if n == number)
        assert words == "".join(line.split())


def test_symbols_come_one_by_one_beside_the_lines_and_stay() -> None:
    subject = subject_of("typo")
    counts = [subject.digits_at(t) for t in range(subject.last_moment + 1, subject.last_tick + 1)]
    assert counts[:3] == [1, 2, 3]
    assert counts[-1] == 10
    assert subject.digits_at(0) == 0
    assert sum(subject.moments[-1].written.weights[0]) == pytest.approx(1, abs=1e-5)  # type: ignore[union-attr]


def test_a_training_can_be_scrubbed_backwards() -> None:
    subject = subject_of("trained")
    assert [m.step for m in subject.moments] == [0, 1, 2, 4, 8, 16, 32, 64, 100, 128, 130]
    first, last = (
        [t.text for t in texts(analytical_empirical(subject, tick, view_of()))]
        for tick in (1, subject.last_moment)
    )
    assert "step 0 of 1600" in first
    assert "step 130 of 1600" in last
    assert subject.moments[0].written != subject.moments[-1].written
    assert all(m.right for m in subject.moments if m.step in (1, 100, 130))


@pytest.mark.parametrize("name", ["typo", "brackets", "chain", "translator", "trained"])
def test_every_element_has_a_page_and_every_page_its_numbers(name: str) -> None:
    subject = subject_of(name)
    picture = analytical_empirical(subject, subject.last_tick, view_of())
    names = {n[0] for n in named(picture) if not n[0].startswith("choose:")}
    assert {"right:rule", "right:network", "row:theory", "row:precise"} <= names
    assert any(n.startswith("line:") for n in names)
    assert any(n.startswith("digit:") for n in names)
    assert all(solve_pages.is_element(subject, n) for n in names)
    assert not solve_pages.is_element(subject, "line:99999")
    assert not solve_pages.is_element(subject, "row:nothing")


# ---- what is drawn anew while a network is trained -----------------------------------------------


def others(subject: Solved) -> dict[str, Solved]:
    """Return for every field of what is solved the same with another value there."""
    last, found = subject.moments[-1], Right(1, 2, 0.01, 0.99)
    written = replace(last.written, sure=(0.5,) * len(last.written.sure))  # type: ignore[type-var, union-attr]
    values: dict[str, Any] = {
        "task": "dates" if subject.task == "brackets" else "brackets",
        "text": subject.text + "1", "own": not subject.own,
        "case": "clean" if subject.case != "clean" else "out-of-range", "wanted": "1999-01-01",
        "ran": replace(subject.ran, answer=None, reason="for a test", lines=subject.ran.lines[:3]),
        "source": (*subject.source[:3], "pass"), "lines": subject.lines + 1,
        "cases": (Case("clean", "7 may 2020"), *subject.cases[1:]),
        "rule": {case: found for case in subject.rule}, "model": "other", "network": "another",
        "parameters": subject.parameters + 1, "steps": subject.steps + 7,
        "moments": (*subject.moments, Moment(
            last.step + 5, {case: found for case in last.right}, written, last.head,
        )),
        "losses": (*subject.losses[:-1], (subject.losses[-1][0] if subject.losses else 0, 99.0)),
        "running": not subject.running, "trained_here": not subject.trained_here,
        "seed": subject.seed + 1, "rate": 0.5, "width": 999, "batch": 65,
        "examples": subject.examples + 1, "times": STEADY._replace(rule=1.0, depth=9),
        "ablation": Ablation("uniform", subject.case, found, found),
        "sure": {subject.case: Sure(0.25, 0.125, 64)}, "descent": None,
    }  # fmt: skip
    assert set(values) == {field.name for field in fields(Solved)}
    changed = {name: replace(subject, **{name: value}) for name, value in values.items()}
    return {**changed, "task": replace(changed["task"], case="clean")}  # both tasks have it


def parts_of(picture: Picture) -> dict[str, Group]:
    return {s.slot: s for s in picture.shapes if isinstance(s, Group)}


@pytest.mark.parametrize("name", ["typo", "trained", "brackets"])
def test_what_is_kept_of_a_picture_is_what_would_be_drawn_anew(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = subject_of(name)
    for tick in (0, 1, subject.last_moment, subject.last_moment + 3, subject.last_tick):
        for changed, other in others(subject).items():
            for view in (view_of(), view_of(controls=False)):
                analytical_empirical(subject, tick, view)
                kept = analytical_empirical(other, tick, view)
                remember.forget()
                with monkeypatch.context() as patch:
                    patch.setattr(scene, "_kept", remember.Groups(30))
                    anew = analytical_empirical(other, tick, view)
                remember.forget()
                assert list(flat(kept.shapes)) == list(flat(anew.shapes)), (changed, tick)


@pytest.mark.parametrize("name", ["typo", "trained", "brackets"])
def test_a_page_that_is_not_written_anew_would_be_the_same(name: str, qtbot: QtBot) -> None:
    inspector = Inspector(theme.load("light"), SAY)
    qtbot.addWidget(inspector)
    subject = subject_of(name)
    count = 0

    def page(of: Solved, element: str, tick: int) -> str:
        nonlocal count
        count += 1
        inspector.show_page(count, lambda page: solve_pages.write(page, of, element, tick, SAY))
        return inspector.text.toPlainText()

    elements = ("", "line:1", "digit:2", "right:network", *(f"row:{row}" for row in ROWS))
    for tick in (0, 1, subject.last_moment, subject.last_moment + 3, subject.last_tick):
        for changed, other in others(subject).items():
            if solve_pages.seen(other, tick) == solve_pages.seen(subject, tick):
                for element in elements:
                    same = page(subject, element, tick) == page(other, element, tick)
                    assert same, (changed, element, tick)


def test_a_step_of_training_draws_anew_only_what_it_changes() -> None:
    """Six times a second a training tells where it is: a frame has no time for all of it."""
    subject, view = subject_of("trained"), view_of()
    last = subject.moments[-1]
    written = replace(last.written, sure=(0.5,) * 10)  # type: ignore[type-var]
    more = replace(
        subject, moments=(*subject.moments, replace(last, step=131, written=written)),
        losses=(*subject.losses, (130, 0.1)),
    )  # fmt: skip
    before = parts_of(analytical_empirical(subject, subject.last_moment, view))
    behind = parts_of(analytical_empirical(more, more.last_moment, view))
    anew = {slot.removeprefix("solve ") for slot in behind if behind[slot] is not before[slot]}
    assert anew == {"theory", "program", "network", "curves", "answer"}
    for tick in (1, 4):  # of what was passed nothing has changed
        before = parts_of(analytical_empirical(subject, tick, view))
        behind = parts_of(analytical_empirical(more, tick, view))
        assert [slot for slot in behind if behind[slot] is not before[slot]] == []

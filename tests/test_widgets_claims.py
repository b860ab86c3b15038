"""The claims as a picture: pure, complete, legible, and every number edged by how it is known."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from pictures import check_texts, texts
from test_engine_statements import FULL

from engine.statements import GROUPS, STATEMENTS, Known, Numbers, Verdict, judge
from widgets import captions, theme
from widgets.hit import named
from widgets.picture import Ellipse, Rect
from widgets.picture import Path as Line
from widgets.scenes import SCENES
from widgets.scenes.claims import Claims, claims, verdict_words
from widgets.svg import svg
from widgets.view import View

GOLDENS = Path(__file__).parent / "goldens"
SAY = captions.load("en")
THEMES = ("light", "dark", "contrast", "contrast-dark")
STRIP_PX = 62  # of the screen, for the controls of Present
SUBJECTS = {
    "all": Claims(judge(FULL), FULL.day), "none": Claims(judge(Numbers()), progress=0.0),
}  # fmt: skip
# Subject, tick, theme.
CASES = (("all", 2, "light"), ("all", 16, "dark"), ("all", 30, "light"), ("none", 33, "dark"))


def view_of(width: float = 1188, height: float = 728, name: str = "light", **more: Any) -> View:
    return View(width, height, theme.load(name), SAY, **more)


def golden(which: str, tick: int, theme_name: str) -> Path:
    return GOLDENS / f"claims-{which}-{tick}-{theme_name}.svg"


def drawn(which: str, tick: int, theme_name: str) -> str:
    return svg(claims(SUBJECTS[which], tick, view_of(name=theme_name)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)))
def test_pictures_are_the_golden_ones(case: tuple[str, int, str]) -> None:
    assert drawn(*case) == golden(*case).read_text(encoding="utf-8")


@pytest.mark.parametrize("which", SUBJECTS)
@pytest.mark.parametrize("name", THEMES)
def test_every_text_is_within_the_picture_large_enough_and_upon_no_other(
    which: str, name: str
) -> None:
    subject = SUBJECTS[which]
    for width, height in ((1188, 700), (1188, 728), (1244, 700), (1400, 900), (1188, 891)):
        for controls in (True, False):
            for _, tick, _ in subject.spans:
                view = view_of(width, height, name, controls=controls)
                check_texts(claims(subject, tick, view), f"{which} {tick} {width}x{height}")


def test_the_class_can_read_what_it_must() -> None:
    for height in (700, 740, 891):
        for _, tick, _ in SUBJECTS["all"].spans:
            picture = claims(SUBJECTS["all"], tick, view_of(1188, height, controls=False))
            for text in texts(picture):
                if text.read_by_class:
                    assert text.size >= (height + STRIP_PX) / 48 or text.size >= 16, text


def test_the_statements_of_one_chapter_are_all_there_in_full() -> None:
    subject = SUBJECTS["all"]
    sizes = ((1188, 728), (1188, 700), (1244, 700), (1400, 788), (1188, 891), (1188, 950))
    for (group, first, last), size in itertools.product(subject.spans, sizes):
        picture = claims(subject, first, view_of(*size))
        shown = " ".join(text.text for text in texts(picture))
        assert "…" not in shown.replace("hold if …", ""), (group, size)
        names = [name for name, _, _ in named(picture)]
        for row in subject.rows[first : last + 1]:
            assert f"claim:{row.statement.id}" in names
            assert f"open:{row.statement.id}" in names
            assert row.finding is not None
            assert row.finding.number in shown
        assert sum(name.startswith("claim:") for name in names) == last - first + 1
        assert {f"group:{each}" for each in GROUPS} <= set(names)


def test_the_ticks_are_the_statements_in_their_order() -> None:
    subject = SUBJECTS["all"]
    assert subject.last_tick == len(STATEMENTS) - 1
    assert [span[1] for span in subject.spans[1:]] == [span[2] + 1 for span in subject.spans[:-1]]
    assert subject.at(-3) == 0
    assert subject.at(999) == subject.last_tick
    for tick, each in enumerate(STATEMENTS):
        assert subject.tick_of(each.id) == tick
    assert subject.tick_of("nothing") is None


def test_one_row_is_framed_and_it_is_the_present_one() -> None:
    yellow = theme.load("light").now_edge
    tops = []
    for tick in (0, 5, 13):
        picture = claims(SUBJECTS["all"], tick, view_of())
        frames = [s for s in picture.shapes if isinstance(s, Rect) and s.stroke == yellow]
        assert len(frames) == 1
        boxes = {name: box for name, _, box in named(picture)}
        _, top, _, high = boxes[f"claim:{STATEMENTS[tick].id}"]
        assert frames[0].y <= top <= top + high <= frames[0].y + frames[0].height
        tops.append(frames[0].y)
    assert tops == sorted(set(tops))


def test_edges_say_how_a_number_is_known() -> None:
    subject = SUBJECTS["all"]
    for known, dashed in ((Known.MEASURED, False), (Known.MODELLED, True)):
        group = subject.spans[2]
        rows = subject.rows[group[1] : group[2] + 1]
        wanted = sum(row.finding is not None and row.finding.known == known for row in rows)
        picture = claims(subject, group[1], view_of())
        boxes = [
            s for s in picture.shapes
            if isinstance(s, Rect) and s.stroke == theme.load("light").ink and s.radius == 7
            and s.width > 40 and bool(s.dash) == dashed
        ]  # fmt: skip
        assert len(boxes) == wanted > 0


def test_verdicts_have_signs_of_their_own() -> None:
    from widgets.scenes.claims import verdict_glyph

    light = theme.load("light")
    signs = [verdict_glyph(v, 0.0, 0.0, 9.0, light) for v in (*Verdict, None)]
    kinds = [tuple((type(s), getattr(s, "fill", None)) for s in sign) for sign in signs]
    assert len(set(kinds)) == len(kinds)
    assert [type(s) for s in signs[0]] == [Ellipse, Line]
    for sign in signs:
        for shape in sign:
            assert {getattr(shape, "fill", None), getattr(shape, "stroke", None)} <= {
                None, light.ink, light.onink, light.ink3,
            }  # fmt: skip


def test_counts_at_the_top_are_those_of_the_rows() -> None:
    subject = SUBJECTS["all"]
    shown = [text.text for text in texts(claims(subject, 0, view_of()))]
    for verdict, count in subject.counts.items():
        assert SAY(f"claims.count.{verdict.name.lower()}", count=count) in shown


def test_a_statement_is_told_with_its_verdict() -> None:
    subject, none = SUBJECTS["all"], SUBJECTS["none"]
    picture = claims(subject, 1, view_of())
    assert subject.rows[1].statement.says in picture.description
    assert verdict_words(subject.rows[1], view_of()) == "holds if influence agrees with weight"
    assert verdict_words(none.rows[1], view_of()) == SAY("claims.open_yet")


def test_the_scene_is_in_the_table_and_draws_the_same_twice() -> None:
    view = view_of()
    one, other = (SCENES["claims"](SUBJECTS["all"], 4, view) for _ in range(2))
    assert one == other == claims(SUBJECTS["all"], 4, view)

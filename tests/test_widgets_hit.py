"""Hit test and named elements: what the mouse, the Tab key and a screen reader find."""

from __future__ import annotations

import random
import time

import pytest

from widgets.geometry import text_width
from widgets.hit import bounds, hit, named, title_of
from widgets.picture import Cells, Ellipse, Group, Path, Picture, Rect, Shape, Text


def picture(*shapes: Shape) -> Picture:
    return Picture(width=400, height=300, background="#FFFFFF", shapes=shapes)


def box(name: str, x: float, y: float, title: str = "") -> Rect:
    return Rect(x=x, y=y, width=40, height=20, fill="#336699", name=name, title=title)


ARC = Path(
    commands=(("M", 10.0, 100.0), ("Q", 100.0, 0.0, 190.0, 100.0)),
    stroke="#AA0000", stroke_width=1.0, hit_width=5.0, name="arc",
)  # fmt: skip
RING = Path(
    commands=(
        ("M", 10, 10), ("L", 90, 10), ("L", 90, 90), ("L", 10, 90), ("Z",),
        ("M", 30, 30), ("L", 30, 70), ("L", 70, 70), ("L", 70, 30), ("Z",),
    ),
    fill="#AA0000", name="ring",
)  # fmt: skip


def test_the_topmost_named_shape_is_hit() -> None:
    both = picture(box("below", 0, 0), box("above", 20, 0))
    assert hit(both, 30, 10) == "above"
    assert hit(both, 10, 10) == "below"
    assert hit(both, 200, 200) == ""


def test_a_shape_without_a_name_lets_the_hit_through() -> None:
    assert hit(picture(box("below", 0, 0), box("", 0, 0)), 10, 10) == "below"


def test_a_rectangle_without_fill_is_hit_inside() -> None:
    frame = Rect(x=10, y=10, width=80, height=40, stroke="#000000", name="frame")
    assert hit(picture(frame), 50, 30) == "frame"


def test_the_corner_of_an_ellipse_s_box_is_outside() -> None:
    state = picture(Ellipse(cx=50, cy=50, rx=40, ry=20, fill="#000000", name="state"))
    assert hit(state, 85, 50) == "state"
    assert hit(state, 85, 65) == ""


@pytest.mark.parametrize(
    ("x", "y", "found"),
    [
        (100, 50, "arc"),
        (100, 54.5, "arc"),
        (100, 56, ""),
        (100, 44, ""),
        (100, 5, ""),
        (7, 100, "arc"),
    ],
)
def test_a_curve_is_hit_as_near_as_its_hit_width(x: float, y: float, found: str) -> None:
    assert hit(picture(ARC), x, y) == found


def test_a_filled_path_is_hit_inside_and_not_in_its_hole() -> None:
    assert hit(picture(RING), 20, 50) == "ring"
    assert hit(picture(RING), 50, 50) == ""
    assert hit(picture(RING), 95, 50) == ""


def test_a_line_and_the_cubic_curve_after_it_are_hit() -> None:
    curve = Path(
        commands=(("M", 0, 0), ("L", 0, 50), ("C", 0, 100, 100, 100, 100, 50)),
        stroke="#000000", hit_width=3, name="curve",
    )  # fmt: skip
    assert hit(picture(curve), 50, 87.5) == "curve"
    assert hit(picture(curve), 0, 25) == "curve"


@pytest.mark.parametrize(("anchor", "left"), [("start", 0.0), ("middle", 0.5), ("end", 1.0)])
def test_text_is_hit_where_its_anchor_puts_it(anchor: str, left: float) -> None:
    text = Text(x=200, y=100, text="slept", size=20, fill="#000000", anchor=anchor, name="word")  # type: ignore[arg-type]
    width = text_width("slept", 20)
    start = 200 - left * width
    assert hit(picture(text), start + 1, 95) == "word"
    assert hit(picture(text), start + width - 1, 95) == "word"
    assert hit(picture(text), start - 2, 95) == ""
    assert hit(picture(text), start + width + 2, 95) == ""
    assert hit(picture(text), start + 1, 110) == ""


def test_rotated_text_is_hit_along_its_own_line() -> None:
    text = Text(x=100, y=100, text="attention", size=20, fill="#000000", rotate=90, name="word")
    assert hit(picture(text), 104, 150) == "word"
    assert hit(picture(text), 150, 96) == ""


def test_a_cell_answers_by_its_own_index() -> None:
    colours = (("#000000", "#111111", "#222222"), ("#333333", "#444444", "#555555"))
    index = (("0,0", "0,1", "0,2"), ("1,0", "1,1", "1,2"))
    cells = Cells(x=10, y=10, width=90, height=40, colours=colours, index=index, gap=4, name="w")
    assert hit(picture(cells), 11, 11) == "w[0,0]"
    assert hit(picture(cells), 55, 45) == "w[1,1]"
    assert hit(picture(cells), 100, 50) == "w[1,2]"
    whole = Cells(x=10, y=10, width=90, height=40, colours=colours, name="w")
    assert hit(picture(whole), 55, 45) == "w"


def test_a_group_s_offset_moves_what_is_hit_and_its_clip_stays() -> None:
    moved = picture(Group(shapes=(box("in", 0, 0),), dx=100, dy=50, clip=(100, 50, 20, 20)))
    assert hit(moved, 110, 60) == "in"
    assert hit(moved, 130, 60) == ""  # clipped
    assert hit(moved, 10, 10) == ""


def test_an_invisible_group_is_neither_hit_nor_named() -> None:
    gone = picture(box("seen", 0, 0), Group(shapes=(box("gone", 0, 0),), opacity=0.0))
    assert hit(gone, 10, 10) == "seen"
    assert [name for name, *_ in named(gone)] == ["seen"]
    assert title_of(gone, "gone") == ""


def test_elements_come_in_reading_order_whatever_the_order_of_painting() -> None:
    rows = picture(
        box("d", 100, 102), box("b", 100, 4), box("a", 0, 0), box("c", 0, 98), box("e", 0, 200)
    )
    assert [name for name, *_ in named(rows)] == ["a", "b", "c", "d", "e"]


def test_shapes_of_one_name_are_one_element_with_the_first_title() -> None:
    twice = picture(box("ask:1", 0, 0), box("ask:1", 30, 0, "cat asks"), box("ask:1", 300, 200))
    assert named(twice) == (("ask:1", "cat asks", (0, 0, 70, 20)),)


def test_an_element_s_box_ends_at_its_clip() -> None:
    cut = picture(Group(shapes=(box("in", 0, 0), box("out", 200, 0)), dx=10, clip=(20, 0, 20, 300)))
    assert named(cut) == (("in", "", (20, 0, 20, 20)),)


def test_a_cell_is_called_like_its_matrix() -> None:
    cells = Cells(
        x=0, y=0, width=20, height=10, colours=(("#000000", "#FFFFFF"),), index=(("0", "1"),),
        name="chain:rnn.h.3", title="state 3",
    )  # fmt: skip
    assert title_of(picture(cells), "chain:rnn.h.3[1]") == "state 3"
    assert title_of(picture(cells), "chain:rnn.h.3") == "state 3"
    assert title_of(picture(cells), "chain:rnn.h.4") == ""


def test_bounds_include_the_line() -> None:
    line = Path(commands=(("M", 10, 20), ("L", 60, 20)), stroke="#000000", stroke_width=4)
    assert bounds(line) == (8, 18, 62, 22)
    assert bounds(Path(commands=())) is None
    assert bounds(Group(shapes=(line,), dx=5, clip=(0, 0, 20, 100))) == (13, 18, 20, 22)
    assert bounds(Group(shapes=())) is None


def test_hover_among_1500_shapes_takes_less_than_4_ms() -> None:
    place = random.Random(0)
    links: list[Shape] = []
    for i in range(1500):
        x, y = place.uniform(0, 900), place.uniform(0, 600)
        links.append(
            Path(
                commands=(("M", x, y), ("C", x + 50, y - 90, x + 150, y - 90, x + 200, y)),
                stroke="#000000",
                hit_width=4,
                name=f"link[{i}]",
            )  # fmt: skip
        )
    crowded = picture(Group(shapes=tuple(links)))
    hit(crowded, 0, 0)  # the boxes are found once a picture
    points = [(place.uniform(0, 1100), place.uniform(0, 600)) for _ in range(100)]
    start = time.process_time()
    for x, y in points:
        hit(crowded, x, y)
    assert (time.process_time() - start) / len(points) < 0.004

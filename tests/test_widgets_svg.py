"""SVG: what a viewer, an editor and a screen reader find in the file."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree

import pytest

from widgets.picture import Cells, Ellipse, Group, Path, Picture, Rect, Shape, Text
from widgets.svg import MOST_CELLS, svg

NS = "{http://www.w3.org/2000/svg}"


def picture(*shapes: Shape, title: str = "") -> Picture:
    return Picture(width=400, height=300, background="#FAF9F7", shapes=shapes, title=title)


def parsed(*shapes: Shape) -> ElementTree.Element:
    return ElementTree.fromstring(svg(picture(*shapes)))


def test_a_document_has_its_box_and_the_asked_size() -> None:
    root = ElementTree.fromstring(svg(picture(), width=1600, height=1200))
    assert (root.get("viewBox"), root.get("width"), root.get("height")) == (
        "0 0 400 300", "1600", "1200",
    )  # fmt: skip
    own = ElementTree.fromstring(svg(picture()))
    assert (own.get("width"), own.get("height")) == ("400", "300")


def test_text_stays_text_with_its_typeface_and_tabular_figures() -> None:
    written = svg(picture(Text(x=1, y=2, text="26", size=16.5, fill="#000000", weight=600)))
    root = ElementTree.fromstring(written)
    text = root.find(f"{NS}text")
    assert text is not None
    assert text.text == "26"
    assert (text.get("font-size"), text.get("font-weight")) == ("16.5", "600")
    assert root.get("font-family") == "Inter, 'Helvetica Neue', Arial, sans-serif"
    assert "font-variant-numeric: tabular-nums" in (root.get("style") or "")


def test_an_element_s_title_holds_its_meaning_and_its_tensor_s_name() -> None:
    state = Ellipse(cx=9, cy=9, rx=5, ry=5, fill="#000000", name="chain:rnn.h.3", title="state 3")
    title = parsed(state).find(f"{NS}ellipse/{NS}title")
    assert title is not None
    assert title.text == "state 3 — chain:rnn.h.3"


def test_ids_are_made_of_names_and_unique() -> None:
    names = ["ask:1", "ask:1", "ask-1-2", "ask:1", "3", "grid:x[1,4]", "grid:x[1-4]"]
    root = parsed(*(Rect(x=0, y=0, width=1, height=1, fill="#000000", name=n) for n in names))
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert ids[0] == "ask-1"
    assert len(ids) == len(set(ids)) == len(names)


def test_numbers_have_at_most_two_decimals_and_no_minus_zero() -> None:
    written = svg(picture(Rect(x=-0.001, y=1 / 3, width=2e6, height=10.10, fill="#000000")))
    assert 'x="0" y="0.33" width="2000000" height="10.1"' in written


def test_the_same_picture_gives_the_same_bytes() -> None:
    shapes = (Text(x=0, y=9, text="h", size=12, fill="#000000", name="a"),)
    assert svg(picture(*shapes)) == svg(picture(*shapes))


def test_words_are_escaped_and_control_characters_replaced() -> None:
    word = '<b>&"\x00\x1b\ud800'
    root = parsed(Text(x=0, y=9, text=word, size=12, fill="#000000", name=word, title=word))
    text = root.find(f"{NS}text")
    assert text is not None
    assert "".join(text.itertext()).endswith('<b>&"\N{REPLACEMENT CHARACTER}' + 2 * "\ufffd")


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_number_that_is_not_finite_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="coordinate"):
        svg(picture(Rect(x=number, y=0, width=1, height=1, fill="#000000")))


def test_a_matrix_is_a_rectangle_a_cell_each_with_its_element() -> None:
    colours = (("#000000", "#111111"), ("#222222", "#333333"))
    index = (("0,0", "0,1"), ("1,0", "1,1"))
    root = parsed(
        Cells(x=0, y=0, width=20, height=20, colours=colours, index=index, name="w", gap=2)
    )
    cells = root.findall(f"{NS}g/{NS}rect")
    assert [cell.get("fill") for cell in cells] == ["#000000", "#111111", "#222222", "#333333"]
    assert (cells[3].get("x"), cells[3].get("width")) == ("11", "8")
    assert cells[3].findtext(f"{NS}title") == "w[1,1]"


def test_a_large_matrix_is_pooled_by_maximum_and_says_so() -> None:
    colours = tuple(("#F5F5F3", "#14213D", *["#F5F5F3"] * 2) * 32 for _ in range(128))
    root = parsed(Cells(x=0, y=0, width=9, height=9, colours=colours, name="w", title="pattern"))
    cells = root.findall(f"{NS}g/{NS}rect")
    assert len(cells) == 64 * 64 <= MOST_CELLS
    assert [cell.get("fill") for cell in cells] == ["#14213D", "#F5F5F3"] * 32 * 64
    title = root.findtext(f"{NS}g/{NS}title")
    assert title == "pattern (128 × 128 cells, pooled to 64 × 64 by maximum) — w"


def test_a_group_s_clip_stays_while_its_shapes_move() -> None:
    inner = Rect(x=0, y=0, width=9, height=9, fill="#000000")
    root = parsed(Group(shapes=(inner,), opacity=0.5, dx=4, dy=3, clip=(1, 2, 5, 6)))
    outer = root.find(f"{NS}g")
    assert outer is not None
    clip = root.find(f"{NS}clipPath")
    assert clip is not None
    assert outer.get("clip-path") == f"url(#{clip.get('id')})"
    assert (outer.get("opacity"), outer.get("transform")) == ("0.5", None)
    moved = outer.find(f"{NS}g")
    assert moved is not None
    assert moved.get("transform") == "translate(4 3)"


def test_what_cannot_be_seen_is_not_written() -> None:
    shape = Rect(x=0, y=0, width=9, height=9, fill="#000000", name="gone")
    hidden = Group(shapes=(shape,), opacity=0)
    assert "gone" not in svg(picture(hidden, Group(shapes=(hidden,))))


def test_a_shape_s_opacity_is_that_of_its_fill_and_its_line() -> None:
    path = Path(commands=(("M", 0, 0), ("L", 9, 9)), stroke="#AA0000", stroke_width=2, opacity=0.4)
    drawn = parsed(path).find(f"{NS}path")
    assert drawn is not None
    assert (drawn.get("stroke-opacity"), drawn.get("opacity")) == ("0.4", None)
    assert (drawn.get("d"), drawn.get("fill")) == ("M0 0 L9 9", "none")

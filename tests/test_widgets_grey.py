"""Pictures for paper: no hue is left, lightness stays, and what lies below zero is hatched."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path as File

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtGui import QImage

from app import export
from app.compute import make_pair, still
from engine.trace import Pair
from widgets import captions, theme
from widgets.glyphs import heat
from widgets.grey import LINE, grey, grey_of, lightness, negative
from widgets.hit import hit, named
from widgets.picture import Cells, Command, Ellipse, Group, Path, Picture, Rect, Shape, Text
from widgets.view import View

pytestmark = pytest.mark.usefixtures("qapp")

LIGHT = theme.load("light")
SENTENCES = {
    5: "the cat that slept ___",
    12: "the small birds behind the big houses near the river ___ quietly",
}


@pytest.fixture(scope="module")
def pairs() -> dict[int, Pair]:
    return {
        tokens: make_pair(text, "rnn", "transformer").pair for tokens, text in SENTENCES.items()
    }


def picture_of(*shapes: Shape, colours: theme.Theme = LIGHT) -> Picture:
    return Picture(width=90, height=60, background=colours.stage, shapes=shapes)


def pixels(image: QImage) -> NDArray[np.uint8]:
    """Return the red, green and blue of an image, shape (row, column, 3)."""
    made = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(made.constBits(), np.uint8).reshape(made.height(), made.bytesPerLine())
    return rows[:, : 3 * made.width()].reshape(made.height(), made.width(), 3).copy()


def flat(shapes: tuple[Shape, ...]) -> Iterator[Shape]:
    for shape in shapes:
        if isinstance(shape, Group):
            yield from flat(shape.shapes)
        else:
            yield shape


def ends(path: Path) -> Iterator[tuple[float, float]]:
    for command in path.commands:
        yield command[1], command[2]  # type: ignore[misc]  # lines only


# ------------------------------------------------------------------ colours


@pytest.mark.parametrize("name", theme.NAMES)
def test_a_grey_is_as_light_as_its_colour(name: str) -> None:
    colours = theme.load(name)
    for colour in (*colours.heads, colours.seq, colours.pos, *colours.signed_ramp, colours.now):
        assert grey_of(colour)[1:3] == grey_of(colour)[3:5] == grey_of(colour)[5:7]
        assert lightness(grey_of(colour)) == pytest.approx(lightness(colour), abs=0.3)


def test_the_lightness_of_black_middle_grey_and_white_is_that_of_the_cie() -> None:
    # 0x77 is the grey of L* 50, to 8 bits.
    found = [lightness(colour) for colour in ("#000000", "#777777", "#FFFFFF")]
    assert found == pytest.approx([0, 50, 100], abs=0.1)


@pytest.mark.parametrize("name", theme.NAMES)
def test_only_a_number_below_zero_has_a_negative_colour(name: str) -> None:
    colours = theme.load(name)
    below = negative(colours)
    for share in np.linspace(0.02, 1, 50):
        assert colours.signed_map(-share) in below
        assert colours.signed_map(share) not in below
    assert colours.signed_map(0) not in below
    roles = [value for value in vars(colours).values() if isinstance(value, str)]
    assert not below & {*roles, *colours.heads, *colours.heads_text}


# ------------------------------------------------------------------ hatching


@pytest.mark.parametrize("name", theme.NAMES)
@pytest.mark.parametrize("share", [0.15, 0.5, 0.8, 1.0])
def test_plus_and_minus_are_as_light_and_yet_differ_on_paper(share: float, name: str) -> None:
    colours = theme.load(name)
    row = ((colours.signed_map(share), colours.signed_map(-share)),)
    cells = Cells(x=5, y=5, width=80, height=40, colours=row)
    made = grey(picture_of(cells, colours=colours), colours)
    image = pixels(export.image(made, scale=4.0))[..., 0].astype(int)
    plus, minus = image[40:160, 32:160], image[40:160, 200:328]
    assert plus.std() == 0  # plain
    # Between the lines about as light (the two sides of a map are, within 8 L*), on them not.
    assert np.abs(minus - plus[0, 0]).min() <= 20
    assert np.abs(minus - plus[0, 0]).max() >= 40
    assert minus.std() > 12  # striped


def test_zero_and_what_is_nearly_zero_are_not_louder_than_their_numbers() -> None:
    def contrast(share: float) -> float:
        cells = Cells(x=5, y=5, width=80, height=40, colours=((LIGHT.signed_map(share),),))
        image = pixels(export.image(grey(picture_of(cells), LIGHT)))
        return float(image[10:40, 10:80, 0].std())

    assert contrast(0) == contrast(0.01) == 0
    assert contrast(-0.02) < 8 < contrast(-0.3)


def test_the_lines_of_a_cell_stay_within_it_and_go_on_in_its_neighbour() -> None:
    below, above = LIGHT.signed_map(-0.7), LIGHT.signed_map(0.7)
    cells = Cells(x=7, y=9, width=40, height=40, gap=1.0, colours=((below, above), (below, below)))
    made, lines = grey(picture_of(cells), LIGHT).shapes
    assert isinstance(made, Cells)
    assert made.colours == ((grey_of(below), grey_of(above)), (grey_of(below), grey_of(below)))
    assert isinstance(lines, Path)
    allowed = ((7.5, 9.5), (7.5, 29.5), (27.5, 29.5))  # each 19 px wide and high
    sums = set()
    for x, y in ends(lines):
        assert any(
            left - 1e-9 <= x <= left + 19 + 1e-9 and top - 1e-9 <= y <= top + 19 + 1e-9
            for left, top in allowed
        ), (x, y)
        sums.add(round(x + y, 6))
    assert all(total % 4 == 0 for total in sums)
    assert lines.stroke_width == LINE


def test_a_bead_below_zero_is_hatched_within_its_circle() -> None:
    bead = Ellipse(cx=30, cy=30, rx=20, ry=10, fill=LIGHT.signed_map(-0.8), stroke=LIGHT.ink)
    made, lines = grey(picture_of(bead), LIGHT).shapes
    assert isinstance(made, Ellipse)
    assert isinstance(lines, Path)
    assert len(lines.commands) >= 10
    for x, y in ends(lines):
        assert ((x - 30) / 20) ** 2 + ((y - 30) / 10) ** 2 == pytest.approx(1)
    plain = grey(picture_of(replace(bead, fill=LIGHT.signed_map(0.8))), LIGHT)
    assert len(plain.shapes) == 1


def test_hatching_takes_no_click_and_no_name() -> None:
    cells = heat([-0.9, -0.5, 0.4, 0.9], (5, 5, 80, 40), LIGHT, name="chain:rnn.h.1", title="state")
    before = picture_of(*cells)
    after = grey(before, LIGHT)
    assert len(after.shapes) > len(before.shapes)
    assert named(after) == named(before)
    for x in (15, 35, 55, 75):
        assert hit(after, x, 25) == hit(before, x, 25) != ""


def test_a_group_keeps_its_slot_and_takes_another_image() -> None:
    group = Group(
        shapes=(Rect(x=0, y=0, width=9, height=9, fill=LIGHT.heads[0]),), opacity=0.5, slot="links",
        cache_key="key",
    )  # fmt: skip
    (made,) = grey(picture_of(group), LIGHT).shapes
    assert isinstance(made, Group)
    assert (made.slot, made.opacity) == ("links", 0.5)
    assert made.cache_key != "key"  # the screen would show the image of the coloured one
    (inner,) = made.shapes
    assert isinstance(inner, Rect)
    assert inner.fill == grey_of(LIGHT.heads[0])


# ------------------------------------------------------------------ the stage


def stage(pair: Pair, tick: float, name: str) -> Picture:
    return still(pair, tick, View(1600, 900, theme.load(name), captions.load("en")))


@pytest.mark.parametrize("name", theme.NAMES)
@pytest.mark.parametrize("tokens", list(SENTENCES))
def test_a_png_of_the_stage_has_no_hue_left(
    tokens: int, name: str, pairs: dict[int, Pair], tmp_path: File
) -> None:
    pair = pairs[tokens]
    picture = stage(pair, pair.last_tick, name)
    export.write(grey(picture, theme.load(name)), tmp_path / "a.png", width=1600, height=900)
    image = pixels(QImage(str(tmp_path / "a.png")))
    assert image.shape == (900, 1600, 3)
    assert (image[..., 0] == image[..., 1]).all()
    assert (image[..., 1] == image[..., 2]).all()
    assert image.std() > 20  # something is there


def test_every_negative_number_of_the_states_is_hatched_and_no_other(
    pairs: dict[int, Pair],
) -> None:
    pair = pairs[5]
    after = list(flat(grey(stage(pair, pair.last_tick, "light"), LIGHT).shapes))
    for t in range(1, 6):
        at = next(
            i for i, shape in enumerate(after)
            if isinstance(shape, Cells) and shape.name == f"chain:rnn.h.{t}"
        )  # fmt: skip
        cells = after[at]
        assert isinstance(cells, Cells)
        wide, high = cells.width / 8, cells.height / 2
        hatched = set()
        for shape in after[at + 1 :]:
            if not (isinstance(shape, Path) and shape.stroke_width == LINE and not shape.name):
                break
            points = list(ends(shape))
            for (x1, y1), (x2, y2) in zip(points[::2], points[1::2], strict=True):
                column = int(((x1 + x2) / 2 - cells.x) / wide)
                hatched.add(8 * int(((y1 + y2) / 2 - cells.y) / high) + column)
        state = pair.chain.value(f"rnn.h.{t}")
        assert hatched == {i for i, value in enumerate(state) if value < -0.01}


def test_the_same_hatching_is_in_the_svg(pairs: dict[int, Pair], tmp_path: File) -> None:
    picture = grey(stage(pairs[5], 13, "light"), LIGHT)
    export.write(picture, tmp_path / "a.svg")
    drawn = [s for s in flat(picture.shapes) if isinstance(s, Path) and s.stroke_width == LINE]
    assert drawn
    root = ElementTree.parse(tmp_path / "a.svg").getroot()
    written = [e for e in root.iter() if e.get("stroke-width") == f"{LINE:g}"]
    assert len(written) == len(drawn)
    for element in root.iter():
        for key in ("fill", "stroke"):
            colour = element.get(key, "none")
            assert colour == "none" or colour[1:3] == colour[3:5] == colour[5:7], colour


def test_words_names_and_places_stay(pairs: dict[int, Pair]) -> None:
    before = stage(pairs[12], 5, "dark")
    after = grey(before, theme.load("dark"))
    assert (after.title, after.description) == (before.title, before.description)
    assert named(after) == named(before)
    for a, b in zip(
        (s for s in flat(before.shapes) if isinstance(s, Text)),
        (s for s in flat(after.shapes) if isinstance(s, Text)),
        strict=True,
    ):
        assert replace(a, fill="") == replace(b, fill="")


COMMANDS: tuple[Command, ...] = (("M", 0, 0), ("L", 9, 9), ("L", 0, 9), ("Z",))


def test_a_path_keeps_its_form_in_grey() -> None:
    path = Path(commands=COMMANDS, fill="#D9790F", stroke="#1F6FDB", dash=(2.0, 2.0))
    (made,) = grey(picture_of(path), LIGHT).shapes
    assert made == replace(path, fill=grey_of("#D9790F"), stroke=grey_of("#1F6FDB"))

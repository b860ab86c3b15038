"""The painter: kept images change nothing but the time, and SVG and screen look the same."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from importlib.resources import files

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QByteArray
from PySide6.QtGui import QColor, QFont, QFontDatabase, QImage, QPainter, QRawFont
from PySide6.QtSvg import QSvgRenderer

from app.export import outlined
from widgets.fonts import register_fonts
from widgets.geometry import text_width
from widgets.painter import (
    FALLBACKS,
    FAMILIES,
    MANY_CELLS,
    SHAPING_SIZE,
    Painter,
    font,
    paint_once,
    text_outline,
)
from widgets.picture import Cells, Ellipse, Group, Path, Picture, Rect, Shape, Text
from widgets.svg import svg

pytestmark = pytest.mark.usefixtures("qapp")

# What equations and captions may hold beyond letters.
MARKS = "⊤√⊙Σσ…−×·–—“”’←→↑↓≈≤≥∞αβθµ½⟨⟩‖∂′ΦφγηεL"

Pixels = NDArray[np.int16]


def shapes() -> tuple[Shape, ...]:
    """Return one of everything."""
    return (
        Rect(x=10, y=10, width=100, height=40, radius=8, fill="#EBE9E4", stroke="#445060"),
        Rect(x=10.5, y=60.5, width=99, height=30, fill="#FFDD66", stroke="#16202C", stroke_width=2),
        Rect(x=10, y=100, width=60, height=20, radius=5, stroke="#8899AA", dash=(4, 3)),
        Ellipse(cx=160, cy=40, rx=30, ry=24, fill="#F9F8F6", stroke="#16202C", stroke_width=2),
        Path(
            commands=(("M", 10, 150), ("C", 80, 100, 150, 200, 220, 150)),
            stroke="#109BA8", stroke_width=5, opacity=0.7,
        ),
        Path(
            commands=(("M", 150, 90), ("L", 200, 90), ("Q", 220, 110, 200, 130), ("Z",)),
            fill="#C42A20", stroke="#16202C", opacity=0.5,
        ),
        Path(
            commands=(("M", 10, 180), ("L", 220, 180)),
            stroke="#16202C", stroke_width=3, dash=(6, 2, 1), cap="round",
        ),
        Text(x=240, y=40, text="h_3 attends 0.97", size=16.5, fill="#16202C", weight=600),
        Text(x=330, y=70, text="Sequential", size=23, fill="#16202C", family="display", weight=700,
             anchor="end"),
        Text(x=240, y=100, text="rnn.h.3[1]", size=14, fill="#445060", family="mono"),
        Text(x=380, y=150, text="rotated", size=14, fill="#445060", rotate=-90, anchor="middle"),
        Cells(x=240, y=120, width=80, height=32, gap=2,
              colours=(("#113355", "#EECCAA"), ("#AABBCC", "#221100"))),
        Cells(x=240, y=170, width=77, height=31,
              colours=tuple(tuple(f"#{37 * r % 256:02X}{53 * c % 256:02X}80" for c in range(7))
                            for r in range(3))),
    )  # fmt: skip


def picture(*content: Shape) -> Picture:
    return Picture(width=400, height=220, background="#FFFFFF", shapes=content)


def pixels(image: QImage) -> Pixels:
    assert image.format() == QImage.Format.Format_RGB32
    raw = np.frombuffer(image.constBits(), np.uint8)
    return raw.reshape(image.height(), image.width(), 4)[..., :3].astype(np.int16)


def painted(
    shown: Picture, scale: float = 1.0, painter: Painter | None = None, **options: float
) -> tuple[Pixels, bool]:
    image = QImage(
        round(shown.width * scale), round(shown.height * scale), QImage.Format.Format_RGB32
    )
    image.fill(0)
    device = QPainter(image)
    settled = True
    if painter is None:
        paint_once(shown, device, scale)
    else:
        settled = painter.paint(shown, device, scale, **options)
    device.end()
    return pixels(image), settled


def slot(key: object, *content: Shape, **options: float) -> Group:
    return Group(shapes=content, slot="slot", cache_key=key, **options)  # type: ignore[arg-type]


def test_every_kind_of_shape_leaves_ink_in_its_place() -> None:
    blank = painted(picture())[0]
    for shape in shapes():
        ink = np.abs(painted(picture(shape))[0] - blank).max(axis=2) > 20
        rows, columns = np.nonzero(ink)
        assert len(rows) > 40, shape


@pytest.mark.parametrize("scale", [1.0, 1.2363, 2.0])
def test_two_paints_give_the_same_pixels(scale: float) -> None:
    shown = picture(slot(1, *shapes()))
    np.testing.assert_array_equal(
        painted(shown, scale, Painter())[0], painted(shown, scale, Painter())[0]
    )


@pytest.mark.parametrize("scale", [1.0, 1.2363])
def test_a_kept_image_looks_like_shapes_painted_at_once(scale: float) -> None:
    def difference(*content: Shape) -> int:
        kept = painted(picture(slot(1, *content)), scale, Painter())[0]
        return int(np.abs(kept - painted(picture(*content), scale)[0]).max())

    without = [shape for shape in shapes() if not isinstance(shape, Text)]
    assert difference(*without) <= 2  # one rounding more for what is half covered
    # Qt draws the edges of letters a little lighter where the ground is opaque.
    assert difference(*shapes()) < 48


def test_within_a_budget_a_picture_settles_to_the_same_pixels() -> None:
    painter = Painter()
    shown = picture(slot(1, *shapes() * 40), *shapes()[:2])
    steps = 0
    settled = False
    while not settled:
        steps += 1
        last, settled = painted(shown, painter=painter, budget_seconds=5e-4)
    assert steps > 3
    np.testing.assert_array_equal(last, painted(shown, painter=Painter())[0])


def test_while_a_new_image_is_filled_the_last_one_is_shown() -> None:
    painter = Painter()
    old, new = picture(slot("old", *shapes()[:4])), picture(slot("new", *shapes()))
    before = painted(old, painter=painter)[0]
    during, settled = painted(new, painter=painter, budget_seconds=0.0)
    assert not settled
    np.testing.assert_array_equal(during, before)
    after, settled = painted(new, painter=painter)
    assert settled
    assert np.abs(after - before).max() > 50


def test_what_is_about_to_fade_in_is_painted_before_it_is_seen() -> None:
    painter = Painter()
    content = shapes() * 4
    settled = False
    while not settled:
        _, settled = painted(
            picture(slot(1, *content, opacity=0.0)), painter=painter, budget_seconds=1e-4
        )
    _, settled = painted(picture(slot(1, *content)), painter=painter, budget_seconds=0.0)
    assert settled


def test_what_is_prepared_is_shown_at_once_and_changes_nothing_before() -> None:
    painter = Painter()
    now, next_one = picture(slot("now", *shapes()[:4])), picture(slot("next", *shapes() * 20))
    before = painted(now, painter=painter)[0]
    parts = 1
    while not painter.prepare(next_one, 5e-4):
        parts += 1
        again, settled = painted(now, painter=painter, budget_seconds=0.0)
        assert settled
        np.testing.assert_array_equal(again, before)
    assert parts > 3
    shown, settled = painted(next_one, painter=painter, budget_seconds=0.0)
    assert settled
    np.testing.assert_array_equal(shown, painted(next_one, painter=Painter())[0])


def test_what_is_prepared_takes_no_room_from_what_is_shown() -> None:
    whole = Rect(x=3, y=3, width=394, height=214, fill="#445566")
    painter = Painter(cache_bytes=400 * 220 * 4)
    now, next_one = picture(slot("now", whole)), picture(slot("next", whole))
    painted(now, painter=painter)
    assert painter.prepare(next_one, 1.0)  # it does not try again and again
    assert painted(now, painter=painter, budget_seconds=0.0)[1]
    assert not painted(next_one, painter=painter, budget_seconds=0.0)[1]


def test_an_image_once_finished_is_shown_again_at_once() -> None:
    painter = Painter()
    for key in ("a", "b"):
        painted(picture(slot(key, *shapes())), painter=painter)
    again, settled = painted(picture(slot("a", *shapes())), painter=painter, budget_seconds=0.0)
    assert settled
    np.testing.assert_array_equal(
        again, painted(picture(slot("a", *shapes())), painter=Painter())[0]
    )


def test_kept_images_never_take_more_than_the_bound() -> None:
    size = 400 * 220 * 4
    painter = Painter(cache_bytes=3 * size)
    whole = Rect(x=3, y=3, width=394, height=214, fill="#445566")
    for key in range(6):
        painted(picture(slot(key, whole)), painter=painter)
    _, settled = painted(picture(slot(5, whole)), painter=painter, budget_seconds=0.0)
    assert settled
    _, settled = painted(picture(slot(0, whole)), painter=painter, budget_seconds=0.0)
    assert not settled


def test_a_cleared_painter_shows_nothing_of_before() -> None:
    painter = Painter()
    painted(picture(slot("old", *shapes())), painter=painter)
    painter.clear()
    shown, settled = painted(picture(slot("new", *shapes())), painter=painter, budget_seconds=0.0)
    assert not settled
    np.testing.assert_array_equal(shown, painted(picture())[0])


@pytest.mark.parametrize("kept", [True, False])
def test_a_faded_group_does_not_shine_through_itself(kept: bool) -> None:
    both = (
        Rect(x=0, y=0, width=50, height=50, fill="#000000"),
        Rect(x=25, y=0, width=50, height=50, fill="#000000"),
    )
    group = slot(1, *both, opacity=0.5) if kept else Group(shapes=both, opacity=0.5)
    shown = painted(picture(group), painter=Painter())[0]
    assert abs(int(shown[20, 35, 0]) - 127) <= 1  # where they overlap
    assert abs(int(shown[20, 10, 0]) - 127) <= 1


@pytest.mark.parametrize("kept", [True, False])
def test_a_group_s_clip_stays_while_its_shapes_move(kept: bool) -> None:
    block = Rect(x=0, y=0, width=50, height=50, fill="#000000")
    group = Group(shapes=(block,), dx=100, dy=10, clip=(120, 0, 200, 200),
                  slot="slot" if kept else "", cache_key=1)  # fmt: skip
    dark = np.nonzero(painted(picture(group), painter=Painter())[0][..., 0] < 128)
    assert (dark[1].min(), dark[1].max(), dark[0].min(), dark[0].max()) == (120, 149, 10, 59)


def test_the_offset_of_a_kept_image_needs_no_new_one() -> None:
    painter = Painter()
    painted(picture(slot(1, *shapes())), painter=painter)
    moved, settled = painted(
        picture(slot(1, *shapes(), dx=30.0, opacity=0.5)), painter=painter, budget_seconds=0.0
    )
    assert settled
    assert np.abs(moved - painted(picture())[0]).max() > 50


def test_on_a_screen_with_two_device_px_to_one_images_are_as_fine_as_the_screen() -> None:
    shown = picture(slot(1, *shapes()))
    image = QImage(800, 440, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(2.0)
    image.fill(0)
    device = QPainter(image)
    Painter().paint(shown, device, 1.0)
    device.end()
    np.testing.assert_array_equal(pixels(image), painted(shown, 2.0, Painter())[0])


def test_the_picture_begins_at_the_painter_s_origin() -> None:
    image = QImage(500, 300, QImage.Format.Format_RGB32)
    image.fill(0)
    device = QPainter(image)
    device.translate(40.3, 20.4)
    Painter().paint(picture(slot(1, *shapes())), device)
    device.end()
    inside = pixels(image)[20:240, 40:440]
    np.testing.assert_array_equal(
        inside, painted(picture(slot(1, *shapes())), painter=Painter())[0]
    )


def test_many_cells_look_like_few() -> None:
    side = 21
    assert side * side > MANY_CELLS
    colours = tuple(
        tuple(f"#{11 * r % 256:02X}{7 * c % 256:02X}40" for c in range(side)) for r in range(side)
    )
    whole = Cells(x=20, y=10, width=8 * side, height=9 * side, colours=colours)
    rows = tuple(
        Cells(x=20, y=10 + 9 * r, width=8 * side, height=9, colours=(colours[r],))
        for r in range(side)
    )
    np.testing.assert_array_equal(painted(picture(whole))[0], painted(picture(*rows))[0])


def test_cells_that_touch_leave_no_hairline_between_them() -> None:
    cells = Cells(x=10.3, y=10.7, width=101.3, height=67.9, colours=(("#203040",) * 7,) * 5)
    inside = painted(picture(cells), 1.13)[0][16:84, 16:120]
    assert np.abs(inside - np.array([0x40, 0x30, 0x20])).max() == 0


def test_figures_are_tabular() -> None:
    for family, weight in (("sans", 400), ("sans", 700), ("display", 700), ("mono", 500)):
        boxes = {
            text_outline(Text(x=0, y=0, text=f"{figure}|", size=100, fill="#000000",
                              family=family, weight=weight)).boundingRect().right()  # type: ignore[arg-type]
            for figure in "0123456789"
        }  # fmt: skip
        assert max(boxes) - min(boxes) < 0.2, (family, weight)


@pytest.mark.parametrize("hyphen", ["-", "\u2010", "\u2011"])
def test_a_hyphen_beside_figures_is_no_gap(hyphen: str) -> None:
    """Inter's tabular hyphen is 0.65 of the size wide: GPT-2 fell into two words."""
    for weight in (400, 500, 600, 700):
        assert text_width(f"GPT{hyphen}2", 100, weight) - text_width("GPT2", 100, weight) < 50
        whole, parts = (
            text_outline(Text(x=0, y=0, text=text, size=100, fill="#000000", weight=weight))
            .boundingRect()
            .width()
            for text in (f"GPT{hyphen}2", "GPT2")
        )  # fmt: skip
        assert whole - parts < 50


@pytest.mark.parametrize("scale", [1.0, 2.0, 5.0])
@pytest.mark.parametrize("rotate", [0.0, -90.0])
def test_large_letters_are_painted(scale: float, rotate: float) -> None:
    """The counter of 58 px at twice its size and more: as much ink as its outline has."""
    word = Text(x=60, y=100, text="26 T", size=58, fill="#000000", family="display", weight=700,
                rotate=rotate)  # fmt: skip
    asked = picture(word)
    shown, outlines = (255.0 - painted(p, scale)[0] for p in (asked, outlined(asked)))
    assert shown.sum() == pytest.approx(outlines.sum(), rel=0.05)  # Qt's letters are lighter
    assert outlines.sum() / 765 / scale**2 > 800  # px


@pytest.mark.parametrize("size", [14.5, 16.5])
def test_text_is_as_wide_as_the_scene_was_told(size: float) -> None:
    line = Text(x=0, y=0, text="held-out sentences 0123", size=size, fill="#000000")
    box = text_outline(line).boundingRect()
    told = text_width(line.text, size)
    assert told * 0.97 < box.width() < told + 1.0


def test_svg_and_screen_look_the_same() -> None:
    shown = outlined(picture(*shapes()[:-1], Group(shapes=shapes()[:4], opacity=0.4, dy=120)))
    scale = 2.0
    image = QImage(800, 440, QImage.Format.Format_RGB32)
    image.fill(QColor("#FFFFFF"))
    renderer = QSvgRenderer(QByteArray(svg(shown).encode()))
    assert renderer.isValid()
    device = QPainter(image)
    renderer.render(device)
    device.end()
    screen = painted(
        picture(*shapes()[:-1], Group(shapes=shapes()[:4], opacity=0.4, dy=120)), scale
    )
    noticeable = np.abs(pixels(image) - screen[0]).max(axis=2) > 48
    assert noticeable.mean() < 0.01


def captions() -> Iterator[tuple[str, str]]:
    folder = files("assets") / "captions"
    for file in folder.iterdir():
        if file.name.endswith(".json"):
            for key, words in json.loads(file.read_text(encoding="utf-8")).items():
                yield f"{file.name}: {key}", str(words)


def test_every_character_of_captions_and_equations_is_in_a_shipped_font() -> None:
    register_fonts()
    needed: dict[str, str] = {}
    for key, words in (*captions(), ("equations", MARKS)):
        for character in words:
            if unicodedata.category(character)[0] not in "CZ":
                needed.setdefault(character, key)
    shipped = [QRawFont.fromFont(font(400, family, False)) for family in FAMILIES]
    shipped += [QRawFont.fromFont(only(name)) for name in FALLBACKS]
    names = {raw.familyName() for raw in shipped}
    assert names == {*FAMILIES.values(), *FALLBACKS}
    missing = {
        character: key
        for character, key in needed.items()
        if not any(raw.supportsCharacter(ord(character)) for raw in shipped)
    }
    assert not missing


def only(name: str) -> QFont:
    result = QFont(font(400, "sans", False))
    result.setFamilies([name])
    return result


def test_the_shipped_fonts_are_known_to_qt_under_their_families() -> None:
    register_fonts()
    assert {*FAMILIES.values(), *FALLBACKS} <= set(QFontDatabase.families())
    assert font(600, "sans", False).pixelSize() == SHAPING_SIZE

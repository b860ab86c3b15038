"""Saving a picture: three formats, their sizes, and one sentence for everything refused."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtGui import QImage

from app import export
from widgets.picture import Cells, Ellipse, Group, Picture, Rect, Text
from widgets.picture import Path as Line

# The application of all tests with windows: Qt has one a process, and this one is of the most use.
pytestmark = pytest.mark.usefixtures("qapp")

ROOT = Path(__file__).parents[1]
PICTURE = Picture(
    width=400, height=225, background="#FAF9F7", title="From RNN to Transformer",
    shapes=(
        Rect(x=10, y=10, width=100, height=40, radius=8, fill="#EBE9E4", stroke="#445060"),
        Ellipse(cx=160, cy=40, rx=30, ry=24, fill="#16202C", name="chain:rnn.h.3", title="state"),
        Text(x=20, y=100, text="the cat that slept 0.97", size=16.5, fill="#16202C", weight=600),
        Text(x=20, y=130, text="h_T", size=14, fill="#445060", family="mono"),
        Cells(x=200, y=120, width=80, height=40, colours=(("#113355", "#EECCAA"),) * 2),
        Group(shapes=(Rect(x=300, y=10, width=50, height=50, fill="#C42A20"),), opacity=0.5),
    ),
)  # fmt: skip


@pytest.mark.parametrize("ending", list(export.FORMATS))
@pytest.mark.parametrize(("size", "scale"), [((1600, 900), 1.0), ((800, 448), 1.5)])
def test_a_file_is_as_large_as_asked(
    ending: str, size: tuple[int, int], scale: float, tmp_path: Path
) -> None:
    path = tmp_path / f"figure{ending}"
    export.write(PICTURE, path, width=size[0], height=size[1], scale=scale)
    _, read_size = export.FORMATS[ending]
    assert read_size(path) == (round(size[0] * scale), round(size[1] * scale))
    assert list(tmp_path.iterdir()) == [path]


def test_without_a_size_a_file_has_the_picture_s_own(tmp_path: Path) -> None:
    export.write(PICTURE, tmp_path / "a.png")
    image = QImage(str(tmp_path / "a.png"))
    assert (image.width(), image.height()) == (400, 225)


def test_a_png_keeps_its_size_on_paper_at_any_scale(tmp_path: Path) -> None:
    export.write(PICTURE, tmp_path / "a.png", scale=2.0)
    data = (tmp_path / "a.png").read_bytes()
    at = data.index(b"pHYs") + 4
    per_metre = int.from_bytes(data[at : at + 4], "big")
    assert per_metre == round(2 * 96 / 0.0254)
    assert data[at + 8] == 1  # the unit is a metre


def test_a_png_has_the_title_and_the_picture_in_it(tmp_path: Path) -> None:
    export.write(PICTURE, tmp_path / "a.png", scale=2.0)
    image = QImage(str(tmp_path / "a.png"))
    assert image.text("Title") == PICTURE.title
    assert image.pixelColor(320, 80).name() == "#16202c"
    faded = image.pixelColor(650, 70)
    assert (faded.red(), faded.green()) == pytest.approx((223, 146), abs=1)


def test_a_pdf_is_vector_with_the_right_page_and_embedded_fonts(tmp_path: Path) -> None:
    export.write(PICTURE, tmp_path / "a.pdf", width=1600, height=900)
    data = (tmp_path / "a.pdf").read_bytes()
    box = re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", data)
    assert box is not None
    assert (float(box[1]), float(box[2])) == pytest.approx((1200.0, 675.0))
    fonts = set(re.findall(rb"/FontName /[A-Z]+\+([\w-]+)", data))
    assert fonts == {b"Inter-SemiBold", b"JetBrainsMono-Regular"}
    assert len(re.findall(rb"/FontFile\d? \d+ 0 R", data)) == len(fonts)
    assert data.count(b"/DCTDecode") == 0  # nothing as JPEG


@pytest.mark.parametrize("side", [89, 90, 91, 92])
def test_a_pdf_s_page_is_the_asked_size_rounded_up_to_whole_points(
    side: int, tmp_path: Path
) -> None:
    export.write(PICTURE, tmp_path / "a.pdf", width=side, height=side)
    box = re.search(rb"/MediaBox \[0 0 (\S+) (\S+)\]", (tmp_path / "a.pdf").read_bytes())
    assert box is not None
    assert float(box[1]) == float(box[2]) == math.ceil(side * 0.75)


def test_a_pdf_can_be_searched_by_its_numbers_and_spaces(tmp_path: Path) -> None:
    export.write(PICTURE, tmp_path / "a.pdf")
    known = set()
    for stream in re.findall(
        rb"stream\r?\n(.*?)\r?\nendstream", (tmp_path / "a.pdf").read_bytes(), re.DOTALL
    ):
        try:
            content = zlib.decompress(stream)
        except zlib.error:
            content = stream
        for block in re.findall(rb"beginbf(?:range|char)(.*?)endbf", content, re.DOTALL):
            for row in block.splitlines():
                known |= {int(code, 16) for code in re.findall(rb"<([0-9A-Fa-f]{4})>", row)[2:]}
    assert {ord(character) for character in "thecapsl0.97"} <= known
    assert known & {0x20, 0x09}  # one glyph is space and tab; Qt names the first of the two


def test_an_svg_holds_text_or_outlines(tmp_path: Path) -> None:
    export.write(PICTURE, tmp_path / "text.svg")
    export.write(PICTURE, tmp_path / "paths.svg", text="paths")
    space = "{http://www.w3.org/2000/svg}"
    words = ElementTree.parse(tmp_path / "text.svg").findall(f".//{space}text")
    assert [word.text for word in words] == ["the cat that slept 0.97", "h_T"]
    paths = ElementTree.parse(tmp_path / "paths.svg")
    assert not paths.findall(f".//{space}text")
    titles = [path.findtext(f"{space}title") for path in paths.findall(f".//{space}path")]
    assert titles == ["the cat that slept 0.97", "h_T"]


def test_an_image_for_the_clipboard_is_what_a_png_holds(tmp_path: Path) -> None:
    export.write(PICTURE, tmp_path / "a.png", width=800, height=450)
    saved = QImage(str(tmp_path / "a.png")).convertToFormat(QImage.Format.Format_RGB32)
    made = export.image(PICTURE, (800, 450))
    np.testing.assert_array_equal(
        np.frombuffer(saved.constBits(), np.uint8), np.frombuffer(made.constBits(), np.uint8)
    )


def test_an_image_is_saved_as_a_png_and_as_nothing_else(tmp_path: Path) -> None:
    made = export.image(PICTURE, (80, 45))
    export.write_image(made, tmp_path / "a.png")
    assert QImage(str(tmp_path / "a.png")) == made
    with pytest.raises(export.ExportError) as error:
        export.write_image(made, tmp_path / "a.svg")
    assert "'a.svg' is no PNG" in sentence(error)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_an_image_that_comes_out_cut_off_does_not_replace_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_text("before")
    made = export.image(PICTURE, (80, 45))
    monkeypatch.setitem(export.FORMATS, ".png", (export.FORMATS[".png"][0], lambda _: (0, 0)))
    with pytest.raises(export.ExportError) as error:
        export.write_image(made, tmp_path / "a.png")
    assert "was not kept" in sentence(error)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


def test_another_shape_of_page_has_the_picture_in_its_middle() -> None:
    image = export.image(PICTURE, (400, 425))
    assert image.pixelColor(2, 2).name() == "#faf9f7"
    assert image.pixelColor(160, 140).name() == "#16202c"


def sentence(error: pytest.ExceptionInfo[export.ExportError]) -> str:
    """Return an error's one sentence, having checked that it is one."""
    words = str(error.value)
    assert re.fullmatch(r"[A-Z'].*[.?]", words), words
    assert not re.search(r"[.?!] [A-Z]", words), words
    return words


@pytest.mark.parametrize(
    "asked",
    [
        {"width": 0}, {"height": -5}, {"width": 1_000_000, "height": 900}, {"width": 16385},
        {"scale": 0.0}, {"scale": math.nan}, {"scale": math.inf}, {"scale": 1e9}, {"scale": -1.0},
        {"width": 10_001, "height": 10_000},
    ],
)  # fmt: skip
def test_a_size_that_cannot_be_is_refused_before_anything_is_made(
    asked: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_image", lambda *_: pytest.fail("an image was made"))
    with pytest.raises(export.ExportError) as error:
        export.write(PICTURE, tmp_path / "a.png", **asked)
    assert "give one such as 2" in sentence(error) or "is refused" in sentence(error)
    assert not list(tmp_path.iterdir())


def test_a_vector_file_may_have_more_pixels_than_a_png(tmp_path: Path) -> None:
    export.write(PICTURE, tmp_path / "a.svg", width=16000, height=9000)
    assert (tmp_path / "a.svg").stat().st_size < 10_000


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.gif", "'a.gif' ends in '.gif'; give a name that ends in .svg, .png or .pdf."),
        ("a", "'a' has no ending; give"),
        (".png", "'.png' has no ending; give"),
        ("missing/a.png", "There is no folder"),
        ("folder.png", "is a folder"),
    ],
)
def test_a_name_that_cannot_be_is_refused(name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(export.ExportError) as error:
        export.write(PICTURE, tmp_path / name)
    assert said in sentence(error)


def test_a_folder_that_cannot_be_written_to_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # an administrator may write anywhere
    with pytest.raises(export.ExportError) as error:
        export.check(tmp_path / "a.svg")
    assert "cannot be written to" in sentence(error)


@pytest.mark.parametrize("ending", list(export.FORMATS))
def test_a_system_that_refuses_to_write_is_one_sentence(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    (tmp_path / f"a{ending}").write_text("before")
    with pytest.raises(export.ExportError) as error:
        export.write(PICTURE, tmp_path / f"a{ending}")
    assert "could not be written: No space left on device" in sentence(error)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


@pytest.mark.parametrize("ending", list(export.FORMATS))
def test_a_file_that_comes_out_cut_off_does_not_replace_the_old_one(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_format, read_size = export.FORMATS[ending]

    def cut(picture: Picture, path: Path, *options: Any) -> None:
        write_format(picture, path, *options)
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 3])

    monkeypatch.setitem(export.FORMATS, ending, (cut, read_size))
    (tmp_path / f"a{ending}").write_text("before")
    with pytest.raises(export.ExportError) as error:
        export.write(PICTURE, tmp_path / f"a{ending}")
    assert "was not kept" in sentence(error)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


@pytest.mark.parametrize("ending", list(export.FORMATS))
@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_picture_with_a_number_that_is_none_is_one_sentence(
    number: float, ending: str, tmp_path: Path
) -> None:
    for wrong in (
        Rect(x=number, y=0, width=1, height=1, fill="#000000"),
        Text(x=0, y=9, text="a", size=number, fill="#000000"),
        Line(commands=(("M", 0, 0), ("L", 1, number)), stroke="#000000"),
    ):
        broken = Picture(
            width=9, height=9, background="#FFFFFF", shapes=(Group(shapes=(wrong,), opacity=0.5),)
        )
        with pytest.raises(export.ExportError) as error:
            export.write(broken, tmp_path / f"a{ending}")
        assert str(number) in sentence(error)
        assert not list(tmp_path.iterdir())


def test_every_format_is_saved_without_a_display_and_without_a_window(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path\nfrom app import export\n"
        "from widgets.picture import Picture, Text\n"
        "picture = Picture(width=90, height=60, background='#FFFFFF', shapes=("
        "Text(x=9, y=30, text='cat', size=20, fill='#000000'),))\n"
        "for ending in export.FORMATS:\n"
        f"    export.write(picture, Path({str(tmp_path)!r}) / ('a' + ending), text='paths')\n"
    )
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    }
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pdf", "a.png", "a.svg"]

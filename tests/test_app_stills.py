"""What leaves the window: the stage as a file or on the clipboard, the window as a PNG, tensors."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driving import key, settled
from PySide6.QtCore import QMimeData
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.__main__ import main
from app.window import Window
from widgets import captions

SAY = captions.load("en")


@pytest.mark.parametrize("ending", [".svg", ".png", ".pdf"])
def test_the_stage_is_saved(window: Window, qtbot: QtBot, tmp_path: Path, ending: str) -> None:
    window.player.seek(7)
    window.export_stage(path=str(tmp_path / f"stage{ending}"), scale=1)
    assert window.notice.text().startswith("Saving")
    settled(window, qtbot)
    assert (tmp_path / f"stage{ending}").stat().st_size > 5000
    assert window.notice.text().startswith("Saved")


def test_the_menu_saves_letters_as_outlines_for_programs_without_the_fonts(
    window: Window, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = {}
    for entry in ("svg", "paths"):
        path = tmp_path / f"{entry}.svg"
        monkeypatch.setattr("app.stills._ask_where", lambda *_, p=path: (str(p), ""))
        (action,) = (
            action for action in window.bar.export_button.menu().actions()
            if action.text() == SAY(f"window.export_{entry}")
        )  # fmt: skip
        action.trigger()
        settled(window, qtbot)
        kinds[entry] = path.read_text(encoding="utf-8").count("<text")
    assert kinds["svg"] > 20
    assert kinds["paths"] == 0


def test_a_still_of_the_other_thread_has_the_same_pixels(
    window: Window, qtbot: QtBot, tmp_path: Path
) -> None:
    from app import export
    from app.compute import still

    assert window.first.pair is not None
    window.player.seek(13)
    window.export_stage(path=str(tmp_path / "stage.png"), scale=1)
    picture = still(window.first.pair, 13, window.canvas.view)
    here = export.image(picture, (1600, 900))  # at the same time
    settled(window, qtbot)
    there = QImage(str(tmp_path / "stage.png")).convertToFormat(here.format())
    assert there.constBits() == here.constBits()


def test_a_place_that_cannot_be_written_is_said_in_the_window(window: Window, qtbot: QtBot) -> None:
    window.export_stage(path="/nowhere/at/all.svg")
    settled(window, qtbot)
    assert "/nowhere/at" in window.notice.text()
    window.export_stage(path="/tmp/stage.bmp")
    settled(window, qtbot)
    assert "bmp" in window.notice.text()


def test_one_still_is_made_at_a_time(window: Window, qtbot: QtBot, tmp_path: Path) -> None:
    window.export_stage(path=str(tmp_path / "one.svg"))
    window.export_stage(path=str(tmp_path / "two.svg"))
    assert window.notice.text() == SAY("window.still_saving")
    settled(window, qtbot)
    assert [path.name for path in tmp_path.glob("*.svg")] == ["one.svg"]


def test_closing_waits_for_the_still_that_is_being_made(window: Window, tmp_path: Path) -> None:
    window.export_stage(path=str(tmp_path / "stage.png"), scale=3)
    window.close()
    assert QImage(str(tmp_path / "stage.png")).width() == 4800


@pytest.mark.parametrize("what", ["export_stage", "copy_stage"])
def test_a_still_without_memory_is_said(
    window: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, what: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("app.compute.still", fail)
    getattr(window, what)(**({"path": str(tmp_path / "a.png")} if what == "export_stage" else {}))
    settled(window, qtbot)
    assert window.notice.text() == SAY("window.memory")


def test_the_window_and_the_clipboard_get_an_image(
    window: Window, qtbot: QtBot, tmp_path: Path
) -> None:
    window.export_window(path=str(tmp_path / "window.png"))
    assert QImage(str(tmp_path / "window.png")).width() == window.width()
    window.copy_stage()
    settled(window, qtbot)
    assert QGuiApplication.clipboard().image().size().width() == 1600


def test_the_stage_is_copied_as_an_image_and_as_svg_of_the_same_size(
    window: Window, qtbot: QtBot
) -> None:
    key(window, qtbot, "End")
    key(window, qtbot, "Ctrl+C")
    settled(window, qtbot)
    data = QGuiApplication.clipboard().mimeData()
    assert data.hasImage()
    root = ElementTree.fromstring(data.data("image/svg+xml").data())
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    image = QGuiApplication.clipboard().image()
    assert (int(root.get("width", 0)), int(root.get("height", 0))) == (1600, 900)
    assert (image.width(), image.height()) == (1600, 900)
    assert window.notice.text() == SAY("window.copied")


def test_of_a_stage_whose_svg_did_not_get_there_nobody_says_that_it_was_copied(
    window: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_data = QMimeData.setData
    monkeypatch.setattr(QMimeData, "setData", lambda self, kind, data: set_data(self, kind, b""))
    window.copy_stage()
    settled(window, qtbot)
    assert window.notice.text() == SAY("window.not_copied")


def test_the_tensor_that_is_shown_is_saved_as_npy(
    window: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[str] = []

    def choose(_: Any, title: str, name: str, kinds: str) -> tuple[str, str]:
        asked.append(name)
        return str(tmp_path / chosen), kinds

    monkeypatch.setattr("PySide6.QtWidgets.QFileDialog.getSaveFileName", choose)
    key(window, qtbot, "End")
    window.activate("grid:blocks.0.attn.pattern[1,4,1]")
    (save,) = [a for a in window.inspector.copy_button.menu().actions() if "&S" in a.text()]
    assert window.first.pair is not None
    pattern = window.first.pair.grid.value("blocks.0.attn.pattern")
    # The second name has no ending, and what looks like one is none.
    for name, written in (("a.npy", "a.npy"), ("blocks.0", "blocks.0.npy")):
        chosen = name
        save.trigger()
        back = np.load(tmp_path / written, allow_pickle=False)
        assert back.dtype == pattern.dtype
        assert np.array_equal(back, pattern)
        assert window.notice.text() == SAY("window.saved", path=tmp_path / written)
    assert asked == ["blocks.0.attn.pattern.npy"] * 2
    # A file that was not chosen by its full name is left alone.
    (tmp_path / "blocks.0.npy").write_bytes(b"mine")
    save.trigger()
    assert (tmp_path / "blocks.0.npy").read_bytes() == b"mine"
    assert window.notice.text() == SAY("window.npy_exists", path=tmp_path / "blocks.0.npy")
    chosen = "no such folder/a.npy"
    save.trigger()
    assert "choose another place" in window.notice.text()
    chosen = "a.npy"
    monkeypatch.setattr("PySide6.QtWidgets.QFileDialog.getSaveFileName", lambda *_: ("", ""))
    window.notice.clear()
    save.trigger()
    assert not window.notice.text()


def test_a_name_without_an_ending_gets_that_of_the_chosen_kind(
    window: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def choose(*_: Any) -> tuple[str, str]:
        return str(tmp_path / "stage"), SAY("window.filter_svg")

    monkeypatch.setattr("PySide6.QtWidgets.QFileDialog.getSaveFileName", choose)
    window.do("export")
    settled(window, qtbot)
    assert (tmp_path / "stage.svg").read_text(encoding="utf-8").startswith("<")


@pytest.mark.parametrize("name", ["shot.jpg", "nowhere/shot.png"])
def test_the_window_is_saved_as_png_or_says_why_not(
    window: Window, tmp_path: Path, name: str
) -> None:
    assert not window.export_window(path=str(tmp_path / name))
    assert window.notice.text().endswith(".")


def test_shot_draws_the_window_and_refuses_what_it_cannot(
    qapp: QApplication, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "window.png"
    assert main(["shot", "--size", "1280x720", "-o", str(place)]) == 0
    assert QImage(str(place)).width() == 1280
    kept = place.read_bytes()
    assert main(["shot", "--text", " ", "-o", str(place)]) == 2
    assert capsys.readouterr().err.strip().endswith(".")
    for refused, word in (
        (["--tick", "14"], "behind the last, 13"), (["--size", "900x500"], "960 × 600"),
    ):  # fmt: skip
        assert main(["shot", *refused, "-o", str(place)]) == 2
        assert word in capsys.readouterr().err
    assert place.read_bytes() == kept


@pytest.mark.parametrize("chapter", ["2", "three-computing", "4"])
def test_shot_draws_any_chapter(qapp: QApplication, tmp_path: Path, chapter: str) -> None:
    """What a chapter measures is there: it is another picture than that of an empty one."""
    place = tmp_path / "chapter.png"
    asked = ["shot", "--chapter", chapter, "--size", "1280x720", "--tick", "2", "-o", str(place)]
    assert main(asked) == 0
    image = QImage(str(place))
    assert (image.width(), image.height()) == (1280, 720)
    colours = {image.pixel(x, y) for x in range(110, 1260, 7) for y in range(60, 610, 7)}
    assert len(colours) > 40


def test_shot_knows_the_chapters(
    qapp: QApplication, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "chapter.png"
    for refused, words in (
        (["--chapter", "9"], "There is no chapter '9'; there are 1, 2, "),
        (["--chapter", "2", "--tick", "9999"], "behind the last, "),
    ):
        assert main(["shot", *refused, "-o", str(place)]) == 2
        assert words in capsys.readouterr().err
    assert not place.exists()

"""Bad input and long use: nothing is lost, each refusal is one sentence, nothing is left over."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, QSize, QSizeF, Qt, QTimer
from PySide6.QtGui import QClipboard, QGuiApplication, QImage, QPainter
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app import sentences as sentences_module
from app.actions import ACTIONS
from app.compute import GROWTH_LENGTHS
from app.setting import Setting
from app.window import Window
from engine.memory import give_back
from engine.trace import Pair
from widgets import captions, hit
from widgets.fonts import register_fonts
from widgets.geometry import SMALLEST
from widgets.painter import Painter
from widgets.picture import Picture
from widgets.remember import forget
from widgets.view import View

ROOT = Path(__file__).parents[1]
SAY = captions.load("en")
SMOOTH = Qt.TransformationMode.SmoothTransformation
LONG = "the cat that slept near the old river " * 16


@pytest.fixture
def window(qtbot: QtBot, tmp_path: Path) -> Iterator[Window]:
    """Return a window with the default sentence on the stage, and check that it leaves nothing."""
    register_fonts()
    made = Window(tmp_path / "session.json")
    made.show()
    made.first.sentences.compute()
    qtbot.waitUntil(lambda: made.first.pair is not None, timeout=30_000)
    yield made
    made.close()
    assert not [t for t in threading.enumerate() if t.name == "background"]
    timers = made.findChildren(QTimer)
    qtbot.waitUntil(lambda: not any(timer.isActive() for timer in timers), timeout=2000)
    made.deleteLater()


def moved_on(window: Window, qtbot: QtBot, tick: float) -> None:
    qtbot.waitUntil(lambda: window.player.tick > tick, timeout=2000)


def quiet(window: Window, qtbot: QtBot) -> None:
    qtbot.waitUntil(
        lambda: not (window.first.sentences.background.busy or window.stills.busy), timeout=30_000
    )


def stage(window: Window) -> QImage:
    """Return the stage as it is on the screen once it has settled."""
    window.canvas.settle()
    return rgb(window.canvas.grab().toImage())


def painted(picture: Picture, width: int, height: int, scale: float) -> QImage:
    """Return a picture painted by a painter that has kept nothing yet."""
    image = QImage(width, height, QImage.Format.Format_RGB32)
    image.fill(0)
    painter = QPainter(image)
    assert Painter().paint(picture, painter, scale)
    painter.end()
    return image


def seen(window: Window) -> QImage:
    """Return what the stage has to look like on its screen."""
    picture, ratio = window.canvas.picture(), window.canvas.devicePixelRatioF()
    assert picture is not None
    size = (QSizeF(window.canvas.size()) * ratio).toSize()
    return painted(picture, size.width(), size.height(), window.canvas.fitted()[2] * ratio)


def count(image: QImage, colour: str) -> int:
    """Return how many pixels have a colour."""
    pixels = np.frombuffer(image.constBits(), np.uint32)
    return int((pixels & 0xFFFFFF == int(colour[1:], 16)).sum())


def same(a: QImage, b: QImage) -> bool:
    """Return whether two images have the same pixels, however many of them are a px."""
    a, b = a.copy(), b.copy()
    for image in (a, b):
        image.setDevicePixelRatio(1.0)
    return a == b


# ------------------------------------------------------------------ the window while it plays


@pytest.mark.parametrize("size", [(1600, 900), (960, 600), (640, 400), (1, 1)])
def test_a_window_of_any_size_plays_on_and_shows_its_stage_sharply(
    window: Window, qtbot: QtBot, size: tuple[int, int]
) -> None:
    window.player.play()
    qtbot.wait(60)
    window.resize(*size)
    assert window.player.playing
    before = window.player.tick
    qtbot.waitUntil(lambda: window.player.tick > before, timeout=2000)
    window.player.seek(5)
    qtbot.wait(50)
    assert (window.width(), window.height()) >= (960, 600)
    width, height, scale = window.canvas.fitted()
    assert width >= SMALLEST[0]
    assert height >= SMALLEST[1]
    assert 14 * scale >= 12 - 1e-9  # below, it scrolls
    assert same(stage(window), seen(window))


def test_another_theme_while_playing_stops_nothing_and_leaves_nothing_of_the_last(
    window: Window, qtbot: QtBot
) -> None:
    window.player.play()
    for _ in range(4):
        for change in (window.toggle_theme, window.toggle_contrast):
            before, ink = window.player.tick, window.canvas.view.theme.ink
            change()
            # Not even the first frame, which is not finished, has anything of the last theme.
            first = rgb(window.canvas.grab().toImage())
            has_ink = ink in repr(vars(window.canvas.view.theme))
            assert has_ink or count(first, ink) < 20  # some edge may happen to be as light
            assert window.player.playing
            assert window.player.tick == before
            moved_on(window, qtbot, before)
    window.toggle_theme()
    window.player.seek(7)
    shown = stage(window)
    assert same(shown, seen(window))
    assert shown.pixelColor(2, 2).name() == window.canvas.view.theme.stage.lower()


def test_of_100_quick_edits_while_playing_only_the_last_is_computed_to_the_end(
    window: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute: Callable[..., Any] = sentences_module._compute
    gate = threading.Event()
    computed: list[str] = []

    def slow(text: str, *given: Any) -> Any:
        gate.wait(20)
        computed.append(text)
        return compute(text, *given)

    monkeypatch.setattr("app.sentences._compute", slow)
    arrived: list[str] = []
    window.first.sentences.background.done.connect(
        lambda outcome: arrived.append(" ".join(outcome.value.pair.typed))
    )
    window.player.seek(2)
    window.player.play()
    tick = window.player.tick
    for i in range(100):
        window.first.sentences.set_text(f"the cat that slept {'very ' * (i % 7)}{i} ___")
        QApplication.processEvents()
    assert window.player.tick == tick  # held: a tick shows only what has been computed
    gate.set()
    quiet(window, qtbot)
    last = "the cat that slept very 99 ___"
    assert computed[-1] == last
    assert len(computed) <= 2  # the one that ran already, and the last
    assert arrived == [last]
    assert window.first.pair is not None
    assert window.first.pair.typed == tuple(last.split())
    assert window.player.playing
    qtbot.waitUntil(lambda: window.player.tick > tick, timeout=2000)


# ------------------------------------------------------------------ refusals


def test_a_run_that_would_not_fit_is_refused_with_the_number(
    window: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = window.first.pair
    with monkeypatch.context() as patch:
        patch.setattr("engine.models.most_bytes", lambda: 200 * 2**20)
        window.first.sentences.set_text(LONG * 20)
        quiet(window, qtbot)
    said = window.notice.text()
    assert "at most 0.2 GiB can be kept now; shorten the sentence" in said
    assert said.endswith(".")
    assert window.first.pair is before
    assert window.canvas.subject is before
    assert same(stage(window), seen(window))
    window.first.sentences.set_text("the dogs ___")  # and the next one is computed
    quiet(window, qtbot)
    assert window.first.pair is not None
    assert window.first.pair.tokens == ("the", "dogs", "___")
    assert said not in window.notice.text()


def test_without_memory_for_images_the_stage_is_painted_all_the_same(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoImage(QImage):
        def __init__(self, *_: object) -> None:
            super().__init__()

    window.player.seek(9)
    picture = window.canvas.picture()
    assert picture is not None
    width, height, scale = window.canvas.width(), window.canvas.height(), window.canvas.fitted()[2]
    expected = painted(picture, width, height, scale)
    monkeypatch.setattr("widgets.painter.QImage", NoImage)
    # Qt draws the edges of letters a little lighter where the ground is opaque.
    assert difference(painted(picture, width, height, scale), expected) < 0.5


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf"])
def test_a_still_whose_painting_runs_out_of_memory_is_said_and_leaves_no_file(
    window: Window, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("widgets.painter.paint_once", fail)
    monkeypatch.setattr("app.export.svg", fail)
    place = tmp_path / "stills" / f"stage{ending}"
    place.parent.mkdir()
    place.write_bytes(b"the last one")
    window.export_stage(path=str(place), scale=4)
    quiet(window, qtbot)
    assert window.notice.text() == SAY("window.memory")
    assert place.read_bytes() == b"the last one"
    assert list(place.parent.iterdir()) == [place]


def test_an_image_that_cannot_be_had_is_refused_with_its_size(
    window: Window, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoImage(QImage):
        def __init__(self, *_: object) -> None:
            super().__init__()

    monkeypatch.setattr("PySide6.QtGui.QImage", NoImage)
    window.export_stage(path=str(tmp_path / "stage.png"), scale=4)
    quiet(window, qtbot)
    assert "memory for 6400 × 3600 px" in window.notice.text()
    assert not (tmp_path / "stage.png").exists()


class Locked:
    """A clipboard that another program holds: it takes nothing, or says so."""

    def __init__(self, loud: bool) -> None:
        self._loud = loud
        self._before = QMimeData()
        self._before.setText("of another program")

    def _refuse(self, *_: object) -> None:
        if self._loud:
            raise RuntimeError("the clipboard is gone")

    setText = setImage = setMimeData = _refuse  # noqa: N815

    def text(self) -> str:
        return self._before.text()

    def image(self) -> QImage:
        return QImage()

    def mimeData(self) -> QMimeData:  # noqa: N802
        return self._before


@pytest.mark.parametrize("loud", [False, True])
def test_a_locked_clipboard_is_said_and_nothing_claims_to_be_copied(
    window: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, loud: bool
) -> None:
    locked = Locked(loud)
    window.player.seek(13)
    window.activate("chain:rnn.h.3")
    with monkeypatch.context() as patch:
        patch.setattr(QGuiApplication, "clipboard", staticmethod(lambda: locked))
        window.copy_stage()
        quiet(window, qtbot)
        assert window.notice.text() == SAY("window.not_copied")
        for format in ("numpy", "csv", "latex"):
            window.notice.clear()
            window.inspector.copy(format)
            assert window.notice.text() == SAY("window.not_copied"), format
    clipboard: QClipboard = QGuiApplication.clipboard()
    window.inspector.copy("csv")  # and once it is free again
    assert window.notice.text() == SAY("window.copied_text")
    assert clipboard.text().count(",") > 3
    window.copy_stage()
    quiet(window, qtbot)
    assert window.notice.text() == SAY("window.copied")
    assert clipboard.image().width() == 1600


# ------------------------------------------------------------------ what is kept


def test_a_run_is_forgotten_with_the_next_one(window: Window, qtbot: QtBot) -> None:
    runs: list[weakref.ref[Pair]] = []
    for number in range(12):
        window.first.sentences.set_text(f"{LONG} {number} ___")
        quiet(window, qtbot)
        assert window.first.pair is not None
        runs.append(weakref.ref(window.first.pair))
        window.player.seek(number)
        window.activate("ask:3")
        window.canvas._point_at("ask:5")
        stage(window)
        window.copy_stage()
        quiet(window, qtbot)
    qtbot.waitUntil(lambda: sum(run() is not None for run in runs) == 1, timeout=5000)


# ------------------------------------------------------------------ long use


SOAK = 20_000  # ticks
ROUND = 2_000  # of them with the same random actions, again and again
WARM = 6  # rounds in which pens, lines of text, letters and undo fill up to their bounds
DIALOGS = ("export", "export_window", "recent", "words")  # which wait for somebody
GROWTH = 1.02


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def sentences(vocabulary: tuple[str, ...]) -> list[str]:
    """Return random sentences of 1 to 128 words."""
    rng = Random(3)
    lengths = (1, 2, 3, 4, 5, 5, 8, 12, 12, 24, 40, 64, 96, 128)
    return [" ".join(rng.choice(vocabulary) for _ in range(length)) for length in lengths]


def rest(window: Window, qtbot: QtBot) -> tuple[int, int, int]:
    """Bring a window to where it began; return its objects, blocks and resident bytes."""
    window.sheet.hide()
    if window.presenting.on:
        window.present()
    while window.first.studies.influence:
        window.do("influence")
    if window.canvas.view.predicting:
        window.do("predict")
    window.player.set_speed(1.0)
    window.player.set_reduced(False)
    window.first.selection.thaw()
    window.first.selection.close()
    window.set_theme("light")
    window.usual_size()
    window.session.rail = window.session.inspector = True
    window.first.sentences.setting = Setting()
    window.first.sentences.set_text("the cat that slept ___")
    quiet(window, qtbot)
    window.player.first()
    fresh = View(1188, 728, window.canvas.view.theme, SAY, switches=window.canvas.view.switches)
    window.canvas.show_view(fresh._replace(growth=window.canvas.view.growth))
    window.canvas._painter.clear()
    hit._remembered.clear()
    forget()
    window.recorder._ran.clear()  # it keeps so many stretches at most, and fills slowly
    stage(window)
    qtbot.waitUntil(lambda: window.canvas.settled, timeout=2000)
    gc.collect()
    give_back()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return len(gc.get_objects()), sys.getallocatedblocks(), pages * os.sysconf("SC_PAGE_SIZE")


def alive() -> set[str]:
    """Return the threads there are, but for that of the device, which is one for the program."""
    return {f"{it.name} {it.ident}" for it in threading.enumerate() if it.name != "device"}


def test_20_000_ticks_with_random_actions_leave_nothing(qtbot: QtBot, tmp_path: Path) -> None:
    """The window's fixture is not used: what it checks at its end is checked here, with memory."""
    register_fonts()
    threads = alive()
    window, hand = Window(tmp_path / "session.json"), Hand()
    window.player._clock = hand
    window.show()
    window.first.sentences.compute()
    qtbot.waitUntil(lambda: window.first.pair is not None, timeout=30_000)
    assert window.first.pair is not None
    texts = sentences(window.first.pair.grid.vocabulary)
    # Other chapters measure and train on end, and give back what they hold when they like.
    actions = [
        action.id
        for action in ACTIONS
        if action.id not in DIALOGS and not action.method.startswith("open_chapter")
    ]
    assert ROUND // 40 >= len(actions) > 40  # each of them once in every round, and some again
    kept: list[tuple[int, int, int]] = []
    passed = 0
    for tick in range(SOAK):
        if tick % ROUND == 0:
            rng = Random(7)
            waiting = rng.sample(actions, len(actions))
        if tick % 400 == 0:
            window.first.sentences.set_text(rng.choice(texts))
            quiet(window, qtbot)
        if tick % 40 == 20:
            window.do(waiting.pop() if waiting else rng.choice(actions))
            quiet(window, qtbot)
        elif tick % 160 == 40:
            picture = window.canvas.picture()
            names = [name for name, *_ in hit.named(picture)] if picture is not None else []
            if names:
                window.activate(rng.choice(names))
                quiet(window, qtbot)
        if not window.player.playing:
            window.player.play()
        before = window.player.tick
        hand.now += 1.3 / window.player.speed  # longer than a tick takes, reduced motion or not
        window.player.advance()
        passed += window.player.tick != before
        if tick % 25 == 0:  # a frame in the middle of a tick
            hand.now += 0.3 / window.player.speed
            window.player.advance()
            QApplication.processEvents()
        if (tick + 1) % ROUND == 0:
            kept.append(rest(window, qtbot))
    assert passed > 0.95 * SOAK
    for what, *counts in zip(("objects", "blocks", "bytes"), *kept, strict=True):
        # What grows is in both of the last rounds; which glyphs and pens are kept varies by 1 %.
        assert min(counts[-2:]) <= GROWTH * max(counts[2:WARM]), (what, counts)
    window.close()
    assert alive() == threads
    timers = window.findChildren(QTimer)
    qtbot.waitUntil(lambda: not any(timer.isActive() for timer in timers), timeout=2000)
    window.deleteLater()


# ------------------------------------------------------------------ screens


def on_screens(what: str, tmp_path: Path) -> str:
    """Run a check of this file in a process that has other screens; return what it printed."""
    screens = {
        "two": [(0, 1600, 900, 96), (1600, 3200, 1800, 192), (4800, 2400, 1350, 144)],
        "small": [(0, 800, 600, 96)],
    }[what]
    described = [
        {"name": f"{dpi} dpi", "x": x, "y": 0, "width": width, "height": height,
         "logicalDpi": dpi, "logicalBaseDpi": 96, "dpr": 1}
        for x, width, height, dpi in screens
    ]  # fmt: skip
    place = tmp_path / "screens.json"
    place.write_text(json.dumps({"screens": described}), encoding="utf-8")
    given = os.environ | {
        "QT_QPA_PLATFORM": f"offscreen:configfile={place}", "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-W", "error", __file__, what, str(tmp_path)],
        env=given, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return done.stdout


def test_on_every_screen_the_stage_is_as_fine_as_the_screen(tmp_path: Path) -> None:
    assert on_screens("two", tmp_path).split() == ["1.0", "2.0", "1.5", "2.0", "1.0"]


def test_present_fits_a_screen_smaller_than_the_window_may_be(tmp_path: Path) -> None:
    assert on_screens("small", tmp_path).split() == ["800", "600"]


def opened(folder: Path) -> Window:
    """Return a window with the default sentence at a tick, without pytest."""
    register_fonts()
    made = Window(folder / "session.json")
    made.resize(1000, 640)
    made.show()
    made.first.sentences.compute()
    wait(lambda: len(made.canvas.view.growth) == len(GROWTH_LENGTHS))  # then nothing changes
    made.player.seek(9)
    return made


def wait(until: Callable[[], bool]) -> None:
    from time import perf_counter, sleep

    end = perf_counter() + 30
    while not until():
        assert perf_counter() < end
        QApplication.processEvents()
        sleep(0.002)


def check_two(folder: Path) -> None:
    """Move the window from screen to screen: after each move all pixels are those of the screen."""
    made = opened(folder)
    images: dict[float, QImage] = {}
    screens = sorted(QGuiApplication.screens(), key=lambda screen: screen.geometry().x())
    for index in (0, 1, 2, 1, 0):
        made.move(screens[index].geometry().topLeft())
        for _ in range(5):
            QApplication.processEvents()
        wait(lambda: made.canvas.settled)
        ratio = made.canvas.devicePixelRatioF()
        print(ratio)
        expected = seen(made)
        assert same(stage(made), expected), ratio
        handle = made.windowHandle()
        assert handle is not None
        # Qt's offscreen screens hand out so many px of their own as the window has of its own.
        screen = screens[index].grabWindow(handle.winId()).toImage()
        corner = QPointF(made.canvas.mapTo(made, QPoint(0, 0))) * ratio
        left, top = round(corner.x()), round(corner.y())
        width = min(screen.width(), round(made.first.stage.viewport().width() * ratio))
        height = min(screen.height() - top, round(made.first.stage.viewport().height() * ratio))
        assert min(width, height) > 400
        shown = screen.copy(left, top, width, height)
        assert same(rgb(shown), expected.copy(0, 0, width, height)), ratio
        assert same(images.setdefault(ratio, expected), expected), ratio  # back, it looks as before
    coarse, fine = images[1.0], images[2.0]
    assert fine.size() == QSize(2 * coarse.width(), 2 * coarse.height())
    assert difference(fine, coarse.scaled(fine.size())) > 1  # finer than px drawn twice as large
    assert difference(fine.scaledToWidth(coarse.width(), SMOOTH), coarse) < 2  # but the same
    made.close()


def rgb(image: QImage) -> QImage:
    return image.convertToFormat(QImage.Format.Format_RGB32)


def difference(a: QImage, b: QImage) -> float:
    """Return the mean difference of two images of one size."""
    one, other = (np.frombuffer(rgb(i).constBits(), np.uint8).astype(np.int16) for i in (a, b))
    return float(np.abs(one - other).mean())


def check_small(folder: Path) -> None:
    """Present on a screen of 800 × 600: all of the stage is seen."""
    made = opened(folder)
    made.present()
    wait(lambda: made.canvas.settled)
    for _ in range(5):
        QApplication.processEvents()
    print(made.width(), made.height())
    width, height, scale = made.canvas.fitted()
    assert made.canvas.width() <= 800
    assert width * scale <= 801
    assert height * scale <= 601 - made.strip.height()
    made.leave()
    for _ in range(5):
        QApplication.processEvents()
    assert made.minimumWidth() == 960
    made.close()


if __name__ == "__main__":
    application = QApplication([])
    {"two": check_two, "small": check_small}[sys.argv[1]](Path(sys.argv[2]))

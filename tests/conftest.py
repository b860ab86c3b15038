"""What all tests share: no display, and no test that vanishes by skipping."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import threading
import traceback
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from app.chapters import Host
    from app.window import Window

# Before anything imports Qt: tests draw into memory, never on a screen.
os.environ["QT_QPA_PLATFORM"] = "offscreen"


def _has_oracle() -> bool:
    """Return whether PyTorch can be compared with."""
    return importlib.util.find_spec("torch") is not None


def _has_gpu() -> bool:
    """Return whether CuPy is installed and finds a device."""
    if importlib.util.find_spec("cupy") is None:
        return False
    return bool(importlib.import_module("cupy").is_available())


# The only reasons for which a test may be skipped.
MAY_SKIP: dict[str, tuple[Callable[[], bool], str]] = {
    "needs_oracle": (_has_oracle, "PyTorch is not installed (python3 run.py test --oracle)"),
    "needs_gpu": (_has_gpu, "CuPy is not installed or finds no GPU"),
}


def pytest_configure(config: pytest.Config) -> None:
    for mark, (_, missing) in MAY_SKIP.items():
        config.addinivalue_line("markers", f"{mark}: may be skipped when {missing}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for mark, (available, missing) in MAY_SKIP.items():
        waiting = [item for item in items if item.get_closest_marker(mark)]
        if waiting and not available():
            for item in waiting:
                item.add_marker(pytest.mark.skip(reason=f"{mark}: {missing}"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn every other skip into a failure: a test that skips itself proves nothing."""
    report = yield
    allowed = any(item.get_closest_marker(mark) for mark in MAY_SKIP)
    if report.skipped and not allowed and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped; only {', '.join(MAY_SKIP)} may skip."
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn the skip of a whole file into a failure, too."""
    report = yield
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} skipped itself as a whole; mark its tests instead."
    return report


def pytest_sessionfinish() -> None:
    """Empty the clipboard of the offscreen screen.

    It outlives Python, and what a test copied is an object of Python's: freeing it would end the
    process with a fault. On real screens it goes with the application.
    """
    if "PySide6.QtGui" in sys.modules:
        from PySide6.QtGui import QGuiApplication

        if isinstance(QGuiApplication.instance(), QGuiApplication):
            QGuiApplication.clipboard().clear()


def _at_work() -> list[str]:
    """Return where each worker is that has not ended."""
    frames = sys._current_frames()
    return [
        "".join(traceback.format_stack(frames[thread.ident]))
        for thread in threading.enumerate()
        if thread.name == "background" and thread.ident in frames
    ]


@pytest.fixture
def window(qtbot: QtBot, tmp_path: Path) -> Iterator[Window]:
    """Return a window with the default sentence on the stage, and check that it leaves nothing."""
    from PySide6.QtCore import QTimer

    from app.window import Window
    from widgets.fonts import register_fonts

    register_fonts()
    made = Window(tmp_path / "session.json")
    made.show()
    made.begin()
    qtbot.waitUntil(lambda: made.first.pair is not None, timeout=30_000)
    made.canvas.setFocus()
    yield made
    made.close()
    assert not _at_work()
    # A frame that was asked for just before may still come; then all is quiet.
    timers = made.findChildren(QTimer)
    qtbot.waitUntil(lambda: not any(timer.isActive() for timer in timers), timeout=2000)
    made.deleteLater()


@pytest.fixture
def host(qtbot: QtBot, tmp_path: Path) -> Host:
    """Return what a chapter is given by a window, without one."""
    from PySide6.QtWidgets import QWidget

    from app.chapters import Host
    from engine.recorder import Recorder
    from widgets import captions, theme
    from widgets.controls import Notice

    parent, notice = QWidget(), Notice()
    for widget in (parent, notice):
        qtbot.addWidget(widget)
    say = captions.load("en")
    return Host(parent, say, theme.load("light"), tmp_path, notice, Recorder())

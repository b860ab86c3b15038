"""How tests drive the window: as a person does, by keys and clicks."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.window import Window


def key(window: Window, qtbot: QtBot, name: str) -> None:
    """Press a key as Qt names it: "Shift+Right"."""
    combination = QKeySequence(name)[0]  # type: ignore[index]  # the stubs lack it
    focus = QApplication.focusWidget() or window.canvas
    qtbot.keyClick(focus, combination.key(), combination.keyboardModifiers())


def settled(window: Window, qtbot: QtBot) -> None:
    """Wait until nothing moves, computes or is saved."""
    computing, saving = window.first.sentences.background, window.stills
    qtbot.waitUntil(
        lambda: not (window.player.moving or computing.busy or saving.busy), timeout=20_000
    )


def shown(window: Window) -> list[str]:
    """Return the words on the stage of chapter 1."""
    assert window.first.pair is not None
    return list(window.first.pair.tokens)


def click(window: Window, qtbot: QtBot, name: str) -> None:
    """Click an element of the stage."""
    point = window.canvas.place_of(name)
    assert point is not None, f"{name} is not on the stage"
    qtbot.mouseClick(window.canvas, Qt.MouseButton.LeftButton, pos=point)

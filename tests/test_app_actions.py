"""The table of keys: complete, consistent, and written for people."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QKeySequence

from app.actions import ACTIONS, GROUPS, keys_as_text, markdown_table
from app.chapters import CHAPTERS
from app.player import Player
from app.presenting import Presenting
from app.window import Window
from widgets import captions

SAY = captions.load("en")
BY_ID = {action.id: action for action in ACTIONS}
# shared with the design: what a lecturer's keyboard and a presenter's remote send
DESIGNED = {
    "Space": "play", "Right": "step", "Left": "back", "PgDown": "step", "PgUp": "back",
    "Shift+Right": "next_group", "Shift+Left": "previous_group", "Home": "first", "End": "last",
    "+": "faster", "-": "slower", "F5": "present", "F11": "present", "Esc": "leave", "T": "theme",
    "B": "blank", "H": "hide", "1": "chapter_1", "Tab": "next_element",
    "Shift+Tab": "previous_element", "Return": "open", "Backspace": "close", "Ctrl+L": "sentence",
    "Ctrl+E": "export", "Ctrl+Shift+E": "export_window", "Ctrl+C": "copy", "Ctrl+I": "inspector",
    "Ctrl+B": "rail", "?": "help", "Ctrl+Shift+M": "still",
    "Ctrl+=": "larger", "Ctrl+-": "smaller", "Ctrl+0": "usual_size",
}  # fmt: skip


@pytest.mark.parametrize("key", DESIGNED)
def test_a_designed_key_does_what_it_should(key: str) -> None:
    assert key in BY_ID[DESIGNED[key]].keys


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_each_row_has_keys_that_qt_knows_a_group_and_somebody_who_does_it(action: object) -> None:
    row = BY_ID[action.id]  # type: ignore[attr-defined]
    assert row.group in GROUPS
    assert all(QKeySequence(key).toString() for key in row.keys)
    if not row.method:  # what a chapter does, if it does
        assert row.chapter in CHAPTERS
        return
    name, _, given = row.method.partition(":")
    part, _, method = name.rpartition(".")
    owner = {"": Window, "player": Player, "presenting": Presenting}[part]
    assert callable(getattr(owner, method))
    assert not given or given in CHAPTERS


def test_keys_are_written_with_their_signs_and_once() -> None:
    assert keys_as_text(BY_ID["step"]) == "→, PgDn"
    assert keys_as_text(BY_ID["next_group"]) == "Shift+→"
    assert keys_as_text(BY_ID["open"]) == "Enter"
    assert keys_as_text(BY_ID["faster"]) == "+"
    assert keys_as_text(BY_ID["slower"]) == "−"
    assert keys_as_text(BY_ID["larger"]) == "Ctrl++"
    assert keys_as_text(BY_ID["smaller"]) == "Ctrl+−"


def test_the_table_has_a_row_for_each_action() -> None:
    lines = markdown_table(SAY).splitlines()
    assert lines[:2] == ["| key | does |", "| --- | --- |"]
    assert len(lines) == len(ACTIONS) + 2

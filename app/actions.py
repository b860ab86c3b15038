"""ACTIONS: everything that a key does; shortcuts, the help sheet and the README come from it."""

from __future__ import annotations

from typing import NamedTuple

from app import CHAPTER


class Action(NamedTuple):
    """One thing that can be done: its keys, the group it is listed in, and who does it.

    Keys are written as Qt does ("Ctrl+E"). ``method`` is one of the window, or of a part of it
    ("player.step"), with what it is given behind a colon; a chapter may do it its own way. What
    only one chapter does has no method but the id of that chapter. The words are the caption
    ``action.<id>``.
    """

    id: str
    keys: tuple[str, ...]
    group: str  # "time", "stage", "window"
    method: str
    chapter: str = ""


ACTIONS = (
    Action("play", ("Space",), "time", "player.toggle"),
    Action("step", ("Right", "PgDown"), "time", "player.step"),
    Action("back", ("Left", "PgUp"), "time", "player.back"),
    Action("next_group", ("Shift+Right",), "time", "player.next_group"),
    Action("previous_group", ("Shift+Left",), "time", "player.previous_group"),
    Action("first", ("Home",), "time", "player.first"),
    Action("last", ("End",), "time", "player.to_last"),
    Action("faster", ("+", "="), "time", "player.faster"),
    Action("slower", ("-",), "time", "player.slower"),
    Action("next_element", ("Tab", "Down"), "stage", "next_element"),
    Action("previous_element", ("Shift+Tab", "Up"), "stage", "previous_element"),
    Action("open", ("Return", "Enter"), "stage", "open_element"),
    Action("close", ("Backspace",), "stage", "close_element"),
    Action("hide", ("H",), "stage", "", CHAPTER),
    Action("attention", ("A",), "stage", "", CHAPTER),
    Action("both", ("D",), "stage", "", CHAPTER),
    Action("causal", ("K",), "stage", "", CHAPTER),
    Action("positions", ("P",), "stage", "", CHAPTER),
    Action("trained", ("U",), "stage", "", CHAPTER),
    Action("precision", ("Q",), "stage", "", CHAPTER),
    Action("influence", ("I",), "stage", "", CHAPTER),
    Action("predict", ("V",), "stage", "", CHAPTER),
    Action("pin", ("X",), "stage", "", CHAPTER),
    Action("freeze", ("F",), "stage", "", CHAPTER),
    Action("arcs", ("L",), "stage", "", CHAPTER),
    Action("classic", ("C",), "stage", "", CHAPTER),
    Action("layer", ("Y",), "stage", "", CHAPTER),
    Action("head", ("G",), "stage", "", CHAPTER),
    Action("mode", ("M",), "stage", "", "three-computing"),
    Action("case", ("E",), "stage", "", "analytical-empirical"),
    Action("train", ("N",), "stage", "", "analytical-empirical"),
    Action("shorter", (",",), "stage", "", CHAPTER),
    Action("longer", (".",), "stage", "", CHAPTER),
    Action("sentence", ("Ctrl+L",), "window", "", CHAPTER),
    Action("recent", ("Ctrl+R",), "window", "", CHAPTER),
    Action("words", ("Ctrl+W",), "window", "", CHAPTER),
    Action("undo", ("Ctrl+Z",), "window", "", CHAPTER),
    Action("redo", ("Ctrl+Shift+Z", "Ctrl+Y"), "window", "", CHAPTER),
    Action("export", ("Ctrl+E",), "window", "export_stage"),
    Action("export_window", ("Ctrl+Shift+E",), "window", "export_window"),
    Action("copy", ("Ctrl+C",), "window", "copy_stage"),
    Action("present", ("F5", "F11"), "window", "present"),
    Action("leave", ("Esc",), "window", "leave"),
    Action("blank", ("B",), "window", "presenting.blank"),
    Action("theme", ("T",), "window", "toggle_theme"),
    Action("contrast", ("Shift+T",), "window", "toggle_contrast"),
    Action("larger", ("Ctrl+=", "Ctrl++"), "window", "larger"),
    Action("smaller", ("Ctrl+-",), "window", "smaller"),
    Action("usual_size", ("Ctrl+0",), "window", "usual_size"),
    Action("still", ("Ctrl+Shift+M",), "window", "toggle_still"),
    Action("inspector", ("Ctrl+I",), "window", "toggle_inspector"),
    Action("read", ("Ctrl+Shift+I",), "window", "read_inspector"),
    Action("rail", ("Ctrl+B",), "window", "toggle_rail"),
    Action("chapter_1", ("1",), "window", "open_chapter:rnn-transformer"),
    Action("chapter_2", ("2",), "window", "open_chapter:three-computing"),
    Action("chapter_3", ("3",), "window", "open_chapter:cpu-gpu"),
    Action("chapter_4", ("4",), "window", "open_chapter:analytical-empirical"),
    Action("chapter_5", ("5",), "window", "open_chapter:claims"),
    Action("long_range", ("R",), "window", "open_chapter:long-range"),
    Action("help", ("?",), "window", "help"),
)
GROUPS = ("time", "stage", "window")
SIGNS = {
    "Right": "→", "Left": "←", "Up": "↑", "Down": "↓", "PgDown": "PgDn", "Return": "Enter",
    "-": "−",
}  # fmt: skip
UNSAID = ("=", "Ctrl+=", "Enter")  # the same key with or without Shift, or its twin


def keys_as_text(action: Action) -> str:
    """Return an action's keys for people: "→, PgDn"."""
    shown = []
    for key in action.keys:
        *modifiers, last = key.split("+") if key[-1] != "+" else [*key[:-1].split("+")[:-1], "+"]
        text = "+".join([*modifiers, SIGNS.get(last, last)])
        if text not in shown and key not in UNSAID:
            shown.append(text)
    return ", ".join(shown)


def markdown_table(say: object) -> str:
    """Return the keys as the table of the README; ``say`` gives the words of a caption."""
    assert callable(say)
    rows = [f"| {keys_as_text(a)} | {say(f'action.{a.id}')} |" for a in ACTIONS]
    return "\n".join(["| key | does |", "| --- | --- |", *rows])

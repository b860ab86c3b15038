"""ACTIONS: everything that a key does; shortcuts, the help sheet and the README come from it."""

from __future__ import annotations

from typing import NamedTuple


class Action(NamedTuple):
    """One thing that can be done: its keys, the group it is listed in, and who does it.

    Keys are written as Qt does ("Ctrl+E"). ``method`` is one of the window, or of a part of it
    ("player.step"). The words are the caption ``action.<id>``.
    """

    id: str
    keys: tuple[str, ...]
    group: str  # "time", "stage", "window"
    method: str


ACTIONS = (
    Action("play", ("Space",), "time", "toggle_play"),
    Action("step", ("Right", "PgDown"), "time", "choices.step"),
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
    Action("hide", ("H",), "stage", "hide_word"),
    Action("attention", ("A",), "stage", "toggle_attention"),
    Action("both", ("D",), "stage", "toggle_both"),
    Action("causal", ("K",), "stage", "toggle_causal"),
    Action("positions", ("P",), "stage", "toggle_positions"),
    Action("trained", ("U",), "stage", "toggle_trained"),
    Action("influence", ("I",), "stage", "studies.toggle_influence"),
    Action("predict", ("V",), "stage", "choices.toggle_predict"),
    Action("pin", ("X",), "stage", "choices.pin"),
    Action("freeze", ("F",), "stage", "freeze"),
    Action("arcs", ("L",), "stage", "choices.toggle_arcs"),
    Action("classic", ("C",), "stage", "toggle_classic"),
    Action("layer", ("Y",), "stage", "choices.next_layer"),
    Action("head", ("G",), "stage", "choices.next_head"),
    Action("shorter", (",",), "stage", "studies.shorter"),
    Action("longer", (".",), "stage", "studies.longer"),
    Action("sentence", ("Ctrl+L",), "window", "edit_sentence"),
    Action("recent", ("Ctrl+R",), "window", "show_recent"),
    Action("undo", ("Ctrl+Z",), "window", "undo"),
    Action("redo", ("Ctrl+Shift+Z", "Ctrl+Y"), "window", "redo"),
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
    Action("chapter_1", ("1",), "window", "chapter_1"),
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

"""Undo and redo."""

from __future__ import annotations

from app.history import MOST, History


def test_states_are_undone_and_redone_in_their_order() -> None:
    history: History[str] = History()
    assert history.undo() is None
    for state in "abbc":  # the same again is no new state
        history.show(state)
    assert (history.undo(), history.undo(), history.undo()) == ("b", "a", None)
    assert (history.redo(), history.redo(), history.redo()) == ("b", "c", None)


def test_a_new_state_forgets_what_was_undone() -> None:
    history: History[str] = History()
    for state in "abc":
        history.show(state)
    history.undo()
    history.show("b")  # what an undo shows is no new state either
    assert history.redo() == "c"
    history.undo()
    history.show("d")
    assert history.redo() is None
    assert history.undo() == "b"


def test_so_many_states_are_kept_and_no_more() -> None:
    history: History[int] = History()
    for state in range(MOST + 50):
        history.show(state)
    seen = []
    while (state_before := history.undo()) is not None:
        seen.append(state_before)
    assert seen[-1] == 50

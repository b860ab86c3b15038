"""Computing off the GUI thread: the newest request wins, errors are values, the end is clean."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from pytestqt.qtbot import QtBot

from app.background import Background, Outcome


@pytest.fixture
def background(qapp: object) -> Iterator[Background]:
    made = Background()
    yield made
    made.close()


def collect(background: Background) -> list[Outcome]:
    outcomes: list[Outcome] = []
    background.done.connect(outcomes.append)
    return outcomes


def test_a_function_runs_in_another_thread(background: Background, qtbot: QtBot) -> None:
    outcomes = collect(background)
    with qtbot.waitSignal(background.done):
        number = background.ask(threading.get_ident)
    assert outcomes[0].number == number
    assert outcomes[0].value != threading.get_ident()


def test_its_outcome_arrives_in_the_thread_that_asked(background: Background, qtbot: QtBot) -> None:
    threads: list[int] = []
    background.done.connect(lambda _: threads.append(threading.get_ident()))
    with qtbot.waitSignal(background.done):
        background.ask(int)
    assert threads == [threading.get_ident()]


def test_an_error_is_a_value(background: Background, qtbot: QtBot) -> None:
    outcomes = collect(background)
    with qtbot.waitSignal(background.done):
        background.ask(int, "seven")
    assert isinstance(outcomes[0].error, ValueError)
    assert outcomes[0].value is None


def waiting(ran: list[str], name: str, go: threading.Event) -> Callable[[], str]:
    def function() -> str:
        ran.append(name)
        assert go.wait(5)
        return name

    return function


def test_the_newest_request_wins(background: Background, qtbot: QtBot) -> None:
    ran: list[str] = []
    outcomes, go = collect(background), threading.Event()
    background.ask(waiting(ran, "first", go))
    qtbot.waitUntil(lambda: ran == ["first"])
    background.ask(waiting(ran, "second", go))
    with qtbot.waitSignal(background.done):
        background.ask(waiting(ran, "third", go))
        assert background.busy
        go.set()
    qtbot.wait(30)
    assert ran == ["first", "third"]
    assert [outcome.value for outcome in outcomes] == ["third"]
    assert not background.busy


def test_closing_waits_for_what_runs_and_drops_it(background: Background, qtbot: QtBot) -> None:
    ran: list[str] = []
    outcomes, go = collect(background), threading.Event()
    background.ask(waiting(ran, "late", go))
    qtbot.waitUntil(lambda: ran == ["late"])
    threading.Timer(0.05, go.set).start()
    background.close()
    assert not any(thread.name == "background" for thread in threading.enumerate())
    qtbot.wait(30)
    assert outcomes == []


def test_closing_can_finish_what_waits(background: Background) -> None:
    ran: list[int] = []
    background.ask(ran.append, 1)
    background.close(finish=True)
    assert ran == [1]


def test_nothing_is_computed_after_closing(background: Background, qtbot: QtBot) -> None:
    outcomes = collect(background)
    background.close()
    background.ask(int)
    qtbot.wait(30)
    assert outcomes == []


def test_a_core_is_left_to_the_window(
    background: Background, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[tuple[int, str]] = []
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.setattr(
        "threadpoolctl.threadpool_limits", lambda n, user_api: limits.append((n, user_api))
    )
    with qtbot.waitSignal(background.done):
        background.ask(int)
    assert limits == [(7, "blas")]


def test_the_window_is_served_while_python_computes(background: Background, qtbot: QtBot) -> None:
    def busy() -> int:
        end = time.perf_counter() + 0.3
        count = 0
        while time.perf_counter() < end:
            count += 1
        return count

    worst, before = 0.0, time.perf_counter()
    with qtbot.waitSignal(background.done, timeout=5000):
        background.ask(busy)
        while background.busy:
            qtbot.wait(5)
            now = time.perf_counter()
            worst, before = max(worst, now - before), now
    assert worst < 0.25

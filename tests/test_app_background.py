"""The worker: the newest request wins, errors come back as values, closing is clean."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from app.background import Background, Outcome


@pytest.fixture
def worker(qapp: object) -> Iterator[Background]:
    made = Background()
    yield made
    made.close()


def test_a_function_runs_in_another_thread_and_its_value_comes_back(
    worker: Background, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(worker.done, timeout=20_000) as got:
        worker.ask(threading.get_ident)
    outcome: Outcome = got.args[0]
    assert outcome.value != threading.get_ident()
    assert not worker.busy


def test_only_the_newest_of_many_requests_is_delivered(worker: Background, qtbot: QtBot) -> None:
    got: list[Outcome] = []
    ran: list[int] = []
    worker.done.connect(got.append)
    gate = threading.Event()
    worker.ask(gate.wait, 10)
    for i in range(100):
        worker.ask(ran.append, i)
    gate.set()
    qtbot.waitUntil(lambda: not worker.busy, timeout=20_000)
    assert ran == [99]
    assert [outcome.number for outcome in got] == [101]


def test_an_error_is_a_value_and_the_worker_goes_on(worker: Background, qtbot: QtBot) -> None:
    with qtbot.waitSignal(worker.done, timeout=20_000) as got:
        worker.ask(int, "no number")
    assert isinstance(got.args[0].error, ValueError)
    with qtbot.waitSignal(worker.done, timeout=20_000) as got:
        worker.ask(int, "7")
    assert got.args[0].value == 7


def test_closing_waits_for_what_runs_and_drops_it(qapp: object, qtbot: QtBot) -> None:
    worker = Background()
    got: list[Outcome] = []
    worker.done.connect(got.append)
    worker.ask(time.sleep, 0.3)
    qtbot.wait(50)
    worker.close()
    qtbot.wait(50)
    assert got == []
    assert not [t for t in threading.enumerate() if t.name == "background"]
    worker.ask(int, "7")
    assert not worker.busy

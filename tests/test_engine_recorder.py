"""What ran lately in this process: from several threads, in bounded memory, with honest gaps."""

from __future__ import annotations

import threading
from time import perf_counter

import numpy as np
import pytest

from engine import recorder as module
from engine.models import Config, Model, initialise, run
from engine.ops import Ops
from engine.recorder import STEPS, Recorder
from engine.shares import CPU_PATH
from engine.trace import Basis, Unit
from engine.units import Work


def in_thread(function: object, *arguments: object) -> None:
    thread = threading.Thread(target=function, args=arguments)  # type: ignore[arg-type]
    thread.start()
    thread.join()


def test_nothing_ran() -> None:
    assert Recorder().shares(100.0) is None


def test_what_ran_before_the_window_is_forgotten() -> None:
    recorder = Recorder()
    recorder.watch(1.0, 2.0, {Unit.MATRIX: 1.0})
    assert recorder.shares(4.5) is None


def test_the_rest_of_a_run_is_python_and_the_rest_of_the_window_idle() -> None:
    recorder = Recorder()
    recorder.watch(1.0, 2.0, {Unit.MATRIX: 0.5, Unit.STREAM: 0.25})
    shares = recorder.shares(2.0)
    assert shares is not None
    assert (shares[Work.MATRIX], shares[Work.STREAM], shares[Work.SEQUENTIAL]) == pytest.approx(
        (0.25, 0.125, 0.125)
    )
    assert shares[Work.IDLE] == pytest.approx(0.5)
    assert sum(shares.parts.values()) == 1.0
    assert (shares.seconds, shares.basis, shares.path) == (2.0, Basis.MEASURED, CPU_PATH)


def test_a_run_that_the_window_cuts_counts_in_proportion() -> None:
    recorder = Recorder()
    recorder.watch(0.0, 4.0, {Unit.MATRIX: 3.0, Unit.STREAM: 1.0})
    shares = recorder.shares(5.0)  # from 3 to 5
    assert shares is not None
    assert (shares[Work.MATRIX], shares[Work.STREAM], shares[Work.IDLE]) == (0.375, 0.125, 0.5)


def test_threads_at_work_in_the_same_moment_share_it() -> None:
    recorder = Recorder()
    recorder.note(0.0, 2.0, {Work.MATRIX: 2.0})
    in_thread(recorder.note, 0.0, 1.0, {Work.STREAM: 1.0})
    shares = recorder.shares(2.0)
    assert shares is not None
    assert (shares[Work.MATRIX], shares[Work.STREAM]) == (0.75, 0.25)


def test_a_clock_put_back_is_not_noted() -> None:
    recorder = Recorder()
    recorder.watch(2.0, 1.0, {Unit.MATRIX: 1.0})
    recorder.watch(1.0, 1.0, {Unit.MATRIX: 1.0})
    assert recorder.count == 0
    recorder.watch(1.0, 1.5, {Unit.MATRIX: 0.5})
    assert recorder.shares(0.5) is None  # now lies before everything


def test_many_short_runs_take_bounded_memory_and_lose_no_time() -> None:
    recorder = Recorder()
    for i in range(20_000):
        recorder.watch(i * 1e-4, (i + 1) * 1e-4, {Unit.MATRIX: 0.5e-4})
    assert sum(map(len, recorder._ran.values())) <= 220
    shares = recorder.shares(2.0)
    assert shares is not None
    assert shares[Work.MATRIX] == pytest.approx(0.5, abs=1e-6)
    assert shares[Work.IDLE] == pytest.approx(0.0, abs=1e-6)
    start = perf_counter()
    recorder.shares(2.0)
    assert perf_counter() - start < 0.05  # 10 times a second, beside everything else


def test_what_never_comes_closer_together_is_bounded_too() -> None:
    recorder = Recorder()
    for i in range(3 * module.MOST):
        recorder.note(i * 0.1, i * 0.1 + 0.01, {Work.STREAM: 0.01})
    assert sum(map(len, recorder._ran.values())) == module.MOST


def test_a_job_is_sequential_where_no_run_of_it_is() -> None:
    recorder = Recorder()
    with recorder.job():
        start = perf_counter()
        while perf_counter() < start + 0.02:
            pass
        middle = perf_counter()
        recorder.note(start, middle, {Work.MATRIX: middle - start})
        while perf_counter() < middle + 0.02:
            pass
    now = perf_counter()
    shares = recorder.shares(now)
    assert shares is not None
    assert shares[Work.MATRIX] * 2 == pytest.approx(0.02, rel=0.5)
    assert shares[Work.SEQUENTIAL] * 2 >= 0.019
    assert not recorder.busy


def test_what_a_job_under_way_has_not_told_is_unclassified_and_not_guessed() -> None:
    recorder = Recorder()
    with recorder.job():
        begun = perf_counter()
        assert recorder.busy
        soon = recorder.shares(begun + 0.1)
        assert soon is None  # the window ends where the job began
        later = recorder.shares(begun + 1.0)
        assert later is not None
        assert later[Work.UNCLASSIFIED] * 2 == pytest.approx(1.0 - module.LAG_SECONDS, abs=0.01)
        assert later[Work.SEQUENTIAL] == pytest.approx(0.0, abs=0.01)


def test_a_job_that_fails_is_over() -> None:
    recorder = Recorder()
    with pytest.raises(ZeroDivisionError), recorder.job():
        raise ZeroDivisionError
    assert not recorder.busy


def test_a_job_within_a_job_is_one() -> None:
    recorder = Recorder()
    with recorder.job():
        with recorder.job():
            assert recorder.busy
        assert recorder.busy
    assert len(recorder._jobs) == 1


def test_a_model_that_ran_is_seen() -> None:
    recorder = Recorder()
    config = Config(kind="grid", words=64, embedding=192, width=192, heads=6, layers=2, mlp=768)
    parameters = initialise(config, np.random.default_rng(0))
    model = Model("block", config, parameters, tuple(map(str, range(64))))
    trace = run(model, np.zeros((4, 64), np.int64), hidden=63, ops=Ops(), watch=recorder.watch)
    shares = recorder.shares(perf_counter())
    assert shares is not None
    products = sum(s.timing.seconds for s in trace.steps if s.timing.unit is Unit.MATRIX)
    assert shares[Work.MATRIX] * 2.0 == pytest.approx(products, rel=0.01)


def test_threads_that_note_at_once_lose_nothing() -> None:
    recorder = Recorder()

    def work(offset: float) -> None:
        for i in range(2000):
            begin = offset + i * 0.5e-3
            recorder.note(begin, begin + 0.5e-3, {Work.MATRIX: 0.5e-3})

    threads = [threading.Thread(target=work, args=(float(k),)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shares = recorder.shares(2.0)
    assert shares is not None
    assert shares[Work.MATRIX] == pytest.approx(1.0, abs=1e-6)


# ---- a training ----------------------------------------------------------------------------------


def step_of(seconds: float) -> dict[str, dict[Unit, float]]:
    """Return a step whose forward pass took so long on products, and its update a tenth of it."""
    return {
        "forward": {Unit.SEQUENTIAL: 0.0, Unit.STREAM: 0.0, Unit.MATRIX: seconds},
        "update": {Unit.SEQUENTIAL: 0.0, Unit.STREAM: seconds / 10, Unit.MATRIX: 0.0},
    }


def test_the_last_steps_of_a_training_are_told_as_their_mean() -> None:
    recorder = Recorder()
    assert recorder.trained is None
    for step, seconds in enumerate((1.0, 3.0), 1):
        recorder.train("a GRU", step, step_of(seconds))
    told = recorder.trained
    assert told is not None
    assert (told.what, told.step, told.steps) == ("a GRU", 2, 2)
    assert told.seconds["forward"][Work.MATRIX] == 2.0
    assert told.seconds["update"][Work.STREAM] == pytest.approx(0.2)
    for step in range(3, 3 + STEPS):  # the first ones are forgotten
        recorder.train("a GRU", step, step_of(7.0))
    told = recorder.trained
    assert told is not None
    assert (told.steps, told.seconds["forward"][Work.MATRIX]) == (STEPS, 7.0)


@pytest.mark.parametrize(("what", "step"), [("an LSTM", 9), ("a GRU", 1)])
def test_another_training_or_one_that_begins_anew_is_told_alone(what: str, step: int) -> None:
    recorder = Recorder()
    recorder.train("a GRU", 8, step_of(1.0))
    recorder.train(what, step, step_of(5.0))
    told = recorder.trained
    assert told is not None
    assert (told.what, told.step, told.steps) == (what, step, 1)
    assert told.seconds["forward"][Work.MATRIX] == 5.0

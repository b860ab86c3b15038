"""Shares of wall time: whole per cents, the shares of a run, what a watch is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.models import Config, Model, initialise, run
from engine.ops import Ops
from engine.shares import CPU_PATH, EVENTS_PATH, Shares, parts_of, shares_by, shares_of
from engine.trace import Basis, Trace, Unit
from engine.units import Work


def some_run(kind: str = "grid") -> Trace:
    config = Config(kind="grid", words=50, embedding=48, width=48, heads=4, layers=2, mlp=96)
    if kind == "chain":
        config = Config(kind="chain", words=50, embedding=16, width=16, cell="gru")
    parameters = initialise(config, np.random.default_rng(0))
    model = Model("some", config, parameters, tuple(map(str, range(50))))
    return run(model, np.arange(16), hidden=15, ops=Ops())


def test_whole_per_cents_add_up_to_a_hundred() -> None:
    parts = parts_of({Work.MATRIX: 1, Work.STREAM: 1, Work.IDLE: 1})
    assert sum(Shares(parts, 1.0, Basis.MEASURED, "").percents.values()) == 100


# ---- of a run ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["grid", "chain"])
def test_the_shares_of_a_run_on_a_cpu_are_its_operations_times(kind: str) -> None:
    trace = some_run(kind)
    shares = shares_of(trace)
    products = sum(s.timing.seconds for s in trace.steps if s.timing.unit is Unit.MATRIX)
    assert shares[Work.MATRIX] == pytest.approx(products / trace.seconds, rel=1e-9)
    assert shares[Work.SEQUENTIAL] > 0
    assert shares[Work.IDLE] == shares[Work.COPY] == 0
    assert sum(shares.parts.values()) == 1.0
    assert (shares.basis, shares.path) == (Basis.MEASURED, CPU_PATH)
    assert shares.seconds == trace.seconds


def test_of_a_device_the_unit_is_inferred() -> None:
    trace = some_run()
    there = replace(trace, facts=replace(trace.facts, backend="CuPy"))
    assert (shares_of(there).basis, shares_of(there).path) == (Basis.INFERRED, EVENTS_PATH)


def test_operations_that_took_longer_than_the_run_are_parts_of_their_sum() -> None:
    shares = shares_by({Unit.MATRIX: 3.0, Unit.STREAM: 1.0}, wall=2.0)
    assert (shares[Work.MATRIX], shares[Work.STREAM], shares[Work.SEQUENTIAL]) == (0.75, 0.25, 0)


def test_a_run_that_took_no_time_or_less_is_sequential() -> None:
    assert shares_by({Unit.MATRIX: -1.0}, wall=-2.0)[Work.SEQUENTIAL] == 1.0


def test_views_are_python_and_no_stream_work() -> None:
    trace = some_run()
    moved = [s for s in trace.steps if s.timing.unit is Unit.STREAM and s.cost.bytes]
    expected = sum(s.timing.seconds for s in moved) / trace.seconds
    assert shares_of(trace)[Work.STREAM] == pytest.approx(expected, rel=1e-9)


# ---- a watch -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["grid", "chain"])
def test_a_watch_is_told_the_same_times_as_the_steps_have(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.tape.WATCHED_SECONDS", 0.0)  # behind every stage
    told: list[tuple[float, float, dict[Unit, float]]] = []
    trace = watched(kind, lambda start, end, spent: told.append((start, end, dict(spent))))
    assert len(told) > 3
    assert all(a[1] == b[0] for a, b in zip(told, told[1:], strict=False))  # without a gap
    for unit in (Unit.MATRIX, Unit.STREAM):
        steps = sum(s.timing.seconds for s in trace.steps if s.timing.unit is unit and s.cost.bytes)
        assert sum(spent[unit] for _, _, spent in told) == pytest.approx(steps, rel=1e-9)


def test_a_short_run_is_told_once_when_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.tape.WATCHED_SECONDS", 60.0)  # short also on a busy machine
    told: list[float] = []
    watched("chain", lambda start, end, spent: told.append(end - start))
    assert len(told) == 1


class Enough(Exception):
    """Somebody does not want to wait any longer."""


def test_a_watch_can_end_a_run_behind_every_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.tape.WATCHED_SECONDS", 0.0)
    told: list[float] = []
    watched("grid", lambda start, end, spent: told.append(end))
    for last in range(1, len(told) + 1):
        seen: list[float] = []

        def stop(
            start: float, end: float, spent: object, *, seen: list[float] = seen, last: int = last
        ) -> None:
            seen.append(end)
            if len(seen) == last:
                raise Enough

        with pytest.raises(Enough):
            watched("grid", stop)
        assert len(seen) == last


def watched(kind: str, watch: object) -> Trace:
    trace = some_run(kind)
    config = Config(kind="grid", words=50, embedding=48, width=48, heads=4, layers=2, mlp=96)
    if kind == "chain":
        config = Config(kind="chain", words=50, embedding=16, width=16, cell="gru")
    model = Model("some", config, trace.parameters, trace.vocabulary)
    return run(model, np.arange(16), hidden=15, ops=Ops(), watch=watch)  # type: ignore[arg-type]

"""What this machine does: measured within a budget, stopped anywhere, kept and read with care."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from engine import race, race_device, race_file, race_lengths
from engine.ops import OPS, Ops
from engine.race import Branching, Length, Machine, Measured, Outputs, Point, Rates
from engine.tape import Tape
from engine.units import Work

MACHINE = Machine("a CPU", 4, "NumPy 2", "3.12")


class Clock:
    """Seconds that pass by so much each time somebody looks."""

    def __init__(self, step: float) -> None:
        self.step, self.now, self.looks = step, 0.0, 0

    def __call__(self) -> float:
        self.looks += 1
        self.now += self.step
        return self.now


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything be small, so that only the clock says how long it takes."""
    monkeypatch.setattr(race, "SIZES", (2, 4, 8))
    monkeypatch.setattr(race, "COUNTS", (5, 25))
    monkeypatch.setattr(race, "BRANCHES", (0, 2))
    monkeypatch.setattr(race, "ITEMS", {"python": (1,), "numpy": (1, 10)})
    monkeypatch.setattr(race_lengths, "LENGTHS", (8, 16))
    monkeypatch.setattr(race, "_rates", rates_of_small)


def rates_of_small(watch: race.Watch) -> Rates | None:
    call = watch.best(np.add, np.float32(1), np.float32(2))
    return None if call is None else Rates(1e9, 2e9, 1e9, 1e9, call, 1e-8)


def everything(**given: Any) -> list[Measured]:
    return list(race.sweep(today="2026-11-24", **given))


def rows(found: Measured) -> int:
    return sum(map(len, (found.sizes, found.outputs, found.branches, found.lengths)))


def test_each_way_computes_the_same(small: None) -> None:
    a, b = race.drawn(6, 6), race.drawn(6, 6)
    by_hand = race._python_product(a.tolist(), b.T.tolist())
    assert np.allclose(by_hand, a @ b, atol=1e-6)
    h, w = race.drawn(race.STATE), race.drawn(race.STATE, race.STATE)
    stepped = race._python_chain(h.tolist(), w.T.tolist(), 3)
    assert np.allclose(stepped, race._numpy_chain(h, w, 3), atol=1e-5)
    x = race.drawn(9)
    assert np.allclose(race._python_map(x.tolist()), x * x)
    q, k = race.drawn(5, race.HEAD), race.drawn(5, race.HEAD)
    rows = [(p, r, 1.0) for p, r in zip(q.tolist(), k.tolist(), strict=True)]
    assert np.allclose(
        race._outputs(rows), race._outputs_at_once(q, k, np.ones(5, np.float32)), atol=1e-6
    )


@pytest.mark.parametrize("branches", [0, 1, 5, 12])
def test_branches_item_by_item_are_those_of_all_at_once(branches: int) -> None:
    x = race.drawn(50)
    one = race._branch_items(x.astype(np.float64).tolist(), branches)
    # Each branch nearly doubles what rounding has left: 1.9^12 times 6e-8.
    assert np.allclose(one, race._branch_all(x, branches, race._scratch(50)), atol=3e-4)


def test_the_sides_of_a_branch_are_both_taken() -> None:
    x = race.drawn(1000)
    for branches in (1, 4, 16, 31):
        y = race._branch_all(x, branches, race._scratch(1000))
        assert 0.2 < np.mean(y < 0.5) < 0.8


def test_a_sweep_measures_all_of_it_and_ends_complete(small: None) -> None:
    found = everything()
    last = found[-1]
    assert last.complete
    assert not any(each.complete for each in found[:-1])
    counts = [rows(each) for each in found]
    assert counts == sorted(counts)
    every = (os.cpu_count() or 1) > 1
    ways = {(op, by) for op in race.OPS for by in ("python", "one")}
    ways |= {("product", "all")} if every else set()
    assert {(p.op, p.by, p.n) for p in last.sizes} == {(*way, n) for way in ways for n in (2, 4, 8)}
    assert [row.outputs for row in last.outputs] == [5, 25]
    assert len(last.branches) == 2 * 3
    assert {(row.layer, row.tokens) for row in last.lengths} == {
        (layer, tokens) for layer in race.LAYERS for tokens in (8, 16)
    }
    assert last.rates is not None
    assert all(math.isfinite(p.seconds) and p.seconds > 0 for p in last.sizes)


def test_no_part_is_left_out_because_one_before_it_took_longer(
    small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, sizes = Clock(1e-3), race._with_sizes

    def long(found: Measured, watch: race.Watch, device: Any) -> Any:
        yield from sizes(found, watch, device)
        clock.now += 6.0  # another program has the machine

    monkeypatch.setattr(race, "_with_sizes", long)
    last = everything(clock=clock)[-1]
    assert last.complete
    assert len(last.branches) == 2 * 3
    assert {row.layer for row in last.lengths} == set(race.LAYERS)


def test_steps_and_flops_of_a_layer_are_those_of_the_formulas() -> None:
    d = race.WIDTH
    rows = race_lengths.counted()
    assert [(row.layer, row.tokens) for row in rows] == [
        (layer, tokens) for layer in race.LAYERS for tokens in race.LENGTHS
    ]
    for row in rows:
        T = row.tokens
        if row.layer == "elman":
            assert row.steps == 3 * T  # a product, a sum and a tanh a token, behind x W
            assert 4 * T * d * d < row.flops < 4.3 * T * d * d
        elif row.layer == "gru":
            assert row.steps == 9 * T
        else:
            assert row.flops > 8 * T * d * d + 4 * T * T * d
    attention = {row.steps for row in rows if row.layer == "attention"}
    assert len(attention) == 1  # whatever T


@pytest.mark.parametrize("layer", race.LAYERS)
def test_what_is_counted_from_three_short_runs_is_what_a_long_one_does(layer: str) -> None:
    model = race_lengths._layer(layer)
    for tokens in (16, 512):
        trace = race_lengths._run(model, tokens, Ops())
        known = {(row.layer, row.tokens): row for row in race_lengths.counted()}
        assert known[layer, tokens][2:] == race_lengths._counts(layer, trace)


@pytest.mark.parametrize("layer", race.LAYERS)
def test_the_time_of_a_layer_is_that_of_its_own_operations_whose_steps_are_not_made(
    layer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, stem, heard = race_lengths._layer(layer), race_lengths._stem(layer), []

    def then(tape: Tape) -> float:
        heard.append(tape.seconds(stem))
        return 0.0

    steps = race_lengths._run(model, 9, Ops(), then=then).steps
    own = [s.timing.seconds for s in steps if s.name.startswith(stem) and OPS[s.op].moves]
    assert heard == [pytest.approx(math.fsum(own))]
    assert 0 < heard[0] < math.fsum(step.timing.seconds for step in steps)
    monkeypatch.setattr(Tape, "_step", None)  # whoever makes one fails
    seconds = race_lengths._best(layer, model, 9, Ops(), race.Watch(Clock(0.002), lambda: False))
    assert seconds is not None
    assert seconds > 0


def test_a_numpy_call_is_the_mean_of_the_kinds_that_a_model_makes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def timed(_: race.Watch, run: Any, *arguments: Any, **__: Any) -> float:
        few = all(np.size(each) <= 64 for each in arguments if isinstance(each, np.ndarray))
        return {np.multiply: 1e-6, np.max: 7e-6, np.matmul: 4e-6}.get(run, 1.0) if few else 1.0

    monkeypatch.setattr(race.Watch, "best", timed)
    assert race.calibrate().numpy_call == pytest.approx(4e-6)


def test_what_is_quick_is_run_many_times_between_two_looks_at_the_clock() -> None:
    clock = Clock(1e-6)
    ran: list[int] = []
    seconds = race.Watch(clock, lambda: False).best(lambda: ran.append(1), enough=1e-4)
    # Each look costs 1 µs here and a run nothing: of a look a run, 1 µs would be measured.
    assert seconds == pytest.approx(1e-6 / race.MOST_INNER)
    assert len(ran) > 2 * clock.looks


def test_a_run_that_would_take_too_long_is_not_begun() -> None:
    watch = race.Watch(Clock(0.0), lambda: False)
    watch.begin(1.0)
    assert watch.room(0.2)
    assert not watch.room(race.LONG_SECONDS * 1.01)
    assert not watch.room(0.02, race.LONG_IN_PYTHON)
    watch.begin(race.LEAST_LONG * 0.2)  # two runs have to fit
    assert not watch.room(0.2)
    assert watch.room(0.19)
    assert not race.Watch(Clock(0.0), lambda: True).room(0.0)  # stopped


def test_a_length_measured_while_the_machine_was_busy_is_measured_again(
    small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []

    def timed(layer: str, _model: Any, tokens: int, *_: Any) -> float:
        asked.append((layer, tokens))
        busy = asked.count((layer, tokens)) == (1 if layer == "gru" else 3)
        return 1e-6 * tokens * (50 if busy else 1)

    monkeypatch.setattr(race_lengths, "_best", timed)
    found = [each.lengths for each in everything() if each.lengths]
    assert all(len({row[:2] for row in rows}) == len(rows) for rows in found)  # one row each
    assert [row.seconds for row in found[-1]] == [1e-6 * row.tokens for row in found[-1]]
    assert len(asked) == race_lengths.TURNS * len(found[-1])
    # Where nothing is left of the budget, once is all.
    asked.clear()
    watch = race.Watch(Clock(0.0), lambda: len(asked) >= 6)
    list(race_lengths.with_lengths(Measured(MACHINE, "2026-11-24"), watch))
    assert len(asked) == 6


@pytest.mark.parametrize("budget", [0.5, 2.0, 10.0])
def test_the_budget_is_kept(small: None, budget: float) -> None:
    clock = Clock(0.002)
    last = everything(budget=budget, clock=clock)[-1]
    assert last.complete
    # What has begun is finished: five runs, and the looks at the clock between them.
    assert clock.now < budget + 0.5


def test_a_budget_of_nothing_measures_nothing_but_ends(small: None) -> None:
    clock = Clock(0.01)
    last = everything(budget=0.0, clock=clock)[-1]
    assert rows(last) <= 4  # of each part at most what had begun
    assert clock.looks < 500


@pytest.mark.parametrize("step", [0.0, -0.001])
def test_a_clock_that_stands_or_goes_backwards_ends_all_the_same(small: None, step: float) -> None:
    clock = Clock(step)
    last = everything(clock=clock)[-1]
    assert last.complete
    assert last.sizes == ()  # no time was told, so none is shown
    assert last.rates is None


def test_a_clock_that_is_set_back_once_spoils_no_time(small: None) -> None:
    steps = iter([0.001] * 700 + [-50.0] + [0.001] * 200_000)
    now = 100.0

    def clock() -> float:
        nonlocal now
        now += next(steps)
        return now

    last = everything(budget=5.0, clock=clock)[-1]
    assert last.complete
    assert all(p.seconds > 0 for p in last.sizes)


def test_it_can_be_stopped_behind_every_point(small: None) -> None:
    count = len(everything())
    ended_first = 0  # how often is measured again is a matter of time, and so is how much there is
    for behind in range(0, count - 1, 3):
        seen, stopped = stopped_behind(behind)
        assert len(seen) <= behind + 2
        assert stopped is not any(each.complete for each in seen)
        ended_first += not stopped
    assert ended_first <= count / 6


def stopped_behind(count: int) -> tuple[list[Measured], bool]:
    """Return what was measured, and whether it was told to stop before it had come to its end."""
    seen: list[Measured] = []
    told: list[bool] = []

    def stop() -> bool:
        told.append(len(seen) > count)
        return told[-1]

    for found in race.sweep(today="2026-11-24", stop=stop):
        seen.append(found)
    return seen, any(told)


def test_everything_that_runs_is_told_by_its_kind(small: None) -> None:
    told: list[tuple[float, float, dict[Work, float]]] = []
    everything(note=lambda began, ended, spent: told.append((began, ended, dict(spent))))
    kinds = {work for _, _, spent in told for work, seconds in spent.items() if seconds > 0}
    assert kinds == {Work.MATRIX, Work.STREAM, Work.SEQUENTIAL}
    for began, ended, spent in told:
        assert sum(spent.values()) <= (ended - began) * 1.001
    assert [began for began, *_ in told] == sorted(began for began, *_ in told)


def test_stopped_at_once_it_yields_nothing_complete(small: None) -> None:
    assert not any(each.complete for each in everything(stop=lambda: True))


def _limits() -> list[int]:
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_the_threads_are_as_before_also_behind_a_stop_and_an_error(small: None) -> None:
    with threadpool_limits(1, user_api="blas"):
        before = _limits()
        everything()
        assert _limits() == before
        sweep = race.sweep(stop=lambda: False)
        for _ in range(4):
            next(sweep)
        sweep.close()
        assert _limits() == before
        with pytest.raises(ZeroDivisionError), race.threads(2):
            raise ZeroDivisionError
        assert _limits() == before


def test_calibrate_says_what_this_machine_does() -> None:
    rates = race.calibrate(0.3)
    assert rates.product_one > 1e8
    assert rates.elementwise > 1e8
    assert 1e-9 < rates.python_op < 1e-5
    assert 1e-8 < rates.numpy_call < 1e-3


def test_calibrate_refuses_a_clock_that_stands() -> None:
    with pytest.raises(race.RaceError, match="clock stood still"):
        race.calibrate(0.01, clock=Clock(0.0), stop=lambda: True)


# ------------------------------------------------------------------ a GPU


class Fake(Ops):
    """Primitives that count what was sent, fetched and waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = self.fetched = self.waited = 0

    def to_device(self, array: Any) -> Any:
        self.sent += 1
        return array

    def to_host(self, array: Any) -> Any:
        self.fetched += 1
        return array

    def wait(self) -> None:
        self.waited += 1


def test_with_a_gpu_both_places_of_the_data_are_measured_there(small: None) -> None:
    ops, threads = Fake(), 0

    def there(run: Callable[..., Any], *given: Any) -> Any:
        nonlocal threads
        threads += 1
        return run(*given)

    last = everything(device=race_device.OnDevice("a GPU", ops, there))[-1]
    assert last.device == "a GPU"
    for op in race.OPS:
        for by in ("gpu", "gpu.copied"):
            assert [p.n for p in last.line(op, by)] == [2, 4, 8]
    assert threads == 9 + len(race.OPS)  # which are warmed up once
    assert ops.waited > 9
    assert ops.fetched > 9


def test_a_gpu_that_fails_leaves_what_is_modelled(small: None) -> None:
    class Broken(Fake):
        def product(self, *given: Any, **more: Any) -> Any:
            raise RuntimeError("out of memory")

    last = everything(device=race_device.OnDevice("a GPU", Broken()))[-1]
    assert last.complete
    assert last.line("product", "gpu") == ()
    assert last.line("map", "gpu") != ()


# ------------------------------------------------------------------ what is kept

FULL = Measured(
    MACHINE, "2026-11-24", Rates(1e9, 2e9, 3e9, 4e9, 1e-6, 1e-8),
    (Point("product", "one", 2, 1e-6), Point("product", "all", 2, 2e-6)),
    (Outputs(5, 4e-6, 2e-6),), (Branching(2, "numpy", 10, 1e-6),),
    (Length("gru", 8, 1e-4),), True, "",
)  # fmt: skip


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "measured.json"
    race_file.save(FULL, path)
    assert race_file.load(path, MACHINE) == FULL
    assert [p.name for p in path.parent.iterdir()] == ["measured.json"]


def test_this_machine_remembers_itself(tmp_path: Path, small: None) -> None:
    last = everything()[-1]
    race_file.save(last, tmp_path / "m.json")
    assert race_file.load(tmp_path / "m.json") == last


def test_another_machine_is_measured_anew(tmp_path: Path) -> None:
    race_file.save(FULL, tmp_path / "m.json")
    for other in (
        MACHINE._replace(cpu="another"), MACHINE._replace(threads=8),
        MACHINE._replace(library="NumPy 3"), MACHINE._replace(python="3.14"),
    ):  # fmt: skip
        assert race_file.load(tmp_path / "m.json", other) is None


def _damaged() -> Iterator[tuple[str, Any]]:
    good = json.loads(json.dumps({"version": race_file.VERSION, **_data()}))
    yield "newer", {**good, "version": race_file.VERSION + 1}
    yield "no version", {k: v for k, v in good.items() if k != "version"}
    yield "a list", [good]
    yield "incomplete", {**good, "complete": False}
    yield "complete is 1", {**good, "complete": 1}
    for key in ("sizes", "machine", "day", "rates", "device"):
        yield f"without {key}", {k: v for k, v in good.items() if k != key}
        yield f"{key} a number", {**good, key: 7}
    yield "negative time", {**good, "sizes": [["product", "one", 2, -1.0]]}
    yield "no number", {**good, "sizes": [["product", "one", 2, "1"]]}
    yield "true", {**good, "sizes": [["product", "one", True, 1.0]]}
    yield "infinite", {**good, "outputs": [[5, math.inf, 1.0]]}
    yield "not a number", {**good, "outputs": [[5, math.nan, 1.0]]}
    yield "short row", {**good, "lengths": [["gru", 8]]}
    yield (
        "too many rows",
        {**good, "sizes": [["product", "one", 2, 1.0]] * (race_file.MOST_ROWS + 1)},
    )
    yield "a day that is none", {**good, "day": "2026-13-99"}


def _data() -> dict[str, Any]:
    return {
        "machine": list(MACHINE), "day": FULL.day, "rates": list(FULL.rates or ()),
        "sizes": [list(p) for p in FULL.sizes], "outputs": [list(p) for p in FULL.outputs],
        "branches": [list(p) for p in FULL.branches], "lengths": [list(p) for p in FULL.lengths],
        "complete": True, "device": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("what", "data"), list(_damaged()), ids=lambda v: v if type(v) is str else ""
)
def test_a_file_that_cannot_be_used_is_as_good_as_none(
    tmp_path: Path, what: str, data: Any
) -> None:
    path = tmp_path / "m.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    assert race_file.load(path, MACHINE) is None, what


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe\x00", b"[" * 5000])
def test_no_json_is_as_good_as_none(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "m.json"
    path.write_bytes(text)
    assert race_file.load(path, MACHINE) is None


def test_a_file_far_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    race_file.save(FULL, path)
    path.write_bytes(path.read_bytes() + b" " * race_file.MOST_BYTES)
    assert race_file.load(path, MACHINE) is None


def test_what_cannot_be_kept_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(race.RaceError, match="could not be kept"):
        race_file.save(FULL, tmp_path / "file" / "m.json")


def test_outputs_that_were_not_timed_are_in_proportion() -> None:
    assert FULL.in_order(5) == 4e-6
    assert FULL.in_order(10) == pytest.approx(8e-6)
    assert Measured(MACHINE, "2026-11-24").in_order(5) is None

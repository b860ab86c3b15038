"""Where a GPU becomes quicker: by cases that are computed by hand."""

from __future__ import annotations

import math

import pytest

from engine import crossover, parts
from engine.crossover import Band, band, boundary, crossing, estimate, quicker_at, task, volume
from engine.race import BRANCHES, Branching, Length, Machine, Measured, Point
from engine.roofline import LAUNCH, TRANSFER_BYTES, TRANSFER_SECONDS
from engine.workload import Style

H100 = parts.load("h100")
MACHINE = Machine("a CPU", 4, "NumPy 2", "3.12")


def measured(*points: Point, **more: tuple[object, ...]) -> Measured:
    return Measured(MACHINE, "2026-11-24", sizes=points, **more)  # type: ignore[arg-type]


def test_lines_cross_where_they_do_on_paper_with_logarithmic_scales() -> None:
    # CPU n² ns, GPU 1 µs: n = √1000 = 31.6.
    cpu = [(n, n * n * 1e-9) for n in (2.0, 8.0, 32.0, 128.0)]
    assert crossing(cpu, lambda n: 1e-6) == pytest.approx(math.sqrt(1000))


def test_the_last_crossing_counts() -> None:
    cpu = [(2.0, 1.0), (4.0, 9.0), (8.0, 1.0), (16.0, 9.0)]
    found = crossing(cpu, lambda n: 3.0)
    assert found == pytest.approx(8 * 2 ** (math.log(3) / math.log(9)))


def test_without_a_crossing_it_is_nowhere_or_everywhere() -> None:
    cpu = [(2.0, 1.0), (4.0, 2.0)]
    assert crossing(cpu, lambda n: 9.0) == math.inf
    assert crossing(cpu, lambda n: 0.1) == 0.0
    assert crossing([], lambda n: 1.0) == math.inf


def test_one_small_product_is_a_launch_and_a_kernel() -> None:
    cost = estimate(task("product", 2), H100, resident=True, graph=False)
    launch, _ = LAUNCH[Style.FRAMEWORK_EAGER]
    assert cost.launch == pytest.approx(launch + 2e-6)  # the host's part, and the kernel's floor
    assert cost.copy == 0
    assert cost.low < cost.seconds < cost.high
    graph = estimate(task("product", 2), H100, resident=True, graph=True)
    assert graph.launch == pytest.approx(sum(LAUNCH[Style.GRAPH]) + 2e-6)


def test_copies_take_their_time_both_ways() -> None:
    n = 512
    here, there = (
        estimate(task("map", n), H100, resident=resident, graph=False) for resident in (False, True)
    )
    assert here.copy == pytest.approx(2 * TRANSFER_SECONDS + 8 * n * n / TRANSFER_BYTES)
    assert here.seconds - there.seconds == pytest.approx(here.copy)


def test_a_large_map_is_bound_by_memory_and_a_large_product_by_arithmetic() -> None:
    large = estimate(task("map", 8192), H100, resident=True, graph=False)
    assert large.memory == pytest.approx(8 * 8192**2 / (0.88 * 3.35e12))
    assert large.memory > large.arithmetic
    product = estimate(task("product", 8192), H100, resident=True, graph=False)
    assert product.arithmetic > product.memory
    rate = 2 * 8192**3 / product.arithmetic
    assert 0.6 * 66.9e12 < rate < 66.9e12


def test_a_chain_costs_two_launches_a_step() -> None:
    a, b = (estimate(task("chain", n), H100, resident=True, graph=False).seconds for n in (64, 128))
    launch, _ = LAUNCH[Style.FRAMEWORK_EAGER]
    assert (b - a) / 64 == pytest.approx(2 * launch, rel=0.02)


def test_the_band_holds_every_choice_and_every_end_of_the_model() -> None:
    one = [Point("product", "one", n, 1e-6 + 2 * n**3 / 1e11) for n in (8, 32, 128, 512, 2048)]
    every = [p._replace(by="all", seconds=p.seconds / 2) for p in one]
    found = measured(*one, *every)
    whole = band(found, "product", H100)
    assert whole is not None
    parts_of = [
        band(found, "product", H100, resident=resident, graph=graph)
        for resident in (True, False) for graph in (True, False)
    ]  # fmt: skip
    assert whole.low == min(each.low for each in parts_of if each)
    assert whole.high == max(each.high for each in parts_of if each)
    # By hand: the least is a graph's, with a launch of 0.15 + 0.8 µs and a floor of 1 µs.
    quickest = [
        (float(n), estimate(task("product", n), H100, resident=True, graph=True).low)
        for n in (8, 32, 128, 512, 2048)
    ]
    gpu = dict(quickest)

    def at(n: float) -> float:
        return gpu[n]

    assert whole.low == pytest.approx(crossing([(p.n, p.seconds) for p in one], at))
    assert 8 < whole.low < whole.high < 2048


def test_more_threads_move_the_far_end_only() -> None:
    one = [Point("product", "one", n, 1e-6 + 2 * n**3 / 1e11) for n in (8, 32, 128, 512, 2048)]
    alone = band(measured(*one), "product", H100)
    every = [p._replace(by="all", seconds=p.seconds / 2) for p in one]
    both = band(measured(*one, *every), "product", H100)
    assert alone is not None
    assert both is not None
    assert both.low == alone.low
    assert both.high > alone.high


def test_a_chain_has_no_crossover() -> None:
    chain = [Point("chain", "one", n, 1e-6 + 0.7e-6 * n) for n in (2, 64, 1024, 8192)]
    assert band(measured(*chain), "chain", H100) == Band(math.inf, math.inf)


def test_before_anything_is_measured_there_is_no_band() -> None:
    assert band(measured(), "product", H100) is None


def test_what_was_measured_on_a_gpu_takes_the_place_of_the_model() -> None:
    one = [Point("map", "one", n, n * 1e-6) for n in (2, 8, 32)]
    gpu = [Point("map", "gpu", n, 16e-6) for n in (2, 8, 32)]
    found = band(measured(*one, *gpu), "map", H100, resident=True, graph=False)
    assert found == Band(pytest.approx(16.0), pytest.approx(16.0))  # type: ignore[arg-type]


def branching() -> Measured:
    """Return times by hand: Python 1 µs a branch and item, NumPy 5 µs and 1 ns."""
    rows = []
    for b in BRANCHES:
        rows += [Branching(b, "python", items, items * (b + 1) * 1e-6) for items in (1, 100)]
        rows += [
            Branching(b, "numpy", items, (5 * b + 1) * (1e-6 + items * 1e-9))
            for items in (1, 1000, 100_000)
        ]
    return measured(branches=tuple(rows))


def test_the_quicker_way_of_the_cpu_counts_and_large_volumes_are_inferred() -> None:
    few = volume(branching(), H100, 4, 1, resident=True, graph=False)
    many = volume(branching(), H100, 4, 10**7, resident=True, graph=False)
    assert few is not None
    assert many is not None
    assert (few.by, few.inferred) == ("python", False)
    assert few.cpu == pytest.approx(5e-6)
    assert (many.by, many.inferred) == ("numpy", True)
    assert many.cpu == pytest.approx(21 * (1e-6 + 1e5 * 1e-9) * 100, rel=0.02)


def test_the_boundary_is_where_both_take_the_same() -> None:
    rows = dict(boundary(branching(), H100, resident=True, graph=False))
    assert set(rows) == set(BRANCHES)
    for branches, items in rows.items():
        assert 1 < items < 1e9
        for by, quicker in ((1.3, True), (1 / 1.3, False)):
            at = volume(branching(), H100, branches, round(items * by), resident=True, graph=False)
            assert at is not None
            assert (at.gpu < at.cpu) == quicker
    graph = dict(boundary(branching(), H100, resident=True, graph=True))
    assert all(graph[b] < rows[b] for b in BRANCHES)  # a cheaper launch pays earlier


def test_both_sides_of_a_branch_are_paid_for() -> None:
    none, four = (crossover.branches_task(b, 1000) for b in (0, 4))
    assert (none.kernels, four.kernels) == (1, 21)
    assert four.flops == 1000 * (1 + 4 * 4)  # a test, two products and a difference a branch
    assert volume(measured(), H100, 4, 10, resident=True, graph=False) is None


def test_where_attention_was_quicker_is_what_was_timed() -> None:
    rows = [Length("elman", t, t * 1e-6) for t in (8, 16, 32)]
    rows += [Length("attention", t, 1e-6 * s) for t, s in ((8, 9), (16, 5), (32, 99), (64, 1))]
    assert quicker_at(rows, "elman") == ((16,), (8, 16, 32))
    assert quicker_at(rows, "gru") == ((), ())

"""The race on a card that is faked: launches one by one and as a graph, by its virtual clock."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import fakecupy
import numpy as np
import pytest
from fakecupy import COPY_US, KERNEL_US, LAUNCH_US, Card
from test_widgets_cpu_gpu import measured
from test_widgets_cpu_gpu import subject as drawn_subject

from engine import gpu, race
from engine.crossover import band, gpu_name
from engine.gpu import OUTPUTS, SPIN, CupyOps
from engine.parts import load
from engine.race import HEAD, Watch
from engine.race_device import OnDevice


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[Card]:
    gpu._there.clear()
    yield fakecupy.fixture(lambda name, it: monkeypatch.setitem(sys.modules, name, it))
    gpu._there.clear()


@pytest.fixture
def device(card: Card) -> OnDevice:
    return OnDevice(card.name, CupyOps(gpu.probe()))


def watch(card: Card) -> Watch:
    """Return a watch whose clock is the host's beside the card, in seconds."""
    made = Watch(lambda: card.host_us * 1e-6, lambda: False)
    made.begin(1e9)
    return made


def us(times: list[tuple[str, float]]) -> dict[str, float]:
    return {by: seconds * 1e6 for by, seconds in times}


def test_a_graph_costs_one_launch_whatever_it_holds(card: Card, device: OnDevice) -> None:
    times = us(device.time("map", 8, watch(card)))
    assert set(times) == {
        gpu_name(resident=resident, graph=graph)
        for resident in (True, False) for graph in (True, False)
    }  # fmt: skip
    kernel = KERNEL_US + 64 / fakecupy.FLOPS_PER_US
    assert times["gpu"] == pytest.approx(LAUNCH_US + kernel)
    assert times["gpu.graph"] == pytest.approx(LAUNCH_US + kernel)
    # One array is sent and one is fetched; each waits for its own launch.
    assert times["gpu.copied"] == pytest.approx(3 * LAUNCH_US + COPY_US)
    assert times["gpu.copied.graph"] == pytest.approx(3 * LAUNCH_US + COPY_US)


def test_many_kernels_in_a_graph_are_launched_once(card: Card, device: OnDevice) -> None:
    ops = CupyOps(gpu.probe())
    x = ops.to_device(np.ones(16, np.float32))

    def several() -> Any:
        y = x
        for _ in range(10):
            y = ops.tanh(y)
        return y

    graph = ops.recorded(several)
    ops.wait()
    before = card.host_us
    graph.launch()
    assert card.host_us - before == LAUNCH_US
    ops.wait()
    assert card.host_us - before == pytest.approx(LAUNCH_US + 10 * KERNEL_US, rel=0.01)
    assert [it.name for it in card.kernels[-10:]] == ["cupy_tanh"] * 10


@pytest.mark.parametrize("op", ["product", "chain"])
def test_what_needs_cublas_has_no_time_as_a_graph(card: Card, device: OnDevice, op: str) -> None:
    assert set(us(device.time(op, 8, watch(card)))) == {"gpu", "gpu.copied"}
    assert card.capture is None  # what was begun is broken off
    assert us(device.time("map", 8, watch(card)))  # and the card goes on


def test_a_chain_pays_for_every_launch(card: Card, device: OnDevice) -> None:
    short, long = (us(device.time("chain", n, watch(card)))["gpu"] for n in (4, 8))
    assert long - short == pytest.approx(4 * 2 * LAUNCH_US, rel=0.02)


@pytest.mark.parametrize("count", [1, 5, 125, 300])
def test_outputs_are_one_kernel_and_right(card: Card, count: int) -> None:
    ops, rng = CupyOps(gpu.probe()), np.random.default_rng(0)
    q, k = (rng.normal(size=(count, HEAD)).astype(np.float32) for _ in range(2))
    lse = rng.normal(size=count).astype(np.float32)
    before = len(card.kernels)
    there = [ops.to_device(array) for array in (q, k, lse)]
    found = ops.to_host(ops.outputs(*there))
    names = [it.name for it in card.kernels[before:]]
    assert [name for name in names if not name.startswith("memcpy")] == ["unrolled_outputs"]
    exact = np.exp((q.astype(np.float64) * k).sum(-1) / np.sqrt(8) - lse)
    np.testing.assert_allclose(found, exact, rtol=1e-5)


def test_a_sweep_brings_the_outputs_of_the_card(
    monkeypatch: pytest.MonkeyPatch, card: Card, device: OnDevice
) -> None:
    monkeypatch.setattr(race, "SIZES", (2, 4))
    monkeypatch.setattr(race, "LENGTHS", ())
    monkeypatch.setattr(race, "BRANCHES", ())
    *_, last = race.sweep(budget=20.0, device=device, today="2026-11-28")
    assert last.complete
    assert last.device == card.name
    for by in ("gpu", "gpu.copied", "gpu.graph", "gpu.copied.graph"):
        assert [p.n for p in last.line(race.OUTPUTS, by)] == list(race.COUNTS)
    assert last.line("map", "gpu.graph")
    assert not last.line("product", "gpu.graph")


def test_a_card_that_is_lost_leaves_what_is_modelled(card: Card, device: OnDevice) -> None:
    card.fails_at = len(card.kernels) + 7
    assert device.outputs(5, watch(card)) == []


# ---- drawn ---------------------------------------------------------------------------------------


def timed(seconds: float = 2e-5) -> race.Measured:
    """Return what was measured, with a card that takes as long for any count."""
    points = tuple(
        race.Point(race.OUTPUTS, by, n, seconds)
        for by in ("gpu", "gpu.copied") for n in race.COUNTS
    )  # fmt: skip
    found = measured()
    return replace(found, sizes=(*found.sizes, *points), device="Some card")


def test_the_race_shows_what_was_timed_in_place_of_what_is_modelled() -> None:
    modelled, shown = drawn_subject(), replace(drawn_subject(), measured=timed())
    assert modelled.timed_on_gpu(0) is None
    assert modelled.seconds_on_gpu(0) == modelled.on_gpu(0).seconds
    assert [shown.timed_on_gpu(row) for row in range(3)] == [pytest.approx(2e-5)] * 3
    # A launch as a graph was not timed: that stays modelled.
    graph = replace(shown, graph=True)
    assert graph.timed_on_gpu(0) is None
    # More outputs than anybody has timed are not made up.
    few = replace(timed(), sizes=(race.Point(race.OUTPUTS, "gpu", 5, 2e-5),))
    assert replace(shown, measured=few).timed_on_gpu(2) is None


def test_a_crossover_is_between_two_measured_lines() -> None:
    found = measured()
    gpu_points = tuple(
        race.Point("map", by, n, 1e-5)
        for by in ("gpu", "gpu.graph", "gpu.copied", "gpu.copied.graph") for n in race.SIZES
    )  # fmt: skip
    found = replace(found, sizes=(*found.sizes, *gpu_points))
    own = band(found, "map", load("h100"), resident=True, graph=True)
    other = band(found, "map", load("t4"), resident=True, graph=True)
    assert own == other  # no data sheet has a part in it


# ---- kernels of our own --------------------------------------------------------------------------


@pytest.mark.parametrize("source", [SPIN, OUTPUTS])
@pytest.mark.parametrize("arch", ["compute_75", "compute_90"])
def test_our_kernels_compile(source: str, arch: str) -> None:
    """Compiled by NVRTC without a card; where there is no NVRTC (macOS) nobody can run them."""
    if find_spec("cupy_backends") is None:
        assert sys.platform == "darwin"
        return
    nvrtc = import_module("cupy_backends.cuda.libs.nvrtc")
    program = nvrtc.createProgram(source, "kernel.cu", [], [])
    nvrtc.compileProgram(program, [f"--gpu-architecture={arch}"])
    assert b"unrolled_" in nvrtc.getPTX(program)
    broken = nvrtc.createProgram(source.replace("(", "", 1), "kernel.cu", [], [])
    with pytest.raises(Exception, match="NVRTC_ERROR_COMPILATION"):
        nvrtc.compileProgram(broken, [f"--gpu-architecture={arch}"])

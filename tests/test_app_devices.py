"""The device of the window: a GPU that computes is used, and lost; a chain stays on the CPU."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import fakecupy
import numpy as np
import pytest
from fakecupy import Card
from PySide6.QtCore import QObject

from app.compute import computing_on, make_pair
from app.devices import Devices
from engine import gpu
from engine.gpu import probe

TEXT = "the cat that slept ___"


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[Card]:
    gpu._there.clear()
    yield fakecupy.fixture(lambda name, it: monkeypatch.setitem(sys.modules, name, it))
    gpu._there.clear()


def test_the_grid_runs_on_the_gpu_and_the_chain_says_why_it_does_not(card: Card) -> None:
    device = replace(probe(), launch_seconds=0.5)
    with computing_on(device):
        made = make_pair(TEXT, "rnn", "transformer")
    right = make_pair(TEXT, "rnn", "transformer")
    assert made.pair.grid.facts.backend == "CuPy"
    assert made.pair.grid.facts.device == card.name
    assert made.pair.chain.facts.backend == "NumPy"
    assert any(note.startswith("The GPU cannot help a chain: ") for note in made.notes)
    for side in ("chain", "grid"):
        mine, exact = (p.side(side).value("answer.probabilities") for p in (made.pair, right.pair))
        assert np.abs(mine - exact).max() < 1e-5


def test_a_chain_runs_on_a_gpu_that_launches_at_no_cost(card: Card) -> None:
    with computing_on(replace(probe(), launch_seconds=0.0)):
        made = make_pair(TEXT, "rnn", "transformer", precision="float16")
    assert made.pair.chain.facts.backend == "CuPy"
    assert made.pair.chain.facts.precision == "float16"


def test_a_gpu_that_is_lost_is_replaced_and_said(card: Card) -> None:
    device = replace(probe(), launch_seconds=0.5)
    card.fails_at = len(card.kernels) + 40
    with computing_on(device):
        made = make_pair(TEXT, "rnn", "transformer")
    assert made.pair.grid.facts.backend == "NumPy"
    assert any("The GPU stopped" in note and "NumPy computes" in note for note in made.notes)


def test_without_a_card_the_cpu_computes_and_the_reason_is_known(qtbot: Any) -> None:
    parent = QObject()
    devices = Devices(parent)
    with qtbot.waitSignal(devices.found, timeout=20_000):
        devices.look()
        devices.look()
    assert devices.device is not None
    assert not devices.device.gpu
    assert devices.device.reason.endswith("NumPy computes.")
    devices.close()


def test_the_real_wheel_without_a_device_says_so_and_costs_no_start() -> None:
    """In a process of its own: CuPy as it is installed here, and no card behind it."""
    source = """
import json, sys, time
import app.window
before = [name for name in sys.modules if name.partition(".")[0] in ("cupy", "cupti", "pynvml")]
from engine.device import on_device
from engine.gpu import probe
start = time.perf_counter()
device = on_device(probe)
print(json.dumps([before, time.perf_counter() - start, device.gpu, device.reason]))
"""
    ran = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=120
    )
    before, seconds, found, reason = json.loads(ran.stdout.splitlines()[-1])
    assert before == []  # the window has not asked for any of it
    assert seconds < 60
    if not found:
        assert reason.startswith(("CuPy is not installed", "CuPy is installed but "))
        assert reason.endswith("; NumPy computes.")
        assert reason.count(". ") == 0  # one sentence

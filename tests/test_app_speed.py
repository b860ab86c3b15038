"""The speed of the engine: what is measured is what was computed, beside the goals."""

from __future__ import annotations

import importlib
import importlib.util
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app import speed, training_speed
from engine.models import run
from engine.ops import Ops

GRID = replace(
    speed.GRID, words=60, embedding=48, width=48, heads=3, layers=2, mlp=80, max_length=512
)
CHAIN = replace(speed.CHAIN, words=30, embedding=24, width=32)


def small(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    monkeypatch.setattr(speed, "SIDE", 64)
    return speed.measure(GRID, CHAIN)


def test_without_pytorch_it_is_said_and_the_rest_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    rows = small(monkeypatch)
    assert [row["tokens"] for row in rows] == [128, 512, 512]
    assert all(row["seconds"] > 0 and row["gflops"] > 0 for row in rows)
    for row in rows:
        torch, *others = row["goals"]
        assert (torch["measured"], torch["kept"]) == (None, None)
        for other in others:
            assert other["measured"] > 0
            over = other["measured"] >= other["goal"]
            assert other["kept"] is (over if other["at_least"] else not over)
    text = "\n".join(speed.report(rows))
    assert text.count("needs the extra oracle") == 3
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows


@pytest.mark.needs_oracle
def test_with_pytorch_every_time_has_its_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = small(monkeypatch)  # which compares the answers, too
    assert [row["goals"][0]["goal"] for row in rows] == [0.85, 0.85, 0.8]
    assert all(row["goals"][0]["measured"] > 0 for row in rows)
    assert "oracle" not in "\n".join(speed.report(rows))


@pytest.mark.needs_oracle
def test_pytorch_keeps_what_the_trace_keeps() -> None:
    torch = importlib.import_module("torch")
    model = speed._model("grid", GRID, np.random.default_rng(0))
    ids = np.arange(40) % 60
    kept: list[Any] = []

    def keeping(self: Any, x: Any) -> Any:
        kept.append(x)
        return x

    steps, ours = speed.forward(model, ids, Ops())
    trace = run(model, ids, hidden=len(ids) - 1, ops=Ops())
    assert [step.name for step in steps] == [
        step.name for step in trace.steps if not step.name.startswith("answer.")
    ]
    forward = speed._torch_grid(torch, model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.Identity, "forward", keeping)
        logits = forward(ids)
    of_a_block = [
        "attn.q", "attn.k", "attn.v", "attn.scores.product", "attn.scores", "attn.z",
        "attn.concat", "residual", "x",
    ]  # fmt: skip
    names = ["embed.x", *(f"blocks.{b}.{name}" for b in range(2) for name in of_a_block)]
    assert ours is not None
    speed.check_same("grid", ours, logits.numpy())
    assert np.abs(ours[-1] - trace.value("answer.logits")).max() <= 1e-5 * np.abs(ours).max()
    assert len(kept) == len(names)
    values = {step.name: step.value for step in steps}
    for name, theirs in zip(names, kept, strict=False):
        ours = values[name]
        assert np.abs(ours - theirs.numpy()).max() <= 1e-4 * np.abs(ours).max(), name


@pytest.mark.needs_oracle
def test_times_of_different_answers_are_refused() -> None:
    torch = importlib.import_module("torch")
    model = speed._model("gru", CHAIN, np.random.default_rng(0))
    ids = np.arange(9)
    answer = speed._torch_gru(torch, model)(ids)
    steps, logits = speed.forward(model, ids, Ops())
    assert logits is None
    ours = speed.answer_of(steps)
    speed.check_same("gru", ours, answer.numpy())
    with pytest.raises(ArithmeticError, match="gru: PyTorch's answer differs by"):
        speed.check_same("gru", ours, answer.flip(0).numpy())


# ---- training ------------------------------------------------------------------------------------


def small_training(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return a step of the first Transformer and of the first GRU, measured twice."""
    rows = list(training_speed.configurations())
    chosen = [rows[0], next(row for row in rows if row[1].kind == "chain")]
    monkeypatch.setattr(training_speed, "configurations", lambda: iter(chosen))
    monkeypatch.setattr(training_speed, "BATCH", 4)
    return training_speed.measure(pairs=2)


def test_training_is_measured_in_every_shape_with_its_goal() -> None:
    rows = list(training_speed.configurations())
    assert [(config.kind, config.width, tokens) for _, config, tokens in rows] == [
        (kind, width, tokens)
        for kind, width in (("grid", 40), ("grid", 64), ("chain", 64))
        for tokens in (16, 32, 64)
    ]
    assert training_speed.AT_LEAST == {"grid": 0.95, "chain": 1.4}


def test_without_pytorch_training_is_measured_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    rows = small_training(monkeypatch)
    for row in rows:
        assert row["steps_per_second"] == pytest.approx(1 / row["seconds"])
        assert (row["goals"][0]["measured"], row["goals"][0]["kept"]) == (None, None)
    assert "\n".join(training_speed.report(rows)).count("needs the extra oracle") == 2
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows


@pytest.mark.needs_oracle
def test_with_pytorch_training_has_its_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = small_training(monkeypatch)
    for row, bound in zip(rows, (0.95, 1.4), strict=True):
        (aim,) = row["goals"]
        assert aim["goal"] == bound
        assert aim["measured"] > 0
        assert aim["kept"] is (aim["measured"] >= bound)
    assert "oracle" not in "\n".join(training_speed.report(rows))

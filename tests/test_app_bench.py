"""Measurements: what is told is what was measured, and failures are said."""

from __future__ import annotations

import gc
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app import bench, compute, live_bench
from app.bench import BenchError, percentiles, report
from app.speed import goal
from engine.weights import available

DATA = {
    "size": [1600, 900],
    "frames": [
        {"tokens": 5, "frames": 90, "goal_ms": 16, "p50_ms": 3.04, "p95_ms": 16.0, "max_ms": 21.0},
        {"tokens": 32, "frames": 900, "goal_ms": 16, "p50_ms": 9.0, "p95_ms": 16.2, "max_ms": 41.0},
    ],
    "answers": [
        {
            "what": "hover",
            "tokens": 128,
            "answers": 200,
            "goal_ms": 4,
            "p50_ms": 1.0,
            "p95_ms": 4.1,
            "max_ms": 6.0,
        },
        {
            "what": "layer",
            "tokens": 32,
            "answers": 20,
            "goal_ms": 16,
            "p50_ms": 1.0,
            "p95_ms": 15.9,
            "max_ms": 17.0,
        },
    ],
    "units": [
        {
            "what": "frames",
            "frames": 700,
            "runs": 90,
            "goal_ms": 16,
            "p50_ms": 5.0,
            "p95_ms": 9.0,
            "max_ms": 20.0,
        },
        {
            "what": "plot",
            "frames": 59,
            "runs": 90,
            "goal_ms": 4,
            "p50_ms": 1.0,
            "p95_ms": 1.5,
            "max_ms": 2.0,
        },
    ],
    "memory": {
        "tokens": 128,
        "window_mb": 207.0,
        "empty_window_mb": 57.0,
        "above_mb": 150.0,
        "goal_mb": 150.0,
    },
    "runs": [{"model": "rnn", "tokens": 5, "seconds": 0.000211}],
    "engine": [
        {
            "model": "GRU, 512 numbers",
            "tokens": 512,
            "seconds": 0.0421,
            "gflops": 38.0,
            "goals": [
                goal("time, over PyTorch's", None, 0.8),
                goal("rate of its products", [0.74, 0.75, 0.78], 0.7, at_least=True),
                goal("memory of the trace", [1.12], 1.1),
            ],
        }
    ],
    "recording": [
        {"model": "Transformer, d = 256", "tokens": 128, "added": 0.0123, "goal": 0.05},
        {"model": "GRU, 256 numbers", "tokens": 128, "added": 0.061, "goal": 0.05},
    ],
    "training": [
        {
            "model": "GRU, 64 numbers",
            "tokens": 16,
            "seconds": 0.01,
            "steps_per_second": 100.0,
            "goals": [goal("steps a second", [1.3, 1.45, 1.5], 1.4, at_least=True)],
        },
        {
            "model": "GRU, 64 numbers",
            "tokens": 32,
            "seconds": 0.02,
            "steps_per_second": 50.0,
            "goals": [goal("steps a second", None, 1.4, at_least=True)],
        },
    ],
    "start": {
        "application_seconds": 0.5,
        "empty_window_seconds": 0.25,
        "ratio": 2.0,
        "goal": 1.6,
    },
}


def test_percentiles_are_of_the_nearest_rank() -> None:
    found = percentiles([i / 1000 for i in range(100, 0, -1)])
    assert found == pytest.approx({"p50_ms": 50.5, "p95_ms": 95.0, "max_ms": 100.0})


def test_percentiles_of_one_frame_are_that_frame() -> None:
    assert percentiles([0.004]) == pytest.approx({"p50_ms": 4, "p95_ms": 4, "max_ms": 4})


def test_the_report_says_which_target_is_kept() -> None:
    text = report(DATA)
    assert re.search(r"5 words .*p95 +16\.0 .* kept$", text, re.MULTILINE)
    assert re.search(r"32 words .*p95 +16\.2 .* missed$", text, re.MULTILINE)
    assert re.search(r"128 words +hover .*p95 +4\.1 .* goal 4   missed$", text, re.MULTILINE)
    assert re.search(r"32 words +layer .*p95 +15\.9 .* goal 16   kept$", text, re.MULTILINE)
    assert re.search(r"207 +57 +above it 150   goal 150   kept$", text, re.MULTILINE)
    assert "rnn                5 words      0.21" in text
    assert re.search(r"Transformer, d = 256 .*\+1\.2%   goal 5%   kept$", text, re.MULTILINE)
    assert re.search(r"GRU, 256 numbers .*\+6\.1%   goal 5%   missed$", text, re.MULTILINE)
    assert re.search(r"ratio at most 1\.6\)\n.*ratio 2\.00   missed$", text)
    assert re.search(r"GRU, 512 numbers +512 tokens +42\.1 ms +38\.0 GFLOP/s$", text, re.MULTILINE)
    assert re.search(r"time, over PyTorch's +needs the extra oracle$", text, re.MULTILINE)
    assert re.search(
        r"products +0\.75   0\.74 … 0\.78   goal at least 0\.70   kept$", text, re.MULTILINE
    )
    assert re.search(r"of the trace +1\.12 +goal at most 1\.10   missed$", text, re.MULTILINE)


def test_the_sentences_have_as_many_known_words_as_they_say() -> None:
    for count, text in {**bench.TEXTS, **bench.LONG_TEXTS}.items():
        trace = compute.make_trace(text, "rnn")
        assert len(trace.tokens) == count
        assert "<unk>" not in trace.tokens
        assert bool(trace.facts.notes) == (count > 32)  # longer than trained


def test_what_is_played_of_a_long_text_holds_every_stage_of_the_grid() -> None:
    pair = compute.make_pair(bench.LONG_TEXTS[64], "rnn", "transformer").pair
    assert pair.grid.last_tick <= bench.FIRST_TICKS < pair.last_tick - bench.LAST_TICKS


def test_memory_is_what_the_window_takes_above_an_empty_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken: dict[str, int | None] = {"play": 200_000_000, "empty": 60_000_000}
    monkeypatch.setattr(bench, "_child", lambda what, *_: {"bytes": taken[what]})
    assert bench.memory()["above_mb"] == pytest.approx(140.0)
    taken["play"] = None
    assert bench.memory()["above_mb"] is None
    assert "does not say" in report({**DATA, "memory": bench.memory()})


def test_what_this_process_holds_is_more_than_what_it_has_just_taken() -> None:
    gc.collect()  # what other tests left may go at any moment
    before = bench._resident()
    if before is None:
        assert not Path("/proc/self/statm").exists()
        return
    kept = b"1" * 300_000_000
    after = bench._resident()
    assert after is not None
    assert after - before > 0.7 * len(kept)


def test_answers_have_the_goals_of_what_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {"hover": [0.001] * 9, "layer": [0.002] * 9, "head": [0.003] * 9}
    monkeypatch.setattr(bench, "_child", lambda *_: seconds)
    rows = {(row["what"], row["tokens"]): row["goal_ms"] for row in bench.answers()}
    assert rows == {
        ("layer", 32): 16.0, ("head", 32): 16.0,
        ("hover", 128): 4.0, ("layer", 128): 16.0, ("head", 128): 16.0,
    }  # fmt: skip


def test_the_pointer_goes_everywhere_in_small_steps() -> None:
    places = bench._places(300, 200)
    assert len(set(places)) == len(places) == 10 * 7
    for (x, y), (next_x, next_y) in zip(places, places[1:], strict=False):
        assert abs(x - next_x) + abs(y - next_y) == 29


def test_every_model_is_run_at_every_length() -> None:
    rows = bench.runs(1)
    assert [(row["model"], row["tokens"]) for row in rows] == [
        (id, count) for id in available() for count in (5, 12, 32)
    ]
    assert all(0 < row["seconds"] < 10 for row in rows)


def test_a_window_with_nothing_in_it_imports_nothing_of_the_application() -> None:
    """It would take longer, and the ratio look better."""
    code = """
import sys
before = set(sys.modules)
from app import first_frame
first_frame.empty(300, 200)
names = {name for name in set(sys.modules) - before if name.partition(".")[0] in TOP}
assert names == {"app", "app.first_frame"}, names
""".replace("TOP", '("app", "widgets", "engine", "numpy", "torch")')
    environ = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=bench.ROOT, env=environ)


def test_an_empty_window_is_painted_in_a_process_of_its_own(tmp_path: Path) -> None:
    assert 0.02 < bench._painted_after("empty", 300, 200, compiled=tmp_path) < 60


def test_unrolled_is_painted_in_a_process_of_its_own_and_leaves_no_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    settings, compiled = tmp_path / "of the bench" / "session.json", tmp_path / "compiled"
    assert 0.05 < bench._painted_after("unrolled", str(settings), compiled=compiled) < 60
    assert list(tmp_path.rglob("*.json")) in ([], [settings])


def test_a_process_that_fails_is_one_sentence() -> None:
    with pytest.raises(
        BenchError,
        match=r"^The measurement 'nothing' did not come to its end \(KeyError: 'nothing'\)",
    ):
        bench._child("nothing")


def test_a_process_that_hangs_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "TIMEOUT_SECONDS", 0.01)
    with pytest.raises(BenchError, match=r"\(TimeoutExpired\); close other programs"):
        bench._child("empty")


def test_too_few_frames_are_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "_child", lambda *_: {"frames": [0.001] * 3})
    with pytest.raises(BenchError, match="the window painted 3 of them"):
        bench._frames(5)


def test_a_start_is_the_median_of_several_by_turns_behind_one_that_compiles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = iter([70.0, 80.0, 0.2, 0.5, 9.0, 0.4, 0.3, 0.6])
    asked: list[str] = []
    folders: set[Path] = set()

    def painted_after(what: str, *_: object, compiled: Path) -> float:
        asked.append(what)
        folders.add(compiled)
        return next(times)

    monkeypatch.setattr(bench, "_painted_after", painted_after)
    found = bench.start(3)
    assert asked == ["empty", "unrolled"] * 4
    assert len(folders) == 1
    assert found == pytest.approx(
        {
            "application_seconds": 0.5,
            "empty_window_seconds": 0.3,
            "ratio": 0.6 / 0.3,  # of 0.5 / 0.2, 0.4 / 9.0 and 0.6 / 0.3
            "goal": 1.6,
        }
    )


def test_steps_of_training_stand_beside_pytorchs_and_their_goal() -> None:
    text = report(DATA)
    assert re.search(
        r"GRU, 64 numbers +16 tokens +100\.0 / s +1\.45 of PyTorch's +goal at least 1\.40 +kept$",
        text,
        re.MULTILINE,
    )
    assert re.search(r"32 tokens +50\.0 / s .*needs the extra oracle$", text, re.MULTILINE)


def test_measurements_can_be_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "_frames", lambda count: {"tokens": count})
    for part in ("answers", "memory", "engine", "recording", "training"):
        monkeypatch.setattr(bench, part, lambda part=part: DATA[part])
    monkeypatch.setattr(bench, "start", lambda: DATA["start"])
    monkeypatch.setattr(live_bench, "rows", lambda *_: DATA["units"])
    data = json.loads(json.dumps(bench.measure(), allow_nan=False))
    assert [row["tokens"] for row in data["frames"]] == [5, 12, 32, 64, 128, 512]
    assert data["size"] == [1600, 900]
    assert data["machine"]["cores"] >= 1


def test_rows_of_the_chapters_are_those_of_their_process() -> None:
    told = {"frames": [0.001, 0.002, 0.003], "plot": [0.004], "training": [0.005], "runs": 7}
    frames, plot, training = live_bench.rows(lambda what: told, percentiles)
    assert (frames["what"], frames["frames"], frames["p50_ms"]) == ("frames", 3, 2.0)
    assert (plot["what"], plot["goal_ms"], plot["runs"]) == ("plot", 4.0, 7)
    assert (training["goal_ms"], training["p95_ms"]) == (16.0, 5.0)
    text = report({**DATA, "units": [frames, plot, training]})
    assert "frames while this CPU multiplies" in text
    assert "frames while a network is trained" in text

"""Measurements: what is told is what was measured, and failures are said."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app import bench, compute
from app.bench import BenchError, percentiles, report
from app.speed import goal
from engine.weights import available

DATA = {
    "size": [1600, 900],
    "target_ms": 16.0,
    "frames": [
        {"tokens": 5, "frames": 90, "p50_ms": 3.04, "p95_ms": 16.0, "max_ms": 21.0},
        {"tokens": 32, "frames": 900, "p50_ms": 9.0, "p95_ms": 16.2, "max_ms": 41.0},
    ],
    "runs": [{"model": "rnn", "tokens": 5, "seconds": 0.000211}],
    "engine": [
        {
            "model": "GRU, 512 numbers",
            "tokens": 512,
            "seconds": 0.0421,
            "gflops": 38.0,
            "goals": [
                goal("time, over PyTorch's", None, 0.8),
                goal("rate of its products", 0.75, 0.7, at_least=True),
                goal("memory of the trace", 1.12, 1.1),
            ],
        }
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
    assert "rnn                5 words      0.21" in text
    assert re.search(r"ratio at most 1\.6\)\n.*ratio 2\.00   missed$", text)
    assert re.search(r"GRU, 512 numbers +512 tokens +42\.1 ms +38\.0 GFLOP/s$", text, re.MULTILINE)
    assert re.search(r"time, over PyTorch's +needs the extra oracle$", text, re.MULTILINE)
    assert re.search(r"products +0\.75   goal at least 0\.70   kept$", text, re.MULTILINE)
    assert re.search(r"of the trace +1\.12   goal at most 1\.10   missed$", text, re.MULTILINE)


def test_the_sentences_have_as_many_known_words_as_they_say() -> None:
    for count, text in bench.TEXTS.items():
        trace = compute.make_trace(text, "rnn")
        assert len(trace.tokens) == count
        assert trace.facts.notes == ()


def test_every_model_is_run_at_every_length() -> None:
    rows = bench.runs(1)
    assert [(row["model"], row["tokens"]) for row in rows] == [
        (id, count) for id in available() for count in (5, 12, 32)
    ]
    assert all(0 < row["seconds"] < 10 for row in rows)


def test_what_starts_empty_imports_no_array() -> None:
    """The empty window would take longer, and the ratio look better, if bench brought numpy."""
    code = "import sys; from app import bench; assert not {'numpy', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=bench.ROOT)


def test_an_empty_window_starts_in_a_process_of_its_own() -> None:
    assert 0.02 < bench._child("empty")["seconds"] < 60


def test_unrolled_starts_in_a_process_of_its_own_and_leaves_no_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    assert 0.05 < bench._child("window")["seconds"] < 60
    assert not list(tmp_path.rglob("*.json"))


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
    folders: set[str] = set()

    def child(what: str, compiled: str) -> dict[str, float]:
        asked.append(what)
        folders.add(compiled)
        return {"seconds": next(times)}

    monkeypatch.setattr(bench, "_child", child)
    found = bench.start(3)
    assert asked == ["empty", "window"] * 4
    assert len(folders) == 1
    assert found == pytest.approx(
        {
            "application_seconds": 0.5,
            "empty_window_seconds": 0.3,
            "ratio": 0.5 / 0.3,
            "goal": 1.6,
        }
    )


def test_measurements_can_be_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "_frames", lambda count: {"tokens": count})
    monkeypatch.setattr(bench, "engine", lambda: DATA["engine"])
    monkeypatch.setattr(bench, "start", lambda: DATA["start"])
    data = json.loads(json.dumps(bench.measure(), allow_nan=False))
    assert [row["tokens"] for row in data["frames"]] == [5, 12, 32]
    assert data["size"] == [1600, 900]
    assert data["machine"]["cores"] >= 1

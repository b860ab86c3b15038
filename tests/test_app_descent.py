"""A step of training on the command line: one sentence, or the batch of a task's training."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from app import compute, descent
from app.__main__ import main
from engine.said import Said
from engine.trace import load


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    told = capsys.readouterr()
    return code, told.out, told.err


def test_the_steps_of_training_are_listed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "trace", "--training", "--model", "transformer", "--json")
    assert (code, err) == (0, "")
    data = json.loads(out)
    names = {row["name"]: row for row in data["steps"]}
    assert {"loss", "blocks.0.attn.pattern.grad", "blocks.1.mlp.W_in.grad"} <= names.keys()
    assert names["update.weights"]["phase"] == "update"
    assert names["blocks.0.attn.pattern.grad"]["phase"] == "backward"
    assert names["blocks.0.attn.pattern.grad"]["unit"] == "matrix"
    assert names["blocks.0.attn.pattern.grad"]["depth"] > names["loss"]["depth"] - 2
    assert sum(phase["flops"] for phase in data["phases"].values()) == data["flops"]
    assert sum(phase["steps"] for phase in data["phases"].values()) == len(data["steps"])
    assert data["depth"] == max(row["depth"] for row in data["steps"])
    assert data["loss"] > 0
    assert data["answer"]  # of one sentence


def test_a_step_of_a_task_is_that_of_its_training(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("trace", "--training", "--task", "brackets", "--model", "rnn", "--seed", "2")
    code, out, _ = run(capsys, *asked, "--step", "3", "--json")
    assert code == 0
    data = json.loads(out)
    row = next(row for row in data["steps"] if row["name"] == "rnn.W_h.grad")
    assert row["axes"] == ["in", "out"]
    assert next(r for r in data["steps"] if r["name"] == "answer.logits.grad")["shape"][0] == 64
    assert data["answer"] == []
    code, out, _ = run(capsys, *asked, "--step", "3")
    assert re.search(rf"loss {data['loss']:.4f}, norm", out)
    for phase in ("forward", "backward", "update"):
        assert re.search(rf"^{phase} .* µs", out, re.MULTILINE)
    assert out.index("update.weights") > out.index("rnn.W_h.grad ")


def test_it_is_saved_and_is_not_opened_as_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "step.npz")
    code, out, _ = run(capsys, "trace", "--training", "--model", "rnn", "-o", path)
    assert (code, out.strip()) == (0, path)
    assert "rnn.W_h.grad" in load(Path(path))
    with np.load(path) as arrays:
        changed = arrays["update.rnn.W_h"] - arrays["rnn.W_h"]
        assert np.abs(changed).max() == pytest.approx(1e-3, rel=1e-2)  # AdamW's first: the rate
    with pytest.raises(Said, match="step of training"):
        compute.open_trace(path, "rnn", "transformer")


def test_the_right_word_is_the_last_one_or_named() -> None:
    last = descent.of_sentence("the cat that slept purrs", "rnn")
    named = descent.of_sentence("the cat that slept ___", "rnn", "purrs")
    assert last.value("answers") == named.value("answers")
    assert last.tokens[-1] == "___"
    assert last.vocabulary[int(last.value("answers"))] == "purrs"
    other = descent.of_sentence("the ___ that slept purrs", "rnn", "cat")
    assert other.hidden == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--training", "--model", "rnn", "--text", "the cat ___"), "needs the right word"),
        (("--training", "--model", "rnn", "--text", "the cat ___", "--right", "xyzzy"), "xyzzy"),
        (("--training", "--model", "rnn", "--text", ""), "no word to read"),
        (("--training", "--model", "no-such"), "no-such"),
        (("--training", "--task", "dates", "--model", "no-such"), "no model 'no-such'"),
        (("--training", "--task", "nothing", "--model", "rnn"), "no task 'nothing'"),
        (("--training", "--task", "dates", "--model", "gru", "--step", "99999"), "none that is"),
        (("--task", "dates", "--model", "gru"), "add --training"),
        (("--right", "purrs", "--model", "rnn"), "add --training"),
        (("--model", "rnn", "--step", "5"), "name it with --task"),
        (("--training", "--model", "rnn", "--seed", "0"), "name it with --task"),
        (("--training", "--task", "dates", "--model", "gru", "--text", "x"), "its own batch"),
        (("--training", "--task", "dates", "--model", "gru", "--step", "1000000"), "to 999999"),
        (("--training", "--task", "dates", "--model", "gru", "--seed", "-1"), "from 0 to 999999"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "trace", *arguments)
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1

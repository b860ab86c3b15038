"""Training: it learns, it is the same each time, it goes on where it was, it says when it fails."""

import errno
import math
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app import learning
from engine import moments, rules, tasks, training, weights
from engine.forward import Memory
from engine.models import Config, Model
from engine.said import Said
from engine.tasks import UNCOUNTED, Batch, Recipe, Task, sequences
from engine.tasks.missing_word import WORDS
from engine.trace import Unit

SMALL = Config(
    kind="chain", words=11, embedding=8, width=16, cell="gru", answers="every"
)  # fmt: skip
RECIPE = Recipe(title="small", config=SMALL, steps=200, rate=2e-2, batch=16)
TASK = replace(
    sequences.REVERSE,
    recipes={"small": RECIPE},
    cases={"4": ""},
    in_range=("4",),
    lengths=(),
    draw=lambda rng, n: sequences.reverse(rng, n, 2),
)


def trained(steps: int, seed: int = 0) -> training.Training:
    made = training.Training(TASK, RECIPE, seed)
    for _ in range(steps):
        made.descend()
    return made


def test_the_loss_falls() -> None:
    made = training.Training(TASK, RECIPE, 0)
    losses = [made.descend() for _ in range(RECIPE.steps)]
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])


def test_one_seed_gives_the_same_weights_to_the_bit_and_another_other_ones() -> None:
    a, b, c = trained(20), trained(20), trained(20, seed=1)
    for name, value in a.model.parameters.items():
        assert np.array_equal(value, b.model.parameters[name])
    assert not np.array_equal(a.model.parameters["rnn.W_h"], c.model.parameters["rnn.W_h"])


def test_going_back_to_a_moment_and_on_gives_the_same_as_going_on() -> None:
    made = trained(10)
    moment = made.keep()
    first = [made.descend() for _ in range(10)]
    made.go_back(moment)
    assert made.step == 10
    assert [made.descend() for _ in range(10)] == first


def test_the_time_of_a_step_is_told_by_phase_and_unit() -> None:
    made, spent = trained(3), training.unspent()
    begun = time.perf_counter()
    made.descend(spent)
    wall = time.perf_counter() - begun
    assert tuple(spent) == training.PHASES
    told = sum(sum(units.values()) for units in spent.values())
    assert 0.3 * wall < told <= wall
    assert spent["batch"][Unit.SEQUENTIAL] > 0
    for phase in ("forward", "backward"):
        assert spent[phase][Unit.MATRIX] > 0
        assert spent[phase][Unit.STREAM] > 0
    assert spent["update"][Unit.STREAM] > 0
    assert spent["update"][Unit.MATRIX] == 0
    first = {phase: dict(units) for phase, units in spent.items()}
    made.descend(spent)  # is added to
    assert spent["backward"][Unit.MATRIX] > first["backward"][Unit.MATRIX]


def test_an_interrupted_training_goes_on_from_its_file(tmp_path: Path) -> None:
    about, kept = {"task": "reverse", "steps": 200}, tmp_path / "small.part"
    made = trained(7)
    moments.save(kept, about, made.keep())
    other = training.Training(TASK, RECIPE, 0)
    other.go_back(moments.load(kept, about, other.keep()))
    assert [made.descend() for _ in range(5)] == [other.descend() for _ in range(5)]
    assert list(tmp_path.iterdir()) == [kept]


@pytest.mark.parametrize("damage", ["cut", "other", "version", "nan", "large", "text"])
def test_a_kept_training_that_cannot_be_used_is_said(tmp_path: Path, damage: str) -> None:
    about, kept = {"task": "reverse", "steps": 200}, tmp_path / "small.part"
    made = trained(1)
    moment = made.keep()
    if damage == "nan":
        moment.mean[3] = math.nan
    moments.save(kept, about, moment)
    data = kept.read_bytes()
    if damage == "cut":
        kept.write_bytes(data[:-9])
    elif damage == "version":
        kept.write_bytes(data.replace(b'"version":"1"', b'"version":"9"'))
    elif damage == "large":
        kept.write_bytes(data + bytes(10_000))
    elif damage == "text":
        kept.write_bytes(b"not a training")
    wanted = {"task": "recall", "steps": 200} if damage == "other" else about
    with pytest.raises(moments.MomentError, match=r"cannot be gone on with .* begin again\.$"):
        moments.load(kept, wanted, made.keep())


def test_a_place_that_cannot_be_written_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(moments.MomentError, match=r"cannot be written .* it goes on"):
        moments.save(tmp_path / "missing" / "small.part", {}, trained(1).keep())


def test_a_save_that_is_broken_off_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about, kept = {"task": "reverse", "steps": 200}, tmp_path / "small.part"
    made = trained(2)
    before = made.keep()
    moments.save(kept, about, before)
    made.descend()
    write = Path.write_bytes

    def half(self: Path, data: bytes) -> int:
        write(self, data[: len(data) // 2])
        raise KeyboardInterrupt

    with monkeypatch.context() as during:
        during.setattr(Path, "write_bytes", half)
        with pytest.raises(KeyboardInterrupt):
            moments.save(kept, about, made.keep())
    found = moments.load(kept, about, made.keep())
    assert found.step == before.step == 2
    assert np.array_equal(found.weights, before.weights)
    assert list(tmp_path.iterdir()) == [kept]


@pytest.mark.usefixtures("small")
def test_what_a_killed_save_left_is_gone_with_the_training(tmp_path: Path) -> None:
    begun = tmp_path / "small-0.part.4711.part"
    begun.write_bytes(b"half of it")
    learning.train("reverse", "small", steps=3, output=tmp_path, said=print)
    assert {path.name for path in tmp_path.iterdir()} == {"small.safetensors", "small.json"}


def full(self: Path, data: bytes) -> int:
    """Write as a disk that has no room left does."""
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``unrolled train reverse --model small`` train a small model for 200 steps."""
    monkeypatch.setattr(tasks, "load", lambda name: TASK)


@pytest.mark.usefixtures("small")
def test_a_full_disk_is_said_once_and_costs_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "write_bytes", full)
    said: list[str] = []
    with pytest.raises(weights.WeightsError, match=r"not written .*No space left"):
        learning.train("reverse", "small", output=tmp_path, said=said.append)
    assert [line for line in said if "No space left on device" in line] == [
        f"The training was not kept because {tmp_path / 'small-0.part'} cannot be written (No space"
        " left on device); it goes on, and ends as if nothing had happened."
    ]
    assert any("step 200" in line for line in said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("small")
def test_a_disk_that_is_full_at_the_end_costs_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = weights.write
    with monkeypatch.context() as during:

        def at_the_end(path: Path, model: Model) -> None:
            during.setattr(Path, "write_bytes", full)
            write(path, model)

        during.setattr(weights, "write", at_the_end)
        with pytest.raises(weights.WeightsError, match="No space left"):
            learning.train("reverse", "small", seeds=2, output=tmp_path, said=print)
    assert {path.name for path in tmp_path.iterdir()} == {"small-0.part", "small-1.part"}
    steps: list[str] = []
    path = learning.train("reverse", "small", seeds=2, output=tmp_path, said=steps.append)
    assert steps == []  # nothing was trained again
    assert {path.name for path in tmp_path.iterdir()} == {"small.safetensors", "small.json"}
    card = weights.read(path).card
    assert [each["seed"] for each in card["seeds"]] == [0, 1]


@pytest.mark.usefixtures("small")
def test_what_another_version_kept_is_said_and_stays(tmp_path: Path) -> None:
    about = {"task": "reverse", "model": "small", "seed": 0, "steps": 200}
    kept = tmp_path / "small-0.part"
    moments.save(kept, about, trained(1).keep())
    other = kept.read_bytes().replace(b'"version":"1"', b'"version":"2"')
    kept.write_bytes(other)
    with pytest.raises(moments.MomentError, match=r"small-0\.part cannot .* of version 2, not 1"):
        learning.train("reverse", "small", output=tmp_path, said=print)
    assert kept.read_bytes() == other


@pytest.mark.usefixtures("small")
def test_a_folder_that_is_a_file_is_said_before_anything_is_trained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said: list[str] = []
    with pytest.raises(Said, match=r"^Nothing was trained because .*file is no folder"):
        learning.train("reverse", "small", output=tmp_path / "file", said=said.append)
    assert said == []


@pytest.mark.usefixtures("small")
def test_an_interrupted_training_ends_with_the_weights_of_one_that_was_not(tmp_path: Path) -> None:
    told: list[str] = []

    def stop(line: str) -> None:
        told.append(line)
        if "step 200" in line:
            raise KeyboardInterrupt

    whole = learning.train("reverse", "small", output=tmp_path / "whole", said=print)
    with pytest.raises(KeyboardInterrupt):
        learning.train("reverse", "small", output=tmp_path, said=stop)
    kept = tmp_path / "small-0.part"
    assert told[-1] == f"Interrupted; {kept} is kept, and the same command goes on from there."
    said: list[str] = []
    path = learning.train("reverse", "small", output=tmp_path, said=said.append)
    assert len(said) == 1  # from step 100 on
    assert path.read_bytes() == whole.read_bytes()


def test_a_learning_rate_of_1000_is_caught_and_the_weights_before_are_kept() -> None:
    made = training.Training(TASK, replace(RECIPE, rate=1000.0), 0)
    before = made.keep()
    said = ""
    while not said and made.step < RECIPE.steps:
        before = made.keep()
        try:
            made.descend()
        except training.DivergedError as error:
            said = str(error)
    assert "the learning rate (1000) is too high" in said
    assert made.step == before.step
    assert np.array_equal(made.keep().weights, before.weights)
    assert all(np.isfinite(value).all() for value in made.model.parameters.values())
    made.go_back(before)
    made.with_rate(1e-3)


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("dates", "gru-bahdanau"),
        ("dates", "gru-luong"),
        ("dates", "transformer"),
        ("reverse", "gru-luong"),
        ("recall", "transformer"),
        ("brackets", "rnn"),
    ],
)
def test_a_batch_of_one_is_trained_on(name: str, id: str) -> None:
    task = tasks.load(name)
    made = training.Training(task, replace(task.recipes[id], batch=1), 0)
    losses = [made.descend() for _ in range(2)]
    assert all(map(math.isfinite, losses))
    assert made.step == 2


def test_runs_of_many_lengths_hold_no_more_than_the_longest() -> None:
    task = tasks.load("missing-word")
    made = training.Training(task, task.recipes["transformer"], 0)
    most = 0
    for length in range(3, 25):
        ids = np.full((64, length), 5)
        batch = Batch(ids, np.where(np.arange(length) == 1, 7, UNCOUNTED) + 0 * ids)
        program = made.program(batch)
        program.forward()
        program.backward()
        most = max(most, made._memory._used)
    assert len(made._programs) == 22
    assert len(made._memory._chunks) == 1  # whose pages are taken when they are written
    assert most == made._memory._used < Memory.CHUNK  # the last was the longest
    assert made.program(batch) is program  # it is compiled once


def test_a_score_does_not_depend_on_how_many_are_asked_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, id in (("dates", "gru-bahdanau"), ("brackets", "rnn")):
        task = tasks.load(name)
        model = learning.load(task, id)
        found = []
        for most in (1000, 7):
            monkeypatch.setattr(training, "AT_ONCE", most)
            found.append(
                training.score(task, model.config, model.parameters, list(task.cases)[1],
                               sentences=60)
            )  # fmt: skip
        assert found[0].sure == pytest.approx(found[1].sure, abs=1e-5)
        assert replace(found[0], sure=found[1].sure) == found[1]


def test_the_rate_rises_stays_and_falls() -> None:
    rates = [training.schedule(step, 1000) for step in range(1, 1001)]
    assert rates[0] == 1 / training.WARM_UP
    assert rates[training.WARM_UP - 1 : 600] == [1.0] * 501
    assert rates[-1] == pytest.approx(training.LEAST, abs=0.01)
    assert rates[600:] == sorted(rates[600:], reverse=True)


def test_one_step_of_descent_is_that_of_the_paper() -> None:
    """Adam, algorithm 1, in plain float64 from the gradient of the first step."""
    made = training.Training(TASK, RECIPE, 0)
    before = made.keep().weights.astype(float)
    batch = TASK.draw(np.random.default_rng([0, 1]), RECIPE.batch)
    program = made.program(batch)
    program.forward()
    program.backward()
    g = program.vector.astype(float)
    g *= min(1.0, training.CLIP / np.sqrt(g @ g))
    made.descend()
    m = (1 - training.BETA1) * g / (1 - training.BETA1)
    v = (1 - training.BETA2) * g * g / (1 - training.BETA2)
    rate = RECIPE.rate * training.schedule(1, RECIPE.steps)
    expected = before - rate * m / (np.sqrt(v) + training.EPS)
    assert np.abs(made.keep().weights - expected).max() < 1e-6


@pytest.mark.parametrize("name", tasks.TASKS)
def test_answers_of_a_task_are_what_its_rule_or_definition_says(name: str) -> None:
    task = tasks.load(name)
    batch = task.draw(np.random.default_rng(0), 5)
    counted = batch.answers != UNCOUNTED
    assert counted.any(axis=-1).all()
    for ids, answers in zip(batch.ids, batch.answers, strict=True):
        read = "".join(task.vocabulary[i] for i in ids)
        said = "".join(task.vocabulary[i] for i in answers if i != UNCOUNTED)
        if name in rules.RULES and not read.startswith(tuple("abcdefghijklmnopqrstuvwxyz")):
            assert rules.run(name, read).answer == said
        elif name == "missing-word":
            assert ids[answers != UNCOUNTED].tolist() == [task.vocabulary.index("___")]
            assert said in WORDS
        elif name == "reverse":
            assert said == read.partition("|")[0][::-1]
        elif name == "recall":
            pairs, _, asked = read.partition("|")
            values = dict(zip(pairs[::2], pairs[1::2], strict=True))
            assert said == "".join(values[key] for key in asked[::2])


def test_brackets_are_never_deeper_than_they_may_be() -> None:
    batch = sequences.brackets(np.random.default_rng(0), 50, 60, 4)
    height = np.cumsum(np.where(batch.ids < 3, 1, -1), axis=1)
    assert height.min() >= 0
    assert height.max() == 4


# ---- shipped ------------------------------------------------------------------------------------

# Those of the missing word are asked in test_engine_shipped.py.
SHIPPED = [
    (name, id) for name in tasks.TASKS if name != "missing-word" for id in tasks.load(name).recipes
]


@pytest.mark.parametrize(("name", "id"), SHIPPED)
def test_a_shipped_model_reaches_what_its_card_says(name: str, id: str) -> None:
    task = tasks.load(name)
    model = learning.load(task, id)
    path = weights.TASKS / name / f"{id}.safetensors"
    assert path.stat().st_size < 1_000_000
    assert len(model.card["seeds"]) >= 3
    for case in (task.in_range[0], list(task.cases)[-1]):
        told = learning.evaluate(name, id, case, count=200, seed=3)
        card = model.card["reached"][case]
        # Four deviations of 200 drawn sentences.
        p = min(max(card["whole"], 0.01), 0.99)
        assert abs(told["accuracy"] - card["whole"]) < 4 * math.sqrt(p * (1 - p) / 200) + 0.01


def test_the_switch_turns_the_tables() -> None:
    """Dates: out of range the rule is right, with a typing error or a named day the network is."""

    def of(model: str, case: str) -> float:
        found: float = learning.evaluate("dates", model, case, count=300, seed=5)["accuracy"]
        return found

    assert of("rule", "clean") == of("rule", "out-of-range") == 1.0
    assert of("gru-bahdanau", "clean") > 0.98
    assert of("gru-bahdanau", "out-of-range") < 0.4
    assert of("rule", "typo") < 0.35 < 0.75 < of("gru-bahdanau", "typo")
    assert of("rule", "exceptions") == 0.0
    assert of("gru-bahdanau", "exceptions") > 0.98


def test_the_interval_is_wilsons() -> None:
    told = learning.evaluate("dates", "rule", "clean", count=100, seed=1)
    # Brown, Cai & DasGupta 2001: all of n right, from n / (n + z²) on.
    assert told["interval"] == pytest.approx([100 / (100 + 1.959964**2), 1.0])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("sums", "rule", "clean"), "There is no task 'sums'"),
        (("dates", "rule", "easy"), "dates has no case 'easy'"),
        (("reverse", "rule", "8"), "Nobody wrote a rule for reverse"),
        (("recall", "gru-luong", "8"), "recall has no model 'gru-luong'"),
    ],
)
def test_what_cannot_be_evaluated_is_said(arguments: tuple[str, str, str], sentence: str) -> None:
    with pytest.raises(Said, match=sentence):
        learning.evaluate(*arguments, count=10, seed=1)


def test_a_task_is_what_its_table_says() -> None:
    for name in tasks.TASKS:
        task = tasks.load(name)
        assert isinstance(task, Task)
        assert task.name == name
        assert set(task.in_range) <= task.cases.keys()

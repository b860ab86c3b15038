"""One step of training as a trace: the numbers of the real one, each as a step that can be read."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_engine_program import configurations, made

from engine import learning_step, tasks
from engine.autodiff import PULL
from engine.learning_step import BACK, next_step, phase_of, record_step
from engine.models import Config, Model, initialise
from engine.ops import LEARNING, OPS, Ops, op_of
from engine.shares import shares_of
from engine.tasks import Recipe, sequences
from engine.trace import PASSED_ON, Cost, Trace, Unit, load, save
from engine.training import CLIP, DivergedError, Training
from engine.units import Work

EXACT = 1e-9  # of the largest value of a gradient, in float64
CONFIGURATIONS = tuple(configurations())


def recorded(config: Config) -> tuple[Trace, Any]:
    """Return a step of training over three sentences, and the same compiled."""
    trace, program, weights = made(config)
    program.forward()
    program.backward()
    words = tuple(map(str, range(config.words)))
    target = trace.value("decoder.tokens") if "decoder.tokens" in trace else None
    model = Model("", config, dict(weights.named), words)
    found = record_step(model, trace.value("tokens"), program.targets, target=target)
    return found, program


def tiny(tokens: int, dtype: Any = np.float32) -> Trace:
    """Return a step of a chain of 3 numbers, with 2 for each of 4 words, over one sentence."""
    config = Config(kind="chain", words=4, embedding=2, width=3, cell="elman")
    parameters = initialise(config, np.random.default_rng(0), dtype)
    model = Model("tiny", config, parameters, ("a", "b", "c", "d"))
    return record_step(model, np.arange(tokens) % 4, np.array(3))


# ---- the numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("config", CONFIGURATIONS, ids=repr)
def test_loss_and_gradients_are_those_of_the_compiled_run(config: Config) -> None:
    found, program = recorded(config)
    assert float(found.value("loss")) == pytest.approx(program.loss(), rel=1e-12)
    for name, right in program.gradient.items():
        got = found.value(f"{name}.grad")
        # Of a key's bias softmax takes no notice: its gradient is rounding alone.
        largest = max(np.abs(right).max(), 1e-6)
        assert np.abs(got - right).max() < EXACT * largest, name


@pytest.mark.parametrize(
    ("task", "model"),
    [
        ("dates", "gru-bahdanau"),
        ("dates", "transformer"),
        ("brackets", "transformer"),
        ("reverse", "lstm"),
        ("missing-word", "transformer"),  # with penalties on its heads
        ("missing-word", "gru"),  # which answers once
    ],
)
def test_the_next_step_is_the_one_that_a_training_takes(task: str, model: str) -> None:
    loaded = tasks.load(task)
    training = Training(loaded, loaded.recipes[model], 3)
    for _ in range(3):
        training.descend()
    before = training.keep()
    trace = next_step(training)
    assert np.array_equal(training.keep().weights, before.weights), "it stays where it is"
    loss = training.descend()
    after = training.keep()
    assert float(trace.value("loss")) == pytest.approx(loss, rel=1e-5)
    assert not np.array_equal(after.weights, before.weights)
    for name, right in (("mean", after.mean), ("square", after.square)):
        got = trace.value(f"update.{name}")
        assert np.abs(got - right).max() <= 2e-5 * np.abs(right).max(), name
    # AdamW divides by the size of a gradient, so one that is rounding alone moves a weight, too.
    moved = np.abs(after.weights - before.weights).max()
    off = np.abs(trace.value("update.weights") - after.weights)
    assert np.quantile(off, 0.99) < 1e-3 * moved
    assert off.max() < moved


def test_the_update_is_adamw_on_a_gradient_of_bounded_length() -> None:
    trace = tiny(2, np.float64)
    g = np.concatenate([trace.value(f"{name}.grad").ravel() for name in trace.parameters])
    assert np.array_equal(trace.value("update.gradient"), g)
    assert float(trace.value("update.norm")) == pytest.approx(np.linalg.norm(g))
    clipped = g * min(1.0, CLIP / np.linalg.norm(g))
    assert np.allclose(trace.value("update.clipped"), clipped, rtol=1e-12)
    # In the first step both means are corrected to the gradient itself and its square.
    before = np.concatenate([value.ravel() for value in trace.parameters.values()])
    change = trace.value("update.weights") - before
    assert np.allclose(change, -1e-3 * clipped / (np.abs(clipped) + 1e-8), rtol=1e-6, atol=1e-12)
    W_h = trace.value("update.rnn.W_h")
    assert W_h.shape == (3, 3)
    assert W_h.ravel().tolist() == trace.value("update.weights")[14:23].tolist()


def test_a_long_gradient_is_made_shorter() -> None:
    config = Config(kind="chain", words=4, embedding=2, width=3, cell="elman")
    parameters = initialise(config, np.random.default_rng(0), np.float64)
    parameters["embed.E"] = parameters["embed.E"] * 30.0
    trace = record_step(Model("", config, parameters, tuple("abcd")), np.array([0, 1]), np.array(2))
    assert float(trace.value("update.norm")) > CLIP
    assert np.linalg.norm(trace.value("update.clipped")) == pytest.approx(CLIP)


# ---- the steps -----------------------------------------------------------------------------------


def test_every_primitive_is_recorded_on_the_way_back() -> None:
    assert set(BACK) == set(OPS)
    assert {op for op, hand in BACK.items() if hand is None} == {
        op for op, pull in PULL.items() if pull is None
    }


def test_every_primitive_and_every_row_of_learning_is_met() -> None:
    """What no model of these uses cannot be said to be right."""
    forward: set[str] = set()
    backward: set[str] = set()
    for config in CONFIGURATIONS:
        for step in recorded(config)[0].steps:
            (forward if phase_of(step.stage) == "forward" else backward).add(step.op)
    assert forward == set(OPS)
    task = tasks.load("missing-word")
    asked = next_step(Training(task, task.recipes["transformer"], 0))
    penalties = {step.name for step in asked.steps if step.op == "penalty"}
    assert penalties == {f"blocks.{b}.attn.pattern.grad.1" for b in range(2)}
    assert backward | {"penalty"} >= set(LEARNING)


def test_no_row_has_the_name_of_a_primitive_and_moved_ones_cost_nothing() -> None:
    assert not set(OPS) & set(LEARNING)
    assert set(LEARNING) >= PASSED_ON
    operands = (np.ones((4, 3), np.float32), np.ones((4, 3), np.float32))
    for name in PASSED_ON:
        assert op_of(name).cost(operands, operands[0]).flops == 0
    assert op_of("flat").cost(operands, operands[0]) == Cost(0, 0)


@pytest.mark.parametrize("kind", ["chain", "grid", "seq2seq", "translator"])
def test_every_gradient_has_the_shape_and_axes_of_what_it_is_of(kind: str) -> None:
    config = next(c for c in CONFIGURATIONS if c.kind == kind)
    trace, _ = recorded(config)
    assert len({step.name for step in trace.steps}) == len(trace.steps)
    found = 0
    for step in trace.steps:
        stem, _, rest = step.name.partition(".grad")
        if step.name.endswith(".grad") and not rest:
            assert step.value.shape == trace.value(stem).shape, step.name
            if stem in trace:
                assert step.axes == trace.step(stem).axes, step.name
                found += 1
        assert len(step.axes) == step.value.ndim
        assert not step.value.flags.writeable
    assert found > 10
    known: set[str] = set(trace.parameters)
    for step in trace.steps:
        assert known.issuperset(step.reads), step.name
        known.add(step.name)


def test_gradients_are_named_after_what_they_are_of() -> None:
    config = next(c for c in CONFIGURATIONS if c.kind == "grid")
    trace, _ = recorded(config)
    pattern = trace.step("blocks.0.attn.pattern.grad")
    assert pattern.op == "product"
    assert pattern.stage == "blocks.0.weighted_sum.back"  # which is gone back through
    assert pattern.reads == ("blocks.0.attn.z.grad", "blocks.0.attn.v")
    scores = trace.step("blocks.0.attn.scores.grad")
    assert scores.reads == ("blocks.0.attn.pattern.grad", "blocks.0.attn.pattern")


def test_depth_and_cost_are_those_that_are_counted_by_hand() -> None:
    trace = tiny(2)
    # Forward 12: W_h h_0, + b, tanh, W_h h_1, + b, tanh, W_c, + b_c, tanh, E^T, softmax ends at 12,
    # because x W_x (2) is waited for. Backward: logits 13, E 14, tanh 15, W_c 16, tanh 17, W_h 18,
    # tanh 19, W_x 20, by word 21, sum of both gradients of E 22. Update: norm, bound, mean, change.
    assert trace.depths["answer.probabilities"] == 12
    assert trace.depths["embed.E.grad"] == 22
    assert trace.depth == 26
    # One token more: product, sum and tanh forward; W_h and tanh backward.
    assert tiny(3).depth - trace.depth == 5
    by_hand = {
        # x is 2 × 2, W_x 2 × 3: 2 · 2 · 2 · 3 FLOPs each way; float32.
        "embed.x.grad": (24, 4 * (6 + 6 + 4)),
        "rnn.W_x.grad": (24, 4 * (4 + 6 + 6)),
        # An outer product of 3 and 3 numbers; the sum of two of them.
        "rnn.W_h.grad.1": (18, 4 * (3 + 3 + 9)),
        "rnn.W_h.grad": (9, 4 * (9 + 9 + 9)),
        # g (1 - y y): three each.
        "rnn.a.1.grad": (9, 4 * (3 + 3 + 3)),
        # 34 parameters: square and add; scale; 3, 4 and 6 each.
        "update.norm": (68, 4 * 35),
        "update.clipped": (34, 4 * 69),
        "update.mean": (102, 4 * 102),
        "update.square": (136, 4 * 102),
        "update.weights": (204, 4 * 136),
        "rnn.r.1.grad": (0, 0),
    }
    for name, (flops, moved) in by_hand.items():
        assert trace.step(name).cost == Cost(flops, moved), name


def test_a_product_of_several_rows_is_matrix_work_backward_too() -> None:
    trace = tiny(2)
    assert trace.step("rnn.W_x.grad").timing.unit is Unit.MATRIX  # two tokens
    assert trace.step("rnn.W_h.grad.1").timing.unit is Unit.STREAM  # one row, each number used once
    assert trace.step("rnn.a.1.grad").timing.unit is Unit.STREAM


def test_phases_follow_each_other_and_have_shares() -> None:
    trace = tiny(4)
    order = list(dict.fromkeys(phase_of(step.stage) for step in trace.steps))
    assert tuple(order) == learning_step.ORDER
    ticks = [trace.ticks[stage] for stage in ("answer", "answer.back", "read.1.back", "update")]
    assert ticks == sorted(ticks)
    assert len(set(ticks)) == len(ticks)
    shares = shares_of(trace)
    assert sum(shares.parts.values()) == 1.0
    assert shares[Work.STREAM] > 0


def test_it_is_saved_and_read_again(tmp_path: Path) -> None:
    trace = tiny(3)
    save(trace, tmp_path / "step.npz")
    again = load(tmp_path / "step.npz")
    assert again.steps == trace.steps
    assert again.depth == trace.depth
    with np.load(tmp_path / "step.npz") as arrays:
        assert np.array_equal(arrays["rnn.W_h.grad"], trace.value("rnn.W_h.grad"))


class Elsewhere(Ops):
    """NumPy as if it lay on a device: its values are fetched when all has been computed."""

    elsewhere = True

    def __init__(self) -> None:
        super().__init__()
        self.fetched = 0

    def fetch(self, arrays: Any) -> list[Any]:
        """Count what is fetched."""
        self.fetched += len(arrays)
        return super().fetch(arrays)


def test_what_is_computed_elsewhere_is_fetched() -> None:
    config = Config(kind="chain", words=4, embedding=2, width=3, cell="elman")
    model = Model("", config, initialise(config, np.random.default_rng(0)), tuple("abcd"))
    ops = Elsewhere()
    there = record_step(model, np.array([0, 1]), np.array(2), ops=ops)
    here = record_step(model, np.array([0, 1]), np.array(2))
    assert there.steps == here.steps
    assert ops.fetched == len(there.steps)


def test_what_watches_is_told_of_the_whole_step() -> None:
    told: list[float] = []
    config = Config(kind="chain", words=4, embedding=2, width=3, cell="elman")
    model = Model("", config, initialise(config, np.random.default_rng(0)), tuple("abcd"))
    watch = lambda start, end, spent: told.append(end - start)  # noqa: E731
    trace = record_step(model, np.array([0, 1]), np.array(2), watch=watch)
    assert sum(told) <= trace.seconds + 0.01
    assert len(told) >= 2


def test_a_gradient_that_is_no_number_is_said() -> None:
    config = Config(kind="chain", words=4, embedding=2, width=3, cell="elman")
    parameters = initialise(config, np.random.default_rng(0))
    parameters["rnn.W_x"] = parameters["rnn.W_x"] * np.float32(np.nan)
    model = Model("", config, parameters, tuple("abcd"))
    with pytest.raises(DivergedError, match="no number"):
        record_step(model, np.array([0, 1]), np.array(2))


def test_a_batch_of_one_is_recorded() -> None:
    recipe = Recipe(
        title="", steps=10, rate=1e-2, batch=1,
        config=Config(kind="chain", words=11, embedding=4, width=4, cell="gru", answers="every"),
    )  # fmt: skip
    task = replace(sequences.REVERSE, recipes={"small": recipe})
    trace = next_step(Training(task, recipe, 0))
    assert trace.step("rnn.W_h.grad").value.shape == trace.parameters["rnn.W_h"].shape

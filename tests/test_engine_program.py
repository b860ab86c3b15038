"""A compiled run: the same values and gradients as the recorded one, again and again."""

import gc
import importlib
import weakref
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engine.autodiff import PULL, gradients
from engine.forward import NEAR, Memory, Weights
from engine.models import Config, Model, initialise, run
from engine.ops import OPS, Ops
from engine.program import BACKWARD, LOGITS, PROBABILITIES, Program
from engine.tasks import UNCOUNTED
from engine.trace import Trace

EXACT = 1e-9  # of the largest value of a gradient, in float64
WORDS = 11
ROWS: dict[str, Any] = {
    "words": WORDS, "embedding": 4, "width": 4, "heads": 2, "mlp": 8, "layers": 2,
}  # fmt: skip


def configurations() -> Iterator[Config]:
    """Yield every kind of model with every one of its parts."""
    chain: dict[str, Any] = {"kind": "chain", "words": WORDS, "embedding": 4, "width": 6}
    for cell in ("elman", "gru", "lstm"):
        for layers in (1, 2):
            yield Config(**chain, cell=cell, layers=layers)
            yield Config(**chain, cell=cell, layers=layers, bidirectional=True, attention=True)
            yield Config(**chain, cell=cell, layers=layers, attention=True, answers="every")
        for attention, score in ((False, "general"), (True, "general"), (True, "additive")):
            two = {**chain, "kind": "seq2seq", "answers": "every"}
            yield Config(**two, cell=cell, attention=attention, score=score)
    for score in ("dot", "concat", "additive"):
        yield Config(**chain, cell="gru", attention=True, score=score)
    yield Config(**chain, cell="gru", reset="before")
    for norm in ("pre", "post"):
        for activation in ("gelu", "gelu_erf", "relu"):
            yield Config(kind="grid", **ROWS, norm=norm, activation=activation)
        for positions in ("learned", "none", "sinusoidal"):
            more: dict[str, Any] = {"norm": norm, "positions": positions, "max_length": 9}
            yield Config(kind="grid", **ROWS, **more, causal=True, answers="every")
            yield Config(kind="translator", **ROWS, **more, answers="every")


def made(config: Config, *, seed: int = 1, tokens: int = 5) -> tuple[Trace, Program, Weights]:
    """Return a run over three sentences with some answers, the same compiled, and its weights."""
    rng = np.random.default_rng(seed)
    parameters = initialise(config, rng, np.float64)
    model = Model("", config, parameters, tuple(map(str, range(config.words))))
    ids = rng.integers(0, config.words, (3, tokens))
    two = config.kind in ("translator", "seq2seq")
    target = rng.integers(0, config.words, (3, 4)) if two else None
    trace = run(model, ids, hidden=tokens - 1, ops=Ops(), target=target)
    weights = Weights(parameters, np.float64)
    program = Program(trace, weights, Ops())
    program.targets[...] = rng.integers(0, config.words, program.targets.shape)
    program.targets[0, ...] = UNCOUNTED
    if program.targets.ndim == 2:
        program.targets[1:, ::2] = UNCOUNTED
    return trace, program, weights


def seed_of(trace: Trace, targets: Any) -> Any:
    """Return the gradient of the mean cross-entropy to the logits, by its definition."""
    p = trace.value(PROBABILITIES)
    counted = np.asarray(targets) != UNCOUNTED
    hot = np.eye(p.shape[-1])[np.maximum(targets, 0)]
    return np.where(counted[..., None], p - hot, 0.0) / counted.sum()


@pytest.mark.parametrize("config", tuple(configurations()), ids=repr)
def test_a_compiled_run_has_the_values_and_gradients_of_the_recorded_one(config: Config) -> None:
    trace, program, weights = made(config)
    for _ in range(2):  # the second time nothing of the first may be left
        program.forward()
        program.backward()
    assert np.allclose(program.value(PROBABILITIES), trace.value(PROBABILITIES), atol=1e-12)
    seeds = {LOGITS: seed_of(trace, program.targets)}
    expected = gradients(trace, seeds, wrt=list(weights.named), ops=Ops())
    for name, right in expected.items():
        # Of a key's bias softmax takes no notice: its gradient is rounding alone.
        largest = max(np.abs(right).max(), 1e-6)
        assert np.abs(program.gradient[name] - right).max() < EXACT * largest, name


# PyTorch has no GRU whose reset stands in front of the product.
IN_PYTORCH = tuple(config for config in configurations() if config.reset == "after")


@pytest.mark.needs_oracle
@pytest.mark.parametrize("config", IN_PYTORCH, ids=repr)
def test_gradients_of_both_kinds_are_those_of_pytorch(config: Config) -> None:
    """Of a compiled and of a recorded run, in both precisions, relative to the largest value."""
    oracle = importlib.import_module("make_references")  # late, for it needs PyTorch
    torch = oracle.torch
    torch.set_num_threads(1)
    rng = np.random.default_rng(3)
    parameters = oracle.parameters(config, rng)  # no zero or one that could hide a missing term
    parameters = {n: a * min(1.0, 2.0 / np.sqrt(a.shape[0])) for n, a in parameters.items()}
    ids, target = rng.integers(0, WORDS, (3, 5)), None
    if config.kind in ("translator", "seq2seq"):
        target = rng.integers(0, WORDS, (3, 4))
    w = {name: torch.tensor(array, requires_grad=True) for name, array in parameters.items()}
    logits = oracle.computed(config, w, ids, hidden=4, target=target)[LOGITS]
    targets = rng.integers(0, WORDS, tuple(logits.shape[:-1]))
    targets[0, ...] = UNCOUNTED
    loss = torch.nn.functional.cross_entropy(
        logits.reshape(-1, WORDS), torch.from_numpy(targets.ravel()), ignore_index=UNCOUNTED
    )
    loss.backward()
    for dtype, tolerance in ((np.float32, 1e-5), (np.float64, 1e-9)):
        weights = Weights(parameters, dtype)
        model = Model("", config, weights.named, tuple(map(str, range(WORDS))))
        trace = run(model, ids, hidden=4, ops=Ops(), target=target)
        program = Program(trace, weights, Ops())
        program.targets[...] = targets
        program.forward()
        program.backward()
        seeds = {LOGITS: seed_of(trace, targets)}
        recorded = gradients(trace, seeds, wrt=list(weights.named), ops=Ops())
        assert program.loss() == pytest.approx(loss.item(), rel=tolerance)
        right = {
            name: np.zeros(tensor.shape) if tensor.grad is None else tensor.grad.numpy()
            for name, tensor in w.items()
        }
        largest = max(np.abs(value).max() for value in right.values())
        for name, value in right.items():
            # Of a key's bias softmax takes no notice: its gradient is rounding alone. Through a
            # softmax that is nearly closed few digits of float32 come; elsewhere each counts.
            closed = ("b_k", "b_q", "W_k", "W_q", "W_a", "gain", "bias")
            own = not name.endswith(closed[:1] if dtype is np.float64 else closed)
            most = tolerance * (np.abs(value).max() if own else largest)
            for found in (program.gradient[name], recorded[name]):
                assert found.dtype == dtype
                assert np.abs(found - value).max() <= most, f"{name} in {dtype}"


@pytest.mark.parametrize(
    "config",
    [c for c in configurations() if c.kind in ("chain", "seq2seq") and c.layers == 1],
    ids=repr,
)
def test_few_words_are_multiplied_once_each_and_give_the_same(config: Config) -> None:
    trace, program, weights = made(replace(config, words=3), tokens=6)
    assert program._by_word
    for _ in range(2):
        program.forward()
        program.backward()
    assert np.allclose(program.value(PROBABILITIES), trace.value(PROBABILITIES), atol=1e-12)
    seeds = {LOGITS: seed_of(trace, program.targets)}
    expected = gradients(trace, seeds, wrt=list(weights.named), ops=Ops())
    for name, right in expected.items():
        largest = max(np.abs(right).max(), 1e-6)
        assert np.abs(program.gradient[name] - right).max() < EXACT * largest, name


def test_a_vector_that_every_token_gets_is_added_once() -> None:
    config = next(c for c in configurations() if c.cell == "gru" and c.kind == "chain")
    _, program, weights = made(config)
    assert program._once == {"rnn.x": [f"rnn.from_x.{t}" for t in range(1, 6)]}
    assert sum(call.step.startswith("rnn.from_x.") for call in program._forward) == 1
    program.forward()
    by_hand = program.value("embed.x") @ weights.named["rnn.W_x"] + weights.named["rnn.b"]
    for t in range(5):
        assert np.allclose(program.value(f"rnn.from_x.{t + 1}"), by_hand[:, t], atol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e5])
def test_scores_far_apart_have_the_same_softmax(scale: float) -> None:
    """The largest score of all stands for a row's only where all are near one another."""
    config = next(c for c in configurations() if c.kind == "chain" and c.answers == "every")
    _, program, weights = made(config)
    weights.named["answer.b_c"][...] = np.arange(config.embedding) - 1.5
    weights.named["embed.E"][...] *= scale
    program.forward()
    logits = program.value("answer.combined") @ weights.named["embed.E"].T
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    right = shifted / shifted.sum(-1, keepdims=True)
    assert np.allclose(program.value(PROBABILITIES), right, atol=1e-14)
    far = np.ptp(logits) > NEAR
    assert far == (scale > 1.0)


@pytest.mark.parametrize("far", [False, True])
@pytest.mark.parametrize("mask", ["causal", "open", "a row closed", "finite"])
def test_a_mask_of_any_kind_has_the_same_softmax(mask: str, far: bool) -> None:
    config = next(c for c in configurations() if c.kind == "grid" and c.causal)
    _, program, weights = made(config)
    (name,) = (name for name in program.inputs if "mask" in name)
    values = program.inputs[name]
    if mask != "causal":
        values[...] = 0.0
    if mask == "a row closed":
        values[..., 2, :] = -np.inf
    elif mask == "finite":
        values[..., 1] = -700.0  # which no product with its exponential would hold
        values[..., 3, :] = -700.0
    if far:
        weights.named["blocks.0.attn.W_q"][...] *= 1e3
    program.forward()
    q, k = (program.value(f"blocks.0.attn.{letter}") for letter in "qk")
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
    assert (np.ptp(scores) > NEAR) == far
    right = Ops().softmax(scores, values)
    assert np.allclose(program.value("blocks.0.attn.pattern"), right, atol=1e-12)


@pytest.mark.parametrize("kind", ["chain", "grid", "seq2seq", "translator"])
def test_gradients_are_those_of_central_differences(kind: str) -> None:
    config = next(
        c for c in configurations() if c.kind == kind and (c.attention or c.kind[0] in "gt")
    )
    _, program, weights = made(config)
    program.forward()
    program.backward()
    found = program.vector.copy()
    eps, rng = 1e-6, np.random.default_rng(0)
    for i in rng.choice(found.size, 60, replace=False):
        sides = []
        for step in (eps, -eps):
            weights.vector[i] += step
            program.forward()
            sides.append(program.loss())
            weights.vector[i] -= step
        difference = (sides[0] - sides[1]) / (2 * eps)
        assert abs(difference - found[i]) < 1e-7 * max(np.abs(found).max(), 1.0)


def test_other_inputs_and_weights_give_what_a_new_run_gives() -> None:
    config = next(c for c in configurations() if c.kind == "translator")
    _, program, weights = made(config)
    other, fresh, others = made(config, seed=7)
    for name, array in fresh.inputs.items():
        program.inputs[name][...] = array
    program.targets[...] = fresh.targets
    weights.vector[...] = others.vector
    program.forward()
    program.backward()
    fresh.forward()
    fresh.backward()
    assert np.array_equal(program.vector, fresh.vector)
    assert np.allclose(program.value(PROBABILITIES), other.value(PROBABILITIES), atol=1e-12)


@pytest.mark.parametrize("kind", ["chain", "grid", "seq2seq", "translator"])
def test_runs_that_share_memory_compute_what_they_compute_alone(kind: str) -> None:
    """Their arrays lie over one another: each writes all that it reads."""
    config = next(
        c for c in configurations() if c.kind == kind and c.layers == 1 + (kind[0] in "gt")
    )
    shared, runs, alone = Memory(), [], []
    for tokens in (7, 3, 5):
        trace, program, weights = made(config, tokens=tokens)
        alone.append(program)
        again = Program(trace, weights, Ops(), memory=shared)
        again.targets[...] = program.targets
        runs.append(again)
    for _ in range(2):
        for one, other in zip(alone, runs, strict=True):
            one.forward()
            one.backward()
            other.forward()
            assert other.loss() == one.loss()
            other.backward()
            assert np.array_equal(other.vector, one.vector)
    assert len(shared._chunks) == 1
    assert shared._used == alone[-1]._memory._used  # of the last, and nothing in front of it


def test_memory_that_is_too_small_gets_another_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Memory, "CHUNK", 256)
    memory = Memory()
    for _ in range(2):  # the second run lies over the first
        arrays = [memory.empty((k, 5), np.float32) for k in (1, 9, 3, 40, 2)]
        for k, array in enumerate(arrays):
            assert array.__array_interface__["data"][0] % Memory.LINE == 0
            array[...] = k
        assert [float(array.max()) for array in arrays] == [0, 1, 2, 3, 4]
        assert [float(array.min()) for array in arrays] == [0, 1, 2, 3, 4]
        assert sum(map(len, memory._chunks)) < 3 * sum(array.nbytes for array in arrays)
        held = len(memory._chunks)
        memory.rewind()
    assert len(memory._chunks) == held


def test_a_compiled_run_is_gone_when_nobody_has_it_and_holds_no_recorded_values() -> None:
    config = next(c for c in configurations() if c.kind == "translator")
    trace, program, _ = made(config)
    value = weakref.ref(trace.value(LOGITS))
    gc.collect()
    gc.disable()
    try:
        del trace
        assert value() is None
        gone = weakref.ref(program)
        del program
        assert gone() is None
    finally:
        gc.enable()


def test_without_a_way_back_the_gradient_stays_0() -> None:
    trace, program, weights = made(next(configurations()))
    asked = Program(trace, weights, Ops(), learns=False)
    asked.targets[...] = program.targets
    for run_ in (asked, program):
        run_.forward()
        run_.backward()
    assert asked.loss() == program.loss()
    assert not asked.vector.any()
    assert asked._memory._used < program._memory._used


def test_the_loss_is_the_mean_cross_entropy_of_what_counts() -> None:
    trace, program, _ = made(next(c for c in configurations() if c.kind == "grid"))
    program.targets[...] = [UNCOUNTED, 3, 5]
    program.forward()
    p = trace.value(PROBABILITIES)
    assert program.loss() == pytest.approx(-(np.log(p[1, 3]) + np.log(p[2, 5])) / 2)


def test_every_operation_that_has_a_gradient_has_it_in_a_compiled_run_too() -> None:
    assert BACKWARD.keys() == {op for op in OPS if PULL[op] is not None}


def test_every_gradient_of_a_compiled_run_is_compared_above() -> None:
    traced = {step.op for config in configurations() for step in made(config)[0].steps}
    assert BACKWARD.keys() <= traced

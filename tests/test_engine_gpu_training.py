"""Training on a card that is not there: gradients and whole steps stay on it and are NumPy's."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import fakecupy
import numpy as np
import pytest
from fakecupy import Card
from test_engine_autodiff import CASES, traced
from test_engine_program import configurations, made
from test_engine_timing import with_cupti

from engine import gpu, tasks
from engine.autodiff import calls_of, gradients, pull_back
from engine.device import Device, Lost
from engine.gpu import CupyOps
from engine.learning_step import next_step, record_step
from engine.models import Config, Model, initialise
from engine.ops import LEARNING, Ops
from engine.program import Program
from engine.said import Said
from engine.selfcheck import error_of
from engine.tasks import UNCOUNTED
from engine.timing import Cupti
from engine.trace import PASSED_ON, Trace, Unit
from engine.training import Training

# Of the largest value, in float32: sums in another order.
OF_ONE, OF_A_STEP = 1e-5, 1e-4
TF32 = 0.02  # every operand of a product is rounded to 11 digits
CONFIGURATIONS = tuple(configurations())
NORM = {"chain": "pre", "seq2seq": "pre", "grid": "pre", "translator": "post"}
BACK = "memcpy D2H"


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[Card]:
    gpu._there.clear()
    yield fakecupy.fixture(lambda name, it: monkeypatch.setitem(sys.modules, name, it))
    gpu._there.clear()


def ops_on(card: Card, precision: str = "float32") -> CupyOps:
    about = Device("CuPy", card.name, memory_bytes=card.memory_bytes, capability=8.9,
                   tensor_cores=True)  # fmt: skip
    return CupyOps(about, precision)


def single(array: Any) -> Any:
    return array.astype(np.float32) if array.dtype.kind == "f" else array


# ---- gradients -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("op", "case"), [(op, case) for op in CASES for case in CASES[op]])
def test_the_gradient_of_a_primitive_is_numpys_and_stays_on_the_card(
    card: Card, op: str, case: str
) -> None:
    given, options = CASES[op][case]
    operands, ops = tuple(map(single, given)), ops_on(card)
    trace = traced(op, operands, **options)
    shape = trace.value("y").shape
    for lead in ((), (2,)):
        seed = np.random.default_rng(1).normal(size=(*lead, *shape)).astype(np.float32)
        wrt = [f"p{k}" for k, operand in enumerate(operands) if operand.dtype.kind == "f"]
        calls, there = calls_of(trace, ops), ops.to_device(seed)
        waits, uploads, done = card.waits, card.uploads, len(card.kernels)
        found = pull_back(calls, {"y": there}, wrt=wrt, ops=ops)
        assert all(isinstance(it, fakecupy.ndarray) for it in found.values())
        assert (card.waits, card.uploads) == (waits, uploads)
        assert not [it.name for it in card.kernels[done:] if it.name.startswith("memcpy")]
        wide = traced(op, tuple(x.astype(float) if x.dtype.kind == "f" else x for x in operands),
                      **options)  # fmt: skip
        exact = gradients(wide, {"y": seed.astype(float)}, wrt=wrt, ops=Ops())
        for name in wrt:
            assert found[name].dtype == np.float32
            assert error_of(ops.to_host(found[name]), exact[name]) <= OF_ONE, name


def test_a_host_seed_is_uploaded_and_one_of_another_precision_is_rounded(card: Card) -> None:
    trace = traced("tanh", (np.ones(3, np.float32),))
    found = gradients(trace, {"y": np.ones(3)}, wrt=["p0"], ops=ops_on(card))
    assert found["p0"].dtype == np.float32


# ---- whole steps ---------------------------------------------------------------------------------


def steps_of(config: Config, there: CupyOps) -> tuple[Trace, Trace]:
    """Return a step of training over three sentences on the card, and in float64 by NumPy."""
    trace, program, weights = made(config)
    words = tuple(map(str, range(config.words)))
    target = trace.value("decoder.tokens") if "decoder.tokens" in trace else None
    rng = np.random.default_rng(0)
    size = weights.vector.size
    moments = rng.normal(0, 0.1, size), rng.uniform(0.01, 0.1, size)
    found = []
    for ops, dtype in ((there, np.float32), (Ops(), np.float64)):
        named = {name: array.astype(dtype) for name, array in weights.named.items()}
        found.append(record_step(
            Model("", config, named, words), trace.value("tokens"), program.targets, target=target,
            step=3, rate=1e-2, moments=(moments[0].astype(dtype), moments[1].astype(dtype)),
            ops=ops,
        ))  # fmt: skip
    return found[0], found[1]


def near(there: Trace, here: Trace, most: float) -> None:
    assert [step.name for step in there.steps] == [step.name for step in here.steps]
    assert there.stages == here.stages
    largest = np.abs(here.value("update.gradient")).max()
    for mine, exact in zip(there.steps, here.steps, strict=True):
        assert (mine.op, mine.reads, mine.axes, mine.stage, mine.options) == (
            exact.op, exact.reads, exact.axes, exact.stage, exact.options,
        )  # fmt: skip
        assert mine.cost.flops == exact.cost.flops
        if exact.value.dtype.kind != "f":
            assert np.array_equal(mine.value, exact.value)
        elif ".grad" in mine.name:
            # Of a key's bias softmax takes no notice: its gradient is rounding alone.
            own = max(float(np.abs(exact.value).max()), float(largest) / 100)
            assert np.abs(mine.value - exact.value).max() <= most * own, mine.name
        else:
            assert error_of(mine.value, exact.value) <= most, mine.name


@pytest.mark.parametrize("config", CONFIGURATIONS, ids=repr)
def test_a_whole_step_is_numpys_and_is_fetched_when_all_is_done(card: Card, config: Config) -> None:
    there, here = steps_of(config, ops_on(card))
    near(there, here, OF_A_STEP)
    assert there.facts.backend == "CuPy"
    copies = [k for k, it in enumerate(card.kernels) if it.name == BACK]
    assert len(card.kernels) - copies[0] == len(copies)  # nothing is done behind the first
    assert card.waits == 3  # behind the last operation, before fetching, behind fetching
    # What comes from outside: parameters, inputs, answers, two means; nothing twice.
    inputs = sum(step.op == "input" for step in here.steps)
    assert card.uploads <= inputs + len(here.parameters)


def test_every_row_of_learning_is_met_on_the_card(card: Card) -> None:
    seen: set[str] = set()
    for config in CONFIGURATIONS:
        seen |= {step.op for step in steps_of(config, ops_on(card))[0].steps}
    task = tasks.load("missing-word")
    training = Training(task, task.recipes["transformer"], 0)
    before = card.waits
    asked = next_step(training, ops=ops_on(card))
    assert card.waits == before + 3
    seen |= {step.op for step in asked.steps}
    assert seen >= set(LEARNING)


@pytest.mark.parametrize(
    ("task", "model"),
    [("missing-word", "transformer"), ("missing-word", "gru"), ("dates", "gru-bahdanau"),
     ("dates", "transformer"), ("brackets", "rnn"), ("reverse", "lstm")],
)  # fmt: skip
def test_the_next_step_of_a_training_is_numpys(card: Card, task: str, model: str) -> None:
    """With the clipped norm, AdamW on the means so far, and penalties where there are any."""
    loaded = tasks.load(task)
    training = Training(loaded, replace(loaded.recipes[model], batch=8), 3)
    for _ in range(3):
        training.descend()
    here = next_step(training)
    there = next_step(training, ops=ops_on(card))
    assert [step.name for step in there.steps] == [step.name for step in here.steps]
    for name in ("loss", "update.norm", "update.gradient", "update.clipped", "update.mean",
                 "update.square"):  # fmt: skip
        assert error_of(there.value(name), here.value(name)) <= OF_A_STEP, name
    w = here.value("update.weights")
    moved = np.abs(w - here.value("update.before")).max()
    # AdamW divides by the size of a gradient, so one that is rounding alone moves a weight, too.
    assert np.quantile(np.abs(there.value("update.weights") - w), 0.99) < 1e-3 * moved


def test_a_clipped_gradient_and_one_of_length_0_are_numpys(card: Card) -> None:
    config = Config(kind="chain", words=4, embedding=2, width=3, cell="elman")
    for scale in (30.0, 1.0):
        parameters = initialise(config, np.random.default_rng(0))
        parameters["embed.E"] = parameters["embed.E"] * np.float32(scale)
        answers = np.array(2 if scale > 1 else UNCOUNTED)  # nothing is asked for
        model = Model("", config, parameters, tuple("abcd"))
        there = record_step(model, np.array([0, 1]), answers, ops=ops_on(card))
        here = record_step(model, np.array([0, 1]), answers)
        norm = float(here.value("update.norm"))
        assert (norm > 1.0) if scale > 1 else norm == 0.0
        assert error_of(there.value("update.clipped"), here.value("update.clipped")) <= OF_A_STEP


@pytest.mark.parametrize("kind", ["chain", "grid", "seq2seq", "translator"])
def test_in_tf32_the_products_of_the_way_back_are_sent_to_tensor_cores(
    card: Card, kind: str
) -> None:
    # Norms of 4 numbers in front of a block make much of a rounding.
    config = next(c for c in CONFIGURATIONS if c.kind == kind and c.norm == NORM[kind])
    there, here = steps_of(config, ops_on(card, "TF32"))
    for name in ("loss", "update.gradient"):
        assert error_of(there.value(name), here.value(name)) <= TF32, name
    sent = sum("s1688" in it.name for it in card.kernels)
    products = [step for step in there.steps if step.op.startswith("product")]
    assert sent == len(products)
    assert not any("sgemm" in it.name for it in card.kernels)
    units = {step.timing.unit for step in products if step.op.startswith("product.grad")}
    assert Unit.MATRIX in units
    single = steps_of(config, ops_on(card))[0]
    assert {step.timing.unit for step in single.steps} == {Unit.STREAM}  # CUDA cores


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_half_precision_is_refused_in_a_sentence(card: Card, precision: str) -> None:
    config = Config(kind="chain", words=4, embedding=2, width=3, cell="elman")
    model = Model("", config, initialise(config, np.random.default_rng(0)), tuple("abcd"))
    with pytest.raises(Said, match=rf"not recorded in {precision}, .* choose float32 or TF32\.$"):
        record_step(model, np.array([0, 1]), np.array(2), ops=ops_on(card, precision))


def test_a_card_may_be_lost_at_every_launch_of_a_step(card: Card) -> None:
    config = Config(kind="chain", words=4, embedding=2, width=3, cell="elman")
    model = Model("", config, initialise(config, np.random.default_rng(0)), tuple("abcd"))
    record_step(model, np.array([0, 1]), np.array(2), ops=ops_on(card))
    for at in range(len(card.kernels)):
        card.kernels.clear()
        card.fails_at = at
        with pytest.raises(Lost):
            record_step(model, np.array([0, 1]), np.array(2), ops=ops_on(card))
    card.fails_at = None
    record_step(model, np.array([0, 1]), np.array(2), ops=ops_on(card))


def test_every_kernel_of_a_step_is_known_by_its_operation(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_cupti(monkeypatch, card)
    monkeypatch.setattr("engine.timing.perf_counter", lambda: card.host_us / 1e6)
    ops = ops_on(card)
    task = tasks.load("dates")
    training = Training(task, replace(task.recipes["gru-bahdanau"], batch=2), 0)
    cupti = Cupti(ops.card)
    trace, traced = cupti.trace(lambda there: next_step(training, ops=there), ops)
    assert not cupti.reason
    computing = [it for it in traced.kernels if not it.kernel.copy]
    assert computing
    unknown = {it.kernel.name for it in computing if it.kernel.op < 0}
    assert not unknown
    moved = [step for step in trace.steps if step.op not in PASSED_ON]
    assert len({it.kernel.op for it in computing}) <= len(moved)


def test_a_compiled_run_is_numpys(card: Card) -> None:
    trace, _, weights = made(CONFIGURATIONS[0])
    with pytest.raises(ValueError, match="NumPy's and not CuPy's"):
        Program(trace, weights, ops_on(card))


# ---- the real library ----------------------------------------------------------------------------


def test_all_that_the_fake_has_the_real_one_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """CuPy is imported without a card; where there is none of it (macOS) nobody can use it."""
    if find_spec("cupy") is None:
        assert sys.platform == "darwin"
        return
    real = import_module("cupy")
    with monkeypatch.context() as during:
        fake = fakecupy.install(Card(), lambda name, it: during.setitem(sys.modules, name, it))
    named = {
        name: it for name, it in vars(fake).items()
        if callable(it) and not isinstance(it, (type, ModuleType)) and not name.startswith("_")
    }  # fmt: skip
    assert {"take_along_axis", "where", "zeros", "arange", "log", "divide"} <= named.keys()
    for name, function in named.items():
        theirs = getattr(real, name)
        if isinstance(theirs, real.ufunc):
            continue  # all have (x1, x2, out)
        if name == "matmul":
            continue
        known = inspect.signature(theirs).parameters.keys()
        asked = inspect.signature(function).parameters.keys() & {"axis", "out", "dtype"}
        reduces = name in ("max", "sum", "mean")
        assert asked | ({"axis", "keepdims"} if reduces else set()) <= known, name
    operators = {name for name in vars(fakecupy.ndarray) if name.startswith("__")}
    operators -= {"__init__", "__module__", "__doc__", "__dict__", "__weakref__", "__hash__"}
    methods = {name for name in vars(fakecupy.ndarray) if not name.startswith("_")}
    for name in operators | methods:
        assert hasattr(real.ndarray, name), name
    assert callable(real.add.at)
    assert "indices" in real.add.at.__doc__

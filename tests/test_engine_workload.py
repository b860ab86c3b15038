"""What a step has to do: every cost computed by hand, and what cannot be a step."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from engine.assets import ASSETS
from engine.operations import operations
from engine.trace import Unit
from engine.units import Work
from engine.workload import (
    SIZES,
    WHY,
    Device,
    Group,
    Host,
    Mode,
    Precision,
    Style,
    Workload,
    WorkloadError,
    memory_text,
)

# The toy: B = 2, T = S = 3, so M = 6 rows of d = 40 numbers; h = 5 heads of k = 8, so B h = 10
# heads; f = 160, V = 100, P = 24 000. Half precision, e = 2, unless said.
TOY = Workload("toy", Mode.TRAINING, 2, 3, Precision.FLOAT16, Style.FUSED)
P = 100 * 40 + 4 * 40 * 40 + 2 * 40 * 160 + 4 * 40 + 160 + 40 + 4 * 40 + 2 * 40

ROWS, SCORES = 6 * 40, 10 * 3 * 3
E = 2
Costs = dict[str, tuple[float, float, int]]  # role -> FLOPs, bytes, kernels

PRODUCTS: Costs = {
    "attn.qkv": (2 * 6 * 120 * 40, E * (6 * 40 + 40 * 120 + 6 * 120), 1),
    "attn.out": (2 * 6 * 40 * 40, E * (6 * 40 + 40 * 40 + 6 * 40), 1),
    "mlp.in": (2 * 6 * 160 * 40, E * (6 * 40 + 40 * 160 + 6 * 160), 1),
    "mlp.out": (2 * 6 * 40 * 160, E * (6 * 160 + 160 * 40 + 6 * 40), 1),
    "answer.scores": (2 * 6 * 100 * 40, E * (6 * 40 + 40 * 100 + 6 * 100), 1),
}
# Both products of the backward pass have the FLOPs of the forward one, and read and write the same
# three matrices in another order.
BACKWARD_PRODUCTS: Costs = {
    f"{name}.{of}": cost for name, cost in PRODUCTS.items() for of in ("dX", "dW")
}
BIAS_GRADIENTS: Costs = {
    "attn.qkv.db": (6 * 120, E * 6 * 120, 1),
    "attn.out.db": (6 * 40, E * 6 * 40, 1),
    "mlp.in.db": (6 * 160, E * 6 * 160, 1),
    "mlp.out.db": (6 * 40, E * 6 * 40, 1),
}
ALWAYS: Costs = {
    "ids.copy": (0, 4 * 6, 1),
    "embed.x": (0, 2 * ROWS * E, 1),
    "embed.sum": (ROWS, 3 * ROWS * E, 1),
    "attn.residual": (ROWS, 3 * ROWS * E, 1),
    "mlp.residual": (ROWS, 3 * ROWS * E, 1),
}
ALWAYS_BACKWARD: Costs = {
    "attn.residual.backward": (ROWS, 3 * ROWS * E, 1),
    "mlp.residual.backward": (ROWS, 3 * ROWS * E, 1),
    "embed.dE": (ROWS, 3 * ROWS * 4, 1),
    "loss.copy": (0, 4, 1),
}
NORMS = ("norm1", "norm2", "answer.norm")
SHARED = PRODUCTS | BACKWARD_PRODUCTS | BIAS_GRADIENTS | ALWAYS | ALWAYS_BACKWARD

FUSED: Costs = SHARED | {
    **{name: (10 * ROWS, 2 * ROWS * E, 1) for name in NORMS},
    **{f"{name}.backward": (20 * ROWS, 4 * ROWS * E, 2) for name in NORMS},
    # Causal: half of 4 B T S d forward, half of 10 backward; q, k, v, z (and back: five passes).
    "attn.flash": (2 * 10 * 3 * 3 * 8, 2 * (10 * 3 * 8 + 10 * 3 * 8) * E, 1),
    "attn.flash.backward": (5 * 10 * 3 * 3 * 8, 5 * (10 * 3 * 8 + 10 * 3 * 8) * E, 1),
    "mlp.act.backward": (15 * 6 * 160, 3 * 6 * 160 * E, 1),
    "loss": (6 * 600, 2 * 600 * E, 1),
    "loss.backward": (2 * 600, 2 * 600 * E, 1),
    "adamw": (14 * P, 30 * P, 1),
}
HEADS: Costs = {
    "attn.split": (0, 6 * ROWS * E, 1),
    "attn.scores.product": (2 * 10 * 3 * 3 * 8, E * 10 * (3 * 8 + 8 * 3 + 3 * 3), 1),
    "attn.scores": (2 * SCORES, 2 * SCORES * E, 1),
    "attn.pattern": (5 * SCORES, 2 * SCORES * E, 1),
    "attn.z": (2 * 10 * 3 * 8 * 3, E * 10 * (3 * 3 + 3 * 8 + 3 * 8), 1),
    "attn.concat": (0, 2 * ROWS * E, 1),
    "attn.concat.backward": (0, 2 * ROWS * E, 1),
    "attn.z.dP": (2 * 10 * 3 * 3 * 8, E * 10 * (3 * 8 + 8 * 3 + 3 * 3), 1),
    "attn.z.dV": (2 * 10 * 3 * 8 * 3, E * 10 * (3 * 3 + 3 * 8 + 3 * 8), 1),
    "attn.pattern.backward": (4 * SCORES, 3 * SCORES * E, 1),
    "attn.scores.backward": (SCORES, 2 * SCORES * E, 1),
    "attn.scores.product.dQ": (2 * 10 * 3 * 8 * 3, E * 10 * (3 * 3 + 3 * 8 + 3 * 8), 1),
    "attn.scores.product.dK": (2 * 10 * 3 * 8 * 3, E * 10 * (3 * 3 + 3 * 8 + 3 * 8), 1),
    "attn.split.backward": (0, 6 * ROWS * E, 1),
}
FRAMEWORK: Costs = (
    {name: cost for name, cost in FUSED.items() if "flash" not in name}
    | HEADS
    | {"mlp.act": (15 * 6 * 160, 2 * 6 * 160 * E, 1)}
)
# Every NumPy-like call is a kernel; products of all heads stay half precision.
EAGER: Costs = FRAMEWORK | {
    **{name: (10 * ROWS, 14 * ROWS * E, 9) for name in NORMS},
    **{f"{name}.backward": (20 * ROWS, 30 * ROWS * E, 18) for name in NORMS},
    "attn.qkv.bias": (6 * 120, 2 * 6 * 120 * E, 1),
    "attn.out.bias": (6 * 40, 2 * 6 * 40 * E, 1),
    "mlp.in.bias": (6 * 160, 2 * 6 * 160 * E, 1),
    "mlp.out.bias": (6 * 40, 2 * 6 * 40 * E, 1),
    "attn.split": (0, 6 * ROWS * E, 3),
    "attn.split.backward": (0, 6 * ROWS * E, 3),
    "attn.scores": (2 * SCORES, 4 * SCORES * E, 2),
    "attn.scores.backward": (SCORES, 4 * SCORES * E, 2),
    "attn.pattern": (5 * SCORES, 6 * SCORES * E, 4),
    "attn.pattern.backward": (4 * SCORES, 9 * SCORES * E, 4),
    "mlp.act": (15 * 6 * 160, 18 * 6 * 160 * E, 9),
    "mlp.act.backward": (15 * 6 * 160, 34 * 6 * 160 * E, 17),
    "loss": (6 * 600, 6 * 600 * 4, 5),
    "loss.backward": (2 * 600, 4 * 600 * 4, 3),
    "adamw": (14 * P, 104 * P, 14),
}


def costs(workload: Workload, device: Device = Device.GPU) -> Costs:
    """Return FLOPs, bytes and kernels by role, host work left out."""
    found: Costs = {}
    for op in operations(workload, device):
        if not isinstance(op.kernel, Host):
            cost = (op.cost.flops, op.cost.bytes, op.calls)
            assert found.setdefault(op.role, cost) == cost, op.role
    return found


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"style": Style.FUSED}, FUSED),
        ({"style": Style.GRAPH}, FUSED),
        ({"style": Style.FRAMEWORK_EAGER}, FRAMEWORK),
        ({"style": Style.CUPY_EAGER, "batched_half": True}, EAGER),
    ],
    ids=["fused", "graph", "framework", "cupy"],
)
def test_every_operation_of_a_training_step_costs_what_was_computed_by_hand(
    changed: dict[str, Any], expected: Costs
) -> None:
    assert costs(replace(TOY, **changed)) == expected


def test_parameters_are_those_counted_by_hand() -> None:
    assert SIZES["toy"].parameters == P
    assert SIZES["gpt2-124m"].parameters == 124_439_808  # as published, with positions
    assert SIZES["gpt3-layer"].parameters == 12 * 12288**2 + 13 * 12288


def test_cupy_makes_float32_of_products_with_more_than_two_axes() -> None:
    found = costs(replace(TOY, style=Style.CUPY_EAGER))
    numbers = 10 * (3 * 8 + 8 * 3)
    assert found["attn.scores.product.up"] == (0, 6 * numbers, 2)  # both operands: 2 in, 4 out
    assert found["attn.scores.product.down"] == (0, 6 * 10 * 3 * 3, 1)
    assert found["attn.scores.product"] == (2 * 10 * 9 * 8, 4 * 10 * (24 + 24 + 9), 1)
    made = {op.role: op for op in operations(replace(TOY, style=Style.CUPY_EAGER))}
    assert made["attn.scores.product"].work == Work.STREAM
    assert made["attn.scores.product"].reason == "upcast"
    assert made["attn.qkv"].work == Work.MATRIX


def test_cupy_ignores_tf32_for_products_with_more_than_two_axes() -> None:
    made = {op.role: op for op in operations(replace(TOY, style="cupy-eager", precision="tf32"))}
    assert made["attn.scores.product"].work == Work.STREAM
    assert made["mlp.in"].work == Work.MATRIX


def test_a_float32_step_moves_twice_the_bytes_and_multiplies_on_cuda_cores() -> None:
    single = operations(replace(TOY, precision=Precision.FLOAT32))
    half = {op.name: op for op in operations(TOY)}
    for op in single:
        if op.role not in ("ids.copy", "loss.copy", "embed.dE", "adamw"):
            assert op.cost.bytes == 2 * half[op.name].cost.bytes, op.name
        assert op.cost.flops == half[op.name].cost.flops
        assert op.work != Work.MATRIX
    assert costs(replace(TOY, precision=Precision.FLOAT32))["adamw"][1] == 28 * P


def test_eight_bits_are_read_in_products_with_weights_only() -> None:
    found = costs(replace(TOY, precision=Precision.FP8))
    assert found["mlp.in"] == (2 * 6 * 160 * 40, 6 * 40 + 40 * 160 + 2 * 6 * 160, 1)
    assert found["attn.flash"] == FUSED["attn.flash"]
    assert found["answer.scores"] == FUSED["answer.scores"]
    assert found["norm1"] == FUSED["norm1"]


def test_reading_costs_the_answer_of_the_last_row_and_a_choice() -> None:
    reading = replace(TOY, mode=Mode.INFERENCE, style=Style.CUPY_EAGER)
    found = costs(reading)
    assert found["answer.scores"] == (2 * 2 * 100 * 40, E * (2 * 40 + 40 * 100 + 2 * 100), 1)
    assert found["sample"] == (6 * 2 * 100, 6 * 2 * 100 * 4, 4)
    assert found["token.copy"] == (0, 4 * 2, 1)
    assert {op.group for op in operations(reading)} == {Group.HOST, Group.FORWARD}


def test_a_decoding_step_is_one_token_that_looks_at_the_context() -> None:
    found = costs(Workload("toy", Mode.DECODE, 2, 7, style=Style.FRAMEWORK_EAGER))
    assert found["mlp.in"] == (2 * 2 * 160 * 40, E * (2 * 40 + 40 * 160 + 2 * 160), 1)
    assert found["attn.scores.product"] == (2 * 10 * 7 * 8, E * 10 * (8 + 8 * 7 + 7), 1)
    assert found["attn.pattern"] == (5 * 10 * 7, 2 * 10 * 7 * E, 1)
    fused = costs(Workload("toy", Mode.DECODE, 2, 7, style=Style.FUSED))
    assert fused["attn.flash"] == (4 * 10 * 7 * 8, 2 * (10 * 8 + 10 * 7 * 8) * E, 1)


def test_products_of_one_row_stay_off_tensor_cores_unless_asked() -> None:
    one = Workload("toy", Mode.DECODE, 1, 7)
    works = {op.role: op.work for op in operations(one)}
    assert works["mlp.in"] == works["answer.scores"] == Work.STREAM
    assert works["attn.flash"] == Work.MATRIX  # a fused kernel multiplies tiles for one row, too
    works = {op.role: op.work for op in operations(replace(one, rows_on_tensor=True))}
    assert works["mlp.in"] == Work.MATRIX
    works = {op.role: op.work for op in operations(replace(one, batch=2))}
    assert works["mlp.in"] == Work.MATRIX


def test_an_optimizer_that_waits_costs_the_sum_of_gradients_and_a_part_of_a_step() -> None:
    flops, bytes_, calls = costs(replace(TOY, every=64))["adamw"]
    assert flops == pytest.approx(P * (1 + 14 / 64), abs=1)
    assert bytes_ == pytest.approx(P * (6 + 30 / 64), abs=1)
    assert calls == 1


def test_one_of_five_cards_does_a_fifth_of_every_product_with_weights() -> None:
    found = costs(replace(TOY, parallel=5))
    for name in ("attn.qkv", "attn.out", "mlp.in", "mlp.out", "attn.flash"):
        assert found[name][0] * 5 == FUSED[name][0], name
    assert found["norm1"] == FUSED["norm1"]
    assert found["adamw"][0] == pytest.approx(14 * P / 5, abs=1)


def test_every_operation_of_a_gru_costs_what_was_computed_by_hand() -> None:
    # B = 2, T = 3, d = 1744, three gates.
    d, g = 1744, 3 * 1744
    found = costs(Workload("gru-124m", Mode.TRAINING, 2, 3, style=Style.FRAMEWORK_EAGER))
    assert found["x"] == (2 * 6 * g * d, E * (6 * d + d * g + 6 * g), 1)
    assert found["x.dX"][0] == found["x.dW"][0] == found["h.dW"][0] == 2 * 6 * g * d
    assert found["h.product"] == (2 * 2 * g * d, E * (2 * d + d * g + 2 * g), 1)
    assert found["h.dH"] == (2 * 2 * g * d, E * (2 * g + g * d + 2 * d), 1)
    assert found["h"] == (10 * 3 * 2 * d, 8 * 2 * d * E, 1)
    assert found["h.backward"] == found["h"]
    eager = costs(Workload("gru-124m", Mode.TRAINING, 2, 3, style=Style.CUPY_EAGER))
    assert eager["h"] == (10 * 3 * 2 * d, 40 * 2 * d * E, 13)
    assert eager["h.backward"][2] == 22
    whole = costs(Workload("gru-124m", Mode.INFERENCE, 2, 3, persistent=True))
    assert whole["h"] == (2 * 6 * g * d, 8 * 6 * d * E, 1)


@pytest.mark.parametrize(("model", "gates", "calls"), [("stage-rnn", 1, 2), ("lstm-124m", 4, 14)])
def test_a_cell_has_as_many_products_as_gates(model: str, gates: int, calls: int) -> None:
    d = SIZES[model].width
    found = costs(Workload(model, Mode.INFERENCE, 2, 3, style=Style.CUPY_EAGER))
    assert found["h.product"][0] == 2 * 2 * gates * d * d
    assert found["h"] == (10 * gates * 2 * d, (3 * calls + 1) * 2 * d * E, calls)


def test_a_chain_does_one_step_after_the_other() -> None:
    ops = operations(Workload("gru-124m", Mode.INFERENCE, 1, 4))
    steps = [op.name for op in ops if op.role == "h.product" and op.block == 1]
    assert steps == [f"blocks.1.h.{t}.product" for t in (1, 2, 3, 4)]
    ops = operations(Workload("gru-124m", Mode.TRAINING, 1, 3))
    steps = [op.name for op in ops if op.role == "h.dH" and op.block == 0]
    assert steps == [f"blocks.0.h.{t}.dH" for t in (3, 2, 1)]


# ---- order, names, lanes -------------------------------------------------------------------------


def test_names_are_unique_and_groups_follow_each_other() -> None:
    for style in Style:
        ops = operations(Workload(style=style))
        assert max(Counter(op.name for op in ops).values()) == 1
        order = [op.group for op in ops if op.group != Group.HOST]
        known = [Group.FORWARD, Group.BACKWARD, Group.UPDATE]
        assert order == sorted(order, key=known.index)


def test_shapes_of_operands_are_those_of_the_product() -> None:
    ops = {op.role: op for op in operations(replace(TOY, style=Style.FRAMEWORK_EAGER))}
    a, b = ops["mlp.in"].operands
    assert (a.letter, a.shape, b.letter, b.shape) == ("n", (6, 40), "W_{in}", (40, 160))
    assert (ops["mlp.in"].result.letter, ops["mlp.in"].result.shape) == ("a", (6, 160))
    assert [o.shape for o in ops["attn.scores.product"].operands] == [(10, 3, 8), (10, 3, 8)]
    assert ops["attn.scores.product"].result.shape == (10, 3, 3)


def test_every_operation_has_the_reason_of_its_lane() -> None:
    used = set()
    for mode in Mode:
        for style in Style:
            for precision in (Precision.FLOAT16, Precision.FLOAT32):
                for op in operations(Workload("toy", mode, 1, 5, precision, style)):
                    assert op.why.endswith(".")
                    used.add(op.reason)
    used |= {op.reason for op in operations(Workload("gru-124m", tokens=3, persistent=True))}
    used |= {op.reason for op in operations(TOY, Device.CPU)}
    assert used == set(WHY)


def test_units_follow_lanes_and_copies_are_the_hosts() -> None:
    units = {op.role: op.unit for op in operations(TOY)}
    assert units["mlp.in"] == Unit.MATRIX
    assert units["norm1"] == Unit.STREAM
    assert units["ids.copy"] == units["batch"] == Unit.SEQUENTIAL


def test_a_cpu_copies_nothing_and_does_matrix_work_in_any_precision() -> None:
    works = {op.role: op.work for op in operations(replace(TOY, precision="float32"), Device.CPU)}
    assert "ids.copy" not in works
    assert works["mlp.in"] == works["attn.flash"] == Work.MATRIX
    eager = costs(replace(TOY, style=Style.CUPY_EAGER), Device.CPU)
    assert "attn.scores.product.up" not in eager


def test_host_work_is_named() -> None:
    host = [op.role for op in operations(replace(TOY, mode="inference", tokenizer=True))]
    assert host[0] == "tokenize"
    assert host[-1] == "token.read"
    assert [op.role for op in operations(Workload("gpt3-layer", tokens=64, batch=1))][0] == "norm1"


@pytest.mark.parametrize(("id_", "shipped"), [("stage", "transformer"), ("stage-rnn", "rnn")])
def test_the_stages_models_have_the_shape_that_is_shipped(id_: str, shipped: str) -> None:
    config = json.loads((ASSETS / "models" / f"{shipped}.json").read_text())["config"]
    size = SIZES[id_]
    assert (size.width, size.blocks, size.vocabulary, size.heads, size.mlp, size.cell) == tuple(
        config[key] for key in ("width", "layers", "words", "heads", "mlp", "cell")
    )


# ---- what cannot be ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"batch": 0}, "batch = 0 has nothing to compute"),
        ({"tokens": -5}, "tokens = -5 has nothing to compute"),
        ({"tokens": 10**9}, "of memory on each card, more than any has"),
        ({"batch": 10**12, "tokens": 10**12}, "of memory on each card, more than any has"),
        ({"tokens": 10**13}, "is too large"),
        ({"tokens": 2.5}, "give a whole number"),
        ({"batch": True}, "give a whole number"),
        ({"every": 0}, "every = 0"),
        ({"parallel": 7}, "cannot be cut for 7 cards"),
        ({"model": "gru-124m", "parallel": 2}, "cannot be cut for 2 cards"),
        ({"persistent": True}, "choose a GRU"),
        ({"model": "gru-124m", "tokens": 500_000, "batch": 1}, "too many to lay out"),
        ({"model": "gpt-9"}, "There is no model 'gpt-9'"),
        ({"mode": "dreaming"}, "there are training, inference, decode"),
        ({"style": "x" * 1000}, "There is no style"),
        ({"precision": "fp16"}, "there are float32"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(WorkloadError) as refused:
        Workload(**{"model": "gpt2-124m", **changed})
    assert said in str(refused.value)
    assert len(str(refused.value)) < 300


def test_a_billion_tokens_are_refused_with_the_memory_they_would_need() -> None:
    with pytest.raises(WorkloadError, match=r"needs about \d[\d.]* (TB|PB|EB)"):
        Workload("gpt2-124m", Mode.INFERENCE, 1, 10**9, style=Style.CUPY_EAGER)


def test_memory_is_that_of_weights_optimizer_and_what_is_kept() -> None:
    layer = Workload("gpt3-layer", Mode.TRAINING, 1, 2048)
    kept = 34 * 2048 * 12288
    assert layer.memory == 16 * SIZES["gpt3-layer"].parameters + kept
    unfused = replace(layer, style=Style.FRAMEWORK_EAGER)
    assert unfused.memory - layer.memory == 5 * 96 * 2048 * 2048
    one = Workload("7b", Mode.DECODE, 32, 2048)
    cache = 2 * 32 * 32 * 2048 * 4096 * 2
    assert cache < one.memory < 1.1 * cache + 2 * SIZES["7b"].parameters


@pytest.mark.parametrize(
    ("bytes_", "text"), [(0, "0 B"), (999, "999 B"), (3.2e12, "3.2 TB"), (1e30, "1e+09 ZB")]
)
def test_memory_is_said_in_units(bytes_: float, text: str) -> None:
    assert memory_text(bytes_) == text

"""The primitives: their numbers, their traps, their costs and their units."""

from __future__ import annotations

import inspect
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import engine.ops
from engine.ops import OPS, Arena, Ops, rows
from engine.trace import DEPTHLESS, Cost, Unit

OPS_HERE = Ops()
FLOATS = [np.float32, np.float64]


def array(*values: float, dtype: Any = np.float32) -> NDArray[Any]:
    return np.array(values, dtype=dtype)


# ---- numbers -----------------------------------------------------------------------------------


def test_every_row_of_the_table_is_a_method() -> None:
    assert {name for name in OPS if name != "input"} <= set(dir(Ops))


def test_every_primitive_has_a_row_in_the_table() -> None:
    helpers = {
        "to_device", "to_host", "fetch", "parameter", "wait", "clock", "unit_of", "notes", "failed",
        "threads", "rows_like", "writer", "matmul", "made",
    }  # fmt: skip
    methods = {name for name, _ in inspect.getmembers(Ops, inspect.isfunction) if name[0] != "_"}
    assert methods - helpers == set(OPS) - {"input"}


def test_views_and_joins_are_exactly_what_counts_no_depth() -> None:
    labels = {"input", "view", "concatenation"}
    assert {name for name, op in OPS.items() if op.label in labels} == DEPTHLESS


def test_gather_takes_rows() -> None:
    table = np.arange(6.0).reshape(3, 2)
    assert OPS_HERE.gather(table, np.array([2, 0])).tolist() == [[4.0, 5.0], [0.0, 1.0]]


def test_product_of_a_row_with_each_matrix_of_a_batch() -> None:
    a = np.array([[1.0, 2.0], [3.0, 4.0]])
    b = np.array([[[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [0.0, 2.0]]])
    assert OPS_HERE.product(a, b).tolist() == [[1.0, 2.0], [6.0, 8.0]]


def test_product_can_take_the_transpose() -> None:
    a, b = np.array([1.0, 2.0]), np.array([[1.0, 1.0], [0.0, 3.0], [5.0, 0.0]])
    assert OPS_HERE.product(a, b, transpose_b=True).tolist() == [3.0, 6.0, 5.0]


def test_a_sum_writes_none_of_its_operands() -> None:
    first, second, third = array(1, 2), array(3, 4), array(5, 6)
    assert OPS_HERE.add(first, second, third).tolist() == [9.0, 12.0]
    assert first.tolist() == [1.0, 2.0]
    assert second.tolist() == [3.0, 4.0]


@pytest.mark.parametrize(
    ("op", "options"),
    [
        ("tanh", {}), ("sigmoid", {}), ("gelu", {}), ("softmax", {}), ("complement", {}),
        ("relu", {}), ("gelu_erf", {}),
        ("scale", {"factor": 0.5}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", FLOATS)
def test_an_elementwise_function_keeps_the_precision_and_its_operand(
    op: str, options: dict[str, Any], dtype: Any
) -> None:
    x = array(-1.0, 0.5, 2.0, dtype=dtype)
    x.setflags(write=False)
    assert getattr(OPS_HERE, op)(x, **options).dtype == dtype


def test_sigmoid_is_the_logistic_function() -> None:
    x = np.linspace(-5, 5, 11)
    assert np.allclose(OPS_HERE.sigmoid(x), 1 / (1 + np.exp(-x)), rtol=1e-14)


def test_gelu_is_its_formula() -> None:
    x = np.linspace(-4, 4, 33)
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    assert np.allclose(OPS_HERE.gelu(x), 0.5 * x * (1 + np.tanh(inner)), rtol=0, atol=1e-15)


def test_gelu_by_the_error_function_is_its_formula() -> None:
    x = np.linspace(-4, 4, 33)
    expected = [0.5 * a * (1 + math.erf(a / math.sqrt(2))) for a in x]
    assert np.allclose(OPS_HERE.gelu_erf(x), expected, rtol=0, atol=2e-15)


def test_relu_keeps_what_is_above_zero() -> None:
    assert OPS_HERE.relu(array(-2.0, 0.0, 3.0)).tolist() == [0.0, 0.0, 3.0]


def test_norm_has_mean_0_and_variance_1_in_front_of_gain_and_bias() -> None:
    x = np.random.default_rng(0).normal(3.0, 5.0, (4, 50))
    y = OPS_HERE.norm(x, np.ones(50), np.zeros(50), 0.0)
    assert np.allclose(y.mean(axis=-1), 0, atol=1e-14)
    assert np.allclose(y.var(axis=-1), 1, rtol=1e-12)


def test_norm_of_a_constant_row_is_its_bias() -> None:
    y = OPS_HERE.norm(np.full((1, 3), 7.0), np.ones(3), np.array([1.0, 2.0, 3.0]), 1e-5)
    assert y.tolist() == [[1.0, 2.0, 3.0]]


def test_heads_are_split_without_a_copy_and_merged_back() -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    split = OPS_HERE.split_heads(x, 2)
    assert split.shape == (2, 2, 3, 2)
    assert split[1, 1, 2].tolist() == [22.0, 23.0]
    assert np.shares_memory(split, x)
    assert np.array_equal(OPS_HERE.merge_heads(split), x)


def test_argmax_is_an_array_also_for_one_row() -> None:
    best = OPS_HERE.argmax(array(0.1, 0.7, 0.2))
    assert isinstance(best, np.ndarray)
    assert best == 1


# ---- traps -------------------------------------------------------------------------------------


@pytest.mark.parametrize("score", [89.0, 1e4, 1e30])
def test_softmax_does_not_overflow(score: float) -> None:
    p = OPS_HERE.softmax(array(score, 0.0))
    assert p.tolist() == [1.0, pytest.approx(0.0, abs=1e-38)]


def test_softmax_does_not_vanish_when_all_scores_are_low() -> None:
    assert OPS_HERE.softmax(array(-1e4, -1e4)).tolist() == [0.5, 0.5]


def test_a_masked_score_gets_no_weight() -> None:
    p = OPS_HERE.softmax(array(1.0, 50.0, 1.0), array(0.0, -np.inf, 0.0))
    assert p.tolist() == [0.5, 0.0, 0.5]


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_fully_masked_row_is_zero_and_not_nan(dtype: Any) -> None:
    mask = np.array([[-np.inf, -np.inf], [0.0, -np.inf]], dtype)
    p = OPS_HERE.softmax(np.ones((2, 2), dtype), mask)
    assert p.tolist() == [[0.0, 0.0], [1.0, 0.0]]


@pytest.mark.parametrize("x", [-1e4, -89.0, -88.0, 89.0, 1e4])
def test_sigmoid_does_not_overflow(x: float) -> None:
    # A warning would be an error here: 1 / (1 + exp(-x)) warns from x = -88 on.
    assert OPS_HERE.sigmoid(array(x)) == (0.0 if x < 0 else 1.0)


@pytest.mark.parametrize("x", [-1e6, -30.0, 30.0, 1e6])
def test_gelu_of_a_large_number_is_the_number_or_zero(x: float) -> None:
    assert OPS_HERE.gelu(array(x)) == OPS_HERE.gelu_erf(array(x)) == max(x, 0.0)


def test_gelu_never_calls_the_scalar_power() -> None:
    class NoPower(np.ndarray[Any, Any]):
        def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
            assert ufunc not in (np.power, np.float_power), (
                "a**3 is 270 times slower than a * a * a"
            )
            plain = [np.asarray(x) if isinstance(x, NoPower) else x for x in inputs]
            out = tuple(np.asarray(x) for x in options.pop("out", ()))
            result = getattr(ufunc, method)(*plain, **options, **({"out": out} if out else {}))
            return np.asarray(result).view(NoPower)

    x = array(-1.0, 2.0)
    assert np.array_equal(np.asarray(OPS_HERE.gelu(x.view(NoPower))), OPS_HERE.gelu(x))


# ---- cost and unit -----------------------------------------------------------------------------

F4 = np.float32


@pytest.mark.parametrize(
    ("op", "operands", "options", "flops", "bytes_moved"),
    [
        # 2 rows of table, 3 numbers each, read and written: 2 * 2 * 3 * 4 bytes.
        ("gather", [(9, 3)], {"ids": [1, 5]}, 0, 48),
        # (2, 3) by (3, 4): 8 inner products of 3 multiply-adds; (6 + 12 + 8) numbers.
        ("product", [(2, 3), (3, 4)], {}, 48, 104),
        ("product", [(2, 3), (4, 3)], {"transpose_b": True}, 48, 104),
        # One row: 4 inner products of 3; (3 + 12 + 4) numbers.
        ("product", [(3,), (3, 4)], {}, 24, 76),
        # Two heads of (2, 3) by (3, 2): 8 inner products of 3; (12 + 12 + 8) numbers.
        ("product", [(2, 2, 3), (2, 3, 2)], {}, 48, 128),
        # A weight matrix is read once for a whole batch: (12 + 12 + 16) numbers.
        ("product", [(2, 2, 3), (3, 4)], {}, 96, 160),
        ("add", [(2, 3), (3,)], {}, 6, 60),
        ("add", [(3,), (3,), (3,)], {}, 6, 48),
        ("multiply", [(3,), (3,)], {}, 3, 36),
        ("scale", [(2, 3)], {"factor": 2.0}, 6, 48),
        ("complement", [(3,)], {}, 3, 24),
        ("tanh", [(3,)], {}, 3, 24),
        ("sigmoid", [(3,)], {}, 12, 24),
        ("gelu", [(2, 3)], {}, 90, 48),
        ("softmax", [(2, 3)], {}, 30, 48),
        # The mask is one addition an element more, and read too.
        ("softmax", [(2, 3), (2, 3)], {}, 36, 72),
        ("norm", [(2, 3), (3,), (3,)], {"eps": 1e-5}, 60, 72),
        # 5 numbers read, one 8-byte index written.
        ("argmax", [(5,)], {}, 5, 28),
        ("merge_heads", [(2, 3, 4)], {}, 0, 192),
        ("concat", [(3,), (2,)], {}, 0, 40),
        ("stack", [(3,), (3,)], {}, 0, 48),
        ("view", [(2, 3)], {"at": (1, slice(None))}, 0, 0),
        ("split_heads", [(3, 4)], {"heads": 2}, 0, 0),
    ],
)
def test_cost_against_a_count_by_hand(
    op: str, operands: list[tuple[int, ...]], options: dict[str, Any], flops: int, bytes_moved: int
) -> None:
    values = tuple(np.ones(shape, F4) for shape in operands)
    if op == "gather":
        values = (*values, np.array(options.pop("ids")))
    result = getattr(OPS_HERE, op)(*values, **options)
    assert OPS[op].cost(values, result) == Cost(flops, bytes_moved)


def test_an_input_costs_nothing() -> None:
    assert OPS["input"].cost((), np.ones(3)) == Cost(0, 0)


@pytest.mark.parametrize(
    ("a", "b", "count"),
    [
        ((4,), (4, 5), 1),  # a state by a matrix
        ((1, 4), (4, 5), 1),  # a sentence of one word
        ((3, 4), (4, 5), 3),
        ((2, 1, 4), (4, 5), 2),  # a batch shares the matrix, so its rows go together
        ((5, 3, 4), (5, 4, 3), 3),  # every head has a matrix of its own
        ((5, 1, 4), (5, 4, 1), 1),
        ((2, 4), (2, 4, 5), 1),  # a row for each matrix
    ],
)
def test_rows_that_share_a_matrix(a: tuple[int, ...], b: tuple[int, ...], count: int) -> None:
    assert rows(a, b) == count
    unit = OPS["product"].unit_of((np.ones(a), np.ones(b)))
    assert unit is (Unit.MATRIX if count > 1 else Unit.STREAM)


def test_only_the_choice_of_a_word_is_sequential() -> None:
    assert [name for name, op in OPS.items() if op.unit is Unit.SEQUENTIAL] == ["argmax"]
    assert [name for name, op in OPS.items() if op.unit is Unit.MATRIX] == ["product"]


# ---- memory ------------------------------------------------------------------------------------


def large(fill: float = 1.0) -> NDArray[Any]:
    return np.full((300, 400), fill, F4)  # more than ``Arena.LEAST``


def test_large_results_take_memory_that_is_free_again() -> None:
    ops = Ops()
    first = ops.tanh(large())
    place = first.ctypes.data
    assert place % 64 == 0
    assert ops.tanh(large()).ctypes.data != place
    del first
    assert ops.tanh(large()).ctypes.data == place


def test_a_view_keeps_its_memory() -> None:
    ops = Ops()
    row = ops.scale(large(2.0), 3.0)[1, :5]
    for _ in range(3):
        ops.scale(large(0.0), 0.0)
    assert row.tolist() == [6.0] * 5


def test_an_arena_leaves_hardly_anything_empty() -> None:
    arena = Arena()
    sizes = np.random.default_rng(0).integers(2**16, 2**18, 200).tolist()
    kept = [arena.empty((size,), np.dtype(F4)) for size in sizes]
    held = sum(chunk.memory.nbytes for chunk in arena._chunks)
    assert held <= 1.1 * sum(array.nbytes for array in kept)
    starts = sorted((array.ctypes.data, array.ctypes.data + array.nbytes) for array in kept)
    assert all(end <= start for (_, end), (start, _) in pairwise(starts))


@pytest.mark.parametrize(
    ("op", "shapes", "options"),
    [
        ("softmax", [(7, 300, 300), (300, 300)], {}),
        ("softmax", [(2, 3, 300, 300), (2, 1, 300, 300)], {}),
        ("softmax", [(3, 200_000)], {}),  # a row is never cut
        ("gelu", [(900, 400)], {}),
        ("gelu_erf", [(900, 400)], {}),
        ("norm", [(900, 400), (400,), (400,)], {"eps": 1e-5}),
    ],
)
def test_parts_give_the_very_numbers_of_the_whole(
    op: str, shapes: list[tuple[int, ...]], options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    values = [rng.normal(size=shape).astype(F4) for shape in shapes]
    assert values[0].size > engine.ops.PART
    parts = getattr(OPS_HERE, op)(*values, **options)
    monkeypatch.setattr(engine.ops, "PART", 2**40)
    assert np.array_equal(parts, getattr(OPS_HERE, op)(*values, **options))


@pytest.mark.parametrize(
    ("op", "shapes", "options"),
    [
        ("product", [(3,), (3, 4)], {}),
        ("product", [(2, 3), (4, 3)], {"transpose_b": True}),
        ("product", [(2, 3), (2, 3, 4)], {}),
        ("add", [(2, 3), (3,), (3,)], {}),
        ("multiply", [(3,), (3,)], {}),
        ("scale", [(3,)], {"factor": 2.0}),
        ("complement", [(3,)], {}),
        ("tanh", [(3,)], {}),
        ("sigmoid", [(3,)], {}),
        ("gelu", [(2, 3)], {}),
        ("gelu_erf", [(2, 3)], {}),
        ("relu", [(2, 3)], {}),
        ("softmax", [(2, 3), (2, 3)], {}),
        ("norm", [(2, 3), (3,), (3,)], {"eps": 1e-5}),
        ("merge_heads", [(2, 3, 4)], {}),
    ],
)
def test_a_result_can_be_written_to_a_given_place(
    op: str, shapes: list[tuple[int, ...]], options: dict[str, Any]
) -> None:
    rng = np.random.default_rng(0)
    values = [rng.normal(size=shape).astype(F4) for shape in shapes]
    before = [value.copy() for value in values]
    expected = getattr(OPS_HERE, op)(*values, **options)
    out = np.full_like(expected, np.nan)
    getattr(OPS_HERE, op)(*values, **options, out=out)
    assert np.array_equal(out, expected)
    assert all(map(np.array_equal, values, before))

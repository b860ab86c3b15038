"""Ways from a token to the answer: against the graph of single numbers, walked one by one."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from engine.models import Config, Model, run, shapes
from engine.ops import Ops
from engine.paths import to_answer
from engine.trace import DEPTHLESS, Step, Trace

CHAIN = Config(kind="chain", words=5, embedding=2, width=2, cell="elman")
GRID = Config(kind="grid", words=5, embedding=2, width=2, heads=2, layers=2, mlp=3)
MODELS = {
    "elman": CHAIN,
    "gru": replace(CHAIN, cell="gru"),
    "lstm attention": replace(CHAIN, cell="lstm", attention=True),
    "additive": replace(CHAIN, attention=True, score="additive"),
    "both": replace(CHAIN, bidirectional=True),
    "every": replace(CHAIN, answers="every", attention=True),
    "grid": GRID,
    "post": replace(GRID, norm="post", layers=1),
    "causal": replace(GRID, causal=True),
    "causal every": replace(GRID, causal=True, answers="every", layers=1),
    "no positions": replace(GRID, positions="none", layers=1),
}


def ran(config: Config, tokens: list[int], hidden: int) -> Trace:
    rng = np.random.default_rng(7)
    parameters = {name: rng.normal(0.0, 0.7, shape) for name, shape in shapes(config).items()}
    model = Model("it", config, parameters, tuple("abcde"))
    return run(model, tokens, hidden=hidden, ops=Ops())


# ---- the graph of single numbers -----------------------------------------------------------------

Index = tuple[int, ...]


def repeated(index: Index, shape: Index) -> Index:
    """Return where in an operand the number lies that was repeated to an index of the result."""
    last = index[len(index) - len(shape) :]
    return tuple(i if n > 1 else 0 for i, n in zip(last, shape, strict=True))


def read_by(step: Step, at: Index, operands: list[Any]) -> list[tuple[int, Index]]:
    """Return which numbers of which operand a number of a step depends on."""
    first = operands[0]
    told, d = step.told, first.shape[-1] if first.ndim else 0
    if step.op == "product":
        a, b = operands
        if told.get("transpose_b"):
            b = np.swapaxes(b, -1, -2)
        lead = () if a.ndim == 1 else at[: a.ndim - 1]
        column = () if b.ndim == 1 else at[-1:]
        matrix = at[: b.ndim - 2] if b.ndim > 2 else ()
        found = []
        for m in range(d):
            of_a, of_b = (*lead, m), (*matrix, m, *column)
            if b[of_b] != 0:
                found.append((0, of_a))
            if a[of_a] != 0:
                swapped = (*of_b[:-2], of_b[-1], of_b[-2])
                found.append((1, swapped if told.get("transpose_b") else of_b))
        return found
    if step.op == "softmax":
        row = [(0, (*at[:-1], j)) for j in range(d) if step.value[(*at[:-1], j)] != 0]
        return row if step.value[at] != 0 else []
    if step.op in ("norm", "argmax"):
        return [(0, (*(at[:-1] if step.op == "norm" else at), j)) for j in range(d)]
    if step.op == "view":
        numbers = iter(at)
        places = [
            int(told[f"at.{axis}"])
            if f"at.{axis}" in told
            else int(told[f"from.{axis}"]) + next(numbers)
            for axis in range(first.ndim)
        ]
        return [(0, tuple(places))]
    if step.op == "split_heads":
        head, token, i = at
        return [(0, (token, head * step.value.shape[-1] + i))]
    if step.op == "merge_heads":
        token, i = at
        return [(0, (i // d, token, i % d))]
    if step.op == "concat":
        i = at[-1]
        for k, operand in enumerate(operands):
            if i < operand.shape[-1]:
                return [(k, (*at[:-1], i))]
            i -= operand.shape[-1]
    if step.op == "stack":
        return [(at[-2], at[-1:])]
    return [(k, repeated(at, operand.shape)) for k, operand in enumerate(operands)]


def walked(trace: Trace, token: int) -> tuple[int | None, int | None]:
    """Return the fewest and the most operations from one token to the answer, going forward."""
    counts: dict[tuple[str, Index], tuple[int, int]] = {}
    for step in trace.steps:
        if step.op == "input":
            continue
        if step.op == "gather":
            counts |= {(step.name, (token, i)): (1, 1) for i in range(step.value.shape[-1])}
            continue
        operands = [trace.value(name) for name in step.reads]
        one = int(step.op not in DEPTHLESS)
        for at in product(*map(range, step.value.shape)):
            before = [
                counts[step.reads[k], index]
                for k, index in read_by(step, at, operands)
                if (step.reads[k], index) in counts
            ]
            if before:
                low, high = min(b[0] for b in before), max(b[1] for b in before)
                counts[step.name, at] = (low + one, high + one)
    answer = trace.value("answer.word")
    return counts.get(("answer.word", (trace.hidden,) if answer.ndim else ()), (None, None))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("hidden", [0, 2])
def test_ways_are_those_of_the_graph_of_single_numbers(name: str, hidden: int) -> None:
    trace = ran(MODELS[name], [1, 2, 3], hidden)
    ways = to_answer(trace)
    assert list(zip(ways.shortest, ways.longest, strict=True)) == [
        walked(trace, t) for t in (0, 1, 2)
    ]


@pytest.mark.parametrize("name", MODELS)
def test_the_longest_way_of_all_tokens_is_the_depth(name: str) -> None:
    trace = ran(MODELS[name], [1, 2, 3, 4], 3)
    assert max(filter(None, to_answer(trace).longest)) == trace.depth


def test_in_a_chain_every_read_between_adds_three_operations_and_in_a_grid_none() -> None:
    tokens = [1, 2, 3, 4] * 5
    chain, grid = (to_answer(ran(config, tokens, 19)) for config in (CHAIN, GRID))
    assert [a - b for a, b in zip(chain.shortest, chain.shortest[1:], strict=False)] == [3] * 19  # type: ignore[operator]
    assert chain.shortest == chain.longest
    assert len(set(grid.shortest[:-1])) == len(set(grid.longest)) == 1
    # The hidden word's own row goes along the residuals and need not pass any head.
    assert grid.shortest[-1] < grid.shortest[0]  # type: ignore[operator]


def test_what_the_mask_closes_is_on_no_way() -> None:
    ways = to_answer(ran(MODELS["causal"], [1, 2, 3, 4], 1))
    assert [count is None for count in ways.shortest] == [False, False, True, True]
    assert [count is None for count in ways.longest] == [False, False, True, True]


def test_a_batch_is_refused() -> None:
    rng = np.random.default_rng(7)
    parameters = {name: rng.normal(size=shape) for name, shape in shapes(CHAIN).items()}
    model = Model("it", CHAIN, parameters, tuple("abcde"))
    with pytest.raises(ValueError, match="run over a batch"):
        to_answer(run(model, [[1, 2], [2, 1]], hidden=1, ops=Ops()))

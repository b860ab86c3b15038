"""One layer over T tokens: its FLOPs and dependent operations, counted, and its time, measured."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from engine.models import Config, Model, initialise, run
from engine.ops import Ops
from engine.race import (
    ENOUGH_SECONDS,
    LAYERS,
    LEAST_LONG,
    LENGTHS,
    MOST_RUNS,
    WIDTH,
    Length,
    Measured,
    Watch,
    threads,
)
from engine.said import Said
from engine.tape import Tape
from engine.trace import Trace, Unit
from engine.units import Work

WORDS = 8  # of the vocabulary, which no layer's own operations look at
FEW = (2, 3, 4)  # tokens from which all other counts follow
TURNS = 3  # times that every length is measured at the most


class Counted(NamedTuple):
    """What one layer computes over so many tokens, whatever the machine and how long it takes."""

    layer: str
    tokens: int
    flops: int
    steps: int  # the longest chain of its operations that wait for one another


@cache
def counted() -> tuple[Counted, ...]:
    """Return the FLOPs and dependent operations of every layer at every length of ``LENGTHS``.

    They are counted in three short runs. Every operation of a layer has as many FLOPs as its arrays
    have numbers, or rows times columns times numbers in a row, of which at most two grow with T: a
    layer's sum is a polynomial of degree 2, and three values determine it.
    """
    rows = []
    for layer in LAYERS:
        model = _layer(layer)
        few = [_counts(layer, _run(model, tokens, Ops())) for tokens in FEW]
        flops, steps = zip(*few, strict=True)
        rows += [Counted(layer, T, _at(flops, T), _at(steps, T)) for T in LENGTHS]
    return tuple(rows)


def _at(values: tuple[int, ...], T: int) -> int:
    """Return at T the polynomial of degree 2 that has these values at ``FEW`` (Newton's form)."""
    first, second, third = values
    t = T - FEW[0]
    return first + t * (second - first) + t * (t - 1) // 2 * (third - 2 * second + first)


def with_lengths(found: Measured, watch: Watch) -> Iterator[Measured]:
    """Yield what was measured with one time of a layer more, the shortest first.

    What the budget leaves is for measuring all of them again, a moment later: whatever else kept
    the machine busy may be over by then, and the better time counts.
    """
    ops = Ops()
    models = {layer: _layer(layer) for layer in LAYERS}
    best: dict[tuple[str, int], float] = {}
    for turn in range(TURNS):
        before = dict.fromkeys(LAYERS, 0.0)
        for tokens in LENGTHS:
            for layer, model in models.items():
                if not watch.room(best.get((layer, tokens), before[layer] * 4)):
                    continue  # attention grows with the square of T
                try:
                    seconds = _best(layer, model, tokens, ops, watch)
                except Said:  # more memory than there is
                    continue
                if seconds is None:
                    continue
                before[layer] = seconds
                better = not turn or seconds < best.get((layer, tokens), math.inf)
                if better:
                    best[layer, tokens] = seconds
                    rows = tuple(Length(*at, each) for at, each in best.items())
                    found = replace(found, lengths=rows)
                    yield found
                if watch.over:
                    return


def _layer(layer: str) -> Model:
    """Return a model with one such layer and weights drawn at random."""
    if layer == "attention":
        config = Config(
            kind="grid", words=WORDS, embedding=WIDTH, width=WIDTH, heads=4, mlp=4, causal=True
        )
    else:
        config = Config(kind="chain", words=WORDS, embedding=WIDTH, width=WIDTH, cell=layer)
    return Model(
        id=layer, config=config, parameters=initialise(config, np.random.default_rng(0)),
        vocabulary=tuple(map(str, range(WORDS))), card={},
    )  # fmt: skip


def _run(model: Model, tokens: int, ops: Any, **given: Any) -> Trace:
    return run(model, np.arange(tokens) % WORDS, hidden=tokens - 1, ops=ops, **given)


def _stem(layer: str) -> str:
    """Return how the layer's own operations begin, not those that read words in or say one."""
    return "blocks.0.attn." if layer == "attention" else "rnn."


def _counts(layer: str, trace: Trace) -> tuple[int, int]:
    """Return the FLOPs of a layer in a run, and how many of its operations wait in a row."""
    own = [step for step in trace.steps if step.name.startswith(_stem(layer))]
    behind = trace.depths["blocks.0.norm1" if layer == "attention" else "embed.x"]
    depth = max(trace.depths[step.name] for step in own) - behind
    return sum(step.cost.flops for step in own), depth


def _best(layer: str, model: Model, tokens: int, ops: Ops, watch: Watch) -> float | None:
    """Return the least seconds of some runs, of the layer's own operations alone.

    The steps of a run are never made: of a long recurrence that takes many times what the run does.
    """
    best, seconds = math.inf, 0.0
    spent = dict.fromkeys(Unit, 0.0)

    def timed(tape: Tape) -> float:
        nonlocal seconds
        seconds = tape.seconds(_stem(layer))
        return 0.0

    def told(_start: float, _end: float, more: Mapping[Unit, float]) -> None:
        for unit, each in more.items():
            spent[unit] += max(each, 0.0)

    began = watch.spent
    for done in range(1, MOST_RUNS):
        start = watch.now
        spent |= dict.fromkeys(Unit, 0.0)
        with threads(1):
            _run(model, tokens, ops, warm=done == 1, watch=told, then=timed)
        watch.tell(start, {Work(unit.value): each for unit, each in spent.items()})
        best = min(best, seconds) if seconds > 0 else best
        if watch.over or (done >= LEAST_LONG and watch.spent - began >= 2 * ENOUGH_SECONDS):
            break
    return best if math.isfinite(best) else None

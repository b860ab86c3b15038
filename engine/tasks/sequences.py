"""Three tasks on short sequences, each of which asks something else of a memory.

    reverse     3 1 4 | 4 1 3            write what was read backwards: all of it has to be kept
    recall      c 3 a 1 | a 1 c 3        say which value stood beside a key: a look-up
    brackets    ( [ ] ) → ) ] ) .        say which bracket is due: a stack

In the first two a model reads its own answer as it goes on, and is asked only behind the bar.
"""

from __future__ import annotations

import numpy as np

from engine.models import Config
from engine.tasks import UNCOUNTED, Batch, Recipe, Task

DIGITS = tuple("0123456789")
KEYS = tuple("abcdefghijklmnop")
BAR = "|"
OPENING, CLOSING, NONE = "([{", ")]}", "."
SHORTEST, LONGEST = 2, 16  # digits to be reversed, in training
FEWEST, MOST = 2, 8  # pairs to be recalled
LEAST_BRACKETS, MOST_BRACKETS, DEPTH = 8, 40, 6
OPENS = 0.55  # chance of a bracket that may open or close to open


def reverse(rng: np.random.Generator, count: int, n: int) -> Batch:
    """Return rows of n digits, a bar and the digits backwards: ids up to the last but one."""
    digits = rng.integers(0, 10, (count, n))
    backwards = digits[:, ::-1]
    bar = np.full((count, 1), len(DIGITS))
    ids = np.concatenate([digits, bar, backwards[:, :-1]], 1)
    answers = np.full(ids.shape, UNCOUNTED)
    answers[:, n:] = backwards
    return Batch(ids, answers)


def recall(rng: np.random.Generator, count: int, n: int) -> Batch:
    """Return rows of n keys with their values, a bar, and the keys in another order with theirs."""
    keys = rng.permuted(np.tile(np.arange(len(KEYS)), (count, 1)), axis=1)[:, :n] + len(DIGITS)
    values = rng.integers(0, 10, (count, n))
    order = rng.permuted(np.tile(np.arange(n), (count, 1)), axis=1)
    ids = np.full((count, 4 * n + 1), len(DIGITS) + len(KEYS))
    ids[:, 0 : 2 * n : 2], ids[:, 1 : 2 * n : 2] = keys, values
    ids[:, 2 * n + 1 :: 2] = np.take_along_axis(keys, order, 1)
    ids[:, 2 * n + 2 :: 2] = np.take_along_axis(values, order, 1)
    answers = np.full(ids.shape, UNCOUNTED)
    answers[:, 2 * n + 1 :: 2] = np.take_along_axis(values, order, 1)
    return Batch(ids, answers)


def brackets(rng: np.random.Generator, count: int, length: int, depth: int) -> Batch:
    """Return rows of brackets, none deeper than ``depth``, and which is due behind each."""
    kinds, opens = rng.integers(0, 3, (count, length)), rng.random((count, length)) < OPENS
    stack, height = np.zeros((count, depth + 1), np.int64), np.zeros(count, np.int64)
    ids, answers = np.empty((count, length), np.int64), np.empty((count, length), np.int64)
    rows = np.arange(count)
    for t in range(length):
        opening = (height == 0) | ((height < depth) & opens[:, t])
        ids[:, t] = np.where(opening, kinds[:, t], 3 + stack[rows, height])
        height += np.where(opening, 1, -1)
        stack[rows[opening], height[opening]] = kinds[opening, t]
        answers[:, t] = np.where(height > 0, 3 + stack[rows, height], 6)
    return Batch(ids, answers)


def _brackets_of(rng: np.random.Generator, count: int, case: str) -> list[Batch]:
    length, _, depth = case.partition("-deep-")
    return [brackets(rng, count, int(length), int(depth))]


def _some(rng: np.random.Generator, least: int, most: int) -> int:
    return int(rng.integers(least, most + 1))


def _recipes(words: int, max_length: int, steps: dict[str, int]) -> dict[str, Recipe]:
    """Return the set-ups at one budget of about 42 000 parameters, with their steps of training."""

    def chain(cell: str, width: int, *, attention: bool = False) -> Config:
        return Config(
            kind="chain", words=words, embedding=40, width=width, cell=cell, attention=attention,
            answers="every",
        )  # fmt: skip

    grid = Config(
        kind="grid", words=words, embedding=40, width=40, heads=5, layers=2, mlp=160, causal=True,
        positions="learned", max_length=max_length, answers="every",
    )  # fmt: skip
    every = {
        "rnn": ("RNN", chain("elman", 168), 1e-3),
        "gru": ("GRU", chain("gru", 92), 4e-3),
        "lstm": ("LSTM", chain("lstm", 78), 4e-3),
        "gru-luong": ("GRU with attention (Luong)", chain("gru", 78, attention=True), 4e-3),
        "transformer": ("Transformer", grid, 3e-3),
    }
    return {
        id: Recipe(title=title, config=config, steps=steps[id], rate=rate)
        for id, (title, config, rate) in every.items()
        if id in steps
    }


REVERSE = Task(
    name="reverse",
    title="Reverse digits",
    vocabulary=(*DIGITS, BAR),
    draw=lambda rng, count: reverse(rng, count, _some(rng, SHORTEST, LONGEST)),
    sample=lambda rng, count, case: [reverse(rng, count, int(case))],
    cases={str(n): f"{n} digits" for n in (4, 8, 12, 16, 20, 24)},
    in_range=("4", "8", "12", "16"),
    lengths=tuple(range(2, 25)),
    recipes=_recipes(
        11, 64, {"rnn": 3800, "gru": 3100, "lstm": 4000, "gru-luong": 2500, "transformer": 1700}
    ),
)
RECALL = Task(
    name="recall",
    title="Recall the value of a key",
    vocabulary=(*DIGITS, *KEYS, BAR),
    draw=lambda rng, count: recall(rng, count, _some(rng, FEWEST, MOST)),
    sample=lambda rng, count, case: [recall(rng, count, int(case))],
    cases={str(n): f"{n} pairs" for n in (2, 4, 6, 8, 10, 12)},
    in_range=("2", "4", "6", "8"),
    recipes=_recipes(27, 64, {"rnn": 3200, "gru": 2000, "lstm": 2000, "transformer": 1400}),
)
BRACKETS = Task(
    name="brackets",
    title="Which bracket is due",
    vocabulary=(*OPENING, *CLOSING, NONE),
    draw=lambda rng, count: brackets(rng, count, _some(rng, LEAST_BRACKETS, MOST_BRACKETS), DEPTH),
    sample=_brackets_of,
    cases={
        f"{length}-deep-{depth}": f"{length} brackets, at most {depth} deep"
        for length, depth in ((40, 6), (80, 6), (40, 12), (120, 12))
    },
    in_range=("40-deep-6",),
    recipes=_recipes(7, 130, {"rnn": 3300, "gru": 1650, "transformer": 1300}),
)

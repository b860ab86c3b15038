"""What models are trained on, with the set-ups of those that are shipped.

A task draws batches of sentences of one length, so that no model reads padding. Cases are what a
trained model is asked: how it was trained, longer, or spoilt in some way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from engine.models import Config, Model
from engine.ops import Array
from engine.said import Said

UNCOUNTED = -1  # an answer that is not asked for
# Where each task stands; a module is read when its task is asked for.
TASKS = {
    "missing-word": "guess_word:GUESS",
    "dates": "dates:DATES",
    "reverse": "sequences:REVERSE",
    "recall": "sequences:RECALL",
    "brackets": "sequences:BRACKETS",
}


class Batch(NamedTuple):
    """Sentences of one length, and what is to be answered.

    ``ids`` has axes (sentence, token). ``answers`` has those of the model's answers, with
    ``UNCOUNTED`` where none is asked for (of a model that answers once, one in each row counts);
    ``target`` is what a writing model is given of the answer, each time all that stands in front.
    """

    ids: Array
    answers: Array
    target: Array | None = None


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a model of a task is trained.

    ``rate`` is the learning rate behind the warm-up, in steps of ``batch`` sentences. ``sharpen``
    and ``disagree`` are the weights of the two penalties of ``engine.penalties`` on the heads of a
    grid, and ``start`` what its first matrices are multiplied with: with small ones all heads look
    everywhere in the beginning. ``about`` is what the card has to explain.
    """

    title: str
    config: Config
    steps: int
    rate: float
    batch: int = 64
    sharpen: float = 0.0
    disagree: float = 0.0
    start: float = 1.0
    about: str = ""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A row of ``TASKS``.

    ``draw`` takes a generator of random numbers and how many sentences, and returns a batch to
    train on; ``sample`` takes a case, too, and returns batches of all the lengths that it has.
    ``in_range`` are the cases that training covers, ``cases`` all of them, with what they are.
    ``measured`` returns what else a card says of a trained model.
    ``lengths`` are those that a model is asked at to see where it breaks; ``sample`` takes each as
    a case.
    """

    name: str
    title: str
    vocabulary: tuple[str, ...]
    draw: Callable[[np.random.Generator, int], Batch]
    sample: Callable[[np.random.Generator, int, str], list[Batch]]
    cases: Mapping[str, str]
    in_range: tuple[str, ...]
    recipes: Mapping[str, Recipe]
    measured: Callable[[Model], dict[str, Any]] = lambda model: {}
    lengths: tuple[int, ...] = ()


def load(name: str) -> Task:
    """Return a task.

    Raises
    ------
    engine.said.Said
        With one sentence, when there is none of this name.
    """
    if name not in TASKS:
        raise Said(f"There is no task {name[:40]!r}; choose one of these: {', '.join(TASKS)}.")
    module, _, attribute = TASKS[name].partition(":")
    task = getattr(import_module(f"{__name__}.{module}"), attribute)
    assert isinstance(task, Task)
    return task


def fresh(seed: int, case: str) -> np.random.Generator:
    """Return where the sentences of a case are drawn from, for a seed and none of training's."""
    return np.random.default_rng([seed, *case.encode()])

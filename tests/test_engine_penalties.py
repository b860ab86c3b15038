"""What is asked of heads beside right answers: by definition, and its gradient by differences."""

import numpy as np
import pytest

from engine import penalties, tasks
from engine.forward import Weights
from engine.models import Config, initialise
from engine.tasks import UNCOUNTED, Batch, Recipe
from engine.training import Training

EVEN = np.full((1, 2, 1, 4), 0.25)


def test_the_entropy_of_an_even_row_is_that_of_its_words_and_of_a_sharp_one_none() -> None:
    sharp = np.array([[[[1.0, 0, 0, 0]], [[0, 1.0, 0, 0]]]])
    asked = {"sharpen": 1.0, "disagree": 0.0}
    assert penalties.penalty(EVEN, None, **asked) == pytest.approx(np.log(4))
    assert penalties.penalty(sharp, None, **asked) == pytest.approx(0.0, abs=1e-8)


def test_heads_that_look_at_one_word_overlap_by_one_and_others_not() -> None:
    same = np.array([[[[1.0, 0]], [[1.0, 0]]], [[[1.0, 0]], [[0, 1.0]]]])  # two sentences
    asked = {"sharpen": 0.0, "disagree": 3.0}
    assert penalties.penalty(same, None, **asked) == pytest.approx(1.5)
    counted = np.array([[True], [False]])
    assert penalties.penalty(same, counted, **asked) == pytest.approx(3.0)


@pytest.mark.parametrize("some", [False, True])
def test_the_gradient_is_that_of_central_differences(some: bool) -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0.2, 1.0, (2, 3, 4, 5))
    counted = rng.random((2, 4)) < 0.5 if some else None
    asked = {"sharpen": 0.7, "disagree": 0.4}
    g = np.ones_like(p)
    penalties.add_gradient(np, p, counted, g, **asked)
    eps = 1e-6
    for at in np.ndindex(p.shape):
        sides = []
        for step in (eps, -eps):
            moved = p.copy()
            moved[at] += step
            sides.append(penalties.penalty(moved, counted, **asked))
        assert g[at] - 1.0 == pytest.approx((sides[0] - sides[1]) / (2 * eps), abs=1e-7)


def test_a_training_descends_on_the_penalties_too() -> None:
    """The gradient of a whole step is that of the loss with both penalties, by differences."""
    task, config = tasks.load("missing-word"), Config(
        kind="grid", words=309, embedding=4, width=4, heads=2, layers=2, mlp=5, causal=True
    )  # fmt: skip
    recipe = Recipe(title="", config=config, steps=9, rate=1e-3, batch=3, sharpen=0.5, disagree=0.8)
    training = Training(task, recipe, 0)
    # In float64, as differences need it.
    weights = Weights(initialise(config, np.random.default_rng(1), np.float64), np.float64)
    training._weights = weights
    ids = np.random.default_rng(2).integers(3, 309, (3, 4))
    answers = np.full(ids.shape, UNCOUNTED)
    answers[[0, 1, 2], [1, 3, 2]] = 7, 8, 9
    program = training.program(Batch(ids, answers))
    program.forward()
    program.backward()
    part = 1 / 100 / 2  # of the first step of the warm-up, and of two blocks

    def loss() -> float:
        program.forward()
        counted = program.targets != UNCOUNTED
        both = [(0, None), (1, counted)]
        return program.loss() + sum(
            penalties.penalty(program.value(f"blocks.{b}.attn.pattern"), rows,
                              sharpen=part * 0.5, disagree=part * 0.8)
            for b, rows in both
        )  # fmt: skip

    found, vector, eps = program.vector.copy(), weights.vector, 1e-6
    for i in np.random.default_rng(0).choice(found.size, 80, replace=False):
        sides = []
        for step in (eps, -eps):
            vector[i] += step
            sides.append(loss())
            vector[i] -= step
        assert abs((sides[0] - sides[1]) / (2 * eps) - found[i]) < 1e-8

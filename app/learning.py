"""What the command line trains and asks: plain functions, without a window."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from engine import rules, tasks, training, weights
from engine.said import Said

if TYPE_CHECKING:
    from engine.models import Model
    from engine.tape import Watch
    from engine.tasks import Task

RULE = "rule"  # the id of a task's program, where a model's stands
CONFIDENCE = 0.95


def train(
    task_id: str,
    model_id: str,
    *,
    seed: int = 0,
    seeds: int = 1,
    steps: int = 0,
    output: Path,
    said: Callable[[str], None],
) -> Path:
    """Train a model of a task, write it, and return where.

    With several ``seeds`` the first of them is written, and its card says what all of them reach.
    Until then each is kept in a file ``<model>-<seed>.part`` beside the output, and what is
    interrupted is gone on with from there.

    Raises
    ------
    engine.said.Said
        With one sentence: no such task or model, a training that diverges, a file that cannot be
        read or written.
    """
    task = tasks.load(task_id)
    _recipe(task, model_id)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Said(
            f"Nothing was trained because {output} is no folder that can be written to "
            f"({error.strerror or error}); choose another one."
        ) from error
    path = output / f"{model_id}.safetensors"
    kept = [output / f"{model_id}-{one}.part" for one in range(seed, seed + seeds)]
    first, reached = None, []
    for one, file in enumerate(kept, seed):
        model = _trained(task, model_id, one, steps, file, said)
        first = first or model
        lengths = {key: model.card[key] for key in ("by_length",) if key in model.card}
        reached.append({"seed": one, **model.card["reached"], **lengths})
    assert first is not None
    weights.write(path, replace(first, card={**first.card, "seeds": reached}))
    for file in kept:  # not before, so that a full disk costs no training
        file.unlink(missing_ok=True)
        for begun in output.glob(f"{file.name}.*.part"):  # of a save that was broken off
            begun.unlink(missing_ok=True)
    return path


def _trained(
    task: Task, id: str, seed: int, steps: int, kept: Path, said: Callable[[str], None]
) -> Model:
    """Return a model trained with one thread, which gives the same weights to the bit each time."""
    from threadpoolctl import threadpool_limits

    def at(step: int, loss: float) -> None:
        if step % 100 == 0:
            said(f"{task.name} {id} seed {seed}: step {step}, loss {loss:.4f}")

    try:
        with threadpool_limits(1, user_api="blas"):
            return training.train(task, id, seed, steps=steps, at=at, kept=kept, said=said)
    except KeyboardInterrupt:
        if kept.exists():
            said(f"Interrupted; {kept} is kept, and the same command goes on from there.")
        raise


def _recipe(task: Task, id: str) -> None:
    if id not in task.recipes:
        known = ", ".join(task.recipes)
        raise Said(f"{task.name} has no model {id[:40]!r}; choose one of these: {known}.")


def load(task: Task, id: str) -> Model:
    """Return a shipped model of a task.

    Raises
    ------
    engine.said.Said
        With one sentence, when there is none or it is damaged.
    """
    _recipe(task, id)
    return weights.read(weights.folder(task.name) / f"{id}.safetensors")


def evaluate(
    task_id: str, model_id: str, case: str, *, count: int, seed: int, watch: Watch | None = None
) -> dict[str, Any]:  # fmt: skip
    """Return how well a model or the rule answers fresh sentences of a case, as what JSON can hold.

    ``accuracy`` is the share of sentences that are right as a whole; ``interval`` holds it with 95
    per cent confidence. Of a model also the share of single answers, how sure it was (the mean of
    the least probability of an answer) where it was right and where it was not, and what each
    training from another seed reached.

    ``watch`` is told of every run of a model, as by ``engine.tape``; a rule is Python alone.

    Source of the interval: Wilson 1927, as in Brown, Cai & DasGupta 2001, eq. 4.

    Raises
    ------
    engine.said.Said
        With one sentence.
    """
    task = tasks.load(task_id)
    if case not in task.cases:
        raise Said(f"{task.name} has no case {case[:40]!r}; it has {', '.join(task.cases)}.")
    told = {"task": task.name, "model": model_id, "case": case, "what": task.cases[case]}
    if model_id == RULE:
        right = rules.right(task, case, count=count, seed=seed)
        return {**told, **share(right, count)}
    model = load(task, model_id)
    got = training.score(
        task, model.config, model.parameters, case, sentences=count, seed=seed, watch=watch
    )  # fmt: skip
    return {
        **told,
        **share(got.whole, got.sentences),
        "answers": got.right / got.asked,
        "sure_when_right": None if math.isnan(got.sure[0]) else got.sure[0],
        "sure_when_wrong": None if math.isnan(got.sure[1]) else got.sure[1],
        "seeds": [each[case]["whole"] for each in model.card.get("seeds", ())],
    }


def share(right: int, count: int) -> dict[str, Any]:
    """Return a share with its confidence interval, as ``evaluate`` does."""
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    p, n = right / count, count
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return {
        "sentences": count,
        "accuracy": p,
        "interval": [max(0.0, middle - half), min(1.0, middle + half)],
    }

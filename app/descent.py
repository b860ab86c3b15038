"""One step of training for the command line and chapter 4: made, and as data and words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from app import compute
from engine import tasks
from engine.learning_step import ORDER, next_step, phase_of, record_step
from engine.said import Said
from engine.tokens import BLANK, read_sentence
from engine.trace import Trace, Unit
from engine.training import Training

TEXT = "the cat that slept purrs"  # the default sentence, with the word that is right


class Phase(NamedTuple):
    """What the operations of a phase are: how many, their FLOPs, and their seconds by unit."""

    steps: int
    flops: int
    seconds: dict[Unit, float]


def of_sentence(text: str | None, id: str, right: str = "") -> Trace:
    """Return the step that descends on one sentence from a shipped model, as if it were the first.

    Parameters
    ----------
    text
        The sentence; its last word is hidden, and is the right one, unless it has a blank.
    id
        Of a model of the missing word.
    right
        The word that is right, for a text with a blank.

    Raises
    ------
    engine.said.Said
        With one sentence: no such model, no sentence, no right word or one that it does not know.
    """
    model = compute.model(id)
    places = {word: i for i, word in enumerate(model.vocabulary)}
    sentence = read_sentence(TEXT if text is None else text, places)
    word = right.strip().lower() or sentence.typed[sentence.hidden]
    if word == BLANK:
        raise Said(
            "A step of training needs the right word: write it at the end in place of ___, or name "
            "it with --right."
        )
    if word not in places:
        raise Said(f"{word[:40]!r} is no word that {id} can answer; choose one of its vocabulary.")
    trace = record_step(
        model, np.array(sentence.ids), np.array(places[word]), hidden=sentence.hidden,
        words=sentence.tokens,
    )  # fmt: skip
    return replace(trace, facts=replace(trace.facts, notes=(*sentence.notes, *trace.facts.notes)))


def of_task(task_id: str, id: str, *, seed: int = 0, step: int = 1) -> Trace:
    """Return a step of a model's training: of a batch, from the weights that the seed leads to.

    Raises
    ------
    engine.said.Said
        With one sentence: no such task, model or step, a training that diverges.
    """
    from threadpoolctl import threadpool_limits

    task = tasks.load(task_id)
    if id not in task.recipes:
        known = ", ".join(task.recipes)
        raise Said(f"{task.name} has no model {id[:40]!r}; choose one of these: {known}.")
    recipe = task.recipes[id]
    if step > recipe.steps:
        raise Said(f"The training of {id} has {recipe.steps} steps and none that is {step}.")
    with threadpool_limits(1, user_api="blas"):
        training = Training(task, recipe, seed)
        while training.step < step - 1:
            training.descend()
        return next_step(training)


def phases(trace: Trace) -> dict[str, Phase]:
    """Return what forward, loss, backward and update have to do, and took, by unit."""
    found = {phase: Phase(0, 0, dict.fromkeys(Unit, 0.0)) for phase in ORDER}
    for step in trace.steps:
        phase = phase_of(step.stage)
        spent = found[phase]
        spent.seconds[step.timing.unit if step.cost.bytes else Unit.SEQUENTIAL] += (
            step.timing.seconds
        )
        found[phase] = Phase(spent.steps + 1, spent.flops + step.cost.flops, spent.seconds)
    return found


def as_data(trace: Trace) -> dict[str, Any]:
    """Return a step of training without its values, as what JSON can hold."""
    data = compute.trace_as_data(trace)
    for row, step in zip(data["steps"], trace.steps, strict=True):
        row["phase"] = phase_of(step.stage)
    return {
        "loss": float(trace.value("loss")),
        "gradient_norm": float(trace.value("update.norm")),
        "phases": {
            phase: {
                "steps": spent.steps,
                "flops": spent.flops,
                "seconds": {str(unit): seconds for unit, seconds in spent.seconds.items()},
            }
            for phase, spent in phases(trace).items()
        },
        **data,
    }


def report(data: dict[str, Any]) -> str:
    """Return what a step of training came to, as lines for people."""
    lines = [f"loss {data['loss']:.4f}, norm of the gradient {data['gradient_norm']:.4f}"]
    for phase, spent in data["phases"].items():
        whole = sum(spent["seconds"].values())
        parts = ", ".join(f"{unit} {1e6 * s:.0f}" for unit, s in spent["seconds"].items() if s)
        lines.append(
            f"{phase:<9} {spent['steps']:>5} steps {spent['flops']:>12} FLOPs {1e6 * whole:>8.0f} "
            f"µs ({parts})"
        )
    return "\n".join(lines)

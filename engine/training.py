"""Training: descent on the cross-entropy of a task's answers, step by step, in NumPy alone.

It runs on the CPU, also where there is a GPU: models this small are steps of many small operations,
each of which a card would be asked for by itself. One step is recorded on either by
``engine.learning_step``.

Everything that is drawn for a step comes from the seed and the number of the step, so a run that is
interrupted goes on as if it had not been, and one seed gives the same weights to the bit (on one
machine, with one thread for products).

Sources: Kingma & Ba 2015, "Adam", algorithm 1; Loshchilov & Hutter 2019, "Decoupled weight decay
regularization" (AdamW, here without decay); Pascanu, Mikolov & Bengio 2013, algorithm 1 (the norm
of the gradient is bounded); Saxe et al. 2014 (orthogonal W_h); Jozefowicz et al. 2015 (the forget
gate's bias of 1).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine import moments, penalties
from engine.forward import Memory, Weights
from engine.influence import Stopped
from engine.models import Config, Model, initialise, run
from engine.ops import Array, Ops
from engine.program import NOTHING, Beside, Program
from engine.said import Said
from engine.tape import Watch
from engine.tasks import UNCOUNTED, Batch, Recipe, Task, fresh
from engine.trace import Unit

WARM_UP = 100  # steps
CONSTANT, LEAST = 0.6, 0.05  # of all steps at the full rate; then down to so much of it
WORSE = 3.0  # times the loss of a guess: the training has diverged
CLIP = 1.0  # the most that the norm of a gradient is
BETA1, BETA2, EPS = 0.9, 0.98, 1e-8
KEPT_EVERY = 100  # steps
PHASES = ("batch", "forward", "backward", "update")  # of a step
PROGRAMS = 64  # compiled runs that are kept, one for each length of sentence
AT_ONCE = 64  # sentences that a trained model is asked


Spent = dict[str, dict[Unit, float]]  # seconds of each of ``PHASES`` by unit


def unspent() -> Spent:
    """Return no time at all, to be added to."""
    return {phase: dict.fromkeys(Unit, 0.0) for phase in PHASES}


class DivergedError(Said):
    """A training whose loss is no number any more, in a sentence."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A moment of a training: all that is needed to go on from it."""

    step: int
    weights: Array
    mean: Array  # of the gradient
    square: Array  # mean of the squared gradient


class Training:
    """A model that is being trained.

    Parameters
    ----------
    task
        What it is trained on.
    recipe
        Its shape, and how long and fast.
    seed
        Of first weights and of everything that is drawn.
    """

    def __init__(self, task: Task, recipe: Recipe, seed: int) -> None:
        self.task, self.recipe, self.seed = task, recipe, seed
        self._ops = Ops()
        first = begin(recipe.config, np.random.default_rng([seed]), recipe.start)
        self._weights = Weights(first)
        self._mean = np.zeros_like(self._weights.vector)
        self._square = np.zeros_like(self._weights.vector)
        self._spare = np.zeros_like(self._weights.vector)
        self._programs: dict[tuple[tuple[int, ...], ...], Program] = {}
        self._memory = Memory()
        self.step = 0

    @property
    def model(self) -> Model:
        """Return the model as it is now; its weights are a copy."""
        copied = {name: array.copy() for name, array in self._weights.named.items()}
        return Model(self.task.name, self.recipe.config, copied, self.task.vocabulary)

    def descend(self, spent: Spent | None = None) -> float:
        """Take one step; return the loss in front of it, in nats.

        Parameters
        ----------
        spent
            Seconds by phase and unit, as ``unspent`` returns them, to which those of this step are
            added: drawing the batch is host work, the loss belongs to the forward pass, and laying
            a run out when its shape is met for the first time to none. Timing takes a little time.

        Raises
        ------
        DivergedError
            When the loss is no number or far above that of a guess; weights and step are as before.
        """
        forward, backward = (None, None) if spent is None else (spent["forward"], spent["backward"])
        clock = time.perf_counter
        begun = clock()
        batch = self.next_batch()
        drawn = clock()
        program = self.program(batch)
        program.forward(forward)
        answered = clock()
        loss = program.loss()
        known = clock()
        program.backward(backward)
        back = clock()
        gradient = program.vector
        norm = math.sqrt(float(gradient @ gradient))
        guess = math.log(self.recipe.config.words)
        if not (math.isfinite(norm) and loss < WORSE * guess):
            what = f"{loss:.1f}, far above the {guess:.1f} of a guess" if loss > 0 else "no number"
            raise DivergedError(
                f"At step {self.step + 1} the loss was {what} because the learning rate "
                f"({self.recipe.rate:g}) is too high; the weights before it are kept, go on from "
                "an earlier step with a lower one."
            )
        if norm > CLIP:
            gradient *= CLIP / norm
        self.step += 1
        self._update(gradient, self.recipe.rate * schedule(self.step, self.recipe.steps))
        if spent is not None:
            spent["batch"][Unit.SEQUENTIAL] += drawn - begun
            spent["forward"][Unit.STREAM] += known - answered
            spent["update"][Unit.STREAM] += clock() - back
        return loss

    def _update(self, g: Array, rate: float) -> None:
        """Change the weights by AdamW: w ← w - rate m̂ / (√v̂ + ε)."""
        m, v, spare, t = self._mean, self._square, self._spare, self.step
        m *= BETA1
        np.multiply(g, 1 - BETA1, out=spare)
        m += spare
        v *= BETA2
        np.multiply(g, g, out=spare)
        spare *= 1 - BETA2
        v += spare
        np.multiply(v, 1 / (1 - BETA2**t), out=spare)
        np.sqrt(spare, out=spare)
        spare += EPS
        np.divide(m, spare, out=spare)
        spare *= rate / (1 - BETA1**t)
        self._weights.vector -= spare

    def next_batch(self) -> Batch:
        """Return what the next step is taken on."""
        rng = np.random.default_rng([self.seed, self.step + 1])
        return self.task.draw(rng, self.recipe.batch)

    def program(self, batch: Batch) -> Program:
        """Return the compiled run for sentences of the batch's shape, with the batch put in."""
        shapes = (batch.ids.shape, () if batch.target is None else batch.target.shape)
        program = self._programs.get(shapes)
        if program is None:
            if len(self._programs) >= PROGRAMS:
                self._programs.pop(next(iter(self._programs)))
            program = self._programs[shapes] = compiled(
                self.task, self.recipe.config, self._weights, batch, self._ops, self.beside(),
                self._memory,
            )  # fmt: skip
        put(program, batch)
        return program

    def beside(self) -> Mapping[str, Beside]:
        """Return what adds the penalties on the heads of a grid to the gradients of their patterns.

        They go down as the rate does, so that the answers have the last word. Of the last block
        only the row of the hidden word is read, so only that counts.
        """
        if not (self.recipe.sharpen or self.recipe.disagree):
            return {}
        layers = self.recipe.config.layers

        def add(xp: Any, value: Any, g: Any, counted: Any) -> None:
            part = schedule(self.step + 1, self.recipe.steps) / layers
            penalties.add_gradient(
                xp, value, counted, g,
                sharpen=part * self.recipe.sharpen, disagree=part * self.recipe.disagree,
            )  # fmt: skip

        beside = {
            f"blocks.{b}.attn.pattern": lambda xp, p, g, _: add(xp, p, g, None)
            for b in range(layers)
        }
        last = f"blocks.{layers - 1}.attn.pattern"
        return beside | {last: lambda xp, p, g, targets: add(xp, p, g, targets != UNCOUNTED)}

    def keep(self) -> Snapshot:
        """Return this moment."""
        copies = (array.copy() for array in (self._weights.vector, self._mean, self._square))
        return Snapshot(self.step, *copies)

    def go_back(self, moment: Snapshot) -> None:
        """Go on from another moment."""
        self.step = moment.step
        self._weights.vector[...] = moment.weights
        self._mean[...], self._square[...] = moment.mean, moment.square

    def with_rate(self, rate: float) -> None:
        """Go on with another learning rate."""
        self.recipe = replace(self.recipe, rate=rate)


def begin(config: Config, rng: np.random.Generator, start: float = 1.0) -> dict[str, Array]:
    """Return parameters to begin from: orthogonal W_h of a plain RNN, forget gates open.

    The matrices of a grid are multiplied with ``start``.
    """
    parameters = initialise(config, rng)
    for name, value in parameters.items():
        last = name.rpartition(".")[2]
        if config.kind == "grid" and last.startswith("W_"):
            value *= start
        if config.cell == "elman" and last == "W_h":
            q, r = np.linalg.qr(rng.normal(size=value.shape))
            parameters[name] = (q * np.sign(np.diag(r))).astype(value.dtype)
        if config.cell == "lstm" and last == "b" and not name.startswith("answer"):
            value[config.width : 2 * config.width] = 1.0
    return parameters


def schedule(step: int, steps: int) -> float:
    """Return the part of the learning rate at a step: up, constant, then down in a line."""
    done = (step - 1) / steps
    down = 1.0 if done < CONSTANT else 1 - (1 - LEAST) * (done - CONSTANT) / (1 - CONSTANT)
    return min(1.0, step / WARM_UP) * max(down, LEAST)


def compiled(
    task: Task, config: Config, weights: Weights, batch: Batch, ops: Ops,
    beside: Mapping[str, Beside] = NOTHING, memory: Memory | None = None, *, learns: bool = True,
) -> Program:  # fmt: skip
    """Return a run over sentences of the batch's shape, compiled; ``learns`` is for a way back.

    A grid answers at every word, so that one run does for sentences with any word hidden.
    """
    model = Model(task.name, as_trained(config), weights.named, task.vocabulary)
    length = batch.ids.shape[-1]
    trace = run(model, batch.ids, hidden=length - 1, ops=ops, target=batch.target)
    return Program(trace, weights, ops, beside, memory, learns=learns)


def as_trained(config: Config) -> Config:
    """Return the configuration that is run while a model is trained: a grid answers everywhere."""
    return replace(config, answers="every") if config.kind == "grid" else config


def put(program: Program, batch: Batch) -> None:
    """Put the sentences of a batch into a compiled run."""
    program.inputs["tokens"][...] = batch.ids
    if batch.target is not None:
        program.inputs["decoder.tokens"][...] = batch.target
    program.targets[...] = answers_of(batch, program.targets.ndim)


def answers_of(batch: Batch, axes: int) -> Array:
    """Return the answers of a batch, with as many axes as a model's: one a row, or all."""
    once = axes < batch.answers.ndim
    return batch.answers.max(axis=-1) if once else batch.answers


@dataclass(frozen=True)
class Score:
    """How well sentences of a case were answered.

    ``right`` of ``asked`` answers were right, and in ``whole`` of ``sentences`` all of them.
    ``sure`` is the mean over sentences of the least probability of an answer, of those that were
    right as a whole and of the others; NaN where there were none.
    """

    case: str
    right: int
    asked: int
    whole: int
    sentences: int
    sure: tuple[float, float]


def score(
    task: Task, config: Config, parameters: Mapping[str, Array], case: str, *,
    sentences: int = 256, seed: int = 12345, ops: Ops | None = None, watch: Watch | None = None,
) -> Score:  # fmt: skip
    """Return how well a model answers fresh sentences of a case; it writes its own target.

    ``watch`` is told of every run, as by ``engine.tape``.
    """
    ops, weights, memory = ops or Ops(), Weights(parameters), Memory()
    rng = fresh(seed, case)
    right = asked = whole = done = 0
    sure: tuple[list[float], list[float]] = ([], [])
    programs: dict[tuple[int, ...], Program] = {}
    for batch in parts_of(task.sample(rng, sentences, case)):
        program = programs.get(batch.ids.shape) or compiled(
            task, config, weights, batch, ops, memory=memory, learns=False
        )
        programs[batch.ids.shape] = program
        put(program, batch)
        targets = program.targets.reshape(len(batch.ids), -1)  # (sentence, answer)
        found = written(program, batch, watch)
        answered, p = (array.reshape(targets.shape) for array in found)
        counted = targets != UNCOUNTED
        good = (answered == targets) | ~counted
        right += int((good & counted).sum())
        asked += int(counted.sum())
        whole += int(good.all(-1).sum())
        done += len(good)
        least = np.where(counted, p, 1.0).min(-1)
        for one, all_right in zip(least, good.all(-1), strict=True):
            sure[0 if all_right else 1].append(float(one))
    means = tuple(math.fsum(some) / len(some) if some else math.nan for some in sure)
    return Score(case, right, asked, whole, done, (means[0], means[1]))


def parts_of(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Yield batches of no more sentences than are asked at a time."""
    for batch in batches:
        for i in range(0, len(batch.ids), AT_ONCE):
            some = slice(i, i + AT_ONCE)
            target = None if batch.target is None else batch.target[some]
            yield Batch(batch.ids[some], batch.answers[some], target)


def written(
    program: Program, batch: Batch, watch: Watch | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[Array, Array]:  # fmt: skip
    """Return what a model answers with its probability, word by word where it writes a target.

    ``watch`` is told of every run, as by ``engine.tape``; ``stop`` is asked before every word.

    Raises
    ------
    engine.influence.Stopped
        When it was stopped.
    """
    if batch.target is not None:
        target = program.inputs["decoder.tokens"]
        target[:, 1:] = 0
        for t in range(target.shape[1] - 1):
            if stop():
                raise Stopped
            _run(program, watch)
            target[:, t + 1] = program.value("answer.probabilities")[:, t].argmax(-1)
    _run(program, watch)
    p = program.value("answer.probabilities")
    return p.argmax(-1), p.max(-1)


def _run(program: Program, watch: Watch | None) -> None:
    """Run a program forward, each operation timed where somebody watches."""
    if watch is None:
        program.forward()
        return
    start, spent = time.perf_counter(), dict.fromkeys(Unit, 0.0)
    program.forward(spent)
    watch(start, time.perf_counter(), spent)


def train(
    task: Task,
    id: str,
    seed: int,
    *,
    steps: int = 0,
    at: Callable[[int, float], None] = lambda step, loss: None,
    kept: Path | None = None,
    said: Callable[[str], None] = lambda sentence: None,
) -> Model:
    """Return a trained model with its card: how it was trained, and what it reaches in every case.

    Parameters
    ----------
    task, id
        A row of the task's recipes.
    seed
        Of everything that is drawn.
    steps
        In place of the recipe's.
    at
        Is told every step and the mean loss of the last ones.
    kept
        A file that the training is kept in, and gone on from when it is there.
    said
        Is told, once, in a sentence that the training cannot be kept; it goes on all the same.

    Raises
    ------
    engine.said.Said
        With one sentence: a training that diverges, a file that belongs to another.
    """
    recipe = task.recipes[id]
    if steps:
        recipe = replace(recipe, steps=steps)
    training = Training(task, recipe, seed)
    about = {"task": task.name, "model": id, "seed": seed, "steps": recipe.steps}
    if kept is not None and kept.exists():
        training.go_back(moments.load(kept, about, training.keep()))
    mean, began, first = math.nan, time.process_time(), training.step
    while training.step < recipe.steps:
        loss = training.descend()
        mean = loss if math.isnan(mean) else mean + 0.02 * (loss - mean)
        at(training.step, mean)
        if kept is not None and (training.step % KEPT_EVERY == 0 or training.step == recipe.steps):
            try:
                moments.save(kept, about, training.keep())
            except moments.MomentError as error:
                said(str(error))
                kept = None
    seconds = time.process_time() - began
    model = training.model
    card = {
        "title": recipe.title,
        "task": task.name,
        "seed": seed,
        "steps": recipe.steps,
        "reached": reached(task, model),
        **task.measured(model),
        "examples": recipe.steps * recipe.batch,
    }
    if recipe.about:
        card["about"] = recipe.about
    if math.isfinite(mean):  # some steps were taken now
        card["loss"] = round(mean, 4)
    if task.lengths:
        card["by_length"] = by_length(task, model)
    if first == 0:
        card["cpu_seconds"] = round(seconds, 1)
    return replace(model, card=card)


def reached(task: Task, model: Model, sentences: int = 1000) -> dict[str, dict[str, float]]:
    """Return by case what share of answers, and of whole sentences, a model gets right."""
    found = {}
    for case in task.cases:
        got = score(task, model.config, model.parameters, case, sentences=sentences)
        found[case] = {"right": round(got.right / got.asked, 4),
                       "whole": round(got.whole / got.sentences, 4)}  # fmt: skip
    return found


def by_length(task: Task, model: Model, sentences: int = 1000) -> dict[str, float]:
    """Return by length what share of whole sentences a model gets right, those of its cases too."""
    found = {}
    for n in map(str, task.lengths):
        got = score(task, model.config, model.parameters, n, sentences=sentences)
        found[n] = round(got.whole / got.sentences, 4)
    return found

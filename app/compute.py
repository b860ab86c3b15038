"""From a text and the ids of models to what they computed: plain functions of plain data.

The window's worker and the command line call these; neither an array nor Qt is seen outside.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from app import CHAPTER, DEFAULT_PAIR, PRECISION
from engine import weights
from engine.device import HOST, Device, Lost, on_device
from engine.gpu import instead, ops_for
from engine.influence import REPLACED, Influence, leave_one_out
from engine.influence import state_shares as shares_of
from engine.models import Model, depth_at, initialise, run
from engine.ops import Ops
from engine.said import Said
from engine.tokens import Sentence, read_sentence
from engine.trace import DEPTHLESS, Pair, Trace
from engine.trace import load as load_trace
from widgets.view import Growth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.recorder import Recorder
    from engine.tape import Watch
    from widgets.canvas import Scene
    from widgets.picture import Picture
    from widgets.view import View

T = TypeVar("T")

RUNS = 3  # at least, of which the fastest is shown
MOST_RUNS, ENOUGH_SECONDS = 30, 0.02
LENGTHS = (1, 2, 3, 5, 8, 16, 32, 64, 128)  # for which the depth is shown as a function of T
# For which work and time are measured.
GROWTH_LENGTHS = (1, 2, 3, 5, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
SIDES = {"chain": "recurrent model", "grid": "Transformer"}


@dataclass(frozen=True)
class PairResult:
    """Both models' runs over one sentence; ``notes`` says what was changed or was not trained.

    ``positions`` and ``trained`` say whether the grid had its positions, and both their weights;
    ``precision`` is what both computed in.
    """

    pair: Pair
    sentence: Sentence
    notes: tuple[str, ...]
    positions: bool = True
    trained: bool = True
    precision: str = PRECISION


class ChoiceError(Said):
    """Models that cannot stand on one stage: why, and what to choose, in a sentence."""


def make_pair(
    text: str,
    chain_id: str,
    grid_id: str,
    *,
    positions: bool = True,
    trained: bool = True,
    precision: str = PRECISION,
) -> PairResult:
    """Return what a recurrent model and a Transformer compute over the same words.

    Parameters
    ----------
    text
        What was typed, with "___" for the hidden word.
    chain_id, grid_id
        Ids of the models.
    positions
        Whether the grid adds its position encoding; its weights stay, and the notes say that they
        were not trained for it.
    trained
        Whether the trained weights are used, or some that are drawn at random.
    precision
        What both compute in; half precision is computed in float32 and rounded on a CPU, which the
        notes say.

    Raises
    ------
    engine.said.Said
        With one sentence: a text without words, an unknown or damaged model, two models that do
        not belong together, a run that would not fit into memory.
    """
    chain, grid = _of_kind("chain", chain_id), _of_kind("grid", grid_id)
    if chain.vocabulary != grid.vocabulary:
        raise ChoiceError(
            f"{chain_id} and {grid_id} know different words, so they cannot read the same "
            "sentence; choose two models that were trained together."
        )
    sentence = _sentence(text, chain)
    changed: list[str] = []
    if not trained:
        chain, grid = _untrained(chain), _untrained(grid)
        changed.append("Weights drawn at random: nothing is learned")
    if not positions:
        grid = _unplaced(grid)
        if trained:
            changed.append("Position off: the weights were not trained for this")
    left, right = (_run(read, sentence, changed, precision) for read in (chain, grid))
    pair = Pair(
        chain=left,
        grid=right,
        typed=sentence.typed,
        unknown=sentence.unknown,
        depth_of_tokens=_depths(chain_id, grid_id, positions),
    )
    # Both sides repeat the sentence's notes; each is said once.
    notes = tuple(dict.fromkeys(left.facts.notes + right.facts.notes))
    return PairResult(pair, sentence, notes, positions, trained, precision)


def open_trace(path: str, chain_id: str, grid_id: str) -> PairResult:
    """Return a saved run beside the other side's model over the same words.

    Parameters
    ----------
    path
        Of a file that ``unrolled trace`` wrote.
    chain_id, grid_id
        The model of the side that the file does not hold is run.

    Raises
    ------
    engine.said.Said
        With one sentence: a file that is no trace, a run of many sentences, words that the other
        model does not read alike.
    """
    opened = load_trace(Path(path))
    name = Path(path).name
    if "update.weights" in opened:
        raise ChoiceError(
            f"{name} holds a step of training, which has no place on this stage; what is shown "
            "stays, numpy.load opens it, and chapter 4 shows such a step."
        )
    if opened.value(opened.steps[0].name).ndim != 1 or not opened.tokens:
        raise ChoiceError(f"{name} holds many sentences at once; save a run of one sentence.")
    other = _of_kind(*(("grid", grid_id) if opened.facts.kind == "chain" else ("chain", chain_id)))
    sentence = _sentence(" ".join(opened.tokens), other)
    if sentence.tokens != opened.tokens or other.vocabulary != opened.vocabulary:
        raise ChoiceError(
            f"{name} holds a run over words that {other.id} does not read alike, so they cannot "
            "stand on one stage; what is shown stays, choose a run of the missing word."
        )
    beside = _run(other, sentence)
    chain, grid = (opened, beside) if opened.facts.kind == "chain" else (beside, opened)
    ids = (chain.facts.model, grid.facts.model)
    pair = Pair(
        chain=chain,
        grid=grid,
        typed=sentence.typed,
        unknown=sentence.unknown,
        # Of a model that is not installed nothing is known but this one run.
        depth_of_tokens=_depths(*ids) if set(ids) <= set(weights.available()) else (),
    )
    return PairResult(pair, sentence, tuple(dict.fromkeys(chain.facts.notes + grid.facts.notes)))


def make_trace(text: str, id: str) -> Trace:
    """Return what one model computes over a text.

    Raises
    ------
    engine.said.Said
        With one sentence, as ``make_pair``.
    """
    read = model(id)
    return _run(read, _sentence(text, read))


def split_pair(ids: str) -> tuple[str, str]:
    """Return the ids of a pair that is written "rnn+transformer".

    Raises
    ------
    ChoiceError
        When these are not two ids.
    """
    chain, plus, grid = ids.partition("+")
    if not (chain and plus and grid) or "+" in grid:
        raise ChoiceError(
            f"{ids[:60]!r} is no pair of models; write a recurrent model and a Transformer with a "
            f"plus, such as {'+'.join(DEFAULT_PAIR)}."
        )
    return chain, grid


def still(
    subject: Any,
    tick: float,
    view: View,
    *,
    size: tuple[int, int] = (1600, 900),
    scene: Scene | None = None,
) -> Picture:
    """Return the stage as it goes into a file: laid out for its size, without switches.

    Parameters
    ----------
    subject
        What the scene draws: a pair of runs for chapter 1.
    view
        Theme, words and what is chosen; its box is replaced.
    size
        Width and height of the file in px, whose shape the box takes.
    scene
        By default the chapter's, without what is selected.
    """
    from widgets.geometry import fit
    from widgets.scenes import SCENES

    width, height, _ = fit(*size, least_scale=0.0)
    shown = view._replace(width=width, height=height, controls=False, hovered="")
    if scene is None or scene is SCENES[CHAPTER]:
        scene, shown = SCENES[CHAPTER], shown._replace(selected="")
    return scene(subject, float(tick), shown)


@lru_cache(maxsize=32)
def model(id: str) -> Model:
    """Return a shipped model, read once.

    Raises
    ------
    engine.weights.WeightsError
        With one sentence.
    """
    return weights.load(id)


def measure_length(
    chain_id: str, grid_id: str, tokens: int, *, positions: bool = True, precision: str = PRECISION
) -> Growth:
    """Return what both models need for a sentence of so many tokens, measured here and now.

    They are run as ``make_pair`` runs them, on the device that is asked. The words are drawn at
    random: no operation takes longer for one word than for another.
    """
    where = _DEVICE.get().name
    return _measured(chain_id, grid_id, tokens, positions, precision, where)


@lru_cache(maxsize=256)
def _measured(
    chain_id: str, grid_id: str, tokens: int, positions: bool, precision: str, where: str
) -> Growth:
    """Return what was measured; ``where`` tells the devices apart, each of which is asked once."""
    made = (model(chain_id), model(grid_id) if positions else _unplaced(model(grid_id)))
    chain, grid = (
        _fastest(
            read,
            np.random.default_rng(0).integers(0, len(read.vocabulary), tokens),
            hidden=tokens - 1,
            precision=precision,
        )
        for read in made
    )
    return Growth(tokens, (chain.flops, grid.flops), (chain.seconds, grid.seconds))


def tick_in(last: int, tick: float) -> float:
    """Return a tick that somebody asked for, of 0 to ``last``; ∞ is the last.

    Raises
    ------
    ChoiceError
        With one sentence, when it lies behind the last.
    """
    if last < tick < math.inf:
        raise ChoiceError(
            f"Tick {tick:g} lies behind the last, {last}; give one from 0 to {last}, or last."
        )
    return min(tick, float(last))


def trace_as_data(trace: Trace) -> dict[str, Any]:
    """Return a trace without its values, as what JSON can hold; of a batch without its answers."""
    alone = trace.value("answer.probabilities").ndim == 1
    return {
        "model": trace.facts.model,
        "title": trace.facts.title,
        "parameters": trace.facts.parameters,
        "sees": trace.facts.sees,
        "memory": trace.facts.memory,
        "backend": trace.facts.backend,
        "precision": trace.facts.precision,
        "threads": trace.facts.threads,
        "notes": list(trace.facts.notes),
        "tokens": list(trace.tokens),
        "hidden": trace.hidden,
        "answer": [
            {"word": word, "probability": probability}
            for word, probability in (trace.answer(5) if alone else ())
        ],
        "last_tick": trace.last_tick,
        "depth": trace.depth,
        "flops": trace.flops,
        "seconds": trace.seconds,
        "steps": [
            {
                "name": step.name,
                "stage": step.stage,
                "axes": list(step.axes),
                "shape": list(step.value.shape),
                "tick": trace.ticks[step.stage],
                "depth": trace.depths[step.name],
                "reads": list(step.reads),
                "flops": step.cost.flops,
                "bytes": step.cost.bytes,
                "seconds": step.timing.seconds,
                "basis": str(step.timing.basis),
                "unit": str(step.timing.unit),
            }
            for step in trace.steps
        ],
    }


def models_as_data() -> list[dict[str, Any]]:
    """Return what is known of every shipped model; of a damaged one the sentence that says so."""
    rows: list[dict[str, Any]] = []
    for id in weights.available():
        try:
            read = model(id)
        except weights.WeightsError as error:
            rows.append({"id": id, "error": str(error)})
            continue
        facts = run(read, [0], hidden=0, ops=Ops()).facts
        held_out = read.card.get("held_out", {})
        rows.append(
            {
                "id": id,
                "title": facts.title,
                "kind": facts.kind,
                "parameters": facts.parameters,
                "held_out": dict(held_out),
                "again": list(read.card.get("again", {}).get("seeds", ())),
                "sees": facts.sees,
                # A grid keeps a row for every token, so its memory is a function of T.
                "memory": facts.memory if facts.kind == "chain" else f"T × {facts.width} numbers",
                "trained_length": facts.trained_length,
            }
        )
    return rows


def _of_kind(kind: str, id: str) -> Model:
    """Return a model that can stand on one side of the stage."""
    read = model(id)
    if read.config.kind != kind:
        fitting = [
            other for other in weights.available() if _kind(other) == kind
        ]  # the card alone says it, but a damaged one must not be offered either
        raise ChoiceError(
            f"{id} is no {SIDES[kind]}; choose one of these: {', '.join(fitting) or 'none'}."
        )
    return read


def _kind(id: str) -> str:
    try:
        return model(id).config.kind
    except weights.WeightsError:
        return ""


def _sentence(text: str, read: Model) -> Sentence:
    vocabulary = {word: i for i, word in enumerate(read.vocabulary)}
    return read_sentence(text, vocabulary)


def _untrained(read: Model) -> Model:
    """Return a model of the same shape with weights drawn at random, always the same ones."""
    kept = {name: read.card[name] for name in ("title",) if name in read.card}
    parameters = initialise(read.config, np.random.default_rng(0))
    return replace(read, parameters=parameters, card=kept)


def _unplaced(read: Model) -> Model:
    """Return a grid that adds no positions, with the same weights.

    The roles of its heads go: they were measured with positions.
    """
    card = {name: value for name, value in read.card.items() if name != "roles"}
    return replace(read, config=replace(read.config, positions="none"), card=card)


def _run(
    read: Model, sentence: Sentence, changed: Sequence[str] = (), precision: str = PRECISION
) -> Trace:
    """Return a model's trace, with what has to be said of the sentence in its notes."""
    trace = _fastest(
        read, sentence.ids, hidden=sentence.hidden, words=sentence.tokens, precision=precision
    )
    notes = (*changed, *sentence.notes) + _shorter(read.card.get("shortest", 0), sentence.tokens)
    return replace(trace, facts=replace(trace.facts, notes=notes + trace.facts.notes))


_RECORDER: ContextVar[Recorder | None] = ContextVar("recorder", default=None)


@contextmanager
def watched(recorder: Recorder) -> Iterator[None]:
    """Let a recorder be told of every run that this thread computes in the block."""
    before = _RECORDER.set(recorder)
    try:
        with recorder.job():
            yield
    finally:
        _RECORDER.reset(before)


def recorder_here() -> Recorder | None:
    """Return the recorder that is told of what this thread computes now, None without one."""
    return _RECORDER.get()


_DEVICE: ContextVar[Device] = ContextVar("device", default=HOST)


@contextmanager
def computing_on(device: Device) -> Iterator[None]:
    """Let a device compute the runs that this thread asks for in the block."""
    before = _DEVICE.set(device)
    try:
        yield
    finally:
        _DEVICE.reset(before)


def _fastest(
    read: Model, ids: Any, *, hidden: int, words: tuple[str, ...] | None = None,
    precision: str = PRECISION,
) -> Trace:  # fmt: skip
    """Return the fastest of some runs, which all compute the same, of the device that is asked.

    A chain stays on the CPU where launching its operations on the GPU alone would take longer, and
    says so. A GPU that is lost in the middle of a run is replaced by the CPU, and that is said.
    """
    device, recorder = _DEVICE.get(), _RECORDER.get()
    watch = None if recorder is None else recorder.watch

    def runs(ops: Ops) -> Trace:
        return _fastest_on(ops, read, ids, hidden=hidden, words=words, watch=watch)

    if not device.gpu:
        return runs(Ops() if precision == PRECISION else ops_for(device, precision))
    if read.config.kind == "chain":
        trace = runs(instead(precision))
        launched = sum(step.op not in DEPTHLESS for step in trace.steps)
        at_least = launched * device.launch_seconds
        if at_least > trace.seconds:
            return _noted(
                trace,
                f"The GPU cannot help a chain: {launched} launches of "
                f"{device.launch_seconds * 1e6:.0f} µs take longer than this CPU",
            )
    try:
        return on_device(runs, ops_for(device, precision))
    except Lost as lost:
        return _noted(runs(instead(precision)), str(lost))


def _noted(trace: Trace, note: str) -> Trace:
    return replace(trace, facts=replace(trace.facts, notes=(*trace.facts.notes, note)))


def _fastest_on(
    ops: Ops,
    read: Model,
    ids: Any,
    *,
    hidden: int,
    words: tuple[str, ...] | None,
    watch: Watch | None,
) -> Trace:
    """Return the fastest of some runs.

    Whatever else the machine does can only add to a time; short runs are repeated more often. They
    share ``ops``, so that the memory of a run that is not kept is used again.
    """
    best = run(read, ids, hidden=hidden, ops=ops, words=words, warm=True, watch=watch)
    spent, count = best.seconds, 1
    while count < RUNS or (spent < ENOUGH_SECONDS and count < MOST_RUNS):
        again = run(read, ids, hidden=hidden, ops=ops, words=words, watch=watch)
        spent, count = spent + again.seconds, count + 1
        best = min(best, again, key=lambda trace: trace.seconds)
    return best


def _shorter(shortest: int, words: Sequence[str]) -> tuple[str, ...]:
    """Return the note that a sentence is shorter than any in training, where it is."""
    if len(words) >= shortest:
        return ()
    count = "1 word" if len(words) == 1 else f"{len(words)} words"
    return (f"{count}: shorter than the {shortest} it was trained for",)


@lru_cache(maxsize=64)
def _depths(
    chain_id: str, grid_id: str, positions: bool = True
) -> tuple[tuple[int, int, int], ...]:
    chain, grid = model(chain_id), model(grid_id)
    if not positions:  # one sum less
        grid = _unplaced(grid)
    return tuple((T, depth_at(chain, T), depth_at(grid, T)) for T in LENGTHS)


# ---- on demand: computed once for each trace, and forgotten with it ------------------------------


def influence(
    pair: Pair, side: str, how: str = REPLACED, stop: Callable[[], bool] = lambda: False
) -> Influence:
    """Return how much the answer of one side changes without each token.

    Parameters
    ----------
    pair
        Two runs.
    side
        "chain" or "grid".
    how
        ``engine.influence.REPLACED`` or ``LEFT_OUT``: what is done to the token.
    stop
        Whether to give up, which ``engine.influence.Stopped`` says.

    Raises
    ------
    engine.said.Said
        With one sentence, when the run's model is not there or is not the one that ran.
    """
    trace = pair.side(side)
    return _once(
        trace,
        ("influence", how),
        lambda: leave_one_out(
            _ran(trace), trace, ops=instead(trace.facts.precision), how=how, stop=stop
        ),
    )


def state_shares(
    pair: Pair, states: tuple[int, ...] | None = None, direction: str = "rnn"
) -> NDArray[np.float64]:
    """Return the share of each token in each state of the chain, shape (state, token), read-only.

    Parameters
    ----------
    pair
        Two runs.
    states
        Indices of tokens, from 0, behind which the state is meant; by default all.
    direction
        What the names of the layer's steps begin with, such as "rnn.back".

    Raises
    ------
    engine.said.Said
        With one sentence: more work than is spent on it, gradients that are too large.
    """
    trace = pair.chain

    def compute() -> NDArray[np.float64]:
        found = shares_of(trace, ops=Ops(), direction=direction, states=states)
        found.setflags(write=False)
        return found

    return _once(trace, ("shares", states, direction), compute)


def asked_by(pair: Pair, state: int) -> tuple[float, ...]:
    """Return the attention that a state of the chain would give to the states so far.

    It is that of the same model over the words up to this state, from 1: shape (token,), sums to 1.
    Empty where the chain has no attention, or knows the words on the right already.
    """
    trace = pair.chain
    if not trace.facts.attention or trace.facts.bidirectional:
        return ()

    def compute() -> tuple[float, ...]:
        ids = trace.value("tokens")[:state]
        ops = instead(trace.facts.precision)
        read = run(_ran(trace), ids, hidden=min(trace.hidden, state - 1), ops=ops)
        return tuple(float(weight) for weight in read.value("attn.pattern"))

    return _once(trace, ("asked", state), compute)


def _ran(trace: Trace) -> Model:
    """Return the model that made a trace: its shape is known by id, its weights by the trace."""
    read = model(trace.facts.model)
    here = {name: array.shape for name, array in read.parameters.items()}
    if here != {name: array.shape for name, array in trace.parameters.items()}:
        raise ChoiceError(
            f"The run was made by another {read.id} than the one that is installed, so it cannot "
            "be run again without a word; ask the sentence again."
        )
    config = read.config
    if config.positions == "sinusoidal" and "embed.positions" not in trace:
        config = replace(config, positions="none")  # a switch, with the same weights
    return replace(read, config=config, parameters=trace.parameters)


_found: dict[tuple[int, Hashable], Any] = {}


def _once(trace: Trace, about: Hashable, compute: Callable[[], T]) -> T:
    """Return what is computed about a trace, the second time without computing it."""
    key = (id(trace), about)
    if key not in _found:
        _found[key] = compute()
        weakref.finalize(trace, _found.pop, key, None).atexit = False
    found: T = _found[key]
    return found

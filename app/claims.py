"""The numbers that the claims are judged by: gathered in order, the quick ones first.

What is counted and modelled takes a second, what runs and the trained models some more, this
machine's sweep up to ``race.BUDGET_SECONDS`` unless it is remembered. Plain functions, without Qt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from app import DEFAULT_PAIR, DEFAULT_TEXT
from app.this_machine import FILE as FILE
from app.this_machine import place as place
from engine.claims import PRESETS, claim_of
from engine.influence import Stopped
from engine.recorder import Recorder
from engine.statements import (
    AT_ONCE,
    GROUPS,
    RECURRENT,
    Judged,
    Layers,
    Numbers,
    Pairs,
    Step,
    Times,
    counts,
    judge,
)
from engine.units import Work

if TYPE_CHECKING:
    from engine.race import Measured, Note
    from engine.tape import Watch
    from engine.trace import Pair, Trace
    from engine.units import Unit

# Seconds that all of it may take on two laptop cores; the sweep has most of it.
BUDGET_SECONDS = 30.0
PART = "h100"  # the GPU that times are modelled for
MASKED = "transformer-causal"
# Sentences whose heaviest word is compared with the most influential one.
SENTENCES = (
    DEFAULT_TEXT, "the dogs near the cat ___", "the cat near the dogs ___",
    "the birds that slept ___", "a dog ___", "the cats ___", "the bird that the dogs saw ___",
    "the dogs that the bird saw ___",
    "the small cat ___", "the girls near the bird ___", "the boy that saw the dogs ___",
    "the boys that saw the dog ___",
)  # fmt: skip
LONGEST = {"reverse": "16", "recall": "8"}  # that the models were trained on
NETWORK = "gru-bahdanau"
CASES = ("clean", "out-of-range", "typo", "exceptions")
COUNT = 200  # of fresh sentences a case
SEED = 7  # of them
CHAIN, ATTENTION = "elman", "attention"  # layers that are timed and counted at every length
TOGETHER = 256
ROUNDS = 30  # in which a rule is timed, 40 ms
TYPO = "5 mrach 2019"

Stop = Callable[[], bool]


def gather(
    path: Path, *, found: Numbers | None = None, anew: bool = False, stop: Stop = lambda: False,
    note: Note | None = None,
) -> Iterator[Numbers]:  # fmt: skip
    """Yield the numbers, more of them each time.

    Parameters
    ----------
    path
        Where this machine's sweep is kept; it is read, and written when it was measured.
    found
        What is there already: its parts are left as they are.
    anew
        Whether this machine is measured although that is remembered.
    stop
        Whether to end now; what is missing then stays None.
    note
        Is told what the sweep runs (``engine.recorder.Recorder.note``).

    Raises
    ------
    engine.said.Said
        With one sentence: a model that is not there or is damaged.
    """
    found = replace(found or Numbers(), day=date.today().isoformat())
    for name, part in PARTS.items():
        if stop():
            return
        if getattr(found, name) is None:
            try:
                with _ended_by(stop):
                    found = part(found)
            except Stopped:
                return
            yield found
    if found.threads is None and not stop():
        yield _against_gpu(found, _measured(path, anew, stop, note))


class _Ending(Recorder):
    """Tells another recorder of the runs, and ends them when nobody waits for them any more."""

    def __init__(self, told: Recorder | None, stop: Stop) -> None:
        super().__init__()
        self._told, self._stop = told, stop

    def watch(self, start: float, end: float, spent: Mapping[Unit, float]) -> None:
        if self._told is not None:
            self._told.watch(start, end, spent)
        if self._stop():
            raise Stopped


@contextmanager
def _ended_by(stop: Stop) -> Iterator[None]:
    """Let the runs of this thread end within a moment when somebody stops them."""
    from app import compute

    with compute.watched(_Ending(compute.recorder_here(), stop)):
        yield


def progress(found: Numbers) -> float:
    """Return how much (0 … 1) of the numbers is there."""
    names = (*PARTS, "threads")
    return sum(getattr(found, name) is not None for name in names) / len(names)


# ---- from runs -----------------------------------------------------------------------------------


def _counted(found: Numbers) -> Numbers:
    from app import compute
    from engine.laboratory import hops_of

    chain_id, grid_id = DEFAULT_PAIR
    pair = compute.make_pair(DEFAULT_TEXT, chain_id, grid_id).pair
    masked = compute.make_pair(DEFAULT_TEXT, chain_id, MASKED).pair.grid
    chain, grid = pair.chain, pair.grid
    pattern = grid.value("blocks.0.attn.pattern")  # (head, query, key)
    last = max(depth for name, depth in chain.depths.items() if name.startswith("rnn.h."))
    tokens = len(pair.tokens)
    roles = [role for block in grid.facts.roles for role in block if role[0] != "mixed"]
    return replace(
        found,
        depths=tuple(pair.depth_of_tokens),
        tokens=tokens,
        memory=Pairs(chain.facts.width, tokens * grid.facts.width),
        links=Pairs(_links(grid), _links(masked)),
        heads=(len(pattern), len({grid.depths["blocks.0.attn.pattern"]})),
        looks_back=Pairs(last, chain.depths["attn.pattern"]),
        path=Pairs(hops_of(chain), hops_of(grid)),
        dimensions=tuple(sorted({grid.value(step.name).ndim for step in grid.steps})),
        order=_order(pair),
        longest=_longest(),
        role=max(roles, key=lambda role: role[1]) if roles else None,
    )


def _longest() -> Layers:
    """Return what one layer of a chain and one of attention have to do at the longest length."""
    from engine.race_lengths import counted

    rows = {row.layer: row for row in counted()}  # the last of each
    chain, grid = rows[CHAIN], rows[ATTENTION]
    return Layers(grid.tokens, (chain.steps, grid.steps), (chain.flops, grid.flops))


def _links(grid: Trace) -> float:
    """Return how many words of the first head look at how many."""
    return float((grid.value("blocks.0.attn.pattern")[0] > 0).sum())


def _order(pair: Pair) -> tuple[float, float, float]:
    """Return how far answers move in another order: grid without positions, with, and chain."""
    from app import compute
    from engine.laboratory import position

    chain, grid = (
        position(compute.model(id), trace, watch=_watch())
        for id, trace in zip(DEFAULT_PAIR, (pair.chain, pair.grid), strict=True)
    )
    return grid[0].answer, grid[1].answer, chain[0].answer


def _weighed(found: Numbers) -> Numbers:
    """Return the numbers with those of sentences whose heaviest word is the most influential."""
    from app import compute
    from engine.influence import leave_one_out
    from engine.ops import Ops

    model, agree = compute.model(DEFAULT_PAIR[0]), 0
    for text in SENTENCES:
        trace = compute.make_trace(text, DEFAULT_PAIR[0])
        weights = trace.value("attn.pattern").astype(np.float64)
        weights[trace.hidden] = -1.0  # of which nothing can be taken away
        moved = leave_one_out(model, trace, ops=Ops()).moved
        agree += int(np.argmax(weights)) == int(np.nanargmax(moved))
    return replace(found, weights=Pairs(agree, len(SENTENCES)))


# ---- from the model of a GPU ---------------------------------------------------------------------


def _modelled(found: Numbers) -> Numbers:
    from app.workloads import gpu_here
    from engine import parts, roofline
    from engine.workload import SIZES, Attention, Mode, Precision, Product

    steps, host, kernels, sparse = [], (0, 0), [], 0
    for preset in PRESETS:
        modelled = roofline.model(preset.workload, parts.load(preset.part))
        claim, operations = claim_of(preset.workload), modelled.operations
        every = max(sum(op.cost.flops for op in operations), 1)
        products = sum(
            op.cost.flops for op in operations if isinstance(op.kernel, Product | Attention)
        )
        training = preset.workload.mode == Mode.TRAINING
        steps.append(
            Step(
                name=f"{SIZES[preset.workload.model].title}, {_short(modelled.part.title)}",
                mode="training" if training else "inference",
                claimed=claim.parts[Work.MATRIX],
                matrix=modelled.shares[Work.MATRIX],
                of_flops=products / every,
                in_tensor_cores=modelled.flop_parts.get(Work.MATRIX, 0.0),
                agrees=claim.holds(modelled.shares),
            )
        )
        if preset.id == "toy":
            of_host = [op for op in operations if op.group == "host"]
            host = len(of_host), sum(op.cost.flops for op in of_host)
        kernels += [op.label for op in operations if op.group != "host"]
        sparse += sum("sparse" in op.label.lower() for op in operations)
    plain = PRESETS[-1].workload  # GPT-2, trained in float32
    both = [
        roofline.model(replace(plain, precision=precision), parts.load(PART)).seconds
        for precision in (Precision.FLOAT32, Precision.FLOAT16)
    ]
    return replace(
        found,
        steps=tuple(steps),
        host=host,
        allocating=(sum("alloc" in label.lower() for label in kernels), len(kernels)),
        sparse=sparse,
        halved=Pairs(*both),
        gpu_here=bool(gpu_here()),
        part=_short(parts.load(PART).title),
    )


def _short(title: str) -> str:
    """Return a GPU's name without its maker and its case: "H100", "RTX 4090"."""
    words = [word for word in title.split() if word not in ("NVIDIA", "GeForce")]
    return " ".join(words[: 2 if words[0] == "RTX" else 1])


def _measured(path: Path, anew: bool, stop: Stop, note: Note | None) -> Measured | None:
    """Return what this machine does, as remembered or measured now."""
    from engine import race, race_file

    found = None if anew else race_file.load(path)
    if found is not None and found.complete:
        return found
    found = None
    for found in race.sweep(stop=stop, note=note):  # noqa: B007 (the last one is wanted)
        pass
    if found is None or not found.complete:
        return None  # somebody stopped it
    race_file.save(found, path)
    return found


def _against_gpu(found: Numbers, measured: Measured | None) -> Numbers:
    """Return the numbers with those of a sweep of this machine."""
    from engine import crossover, parts

    if measured is None:
        return found
    part = parts.load(PART)
    chain = [p.seconds for by in ("python", "one") if (p := measured.at("chain", by, 8))]
    one, other = (
        crossover.estimate(crossover.outputs_task(count), part, resident=True, graph=False).seconds
        for count in (5, 125)
    )
    sides = crossover.band(measured, "product", part)
    rows = crossover.boundary(measured, part, resident=True, graph=False)
    on_gpu = crossover.estimate(crossover.task("chain", 8), part, resident=True, graph=False)
    seconds = {(row.layer, row.tokens): row.seconds for row in measured.lengths}
    times = [
        Times(tokens, seconds[CHAIN, tokens], taken)
        for (layer, tokens), taken in seconds.items()
        if layer == ATTENTION and (CHAIN, tokens) in seconds
    ]
    return replace(
        found,
        times=tuple(sorted(times)) or None,
        threads=measured.machine.threads,
        at_once=_at_once(measured),
        order_cost=Pairs(one, other),
        sides=None if sides is None else Pairs(*sides),
        chain_gpu=Pairs(min(chain), on_gpu.seconds) if chain else None,
        volumes=Pairs(rows[0][1], rows[-1][1]) if rows else None,
    )


def _at_once(measured: Measured) -> float | None:
    """Return how many times quicker arrays are than numbers, at ``AT_ONCE``, None: not measured."""
    slow, quick = (measured.at("map", by, AT_ONCE) for by in ("python", "one"))
    return slow.seconds / quick.seconds if slow and quick else None


# ---- from tasks ----------------------------------------------------------------------------------


def _rules_and_networks(found: Numbers) -> Numbers:
    from app import learning
    from app.asker import Asker
    from app.compute import recorder_here
    from engine import rules, tasks
    from engine.race import threads
    from engine.tasks import dates

    task = tasks.load("dates")
    network = {case: _seeds("dates", NETWORK, case) for case in CASES}
    rule = {
        case: learning.evaluate("dates", learning.RULE, case, count=COUNT, seed=SEED)["accuracy"]
        for case in CASES
    }
    outside = learning.evaluate(
        "dates", NETWORK, "out-of-range", count=COUNT, seed=SEED, watch=_watch()
    )  # fmt: skip
    model, ran = learning.load(task, NETWORK), rules.run("dates", TYPO)
    asker = Asker(task, model, recorder_here())
    text = "5 march 2019"
    program = rules.RULES["dates"].answer
    with threads(1):  # as chapter 4: on a busy core several wait for one another
        alone, together = asker.seconds(text, 1, 5), asker.seconds(text, TOGETHER, 3) / TOGETHER
    return replace(
        found,
        network=network,
        rule=rule,
        sure_when_wrong=outside["sure_when_wrong"],
        examples=(0, min(dates.EXAMPLES, int(model.card["examples"]))),  # many come again
        learned=(rules.RULES["dates"].lines, int(model.card["steps"])),
        ran=(len(ran.lines), ran.answer is not None or bool(ran.reason)),
        seconds=(
            *_alone_and_together(program, text),
            alone,
            together,
        ),
        batch=TOGETHER,
    )


def _alone_and_together(program: Callable[[str], str], text: str) -> tuple[float, float]:
    """Return the seconds of an answer alone and among many, by turns: a core's pace changes."""
    rounds = [
        (min(_each(program, text, 1) for _ in range(10)), _each(program, text, TOGETHER))
        for _ in range(ROUNDS)
    ]
    alone, together = map(min, zip(*rounds, strict=True))
    return alone, together


def _each(program: Callable[[str], str], text: str, count: int) -> float:
    start = perf_counter()
    for _ in range(count):
        program(text)
    return (perf_counter() - start) / count


def _trained(found: Numbers) -> Numbers:
    def by_model(task: str, *more: str) -> dict[str, tuple[float, ...]]:
        return {id: _seeds(task, id, LONGEST[task]) for id in (*RECURRENT, *more)}

    return replace(
        found,
        bottleneck=by_model("reverse", "gru-luong", "transformer"),
        recalled=by_model("recall", "transformer"),
    )


def _watch() -> Watch | None:
    """Return what is told of the runs of this thread, None without a window."""
    from app.compute import recorder_here

    recorder = recorder_here()
    return None if recorder is None else recorder.watch


def _seeds(task: str, model: str, case: str) -> tuple[float, ...]:
    """Return the share right of the shipped training, asked anew, and of those from other seeds."""
    from app import learning

    told = learning.evaluate(task, model, case, count=COUNT, seed=SEED, watch=_watch())
    return (told["accuracy"], *told["seeds"][1:])


# A number that each part brings, and the part; the quick ones first.
PARTS: dict[str, Callable[[Numbers], Numbers]] = {
    "depths": _counted,
    "steps": _modelled,
    "weights": _weighed,
    "rule": _rules_and_networks,
    "bottleneck": _trained,
}


# ---- as text -------------------------------------------------------------------------------------


def as_data(numbers: Numbers) -> dict[str, Any]:
    """Return every statement with its verdict, as what JSON can hold."""
    rows = judge(numbers)
    return {
        "day": numbers.day,
        "verdicts": {str(verdict): count for verdict, count in counts(rows).items()},
        "claims": [_row(row) for row in rows],
    }


def _row(row: Judged) -> dict[str, Any]:
    each, found = row
    told: dict[str, Any] = {"id": each.id, "chapter": each.group, "says": each.says}
    if found is None:
        told["verdict"] = None
    else:
        told |= {
            "verdict": str(found.verdict), "condition": found.condition, "number": found.number,
            "basis": str(found.known), "what": found.what,
        }  # fmt: skip
    told |= {"rule": each.rule, "turns": each.turns, "not_measured_here": each.not_here}
    experiment = _where(each.experiment)
    return {**told, "experiment": experiment}


def _where(experiment: Any) -> dict[str, Any]:
    """Return an experiment as what JSON can hold: its last tick is "last", parts count from 1."""
    part, tick = experiment.tick if isinstance(experiment.tick, tuple) else (None, experiment.tick)
    tick = "last" if tick == float("inf") else tick
    of_part = {} if part is None else {"part": part + 1}
    settings = dict(experiment.settings)
    return {"chapter": experiment.chapter, "settings": settings, **of_part, "tick": tick}


def report(data: dict[str, Any]) -> str:
    """Return the table for people: a row a statement, by chapter."""
    from app.shares import columns

    lines = [", ".join(f"{count} {verdict}" for verdict, count in data["verdicts"].items())]
    for group in GROUPS:
        rows = [("", "verdict", "number", "basis", "what it is")]
        for row in data["claims"]:
            if row["chapter"] != group:
                continue
            if row["verdict"] is None:
                rows.append((row["says"], "not measured", "", "", row["not_measured_here"]))
                continue
            condition = f" {row['condition']}" if row["verdict"] == "holds if" else ""
            rows.append((row["says"], row["verdict"] + condition, row["number"], row["basis"],
                         row["what"]))  # fmt: skip
        lines += ["", group, columns(rows)]
    return "\n".join(lines)

"""From the choices of "3 Computing in AI" to what it draws: plain functions of plain data.

The window's worker and the command line call these; Qt is not seen here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib.util import find_spec
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from engine import claims, parts, roofline
from engine.live import LIVE, Meter, same, too_large
from engine.live import Live as Runs
from engine.said import Said
from engine.shares import CPU_PATH, Shares, Work
from engine.timing import CUPTI_PATH, QUEUED_PATH
from engine.trace import Basis
from engine.workload import SIZES, Device, Group, Operation, Precision, Style, Workload
from widgets import numbers
from widgets.captions import Captions
from widgets.numbers import NBSP
from widgets.scenes.computing_units.subject import (
    FACTORS,
    LANES,
    MODES,
    PANELS,
    Computing,
    Elsewhere,
    Faster,
    Live,
    Longest,
    Offer,
    Recorded,
    Run,
    Sample,
    Span,
    Stretch,
)

if TYPE_CHECKING:
    from engine.live import Measured
    from engine.parts import Part
    from engine.roofline import Event, Modelled
    from engine.selfcheck import Recording
    from engine.trace import Step

BATCHES = (1, 2, 4, 8, 16, 32, 64, 256)
TOKENS = (5, 16, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
PRECISIONS = {
    Precision.FP8: "FP8",
    Precision.FLOAT16: "FP16",
    Precision.TF32: "TF32",
    Precision.FLOAT32: "FP32",
}
SHORT = {Precision.BFLOAT16: "BF16", **PRECISIONS}
# Names by which people call precisions and styles, for the command line.
SAID_AS = {
    "fp16": "float16", "bf16": "bfloat16", "fp32": "float32", "half": "float16",
    "cupy": "cupy-eager", "torch-eager": "framework-eager", "eager": "framework-eager",
}  # fmt: skip
ALONE: dict[str, Any] = {"every": 1, "parallel": 1, "tokenizer": False}
# Roles whose name is shorter in a lane.
SHORT_ROLES = (
    "batch", "schedule", "tokenize", "ids.copy", "loss.copy", "loss.read", "token.copy",
    "token.read", "attn.residual", "mlp.residual",
)  # fmt: skip
AGAIN = "this-again"  # in the list of parts: this machine, measured anew
LISTED = 6  # of the longest operations
CLOCKS = {"cupti": CUPTI_PATH, "events": QUEUED_PATH, "cpu": CPU_PATH}
MAKERS = ("NVIDIA", "GeForce", "AMD", "Intel")
CHAIN_STEPS = 4  # of a recurrent layer, that the lanes show
MOST_SHOWN = 40  # operations of one stretch


@dataclass(frozen=True)
class Chosen:
    """What is chosen: the workload and the part, and what of it the stage shows.

    ``recording`` is the id of a recording whose card the part stands for, "" without one.
    """

    workload: Workload
    part: str = "h100"
    recording: str = ""
    preset: str = ""
    lanes: str = "part"  # or "cpu": the measured run
    unit: Work = Work.MATRIX
    factor: int = 4
    folded: bool = False
    panel: str = "faster"
    cell: tuple[int, int] = (0, 0)


PRESETS = {preset.id: preset for preset in claims.PRESETS}
DEFAULT = Chosen(Workload())


class WorkloadChoiceError(Said):
    """Something that cannot be chosen: why, and what there is, in one sentence."""


def chosen_from(
    *,
    preset: str = "",
    model: str = "",
    mode: str = "",
    part: str = "",
    style: str = "",
    precision: str = "",
    batch: int = 0,
    tokens: int = 0,
) -> Chosen:
    """Return a preset, or the default, with what is given put in its place.

    A model brings the batch and tokens that it is usually shown with, unless they are given.

    Raises
    ------
    engine.said.Said
        With one sentence, when something given does not exist or makes no sense.
    """
    if preset and preset not in PRESETS:
        raise WorkloadChoiceError(
            f"There is no preset {preset[:40]!r}; there are {', '.join(PRESETS)}."
        )
    workload, of_part = DEFAULT.workload, DEFAULT.part
    if preset:
        workload, of_part = PRESETS[preset].workload, PRESETS[preset].part
    given: dict[str, Any] = {}
    if model:
        given["model"] = model
        size = SIZES.get(model)
        if size is not None and model != workload.model:
            given |= {"batch": size.batch, "tokens": size.tokens, **ALONE}
    for key, value in (("mode", mode), ("style", style), ("precision", precision)):
        if value:
            given[key] = SAID_AS.get(value, value)
    given |= {key: n for key, n in (("batch", batch), ("tokens", tokens)) if n}
    workload = replace(workload, **given)
    if part != parts.THIS:
        parts.load(part or of_part)  # raises with a sentence
    changed = bool(given or part)
    return replace(
        DEFAULT, workload=workload, part=part or of_part, preset="" if changed else preset
    )


def preset_of(workload: Workload, part: str) -> str:
    """Return the preset that a workload on a part is, or ""."""
    found = (p.id for p in PRESETS.values() if (p.workload, p.part) == (workload, part))
    return next(found, "")


# ------------------------------------------------------------------ the subject


def computing(
    chosen: Chosen, say: Captions, *, live: Live | None = None, cpu: Run | None = None,
    measured: Shares | None = None, tile: Any = None, device: str = "",
    part: Part | None = None, recording: Recording | None = None,
) -> Computing:  # fmt: skip
    """Return what the chapter draws of a choice.

    Parameters
    ----------
    chosen
        The choice.
    say
        The words.
    live, cpu, measured, tile, device
        What was measured on this machine: the live series, the run that the lanes can show, the
        shares of this very workload; one tile; the name of a device that has these units.
    part
        What it is modelled for, by default the data sheet of the chosen part.
    recording
        Somebody else's measurements, which take the place of this machine's.

    Raises
    ------
    engine.said.Said
        If the part's file is damaged.
    """
    part = part or parts.load(chosen.part)
    modelled = roofline.model(chosen.workload, part)
    if recording is not None:
        measured = recording.of(chosen.workload)
    workload = modelled.ran
    size = workload.size
    claim = claims.claim_of(workload)
    run = cpu if chosen.lanes == "cpu" and cpu is not None else modelled_run(modelled, say)
    short = short_title(part)
    return Computing(
        model=size.title,
        size=say("units.size", batch=workload.batch, tokens=workload.tokens),
        mode=str(workload.mode),
        precision=SHORT[Precision(workload.precision)],
        precision_id=str(workload.precision),
        style=say(f"units.style.{workload.style}"),
        part=short,
        run=run,
        flops=modelled.flop_parts,
        time=modelled.shares,
        claim=claim.parts,
        beyond=claim.beyond,
        causes=claims.causes(modelled),
        faster=faster(modelled, chosen.unit, chosen.factor),
        source=source(modelled, say, timed_on(say, device, measured, recording)),
        modes=tuple(Offer(mode, say(f"units.offer.{mode}")) for mode in MODES),
        precisions=_precisions(part, say),
        presets=tuple((preset.nearly_true, Offer(preset.id, say(f"units.preset.{preset.id}")))
                      for preset in PRESETS.values()),
        preset=preset_of(chosen.workload, chosen.part),
        lanes=(Offer("part", f"≈{NBSP}{short}"),
               Offer("cpu", say("units.this_gpu" if device else "units.this_cpu"),
                     "" if cpu else say("units.no_run"))),
        measured=measured,
        measured_on=device,
        recorded=recorded_as(recording) if recording is not None else None,
        pipe_active=modelled.pipe_active if part.device == Device.GPU else None,
        longest=tuple(
            Longest(label_of(row.operation, say), row.operation.work, row.count, row.seconds)
            for row in modelled.longest(LISTED)
        ),
        live=live or Live("", ""),
        tile=tile,
        cell=chosen.cell,
        panel=chosen.panel if chosen.panel in PANELS else "faster",
        folded=chosen.folded,
    )  # fmt: skip


def recorded_as(recording: Recording) -> Recorded:
    """Return a recording as the chapter shows it."""
    rows = [row for row in (*recording.data["models"], *recording.data.get("workloads", ()))
            if "shares" in row]  # fmt: skip
    return Recorded(
        without_maker(recording.card), recording.date[:10], recording.label, recording.program,
        tuple(sorted(recording.versions.items())), recording.ok, str(recording.data["tracing"]),
        tuple((row["model"], row["precision"], recording.shares(row["model"], row["precision"]))
              for row in rows),
    )  # fmt: skip


def short_title(part: Part) -> str:
    """Return a part's name without its maker and form: "H100"."""
    return short_name(part.title)


def short_name(title: str) -> str:
    """Return the name of a card without its maker, form and memory."""
    kept = without_maker(title).partition(",")[0].split() or [title]
    return " ".join(kept[: 2 if kept[0] in ("RTX", "Desktop", "This") else 1])


def without_maker(title: str) -> str:
    """Return the name of a card without its maker."""
    return " ".join(word for word in title.split() if word not in MAKERS)


def _precisions(part: Part, say: Captions) -> tuple[Offer, ...]:
    """Return the precisions in which a part computes products, the others with the reason."""
    offers = []
    for precision, label in PRECISIONS.items():
        runs = part.runs(precision)
        reason = ""
        if runs is not precision:
            reason = say("units.no_precision", part=short_title(part), precision=label,
                         runs=SHORT[runs])  # fmt: skip
        offers.append(Offer(precision.value, label, reason))
    return tuple(offers)


def faster(modelled: Modelled, unit: Work, factor: int) -> Faster:
    """Return what the whole step takes when one unit is so many times faster."""
    made = roofline.amdahl(modelled, unit, factor if factor in FACTORS else 1)
    return Faster(unit, int(made.times), made.shares, made.limit)


def timed_on(
    say: Captions, device: str, measured: Shares | None, recording: Recording | None
) -> str:  # fmt: skip
    """Return which bars were timed on a GPU, and on whose."""
    if recording is not None:
        return say("units.source_recorded", label=recording.label)
    if not device:
        return say("units.source_none")
    return say("units.source_device" if measured is None else "units.source_timed", device=device)


def source(modelled: Modelled, say: Captions, timed: str) -> str:
    """Return what was assumed, behind what was timed."""
    part, ran = modelled.part, modelled.ran
    base = roofline.BASE
    if part.device == Device.CPU:
        # Of this machine the rates were reached, of another one they are promised.
        reached, memory = (1.0, 1.0) if part.measured else (roofline.HOST_PRODUCT, base.memory)
        words = say(
            "units.source_cpu",
            product=f"{100 * reached:.0f}",
            peak=numbers.value(part.flops_per_second(Precision.FLOAT32) / 1e9),
            memory=f"{100 * memory:.0f}",
            bandwidth=numbers.value(part.bytes_per_second / 1e9),
            call=numbers.seconds(part.call_seconds),
        )
        day = part["float32"].read_on
        timed = say("units.source_rates", day=day) if part.measured else timed
        return " · ".join((timed, words, *modelled.notes))
    words = say(
        "units.source",
        product=f"{100 * max(reached for *_, reached in roofline.TILES):.0f}",
        peak=numbers.value(part.flops_per_second(Precision(ran.precision)) / 1e12),
        memory=f"{100 * base.memory:.0f}",
        bandwidth=numbers.value(part.bytes_per_second / 1e9),
        floor=numbers.seconds(base.floor),
        launch=numbers.seconds(modelled.launch_seconds),
    )
    return " · ".join((timed, *modelled.notes, words))


# ------------------------------------------------------------------ the lanes


@lru_cache(maxsize=16)
def modelled_run(modelled: Modelled, say: Captions) -> Run:
    """Return the operations of a modelled step, one block for all that are alike."""
    ran = modelled.ran
    kernels, launches = _by_operation(modelled.events)
    order = [op for op in modelled.operations if op.name in kernels]
    hosts = [op for op in order if op.group is Group.HOST]
    device = [op for op in order if op.group is not Group.HOST]
    first = next((i for i, op in enumerate(order) if op.group is not Group.HOST), len(order))
    elsewhere = _elsewhere(modelled)
    before = [op for op in order[:first]]
    after = [op for op in hosts if op not in before]
    block = ran.size.blocks // 2
    stretches = [
        _stretch(group, ops, of_block, kernels, launches, elsewhere, say)
        for group, of_block, ops in _grouped(device, block)
        if ops
    ]
    return Run(
        basis=Basis.MODELLED,
        where=modelled.part.title,
        workload=said_as(ran, say),
        before=tuple(_span(op, kernels[op.name], 0.0, None, elsewhere, say) for op in before),
        stretches=tuple(stretches),
        after=tuple(_span(op, kernels[op.name], 0.0, None, elsewhere, say) for op in after),
        blocks=ran.size.blocks,
        on_cpu=modelled.part.device == Device.CPU,
    )


def said_as(workload: Workload, say: Captions) -> str:
    """Return a workload in words: "GPT-2 124M, training, 8 × 1024 tokens, FP16"."""
    return ", ".join(
        (
            workload.size.title,
            say(f"units.mode.{workload.mode}"),
            say("units.size", batch=workload.batch, tokens=workload.tokens),
            SHORT[Precision(workload.precision)],
        )
    )


def _by_operation(
    events: Iterable[Event],
) -> tuple[dict[str, tuple[float, float]], dict[str, tuple[float, float]]]:
    """Return when each operation begins and ends, and its launches, by its name."""
    kernels: dict[str, tuple[float, float]] = {}
    launches: dict[str, tuple[float, float]] = {}
    for event in events:
        op = event.operation
        launch = event.work is Work.SEQUENTIAL and op.work is not Work.SEQUENTIAL
        rows = launches if launch else kernels
        start, end = rows.get(op.name, (event.start, event.start))
        rows[op.name] = (min(start, event.start), max(end, event.start + event.seconds))
    return kernels, launches


def _grouped(device: list[Operation], block: int) -> Iterable[tuple[str, int, list[Operation]]]:
    """Yield caption, block and operations of each stretch: of the blocks, which are alike, one."""
    forward = [op for op in device if op.group is Group.FORWARD]
    backward = [op for op in device if op.group is Group.BACKWARD]
    inside = [i for i, op in enumerate(forward) if op.block is not None]
    begins, ends = (inside[0], inside[-1] + 1) if inside else (0, 0)
    back = [i for i, op in enumerate(backward) if op.block is not None]
    yield "embed", -1, forward[:begins]
    yield "forward", block, [op for op in forward if op.block == block][:MOST_SHOWN]
    answered = forward[ends:] + (backward[: back[0]] if back else [])
    yield "answer", -1, answered
    yield "backward", block, [op for op in backward if op.block == block][:MOST_SHOWN]
    tail = backward[back[-1] + 1 :] if back else []
    yield "update", -1, [*tail, *(op for op in device if op.group is Group.UPDATE)]


def _stretch(
    group: str,
    ops: Sequence[Operation],
    block: int,
    kernels: dict[str, tuple[float, float]],
    launches: dict[str, tuple[float, float]],
    elsewhere: dict[str, tuple[Elsewhere, ...]],
    say: Captions,
) -> Stretch:
    """Return the operations of a stretch on its own clock, and how far the host is ahead."""
    ops = _few(ops)
    zero = min(kernels[op.name][0] for op in ops)
    launched = [launches[op.name] for op in ops if op.name in launches]
    host_zero = min((start for start, _ in launched), default=zero)
    spans = []
    for op in ops:
        launch = None
        if op.name in launches:
            start, end = launches[op.name]
            launch = (start - host_zero, end - start)
        spans.append(_span(op, kernels[op.name], zero, launch, elsewhere, say))
    return Stretch(group, tuple(spans), block, max(zero - host_zero, 0.0))


def _few(ops: Sequence[Operation]) -> Sequence[Operation]:
    """Return the operations of a stretch, of a chain its first steps."""
    steps = [op for op in ops if ".h." in op.name and any(c.isdigit() for c in op.name)]
    if len(steps) <= 2 * CHAIN_STEPS:
        return ops
    kept = set(id(op) for op in steps[: 2 * CHAIN_STEPS])
    return [op for op in ops if op not in steps or id(op) in kept]


def label_of(op: Operation, say: Captions) -> str:
    """Return what an operation is called in its lane."""
    role = op.role.removesuffix(".backward")
    if role in SHORT_ROLES:
        short = role.replace(".", "-")
        return say(f"units.op.{short}")
    plain = op.label.removesuffix(", backward").replace("^⊤", "ᵀ")
    return re.sub(r"_\{([^}]*)\}", r"_\1", plain)


def _span(
    op: Operation,
    when: tuple[float, float],
    zero: float,
    launch: tuple[float, float] | None,
    elsewhere: dict[str, tuple[Elsewhere, ...]],
    say: Captions,
) -> Span:
    start, end = when
    operands = {o.letter: o.shape for o in (*op.operands, op.result)}
    return Span(
        name=op.name,
        label=label_of(op, say),
        work=op.work,
        start=start - zero,
        seconds=end - start,
        equation=op.equation,
        shapes=tuple(operands.items()),
        flops=op.cost.flops,
        bytes=op.cost.bytes,
        kernels=op.calls,
        launch=launch,
        elsewhere=elsewhere.get(op.name, ()),
        why=op.why,
    )


def _elsewhere(modelled: Modelled) -> dict[str, tuple[Elsewhere, ...]]:
    """Return what each product would take in the other precisions that the part computes in."""
    found: dict[str, list[Elsewhere]] = {}
    if modelled.kernels > roofline.MANY:
        return {}
    for precision, label in PRECISIONS.items():
        if precision == modelled.ran.precision or modelled.part.runs(precision) is not precision:
            continue
        other = roofline.model(replace(modelled.workload, precision=precision), modelled.part)
        kernels, _ = _by_operation(other.events)
        works = {op.name: op.work for op in other.operations}
        for name, (start, end) in kernels.items():
            found.setdefault(name, []).append(Elsewhere(label, end - start, works[name]))
    return {name: tuple(rows) for name, rows in found.items()}


# ------------------------------------------------------------------ measured here

# Steps of a run that have a name of their own in the lanes, by the end of their name.
STEPS = (
    "q-product",
    "k-product",
    "v-product",
    "scores-product",
    "scores",
    "pattern",
    "z",
    "concat",
    "sum",
    "bias",
    "out-product",
    "pre-product",
    "mlp-out",
    "act",
    "norm",
    "norm1",
    "norm2",
    "residual",
    "x",
    "logits",
)  # fmt: skip


def measured_run(
    measured: Measured, workload: Workload, say: Captions, device: str = ""
) -> Run:  # fmt: skip
    """Return a run of this machine as the lanes show it: each operation as long as it took.

    ``device`` is the GPU that it ran on, "" for this CPU.

    Operations are drawn one behind the other; the Python between them stands as one, behind all.
    """
    block = workload.size.blocks // 2
    parts: list[tuple[str, int, list[Step]]] = [
        ("embed", -1, [s for s in measured.worked if s.stage == "embed"]),
        ("forward", block, [s for s in measured.worked if s.stage.startswith(f"blocks.{block}.")]),
        ("answer", -1, [s for s in measured.worked if s.stage == "answer"]),
    ]
    between = measured.seconds - sum(step.timing.seconds for step in measured.worked)
    python = Span("python", say("units.python"), Work.SEQUENTIAL, 0.0, max(between, 0.0),
                  why=say("units.why_python"))  # fmt: skip
    stretches = []
    for group, of, steps in parts:
        clock, spans = 0.0, []
        for step in steps:
            seconds = step.timing.seconds
            work = Work(step.timing.unit.value)
            spans.append(Span(
                f"cpu.{step.name}", _step_label(step, say), work, clock, seconds, step.equation,
                (("value", step.value.shape),), step.cost.flops, step.cost.bytes,
                why=say(f"units.why_{'gpu' if device else 'cpu'}.{work}"),
            ))  # fmt: skip
            clock += seconds
        if spans:
            stretches.append(Stretch(group, tuple(spans), of))
    words = (
        f"{workload.size.title}, {say('units.size', batch=workload.batch, tokens=workload.tokens)}"
    )
    return Run(Basis.MEASURED, device or say("units.this_cpu"), words, (),
               tuple(stretches), (python,), workload.size.blocks, not device)  # fmt: skip


def _step_label(step: Step, say: Captions) -> str:
    from engine.ops import OPS

    parts_ = step.name.split(".")
    tail = "-".join(parts_[-2:]) if parts_[-1] == "product" else parts_[-1]
    if step.op == "add" and tail in ("out", "pre"):
        tail = "bias"
    if tail == "out-product" and "mlp" in parts_:
        tail = "mlp-out"
    return say(f"units.step.{tail}") if tail in STEPS else OPS[step.op].label


def as_run(workload: Workload, part: Part) -> Workload:
    """Return a workload as a part runs it: a CPU computes all products in float32."""
    if part.device == Device.GPU:
        return workload
    return replace(workload, precision=part.runs(Precision(workload.precision)))


def live_workload(
    chosen: Workload, precisions: tuple[str, ...] = (Precision.FLOAT32,)
) -> tuple[Workload, float | None]:
    """Return what is run here beside a choice, and how long the choice itself would take here.

    A choice that is small enough runs itself, else the block that always does; in float32 where
    products are not computed in the chosen format here (``Meter.precisions``).
    """
    seconds = too_large(chosen)
    within = chosen.precision if chosen.precision in precisions else Precision.FLOAT32
    if seconds is None:
        return replace(chosen, precision=within, style=Style.CUPY_EAGER, every=1,
                       parallel=1, tokenizer=False), None  # fmt: skip
    return replace(LIVE, precision=within), seconds


def live(
    chosen: Workload, samples: tuple[Sample, ...], seconds: float, say: Captions, *,
    runs: Workload | None = None, path: str = CPU_PATH, device: str = "",
    pipe: tuple[float | None, ...] = (), pipe_reason: str = "",
) -> Live:  # fmt: skip
    """Return a series of runs on this machine in words: which workload, and why it is not another.

    Parameters
    ----------
    chosen
        The workload that is chosen, which may be too large to run here.
    samples, seconds
        Shares of every run, and how long the last one took.
    runs
        What runs in its place, by default what would on a CPU.
    path, device
        The clock, as ``Shares.path``, and the GPU that runs it; "": this CPU does.
    pipe, pipe_reason
        How much of each run the tensor pipe worked, and why nobody knows.
    """
    workload, here = live_workload(chosen)
    workload = runs or workload
    words = say(
        "units.live_same" if here is None else "units.live_other",
        model=workload.size.title, precision=SHORT[Precision(workload.precision)],
    )  # fmt: skip
    note = ""
    if here is not None:
        key = "units.too_large" if math.isfinite(here) else "units.not_forward"
        note = say(key, workload=said_as(chosen, say), seconds=numbers.seconds(here or 0.0)
                   if math.isfinite(here) else "", live=said_as(workload, say))  # fmt: skip
    where = say("units.live_where", version=np.__version__)
    if device:
        where = say("units.live_where_gpu", device=device)
        if pipe_reason:
            note = f"{note} {say('units.no_pipe', why=pipe_reason)}".strip()
    by = next((key for key, title in CLOCKS.items() if title == path), "cpu")
    return Live(words, where, samples, seconds, note, by, device, pipe)


@cache
def meter() -> Meter:
    """Return what measures runs here: a GPU of this machine that really computes, or the CPU.

    It may take seconds the first time: call it behind the first picture.
    """
    if find_spec("cupy") is None:
        return Meter()
    from engine.gpu import on_device, probe

    return Meter(on_device(probe))


def gpu_here() -> str:
    """Return the name of a GPU of this machine that really computes, or "".

    As slow as ``meter`` the first time.
    """
    return meter().name


def recorded(
    chosen: Chosen, say: Captions, *, runs: int, seconds: float, part: Part | None = None
) -> Computing:  # fmt: skip
    """Return the subject of a choice with a series that is measured now: for stills.

    The series has at most so many runs, and ends when so many seconds are over.
    """
    here = meter()
    asked = as_run(chosen.workload, part or parts.load(chosen.part))
    workload, _ = live_workload(asked, here.precisions)
    runner = Runs(workload)
    here.run(runner)  # touches its memory for the first time
    series: list[Measured] = []
    start = perf_counter()
    while not series or (len(series) < runs and perf_counter() - start < seconds):
        series.append(here.run(runner))
    samples = tuple(sample_of(one) for one in series)
    last = series[-1]
    return computing(
        chosen,
        say,
        live=live(
            asked, samples, last.seconds, say, runs=workload, path=last.shares.path,
            device=here.name,
        ),
        cpu=measured_run(last, workload, say, here.name),
        measured=last.shares if same(asked, here.precisions) else None,
        tile=runner.tile(last),
        device=here.name,
        part=part,
    )  # fmt: skip


def sample_of(measured: Measured) -> Sample:
    """Return the shares of one run as the live plot takes them, copies and idle time folded in."""
    shares = measured.shares.folded
    return Sample(*(shares[work] for work in LANES))


def offers(say: Captions) -> dict[str, tuple[tuple[str, str], ...]]:
    """Return what can be chosen in the bar by kind: ids, and what they are called."""
    return {
        "model": tuple((size.id, size.title) for size in SIZES.values()),
        "batch": tuple((str(n), say("units.bar.batch_of", count=n)) for n in BATCHES),
        "tokens": tuple((str(n), say("units.bar.tokens_of", count=n)) for n in TOKENS),
        "part": (
            *((id, short_title(parts.load(id))) for id in parts.available()),
            (parts.THIS, say("units.this_machine")), (AGAIN, say("units.this_again")),
        ),
        "style": tuple((style.value, say(f"units.style.{style}")) for style in Style),
    }  # fmt: skip

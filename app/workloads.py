"""From the choices of "3 Computing in AI" to what it draws: plain functions of plain data.

The window's worker and the command line call these; Qt is not seen here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from app.workload_runs import PRECISIONS, label_of, measured_run, modelled_run, said_as
from engine import claims, parts, roofline
from engine.live import LIVE, Meter, same, too_large
from engine.live import Live as Runs
from engine.said import Said
from engine.shares import CPU_PATH, Shares
from engine.timing import CUPTI_PATH, QUEUED_PATH
from engine.units import Work
from engine.workload import SIZES, Device, Precision, Style, Workload
from widgets import numbers
from widgets.captions import Captions
from widgets.numbers import NBSP
from widgets.scenes.computing_units.subject import (
    FACTORS,
    LANES,
    MODES,
    PANELS,
    Computing,
    Faster,
    Live,
    Longest,
    Offer,
    Recorded,
    Run,
    Sample,
)

if TYPE_CHECKING:
    from engine.live import Measured
    from engine.parts import Part
    from engine.report import Recording
    from engine.roofline import Modelled

BATCHES = (1, 2, 4, 8, 16, 32, 64, 256)
TOKENS = (5, 16, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
# Names by which people call precisions and styles, for the command line.
SAID_AS = {
    "fp16": "float16", "bf16": "bfloat16", "fp32": "float32", "half": "float16",
    "cupy": "cupy-eager", "torch-eager": "framework-eager", "eager": "framework-eager",
}  # fmt: skip
ALONE: dict[str, Any] = {"every": 1, "parallel": 1, "tokenizer": False}
AGAIN = "this-again"  # in the list of parts: this machine, measured anew
LISTED = 6  # of the longest operations
CLOCKS = {"cupti": CUPTI_PATH, "events": QUEUED_PATH, "cpu": CPU_PATH}
MAKERS = ("NVIDIA", "GeForce", "AMD", "Intel")


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
        precision=PRECISIONS[Precision(workload.precision)],
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
                         runs=PRECISIONS[runs])  # fmt: skip
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


# ------------------------------------------------------------------ measured here


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
    pipe: tuple[float | None, ...] = (), pipe_reason: str = "", recording: float | None = None,
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
    recording
        What recording adds to a run, as a part of it.
    """
    workload, here = live_workload(chosen)
    workload = runs or workload
    words = say(
        "units.live_same" if here is None else "units.live_other",
        model=workload.size.title, precision=PRECISIONS[Precision(workload.precision)],
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
    return Live(words, where, samples, seconds, note, by, device, pipe, recording=recording)


@cache
def meter() -> Meter:
    """Return what measures runs here: a GPU of this machine that really computes, or the CPU.

    It may take seconds the first time: call it behind the first picture.
    """
    from engine.device import on_device
    from engine.gpu import probe

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

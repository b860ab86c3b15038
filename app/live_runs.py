"""What the workers of chapter 2 do: a run that is measured here, and what is drawn of a choice."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from app import this_machine, workload_runs, workloads
from engine import parts
from engine.units import Work

if TYPE_CHECKING:
    from app.workloads import Chosen
    from engine.live import Live as Runs
    from engine.live import Measured, Meter
    from engine.recorder import Recorder
    from engine.report import Recording
    from engine.tile import Tile
    from engine.workload import Workload
    from widgets.captions import Captions
    from widgets.scenes.computing_units.subject import Computing, Live


SHORT_SECONDS = 0.05  # of a run: of twenty somebody waits a second; of longer ones recording
# is a small part


class Round(NamedTuple):
    """What the worker brings of one run: ``meter`` measured it, or what took its place."""

    workload: Workload
    runs: Runs
    measured: Measured
    tile: Tile
    meter: Meter
    pipe: float | None
    said: str  # of a GPU that was lost
    recording: float | None  # what it adds to a run here, as a part of it; None: not measured


def measure(
    workload: Workload, runs: Runs | None, recorder: Recorder, meter: Meter | None = None,
    recording: float | None = None,
) -> Round:  # fmt: skip
    """Return one run of a workload on this machine, laid out anew unless it was already.

    What ``recording`` adds is measured once, when it is laid out.

    Without a ``meter`` a GPU is looked for; one that is lost is replaced by the CPU, and said.
    """
    import pyqtgraph  # noqa: F401  (the plot is made of it: here, so that no frame waits)

    from engine.device import Lost
    from engine.live import Live as Runs
    from engine.live import Meter

    meter, said = meter or workloads.meter(), ""
    anew = runs is None or runs.workload != workload
    if runs is None or runs.workload != workload:
        runs = Runs(workload)
    try:
        if anew:
            meter.run(runs)  # touches its memory for the first time
        meter.pipe_active()  # what lies between two questions is told
        with recorder.job():
            measured = meter.run(runs, recorder.watch)
    except Lost as error:
        said, meter = str(error), Meter()
        workload = replace(workload, precision="float32")
        runs = Runs(workload)
        measured = meter.run(runs, recorder.watch)
    pipe = meter.pipe_active()
    if anew:
        short = not meter.device.gpu and measured.seconds < SHORT_SECONDS
        began = perf_counter()
        recording = runs.recording() if short else None
        if short:
            ended = perf_counter()
            recorder.note(began, ended, {Work.UNCLASSIFIED: ended - began})
    return Round(workload, runs, measured, runs.tile(measured), meter, pipe, said, recording)


class Beside(NamedTuple):
    """What else a subject is made of: a recording, and this machine, where they are chosen."""

    recording: Recording | None = None
    path: Path = Path()  # where this machine's rates are kept
    anew: bool = False  # whether they are measured although they are
    recorder: Recorder | None = None


def subject_of(
    chosen: Chosen, say: Captions, live: Live, found: Round | None, beside: Beside
) -> tuple[Chosen, Computing, str]:  # fmt: skip
    """Return what is drawn of a choice, with what was measured of it, and what has to be said."""
    from engine.live import same

    part, problem = None, ""
    if chosen.part == parts.THIS:
        recorder = beside.recorder
        with recorder.job() if recorder is not None else nullcontext():
            part, problem = this_machine.part(
                beside.path, anew=beside.anew, note=recorder.note if recorder else None
            )

    cpu = measured = tile = None
    if found is not None:
        here = found.meter.precisions
        cpu = workload_runs.measured_run(found.measured, found.workload, say, found.meter.name)
        tile = found.tile
        asked = workloads.as_run(chosen.workload, part or parts.load(chosen.part))
        runs = workloads.live_workload(asked, here)[0]
        if same(asked, here) and runs == found.workload:
            measured = found.measured.shares
    # Until the first run has come nobody has looked for a GPU: that may take seconds.
    device = found.meter.name if found is not None else ""
    made = workloads.computing(
        chosen, say, live=live, cpu=cpu, measured=measured, tile=tile, device=device, part=part,
        recording=beside.recording,
    )  # fmt: skip
    return chosen, made, problem

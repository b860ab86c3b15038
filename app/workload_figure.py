"""``unrolled figure three-computing``: the chapter as a file, its series measured first."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.said import Said

if TYPE_CHECKING:
    from app.figures import Figure
    from engine.parts import Part

RUNS = 24  # of the live workload, for the series
SECONDS = 3.0  # that these may take

# Written here and not asked of the engine, so that help needs nothing heavy; a test compares.
UNITS = ("sequential", "stream", "matrix")
FACTORS = (1, 2, 4, 8, 16, 32, 64)


class FigureError(Said):
    """A figure that cannot be drawn, in one sentence."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Let the workload, and what of it is shown, be given; as in the chapter without."""
    add = parser.add_argument
    add("--preset", default="", metavar="ID",
        help="gpt3-layer, l4-prefill, toy, decode-1 or float32")  # fmt: skip
    add("--model", default="", metavar="ID", help="gpt2-124m by default")
    add("--mode", default="", metavar="M", help="training, inference or decode")
    add("--part", default="", metavar="ID", help="t4, l4, rtx4090, a100, h100, h200, b200, this")
    add("--style", default="", metavar="S", help="cupy-eager, framework-eager, fused or graph")
    add("--precision", default="", metavar="P", help="fp32, tf32, fp16, bf16 or fp8")
    add("--batch", type=int, default=None, metavar="B", help="sequences at once")
    add("--tokens", type=int, default=None, metavar="T", help="of each")
    add("--lanes", choices=("part", "cpu"), default="part", help="modelled, or measured here")
    add("--faster", choices=UNITS, default="matrix", help="the unit that is made faster")
    add("--times", type=int, choices=FACTORS, default=4, help="so many times")
    add("--panel", choices=("faster", "tile"), default="faster", help="at the left below")
    add("--fold", action="store_true", help="idle time and copies count as sequential")


def make(given: argparse.Namespace) -> Figure:
    """Return the chapter with what was given.

    Raises
    ------
    engine.said.Said
        With one sentence, when something given does not exist or makes no sense.
    """
    from app import this_machine, workloads
    from app.figures import Figure
    from app.threads import leave_a_core
    from engine import parts
    from engine.units import Work
    from widgets import captions
    from widgets.scenes.computing_units import computing_units

    for name in ("batch", "tokens"):
        number = getattr(given, name)
        if number is not None and number < 1:
            raise FigureError(f"--{name} {number} has nothing to compute; give a number from 1.")
    chosen = workloads.chosen_from(
        preset=given.preset, model=given.model, mode=given.mode, part=given.part,
        style=given.style, precision=given.precision, batch=given.batch or 0,
        tokens=given.tokens or 0,
    )  # fmt: skip
    chosen = replace(
        chosen, lanes=given.lanes, unit=Work(given.faster), factor=given.times,
        panel=given.panel, folded=given.fold,
    )  # fmt: skip
    leave_a_core()
    say = captions.load("en")
    part: Part | None = None
    notes: tuple[str, ...] = ()
    if chosen.part == parts.THIS:
        part, problem = this_machine.part(this_machine.place())
        notes = (problem,) if problem else ()
    subject = workloads.recorded(chosen, say, runs=RUNS, seconds=SECONDS, part=part)
    return Figure(computing_units, subject, subject.last_tick, {}, notes)

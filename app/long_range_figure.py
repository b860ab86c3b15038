"""``unrolled figure long-range``: an experiment of the laboratory as a file, computed first."""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.said import Said

if TYPE_CHECKING:
    from app.figures import Figure

# Written here and not asked of the engine, so that help needs nothing heavy; a test compares.
EXPERIMENTS = ("bottleneck", "influence", "scale", "position", "writing")
MATRICES = ("random", "orthogonal")
RADII = (0.5, 2.0)


class FigureError(Said):
    """A figure that cannot be drawn, in one sentence."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Let experiment, sentence, models and sliders be given; as in the laboratory without."""
    from app.figures import add_text

    add_text(parser)
    add = parser.add_argument
    add("--experiment", choices=EXPERIMENTS, default=EXPERIMENTS[0], help="which of the five")
    add("--model", default="", metavar="PAIR", help="of the sentence; rnn+transformer by default")
    add("--radius", type=float, metavar="R", help="spectral radius, 0.5 to 2, of influence")
    add("--matrix", choices=MATRICES, help="of influence: W_h random, or orthogonal")
    add("--d-head", type=int, metavar="D", help="width of a head, of scale, instead of --tick")


def make(given: argparse.Namespace) -> Figure:
    """Return the experiment with what was given.

    Raises
    ------
    engine.said.Said
        With one sentence, when something given does not exist or makes no sense.
    """
    from app import DEFAULT_PAIR, compute, long_range
    from app.figures import Figure, text_of
    from widgets.scenes import SCENES
    from widgets.scenes.long_range import Laboratory

    experiment = given.experiment
    for option, value, of in (
        ("--radius", given.radius, "influence"), ("--matrix", given.matrix, "influence"),
        ("--d-head", given.d_head, "scale"),
    ):  # fmt: skip
        if value is not None and experiment != of:
            raise FigureError(f"{option} is of --experiment {of}; leave it out of {experiment}.")
    if experiment not in long_range.OF_SENTENCE and (given.text is not None or given.model):
        raise FigureError(
            f"{experiment.capitalize()} asks models that were trained to reverse digits; leave "
            "--text and --model out."
        )
    radius = 1.0 if given.radius is None else given.radius
    if not RADII[0] <= radius <= RADII[1]:
        raise FigureError(
            f"--radius {radius:g} is no spectral radius from {RADII[0]} to {RADII[1]:g}."
        )
    chain, grid = compute.split_pair(given.model or "+".join(DEFAULT_PAIR))
    wish = long_range.Wish(text_of(given), chain, grid)
    if experiment == "bottleneck":
        print("The models are being asked, 15 s.", file=sys.stderr)
    subject = Laboratory(experiment, radius=radius, orthogonal=given.matrix == MATRICES[1])
    for part in long_range.gather(experiment, wish, radius, radii=(radius,)):
        subject = replace(subject, **part)
    if given.d_head is not None:
        if given.tick is not math.inf or given.every_tick:
            raise FigureError("--d-head stands for a tick; leave --tick and --every-tick out.")
        if given.d_head not in subject.widths:
            widths = ", ".join(map(str, subject.widths))
            raise FigureError(f"--d-head {given.d_head} was not computed; choose {widths}.")
        given.tick = float(subject.widths.index(given.d_head))
    compute.tick_in(subject.last_tick, given.tick)
    return Figure(SCENES["long-range"], subject, subject.last_tick)

"""``unrolled figure cpu-gpu``: the chapter as a file, measured first unless that is remembered."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from engine.said import Said

if TYPE_CHECKING:
    from app.figures import Figure
    from engine.race import Measured

# Written here and not asked of the engine, so that help needs nothing heavy; a test compares.
OPS = ("product", "map", "chain")
DATA, LAUNCHES = ("resident", "copied"), ("single", "graph")


class FigureError(Said):
    """A figure that cannot be drawn, in one sentence."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Let sentence, part and choices be given; as in the chapter without."""
    from app.figures import add_text

    add_text(parser)
    add = parser.add_argument
    add("--part", default="", metavar="ID", help="t4, l4, rtx4090, a100, h100, h200, b200")
    add("--op", choices=OPS, default=OPS[0], help="what is plotted against its size")
    add("--data", choices=DATA, default=DATA[0], help="on the GPU, or copied there and back")
    add("--launch", choices=LAUNCHES, default=LAUNCHES[0], help="one by one, or as a graph")
    add("--measure", action="store_true", help="measure this machine anew, 10 s")


def make(given: argparse.Namespace) -> Figure:
    """Return the chapter with what was given.

    Raises
    ------
    engine.said.Said
        With one sentence, when something given does not exist or makes no sense.
    """
    from app import DEFAULT_PAIR, compute, cpu_gpu
    from app.figures import Figure, text_of
    from engine import parts
    from widgets.scenes.cpu_gpu import Race
    from widgets.scenes.cpu_gpu import cpu_gpu as scene
    from widgets.scenes.cpu_gpu.subject import chosen

    gpus = cpu_gpu.gpus()
    part = given.part or cpu_gpu.PART
    if part not in gpus:
        raise FigureError(f"There is no GPU {part[:40]!r}; there are {', '.join(gpus)}.")
    pair = compute.make_pair(text_of(given), *DEFAULT_PAIR).pair
    measured, notes = known(anew=given.measure)
    subject = Race(
        **chosen(pair), measured=measured, part=parts.load(part), op=given.op,
        resident=given.data == DATA[0], graph=given.launch == LAUNCHES[1],
    )  # fmt: skip
    compute.tick_in(subject.last_tick, given.tick)
    return Figure(scene, subject, subject.last_tick, {}, notes)


def known(*, anew: bool = False) -> tuple[Measured, tuple[str, ...]]:
    """Return what this machine does, measured now unless that is remembered, and what to say."""
    from app import cpu_gpu, this_machine
    from engine import race, race_file

    path = this_machine.place()
    found = None if anew else race_file.load(path)
    if found is not None:
        return found, ()
    seconds = round(race.BUDGET_SECONDS)
    print(f"This machine is being measured, {seconds} s; it is remembered.", file=sys.stderr)
    *_, measured = cpu_gpu.sweep(lambda: False)
    try:
        race_file.save(measured, path)
    except race.RaceError as error:
        return measured, (str(error),)
    return measured, ()

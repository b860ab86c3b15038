"""``unrolled figure analytical-empirical``: the chapter as a file, asked and timed first."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from engine.said import Said

if TYPE_CHECKING:
    from app.figures import Figure

# Written here and not asked of the engine, so that help needs nothing heavy; a test compares.
TASKS = ("dates", "brackets")
CASES = ("clean", "out-of-range", "typo", "exceptions")
MOST_STEPS = 20_000


class FigureError(Said):
    """A figure that cannot be drawn, in one sentence."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Let task, case, text and network be given; as in the chapter without."""
    add = parser.add_argument
    add(
        "--text", metavar="TEXT", help='of your own, "5 mrach 2019"; an example of the case without'
    )
    add("--task", choices=TASKS, default=TASKS[0], help="what is to be solved")
    add("--case", choices=CASES, help="what both are asked: typo of dates, clean of brackets")
    add("--model", default="", metavar="ID", help="gru-bahdanau of dates, transformer of brackets")
    add("--train", type=int, default=0, metavar="N", help="train here for N steps, from step 0")
    add("--seed", type=int, default=0, metavar="S", help="of what is trained here")


def make(given: argparse.Namespace) -> Figure:
    """Return the chapter with what was given.

    Raises
    ------
    engine.said.Said
        With one sentence, when something given does not exist or makes no sense.
    """
    from app import solving
    from app.figures import Figure
    from engine import tasks
    from widgets.scenes.analytical_empirical import analytical_empirical

    offered = solving.ASKED[given.task]
    case = given.case or ("typo" if "typo" in offered else "clean")
    if case not in offered:
        raise FigureError(f"Nobody is asked {case} of {given.task}; choose {' or '.join(offered)}.")
    model = given.model or solving.TASKS[given.task]
    known = tasks.load(given.task).recipes
    if model not in known:
        raise FigureError(f"{given.task} has no model {model[:40]!r}; choose {', '.join(known)}.")
    if not 0 <= given.train <= MOST_STEPS:
        raise FigureError(f"--train {given.train} is no number of steps from 0 to {MOST_STEPS}.")
    if given.seed < 0:
        raise FigureError(f"--seed {given.seed} is below 0; give a number from 0.")
    wish = solving.Wish(
        task=given.task, model=model, case=case, text=given.text or "", seed=given.seed
    )
    notes: list[str] = []
    subject = solving.solve(wish, given.train, notes.append)
    return Figure(analytical_empirical, subject, subject.last_tick, notes=tuple(notes))

"""FIGURES: the chapters as files, each with options of its own; drawn without a window."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from app import (
    CHAPTER,
    DEFAULT_PAIR,
    DEFAULT_TEXT,
    claims_figure,
    long_range_figure,
    race_figure,
    solve_figure,
    workload_figure,
)
from app.threads import leave_a_core
from engine.said import Said

if TYPE_CHECKING:
    from widgets.canvas import Scene


class UsageError(Said):
    """What was asked for and cannot be done, in one sentence."""


class Figure(NamedTuple):
    """What is drawn: a scene of a subject, up to its last tick.

    ``view`` holds what of the view is not as usual; ``notes`` stand on the error stream.
    """

    scene: Scene
    subject: Any
    last: int
    view: Mapping[str, Any] = {}
    notes: tuple[str, ...] = ()


class Entry(NamedTuple):
    """A chapter: adds its options to a parser, and makes the figure of what was given.

    Nothing heavy is imported before a figure is made. ``make`` raises Said.
    """

    add_options: Callable[[argparse.ArgumentParser], None]
    make: Callable[[argparse.Namespace], Figure]


def add_text(parser: argparse.ArgumentParser) -> None:
    """Let a sentence be given."""
    parser.add_argument("--text", metavar="TEXT", help='with ___ for the word, "the cat ___"')


def text_of(given: argparse.Namespace) -> str:
    """Return the sentence that was given, or the default one."""
    return DEFAULT_TEXT if given.text is None else str(given.text)


def _from_1(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,5}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number from 1 to 999999")
    return int(text)


# ---- from RNN to Transformer -------------------------------------------------------------------


def _add_runs(parser: argparse.ArgumentParser) -> None:
    add_text(parser)
    parser.add_argument("--model", default="", metavar="PAIR", help="rnn+transformer by default")
    parser.add_argument("--layer", type=_from_1, metavar="N", help="block at rest, from 1")
    parser.add_argument("--query", type=_from_1, metavar="N", help="word that asks, from 1")
    parser.add_argument("--open", default="", metavar="NAME", help="one number, opened: "
                        "grid:blocks.0.attn.scores[0,4,1], chain:rnn.h.3[2]")  # fmt: skip


def _make_runs(given: argparse.Namespace) -> Figure:
    told = given.tick is not math.inf or given.every_tick or given.layer or given.query
    if given.open and told:
        raise UsageError(
            "One opened number is the same at every tick and whoever asks; "
            "leave --tick, --every-tick, --layer and --query out beside --open."
        )
    from app import compute
    from widgets.scenes import SCENES

    chain, grid = compute.split_pair(given.model or "+".join(DEFAULT_PAIR))
    leave_a_core()
    made = compute.make_pair(text_of(given), chain, grid)
    pair = made.pair
    compute.tick_in(pair.last_tick, given.tick)
    for name, number, most in (
        ("layer", given.layer, pair.grid.facts.layers),
        ("query", given.query, len(pair.tokens)),
    ):
        if number is not None and number > most:
            raise UsageError(f"There is no {name} {number}; give one from 1 to {most}.")
    if given.open and pair.find(given.open) is None:
        raise UsageError(
            f"There is no number {given.open[:60]!r}; names are side:step[i,j], as unrolled trace "
            "lists the steps, such as grid:blocks.0.attn.scores[0,1,2]."
        )
    if given.open:
        view: dict[str, Any] = {"selected": given.open}
    else:
        view = {
            "query": None if given.query is None else given.query - 1,
            "layer": None if given.layer is None else given.layer - 1,
            "growth": tuple(
                compute.measure_length(chain, grid, tokens) for tokens in compute.GROWTH_LENGTHS
            ),
        }
    scene = SCENES["opened" if given.open else CHAPTER]
    return Figure(scene, pair, pair.last_tick, view, tuple(made.notes))


FIGURES: dict[str, Entry] = {
    CHAPTER: Entry(_add_runs, _make_runs),
    "three-computing": Entry(workload_figure.add_options, workload_figure.make),
    "cpu-gpu": Entry(race_figure.add_options, race_figure.make),
    "analytical-empirical": Entry(solve_figure.add_options, solve_figure.make),
    "claims": Entry(claims_figure.add_options, claims_figure.make),
    "long-range": Entry(long_range_figure.add_options, long_range_figure.make),
}

"""``unrolled figure claims``: the statements of one chapter, judged first."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.figures import Figure


def add_options(parser: argparse.ArgumentParser) -> None:
    """Let this machine be measured anew; the tick says which statement is framed."""
    parser.add_argument("--measure", action="store_true", help="measure this machine anew, 10 s")


def make(given: argparse.Namespace) -> Figure:
    """Return the statements with their verdicts.

    Raises
    ------
    engine.said.Said
        With one sentence: a model that is not there, a tick behind the last.
    """
    from app import claims, compute
    from app.figures import Figure
    from engine.statements import Numbers, judge
    from widgets.scenes import SCENES
    from widgets.scenes.claims import Claims

    compute.tick_in(Claims(judge(Numbers())).last_tick, given.tick)
    *_, found = claims.gather(claims.place(), anew=given.measure)
    subject = Claims(judge(found), found.day)
    return Figure(SCENES["claims"], subject, subject.last_tick)

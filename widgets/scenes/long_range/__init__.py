"""The long-range laboratory: five experiments on distance, width, order and writing.

One is shown at a time, under the question that it answers. What is drawn was computed or measured
on this machine; below stands what it says, built from the numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date
from importlib import import_module
from typing import TYPE_CHECKING, Any

from engine.laboratory import EXPERIMENTS
from widgets.geometry import text_width
from widgets.glyphs import pill, shortened, wrapped
from widgets.picture import Picture, Shape, Text
from widgets.scenes.long_range.layout import CHOICES, EDGE, Place, place_for
from widgets.scenes.long_range.parts import said, segments, words
from widgets.scenes.long_range.subject import Laboratory

if TYPE_CHECKING:
    from widgets.captions import Captions
    from widgets.view import View

    Draw = Callable[[Laboratory, float, Place, View], list[Shape]]

__all__ = ["EXPERIMENTS", "Laboratory", "long_range", "messages", "now_words", "source_of"]


def long_range(subject: Laboratory, tick: float, view: View) -> Picture:
    """Return an experiment at a tick (a float: its fraction is the way to the next tick).

    Parameters
    ----------
    subject
        Which experiment, and what has been computed.
    tick
        0 … ``subject.last_tick``; what lies outside is moved to the nearer end.
    view
        Box (at least ``SMALLEST``), theme, captions and what is selected.
    """
    tick = min(max(tick, 0.0), float(subject.last_tick))
    place = place_for(view.width, view.height)
    drawn = _head(subject, tick, place, view)
    if subject.known:
        draw: Draw = getattr(_module(subject.experiment), subject.experiment)
        drawn += draw(subject, tick, place, view)
        drawn += said(messages(subject, tick, view.captions), place, view)
    else:
        drawn += _nothing(subject, place, view)
    source = source_of(subject, view.captions)
    drawn.append(words(EDGE, place.height - 12, source, view, weight=500, ink="ink3",
                       width=place.edge - EDGE))  # fmt: skip
    question = view.captions(f"lab.question.{subject.experiment}")
    return Picture(
        width=place.width, height=place.height, background=view.theme.stage, shapes=tuple(drawn),
        title=view.captions("lab.title", question=question),
        description=view.captions("lab.description", now=now_words(subject, tick, view.captions)),
    )  # fmt: skip


def source_of(subject: Laboratory, say: Captions) -> str:
    """Return where the numbers of the shown experiment come from, in a line."""
    found = subject.bottleneck
    if subject.experiment == "bottleneck" and found is not None and found.day:
        day = date.fromisoformat(found.day)
        return say("lab.source.remembered", day=f"{day.day} {day:%B %Y}")
    return say(f"lab.source.{subject.experiment}")


def now_words(subject: Laboratory, tick: float, say: Captions) -> str:
    """Return what the clock's pill says; "" while there is nothing to step through."""
    if not subject.known:
        return ""
    at = min(max(math.floor(tick), 0), subject.last_tick)
    if subject.experiment == "bottleneck":
        return say("lab.now.bottleneck", n=subject.length(at))
    if subject.experiment == "scale":
        return say("lab.now.scale", d=subject.width(at))
    return say(f"lab.now.{subject.experiment}", tick=at, last=subject.last_tick)


def messages(subject: Laboratory, tick: float, say: Captions) -> tuple[str, ...]:
    """Return what the numbers of the shown experiment say, in at most two sentences."""
    module = _module(subject.experiment)
    if subject.experiment == "bottleneck":
        told: tuple[str, ...] = module.messages(subject.bottleneck, say)
    else:
        told = module.messages(subject, tick, say)
    return told


def _module(experiment: str) -> Any:
    return import_module(f"widgets.scenes.long_range.{experiment}")


def _head(subject: Laboratory, tick: float, place: Place, view: View) -> list[Shape]:
    """Return the question, the clock, and the experiments to choose from."""
    theme, say = view.theme, view.captions
    question = say(f"lab.question.{subject.experiment}")
    size = max(27.0, place.read + 9)
    now = now_words(subject, tick, say)
    right = place.edge
    drawn: list[Shape] = []
    if now:
        drawn += pill(place.edge, 22, now, theme, size=max(17.0, place.read))
        right -= text_width(now, max(17.0, place.read), 600) + 50
    drawn.append(
        Text(x=EDGE, y=46, text=shortened(question, right - EDGE, size, 600), size=size, weight=600,
             family="display", fill=theme.ink, read_by_class=True)
    )  # fmt: skip
    if view.controls:
        offers = [(id, say(f"lab.choice.{id}")) for id in EXPERIMENTS]
        drawn += segments(EDGE, CHOICES, "experiment", offers, subject.experiment,
                          say("lab.experiment"), place, view)  # fmt: skip
    else:
        words_below = say(f"lab.subtitle.{subject.experiment}")
        drawn.append(words(EDGE, CHOICES + 20, words_below, view, size=place.read, read=True,
                           width=place.edge - EDGE))  # fmt: skip
    return drawn


def _nothing(subject: Laboratory, place: Place, view: View) -> list[Shape]:
    """Return what is being computed, or why nothing is."""
    x, y, width, height = place.body
    text = subject.problem or view.captions(f"lab.awaited.{subject.experiment}")
    lines = wrapped(text, 0.7 * width, place.read + 2)
    top = y + height / 2 - (len(lines) - 1) * (place.read + 10) / 2
    return [
        words(x + width / 2, top + i * (place.read + 10), each, view, size=place.read + 2,
              ink="error" if subject.problem else "ink2", anchor="middle", read=True)
        for i, each in enumerate(lines)
    ]  # fmt: skip

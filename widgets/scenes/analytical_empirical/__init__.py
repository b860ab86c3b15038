"""Analytical vs Empirical: one task, solved by a rule and by a network, and what each is good for.

The switch that turns the tables is the largest control: what is asked decides which is better. All
numbers were run, asked or timed here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from widgets.geometry import text_width
from widgets.glyphs import pill, shortened
from widgets.picture import Picture, Rect, Shape, Text
from widgets.remember import Groups, Is, remembered
from widgets.scenes.analytical_empirical import network, rows
from widgets.scenes.analytical_empirical.layout import EDGE, NOTE, PAD, Place, place_for
from widgets.scenes.analytical_empirical.parts import bar, percent, segments, words
from widgets.scenes.analytical_empirical.program import program
from widgets.scenes.analytical_empirical.subject import Case, Solved

if TYPE_CHECKING:
    from widgets.view import View

MOST_KEPT = 96  # parts of pictures, of which each has a dozen
_kept = Groups(MOST_KEPT)

__all__ = ["Solved", "analytical_empirical"]


def analytical_empirical(subject: Solved, tick: float, view: View) -> Picture:
    """Return the chapter at a tick (a float: its fraction is the way to the next tick).

    Parameters
    ----------
    subject
        The task, the text, and all that is known of both who solve it.
    tick
        0: the task; then the moments of the training; then the lines of the rule beside the
        symbols of the network; ``subject.last_tick``: both answers.
    view
        Box (at least ``SMALLEST``), theme, captions and what is selected.
    """
    tick = min(max(tick, 0.0), float(subject.last_tick))
    shown = math.floor(tick) + (1 if tick % 1 >= 0.2 else 0)
    place = place_for(view.width, view.height)
    return Picture(
        width=place.width, height=place.height, background=view.theme.stage,
        shapes=_shapes(Is(subject), shown, place, view._replace(hovered="")),
        title=view.captions("solve.title"), description=_described(subject, shown, view),
    )  # fmt: skip


@remembered(maxsize=4)
def _shapes(solved: Is[Solved], shown: int, place: Place, view: View) -> tuple[Shape, ...]:
    """Return all that is drawn at a tick; parts that look as they did are those of before."""
    subject = solved.what
    parts = (
        _kept(f"solve {slot}", (seen, view), partial(draw, subject, shown, place, view))
        for slot, (draw, seen) in _parts(subject, shown, view).items()
    )
    source = words(EDGE, place.height - 11, source_of(subject, view), view, pale=True,
                   width=place.edge - EDGE)  # fmt: skip
    return *parts, source


Draw = Callable[[Solved, int, Place, "View"], list[Shape]]


def _parts(subject: Solved, shown: int, view: View) -> dict[str, tuple[Draw, object]]:
    """Return who draws each part of the picture, and all of the subject that is drawn in it.

    While a network is trained another subject comes six times a second: what it changes nothing
    of stays as it was drawn.
    """
    moment, written = subject.moment_at(shown), subject.moment_at(shown).written
    done = subject.solved_at(shown), shown > subject.last_moment
    right = tuple(subject.rule.items()), tuple(moment.right.items())
    clock = None if view.controls else (shown, subject.last_tick)
    return {
        "head": (_head, (subject.task, clock)),
        "switch": (_switch, (subject.cases, subject.case, right)),
        "rule": (program, (subject.text, subject.source, subject.lines, Is(subject.ran), done)),
        "right": (rows.accuracies, (subject.task, subject.case, right)),
        **{
            row: (partial(rows.row, row), rows.seen(row, subject, shown, view))
            for row in rows.ROWS
        },
        "network": (network.frame, (moment.step, subject.steps)),
        "curves": (network.curves, network.course(subject, shown)),
        "buttons": (network.controls, (network.buttons(subject, view), subject.trained_here)),
        "answer": (
            network.answer,
            (Is(written), subject.trained_here, subject.digits_at(shown), subject.wanted,
             network.is_solving(subject, shown)),
        ),
    }  # fmt: skip


def source_of(subject: Solved, view: View) -> str:
    """Return where the numbers come from, in a line."""
    say = view.captions
    key = "solve.source_here" if subject.trained_here else "solve.source_shipped"
    return say(key, network=subject.network, parameters=f"{subject.parameters:,}".replace(",", " "),
               seed=subject.seed, steps=subject.steps)  # fmt: skip


def _head(subject: Solved, shown: int, place: Place, view: View) -> list[Shape]:
    theme, say = view.theme, view.captions
    title = say("solve.title")
    shapes: list[Shape] = [
        Text(x=EDGE, y=46, text=title, size=27, weight=600, family="display", fill=theme.ink,
             read_by_class=True)
    ]  # fmt: skip
    right = place.edge
    if view.controls:
        offers = [(task, say(f"solve.task.{task}")) for task in ("dates", "brackets")]
        right, row = segments(right, 18, "task", offers, subject.task, view)
        shapes += row
    else:
        clock = say("solve.clock", tick=shown, last=subject.last_tick)
        shapes += pill(right, 20, clock, theme, size=place.read)
        right -= text_width(clock, place.read, 600) + 32
    left = EDGE + text_width(title, 27, 600, "display") + 18
    shapes.append(words(left, 45, say(f"solve.one.{subject.task}"), view, size=16,
                        width=right - 14 - left))  # fmt: skip
    return shapes


def _switch(subject: Solved, shown: int, place: Place, view: View) -> list[Shape]:
    """Return the largest control: what is asked, with both accuracies in each position."""
    x, y, width, height = place.switch
    theme = view.theme
    each = width / len(subject.cases)
    shapes: list[Shape] = [Rect(x=x, y=y, width=width, height=height, radius=12, fill=theme.well)]
    for i, case in enumerate(subject.cases):
        box = (x + i * each, y, each, height)
        if case.id == subject.case:
            shapes.append(Rect(x=box[0], y=y - 1, width=each, height=height + 2, radius=12,
                               fill=theme.stage, stroke=theme.ink, stroke_width=2))  # fmt: skip
        shapes += _case(subject, case, shown, box, place, view)
    return shapes


def _case(
    subject: Solved, case: Case, shown: int, box: tuple[float, float, float, float], place: Place,
    view: View,
) -> list[Shape]:  # fmt: skip
    x, y, width, _ = box
    theme, say, read = view.theme, view.captions, place.read
    on = case.id == subject.case
    label = say(f"solve.case.{case.id}")
    name = f"choose:case:{case.id}"
    left, right = x + PAD, x + width - PAD
    reason = say(f"solve.not.{case.id}") if case.reason else ""
    long = text_width(label, read, 600)
    size = read if long <= width - 2 * PAD else read * (width - 2 * PAD) / long
    shapes: list[Shape] = [
        Text(x=left, y=y + 10 + 0.8 * read, text=label, size=max(size, NOTE),
             weight=600, fill=theme.ghost if reason else theme.ink if on else theme.ink2,
             read_by_class=size >= place.code)
    ]  # fmt: skip
    room = right - left - text_width(label, max(size, NOTE), 600) - 10
    if case.example and room >= text_width(case.example, NOTE, 500, "mono"):
        shapes.append(words(right, y + 10 + 0.8 * read, case.example, view, mono=True, end=True))
    if reason:
        shapes.append(words(left, y + 14 + 2.4 * read, reason, view, pale=True, width=right - left))
    else:
        found = subject.moment_at(shown).right.get(case.id)
        for j, (who, share) in enumerate((("rule", subject.rule.get(case.id)), ("network", found))):
            top = y + 14 + 1.25 * read + j * (1.35 * read + 2)
            base = top + 0.95 * read
            value = percent(share)
            shapes += [
                words(left, base, say(f"solve.{who}"), view, size=max(NOTE, 0.9 * read)),
                *bar((left + 5 * read, top + 0.25 * read, right - left - 8.8 * read, 0.68 * read),
                     share, view),
                Text(x=right, y=base, text=value, size=read, weight=700, anchor="end",
                     fill=theme.ink if share else theme.ghost, read_by_class=True),
            ]  # fmt: skip
    title = reason or say("solve.choose_case", case=label)
    return [*shapes, Rect(x=x, y=y, width=width, height=box[3], name=name, title=title)]


def _described(subject: Solved, shown: int, view: View) -> str:
    """Return what the picture shows, for who does not see it."""
    say = view.captions
    written = subject.moment_at(shown).written
    rule = subject.ran.answer or subject.ran.reason
    return say(
        "solve.description", text=shortened(subject.text, 400, NOTE), rule=rule,
        network=written.symbols if written else "—", case=say(f"solve.case.{subject.case}"),
        rule_share=percent(subject.rule.get(subject.case)),
        network_share=percent(subject.moment_at(shown).right.get(subject.case)),
    )  # fmt: skip

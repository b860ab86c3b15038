"""The middle: the accuracies of the case, large, and the four rows of the course text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from widgets import numbers
from widgets.geometry import text_width
from widgets.glyphs import wrapped
from widgets.picture import Path, Rect, Shape, Text
from widgets.scenes.analytical_empirical.layout import NOTE, Place
from widgets.scenes.analytical_empirical.parts import bar, hairline, percent, ring, words
from widgets.scenes.analytical_empirical.subject import Solved

if TYPE_CHECKING:
    from widgets.view import View

ROWS = ("theory", "program", "order", "precise")
SIDES = ("rule", "network")
HEIGHTS = (0.215, 0.215, 0.26, 0.31)  # of what the rows have together
SPLIT = 0.475  # of the width, for the rule: the network has more to say


def accuracies(subject: Solved, shown: int, place: Place, view: View) -> list[Shape]:
    """Return how many of the case each of both has right, at a tick."""
    x, y, width, _ = place.middle
    say, theme, read = view.captions, view.theme, place.read
    case = say(f"solve.of.{subject.task}.{subject.case}")
    shares = (subject.rule.get(subject.case), subject.moment_at(shown).right.get(subject.case))
    heading = say("solve.right")
    shapes: list[Shape] = [
        words(x, y + 15, heading, view, size=16, strong=True),
        words(x + width, y + 15, case, view, end=True,
              width=width - text_width(heading, 16, 600) - 12),
    ]  # fmt: skip
    large, each = _large(place)
    for i, (who, share) in enumerate(zip(SIDES, shares, strict=True)):
        top = y + 27 + i * each
        base = top + 0.86 * large + 2
        name = f"right:{who}"
        title = say(f"solve.{who}")
        shapes += [
            Text(x=x, y=base, text=title, size=read, weight=600, fill=theme.ink,
                 read_by_class=True),
            *bar((x + 5.2 * read, top + 2, width - 10.9 * read, large), share, view, name=name,
                 title=say("solve.share_title", who=title, right=share.right, asked=share.asked)
                 if share else "", whisker=True),
            Text(x=x + width, y=base, text=percent(share), size=1.2 * large, weight=700,
                 anchor="end", fill=theme.ink if share else theme.ghost, read_by_class=True,
                 name=name if share else ""),
        ]  # fmt: skip
        if view.selected == name:
            shapes.append(ring((x, top, width, large + 4), view))
    return shapes


def _large(place: Place) -> tuple[float, float]:
    """Return how high the bars of the accuracies are, and how far apart."""
    large = 1.25 * place.read
    return large, large + 18


def seen(row: str, subject: Solved, shown: int, view: View) -> object:
    """Return all of the subject that is drawn in a row."""
    return tuple(told(subject, row, side, view, shown) for side in SIDES)


def row(which: str, subject: Solved, shown: int, place: Place, view: View) -> list[Shape]:
    """Return a row of the course text: what it says of each side, a number, and what it is."""
    x, y, width, height = place.middle
    above = 27 + 2 * _large(place)[1] + 2
    heights = [(height - above) * part for part in HEIGHTS]
    at = ROWS.index(which)
    y, height = y + above + sum(heights[:at]), heights[at]
    theme, say = view.theme, view.captions
    half = SPLIT * width
    shapes: list[Shape] = [
        hairline(x, y, width, view),
        Path(commands=(("M", x + half - 3, y + 10), ("L", x + half - 3, y + height - 6)),
             stroke=theme.hair2, stroke_width=1),
    ]  # fmt: skip
    for i, side in enumerate(SIDES):
        left = x + i * (half + 7)
        room = width - half - 7 if i else half - 12
        number, unit, cause = told(subject, which, side, view, shown)
        head = say(f"solve.row.{which}.{side}")
        large = min(1.35 * place.read, 24.0 + 0.02 * height)
        base = y + 21 + 1.02 * large
        shapes += [
            words(left, y + 18, head, view, strong=True, width=room + 1),
            Text(x=left, y=base, text=number, size=large, weight=700, fill=theme.ink,
                 read_by_class=True),
            words(left + text_width(number, large, 700) + 7, base, unit, view,
                  width=room - text_width(number, large, 700) - 7),
        ]  # fmt: skip
        most = max(int((y + height - base - 4) / 17), 0)
        parts = wrapped(cause, room, NOTE, 600)
        if len(parts) > most > 0:
            parts = (*parts[: most - 1], " ".join(parts[most - 1 :]))
        for j, part in enumerate(parts[:most]):
            shapes.append(words(left, base + 18 + 17 * j, part, view, width=room))
    shapes.append(Rect(x=x, y=y + 1, width=width, height=height - 2, name=f"row:{which}",
                       title=say(f"solve.row.{which}.title")))  # fmt: skip
    if view.selected == f"row:{which}":
        shapes.append(ring((x, y + 4, width, height - 8), view))
    return shapes


def told(subject: Solved, row: str, side: str, view: View, shown: int) -> tuple[str, str, str]:
    """Return the number of a side in a row, what it is the number of, and the cause in words."""
    say, times = view.captions, subject.times
    moment = subject.moment_at(shown)
    none = "—"
    if row == "theory":
        if side == "rule":
            return "0", say("solve.examples"), say(f"solve.theory.rule_{subject.task}")
        drawn = f"{moment.step * subject.batch:,}".replace(",", numbers.THIN)
        if not subject.examples:
            return drawn, say("solve.examples"), say("solve.theory.anew")
        used = f"{subject.examples:,}".replace(",", numbers.THIN)
        return used, say("solve.examples"), say("solve.theory.network", drawn=drawn)
    if row == "program":
        if side == "rule":
            return str(subject.lines), say("solve.lines_written"), ""
        parameters = f"{subject.parameters:,}".replace(",", numbers.THIN)
        step = f"{moment.step:,}".replace(",", numbers.THIN)
        taken = say("solve.steps", count=moment.step)
        return step, taken, say("solve.program.network", parameters=parameters)
    if row == "order":
        if times is None:
            return none, say("solve.timing"), ""
        if side == "rule":
            cause = say("solve.order.rule", each=numbers.seconds(times.rule_batch),
                        batch=times.batch, depth=times.rule_depth)  # fmt: skip
            return numbers.seconds(times.rule), say("solve.alone"), cause
        cause = say("solve.order.network", each=numbers.seconds(times.together),
                    batch=times.batch, depth=times.depth)  # fmt: skip
        return numbers.seconds(times.alone), say("solve.alone"), cause
    share = (subject.rule if side == "rule" else moment.right).get(subject.case)
    if share is None:
        return none, say("solve.asking"), ""
    wrong = f"{100 * (1 - share.share):.0f}{numbers.NBSP}%"
    if side == "rule":
        cause = subject.ran.reason
        key = "solve.precise.refused" if cause else "solve.precise.rule"
        return wrong, say("solve.wrong"), say(key, lines=len(subject.ran.lines))
    latest = moment is subject.moments[-1]
    sure = subject.sure.get(subject.case) if latest else None
    parts = []
    if sure is not None and sure.wrong is not None:
        parts.append(say("solve.precise.sure", sure=f"{sure.wrong:.2f}"))
    elif sure is not None and sure.right is not None:
        parts.append(say("solve.precise.never", sure=f"{sure.right:.2f}"))
    if moment.head is not None:
        parts.append(say("solve.precise.head", score=f"{moment.head.score:.2f}"))
    if subject.ablation is not None and latest:
        parts.append(say(f"solve.ablated.{subject.ablation.what}",
                         after=percent(subject.ablation.after)))  # fmt: skip
    return wrong, say("solve.wrong"), "; ".join(parts)

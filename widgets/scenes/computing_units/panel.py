"""FLOPs are not time: what was counted beside what was modelled, measured and claimed, by unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.shares import Shares
from engine.units import Work
from widgets import numbers
from widgets.geometry import text_width
from widgets.glyphs import Box, toggle, wrapped
from widgets.numbers import NBSP
from widgets.picture import Path, Rect, Shape, Text
from widgets.scenes.computing_units.layout import NOTE, Place
from widgets.scenes.computing_units.parts import fine_percents, note, percent, ringed, rule
from widgets.scenes.computing_units.subject import LANES, Computing
from widgets.units import DASH, Edge, bar, claim, hues, icon, pattern, whisker

if TYPE_CHECKING:
    from widgets.view import View

BAR = 20.0  # px high
PAD = 20.0
CLAIMED, NEAR = 14.0, 4.0  # above the bar of modelled time, above that of measured time
PARTS = (
    Work.SEQUENTIAL, Work.STREAM, Work.MATRIX, Work.COPY, Work.IDLE, Work.UNCLASSIFIED,
)  # fmt: skip
CAUSES = 2  # lines of them


def time_percents(shares: Shares, folded: bool) -> dict[Work, int]:
    """Return whole per cents of wall time that add up to 100.

    Folded, copies and idle time are the sequential lane's, as in the course text.
    """
    of = shares.folded if folded else shares
    return dict(zip(PARTS, numbers.percents(of[work] for work in PARTS), strict=True))


def flop_percents(subject: Computing) -> dict[Work, str]:
    """Return the per cents of counted FLOPs with one digit, which add up to 100."""
    parts = [subject.flops.get(work, 0.0) for work in LANES]
    return dict(zip(LANES, fine_percents(parts), strict=True))


def panel(subject: Computing, place: Place, view: View) -> list[Shape]:
    """Return the panel of shares."""
    theme, say = view.theme, view.captions
    x, y, width, height = place.panel
    left, right = x + PAD, x + width - PAD
    what = say(f"units.mode.{subject.mode}")
    title = say("units.panel_sub", mode=what, precision=subject.precision, style=subject.style)
    shapes: list[Shape] = [
        Rect(x=x, y=y, width=width, height=height, radius=14, fill=theme.panel, stroke=theme.hair,
             stroke_width=1),
        Text(x=left, y=y + 31, text=say("units.panel"), size=19, weight=600, fill=theme.ink,
             read_by_class=True),
        note(left, y + 52, title, view, width=right - left),
    ]  # fmt: skip
    legend = _legend(subject, left, y + height - 14, right - left, view)
    foot = y + height - 14 - 21 * len(_signs(subject, view)) - 12
    causes = _causes(subject, left, foot - 12, right - left, view)
    rest = _rest(subject, left, foot - 12 - 18 * CAUSES - 52, right - left, view)
    top, bottom = y + 64, foot - 12 - 18 * CAUSES - 58
    pitch = (bottom - top) / 3
    for i, work in enumerate(LANES):
        shapes += _section(subject, work, (left, top + i * pitch, right - left, pitch), place, view)
    return [*shapes, *rest, *causes, rule(left, foot, right - left, view), *legend]


def _section(subject: Computing, work: Work, box: Box, place: Place, view: View) -> list[Shape]:
    """Return what is counted, modelled, measured and claimed of one unit."""
    theme, say = view.theme, view.captions
    x, y, width, height = box
    track = width - 92
    colours = hues(work, theme)
    measured = subject.measured
    rows = 3 if measured is not None else 2
    # Above the bar of time stands what is claimed of it.
    size = min(BAR, (height - 29 - CLAIMED - NEAR * (rows - 2)) / rows)
    bottom = y + 27 + size * rows + CLAIMED + NEAR * (rows - 2) + 2
    grid = Path(
        commands=tuple(
            c for i in range(3)
            for c in (("M", x + track * i / 2, y + 25), ("L", x + track * i / 2, bottom))
        ),
        stroke=theme.hair, stroke_width=1,
    )  # fmt: skip
    # Numbers stand as their bars do, and closer ones give way upwards: each is a line of its own.
    middles = [y + 27 + size / 2, y + 27 + size + CLAIMED + size / 2]
    middles += [middles[1] + size + NEAR] * (rows - 2)
    lines = [middle + 0.36 * place.read for middle in middles]
    for i in reversed(range(rows - 1)):
        lines[i] = min(lines[i], lines[i + 1] - 0.98 * place.read)
    shapes: list[Shape] = [
        grid,
        *icon(work, x, y + 4, 17, colours.text),
        Text(x=x + 28, y=y + 18, text=say(f"units.{work}"), size=place.read, weight=600,
             fill=colours.text, read_by_class=True),
    ]  # fmt: skip
    # FLOPs, counted: solid.
    top = y + 27
    part = subject.flops.get(work, 0.0)
    shapes += _row(
        work, (x, top, track, size), part, flop_percents(subject)[work], "solid", width, lines[0],
        place, view, name=f"flops:{work}",
        title=say("units.flops_title", unit=say(f"units.{work}"),
                  percent=flop_percents(subject)[work]),
    )  # fmt: skip
    top += size + CLAIMED
    shapes += _time_row(
        subject, subject.time, work, (x, top, track, size), width, lines[1], place, view
    )  # fmt: skip
    if work in subject.claim:
        claimed = subject.claim[work]
        plus = work in subject.beyond
        words = say("units.claim_title", unit=say(f"units.{work}"), percent=f"{claimed:.0%}")
        at = x + track * claimed
        shapes += claim(at, top - 1, top + size + 4, theme, beyond=plus, name=f"claim:{work}",
                        title=words)  # fmt: skip
        text = f"{100 * claimed:.0f}{'+' if plus else ''}"
        # Beside the triangle, in the gap above the bar.
        shapes.append(
            Text(x=at + (23 if plus else 9), y=top - 1, text=text, size=NOTE, weight=600,
                 fill=theme.ink, name=f"claim:{work}", title=words)
        )  # fmt: skip
    if measured is not None:
        top += size + NEAR
        shapes += _time_row(
            subject, measured, work, (x, top, track, size), width, lines[2], place, view
        )  # fmt: skip
    return shapes


def _time_row(
    subject: Computing, shares: Shares, work: Work, box: Box, width: float, line: float,
    place: Place, view: View,
) -> list[Shape]:  # fmt: skip
    """Return the bar of a unit's share of time, with the range that a model leaves."""
    x, y, track, size = box
    modelled = shares is subject.time
    of = shares.folded if subject.folded else shares
    value = time_percents(shares, subject.folded)[work]
    say = view.captions
    kind = "share" if modelled else "measured"
    key = "recorded" if subject.recorded is not None and not modelled else kind
    title = say(f"units.{key}_title", unit=say(f"units.{work}"), percent=value)
    shapes = _row(
        work, box, of[work], percent(value, modelled), "dashed" if modelled else "solid", width,
        line, place, view, name=f"{kind}:{work}", title=title,
    )  # fmt: skip
    low, high = (bound or {} for bound in (of.low, of.high))
    if work in low and work in high:
        shapes += whisker(x + track * low[work], x + track * high[work], y + size / 2, view.theme)
    pipe = subject.pipe_active
    if modelled and work is Work.MATRIX and pipe is not None:
        at, middle = x + track * pipe, y + size / 2
        words = say("units.pipe_title", percent=f"{100 * pipe:.1f}")
        shapes.append(
            Path(
                commands=(("M", at, middle - 6), ("L", at + 6, middle), ("L", at, middle + 6),
                          ("L", at - 6, middle), ("Z",)),
                fill=view.theme.stage, stroke=view.theme.ink, stroke_width=1.6, dash=(2.5, 1.5),
                name="pipe", title=words,
            )
        )  # fmt: skip
    return shapes


def _row(
    work: Work, box: Box, part: float, words: str, edge: Edge, width: float, line: float,
    place: Place, view: View, *, name: str, title: str,
) -> list[Shape]:  # fmt: skip
    x, y, track, size = box
    wide = max(track * part, 2.0 if part > 0 else 0.0)
    shapes: list[Shape] = []
    if wide:
        shapes += bar(work, (x, y, wide, size), view.theme, edge, name=name, title=title)
    shapes.append(
        Text(x=x + width, y=line, text=words, size=place.read,
             weight=700, fill=view.theme.ink, anchor="end", read_by_class=True, name=name,
             title=title)
    )  # fmt: skip
    if name.startswith("flops:"):  # counted: a rule under the number
        long = text_width(words, place.read, 700)
        shapes.append(rule(x + width - long, line + 4, long, view))
    if view.selected == name:
        shapes.append(ringed((x, y, max(wide, 8.0), size), view))
    return shapes


def _rest(subject: Computing, x: float, y: float, width: float, view: View) -> list[Shape]:
    """Return copies and idle time as a slice of their own, and the switch that folds them in."""
    theme, say = view.theme, view.captions
    shapes: list[Shape] = []
    track = width - 92
    shares = subject.time
    percents = time_percents(shares, False)
    value = percents[Work.IDLE] + percents[Work.COPY] + percents[Work.UNCLASSIFIED]
    label = say("units.rest")
    words = say("units.folded") if subject.folded else percent(value, True)
    title = say("units.rest_title", idle=percents[Work.IDLE], copy=percents[Work.COPY])
    shapes += [
        note(x, y + 15, label, view, strong=True, name="share:idle", title=title),
        Text(x=x + width, y=y + 38, text=words, size=17, weight=700, anchor="end",
             fill=theme.ink3 if subject.folded else theme.ink, name="share:idle", title=title),
    ]  # fmt: skip
    at = x
    if not subject.folded:
        for work in (Work.COPY, Work.IDLE, Work.UNCLASSIFIED):
            wide = track * shares[work]
            if wide >= 0.5:
                shapes += _slice(work, (at, y + 22, max(wide, 2.0), 18), view, title)
                at += wide
    if view.controls:
        fold = say("units.fold")
        right = x + width
        left = right - 32
        shapes += [
            note(left - 8, y + 15, fold, view, anchor="end",
                 width=width - 48 - text_width(label, NOTE, 600) - 12),
            *toggle(left, y + 1, subject.folded, theme, name="choose:fold:on",
                    title=say("units.fold_title")),
        ]  # fmt: skip
    return shapes


def _slice(work: Work, box: Box, view: View, title: str) -> list[Shape]:
    x, y, width, height = box
    theme = view.theme
    colour = hues(work, theme).mark
    shapes: list[Shape] = [
        Rect(x=x, y=y, width=width, height=height, radius=min(4, width / 2), fill=theme.stage,
             stroke=colour, stroke_width=1.4, dash=DASH, name="share:idle", title=title)
    ]  # fmt: skip
    drawn = pattern(work, (x + 1, y + 1, width - 2, height - 2), colour, 0.6)
    return [*shapes, drawn] if drawn is not None else shapes


def _causes(subject: Computing, x: float, bottom: float, width: float, view: View) -> list[Shape]:
    """Return why time and claim differ, in at most two lines that end at ``bottom``."""
    say = view.captions
    if not subject.causes:
        text = say("units.no_cause")
    else:
        named = ", ".join(say(f"units.cause.{cause.name}") for cause in subject.causes)
        claimed = subject.claim.get(Work.MATRIX, 0.0)
        above = Work.MATRIX in subject.beyond and subject.time.parts[Work.MATRIX] > claimed
        key = "units.why_more" if above else "units.why_not"  # "65+" is held by 74
        text = say(key, percent=f"{100 * claimed:.0f}", causes=named)
    lines = wrapped(text, width, NOTE, 600)
    if len(lines) > CAUSES:
        lines = (*lines[: CAUSES - 1], " ".join(lines[CAUSES - 1 :]))
    return [
        note(x, bottom - 18 * (CAUSES - 1 - i), line, view, strong=True, width=width,
             name="causes", title=text)
        for i, line in enumerate(lines)
    ]  # fmt: skip


def _signs(subject: Computing, view: View) -> list[tuple[str, str]]:
    """Return the signs of the legend that this panel uses, and what they mean."""
    say = view.captions
    rows = [
        ("counted", say("units.legend.counted")),
        ("modelled", say("units.legend.modelled")),
    ]
    if subject.recorded is not None:
        key = "recorded" if subject.measured is not None else "not_recorded"
        rows.append(
            ("measured" if subject.measured is not None else "", say(f"units.legend.{key}"))
        )
        rows.append(("", f"{subject.recorded.card} · {subject.recorded.date}"))
    elif subject.measured is not None:
        where = subject.measured_on or say("units.this_cpu")
        rows.append(("measured", say("units.legend.measured", where=where)))
    rows.append(("claimed", say("units.legend.claimed")))
    if subject.pipe_active is not None:
        pipe = f"≈{NBSP}{100 * subject.pipe_active:.0f}{NBSP}%"
        rows.append(("pipe", say("units.legend.pipe", percent=pipe)))
    return rows


def _legend(subject: Computing, x: float, bottom: float, width: float, view: View) -> list[Shape]:
    theme = view.theme
    rows = _signs(subject, view)
    shapes: list[Shape] = []
    for i, (sign, words) in enumerate(rows):
        y = bottom - 21 * (len(rows) - 1 - i)
        box = (x, y - 13, 26.0, 15.0)
        if sign in ("counted", "measured"):
            shapes += bar(Work.MATRIX, box, theme, "solid", radius=3)
        elif sign == "modelled":
            shapes += bar(Work.MATRIX, box, theme, "dashed", radius=3)
        elif sign == "claimed":
            shapes += claim(x + 13, y - 6, y + 2, theme, beyond=False, name="", title="")
        elif sign == "pipe":
            shapes.append(
                Path(commands=(("M", x + 13, y - 11), ("L", x + 19, y - 5), ("L", x + 13, y + 1),
                               ("L", x + 7, y - 5), ("Z",)),
                     fill=theme.stage, stroke=theme.ink, stroke_width=1.6, dash=(2.5, 1.5))
            )  # fmt: skip
        # What was recorded is said with all its versions where it is opened.
        of = subject.recorded if sign in ("", "measured") else None
        name, title = ("recording", of.label) if of is not None else ("", "")
        shapes.append(note(x + 38, y, words, view, width=width - 38, name=name, title=title))
    return shapes

"""The claims: every statement of the course text, and what this machine says to it.

A page for each chapter; the tick steps through the statements, the present one is framed. Edges say
how a number is known: a box measured, a dashed one modelled, a rule under it counted.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from engine.statements import GROUPS, Judged, Known, Verdict
from widgets.geometry import SMALLEST, read_px, text_width
from widgets.glyphs import marker, shortened, wrapped
from widgets.picture import Command, Ellipse, Path, Picture, Rect, Shape, Text
from widgets.scenes.claims.subject import Claims

if TYPE_CHECKING:
    from widgets.theme import Theme
    from widgets.view import View

__all__ = ["Claims", "claims"]

EDGE = 28.0  # px of the stage, at both sides
NOTE = 14.0  # px of the smallest text
TABS, TAB = 66.0, 52.0  # where they begin, and how high they are
FOOT = 34.0  # below the rows
COLUMNS = (0.0, 0.335, 0.545, 0.665, 0.935)  # of the width: says, verdict, number, what it is, open
MOST_ROW = 66.0  # px high: few statements are not spread over all of the stage


def claims(subject: Claims, tick: float, view: View) -> Picture:
    """Return the page of the chapter whose statement stands at a tick.

    Parameters
    ----------
    subject
        The statements in order, with what was found.
    tick
        0 … ``subject.last_tick``, one for each statement; a fraction belongs to the next one.
    view
        Box (at least ``SMALLEST``), theme, captions and what is selected.
    """
    width, height = max(view.width, SMALLEST[0]), max(view.height, SMALLEST[1])
    at = subject.at(tick)
    group = subject.rows[at].statement.group
    read = read_px(height)
    shapes = _head(subject, width, read, view)
    shapes += _tabs(subject, group, width, read, view)
    rows = [i for i, row in enumerate(subject.rows) if row.statement.group == group]
    top = TABS + TAB + 10 + (read - 16)
    high = min((height - FOOT - top) / len(rows), MOST_ROW)
    for place, i in enumerate(rows):
        shapes += _row(subject.rows[i], (EDGE, top + place * high, width - 2 * EDGE, high),
                       read, view)  # fmt: skip
    now = rows.index(at)
    shapes += marker((EDGE - 10, top + now * high - 1, width - 2 * EDGE + 20, high + 2), view.theme)
    shapes += _foot(subject, width, height, view)
    found = subject.rows[at]
    return Picture(
        width=width, height=height, background=view.theme.stage, shapes=tuple(shapes),
        title=view.captions("claims.title"),
        description=view.captions("claims.description", claim=found.statement.says,
                                  verdict=verdict_words(found, view)),
    )  # fmt: skip


def verdict_words(row: Judged, view: View) -> str:
    """Return a verdict with its condition."""
    if row.finding is None:
        return view.captions("claims.open_yet")
    words = view.captions(f"claims.verdict.{row.finding.verdict.name.lower()}")
    condition = row.finding.condition if row.finding.verdict == Verdict.IF else ""
    return f"{words} {condition}".rstrip()


# ---- above ---------------------------------------------------------------------------------------


def _head(subject: Claims, width: float, read: float, view: View) -> list[Shape]:
    theme, say = view.theme, view.captions
    title, size = say("claims.title"), max(27.0, read + 9)
    shapes: list[Shape] = [
        Text(x=EDGE, y=46, text=title, size=size, weight=600, family="display", fill=theme.ink,
             read_by_class=True)
    ]  # fmt: skip
    x = width - EDGE
    for verdict, count in reversed(list(subject.counts.items())):
        words = say(f"claims.count.{verdict.name.lower()}", count=count)
        x -= text_width(words, read, 600)
        shapes.append(Text(x=x, y=45, text=words, size=read, weight=600, fill=theme.ink,
                           read_by_class=True))  # fmt: skip
        x -= 17
        shapes += verdict_glyph(verdict, x, 45 - 0.36 * read, 9, theme)
        x -= 25
    left = EDGE + text_width(title, size, 600, "display") + 18
    both = (say("claims.subtitle"), say("claims.subtitle_short"))
    words = next((each for each in both if text_width(each, read) <= x - left), "")
    if words:
        shapes.append(Text(x=left, y=45, text=words, size=read, fill=theme.ink2))
    return shapes


def _tabs(subject: Claims, shown: str, width: float, read: float, view: View) -> list[Shape]:
    """Return a tab for each chapter: its name, and all of its verdicts as a row of signs."""
    theme, say = view.theme, view.captions
    each, high = (width - 2 * EDGE) / len(GROUPS), TAB + (read - 16)
    shapes: list[Shape] = [
        Rect(x=EDGE, y=TABS, width=width - 2 * EDGE, height=high, radius=10, fill=theme.well)
    ]
    for i, group in enumerate(GROUPS):
        x, on = EDGE + i * each, group == shown
        words = say(f"claims.group.{group}")
        if on:
            shapes.append(Rect(x=x, y=TABS, width=each, height=high, radius=10, fill=theme.stage,
                               stroke=theme.ink, stroke_width=2))  # fmt: skip
        shapes.append(
            Text(x=x + 12, y=TABS + 7 + read, text=shortened(words, each - 20, read, 600),
                 size=read, weight=600, fill=theme.ink if on else theme.ink2, read_by_class=True)
        )  # fmt: skip
        rows = [row for row in subject.rows if row.statement.group == group]
        step = min(16.0, (each - 24) / len(rows))
        for place, row in enumerate(rows):
            verdict = None if row.finding is None else row.finding.verdict
            shapes += verdict_glyph(verdict, x + 18 + place * step, TABS + high - 13, 5.5, theme)
        shapes.append(Rect(x=x, y=TABS, width=each, height=high, radius=10, name=f"group:{group}",
                           title=words))  # fmt: skip
    return shapes


# ---- a row ---------------------------------------------------------------------------------------


def _row(
    row: Judged, box: tuple[float, float, float, float], read: float, view: View
) -> list[Shape]:
    theme, say = view.theme, view.captions
    x, y, width, high = box
    each, found = row.statement, row.finding
    columns = [x + part * width for part in COLUMNS]
    middle = y + high / 2
    shapes: list[Shape] = [
        Path(commands=(("M", x, y + high), ("L", x + width, y + high)), stroke=theme.hair,
             stroke_width=1)
    ]  # fmt: skip
    shapes += _lines(each.says, columns[0], columns[1] - columns[0] - 14, middle, high, read,
                     theme.ink, theme, weight=500, read_by_class=True)  # fmt: skip
    verdict = None if found is None else found.verdict
    shapes += verdict_glyph(verdict, columns[1] + 10, middle, 9, theme)
    words = say("claims.open_yet") if found is None else say(
        f"claims.verdict.{found.verdict.name.lower()}"
    )  # fmt: skip
    left, room = columns[1] + 28, columns[2] - columns[1] - 36
    condition = found.condition if found is not None and verdict == Verdict.IF else ""
    above = 0.56 * NOTE if condition else 0.0
    shapes.append(
        Text(x=left, y=middle + 0.36 * read - above - (2 if condition else 0),
             text=shortened(words, room, read, 600), size=read, weight=600,
             fill=theme.ink if found else theme.ink3, read_by_class=True)
    )  # fmt: skip
    if condition:
        shapes.append(
            Text(x=left, y=middle + 0.36 * read + 0.62 * NOTE - 1,
                 text=shortened(condition, room, NOTE), size=NOTE, fill=theme.ink2)
        )  # fmt: skip
    if found is not None:
        shapes += _number(found.number, found.known, columns[2], middle,
                          columns[3] - columns[2] - 14, read, theme)  # fmt: skip
        right = columns[4] - 10 if view.controls else x + width  # a figure opens nothing
        shapes += _lines(found.what, columns[3], right - columns[3], middle, high, NOTE,
                         theme.ink2, theme)  # fmt: skip
    shapes.append(Rect(x=x - 6, y=y, width=width + 12, height=high, name=f"claim:{each.id}",
                       title=each.says))  # fmt: skip
    if view.controls:
        words = say("claims.open")
        shapes.append(Text(x=x + width - 12, y=middle + 5, text=words, size=NOTE, weight=600,
                           fill=theme.ink2, anchor="end"))  # fmt: skip
        shapes.append(
            Path(commands=(("M", x + width - 6, middle - 4), ("L", x + width - 1.5, middle),
                           ("L", x + width - 6, middle + 4)), stroke=theme.ink2, stroke_width=1.8)
        )  # fmt: skip
        shapes.append(
            Rect(x=columns[4], y=y + 2, width=x + width - columns[4] + 4, height=high - 4,
                 name=f"open:{each.id}", title=say("claims.open_title", claim=each.says))
        )  # fmt: skip
    return shapes


def _lines(
    text: str, x: float, width: float, middle: float, high: float, size: float, colour: str,
    theme: Theme, *, weight: int = 400, read_by_class: bool = False,
) -> list[Shape]:  # fmt: skip
    """Return a text in as many lines as a row holds, about its middle."""
    step = 1.08 * size
    most = max(int((high + 2) // step), 1)
    lines = list(wrapped(text, width, size, weight))
    if len(lines) > most:
        lines = [*lines[: most - 1], shortened(" ".join(lines[most - 1 :]), width, size, weight)]
    # Letters reach further below their line than above: several lines stand a little higher.
    first = middle - (len(lines) - 1) * (step / 2 + 1.5) + 0.36 * size
    return [
        Text(x=x, y=first + i * step, text=line, size=size, fill=colour,
             weight=500 if weight == 500 else 400, read_by_class=read_by_class)
        for i, line in enumerate(lines)
    ]  # fmt: skip


def _number(
    text: str, known: Known, x: float, middle: float, width: float, read: float, theme: Theme
) -> list[Shape]:
    """Return a number with the edge that says how it is known."""
    size = read
    while text_width(text, size, 600) > width - 12 and size > NOTE:
        size -= 0.5
    high = read + 12
    shapes: list[Shape] = [
        Text(x=x + width / 2, y=middle + 0.36 * size, text=shortened(text, width - 6, size, 600),
             size=size, weight=600, fill=theme.ink, anchor="middle", read_by_class=size >= read)
    ]  # fmt: skip
    return [_edge(known, x, middle - high / 2, width, high, theme), *shapes]


def _edge(known: Known, x: float, y: float, width: float, high: float, theme: Theme) -> Shape:
    if known == Known.COUNTED:
        return Path(commands=(("M", x + 8, y + high - 2), ("L", x + width - 8, y + high - 2)),
                    stroke=theme.ink, stroke_width=1.4)  # fmt: skip
    dash = (4.0, 3.0) if known == Known.MODELLED else ()
    return Rect(x=x, y=y, width=width, height=high, radius=7, stroke=theme.ink, stroke_width=1.4,
                dash=dash)  # fmt: skip


def verdict_glyph(
    verdict: Verdict | None, x: float, y: float, r: float, theme: Theme
) -> list[Shape]:
    """Return a disc with a tick, a half disc, a picture in its frame, or an empty dashed ring."""
    thick = max(r / 6, 1.2)
    if verdict is None:
        return [Ellipse(cx=x, cy=y, rx=r - 1, ry=r - 1, stroke=theme.ink3, stroke_width=thick,
                        dash=(2.0, 2.0))]  # fmt: skip
    if verdict == Verdict.HOLDS:
        tick: tuple[Command, ...] = (
            ("M", x - 0.45 * r, y), ("L", x - 0.1 * r, y + 0.36 * r),
            ("L", x + 0.46 * r, y - 0.36 * r),
        )  # fmt: skip
        return [
            Ellipse(cx=x, cy=y, rx=r, ry=r, fill=theme.ink),
            Path(commands=tick, stroke=theme.onink, stroke_width=max(r / 4.5, 1.4), cap="round"),
        ]
    if verdict == Verdict.IF:
        k, inner = 0.5523 * (r - 1), r - 1
        half: tuple[Command, ...] = (
            ("M", x, y - inner), ("C", x - k, y - inner, x - inner, y - k, x - inner, y),
            ("C", x - inner, y + k, x - k, y + inner, x, y + inner), ("Z",),
        )  # fmt: skip
        return [
            Ellipse(cx=x, cy=y, rx=inner, ry=inner, stroke=theme.ink, stroke_width=thick),
            Path(commands=half, fill=theme.ink),
        ]
    hills: tuple[Command, ...] = (
        ("M", x - 0.75 * r, y + 0.45 * r), ("L", x - 0.25 * r, y - 0.2 * r),
        ("L", x + 0.1 * r, y + 0.2 * r), ("L", x + 0.4 * r, y - 0.1 * r),
        ("L", x + 0.75 * r, y + 0.3 * r),
    )  # fmt: skip
    return [
        Rect(x=x - r, y=y - 0.8 * r, width=2 * r, height=1.6 * r, radius=r / 4, stroke=theme.ink,
             stroke_width=thick),
        Path(commands=hills, stroke=theme.ink, stroke_width=thick),
    ]  # fmt: skip


# ---- below ---------------------------------------------------------------------------------------


def _foot(subject: Claims, width: float, height: float, view: View) -> list[Shape]:
    """Return what the edges mean, and when the numbers were found."""
    theme, say = view.theme, view.captions
    y, x = height - 12, EDGE
    shapes: list[Shape] = []
    for known in (Known.MEASURED, Known.MODELLED, Known.COUNTED):
        words = say(f"claims.known.{known}")
        shapes.append(_edge(known, x, y - 12, 30, 15, theme))
        shapes.append(Text(x=x + 38, y=y, text=words, size=NOTE, fill=theme.ink2))
        x += 38 + text_width(words, NOTE) + 22
    words = say("claims.day", day=subject.day_words)
    if subject.progress < 1:
        words = say("claims.measuring", share=math.floor(100 * subject.progress))
    words = shortened(words, width - EDGE - x, NOTE)
    shapes.append(Text(x=width - EDGE, y=y, text=words, size=NOTE, fill=theme.ink2, anchor="end"))
    return shapes

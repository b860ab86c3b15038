"""The three lanes: what each kind of hardware does, and the operations that enter as they execute.

The device's operations stand on one axis of time. The host's launches stand on the same scale, but
on the host's own clock, which runs ahead; how far is said.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from engine.trace import Basis
from engine.units import Work
from widgets import equation, numbers
from widgets.geometry import text_width
from widgets.glyphs import Box, ease, marker
from widgets.numbers import NBSP
from widgets.picture import Path, Rect, Shape, Text
from widgets.scenes.computing_units.layout import AFTER, EDGE, FIRST, NOTE, WORDS, Place
from widgets.scenes.computing_units.parts import note, ringed
from widgets.scenes.computing_units.subject import LANES, Computing, Span, Stretch
from widgets.units import Edge, bar, hues, icon

if TYPE_CHECKING:
    from widgets.view import View

BOX = 38.0  # px that an operation is high
LEAST = 3.0  # px wide
SHOWN_AHEAD = 0.02  # of the axis: less is not worth a word
MOST_LAUNCHES = 48  # drawn one by one
STEPS = (1.0, 2.0, 5.0)


class _Moment(NamedTuple):
    """Which ticks are done, and how far the next one has come."""

    now: int
    phase: float

    @property
    def shown(self) -> int:
        """Return the tick that is marked."""
        return self.now + 1 if self.phase >= 0.2 else self.now

    def filled(self, tick: int) -> float:
        """Return how far (0 … 1) the operation of a tick has come."""
        if tick <= self.now:
            return 1.0
        return ease(self.phase, 0.4, 0.8) if tick == self.now + 1 else 0.0


def lanes(subject: Computing, now: int, phase: float, place: Place, view: View) -> list[Shape]:
    """Return the lanes with what was executed by a tick, and the marker round the last one."""
    moment = _Moment(now, phase)
    run = subject.run
    shapes = _grounds(subject, place, view)
    if run.stretches:
        at = run.stretch_at(max(moment.shown, 1))
        first = len(run.before) + sum(len(part.spans) for part in run.stretches[:at]) + 1
        stretch = run.stretches[at]
        axis = _Axis(stretch, place)
        shapes += _axis(subject, axis, stretch, place, view)
        shapes += _device(subject, axis, stretch, first, moment, place, view)
        shapes += _launches(subject, axis, stretch, first, moment, place, view)
    shapes += _host(subject, moment, place, view)
    return shapes


class _Axis:
    """The device's axis of time: seconds to px."""

    def __init__(self, stretch: Stretch, place: Place) -> None:
        launched = max((sum(s.launch) for s in stretch.spans if s.launch), default=0.0)
        self.seconds = max(stretch.seconds, min(launched, 4 * stretch.seconds), 1e-12)
        self.left, self.right = place.time
        self.scale = (self.right - self.left) / self.seconds

    def x(self, seconds: float) -> float:
        """Return where a moment stands."""
        return min(self.left + seconds * self.scale, self.right)

    def ticks(self) -> Sequence[float]:
        """Return round moments, four to six of them from 0."""
        rough = self.seconds / 4.5
        power = 10.0 ** math.floor(math.log10(rough))
        step = power * next((s for s in STEPS if s * power >= rough), 10.0)
        return [i * step for i in range(int(self.seconds / step + 1e-9) + 1)]


# ------------------------------------------------------------------ what each lane is


def _grounds(subject: Computing, place: Place, view: View) -> list[Shape]:
    theme, say = view.theme, view.captions
    shapes: list[Shape] = []
    for work, (x, y, width, height) in zip(LANES, place.lanes, strict=True):
        colours = hues(work, theme)
        name, title = f"lane:{work}", say(f"units.lane.{work}")
        slack = max(height - 95, 0) * 0.3
        where = _where(subject, work, view)
        shapes += [
            Rect(x=x, y=y, width=width, height=height, radius=12, fill=colours.tint),
            *icon(work, x + 19, y + 12 + slack, 22, colours.text),
            Text(x=x + 53, y=y + 30 + slack, text=say(f"units.{work}.long"), size=20, weight=600,
                 fill=colours.text, read_by_class=True, name=name, title=title),
            note(x + 18, y + 52 + slack, where, view, width=WORDS - 22, strong=True),
        ]  # fmt: skip
        keys = (f"units.{work}.does", f"units.{work}.memory")
        if work is Work.MATRIX and subject.run.on_cpu:
            keys = ("units.matrix.cpu_does", "units.matrix.cpu_memory")
        elif work is Work.SEQUENTIAL and subject.run.on_cpu:
            keys = ("units.sequential.does", "units.sequential.cpu_memory")
        for line, key in enumerate(keys):
            words = say(key, precision=subject.precision)
            shapes.append(note(x + 18, y + 70 + 17 * line + slack, words, view, width=WORDS - 22))
        middle = _box_top(work, place) + BOX / 2
        shapes.append(
            Path(commands=(("M", EDGE + WORDS, middle), ("L", x + width - 10, middle)),
                 stroke=theme.hair2, stroke_width=1, dash=(2, 5))
        )  # fmt: skip
    return shapes


def _where(subject: Computing, work: Work, view: View) -> str:
    """Return where a lane's work runs, or would run."""
    say = view.captions
    if work is Work.SEQUENTIAL:
        return say("units.runs.cpu")
    return say(f"units.{subject.run.runs_on}.{'cpu' if subject.run.on_cpu else work}")


def _box_top(work: Work, place: Place) -> float:
    """Return the top of a lane's operations: labels stand above them, in the last lane below."""
    _, y, _, height = place.lanes[LANES.index(work)]
    slack = max(height - 95, 0) / 2
    return y + slack + (16 if work is Work.MATRIX else 40)


# ------------------------------------------------------------------ the axis


def _axis(
    subject: Computing, axis: _Axis, stretch: Stretch, place: Place, view: View
) -> list[Shape]:
    theme, say, run = view.theme, view.captions, subject.run
    top = place.lanes[2][1] + place.lanes[2][3]
    shapes: list[Shape] = []
    ticks = axis.ticks()
    texts = _times(ticks, modelled=run.basis is Basis.MODELLED)
    for at, text in zip(ticks, texts, strict=True):
        x = axis.x(at)
        shapes += [
            Path(commands=(("M", x, top + 4), ("L", x, top + 9)), stroke=theme.hair2,
                 stroke_width=1.2),
            note(x, place.axis, text, view, anchor="middle", pale=True),
        ]  # fmt: skip
    words = say(f"units.stretch.{stretch.group}", block=stretch.block + 1, blocks=run.blocks)
    if run.basis is Basis.MEASURED:
        words = say("units.stretch_measured", workload=run.workload)
    right = axis.left - 14
    shapes.append(note(right, place.axis, words, view, width=right - EDGE, anchor="end"))
    return shapes


def _times(ticks: Sequence[float], *, modelled: bool) -> list[str]:
    """Return the numbers of an axis, the last one with its unit."""
    most = ticks[-1] if ticks[-1] > 0 else 1.0
    scale, unit = next(((s, u) for s, u in numbers.UNITS if most >= s * 0.9995), (1e-9, "ns"))
    words = [f"{at / scale:.6g}" for at in ticks]
    words[-1] += f"{NBSP}{unit}"
    if modelled:
        words[-1] = f"≈{NBSP}{words[-1]}"
    return words


# ------------------------------------------------------------------ the device


def _device(
    subject: Computing, axis: _Axis, stretch: Stretch, first: int, moment: _Moment, place: Place,
    view: View,
) -> list[Shape]:  # fmt: skip
    theme = view.theme
    boxes: list[tuple[int, Span, Box]] = []
    for tick, span in enumerate(stretch.spans, first):
        x = axis.x(span.start)
        width = max(axis.x(span.end) - x - 1.2, LEAST)
        boxes.append((tick, span, (x, _box_top(span.lane, place), width, BOX)))
    shapes: list[Shape] = []
    for (_, a, one), (tick, b, two) in zip(boxes, boxes[1:], strict=False):
        if a.lane is b.lane:
            continue
        x = min(two[0] - 0.6, (one[0] + one[2] + two[0]) / 2)
        done = moment.filled(tick) > 0
        shapes.append(
            Path(
                commands=(("M", x, one[1] + BOX / 2), ("L", x, two[1] + BOX / 2)),
                stroke=theme.ink2 if done else theme.ghost, stroke_width=1.1,
                dash=() if done else (3, 3), opacity=0.7,
            )
        )  # fmt: skip
    for tick, span, box in boxes:
        shapes += _operation(subject, span, box, moment.filled(tick), view)
    shapes += _labels(boxes, moment, axis, view)
    for tick, span, box in boxes:
        if view.selected == f"op:{span.name}" and tick != moment.shown:
            shapes.append(ringed(box, view))
        if tick == moment.shown:
            shapes += marker(_around(box), theme)
    return shapes


def _around(box: Box) -> Box:
    x, y, width, height = box
    pad = 6.0 if width > 10 else 8.0
    return (x - pad, y - 6, width + 2 * pad, height + 12)


def _operation(
    subject: Computing, span: Span, box: Box, filled: float, view: View
) -> tuple[Shape, ...]:
    """Return an operation's box: ghost, then filled from its left as it executes."""
    edge: Edge = "solid" if subject.run.basis is Basis.MEASURED else "dashed"
    name, title = f"op:{span.name}", said(subject, span, view)
    if filled >= 1:
        return bar(span.lane, box, view.theme, edge, name=name, title=title)
    ghost = bar(span.lane, box, view.theme, "ghost", name=name, title=title)
    x, y, width, height = box
    if filled * width < 2:
        return ghost
    part = bar(span.lane, (x, y, width * filled, height), view.theme, edge, name=name, title=title)
    return (*ghost, *part)


def said(subject: Computing, span: Span, view: View) -> str:
    """Return what an operation is called for people: "MLP down, matrix, ≈ 71 µs"."""
    about = "≈ " if subject.run.basis is Basis.MODELLED else ""
    return view.captions(
        "units.op_title", label=equation.plain(span.label),
        unit=view.captions(f"units.{span.lane}"), seconds=about + numbers.seconds(span.seconds),
    )  # fmt: skip


def _labels(
    boxes: Sequence[tuple[int, Span, Box]], moment: _Moment, axis: _Axis, view: View
) -> list[Shape]:
    """Return names at the operations where they have room: the marked one's first."""
    theme = view.theme
    taken: dict[Work, list[tuple[float, float]]] = {}
    shapes: list[Shape] = []
    order = sorted(boxes, key=lambda row: (row[0] != moment.shown, -row[2][2]))
    for tick, span, (x, y, width, height) in order:
        marked = tick == moment.shown
        weight: equation.Weight = 600 if marked else 500
        wide = equation.width(span.label, NOTE, weight)
        middle = min(max(x + width / 2, axis.left - 8 + wide / 2), axis.right + 12 - wide / 2)
        left, right = middle - wide / 2, middle + wide / 2
        others = taken.setdefault(span.lane, [])
        if any(left < b + 8 and a - 8 < right for a, b in others):
            continue
        others.append((left, right))
        below = span.lane is Work.MATRIX
        far = 10 if marked else 6  # beyond the marker
        base = y + height + far + 11 if below else y - far - 1
        fill = theme.ink if marked or moment.filled(tick) else theme.ink3
        name, title = f"op:{span.name}", equation.plain(span.label)
        words = equation.shapes(
            span.label, x=middle, y=base, size=NOTE, fill=fill, weight=weight, anchor="middle"
        )
        shapes += [replace(text, name=name, title=title) for text in words]
    return shapes


# ------------------------------------------------------------------ the host


def _launches(
    subject: Computing, axis: _Axis, stretch: Stretch, first: int, moment: _Moment, place: Place,
    view: View,
) -> list[Shape]:  # fmt: skip
    """Return the launches of a stretch, as many as were executed, and that the host then waits."""
    rows = [(tick, s, s.launch) for tick, s in enumerate(stretch.spans, first) if s.launch]
    if not rows:
        return []
    say, y = view.captions, _box_top(Work.SEQUENTIAL, place)
    count = sum(span.kernels for _, span, _ in rows)
    about = subject.run.basis is Basis.MODELLED
    key = "call" if subject.run.on_cpu else "launch"
    name, title = "host:launch", say(f"units.{key}_title", count=count)
    shapes: list[Shape] = []
    end = axis.left
    pitch = (rows[-1][2][0] - rows[0][2][0]) * axis.scale / max(len(rows) - 1, 1)
    if len(rows) > MOST_LAUNCHES or pitch < 4:
        done = sum(moment.filled(tick) > 0 for tick, *_ in rows) / len(rows)
        start, last = rows[0][2][0], sum(rows[-1][2])
        end = max(axis.x(last), axis.x(start) + 6)
        x = axis.x(start)
        whole = (x, y, end - x, BOX)
        shapes += bar(Work.SEQUENTIAL, whole, view.theme, "ghost", name=name, title=title)
        if done * whole[2] > 2:
            part = (x, y, whole[2] * done, BOX)
            edge: Edge = "dashed" if about else "solid"
            shapes += bar(Work.SEQUENTIAL, part, view.theme, edge, name=name, title=title)
    else:
        for tick, _, (start, seconds) in rows:
            x = axis.x(start)
            width = max(axis.x(start + seconds) - x - 1.2, 2.0)
            edge = "ghost" if not moment.filled(tick) else "dashed" if about else "solid"
            shapes += bar(Work.SEQUENTIAL, (x, y, width, BOX), view.theme, edge, radius=2.5,
                          name=name, title=title)  # fmt: skip
            end = x + width
    words = say(f"units.{key}", count=count)
    if not subject.run.on_cpu and stretch.ahead > SHOWN_AHEAD * axis.seconds:
        ahead = ("≈ " if about else "") + numbers.seconds(stretch.ahead)
        words = say("units.launch_ahead", count=count, seconds=ahead)
    room = axis.right - axis.left - 6
    shapes.append(note(axis.left, y - 8, words, view, width=room))
    waits = say("units.waits")
    if not subject.run.on_cpu and axis.right - end > text_width(waits, NOTE, 500) + 24:
        middle = (end + axis.right) / 2
        wide = text_width(waits, NOTE, 500) + 12
        tint = hues(Work.SEQUENTIAL, view.theme).tint
        shapes += [
            Rect(x=middle - wide / 2, y=y + 10, width=wide, height=18, fill=tint),
            note(middle, y + BOX / 2 + 5, waits, view, anchor="middle"),
        ]
    return shapes


def _host(subject: Computing, moment: _Moment, place: Place, view: View) -> list[Shape]:
    """Return what the host does before the device begins and after it is done; not to scale."""
    run, (left, right) = subject.run, place.time
    first = len(run.spans) - len(run.after) + 1
    places = (
        (run.before, 1, EDGE + WORDS, FIRST - 14, left - 15, True),
        (run.after, first, right + 17, AFTER - 16, right + 4, False),
    )
    shapes: list[Shape] = []
    y = _box_top(Work.SEQUENTIAL, place)
    for spans, start, x, width, cut, before in places:
        if not spans:
            continue
        each = (width - 3 * (len(spans) - 1)) / len(spans)
        for i, span in enumerate(spans):
            box = (x + i * (each + 3), y, each, BOX)
            shapes += _operation(subject, span, box, moment.filled(start + i), view)
            if start + i == moment.shown:
                shapes += marker(_around(box), view.theme)
            elif view.selected == f"op:{span.name}":
                shapes.append(ringed(box, view))
        shown = spans[min(max(moment.shown - start, 0), len(spans) - 1)]
        label = note(
            x if before else x + width, y - 8, shown.label, view, width=FIRST,
            anchor="start" if before else "end", pale=not moment.filled(start),
            name=f"op:{shown.name}", title=said(subject, shown, view),
        )  # fmt: skip
        shapes.append(label)
        for at in (cut, cut + 5):
            shapes.append(
                Path(commands=(("M", at, y + BOX / 2 + 6), ("L", at + 4, y + BOX / 2 - 6)),
                     stroke=view.theme.ink3, stroke_width=1.4)
            )  # fmt: skip
    return shapes

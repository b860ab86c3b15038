"""The race: the same outputs one after another on the CPU, and all at once on the GPU."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from widgets import numbers
from widgets.geometry import text_width
from widgets.glyphs import Box, arrow, line, marker
from widgets.numbers import NBSP
from widgets.picture import Command, Path, Rect, Shape, Text
from widgets.scenes.cpu_gpu.layout import EDGE, NOTE, Place
from widgets.scenes.cpu_gpu.parts import ring
from widgets.scenes.cpu_gpu.shapes import percents, sheet
from widgets.scenes.cpu_gpu.subject import SHAPES, Race
from widgets.theme import mix

if TYPE_CHECKING:
    from widgets.view import View

LANE = 32.0  # px high
SHEET = 42.0  # px of a head's weights in the GPU's lane
LEAST_BOX = 24.0  # px from a box to the next where they hold their numbers
DASHED = (4.0, 3.0)


def race(subject: Race, tick: float, place: Place, view: View) -> list[Shape]:
    """Return the three rows with the clock's axis and the line of now."""
    drawn = _axis(subject, tick, place, view)
    now = subject.clock(tick)
    for row in range(3):
        drawn += _row(subject, row, now, place, view)
    return drawn


def chip(x: float, y: float, kind: str, view: View) -> list[Shape]:
    """Return the sign of a processor, 34 px wide, its left top corner at (x, y): 01, or a grid."""
    theme = view.theme
    colour = theme.seq if kind == "cpu" else theme.stream
    ink = theme.seq_text if kind == "cpu" else theme.stream_text
    tint = theme.seq_tint if kind == "cpu" else theme.stream_tint
    pins: list[Command] = []
    for i in range(4):
        at = 9.5 + 5 * i
        pins += [
            ("M", x + at, y), ("L", x + at, y + 34), ("M", x, y + at), ("L", x + 34, y + at)
        ]  # fmt: skip
    drawn: list[Shape] = [
        Path(commands=tuple(pins), stroke=colour, stroke_width=1.8, cap="round"),
        Rect(x=x + 4.5, y=y + 4.5, width=25, height=25, radius=5, fill=tint, stroke=colour,
             stroke_width=1.8),
    ]  # fmt: skip
    if kind == "cpu":
        return [*drawn, Text(x=x + 17, y=y + 22, text="01", size=14, weight=500, family="mono",
                             fill=ink, anchor="middle")]  # fmt: skip
    return drawn + [
        Rect(x=x + 9.4 + 4.1 * i, y=y + 9.4 + 4.1 * j, width=2.9, height=2.9, fill=ink)
        for i in range(4) for j in range(4)
    ]  # fmt: skip


def at(seconds: float, subject: Race, place: Place) -> float:
    """Return where a moment of the race stands on the axis."""
    left, right = place.clock
    step, steps = subject.axis
    return left + (right - left) * min(seconds / (step * steps), 1.0)


def _axis(subject: Race, tick: float, place: Place, view: View) -> list[Shape]:
    theme = view.theme
    step, steps = subject.axis
    top, bottom = place.rows[0], place.rows[2] + place.row
    left, right = place.clock
    drawn: list[Shape] = []
    now = subject.clock(tick)
    for i in range(steps + 1):
        x = at(i * step, subject, place)
        words = f"{i * step * 1e6:g}" + (f"{NBSP}µs" if i == steps else "")
        bold = abs(now - i * step) < step / 100
        last = f"{steps * step * 1e6:g}{NBSP}µs"
        room = (right - left) / steps + 10 - text_width(last, place.read, 700)
        if i == steps - 1 and room < text_width(words, place.read, 700) / 2 + 6:
            words = ""  # the last one, which has the unit, needs its room
        drawn += line([(x, top), (x, bottom)], theme.hair, 1.0)
        drawn.append(
            Text(x=x + (10 if i == steps else 0), y=top - 8, text=words, size=place.read,
                 weight=700 if bold else 500, fill=theme.ink if bold else theme.ink2,
                 anchor="end" if i == steps else "middle", read_by_class=True)
        )  # fmt: skip
    for row in (1, 2):
        y = place.rows[row]
        drawn += line([(EDGE, y), (place.edge, y)], theme.hair2, 1.0)
    if subject.page(tick) != "race":  # the race is over, and what is now is elsewhere
        return drawn
    x = at(now, subject, place)
    drawn += line([(x, top), (x, bottom)], theme.now, 6.0)
    drawn += line([(x, top), (x, bottom)], theme.now_line, 1.6)
    return drawn


def _row(subject: Race, row: int, now: float, place: Place, view: View) -> list[Shape]:
    theme, say = view.theme, view.captions
    y, count = place.rows[row], subject.counts[row]
    big = place.read + 13
    middle = y + place.row / 2
    name, shape = f"shape:{SHAPES[row + 1]}", SHAPES[row + 1]
    title = say(f"race.title.{shape}", count=count)
    lanes = (y + 0.27 * place.row, y + 0.75 * place.row)
    left = EDGE + 92 + (place.read - 16) * 3
    drawn: list[Shape] = [
        Text(x=EDGE, y=middle + 2, text=str(count), size=big, weight=700, family="display",
             fill=theme.ink, read_by_class=True, name=name, title=title),
        Text(x=EDGE, y=middle + 6 + place.read, text=say(f"race.a.{shape}"), size=place.read,
             weight=500, fill=theme.ink2, read_by_class=True, name=name, title=title),
    ]  # fmt: skip
    for kind, lane in zip(("cpu", "gpu"), lanes, strict=True):
        colour = theme.seq_text if kind == "cpu" else theme.stream_text
        drawn += [
            *chip(left, lane - 17, kind, view),
            Text(x=left + 44, y=lane + 6, text=say(f"race.{kind}"), size=place.read, weight=600,
                 fill=colour, read_by_class=True),
        ]  # fmt: skip
    drawn += _cpu(subject, row, now, lanes[0], place, view)
    drawn += _gpu(subject, row, now, lanes[1], place, view)
    return drawn


def _cpu(subject: Race, row: int, now: float, y: float, place: Place, view: View) -> list[Shape]:
    """Return the CPU's lane: a box for each output as long as it takes, those done filled."""
    theme, say = view.theme, view.captions
    left, right = place.clock
    count, high = subject.counts[row], LANE
    if subject.in_order is None:
        return [
            Rect(x=left, y=y - high / 2, width=(right - left) * 0.4, height=high, radius=6,
                 fill=theme.stage, stroke=theme.ghost, stroke_width=1.2, dash=DASHED),
            Text(x=left + 14, y=y + 5, text=say("race.not_measured"), size=NOTE, weight=500,
                 fill=theme.ink3),
        ]  # fmt: skip
    total = subject.in_order[row]
    each = total / count
    done = count if now >= total else min(math.floor(now / each + 1e-6), count)
    said, more = _said(subject, row, done, say)
    room = text_width(said, place.read, 600) + 14
    room += text_width(more, place.read, 500) + 44 if more else 0
    wide = at(each, subject, place) - left
    fits = int((min(at(total, subject, place), right - room) - left + 0.5) / wide)
    fits = min(fits, count)
    drawn: list[Shape] = []
    values = _values(subject, row)
    # Where one has no room for its number, all of the lane go without, at every tick.
    numbered = wide >= LEAST_BOX and all(
        text_width(str(value), NOTE, 600) <= wide for value in values[: int((right - left) / wide)]
    )
    for i in range(fits):
        x = left + i * wide
        box: Box = (x + 0.8, y - high / 2, max(wide - 1.6, 1.0), high)
        drawn += _box(box, values[i], i < done, numbered, view)
        if i == done and now > 0:
            part = min(max(now / each - done, 0.0), 1.0)
            if part > 0.02:
                drawn.append(
                    Rect(x=box[0], y=box[1], width=box[2] * part, height=high, radius=4,
                         fill=theme.seq, opacity=0.45)
                )  # fmt: skip
    x = left + fits * wide + 12
    if done < fits and 0 < now:
        box = (left + done * wide - 2, y - high / 2 - 4, wide + 4, high + 8)
        drawn += marker(box, theme)
        # The pill behind the last box is kept clear of the marker's frame.
        x += 4 if done == fits - 1 else 0
    drawn.append(_ground(x - 5, y, text_width(said, place.read, 600) + 10, view))
    drawn.append(
        Text(x=x, y=y + 6, text=said, size=place.read, weight=600, fill=theme.ink,
             read_by_class=True)
    )  # fmt: skip
    if more:
        x += text_width(said, place.read, 600) + 12
        drawn += [
            _ground(x - 2, y, text_width(more, place.read, 500) + 4, view),
            Text(x=x, y=y + 6, text=more, size=place.read, weight=500, fill=theme.ink2,
                 read_by_class=True),
            *arrow((x + text_width(more, place.read, 500) + 8, y),
                   (x + text_width(more, place.read, 500) + 32, y), theme.seq),
        ]  # fmt: skip
    return [*drawn, *_opens(subject, row, "cpu", (left, y, fits * wide), view)]


def _ground(x: float, y: float, width: float, view: View) -> Rect:
    """Return what keeps the axis out of a text."""
    return Rect(x=x, y=y - 12, width=width, height=24, fill=view.theme.stage)


def _said(subject: Race, row: int, done: int, say: object) -> tuple[str, str]:
    """Return how far a row of the CPU has come, and when it ends where that is off the axis."""
    assert callable(say)
    assert subject.in_order is not None
    count, total = subject.counts[row], subject.in_order[row]
    when = numbers.seconds(total)
    step, steps = subject.axis
    beyond = total > step * steps
    if done == count:  # the boxes that have no place any more are not forgotten
        said = say("race.all_at", count=count, time=when)
        return (f"… {said}" if beyond else said), ""
    more = say("race.ends_at", time=when) if beyond else ""
    return say("race.of_all", done=done, count=count), more


def _values(subject: Race, row: int) -> list[int]:
    """Return the outputs of a row, in %, in the order in which the CPU computes them."""
    if row == 0:
        return list(percents(subject, subject.head, subject.asks))
    heads = [subject.head] if row == 1 else range(len(subject.weights))
    queries = range(len(subject.words))
    return [
        value for head in heads for query in queries for value in percents(subject, head, query)
    ]


def _box(box: Box, value: int, done: bool, numbered: bool, view: View) -> list[Shape]:
    theme, (x, y, width, height) = view.theme, box
    radius = min(6.0, width / 4)
    if not done:
        return [
            Rect(x=x, y=y, width=width, height=height, radius=radius, fill=theme.stage,
                 stroke=theme.ghost, stroke_width=1.2, dash=DASHED if width > 8 else ())
        ]  # fmt: skip
    fill = mix(theme.seq_tint, theme.seq, 0.005 * value)  # says how much where no number fits
    drawn: list[Shape] = [
        Rect(x=x, y=y, width=width, height=height, radius=radius, fill=fill,
             stroke=theme.seq, stroke_width=1.6 if width > 8 else 0.8)
    ]  # fmt: skip
    if numbered:
        drawn.append(
            Text(x=x + width / 2, y=y + height / 2 + 5, text=str(value), size=NOTE, weight=600,
                 fill=theme.on(fill), anchor="middle")
        )  # fmt: skip
    return drawn


def _gpu(subject: Race, row: int, now: float, y: float, place: Place, view: View) -> list[Shape]:
    """Return the GPU's lane: its launch, dashed where it is modelled, then all outputs."""
    theme, say = view.theme, view.captions
    cost, timed = subject.on_gpu(row), subject.timed_on_gpu(row)
    total, high = subject.seconds_on_gpu(row), LANE
    left, end = place.clock[0], at(total, subject, place)
    begun, ready = now > 0, now >= total
    colour = theme.stream if begun else theme.ghost
    # Data is sent before the launch and fetched behind it, in equal parts of what is said here.
    drawn: list[Shape] = [
        Rect(x=left, y=y - high / 2, width=end - left, height=high, radius=6, fill=theme.stage,
             stroke=colour, stroke_width=1.6, dash=DASHED if timed is None else ())
    ]  # fmt: skip
    stripes: list[Command] = []
    until = at(min(now, total), subject, place)
    for i in range(1, int((until - left) / 7) + 1):
        if left + 7 * i < until - 2:
            stripes += [
                ("M", left + 7 * i, y - high / 2 + 3),
                ("L", left + 7 * i, y + high / 2 - 3),
            ]
    if stripes:
        drawn.append(Path(commands=tuple(stripes), stroke=theme.stream, stroke_width=1.2,
                          opacity=0.35))  # fmt: skip
    key = "race.launch" if subject.resident else "race.launch_copied"
    about, launched = f"≈{NBSP}", cost.launch + cost.copy
    if timed is not None:  # launch and work were timed as one
        key, about, launched = f"{key}_timed", "", timed
    words = say(key, time=numbers.seconds(launched))
    if text_width(words, NOTE, 600) > end - left - 16:
        words = f"{about}{numbers.seconds(launched)}"
    if text_width(words, NOTE, 600) <= end - left - 12:
        wide = text_width(words, NOTE, 600)
        drawn += [
            Rect(x=(left + end) / 2 - wide / 2 - 5, y=y - 9, width=wide + 10, height=18,
                 fill=theme.stage),
            Text(x=(left + end) / 2, y=y + 5, text=words, size=NOTE, weight=600,
                 fill=theme.stream_text if begun else theme.ink3, anchor="middle"),
        ]  # fmt: skip
    if ready:
        drawn.append(
            Rect(x=end - 1.5, y=y - high / 2 - 2, width=4, height=high + 4, radius=1.5,
                 fill=theme.stream)
        )  # fmt: skip
    x = end + 30
    if ready:
        drawn += line([(end + 4, y), (x - 5, y)], theme.stream, 1.4)
    width, outputs = _outputs(subject, row, x, y, ready, place, view)
    drawn += outputs
    said = say("race.all_at_model" if timed is None else "race.all_at",
               count=subject.counts[row], time=numbers.seconds(total))  # fmt: skip
    words = said if ready else say("race.of_all", done=0, count=subject.counts[row])
    drawn += [
        _ground(x + width + 9, y, text_width(words, place.read, 600) + 10, view),
        Text(x=x + width + 14, y=y + 6, text=words, size=place.read, weight=600,
             fill=theme.ink if ready else theme.ink2, read_by_class=True),
    ]  # fmt: skip
    return [*drawn, *_opens(subject, row, "gpu", (left, y, end - left), view)]


def _outputs(
    subject: Race, row: int, x: float, y: float, ready: bool, place: Place, view: View
) -> tuple[float, list[Shape]]:
    """Return how wide the outputs of the GPU are drawn, and their cells; dashed before."""
    theme = view.theme
    tokens = tuple(range(len(subject.words)))
    if row == 0:
        wide = min(30.0, 230 / len(tokens)) * len(tokens)
        box: Box = (x, y - 15, wide, 30)
        if ready:
            ground = Rect(x=x - 2, y=y - 17, width=wide + 4, height=34, radius=5,
                          fill=theme.stage, stroke=theme.stream, stroke_width=1.4)  # fmt: skip
            size = NOTE if wide / len(tokens) >= 28 else 0.0
            return wide, [
                ground,
                *sheet(subject, subject.head, (subject.asks,), tokens, box, size, view),
            ]
        return wide, [_ghost((x, y - 15, wide, 30), view)]
    heads = [subject.head] if row == 1 else list(range(len(subject.weights)))[:6]
    side = min(SHEET, place.row * 0.46)
    drawn: list[Shape] = []
    for i, head in enumerate(heads):
        at_x = x + i * (side + 9)
        box = (at_x, y - side / 2, side, side)
        if not ready:
            drawn.append(_ghost(box, view))
            continue
        hue = theme.stream if row == 1 else theme.heads[head % len(theme.heads)]
        drawn += [
            Rect(x=at_x - 2, y=box[1] - 2, width=side + 4, height=side + 4, radius=4,
                 fill=theme.stage, stroke=hue, stroke_width=1.4),
            *sheet(subject, head, tokens, tokens, box, 0.0, view, gap=0.8),
        ]  # fmt: skip
    return len(heads) * (side + 9) - 9, drawn


def _ghost(box: Box, view: View) -> Rect:
    x, y, width, height = box
    return Rect(x=x, y=y, width=width, height=height, radius=4, fill=view.theme.stage,
                stroke=view.theme.ghost, stroke_width=1.2, dash=DASHED)  # fmt: skip


def _opens(
    subject: Race, row: int, kind: str, lane: tuple[float, float, float], view: View
) -> list[Shape]:
    """Return what a click on a lane opens, and the ring round it when it is open."""
    x, y, width = lane
    name = f"lane:{kind}:{row}"
    title = view.captions(f"race.lane.{kind}", count=subject.counts[row])
    drawn: list[Shape] = [
        Rect(x=x, y=y - LANE / 2, width=width, height=LANE, name=name, title=title)
    ]
    if view.selected == name:
        drawn.append(ring((x, y - LANE / 2, width, LANE), view))
    return drawn

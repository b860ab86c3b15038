"""Make one unit so many times faster: the whole step, and the wall that the rest is (Amdahl)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from engine.shares import Shares
from engine.units import Work
from widgets import numbers
from widgets.geometry import text_width
from widgets.glyphs import Box
from widgets.numbers import NBSP
from widgets.picture import Ellipse, Path, Rect, Shape, Text
from widgets.scenes.computing_units.layout import NOTE, Place
from widgets.scenes.computing_units.parts import note
from widgets.scenes.computing_units.subject import FACTORS, LANES, Computing
from widgets.units import bar, hues, icon

if TYPE_CHECKING:
    from widgets.view import View

PAD = 20.0


def parts_of(shares: Shares) -> dict[Work, float]:
    """Return the seconds of a whole step by lane: idle time and copies are the host's."""
    folded = shares.folded
    return {work: folded[work] * shares.seconds for work in LANES}


def faster(subject: Computing, place: Place, view: View) -> list[Shape]:
    """Return the panel with both totals and how many times faster the whole step is."""
    theme, say = view.theme, view.captions
    x, y, width, height = place.faster
    chosen, total = subject.faster, subject.time.seconds
    shapes: list[Shape] = [
        Rect(x=x, y=y, width=width, height=height, radius=14, fill=theme.panel,
             stroke=theme.hair, stroke_width=1)
    ]  # fmt: skip
    shapes += _choices(subject, x + PAD, y, view, place)
    shapes += _slider(subject, (x + PAD, y + 58, width - 2 * PAD, 46), view)
    free = height - 58 - 46 - 34
    step = min(max(free / 2, 32), 46)
    tall = min(step - 8, 30)
    top = y + 58 + 46 + 4
    room = width - 2 * PAD - 128
    scale = room / total if total > 0 else 0.0
    before, after = parts_of(subject.time), parts_of(chosen.shares)
    wall = x + PAD + chosen.wall * scale
    order = [work for work in LANES if work is not chosen.unit] + [chosen.unit]
    for i, (parts, seconds) in enumerate(((before, total), (after, chosen.seconds))):
        row = top + i * step
        shapes += _stack(parts, order, (x + PAD, row, room, tall), scale, view)
        end = x + PAD + seconds * scale
        now = i == 1
        words = say("units.total_title" if now else "units.total_before_title")
        shapes.append(
            Text(x=end + 12, y=row + tall / 2 + 6, text=f"≈{NBSP}{numbers.seconds(seconds)}",
                 size=max(place.read, 18), weight=700 if now else 500,
                 fill=theme.ink if now else theme.ink2, read_by_class=True,
                 name="amdahl:after" if now else "amdahl:before", title=words)
        )  # fmt: skip
    shapes.append(
        Path(commands=(("M", wall, top - 4), ("L", wall, top + step + tall + 6)),
             stroke=theme.ink, stroke_width=1.5, dash=(2, 3), hit_width=8, name="amdahl:wall",
             title=say("units.wall_title"))
    )  # fmt: skip
    base = y + height - 15
    gain = chosen.gain(total)
    told = say("units.gain", factor=_times(gain))
    size = place.read
    shapes += [
        note(x + PAD, base, say("units.wall", seconds=numbers.seconds(chosen.wall)), view,
             width=width - 2 * PAD - text_width(told, size, 700) - 16, name="amdahl:wall",
             title=say("units.wall_title")),
        Text(x=x + width - PAD, y=base, text=told, size=size, weight=700, fill=theme.ink,
             anchor="end", read_by_class=True, name="amdahl:gain", title=say("units.gain_title")),
    ]  # fmt: skip
    return shapes


def _times(factor: float) -> str:
    """Return how many times: "1.9", "12"; what is cut is never rounded up to the next whole."""
    return (
        f"{factor:.2f}" if factor < 1.095 else f"{factor:.1f}" if factor < 9.95 else f"{factor:.0f}"
    )


def _choices(subject: Computing, x: float, y: float, view: View, place: Place) -> list[Shape]:
    theme, say = view.theme, view.captions
    chosen = subject.faster
    words = say("units.make")
    size = max(18.0, place.read)
    shapes: list[Shape] = [
        Text(x=x, y=y + 35, text=words, size=size, weight=600, fill=theme.ink, read_by_class=True)
    ]
    at = x + text_width(words, size, 600) + 12
    for work in LANES:
        on = work is chosen.unit
        name = f"choose:unit:{work}" if view.controls else ""
        title = say("units.choose.unit", what=say(f"units.{work}")) if name else ""
        if not view.controls and not on:
            continue
        shapes += [
            Rect(x=at, y=y + 14, width=42, height=30, radius=8,
                 fill=theme.stage if on else theme.well, stroke=theme.ink if on else None,
                 stroke_width=1.8, name=name, title=title),
            *icon(work, at + 12.5, y + 20.5, 17, hues(work, theme).text if on else theme.ink3,
                  name=name, title=title),
        ]  # fmt: skip
        at += 48
    factor = str(chosen.factor)
    shapes += [
        Text(x=at + 6, y=y + 36, text=factor, size=25, weight=700, family="display",
             fill=theme.ink, read_by_class=True),
        Text(x=at + 14 + text_width(factor, 25, 700, "display"), y=y + 35, size=size, weight=600,
             text=say("units.times_faster"), fill=theme.ink, read_by_class=True),
    ]  # fmt: skip
    return shapes


def _slider(subject: Computing, box: Box, view: View) -> list[Shape]:
    """Return the scale of factors, each a place to click; its knob stands at the chosen one."""
    theme, say = view.theme, view.captions
    x, y, width, _ = box
    x, width = x + 6, width - 22
    step = width / (len(FACTORS) - 1)
    knob = x + step * math.log2(subject.faster.factor)
    shapes: list[Shape] = [
        Path(commands=(("M", x, y + 8), ("L", x + width, y + 8)), stroke=theme.hair2,
             stroke_width=4, cap="round"),
        Path(commands=(("M", x, y + 8), ("L", max(knob, x + 0.1), y + 8)), stroke=theme.ink,
             stroke_width=4, cap="round"),
        Ellipse(cx=knob, cy=y + 8, rx=9.5, ry=9.5, fill=theme.ink),
    ]  # fmt: skip
    for i, factor in enumerate(FACTORS):
        on = factor == subject.faster.factor
        middle = x + i * step
        shapes += [
            Text(x=middle, y=y + 35, text=f"{factor}×", size=NOTE, weight=700 if on else 500,
                 fill=theme.ink if on else theme.ink3, anchor="middle"),
        ]  # fmt: skip
        if view.controls:
            shapes.append(
                Rect(x=max(middle - step / 2, box[0] - 12), y=y - 4, width=step, height=44,
                     name=f"choose:faster:{factor}",
                     title=say("units.choose.faster", what=f"{factor}×"))
            )  # fmt: skip
    return shapes


def _stack(
    parts: dict[Work, float], order: list[Work], box: Box, scale: float, view: View
) -> list[Shape]:
    x, y, _, height = box
    shapes: list[Shape] = []
    for work in order:
        width = parts[work] * scale
        if width >= 0.4:
            title = view.captions(
                "units.part_title", unit=view.captions(f"units.{work}"),
                seconds=numbers.seconds(parts[work]),
            )  # fmt: skip
            shapes += bar(work, (x + 0.6, y, max(width - 1.2, 1.0), height), view.theme, "dashed",
                          name=f"amdahl:{work}", title=title)  # fmt: skip
        x += width
    return shapes

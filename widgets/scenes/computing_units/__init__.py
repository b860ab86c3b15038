"""3 Computing in AI: three lanes, the operations that enter them, and what share of time each has.

One workload in every bar. What was counted, modelled, measured and claimed stands side by side and
never in one bar; what no hardware here ran is dashed.
"""

from __future__ import annotations

import math
from dataclasses import fields
from typing import TYPE_CHECKING

from engine.trace import Basis
from widgets.geometry import text_width
from widgets.glyphs import pill, shortened
from widgets.picture import Picture, Rect, Shape, Text
from widgets.remember import Groups, Is
from widgets.scenes.computing_units.faster import faster
from widgets.scenes.computing_units.lanes import lanes
from widgets.scenes.computing_units.layout import EDGE, NOTE, Place, place_for, plot_box
from widgets.scenes.computing_units.live import live, tiles
from widgets.scenes.computing_units.opened import opened
from widgets.scenes.computing_units.panel import panel, time_percents
from widgets.scenes.computing_units.parts import note, segments
from widgets.scenes.computing_units.subject import LANES, Computing

if TYPE_CHECKING:
    from widgets.view import View

MOST_KEPT = 24  # parts of pictures
_kept = Groups(MOST_KEPT)

__all__ = ["Computing", "computing_units", "plot_box"]


def computing_units(subject: Computing, tick: float, view: View) -> Picture:
    """Return the chapter at a tick (a float: its fraction is the way to the next tick).

    Parameters
    ----------
    subject
        The workload and all that is known of it.
    tick
        0 … ``subject.last_tick``, each an operation; what lies outside is moved to the nearer end.
    view
        Box (at least ``SMALLEST``), theme, captions and what is selected.
    """
    tick = min(max(tick, 0.0), float(subject.last_tick))
    now = math.floor(tick)
    phase = tick - now
    place = place_for(view.width, view.height, view.controls)
    shown = now + 1 if phase >= 0.2 else now
    calm = view._replace(hovered="")
    rest = calm._replace(selected="")
    known = _known(subject)
    clock = 0 if view.controls else shown
    source = shortened(subject.source, place.edge - EDGE, NOTE, 500)
    shapes: list[Shape] = [
        _kept("units head", (known, subject.run.basis, clock, rest),
              lambda: _head(subject, shown, place, rest)),
        *lanes(subject, now, phase, place, calm),
        _kept("units panel", (known, calm), lambda: panel(subject, place, calm)),
        _kept("units lower", (known, rest), lambda: _lower(subject, place, rest)),
        *live(subject, place, rest),
        note(EDGE, place.height - 11, source, view, pale=True),
    ]  # fmt: skip
    return Picture(
        width=place.width,
        height=place.height,
        background=view.theme.stage,
        shapes=tuple(shapes),
        title=view.captions("units.title"),
        description=_described(subject, shown, view),
    )


def _known(subject: Computing) -> tuple[Is[object], ...]:
    """Return what all but lanes and live plot are drawn from, to be compared."""
    return tuple(
        Is(getattr(subject, field.name))
        for field in fields(subject)
        if field.name not in ("run", "live")
    )


def _lower(subject: Computing, place: Place, view: View) -> list[Shape]:
    opens = subject.panel == "tile" and subject.tile is not None
    left = opened(subject, place, view) if opens else faster(subject, place, view)
    return [*left, *tiles(subject, place, view)]


def _head(subject: Computing, shown: int, place: Place, view: View) -> list[Shape]:
    """Return title, the one workload, its two switches and the presets."""
    theme, say = view.theme, view.captions
    title = say("units.title")
    shapes: list[Shape] = [
        Text(x=EDGE, y=46, text=title, size=27, weight=600, family="display", fill=theme.ink,
             read_by_class=True)
    ]  # fmt: skip
    right = place.edge
    if view.controls:
        right, row = segments(right, 20, "precision", subject.precisions, subject.precision_id,
                              view)  # fmt: skip
        shapes += row
        right, row = segments(right - 14, 20, "mode", subject.modes, subject.mode, view)
        shapes += row
        words = say("units.workload", model=subject.model, size=subject.size)
    else:
        last = subject.last_tick
        clock = say("units.clock", tick=shown, last=last)
        shapes += pill(right, 22, clock, theme, size=place.read)
        right -= text_width(clock, place.read, 600) + 32
        words = say(
            "units.workload_full", model=subject.model, size=subject.size,
            mode=say(f"units.mode.{subject.mode}"), precision=subject.precision,
        )  # fmt: skip
    left = EDGE + text_width(title, 27, 600, "display") + 18
    width = right - 14 - left
    if text_width(words, 16, 500) > width and view.controls:
        words = say("units.workload_short", model=subject.model, size=subject.size)
    shapes.append(note(left, 45, words, view, size=16, width=width, name="workload",
                       title=words))  # fmt: skip
    if place.presets:
        shapes += _presets(subject, place, view)
    return shapes


def _presets(subject: Computing, place: Place, view: View) -> list[Shape]:
    """Return the workloads for which the claim is nearly true, and those for which it is not."""
    theme, say = view.theme, view.captions
    shapes: list[Shape] = []
    x = EDGE
    for true in (True, False):
        words = say("units.claim_true" if true else "units.claim_false")
        shapes.append(note(x, place.presets, words, view))
        x += text_width(words, NOTE, 500) + 10
        for holds, offer in subject.presets:
            if holds != true:
                continue
            on = offer.id == subject.preset
            width = text_width(offer.label, NOTE, 600) + 22
            name = f"choose:preset:{offer.id}"
            title = say("units.choose.preset", what=offer.label)
            shapes += [
                Rect(x=x, y=place.presets - 19, width=width, height=28, radius=8,
                     fill=theme.stage if on else theme.well,
                     stroke=theme.ink if on else None, stroke_width=1.8, name=name, title=title),
                Text(x=x + width / 2, y=place.presets, text=offer.label, size=NOTE,
                     weight=600 if on else 500, anchor="middle",
                     fill=theme.ink if on else theme.ink2, name=name, title=title),
            ]  # fmt: skip
            x += width + 7
        x += 12
    chosen = "cpu" if subject.run.basis is Basis.MEASURED else "part"
    left, row = segments(
        place.edge, place.presets - 21, "lanes", subject.lanes, chosen, view, height=32
    )
    words = say("units.in_lanes")
    if left - 8 - text_width(words, NOTE, 500) > x:
        shapes.append(note(left - 8, place.presets, words, view, anchor="end"))
    return [*shapes, *row]


def _described(subject: Computing, shown: int, view: View) -> str:
    """Return what the picture shows, for who does not see it."""
    say = view.captions
    whole = time_percents(subject.time, True)
    return say(
        "units.description", model=subject.model, size=subject.size,
        mode=say(f"units.mode.{subject.mode}"), part=subject.part, tick=shown,
        last=subject.last_tick, **{str(work): whole[work] for work in LANES},
    )  # fmt: skip

"""The real training of this window: what share of a step each of its phases takes, by unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.units import Work
from widgets import numbers
from widgets.geometry import text_width
from widgets.picture import Rect, Shape
from widgets.scenes.computing_units.layout import NOTE, Place
from widgets.scenes.computing_units.parts import note, percent
from widgets.scenes.computing_units.subject import LANES, Live
from widgets.units import bar

if TYPE_CHECKING:
    from engine.recorder import Trained
    from widgets.view import View

GAP = 8.0  # px beside a bar


def by_phase(trained: Trained) -> dict[str, dict[Work, int]]:
    """Return whole per cents of a step by phase and unit, which add up to 100 in all."""
    cells = [(phase, work) for phase in trained.seconds for work in LANES]
    whole = numbers.percents([trained.seconds[phase].get(work, 0.0) for phase, work in cells])
    found: dict[str, dict[Work, int]] = {phase: {} for phase in trained.seconds}
    for (phase, work), share in zip(cells, whole, strict=True):
        found[phase][work] = share
    return found


def bars(trained: Trained, place: Place, view: View) -> list[Shape]:
    """Return a bar for each phase, as long as its share of a step, in the colours of its units."""
    theme, say = view.theme, view.captions
    x, y, width, _ = place.live
    what = say("units.trained_what", step=trained.step, what=trained.what)
    shapes: list[Shape] = [
        note(x, y + 14, say("units.trained"), view, size=16, strong=True, width=width,
             name="live:trained", title=say("units.trained_said")),
        note(x, y + 33, what, view, width=width, name="live:trained", title=what),
    ]  # fmt: skip
    percents = by_phase(trained)
    labels = {phase: say(f"units.trained.{phase}") for phase in percents}
    left = x + max(text_width(label, NOTE, 500) for label in labels.values()) + GAP
    long = x + width - text_width(percent(100), NOTE, 600) - GAP - left
    top, bottom = place.plot[1], place.tiles[1] - 10
    row = (bottom - top) / len(percents)
    for i, (phase, of) in enumerate(percents.items()):
        middle = top + (i + 0.5) * row
        size, whole = min(row - 4, 20.0), sum(of.values())
        name = f"live:{phase}"
        title = say("units.trained_title", phase=labels[phase], percent=whole,
                    **{str(work): share for work, share in of.items()})  # fmt: skip
        at = middle + 0.36 * NOTE
        shapes += [
            note(x, at, labels[phase], view, name=name, title=title),
            Rect(x=left, y=middle - size / 2, width=long, height=size, radius=3, fill=theme.well,
                 name=name, title=title),
            note(x + width, at, percent(whole), view, strong=True, anchor="end", name=name,
                 title=title),
        ]  # fmt: skip
        start = left
        for work in LANES:
            wide = long * of[work] / 100
            if wide:
                box = (start, middle - size / 2, wide, size)
                shapes += bar(work, box, theme, "solid", radius=2, name=name, title=title)
                start += wide
    return shapes


def none_yet(series: Live, used: float, place: Place, view: View) -> list[Shape]:
    """Return that no training has run, right of a heading so wide, where there is room."""
    say = view.captions
    x, y, width, _ = place.live
    for key in ("units.trained_none", "units.trained_none_short"):
        words = say(key)
        if used + 10 + text_width(words, NOTE, 500) <= width:
            title = say("units.trained_how")
            return [note(x + width, y + 14, words, view, anchor="end", name="live:trained",
                         title=title)]  # fmt: skip
    return []

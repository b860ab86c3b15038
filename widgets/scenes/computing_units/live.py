"""What this CPU really did, run after run, and the tiles that no hardware here runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.units import Work
from widgets import numbers
from widgets.geometry import text_width
from widgets.glyphs import Box
from widgets.picture import Command, Path, Rect, Shape
from widgets.scenes.computing_units.layout import NOTE, Place
from widgets.scenes.computing_units.parts import note
from widgets.scenes.computing_units.subject import LANES, Computing, Live
from widgets.scenes.computing_units.trained import bars, none_yet
from widgets.units import DASH, hues, pattern

if TYPE_CHECKING:
    from widgets.captions import Captions
    from widgets.view import View

WINDOW = 60  # runs that the plot is wide
ORDER = (Work.MATRIX, Work.STREAM, Work.SEQUENTIAL)  # from below


def first_shown(count: int) -> int:
    """Return the first of so many runs that is shown: of a full plot the older half goes at once.

    So what is drawn stays where it is, and does not slide.
    """
    half = WINDOW // 2
    return 0 if count <= WINDOW else -(-(count - WINDOW) // half) * half


def live(subject: Computing, place: Place, view: View) -> list[Shape]:
    """Return the shares of the live workload as stacked areas, and what it is."""
    theme, say = view.theme, view.captions
    x, y, width, _ = place.live
    box = place.plot
    series = subject.live
    if shows_training(subject) and series.trained is not None:
        return bars(series.trained, place, view)
    title = title_of(series, say)
    shapes: list[Shape] = [
        note(x, y + 14, title, view, size=16, strong=True, width=width),
        note(x, y + 33, series.workload, view, width=width, name="live:workload",
             title=series.workload),
    ]  # fmt: skip
    if subject.mode == "training" and view.controls:
        shapes += none_yet(series, text_width(title, 16, 600), place, view)
    left, top, wide, tall = box
    shapes += [
        Rect(x=left, y=top, width=wide, height=tall, fill=theme.well, name="live:plot",
             title=say("units.live_title")),
        note(left - 6, top + 11, "100", view, anchor="end", pale=True),
        note(left - 6, top + tall, "0", view, anchor="end", pale=True),
    ]  # fmt: skip
    if series.samples:
        shapes += areas(series, box, view)
        shapes += pipe(series, box, view)
    last = series.samples[-1] if series.samples else None
    if last is None:
        words = say("units.live_none")
    else:
        whole = dict(zip(LANES, numbers.percents(last), strict=True))
        words = say("units.live_last", clock=say(f"units.clock.{series.clock}"),
                    **{str(work): whole[work] for work in LANES})  # fmt: skip
    title = words
    if series.recording is not None:
        title = f"{words} · {say('units.live_adds', adds=adds(series.recording))}"
    shapes.append(
        note(x, top + tall + 20, words, view, width=width, name="live:shares", title=title)
    )
    return shapes


def adds(part: float) -> str:
    """Return in per cent what recording adds to a run; below 0 is the noise of the clock."""
    return f"{max(100 * part, 0.0):.1f}{numbers.NBSP}%"


def shows_training(subject: Computing) -> bool:
    """Return whether the real training of this window stands in the place of the plot."""
    return subject.mode == "training" and subject.live.trained is not None


def areas(series: Live, box: Box, view: View) -> list[Shape]:
    """Return the last runs as stacked areas with the units' patterns, a run a step of the axis."""
    x, y, width, height = box
    samples = series.samples[first_shown(len(series.samples)) :]
    step = width / (WINDOW - 1)
    xs = [x + i * step for i in range(len(samples))]
    if len(xs) == 1:
        xs, samples = [x, x + step], samples * 2
    base = [0.0] * len(samples)
    shapes: list[Shape] = []
    for work in ORDER:
        column = LANES.index(work)
        tops = [b + s[column] for b, s in zip(base, samples, strict=True)]
        commands: list[Command] = [("M", xs[0], y + height * (1 - min(tops[0], 1.0)))]
        commands += [("L", at, y + height * (1 - min(t, 1.0)))
                     for at, t in zip(xs[1:], tops[1:], strict=True)]  # fmt: skip
        commands += [("L", at, y + height * (1 - b))
                     for at, b in zip(reversed(xs), reversed(base), strict=True)]  # fmt: skip
        colour = hues(work, view.theme).mark
        title = view.captions("units.live_area", unit=view.captions(f"units.{work}"))
        shapes.append(
            Path(commands=(*commands, ("Z",)), fill=colour, name=f"live:{work}", title=title)
        )
        # The pattern where the area is at least as high as this: it stays within.
        low, high = max(base), min(min(tops), 1.0)
        if height * (high - low) > 10:
            within = (xs[0], y + height * (1 - high), xs[-1] - xs[0], height * (high - low))
            drawn = pattern(work, within, view.theme.on(colour), 0.22, step=16.0)
            if drawn is not None:
                shapes.append(drawn)
        base = tops
    return shapes


def title_of(series: Live, say: Captions) -> str:
    """Return what the plot is called: by what the runs are done."""
    return say("units.live_on", device=series.device) if series.device else say("units.live")


def pipe(series: Live, box: Box, view: View) -> list[Shape]:
    """Return how much of each run the tensor pipe worked: a line over the areas, with its name.

    Where that is not known the line has a gap, and without any number there is none.
    """
    theme, say = view.theme, view.captions
    x, y, width, height = box
    known = series.pipe[first_shown(len(series.pipe)) :]
    step = width / (WINDOW - 1)
    commands: list[Command] = []
    for i, part in enumerate(known):
        if part is None:
            continue
        place = x + i * step, y + height * (1 - min(part, 1.0))
        alone = (i == 0 or known[i - 1] is None) and (i + 1 == len(known) or known[i + 1] is None)
        commands.append(("M" if i == 0 or known[i - 1] is None else "L", *place))
        if alone:
            commands.append(("L", place[0] + step, place[1]))
    if not commands:
        return []
    words = say("units.legend.pipe_now", percent=f"{100 * last_of(series.pipe):.0f}")
    title = say("units.live_pipe_title")
    wide = min(text_width(words, NOTE, 600), width - 16)
    return [
        Path(commands=tuple(commands), stroke=theme.stage, stroke_width=4.5),
        Path(commands=tuple(commands), stroke=theme.ink, stroke_width=2.0, name="live:pipe",
             title=title),
        Rect(x=x + 4, y=y + 4, width=wide + 10, height=20, radius=5, fill=theme.stage),
        note(x + 9, y + 19, words, view, strong=True, width=wide + 1, name="live:pipe",
             title=title),
    ]  # fmt: skip


def last_of(known: tuple[float | None, ...]) -> float:
    """Return the last number that is known; 0.0 without one."""
    return next((part for part in reversed(known) if part is not None), 0.0)


def tiles(subject: Computing, place: Place, view: View) -> list[Shape]:
    """Return the tile that can be opened, and those that nothing here runs."""
    theme, say = view.theme, view.captions
    x, y, width, height = place.tiles
    gap = 8.0
    tall = (height - gap) / 2
    shapes: list[Shape] = []
    if subject.tile is not None:
        on = subject.panel == "tile"
        title = say("units.tile_title")
        shapes += [
            Rect(x=x, y=y, width=width, height=tall, radius=9,
                 fill=theme.stage if on else theme.panel,
                 stroke=theme.ink if on else theme.hair2, stroke_width=1.8 if on else 1.25,
                 name="tile:fp16", title=title),
            note(x + 12, y + tall / 2 - 2, say("units.tile.fp16"), view, strong=True,
                 width=width - 24),
            note(x + 12, y + tall / 2 + 15, say("units.tile.opened" if on else "units.tile.open"),
                 view, width=width - 24),
        ]  # fmt: skip
    half = (width - gap) / 2
    for i, which in enumerate(("sparse", "fp8")):
        left, top = x + i * (half + gap), y + tall + gap
        title = say(f"units.tile.{which}_title")
        shapes += [
            Rect(x=left, y=top, width=half, height=tall, radius=9, fill=theme.stage,
                 stroke=theme.hair2, stroke_width=1.25, dash=DASH, name=f"tile:{which}",
                 title=title),
            note(left + half / 2, top + tall / 2 - 2, say(f"units.tile.{which}"), view,
                 strong=True, width=half - 8, anchor="middle"),
            note(left + half / 2, top + tall / 2 + 15, say("units.tile.not_run"), view,
                 width=half - 6, anchor="middle"),
        ]  # fmt: skip
    return shapes

"""The strip at the foot: how depth, work and time grow with the tokens, and what all this rests on.

The stage shows one sentence; the plots show every length, and ``view.length`` moves their marker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.trace import Pair
from widgets import counters, equation
from widgets.counters import TOKENS, depth_line
from widgets.geometry import text_width
from widgets.glyphs import CELLS, Box, shortened
from widgets.numbers import count, seconds
from widgets.picture import Command, Ellipse, Path, Rect, Shape, Text
from widgets.scenes.recurrence_attention.layout import CLASSIC, MOST_DRAWN, Layout
from widgets.scenes.recurrence_attention.spread import meaning

if TYPE_CHECKING:
    from widgets.view import View

RANGES = (32, 128, 512)  # tokens up to which the plots go; the least that holds the marker
GAP = 34  # px between two plots

# Both sides' numbers at one length: chain, grid.
_Both = tuple[float, float]


@dataclass(frozen=True)
class _Plot:
    """One quantity against the tokens."""

    label: str
    points: Sequence[tuple[int, _Both]]
    now: _Both
    verdict: str


def foot(pair: Pair, place: Layout, view: View) -> list[Shape]:
    """Return depth, work and time of both sides against the tokens, and the sources."""
    theme, y = view.theme, place.foot
    tokens = len(pair.tokens) if view.length is None else view.length
    shapes: list[Shape] = [
        Path(commands=(("M", 28, y), ("L", place.edge, y)), stroke=theme.hair, stroke_width=1),
        *(
            replace(text, name=TOKENS, title=view.captions("count.title.tokens", value=tokens))
            for text in equation.shapes(
                f"T = {tokens}", x=28, y=y + 44, size=20, fill=theme.ink, weight=600
            )
        ),
        *_tokens(pair, tokens, place, view),
    ]
    plots = _plots(pair, tokens, view)
    left, right = 178.0, place.notes - 14
    wide = (right - left - GAP * (len(plots) - 1)) / len(plots)
    for i, plot in enumerate(plots):
        box = (left + i * (wide + GAP), y + 26, wide, 28)
        shapes += _plot(plot, tokens, box, view)
    return [*shapes, *_table(pair, plots, place, view), *_sources(pair, place, view)]


def crossing(pair: Pair, view: View) -> str:
    """Return in words from how many tokens on the grid has the shorter chain of operations."""
    tokens = counters.crossing(pair)
    return "" if tokens is None else view.captions("rt.crossing", tokens=tokens)


def _tokens(pair: Pair, tokens: int, place: Layout, view: View) -> list[Shape]:
    """Return how many tokens the stage has, and what moves the plots' marker along."""
    theme, say, y = view.theme, view.captions, place.foot
    on_stage = view.length is None or view.length == len(pair.tokens)
    key = "rt.words" if on_stage else "rt.words_elsewhere"
    shapes: list[Shape] = [
        Text(
            x=28,
            y=y + 66,
            text=say(key, count=len(pair.tokens)),
            size=14,
            fill=theme.ink2,
            name=TOKENS,
            title=say("count.title.tokens", value=tokens),
        )
    ]
    if not view.controls or not view.growth:
        return shapes
    for i, (name, sign) in enumerate((("shorter", "−"), ("longer", "+"))):
        # Beside T, which has up to four figures.
        x = max(112.0, 28 + text_width(f"T = {tokens}", 20, 600) + 9) + 27 * i
        shapes += [
            Rect(x=x, y=y + 26, width=23, height=23, radius=6, fill=theme.stage,
                 stroke=theme.hair2, stroke_width=1.25, name=name, title=say(f"action.{name}")),
            Text(x=x + 11.5, y=y + 43, text=sign, size=17, weight=600, fill=theme.ink2,
                 anchor="middle"),
        ]  # fmt: skip
    return shapes


def _plots(pair: Pair, tokens: int, view: View) -> list[_Plot]:
    """Return what is plotted: the depth always, work and time where they were measured."""
    say = view.captions
    chain, grid = depth_line(pair, "chain"), depth_line(pair, "grid")
    depths: list[tuple[int, _Both]] = [(t, (c, g)) for t, c, g in pair.depth_of_tokens]
    now: _Both = (pair.chain.depth, pair.grid.depth)
    if chain is not None and grid is not None:
        (a, b), (c, d) = chain, grid
        depths += [(t, (a * t + b, c * t + d)) for t in (*RANGES, tokens) if t > depths[-1][0]]
        now = now if view.length is None else (a * tokens + b, c * tokens + d)
    plots = [_Plot(say("rt.depth"), depths, now, crossing(pair, view))]
    if not view.growth:
        return plots
    row = next((row for row in view.growth if row.tokens == view.length), None)
    flops: _Both = (pair.chain.flops, pair.grid.flops) if row is None else row.flops
    times: _Both = (pair.chain.seconds, pair.grid.seconds) if row is None else row.seconds
    work = [(row.tokens, row.flops) for row in view.growth]
    measured = [(row.tokens, row.seconds) for row in view.growth]
    return [
        *plots,
        _Plot(say("rt.flops"), work, flops, ""),
        _Plot(say("rt.time"), measured, times, _faster(measured, _longest(tokens), view)),
    ]


def _longest(tokens: int) -> int:
    """Return up to how many tokens the plots go."""
    return next((limit for limit in RANGES if limit >= tokens), tokens)


def _faster(measured: Sequence[tuple[int, _Both]], longest: int, view: View) -> str:
    """Return in words where the grid was measured to be the faster one, of what is plotted."""
    say = view.captions
    faster = [grid < chain for t, (chain, grid) in measured if t <= longest]
    lengths = [t for t, _ in measured if t <= longest]
    where = [t for t, yes in zip(lengths, faster, strict=True) if yes]
    if not where:
        return say("rt.never_faster")
    if all(faster):
        return say("rt.always_faster")
    first = faster.index(True)
    if not all(faster[first : first + len(where)]):  # here and there: the machine did other things
        return say("rt.sometimes_faster")
    if where[-1] == lengths[-1]:
        return say("rt.faster_from", first=where[0])
    if len(where) == 1:
        return say("rt.faster_at", first=where[0])
    return say("rt.faster_between", first=where[0], last=where[-1])


def _plot(plot: _Plot, tokens: int, box: Box, view: View) -> list[Shape]:
    """Return one small plot with both sides' lines and the marker at so many tokens."""
    theme, (x, y, width, height) = view.theme, box
    longest = _longest(tokens)
    points = [(t, both) for t, both in plot.points if t <= longest]
    if not points:
        return []
    most = max((max(both) for _, both in points), default=1.0) or 1.0
    most = max(most, *plot.now)

    def at(t: float, value: float) -> tuple[float, float]:
        return x + width * t / longest, y + height * (1 - value / most)

    shapes: list[Shape] = [
        Text(x=x, y=y - 8, text=plot.label, size=14, weight=500, fill=theme.ink2),
        Path(commands=(("M", x, y + height), ("L", x + width, y + height)), stroke=theme.hair2),
    ]
    mark = x + width * tokens / longest
    shapes.append(
        Path(commands=(("M", mark, y - 3), ("L", mark, y + height)), stroke=theme.ghost,
             dash=(2.0, 3.0))
    )  # fmt: skip
    for side, colour in ((1, theme.ink3), (0, theme.ink)):
        line = [at(t, both[side]) for t, both in points]
        commands: list[Command] = [("M", *line[0]), *(("L", *p) for p in line[1:])]
        shapes.append(Path(commands=tuple(commands), stroke=colour, stroke_width=2.6))
        cx, cy = at(tokens, plot.now[side])
        shapes.append(
            Ellipse(cx=cx, cy=cy, rx=4.5, ry=4.5, fill=theme.stage, stroke=colour,
                    stroke_width=2.2)
        )  # fmt: skip
    if view.controls and view.growth:
        shapes += _lengths(x, y - 6, width, height + 10, longest, view)
    end = str(longest)
    start, stop = text_width("1", 14, 500), text_width(end, 14, 500)
    room, middle = width - 2 * stop - 8, x + width / 2
    if text_width(plot.verdict, 14, 500) > room:  # in the middle between both ends, then
        room, middle = width - start - stop - 8, x + (start + width - stop) / 2
    shapes += [
        Text(x=x, y=y + height + 16, text="1", size=14, weight=500, fill=theme.ink3),
        Text(x=x + width, y=y + height + 16, text=end, size=14, weight=500, fill=theme.ink3,
             anchor="end"),
        Text(x=middle, y=y + height + 16, size=14, weight=500, fill=theme.ink2,
             text=shortened(plot.verdict, room, 14, 500), anchor="middle"),
    ]  # fmt: skip
    return shapes


def _lengths(
    x: float, y: float, width: float, height: float, longest: int, view: View
) -> list[Shape]:
    """Return the places of a plot where a click moves the marker to a measured length."""
    rows = [row.tokens for row in view.growth if row.tokens <= longest]
    edges = [0.0, *((a + b) / 2 for a, b in zip(rows, rows[1:], strict=False)), float(longest)]
    return [
        Rect(
            x=x + width * low / longest, y=y, width=width * (high - low) / longest, height=height,
            name=f"length:{tokens}", title=view.captions("rt.length_title", tokens=tokens),
        )
        for tokens, low, high in zip(rows, edges, edges[1:], strict=False)
    ]  # fmt: skip


def _table(pair: Pair, plots: Sequence[_Plot], place: Layout, view: View) -> list[Shape]:
    """Return work and time of both sides as numbers, for the tokens at the marker."""
    theme, say, y = view.theme, view.captions, place.foot
    chain, grid = pair.chain, pair.grid
    names = (say(f"model.{chain.facts.cell}"), say("model.transformer"))
    shapes: list[Shape] = []
    for right, name, colour in (
        (place.edge - 118, names[0], theme.ink), (place.edge, names[1], theme.ink3),
    ):  # fmt: skip
        left = right - text_width(name, 14, 500)
        shapes += [
            Path(commands=(("M", left - 24, y + 17), ("L", left - 7, y + 17)), stroke=colour,
                 stroke_width=2.6),
            Text(x=right, y=y + 22, text=name, size=14, weight=500, fill=theme.ink2,
                 anchor="end"),
        ]  # fmt: skip
    flops: _Both = plots[1].now if len(plots) > 1 else (chain.flops, grid.flops)
    times: _Both = plots[2].now if len(plots) > 1 else (chain.seconds, grid.seconds)
    rows = (
        ("flops", say("rt.flops"), *(count(int(value)) for value in flops)),
        ("seconds", say("rt.time"), *(seconds(value) for value in times)),
    )
    for line, (what, label, *numbers) in enumerate(rows):
        base = y + 45 + 22 * line
        shapes.append(
            Text(x=place.notes + 12, y=base, text=label, size=14, weight=500, fill=theme.ink2)
        )
        for side, name, right, number in zip(
            ("chain", "grid"), names, (place.edge - 118, place.edge), numbers, strict=True
        ):
            shapes.append(
                Text(x=right, y=base, text=number, size=max(17, place.read), weight=700,
                     fill=theme.ink, anchor="end", read_by_class=True, name=f"count:{side}:{what}",
                     title=say(f"count.title.{what}", side=name, value=number))
            )  # fmt: skip
    return shapes


def _sources(pair: Pair, place: Layout, view: View) -> list[Shape]:
    """Return where the numbers come from, and what has to be said of the sentence."""
    theme, say, chain = view.theme, view.captions, pair.chain
    facts = pair.grid.facts
    source = say(
        "rt.source", backend=facts.backend, device=facts.device, precision=facts.precision,
        threads=say("rt.threads", count=facts.threads),
    )  # fmt: skip
    if chain.facts.width > CELLS:
        source += say("rt.pooled_source", numbers=chain.facts.width, cells=CELLS)
    shapes: list[Shape] = [
        Text(
            x=28, y=place.height - 9, size=14, weight=500, fill=theme.ink3,
            text=shortened(source, place.edge - 28, 14, 500),
        )
    ]  # fmt: skip
    notes = notes_of(pair, view)
    if notes:
        text = shortened(notes, place.edge - 28, 14, 500)
        shapes.append(Text(x=28, y=69, text=text, size=14, weight=500, fill=theme.ink2))
    return shapes


def notes_of(pair: Pair, view: View) -> str:
    """Return all that has to be said of the sentence and its runs, in one line of any length."""
    say = view.captions
    drawn = view.classic and len(pair.tokens) == len(CLASSIC)
    picture = (say("rt.classic_source"),) if drawn else ()
    said = [meaning(pair, view)]
    if len(pair.tokens) > MOST_DRAWN:
        said.append(say("rt.drawn", count=len(pair.tokens), drawn=MOST_DRAWN))
    notes = (*picture, *filter(None, said), *pair.chain.facts.notes, *pair.grid.facts.notes)
    return " · ".join(dict.fromkeys(notes))

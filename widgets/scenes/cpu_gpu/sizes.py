"""Time against size, with the crossover as a band in ink."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

from engine.crossover import Estimate, band, between, estimate, gpu_name, task
from engine.race import SIZES
from widgets import numbers
from widgets.geometry import text_width
from widgets.glyphs import line, shortened
from widgets.numbers import NBSP
from widgets.picture import Path, Rect, Shape, Text
from widgets.scenes.cpu_gpu.layout import EDGE, NOTE, Place
from widgets.scenes.cpu_gpu.parts import NOW, Labels, Scale, decades, mark
from widgets.scenes.cpu_gpu.subject import Race
from widgets.theme import mix

if TYPE_CHECKING:
    from widgets.captions import Captions
    from widgets.view import View

MODELLED = (7.0, 4.5)  # dash of a line that was not measured
OTHER = (2.0, 3.5)  # and of the one for the data's other place
Point = tuple[float, float]


class Line(NamedTuple):
    """One way to compute, by size: ``by`` as in engine.race, times, and how it is drawn."""

    by: str
    words: str
    points: tuple[tuple[int, float], ...]
    kind: Literal["cpu", "gpu"]
    shape: str
    modelled: bool = False
    chosen: bool = True


def lines(subject: Race, say: Captions) -> tuple[Line, ...]:
    """Return all lines of the plot: those that were measured, and the GPU's."""
    found: list[Line] = []
    measured, op = subject.measured, subject.op
    ways = (("python", "square"), ("one", "circle"), ("all", "triangle"))
    for by, shape in ways if measured is not None else ():
        assert measured is not None
        points = tuple((p.n, p.seconds) for p in measured.line(op, by))
        if points:
            found.append(Line(by, say(f"race.by.{by}"), points, "cpu", shape))
    for resident in (subject.resident, not subject.resident):
        chosen = resident == subject.resident
        by = gpu_name(resident=resident, graph=subject.graph)
        done = measured.line(op, by) if measured is not None else ()
        place = say("race.resident" if resident else "race.copied")
        if done and measured is not None:
            points = tuple((p.n, p.seconds) for p in done)
            words = say("race.by.gpu", part=measured.device, data=place) if chosen else place
            found.append(Line(by, words, points, "gpu", "circle", chosen=chosen))
            continue
        points = tuple((n, on_gpu(subject, n, resident).seconds) for n in SIZES)
        words = say("race.by.gpu", part=subject.part_name, data=place) if chosen else place
        found.append(Line(by, words, points, "gpu", "circle", True, chosen))
    return tuple(found)


def on_gpu(subject: Race, n: int, resident: bool | None = None) -> Estimate:
    """Return the modelled time of the chosen operation at a size."""
    resident = subject.resident if resident is None else resident
    return estimate(task(subject.op, n), subject.part, resident=resident, graph=subject.graph)


def sizes(subject: Race, tick: float, place: Place, view: View) -> list[Shape]:
    """Return the plot; on its own page with the marker of now at a size."""
    theme, say = view.theme, view.captions
    x, y, width, height = place.plot
    drawn_lines = lines(subject, say)
    low, high = decades([s for each in drawn_lines for _, s in each.points])
    across = Scale(SIZES[0], SIZES[-1], x, x + width)
    up = Scale(low, high, y + height, y)
    drawn: list[Shape] = []
    labels = Labels((x + 2, y - 4, width + 4, height + 2))
    drawn += _band(subject, across, place, labels, view)
    drawn += _grid(across, up, place, view)
    below = len(drawn)  # where the marker of now is laid, once it is known where names stand
    hues = {"cpu": (theme.seq, theme.seq_text), "gpu": (theme.stream, theme.stream_text)}
    drawn += _range(subject, drawn_lines, across, up, view)
    placed: list[tuple[Line, list[Point]]] = []
    for each in drawn_lines:
        points = [(across.at(n), up.at(s)) for n, s in each.points]
        placed.append((each, points))
        labels.keep_off(points)
        if each.chosen:
            dash = MODELLED if each.modelled else ()
            drawn += line(points, hues[each.kind][0], 2.6 if each.by != "all" else 1.8, dash)
        else:
            drawn += line(points, hues[each.kind][0], 1.6, OTHER)
    drawn += _band_words(subject, across, place, labels, view)
    for each, points in placed:
        if not each.chosen:
            continue
        for (n, seconds), (px, py) in zip(each.points, points, strict=True):
            name = f"point:{subject.op}:{each.by}:{n}"
            title = say(
                "race.point_model" if each.modelled else "race.point",
                by=each.words, n=n, time=numbers.seconds(seconds),
            )  # fmt: skip
            drawn.append(
                mark(each.shape, px, py, hues[each.kind][0], theme.stage, hollow=each.modelled,
                     name=name, title=title)
            )  # fmt: skip
            if view.selected == name:
                drawn.append(Rect(x=px - 9, y=py - 9, width=18, height=18, radius=9,
                                  stroke=theme.ink, stroke_width=2))  # fmt: skip
    for each, points in sorted(placed, key=lambda one: len(one[1])):
        size = place.read if each.chosen else NOTE
        drawn += labels.place(
            each.words, points, hues[each.kind][1], size, weight=600 if each.chosen else 500,
            read=each.chosen,
        )  # fmt: skip
    if subject.page(tick) == "sizes":
        drawn[below:below] = _now(across.at(subject.size(tick)), labels, place, view)
    return [*drawn, *_foot(subject, tick, place, view)]


def _grid(across: Scale, up: Scale, place: Place, view: View) -> list[Shape]:
    theme = view.theme
    x, _, width, _ = place.plot
    drawn: list[Shape] = []
    count = round(math.log10(up.high / up.low))
    every = 1 if (up.start - up.end) / count > 19 else 2
    for i in range(count + 1):
        value = up.low * 10**i
        py = up.at(value)
        drawn += line([(x, py), (x + width, py)], theme.hair2 if i == 0 else theme.hair, 1.0)
        if i % every == 0:
            words = numbers.seconds(value * 1.0000001)
            drawn.append(Text(x=x - 8, y=py + 5, text=words, size=NOTE, weight=500,
                              fill=theme.ink2, anchor="end"))  # fmt: skip
    drawn.append(Text(x=x + width + 26, y=place.foot, text="n", size=place.read, italic=True,
                      weight=500, fill=theme.ink))  # fmt: skip
    for n in SIZES[::2]:
        drawn.append(Text(x=across.at(n), y=place.foot, text=str(n), size=place.read, weight=500,
                          fill=theme.ink2, anchor="middle", read_by_class=True))  # fmt: skip
    return drawn


def _range(
    subject: Race, drawn_lines: tuple[Line, ...], across: Scale, up: Scale, view: View
) -> list[Shape]:
    """Return what the assumptions of the model leave open, as an area round the chosen line."""
    if not any(each.modelled and each.chosen for each in drawn_lines):
        return []
    found = [(across.at(n), on_gpu(subject, n)) for n in SIZES]
    edge = [(x, up.at(each.high)) for x, each in found]
    edge += [(x, up.at(each.low)) for x, each in reversed(found)]
    first, *rest = edge
    return [
        Path(commands=(("M", *first), *(("L", *point) for point in rest), ("Z",)),
             fill=view.theme.stream, opacity=0.13)
    ]  # fmt: skip


def bounds(subject: Race) -> tuple[float, float] | None:
    """Return the ends of the band within what is plotted, None without a crossover there."""
    if subject.measured is None or not subject.measured.complete:
        return None
    found = band(subject.measured, subject.op, subject.part)
    if found is None or found.low > SIZES[-1] or found.high < SIZES[0]:
        return None
    return max(found.low, float(SIZES[0])), min(found.high, float(SIZES[-1]))


def band_words(subject: Race, say: Captions) -> tuple[str, str]:
    """Return where the crossover is, and what that means, in a few words."""
    measured = subject.measured
    if measured is None or not measured.complete:
        return "", ""  # half of the sizes would say that there is none
    found = band(measured, subject.op, subject.part)
    if found is None:
        return "", ""
    if found.low > SIZES[-1]:
        return say("race.no_crossover"), say(f"race.why_none.{subject.op}")
    low, high = _two(found.low), _two(found.high)
    if found.high > SIZES[-1]:
        return say("race.crossover_from", low=low), say("race.either_or_never")
    if low == high:
        return say("race.crossover_at", low=low), say("race.either")
    return say("race.crossover", low=low, high=high), say("race.either")


def _two(n: float) -> str:
    """Return a size with two significant digits: it is not known any better."""
    if not SIZES[0] <= n <= SIZES[-1]:
        return str(SIZES[0] if n < SIZES[0] else SIZES[-1])
    digits = max(math.floor(math.log10(n)) - 1, 0)
    return numbers.exact(round(n / 10**digits) * 10**digits)


def _band(subject: Race, across: Scale, place: Place, labels: Labels, view: View) -> list[Shape]:
    """Return the ground of the band with its edges; the darker part is that of what is chosen."""
    theme, say = view.theme, view.captions
    _, y, _, height = place.plot
    found, measured = bounds(subject), subject.measured
    if found is None or measured is None:
        return []
    what, meaning = band_words(subject, say)
    name, title = f"band:{subject.op}", f"{what}: {meaning}"
    start, end = across.at(found[0]), across.at(found[1])
    drawn: list[Shape] = [
        Rect(x=start, y=y, width=end - start, height=height,
             fill=mix(theme.stage, theme.ink, 0.09), name=name, title=title)
    ]  # fmt: skip
    own = band(
        measured, subject.op, subject.part, resident=subject.resident, graph=subject.graph
    )  # fmt: skip
    if own is not None and own.low < SIZES[-1] and own.high > SIZES[0]:
        inner = across.at(own.low), across.at(own.high)
        drawn.append(
            Rect(x=inner[0], y=y, width=max(inner[1] - inner[0], 1.0), height=height,
                 fill=mix(theme.stage, theme.ink, 0.17), name=name, title=title)
        )  # fmt: skip
    for px in (start, *((end,) if found[1] < SIZES[-1] else ())):
        drawn += line([(px, y), (px, y + height)], theme.ink, 1.8)
        labels.keep_off([(px, y), (px, y + height)])
    return drawn


def _band_words(
    subject: Race, across: Scale, place: Place, labels: Labels, view: View
) -> list[Shape]:
    """Return what is written on the band, or beside it where no line runs."""
    theme, say = view.theme, view.captions
    what, meaning = band_words(subject, say)
    if not what:
        return []
    x, y, width, height = place.plot
    size = place.read + 1
    wide = max(text_width(what, size, 700), text_width(meaning, NOTE, 500))
    high = size + 22.0
    found = bounds(subject)
    left, right = x + 8, x + width - wide - 8
    tries: list[float] = [right, left]
    if found is not None:
        start, end = across.at(found[0]), across.at(found[1])
        within = [(start + end - wide) / 2] if end - start > wide + 8 else []
        tries = [*within, end + 8, start - wide - 8, right, left]
    at = [
        (px, top)
        for px in tries for top in (y + 3, y + height - high - 4, y + height / 2 - high / 2)
        if left - 6 <= px <= right + 6
    ]  # fmt: skip
    px, top = max(
        at, key=lambda p: (min(labels.away((p[0], p[1], p[0] + wide, p[1] + high)), 5.0))
    )  # fmt: skip
    labels.keep_free(px - 5, top - 4, px + wide + 5, top + high + 2)
    name, title = f"band:{subject.op}", f"{what}: {meaning}"
    return [
        *_ground(found, across, (px - 4, top, wide + 8, high), view),
        Text(x=px, y=top + size, text=what, size=size, weight=700, fill=theme.ink,
             read_by_class=True, name=name, title=title),
        Text(x=px, y=top + size + 17, text=meaning, size=NOTE, weight=500, fill=theme.ink2,
             name=name, title=title),
    ]  # fmt: skip


def _ground(
    found: tuple[float, float] | None, across: Scale, box: tuple[float, float, float, float],
    view: View,
) -> list[Shape]:  # fmt: skip
    x, y, width, height = box
    inside = found is not None and across.at(found[0]) <= x + width / 2 <= across.at(found[1])
    if inside:
        return []
    return [Rect(x=x, y=y, width=width, height=height, fill=view.theme.stage, opacity=0.85)]


def _now(x: float, labels: Labels, place: Place, view: View) -> list[Shape]:
    """Return the marker of now, which leaves out names: those stay where they are at every tick."""
    theme, (_, y, _, height) = view.theme, place.plot
    parts = labels.between(x, y, y + height)
    return [
        shape
        for colour, width in ((theme.now, NOW), (theme.now_line, 1.6))
        for top, bottom in parts for shape in line([(x, top), (x, bottom)], colour, width)
    ]  # fmt: skip


def verdict(subject: Race, n: int, say: Captions) -> str:
    """Return in words what the CPU and the GPU take at a size, and who is quicker by how much."""
    measured = subject.measured
    one = None if measured is None else measured.at(subject.op, "one", n)
    every = None if measured is None else measured.at(subject.op, "all", n)
    by = gpu_name(resident=subject.resident, graph=subject.graph)
    done = measured.line(subject.op, by) if measured is not None else ()
    gpu = (
        between([(float(p.n), p.seconds) for p in done], n) if done else on_gpu(subject, n).seconds
    )
    about = "" if done else f"≈{NBSP}"
    part = measured.device if done and measured is not None else subject.part_name
    if one is None:
        return say("race.at_n_gpu", n=n, part=part, about=about, gpu=numbers.seconds(gpu))
    cpu = min(one.seconds, every.seconds if every else math.inf)
    key = "race.at_n_gpu_wins" if gpu < cpu else "race.at_n_cpu_wins"
    times = numbers.value(float(f"{max(gpu / cpu, cpu / gpu):.2g}"))
    return say(
        key, n=n, cpu=numbers.seconds(cpu), part=part, about=about, gpu=numbers.seconds(gpu),
        times=times,
    )  # fmt: skip


def _foot(subject: Race, tick: float, place: Place, view: View) -> list[Shape]:
    """Return what is plotted, or at a size of now who is how much quicker."""
    say, theme = view.captions, view.theme
    x, _, width, _ = place.plot
    now = subject.page(tick) == "sizes"
    words = (
        verdict(subject, subject.size(tick), say) if now else say(f"race.what.{subject.op}")
    )  # fmt: skip
    room = x + width - EDGE
    text = shortened(words, room, place.read, 600 if now else 400)
    return [
        Text(x=EDGE, y=place.foot + place.read + 6, text=text, size=place.read,
             weight=600 if now else 400, fill=theme.ink if now else theme.ink2,
             read_by_class=now)
    ]  # fmt: skip

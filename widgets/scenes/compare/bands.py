"""The tables of the comparison: A's half, B's half, and between them what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from widgets.geometry import text_width
from widgets.glyphs import shortened, wrapped
from widgets.numbers import MINUS, count, percents, seconds, value
from widgets.picture import Command, Ellipse, Path, Rect, Shape, Text
from widgets.scenes.compare.findings import (
    Head,
    Likely,
    Look,
    Side,
    asking,
    block,
    heads,
    largest_change,
    likely,
    marked,
    meet,
    states_apart,
    weights,
)
from widgets.scenes.compare.layout import BOX, Column, Layout
from widgets.theme import mix

if TYPE_CHECKING:
    from engine.trace import Trace
    from widgets.view import View

SIDES = ("A", "B")
NUMBERED = 36.0  # px a word, from which on each bar has its number
LISTED = 2  # differing words that are listed where the words are too many to be written
Anchor = Literal["start", "middle", "end"]


def points(difference: int) -> str:
    """Return a difference of whole per cents: "+31", "−86", "0"."""
    return f"+{difference}" if difference > 0 else f"{MINUS}{-difference}" if difference else "0"


def label(x: float, y: float, text: str, view: View, anchor: Anchor = "start") -> Text:
    """Return small words over a table."""
    return Text(x=x, y=y, text=text, size=14, weight=500, fill=view.theme.ink3, anchor=anchor)


def number(
    x: float, y: float, text: str, view: View, *, size: float, title: str = ""
) -> Text:  # fmt: skip
    """Return a number that the class has to read, its right end at x."""
    return Text(x=x, y=y, text=text, size=size, weight=700, fill=view.theme.ink, anchor="end",
                read_by_class=True, title=title)  # fmt: skip


def rule(y: float, place: Layout, view: View) -> Path:
    """Return the hairline above a table."""
    line: tuple[Command, ...] = (("M", place.columns[0][0], y), ("L", place.edge, y))
    return Path(commands=line, stroke=view.theme.hair, stroke_width=1)


# ------------------------------------------------------------------ words


def words(a: Side, b: Side, place: Layout, view: View) -> list[Shape]:
    """Return both rows of words with the attention over the states above them."""
    sides = (a, b)
    differ = marked(a.pair.tokens, b.pair.tokens)
    moved = largest_change(a, b)
    shares = (weights(a), weights(b))
    most = max((float(row.max()) for row in shares if row is not None), default=1.0)
    shapes: list[Shape] = []
    for which, side in enumerate(sides):
        if any(s.pair.chain.facts.attention for s in sides):
            strong = -1 if moved is None or moved.a == moved.b else moved[which]
            shapes += _bars(which, side, most, strong, place, view)
        shapes += _row(which, side, differ[which], place, view)
    return [*shapes, *_between(a, b, differ, place, view)]


def _bars(
    which: int, side: Side, most: float, strong: int, place: Layout, view: View
) -> list[Shape]:
    """Return how the last state's attention lies on the words: a bar each, on one scale."""
    theme, say = view.theme, view.captions
    (x, width), (top, floor) = place.columns[2 * which], place.bars
    shares = weights(side)
    if shares is None:
        there = side.pair.chain.facts.attention
        text = say("compare.not_yet" if there else "compare.no_attention")
        shapes: list[Shape] = []
        if there:
            shapes.append(
                Rect(x=x + 1, y=top - 10, width=width - 2, height=floor - top + 6, radius=8,
                     stroke=theme.ghost, stroke_width=1.3, dash=(4.0, 4.0))
            )  # fmt: skip
        middle = (top - 10 + floor) / 2 + 4
        return [*shapes, label(x + width / 2, middle, text, view, "middle")]
    pitch = place.pitches[which]
    whole = percents(shares)
    wide = min(max(0.62 * pitch, 1.5), 46.0)
    tallest = max(range(len(whole)), key=lambda i: float(shares[i]))
    line: tuple[Command, ...] = (("M", x, floor), ("L", x + width, floor))
    shapes = [Path(commands=line, stroke=theme.hair2, stroke_width=1)]
    for i, share in enumerate(whole):
        cx = x + (i + 0.5) * pitch
        tall = (floor - top) * float(shares[i]) / most
        if tall < 0.5 and place.words[which] == "cells":
            continue
        tall = max(tall, 0.5)
        title = say("compare.weight_title", side=SIDES[which], value=share,
                    word=side.pair.tokens[i])  # fmt: skip
        shapes.append(
            Rect(x=cx - wide / 2, y=floor - tall, width=wide, height=tall,
                 radius=min(3.0, tall / 2), fill=theme.ink if i == strong else theme.ink_map(0.5),
                 title=title)
        )  # fmt: skip
        if pitch >= NUMBERED or i == tallest:
            at = min(max(cx, x + 16), x + width - 16)
            shapes.append(
                Text(x=at, y=floor - tall - 5, text=str(share), size=place.read,
                     weight=700 if i == tallest else 500,
                     fill=theme.ink if i == tallest else theme.ink2, anchor="middle",
                     read_by_class=True)
            )  # fmt: skip
    return shapes


def _row(
    which: int, side: Side, differ: frozenset[int], place: Layout, view: View
) -> list[Shape]:  # fmt: skip
    """Return a row of words: those that differ on ink, the hidden one as a blank."""
    theme, manner = view.theme, place.words[which]
    x, pitch = place.columns[2 * which][0], place.pitches[which]
    top = place.bars[1] + 4
    tall = (BOX if manner == "boxes" else place.words_height) - 4
    gap = {"boxes": 8.0, "turned": 1.0, "cells": 0.0}[manner]
    shapes: list[Shape] = []
    if manner == "cells":
        long = pitch * len(side.pair.tokens)
        shapes.append(
            Rect(x=x, y=top, width=long, height=tall, radius=3, fill=theme.panel,
                 stroke=theme.hair2)
        )  # fmt: skip
    for i, word in enumerate(side.pair.tokens):
        left, wide = x + i * pitch + gap / 2, pitch - gap
        other, hidden = i in differ, i == side.pair.grid.hidden
        if manner == "cells":
            if other or hidden:
                shapes.append(
                    Rect(x=left, y=top, width=max(wide, 2.0), height=tall,
                         fill=theme.ink if other else theme.stage, stroke=theme.ink,
                         title=f"{i + 1}: {word}")
                )  # fmt: skip
            continue
        fill = theme.ink if other else theme.well if hidden else theme.panel
        ink = theme.onink if other else theme.ink
        shapes.append(
            Rect(x=left, y=top, width=wide, height=tall, radius=min(7.0, wide / 3), fill=fill,
                 stroke=theme.ink if other or hidden else theme.hair2,
                 stroke_width=1.6 if hidden else 1.0 if manner == "boxes" else 0.6,
                 dash=(2.0, 3.0) if side.pair.unknown[i] else (), title=f"{i + 1}: {word}")
        )  # fmt: skip
        cx, middle = left + wide / 2, top + tall / 2
        if hidden:
            blank: tuple[Command, ...] = (("M", cx - 17, top + 19), ("L", cx + 17, top + 19))
            if manner == "turned":
                blank = (("M", cx + 3, top + tall - 8), ("L", cx + 3, top + tall - 32))
            shapes.append(Path(commands=blank, stroke=ink, stroke_width=2.4, cap="round"))
        elif manner == "boxes":
            shapes.append(
                Text(x=cx, y=middle + 5.8, text=shortened(word, wide - 8, place.read, 600),
                     size=place.read, weight=600, fill=ink, anchor="middle", read_by_class=True)
            )  # fmt: skip
        else:
            shapes.append(
                Text(x=cx + 0.35 * place.read, y=top + tall - 5, rotate=-90, size=place.read,
                     weight=600, fill=ink, text=shortened(word, tall - 8, place.read, 600),
                     read_by_class=True)
            )  # fmt: skip
    return shapes


def _between(
    a: Side,
    b: Side,
    differ: tuple[frozenset[int], frozenset[int]],
    place: Layout,
    view: View,
) -> list[Shape]:
    """Return in words what differs in the words, in the attention and in the last state."""
    x, width = place.columns[1]
    top, bottom = place.bars[0] - 16, place.bars[1] + place.words_height
    lines = _said(a, b, differ, place, view)
    size = place.read
    most = int((bottom - top) / (size + 2))
    parted = [
        (part, weight) for text, weight in lines for part in wrapped(text, width, size, weight)
    ]
    lines = parted if len(parted) <= most else lines
    pitch = min(size + 7, (bottom - top) / len(lines))
    start = (top + bottom) / 2 - pitch * len(lines) / 2 + pitch * 0.72
    return [
        Text(x=x, y=start + pitch * i, text=shortened(text, width, size, weight), size=size,
             weight=weight, fill=view.theme.ink if weight == 600 else view.theme.ink2,
             read_by_class=True)
        for i, (text, weight) in enumerate(lines)
    ]  # fmt: skip


def _said(
    a: Side, b: Side, differ: tuple[frozenset[int], frozenset[int]], place: Layout, view: View
) -> list[tuple[str, Literal[500, 600]]]:
    """Return the lines between the words, those that say a difference in 600."""
    say, old, new = view.captions, a.pair.tokens, b.pair.tokens
    lines: list[tuple[str, Literal[500, 600]]] = []
    if len(old) != len(new):
        lines.append((say("compare.words_count", a=len(old), b=len(new)), 600))
    elif old != new:
        text = say("compare.words_differ", count=len(differ[0]), all=len(old))
        lines.append((text, 600))
        if "cells" in place.words:
            first = sorted(differ[0])
            lines += [
                (say("compare.at", index=i + 1, a=old[i], b=new[i]), 500) for i in first[:LISTED]
            ]
            if len(first) > LISTED:
                lines.append((say("compare.more", count=len(first) - LISTED), 500))
    else:
        lines.append((say("compare.same_words", count=len(old)), 500))
    if weights(a) is not None and weights(b) is not None:
        moved = largest_change(a, b)
        if moved is None and None not in meet(old, new):
            lines.append((say("compare.unmoved"), 500))
        elif moved is not None and moved.a == moved.b:
            lines.append((say("compare.hardly_moved"), 500))
        elif moved is not None:
            word = shortened(old[moved.word], 90, place.read, 600)
            lines.append((say("compare.moved", word=word, a=moved.a, b=moved.b), 600))
    apart = states_apart(a, b)
    if apart is not None and apart.distance == 0:
        lines.append((say("compare.states_same"), 500))
    elif apart is not None:
        distance, length = value(apart.distance), value(apart.length)
        lines.append((say("compare.apart", distance=distance, length=length), 600))
    return lines


# ------------------------------------------------------------------ the answers


def answers(a: Side, b: Side, place: Layout, view: View) -> list[Shape]:
    """Return both models' likeliest words on both sides, a word in the same row everywhere."""
    say, y = view.captions, place.answers
    shapes: list[Shape] = [rule(y - 6, place, view)]
    for slot, which in enumerate(("chain", "grid")):
        rows = likely(a, b, which)
        for half, side in enumerate((a, b)):
            x, width = _slot(place.columns[2 * half], slot)
            trace = side.pair.side(which)
            name = say(f"model.{trace.facts.cell or 'transformer'}")
            shapes.append(
                Text(x=x, y=y + 14, text=name, size=place.read, weight=600, fill=view.theme.ink,
                     read_by_class=True)
            )  # fmt: skip
            known = side.known(which, "answer")
            shapes += _answer(half, rows, known, (x, width), place, view)
        x, width = _slot(place.columns[1], slot)
        names = dict.fromkeys(
            say(f"model.{side.pair.side(which).facts.cell or 'transformer'}") for side in (a, b)
        )
        text = say("compare.points", model=list(names)[-1])
        if differences := _differences(rows, (x, width), place, view):
            heading = shortened(text, width, 14, 500)
            shapes += [label(x + width, y + 14, heading, view, "end"), *differences]
    return shapes


def _slot(column: Column, slot: int) -> Column:
    """Return the half of a column for chain (0) or grid (1)."""
    x, width = column
    half = (width - 16) / 2
    return x + slot * (half + 16), half


def _answer(
    half: int, rows: tuple[Likely, ...], known: bool, column: Column, place: Layout, view: View
) -> list[Shape]:
    theme, say, (x, width) = view.theme, view.captions, column
    top, pitch, size = place.first(place.answers), place.row, place.size
    shapes: list[Shape] = []
    if not known:
        for row, share in enumerate((0.5, 0.36, 0.42)):
            shapes.append(
                Rect(x=x + 1, y=top + pitch * row + 3, width=width * share, height=pitch - 6,
                     radius=4, stroke=theme.ghost, stroke_width=1.2, dash=(3.0, 3.0))
            )  # fmt: skip
        return shapes
    for row, word in enumerate(rows):
        y = top + pitch * row
        percent, share = word.percent[half], word.share[half]
        text = say("compare.percent", value="—" if percent is None else percent)
        title = say("compare.likely_title", word=word.word, share=percent, side=SIDES[half])
        bar = max(2.0, width * share)
        leads = word.leads[half]
        weight: Literal[500, 700] = 700 if leads else 500
        colour = theme.ink if leads else theme.ink2
        room = width - 24 - text_width(text, size, 700)
        base = y + pitch / 2 + size * 0.36
        shapes += [
            Rect(x=x, y=y + 1, width=bar, height=pitch - 2, radius=min(5.0, bar / 2),
                 fill=mix(theme.stage, theme.ink_map(0.5), 0.32), title=title),
            Text(x=x + 8, y=base, text=shortened(word.word, room, size, weight), size=size,
                 weight=weight, fill=colour, read_by_class=True),
            Text(x=x + width - 4, y=base, text=text, size=size, weight=weight, fill=colour,
                 anchor="end", read_by_class=True),
        ]  # fmt: skip
    return shapes


def _differences(
    rows: tuple[Likely, ...], column: Column, place: Layout, view: View
) -> list[Shape]:
    """Return for each row by how many points its word moved: a bar from the middle, a number."""
    theme, (x, width) = view.theme, column
    top, pitch, size = place.first(place.answers), place.row, place.size
    reach = (width - 8 - text_width(points(-100), size, 700)) / 2  # px for 100 points
    zero = x + reach
    moved = [
        None if row.percent[0] is None or row.percent[1] is None
        else row.percent[1] - row.percent[0]
        for row in rows
    ]  # fmt: skip
    if all(difference is None for difference in moved):
        return []
    axis: tuple[Command, ...] = (("M", zero, top + 1), ("L", zero, top + pitch * len(rows) - 1))
    shapes: list[Shape] = [Path(commands=axis, stroke=theme.hair2, stroke_width=1)]
    for i, (row, difference) in enumerate(zip(rows, moved, strict=True)):
        if difference is None:
            continue
        y, long = top + pitch * i, reach * (row.share[1] - row.share[0])
        shapes.append(
            Rect(x=min(zero, zero + long), y=y + 4, width=abs(long), height=pitch - 8,
                 fill=theme.signed_map(0.7 if long > 0 else -0.7))
        )  # fmt: skip
        base = y + pitch / 2 + size * 0.36
        shapes.append(number(x + width, base, points(difference), view, size=size, title=row.word))
    return shapes


# ------------------------------------------------------------------ the heads


def attention(a: Side, b: Side, place: Layout, view: View) -> list[Shape]:
    """Return for each head what the asking word looks at most, and how far its rows lie apart."""
    y, pitch, say = place.heads, place.row, view.captions
    rows = heads(a, b, view.layer, view.query)
    shapes: list[Shape] = [rule(y - 6, place, view)]
    for half, side in enumerate((a, b)):
        x, width = place.columns[2 * half]
        which = block(side, view.layer)
        text = say("compare.blocks")
        if which is not None:
            text = say("compare.block", block=which + 1, asks=_asker(side, view))
        many = side.pair.grid.facts.heads
        count = say("compare.heads_shown", shown=len(rows), count=many) if many > len(rows) else ""
        room = width - (text_width(count, 14, 500) + 12 if count else 0)
        shapes += [
            label(x, y + 14, shortened(text, room, 14, 500), view),
            label(x + width, y + 14, count, view, "end"),
        ]
    x, width = place.columns[1]
    if any(row.points is not None or row.distance is not None for row in rows):
        shapes += [
            label(x + 62, y + 14, say("compare.change"), view, "end"),
            label(x + width, y + 14, say("compare.distance"), view, "end"),
        ]
    elif all(None not in row.looks for row in rows):
        shapes.append(label(x, y + 14, shortened(say("compare.no_rows"), width, 14, 500), view))
    for i, row in enumerate(rows):
        base = place.first(y) + pitch * (i + 0.5)
        for half, side in enumerate((a, b)):
            shapes += _look(half, side, row.head, row.looks[half], base, place, view)
        shapes += _changes(row, base, (x + 62, x + width), place, view)
    return shapes


def _asker(side: Side, view: View) -> str:
    asks = asking(side.pair, view.query)
    if asks == side.pair.grid.hidden:
        return view.captions("rt.hidden")
    return view.captions("rt.quoted", word=shortened(side.pair.tokens[asks], 84, 14))


def _look(
    half: int, side: Side, head: int, look: Look | None, y: float, place: Layout, view: View
) -> list[Shape]:
    """Return a head's number and role, and what it looks at most; outlines before it has looked."""
    theme, say, size = view.theme, view.captions, place.size
    x, width = place.columns[2 * half]
    hue = theme.heads[head % len(theme.heads)]
    base = y + size * 0.36
    if look is None:
        return [
            Ellipse(cx=x + 10, cy=y, rx=8.5, ry=8.5, stroke=theme.ghost, stroke_width=1.3,
                    dash=(3.0, 3.0)),
            Text(x=x + 10, y=y + 5, text=str(head + 1), size=14, weight=700, fill=theme.ink3,
                 anchor="middle"),
            Rect(x=x + 28, y=y - place.row / 2 + 3, width=0.55 * width, height=place.row - 6,
                 radius=4, stroke=theme.ghost, stroke_width=1.2, dash=(3.0, 3.0)),
        ]  # fmt: skip
    hidden = look.at == side.pair.grid.hidden
    if look.at == asking(side.pair, view.query):
        word = say("rt.itself")
    else:
        word = say("rt.hidden") if hidden else side.pair.tokens[look.at]
    role = say(f"role.{look.role}")
    percent = text_width(say("compare.percent", value=100), size, 700) + 10
    room = width - 28 - text_width(role, size, 600) - 16 - percent
    title = say("compare.look_title", side=SIDES[half], head=head + 1, asks=_asker(side, view),
                word=word, value=look.percent)  # fmt: skip
    return [
        Ellipse(cx=x + 10, cy=y, rx=9, ry=9, fill=hue, title=title),
        Text(x=x + 10, y=y + 5, text=str(head + 1), size=14, weight=700, fill=theme.on(hue),
             anchor="middle"),
        Text(x=x + 28, y=base, text=role, size=size, weight=600,
             fill=theme.heads_text[head % len(theme.heads_text)], read_by_class=True),
        Text(x=x + width - 4 - percent, y=base, text=shortened(word, room, size, 600), size=size,
             weight=600, fill=theme.ink, anchor="end", read_by_class=True),
        number(x + width - 4, base, say("compare.percent", value=look.percent), view, size=size,
               title=title),
    ]  # fmt: skip


def _changes(
    row: Head, y: float, ends: tuple[float, float], place: Layout, view: View
) -> list[Shape]:
    """Return a head's change in points, and the distance of its rows as a bar of its hue."""
    theme, size = view.theme, place.size
    base = y + size * 0.36
    shapes: list[Shape] = []
    if row.points is not None:
        shapes.append(number(ends[0], base, points(row.points), view, size=size))
    if row.distance is None:
        return shapes
    x, long = ends[0] + 24, ends[1] - ends[0] - 34 - text_width("0.00", size, 700)
    hue = theme.heads[row.head % len(theme.heads)]
    shapes += [
        Rect(x=x, y=y - 4, width=long, height=8, radius=4, fill=theme.well, stroke=theme.hair),
        number(ends[1], base, f"{row.distance:.2f}", view, size=size),
    ]
    if (far := long * row.distance) >= 0.5:
        shapes.append(Rect(x=x, y=y - 4, width=far, height=8, radius=min(4.0, far / 2), fill=hue))
    return shapes


# ------------------------------------------------------------------ depth, work and time


def costs(a: Side, b: Side, place: Layout, view: View) -> list[Shape]:
    """Return depth, FLOPs and time of both models on both sides, and how they relate."""
    say, y, size = view.captions, place.costs, place.size
    shapes: list[Shape] = [rule(y - 6, place, view)]
    titles = [say("compare.depth"), say("compare.flops"), say("compare.time")]
    for half, side in enumerate((a, b)):
        x, width = place.columns[2 * half]
        ends = (x + 0.42 * width, x + 0.71 * width, x + width - 4)
        shapes += [label(end, y + 14, t, view, "end") for end, t in zip(ends, titles, strict=True)]
        for row, which in enumerate(("chain", "grid")):
            trace = side.pair.side(which)
            base = place.first(y) + place.row * (row + 0.5) + size * 0.36
            name = say(f"model.{trace.facts.cell or 'transformer'}")
            shapes.append(Text(x=x, y=base, text=name, size=size, weight=500, fill=view.theme.ink2))
            texts = (str(trace.depth), count(trace.flops), seconds(trace.seconds))
            shapes += [
                number(end, base, text, view, size=size)
                for end, text in zip(ends, texts, strict=True)
            ]
    x, width = place.columns[1]
    ends = (x + 62, x + 62 + (width - 62) / 2, x + width)
    titles = [say("compare.depth"), say("compare.flops_ratio"), say("compare.time_ratio")]
    shapes += [label(end, y + 14, t, view, "end") for end, t in zip(ends, titles, strict=True)]
    for row, which in enumerate(("chain", "grid")):
        old, new = a.pair.side(which), b.pair.side(which)
        base = place.first(y) + place.row * (row + 0.5) + size * 0.36
        ratios = [(new.flops, old.flops), (new.seconds, old.seconds)]
        work, time = (
            say("compare.times", value=_ratio(p / q)) if q else "" for p, q in ratios
        )  # fmt: skip
        if time and _work(old) == _work(new):
            time = say("compare.noise")  # a number here would be read as an effect of the change
        related = (points(new.depth - old.depth), work, time)
        shapes += [
            number(end, base, text, view, size=size)
            for end, text in zip(ends, related, strict=True)
        ]
    return shapes


def _work(trace: Trace) -> tuple[object, ...]:
    """Return what a run's time follows from, whatever its numbers are."""
    facts = trace.facts
    return (
        facts.model, facts.precision, facts.backend, facts.device, facts.threads,
        trace.depth, trace.flops, tuple((step.op, step.value.shape) for step in trace.steps),
    )  # fmt: skip


def _ratio(value: float) -> str:
    """Return how many times: "1.05", "12", so that what differs is not said to be the same."""
    return f"{value:.2f}" if value < 10 else f"{value:.3g}"

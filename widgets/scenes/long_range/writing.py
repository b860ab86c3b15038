"""Reading at once, writing word by word: keys and values kept, all computed anew, and a chain."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from engine.laboratory import WRITERS, Way
from widgets import numbers
from widgets.geometry import text_width
from widgets.glyphs import Box, line, marker
from widgets.picture import Rect, Shape
from widgets.scenes.long_range.layout import NOTE, Place
from widgets.scenes.long_range.parts import cross, ring, words
from widgets.scenes.long_range.subject import Laboratory

if TYPE_CHECKING:
    from widgets.captions import Captions
    from widgets.view import View

COUNTERS = 20.625  # letters' sizes of the sums at the right
MOST_BOX = 60.0
WHATS = ("depth", "flops", "seconds")


def writing(subject: Laboratory, tick: float, place: Place, view: View) -> list[Shape]:
    """Return a row for each way: its tokens, the work of each turn below them, and the sums."""
    assert subject.writing is not None
    x, y, width, height = place.body
    theme, say = view.theme, view.captions
    head = place.read + 14
    right = place.edge
    each = (height - head) / len(WRITERS)
    sums_wide = COUNTERS * place.read
    column = sums_wide / 3
    drawn: list[Shape] = [
        words(right - (2 - i) * column, y + place.read, say(f"lab.sum.{what}"), view,
              size=place.read, weight=500, anchor="end", read=True)
        for i, what in enumerate(WHATS)
    ]  # fmt: skip
    drawn.append(words(x, y + place.read, say("lab.tokens_and_work"), view, size=place.read,
                       weight=500, width=width - sums_wide - 40))  # fmt: skip
    done = subject.turns(tick)
    for i, way in enumerate(WRITERS):
        top = y + head + i * each
        drawn += line([(x, top - 2), (right, top - 2)], theme.hair)
        box: Box = (x, top + 6, width - sums_wide - 24, each - 14)
        drawn += _way(subject, subject.writing.way(way), done, box, place, view)
        drawn += _sums(subject.writing.way(way), done, (right, top + 6, column, each - 14), place,
                       view)  # fmt: skip
    return drawn


def sums(way: Way, done: int) -> tuple[int, int, float]:
    """Return depth, FLOPs and seconds of the turns that are over."""
    turns = way.turns[:done]
    return (
        sum(turn.depth for turn in turns), sum(turn.flops for turn in turns),
        math.fsum(turn.seconds for turn in turns),
    )  # fmt: skip


def _sums(
    way: Way, done: int, box: tuple[float, float, float, float], place: Place, view: View
) -> list[Shape]:
    right, y, column, height = box
    depth, flops, seconds = sums(way, done)
    told = ("0", "0", "0") if not done else (
        numbers.exact(depth), numbers.count(flops), numbers.seconds(seconds)
    )  # fmt: skip
    base = y + height / 2 + 4
    return [
        words(right - (2 - i) * column, base, text, view, size=place.read + 4, weight=700,
              ink="ink", anchor="end", read=True)
        for i, text in enumerate(told)
    ]  # fmt: skip


def _way(
    subject: Laboratory, way: Way, done: int, box: Box, place: Place, view: View
) -> list[Shape]:
    assert subject.writing is not None
    theme, say = view.theme, view.captions
    x, y, width, height = box
    size = place.read
    prompt, right = subject.writing.prompt, subject.writing.right
    slots = len(prompt) + len(way.turns)
    pitch = min(width / slots, MOST_BOX)
    name = f"way:{way.way}"
    title = say(f"lab.way.{way.way}", model=way.title)
    wrong = sum(a != b for a, b in zip(way.written[:done], right, strict=False))
    if wrong:
        title = say("lab.way_wrong", way=title, count=wrong)
    drawn: list[Shape] = [
        words(x, y + size + 2, title, view, size=size, weight=600, ink="ink", read=True, name=name,
              title=say("lab.way_title", way=title), width=width)
    ]  # fmt: skip
    if view.selected == name:
        drawn.append(ring((x, y + 2, text_width(title, size, 600), size + 4), view))
    top = y + size + 16
    side = pitch - 5
    tall = min(side, 34.0)
    given = _given(way, done, len(prompt))
    for i in range(slots):
        bx = x + i * pitch
        written = i - len(prompt)
        known = i < len(prompt) or written < done
        if not known:
            drawn.append(Rect(x=bx, y=top, width=side, height=tall, radius=7, fill=theme.stage,
                              stroke=theme.ghost, stroke_width=1.2, dash=(4.0, 4.0)))  # fmt: skip
            continue
        word = prompt[i] if written < 0 else way.written[written]
        went = done > 0 and given[0] <= i < given[1]
        drawn.append(Rect(x=bx, y=top, width=side, height=tall, radius=7,
                          fill=theme.well if written < 0 else theme.stage,
                          stroke=theme.ink if went or written >= 0 else theme.hair2,
                          stroke_width=2.2 if went else 1.4))  # fmt: skip
        drawn.append(words(bx + side / 2, top + tall / 2 + 0.36 * size, word, view, size=size,
                           weight=600, ink="ink", anchor="middle", read=True))  # fmt: skip
        if written >= 0 and word != right[written]:
            drawn.append(cross(bx + side - 2, top + 2, theme.error, 4.0, 2.2))
    if done:
        first, last = given
        drawn += marker((x + first * pitch - 4, top - 4, (last - first) * pitch + 3, tall + 8),
                        theme)  # fmt: skip
    drawn += _work(subject, way, done, (x + len(prompt) * pitch, top + tall + 10, pitch,
                                        y + height - top - tall - 12), view)  # fmt: skip
    note_x = x
    note = say("lab.turns_note", first=way.turns[0].depth, next=_next_depth(way))
    drawn.append(words(note_x, top + tall + 10 + NOTE, note, view,
                       width=len(prompt) * pitch - 12))  # fmt: skip
    return drawn


def _given(way: Way, done: int, prompt: int) -> tuple[int, int]:
    """Return the first and behind the last of the tokens that went through in the latest turn."""
    if done == 0:
        return (0, 0)
    turn = way.turns[done - 1]
    return (turn.length - turn.given, turn.length)


def _next_depth(way: Way) -> int:
    """Return the depth of the last turn."""
    return way.turns[-1].depth


def _work(
    subject: Laboratory, way: Way, done: int, box: tuple[float, float, float, float], view: View
) -> list[Shape]:
    """Return a bar for the FLOPs of each turn below the word that it wrote."""
    assert subject.writing is not None
    theme, say = view.theme, view.captions
    x, y, pitch, height = box
    most = max(turn.flops for other in subject.writing.ways for turn in other.turns)
    height = max(height, 6.0)
    drawn: list[Shape] = []
    for i, turn in enumerate(way.turns):
        name = f"turn:{way.way}:{i}"
        title = say("lab.turn_title", turn=i + 1, given=turn.given, depth=turn.depth,
                    flops=numbers.count(turn.flops),
                    seconds=numbers.seconds(turn.seconds))  # fmt: skip
        wide = pitch - 5
        if i < done:
            high = max(height * turn.flops / most, 1.5)
            drawn.append(Rect(x=x + i * pitch, y=y + height - high, width=wide, height=high,
                              radius=min(3.0, high / 2), fill=theme.ink2))  # fmt: skip
            drawn.append(Rect(x=x + i * pitch, y=y - 44, width=wide, height=height + 44, name=name,
                              title=title))  # fmt: skip
        if view.selected == name:
            drawn.append(ring((x + i * pitch, y - 42, wide, height + 42), view))
    drawn += line([(x - 2, y + height), (x + len(way.turns) * pitch, y + height)], theme.hair2)
    return drawn


def messages(subject: Laboratory, tick: float, say: Captions) -> tuple[str, ...]:
    """Return what reading takes, what writing takes, and what the cache saves."""
    assert subject.writing is not None
    found = subject.writing
    cache, anew, chain = (found.way(way) for way in ("cache", "anew", "chain"))
    done = subject.turns(tick)
    if done == 0:
        return (say("lab.writing_first", count=len(found.prompt)),)
    read = say("lab.writing_read", count=len(found.prompt), grid=cache.turns[0].depth,
               chain=chain.turns[0].depth, model=chain.title)  # fmt: skip
    if done == 1:
        return (read,)
    depth, flops, seconds = sums(cache, done)
    _, flops_anew, seconds_anew = sums(anew, done)
    agree = say("lab.writing_same" if found.same else "lab.writing_differ",
                difference=numbers.value(float(f"{found.difference:.1e}")))  # fmt: skip
    return (
        say("lab.writing_each", count=done, depth=numbers.exact(depth),
            anew=numbers.exact(sums(anew, done)[0]), chain=_next_depth(chain), model=chain.title),
        say("lab.writing_cache", flops=numbers.count(flops), anew=numbers.count(flops_anew),
            seconds=numbers.seconds(seconds), seconds_anew=numbers.seconds(seconds_anew),
            agree=agree),
    )  # fmt: skip

"""The rule: its real lines, the one that runs, the names it knows then, answer or reason."""

from __future__ import annotations

import ast
import textwrap
from typing import TYPE_CHECKING

from widgets.glyphs import Box, marker, wrapped
from widgets.picture import Rect, Shape, Text
from widgets.scenes.analytical_empirical.layout import NOTE, PAD, Place
from widgets.scenes.analytical_empirical.parts import (
    cut,
    hairline,
    mono_width,
    panel,
    ring,
    words,
)
from widgets.scenes.analytical_empirical.subject import Solved

if TYPE_CHECKING:
    from widgets.view import View

ROW = 1.375  # times the size of the letters, from one line to the next
STATE = 4  # names that are shown
INDENT = 14.0  # px a level
NUMBERS = 30.0  # px for the numbers of the lines


def program(subject: Solved, shown: int, place: Place, view: View) -> list[Shape]:
    """Return the rule's panel at a tick."""
    x, y, width, height = place.rule
    say, theme = view.captions, view.theme
    left, right = x + PAD, x + width - PAD
    line = subject.line_at(shown)
    done = shown > subject.last_moment and subject.solved_at(shown) >= len(subject.ran.lines)
    head = (
        say("solve.line", line=line.number + 1, lines=len(subject.source))
        if line
        else say("solve.lines", count=subject.lines)
    )
    read = place.read
    answer = y + height - 20
    state = answer - read - 14 - 20 - STATE * 21 - 46
    shapes: list[Shape] = [
        panel(place.rule, view),
        Text(x=left, y=y + 27, text=say("solve.rule_title"), size=max(19.0, read), weight=600,
             fill=theme.ink, read_by_class=True),
        words(right, y + 27, head, view, end=True),
        *_letters(subject.text, (left, y + 40, right - left, 28), view),
        *_code(subject, shown, (left, y + 80, right - left, state - y - 88), place.code, view),
        hairline(left, state - 2, right - left, view),
        *_state(subject, shown, (left, state + 4, right - left, STATE * 21), view),
        hairline(left, answer - read - 10, right - left, view),
    ]  # fmt: skip
    reason_y = state + 4 + STATE * 21 + 18
    if done and subject.ran.answer is None:
        for i, row in enumerate(wrapped(subject.ran.reason, right - left, NOTE + 1, 600)[:2]):
            shapes.append(words(left, reason_y + 19 * i, row, view, size=NOTE + 1, strong=True,
                                width=right - left))  # fmt: skip
    elif done:
        said = say("solve.followed", count=len(subject.ran.lines))
        shapes.append(words(left, reason_y, said, view, width=right - left))
    shapes.append(words(left, answer, say("solve.answer"), view, size=max(NOTE, 0.9 * read)))
    if done:
        found = subject.ran.answer
        text = say("solve.none") if found is None else found
        mono = found is not None
        size = read * 1.1
        room = right - left - 5 * read
        text = cut(text, room, size) if mono else text
        shapes.append(Text(x=right, y=answer, text=text, size=size, fill=theme.ink,
                           weight=500 if mono else 700,
                           family="mono" if mono else "sans", anchor="end",
                           read_by_class=True))  # fmt: skip
    else:
        shapes.append(words(right, answer, say("solve.not_yet"), view, end=True, pale=True))
    return shapes


def _letters(text: str, box: Box, view: View) -> list[Shape]:
    """Return the letters of a text in boxes, or as they fit."""
    x, y, width, height = box
    theme = view.theme
    count = max(len(text), 1)
    each = min(28.0, width / count)
    if each < mono_width(NOTE) + 1:
        return [Text(x=x, y=y + 20, text=cut(text, width, NOTE), size=NOTE, weight=500,
                     family="mono", fill=theme.ink, title=text[:200])]  # fmt: skip
    size = min(17.0, max(NOTE, each * 0.66))
    shapes: list[Shape] = []
    for i, letter in enumerate(text):
        if each > 15:
            shapes.append(Rect(x=x + i * each + 1, y=y, width=each - 2, height=height, radius=5,
                               fill=theme.stage, stroke=theme.hair2, stroke_width=1))  # fmt: skip
        if letter.strip():
            shapes.append(Text(x=x + (i + 0.5) * each, y=y + height / 2 + 0.36 * size, text=letter,
                               size=size, weight=500, family="mono", anchor="middle",
                               fill=theme.ink))  # fmt: skip
    return shapes


def laid_out(source: tuple[str, ...], width: float, size: float) -> list[tuple[int, float, str]]:
    """Return the rows that the lines of a program take: number of the line, px of indent, text."""
    found = []
    for number, line in enumerate(source):
        bare = line.lstrip()
        level = (len(line) - len(bare)) / 4
        if not bare:
            continue
        most = max(int((width - NUMBERS - level * INDENT) / mono_width(size)), 8)
        pieces = textwrap.wrap(bare, most, subsequent_indent="  ", break_on_hyphens=False)
        found += [(number, level * INDENT, piece) for piece in pieces]
    return found


def _code(subject: Solved, shown: int, box: Box, size: float, view: View) -> list[Shape]:
    """Return the lines about the one that runs; those that did not run yet are pale."""
    x, y, width, height = box
    theme, high = view.theme, ROW * size
    line = subject.line_at(shown)
    lines = laid_out(subject.source, width, size)
    most = max(int(height / high), 3)
    ran = {each.number for each in subject.ran.lines[: subject.solved_at(shown)]}
    now = line.number if line else -1
    at = [i for i, row in enumerate(lines) if row[0] == now]
    first = at[0] - (most - len(at)) // 2 if at else 0
    first = min(max(first, 0), max(len(lines) - most, 0))
    shapes: list[Shape] = []
    seen = -1
    inside = [i for i in at if first <= i < first + most]
    beyond = {lines[i][0] for i in (first - 1, first + most) if 0 <= i < len(lines)}
    for i, (number, indent, text) in enumerate(lines[first : first + most]):
        if number in beyond and number != now:
            continue  # half a line of a program would be read as another one
        base = y + i * high + size
        name = f"line:{number}"
        title = subject.source[number].strip()
        strong = number == now
        fill = theme.ink if strong else theme.ink2 if number in ran or not ran else theme.ink3
        if number != seen and (first + i == 0 or lines[first + i - 1][0] != number):
            shapes.append(Text(x=x + NUMBERS - 10, y=base, text=str(number + 1), size=NOTE,
                               family="mono", anchor="end", fill=theme.ink3))  # fmt: skip
        seen = number
        shapes.append(
            Text(x=x + NUMBERS + indent, y=base, text=text, size=size, family="mono",
                 weight=500 if strong else 400, fill=fill, read_by_class=strong, name=name,
                 title=title)
        )  # fmt: skip
    if inside and shown > subject.last_moment:
        top = y + (inside[0] - first) * high - 2
        shapes += marker((x - 6, top, width + 12, len(inside) * high + 3), theme)
    if view.selected.startswith("line:"):
        chosen = [i for i, row in enumerate(lines[first : first + most])
                  if f"line:{row[0]}" == view.selected
                  and (row[0] == now or row[0] not in beyond)]  # fmt: skip
        if chosen:
            shapes.append(ring((x - 4, y + chosen[0] * high, width + 8, len(chosen) * high), view))
    return shapes


def changed(subject: Solved, shown: int) -> tuple[tuple[str, str, bool], ...]:
    """Return the names with their values at a tick, and whether the last line changed them."""
    done = min(subject.solved_at(shown), len(subject.ran.lines))
    if not done:
        return ()
    now = dict(subject.ran.lines[done - 1].names)
    before = dict(subject.ran.lines[done - 2].names) if done > 1 else {}
    return tuple((name, value, before.get(name) != value) for name, value in now.items())


def _state(subject: Solved, shown: int, box: Box, view: View) -> list[Shape]:
    """Return the names that were changed last with their values; a stack is drawn as boxes."""
    x, y, width, _ = box
    theme, say = view.theme, view.captions
    rows = [row for row in changed(subject, shown) if row[0] != "text"]
    if not rows:
        return [words(x, y + 17, say("solve.no_names"), view, pale=True, width=width)]
    stack = next((row for row in rows if row[0] == "stack"), None)
    if stack is not None:
        rows = [stack, *(row for row in rows if row[0] != "stack")]
    else:
        rows = rows[-STATE:]
    shapes: list[Shape] = []
    for i, (name, value, new) in enumerate(rows[:STATE]):
        base = y + 16 + 21 * i
        shapes.append(words(x, base, name, view, strong=new, width=84))
        held = _items(value) if name == "stack" else None
        if held is None:
            shapes.append(words(x + 88, base, value, view, mono=True, strong=new, width=width - 88))
            continue
        if not held:
            shapes.append(words(x + 88, base, say("solve.empty"), view, pale=True))
        for j, item in enumerate(held[: int((width - 88) / 20)]):
            left = x + 88 + 20 * j
            shapes += [
                Rect(x=left, y=base - 15, width=18, height=20, radius=4, fill=theme.stage,
                     stroke=theme.ink if j == len(held) - 1 else theme.hair2, stroke_width=1.2),
                Text(x=left + 9, y=base, text=item, size=NOTE, family="mono", weight=500,
                     anchor="middle", fill=theme.ink),
            ]  # fmt: skip
    return shapes


def _items(value: str) -> list[str] | None:
    """Return the items of a list as Python writes it; None where it is cut."""
    try:
        found = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return None
    return ["…" if item is ... else str(item) for item in found]

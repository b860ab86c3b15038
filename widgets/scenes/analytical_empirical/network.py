"""The network: how it was trained, what each symbol that it writes looks at, its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from widgets import numbers
from widgets.geometry import text_width
from widgets.glyphs import Box, marker, wrapped
from widgets.picture import Cells, Command, Ellipse, Path, Rect, Shape, Text
from widgets.scenes.analytical_empirical.layout import NOTE, PAD, Place
from widgets.scenes.analytical_empirical.parts import (
    button,
    cut,
    hairline,
    mono_width,
    panel,
    percent,
    ring,
    words,
)
from widgets.scenes.analytical_empirical.subject import Solved, Written

if TYPE_CHECKING:
    from widgets.view import View

CURVES = 54.0  # px high
BEFORE = 88.0  # px, for what is said where there are none
BUTTON = 28.0
SYMBOLS = 22.0  # px for the symbols beside the map


def frame(subject: Solved, shown: int, place: Place, view: View) -> list[Shape]:
    """Return the network's panel, and after which step of its training it is."""
    x, y, width, _ = place.network
    say, theme = view.captions, view.theme
    left, right = x + PAD, x + width - PAD
    step = say("solve.step", step=subject.moment_at(shown).step, steps=subject.steps)
    return [
        panel(place.network, view),
        Text(x=left, y=y + 27, text=say("solve.network_title"), size=max(19.0, place.read),
             weight=600, fill=theme.ink, read_by_class=True),
        words(right, y + 27, step, view, end=True, name="descent", title=say("descent.open")),
    ]  # fmt: skip


def answer(subject: Solved, shown: int, place: Place, view: View) -> list[Shape]:
    """Return what the network looks at and answers at a tick."""
    x, y, width, height = place.network
    left, right, read = x + PAD, x + width - PAD, place.read
    base = y + height - 20
    written = subject.moment_at(shown).written
    shapes: list[Shape] = []
    if written is not None:
        top = y + 40 + (CURVES + 60 if subject.trained_here else BEFORE)
        high = _foot(place, view) - top
        shapes += _map(subject, written, shown, (left, top, right - left, high), view)
        shapes += _answer(subject, written, shown, (left, base, right - left, read), view)
    shapes.append(hairline(left, base - read - 10, right - left, view))
    return shapes


def _foot(place: Place, view: View) -> float:
    """Return where the room for what it looks at ends."""
    _, y, _, height = place.network
    return y + height - 34 - place.read - (2 * BUTTON + 14 if view.controls else 0)


# ------------------------------------------------------------------ curves


class Course(NamedTuple):
    """What is drawn of a training up to a moment."""

    here: bool  # it was trained here, so that there is something to draw
    steps: int  # of the whole training
    losses: tuple[tuple[int, float], ...]
    largest: float  # of all losses, which the curve is as high as
    shares: tuple[tuple[tuple[int, float], ...], ...]  # step and share, of each case
    ends: tuple[tuple[str, str], ...]  # case, and its share in words


def course(subject: Solved, shown: int) -> Course:
    """Return what is drawn of the training at a tick."""
    moment = subject.moment_at(shown)
    cases = ("clean", "out-of-range" if subject.case == "clean" else subject.case)
    return Course(
        here=subject.trained_here,
        steps=subject.steps,
        losses=tuple(p for p in subject.losses if p[0] <= moment.step),
        largest=max([loss for _, loss in subject.losses], default=1.0),
        shares=tuple(
            tuple(
                (m.step, m.right[case].share)
                for m in subject.moments
                if case in m.right and m.step <= moment.step
            )
            for case in cases
        ),
        ends=tuple((case, percent(moment.right.get(case))) for case in cases),
    )


def curves(subject: Solved, shown: int, place: Place, view: View) -> list[Shape]:
    """Return loss, and accuracies in and outside of training, up to the moment that is shown."""
    x, y, width, height = place.network
    x, y, width, height = x + PAD, y + 40, width - 2 * PAD, CURVES
    say = view.captions
    told = course(subject, shown)
    if not told.here:
        said = say("solve.before", steps=told.steps)
        shapes: list[Shape] = [
            words(x, y + 15 + 19 * i, row, view)
            for i, row in enumerate(wrapped(said, width, NOTE, 500)[:5])
        ]
        return shapes
    half, last = width / 2 - 10, max(told.steps, 1)
    shapes = [words(x, y + 12, say("solve.loss"), view, strong=True)]
    if told.losses:
        now = f"{told.losses[-1][1]:.2f}"
        shapes.append(words(x + half, y + 12, now, view, end=True, strong=True))
    inner = (x, y + 22, half, height - 2)
    shapes += _axes(inner, view)
    shapes += _line([(s / last, loss / told.largest) for s, loss in told.losses], inner, view)
    inner = (x + width / 2 + 10, y + 22, half, height - 2)
    shapes.append(words(inner[0], y + 12, say("solve.right_curve"), view, strong=True, width=half))
    shapes += _axes(inner, view)
    for i, shares in enumerate(told.shares):
        shapes += _line([(step / last, part) for step, part in shares], inner, view, pale=bool(i))
    ends = " · ".join(f"{say(f'solve.short.{case}')} {share}" for case, share in told.ends)
    shapes.append(words(x + width, y + height + 37, ends, view, end=True, width=width))
    axis = say("solve.curve_axis", steps=f"{told.steps:,}".replace(",", numbers.THIN))
    if text_width(axis, NOTE, 500) + text_width(ends, NOTE, 600) + 10 <= width:
        shapes.append(words(x, y + height + 37, axis, view, pale=True))
    return shapes


def _axes(box: Box, view: View) -> list[Shape]:
    x, y, width, height = box
    return [Path(commands=(("M", x, y), ("L", x, y + height), ("L", x + width, y + height)),
                 stroke=view.theme.hair2, stroke_width=1.2)]  # fmt: skip


def _line(
    points: list[tuple[float, float]], box: Box, view: View, *, pale: bool = False
) -> list[Shape]:
    """Return a line through points of 0 … 1, and the point it has come to."""
    x, y, width, height = box
    theme = view.theme
    places = [(x + width * a, y + height * (1 - min(b, 1.0))) for a, b in points]
    if not places:
        return []
    colour = theme.ink3 if pale else theme.ink
    commands: list[Command] = [("M", *places[0])]
    commands += [("L", *place) for place in places[1:]]
    return [
        Path(commands=tuple(commands), stroke=colour, stroke_width=1.8,
             dash=(4.0, 2.5) if pale else ()),
        Ellipse(cx=places[-1][0], cy=places[-1][1], rx=3.2, ry=3.2, fill=colour),
    ]  # fmt: skip


# ------------------------------------------------------------------ what it looks at


def is_solving(subject: Solved, shown: int) -> bool:
    """Return whether the network writes at a tick."""
    return subject.last_moment < shown <= subject.last_moment + subject.solving


def _map(subject: Solved, written: Written, shown: int, box: Box, view: View) -> list[Shape]:
    """Return the attention of every symbol that is written, over the letters that were read."""
    x, y, width, height = box
    theme, say = view.theme, view.captions
    count, done = len(written.symbols), subject.digits_at(shown)
    heading = say("solve.alignment")
    shapes: list[Shape] = [
        words(x, y - 6, heading, view, strong=True),
        words(x + text_width(heading, NOTE, 600) + 8, y - 6, say(f"solve.looks.{written.looks}"),
              view, width=width - text_width(heading, NOTE, 600) - 8),
    ]  # fmt: skip
    letters = written.read
    each = (width - SYMBOLS) / max(len(letters), 1)
    fits = each >= mono_width(NOTE) + 0.4
    head = 20.0 if fits and written.weights else 2.0
    rows = max(min(count, int((height - head - 4) / 16)), 1)
    row = min((height - head - 4) / rows, 36.0)
    first = min(max(done - 1 - rows // 2, 0), count - rows)
    if written.weights and fits:
        shapes += [
            Text(x=x + SYMBOLS + (i + 0.5) * each, y=y + 14, text=letter, size=NOTE, weight=500,
                 family="mono", anchor="middle", fill=theme.ink)
            for i, letter in enumerate(letters) if letter.strip()
        ]  # fmt: skip
    top = y + head
    solving = is_solving(subject, shown)
    for i in range(rows):
        number = first + i
        place = top + i * row
        name = f"digit:{number}"
        there = number < done
        symbol = written.symbols[number] if there else "·"
        shapes.append(
            Text(x=x + 8, y=place + row / 2 + 0.36 * NOTE, text=symbol, size=NOTE, anchor="middle",
                 family="mono", weight=500 if there else 400, name=name if there else "",
                 fill=theme.ink if there else theme.ink3)
        )  # fmt: skip
        where = (x + SYMBOLS, place, width - SYMBOLS, row)
        if not there:
            shapes.append(Rect(x=where[0] + 1, y=place + 1, width=where[2] - 2, height=row - 2,
                               radius=3, stroke=theme.ghost, dash=(2.0, 2.5)))  # fmt: skip
        elif written.weights:
            colours = (tuple(theme.ink_map(w) for w in written.weights[number]),)
            title = say("solve.digit_title", symbol=symbol, sure=f"{written.sure[number]:.2f}")
            shapes.append(Cells(x=where[0], y=place, width=where[2], height=row, colours=colours,
                                gap=1.0, name=name, title=title))  # fmt: skip
        else:
            long = max(where[2] * written.sure[number], 2.0)
            shapes.append(Rect(x=where[0], y=place + 3, width=long, height=row - 6, radius=3,
                               fill=theme.ink3, name=name,
                               title=say("solve.digit_title", symbol=symbol,
                                         sure=f"{written.sure[number]:.2f}")))  # fmt: skip
        if solving and number == done - 1:
            shapes += marker((x - 4, place - 2, width + 8, row + 4), theme)
        if view.selected == name and there:
            shapes.append(ring((x, place, width, row), view))
    return shapes


def _answer(subject: Solved, written: Written, shown: int, box: Box, view: View) -> list[Shape]:
    """Return the answer so far, how sure it is, and whether it is right where that is known."""
    x, y, width, read = box
    theme, say = view.theme, view.captions
    done, count = subject.digits_at(shown), len(written.symbols)
    label = say("solve.answer")
    if done:
        sure = min(written.sure[:done])
        label = say("solve.sure", sure=f"{sure:.2f}")
        if done == count and subject.wanted:
            verdict = "good" if written.symbols == subject.wanted else "bad"
            label = say(f"solve.{verdict}", sure=f"{sure:.2f}")
    text = written.symbols[:done] + "·" * (count - done)
    size = min(1.1 * read, (width - text_width(label, NOTE, 500) - 10) / max(count, 1) / 0.6)
    size = max(size, NOTE)
    room = width - text_width(label, NOTE, 500) - 10
    return [
        words(x, y, label, view),
        Text(x=x + width, y=y, text=cut(text, room, size), size=size, weight=500, family="mono",
             anchor="end", fill=theme.ink, read_by_class=size >= read),
    ]  # fmt: skip


# ------------------------------------------------------------------ controls


def buttons(subject: Solved, view: View) -> tuple[tuple[tuple[str, str, str, bool], ...], ...]:
    """Return rows of buttons: what each chooses, its caption, what it says, whether it is first."""
    if not view.controls:
        return ()
    say = view.captions
    over = subject.trained_here and subject.moments[-1].step < subject.steps
    main = "pause" if subject.running else "go_on" if over and subject.moments[-1].step else "anew"
    small = numbers.value(subject.rate)
    return (
        (
            ("train:toggle", main, say(f"solve.train.{main}"), True),
            ("train:step", "step", say("solve.train.step"), False),
            ("train:reset", "reset", say("solve.train.reset"), False),
        ),
        (
            ("seed:next", "seed", say("solve.train.seed", seed=subject.seed), False),
            ("rate:next", "rate", say("solve.train.rate", rate=small), False),
            ("size:next", "size", say("solve.train.size", size=subject.width), False),
        ),
    )


def controls(subject: Solved, shown: int, place: Place, view: View) -> list[Shape]:
    """Return start or pause, one step, reset; below them seed, learning rate and size."""
    x, _, width, _ = place.network
    x, y, width = x + PAD, _foot(place, view) + 6, width - 2 * PAD
    each = (width - 12) / 3
    shapes: list[Shape] = []
    for j, row in enumerate(buttons(subject, view)):
        for i, (name, key, label, on) in enumerate(row):
            where = (x + i * (each + 6), y + j * (BUTTON + 6), each, BUTTON)
            shapes += button(where, label, view, name=f"choose:{name}",
                             title=view.captions(f"solve.train.{key}_title"), on=on)  # fmt: skip
    return shapes

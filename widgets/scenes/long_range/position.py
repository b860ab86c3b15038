"""The same words in another order: whether a model makes the same of each of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from engine.laboratory import Shuffled
from widgets import numbers
from widgets.geometry import text_width
from widgets.glyphs import Box, marker, shortened
from widgets.picture import Ellipse, Path, Rect, Shape
from widgets.scenes.long_range.layout import NOTE, Place
from widgets.scenes.long_range.parts import ring, words
from widgets.scenes.long_range.subject import PANELS, SAME, Laboratory

if TYPE_CHECKING:
    from widgets.captions import Captions
    from widgets.view import View

GAP = 26.0  # px between panels
MOST_NODES = 24  # words of a panel that are drawn


def panels(subject: Laboratory) -> tuple[str, ...]:
    """Return which panels there are: a grid without position encoding has no third one."""
    return tuple(which for which in PANELS if subject.panel(which) is not None)


def position(subject: Laboratory, tick: float, place: Place, view: View) -> list[Shape]:
    """Return a panel for each model: its words in both orders, and what is the same of them."""
    x, y, width, height = place.body
    shown = panels(subject)
    each = (width - GAP * (len(shown) - 1)) / len(shown)
    drawn: list[Shape] = []
    for i, which in enumerate(shown):
        found = subject.panel(which)
        assert found is not None
        box: Box = (x + i * (each + GAP), y, each, height - 6)
        done = math.floor(tick) - 2 - i
        drawn += _panel(which, found, math.floor(tick) >= 1, done >= 0, done == 0, box, place, view)
    return drawn


def same(found: Shuffled, word: int) -> bool:
    """Return whether a model makes the same of a word in both orders, but for rounding."""
    return found.difference[word] < SAME


def amount(difference: float) -> str:
    """Return a difference as it is said: 0 is 0 to the last bit."""
    return "0" if difference == 0 else numbers.value(float(f"{difference:.1e}"))


def _panel(
    which: str, found: Shuffled, shuffled: bool, known: bool, now: bool, box: Box, place: Place,
    view: View,
) -> list[Shape]:  # fmt: skip
    theme, say = view.theme, view.captions
    x, y, width, height = box
    size = place.read
    count = min(len(found.order), MOST_NODES)
    name, title = f"panel:{which}", say("lab.panel_title", what=say(f"lab.panel.{which}"))
    drawn: list[Shape] = [
        Rect(x=x, y=y, width=width, height=height, radius=12, fill=theme.panel, stroke=theme.hair,
             stroke_width=1, name=name, title=title),
        words(x + 16, y + size + 14, say(f"lab.panel.{which}"), view, size=size + 1, weight=600,
              ink="ink", read=True, width=width - 32),
        words(x + 16, y + 2 * size + 24, say("lab.as_typed", what=say(f"lab.of.{which}")), view,
              width=width - 32),
    ]  # fmt: skip
    pitch = (width - 24) / count
    left = x + 12
    radius = min(20.0, 0.36 * pitch)
    above = y + 2 * size + 78
    below = y + height - 2 * size - 104
    old_of = {place_: new for new, place_ in enumerate(found.order)}
    words_old = {old: found.words[new] for new, old in enumerate(found.order)}
    wide, amounts, numbered = pitch >= 36, pitch >= 54, pitch >= 25
    longest = max(text_width(word, NOTE, 600) for word in words_old.values())
    # Words that have no room side by side stand in two rows, as on the stage.
    lower = 17.0 if longest > pitch - 2 and not amounts else 0.0
    room = 2 * pitch - 6 if lower else pitch - 2
    above += 0.6 * lower
    for old in range(count):
        cx = left + (old + 0.5) * pitch
        drawn.append(Ellipse(cx=cx, cy=above, rx=radius, ry=radius, fill=theme.stage,
                             stroke=theme.ink2, stroke_width=2.0))  # fmt: skip
        if wide:
            drawn.append(words(cx, above - radius - 8 - lower * (old % 2),
                               shortened(words_old[old], room, NOTE), view, weight=600, ink="ink",
                               anchor="middle"))  # fmt: skip
        if numbered:
            drawn.append(words(cx, above + 5, str(old + 1), view, weight=600, ink="ink2",
                               anchor="middle"))  # fmt: skip
    if shuffled:
        label = say("lab.shuffled_by" if known and amounts else "lab.shuffled")
        drawn.append(words(x + 16, y + height - size - 24, label, view, width=width - 32))
    for old in range(count):
        new = old_of[old]
        sx, ex = left + (old + 0.5) * pitch, left + (new + 0.5) * pitch
        if not shuffled:
            drawn.append(Ellipse(cx=sx, cy=below, rx=radius, ry=radius, stroke=theme.ghost,
                                 stroke_width=1.4, dash=(4.0, 4.0)))  # fmt: skip
        if not shuffled or new >= count:
            continue
        element = f"word:{which}:{old}"
        title = say(
            "lab.word_title" if known else "lab.word_moved", word=words_old[old], before=old + 1,
            behind=new + 1, difference=amount(found.difference[old]),
        )  # fmt: skip
        begin, end = above + radius + 3, below - radius - 3
        equal = known and same(found, old)
        third = (end - begin) / 2.4
        drawn.append(
            Path(commands=(("M", sx, begin), ("C", sx, begin + third, ex, end - third, ex, end)),
                 stroke=theme.ink if equal else theme.ink3 if known else theme.hair2,
                 stroke_width=3.4 if equal else 1.6, hit_width=10, name=element, title=title)
        )  # fmt: skip
        drawn.append(Ellipse(cx=ex, cy=below, rx=radius, ry=radius,
                             fill=theme.ink if equal else theme.stage, stroke=theme.ink2,
                             stroke_width=2.0, name=element, title=title))  # fmt: skip
        if numbered:
            drawn.append(words(ex, below + 5, str(old + 1), view, weight=600, anchor="middle",
                               ink="onink" if equal else "ink2"))  # fmt: skip
        if wide:
            drawn.append(words(ex, below + radius + size + 2 + lower * (new % 2),
                               shortened(words_old[old], room, NOTE), view, weight=600,
                               ink="ink", anchor="middle"))  # fmt: skip
        if known and amounts:
            drawn.append(words(ex, below + radius + size + 21, amount(found.difference[old]), view,
                               anchor="middle"))  # fmt: skip
        if view.selected == element:
            drawn.append(ring((ex - radius, below - radius, 2 * radius, 2 * radius), view))
    base = y + height - 16
    if known:
        drawn.append(words(x + 16, base, verdict(found, say), view, size=size, weight=600,
                           ink="ink", read=True, width=width - 32))  # fmt: skip
    elif shuffled:
        drawn.append(words(x + 16, base, say("lab.not_compared"), view, size=size, ink="ink3"))
    if view.selected == name:
        drawn.append(ring((x + 4, y + 4, width - 8, height - 8), view))
    if now:
        drawn += marker((x - 5, y - 5, width + 10, height + 10), theme)
    return drawn


def verdict(found: Shuffled, say: Captions) -> str:
    """Return in a few words whether a model made the same of all words."""
    if found.equal:
        return say("lab.equal")
    if found.largest < SAME:
        return say("lab.same_set", difference=amount(found.largest))
    return say("lab.another", difference=amount(found.largest))


def messages(subject: Laboratory, tick: float, say: Captions) -> tuple[str, ...]:
    """Return what the panels that are open already say together."""
    done = math.floor(tick) - 1
    shown = panels(subject)[: max(done, 0)]
    if not shown:
        return (say("lab.position_first"),)
    said = []
    for which in shown:
        found = subject.panel(which)
        assert found is not None
        kept = "same" if found.equal or found.largest < SAME else "changed"
        said.append(say(f"lab.position.{which}.{kept}", difference=amount(found.largest),
                        answer=round(100 * found.answer)))  # fmt: skip
    if len(said) <= 2:
        return tuple(said)
    return (f"{said[0]} {said[1]}", said[2])

"""One number, opened: the tensor that it stands in, and how it comes about, down to its scalars.

Built from the step's primitive and reads for any step of any model. What is shown is computed again
when it is drawn, and compared with what the run stored.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.trace import Pair
from widgets.geometry import SMALLEST, text_width
from widgets.glyphs import shortened
from widgets.numbers import value as said
from widgets.picture import Group, Path, Picture, Rect, Shape, Text
from widgets.remember import remembered
from widgets.scenes.opened.panel import panel
from widgets.scenes.opened.parts import main
from widgets.scenes.opened.tensor import shape_words, tensor
from widgets.scenes.opened.working import Opened, element, place, work

if TYPE_CHECKING:
    from widgets.view import View

EDGE = 28.0
LEFT_PX = 372.0
TOP = 122.0
STAGE = "crumb:0"  # what a click on the first chip does: back to the stage


def opened(pair: Pair, name: str, view: View) -> Picture:
    """Return one number, opened.

    Parameters
    ----------
    pair
        The runs.
    name
        An element, "side:step[i,j]"; without all of its axes a row, a matrix or a tensor is
        opened, with its first number worked out.
    view
        Box (at least ``SMALLEST``), theme, captions, and what is hovered.

    Raises
    ------
    KeyError
        When the name points at nothing.
    """
    found = pair.find(name)
    if found is None:
        raise KeyError(name)
    width, height = max(view.width, SMALLEST[0]), max(view.height, SMALLEST[1])
    calm = view._replace(width=width, height=height, hovered="", selected="")
    shapes = [_drawn(pair, name, calm), *_hovered(pair, view, height)]
    trace, step, index = found
    say = view.captions
    full = (*index, *[0] * (step.value.ndim - len(index)))
    return Picture(
        width=width,
        height=height,
        background=view.theme.stage,
        shapes=tuple(shapes),
        title=say("opened.title"),
        description=say(
            "opened.description", name=element(trace, step.name, full).partition(":")[2],
            value=said(float(step.value[full])),
        ),
    )  # fmt: skip


def selected(pair: Pair, tick: float, view: View) -> Picture:
    """Return the selected element, opened: a scene like the others, at any tick."""
    return opened(pair, view.selected, view)


@remembered(8)
def _drawn(pair: Pair, name: str, view: View) -> Group:
    """Return everything that does not change with the pointer."""
    found = pair.find(name)
    assert found is not None
    trace, step, index = found
    theme, say = view.theme, view.captions
    full = (*index, *[0] * (step.value.ndim - len(index)))
    o = Opened(trace, step, full, say)
    working = work(o)
    width, height = view.width, view.height
    bottom = height - 36
    card_x = EDGE + LEFT_PX + 40
    card = (card_x, TOP - 10, width - EDGE - card_x, bottom - TOP + 10)
    left, own = tensor(o, len(index), (EDGE, TOP, LEFT_PX, bottom - TOP), view)
    ox, oy, ow, oh = own
    cone = Path(
        commands=(
            ("M", ox + ow, oy), ("L", card_x + 1, card[1] + 14),
            ("L", card_x + 1, card[1] + card[3] - 14), ("L", ox + ow, oy + oh), ("Z",),
        ),
        fill=theme.well, opacity=0.55,
    )  # fmt: skip
    shapes: list[Shape] = [
        cone,
        *_title(o, width, view),
        *_crumbs(o, index, width, view),
        *left,
        *panel(o, working, card, view),
        *_foot(o, width, height, view),
    ]
    return Group(shapes=tuple(shapes), slot="opened", cache_key=(pair.key, name, view))


def _title(o: Opened, width: float, view: View) -> list[Shape]:
    from engine.ops import OPS

    theme, say = view.theme, view.captions
    title = say("opened.title")
    start = EDGE + text_width(title, 27, 600, "display") + 22
    words = [
        place(o.trace, axis, n, i, say)
        for axis, n, i in zip(o.step.axes, o.step.value.shape, o.index, strict=True)
    ]
    label = OPS[o.step.op].label if o.step.op in OPS else o.step.op
    sub = say("opened.subtitle", step=o.step.name, op=label, place=", ".join(words))
    return [
        Text(x=EDGE, y=46, text=title, size=27, weight=600, family="display", fill=theme.ink,
             read_by_class=True),
        Text(x=start, y=46, text=shortened(sub.rstrip(": "), width - EDGE - start, 16), size=16,
             fill=theme.ink2),
    ]  # fmt: skip


def crumbs(o: Opened, index: tuple[int, ...]) -> tuple[tuple[str, str], ...]:
    """Return the way down to a number: words and name of each level, the stage first."""
    trace, step, say = o.trace, o.step, o.say
    stage = next((s.title for s in trace.stages if s.name == step.stage), step.stage)
    if block := re.match(r"blocks\.(\d+)\.", step.stage):
        stage = say("opened.block", block=int(block[1]) + 1, stage=stage)
    levels = [(say("opened.stage", tick=trace.ticks[step.stage], stage=stage), STAGE)]
    ndim = step.value.ndim
    whole = ("opened.crumb_number", "opened.crumb_vector", "opened.crumb_matrix")
    key = whole[ndim] if ndim < 3 else "opened.crumb_tensor"
    levels.append((say(key, shape=shape_words(o)).rstrip(": "), element(trace, step.name, ())))
    for depth in range(1, ndim + 1):
        axis, n, i = step.axes[depth - 1], step.value.shape[depth - 1], index[depth - 1]
        left = ndim - depth
        key = ("opened.crumb_number", "opened.crumb_row", "opened.crumb_matrix")[min(left, 2)]
        words = place(trace, axis, n, i, say)
        levels.append((say(key, shape=words), element(trace, step.name, index[:depth])))
    return tuple(levels)


def _crumbs(o: Opened, index: tuple[int, ...], width: float, view: View) -> list[Shape]:
    """Return the way down as chips; the one that is opened has a frame."""
    theme, size = view.theme, main(view)
    chips = crumbs(o, o.index)
    own = element(o.trace, o.step.name, index)
    room = (width - 2 * EDGE - 22 * (len(chips) - 1)) / len(chips)
    natural = [text_width(text, size, 600) + 26 for text, _ in chips]
    spare = sum(max(room - n, 0.0) for n in natural)
    wanting = sum(max(n - room, 0.0) for n in natural)
    shapes: list[Shape] = []
    left = EDGE
    for k, ((text, name), need) in enumerate(zip(chips, natural, strict=True)):
        wide = need
        if need > room and wanting > spare:
            wide = room + (need - room) * spare / wanting
        if k:
            x = left - 14
            shapes.append(
                Path(commands=(("M", x, 80.0), ("L", x + 6, 86.0), ("L", x, 92.0)),
                     stroke=theme.ink3, stroke_width=1.8, cap="round")
            )  # fmt: skip
        on = name == own
        shapes += [
            Rect(x=left, y=69, width=wide, height=34, radius=8, fill=theme.well,
                 stroke=theme.ink if on else None, stroke_width=2, name=name, title=text),
            Text(x=left + wide / 2, y=86 + 0.35 * size, size=size,
                 text=shortened(text, wide - 20, size, 600),
                 weight=600 if on else 500, fill=theme.ink, anchor="middle", read_by_class=True),
        ]  # fmt: skip
        left += wide + 22
    return shapes


def _foot(o: Opened, width: float, height: float, view: View) -> list[Shape]:
    facts, say = o.trace.facts, view.captions
    text = say(
        "opened.source", backend=facts.backend, device=facts.device, precision=facts.precision
    )
    return [
        Text(x=EDGE, y=height - 11, text=shortened(text, width - 2 * EDGE, 14, 500), size=14,
             weight=500, fill=view.theme.ink3)
    ]  # fmt: skip


def _hovered(pair: Pair, view: View, height: float) -> list[Shape]:
    """Return the value of what lies under the pointer, beside the tensor's legend."""
    found = pair.find(view.hovered)
    if found is None or len(found[2]) < found[1].value.ndim:
        return []
    trace, step, index = found
    theme, say = view.theme, view.captions
    words = [
        place(trace, axis, n, i, say)
        for axis, n, i in zip(step.axes, step.value.shape, index, strict=True)
    ]
    text = f"{', '.join(words)}: {said(float(step.value[index]))}".removeprefix(": ")
    text = shortened(text, LEFT_PX - 24, 16, 600)
    wide = text_width(text, 16, 600) + 20
    return [
        Rect(x=EDGE, y=height - 36 - 46 - 30, width=wide, height=28, radius=7, fill=theme.ink),
        Text(x=EDGE + 10, y=height - 36 - 46 - 10, text=text, size=16, weight=600,
             fill=theme.onink),
    ]  # fmt: skip

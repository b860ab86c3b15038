"""A | B: two frozen states side by side, and what differs between them.

What was changed and every difference is found from the two pairs of traces. What a side has not
computed by its tick is drawn as an outline, and nothing is said of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from widgets.geometry import SMALLEST, text_width
from widgets.glyphs import pill, shortened, wrapped
from widgets.numbers import MINUS, percents, value
from widgets.picture import Group, Picture, Shape, Text
from widgets.remember import remembered
from widgets.scenes.compare.bands import answers, attention, costs, label, points, rule, words
from widgets.scenes.compare.findings import (
    HEADS,
    TOP,
    Changed,
    Side,
    Verdict,
    changed,
    likely,
    verdict,
)
from widgets.scenes.compare.layout import EDGE, NOTE, Layout, columns_of, layout

if TYPE_CHECKING:
    from engine.trace import Pair, Trace
    from widgets.view import View

__all__ = ["Side", "compare"]

VERDICT_PX = 28.0  # nothing else is written as large
ANSWERED = ("bits", "rounding", "close", "still", "other")


@remembered(8)
def compare(a: Side, b: Side, view: View) -> Picture:
    """Return two frozen states side by side, A at the left.

    Parameters
    ----------
    a, b
        Two runs each, a tick, and what people call them.
    view
        Box (at least ``SMALLEST``), theme, captions, and which word asks in which block.
    """
    a, b = (side._replace(tick=min(max(side.tick, 0), side.pair.last_tick)) for side in (a, b))
    width, height = max(view.width, SMALLEST[0]), max(view.height, SMALLEST[1])
    calm = view._replace(width=width, height=height, hovered="", selected="")
    key = (*((side.pair.key, side.tick, side.label) for side in (a, b)), calm)
    place = _place(a, b, calm)
    head, said = _head(a, b, place, calm)
    shapes = [
        *head,
        *_labels(a, b, place, calm),
        *words(a, b, place, calm),
        *answers(a, b, place, calm),
        *attention(a, b, place, calm),
        *costs(a, b, place, calm),
        *_foot(place, calm),
    ]
    return Picture(
        width=width,
        height=height,
        background=view.theme.stage,
        shapes=(Group(shapes=tuple(shapes), slot="compare", cache_key=key),),
        title=view.captions("compare.title"),
        description=said,
    )


def _place(a: Side, b: Side, view: View) -> Layout:
    return layout(
        view.width,
        view.height,
        (a.pair.tokens, b.pair.tokens),
        attention=any(side.pair.chain.facts.attention for side in (a, b)),
        notes=max(len(_notes(side.pair, columns_of(view.width)[0][1])) for side in (a, b)),
        answers=max(TOP, *(len(likely(a, b, side)) for side in ("chain", "grid"))),
        heads=min(max(side.pair.grid.facts.heads for side in (a, b)), HEADS),
    )


# ------------------------------------------------------------------ the head


def _head(a: Side, b: Side, place: Layout, view: View) -> tuple[list[Shape], str]:
    """Return what was changed, and how the answers relate; and the same as one text."""
    theme, say = view.theme, view.captions
    left, shapes = _pills(a, b, place, view)
    what = " · ".join(_changed(change, view) for change in changed(a.pair, b.pair))
    what = what or say("compare.nothing")
    title = say("compare.title")
    start = EDGE + text_width(title, 24, 700, "display") + 18
    shapes += [
        Text(x=EDGE, y=46, text=title, size=24, weight=700, family="display", fill=theme.ink,
             read_by_class=True),
        Text(x=start, y=46, text=shortened(what, left - 16 - start, 21, 500), size=21, weight=500,
             fill=theme.ink, read_by_class=True),
    ]  # fmt: skip
    said = []
    for side, y in (("chain", 87.0), ("grid", 121.0)):
        found = verdict(a, b, side)
        sentence = _sentence(found, a.pair, b.pair, side, view)
        large = shortened(sentence, place.edge - EDGE, VERDICT_PX, 700)
        shapes.append(
            Text(x=EDGE, y=y, text=large, size=VERDICT_PX, weight=700, family="display",
                 fill=theme.ink if found.how in ANSWERED else theme.ink3,
                 read_by_class=True)
        )  # fmt: skip
        said.append(sentence)
        cause, x = (
            _cause(found, (a.pair.side(side), b.pair.side(side)), view),
            EDGE + text_width(large, VERDICT_PX, 700, "display"),
        )
        if cause and place.edge - x > 120:
            shapes.append(
                Text(x=x + 18, y=y - 1, text=shortened(cause, place.edge - x - 18, place.read, 500),
                     size=place.read, weight=500, fill=theme.ink2, read_by_class=True)
            )  # fmt: skip
    text = say("compare.description", changed=what, chain=said[0], grid=said[1])
    return [*shapes, rule(136, place, view)], text


def _pills(a: Side, b: Side, place: Layout, view: View) -> tuple[float, list[Shape]]:
    """Return the tick of both sides, or of each, and the left edge of that."""
    say = view.captions
    texts = [say("scene.tick", tick=a.tick)]
    if a.tick != b.tick:
        texts = [
            say("compare.tick", side=side, tick=tick)
            for side, tick in (("B", b.tick), ("A", a.tick))
        ]  # from the right
    right, size, shapes = place.edge, max(17.0, place.read), list[Shape]()
    for text in texts:
        shapes += pill(right, 24, text, view.theme, size=size)
        right -= text_width(text, size, 600) + 32 + 8
    return right, shapes


def _changed(change: Changed, view: View) -> str:
    """Return one thing that was changed, in words."""
    say, (a, b) = view.captions, change[1:3]
    if change.what == "cell":
        a, b = say(f"model.{a}"), say(f"model.{b}")
    elif b in ("on", "off"):
        a, b = say(f"rt.{a}"), say(f"rt.{b}")
    places = [i + 1 for i in change.places] or [0]
    return say(
        f"compare.changed.{change.what}", a=a, b=b, first=places[0], last=places[-1],
        count=len(places),
    )  # fmt: skip


def _sentence(found: Verdict, a: Pair, b: Pair, side: str, view: View) -> str:
    """Return how the two answers of a model relate, as one sentence."""
    say, (old, new) = view.captions, (a.side(side), b.side(side))
    models = [say(f"model.{trace.facts.cell or 'transformer'}") for trace in (old, new)]
    model = models[0]
    if models[0] != models[1]:
        model = say("compare.from_to", a=models[0], b=models[1])
    first, then = old.answer(1)[0][0], new.answer(1)[0][0]
    fields: dict[str, object] = {}
    if found.how in ("still", "other"):
        rows = {row.word: row.percent for row in likely(
            Side(a, a.last_tick, ""), Side(b, b.last_tick, ""), side)}  # fmt: skip
        fields = {
            "a": shortened(first, 220, VERDICT_PX, 700), "before": rows[first][0],
            "b": shortened(then, 220, VERDICT_PX, 700), "after": rows[then][1],
        }  # fmt: skip
    elif found.how == "close":
        fields = _points(_small(100 * abs(found.largest)))
    kept = found.how == "still" and fields["before"] == fields["after"]
    said = say("compare.verdict.kept" if kept else f"compare.verdict.{found.how}", **fields)
    return say("compare.side", model=model, verdict=said)


def _cause(found: Verdict, traces: tuple[Trace, Trace], view: View) -> str:
    """Return why the answers relate so where that is known, or by how much they differ."""
    say = view.captions
    if found.cause == "order":
        return say("compare.cause.order", **_points(_small(100 * abs(found.largest))))
    if found.cause == "nothing":
        return say("compare.cause.nothing")
    if found.how not in ("still", "other") or found.word < 0:
        return ""
    old, new = (percents(trace.value("answer.probabilities")) for trace in traces)
    whole = new[found.word] - old[found.word]
    return say(
        f"compare.cause.{found.how}", word=traces[0].vocabulary[found.word],
        **_points(points(whole) if whole else _signed(100 * found.largest)),
    )  # fmt: skip


def _points(text: str) -> dict[str, object]:
    """Return the fields of words about so many points; of one there is one point."""
    return {"points": text, "count": int(text.lstrip(f"+{MINUS}") == "1")}


def _signed(number: float) -> str:
    said = value(number)
    return said if said.startswith(MINUS) else f"+{said}"


def _small(number: float) -> str:
    """Return a small number rounded up to one digit, without an exponent: "0.00005"."""
    for digits in range(1, 16):
        if number >= 10**-digits:
            return f"{number + 0.5 * 10**-digits:.{digits}f}".rstrip("0").rstrip(".")
    return value(number)


# ------------------------------------------------------------------ labels and foot


def _notes(pair: Pair, width: float) -> tuple[str, ...]:
    """Return in one or two lines what has to be said of a pair, each note once."""
    notes = dict.fromkeys((*pair.chain.facts.notes, *pair.grid.facts.notes))
    if not notes:
        return ()
    first, *rest = wrapped(" · ".join(notes), width, 14, 500)
    more = (shortened(" ".join(rest), width, 14, 500),) if rest else ()
    return (shortened(first, width, 14, 500), *more)


def _labels(a: Side, b: Side, place: Layout, view: View) -> list[Shape]:
    """Return what A and B are, with what has to be said of them, and the middle's heading."""
    theme, say, y = view.theme, view.captions, place.labels
    shapes: list[Shape] = []
    size = max(18.0, place.read)
    looks = any(side.pair.chain.facts.attention for side in (a, b))
    heading = say("compare.attention") if looks else ""
    for column, side in zip((place.columns[0], place.columns[2]), (a, b), strict=True):
        x, width = column
        room = width - (text_width(heading, 14, 500) + 16 if heading else 0)
        shapes += [
            Text(x=x, y=y, text=shortened(side.label, room, size, 600), size=size, weight=600,
                 fill=theme.ink, read_by_class=True),
            label(x + width, y, heading, view, "end"),
        ]  # fmt: skip
        shapes += [
            Text(x=x, y=y + 19 + NOTE * i, text=note, size=14, weight=500, fill=theme.ink2)
            for i, note in enumerate(_notes(side.pair, width))
        ]
    x, width = place.columns[1]
    shapes.append(
        Text(x=x, y=y, text=say("compare.what_differs"), size=size, weight=600, fill=theme.ink,
             read_by_class=True)
    )  # fmt: skip
    return shapes


def _foot(place: Layout, view: View) -> list[Shape]:
    text = shortened(view.captions("compare.source"), place.edge - EDGE, 14, 500)
    return [label(EDGE, place.height - 9, text, view)]

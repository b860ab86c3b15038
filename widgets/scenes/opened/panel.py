"""The right side: the operands, how they are combined, and the scalars that lead to the number."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from widgets.explain import agrees
from widgets.geometry import READ
from widgets.glyphs import Box, shortened, wrapped
from widgets.numbers import MINUS, percents
from widgets.numbers import value as said
from widgets.picture import Path, Rect, Shape, Text
from widgets.scenes.opened.parts import (
    LEAST,
    Number,
    Scale,
    Weight,
    bars,
    cell,
    chain,
    chosen,
    fitted,
    heading,
    lettered,
    main,
    percent,
    plot,
    stacked,
)
from widgets.scenes.opened.working import Opened, Row, Term, Working, place

if TYPE_CHECKING:
    from widgets.view import View

PAD = 22.0
SCALARS_PX = 166.0  # of the lower part: its heading, the boxes, and the line of the check
LABEL_PX = 104.0  # of the letters in front of a row
CELL_PX = 66.0  # at least, of a cell with its value
CELL_H = 40.0
Anchor = Literal["start", "middle", "end"]


def panel(o: Opened, working: Working, box: Box, view: View) -> list[Shape]:
    """Return how a number comes about, in a card."""
    theme, say = view.theme, view.captions
    x, y, width, height = box
    inner = (x + PAD, y + 46, width - 2 * PAD, height - SCALARS_PX - 56)
    rule = y + height - SCALARS_PX
    shapes: list[Shape] = [
        Rect(x=x, y=y, width=width, height=height, radius=14, fill=theme.panel,
             stroke=theme.hair, stroke_width=1.25),
        *heading(x + PAD, y + 30, width - 2 * PAD, working.heading, working.note, view),
        *DRAW[working.kind](o, working, inner, view),
        Path(commands=(("M", x + PAD, rule), ("L", x + width - PAD, rule)), stroke=theme.hair),
        *heading(x + PAD, rule + 27, width - 2 * PAD, say("opened.scalars"),
                 say("opened.scalars_note"), view),
        *chain(working.scalars, (x + PAD, rule + 40, width - 2 * PAD, 74.0), view),
        *check(o, working, (x + PAD, rule + 141, width - 2 * PAD, 20.0), view),
    ]  # fmt: skip
    return shapes


def check(o: Opened, working: Working, box: Box, view: View) -> list[Shape]:
    """Return whether what is shown gives what is stored, in words."""
    theme, say = view.theme, view.captions
    x, y, width, _ = box
    if working.given:
        text, wrong = say("opened.not_computed"), False
    else:
        again, stored = long(working.result), long(o.value)
        precision = o.trace.facts.precision
        wrong = not agrees(o.step, o.value, working.result, precision)
        key = "opened.differs" if wrong else "opened.agrees"
        if not wrong and o.value == working.result:
            key = "opened.equal"
        text = say(key, again=again, stored=stored, precision=precision)
    return [
        Text(x=x, y=y, text=shortened(text, width, 15, 500), size=15, weight=500,
             fill=theme.error if wrong else theme.ink2)
    ]  # fmt: skip


def long(number: float) -> str:
    """Return a number with seven digits, as many as float32 holds."""
    if not math.isfinite(number):
        return said(number)
    return f"{number:.7g}".replace("-", MINUS)


# ---- rows of cells ------------------------------------------------------------------------------


def _places(
    row: Row, width: float, own: int, weights: list[float]
) -> tuple[tuple[int, ...], float]:
    """Return which numbers of a row are shown as cells, and how wide one is."""
    room = max(int(width // CELL_PX), 1)
    places = chosen(len(row.numbers), room, own, weights)
    return places, min(width / len(places), 92.0)


def _cells(
    row: Row, places: tuple[int, ...], box: Box, each: float, own: int, view: View,
    scale: Scale | None = None,
) -> list[Shape]:  # fmt: skip
    """Return a row: its letters and note at the left, its cells behind."""
    theme, say = view.theme, view.captions
    x, y, _, height = box
    shapes: list[Shape] = [
        *lettered(row.letters, row.plain, (x, y + (17 if row.note else 26), LABEL_PX - 10), 20,
                  theme.ink, weight=600),
    ]  # fmt: skip
    if row.note:
        shapes.append(
            Text(x=x, y=y + 37, text=shortened(row.note, LABEL_PX - 10, LEAST), size=LEAST,
                 fill=theme.ink2)
        )  # fmt: skip
    scale = scale or Scale.of([n.value for n in row.numbers], shares=row.shares)
    for k, i in enumerate(places):
        number = row.numbers[i]
        inside = (x + LABEL_PX + each * k + 2, y, each - 4, height)
        text = None
        if row.shares:
            text = say("rt.percent", value=_cent(number.value))
        shapes += cell(number, inside, scale, view, own=i == own, text=text)
    return shapes


def _cent(share: float) -> str:
    """Return a share in per cent; a small one with one digit behind the point."""
    whole = 100 * share
    if 0 < whole < 0.05:
        return "<0.1"
    return f"{whole:.1f}" if 0 < whole < 0.95 else f"{whole:.0f}"


def _labels(row: Row, places: tuple[int, ...], x: float, y: float, each: float, own: int,
            view: View) -> list[Shape]:  # fmt: skip
    """Return the words or indices above the cells of a row."""
    theme = view.theme
    return [
        Text(x=x + LABEL_PX + each * (k + 0.5), y=y, size=LEAST, anchor="middle",
             text=shortened(row.numbers[i].label, each - 4, LEAST, 700),
             weight=700 if i == own else 400, fill=theme.ink if i == own else theme.ink2)
        for k, i in enumerate(places)
    ]  # fmt: skip


def _left_out(row: Row, places: tuple[int, ...], key: str, view: View) -> str:
    """Return which of the numbers are shown as cells, where it is not all of them."""
    if len(places) == len(row.numbers):
        return ""
    return view.captions(key, shown=len(places), count=len(row.numbers))


def _note(text: str, x: float, y: float, width: float, view: View) -> list[Shape]:
    if not text:
        return []
    return [
        Text(x=x, y=y, text=shortened(text, width, LEAST), size=LEAST, fill=view.theme.ink2)
    ]  # fmt: skip


# ---- the pictures -------------------------------------------------------------------------------


def _dot(o: Opened, w: Working, box: Box, view: View) -> list[Shape]:
    """Draw two vectors, multiplied pair by pair, and the products as bars."""
    theme = view.theme
    x, y, width, height = box
    a, b, products = w.rows
    values = [n.value for n in products.numbers]
    places, each = _places(a, width - LABEL_PX, -1, values)
    every = len(places) == len(values)
    top = y + 14
    shapes: list[Shape] = [*_labels(a, places, x, top, each, -1, view)]
    top += 8
    shapes += _cells(a, places, (x, top, width, CELL_H), each, -1, view)
    top += CELL_H
    for k in range(len(places)):
        shapes.append(
            Text(x=x + LABEL_PX + each * (k + 0.5), y=top + 15, text="×", size=main(view),
                 weight=600, fill=theme.ink2, anchor="middle")
        )  # fmt: skip
    top += 21
    shapes += _cells(b, places, (x, top, width, CELL_H), each, -1, view)
    top += CELL_H + 22
    for k, i in enumerate(places):
        shapes.append(
            _number_at(values[i], (x + LABEL_PX + each * (k + 0.5), top + 1, each - 6), view)
        )
    shapes.append(Text(x=x, y=top + 1, text=products.plain, size=15, weight=500, fill=theme.ink2))
    top += 14
    bottom = y + height - (0 if every else 24)
    wide = each * len(places) if every else width - LABEL_PX
    shapes += bars(products.numbers, (x + LABEL_PX, top, wide, bottom - top), view, strong=places)
    shapes += _note(
        _left_out(products, places, "opened.largest_products", view), x + LABEL_PX,
        y + height - 2, width - LABEL_PX, view,
    )  # fmt: skip
    return shapes


def _number_at(
    number: float, box: tuple[float, float, float], view: View, *, anchor: Anchor = "middle",
    size: float | None = None, weight: Weight = 600,
) -> Text:  # fmt: skip
    """Return a number with as many digits as fit; ``box`` is x, baseline and width."""
    x, y, width = box
    text, size = fitted(number, width, size or main(view), view, weight)
    return Text(x=x, y=y, text=text, size=size, weight=weight, fill=view.theme.ink, anchor=anchor,
                read_by_class=size >= main(view))  # fmt: skip


def _softmax(o: Opened, w: Working, box: Box, view: View) -> list[Shape]:
    """Draw scores, their exponentials as bars, and the shares of the whole."""
    theme, say = view.theme, view.captions
    x, y, width, height = box
    scores, powers, shares = w.rows
    values = [n.value for n in shares.numbers]
    places, each = _places(scores, width - LABEL_PX, w.own, values)
    every = len(places) == len(values)
    top = y + 14
    shapes: list[Shape] = [*_labels(scores, places, x, top, each, w.own, view)]
    top += 8
    shapes += _cells(scores, places, (x, top, width, CELL_H), each, w.own, view)
    top += CELL_H + 22
    for k, i in enumerate(places):
        shapes.append(
            _number_at(
                powers.numbers[i].value, (x + LABEL_PX + each * (k + 0.5), top, each - 6), view
            )
        )
    shapes.append(Text(x=x, y=top, text=say("opened.exp"), size=15, weight=500, fill=theme.ink2))
    top += 10
    stack = y + height - 66 - (0 if every else 22)
    wide = each * len(places) if every else width - LABEL_PX
    shapes += bars(
        powers.numbers, (x + LABEL_PX, top, wide, max(stack - 18 - top, 20)), view,
        strong=places, own=w.own,
    )  # fmt: skip
    if not every:
        shapes += _note(
            _left_out(scores, places, "opened.largest_numbers", view), x + LABEL_PX, stack + 2,
            width - LABEL_PX, view,
        )  # fmt: skip
        stack += 22
    whole = percents(values)
    shapes += stacked(shares.numbers, (x, stack, width, 38.0), view, own=w.own, whole=whole)
    return [
        *shapes,
        *_note(
            say(
                "opened.add_up",
                count=len(values),
                word=place(o.trace, o.step.axes[-1], len(values), w.own, say),
                value=percent(values[w.own]),
            ),
            x,
            stack + 60,
            width,
            view,
        ),
    ]


def _norm(o: Opened, w: Working, box: Box, view: View) -> list[Shape]:
    """Draw a row, its mean and its spread."""
    theme, say = view.theme, view.captions
    x, y, width, height = box
    (row,) = w.rows
    mean, spread = w.facts["mean"], w.facts["spread"]
    far = [n.value - mean for n in row.numbers]
    places, each = _places(row, width - LABEL_PX, w.own, far)
    every = len(places) == len(far)
    top = y + 14
    shapes: list[Shape] = [*_labels(row, places, x, top, each, w.own, view)]
    top += 8
    shapes += _cells(row, places, (x, top, width, CELL_H), each, w.own, view)
    top += CELL_H + 16
    bottom = y + height - (4 if every else 26)
    plot_x, wide = x + LABEL_PX, width - LABEL_PX
    numbers = [n.value for n in row.numbers]
    high = max(*numbers, mean + spread, 0.0) if len(numbers) > 1 else max(numbers[0], mean + spread)
    low = min(*numbers, mean - spread, 0.0) if len(numbers) > 1 else min(numbers[0], mean - spread)
    span = (high - low) or 1.0

    def at(number: float) -> float:
        return top + (bottom - top) * (high - number) / span

    shapes.append(
        Rect(x=plot_x, y=at(mean + spread), width=wide,
             height=at(mean - spread) - at(mean + spread), fill=theme.well,
             title=say("opened.spread", value=said(spread)))
    )  # fmt: skip
    shapes += bars(
        row.numbers, (plot_x, at(max(*numbers, mean)) if len(numbers) > 1 else top, wide,
                      abs(at(min(*numbers, mean)) - at(max(*numbers, mean)))
                      if len(numbers) > 1 else 1.0),
        view, strong=places, own=w.own, base=mean,
    )  # fmt: skip
    shapes.append(
        Path(commands=(("M", plot_x, at(mean)), ("L", plot_x + wide, at(mean))), stroke=theme.ink,
             stroke_width=1.8)
    )  # fmt: skip
    middle = (top + bottom) / 2
    for k, (word, number) in enumerate(
        ((say("opened.mean"), mean), (say("opened.deviation"), spread))
    ):
        base = middle - 34 + 52 * k
        shapes += [
            Text(x=x, y=base, text=shortened(word, LABEL_PX - 8, LEAST), size=LEAST,
                 fill=theme.ink2),
            _number_at(number, (x, base + 21, LABEL_PX - 8), view, anchor="start",
                       size=max(18.0, main(view)), weight=700),
        ]  # fmt: skip
    shapes += _note(
        _left_out(row, places, "opened.farthest", view), plot_x, y + height - 2, wide, view
    )
    return shapes


def _rows(o: Opened, w: Working, box: Box, view: View) -> list[Shape]:
    """Draw one row with the number in it, all of it as bars."""
    x, y, width, height = box
    (row,) = w.rows
    values = [n.value for n in row.numbers]
    places, each = _places(row, width - LABEL_PX, w.own, values)
    every = len(places) == len(values)
    top = y + 14
    shapes: list[Shape] = [*_labels(row, places, x, top, each, w.own, view)]
    top += 8
    shapes += _cells(row, places, (x, top, width, CELL_H), each, w.own, view)
    top += CELL_H + 20
    bottom = y + height - (4 if every else 26)
    wide = each * len(places) if every else width - LABEL_PX
    shapes += bars(
        row.numbers, (x + LABEL_PX, top, wide, min(bottom - top, 190.0)), view, strong=places,
        own=w.own,
    )  # fmt: skip
    below = min(bottom, top + 190) + 22
    shapes += _note(
        _left_out(row, places, "opened.largest_numbers", view), x + LABEL_PX, below,
        width - LABEL_PX, view,
    )  # fmt: skip
    return shapes


def _terms(o: Opened, w: Working, box: Box, view: View) -> list[Shape]:
    """Draw the parts of a sum, each with its factors, how they add up, and the result."""
    theme, say = view.theme, view.captions
    x, y, width, height = box
    terms, multiplied = w.terms, len(w.terms) == 1
    room = max(int((height - 56) // 56), 1)
    shown = terms if len(terms) <= room else terms[: room - 1]
    last = 0.0 if multiplied else 64.0  # the line of the result
    each = min((height - last - 10) / len(shown), 112.0 if not multiplied else 66.0)
    numbers = [_number(t) for t in terms]
    ends = [0.0]
    for number in numbers:
        ends.append(ends[-1] + number)
    through = w.facts.get("through")
    reach = [*ends, *([through] if through is not None else [])]
    high, low = max(reach), min(reach)
    span = (high - low) or 1.0
    flow_x, flow_w = x + 440, width - 450
    limit = Scale.of([*ends, *numbers, *(f[2].value for t in terms for f in t.factors)])

    def at(number: float) -> float:
        return flow_x + flow_w * (number - low) / span

    def bar(left: float, right: float, top: float, name: str, title: str) -> Rect:
        a, b = sorted((at(left), at(right)))
        return Rect(x=a, y=top + 8, width=max(b - a, 1.5), height=30, radius=3, name=name,
                    title=title, fill=theme.signed_map(0.72 if right >= left else -0.72)
                    )  # fmt: skip

    bottom = y + 16 + each * len(shown)
    shapes: list[Shape] = [
        Path(commands=(("M", at(0.0), y + 8), ("L", at(0.0), bottom + last - 8)),
             stroke=theme.hair2, stroke_width=1.2)
    ]  # fmt: skip
    for k, term in enumerate(shown):
        top = y + 22 + each * k
        shapes += _term(term, (x, top, 410.0, 46.0), "" if k == 0 else "+", limit, view)
        if through is not None:
            a, b = sorted((at(0.0), at(through)))
            shapes.append(
                Rect(x=a, y=top + 8, width=max(b - a, 1.0), height=30, stroke=theme.ink2,
                     stroke_width=1.4, dash=(4.0, 4.0), radius=3)
            )  # fmt: skip
        title = f"{term.plain} = {said(numbers[k])}"
        shapes.append(bar(ends[k], ends[k + 1], top, term.number.name, title))
        if not multiplied:
            shapes.append(
                Path(commands=(("M", at(ends[k + 1]), top + 38),
                               ("L", at(ends[k + 1]), top + each + 8)),
                     stroke=theme.ink2, stroke_width=1.2, dash=(3.0, 3.0))
            )  # fmt: skip
    if len(shown) < len(terms):
        rest = math.fsum(numbers[len(shown) :])
        text = say("opened.rest_terms", count=len(terms) - len(shown), value=said(rest))
        shapes += _note(text, x + 18, bottom - 10, 400, view)
    if multiplied and w.rows:
        shapes += _small(w, (x, y + 100, width, height - 104), view)
    if not multiplied:
        own = Term(o.letters(), o.plain(), Number(w.facts["total"], o.name))
        shapes += [
            Path(commands=(("M", x + 18, bottom), ("L", x + 406, bottom)), stroke=theme.hair2,
                 stroke_width=1.4),
            *_term(own, (x, bottom + 10, 410.0, 46.0), "=", limit, view),
            bar(0.0, w.facts["total"], bottom + 10, o.name,
                f"{o.plain()} = {said(w.facts['total'])}"),
        ]  # fmt: skip
    return shapes


def _small(w: Working, box: Box, view: View) -> list[Shape]:
    """Draw the operands and the result for all places of the axis, one below the other."""
    theme = view.theme
    x, y, width, height = box
    each = height / len(w.rows)
    shapes: list[Shape] = []
    for k, row in enumerate(w.rows):
        top = y + each * k
        sign = "" if k == 0 else "=" if k == len(w.rows) - 1 else "×"
        if sign:
            shapes.append(Text(x=x - 4, y=top + each / 2 + 7, text=sign, size=20, weight=600,
                               fill=theme.ink2))  # fmt: skip
        shapes += lettered(row.letters, row.plain, (x + 18, top + each / 2 + 7, LABEL_PX - 26),
                           20, theme.ink, weight=600)  # fmt: skip
        shapes += bars(row.numbers, (x + LABEL_PX, top + 8, width - LABEL_PX, each - 16), view,
                       strong=(w.own,), own=w.own)  # fmt: skip
    return shapes


def _number(term: Term) -> float:
    if term.factors:
        return math.prod(f[2].value for f in term.factors)
    return term.number.value


def _term(term: Term, box: Box, sign: str, scale: Scale, view: View) -> list[Shape]:
    """Return one part of a sum: its factors as cells, or the number alone."""
    theme = view.theme
    x, y, width, height = box
    wide = 96.0
    shapes: list[Shape] = []
    if sign:
        shapes.append(
            Text(x=x - 4, y=y + height / 2 + 7, text=sign, size=20, weight=600, fill=theme.ink2)
        )
    at = x + 18
    for k, (letters, plain, number) in enumerate(term.factors):
        if k:
            shapes.append(Text(x=at + 10, y=y + height / 2 + 6, text="×", size=18, weight=600,
                               fill=theme.ink2, anchor="middle"))  # fmt: skip
            at += 20
        shapes += lettered(letters, plain, (at + wide / 2, y - 6, wide + 14), READ, theme.ink2,
                           anchor="middle")  # fmt: skip
        shapes += cell(number, (at, y, wide, height), scale, view, size=20)
        at += wide
    if term.factors:
        shapes.append(Text(x=at + 14, y=y + height / 2 + 6, text="=", size=18, weight=600,
                           fill=theme.ink2, anchor="middle"))  # fmt: skip
        own = replace(term.number, value=_number(term))
        shapes += cell(own, (x + width - wide - 4, y, wide, height), scale, view, size=20)
        return shapes
    place_of = (x + 18, y + height / 2 + 7, width - wide - 40)
    shapes += lettered(term.letters, term.plain, place_of, 20, theme.ink, weight=600)  # fmt: skip
    shapes += cell(term.number, (x + width - wide - 4, y, wide, height), scale, view, size=20)
    return shapes


def _curve(o: Opened, w: Working, box: Box, view: View) -> list[Shape]:
    """Draw a function with the number on it, and what its operand is the sum of."""
    theme, say = view.theme, view.captions
    x, y, width, height = box
    shapes: list[Shape] = []
    left = 290.0
    listed = w.terms
    limit = Scale.of([_number(t) for t in listed] or [w.facts["x"]])
    if listed:
        rows = listed[: max(int((height - 60) // 52), 1)]
        for k, term in enumerate(rows):
            plain = replace(term, factors=(), number=replace(term.number, value=_number(term)))
            shapes += _term(plain, (x, y + 8 + 52 * k, left, 40.0), "+" if k else "", limit, view)
        base = y + 8 + 52 * len(rows)
        rest = listed[len(rows) :]
        if rest:
            text = say("opened.rest_terms", count=len(rest),
                       value=said(math.fsum(_number(t) for t in rest)))  # fmt: skip
            shapes += _note(text, x, base + 12, left, view)
            base += 22
        shapes.append(
            Path(commands=(("M", x + 18, base), ("L", x + left - 4, base)), stroke=theme.hair2,
                 stroke_width=1.4)
        )  # fmt: skip
        top = base + 10
    else:
        top = y + 30
    source = w.scalars[0]
    operand = Term(source.letters, source.plain, Number(source.value, source.name))
    shapes += _term(operand, (x, top, left, 40.0), "", Scale.of([source.value, limit.limit]), view)
    assert w.curve is not None
    plot_x = x + left + 50
    shapes += plot(
        w.curve, (w.facts["x"], w.facts["y"]),
        (plot_x, y + 4, width - left - 60, height - 14), view,
    )  # fmt: skip
    return shapes


def _given(o: Opened, w: Working, box: Box, view: View) -> list[Shape]:
    """Draw in words what came from outside."""
    x, y, width, _ = box
    return [
        Text(x=x, y=y + 40 + 34 * k, text=line, size=24, weight=600, fill=view.theme.ink,
             read_by_class=True)
        for k, line in enumerate(wrapped(w.words, width, 24, 600)[:6])
    ]  # fmt: skip


DRAW: dict[str, Callable[[Opened, Working, Box, View], list[Shape]]] = {
    "dot": _dot,
    "softmax": _softmax,
    "norm": _norm,
    "rows": _rows,
    "terms": _terms,
    "curve": _curve,
    "given": _given,
}

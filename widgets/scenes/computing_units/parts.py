"""Small parts that the places of this scene share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from widgets import numbers
from widgets.geometry import text_width
from widgets.glyphs import shortened
from widgets.numbers import NBSP
from widgets.picture import Path, Rect, Shape, Text
from widgets.scenes.computing_units.layout import NOTE
from widgets.scenes.computing_units.subject import Offer

if TYPE_CHECKING:
    from widgets.view import View

SEGMENT = 34.0  # px high


def note(
    x: float, y: float, text: str, view: View, *, width: float = 0.0, strong: bool = False,
    anchor: str = "start", pale: bool = False, size: float = NOTE, name: str = "", title: str = "",
    read: bool = False,
) -> Text:  # fmt: skip
    """Return a line of small text, shortened to a width where one is given."""
    theme, weight = view.theme, 600 if strong else 500
    if width:
        text = shortened(text, width, size, weight)
    fill = theme.ink if strong else theme.ink3 if pale else theme.ink2
    return Text(
        x=x, y=y, text=text, size=size, weight=600 if strong else 500, fill=fill,
        anchor="end" if anchor == "end" else "middle" if anchor == "middle" else "start",
        name=name, title=title, read_by_class=read,
    )  # fmt: skip


def segments(
    right: float, y: float, kind: str, offers: Sequence[Offer], chosen: str, view: View,
    *, height: float = SEGMENT, size: float = NOTE,
) -> tuple[float, list[Shape]]:  # fmt: skip
    """Return a row of choices that ends at ``right``, and its left edge."""
    theme, say = view.theme, view.captions
    widths = [text_width(offer.label, size, 600) + 22 for offer in offers]
    left = right - sum(widths) - 6
    shapes: list[Shape] = [
        Rect(x=left, y=y, width=right - left, height=height, radius=9, fill=theme.well)
    ]
    x = left + 3
    for offer, width in zip(offers, widths, strict=True):
        on = offer.id == chosen
        name = f"choose:{kind}:{offer.id}"
        title = offer.reason or say(f"units.choose.{kind}", what=offer.label)
        if on:
            shapes.append(
                Rect(x=x, y=y + 3, width=width, height=height - 6, radius=7, fill=theme.stage,
                     stroke=theme.hair2, stroke_width=1)
            )  # fmt: skip
        shapes += [
            Text(x=x + width / 2, y=y + height / 2 + 0.36 * size, text=offer.label, size=size,
                 weight=600 if on else 500, anchor="middle",
                 fill=theme.ghost if offer.reason else theme.ink if on else theme.ink2),
            # Upon the letters: all of the segment can be clicked.
            Rect(x=x, y=y, width=width, height=height, name=name, title=title),
        ]  # fmt: skip
        x += width
    return left, shapes


def rule(x: float, y: float, width: float, view: View) -> Path:
    """Return a hairline."""
    return Path(commands=(("M", x, y), ("L", x + width, y)), stroke=view.theme.hair, stroke_width=1)


def percent(value: float, modelled: bool = False) -> str:
    """Return a whole per cent, with ≈ where it is modelled: "≈ 62 %"."""
    return f"{'≈' + NBSP if modelled else ''}{value:.0f}{NBSP}%"


def fine_percents(parts: Sequence[float]) -> tuple[str, ...]:
    """Return per cents with one digit behind the point that add up to 100: "99.7 %"."""
    if not sum(parts) > 0:
        return tuple(f"0{NBSP}%" for _ in parts)
    return tuple(
        f"{whole / 10:.1f}".removesuffix(".0") + f"{NBSP}%" for whole in numbers.shared(parts, 1000)
    )


def ringed(box: tuple[float, float, float, float], view: View) -> Rect:
    """Return the ring round what is selected."""
    x, y, width, height = box
    return Rect(
        x=x - 4, y=y - 4, width=width + 8, height=height + 8, radius=8, stroke=view.theme.ink,
        stroke_width=2,
    )  # fmt: skip

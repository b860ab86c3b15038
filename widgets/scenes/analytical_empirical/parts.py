"""Small parts that the places of this scene share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from widgets.geometry import text_width
from widgets.glyphs import Box, shortened
from widgets.numbers import NBSP
from widgets.picture import Path, Rect, Shape, Text
from widgets.scenes.analytical_empirical.layout import NOTE
from widgets.scenes.analytical_empirical.subject import Right

if TYPE_CHECKING:
    from widgets.view import View


def words(
    x: float, y: float, text: str, view: View, *, size: float = NOTE, width: float = 0.0,
    strong: bool = False, pale: bool = False, end: bool = False, mono: bool = False,
    name: str = "", title: str = "", read: bool = False,
) -> Text:  # fmt: skip
    """Return a line of text, shortened to a width where one is given."""
    theme = view.theme
    if width:
        text = cut(text, width, size, mono=True) if mono else shortened(text, width, size, 600)
    weight: Literal[400, 500, 600] = 600
    if mono or not strong:
        weight = 500 if strong or not mono else 400
    return Text(
        x=x, y=y, text=text, size=size, weight=weight,
        fill=theme.ink if strong else theme.ink3 if pale else theme.ink2,
        family="mono" if mono else "sans", anchor="end" if end else "start", name=name,
        title=title, read_by_class=read,
    )  # fmt: skip


def cut(text: str, width: float, size: float, *, mono: bool = False) -> str:
    """Return the text, or its start and "…" where it is wider, in the fixed-width font."""
    most = max(int(width / mono_width(size)), 1)
    return text if len(text) <= most else text[: most - 1] + "…"


def mono_width(size: float) -> float:
    """Return the width of a letter of the fixed-width font."""
    return text_width("m", size, 500, "mono")


def percent(right: Right | None) -> str:
    """Return a share as a whole per cent; what was not asked yet is a dash."""
    return "—" if right is None else f"{100 * right.share:.0f}{NBSP}%"


def panel(box: Box, view: View) -> Rect:
    """Return the ground of a panel."""
    x, y, width, height = box
    return Rect(x=x, y=y, width=width, height=height, radius=12, fill=view.theme.panel,
                stroke=view.theme.hair2, stroke_width=1)  # fmt: skip


def hairline(x: float, y: float, width: float, view: View) -> Path:
    """Return a hairline."""
    return Path(commands=(("M", x, y), ("L", x + width, y)), stroke=view.theme.hair2,
                stroke_width=1)  # fmt: skip


def bar(
    box: Box, right: Right | None, view: View, *, name: str = "", title: str = "",
    whisker: bool = False,
) -> list[Shape]:  # fmt: skip
    """Return the bar of a measured share: solid, and in front of it the range that it may have."""
    x, y, width, height = box
    theme = view.theme
    radius = min(4.0, height / 2)
    if right is None:
        return [Rect(x=x, y=y, width=width, height=height, radius=radius, stroke=theme.ghost,
                     stroke_width=1.2, dash=(4.0, 3.0))]  # fmt: skip
    shapes: list[Shape] = [
        Rect(x=x, y=y, width=width, height=height, radius=radius, fill=theme.hair2, name=name,
             title=title)
    ]  # fmt: skip
    if right.right:
        long = max(width * right.share, 2.0)
        shapes.append(Rect(x=x, y=y, width=long, height=height, radius=min(radius, long / 2),
                           fill=theme.ink, name=name, title=title))  # fmt: skip
    if whisker:
        low, high, mid = x + width * right.low, x + width * right.high, y + height + 5
        shapes.append(
            Path(commands=(("M", low, mid), ("L", high, mid), ("M", low, mid - 3),
                           ("L", low, mid + 3), ("M", high, mid - 3), ("L", high, mid + 3)),
                 stroke=theme.ink, stroke_width=1.3)
        )  # fmt: skip
    return shapes


def button(
    box: Box, label: str, view: View, *, name: str, title: str, on: bool = False,
    mono: bool = False,
) -> list[Shape]:  # fmt: skip
    """Return something that can be clicked."""
    x, y, width, height = box
    theme = view.theme
    return [
        Rect(x=x, y=y, width=width, height=height, radius=7,
             fill=theme.ink if on else theme.stage, stroke=theme.hair2, stroke_width=1),
        Text(x=x + width / 2, y=y + height / 2 + 0.36 * NOTE, text=shortened(label, width - 8, NOTE,
             600), size=NOTE, weight=600, anchor="middle",
             fill=theme.onink if on else theme.ink),
        Rect(x=x, y=y, width=width, height=height, name=name, title=title),
    ]  # fmt: skip


def segments(
    right: float, y: float, kind: str, offers: Sequence[tuple[str, str]], chosen: str, view: View
) -> tuple[float, list[Shape]]:
    """Return a row of choices that ends at ``right``, and its left edge."""
    theme = view.theme
    widths = [text_width(label, NOTE, 600) + 22 for _, label in offers]
    left = right - sum(widths) - 6
    shapes: list[Shape] = [
        Rect(x=left, y=y, width=right - left, height=32, radius=9, fill=theme.well)
    ]
    x = left + 3
    for (id, label), width in zip(offers, widths, strict=True):
        on = id == chosen
        name = f"choose:{kind}:{id}"
        if on:
            shapes.append(Rect(x=x, y=y + 3, width=width, height=26, radius=7, fill=theme.stage,
                               stroke=theme.hair2, stroke_width=1))  # fmt: skip
        shapes += [
            Text(x=x + width / 2, y=y + 16 + 0.36 * NOTE, text=label, size=NOTE, anchor="middle",
                 weight=600 if on else 500, fill=theme.ink if on else theme.ink2),
            Rect(x=x, y=y, width=width, height=32, name=name, title=label),
        ]  # fmt: skip
        x += width
    return left, shapes


def ring(box: Box, view: View) -> Rect:
    """Return the ring round what is selected."""
    x, y, width, height = box
    return Rect(x=x - 3, y=y - 3, width=width + 6, height=height + 6, radius=8,
                stroke=view.theme.ink, stroke_width=2)  # fmt: skip

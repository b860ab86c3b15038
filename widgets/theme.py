"""Colours by role, from assets/themes; no widget and no scene holds a colour of its own.

The maps are tables made once by scripts/make_themes.py, so that no colour science is loaded here.
"""

from __future__ import annotations

import json
import math
from functools import cache
from typing import Any

from engine.assets import ASSETS

NAMES = ("light", "dark", "contrast", "contrast-dark")


class Theme:
    """The roles of shared colour: "#RRGGBB" each; ``heads`` cycle when there are more than five.

    Themes are compared by identity: ``load`` gives the same object for the same name.
    """

    name: str
    window: str
    stage: str
    panel: str
    well: str
    hair: str
    hair2: str
    ink: str
    ink2: str
    ink3: str
    onink: str
    ghost: str
    now: str
    now_soft: str
    now_edge: str
    now_line: str
    seq: str
    seq_text: str
    seq_tint: str
    stream: str
    stream_text: str
    stream_tint: str
    matrix: str
    matrix_text: str
    matrix_tint: str
    pos: str
    pos_text: str
    pos_tint: str
    heads: tuple[str, ...]
    heads_text: tuple[str, ...]
    error: str
    ink_ramp: tuple[str, ...]  # 0 … 1
    signed_ramp: tuple[str, ...]  # -1 … 1, symmetric about its middle entry

    def __init__(self, roles: dict[str, Any]) -> None:
        # No dataclass: the first frame of the window would wait for its methods to be written.
        vars(self).update(roles)

    def ink_map(self, share: float) -> str:
        """Return the colour of a magnitude, 0 (the background's grey) to 1 (ink)."""
        return _entry(self.ink_ramp, share)

    def signed_map(self, share: float) -> str:
        """Return the colour of a signed number, -1 (brick) over 0 (grey) to 1 (ink)."""
        return _entry(self.signed_ramp, (share + 1) / 2)

    def on(self, colour: str) -> str:
        """Return black or white for text on a fill, whichever reads better (WCAG contrast)."""
        back = luminance(colour)
        white, black = luminance("#FFFFFF"), luminance("#10151C")
        better = (white + 0.05) / (back + 0.05) >= (back + 0.05) / (black + 0.05)
        return "#FFFFFF" if better else "#10151C"


def _entry(ramp: tuple[str, ...], share: float) -> str:
    if math.isnan(share):
        raise ValueError("A number that is none has no colour.")
    return ramp[round(min(max(float(share), 0.0), 1.0) * (len(ramp) - 1))]


def rgb(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue (0 … 255) of "#RRGGBB"."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def mix(a: str, b: str, share: float) -> str:
    """Return the colour that lies ``share`` (0 … 1) of the way from a to b, in sRGB."""
    parts = (round(x + (y - x) * share) for x, y in zip(rgb(a), rgb(b), strict=True))
    return "#{:02X}{:02X}{:02X}".format(*parts)


def contrast(a: str, b: str) -> float:
    """Return the contrast of two colours, 1 … 21. Source: WCAG 2.2, "contrast ratio"."""
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    """Return a colour's relative luminance, 0 … 1. Source: WCAG 2.2, "relative luminance"."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (part / 255 for part in rgb(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@cache
def load(name: str) -> Theme:
    """Return the theme of a name in ``NAMES``."""
    text = (ASSETS / "themes" / f"{name}.json").read_text(encoding="utf-8")
    roles: dict[str, Any] = json.loads(text)
    for role, colour in roles.items():
        if isinstance(colour, list):
            roles[role] = tuple(colour)
    return Theme(roles)

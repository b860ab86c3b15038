"""Equations as one line of mark-up: ``h_3 = tanh(h_2 W_h + x_3 W_x + b)``.

Single letters are set italic, words upright. ``_x`` and ``_{…}`` are subscripts, ``^x`` and
``^{…}`` superscripts; a script holds no further script.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from widgets.geometry import text_width
from widgets.picture import Text

SCRIPT_SIZE = 0.70
LEAST_SIZE = 14.0  # px: a smaller line has scripts that are as large as this, or as itself
_PART = re.compile(r"([_^])(?:\{([^}]*)\}|(.))|([^_^]+)", re.DOTALL)
_BRACED = re.compile(r"(?<=[_^])\{([^}]*)\}")
_WORDS = re.compile(r"[^\W\d_]+|[\W\d_]+")

Run = tuple[str, bool, int]  # text, italic, script: -1 below, 0 on the line, 1 above
Weight = Literal[400, 500, 600, 700]


@lru_cache(maxsize=1024)
def runs(markup: str) -> tuple[Run, ...]:
    """Return the pieces of an equation, each of one style, left to right."""
    pieces: list[Run] = []
    for mark, braced, single, plain_text in _PART.findall(markup):
        script = {"_": -1, "^": 1, "": 0}[mark]
        for word in _WORDS.findall(braced or single or plain_text):
            italic = len(word) == 1 and word.isalpha()
            if pieces and pieces[-1][1:] == (italic, script):
                pieces[-1] = (pieces[-1][0] + word, italic, script)
            else:
                pieces.append((word, italic, script))
    return tuple(pieces)


def plain(markup: str) -> str:
    """Return an equation in one line, for where nothing stands below it or above: "dW_in"."""
    return _BRACED.sub(r"\1", markup.replace("^⊤", "ᵀ"))


def script_size(size: float) -> float:
    """Return the size of the scripts of a line."""
    return max(SCRIPT_SIZE * size, min(size, LEAST_SIZE))


def width(markup: str, size: float, weight: int = 400) -> float:
    """Return the width of a set equation in px."""
    return sum(
        text_width(text, script_size(size) if script else size, weight, "sans", italic)
        for text, italic, script in runs(markup)
    )


def shapes(
    markup: str,
    *,
    x: float,
    y: float,
    size: float,
    fill: str,
    weight: Weight = 400,
    anchor: Literal["start", "middle", "end"] = "start",
) -> tuple[Text, ...]:
    """Return an equation as text shapes on the baseline y."""
    if len(pieces := runs(markup)) == 1 and not pieces[0][1] and not pieces[0][2]:
        return (Text(x=x, y=y, text=markup, size=size, fill=fill, weight=weight, anchor=anchor),)
    left = x - {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor] * width(markup, size, weight)
    placed = []
    for text, italic, script in pieces:
        part = script_size(size) if script else size
        shift = 0.22 * size if script < 0 else -0.36 * size if script > 0 else 0.0
        placed.append(
            Text(
                x=left, y=y + shift, text=text, size=part, fill=fill, weight=weight, italic=italic
            )
        )  # fmt: skip
        left += text_width(text, part, weight, "sans", italic)
    return tuple(placed)

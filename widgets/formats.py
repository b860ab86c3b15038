"""Numbers for other programs: a NumPy literal, CSV, LaTeX with values put in, and .npy files."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.said import Said
from widgets.numbers import MINUS
from widgets.numbers import value as said

if TYPE_CHECKING:
    from engine.trace import Step
    from widgets.explain import Explanation

MOST_SIDE = 16  # rows and columns of a matrix that is written out in LaTeX
COLUMNS = 10  # that amsmath's matrices have without being asked


class FormatError(Said):
    """Numbers that cannot be saved: what happened, and what to do, in a sentence."""


def literal(array: Any) -> str:
    """Return an array as a NumPy literal that gives exactly the same array again."""
    import numpy as np

    def number(x: Any) -> str:
        text = np.format_float_positional if 1e-4 <= abs(x) < 1e7 else np.format_float_scientific
        return str(x).replace("inf", "np.inf") if not np.isfinite(x) else text(x, trim="0")

    body = np.array2string(
        array,
        separator=", ",
        threshold=sys.maxsize,
        max_line_width=100,
        formatter={"float_kind": number},
    )
    return f"np.array({body}, dtype=np.{array.dtype.name})"


def csv(array: Any, axes: tuple[str, ...]) -> str:
    """Return an array as CSV, a line for each row of numbers on its last axis.

    The first line names the axes: those before the last, whose index stands in front of a row, and
    "axis 0", "axis 1", … for the last one. Numbers have as many digits as give them again exactly.
    """
    import numpy as np

    if array.ndim == 0:
        return f"value\n{array}\n"
    *lead, last = axes
    lines = [",".join((*lead, *(f"{last} {i}" for i in range(array.shape[-1]))))]
    for index in np.ndindex(array.shape[:-1]):
        lines.append(",".join((*map(str, index), *map(str, array[index]))))
    return "\n".join(lines) + "\n"


def save_npy(array: Any, path: Path) -> None:
    """Write an array as .npy, beside its place first, so that an old file stays whole until then.

    Nothing is pickled: any NumPy reads the file with ``numpy.load``.

    Raises
    ------
    FormatError
        When the place cannot be written.
    """
    import numpy as np

    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as file:
            np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
        beside.replace(path)
    except OSError as error:
        raise FormatError(
            f"The numbers were not saved because {path} cannot be written "
            f"({error.strerror or error}); nothing else has changed, choose another place."
        ) from error
    finally:
        try:
            beside.unlink(missing_ok=True)
        except OSError:  # the place is no folder, and so there is nothing to take away
            pass


# ---- LaTeX --------------------------------------------------------------------------------------


def latex(step: Step, explained: Explanation) -> str:
    """Return a number's equation in LaTeX, with letters and then with its values.

    The matrix or vector that it stands in follows where it has at most ``MOST_SIDE`` rows and
    columns. It is ASCII and needs the package amsmath.
    """
    left, _, right = explained.equation.partition(" = ")
    lines = [
        *_wide(step, explained),
        r"\begin{align*}",
        rf"{formula(left)} &= {formula(right)} \\",
        rf"&= {formula(explained.filled)}",
        r"\end{align*}",
    ]
    if step.op == "product" and len(explained.reads) <= 2 * MOST_SIDE:
        lines[-1:-1] = [rf"\\ &= {_vectors(explained)} = {formula(said(explained.value))}"]
    values = step.value[explained.index[:-2]]
    if 0 < values.ndim and max(values.shape) <= MOST_SIDE and step.name != "tokens":
        lead = explained.index[: max(step.value.ndim - 2, 0)]
        letters = left.partition("[")[0] + (f"[{','.join(map(str, lead))}]" if lead else "")
        rows = values if values.ndim == 2 else values[None]
        body = [" & ".join(formula(said(float(x))) for x in row) + r" \\" for row in rows]
        lines += [r"\[", f"{formula(letters)} =", r"\begin{bmatrix}", *body, r"\end{bmatrix}",
                  r"\]"]  # fmt: skip
    return "\n".join(lines) + "\n"


def _wide(step: Step, explained: Explanation) -> list[str]:
    """Return what makes room for more columns than a matrix of amsmath has."""
    terms = len(explained.reads) // 2 if step.op == "product" else 0
    last = step.value.shape[-1] if step.value.ndim else 0
    if max((n for n in (terms, last) if n <= MOST_SIDE), default=0) <= COLUMNS:
        return []
    return [rf"\setcounter{{MaxMatrixCols}}{{{MOST_SIDE}}}"]


def _vectors(explained: Explanation) -> str:
    """Return a dot product as a row times a column, with all of its numbers."""
    numbers = [formula(said(number)) for _, number in explained.reads]
    a, b = (
        rf"\begin{{pmatrix}} {line} \end{{pmatrix}}"
        for line in (" & ".join(numbers[0::2]), r" \\ ".join(numbers[1::2]))
    )
    return f"{a} {b}"


# Words that LaTeX knows as functions.
_FUNCTIONS = ("tanh", "exp", "max", "sin", "cos")
_SIGNS = {
    "Σ": r"\sum", "σ": r"\sigma", "α": r"\alpha", "β": r"\beta", "ε": r"\varepsilon",
    "⊙": r"\odot", "·": r"\cdot", "×": r"\times", "÷": r"\div", "∞": r"\infty",
    "⊤": r"\top", "…": r"\dots", "½": r"\tfrac{1}{2}", "→": r"\rightarrow", "←": r"\leftarrow",
    "↔": r"\leftrightarrow", "∈": r"\in", "≈": r"\approx", "≤": r"\leq", "≥": r"\geq",
    "π": r"\pi", "∇": r"\nabla", "‖": r"\|", MINUS: "-", "′": "'", "\u202f": r"\,",
    "\u2009": r"\,", "\u00a0": "~", "ᵀ": r"^{\top}",
}  # fmt: skip
_ESCAPED = {"%": r"\%", "#": r"\#", "&": r"\&", "$": r"\$"}
_QUOTED = re.compile(r"“([^”]*)”")
_POWER = re.compile(r"(\d)e([-−]?)(\d+)")
_ROOT = re.compile(r"√(\d+(?:\.\d+)?|\w(?:_\{[^}]*\}|_\w)?)")
# A space belongs to a sentence where a word or number stands on its other side.
_WORD = re.compile(r"((?<=[\d”]) )?([^\W\d_]{2,})( (?=[\w“]))?")
_KEPT = re.compile(r"\x00(\d+)\x00")
_END = "\x01"  # behind a command: a space where a letter follows

Keep = Callable[[str], str]


def formula(text: str) -> str:
    """Return mark-up of ``widgets.equation``, or plain text with numbers, as LaTeX in ASCII."""
    kept: list[str] = []

    def keep(latex: str) -> str:
        """Return a mark that stands for what is finished."""
        kept.append(latex)
        return f"\x00{len(kept) - 1}\x00"

    def power(found: re.Match[str]) -> str:
        exponent = f"{'-' if found[2] else ''}{found[3]}"
        return found[1] + keep(rf" \times 10^{{{exponent}}}")

    def word(found: re.Match[str]) -> str:
        before, word, after = (part or "" for part in found.groups())
        if word in _FUNCTIONS:
            return keep(f"\\{word}{_END}") + after
        if before or after:
            return keep(rf"\text{{{before}{_ascii(word)}{after}}}")
        return keep(rf"\mathrm{{{_ascii(word)}}}")

    text = text.replace("\x00", "").replace(_END, "")
    text = _WORD.sub(word, _rooted(_POWER.sub(power, _hidden(text, keep)), keep))
    text = "".join(_sign(c) for c in text)
    while _KEPT.search(text):
        text = _KEPT.sub(lambda m: kept[int(m[1])], text)
    text = re.sub(rf"{_END}(?=[A-Za-z])", " ", text).replace(_END, "")
    return re.sub(r"  +", " ", text).strip()


def _hidden(text: str, keep: Keep) -> str:
    """Return a text whose quoted words are finished."""
    return _QUOTED.sub(lambda m: keep(rf"\text{{``{_ascii(m[1])}''}}"), text)


def _rooted(text: str, keep: Keep) -> str:
    """Return a text with what stands behind a root in braces."""
    while (at := text.find("√")) >= 0:
        if text[at + 1 : at + 2] == "(":
            end, depth = at + 2, 1
            while depth and end < len(text):
                depth += {"(": 1, ")": -1}.get(text[end], 0)
                end += 1
            inner = text[at + 2 : end - 1]
        else:
            found = _ROOT.match(text, at)
            inner, end = (found[1], found.end()) if found else ("", at + 1)
        root, close = keep(r"\sqrt{"), keep("}")
        text = f"{text[:at]}{root}{inner}{close}{text[end:]}"
    return text


def _sign(character: str) -> str:
    """Return a character outside of words and roots."""
    if character in _SIGNS:
        sign = _SIGNS[character]
        return sign + (_END if sign[0] == "\\" and sign[-1].isalpha() else "")
    if character in _ESCAPED:
        return _ESCAPED[character]
    return character if character.isascii() else rf"\text{{{_ascii(character)}}}"


def _ascii(text: str) -> str:
    r"""Return words for \text: what LaTeX reads as a command is escaped, the rest is ASCII."""
    escaped = "".join(
        "\\" + c if c in "#$%&_{}" else {"~": r"\~{}", "^": r"\^{}", "\\": "/"}.get(c, c)
        for c in text
    )
    return escaped if escaped.isascii() else "".join(
        c if c.isascii() else f"U+{ord(c):04X}" for c in escaped
    )  # fmt: skip

"""Where one number of a run comes from: its equation, with letters and with the numbers put in.

``FILL`` has one row for each primitive of ``engine.ops.OPS``. A row says which operands' numbers
an element is made of and computes it from them again, in float64, by exactly the formula that is
shown. What a primitive was told beside its operands (a factor, a place, ε) stands in the step.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from widgets import captions
from widgets.numbers import value as said

if TYPE_CHECKING:
    from engine.trace import Step, Trace
    from widgets.captions import Captions

TERMS = 3  # of a sum that are written out
# How far rounding may take a number from its formula, as a share of the largest number of its step:
# each of some hundred terms is rounded by 6e-8 (float32) or 1e-16 (float64). In the precisions of
# ``engine.precision`` the parameters are rounded, too, which is up to twice their rounding here.
ROUNDING = {
    "float32": 1e-5, "float64": 1e-12, "float16": 4 * 2**-11, "TF32": 4 * 2**-11,
    "bfloat16": 4 * 2**-8,
}  # fmt: skip


@dataclass(frozen=True)
class Explanation:
    """How one number comes about.

    ``element`` is its name, "side:step[i,j]", with an ``index`` for every axis. ``equation`` is
    mark-up of ``widgets.equation``; ``filled`` is plain text that ends with the number.
    ``reads`` names the elements and parameters it is made of, with their numbers. ``recomputed``
    is the result of the equation in float64.
    """

    element: str
    index: tuple[int, ...]
    equation: str
    filled: str
    value: float
    reads: tuple[tuple[str, float], ...]
    recomputed: float


def explain(
    trace: Trace, step: Step, index: tuple[int, ...], say: Captions | None = None
) -> Explanation:
    """Return where one number of a step comes from.

    Parameters
    ----------
    trace
        The run, without a batch axis.
    step
        A step of it.
    index
        Of the number; missing axes at the end are 0, so that a vector shows its first number.
    say
        The words; English by default.
    """
    index = (*index, *[0] * (step.value.ndim - len(index)))
    element = _Element(trace, step, index, say or captions.load())
    right, filled, recomputed = FILL[step.op](element)
    shown = float(step.value[index])
    left = f"{symbol(trace, step.name, result=True)}{_brackets(index)}"
    return Explanation(
        element=f"{trace.facts.kind}:{step.name}{_brackets(index)}",
        index=index,
        equation=f"{left} = {right}",
        filled=f"{filled} = {said(shown)}",
        value=shown,
        reads=tuple(element.reads),
        recomputed=recomputed,
    )


def agrees(step: Step, stored: float, recomputed: float, precision: str = "") -> bool:
    """Return whether a number of a step is what its equation gives, but for rounding.

    ``precision`` is that of the run, by default that of the numbers in memory.
    """
    if stored == recomputed:  # also where both are infinite
        return True
    finite = abs(step.value[abs(step.value) < math.inf])
    largest = float(finite.max(initial=0.0))
    kept = step.value.dtype.name  # half precision is computed in float32, and rounded
    names = (kept, precision) if step.value.dtype.kind == "f" else ()  # an index is not rounded
    rounding = max((ROUNDING.get(name, 0.0) for name in names), default=0.0)
    return abs(stored - recomputed) <= rounding * largest


class _Element:
    """One number of a step while it is explained; notes what is read on the way."""

    def __init__(self, trace: Trace, step: Step, index: tuple[int, ...], say: Captions) -> None:
        self.trace = trace
        self.step = step
        self.index = index
        self.told = step.told
        self.say = say
        self.reads: list[tuple[str, float]] = []
        self.operands: list[Any] = [trace.value(name) for name in step.reads]

    def read(self, operand: int, index: tuple[int, ...]) -> float:
        """Return a number of an operand and note that it was read."""
        number = float(self.operands[operand][index])
        name = self.step.reads[operand]
        if name in self.trace:
            name = f"{self.trace.facts.kind}:{name}"
        self.reads.append((f"{name}{_brackets(index)}", number))
        return number

    def letters(self, operand: int, index: tuple[object, ...]) -> str:
        """Return how the equation writes a number of an operand."""
        return f"{symbol(self.trace, self.step.reads[operand])}{_brackets(index)}"

    def beside(self, operand: int) -> tuple[int, ...]:
        """Return the index of the number of an operand that broadcasting puts at this one."""
        shape = self.operands[operand].shape
        own = self.index[len(self.index) - len(shape) :]
        return tuple(0 if n == 1 else i for i, n in zip(own, shape, strict=True))

    def each(self) -> Iterator[tuple[str, float]]:
        """Yield letters and number of what an elementwise operation reads."""
        for operand in range(len(self.operands)):
            at = self.beside(operand)
            yield self.letters(operand, at), self.read(operand, at)

    def row(self, operand: int, lead: tuple[int, ...], own: int = 0) -> list[float]:
        """Return the numbers on an operand's last axis, and note that they were read.

        The ``own`` one is noted first: what stands at the explained number's place.
        """
        length = self.operands[operand].shape[-1]
        order = [own, *(k for k in range(length) if k != own)]
        numbers = {k: self.read(operand, (*lead, k)) for k in order}
        return [numbers[k] for k in range(length)]


# The equation's right side, the same with numbers, and its result.
_Filled = tuple[str, str, float]


def _input(e: _Element) -> _Filled:
    number = float(e.step.value[e.index])
    what = e.step.name.rpartition(".")[2]
    if what == "tokens":
        word = e.trace.vocabulary[int(number)]
        words = e.say("explain.token", word=word, count=len(e.trace.vocabulary))
        return e.say("explain.id"), words, number
    if what == "positions":
        return _wave(e)
    if what == "mask":
        word = e.say("explain.open" if number == 0 else "explain.closed")
        return e.step.equation, word, number
    return e.step.equation, e.say("explain.start"), number


def _wave(e: _Element) -> _Filled:
    """Explain a sinusoidal position."""
    t, i = e.index
    width = e.step.value.shape[-1]
    scale = e.told["scale"]
    wave, k = ("cos", math.cos) if i % 2 else ("sin", math.sin), i - i % 2
    angle = t / 10000.0 ** (k / width)
    right = f"{said(scale)} · {wave[0]}({t} / 10000^{{{k}/{width}}})"
    return right, f"{said(scale)} · {wave[0]}({said(angle)})", scale * wave[1](angle)


def _same(e: _Element, operand: int, index: tuple[int, ...]) -> _Filled:
    """Explain a number that was moved and not computed."""
    number = e.read(operand, index)
    place = f"{e.step.reads[operand]}{_brackets(index)}"
    return e.letters(operand, index), e.say("explain.same", place=place), number


def _view(e: _Element) -> _Filled:
    """Explain a part: a row of a matrix, or the part of a gate, or the first rows of a table."""
    own = iter(e.index)
    at = (
        e.told[f"at.{axis}"] if f"at.{axis}" in e.told else e.told[f"from.{axis}"] + next(own)
        for axis in range(e.operands[0].ndim)
    )
    return _same(e, 0, tuple(map(int, at)))


def _split_heads(e: _Element) -> _Filled:
    head, token, i = e.index
    return _same(e, 0, (token, head * e.step.value.shape[-1] + i))


def _merge_heads(e: _Element) -> _Filled:
    token, i = e.index
    d_head = e.operands[0].shape[-1]
    return _same(e, 0, (i // d_head, token, i % d_head))


def _concat(e: _Element) -> _Filled:
    i, operand = e.index[-1], 0
    while i >= e.operands[operand].shape[-1]:
        i -= e.operands[operand].shape[-1]
        operand += 1
    return _same(e, operand, (*e.index[:-1], i))


def _stack(e: _Element) -> _Filled:
    return _same(e, e.index[0], e.index[1:])


def _gather(e: _Element) -> _Filled:
    ids = e.index[: e.operands[1].ndim]
    row = int(e.read(1, ids))
    at = (row, *e.index[len(ids) :])
    number = e.read(0, at)
    table = symbol(e.trace, e.step.reads[0])
    words = e.say("explain.gather", row=row, table=table, word=e.trace.vocabulary[row])
    return f"{table}{_brackets(at)}", words, number


def _product(e: _Element) -> _Filled:
    a, b = e.operands
    *row, j = e.index
    # Rows of a stack have an axis of their own; one row for each matrix of a stack has none.
    lead = row if 1 < a.ndim == b.ndim - 1 else row[:-1]
    lead = lead[len(lead) - (b.ndim - 2) :]
    turned = bool(e.told.get("transpose_b"))

    def there(i: Any) -> tuple[Any, ...]:
        return (*lead, j, i) if turned else (*lead, i, j)

    length = a.shape[-1]
    total, terms = 0.0, []
    for i in range(length):
        x, y = e.read(0, (*row, i)), e.read(1, there(i))
        total += x * y
        if i < TERMS or length == TERMS + 1:
            terms.append(f"{said(x)} · {said(y)}")
    right = f"Σ_i {e.letters(0, (*row, 'i'))} {e.letters(1, there('i'))}"
    if length > len(terms):
        terms.append(e.say("explain.terms", count=length))
    return right, " + ".join(terms), total


def _add(e: _Element) -> _Filled:
    letters, numbers = zip(*e.each(), strict=True)
    return " + ".join(letters), " + ".join(map(said, numbers)), math.fsum(numbers)


def _multiply(e: _Element) -> _Filled:
    letters, numbers = zip(*e.each(), strict=True)
    return " · ".join(letters), " · ".join(map(said, numbers)), math.prod(numbers)


def _scale(e: _Element) -> _Filled:
    """Explain scores of dot products, divided by the root of their length."""
    ((letters, x),) = e.each()
    factor = e.told["factor"]
    d_head = said(1.0 / factor**2)
    return f"{letters} / √d_{{head}}", f"{said(x)} / √{d_head}", x * factor


def _complement(e: _Element) -> _Filled:
    ((letters, x),) = e.each()
    return f"1 − {letters}", f"1 − {_taken(x)}", 1.0 - x


def _tanh(e: _Element) -> _Filled:
    ((letters, x),) = e.each()
    return f"tanh({letters})", f"tanh({said(x)})", math.tanh(x)


def _sigmoid(e: _Element) -> _Filled:
    ((letters, x),) = e.each()
    # exp(-x) overflows far below 0, where the other form does not.
    y = 1.0 / (1.0 + math.exp(-x)) if x > 0 else math.exp(x) / (1.0 + math.exp(x))
    return f"σ({letters})", f"1 / (1 + exp({said(-x)}))", y


def _relu(e: _Element) -> _Filled:
    ((letters, x),) = e.each()
    return f"max(0, {letters})", f"max(0, {said(x)})", max(0.0, x)


def _gelu_erf(e: _Element) -> _Filled:
    ((letters, x),) = e.each()
    inner = x * math.sqrt(0.5)
    filled = f"½ · {said(x)} · (1 + erf({said(inner)}))"
    return f"gelu({letters})", filled, 0.5 * x * (1.0 + math.erf(inner))


def _gelu(e: _Element) -> _Filled:
    from engine.ops import GELU_CUBIC, GELU_SCALE

    ((letters, x),) = e.each()
    inner = GELU_SCALE * (x + GELU_CUBIC * x**3)
    filled = f"½ · {said(x)} · (1 + tanh({said(inner)}))"
    return f"gelu({letters})", filled, 0.5 * x * (1.0 + math.tanh(inner))


def _softmax(e: _Element) -> _Filled:
    *lead, own = e.index
    scores = e.row(0, tuple(lead), own)
    at = e.letters(0, e.index)
    every = e.letters(0, (*lead, "i"))
    if len(e.operands) > 1:
        place = e.beside(1)[:-1]
        mask = e.row(1, place, own)
        scores = [score + closed for score, closed in zip(scores, mask, strict=True)]
        at += f" + {e.letters(1, (*place, own))}"
        every += f" + {e.letters(1, (*place, 'i'))}"
    highest = max(scores)
    if highest == -math.inf:  # everything is masked, and nothing is looked at
        return f"softmax_i({every})", e.say("explain.masked"), 0.0
    total = math.fsum(math.exp(score - highest) for score in scores)
    right = f"exp({at} − max) / Σ_i exp({every} − max)"
    filled = f"exp({said(scores[own])} − {_taken(highest)}) / {said(total)}"
    return right, filled, math.exp(scores[own] - highest) / total


def _norm(e: _Element) -> _Filled:
    *lead, own = e.index
    row = e.row(0, tuple(lead), own)
    gain, bias = e.read(1, (own,)), e.read(2, (own,))
    mean = math.fsum(row) / len(row)
    variance = math.fsum((x - mean) ** 2 for x in row) / len(row)
    x, eps = row[own], e.told["eps"]
    right = (
        f"({e.letters(0, e.index)} − mean) / √(variance + ε) · "
        f"{e.letters(1, (own,))} + {e.letters(2, (own,))}"
    )
    filled = (
        f"({said(x)} − {_taken(mean)}) / √({said(variance)} + {said(eps)}) · "
        f"{said(gain)} + {said(bias)}"
    )
    return right, filled, (x - mean) / math.sqrt(variance + eps) * gain + bias


def _argmax(e: _Element) -> _Filled:
    row = e.row(0, e.index, int(e.step.value[e.index]))
    best = max(range(len(row)), key=row.__getitem__)
    words = e.say(
        "explain.argmax", count=len(row), best=said(row[best]), word=e.trace.vocabulary[best]
    )
    return f"argmax_i {e.letters(0, (*e.index, 'i'))}", words, float(best)


FILL: dict[str, Callable[[_Element], _Filled]] = {
    "input": _input,
    "view": _view,
    "split_heads": _split_heads,
    "merge_heads": _merge_heads,
    "concat": _concat,
    "stack": _stack,
    "gather": _gather,
    "product": _product,
    "add": _add,
    "multiply": _multiply,
    "scale": _scale,
    "complement": _complement,
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "relu": _relu,
    "gelu": _gelu,
    "gelu_erf": _gelu_erf,
    "softmax": _softmax,
    "norm": _norm,
    "argmax": _argmax,
}


# ---- letters -----------------------------------------------------------------------------------

# What steps are called in equations; {g} is a letter of their name. A step that is not here and is
# none of a cell's is written as its own formula, (h_2 W_h).
_LETTERS = (
    (r"attn\.states", "H"),
    (r"(blocks\.\d+\.)?(attn|cross)\.scores", "s"),
    (r"attn\.pattern|answer\.probabilities", "p"),
    (r"attn\.context", "c"),
    (r"attn\.energy", "e"),
    (r"attn\.pairs", "pairs"),
    (r"answer\.combined|answer\.norm", "y"),
    (r"answer\.(?P<g>logits|word)", "{g}"),
    (r"embed\.positions", "P"),
    (r"embed\.x|blocks\.\d+\.x", "x"),
    (r"blocks\.\d+\.(attn|cross)\.(?P<g>[qkvz]|pattern|concat|out)", "{g}"),
    (r"blocks\.\d+\.norm\d", "n"),
    (r"blocks\.\d+\.mlp\.pre", "a"),
    (r"blocks\.\d+\.mlp\.act", "g"),
    (r"blocks\.\d+\.mlp\.out", "mlp"),
    (r"norm", "m"),
    (r"(cross\.)?mask", "mask"),
)
_READ = re.compile(
    r"rnn(?:\.(?P<layer>\d+))?(?P<back>\.back)?"
    r"\.(?:(?P<gate>[a-z])\.a|(?P<letter>[hcafgozinr]))\.(?P<t>\d+)"
)


def symbol(trace: Trace, name: str, *, result: bool = False) -> str:
    """Return how equations write a step or a parameter; a block's result is x′ beside its x."""
    if name not in trace:
        letter, _, subscript = name.rpartition(".")[2].partition("_")
        return f"{letter}_{{{subscript}}}" if subscript else letter
    step = trace.step(name)
    own = name.removeprefix("encoder.").removeprefix("decoder.")
    for pattern, letters in _LETTERS:
        if found := re.fullmatch(pattern, own):
            prime = "′" if result and letters == "x" and own.startswith("blocks") else ""
            return letters.format(**found.groupdict()) + prime
    found = _READ.fullmatch(name)
    if found and (found["letter"] != "r" or step.op == "sigmoid"):  # of the simple cell: a product
        above = f"({int(found['layer'] or 0) + 1})" if trace.facts.layers > 1 else ""
        if trace.facts.bidirectional:
            above += "←" if found["back"] else "→"
        above = f"^{{{above}}}" if above else ""
        if found["gate"]:
            return f"a{above}_{{{found['gate']},{found['t']}}}"
        return f"{found['letter']}{above}_{{{found['t']}}}"
    plain = " " not in step.equation or step.equation[0] + step.equation[-1] == "[]"
    return step.equation if plain else f"({step.equation})"


def _brackets(index: tuple[object, ...]) -> str:
    return f"[{','.join(map(str, index))}]" if index else ""


def _taken(number: float) -> str:
    """Return a number that stands behind a minus."""
    return f"({said(number)})" if number < 0 else said(number)

"""How a number comes about, as data: what it is made of, and the scalars on the way to it.

``WORKINGS`` has a row for each family of primitives. A primitive that is in no row is drawn by the
shape of what it reads: one number makes a curve, a few make terms. Everything is computed again, in
float64, from the numbers that are shown; ``Working.result`` is what comes out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from engine.trace import DEPTHLESS
from widgets.explain import Explanation, explain, symbol
from widgets.numbers import value as said
from widgets.scenes.opened.parts import Number, Scalar, percent

if TYPE_CHECKING:
    from engine.trace import Step, Trace
    from widgets.captions import Captions

TOKENS = ("token", "query", "key")  # axes whose places are the words of the sentence
MOST_SCALARS = 5
GATES = ("sigmoid", "softmax", "complement")  # whose results lie between 0 and 1


@dataclass(frozen=True)
class Row:
    """Numbers on one axis: an operand of a product, the scores of a softmax."""

    letters: str
    plain: str
    note: str
    numbers: tuple[Number, ...]
    shares: bool = False


@dataclass(frozen=True)
class Term:
    """A part of a sum, itself a number or a product of factors."""

    letters: str
    plain: str
    number: Number
    factors: tuple[tuple[str, str, Number], ...] = ()  # letters, plain, number


@dataclass(frozen=True)
class Working:
    """What is drawn of how one number comes about.

    ``kind`` says which picture: "dot", "softmax", "norm", "terms", "curve", "rows", "argmax",
    "given". ``given`` numbers came from outside and were not computed.
    """

    kind: str
    heading: str
    note: str
    result: float
    scalars: tuple[Scalar, ...] = ()
    rows: tuple[Row, ...] = ()
    terms: tuple[Term, ...] = ()
    own: int = 0
    facts: dict[str, float] = field(default_factory=dict)
    curve: Callable[[float], float] | None = None
    words: str = ""
    given: bool = False


@dataclass(frozen=True)
class Opened:
    """The number that is opened, and where it stands."""

    trace: Trace
    step: Step
    index: tuple[int, ...]
    say: Captions

    @property
    def name(self) -> str:
        """Return the element's name."""
        return element(self.trace, self.step.name, self.index)

    @property
    def value(self) -> float:
        """Return the stored number."""
        return float(self.step.value[self.index])

    @cached_property
    def explained(self) -> Explanation:
        """Return where it comes from."""
        return explain(self.trace, self.step, self.index, self.say)

    def letters(self) -> str:
        """Return how equations write it, without its place."""
        return symbol(self.trace, self.step.name)

    def plain(self) -> str:
        """Return the last words of its step's name."""
        return plain(self.step.name)

    def scalar(self, **how: Any) -> Scalar:
        """Return it as a box of the chain."""
        share = self.step.op == "softmax"
        return Scalar(self.value, self.letters(), self.plain(), name=self.name, share=share, **how)


def element(trace: Trace, step: str, index: tuple[int, ...]) -> str:
    """Return the name of an element."""
    place = f"[{','.join(map(str, index))}]" if index else ""
    return f"{trace.facts.kind}:{step}{place}"


def plain(name: str) -> str:
    """Return what a step or parameter is called, without block and token."""
    parts = [part for part in name.split(".") if not part.isdigit()]
    return " ".join(parts[-2:] if len(parts) > 2 else parts[-1:])


def place(trace: Trace, axis: str, length: int, i: int, say: Captions) -> str:
    """Return what stands at a place of an axis: a word, or which head or number it is."""
    if axis in TOKENS and length == len(trace.tokens):
        return say("rt.quoted", word=trace.tokens[i])
    if axis == "word" and length == len(trace.vocabulary):
        return say("rt.quoted", word=trace.vocabulary[i])
    if axis == "head":
        return say("inspector.head", index=i + 1)
    return say("opened.place", axis=axis, index=i)


def labels(trace: Trace, axis: str, length: int) -> tuple[str, ...]:
    """Return what is written beside each place of an axis: its word, or its index."""
    if axis in TOKENS and length == len(trace.tokens):
        return trace.tokens
    if axis == "word" and length == len(trace.vocabulary):
        return trace.vocabulary
    return tuple(map(str, range(length)))


def work(opened: Opened) -> Working:
    """Return how a number comes about."""
    base, behind = _base(opened)
    family = WORKINGS.get(base.step.op)
    working = family(base) if family is not None else _by_reads(base)
    scalars, result = list(working.scalars), working.result
    if not scalars:
        return working
    for link, number, sign in behind:
        result = sign(result)
        scalars.append(link.scalar(before=number))
    scalars = [replace(s, own=s.name == opened.name) for s in scalars]
    for link, before in _after(opened):
        if len(scalars) < MOST_SCALARS:
            scalars.append(link.scalar(before=before))
    return replace(working, scalars=tuple(scalars), result=result)


# ---- what stands before and behind --------------------------------------------------------------

_Link = tuple[Opened, str, Callable[[float], float]]


def _base(opened: Opened) -> tuple[Opened, list[_Link]]:
    """Return the product that a number is only scaled or shifted from, and what was done to it."""
    step, trace = opened.step, opened.trace
    if step.op not in ("scale", "add") or not step.reads or step.reads[0] not in trace:
        return opened, []
    before = trace.step(step.reads[0])
    if before.op != "product" or before.value.shape != step.value.shape:
        return opened, []
    source = Opened(trace, before, opened.index, opened.say)
    if step.op == "scale":
        factor = step.told["factor"]
        small = factor < 1
        sign = f"÷ √{said(1 / factor**2)}" if small else f"× {said(factor)}"
        return source, [(opened, sign, lambda x: x * factor)]
    if any(name in trace for name in step.reads[1:]):
        return opened, []
    others = [number for _, number in opened.explained.reads[1:]]
    signs = " ".join(f"{'−' if x < 0 else '+'} {said(abs(x))}" for x in others)
    return source, [(opened, signs, lambda x: math.fsum((x, *others)))]


def _after(opened: Opened) -> list[tuple[Opened, str]]:
    """Return what is made of a number alone, or of its row: at most two steps."""
    from engine.ops import OPS

    found: list[tuple[Opened, str]] = []
    current = opened
    while len(found) < 2:
        name, shape = current.step.name, current.step.value.shape
        readers = [s for s in opened.trace.steps if s.reads and s.reads[0] == name]
        fitting = [
            s for s in readers
            if s.value.shape == shape
            and s.op not in DEPTHLESS
            and (len(s.reads) == 1 or s.op == "softmax")
        ]  # fmt: skip
        if not fitting:
            break
        step = fitting[0]
        label = OPS[step.op].label if step.op in OPS else step.op
        if step.op == "scale":
            label = f"÷ √{said(1 / step.told['factor'] ** 2)}"
        current = Opened(opened.trace, step, opened.index, opened.say)
        found.append((current, label))
    return found


# ---- the families -------------------------------------------------------------------------------


def _numbers(o: Opened, operand: str) -> tuple[Number, ...]:
    """Return the numbers that were read of an operand, in the order of their last index."""
    trace = o.trace
    name = f"{trace.facts.kind}:{operand}" if operand in trace else operand
    reads = {e: v for e, v in o.explained.reads if e.partition("[")[0] == name}
    return _row(o, operand, sorted(reads.items(), key=lambda item: _last(item[0])))


def _last(name: str) -> int:
    index = name.partition("[")[2].rstrip("]")
    return int(index.rpartition(",")[2]) if index else 0


def _row(o: Opened, operand: str, reads: list[tuple[str, float]]) -> tuple[Number, ...]:
    """Return read numbers with the words of their places."""
    words = tuple(map(str, range(len(reads))))
    if operand in o.trace and len(reads) > 1:
        step = o.trace.step(operand)
        if step.axes and step.value.shape[-1] == len(reads):
            words = labels(o.trace, step.axes[-1], len(reads))
    return tuple(
        Number(value, name if name.startswith(f"{o.trace.facts.kind}:") else "", word)
        for (name, value), word in zip(reads, words, strict=True)
    )


def _operand(o: Opened, operand: str, numbers: tuple[Number, ...], first: str) -> Row:
    """Return an operand as a row: its letters, and the words of the places that do not vary.

    ``first`` is the name of its first element.
    """
    trace = o.trace
    index = first.partition("[")[2].rstrip("]")
    at = tuple(int(i) for i in index.split(",")) if index else ()
    note, shares = "", False
    if operand in trace:
        step = trace.step(operand)
        shares = step.op == "softmax"
        last = step.axes[-1] if step.axes else ""
        if step.value.ndim > 1 and step.value.shape[-1] == len(numbers):
            fixed = list(zip(step.axes[:-1], step.value.shape, at, strict=False))
        else:  # along another axis: a column
            fixed = [(last, step.value.shape[-1], at[-1])] if step.value.ndim > 1 else []
        words = [place(trace, axis, n, i, o.say) for axis, n, i in fixed]
        note = ", ".join(w for w in words)
    else:
        array = trace.parameters[operand]
        if array.shape[0] == len(trace.vocabulary) and len(numbers) == array.shape[-1]:
            note = o.say("rt.quoted", word=trace.vocabulary[at[0]])
        elif array.ndim > 1:
            note = o.say("opened.column", index=at[-1])
    return Row(symbol(trace, operand), plain(operand), note, numbers, shares)


def _dot(o: Opened) -> Working:
    """Explain a sum of products pair by pair."""
    reads = list(o.explained.reads)
    pairs = list(zip(reads[0::2], reads[1::2], strict=True))
    left, right = o.step.reads[:2]
    a = _row(o, left, [p[0] for p in pairs])
    b = _row(o, right, [p[1] for p in pairs])
    if a and not a[0].label.isdigit():
        b = tuple(replace(n, label=m.label) for n, m in zip(b, a, strict=True))
    products = tuple(Number(x.value * y.value, "", x.label) for x, y in zip(a, b, strict=True))
    total = math.fsum(p.value for p in products)
    above = math.fsum(p.value for p in products if p.value > 0)
    below = math.fsum(p.value for p in products if p.value < 0)
    own = Scalar(
        o.value, o.letters(), o.plain(), before="=", joins=True, name=o.name,
        share=o.step.op == "softmax",
    )  # fmt: skip
    sums = (
        Scalar(above, "", o.say("opened.positive", count=sum(p.value > 0 for p in products))),
        Scalar(
            abs(below), "", o.say("opened.negative", count=sum(p.value < 0 for p in products)),
            before="−", joins=True,
        ),
    )  # fmt: skip
    return Working(
        kind="dot",
        heading=o.say("opened.vectors"),
        note=o.say("opened.dot", count=len(products)),
        result=total,
        rows=(
            _operand(o, left, a, pairs[0][0][0]),
            _operand(o, right, b, pairs[0][1][0]),
            Row("", o.say("opened.products"), "", products),
        ),
        scalars=(*sums, own),
        own=-1,
    )


def _softmax(o: Opened) -> Working:
    """Explain a share: exp of a score over the sum of them."""
    own = o.index[-1]
    scores = _numbers(o, o.step.reads[0])
    first = o.explained.reads[0][0]
    row = _operand(o, o.step.reads[0], scores, first)
    if len(o.step.reads) > 1:
        mask = _numbers(o, o.step.reads[1])
        scores = tuple(
            replace(s, value=s.value + m.value) for s, m in zip(scores, mask, strict=True)
        )
        row = replace(row, numbers=scores, letters=f"{row.letters} + {symbol(o.trace, 'mask')}")
    values = [s.value for s in scores]
    highest = max(values)
    if highest == -math.inf:
        return Working(
            kind="given", heading=o.say("opened.row"), note="", result=0.0,
            words=o.say("explain.masked"), scalars=(o.scalar(),),
        )  # fmt: skip
    powers = tuple(math.exp(v - highest) for v in values)
    total = math.fsum(powers)
    shares = tuple(
        Number(p / total, element(o.trace, o.step.name, (*o.index[:-1], i)), s.label)
        for i, (p, s) in enumerate(zip(powers, scores, strict=True))
    )
    result = powers[own] / total
    score = scores[own]
    return Working(
        kind="softmax",
        heading=o.say("opened.row"),
        note=o.say("opened.softmax", count=len(values)),
        result=result,
        rows=(
            row,
            Row("", "exp", "", tuple(
                Number(p, s.name, s.label) for p, s in zip(powers, scores, strict=True)
            )),
            Row(o.letters(), o.plain(), "", shares, shares=True),
        ),
        own=own,
        facts={"highest": highest, "total": total},
        scalars=(
            Scalar(score.value, row.letters, row.plain, name=score.name),
            Scalar(values[own] - highest, "", o.say("opened.below_highest"),
                   before=_minus(highest)),
            Scalar(powers[own], "", "exp", before="exp"),
            o.scalar(before=f"÷ {said(total)}"),
        ),
    )  # fmt: skip


def _norm(o: Opened) -> Working:
    """Explain a layer norm: mean, spread, gain and bias."""
    own = o.index[-1]
    row = _numbers(o, o.step.reads[0])
    values = [n.value for n in row]
    gain, bias = (number for _, number in o.explained.reads[-2:])
    mean = math.fsum(values) / len(values)
    variance = math.fsum((x - mean) ** 2 for x in values) / len(values)
    spread = math.sqrt(variance + o.step.told["eps"])
    x = values[own]
    normal = (x - mean) / spread
    operand = _operand(o, o.step.reads[0], row, o.explained.reads[0][0])
    return Working(
        kind="norm",
        heading=o.say("opened.row"),
        note=o.say("opened.norm", count=len(values)),
        result=normal * gain + bias,
        rows=(operand,),
        own=own,
        facts={"mean": mean, "spread": spread},
        scalars=(
            Scalar(x, operand.letters, operand.plain, name=row[own].name),
            Scalar(x - mean, "", o.say("opened.centred"), before=_minus(mean)),
            Scalar(normal, "", o.say("opened.normal"), before=f"÷ {said(spread)}"),
            Scalar(normal * gain, "", o.say("opened.gained"), before=f"× {said(gain)}"),
            o.scalar(before=_plus(bias)),
        ),
    )


def _minus(number: float) -> str:
    return f"− {said(number)}" if number >= 0 else f"+ {said(-number)}"


def _plus(number: float) -> str:
    return f"+ {said(number)}" if number >= 0 else f"− {said(-number)}"


def _parts(o: Opened) -> tuple[Term, ...]:
    """Return the numbers that an elementwise operation reads; a product with its factors."""
    parts = []
    for operand, (name, value) in zip(o.step.reads, o.explained.reads, strict=True):
        factors: tuple[tuple[str, str, Number], ...] = ()
        known = operand in o.trace
        if known and o.trace.step(operand).op == "multiply":
            step = o.trace.step(operand)
            index = tuple(int(i) for i in name.partition("[")[2].rstrip("]").split(","))
            inner = Opened(o.trace, step, index, o.say)
            factors = tuple((p.letters, p.plain, p.number) for p in _parts(inner))
        parts.append(
            Term(
                symbol(o.trace, operand), plain(operand), Number(value, name if known else ""),
                factors,
            )
        )  # fmt: skip
    return tuple(parts)


def _sum(o: Opened) -> Working:
    """Explain a sum of a few terms."""
    parts = _parts(o)
    gated = any(p.factors for p in parts)
    total = math.fsum(
        math.prod(f[2].value for f in p.factors) if p.factors else p.number.value for p in parts
    )
    scalars = [
        Scalar(p.number.value, p.letters, p.plain, name=p.number.name, before="+" if i else "",
               joins=True)
        for i, p in enumerate(parts)
    ]  # fmt: skip
    if len(scalars) >= MOST_SCALARS:
        scalars = [Scalar(total, "", o.say("opened.sum_of", count=len(parts)))]
    return Working(
        kind="terms",
        heading=o.say("opened.terms"),
        note=o.say("opened.gated" if gated else "opened.sum", count=len(parts)),
        result=total,
        facts={"total": total},
        terms=parts,
        scalars=(*scalars, o.scalar(before="=", joins=True)),
    )


def _multiply(o: Opened) -> Working:
    """Explain a product of two numbers; a gate lets a share of the other through."""
    parts = _parts(o)
    product = math.prod(p.number.value for p in parts)
    gates = [name in o.trace and o.trace.step(name).op in GATES for name in o.step.reads]
    term = Term(
        o.letters(), o.plain(), Number(o.value, o.name),
        tuple((p.letters, p.plain, p.number) for p in parts),
    )  # fmt: skip
    scalars = tuple(
        Scalar(p.number.value, p.letters, p.plain, name=p.number.name, before="×" if i else "",
               joins=True)
        for i, p in enumerate(parts)
    )  # fmt: skip
    note = o.say("opened.factors")
    facts = {}
    if any(gates):
        gate = gates.index(True)
        facts = {"gate": parts[gate].number.value, "through": parts[1 - gate].number.value}
        note = o.say("opened.gate", value=percent(parts[gate].number.value))
    names = [*o.step.reads, o.step.name]
    beside = all(o.trace.value(n).shape == o.step.value.shape for n in names) and o.index
    return Working(
        kind="terms", heading=o.say("opened.terms"), note=note, result=product, terms=(term,),
        rows=tuple(_beside(o, n) for n in names) if beside else (), own=(o.index or (0,))[-1],
        facts=facts, scalars=(*scalars, o.scalar(before="=", joins=True)),
    )  # fmt: skip


def _beside(o: Opened, name: str) -> Row:
    """Return the numbers of an operand, or of the result, on the last axis about the opened."""
    lead, known = o.index[:-1], name in o.trace
    numbers = tuple(
        Number(float(v), element(o.trace, name, (*lead, i)) if known else "", str(i))
        for i, v in enumerate(o.trace.value(name)[lead])
    )
    return Row(symbol(o.trace, name), plain(name), "", numbers)


def _curve(o: Opened) -> Working:
    """Explain a function of one number by its curve."""
    from engine.ops import OPS

    ((name, x),) = o.explained.reads
    operand = o.step.reads[0]
    terms: tuple[Term, ...] = ()
    if operand in o.trace and o.trace.step(operand).op == "add":
        terms = _parts(Opened(o.trace, o.trace.step(operand), o.index, o.say))
    source = Scalar(x, symbol(o.trace, operand), plain(operand), name=name)
    label = OPS[o.step.op].label if o.step.op in OPS else o.step.op
    function = curve_of(o.step.op, o.step.told)
    # The curve is only drawn by the engine's primitive; the number comes from the formula.
    return Working(
        kind="curve",
        heading=o.say("opened.function"),
        note=o.say("opened.curve", op=label),
        result=o.explained.recomputed,
        terms=terms,
        curve=function,
        facts={"x": x, "y": o.value},
        scalars=(source, o.scalar(before=label)),
    )


def curve_of(op: str, told: dict[str, int | float]) -> Callable[[float], float]:
    """Return a primitive of one operand as a function of a number, in float64."""
    import numpy as np

    from engine.ops import Ops

    primitive = getattr(Ops(), op)
    return lambda x: float(primitive(np.array([x], np.float64), **told)[0])


def _moved(o: Opened) -> Working:
    """Explain a number that was moved and not computed, by the row that it comes from."""
    ((name, value),) = o.explained.reads
    operand = name.partition("[")[0].rpartition(":")[2]
    array = o.trace.value(operand)
    index = tuple(int(i) for i in name.partition("[")[2].rstrip("]").split(","))
    known = operand in o.trace
    words = tuple(map(str, range(array.shape[-1])))
    if known:
        words = labels(o.trace, o.trace.step(operand).axes[-1], array.shape[-1])
    prefix = name.partition("[")[0]
    lead = ",".join(map(str, index[:-1]))
    source = tuple(
        Number(float(v), f"{prefix}[{lead}{',' if lead else ''}{i}]" if known else "", words[i])
        for i, v in enumerate(array[index[:-1]])
    )
    row = _operand(o, operand, source, name) if known else Row(
        symbol(o.trace, operand), plain(operand), "", source
    )  # fmt: skip
    return Working(
        kind="rows",
        heading=o.say("opened.row"),
        note=o.say("opened.moved"),
        result=value,
        rows=(row,),
        own=index[-1],
        scalars=(
            Scalar(value, row.letters, row.plain, name=name if known else ""),
            o.scalar(before=o.say("opened.same")),
        ),
    )


def _gather(o: Opened) -> Working:
    """Explain a number of a row that was looked up in a table."""
    reads = o.explained.reads
    (id_name, id_value), (name, value) = reads
    table = o.step.reads[0]
    row, column = (int(i) for i in name.partition("[")[2].rstrip("]").split(","))
    numbers = tuple(Number(float(v), "", str(i)) for i, v in enumerate(o.trace.value(table)[row]))
    word = o.trace.vocabulary[row]
    letters = symbol(o.trace, table)
    return Working(
        kind="rows",
        heading=o.say("opened.row"),
        note=o.say("opened.gather", word=word, row=row),
        result=value,
        rows=(Row(letters, plain(table), o.say("rt.quoted", word=word), numbers),),
        own=column,
        scalars=(
            Scalar(id_value, "", o.say("explain.id"), name=id_name, word=word),
            Scalar(value, letters, plain(table), before=o.say("opened.look_up")),
            o.scalar(before=o.say("opened.same")),
        ),
    )


def _argmax(o: Opened) -> Working:
    """Explain a choice: the largest of a row."""
    row = _numbers(o, o.step.reads[0])
    best = max(range(len(row)), key=lambda i: row[i].value)
    words = labels(o.trace, "word", len(row))
    row = tuple(replace(n, label=w) for n, w in zip(row, words, strict=True))
    first = o.explained.reads[0][0]
    operand = _operand(o, o.step.reads[0], row, first)
    share = o.trace.step(o.step.reads[0]).op == "softmax"
    return Working(
        kind="rows",
        heading=o.say("opened.row"),
        note=o.say("opened.argmax", count=len(row)),
        result=float(best),
        rows=(operand,),
        own=best,
        scalars=(
            Scalar(row[best].value, operand.letters, operand.plain, name=row[best].name,
                   share=share),
            replace(o.scalar(before=o.say("opened.largest")), word=row[best].label),
        ),
    )  # fmt: skip


def _given(o: Opened) -> Working:
    """Explain a number that came from outside."""
    found = o.explained
    words = found.filled.rpartition(" = ")[0]
    computed = "scale" in o.step.told  # a wave
    rows: tuple[Row, ...] = ()
    if computed:
        column = o.step.value[:, o.index[-1]]
        tokens = labels(o.trace, o.step.axes[0], len(column))
        rows = (
            Row(
                o.letters(), o.plain(), o.say("opened.wave", index=o.index[-1]),
                tuple(
                    Number(float(v), element(o.trace, o.step.name, (t, o.index[-1])), tokens[t])
                    for t, v in enumerate(column)
                ),
            ),
        )  # fmt: skip
    return Working(
        kind="rows" if computed else "given",
        heading=o.say("opened.column_of" if computed else "opened.given"),
        note=words if computed else o.say("opened.outside"),
        result=found.recomputed,
        rows=rows,
        own=o.index[0] if computed else 0,
        words=words,
        given=not computed,
        scalars=(replace(o.scalar(), word=_word(o)),),
    )


def _word(o: Opened) -> str:
    return o.trace.vocabulary[int(o.value)] if o.step.name == "tokens" else ""


def _by_reads(o: Opened) -> Working:
    """Explain a primitive that has no row, by how many numbers it reads."""
    reads = o.explained.reads
    if len(reads) == 1 == len(o.step.reads):
        return _curve(o)
    return Working(
        kind="given", heading=o.say("opened.row"), note="", result=o.explained.recomputed,
        words=o.explained.filled.rpartition(" = ")[0], scalars=(o.scalar(),),
    )  # fmt: skip


WORKINGS: dict[str, Callable[[Opened], Working]] = {
    "input": _given,
    "view": _moved,
    "split_heads": _moved,
    "merge_heads": _moved,
    "concat": _moved,
    "stack": _moved,
    "gather": _gather,
    "product": _dot,
    "add": _sum,
    "multiply": _multiply,
    "softmax": _softmax,
    "norm": _norm,
    "argmax": _argmax,
}

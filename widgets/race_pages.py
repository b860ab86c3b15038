"""The inspector's pages of "CPU & GPU works": a shape, a lane, an operation at a size, the band."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from engine.crossover import (
    Estimate,
    Volume,
    band,
    boundary,
    branches_task,
    estimate,
    gpu_name,
    outputs_task,
    task,
    volume,
)
from engine.race import BRANCHES, HEAD, LAYERS, OPS, SIZES, STATE
from widgets import numbers
from widgets.numbers import NBSP
from widgets.scenes.cpu_gpu.lengths import WHATS, messages, number, values
from widgets.scenes.cpu_gpu.shapes import NAME
from widgets.scenes.cpu_gpu.sizes import band_words
from widgets.scenes.cpu_gpu.subject import SHAPES, Race
from widgets.writer import Writer

if TYPE_CHECKING:
    from widgets.captions import Captions
    from widgets.inspector import Page

WAYS = ("python", "one", "all")
EQUATIONS = {"product": "C = A B", "map": "y = x ⊙ x", "chain": "h ← tanh(h W)"}
_WEIGHT = re.compile(r"weight:p\[(\d{1,3}),(\d{1,3}),(\d{1,3})\]")


def is_element(subject: Race, name: str) -> bool:
    """Return whether a name is an element that has a page."""
    if name == NAME:  # the sheets as a whole
        return True
    kind, _, rest = name.partition(":")
    weight = _WEIGHT.fullmatch(name)
    if weight is not None:
        tokens = len(subject.words)
        head, query, key = map(int, weight.groups())
        return head < len(subject.weights) and max(query, key) < tokens
    parts = rest.split(":")
    return {
        "shape": lambda: rest in SHAPES,
        "lane": lambda: rest in {f"{kind}:{row}" for kind in ("cpu", "gpu") for row in range(3)},
        "point": lambda: len(parts) == 3 and parts[0] in OPS and parts[2] in map(str, SIZES),
        "band": lambda: rest in OPS,
        "volume": lambda: len(parts) == 2 and parts[0] in map(str, BRANCHES) and parts[1].isdigit(),
        "boundary": lambda: not rest,
        "length": lambda: len(parts) == 2 and parts[0] in LAYERS and parts[1].isdigit(),
    }.get(kind, lambda: False)()


def write(page: Page, subject: Race, name: str, tick: int, say: Captions) -> None:
    """Write the page of an element, or without one that of a tick."""
    writer = _Writer(page, subject, say)
    if not name or name == NAME:
        name = _of_tick(subject, tick) if not name else "shape:tensor"
    kind, _, rest = name.partition(":")
    weight = _WEIGHT.fullmatch(name)
    parts = rest.split(":")
    if weight is not None:
        writer.weight(*map(int, weight.groups()))
    elif kind == "shape":
        writer.shape(rest)
    elif kind == "lane":
        writer.lane(parts[0], int(parts[1]))
    elif kind == "point":
        writer.size(parts[0], int(parts[2]))
    elif kind == "band":
        writer.band(rest)
    elif kind == "volume":
        writer.volume(int(parts[0]), 10 ** int(parts[1]))
    elif kind == "boundary":
        writer.boundary()
    else:
        writer.length(int(parts[1]))


def _of_tick(subject: Race, tick: int) -> str:
    page = subject.page(tick)
    if page == "shapes":
        return f"shape:{SHAPES[tick]}"
    if page == "race":
        return "lane:cpu:2"
    if page == "sizes":
        return f"point:{subject.op}:one:{subject.size(tick)}"
    return f"length:attention:{subject.length(tick)}"


class _Writer(Writer):
    """Writes on a page in words."""

    def __init__(self, page: Page, subject: Race, say: Captions) -> None:
        super().__init__(page, say)
        self._subject = subject

    # ------------------------------------------------------------------ small parts

    def _words(self, words: str, above: int = 5) -> None:
        self._page.line([(words, self._page.formats.small)], above=above)

    def _about(self, seconds: float) -> str:
        return f"≈{NBSP}{numbers.seconds(seconds)}"

    def _times(self, gpu: float, cpu: float) -> str:
        """Return how many times quicker or slower than the CPU it is, with two digits."""
        times = numbers.value(float(f"{max(cpu / gpu, gpu / cpu):.2g}"))
        return self._say("race.page.quicker" if gpu < cpu else "race.page.slower", times=times)

    @property
    def _gpu(self) -> str:
        return self._say("race.page.modelled", part=self._subject.part_name)

    # ------------------------------------------------------------------ shapes

    def shape(self, shape: str) -> None:
        """Write what a shape is, and what it is made of down to its numbers."""
        say, subject = self._say, self._subject
        tokens, heads = len(subject.words), len(subject.weights)
        axes = {
            "scalar": "()", "vector": f"({tokens},)", "matrix": f"({tokens}, {tokens})",
            "tensor": f"({heads}, {tokens}, {tokens})",
        }[shape]  # fmt: skip
        self._head(say("race.page.shape"), say(f"race.{shape}"))
        self._words(say(f"race.page.{shape}"))
        self._row(say("race.page.axes"), axes, strong=True)
        self._row(say("race.page.from"), f"blocks.{subject.block - 1}.attn.pattern")
        if subject.left_out:
            self._words(say("race.page.left_out", count=subject.left_out, shown=tokens))
        head, asks = subject.head, subject.asks
        if shape == "tensor":
            for i in range(heads):
                self._section(say("race.page.head", head=i + 1))
                self._sheet(i)
        elif shape == "matrix":
            self._section(say("race.page.head", head=head + 1))
            self._sheet(head)
        elif shape == "vector":
            self._section(say("race.page.row", word=subject.words[asks], head=head + 1))
            for j, weight in enumerate(subject.weights[head][asks]):
                self._row(subject.words[j], numbers.value(weight), name=self._name(head, asks, j))
        else:
            row = subject.weights[head][asks]
            self.of_weight(head, asks, max(range(tokens), key=row.__getitem__))
        for other in SHAPES:
            if other != shape:
                f = self._page.formats
                link = self._page.link(say(f"race.{other}"), f"shape:{other}", None, f.body)
                self._page.line([link], above=9 if other == SHAPES[0] else 2)

    def _sheet(self, head: int) -> None:
        f = self._page.formats
        subject = self._subject
        for i, row in enumerate(subject.weights[head]):
            runs = []
            for j, weight in enumerate(row):
                words = f"{weight:.2f}"
                runs += [
                    self._page.link(words, self._name(head, i, j), None, f.mono),
                    (" ", f.mono),
                ]
            self._page.line(runs, above=2)

    def _name(self, head: int, query: int, key: int) -> str:
        return f"{NAME}[{head},{query},{key}]"

    def weight(self, head: int, query: int, key: int) -> None:
        """Write one number, and where it stands."""
        say = self._say
        self._head(say("race.page.shape"), say("race.scalar"))
        self.of_weight(head, query, key)
        f = self._page.formats
        for other in ("vector", "matrix", "tensor"):
            link = self._page.link(say(f"race.{other}"), f"shape:{other}", None, f.body)
            self._page.line([link], above=9 if other == "vector" else 2)

    def of_weight(self, head: int, query: int, key: int) -> None:
        """Write one weight in words."""
        subject = self._subject
        weight = subject.weights[head][query][key]
        self._page.formula(
            f"a_{{{query + 1},{key + 1}}} = exp(q_{query + 1} k_{key + 1}^⊤ / √d − lse_{query + 1})"
        )
        self._words(
            self._say(
                "race.page.weight",
                query=subject.words[query],
                key=subject.words[key],
                head=head + 1,
                block=subject.block,
            )  # fmt: skip
        )
        self._row(self._say("race.page.value"), numbers.value(weight), strong=True)

    # ------------------------------------------------------------------ the race

    def lane(self, kind: str, row: int) -> None:
        """Write what a lane does, and the same outputs on the other one."""
        say, subject = self._say, self._subject
        count = subject.counts[row]
        cost = outputs_task(count)
        self._head(
            say("race.page.outputs", count=count), say(f"race.page.lane.{kind}")
        )  # fmt: skip
        self._page.formula(f"a = exp(q k^⊤ / √{HEAD} − lse)")
        self._words(say("race.page.output"))
        self._row(say("race.page.outputs_row"), numbers.exact(count))
        self._row(say("race.page.flops"), numbers.exact(round(cost.flops)))
        self._row(say("race.page.bytes"), numbers.size(cost.bytes))
        self._page.rule()
        self._page.line([self._page.formats.chip("sequential", say("race.page.cpu_in_order"))])
        measured = subject.measured
        if subject.in_order is None or measured is None:
            self._words(say("race.not_measured"))
        else:
            total = subject.in_order[row]
            own = any(each.outputs == count for each in measured.outputs)
            basis = say("race.measured" if own else "race.inferred")
            self._row(say("race.page.each", basis=basis), numbers.seconds(total / count))
            self._row(say("race.page.all", basis=basis), numbers.seconds(total), strong=True)
            near = min(measured.outputs, key=lambda each: abs(each.outputs - count))
            self._row(
                say("race.page.at_once", count=near.outputs), numbers.seconds(near.at_once)
            )  # fmt: skip
            self._words(say("race.page.at_once_said"))
        cpu = subject.in_order[row] if subject.in_order else None
        timed = subject.timed_on_gpu(row)
        if timed is not None and measured is not None:
            self._section(say("race.page.same_on_gpu"))
            self._page.line(
                [self._page.formats.chip("stream", say("race.page.timed", device=measured.device))],
                above=5,
            )
            self._row(say("race.page.total_timed"), numbers.seconds(timed), strong=True)
            if cpu is not None:
                self._row(say("race.page.against"), self._times(timed, cpu))
        self._on_gpu(subject.on_gpu(row), cpu if timed is None else None)

    def _on_gpu(self, cost: Estimate, cpu: float | None) -> None:
        """Write what the model says, part by part, and how much quicker that is."""
        say = self._say
        self._section(say("race.page.same_on_gpu"))
        self._page.line([self._page.formats.chip("stream", self._gpu)], above=5)
        if cost.copy:
            self._row(say("race.page.copies"), self._about(cost.copy))
        self._row(say("race.page.launch"), self._about(cost.launch))
        self._row(say("race.page.arithmetic"), self._about(cost.arithmetic))
        self._row(say("race.page.memory"), self._about(cost.memory))
        self._row(say("race.page.total"), self._about(cost.seconds), strong=True)
        self._row(
            say("race.page.between"), f"{numbers.seconds(cost.low)} … {numbers.seconds(cost.high)}"
        )
        if cpu is not None:
            self._row(say("race.page.against"), f"≈{NBSP}{self._times(cost.seconds, cpu)}")
        self._words(say("race.page.model_said"))

    # ------------------------------------------------------------------ time against size

    def size(self, op: str, n: int) -> None:
        """Write one operation at one size on the CPU, and the same on the GPU."""
        say, subject, measured = self._say, self._subject, self._subject.measured
        cost = task(op, n)
        shapes = {
            "product": ("A, B, C", f"({n} × {n})"), "map": ("x, y", f"({n} × {n})"),
            "chain": ("h, W", f"({STATE}), ({STATE} × {STATE})"),
        }[op]  # fmt: skip
        self._head(say("race.page.at_size", n=n), say(f"race.page.op.{op}"))
        self._page.formula(EQUATIONS[op])
        self._row(*shapes)
        outputs = n if op == "chain" else n * n
        key = "race.page.steps_row" if op == "chain" else "race.page.outputs_row"
        self._row(say(key), numbers.exact(outputs))
        self._row(say("race.page.flops"), numbers.count(round(cost.flops)))
        self._row(say("race.page.bytes"), numbers.size(cost.bytes))
        self._page.rule()
        self._page.line([self._page.formats.chip("sequential", say("race.page.cpu_measured"))])
        best = math.inf
        for by in WAYS:
            point = None if measured is None else measured.at(op, by, n)
            if point is None:
                self._row(say(f"race.by.{by}"), "—")
                continue
            if by != "python":
                best = min(best, point.seconds)
            rate = f"{numbers.count(round(cost.flops / point.seconds))}FLOP/s"
            self._row(say(f"race.by.{by}"), numbers.seconds(point.seconds), strong=True)
            self._row(say("race.page.rate"), rate)
        if op != "product":
            self._words(say("race.page.one_thread_only"))
        name = gpu_name(resident=subject.resident, graph=subject.graph)
        done = None if measured is None else measured.at(op, name, n)
        if done is not None and measured is not None:
            self._section(say("race.page.same_on_gpu"))
            timed = say("race.page.timed", device=measured.device)
            self._row(timed, numbers.seconds(done.seconds), strong=True)
        elif measured is not None and measured.device and subject.graph and op != "map":
            self._words(say("race.page.no_graph", device=measured.device))
        cost_there = estimate(
            cost, subject.part, resident=subject.resident, graph=subject.graph
        )  # fmt: skip
        self._on_gpu(cost_there, best if math.isfinite(best) else None)
        f = self._page.formats
        link = self._page.link(say("race.page.open_band"), f"band:{op}", None, f.body)
        self._page.line([link], above=8)

    def band(self, op: str) -> None:
        """Write where the GPU becomes quicker, under which choices, and why it is a band."""
        say, subject, measured = self._say, self._subject, self._subject.measured
        what, meaning = band_words(subject, say)
        self._head(say("race.page.crossover", op=say(f"race.op.{op}")), what or "—")
        if measured is None or not what:
            self._words(say("race.not_measured"))
            return
        self._words(meaning)
        for resident in (True, False):
            for graph in (True, False):
                found = band(measured, op, subject.part, resident=resident, graph=graph)
                words = say(
                    "race.page.band_of", data=say("race.resident" if resident else "race.copied"),
                    launch=say("race.graph" if graph else "race.single"),
                )  # fmt: skip
                if found is not None:
                    self._row(words, f"≈{NBSP}{_size(found.low)} … {_size(found.high)}")
        self._section(say("race.page.why_band"))
        self._words(say("race.page.band_said", part=subject.part.title))
        self._words(say("race.page.band_ends"))

    # ------------------------------------------------------------------ complexity against volume

    def volume(self, branches: int, items: int) -> None:
        """Write so many items with so many branches on both."""
        say, subject = self._say, self._subject
        self._head(
            say("race.page.volume", count=branches), say("race.page.items", items=_power(items))
        )  # fmt: skip
        self._page.formula("x ← 1.9 x if x < ½ else 1.9 (1 − x)")
        self._words(say("race.page.volume_said"))
        found: Volume | None = None
        if subject.measured is not None:
            found = volume(
                subject.measured, subject.part, branches, items, resident=subject.resident,
                graph=subject.graph,
            )  # fmt: skip
        if found is None:
            self._words(say("race.not_measured"))
            return
        on_cpu = say("race.page.cpu_inferred" if found.inferred else "race.page.cpu_measured")
        self._page.rule()
        self._page.line([self._page.formats.chip("sequential", on_cpu)])
        self._row(say(f"race.page.way.{found.by}"), numbers.seconds(found.cpu), strong=True)
        there = estimate(
            branches_task(branches, items), subject.part, resident=subject.resident,
            graph=subject.graph,
        )  # fmt: skip
        self._on_gpu(there, found.cpu)
        self._row(say("race.page.kernels"), str(branches_task(branches, items).kernels))
        self._words(say("race.page.divergence"))

    def boundary(self) -> None:
        """Write from how many items on the GPU is quicker, by branches."""
        say, subject = self._say, self._subject
        self._head(say("race.volume"), say("race.page.boundary"))
        self._words(say("race.page.volume_said"))
        if subject.measured is None:
            self._words(say("race.not_measured"))
            return
        for branches, items in boundary(
            subject.measured, subject.part, resident=subject.resident, graph=subject.graph
        ):
            self._row(say("race.page.branches", count=branches), f"≈{NBSP}{_size(items)}")
        self._words(say("race.page.boundary_said"))

    # ------------------------------------------------------------------ against T

    def length(self, tokens: int) -> None:
        """Write steps, FLOPs and time of the three layers over so many tokens."""
        say, subject = self._say, self._subject
        self._head(say("race.one_layer"), f"T = {tokens}")
        known = {what: values(subject, what) for what in WHATS}
        for layer in LAYERS:
            self._section(say(f"race.layer.{layer}"))
            for what in WHATS:
                value = known[what].get((layer, tokens))
                label = f"race.against.{what}" if value is not None else "race.page.time"
                self._row(say(label), number(value, what, say), strong=what == "seconds")
        if len(known["seconds"]) < len(known["steps"]) and subject.progress is None:
            self._words(say("race.page.length_missing"), above=9)
        self._page.rule()
        for words in messages(subject, say):
            self._words(words)
        self._words(say("race.page.length_said"))


def _size(n: float) -> str:
    """Return a size with two significant digits, or that there is none."""
    if math.isinf(n):
        return "∞"
    digits = max(math.floor(math.log10(n)) - 1, 0) if n > 0 else 0
    return numbers.exact(round(n / 10**digits) * 10**digits)


def _power(items: int) -> str:
    return numbers.exact(items)

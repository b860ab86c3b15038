"""What the chapter draws: numbers of the running model, what was measured here, what is chosen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from engine.crossover import Estimate, between, estimate, gpu_name, outputs_task
from engine.parts import Part
from engine.race import LENGTHS, OPS, OUTPUTS, SIZES, Measured

if TYPE_CHECKING:
    from engine.trace import Pair

MOST_TOKENS = 12  # that are drawn: more would be cells without numbers
SHAPES = ("scalar", "vector", "matrix", "tensor")
PAGES = ("shapes", "race", "sizes", "lengths")
STEPS = (1, 2, 5)  # times a power of ten, between two numbers of the clock's axis
MOST_STEPS = 16  # of the clock's axis
ROOM = 1.18  # times the second row: what is said of it stands behind it
LAUNCH_PART = 0.40  # of the axis that a GPU's launch may take


class Pages(NamedTuple):
    """The first tick of each page, and the last of all."""

    shapes: int
    race: int
    sizes: int
    lengths: int
    last: int


@dataclass(frozen=True)
class Race:
    """The subject of the chapter.

    Parameters
    ----------
    words
        The tokens.
    weights
        Attention of one block, axes (head, query, key); a row sums to 1.
    asks, head
        Whose row is the vector, in which head.
    block
        Which one, from 1.
    left_out
        Tokens behind those that are drawn.
    measured
        What this machine took, None before anything was measured.
    part
        The GPU whose time is modelled.
    op, resident, graph
        What is plotted against its size; whether data lies on the GPU; how its work is launched.
    progress
        Of a measurement that runs, 0 … 1.
    """

    words: tuple[str, ...]
    weights: tuple[tuple[tuple[float, ...], ...], ...]
    asks: int
    head: int
    block: int
    measured: Measured | None
    part: Part
    left_out: int = 0
    op: str = OPS[0]
    resident: bool = True
    graph: bool = False
    progress: float | None = None

    @property
    def part_name(self) -> str:
        """Return the GPU's name without its maker: "H100"."""
        words = self.part.title.split()
        return " ".join(words[1:3] if words[1:2] == ["RTX"] else words[1:2]) or self.part.title

    @property
    def counts(self) -> tuple[int, int, int]:
        """Return how many outputs the three rows of the race have: vector, matrix, tensor."""
        tokens = len(self.words)
        return tokens, tokens * tokens, tokens * tokens * len(self.weights)

    @cached_property
    def in_order(self) -> tuple[float, float, float] | None:
        """Return the seconds of the three rows on the CPU, None before they were measured."""
        if self.measured is None or not self.measured.outputs:
            return None
        times = [self.measured.in_order(count) or 0.0 for count in self.counts]
        return times[0], times[1], times[2]

    def on_gpu(self, row: int) -> Estimate:
        """Return the modelled time of a row on the GPU."""
        return estimate(
            outputs_task(self.counts[row]), self.part, resident=self.resident, graph=self.graph
        )

    def timed_on_gpu(self, row: int) -> float | None:
        """Return the seconds of a row that were measured on a GPU of this machine, or None.

        Between two counts that were timed they lie between the two times; behind the last of them
        nobody has timed anything.
        """
        if self.measured is None:
            return None
        name = gpu_name(resident=self.resident, graph=self.graph)
        points = [(float(p.n), p.seconds) for p in self.measured.line(OUTPUTS, name)]
        count = self.counts[row]
        return between(points, count) if points and count <= points[-1][0] else None

    def seconds_on_gpu(self, row: int) -> float:
        """Return the seconds of a row on the GPU: measured, and modelled where nothing was."""
        timed = self.timed_on_gpu(row)
        return self.on_gpu(row).seconds if timed is None else timed

    @cached_property
    def axis(self) -> tuple[float, int]:
        """Return the seconds between two numbers of the clock's axis, and how many it has."""
        longest = max(self.seconds_on_gpu(row) for row in range(3)) / LAUNCH_PART
        if self.in_order is not None:
            longest = max(longest, self.in_order[1] * ROOM)
        power = 10.0 ** math.floor(math.log10(longest / MOST_STEPS))
        step = next(s * power for s in (*STEPS, 10) if longest / (s * power) <= MOST_STEPS)
        return step, math.ceil(longest / step)

    @cached_property
    def end(self) -> float:
        """Return when the last output of all is there, in seconds of the race's clock."""
        ends = [self.seconds_on_gpu(row) for row in range(3)]
        return max(*ends, *(self.in_order or (0.0,)), self.axis[0] * self.axis[1])

    @cached_property
    def pages(self) -> Pages:
        """Return at which tick each page begins."""
        race = len(SHAPES)
        sizes = race + self.axis[1] + 2  # 0, every number of the axis, and the end
        lengths = sizes + len(SIZES)
        return Pages(0, race, sizes, lengths, lengths + len(LENGTHS) - 1)

    @property
    def last_tick(self) -> int:
        """Return the last tick."""
        return self.pages.last

    def page(self, tick: float) -> str:
        """Return which page a tick shows: while one begins it is that which it was on before."""
        first = self.pages
        return PAGES[sum(math.floor(tick) >= begin for begin in first[:4]) - 1]

    def clock(self, tick: float) -> float:
        """Return the seconds of the race's clock at a tick: 0 before it, its end behind it."""
        step, steps = self.axis
        at = tick - self.pages.race
        if at <= steps:
            return max(at, 0.0) * step
        share = min(at - steps, 1.0)
        return step * steps + share * (self.end - step * steps)

    def size(self, tick: float) -> int:
        """Return the n of a tick on the page of sizes."""
        return int(SIZES[min(max(math.floor(tick) - self.pages.sizes, 0), len(SIZES) - 1)])

    def length(self, tick: float) -> int:
        """Return the T of a tick on the page of lengths."""
        return LENGTHS[min(max(math.floor(tick) - self.pages.lengths, 0), len(LENGTHS) - 1)]


def chosen(pair: Pair) -> dict[str, Any]:
    """Return of two runs what the chapter draws: the attention of the grid's last block.

    The head is the one that is the least of one mind, the row of it likewise: a row whose weight
    lies on one token would look like no vector.
    """
    tokens = min(len(pair.tokens), MOST_TOKENS)
    block = pair.grid.facts.layers
    pattern = np.asarray(pair.grid.value(f"blocks.{block - 1}.attn.pattern"), np.float64)
    shown = pattern[:, :tokens, :tokens]
    # Entropy of each row, shape (head, query); 0 log 0 is 0.
    entropy = -(shown * np.log(np.where(shown > 0, shown, 1.0))).sum(-1)
    head = int(entropy.sum(-1).argmax())
    return {
        "words": tuple(pair.typed[:tokens]),
        "weights": tuple(tuple(tuple(map(float, row)) for row in sheet) for sheet in shown),
        "asks": int(entropy[head].argmax()),
        "head": head,
        "block": block,
        "left_out": len(pair.tokens) - tokens,
    }

"""From which size on a GPU is quicker: its modelled time, and where it crosses what was measured.

    seconds = copies + launch + (k - 1) max(launch, gap + kernel) + kernel
    kernel = floor + max(arithmetic, memory) / k

for k kernels that wait for one another; arithmetic, memory, floor, launch and their ranges are
those of ``engine.roofline``, for float32 on CUDA cores. What the assumptions leave open makes a
range, and so a crossover is a band: from a graph's launch and resident data against one thread,
everything at its quickest, to copied data launched one by one against the quicker of one thread and
all, everything at its slowest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from engine.parts import Part
from engine.race import BRANCHES, HEAD, LAYERS, STATE, Length, Measured
from engine.roofline import (
    BASE,
    LAUNCH,
    STRETCHED,
    TRANSFER_BYTES,
    TRANSFER_SECONDS,
    arithmetic_seconds,
)
from engine.workload import Precision, Product, Style

MOST_ITEMS = 9  # powers of ten


class Task(NamedTuple):
    """What has to be done: FLOPs, bytes read and written, bytes sent and fetched, kernels.

    ``side`` is that of the matrices of a product, 0 for anything else.
    """

    flops: float
    bytes: float
    sent: float
    fetched: float
    kernels: int = 1
    side: int = 0


class Estimate(NamedTuple):
    """One task on a GPU by the model, in seconds; the time of all lies between low and high."""

    launch: float  # with all that a kernel costs before it computes
    copy: float
    arithmetic: float
    memory: float
    low: float
    high: float

    @property
    def seconds(self) -> float:
        """Return the time of all: arithmetic and memory overlap."""
        return self.launch + self.copy + max(self.arithmetic, self.memory)


class Band(NamedTuple):
    """Sizes between which a crossover lies; 0: below the least measured, ∞: above the largest."""

    low: float
    high: float


def task(op: str, n: int) -> Task:
    """Return what one of ``engine.race.OPS`` has to do at a size, float32."""
    if op == "product":
        return Task(2 * n**3, 12 * n * n, 8 * n * n, 4 * n * n, side=n)
    if op == "map":
        return Task(n * n, 8 * n * n, 4 * n * n, 4 * n * n)
    weights = 4 * STATE * STATE
    step = 2 * STATE * STATE + STATE  # a product of one row, and a tanh each
    return Task(n * step, n * (weights + 16 * STATE), weights + 4 * STATE, 4 * STATE, 2 * n)


def outputs_task(count: int) -> Task:
    """Return what so many outputs of the race have to do, all in one kernel."""
    each = 4 * (2 * HEAD + 1)
    return Task(count * (2 * HEAD + 3), count * (each + 4), count * each, count * 4)


def branches_task(branches: int, items: int) -> Task:
    """Return what items with branches have to do: of each branch both sides, in five passes."""
    return Task(
        items * (1 + 4 * branches), items * (8 + 42 * branches), 4 * items, 4 * items,
        1 + 5 * branches,
    )  # fmt: skip


@lru_cache(maxsize=4096)
def estimate(task: Task, part: Part, *, resident: bool, graph: bool) -> Estimate:
    """Return what a task takes on a part.

    Parameters
    ----------
    resident
        Whether the data lies on the card, or is sent there and the result fetched.
    graph
        Whether kernels are launched one by one, or as one of many nodes of a graph.
    """
    tried = (BASE, *STRETCHED)
    floor, reached, _, host = (np.array(column) for column in zip(*tried, strict=True))
    launch, gap = LAUNCH[Style.GRAPH if graph else Style.FRAMEWORK_EAGER]
    side, k = task.side, task.kernels
    product = Product(side, side, side, 1, Precision.FLOAT32) if side else None
    arithmetic = arithmetic_seconds(task.flops, product, part, tried)
    memory = task.bytes / (part.bytes_per_second * reached)
    body = np.maximum(arithmetic, memory)
    kernel = floor + body / k
    copy = 0.0
    if not resident:
        copy = 2 * TRANSFER_SECONDS + (task.sent + task.fetched) / TRANSFER_BYTES
    # A lone kernel of a graph waits for the one before it, too.
    issued = launch * host  # (assumption,)
    first = issued + (gap if graph else 0.0)
    totals = copy + first + (k - 1) * np.maximum(issued, gap + kernel) + kernel
    return Estimate(
        launch=float(totals[0] - copy - body[0]), copy=copy, arithmetic=float(arithmetic[0]),
        memory=float(memory[0]), low=float(totals.min()), high=float(totals.max()),
    )  # fmt: skip


# ---- where lines cross ---------------------------------------------------------------------------


def crossing(cpu: Sequence[tuple[float, float]], gpu: Callable[[float], float]) -> float:
    """Return from which size on the GPU is quicker, and stays so.

    Parameters
    ----------
    cpu
        Sizes and seconds, the smallest size first.
    gpu
        Seconds at a size.

    Returns
    -------
    float
        Between two sizes as if both times were lines on paper with two logarithmic scales; 0 when
        the GPU is quicker at every size, ∞ when it is not at the last one.
    """
    lead = [(math.log(n), math.log(seconds / gpu(n))) for n, seconds in cpu]
    behind = [i for i, (_, ahead) in enumerate(lead) if ahead <= 0]
    if not behind:
        return 0.0 if lead else math.inf
    i = behind[-1]
    if i == len(lead) - 1:
        return math.inf
    (x0, y0), (x1, y1) = lead[i], lead[i + 1]
    return math.exp(x0 + (x1 - x0) * -y0 / (y1 - y0))


def between(points: Sequence[tuple[float, float]], n: float) -> float:
    """Return the seconds at a size from those measured: on lines between, in proportion behind."""
    if n >= points[-1][0]:
        return points[-1][1] * n / points[-1][0]
    xs, ys = zip(*((math.log(x), math.log(y)) for x, y in points), strict=True)
    return math.exp(float(np.interp(math.log(n), xs, ys)))


def cpu_lines(measured: Measured, op: str) -> tuple[tuple[tuple[float, float], ...], ...]:
    """Return one thread's times by size, and the quicker of one and all threads at each."""
    one = {p.n: p.seconds for p in measured.line(op, "one")}
    if not one:
        return ()
    every = {p.n: p.seconds for p in measured.line(op, "all")}
    quicker = {n: min(seconds, every.get(n, seconds)) for n, seconds in one.items()}
    return tuple(tuple((float(n), s) for n, s in line.items()) for line in (one, quicker))


def gpu_name(*, resident: bool, graph: bool) -> str:
    """Return the ``by`` of points that were measured on a GPU."""
    return f"gpu{'' if resident else '.copied'}{'.graph' if graph else ''}"


def band(
    measured: Measured,
    op: str,
    part: Part,
    *,
    resident: bool | None = None,
    graph: bool | None = None,
) -> Band | None:
    """Return where a GPU becomes quicker, None when nothing was measured yet.

    With ``resident`` and ``graph`` it is that of this data and this launch, and else of all.
    """
    lines = cpu_lines(measured, op)
    if not lines:
        return None
    found: list[float] = []
    for where in (True, False) if resident is None else (resident,):
        for how in (True, False) if graph is None else (graph,):
            for gpu in _gpu_lines(measured, op, part, resident=where, graph=how):
                found += [crossing(line, gpu) for line in lines]
    return Band(min(found), max(found))


def _gpu_lines(
    measured: Measured, op: str, part: Part, *, resident: bool, graph: bool
) -> tuple[Callable[[float], float], ...]:
    """Return what was measured on a GPU, or the quickest and the slowest that is modelled."""
    points = measured.line(op, gpu_name(resident=resident, graph=graph))
    if points:
        known = [(float(p.n), p.seconds) for p in points]
        return (lambda n: between(known, n),)

    def at(n: float) -> Estimate:
        return estimate(task(op, round(n)), part, resident=resident, graph=graph)

    return (lambda n: at(n).low, lambda n: at(n).high)


# ---- complexity against volume -------------------------------------------------------------------


class Volume(NamedTuple):
    """So many items with so many branches: seconds on both, and whether the CPU's are inferred."""

    branches: int
    items: int
    cpu: float
    by: str  # "python" or "numpy", the quicker one
    gpu: float
    inferred: bool  # in proportion to the largest volume that was measured


def volume(
    measured: Measured, part: Part, branches: int, items: int, *, resident: bool, graph: bool
) -> Volume | None:
    """Return both times of a volume, None where nothing was measured with so many branches."""
    ways: list[tuple[float, str, bool]] = []
    for by in ("python", "numpy"):
        points = sorted(
            (float(row.items), row.seconds)
            for row in measured.branches
            if (row.branches, row.by) == (branches, by)
        )
        if points:
            ways.append((between(points, items), by, items > points[-1][0]))
    if not ways:
        return None
    seconds, by, inferred = min(ways)
    gpu = estimate(branches_task(branches, items), part, resident=resident, graph=graph)
    return Volume(branches, items, seconds, by, gpu.seconds, inferred)


def boundary(
    measured: Measured, part: Part, *, resident: bool, graph: bool
) -> tuple[tuple[int, float], ...]:
    """Return for each number of branches from how many items on the GPU is quicker; ∞: never."""
    rows = []
    for branches in BRANCHES:
        tenths = [round(10 ** (i / 10)) for i in range(10 * MOST_ITEMS + 1)]
        found = {
            items: volume(measured, part, branches, items, resident=resident, graph=graph)
            for items in tenths
        }
        known = {items: each for items, each in found.items() if each is not None}
        if known:
            cpu = [(float(items), each.cpu) for items, each in known.items()]
            gpu = {float(items): each.gpu for items, each in known.items()}
            rows.append((branches, crossing(cpu, gpu.__getitem__)))
    return tuple(rows)


# ---- against T -----------------------------------------------------------------------------------


def quicker_at(lengths: Iterable[Length], other: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return at which lengths attention was quicker than another layer, and all that were timed."""
    times = {(row.layer, row.tokens): row.seconds for row in lengths}
    timed = tuple(
        tokens
        for layer, tokens in sorted(times, key=lambda each: each[1])
        if layer == LAYERS[-1] and (other, tokens) in times
    )
    return tuple(t for t in timed if times[LAYERS[-1], t] < times[other, t]), timed

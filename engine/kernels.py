"""Kernels of a device: the kinds of work in the time that they took, and which unit each used.

Source: HTA's breakdown of GPU time (github.com/facebookresearch/HolisticTraceAnalysis), extended by
the kind of kernel.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from engine.shares import parts_of
from engine.units import Unit, Work

# ---- when they ran -------------------------------------------------------------------------------


class Span(NamedTuple):
    """One thing that ran, on a clock in seconds."""

    work: Work
    start: float
    end: float


def partition(spans: Iterable[Span], start: float, end: float) -> dict[Work, float]:
    """Return the part (0 … 1) of every kind of work in a stretch of time; they add up to exactly 1.

    Where spans lie over one another the first kind in the order of ``Work`` counts, so that no
    moment counts twice; what no span covers is idle. What lies outside the stretch is cut off, and
    a span that ends before it begins, as from a clock that was put back, covers nothing.

    Parameters
    ----------
    spans
        In any order.
    start, end
        The stretch, on the clock of the spans, in seconds.

    Raises
    ------
    ValueError
        When the stretch has no length: then nothing has a part in it.
    """
    if not end > start or not math.isfinite(end - start):
        raise ValueError(f"From {start} to {end} is no stretch of time.")
    order = {work: place for place, work in enumerate(Work)}
    edges: list[tuple[float, int, int]] = []  # when, which kind, one more or one less
    for span in spans:
        begin, stop = max(span.start, start), min(span.end, end)
        if stop > begin:
            edges.append((begin, order[span.work], 1))
            edges.append((stop, order[span.work], -1))
    edges.sort()
    seconds, running, last = [0.0] * len(Work), [0] * len(Work), start
    for when, kind, more in edges:
        now = next((i for i, count in enumerate(running) if count), order[Work.IDLE])
        seconds[now] += when - last
        running[kind] += more
        last = when
    seconds[order[Work.IDLE]] += end - last
    return parts_of(dict(zip(Work, seconds, strict=True)))


class Gap(StrEnum):
    """Why a device did nothing before a kernel."""

    HOST = "host wait"  # the host launched it only after the one before had ended
    KERNEL = "kernel wait"  # it was launched in time, and the device took a moment to begin
    OTHER = "other"  # it was launched in time and began late: it waited for something else


KERNEL_WAIT_SECONDS = 30e-9  # HTA's "consecutive kernel delay"


class Kernel(NamedTuple):
    """One kernel or copy as the device ran it, on one clock with the host, in seconds.

    ``launched`` is when the host began to launch it (None: not known), ``op`` the number of the
    operation that it belongs to (-1: of none that is known).
    """

    name: str
    start: float
    end: float
    launched: float | None = None
    op: int = -1
    copy: bool = False  # a transfer between host and device

    @property
    def seconds(self) -> float:
        """Return how long it ran; 0 where the clock went backwards."""
        return max(self.end - self.start, 0.0)


def gaps(kernels: Sequence[Kernel]) -> tuple[tuple[Gap, float, float], ...]:
    """Return the stretches between kernels in which none ran: why, start and end, in order.

    Source: HTA, ``breakdown_analysis.py``, idle time: a host wait when the launch began after the
    kernel before had ended, a kernel wait when the gap is shorter than a threshold, else other.
    """
    found = []
    ordered = sorted((k for k in kernels if k.end >= k.start), key=lambda kernel: kernel.start)
    ended = ordered[0].end if ordered else 0.0
    for kernel in ordered[1:]:
        if kernel.start > ended:
            if kernel.launched is not None and kernel.launched > ended:
                why = Gap.HOST
            elif kernel.start - ended <= KERNEL_WAIT_SECONDS:
                why = Gap.KERNEL
            else:
                why = Gap.OTHER
            found.append((why, ended, kernel.start))
        ended = max(ended, kernel.end)
    return tuple(found)


def host_spans(kernels: Sequence[Kernel]) -> tuple[Span, ...]:
    """Return the gaps in which the device waited for the host as sequential spans.

    The other gaps are idle: that a device does nothing does not prove that the host worked.
    """
    return tuple(
        Span(Work.SEQUENTIAL, start, end) for why, start, end in gaps(kernels) if why is Gap.HOST
    )


# ---- which unit a kernel used --------------------------------------------------------------------

# What NVIDIA's libraries call the kernels that use tensor cores. The shapes of the instructions
# (884 of Volta, 1688 of Turing, 16816 of Ampere) are in the older names, "tensorop" in CUTLASS's,
# "tensor16x8x16" in xmma's; recent cuBLAS says only nvjet. "xmma_gemm" alone proves nothing: there
# are such kernels for CUDA cores.
TENSOR_NAMES = (
    r"nvjet|[hsi]?884|1688|16816|16832|[hqi]mma|wgmma|utcmma|tcgen05|tensorop|tensor\d+x\d+x\d+"
    r"|flash_(?:fwd|bwd)|fmha|unrolled_mma"
)
# Kernels that multiply on CUDA cores, and those that multiply nothing.
PLAIN_PRODUCTS = r"gemv|gemmk1|_simt_|(?<![a-z0-9])[sdc]gemm|dot_kernel"
HELPERS = r"^cupy_|splitk_?reduce|cub::|reduce|elementwise|memset|memcpy|transpose|unrolled_spin"
PROOF = 1.05  # times the float32 peak: what a card's boost cannot explain


def _names(kind: str, kernel_name: str) -> bool:
    """Return whether a kernel is called as a kind is; compiled when the first is asked for."""
    return re.search(kind, kernel_name, re.IGNORECASE) is not None


class Votes(NamedTuple):
    """What says which unit a kernel used; None where it says nothing."""

    dispatched: Work | None
    name: Work | None
    rate: Work | None


def classify(
    dispatched: Unit | None,
    kernel_name: str,
    flops: float,
    seconds: float,
    fp32_peak: float,
    *,
    tensor_cores: bool = True,
) -> tuple[Work, Votes]:
    """Return what a kernel counts as, and the votes behind it; disagreement is unclassified.

    A kernel is matrix when two votes say so and none speaks against it. One vote is enough for
    stream, which is what is left without tensor cores.

    Parameters
    ----------
    dispatched
        The unit that the operation was sent to, by its precision and shape; None: not known. It
        says nothing of a helper inside a product (a cast, the sum of partial products).
    kernel_name
        As the library calls it.
    flops, seconds
        Of all kernels of the operation together. Faster than the float32 peak is proof of tensor
        cores; slower is proof of nothing.
    fp32_peak
        Of the card, FLOP/s; 0 where it is not known.
    tensor_cores
        Whether the card has any. Those without run kernels of the same names (GTX 16).
    """
    if not tensor_cores:
        return Work.STREAM, Votes(Work.STREAM, None, None)
    tensor = _names(TENSOR_NAMES, kernel_name)
    helper = _names(HELPERS, kernel_name)
    plain = helper or _names(PLAIN_PRODUCTS, kernel_name)
    by_name = None if tensor == plain else Work.MATRIX if tensor else Work.STREAM
    by_dispatch = None
    if dispatched is not None and not (dispatched is Unit.MATRIX and helper and not tensor):
        by_dispatch = Work.MATRIX if dispatched is Unit.MATRIX else Work.STREAM
    by_rate = None
    if not helper and seconds > 0 and 0 < fp32_peak < math.inf:
        by_rate = Work.MATRIX if flops / seconds > PROOF * fp32_peak else None
    votes = Votes(by_dispatch, by_name, by_rate)
    said = [vote for vote in votes if vote is not None]
    if not said or len(set(said)) > 1:
        return Work.UNCLASSIFIED, votes
    if said[0] is Work.MATRIX and len(said) < 2:
        return Work.UNCLASSIFIED, votes
    return said[0], votes

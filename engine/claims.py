"""What the course text claims of time shares, where that is nearly true, and why it often is not.

A claim is a mark beside a bar and never a bar. Why a modelled step differs is found by counting and
by asking what its shares would be without one thing at a time: a cause is named only where its
part of the time or of the FLOPs, or what it moves, is ``LEAST`` or more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

from engine.roofline import BASE, Bound, Modelled, shares
from engine.shares import Shares
from engine.units import Work
from engine.workload import (
    Attention,
    Device,
    Mode,
    Precision,
    Product,
    Style,
    Workload,
)

LEAST = 0.05  # of wall time: a smaller difference is none
NEARLY_ALL = 0.9  # of the FLOPs: less in tensor cores is another cause


class Claim(NamedTuple):
    """Parts of time (0 … 1) by kind of work; ``beyond`` are those with a "+" behind their number.

    Copies and idle time are counted as sequential.
    """

    parts: dict[Work, float]
    beyond: tuple[Work, ...]
    source: str

    def differences(self, found: Shares) -> dict[Work, float]:
        """Return how much more of its time each kind of work took than was claimed.

        Where a share is above a claim with a "+", those that are smaller for it are no difference.
        """
        folded = found.folded
        more = {work: folded[work] - part for work, part in self.parts.items()}
        if any(more[work] > 0 for work in self.beyond):
            return {work: 0.0 if work in self.beyond else max(0.0, d) for work, d in more.items()}
        return more

    def holds(self, found: Shares) -> bool:
        """Return whether no share differs by ``LEAST`` or more."""
        return all(abs(d) < LEAST for d in self.differences(found).values())


SOURCE = "course text “3 Computing in AI”"
_TRAINING = {Work.SEQUENTIAL: 0.05, Work.STREAM: 0.10, Work.MATRIX: 0.85}
_INFERENCE = {Work.SEQUENTIAL: 0.05, Work.STREAM: 0.30, Work.MATRIX: 0.65}
# The text writes "85 %+" and "65 %+": more matrix work is no contradiction.
CLAIMS = {
    Mode.TRAINING: Claim(_TRAINING, (Work.MATRIX,), SOURCE),
    Mode.INFERENCE: Claim(_INFERENCE, (Work.MATRIX,), SOURCE),
    Mode.DECODE: Claim(_INFERENCE, (Work.MATRIX,), SOURCE),
}


def claim_of(workload: Workload) -> Claim:
    """Return what the course text claims of such a step."""
    return CLAIMS[Mode(workload.mode)]


# ---- causes --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a step's shares are not the claimed ones.

    ``value`` is the number that shows it (its meaning is in the sentence), ``without`` what matrix
    work's share would be if this were not so, None where that is no question.
    """

    name: str
    sentence: str
    value: float
    without: float | None = None


def causes(modelled: Modelled, claim: Claim | None = None) -> tuple[Cause, ...]:
    """Return why the shares of a modelled step are not the claimed ones; empty where they are."""
    claim = claim or claim_of(modelled.workload)
    if claim.holds(modelled.shares):
        large = _large_products(modelled, claim)
        return () if large is None else (large,)
    more = claim.differences(modelled.shares)
    return tuple(
        cause
        for cause in (
            _float32(modelled),
            _launch_bound(modelled, more),
            _one_row(modelled),
            _unfused(modelled),
            _memory_bound(modelled, more),
            _tensor_cores_too_fast(modelled, more),
        )
        if cause is not None
    )


def _percent(part: float) -> str:
    return f"{100 * part:.1f} %" if 0 < part < 0.1 or 0.99 < part < 1 else f"{100 * part:.0f} %"


def _matrix(modelled: Modelled, **changed: object) -> float:
    """Return the share of matrix work in the same step with something changed."""
    other = replace(modelled.workload, **changed)  # type: ignore[arg-type]
    return shares(other, modelled.part)[Work.MATRIX]


def _launch_bound(modelled: Modelled, more: dict[Work, float]) -> Cause | None:
    """Kernels are so short that the device waits for the next launch."""
    if more[Work.SEQUENTIAL] < LEAST or not modelled.kernels:
        return None
    waits = modelled.shares[Work.SEQUENTIAL] + modelled.shares[Work.IDLE]
    busy = 1 - waits
    without = modelled.shares[Work.MATRIX] / busy if busy > 0 else None
    launch = modelled.launch_seconds * 1e6
    of_kernels = modelled.seconds * (busy - modelled.shares[Work.COPY]) / modelled.kernels * 1e6
    on_cpu = modelled.part.device == Device.CPU
    if on_cpu:
        sentence = (
            f"{_percent(waits)} of the time lies between calls: each of {modelled.kernels} costs "
            f"{launch:.2g} µs and then computes for {of_kernels:.2g} µs on average."
        )
    else:
        sentence = (
            f"The card waits {_percent(waits)} of the time: each of {modelled.kernels} kernels "
            f"costs {launch:.2g} µs to launch and runs for {of_kernels:.2g} µs on average."
        )
    return Cause(
        "call-bound" if on_cpu else "launch-bound",
        sentence,
        waits,
        without,
    )


def _memory_bound(modelled: Modelled, more: dict[Work, float]) -> Cause | None:
    """Kernels wait for memory and not for arithmetic."""
    bound = modelled.bound_parts[Bound.MEMORY]
    parts = shares(modelled.workload, modelled.part, BASE._replace(memory=math.inf))
    moved = max(abs(parts[work] - modelled.shares[work]) for work in (Work.STREAM, Work.MATRIX))
    if bound < LEAST or moved < LEAST or max(map(abs, more.values())) < LEAST:
        return None
    flops = sum(op.cost.flops for op in modelled.operations)
    bytes_ = sum(op.cost.bytes for op in modelled.operations)
    part, precision = modelled.part, Precision(modelled.ran.precision)
    balance = part.flops_per_second(precision) / part.bytes_per_second
    return Cause(
        "memory-bound",
        f"Kernels wait for memory {_percent(bound)} of the time: the step does "
        f"{flops / max(bytes_, 1):.3g} FLOPs a byte, and {part.title} has arithmetic for "
        f"{balance:.3g}.",
        bound,
        parts[Work.MATRIX],
    )


def _float32(modelled: Modelled) -> Cause | None:
    """Products in float32 do not reach tensor cores."""
    if modelled.part.device == Device.CPU or modelled.ran.precision != Precision.FLOAT32:
        return None
    products = _product_flops(modelled)
    if modelled.part.runs(Precision.FLOAT16) == Precision.FLOAT32:
        return Cause(
            "float32", f"{modelled.part.title} has no tensor cores: products, {_percent(products)} "
            "of the FLOPs, run on its CUDA cores.", products,
        )  # fmt: skip
    half = _matrix(modelled, precision=Precision.FLOAT16)
    return Cause(
        "float32",
        f"Products do {_percent(products)} of the FLOPs, and in float32 all of them run on CUDA "
        f"cores; in half precision matrix work would take {_percent(half)} of the time.",
        products,
        half,
    )


def _product_flops(modelled: Modelled, *, one_row: bool = False) -> float:
    """Return the part of FLOPs in products, or in those of one row that stay off tensor cores."""
    total = products = 0
    for op in modelled.operations:
        total += op.cost.flops
        if one_row:
            products += op.cost.flops if op.reason == "row" else 0
        elif isinstance(op.kernel, Product | Attention):
            products += op.cost.flops
    return products / max(total, 1)


def _unfused(modelled: Modelled) -> Cause | None:
    """Every call writes what the next one reads."""
    workload = modelled.workload
    if workload.style not in (Style.CUPY_EAGER, Style.FRAMEWORK_EAGER):
        return None
    fused = shares(replace(workload, style=Style.FUSED), modelled.part)
    moved = max(abs(fused[work] - modelled.shares[work]) for work in (Work.STREAM, Work.MATRIX))
    if moved < LEAST:
        return None
    return Cause(
        "unfused",
        f"A step is {modelled.kernels} kernels that write what the next one reads; fused, matrix "
        f"work would take {_percent(fused[Work.MATRIX])} of a step {_shorter(modelled, fused)}.",
        modelled.kernels,
        fused[Work.MATRIX],
    )


def _shorter(modelled: Modelled, other: Shares) -> str:
    return f"that is {modelled.seconds / other.seconds:.2g} times shorter"


def _one_row(modelled: Modelled) -> Cause | None:
    """One row against each matrix: every weight is loaded for one multiplication."""
    rows = _product_flops(modelled, one_row=True)
    if rows < LEAST:
        return None
    without = None
    if modelled.workload.batch == 1:
        without = _matrix(modelled, batch=32)
    return Cause(
        "one-row",
        f"{_percent(rows)} of the FLOPs are in products of one row, which load each weight for one "
        "multiplication"
        + ("." if without is None else
           f"; with 32 rows at once matrix work would take {_percent(without)} of the time."),
        rows,
        without,
    )  # fmt: skip


def _tensor_cores_too_fast(modelled: Modelled, more: dict[Work, float]) -> Cause | None:
    """Amdahl: the faster the products, the smaller their share."""
    if more[Work.MATRIX] > -LEAST or modelled.part.device == Device.CPU:
        return None
    flops, now = modelled.flop_parts.get(Work.MATRIX, 0.0), modelled.shares[Work.MATRIX]
    slower = shares(modelled.workload, modelled.part, BASE, (Work.MATRIX, 0.5))[Work.MATRIX]
    if flops < NEARLY_ALL or slower - now < LEAST:
        return None
    return Cause(
        "fast-tensor-cores",
        f"Tensor cores do {_percent(flops)} of the FLOPs in {_percent(now)} of the time because "
        f"they are fast: at half their speed it would be {_percent(slower)} (Amdahl).",
        flops,
        slower,
    )


def _large_products(modelled: Modelled, claim: Claim) -> Cause | None:
    """More matrix work than claimed: every product has many rows, whatever the step is for."""
    now = modelled.shares[Work.MATRIX]
    if now - claim.parts[Work.MATRIX] < LEAST:
        return None
    rows = modelled.workload.rows
    return Cause(
        "large-products",
        f"Every product has {rows} rows, so matrix work takes {_percent(now)} of the time; "
        "reading many tokens is as heavy in products as training.",
        rows,
    )


# ---- presets -------------------------------------------------------------------------------------


class Preset(NamedTuple):
    """A step that shows the claim nearly true or false."""

    id: str
    workload: Workload
    part: str  # an id of engine.parts
    nearly_true: bool
    shows: str


PRESETS = (
    Preset(
        "gpt3-layer",
        Workload("gpt3-layer", Mode.TRAINING, 1, 2048, Precision.FLOAT16, Style.FUSED, every=64,
                 parallel=8),
        "a100", True,
        "Rows of 12288 numbers, fused kernels and an optimizer that steps every 64th time.",
    ),
    Preset(
        "l4-prefill",
        Workload("gpt2-124m", Mode.INFERENCE, 1, 1024, Precision.FLOAT16, Style.FUSED),
        "l4", True,
        "Reading a prompt on a small card, whose tensor cores are slow enough to fill the time.",
    ),
    Preset(
        "toy",
        Workload("toy", Mode.INFERENCE, 1, 5, Precision.FLOAT16, Style.CUPY_EAGER, tokenizer=True),
        "rtx4090", False,
        "Five tokens: the card waits for the next launch nearly all the time.",
    ),
    Preset(
        "decode-1",
        Workload("gpt2-124m", Mode.DECODE, 1, 1024, Precision.FLOAT16, Style.GRAPH),
        "h100", False,
        "Writing one token: each weight is loaded for a single multiplication.",
    ),
    Preset(
        "float32",
        Workload("gpt2-124m", Mode.TRAINING, 8, 1024, Precision.FLOAT32, Style.CUPY_EAGER),
        "h100", False,
        "CuPy as it comes: products in float32 never reach a tensor core.",
    ),
)  # fmt: skip

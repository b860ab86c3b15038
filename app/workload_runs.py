"""What the lanes of "3 Computing in AI" show: a modelled step, or a run that was measured.

Plain functions of plain data; ``app.workloads`` puts them beside shares and claims.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from engine import roofline
from engine.trace import Basis
from engine.units import Work
from engine.workload import Device, Group, Operation, Precision, Workload
from widgets.captions import Captions
from widgets.scenes.computing_units.subject import Elsewhere, Run, Span, Stretch

if TYPE_CHECKING:
    from engine.live import Measured
    from engine.roofline import Event, Modelled
    from engine.trace import Step

PRECISIONS = {
    Precision.FP8: "FP8",
    Precision.FLOAT16: "FP16",
    Precision.BFLOAT16: "BF16",
    Precision.TF32: "TF32",
    Precision.FLOAT32: "FP32",
}
# Roles whose name is shorter in a lane.
SHORT_ROLES = (
    "batch", "schedule", "tokenize", "ids.copy", "loss.copy", "loss.read", "token.copy",
    "token.read", "attn.residual", "mlp.residual",
)  # fmt: skip
CHAIN_STEPS = 4  # of a recurrent layer, that the lanes show
MOST_SHOWN = 40  # operations of one stretch


@lru_cache(maxsize=16)
def modelled_run(modelled: Modelled, say: Captions) -> Run:
    """Return the operations of a modelled step, one block for all that are alike."""
    ran = modelled.ran
    kernels, launches = _by_operation(modelled.events)
    order = [op for op in modelled.operations if op.name in kernels]
    hosts = [op for op in order if op.group is Group.HOST]
    device = [op for op in order if op.group is not Group.HOST]
    first = next((i for i, op in enumerate(order) if op.group is not Group.HOST), len(order))
    elsewhere = _elsewhere(modelled)
    before = [op for op in order[:first]]
    after = [op for op in hosts if op not in before]
    block = ran.size.blocks // 2
    stretches = [
        _stretch(group, ops, of_block, kernels, launches, elsewhere, say)
        for group, of_block, ops in _grouped(device, block)
        if ops
    ]
    return Run(
        basis=Basis.MODELLED,
        where=modelled.part.title,
        workload=said_as(ran, say),
        before=tuple(_span(op, kernels[op.name], 0.0, None, elsewhere, say) for op in before),
        stretches=tuple(stretches),
        after=tuple(_span(op, kernels[op.name], 0.0, None, elsewhere, say) for op in after),
        blocks=ran.size.blocks,
        on_cpu=modelled.part.device == Device.CPU,
    )


def said_as(workload: Workload, say: Captions) -> str:
    """Return a workload in words: "GPT-2 124M, training, 8 × 1024 tokens, FP16"."""
    return ", ".join(
        (
            workload.size.title,
            say(f"units.mode.{workload.mode}"),
            say("units.size", batch=workload.batch, tokens=workload.tokens),
            PRECISIONS[Precision(workload.precision)],
        )
    )


def _by_operation(
    events: Iterable[Event],
) -> tuple[dict[str, tuple[float, float]], dict[str, tuple[float, float]]]:
    """Return when each operation begins and ends, and its launches, by its name."""
    kernels: dict[str, tuple[float, float]] = {}
    launches: dict[str, tuple[float, float]] = {}
    for event in events:
        op = event.operation
        launch = event.work is Work.SEQUENTIAL and op.work is not Work.SEQUENTIAL
        rows = launches if launch else kernels
        start, end = rows.get(op.name, (event.start, event.start))
        rows[op.name] = (min(start, event.start), max(end, event.start + event.seconds))
    return kernels, launches


def _grouped(device: list[Operation], block: int) -> Iterable[tuple[str, int, list[Operation]]]:
    """Yield caption, block and operations of each stretch: of the blocks, which are alike, one."""
    forward = [op for op in device if op.group is Group.FORWARD]
    backward = [op for op in device if op.group is Group.BACKWARD]
    inside = [i for i, op in enumerate(forward) if op.block is not None]
    begins, ends = (inside[0], inside[-1] + 1) if inside else (0, 0)
    back = [i for i, op in enumerate(backward) if op.block is not None]
    yield "embed", -1, forward[:begins]
    yield "forward", block, [op for op in forward if op.block == block][:MOST_SHOWN]
    answered = forward[ends:] + (backward[: back[0]] if back else [])
    yield "answer", -1, answered
    yield "backward", block, [op for op in backward if op.block == block][:MOST_SHOWN]
    tail = backward[back[-1] + 1 :] if back else []
    yield "update", -1, [*tail, *(op for op in device if op.group is Group.UPDATE)]


def _stretch(
    group: str,
    ops: Sequence[Operation],
    block: int,
    kernels: dict[str, tuple[float, float]],
    launches: dict[str, tuple[float, float]],
    elsewhere: dict[str, tuple[Elsewhere, ...]],
    say: Captions,
) -> Stretch:
    """Return the operations of a stretch on its own clock, and how far the host is ahead."""
    ops = _few(ops)
    zero = min(kernels[op.name][0] for op in ops)
    launched = [launches[op.name] for op in ops if op.name in launches]
    host_zero = min((start for start, _ in launched), default=zero)
    spans = []
    for op in ops:
        launch = None
        if op.name in launches:
            start, end = launches[op.name]
            launch = (start - host_zero, end - start)
        spans.append(_span(op, kernels[op.name], zero, launch, elsewhere, say))
    return Stretch(group, tuple(spans), block, max(zero - host_zero, 0.0))


def _few(ops: Sequence[Operation]) -> Sequence[Operation]:
    """Return the operations of a stretch, of a chain its first steps."""
    steps = [op for op in ops if ".h." in op.name and any(c.isdigit() for c in op.name)]
    if len(steps) <= 2 * CHAIN_STEPS:
        return ops
    kept = set(id(op) for op in steps[: 2 * CHAIN_STEPS])
    return [op for op in ops if op not in steps or id(op) in kept]


def label_of(op: Operation, say: Captions) -> str:
    """Return what an operation is called in its lane, as mark-up of ``widgets.equation``."""
    role = op.role.removesuffix(".backward")
    if role in SHORT_ROLES:
        short = role.replace(".", "-")
        return say(f"units.op.{short}")
    return op.label.removesuffix(", backward")


def _span(
    op: Operation,
    when: tuple[float, float],
    zero: float,
    launch: tuple[float, float] | None,
    elsewhere: dict[str, tuple[Elsewhere, ...]],
    say: Captions,
) -> Span:
    start, end = when
    operands = {o.letter: o.shape for o in (*op.operands, op.result)}
    return Span(
        name=op.name,
        label=label_of(op, say),
        work=op.work,
        start=start - zero,
        seconds=end - start,
        equation=op.equation,
        shapes=tuple(operands.items()),
        flops=op.cost.flops,
        bytes=op.cost.bytes,
        kernels=op.calls,
        launch=launch,
        elsewhere=elsewhere.get(op.name, ()),
        why=op.why,
    )


def _elsewhere(modelled: Modelled) -> dict[str, tuple[Elsewhere, ...]]:
    """Return what each product would take in the other precisions that the part computes in."""
    found: dict[str, list[Elsewhere]] = {}
    if modelled.kernels > roofline.MANY:
        return {}
    for precision, label in PRECISIONS.items():
        if precision == modelled.ran.precision or modelled.part.runs(precision) is not precision:
            continue
        other = roofline.model(replace(modelled.workload, precision=precision), modelled.part)
        kernels, _ = _by_operation(other.events)
        works = {op.name: op.work for op in other.operations}
        for name, (start, end) in kernels.items():
            found.setdefault(name, []).append(Elsewhere(label, end - start, works[name]))
    return {name: tuple(rows) for name, rows in found.items()}


# ------------------------------------------------------------------ measured

# Steps of a run that have a name of their own in the lanes, by the end of their name.
STEPS = (
    "q-product",
    "k-product",
    "v-product",
    "scores-product",
    "scores",
    "pattern",
    "z",
    "concat",
    "sum",
    "bias",
    "out-product",
    "pre-product",
    "mlp-out",
    "act",
    "norm",
    "norm1",
    "norm2",
    "residual",
    "x",
    "logits",
)  # fmt: skip


def measured_run(
    measured: Measured, workload: Workload, say: Captions, device: str = ""
) -> Run:  # fmt: skip
    """Return a run of this machine as the lanes show it: each operation as long as it took.

    ``device`` is the GPU that it ran on, "" for this CPU.

    Operations are drawn one behind the other; the Python between them stands as one, behind all.
    """
    block = workload.size.blocks // 2
    parts: list[tuple[str, int, list[Step]]] = [
        ("embed", -1, [s for s in measured.worked if s.stage == "embed"]),
        ("forward", block, [s for s in measured.worked if s.stage.startswith(f"blocks.{block}.")]),
        ("answer", -1, [s for s in measured.worked if s.stage == "answer"]),
    ]
    between = measured.seconds - sum(step.timing.seconds for step in measured.worked)
    python = Span("python", say("units.python"), Work.SEQUENTIAL, 0.0, max(between, 0.0),
                  why=say("units.why_python"))  # fmt: skip
    stretches = []
    for group, of, steps in parts:
        clock, spans = 0.0, []
        for step in steps:
            seconds = step.timing.seconds
            work = Work(step.timing.unit.value)
            spans.append(Span(
                f"cpu.{step.name}", _step_label(step, say), work, clock, seconds, step.equation,
                (("value", step.value.shape),), step.cost.flops, step.cost.bytes,
                why=say(f"units.why_{'gpu' if device else 'cpu'}.{work}"),
            ))  # fmt: skip
            clock += seconds
        if spans:
            stretches.append(Stretch(group, tuple(spans), of))
    words = (
        f"{workload.size.title}, {say('units.size', batch=workload.batch, tokens=workload.tokens)}"
    )
    return Run(Basis.MEASURED, device or say("units.this_cpu"), words, (),
               tuple(stretches), (python,), workload.size.blocks, not device)  # fmt: skip


def _step_label(step: Step, say: Captions) -> str:
    from engine.ops import OPS

    parts_ = step.name.split(".")
    tail = "-".join(parts_[-2:]) if parts_[-1] == "product" else parts_[-1]
    if step.op == "add" and tail in ("out", "pre"):
        tail = "bias"
    if tail == "out-product" and "mlp" in parts_:
        tail = "mlp-out"
    return say(f"units.step.{tail}").replace("ᵀ", "^⊤") if tail in STEPS else OPS[step.op].label

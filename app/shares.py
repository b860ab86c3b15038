"""``unrolled shares``: what the time of one step goes to, modelled for a part, beside the claim."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from engine.said import Said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.parts import Part
    from engine.roofline import Modelled
    from engine.workload import Workload

LONGEST = 5  # operations that are listed

# Written here and not asked of the engine, so that help needs nothing heavy; a test compares.
MODELS = "toy, stage, block-192, gpt2-124m, 7b, gpt3-layer, stage-rnn, gru-124m, lstm-124m"
PRESET_IDS = "gpt3-layer, l4-prefill, toy, decode-1, float32"
EXAMPLES = """examples:
  unrolled shares --model gpt2-124m --mode training --part h100 --style fused --precision fp16
  unrolled shares --preset decode-1 --fold
  unrolled shares --model stage --mode inference --style cupy-eager --part this --json
"""


class SharesError(Said):
    """What was asked for and cannot be modelled, in one sentence."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what can be asked for; everything that is left out is as in the chapter."""
    add = parser.add_argument
    add("--preset", default="", metavar="ID", help=f"to begin with: {PRESET_IDS}")
    add("--model", default="", metavar="ID", help=f"{MODELS}; gpt2-124m by default")
    add("--mode", default="", metavar="M", help="training, inference (reading) or decode (writing)")
    add("--part", default="", metavar="ID", help="t4, l4, rtx4090, a100, h100, h200, b200, "
        "desktop-cpu, or this: the machine at hand, measured in 2 s and remembered")  # fmt: skip
    add("--measure", action="store_true", help="with --part this: measure it anew")
    add("--style", default="", metavar="S", help="cupy-eager, framework-eager, fused or graph")
    add("--precision", default="", metavar="P", help="fp32, tf32, fp16, bf16 or fp8")
    add("--batch", type=int, metavar="B", help="sequences at once")
    add("--tokens", type=int, metavar="T", help="of each; of decode those before the new one")
    add("--every", type=int, metavar="K", help="the optimizer steps after K micro-batches")
    add("--parallel", type=int, metavar="N", help="one of N cards that share every product")
    add("--tokenizer", action="store_true", help="turning text into ids waits before the step")
    add("--fold", action="store_true", help="count copies and idle time as sequential")
    add("--json", action="store_true")


def asked(given: argparse.Namespace) -> tuple[Workload, Part]:
    """Return the step and the part that were asked for.

    Raises
    ------
    engine.said.Said
        When one of them cannot be.
    """
    from dataclasses import replace

    from app.workloads import chosen_from
    from engine import parts

    here = given.part == parts.THIS
    if given.measure and not here:
        raise SharesError(
            "Only this machine can be measured here; give --part this with --measure."
        )
    names = ("preset", "model", "mode", "style", "precision")
    chosen = chosen_from(
        **{name: getattr(given, name) for name in names}, part="" if here else given.part
    )
    numbers = {name: getattr(given, name) for name in ("batch", "tokens", "every", "parallel")}
    numbers = {name: number for name, number in numbers.items() if number is not None}
    workload = replace(chosen.workload, **numbers)
    if given.tokenizer:
        workload = replace(workload, tokenizer=True)
    if not here:
        return workload, parts.load(chosen.part)
    from app import this_machine

    found, problem = this_machine.part(this_machine.place(), anew=given.measure)
    if problem:
        print(problem, file=sys.stderr)
    return workload, found


def as_data(modelled: Modelled, *, fold: bool = False) -> dict[str, Any]:
    """Return a modelled step as what JSON can hold.

    The kinds of work are whole per cents of wall time that add up to exactly 100; ``range`` are
    their bounds, in per cent, under the model's assumptions.
    """
    from engine.claims import causes, claim_of
    from engine.units import Work
    from widgets.numbers import percents

    workload = modelled.workload
    found = modelled.folded if fold else modelled.shares
    low, high = found.low or {}, found.high or {}
    claim = claim_of(workload)
    named = {
        field: str(getattr(workload, field)) for field in ("model", "mode", "style", "precision")
    }
    numbers = {
        field: getattr(workload, field) for field in ("batch", "tokens", "every", "parallel")
    }
    order = (Work.SEQUENTIAL, Work.STREAM, Work.MATRIX, Work.COPY, Work.IDLE, Work.UNCLASSIFIED)
    works = [work for work in order if work in found.parts]
    whole = zip(works, percents(found[work] for work in works), strict=True)
    return {
        **named,
        **numbers,
        "computed_in": str(modelled.ran.precision),
        "part": modelled.part.id,
        "part_title": modelled.part.title,
        "basis": str(found.basis),
        "path": found.path,
        "seconds": modelled.seconds,
        "seconds_range": [modelled.seconds_low, modelled.seconds_high],
        **{str(work): percent for work, percent in whole},
        "range": {str(work): [_percent(low[work]), _percent(high[work])] for work in works},
        "flops": {str(work): _percent(part) for work, part in modelled.flop_parts.items()},
        "pipe_active": _percent(modelled.pipe_active),
        "kernels": modelled.kernels,
        "memory_bytes": round(modelled.ran.memory),
        "claim": {str(work): _percent(part) for work, part in claim.parts.items()},
        "claim_at_least": [str(work) for work in claim.beyond],
        "claim_source": claim.source,
        "claim_holds": claim.holds(modelled.shares),
        "causes": [
            {"name": cause.name, "sentence": cause.sentence, "value": cause.value}
            for cause in causes(modelled)
        ],
        "longest": [
            {"name": timed.role, "label": timed.operation.label, "count": timed.count,
             "work": str(timed.operation.work), "seconds": timed.seconds,
             "bound": str(timed.bound), "why": timed.operation.why}
            for timed in modelled.longest(LONGEST)
        ],
        "notes": list(modelled.notes),
    }  # fmt: skip


def report(data: dict[str, Any]) -> str:
    """Return the same for people: a table of shares beside the claim, and why they differ."""
    from engine.units import Work
    from widgets.numbers import seconds

    low, high = (seconds(each) for each in data["seconds_range"])
    lines = [
        f"{data['model']}, {data['mode']}, {data['batch']} × {data['tokens']} tokens, "
        f"{data['computed_in']}, {data['style']}, on {data['part_title']}",
        f"{data['basis']} ({data['path']}): ≈ {seconds(data['seconds'])} a step, {low} … {high}",
        "",
    ]
    folded = Work.COPY not in data
    rows: list[tuple[str, ...]] = [("", "time", "range", "claimed", "FLOPs")]
    for work in data["range"]:
        least, most = data["range"][work]
        claimed = f"{data['claim'][work]:.0f}" if work in data["claim"] else ""
        claimed += "+" if work in data["claim_at_least"] else ""
        claimed += " *" if work == Work.SEQUENTIAL and not folded else ""
        flops = f"{data['flops'][work]:.1f} %" if work in data["flops"] else ""
        rows.append((work, f"{data[work]} %", f"{least:.0f} … {most:.0f}", claimed, flops))
    lines.append(columns(rows))
    if not folded:
        lines.append("* the claim counts copies and idle time as sequential, as --fold does")
    lines.append("")
    if data["pipe_active"] > 0:
        lines.append(f"tensor pipe active {max(data['pipe_active'], 0.01):.3g} % of the time")
    lines += [f"{cause['name']}: {cause['sentence']}" for cause in data["causes"]]
    if data["claim_holds"]:
        lines.append(f"Nearly what the {data['claim_source']} claims.")
    lines += data["notes"]
    rows = [("longest", "", "time", "waits for")]
    for timed in data["longest"]:
        many = f"{timed['count']} ×" if timed["count"] > 1 else ""
        rows.append((timed["name"], many, seconds(timed["seconds"]), timed["bound"]))
    return "\n".join([*lines, "", columns(rows)])


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as lines whose columns stand under each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _percent(part: float) -> float:
    return round(100 * part, 2)

"""The claims: no statement of the course text is left out, and verdicts follow from numbers."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

import pytest

from engine.statements import (
    FOUR,
    GROUPS,
    ONE,
    STATEMENTS,
    THREE,
    TWO,
    Known,
    Layers,
    Numbers,
    Pairs,
    Step,
    Times,
    Verdict,
    counts,
    judge,
)

# Every line of the course text that states something, by the label it has there, or its first
# words, and the rows that answer it.
LINES = {
    ONE: {
        "Linear flow": ("one-at-a-time",),
        "Hidden states": ("one-at-a-time",),
        "Attention weights": ("importance",),
        "Bottleneck": ("bottleneck", "one-at-a-time"),
        "Matrix layout": ("all-pairs",),
        "Self-attention": ("all-pairs",),
        "Multi-head": ("five-heads",),
        "Position encoding": ("positions",),
        "Processing Pattern, RNN": ("parallel-freedom",),
        "Processing Pattern, Transformer": ("parallel-freedom",),
        "Information Flow, RNN": ("single-path",),
        "Information Flow, Transformer": ("five-heads",),
        "Attention Mechanism, RNN": ("existing",),
        "Attention Mechanism, Transformer": ("direct",),
        "Contrasting layouts": ("design",),
        "Color coding": ("design",),
        "Clear labels": ("design",),
        "Visual metaphors": ("design",),
        "The grid vs chain visualization": ("design", "faster", "scalable"),
        "fundamental shift from sequential to parallel": ("parallel-freedom", "design"),
        "massive parallelization": ("scalable",),
        "long-range dependencies": ("long-range",),
    },
    TWO: {
        "3 Processing Types": ("three-types",),
        "1. Hardware": ("three-types", "host"),
        "1. Function": ("host",),
        "1. Workload Share": ("training", "inference"),
        "2. Hardware": ("three-types", "cuda-cores"),
        "2. Function, Vector/Scalar": ("cuda-cores",),
        "2. Function, memory management": ("memory",),
        "2. Workload Share": ("training", "inference"),
        "3. Hardware": ("three-types", "mixed"),
        "3. Function, Mixed-precision": ("mixed",),
        "3. Function, Sparse": ("sparse",),
        "3. Workload Share": ("training", "inference"),
        "Key Insight, majority": ("majority",),
        "Key Insight, core operation": ("core",),
        "Key Insight, key component": ("key",),
    },
    THREE: {
        "1. Data Types": ("shapes",),
        "2. Sequential processing": ("cpu-order",),
        "2. in order": ("cpu-order",),
        "2. scalar data": ("cpu-scalars",),
        "3. Parallel processing": ("gpu-many",),
        "3. simultaneously": ("gpu-many",),
        "3. multi-dimensional data": ("gpu-large",),
        "The image demonstrates": ("cpu-order", "gpu-many"),
        "complexity and volume": ("volume",),
        "Complex and large-scale data": ("gpu-large",),
        "simple, sequential tasks": ("cpu-simple",),
    },
    FOUR: {
        "Theory Driven": ("theory-data",),
        "Programmable with Design": ("design-learn",),
        "Sequential by CPU": ("rule-in-order",),
        "Precise": ("precise",),
        "Explainable": ("explains",),
        "Data Driven": ("theory-data",),
        "Deep Learning with Learn": ("design-learn", "learns"),
        "Parallel by GPU": ("network-parallel",),
        "Approximate": ("approximate",),
        "Unexplainable": ("black-box", "sure"),
        "Summary, rules designed by humans": ("design-learn", "explains"),
        "Summary, learns patterns": ("learns", "network-parallel"),
        "Summary, black box": ("black-box",),
    },
}

TRAINED = (0.99, 0.98, 0.99)
STEPS = (
    Step("large", "training", 0.85, 0.88, 0.99, 0.99, True),
    Step("plain", "training", 0.85, 0.0, 0.99, 0.0, False),
    Step("prompt", "inference", 0.65, 0.67, 0.98, 0.98, True),
)
FULL = Numbers(
    depths=((1, 14, 40), (5, 26, 40), (128, 395, 40)), tokens=5, memory=Pairs(16, 200),
    links=Pairs(25, 15), heads=(5, 1), looks_back=Pairs(16, 19), path=Pairs(5, 1),
    dimensions=(0, 1, 2, 3), order=(4e-7, 0.9, 0.8), weights=Pairs(9, 12),
    times=(Times(8, 1e-4, 2e-4), Times(64, 9e-4, 4e-4), Times(256, 4e-3, 1e-3)),
    longest=Layers(2048, (6144, 8), (34_000_000, 1_300_000_000)),
    role=("subject", 1.0), steps=STEPS, host=(4, 0), allocating=(0, 800), sparse=0,
    halved=Pairs(2.0, 1.0), gpu_here=False, threads=2, at_once=390.0, order_cost=Pairs(8e-6, 9e-6),
    sides=Pairs(43.0, 117.0), chain_gpu=Pairs(6e-6, 9e-5), volumes=Pairs(80_000.0, 6_400.0),
    bottleneck={"rnn": (0.1,), "gru": (0.2,), "lstm": (0.3, 0.4), "gru-luong": TRAINED,
                "transformer": (1.0, 0.99)},
    recalled={"rnn": (0.0,), "gru": (0.0,), "lstm": (0.01,), "transformer": (1.0, 0.0, 1.0)},
    rule={"clean": 1.0, "typo": 0.24, "out-of-range": 1.0, "exceptions": 0.0},
    network={"clean": (1.0, 0.98), "out-of-range": (0.2, 0.15), "typo": (0.8,),
             "exceptions": (1.0, 1.0)},
    sure_when_wrong=0.8, examples=(0, 102_400), learned=(26, 1600), ran=(10, True),
    seconds=(3e-6, 3e-6, 5e-3, 3e-4), batch=256, day="2026-11-24", part="H100",
)  # fmt: skip
HOLDS, IF, PICTURE = Verdict.HOLDS, Verdict.IF, Verdict.PICTURE
# Statement, numbers that are others, and the verdict then: on both sides of every rule.
TURNS: tuple[tuple[str, dict[str, Any], Verdict], ...] = (
    ("one-at-a-time", {}, HOLDS),
    ("one-at-a-time", {"depths": ((1, 9, 9), (128, 9, 9))}, PICTURE),
    ("importance", {}, IF),
    ("importance", {"weights": Pairs(11, 12)}, HOLDS),
    ("importance", {"weights": Pairs(5, 12)}, PICTURE),
    ("bottleneck", {}, IF),
    ("bottleneck", {"bottleneck": {**FULL.bottleneck, "lstm": (0.95,)}}, PICTURE),  # type: ignore[dict-item]
    ("bottleneck", {"bottleneck": {**FULL.bottleneck, "gru-luong": (0.5,)}}, HOLDS),  # type: ignore[dict-item]
    ("all-pairs", {}, IF),
    ("all-pairs", {"links": Pairs(25, 25)}, HOLDS),
    ("all-pairs", {"links": Pairs(20, 15)}, PICTURE),
    ("five-heads", {}, HOLDS),
    ("five-heads", {"heads": (5, 5)}, PICTURE),
    ("positions", {}, HOLDS),
    ("positions", {"order": (0.2, 0.9, 0.8)}, PICTURE),
    ("positions", {"order": (4e-7, 0.0, 0.8)}, PICTURE),
    ("parallel-freedom", {}, HOLDS),
    ("parallel-freedom", {"depths": ((1, 14, 40), (128, 395, 41))}, PICTURE),
    ("single-path", {}, IF),
    ("single-path", {"looks_back": Pairs(16, 0)}, HOLDS),
    ("existing", {}, HOLDS),
    ("existing", {"looks_back": Pairs(16, 12)}, PICTURE),
    ("direct", {}, HOLDS),
    ("direct", {"path": Pairs(5, 2)}, PICTURE),
    ("design", {}, PICTURE),
    ("faster", {}, IF),
    ("faster", {"times": (Times(5, 2e-4, 1e-4), Times(64, 9e-4, 4e-4))}, HOLDS),
    ("faster", {"times": (Times(5, 2e-4, 1e-4), Times(64, 1e-4, 4e-4))}, IF),
    ("faster", {"times": (Times(5, 1e-4, 2e-4), Times(64, 1e-4, 4e-4))}, PICTURE),
    ("scalable", {}, IF),
    ("scalable", {"longest": Layers(2048, (6144, 8), (34, 34))}, HOLDS),
    ("scalable", {"longest": Layers(2048, (8, 8), (34, 34))}, PICTURE),
    ("long-range", {}, IF),
    ("long-range", {"bottleneck": {**FULL.bottleneck, "gru-luong": (0.5,)}}, IF),  # type: ignore[dict-item]
    (
        "long-range",
        {
            "bottleneck": {**FULL.bottleneck, "gru-luong": (0.5,)},  # type: ignore[dict-item]
            "recalled": {"gru": (0.1,), "transformer": (1.0, 0.9)},
        },
        HOLDS,
    ),
    ("long-range", {"recalled": {"gru": (0.95,), "transformer": (1.0, 0.9)}}, PICTURE),
    ("long-range", {"bottleneck": {**FULL.bottleneck, "lstm": (0.95,)}}, PICTURE),  # type: ignore[dict-item]
    ("three-types", {}, IF),
    ("three-types", {"gpu_here": True}, HOLDS),
    ("host", {}, HOLDS),
    ("host", {"host": (4, 12)}, PICTURE),
    ("training", {}, IF),
    ("training", {"steps": STEPS[:1]}, HOLDS),
    ("training", {"steps": STEPS[1:2]}, PICTURE),
    ("inference", {}, HOLDS),
    ("inference", {"steps": (STEPS[2]._replace(agrees=False),)}, PICTURE),
    ("cuda-cores", {}, IF),
    ("cuda-cores", {"steps": STEPS[:1]}, HOLDS),
    ("memory", {}, PICTURE),
    ("memory", {"allocating": (1, 800)}, HOLDS),
    ("mixed", {}, IF),
    ("mixed", {"steps": STEPS[:1]}, HOLDS),
    ("mixed", {"steps": STEPS[1:2]}, PICTURE),
    ("sparse", {}, PICTURE),
    ("sparse", {"sparse": 3}, IF),
    ("majority", {}, IF),
    ("majority", {"steps": STEPS[:1]}, HOLDS),
    ("majority", {"steps": STEPS[1:2]}, PICTURE),
    ("core", {}, HOLDS),
    ("core", {"steps": (STEPS[0]._replace(of_flops=0.4),)}, PICTURE),
    ("key", {}, IF),
    ("key", {"halved": Pairs(1.2, 1.0)}, PICTURE),
    ("shapes", {}, HOLDS),
    ("shapes", {"dimensions": (1, 2)}, PICTURE),
    ("cpu-order", {}, PICTURE),
    ("cpu-order", {"threads": 1, "at_once": 1.1}, HOLDS),
    ("cpu-scalars", {}, PICTURE),
    ("cpu-scalars", {"at_once": 1.1}, HOLDS),
    ("gpu-many", {}, IF),
    ("gpu-many", {"order_cost": Pairs(8e-6, 9e-5)}, PICTURE),
    ("gpu-large", {}, IF),
    ("gpu-large", {"sides": Pairs(0.0, 0.0)}, HOLDS),
    ("gpu-large", {"sides": Pairs(math.inf, math.inf)}, PICTURE),
    ("gpu-large", {"sides": Pairs(43.0, math.inf)}, IF),
    ("cpu-simple", {}, HOLDS),
    ("cpu-simple", {"chain_gpu": Pairs(6e-4, 9e-5)}, PICTURE),
    ("volume", {}, HOLDS),
    ("volume", {"volumes": Pairs(80_000.0, 80_000.0)}, PICTURE),
    ("volume", {"volumes": Pairs(math.inf, 80_000.0)}, PICTURE),
    ("theory-data", {}, HOLDS),
    ("theory-data", {"examples": (10, 102_400)}, PICTURE),
    ("design-learn", {}, HOLDS),
    ("design-learn", {"learned": (26, 0)}, PICTURE),
    ("learns", {}, HOLDS),
    ("learns", {"network": {**FULL.network, "exceptions": (1.0, 0.5)}}, PICTURE),  # type: ignore[dict-item]
    ("rule-in-order", {}, HOLDS),
    ("rule-in-order", {"seconds": (3e-6, 1e-6, 5e-3, 3e-4)}, PICTURE),
    ("network-parallel", {}, IF),
    ("network-parallel", {"seconds": (3e-6, 3e-6, 5e-3, 4e-3)}, PICTURE),
    ("precise", {}, IF),
    ("precise", {"rule": {"clean": 1.0, "typo": 0.95}}, HOLDS),
    ("precise", {"rule": {"clean": 0.5, "typo": 0.2}}, PICTURE),
    ("explains", {}, HOLDS),
    ("explains", {"ran": (10, False)}, PICTURE),
    ("approximate", {}, IF),
    ("approximate", {"network": {"clean": (0.8,), "out-of-range": (0.2,)}}, HOLDS),
    ("approximate", {"network": {"clean": (1.0,), "out-of-range": (0.95,)}}, PICTURE),
    ("sure", {}, HOLDS),
    ("sure", {"sure_when_wrong": 0.3}, PICTURE),
    ("black-box", {}, IF),
    ("black-box", {"role": ("subject", 0.6)}, HOLDS),
)


def test_every_line_of_the_course_text_has_its_rows_and_every_row_its_lines() -> None:
    assert tuple(LINES) == GROUPS
    of_group = {g: {each.id for each in STATEMENTS if each.group == g} for g in GROUPS}
    for group, lines in LINES.items():
        answered = {id for ids in lines.values() for id in ids}
        assert answered == of_group[group], answered ^ of_group[group]


def test_rows_are_told_apart_and_stand_by_chapter() -> None:
    ids = [each.id for each in STATEMENTS]
    assert len(set(ids)) == len(ids)
    groups = [each.group for each in STATEMENTS]
    assert groups == sorted(groups, key=GROUPS.index)


def test_every_need_is_a_number_and_every_number_is_needed() -> None:
    known = {f.name for f in fields(Numbers)} - {"batch", "day", "part"}
    needed = {name for each in STATEMENTS for name in each.needs}
    assert needed == known


@pytest.mark.parametrize(("id", "others", "verdict"), TURNS)
def test_a_verdict_turns_with_its_numbers(
    id: str, others: dict[str, Any], verdict: Verdict
) -> None:
    numbers = replace(FULL, **others)
    found = next(each for each in STATEMENTS if each.id == id).judge(numbers)
    assert found.verdict == verdict
    if verdict == IF:
        assert found.condition


def test_every_rule_is_tried_on_both_sides() -> None:
    verdicts: dict[str, set[Verdict]] = {each.id: set() for each in STATEMENTS}
    for id, _, verdict in TURNS:
        verdicts[id].add(verdict)
    one_sided = {id for id, found in verdicts.items() if len(found) < 2}
    assert one_sided == {"design"}  # of which no number decides


def test_what_is_missing_leaves_its_statements_open_and_no_others() -> None:
    empty = [row.statement.id for row in judge(Numbers()) if row.finding is not None]
    assert empty == ["design"]
    for row in judge(replace(FULL, times=None, steps=None)):
        open_ = bool({"times", "steps"} & set(row.statement.needs))
        assert (row.finding is None) == open_


def test_the_counts_are_those_of_the_rows() -> None:
    rows = judge(FULL)
    found = counts(rows)
    assert sum(found.values()) == len(STATEMENTS)
    for verdict in Verdict:
        of = [r for r in rows if r.finding is not None and r.finding.verdict == verdict]
        assert found[verdict] == len(of)


def test_a_modelled_number_says_so_and_no_other_does() -> None:
    for row in judge(FULL):
        assert row.finding is not None
        modelled = row.finding.known == Known.MODELLED
        assert row.finding.number.startswith("≈") == modelled, row.statement.id


def test_per_cents_are_whole_only_where_they_are() -> None:
    row = next(r for r in judge(replace(FULL, order=(4e-7, 0.9973, 0.8)))
               if r.statement.id == "positions")  # fmt: skip
    assert row.finding is not None
    assert row.finding.number == "99.7 %"

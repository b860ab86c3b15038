"""What a run keeps from one tick to a later one, against the memory that its steps share."""

from __future__ import annotations

import numpy as np
import pytest

from app.compute import make_pair
from engine.trace import Trace
from widgets import counters


def owners(trace: Trace) -> dict[str, str]:
    """Return for each step the first one whose memory it shows: a view, what it is a view of."""
    found: dict[str, str] = {}
    for step in trace.steps:
        read = [trace.step(name) for name in step.reads if name in trace]
        shown = [other.name for other in read if np.shares_memory(other.value, step.value)]
        found[step.name] = found[shown[0]] if shown else step.name
    return found


@pytest.mark.parametrize(
    ("chain", "grid"),
    [("rnn", "transformer"), ("gru-bi", "transformer-causal"), ("lstm", "transformer"),
     ("rnn-plain-50k", "transformer")],
)  # fmt: skip
@pytest.mark.parametrize("side", ["chain", "grid"])
def test_what_is_kept_is_read_last_where_it_says_also_through_a_view_and_is_counted_once(
    chain: str, grid: str, side: str
) -> None:
    trace = make_pair("the small birds behind the house ___", chain, grid).pair.side(side)
    owner = owners(trace)
    last: dict[str, int] = {}
    for step in trace.steps:
        for name in step.reads:
            if name in trace and owner[name] != owner[step.name]:
                tick = trace.ticks[step.stage]
                last[owner[name]] = max(tick, last.get(owner[name], 0))
    told: dict[str, int] = {}
    for entry in counters.kept(trace):
        for step, stage in zip(entry.steps, entry.read, strict=True):
            assert owner[step.name] not in told, f"{step.name} is counted twice"
            told[owner[step.name]] = trace.ticks[stage.name]
    made = {name: trace.ticks[trace.step(name).stage] for name in last}
    expected = {name: tick for name, tick in last.items() if made[name] < tick}
    assert told == {name: tick for name, tick in expected.items() if trace.value(name).ndim}

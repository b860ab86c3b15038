"""Traces: ticks and depth from reads, equality, elements by name, and the file."""

from __future__ import annotations

import gc
import io
import itertools
import json
import math
import struct
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.cells import CELLS
from engine.models import Config, Model, initialise, run
from engine.ops import Ops
from engine.tape import Tape
from engine.trace import (
    DEPTHLESS,
    Basis,
    Cost,
    Facts,
    Later,
    Pair,
    Stage,
    Step,
    Timing,
    Trace,
    TraceError,
    Unit,
    load,
    save,
)


def step(name: str, stage: str, *reads: str, op: str = "add", value: Any = (1.0, 2.0)) -> Step:
    return Step(
        name=name,
        op=op,
        stage=stage,
        value=np.array(value),
        axes=("token",),
        equation="",
        reads=reads,
        cost=Cost(2, 24),
        timing=Timing(1e-6, Unit.STREAM),
    )


def trace(*steps: Step) -> Trace:
    names = dict.fromkeys(s.stage for s in steps)
    return Trace(
        facts=Facts(model="hand", title="By hand", kind="grid"),
        tokens=("a", "b"),
        hidden=1,
        vocabulary=("a", "b"),
        stages=tuple(Stage(name, name, "") for name in names),
        steps=steps,
        parameters={"W": np.ones(2)},
    )


CHAIN = Config(kind="chain", words=4, embedding=3, width=5, cell="lstm", attention=True)
GRID = Config(kind="grid", words=4, embedding=4, width=4, heads=2, layers=2, mlp=6, causal=True)
ROLES = [[["subject", 0.99], ["next", 0.6]], [["mixed", 0.2], ["previous", 0.7]]]


def computed(config: Config, dtype: Any = np.float32) -> Trace:
    parameters = initialise(config, np.random.default_rng(0), dtype)
    card = {"trained_length": 2, "roles": ROLES}
    model = Model("it", config, parameters, ("the", "cat", "sleeps", "“”"), card)
    return run(model, [0, 1, 3], hidden=2, ops=Ops(), words=("the", "cat", "___"))


# ---- ticks, depth, cost ------------------------------------------------------------------------


def test_the_tick_of_a_stage_is_its_longest_path() -> None:
    made = trace(
        step("a", "one"),
        step("b", "two", "a"),
        step("c", "three", "b"),
        step("d", "four", "a", "c"),  # one step from "one", three by the long way
    )
    assert made.ticks == {"one": 0, "two": 1, "three": 2, "four": 3}
    assert made.last_tick == 3


def test_steps_of_one_stage_share_its_tick() -> None:
    made = trace(step("a", "one"), step("b", "one", "a"), step("c", "two", "b"))
    assert made.ticks == {"one": 0, "two": 1}


def test_parameters_take_no_tick() -> None:
    assert trace(step("a", "one", "W")).ticks == {"one": 0}


def test_each_tick_lights_its_stage() -> None:
    made = trace(step("a", "one"), step("b", "two", "a"))
    assert {tick: stage.name for tick, stage in made.stage_at.items()} == {0: "one", 1: "two"}


def test_depth_counts_operations_and_no_views() -> None:
    made = trace(
        step("a", "one", op="input"),
        step("b", "one", "a"),
        step("c", "one", "b", op="view"),
        step("d", "one", "a", "c"),
    )
    assert made.depths == {"a": 0, "b": 1, "c": 1, "d": 2}
    assert made.depth == 2


def test_the_longest_chain_goes_through_what_is_waited_for_and_counts_no_views() -> None:
    made = trace(
        step("a", "one", op="input"),
        step("b", "one", "a"),  # 1
        step("c", "one", "b", op="view"),  # 1
        step("d", "two", "a", "c"),  # 2, and not by a
        step("e", "two", "a", "W"),  # 1
        step("f", "two", "d"),  # 3, as long as g: the first that is read
        step("g", "two", "d"),  # 3
        step("h", "three", "e", "f", "g"),  # 4
        step("i", "three", "h", op="view"),  # 4, and no longer than h
    )
    assert [s.name for s in made.longest] == ["a", "b", "c", "d", "f", "h"]
    assert trace(step("a", "one", op="input")).longest == (step("a", "one", op="input"),)


@pytest.mark.parametrize("config", [CHAIN, GRID], ids=["chain", "grid"])
def test_each_step_of_the_longest_chain_reads_the_one_before_it(config: Config) -> None:
    made = computed(config)
    for before, after in itertools.pairwise(made.longest):
        assert before.name in after.reads
    assert sum(s.op not in DEPTHLESS for s in made.longest) == made.depth
    assert made.longest[-1].name == "answer.word"


def test_work_is_the_sum_over_all_steps() -> None:
    assert trace(step("a", "one"), step("b", "two", "a")).flops == 4


def test_steps_of_a_stage_in_order() -> None:
    made = trace(step("a", "one"), step("b", "two", "a"), step("c", "two", "a"))
    assert [s.name for s in made.steps_of("two")] == ["b", "c"]


def test_a_value_is_that_of_a_step_or_a_parameter() -> None:
    made = trace(step("a", "one"))
    assert made.value("a").tolist() == [1.0, 2.0]
    assert made.value("W").tolist() == [1.0, 1.0]
    with pytest.raises(KeyError):
        made.value("b")


def test_the_answer_is_sorted_and_keeps_the_order_of_equals() -> None:
    p = step("answer.probabilities", "answer", value=[0.25, 0.25, 0.5])
    made = replace(trace(p), vocabulary=("a", "b", "c"))
    assert made.answer(3) == (("c", 0.5), ("a", 0.25), ("b", 0.25))


# ---- a recurrence ------------------------------------------------------------------------------


def round_by_round(
    self: Tape, over: Any, state: Any, given: Any, *, stage: Any, body: Any
) -> dict[str, list[Any]]:
    """Stand in for ``Tape.recur``: every round is recorded as it runs."""
    states: dict[str, list[Any]] = {letter: [] for letter in state}
    for t in over:
        begun = stage(t)
        with self.stage(begun.name, begun.title, begun.equation):
            state = body(t, state)
        for letter, it in state.items():
            states[letter].append(it)
    return states


@pytest.mark.parametrize("batch", [(), (3,)], ids=["alone", "batch"])
@pytest.mark.parametrize(
    "layers", [{}, {"layers": 2}, {"layers": 2, "bidirectional": True}], ids=str
)
@pytest.mark.parametrize("cell", CELLS)
def test_a_recurrence_is_what_its_rounds_are_one_by_one(
    cell: str, layers: dict[str, Any], batch: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(kind="chain", words=9, embedding=3, width=5, cell=cell, **layers)
    rng = np.random.default_rng(0)
    model = Model("it", config, initialise(config, rng), tuple("abcdefghi"))
    ids = rng.integers(0, 9, (*batch, 7))
    fast = run(model, ids, hidden=3, ops=Ops())
    monkeypatch.setattr(Tape, "recur", round_by_round)
    slow = run(model, ids, hidden=3, ops=Ops())
    assert fast.stages == slow.stages
    for mine, other in zip(fast.steps, slow.steps, strict=True):
        assert np.allclose(mine.value, other.value, rtol=1e-5, atol=1e-6), mine.name
        assert replace(mine, value=other.value) == other, mine.name
        assert not mine.value.flags.writeable
        assert mine.timing.unit is other.timing.unit
    assert all(step.timing.seconds > 0 for step in fast.steps if step.op != "input")


@pytest.mark.parametrize("looked_at", [False, True])
@pytest.mark.parametrize("kind", ["chain", "grid"])
def test_the_memory_of_a_trace_is_gone_with_it(kind: str, looked_at: bool) -> None:
    config = replace(CHAIN, width=80) if kind == "chain" else replace(GRID, heads=4, embedding=4)
    model = Model("it", config, initialise(config, np.random.default_rng(0)), tuple("abcd"))
    ops, held = Ops(), []
    gc.disable()  # nothing waits for the collector
    try:
        for _ in range(3):
            made = run(model, np.arange(900) % 4, hidden=2, ops=ops)
            if looked_at:
                assert made.steps[0].name == "tokens"
            held.append(sum(chunk.memory.nbytes for chunk in ops._arena._chunks))
            del made
    finally:
        gc.enable()
    assert held[0] == held[1] == held[2] > 900 * 80 * 4


def test_steps_are_made_when_they_are_looked_at_and_once() -> None:
    calls = []
    one = step("a", "one")
    later = Later(lambda: calls.append(1) or [one])  # type: ignore[func-returns-value]
    assert not calls
    assert later[0] is one
    assert later[:1] == (one,)
    assert (len(later), list(later)) == (1, [one])
    assert later == (one,)
    assert later != (one, one)
    assert later != "a"
    assert calls == [1]


# ---- equality ----------------------------------------------------------------------------------


def test_time_makes_no_difference() -> None:
    one = step("a", "one")
    assert one == replace(one, timing=Timing(5.0, Unit.MATRIX, Basis.MODELLED))
    assert trace(one) == replace(trace(one), seconds=9.0)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "b"}, {"op": "tanh"}, {"stage": "two"}, {"value": np.array([1.0, 3.0])},
        {"axes": ("word",)}, {"equation": "x"}, {"reads": ("W",)}, {"cost": Cost(1, 1)},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_everything_else_makes_a_difference(change: dict[str, Any]) -> None:
    assert step("a", "one") != replace(step("a", "one"), **change)


def test_a_step_is_no_other_thing() -> None:
    assert step("a", "one") != "a"


# ---- elements of a pair ------------------------------------------------------------------------


@pytest.fixture
def pair() -> Pair:
    return Pair(computed(CHAIN), computed(GRID), ("the", "cat", "sat"), (False, False, True))


def test_an_element_is_found_by_its_name(pair: Pair) -> None:
    found = pair.find("grid:blocks.1.attn.pattern[1,2,0]")
    assert found is not None
    side, pattern, index = found
    assert side is pair.grid
    assert pattern.name == "blocks.1.attn.pattern"
    assert index == (1, 2, 0)


def test_a_whole_tensor_and_a_row_are_found_too(pair: Pair) -> None:
    for name, index in (("chain:rnn.h.3", ()), ("grid:blocks.0.x[2]", (2,))):
        found = pair.find(name)
        assert found is not None
        assert found[2] == index


@pytest.mark.parametrize(
    "name",
    [
        "ask:3", "chain:rnn.h.4", "grid:rnn.h.1", "chain:rnn.h.1[5]", "chain:rnn.h.1[-1]",
        "chain:rnn.h.1[0,0]", "chain:rnn.h.1[x]", "",
    ],
)  # fmt: skip
def test_what_is_no_element_is_not_found(pair: Pair, name: str) -> None:
    assert pair.find(name) is None


def test_the_last_tick_of_a_pair_is_that_of_the_slower_side(pair: Pair) -> None:
    assert (pair.chain.last_tick, pair.grid.last_tick, pair.last_tick) == (5, 13, 13)


# ---- the file ----------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "trace.npz"
    save(computed(GRID), path)
    return path


@pytest.mark.parametrize("config", [CHAIN, GRID], ids=["chain", "grid"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_round_trip_is_equal(tmp_path: Path, config: Config, dtype: Any) -> None:
    before = computed(config, dtype)
    save(before, tmp_path / "trace.npz")
    after = load(tmp_path / "trace.npz")
    assert after == before
    assert after.seconds == before.seconds
    assert [s.timing for s in after.steps] == [s.timing for s in before.steps]
    assert list(after.parameters) == list(before.parameters)
    for name, value in before.parameters.items():
        assert np.array_equal(after.parameters[name], value)
    for one, other in zip(after.steps, before.steps, strict=True):
        assert one.value.dtype == other.value.dtype
        assert not one.value.flags.writeable
    assert (after.ticks, after.depth) == (before.ticks, before.depth)


def test_a_step_keeps_what_it_was_told_beside_its_operands(saved: Path) -> None:
    made = load(saved)
    d_head = made.value("blocks.0.attn.q").shape[-1]
    assert made.step("blocks.0.norm1").told == {"eps": 1e-5}
    assert made.step("blocks.0.attn.scores").told == {"factor": 1 / math.sqrt(d_head)}
    assert made.step("blocks.0.attn.scores.product").told == {"transpose_b": 1}
    assert made.step("answer.row").told == {"at.0": made.hidden, "from.1": 0}
    assert made.step("blocks.0.x").options == ()


def test_steps_that_were_told_different_numbers_differ() -> None:
    one = step("a", "s")
    assert replace(one, options=(("eps", 1e-5),)) != one


def test_numpy_reads_the_values_by_the_names_of_the_steps(saved: Path) -> None:
    with np.load(saved, allow_pickle=False) as file:
        pattern = computed(GRID).value("blocks.1.attn.pattern")
        assert np.array_equal(file["blocks.1.attn.pattern"], pattern)
        assert np.array_equal(file["embed.E"], computed(GRID).parameters["embed.E"])


def test_the_same_trace_is_the_same_bytes(tmp_path: Path) -> None:
    made = computed(GRID)
    save(made, tmp_path / "a.npz")
    save(made, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_saving_leaves_nothing_beside_the_file(saved: Path) -> None:
    save(computed(CHAIN), saved)
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"was not saved because .* cannot be written"):
        save(computed(GRID), tmp_path / "no such folder" / "trace.npz")


def test_a_failure_while_writing_keeps_the_old_file(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    before = saved.read_bytes()
    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(TraceError, match="No space left on device"):
        save(computed(CHAIN), saved)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_nothing_is_left_where_saving_was_broken_off(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(zipfile.ZipFile, "writestr", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(computed(CHAIN), saved)
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def refused(path: Path) -> str:
    """Return the sentence with which a file is refused."""
    with pytest.raises(TraceError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path.name} cannot be opened because ")
    assert message.endswith("nothing on screen has changed, open another file or save the trace "
                            "again.")  # fmt: skip
    assert "\n" not in message
    return message


@pytest.mark.parametrize("part", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_a_file_that_is_cut_off_is_refused(saved: Path, part: float) -> None:
    data = saved.read_bytes()
    saved.write_bytes(data[: int(len(data) * part)])
    assert "it is cut off, or is no trace" in refused(saved)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "none.npz")
    (tmp_path / "folder.npz").mkdir()
    refused(tmp_path / "folder.npz")


def test_damage_anywhere_is_refused_or_harmless(saved: Path) -> None:
    data = saved.read_bytes()
    made = computed(GRID)
    rng = np.random.default_rng(0)
    sentences = []
    for _ in range(300):
        broken = bytearray(data)
        for place in rng.integers(0, len(data), 3):
            broken[place] ^= int(rng.integers(1, 256))
        saved.write_bytes(broken)
        try:
            assert load(saved) == made
        except TraceError as error:
            sentences.append(str(error))
    assert len(sentences) > 200
    assert not [sentence for sentence in sentences if "\n" in sentence]


def rewritten(
    path: Path,
    *,
    header: Callable[[dict[str, Any]], None] | None = None,
    members: dict[str, bytes | None] | None = None,
    compression: int = zipfile.ZIP_STORED,
) -> Path:
    """Write the file again with a changed header or changed members (None: left out)."""
    with zipfile.ZipFile(path) as archive:
        content: dict[str, bytes | None] = {name: archive.read(name) for name in archive.namelist()}
    if header:
        file = io.BytesIO(content["header.npy"] or b"")
        changed = json.loads(np.load(file).tobytes())
        header(changed)
        content["header.npy"] = npy(np.frombuffer(json.dumps(changed).encode(), np.uint8))
    content |= members or {}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in content.items():
            if data is not None:
                archive.writestr(name, data)
    return path


def npy(array: Any, *, pickle: bool = False) -> bytes:
    member = io.BytesIO()
    np.lib.format.write_array(member, np.asarray(array), allow_pickle=pickle)
    return member.getvalue()


def test_a_newer_version_is_refused(saved: Path) -> None:
    rewritten(saved, header=lambda h: h.update(version=2))
    assert "a newer version of Unrolled wrote it" in refused(saved)


def test_another_npz_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    assert "it is damaged and lacks 'header.npy'" in refused(tmp_path / "other.npz")


def test_nan_is_refused(saved: Path) -> None:
    shape = computed(GRID).value("embed.x").shape
    rewritten(saved, members={"embed.x.npy": npy(np.full(shape, np.nan, np.float32))})
    assert "embed.x holds values that are not numbers (NaN)" in refused(saved)


def test_nan_in_a_parameter_is_refused(saved: Path) -> None:
    rewritten(saved, members={"embed.E.npy": npy(np.full((4, 4), np.nan, np.float32))})
    assert "embed.E holds values that are not numbers (NaN)" in refused(saved)


def test_minus_infinity_in_a_mask_is_no_damage(saved: Path) -> None:
    assert np.isneginf(load(saved).value("mask")).any()


def test_a_pickle_is_refused_and_not_run(saved: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (sys.exit, (3,))

    trap = np.array([Trap()], dtype=object)
    rewritten(saved, members={"embed.x.npy": npy(trap, pickle=True)})
    assert "embed.x holds |O and not numbers" in refused(saved)


def test_a_missing_member_is_refused(saved: Path) -> None:
    rewritten(saved, members={"blocks.0.x.npy": None})
    assert "lacks 'blocks.0.x.npy'" in refused(saved)


def test_an_array_that_claims_a_terabyte_is_refused_before_memory_is_taken(saved: Path) -> None:
    member = io.BytesIO()
    claim = {"descr": "<f4", "fortran_order": False, "shape": (10**12, 4)}
    np.lib.format.write_array_header_1_0(member, claim)
    rewritten(saved, members={"embed.x.npy": member.getvalue() + b"\0" * 64})
    assert "embed.x claims the shape (1000000000000, 4) and has another size" in refused(saved)


@pytest.mark.parametrize(
    ("claimed", "said"),
    [(0x7FFFFFFF, "it claims 2,14"), (0xFFFFFFF0, "it claims 4 GiB and at most 4 GiB are read")],
)
def test_a_member_that_claims_gigabytes_is_refused_before_memory_is_taken(
    saved: Path, claimed: int, said: str
) -> None:
    data = bytearray(saved.read_bytes())
    entry = data.index(b"PK\x01\x02")  # the first entry of the directory: sizes at 20 and 24
    struct.pack_into("<II", data, entry + 20, claimed, claimed)
    saved.write_bytes(data)
    assert said in refused(saved)


def test_a_bomb_is_refused(saved: Path) -> None:
    rewritten(saved, members={"bomb.npy": bytes(2**24)}, compression=zipfile.ZIP_DEFLATED)
    assert saved.stat().st_size < 2**20
    assert "it claims 16," in refused(saved)


def test_a_file_that_was_compressed_is_refused(saved: Path) -> None:
    rewritten(saved, members={"header.npy": None}, compression=zipfile.ZIP_DEFLATED)
    data = saved.read_bytes()
    saved.write_bytes(bytes(2**20) + data)  # bytes in front leave a zip file readable
    assert "it is compressed" in refused(saved)


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (-3, -4), }",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (3, (4, }",
        b"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3, 4), }",
        b"__import__('sys').exit(3)",
        b"",
    ],
)
def test_a_member_that_numpy_did_not_write_is_refused(saved: Path, header: bytes) -> None:
    start = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1)
    rewritten(saved, members={"embed.x.npy": start + header + b"\n" + bytes(48)})
    assert "embed.x is no array" in refused(saved)


def first_step(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda header: header["steps"][0].update(**changes)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda h: h.update(format="other"), "it is no trace"),
        (lambda h: h.update(version="1"), "it is damaged"),
        (lambda h: h.pop("tokens"), "lacks 'tokens'"),
        (lambda h: h.update(tokens=[1, 2]), "something else where words should be"),
        (lambda h: h.update(hidden=3), "word 3 of 3 is hidden"),
        (lambda h: h.update(hidden=True), "word True of 3 is hidden"),
        (lambda h: h.update(steps=[]), "it has no step"),
        (lambda h: h.update(stages=[]), "does not fit the steps in front of it"),
        (lambda h: h.update(steps=h["steps"][::-1]), "does not fit the steps in front of it"),
        (lambda h: h["steps"].append(h["steps"][0]), "does not fit the steps in front of it"),
        (lambda h: h["facts"].update(heads="two"), "its heads is 'two'"),
        (lambda h: h["facts"].update(roles=[["x"]]), "it is damaged"),
        (lambda h: h["facts"].pop("memory"), "lacks 'memory'"),
        (first_step(op={}), "something else where words should be"),
        (first_step(cost={"flops": "many", "bytes": 1}), "it is damaged"),
        (first_step(options=[["eps", "small"]]), "it has a step that was told eps = small"),
        (first_step(options=[["eps", float("nan")]]), "it has a step that was told eps = nan"),
        (first_step(options=[["eps"]]), "it is damaged"),
        (lambda h: h.update(seconds=float("nan")), "it has a time of nan seconds"),
        (lambda h: h.update(stages=[{"name": "embed", "title": 3, "equation": ""}]), "words"),
        (first_step(axes=["token", "feature"]), "has axes for another shape"),
        (first_step(timing={"seconds": 0.0, "unit": "magic", "basis": "measured"}), "'magic'"),
        (first_step(name="../../etc/passwd"), "lacks '../../etc/passwd.npy'"),
    ],
)
def test_a_header_that_fits_no_trace_is_refused(
    saved: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    assert said in refused(rewritten(saved, header=change))

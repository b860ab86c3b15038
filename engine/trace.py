"""What one run of a model computed: its steps in order, with their tensors, reads, costs and times.

A run is grouped twice. A *stage* is what the animation lights at one tick; its tick is the longest
path over stages. *Depth* is the longest chain of primitive operations. Both are computed here from
``reads`` and are never authored.
"""

from __future__ import annotations

import errno
import io
import json
import math
import os
import re
import struct
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from engine.said import Said
from engine.units import Basis as Basis
from engine.units import Unit as Unit

# Views, transposes and concatenation move or rename numbers; they compute none (depth 0).
DEPTHLESS = frozenset({"input", "view", "split_heads", "merge_heads", "concat", "stack"})
# Nor do these of a step of training: see ``engine.learning_step``.
PASSED_ON = frozenset({"same", "flat", "part", "place"})


@dataclass(frozen=True, slots=True)
class Cost:
    """What an operation has to do: floating-point operations, and bytes read and written once."""

    flops: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Timing:
    """How long an operation took, on which unit, and how that is known."""

    seconds: float
    unit: Unit
    basis: Basis = Basis.MEASURED


@dataclass(frozen=True, eq=False, slots=True)
class Step:
    """One primitive operation of a run.

    ``value`` lies on the host and cannot be written. ``reads`` names the steps and parameters that
    the operation needs, in the order of its operands; ``options`` are the numbers that it was told
    beside them, as ``engine.tape`` names them. Two steps are equal when everything but the timing
    is.
    """

    name: str
    op: str
    stage: str
    value: NDArray[Any]
    axes: tuple[str, ...]
    equation: str
    reads: tuple[str, ...]
    cost: Cost
    timing: Timing
    options: tuple[tuple[str, int | float], ...] = ()

    @property
    def told(self) -> dict[str, int | float]:
        """Return the options by name."""
        return dict(self.options)

    def __eq__(self, other: object) -> bool:
        """Return whether both steps computed the same thing, whatever the time it took."""
        if not isinstance(other, Step):
            return NotImplemented
        mine = (
            self.name, self.op, self.stage, self.axes, self.equation, self.reads, self.options,
            self.cost,
        )  # fmt: skip
        theirs = (
            other.name, other.op, other.stage, other.axes, other.equation, other.reads,
            other.options, other.cost,
        )  # fmt: skip
        return mine == theirs and np.array_equal(self.value, other.value, equal_nan=True)


@dataclass(frozen=True)
class Stage:
    """Steps that one tick lights together.

    ``title`` is for people ("Read “that”"); ``equation`` says the stage's work in one line, in the
    mark-up of ``widgets.equation``.
    """

    name: str
    title: str
    equation: str


T = TypeVar("T")


class Later(Sequence[T]):
    """What is made when somebody looks at a part of it; equal to a sequence of the same."""

    def __init__(self, make: Callable[[], Iterable[T]]) -> None:
        self._make: Callable[[], Iterable[T]] | None = make
        self._parts: tuple[T, ...] = ()
        self._lock = Lock()

    def _made(self) -> tuple[T, ...]:
        with self._lock:
            if self._make is not None:
                self._parts, self._make = tuple(self._make()), None
            return self._parts

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        """Return one by its place, or several."""
        return self._made()[index]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._made())

    def __iter__(self) -> Iterator[T]:
        """Return an iterator over all."""
        return iter(self._made())

    def __eq__(self, other: object) -> bool:
        """Return whether another sequence has the same."""
        return self._made() == tuple(other) if isinstance(other, Sequence) else NotImplemented


@dataclass(frozen=True)
class Facts:
    """What has to be said beside a run so that it can be compared fairly."""

    model: str  # id, "rnn"
    title: str  # "RNN with attention, 16 numbers"
    kind: str  # "chain" | "grid"
    cell: str = ""  # "elman" | "gru" | "lstm", "" for a grid
    attention: bool = False  # attention over the states of a chain
    bidirectional: bool = False  # a chain that reads from both sides
    heads: int = 0
    layers: int = 1
    width: int = 0  # numbers in a state (chain) or a residual row (grid)
    sees: str = ""  # "the whole sentence, left to right"
    parameters: int = 0
    memory: str = ""  # "16 numbers", "5 × 40 numbers"
    trained_length: int = 0  # longest sentence in training; 0 when not trained
    roles: tuple[tuple[tuple[str, float], ...], ...] = ()  # [layer][head] -> (role, score)
    backend: str = "NumPy"
    device: str = "this CPU"
    precision: str = "float32"
    threads: int = 1
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trace:
    """The immutable record of one run of a model over one sentence.

    ``tokens`` holds the words as the model read them; ``hidden`` is the index of the hidden word.
    ``parameters`` are the weights by name, ``vocabulary`` the words of the answer, ``seconds`` the
    wall time of the run.
    """

    facts: Facts
    tokens: tuple[str, ...]
    hidden: int
    vocabulary: tuple[str, ...]
    stages: Sequence[Stage]
    steps: Sequence[Step] = field(repr=False)
    parameters: Mapping[str, NDArray[Any]] = field(repr=False, compare=False)
    seconds: float = field(default=0.0, compare=False)

    @cached_property
    def _by_name(self) -> dict[str, Step]:
        return {step.name: step for step in self.steps}

    def __contains__(self, name: str) -> bool:
        """Return whether a step of this name was run."""
        return name in self._by_name

    def step(self, name: str) -> Step:
        """Return the step of this name.

        Raises
        ------
        KeyError
            When no step has the name.
        """
        return self._by_name[name]

    def value(self, name: str) -> NDArray[Any]:
        """Return the value of a step, or else of a parameter, of this name."""
        found = self._by_name.get(name)
        return found.value if found is not None else self.parameters[name]

    @cached_property
    def ticks(self) -> dict[str, int]:
        """Return the tick of each stage: its longest path over stages from the input."""
        ticks: dict[str, int] = {}
        stage_of = {step.name: step.stage for step in self.steps}
        for step in self.steps:
            before = [
                ticks[stage_of[name]] + 1
                for name in step.reads
                if name in stage_of and stage_of[name] != step.stage
            ]
            ticks[step.stage] = max([ticks.get(step.stage, 0), *before])
        return ticks

    @cached_property
    def stages_at(self) -> dict[int, tuple[Stage, ...]]:
        """Return the stages that each tick lights: several where layers or directions work on."""
        lit: dict[int, tuple[Stage, ...]] = {}
        for stage in self.stages:
            tick = self.ticks[stage.name]
            lit[tick] = (*lit.get(tick, ()), stage)
        return lit

    @cached_property
    def stage_at(self) -> dict[int, Stage]:
        """Return the first of the stages that each tick lights."""
        return {tick: stages[0] for tick, stages in self.stages_at.items()}

    @cached_property
    def last_tick(self) -> int:
        """Return the tick at which the answer is known."""
        return max(self.ticks.values())

    @cached_property
    def depths(self) -> dict[str, int]:
        """Return for each step the longest chain of primitive operations that ends in it."""
        depths: dict[str, int] = {}
        for step in self.steps:
            before = max((depths[name] for name in step.reads if name in depths), default=0)
            depths[step.name] = before + (step.op not in DEPTHLESS and step.op not in PASSED_ON)
        return depths

    @cached_property
    def depth(self) -> int:
        """Return the longest chain of primitive operations from input to answer."""
        return max(self.depths.values())

    @cached_property
    def longest(self) -> tuple[Step, ...]:
        """Return the longest chain of operations, each of which waits for the one before it.

        ``depth`` of them count 1, the others are inputs and views. Of equally long chains it is
        the one whose operands come first.
        """
        depths = self.depths
        step = next(step for step in self.steps if depths[step.name] == self.depth)
        backwards = [step]
        while before := [name for name in step.reads if name in depths]:
            step = self.step(max(before, key=depths.__getitem__))
            backwards.append(step)
        return tuple(reversed(backwards))

    @cached_property
    def flops(self) -> int:
        """Return the floating-point operations of the whole run."""
        return sum(step.cost.flops for step in self.steps)

    def steps_of(self, stage: str) -> tuple[Step, ...]:
        """Return the steps of one stage, in order."""
        return tuple(step for step in self.steps if step.stage == stage)

    def answer(self, count: int) -> tuple[tuple[str, float], ...]:
        """Return the ``count`` likeliest words with their probabilities, the likeliest first."""
        probabilities = self.value("answer.probabilities")
        best = np.argsort(-probabilities, kind="stable")[:count]
        return tuple((self.vocabulary[i], float(probabilities[i])) for i in best)


_ELEMENT = re.compile(
    r"(?P<side>chain|grid):(?P<step>[^\[\]]+)(\[(?P<index>\d{1,9}(,\d{1,9})*)\])?", re.ASCII
)


@dataclass(frozen=True, eq=False)
class Pair:
    """A chain and a grid that read the same sentence under one clock.

    Pairs are compared by identity, so that pictures of one can be remembered. An element of either
    is named ``side:step[i,j]``, for instance ``grid:blocks.0.attn.pattern[1,4,2]``.
    """

    chain: Trace
    grid: Trace
    typed: tuple[str, ...]  # the words as typed, "___" not put in; same length as tokens
    unknown: tuple[bool, ...]  # words outside the vocabulary
    depth_of_tokens: tuple[tuple[int, int, int], ...] = ()  # (T, depth of chain, depth of grid)
    # Stands for the pair where it is remembered without being kept: no other pair has it.
    key: object = field(default_factory=object, init=False, repr=False)

    @property
    def tokens(self) -> tuple[str, ...]:
        """Return the words that both sides read."""
        return self.chain.tokens

    @property
    def last_tick(self) -> int:
        """Return the slower side's last tick."""
        return max(self.chain.last_tick, self.grid.last_tick)

    def side(self, side: str) -> Trace:
        """Return the trace of "chain" or "grid"."""
        return {"chain": self.chain, "grid": self.grid}[side]

    def find(self, name: str) -> tuple[Trace, Step, tuple[int, ...]] | None:
        """Return the trace, step and index that an element's name points at, or None."""
        read = _ELEMENT.fullmatch(name)
        if read is None or read["step"] not in self.side(read["side"]):
            return None
        trace = self.side(read["side"])
        where = tuple(int(i) for i in read["index"].split(",")) if read["index"] else ()
        step = trace.step(read["step"])
        fits = len(where) <= step.value.ndim and all(
            0 <= i < n for i, n in zip(where, step.value.shape, strict=False)
        )
        return (trace, step, where) if fits else None


# ---- a trace as a file -------------------------------------------------------------------------
#
# An ordinary .npz: the value of every step and every parameter under its own name, so that
# numpy.load(path)["blocks.0.attn.pattern"] works in a notebook, and everything else as JSON in the
# bytes of a member called "header". Nothing is pickled, so no file can run code.

FORMAT = "unrolled trace"
VERSION = 1
MOST_BYTES = 2**32  # of all arrays in a file; more is refused unread
DTYPES = frozenset({"<f4", "<f8", "<i8"})


class TraceError(Said):
    """A trace file that cannot be read or written: what happened, and what to do, in a sentence."""


def save(trace: Trace, path: Path) -> None:
    """Write a trace as .npz, beside its place first, so that an old file stays whole until then.

    Raises
    ------
    TraceError
        When the place cannot be written.
    """
    header = {
        "format": FORMAT,
        "version": VERSION,
        "facts": asdict(trace.facts),
        "tokens": trace.tokens,
        "hidden": trace.hidden,
        "vocabulary": trace.vocabulary,
        "seconds": trace.seconds,
        "stages": [asdict(stage) for stage in trace.stages],
        "parameters": list(trace.parameters),
        "steps": [
            {
                "name": step.name,
                "op": step.op,
                "stage": step.stage,
                "axes": step.axes,
                "equation": step.equation,
                "reads": step.reads,
                "options": step.options,
                "cost": asdict(step.cost),
                "timing": asdict(step.timing),
            }
            for step in trace.steps
        ],
    }
    text = json.dumps(header, ensure_ascii=False).encode()
    arrays = {"header": np.frombuffer(text, np.uint8)}
    arrays |= {step.name: step.value for step in trace.steps} | dict(trace.parameters)
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(beside, "w") as archive:
            for name, array in arrays.items():
                member = io.BytesIO()
                np.lib.format.write_array(member, array, allow_pickle=False)
                # The same date in every file: the same trace is the same bytes.
                archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getbuffer())
        beside.replace(path)
    except OSError as error:
        raise TraceError(
            f"The trace was not saved because {path} cannot be written "
            f"({error.strerror or error}); nothing else has changed, choose another place."
        ) from error
    finally:
        beside.unlink(missing_ok=True)


class _UnreadableError(Exception):
    """Why a file is no trace, as the end of the sentence "… cannot be opened because"."""


def load(path: Path) -> Trace:
    """Read a trace that ``save`` wrote.

    What the file claims is checked against its size before memory is taken for it.

    Raises
    ------
    TraceError
        When the file is missing, cut off, damaged, from a newer version, too large, or holds NaN.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _trace(_Members(archive, path.stat().st_size))
    except _UnreadableError as error:
        problem = str(error)
    except OSError as error:
        problem = (error.strerror or str(error)).lower()
        if error.errno == errno.EINVAL:  # a damaged directory sends zipfile in front of the file
            problem = _NO_TRACE
    except zipfile.BadZipFile:
        problem = _NO_TRACE
    except KeyError as error:
        problem = f"it is damaged and lacks {error}"
    except _DAMAGE as error:
        problem = f"it is damaged ({' '.join(str(error).split())[:80]})"
    raise TraceError(
        f"{path.name} cannot be opened because {problem}; nothing on screen has changed, "
        "open another file or save the trace again."
    )


_NO_TRACE = "it is cut off, or is no trace"
# What zipfile, json and numpy raise over bytes that nobody wrote on purpose.
_DAMAGE = (TypeError, ValueError, AttributeError, IndexError, EOFError, OverflowError,
           RuntimeError, struct.error)  # fmt: skip


# The start of an array as numpy writes it. NumPy's own reader evaluates this text and tries to mend
# it, with warnings; here what was not written like this is damage.
_NPY_MAGIC = b"\x93NUMPY\x01\x00"
_NPY_START = struct.Struct("<8sH")  # magic, length of the header
_NPY_HEADER = re.compile(
    rb"\{'descr': '([<|][a-zA-Z]\d{0,2})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,18}, ?)*(?:\d{1,18})?)\), \} *\n"
)


class _Members:
    """The arrays of a trace file, by name."""

    def __init__(self, archive: zipfile.ZipFile, size_bytes: int) -> None:
        self._archive = archive
        self._infos = {info.filename: info for info in archive.infolist()}
        claimed = sum(info.file_size for info in self._infos.values())
        if claimed > MOST_BYTES:
            raise _UnreadableError(
                f"it claims {claimed / 2**30:,.0f} GiB and at most {MOST_BYTES >> 30} GiB are read"
            )
        # Members are stored as they are, so what they claim cannot be more than what is there.
        if claimed > size_bytes:
            raise _UnreadableError(f"it claims {claimed:,} bytes and has only {size_bytes:,}")
        if any(info.compress_type for info in self._infos.values()):
            raise _UnreadableError("it is compressed, which a trace never is")

    def array(self, name: str, dtypes: frozenset[str] = DTYPES) -> NDArray[Any]:
        """Return one array, read-only, after its header has been found to fit its size."""
        info = self._infos[f"{name}.npy"]
        with self._archive.open(info) as member:
            start = member.read(_NPY_START.size)
            magic, length = _NPY_START.unpack(start)
            written = _NPY_HEADER.fullmatch(member.read(length))
            if magic != _NPY_MAGIC or written is None:
                raise _UnreadableError(f"{name} is no array")
            descr, order, sides = (group.decode() for group in written.groups())
            if descr not in dtypes:
                raise _UnreadableError(f"{name} holds {descr} and not numbers")
            shape = tuple(int(side) for side in sides.split(",") if side.strip())
            dtype = np.dtype(descr)
            claimed = math.prod(shape) * dtype.itemsize
            if claimed < 1 or claimed != info.file_size - _NPY_START.size - length:
                raise _UnreadableError(f"{name} claims the shape {shape} and has another size")
            flat = np.frombuffer(member.read(claimed), dtype)
        array = flat.reshape(shape, order="F" if order == "True" else "C")
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise _UnreadableError(f"{name} holds values that are not numbers (NaN)")
        return array


def _trace(members: _Members) -> Trace:
    """Return the trace of a file, or raise something of ``load``'s list."""
    header = json.loads(members.array("header", frozenset({"|u1"})).tobytes())
    if header["format"] != FORMAT:
        raise _UnreadableError("it is no trace")
    if header["version"] > VERSION:
        raise _UnreadableError("a newer version of Unrolled wrote it")
    tokens = _texts(header["tokens"])
    hidden = header["hidden"]
    if type(hidden) is not int or not 0 <= hidden < len(tokens):
        raise _UnreadableError(f"word {hidden} of {len(tokens)} is hidden in it")
    stages = tuple(
        Stage(*_texts([row[key] for key in ("name", "title", "equation")]))
        for row in header["stages"]
    )
    parameters = {name: members.array(name) for name in _texts(header["parameters"])}
    steps: list[Step] = []
    known, staged = set(parameters), {stage.name for stage in stages}
    for row in header["steps"]:
        name, op, stage, equation = _texts([row[k] for k in ("name", "op", "stage", "equation")])
        timing = row["timing"]
        step = Step(
            name=name,
            op=op,
            stage=stage,
            value=members.array(name),
            axes=_texts(row["axes"]),
            equation=equation,
            reads=_texts(row["reads"]),
            cost=Cost(int(row["cost"]["flops"]), int(row["cost"]["bytes"])),
            timing=Timing(_seconds(timing), Unit(timing["unit"]), Basis(timing["basis"])),
            options=tuple(_option(*option) for option in row["options"]),
        )
        if step.stage not in staged or step.name in known or not known.issuperset(step.reads):
            raise _UnreadableError(f"its step {step.name} does not fit the steps in front of it")
        if len(step.axes) != step.value.ndim:
            raise _UnreadableError(f"its step {step.name} has axes for another shape")
        known.add(step.name)
        steps.append(step)
    if not steps:
        raise _UnreadableError("it has no step")
    return Trace(
        facts=_facts(header["facts"]),
        tokens=tokens,
        hidden=hidden,
        vocabulary=_texts(header["vocabulary"]),
        stages=stages,
        steps=tuple(steps),
        parameters=parameters,
        seconds=_seconds(header),
    )


def _seconds(header: dict[str, Any]) -> float:
    """Return a time of a header, or refuse it."""
    seconds = float(header["seconds"])
    if not 0.0 <= seconds < math.inf:
        raise _UnreadableError(f"it has a time of {seconds} seconds")
    return seconds


def _texts(values: Any) -> tuple[str, ...]:
    """Return a list of a header as texts, or refuse it."""
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise _UnreadableError("its header has something else where words should be")
    return tuple(values)


def _option(name: Any, number: Any) -> tuple[str, int | float]:
    """Return an option of a step, or refuse it."""
    if type(name) is not str or type(number) not in (int, float) or not math.isfinite(number):
        raise _UnreadableError(f"it has a step that was told {str(name)[:40]} = {str(number)[:40]}")
    return name, number


def _facts(header: dict[str, Any]) -> Facts:
    """Return the facts of a header: of the kinds that ``Facts`` declares, or refuse them."""
    kinds = {"str": str, "int": int, "bool": bool}
    for fact in fields(Facts):
        kind = kinds.get(str(fact.type))
        if fact.name == "bidirectional" and fact.name not in header:
            continue  # of a trace that was saved before there were two directions
        if kind and type(header[fact.name]) is not kind:
            raise _UnreadableError(f"its {fact.name} is {header[fact.name]!r}")
    roles = tuple(
        tuple((str(role), float(score)) for role, score in layer) for layer in header["roles"]
    )
    return Facts(**{**header, "roles": roles, "notes": _texts(header["notes"])})

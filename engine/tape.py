"""The tape: runs primitive operations and records what each one was, read, cost and took."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, repeat
from operator import sub
from time import perf_counter
from typing import Any, NamedTuple

from engine.ops import Array, Ops, op_of
from engine.trace import Basis, Later, Stage, Step, Timing, Unit


class Tensor(NamedTuple):
    """A named array of the run: a step's value or a parameter, where the backend computes."""

    name: str
    value: Any


class Record(NamedTuple):
    """What is noted while the run lasts; cost and unit are worked out behind it."""

    name: str
    op: str
    stage: str
    axes: tuple[str, ...]
    equation: str
    operands: tuple[Tensor, ...]
    value: Any
    seconds: float
    options: dict[str, Any]

    @property
    def told(self) -> dict[str, int | float]:
        """Return its numbers that are no tensors, as ``engine.trace.Step.told``."""
        return dict(_numbers(self.options))


State = Mapping[str, Tensor]
# Told what was done in a stretch of a run: its start and end by ``perf_counter``, and the seconds
# of its operations by unit. It may raise an error, which ends the run.
Watch = Callable[[float, float, Mapping[Unit, float]], None]
WATCHED_SECONDS = 0.005  # a watch is told behind a stage when so much time has gone by
Body = Callable[[int, State], State]


class _Rounds(NamedTuple):
    """Rounds of a recurrence that have been computed and not been written down, all but the first.

    ``values`` has a row for every operation of the body that is no view, with an entry for every
    round; ``units`` has the unit of each. ``ends`` has a row for every round: what the clock said
    behind each operation, the first of which began at ``begun``.
    """

    body: Body
    over: Sequence[int]
    stages: Callable[[], list[Stage]]
    state: State  # behind the first round
    values: list[Any]
    begun: Any
    ends: list[tuple[Any, ...]]
    units: list[Unit]

    @property
    def seconds(self) -> list[list[Any]]:
        """Return the time of every operation, from the end of the one before it to its own.

        A row for every operation, with an entry for every round.
        """
        moments = [self.begun, *chain.from_iterable(self.ends)]
        between = list(map(sub, moments[1:], moments))
        return [between[k :: len(self.units)] for k in range(len(self.units))]


class Tape:
    """Records a run.

    Operands are ``Tensor``s, so what a step reads, costs and how long it took is recorded and never
    authored. During the run a step costs one small record; the steps are made of them when somebody
    looks at one, which for a long recurrence takes longer than to compute it. ``watch`` is told of
    a long run while it lasts.
    """

    def __init__(
        self, ops: Ops, parameters: Mapping[str, Array], watch: Watch | None = None
    ) -> None:
        self.ops = ops
        self._watch = watch
        self._told, self._told_at = 0, perf_counter() if watch else 0.0  # records, and when
        self._stages: list[Callable[[], list[Stage]]] = []
        self._stage = ""
        self._records: list[Record | _Rounds] = []
        self._taken: Iterator[tuple[Any, float]] | None = None  # results that are there already
        self._parameters = parameters
        self._on_device: dict[str, Tensor] = {}

    def parameter(self, name: str) -> Tensor:
        """Return a parameter of the model as an operand."""
        if name not in self._on_device:
            self._on_device[name] = Tensor(name, self.ops.parameter(self._parameters[name]))
        return self._on_device[name]

    @contextmanager
    def stage(self, name: str, title: str, equation: str) -> Iterator[None]:
        """Group the steps recorded inside: one tick of the animation lights them together."""
        self._stages.append(lambda: [Stage(name, title, equation)])
        self._stage = name
        yield
        self._stage = ""
        if self._watch and perf_counter() - self._told_at > WATCHED_SECONDS:
            self.tell()

    def tell(self, *, all: bool = False) -> None:
        """Tell the watch what was done since it was told last.

        What a device did is known when it has been waited for: before it has done ``all``, the
        watch is told of a stretch without length and has no more than its chance to end the run.
        """
        if self._watch is None:
            return
        now = perf_counter()
        if self.ops.elsewhere and not all:
            self._watch(now, now, {})
            return
        spent, since = self._spent(self._told), self._told_at
        self._told, self._told_at = len(self._records), now
        self._watch(since, now, spent)

    def _spent(self, since: int) -> dict[Unit, float]:
        """Return the seconds by unit of all records from one on."""
        spent = dict.fromkeys(Unit, 0.0)
        for record in self._records[since:]:
            if isinstance(record, Record):
                spent[self._unit(record)] += float(record.seconds)
                continue
            for unit, seconds in zip(record.units, record.seconds, strict=True):
                spent[unit] += float(sum(map(float, seconds)))
        return spent

    def seconds(self, stem: str) -> float:
        """Return the seconds of all operations whose names begin so; those of views are Python's.

        The rounds of a recurrence are called as their state is. A device has to be waited for.
        """
        total = 0.0
        for record in self._records:
            if isinstance(record, Record):
                own = record.name.startswith(stem) and op_of(record.op).moves
                total += float(record.seconds) if own else 0.0
            elif next(iter(record.state.values())).name.startswith(stem):
                total += sum(float(each) for row in record.seconds for each in row)
        return total

    def _unit(self, record: Record) -> Unit:
        """Return what the time of an operation counts as: a view moves nothing, it is Python."""
        if not op_of(record.op).moves:
            return Unit.SEQUENTIAL
        return self.ops.unit_of(record.op, tuple(x.value for x in record.operands))

    def input(
        self, value: Array, *, name: str, axes: tuple[str, ...], equation: str, **options: float
    ) -> Tensor:
        """Record numbers that come from outside the model, and those that made them."""
        value = self.ops.to_device(value)
        return self._record("input", (), value, 0.0, name, axes, equation, options)

    def __call__(
        self,
        op: str,
        *operands: Tensor,
        name: str,
        axes: tuple[str, ...],
        equation: str,
        **options: Any,
    ) -> Tensor:
        """Run one primitive of ``OPS`` and record it.

        Parameters
        ----------
        op
            A key of ``engine.ops.OPS``, which is the method of ``Ops``.
        *operands
            Steps and parameters that it reads.
        name, axes, equation
            Of the step. ``axes`` leave out a leading batch axis, which is put before them where
            the value has it.
        **options
            Numbers that are no tensors: an index, a factor, the number of heads. They are recorded
            by name; an index ``at`` as ``at.k`` for the one place on axis k that is taken (axes
            are counted from 0, without the batch) or as ``from.k`` for the first of several.
        """
        if self._taken is not None and op != "view":
            value, seconds = next(self._taken)
            return self._record(op, operands, value, seconds, name, axes, equation, options)
        function = getattr(self.ops, op)
        values = [operand.value for operand in operands]
        clock = self.ops.clock
        start = clock()
        value = function(*values, **options)
        seconds = clock() - start
        return self._record(op, operands, value, seconds, name, axes, equation, options)

    def made(
        self,
        op: str,
        function: Callable[..., Any],
        *operands: Tensor,
        name: str,
        axes: tuple[str, ...],
        equation: str,
        **options: float,
    ) -> Tensor:
        """Run what is no primitive and record it.

        Parameters
        ----------
        op
            A key of ``engine.ops.LEARNING``.
        function
            Takes the operands' arrays and returns the result's.
        *operands, name, axes, equation, **options
            As of a primitive; the function is not told the options.
        """
        function = self.ops.made(op, function)
        values = [operand.value for operand in operands]
        clock = self.ops.clock
        start = clock()
        value = function(*values)
        seconds = clock() - start
        return self._record(op, operands, value, seconds, name, axes, equation, options)

    def recur(
        self,
        over: Sequence[int],
        state: State,
        given: Sequence[Tensor],
        *,
        stage: Callable[[int], Stage],
        body: Body,
    ) -> dict[str, list[Tensor]]:
        """Record the same operations for one index after another; return the states behind each.

        The first round is recorded as it runs. The others repeat its operations on their own rows,
        which is all that is done for them until somebody looks at a step.

        Parameters
        ----------
        over
            The indices.
        state
            What the first round reads of the round before it.
        given
            For every index what else it reads that is no parameter. Where that is an array with a
            row for every index, the row of index t is ``t - 1``, taken with ``view``.
        stage
            Returns the stage of an index.
        body
            Records the operations of an index by calling this tape, and returns the next state. The
            operations are the same for every index, and are views or such as can write to ``out``.
        """
        begun = stage(over[0])
        with self.stage(begun.name, begun.title, begun.equation):
            behind = len(self._records)
            last = body(over[0], state)
        if len(over) == 1:
            return {letter: [it] for letter, it in last.items()}
        first = [record for record in self._records[behind:] if isinstance(record, Record)]
        rest = over[1:]
        columns, buffers = self._columns(first, rest, state, last, given)
        begun, ends = self._repeat(first, columns)
        units = [self._unit(record) for record in first if record.op != "view"]
        self._stages.append(lambda: [stage(t) for t in rest])
        self._records.append(
            _Rounds(body, rest, self._stages[-1], last, buffers, begun, ends, units)
        )  # fmt: skip
        stems = {letter: it.name.removesuffix(str(over[0])) for letter, it in last.items()}
        return {
            letter: [it, *map(Tensor, [f"{stems[letter]}{t}" for t in rest], columns[it.name])]
            for letter, it in last.items()
        }

    def _columns(
        self,
        first: list[Record],
        rest: Sequence[int],
        state: State,
        last: State,
        given: Sequence[Tensor],
    ) -> tuple[dict[str, Iterable[Any]], list[Any]]:
        """Return every tensor of the rounds behind the first, and where their results will lie.

        The former is an array a round for each name in the first round; the latter an array for
        each operation that is no view, with a row a round.
        """
        read = given[0].name
        columns: dict[str, Iterable[Any]] = {read: [x.value for x in given[1:]]}
        buffers: dict[str, Any] = {}  # an array with a row a round
        for record in first:
            name, operand = record.name, record.operands[0].name
            if record.op != "view":
                buffers[name] = self.ops.rows_like(record.value, len(rest))
                columns[name] = list(buffers[name])
            elif operand in buffers:
                buffers[name] = self.ops.view(buffers[operand], record.options["at"])
                columns[name] = list(buffers[name])
            elif operand == read:
                places = [(t - 1, *record.options["at"][1:]) for t in rest]
                columns[name] = list(map(self.ops.view, columns[read], places))
            else:
                columns[name] = repeat(record.value)
        for record in first:
            columns |= {
                operand.name: repeat(operand.value)
                for operand in record.operands
                if operand.name not in columns
            }
        for letter, before in state.items():
            column = columns[last[letter].name]
            columns[before.name] = [last[letter].value, *list(column)[:-1]]
        return columns, [buffers[record.name] for record in first if record.op != "view"]

    def _repeat(
        self, first: list[Record], columns: Mapping[str, Iterable[Any]]
    ) -> tuple[Any, list[tuple[Any, ...]]]:
        """Compute the rounds behind the first; return when they began, and the ends of all.

        This is the only loop whose own time matters: a round may be a few microseconds. So there is
        none in Python: ``zip`` asks for one result after another, and for the time behind each.
        """
        clock = self.ops.clock
        ticks = iter(clock, math.nan)  # without an end: nothing is equal to it
        calls = self._calls(first, columns)
        begun = clock()
        rounds = zip(*chain.from_iterable((call, ticks) for call in calls), strict=False)
        return begun, [each[1::2] for each in rounds]

    def _calls(
        self, first: list[Record], columns: Mapping[str, Iterable[Any]]
    ) -> list[Iterator[Any]]:
        """Return for each operation that is no view what computes its rounds, one a question."""
        calls: list[Iterator[Any]] = []
        for record in first:
            if record.op == "view":
                continue
            operands = [operand.value for operand in record.operands]
            function = self.ops.writer(record.op, operands, record.options)
            read = (columns[operand.name] for operand in record.operands)
            calls.append(map(function, *read, columns[record.name]))
        return calls

    def linear(
        self, x: Tensor, weight: str, bias: str, *, name: str, axes: tuple[str, ...], letter: str
    ) -> Tensor:
        """Record x W + b as two steps, ``name.product`` and ``name``.

        A name that ends in ``.sum`` has its product beside it and not beneath: ``q.product``,
        ``q.sum``. ``letter`` stands for x in the equations.
        """
        W, b = self.parameter(weight), self.parameter(bias)
        inner = f"{name.removesuffix('.sum')}.product"
        formula = f"{letter} {_letters(weight)}"
        product = self("product", x, W, name=inner, axes=axes, equation=formula)
        formula += f" + {_letters(bias)}"
        return self("add", product, b, name=name, axes=axes, equation=formula)

    def norm(
        self,
        x: Tensor,
        parameters: str,
        *,
        eps: float,
        name: str,
        axes: tuple[str, ...],
        letter: str,
    ) -> Tensor:
        """Record the layer norm of x as one step.

        ``parameters`` is what the names of gain and bias begin with; ``letter`` stands for x in
        the equation.

        Source: Ba, Kiros & Hinton 2016, "Layer normalization", eq. 4.
        """
        gain, bias = self.parameter(f"{parameters}.gain"), self.parameter(f"{parameters}.bias")
        formula = f"norm({letter})"
        return self("norm", x, gain, bias, eps=eps, name=name, axes=axes, equation=formula)

    @property
    def stages(self) -> Sequence[Stage]:
        """Return all stages, in order."""
        noted = tuple(self._stages)
        return Later(lambda: [stage for stages in noted for stage in stages()])

    def so_far(self) -> Sequence[Record]:
        """Return what was recorded so far, where it was computed; it can be gone on with."""
        if not self.ops.elsewhere:  # what a device did is not known before it has been waited for
            self.tell(all=True)
        records = self._written(self._records)
        self._records = [*records]
        if not self.ops.elsewhere:
            self._told = len(records)
        self._stage = ""
        return tuple(records)

    def steps(self) -> Sequence[Step]:
        """Return everything recorded, with its values on the host and not writable, and forget it.

        What is forgotten is gone when the steps are: a body refers to this tape, which must not
        refer to the body.
        """
        if self.ops.elsewhere:
            return self._fetched()
        records = [self._on_host(record) for record in self._records]
        self._records = []
        return Later(lambda: [self._step(it, it.value) for it in self._written(records)])

    def _fetched(self) -> Sequence[Step]:
        """Return the steps of a run on a device: one wait, then all values are fetched.

        They are made now, so that no array of the device is held, or looked at by another thread.
        """
        self.ops.wait()
        records = self._written(self._records)
        self._records, self._on_device = [], {}
        values = self.ops.fetch([record.value for record in records])
        return tuple(map(self._step, records, values))

    @property
    def behind(self) -> str:
        """Return the name of the step that was recorded last, "" before the first."""
        record = self._records[-1] if self._records else None
        return record.name if isinstance(record, Record) else self._stage

    def _on_host(self, record: Record | _Rounds) -> Record | _Rounds:
        if isinstance(record, Record):
            return record._replace(value=_sealed(self.ops.to_host(record.value)))
        return record._replace(values=[_sealed(self.ops.to_host(x)) for x in record.values])

    def _written(self, records: list[Record | _Rounds]) -> list[Record]:
        """Return records with all rounds written down, as if they had been recorded one by one."""
        written: list[Record] = []
        for record in records:
            if isinstance(record, Record):
                written.append(record)
                continue
            self._records = []
            state = record.state
            rows = zip(*record.values, strict=True)
            seconds = zip(*record.seconds, strict=True)
            for t, stage, results, times in zip(
                record.over, record.stages(), rows, seconds, strict=True
            ):
                self._stage = stage.name
                self._taken = zip(results, times, strict=True)
                state = record.body(t, state)
            self._taken = None
            written += [it for it in self._records if isinstance(it, Record)]
            self._records = []
        return written

    def _record(
        self,
        op: str,
        operands: tuple[Tensor, ...],
        value: Any,
        seconds: float,
        name: str,
        axes: tuple[str, ...],
        equation: str,
        options: dict[str, Any],
    ) -> Tensor:
        if value.ndim == len(axes) + 1:
            axes = ("batch", *axes)
        if value.ndim != len(axes):
            raise ValueError(f"{name} has the shape {value.shape} and cannot have the axes {axes}.")
        record = Record(name, op, self._stage, axes, equation, operands, value, seconds, options)
        self._records.append(record)
        return Tensor(name, value)

    def _step(self, record: Record, value: Array) -> Step:
        """Return a step whose value lies on the host; the record's own may lie on the device."""
        row = op_of(record.op)
        values = tuple(operand.value for operand in record.operands)
        return Step(
            name=record.name,
            op=record.op,
            stage=record.stage,
            value=_sealed(value),
            axes=record.axes,
            equation=record.equation,
            reads=tuple(operand.name for operand in record.operands),
            cost=row.cost(values, record.value),
            timing=Timing(
                float(record.seconds), self.ops.unit_of(record.op, values), Basis.MEASURED
            ),
            options=tuple(record.told.items()),
        )


def _sealed(value: Array) -> Array:
    """Return an array that cannot be written any more."""
    value.setflags(write=False)
    return value


def _numbers(options: Mapping[str, Any]) -> Iterator[tuple[str, int | float]]:
    """Yield options by name as plain numbers."""
    for name, option in options.items():
        if name != "at":
            yield name, option if isinstance(option, float) else int(option)
            continue
        for axis, place in enumerate(option):
            if isinstance(place, slice):
                yield f"from.{axis}", place.start or 0
            else:
                yield f"at.{axis}", place


def _letters(parameter: str) -> str:
    """Return a parameter as a formula writes it: "blocks.0.mlp.W_in" is W_{in}."""
    letter, _, subscript = parameter.rpartition(".")[2].partition("_")
    return f"{letter}_{subscript}" if len(subscript) < 2 else f"{letter}_{{{subscript}}}"

"""The tape: runs primitive operations and records what each one was, read, cost and took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from engine.ops import OPS, Array, Ops
from engine.trace import Basis, Stage, Step, Timing


@dataclass(frozen=True)
class Tensor:
    """A named array of the run: a step's value or a parameter, where the backend computes."""

    name: str
    value: Any


@dataclass(frozen=True)
class _Record:
    """What is known of a step while the run lasts; the rest is worked out afterwards."""

    name: str
    op: str
    stage: str
    axes: tuple[str, ...]
    equation: str
    operands: tuple[Tensor, ...]
    value: Any
    seconds: float


class Tape:
    """Records a run.

    Operands are ``Tensor``s, so what a step reads, costs and how long it took is recorded and never
    authored. During the run a step costs one small record; values come to the host at its end.
    """

    def __init__(self, ops: Ops, parameters: Mapping[str, Array]) -> None:
        self.ops = ops
        self.stages: list[Stage] = []
        self._stage = ""
        self._records: list[_Record] = []
        self._parameters = parameters
        self._on_device: dict[str, Tensor] = {}

    def parameter(self, name: str) -> Tensor:
        """Return a parameter of the model as an operand."""
        if name not in self._on_device:
            self._on_device[name] = Tensor(name, self.ops.to_device(self._parameters[name]))
        return self._on_device[name]

    @contextmanager
    def stage(self, name: str, title: str, equation: str) -> Iterator[None]:
        """Group the steps recorded inside: one tick of the animation lights them together."""
        self.stages.append(Stage(name, title, equation))
        self._stage = name
        yield
        self._stage = ""

    def input(self, value: Array, *, name: str, axes: tuple[str, ...], equation: str) -> Tensor:
        """Record numbers that come from outside the model."""
        return self._record("input", (), self.ops.to_device(value), 0.0, name, axes, equation)

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
            A key of ``OPS``, which is the method of ``Ops``.
        *operands
            Steps and parameters that it reads.
        name, axes, equation
            Of the step. ``axes`` leave out a leading batch axis, which is put before them where
            the value has it.
        **options
            Numbers that are no tensors: an index, a factor, the number of heads.
        """
        function = getattr(self.ops, op)
        values = [operand.value for operand in operands]
        start = perf_counter()
        value = function(*values, **options)
        seconds = perf_counter() - start
        return self._record(op, operands, value, seconds, name, axes, equation)

    def linear(
        self,
        x: Tensor,
        *,
        weight: str,
        bias: str,
        name: str,
        axes: tuple[str, ...],
        equation: str,
    ) -> Tensor:
        """Record x W + b as two steps, ``name.product`` and ``name``."""
        formula = equation.rsplit(" + ", 1)[0]
        product = self(
            "product", x, self.parameter(weight), name=f"{name}.product", axes=axes,
            equation=formula,
        )  # fmt: skip
        return self(
            "add", product, self.parameter(bias), name=name, axes=axes, equation=equation
        )

    def steps(self) -> tuple[Step, ...]:
        """Return everything recorded, with its values on the host and not writable."""
        # One conversion for each array, so that what a view shows is not copied for it.
        return tuple(self._step(record) for record in self._records)

    def _record(
        self,
        op: str,
        operands: tuple[Tensor, ...],
        value: Any,
        seconds: float,
        name: str,
        axes: tuple[str, ...],
        equation: str,
    ) -> Tensor:
        if value.ndim == len(axes) + 1:
            axes = ("batch", *axes)
        if value.ndim != len(axes):
            raise AssertionError(f"{name} has shape {value.shape} but the axes {axes}.")
        self._records.append(
            _Record(name, op, self._stage, axes, equation, operands, value, seconds)
        )
        return Tensor(name, value)

    def _step(self, record: _Record) -> Step:
        row = OPS[record.op]
        values = tuple(operand.value for operand in record.operands)
        value = self.ops.to_host(record.value)
        value.setflags(write=False)
        return Step(
            name=record.name,
            op=record.op,
            stage=record.stage,
            value=value,
            axes=record.axes,
            equation=record.equation,
            reads=tuple(operand.name for operand in record.operands),
            cost=row.cost(values, record.value),
            timing=Timing(record.seconds, row.unit_of(values), Basis.MEASURED),
        )

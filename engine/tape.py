"""The tape: runs primitive operations and records what each one was, read, cost and took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import Any, NamedTuple

from engine.ops import OPS, Array, Ops
from engine.trace import Basis, Stage, Step, Timing


class Tensor(NamedTuple):
    """A named array of the run: a step's value or a parameter, where the backend computes."""

    name: str
    value: Any


class _Record(NamedTuple):
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
            A key of ``OPS``, which is the method of ``Ops``.
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
        function = getattr(self.ops, op)
        values = [operand.value for operand in operands]
        start = perf_counter()
        value = function(*values, **options)
        seconds = perf_counter() - start
        return self._record(op, operands, value, seconds, name, axes, equation, options)

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

    def steps(self) -> tuple[Step, ...]:
        """Return everything recorded, with its values on the host and not writable."""
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
        options: dict[str, Any],
    ) -> Tensor:
        if value.ndim == len(axes) + 1:
            axes = ("batch", *axes)
        if value.ndim != len(axes):
            raise ValueError(f"{name} has the shape {value.shape} and cannot have the axes {axes}.")
        record = _Record(name, op, self._stage, axes, equation, operands, value, seconds, options)
        self._records.append(record)
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
            options=tuple(_numbers(record.options)),
        )


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

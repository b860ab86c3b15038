"""What a number is about, and how it is known; without NumPy, so that a window starts soon."""

from __future__ import annotations

from enum import StrEnum


class Unit(StrEnum):
    """The kind of hardware that does an operation."""

    SEQUENTIAL = "sequential"
    STREAM = "stream"
    MATRIX = "matrix"


class Work(StrEnum):
    """What a moment of wall time is counted as, in the order in which one hides another."""

    MATRIX = "matrix"
    STREAM = "stream"
    UNCLASSIFIED = "unclassified"  # a kernel whose kind is in doubt
    COPY = "copy"
    SEQUENTIAL = "sequential"  # host work
    IDLE = "idle"


class Basis(StrEnum):
    """How a number is known."""

    MEASURED = "measured"
    INFERRED = "inferred"
    MODELLED = "modelled"

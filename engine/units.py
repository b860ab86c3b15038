"""What a number is about, and how it is known; without NumPy, so that a window starts soon."""

from __future__ import annotations

from enum import StrEnum


class Unit(StrEnum):
    """The kind of hardware that does an operation."""

    SEQUENTIAL = "sequential"
    STREAM = "stream"
    MATRIX = "matrix"


class Basis(StrEnum):
    """How a number is known."""

    MEASURED = "measured"
    INFERRED = "inferred"
    MODELLED = "modelled"

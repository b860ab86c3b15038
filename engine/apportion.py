"""Whole numbers in proportion to weights, which add up to what they are parts of."""

from __future__ import annotations

import math
from collections.abc import Iterable


def percents(weights: Iterable[float]) -> tuple[int, ...]:
    """Return whole per cents of one distribution that add up to exactly 100.

    Raises
    ------
    ValueError
        When the weights do not sum to more than 0.
    """
    return shared(weights, 100)


def shared(weights: Iterable[float], whole: int) -> tuple[int, ...]:
    """Return whole numbers in proportion to weights that add up to exactly ``whole``.

    The largest remainders are rounded up (Hamilton's method); of equal ones the first.

    Raises
    ------
    ValueError
        When the weights do not sum to more than 0.
    """
    values = [float(w) for w in weights]
    total = sum(values)
    if not total > 0 or not math.isfinite(total):
        raise ValueError("Weights that sum to nothing have no per cents.")
    exact = [whole * v / total for v in values]
    parts = [math.floor(e) for e in exact]
    order = sorted(range(len(exact)), key=lambda i: parts[i] - exact[i])
    for i in order[: whole - sum(parts)]:
        parts[i] += 1
    return tuple(parts)

"""What a training can ask of the heads beside right answers: sharp patterns that differ.

A pattern p has axes (batch, head, query, key). Over the queries that count, and the blocks:

    sharpen     mean over heads of the entropy of a row, -Σ_k p_k log p_k, in nats
    disagree    mean over pairs of heads of Σ_k p_k p′_k: how much they look at the same words

Source of the second: Li et al. 2018, "Multi-head attention with disagreement regularization",
section 3.2, disagreement on attended positions, but for the sign.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.ops import Array

LEAST = 1e-9  # added to a weight in front of its logarithm


def penalty(pattern: Array, counted: Array | None, *, sharpen: float, disagree: float) -> float:
    """Return what is added to the loss for one block: weighted entropy and overlap.

    Parameters
    ----------
    pattern
        Axes (batch, head, query, key).
    counted
        True for every query that counts, axes (batch, query); None for all.
    sharpen, disagree
        The weights.
    """
    p = pattern.astype(float)
    heads = p.shape[1]
    entropy = -(p * np.log(p + LEAST)).sum(-1).mean(1)  # (batch, query)
    twice = (p.sum(1) ** 2).sum(-1) - (p**2).sum((1, 3))  # of every pair of heads
    overlap = twice / (heads * (heads - 1)) if heads > 1 else 0.0 * twice
    rows = sharpen * entropy + disagree * overlap
    return float(rows.mean() if counted is None else rows[counted].mean())


def add_gradient(
    xp: Any, pattern: Any, counted: Any | None, g: Any, *, sharpen: float, disagree: float
) -> None:
    """Add the gradient of ``penalty`` to a pattern's, in place.

    ∂/∂p_hk = [-sharpen (log p_hk + 1) / h + 2 disagree Σ_{h′≠h} p_h′k / (h (h - 1))] / rows
    """
    batch, heads, queries, _ = pattern.shape
    part = xp.log(pattern + LEAST)
    part += pattern / (pattern + LEAST)
    part *= -sharpen / heads
    if heads > 1:
        others = pattern.sum(axis=1, keepdims=True) - pattern
        others *= 2.0 * disagree / (heads * (heads - 1))
        part += others
    if counted is None:
        part *= 1.0 / (batch * queries)
    else:  # which stays an array: to ask a device for their number would be to wait for it
        row = counted.astype(pattern.dtype)
        row /= xp.maximum(row.sum(), 1.0)
        part *= row[:, None, :, None]
    g += part

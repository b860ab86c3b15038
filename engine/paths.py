"""How far each token is from the answer: the operations on a way from one to the other.

A step of a trace may hold the rows of all tokens, so ways are followed number by number, backward
from the answer through the recorded calls, as gradients are in ``engine.autodiff``. What is handed
on is a count, and where ways meet the fewest or the most is taken. What is multiplied by an exact 0
carries nothing: a key that the mask closes is on no way.

Source: Vaswani et al. 2017, table 1, "maximum path length", which is the shortest way between two
tokens; here in operations and not in layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.autodiff import PULL, Call, Part, calls_of
from engine.ops import Ops
from engine.trace import DEPTHLESS, Trace

Counts = NDArray[np.float32]
TOKENS, END = "tokens", "answer.word"


@dataclass(frozen=True)
class Paths:
    """Dependent operations from each token to the answer, both ends counted, axes (token,).

    ``shortest`` is the least that lies between a token and the answer, ``longest`` the most: of the
    first token of a chain it is the depth. None where no way leads to the answer.
    """

    shortest: tuple[int | None, ...]
    longest: tuple[int | None, ...]


def to_answer(trace: Trace) -> Paths:
    """Return how many dependent operations lie between each token and the answer.

    Depth is counted as ``Trace.depth``: views, transposes and concatenation count 0, and the gather
    of the token's row and the choice of the word count 1 each.

    Parameters
    ----------
    trace
        A run of a chain or grid over one sentence; where every token answers, the answer of the
        token ``trace.hidden`` is meant.
    """
    if trace.value("tokens").ndim != 1:
        raise ValueError("This is a run over a batch; run each sentence by itself.")
    ops = Ops()
    calls = calls_of(trace, ops)
    shortest = _Way(ops, np.minimum.reduce, math.inf).follow(calls, trace.hidden)
    longest = _Way(ops, np.maximum.reduce, -math.inf).follow(calls, trace.hidden)
    return Paths(shortest, longest)


@dataclass(frozen=True)
class _Way:
    """Counts go backward: ``best`` chooses where ways meet, ``none`` stands where there is none."""

    ops: Ops
    best: Callable[..., Any]
    none: float

    def follow(self, calls: list[Call], asked: int) -> tuple[int | None, ...]:
        """Return the operations between each token and the answer."""
        made = {call.name: call for call in calls}
        found: dict[str, Counts] = {END: np.full(made[END].value.shape, self.none, np.float32)}
        found[END][(asked,) if found[END].ndim else ()] = 0
        for call in reversed(calls):
            if call.name not in found or call.reads[-1:] == (TOKENS,):
                continue
            behind = found.pop(call.name) + np.float32(call.op not in DEPTHLESS)
            for k, name in enumerate(call.reads):
                if name in made and call.operands[k].dtype.kind == "f":
                    self._add(found, name, call, behind, k)
        first = next(call.name for call in calls if call.reads[-1:] == (TOKENS,))
        rows = self.best(found[first], axis=-1) + 1  # with the gather itself; (token,)
        return tuple(int(count) if math.isfinite(count) else None for count in rows)

    def _add(self, found: dict[str, Counts], name: str, call: Call, g: Counts, k: int) -> None:
        """Join what a call hands to its operand k with what others handed to it."""
        shape = call.operands[k].shape
        handed = self._handed(call, g, k)
        if isinstance(handed, Part):
            whole = np.full(shape, self.none, np.float32)
            whole[handed.at] = handed.value
            handed = whole
        handed = np.broadcast_to(handed, shape)
        found[name] = self.best((found[name], handed), axis=0) if name in found else handed

    def _handed(self, call: Call, g: Counts, k: int) -> Counts | Part:
        """Return counts that fit operand k of a call, from those of its result."""
        if call.op in DEPTHLESS:  # it moves numbers, and a gradient moves back as a count does
            pull = PULL[call.op]
            assert pull is not None
            moved: Counts | Part = pull(self.ops, call, g, k)
            return moved
        if call.op == "product":
            return self._product(call, g, k)
        if call.op == "softmax":
            weighs = call.value != 0
            row = self._best_of(np.where(weighs, g, self.none), -1)
            return self._folded(np.where(weighs, row, self.none), call.operands[k].shape)
        if call.op == "norm":
            return self._best_of(g, -1)
        if call.op == "argmax":
            return np.asarray(g)[..., None]
        return self._folded(g, call.operands[k].shape)

    def _best_of(self, g: Counts, axis: int) -> Counts:
        chosen: Counts = self.best(g, axis=axis, keepdims=True)
        return chosen

    def _folded(self, g: Counts, shape: tuple[int, ...]) -> Counts:
        """Return the best where an operand was repeated to the shape of the result."""
        while g.ndim > len(shape):
            g = self.best(g, axis=0)
        for axis, length in enumerate(shape):
            if length == 1 and g.shape[axis] > 1:
                g = self._best_of(g, axis)
        return g

    def _product(self, call: Call, g: Counts, k: int) -> Counts:
        """Return of y = a b for a_{im} the best over j where b_{mj} is not 0, and so for b."""
        a, b = call.operands
        row, column = a.ndim == 1 or a.ndim == b.ndim - 1, b.ndim == 1
        transposed = bool(call.told.get("transpose_b", False))
        if column:
            b, g = b[:, None], g[..., None]
        elif transposed:
            b = np.swapaxes(b, -1, -2)
        if row:
            a, g = a[..., None, :], g[..., None, :]
        if k == 0:
            handed = np.swapaxes(self._over(np.swapaxes(g, -1, -2), np.swapaxes(b, -1, -2)), -1, -2)
            handed = np.broadcast_to(handed, (*g.shape[:-1], a.shape[-1]))
            return handed[..., 0, :] if row else self._folded(handed, a.shape)
        handed = self._over(g, a)  # (…, m, j), or one m that stands for all
        handed = self._folded(handed, (*b.shape[:-2], *handed.shape[-2:])[-b.ndim :])
        if column:
            return handed[..., 0]
        return np.swapaxes(handed, -1, -2) if transposed else handed

    def _over(self, g: Counts, a: NDArray[Any]) -> Counts:
        """Return for every m and j the best of g_{ij} over i where a_{im} is not 0."""
        open = a != 0
        if open.all():
            return self._best_of(g, -2)
        rows = [
            self.best(np.where(open[..., m, None], g, self.none), axis=-2)
            for m in range(a.shape[-1])
        ]
        return np.stack(rows, axis=-2)

"""The work of the race on a GPU: one by one and as a graph, with its data there and copied.

Source: CUDA C++ programming guide, "CUDA Graphs"; CuPy reference, ``Stream.begin_capture``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine.race import HEAD, OPS, STATE, Array, Watch, drawn

Times = list[tuple[str, float]]


class OnDevice:
    """Times on a GPU what ``engine.race`` times on the CPU.

    ``ops`` are the primitives there (``engine.gpu.CupyOps``), ``there`` runs a function in the one
    thread that may touch the device. What a graph cannot hold has no time as one: CuPy refuses to
    record a product of cuBLAS.
    """

    def __init__(
        self, name: str, ops: Any, there: Callable[..., Any] = lambda run, *given: run(*given)
    ) -> None:
        self.name = name
        self._ops, self._there = ops, there

    def warm(self) -> None:
        """Run everything once, so that all kernels are compiled before a clock runs."""
        still = Watch(lambda: 0.0, lambda: True)
        for op in OPS:
            self.time(op, 2, still)
        self.outputs(2, still)

    def time(self, op: str, n: int, watch: Watch) -> Times:
        """Return the seconds of an operation at a size, by ``Point.by``.

        Those that the clock told, and that the device had memory for.
        """
        given = {
            "product": lambda: [drawn(n, n), drawn(n, n)],
            "map": lambda: [drawn(n, n)],
            "chain": lambda: [drawn(STATE), drawn(STATE, STATE)],
        }[op]()
        return self._timed(lambda *arrays: self._run(op, n, *arrays), given, watch)

    def outputs(self, count: int, watch: Watch) -> Times:
        """Return the seconds of so many outputs of the race, all in one kernel, by ``Point.by``."""
        given = [drawn(count, HEAD), drawn(count, HEAD), np.ones(count, np.float32)]
        outputs = getattr(self._ops, "outputs", None)
        return [] if outputs is None else self._timed(outputs, given, watch)

    def _run(self, op: str, n: int, *arrays: Any) -> Any:
        ops = self._ops
        if op == "product":
            return ops.product(*arrays)
        if op == "map":
            return ops.multiply(arrays[0], arrays[0])
        h, w = arrays
        for _ in range(n):
            h = ops.tanh(ops.product(h, w))
        return h

    def _timed(self, run: Callable[..., Any], given: Sequence[Array], watch: Watch) -> Times:
        try:
            found = self._there(self._ways, run, given, watch)
        except Exception:  # lost or out of memory: what is modelled stays
            return []
        return [(by, seconds) for by, seconds in found if seconds is not None]

    def _ways(
        self, run: Callable[..., Any], given: Sequence[Array], watch: Watch
    ) -> list[tuple[str, float | None]]:
        ops = self._ops
        there = [ops.to_device(array) for array in given]

        def resident() -> None:
            run(*there)
            ops.wait()

        def copied() -> None:
            ops.to_host(run(*[ops.to_device(array) for array in given]))

        resident()  # compiles kernels, and takes memory
        found = [("gpu", watch.best(resident)), ("gpu.copied", watch.best(copied))]
        try:
            graph = ops.recorded(lambda: run(*there))
            graph.launch()
            ops.wait()
        except Exception:  # it cannot be recorded: what is modelled stays
            return found

        def launched() -> None:
            graph.launch()
            ops.wait()

        def launched_copied() -> None:
            for array, host in zip(there, given, strict=True):
                array.set(host)  # where the graph reads
            graph.launch()
            ops.to_host(graph.result)

        return [
            *found, ("gpu.graph", watch.best(launched)),
            ("gpu.copied.graph", watch.best(launched_copied)),
        ]  # fmt: skip

"""How many threads linear algebra may take."""

from __future__ import annotations

import os


def leave_a_core() -> None:
    """Keep one core for the window; figures and traces do the same, so that times are alike."""
    import numpy  # noqa: F401  (a pool can be limited only when its library is loaded)
    from threadpoolctl import threadpool_limits

    threadpool_limits(max(1, (os.cpu_count() or 1) - 1), user_api="blas")

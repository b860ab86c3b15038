"""What scenes have drawn, kept until another run comes: a run of 2048 words takes a gigabyte.

Pictures of a run can be asked for again as long as the run is shown, and never afterwards. So they
are kept as ``functools.lru_cache`` keeps them, and forgotten when whoever shows runs says so.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

if TYPE_CHECKING:
    from functools import _lru_cache_wrapper

_kept: list[_lru_cache_wrapper[Any]] = []


def remembered(maxsize: int) -> Callable[[F], F]:
    """Return a decorator that keeps so many results of a function of runs."""

    def decorate(function: F) -> F:
        kept: Any = lru_cache(maxsize=maxsize)(function)
        _kept.append(kept)
        result: F = kept
        return result

    return decorate


def forget() -> None:
    """Forget all results: for another run; what is still shown is drawn anew."""
    for kept in _kept:
        kept.cache_clear()

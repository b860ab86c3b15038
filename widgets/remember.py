"""What scenes have drawn, kept until another run comes: a run of 2048 words takes a gigabyte.

Pictures of a run can be asked for again as long as the run is shown, and never afterwards. So they
are kept as ``functools.lru_cache`` keeps them, and forgotten when whoever shows runs says so.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

if TYPE_CHECKING:
    from functools import _lru_cache_wrapper

    from widgets.picture import Group, Shape

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


class Groups:
    """The last parts of a scene's pictures, so many at the most."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._groups: OrderedDict[tuple[str, object], Group] = OrderedDict()

    def __call__(self, slot: str, key: object, draw: Callable[[], list[Shape]]) -> Group:
        """Return a part, drawn anew only when what it is drawn from is another."""
        from widgets.picture import Group  # which the first frame of the window waits for otherwise

        found = self._groups.get((slot, key))
        if found is None:
            found = Group(shapes=tuple(draw()), slot=slot, cache_key=key)
            self._groups[slot, key] = found
            if len(self._groups) > self._most:
                self._groups.popitem(last=False)
        return found


class Is(Generic[T]):
    """Something by its identity: comparing costs nothing, and it stays while it is kept here."""

    def __init__(self, what: T) -> None:
        self.what = what

    def __hash__(self) -> int:
        """Return a hash of which object it is."""
        return id(self.what)

    def __eq__(self, other: object) -> bool:
        """Return whether it is the same object."""
        return isinstance(other, Is) and other.what is self.what

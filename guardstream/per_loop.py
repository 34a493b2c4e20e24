"""Values that belong to one event loop each, such as limiters.

They are dropped with their loop, and with what created them: a server that creates guards or
reloads policies for years does not keep the limiters of all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from anyio.lowlevel import RunVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """Calls `make` once in each event loop, and returns what it made there."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make

    def __call__(self) -> T:
        """Return the value of the running event loop."""
        values = _values.get(None)
        if values is None:
            values = WeakKeyDictionary()
            _values.set(values)
        if self not in values:
            values[self] = self._make()
        found: T = values[self]
        return found


_Values: TypeAlias = "WeakKeyDictionary[PerLoop[Any], Any]"

_values: RunVar[_Values] = RunVar("guardstream.per_loop")

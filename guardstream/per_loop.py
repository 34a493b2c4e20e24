"""Values that belong to one event loop each, such as limiters.

They are dropped with their loop, or with the object that created them: a server that creates guards
or reloads policies for years must not keep all their limiters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from anyio.lowlevel import RunVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """Calls `make` once in each event loop, and returns that loop's value."""

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

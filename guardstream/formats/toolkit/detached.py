"""Copies of objects whose producer may keep changing what is in them.

A client often collects an answer in one object and lets each of its events refer to it. A guarded
event would then show unguarded text as soon as the client adds it to the object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from guardstream.formats.toolkit.fields import (
    LISTS,
    fields_of,
    is_record_class,
    listed,
    replaced,
)


def detached(chunk: Any) -> Any:
    """Return a copy of a chunk, with copies of the records, lists, dicts and bytearrays in it.

    Objects of other kinds stay the same. So does a chunk that is nested too deeply to be read, or
    contains itself. AdapterError for a record that cannot be copied.
    """
    try:
        return _Copies().of(chunk)
    except RecursionError:
        return chunk


class _Copies:
    """Makes one copy of each object, however often a chunk refers to it."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[Any, Any]] = {}  # with the object, which keeps its id unique

    def of(self, value: Any) -> Any:
        """Return a copy of a value; the value itself if it cannot be changed."""
        kind: Any = type(value)
        copy = _copying(kind)
        if copy is None:
            return value
        made = self._made.get(id(value))
        if made is None:
            made = self._made[id(value)] = (value, copy(self, value))
        return made[1]

    def _of_dict(self, value: dict[str, Any]) -> dict[str, Any]:
        return {name: self.of(item) for name, item in value.items()}

    def _of_list(self, value: Any) -> Any:
        return listed(value, [self.of(item) for item in value])

    def _of_record(self, value: Any) -> Any:
        fields = fields_of(value)
        copies = {name: self.of(field) for name, field in fields.items()}
        return replaced(value, {n: new for n, new in copies.items() if new is not fields[n]})


@cache
def _copying(kind: type[Any]) -> Callable[[_Copies, Any], Any] | None:
    """Return the function that copies objects of a class; None if they stay as they are."""
    if kind is dict:
        return _Copies._of_dict
    if issubclass(kind, LISTS):
        return _Copies._of_list
    if issubclass(kind, bytearray):
        return lambda _, value: kind(value)
    return _Copies._of_record if is_record_class(kind) or issubclass(kind, Mapping) else None

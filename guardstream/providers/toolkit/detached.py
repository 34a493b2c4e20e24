"""Copies of objects whose producer may keep changing what is in them.

A client often collects an answer in one object and lets each of its events refer to that. An event
that was guarded would then show the unguarded text once the client has added it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardstream.providers.toolkit.fields import LISTS, fields_of, is_record, listed, replaced


def detached(chunk: Any) -> Any:
    """Return a copy of a record, with copies of the records, lists and dicts in it.

    Other chunks, and objects of other kinds in a record, stay the same. So does a record that is
    nested too deeply to be read, or contains itself.
    """
    try:
        return _Copies().of(chunk) if is_record(chunk) else chunk
    except RecursionError:
        return chunk


class _Copies:
    """Makes one copy of each object, so that what was one object stays one."""

    def __init__(self) -> None:
        self._made: dict[int, Any] = {}
        self._kept: list[Any] = []  # while they are alive, no other object has their ids

    def of(self, value: Any) -> Any:
        """Return a copy of a value; the value itself if it cannot be changed."""
        if not isinstance(value, (Mapping, *LISTS)) and not is_record(value):
            return value
        if id(value) not in self._made:
            self._kept.append(value)
            self._made[id(value)] = self._copy(value)
        return self._made[id(value)]

    def _copy(self, value: Any) -> Any:
        if isinstance(value, LISTS):
            items = [self.of(item) for item in value]
            fixed = isinstance(value, (tuple, frozenset))
            same = all(new is old for new, old in zip(items, value, strict=True))
            return value if fixed and same else listed(value, items)
        fields = fields_of(value)
        copies = {name: self.of(field) for name, field in fields.items()}
        changed = {name: new for name, new in copies.items() if new is not fields[name]}
        return replaced(value, changed)

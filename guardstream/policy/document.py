"""A YAML document as plain values with their places in the text."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from guardstream.policy.compiled import compiled, key_of

KeyPath: TypeAlias = tuple[str | int, ...]


class Mark(NamedTuple):
    """A place in a file; both count from 1, the column in code points."""

    line: int
    column: int


Spot: TypeAlias = tuple[int, int, str, str | None]
"""The line and column of a value, its quotes, and its text if places inside it can be located. A
tuple, because a policy has thousands, and the garbage collector does not track a tuple of these."""


class Problem(NamedTuple):
    """One error, and its place."""

    mark: Mark
    message: str


@dataclass(slots=True)
class Places:
    """The marks of a document's keys and values, by path."""

    keys: dict[KeyPath, tuple[int, int]] = field(default_factory=dict)
    values: dict[KeyPath, Spot] = field(default_factory=dict)


@dataclass(slots=True)
class Document:
    """The values of a YAML text, the marks of keys and values by path, and the errors.

    Of a `text` that is known to be valid the marks are found when one is first asked for.
    """

    value: object = None
    problems: list[Problem] = field(default_factory=list)
    text: str | None = None
    _places: Places | None = None

    @property
    def keys(self) -> dict[KeyPath, tuple[int, int]]:
        """The marks of the keys, by path."""
        return self._located().keys

    @property
    def values(self) -> dict[KeyPath, Spot]:
        """The places of the values, by path."""
        return self._located().values

    def _located(self) -> Places:
        if self._places is None:
            self._places = Places() if self.text is None else read(self.text)._located()
        return self._places

    def has(self, path: KeyPath) -> bool:
        """Return whether there is a value at a path."""
        value: Any = self.value
        for part in path:
            known = range(len(value)) if isinstance(value, list) else value
            if isinstance(value, str) or not isinstance(known, Collection) or part not in known:
                return False
            value = value[part]
        return True

    def mark(self, path: KeyPath) -> Mark:
        """Return the place of the value at `path`, or of the nearest value around it."""
        while path not in self.values:
            if not path:
                return Mark(1, 1)
            path = path[:-1]
        return Mark(*self.values[path][:2])

    def key_mark(self, path: KeyPath) -> Mark:
        """Return the place of the key at `path`, or of the value if it has no key."""
        return Mark(*self.keys[path]) if path in self.keys else self.mark(path)

    def inside(self, path: KeyPath, offset: int) -> Mark | None:
        """Return the place of the code point at `offset` in the text at `path`; None if quoting
        hides it."""
        line, column, quotes, text = self.values.get(path, (1, 1, "", None))
        if text is None:
            return None
        doubled = text[:offset].count("'") if quotes == "'" else 0
        return Mark(line, column + len(quotes) + offset + doubled)


def read(text: str, *, sound: bool = False) -> Document:
    """Read a YAML text into plain values, as `reading.read` does. `sound` says that the text is
    known to be valid, as the packs are; those that were parsed before are not read again."""
    if sound and (known := compiled().documents.get(key_of(text))) is not None:
        return Document(known, text=text)
    from guardstream.policy import reading  # the parsers, which take long to import

    return reading.read(text, sound=sound)

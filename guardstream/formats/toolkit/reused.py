"""Tells which tool call a piece of arguments belongs to if a server gives several the same index.

Gemini's and Ollama's OpenAI-compatible servers give each call of a turn the index 0. The calls' ids
differ. But a new id alone does not show a new call: some servers make up an id for each piece of a
call, and clients that go by the index read these pieces as one text.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from dataclasses import dataclass, field

_LAST = "} \t\r\n"
"""The characters with which the JSON of an object may end."""

_LONG = 1 << 20
"""Code points of arguments that are kept; after longer ones, no new call is recognised."""


@dataclass(slots=True, eq=False)
class _Latest:
    """The latest call of an index: its id, and its arguments so far."""

    id: object
    arguments: list[str] = field(default_factory=list)
    size: int = 0

    def add(self, text: str) -> None:
        self.size += len(text)
        if self.size <= _LONG:
            self.arguments.append(text)
        else:
            self.arguments.clear()

    @property
    def is_whole(self) -> bool:
        """Whether the arguments are an object of JSON, to which nothing can be added."""
        if not self.arguments or self.arguments[-1][-1] not in _LAST:
            return False
        return is_whole("".join(self.arguments))


def is_whole(arguments: str) -> bool:
    """Return whether arguments are an object of JSON, to which nothing can be added."""
    if arguments[-1:] not in _LAST:
        return False
    try:
        return isinstance(json.loads(arguments), dict)
    except (ValueError, RecursionError):
        return False


class Reused:
    """Recognises pieces that begin a new call with an index that is taken.

    A piece does so if it has a name, and another id than the latest call with its index, and that
    call's arguments are a whole object.
    """

    def __init__(self) -> None:
        self._latest: dict[Hashable, _Latest] = {}

    def take(self, index: Hashable, name: object, given: object, text: object) -> bool:
        """Take a piece of a call; return whether it begins a new call with an index that is taken.

        The piece has a `name`, an id (`given`) and arguments (`text`), or None in place of each.
        """
        latest = self._latest.get(index)
        another = (
            latest is not None
            and bool(name and given and latest.id)
            and given != latest.id
            and latest.is_whole
        )
        if latest is None or another:
            latest = self._latest[index] = _Latest(given)
        latest.id = latest.id or given
        if text and isinstance(text, str):
            latest.add(text)
        return another

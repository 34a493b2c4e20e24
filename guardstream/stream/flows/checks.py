"""Checks of whole texts, cached, because texts at unknown paths often recur."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import TypeAlias

from guardstream.events import Event, Finish, Text, text_of

Check: TypeAlias = Callable[[str], Sequence[Event]]
"""Guards a whole text."""

_TEXTS = 8192
"""How many texts are cached: more than the strings of most events, with what came before them."""

_CHANGED = 262_144
"""The most code points, in total, of cached texts in which something was found."""

_SHORT = 64
"""The maximum length of a text that is a key itself, in code points."""


class CachedCheck:
    """Guards texts as `check` does. Of a long text without findings only a digest is kept."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._known: dict[str | bytes, Sequence[Event] | None] = {}  # None: nothing was found
        self._changed = 0

    def __call__(self, text: str) -> Sequence[Event]:
        key = text if len(text) <= _SHORT else _digest(text)
        if key in self._known:
            events = self._known[key]
            return [Text(text)] if events is None else events
        events = self._check(text)
        if all(isinstance(each, Text) for each in events) and text_of(events) == text:
            self._keep(key, None, 0)
            return [Text(text)]
        if len(text) <= _CHANGED:
            self._keep(key, events, len(text))
        return events

    def _keep(self, key: str | bytes, events: Sequence[Event] | None, size: int) -> None:
        if len(self._known) == _TEXTS or self._changed + size > _CHANGED:
            self._known.clear()
            self._changed = 0
        self._known[key] = events
        self._changed += size


def _digest(text: str) -> bytes:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=32).digest()


def is_unchanged(events: Sequence[Event], text: str) -> bool:
    """Return whether events release a text unchanged and end nothing."""
    return text_of(events) == text and not (events and isinstance(events[-1], Finish))

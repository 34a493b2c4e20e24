"""Events that wait for the held text before them, because clients may stop reading at them."""

from __future__ import annotations

from collections.abc import Sequence

from guardstream.stream.flows.flow import Sent

_MOST = 64
"""How many events may wait."""


class WaitingEvents:
    """The events between a text that was held when they came and what follows it.

    They go out once all of that text has, or together with it if the stream ends.
    """

    def __init__(self) -> None:
        self._events: list[Sent[bytes]] = []
        self._text = 0  # characters of text since the first of them

    def __bool__(self) -> bool:
        return bool(self._events)

    def add(self, sent: Sequence[Sent[bytes]], *, is_long: bool) -> list[Sent[bytes]]:
        """Take an event that comes after held text; return what goes out now.

        If it `is_long`, or too many wait, all of them go out before the text.
        """
        if is_long or len(self._events) == _MOST:
            return [*self.release(), *sent]
        self._events += sent
        return []

    def note_text(self, characters: int, held: int) -> list[Sent[bytes]]:
        """Take note of further text; return the events if none of the text before them is `held`
        any more."""
        self._text += characters
        return self.release() if held <= self._text else []

    def release(self) -> list[Sent[bytes]]:
        """Return all events that wait."""
        events, self._events, self._text = self._events, [], 0
        return events

"""Restores values in stored events with stand-ins, on their way to a client.

The stored events of a stream are read from the beginning whenever a client reconnects, because a
stand-in may have begun in any event. A client gets the same ids each time: an event that
corresponds to a stored one has its number; an event before it, such as text that had waited, has
the number of the previous stored event and its position after it: `7.1`, `7.2`.
"""

from __future__ import annotations

import logging
from codecs import BOM_UTF8
from collections.abc import Callable, Sequence
from typing import NamedTuple

from guardstream.errors import GuardstreamError
from guardstream.framing.sse import MAX_EVENT, Decoder, Event
from guardstream.guard import Guard
from guardstream.serve.endings import guarded_message
from guardstream.stream.flows.flow import Sent
from guardstream.stream.result import Meter
from guardstream.vault import Vault

log = logging.getLogger("guardstream.serve")


class Position(NamedTuple):
    """The position of a client: it has the stored event `number`, and `more` events after that."""

    number: int
    more: int = 0

    def __str__(self) -> str:
        return f"{self.number}.{self.more}" if self.more else str(self.number)


class Placed(NamedTuple):
    """An event without its id, and the position of a client that has it."""

    raw: bytes
    position: Position


class Restoring:
    """Restores the events of one stream, in the order of their numbers."""

    def __init__(self, guard: Guard, vault: Vault, format: str | None = None) -> None:
        """`guard` is the stream's, `format` the format of its events, if it is known."""
        self._guard = guard
        values = guard.with_vault(vault).with_restoring_only()
        self._flow = values.flow(format=format, media="sse")(b"", Meter())
        self._at = Position(0)
        self._failed = False

    def feed(self, event: Placed) -> list[Placed]:
        """Take an event; return what may go out now."""
        before, self._at = self._at, event.position
        shown = self._guarded(lambda: self._flow.feed(event.raw), event.raw)
        places = [Position(before.number, more) for more in range(1, len(shown))]
        return list(map(Placed, shown, [*places, self._at]))

    def finish(self) -> list[Placed]:
        """Take the stream's end; return what still waited."""
        shown = self._guarded(self._flow.finish, b"")
        return [Placed(raw, Position(self._at.number, more)) for more, raw in enumerate(shown, 1)]

    def _guarded(self, work: Callable[[], Sequence[Sent[bytes]]], raw: bytes) -> list[bytes]:
        """Return the events of a step; after a failure, stand-ins are not replaced."""
        if self._failed:
            return [raw] if raw else []
        try:
            sent = work()
            if self._flow.error is not None:
                raise self._flow.error
        except GuardstreamError as error:
            log.error("values are no longer restored: %s", guarded_message(self._guard, error))
            self._failed = True
            return [raw] if raw else []
        return self._events([each.chunk for each in sent])

    @staticmethod
    def _events(frames: list[bytes]) -> list[bytes]:
        decoder = Decoder(max_line=2 * MAX_EVENT, max_event=2 * MAX_EVENT)
        items = decoder.feed(b"".join(frames))
        return [plain(item) for item in items if isinstance(item, Event)]


def plain(event: Event) -> bytes:
    """Return an event's bytes, to which an id can be added."""
    return event.raw.removeprefix(BOM_UTF8).lstrip(b"\n")

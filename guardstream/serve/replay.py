"""Stores of released events, so that a client that lost its connection can get them again.

A store keeps guarded bytes by stream and number, and knows nothing else.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from sys import maxsize
from time import monotonic
from typing import NamedTuple, Protocol

import anyio

from guardstream.amounts import check_count, check_seconds
from guardstream.stream.loops import Signal

MAX_EVENTS = 4096
"""The default maximum of stored events per stream."""

MAX_BYTES = 256 * 1024
"""The default maximum of stored bytes per stream."""

MAX_AGE = 300.0
"""The default seconds for which a stream is stored after its last event."""

MAX_STREAMS = 1024
"""The default maximum of streams in memory."""

MAX_TOTAL = 64 * 1024 * 1024
"""The default maximum of bytes of all streams in memory."""


class Kept(NamedTuple):
    """Events that follow a number, in order, and whether the stream has ended after them."""

    events: Sequence[tuple[int, bytes]]
    ended: bool


class ReplayStore(Protocol):
    """Keeps the released events of streams, within bounds.

    A stream's events are numbered from 1 and appended in order, by one writer; the newest is kept
    unless it exceeds the bound for all streams. A stream's id is a secret: only those who know it
    can read the stream. All methods may be called from any task of one event loop.
    """

    async def append(self, stream: str, number: int, event: bytes) -> None:
        """Store an event; the oldest events are dropped if there is no room.

        The client gets the event after this returns. So a store bounds its own time: one that hangs
        holds the stream. If it raises, the stream goes on without the store.
        """
        ...

    async def since(self, stream: str, number: int, wait: float = 0.0) -> Kept | None:
        """Return the events after `number`; wait up to `wait` seconds until there are any.

        None if some of them, or the whole stream, are not stored or no longer stored.
        """
        ...

    async def followed(self, stream: str) -> bool:
        """Return whether anyone has waited for this stream's events in the last seconds."""
        ...

    async def close(self, stream: str) -> None:
        """Mark the end of a stream: nothing will be appended."""
        ...


FOLLOWING = 5.0
"""How many seconds a stream counts as followed after someone has waited for its events."""


@dataclass(slots=True)
class _Stream:
    events: deque[tuple[int, bytes]] = field(default_factory=deque)
    size: int = 0
    dropped: int = 0
    ended: bool = False
    touched: float = 0.0
    followed: float = -FOLLOWING
    news: Signal = field(default_factory=Signal)


class MemoryReplay:
    """A store in this process's memory: for one worker.

    It keeps at most `max_events` and `max_bytes` of a stream, for `max_age` seconds after its last
    event, and at most `max_streams` and `max_total` bytes in total. The oldest are dropped first.
    """

    def __init__(
        self,
        *,
        max_events: int = MAX_EVENTS,
        max_bytes: int = MAX_BYTES,
        max_age: float = MAX_AGE,
        max_streams: int = MAX_STREAMS,
        max_total: int = MAX_TOTAL,
    ) -> None:
        check_count("max_events", max_events)
        check_count("max_bytes", max_bytes)
        check_seconds("max_age", max_age, zero=True)
        check_count("max_streams", max_streams)
        check_count("max_total", max_total)
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._max_streams = max_streams
        self._max_total = max_total
        self._total = 0
        self._streams: OrderedDict[str, _Stream] = OrderedDict()

    def __len__(self) -> int:
        return len(self._streams)

    async def append(self, stream: str, number: int, event: bytes) -> None:
        """Store an event; the oldest events are dropped if there is no room."""
        kept = self._touched(stream)
        if not kept.events:  # it may have been forgotten while it went on
            kept.dropped = number - 1
        kept.events.append((number, event))
        kept.size += len(event)
        self._total += len(event)
        while len(kept.events) > 1 and (
            len(kept.events) > self._max_events or kept.size > self._max_bytes
        ):
            kept.dropped, old = kept.events.popleft()
            kept.size -= len(old)
            self._total -= len(old)
        while self._total > self._max_total:
            self._forget()
        kept.news.notify()

    async def since(self, stream: str, number: int, wait: float = 0.0) -> Kept | None:
        """Return the events after `number`, or None; see `ReplayStore`."""
        self._expire()
        kept = self._streams.get(stream)
        if kept is None:
            return None
        if wait:
            kept.followed = monotonic() + wait
            with anyio.move_on_after(wait):
                while not (kept.ended or self._after(kept, number)):
                    await kept.news.wait()
        if number < kept.dropped:
            return None
        return Kept(self._after(kept, number), kept.ended)

    async def followed(self, stream: str) -> bool:
        """Return whether anyone has waited for this stream's events in the last seconds."""
        kept = self._streams.get(stream)
        return kept is not None and monotonic() < kept.followed + FOLLOWING

    async def close(self, stream: str) -> None:
        """Mark the end of a stream: nothing will be appended."""
        if stream in self._streams:
            kept = self._touched(stream)
            kept.ended = True
            kept.news.notify()

    def _touched(self, stream: str) -> _Stream:
        self._expire()
        kept = self._streams.setdefault(stream, _Stream())
        kept.touched = monotonic()
        self._streams.move_to_end(stream)
        if len(self._streams) > self._max_streams:
            self._forget()
        return kept

    def _expire(self) -> None:
        """Remove streams that are too old. The dict is in order of last use."""
        before = monotonic() - self._max_age
        while self._streams and next(iter(self._streams.values())).touched < before:
            self._forget()

    def _forget(self) -> None:
        _, kept = self._streams.popitem(last=False)
        self._total -= kept.size
        kept.ended = True
        kept.dropped = maxsize  # for those who wait for its events now
        kept.news.notify()

    @staticmethod
    def _after(kept: _Stream, number: int) -> list[tuple[int, bytes]]:
        if not kept.events or kept.events[-1][0] <= number:
            return []
        return [event for event in kept.events if event[0] > number]

"""Released events in Redis, for several workers and machines; needs the extra `redis`.

A stream is a Redis stream (https://redis.io/docs/latest/develop/data-types/streams/) whose entry
ids are the events' numbers. It expires by itself.
"""

from __future__ import annotations

from collections import deque
from math import ceil, isinf
from typing import Any

import anyio
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from guardstream.amounts import check_count, check_seconds
from guardstream.serve.replay import FOLLOWING, MAX_AGE, MAX_BYTES, MAX_EVENTS, Kept

TIMEOUT = 2.0
"""Seconds that Redis may take for an operation, for which a stream waits."""

_EVENT, _END = b"event", b"end"


class RedisReplay:
    """A store in Redis; the client must not decode responses, and is the caller's to close.

    Errors of the client pass, and TimeoutError after `timeout` seconds: a stream continues without
    the store.
    """

    def __init__(
        self,
        client: Redis,
        *,
        prefix: str = "guardstream:",
        max_events: int = MAX_EVENTS,
        max_bytes: int = MAX_BYTES,
        max_age: float = MAX_AGE,
        timeout: float = TIMEOUT,
    ) -> None:
        if client.connection_pool.connection_kwargs.get("decode_responses"):
            raise ValueError("a replay store keeps bytes: make the client without decode_responses")
        check_count("max_events", max_events)
        check_count("max_bytes", max_bytes)
        check_seconds("max_age", max_age)
        check_seconds("timeout", timeout)
        if isinf(max_age):
            raise ValueError("max_age= needs a finite number of seconds in Redis")
        self._client: Any = client
        self._prefix = prefix
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._max_age = ceil(max_age)
        self._timeout = timeout
        self._sizes: dict[str, deque[int]] = {}
        self._totals: dict[str, int] = {}

    async def append(self, stream: str, number: int, event: bytes) -> None:
        # After a failure it is unknown what is kept, so nothing expires before its time.
        counted = number == 1 or stream in self._sizes
        oldest = number - self._count(stream, len(event)) + 1 if counted else 0
        key = self._key(stream)
        try:
            with anyio.fail_after(self._timeout):
                async with self._client.pipeline(transaction=True) as pipe:
                    pipe.xadd(key, {_EVENT: event}, id=f"{number}-0")
                    if counted:
                        pipe.xtrim(key, minid=f"{oldest}-0", approximate=False)
                    pipe.expire(key, self._max_age)
                    try:
                        await pipe.execute()
                    except ResponseError:
                        if not await self._is_last(key, number, event):
                            raise
        except BaseException:
            self._forget(stream)  # little more is appended to it
            raise

    async def since(self, stream: str, number: int, wait: float = 0.0) -> Kept | None:
        key = self._key(stream)
        kept = await self._read(key, number)
        if not wait or kept is None or kept.events or kept.ended:
            return kept
        with anyio.fail_after(self._timeout + wait):
            await self._client.set(self._follower(stream), b"1", ex=ceil(wait + FOLLOWING))
            await self._client.xread({key: f"{number}-0"}, block=ceil(wait * 1000), count=1)
        return await self._read(key, number)

    async def followed(self, stream: str) -> bool:
        with anyio.fail_after(self._timeout):
            return bool(await self._client.exists(self._follower(stream)))

    async def close(self, stream: str) -> None:
        self._forget(stream)
        key = self._key(stream)
        with anyio.fail_after(self._timeout):
            async with self._client.pipeline(transaction=True) as pipe:
                pipe.xadd(key, {_END: b""}, nomkstream=True)
                pipe.expire(key, self._max_age)
                await pipe.execute()

    async def _is_last(self, key: str, number: int, event: bytes) -> bool:
        """Return whether an event is stored: a command is repeated if its reply was lost."""
        last = await self._client.xrevrange(key, count=1)
        return bool(last) and _number(last[0]) == number and last[0][1].get(_EVENT) == event

    def _forget(self, stream: str) -> None:
        self._sizes.pop(stream, None)
        self._totals.pop(stream, None)

    async def _read(self, key: str, number: int) -> Kept | None:
        with anyio.fail_after(self._timeout):
            async with self._client.pipeline(transaction=True) as pipe:
                pipe.xrange(key, count=1)
                pipe.xrange(key, min=f"({number}-0")
                first, entries = await pipe.execute()
        if not first or _number(first[0]) > number + 1:
            return None
        events = [(_number(entry), entry[1][_EVENT]) for entry in entries if _EVENT in entry[1]]
        return Kept(events, ended=len(events) < len(entries))

    def _count(self, stream: str, size: int) -> int:
        """Count an event; return how many of the stream's events are within the limits."""
        sizes = self._sizes.setdefault(stream, deque())
        sizes.append(size)
        total = self._totals.get(stream, 0) + size
        while len(sizes) > 1 and (len(sizes) > self._max_events or total > self._max_bytes):
            total -= sizes.popleft()
        self._totals[stream] = total
        return len(sizes)

    def _key(self, stream: str) -> str:
        return f"{self._prefix}{stream}"

    def _follower(self, stream: str) -> str:
        return f"{self._prefix}{stream}:follower"


def _number(entry: Any) -> int:
    return int(entry[0].partition(b"-")[0])

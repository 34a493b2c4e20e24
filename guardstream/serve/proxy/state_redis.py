"""The proxy's state in Redis, for several workers and machines; needs the extra `redis`."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from math import ceil
from time import time
from typing import Any

import anyio
from redis.asyncio import Redis
from redis.exceptions import RedisError

from guardstream.serve.proxy.state import KEPT, LEASE, StateError, Stored, Window

_COUNT = """
local counted = redis.call('GET', KEYS[2])
if counted then
  return tonumber(counted)
end
local used = tonumber(redis.call('GET', KEYS[1]) or '0') + tonumber(ARGV[1])
local granted = ARGV[2] == '' or used <= tonumber(ARGV[2])
if granted then
  redis.call('INCRBY', KEYS[1], ARGV[1])
  redis.call('EXPIRE', KEYS[1], ARGV[3])
end
redis.call('SET', KEYS[2], granted and 1 or 0, 'EX', ARGV[4])
return granted and 1 or 0
"""
"""Counts tokens once: a client whose answer was lost retries with the same second key."""


class RedisState:
    """The state in Redis; the caller closes the client.

    Times are those of the proxies' machines: their clocks must agree within seconds, otherwise keys
    run more requests at once. Budgets do not depend on Redis' own clock. Redis must allow scripts
    (`EVAL`).
    """

    def __init__(
        self,
        client: Redis,
        *,
        prefix: str = "guardstream:",
        timeout: float = 2.0,
        clock: Callable[[], float] = time,
    ) -> None:
        self._client: Any = client
        self._prefix = prefix
        self._timeout = timeout
        self._clock = clock

    async def reserve(self, spent: Window, tokens: int, limit: int) -> bool:
        return await self._count(spent, tokens, str(limit))

    async def settle(self, spent: Window, difference: int) -> None:
        await self._count(spent, difference, "")

    async def _count(self, spent: Window, tokens: int, limit: str) -> bool:
        """Add tokens, once; return False, and add nothing, if that exceeds the limit."""
        key = self._key("tokens", spent.name)
        # In a cluster both must be on the same server, which the text in braces determines.
        keys = key, self._key("counted", f"{{{key}}}:{secrets.token_hex(8)}")
        left = max(ceil(spent.end - self._clock()), 0) + ceil(LEASE)
        async with self._asking() as pipe:
            pipe.eval(_COUNT, len(keys), *keys, tokens, limit, left, ceil(LEASE))
            return bool((await pipe.execute())[0])

    async def enter(self, name: str, place: str, most: int) -> bool:
        try:
            running = await self._entered(name, place)
        except StateError:
            with suppress(StateError):  # the place may be taken, and only the answer lost
                await self.leave(name, place)
            raise
        if running <= most:
            return True
        await self.leave(name, place)
        return False

    async def _entered(self, name: str, place: str) -> int:
        """Take a place; return how many are taken now."""
        key, now = self._key("running", name), self._clock()
        async with self._asking() as pipe:
            pipe.zremrangebyscore(key, "-inf", now)
            pipe.zadd(key, {place: now + LEASE})
            pipe.zcard(key)
            pipe.expire(key, ceil(2 * LEASE))
            running: int = (await pipe.execute())[2]
        return running

    async def renew(self, name: str, place: str) -> None:
        key = self._key("running", name)
        async with self._asking() as pipe:
            pipe.zadd(key, {place: self._clock() + LEASE}, xx=True)
            pipe.expire(key, ceil(2 * LEASE))
            await pipe.execute()

    async def leave(self, name: str, place: str) -> None:
        async with self._asking() as pipe:
            pipe.zrem(self._key("running", name), place)
            await pipe.execute()

    async def keep(self, object_id: str, stored: Stored) -> None:
        async with self._asking() as pipe:
            pipe.set(self._key("object", object_id), stored.dumped(), ex=KEPT, nx=True)
            await pipe.execute()

    async def stored(self, object_id: str) -> Stored | None:
        async with self._asking() as pipe:
            pipe.get(self._key("object", object_id))
            found = (await pipe.execute())[0]
        return None if found is None else Stored.loaded(found)

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[Any]:
        try:
            with anyio.fail_after(self._timeout):
                async with self._client.pipeline(transaction=True) as pipe:
                    yield pipe
        except (RedisError, OSError) as error:  # includes TimeoutError
            raise StateError(f"Redis failed ({type(error).__name__})") from error

    def _key(self, kind: str, name: str) -> str:
        return f"{self._prefix}{kind}:{name}"

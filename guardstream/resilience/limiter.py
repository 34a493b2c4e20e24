"""Limits on how many streams run at the same time and begin in a period, in total and by key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NoReturn

import anyio

from guardstream.amounts import check_count, check_seconds
from guardstream.errors import GuardstreamError
from guardstream.resilience.rate import Pacer, Rate
from guardstream.stream.arguments import known_arguments


class LimiterError(GuardstreamError):
    """No place for a stream: the queue is full, or the wait would take too long.

    `retry_after` is the number of seconds until the rate admits another stream; None if the rate is
    not the reason.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Place:
    """The place of a running stream; `leave` frees it."""

    def __init__(self, limiter: Limiter, key: str, own: _Key) -> None:
        self._left = False
        self._limiter, self._key, self._own = limiter, key, own

    def leave(self) -> None:
        """Free the place. Idempotent."""
        if not self._left:
            self._left = True
            self._limiter._leave(self._key, self._own)


class Limiter:
    """Limits how many streams run at once; those that wait are admitted first come, first served.

    - `total`: the most streams at the same time; `per_key`: the most for each key (a user, an API
      key).
    - `rate`, `key_rate`: the most streams that begin in a period, as `(streams, seconds)`.
    - `queue`: the most streams that wait; `timeout`: the longest wait in seconds.

    A limiter belongs to one event loop.

    Raises TypeError or ValueError for an amount that is not a number or admits no stream, and
    ValueError without any limit.
    """

    @known_arguments
    def __init__(
        self,
        total: int | None = None,
        *,
        per_key: int | None = None,
        rate: tuple[int, float] | None = None,
        key_rate: tuple[int, float] | None = None,
        queue: int | None = None,
        timeout: float | None = None,
    ) -> None:
        for name, given in (("total", total), ("per_key", per_key)):
            if given is not None:
                check_count(name, given)
        if queue is not None:
            check_count("queue", queue, zero=True)
        check_seconds("timeout", timeout, zero=True, none="no limit")
        if all(each is None for each in (total, per_key, rate, key_rate)):
            raise ValueError("there is no limit: give total, per_key, rate or key_rate")
        self.running = 0
        self.waiting = 0
        self._all = _Key(total, rate)
        self._of_key = per_key, key_rate
        _Key(*self._of_key)  # a rate that cannot be is refused here
        self._keys: dict[str, _Key] = {}
        self._sweep_at = _SWEEP
        self._queue = queue
        self._timeout = timeout

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, running: {self.running}, waiting: {self.waiting}>"

    def __reduce__(self) -> NoReturn:
        """Raise TypeError: a copy would limit nothing."""
        raise TypeError(
            "a limiter cannot be pickled or copied: share it, or create one in each process"
        )

    @asynccontextmanager
    async def slot(self, key: str = "") -> AsyncIterator[None]:
        """Return a context manager that holds a place for a stream, which counts for `key`.

        Entering waits for the place, and raises LimiterError if the queue is full, or if no place
        becomes free within `timeout` seconds.
        """
        place = await self.enter(key)
        try:
            yield
        finally:
            place.leave()

    async def enter(self, key: str = "") -> Place:
        """Wait for a place and return it; the caller has to leave it. Raises as `slot` does."""
        own = self._keys.get(key)
        if own is None:
            self._sweep()
            own = self._keys[key] = _Key(*self._of_key)
        own.users += 1
        try:
            bounds = (own, self._all)
            if not self._enter_now(bounds):
                await self._wait(bounds)
        except BaseException:
            self._forget(key, own)
            raise
        self.running += 1
        return Place(self, key, own)

    def _leave(self, key: str, own: _Key) -> None:
        self.running -= 1
        self._all.release()
        own.release()
        self._forget(key, own)

    def _enter_now(self, bounds: Sequence[_Key]) -> bool:
        """Take a place if one is free that is not promised to a waiting stream."""
        now = anyio.current_time()
        if any(each.due(now) for each in bounds):
            return False
        taken = []
        try:
            for each in bounds:
                each.enter_now(now)
                taken.append(each)
        except anyio.WouldBlock:
            for each in taken:
                each.undo()
            return False
        return True

    async def _wait(self, bounds: Sequence[_Key]) -> None:
        if self._queue is not None and self.waiting >= self._queue:
            now = anyio.current_time()
            due = max(each.due(now) for each in bounds)
            message = f"{self.waiting} streams are waiting already: there is no room for another"
            raise LimiterError(message, due or None)
        self.waiting += 1
        late = f"no room for a stream within {self._timeout} seconds"
        taken = []
        try:
            with anyio.fail_after(self._timeout) as scope:
                # The key's own turn first: who waits for it must not take room from others.
                for each in bounds:
                    now = anyio.current_time()
                    if now + each.due(now) > scope.deadline:
                        raise LimiterError(late, each.due(now))
                    await each.enter()
                    taken.append(each)
        except BaseException as error:
            for each in taken:
                each.undo()
            if isinstance(error, TimeoutError):
                raise LimiterError(late) from None
            raise
        finally:
            self.waiting -= 1

    def _forget(self, key: str, own: _Key) -> None:
        own.users -= 1
        if not own.users and own.idle(anyio.current_time()):
            self._keys.pop(key, None)

    def _sweep(self) -> None:
        """Remove unused keys whose period is over, from time to time."""
        if len(self._keys) < self._sweep_at:
            return
        now = anyio.current_time()
        gone = [key for key, own in self._keys.items() if not own.users and own.idle(now)]
        for key in gone:
            del self._keys[key]
        self._sweep_at = max(_SWEEP, 2 * len(self._keys))


_SWEEP = 1_000
"""How many keys may be kept before unused ones are removed for the first time."""


class _Key:
    """The places and the rate of one key, or of all; `users` are the streams that run or wait."""

    def __init__(self, room: int | None, rate: tuple[int, float] | None) -> None:
        self.users = 0
        self._places = None if room is None else anyio.Semaphore(room)
        self._pacer = None if rate is None else Pacer(Rate(*rate))
        self._next = anyio.Lock()  # held by the stream whose turn is next
        self._waiting = 0

    def due(self, now: float) -> float:
        """Return the number of seconds until the rate admits another stream after those that
        wait."""
        return self._pacer.wait(now, self._waiting) if self._pacer else 0.0

    def enter_now(self, now: float) -> None:
        """Take a place; anyio.WouldBlock if there is none."""
        if self._places is not None:
            self._places.acquire_nowait()
        if self._pacer is not None:
            self._pacer.take(now)

    async def enter(self) -> None:
        """Wait for a place first, then for a turn: a turn taken earlier could be out of date."""
        self._waiting += 1
        try:
            if self._places is not None:
                await self._places.acquire()
            try:
                await self._take_turn()
            except BaseException:
                self.release()
                raise
        finally:
            self._waiting -= 1

    async def _take_turn(self) -> None:
        if self._pacer is None:
            return
        async with self._next:
            await anyio.sleep(self._pacer.wait(anyio.current_time()))
            self._pacer.take(anyio.current_time())

    def release(self) -> None:
        """Give a place back."""
        if self._places is not None:
            self._places.release()

    def undo(self) -> None:
        """Give back a place and a turn that were not used."""
        self.release()
        if self._pacer is not None:
            self._pacer.give_back()

    def idle(self, now: float) -> bool:
        """Return whether the key may be removed."""
        return self._pacer is None or self._pacer.idle(now)

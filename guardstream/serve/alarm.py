"""Calls something once it is due, in a task of its own, however often that time changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf

import anyio
from anyio.abc import TaskGroup


class Alarm:
    """Calls `ring` in the tasks of `group`; `remaining` returns the seconds until it is due, or
    None, and is looked at again after each ring.

    It has no task before something is due.
    """

    def __init__(
        self,
        group: TaskGroup,
        remaining: Callable[[], float | None],
        ring: Callable[[], Awaitable[None]],
    ) -> None:
        self._group = group
        self._remaining = remaining
        self._ring = ring
        self._at = inf  # when the task wakes that counts: an earlier time has a task of its own

    def set(self) -> None:
        """Take note that the time may have changed; a later one is noticed at the next ring."""
        remaining = self._remaining()
        if remaining is None:
            return
        at = anyio.current_time() + remaining
        if at < self._at:
            self._at = at
            self._group.start_soon(self._wait, at)

    async def _wait(self, at: float) -> None:
        await anyio.sleep_until(at)
        if at != self._at:
            return
        self._at = inf
        await self._ring()
        self.set()

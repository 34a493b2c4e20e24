"""Turns of the event loop, so that streams do not hold up what else comes."""

from __future__ import annotations

import asyncio
from collections import deque

TURN = 0.01
"""Seconds for which streams work in a turn of the event loop before others have theirs."""

_WOKEN = 4
"""Streams that have waited and go on in one turn."""


class Turns:
    """Turns of the event loop, in each of which streams may work for `most` seconds together.

    Where they would take longer they wait in their order: so that clients who come, ask or leave
    need not wait until all streams have had what came for them.
    """

    def __init__(self, most: float = TURN) -> None:
        self._most = most
        self._worked = 0.0  # in this turn
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def mine(self) -> None:
        """Wait, if there is a need to, until there is time."""
        if self._waiting or self._worked >= self._most:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn

    def worked(self, seconds: float) -> None:
        """Count what a stream has worked in this turn."""
        if not self._worked:
            asyncio.get_running_loop().call_soon(self._next)
        self._worked += seconds

    def _next(self) -> None:
        self._worked = 0.0
        woken = 0
        while self._waiting and woken < _WOKEN:
            turn = self._waiting.popleft()
            if not turn.done():  # who waited may have left
                turn.set_result(None)
                woken += 1
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._next)

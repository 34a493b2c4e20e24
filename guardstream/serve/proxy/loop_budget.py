"""Limits how long streams work in one iteration of the event loop, so that others get a turn."""

from __future__ import annotations

import asyncio
from collections import deque

TURN = 0.01
"""Seconds that streams may work in one iteration before they yield to other tasks."""

_WOKEN = 4
"""Waiting streams that resume in one iteration."""


class LoopBudget:
    """Lets streams work for `most` seconds in each iteration of the event loop.

    Once that is spent, streams wait in order, so that clients that connect, send or disconnect do
    not have to wait until all streams have processed their input.
    """

    def __init__(self, most: float = TURN) -> None:
        self._most = most
        self._spent = 0.0  # in this iteration
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def wait(self) -> None:
        """Wait until there is time left, if there is none now."""
        if self._waiting or self._spent >= self._most:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn

    def spend(self, seconds: float) -> None:
        """Count the time that a stream has worked."""
        if not self._spent:
            asyncio.get_running_loop().call_soon(self._next)
        self._spent += seconds

    def _next(self) -> None:
        self._spent = 0.0
        woken = 0
        while self._waiting and woken < _WOKEN:
            turn = self._waiting.popleft()
            if not turn.done():  # its stream may have been cancelled
                turn.set_result(None)
                woken += 1
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._next)

"""Long work beside the event loop, so that other streams go on."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import TypeVar

from guardstream.stream.state import StreamState

T = TypeVar("T")

LONG = 64 * 1024
"""Bytes of one event that are guarded at once: some milliseconds."""

MANY = 1024
"""Lines in a piece of a stream from which on it is long, too: comments, say, are judged each."""

MOST = 64 * 1024 * 1024
"""Bytes of long events that may wait for their ends, of all streams together."""


TURN = 0.01
"""Seconds for which streams work in a turn of the event loop before others have theirs."""

_WOKEN = 4
"""Streams that have waited and go on in one turn."""


class Room:
    """Room for `most` bytes, which those that hold some take more of until they give it back.

    Where there is none left, they wait in their order; but whoever holds some for longest may
    always take more, so that one at least comes to its end.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._total = 0
        self._taken: dict[object, int] = {}  # in the order in which they first took some
        self._waiting: deque[_Wish] = deque()

    @property
    def taken(self) -> int:
        """Bytes that are taken."""
        return self._total

    async def take(self, holder: object, size: int) -> None:
        """Take `size` bytes more."""
        wish = _Wish(holder, size)
        if not self._granted(wish):
            self._waiting.append(wish)
            try:
                await wish.granted.wait()
            except BaseException:
                if wish in self._waiting:
                    self._waiting.remove(wish)
                raise

    def give_back(self, holder: object) -> None:
        """Give back all that a holder has taken."""
        if (size := self._taken.pop(holder, None)) is None:
            return
        self._total -= size
        # Each is asked once: all of them looking anew would take turns of the event loop.
        self._waiting = deque([each for each in self._waiting if not self._granted(each)])

    def _granted(self, wish: _Wish) -> bool:
        first = next(iter(self._taken), wish.holder) is wish.holder
        if not first and self._total + wish.size > self._most:
            return False
        self._total += wish.size
        self._taken[wish.holder] = self._taken.get(wish.holder, 0) + wish.size
        wish.granted.set()
        return True


@dataclass(eq=False, slots=True)
class _Wish:
    """Room that a holder wants to have."""

    holder: object
    size: int
    granted: asyncio.Event = field(default_factory=asyncio.Event)


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


class Apart:
    """A thread that does what is long, one piece after the other; and room for what waits."""

    def __init__(self, most: int = MOST) -> None:
        self.room = Room(most)
        self.turns = Turns()
        self._threads = ThreadPoolExecutor(1, "guardstream-long")

    async def run(self, work: Callable[[], T]) -> T:
        """Do work in the thread. A caller that is cancelled meanwhile leaves when it is done."""
        doing = asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, work)
        cancelled: asyncio.CancelledError | None = None
        while not doing.done():
            try:
                await asyncio.wait([doing])
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled
        return doing.result()

    def close(self) -> None:
        """Do nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class LongEvents:
    """Takes the pieces of one stream: those of an event that has become long, in the thread,
    and those of very many lines.

    Such an event takes its room, piece by piece, until it is whole; `close` when the stream ends.
    """

    def __init__(self, apart: Apart) -> None:
        self._apart = apart
        self._waiting = 0  # bytes after which nothing has gone out yet

    async def __call__(self, state: StreamState[bytes], piece: bytes) -> bytes | None:
        """Pass a piece on to the state; return what that does."""
        self._waiting += len(piece)
        if self._waiting <= LONG and piece.count(b"\n") < MANY:
            turns = self._apart.turns
            await turns.mine()
            began = perf_counter()
            ready = state.step(piece)
            turns.worked(perf_counter() - began)
        else:
            await self._apart.room.take(self, len(piece))
            ready = await self._apart.run(partial(state.step, piece))
        if ready is not None or state.queue:
            self._waiting = 0
            self.close()
        return ready

    def close(self) -> None:
        """Give back the room of an event that will not be whole."""
        self._apart.room.give_back(self)

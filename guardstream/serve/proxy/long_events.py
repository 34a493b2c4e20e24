"""The events of one stream, whatever their length: other streams go on meanwhile."""

from __future__ import annotations

from functools import partial
from time import perf_counter

from guardstream.serve.proxy.apart import Apart
from guardstream.stream.frames import LONG_EVENT
from guardstream.stream.state import StreamState

MANY = 1024
"""Lines in a piece of a stream from which on it is long, too: comments, say, are judged each."""


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
        if self._waiting <= LONG_EVENT and piece.count(b"\n") < MANY:
            turns = self._apart.turns
            await turns.mine()
            began = perf_counter()
            ready = state.step(piece)
            turns.worked(perf_counter() - began)
        else:
            await self._apart.room.take(self, len(piece))
            ready = await self._apart.event(partial(state.step, piece))
        if ready is not None or state.queue:
            self._waiting = 0
            self.close()
        return ready

    def close(self) -> None:
        """Give back the room of an event that will not be whole."""
        self._apart.room.give_back(self)

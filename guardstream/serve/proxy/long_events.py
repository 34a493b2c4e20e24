"""Processes the events of one stream such that a long event does not block other streams."""

from __future__ import annotations

from functools import partial
from time import perf_counter

from guardstream.serve.proxy.worker_thread import WorkerThread
from guardstream.stream.flows.frames import LONG_EVENT
from guardstream.stream.state import StreamState

MANY = 1024
"""A piece with this many lines is long, too: each line costs time, for example each comment."""


class LongEvents:
    """Passes the pieces of one stream to its state: long events and pieces of many lines in the
    thread.

    A long event acquires memory piece by piece until it is complete. Call `close` when the stream
    ends.
    """

    def __init__(self, worker: WorkerThread) -> None:
        self._worker = worker
        self._waiting = 0  # bytes since something last went out

    async def __call__(self, state: StreamState[bytes], piece: bytes) -> bytes | None:
        """Pass a piece to `state.step` and return its result."""
        self._waiting += len(piece)
        if self._waiting <= LONG_EVENT and piece.count(b"\n") < MANY:
            loop_time = self._worker.loop_time
            await loop_time.wait()
            began = perf_counter()
            ready = state.step(piece)
            loop_time.spend(perf_counter() - began)
        else:
            await self._worker.memory.acquire(self, len(piece))
            ready = await self._worker.event(partial(state.step, piece))
        if ready is not None or state.queue:
            self._waiting = 0
            self.close()
        return ready

    def close(self) -> None:
        """Release the memory of an event that stays incomplete."""
        self._worker.memory.release(self)

"""Reads a stream in a task of its own, so that its consumer may stop waiting at any time.

Cancelling a read ends a guarded stream, but cancelling a wait for this task does not. The task
lives as long as the `async with` block, and the stream is closed when the block is left. No task
group or scope is open around the block: another task may leave it, as that which closes an
abandoned generator does, and would otherwise cancel the reader.
"""

from __future__ import annotations

from collections.abc import AsyncIterable
from types import TracebackType
from typing import Generic, TypeVar

import anyio

from guardstream.stream.loops import CLOSE_SECONDS, Loop, aclose_source, iterator_of, running_loop
from guardstream.stream.outcome import RelayedOutcome

C = TypeVar("C")


class ReadAhead(RelayedOutcome, Generic[C]):
    """The base of classes that read ahead; a subclass handles each chunk and the end."""

    def __init__(self, stream: AsyncIterable[C]) -> None:
        super().__init__(stream)
        self._iterator, self._sources = iterator_of(stream)
        self.stopped = False
        """Whether reading was stopped before the stream's end."""
        self._scope = anyio.CancelScope()
        self._loop: Loop | None = None
        self._closed: anyio.Event

    @property
    def _entered(self) -> bool:
        """Whether the stream is being read, or was."""
        return self._loop is not None

    async def _take(self, chunk: C) -> None:
        """Take a chunk; wait here to slow the stream down."""
        raise NotImplementedError

    def _end(self, error: Exception | None) -> None:
        """Take the end, or what the stream raised."""
        raise NotImplementedError

    async def _start(self) -> None:
        """Begin to read. RuntimeError if that was done before: a stream is read once."""
        if self._loop is not None:
            raise RuntimeError("already entered: a stream can be read only once")
        self._loop = running_loop()
        self._closed = anyio.Event()
        self._loop.spawn(self._read)

    def stop(self) -> None:
        """Stop reading and close the stream. From any thread, any number of times."""
        self.stopped = True
        if self._loop is not None:
            self._loop.call(self._halt)

    def _halt(self) -> None:
        """Stop reading; must be called in the event loop."""
        self.stopped = True
        self._scope.cancel()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._loop is not None
        if not self._loop.is_current():
            self._loop.call(self._halt)
            return
        with anyio.move_on_after(CLOSE_SECONDS, shield=True):
            self._scope.cancel()
            await self._closed.wait()

    async def _read(self) -> None:
        error: Exception | None = None
        try:
            if self.stopped:
                return
            with self._scope:
                while True:
                    await self._take(await anext(self._iterator))
        except StopAsyncIteration:
            pass
        except Exception as raised:
            error = raised
        finally:
            try:
                await aclose_source(*self._sources)
            finally:  # closing may be cancelled, too
                self.stopped = self.stopped or self._scope.cancel_called
                self._end(error)
                self._closed.set()

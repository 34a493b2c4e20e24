"""The client of one guarded response: what it is sent, and what is kept for a reconnect."""

from __future__ import annotations

from collections.abc import Callable

import anyio
from starlette.types import Message, Send

from guardstream.serve.endings import error_frame
from guardstream.serve.journal import Journal
from guardstream.serve.streams import PING

_PING: Message = {"type": "http.response.body", "body": PING, "more_body": True}


class Client:
    """Sends what was released, and keeps it in `journal` if that is set.

    `gone` is set once the client has disconnected: nothing more is sent. `complete` says that the
    last frame is being sent. `left` is called if a server reports the disconnect by an OSError, and
    `completed` before the last frame.
    """

    def __init__(
        self, send: Send, left: Callable[[], object], completed: Callable[[], None]
    ) -> None:
        self.journal: Journal | None = None
        self.gone = False
        self.complete = False
        self._send = send
        self._left = left
        self._completed = completed
        self._sending = anyio.Lock()  # heartbeats come from another task
        self._sent_at = 0.0

    async def put(self, frames: list[bytes], *, last: bool) -> None:
        """Keep released frames, and send them."""
        async with self._sending:
            if self.journal is not None:
                frames = await self.journal.keep(frames)
                frames += await self.journal.rest() if last else []
            data = b"".join(frames)
            if last:
                self.complete = True
                self._completed()
            if data or last:
                message = {"type": "http.response.body", "body": data, "more_body": not last}
                await self.transmit(message)

    async def transmit(self, message: Message) -> None:
        """Send a message to the client, unless it has disconnected."""
        if self.gone:
            return
        try:
            await self._send(message)
        except OSError:
            self._left()
        self._sent_at = anyio.current_time()

    async def beat(self, seconds: float) -> None:
        """Send a comment after each interval of silence, until cancelled."""
        while True:
            silence = anyio.current_time() - self._sent_at
            await anyio.sleep(max(seconds - silence, 0))
            async with self._sending:
                if anyio.current_time() - self._sent_at >= seconds:
                    await self.transmit(_PING)

    async def close(self) -> None:
        """Record in the store how the stream ended, however that was."""
        if self.journal is not None:
            cut = error_frame("sse", "cancelled", "the answer was not finished")
            await self.journal.close(None if self.complete else cut)

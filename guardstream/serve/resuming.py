"""Answers a client that comes back with a `Last-Event-ID`: from the store, never from a source."""

from __future__ import annotations

import logging
from contextlib import suppress

import anyio
from starlette.types import Receive, Scope, Send

from guardstream.serve.endings import error_frame, refusal
from guardstream.serve.journal import Replay, last_event_id
from guardstream.serve.receiver import Receiver
from guardstream.serve.replay import Kept
from guardstream.serve.routes import POLICY_HEADER, Route
from guardstream.serve.streams import PING

_LOG = logging.getLogger("guardstream.serve")

WAIT = 2.0
"""Seconds to wait for an event before asking again; each time a heartbeat is sent."""


async def resume(
    scope: Scope, receive: Receive, send: Send, route: Route, replay: Replay, caller: str = ""
) -> bool:
    """Answer a client that comes back for one of our streams; False if it does not.

    It gets what was released since, and what is being released if the stream goes on. 204, upon
    which `EventSource` stops, if it has all of an ended stream; 410 if what it misses is not kept.
    """
    came_back = last_event_id(scope)
    if came_back is None:
        return False
    secret, number = came_back
    following = Following(replay, replay.key(secret, scope, route.label, caller), number, send)
    kept = await following.since()
    if kept is None:
        start, body = refusal(410, "not_kept", "the rest of this stream is not kept any more")
        await send(start)
        await send({"type": "http.response.body", "body": body})
    elif kept.ended and not kept.events:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})
    else:
        await following.run(receive, kept, route.label)
    return True


class Following:
    """One client that follows a stream in the store."""

    def __init__(self, replay: Replay, key: str, number: int, send: Send) -> None:
        self._key = key
        self._store = replay.store
        self._number = number
        self._send = send

    async def since(self, wait: float = 0.0) -> Kept | None:
        """Return what follows the last event sent; None, too, if the store fails."""
        try:
            return await self._store.since(self._key, self._number, wait)
        except Exception as error:
            _LOG.warning("replay store failed (%s)", type(error).__name__)
            return None

    async def run(self, receive: Receive, kept: Kept, policy: bytes) -> None:
        """Send `kept` and what follows, until the stream ends or the client leaves."""
        headers = [
            (b"content-type", b"text/event-stream"),
            (b"cache-control", b"no-cache"),
            (POLICY_HEADER, policy),
        ]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        async with anyio.create_task_group() as group:

            def left(_waiting: bool) -> bool:
                group.cancel_scope.cancel()
                return True

            group.start_soon(Receiver(receive, left).watch)
            with suppress(OSError):
                await self._follow(kept)
            group.cancel_scope.cancel()

    async def _follow(self, kept: Kept | None) -> None:
        while kept is not None and not kept.ended:
            await self._put(kept, more=True)
            kept = await self.since(WAIT)
        if kept is None:
            lost = error_frame("sse", "not_kept", "the rest of this stream is not kept any more")
            await self._send({"type": "http.response.body", "body": lost})
        else:
            await self._put(kept, more=False)

    async def _put(self, kept: Kept, *, more: bool) -> None:
        events = b"".join([event for _, event in kept.events])
        if kept.events:
            self._number = kept.events[-1][0]
        body = events if events or not more else PING
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

"""Answers a client that reconnects with a `Last-Event-ID`: from the store, never from a source."""

from __future__ import annotations

import logging
from contextlib import suppress

import anyio
from starlette.types import Receive, Scope, Send

from guardstream.serve.endings import refusal
from guardstream.serve.journal import NOT_KEPT, Replay, last_event_id, with_id
from guardstream.serve.receiver import Receiver
from guardstream.serve.replay import Kept
from guardstream.serve.restoring import Placed, Position, Restoring
from guardstream.serve.routes import POLICY_HEADER, Route
from guardstream.serve.streams import PING

log = logging.getLogger("guardstream.serve")

WAIT = 2.0
"""Seconds to wait for an event before asking again; each time a heartbeat is sent."""


async def resume(
    scope: Scope,
    receive: Receive,
    send: Send,
    route: Route,
    replay: Replay,
    caller: str = "",
    restoring: Restoring | None = None,
) -> bool:
    """Answer a client that reconnects to one of our streams; return False for any other client.

    It gets the events that were released since its last one, and those still to come. The status is
    204, at which `EventSource` stops, if the stream has ended and the client has all of it, and 410
    if events that it misses are not stored. With `restoring`, the whole stream must be stored.
    """
    came_back = last_event_id(scope)
    if came_back is None:
        return False
    secret, position = came_back
    key = replay.key(secret, scope, route.label, caller)
    following = Following(replay, key, secret, position, send, restoring)
    kept = await following.since()
    if kept is None:
        start, body = refusal(410, "not_kept", "the rest of this stream is no longer stored")
        await send(start)
        await send({"type": "http.response.body", "body": body})
        return True
    events = following.shown(kept)
    if kept.ended and not events:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})
    else:
        await following.run(receive, events, route.label, ended=kept.ended)
    return True


class Following:
    """A client that follows a stream in the store."""

    def __init__(
        self,
        replay: Replay,
        key: str,
        secret: str,
        position: Position,
        send: Send,
        restoring: Restoring | None,
    ) -> None:
        self._key = key
        self._secret = secret
        self._store = replay.store
        self._position = position
        self._number = position.number if restoring is None else 0  # of the last event read
        self._send = send
        self._restoring = restoring

    async def since(self, wait: float = 0.0) -> Kept | None:
        """Return the events after the last one read; None if some are not stored or the store
        fails."""
        try:
            return await self._store.since(self._key, self._number, wait)
        except Exception as error:
            log.warning("replay store failed (%s)", type(error).__name__)
            return None

    def shown(self, kept: Kept) -> bytes:
        """Return the events to send: those that the client does not have."""
        if kept.events:
            self._number = kept.events[-1][0]
        if self._restoring is None:
            return b"".join([event for _, event in kept.events])
        placed: list[Placed] = []
        for number, event in kept.events:
            _, _, raw = event.partition(b"\n")  # without its id
            placed += self._restoring.feed(Placed(raw, Position(number)))
        if kept.ended:
            placed += self._restoring.finish()
        new = [each for each in placed if each.position > self._position]
        return b"".join([with_id(self._secret, each) for each in new])

    async def run(self, receive: Receive, events: bytes, policy: bytes, *, ended: bool) -> None:
        """Send events and what follows, until the stream ends or the client disconnects."""
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
                await self._follow(events, ended=ended)
            group.cancel_scope.cancel()

    async def _follow(self, events: bytes, *, ended: bool) -> None:
        while not ended:
            await self._put(events or PING, more=True)
            kept = await self.since(WAIT)
            if kept is None:
                await self._put(NOT_KEPT, more=False)
                return
            events, ended = self.shown(kept), kept.ended
        await self._put(events, more=False)

    async def _put(self, body: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

"""The middleware's side of replay: events get ids, and who comes back with one gets what followed.

An id is `gs`, the stream's secret, and the event's number; with a vault also its place among those
that came of one that was kept. The store's key is made of the secret,
the path, the policy and the caller: a stream cannot be had under another path, nor once its policy
changed, nor by a request whose headers that tell the caller are others.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import anyio
from starlette.types import Scope

from guardstream.framing.sse import MAX_EVENT, Decoder, Event, Item
from guardstream.http.body import Beside
from guardstream.serve.endings import error_frame
from guardstream.serve.replay import ReplayStore
from guardstream.serve.restoring import Placed, Position, Restoring, plain
from guardstream.stream.frames import LONG_EVENT

_LOG = logging.getLogger("guardstream.serve")

NOT_KEPT = error_frame("sse", "not_kept", "the rest of this stream is not kept any more")
"""What a client is sent that comes back for events which the store does not have."""

_ID = re.compile(r"gs([A-Za-z0-9_-]{22})\.([0-9]{1,15})(?:\.([0-9]{1,15}))?")


@dataclass(frozen=True, slots=True)
class Replay:
    """How streams are kept for clients that come back.

    `linger` is for how many seconds an application goes on when its client has left and nobody
    follows the stream; 0 closes it at once, and only what was sent can be had again. A stream is
    for requests alone whose headers `by` have the same values as those of the one that began it.
    """

    store: ReplayStore
    linger: float = 0.0
    by: Sequence[str] = ()

    def key(self, secret: str, scope: Scope, policy: bytes, caller: str) -> str:
        """Return the name under which the store keeps a stream; `caller` is who is known."""
        told = [secret.encode(), scope["path"].encode("utf-8", "surrogatepass"), policy]
        if self.by or caller:
            names = [name.lower().encode() for name in self.by]
            found = [[v for n, v in scope["headers"] if n.lower() == name] for name in names]
            told.append(json.dumps([[v.hex() for v in each] for each in found]).encode())
            told.append(caller.encode())
        return hashlib.sha256(b"\0".join(told)).hexdigest()


def last_event_id(scope: Scope) -> tuple[str, Position] | None:
    """Return the secret and the position that a client came back with, if it is one of ours."""
    for name, value in scope["headers"]:
        if name == b"last-event-id" and (found := _ID.fullmatch(value.decode("latin-1"))):
            return found[1], Position(int(found[2]), int(found[3] or 0))
    return None


def with_id(secret: str, placed: Placed) -> bytes:
    """Return an event with its id before it."""
    return b"id: gs%b.%b\n%b" % (secret.encode(), str(placed.position).encode(), placed.raw)


class Journal:
    """Gives the events of one stream their ids and keeps them.

    An application that gives ids does its own replay: nothing is kept from there on. Where the
    store fails the stream goes on without it, and cannot be had again beyond that. Who comes back
    is told so, once the stream has ended and if the store is there again. With `restoring`, what is
    kept has stand-ins, and what is sent has values. Frames of more than `LONG_EVENT` bytes are read
    by `long`, if there is one, beside the event loop.
    """

    def __init__(
        self,
        replay: Replay,
        scope: Scope,
        policy: bytes,
        caller: str = "",
        restoring: Restoring | None = None,
        long: Beside | None = None,
    ) -> None:
        self._store = replay.store
        self._secret = secrets.token_urlsafe(16)
        self._key = replay.key(self._secret, scope, policy, caller)
        self._decoder = Decoder(max_line=2 * MAX_EVENT, max_event=2 * MAX_EVENT)
        self._number = 0
        self._keeping = True
        self._given_up = anyio.Event()  # set when nothing more is kept
        self._restoring = restoring
        self._long = long

    async def keep(self, frames: list[bytes]) -> list[bytes]:
        """Return frames that were released with ids in them; they are kept before they are sent."""
        if not self._keeping and self._restoring is None and self._decoder.is_between:
            return frames
        out = []
        for item in await self._read(b"".join(frames)):
            if not isinstance(item, Event):
                out.append(item.raw)
            elif self._keeping and item.id is None:
                out += await self._keep(Placed(plain(item), Position(self._number + 1)))
            else:
                self._give_up()
                out += [
                    each.raw for each in await self._shown(Placed(item.raw, Position(self._number)))
                ]
        return out

    async def _read(self, data: bytes) -> list[Item]:
        if self._long is None or len(data) <= LONG_EVENT:
            return self._decoder.feed(data)
        return await self._long(partial(self._decoder.feed, data))

    def rest(self) -> list[bytes]:
        """Return what waited for more of the stream, which is over."""
        shown = [] if self._restoring is None else self._restoring.finish()
        return [with_id(self._secret, each) if self._keeping else each.raw for each in shown]

    async def linger(self, seconds: float) -> None:
        """Wait, `seconds` and again, until nobody follows the stream in the store, or it is not
        kept there any more."""
        followed = True
        while followed:
            with anyio.move_on_after(seconds):
                await self._given_up.wait()
            followed = self._keeping and await self._followed()

    async def _followed(self) -> bool:
        try:
            return await self._store.followed(self._key)
        except Exception as error:
            self._failed(error)
            return False

    async def close(self) -> None:
        """Tell the store that nothing follows, or that it does not have what did."""
        if not self._number:
            return
        try:
            if not self._keeping:
                last = Placed(NOT_KEPT, Position(self._number + 1))
                await self._store.append(
                    self._key, last.position.number, with_id(self._secret, last)
                )
            await self._store.close(self._key)
        except Exception as error:
            self._failed(error)

    async def _keep(self, event: Placed) -> list[bytes]:
        self._number = event.position.number
        try:
            await self._store.append(self._key, self._number, with_id(self._secret, event))
        except Exception as error:
            self._failed(error)
        return [with_id(self._secret, each) for each in await self._shown(event)]

    async def _shown(self, event: Placed) -> Iterable[Placed]:
        if self._restoring is None:
            return [event]
        if self._long is None or len(event.raw) <= LONG_EVENT:
            return self._restoring.feed(event)
        return await self._long(partial(self._restoring.feed, event))

    def _failed(self, error: Exception) -> None:
        if self._keeping:
            name = type(error).__name__
            _LOG.warning("replay store failed (%s): a stream goes on without it", name)
        self._give_up()

    def _give_up(self) -> None:
        self._keeping = False
        self._given_up.set()

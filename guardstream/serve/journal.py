"""The middleware's side of replay: gives events ids, and answers clients that reconnect with one.

An id is `gs`, the stream's secret, and the event's number; with a vault, also its position among
the events that one stored event became. The store's key is derived from the secret, the path, the
policy and the caller: a stream is not available under another path, after a change of its policy,
or to a request whose identifying headers differ.
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

from guardstream.amounts import check_seconds
from guardstream.framing.sse import MAX_EVENT, Decoder, Event, Item
from guardstream.http.body import Beside
from guardstream.serve.endings import error_frame
from guardstream.serve.replay import ReplayStore
from guardstream.serve.restoring import Placed, Position, Restoring, plain
from guardstream.serve.source_ids import SourceIdDetector
from guardstream.stream.arguments import described_kind
from guardstream.stream.flows.frames import LONG_EVENT

log = logging.getLogger("guardstream.serve")

NOT_KEPT = error_frame("sse", "not_kept", "the rest of this stream is no longer stored")
"""The event for a client that asks for events that the store does not have."""

_STORE_SECONDS = 1.0
"""Seconds that a store may take to record a stream's end."""

_ID = re.compile(r"gs([A-Za-z0-9_-]{22})\.([0-9]{1,15})(?:\.([0-9]{1,15}))?")


@dataclass(frozen=True, slots=True)
class Replay:
    """How streams are kept for clients that reconnect.

    `linger` is how many seconds an application continues when its client has disconnected and
    nobody follows the stream; 0 closes it at once, and only what was sent is available. A stream is
    only available to requests that have the same values of the headers `by` as the request that
    began it.
    """

    store: ReplayStore
    linger: float = 0.0
    by: Sequence[str] = ()

    def __post_init__(self) -> None:
        if isinstance(self.store, type) or not hasattr(self.store, "since"):
            kind = described_kind(self.store)
            raise TypeError(f"a replay needs a store, such as MemoryReplay(), not {kind}")
        check_seconds("linger", self.linger, zero=True)
        if isinstance(self.by, str):
            raise TypeError(
                f"a replay needs a list of headers, such as [{self.by!r}], not one text"
            )

    def key(self, secret: str, scope: Scope, policy: bytes, caller: str) -> str:
        """Return the store's key of a stream; `caller` is the identified caller, if any."""
        parts = [secret.encode(), scope["path"].encode("utf-8", "surrogatepass"), policy]
        if self.by or caller:
            names = [name.lower().encode() for name in self.by]
            found = [[v for n, v in scope["headers"] if n.lower() == name] for name in names]
            parts.append(json.dumps([[v.hex() for v in each] for each in found]).encode())
            parts.append(caller.encode())
        return hashlib.sha256(b"\0".join(parts)).hexdigest()


def last_event_id(scope: Scope) -> tuple[str, Position] | None:
    """Return the secret and the position of a reconnecting client, if the id is one of ours."""
    for name, value in scope["headers"]:
        if name == b"last-event-id" and (found := _ID.fullmatch(value.decode("latin-1"))):
            return found[1], Position(int(found[2]), int(found[3] or 0))
    return None


def with_id(secret: str, placed: Placed) -> bytes:
    """Return an event with its id before it."""
    return b"id: gs%b.%b\n%b" % (secret.encode(), str(placed.position).encode(), placed.raw)


class Journal:
    """Gives the events of one stream their ids and keeps them.

    An application that sets ids does its own replay: nothing more is kept, and nothing at all if
    its first event has one, as `source` says. If the store fails, the stream continues without it
    and is not available beyond that point. A client that reconnects is told so, once the stream has
    ended and if the store is back. With `restoring`, stand-ins are kept and values are sent. Frames
    of more than `LONG_EVENT` bytes are read by `long`, if it is set, outside of the event loop.
    """

    def __init__(
        self,
        replay: Replay,
        scope: Scope,
        policy: bytes,
        source: SourceIdDetector,
        caller: str = "",
        restoring: Restoring | None = None,
        long: Beside | None = None,
    ) -> None:
        self._store = replay.store
        self._secret = secrets.token_urlsafe(16)
        self._key = replay.key(self._secret, scope, policy, caller)
        self._source = source
        self._decoder = Decoder(max_line=2 * MAX_EVENT, max_event=2 * MAX_EVENT)
        self._number = 0
        self._keeping = True
        self._given_up = anyio.Event()  # set when nothing more is kept
        self._restoring = restoring
        self._long = long

    async def keep(self, frames: list[bytes]) -> list[bytes]:
        """Return released frames with ids in them; they are kept before they are sent."""
        if self._source.detected:
            self._give_up()
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

    async def rest(self) -> list[bytes]:
        """Return the events that waited for more of the stream, which has ended.

        A last event without its blank line gets one: without that, clients drop it.
        """
        ended = [] if self._decoder.is_between else await self.keep([b"\n\n"])
        shown = [] if self._restoring is None else self._restoring.finish()
        return ended + [
            with_id(self._secret, each) if self._keeping else each.raw for each in shown
        ]

    async def linger(self, seconds: float) -> None:
        """Wait, in intervals of `seconds`, until nobody follows the stream in the store, or it is
        no longer kept there."""
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

    async def close(self, cut: bytes | None) -> None:
        """Record in the store how the stream ended, shielded from cancellation.

        `cut` is the last event of a stream that was cut off. If events are missing, NOT_KEPT is
        stored after the others.
        """
        with anyio.move_on_after(_STORE_SECONDS, shield=True):
            if cut is not None:
                await self.keep([cut])
            await self._close()

    async def _close(self) -> None:
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
            log.warning("replay store failed (%s): a stream goes on without it", name)
        self._give_up()

    def _give_up(self) -> None:
        self._keeping = False
        self._given_up.set()

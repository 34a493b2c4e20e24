"""The middleware's side of replay: events get ids, and who comes back with one gets what followed.

An id is `gs`, the stream's secret, and the event's number. The store's key is made of the secret,
the path, the policy and the caller: a stream cannot be had under another path, nor once its policy
changed, nor by a request whose headers that tell the caller are others.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.types import Scope

from guardstream.framing.sse import MAX_EVENT, Decoder, Event
from guardstream.serve.replay import ReplayStore

_LOG = logging.getLogger("guardstream.serve")

_ID = re.compile(r"gs([A-Za-z0-9_-]{22})\.([0-9]{1,15})")

_BOM = b"\xef\xbb\xbf"


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


def last_event_id(scope: Scope) -> tuple[str, int] | None:
    """Return the secret and the number that a client came back with, if it is one of ours."""
    for name, value in scope["headers"]:
        if name == b"last-event-id" and (found := _ID.fullmatch(value.decode("latin-1"))):
            return found[1], int(found[2])
    return None


def numbered(secret: str, number: int) -> str:
    """Return the id of an event."""
    return f"gs{secret}.{number}"


class Journal:
    """Gives the events of one stream their ids and keeps them.

    An application that gives ids does its own replay: nothing is kept from there on. Where the
    store fails the stream goes on without it, and cannot be had again beyond that.
    """

    def __init__(self, replay: Replay, scope: Scope, policy: bytes, caller: str = "") -> None:
        self._store = replay.store
        self._secret = secrets.token_urlsafe(16)
        self._key = replay.key(self._secret, scope, policy, caller)
        self._decoder = Decoder(max_line=2 * MAX_EVENT, max_event=2 * MAX_EVENT)
        self._number = 0
        self._keeping = True

    async def keep(self, frames: list[bytes]) -> list[bytes]:
        """Return frames that were released with ids in them; they are kept before they are sent."""
        out = []
        for item in self._decoder.feed(b"".join(frames)):
            raw = item.raw
            if self._keeping and isinstance(item, Event):
                raw = await self._keep(item)
            out.append(raw)
        return out

    async def followed(self) -> bool:
        """Tell whether another client follows this stream in the store."""
        try:
            return await self._store.followed(self._key)
        except Exception as error:
            self._failed(error)
            return False

    async def close(self) -> None:
        """Tell the store that nothing follows, unless something did that it does not have."""
        if self._keeping and self._number:
            try:
                await self._store.close(self._key)
            except Exception as error:
                self._failed(error)

    async def _keep(self, event: Event) -> bytes:
        if event.id is not None:
            self._keeping = False
            return event.raw
        self._number += 1
        own_id = numbered(self._secret, self._number).encode()
        raw = b"id: " + own_id + b"\n" + event.raw.removeprefix(_BOM).lstrip(b"\n")
        try:
            await self._store.append(self._key, self._number, raw)
        except Exception as error:
            self._failed(error)
        return raw

    def _failed(self, error: Exception) -> None:
        _LOG.warning("replay store failed (%s): a stream goes on without it", type(error).__name__)
        self._keeping = False

"""One request's caller: its concurrency slot and tokens under its key's limits, and its objects."""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from math import ceil
from time import time
from typing import Any, NamedTuple

import anyio

from guardstream.framing.json import json_bytes, json_object
from guardstream.http.request import RefusedError
from guardstream.serve.proxy import budgets, objects, other_requests
from guardstream.serve.proxy.endpoints import EndpointMatch
from guardstream.serve.proxy.keys import Key
from guardstream.serve.proxy.requests import RequestContent, read
from guardstream.serve.proxy.settings import ProxySettings
from guardstream.serve.proxy.state import LEASE, State, StateError, Stored, window

log = logging.getLogger("guardstream.serve")

_STORE_SECONDS = 5.0
"""Seconds that the state may take for what must be recorded after a request."""


_NAMES = 200
"""The maximum number of names in a path and its query that are looked up."""


class BoundsError(RefusedError):
    """The caller's key allows no more at present; `retry_after` is in seconds, None for never."""

    def __init__(self, code: str, message: str, retry_after: float | None) -> None:
        super().__init__(429, code, message)
        self.retry_after = None if retry_after is None else max(1, ceil(retry_after))

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """The headers that tell clients when to ask again."""
        if self.retry_after is None:
            return [(b"x-should-retry", b"false")]  # which the SDKs of OpenAI and Anthropic read
        return [(b"retry-after", b"%d" % self.retry_after)]


@contextmanager
def logging_failures() -> Iterator[None]:
    """Record something in the state after the request is over; a failure is logged."""
    with anyio.move_on_after(_STORE_SECONDS, shield=True):
        try:
            yield
        except StateError as error:
            log.error("%s", error)


class RequestInfo(NamedTuple):
    """A request as the proxy knows it: its content, the objects named in it, and its cost."""

    content: RequestContent
    names: Sequence[str]
    weight: budgets.Weight


UNREAD = RequestInfo(RequestContent({}, []), (), budgets.Weight(0, 0, None, False))
"""The information about a request that is not read."""


def request_info(
    match: EndpointMatch, kind: str, query: str, body: bytes, answer_tokens: int
) -> RequestInfo:
    """Read a request of content type `kind`. RefusedError if it cannot be read."""
    try:
        if match.endpoint.request == "unknown":
            content = other_requests.read(kind, query, body)
        else:
            content = read(match.endpoint, kind, body)
        about = [match.names["id"]] if match.endpoint.has_object_id else []
        named = (
            each
            for part in (content.fields, *content.batch)
            for each in objects.referenced_ids(part)
        )
        names = tuple(dict.fromkeys([*about, *named]))
        return RequestInfo(content, names, budgets.weighed(match.endpoint, content, answer_tokens))
    except RecursionError:
        raise RefusedError(400, "invalid_request", "the request is nested too deeply") from None


class Caller:
    """A caller with its key; `spent` is what its request has used, as far as that is known."""

    def __init__(self, key: Key, state: State, settings: ProxySettings) -> None:
        self._key, self._state, self._settings = key, state, settings
        self.spent: int | None = None
        self._place: str | None = None

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold one of the key's concurrency slots. BoundsError if there is none."""
        key = self._key
        if key.at_once is None:
            yield
            return
        place = secrets.token_hex(8)
        with anyio.CancelScope(shield=True):  # a slot that was taken is always returned
            entered = await self._state.enter(key.name, place, key.at_once)
        if not entered:
            why = f"the key runs {key.at_once} requests already"
            raise BoundsError("too_many_requests", why, 1)
        self._place = place
        try:
            yield
        finally:
            self._place = None
            with logging_failures():
                await self._state.leave(key.name, place)

    async def renew(self) -> None:
        """Keep renewing the slot, if there is one, until cancelled."""
        while True:
            await anyio.sleep(LEASE / 3)
            if self._place is not None:
                with logging_failures():
                    await self._state.renew(self._key.name, self._place)

    @asynccontextmanager
    async def tokens(self, count: int, *, has_no_bound: bool = False) -> AsyncIterator[None]:
        """Reserve tokens of the key's budget; settle by `spent`. BoundsError if there are too few.

        If the usage is unknown when the request is over, the reservation counts. `has_no_bound`
        says that the request sets no limit for its answer.
        """
        if self._key.tokens is None or not count:
            yield
            return
        limit, seconds = self._key.tokens
        if count > limit:
            assumed = self._settings.answer_tokens
            why = f"the request reserves {count} tokens, and the key has {limit} in {seconds:g} s"
            if has_no_bound:
                why += f": {assumed} of them for the answer, since the request sets no limit for it"
            raise BoundsError("insufficient_quota", why, None)
        now = time()
        reserved = window(self._key.name, seconds, now)
        with anyio.CancelScope(shield=True):  # the excess is returned
            granted = await self._state.reserve(reserved, count, limit)
        if not granted:
            why = f"the key has too few tokens left for this request, of {limit} in {seconds:g} s"
            raise BoundsError("insufficient_quota", why, reserved.end - now)
        try:
            yield
        finally:
            if self.spent is not None and self.spent != count:
                with logging_failures():
                    await self._state.settle(reserved, self.spent - count)

    async def allowed(self, names: Iterable[str]) -> Stored | None:
        """Return the first stored object that a request names.

        RefusedError if one of the objects is not the caller's.
        """
        stored = [await self._own(each) for each in names]
        return next((each for each in stored if each is not None), None)

    async def refuse_others(self, names: Iterable[str]) -> None:
        """Raise RefusedError if one of these names is an object of another key."""
        found = dict.fromkeys(names)
        if len(found) > _NAMES:
            raise RefusedError(400, "invalid_request", "the path and the query have too many names")
        for each in found:
            if await self._state.stored(each) is not None:
                await self._own(each)

    async def _own(self, object_id: str) -> Stored | None:
        if object_id in self._settings.shared_objects:
            return None
        stored = await self._state.stored(object_id)
        if stored is None or stored.owner != self._key.name:
            raise RefusedError(404, "not_found", "no object with this id belongs to you")
        return stored

    async def reserved(self, match: EndpointMatch, info: RequestInfo) -> int:
        """Return the tokens that a request may use; for a batch, those of its file."""
        file_id = info.content.fields.get("input_file_id")
        if match.endpoint.request == "openai_batches" and isinstance(file_id, str):
            stored = await self._state.stored(file_id)
            if stored is not None and stored.tokens is not None:
                return stored.tokens
            if file_id not in self._settings.shared_objects or self._key.tokens is not None:
                # The file's requests have not been judged.
                raise RefusedError(400, "invalid_batch", "the file is not a batch of requests")
        return info.weight.reserved

    async def keep(self, ids: Iterable[str], upstream: str, tokens: int | None = None) -> None:
        """Remember objects as the caller's, before the caller sees them."""
        for each in ids:
            await self._state.keep(each, Stored(self._key.name, upstream, tokens))

    async def listed(self, body: bytes) -> bytes:
        """Return a list of objects reduced to the caller's."""
        answer: dict[str, Any] = json_object(body) or {}
        own = set()
        for each in objects.ids_of(answer):
            stored = await self._state.stored(each)
            if stored is not None and stored.owner == self._key.name:
                own.add(each)
        return json_bytes(objects.only_own(answer, frozenset(own)))

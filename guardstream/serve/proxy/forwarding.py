"""What sends a request on, and what it brings back: the proxy's side towards its upstreams."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Protocol

from guardstream.serve.bodies import BodyError, Inflating
from guardstream.serve.proxy.answers import UpstreamError
from guardstream.serve.routes import Headers, values
from guardstream.stream.loops import aclose_source

_FINAL, _NO_STATUS = 200, 600


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request as it is to be sent: `url` is whole, and escaped as it goes over the wire."""

    method: str
    url: str
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)


class Incoming(Protocol):
    """An answer: iterate it for its body, in pieces as they come.

    The names of `headers` are in lower case. UpstreamError is raised where the body breaks off.
    """

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Headers: ...

    def __aiter__(self) -> Incoming: ...

    async def __anext__(self) -> bytes: ...

    async def aclose(self) -> None:
        """Give up what was not read, and close its connection."""
        ...


class Sender(Protocol):
    """Sends requests. Redirects are not followed, and no cookies kept."""

    async def send(self, request: Outgoing) -> Incoming:
        """Send a request; return the answer, its body unread. UpstreamError if it fails."""
        ...

    async def aclose(self) -> None:
        """Close all connections."""
        ...


_FIELD = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
"""The value of a header: https://www.rfc-editor.org/rfc/rfc9110#section-5.5."""

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

_PLAIN, _ZLIB = ("", "identity"), ("gzip", "x-gzip", "deflate")
_EITHER = 47
"""zlib's window for the formats of gzip and zlib, told by how they begin."""


async def readable(answer: Incoming) -> Incoming:
    """Return an answer whose body can be read, inflated if need be, though that is not asked for.

    UpstreamError, and the answer is closed, for one that a client could read in another way.
    """
    encoding = ",".join(values(answer.headers, b"content-encoding")).strip().lower()
    why = ""
    if answer.status < _FINAL:
        why = "the upstream changes the protocol"
    elif answer.status >= _NO_STATUS:
        why = "the upstream answers with a status that is none"
    elif not all(_TOKEN.fullmatch(name) and _FIELD.fullmatch(v) for name, v in answer.headers):
        why = "the upstream's answer has a header with control characters"
    elif encoding not in (*_PLAIN, *_ZLIB):
        why = "the upstream's answer is compressed in a way that was not asked for"
    if why:
        await aclose_source(answer)
        raise UpstreamError(502, "unguarded_answer", why)
    return answer if encoding in _PLAIN else _Inflated(answer)


class _Inflated:
    """A compressed answer; what it inflates to comes in pieces, however much it is."""

    def __init__(self, answer: Incoming) -> None:
        self.status, self.headers = answer.status, answer.headers
        self._answer = answer
        self._inflating = Inflating(_EITHER, ratio=None)  # who reads it has bounds of his own
        self._pieces: Iterator[bytes] = iter(())

    def __aiter__(self) -> _Inflated:
        return self

    async def __anext__(self) -> bytes:
        try:
            while (piece := next(self._pieces, None)) is None:
                await self._read()
        except BodyError as error:
            why = "the upstream's compressed answer is broken"
            raise UpstreamError(502, "upstream_error", why) from error
        await asyncio.sleep(0)  # others' turn
        return piece

    async def _read(self) -> None:
        try:
            self._pieces = self._inflating.feed(await anext(self._answer))
        except StopAsyncIteration:
            self._inflating.finish()
            raise

    async def aclose(self) -> None:
        """Give up what was not read, and close its connection."""
        await self._answer.aclose()


def decoded(headers: Headers) -> Iterator[tuple[str, str]]:
    """Yield headers as text: in UTF-8 where they are, else byte for byte."""
    for name, value in headers:
        try:
            yield name.decode("latin-1"), value.decode()
        except UnicodeDecodeError:
            yield name.decode("latin-1"), value.decode("latin-1")


def content_type(answer: Incoming) -> str:
    """Return what an answer says that its body is; all of it, if it says so more than once."""
    return ", ".join(values(answer.headers, b"content-type"))


async def read_whole(answer: Incoming, limit: int) -> bytes:
    """Read a whole body. UpstreamError if it is longer than `limit` bytes, or cut."""
    body = BytesIO()  # which does not copy it all at the end
    async for part in answer:
        body.write(part)
        if body.tell() > limit:
            raise UpstreamError(502, "upstream_too_large", "the upstream's answer is too large")
    return body.getvalue()

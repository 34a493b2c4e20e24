"""The proxy's side towards its upstreams: requests that it forwards, and their answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Protocol, Self

from guardstream.serve.bodies import BodyError, Inflating
from guardstream.serve.proxy.answers import UpstreamError, unguarded
from guardstream.serve.proxy.holdings import Holding
from guardstream.serve.routes import Headers, values
from guardstream.serve.source_ids import SourceIdDetector
from guardstream.stream.loops import aclose_source

_FINAL, _NO_STATUS = 200, 600


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request to send: `url` is complete, and escaped as it goes over the wire."""

    method: str
    url: str
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)


class Incoming(Protocol):
    """An answer: iterate it for its body, in pieces as they arrive.

    The names of `headers` are in lower case. UpstreamError is raised if the body breaks off.
    """

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Headers: ...

    def __aiter__(self) -> Incoming: ...

    async def __anext__(self) -> bytes: ...

    async def aclose(self) -> None:
        """Discard the rest, and close its connection."""
        ...


class Sender(Protocol):
    """Sends requests. Redirects are not followed, and no cookies are kept."""

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
_NOT_READ = ("br", "zstd", "compress")
_EITHER = 47
"""zlib's window for the formats gzip and zlib, detected by their beginning."""


async def readable(answer: Incoming) -> Incoming:
    """Return an answer whose body can be read: it is decompressed although that was not requested.

    UpstreamError, and the answer is closed, if a client could read it differently.
    """
    encoding = ",".join(values(answer.headers, b"content-encoding")).strip().lower()
    why = ""
    if answer.status < _FINAL:
        why = "the upstream changes the protocol"
    elif answer.status >= _NO_STATUS:
        why = "the upstream answers with an invalid status"
    elif not all(_TOKEN.fullmatch(name) and _FIELD.fullmatch(v) for name, v in answer.headers):
        why = "the upstream's answer has a header with control characters"
    elif encoding not in (*_PLAIN, *_ZLIB):
        named = encoding if encoding in _NOT_READ else "an unknown encoding"
        why = f"the upstream's answer is compressed with {named}, which was not requested"
    if why:
        await aclose_source(answer)
        raise unguarded(why)
    return answer if encoding in _PLAIN else _Inflated(answer)


class RelayedAnswer:
    """An answer with the status and the headers of another one, whose body it reads."""

    def __init__(self, answer: Incoming) -> None:
        self.status, self.headers = answer.status, answer.headers
        self._answer = answer

    def __aiter__(self) -> Self:
        return self

    async def aclose(self) -> None:
        """Discard the rest, and close its connection."""
        await self._answer.aclose()


class _Inflated(RelayedAnswer):
    """A compressed answer; it is decompressed in pieces, however large it is."""

    def __init__(self, answer: Incoming) -> None:
        super().__init__(answer)
        self._inflating = Inflating(_EITHER, ratio=None)  # its reader has limits of its own
        self._pieces: Iterator[bytes] = iter(())

    async def __anext__(self) -> bytes:
        try:
            while (piece := next(self._pieces, None)) is None:
                await self._read()
        except BodyError as error:
            why = "the upstream's compressed answer is broken"
            raise UpstreamError(502, "upstream_error", why) from error
        await asyncio.sleep(0)  # give other tasks a turn
        return piece

    async def _read(self) -> None:
        try:
            self._pieces = self._inflating.feed(await anext(self._answer))
        except StopAsyncIteration:
            self._inflating.finish()
            raise


class IdDetectingAnswer(RelayedAnswer):
    """An answer in which `source` looks for the ids of events."""

    def __init__(self, answer: Incoming, source: SourceIdDetector) -> None:
        super().__init__(answer)
        self._source = source

    async def __anext__(self) -> bytes:
        return b"".join(self._source.feed(await anext(self._answer)))


def decoded(headers: Headers) -> Iterator[tuple[str, str]]:
    """Yield headers as text: decoded as UTF-8 if possible, otherwise byte for byte."""
    for name, value in headers:
        try:
            yield name.decode("latin-1"), value.decode()
        except UnicodeDecodeError:
            yield name.decode("latin-1"), value.decode("latin-1")


def content_type(answer: Incoming) -> str:
    """Return the content type of an answer; all of them, if there are several."""
    return ", ".join(values(answer.headers, b"content-type"))


async def read_whole(answer: Incoming, limit: int, holding: Holding | None = None) -> bytes:
    """Read a whole body. UpstreamError if it is longer than `limit` bytes, or truncated;
    CrowdedError if there is no room for it."""
    body = BytesIO()  # avoids copying it all at the end
    async for part in answer:
        if holding is not None:
            await holding.add(len(part))
        body.write(part)
        if body.tell() > limit:
            raise UpstreamError(502, "upstream_too_large", "the upstream's answer is too large")
    return body.getvalue()

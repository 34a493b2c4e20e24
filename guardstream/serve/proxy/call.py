"""One request to the upstream, and its answer: as a guarded stream, or guarded whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from guardstream.errors import AdapterError, GuardstreamError
from guardstream.framing.json import json_bytes, json_object
from guardstream.guard import Guard
from guardstream.http.body import guard_body, guard_error
from guardstream.http.headers import CONVERSATION, of_the_connection, withheld
from guardstream.serve.endings import told
from guardstream.serve.proxy.formats import Format
from guardstream.serve.proxy.keys import with_key
from guardstream.serve.proxy.settings import ProxySettings
from guardstream.serve.routes import Headers, values
from guardstream.stream.result import Result

_NOT_SENT = {"host", "content-length", "accept-encoding", "expect", "guardstream-policy"}
_NOT_SENT |= {CONVERSATION}
_NOT_SENT |= {"x-http-method-override", "x-method-override", "x-http-method"}
_NOT_RETURNED = {"content-length", "content-encoding", "guardstream-policy", "etag"}
_NOT_RETURNED |= {"content-md5", "digest", "content-digest", "repr-digest"}
_NOT_RETURNED |= {"date"}  # the server that runs the proxy adds its own

PATH = "/:@!$&'()*+,;=~"
"""What stands in paths as it is; a question mark that was escaped begins no query."""


class UpstreamError(Exception):
    """The upstream cannot be reached, or answers with what cannot be guarded."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Upstream:
    """The HTTP client that all requests share."""

    def __init__(self, settings: ProxySettings) -> None:
        self._settings = settings
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(settings.read_timeout, connect=settings.connect_timeout),
            limits=httpx.Limits(
                max_connections=settings.max_connections, max_keepalive_connections=None
            ),
            follow_redirects=False,
            trust_env=False,
        )

    async def send(
        self, method: str, path: str, query: str, headers: Headers, body: bytes, provider: str = ""
    ) -> httpx.Response:
        """Send a request; return the response with its body unread. UpstreamError if it fails.

        `provider` says which header has the upstream's key, if the settings have one.
        """
        headers = with_key(headers, self._settings.upstream_key, provider)
        url = self._settings.url(quote(path, safe=PATH), query)
        kept_back = _NOT_SENT | of_the_connection(values(headers, b"connection"))
        sent = [
            (name, value)
            for name, value in headers
            if name.decode("latin-1").lower() not in kept_back
        ]
        sent.append((b"accept-encoding", b"identity"))
        try:
            request = self._client.build_request(method, url, headers=sent, content=body)
            return await self._client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise upstream_error(error) from error
        except httpx.InvalidURL as error:
            raise UpstreamError(400, "invalid_path", "the path cannot be sent on") from error

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()


class Bytes:
    """The body of a response as a stream of bytes; closing it closes the connection."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self._chunks: AsyncIterator[bytes] = response.aiter_bytes()

    def __aiter__(self) -> Bytes:
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._chunks)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._response.aclose()


async def read_answer(response: httpx.Response, limit: int) -> bytes:
    """Read a whole body. UpstreamError if it is longer than `limit` bytes, or cut."""
    parts: list[bytes] = []
    size = 0
    try:
        async for part in response.aiter_bytes():
            size += len(part)
            if size > limit:
                raise UpstreamError(502, "upstream_too_large", "the upstream's answer is too large")
            parts.append(part)
    except httpx.HTTPError as error:
        raise upstream_error(error) from error
    return b"".join(parts)


def guarded_answer(
    guard: Guard, format_: Format, body: bytes, attributes: Mapping[str, str]
) -> tuple[bytes, Result]:
    """Guard the whole answer of an endpoint. UpstreamError if it is none that can be guarded."""
    value = _object(body)
    try:
        guarded, result = guard_body(
            guard, format_.provider, value, keep_text=False, attributes=attributes
        )
    except GuardstreamError as error:
        raise UpstreamError(502, "unguarded_answer", told(guard, error)) from error
    same = guarded is value
    return body if same else json_bytes(guarded), result


def guarded_error(guard: Guard, body: bytes) -> bytes:
    """Guard every string in an upstream's error. UpstreamError if that cannot be done."""
    value = _object(body)
    try:
        guarded = guard_error(guard, value)
    except GuardstreamError as error:
        why = "the upstream's error cannot be guarded"
        raise UpstreamError(502, "unguarded_answer", why) from error
    return body if guarded is value else json_bytes(guarded)


def returned_headers(response: httpx.Response, guard: Guard | None = None) -> Headers:
    """The headers of a response that the client gets; with a `guard`, those that pass it."""
    kept_back = _NOT_RETURNED | of_the_connection(response.headers.get_list("connection"))
    if guard is not None:
        kept_back |= withheld(guard, response.headers.multi_items())
    named = ((name.lower(), value) for name, value in response.headers.raw)
    return [(name, value) for name, value in named if name.decode("latin-1") not in kept_back]


def upstream_error(error: httpx.HTTPError) -> UpstreamError:
    """Say what went wrong with the upstream, without its address or any text."""
    kind = type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        return UpstreamError(504, "upstream_timeout", f"the upstream took too long ({kind})")
    return UpstreamError(502, "upstream_error", f"the upstream failed ({kind})")


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json_object(body)
    except AdapterError as error:
        raise UpstreamError(502, "upstream_invalid", str(error)) from error
    if value is None:
        raise UpstreamError(502, "upstream_invalid", "the upstream's answer is no JSON object")
    return value

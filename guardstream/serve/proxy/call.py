"""One request to the upstream, and its answer: as a guarded stream, or guarded whole."""

from __future__ import annotations

import codecs
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any
from urllib.parse import quote

import httpx

from guardstream.errors import AdapterError, GuardstreamError
from guardstream.framing.json import json_bytes, json_object
from guardstream.guard import Guard
from guardstream.http.body import guard_body
from guardstream.providers.fields import map_strings
from guardstream.serve.endings import told
from guardstream.serve.proxy.formats import Format
from guardstream.serve.proxy.settings import ProxySettings
from guardstream.serve.routes import Headers
from guardstream.stream.result import Result

_HOP_BY_HOP = {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te"}
_HOP_BY_HOP |= {"trailer", "transfer-encoding", "upgrade", "proxy-connection"}
"""https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1."""

_NOT_SENT = _HOP_BY_HOP | {"host", "content-length", "accept-encoding", "expect"}
_NOT_SENT |= {"guardstream-policy", "x-http-method-override", "x-method-override", "x-http-method"}
_NOT_RETURNED = _HOP_BY_HOP | {"content-length", "content-encoding", "guardstream-policy", "etag"}
_NOT_RETURNED |= {"content-md5", "digest", "content-digest", "repr-digest"}
_NOT_RETURNED |= {"date"}  # the server that runs the proxy adds its own

_PATH = "/:@!$&'()*+,;=~"
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
        self, method: str, path: str, query: str, headers: Headers, body: bytes
    ) -> httpx.Response:
        """Send a request; return the response with its body unread. UpstreamError if it fails."""
        url = self._settings.url(quote(path, safe=_PATH), query)
        sent = [
            (name, value)
            for name, value in headers
            if name.decode("latin-1").lower() not in _NOT_SENT
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


def guarded_answer(guard: Guard, format_: Format, body: bytes) -> tuple[bytes, Result]:
    """Guard the whole answer of an endpoint. UpstreamError if it is none that can be guarded."""
    value = _object(body)
    try:
        guarded, result = guard_body(guard, format_.provider, value, keep_text=False)
    except GuardstreamError as error:
        raise UpstreamError(502, "unguarded_answer", told(guard, error)) from error
    same = guarded is value
    return body if same else json_bytes(guarded), result


def guarded_error(guard: Guard, body: bytes) -> bytes:
    """Guard every string in an upstream's error. UpstreamError if that cannot be done."""

    def shown(text: str) -> str:
        return guard.check(text).text

    value = _object(body)
    try:
        guarded = map_strings(value, shown)
        names = all(shown(name) == name for name in _names(guarded))
    except (GuardstreamError, RecursionError):
        names = False
    if not names:
        raise UpstreamError(502, "unguarded_answer", "the upstream's error cannot be guarded")
    return body if guarded is value else json_bytes(guarded)


def _names(value: Any) -> Iterator[str]:
    """Give the names of all fields in a value of JSON."""
    if isinstance(value, dict):
        yield from value
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, (dict, list)):
            yield from _names(item)


def in_utf8(response: httpx.Response) -> bool:
    """Tell whether a response is in UTF-8, as JSON and events always are, and says nothing else."""
    try:
        return codecs.lookup(response.charset_encoding or "utf-8").name in ("utf-8", "ascii")
    except LookupError:
        return False


def returned_headers(response: httpx.Response) -> Iterable[tuple[bytes, bytes]]:
    """The headers of a response that the client gets."""
    for name, value in response.headers.raw:
        if name.decode("latin-1").lower() not in _NOT_RETURNED:
            yield name.lower(), value


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

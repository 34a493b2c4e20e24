"""The upstreams of one proxy: which one a request goes to, where that is, and the client to it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Literal, TypeAlias
from urllib.parse import quote, urlsplit

import httpx

from guardstream.guard import Guard
from guardstream.http.headers import CONVERSATION, of_the_connection, withheld
from guardstream.serve.proxy.answers import UpstreamError
from guardstream.serve.proxy.keys import query_without, with_key
from guardstream.serve.routes import Headers, values

PATH = "/:@!$&'()*+,;=~"
"""What stands in paths as it is; a question mark that was escaped begins no query."""

_NOT_RETURNED = {"content-length", "content-encoding", "guardstream-policy", "etag"}
_NOT_RETURNED |= {"content-md5", "digest", "content-digest", "repr-digest"}
_NOT_RETURNED |= {"date"}  # the server that runs the proxy adds its own

_OF_ACCOUNT = {"set-cookie", "openai-organization", "openai-project"}
_OF_ACCOUNT |= {"anthropic-organization-id"}

_NOT_SENT = {"host", "content-length", "accept-encoding", "expect", "guardstream-policy"}
_NOT_SENT |= {CONVERSATION}
_NOT_SENT |= {"x-http-method-override", "x-method-override", "x-http-method"}

Auth: TypeAlias = Literal["authorization", "x-api-key", "api-key", "x-goog-api-key"]
"""The header that has a key: as `Bearer`, or alone."""

_VERSION = re.compile(r"/v\d+(?:(?:alpha|beta)\d*)?(?:/openai)?$")
"""How the path of a base URL ends below which no `/v1` stands."""


@dataclass(frozen=True, slots=True)
class Target:
    """One upstream: its base URL, the key that requests are sent with, and its time-outs.

    `auth` is the header that the key stands in, as the endpoint has it if None. `version` says
    whether `/v1` stands between the base URL and the path; if None, unless the base ends in a
    version. `read_timeout` is the longest silence in seconds before its first byte and between any
    two.
    """

    url: str
    key: str | None = field(default=None, repr=False)
    auth: Auth | None = None
    version: bool | None = None
    connect_timeout: float = 10.0
    read_timeout: float = 600.0

    def address(self, path: str, query: str) -> str:
        """Return where a request goes.

        A path in OpenAI's form is below `/v1`, or has no version, as the base is.
        """
        base = self.url.rstrip("/")
        own = urlsplit(base).path
        version = self.version
        if version is None:
            version = _VERSION.search(own) is None
        if own and path.startswith(f"{own}/"):
            base = base.removesuffix(own)
        elif path.startswith("/v1/") and not version:
            path = path.removeprefix("/v1")
        return f"{base}{path}?{query}" if query else base + path


@dataclass(frozen=True, slots=True)
class Choice:
    """Which upstream a request goes to, by name: by its model, by its path, or the first.

    `models` are patterns such as `claude-*`; the first that fits counts.
    """

    models: Mapping[str, str] = field(default_factory=dict)
    routes: Mapping[str, str] = field(default_factory=dict)

    def of(self, places: Iterable[str], model: str | None, first: str) -> str:
        """Return the name of the upstream of a request at one of these paths."""
        if model is not None:
            for pattern, name in self.models.items():
                if fnmatchcase(model, pattern):
                    return name
        return next((self.routes[each] for each in places if each in self.routes), first)


class Upstream:
    """The HTTP client that all requests to one upstream share.

    Where `held`, the proxy holds keys, and those of clients are not sent on. `transport` sends
    requests in another way than over connections of its own.
    """

    def __init__(
        self,
        target: Target,
        *,
        held: bool,
        connections: int | None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._target = target
        self._held = held
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(target.read_timeout, connect=target.connect_timeout),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=None),
            transport=transport,
            follow_redirects=False,
            trust_env=False,
            # One client's cookies are not another's: none is kept.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )

    async def send(
        self, method: str, path: str, query: str, headers: Headers, body: bytes, auth: str
    ) -> httpx.Response:
        """Send a request; return the response with its body unread. UpstreamError if it fails.

        `auth` is the header that has a key at its endpoint.
        """
        target = self._target
        if self._held:
            headers = with_key(headers, target.key, target.auth or auth)
            query = query_without(query)
        url = target.address(quote(path, safe=PATH), query)
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


def returned_headers(
    response: httpx.Response, guard: Guard | None = None, *, held: bool = False
) -> Headers:
    """The headers of a response that the client gets; with a `guard`, those that pass it.

    Where the proxy has `held` keys, it is not told whose account that was.
    """
    kept_back = _NOT_RETURNED | of_the_connection(response.headers.get_list("connection"))
    if held:
        kept_back |= _OF_ACCOUNT
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

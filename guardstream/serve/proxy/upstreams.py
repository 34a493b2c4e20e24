"""The upstreams of one proxy: the choice of one, its URL, and what it is sent."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Literal, TypeAlias
from urllib.parse import quote, urlsplit

from yarl import URL

from guardstream.guard import Guard
from guardstream.http.headers import CONVERSATION, of_the_connection, withheld
from guardstream.policy.serving import CONNECT_TIMEOUT, READ_TIMEOUT
from guardstream.serve.proxy.forwarding import Incoming, Outgoing, Sender, decoded, readable
from guardstream.serve.proxy.keys import plain_name, query_without, with_key
from guardstream.serve.routes import Headers, values

PATH = "/:@!$&'()*+,;=~"
"""Characters that stay unescaped in paths; an escaped question mark begins no query."""

_NOT_RETURNED = {"content-length", "content-encoding", "guardstream-policy", "etag"}
_NOT_RETURNED |= {"content-md5", "digest", "content-digest", "repr-digest"}
_NOT_RETURNED |= {"date"}  # the server that runs the proxy adds its own
_NOT_RETURNED |= {"guardstream-receipt"}  # only the proxy attests that an answer was judged
_NOT_RETURNED |= {"alt-svc", "refresh"}  # bypass the proxy

_OF_ACCOUNT = {"set-cookie", "openai-organization", "openai-project"}
_OF_ACCOUNT |= {"anthropic-organization-id"}

_NOT_SENT = {"host", "content-length", "accept-encoding", "expect", "guardstream-policy"}
_NOT_SENT |= {CONVERSATION}
_NOT_SENT |= {"x-http-method-override", "x-method-override", "x-http-method"}

_USUAL: Headers = [(b"accept", b"*/*"), (b"user-agent", b"guardstream")]
"""The headers of a client that sends none: some providers refuse requests without them."""

_QUERY = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"#<>')
"""Characters that stay unescaped in queries."""

Auth: TypeAlias = Literal["authorization", "x-api-key", "api-key", "x-goog-api-key"]
"""The header with a key: as `Bearer`, or alone."""

_VERSION = re.compile(r"/v\d+(?:(?:alpha|beta)\d*)?(?:/openai)?$")
"""How the path of a base URL ends that already has a version."""


@dataclass(frozen=True, slots=True)
class Target:
    """One upstream: its base `url`, the `key` for its requests, and its timeouts.

    `auth` is the header of the key; if None, it depends on the endpoint. `version` says whether
    `/v1` comes between the base URL and the path; if None, unless the base ends in a version.
    Times are in seconds: `connect_timeout` for connecting, `read_timeout` for the longest silence
    before the first byte and between any two.
    """

    url: str
    key: str | None = field(default=None, repr=False)
    auth: Auth | None = None
    version: bool | None = None
    connect_timeout: float = CONNECT_TIMEOUT
    read_timeout: float = READ_TIMEOUT

    def address(self, path: str, query: str) -> str:
        """Return the URL of a request.

        A path in OpenAI's form loses its `/v1` if `version` is False, or if it is None and the base
        ends in a version.
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
    """Chooses the upstream of a request, by name: by its model, by its path, or the default.

    `models` are patterns such as `claude-*`; the first match counts.
    """

    models: Mapping[str, str] = field(default_factory=dict)
    routes: Mapping[str, str] = field(default_factory=dict)

    def of(self, places: Iterable[str], model: str | None, first: str) -> str:
        """Return the name of the upstream for a request at one of these paths; `first` is the
        default."""
        if model is not None:
            for pattern, name in self.models.items():
                if fnmatchcase(model, pattern):
                    return name
        return next((self.routes[each] for each in places if each in self.routes), first)


class Upstream:
    """Sends all requests to one upstream.

    If `held`, the proxy holds keys, and those of clients are not forwarded.
    """

    def __init__(self, target: Target, sender: Sender, *, held: bool) -> None:
        whole = URL(target.url)
        self._target = replace(target, url=str(whole.with_user(None)))
        self._held = held
        self._sender = sender
        self._own: Headers = []
        if whole.user is not None:
            pair = f"{whole.user}:{whole.password or ''}".encode()
            self._own = [(b"authorization", b"Basic " + b64encode(pair))]

    async def send(
        self, method: str, path: str, query: str, headers: Headers, body: bytes, auth: str
    ) -> Incoming:
        """Send a request; return the answer with its body unread. UpstreamError if it fails.

        `auth` is the header of the key at its endpoint.
        """
        target = self._target
        own = {name for name, _ in self._own}
        kept_back = _NOT_SENT | of_the_connection(values(headers, b"connection"))
        kept_back |= {name.decode() for name in own}
        named = ((name.lower(), value) for name, value in headers)
        sent = [pair for pair in named if plain_name(pair[0]).decode("latin-1") not in kept_back]
        if self._held:  # after what the client's `Connection` removes
            keyed = with_key(sent, target.key, target.auth or auth)
            sent = [pair for pair in keyed if pair[0] not in own]
            query = query_without(query)
        url = target.address(quote(path, safe=PATH), quote(query, safe=_QUERY))
        sent += [*self._own, (b"accept-encoding", b"identity")]
        names = {name for name, _ in sent}
        sent += [pair for pair in _USUAL if pair[0] not in names]
        return await readable(await self._sender.send(Outgoing(method, url, sent, body)))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._sender.aclose()


def returned_headers(answer: Incoming, guard: Guard | None, *, held: bool) -> Headers:
    """Return the headers of an answer for the client; with a `guard`, only those that pass it.

    If the proxy has `held` keys, headers that identify the account are left out.
    """
    kept_back = _NOT_RETURNED | of_the_connection(values(answer.headers, b"connection"))
    if held:
        kept_back |= _OF_ACCOUNT
    if guard is not None:
        kept_back |= withheld(guard, decoded(answer.headers))
    return [pair for pair in answer.headers if pair[0].decode("latin-1") not in kept_back]

"""The shape of the section `serve` of a policy: the proxy, and the middleware around a server."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    model_validator,
)

from guardstream.policy.operational import Secret, Setting
from guardstream.policy.sections import Duration, Model, quantity

_LISTEN = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.%\w]+)\]|(?P<host>[^\s:\[\]/]+)):(?P<port>\d{1,5})")


def _listen(text: str) -> str:
    address_of(text)
    return text


def address_of(text: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT`; ValueError says what is wrong."""
    found = _LISTEN.fullmatch(text)
    if found is None or int(found["port"]) > 65_535:
        raise ValueError("expected an address and a port, such as 127.0.0.1:8080 or [::1]:8080")
    return found["six"] or found["host"], int(found["port"])


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected a URL such as https://api.openai.com")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("a URL of the upstream has no user, query or fragment: a key is ${NAME}")
    return text


Url: TypeAlias = Annotated[Setting, AfterValidator(_url)]

_SIZE = re.compile(r"(\d{1,9})\s*(KB|MB|GB)")
_SIZES = {"KB": 1024, "MB": 1024**2, "GB": 1024**3}


_bytes = quantity(_SIZE, _SIZES, "a size such as 64KB or 16MB, or a number of bytes")

Size: TypeAlias = Annotated[
    int,
    BeforeValidator(_bytes),
    Field(ge=1),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": rf"^\s*{_SIZE.pattern}\s*$"},
            ]
        }
    ),
]


def _kind(value: Any) -> str:
    return "plain" if isinstance(value, str) else "mapping"


class UpstreamFile(Model):
    """Where the proxy sends requests, and with which key."""

    url: Url
    """Its address, such as https://api.openai.com."""
    key: Secret | None = None
    """The key that requests are sent with, as `${NAME}`; those of clients are then not sent on."""
    connect_timeout: Duration = 10.0
    """How long a connection may take."""
    read_timeout: Duration = 600.0
    """The longest silence before the first byte, and between any two."""


class RouteFile(Model):
    """One path and how it is guarded."""

    policy: Setting | None = None
    """The policy of this path: a name in `policies`, a pack, or a file; this one if absent."""
    guard: bool = True
    """Whether it is guarded; false lets it pass. For the middleware."""
    provider: Setting | None = None
    """The wire format of JSON events; the first one tells if absent. For the middleware."""
    unknown: Literal["guard", "refuse", "pass"] | None = None
    """What becomes of fields that the format does not know, in place of what the policy says."""
    text_types: list[str] = Field(default=["text/plain", ""])
    """Media types that are guarded as plain text; "" is a response that names none."""
    decompress: bool = False
    """Whether gzip and deflate are read, and sent uncompressed."""
    heartbeat: Duration | None = None
    """The silence after which a comment is sent in an event stream; `heartbeats` if absent."""
    websocket: Literal["text", "json", "message"] = "text"
    """What messages are: pieces of one text, JSON events, or each a whole text."""
    end_mark: str = "[DONE]"
    """The message that ends a text of a WebSocket."""
    binary: Literal["refuse", "pass"] = "refuse"
    """What becomes of binary messages."""
    inbound: Setting | None = None
    """The policy of what clients send over a WebSocket: as `policy`."""

    @model_validator(mode="after")
    def _passes(self) -> RouteFile:
        said = sorted(self.model_fields_set - {"guard"})
        if not self.guard and said:
            raise ValueError(f"a path that is not guarded has no {said[0]!r}: leave it out")
        return self


class ReplayFile(Model):
    """Keeps released events for clients that come back with a `Last-Event-ID`."""

    redis: Secret | None = None
    """The URL of a Redis, as `${NAME}`; this process's memory if absent."""
    prefix: Setting = "guardstream:"
    """What keys in Redis begin with."""
    timeout: Duration = 2.0
    """How long Redis may take."""
    linger: Duration | None = None
    """How long a stream goes on without its client; not at all if absent."""
    max_events: int = Field(default=4096, ge=1)
    """Events of one stream that are kept."""
    max_bytes: Size = 256 * 1024
    """Bytes of one stream's events that are kept."""
    max_age: Duration = 300.0
    """How long a stream is kept after its last event."""
    max_streams: int = Field(default=1024, ge=1)
    """Streams that are kept in memory."""
    max_total: Size = 64 * 1024 * 1024
    """Bytes of all streams that are kept in memory."""

    @model_validator(mode="after")
    def _one_store(self) -> ReplayFile:
        where, other = ({"prefix", "timeout"}, "a Redis: give 'redis'")
        if self.redis is not None:
            where, other = ({"max_streams", "max_total"}, "a store in memory: leave out 'redis'")
        said = sorted(where & self.model_fields_set)
        if said:
            raise ValueError(f"{said[0]!r} is about {other}")
        return self


class ServeLimitsFile(Model):
    """Bounds on requests and answers."""

    body: Size = 16 * 1024 * 1024
    """Bytes of a request's body."""
    answer: Size = 64 * 1024 * 1024
    """Bytes of an answer that is not streamed."""
    connections: int = Field(default=1000, ge=1)
    """Connections of a process; more get a 503."""
    header_timeout: Duration = 10.0
    """How long the headers of a request may take."""
    body_timeout: Duration = 60.0
    """How long the body of a request may take."""


Upstream: TypeAlias = Annotated[
    Annotated[Url, Tag("plain")] | Annotated[UpstreamFile, Tag("mapping")], Discriminator(_kind)
]

RouteEntry: TypeAlias = Annotated[
    Annotated[Setting, Tag("plain")] | Annotated[RouteFile, Tag("mapping")], Discriminator(_kind)
]


IN_MEMORY = "a replay in memory is of one process: 'workers: 1', or 'replay: {redis: ${NAME}}'"


class ServeFile(Model):
    """What `guardstream serve` does, and `GuardMiddleware` with a guard of this policy."""

    listen: Annotated[Setting, AfterValidator(_listen)] = "127.0.0.1:8080"
    """The address and the port to listen on."""
    workers: int = Field(default=1, ge=1, le=1024)
    """How many processes."""
    upstream: Upstream | None = None
    """Where requests go: a URL, or one with a key and time-outs."""
    keys: dict[Setting, Secret] = Field(default={})
    """Keys that clients may come with, by name, each as `${NAME}`; any client if there are none."""
    policies: dict[Setting, Setting] = Field(default={})
    """Other policies by name: files beside this one, or packs."""
    by_header: bool = False
    """Whether clients may name one of `policies` in the header `guardstream-policy`."""
    routes: dict[Setting, RouteEntry] = Field(default={})
    """Other policies, or other settings, by path."""
    other: Literal["refuse", "pass"] = "refuse"
    """What becomes of paths that the proxy does not guard."""
    heartbeats: Duration | None = None
    """The silence after which a comment is sent in an event stream; never if absent."""
    replay: ReplayFile | None = None
    """Keeps released events for clients that come back; null for none."""
    limits: ServeLimitsFile = ServeLimitsFile()
    """Bounds on requests and answers."""

    @model_validator(mode="after")
    def _keys(self) -> ServeFile:
        if self.keys and not (isinstance(self.upstream, UpstreamFile) and self.upstream.key):
            raise ValueError("'keys' of clients need a key of the upstream: 'upstream: {url, key}'")
        return self

    @model_validator(mode="after")
    def _one_memory(self) -> ServeFile:
        if self.workers > 1 and self.replay is not None and self.replay.redis is None:
            raise ValueError(IN_MEMORY)
        return self

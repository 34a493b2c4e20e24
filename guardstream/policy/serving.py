"""The shape of the section `serve` of a policy: the proxy, and the middleware around a server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, TypeAlias
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

from guardstream.policy import packs
from guardstream.policy.operational import Rate, Secret, Setting
from guardstream.policy.sections import Duration, Model, Pause, plain_or_mapping, quantity

# The defaults, in a policy and in code: sizes in bytes, times in seconds.
MAX_BODY = 16 * 1024 * 1024
MAX_ANSWER = 64 * 1024 * 1024
MAX_CONNECTIONS = 1000
CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 600.0
HEADER_TIMEOUT = 10.0
BODY_TIMEOUT = 60.0
GRACE = 30.0
ANSWER_TOKENS = 4096

_LISTEN = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.%\w]+)\]|(?P<host>[^\s:\[\]/]+)):(?P<port>\d{1,5})")


_ADDRESS = "expected an address and a port, such as 127.0.0.1:8080 or [::1]:8080"


def _listen(text: str) -> str:
    address_of(text)
    return text


def _not_a_port(given: object) -> object:
    if isinstance(given, int):
        raise ValueError(_ADDRESS)
    return given


def address_of(text: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT`; ValueError describes an error."""
    found = _LISTEN.fullmatch(text)
    if found is None or int(found["port"]) > 65_535:
        raise ValueError(_ADDRESS)
    return found["six"] or found["host"], int(found["port"])


Address: TypeAlias = Annotated[Setting, AfterValidator(_listen), BeforeValidator(_not_a_port)]


def _url(text: str) -> str:
    check_url(text)
    if "@" in urlsplit(text).netloc:
        raise ValueError("the URL of an upstream must have no user: give its key as ${NAME}")
    return text


_ENDPOINT = re.compile(
    r"(?:/chat/completions|/v1/(?:completions|embeddings|messages|responses)|/api/(?:chat|generate))/?"
)


def check_url(url: str) -> None:
    """Raise ValueError for a URL that cannot be the base of an upstream's paths."""
    if not _is_of_http(url):
        raise ValueError("expected a URL such as https://api.openai.com")
    if "?" in url or "#" in url:
        raise ValueError(
            "the URL of an upstream is the base of its paths: leave out its query, which clients "
            "send, and its fragment"
        )
    path = urlsplit(url).path
    found = _ENDPOINT.search(path)
    if found and found.end() == len(path):  # requests would add the path again
        raise ValueError(f"the URL of an upstream is the base of its paths: leave out {found[0]!r}")


def _is_of_http(url: str) -> bool:
    """Return whether a text is a URL with a host and, if it has one, a valid port."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0
    return is_whole and re.search(r"\s", url) is None


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


class UpstreamFile(Model):
    """Where the proxy sends requests, and with which key."""

    url: Url
    """Its address, such as https://api.openai.com."""
    key: Secret | None = None
    """The key for requests, as `${NAME}`; clients' keys are then not forwarded.

    null says that it needs none, if clients have keys of yours.
    """
    auth: Literal["authorization", "x-api-key", "api-key", "x-goog-api-key"] | None = None
    """The header of the key, `authorization` as `Bearer`; if absent, it depends on the endpoint."""
    version: bool | None = None
    """Whether `/v1` comes between the address and the path; if absent, unless the address ends in a
    version."""
    connect_timeout: Duration = CONNECT_TIMEOUT
    """How long connecting may take."""
    read_timeout: Duration = READ_TIMEOUT
    """The longest silence before the first byte, and between any two bytes."""


def _sha256(text: str) -> str:
    if not re.fullmatch("[0-9a-f]{64}", text):
        raise ValueError("expected a SHA-256 in hex: 'guardstream key new NAME' creates one")
    return text


class KeyFile(Model):
    """A client's key, and its permissions."""

    sha256: Annotated[str, AfterValidator(_sha256)] | None = None
    """Its SHA-256 in hex: `guardstream key new` creates both."""
    key: Secret | None = None
    """Or the key itself, as `${NAME}`."""
    policy: Setting | None = None
    """The policy of all its requests, as for a route; the path's policy if absent."""
    at_once: int | None = Field(default=None, ge=1)
    """How many of its requests run at once; further ones get a 429."""
    tokens: Rate | None = None
    """How many tokens its requests may use per interval: `100000/d`; further ones get a 429."""
    other: bool = False
    """Whether it may use paths that the proxy does not know; for `other: guard`."""

    @model_validator(mode="after")
    def _one(self) -> KeyFile:
        if (self.sha256 is None) == (self.key is None):
            raise ValueError("give the key's 'sha256', or the 'key' itself as ${NAME}")
        return self


class StateFile(Model):
    """Where the usage of keys and the owners of stored objects are kept."""

    redis: Secret
    """The URL of a Redis, as `${NAME}`."""
    prefix: Setting = "guardstream:"
    """The prefix of keys in Redis."""
    timeout: Duration = 2.0
    """How long Redis may take; if it fails, the request is refused."""


class RouteFile(Model):
    """One path and how it is guarded."""

    policy: Setting | None = None
    """The policy of this path: a name in `policies`, a pack, or a file; this one if absent."""
    upstream: Setting | None = None
    """The name of the upstream in `upstreams` that it goes to. For the proxy."""
    guard: bool = True
    """Whether it is guarded; false lets it pass. For the middleware."""
    format: Setting | None = None
    """The wire format of JSON events; the first event decides if absent.

    In the proxy, for a path that it does not know: also the format of whole answers.
    """
    unknown: Literal["guard", "hold", "drop", "refuse", "pass"] | None = None
    """How fields that the format does not know are handled; overrides the policy."""
    text_types: list[str] = Field(default=["text/plain", ""])
    """Media types that are guarded as plain text; "" is a response without one."""
    other: Literal["guard", "refuse", "pass"] = "guard"
    """How responses that are not known streams are handled: by their content if absent."""
    file_types: list[str] = Field(default=[])
    """More media types of files, which pass if they are not text."""
    max_answer: Size | None = None
    """The maximum bytes of a response that is read to its end first; `limits.answer` if absent."""
    decompress: bool = False
    """Whether gzip and deflate are decompressed, and the response is sent uncompressed."""
    heartbeat: Duration | None = None
    """The silence after which a comment is sent in an event stream; `heartbeats` if absent."""
    websocket: Literal["text", "json", "message"] = "text"
    """What messages are: pieces of one text, JSON events, or a whole text each."""
    end_mark: str = "[DONE]"
    """The message that ends a text of a WebSocket."""
    binary: Literal["guard", "refuse", "pass"] = "guard"
    """How binary messages are handled: those that are not text are refused, unless all pass."""
    inbound: Setting | None = None
    """The policy for what clients send over a WebSocket, as `policy`."""
    on_block: Literal["finish", "error"] | None = None
    """How a blocked answer ends; `on_block` of the section if absent."""

    @model_validator(mode="after")
    def _passes(self) -> RouteFile:
        given = sorted(self.model_fields_set - {"guard"})
        if not self.guard and given:
            raise ValueError(f"a path that is not guarded has no {given[0]!r}: leave it out")
        return self


class ReceiptsFile(Model):
    """Signs answers: which policy judged them, and digests of what came in and went out."""

    key: Secret
    """A private key of Ed25519 in PEM, as `${NAME}`."""
    issuer: Setting = "guardstream"
    """The signer, as named in receipts."""


class ReplayFile(Model):
    """Keeps released events for clients that reconnect with a `Last-Event-ID`."""

    redis: Secret | None = None
    """The URL of a Redis, as `${NAME}`; if absent, the memory of this process."""
    prefix: Setting = "guardstream:"
    """The prefix of keys in Redis."""
    timeout: Duration = 2.0
    """How long Redis may take."""
    linger: Duration | None = None
    """How long a stream continues without its client; if absent, it does not."""
    by: list[Setting] = Field(default=[])
    """Headers that identify the owner of a stream: a client that reconnects needs the same
    values."""
    max_events: int = Field(default=4096, ge=1)
    """How many events of a stream are kept."""
    max_bytes: Size = 256 * 1024
    """How many bytes of a stream's events are kept."""
    max_age: Duration = 300.0
    """How long a stream is kept after its last event."""
    max_streams: int = Field(default=1024, ge=1)
    """How many streams are kept in memory."""
    max_total: Size = 64 * 1024 * 1024
    """How many bytes of all streams are kept in memory."""

    @model_validator(mode="after")
    def _one_store(self) -> ReplayFile:
        where, how = ({"prefix", "timeout"}, "without")
        if self.redis is not None:
            where, how = ({"max_streams", "max_total"}, "with")
        given = sorted(where & self.model_fields_set)
        if given:
            raise ValueError(f"{given[0]!r} has no effect {how} 'redis'")
        return self


class ServeLimitsFile(Model):
    """Limits on requests and answers."""

    body: Size = MAX_BODY
    """The maximum bytes of a request's body."""
    answer: Size = MAX_ANSWER
    """The maximum bytes of an answer that is not streamed. For the proxy and for the middleware."""
    connections: int = Field(default=MAX_CONNECTIONS, ge=1)
    """The maximum number of connections of a process; further ones get a 503."""
    header_timeout: Duration = HEADER_TIMEOUT
    """How long the headers of a request may take."""
    body_timeout: Duration = BODY_TIMEOUT
    """How long the body of a request may take."""
    answer_tokens: int = Field(default=ANSWER_TOKENS, ge=1)
    """How many tokens are reserved for an answer if its request sets no limit."""


Upstream: TypeAlias = Annotated[
    Annotated[Url, Tag("plain")] | Annotated[UpstreamFile, Tag("mapping")],
    Discriminator(plain_or_mapping),
]

KeyEntry: TypeAlias = Annotated[
    Annotated[Secret, Tag("plain")] | Annotated[KeyFile, Tag("mapping")],
    Discriminator(plain_or_mapping),
]


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError("a route's path begins with '/', such as /v1/messages")
    return text


RoutePath: TypeAlias = Annotated[Setting, AfterValidator(_path)]

RouteEntry: TypeAlias = Annotated[
    Annotated[Setting, Tag("plain")] | Annotated[RouteFile, Tag("mapping")],
    Discriminator(plain_or_mapping),
]


ONE_PROCESS = (
    "the usage of clients' keys is stored in one process: 'workers: 1', or "
    "'state: {redis: ${NAME}}'"
)

IN_MEMORY = "a replay in memory is for one process: 'workers: 1', or 'replay: {redis: ${NAME}}'"


class ServeFile(Model):
    """What `guardstream serve` does, and `GuardMiddleware` with a guard of this policy."""

    listen: Address = "127.0.0.1:8080"
    """The address and the port to listen on."""
    metrics_listen: Address | None = None
    """Another address for `/metrics`; if absent, it is on the port of the proxy."""
    workers: int = Field(default=1, ge=1, le=1024)
    """The number of processes."""
    upstream: Upstream | None = None
    """Where requests go: a URL, or one with a key and timeouts."""
    check: bool = False
    """Whether `guardstream serve` answers gateways with verdicts, and forwards nothing."""
    upstreams: dict[Setting, Upstream] = Field(default={})
    """Other upstreams, by name."""
    models: dict[Setting, Setting] = Field(default={})
    """Which upstream has which models: patterns such as `claude-*`, and names in `upstreams`."""
    keys: dict[Setting, KeyEntry] = Field(default={})
    """Clients' keys, by name: `${NAME}`, or with permissions."""
    key_file: Setting | None = None
    """A file of more keys, beside this one; it is reloaded when it changes."""
    key_function: Setting | None = None
    """A function that returns the `Key` of a SHA-256, as `module:name`."""
    state: StateFile | None = None
    """Where the usage of keys is kept; if absent, in the memory of this process."""
    shared_objects: list[Setting] = Field(default=[])
    """Ids of objects in the upstream that all clients with a key may use."""
    policies: dict[Setting, Setting] = Field(default={})
    """Other policies by name: files beside this one, or packs."""
    by_header: bool = False
    """Whether clients may name one of `policies` in the header `guardstream-policy`."""
    routes: dict[RoutePath, RouteEntry] = Field(default={})
    """Other policies, or other settings, by path."""
    other: Literal["refuse", "guard", "pass"] = "refuse"
    """How paths that the proxy does not know are handled."""
    drain: Pause | None = None
    """On shutdown, how long new requests are still accepted while `/readyz` returns 503."""
    grace: Pause = GRACE
    """How long running requests may then take to end; after that they are aborted."""
    on_block: Literal["finish", "error"] = "finish"
    """How a blocked answer ends: with a finish reason, or with an error that clients raise."""
    heartbeats: Duration | None = None
    """The silence after which a comment is sent in an event stream; never if absent."""
    replay: ReplayFile | None = None
    """Keeps released events for clients that reconnect; null for none."""
    receipts: ReceiptsFile | None = None
    """Signs answers; null for no receipts."""
    limits: ServeLimitsFile = ServeLimitsFile()
    """Limits on requests and answers."""

    @property
    def _has_keys(self) -> bool:
        return bool(self.keys or self.key_file or self.key_function)

    @model_validator(mode="after")
    def _keys(self) -> ServeFile:
        if not self._has_keys:
            alone = [name for name in ("state", "shared_objects") if getattr(self, name)]
            if alone:
                raise ValueError(f"{alone[0]!r} has no effect without 'keys'")
            return self
        for name, each in (("upstream", self.upstream), *self.upstreams.items()):
            # An explicit null says that the upstream needs none.
            if not (isinstance(each, UpstreamFile) and "key" in each.model_fields_set):
                raise ValueError(
                    f"'keys' of clients need a key of the upstream: '{name}: {{url, key}}'"
                )
        return self

    @model_validator(mode="after")
    def _named(self) -> ServeFile:
        if "default" in self.upstreams:
            raise ValueError("'default' is the name of 'upstream' itself")
        given = [*self.models.values()]
        given += [
            route.upstream
            for route in self.routes.values()
            if isinstance(route, RouteFile) and route.upstream
        ]
        for name in given:
            if name not in self.upstreams and name != "default":
                known = ", ".join(["default", *self.upstreams])
                raise ValueError(f"no upstream {name!r}, known: {known}")
        return self

    @model_validator(mode="after")
    def _one_memory(self) -> ServeFile:
        if self.workers > 1 and self.state is None and self._has_keys:
            raise ValueError(ONE_PROCESS)
        if self.workers > 1 and self.replay is not None and self.replay.redis is None:
            raise ValueError(IN_MEMORY)
        return self


def route_of(entry: str | RouteFile) -> RouteFile:
    """Return a route's settings; a string is the name of its policy."""
    return RouteFile(policy=entry) if isinstance(entry, str) else entry


def policy_path(section: ServeFile, folder: Path, name: str) -> str:
    """Return the file or pack that a policy's name in a section refers to, relative to `folder`."""
    meant = section.policies.get(name, name)
    if meant.startswith(packs.PREFIX) and not (folder / meant).exists():
        return meant
    return str(folder / meant)

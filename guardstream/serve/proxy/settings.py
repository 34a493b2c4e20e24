"""The settings of the proxy: its upstreams, policies, keys and limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from guardstream.amounts import check_count, check_seconds
from guardstream.errors import GuardstreamError
from guardstream.guard import Guard, check_guard
from guardstream.hints import hint, nearest
from guardstream.policy.serving import (
    ANSWER_TOKENS,
    BODY_TIMEOUT,
    CONNECT_TIMEOUT,
    MAX_ANSWER,
    MAX_BODY,
    READ_TIMEOUT,
    check_url,
)
from guardstream.receipts import Signer
from guardstream.serve.proxy.endpoints import is_route_path, route_paths
from guardstream.serve.proxy.keys import Key, Keys
from guardstream.serve.proxy.upstreams import Choice, Target
from guardstream.stream.arguments import described_kind
from guardstream.stream.on_block import ON_BLOCK, OnBlock

if TYPE_CHECKING:
    from guardstream.observability.prometheus import Prometheus
    from guardstream.operations import Operations
    from guardstream.serve.journal import Replay
    from guardstream.serve.proxy.state import State

ATTRIBUTES = ("key", "client")
"""What is known of each request: the name of its key, and the client's address."""

OTHERS = ("refuse", "guard", "pass")
"""How an unknown path may be handled."""

DEFAULT = "default"
"""The name of the default policy, and of the default upstream."""


class SettingsError(GuardstreamError, ValueError):
    """An invalid setting of the proxy; the message names it."""


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """The settings of one proxy. Sizes are in bytes, times in seconds.

    Policies:

    - `guards`: by name, including `default`. Create them with `rules_only`.
    - `routes`: paths with another guard, by its name.
    - `by_header`: a client may choose a guard by name, in the header `guardstream-policy`; do not
      list guards that clients must not choose.
    - `other`: unknown paths are refused ("refuse"); guarded by content ("guard"), for clients
      whose `Key` allows them if clients need keys; or passed unguarded ("pass").
    - `formats`: the formats of answers of unknown paths.
    - `on_block`: a blocked answer ends with a finish reason ("finish"), or with an error of its API
      ("error"), which clients raise.
    - `operations`: by the guards' names, the sections of their policies about running streams,
      which the proxy applies.

    Upstreams:

    - `upstream`: where requests go by default, None for an application that forwards nothing;
      `upstreams`: others by name.
    - `models`: patterns of model names, such as `claude-*`, and their upstream;
      `upstream_routes`: paths and their upstream.
    - `upstream_key`: sent in place of the client's key. If any upstream has a key, no client's key
      is forwarded.
    - `connect_timeout`: how long connecting to `upstream` may take; `read_timeout`: its longest
      silence, before the first byte and between two. A policy's deadlines may be shorter. A
      `Target` has its own.
    - `max_connections`: the most open connections to each upstream, beyond which requests wait; any
      number by default. The server bounds those of clients.
    - `max_answer`: the most bytes of an answer that is not streamed.

    Clients:

    - `keys`: the clients' keys by name, as plain text or as a `Key` with limits; `more_keys`: those
      of a file or a function. Without either, clients need no key.
    - `state`: stores the usage and the objects of keys; by default in this process's memory.
    - `shared_objects`: ids of objects that all keys may use.
    - `answer_tokens`: tokens that are reserved for an answer whose request sets no bound.
    - `max_body`: the most bytes of a request's body; `body_timeout`: how long it may take.
    - `heartbeat`: seconds of silence after which an event stream gets a comment.

    Records:

    - `metrics`: counts requests, and is served at `/metrics` unless `shows_metrics` is False. It
      has to be an observer of the guards, too.
    - `receipts`: signs answers; the guards need a `Collecting` among their observers.
    - `replay`: stores released events for clients that reconnect.
    """

    upstream: str | Target | None
    guards: Mapping[str, Guard]
    routes: Mapping[str, str] = field(default_factory=dict)
    by_header: bool = False
    other: Literal["refuse", "guard", "pass"] = "refuse"
    max_body: int = MAX_BODY
    max_answer: int = MAX_ANSWER
    connect_timeout: float = CONNECT_TIMEOUT
    read_timeout: float = READ_TIMEOUT
    body_timeout: float = BODY_TIMEOUT
    max_connections: int | None = None
    metrics: Prometheus | None = None
    upstream_key: str | None = field(default=None, repr=False)
    keys: Mapping[str, str | Key] = field(default_factory=dict, repr=False)
    heartbeat: float | None = None
    replay: Replay | None = None
    receipts: Signer | None = None
    operations: Mapping[str, Operations] = field(default_factory=dict)
    upstreams: Mapping[str, Target] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    upstream_routes: Mapping[str, str] = field(default_factory=dict)
    formats: Mapping[str, str] = field(default_factory=dict)
    more_keys: Keys | None = None
    state: State | None = None
    shared_objects: frozenset[str] = frozenset()
    answer_tokens: int = ANSWER_TOKENS
    shows_metrics: bool = True
    on_block: OnBlock = "finish"

    def __post_init__(self) -> None:
        self._check_guards()
        try:
            self._check_amounts()
        except (TypeError, ValueError) as error:
            raise SettingsError(str(error)) from None
        self._check_upstreams()
        _check_choice("other", self.other, OTHERS)
        _check_choice("on_block", self.on_block, ON_BLOCK)
        for name, around in self.operations.items():
            self._check_operations(name, around)
        _check_names("route", "policy", self.routes, self.guards)
        _check_names("models", "upstream", self.models, self.targets)
        _check_names("route", "upstream", self.upstream_routes, self.targets)
        self._check_routes()
        keys = {name: key for name, key in self.keys.items() if isinstance(key, Key)}
        policies = {name: key.policy for name, key in keys.items() if key.policy is not None}
        _check_names("key", "policy", policies, self.guards)
        for name, key in keys.items():
            if key.other and self.other != "guard":
                raise SettingsError(f"key {name!r}: 'other' of a key is for 'other: guard'")
        self._check_formats()

    def _check_guards(self) -> None:
        if not isinstance(self.guards, Mapping):
            raise TypeError(
                "the proxy needs guards by name, such as {'default': Guard.load(path)}, not "
                + described_kind(self.guards)
            )
        if DEFAULT not in self.guards:
            raise SettingsError(f"guards: a policy named {DEFAULT!r} is needed")
        for guard in self.guards.values():
            check_guard(guard, "the proxy")
            guard.refuse_operations("the proxy's guards")

    def _check_amounts(self) -> None:
        check_seconds("body_timeout", self.body_timeout)
        check_seconds("heartbeat", self.heartbeat, none="no heartbeats")
        for name in ("max_body", "max_answer", "answer_tokens"):
            check_count(name, getattr(self, name))
        if self.max_connections is not None:
            check_count("max_connections", self.max_connections)
        for target in self.targets.values():
            check_seconds("connect_timeout", target.connect_timeout)
            check_seconds("read_timeout", target.read_timeout)

    def _check_upstreams(self) -> None:
        for name, target in self.targets.items():
            try:
                check_url(target.url)
            except ValueError as error:
                where = "upstream" if name == DEFAULT else f"upstreams: {name!r}"
                raise SettingsError(f"{where}: {error}") from None
        if DEFAULT in self.upstreams:
            raise SettingsError(f"upstreams: {DEFAULT!r} is the name of 'upstream'")

    def _check_routes(self) -> None:
        for path in (*self.routes, *self.upstream_routes, *self.formats):
            if not path.startswith("/"):
                raise SettingsError(f"route {path!r}: a path begins with '/', such as /v1/messages")
            if self.other == "refuse" and path not in self.formats and not is_route_path(path):
                close = nearest(path, route_paths(), cutoff=0.8)
                meant = f"did you mean {close!r}? Or " if close else ""
                raise SettingsError(
                    f"route {path!r}: the proxy does not know this path, and refuses it: {meant}"
                    "give it a 'provider', or set 'other: guard'"
                )

    def _check_formats(self) -> None:
        for path, format in self.formats.items():
            try:
                self.guards[self.routes.get(path, DEFAULT)].flow(format=format)
            except GuardstreamError as error:
                raise SettingsError(f"route {path!r}: {error}") from error

    def _check_operations(self, name: str, around: Operations) -> None:
        if around.by not in (None, *ATTRIBUTES):
            where = around.policy.place("concurrency", "by")
            known = " and ".join(ATTRIBUTES)
            raise SettingsError(f"{where}: the proxy's requests have {known}, not {around.by}")
        if around.gates and around.vaults is not None:
            where = around.policy.place("gate")
            raise SettingsError(
                f"{where}: a gate would see the values that the vault restores: policy {name!r}"
            )

    @property
    def targets(self) -> Mapping[str, Target]:
        """All upstreams by name, the first one as `default`."""
        if self.upstream is None:
            return self.upstreams
        if isinstance(self.upstream, Target):
            return {DEFAULT: self.upstream, **self.upstreams}
        first = Target(
            self.upstream,
            self.upstream_key,
            connect_timeout=self.connect_timeout,
            read_timeout=self.read_timeout,
        )
        return {DEFAULT: first, **self.upstreams}

    @property
    def choice(self) -> Choice:
        """The choice of an upstream for each request."""
        return Choice(self.models, self.upstream_routes)

    @property
    def held(self) -> bool:
        """Whether the proxy holds keys: those of clients are then not forwarded."""
        return bool(self.keys or self.more_keys) or any(
            target.key is not None for target in self.targets.values()
        )

    def policy(self, places: Iterable[str], asked: str | None, key: Key | None = None) -> str:
        """Return the name of a request's policy, which may be one that does not exist.

        The policy of its key takes precedence, then the one it asks for, then that of the first of
        its `places`.
        """
        if key is not None and key.policy is not None:
            return key.policy
        if asked is not None and self.by_header:
            return asked
        return next((self.routes[each] for each in places if each in self.routes), DEFAULT)


def _check_choice(name: str, given: str, known: Sequence[str]) -> None:
    if given not in known:
        raise SettingsError(f"{name}: {given!r} is not known: {hint(given, known)}")


def _check_names(
    what: str, kind: str, given: Mapping[str, str], known: Mapping[str, object]
) -> None:
    for place, name in given.items():
        if name not in known:
            names = ", ".join(known)
            raise SettingsError(f"{what} {place!r}: no {kind} {name!r}, known: {names}")

"""What the proxy is told: where the upstream is, which policy guards what, and its limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from guardstream.guard import Guard

if TYPE_CHECKING:
    from guardstream.observability.prometheus import Prometheus
    from guardstream.operations import Operations
    from guardstream.serve.journal import Replay

ATTRIBUTES = ("key", "client")
"""What is known of each request: the name of the key that it comes with, its client's address."""

DEFAULT = "default"
"""The name of the policy that guards what nothing else is said about."""


class SettingsError(ValueError):
    """A setting of the proxy is not valid; the message names it."""


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """The settings of one proxy.

    `guards` are by name, `default` among them; `routes` give paths another one. With `by_header`
    a client may ask for one of them by its name in the header `guardstream-policy`: give it no
    name that it must not choose. `other` says what becomes of paths that are not guarded.

    `metrics` are served at `/metrics`; the guards have to be told of them as their observer.

    Sizes are in bytes, times in seconds. `read_timeout` is the longest silence of the upstream
    before its first byte and between any two; a policy's own deadlines may be shorter.
    `body_timeout` is how long a request's body may take. After `heartbeat` seconds of silence a
    comment is sent in an event stream.

    With `upstream_key` requests are sent with that key, not with the client's; `keys`, by name, are
    those that clients may come with then, any if there are none. `replay` keeps released events for
    clients that come back. `operations`, by the names of the guards, are what their policies say
    about running streams, of which the proxy does `concurrency` and `retry`: the guards are to be
    made with `rules_only`.
    """

    upstream: str
    guards: Mapping[str, Guard]
    routes: Mapping[str, str] = field(default_factory=dict)
    by_header: bool = False
    other: Literal["refuse", "pass"] = "refuse"
    max_body: int = 16 * 1024 * 1024
    max_answer: int = 64 * 1024 * 1024
    connect_timeout: float = 10.0
    read_timeout: float = 600.0
    body_timeout: float = 60.0
    max_connections: int | None = None
    metrics: Prometheus | None = None
    upstream_key: str | None = field(default=None, repr=False)
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    heartbeat: float | None = None
    replay: Replay | None = None
    operations: Mapping[str, Operations] = field(default_factory=dict)

    def __post_init__(self) -> None:
        parts = urlsplit(self.upstream)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise SettingsError("upstream: expected a URL such as https://api.openai.com")
        if DEFAULT not in self.guards:
            raise SettingsError(f"guards: a policy named {DEFAULT!r} is needed")
        for guard in self.guards.values():
            guard.refuse_operations("the proxy's guards")
        for name, around in self.operations.items():
            if around.by not in (None, *ATTRIBUTES):
                where = around.policy.place("concurrency", "by")
                known = " and ".join(ATTRIBUTES)
                raise SettingsError(f"{where}: the proxy's requests have {known}, not {around.by}")
            if around.gates:
                where = around.policy.place("gate")
                raise SettingsError(
                    f"{where}: the proxy does not carry out a gate: policy {name!r}"
                )
            if around.vaults is not None and self.replay is not None:
                where = around.policy.place("vault")
                raise SettingsError(f"{where}: a replay would keep the values: leave one out")
        for path, name in self.routes.items():
            if name not in self.guards:
                known = ", ".join(self.guards)
                raise SettingsError(f"route {path!r}: no policy {name!r}, there are: {known}")

    def url(self, path: str, query: str) -> str:
        """Return where a request goes. A base that ends in `/v1` has that part of the path."""
        base = self.upstream.rstrip("/")
        if base.endswith("/v1") and path.startswith("/v1/"):
            base = base.removesuffix("/v1")
        return f"{base}{path}?{query}" if query else base + path

    def policy(self, path: str, asked: str | None) -> str:
        """Return the name of the policy of a request, which may ask for one that there is not."""
        if asked is not None and self.by_header:
            return asked
        return self.routes.get(path, DEFAULT)

    def guard(self, path: str, asked: str | None) -> Guard | None:
        """Return the guard of a request; None if it asks for one that there is not."""
        return self.guards.get(self.policy(path, asked))

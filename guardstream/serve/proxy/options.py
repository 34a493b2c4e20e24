"""The options of a proxy, as plain values that can be passed to its worker processes.

They come from a policy's section `serve` and from the command line. A secret stays `${NAME}` here;
each process reads its value when it creates the proxy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from guardstream.errors import PolicyError
from guardstream.guard import Guard
from guardstream.observability import AuditLog
from guardstream.operations import SECTIONS, Operations, operations
from guardstream.policy import Policy, plugins
from guardstream.policy.operational import revealed, revealed_key
from guardstream.policy.plugins import PluginError
from guardstream.policy.reload import Watched
from guardstream.policy.serving import (
    ANSWER_TOKENS,
    BODY_TIMEOUT,
    CONNECT_TIMEOUT,
    GRACE,
    HEADER_TIMEOUT,
    MAX_ANSWER,
    MAX_BODY,
    MAX_CONNECTIONS,
    READ_TIMEOUT,
    KeyFile,
    ReceiptsFile,
    ReplayFile,
    RouteFile,
    ServeFile,
    StateFile,
    UpstreamFile,
    policy_path,
    route_of,
)
from guardstream.policy.sources import Source
from guardstream.receipts import ReceiptError, Signer
from guardstream.receipts.collecting import Collecting
from guardstream.serve.from_policy import other_policy, read, redis_of, replay_of
from guardstream.serve.journal import Replay
from guardstream.serve.proxy.endpoints import UNKNOWN, EndpointTable
from guardstream.serve.proxy.generations import Published
from guardstream.serve.proxy.key_file import KeysOfFile, key_of
from guardstream.serve.proxy.keys import Key, KeyFunction, Keys
from guardstream.serve.proxy.settings import DEFAULT, ProxySettings, SettingsError
from guardstream.serve.proxy.state import State
from guardstream.serve.proxy.upstreams import Auth, Target
from guardstream.stream.observers import Observer
from guardstream.stream.on_block import OnBlock

if TYPE_CHECKING:
    from guardstream.observability.prometheus import Prometheus

_AT_START = (*SECTIONS, "reload", "serve")
"""The sections that a proxy applies when it starts."""

_OF_MIDDLEWARE = frozenset(RouteFile.model_fields) - {"policy", "format", "upstream"}


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """The options of `guardstream serve`; policies are paths by name.

    An option with a flag has the flag's name, any other its name in the section `serve`. Nested
    settings have these names:

    - of `upstream`: `upstream_key`, `upstream_auth`, `upstream_version`, `connect_timeout`,
      `read_timeout`;
    - of `limits`: `max_body`, `max_answer`, `answer_tokens`;
    - of `routes`, by path: `upstream_routes` and `formats`, which a route calls `format`;
    - of `heartbeats`: `heartbeat`.

    Secrets are `${NAME}`; structured options (`upstreams`, `keys`, `state`, `replay`, `receipts`)
    have the form of the section. Sizes are in bytes, times in seconds.
    """

    upstream: str | None
    policies: Mapping[str, str]
    routes: Mapping[str, str] = field(default_factory=dict)
    by_header: bool = False
    other: Literal["refuse", "guard", "pass"] = "refuse"
    max_body: int = MAX_BODY
    max_answer: int = MAX_ANSWER
    connect_timeout: float = CONNECT_TIMEOUT
    read_timeout: float = READ_TIMEOUT
    reload: bool | None = None
    """None: for each policy as its own `reload` says."""
    metrics: bool = False
    metrics_listen: str | None = None
    audit: str | None = None
    audit_errors: Literal["report", "raise"] | None = None
    max_connections: int = MAX_CONNECTIONS
    header_timeout: float = HEADER_TIMEOUT
    body_timeout: float = BODY_TIMEOUT
    allow_code: Sequence[str] = ()
    upstream_key: str | None = None
    keys: Mapping[str, str | Mapping[str, Any]] = field(default_factory=dict)
    drain: float = 0.0
    grace: float = GRACE
    heartbeat: float | None = None
    replay: Mapping[str, Any] | None = None
    receipts: Mapping[str, Any] | None = None
    upstreams: Mapping[str, str | Mapping[str, Any]] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    upstream_routes: Mapping[str, str] = field(default_factory=dict)
    formats: Mapping[str, str] = field(default_factory=dict)
    key_file: str | None = None
    key_function: str | None = None
    state: Mapping[str, Any] | None = None
    shared_objects: Sequence[str] = ()
    answer_tokens: int = ANSWER_TOKENS
    upstream_auth: Auth | None = None
    upstream_version: bool | None = None
    on_block: OnBlock = "finish"
    check: bool = False
    """Whether it answers with verdicts, and forwards nothing."""

    @property
    def has_keys(self) -> bool:
        """Whether clients need a key."""
        return bool(self.keys or self.key_file or self.key_function)

    @property
    def holds_key(self) -> bool:
        """Whether the proxy has a key of an upstream."""
        others = (each for each in self.upstreams.values() if isinstance(each, Mapping))
        return self.upstream_key is not None or any(each.get("key") for each in others)

    def settings(self, shared: str | None = None) -> ProxySettings:
        """Load the policies, and read the secrets.

        With `shared`, the policies are those that another process has published in that folder.

        Raises PolicyError or SettingsError for invalid settings, OSError if the audit log cannot be
        written.
        """
        guards, operations_of = self._loaded(shared)
        shown = self.metrics or any(_counted(each) for each in operations_of.values())
        if self.metrics_listen is not None and not shown:
            raise PolicyError(
                f"{self.policies[DEFAULT]}: serve.metrics_listen: nothing counts: "
                "'metrics: {prometheus: true}'"
            )
        return ProxySettings(
            upstream=self._upstream(),
            guards=guards,
            routes=dict(self.routes),
            by_header=self.by_header,
            other=self.other,
            max_body=self.max_body,
            max_answer=self.max_answer,
            body_timeout=self.body_timeout,
            metrics=shown_metrics() if shown else None,
            shows_metrics=self.metrics_listen is None,
            keys={name: self._key(name, key) for name, key in self.keys.items()},
            upstreams={name: self._target(name, each) for name, each in self.upstreams.items()},
            models=self.models,
            upstream_routes=self.upstream_routes,
            formats=self.formats,
            more_keys=self._more_keys(guards),
            state=self._state(),
            shared_objects=frozenset(self.shared_objects),
            answer_tokens=self.answer_tokens,
            heartbeat=self.heartbeat,
            replay=self._replay(),
            receipts=self._signer(),
            operations=operations_of,
            on_block=self.on_block,
        )

    def policy(self, name: str) -> Policy:
        """Load a policy by its name. PolicyError for an invalid one."""
        return Policy.load(self.policies[name], allow_code=self.allow_code)

    def _loaded(self, shared: str | None) -> tuple[dict[str, Guard], dict[str, Operations]]:
        """Load the policies; return their guards, and the operations of those that have any."""
        audit = AuditLog(self.audit, starts=True) if self.audit is not None else None
        if audit is not None:
            audit.open()
        guards: dict[str, Guard] = {}
        operations_of: dict[str, Operations] = {}
        for name, path in self.policies.items():
            watched = (
                Watched(path, allow_code=self.allow_code)
                if shared is None
                else Published(shared, name)
            )
            current = watched.policy()
            wanted = current.file.reload if self.reload is None else self.reload
            reload = wanted or shared is not None
            applied = operations(current if name == DEFAULT else other_policy(current))
            if applied is not None:
                operations_of[name] = applied
            guards[name] = self._guard(watched if reload else current, applied, audit)
        audited = audit is not None or any(each.audits for each in operations_of.values())
        if self.audit_errors is not None and not audited:
            raise SettingsError(
                "--audit-errors has no effect without an audit log: give --audit or the section "
                "'audit'"
            )
        return guards, operations_of

    def _upstream(self) -> Target | None:
        if self.upstream is None:
            return None
        return Target(
            self.upstream,
            self._revealed_key("upstream.key", self.upstream_key),
            auth=self.upstream_auth,
            version=self.upstream_version,
            connect_timeout=self.connect_timeout,
            read_timeout=self.read_timeout,
        )

    def _key(self, name: str, given: str | Mapping[str, Any]) -> Key:
        entry = KeyFile.model_validate({"key": given} if isinstance(given, str) else given)
        clear = self._revealed_key(f"keys.{name}", entry.key)
        return key_of(name, entry, clear)

    def _target(self, name: str, given: str | Mapping[str, Any]) -> Target:
        entry = UpstreamFile.model_validate({"url": given} if isinstance(given, str) else given)
        key = self._revealed_key(f"upstreams.{name}.key", entry.key)
        return Target(
            entry.url, key, entry.auth, entry.version, entry.connect_timeout, entry.read_timeout
        )

    def _more_keys(self, policies: Iterable[str]) -> Keys | None:
        if not (self.key_file or self.key_function):
            return None
        load = None
        if self.key_file:
            load = KeysOfFile(self.key_file, policies, other=self.other == "guard").changed
        first = load() if load else None
        function: KeyFunction | None = None
        if self.key_function:
            with self._at("key_function"):
                code = plugins.allowed(self.allow_code)
                function = plugins.imported(self.key_function.replace(":", "."), code)
        return Keys(load=load, function=function, loaded=tuple(first or ()))

    def _state(self) -> State | None:
        if self.state is None:
            return None
        section = StateFile.model_validate(self.state)
        with self._at("state"):
            client = redis_of(section.redis, "state")
        from guardstream.serve.proxy.state_redis import RedisState

        return RedisState(client, prefix=section.prefix, timeout=section.timeout)

    def _signer(self) -> Signer | None:
        if self.receipts is None:
            return None
        section = ReceiptsFile.model_validate(self.receipts)
        key = self._secret("receipts.key", section.key)
        with self._at("receipts"):
            return Signer(key, section.issuer)

    def _replay(self) -> Replay | None:
        if self.replay is None:
            return None
        with self._at("replay"):
            return replay_of(ReplayFile.model_validate(self.replay))

    def _revealed_key(self, name: str, secret: str | None) -> str | None:
        """Read a key of an upstream, or of a client."""
        return None if secret is None else self._secret(name, secret, revealed_key)

    def _secret(self, name: str, secret: str, read: Callable[[str], str] = revealed) -> str:
        """Read a secret of the section `serve`."""
        with self._at(name):
            return read(secret)

    @contextmanager
    def _at(self, name: str) -> Iterator[None]:
        """Name a setting of the section `serve` in its errors."""
        try:
            yield
        except (PolicyError, PluginError, ReceiptError) as error:
            raise PolicyError(f"{self.policies[DEFAULT]}: serve.{name}: {error}") from error

    def _guard(
        self, policy: Policy | Watched, applied: Operations | None, audit: AuditLog | None
    ) -> Guard:
        """Return a guard with its policy's observers; an audit log from the command line replaces
        theirs.

        The proxy itself applies the policy's sections about running streams.
        """
        observers: list[Observer] = [*applied.metrics] if applied else []
        if self.metrics and not (applied and _counted(applied)):
            observers.append(shown_metrics())
        audits = applied.audits if applied else ()
        observers += audits if audit is None else [audit]
        if self.receipts is not None:
            observers.append(Collecting())
        errors = self.audit_errors or ("raise" if applied and applied.strict else "report")
        guard = Guard(policy, rules_only=True, observers=observers, observer_errors=errors)
        guard.keep_sections(_AT_START, "restart the proxy")
        return guard


def shown_metrics() -> Prometheus:
    """Return the metrics that `/metrics` serves: prometheus_client's default registry."""
    from guardstream.observability.prometheus import shared

    return shared()


def _counted(applied: Operations) -> bool:
    section = applied.policy.file.metrics
    return section is not None and section.prometheus


def section_options(path: str) -> dict[str, Any]:
    """Return the options in the section `serve` of a policy file; without it only `reload`.

    They are those of `ServeOptions`, and `listen` and `workers`. Raises PolicyError for errors in
    the text of the file, and for settings that only apply to the middleware.
    """
    file, source = read(path)
    section = file.serve
    reload = {"reload": True} if file.reload else {}  # of all policies, not of this one alone
    if section is None:
        return reload
    options: dict[str, Any] = {
        **reload,
        "listen": section.listen,
        "workers": section.workers,
        "metrics_listen": section.metrics_listen,
        "by_header": section.by_header,
        "check": section.check,
        "other": section.other,
        "on_block": section.on_block,
        "keys": {name: _plain(key) for name, key in section.keys.items()},
        "upstreams": {name: _plain(each) for name, each in section.upstreams.items()},
        "models": dict(section.models),
        "key_file": str(source.folder / section.key_file) if section.key_file else None,
        "key_function": section.key_function,
        "state": section.state.model_dump() if section.state else None,
        "shared_objects": tuple(section.shared_objects),
        "answer_tokens": section.limits.answer_tokens,
        "heartbeat": section.heartbeats,
        "drain": section.drain or 0.0,
        "grace": section.grace,
        "replay": section.replay.model_dump(exclude_unset=True) if section.replay else None,
        "receipts": section.receipts.model_dump() if section.receipts else None,
        "max_body": section.limits.body,
        "max_answer": section.limits.answer,
        "max_connections": section.limits.connections,
        "header_timeout": section.limits.header_timeout,
        "body_timeout": section.limits.body_timeout,
        "policies": {name: policy_path(section, source.folder, name) for name in section.policies},
        "routes": {},
        "upstream_routes": {},
        "formats": {},
        **_upstream_options(section.upstream),
    }
    for place in section.routes:
        _add_route(options, section, source, place)
    for place, key in section.keys.items():
        if isinstance(key, KeyFile) and key.policy is not None:
            _add_policy(options, section, source, ("keys", place), key.policy)
    return options


def _upstream_options(upstream: str | UpstreamFile | None) -> dict[str, Any]:
    if upstream is None:
        return {}
    if isinstance(upstream, str):
        return {"upstream": upstream}
    return {
        "upstream": upstream.url,
        "upstream_key": upstream.key,
        "upstream_auth": upstream.auth,
        "upstream_version": upstream.version,
        "connect_timeout": upstream.connect_timeout,
        "read_timeout": upstream.read_timeout,
    }


def _plain(entry: str | KeyFile | UpstreamFile) -> str | dict[str, Any]:
    return entry if isinstance(entry, str) else entry.model_dump(exclude_unset=True)


def _add_route(options: dict[str, Any], section: ServeFile, source: Source, place: str) -> None:
    """Add a route, and its policy if that is named by its file."""
    route = route_of(section.routes[place])
    where = _where(source, ("routes", place))
    other = sorted(route.model_fields_set & _OF_MIDDLEWARE)
    if other:
        raise PolicyError(
            f"{where}: {other[0]!r} of a route is for the middleware: the proxy knows its formats"
        )
    if route.format is not None:
        if EndpointTable().find("POST", place).endpoint is not UNKNOWN:
            raise PolicyError(f"{where}: the proxy knows the format of this path")
        options["formats"][place] = route.format
    if route.upstream is not None:
        options["upstream_routes"][place] = route.upstream
    name = route.policy
    if name is None:
        options["routes"][place] = DEFAULT
        return
    _add_policy(options, section, source, ("routes", place), name)
    options["routes"][place] = name


def _add_policy(
    options: dict[str, Any], section: ServeFile, source: Source, place: tuple[str, str], name: str
) -> None:
    """Add a policy that is named by its file."""
    if name in section.policies:
        return
    if section.by_header:
        raise PolicyError(
            f"{_where(source, place)}: with 'by_header' a {place[0].removesuffix('s')} names one "
            f"of 'policies', which clients may choose too: {name!r} is not one of them"
        )
    options["policies"][name] = policy_path(section, source.folder, name)


def _where(source: Source, place: tuple[str, str]) -> str:
    mark = source.document.key_mark(("serve", *place))
    return f"{source.name}:{mark.line}:{mark.column}"

"""What a proxy is started with, in plain values that its worker processes can be handed.

They are those of a policy's section `serve` and of the command line. A secret is a `${NAME}` here:
its value is read where the proxy is made, in each process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, overload

from guardstream.errors import PolicyError
from guardstream.guard import Guard
from guardstream.observability import AuditLog
from guardstream.operations import Operations, operations
from guardstream.policy import Policy
from guardstream.policy.operational import revealed
from guardstream.policy.reload import Watched
from guardstream.policy.serving import ReplayFile, RouteFile, ServeFile, UpstreamFile
from guardstream.policy.sources import Source
from guardstream.serve.configured import other_policy, policy_path, read, replay_of, route_of
from guardstream.serve.journal import Replay
from guardstream.serve.proxy.settings import DEFAULT, ProxySettings
from guardstream.stream.observers import Observer

if TYPE_CHECKING:
    from guardstream.observability.prometheus import Prometheus

_OF_MIDDLEWARE = frozenset(RouteFile.model_fields) - {"policy"}


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What `guardstream serve` is called with; policies are paths by name.

    `upstream_key` and `keys` are secrets as `${NAME}`, `replay` is as in the section `serve`.
    """

    upstream: str
    policies: Mapping[str, str]
    routes: Mapping[str, str] = field(default_factory=dict)
    by_header: bool = False
    other: Literal["refuse", "pass"] = "refuse"
    max_body: int = 16 * 1024 * 1024
    max_answer: int = 64 * 1024 * 1024
    connect_timeout: float = 10.0
    read_timeout: float = 600.0
    reload: bool = False
    metrics: bool = False
    audit: str | None = None
    audit_errors: Literal["report", "raise"] | None = None
    max_connections: int = 1000
    header_timeout: float = 10.0
    body_timeout: float = 60.0
    allow_code: Sequence[str] = ()
    upstream_key: str | None = None
    keys: Mapping[str, str] = field(default_factory=dict)
    heartbeat: float | None = None
    replay: Mapping[str, Any] | None = None

    def settings(self) -> ProxySettings:
        """Load the policies, and read secrets.

        PolicyError or SettingsError for what is wrong; OSError if the audit log has no place.
        """
        audit = AuditLog(self.audit, starts=True) if self.audit is not None else None
        if audit is not None:
            audit.open()
        guards: dict[str, Guard] = {}
        around: dict[str, Operations] = {}
        for name, path in self.policies.items():
            load = Watched if self.reload else Policy.load
            policy = load(path, allow_code=self.allow_code)
            now = policy.policy() if isinstance(policy, Watched) else policy
            said = operations(now if name == DEFAULT else other_policy(now))
            if said is not None:
                around[name] = said
            guards[name] = self._guard(policy, said, audit)
        shown = self.metrics or any(_counted(each) for each in around.values())
        return ProxySettings(
            upstream=self.upstream,
            guards=guards,
            routes=dict(self.routes),
            by_header=self.by_header,
            other=self.other,
            max_body=self.max_body,
            max_answer=self.max_answer,
            connect_timeout=self.connect_timeout,
            read_timeout=self.read_timeout,
            body_timeout=self.body_timeout,
            metrics=_shown_metrics() if shown else None,
            upstream_key=self._secret("upstream.key", self.upstream_key),
            keys={name: self._secret(f"keys.{name}", key) for name, key in self.keys.items()},
            heartbeat=self.heartbeat,
            replay=self._replay(),
            operations=around,
        )

    def _replay(self) -> Replay | None:
        if self.replay is None:
            return None
        try:
            return replay_of(ReplayFile.model_validate(self.replay))
        except PolicyError as error:
            raise PolicyError(f"{self.policies[DEFAULT]}: serve.replay: {error}") from error

    @overload
    def _secret(self, name: str, secret: str) -> str: ...
    @overload
    def _secret(self, name: str, secret: None) -> None: ...
    def _secret(self, name: str, secret: str | None) -> str | None:
        """Read a secret of the section `serve`."""
        try:
            return secret and revealed(secret)
        except PolicyError as error:
            raise PolicyError(f"{self.policies[DEFAULT]}: serve.{name}: {error}") from error

    def _guard(
        self, policy: Policy | Watched, said: Operations | None, audit: AuditLog | None
    ) -> Guard:
        """A guard with its policy's observers; an audit log of the command line is in their place.

        What its policy says about running streams the proxy does.
        """
        observers: list[Observer] = [*said.metrics] if said else []
        if self.metrics and not (said and _counted(said)):
            observers.append(_shown_metrics())
        audits = said.audits if said else ()
        observers += audits if audit is None else [audit]
        errors = self.audit_errors or ("raise" if said and said.strict else "report")
        return Guard(policy, rules_only=True, observers=observers, observer_errors=errors)


def _shown_metrics() -> Prometheus:
    from guardstream.observability.prometheus import shared

    return shared()


def _counted(said: Operations) -> bool:
    section = said.policy.file.metrics
    return section is not None and section.prometheus


def said_by(path: str) -> dict[str, Any]:
    """Return what the section `serve` of a policy file says: options, and `listen` and `workers`.

    PolicyError for what is wrong with the text of the file, and for what only the middleware does.
    """
    file, source = read(path)
    section = file.serve
    if section is None:
        return {}
    upstream = section.upstream
    said: dict[str, Any] = {
        "listen": section.listen,
        "workers": section.workers,
        "reload": file.reload,
        "by_header": section.by_header,
        "other": section.other,
        "keys": dict(section.keys),
        "heartbeat": section.heartbeats,
        "replay": section.replay.model_dump(exclude_unset=True) if section.replay else None,
        "max_body": section.limits.body,
        "max_answer": section.limits.answer,
        "max_connections": section.limits.connections,
        "header_timeout": section.limits.header_timeout,
        "body_timeout": section.limits.body_timeout,
        "policies": {name: policy_path(section, source.folder, name) for name in section.policies},
        "routes": {},
    }
    if isinstance(upstream, UpstreamFile):
        said["upstream"] = upstream.url
        said["upstream_key"] = upstream.key
        said["connect_timeout"] = upstream.connect_timeout
        said["read_timeout"] = upstream.read_timeout
    elif upstream is not None:
        said["upstream"] = upstream
    for place in section.routes:
        _add_route(said, section, source, place)
    return said


def _add_route(said: dict[str, Any], section: ServeFile, source: Source, place: str) -> None:
    """Add a route, and its policy if that is named by its file."""
    route = route_of(section.routes[place])
    mark = source.document.key_mark(("serve", "routes", place))
    where = f"{source.name}:{mark.line}:{mark.column}"
    other = sorted(route.model_fields_set & _OF_MIDDLEWARE)
    if other:
        raise PolicyError(
            f"{where}: {other[0]!r} of a route is for the middleware: the proxy knows its formats"
        )
    name = route.policy
    if name is None:
        said["routes"][place] = DEFAULT
        return
    if name not in section.policies:
        if section.by_header:
            raise PolicyError(
                f"{where}: with 'by_header' a route names one of 'policies', which clients may "
                f"choose too: {name!r} is none"
            )
        said["policies"][name] = policy_path(section, source.folder, name)
    said["routes"][place] = name

"""Runs the proxy under uvicorn, in one process or several."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import uvicorn
from starlette.applications import Starlette

from guardstream.guard import Guard
from guardstream.observability import AuditLog
from guardstream.serve.proxy.app import application
from guardstream.serve.proxy.protocol import BoundedProtocol
from guardstream.serve.proxy.settings import ProxySettings
from guardstream.stream.observers import Observer

_ENVIRONMENT = "GUARDSTREAM_SERVE"
"""Hands the options to worker processes, which load the policies themselves."""

_MAX_HEADER = 64 * 1024
"""Bytes of a request's line and headers together."""


_OTHER_FILES = 100
"""Files that a process opens beside its connections."""

log = logging.getLogger("guardstream.serve")


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What `guardstream serve` is called with; policies are paths by name."""

    upstream: str
    policies: Mapping[str, str]
    routes: Mapping[str, str] = field(default_factory=dict)
    by_header: bool = False
    other: Literal["refuse", "pass"] = "refuse"
    max_body: int = 16 * 1024 * 1024
    reload: bool = False
    metrics: bool = False
    audit: str | None = None
    audit_errors: Literal["report", "raise"] = "report"
    max_connections: int = 1000
    header_timeout: float = 10.0
    body_timeout: float = 60.0

    def settings(self) -> ProxySettings:
        """Load the policies. PolicyError, SettingsError; OSError if the audit log has no place."""
        observers: list[Observer] = []
        metrics = None
        if self.metrics:
            from guardstream.observability.prometheus import Prometheus

            metrics = Prometheus()
            observers.append(metrics)
        if self.audit is not None:
            audit = AuditLog(self.audit, starts=True)
            audit.open()
            observers.append(audit)
        guards = {
            name: Guard.load(
                path,
                reload=self.reload,
                observers=observers,
                observer_errors=self.audit_errors,
            )
            for name, path in self.policies.items()
        }
        return ProxySettings(
            upstream=self.upstream,
            guards=guards,
            routes=dict(self.routes),
            by_header=self.by_header,
            other=self.other,
            max_body=self.max_body,
            body_timeout=self.body_timeout,
            metrics=metrics,
        )


def serve(options: ServeOptions, *, host: str, port: int, workers: int) -> None:
    """Serve until told to stop. All that is wrong with the options is raised before that."""
    options.settings()
    os.environ[_ENVIRONMENT] = json.dumps(asdict(options))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # its lines hold whole addresses
    arguments: dict[str, Any] = {
        "factory": True,
        "http": BoundedProtocol,
        "host": host,
        "port": port,
        "workers": workers,
        "access_log": False,  # it would show query strings, and some keys stand there
        "log_level": "warning",
        "h11_max_incomplete_event_size": _MAX_HEADER,
        "timeout_graceful_shutdown": 30,
        "server_header": False,
    }
    with _metrics_folder(options, workers):
        uvicorn.run(f"{__name__}:from_environment", **arguments)


def _affordable(connections: int) -> int:
    """Return how many connections there are files for: each takes one more to the upstream."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * connections + _OTHER_FILES
    unlimited = resource.RLIM_INFINITY
    if soft != unlimited and soft < wanted:
        soft = wanted if hard == unlimited else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    affordable = connections if soft == unlimited else (soft - _OTHER_FILES) // 2
    if affordable < connections:
        log.warning("max_connections: %d, as no more files may be open", affordable)
    return max(1, min(connections, affordable))


@contextmanager
def _metrics_folder(options: ServeOptions, workers: int) -> Iterator[None]:
    """Give several workers a folder in which they share their metrics, if they have none."""
    if not options.metrics or workers == 1 or "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="guardstream-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield


def from_environment() -> Starlette:
    """Return the application that `serve` has described; each worker makes its own."""
    options = ServeOptions(**json.loads(os.environ[_ENVIRONMENT]))
    BoundedProtocol.seconds = options.header_timeout
    BoundedProtocol.most = _affordable(options.max_connections)
    return application(options.settings())

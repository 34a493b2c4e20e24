"""`guardstream serve`: the proxy, from the command line."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Literal, TypeVar

from guardstream.cli.output import MachineError
from guardstream.errors import GuardstreamError

C = TypeVar("C", bound=str)

_OTHER: Sequence[Literal["refuse", "pass"]] = ("refuse", "pass")
_ERRORS: Sequence[Literal["report", "raise"]] = ("report", "raise")


class UsageError(GuardstreamError):
    """The command was called with options that do not fit."""


def serve(
    policies: Sequence[str],
    upstream: str,
    *,
    routes: Sequence[str],
    by_header: bool,
    other: str,
    host: str,
    port: int,
    workers: int,
    reload: bool,
    metrics: bool,
    audit: str | None,
    audit_errors: str,
    max_connections: int,
    header_timeout: float,
    body_timeout: float,
    allow_code: Sequence[str],
) -> None:
    """Serve until told to stop."""
    _check_installed(metrics=metrics)
    from guardstream.serve.proxy.run import ListenError, ServeOptions
    from guardstream.serve.proxy.run import serve as run
    from guardstream.serve.proxy.settings import SettingsError

    options = ServeOptions(
        upstream=upstream,
        policies=_named(policies, "--policy", default="default"),
        routes=_named(routes, "--route"),
        by_header=by_header,
        other=_one_of(_OTHER, other, "--other"),
        reload=reload,
        metrics=metrics,
        audit=audit,
        audit_errors=_one_of(_ERRORS, audit_errors, "--audit-errors"),
        max_connections=max_connections,
        header_timeout=header_timeout,
        body_timeout=body_timeout,
        allow_code=tuple(allow_code),
    )
    try:
        run(options, host=host, port=port, workers=workers)
    except SettingsError as error:
        raise UsageError(str(error)) from error
    except ListenError as error:
        raise MachineError(str(error)) from error


def _check_installed(*, metrics: bool) -> None:
    missing = [name for name in ("httpx", "starlette", "uvicorn") if not _installed(name)]
    if missing:
        raise UsageError(f"serve needs {', '.join(missing)}: pip install 'guardstream[serve]'")
    if metrics and not _installed("prometheus_client"):
        raise UsageError("--metrics needs prometheus-client: pip install 'guardstream[prometheus]'")


def _one_of(choices: Sequence[C], given: str, option: str) -> C:
    for choice in choices:
        if choice == given:
            return choice
    raise UsageError(f"{option} {given!r}: expected {' or '.join(choices)}")


def _installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _named(pairs: Sequence[str], option: str, default: str | None = None) -> dict[str, str]:
    """Read `NAME=VALUE`; what has no name gets the default one."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals and default is not None:
            name, value = default, pair
        elif not (name and value):
            raise UsageError(f"{option} {pair!r}: expected NAME=VALUE")
        if name in found:
            raise UsageError(f"{option} {name!r} is given twice")
        found[name] = value
    return found

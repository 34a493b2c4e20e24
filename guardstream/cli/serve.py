"""`guardstream serve`: the proxy, from the command line."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Literal

from guardstream.errors import GuardstreamError


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
) -> None:
    """Serve until told to stop."""
    missing = [name for name in ("httpx", "starlette", "uvicorn") if not _installed(name)]
    if missing:
        raise UsageError(f"serve needs {', '.join(missing)}: pip install 'guardstream[serve]'")
    from guardstream.serve.proxy.run import ServeOptions
    from guardstream.serve.proxy.run import serve as run
    from guardstream.serve.proxy.settings import SettingsError

    if other not in ("refuse", "pass"):
        raise UsageError(f"--other {other!r}: expected refuse or pass")
    what: Literal["refuse", "pass"] = "pass" if other == "pass" else "refuse"
    options = ServeOptions(
        upstream=upstream,
        policies=_named(policies, "--policy", default="default"),
        routes=_named(routes, "--route"),
        by_header=by_header,
        other=what,
        reload=reload,
    )
    try:
        run(options, host=host, port=port, workers=workers)
    except SettingsError as error:
        raise UsageError(str(error)) from error


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

"""`guardstream extproc`: the guards of the proxy as an external processor of Envoy."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import anyio

from guardstream.cli.installed import PROXY, check_installed
from guardstream.cli.output import MachineError, UsageError

_NEEDED = {"grpc": "grpcio", "grpc_health": "grpcio-health-checking", "envoy": "xds-protos"}
_NEEDED |= {"httpx": "httpx", **PROXY}

UPSTREAM = "http://envoy"
"""Stands where an upstream is named: Envoy knows where requests go."""


def extproc(policy: str, *, listen: str, grace: float | None, allow_code: Sequence[str]) -> None:
    """Serve Envoy's calls until told to stop, as the policy's section `serve` says."""
    check_installed("extproc", _NEEDED, "envoy")
    from guardstream.envoy.server import ListenError, serve
    from guardstream.serve.proxy.options import ServeOptions, section_options
    from guardstream.serve.proxy.run import log_requests
    from guardstream.serve.proxy.settings import DEFAULT, SettingsError

    section = section_options(policy)
    for name in ("listen", "workers", "upstream"):
        section.pop(name, None)
    section["policies"] = {**section.get("policies", {}), DEFAULT: policy}
    options = ServeOptions(upstream=UPSTREAM, allow_code=tuple(allow_code), **section)

    def started(port: int) -> None:
        address = f"{listen.rpartition(':')[0]}:{port}"
        print(f"guardstream: Envoy's calls at {address}, by {policy}", file=sys.stderr, flush=True)

    async def run() -> None:
        seconds = options.grace if grace is None else grace
        times = {"drain": options.drain, "grace": seconds}
        await serve(options.settings(), address=listen, **times, started=started)

    try:
        log_requests()
        anyio.run(run)
    except SettingsError as error:
        raise UsageError(str(error)) from error
    except ListenError as error:
        raise MachineError(str(error)) from error

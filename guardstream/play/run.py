"""Runs the playground under uvicorn: at 127.0.0.1, until it is interrupted."""

from __future__ import annotations

import secrets
import socket
import sys
import webbrowser

import uvicorn

from guardstream.errors import GuardstreamError
from guardstream.play.app import Playground, application

HOST = "127.0.0.1"


class PortError(GuardstreamError):
    """The port cannot be used."""


def serve(playground: Playground, *, port: int, fragment: str = "", browser: bool = False) -> None:
    """Serve until interrupted. The address, with its token, is printed to standard error.

    `fragment` is that of a shared link; `browser` opens the address. PortError if the port is in
    use.
    """
    token = secrets.token_urlsafe(24)
    try:
        listener = socket.create_server((HOST, port))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise PortError(f"cannot listen on {HOST} port {port}: {reason}; see --port") from error
    with listener:
        url = f"http://{HOST}:{listener.getsockname()[1]}/{token}/"
        if fragment:
            url += f"#{fragment}"
        print(f"guardstream: the playground is at {url}", file=sys.stderr, flush=True)
        print("guardstream: press Ctrl-C to stop it", file=sys.stderr, flush=True)
        if browser:
            webbrowser.open(url)
        config = uvicorn.Config(
            application(playground, token),
            access_log=False,  # it would show the token
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=1,
            limit_concurrency=32,
        )
        uvicorn.Server(config).run(sockets=[listener])

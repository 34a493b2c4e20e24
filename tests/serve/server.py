"""A server on this machine for one test: uvicorn in a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import uvicorn
import uvicorn.server
from starlette.types import ASGIApp


class _Impatient:
    """asyncio for uvicorn's server, which looks ten times a second whether it shall end."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    @staticmethod
    async def sleep(seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.005))


uvicorn.server.asyncio = _Impatient()  # type: ignore[assignment]


@contextmanager
def serving(
    app: ASGIApp,
    *,
    lifespan: Literal["on", "off"] = "off",
    http: Any = "auto",
    ws: Any = "websockets-sansio",
) -> Iterator[int]:
    """Serve `app` at 127.0.0.1; the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        http=http,
        log_config=None,
        lifespan=lifespan,
        ws=ws,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()

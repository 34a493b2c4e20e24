"""A connection without a socket: what a client sends comes in pieces, so many turns apart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, NamedTuple

import uvicorn
from uvicorn.server import ServerState

from guardstream.serve.proxy.protocol import BoundedProtocol

TURNS = 30
"""Turns of the event loop in which all is done that a piece leads to."""


class Said(NamedTuple):
    """What a client was sent, and whether the connection was closed after it."""

    answer: bytes
    closed: bool


class _Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.sent = bytearray()
        self.closed = self.paused = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self.closed:
            self.sent += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self.get_protocol().connection_lost, None)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def abort(self) -> None:
        self.close()


async def fed(app: Any, pieces: Iterable[bytes], turns: int = TURNS) -> Said:
    """Feed a connection to `app` with pieces, one after so many turns of the event loop.

    What is raised on the way passes.
    """
    options: dict[str, Any] = {"ws": "none", "lifespan": "off", "log_config": None}
    config = uvicorn.Config(app, http=BoundedProtocol, **options, date_header=False)
    config.load()
    protocol = BoundedProtocol(config=config, server_state=ServerState(), app_state={})
    transport = _Transport()
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    for piece in pieces:
        for _ in range(TURNS):
            if not transport.paused:
                break
            await asyncio.sleep(0)
        if transport.closed:
            break
        protocol.data_received(piece)
        for _ in range(turns):
            await asyncio.sleep(0)
    for _ in range(TURNS):
        await asyncio.sleep(0)
    said = Said(bytes(transport.sent), transport.closed)
    transport.close()
    for _ in range(TURNS):
        await asyncio.sleep(0)
    return said

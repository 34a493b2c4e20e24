"""Connections without sockets: what the other side sends comes in pieces, so many turns apart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import uvicorn
from uvicorn.server import ServerState

from guardstream.serve.proxy.answers import UpstreamError
from guardstream.serve.proxy.connections import Connections
from guardstream.serve.proxy.forwarding import Outgoing, readable
from guardstream.serve.proxy.protocol import BoundedProtocol

TURNS = 30
"""Turns of the event loop in which all is done that a piece leads to."""


End = Literal["open", "close", "reset"]
"""What becomes of a connection after its last piece."""


class Said(NamedTuple):
    """What a client was sent, and whether the connection was closed after it."""

    answer: bytes
    closed: bool


class _Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.sent = bytearray()
        self.closed = self.paused = False
        self.asked = asyncio.Event()  # whether anything was written

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self.closed:
            self.sent += data
            self.asked.set()

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.lose(None)

    def lose(self, error: Exception | None) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self.get_protocol().connection_lost, error)

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


class Brought(NamedTuple):
    """What an upstream has answered: its status, its body, and the error that it ended with."""

    status: int
    body: bytes
    error: tuple[int, str, str] | None = None
    connections: int = 1


async def answered(
    pieces: Iterable[bytes],
    end: End = "open",
    turns: int = TURNS,
    *,
    early: bytes = b"",
    patience: float = 60.0,
) -> Brought:
    """Ask an upstream that answers with pieces, each so many turns after the one before.

    It has sent `early` before it is asked. `patience` is how many seconds it may be silent.
    """
    connections = Connections(connect=60, read=patience, most=None)
    connector: Any = connections._session.connector
    feeding: list[asyncio.Task[None]] = []

    async def connect(*_: Any) -> Any:
        protocol, transport = connector._factory(), _Transport()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if early:
            protocol.data_received(early)
        feeding.append(asyncio.create_task(_feed(transport, protocol, pieces, end, turns)))
        return protocol

    connector._create_connection = connect
    status, body = 0, b""
    try:
        answer = await readable(await connections.send(Outgoing("POST", "http://a/", [], b"{}")))
        status = answer.status
        for _ in range(0 if turns else TURNS):  # who is sent all at once reads it late
            await asyncio.sleep(0)
        try:
            async for part in answer:
                body += part
        finally:
            await answer.aclose()
    except UpstreamError as error:
        return Brought(status, body, (error.status, error.code, error.reason), len(feeding))
    finally:
        await connections.aclose()
        for each in feeding:
            each.cancel()
    return Brought(status, body, None, len(feeding))


async def _feed(
    transport: _Transport, protocol: Any, pieces: Iterable[bytes], end: End, turns: int
) -> None:
    await transport.asked.wait()
    for piece in pieces:
        if transport.closed:
            return
        protocol.data_received(piece)
        for _ in range(turns):
            await asyncio.sleep(0)
    if end != "open":
        transport.lose(ConnectionResetError() if end == "reset" else None)

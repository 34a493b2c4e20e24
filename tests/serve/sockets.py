"""WebSockets of tests: a client's connection, and applications that talk to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.lowlevel
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket

Talk = Callable[[WebSocket], Awaitable[None]]


class Call:
    """One connection: what the application sent to its client."""

    def __init__(self, *messages: str | bytes, stays: bool = False) -> None:
        self.sent: list[Message] = []
        self.left = anyio.Event()
        if not stays:
            self.left.set()
        self._ahead: list[Message] = [{"type": "websocket.connect"}]
        for message in messages:
            key = "text" if isinstance(message, str) else "bytes"
            self._ahead.append({"type": "websocket.receive", key: message})

    async def to(self, app: Any) -> Call:
        scope: dict[str, Any] = {
            "type": "websocket",
            "path": "/",
            "headers": [],
            "subprotocols": [],
        }
        scope |= {"extensions": {"websocket.http.response": {}}, "asgi": {"version": "3.0"}}
        with anyio.fail_after(5):
            await app(scope, self._receive, self._send)
        return self

    @property
    def texts(self) -> list[str]:
        return [m["text"] for m in self.sent if m["type"] == "websocket.send"]

    @property
    def closed(self) -> int | None:
        """The code that the connection was closed with."""
        codes = [m.get("code", 1000) for m in self.sent if m["type"] == "websocket.close"]
        return codes[0] if codes else None

    async def _receive(self) -> Message:
        await anyio.lowlevel.checkpoint()
        if self._ahead:
            return self._ahead.pop(0)
        await self.left.wait()
        return {"type": "websocket.disconnect", "code": 1001}

    async def _send(self, message: Message) -> None:
        await anyio.lowlevel.checkpoint()
        self.sent.append(message)


def app_of(talk: Talk) -> Any:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        await socket.accept()
        await talk(socket)

    return app


def saying(*messages: str, closes: bool = True) -> Any:
    """An application that says these messages."""

    async def talk(socket: WebSocket) -> None:
        for message in messages:
            await socket.send_text(message)
        if closes:
            await socket.close()

    return app_of(talk)

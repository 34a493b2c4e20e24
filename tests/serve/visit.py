"""A client that calls an ASGI application directly, and can leave or be slow at any message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import anyio
import anyio.lowlevel
from starlette.types import ASGIApp, Message

HTTP: dict[str, Any] = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.4"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/",
    "query_string": b"",
    "root_path": "",
    "headers": [],
}


class Visit:
    """One request: what was sent, and what the application raised."""

    def __init__(
        self,
        path: str = "/",
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: Iterable[bytes] = (b"",),
        leave_after: int | None = None,
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        given = [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()]
        self.scope = {**HTTP, "path": path, "raw_path": path.encode(), "method": method}
        self.scope |= {"headers": given, "extensions": dict(extensions or {})}
        self.sent: list[Message] = []
        self.left = anyio.Event()
        self.stalled: anyio.Event | None = None
        self.news = anyio.Event()
        self._body = list(body)
        self._leave_after = leave_after

    async def to(self, app: ASGIApp) -> Visit:
        """Make the request; return when the application has returned."""
        await app(self.scope, self._receive, self._send)
        return self

    async def until(self, data: bytes) -> None:
        """Wait until `data` has been received."""
        while data not in self.body:
            await self.news.wait()

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def bodies(self) -> list[bytes]:
        return [bytes(message.get("body", b"")) for message in self.sent[1:]]

    @property
    def body(self) -> bytes:
        return b"".join(self.bodies)

    @property
    def complete(self) -> bool:
        """Whether the last message said that nothing follows."""
        return len(self.sent) > 1 and not self.sent[-1].get("more_body", False)

    async def _receive(self) -> Message:
        if self._body:
            return {
                "type": "http.request",
                "body": self._body.pop(0),
                "more_body": bool(self._body),
            }
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if self.stalled is not None:
            await self.stalled.wait()
        self.sent.append(message)
        self.news.set()
        self.news = anyio.Event()
        if len(self.sent) == self._leave_after:
            self.left.set()
        await anyio.lowlevel.checkpoint()

"""Applications that stream, and remember what became of their sources."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import anyio
import anyio.lowlevel
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from guardstream.serve import GuardMiddleware
from tests.support.sources import guard


class Upstream:
    """Chunks for a response: closed on every way out, silent after the last if asked to."""

    def __init__(
        self, chunks: Sequence[bytes], *, silent: bool = False, error: Exception | None = None
    ) -> None:
        self.chunks = chunks
        self.given = 0
        self.closed = anyio.Event()
        self._silent = silent
        self._error = error

    async def stream(self) -> AsyncIterator[bytes]:
        try:
            for chunk in self.chunks:
                await anyio.lowlevel.checkpoint()
                self.given += 1
                yield chunk
            if self._silent:
                await anyio.sleep_forever()
            if self._error is not None:
                raise self._error
        finally:
            self.closed.set()


def app_of(
    respond: Callable[[Request], Response | Awaitable[Response]], path: str = "/{path:path}"
) -> Starlette:
    """A Starlette application with one endpoint."""

    async def endpoint(request: Request) -> Response:
        response = respond(request)
        return response if isinstance(response, Response) else await response

    return Starlette(routes=[Route(path, endpoint, methods=["GET", "POST"])])


def streaming(
    upstream: Upstream,
    media_type: str | None,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    background: BackgroundTask | None = None,
) -> Starlette:
    """An application that streams these chunks."""
    return app_of(
        lambda _: StreamingResponse(
            upstream.stream(), status, headers, media_type, background=background
        )
    )


def guarded(app: ASGIApp, **settings: Any) -> GuardMiddleware:
    """The application behind the middleware, with the policy of `tests.support.sources`."""
    return GuardMiddleware(app, guard(), **settings)

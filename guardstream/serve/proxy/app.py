"""A guarding reverse proxy for the APIs of models: an ASGI application.

Answers, streamed or whole, and prompts are guarded by policies; keys are never logged. Without
keys for clients it is stateless: any number of workers and machines share nothing.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from time import monotonic
from urllib.parse import quote

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from guardstream.serve.proxy.context import ProxyContext
from guardstream.serve.proxy.exchange import ProxyExchange
from guardstream.serve.proxy.forwarding import Sender
from guardstream.serve.proxy.reply import Outcome
from guardstream.serve.proxy.settings import ProxySettings, SettingsError
from guardstream.serve.proxy.upstreams import PATH
from guardstream.serve.receipts import ReceiptMiddleware
from guardstream.stream.arguments import described_kind

log = logging.getLogger("guardstream.serve")

_LONGEST = 200
"""The maximum length of a logged path."""


class Proxy:
    """The ASGI application. `aclose` closes its connections to the upstreams.

    `sender` forwards requests; by default with a connection pool of its own.
    """

    def __init__(self, settings: ProxySettings, sender: Sender | None = None) -> None:
        self._context = ProxyContext(settings, sender)
        self._running: set[ProxyExchange] = set()

    def stop(self) -> None:
        """Abort the running answers with an error to their clients."""
        for each in self._running:
            each.stop()

    async def aclose(self) -> None:
        """Close the connections to the upstreams."""
        await self._context.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request until its answer or its client's disconnect. Refuses WebSockets."""
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})
            return
        exchange = ProxyExchange(self._context, scope, receive, send)
        began = monotonic()
        self._running.add(exchange)
        try:
            await exchange.run()
        finally:
            self._running.discard(exchange)
            _log(scope, exchange.outcome, monotonic() - began)
            if (metrics := self._context.settings.metrics) is not None:
                outcome = exchange.outcome
                metrics.answered(outcome.status, outcome.upstream, outcome.error)


def application(settings: ProxySettings) -> Starlette:
    """Return the proxy with `/healthz`, `/readyz`, and `/metrics` if there are metrics.

    `/` answers while it runs, unless it is forwarded. `state.stop` aborts the running answers.
    """
    if not isinstance(settings, ProxySettings):
        raise TypeError(
            "application() needs ProxySettings(url, {'default': guard}), or what "
            f"ServeOptions(...).settings() returns, not {described_kind(settings)}"
        )
    if settings.upstream is None:
        raise SettingsError("upstream: the proxy needs one, such as https://api.openai.com")
    proxy = Proxy(settings)

    async def root(_request: Request) -> Response:
        return PlainTextResponse("guardstream is running")

    routes: list[BaseRoute] = []
    if settings.other == "refuse" and "/" not in settings.formats:
        routes.append(Route("/", root))  # Ollama's commands ask for it before anything else
    app = watched(settings, routes, proxy.aclose)
    app.state.stop = proxy.stop
    app.router.default = signing(proxy, settings)
    return app


def watched(
    settings: ProxySettings, routes: Iterable[BaseRoute], aclose: Callable[[], Awaitable[None]]
) -> Starlette:
    """Return an application with some routes, and those that tell how it is.

    `/healthz` answers while it runs. `/readyz` answers 200 until it is being shut down, or its
    `state.draining` is set; the policies are loaded before this returns. `aclose` runs at its end.
    """
    ready = False

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        nonlocal ready
        ready = True
        try:
            yield
        finally:
            ready = False
            with anyio.CancelScope(shield=True):
                await aclose()

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        current = {name: await guard.apinned() for name, guard in settings.guards.items()}
        policies = {name: guard.policy.fingerprint for name, guard in current.items()}
        open_still = ready and not app.state.draining
        body = {"status": "ready" if open_still else "closing", "policies": policies}
        return JSONResponse(body, status_code=200 if open_still else 503)

    served = [Route("/healthz", healthz), Route("/readyz", readyz), *routes]
    metrics = settings.metrics
    if metrics is not None and settings.shows_metrics:

        def rendered(_request: Request) -> Response:
            return Response(metrics.render(), media_type=metrics.content_type)

        served.append(Route("/metrics", rendered))
    app = Starlette(routes=served, lifespan=lifespan)
    app.state.draining, app.state.stop = False, lambda: None
    return app


def signing(proxy: Proxy, settings: ProxySettings) -> ASGIApp:
    """Return the proxy, with receipts for what it answers if there is a key for them."""
    if settings.receipts is None:
        return proxy
    return ReceiptMiddleware(proxy, settings.receipts)


def _log(scope: Scope, outcome: Outcome, seconds: float) -> None:
    """Log one line about a request: no query, no header, no text.

    A path is percent-encoded, so that none can begin a new line, and a long one is cut. One in
    which a rule finds something is left out.
    """
    path = "-" if outcome.matched else quote(scope["path"], safe=PATH)
    why = outcome.error or "-"
    log.info(
        "%s %s %s finish=%s policy=%s blocked_by=%s upstream=%s error=%s %.3fs",
        scope.get("method", ""),
        path if len(path) <= _LONGEST else f"{path[:_LONGEST]}...",
        outcome.status or "-",
        outcome.finish or "-",
        outcome.policy or "-",
        outcome.blocked_by or "-",
        outcome.upstream or "-",
        f"{why} ({outcome.reason})" if outcome.reason else why,
        seconds,
    )

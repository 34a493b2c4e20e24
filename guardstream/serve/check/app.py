"""The application of `guardstream serve --check`: verdicts on requests, answers and streams.

`POST /check` takes a gateway's request and answers with its verdict. A stream is a connection: a
WebSocket, or a request whose body is text; the guarded text comes back as it is settled.
"""

from __future__ import annotations

import asyncio
import codecs
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any

import anyio
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from guardstream.errors import GuardstreamError
from guardstream.events import counted
from guardstream.formats.errors import errors_of
from guardstream.guard import Guard
from guardstream.http.body import in_thread
from guardstream.http.request import RefusedError, object_of
from guardstream.serve.check.gateways import gateway_of
from guardstream.serve.check.judging import judged
from guardstream.serve.check.openapi import OPENAPI
from guardstream.serve.proxy.app import watched
from guardstream.serve.proxy.caller import BoundsError, Caller
from guardstream.serve.proxy.keys import Key, Keys, KeysError, named_keys
from guardstream.serve.proxy.settings import ProxySettings
from guardstream.serve.proxy.state import MemoryState, State, StateError
from guardstream.serve.routes import POLICY_HEADER, values

log = logging.getLogger("guardstream.serve")

PATH = "/check"

LITELLM_PATH = f"{PATH}/beta/litellm_basic_guardrail_api"
"""What LiteLLM adds to `api_base`."""

_LINES = "application/x-ndjson"


class Checks:
    """Answers what is asked, by the policies and keys of some settings."""

    def __init__(self, settings: ProxySettings) -> None:
        self._settings = settings
        more = settings.more_keys or Keys()
        named = (*named_keys(settings.keys), *more.named)
        self._keys = Keys(named, more.load, more.function, more.loaded)
        self._state: State = settings.state or MemoryState()

    async def check(self, request: Request) -> Response:
        """Answer a gateway with its verdict, or a stream of text with the guarded stream."""
        try:
            key = await self._key(request)
            guard = await self._guard(request, key)
            if request.headers.get("content-type", "").startswith("text/"):
                return _Lines(self._streamed(request, guard, key))
            async with self._place(key):
                return JSONResponse(await self._verdict(request, guard))
        except RefusedError as error:
            headers = {name.decode(): text.decode() for name, text in getattr(error, "headers", ())}
            return Response(_said(error), error.status, headers, "application/json")
        except ClientDisconnect:
            return Response(status_code=400)  # to nobody

    async def socket(self, socket: WebSocket) -> None:
        """Guard the texts of a WebSocket as one text, which an empty one ends."""
        try:
            key = await self._key(socket)
            guard = await self._guard(socket, key)
            async with self._place(key):
                await socket.accept()
                async for line in _events(guard, self._texts_of(socket)):
                    await socket.send_text(line)
                await socket.close()
        except RefusedError as error:
            await socket.close(1008, error.message[:120])
        except WebSocketDisconnect:
            pass

    async def _verdict(self, request: Request, guard: Guard) -> dict[str, Any]:
        try:
            given = await in_thread(partial(object_of, await self._body(request)))
            gateway = gateway_of(given)
            verdict = await judged(guard, gateway.asked(given))
        except RefusedError:
            raise
        except RecursionError:
            raise RefusedError(400, "invalid_request", "it is nested too deeply") from None
        except GuardstreamError as error:
            log.error("a check failed: %s", type(error).__name__)
            raise RefusedError(
                500, "guard_failed", "the guard failed: nothing is released"
            ) from error
        return gateway.answer(verdict)

    # Who asks, and by which policy

    async def _key(self, asking: HTTPConnection) -> Key | None:
        if not self._keys:
            return None
        try:
            key = await self._keys.find(asking.scope["headers"], asking.url.query)
        except KeysError as error:
            raise RefusedError(503, "keys_failed", str(error)) from error
        if key is None:
            raise RefusedError(401, "invalid_api_key", "this endpoint does not know the key")
        return key

    async def _guard(self, asking: HTTPConnection, key: Key | None) -> Guard:
        named = values(asking.scope["headers"], POLICY_HEADER)
        name = self._settings.policy((asking.url.path,), named[0] if named else None, key)
        guard = self._settings.guards.get(name)
        if guard is None:
            raise RefusedError(400, "unknown_policy", "there is no policy of the requested name")
        guard, around = await guard.apinned(), self._settings.operations.get(name)
        return guard.with_gates(around.gates) if around is not None and around.gates else guard

    @asynccontextmanager
    async def _place(self, key: Key | None) -> AsyncIterator[None]:
        """Hold one of the key's places. RefusedError if there is none."""
        if key is None:
            yield
            return
        caller = Caller(key, self._state, self._settings)
        try:
            async with caller.place():
                renewing = asyncio.create_task(caller.renew())
                try:
                    yield
                finally:
                    renewing.cancel()
        except StateError as error:
            raise RefusedError(503, "state_failed", str(error)) from error

    # What is asked about

    async def _body(self, request: Request) -> bytes:
        body = bytearray()
        try:
            with anyio.fail_after(self._settings.body_timeout):
                async for data in request.stream():
                    body += data
                    if len(body) > self._settings.max_body:
                        why = f"the request is longer than {self._settings.max_body} bytes"
                        raise RefusedError(413, "body_too_large", why)
        except TimeoutError:
            raise RefusedError(408, "body_timeout", "the request's body took too long") from None
        return bytes(body)

    async def _streamed(
        self, request: Request, guard: Guard, key: Key | None
    ) -> AsyncGenerator[str]:
        try:
            async with self._place(key):
                async for line in _events(guard, self._texts_in(request)):
                    yield line
        except BoundsError as error:
            yield _said(error)

    async def _texts_in(self, request: Request) -> AsyncGenerator[str]:
        """Yield the text of a body as it comes. RefusedError if it is not in UTF-8."""
        decode = codecs.getincrementaldecoder("utf-8")().decode
        async with aclosing(request.stream()) as body:
            while (data := await self._next(body)) is not None:
                try:
                    text = decode(data, final=not data)
                except UnicodeDecodeError:
                    raise RefusedError(400, "invalid_text", "the text is not in UTF-8") from None
                if text:
                    yield text

    async def _texts_of(self, socket: WebSocket) -> AsyncIterator[str]:
        texts = socket.iter_text()
        while text := await self._next(texts):
            yield text

    async def _next(self, source: AsyncIterator[Any]) -> Any:
        """Return what comes next; None at the end. RefusedError after too long a silence."""
        try:
            with anyio.fail_after(self._settings.read_timeout):
                return await anext(source, None)
        except TimeoutError:
            raise RefusedError(408, "body_timeout", "nothing came for too long") from None


def _said(error: RefusedError) -> str:
    return json.dumps(errors_of(None).said(error.status, error.code, error.message))


async def _events(guard: Guard, texts: AsyncIterator[str]) -> AsyncIterator[str]:
    """Yield what becomes of a stream of text, in lines of JSON: the guarded text as it is settled,
    then how the text ended, and what was found in it."""
    async with guard.wrap(texts) as stream:
        try:
            async for text in stream:
                yield json.dumps({"text": text}, ensure_ascii=False)
        except RefusedError as error:
            yield _said(error)
            return
        except (GuardstreamError, WebSocketDisconnect, ClientDisconnect) as error:
            if not isinstance(error, GuardstreamError):
                raise
            log.error("a check failed: %s", type(error).__name__)
        result = stream.result
    found = [
        {"rule": each.rule, "action": each.action, "start": each.start, "end": each.end}
        for each in counted(result.findings)
    ]
    yield json.dumps({"finish": result.finish, "blocked_by": result.blocked_by, "findings": found})


class _Lines(Response):
    """An answer that begins before the request has ended. Starlette's would read the request, too,
    to see whether the client is still there."""

    media_type = _LINES

    def __init__(self, lines: AsyncGenerator[str]) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._lines = lines

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        head = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(head)
        async with aclosing(self._lines) as lines:
            async for line in lines:
                body = f"{line}\n".encode()
                await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _nothing() -> None:
    """There is nothing to close."""


def checking(settings: ProxySettings) -> Starlette:
    """Return the application, with the routes of `watched` and `/openapi.json`."""
    checks = Checks(settings)

    async def described(_request: Request) -> Response:
        return JSONResponse(OPENAPI)

    routes = [
        *(Route(path, checks.check, methods=["POST"]) for path in (PATH, LITELLM_PATH)),
        WebSocketRoute(PATH, checks.socket),
        Route("/openapi.json", described),
    ]
    return watched(settings, routes, _nothing)

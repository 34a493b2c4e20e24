"""One request of a client of the proxy: taken in, checked, sent on, and answered."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import ParamSpec, TypeVar

import anyio
import httpx
from starlette.types import Receive, Scope, Send

from guardstream.errors import GuardstreamError
from guardstream.events import FinishReason
from guardstream.framing import sse
from guardstream.guard import Guard
from guardstream.http.headers import CONVERSATION, in_utf8
from guardstream.http.request import RefusedError, checked_request
from guardstream.http.tools import for_request
from guardstream.resilience import LimiterError
from guardstream.serve.endings import told
from guardstream.serve.journal import Journal, last_event_id
from guardstream.serve.proxy.again import sent
from guardstream.serve.proxy.call import (
    Bytes,
    Upstream,
    UpstreamError,
    guarded_answer,
    guarded_error,
    read_answer,
    returned_headers,
    upstream_error,
)
from guardstream.serve.proxy.formats import ANY, Format, disguised
from guardstream.serve.proxy.keys import credential, known_client
from guardstream.serve.proxy.settings import ProxySettings
from guardstream.serve.resuming import resume
from guardstream.serve.routes import POLICY_HEADER, Route, label, streaming, values
from guardstream.serve.streams import PING
from guardstream.stream.loops import aclose_source
from guardstream.vault import Vault, VaultError

_MAX_ERROR = 1024 * 1024
"""Bytes of an upstream's error that are read."""

_PATIENCE = 1.0
"""Seconds that a store may take to note a stream's end."""

_SHORT = 16 * 1024
"""Bytes of a text that is guarded at once: some milliseconds at most."""

_PARTIAL = 206

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class Outcome:
    """What became of a request, for the log."""

    status: int | None = None
    finish: FinishReason | None = None
    policy: str | None = None
    blocked_by: str | None = None


class ProxyExchange:
    """Serves one request. The upstream is closed when the client leaves, whatever it waits for."""

    def __init__(
        self,
        settings: ProxySettings,
        upstream: Upstream,
        format_: Format,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        self.outcome = Outcome()
        self._settings = settings
        self._upstream = upstream
        self._format = format_
        self._scope = scope
        self._method = scope["method"].upper()  # as it is sent, so it is judged
        self._receive = receive
        self._send = send
        self._label: bytes | None = None
        self._name = ""  # of the policy
        self._client = ""
        self._attributes: dict[str, str] = {}  # for records
        self._answered = False
        self._gone = False  # the client has left, and the stream goes on for one that comes back
        self._journal: Journal | None = None
        self._sending = anyio.Lock()
        self._sent_at = 0.0

    async def run(self) -> None:
        """Answer the request, or stop as soon as its client has left."""
        try:
            self._identify()
            if await self._resumed():
                return
            body = await self._read_body()
        except RefusedError as error:
            await self._refuse(error.status, error.code, error.message)
            return
        if body is None:
            self.outcome.finish = "cancelled"
            return
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch, group.cancel_scope)
            await self._serve(body)
            group.cancel_scope.cancel()

    def _identify(self) -> None:
        """Note who comes; RefusedError for a client without one of the keys, if there are some."""
        client = self._scope.get("client")
        self._client = str(client[0]) if client else ""
        keys = self._settings.keys
        if keys:
            name = known_client(keys, self._scope["headers"])
            if name is None:
                raise RefusedError(401, "invalid_api_key", "the key is none that this proxy knows")
            self._attributes["key"] = name

    async def _resumed(self) -> bool:
        """Answer a client that comes back for the rest of a stream, from the store."""
        replay = self._settings.replay
        if replay is None or last_event_id(self._scope) is None:
            return False
        route = Route(self._scope["path"], self._guard())
        return await resume(self._scope, self._receive, self._send, route, replay)

    async def _read_body(self) -> bytes | None:
        """Return the request's body, None if the client leaves before its end."""
        try:
            with anyio.fail_after(self._settings.body_timeout):
                return await self._read_whole(self._settings.max_body)
        except TimeoutError:
            raise RefusedError(408, "body_timeout", "the body took too long") from None

    async def _read_whole(self, limit: int) -> bytes | None:
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit:
                raise RefusedError(413, "body_too_large", f"the body is longer than {limit} bytes")
            if not message.get("more_body"):
                return b"".join(parts)

    async def _watch(self, scope: anyio.CancelScope) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        replay = self._settings.replay
        if self._journal is not None and replay is not None and replay.linger:
            self._gone = followed = True
            while followed:
                await anyio.sleep(replay.linger)
                followed = await self._journal.followed()
        if not self._answered:
            self.outcome.finish = "cancelled"
            scope.cancel()

    async def _serve(self, body: bytes) -> None:
        try:
            guard = self._guard()
            if self._format is ANY or self._method != "POST":
                await self._pass(body)
            else:
                async with self._room():
                    await self._forward(guard, body)
        except (RefusedError, UpstreamError) as error:
            await self._refuse(error.status, error.code, error.message)
        except LimiterError as error:
            after = [] if error.retry_after is None else [b"%d" % max(1, ceil(error.retry_after))]
            headers = [(b"retry-after", each) for each in after]
            await self._refuse(429, "too_many_requests", str(error), headers)

    def _guard(self) -> Guard:
        asked = values(self._scope["headers"], POLICY_HEADER)
        self._name = self._settings.policy(self._scope["path"], asked[0] if asked else None)
        guard = self._settings.guards.get(self._name)
        if guard is None:
            raise RefusedError(400, "unknown_policy", "there is no policy of the name asked for")
        guard = guard.pinned()
        self._label = label(guard.policy)
        self.outcome.policy = self._label.decode()
        return guard

    async def _pass(self, body: bytes) -> None:
        """Answer a path that is not guarded, by the setting `other`."""
        self._label = self.outcome.policy = None
        if self._settings.other == "refuse":
            raise RefusedError(404, "not_guarded", "this path is not guarded, and so not served")
        if self._format is ANY and disguised(self._scope["path"]):
            raise RefusedError(404, "not_guarded", "this path may be another name of a guarded one")
        response = await self._send_on(body)
        try:
            await self._start(response.status_code, returned_headers(response))
            async for part in response.aiter_bytes():
                await self._say(part)
        except httpx.HTTPError:
            return  # a body that is cut off says by itself that something is missing
        finally:
            await aclose_source(response)
        await self._say(b"", more=False)

    async def _forward(self, guard: Guard, body: bytes) -> None:
        guard = await self._apart(len(body), for_request, guard, self._format.provider, body)
        guard, body = await self._checked(guard, body)
        response = await self._send_on(body)
        try:
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if response.status_code == _PARTIAL or not in_utf8(response):
                raise UpstreamError(502, "unguarded_answer", "the upstream's answer is a part of "
                                    "one, or not in UTF-8: it cannot be guarded")  # fmt: skip
            if response.status_code >= 400:
                answer = await read_answer(response, _MAX_ERROR)
                answer = await self._apart(len(answer), guarded_error, guard, answer)
                await self._whole(guard, response, answer)
            elif kind == "text/event-stream":
                await self._stream(guard, response)
            elif kind == "application/json":
                answer = await read_answer(response, self._settings.max_answer)
                size = len(answer)
                answer, result = await self._apart(
                    size, guarded_answer, guard, self._format, answer, self._attributes
                )
                self.outcome.finish = result.finish
                await self._whole(guard, response, answer)
            else:
                raise UpstreamError(502, "unguarded_answer", "the upstream's answer has a content "
                                    "type that cannot be guarded")  # fmt: skip
        finally:
            await aclose_source(response)

    async def _checked(self, guard: Guard, body: bytes) -> tuple[Guard, bytes]:
        """Return the guard of the exchange, with its vault if there is one, and what is sent."""
        provider = self._format.provider
        around = self._settings.operations.get(self._name)
        vaults = around.vaults if around else None
        if vaults is None:
            return guard, await self._apart(len(body), checked_request, guard, provider, body)

        def check(vault: Vault | None) -> bytes:
            return checked_request(guard.with_vault(vault), provider, body)

        try:
            vault, sent = await vaults.amasked(check, *self._conversation())
        except VaultError as error:
            raise UpstreamError(503, "vault_failed", str(error)) from error
        return guard.with_vault(vault), sent

    def _conversation(self) -> tuple[str | None, str]:
        """The conversation that a request names, and whose it is: the client's, by its key."""
        headers = self._scope["headers"]
        named = values(headers, CONVERSATION.encode())
        caller = self._attributes.get("key") or credential(headers)
        if named and caller is None:
            raise RefusedError(
                400,
                "unknown_caller",
                f"{CONVERSATION} needs a key, to tell whose conversation it is",
            )
        return named[0] if named else None, caller or ""

    @asynccontextmanager
    async def _room(self) -> AsyncIterator[None]:
        """Wait for room, as the policy's `concurrency` says. LimiterError if there is none."""
        around = self._settings.operations.get(self._name)
        if around is None or around.limiter is None:
            yield
            return
        # Addresses tell streams apart here; they are in no record.
        known = {"key": "", **self._attributes, "client": self._client}
        async with around.limiter().slot(around.key(known)):
            yield

    async def _send_on(self, body: bytes) -> httpx.Response:
        scope, provider = self._scope, self._format.provider
        query = scope["query_string"].decode("latin-1")
        around = self._settings.operations.get(self._name)

        async def send() -> httpx.Response:
            method, headers = self._method, scope["headers"]
            return await self._upstream.send(method, scope["path"], query, headers, body, provider)

        return await sent(send, around.retry if around else None)

    @staticmethod
    async def _apart(size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do work on a text of `size` bytes; in a thread if it is long, so that streams go on."""
        if size <= _SHORT:
            return work(*args, **kwargs)
        whole = partial(work, *args, **kwargs)
        return await anyio.to_thread.run_sync(whole, abandon_on_cancel=True)

    async def _whole(self, guard: Guard, response: httpx.Response, answer: bytes) -> None:
        length = (b"content-length", b"%d" % len(answer))
        headers = [*returned_headers(response, guard), length]
        await self._start(response.status_code, headers)
        await self._say(answer, more=False)

    async def _stream(self, guard: Guard, response: httpx.Response) -> None:
        await self._start(response.status_code, streaming(returned_headers(response, guard)))
        stream = guard.wrap(
            Bytes(response),
            provider=self._format.provider,
            keep_text=False,
            attributes=self._attributes,
        )
        async with self._kept(), self._beating(), stream:
            try:
                async for frame in stream:
                    await self._say(frame)
            except httpx.HTTPError as error:
                wrong = upstream_error(error)
                await self._say_error(wrong.status, wrong.code, wrong.message)
            except GuardstreamError as error:
                await self._say_error(502, "guard_failed", told(guard, error))
            if stream.finish == "timeout":
                why = "the answer took longer than the policy allows"
                await self._say_error(504, "deadline", why)
            self.outcome.finish, self.outcome.blocked_by = stream.finish, stream.blocked_by
        await self._say(b"", more=False)

    @asynccontextmanager
    async def _kept(self) -> AsyncIterator[None]:
        """Keep what is said for clients that come back."""
        replay = self._settings.replay
        if replay is None or self._label is None:
            yield
            return
        journal = self._journal = Journal(replay.store, self._scope["path"], self._label)
        complete = False
        try:
            yield
            complete = True
        finally:
            self._journal = None
            with anyio.move_on_after(_PATIENCE, shield=True):
                if not complete:
                    event = self._format.event(502, "cancelled", "the answer was not finished")
                    await journal.keep([sse.encode(event)])
                await journal.close()

    @asynccontextmanager
    async def _beating(self) -> AsyncIterator[None]:
        """Send heartbeats meanwhile, if that is asked for."""
        seconds = self._settings.heartbeat
        if seconds is None:
            yield
            return
        async with anyio.create_task_group() as group:
            group.start_soon(self._beat, seconds)
            yield
            group.cancel_scope.cancel()

    async def _beat(self, seconds: float) -> None:
        while True:
            await anyio.sleep(max(seconds - (anyio.current_time() - self._sent_at), 0))
            async with self._sending:
                if anyio.current_time() - self._sent_at >= seconds:
                    await self._transmit(PING, more=True)

    async def _refuse(
        self, status: int, code: str, message: str, more: Iterable[tuple[bytes, bytes]] = ()
    ) -> None:
        body = json.dumps(self._format.error(status, code, message)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await self._start(status, [*headers, *more])
        await self._say(body, more=False)

    async def _start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        named = [] if self._label is None else [(POLICY_HEADER, self._label)]
        self.outcome.status = status
        await self._send(
            {"type": "http.response.start", "status": status, "headers": [*headers, *named]}
        )

    async def _say(self, body: bytes, *, more: bool = True) -> None:
        self._answered = not more
        async with self._sending:
            if self._journal is not None and body:
                body = b"".join(await self._journal.keep([body]))
            await self._transmit(body, more=more)

    async def _transmit(self, body: bytes, *, more: bool) -> None:
        """Send a part of the body to the client, if it is still there."""
        if not self._gone:
            await self._send({"type": "http.response.body", "body": body, "more_body": more})
        self._sent_at = anyio.current_time()

    async def _say_error(self, status: int, code: str, message: str) -> None:
        await self._say(sse.encode(self._format.event(status, code, message)))

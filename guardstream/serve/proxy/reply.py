"""The reply to the client of one request, and what is kept of it for a reconnect."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from time import monotonic

import anyio
from starlette.types import Message, Scope, Send

from guardstream.events import FinishReason
from guardstream.formats.errors import (
    BLOCKED_CODE,
    STRICT,
    Call,
    Errors,
    errors_of_call,
    errors_within,
)
from guardstream.http.media import Kind
from guardstream.serve.endings import NO_RETRY_HEADER, has_content
from guardstream.serve.journal import Journal
from guardstream.serve.proxy.context import ProxyContext
from guardstream.serve.restoring import Restoring
from guardstream.serve.routes import POLICY_HEADER
from guardstream.serve.source_ids import SourceIdDetector
from guardstream.serve.streams import PING
from guardstream.stream.observers import ObserverError

WITH_ERRORS: Sequence[Kind] = ("events", "lines")
"""The streams that have a place for an error; an array, which is cut off, has none."""


@dataclass(slots=True)
class Outcome:
    """The outcome of a request, for the log and for metrics; `matched` says that a rule finds
    something in its path."""

    status: int | None = None
    finish: FinishReason | None = None
    policy: str | None = None
    blocked_by: str | None = None
    upstream: str | None = None
    error: str | None = None
    reason: str = ""
    matched: bool = False

    def failed(self, code: str, reason: str = "") -> None:
        """Record why a request fails: the first error counts."""
        if self.error is None:
            self.error, self.reason = code, reason

    def guard_failed(self, code: str, error: BaseException | None) -> None:
        """Record that the guard failed. The error of an observer contains no text of a stream."""
        if isinstance(error, ObserverError):
            self.failed(code, str(error))
        else:
            self.failed(code, type(error).__name__ if error is not None else "")


class Reply:
    """The reply to one client: its head, its body part by part, and errors in the client's format.

    `label` names the policy, `caller` the owner of the key, `kind` the kind of stream; each is set
    when it is known.
    """

    def __init__(
        self, send: Send, scope: Scope, context: ProxyContext, errors: Errors, outcome: Outcome
    ) -> None:
        self.label: bytes | None = None
        self.caller = ""
        self.kind: Kind | None = None
        self.ended = False
        self.begun = False  # whether more than comments and blank lines has been sent
        self._send = send
        self._scope = scope
        self._context = context
        self._errors = errors
        self._outcome = outcome
        self._journal: Journal | None = None
        self._gone = False  # the client has disconnected, and the stream continues for a reconnect
        # Only heartbeats come from another task.
        self._sending = nullcontext() if context.settings.heartbeat is None else anyio.Lock()
        self._sent_at = 0.0

    def answer(self, call: Call | None) -> None:
        """Note the call of JSON-RPC that is answered, if it is one: errors are of its format."""
        if call is not None:
            self._errors = errors_of_call(call)

    def stream(self, format: str | None) -> None:
        """Note the format of a stream, once it is known: its clients may refuse other errors."""
        if format in STRICT:
            self._errors = errors_within(format)

    async def start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Send the head."""
        named = [] if self.label is None else [(POLICY_HEADER, self.label)]
        self._outcome.status = status
        await self._send(
            {"type": "http.response.start", "status": status, "headers": [*headers, *named]}
        )

    async def send(self, body: bytes, *, more: bool = True) -> None:
        """Send a part of the body, and keep it."""
        self.ended = not more
        self.begun = self.begun or has_content(body, events=self.kind == "events")
        async with self._sending:
            if self._journal is not None and body:
                body = b"".join(await self._journal.keep([body]))
            await self._transmit(body, more=more)

    async def whole(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        """Send an answer in one part."""
        await self.start(status, [*headers, (b"content-length", b"%d" % len(body))])
        await self.send(body, more=False)

    async def refuse(
        self, status: int, code: str, message: str, headers: Iterable[tuple[bytes, bytes]] = ()
    ) -> None:
        """Reply that the request fails, and why."""
        self._outcome.failed(code)
        if code == BLOCKED_CODE:
            headers = [*headers, NO_RETRY_HEADER]
        body = json.dumps(self._errors.said(status, code, message)).encode()
        await self.whole(status, [(b"content-type", b"application/json"), *headers], body)

    async def fail(self, status: int, code: str, message: str) -> None:
        """Send an error within a stream, if it has a place for one."""
        self._outcome.failed(code)
        if self.kind in WITH_ERRORS:
            lines = self.kind == "lines"
            await self.send(self._errors.frame(status, code, message, lines=lines))

    async def break_off(self, status: int, code: str, message: str) -> None:
        """End an incomplete answer, with an error if it has a place for one."""
        if self._outcome.status is None:
            await self.refuse(status, code, message, [(b"retry-after", b"1")])
        elif self.kind in WITH_ERRORS:
            await self.fail(status, code, message)
            await self.send(b"", more=False)

    async def send_kept(self, message: Message) -> None:
        """Send a part of a stored stream."""
        if message["type"] == "http.response.start":
            self._outcome.status, self.kind = message["status"], "events"
        else:
            self.ended = not message.get("more_body")
        await self._send(message)

    async def linger(self) -> None:
        """Continue without the client, which has disconnected, for as long as it may reconnect."""
        replay = self._context.settings.replay
        if self._journal is None or replay is None or not replay.linger:
            return
        self._gone = True
        await self._journal.linger(replay.linger)

    @asynccontextmanager
    async def kept(
        self, source: SourceIdDetector, restoring: Restoring | None
    ) -> AsyncIterator[None]:
        """Keep an event stream for clients that reconnect, if that is configured."""
        replay = self._context.settings.replay
        if replay is None or self.label is None or self.kind != "events":
            yield
            return
        journal = self._journal = Journal(
            replay,
            self._scope,
            self.label,
            source,
            self.caller,
            restoring,
            long=self._context.worker.event,
        )
        complete = False
        try:
            yield
            complete = True
            if rest := await journal.rest():
                await self._transmit(b"".join(rest), more=True)
        finally:
            self._journal = None
            cut = self._errors.frame(502, "cancelled", "the answer was not finished")
            await journal.close(None if complete else cut)

    @asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """Send heartbeats within an event stream meanwhile, if that is configured."""
        seconds = self._context.settings.heartbeat
        if seconds is None or self.kind != "events":
            yield
            return
        async with anyio.create_task_group() as group:
            group.start_soon(self._beat, seconds)
            yield
            group.cancel_scope.cancel()

    async def _beat(self, seconds: float) -> None:
        while True:
            await anyio.sleep(max(seconds - (monotonic() - self._sent_at), 0))
            async with self._sending:
                if monotonic() - self._sent_at >= seconds:
                    await self._transmit(PING, more=True)

    async def _transmit(self, body: bytes, *, more: bool) -> None:
        """Send a part of the body to the client, unless it has disconnected."""
        if not self._gone:
            await self._send({"type": "http.response.body", "body": body, "more_body": more})
        self._sent_at = monotonic()

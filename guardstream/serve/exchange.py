"""One HTTP response on its way from an application through the guard to a client.

A frame is handed to the server before the next one is taken from the application, so that a slow
client applies back-pressure to the application and nothing is buffered.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import NoReturn

import anyio
import anyio.lowlevel
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guardstream.errors import BlockedError, GuardstreamError
from guardstream.events import is_refused
from guardstream.formats.errors import BLOCKED, BLOCKED_CODE, Call, errors_of
from guardstream.formats.generic.any_json import AnyJSON
from guardstream.framing.frames.frame import Media
from guardstream.http.body import in_thread
from guardstream.http.endpoints import format_at
from guardstream.http.headers import is_part
from guardstream.serve.alarm import Alarm
from guardstream.serve.bodies import Body, BodyError, open_body
from guardstream.serve.classification import PART, BodyClassifier, Handling
from guardstream.serve.client import Client
from guardstream.serve.declared import fits, passes_unread, type_of
from guardstream.serve.endings import (
    blocked,
    call_refusal,
    ending,
    error_frame,
    guarded_message,
    has_end,
    refusal,
)
from guardstream.serve.journal import Journal, Replay
from guardstream.serve.receiver import Receiver
from guardstream.serve.restoring import Restoring
from guardstream.serve.routes import (
    Headers,
    Route,
    guarded_headers,
    may_be_events,
    media_of,
    values,
    whole_headers,
)
from guardstream.serve.running import Running, StoppedError
from guardstream.serve.source_ids import SourceIdDetector

log = logging.getLogger("guardstream.serve")

VAULT = "guardstream_vault"
"""The name in a request's state under which the application stores the vault of its messages."""

STOP_SECONDS = 1.0
"""Seconds that a stopped application may take to end before its client gets the last frames."""

_SHORT = 4 * 1024
"""Bytes of a body that is guarded directly; a longer one is guarded in a thread."""

_MANY = 256
"""How many media types are logged when they pass unread, each once."""

_TRAILERS = "http.response.trailers"
_UNREAD = {"http.response.pathsend", "http.response.zerocopysend", _TRAILERS}
"""Extensions through which text would bypass the guard."""


class Exchange:
    """Runs an application for one request and guards its response.

    The application runs in the caller's task, and is stopped the moment its client disconnects or
    the guard ends its stream.
    """

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        route: Route,
        replay: Replay | None,
        *,
        restores: bool,
        passed: set[str],
    ) -> None:
        """With `restores`, a client that reconnects gets the values of a vault, too. `passed` are
        the media types that have been logged as passing."""
        if extensions := scope.get("extensions"):
            # In place, because outer middleware reads what applications add to a scope.
            scope["extensions"] = {k: v for k, v in extensions.items() if k not in _UNREAD}
        scope["headers"] = _uncompressed(scope["headers"])
        self._scope = scope
        scope.setdefault("state", {})  # shared by everything that handles the request
        self._receiver = Receiver(receive, self._client_left)
        self._send = send  # for unguarded messages
        self._client = Client(send, self._client_left, self._completed)
        self._route = route
        self._replay = replay
        self._restores = restores
        self._media: Media | None = None
        self._body: Body | None = None
        self._alarm: Alarm | None = None  # that of the body
        self._classifier: BodyClassifier | None = None  # until the handling is decided
        self._start: Message = {}
        self._passed = passed
        self._refusal: Message | None = None
        self._last: list[bytes] | None = None
        self._failure: Exception | None = None
        self._says_its_end = False  # whether the released events contain an end
        self._watched = False  # whether a disconnect is noticed
        self._silent = True  # no body goes out: before the start, and in some answers
        self._group = anyio.create_task_group()
        self._running = Running(self._take, self._receiver.disconnect)
        self._opened = anyio.Event()  # set when the stream begins
        self._watching = anyio.CancelScope()

    async def run(self, app: ASGIApp) -> None:
        """Run `app` to its end; its exceptions are raised, unless the guard had ended it."""
        try:
            async with self._group:
                failure = await self._running.run(app, self._scope, self._receiver)
                failure = await self._conclude(failure)
                self._group.cancel_scope.cancel()
        finally:
            if self._body is not None:
                self._body.close()
            await self._client.close()
        if failure is not None:
            raise failure

    async def _take(self, message: Message) -> None:
        """Take a message from the application."""
        kind = message["type"]
        if kind == _TRAILERS:
            log.error("left out the trailers of a response: they cannot be guarded")
        elif self._client.complete and self._body is None:
            await self._end_again(message)
        elif kind == "http.response.start":
            await self._begin(message)
        elif kind == "http.response.body" and self._body is not None:
            await self._guard(self._body, message)
        elif kind == "http.response.body" and self._classifier is not None:
            await self._judge(self._classifier, message)
        elif kind == "http.response.body" and self._silent:
            await self._send({**message, "body": b""})
        elif self._classifier is not None and kind in _UNREAD:
            self._refuse(BodyError(f"{kind!r} cannot be guarded"))
        elif self._body is None:
            await self._send(message)
        else:
            await self._fail("unguarded_message", BodyError(f"{kind!r} cannot be guarded"))

    async def _end_again(self, message: Message) -> None:
        """Take a message after the end. Servers refuse it; nothing of it goes out."""
        if message["type"] == "http.response.body":
            await self._send({**message, "body": b""})
        else:
            log.error("left out %r, which came after the end of a response", message["type"])

    async def _begin(self, message: Message) -> None:
        given = message.get("headers", ())
        headers: Headers = [(bytes(name), bytes(value)) for name, value in given]
        message = {**message, "headers": headers}
        message.pop("trailers", None)  # a server that expects trailers waits for them
        self._silent = False
        media = media_of(headers, self._route.text_types)
        if message["status"] in (204, 304):
            self._silent = True
            await self._send(message)
        elif media is None:
            await self._begin_other(message)
        elif self._scope["method"] == "HEAD":
            await self._begin_nothing(message, media)
        elif media == "text" and fits(headers, self._route.max_answer):
            self._await_other(message, text=True)
        else:
            await self._open(message, media)

    async def _begin_nothing(self, message: Message, media: Media | None = None) -> None:
        """Answer HEAD with the headers of a body that the guard might change."""
        self._silent = True
        headers = guarded_headers(message["headers"], self._route.label, media)
        await self._client.transmit({**message, "headers": headers})

    async def _open(self, message: Message, media: Media, *, text: bool = True) -> None:
        """Begin to guard a stream, decoded by its charset if its type is one of `text`."""
        replay = self._replay if media == "sse" else None
        headers, policy = message["headers"], self._route.label
        try:
            type_of(headers)
            if _is_part(message):
                raise BodyError(PART)
            route, restoring = self._with_vault(replay)
            source = SourceIdDetector() if replay is not None else None
            self._body = open_body(route, media, headers, text=text, last=source)
        except BodyError as error:
            self._refuse(error)
        self._media = media
        if replay is not None and source is not None:
            self._client.journal = Journal(replay, self._scope, policy, source, restoring=restoring)
        self._watch()
        self._opened.set()
        self._alarm = Alarm(self._group, self._body.remaining, partial(self._wake, self._body))
        self._alarm.set()
        await self._client.transmit({**message, "headers": guarded_headers(headers, policy, media)})

    async def _begin_other(self, message: Message) -> None:
        """Begin a response that is not a known stream; its content decides how it is handled."""
        route, headers = self._route, message["headers"]
        if may_be_events(headers) and self._scope["method"] != "HEAD":
            self._await_other(message)  # whatever `other` says: the route names this type
            return
        try:
            kind = "" if route.other == "pass" else type_of(headers)
            if route.other == "refuse":
                raise BodyError(f"a response of the type {kind!r} is refused because of 'other'")
            bodiless = self._scope["method"] == "HEAD"
            if passes_unread(route, headers, kind, part=_is_part(message), bare=bodiless):
                self._log_passed(kind)
                await self._send(message)
            elif bodiless:
                await self._begin_nothing(message)
            else:
                self._await_other(message)
        except BodyError as error:
            self._refuse(error)

    def _await_other(self, message: Message, *, text: bool = False) -> None:
        """Begin a response that waits for its classification, and possibly for its end.

        A `text` would have been streamed if its length were unknown.
        """
        headers, part = message["headers"], _is_part(message)
        try:
            route, _ = self._with_vault(None)
            self._classifier = BodyClassifier(
                route, headers, type_of(headers), part=part, text=text
            )
            self._start = message
        except BodyError as error:
            self._refuse(error)
        if not self._classifier.waits:
            self._watch()

    def _watch(self) -> None:
        """Begin to watch for the client's disconnect."""
        if not self._watched:
            self._watched = True
            self._group.start_soon(self._watch_client)

    async def _judge(self, body: BodyClassifier, message: Message) -> None:
        """Take the next bytes of such a response; guard it once its handling is decided."""
        last = not message.get("more_body", False)
        try:
            way = body.feed(bytes(message.get("body", b"")), last=last)
        except BodyError as error:
            if not last:
                self._refuse(error)
            await self._answer_refused(error)
            return
        if way == "whole":
            way = await self._whole(body)
        if way is None:
            return
        self._classifier, raw = None, body.raw.getvalue()
        if way == "pass":
            self._log_passed(body.media)
            await self._send(self._start)
            await self._send({**message, "body": raw})
        elif way != "whole":
            await self._open(self._start, way, text=body.is_text)
            assert self._body is not None
            await self._guard(self._body, {**message, "body": raw})

    async def _whole(self, body: BodyClassifier) -> Handling | None:
        """Guard a whole response; send it or an error, or return "text" if it has to stream."""
        raw, whole = body.raw.getvalue(), body.whole()
        try:
            short = len(raw) <= _SHORT
            changed = whole.guarded() if short else await in_thread(whole.guarded)
        except GuardstreamError as error:
            if body.streams and not self._is_block(error):  # the part before the error goes out
                return "text"
            call = whole.call() if short else await in_thread(whole.call)
            await self._answer_refused(error, call)
            return None
        if whole.finish in ("content_filter", "length"):
            log.warning("the policy ended a response of the type %r early", body.media)
        given = whole.labelled(self._start["headers"])
        size = None if changed is None else len(changed)
        headers = whole_headers(given, self._route.label, size)
        self._classifier = None
        await self._client.transmit({**self._start, "headers": headers})
        await self._client.put([raw if changed is None else changed], last=True)
        return None

    def _log_passed(self, kind: str) -> None:
        if self._route.other != "pass" and kind not in self._passed and len(self._passed) < _MANY:
            self._passed.add(kind)
            log.info("responses of the type %r pass unread", kind)

    def _refuse(self, error: BodyError) -> NoReturn:
        """Replace a response that has not been started by an error, and stop the application."""
        self._classifier = None
        self._refusal, body = self._refused(error)
        self._stop([body])

    async def _answer_refused(self, error: GuardstreamError, call: Call | None = None) -> None:
        """Send an error instead of a complete response, which may answer a `call` of JSON-RPC."""
        self._classifier = None
        start, body = self._refused(error, call)
        await self._client.transmit(start)
        await self._client.put([body], last=True)

    def _refused(self, error: GuardstreamError, call: Call | None = None) -> tuple[Message, bytes]:
        assert self._route.guard is not None
        if isinstance(error, BodyError):
            code, why = error.code, str(error)
        else:
            code, why = "unguardable_response", guarded_message(self._route.guard, error)
        log.error("refused the response to %r: %s", self._scope["path"], why)
        if call is not None:
            return call_refusal(BLOCKED if self._is_block(error) else 502, code, why, call)
        if self._is_block(error):
            return blocked(self._route.format or format_at(self._scope["path"]), why)
        return refusal(502, code, why)

    def _is_block(self, error: Exception) -> bool:
        """Return whether an error is a rule's block, and the client gets blocks as errors."""
        is_block = isinstance(error, BodyError) and error.code == BLOCKED_CODE
        return is_block and self._fails_on_block

    @property
    def _fails_on_block(self) -> bool:
        """Whether a blocked response is an error."""
        return self._route.on_block == "error"

    def _with_vault(self, replay: Replay | None) -> tuple[Route, Restoring | None]:
        """Return the route, with the vault that the application has stored for its answer, if any;
        and the object that restores values in events from the replay store, None if there is no
        store or no vault."""
        route, vault = self._route, self._scope["state"].get(VAULT)
        if vault is None or route.guard is None:
            return route, None
        guard = route.guard.with_vault(vault)
        if replay is None:
            return replace(route, guard=guard), None
        if not self._restores:
            raise BodyError("a client that reconnects would get no values: give 'replay_vault'")
        restoring = Restoring(guard, vault, route.format)
        return replace(route, guard=guard.without_restoring()), restoring

    async def _guard(self, body: Body, message: Message) -> None:
        last = not message.get("more_body", False)
        frames: list[bytes] = []
        try:
            for piece in body.feed(bytes(message.get("body", b""))):
                await self._put_before(frames)
                frames = piece
            cut = body.ended is not None
            if last and not cut:
                for piece in body.finish():
                    frames = [*frames, *piece]
        except GuardstreamError as error:
            await self._fail("guard_error", error, frames)
        await self._deliver(body, frames, cut=cut, last=last)
        if self._alarm is not None:
            self._alarm.set()

    async def _deliver(self, body: Body, frames: list[bytes], *, cut: bool, last: bool) -> None:
        """Send frames; if the guard has `cut` the body, stop the application."""
        if body.error is not None:
            await self._fail("guard_error", body.error, frames)
        refused = is_refused(body.ended, body.blocked_by)
        if self._media == "sse":
            self._note_end(frames)
            reason = body.ended if cut or refused else None
            if reason is not None and not self._says_its_end:
                frames.append(ending(reason))
        if refused and self._fails_on_block and not self._raised(body):
            await self._cut_off(frames, BlockedError(body.blocked_by or BLOCKED_CODE))
        if cut:
            self._stop(frames)
        await self._client.put(frames, last=last)

    def _note_end(self, frames: Sequence[bytes]) -> None:
        """Note whether events that are about to be sent end the stream in its own format."""
        known = self._body is None or self._body.format != AnyJSON.name
        self._says_its_end = has_end(frames, self._says_its_end, known=known)

    async def _put_before(self, frames: list[bytes]) -> None:
        """Send frames before others of the same message; other tasks get a turn."""
        if self._media == "sse":
            self._note_end(frames)
        if frames:
            await self._client.put(frames, last=False)
            await anyio.lowlevel.checkpoint()

    async def _fail(self, code: str, error: Exception, before: Sequence[bytes] = ()) -> NoReturn:
        """End the response with an error in its format; plain text, which has none, is cut off."""
        assert self._route.guard is not None
        why = guarded_message(self._route.guard, error)
        log.error("ended a response: %s", why)
        await self._end_with(code, why, before, error)

    async def _end_with(
        self, code: str, why: str, before: Sequence[bytes] = (), error: Exception | None = None
    ) -> NoReturn:
        assert self._media is not None
        if self._media in ("text", "event_stream"):
            await self._cut_off(before, error or TimeoutError(why))
        self._stop([*before, self._error_frame(self._media, code, why)])

    def _error_frame(self, media: Media, code: str, why: str) -> bytes:
        return error_frame(media, code, why, self._body.format if self._body else None)

    async def _cut_off(self, before: Sequence[bytes], failure: Exception) -> NoReturn:
        """Send the last frames, and leave the response incomplete."""
        self._failure = failure
        await self._client.put([*before], last=False)
        self._stop(None)

    def _raised(self, body: Body) -> bool:
        """Return whether clients of this format raise the error that ends a blocked stream."""
        return self._media != "text" and errors_of(body.format).raised

    def _stop(self, last: list[bytes] | None) -> NoReturn:
        """Cancel the application, which may be using a provider; `last` is sent when it has
        ended."""
        self._last = last
        self._running.stop()
        self._group.start_soon(self._send_last_at_timeout)
        raise StoppedError

    async def _conclude(self, failure: Exception | None) -> Exception | None:
        """Finish after the application has ended; return the exception to raise."""
        if self._running.stopped:
            await self._send_last()
            if failure is not None and not isinstance(failure, OSError):
                log.warning("an application failed when stopped (%s)", type(failure).__name__)
            return self._failure
        if self._classifier is not None and failure is None:
            log.error("an application left its response unfinished")
        if self._body is not None and not self._client.complete and self._media is not None:
            log.error("an application left its response unfinished")
            self._body.fail(failure)
            frame = self._error_frame(self._media, "upstream_error", "the answer broke off")
            if frame:
                await self._client.put([frame], last=True)
        return failure

    async def _send_last_at_timeout(self) -> None:
        await anyio.sleep(STOP_SECONDS)
        await self._send_last()

    async def _send_last(self) -> None:
        """Send the last frames of a response that the guard ended, once."""
        frames, self._last = self._last, None
        if frames is None:
            return
        if self._refusal is not None:
            await self._client.transmit(self._refusal)
        await self._client.put(frames, last=True)

    def _completed(self) -> None:
        """Stop waiting for the client, which is being sent the last frame."""
        self._watching.cancel()
        self._receiver.release()

    def _client_left(self, _waiting: bool = False) -> bool:
        """Stop the application at once, unless its stream is kept for a reconnect.

        Return False if the application must notice the disconnect itself, because its response is
        not guarded, or complete.
        """
        streams = self._body is not None or (
            self._classifier is not None and not self._classifier.waits
        )
        if not streams or self._client.complete:
            return False
        if self._running.stopped or self._client.gone:
            return True
        self._client.gone = True
        if self._client.journal is not None and self._replay is not None and self._replay.linger:
            self._group.start_soon(self._linger, self._client.journal, self._replay)
        else:
            self._running.stop()
        return True

    async def _linger(self, journal: Journal, replay: Replay) -> None:
        """Let the application continue while anyone follows its stream."""
        await journal.linger(replay.linger)
        self._running.stop()

    async def _watch_client(self) -> None:
        """Watch for a disconnect, and send heartbeats, until the response is complete."""
        with self._watching:
            async with anyio.create_task_group() as group:
                group.start_soon(self._receiver.watch)
                await self._opened.wait()
                if self._route.heartbeat is not None and self._media == "sse":
                    group.start_soon(self._client.beat, self._route.heartbeat)

    async def _wake(self, body: Body) -> None:
        """Send what silence has proved to be over; end the response at a deadline of the policy."""
        if self._running.stopped:
            return
        with suppress(StoppedError):
            try:
                frames = body.wake()
            except GuardstreamError as error:
                await self._fail("guard_error", error)
            if body.ended == "timeout":
                log.error("ended a response: it took longer than the policy allows")
                await self._end_with("deadline", "the answer took too long", frames)
            if frames:
                await self._deliver(body, frames, cut=body.ended is not None, last=False)


def _is_part(message: Message) -> bool:
    """Return whether a response begins that is only part of a body."""
    return is_part(message["status"], ", ".join(values(message["headers"], b"content-range")))


def _uncompressed(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return the headers of a request, asking for an encoding that can be read."""
    kept = [(name, value) for name, value in headers if name.lower() != b"accept-encoding"]
    return [*kept, (b"accept-encoding", b"identity")]

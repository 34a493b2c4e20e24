"""One WebSocket connection on its way through the guard, message by message."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

import anyio
import anyio.lowlevel
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guardstream.errors import GuardstreamError
from guardstream.guard import Guard
from guardstream.serve.alarm import Alarm
from guardstream.serve.endings import guarded_message
from guardstream.serve.messages import WholeMessage, messages_of
from guardstream.serve.receiver import Receiver
from guardstream.serve.routes import POLICY_HEADER, Route
from guardstream.serve.running import Running, StoppedError

log = logging.getLogger("guardstream.serve")

NORMAL, UNSUPPORTED, VIOLATION, INTERNAL = 1000, 1003, 1008, 1011
"""Close codes: RFC 6455, section 7.4.1."""

PRIVATE = 3000
"""Added to a code that the server refuses to send, as Daphne refuses those of the protocol: 1008
becomes 4008, a code for private use (RFC 6455, section 7.4.2)."""

MAX_REASON = 123
"""The maximum bytes of a close reason: RFC 6455, section 5.5."""

DENIAL = "websocket.http.response"
"""The extension by which an application rejects a handshake with a body, which nothing guards."""


_TURN = 64
"""Messages after which other tasks get a turn: a server may drop the messages to a disconnected
client without ever waiting, and the disconnect would go unnoticed."""


class Connection:
    """Runs an application for one connection and guards its messages.

    The application is cancelled when the guard closes the connection. When the client disconnects,
    an application that waits for a message is told, and any other is cancelled. Once the
    application returns, its messages are complete, whether it has closed the connection or leaves
    that to the server.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, route: Route) -> None:
        if extensions := scope.get("extensions"):
            scope["extensions"] = {k: v for k, v in extensions.items() if k != DENIAL}
        self._scope = scope
        self._receiver = Receiver(receive, self._client_left)
        self._send = send
        self._route = route
        self._messages = messages_of(route)
        self._left = False
        self._taken = 0  # messages from the application
        self._open = False
        self._binary = False  # whether the application's last message was binary
        self._group = anyio.create_task_group()
        self._running = Running(self._take)
        self._turn = anyio.Lock()  # messages go out as they were taken, also those of the alarm
        self._alarm = Alarm(self._group, self._messages.remaining, self._wake)

    async def run(self, app: ASGIApp) -> None:
        """Run `app` to its end; its exceptions are raised, unless the guard had ended it."""
        failure: Exception | None = None
        try:
            async with self._group:
                failure = await self._running.run(app, self._scope, self._receive)
                if failure is None and self._open and not self._left:
                    with suppress(StoppedError, OSError):
                        await self._settle()
                self._group.cancel_scope.cancel()
        finally:
            ended_otherwise = self._left or self._running.stopped
            self._messages.close(None if ended_otherwise else failure)
        if failure is not None and not self._running.stopped:
            raise failure

    async def _receive(self) -> Message:
        """Return the client's next message; the application's `receive`."""
        message = await self._receiver()
        await self._release()
        guard = self._route.inbound
        if guard is None or message["type"] == "websocket.connect":
            return message
        if message["type"] == "websocket.disconnect":
            reason = message.get("reason")
            return {**message, "reason": _reason(guard, message)} if reason else message
        try:
            return await self._checked(guard, message)
        except StoppedError:
            await anyio.lowlevel.checkpoint()
            return {"type": "websocket.disconnect", "code": VIOLATION}

    async def _checked(self, guard: Guard, message: Message) -> Message:
        """Return a client's message as the application may see it."""
        text = await self._text(message)
        if text is None:
            return message
        try:
            checked = WholeMessage(guard, text)
        except GuardstreamError as error:
            await self._fail(error)
        if checked.ended is not None:
            await self._close(VIOLATION, "refused by policy")
        return {**message, **_payload(checked.text, binary=_is_binary(message))}

    async def _text(self, message: Message) -> str | None:
        """Return the text of a message, None for one that passes unchanged.

        The connection is closed for a binary message that must not pass and is not text.
        """
        if not _is_binary(message):
            return str(message["text"])
        if self._route.binary == "pass":
            return None
        try:
            text = bytes(message.get("bytes") or b"").decode()
        except UnicodeDecodeError:
            text = "\0"
        if self._route.binary == "refuse" or "\0" in text:  # in UTF-16 it would mean something else
            await self._close(UNSUPPORTED, "binary messages cannot be guarded")
        return text

    async def _take(self, message: Message) -> None:
        """Take a message from the application."""
        if self._left:
            raise OSError("the client has left")
        kind = message["type"]
        if kind == "websocket.accept":
            await self._accept(message)
        elif kind == "websocket.send":
            await self._guard(message)
        elif kind == "websocket.close":
            if self._open:
                await self._settle()
            self._open = False
            assert self._route.guard is not None
            await self._send({**message, "reason": _reason(self._route.guard, message)})
        else:
            await self._fail(GuardstreamError(f"{kind!r} cannot be guarded"))

    async def _accept(self, message: Message) -> None:
        headers = [*message.get("headers", []), (POLICY_HEADER, self._route.label)]
        await self._send({**message, "headers": headers})
        self._open = True
        self._group.start_soon(self._receiver.watch)

    async def _guard(self, message: Message) -> None:
        self._taken += 1
        if self._taken % _TURN == 0:
            await anyio.lowlevel.checkpoint()
        text = await self._text(message)
        if text is None:
            await self._send(message)
            return
        self._binary = _is_binary(message)
        feed = self._messages.feed_binary if self._binary else self._messages.feed
        await self._send_of(lambda: feed(text))
        if self._messages.ended is not None:
            await self._close(NORMAL, "")
        self._alarm.set()

    async def _wake(self) -> None:
        """Send what silence has proved to be over."""
        await self._send_late(self._messages.wake)

    async def _release(self) -> None:
        """Send what is held of messages until the next one."""
        if self._messages.awaits_event:
            await self._send_late(self._messages.release_events)

    async def _send_late(self, step: Callable[[], list[str]]) -> None:
        """Send what may go out without a message from the application."""
        if self._open and not (self._left or self._running.stopped):
            with suppress(StoppedError, OSError):
                await self._send_of(step)

    async def _settle(self) -> None:
        """Send what is held when the application closes, because nothing can follow."""
        await self._send_of(self._messages.finish)

    async def _send_of(self, step: Callable[[], list[str]]) -> None:
        """Send the guarded messages of a step; close the connection if they were the last."""
        try:
            self._turn.acquire_nowait()  # without a checkpoint, at which a client's leave is seen
        except anyio.WouldBlock:
            await self._turn.acquire()
        try:
            texts = step()
        except GuardstreamError as error:
            await self._fail(error)
        else:
            await self._send_texts(texts)
        finally:
            self._turn.release()

    async def _send_texts(self, texts: list[str]) -> None:
        for text in texts:
            await self._send({"type": "websocket.send", **_payload(text, binary=self._binary)})
        if self._messages.error is not None:
            await self._fail(self._messages.error)
        if self._messages.ended == "content_filter":
            await self._close(VIOLATION, "blocked by policy")

    async def _fail(self, error: Exception) -> NoReturn:
        assert self._route.guard is not None
        log.error("closed a connection: %s", guarded_message(self._route.guard, error))
        await self._close(INTERNAL, "guard error")

    async def _close(self, code: int, reason: str) -> NoReturn:
        """Close the connection and stop the application, which may be using a provider."""
        self._open = False
        closing = {"type": "websocket.close", "code": code, "reason": reason}
        try:
            await self._send(closing)
        except OSError:
            pass  # the client has left
        except Exception:
            await self._send({**closing, "code": PRIVATE + code})
        finally:
            self._running.stop()
        raise StoppedError

    def _client_left(self, waiting: bool) -> bool:
        self._left = True
        if not waiting:
            self._running.stop()
        return False


def _is_binary(message: Message) -> bool:
    return message.get("text") is None


def _payload(text: str, *, binary: bool) -> dict[str, str | bytes]:
    """Return the fields of a message with a text, binary or not like the original."""
    return {"bytes": text.encode()} if binary else {"text": text}


def _reason(guard: Guard, message: Message) -> str:
    """Return the reason for closing a connection, guarded."""
    try:
        reason = guard.check(message.get("reason") or "").text
    except GuardstreamError:
        return ""
    return reason.encode()[:MAX_REASON].decode(errors="ignore")

"""The Model Context Protocol over HTTP: answers of JSON-RPC and notifications, as events.

https://modelcontextprotocol.io/specification/2025-06-18/basic/transports#streamable-http. A tool's
result comes whole. Its parts may continue one another, and so may progress and log messages: each
is judged at once, alone and with the earlier ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import is_dataclass
from typing import Any, get_args

from guardstream.errors import AdapterError
from guardstream.events import FinishReason
from guardstream.formats.adapter import Released, Unknown
from guardstream.formats.spec import (
    SpecAdapter,
    sibling,
)
from guardstream.formats.toolkit.fields import fields_of, replaced
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.objects import (
    Event,
    Objects,
    dumped,
    model_like,
    root_of,
    rpc_error,
    with_changes,
)

_NOTE = "notifications/"
"""The prefix of the methods of notifications; all other methods are requests."""


class Messages(SpecAdapter):
    """Reads a server's messages as JSON; they have no common end."""

    name = "mcp"
    tells_apart = True
    """Whole texts are for the host, and none of them are arguments of a tool."""
    spec = spec_of("mcp")
    repeats = False

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._cut: Event | None = None  # the answer in which the stream ends

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any:
        """Return the message with `texts`. An answer in which the stream ends is left to `end`, and
        such a request is left out, because its client would act on the rest of it."""
        if not ends and not str(chunk.get("method", _NOTE)).startswith(_NOTE):
            return None
        written = super().write(chunk, texts, ends=ends)
        if ends or not {"id", "result"} <= chunk.keys():
            return written
        self._cut = written
        return None

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return an error in place of a blocked answer, since clients would take the rest of it for
        all of it, or of one that has not come yet, whose id is unknown."""
        cut, self._cut = self._cut, None
        if cut is not None:
            return [rpc_error(reason, own=cut["id"]) if reason == "content_filter" else cut]
        if "result" in chunk or "error" in chunk:
            return ()
        return [rpc_error(reason)]


class MCP(Objects):
    """The adapter for messages as JSON, or as objects of the `mcp` package.

    Those are messages of JSON-RPC, alone or in a `SessionMessage`, and what they hold: results,
    notifications and requests.
    """

    name = "mcp"
    packages = frozenset({"mcp", "mcp_types"})
    tells_apart = Messages.tells_apart

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(Messages(unknown=unknown), unknown=unknown)

    def json_of(self, chunk: Any) -> Event:
        """Return the message that an object represents, or is in."""
        message = _message_in(chunk)
        if not self.is_own(message):
            raise AdapterError(f"mcp: a {type(chunk).__qualname__!r} is not a message")
        told = dumped(message)
        if _has(message, "jsonrpc"):
            return told
        return {"jsonrpc": "2.0", **(told if _has(message, "method") else {"result": told})}

    def changed(self, chunk: Any, old: Event, new: Event) -> Any:
        """Return an object like `chunk` with another message in it."""
        message = _message_in(chunk)
        changed = with_changes(message, _stood_for(message, old), _stood_for(message, new))
        return _with_message(chunk, changed)

    def made(self, chunk: Any, event: Event) -> Any:
        """Return an answer of JSON-RPC; version 1 of the package wants an id of an error."""
        message = _message_in(chunk)
        beside = root_of(message)
        name = "JSONRPCError" if "error" in event else "JSONRPCResponse"
        kind = sibling(beside, type(beside).__module__, name)
        nullable = type(None) in get_args(kind.model_fields["id"].annotation)
        unnamed = event["id"] is None and not nullable
        answer = model_like(kind, {**event, "id": ""} if unnamed else event)
        return _with_message(chunk, answer if message is beside else type(message)(answer))

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return an error of JSON-RPC in place of an answer, among messages of JSON-RPC."""
        if not isinstance(chunk, dict) and not _has(_message_in(chunk), "jsonrpc"):
            return ()
        return super().end(chunk, choice, reason, released)


def _message_in(chunk: Any) -> Any:
    """Return the message in a `SessionMessage`, or the chunk itself."""
    return chunk.message if _is_session(chunk) else chunk


def _with_message(chunk: Any, message: Any) -> Any:
    return replaced(chunk, {"message": message}) if _is_session(chunk) else message


def _is_session(chunk: Any) -> bool:
    return is_dataclass(chunk) and {"message", "metadata"} == fields_of(chunk).keys()


def _stood_for(message: Any, event: Event) -> Event:
    """Return the part of an event that a message represents."""
    if _has(message, "jsonrpc"):
        return event
    if _has(message, "method"):
        return {name: value for name, value in event.items() if name != "jsonrpc"}
    result: Event = event["result"]
    return result


def _has(message: Any, name: str) -> bool:
    return name in fields_of(root_of(message))

"""The errors of each API: as a body, and as the last event of a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from guardstream.errors import AdapterError
from guardstream.formats.toolkit.files import table
from guardstream.formats.toolkit.written import filled
from guardstream.framing import aws, sse
from guardstream.framing.frames.frame import Frames
from guardstream.framing.json import json_bytes, json_object

BLOCKED = 400
"""The status of a blocked answer, as of a blocked prompt: clients do not send it again."""

BLOCKED_CODE = "content_filter"

ANY_FORMAT = "any"
"""The name in the table of what has no errors of its own."""

NO_RETRY = ("x-should-retry", "false")
"""The header that tells the clients of OpenAI and Anthropic not to send a request again."""


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """The errors of one API, as `tables/errors.yaml` has them.

    `event` is the body of the event, named `name`, and `line` that of a line, if they differ from
    `body`. `after` has the body of one more event, by status, for clients that ignore errors, and
    `kinds` the API's words for what is wrong. `raised` says whether the API's clients raise at such
    events; `own` is the id of the call that an error of JSON-RPC answers.
    """

    body: Mapping[str, Any]
    name: str = "message"
    event: Mapping[str, Any] | None = None
    line: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    kinds: Mapping[str, str] | None = None
    raised: bool = True
    own: int | str | None = None

    def said(self, status: int, code: str, message: str, *, line: bool = False) -> dict[str, Any]:
        """Return the body of an answer, or that of a line."""
        return self._made((line and self.line) or self.body, status, code, message)

    def _made(self, body: Any, status: int, code: str, message: str) -> dict[str, Any]:
        values = {"$status": status, "$code": code, "$message": message, "$own": self.own}
        values |= {"$said": f"{message} ({code})", "$kind": _by_status(self.kinds, status)}
        made: dict[str, Any] = filled(body, values)
        return made

    def frame(self, status: int, code: str, message: str, *, lines: bool = False) -> bytes:
        """Return the end of a failed stream: its last events, or one of its `lines`."""
        if lines:
            return json.dumps(self.said(status, code, message, line=True)).encode() + b"\n"
        events = self._events(status, code, message)
        return b"".join(sse.encode(sse.Event(json.dumps(said), name)) for name, said in events)

    def _events(self, status: int, code: str, message: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Return the last events of a stream, and their names."""
        yield self.name, self._made(self.event or self.body, status, code, message)
        after = _by_status(self.after, status)
        if after is not None:
            made = self._made(after, status, code, message)
            yield made.get("type", self.name), made

    def written(self, frames: Frames, code: str, message: str) -> bytes:
        """Return the end of a blocked stream, written by `frames`.

        It is empty for framings that cannot express an error: text, and packets.
        """
        media = frames.media
        if media in ("sse", "messages"):
            events = [
                frames.write(said, None, keep_id=False, name=name)
                for name, said in self._events(BLOCKED, code, message)
            ]
            return b"".join(events) if media == "sse" else events[0]
        if media in ("ndjson", "json_array"):
            said = self.said(BLOCKED, code, message, line=True)
            last = frames.write(said, None, keep_id=False)
            return frames.between(None) + last + frames.close("")
        if media == "data_stream":
            return frames.write({"3": message}, None, keep_id=False)
        if media == "event_stream":
            payload = json_bytes({"message": f"{message} ({code})"})
            return aws.message(_AMAZON, payload, "exception")
        return b""


_AMAZON = "validationException"
"""The exception of Amazon's event streams for what the caller has to change:
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html."""


def _by_status(entries: Mapping[str, Any] | None, status: int) -> Any:
    """Return the entry for a status, or for all like it."""
    own = (str(status), f"{status // 100}xx", "else")
    return next((entries[name] for name in own if name in entries), None) if entries else None


def rpc_body(message: str, own: object = None, *, code: str | None = None) -> dict[str, Any]:
    """Return the error of JSON-RPC that answers a call; its id is `own`, None if it is not known.

    Servers define the codes from -32000 down: https://www.jsonrpc.org/specification#error_object.
    """
    error = {"code": -32000, "message": message, **({"data": {"code": code}} if code else {})}
    return {"jsonrpc": "2.0", "id": own, "error": error}


class Call(NamedTuple):
    """A call of JSON-RPC, by its id; None if that is unknown, or must not be repeated."""

    id: int | str | None


def errors_of_call(call: Call) -> Errors:
    """Return the errors that answer a call of JSON-RPC."""
    return Errors(rpc_body("$message", "$own", code="$code"), own=call.id)


_RPC = ("mcp", "acp")
"""The adapters whose errors are answers of JSON-RPC."""


@cache
def errors_of(format: str | None) -> Errors:
    """Return the errors of an adapter's format."""
    if format in _RPC:
        return errors_of_call(Call(None))
    known = table("errors")
    said = known.get(format or "", known[ANY_FORMAT])
    by_status = {name: _named(said[name]) for name in ("after", "kinds") if name in said}
    return Errors(**{**said, **by_status})


def _named(entries: Mapping[Any, Any]) -> dict[str, Any]:
    """Return entries by status, whose names are numbers in YAML and texts in JSON."""
    return {str(status): each for status, each in entries.items()}


def call_in(message: bytes) -> Call | None:
    """Return the call that a message of JSON-RPC makes or answers; None for any other body."""
    if b'"jsonrpc"' not in message:  # the name may not be escaped: no package does that
        return None
    with suppress(AdapterError):
        told = json_object(message) or {}
        if told.get("jsonrpc") == "2.0":
            own = told.get("id")
            return Call(own if type(own) is int or isinstance(own, str) else None)
    return None


def errors_after(format: str | None, message: object) -> Errors:
    """Return the errors of an adapter's format that end a stream after its last message.

    In JSON-RPC they answer the same call as that message, if the call's id is a number: an id that
    is text might be the text that was blocked.
    """
    if format in _RPC and isinstance(message, Mapping) and "method" not in message:
        own = message.get("id")
        if type(own) is int:
            return errors_of_call(Call(own))
    return errors_of(format)


STRICT = frozenset({"ui_messages", "model_parts", "ag_ui"})
"""The adapters of formats whose clients refuse unknown events: they would report the event, not the
error in it."""


def errors_within(format: str | None) -> Errors:
    """Return the errors that break off a stream of an adapter's format: those of the format if its
    clients refuse others, otherwise those that any client raises."""
    return errors_of(format if format in STRICT else ANY_FORMAT)

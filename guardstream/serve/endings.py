"""The end of a response that cannot continue: in its own format, or instead of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.types import Message

from guardstream.errors import GuardstreamError
from guardstream.events import FinishReason
from guardstream.formats.errors import (
    BLOCKED,
    BLOCKED_CODE,
    NO_RETRY,
    Call,
    errors_of,
    errors_of_call,
    errors_within,
)
from guardstream.framing import sse
from guardstream.framing.frames.frame import Media
from guardstream.framing.frames.kinds import FRAMES
from guardstream.guard import Guard

_DATA = re.compile(
    rb"(?:^|\r)(?:\xef\xbb\xbf)?data(?:: ?(\{|\[DONE\](?=[\r\n]))|[:\r\n])", re.MULTILINE
)
"""The beginning of an event's data; a group if it is JSON or an end mark."""


NO_RETRY_HEADER = (NO_RETRY[0].encode(), NO_RETRY[1].encode())
"""Tells clients not to ask again: what a rule blocked would be blocked again."""


def error_frame(media: Media, code: str, message: str, format: str | None = None) -> bytes:
    """Return the last frame of a body that failed; plain text cannot express it.

    The event is one that the clients of OpenAI and Anthropic raise, and the line one that Ollama's
    client raises (https://github.com/ollama/ollama/blob/main/docs/api.md). If the clients of
    `format` would refuse these, the frame is in its own format.
    """
    errors = errors_within(format)
    if media == "ndjson":
        return errors.frame(502, code, message, lines=True)
    if media in ("sse", "data_stream"):
        return errors.written(FRAMES[media](), code, message)
    return b""


def has_content(frame: bytes, *, events: bool) -> bool:
    """Return whether a frame is more than comments and blank lines, with which servers keep
    connections alive."""
    return _DATA.search(frame) is not None if events else bool(frame.strip())


def has_end(frames: Sequence[bytes], before: bool, *, known: bool) -> bool:
    """Return whether the last event is an end mark, or JSON of a `known` format, because such
    formats have an end of their own. Without any event in the frames, return `before`."""
    for frame in reversed(frames):
        found = _DATA.search(frame)
        if found is not None:
            return found[1] is not None and (known or found[1] != b"{")
    return before


def ending(finish: FinishReason) -> bytes:
    """Return the last event of a stream that the guard ended, if its events are text or JSON of no
    known format. Without it, a browser would take the end for a lost connection and reconnect."""
    return sse.encode(sse.complete(finish))


def guarded_message(guard: Guard, error: Exception) -> str:
    """Return an error's message, guarded: it may contain names of fields, which come from the
    source."""
    try:
        return guard.check(str(error)).text
    except GuardstreamError:
        return f"the guard failed ({type(error).__name__})"


def refusal(status: int, code: str, message: str) -> tuple[Message, bytes]:
    """Return the start and body of a response that replaces one that cannot be sent."""
    return _refusal(status, code, {"error": {"code": code, "message": message}})


def blocked(format: str | None, message: str) -> tuple[Message, bytes]:
    """Return the start and body of an error that replaces a blocked response of `format`."""
    error = errors_of(format).said(BLOCKED, BLOCKED_CODE, message)
    return _refusal(BLOCKED, BLOCKED_CODE, error)


def call_refusal(status: int, code: str, message: str, call: Call) -> tuple[Message, bytes]:
    """Return the start and body of a JSON-RPC error that replaces the answer to a call."""
    return _refusal(status, code, errors_of_call(call).said(status, code, message))


def _refusal(status: int, code: str, error: Mapping[str, Any]) -> tuple[Message, bytes]:
    body = json.dumps(error).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *([NO_RETRY_HEADER] if code == BLOCKED_CODE else []),
    ]
    return {"type": "http.response.start", "status": status, "headers": headers}, body

"""The provider formats that the proxy speaks: which path is whose, and how each says an error."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from guardstream.framing import sse


@dataclass(frozen=True, slots=True)
class Format:
    """One endpoint: its adapter's name, its errors as a body and as the last event of a stream."""

    path: str
    provider: str
    error: Callable[[int, str, str], dict[str, Any]]
    """Returns the body that says an error, given status, code and message."""
    event: Callable[[int, str, str], sse.Event]


_OPENAI_TYPES = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error"}

_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""https://docs.anthropic.com/en/api/errors; all else is an `api_error`."""


def _openai(status: int, code: str, message: str) -> dict[str, Any]:
    kind = _OPENAI_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _event(payload: dict[str, Any], name: str = "message") -> sse.Event:
    return sse.Event(json.dumps(payload), name)


def _openai_event(status: int, code: str, message: str) -> sse.Event:
    return _event(_openai(status, code, message))


def _responses_event(status: int, code: str, message: str) -> sse.Event:
    del status
    fields = {"type": "error", "code": code, "message": message, "param": None}
    return _event({**fields, "sequence_number": 0}, "error")


def _anthropic(status: int, code: str, message: str) -> dict[str, Any]:
    kind = _ANTHROPIC_TYPES.get(status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": f"{message} ({code})"}}


def _anthropic_event(status: int, code: str, message: str) -> sse.Event:
    return _event(_anthropic(status, code, message), "error")


FORMATS = {
    each.path: each
    for each in (
        Format("/v1/chat/completions", "openai_chat", _openai, _openai_event),
        Format("/v1/completions", "openai_completions", _openai, _openai_event),
        Format("/v1/responses", "openai_responses", _openai, _responses_event),
        Format("/v1/messages", "anthropic", _anthropic, _anthropic_event),
    )
}
"""The endpoints that are guarded, by path."""

_APART = re.compile(r"[/\\]")
_PARAMETERS = re.compile("[;?#]")


def disguised(path: str) -> bool:
    """Tell whether an upstream may take an unguarded path for one that is guarded.

    Or for another host's, where it does not begin with a slash.
    """
    segments = _APART.split(unquote(path))
    if not path.isprintable() or path[:1] != "/" or not {".", ".."}.isdisjoint(segments):
        return True
    named = [_PARAMETERS.split(segment)[0].strip().lower() for segment in segments]
    plain = "".join(f"/{name}" for name in named if name)
    return plain in FORMATS or f"/v1{plain}" in FORMATS


ANY = Format("", "", _openai, _openai_event)
"""What other paths are answered with."""

"""The errors of each API: as a body, and as the last event of a stream."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from guardstream.framing import sse

_Said: TypeAlias = Callable[[int, str, str], dict[str, Any]]
"""Returns the body of an error, given its status, code and message."""


@dataclass(frozen=True, slots=True)
class Errors:
    """The errors of one API; `event` is the body of the last event, named `name`, if it differs."""

    body: _Said
    name: str = "message"
    event: _Said | None = None

    def frame(self, status: int, code: str, message: str, *, lines: bool = False) -> bytes:
        """Return the last frame of a failed stream: an event, or one of its `lines`."""
        if lines:
            return json.dumps(self.body(status, code, message)).encode() + b"\n"
        said = (self.event or self.body)(status, code, message)
        return sse.encode(sse.Event(json.dumps(said), self.name))


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
"""https://docs.anthropic.com/en/api/errors; any other is an `api_error`."""

_GOOGLE_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""https://cloud.google.com/apis/design/errors; any other 4xx is an argument, 5xx internal."""


def _openai(status: int, code: str, message: str) -> dict[str, Any]:
    kind = _OPENAI_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _response(status: int, code: str, message: str) -> dict[str, Any]:
    del status
    fields = {"type": "error", "code": code, "message": message, "param": None}
    return {**fields, "sequence_number": 0}


def _anthropic(status: int, code: str, message: str) -> dict[str, Any]:
    kind = _ANTHROPIC_TYPES.get(status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": f"{message} ({code})"}}


def _google(status: int, code: str, message: str) -> dict[str, Any]:
    kind = _GOOGLE_STATUSES.get(status, "INVALID_ARGUMENT" if status < 500 else "INTERNAL")
    return {"error": {"code": status, "message": f"{message} ({code})", "status": kind}}


def _ollama(status: int, code: str, message: str) -> dict[str, Any]:
    del status
    return {"error": f"{message} ({code})"}


def _cohere(status: int, code: str, message: str) -> dict[str, Any]:
    del status
    return {"message": f"{message} ({code})"}


def _cohere_end(status: int, code: str, message: str) -> dict[str, Any]:
    """Cohere's client ignores events that it does not know; the last one may carry an error."""
    told = _cohere(status, code, message)["message"]
    return {"type": "message-end", "delta": {"error": told, "finish_reason": "ERROR"}}


OPENAI = Errors(_openai)
RESPONSES = Errors(_openai, "error", _response)
ANTHROPIC = Errors(_anthropic, "error")
GOOGLE = Errors(_google)
OLLAMA = Errors(_ollama)
COHERE = Errors(_cohere, "message-end", _cohere_end)

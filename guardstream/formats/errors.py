"""The errors of each API: as a body, and as the last event of a stream."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

from guardstream.errors import AdapterError
from guardstream.framing import aws, sse
from guardstream.framing.frames.frame import Frames
from guardstream.framing.json import json_bytes, json_object

BLOCKED = 400
"""The status of a blocked answer, as of a blocked prompt: clients do not send it again."""

BLOCKED_CODE = "content_filter"

NO_RETRY = ("x-should-retry", "false")
"""The header that tells the clients of OpenAI and Anthropic not to send a request again."""

_Said: TypeAlias = Callable[[int, str, str], dict[str, Any]]
"""Returns the body of an error, given its status, code and message."""


@dataclass(frozen=True, slots=True)
class Errors:
    """The errors of one API.

    `event` is the body of the event, named `name`, and `line` that of a line, if they differ from
    `body`. `after` is the body of one more event, if there is one, for clients that ignore errors.
    `raised` says whether the API's clients raise at such events.
    """

    body: _Said
    name: str = "message"
    event: _Said | None = None
    line: _Said | None = None
    after: Callable[[int, str], dict[str, Any] | None] | None = None
    raised: bool = True

    def frame(self, status: int, code: str, message: str, *, lines: bool = False) -> bytes:
        """Return the end of a failed stream: its last events, or one of its `lines`."""
        if lines:
            return json.dumps((self.line or self.body)(status, code, message)).encode() + b"\n"
        events = self._events(status, code, message)
        return b"".join(sse.encode(sse.Event(json.dumps(said), name)) for name, said in events)

    def _events(self, status: int, code: str, message: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Return the last events of a stream, and their names."""
        yield self.name, (self.event or self.body)(status, code, message)
        after = self.after(status, message) if self.after is not None else None
        if after is not None:
            yield after.get("type", self.name), after

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
            said = (self.line or self.body)(BLOCKED, code, message)
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
    """OpenAI's client raises an event with an `error`, and returns any other."""
    fields = {"type": "error", "code": code, "message": message, "param": None}
    return {**fields, "sequence_number": 0, **_openai(status, code, message)}


def _failed_response(status: int, message: str) -> dict[str, Any]:
    """Codex ignores an event `error`, and asks again after any code but a few: those are of
    https://platform.openai.com/docs/api-reference/responses/object."""
    error = {"code": "invalid_prompt" if status < 500 else "server_error", "message": message}
    response = {"id": "", "object": "response", "status": "failed", "error": error, "output": []}
    return {"type": "response.failed", "sequence_number": 1, "response": response}


def _anthropic(status: int, code: str, message: str) -> dict[str, Any]:
    kind = _ANTHROPIC_TYPES.get(status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": f"{message} ({code})"}}


def _google(status: int, code: str, message: str) -> dict[str, Any]:
    kind = _GOOGLE_STATUSES.get(status, "INVALID_ARGUMENT" if status < 500 else "INTERNAL")
    return {"error": {"code": status, "message": f"{message} ({code})", "status": kind}}


def _google_end(status: int, _message: str) -> dict[str, Any] | None:
    """Google's client for JavaScript yields an error like any other response before version 2,
    https://github.com/googleapis/js-genai: it would take a blocked answer for a complete one."""
    if status != BLOCKED:
        return None
    content = {"role": "model", "parts": [{"text": ""}]}
    return {"candidates": [{"index": 0, "content": content, "finishReason": "SAFETY"}]}


def _ollama(_status: int, code: str, message: str) -> dict[str, Any]:
    return {"error": f"{message} ({code})"}


def _cohere(_status: int, code: str, message: str) -> dict[str, Any]:
    return {"message": f"{message} ({code})"}


def _cohere_end(status: int, code: str, message: str) -> dict[str, Any]:
    """Cohere's client ignores events that it does not know; the last one may carry an error."""
    told = _cohere(status, code, message)["message"]
    return {"type": "message-end", "delta": {"error": told, "finish_reason": "ERROR"}}


def _bedrock(_status: int, code: str, message: str) -> dict[str, Any]:
    return {"__type": "ValidationException", "message": f"{message} ({code})"}


def _mistral(status: int, code: str, message: str) -> dict[str, Any]:
    fields = {"object": "error", "message": message, "type": code, "param": None, "code": code}
    return {**fields, "raw_status_code": status}


def _ui_message(_status: int, _code: str, message: str) -> dict[str, Any]:
    """https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol. Clients refuse further fields."""
    return {"type": "error", "errorText": message}


def _model_part(_status: int, _code: str, message: str) -> dict[str, Any]:
    """https://github.com/vercel/ai/blob/main/packages/provider/src/language-model."""
    return {"type": "error", "error": message}


def _ag_ui(_status: int, code: str, message: str) -> dict[str, Any]:
    """https://docs.ag-ui.com/concepts/events."""
    return {"type": "RUN_ERROR", "message": message, "code": code}


def rpc_body(message: str, own: object = None, *, code: str | None = None) -> dict[str, Any]:
    """Return the error of JSON-RPC that answers a call; its id is `own`, None if it is not known.

    Servers define the codes from -32000 down: https://www.jsonrpc.org/specification#error_object.
    """
    error = {"code": -32000, "message": message, **({"data": {"code": code}} if code else {})}
    return {"jsonrpc": "2.0", "id": own, "error": error}


def _any(_status: int, code: str, message: str) -> dict[str, Any]:
    """An event that the clients of OpenAI and Anthropic raise."""
    detail = {"type": code, "code": code, "message": message}
    return {"code": code, "message": message, "type": "error", "error": detail}


def _any_line(_status: int, code: str, message: str) -> dict[str, Any]:
    """A line that Ollama's client raises."""
    return {"error": message, "code": code}


OPENAI = Errors(_openai)
RESPONSES = Errors(
    _openai,
    "error",
    _response,
    _response,  # lines are messages of a WebSocket
    _failed_response,
)
ANTHROPIC = Errors(_anthropic, "error")
GOOGLE = Errors(_google, after=_google_end)
OLLAMA = Errors(_ollama)
COHERE = Errors(_cohere, "message-end", _cohere_end, raised=False)
BEDROCK = Errors(_bedrock)
MISTRAL = Errors(_mistral)
ANY = Errors(_any, "error", line=_any_line)
"""The errors of a format that has none of its own, or that is unknown."""


class Call(NamedTuple):
    """A call of JSON-RPC, by its id; None if that is unknown, or must not be repeated."""

    id: int | str | None


def errors_of_call(call: Call) -> Errors:
    """Return the errors that answer a call of JSON-RPC."""
    return Errors(lambda _status, code, message: rpc_body(message, call.id, code=code))


_RPC = ("mcp", "acp")
"""The adapters whose errors are answers of JSON-RPC."""

ERRORS: Mapping[str, Errors] = {
    **dict.fromkeys(("openai_chat", "openai_completions"), OPENAI),
    "openai_responses": RESPONSES,
    **dict.fromkeys(("anthropic", "anthropic_completions"), ANTHROPIC),
    "gemini": GOOGLE,
    "ollama": OLLAMA,
    "cohere": COHERE,
    "cohere_v1": replace(ANY, raised=False),
    "bedrock": BEDROCK,
    "bedrock_invoke": BEDROCK,
    "mistral": MISTRAL,
    **dict.fromkeys(("openai_realtime", "openai_live", "chatkit"), Errors(_any)),
    "ui_messages": Errors(_ui_message),
    "model_parts": Errors(_model_part),
    "ag_ui": Errors(_ag_ui),
    **dict.fromkeys(_RPC, errors_of_call(Call(None))),
}
"""The errors of formats, by the names of their adapters."""


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


def errors_of(format: str | None) -> Errors:
    """Return the errors of an adapter's format."""
    return ERRORS.get(format or "", ANY)


STRICT = frozenset({"ui_messages", "model_parts", "ag_ui"})
"""The adapters of formats whose clients refuse unknown events: they would report the event, not the
error in it."""


def errors_within(format: str | None) -> Errors:
    """Return the errors that break off a stream of an adapter's format: those of the format if its
    clients refuse others, otherwise ANY."""
    return ERRORS[format] if format in STRICT else ANY

"""A request to a model's API, checked by a policy's `input` before it is sent on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from guardstream.errors import AdapterError, GuardstreamError
from guardstream.framing.json import json_bytes, json_object
from guardstream.guard import Guard
from guardstream.providers.fields import map_strings


class RefusedError(Exception):
    """A request that is answered with an error, in the format of its endpoint."""

    def __init__(self, status: int, code: str, message: str, rule: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.rule = status, code, message, rule


_LISTS = {
    **dict.fromkeys(("openai_chat", "anthropic", "ollama", "cohere"), "messages"),
    "openai_responses": "input",
}
"""Where each format has its messages."""

_TURNS = {"gemini": "contents", "bedrock": "messages"}
"""Where formats have messages of their own shape: a role, and parts of any kind."""

_SPEAKERS = {"model": "assistant", "assistant": "assistant", "function": "tool", "tool": "tool"}

_FILES = frozenset(
    {"data", "bytes", "mimeType", "mime_type", "fileUri", "file_uri", "role", "format"}
)
_FILES |= {"id", "toolUseId", "thoughtSignature", "thought_signature", "type", "kind", "raw"}
"""What is no text in those, nor in the messages of agents."""

_BESIDE: Mapping[str, Mapping[str, str]] = {
    "openai_chat": {
        **dict.fromkeys(("tools", "functions", "response_format"), "developer"),
        "prediction": "assistant",
    },
    "openai_completions": {"prompt": "user", "suffix": "user"},
    "openai_responses": {
        "instructions": "system",
        **dict.fromkeys(("tools", "text"), "developer"),
        "prompt": "user",
    },
    "anthropic": {"system": "system", "tools": "developer"},
    "gemini": {
        **dict.fromkeys(("systemInstruction", "system_instruction"), "system"),
        "tools": "developer",
    },
    "ollama": {
        "system": "system",
        **dict.fromkeys(("prompt", "suffix"), "user"),
        **dict.fromkeys(("tools", "format", "template"), "developer"),
    },
    "cohere": {"documents": "tool", "tools": "developer"},
    "bedrock": {"system": "system", "toolConfig": "developer"},
    "dashscope": {"input": "user", "parameters": "developer"},
    "watsonx": {"input": "user"},
    "a2a": {"params": "user"},
    "mcp": {"params": "user"},
}
"""What else is said to the model, in each format, and whose text it is."""

_CONTENT = (
    ("openai_completions", "prompt"),
    ("openai_responses", "instructions"),
    ("anthropic", "system"),
)
"""Fields that are like the content of a message; in others each string is a text of its own."""


def checked_request(guard: Guard, provider: str, body: bytes) -> bytes:
    """Return the `body` that may be sent on: the same bytes unless a rule changes it.

    The `input` of the policy of `guard` judges it; `provider` names the adapter of the answer's
    stream, and so the format of the request. Raises RefusedError for a body that is no JSON object
    or that a rule forbids.
    """
    try:
        request = json_object(body)
    except AdapterError as error:
        raise RefusedError(400, "invalid_json", str(error)) from error
    if request is None:
        raise RefusedError(400, "invalid_json", "the request's body is no JSON object")
    if guard.policy.input is None:
        return body
    checked = _checked_fields(guard, provider, request)
    if all(value is request[field] for field, value in checked.items()):
        return body
    return json_bytes({**request, **checked})


def _checked_fields(guard: Guard, provider: str, request: dict[str, Any]) -> dict[str, Any]:
    """Check what a request says to the model; with a vault until nothing new is found in it.

    A value that one field has shown is hidden in those before it, too.
    """
    while True:
        known = len(guard.vault) if guard.vault is not None else 0
        checked = {
            field: _beside(guard, role, request[field], content=(provider, field) in _CONTENT)
            for field, role in _BESIDE[provider].items()
            if request.get(field)
        }
        if provider in _LISTS and request.get(_LISTS[provider]):
            checked[_LISTS[provider]] = _listed(guard, _LISTS[provider], request)
        if provider in _TURNS and request.get(_TURNS[provider]):
            checked[_TURNS[provider]] = _turns(guard, _TURNS[provider], request)
        if guard.vault is None or len(guard.vault) == known:
            return checked


def _listed(guard: Guard, field: str, request: dict[str, Any]) -> Any:
    """Check the messages of a request; one text stands for a message of the user."""
    given = request[field]
    if isinstance(given, str):
        return _content(guard, "user", given)
    if not isinstance(given, list):
        raise RefusedError(400, "invalid_request", f"{field!r} is no list")
    checked = _checked(guard, given)
    return given if all(a is b for a, b in zip(checked, given, strict=True)) else checked


def _turns(guard: Guard, field: str, request: dict[str, Any]) -> Any:
    """Check messages of another shape than OpenAI's: each string in them is a text of its own."""
    given = request[field]
    if isinstance(given, dict):  # one of them, as Gemini allows
        given = [given]
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise RefusedError(400, "invalid_request", f"{field!r} is no list of messages")
    checked = [_turn(guard, each) for each in given]
    return request[field] if all(a is b for a, b in zip(checked, given, strict=True)) else checked


def _turn(guard: Guard, message: dict[str, Any]) -> Any:
    role = _SPEAKERS.get(str(message.get("role")), "user")
    return _mapped(message, lambda text: str(_content(guard, role, text)))


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """Change each string in a value but for files and marks; the same value if none changed."""
    if not isinstance(value, dict):
        if not isinstance(value, list):
            return map_strings(value, change)
        items = [_mapped(item, change) for item in value]
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    mapped = {
        name: inner if name in _FILES and isinstance(inner, str) else _mapped(inner, change)
        for name, inner in value.items()
    }
    return value if all(mapped[name] is inner for name, inner in value.items()) else mapped


def _beside(guard: Guard, role: str, value: Any, *, content: bool) -> Any:
    """Check what is said to the model beside the messages."""
    if content:
        return _content(guard, role, value)
    try:
        if isinstance(value, dict) and isinstance(value.get("messages"), list):
            turns = _turns(guard, "messages", value)
            rest = {name: inner for name, inner in value.items() if name != "messages"}
            checked = _mapped(rest, lambda text: str(_content(guard, role, text)))
            same = turns is value["messages"] and checked is rest
            return value if same else {**checked, "messages": turns}
        return map_strings(value, lambda text: _content(guard, role, text))
    except RecursionError:
        raise RefusedError(400, "invalid_request", "the request is nested too deeply") from None


def _content(guard: Guard, role: str, content: Any) -> Any:
    return _checked(guard, [{"role": role, "content": content}])[0]["content"]


def _checked(guard: Guard, messages: list[Any]) -> list[Any]:
    """Return messages as they may be sent on. RefusedError if a rule forbids it."""
    try:
        checked = guard.check_messages(messages)
    except (GuardstreamError, RecursionError) as error:
        why = str(error) if isinstance(error, GuardstreamError) else "it is nested too deeply"
        raise RefusedError(400, "unguarded_input", why) from error
    if checked.blocked:
        rule = checked.findings[-1].finding.rule if checked.findings else "input"
        raise RefusedError(400, "content_filter", f"the prompt was blocked by rule {rule!r}", rule)
    return checked.messages

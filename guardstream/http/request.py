"""A request to a model's API, checked by a policy's `input` before it is sent on."""

from __future__ import annotations

from collections.abc import Mapping
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


_LISTS = {"openai_chat": "messages", "anthropic": "messages", "openai_responses": "input"}
"""Where each format has its messages."""

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
    checked = {
        field: _beside(guard, role, request[field], content=(provider, field) in _CONTENT)
        for field, role in _BESIDE[provider].items()
        if request.get(field)
    }
    if provider in _LISTS and request.get(_LISTS[provider]):
        checked[_LISTS[provider]] = _listed(guard, _LISTS[provider], request)
    if all(value is request[field] for field, value in checked.items()):
        return body
    return json_bytes({**request, **checked})


def _listed(guard: Guard, field: str, request: dict[str, Any]) -> Any:
    """Check the messages of a request; one text stands for a message of the user."""
    given = request[field]
    if isinstance(given, str):
        return _content(guard, "user", given)
    if not isinstance(given, list):
        raise RefusedError(400, "invalid_request", f"{field!r} is no list")
    checked = _checked(guard, given)
    return given if all(a is b for a, b in zip(checked, given, strict=True)) else checked


def _beside(guard: Guard, role: str, value: Any, *, content: bool) -> Any:
    """Check what is said to the model beside the messages."""
    if content:
        return _content(guard, role, value)
    try:
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

"""A request to a model's API, checked by a policy's `input` before it is sent on."""

from __future__ import annotations

import json
from typing import Any

from guardstream.errors import GuardstreamError
from guardstream.guard import Guard


class RefusedError(Exception):
    """A request that is answered with an error, in the format of its endpoint."""

    def __init__(self, status: int, code: str, message: str, rule: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.rule = status, code, message, rule


_LISTS = {"openai_chat": "messages", "anthropic": "messages", "openai_responses": "input"}
"""Where each format has its messages."""

_SYSTEM = {"anthropic": "system", "openai_responses": "instructions"}
"""Where a format has a system prompt beside them."""


def checked_request(guard: Guard, provider: str, body: bytes) -> bytes:
    """Return the body that may be sent on: the same bytes unless a rule changes it.

    RefusedError if it is no JSON object, or if a rule forbids it.
    """
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        request = None
    if not isinstance(request, dict):
        raise RefusedError(400, "invalid_json", "the request's body is no JSON object")
    if guard.policy.input is None:
        return body
    messages = _messages(provider, request)
    try:
        checked = guard.check_messages(messages)
    except GuardstreamError as error:
        raise RefusedError(400, "unguarded_input", str(error)) from error
    if checked.blocked:
        rule = checked.findings[-1].finding.rule if checked.findings else "input"
        raise RefusedError(400, "content_filter", f"the prompt was blocked by rule {rule!r}", rule)
    if all(new is old for new, old in zip(checked.messages, messages, strict=True)):
        return body
    _put_back(provider, request, checked.messages)
    return json.dumps(request, ensure_ascii=False).encode()


def _messages(provider: str, request: dict[str, Any]) -> list[Any]:
    """Return all that is said to the model as messages; the system prompt is the first."""
    if provider == "openai_completions":
        prompt = request.get("prompt") or ""
        prompts = prompt if isinstance(prompt, list) else [prompt]
        return [{"role": "user", "content": each} for each in prompts if isinstance(each, str)]
    given = request.get(_LISTS[provider]) or []
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    if not isinstance(given, list):
        raise RefusedError(400, "invalid_request", f"{_LISTS[provider]!r} is no list")
    system = request.get(_SYSTEM.get(provider, ""))
    return [{"role": "system", "content": system}, *given] if system else given


def _put_back(provider: str, request: dict[str, Any], messages: list[Any]) -> None:
    """Put checked messages where `_messages` took them from."""
    if provider == "openai_completions":
        texts = [message["content"] for message in messages]
        prompt = request["prompt"]
        if isinstance(prompt, list):
            rest = iter(texts)
            texts = [next(rest) if isinstance(each, str) else each for each in prompt]
        request["prompt"] = texts if isinstance(prompt, list) else texts[0]
        return
    if request.get(_SYSTEM.get(provider, "")):
        request[_SYSTEM[provider]] = messages[0]["content"]
        messages = messages[1:]
    if isinstance(request[_LISTS[provider]], str):
        request[_LISTS[provider]] = messages[0]["content"]
    else:
        request[_LISTS[provider]] = messages

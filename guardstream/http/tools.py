"""The tools that a request names, whose schemas judge the arguments of their calls."""

from __future__ import annotations

from collections.abc import Iterator
from json import dumps
from typing import Any

from guardstream.errors import AdapterError
from guardstream.framing.json import json_object
from guardstream.guard import Guard
from guardstream.http.request import RefusedError
from guardstream.jsonstream.errors import SchemaError

_MOST = 256  # tools of a request
_LARGEST = 100_000  # characters of their schemas as JSON, in all

_WHERE = ("openai_chat", "openai_responses", "openai_completions", "anthropic")
"""The formats whose requests are known."""


def for_request(guard: Guard, provider: str | None, body: bytes) -> Guard:
    """Return a guard that judges the answer to the request `body`.

    It is the same guard unless its policy says `tools: from_request`. Raises RefusedError for a
    tool that is not of the request's format, and for a schema that cannot be used or is too large.
    """
    if not guard.policy.needs_request:
        return guard
    if provider not in _WHERE:
        raise RefusedError(400, "unknown_tools", "requests of this format name no known tools")
    try:
        request = json_object(body)
    except AdapterError as error:
        raise RefusedError(400, "invalid_json", str(error)) from error
    try:
        tools = dict(_tools(request or {}))
        size = len(dumps(tools))
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        why = "the tools of the request cannot be read"
        raise RefusedError(400, "invalid_tools", why) from error
    if size > _LARGEST or len(tools) > _MOST:
        why = "the tools of the request are too large to judge by"
        raise RefusedError(400, "tools_too_large", why)
    try:
        return guard.with_tools(tools)
    except (SchemaError, RecursionError) as error:
        why = "the schema of a tool cannot be used"
        raise RefusedError(400, "invalid_tools", why) from error


def _tools(request: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each tool's name and schema; None for a tool whose arguments are a text.

    https://platform.openai.com/docs/api-reference/chat/create, …/responses/create and
    https://docs.anthropic.com/en/api/messages.
    """
    for function in request.get("functions") or ():
        yield _named(function["name"]), _schema(function.get("parameters"))
    for tool in request.get("tools") or ():
        kind = tool.get("type", "custom" if "input_schema" in tool else "function")
        inner = tool.get(kind)
        if "input_schema" in tool:  # Anthropic's
            yield _named(tool["name"]), _schema(tool["input_schema"])
        elif kind == "function":
            function = inner if isinstance(inner, dict) else tool
            yield _named(function["name"]), _schema(function.get("parameters"))
        elif kind == "custom":  # free text
            yield _named((inner if isinstance(inner, dict) else tool)["name"]), None
        elif isinstance(tool.get("name"), str):  # of the provider's own
            yield tool["name"], True


def _named(name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError("a name is no text")
    return name


def _schema(schema: Any) -> Any:
    """A tool that takes no arguments has no schema."""
    return {"type": "object"} if schema is None else schema

"""The tools of a request, whose schemas validate the arguments of their calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from json import dumps
from typing import Any

from guardstream.framing.json import json_object
from guardstream.guard import Guard
from guardstream.http.request import RefusedError, refused
from guardstream.jsonstream.errors import SchemaError
from guardstream.jsonstream.schema.gemini import as_json_schema
from guardstream.policy.json_section import ANY_TOOL, NAMELESS

_MOST = 256  # tools of a request
_LARGEST = 100_000  # characters of their schemas as JSON, in all


def for_request(guard: Guard, format: str | None, body: bytes) -> Guard:
    """Return a guard for the answer to the request `body`, as it was forwarded.

    It uses the schemas that the model got, including masks in them. It is the same guard unless its
    policy says `tools: from_request`. Raises RefusedError for a tool that is not of the request's
    format, and for a schema that cannot be used or is too large.
    """
    if not guard.policy.needs_request:
        return guard
    tools_of = _TOOLS.get(str(format))
    if tools_of is None:
        raise RefusedError(400, "unknown_tools", "requests of this format name no known tools")
    with refused():
        request = json_object(body)
    try:
        tools = _by_name(tools_of(request or {}))
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


def _by_name(found: Iterator[tuple[str, Any]]) -> dict[str, Any]:
    """Return the schemas of tools by name.

    TypeError for an invalid schema, RefusedError for a name with two schemas.
    """
    tools: dict[str, Any] = {}
    for name, schema in found:
        if not (schema is None or isinstance(schema, (dict, bool))):
            raise TypeError("a schema is an object, or true or false")
        if tools.setdefault(name, schema) != schema:
            why = f"two tools of the request are named {name[:64]!r}, with different schemas"
            raise RefusedError(400, "invalid_tools", f"{why}: rename one of them")
    return tools


def _tools(request: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield each tool's name and schema; None for a tool whose arguments are a text.

    A schema of the request itself counts; for a tool that it only names, the listed one does.

    https://platform.openai.com/docs/api-reference/chat/create, …/responses/create and
    https://docs.anthropic.com/en/api/messages. Requests to Ollama and to Cohere's v2 chat name
    tools as OpenAI's do.
    """
    for function in request.get("functions") or ():
        yield _named(function["name"]), _schema(function.get("parameters"))
    named = [each for tool in request.get("tools") or () for each in _tool(tool)]
    named = _without_disabled([*named, *_of_servers(request)])
    listed = dict(each for tool in _listed(request.get("input")) for each in _tool(tool))
    judged = {name for name, schema in named if schema is not True}
    yield from (each for each in named if each[0] in judged or each[0] not in listed)
    yield from (each for each in listed.items() if each[0] not in judged)


def _tool(tool: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    kind = tool.get("type", "custom" if "input_schema" in tool else "function")
    inner = tool.get(kind)
    if "input_schema" in tool:  # Anthropic's
        yield _named(tool["name"]), _schema(tool["input_schema"])
    elif kind == "function":
        function = inner if isinstance(inner, dict) else tool
        yield _named(function["name"]), _schema(function.get("parameters"))
    elif kind == "custom":  # free text
        yield _named((inner if isinstance(inner, dict) else tool)["name"]), None
    elif kind == "namespace":
        yield from _tools({"tools": tool.get("tools")})
    elif isinstance(tool.get("name"), str):  # the provider's own
        yield from ((name, True) for name in (tool["name"], *_PARTS.get(tool["name"], ())))
    elif kind == "mcp":
        yield from _of_server(tool.get("allowed_tools"))
    elif kind == "mcp_toolset":
        yield from _of_toolset(tool)
    else:  # OpenAI's own, whose arguments are a text
        yield from ((NAMELESS, None), (_named(kind), None))


_PARTS = {"code_execution": ("bash_code_execution", "text_editor_code_execution")}
"""Anthropic's tools whose calls have other names: code execution, since its second version."""

_LISTS = ("tool_search_output", "additional_tools", "mcp_list_tools")
"""Items of earlier responses that list tools."""


def _listed(items: Any) -> Iterator[Any]:
    """Yield the tools that a request to OpenAI's responses repeats, the latest last."""
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and item.get("type") in _LISTS:
            yield from item.get("tools") or ()


def _of_server(allowed: Any) -> Iterator[tuple[str, Any]]:
    """Yield the tools of an MCP server: those that a request allows, or any if it names none."""
    names = allowed.get("tool_names") if isinstance(allowed, dict) else allowed
    if names is None:
        yield ANY_TOOL, True
    else:
        yield from ((_named(name), True) for name in names)


_DISABLED = object()
"""Marks a tool that its MCP toolset disables, while the toolset allows any others."""


def _without_disabled(named: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return the tools. A disabled one gets the schema False, which allows no call.

    A tool is disabled if all toolsets that may have it disable it, and the request names it nowhere
    else.
    """
    others = [each for each in named if each[1] is not _DISABLED]
    known, any_tool = {name for name, _ in others}, others.count((ANY_TOOL, True))
    disabled = Counter(name for name, schema in named if schema is _DISABLED)
    may_not = [name for name in disabled if disabled[name] == any_tool and name not in known]
    return [*others, *((name, False) for name in may_not)]


def _of_toolset(tool: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the tools of an MCP server, in Anthropic's requests.

    https://platform.claude.com/docs/en/agents-and-tools/mcp-connector
    """
    listed, configs = tool.get("tools"), tool.get("configs") or {}
    if listed is not None:
        yield from ((_named(each["name"]), _schema(each.get("input_schema"))) for each in listed)
    elif (tool.get("default_config") or {}).get("enabled", True):
        yield ANY_TOOL, True
        disabled = (name for name, own in configs.items() if not own.get("enabled", True))
        yield from ((_named(name), _DISABLED) for name in disabled)
    else:
        yield from ((_named(name), True) for name, own in configs.items() if own.get("enabled"))


def _of_servers(request: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the tools of Anthropic's MCP servers without a toolset, an older form of the API."""
    toolsets = {tool.get("mcp_server_name") for tool in request.get("tools") or ()}
    for server in request.get("mcp_servers") or ():
        allowed = server.get("tool_configuration") or {}
        if server.get("name") not in toolsets and allowed.get("enabled", True):
            yield from _of_server(allowed.get("allowed_tools"))


_DECLARATIONS = ("functionDeclarations", "function_declarations")


def _of_gemini(request: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the functions of Gemini's request: https://ai.google.dev/api/caching#Tool.

    Calls of its own tools have no names.
    """
    for tool in request.get("tools") or ():
        if tool.keys() - _DECLARATIONS:
            yield NAMELESS, None
        for name in _DECLARATIONS:
            for function in tool.get(name) or ():
                yield _named(function["name"]), _gemini_schema(function)


def _gemini_schema(function: dict[str, Any]) -> Any:
    """Return a function's schema, in Gemini's form or as a JSON Schema."""
    for name in ("parametersJsonSchema", "parameters_json_schema"):
        if function.get(name) is not None:
            return function[name]
    own = function.get("parameters")
    return as_json_schema(own) if isinstance(own, dict) else _schema(own)


def _of_bedrock(request: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the tools of Converse, and of Nova's own requests.

    https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolConfiguration.html.
    """
    for tool in (request.get("toolConfig") or {}).get("tools") or ():
        if "toolSpec" in tool:
            yield _named(tool["toolSpec"]["name"]), tool["toolSpec"]["inputSchema"]["json"]
        elif "systemTool" in tool:
            yield _named(tool["systemTool"]["name"]), True


def _of_model(request: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the tools of a model's own request to Bedrock: Anthropic's, OpenAI's or Nova's."""
    yield from _tools(request)
    yield from _of_bedrock(request)


def _named(name: Any) -> str:
    if not isinstance(name, str) or name == ANY_TOOL:
        raise TypeError("a name is not the name of a tool")
    return name


def _schema(schema: Any) -> Any:
    """Return a tool's schema; a tool without arguments has none."""
    return {"type": "object"} if schema is None else schema


_TOOLS: Mapping[str, Callable[[dict[str, Any]], Iterator[tuple[str, Any]]]] = {
    "openai_chat": _tools,
    "openai_responses": _tools,
    "openai_completions": _tools,
    "anthropic": _tools,
    "ollama": _tools,
    "cohere": _tools,
    "gemini": _of_gemini,
    "bedrock": _of_bedrock,
    "bedrock_invoke": _of_model,
}
"""The functions that find the tools of a request, by the format of its answer."""

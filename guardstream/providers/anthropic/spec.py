"""The events of Anthropic's messages, field by field.

Text is a delta where it is streamed and a copy wherever it is repeated. What comes whole (tool
results, citations) is a copy everywhere: it is guarded when it first comes, and recognised when it
is repeated.
"""

from __future__ import annotations

from guardstream.providers.adapter import Kind
from guardstream.providers.spec import (
    END,
    KEEP,
    META,
    NAME,
    NUMBER,
    Arguments,
    Leaf,
    OneOf,
    Spec,
    Tree,
)

_RESULT = Tree(
    Leaf("copy", "text", "tool_result"),
    frozenset({"type", "id", "tool_use_id", "file_id", "encrypted_content", "encrypted_index"})
    | {"media_type", "file_type", "error_code", "retrieved_at", "stop_reason"}
    | {"tool_name", "return_code"},
)
"""The result of a server tool: text, except for ids and marks."""

_CITATION = Tree(
    Leaf("copy", "text", "citation"), frozenset({"type", "file_id", "encrypted_index"})
)

_CALLER: Spec = {"type": META, "tool_id": META}
_CONTAINER: Spec = {
    **dict.fromkeys(("id", "expires_at"), META),
    "skills": [dict.fromkeys(("skill_id", "type", "version"), META)],
}
_MODEL: Spec = {"model": META}
_TRIGGER: Spec = {"type": META, "category": META}
_TRANSFORMED: Spec = [dict.fromkeys(("type", "path", "reason"), META)]
"""What Anthropic left out of a request, by its place."""

_COMPACTED: dict[str, Spec] = {
    **dict.fromkeys(("encrypted_content", "signature"), META),
    "tool_changes": [{"type": META, "tool": dict.fromkeys(("type", "name", "server_name"), META)}],
}
"""What goes with a summary; a client sends it back as it is."""

_LISTED: Spec = {
    "type": KEEP,
    "mcp_server_name": META,
    "tools": [
        {
            "name": META,
            **{
                name: Tree(Leaf("copy", "text", "tools"))
                for name in ("description", "input_schema")
            },
        }
    ],
}
"""The tools of an MCP server."""

_TOOL: dict[str, Spec] = {
    "type": KEEP,
    "id": META,
    "name": NAME,
    **dict.fromkeys(("server_name", "toolset_name"), META),
    "caller": _CALLER,
    "input": Leaf("parsed", "tool_args", "input"),
}
WHOLE_TOOL: dict[str, Spec] = {**_TOOL, "input": Arguments(Leaf("delta", "tool_args", "input"))}
"""A call whose input is repeated nowhere; nothing is left of one that is cut."""

_RESULTS = (
    "web_search_tool_result",
    "web_fetch_tool_result",
    "code_execution_tool_result",
    "bash_code_execution_tool_result",
    "text_editor_code_execution_tool_result",
    "tool_search_tool_result",
    "mcp_tool_result",
    "advisor_tool_result",
)


def block_spec(kind: Kind, tool: Spec = _TOOL) -> OneOf:
    """A content block: deltas continue the text at its start, and its end repeats all of it.

    `tool` is the spec of a call.
    """
    result: Spec = {
        "type": KEEP,
        "tool_use_id": META,
        "caller": _CALLER,
        "is_error": NUMBER,
        "content": _RESULT,
    }
    return OneOf(
        "type",
        {
            "text": {
                "type": KEEP,
                "text": Leaf(kind, "text", "text"),
                "citations": [_CITATION],
                "parsed_output": Leaf("parsed", "text", "text"),
            },
            "thinking": {
                "type": KEEP,
                "thinking": Leaf(kind, "thinking", "thinking"),
                "signature": META,
            },
            "redacted_thinking": {"type": KEEP, "data": META},
            **dict.fromkeys(("tool_use", "server_tool_use", "mcp_tool_use"), tool),
            "container_upload": {"type": KEEP, "file_id": META},
            "compaction": {
                "type": KEEP,
                "content": Leaf(kind, "text", "compaction"),
                **_COMPACTED,
            },
            "fallback": {
                "type": KEEP,
                **dict.fromkeys(("from", "to", "from_"), _MODEL),
                "trigger": _TRIGGER,
            },
            "mcp_tool_listing": _LISTED,
            **dict.fromkeys(_RESULTS, result),
        },
    )


_STOP_DETAILS = Tree(
    Leaf("copy", "text", "stop_details"),
    frozenset({"type", "category", "fallback_credit_token", "recommended_model"}),
)


def message_spec(kind: Kind, tool: Spec = _TOOL) -> dict[str, Spec]:
    """A whole message; `kind` is that of its text, `tool` the spec of a call."""
    return {
        **dict.fromkeys(("id", "type", "role", "model", "usage"), KEEP),
        "container": _CONTAINER,
        **dict.fromkeys(("context_management", "diagnostics"), META),
        "input_transformations": _TRANSFORMED,
        "content": [block_spec(kind, tool)],
        "stop_reason": END,
        "stop_sequence": META,
        "stop_details": _STOP_DETAILS,
    }


_DELTA = OneOf(
    "type",
    {
        "text_delta": {"type": META, "text": Leaf("delta", "text", "text")},
        "thinking_delta": {
            "type": META,
            "thinking": Leaf("delta", "thinking", "thinking"),
            "estimated_tokens": META,
        },
        "signature_delta": {"type": META, "signature": KEEP},
        "input_json_delta": {"type": META, "partial_json": Leaf("delta", "tool_args", "input")},
        "citations_delta": {"type": KEEP, "citation": _CITATION},
        "compaction_delta": {
            "type": META,
            "content": Leaf("last", "text", "compaction"),  # it comes in one piece
            "encrypted_content": KEEP,
        },
    },
)

SPEC = OneOf(
    "type",
    {
        "ping": {"type": KEEP},
        "message_start": {"type": KEEP, "message": message_spec("whole")},
        "content_block_start": {
            "type": KEEP,
            "index": NUMBER,
            "content_block": block_spec("delta"),
        },
        "content_block_delta": {"type": META, "index": NUMBER, "delta": _DELTA},
        "content_block_stop": {"type": KEEP, "index": NUMBER, "content_block": block_spec("copy")},
        "message_delta": {
            "type": META,
            "delta": {
                "stop_reason": END,
                "stop_sequence": META,
                "stop_details": _STOP_DETAILS,
                "container": _CONTAINER,
            },
            "usage": KEEP,
            "context_management": META,
            "input_transformations": _TRANSFORMED,
        },
        "message_stop": {
            "type": KEEP,
            "message": message_spec("copy"),
            "amazon-bedrock-invocationMetrics": META,
        },
        "error": {
            "type": KEEP,
            "error": {"type": META, "message": Leaf("whole", "text", "error"), "details": META},
            "request_id": META,
        },
        # What the helper adds after the raw events.
        "text": {
            "type": META,
            "text": Leaf("echo", "text", "text"),
            "snapshot": Leaf("copy", "text", "text"),
        },
        "thinking": {
            "type": META,
            "thinking": Leaf("echo", "thinking", "thinking"),
            "snapshot": Leaf("copy", "thinking", "thinking"),
        },
        "input_json": {
            "type": META,
            "partial_json": Leaf("echo", "tool_args", "input"),
            "snapshot": Leaf("parsed", "tool_args", "input"),
        },
        "citation": {"type": KEEP, "citation": _CITATION, "snapshot": [_CITATION]},
        "signature": {"type": KEEP, "signature": META},
        "compaction": {
            "type": KEEP,
            "content": Leaf("copy", "text", "compaction"),
            "encrypted_content": META,
        },
    },
)

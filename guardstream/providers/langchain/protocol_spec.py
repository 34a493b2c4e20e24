"""The events of LangChain's protocol (v3), field by field.

A block's text comes twice: in its start and its deltas, and as a whole at its end. So text in a
block's start is a delta of its slot, too, and text in its end is a copy.
"""

from __future__ import annotations

from guardstream.providers.adapter import Kind
from guardstream.providers.langchain.spec import SPEC, TOOL_MESSAGES
from guardstream.providers.spec import (
    ABOUT,
    KEEP,
    META,
    NAME,
    NUMBER,
    REQUEST,
    SKIP,
    UNKNOWN,
    Leaf,
    OneOf,
    Spec,
    Tree,
)

_BLOCK: dict[str, Spec] = {
    **dict.fromkeys(("type", "id", "index"), META),
    "extras": Tree(UNKNOWN, frozenset({"signature", "encrypted_content", "item_id"})),
}
_RESULT = Tree(Leaf("whole", "text", "tool_result"), frozenset({"type", "id", "mime_type"}))
_OUTPUT = OneOf("type", {name: SPEC.specs[name] for name in TOOL_MESSAGES}, Tree(_RESULT.leaf))
"""The result of an application's tool: a message, or a value of its own."""

_CITATION = Tree(Leaf("whole", "text", "citation"), frozenset({"type", "id"}))
_MEDIA: dict[str, Spec] = {
    **_BLOCK,
    **dict.fromkeys(("file_id", "url", "base64", "data", "mime_type"), META),
}
_LATER = Leaf("later", "tool_args", "args")
"""All of a call's arguments so far, as older versions say them: they come with the call's end."""


def _blocks(kind: Kind, snapshot: Leaf) -> OneOf:
    """Return what blocks are: texts of a `kind`, and calls with their unparsed arguments."""
    called: dict[str, Spec] = {**_BLOCK, "name": NAME}
    chunk = {**called, "args": snapshot}
    whole = {**called, "args": Leaf("parsed", "tool_args", "args")}
    text = Leaf(kind, "text", "text")
    thinking = Leaf(kind, "thinking", "thinking")
    return OneOf(
        "type",
        {
            "text": {**_BLOCK, "text": text, "annotations": _CITATION},
            "reasoning": {**_BLOCK, "reasoning": thinking},
            **dict.fromkeys(("tool_call_chunk", "server_tool_call_chunk"), chunk),
            **dict.fromkeys(("tool_call", "server_tool_call"), whole),
            "invalid_tool_call": {
                **called,
                "args": Leaf("copy", "tool_args", "args"),
                "error": Leaf("whole", "text", "error"),
            },
            "server_tool_result": {
                **_BLOCK,
                **dict.fromkeys(("tool_call_id", "status"), META),
                "output": _RESULT,
            },
            **dict.fromkeys(("image", "video", "audio", "file"), _MEDIA),
        },
    )


_ARGUMENTS = Leaf("delta", "tool_args", "args")
_STARTED, _ENDED = _blocks("delta", _ARGUMENTS), _blocks("copy", Leaf("copy", "tool_args", "args"))
_DELTA = OneOf(
    "type",
    {
        "text-delta": {"type": META, "text": Leaf("delta", "text", "text")},
        "reasoning-delta": {"type": META, "reasoning": Leaf("delta", "thinking", "thinking")},
        "tool-call-delta": {"type": META, "args": _ARGUMENTS},
        "data-delta": {"type": KEEP, "data": META, "encoding": META},
        "block-delta": {"type": KEEP, "fields": _blocks("copy", _LATER)},
    },
)

_ABOUT: dict[str, Spec] = {
    **dict.fromkeys(("finish_reason", "stop_reason", "stop_sequence", "id", "status"), META),
    **dict.fromkeys(("provider", "model", "model_type", "model_name", "model_provider"), META),
    **dict.fromkeys(("run_id", "thread_id", "system_fingerprint", "service_tier"), META),
    **dict.fromkeys(("langgraph_node", "output_version", "object", "created"), META),
    "logprobs": ABOUT,
}
_ROUTE: dict[str, Spec] = {"event": KEEP, **dict.fromkeys(("run_id", "message_id"), META)}
_AT: dict[str, Spec] = {**_ROUTE, "index": NUMBER}
_ERROR: dict[str, Spec] = {"code": META, "message": Leaf("whole", "text", "error")}
_TOOL: dict[str, Spec] = {"event": KEEP, "tool_call_id": META}

MESSAGE = OneOf(
    "event",
    {
        "message-start": {**_ROUTE, "role": META, "id": META, "metadata": _ABOUT},
        "content-block-start": {**_AT, "content": _STARTED, "content_block": _STARTED},
        "content-block-delta": {**_AT, "event": META, "delta": _DELTA, "content_block": _STARTED},
        "content-block-finish": {**_AT, "content": _ENDED, "content_block": _ENDED},
        "message-finish": {**_ROUTE, "usage": KEEP, "metadata": _ABOUT},
        "error": {**_ROUTE, **_ERROR},
    },
)
_TOOLS = OneOf(
    "event",
    {
        "tool-started": {
            **_TOOL,
            "tool_name": NAME,
            "input": Leaf("parsed", "tool_args", "args"),
        },
        "tool-output-delta": {**_TOOL, "delta": Leaf("delta", "text", "tool_output")},
        "tool-finished": {**_TOOL, "output": _OUTPUT},
        "tool-error": {**_TOOL, **_ERROR},
    },
)
_LIFECYCLE: dict[str, Spec] = {
    **dict.fromkeys(("event", "graph_name"), META),
    "cause": dict.fromkeys(("type", "tool_call_id", "from_node"), META),
    "error": Leaf("whole", "text", "error"),
    "checkpoint": dict.fromkeys(("id", "ns"), META),
}

STATES = ("values", "updates", "tasks", "checkpoints", "debug")


def _event(data: Spec, method: Leaf = KEEP) -> dict[str, Spec]:
    params: dict[str, Spec] = {"namespace": [META], "timestamp": NUMBER, "node": META, "data": data}
    params["interrupts"] = UNKNOWN
    return {"type": META, "method": method, "event_id": META, "seq": META, "params": params}


EVENTS: dict[str, Spec] = {
    "messages": _event(MESSAGE, META),
    "tools": _event(_TOOLS, META),
    "lifecycle": _event(_LIFECYCLE),
    **dict.fromkeys(STATES, _event(SKIP)),
    **dict.fromkeys(("custom", "input.requested"), _event(UNKNOWN)),
}
PAIR = _event([OneOf("event", MESSAGE.specs, REQUEST)], META)
"""A message's event and its graph's metadata, as in the process that runs the graph."""

"""What the fields of pydantic-ai's events, parts and messages are.

https://ai.pydantic.dev/api/messages/
"""

from __future__ import annotations

from typing import Literal

from guardstream.providers.adapter import Kind
from guardstream.providers.spec import (
    ABOUT,
    KEEP,
    META,
    NAME,
    SKIP,
    Either,
    Leaf,
    OneOf,
    Spec,
    Tree,
)

_MARKS = frozenset({"kind", "part_kind", "tool_call_id", "tool_name", "tool_kind", "id", "data"})
_MARKS |= {"media_type", "format", "identifier", "signature", "encrypted_content", "type", "status"}
_MARKS |= {"outcome", "provider_name", "_identifier", "_media_type", "finish_reason"}

_FILE = Tree(Leaf("whole", "text", "tool_result"), _MARKS)
_FILES = ("binary", "image-url", "audio-url", "video-url", "document-url", "uploaded-file")
_RESULT = OneOf("kind", dict.fromkeys(_FILES, _FILE), Tree(_FILE.leaf))
"""A tool's result: a file, or a value of the application's own."""

_CITATION = Tree(Leaf("whole", "text", "citation"), _MARKS)
_DETAILS = Tree(Leaf("whole", "text", "details"), _MARKS, frozenset({"logprobs"}))

_ABOUT_PART: dict[str, Spec] = {
    **dict.fromkeys(("part_kind", "id", "provider_name", "timestamp", "signature"), META),
    "provider_details": _DETAILS,
}


_RESULT_PART: Spec = {
    **_ABOUT_PART,
    **dict.fromkeys(("tool_name", "tool_call_id", "tool_kind", "outcome"), META),
    **dict.fromkeys(("content", "metadata", "retry"), _RESULT),
}

_OTHER_PARTS: dict[str, Spec] = {
    "builtin-tool-return": _RESULT_PART,
    "tool-return": _RESULT_PART,
    "retry-prompt": _RESULT_PART,
    "file": {**_ABOUT_PART, "content": SKIP},
    "speech": {**_ABOUT_PART, "transcript": Leaf("whole", "text", "speech"), "audio": SKIP},
    # What the caller wrote.
    **dict.fromkeys(("user-prompt", "system-prompt", "instruction", "instructions"), SKIP),
}


def _part(kind: Kind | Literal["grown"]) -> Spec:
    """A part of a response: deltas continue the text at its start, later events repeat it; `grown`
    is the text so far."""
    args: Spec = Leaf(kind, "tool_args", "args")
    if kind == "grown":
        # Its slot is that of `Growing`. An object is complete.
        args = Either(Leaf(kind, "tool_args", "arguments"), Leaf("whole", "tool_args", "arguments"))
    call: Spec = {
        **_ABOUT_PART,
        **dict.fromkeys(("tool_call_id", "tool_kind"), META),
        "tool_name": NAME,
        "args": args,
    }
    text: Spec = {
        **_ABOUT_PART,
        "content": Leaf(kind, "text", "text"),
        "citations": _CITATION,
    }
    compaction: Spec = {
        **_ABOUT_PART,
        "content": Leaf(kind, "text", "compaction"),
        "metadata": _DETAILS,
    }
    return OneOf(
        "part_kind",
        {
            "text": text,
            "thinking": {**_ABOUT_PART, "content": Leaf(kind, "thinking", "thinking")},
            "tool-call": call,
            "builtin-tool-call": call,
            "compaction": compaction,
            **_OTHER_PARTS,
        },
    )


_DELTA = OneOf(
    "part_delta_kind",
    {
        "text": {
            "part_delta_kind": META,
            "content_delta": Leaf("delta", "text", "text"),
            "citations_delta": _CITATION,
            "provider_name": META,
            "provider_details": _DETAILS,
        },
        "thinking": {
            "part_delta_kind": META,
            "content_delta": Leaf("delta", "thinking", "thinking"),
            "signature_delta": KEEP,
            "provider_name": META,
            "provider_details": _DETAILS,
        },
        "tool_call": {
            "part_delta_kind": META,
            "tool_name_delta": NAME,
            "args_delta": Leaf("delta", "tool_args", "args"),
            "tool_call_id": META,
            "provider_name": META,
            "provider_details": _DETAILS,
        },
    },
)

_RESPONSE_MARKS = (
    *("kind", "usage", "model_name", "model_id", "timestamp", "provider_name", "provider_url"),
    *("canonical_system", "provider_response_id", "finish_reason", "run_id", "conversation_id"),
    *("workspace_ref", "history_digest", "failed_attempts", "state", "metadata"),
)


def response_spec(kind: Kind | Literal["grown"]) -> dict[str, Spec]:
    """A model's response; `kind` is that of its texts."""
    return {
        **dict.fromkeys(_RESPONSE_MARKS, META),
        "provider_details": _DETAILS,
        "parts": [_part(kind)],
    }


_MESSAGE = OneOf(
    "kind",
    {
        "request": {
            **dict.fromkeys(_RESPONSE_MARKS, META),
            "instructions": META,
            "parts": [_part("copy")],
        },
        "response": response_spec("copy"),
    },
)

_STATE: Spec = {
    **dict.fromkeys(("usage", "run_id", "conversation_id", "conversation_revision"), META),
    **dict.fromkeys(("metadata", "output_retries_used", "run_step", "last_max_tokens"), META),
    "default_output_modes": META,
    **dict.fromkeys(("last_model_request_parameters", "mcp_tool_defs_cache"), SKIP),
    "event_stream_buffer": ABOUT,
    **dict.fromkeys(("conversation_unchecked", "conversation_saved"), META),
    "message_history": [_MESSAGE],
    "conversation_unsaved": [_MESSAGE],
    "pending_messages": SKIP,
}

_OUTPUT = Either(Leaf("copy", "text", "output"), Leaf("copy", "tool_args", "output"))

_CALL_EVENT: Spec = {"event_kind": KEEP, "part": _part("copy"), "args_valid": META}
_RESULT_EVENT: Spec = {"event_kind": KEEP, "part": _part("copy"), "content": _RESULT}
_PLACE = dict.fromkeys(("index", "previous_part_kind", "next_part_kind", "canonical_system"), META)

SPEC = OneOf(
    "event_kind",
    {
        "part_start": {"event_kind": KEEP, **_PLACE, "part": _part("delta")},
        "part_delta": {"event_kind": META, "index": META, "delta": _DELTA},
        "part_end": {"event_kind": KEEP, **_PLACE, "part": _part("copy")},
        "final_result": {"event_kind": KEEP, "tool_name": META, "tool_call_id": META},
        "function_tool_call": _CALL_EVENT,
        "output_tool_call": _CALL_EVENT,
        "builtin_tool_call": _CALL_EVENT,
        "function_tool_result": _RESULT_EVENT,
        "output_tool_result": _RESULT_EVENT,
        "builtin_tool_result": _RESULT_EVENT,
        "deferred_tool_requests": {
            "event_kind": KEEP,
            "requests": {
                "calls": [_part("copy")],
                "approvals": [_part("copy")],
                **dict.fromkeys(("metadata", "context"), Tree(_DETAILS.leaf)),
            },
        },
        "deferred_tool_results": {"event_kind": KEEP, "results": _RESULT},
        "agent_run_result": {
            "event_kind": KEEP,
            "result": {
                "output": _OUTPUT,
                "_state": _STATE,
                "_output_tool_name": META,
                "_new_message_index": META,
                "_traceparent_value": META,
                "_workspace": SKIP,
            },
        },
    },
)

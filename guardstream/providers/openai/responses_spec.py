"""The events of the Responses API, field by field.

Streamed text is a delta of its slot, and a copy wherever it is repeated: in done events, in items
and in the response at the end. Text that comes whole (a search query, a tool's result) is a copy
everywhere: it is guarded when it first comes, and recognised when it is repeated.
"""

from __future__ import annotations

from typing import Any

from guardstream.events import FinishReason
from guardstream.providers.adapter import Kind
from guardstream.providers.openai.azure import FILTERED
from guardstream.providers.spec import (
    ABOUT,
    KEEP,
    META,
    NAME,
    NUMBER,
    PADDED,
    REQUEST,
    Leaf,
    OneOf,
    Spec,
    Tree,
)

_IDS = frozenset(
    {"type", "id", "call_id", "file_id", "container_id", "caller_id", "status", "detail", "role"}
    | {"image_url", "file_data", "file_url", "screenshot", "encrypted_content"}
)
"""Ids and marks in values of any shape, and files, none of which is text."""


def _whole(channel: str, field: str) -> Tree:
    return Tree(Leaf("copy", channel, field), _IDS, own=frozenset({"env"}))


ANNOTATION = _whole("text", "annotations")


def part_spec(kind: Kind) -> Spec:
    """A part of a message or of reasoning."""
    return OneOf(
        "type",
        {
            "output_text": {
                "type": KEEP,
                "text": Leaf(kind, "text", "text"),
                "annotations": [ANNOTATION],
                "logprobs": ABOUT,
                "parsed": Leaf("parsed", "text", "text"),
            },
            "refusal": {"type": KEEP, "refusal": Leaf(kind, "refusal", "refusal")},
            "reasoning_text": {"type": KEEP, "text": Leaf(kind, "thinking", "reasoning")},
            "summary_text": {"type": KEEP, "text": Leaf(kind, "thinking", "summary")},
        },
    )


def _thought_spec(kind: Kind) -> Spec:
    """A part of reasoning; LiteLLM repeats a summary as text, in the response at the end."""
    parts = part_spec(kind)
    assert isinstance(parts, OneOf)
    repeated = {"text": Leaf(kind, "thinking", "summary"), "annotations": [ANNOTATION]}
    return parts._replace(specs={**parts.specs, "output_text": {"type": KEEP, **repeated}})


_ITEM: dict[str, Spec] = {
    "type": KEEP,
    **dict.fromkeys(("id", "status", "call_id", "namespace", "async_"), META),
    "caller": {"type": META, "caller_id": META},
    "name": NAME,
    **dict.fromkeys(("async", "created_by", "server_label", "execution", "agent"), META),
}


def _arguments(kind: Kind, field: str = "arguments") -> Spec:
    return {
        **_ITEM,
        "approval_request_id": META,
        field: Leaf(kind, "tool_args", field),
        "parsed_arguments": Leaf("parsed", "tool_args", "arguments"),
        "output": _whole("text", "tool_result"),
        "error": _whole("text", "tool_result"),
    }


def _streamed(kind: Kind) -> dict[str, Spec]:
    """Items whose text is streamed."""
    return {
        "message": {**_ITEM, "role": META, "phase": META, "content": [part_spec(kind)]},
        "reasoning": {
            **_ITEM,
            **dict.fromkeys(("encrypted_content", "format", "signature", "role"), META),
            "summary": [part_spec(kind)],
            "content": [_thought_spec(kind)],
        },
        "function_call": _arguments(kind),
        "mcp_call": _arguments(kind),
        "custom_tool_call": _arguments(kind, "input"),
        "code_interpreter_call": {
            **_ITEM,
            "container_id": META,
            "code": Leaf(kind, "tool_args", "code"),
            "outputs": [
                {"type": META, "url": META, "logs": Leaf("copy", "text", "tool_result")},
            ],
        },
        "shell_call": {
            **_ITEM,
            "environment": {"type": META, "container_id": META},
            "action": {
                **dict.fromkeys(("timeout_ms", "max_output_length"), NUMBER),
                "commands": [Leaf(kind, "tool_args", "commands")],
            },
        },
        "apply_patch_call": {
            **_ITEM,
            "operation": {
                "type": META,
                "path": Leaf("copy", "tool_args", "path"),
                "diff": Leaf(kind, "tool_args", "diff"),
            },
        },
        "shell_call_output": {
            **_ITEM,
            "max_output_length": NUMBER,
            "output": [_shell_output(kind)],
        },
        "doubao_app_call": {**_ITEM, "feature": META, "blocks": [_block(kind)]},
    }


def _block(kind: Kind) -> Spec:
    """What an app of Doubao's (Volcengine Ark) says, or searches for."""
    block: dict[str, Spec] = dict.fromkeys(("type", "id", "parent_id", "status"), META)
    found: Spec = {**block, "summary": _RESULT, "queries": _CALL, "results": _RESULT}
    return OneOf(
        "type",
        {
            "output_text": {**block, "text": Leaf(kind, "text", "app_text")},
            "reasoning_text": {
                **block,
                "reasoning_text": Leaf(kind, "thinking", "app_reasoning"),
            },
            "search": found,
            "reasoning_search": found,
        },
    )


def _shell_output(kind: Kind) -> Spec:
    return {
        "created_by": META,
        "outcome": {"type": META, "exit_code": NUMBER},
        "stdout": Leaf(kind, "text", "stdout"),
        "stderr": Leaf(kind, "text", "stderr"),
    }


_CALL = _whole("tool_args", "action")
_RESULT = _whole("text", "tool_result")

_TOOLS = Tree(
    Leaf("copy", "text", "tool_result"),
    frozenset({"type"}),
    own=frozenset({"annotations", "const", "default", "enum", "examples"}),
)
_FOUND = Tree(Leaf("copy", "text", "tool_result"), frozenset({"file_id", "vector_store_id"}))
"""Values in which names are of others' making: an attribute or argument may be called `status`."""

_WHOLE: dict[str, Spec] = {
    "file_search_call": {**_ITEM, "queries": _CALL, "results": _FOUND},
    "web_search_call": {
        **_ITEM,
        "action": _CALL,
        "arguments": Leaf("copy", "tool_args", "action"),
    },
    "computer_call": {
        **_ITEM,
        "action": _CALL,
        "actions": _CALL,
        "pending_safety_checks": _RESULT,
    },
    "computer_call_output": {**_ITEM, "output": _RESULT, "acknowledged_safety_checks": _RESULT},
    "local_shell_call": {**_ITEM, "action": _whole("tool_args", "local_shell")},
    "local_shell_call_output": {**_ITEM, "output": _RESULT},
    "apply_patch_call_output": {**_ITEM, "output": _RESULT},
    "function_call_output": {**_ITEM, "output": _RESULT},
    "custom_tool_call_output": {**_ITEM, "output": _RESULT},
    "tool_search_call": {**_ITEM, "arguments": Tree(Leaf("copy", "tool_args", "action"))},
    "tool_search_output": {**_ITEM, "tools": _TOOLS},
    "additional_tools": {**_ITEM, "role": META, "tools": _TOOLS},
    "mcp_list_tools": {**_ITEM, "tools": _TOOLS, "error": _RESULT},
    "mcp_approval_request": {**_ITEM, "arguments": Leaf("copy", "tool_args", "arguments")},
    "mcp_approval_response": {
        **_ITEM,
        **dict.fromkeys(("approval_request_id", "approve"), META),
        "reason": _RESULT,
    },
    "program": {**_ITEM, "fingerprint": META, "code": _CALL},
    "program_output": {**_ITEM, "result": _RESULT},
    "openrouter:fusion": {
        **_ITEM,
        **dict.fromkeys(("analysis", "responses", "sources", "failed_models", "error"), _RESULT),
        "failure_reason": META,
    },
    "compaction": {**_ITEM, "encrypted_content": META},
    "image_generation_call": {
        **_ITEM,
        **dict.fromkeys(("result", "action", "background", "output_format", "quality"), META),
        **dict.fromkeys(("size", "svg_usage"), META),
        "revised_prompt": Leaf("copy", "text", "revised_prompt"),
        "prompt": Leaf("copy", "text", "revised_prompt"),  # xAI's name for it
        "error": _RESULT,
    },
}
"""Items that come whole."""


def item_spec(kind: Kind) -> OneOf:
    """An output item; `kind` is that of its streamed text."""
    return OneOf("type", {**_WHOLE, **_streamed(kind)})


_ECHOED = (
    *("instructions", "input", "metadata", "prompt", "tools", "tool_choice", "text", "user"),
    *("reasoning", "conversation", "previous_response_id", "safety_identifier"),
    *("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "include"),
)
"""The caller's fields, which the response repeats."""

_NUMBERS = (
    *("id", "object", "created_at", "completed_at", "model", "status", "background", "store"),
    *("usage", "service_tier", "temperature", "top_p", "top_k", "top_logprobs", "truncation"),
    *("max_output_tokens", "max_tool_calls", "parallel_tool_calls", "frequency_penalty"),
    *("presence_penalty", "incomplete_details", "moderation", "content_filters", "tool_usage"),
    *("access_programs", "context_management", "image", "input_transformations"),
    *("prompt_cache_diagnostics", "prediction", "stream", "seed", "provider"),
)

_ERROR: Spec = {
    **dict.fromkeys(("type", "code", "param"), META),
    "message": Leaf("copy", "text", "error"),
}


def response_spec(kind: Kind) -> Spec:
    """A whole response."""
    return {
        **dict.fromkeys(_NUMBERS, META),
        **dict.fromkeys(_ECHOED, REQUEST),
        "incomplete_details": {"reason": META},
        "billing": {"payer": META},
        "content_filters": [FILTERED],
        "output": [item_spec(kind)],
        "output_text": Leaf("copy", "text", "output_text"),
        "error": _ERROR,
    }


_EVENT: dict[str, Spec] = {
    "item_id": META,
    **dict.fromkeys(("sequence_number", "output_index", "content_index"), NUMBER),
    **dict.fromkeys(("summary_index", "command_index", "annotation_index"), NUMBER),
    **dict.fromkeys(("block_index", "status_code"), NUMBER),
    **dict.fromkeys(("copilot_usage", "agent", "status", "model", "feature"), META),
    "obfuscation": PADDED,
}

_PLAIN = (
    *(f"response.code_interpreter_call.{at}" for at in ("in_progress", "interpreting")),
    *(f"response.web_search_call.{at}" for at in ("in_progress", "searching")),
    *(f"response.file_search_call.{at}" for at in ("in_progress", "searching")),
    *(f"response.image_generation_call.{at}" for at in ("in_progress", "generating")),
    *(f"response.mcp_{at}" for at in ("call.in_progress", "call.failed")),
    *(f"response.mcp_list_tools.{at}" for at in ("in_progress", "failed")),
    *(
        f"response.{tool}.completed"
        for tool in ("code_interpreter_call", "web_search_call", "file_search_call", "mcp_call")
    ),
    *("response.image_generation_call.completed", "response.mcp_list_tools.completed"),
    *("response.compaction.compacting", "response.audio.done", "response.audio.transcript.done"),
    *(f"response.fusion_call.{at}" for at in ("in_progress", "analysis.in_progress", "completed")),
    "response.fusion_call.panel.added",
    "response.doubao_app_call.in_progress",
    "keepalive",
)

OVER = ("response.completed", "response.incomplete", "response.failed")
LIFE = ("response.created", "response.queued", "response.in_progress", *OVER)
"""Events that carry the whole response."""

REASONS: dict[Any, FinishReason] = {
    "max_output_tokens": "length",
    "content_filter": "content_filter",
}
"""Why a response is incomplete, as the Realtime API says it, too."""

DETAILS = {reason: why for why, reason in REASONS.items()}
"""What an incomplete response says for each of these reasons."""

STREAMED = {
    "output_text": ("text", "text", "text"),
    "refusal": ("refusal", "refusal", "refusal"),
    "reasoning_text": ("thinking", "reasoning", "text"),
    "reasoning_summary_text": ("thinking", "summary", "text"),
    "function_call_arguments": ("tool_args", "arguments", "arguments"),
    "mcp_call_arguments": ("tool_args", "arguments", "arguments"),
    "custom_tool_call_input": ("tool_args", "input", "input"),
    "code_interpreter_call_code": ("tool_args", "code", "code"),
    "shell_call_command": ("tool_args", "commands", "command"),
    "apply_patch_call_operation_diff": ("tool_args", "diff", "diff"),
}
"""Delta and done events by the middle of their name: channel, field, the done event's own field."""

BESIDE = {
    "doubao_app_call_output_text": ("text", "app_text", "text"),
    "doubao_app_call_reasoning_text": ("thinking", "app_reasoning", "text"),
    "fusion_call.panel": ("text", "panel", "content"),
    "fusion_call.panel.reasoning": ("thinking", "panel_reasoning", "content"),
}
"""The same for sources beside the model: Doubao's apps, and models of OpenRouter's fusion."""

PANEL = "fusion_call.panel"


def _events() -> dict[str, Spec]:
    events: dict[str, Spec] = {name: {"type": KEEP, **_EVENT} for name in _PLAIN}
    for name in LIFE:
        events[name] = {"type": KEEP, **_EVENT, "response": response_spec("copy")}
    for name, (channel, field, own) in (STREAMED | BESIDE).items():
        copy = Leaf("copy", channel, field)
        events[f"response.{name}.delta"] = {
            "type": META,
            **_EVENT,
            "delta": Leaf("delta", channel, field),
            "snapshot": copy,
            "logprobs": ABOUT,
        }
        events[f"response.{name}.done"] = {
            "type": KEEP,
            **_EVENT,
            own: copy,
            "name": NAME,
            "logprobs": ABOUT,
            "parsed": Leaf("parsed", channel, field),
        }
    for name, kind in _ITEM_EVENTS.items():
        holder = "item" if "output_item" in name else "part"
        spec = item_spec(kind) if holder == "item" else part_spec(kind)
        events[name] = {"type": KEEP, **_EVENT, holder: spec}
    return events


_ITEM_EVENTS: dict[str, Kind] = {
    "response.output_item.added": "delta",
    "response.output_item.done": "copy",
    "response.content_part.added": "delta",
    "response.content_part.done": "copy",
    "response.reasoning_summary_part.added": "delta",
    "response.reasoning_summary_part.done": "copy",
    "response.reasoning_part.added": "delta",  # vLLM
    "response.reasoning_part.done": "copy",
}

SPEC = OneOf(
    "type",
    {
        **_events(),
        "response.output_text.annotation.added": {
            "type": KEEP,
            **_EVENT,
            "annotation": ANNOTATION,
        },
        "response.shell_call_command.added": {
            "type": KEEP,
            **_EVENT,
            "command": Leaf("delta", "tool_args", "commands"),
        },
        "response.shell_call_output_content.delta": {
            "type": META,
            **_EVENT,
            "delta": _shell_output("delta"),
        },
        "response.shell_call_output_content.done": {
            "type": KEEP,
            **_EVENT,
            "output": [_shell_output("copy")],
        },
        "response.image_generation_call.partial_image": {
            "type": KEEP,
            **_EVENT,
            **dict.fromkeys(("partial_image_b64", "background"), META),
            "partial_image_index": NUMBER,
            **dict.fromkeys(("output_format", "quality", "size"), META),
        },
        f"response.{PANEL}.completed": {
            "type": KEEP,
            **_EVENT,
            "content": Leaf("copy", "text", "panel"),
        },
        f"response.{PANEL}.failed": {"type": KEEP, **_EVENT, "error": _RESULT},
        "response.fusion_call.analysis.completed": {"type": KEEP, **_EVENT, "analysis": _RESULT},
        **{
            f"response.doubao_app_call_block.{at}": {
                "type": KEEP,
                **_EVENT,
                "block": _block("copy"),
            }
            for at in ("added", "done")
        },
        "response.doubao_app_call.completed": {
            "type": KEEP,
            **_EVENT,
            "blocks": [_block("copy")],
        },
        "response.doubao_app_call.failed": {"type": KEEP, **_EVENT, "error_message": _RESULT},
        "response.audio.delta": {"type": KEEP, **_EVENT, "delta": META},
        "response.audio.transcript.delta": {
            "type": META,
            **_EVENT,
            "delta": Leaf("delta", "text", "transcript"),
        },
        "error": {
            "type": KEEP,
            **_EVENT,
            **dict.fromkeys(("code", "param"), META),
            "message": Leaf("copy", "text", "error"),
            "error": _ERROR,
        },
    },
)
"""The events of a stream."""

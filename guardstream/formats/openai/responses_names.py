"""The names of the events of the Responses API, which its file describes.

Streamed text is a delta of its slot, and a copy wherever it is repeated: in done events, in items
and in the response at the end. Text that comes whole (a search query, a tool's result) is a copy
everywhere: it is guarded when it first comes, and recognised when it is repeated.
"""

from __future__ import annotations

from typing import Any

from guardstream.events import FinishReason

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

"""Why a choice ended, as sources of any format say it: gateways pass on the words of others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardstream.events import FinishReason
from guardstream.providers.toolkit.fields import as_text

_FILTERED = (
    *("content_filter", "content_filtered", "sensitive", "safety", "refusal", "blocked"),
    *("blocklist", "prohibited_content", "spii", "image_safety", "guardrail_intervened", "risk"),
)
_FAILED = (
    *("error", "failed", "network_error", "server_error", "internal_error", "abort", "aborted"),
    *("insufficient_system_resource", "engine_overloaded", "malformed_function_call"),
)
_CUT = ("length", "max_tokens", "max_output_tokens", "model_length", "token_limit")
_CALLED = ("tool_calls", "tool_call", "tool_use", "function_call")

_COMMON: Mapping[str, FinishReason] = {
    **dict.fromkeys(_FILTERED, "content_filter"),
    **dict.fromkeys(_FAILED, "error"),
    **dict.fromkeys(_CUT, "length"),
    **dict.fromkeys(_CALLED, "tool_calls"),
}


def reason_of(own: Mapping[Any, FinishReason], told: Any) -> FinishReason:
    """Return the finish reason for what a source says, by its format's `own` words first; what
    nobody knows is a stop."""
    known = own.get(told)
    if known is not None:
        return known
    return _COMMON.get(as_text(told).lower().replace("-", "_").replace(" ", "_"), "stop")

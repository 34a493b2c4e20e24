"""Why a choice ended, as sources of any format say it: gateways pass on the words of others."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from typing import Any, cast

from guardstream.events import FinishReason
from guardstream.formats.adapter import NONE
from guardstream.formats.toolkit.fields import as_text

_FILTERED = (
    *("error_toxic", "recitation", "image_prohibited_content", "image_recitation", "model_armor"),
    *("content_filter", "content_filtered", "sensitive", "safety", "refusal", "blocked"),
    *("blocklist", "prohibited_content", "spii", "image_safety", "guardrail_intervened", "risk"),
)
_FAILED = (
    *("malformed_response", "missing_thought_signature", "too_many_tool_calls"),
    *("unexpected_tool_call", "retries_exhausted", "llm_api_error", "invalid_llm_response"),
    *("error", "failed", "network_error", "server_error", "internal_error", "abort", "aborted"),
    *("insufficient_system_resource", "engine_overloaded", "malformed_function_call"),
)
_CUT = (
    *("length", "max_tokens", "max_output_tokens", "model_length", "token_limit", "max_len"),
    *("max_context", "model_context_window_exceeded", "budget_reached", "exceed_max_iters"),
    *("max_tokens_exceeded", "max_turn_requests", "reason_max_len", "reason_max_context"),
    "reason_time_limit",
)
_CALLED = (
    *("tool_calls", "tool_call", "tool_use", "function_call", "function_calls"),
    *("tool_call_results", "requires_action", "requires_approval", "reason_tool_calls"),
)

_COMMON: Mapping[str, FinishReason] = {
    **dict.fromkeys(_FILTERED, "content_filter"),
    **dict.fromkeys(_FAILED, "error"),
    **dict.fromkeys(_CUT, "length"),
    **dict.fromkeys(_CALLED, "tool_calls"),
    **dict.fromkeys(("timeout", "time_limit"), "timeout"),
    **dict.fromkeys(("cancelled", "interrupted"), "cancelled"),
}

_STOPPED = (
    *("stop", "stop_sequence", "end_turn", "eos", "eos_token", "complete", "completed", "done"),
    *("pause_turn", "finish_reason_stop", "reason_stop", "none", "null"),
)

_WORD = re.compile(r"[A-Za-z][\w .-]{0,63}")


class Told(str):
    """The reason `stop`, for a word of the source that nobody knows."""

    __slots__ = ("word",)
    word: str

    def __new__(cls, word: str) -> Told:
        made = super().__new__(cls, "stop")
        made.word = word
        return made


def known_reason(told: Any) -> FinishReason | None:
    """Return the finish reason for what a source says; None for a stop, and for unknown words."""
    return _COMMON.get(_plain(told))


def reason_of(told: Any, own: Mapping[Any, FinishReason] = NONE) -> FinishReason:
    """Return the finish reason for what a source says, by its format's `own` words first; what
    nobody knows is a stop, and kept with it if it is a word."""
    word = as_text(told)
    known = own.get(told if isinstance(told, Hashable) else word) or known_reason(word)
    if known is not None or _plain(word) in _STOPPED or not _WORD.fullmatch(word):
        return known or "stop"
    return cast("FinishReason", Told(word))


def _plain(told: Any) -> str:
    return as_text(told).lower().replace("-", "_").replace(" ", "_")

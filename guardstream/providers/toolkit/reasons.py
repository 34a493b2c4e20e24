"""Why a choice ended, as sources of any format say it: gateways pass on the words of others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

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


_STOPPED = {
    "stop",
    "stop_sequence",
    "end_turn",
    "eos",
    "eos_token",
    "complete",
    "completed",
    "done",
}
_STOPPED |= {"finish_reason_stop", "none", "null"}

_WORD = re.compile(r"[A-Za-z][\w .-]{0,63}")


class Told(str):
    """The reason `stop`, for a word of the source that nobody knows."""

    __slots__ = ("word",)
    word: str

    def __new__(cls, word: str) -> Told:
        made = super().__new__(cls, "stop")
        made.word = word
        return made


def reason_of(own: Mapping[Any, FinishReason], told: Any) -> FinishReason:
    """Return the finish reason for what a source says, by its format's `own` words first; what
    nobody knows is a stop, and kept with it if it is a word."""
    known = own.get(told)
    if known is not None:
        return known
    word = as_text(told)
    plain = word.lower().replace("-", "_").replace(" ", "_")
    if plain in _COMMON or plain in _STOPPED or not _WORD.fullmatch(word):
        return _COMMON.get(plain, "stop")
    return cast("FinishReason", Told(word))

"""Marks: strings that describe an event, such as ids, kinds and statuses.

They are not shown as text, and changing one may break a client. So a mark passes if it is a known
word of the formats, or looks machine-generated: it has a digit, and no characters that only words
need. Any other string could be text, and is judged.
"""

from __future__ import annotations

import re

MADE_UP = re.compile(r"(?=[^0-9]*[0-9])[\w.:|+/=-]+", re.ASCII).fullmatch
"""Ids, dates, versions, models; and encrypted, signed or binary data in base64."""

KNOWN = {
    *("assistant", "user", "system", "developer", "tool", "function", "model", "agent", "ai"),
    *("stop", "length", "tool_calls", "function_call", "content_filter", "error", "null", "eos"),
    *("end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "complete"),
    *("STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "COMPLETE", "TOOL_CALL", "ERROR_TOXIC"),
    *("completed", "in_progress", "incomplete", "queued", "failed", "cancelled", "requires_action"),
    *("not_finished", "eos_token", "submitted", "working", "generating", "searching", "done"),
    *("auto", "default", "standard", "priority", "flex", "disabled", "enabled", "none", "text"),
    *("chat.completion", "chat.completion.chunk", "text_completion", "response", "message"),
    *("assistants", "thread", "thread.run", "thread.message", "thread.run.step", "interaction"),
    *("thread.message.delta", "thread.run.step.delta", "completion", "prompt", "media", "json"),
    *("safe", "low", "medium", "high", "NEGLIGIBLE", "LOW", "MEDIUM", "HIGH", "client", "server"),
    *("TEXT", "IMAGE", "AUDIO", "VIDEO", "DOCUMENT", "ON_DEMAND", "url_citation", "file_citation"),
    *("analysis", "commentary", "final", "final_answer", "messageStart", "unknown", "number"),
    *("string", "object", "array", "integer", "boolean"),
}
"""The words of formats; the compiler of specs adds the kinds of events and parts."""


def is_mark(text: str) -> bool:
    """Return whether a string is certainly a mark."""
    return text in KNOWN or MADE_UP(text) is not None

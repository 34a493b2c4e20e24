"""Chat-completion chunks: the tool calls in one, and others made of it that say one thing only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.errors import AdapterError
from guardstream.providers.adapter import Call, Slot
from guardstream.providers.fields import fields_of, index_in, only, replaced

PART_TEXT = {
    "text": "text",
    "thinking": "thinking",
    "reasoning.text": "thinking",
    "reasoning.summary": "thinking",
}
"""Channels of the typed parts of Mistral's content lists and OpenRouter's reasoning details."""

PART_FIELDS = ("text", "thinking", "summary")

ASIDE = (
    *("citations", "search_results", "images", "related_questions", "error"),
    "provider_specific_fields",
)
"""Fields of a chunk itself that hold text: what an answer rests on (Perplexity), errors."""


def calls_in(choices: Sequence[Any]) -> Mapping[Slot, Call]:
    """The tool calls that begin in a chunk: a name comes once, with a call's first piece."""
    found: dict[Slot, Call] = {}
    for choice in choices:
        values = fields_of(choice)
        delta = fields_of(values.get("delta"))
        if not (delta.get("tool_calls") or delta.get("function_call")):
            continue
        index = index_in(choice, 0)
        for place, call in enumerate(delta.get("tool_calls") or ()):
            fields = fields_of(call)
            name = fields_of(fields.get("function") or fields.get("custom")).get("name")
            if name:
                slot = Slot(index, "tool_args", "tool_calls", index_in(call, place))
                found[slot] = Call(name, fields.get("id"))
        name = fields_of(delta.get("function_call")).get("name")
        if name:
            found[Slot(index, "tool_args", "function_call")] = Call(name)
    return found


def only_arguments(calls: Sequence[Any], index: int, text: str) -> Any:
    for place, call in enumerate(calls):
        fields = fields_of(call)
        if index_in(call, place) == index:
            name = "function" if fields.get("function") else "custom"
            key = "arguments" if name == "function" else "input"
            return only(call, {"index": index, name: only(fields[name], {key: text})})
    raise AdapterError(f"no tool call {index} in the chunk")


def only_part(parts: Sequence[Any], slot: Slot, text: str) -> Any:
    """Return a list with the last part of the slot's channel, saying only `text`; or that alone."""
    for part in reversed(parts):
        fields = fields_of(part)
        name = next((name for name in PART_FIELDS if fields.get(name)), None)
        if name is None or PART_TEXT.get(fields.get("type", "")) != slot.channel:
            continue
        value: Any = text
        if not isinstance(fields[name], str):
            value = [replaced(fields[name][-1], {"text": text})]
        blank = {key: None for key in ("data", "signature") if fields.get(key)}
        return [replaced(part, {**blank, name: value})]
    if slot.channel == "text":
        return text
    raise AdapterError(f"no part of channel {slot.channel!r} in the chunk")


def choice_of(chunk: Any, index: int) -> Any:
    return next(choice for choice in fields_of(chunk)["choices"] if index_in(choice, 0) == index)


def bare(chunk: Any, choice: Any, delta: Any, reason: str | None, said: str = "") -> Any:
    """Return a chunk like `chunk` with this one choice, which says nothing but `delta`.

    `said` is its answer's text, for servers that say it once more beside the delta.
    """
    values = fields_of(choice)
    keep = {"index", "delta", "finish_reason", "logprobs"}
    blank = {name: None for name in values if name not in ("index", "delta")}
    if isinstance(choice, dict):
        blank = {name: None for name in blank if name in keep}
    updates = {**blank, "index": index_in(choice, 0), "delta": delta, "finish_reason": reason}
    if isinstance(values.get("text"), str):
        updates["text"] = said
    new = dict(updates) if isinstance(choice, dict) else replaced(choice, updates)
    given = fields_of(chunk)
    others = {name: None for name in ("usage", *ASIDE) if given.get(name) is not None}
    return replaced(chunk, {"choices": [new], **others})

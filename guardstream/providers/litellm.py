"""What LiteLLM adds to chat-completion chunks: thinking and citations, once more in other places.

`thinking_blocks` and `provider_specific_fields` repeat what the same delta says in
`reasoning_content`. https://docs.litellm.ai/docs/reasoning_content. Some providers sign tool calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from guardstream.providers.adapter import Slot
from guardstream.providers.fields import fields_of, has_text, only, replaced

REPEATS = ("thinking_blocks", "provider_specific_fields", "reasoning_items")
"""Fields of a delta that may repeat its text."""

_MARKS = frozenset({"type", "signature", "data", "id", "index", "cache_control"})
_MARKS |= {"encrypted_content", "encrypted_index", "tool_use_id", "file_id"}
_SIGNATURES = frozenset({"thought_signature", "thought_signatures"})

Change = Callable[[str], str]


def map_field(
    name: str,
    fields: Mapping[str, Any],
    new: Mapping[str, Any],
    visit: Callable[[str, str, int, str], str],
) -> Any:
    """Change a field that may repeat the delta's own texts, as those were changed.

    `visit` is asked about other texts. Blocks with nothing left to say go.
    """
    texts = ("content", "reasoning_content", "reasoning", "refusal")
    known = {fields[text]: new[text] for text in texts if isinstance(fields.get(text), str)}
    channel = "thinking" if name == "thinking_blocks" else "text"

    def change(text: str) -> str:
        return str(known[text]) if text in known else visit(channel, name, 0, text)

    return _changed(name, fields[name], change)


def _changed(name: str, value: Any, change: Change) -> Any:
    new = _mapped(value, change)
    if new is value:
        return value
    if name == "thinking_blocks":
        return _with_text(new) or None
    blocks = fields_of(new).get("thinking_blocks")
    return replaced(new, {"thinking_blocks": _with_text(blocks)}) if blocks else new


def only_thinking(delta: Any, text: str) -> dict[str, Any]:
    """Return the fields of a delta that repeat its thinking, saying only `text`."""
    fields = fields_of(delta)
    made: dict[str, Any] = {}
    blocks = _thinking(fields.get("thinking_blocks"), text)
    if blocks:
        made["thinking_blocks"] = blocks
    inner = fields.get("provider_specific_fields")
    blocks = _thinking(fields_of(inner).get("thinking_blocks"), text)
    if blocks:
        made["provider_specific_fields"] = only(inner, {"thinking_blocks": blocks})
    return made


def signed(choices: Sequence[Any]) -> list[Slot]:
    """Return the thinking that is over: its signature comes after all of it."""
    found = []
    for choice in choices:
        fields = fields_of(choice)
        delta = fields_of(fields.get("delta"))
        blocks = delta.get("thinking_blocks")
        if blocks and not delta.get("reasoning_content"):
            found.append(Slot(fields.get("index") or 0, "thinking", "reasoning_content"))
    return found


def signatures(call: Mapping[str, Any]) -> frozenset[str]:
    """The fields of a tool call that hold nothing but its signature (Gemini)."""
    names = ("extra_content", "provider_specific_fields")
    return frozenset(name for name in names if name in call and _only_signed(call[name]))


def _only_signed(value: Any) -> bool:
    if not isinstance(value, dict):
        return not has_text(value)
    return all(name in _SIGNATURES or _only_signed(inner) for name, inner in value.items())


def _mapped(value: Any, change: Change) -> Any:
    if isinstance(value, str):
        new = change(value) if value else value
        return value if new == value else new
    if isinstance(value, list):
        items = [_mapped(item, change) for item in value]
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    if value is None or isinstance(value, (bool, int, float)):
        return value
    fields: Mapping[str, Any] = fields_of(value)
    mapped = {name: _mapped(old, change) for name, old in fields.items() if name not in _MARKS}
    updates = {name: new for name, new in mapped.items() if new is not fields[name]}
    return replaced(value, updates) if updates else value


def _with_text(blocks: Any) -> list[Any]:
    said = ("thinking", "signature", "data")
    return [block for block in blocks or () if any(fields_of(block).get(name) for name in said)]


def _thinking(blocks: Any, text: str) -> list[Any]:
    found = [block for block in blocks or () if fields_of(block).get("thinking")]
    return [only(found[-1], {"type": "thinking", "thinking": text})] if found else []

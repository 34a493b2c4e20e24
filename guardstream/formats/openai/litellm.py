"""What LiteLLM adds to chat-completion chunks: thinking and citations, repeated in other places.

`thinking_blocks` and `provider_specific_fields` repeat what the same delta says in
`reasoning_content`. https://docs.litellm.ai/docs/reasoning_content. The spec of chat completions
reads them. This module finds the thinking that a signature ends, and adds the repetitions to chunks
of the guard.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guardstream.formats.adapter import Slot
from guardstream.formats.toolkit.fields import fields_of, index_in, only


def only_thinking(delta: Any, text: str) -> dict[str, Any]:
    """Return the fields of a delta that repeat its thinking, with only `text`."""
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
    """Return the slots of thinking that has ended: its signature comes last."""
    found = []
    for choice in choices:
        fields = fields_of(choice)
        delta = fields_of(fields.get("delta"))
        blocks = delta.get("thinking_blocks")
        if blocks and not delta.get("reasoning_content"):
            found.append(Slot(index_in(fields), "thinking", "reasoning_content"))
    return found


def _thinking(blocks: Any, text: str) -> list[Any]:
    found = [block for block in blocks or () if fields_of(block).get("thinking")]
    return [only(found[-1], {"type": "thinking", "thinking": text})] if found else []

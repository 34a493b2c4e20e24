"""Legacy completion chunks, as objects of the `openai` package or as plain dicts.

The format: https://platform.openai.com/docs/api-reference/completions/object. vLLM, Azure and other
compatible servers send it too, with fields of their own. Log probabilities spell the text out once
more and are left out of chunks whose text changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import Piece, Reading, Released, Slot
from guardstream.formats.openai.chat import PADDING
from guardstream.formats.spec import (
    Leaf,
    Path,
    SpecAdapter,
)
from guardstream.formats.toolkit.fields import fields_of, index_in, replaced
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.reasons import reason_of


class OpenAICompletions(SpecAdapter):
    """The adapter for legacy completion chunks."""

    name = "openai_completions"
    signs_end = True
    spec = spec_of("openai_completions")
    repeats = False
    steady = True
    padding = PADDING
    sse_end = "[DONE]"

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        choice = index_in(event["choices"][path[0]], path[0]) if path else 0
        return Slot(choice, leaf.channel, leaf.field)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        choices = event.get("choices") or ()
        if not isinstance(choices, (list, tuple)):
            choices = ()
        if event.get("error"):
            return Reading(pieces, (), failed=True)
        finished: dict[int, FinishReason] = {}
        for place, choice in enumerate(choices):
            reason = fields_of(choice).get("finish_reason") or event.get("finish_reason")
            if reason:
                finished[index_in(choice, place)] = reason_of(reason)
        indices = [index_in(choice, place) for place, choice in enumerate(choices)]
        return Reading(pieces, indices, finished, usage=event.get("usage"))

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a chunk with only `text`."""
        return [_bare(chunk, slot.choice, text, None)]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return a chunk without text and with `reason` as the finish reason."""
        return [_bare(chunk, choice, "", reason)]


def _bare(chunk: Any, index: int, text: str, reason: str | None) -> Any:
    """Return a chunk like `chunk` with this one choice, which has nothing but a text."""
    choices = fields_of(chunk)["choices"]
    found = next(each for place, each in enumerate(choices) if index_in(each, place) == index)
    blank = {name: None for name, value in fields_of(found).items() if value and name != "index"}
    updates = {**blank, "text": text, "finish_reason": reason}
    if "delta" in blank:
        del updates["delta"]
    beside = {"usage": None, "token": None, "finish_reason": reason}
    there = {name: value for name, value in beside.items() if name in fields_of(chunk)}
    return replaced(chunk, {"choices": [replaced(found, updates)], **there})

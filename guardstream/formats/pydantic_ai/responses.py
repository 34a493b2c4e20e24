"""pydantic-ai's growing responses: what `stream_response()` of a run yields.

https://ai.pydantic.dev/output/#streaming-structured-output. Each chunk is the whole `ModelResponse`
so far, whose parts grow and become more. Consecutive text parts are one text, because citations cut
an answer into parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import Call, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.spec import Leaf, Path
from guardstream.formats.toolkit.fields import fields_of, replaced
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.growing import Growing

_CALLS = frozenset({"tool-call", "builtin-tool-call"})


class PydanticAIResponses(Growing):
    """The adapter for such responses; there is one choice."""

    name = "pydantic_ai_responses"
    spec = spec_of("pydantic_ai_responses")

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown, incremental=False)
        self._latest: Any = None
        self._parts: list[Slot] = []  # the texts of parts, in their order

    def number(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> int:
        """Return the position of a text's part."""
        return path[0] if path else 0

    def called(self, event: Mapping[str, Any]) -> Mapping[int, Call]:
        parts = enumerate(map(fields_of, event.get("parts") or ()))
        return {
            number: Call(part.get("tool_name") or "", part.get("tool_call_id"))
            for number, part in parts
            if _is_call(part)
        }

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        """Return what a response means. A part's text is over when another part follows,
        unless both are text: then the second continues the first."""
        reading = super().meaning(chunk, event, pieces)
        self._latest = chunk
        joined: dict[Slot, Slot] = {}
        complete: list[Slot] = []
        for slot in dict.fromkeys(piece.slot for piece in pieces if piece.kind == "copy"):
            if slot in self._parts:
                continue
            before = self._parts[-1] if self._parts else None
            self._parts.append(slot)
            if before is None:
                continue
            if before.channel == slot.channel == "text" and before.number == slot.number - 1:
                joined[slot] = before
            else:
                complete.append(before)
        return reading._replace(joined=joined, complete=complete)

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a response like the last one, with all text that was released so far."""
        return [self.said_so_far(self._latest, released)]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return a response like the last one without its calls, with a finish reason."""
        made = self.said_so_far(self._latest, released)
        parts = [part for part in fields_of(made)["parts"] if not _is_call(part)]
        return [replaced(made, {"parts": parts, "finish_reason": reason})]


def _is_call(part: Any) -> bool:
    return fields_of(part).get("part_kind") in _CALLS

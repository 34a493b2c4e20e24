"""AgentScope: the responses of its models, and the messages of `stream_printing_messages`.

https://docs.agentscope.io. From version 2, a response has the new text of each block, by the
block's id, and the last response repeats everything. In earlier versions each response has all
blocks so far. So have messages: each is in a tuple with a flag that says whether it is complete. An
agent runs the calls in its model's last response, so that a stream which the guard ends gets one
without calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic_core import from_json

from guardstream.events import FinishReason
from guardstream.formats.adapter import Call, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.spec import (
    Leaf,
    Path,
    Read,
    Spec,
)
from guardstream.formats.toolkit.envelope import Envelope
from guardstream.formats.toolkit.fields import fields_of, replaced
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.growing import Growing
from guardstream.formats.toolkit.paths import Steps
from guardstream.formats.toolkit.readers import Found

_RAW = Leaf("grown", "tool_args", "arguments")
_INPUT = Leaf("whole", "tool_args", "input")
"""The arguments so far, as AgentScope has parsed them."""


_CALLS = ("tool_call", "tool_use")

_MESSAGE = 1_000_000
"""Added to the number of a text for each earlier message."""


class Messages(Growing):
    """Reads responses and messages."""

    name = "agentscope_messages"
    spec: ClassVar[Spec] = spec_of("agentscope_messages")
    deltas: ClassVar[Spec] = spec_of("agentscope_messages", "deltas")
    complete: ClassVar[Spec] = spec_of("agentscope_messages", "complete")

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown, incremental=False)
        self._messages: dict[Any, int] = {}  # by their ids
        self._numbers: dict[tuple[int, str, Any], int] = {}  # of texts, by message, channel and id
        self._open: dict[Slot, None] = {}
        self._blocks: dict[Any, tuple[Slot, Any]] = {}  # blocks that went out in pieces, by id

    def spec_of(self, chunk: Any) -> Spec:
        complete = fields_of(chunk).get("is_last")
        if complete is None:
            return self.spec
        return self.complete if complete else self.deltas

    def choice(self, event: Mapping[str, Any], path: Path) -> int:
        """Return 0: all messages of a stream are one answer."""
        return 0

    def number(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> int:
        """Return the number of a block's text, which no block of another message has."""
        content = event.get("content")
        block = fields_of(content[path[0]]) if isinstance(content, (list, tuple)) and path else {}
        own = block.get("id")
        if own is None or block.get("type") == "tool_result":
            own = (own, _place(content, path), path[1:])
        own = own, block.get("type")
        message = 0
        if "role" in event:
            message = self._messages.setdefault(event.get("id"), len(self._messages))
        within = len(self._numbers)
        return message * _MESSAGE + self._numbers.setdefault((message, leaf.channel, own), within)

    def called(self, event: Mapping[str, Any]) -> Mapping[int, Call]:
        content = event.get("content")
        found: dict[int, Call] = {}
        for place, each in enumerate(content if isinstance(content, (list, tuple)) else ()):
            block = fields_of(each)
            if block.get("type") in _CALLS and isinstance(block.get("name"), str):
                number = self.number(_RAW, event, (place,))
                found[number] = Call(block["name"], block.get("id"))
        return found

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        """Return the meaning of a chunk. A text is over when another text of its message goes on;
        the last response ends all texts."""
        reading = super().meaning(chunk, event, pieces)
        if event.get("is_last"):
            return reading._replace(finished={0: _reason(event)}, closed=[*self._open])
        new = {piece.slot: None for piece in pieces if piece.kind == "delta"}
        goes_on = {slot.number // _MESSAGE for slot in new}
        over = [
            slot
            for slot in self._open
            if slot not in new
            and slot.number // _MESSAGE in goes_on
            and slot.channel != "tool_args"
        ]
        self._open = {slot: None for slot in self._open if slot not in over} | new
        return reading._replace(closed=over)

    def over(self, chunk: Any) -> Sequence[Slot]:
        """Return the open texts of a message."""
        own = self._messages.get(fields_of(chunk).get("id"), 0)
        return [slot for slot in self._open if slot.number // _MESSAGE == own]

    def passed(self, chunk: Any) -> None:
        """Keep the blocks that have come in pieces, for the response that ends a stream."""
        event = fields_of(chunk)
        if event.get("is_last") is not False:
            return
        for place, each in enumerate(event["content"]):
            block = fields_of(each)
            kind = block.get("type")
            if kind in ("text", "thinking"):
                leaf = Leaf("delta", kind, kind)
                self._blocks.setdefault(block.get("id"), (self.slot(leaf, event, (place,)), each))

    def _add_pieces(self, pieces: list[Piece], found: Found, event: Mapping[str, Any]) -> None:
        if found.leaf != _INPUT or _made_of(event, found) is None:
            super()._add_pieces(pieces, found, event)

    def _updates(
        self, read: Read, texts: Sequence[str], *, ends: bool, apart: bool = True
    ) -> dict[Steps, Any]:
        """Return the values to set; arguments that changed are parsed again."""
        updates = super()._updates(read, texts, ends=ends, apart=apart)
        event = fields_of(read.chunk)
        for each in read.found:
            if each.leaf == _INPUT and (raw := _made_of(event, each)) is not None:
                said = updates.get((each.steps[0], "raw_input"), raw)
                if said != raw:
                    updates[each.steps] = _parsed(said) or {}
        return updates

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a chunk with only `text`; where chunks have all texts so far, one with these."""
        if "is_last" in fields_of(chunk):
            return super().extra(chunk, slot, text, released)
        return [self._so_far(chunk, released, calls=True)]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return a chunk with all texts so far, without calls."""
        if "is_last" not in fields_of(chunk):
            return [self._so_far(chunk, released, calls=False)]
        blocks = [
            replaced(block, {fields_of(block)["type"]: released(slot)})
            for slot, block in self._blocks.values()
            if released(slot)
        ]
        done = "completed" if reason in ("stop", "tool_calls") else "interrupted"
        return [replaced(chunk, {"content": blocks, "is_last": True, "finished_reason": done})]

    def _so_far(self, chunk: Any, released: Released, *, calls: bool) -> Any:
        """Return a chunk like `chunk` without new text."""
        made = self.said_so_far(chunk, released)
        content = fields_of(made)["content"]
        if isinstance(content, str):
            return made
        kept = []
        for each in content:
            block = fields_of(each)
            if block.get("type") == "tool_use":
                if not calls:
                    continue
                each = replaced(each, {"input": _parsed(block.get("raw_input")) or {}})
            kept.append(each)
        return replaced(made, {"content": kept})


class AgentScopeMessages(Envelope):
    """The adapter for responses, and for messages in tuples."""

    name = "agentscope_messages"
    ends_with_source = True
    in_turn = True

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        self._messages = Messages(unknown=unknown)
        super().__init__(self._messages, unknown=unknown)

    def read(self, chunk: Any) -> Reading:
        """Find the text in a chunk; all texts of a message are over once it is complete."""
        reading = super().read(chunk)
        if isinstance(chunk, tuple) and chunk[1]:
            new = {piece.slot for piece in reading.pieces if piece.kind == "delta"}
            over = self._messages.over(chunk[0])
            closed = [*reading.closed, *(slot for slot in over if slot not in new)]
            return reading._replace(closed=closed, complete=[slot for slot in over if slot in new])
        return reading

    def unwrapped(self, chunk: Any) -> Any:
        """Return the response, or the message."""
        return chunk[0] if isinstance(chunk, tuple) else chunk

    def with_inner(self, chunk: Any, inner: Any) -> Any:
        """Return a chunk with another response or message."""
        return (inner, *chunk[1:]) if isinstance(chunk, tuple) else inner

    def beside(self, chunk: Any) -> Mapping[str, Any]:
        """Return the speech beside a message."""
        spoken = chunk[2] if isinstance(chunk, tuple) and len(chunk) > 2 else None
        return {} if spoken is None else {"speech": spoken}

    def with_beside(self, chunk: Any, fields: Mapping[str, Any]) -> Any:
        """Return a chunk with another speech."""
        return (*chunk[:2], fields["speech"])

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return chunks with only `text`, which complete nothing."""
        return self._with_end(super().extra(chunk, slot, text, released), is_last=False)

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the chunk that completes a message or a response."""
        return self._with_end(super().end(chunk, choice, reason, released), is_last=True)

    @staticmethod
    def _with_end(made: Sequence[Any], *, is_last: bool) -> Sequence[Any]:
        return [
            (each[0], is_last, *(None for _ in each[2:])) if isinstance(each, tuple) else each
            for each in made
        ]


def _reason(event: Mapping[str, Any]) -> FinishReason:
    return "cancelled" if event.get("finished_reason") == "interrupted" else "stop"


def _place(content: Any, path: Path) -> int:
    """Return how many blocks of its type precede the one at a path."""
    if not path:
        return 0
    kinds = [fields_of(each).get("type") for each in content[: path[0] + 1]]
    return kinds.count(kinds[-1])


def _made_of(event: Mapping[str, Any], found: Found) -> str | None:
    """Return the arguments from which the input of a call was parsed; None if it has other text,
    too."""
    raw = fields_of(event["content"][found.path[0]]).get("raw_input")
    value = _parsed(raw)
    return raw if value is not None and _is_part(found.value, value) else None


def _parsed(raw: Any) -> Any:
    """Return the arguments so far as an object; None if they are not one."""
    if not isinstance(raw, str):
        return None
    try:
        value = from_json(raw, allow_partial="trailing-strings") if raw.strip() else {}
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _is_part(value: Any, whole: Any) -> bool:
    """Return whether a value has no text that is not in `whole`, a later state of it."""
    if isinstance(value, dict) and isinstance(whole, dict):
        return all(name in whole and _is_part(value[name], whole[name]) for name in value)
    if isinstance(value, list) and isinstance(whole, list):
        return len(value) <= len(whole) and all(map(_is_part, value, whole))
    if isinstance(value, str) and isinstance(whole, str):
        return whole.startswith(value)
    return not isinstance(value, (str, dict, list))

"""The end of a message that the guard ends: the open block closed, then the message.

It is built from what went out: events as they were passed on, and the released text of each block.
The helper's events carry whole blocks and the whole message, which raw ones do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from guardstream.errors import AdapterError
from guardstream.events import FinishReason
from guardstream.formats.adapter import Released, Slot
from guardstream.formats.toolkit.fields import fields_of, index_in, replaced
from guardstream.formats.toolkit.package_objects import constructed, plain
from guardstream.formats.toolkit.parsed import parsed

TURN = 1000
"""Added to the number of a slot, its block's index, for each earlier message."""

_LIB = "anthropic.lib.streaming"
_DELTAS = {"text": "text_delta", "thinking": "thinking_delta", "input": "input_json_delta"}
_FIELDS = {"text": "text", "thinking": "thinking", "input": "partial_json"}
_ECHOES = {"text": "text", "thinking": "thinking", "input_json": "input"}
_CLASSES = {
    "text": ("TextEvent", "ParsedBetaTextEvent"),
    "thinking": ("ThinkingEvent", "BetaThinkingEvent"),
    "input": ("InputJsonEvent", "BetaInputJsonEvent"),
}
_BLOCKS = {
    "text": "text",
    "thinking": "thinking",
    **dict.fromkeys(("tool_use", "server_tool_use", "mcp_tool_use"), "input"),
}
_CHANNELS = {"text": "text", "thinking": "thinking", "input": "tool_args"}
_STOPS = {"content_filter": "refusal", "length": "max_tokens", "tool_calls": "tool_use"}


@dataclass(slots=True)
class _Block:
    """A block as it began, or as the helper gave it at its end."""

    number: int
    start: Any
    citations: list[Any] = field(default_factory=list)
    whole: Any = None


class Ending:
    """The parts of a stream that went out and are needed for its end."""

    def __init__(self) -> None:
        self.helper: bool | None = None  # whether events are the helper's; None until that is known
        self._delta = False
        self._begun = False
        self._turn = 0
        self._message: Any = None
        self._open: _Block | None = None
        self._over: list[_Block] = []
        self._echoes: dict[str, Any] = {}
        self._own: dict[Slot, str] = {}
        self._reopened: set[int] = set()  # blocks with text while they are not open
        self._output_tokens = 0

    def saw(self, helper: bool, chunk: Any) -> None:
        """Detect whether events are the helper's: it adds an event after each delta."""
        if helper or self._delta:
            self.helper = helper
        self._delta = fields_of(fields_of(chunk).get("delta")).get("type") in _DELTAS.values()

    def reopen(self, number: int) -> None:
        """Note that the source adds to a block that is not open."""
        self._reopened.add(number)

    def passed(self, chunk: Any) -> None:
        """Record an event that goes out."""
        event = fields_of(chunk)
        kind = str(event.get("type"))
        if kind == "content_block_delta":
            self._cited(event)
        elif kind in _ECHOES:
            self._echoes[_ECHOES[kind]] = chunk
        elif kind == "message_start":
            self._turn += self._begun
            self._begun = True
            self._message, self._open = event.get("message"), None
            self._over.clear()
            self._spent(fields_of(self._message).get("usage"))
        elif kind == "content_block_start":
            number = self._turn * TURN + index_in(event)
            self._open = _Block(number, event.get("content_block"))
        elif kind == "content_block_stop" and self._open is not None:
            self._open.whole = event.get("content_block")
            self._over.append(self._open)
            self._open = None
        elif kind == "message_delta":
            self._spent(event.get("usage"))

    def _cited(self, event: Mapping[str, Any]) -> None:
        citation = fields_of(event.get("delta")).get("citation")
        if citation is not None and self._open is not None:
            self._open.citations.append(citation)

    def _spent(self, usage: Any) -> None:
        self._output_tokens = fields_of(usage).get("output_tokens") or self._output_tokens

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return events with `text` for a slot; in a new block if the slot's is over."""
        if not self._goes_on(slot):
            if slot.channel != "text":
                raise AdapterError(f"no open block for text of field {slot.field!r}")
            made = self._close(chunk, released)
            slot = Slot(0, "text", "text", self._next())
            self._own[slot] = text
            return [*made, self._start(chunk, slot.number), *self._say(chunk, slot, text, text)]
        return self._say(chunk, slot, text, self._text_in(slot, released))

    def _goes_on(self, slot: Slot) -> bool:
        """Return whether a slot's block is open, or has been opened again."""
        is_open = self._open is not None and self._open.number == slot.number
        return slot.field in _DELTAS and (is_open or slot.number in self._reopened)

    def end(self, chunk: Any, reason: FinishReason, released: Released) -> list[Any]:
        """Return the events that end the message."""
        stop = _STOPS.get(reason, "end_turn")
        delta = {"stop_reason": stop, "stop_sequence": None}
        usage = {"output_tokens": self._output_tokens}
        event = {"type": "message_delta", "delta": delta, "usage": usage}
        made = self._close(chunk, released)
        made.append(_made(chunk, "RawMessageDeltaEvent", event))
        final: dict[str, Any] = {"type": "message_stop"}
        if not self._helps(chunk) or self._message is None:
            return [*made, _made(chunk, "RawMessageStopEvent", final)]
        content = [self._whole(block, released) for block in self._over]
        news = {"content": content, "stop_reason": stop}
        final["message"] = {**plain(self._message), **news}
        return [
            *made,
            _helped(chunk, "ParsedMessageStopEvent", "ParsedBetaMessageStopEvent", final),
        ]

    def _helps(self, chunk: Any) -> bool:
        """Return whether the helper's fields belong in events; they do no harm in raw objects."""
        return not isinstance(chunk, dict) if self.helper is None else self.helper

    def _next(self) -> int:
        return max((block.number for block in self._over), default=self._turn * TURN - 1) + 1

    def _text_in(self, slot: Slot, released: Released) -> str:
        return self._own[slot] if slot in self._own else released(slot)

    def _say(self, chunk: Any, slot: Slot, text: str, whole: str) -> list[Any]:
        """Return the delta with `text`, and the helper's event after it."""
        delta = {"type": _DELTAS[slot.field], _FIELDS[slot.field]: text}
        event = {"type": "content_block_delta", "index": slot.number % TURN, "delta": delta}
        made = [_made(chunk, "RawContentBlockDeltaEvent", event)]
        if not self.helper:
            return made
        snapshot = parsed(whole) if slot.field == "input" else whole
        echo = {_FIELDS[slot.field]: text, "snapshot": snapshot}
        if slot.field in self._echoes:
            return [*made, replaced(self._echoes[slot.field], echo)]
        kind = "input_json" if slot.field == "input" else slot.field
        return [*made, _helped(chunk, *_CLASSES[slot.field], {"type": kind, **echo})]

    def _start(self, chunk: Any, number: int) -> Any:
        block = {"type": "text", "text": "", "citations": None}
        event = {"type": "content_block_start", "index": number % TURN, "content_block": block}
        made = _made(chunk, "RawContentBlockStartEvent", event)
        self._open = _Block(number, fields_of(made)["content_block"])
        return made

    def _close(self, chunk: Any, released: Released) -> list[Any]:
        """Return the end of the open block."""
        block, self._open = self._open, None
        if block is None:
            return []
        self._over.append(block)
        event: dict[str, Any] = {"type": "content_block_stop", "index": block.number % TURN}
        if not self._helps(chunk):
            return [_made(chunk, "RawContentBlockStopEvent", event)]
        event["content_block"] = self._whole(block, released)
        names = ("ParsedContentBlockStopEvent", "ParsedBetaContentBlockStopEvent")
        return [_helped(chunk, *names, event)]

    def _whole(self, block: _Block, released: Released) -> Mapping[str, Any]:
        """Return a block with all the text released in it."""
        if block.whole is not None:
            return plain(block.whole)
        values = dict(plain(block.start))
        name = _BLOCKS.get(values.get("type", ""))
        if name is not None:
            text = self._text_in(Slot(0, _CHANNELS[name], name, block.number), released)
            values[name] = (parsed(text) or values.get("input")) if name == "input" else text
        if block.citations:
            values["citations"] = [plain(each) for each in block.citations]
        return values


def _beta(chunk: Any) -> bool:
    return "beta" in type(chunk).__module__


def _made(chunk: Any, name: str, event: dict[str, Any]) -> Any:
    """Return an event like `chunk`: a dict, or an object of the package's class `name`."""
    if _beta(chunk):
        return constructed(chunk, f"Beta{name}", event, "anthropic.types.beta")
    return constructed(chunk, name, event, "anthropic.types")


def _helped(chunk: Any, name: str, beta: str, event: dict[str, Any]) -> Any:
    """Return one of the helper's events."""
    modules = (_LIB, f"{_LIB}._types", f"{_LIB}._beta_types")
    return constructed(chunk, beta if _beta(chunk) else name, event, *modules)

"""Anthropic message streams: raw events and those of the package's `messages.stream` helper.

Objects of the `anthropic` package or plain dicts, the beta types too. The format:
https://docs.anthropic.com/en/docs/build-with-claude/streaming. Consecutive text blocks are one
text, because citations cut an answer into blocks. A signature stays as it is when the thinking that
it signs was changed: the provider will not take such a block back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.events import FinishReason
from guardstream.providers.base import Call, Kind, Piece, Reading, Said, Slot
from guardstream.providers.fields import fields_of, replaced
from guardstream.providers.parsed import parsed
from guardstream.providers.walk import (
    END,
    KEEP,
    META,
    Leaf,
    OneOf,
    Path,
    Spec,
    SpecAdapter,
    Tree,
    sibling,
)

_RESULT = Tree(
    Leaf("whole", "text", "tool_result"),
    frozenset({"type", "id", "tool_use_id", "file_id", "encrypted_content", "encrypted_index"})
    | {"media_type", "file_type", "error_code", "retrieved_at", "page_age", "stop_reason"}
    | {"tool_name", "return_code"},
)
"""What a server tool gave: what stands in it is text, but for ids and marks."""

_CITATION = Tree(
    Leaf("whole", "text", "citation"), frozenset({"type", "file_id", "encrypted_index"})
)

_TOOL: Spec = {
    "type": KEEP,
    "id": META,
    "name": META,
    "server_name": META,
    "caller": META,
    "input": Leaf("parsed", "tool_args", "input"),
}

_RESULTS = (
    "web_search_tool_result",
    "web_fetch_tool_result",
    "code_execution_tool_result",
    "bash_code_execution_tool_result",
    "text_editor_code_execution_tool_result",
    "tool_search_tool_result",
    "mcp_tool_result",
    "advisor_tool_result",
)


def _block(kind: Kind) -> Spec:
    """A content block: at its start text goes on from it, at its end it is there once more."""
    result: Spec = {
        "type": KEEP,
        "tool_use_id": META,
        "caller": META,
        "is_error": META,
        "content": _RESULT,
    }
    return OneOf(
        "type",
        {
            "text": {
                "type": KEEP,
                "text": Leaf(kind, "text", "text"),
                "citations": [_CITATION],
                "parsed_output": Leaf("parsed", "text", "text"),
            },
            "thinking": {
                "type": KEEP,
                "thinking": Leaf(kind, "thinking", "thinking"),
                "signature": META,
            },
            "redacted_thinking": {"type": KEEP, "data": META},
            "tool_use": _TOOL,
            "server_tool_use": _TOOL,
            "mcp_tool_use": _TOOL,
            "container_upload": {"type": KEEP, "file_id": META},
            "compaction": {
                "type": KEEP,
                "content": Leaf(kind, "text", "compaction"),
                "encrypted_content": META,
            },
            "fallback": {"type": KEEP, "from": META, "to": META, "from_": META},
            **dict.fromkeys(_RESULTS, result),
        },
    )


_STOP_DETAILS = Tree(
    Leaf("whole", "text", "stop_details"),
    frozenset({"type", "category", "fallback_credit_token", "recommended_model"}),
)


def message_spec(kind: Kind) -> Spec:
    return {
        **dict.fromkeys(("id", "type", "role", "model", "usage", "container"), KEEP),
        **dict.fromkeys(("context_management", "diagnostics"), META),
        "content": [_block(kind)],
        "stop_reason": END,
        "stop_sequence": META,
        "stop_details": _STOP_DETAILS,
    }


_DELTA = OneOf(
    "type",
    {
        "text_delta": {"type": META, "text": Leaf("delta", "text", "text")},
        "thinking_delta": {
            "type": META,
            "thinking": Leaf("delta", "thinking", "thinking"),
            "estimated_tokens": META,
        },
        "signature_delta": {"type": META, "signature": KEEP},
        "input_json_delta": {"type": META, "partial_json": Leaf("delta", "tool_args", "input")},
        "citations_delta": {"type": KEEP, "citation": _CITATION},
        "compaction_delta": {
            "type": META,
            "content": Leaf("delta", "text", "compaction"),
            "encrypted_content": KEEP,
        },
    },
)

_SPEC = OneOf(
    "type",
    {
        "ping": {"type": KEEP},
        "message_start": {"type": KEEP, "message": message_spec("whole")},
        "content_block_start": {"type": KEEP, "index": META, "content_block": _block("delta")},
        "content_block_delta": {"type": META, "index": META, "delta": _DELTA},
        "content_block_stop": {"type": KEEP, "index": META, "content_block": _block("copy")},
        "message_delta": {
            "type": META,
            "delta": {
                "stop_reason": END,
                "stop_sequence": META,
                "stop_details": _STOP_DETAILS,
                "container": META,
            },
            "usage": KEEP,
            "context_management": META,
        },
        "message_stop": {
            "type": KEEP,
            "message": message_spec("copy"),
            "amazon-bedrock-invocationMetrics": META,
        },
        "error": {
            "type": KEEP,
            "error": {"type": META, "message": Leaf("whole", "text", "error"), "details": META},
            "request_id": META,
        },
        # What the helper adds behind the raw events.
        "text": {
            "type": META,
            "text": Leaf("echo", "text", "text"),
            "snapshot": Leaf("copy", "text", "text"),
        },
        "thinking": {
            "type": META,
            "thinking": Leaf("echo", "thinking", "thinking"),
            "snapshot": Leaf("copy", "thinking", "thinking"),
        },
        "input_json": {
            "type": META,
            "partial_json": Leaf("echo", "tool_args", "input"),
            "snapshot": Leaf("parsed", "tool_args", "input"),
        },
        "citation": {"type": KEEP, "citation": _CITATION, "snapshot": [_CITATION]},
        "signature": {"type": KEEP, "signature": META},
        "compaction": {"type": KEEP, "content": Leaf("echo", "text", "compaction")},
    },
)

_ECHOES = {"text": "text", "thinking": "thinking", "input_json": "input"}
"""The helper's events that repeat a delta, and the field of its slot."""

_DELTAS = {"text": "text_delta", "thinking": "thinking_delta", "input": "input_json_delta"}
_DELTA_FIELDS = {"text": "text", "thinking": "thinking", "input": "partial_json"}
_BLOCK_SLOTS = {
    "text": ("text", "text"),
    "thinking": ("thinking", "thinking"),
    "tool_use": ("tool_args", "input"),
    "server_tool_use": ("tool_args", "input"),
    "mcp_tool_use": ("tool_args", "input"),
    "compaction": ("text", "compaction"),
}

_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_STOPS = {"content_filter": "refusal", "length": "max_tokens", "tool_calls": "tool_use"}


class Anthropic(SpecAdapter):
    """The adapter for message events; one stream is one message."""

    name = "anthropic"
    spec = _SPEC

    def __init__(self, *, unknown: Any = "refuse") -> None:
        super().__init__(unknown=unknown)
        self._index = 0
        self._open: Slot | None = None
        self._text: Slot | None = None  # the last block, if it was text
        self._echoes: dict[str, Any] = {}
        self._message: Any = None

    @staticmethod
    def accepts(chunk: object) -> bool:
        """Tell whether `chunk` is a message event."""
        if isinstance(chunk, (str, bytes)):
            return False
        fields = fields_of(chunk)
        kind = fields.get("type")
        if kind == "message_start":
            return "message" in fields
        if kind in ("content_block_start", "content_block_delta", "content_block_stop"):
            return "index" in fields
        return kind == "ping" or (kind == "error" and "error" in fields)

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        kind = event.get("type")
        if kind == "message_start":
            return Slot(0, leaf.channel, "start", path[0] if path else 0)
        if kind == "message_stop":
            return Slot(0, leaf.channel, leaf.field, path[0] if path else 0)
        index = event.get("index")
        return Slot(0, leaf.channel, leaf.field, self._index if index is None else index)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        kind = event.get("type")
        if kind == "content_block_start":
            return self._started(event, pieces)
        if kind == "content_block_stop":
            return self._stopped(pieces)
        if kind in _ECHOES:
            self._echoes[_ECHOES[kind]] = chunk
        if kind == "message_start":
            self._message = event.get("message")
            usage = fields_of(self._message).get("usage")
            return Reading(pieces, (0,), usage=usage)
        if kind in ("message_delta", "message_stop", "error"):
            return self._ending(event, pieces)
        return Reading(pieces, (0,))

    def _started(self, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        self._index = event.get("index") or 0
        block = fields_of(event.get("content_block"))
        channel, field = _BLOCK_SLOTS.get(str(block.get("type")), ("text", "tool_result"))
        slot, earlier = Slot(0, channel, field, self._index), self._text
        self._open = slot
        self._text = slot if field == "text" else None
        calls = {slot: Call(block["name"], block.get("id"))} if channel == "tool_args" else {}
        if earlier is None:
            return Reading(pieces, (0,), calls=calls)
        if self._text is not None:
            return Reading(pieces, (0,), joined={slot: earlier})
        return Reading(pieces, (0,), closed=(earlier,), calls=calls)

    def _stopped(self, pieces: Sequence[Piece]) -> Reading:
        slot, self._open = self._open, None
        if slot is None:
            return Reading(pieces, (0,))
        if slot.field == "text":
            return Reading(pieces, (0,), waits=slot)
        return Reading(pieces, (0,), closed=(slot,))

    def _ending(self, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        closed = () if self._text is None else (self._text,)
        self._text = None
        reason = fields_of(event.get("delta")).get("stop_reason")
        finished = {0: _REASONS.get(reason, "stop")} if reason else {}
        failed = event.get("type") == "error"
        return Reading(pieces, (0,), finished, failed, closed, usage=event.get("usage"))

    def extra(self, chunk: Any, slot: Slot, text: str, said: Said) -> Sequence[Any]:
        """Return a delta of the slot's block, behind the helper's event if it gives such."""
        made: list[Any] = []
        number = slot.number
        if slot.field not in _DELTAS:  # nothing was said in any text block yet
            slot = Slot(0, "text", "text", self._index + (self._message is not None))
            number = slot.number
            made += self._close(chunk)
            made.append(self._start(chunk, number))
            self._open = slot
        delta = {"type": _DELTAS[slot.field], _DELTA_FIELDS[slot.field]: text}
        event = {"type": "content_block_delta", "index": number, "delta": delta}
        made.append(_make(chunk, "RawContentBlockDeltaEvent", event))
        echo = self._echoes.get(slot.field)
        if echo is not None:
            whole = said(slot)
            snapshot = parsed(whole) if slot.field == "input" else whole
            made.append(replaced(echo, {_DELTA_FIELDS[slot.field]: text, "snapshot": snapshot}))
        return made

    def end(self, chunk: Any, choice: int, reason: FinishReason, said: Said) -> Sequence[Any]:  # noqa: ARG002
        """Return what ends the open block, and the message with a stop reason."""
        delta = {"stop_reason": _STOPS.get(reason, "end_turn"), "stop_sequence": None}
        usage = {"output_tokens": 0}
        return [
            *self._close(chunk),
            _make(
                chunk,
                "RawMessageDeltaEvent",
                {"type": "message_delta", "delta": delta, "usage": usage},
            ),
            _make(chunk, "RawMessageStopEvent", {"type": "message_stop"}),
        ]

    def _start(self, chunk: Any, index: int) -> Any:
        block = {"type": "text", "text": ""}
        event = {"type": "content_block_start", "index": index, "content_block": block}
        return _make(chunk, "RawContentBlockStartEvent", event)

    def _close(self, chunk: Any) -> list[Any]:
        if self._open is None:
            return []
        event = {"type": "content_block_stop", "index": self._open.number}
        self._open = None
        return [_make(chunk, "RawContentBlockStopEvent", event)]


def _make(chunk: Any, name: str, event: dict[str, Any]) -> Any:
    """Return an event like `chunk`: a dict, or an object of the package's class `name`."""
    if isinstance(chunk, dict):
        return event
    beta = ".beta" in type(chunk).__module__
    found = sibling(
        chunk,
        "anthropic.types.beta" if beta else "anthropic.types",
        name if not beta else f"Beta{name}",
    )
    return found.construct(**event)

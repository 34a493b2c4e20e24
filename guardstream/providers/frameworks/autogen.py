"""AutoGen: the messages and events of `run_stream` of an agent or a team.

https://microsoft.github.io/autogen/stable/. Chunks stream a text; the message after them repeats
all of it, and ends it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from guardstream.providers.adapter import Call, Piece, Reading
from guardstream.providers.spec import ABOUT, META, NAME, REQUEST, Leaf, Spec, Tree
from guardstream.providers.toolkit.fields import fields_of
from guardstream.providers.toolkit.growing import Repeating

_CHUNK = "ModelClientStreamingChunkEvent"

_MARKS = dict.fromkeys(("id", "source", "created_at", "full_message_id", "type"), META)
_MARKS |= dict.fromkeys(("models_usage", "usage", "cached", "finish_reason", "format_string"), META)

_VALUES = frozenset({"id", "type", "source", "call_id", "created_at", "full_message_id"})
_MESSAGES = Tree(
    Leaf("copy", "text", "message"),
    _VALUES,
    frozenset({"logprobs"}),
    own=frozenset({"content", "metadata"}),
)
_MARKS_OF_CALL: dict[str, Spec] = {"id": META, "name": NAME}
_CALLS: Spec = [{**_MARKS_OF_CALL, "arguments": Leaf("copy", "tool_args", "message")}]
_REQUEST = "ToolCallRequestEvent"
_REQUESTED: Spec = [{**_MARKS_OF_CALL, "arguments": Leaf("whole", "tool_args", "arguments")}]

_BASE: dict[str, Spec] = {**_MARKS, "metadata": Tree(_MESSAGES.leaf)}

_SPECS: dict[str, Spec] = {
    _CHUNK: {**_BASE, "content": Leaf("delta", "text", "text")},
    _REQUEST: {**_BASE, "content": _REQUESTED},
    "ThoughtEvent": {**_BASE, "content": Leaf("whole", "thinking", "message")},
    "": {
        **_BASE,
        "content": Tree(_MESSAGES.leaf),
        "thought": Tree(Leaf("copy", "thinking", "message")),
        "tool_calls": _CALLS,
        "logprobs": ABOUT,
        **dict.fromkeys(("messages", "inner_messages", "chat_message"), _MESSAGES),
        **dict.fromkeys(("results", "stop_reason"), _MESSAGES),
    },
    "user": {**_BASE, "content": REQUEST},
}


class AutoGen(Repeating):
    """The adapter for messages and events; the result at the end repeats them."""

    name = "autogen"
    spec: ClassVar[Spec] = _SPECS[_CHUNK]

    def spec_of(self, chunk: Any) -> Spec:
        event = fields_of(chunk)
        kind = "user" if event.get("source") == "user" else str(event.get("type"))
        return _SPECS.get(kind, _SPECS[""])

    def parts(self, event: Mapping[str, Any]) -> bool:
        return event.get("type") != _CHUNK

    def called(self, event: Mapping[str, Any]) -> Mapping[int, Call]:
        requested = event.get("content") if event.get("type") == _REQUEST else ()
        calls = map(fields_of, requested or ())
        return {
            place: Call(call["name"], call.get("id"))
            for place, call in enumerate(calls)
            if call.get("name")
        }

    def usage(self, event: Mapping[str, Any]) -> Any:
        return event.get("models_usage")

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        """Return the meaning of an event; the calls in a request are complete."""
        reading = super().meaning(chunk, event, pieces)
        return reading._replace(complete=tuple(reading.calls))

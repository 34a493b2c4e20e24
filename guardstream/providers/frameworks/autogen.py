"""AutoGen: the messages and events of an agent's or a team's `run_stream`.

https://microsoft.github.io/autogen/stable/. Chunks stream what a message then tells as a whole;
the message ends their text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from guardstream.providers.fields import fields_of
from guardstream.providers.growing import Growing
from guardstream.providers.spec import ABOUT, META, NAME, REQUEST, Leaf, Spec, Tree

_CHUNK = "ModelClientStreamingChunkEvent"

_MARKS = dict.fromkeys(("id", "source", "created_at", "full_message_id", "type"), META)
_MARKS |= dict.fromkeys(("models_usage", "usage", "cached", "finish_reason", "format_string"), META)

_VALUES = frozenset({"id", "type", "source", "call_id", "created_at", "full_message_id"})
_MESSAGES = Tree(Leaf("whole", "text", "message"), _VALUES, frozenset({"logprobs"}))
_CALLS = [{"id": META, "name": NAME, "arguments": Leaf("whole", "tool_args", "message")}]

_BASE: dict[str, Spec] = {**_MARKS, "metadata": _MESSAGES}

_SPECS: dict[str, Spec] = {
    _CHUNK: {**_BASE, "content": Leaf("delta", "text", "text")},
    "ToolCallRequestEvent": {**_BASE, "content": _CALLS},
    "ThoughtEvent": {**_BASE, "content": Leaf("whole", "thinking", "message")},
    "": {
        **_BASE,
        "content": _MESSAGES,
        "thought": Tree(Leaf("whole", "thinking", "message")),
        "tool_calls": _CALLS,
        "logprobs": ABOUT,
        **dict.fromkeys(("messages", "inner_messages", "chat_message"), _MESSAGES),
        **dict.fromkeys(("results", "stop_reason"), _MESSAGES),
    },
    "user": {**_BASE, "content": REQUEST},
}


class AutoGen(Growing):
    """The adapter for messages and events; the result at the end repeats them."""

    name = "autogen"
    repeats = False
    spec: ClassVar[Spec] = _SPECS[_CHUNK]

    @staticmethod
    def accepts(chunk: object) -> bool:
        """Tell whether `chunk` is a message or an event of an agent."""
        return not isinstance(chunk, (str, bytes)) and (
            {"source", "models_usage", "content"} <= fields_of(chunk).keys()
        )

    def spec_of(self, chunk: Any) -> Spec:
        event = fields_of(chunk)
        kind = "user" if event.get("source") == "user" else str(event.get("type"))
        return _SPECS.get(kind, _SPECS[""])

    def parts(self, event: Mapping[str, Any]) -> bool:
        return event.get("type") != _CHUNK

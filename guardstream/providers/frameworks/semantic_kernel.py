"""Semantic Kernel: the streaming contents of its chat services, kernels and agents.

https://learn.microsoft.com/en-us/semantic-kernel/concepts/ai-services/chat-completion/. A kernel
gives lists of messages, one for each choice, and an agent items that hold one. What the provider
sent (`inner_content`) is left out where the text changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from guardstream.providers.adapter import Call, Reading, Unknown
from guardstream.providers.fields import fields_of, index_in, replaced
from guardstream.providers.growing import Growing
from guardstream.providers.holding import Holding
from guardstream.providers.spec import (
    ABOUT,
    END,
    META,
    NAME,
    NUMBER,
    Either,
    Leaf,
    OneOf,
    Path,
    Spec,
    Tree,
)

_MARKS: dict[str, Spec] = {
    **dict.fromkeys(("content_type", "ai_model_id", "encoding", "choice_index"), META),
    "metadata": ABOUT,
    "inner_content": ABOUT,
}
_RESULT = Tree(Leaf("whole", "text", "tool_result"), frozenset({"id", "call_id", "content_type"}))
_CALLED: dict[str, Spec] = {
    **dict.fromkeys(("id", "call_id", "index"), META),
    **dict.fromkeys(("name", "function_name", "plugin_name"), NAME),
}
_TEXT: Spec = {**_MARKS, "text": Leaf("delta", "text", "text")}
_ITEM = OneOf(
    "content_type",
    {
        "text": _TEXT,
        "reasoning": {**_MARKS, "text": Leaf("delta", "thinking", "thinking")},
        "function_call": {
            **_MARKS,
            **_CALLED,
            "arguments": Either(
                Leaf("delta", "tool_args", "arguments"), Leaf("whole", "tool_args", "arguments")
            ),
        },
        "function_result": {**_MARKS, **_CALLED, "result": _RESULT},
    },
)
_MESSAGE: Spec = {
    **_MARKS,
    **dict.fromkeys(("role", "name", "status"), META),
    "function_invoke_attempt": NUMBER,
    "items": [_ITEM],
    "finish_reason": END,
}


class _Messages(Growing):
    """The adapter for one message after another, or texts."""

    name = "semantic_kernel"
    repeats = False
    spec: ClassVar[Spec] = OneOf("content_type", {"message": _MESSAGE, "text": _TEXT})

    @staticmethod
    def without(value: Any) -> Any:
        return {} if isinstance(value, dict) else None

    def choice(self, event: Mapping[str, Any], path: Path) -> int:  # noqa: ARG002
        return index_in(event, name="choice_index")

    def number(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> int:
        if leaf.channel != "tool_args" or not path:
            return 0
        return index_in(event["items"][path[0]], path[0])

    def parts(self, event: Mapping[str, Any]) -> bool:
        kinds = (fields_of(item).get("content_type") for item in event.get("items") or ())
        return "function_result" in kinds

    def called(self, event: Mapping[str, Any]) -> Mapping[int, Call]:
        items = map(fields_of, event.get("items") or ())
        return {
            index_in(item, place): Call(item["name"], item.get("id"))
            for place, item in enumerate(items)
            if item.get("content_type") == "function_call" and item.get("name")
        }


class SemanticKernel(Holding):
    """The adapter for messages, alone, in a list or in an agent's item."""

    name = "semantic_kernel"
    repeats = False
    ends_with_source = True
    spec: ClassVar[Spec] = _MESSAGE

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(_Messages(unknown=unknown), unknown=unknown)

    @staticmethod
    def accepts(chunk: object) -> bool:
        """Tell whether `chunk` is a content that streams, or holds one."""
        held = _held(chunk)
        return held is not None and {"choice_index", "content_type"} <= fields_of(held).keys()

    def held(self, chunk: Any) -> Any:
        """Return the message in a chunk."""
        return _held(chunk)

    def holding(self, chunk: Any, held: Any) -> Any:
        """Return a chunk with another message."""
        if isinstance(chunk, list):
            return [held]
        return replaced(chunk, {"message": held}) if _is_item(chunk) else held

    def beside(self, chunk: Any) -> Mapping[str, Any]:
        """Return the messages of a list that does not have one; a thread is the application's."""
        return {"messages": chunk} if _held(chunk) is None else {}

    def read(self, chunk: Any) -> Reading:
        """Find the text in the message, or by path in several."""
        if _held(chunk) is not None:
            return super().read(chunk)
        beside = self.beside(chunk)
        return Reading(self._others.pieces(beside, beside), ())

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return a chunk that says `texts`; None if nothing is left to say."""
        if _held(chunk) is not None:
            return super().write(chunk, texts, ends=ends)
        written = self._others.write(self.beside(chunk), texts)
        return None if written is None else written["messages"]

    def without_unknown(self, chunk: Any) -> Any:
        """Return a chunk without text that nothing is known of."""
        return [] if _held(chunk) is None else super().without_unknown(chunk)


def _is_item(chunk: Any) -> bool:
    return {"message", "thread"} <= fields_of(chunk).keys()


def _held(chunk: Any) -> Any:
    """Return the message that a chunk is or holds; None for a list that does not have one."""
    if isinstance(chunk, (str, bytes, tuple)):
        return None
    if isinstance(chunk, list):
        return chunk[0] if len(chunk) == 1 else None
    return fields_of(chunk)["message"] if _is_item(chunk) else chunk

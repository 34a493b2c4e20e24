"""Semantic Kernel: the streaming contents of its chat services, kernels and agents.

https://learn.microsoft.com/en-us/semantic-kernel/concepts/ai-services/chat-completion/. A kernel
yields lists of messages, one for each choice, and an agent yields items with one message. The
provider's own chunk (`inner_content`) is left out where the text changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from guardstream.formats.adapter import Call, Unknown
from guardstream.formats.spec import (
    Leaf,
    Path,
    Spec,
)
from guardstream.formats.toolkit.envelope import Envelope
from guardstream.formats.toolkit.fields import fields_of, index_in, replaced
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.growing import Growing


class _Messages(Growing):
    """The adapter for lists of messages or texts, one for each choice."""

    name = "semantic_kernel"
    repeats = False
    spec = spec_of("semantic_kernel")
    scope = 1

    @staticmethod
    def without(value: Any) -> Any:
        return {} if isinstance(value, dict) else None

    def choice(self, event: Mapping[str, Any], path: Path) -> int:
        return index_in(event["messages"][path[0]], name="choice_index")

    def number(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> int:
        if leaf.channel != "tool_args" or len(path) < 2:
            return 0
        items = fields_of(event["messages"][path[0]])["items"]
        return index_in(items[path[1]], path[1])

    def parts(self, event: Mapping[str, Any]) -> bool:
        items = [item for each in event["messages"] for item in _items(each)]
        return any(item.get("content_type") == "function_result" for item in items)

    def called(self, event: Mapping[str, Any]) -> Mapping[int, Call]:
        first = [each for each in event["messages"] if not index_in(each, name="choice_index")]
        return {
            index_in(item, place): Call(item["name"], item.get("id"))
            for each in first
            for place, item in enumerate(_items(each))
            if item.get("content_type") == "function_call" and item.get("name")
        }

    def usage(self, event: Mapping[str, Any]) -> Any:
        metadata = [fields_of(fields_of(each).get("metadata")) for each in event["messages"]]
        return next((each["usage"] for each in metadata if each.get("usage")), None)


class SemanticKernel(Envelope):
    """The adapter for messages: single ones, in a list or in an agent's item."""

    name = "semantic_kernel"
    repeats = False
    ends_with_source = True
    spec: ClassVar[Spec] = spec_of("semantic_kernel", "message")

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(_Messages(unknown=unknown), unknown=unknown)

    def unwrapped(self, chunk: Any) -> Any:
        """Return the messages in a chunk."""
        return {"messages": _messages(chunk)}

    def with_inner(self, chunk: Any, inner: Any) -> Any:
        """Return a chunk with other messages."""
        messages = inner["messages"]
        if isinstance(chunk, list):
            return messages
        return replaced(chunk, {"message": messages[0]}) if _is_item(chunk) else messages[0]

    def beside(self, chunk: Any) -> Mapping[str, Any]:
        """Return the other fields of an agent's item, except its thread, which is the
        application's."""
        if isinstance(chunk, list) or not _is_item(chunk):
            return {}
        known = ("message", "thread")
        return {name: value for name, value in fields_of(chunk).items() if name not in known}


def _is_item(chunk: Any) -> bool:
    return {"message", "thread"} <= fields_of(chunk).keys()


def _messages(chunk: Any) -> list[Any]:
    """Return the messages in a chunk."""
    if isinstance(chunk, list):
        return chunk
    return [fields_of(chunk)["message"] if _is_item(chunk) else chunk]


def _items(message: Any) -> list[Mapping[str, Any]]:
    return [fields_of(item) for item in fields_of(message).get("items") or ()]

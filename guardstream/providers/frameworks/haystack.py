"""Haystack: the `StreamingChunk`s that a generator passes to its `streaming_callback`.

https://docs.haystack.deepset.ai/docs/choosing-the-right-generator. `meta` has the provider's own
chunk, which repeats the text; it is left out where the text changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from guardstream.providers.adapter import Call
from guardstream.providers.spec import ABOUT, END, META, NAME, Leaf, Path, Spec, Tree
from guardstream.providers.toolkit.fields import fields_of, index_in
from guardstream.providers.toolkit.growing import Growing

_TEXT = Leaf("delta", "text", "text")

_SPEC: Spec = {
    "content": _TEXT,
    "meta": ABOUT,
    "component_info": dict.fromkeys(("type", "name"), META),
    **dict.fromkeys(("index", "start"), META),
    "finish_reason": END,
    "tool_calls": [
        {
            **dict.fromkeys(("index", "id"), META),
            "tool_name": NAME,
            "arguments": Leaf("delta", "tool_args", "arguments"),
            "extra": ABOUT,
        }
    ],
    "tool_call_result": Tree(
        Leaf("whole", "text", "tool_result"),
        frozenset({"id"}),
        own=frozenset({"arguments", "result"}),
    ),
    "reasoning": {"reasoning_text": Leaf("delta", "thinking", "thinking"), "extra": ABOUT},
}


class Haystack(Growing):
    """The adapter for streaming chunks."""

    name = "haystack"
    repeats = False
    spec: ClassVar[Spec] = _SPEC

    @staticmethod
    def without(value: Any) -> Any:  # noqa: ARG004
        return {}

    def parts(self, event: Mapping[str, Any]) -> bool:
        return bool(event.get("tool_call_result"))

    def number(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> int:
        if leaf.channel != "tool_args" or not path:
            return 0
        return index_in(event["tool_calls"][path[0]])

    def called(self, event: Mapping[str, Any]) -> Mapping[int, Call]:
        calls = [fields_of(call) for call in event.get("tool_calls") or ()]
        return {
            index_in(call): Call(call["tool_name"], call.get("id"))
            for call in calls
            if call.get("tool_name")
        }

    def usage(self, event: Mapping[str, Any]) -> Any:
        return fields_of(event.get("meta")).get("usage")

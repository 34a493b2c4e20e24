"""Haystack: the `StreamingChunk`s that a generator passes to its `streaming_callback`.

https://docs.haystack.deepset.ai/docs/choosing-the-right-generator. `meta` has the provider's own
chunk, which repeats the text; it is left out where the text changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardstream.formats.adapter import Call
from guardstream.formats.spec import Leaf, Path
from guardstream.formats.toolkit.fields import fields_of, index_in
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.growing import Growing


class Haystack(Growing):
    """The adapter for streaming chunks."""

    name = "haystack"
    repeats = False
    spec = spec_of("haystack")

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

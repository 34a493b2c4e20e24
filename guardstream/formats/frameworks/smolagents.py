"""smolagents: the deltas of a model, and an agent's run with `stream=True`.

https://huggingface.co/docs/smolagents/reference/models. Anything but a delta ends the text that was
streamed before it: a step, which repeats that text, a call, or a tool's result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardstream.formats.adapter import Call
from guardstream.formats.spec import Leaf, Path, Spec
from guardstream.formats.toolkit.fields import fields_of, index_in
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.growing import Repeating

_DELTA: Spec = spec_of("smolagents")
_STEP: Spec = spec_of("smolagents", "step")


class Smolagents(Repeating):
    """The adapter for deltas, and for the steps and calls among them."""

    name = "smolagents"
    spec = _DELTA

    def spec_of(self, chunk: Any) -> Spec:
        return _DELTA if _is_delta(fields_of(chunk).keys()) else _STEP

    def parts(self, event: Mapping[str, Any]) -> bool:
        return not _is_delta(event.keys())

    def number(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> int:
        if leaf.channel != "tool_args" or leaf.kind != "delta" or not path:
            return 0
        return index_in(event["tool_calls"][path[0]], path[0])

    def called(self, event: Mapping[str, Any]) -> Mapping[int, Call]:
        found = event.get("tool_calls") if _is_delta(event.keys()) else ()
        return {
            index_in(call, place): Call(name, fields_of(call).get("id"))
            for place, call in enumerate(found or ())
            if (name := fields_of(fields_of(call).get("function")).get("name"))
        }

    def usage(self, event: Mapping[str, Any]) -> Any:
        return event.get("token_usage")


def _is_delta(keys: Any) -> bool:
    return bool(keys == {"content", "tool_calls", "token_usage"})

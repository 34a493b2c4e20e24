"""smolagents: the deltas of a model, and an agent's run with `stream=True`.

https://huggingface.co/docs/smolagents/reference/models. Anything but a delta ends the text that was
streamed before it: a step, which repeats that text, a call, or a tool's result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from guardstream.providers.adapter import Call
from guardstream.providers.spec import ABOUT, META, NAME, REQUEST, Leaf, Path, Spec, Tree
from guardstream.providers.toolkit.fields import fields_of, index_in
from guardstream.providers.toolkit.growing import Repeating

_WHOLE = Tree(Leaf("copy", "text", "step"), frozenset({"type", "id"}))
_GIVEN = Tree(_WHOLE.leaf)
"""The results of tools and of the model's code, whatever their fields are called."""

_ARGUMENTS = Tree(Leaf("copy", "tool_args", "part"))
_CALLS = Tree(_ARGUMENTS.leaf, frozenset({"id", "type"}), own=frozenset({"arguments"}))

_DELTA: Spec = {
    "content": Leaf("delta", "text", "text"),
    "token_usage": META,
    "tool_calls": [
        {
            **dict.fromkeys(("index", "id", "type"), META),
            "function": {
                "name": NAME,
                "description": _WHOLE,
                "arguments": Leaf("delta", "tool_args", "arguments"),
            },
        }
    ],
}

_STEP: Spec = {
    **dict.fromkeys(("step_number", "is_final_answer", "id", "timing", "token_usage"), META),
    **dict.fromkeys(("observations_images", "task_images"), META),
    **dict.fromkeys(("output", "observation", "observations", "action_output"), _GIVEN),
    **dict.fromkeys(("model_output", "error", "plan"), _WHOLE),
    **dict.fromkeys(("tool_call", "tool_calls", "code_action"), _CALLS),
    "arguments": _ARGUMENTS,
    **dict.fromkeys(("model_input_messages", "task"), REQUEST),
    "model_output_message": {
        "role": META,
        "content": _WHOLE,
        "tool_calls": _CALLS,
        "raw": ABOUT,
        "token_usage": META,
    },
    "name": NAME,
}


class Smolagents(Repeating):
    """The adapter for deltas, and for the steps and calls among them."""

    name = "smolagents"
    spec: ClassVar[Spec] = _DELTA

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

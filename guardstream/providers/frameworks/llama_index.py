"""LlamaIndex's streams: what its models say (`ChatResponse`, `CompletionResponse`), and its agents.

https://developers.llamaindex.ai/python/framework/module_guides/models/llms/. Each says what is new
in `delta`, and the whole message so far beside it.
"""

from __future__ import annotations

from typing import ClassVar

from guardstream.providers.fields import fields_of
from guardstream.providers.growing import Growing
from guardstream.providers.spec import ABOUT, META, NAME, Either, Leaf, OneOf, Spec, Tree

_NEW = Leaf("delta", "text", "text")
_GROWN = Leaf("grown", "text", "text")
_THOUGHT = Leaf("delta", "thinking", "thinking")
_THOUGHTS = Leaf("grown", "thinking", "thinking")
_CALL: Spec = {
    **dict.fromkeys(("index", "id", "type", "call_id", "tool_id"), META),
    **dict.fromkeys(("name", "tool_name"), NAME),
    "function": {"name": NAME, "arguments": Leaf("grown", "tool_args", "arguments")},
    "arguments": Leaf("grown", "tool_args", "arguments"),
    "tool_kwargs": Leaf("whole", "tool_args", "selection"),
}
_CALLS: Spec = [_CALL]
_ABOUT = dict.fromkeys(("raw", "logprobs"), ABOUT)
_MORE: Spec = {"thinking_delta": _THOUGHT, "thinking": _THOUGHTS, "tool_calls": _CALLS}

_BLOCK = OneOf(
    "block_type",
    {
        "text": {"block_type": META, "text": _GROWN},
        "thinking": {
            **dict.fromkeys(("block_type", "num_tokens"), META),
            "content": _THOUGHTS,
            "additional_information": Tree(
                Leaf("whole", "thinking", "more"), frozenset({"signature", "id", "type"})
            ),
        },
        "tool_call": {
            **dict.fromkeys(("block_type", "tool_call_id"), META),
            "tool_name": NAME,
            "tool_kwargs": Either(
                Leaf("grown", "tool_args", "tool_kwargs"), Leaf("whole", "tool_args", "selection")
            ),
        },
    },
)

_SPEC: Spec = {
    "message": {"role": META, "blocks": [_BLOCK], "additional_kwargs": _MORE},
    "text": _GROWN,
    "response": _GROWN,
    "delta": _NEW,
    "thinking_delta": _THOUGHT,
    "additional_kwargs": _MORE,
    "current_agent_name": META,
    "tool_calls": _CALLS,
    **_ABOUT,
}

_KINDS = ({"message", "delta", "raw"}, {"text", "delta", "raw"}, {"response", "delta", "raw"})


class LlamaIndex(Growing):
    """The adapter for chat and text responses, and agents' `AgentStream` events."""

    name = "llama_index"
    spec: ClassVar[Spec] = _SPEC

    @staticmethod
    def accepts(chunk: object) -> bool:
        """Tell whether `chunk` says what is new, and all so far beside it."""
        keys = fields_of(chunk).keys() if not isinstance(chunk, (str, bytes)) else set()
        return any(kind <= keys for kind in _KINDS)

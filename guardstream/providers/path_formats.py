"""Small formats with one text, each described by a few paths: see
`guardstream.providers.generic.json_format`.

Anthropic's text completions (https://docs.anthropic.com/en/api/complete), Hugging Face's Text
Generation Inference (https://huggingface.co/docs/text-generation-inference, `/generate_stream`),
llama.cpp's own completions (https://github.com/ggml-org/llama.cpp/tree/master/tools/server),
KoboldCpp's (https://lite.koboldai.net/koboldcpp_api, `/api/extra/generate/stream`), Cloudflare's
Workers AI (https://developers.cloudflare.com/workers-ai, `env.AI.run`), Cohere's first chat API
(https://docs.cohere.com/v1/docs/streaming), and the streams of models on Amazon Bedrock by
InvokeModel: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from guardstream.events import FinishReason
from guardstream.providers.adapter import Call, Piece, Reading, Slot, Unknown
from guardstream.providers.generic.json_format import JSONFormat
from guardstream.providers.toolkit.fields import fields_of, index_in
from guardstream.providers.toolkit.nodes import (
    ABOUT,
    META,
    NAME,
    NUMBER,
    PADDED,
    REQUEST,
    Leaf,
    Path,
    Spec,
)


class _PathFormat(JSONFormat):
    """The base: `paths` are the arguments of a `JSONFormat`."""

    paths: ClassVar[dict[str, Any]]
    sse_end = ""
    apart_by_name = False
    end_has_text = True
    harmless = META
    marks = ()

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(self.name, unknown=unknown, **self.paths)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        reading = super().meaning(chunk, event, pieces)
        return reading._replace(failed=bool(event.get("error") or event.get("errors")))

    @property
    def speaks(self) -> None:
        """Their events have no names."""

    def done_as(self, reason: FinishReason) -> Any:
        return reason


class AnthropicCompletions(_PathFormat):
    """The adapter for Anthropic's text completions."""

    name = "anthropic_completions"
    paths: ClassVar[dict[str, Any]] = {
        "text": "$.completion",
        "done": "$.stop_reason",
        "harmless": ["$.type", "$.id", "$.model", "$.log_id", "$.stop"],
    }


class TGI(_PathFormat):
    """The adapter for Hugging Face's Text Generation Inference, `/generate_stream`."""

    name = "tgi"
    paths: ClassVar[dict[str, Any]] = {
        "text": "$.token.text",
        "copies": "$.generated_text",
        "done": "$.details.finish_reason",
    }
    beside: ClassVar[dict[str, Leaf]] = {
        **dict.fromkeys(("$.index", "$.token.logprob", "$.token.special"), NUMBER),
        **{f"$.details.{name}": NUMBER for name in ("generated_tokens", "input_length", "seed")},
        **dict.fromkeys(("$.token.id", "$.top_tokens"), ABOUT),
        **{f"$.details.{name}": ABOUT for name in ("tokens", "top_tokens", "prefill")},
    }
    """Tokens spell out the text, by their ids too."""

    @staticmethod
    def without(value: Any) -> Any:
        """Return a replacement for tokens whose text has changed, with an id, which clients
        require."""
        return 0 if isinstance(value, int) else JSONFormat.without(value)


class LlamaCpp(_PathFormat):
    """The adapter for the answers of llama.cpp's own `/completion`; each prompt's is a choice."""

    name = "llama_cpp"
    paths: ClassVar[dict[str, Any]] = {
        "text": "$.content",
        "done": "$.stop",
        "harmless": ["$.model", "$.stop_type"],
    }
    beside: ClassVar[dict[str, Spec]] = {
        **{f"$.{name}": NUMBER for name in ("index", "id_slot", "truncated", "has_new_line")},
        **{f"$.tokens_{what}": NUMBER for what in ("predicted", "evaluated", "cached")},
        **dict.fromkeys(("$.prompt", "$.generation_settings", "$.stopping_word"), REQUEST),
        **dict.fromkeys(("$.tokens", "$.completion_probabilities"), ABOUT),
    }

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        return Slot(index_in(event), leaf.channel, leaf.field)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        reading, choice = super().meaning(chunk, event, pieces), index_in(event)
        reason: FinishReason = "length" if event.get("stop_type") == "limit" else "stop"
        finished = {choice: reason} if reading.finished else {}
        return reading._replace(choices=(choice,), finished=finished)

    def done_as(self, reason: FinishReason) -> bool:
        return True


class KoboldCpp(_PathFormat):
    """The adapter for KoboldCpp's own `/api/extra/generate/stream`."""

    name = "koboldcpp"
    paths: ClassVar[dict[str, Any]] = {"text": "$.token", "done": "$.finish_reason"}


class WorkersAI(_PathFormat):
    """The adapter for the native format of models on Cloudflare's Workers AI."""

    name = "workers_ai"
    sse_end = "[DONE]"
    paths: ClassVar[dict[str, Any]] = {
        "text": "$.response",
        "tool_args": "$.tool_calls[*].function.arguments",
        "done": "$.finish_reason",
        "harmless": ["$.tool_calls[*].id", "$.tool_calls[*].type"],
    }
    beside: ClassVar[dict[str, Spec]] = {
        "$.p": PADDED,
        "$.usage": META,
        "$.tool_calls[*].index": NUMBER,
        "$.tool_calls[*].function.name": NAME,
    }

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        if leaf.channel != "tool_args":
            return super().slot(leaf, event, path)
        return Slot(0, leaf.channel, leaf.field, index_in(event["tool_calls"][path[0]], path[0]))

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        reading = super().meaning(chunk, event, pieces)
        return reading._replace(calls=_calls(event), usage=event.get("usage"))


def _calls(event: Mapping[str, Any]) -> dict[Slot, Call]:
    """The calls that have a name in a chunk."""
    told = event.get("tool_calls")
    calls: dict[Slot, Call] = {}
    for place, call in enumerate(told if isinstance(told, list) else ()):
        fields = fields_of(call)
        if name := fields_of(fields.get("function")).get("name"):
            slot = Slot(0, "tool_args", "arguments", index_in(call, place))
            calls[slot] = Call(name, fields.get("id"))
    return calls


class Llama(_PathFormat):
    """The adapter for Meta's models on Bedrock."""

    name = "bedrock_llama"
    paths: ClassVar[dict[str, Any]] = {"text": "$.generation", "done": "$.stop_reason"}


class MistralOutputs(_PathFormat):
    """The adapter for Mistral's models on Bedrock."""

    name = "bedrock_mistral"
    paths: ClassVar[dict[str, Any]] = {
        "text": "$.outputs[*].text",
        "done": "$.outputs[*].stop_reason",
    }


class Titan(_PathFormat):
    """The adapter for Amazon's Titan models on Bedrock."""

    name = "bedrock_titan"
    paths: ClassVar[dict[str, Any]] = {"text": "$.outputText", "done": "$.completionReason"}


class CohereV1(_PathFormat):
    """The adapter for Cohere's first chat API, and its models on Bedrock."""

    name = "cohere_v1"
    paths: ClassVar[dict[str, Any]] = {
        "text": "$.text",
        "copies": "$.response.text",
        "done": "$.finish_reason",
        "harmless": ["$.event_type", "$.generation_id", "$.response.generation_id"],
    }
    beside: ClassVar[dict[str, Spec]] = {"$.is_finished": NUMBER}

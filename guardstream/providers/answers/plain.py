"""Whole answers in the small formats with one text, and of models on Amazon Bedrock.

Their streams are in `guardstream.providers.path_formats`, with the sources of the formats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from guardstream.events import FinishReason
from guardstream.providers import sglang
from guardstream.providers.adapter import Call, Piece, Reading, Slot
from guardstream.providers.answers.specs import Answer, BedrockBody, OneAnswer
from guardstream.providers.answers.whole import Body, ChatBody, CompletionBody, MessageBody
from guardstream.providers.openai.chat import REASONS
from guardstream.providers.spec import (
    ABOUT,
    END,
    META,
    NAME,
    NUMBER,
    REQUEST,
    Arguments,
    Leaf,
    OneOf,
    Path,
    Spec,
    Tree,
)
from guardstream.providers.toolkit.fields import fields_of

_TEXT = Leaf("delta", "text", "text")
_WHOLE = Tree(Leaf("whole", "text", "said"), frozenset({"id", "generation_id", "document_ids"}))


class PlainBody(Body):
    """The base: a body, or each item of a list in it, has a text and the reason why it ended.

    `choices` is the field of that list; `text` and `done` lead to the text and the reason in a
    choice. `stops` are the format's words for the reasons of the guard.
    """

    choices: ClassVar[str] = ""
    text: ClassVar[str]
    done: ClassVar[Sequence[str]]
    reasons_known: ClassVar[Mapping[str, FinishReason]] = {
        **REASONS,
        **dict.fromkeys(("max_tokens", "MAX_TOKENS", "LENGTH"), "length"),
        **dict.fromkeys(("CONTENT_FILTERED", "ERROR_TOXIC"), "content_filter"),
        "ERROR": "error",
    }
    stops: ClassVar[Mapping[FinishReason, str]] = {}

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        number = path[-1] if path and leaf.channel == "tool_args" else 0
        choice = path[0] if path and self.choices and leaf is _TEXT else 0
        return Slot(choice, leaf.channel, leaf.field, number)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        ends: dict[int, FinishReason] = {}
        for place, choice in enumerate(self._choices(event)):
            ends[place] = self.reasons_known.get(str(self._word(choice)), "stop")
        return Reading(pieces, tuple(ends), ends, calls=self.calls(event))

    def calls(self, event: Mapping[str, Any]) -> Mapping[Slot, Call]:
        """Return the tool calls of an answer."""
        return {}

    def completed(self, body: Answer, source: Answer) -> Answer:
        made = []
        pairs = zip(self._choices(body), self._choices(source), strict=True)
        for place, (choice, before) in enumerate(pairs):
            said = (choice.get(self.text) or "") + self.messages.get(place, "")
            told = {**choice, self.text: said}
            reason = self.new_reason(place)
            word = self._word(before) if reason is None else self.stops.get(reason, reason)
            made.append(told if word is None else self._ended(told, word))
        return {**body, self.choices: made} if self.choices else made[0]

    def _choices(self, event: Mapping[str, Any]) -> Sequence[Any]:
        return (event.get(self.choices) or ()) if self.choices else (event,)

    def _word(self, choice: Any) -> Any:
        """Return the format's word for the reason why a choice ended."""
        for step in self.done:
            choice = fields_of(choice).get(step)
        return choice

    def _ended(self, choice: Answer, word: Any) -> Answer:
        *way, last = self.done
        told: dict[str, Any] = {last: word}
        for step in reversed(way):
            told = {step: {**fields_of(choice.get(step)), **told}}
        return {**choice, **told}


class AnthropicCompletionsBody(PlainBody):
    """Anthropic's text completion."""

    name = "anthropic_completions"
    text, done = "completion", ("stop_reason",)
    stops: ClassVar[Mapping[FinishReason, str]] = {
        "stop": "stop_sequence",
        "length": "max_tokens",
        "content_filter": "refusal",
    }
    spec: ClassVar[Spec] = {
        **dict.fromkeys(("type", "id", "model", "log_id", "stop"), META),
        "completion": _TEXT,
        "stop_reason": END,
    }


class TGIBody(PlainBody):
    """Text Generation Inference, `/generate`, a path that SGLang has, too."""

    name = "tgi"
    text, done = "generated_text", ("details", "finish_reason")
    stops: ClassVar[Mapping[FinishReason, str]] = {"stop": "stop_sequence"}
    spec: ClassVar[Spec] = {
        "generated_text": _TEXT,
        "details": {
            "finish_reason": END,
            **dict.fromkeys(("generated_tokens", "seed"), NUMBER),
            **dict.fromkeys(("prefill", "tokens", "top_tokens"), ABOUT),
            "best_of_sequences": Tree(
                Leaf("whole", "text", "sequences"),
                frozenset({"finish_reason"}),
                frozenset({"prefill", "tokens", "top_tokens"}),
            ),
        },
    }

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> type[Body]:
        """Return the adapter of a body of either."""
        return SGLangBody if "meta_info" in body else cls


class LlamaCppBody(PlainBody):
    """llama.cpp's own `/completion`, of one prompt."""

    name = "llama_cpp"
    text, done = "content", ("stop_type",)
    reasons_known: ClassVar[Mapping[str, FinishReason]] = {"limit": "length"}
    stops: ClassVar[Mapping[FinishReason, str]] = {"stop": "word", "length": "limit"}
    spec: ClassVar[Spec] = {
        "content": _TEXT,
        "stop_type": END,
        **dict.fromkeys(("index", "id_slot", "stop", "truncated", "has_new_line"), NUMBER),
        **{f"tokens_{what}": NUMBER for what in ("predicted", "evaluated", "cached")},
        "model": META,
        **dict.fromkeys(("prompt", "generation_settings", "stopping_word"), REQUEST),
        **dict.fromkeys(("tokens", "completion_probabilities"), ABOUT),
    }


class SGLangBody(PlainBody):
    """SGLang's `/generate`, of one prompt and one sample."""

    name = "sglang"
    text, done = "text", ("meta_info", "finish_reason", "type")
    spec: ClassVar[Spec] = {**sglang.CHUNK, "text": _TEXT}


class CohereV1Body(PlainBody):
    """Cohere's first chat API."""

    name = "cohere_v1"
    text, done = "text", ("finish_reason",)
    stops: ClassVar[Mapping[FinishReason, str]] = {
        "stop": "COMPLETE",
        "length": "MAX_TOKENS",
        "content_filter": "ERROR_TOXIC",
    }
    spec: ClassVar[Spec] = {
        **dict.fromkeys(("generation_id", "response_id", "meta"), META),
        "is_search_required": NUMBER,
        "text": _TEXT,
        "finish_reason": END,
        "chat_history": [
            OneOf("role", {"CHATBOT": {"role": META, "message": _WHOLE}}, REQUEST),
        ],
        "tool_calls": [
            {"name": NAME, "parameters": Arguments(Leaf("delta", "tool_args", "parameters"))}
        ],
        **dict.fromkeys(("citations", "documents", "search_queries", "search_results"), _WHOLE),
        "prompt": REQUEST,
    }

    def calls(self, event: Mapping[str, Any]) -> Mapping[Slot, Call]:
        found = map(fields_of, event.get("tool_calls") or ())
        return {
            Slot(0, "tool_args", "parameters", place): Call(call.get("name") or "")
            for place, call in enumerate(found)
        }


class LlamaBody(PlainBody):
    """Meta's models on Bedrock."""

    name = "bedrock_llama"
    text, done = "generation", ("stop_reason",)
    spec: ClassVar[Spec] = {
        **dict.fromkeys(("prompt_token_count", "generation_token_count"), NUMBER),
        "generation": _TEXT,
        "stop_reason": END,
    }


class MistralOutputsBody(PlainBody):
    """Mistral's models on Bedrock."""

    name = "bedrock_mistral"
    choices, text, done = "outputs", "text", ("stop_reason",)
    spec: ClassVar[Spec] = {"outputs": [{"text": _TEXT, "stop_reason": END}]}


class TitanBody(PlainBody):
    """Amazon's Titan models on Bedrock."""

    name = "bedrock_titan"
    choices, text, done = "results", "outputText", ("completionReason",)
    stops: ClassVar[Mapping[FinishReason, str]] = {
        "stop": "FINISH",
        "length": "LENGTH",
        "content_filter": "CONTENT_FILTERED",
    }
    spec: ClassVar[Spec] = {
        "inputTextTokenCount": NUMBER,
        "results": [{"tokenCount": NUMBER, "outputText": _TEXT, "completionReason": END}],
    }


class CohereGenerationsBody(PlainBody):
    """Cohere's Command models on Bedrock."""

    name = "bedrock_cohere"
    choices, text, done = "generations", "text", ("finish_reason",)
    stops: ClassVar[Mapping[FinishReason, str]] = CohereV1Body.stops
    spec: ClassVar[Spec] = {
        "id": META,
        "prompt": REQUEST,
        "meta": META,
        "generations": [
            {
                "id": META,
                **dict.fromkeys(("index", "likelihood"), NUMBER),
                "text": _TEXT,
                "finish_reason": END,
                "token_likelihoods": ABOUT,
            }
        ],
    }


class AnyBody(OneAnswer):
    """An answer in an unknown format: each string is guarded by its path."""

    name = "json"
    spec: ClassVar[Spec] = {}

    def ended(self, body: Answer, text: str, reason: FinishReason) -> Answer:
        return body


class InvokeBody(OneAnswer):
    """InvokeModel: each model answers as its own API does; the body's fields tell which."""

    name = "bedrock_invoke"

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> type[Body]:
        """Return the adapter of a model's answer."""
        for field, kind in _MODELS.items():
            if field in body:
                return kind
        choices = body.get("choices")
        if isinstance(choices, list):
            chat = any("message" in fields_of(choice) for choice in choices)
            return ChatBody if chat else CompletionBody
        return AnyBody


_MODELS: Mapping[str, type[Body]] = {
    "content": MessageBody,
    "completion": AnthropicCompletionsBody,
    "generation": LlamaBody,
    "outputs": MistralOutputsBody,
    "results": TitanBody,
    "generations": CohereGenerationsBody,
    "text": CohereV1Body,
    "output": BedrockBody,
}
"""The field that shows whose model answered. Nova answers in Converse's format."""

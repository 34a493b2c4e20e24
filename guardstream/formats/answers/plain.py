"""Whole answers at paths where the answers of several APIs come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from guardstream.events import FinishReason
from guardstream.formats.answers.described import body_of
from guardstream.formats.answers.specs import Answer, OneAnswer
from guardstream.formats.answers.whole import Body, ChatBody, MessageBody
from guardstream.formats.spec import Spec
from guardstream.formats.toolkit.fields import fields_of


class AnyBody(OneAnswer):
    """An answer in an unknown format: each string is guarded by its path."""

    name = "json"
    spec: ClassVar[Spec] = {}

    def ended(self, body: Answer, text: str, reason: FinishReason) -> Answer:
        return body


class OllamaBody(body_of("ollama")):  # type: ignore[misc]
    """An answer with `stream: false`, without its `context`, whose tokens spell out the text."""

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any:
        """Return the body with `texts`."""
        written = super().write(chunk, texts, ends=ends)
        return {name: value for name, value in written.items() if name != "context"}


class GenerateBody(OneAnswer):
    """`/generate`, which both Text Generation Inference and SGLang have."""

    name = "tgi"

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> type[Body]:
        """Return the adapter of a body of either."""
        return body_of("sglang" if "meta_info" in body else "tgi")


class InvokeBody(OneAnswer):
    """InvokeModel: each model answers as its own API does; the body's fields tell which."""

    name = "bedrock_invoke"

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> type[Body]:
        """Return the adapter of a model's answer."""
        for field, kind in _MODELS.items():
            if field in body:
                return body_of(kind) if isinstance(kind, str) else kind
        choices = body.get("choices")
        if isinstance(choices, list):
            chat = any("message" in fields_of(choice) for choice in choices)
            return ChatBody if chat else body_of("openai_completions")
        return AnyBody


_MODELS: Mapping[str, str | type[Body]] = {
    "content": MessageBody,
    "completion": "anthropic_completions",
    "generation": "bedrock_llama",
    "outputs": "bedrock_mistral",
    "results": "bedrock_titan",
    "generations": "bedrock_cohere",
    "text": "cohere_v1",
    "output": "bedrock",
}
"""The field that shows whose model answered. Nova answers in Converse's format."""

"""Small formats of one text, each said in a few paths: see `guardstream.providers.own`.

Anthropic's text completions (https://docs.anthropic.com/en/api/complete) and Hugging Face's Text
Generation Inference (https://huggingface.co/docs/text-generation-inference, `/generate_stream`).
"""

from __future__ import annotations

from typing import Any, ClassVar

from guardstream.providers.adapter import Unknown
from guardstream.providers.fields import fields_of
from guardstream.providers.own import JSONFormat


class _PathFormat(JSONFormat):
    """The base: `paths` are the arguments of a `JSONFormat`."""

    paths: ClassVar[dict[str, Any]]
    sse_end = ""

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(self.name, unknown=unknown, **self.paths)


class AnthropicCompletions(_PathFormat):
    """The adapter for Anthropic's text completions."""

    name = "anthropic_completions"
    paths: ClassVar[dict[str, Any]] = {
        "text": "$.completion",
        "done": "$.stop_reason",
        "harmless": ["$.type", "$.id", "$.model", "$.log_id", "$.stop"],
    }

    @staticmethod
    def accepts(chunk: object) -> bool:
        """Tell whether `chunk` is a piece of a completion."""
        return {"completion", "stop_reason"} <= fields_of(chunk).keys()


class TGI(_PathFormat):
    """The adapter for Hugging Face's Text Generation Inference, `/generate_stream`."""

    name = "tgi"
    paths: ClassVar[dict[str, Any]] = {
        "text": "$.token.text",
        "copies": "$.generated_text",
        "done": "$.details.finish_reason",
    }

    @staticmethod
    def accepts(chunk: object) -> bool:
        """Tell whether `chunk` is a token."""
        fields = fields_of(chunk)
        return "generated_text" in fields and "text" in fields_of(fields.get("token"))

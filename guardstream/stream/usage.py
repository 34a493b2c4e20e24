"""A provider's input and output token counts, under the field names that providers use."""

from __future__ import annotations

from typing import Any

from guardstream.providers.toolkit.fields import fields_of

_INPUT = (
    "input_tokens",
    "prompt_tokens",
    "prompt_token_count",
    "promptTokenCount",
    "inputTokens",
    "prompt_eval_count",
)
_OUTPUT = (
    "output_tokens",
    "completion_tokens",
    "candidates_token_count",
    "candidatesTokenCount",
    "outputTokens",
    "eval_count",
)


def tokens_in(usage: Any) -> int | None:
    """Return the number of input tokens; None if the usage does not have it."""
    return _count(usage, _INPUT)


def tokens_out(usage: Any) -> int | None:
    """Return the number of output tokens; None if the usage does not have it."""
    return _count(usage, _OUTPUT)


def _count(usage: Any, names: tuple[str, ...]) -> int | None:
    """Return the first of these fields of a provider's usage that is a number."""
    if usage is None:
        return None
    fields = fields_of(usage)
    fields = {**fields_of(fields.get("tokens")), **fields}  # Cohere has them there
    return next((fields[name] for name in names if type(fields.get(name)) is int), None)

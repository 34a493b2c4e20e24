"""A chat-completion chunk, field by field: OpenAI's, and what compatible servers add to it.

https://platform.openai.com/docs/api-reference/chat-streaming/streaming.
"""

from __future__ import annotations

from guardstream.providers.adapter import Kind
from guardstream.providers.openai.azure import FILTERED, OFFSETS, RESULTS
from guardstream.providers.spec import (
    ABOUT,
    END,
    KEEP,
    META,
    NAME,
    NUMBER,
    PADDED,
    UNKNOWN,
    Each,
    Either,
    Leaf,
    Mirror,
    OneOf,
    Spec,
    Tree,
)

_SIGNATURES = frozenset({"thought_signature", "thought_signatures"})

_SIGNED = Tree(UNKNOWN, _SIGNATURES)
"""A tool call's signature (Gemini), and nothing else that is known."""

_MARKS = frozenset({"type", "signature", "data", "id", "index", "cache_control"})
_MARKS |= {"encrypted_content", "encrypted_index", "tool_use_id", "file_id"}

POSITIONS = frozenset({"start_index", "end_index"})
"""The fields with the position of an annotation in the text."""

SO_FAR = Leaf("copy", "text", "content")
"""The whole answer so far, beside its new text (Perplexity)."""

TEXT = Leaf("delta", "text", "content")
"""A repetition of the delta's content (Together, Hugging Face), or its substitute."""

_STEPS = Tree(Leaf("copy", "thinking", "reasoning_steps"), frozenset({"type"}))

_MESSAGE = Mirror(
    {
        **dict.fromkeys(("role", "type", "id", "name", "tool_call_id"), META),
        "content": SO_FAR,
        "reasoning_steps": _STEPS,
    }
)
"""Perplexity repeats the whole text so far, Writer the delta: https://docs.perplexity.ai, "Stream
mode: concise vs full".
"""


def _part(channel: str, field: str) -> Spec:
    """A typed part of a list: Mistral's content, OpenRouter's reasoning details."""
    inner = {
        **dict.fromkeys(("type", "id", "index", "format", "signature", "data"), META),
        "text": Leaf("delta", "thinking", field),
    }
    text = Either(Leaf("delta", channel, field), Each(inner))
    return {**_other_part(), "text": text, "thinking": text, "summary": text}


def _other_part() -> dict[str, Spec]:
    return {
        **dict.fromkeys(("type", "id", "index", "format"), META),
        **dict.fromkeys(("signature", "data"), KEEP),
    }


def _parts(field: str) -> Spec:
    kinds = {
        "text": _part("text", field),
        "thinking": _part("thinking", field),
        "reasoning.text": _part("thinking", field),
        "reasoning.summary": _part("thinking", field),
        "reasoning": _part("thinking", field),  # Databricks
    }
    return Each(OneOf("type", kinds, _other_part()))


def _called(argument: str, field: str) -> dict[str, Spec]:
    return {
        "name": NAME,
        argument: Leaf("delta", "tool_args", field),
        "extra_content": _SIGNED,
        "provider_specific_fields": _SIGNED,
    }


_TOOL_CALL: Spec = {
    "id": NAME,
    "type": META,
    "index": NUMBER,
    "function": _called("arguments", "tool_calls"),
    "custom": _called("input", "tool_calls"),
    "extra_content": _SIGNED,
    "provider_specific_fields": _SIGNED,
}


def said_twice(kind: Kind) -> dict[str, Spec]:
    """The parts of a message that LiteLLM repeats:
    https://docs.litellm.ai/docs/reasoning_content."""
    text = Leaf(kind, "thinking", "thinking_blocks")
    block = {**dict.fromkeys(_MARKS, META), "signature": KEEP, "data": KEEP}
    return {
        "thinking_blocks": Mirror(Each({**block, "thinking": text, "text": text})),
        "provider_specific_fields": Mirror(Tree(UNKNOWN, _MARKS)),
        "reasoning_items": Mirror(Tree(UNKNOWN, _MARKS)),
    }


_REASONING = Leaf("delta", "thinking", "reasoning")

_DELTA: Spec = {
    **dict.fromkeys(("role", "tool_call_id", "images"), KEEP),
    **dict.fromkeys(("channel", "name"), META),
    "content": Either(Leaf("delta", "text", "content"), _parts("content")),
    "refusal": Leaf("delta", "refusal", "refusal"),
    "reasoning_content": Leaf("delta", "thinking", "reasoning_content"),  # DeepSeek, vLLM
    # OpenRouter, Groq, newer vLLM; an object in any-llm
    "reasoning": Either(_REASONING, {"content": _REASONING}),
    "reasoning_details": _parts("reasoning_details"),
    "audio": {
        **dict.fromkeys(("id", "data", "expires_at"), KEEP),
        "transcript": Leaf("delta", "text", "audio"),
    },
    "tool_calls": Each(_TOOL_CALL),
    **dict.fromkeys(("tokens", "token_id"), ABOUT),  # Cerebras, Together
    "function_call": _called("arguments", "function_call"),
    "executed_tools": Tree(Leaf("copy", "text", "executed_tools"), frozenset({"index"})),
    "annotations": Tree(Leaf("copy", "text", "annotations"), POSITIONS),
    "error": Tree(Leaf("copy", "text", "error"), frozenset({"code"})),
    "reasoning_steps": _STEPS,  # Perplexity
    **said_twice("delta"),
}

PADDING = frozenset({"created", "obfuscation", "p"})
"""Fields that differ from chunk to chunk: random strings, which hide how long a text is (OpenAI,
Mistral), and the time, which some servers set for each chunk."""

SPELLED = (
    *("logprobs", "reasoning_logprobs", "token_ids"),
    "top_logprobs",  # Together
    "raw_output",  # Fireworks: a model's own tokens
)
"""Fields that spell out the text of a choice."""

BESIDE = "chunk."
"""The prefix of a slot's field if its text is beside the choices."""

NUMBERED = frozenset({"width", "height", "code"})
"""Fields beside the choices that hold numbers: sizes of images, and the code of an error."""

ASIDE = (
    *("citations", "search_results", "images", "related_questions", "error"),
    "provider_specific_fields",
)
"""Fields of a chunk itself that hold text: the sources of an answer (Perplexity), and errors."""

_TIMINGS = (
    *(f"{what}_{unit}" for what in ("prompt", "predicted") for unit in ("n", "ms", "per_second")),
    *("prompt_per_token_ms", "predicted_per_token_ms", "cache_n", "draft_n", "draft_n_accepted"),
)
"""The measurements of llama.cpp."""

USED: Spec = {"models": [{"model": META, "usage": META}]}

GROQ: Spec = {"debug": ABOUT, "id": META, "usage": META, "seed": NUMBER, "usage_breakdown": USED}
"""Groq's fields beside an answer: https://console.groq.com/docs/api-reference."""

CHUNK: Spec = {
    **dict.fromkeys(("id", "object", "model", "service_tier", "system_fingerprint"), META),
    **dict.fromkeys(PADDING - {"created"}, PADDED),
    "created": NUMBER,
    **dict.fromkeys(("provider", "sla_metrics", "moderation"), META),
    **dict.fromkeys(("model_id", "model_version", "created_at"), META),  # watsonx
    "system": Tree(Leaf("copy", "text", f"{BESIDE}system"), frozenset({"id", "more_info"})),
    "timings": dict.fromkeys(_TIMINGS, NUMBER),
    "__verbose": ABOUT,  # repeats the chunk in llama.cpp's own form
    "token": ABOUT,  # Together's completions
    "x_groq": GROQ,
    "usage_breakdown": USED,
    "prompt_filter_results": [FILTERED],
    "usage": KEEP,
    **{name: Tree(Leaf("copy", "text", f"{BESIDE}{name}"), NUMBERED) for name in ASIDE},
    "choices": Each(
        {
            "index": NUMBER,
            "content_filter_results": RESULTS,
            "content_filter_offsets": OFFSETS,
            "obfuscation": PADDED,  # Bedrock pads here
            **dict.fromkeys(SPELLED, ABOUT),
            **dict.fromkeys(("finish_reason", "native_finish_reason", "stop_reason"), END),
            "delta": _DELTA,
            "message": _MESSAGE,
            "text": Mirror(TEXT),
        }
    ),
}

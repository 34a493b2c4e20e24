"""A whole chat completion, field by field: as an API gives it, and as helpers accumulate it."""

from __future__ import annotations

from guardstream.providers.adapter import Kind
from guardstream.providers.openai.azure import FILTERED, OFFSETS, RESULTS
from guardstream.providers.openai.chat_chunk_spec import (
    BESIDE,
    GROQ,
    NUMBERED,
    SPELLED,
    USED,
    said_twice,
)
from guardstream.providers.spec import (
    ABOUT,
    END,
    META,
    NAME,
    NUMBER,
    PADDED,
    REQUEST,
    UNKNOWN,
    Leaf,
    Spec,
    Tree,
)

_CITED = Tree(Leaf("copy", "text", "annotations"), frozenset({"type", "file_id"}))

_RESULTS = Tree(Leaf("copy", "text", "executed_tools"), frozenset({"type", "id", "index"}))


def _called(kind: Kind, argument: str, field: str) -> Spec:
    return {
        "name": NAME,
        argument: Leaf(kind, "tool_args", field),
        "parsed_arguments": Leaf("parsed", "tool_args", field),
    }


def _message(kind: Kind) -> Spec:
    detail = Leaf(kind if kind == "copy" else "whole", "thinking", "reasoning_details")
    return {
        **dict.fromkeys(("role", "channel", "tool_call_id"), META),
        "content": Leaf(kind, "text", "content"),
        "tokens": ABOUT,  # Cerebras
        "parsed": Leaf("parsed", "text", "content"),
        "refusal": Leaf(kind, "refusal", "refusal"),
        "reasoning_content": Leaf(kind, "thinking", "reasoning_content"),
        "reasoning": Leaf(kind, "thinking", "reasoning"),
        "reasoning_details": [
            {
                **dict.fromkeys(("type", "id", "index", "format"), META),
                **dict.fromkeys(("signature", "data"), META),
                "text": detail,
                "summary": detail,
            }
        ],
        "annotations": [_CITED],
        "executed_tools": [_RESULTS],
        "audio": {
            **dict.fromkeys(("id", "data", "expires_at"), META),
            "transcript": Leaf(kind, "text", "audio"),
        },
        "function_call": _called(kind, "arguments", "function_call"),
        "tool_calls": [
            {
                **dict.fromkeys(("id", "type", "index"), META),
                "function": _called(kind, "arguments", "tool_calls"),
                "custom": _called(kind, "input", "tool_calls"),
            }
        ],
        **said_twice(kind),
    }


def completion_spec(kind: Kind) -> dict[str, Spec]:
    """A chat completion; `kind` is that of its text."""
    return {
        **dict.fromkeys(("id", "object", "created", "model", "usage", "service_tier"), META),
        **dict.fromkeys(("system_fingerprint", "provider", "timings"), META),
        "x_groq": GROQ,
        "__verbose": ABOUT,  # llama.cpp
        "usage_breakdown": USED,
        "p": PADDED,
        **dict.fromkeys(("moderation", "request_id"), META),
        "prompt_filter_results": [FILTERED],
        "metadata": REQUEST,
        **{
            name: Tree(Leaf("copy", "text", f"{BESIDE}{name}"), NUMBERED)
            for name in ("citations", "search_results", "images", "related_questions", "error")
        },
        "choices": [
            {
                "index": NUMBER,
                "content_filter_results": RESULTS,
                "content_filter_offsets": OFFSETS,
                **dict.fromkeys(SPELLED, ABOUT),
                **dict.fromkeys(("finish_reason", "native_finish_reason", "stop_reason"), END),
                "provider_specific_fields": Tree(UNKNOWN, frozenset({"native_finish_reason"})),
                "message": _message(kind),
            }
        ],
    }

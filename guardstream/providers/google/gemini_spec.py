"""What the fields of Gemini's responses are, under both of their names.

REST says `finishReason`, the `google-genai` package `finish_reason`. The fields:
https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse.
"""

from __future__ import annotations

from typing import Any

from guardstream.providers.spec import (
    ABOUT,
    END,
    KEEP,
    META,
    NAME,
    NUMBER,
    REQUEST,
    SKIP,
    Arguments,
    Leaf,
    Spec,
    Tree,
)


def camel(name: str) -> str:
    """Return the name that REST gives to a field of the package's objects."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def both(spec: Any) -> Any:
    """Return a spec with each field under both of its names."""
    if isinstance(spec, list):
        return [both(item) for item in spec]
    if not isinstance(spec, dict):
        return spec
    named = {name: both(inner) for name, inner in spec.items()}
    return {camel(name): inner for name, inner in named.items()} | named


def _marks(*names: str) -> frozenset[str]:
    return frozenset(names) | {camel(name) for name in names}


_IDS = _marks("id", "mime_type", "will_continue", "scheduling", "data", "file_uri", "level")

_RESULT = Tree(Leaf("whole", "text", "tool_result"), _IDS | {"name"})
"""A tool's result."""

CITATION = Tree(
    Leaf("whole", "text", "citation"),
    _marks("license", "place_id", "review_id", "sdk_blob", "encoded_polyline", "document_name")
    | _marks("file_search_store", "media_id", "chunk_id", "file_id", "source_id", "duration")
    | _marks("google_maps_widget_context_token", "url_retrieval_status"),
)
"""What an answer rests on: citations, search results and queries, and the passages they support."""

_HISTORY = Tree(
    Leaf("whole", "text", "history"),
    _IDS | _marks("role", "language", "outcome", "thought_signature", "name", "tool_type"),
    own=_marks("args", "response", "part_metadata"),
)

BESIDE = frozenset({"history", "error"})
"""Fields beside the candidates with lists of their own."""

FUNCTION_CALL = {
    "name": NAME,
    "id": META,
    "args": Arguments(Leaf("whole", "tool_args", "args")),
    "partial_args": [
        {
            "json_path": META,
            "string_value": Leaf("delta", "tool_args", "partial"),
            "number_value": KEEP,
            "bool_value": KEEP,
            "null_value": KEEP,
            "will_continue": META,
        }
    ],
    "will_continue": META,
}

PART: dict[str, Any] = {
    "text": Leaf("delta", "text", "text"),
    "thought": NUMBER,
    "thought_signature": KEEP,
    "function_call": FUNCTION_CALL,
    "function_response": {
        **dict.fromkeys(("id", "name", "will_continue", "scheduling"), META),
        "response": Tree(_RESULT.leaf),
        "parts": _RESULT,
    },
    "executable_code": {
        "code": Leaf("whole", "text", "code"),
        "language": META,
        "id": META,
    },
    "code_execution_result": {
        "output": Leaf("whole", "text", "tool_result"),
        "outcome": META,
        "id": META,
    },
    "tool_call": {
        "args": Arguments(Leaf("whole", "tool_args", "tool_call")),
        "tool_type": META,
        "id": META,
    },
    "tool_response": {"response": Tree(_RESULT.leaf), "tool_type": META, "id": META},
    "inline_data": {
        "data": KEEP,
        "mime_type": META,
        "display_name": Leaf("whole", "text", "file"),
    },
    "file_data": {
        "file_uri": KEEP,
        "mime_type": META,
        "display_name": Leaf("whole", "text", "file"),
    },
    "audio_transcription": {
        "text": Leaf("whole", "text", "transcript"),
        "finished": META,
        "language_code": META,
        "speaker_label": META,
        "words": ABOUT,
        "start_offset": META,
        "end_offset": META,
    },
    "part_metadata": Tree(Leaf("whole", "text", "metadata")),
    "media_resolution": META,
    "media_processing": META,
    "video_metadata": META,
    "speech_metadata": META,
}

_RATINGS = [
    dict.fromkeys(
        (
            *("category", "probability", "probability_score", "severity", "severity_score"),
            *("blocked", "overwritten_threshold"),
        ),
        META,
    )
]

_CANDIDATE = {
    "index": NUMBER,
    "content": {"parts": [PART], "role": META},
    "finish_reason": END,
    "finish_message": Leaf("whole", "text", "finish_message"),
    "citation_metadata": CITATION,
    "grounding_metadata": CITATION,
    "url_context_metadata": CITATION,
    "logprobs_result": ABOUT,
    "avg_logprobs": META,
    "token_count": NUMBER,
    "safety_ratings": _RATINGS,
    "continuation_token": META,
}

SPEC: Spec = both(
    {
        "candidates": [_CANDIDATE],
        "prompt_feedback": {
            "block_reason": KEEP,
            "block_reason_message": Leaf("whole", "text", "block_reason"),
            "safety_ratings": _RATINGS,
        },
        "usage_metadata": META,
        "model_version": META,
        "model_status": META,
        "create_time": META,
        "response_id": META,
        "sdk_http_response": {"headers": SKIP, "body": REQUEST},  # the headers are not the model's
        "automatic_function_calling_history": _HISTORY,
        "parsed": ABOUT,
        "error": {
            "code": META,
            "status": KEEP,
            "message": Leaf("whole", "text", "error"),
            "details": Tree(Leaf("whole", "text", "error"), frozenset({"@type"})),
        },
    }
)

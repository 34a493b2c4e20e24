"""The fields of messages and of their parts: which of them hold text, and of what kind.

A field is of one of these kinds: `text`, `thinking`, `refusal` and `arguments` are texts of that
channel; `parts` is a text or a list of parts; `source` is the source of a document; a name in
OBJECTS is an object with those fields, or a list of such objects; `url` is an address that the
provider fetches, or an object with the field `url`; `meta` is not text, unless it has a space.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

Fields: TypeAlias = Mapping[str, str]


def _fields(meta: str = "", **kinds: str) -> Fields:
    """Return the kinds of an object's fields, by name; `meta` lists the names of that kind."""
    names = ["type", "id", "cache_control", *meta.split()]
    return MappingProxyType({**dict.fromkeys(names, "meta"), **kinds})


MESSAGE = _fields(
    "role tool_call_id status phase images tool_name",
    **dict.fromkeys(("content", "parts"), "parts"),
    name="text",
    refusal="refusal",
    reasoning="thinking",
    reasoning_content="thinking",
    thinking="thinking",
    tool_plan="thinking",
    tool_calls="call",
    function_call="call",
    audio="audio",
    annotations="citation",
    citations="citation",
)
"""A chat message, a message of the Responses API, Anthropic's, Ollama's, Cohere's, Gemini's or
Bedrock's."""

OBJECTS: Mapping[str, Fields] = MappingProxyType(
    {
        "call": _fields(
            function="call", custom="call", name="text", arguments="arguments", input="text"
        ),
        "audio": _fields("data", transcript="text"),
        "file": _fields("file_id file_data format", filename="text"),
        "citation": _fields(
            "file_id container_id encrypted_index location",
            url="url",
            url_citation="citation",
            cited_text="text",
            document_title="text",
            filename="text",
            quote="text",
            source="text",
            sourceContent="parts",
            title="text",
        ),
        "use": _fields(
            "toolUseId toolType tool_type", name="text", input="arguments", args="arguments"
        ),
        "given": _fields(
            "toolUseId status scheduling",
            name="text",
            response="arguments",
            content="parts",
            parts="parts",
        ),
        "code": _fields("language outcome", code="text", output="text"),
        "thoughts": _fields("signature redactedContent", reasoningText="thoughts", text="thinking"),
        "guarded": _fields(text="guarded text", image="url"),
        "guarded text": _fields("qualifiers", text="text"),
        "found": _fields("citations", source="text", title="text", content="parts"),
        "cited": _fields(content="parts", citations="citation"),
        "stored": _fields("bucketOwner", uri="url"),
        "marks": _fields("ttl startOffset endOffset start_offset end_offset fps"),
    }
)
"""The objects in messages and parts: tool calls, tool results, code, spoken answers, files,
citations."""

ADDRESS = _fields(
    "detail data media_type file_id format mimeType mime_type citations",
    **dict.fromkeys(("url", "fileUri", "file_uri"), "url"),
    **dict.fromkeys(("name", "displayName", "display_name", "context"), "text"),
    source="source",
)
"""The source of an image or another file, and its description."""

ITEMS: Mapping[str, Fields] = MappingProxyType(
    {
        "function_call": _fields("call_id status", name="text", arguments="arguments"),
        "function_call_output": _fields("call_id status", output="parts"),
        "custom_tool_call": _fields("call_id status", name="text", input="text"),
        "custom_tool_call_output": _fields("call_id status", output="parts"),
        "reasoning": _fields("status encrypted_content", summary="parts", content="parts"),
        "item_reference": _fields(),
    }
)
"""Items of the Responses API that are not messages."""

PARTS: Mapping[str, Fields] = MappingProxyType(
    {
        "": _fields(
            "thought thoughtSignature thought_signature mediaResolution media_resolution",
            text="text",
            citations="citation",
            json="arguments",
            **dict.fromkeys(("inlineData", "inline_data", "fileData", "file_data"), "url"),
            **dict.fromkeys(("image", "audio", "video", "document"), "url"),
            **dict.fromkeys(("functionCall", "function_call", "toolUse"), "use"),
            **dict.fromkeys(("toolCall", "tool_call"), "use"),
            **dict.fromkeys(("functionResponse", "function_response", "toolResult"), "given"),
            **dict.fromkeys(("toolResponse", "tool_response"), "given"),
            **dict.fromkeys(("executableCode", "executable_code"), "code"),
            **dict.fromkeys(("codeExecutionResult", "code_execution_result"), "code"),
            **dict.fromkeys(("cachePoint", "videoMetadata", "video_metadata"), "marks"),
            reasoningContent="thoughts",
            guardContent="guarded",
            searchResult="found",
            citationsContent="cited",
        ),
        "text": _fields(text="text", citations="citation"),
        "input_text": _fields(text="text"),
        "output_text": _fields("logprobs", text="text", annotations="citation"),
        "summary_text": _fields(text="thinking"),
        "reasoning_text": _fields(text="thinking"),
        "thinking": _fields("signature", thinking="thinking"),
        "redacted_thinking": _fields("data"),
        "refusal": _fields(refusal="refusal"),
        "image_url": _fields(image_url="url"),
        "image": _fields(source="url"),
        "input_image": _fields("file_id detail", image_url="url"),
        "input_audio": _fields("input_audio"),
        "file": _fields(file="file"),
        "input_file": _fields("file_id file_data", file_url="url", filename="text"),
        "tool_use": _fields(name="text", input="arguments"),
        "server_tool_use": _fields(name="text", input="arguments"),
        "tool_result": _fields("tool_use_id is_error", content="parts"),
        "document": _fields("citations", source="source", title="text", context="text"),
        "search_result": _fields("citations", source="text", title="text", content="parts"),
    }
)
"""Parts of a message's content, by type: Gemini's and Bedrock's have none, but a name for each."""

SOURCES: Mapping[str, Fields] = MappingProxyType(
    {
        "": _fields("bytes", text="text", content="parts", s3Location="stored"),
        "text": _fields("media_type", data="text"),
        "content": _fields(content="parts"),
        "base64": _fields("media_type data"),
        "url": _fields(url="url"),
        "file": _fields("file_id"),
    }
)
"""The source of a document, by Anthropic's types; Bedrock's has no type."""

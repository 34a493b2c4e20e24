"""What the fields of LangChain's messages are: `AIMessageChunk`, `AIMessage`, `ToolMessage`.

Content is text, or a list of blocks in the provider's own shape or LangChain's:
https://docs.langchain.com/oss/python/langchain/messages#standard-content-blocks. The blocks of
Anthropic's tool calls, and the raw calls of OpenAI's, repeat the chunk's `tool_call_chunks`.
"""

from __future__ import annotations

from typing import Any

from guardstream.providers.anthropic.spec import block_spec
from guardstream.providers.openai.responses_spec import item_spec
from guardstream.providers.spec import (
    APART,
    KEEP,
    META,
    NAME,
    SKIP,
    Either,
    Leaf,
    OneOf,
    Spec,
    Tree,
)

_MARKS = frozenset({"type", "id", "index", "signature", "encrypted_content", "encrypted_index"})
_MARKS |= {"mime_type", "file_id", "tool_call_id", "status", "base64", "data", "encrypted"}

_RESULT = Tree(Leaf("whole", "text", "tool_result"), _MARKS, own=frozenset({"json"}))
_BLOCKS = Tree(Leaf("whole", "thinking", "thinking_blocks"), _MARKS)
_CITATION = Tree(Leaf("whole", "text", "citation"), _MARKS)

_METADATA = Tree(
    APART,
    frozenset({"model", "model_name", "model_provider", "model_id", "id", "created_at", "created"})
    | {"finish_reason", "stop_reason", "done_reason", "system_fingerprint", "service_tier"}
    | {"object", "output_version", "type", "role", "headers", "HTTPHeaders", "RequestId"}
    | {"block_reason", "safety_ratings", "native_finish_reason", "status"},
    frozenset({"logprobs", "logprobs_result"}),
)

_TEXT = Leaf("delta", "text", "content")
_THINKING = Leaf("delta", "thinking", "content")
_ECHO = Leaf("echo", "tool_args", "server_tool")
_CALLER = dict.fromkeys(("type", "tool_id", "caller_id"), META)
_EXTRAS = {"extras": _CITATION, **dict.fromkeys(("index", "id", "type"), META), "caller": _CALLER}
_DATA = {
    **dict.fromkeys(("type", "id", "index", "url", "base64", "mime_type", "file_id"), META),
    **dict.fromkeys(("image_url", "source", "data", "title", "context", "extras"), META),
}
_CALL: dict[str, Any] = {**_EXTRAS, "name": NAME, "error": META, "partial_json": _ECHO}

_SERVER_CALL = {**_CALL, "server_name": META, "input": Leaf("whole", "tool_args", "server_tool")}

_PROVIDERS: dict[str, Any] = {
    name: {**block, "index": META, "extras": _CITATION, "phase": META, "namespace": META}
    for blocks in (block_spec("whole"), item_spec("whole"))
    for name, block in blocks.specs.items()
}
"""Anthropic's blocks and items of OpenAI's Responses API stand among LangChain's as they are."""

_CUSTOM = {**_PROVIDERS["custom_tool_call"], "input": Leaf("whole", "tool_args", "custom")}

_BLOCK = OneOf(
    "type",
    {
        **_PROVIDERS,
        "custom_tool_call": _CUSTOM,
        "compaction": {
            **_PROVIDERS["compaction"],
            "content": Leaf("delta", "text", "compaction"),
        },
        "compaction_delta": {**_EXTRAS, "content": Leaf("delta", "text", "compaction")},
        "text": {
            **_EXTRAS,
            "phase": META,
            "text": _TEXT,
            "annotations": _CITATION,
            "citations": _CITATION,
        },
        "text_delta": {**_EXTRAS, "text": _TEXT},
        "output_text": {**_EXTRAS, "text": _TEXT, "annotations": _CITATION},
        "refusal": {**_EXTRAS, "refusal": Leaf("delta", "refusal", "content")},
        "thinking": {**_EXTRAS, "thinking": Either(_THINKING, _BLOCKS), "signature": KEEP},
        "redacted_thinking": {**_EXTRAS, "data": KEEP},
        "reasoning": {
            **_EXTRAS,
            "reasoning": _THINKING,
            "summary": [{"type": META, "index": META, "text": _THINKING}],
            "content": [{"type": META, "index": META, "text": _THINKING}],
            "encrypted_content": KEEP,
            "status": META,
            "signature": KEEP,
        },
        "reasoning_content": {
            **_EXTRAS,
            "reasoning_content": {"text": _THINKING, "type": META, "signature": KEEP},
        },
        "tool_use": {**_CALL, "input": Either(_ECHO, _ECHO)},
        "input_json_delta": _CALL,
        "tool_call_chunk": {**_CALL, "args": _ECHO},
        "tool_call": {**_CALL, "args": _ECHO},
        "function_call": {
            **_CALL,
            "arguments": _ECHO,
            "call_id": META,
            "status": META,
            "namespace": META,
        },
        "invalid_tool_call": {**_CALL, "args": _ECHO},
        **dict.fromkeys(("server_tool_use", "mcp_tool_use"), _SERVER_CALL),
        "server_tool_call": {**_CALL, "args": Leaf("whole", "tool_args", "server_tool")},
        "server_tool_call_chunk": {**_CALL, "args": Leaf("delta", "tool_args", "server_tool")},
        **dict.fromkeys(("server_tool_result", "non_standard", "tool_result"), _RESULT),
        **dict.fromkeys(("image", "image_url", "audio", "video", "file", "media"), _DATA),
    },
)

_CONTENT = Either(_TEXT, [Either(_TEXT, _BLOCK)])

_RAW_CALL = {
    **dict.fromkeys(("id", "type", "index"), META),
    "function": {"name": NAME, "arguments": Leaf("echo", "tool_args", "raw")},
}

_MESSAGE: dict[str, Spec] = {
    **dict.fromkeys(("type", "name", "id", "example", "status"), META),
    "content": _CONTENT,
    "additional_kwargs": {
        "reasoning_content": Leaf("delta", "thinking", "reasoning_content"),
        "refusal": Leaf("delta", "refusal", "refusal"),
        "tool_calls": [_RAW_CALL],
        "function_call": {"name": NAME, "arguments": Leaf("echo", "tool_args", "raw")},
        "thinking_blocks": _BLOCKS,
        "signature": META,
        "__openai_function_call_ids__": META,
        "__gemini_function_call_thought_signatures__": META,
        "parsed": Leaf("parsed", "text", "content"),
        "audio": {"id": META, "data": META, "expires_at": META, "transcript": _TEXT},
    },
    "response_metadata": _METADATA,
    "usage_metadata": KEEP,
    "chunk_position": META,
}

_CALLS = [
    {"name": NAME, "args": Leaf("whole", "tool_args", "tool_calls"), "id": META, "type": META}
]

_CHUNKS: dict[str, Spec] = {
    **_MESSAGE,
    "tool_call_chunks": [
        {
            "name": NAME,
            "id": KEEP,
            "args": Leaf("delta", "tool_args", "tool_calls"),
            **dict.fromkeys(("index", "type"), META),
        }
    ],
}
_DERIVED = {**dict.fromkeys(("id", "type", "error"), META), "name": NAME, "args": Tree(APART)}

TOOL_MESSAGES = ("tool", "ToolMessageChunk", "function", "FunctionMessageChunk")

_TOOL_MESSAGE: Spec = {
    **dict.fromkeys(("type", "id", "name", "tool_call_id", "status"), META),
    "content": _RESULT,
    **dict.fromkeys(("artifact", "additional_kwargs", "response_metadata"), Tree(_RESULT.leaf)),
}

SPEC = OneOf(
    "type",
    {
        "AIMessageChunk": {
            **_CHUNKS,
            **dict.fromkeys(("tool_calls", "invalid_tool_calls"), SKIP),  # made anew from chunks
        },
        "ai": {
            **_MESSAGE,
            "tool_calls": _CALLS,
            "invalid_tool_calls": [
                {**dict.fromkeys(("name", "id", "type", "error"), META), "args": _CALLS[0]["args"]}
            ],
        },
        **dict.fromkeys(("human", "system", "HumanMessageChunk", "SystemMessageChunk"), SKIP),
        "remove": SKIP,
        **dict.fromkeys(TOOL_MESSAGES, _TOOL_MESSAGE),
    },
)

JSON_SPEC = OneOf(
    "type",
    {
        **SPEC.specs,
        "AIMessageChunk": {
            **_CHUNKS,
            "tool_calls": [_DERIVED],
            "invalid_tool_calls": [_DERIVED],
        },
    },
)
"""The same as JSON, in which what is derived may be another text than the chunks."""

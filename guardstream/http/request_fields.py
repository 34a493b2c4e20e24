"""The fields of requests, by format: the messages, what else a model reads, and settings.

A format is named as the adapter of its answers. Each field is from the reference of its API.
"""

from __future__ import annotations

from collections.abc import Mapping

LISTS = {
    **dict.fromkeys(("openai_chat", "anthropic", "ollama", "cohere", "bedrock"), "messages"),
    **dict.fromkeys(("gemini", "gemini_counting"), "contents"),
    "openai_responses": "input",
}
"""The field with the messages, by format."""

_OPENAI = "model user metadata safety_identifier prompt_cache_key stop logit_bias"

NOT_READ: Mapping[str, frozenset[str]] = {
    name: frozenset(paths.split())
    for name, paths in {
        "openai_chat": _OPENAI,
        "openai_completions": _OPENAI,
        "openai_embeddings": "model user",
        "openai_moderations": "model",
        "openai_images": "model user image images mask",
        "openai_speech": "model",
        "openai_batches": "input_file_id endpoint metadata",
        "openai_responses": f"{_OPENAI} previous_response_id conversation prompt.id "
        "tools.authorization tools.headers tools.server_url",
        "anthropic": "model metadata stop_sequences container anthropic_version anthropic_beta "
        "mcp_servers.url mcp_servers.authorization_token",
        "gemini": "model cachedContent cached_content labels "
        "generationConfig.stopSequences generation_config.stop_sequences",
        "gemini_counting": "model",
        "gemini_embeddings": "model requests.model",
        "ollama": "model images keep_alive options.stop",
        "ollama_embeddings": "model keep_alive options.stop",
        "ollama_model": "model",
        "cohere": "model stop_sequences",
        "bedrock": "modelId requestMetadata inferenceConfig.stopSequences guardrailConfig",
        "dashscope": "model parameters.stop",
        "watsonx": "model_id project_id space_id parameters.stop_sequences",
        "a2a": "jsonrpc method id",
        "mcp": "jsonrpc method id",
    }.items()
}
"""What the model does not read, by format: the keys that lead to it, without the indexes of lists.

These are ids, labels of the sender's own, credentials of servers, files, and where a text ends.
Every other string is text for the model.
"""

MODEL = frozenset({"model"})
"""The same for requests of any other format."""

IDS = frozenset(
    {"model", "modelId", "previous_response_id", "conversation", "cachedContent", "images"}
)
"""Those of them in which not even a vault's values are masked: ids of the provider, and files."""

BESIDE: Mapping[str, Mapping[str, str]] = {
    "openai_chat": {
        **dict.fromkeys(("tools", "functions", "response_format"), "developer"),
        **dict.fromkeys(("tool_choice", "function_call", "web_search_options"), "developer"),
        "prediction": "assistant",
        "documents": "tool",  # vLLM puts them into the prompt, too
        **dict.fromkeys(("chat_template", "chat_template_kwargs"), "developer"),
    },
    "openai_completions": {"prompt": "user", "suffix": "user", "response_format": "developer"},
    "openai_embeddings": {"input": "user"},
    "openai_moderations": {"input": "user"},
    "openai_images": {"prompt": "user"},
    "openai_speech": dict.fromkeys(("input", "instructions"), "user"),
    "openai_batches": {},
    "openai_responses": {
        "instructions": "system",
        **dict.fromkeys(("tools", "tool_choice", "text"), "developer"),
        "prompt": "user",
    },
    "anthropic": {
        "system": "system",
        **dict.fromkeys(("tools", "tool_choice", "mcp_servers"), "developer"),
        **dict.fromkeys(("output_format", "output_config", "context_management"), "developer"),
    },
    "gemini": {
        **dict.fromkeys(("systemInstruction", "system_instruction"), "system"),
        **dict.fromkeys(("tools", "toolConfig", "tool_config"), "developer"),
        **dict.fromkeys(("generationConfig", "generation_config"), "developer"),
    },
    "gemini_embeddings": dict.fromkeys(("content", "requests"), "user"),
    "gemini_counting": {"generateContentRequest": "user"},
    "ollama_embeddings": {"prompt": "user"},
    "ollama_model": {},
    "ollama": {
        "system": "system",
        **dict.fromkeys(("prompt", "suffix"), "user"),
        **dict.fromkeys(("tools", "format", "template", "options"), "developer"),
    },
    "cohere": {
        "documents": "tool",
        **dict.fromkeys(("tools", "tool_choice", "response_format"), "developer"),
    },
    "bedrock": {
        "system": "system",
        **dict.fromkeys(("toolConfig", "outputConfig"), "developer"),
        "additionalModelRequestFields": "developer",
    },
    "dashscope": {"input": "user", "parameters": "developer"},
    "watsonx": {"input": "user"},
    "a2a": {"params": "user"},
    "mcp": {"params": "user"},
}
"""Other fields that the model reads, and the role of their text; in other formats all of them are
the user's."""

STRUCTURE = frozenset({"enum", "const", "pattern", "required", "propertyOrdering", "$ref"})
"""Keys of JSON Schema whose strings are compared, and so never texts."""

FREE_TEXT = frozenset(
    (
        *("description", "title", "instructions", "text", "content", "prompt", "template"),
        *("$comment", "default", "example", "examples"),
    )
)
"""Keys of tools and settings whose strings are texts, even those of one word."""

CONTENT = (
    ("openai_completions", "prompt"),
    ("openai_embeddings", "input"),
    ("openai_responses", "instructions"),
    ("anthropic", "system"),
    ("bedrock", "system"),
)
"""Fields with the form of a message's content; in others each string is a separate text."""

NAMES = frozenset(
    (
        *{name for paths in NOT_READ.values() for path in paths for name in path.split(".")},
        *{name for fields in BESIDE.values() for name in fields},
        *("prompt_cache_retention", "service_tier", "priority", "stream", "stream_options"),
        *("include", "truncation", "reasoning", "reasoning_effort", "thinking", "verbosity"),
        *("modalities", "audio", "store", "safetySettings", "safety_settings"),
        *("encoding_format", "taskType", "task_type", "think", "name", "safety_mode"),
        *("citation_options", "size", "quality", "style", "background", "moderation"),
        *("voice", "stream_format", "completion_window", "output_expires_after"),
        *("performanceConfig", "serviceTier", "inferenceConfig", "responseSchema", "edits"),
        *("additionalModelResponseFieldPaths", "additionalModelRequestFields"),
        *LISTS.values(),
        # Parts of messages, and tools.
        *("data", "bytes", "mimeType", "mime_type", "role", "format", "type", "kind", "raw"),
        *("toolUseId", "thoughtSignature", "thought_signature", "fileUri", "file_uri", "args"),
        *("toolResult", "functionResponse", "function_response", "response", "input", "json"),
        *("codeExecutionResult", "code_execution_result"),
        *("content", "parts", "text", "thought", "inlineData", "inline_data", "fileData"),
        *("file_data", "displayName", "display_name", "functionCall", "executableCode"),
        *("executable_code", "code", "language", "outcome", "output", "videoMetadata"),
        *("video_metadata", "startOffset", "endOffset", "fps", "toolUse", "toolSpec", "status"),
        *("image", "document", "video", "source", "s3Location", "uri", "bucketOwner", "url"),
        *("context", "citations", "enabled", "cachePoint", "cache_control", "guardContent"),
        *("reasoningContent", "reasoningText", "redactedContent", "signature", "qualifiers"),
        *("searchResult", "citationsContent", "location", "function", "parameters", "strict"),
        *("functionDeclarations", "function_declarations", "parametersJsonSchema", "inputSchema"),
        *(
            "input_schema",
            "responseJsonSchema",
            "json_schema",
            "schema",
            "behavior",
            "defer_loading",
        ),
        *("message", "metadata", "messageId", "contextId", "taskId", "arguments", "variables"),
        # JSON Schema, and what OpenAPI adds to it.
        *("$schema", "$id", "$ref", "$defs", "$anchor", "$comment", "definitions", "title"),
        *("description", "default", "examples", "example", "enum", "const", "nullable"),
        *("properties", "required", "additionalProperties", "patternProperties"),
        *("propertyNames", "minProperties", "maxProperties", "dependentRequired"),
        *("dependentSchemas", "propertyOrdering", "items", "prefixItems", "contains"),
        *("minItems", "maxItems", "uniqueItems", "minContains", "maxContains", "pattern"),
        *("minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum"),
        *("exclusiveMaximum", "multipleOf", "allOf", "anyOf", "oneOf", "not", "if", "then", "else"),
        *("deprecated", "readOnly", "writeOnly", "contentEncoding", "contentMediaType"),
    )
)
"""The names of fields that formats and JSON Schema define; other names are judged like texts."""

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

SETTINGS = frozenset({"model", "previous_response_id", "conversation", "cachedContent", "images"})
"""Fields that never contain a user's value, in any format."""

OPTIONS = frozenset(
    (
        *("user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"),
        *("stop", "stop_sequences", "tool_choice", "function_call", "service_tier", "priority"),
        *("stream_options", "include", "truncation", "reasoning", "reasoning_effort", "thinking"),
        *("verbosity", "modalities", "audio", "logit_bias", "store", "context_management"),
        *("container", "mcp_servers", "anthropic_version", "anthropic_beta", "encoding_format"),
        *("generationConfig", "generation_config", "safetySettings", "safety_settings"),
        *("toolConfig", "tool_config", "cached_content", "labels", "taskType", "task_type"),
        *("options", "keep_alive", "think", "name", "safety_mode", "citation_options"),
        *("response_format", "size", "quality", "style", "background", "moderation"),
        *("output_format", "voice", "stream_format", "input_file_id", "endpoint"),
        *("completion_window", "output_expires_after", "inferenceConfig", "guardrailConfig"),
        *("additionalModelRequestFields", "additionalModelResponseFieldPaths", "modelId"),
        *("performanceConfig", "requestMetadata", "outputConfig", "serviceTier"),
        *("model_id", "project_id", "space_id", "jsonrpc", "method", "id"),
    )
)
"""Fields with settings, in any format; the model does not read them."""

BESIDE: Mapping[str, Mapping[str, str]] = {
    "openai_chat": {
        **dict.fromkeys(("tools", "functions", "response_format"), "developer"),
        "prediction": "assistant",
        "documents": "tool",  # vLLM puts them into the prompt, too
        **dict.fromkeys(("chat_template", "chat_template_kwargs"), "developer"),
    },
    "openai_completions": {"prompt": "user", "suffix": "user"},
    "openai_embeddings": {"input": "user"},
    "openai_moderations": {"input": "user"},
    "openai_images": {"prompt": "user"},
    "openai_speech": dict.fromkeys(("input", "instructions"), "user"),
    "openai_batches": {},
    "openai_responses": {
        "instructions": "system",
        **dict.fromkeys(("tools", "text"), "developer"),
        "prompt": "user",
    },
    "anthropic": {"system": "system", "tools": "developer"},
    "gemini": {
        **dict.fromkeys(("systemInstruction", "system_instruction"), "system"),
        "tools": "developer",
    },
    "gemini_embeddings": dict.fromkeys(("content", "requests"), "user"),
    "gemini_counting": {"generateContentRequest": "user"},
    "ollama_embeddings": {"prompt": "user"},
    "ollama_model": {},
    "ollama": {
        "system": "system",
        **dict.fromkeys(("prompt", "suffix"), "user"),
        **dict.fromkeys(("tools", "format", "template"), "developer"),
    },
    "cohere": {"documents": "tool", "tools": "developer"},
    "bedrock": {"system": "system", "toolConfig": "developer"},
    "dashscope": {"input": "user", "parameters": "developer"},
    "watsonx": {"input": "user"},
    "a2a": {"params": "user"},
    "mcp": {"params": "user"},
}
"""Other fields that the model reads, and the role of their text; in other formats all of them are
the user's."""

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
        *OPTIONS,
        *SETTINGS,
        *{name for fields in BESIDE.values() for name in fields},
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

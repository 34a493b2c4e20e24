"""The endpoints of models' APIs: which format the answers at a path have."""

from __future__ import annotations

from guardstream.framing.json import json_object

ENDPOINTS = {
    "/chat/completions": "openai_chat",
    "/completions": "openai_completions",
    "/completion": "llama_cpp",
    "/responses": "openai_responses",
    "/messages": "anthropic",
    **dict.fromkeys((":generateContent", ":streamGenerateContent"), "gemini"),
    **dict.fromkeys(("/converse", "/converse-stream"), "bedrock"),
    **dict.fromkeys(("/invoke", "/invoke-with-response-stream"), "bedrock_invoke"),
    "/interactions": "interactions",
    "/v2/chat": "cohere",
    "/v1/chat": "cohere_v1",
    "/v1/complete": "anthropic_completions",
    **dict.fromkeys(("/api/chat", "/api/generate"), "ollama"),
    **dict.fromkeys(("/generate", "/generate_stream"), "tgi"),
    "/text-generation/generation": "dashscope",
    "/ml/v1/text/generation": "watsonx",
    "/ml/v1/text/generation_stream": "watsonx",
}
"""The ends of the paths of endpoints, and the adapters of their answers."""

SHARED = ("tgi", "openai_completions")
"""Adapters whose paths other APIs have, too: those of SGLang and Writer."""


def format_at(path: str) -> str | None:
    """Return the adapter of an endpoint's answers; None for an unknown path."""
    return next((name for end, name in ENDPOINTS.items() if path.endswith(end)), None)


def provider_of(path: str, body: bytes) -> str | None:
    """Return the adapter of the answers to a request; None for an unknown path.

    Writer has the path of Cohere's first chat API, and requests like OpenAI's.
    """
    found = format_at(path)
    if found == "cohere_v1" and "messages" in (json_object(body) or {}):
        return "openai_chat"
    return found

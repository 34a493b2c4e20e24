"""The endpoints of a proxy, and what they answer."""

from __future__ import annotations

import json
from typing import Any

import httpx

from tests.serve.proxy.upstream import completion


def gemini(text: str) -> dict[str, Any]:
    content = {"role": "model", "parts": [{"text": text}]}
    return {"candidates": [{"index": 0, "content": content, "finishReason": "STOP"}]}


def said(path: str, text: str) -> dict[str, Any]:
    """A whole answer of an endpoint that says a text."""
    if "enerateContent" in path:
        return gemini(text)
    if path.startswith("/api/chat"):
        return {"model": "m", "message": {"role": "assistant", "content": text}, "done": True}
    if path.startswith("/api/generate"):
        return {"model": "m", "response": text, "done": True}
    if path == "/v2/chat":
        content = [{"type": "text", "text": text}]
        message = {"role": "assistant", "content": content}
        return {"id": "c", "finish_reason": "COMPLETE", "message": message}
    if path.endswith("messages"):
        content = [{"type": "text", "text": text}]
        return {"id": "m", "type": "message", "role": "assistant", "content": content,
                "model": "m", "stop_reason": "end_turn"}  # fmt: skip
    if "responses" in path:
        part = {"type": "output_text", "text": text, "annotations": []}
        item = {"id": "i", "type": "message", "role": "assistant", "content": [part]}
        return {"id": "r", "object": "response", "status": "completed", "output": [item]}
    if path.endswith("chat/completions") or "/chat/completions/" in path:
        return dict(json.loads(bytes(completion(text).body)))
    choice = {"index": 0, "text": text, "finish_reason": "stop"}
    return {"id": "c", "object": "text_completion", "choices": [choice]}


def asked(path: str, text: str) -> dict[str, Any]:
    """A request of an endpoint that says a text."""
    if "enerateContent" in path or path.endswith(":countTokens"):
        return {"contents": [{"role": "user", "parts": [{"text": text}]}]}
    if "mbedContent" in path:
        return {"content": {"parts": [{"text": text}]}}
    if "completions" in path and "chat" not in path:
        return {"model": "m", "prompt": text}
    if "responses" in path or "moderations" in path or path.endswith(("/embed", "/speech")):
        return {"model": "m", "input": text}
    if path.endswith(("embeddings",)) and not path.startswith("/api"):
        return {"model": "m", "input": [text]}
    if "images" in path or (path.startswith("/api") and not path.endswith("chat")):
        return {"model": "m", "prompt": text}
    return {"model": "m", "messages": [{"role": "user", "content": text}]}


LINE = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions"}


def upload(
    base: str, *bodies: dict[str, Any], purpose: str = "batch", **line: Any
) -> httpx.Response:
    lines = [json.dumps({**LINE, **line, "body": body}).encode() for body in bodies]
    return httpx.post(
        f"{base}/v1/files",
        data={"purpose": purpose},
        files={"file": ("batch.jsonl", b"\n".join(lines), "application/jsonl")},
    )


NAMES = [
    "/v1/responses/..", "/v1/responses/%2e%2e", "/v1/responses/a%2Fb", "/v1/responses/a%3Fb",
    "/v1/responses/a%252e", "/v1/responses/.a", "/v1/responses/", "/v1/responses/a%00",
    "/v1/models/../files", "/v1/models/a//b", "/v1/models/a/%2e%2e/b", "/v1/models/a%5Cb",
    "/v1beta/models/a/b:generateContent", "/v1beta/models/a:b:generateContent",
    "/openai/deployments/a/b/chat/completions", "/openai/deployments/%2e%2e/chat/completions",
    "/v3/models/m:generateContent", "/v1beta/models/m:GenerateContent", "/v1/files/a/content/",
    "/V1/models", "/v1/Models", "//v1/models", "/v1/models%0a",
]  # fmt: skip

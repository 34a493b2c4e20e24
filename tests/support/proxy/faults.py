"""Requests to a proxy, and the errors that it answers with."""

from __future__ import annotations

import json
from typing import Any

import httpx

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"


BODY = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hello"}]}


def post(url: str, path: str = CHAT, body: Any = BODY, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(url + path, content=content, headers=headers, timeout=30)


def error_of(response: httpx.Response) -> dict[str, Any]:
    return dict(json.loads(response.content)["error"])

"""Streams of DashScope."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def told(texts: Sequence[str], field: str = "content") -> list[dict[str, Any]]:
    chunks: list[dict[str, Any]] = []
    for text in texts:
        choice = {"message": {"role": "assistant", field: text}, "finish_reason": "null"}
        chunks.append({"output": {"choices": [choice]}, "usage": {}, "request_id": "r"})
    chunks[-1]["output"]["choices"][0]["finish_reason"] = "stop"
    return chunks


def said(chunk: dict[str, Any], field: str = "content") -> str:
    output = chunk["output"]
    return str(output["choices"][0]["message"][field] if "choices" in output else output["text"])


def choice(index: int, text: str, over: bool) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {"index": index, "message": message, "finish_reason": "stop" if over else "null"}

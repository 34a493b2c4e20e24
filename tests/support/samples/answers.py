"""Whole answers, of the formats that have them."""

from __future__ import annotations

from typing import Any

Body = dict[str, Any]


def gemini(text: str, args: str = "so") -> Body:
    call = {"functionCall": {"name": "find", "args": {"q": args}}}
    parts = [{"text": "hm", "thought": True}, {"text": text[:4]}, {"text": text[4:]}, call]
    candidate = {"content": {"parts": parts, "role": "model"}, "finishReason": "STOP", "index": 0}
    return {"candidates": [candidate], "usageMetadata": {"totalTokenCount": 3}, "modelVersion": "m"}


def ollama(text: str, args: str = "so") -> Body:
    call = {"function": {"name": "find", "arguments": {"q": args}}}
    message = {"role": "assistant", "content": text, "thinking": "hm", "tool_calls": [call]}
    about = {"model": "m", "created_at": "2026-01-01T00:00:00Z", "done": True}
    return {**about, "message": message, "done_reason": "stop", "eval_count": 3}


def generated(text: str, args: str = "") -> Body:  # noqa: ARG001
    about = {"model": "m", "created_at": "2026-01-01T00:00:00Z", "done": True}
    return {**about, "response": text, "done_reason": "stop", "context": [1, 2]}


def cohere(text: str, args: str = "so") -> Body:
    call = {"id": "c", "type": "function", "function": {"name": "find", "arguments": args}}
    content = [{"type": "text", "text": text}]
    message = {"role": "assistant", "content": content, "tool_plan": "hm", "tool_calls": [call]}
    return {"id": "r", "finish_reason": "COMPLETE", "message": message}


def bedrock(text: str, args: str = "so") -> Body:
    use = {"toolUse": {"toolUseId": "t", "name": "find", "input": {"q": args}}}
    thought = {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}}
    message = {"role": "assistant", "content": [thought, {"text": text}, use]}
    return {"output": {"message": message}, "stopReason": "end_turn", "usage": {"totalTokens": 3}}


def dashscope(text: str, args: str = "so") -> Body:
    call = {"id": "c", "type": "function", "function": {"name": "find", "arguments": args}}
    message = {"role": "assistant", "content": text, "tool_calls": [call]}
    choice = {"message": message, "finish_reason": "stop"}
    return {"output": {"choices": [choice]}, "request_id": "r", "usage": {"total_tokens": 3}}


def watsonx(text: str, args: str = "") -> Body:  # noqa: ARG001
    result = {"generated_text": text, "stop_reason": "eos_token", "generated_token_count": 3}
    return {"model_id": "m", "results": [result]}


MAKERS = {
    "gemini": gemini,
    "ollama": ollama,
    "generate": generated,
    "cohere": cohere,
    "bedrock": bedrock,
    "dashscope": dashscope,
    "watsonx": watsonx,
}

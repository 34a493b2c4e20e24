"""A model's API on this machine, in four formats: for LiteLLM's proxy to ask.

It says that a bluebird sings; or, if it is asked for a `block`, first what no policy of the test
lets pass and then more, for ten seconds.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

POLICY = """
rules:
  - {id: bird, words: [bluebird], replacement: "[bird]"}
  - {id: bad, words: [forbidden], action: block}
input:
  rules:
    - {id: evil, words: [evil], action: block}
    - {id: name, words: [Ann], replacement: "[name]"}
"""
"""What the tests guard by."""

SINGS = ("a blue", "bird ", "sings")
BLOCKED = ("a blue", "bird ", "and ", "for", "bidden ", "thing", *["x "] * 200)


class Upstream:
    """Remembers the bodies of requests, and which streams were left before their end."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.left: list[str] = []
        paths = {
            "/v1/chat/completions": chat,
            "/v1/completions": completions,
            "/v1/messages": messages,
            "/v1/responses": responses,
        }
        self.app = Starlette(
            routes=[
                Route(path, self._answering(made), methods=["POST"]) for path, made in paths.items()
            ]
        )

    def _answering(self, made: Any) -> Any:
        async def answer(request: Request) -> Response:
            body = await request.body()
            self.asked.append(body.decode())
            parts = BLOCKED if b"block" in body else SINGS
            whole, events = made(parts, tool=b"tool" in body)
            if not json.loads(body).get("stream"):
                return JSONResponse(whole)
            stream = self._streamed(request.url.path, events)
            return StreamingResponse(stream, media_type="text/event-stream")

        return answer

    async def _streamed(self, path: str, events: Iterable[Any]) -> AsyncIterator[bytes]:
        ended = False
        try:
            for event in events:
                name = event.get("type") if isinstance(event, dict) else None
                data = event if isinstance(event, str) else json.dumps(event)
                yield (f"event: {name}\n" if name else "").encode() + f"data: {data}\n\n".encode()
                await asyncio.sleep(0.05)
            ended = True
        finally:
            if not ended:
                self.left.append(path)


def _choice(kind: str, **choice: Any) -> dict[str, Any]:
    return {
        "id": "c",
        "object": kind,
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, **choice}],
    }


USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


def chat(parts: tuple[str, ...], *, tool: bool) -> Any:
    """https://platform.openai.com/docs/api-reference/chat"""
    message: dict[str, Any] = {"role": "assistant", "content": "".join(parts)}
    deltas: list[dict[str, Any]] = [{"content": part} for part in parts]
    if tool:
        call = {"id": "t", "type": "function", "function": {"name": "f", "arguments": ""}}
        pieces = ('{"q": "a blue', 'bird"}')
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        deltas = [{"tool_calls": [{"index": 0, **call}]}]
        deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": p}}]} for p in pieces]
        message["tool_calls"] = [{**call, "function": {"name": "f", "arguments": "".join(pieces)}}]
    end = "tool_calls" if tool else "stop"
    whole = _choice("chat.completion", message=message, finish_reason=end) | {"usage": USAGE}
    kind = "chat.completion.chunk"
    events = [_choice(kind, delta=delta, finish_reason=None) for delta in deltas]
    return whole, [*events, _choice(kind, delta={}, finish_reason=end), "[DONE]"]


def completions(parts: tuple[str, ...], *, tool: bool) -> Any:  # noqa: ARG001
    """https://platform.openai.com/docs/api-reference/completions"""
    kind, text = "text_completion", "".join(parts)
    whole = _choice(kind, text=text, finish_reason="stop", logprobs=None) | {"usage": USAGE}
    events = [_choice(kind, text=part, finish_reason=None, logprobs=None) for part in parts]
    return whole, [*events, _choice(kind, text="", finish_reason="stop", logprobs=None), "[DONE]"]


def messages(parts: tuple[str, ...], *, tool: bool) -> Any:  # noqa: ARG001
    """https://docs.anthropic.com/en/api/messages-streaming"""
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "m", "type": "message", "role": "assistant", "model": "c", "usage": usage}
    text = {"type": "text", "text": "".join(parts)}
    begun = {**message, "content": [], "stop_reason": None, "stop_sequence": None}
    block = {"type": "text", "text": ""}
    return {**message, "content": [text], "stop_reason": "end_turn", "stop_sequence": None}, [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": part},
            }
            for part in parts
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 5},
        },
        {"type": "message_stop"},
    ]


def responses(parts: tuple[str, ...], *, tool: bool) -> Any:  # noqa: ARG001
    """https://platform.openai.com/docs/api-reference/responses-streaming"""
    text = {"type": "output_text", "text": "".join(parts), "annotations": []}
    item = {"id": "i", "type": "message", "role": "assistant", "status": "completed"}
    place = {"item_id": "i", "output_index": 0, "content_index": 0}
    done = {**item, "content": [text]}
    begun = {"output_index": 0, "item": {**item, "status": "in_progress", "content": []}}
    events = [
        {"type": "response.created", "response": _response("in_progress", [])},
        {"type": "response.output_item.added", **begun},
        {"type": "response.content_part.added", **place, "part": {**text, "text": ""}},
        *({"type": "response.output_text.delta", **place, "delta": part} for part in parts),
        {"type": "response.output_text.done", **place, "text": text["text"]},
        {"type": "response.content_part.done", **place, "part": text},
        {"type": "response.output_item.done", "output_index": 0, "item": done},
        {"type": "response.completed", "response": _response("completed", [done])},
    ]
    numbered = [{**event, "sequence_number": n} for n, event in enumerate(events)]
    return _response("completed", [done]), numbered


def _response(status: str, output: list[Any]) -> dict[str, Any]:
    details = {
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }
    return {
        **{"id": "r", "object": "response", "created_at": 1, "model": "m", "status": status},
        **{"output": output, "parallel_tool_calls": True, "tool_choice": "auto", "tools": []},
        **dict.fromkeys(("error", "incomplete_details", "instructions")),
        **{"metadata": {}, "temperature": 1, "top_p": 1},
        "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2, **details},
    }

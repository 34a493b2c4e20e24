"""Answers of each API that call a tool, and the API's own client, which asks for them.

The arguments have the word `forbidden` in them.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from guardstream import Guard, Policy
from guardstream.framing import aws
from tests.serve.apps import app_of
from tests.support.optional import optional

anthropic = optional("anthropic")
boto3 = optional("boto3")
cohere = optional("cohere")
ollama = optional("ollama")
openai = optional("openai")
Config = optional("botocore.config", "Config")
genai = optional("google.genai")
HttpOptions = optional("google.genai.types", "HttpOptions")
Mistral = optional("mistralai.client", "Mistral")

POLICY = "rules: [{id: bad, words: [forbidden], action: block}]"
ARGUMENTS = '{"cmd": "ls forbidden"}'
PIECES = ('{"cmd": "ls ', "for", 'bidden"}')
USER: Any = [{"role": "user", "content": "hello"}]


def guard() -> Guard:
    return Guard(Policy.parse(POLICY))


@dataclass(frozen=True)
class Api:
    """An API: its provider's answers, streamed and whole, and a function that asks its client."""

    stream: bytes
    whole: Mapping[str, Any]
    ask: Callable[[str, Any, bool], object]
    media: str = "text/event-stream"


class Caller:
    """A provider that answers each request with the same call of a tool, and counts requests."""

    def __init__(self, api: Api, cut: Callable[[bytes], Sequence[bytes]]) -> None:
        self.asked = 0
        self._api = api
        self._cut = cut
        self.app = app_of(self._respond)

    async def _respond(self, request: Request) -> Response:
        self.asked += 1
        if not _streams(request.url.path, await request.body()):
            return JSONResponse(self._api.whole)

        async def parts() -> Any:
            for part in self._cut(self._api.stream):
                yield part

        return StreamingResponse(parts(), media_type=self._api.media)


def _streams(path: str, body: bytes) -> bool:
    asked = json.loads(body)
    if path.startswith("/api/"):
        return bool(asked.get("stream", True))
    return bool(asked.get("stream")) or "stream" in path.rpartition("/")[2]


def _events(*values: Any, named: bool = False) -> bytes:
    out = b""
    for each in values:
        data = each if isinstance(each, str) else json.dumps(each)
        name = f"event: {each['type']}\n" if named else ""
        out += f"{name}data: {data}\n\n".encode()
    return out


# OpenAI's chat completions, and those who are compatible with it


def _chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return {**head, "choices": choices}


def _call(**function: str) -> dict[str, Any]:
    first = {"id": "t", "type": "function"} if "name" in function else {}
    return {"tool_calls": [{"index": 0, **first, "function": function}]}


_CHAT = _events(
    _chunk({"role": "assistant", "content": None}),
    _chunk(_call(name="run", arguments="")),
    *(_chunk(_call(arguments=piece)) for piece in PIECES),
    _chunk({}, "tool_calls"),
    "[DONE]",
)
_CALLED = {"id": "t", "type": "function", "function": {"name": "run", "arguments": ARGUMENTS}}
_COMPLETION = {
    **{"id": "c", "object": "chat.completion", "created": 1, "model": "m"},
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": None, "tool_calls": [_CALLED]},
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}


def openai_client(url: str, transport: Any) -> openai.OpenAI:
    http = transport and openai.DefaultHttpxClient(transport=transport)
    return openai.OpenAI(base_url=f"{url}/v1", api_key="key", http_client=http)


def _ask_chat(url: str, transport: Any, streams: bool) -> object:
    with openai_client(url, transport) as client:
        create: Any = client.chat.completions.create
        answer = create(model="m", messages=USER, stream=streams)
        return list(answer) if streams else answer


def _ask_chat_helper(url: str, transport: Any, streams: bool) -> object:
    with openai_client(url, transport) as client:
        if not streams:
            return client.chat.completions.parse(model="m", messages=USER)
        with client.chat.completions.stream(model="m", messages=USER) as stream:
            return stream.get_final_completion()


_MISTRAL = _events(
    _chunk({"role": "assistant", "content": "I run it. "}),
    _chunk({"tool_calls": [{**_CALLED, "index": 0}]}, "tool_calls"),
    "[DONE]",
)


def _ask_mistral(url: str, transport: Any, streams: bool) -> object:
    with httpx.Client(transport=transport) as http:
        client = Mistral(api_key="key", server_url=url, client=http)  # type: ignore[arg-type]
        if streams:
            return list(client.chat.stream(model="m", messages=USER))
        return client.chat.complete(model="m", messages=USER)


# OpenAI's responses

_ITEM = {"type": "function_call", "id": "f", "call_id": "t", "name": "run", "status": "completed"}
_RESPONSE = {
    **{"id": "r", "object": "response", "created_at": 1, "model": "m", "status": "completed"},
    **{"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None},
    "output": [{**_ITEM, "arguments": ARGUMENTS}],
}
_OPEN = {**_RESPONSE, "status": "in_progress", "output": []}
_AT = {"item_id": "f", "output_index": 0}
_RESPONSES = [
    {"type": "response.created", "response": _OPEN},
    {
        "type": "response.output_item.added",
        "output_index": 0,
        "item": {**_ITEM, "status": "in_progress", "arguments": ""},
    },
    *({"type": "response.function_call_arguments.delta", **_AT, "delta": p} for p in PIECES),
    {"type": "response.function_call_arguments.done", **_AT, "name": "run", "arguments": ARGUMENTS},
    {
        "type": "response.output_item.done",
        "output_index": 0,
        "item": {**_ITEM, "arguments": ARGUMENTS},
    },
    {"type": "response.completed", "response": _RESPONSE},
]


def _ask_responses(url: str, transport: Any, streams: bool) -> object:
    with openai_client(url, transport) as client:
        create: Any = client.responses.create
        answer = create(model="m", input="hello", stream=streams)
        return list(answer) if streams else answer


# Anthropic's messages

_HEAD = {"id": "m", "type": "message", "role": "assistant", "model": "c", "stop_sequence": None}
_USAGE = {"input_tokens": 1, "output_tokens": 1}
_TOOL_USE = {"type": "tool_use", "id": "t", "name": "run", "input": {}}
_MESSAGE = {
    **{**_HEAD, "stop_reason": "tool_use", "usage": _USAGE},
    "content": [{**_TOOL_USE, "input": {"cmd": "ls forbidden"}}],
}
_MESSAGES = [
    {
        "type": "message_start",
        "message": {**_HEAD, "content": [], "stop_reason": None, "usage": _USAGE},
    },
    {"type": "content_block_start", "index": 0, "content_block": _TOOL_USE},
    *(
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": piece},
        }
        for piece in PIECES
    ),
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {"output_tokens": 9},
    },
    {"type": "message_stop"},
]


def anthropic_client(url: str, transport: Any) -> anthropic.Anthropic:
    http = transport and anthropic.DefaultHttpxClient(transport=transport)
    return anthropic.Anthropic(base_url=url, api_key="key", http_client=http)


def _ask_anthropic(url: str, transport: Any, streams: bool) -> object:
    with anthropic_client(url, transport) as client:
        create: Any = client.messages.create
        answer = create(model="c", max_tokens=9, messages=USER, stream=streams)
        return list(answer) if streams else answer


def _ask_anthropic_helper(url: str, transport: Any, streams: bool) -> object:
    with anthropic_client(url, transport) as client:
        if not streams:
            return client.messages.create(model="c", max_tokens=9, messages=USER)
        with client.messages.stream(model="c", max_tokens=9, messages=USER) as stream:
            return stream.get_final_message()


# Google's

_FUNCTION = {"functionCall": {"name": "run", "args": {"cmd": "ls forbidden"}}}


def _candidate(part: dict[str, Any], **more: str) -> dict[str, Any]:
    content = {"role": "model", "parts": [part]}
    return {"candidates": [{"index": 0, "content": content, **more}], "modelVersion": "m"}


_GEMINI = _events(_candidate({"text": "I run it. "}), _candidate(_FUNCTION, finishReason="STOP"))


def _ask_google(url: str, transport: Any, streams: bool) -> object:
    http = httpx.Client(transport=transport)
    options = HttpOptions(base_url=url, httpx_client=http)
    with http, genai.Client(api_key="key", http_options=options) as client:
        if streams:
            return list(client.models.generate_content_stream(model="m", contents="hello"))
        return client.models.generate_content(model="m", contents="hello")


# Ollama's


def _line(content: str, *, done: bool, **message: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": content, **message}
    why = {"done_reason": "stop"} if done else {}
    return {"model": "m", "created_at": "2025-01-01T00:00:00Z", "message": said, "done": done} | why


_OLLAMA_CALL = {"function": {"name": "run", "arguments": {"cmd": "ls forbidden"}}}
_LINES = [
    _line("I run it. ", done=False),
    _line("", done=False, tool_calls=[_OLLAMA_CALL]),
    _line("", done=True),
]


def _ask_ollama(url: str, transport: Any, streams: bool) -> object:
    client = ollama.Client(host=url, **({"transport": transport} if transport else {}))
    with closing(client._client):
        answer = client.chat("m", USER, stream=streams)  # type: ignore[call-overload]
        return list(answer) if streams else answer


# Cohere's

_COHERE_CALL = {"id": "t", "type": "function", "function": {"name": "run", "arguments": ARGUMENTS}}
_COHERE = [
    {"type": "message-start", "id": "c", "delta": {"message": {"role": "assistant"}}},
    {
        "type": "tool-call-start",
        "index": 0,
        "delta": {"message": {"tool_calls": {**_COHERE_CALL, "function": {
            "name": "run", "arguments": ""}}}},
    },
    *(
        {
            "type": "tool-call-delta",
            "index": 0,
            "delta": {"message": {"tool_calls": {"function": {"arguments": piece}}}},
        }
        for piece in PIECES
    ),
    {"type": "tool-call-end", "index": 0},
    {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL"}},
]  # fmt: skip
_COHERE_WHOLE = {
    **{"id": "c", "finish_reason": "TOOL_CALL"},
    "message": {"role": "assistant", "tool_calls": [_COHERE_CALL]},
}


def _ask_cohere(url: str, transport: Any, streams: bool) -> object:
    with httpx.Client(transport=transport) as http:
        client = cohere.ClientV2(api_key="key", base_url=url, httpx_client=http)
        if streams:
            return list(client.chat_stream(model="m", messages=USER))
        return client.chat(model="m", messages=USER)


# Bedrock's

_BEDROCK: list[dict[str, Any]] = [
    {"messageStart": {"role": "assistant"}},
    {"contentBlockStart": {
        "contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "t", "name": "run"}}}},
    *(
        {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"toolUse": {"input": piece}}}}
        for piece in PIECES
    ),
    {"contentBlockStop": {"contentBlockIndex": 0}},
    {"messageStop": {"stopReason": "tool_use"}},
]  # fmt: skip
_TOOL = {"toolUse": {"toolUseId": "t", "name": "run", "input": {"cmd": "ls forbidden"}}}
_CONVERSED = {
    "output": {"message": {"role": "assistant", "content": [_TOOL]}},
    **{"stopReason": "tool_use", "metrics": {"latencyMs": 1}},
    "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3},
}


def ask_bedrock(url: str, _transport: Any, streams: bool) -> object:
    client = boto3.client(
        "bedrock-runtime",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(read_timeout=10),
    )
    said: Any = [{"role": "user", "content": [{"text": "hello"}]}]
    with closing(client):
        if streams:
            with closing(client.converse_stream(modelId="m", messages=said)["stream"]) as stream:
                return list(stream)
        return client.converse(modelId="m", messages=said)


def _binary(events: Sequence[dict[str, Any]]) -> bytes:
    return b"".join(
        aws.message(name, json.dumps(value).encode())
        for event in events
        for name, value in event.items()
    )


APIS: Mapping[str, Api] = {
    "openai_chat": Api(_CHAT, _COMPLETION, _ask_chat),
    "openai_chat_helper": Api(_CHAT, _COMPLETION, _ask_chat_helper),
    "openai_responses": Api(_events(*_RESPONSES, named=True), _RESPONSE, _ask_responses),
    "anthropic": Api(_events(*_MESSAGES, named=True), _MESSAGE, _ask_anthropic),
    "anthropic_helper": Api(_events(*_MESSAGES, named=True), _MESSAGE, _ask_anthropic_helper),
    "gemini": Api(_GEMINI, _candidate(_FUNCTION, finishReason="STOP"), _ask_google),
    "ollama": Api(
        b"".join(json.dumps(line).encode() + b"\n" for line in _LINES),
        _line("", done=True, tool_calls=[_OLLAMA_CALL]),
        _ask_ollama,
        "application/x-ndjson",
    ),
    "mistral": Api(_MISTRAL, _COMPLETION, _ask_mistral),
    "cohere": Api(_events(*_COHERE, named=True), _COHERE_WHOLE, _ask_cohere),
    "bedrock": Api(
        _binary(_BEDROCK), _CONVERSED, ask_bedrock, "application/vnd.amazon.eventstream"
    ),
}


# The asynchronous clients


async def _aask_chat(url: str, transport: Any, streams: bool) -> object:
    http = transport and openai.DefaultAsyncHttpxClient(transport=transport)
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="key", http_client=http) as client:
        create: Any = client.chat.completions.create
        answer = await create(model="m", messages=USER, stream=streams)
        return [each async for each in answer] if streams else answer


async def _aask_anthropic(url: str, transport: Any, streams: bool) -> object:
    http = transport and anthropic.DefaultAsyncHttpxClient(transport=transport)
    async with anthropic.AsyncAnthropic(base_url=url, api_key="key", http_client=http) as client:
        create: Any = client.messages.create
        answer = await create(model="c", max_tokens=9, messages=USER, stream=streams)
        return [each async for each in answer] if streams else answer


async def _aask_google(url: str, transport: Any, streams: bool) -> object:
    http = httpx.AsyncClient(transport=transport)
    options = HttpOptions(base_url=url, httpx_async_client=http)
    async with http, genai.Client(api_key="key", http_options=options).aio as client:
        if not streams:
            return await client.models.generate_content(model="m", contents="hello")
        answer = await client.models.generate_content_stream(model="m", contents="hello")
        return [each async for each in answer]


async def _aask_ollama(url: str, transport: Any, streams: bool) -> object:
    client = ollama.AsyncClient(host=url, **({"transport": transport} if transport else {}))
    async with client._client:
        answer = await client.chat("m", USER, stream=streams)  # type: ignore[call-overload]
        return [each async for each in answer] if streams else answer


async def _aask_cohere(url: str, transport: Any, streams: bool) -> object:
    async with httpx.AsyncClient(transport=transport) as http:
        client = cohere.AsyncClientV2(api_key="key", base_url=url, httpx_client=http)
        if streams:
            return [each async for each in client.chat_stream(model="m", messages=USER)]
        return await client.chat(model="m", messages=USER)


ASYNCHRONOUS: Mapping[str, Callable[[str, Any, bool], Awaitable[object]]] = {
    "openai_chat": _aask_chat,
    "anthropic": _aask_anthropic,
    "gemini": _aask_google,
    "ollama": _aask_ollama,
    "cohere": _aask_cohere,
}

"""A provider on this machine: it answers every path with what it is told to, and remembers it."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import anyio
import anyio.lowlevel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from guardstream import Guard, Policy
from guardstream.serve.proxy import ProxySettings, application
from guardstream.serve.proxy.protocol import BoundedProtocol
from tests.serve.apps import app_of
from tests.serve.server import serving

POLICY = r"""
name: proxied
block_message: " [stopped]"
input:
  roles: [user, system, tool]
  rules:
    - {id: attack, words: [ignore all rules], action: block}
    - {id: mail, pattern: '\w{1,40}@\w{1,40}\.com', replacement: "[mail]"}
rules:
  - {id: word, words: [secret], replacement: "#"}
  - {id: bad, words: [forbidden], action: block}
"""


@cache
def policy() -> Policy:
    return Policy.parse(POLICY)


def guard() -> Guard:
    return Guard(policy())


class Provider:
    """Answers with `respond`; keeps the bodies and headers of requests, and whether it was left."""

    def __init__(self, respond: Callable[[dict[str, Any]], Response]) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.targets: list[str] = []  # as they came: path and query
        self.closed = threading.Event()
        self._respond = respond

    async def __call__(self, request: Request) -> Response:
        body = await request.body()
        self.headers.append(dict(request.headers))
        self.bodies.append(body)
        self.targets.append(request["raw_path"].decode() + "?" + request["query_string"].decode())
        self.requests.append(json.loads(body) if body[:1] == b"{" and body[-1:] == b"}" else {})
        return self._respond(self.requests[-1])

    def stream(
        self, parts: Sequence[bytes], *, silent: bool = False, media_type: str = "text/event-stream"
    ) -> StreamingResponse:
        """A response of these parts; with `silent` it goes on without another byte."""

        async def body() -> AsyncIterator[bytes]:
            try:
                for part in parts:
                    yield part
                    await anyio.lowlevel.checkpoint()
                if silent:
                    await anyio.sleep_forever()
            finally:
                self.closed.set()

        return StreamingResponse(body(), media_type=media_type)


@contextmanager
def proxied(
    respond: Callable[[Provider, dict[str, Any]], Response], **settings: Any
) -> Iterator[tuple[str, Provider]]:
    """A proxy before a provider that answers with `respond`; the proxy's URL and the provider."""

    def answer(body: dict[str, Any]) -> Response:
        return respond(provider, body)

    provider = Provider(answer)
    with serving(app_of(provider)) as port:
        given = {"upstream": f"http://127.0.0.1:{port}", "guards": {"default": guard()}}
        front_app = application(ProxySettings(**{**given, **settings}))
        with serving(front_app, lifespan="on", http=BoundedProtocol) as front:
            yield f"http://127.0.0.1:{front}", provider


def event(payload: dict[str, Any] | str, name: str | None = None) -> bytes:
    data = payload if isinstance(payload, str) else json.dumps(payload)
    return (f"event: {name}\n" if name else "").encode() + f"data: {data}\n\n".encode()


def chunk(delta: dict[str, Any], finish: str | None = None, choice: int = 0) -> dict[str, Any]:
    choices = [{"index": choice, "delta": delta, "finish_reason": finish}]
    return {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": choices,
    }


def chat(*contents: str, finish: str = "stop") -> list[bytes]:
    """The events of a streamed chat completion."""
    chunks = [chunk({"role": "assistant", "content": ""})]
    chunks += [chunk({"content": content}) for content in contents]
    return [event(each) for each in [*chunks, chunk({}, finish)]] + [event("[DONE]")]


def completion(*contents: str, **message: Any) -> JSONResponse:
    """A whole chat completion, with a choice for each content."""
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": content, **message},
            "finish_reason": "stop",
        }
        for index, content in enumerate(contents)
    ]
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    head = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
    return JSONResponse({**head, "choices": choices, "usage": usage})


def message(*texts: str) -> list[bytes]:
    """The events of a streamed message of Anthropic's, a text block for each text."""
    usage = {"input_tokens": 1, "output_tokens": 1}
    head = {"id": "m", "type": "message", "role": "assistant", "model": "c", "content": []}
    events: list[dict[str, Any]] = [
        {
            "type": "message_start",
            "message": {**head, "stop_reason": None, "stop_sequence": None, "usage": usage},
        }
    ]
    for index, text in enumerate(texts):
        start = {"type": "text", "text": ""}
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        for letter in text:
            delta = {"type": "text_delta", "text": letter}
            events.append({"type": "content_block_delta", "index": index, "delta": delta})
        events.append({"type": "content_block_stop", "index": index})
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    events.append({"type": "message_delta", "delta": end, "usage": {"output_tokens": 9}})
    events.append({"type": "message_stop"})
    return [event(each, each["type"]) for each in events]

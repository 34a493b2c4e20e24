"""The external processor without an Envoy: what becomes of a call whose answer is over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import grpc
import pytest
from envoy.config.core.v3.base_pb2 import HeaderMap, HeaderValue
from envoy.service.ext_proc.v3 import external_processor_pb2 as pb

from guardstream import Guard, Policy
from guardstream.envoy.call import FULL_DUPLEX
from guardstream.envoy.server import Processor
from guardstream.serve.proxy import ProxySettings
from tests.serve.proxy.upstream import POLICY, chat

pytestmark = pytest.mark.asyncio

MODES = pb.ProtocolConfiguration(request_body_mode=FULL_DUPLEX, response_body_mode=FULL_DUPLEX)


PSEUDO = ("method", "path", "status")


class Context:
    """A gRPC call on which Envoy says `messages`, and then no more."""

    def __init__(self, messages: Sequence[pb.ProcessingRequest]) -> None:
        self._messages = iter(messages)
        self.told: list[pb.ProcessingResponse] = []

    async def read(self) -> Any:
        return next(self._messages, grpc.aio.EOF)

    async def write(self, message: pb.ProcessingResponse) -> None:
        self.told.append(message)


def headers(**values: str) -> HeaderMap:
    pairs = {name.replace("_", "-"): value for name, value in values.items()}
    return HeaderMap(
        headers=[
            HeaderValue(key=f":{name}" if name in PSEUDO else name, raw_value=value.encode())
            for name, value in pairs.items()
        ]
    )


def request(body: Sequence[bytes]) -> list[pb.ProcessingRequest]:
    """A request for a chat completion, as Envoy hands it over."""
    first = pb.ProcessingRequest(protocol_config=MODES)
    first.request_headers.headers.CopyFrom(headers(method="POST", path="/v1/chat/completions"))
    return [first, *(pb.ProcessingRequest(request_body=pb.HttpBody(body=each)) for each in body)]


async def told(messages: Sequence[pb.ProcessingRequest], **settings: Any) -> Context:
    """What Envoy is told of its messages."""
    given = {"guards": {"default": Guard(Policy.parse(POLICY))}, **settings}
    processor = Processor(ProxySettings(upstream="http://127.0.0.1:9", **given))
    context = Context(messages)
    with anyio.fail_after(20):
        await processor.Process(None, context)
    await processor.aclose()
    return context


async def test_a_request_that_is_refused_is_read_to_its_end() -> None:
    context = await told(request([b"part of a body"] * 100), keys={"ann": "a-key"})
    (answer,) = context.told
    assert answer.immediate_response.status.code == 401


async def test_an_answer_that_is_blocked_is_read_to_its_end() -> None:
    asked = request([b'{"stream": true, "messages": []}'])
    asked[-1].request_body.end_of_stream = True
    begun = pb.ProcessingRequest()
    begun.response_headers.headers.CopyFrom(headers(status="200", content_type="text/event-stream"))
    said = [*chat("a ", "forbidden "), *(chat("more ")[1:-2] * 100)]
    parts = [pb.ProcessingRequest(response_body=pb.HttpBody(body=each)) for each in said]
    context = await told([*asked, begun, *parts])
    out = b"".join(
        each.response_body.response.body_mutation.streamed_response.body for each in context.told
    )
    assert b"[stopped]" in out
    assert b"more" not in out

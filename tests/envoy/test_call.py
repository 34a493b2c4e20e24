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


SILENCE = 0.2
"""Seconds; no test says how much of it something takes."""


class Context:
    """A gRPC call on which Envoy says `messages`, None for a silence.

    It says no more once it has been told the end of the answer.
    """

    def __init__(self, messages: Sequence[pb.ProcessingRequest | None]) -> None:
        self._messages = iter(messages)
        self.told: list[pb.ProcessingResponse] = []
        self.passed: list[str] = []
        """What was said by either, in order."""
        self.aborted = False
        self._over = anyio.Event()

    async def read(self) -> Any:
        message = next(self._messages, grpc.aio.EOF)
        if message is grpc.aio.EOF:
            await self._over.wait()
        if message is None:
            await anyio.sleep(SILENCE)
            return await self.read()
        if message is not grpc.aio.EOF:
            self.passed.append(f"read {message.WhichOneof('request')}")
        return message

    async def write(self, message: pb.ProcessingResponse) -> None:
        self.told.append(message)
        self.passed.append(f"told {message.WhichOneof('response')}")
        streamed = message.response_body.response.body_mutation.streamed_response
        if message.WhichOneof("response") in ("immediate_response", "response_trailers") or (
            streamed.end_of_stream
        ):
            self._over.set()

    async def abort(self, *_arguments: object) -> None:
        self.aborted = True

    @property
    def body(self) -> bytes:
        """The body of the answer as it was told."""
        parts = [each.response_body.response.body_mutation for each in self.told]
        return b"".join(each.streamed_response.body for each in parts)


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


def asked() -> list[pb.ProcessingRequest]:
    """A whole request for a stream."""
    messages = request([b'{"stream": true, "messages": []}'])
    messages[-1].request_body.end_of_stream = True
    return messages


def begun(**more: str) -> pb.ProcessingRequest:
    """The headers of a provider's answer."""
    message = pb.ProcessingRequest()
    told = {"status": "200", "content_type": "text/event-stream", **more}
    message.response_headers.headers.CopyFrom(headers(**told))
    return message


def parts(*said: str, over: bool = True) -> list[pb.ProcessingRequest]:
    """A provider's answer."""
    bodies = [pb.HttpBody(body=each) for each in chat(*said)]
    bodies[-1].end_of_stream = over
    return [pb.ProcessingRequest(response_body=each) for each in bodies]


def trailers() -> HeaderMap:
    return headers(x_note="a secret")


async def told(
    messages: Sequence[pb.ProcessingRequest | None], policy: str = POLICY, **settings: Any
) -> Context:
    """What Envoy is told of its messages."""
    given = {"guards": {"default": Guard(Policy.parse(policy))}, **settings}
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
    context = await told(
        [
            *asked(),
            begun(),
            *parts("a ", "forbidden ", over=False),
            *parts("more ", over=False) * 100,
        ]
    )
    assert b"[stopped]" in context.body
    assert b"more" not in context.body


async def test_no_body_is_told_before_the_provider_begins_one() -> None:
    said = [*asked(), begun(), None, *parts("a secret")]
    context = await told(said, heartbeat=SILENCE / 20)
    first = context.passed.index("read response_body")
    assert "told response_headers" in context.passed[:first]
    assert "told response_body" not in context.passed[:first]
    assert b"#" in context.body
    assert not context.aborted


TOO_LATE = POLICY + f"limits: {{first_token: {SILENCE / 20}s}}\n"


async def test_what_is_said_before_the_provider_says_anything_stands_in_its_place() -> None:
    context = await told([*asked(), begun(), None], policy=TOO_LATE)
    assert b"deadline" in context.told[-1].immediate_response.body
    assert "told response_headers" not in context.passed
    assert not context.aborted


async def test_an_answer_that_has_begun_without_a_body_is_cut_off() -> None:
    context = await told([*asked(), begun(), None], policy=TOO_LATE, heartbeat=SILENCE / 80)
    assert context.passed[-1] == "told response_headers"
    assert context.aborted


@pytest.mark.parametrize("said", [(), ("a secret",)], ids=["no body", "a body"])
async def test_trailers_of_an_answer_are_left_out(said: Sequence[str]) -> None:
    end = pb.ProcessingRequest()
    end.response_trailers.trailers.CopyFrom(trailers())
    context = await told([*asked(), begun(), *(parts(*said, over=False) if said else []), end])
    assert context.told[-1].response_trailers.header_mutation.remove_headers == ["x-note"]
    assert (b"#" in context.body) == bool(said)
    # Envoy takes a body only where there was one, and its end only where that was the end.
    assert ("told response_body" in context.passed) == bool(said)
    ends = [each.response_body.response.body_mutation.streamed_response for each in context.told]
    assert not any(each.end_of_stream for each in ends)


@pytest.mark.parametrize("body", [(), (b'{"messages": []}',)], ids=["no body", "a body"])
async def test_trailers_of_a_request_are_left_out(body: Sequence[bytes]) -> None:
    messages = request(body)
    if not body:
        path = headers(method="GET", path="/v1/models")
        messages[0].request_headers.headers.CopyFrom(path)
    end = pb.ProcessingRequest()
    end.request_trailers.trailers.CopyFrom(trailers())
    context = await told([*messages, end, begun(), *parts("a")])
    first = [each for each in context.told if each.WhichOneof("response").startswith("request")]
    assert first[-1].request_trailers.header_mutation.remove_headers == ["x-note"]
    assert len(first) == 2 + len(body)
    ends = [each.request_body.response.body_mutation.streamed_response for each in first]
    assert not any(each.end_of_stream for each in ends)


async def test_headers_that_a_rule_matches_are_left_out() -> None:
    named = dict.fromkeys(("date", "server", "connection", "x_envoy_note", "host"), "a secret")
    context = await told([*asked(), begun(**named), *parts("a")])
    (answer,) = [each for each in context.told if each.WhichOneof("response") == "response_headers"]
    changes = answer.response_headers.response.header_mutation
    removed = {"date", "server", "connection", "x-envoy-note"}
    assert removed <= {*changes.remove_headers}
    assert "host" not in changes.remove_headers
    emptied = [each.header.key for each in changes.set_headers if not each.header.raw_value]
    assert emptied == ["host"]  # which Envoy lets nobody remove


async def test_headers_may_be_text_and_not_bytes() -> None:
    messages = [*asked(), begun(), *parts("a")]
    for given in (messages[0].request_headers, messages[2].response_headers):
        given.headers.headers.append(HeaderValue(key="x-note", value="é 青"))
        given.headers.headers.append(HeaderValue(key="x-other", value="青 a secret"))
    context = await told(messages)
    assert not context.aborted
    answer = context.told[2].response_headers.response.header_mutation
    assert "x-other" in answer.remove_headers
    assert "x-note" not in answer.remove_headers

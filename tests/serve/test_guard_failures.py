"""A failure of the guard is no block: under each driver it ends the stream closed, as `error`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from guardstream import Guard, Policy
from guardstream.errors import GuardstreamError
from guardstream.formats.openai.chat import OpenAIChat
from guardstream.http import WireGuard
from guardstream.observability import prometheus
from guardstream.policy.plugins import register_counter
from guardstream.resilience import Retry
from guardstream.serve import GuardMiddleware
from tests.formats.chunks import call
from tests.serve.apps import Upstream, streaming
from tests.serve.proxy.upstream import chunk, event, proxied
from tests.serve.visit import Visit
from tests.support.command_line import guardstream
from tests.support.optional import optional
from tests.support.sources import Source, broken_guard

CALL = {"tool_calls": [call(0, '{"path": "a', id="c", type="function", name="rm")["tool_calls"][0]]}
CHUNKS = [chunk({"content": "fine "}), chunk(CALL), chunk({"content": "boom "}),
          chunk({"content": "more"}), chunk({}, "tool_calls")]  # fmt: skip
EVENTS = [event(each) for each in CHUNKS]


def _fails(text: str) -> int:
    if "boom" in text:
        raise RuntimeError(text)
    return 1


def a_counter() -> Guard:
    register_counter("fails", _fails)
    return Guard(Policy.parse(FAILING["counter"]))


def raises(text: str) -> bool:
    raise RuntimeError(text)


FAILING = {
    "counter": "limits: {tokens: {max: 99, counter: fails}}",
    "validator": f"rules: [{{id: w, words: [boom], validate: {__name__}.raises}}]",
}
"""Policies that fail at a word."""

CODE = ["tests.serve.test_guard_failures:raises"]


def a_validator() -> Guard:
    return Guard(Policy.parse(FAILING["validator"], allow_code=CODE))


def an_adapter() -> Guard:
    return Guard(Policy.parse("rules: [{id: w, words: [bluebird]}]"))


@pytest.fixture(params=[a_counter, a_validator, an_adapter, broken_guard])
def guard(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Guard:
    """A guard that fails at a word."""
    if request.param is an_adapter:
        meaning = OpenAIChat.meaning

        def failing(self: OpenAIChat, each: Any, fields: Any, pieces: Any) -> Any:
            if "boom" in str(each):
                raise RuntimeError("broken")
            return meaning(self, each, fields, pieces)

        monkeypatch.setattr(OpenAIChat, "meaning", failing)
    made: Callable[[], Guard] = request.param
    return made()


def check(stream: Any) -> None:
    """What every driver says of it."""
    assert (stream.finish, stream.blocked_by) == ("error", "guard")
    assert "more" not in stream.result.text
    assert [each.complete for each in stream.result.tool_calls] == [False]


@pytest.mark.anyio
async def test_an_asynchronous_stream(guard: Guard) -> None:
    source = Source(CHUNKS)
    stream = guard.wrap(source)
    with contextlib.suppress(GuardstreamError):
        [each async for each in stream]
    check(stream)
    assert source.closed == 1


@pytest.mark.anyio
async def test_nothing_is_retried(guard: Guard) -> None:
    opened: list[Source] = []

    def open_stream() -> Source:
        opened.append(Source(CHUNKS))
        return opened[-1]

    stream = guard.wrap(open_stream, retry=Retry(attempts=3, on=("incomplete",)))
    with contextlib.suppress(GuardstreamError):
        [each async for each in stream]
    check(stream)
    assert [each.closed for each in opened] == [1]


def test_a_synchronous_stream(guard: Guard) -> None:
    stream = guard.wrap_sync(CHUNKS)
    with contextlib.suppress(GuardstreamError):
        list(stream)
    check(stream)


@pytest.mark.parametrize("whole", [True, False])
def test_a_body(guard: Guard, whole: bool) -> None:
    wire = WireGuard(guard)
    out = b""
    try:
        for each in [b"".join(EVENTS)] if whole else EVENTS:
            out += b"".join(wire.feed(each))
        wire.finish()
    except GuardstreamError:
        pass
    assert (wire.ended, wire.state.blocked_by) == ("error", "guard")
    assert b'tool_calls"}' not in out
    assert b"more" not in out


@pytest.mark.anyio
async def test_the_middleware(guard: Guard) -> None:
    upstream = Upstream(EVENTS)
    visit = await Visit().to(GuardMiddleware(streaming(upstream, "text/event-stream"), guard))
    assert upstream.closed.is_set()
    assert b'"finish_reason": "tool_calls"' not in visit.body
    assert b"more" not in visit.body


def test_the_proxy(guard: Guard) -> None:
    with proxied(lambda provider, _: provider.stream(EVENTS), guards={"default": guard}) as (
        url,
        provider,
    ):
        asked = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "x"}]}
        answer = httpx.post(f"{url}/v1/chat/completions", json=asked)
        assert provider.closed.wait(10)
        assert len(provider.requests) == 1
    assert "more" not in answer.text
    assert '"finish_reason": "tool_calls"' not in answer.text


@pytest.mark.asyncio
async def test_envoy(guard: Guard) -> None:
    call = optional("tests.envoy.test_call")
    bodies = [call.pb.ProcessingRequest(response_body=call.pb.HttpBody(body=e)) for e in EVENTS]
    context = await call.told([*call.asked(), call.begun(), *bodies], guards={"default": guard})
    assert b"more" not in context.body
    assert b'"finish_reason": "tool_calls"' not in context.body
    assert context.aborted or context.told[-1].WhichOneof("response") == "response_body"


@pytest.mark.parametrize("failing", FAILING.values(), ids=FAILING)
def test_the_command(failing: str, tmp_path: Path) -> None:
    register_counter("fails", _fails)
    policy, text = tmp_path / "policy.yaml", tmp_path / "text"
    policy.write_text(failing, encoding="utf-8")
    text.write_text("fine boom more", encoding="utf-8")
    done = guardstream("run", str(policy), str(text), "--chunk", "1", "--allow-code", *CODE)
    assert (done.status, done.err) == (3, "guardstream: the guard failed\n")
    assert "more" not in done.out


def test_it_has_a_metric_of_its_own(guard: Guard) -> None:
    seen = prometheus.Prometheus()
    stream = Guard(guard.policy, observers=[seen]).wrap_sync(CHUNKS)
    with contextlib.suppress(GuardstreamError):
        list(stream)
    told = seen.render().decode()
    assert "guardstream_guard_failures_total" in told
    assert "guardstream_blocks_total{" not in told

"""A failure of the guard is no block: under each driver it ends the stream closed, as `error`."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from guardstream import Guard, Policy
from guardstream.errors import GuardstreamError
from guardstream.http import WireGuard
from guardstream.observability import prometheus
from guardstream.policy.plugins import register_counter
from guardstream.providers.openai.chat import OpenAIChat
from guardstream.serve import GuardMiddleware
from tests.providers.chunks import call
from tests.serve.apps import Upstream, streaming
from tests.serve.proxy.upstream import chunk, event, proxied
from tests.serve.visit import Visit
from tests.support.sources import broken_guard

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
    return Guard(Policy.parse("limits: {tokens: {max: 99, counter: fails}}"))


def an_adapter() -> Guard:
    return Guard(Policy.parse("rules: [{id: w, words: [bluebird]}]"))


@pytest.fixture(params=[a_counter, an_adapter, broken_guard])
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
    async def source() -> AsyncIterator[Any]:
        for each in CHUNKS:
            yield each

    stream = guard.wrap(source())
    with contextlib.suppress(GuardstreamError):
        [each async for each in stream]
    check(stream)


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
    app = GuardMiddleware(streaming(Upstream(EVENTS), "text/event-stream"), guard)
    visit = await Visit().to(app)
    assert b'"finish_reason": "tool_calls"' not in visit.body
    assert b"more" not in visit.body


def test_the_proxy(guard: Guard) -> None:
    with proxied(lambda provider, _: provider.stream(EVENTS), guards={"default": guard}) as (
        url,
        _,
    ):
        asked = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "x"}]}
        answer = httpx.post(f"{url}/v1/chat/completions", json=asked)
    assert "more" not in answer.text
    assert '"finish_reason": "tool_calls"' not in answer.text


def test_it_has_a_metric_of_its_own(guard: Guard) -> None:
    seen = prometheus.Prometheus()
    stream = Guard(guard.policy, observers=[seen]).wrap_sync(CHUNKS)
    with contextlib.suppress(GuardstreamError):
        list(stream)
    told = seen.render().decode()
    assert "guardstream_guard_failures_total" in told
    assert "guardstream_blocks_total{" not in told

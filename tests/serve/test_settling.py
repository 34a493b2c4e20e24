"""A turn that is over is shown by servers, too, whatever its source does then."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from functools import cached_property
from typing import Any, Literal

import anyio
import httpx
import pytest
from starlette.types import ASGIApp
from starlette.websockets import WebSocket, WebSocketDisconnect

from guardstream import Guard, Policy
from guardstream.http import WireGuard
from guardstream.serve import GuardMiddleware
from tests.laws.recordings import Recording, parsed, recordings, texts, wire
from tests.laws.timing import WORDS, has_sign, last_sign
from tests.serve.apps import Upstream, streaming
from tests.serve.proxy.upstream import Provider, chunk, event, proxied
from tests.serve.sockets import Call, app_of
from tests.serve.visit import Visit

LIMITS = "limits: {settle: 100ms}"

GUARD = Guard(
    Policy.parse(f"extends: guardstream/chat\n{LIMITS}\nrules: [{{id: words, words: [{WORDS}]}}]")
)

OWN = [each for each in recordings() if each.own and has_sign(each)]

HELD = [event(chunk({"content": "I saw a blue"})), event(chunk({}, "stop"))]
"""An answer that ends as a match begins."""

BLUE = "rules: [{id: w, words: [bluebird], action: block}]"


class Turn:
    """A recorded turn, and the text that a client of it has to read."""

    def __init__(self, recording: Recording) -> None:
        self.shape = recording.shape
        self.events = recording.events[: last_sign(recording) + 1]
        self.is_sse = recording.is_sse
        self._wire = wire(recording, self.events)

    @cached_property
    def parts(self) -> list[bytes]:
        return [each.sse() if self.is_sse else each.line() for each in self.events]

    @property
    def media(self) -> str:
        return "text/event-stream" if self.is_sse else "application/x-ndjson"

    @cached_property
    def expected(self) -> dict[Any, str]:
        body = WireGuard(GUARD)
        return self.texts(b"".join([*body.feed(self._wire), *body.finish()]))

    def texts(self, data: bytes) -> dict[Any, str]:
        """What a client reads of these bytes."""
        return texts(parsed(data), self.shape)

    def is_shown(self, data: bytes) -> bool:
        return self.texts(data) == self.expected


async def by_the_middleware(turn: Turn, app: Callable[[Upstream], ASGIApp]) -> bytes:
    """What a client has read a second after the last sign, of a source that says no more."""
    upstream, visit = Upstream(turn.parts, silent=True), Visit()
    async with anyio.create_task_group() as group:
        group.start_soon(visit.to, app(upstream))
        with anyio.move_on_after(1):
            while not turn.is_shown(visit.body):
                await visit.news.wait()
        visit.left.set()
    return visit.body


@pytest.mark.anyio
@pytest.mark.parametrize("recording", OWN, ids=lambda each: each.name)
async def test_the_middleware_shows_all_text(recording: Recording) -> None:
    turn = Turn(recording)
    shown = await by_the_middleware(
        turn, lambda upstream: GuardMiddleware(streaming(upstream, turn.media), GUARD)
    )
    assert turn.texts(shown) == turn.expected


@pytest.mark.parametrize("recording", OWN, ids=lambda each: each.name)
def test_the_proxy_shows_all_text(recording: Recording) -> None:
    turn, shown = Turn(recording), b""

    def respond(provider: Provider, _: Any) -> Any:
        return provider.stream(turn.parts, silent=True, media_type=turn.media)

    with (
        proxied(respond, guards={"default": GUARD}, other="guard") as (url, _),
        contextlib.suppress(httpx.ReadTimeout),
        httpx.stream("POST", f"{url}/anything", json={}, timeout=1) as answer,
    ):
        for part in answer.iter_raw():
            shown += part
            if turn.is_shown(shown):
                break
    assert turn.texts(shown) == turn.expected


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["text", "json"])
async def test_messages_show_all_text_of_a_turn(kind: Literal["text", "json"]) -> None:
    async def talk(socket: WebSocket) -> None:
        for each in HELD:
            await socket.send_text(each.decode().removeprefix("data: ").strip())
        with contextlib.suppress(WebSocketDisconnect):
            await socket.receive_text()

    guard, call = Guard(Policy.parse(f"{LIMITS}\n{BLUE}")), Call(stays=True)
    async with anyio.create_task_group() as group:
        group.start_soon(call.to, GuardMiddleware(app_of(talk), guard, websocket=kind))
        await anyio.sleep(0.4)
        shown = call.texts
        group.cancel_scope.cancel()
    said = [json.loads(each)["choices"][0]["delta"].get("content", "") for each in shown]
    assert "".join(said) == "I saw a blue"


@pytest.mark.anyio
@pytest.mark.parametrize("deadline", ["idle", "total"])
async def test_a_deadline_after_a_sign_loses_nothing(deadline: str) -> None:
    guard = Guard(Policy.parse(f"limits: {{settle: 30s, {deadline}: 200ms}}\n{BLUE}"))
    upstream = Upstream(HELD, silent=True)
    visit = await Visit().to(GuardMiddleware(streaming(upstream, "text/event-stream"), guard))
    assert b"blue" in visit.body
    assert b"deadline" in visit.body
    assert upstream.closed.is_set()


@pytest.mark.anyio
async def test_text_after_a_wrong_sign_is_judged_with_what_is_out() -> None:
    guard = Guard(Policy.parse(f"{LIMITS}\n{BLUE}"))

    class Slow(Upstream):
        async def stream(self) -> AsyncIterator[bytes]:
            for each in self.chunks[:2]:
                yield each
            await anyio.sleep(0.3)
            yield self.chunks[2]
            await anyio.sleep_forever()

    upstream = Slow([*HELD, event(chunk({"content": "bird sings"}))])
    visit = await Visit().to(GuardMiddleware(streaming(upstream, "text/event-stream"), guard))
    assert b"blue" in visit.body
    assert b"bird" not in visit.body
    assert b"content_filter" in visit.body


def test_a_body_without_a_timer_believes_a_sign_at_once() -> None:
    bodies = [WireGuard(Guard(Policy.parse(BLUE)), has_timer=each) for each in (False, True)]
    shown = [b"".join(out for part in HELD for out in each.feed(part)) for each in bodies]
    assert [b"blue" in each for each in shown] == [True, False]
    assert bodies[0].remaining() is None
    assert 0 < (bodies[1].remaining() or 0) <= 0.5
    assert bodies[1].wake() == []

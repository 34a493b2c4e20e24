"""A policy's deadlines and a guard's observers hold behind the middleware too."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Literal

import anyio
import anyio.lowlevel
import httpx
import pytest
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from guardstream import Guard, Policy
from guardstream.serve import GuardMiddleware, Route
from guardstream.stream.observers import StreamRecord, StreamStart
from tests.serve.apps import app_of

pytestmark = pytest.mark.anyio


class Watcher:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.opened_ids: list[str] = []
        self.records: list[StreamRecord] = []

    def opened(self, start: StreamStart) -> None:
        self.opened_ids.append(start.id)

    def closed(self, record: StreamRecord) -> None:
        self.records.append(record)


def client(app: GuardMiddleware) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


def streaming(media_type: str, *, silent: bool, closed: anyio.Event) -> GuardMiddleware:
    async def body() -> AsyncIterator[str]:
        try:
            yield "data: a secret here\n\n"
            if silent:
                await anyio.sleep_forever()
        finally:
            closed.set()

    watcher = Watcher()
    policy = "limits: {idle: 100ms}\nrules: [{id: w, words: [secret], replacement: '#'}]"
    app = GuardMiddleware(
        app_of(lambda _: StreamingResponse(body(), media_type=media_type)),
        Guard(Policy.parse(policy), observers=[watcher]),
    )
    app.watcher = watcher  # type: ignore[attr-defined]
    return app


async def test_a_silent_answer_ends_with_an_error_and_its_source_is_closed() -> None:
    closed = anyio.Event()
    app = streaming("text/event-stream", silent=True, closed=closed)
    async with client(app) as visitor:
        response = await visitor.get("/")
    assert closed.is_set()
    assert response.text.startswith("data: a ###### ")
    assert json.loads(response.text.strip().rpartition("data: ")[2])["code"] == "deadline"
    (record,) = app.watcher.records  # type: ignore[attr-defined]
    assert record.finish == "timeout"


async def test_plain_text_that_takes_too_long_is_cut_off() -> None:
    app = streaming("text/plain", silent=True, closed=anyio.Event())
    async with client(app) as visitor:
        with pytest.raises(TimeoutError):
            await visitor.get("/")


async def test_each_answer_has_one_record() -> None:
    app = streaming("text/event-stream", silent=False, closed=anyio.Event())
    async with client(app) as visitor:
        for _ in range(3):
            await visitor.get("/")
    watcher: Watcher = app.watcher  # type: ignore[attr-defined]
    assert [record.start.id for record in watcher.records] == watcher.opened_ids
    assert [record.finish for record in watcher.records] == ["stop"] * 3
    assert [finding.rule for finding in watcher.records[0].findings] == ["w"]


@pytest.mark.parametrize("media_type", ["text/event-stream", "text/plain"])
async def test_an_application_that_fails_is_recorded_as_an_error(media_type: str) -> None:
    async def body() -> AsyncIterator[str]:
        yield "data: a secret here\n\n"
        raise ValueError("a secret")

    watcher = Watcher()
    guard = Guard(Policy.parse("rules: [{id: w, words: [secret]}]"), observers=[watcher])
    app = app_of(lambda _: StreamingResponse(body(), media_type=media_type))
    async with client(GuardMiddleware(app, guard)) as visitor:
        with pytest.raises(ValueError, match="a secret"):
            await visitor.get("/")
    (record,) = watcher.records
    assert (record.finish, record.error) == ("error", "ValueError")


@pytest.mark.parametrize("websocket", ["text", "json"])
@pytest.mark.parametrize("leaves", [False, True])
async def test_a_websockets_record_tells_a_failure_from_a_disconnect(
    websocket: Literal["text", "json"], leaves: bool
) -> None:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": '{"type": "start"}'})
        if leaves:
            await receive()
        raise ValueError("a secret")

    async def receive() -> Message:
        while not given:
            await anyio.sleep_forever()
        return given.pop(0)

    async def send(_message: Message) -> None:
        await anyio.lowlevel.checkpoint()

    given: list[Message] = [{"type": "websocket.connect"}]
    given += [{"type": "websocket.disconnect", "code": 1001}] if leaves else []
    watcher = Watcher()
    guard = Guard(Policy.parse("rules: [{id: w, words: [secret]}]"), observers=[watcher])
    guarded = GuardMiddleware(app, routes=[Route("/", guard, websocket=websocket)])
    with suppress(ValueError):
        await guarded({"type": "websocket", "path": "/", "headers": []}, receive, send)
    (record,) = watcher.records
    expected = ("cancelled", None) if leaves else ("error", "ValueError")
    assert (record.finish, record.error) == expected

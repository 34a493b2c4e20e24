"""One bound on the bodies that a proxy keeps: long ones wait, and those that stall make room."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import anyio
import httpx
import pytest
from starlette.responses import JSONResponse

from guardstream.http.request import RefusedError
from guardstream.serve.proxy import holdings
from guardstream.serve.proxy.holdings import SHORT, CrowdedError, Holdings
from tests.serve.proxy.upstream import proxied

MB = 1024 * 1024


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holdings, "WAIT", 2.0)
    monkeypatch.setattr(holdings, "STALLED", 0.5)


@pytest.mark.asyncio
async def test_a_short_body_never_waits() -> None:
    bodies = Holdings(most=MB)
    with ExitStack() as stack:
        for _ in range(100):
            await stack.enter_context(bodies.one()).add(SHORT)
        assert bodies.taken == 0


@pytest.mark.asyncio
async def test_what_is_held_is_counted_until_it_is_left() -> None:
    bodies = Holdings(most=MB)
    with bodies.one() as one:
        for _ in range(4):
            await one.add(SHORT)
        assert bodies.taken == 4 * SHORT
    assert bodies.taken == 0


@pytest.mark.asyncio
async def test_without_room_a_long_body_is_refused_after_a_while() -> None:
    bodies = Holdings(most=MB)
    with bodies.one() as one, bodies.one() as other:
        await one.add(MB)
        with pytest.raises(CrowdedError):
            await other.add(MB)


@pytest.mark.asyncio
async def test_a_stalled_body_makes_room() -> None:
    bodies = Holdings(most=MB)
    refused = anyio.Event()

    async def stall() -> None:
        with bodies.one() as one:
            await one.add(MB)
            with pytest.raises(RefusedError) as caught:
                await one.reading(anyio.sleep_forever())
            assert caught.value.status == 408
        refused.set()

    async with anyio.create_task_group() as group:
        group.start_soon(stall)
        await anyio.sleep(0.05)
        with bodies.one() as other:
            await other.add(MB)
            assert refused.is_set()


@contextmanager
def half_bodies(url: str, count: int, size: int) -> Iterator[None]:
    """Requests that say they have bodies, send half of each, and stall."""
    parts = urlsplit(url)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {2 * size}\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(count):
            address = (parts.hostname or "", parts.port or 0)
            connection = stack.enter_context(socket.create_connection(address))
            connection.setblocking(False)
            sent = head.encode() + b"x" * size
            with memoryview(sent) as rest:
                at, until = 0, time.monotonic() + 1
                while at < len(sent) and time.monotonic() < until:
                    try:
                        at += connection.send(rest[at : at + 65_536])
                    except BlockingIOError:
                        time.sleep(0.01)
        yield


@pytest.mark.parametrize(("count", "stalled", "status"), [(6, 60.0, 503), (2, 0.2, 200)])
def test_half_bodies_take_no_more_than_their_room_and_short_prompts_go_on(
    count: int, stalled: float, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holdings, "WAIT", 4.0)
    monkeypatch.setattr(holdings, "STALLED", stalled)
    monkeypatch.setattr(holdings.Holdings.__init__, "__defaults__", (4 * MB,))
    asked = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    long = {"model": "m", "messages": [{"role": "user", "content": "word " * 500_000}]}
    answer = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": []}
    with (
        proxied(lambda *_: JSONResponse(answer)) as (url, _),
        half_bodies(url, count, 2 * MB),
        httpx.Client(base_url=url, timeout=20) as http,
    ):
        began = time.monotonic()
        assert http.post("/v1/chat/completions", json=asked).status_code == 200
        assert time.monotonic() - began < 0.5
        found = http.post("/v1/chat/completions", content=json.dumps(long))
        assert found.status_code == status
        if status == 503:
            assert found.headers["retry-after"] == "5"
            assert found.json()["error"]["code"] == "too_many_bodies"

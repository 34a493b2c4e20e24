"""Requests and answers that come cut anywhere are the same, and so is how they break off."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from tests.attacks.fed import TURNS, Brought, End, answered, fed

pytestmark = pytest.mark.asyncio

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: a\r\n"
LENGTH = POST + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


async def slow_echo(scope: Any, receive: Any, send: Any) -> None:
    """An application that says what it was sent, some turns of the event loop after that."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message["body"], message["more_body"]
    for _ in range(5):
        await asyncio.sleep(0)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    said = f"{scope['method']} {scope['path']} {body!r}".encode()
    await send({"type": "http.response.body", "body": said, "more_body": True})
    await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b""})


async def early(_scope: Any, _receive: Any, send: Any) -> None:
    """An application that answers before it has read a body."""
    await send({"type": "http.response.start", "status": 401, "headers": []})
    await send({"type": "http.response.body", "body": b"no"})


def cut(data: bytes) -> Iterator[list[bytes]]:
    """All ways to cut bytes in two, and one by one."""
    for at in range(1, len(data)):
        yield [data[:at], data[at:]]
    yield [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize(
    "data",
    [
        GET + LENGTH + GET,
        LENGTH + b"\r\n" + GET,
        CHUNKED + b'1;a="b"\r\na\r\n00\r\nx: y\r\n\r\n' + GET,
        CHUNKED + b"1\r\na\r\nZZ\r\n",
        CHUNKED + b"1\r\na\r\n0\r\nx y\r\n\r\n",
        POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
        POST + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello\r\n",
        POST + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello" + GET,
        b"POST /p HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello" + GET,
        LENGTH + b"X\nY\r\n\r\n",
    ],
    ids=[
        "pipelined",
        "blank line between",
        "extension and trailer",
        "no chunk",
        "no trailer",
        "expect",
        "last, and a blank line",
        "last, and another",
        "HTTP/1.0",
        "bare line feed",
    ],
)
async def test_a_request_has_one_answer_however_it_comes(
    data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    whole = await fed(slow_echo, [data])
    for pieces in cut(data):
        for turns in (0, 3, TURNS):
            assert await fed(slow_echo, pieces, turns) == whole
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_body_that_breaks_after_its_answer_closes_the_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    said = await fed(early, [CHUNKED, b"ZZ\r\n"])
    assert said.answer.startswith(b"HTTP/1.1 401")
    assert said.answer.count(b"HTTP/1.1") == said.closed == 1
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


OK = b"HTTP/1.1 200 OK\r\n"
CODED = OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
BROKEN = Brought(200, b"hello", (502, "upstream_error", "closed early"))


@pytest.mark.parametrize(
    ("data", "end", "brought"),
    [
        (CODED + b"0\r\nx: y\r\n\r\n", "open", Brought(200, b"hello")),
        (CODED + b"0\r\n\r\n" + OK + b"\r\nx", "open", Brought(200, b"hello")),
        (CODED + b"ZZ\r\n", "open", BROKEN),
        (CODED + b"-1\r\n", "close", BROKEN),
        (CODED + b"0\r\ncontent-length: 1\r\n\r\n", "open", BROKEN),
        (CODED, "close", BROKEN),
        (CODED, "reset", BROKEN),
        (OK + b"Content-Length: 9\r\n\r\nhello", "close", BROKEN),
        (OK + b"Content-Length: 5\r\n\r\nhello world", "open", Brought(200, b"hello")),
        (OK + b"\r\nhello", "close", Brought(200, b"hello")),
        (OK + b"\r\nhello", "reset", BROKEN),
        (b"HTTP/1.0 200 OK\r\n\r\nhello", "reset", BROKEN),
        (b"HTTP/1.1 103 Hints\r\nx: y\r\n\r\n" + CODED + b"ZZ\r\n", "open", BROKEN),
    ],
    ids=[
        "trailer",
        "another after it",
        "no chunk",
        "no length of a chunk",
        "a length in the trailer",
        "closed",
        "reset",
        "too short",
        "too long",
        "without a length",
        "without a length, reset",
        "HTTP/1.0, reset",
        "hints",
    ],
)
async def test_an_answer_is_the_same_however_it_comes(
    data: bytes, end: End, brought: Brought
) -> None:
    for pieces in ([data], *cut(data)):
        for turns in (0, TURNS):
            assert await asyncio.wait_for(answered(pieces, end, turns), 30) == brought


async def test_an_answer_that_stops_is_late_and_what_came_of_it_is_good() -> None:
    brought = await answered([CODED], patience=0.01)
    assert brought == Brought(200, b"hello", (504, "upstream_timeout", "timed out"))


async def test_an_upstream_that_always_speaks_first_is_none() -> None:
    brought = await answered([CODED], early=b"220 hello\r\n")
    assert (brought.status, brought.error) == (0, (502, "upstream_error", "no http"))
    assert brought.connections < 100

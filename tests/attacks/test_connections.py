"""Clients that send what a parser may read in two ways, too much, or nothing at all."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import Any

import pytest

from guardstream.serve.proxy.protocol import BoundedProtocol
from tests.attacks.raw import answer_to, connected
from tests.serve.server import serving


class Patient(BoundedProtocol):
    seconds = 0.3
    most = 3


class AtOnce(BoundedProtocol):
    """Reads all that came up to a blank line at once, however it came."""

    came = b""

    def data_received(self, data: bytes) -> None:
        self.came += data
        if data.endswith(b"\r\n\r\n"):
            super().data_received(self.came)


async def nothing(_scope: Any, receive: Any, send: Any) -> None:
    """An application that answers everything with nothing."""
    await receive()
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """An application that sends a body back, in two parts; at `/told` it says how long it is."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message["body"], message["more_body"]
    told = [(b"content-length", b"%d" % len(body))] if scope["path"] == "/told" else []
    await send({"type": "http.response.start", "status": 200, "headers": told})
    half = len(body) // 2
    await send({"type": "http.response.body", "body": body[:half], "more_body": True})
    await send({"type": "http.response.body", "body": body[half:], "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def test_connections_are_few_and_have_to_say_what_they_want() -> None:
    with serving(nothing, http=Patient) as port:
        url = f"http://127.0.0.1:{port}"
        idle = [connected(url) for _ in range(3)]
        with connected(url) as one_more:
            one_more.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert one_more.recv(4096).startswith(b"HTTP/1.1 503")
        with connected(url) as watching:  # who would end the process if it did not answer
            watching.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            assert watching.recv(4096).startswith(b"HTTP/1.1 204")
        more = [connected(url) for _ in range(20)]
        assert more[-1].recv(4096).startswith(b"HTTP/1.1 503")
        idle += more[:1]
        for connection in more[1:]:
            connection.close()
        idle[0].sendall(b"GET / HTTP/1.1\r\nHost")
        for connection in idle:
            assert connection.recv(4096) == b""
            connection.close()
        assert answer_to(url, "/").startswith("HTTP/1.1 204")


def test_an_offer_to_upgrade_makes_no_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with (
        serving(nothing, http=BoundedProtocol, ws="none") as port,
        connected(f"http://127.0.0.1:{port}") as connection,
    ):
        head = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        connection.sendall(head)
        assert connection.recv(4096).startswith(b"HTTP/1.1 204")
    assert [each for each in caplog.records if each.levelname == "WARNING"] == []


def test_a_head_that_comes_byte_by_byte_is_read() -> None:
    with (
        serving(echo, http=BoundedProtocol) as port,
        connected(f"http://127.0.0.1:{port}") as connection,
    ):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for request in (b"one", b"two"):
            head = b"POST /told HTTP/1.1\r\nHost: a\r\nX-Long: %b\r\n" % (b"a" * 200)
            for byte in head + b"Content-Length: 3\r\n\r\n" + request:
                connection.sendall(bytes([byte]))
            said = b""
            while not said.endswith(request):
                said += connection.recv(4096)
            assert said.startswith(b"HTTP/1.1 200")


def test_a_line_without_an_end_is_not_kept() -> None:
    with (
        serving(nothing, http=BoundedProtocol) as port,
        connected(f"http://127.0.0.1:{port}") as connection,
    ):
        said = b""
        with suppress(OSError):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
            for _ in range(100):
                connection.sendall(b"a" * 1_000)
                time.sleep(0.001)
            while part := connection.recv(4096):
                said += part
    assert not said or said.startswith(b"HTTP/1.1 4")


CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"
LENGTH, CODING = b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\nHost: a\nX-A: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\n",
        b"GET / HTTP/1.1\nHost: a\r\n\r\n",
        b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1_000])
@pytest.mark.parametrize("before", [b"", GET])
def test_a_line_that_ends_in_a_line_feed_alone_is_refused(
    head: bytes, size: int, before: bytes
) -> None:
    with (
        serving(nothing, http=BoundedProtocol) as port,
        connected(f"http://127.0.0.1:{port}") as connection,
    ):
        whole = before + head
        said = b""
        with suppress(OSError):  # it is refused before it is whole
            for at in range(0, len(whole), size):
                connection.sendall(whole[at : at + size])
            while part := connection.recv(4096):
                said += part
    assert said.count(b"HTTP/1.1 204") <= bool(before)
    assert size < len(whole) or said.count(b"HTTP/1.1 400") == 1


def test_line_feeds_in_bodies_and_after_whole_heads_are_fine() -> None:
    post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\na\n\nb"
    with (
        serving(nothing, http=BoundedProtocol) as port,
        connected(f"http://127.0.0.1:{port}") as connection,
    ):
        said = b""
        for count in (2, 4):
            connection.sendall(GET + post)
            while said.count(b"\r\n\r\n") < count:
                said += connection.recv(4096)
    assert said.count(b"HTTP/1.1 204") == 4


@pytest.mark.parametrize("size", [1, 7, 1_000])
@pytest.mark.parametrize(
    "whole",
    [
        CHUNKED + b"0\r\n\n",
        CHUNKED + b"0\r\nx: y\n\r\n",
        CHUNKED + b"0\n\r\n",
        CHUNKED + b"1\na\r\n0\r\n\r\n",
        CHUNKED + b"1\r\na\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\n" + LENGTH + CODING + b"\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\n" + CODING + LENGTH + b"\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\n" + CODING.replace(b"chunked", b"gzip, chunked") + b"\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    ],
)
def test_what_ends_in_two_ways_is_read_in_none(whole: bytes, size: int) -> None:
    size = max(size, len(whole) // 200)
    with (
        serving(echo, http=BoundedProtocol) as port,
        connected(f"http://127.0.0.1:{port}") as connection,
    ):
        said = b""
        with suppress(OSError):  # it is refused before it is whole
            for at in range(0, len(whole), size):
                connection.sendall(whole[at : at + size])
            while part := connection.recv(4096):
                said += part
    assert b"HTTP/1.1 200" not in said


@pytest.mark.parametrize("http", [BoundedProtocol, AtOnce])
@pytest.mark.parametrize(
    "start",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nX: ",
        CHUNKED + b"0\r\nX: ",
        CHUNKED + b"0;x=",
    ],
)
def test_lines_that_are_too_long_are_refused_however_they_come(http: Any, start: bytes) -> None:
    with (
        serving(echo, http=http) as port,
        connected(f"http://127.0.0.1:{port}") as connection,
    ):
        said = b""
        with suppress(OSError):  # they may be refused before they are whole
            connection.sendall(start + b"a" * 65_536 + b"\r\n\r\n")
        with suppress(OSError):
            while part := connection.recv(4096):
                said += part
    assert not said or said.startswith(b"HTTP/1.1 4")


def asked(data: bytes) -> bytes:
    """What a server that sends each body back answers."""
    said = b""
    with (
        serving(echo, http=BoundedProtocol) as port,
        connected(f"http://127.0.0.1:{port}") as connection,
    ):
        connection.sendall(data)
        while part := connection.recv(4096):
            said += part
    return said


CLOSE = b"Host: a\r\nConnection: close\r\n"


def test_a_body_is_read_though_its_request_offers_to_upgrade() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n"
    said = asked(head + b"Content-Length: 4\r\n\r\nbody")
    assert said.startswith(b"HTTP/1.1 200")
    assert said.endswith(b"\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n")


def test_an_answer_is_framed_as_its_client_can_read_it() -> None:
    post = b"Content-Length: 4\r\n\r\nbody"
    assert asked(b"POST / HTTP/1.0\r\n" + CLOSE + post).endswith(b"\r\n\r\nbody")
    assert asked(b"HEAD / HTTP/1.1\r\n" + CLOSE + post).endswith(b"\r\n\r\n")
    told = asked(b"POST /told HTTP/1.1\r\n" + CLOSE + post)
    assert b"content-length: 4" in told.lower()
    assert told.endswith(b"\r\n\r\nbody")


def test_a_trailer_ends_with_its_message() -> None:
    said = asked(CHUNKED + b"0\r\nx: y\r\n\r\nGET / HTTP/1.1\r\n" + CLOSE + b"\r\n")
    assert said.count(b"HTTP/1.1 200") == 2

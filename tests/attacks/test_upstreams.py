"""Upstreams whose answers could be read in another way by a client, or cost more than they say."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from guardstream.serve.proxy import ProxySettings, application
from guardstream.serve.proxy.protocol import BoundedProtocol
from tests.attacks.raw import connected
from tests.serve.proxy.upstream import chat, completion, guard
from tests.serve.server import serving

CHAT = "/v1/chat/completions"
EVENTS = b"content-type: text/event-stream\r\n"


@contextmanager
def before(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A proxy before a server that answers these bytes; its URL, and what the server was sent."""
    listener = socket.create_server(("127.0.0.1", 0))
    heads: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                heads.append(connection.recv(65536))
                connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app = application(ProxySettings(url, {"default": guard()}, other="pass"))
        with serving(app, lifespan="on", http=BoundedProtocol) as port:
            yield f"http://127.0.0.1:{port}", heads
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def post(url: str, path: str = CHAT, **headers: str) -> httpx.Response:
    return httpx.post(
        url + path, json={"stream": True, "messages": []}, headers=headers, timeout=30
    )


def answered(head: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\n%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nsecret",
        answered(EVENTS + b"x-a: b\x01c\r\n", b"".join(chat("a"))),
        answered(EVENTS + b"content-encoding: br\r\n", b"\x8b\x02\x80secret\x03"),
        answered(EVENTS + b"content-encoding: gzip, gzip\r\n", b"".join(chat("a"))),
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: " + b"a" * 200_000 + b"\r\n\r\n",
        b"secret",
    ],
    ids=["101", "control", "br", "twice", "lengths", "long", "no http"],
)
@pytest.mark.parametrize("path", [CHAT, "/v1/jobs"])
def test_an_answer_that_may_be_read_in_two_ways_is_refused(answer: bytes, path: str) -> None:
    with before(answer) as (url, _):
        response = post(url, path)
    assert response.status_code == 502
    assert "secret" not in response.text


@pytest.mark.parametrize("path", [CHAT, "/v1/jobs"])
def test_a_redirect_is_not_followed(path: str) -> None:
    with before(b"HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n") as (url, heads):
        response = post(url, path)
    assert response.status_code == (502 if path == CHAT else 302)
    assert len(heads) == 1


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (b"gzip", gzip.compress(b"".join(chat("a")))[:-9]),
        (b"gzip", gzip.compress(b"".join(chat("a"))) + b"secret"),
        (b"deflate", b"secret"),
    ],
    ids=["cut", "more", "none"],
)
def test_a_broken_compressed_answer_ends_with_an_error(encoding: bytes, body: bytes) -> None:
    with before(answered(EVENTS + b"content-encoding: " + encoding + b"\r\n", body)) as (url, _):
        response = post(url)
    assert json.loads(response.text.strip().rpartition("data: ")[2])["error"]
    assert "secret" not in response.text


def test_a_small_answer_that_inflates_to_a_huge_one_is_given_up() -> None:
    body = zlib.compress(b"x" * 100_000_000)
    kind = b"content-type: application/json\r\ncontent-encoding: deflate\r\n"
    with before(answered(kind, body)) as (url, _):
        response = post(url)
    assert response.status_code == 502
    assert response.json()["error"]["code"] == "upstream_too_large"


def test_nothing_is_added_to_a_request_and_its_query_cannot_end_its_line() -> None:
    with (
        before(answered(EVENTS, b"".join(chat("a")))) as (url, heads),
        connected(url) as connection,
    ):
        connection.sendall(
            b'POST /v1/chat/completions?a="b"#c&d=%0d%0a HTTP/1.1\r\nHost: a\r\nX-A: \xc3\xa9\r\n'
            b"X-B: 1\r\nX-B: 2\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
        )
        while connection.recv(4096):
            pass
    (head,) = heads
    assert head.startswith(b"POST /v1/chat/completions?a=%22b%22%23c&d=%0d%0a HTTP/1.1\r\n")
    lines = {line.lower() for line in head.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]}
    named = {line.partition(b":")[0] for line in lines}
    assert {b"x-a: \xc3\xa9", b"x-b: 1", b"x-b: 2", b"content-length: 2"} <= lines
    usual = {b"accept", b"user-agent", b"accept-encoding", b"content-type"}
    assert named == {b"host", b"x-a", b"x-b", b"content-length", *usual}


def test_a_header_that_is_not_in_utf_8_is_refused() -> None:
    with before(b"") as (url, heads), connected(url) as connection:
        connection.sendall(
            b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nX-A: \xe9\r\n"
            b"Connection: close\r\nContent-Length: 2\r\n\r\n{}"
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 400")
    assert not heads


def test_white_space_that_inflates_to_a_huge_line_is_given_up() -> None:
    body = gzip.compress(b" " * 20_000_000)
    with before(answered(EVENTS + b"content-encoding: gzip\r\n", body)) as (url, _):
        response = post(url)
    assert "more than 4194304 bytes of white space" in response.text


def test_a_status_that_is_none_is_a_bad_gateway() -> None:
    with before(b"HTTP/1.1 600 Secret\r\ncontent-length: 0\r\n\r\n") as (url, _):
        assert post(url).status_code == 502


@pytest.mark.parametrize("name", [b"alt-svc", b"refresh", b"guardstream-receipt"])
def test_headers_that_lead_around_the_proxy_or_speak_for_it_end_here(name: bytes) -> None:
    head = EVENTS + name + b": x\r\n"
    with before(answered(head, b"".join(chat("a")))) as (url, _):
        response = post(url)
    assert response.status_code == 200
    assert name.decode() not in response.headers


@pytest.mark.parametrize("line", [b"id: a secret\n", b"event: a secret\n"])
def test_a_stream_that_is_blocked_before_it_began_says_so(line: bytes) -> None:
    with before(answered(EVENTS, line + b"".join(chat("a")))) as (url, _):
        response = post(url)
    assert json.loads(response.text.removeprefix("data: "))["error"]["code"] == "content_filter"


def test_what_an_upstream_sends_unasked_is_nobodys_answer() -> None:
    def whole(content: str) -> bytes:
        message = {"role": "assistant", "content": content}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return answered(
            b"content-type: application/json\r\n",
            json.dumps({"id": "c", "choices": [choice]}).encode(),
        )

    go_on, sent = threading.Event(), threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        first, _ = listener.accept()
        with first:
            first.recv(65536)
            first.sendall(whole("for the first"))
            go_on.wait(30)
            first.sendall(whole("for nobody"))
            sent.set()
            second, _ = listener.accept()
            with second:
                second.recv(65536)
                second.sendall(whole("for the second"))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = application(ProxySettings(url, {"default": guard()}))
    with listener, serving(app, lifespan="on", http=BoundedProtocol) as port:
        here = f"http://127.0.0.1:{port}"
        assert "for the first" in post(here).text
        go_on.set()
        assert sent.wait(30)
        assert "for the second" in post(here).text
        thread.join()


def test_an_answer_without_a_body_has_no_length() -> None:
    with before(b"HTTP/1.1 204 No Content\r\n\r\n") as (url, _):
        response = post(url)
    assert response.status_code == 204
    assert "content-length" not in response.headers  # RFC 9110, section 8.6


@pytest.mark.parametrize("line", [b"id: a secret", b"id: a secret\nretry: 1", b"event: secret"])
def test_what_names_no_event_is_judged_as_names_are(line: bytes) -> None:
    with before(answered(EVENTS, b"%b\n\n%b" % (line, b"".join(chat("hello"))))) as (url, _):
        response = post(url)
    assert "secret" not in response.text


def test_a_header_whose_name_a_rule_matches_is_withheld() -> None:
    head = b"content-type: application/json\r\nsecret: 1\r\nx-request-id: 7\r\n"
    body = completion("hello").body
    with before(answered(head, bytes(body))) as (url, _):
        response = post(url)
    assert response.headers["x-request-id"] == "7"
    assert "secret" not in response.headers

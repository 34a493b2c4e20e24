"""WebSockets of real servers and clients: frames, compression, and ways to leave."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any, Literal

import anyio
import pytest
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from guardstream import Guard, Policy
from guardstream.serve import GuardMiddleware, Route
from tests.serve.server import serving

GUARD = Guard(
    Policy.parse(r"""
rules:
  - {id: word, words: [secret], replacement: "#"}
  - {id: bad, words: [forbidden], action: block}
  - {id: mail, pattern: '\w{1,40}@\w{1,40}\.com', replacement: "[mail]"}
""")
)

Compression = Literal["deflate"] | None


class Application:
    """Says what it is told to, by its path; `ended` once it has been cancelled in its source."""

    def __init__(self) -> None:
        self.waiting = threading.Event()
        self.ended = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        await socket.accept(subprotocol=next(iter(scope["subprotocols"]), None))
        await getattr(self, scope["path"].rpartition("/")[2])(socket)

    async def echo(self, socket: WebSocket) -> None:
        while (message := await socket.receive())["type"] == "websocket.receive":
            if message.get("text") is not None:
                await socket.send_text(message["text"])
            else:
                await socket.send_bytes(message["bytes"])

    async def spell(self, socket: WebSocket) -> None:
        for letter in await socket.receive_text():
            await socket.send_text(letter)
        await socket.close(4000, "no secret")

    async def events(self, socket: WebSocket) -> None:
        for each in json.loads(await socket.receive_text()):
            await socket.send_text(json.dumps(each))
        await socket.close()

    async def wait(self, socket: WebSocket) -> None:
        try:
            await socket.send_text("go ")
            self.waiting.set()
            await anyio.sleep_forever()
        finally:
            self.ended.set()


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, Application]]:
    application = Application()
    routes = [
        Route("/message/{rest:path}", GUARD, websocket="message", inbound=GUARD),
        Route("/realtime/{rest:path}", GUARD, websocket="json", format="openai_realtime"),
        Route("/live/{rest:path}", GUARD, websocket="json", format="gemini_live"),
        Route("/text/{rest:path}", GUARD),
    ]
    with serving(GuardMiddleware(application, routes=routes)) as port:
        yield f"127.0.0.1:{port}", application


@pytest.fixture(params=["deflate", None])
def open_at(served: Any, request: Any) -> Callable[..., ClientConnection]:
    """Opens a connection to a path of the server, with compression and without."""

    def opened(path: str, **settings: Any) -> ClientConnection:
        settings = {"compression": request.param, "max_size": None, **settings}
        return connect(f"ws://{served[0]}{path}", **settings)

    return opened


def rest_of(connection: ClientConnection) -> tuple[list[str], int | None, str | None]:
    """What comes until the connection is closed, and how it is."""
    said: list[str] = []
    try:
        while True:
            said.append(str(connection.recv(timeout=30)))
    except ConnectionClosed:
        return said, connection.close_code, connection.close_reason


def test_words_spelled_message_by_message_are_guarded(open_at: Any) -> None:
    with open_at("/text/spell") as connection:
        connection.send("a secret for ann@example.com and sec")
        said, code, reason = rest_of(connection)
    assert "".join(said) == "a ###### for [mail] and sec"
    assert (code, reason) == (4000, "no ######")


def test_fragments_and_letters_are_messages_like_others(open_at: Any) -> None:
    with open_at("/message/echo") as connection:
        connection.send(iter(["a se", "cr", "et", " x"]))
        assert connection.recv(timeout=30) == "a ###### x"
        for letter in "abc":
            connection.send(letter)
        assert [connection.recv(timeout=30) for _ in "abc"] == ["a", "b", "c"]


def test_ten_megabytes_are_a_message_like_others(open_at: Any) -> None:
    text = "x" * 10_000_000
    with open_at("/message/echo") as connection:
        connection.send(f"{text} secret")
        assert connection.recv(timeout=60) == f"{text} ######"


def test_json_in_binary_frames_is_guarded_and_other_bytes_are_refused(open_at: Any) -> None:
    with open_at("/message/echo") as connection:
        connection.send(b'{"a":"secret"}')
        assert connection.recv(timeout=30) == b'{"a":"######"}'
        connection.send(b"\xff\x00")
        assert rest_of(connection)[1] == 1003


def test_a_client_that_is_blocked_is_told_so(open_at: Any) -> None:
    with open_at("/message/echo") as connection:
        connection.send("forbidden")
        assert rest_of(connection) == ([], 1008, "refused by policy")


def test_a_subprotocol_is_agreed_on_through_the_guard(open_at: Any) -> None:
    with open_at("/message/echo", subprotocols=["b", "a"]) as connection:
        assert connection.subprotocol == "b"


def realtime(*deltas: str) -> list[dict[str, Any]]:
    place = {"response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0}
    name = "response.output_audio_transcript"
    events: list[dict[str, Any]] = [{"type": f"{name}.delta", "delta": d, **place} for d in deltas]
    events.append({"type": f"{name}.done", "transcript": "".join(deltas), **place})
    return [*events, {"type": "response.done", "response": {"id": "r", "output": []}}]


def live(*deltas: str) -> list[dict[str, Any]]:
    said = [{"serverContent": {"outputTranscription": {"text": each}}} for each in deltas]
    return [{"setupComplete": {}}, *said, {"serverContent": {"turnComplete": True}}]


@pytest.mark.parametrize(("path", "events"), [("/realtime", realtime), ("/live", live)])
def test_what_is_spoken_is_guarded_over_events(open_at: Any, path: str, events: Any) -> None:
    with open_at(f"{path}/events") as connection:
        connection.send(json.dumps(events(*"a secret for ann@example.com")))
        said, code, _ = rest_of(connection)
    spoken = [json.loads(each) for each in said]
    deltas = [each.get("delta", "") for each in spoken]
    texts = [each["serverContent"].get("outputTranscription", {}).get("text", "")
             for each in spoken if "serverContent" in each]  # fmt: skip
    assert "".join([*deltas, *texts]) == "a ###### for [mail]"
    assert "secret" not in "".join(said)
    assert code == 1000


def test_a_message_that_comes_during_an_answer_is_answered_next(open_at: Any) -> None:
    with open_at("/message/echo") as connection:
        for number in range(40):
            connection.send(f"{number}")
        assert [connection.recv(timeout=30) for _ in range(40)] == [f"{n}" for n in range(40)]


HEAD = (
    "GET /text/wait HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
FRAME = b"\x81\x82\0\0\0\0hi"
PING = b"\x89\x84\0\0\0\0ping"


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def half_closed(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("leave", [reset, half_closed])
@pytest.mark.parametrize("before", [b"", FRAME * 100, PING * 1000])
def test_an_application_is_cancelled_however_its_client_leaves(
    served: Any, leave: Any, before: bytes
) -> None:
    address, application = served
    application.waiting.clear()
    application.ended.clear()
    host, port = address.split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(HEAD.encode())
        assert application.waiting.wait(30)
        connection.sendall(before)
        leave(connection)
        assert application.ended.wait(30)

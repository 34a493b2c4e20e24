"""Starlette, FastAPI and Django behind the middleware, over real connections."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute
from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from guardstream import Guard
from guardstream.framing.sse import Decoder, Event
from guardstream.serve import GuardMiddleware, MemoryReplay
from tests.sdks import django_app
from tests.sdks.django_app import application as django_application
from tests.serve.server import serving
from tests.support.optional import optional
from tests.support.sources import broken_guard, guard

openai = optional("openai")
ThreadSensitiveContext = optional("asgiref.sync", "ThreadSensitiveContext")
WsgiToAsgi = optional("asgiref.wsgi", "WsgiToAsgi")
FastAPI = optional("fastapi", "FastAPI")
HTMLResponse, StreamingResponse = optional("fastapi.responses", "HTMLResponse", "StreamingResponse")

SSE = "text/event-stream"

EVENTS = [b"data: a sec\n\n", b"data: ret b\n\n"]


class Source:
    """A source in a server's thread; tells when it is closed."""

    def __init__(self, chunks: Sequence[bytes], *, silent: bool = False) -> None:
        self.chunks = chunks
        self.silent = silent
        self.closed = threading.Event()

    async def stream(self) -> AsyncIterator[bytes]:
        try:
            for chunk in self.chunks:
                await anyio.lowlevel.checkpoint()
                yield chunk
            if self.silent:
                await anyio.sleep_forever()
        finally:
            self.closed.set()


def fastapi_app(source: Source, media_type: str = SSE) -> FastAPI:
    app = FastAPI()
    app.add_middleware(GuardMiddleware, guard=guard(), replay=MemoryReplay())

    @app.api_route("/chat", methods=["GET", "POST"])
    async def chat() -> StreamingResponse:
        return StreamingResponse(source.stream(), media_type=media_type)

    return app


def starlette_app(source: Source) -> Starlette:
    async def chat(_: Request) -> Response:
        return StreamingResponse(source.stream(), media_type=SSE)

    inner = Middleware(GuardMiddleware, guard=guard())
    routes = [StarletteRoute("/chat", chat, methods=["GET", "POST"])]
    return Starlette(routes=routes, middleware=[Middleware(GZipMiddleware, minimum_size=1), inner])


def url(port: int, path: str = "/chat") -> str:
    return f"http://127.0.0.1:{port}{path}"


def events(body: bytes) -> list[Event]:
    return [item for item in Decoder().feed(body) if isinstance(item, Event)]


@pytest.mark.parametrize("make", [fastapi_app, starlette_app])
def test_an_endpoint_is_guarded(make: Any) -> None:
    with serving(make(Source(EVENTS))) as port:
        answer = httpx.get(url(port))
    assert "".join(event.data for event in events(answer.content)) == "a ****** b"
    assert answer.headers["guardstream-policy"].startswith("test@")


def test_pages_and_data_of_a_fastapi_application_are_guarded() -> None:
    app = FastAPI()
    app.add_middleware(GZipMiddleware, minimum_size=1)  # inside the guard

    @app.get("/data")
    async def data() -> dict[str, str]:
        return {"a": "secret"}

    @app.get("/page")
    async def page() -> HTMLResponse:
        return HTMLResponse("<p>a secret" + " " * 1000)

    with serving(GuardMiddleware(app, guard())) as port, httpx.Client() as client:
        assert client.get(url(port, "/data")).json() == {"a": "******"}
        assert client.get(url(port, "/page")).text.strip() == "<p>a ******"
        plain = client.get(url(port, "/docs"))
        assert plain.headers["content-length"] == str(len(plain.content))


@pytest.mark.parametrize("path", ["/async", "/sync"])
def test_django_is_guarded(path: str) -> None:
    with serving(GuardMiddleware(django_application(), guard())) as port:
        answer = httpx.get(url(port, path))
        other = httpx.get(url(port, "/json"))
    assert "".join(event.data for event in events(answer.content)) == "a ****** b"
    assert other.json() == {"a": "******"}


@pytest.mark.parametrize("text", ["fine", "fine, forbidden!"])
def test_the_source_of_a_django_view_is_closed(text: str) -> None:
    django_app.closed.clear()
    with serving(GuardMiddleware(django_application(), guard())) as port:
        with httpx.stream("GET", url(port, f"/silent/{text}")) as answer:
            assert next(answer.iter_raw()).startswith(b"data: fine")
        assert django_app.closed.wait(5)


def wsgi_app(answer: Callable[[], Iterator[bytes]], ended: threading.Event) -> ASGIApp:
    """A WSGI application as the documentation wraps it; tells when its request has ended."""

    def application(_: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("content-type", SSE)])
        return answer()

    wsgi = WsgiToAsgi(application)

    async def in_threads(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with ThreadSensitiveContext():
                await wsgi(scope, receive, send)
        finally:
            ended.set()

    return GuardMiddleware(in_threads, guard())


def test_a_wsgi_application_is_guarded() -> None:
    with serving(wsgi_app(lambda: iter(EVENTS), threading.Event())) as port:
        answer = httpx.get(url(port))
    assert "".join(event.data for event in events(answer.content)) == "a ****** b"


@pytest.mark.parametrize("text", ["fine", "fine, forbidden!"])
def test_a_thread_that_outlives_its_request_ends_at_its_next_chunk(text: str) -> None:
    late, ended, leave, closed = [], *(threading.Event() for _ in range(3))

    def answer() -> Iterator[bytes]:
        try:
            yield f"data: {text}\n\n".encode()
            leave.wait(5)  # for the model
            for number in range(10):
                late.append(number)
                yield b"data: more\n\n"
        finally:
            closed.set()

    with serving(wsgi_app(answer, ended)) as port:
        with httpx.stream("GET", url(port)) as response:
            assert next(response.iter_raw()).startswith(b"data: fine")
        assert ended.wait(5)
        leave.set()
        assert closed.wait(5)
    assert late == [0]


@pytest.mark.parametrize("chunks", [[], [b"data: a \n\n"], [b"data: a \n\n"] * 50])
@pytest.mark.parametrize("make", [fastapi_app, starlette_app])
def test_a_client_that_leaves_closes_the_source(make: Any, chunks: list[bytes]) -> None:
    source = Source(chunks, silent=True)
    with serving(make(source)) as port, httpx.stream("GET", url(port)) as answer:
        if chunks:
            next(answer.iter_raw())
        answer.close()
        assert source.closed.wait(5)


def test_a_block_ends_the_response_and_the_source() -> None:
    source = Source([b"data: fine, forbidden!\n\n"], silent=True)
    with serving(fastapi_app(source)) as port:
        answer = httpx.get(url(port))
        assert source.closed.wait(5)
    assert [event.event for event in events(answer.content)] == ["message", "complete"]


def test_a_client_that_comes_back_gets_the_rest() -> None:
    with serving(fastapi_app(Source([b"data: one \n\n", b"data: secret \n\n"]))) as port:
        first = events(httpx.get(url(port)).content)
        headers = {"last-event-id": first[0].id or ""}
        assert events(httpx.get(url(port), headers=headers).content) == first[1:]
        headers = {"last-event-id": first[-1].id or ""}
        assert httpx.get(url(port), headers=headers).status_code == 204


def test_plain_text_of_a_failing_stage_is_cut_off() -> None:
    source = Source([b"fine", b"raw boom"], silent=True)
    app = FastAPI()
    app.add_middleware(GuardMiddleware, guard=broken_guard())

    @app.get("/chat")
    async def chat() -> StreamingResponse:
        return StreamingResponse(source.stream(), media_type="text/plain")

    with serving(app) as port:
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
            httpx.get(url(port))
        assert source.closed.wait(5)


def chunk(text: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    head = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return f"data: {json.dumps({**head, 'choices': [choice]})}\n\n".encode()


def ask(port: int) -> list[tuple[str | None, str | None]]:
    """What the official client sees of a streamed chat completion."""
    with openai.OpenAI(base_url=url(port, ""), api_key="x", max_retries=0) as client:
        stream = client.chat.completions.create(model="m", messages=[], stream=True)
        return [(c.choices[0].delta.content, c.choices[0].finish_reason) for c in stream]


def completions(source: Source, guard: Guard) -> FastAPI:
    app = FastAPI()
    app.add_middleware(GuardMiddleware, guard=guard)

    @app.post("/chat/completions")
    async def chat() -> StreamingResponse:
        return StreamingResponse(source.stream(), media_type=SSE)

    return app


def test_the_openai_client_reads_a_masked_stream() -> None:
    source = Source([chunk("a sec"), chunk("ret b"), chunk("", "stop"), b"data: [DONE]\n\n"])
    with serving(completions(source, guard())) as port:
        seen = ask(port)
    assert "".join(text or "" for text, _ in seen) == "a ****** b"
    assert seen[-1][1] == "stop"


def test_the_openai_client_accepts_a_block() -> None:
    source = Source([chunk("fine, "), chunk("forbidden! ")], silent=True)
    with serving(completions(source, guard())) as port:
        seen = ask(port)
        assert source.closed.wait(5)
    assert "".join(text or "" for text, _ in seen) == "fine, "
    assert seen[-1][1] == "content_filter"


def test_the_openai_client_raises_a_fault() -> None:
    source = Source([chunk("fine, "), chunk("boom ")], silent=True)
    with (
        serving(completions(source, broken_guard())) as port,
        pytest.raises(openai.APIError, match="a stage failed"),
    ):
        ask(port)


def websocket_app(source: Source) -> Starlette:
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        async for piece in source.stream():
            await socket.send_text(piece.decode())
        await socket.close()

    middleware = [Middleware(GuardMiddleware, guard=guard())]
    return Starlette(routes=[WebSocketRoute("/chat", talk)], middleware=middleware)


def websocket_url(port: int) -> str:
    return f"ws://127.0.0.1:{port}/chat"


def test_a_websocket_is_guarded() -> None:
    source = Source([b"a sec", b"ret b"])
    with serving(websocket_app(source)) as port, connect(websocket_url(port)) as socket:
        assert list(socket) == ["a ", "****** b"]
        assert socket.response is not None
        assert socket.response.headers["guardstream-policy"].startswith("test@")


def test_a_websocket_that_is_blocked_is_closed() -> None:
    source = Source([b"fine, forbidden!"], silent=True)
    with serving(websocket_app(source)) as port, connect(websocket_url(port)) as socket:
        assert socket.recv() == "fine, "
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv()
        assert source.closed.wait(5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


def test_a_client_that_leaves_a_websocket_closes_the_source() -> None:
    source = Source([b"text "], silent=True)
    with serving(websocket_app(source)) as port:
        with connect(websocket_url(port)) as socket:
            assert socket.recv() == "text "
        assert source.closed.wait(5)

"""A FastAPI application behind the guard, and a page that reads it in three ways, and can stop it.

EventSource, fetch and a WebSocket show the same answer and count its characters. A page that leaves
or stops closes its connection; the middleware then closes the source.

`python examples/fastapi_page.py --serve` and open http://127.0.0.1:8000. Without `--serve` it asks
itself one question and ends. Put your provider's stream where `model` is.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import httpx
import uvicorn
from fastapi import Body, FastAPI, WebSocket
from fastapi.responses import FileResponse, StreamingResponse

from guardstream import Guard, Policy, sse
from guardstream.serve import GuardMiddleware, MemoryReplay

PAGE = Path(__file__).with_name("page") / "index.html"

guard = Guard(Policy.parse("{name: page, extends: [guardstream/chat, guardstream/code]}"))

app = FastAPI()
app.add_middleware(
    GuardMiddleware,
    guard=guard,
    routes=[("/", None)],  # the page is ours
    replay=MemoryReplay(),
    heartbeat=15.0,
)


async def model(question: str) -> AsyncIterator[str]:
    answer = f"You asked: {question} Write to ann@example.com, she knows. ❤"
    for start in range(0, len(answer), 3):
        await asyncio.sleep(0.01)
        yield answer[start : start + 3]


@app.get("/")
async def page() -> FileResponse:
    return FileResponse(PAGE)


@app.get("/answer")
async def answer(question: str) -> StreamingResponse:
    async def events() -> AsyncIterator[bytes]:
        yield sse.encode(sse.start("1"))
        async for text in model(question):
            yield sse.encode(sse.content(text))
        yield sse.encode(sse.complete())

    return StreamingResponse(events(), media_type="text/event-stream")


@app.post("/text")
async def text(question: Annotated[str, Body(embed=True)]) -> StreamingResponse:
    return StreamingResponse(model(question), media_type="text/plain")


@app.websocket("/socket")
async def socket(socket: WebSocket) -> None:
    await socket.accept()
    async for text in model(await socket.receive_text()):
        await socket.send_text(text)
    await socket.close()


async def ask_itself() -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://example") as client:
        streamed = await client.get("/answer", params={"question": "Who?"})
        events = streamed.content
        plain = (await client.post("/text", json={"question": "Who?"})).text
    print(plain)
    said = [item for item in sse.Decoder().feed(events) if isinstance(item, sse.Event)]
    assert plain == "You asked: Who? Write to [email], she knows. ❤"
    assert b"example.com" not in events
    assert streamed.headers["x-accel-buffering"] == "no"  # nginx passes events on as they come
    assert [said[0].event, said[-1].event] == ["start", "complete"]


if __name__ == "__main__":
    if "--serve" in sys.argv:
        uvicorn.run(app, port=8000)
    else:
        asyncio.run(ask_itself())

"""A user who interrupts over a WebSocket: the answer stops at once, and what was said is kept."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import FastAPI, WebSocket
from support.local_provider import serving
from websockets.asyncio.client import connect

from guardstream import Guard

app = FastAPI()
guard = Guard.load("guardstream/chat")
kept: list[str] = []


async def model() -> AsyncIterator[str]:
    yield "Write to ann@example.com, "
    await asyncio.Event().wait()  # it takes its time


@app.websocket("/chat")
async def chat(socket: WebSocket) -> None:
    await socket.accept()

    async def listen() -> None:
        if await socket.receive_text() == "stop":
            stream.stop()

    async with guard.wrap(model()) as stream:
        listening = asyncio.create_task(listen())
        async for text in stream:
            await socket.send_text(text)
        listening.cancel()
    kept.append(stream.result.text)
    await socket.send_text(f"[{stream.finish}]")
    await socket.close()


async def main() -> None:
    with serving(app) as url:
        async with connect(url.replace("http", "ws") + "/chat") as socket:
            said = str(await socket.recv())
            await socket.send("stop")
            said += "".join([str(message) async for message in socket])
    print(said, kept)
    assert said == "Write to [email], [cancelled]"
    assert kept == ["Write to [email], "]


asyncio.run(main())

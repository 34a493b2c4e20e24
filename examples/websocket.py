"""Guard a WebSocket: messages to the client are pieces of one text, those from it each a whole.

The middleware holds back what a rule may still claim, also over messages.
"""

import asyncio

from fastapi import FastAPI, WebSocket
from support.local_provider import serving
from websockets.asyncio.client import connect

from guardstream import Guard, Policy
from guardstream.serve import GuardMiddleware, Route

app = FastAPI()
seen: list[str] = []


@app.websocket("/chat")
async def chat(socket: WebSocket) -> None:
    await socket.accept()
    seen.append(await socket.receive_text())
    for piece in ["Write to ann@exam", "ple.com", ", she knows.", "[DONE]"]:
        await socket.send_text(piece)
    await socket.close()


prompts = Guard(Policy.parse("rules: [{id: name, words: [Bluebird], replacement: '[project]'}]"))
route = Route("/chat", Guard.load("guardstream/chat"), inbound=prompts)
guarded = GuardMiddleware(app, routes=[route])


async def main() -> None:
    with serving(guarded) as url:
        async with connect(url.replace("http", "ws") + "/chat") as socket:
            await socket.send("Who knows Bluebird?")
            said = [message async for message in socket]
    print(seen, said)
    assert seen == ["Who knows [project]?"]
    assert "".join(map(str, said)) == "Write to [email], she knows.[DONE]"


asyncio.run(main())

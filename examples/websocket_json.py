"""JSON messages of your own over a WebSocket: name the field that has the text.

With `websocket="json"` each message is one chunk, and `formats` in the policy says where its text
is. What is cut over two messages is found, and the other messages pass as they are.
"""

import asyncio
import json

from fastapi import FastAPI, WebSocket
from support.local_provider import serving
from websockets.asyncio.client import connect

from guardstream import Guard, Policy
from guardstream.serve import GuardMiddleware

POLICY = """
extends: guardstream/chat
formats:
  answer: {text: $.content, done: $.usage, harmless: [$.type]}
"""

app = FastAPI()
app.add_middleware(GuardMiddleware, guard=Guard(Policy.parse(POLICY)), websocket="json")


@app.websocket("/chat")
async def chat(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_json({"type": "start"})
    for piece in ("Write to ann@exam", "ple.com", ", she knows."):
        await socket.send_json({"type": "chunk", "content": piece})
    await socket.send_json({"type": "done", "usage": {"output_tokens": 7}})
    await socket.close()


async def main() -> None:
    with serving(app) as url:
        async with connect(url.replace("http", "ws") + "/chat") as socket:
            said = [json.loads(message) async for message in socket]
    print(*said, sep="\n")
    assert "".join(each.get("content", "") for each in said) == "Write to [email], she knows."
    assert (said[0], said[-1]["type"]) == ({"type": "start"}, "done")


asyncio.run(main())

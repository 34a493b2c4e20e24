"""A chat in React behind the guard: `{"content": …}` events, progress, a stop button, a history.

The policy names the field of the events that has the text. The page and React itself come from this
program, not from another site. `python examples/react_page.py --serve` and open
http://127.0.0.1:8000/react.html. Without `--serve` it asks itself one question and ends.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel

from guardstream import Guard, Policy
from guardstream.serve import GuardMiddleware

POLICY = """
name: page
extends: [guardstream/chat, guardstream/code]
formats: {answer: {text: $.content}}
"""


class Message(BaseModel):
    role: str
    content: str


class Chat(BaseModel):
    messages: list[Message]


app = FastAPI()
app.add_middleware(GuardMiddleware, routes=[("/chat", Guard(Policy.parse(POLICY)))])


async def model(question: str) -> AsyncIterator[str]:
    answer = f"You asked: {question} Write to ann@example.com, she knows. ❤"
    for start in range(0, len(answer), 3):
        await asyncio.sleep(0.01)
        yield answer[start : start + 3]


@app.post("/chat")
async def chat(chat: Chat) -> StreamingResponse:
    async def events() -> AsyncIterator[str]:
        async for text in model(chat.messages[-1].content):
            yield f"data: {json.dumps({'content': text})}\n\n"
        yield "data: [DONE]\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


app.mount("/", StaticFiles(directory=Path(__file__).with_name("page")))


async def ask_itself() -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://example") as client:
        body = {"messages": [{"role": "user", "content": "Who?"}]}
        lines = (await client.post("/chat", json=body)).text.splitlines()
    data = [line.removeprefix("data: ") for line in lines if line]
    said = "".join(json.loads(each)["content"] for each in data[:-1])
    print(said)
    assert said == "You asked: Who? Write to [email], she knows. ❤"
    assert data[-1] == "[DONE]"


if __name__ == "__main__":
    if "--serve" in sys.argv:
        print("http://127.0.0.1:8000/react.html")
        uvicorn.run(app, port=8000)
    else:
        asyncio.run(ask_itself())

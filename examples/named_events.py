"""Events of your own with names (`start`, `content`, `complete`) behind the guard, in any client.

The policy says which field has the text, which repeats all of it, and which is there at the end.
Each event keeps its name: who listens for `content` and closes at `complete` misses nothing.
"""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from guardstream import Guard, Policy, sse
from guardstream.serve import GuardMiddleware

POLICY = """
extends: guardstream/chat
formats:
  answer: {text: $.content, copies: [$.full_content], done: $.usage, harmless: [$.model]}
"""

app = FastAPI()
app.add_middleware(GuardMiddleware, guard=Guard(Policy.parse(POLICY)))


def event(name: str, **data: object) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


@app.get("/chat")
async def chat() -> StreamingResponse:
    async def events() -> AsyncIterator[str]:
        full = ""
        yield event("start", model="example")
        for piece in ("Write to ann@exam", "ple.com"):
            full += piece
            yield event("content", content=piece, full_content=full)
        yield event("complete", full_content=full, usage={"output_tokens": 7})

    return StreamingResponse(events(), media_type="text/event-stream")


async def main() -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://it"
    ) as client:
        body = (await client.get("/chat")).content
    found = [item for item in sse.Decoder().feed(body) if isinstance(item, sse.Event)]
    print(body.decode(), end="")
    assert [each.event for each in found] == ["start", "content", "content", "complete"]
    said = [json.loads(each.data) for each in found]
    assert "".join(each.get("content", "") for each in said) == "Write to [email]"
    assert said[-1]["full_content"] == "Write to [email]"
    assert said[-1]["usage"] == {"output_tokens": 7}


asyncio.run(main())

"""A `/v1/chat/completions` endpoint of your own behind the guard, read by the official client.

The format is known, so one line of middleware is all; the client, its helper and its final message
get guarded text.
"""

import asyncio
import json
from collections.abc import AsyncIterator

import openai
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from support.local_provider import serving

from guardstream import Guard
from guardstream.serve import GuardMiddleware

app = FastAPI()
app.add_middleware(GuardMiddleware, guard=Guard.load("guardstream/chat"))


def chunk(finish: str | None = None, **delta: str) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    whole = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return f"data: {json.dumps({**whole, 'choices': [choice]})}\n\n"


@app.post("/v1/chat/completions")
async def completions() -> StreamingResponse:
    async def events() -> AsyncIterator[str]:
        yield chunk(role="assistant")
        for piece in ("Write to ann@exam", "ple.com."):
            yield chunk(content=piece)
        yield chunk(finish="stop") + "data: [DONE]\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


async def main() -> None:
    question = [{"role": "user", "content": "Who can help me?"}]
    with serving(app) as url:
        client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none")
        async with (
            client,
            client.chat.completions.stream(model="m", messages=question) as stream,
        ):
            said = [each.delta async for each in stream if each.type == "content.delta"]
            final = await stream.get_final_completion()
    print("".join(said), "|", final.choices[0].message.content)
    assert "".join(said) == final.choices[0].message.content == "Write to [email]."


asyncio.run(main())

"""A client that loses its connection comes back with Last-Event-ID and misses nothing.

What is replayed is what was released: the store holds guarded events only. A browser's EventSource
does this by itself.
"""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from support.local_provider import serving

from guardstream import Guard, sse
from guardstream.serve import GuardMiddleware, MemoryReplay, aiter_events

app = FastAPI()


@app.get("/answer")
async def answer() -> StreamingResponse:
    async def events() -> AsyncIterator[bytes]:
        for text in ["Write ", "to ann@exam", "ple.com", ", she ", "knows."]:
            await asyncio.sleep(0.05)
            yield sse.encode(sse.content(text))
        yield sse.encode(sse.complete())

    return StreamingResponse(events(), media_type="text/event-stream")


guarded = GuardMiddleware(
    app, guard=Guard.load("guardstream/chat"), replay=MemoryReplay(), linger=5.0
)


async def read(client: httpx.AsyncClient, last_id: str, most: int) -> list[sse.Event]:
    headers = {"last-event-id": last_id} if last_id else {}
    found: list[sse.Event] = []
    async with client.stream("GET", "/answer", headers=headers) as response:
        async for event in aiter_events(response.aiter_bytes()):
            found.append(event)
            if len(found) == most:
                break
    return found


async def main() -> None:
    with serving(guarded) as url:
        async with httpx.AsyncClient(base_url=url) as client:
            first = await read(client, "", most=2)  # and the connection is lost
            rest = await read(client, first[-1].last_id, most=100)
    print(*(event.data for event in first), "... lost ...", *(event.data for event in rest))
    said = [event for event in first + rest if event.event == "content"]
    assert (
        "".join(json.loads(event.data)["text"] for event in said) == "Write to [email], she knows."
    )
    assert [event.event for event in rest][-1] == "complete"
    assert len({event.id for event in first + rest}) == len(first + rest)


asyncio.run(main())

"""Guard the bytes of an event stream as they come over the wire: `data:` lines and `[DONE]`.

Any cutting will do, inside of a character too; what is left alone goes out byte for byte.
"""

import asyncio
import json
from collections.abc import AsyncIterator

from guardstream import Guard
from guardstream.framing.sse import Decoder, Event


def line(content: str) -> str:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": None}
    return "data: " + json.dumps({"id": "c", "choices": [choice]}, ensure_ascii=False) + "\n\n"


async def response() -> AsyncIterator[bytes]:
    body = "".join([line("Für Jörg: schreib an ann@exa"), line("mple.com!"), "data: [DONE]\n\n"])
    data = body.encode()
    for start in range(0, len(data), 10):
        yield data[start : start + 10]


async def main() -> None:
    guard = Guard.load("guardstream/chat")
    stream = guard.wrap(response())
    body = b"".join([chunk async for chunk in stream])
    events = [item for item in Decoder().feed(body) if isinstance(item, Event)]
    print(stream.result.text, f"({len(events)} events)")
    assert events[-1].data == "[DONE]"
    assert b"mple.com" not in body


asyncio.run(main())

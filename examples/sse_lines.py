"""Guard an event stream as it comes over the wire: `data:` lines and `[DONE]`, as bytes or lines.

The bytes may be cut anywhere, inside of a character too; what is left alone goes out byte for byte.
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

    # Lines, as `response.iter_lines()` has them. Say so: a `str` could be text, too.
    lines = "".join([line("Mail ann@exa"), line("mple.com!"), "data: [DONE]\n\n"]).splitlines()
    by_line = guard.wrap_sync(lines, framing="sse")
    print(by_line.text())

    assert by_line.result.text == "Mail [email]!"


asyncio.run(main())

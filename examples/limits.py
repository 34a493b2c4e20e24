"""Limits: how long an answer may be, what ends it, and how much must be whole before it is shown.

Each limit ends the stream at the same place in any chunking, and closes the source there.
"""

import asyncio
from collections.abc import AsyncIterator

from guardstream import Guard, Policy


async def answer(text: str) -> AsyncIterator[str]:
    for at in range(0, len(text), 5):
        yield text[at : at + 5]


async def limited(limits: str, text: str) -> tuple[str, str | None, list[str]]:
    stream = Guard(Policy.parse(f"limits: {limits}")).wrap(answer(text))
    chunks = [chunk async for chunk in stream]
    print(f"{limits:<44} {stream.finish:<15} {''.join(chunks)!r}")
    return "".join(chunks), stream.finish, chunks


async def main() -> None:
    text = "One two. Three four.\nUser: five."
    assert await limited("{max_chars: 7}", text) == ("One two", "length", ["One t", "wo"])
    shown, finish, _ = await limited('{stop: ["\\nUser:"]}', text)
    assert (shown, finish) == ("One two. Three four.", "stop")
    assert (await limited("{max_lines: 1}", text))[1] == "length"
    looping = "It is fine. " * 9
    shown, finish, _ = await limited("{repeat: {min_chars: 10, times: 3}}", looping)
    assert (len(shown) < len(looping), finish) == (True, "length")
    _, _, chunks = await limited("{release: sentence}", text)
    assert chunks == ["One two. ", "Three four.\n", "User: five."]


asyncio.run(main())

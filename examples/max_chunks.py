"""Take so many chunks and no more: `stop()` closes the source, and what came so far is kept.

A bound on characters, lines, tokens or time needs no code: see `limits.py` and `deadlines.py`.
"""

import asyncio
from collections.abc import AsyncIterator

from guardstream import Guard

taken: list[str] = []


async def answer() -> AsyncIterator[str]:
    for piece in ("Write to ", "ann@example.com", " or to", " bob@example.com", "."):
        taken.append(piece)
        yield piece


async def main() -> None:
    async with Guard.load("guardstream/chat").wrap(answer()) as stream:
        async for text in stream:
            print(text, end="")
            if stream.stats.chunks_out == 2:
                stream.stop()
    print(f"\n{stream.finish} after {len(taken)} chunks of the source")
    assert stream.result.text == "Write to [email] or "
    assert (stream.finish, len(taken)) == ("cancelled", 3)


asyncio.run(main())

"""One stream for several consumers, and fewer, larger chunks for the one that prints."""

import asyncio
from collections.abc import AsyncIterator

from guardstream import Guard
from guardstream.consumers import Coalesce, Tee


async def answer() -> AsyncIterator[str]:
    for letter in "Write to ann@example.com, she will help you with everything you need.":
        yield letter


async def count(chunks: AsyncIterator[str]) -> int:
    return sum([len(chunk) async for chunk in chunks])


async def display(chunks: AsyncIterator[str]) -> int:
    printed = 0
    async with Coalesce(chunks, characters=16, milliseconds=50) as larger:
        async for chunk in larger:
            print(chunk, end="", flush=True)
            printed += 1
    print()
    return printed


async def main() -> None:
    stream = Guard.load("guardstream/chat").wrap(answer())
    async with Tee(stream, 2) as (screen, counter):
        printed, characters = await asyncio.gather(display(screen), count(counter))
    print(characters, "characters, printed in", printed, "pieces")
    assert characters == len("Write to [email], she will help you with everything you need.")
    assert printed < 8


asyncio.run(main())

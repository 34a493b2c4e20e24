"""Stop a stream, from its own loop or another task or thread, and keep what was delivered."""

import asyncio
from collections.abc import AsyncIterator

from guardstream import Guard

closed = asyncio.Event()


async def endless() -> AsyncIterator[str]:
    try:
        yield "Ann is ann@example.com, "
        await asyncio.Event().wait()  # a server that does not answer
    finally:
        closed.set()


async def main() -> None:
    guard = Guard.load("guardstream/chat")
    stream = guard.wrap(endless())
    asyncio.get_running_loop().call_later(0.1, stream.stop)
    print(repr(await stream.text()), stream.finish)
    assert (stream.result.text, stream.finish) == ("Ann is [email], ", "cancelled")

    closed.clear()
    stream = guard.wrap(endless())
    async for text in stream:
        print(repr(text), end=" ")
        stream.stop()
        break
    await asyncio.wait_for(closed.wait(), 5)  # the source is closed without `async with`, too
    print(stream.finish)
    assert (stream.result.text, stream.finish) == ("Ann is [email], ", "cancelled")


asyncio.run(main())

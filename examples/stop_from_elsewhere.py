"""Stop a stream from another task or thread and keep what was delivered."""

import asyncio
from collections.abc import AsyncIterator

from guardstream import Guard


async def endless() -> AsyncIterator[str]:
    yield "Ann is ann@example.com, "
    await asyncio.Event().wait()  # a server that does not answer


async def main() -> None:
    stream = Guard.load("guardstream/chat").wrap(endless())
    asyncio.get_running_loop().call_later(0.1, stream.stop)
    print(repr(await stream.text()), stream.finish)
    assert (stream.result.text, stream.finish) == ("Ann is [email], ", "cancelled")


asyncio.run(main())

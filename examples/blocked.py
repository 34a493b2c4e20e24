"""A block ends the stream and closes the source at once; as an exception, if you prefer one."""

import asyncio
from collections.abc import AsyncIterator

from guardstream import BlockedError, Guard

reads = 0


async def answer() -> AsyncIterator[str]:
    global reads
    for chunk in ["Run this: ", "ev", "al(", "input())", " and so on"] + [" more"] * 1000:
        reads += 1
        yield chunk


async def main() -> None:
    guard = Guard.load("guardstream/code")
    try:
        print(await guard.wrap(answer(), raise_on_block=True).text())
    except BlockedError as error:
        print(f"blocked by {error.rule}; {reads} of 1005 chunks were read")
    assert reads == 4  # after "eval(" it is seen whether a section of a manual follows


asyncio.run(main())

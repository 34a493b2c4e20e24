"""Mask a stream of text: what may still become a match is held, the rest is released at once."""

import asyncio
from collections.abc import AsyncIterator

from guardstream import Guard


async def answer() -> AsyncIterator[str]:
    """Any async iterator of str; values are cut anywhere."""
    for chunk in ["Write to ann", "@exam", "ple.com, ", "card 4111 1111", " 1111 1111."]:
        await asyncio.sleep(0)
        yield chunk


async def main() -> None:
    guard = Guard.load("guardstream/chat")
    async with guard.wrap(answer()) as stream:
        async for chunk in stream:
            print(chunk, end="", flush=True)
    print()
    for finding in stream.findings:
        print(finding.rule, finding.start, finding.end, finding.action)
    assert stream.result.text == "Write to [email], card ***************1111."


asyncio.run(main())

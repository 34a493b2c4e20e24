"""Deadlines: for the first text, between two chunks, and in all; what came so far is kept.

A policy can set them too: `limits: {first_token: 15s, idle: 30s, total: 120s}`.
"""

import asyncio
from collections.abc import AsyncIterator

from guardstream import Deadlines, Guard


async def slow() -> AsyncIterator[str]:
    yield "Ann is ann@example.com, "
    await asyncio.sleep(60)
    yield "but nobody waits for this."


async def main() -> None:
    guard = Guard.load("guardstream/chat")
    stream = guard.wrap(slow(), deadlines=Deadlines(first_token=15, idle=0.1, total=120))
    print(repr(await stream.text()), stream.finish)
    assert stream.finish == "timeout"
    assert stream.result.text == "Ann is [email], "


asyncio.run(main())

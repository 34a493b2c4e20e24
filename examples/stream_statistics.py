"""What a stream cost and found: first text, throughput, characters, hold-back, findings."""

import asyncio
from collections.abc import AsyncIterator

from guardstream import Guard


async def answer() -> AsyncIterator[str]:
    for chunk in ["My card is 4111 11", "11 1111 1111", ", and that", " is all."]:
        await asyncio.sleep(0.01)
        yield chunk


async def main() -> None:
    stream = Guard.load("guardstream/chat").wrap(answer())
    text = await stream.text()
    stats = stream.stats
    assert stats.first_received is not None
    assert stats.first_released is not None
    print(text)
    print(f"first chunk after {stats.first_received * 1000:.0f} ms")
    print(f"first text released after {stats.first_released * 1000:.0f} ms")
    print(f"{stats.characters_out / stats.seconds:.0f} characters a second")
    print(f"{stats.chunks_in} chunks in, {stats.chunks_out} out")
    print(f"held back: {stats.held_mean:.1f} characters in the mean, {stats.held_max} at most")
    print("findings:", [finding.rule for finding in stream.findings])
    assert text == "My card is ***************1111, and that is all."


asyncio.run(main())

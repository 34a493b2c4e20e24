"""What a stream cost and found: times, throughput, tokens, hold-back, findings; a line of log."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

from guardstream import Guard
from guardstream.observability import LogObserver


async def answer() -> AsyncIterator[dict[str, Any]]:
    for text in ["My card is 4111 11", "11 1111 1111", ", and that", " is all."]:
        await asyncio.sleep(0.01)
        yield {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
    yield {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 12}}


async def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    stream = Guard.load("guardstream/chat", observers=[LogObserver()]).wrap(answer())
    text = await stream.text()
    stats = stream.stats
    assert stats.first_received is not None
    assert stats.first_released is not None
    assert stats.tokens_per_second is not None
    print(text)
    print(f"first chunk after {stats.first_received * 1000:.0f} ms")
    print(f"first text released after {stats.first_released * 1000:.0f} ms")
    print(f"{stats.characters_out / stats.seconds:.0f} characters a second")
    print(f"{stats.tokens_out} tokens, {stats.tokens_per_second:.0f} a second")
    print(f"{stats.chunks_in} chunks in, {stats.chunks_out} out")
    print(f"held back: {stats.held_mean:.1f} characters in the mean, {stats.held_max} at most")
    print("findings:", [finding.rule for finding in stream.findings])
    assert text == "My card is ***************1111, and that is all."


asyncio.run(main())

"""Record a stream, and replay it as a model in tests and demos, as fast as you like."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from guardstream import Guard
from guardstream.consumers import record, replay


async def answer() -> AsyncIterator[str]:
    for chunk in ["Write to ann@", "example.com", " or call."]:
        await asyncio.sleep(0.05)
        yield chunk


async def main() -> None:
    guard = Guard.load("guardstream/chat")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answer.jsonl"
        async for _ in record(answer(), path):  # what the model said, as it is
            pass
        text = await guard.wrap(replay(path, speed=10)).text()
    print(text)
    assert text == "Write to [email] or call."


asyncio.run(main())

"""Write a guarded answer to a file as it comes, and to a log; the file is whole or not there."""

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from guardstream import Guard
from guardstream.consumers import FileSink, LoggingSink, write_to

logging.basicConfig(level=logging.INFO, format="log: %(message)s")


async def answer() -> AsyncIterator[str]:
    for chunk in ["Dear ann@exam", "ple.com,\n", "all is ", "well.\n"]:
        yield chunk


async def main() -> None:
    guard = Guard.load("guardstream/chat")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answer.txt"
        result = await write_to(guard.wrap(answer()), FileSink(path), LoggingSink())
        assert path.read_text() == result.text == "Dear [email],\nall is well.\n"


asyncio.run(main())

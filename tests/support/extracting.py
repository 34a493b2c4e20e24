"""What is extracted from a source, collected."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio


class Source:
    """An asynchronous stream of chunks that knows whether it was closed."""

    def __init__(self, chunks):
        self.closed = False
        self.read = 0
        self._chunks = chunks

    async def _run(self) -> AsyncIterator[str]:
        for chunk in self._chunks:
            self.read += 1
            yield chunk

    def __aiter__(self):
        return self._run()

    async def aclose(self):
        self.closed = True


def collect(make, backend="asyncio"):
    """All that the asynchronous iterator yields."""

    async def run():
        return [each async for each in make()]

    return anyio.run(run, backend=backend)

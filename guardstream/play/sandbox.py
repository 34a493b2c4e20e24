"""The worker processes, as the server sees them: started on demand, killed if they do not answer.

A worker that is silent for too long, or is ended by its own limits, is replaced. So is one whose
answer was not read to its end.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any

import anyio
from anyio.abc import Process

from guardstream.errors import GuardstreamError

SILENCE = 10.0
"""Seconds for which a worker may say nothing while it is asked."""

_START = 60.0
"""Seconds for which a worker may say nothing while it starts."""

_AT_ONCE = 3
"""How many workers there are at most: one plays, one checks, one lints."""

_BLOCK = 64 * 1024


class StoppedError(GuardstreamError):
    """A policy needed more time or memory than is allowed, and its process was ended."""

    def __init__(self) -> None:
        super().__init__("the policy took too much time or memory, so its process was replaced")


class Worker:
    """One worker process. A conversation with it consists of turns."""

    def __init__(self, process: Process, silence: float) -> None:
        self._process = process
        self._silence = silence
        self.clean = False  # whether it has started, and nothing is left to be read

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    async def start(self) -> None:
        """Wait until the worker has started. StoppedError if it does not."""
        assert self._process.stdout is not None
        try:
            with anyio.fail_after(_START):
                await self._process.stdout.receive(1)
        except (TimeoutError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
            raise StoppedError from error
        self.clean = True

    async def turn(self, said: dict[str, Any]) -> AsyncGenerator[bytes, None]:
        """Send a message; yield blocks of whole lines of JSON until the worker's turn ends.

        StoppedError if it sends nothing for too long, or has ended.
        """
        assert self._process.stdin is not None
        self.clean = False
        try:
            with anyio.fail_after(self._silence):
                await self._process.stdin.send(json.dumps(said).encode() + b"\n")
            async for block in self._blocks():
                yield block
        except (TimeoutError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
            raise StoppedError from error
        self.clean = True

    async def _blocks(self) -> AsyncIterator[bytes]:
        assert self._process.stdout is not None
        rest = b""  # the beginning of a line
        while True:
            with anyio.fail_after(self._silence):
                rest += await self._process.stdout.receive(_BLOCK)
            # Nothing follows the empty line that ends a turn: the worker waits for what is said.
            over = rest == b"\n" or rest.endswith(b"\n\n")
            place = len(rest) - 1 if over else rest.rfind(b"\n") + 1
            if place:
                yield rest[:place]
            if over:
                return
            rest = rest[place:]

    async def aclose(self) -> None:
        """End the process."""
        with suppress(ProcessLookupError):
            self._process.kill()
        with anyio.CancelScope(shield=True):
            await self._process.wait()
            await self._process.aclose()


class Workers:
    """The workers of a playground."""

    def __init__(self, silence: float = SILENCE) -> None:
        self._silence = silence
        self._limiter = anyio.CapacityLimiter(_AT_ONCE)
        self._idle: list[Worker] = []

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Worker]:
        """Lend a worker; it is ended afterwards if its answer was not read to its end."""
        async with self._limiter, AsyncExitStack() as stack:
            worker = self._idle.pop() if self._idle else await self._started()
            stack.push_async_callback(self._back, worker)
            if not worker.clean:
                await worker.start()
            yield worker

    async def ask(self, said: dict[str, Any]) -> dict[str, Any]:
        """Send a request whose answer is a single event; return that. Raises StoppedError."""
        async with self.one() as worker:
            answer = b"".join([block async for block in worker.turn(said)])
        found: dict[str, Any] = json.loads(answer)
        return found

    async def aclose(self) -> None:
        """End all idle workers."""
        while self._idle:
            await self._idle.pop().aclose()

    async def _back(self, worker: Worker) -> None:
        if worker.clean:
            self._idle.append(worker)
        else:
            await worker.aclose()

    async def _started(self) -> Worker:
        # Nothing of this process's environment goes there: it may have keys. A session of its own
        # keeps an interrupt at the terminal away from it.
        process = await anyio.open_process(
            [sys.executable, "-P", "-m", "guardstream.play.worker"],
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env=_environment(),
            start_new_session=True,
        )
        return Worker(process, self._silence)


def _environment() -> dict[str, str]:
    """Return the environment variables that a worker needs to import this package."""
    package = Path(__file__).resolve().parents[2]
    kept = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
    return {**kept, "PYTHONPATH": str(package), "PYTHONUTF8": "1"}

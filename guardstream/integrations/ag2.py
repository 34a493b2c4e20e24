"""An AG2 run as a stream that a guard can wrap.

    async for event in guard.wrap(events(agent.run("..."))): ...

AG2 publishes a run's events to its subscribers. `Agent.run` of https://docs.ag2.ai/ gives no
iterator that ends with the run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

__all__ = ["events"]


async def events(run: Any) -> AsyncGenerator[Any]:
    """Start a run of an agent, and yield its events until it ends.

    `run` is what `Agent.run` or `AgentReply.run` returns, and not entered yet. Raises what the run
    raises. Closing the generator cancels the run.
    """
    queue: asyncio.Queue[Any] = asyncio.Queue()

    async def put(event: Any) -> None:
        queue.put_nowait(event)

    subscription = run.stream.subscribe(put)
    try:
        async with run:
            task = asyncio.ensure_future(run.result())
            task.add_done_callback(lambda _: queue.put_nowait(None))
            while (event := await queue.get()) is not None:
                yield event
            await task
    finally:
        run.stream.unsubscribe(subscription)

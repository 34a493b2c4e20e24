"""A run of the OpenAI Agents SDK as a stream that a guard can wrap.

    async for event in guard.wrap(events(Runner.run_streamed(agent, "..."))): ...

https://openai.github.io/openai-agents-python/streaming/. The SDK's own iterator, when closed, waits
for the end of the run: the model goes on, and tools are run.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

__all__ = ["events"]


async def events(result: Any) -> AsyncGenerator[Any]:
    """Yield the events of a run until it ends.

    `result` is what `Runner.run_streamed` returns. Raises what the run raises. Closing the
    generator cancels the run.
    """
    stream = result.stream_events()
    ended = False
    try:
        async for event in stream:
            yield event
        ended = True
    finally:
        if not ended:
            result.cancel()
        await stream.aclose()

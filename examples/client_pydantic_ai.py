"""pydantic-ai: the events of an agent's run, guarded; its model here replays an answer."""

import asyncio
from collections.abc import AsyncIterator

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage
from pydantic_ai.models.function import AgentInfo, FunctionModel

from guardstream import Guard


async def answer(_messages: list[ModelMessage], _info: AgentInfo) -> AsyncIterator[str]:
    for chunk in ["Write to ann@exam", "ple.com", ", she will help."]:
        yield chunk


async def main() -> None:
    guard = Guard.load("guardstream/chat")
    agent = Agent(FunctionModel(stream_function=answer))
    output = ""
    async with agent.run_stream_events("Who can help me?") as events, guard.wrap(events) as stream:
        async for event in stream:
            if event.event_kind == "agent_run_result":
                output = event.result.output
    print(output)
    assert output == stream.result.text == "Write to [email], she will help."


asyncio.run(main())

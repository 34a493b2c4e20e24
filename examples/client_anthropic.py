"""The official `anthropic` client: raw events, and the helper with its final message."""

import asyncio

import anthropic
from support.local_provider import provider

from guardstream import Guard

guard = Guard.load("guardstream/chat")
HELLO = [{"role": "user", "content": "Who can help me?"}]


async def raw(client: anthropic.AsyncAnthropic) -> None:
    events = await client.messages.create(
        model="example", max_tokens=99, messages=HELLO, stream=True
    )
    async with guard.wrap(events) as stream:
        async for event in stream:
            if event.type == "content_block_delta" and event.delta.type == "text_delta":
                print(event.delta.text, end="")
    print()
    assert stream.result.text == "Certainly! Write to [email], she will help."
    assert stream.result.thinking == "Ann's mail is [email]."
    assert stream.result.tool_calls[0].parse() == {"to": "[email]"}


async def helper(client: anthropic.AsyncAnthropic) -> None:
    message = None
    async with (
        client.messages.stream(model="example", max_tokens=99, messages=HELLO) as events,
        guard.wrap(events) as stream,
    ):
        async for event in stream:
            if event.type == "text":
                assert "@" not in event.snapshot
            elif event.type == "message_stop":
                message = event.message
    assert message is not None
    print([block.type for block in message.content], message.stop_reason)
    assert "example.com" not in message.model_dump_json()


async def main() -> None:
    with provider() as url:
        async with anthropic.AsyncAnthropic(base_url=url, api_key="none") as client:
            await raw(client)
            await helper(client)


asyncio.run(main())

"""The official `openai` client: chat completions and responses, guarded in three lines."""

import asyncio

import openai
from support.local_provider import provider

from guardstream import Guard

guard = Guard.load("guardstream/chat")
HELLO = "Who can help me?"


async def chat(client: openai.AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(
        model="example", messages=[{"role": "user", "content": HELLO}], stream=True
    )
    async with guard.wrap(completion) as stream:
        async for chunk in stream:
            if chunk.choices:
                print(chunk.choices[0].delta.content or "", end="")
    print("", stream.result.tool_calls, stream.result.usage.total_tokens, "tokens")
    assert stream.result.text == "Certainly! Write to [email], she will help."
    assert stream.result.tool_calls[0].parse() == {"to": "[email]"}


async def responses(client: openai.AsyncOpenAI) -> None:
    events = await client.responses.create(model="example", input=HELLO, stream=True)
    final = None
    async with guard.wrap(events) as stream:
        async for event in stream:
            if event.type == "response.completed":
                final = event.response
    assert final is not None
    print(final.output_text)
    assert final.output_text == "Certainly! Write to [email], she will help."
    assert stream.result.tool_calls[0].parse() == {"to": "[email]"}


async def main() -> None:
    with provider() as url:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none") as client:
            await chat(client)
            await responses(client)


asyncio.run(main())

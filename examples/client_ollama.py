"""The official `ollama` client: content, thinking and tool calls, guarded."""

import asyncio

import ollama
from support.local_provider import provider

from guardstream import Guard


async def main() -> None:
    guard = Guard.load("guardstream/chat")
    with provider() as url:
        answer = await ollama.AsyncClient(host=url).chat(
            model="example", messages=[{"role": "user", "content": "Who can help?"}], stream=True
        )
        calls = []
        async with guard.wrap(answer) as stream:
            async for chunk in stream:
                print(chunk.message.content or "", end="", flush=True)
                calls += chunk.message.tool_calls or []
    print("", calls[0].function.arguments)
    assert stream.result.text == "Certainly! Write to [email], she will help."
    assert calls[0].function.arguments == {"to": "[email]"}


asyncio.run(main())

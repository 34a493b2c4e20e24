"""LiteLLM, for every provider it knows: its chunks are those of chat completions."""

import asyncio
import os

from support.local_provider import provider

from guardstream import Guard

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # it would ask the network

import litellm


async def main() -> None:
    guard = Guard.load("guardstream/chat")
    with provider() as url:
        answer = await litellm.acompletion(
            model="openai/example",
            api_base=f"{url}/v1",
            api_key="none",
            messages=[{"role": "user", "content": "Who can help me?"}],
            stream=True,
        )
        async with guard.wrap(answer) as stream:
            async for chunk in stream:
                print(chunk.choices[0].delta.content or "", end="", flush=True)
    print("", stream.result.tool_calls)
    assert stream.result.text == "Certainly! Write to [email], she will help."
    assert stream.result.tool_calls[0].parse() == {"to": "[email]"}


asyncio.run(main())

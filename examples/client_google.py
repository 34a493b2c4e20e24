"""The official `google-genai` client: text, thoughts and function calls, guarded."""

import asyncio

from google import genai
from google.genai import types
from support.local_provider import provider

from guardstream import Guard


async def main() -> None:
    guard = Guard.load("guardstream/chat")
    with provider() as url:
        options = types.HttpOptions(base_url=url)
        client = genai.Client(api_key="none", http_options=options)
        answer = await client.aio.models.generate_content_stream(
            model="gemini", contents="Who can help me?"
        )
        calls = []
        async with guard.wrap(answer) as stream:
            async for chunk in stream:
                calls += chunk.function_calls or []
    print(stream.result.text, "|", stream.result.thinking, "|", [call.args for call in calls])
    assert stream.result.text == "Certainly! Write to [email], she will help."
    assert stream.result.thinking == "Ann's mail is [email]."
    assert calls[0].args == {"to": "[email]"}


asyncio.run(main())

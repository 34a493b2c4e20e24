"""Put the guard below a client: its helpers, snapshots and final messages see guarded text only.

Nothing else of the program changes, and what it sends is checked too.
"""

import asyncio

import anthropic
import httpx
import httpx2
import openai
from support.local_provider import provider

from guardstream import Guard
from guardstream.http.transport import GuardTransport

HELLO = [{"role": "user", "content": "Who can help me?"}]


async def main() -> None:
    guard = Guard.load("guardstream/chat")
    # The two clients bring different packages for HTTP; each transport connects by its client's.
    first = httpx.AsyncClient(transport=GuardTransport(guard))
    second = httpx2.AsyncClient(transport=GuardTransport(guard))
    with provider() as url:
        async with first, second:
            chat = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", http_client=first)
            async with chat.chat.completions.stream(model="example", messages=HELLO) as stream:
                completion = await stream.get_final_completion()
            claude = anthropic.AsyncAnthropic(base_url=url, api_key="none", http_client=second)
            async with claude.messages.stream(
                model="example", max_tokens=99, messages=HELLO
            ) as events:
                message = await events.get_final_message()
    print(completion.choices[0].message.content)
    print(message.content[1].text, message.content[2].input)
    assert completion.choices[0].message.content == message.content[1].text
    assert "example.com" not in completion.model_dump_json() + message.model_dump_json()


asyncio.run(main())

"""Guard chat-completion chunks: text and tool arguments, same chunks out, finish reasons kept.

With the official client, the stream is `await client.chat.completions.create(..., stream=True)`;
here a generator says what a server would send, as plain dicts.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from guardstream import Guard


async def completion() -> AsyncIterator[dict[str, Any]]:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}

    def arguments(text: str, **fields: Any) -> dict[str, Any]:
        return {"tool_calls": [{"index": 0, **fields, "function": {"arguments": text}}]}

    yield chunk({"role": "assistant", "content": "I will mail ann@exam"})
    yield chunk({"content": "ple.com now."})
    yield chunk(arguments('{"to": "ann@ex', id="call_1", type="function"))
    yield chunk(arguments('ample.com"}'))
    yield chunk({}, "tool_calls")


async def main() -> None:
    guard = Guard.load("guardstream/chat")
    called = ""
    async with guard.wrap(completion()) as stream:
        async for chunk in stream:
            for call in chunk["choices"][0]["delta"].get("tool_calls", []):
                called += call["function"]["arguments"]
    print(stream.result.text, called, stream.finish)
    assert stream.result.text == "I will mail [email] now."
    assert called == '{"to": "[email]"}'
    assert stream.finish == "tool_calls"


asyncio.run(main())

"""Kosong's message parts, with callbacks for parts and whole tool calls, and one result at the end.

With the package, parts come from `await chat_provider.generate(...)` as objects; they may be dicts
too, as here. Callbacks may be sync or async.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from guardstream import Guard, Part, ToolCall


async def message() -> AsyncIterator[dict[str, Any]]:
    yield {"type": "think", "think": "Ann's mail is ann@exam", "encrypted": None}
    yield {"type": "think", "think": "ple.com.", "encrypted": None}
    yield {"type": "text", "text": "I will mail ann@"}
    yield {"type": "text", "text": "example.com."}
    function = {"name": "send_mail", "arguments": None}
    yield {"type": "function", "id": "call_1", "function": function}
    yield {"arguments_part": '{"to": "ann@exam'}
    yield {"arguments_part": 'ple.com"}'}
    yield {"type": "text", "text": " Done."}


parts: list[tuple[str, str]] = []
calls: list[ToolCall] = []


def on_message_part(part: Part) -> None:
    parts.append((part.channel, part.text))


async def on_tool_call(call: ToolCall) -> None:
    calls.append(call)


async def main() -> None:
    guard = Guard.load("guardstream/chat")
    stream = guard.wrap(message(), on_part=on_message_part, on_tool_call=on_tool_call)
    async for _ in stream:
        pass
    result = stream.result
    print(result.thinking, "|", result.text, "|", [call.parse() for call in calls])
    assert result.thinking == "Ann's mail is [email]."
    assert result.text == "I will mail [email]. Done."
    assert [call.parse() for call in calls] == [{"to": "[email]"}]
    assert "example.com" not in str(parts)


asyncio.run(main())

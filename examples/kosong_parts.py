"""A Kosong agent's step behind a guard: its message and its tools get what the guard releases.

With Kosong (`pip install kosong`, Python 3.13) the guarded provider is put into `kosong.step`;
without it the example still reads guarded parts, with the guard's own callbacks.
"""

import asyncio
import importlib.util
from collections.abc import AsyncIterator
from typing import Any

from guardstream import Guard, Part, ToolCall
from guardstream.integrations.kosong import GuardedChatProvider

THINKING = ("Ann's mail is ann@exam", "ple.com.")
TEXT = ("I will mail ann@", "example.com. ")
ARGUMENTS = ('{"to": "ann@exam', 'ple.com"}')

GUARD = Guard.load("guardstream/chat")


async def step() -> None:
    """Let Kosong run a step: it merges the message, and calls the tool."""
    import kosong
    from kosong.chat_provider.mock import MockChatProvider  # Kimi(...) in earnest
    from kosong.message import TextPart, ThinkPart, ToolCall, ToolCallPart
    from kosong.tooling import CallableTool, ToolOk, ToolReturnValue
    from kosong.tooling.simple import SimpleToolset

    class SendMail(CallableTool):
        name: str = "send_mail"
        description: str = "Sends a mail."
        parameters: dict[str, Any] = {  # noqa: RUF012
            "type": "object",
            "properties": {"to": {"type": "string"}},
        }

        async def __call__(self, to: str) -> ToolReturnValue:
            return ToolOk(output=f"sent to {to}")

    function = ToolCall.FunctionBody(name="send_mail", arguments=None)
    said = [*(ThinkPart(think=each) for each in THINKING), *(TextPart(text=each) for each in TEXT)]
    called = [
        ToolCall(id="call_1", function=function),
        *(ToolCallPart(arguments_part=each) for each in ARGUMENTS),
    ]
    provider = GuardedChatProvider(MockChatProvider([*said, *called]), GUARD)
    result = await kosong.step(provider, "Be kind.", SimpleToolset([SendMail()]), [])
    (sent,) = await result.tool_results()
    print(result.message.extract_text(), "|", sent.return_value.output)
    assert result.message.extract_text() == "I will mail [email]. "
    assert sent.return_value.output == "sent to [email]"


async def parts() -> AsyncIterator[dict[str, Any]]:
    for piece in THINKING:
        yield {"type": "think", "think": piece, "encrypted": None}
    for piece in TEXT:
        yield {"type": "text", "text": piece}
    function = {"name": "send_mail", "arguments": None}
    yield {"type": "function", "id": "call_1", "function": function}
    for piece in ARGUMENTS:
        yield {"arguments_part": piece}


async def read() -> None:
    """Read the parts of a message, here as dicts."""
    heard: list[Part] = []
    calls: list[ToolCall] = []
    stream = GUARD.wrap(parts(), on_part=heard.append, on_tool_call=calls.append)
    async for _ in stream:
        pass
    print(stream.result.thinking, "|", stream.result.text, "|", [call.parse() for call in calls])
    assert stream.result.thinking == "Ann's mail is [email]."
    assert stream.result.text == "I will mail [email]. "
    assert [call.parse() for call in calls] == [{"to": "[email]"}]
    assert "example.com" not in str(heard)


asyncio.run(read())
if importlib.util.find_spec("kosong"):
    asyncio.run(step())

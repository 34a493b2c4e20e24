"""Be called with what is delivered: text, parts, findings, whole tool calls, the end.

Callbacks may be plain functions or coroutines; all of them see guarded text only.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from guardstream import Finding, Guard, Part, Result, ToolCall

heard: list[str] = []


async def completion() -> AsyncIterator[dict[str, Any]]:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}

    def call(text: str, name: str | None = None) -> dict[str, Any]:
        function = {"arguments": text} | ({"name": name} if name else {})
        return {"tool_calls": [{"index": 0, "id": "call_1", "function": function}]}

    yield chunk({"reasoning_content": "The user is ann@example.com. "})
    yield chunk({"content": "Mailing ann@exam"})
    yield chunk({"content": "ple.com. "})
    yield chunk(call('{"to": "ann@', "send_mail"))
    yield chunk(call('example.com"}'))
    yield chunk({}, "tool_calls")


async def on_text(text: str) -> None:
    heard.append(f"text {text!r}")


def on_part(part: Part) -> None:
    if part.channel == "thinking":
        heard.append(f"thinking {part.text!r}")


def on_tool_call(call: ToolCall) -> None:
    heard.append(f"call {call.name} {call.parse()}")


def on_finding(finding: Finding) -> None:
    heard.append(f"found {finding.rule} in {finding.channel}")


def on_finish(result: Result) -> None:
    heard.append(f"end {result.finish}: {result.text!r}")


async def main() -> None:
    stream = Guard.load("guardstream/chat").wrap(
        completion(),
        on_text=on_text,
        on_part=on_part,
        on_tool_call=on_tool_call,
        on_finding=on_finding,
        on_finish=on_finish,
    )
    async for _ in stream:
        pass
    print(*heard, sep="\n")
    assert "call send_mail {'to': '[email]'}" in heard
    assert "ann@" not in " ".join(heard)


asyncio.run(main())

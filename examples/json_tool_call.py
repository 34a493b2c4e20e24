"""A tool call that runs only if its arguments are valid, and is given up at the first wrong one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Literal

from pydantic import BaseModel, Field

from guardstream import Guard, Policy, extract


class Transfer(BaseModel, extra="forbid"):
    account: Literal["savings", "checking"]
    amount: int = Field(ge=1, le=500, strict=True)
    note: str = ""


guard = Guard(Policy.parse("rules: [{id: codename, words: [bluebird]}]"))


async def model(arguments: str) -> AsyncIterator[dict[str, Any]]:
    """Stands for a provider's stream: chat-completion chunks with one tool call."""
    pieces = [arguments[at : at + 4] for at in range(0, len(arguments), 4)]
    for number, piece in enumerate(["", *pieces]):
        await asyncio.sleep(0)
        function = {"arguments": piece} if number else {"name": "transfer", "arguments": ""}
        delta = {"tool_calls": [{"index": 0, "function": function}]}
        yield {
            "object": "chat.completion.chunk",
            "choices": [{"index": 0, "delta": delta, "finish_reason": None}],
        }


async def run(arguments: str) -> Transfer | None:
    """Run the tool with what the model wrote, guarded; None if that is not what it takes."""
    stream = guard.wrap(model(arguments))
    try:
        transfer = await extract.final(stream, Transfer, tool="transfer")
    except extract.ExtractError as error:
        print(f"not run: {error} (after {error.offset} of {len(arguments)} characters)")
        return None
    print("transfer:", json.dumps(transfer.model_dump()))
    return transfer


async def main() -> None:
    ran = await run('{"account": "savings", "amount": 120, "note": "for \\u0062luebird"}')
    assert ran == Transfer(account="savings", amount=120, note="for [codename]")
    for wrong in (
        '{"account": "savings", "amount": "all of it", "note": "a text that is never read"}',
        '{"account": "offshore", "amount": 1, "note": "nor is this one"}',
        '{"account": "savings"}',
    ):
        assert await run(wrong) is None


asyncio.run(main())

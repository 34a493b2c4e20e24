"""Ask a moderation model about each sentence before it is shown, while the stream is read on.

The gate stands behind the guard, so the model sees guarded text only. What it has not allowed
within the deadline is not shown: the stream ends as blocked.
"""

import asyncio
from collections.abc import AsyncIterator

from guardstream import Guard
from guardstream.gate import Context, Verdict, gate

asked: list[str] = []


async def answer() -> AsyncIterator[str]:
    for chunk in [
        "Ann, ann@exam",
        "ple.com, is here. Such a lou",
        "sy day. A vile th",
        "ing. More.",
    ]:
        yield chunk


async def moderate(text: str, context: Context) -> bool | Verdict:
    asked.append(f"{context.number}: {text.strip()}")
    await asyncio.sleep(0.01)  # an HTTP call, say
    if "lousy" in text:
        return Verdict("replace", "(Removed.) ")
    return "vile" not in text


async def main() -> None:
    guarded = Guard.load("guardstream/chat").wrap(answer())
    async with gate(guarded, moderate, unit="sentence", deadline=5, ahead=2_000) as checked:
        async for chunk in checked:
            print(chunk, end="", flush=True)
    print(f"\n{checked.finish}", *asked, sep="\n")
    assert asked[0] == "0: Ann, [email], is here."
    assert checked.finish == "content_filter"


asyncio.run(main())

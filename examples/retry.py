"""Open a stream again when the provider fails, then another provider, then a call without stream.

Only errors that are worth it count (no connection, time-outs, 429, most 5xx), and only until the
first character was released: nobody sees an answer begin twice.
"""

import asyncio
from collections.abc import AsyncIterator

from guardstream import Guard
from guardstream.resilience import retrying

opened: list[str] = []
told: list[str] = []


async def busy() -> AsyncIterator[str]:
    opened.append("busy")
    yield ""
    raise ConnectionError("the provider hung up")


async def whole_answer() -> str:
    opened.append("whole")
    return "Write to ann@example.com."


def tell(error: Exception, attempt: int) -> None:
    """Let the user know: the same may be sent to a browser, as an event of its own."""
    told.append(f"[attempt {attempt}] after {type(error).__name__}")


async def main() -> None:
    stream = retrying(
        Guard.load("guardstream/chat"),
        busy,
        fallbacks=[whole_answer],
        attempts=2,
        wait_initial=0.01,
        on_retry=tell,
    )
    print(await stream.text(), opened, told, stream.finish)
    assert stream.result.text == "Write to [email]."
    assert opened == ["busy", "busy", "whole"]
    assert told[0] == "[attempt 2] after ConnectionError"


asyncio.run(main())

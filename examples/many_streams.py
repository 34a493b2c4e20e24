"""Many streams at once, with bounds on how many run, and how many each user begins in a minute."""

import asyncio
from collections.abc import AsyncIterator

from guardstream import Guard
from guardstream.resilience import Limiter, LimiterError

guard = Guard.load("guardstream/chat")
limiter = Limiter(4, per_key=2, queue=8)
most = 0


async def answer(number: int) -> AsyncIterator[str]:
    for chunk in ["Ask ann", f"{number}@example", ".com", " about it."]:
        await asyncio.sleep(0.01)
        yield chunk


async def one(number: int) -> str:
    global most
    try:
        async with limiter.slot(key=f"user {number % 3}"):
            most = max(most, limiter.running)
            return await guard.wrap(answer(number)).text()
    except LimiterError:
        return "come back later"


async def main() -> None:
    texts = await asyncio.gather(*(one(number) for number in range(14)))
    print(most, "at once;", texts.count("come back later"), "sent away")
    assert most == 4
    assert texts.count("come back later") == 2
    assert set(texts) == {"Ask [email] about it.", "come back later"}

    by_minute = Limiter(key_rate=(3, 60.0), timeout=0.0)
    begun, wait = 0, None
    while wait is None:
        try:
            async with by_minute.slot(key="ann"):
                begun += 1
        except LimiterError as error:
            wait = error.retry_after
    print(f"{begun} begun; come back in {wait:.0f} seconds")
    assert begun == 3


asyncio.run(main())

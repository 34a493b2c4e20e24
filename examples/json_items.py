"""Acting on each element of a list as soon as it is complete, long before the answer ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from pydantic import BaseModel

from guardstream import Guard, Policy, extract

guard = Guard(Policy.parse("rules: [{id: person, words: [Ann Lee]}]"))


class Task(BaseModel):
    title: str
    minutes: int


class Answer:
    """Stands for a provider's stream, and counts what was read of it."""

    text = (
        '{"tasks": [{"title": "water the plants", "minutes": 5}, '
        '{"title": "call Ann Lee", "minutes": 20}, {"title": "sleep", "minutes": "long"}], '
        '"remark": "that was a full day"}'
    )
    read = 0

    async def __aiter__(self) -> AsyncIterator[str]:
        for at in range(0, len(self.text), 4):
            await asyncio.sleep(0)
            self.read = at + 4
            yield self.text[at : at + 4]


async def main() -> None:
    answer, titles, error = Answer(), [], None
    try:
        async for task in extract.items(guard.wrap(answer), "tasks.item", Task):
            titles.append(task.title)
            print(f"{task.title}: {task.minutes} min (after {answer.read} of {len(answer.text)})")
    except extract.ExtractError as caught:
        error = caught
        print(f"stopped at character {error.offset}: {error}")
    assert titles == ["water the plants", "call [person]"]
    assert error is not None
    assert answer.read < len(answer.text)  # the rest was never asked for


asyncio.run(main())

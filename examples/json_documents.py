"""Several JSON objects in one stream, cut anywhere: each is there once it is complete."""

import asyncio
from collections.abc import AsyncIterator

from pydantic import BaseModel

from guardstream import Guard, extract


class Person(BaseModel):
    name: str
    mail: str


async def answer() -> AsyncIterator[str]:
    for chunk in [
        '{"name": "Ann", "mail": "ann@exam',
        'ple.com"}\n{"na',
        'me": "Bo", "mail": "-"}\n',
    ]:
        yield chunk


async def main() -> None:
    stream = Guard.load("guardstream/chat").wrap(answer())
    people = [each async for each in extract.items(stream, "$", Person, documents="many")]
    print(*people, sep="\n")
    assert [each.mail for each in people] == ["[email]", "-"]


asyncio.run(main())

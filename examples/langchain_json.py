"""LangChain's JSON parser after the guard: guarded values grow while the answer streams."""

import asyncio
from typing import Any

from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import JsonOutputParser

from guardstream import Guard
from guardstream.integrations.langchain import step

ANSWER = '{"name": "Ann Lee", "mail": "ann@example.com"}'


async def main() -> None:
    model = GenericFakeChatModel(messages=iter([AIMessage(ANSWER)]))  # a chat model that streams
    chain = model | step(Guard.load("guardstream/chat")) | JsonOutputParser()
    values: list[Any] = []
    async for value in chain.astream("Who can help me?"):
        print(value)
        values.append(value)
    assert {"name": "Ann Lee"} in values  # before the mail has come
    assert values[-1] == {"name": "Ann Lee", "mail": "[email]"}
    assert "example.com" not in str(values)


asyncio.run(main())

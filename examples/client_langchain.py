"""LangChain: a step that guards what passes, and a guard around its streams and events."""

import asyncio

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI
from support.local_provider import provider

from guardstream import Guard
from guardstream.integrations.langchain import step

guard = Guard.load("guardstream/chat")
SAID = "Certainly! Write to [email], she will help."


async def main() -> None:
    prompt = ChatPromptTemplate.from_template("{question}")
    question = {"question": "Who can help me?"}
    with provider() as url:
        model = ChatOpenAI(model="example", base_url=f"{url}/v1", api_key="none")

        chain = prompt | model | step(guard) | StrOutputParser()
        assert "".join([chunk async for chunk in chain.astream(question)]) == SAID
        assert await chain.ainvoke(question) == SAID

        async with guard.wrap((prompt | model).astream(question)) as stream:
            async for chunk in stream:
                print(chunk.content, end="", flush=True)
        print()
        assert stream.result.text == SAID

        events = (prompt | model).astream_events(question, version="v2")
        async with guard.wrap(events) as stream:
            async for event in stream:
                assert "example.com" not in str(event)


asyncio.run(main())

"""A retrieval chain of LangChain: guarded documents go in, a guarded answer comes out."""

import asyncio

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnablePassthrough
from langchain_openai import ChatOpenAI
from support.local_provider import provider

from guardstream import Guard
from guardstream.integrations.langchain import step

guard = Guard.load("guardstream/chat")
SAID = "Certainly! Write to [email], she will help."


class Handbook(BaseRetriever):
    """Stands for a vector store."""

    def _get_relevant_documents(
        self,
        query: str,  # noqa: ARG002
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002
    ) -> list[Document]:
        return [Document("Ann (ann@example.com) helps with everything.")]


def context(documents: list[Document]) -> str:
    """Join what was found, guarded: the model cannot quote what it has not seen."""
    return "\n".join(guard.check(document.page_content).text for document in documents)


async def main() -> None:
    prompt = ChatPromptTemplate.from_template("Answer by {context}: {question}")
    with provider() as url:
        model = ChatOpenAI(model="example", base_url=f"{url}/v1", api_key="none")
        asked = {"context": Handbook() | context, "question": RunnablePassthrough()} | prompt

        # A step of the chain: what comes after it, here the parser, sees guarded text only.
        chain = asked | model | step(guard) | StrOutputParser()
        async for chunk in chain.astream("Who can help me?"):
            print(chunk, end="", flush=True)
        print()
        assert await chain.ainvoke("Who can help me?") == SAID
        assert "[email]" in (await asked.ainvoke("Who can help me?")).to_string()

        # Around all events of the chain: `text` is the chain's answer.
        events = (asked | model).astream_events("Who can help me?", version="v2")
        async with guard.wrap(events) as stream:
            async for event in stream:
                assert "example.com" not in str(event["data"])
        assert stream.result.text == SAID


asyncio.run(main())

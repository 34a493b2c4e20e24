"""LangChain's callbacks and parsers see guarded text: the guard is below the HTTP client."""

import asyncio
from typing import Any

import httpx
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.output_parsers import StrOutputParser
from langchain_openai import ChatOpenAI
from support.local_provider import provider

from guardstream import Guard
from guardstream.http import GuardTransport


class Printing(BaseCallbackHandler):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def on_llm_new_token(self, token: str, **_: Any) -> None:
        self.heard.append(token)
        print(token, end="", flush=True)

    def on_llm_end(self, response: Any, **_: Any) -> None:
        self.heard.append(str(response))
        print()


async def main() -> None:
    printing = Printing()
    client = httpx.AsyncClient(transport=GuardTransport(Guard.load("guardstream/chat")))
    with provider() as url:
        model = ChatOpenAI(
            model="example",
            base_url=f"{url}/v1",
            api_key="none",
            http_async_client=client,
            callbacks=[printing],
        )
        said = [text async for text in (model | StrOutputParser()).astream("Who can help me?")]
    assert "".join(said) == "Certainly! Write to [email], she will help."
    assert "[email]" in "".join(printing.heard)
    assert "example.com" not in "".join(printing.heard)


asyncio.run(main())

"""A guard as a step of a LangChain chain."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import anyio
import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.output_parsers import JsonOutputParser, StrOutputParser
from langchain_core.prompts import ChatPromptTemplate

from guardstream.integrations.langchain import step
from tests.providers.laws import GUARD

PROMPT = ChatPromptTemplate.from_template("say {what}")
GIVEN = {"what": "hi"}


def chain(answer: str = "a secret, and no sec ret", *behind: Any, **options: Any) -> Any:
    model = GenericFakeChatModel(messages=iter([AIMessage(answer)] * 2))
    whole = PROMPT | model | step(GUARD, **options)
    for each in behind:
        whole = whole | each
    return whole


MASKED = "a ######, and no sec ret"


def test_invoke_gives_the_guarded_message() -> None:
    message = chain().invoke(GIVEN)
    assert isinstance(message, AIMessage)
    assert message.content == MASKED
    assert chain("so forbidden").invoke(GIVEN).content == "so "


def test_stream_gives_guarded_chunks() -> None:
    chunks = list(chain().stream(GIVEN))
    assert len(chunks) > 3
    assert all(isinstance(chunk, AIMessageChunk) for chunk in chunks)
    assert "".join(chunk.content for chunk in chunks) == MASKED


def test_the_asynchronous_calls_give_the_same() -> None:
    async def run() -> tuple[str, str]:
        whole = (await chain().ainvoke(GIVEN)).content
        return whole, "".join([chunk.content async for chunk in chain().astream(GIVEN)])

    assert anyio.run(run) == (MASKED, MASKED)


def test_text_is_guarded_behind_a_parser() -> None:
    model = GenericFakeChatModel(messages=iter([AIMessage("a secret")] * 2))
    parsed = model | StrOutputParser() | step(GUARD)
    assert parsed.invoke("hi") == "a ######"
    assert "".join(parsed.stream("hi")) == "a ######"


def test_a_parser_behind_the_step_sees_guarded_text() -> None:
    assert chain('{"name": "a secret"}', JsonOutputParser()).invoke(GIVEN) == {"name": "a ######"}


def test_tool_calls_are_guarded() -> None:
    call = {"name": "find", "args": {"q": "secret"}, "id": "c"}
    model = GenericFakeChatModel(messages=iter([AIMessage("", tool_calls=[call])]))
    assert (model | step(GUARD)).invoke("hi").tool_calls[0]["args"] == {"q": "######"}


def test_a_block_can_raise() -> None:
    from guardstream import BlockedError

    with pytest.raises(BlockedError):
        chain("so forbidden", raise_on_block=True).invoke(GIVEN)


def test_without_langchain_it_says_what_is_missing() -> None:
    code = (
        "from guardstream import Guard, Policy\n"
        "from guardstream.integrations.langchain import step\n"
        "try:\n    step(Guard(Policy.parse('version: 1')))\n"
        "except Exception as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "a step needs 'langchain_core.runnables': import it before\n"

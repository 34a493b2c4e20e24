"""A guard as a step of a LangChain chain."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import anyio
import httpx
import pytest

from guardstream.http.transport import SyncGuardTransport
from guardstream.integrations.langchain import step
from tests.formats.chunks import chunk
from tests.laws.asked import GUARD, events
from tests.support.optional import optional

BaseCallbackHandler = optional("langchain_core.callbacks", "BaseCallbackHandler")
GenericFakeChatModel = optional(
    "langchain_core.language_models.fake_chat_models", "GenericFakeChatModel"
)
AIMessage, AIMessageChunk = optional("langchain_core.messages", "AIMessage", "AIMessageChunk")
JsonOutputParser, StrOutputParser = optional(
    "langchain_core.output_parsers", "JsonOutputParser", "StrOutputParser"
)
ChatPromptTemplate = optional("langchain_core.prompts", "ChatPromptTemplate")
ChatOpenAI = optional("langchain_openai", "ChatOpenAI")

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


@pytest.mark.parametrize("answers", ["chat", "responses"])
def test_callbacks_see_guarded_tokens_below_a_client(answers: str) -> None:
    seen: list[str] = []

    class Tokens(BaseCallbackHandler):
        def on_llm_new_token(self, token: Any, **_: Any) -> None:
            texts = token if isinstance(token, list) else [{"text": token}]
            seen.extend(each.get("text") or "" for each in texts)

    def answer(request: httpx.Request) -> httpx.Response:
        headers = {"content-type": "text/event-stream"}
        made = (
            spoken(["a sec", "ret, no"]) if answers == "responses" else said(["a sec", "ret, no"])
        )
        assert request.url.path.endswith("/responses" if answers == "responses" else "completions")
        return httpx.Response(200, headers=headers, content=events(*made))

    transport = SyncGuardTransport(GUARD, httpx.MockTransport(answer))
    model = ChatOpenAI(
        model="m",
        api_key="none",
        base_url="http://127.0.0.1/v1",
        http_client=httpx.Client(transport=transport),
        use_responses_api=answers == "responses",
        callbacks=[Tokens()],
    )
    whole = "".join(chunk.text for chunk in model.stream("hi"))
    assert whole == "".join(seen) == "a ######, no"


def said(pieces: list[str]) -> list[dict[str, Any]]:
    return [*(chunk({"content": piece}) for piece in pieces), chunk({}, finish="stop")]


def spoken(pieces: list[str]) -> list[dict[str, Any]]:
    about: dict[str, Any] = {"id": "r", "object": "response", "created_at": 1, "model": "m"}
    about |= {"output": [], "parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    part = {"type": "output_text", "text": "".join(pieces), "annotations": []}
    item = {"id": "i", "type": "message", "role": "assistant"}
    begun = {**item, "status": "in_progress", "content": []}
    done = {**item, "status": "completed", "content": [part]}
    at = {"item_id": "i", "output_index": 0, "content_index": 0}
    made = [
        {"type": "response.created", "response": {**about, "status": "in_progress"}},
        {"type": "response.output_item.added", "output_index": 0, "item": begun},
        {"type": "response.content_part.added", **at, "part": {**part, "text": ""}},
        *(
            {"type": "response.output_text.delta", **at, "delta": each, "logprobs": []}
            for each in pieces
        ),
        {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []},
        {"type": "response.content_part.done", **at, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": done},
        {
            "type": "response.completed",
            "response": {**about, "status": "completed", "output": [done]},
        },
    ]
    return [{**each, "sequence_number": place} for place, each in enumerate(made)]

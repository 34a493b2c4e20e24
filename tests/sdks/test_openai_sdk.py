"""The official client's streams: wrapped in a line, closed by a block, good for its helpers."""

from __future__ import annotations

from typing import Any

import pytest

from guardstream import Guard, Policy
from tests.formats.chunks import call, chunk
from tests.formats.served import Body, sse, transport
from tests.support.optional import optional

openai = optional("openai")
ChatCompletionStreamState = optional("openai.lib.streaming.chat", "ChatCompletionStreamState")

pytestmark = [
    pytest.mark.anyio,
    # The SDK leaves generators of its own to the garbage collector, which trio reports.
    pytest.mark.filterwarnings("ignore:Async generator 'openai:ResourceWarning"),
]

GUARD = Guard(
    Policy.parse(
        """
        rules:
          - {id: word, words: [secret], replacement: "*"}
          - {id: bad, words: [forbidden], action: block}
        """
    )
)


def body_of(chunks: list[dict[str, Any]]) -> Body:
    """A response body that says one chunk at a time."""
    return Body(*(sse([item]) for item in chunks), sse([], done=True))


def answer(*parts: str) -> list[dict[str, Any]]:
    texts = [chunk({"content": part}) for part in parts]
    return [chunk({"role": "assistant", "content": ""}), *texts, chunk(finish="stop")]


async def test_an_asynchronous_answer_is_masked_and_closed() -> None:
    body = body_of(answer("my sec", "ret", "."))
    http = openai.DefaultAsyncHttpxClient(transport=transport(body))
    async with openai.AsyncOpenAI(api_key="none", http_client=http) as client:
        created = await client.chat.completions.create(model="m", messages=[], stream=True)
        async with GUARD.wrap(created) as stream:
            chunks = [item async for item in stream]
    assert stream.result.text == "my ******."
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert body.closed


async def test_a_block_closes_the_response_before_it_is_read_whole() -> None:
    body = body_of(answer("so forbidden", ", ", *["unread "] * 200))
    http = openai.DefaultAsyncHttpxClient(transport=transport(body))
    async with openai.AsyncOpenAI(api_key="none", http_client=http) as client:
        created = await client.chat.completions.create(model="m", messages=[], stream=True)
        stream = GUARD.wrap(created)
        assert await stream.text() == "so "
    assert body.closed
    assert body.sent < 10


async def test_an_answer_not_awaited_says_what_to_do() -> None:
    async with openai.AsyncOpenAI(api_key="none") as client:
        created = client.chat.completions.create(model="m", messages=[], stream=True)
        with pytest.raises(TypeError, match="await it first"):
            GUARD.wrap(created)  # type: ignore[arg-type]


def test_a_plain_answer_is_masked_and_closed() -> None:
    body = body_of(answer("my sec", "ret", "."))
    http = openai.DefaultHttpxClient(transport=transport(body))
    with openai.OpenAI(api_key="none", http_client=http) as client:
        created = client.chat.completions.create(model="m", messages=[], stream=True)
        with GUARD.wrap_sync(created) as stream:
            assert stream.text() == "my ******."
    assert body.closed


def test_the_accumulator_of_the_sdk_gives_the_guarded_message() -> None:
    state = ChatCompletionStreamState()
    body = body_of(
        [
            chunk({"role": "assistant", "content": "my sec"}),
            chunk({"content": "ret is"}),
            chunk(call(0, '{"q": "sec', id="a", type="function", name="find")),
            chunk(call(0, 'ret"}')),
            chunk(finish="tool_calls"),
        ]
    )
    http = openai.DefaultHttpxClient(transport=transport(body))
    with openai.OpenAI(api_key="none", http_client=http) as client:
        created = client.chat.completions.create(model="m", messages=[], stream=True)
        for item in GUARD.wrap_sync(created):
            state.handle_chunk(item)
    message = state.get_final_completion().choices[0].message
    assert message.content == "my ****** is"
    assert message.tool_calls is not None
    assert message.tool_calls[0].id == "a"
    assert message.tool_calls[0].function.name == "find"
    assert message.tool_calls[0].function.arguments == '{"q": "******"}'


def test_the_accumulator_accepts_a_blocked_stream() -> None:
    state = ChatCompletionStreamState()
    body = body_of(answer("so forbidden", ", unread"))
    http = openai.DefaultHttpxClient(transport=transport(body))
    with openai.OpenAI(api_key="none", http_client=http) as client:
        created = client.chat.completions.create(model="m", messages=[], stream=True)
        for item in GUARD.wrap_sync(created):
            state.handle_chunk(item)
    choice = state.current_completion_snapshot.choices[0]
    assert (choice.message.content, choice.finish_reason) == ("so ", "content_filter")

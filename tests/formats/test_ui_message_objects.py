"""Parts of UI message streams as objects of pydantic-ai's adapter for Vercel's AI SDK."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from guardstream import AdapterError
from guardstream.formats import detect
from tests.laws.asked import GUARD
from tests.support.optional import optional
from tests.support.samples.interfaces import ui
from tests.support.samples.ui_message_objects import parts, response_types

Agent = optional("pydantic_ai", "Agent")
AgentInfo, DeltaToolCall, FunctionModel = optional(
    "pydantic_ai.models.function", "AgentInfo", "DeltaToolCall", "FunctionModel"
)
VercelAIAdapter = optional("pydantic_ai.ui.vercel_ai", "VercelAIAdapter")


def told(chunks: Sequence[Any]) -> list[str]:
    """What a client is sent."""
    return [chunk.encode(sdk_version=6) for chunk in chunks]


class OldFinishChunk(response_types.BaseChunk):
    type: str = "finish"


@pytest.mark.parametrize("old", [False, True])
def test_the_last_part_of_a_blocked_stream_is_one_that_the_package_has(
    old: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = parts(ui(['"so ', 'forbidden "']))
    if old:
        monkeypatch.setattr(response_types, "FinishChunk", OldFinishChunk)
    stream = GUARD.wrap_sync(source)
    last = json.loads(told([each for each in stream if each.type == "finish"])[-1])
    assert last == {"type": "finish", **({} if old else {"finishReason": "content-filter"})}
    assert stream.finish == "content_filter"


@pytest.mark.parametrize("place", range(len(ui(['"so"'])) - 2))
def test_a_stream_may_begin_with_any_part(place: int) -> None:
    first = parts(ui(['"so"']))[place]
    assert detect(first).name == "ui_message_objects"  # type: ignore[attr-defined]


def test_an_object_that_is_no_part_is_refused() -> None:
    with pytest.raises(AdapterError, match="ui_message_objects: a 'object' is not a part"):
        list(GUARD.wrap_sync([*parts(ui(['"so"']))[:2], object()]))


async def model(messages: list[Any], _: AgentInfo) -> AsyncIterator[Any]:
    """A model that calls a tool, and then answers."""
    if len(messages) == 1:
        for arguments in ('{"what": "a sec', 'ret"}'):
            yield {0: DeltaToolCall("find", arguments, tool_call_id="call_1")}
        return
    for text in ("found a sec", "ret, ", "no sec", "ret"):
        yield text


@pytest.mark.asyncio
async def test_a_run_of_an_agent_is_guarded_before_it_is_encoded() -> None:
    agent = Agent(FunctionModel(stream_function=model))

    @agent.tool_plain
    def find(what: str) -> str:
        return f"{what}!"

    message = {"id": "u", "role": "user", "parts": [{"type": "text", "text": "go"}]}
    asked = {"trigger": "submit-message", "id": "c", "messages": [message]}
    adapter = VercelAIAdapter(
        agent, VercelAIAdapter.build_run_input(json.dumps(asked).encode()), sdk_version=6
    )
    async with GUARD.wrap(adapter.run_stream()) as stream:
        sent = [each async for each in adapter.encode_stream(stream)]
    assert stream.result.text == "found a ######, no ######"
    assert stream.result.tool_calls[0].arguments == '{"what": "a ######"}'
    assert "secret" not in "".join(sent)
    assert sent[-1] == "data: [DONE]\n\n"

"""Parts of UI message streams as objects of pydantic-ai's adapter for Vercel's AI SDK."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from copy import deepcopy
from typing import Any

import pytest
from pydantic import TypeAdapter

from guardstream import AdapterError
from guardstream.providers import detect
from tests.providers.laws import ARGUMENTS, GUARD, cuttings, guarded, unchanged
from tests.providers.test_interfaces import Event, ui
from tests.support.optional import optional

Agent = optional("pydantic_ai", "Agent")
AgentInfo, DeltaToolCall, FunctionModel = optional(
    "pydantic_ai.models.function", "AgentInfo", "DeltaToolCall", "FunctionModel"
)
VercelAIAdapter = optional("pydantic_ai.ui.vercel_ai", "VercelAIAdapter")
response_types = optional("pydantic_ai.ui.vercel_ai.response_types")

PART: Any = TypeAdapter(
    response_types.TextStartChunk
    | response_types.TextDeltaChunk
    | response_types.TextEndChunk
    | response_types.ReasoningStartChunk
    | response_types.ReasoningDeltaChunk
    | response_types.ReasoningEndChunk
    | response_types.ToolInputStartChunk
    | response_types.ToolInputDeltaChunk
    | response_types.ToolInputAvailableChunk
    | response_types.ToolOutputAvailableChunk
    | response_types.StartChunk
    | response_types.StartStepChunk
    | response_types.FinishStepChunk
    | response_types.FinishChunk
    | response_types.DataChunk
)


def parts(events: Sequence[Event]) -> list[Any]:
    return [*(PART.validate_python(each) for each in events), response_types.DoneChunk()]


def told(chunks: Sequence[Any]) -> list[str]:
    """What a client is sent."""
    return [chunk.encode(sdk_version=6) for chunk in chunks]


def test_every_text_is_masked_in_any_cut() -> None:
    for pieces in cuttings(ARGUMENTS):
        source = parts(ui(pieces))
        before = deepcopy(source)
        out, result = guarded(source, "ui_message_objects")
        assert result.finish == "stop"
        assert {type(each) for each in out} == {type(each) for each in source}
        assert source == before


def test_objects_say_what_dicts_do() -> None:
    for pieces in cuttings(ARGUMENTS):
        dicts = [*GUARD.wrap_sync(ui(pieces))]
        objects = [*GUARD.wrap_sync(parts(ui(pieces)))]
        assert told(objects)[-1] == "[DONE]"
        assert [json.loads(each) for each in told(objects)[:-1]] == dicts


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


def test_an_empty_policy_changes_nothing() -> None:
    assert unchanged(parts(ui(['{"a"', ": 1}"])))


def test_dicts_among_them_stay_dicts() -> None:
    source: list[Any] = parts(ui(['"a sec', 'ret"']))
    source[4:7] = ui(['"a sec', 'ret"'])[4:7]
    out = list(GUARD.wrap_sync(source))
    assert "secret" not in str(out)
    assert {type(each) for each in out[4:6]} == {dict}


@pytest.mark.parametrize("place", range(len(ui(['"so"'])) - 2))
def test_a_stream_may_begin_with_any_part(place: int) -> None:
    first = parts(ui(['"so"']))[place]
    assert detect(first).name == "ui_message_objects"  # type: ignore[attr-defined]


def test_a_block_ends_what_is_open() -> None:
    stream = GUARD.wrap_sync(parts(ui(['"all for', 'bidden"'])[6:]))
    out = list(stream)
    assert [type(each) for each in out[-2:]] == [
        response_types.TextEndChunk,
        response_types.FinishChunk,
    ]
    assert told(out)[1] == '{"type":"text-delta","delta":"\\"all ","id":"t"}'
    assert stream.finish == "content_filter"


def test_nothing_in_a_tools_input_and_output_is_lost() -> None:
    value = {"none": None, "said": "a secret", "list": [None, 1, True]}
    source = [
        response_types.ToolInputAvailableChunk(tool_call_id="c1", tool_name="find", input=value),
        response_types.ToolOutputAvailableChunk(tool_call_id="c1", output=value),
    ]
    masked = {**value, "said": "a ######"}
    out: list[Any] = list(GUARD.wrap_sync(source))
    assert (out[0].input, out[1].output) == (masked, masked)
    assert unchanged(source)


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

"""pydantic-ai's events, as its agents and models give them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import anyio
import pytest
from pydantic import BaseModel

from guardstream import AdapterError, Guard, Policy, extract
from guardstream.formats.pydantic_ai.events import PydanticAI
from tests.laws.asked import EMPTY, GUARD, cuttings, left_raw, unchanged
from tests.support.extracting import collect
from tests.support.optional import optional

Agent = optional("pydantic_ai", "Agent")
(
    BinaryContent,
    FinalResultEvent,
    FunctionToolResultEvent,
    ModelMessage,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
    ToolReturnPart,
) = optional(
    "pydantic_ai.messages",
    "BinaryContent",
    "FinalResultEvent",
    "FunctionToolResultEvent",
    "ModelMessage",
    "PartDeltaEvent",
    "PartEndEvent",
    "PartStartEvent",
    "TextPart",
    "TextPartDelta",
    "ThinkingPart",
    "ThinkingPartDelta",
    "ToolCallPart",
    "ToolCallPartDelta",
    "ToolReturnPart",
)
AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel = optional(
    "pydantic_ai.models.function",
    "AgentInfo",
    "DeltaThinkingPart",
    "DeltaToolCall",
    "FunctionModel",
)

ARGUMENTS = '{"q": "a secret, no sec"}'
MASKED = '{"q": "a ######, no sec"}'


def agent(pieces: Sequence[str], **options: Any) -> Agent[None, Any]:
    """An agent whose model thinks, speaks, calls a tool, and speaks again."""

    async def answer(messages: list[ModelMessage], _: AgentInfo) -> AsyncIterator[Any]:
        if not any(isinstance(part, ToolReturnPart) for m in messages for part in m.parts):
            for piece in pieces:
                yield {0: DeltaThinkingPart(content=piece)}
            for piece in pieces:
                yield piece
            yield {2: DeltaToolCall(name="find", json_args="", tool_call_id="c1")}
            for piece in pieces:
                yield {2: DeltaToolCall(json_args=piece)}
        else:
            for piece in pieces:
                yield piece

    made = Agent(FunctionModel(stream_function=answer), **options)

    @made.tool_plain
    def find(q: str) -> str:
        return f"found {q}"

    return made


def run(agent: Agent[None, Any], guard: Guard = GUARD) -> tuple[list[Any], Any]:
    """The guarded events of an agent's run, and the guarded stream."""

    async def collected() -> tuple[list[Any], Any]:
        async with agent.run_stream_events("hi") as events, guard.wrap(events) as stream:
            return [event async for event in stream], stream

    return anyio.run(collected)


def test_every_event_of_a_run_is_masked_in_any_cut() -> None:
    for pieces in cuttings(ARGUMENTS):
        out, stream = run(agent(pieces))
        ends = [event.part for event in out if isinstance(event, PartEndEvent)]
        assert [getattr(part, "content", None) or part.args for part in ends] == [MASKED] * 4
        result = out[-1].result
        assert result.output == MASKED
        assert not left_raw(out)
        assert not left_raw(result.all_messages())
        call = stream.result.tool_calls[0]
        assert (call.name, call.id, call.arguments, call.complete) == ("find", "c1", MASKED, True)
        assert stream.result.thinking == MASKED
        assert stream.result.text == MASKED * 2


def test_deltas_join_to_what_their_part_ends_with() -> None:
    for pieces in cuttings(ARGUMENTS):
        joined = ""
        for event in run(agent(pieces))[0]:
            if isinstance(event, PartStartEvent):
                joined = (
                    getattr(event.part, "content", None) or getattr(event.part, "args", "") or ""
                )
            elif isinstance(event, PartDeltaEvent):
                delta = event.delta
                joined += getattr(delta, "content_delta", None) or getattr(delta, "args_delta", "")
            elif isinstance(event, PartEndEvent):
                assert joined == (getattr(event.part, "content", None) or event.part.args)


def test_an_empty_policy_changes_no_event() -> None:
    async def collected() -> list[Any]:
        async with agent(["a ", "secret"]).run_stream_events("hi") as events:
            return [event async for event in events]

    assert unchanged(anyio.run(collected))


class City(BaseModel):
    name: str
    size: int


def test_a_typed_result_is_made_of_what_was_released() -> None:
    async def answer(_: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
        name = info.output_tools[0].name
        yield {0: DeltaToolCall(name=name, json_args='{"name": "sec', tool_call_id="c")}
        yield {0: DeltaToolCall(json_args='ret", "size": 3}')}

    out, _ = run(Agent(FunctionModel(stream_function=answer), output_type=City))
    assert out[-1].result.output == City(name="######", size=3)
    assert not left_raw(out)


def part(**fields: Any) -> dict[str, Any]:
    start = {"part_kind": "tool-call", "tool_call_id": "c1", "tool_name": "find", "args": None}
    return {"event_kind": "part_start", "index": 0, "part": start | fields}


def test_what_a_tool_gave_is_text_whatever_its_fields_are_called() -> None:
    rule = Guard(Policy.parse("rules: [{id: w, words: [secret1], replacement: '#'}]"))
    picture = BinaryContent(b"\x89PNG\xff", media_type="image/png")
    given = {"id": "secret1", "of": [{"type": "secret1"}, picture]}
    part = ToolReturnPart("find", given, tool_call_id="c1")
    assert unchanged([FunctionToolResultEvent(part)])
    (told,) = rule.wrap_sync([FunctionToolResultEvent(part)])
    assert told.part.content == {"id": "#######", "of": [{"type": "#######"}, picture]}


def test_what_is_not_known_is_refused() -> None:
    source = [{"event_kind": "part_start", "index": 0, "part": {"part_kind": "hologram", "x": "a"}}]
    with pytest.raises(AdapterError, match="is not known"):
        list(GUARD.wrap_sync(source, unknown="refuse"))
    assert list(EMPTY.wrap_sync(source, format=PydanticAI(unknown="pass"))) == source


def test_a_calls_arguments_are_extracted() -> None:
    source = [
        PartStartEvent(index=0, part=ToolCallPart("find", '{"rows": [1', "c")),
        PartDeltaEvent(index=0, delta=ToolCallPartDelta(args_delta=",2]}")),
    ]
    assert collect(lambda: extract.items(source, "rows.item", tool="find")) == [1, 2]

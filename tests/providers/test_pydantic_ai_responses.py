"""pydantic-ai's growing responses, as `stream_response()` of a run gives them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import anyio
import pytest
from pydantic import BaseModel

from tests.providers.laws import GUARD, cuttings, left_raw, unchanged
from tests.support.optional import optional

Agent = optional("pydantic_ai", "Agent")
ModelMessage, ModelResponse, ModelResponsePart, TextPart, ThinkingPart, ToolCallPart = optional(
    "pydantic_ai.messages",
    "ModelMessage",
    "ModelResponse",
    "ModelResponsePart",
    "TextPart",
    "ThinkingPart",
    "ToolCallPart",
)
AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel = optional(
    "pydantic_ai.models.function",
    "AgentInfo",
    "DeltaThinkingPart",
    "DeltaToolCall",
    "FunctionModel",
)

SAID = "a secret, no sec"
MASKED = "a ######, no sec"
AT = datetime(2026, 5, 4, tzinfo=UTC)  # else each response has its own


class Answer(BaseModel):
    q: str


def response(*parts: ModelResponsePart, **fields: Any) -> ModelResponse:
    return ModelResponse(parts=list(parts), model_name="m", timestamp=AT, **fields)


def call(args: Any) -> ToolCallPart:
    return ToolCallPart("find", args, tool_call_id="c1")


def growing(pieces: Sequence[str]) -> list[ModelResponse]:
    """A response that thinks, speaks in two parts and calls a tool, after each piece of these."""
    made = []
    sums = ["".join(pieces[: end + 1]) for end in range(len(pieces))]
    thought, text = ThinkingPart(SAID), TextPart(SAID)
    made += [response(ThinkingPart(each)) for each in sums]
    made += [response(thought, TextPart(each)) for each in sums]
    made += [response(thought, text, TextPart(each)) for each in sums]
    made += [response(thought, text, TextPart(SAID), call(f'{{"q": "{each}')) for each in sums]
    whole = call(f'{{"q": "{SAID}"}}')
    return [*made, response(thought, text, TextPart(SAID), whole, finish_reason="tool_call")]


def texts(chunk: ModelResponse) -> list[Any]:
    return [getattr(part, "args", None) or getattr(part, "content", "") for part in chunk.parts]


def test_nothing_changes_without_rules() -> None:
    assert unchanged(growing(["a ", "secret"]))


@pytest.mark.parametrize("pieces", list(cuttings(SAID)), ids="|".join)
def test_the_text_so_far_is_the_released_text(pieces: Sequence[str]) -> None:
    stream = GUARD.wrap_sync(growing(pieces))
    out = list(stream)
    assert not left_raw(out)
    for index in range(4):
        seen = [made[index] for made in map(texts, out) if len(made) > index]
        assert all(after.startswith(before) for before, after in pairwise(seen))
    thought, *said, args = texts(out[-1])
    assert (thought, "".join(said), args) == (MASKED, MASKED * 2, f'{{"q": "{MASKED}"}}')
    result = stream.result
    assert (result.text, result.thinking) == (MASKED * 2, MASKED)
    assert [(each.name, each.arguments) for each in result.tool_calls] == [
        ("find", f'{{"q": "{MASKED}"}}')
    ]
    assert stream.finish == "tool_calls"


def test_a_match_that_a_citation_cuts_is_masked() -> None:
    first, second = TextPart("a sec"), TextPart("ret b")
    source = [response(first), response(first, TextPart("ret")), response(first, second)]
    out = [texts(each) for each in GUARD.wrap_sync(source)]
    assert "".join(out[-1]) == "a ###### b"
    assert not any("sec" in part for parts in out for part in parts)


def test_arguments_that_are_an_object_are_complete() -> None:
    (out,) = GUARD.wrap_sync([response(call({"q": SAID}))])
    assert texts(out) == [{"q": MASKED}]


@pytest.mark.parametrize(("word", "reason"), [("forbidden", "content_filter"), ("enough", "stop")])
def test_a_rule_ends_the_response(word: str, reason: str) -> None:
    source = [
        response(TextPart(text)) for text in ("it is", f"it is {word} and", f"it is {word} x")
    ]
    stream = GUARD.wrap_sync(source)
    out = list(stream)
    assert texts(out[-1]) == ["it is "]
    assert out[-1].finish_reason == stream.finish == reason


def test_a_call_that_is_cut_is_left_out() -> None:
    text = TextPart("it is")
    source = [response(text, call('{"q": "a')), response(text, call('{"q": "a forbidden'))]
    out = list(GUARD.wrap_sync(source))
    assert texts(out[-1]) == ["it is"]


def test_an_agents_responses_become_its_output() -> None:
    async def answer(_messages: list[ModelMessage], _info: AgentInfo) -> AsyncIterator[Any]:
        yield {0: DeltaThinkingPart(content="a sec")}
        yield "no sec"
        yield {2: DeltaToolCall(name="final_result", json_args="", tool_call_id="c1")}
        for piece in ('{"q": "a sec', "ret, no", ' sec"}'):
            yield {2: DeltaToolCall(json_args=piece)}

    async def run() -> None:
        agent = Agent(FunctionModel(stream_function=answer), output_type=Answer)
        async with agent.run_stream("what?") as result:
            stream = GUARD.wrap(result.stream_response(debounce_by=None))
            out = [chunk async for chunk in stream]
            assert await result.validate_response_output(out[-1]) == Answer(q=MASKED)
        assert not left_raw(out)
        assert stream.result.text == "no sec"

    anyio.run(run)

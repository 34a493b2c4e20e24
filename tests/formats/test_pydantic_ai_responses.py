"""pydantic-ai's growing responses, as `stream_response()` of a run gives them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from typing import Any

import anyio
import pytest
from pydantic import BaseModel

from tests.laws.asked import GUARD, cuttings, left_raw
from tests.support.optional import optional
from tests.support.samples.pydantic_ai_responses import (
    ModelMessage,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    response,
)

Agent = optional("pydantic_ai", "Agent")
AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel = optional(
    "pydantic_ai.models.function",
    "AgentInfo",
    "DeltaThinkingPart",
    "DeltaToolCall",
    "FunctionModel",
)

SAID = "a secret, no sec"
MASKED = "a ######, no sec"


class Answer(BaseModel):
    q: str


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

"""The events of agent frameworks, as objects of classes that have the frameworks' fields."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from guardstream import Guard, Policy
from guardstream.gate import gate
from tests.laws.asked import GUARD, cuttings, left_raw, unchanged
from tests.support.samples.frameworks import (
    MASKED,
    TEXT,
    ChatResponse,
    Completions,
    Delta,
    Event,
    Item,
    ItemEvent,
    Message,
    Prediction,
    Raw,
    StepCall,
    StreamingChunk,
    StreamResponse,
    TextBlock,
    autogen,
    dspy,
    haystack,
    llama_index,
    openai_agents,
    smolagents,
)


class Function(BaseModel):
    name: str
    arguments: str


class ToolCall(BaseModel):
    id: str
    function: Function


def calling(pieces: Sequence[str]) -> Iterator[Any]:
    """One call, whose arguments grow in the responses that were given before, too."""
    call = ToolCall(id="c1", function=Function(name="find", arguments=""))
    message = Message(blocks=[], additional_kwargs={"tool_calls": [call]})
    for piece in ["", *pieces]:
        call.function.arguments += piece
        yield ChatResponse(message=message.model_copy(), raw=call, delta="")


def test_the_signature_of_a_prediction_is_the_application_s_own() -> None:
    class Signature:
        """It cannot be read, and need not be."""

    Signature.itself = Signature  # type: ignore[attr-defined]
    completions = Completions(Signature, {"answer": ["bluebird"]})
    guard = Guard(Policy.parse("rules: [{id: w, words: [bluebird], replacement: '#'}]"))
    for given in (completions, None):
        source = [StreamResponse("p", "answer", "blue"), StreamResponse("p", "answer", "bird")]
        last = list(guard.wrap_sync([*source, Prediction({"answer": "bluebird"}, given)]))[-1]
        assert last._store == {"answer": "########"}
        assert given is None or last._completions == Completions(
            Signature, {"answer": ["########"]}
        )


def test_what_a_tool_gave_an_agent_is_text_whatever_it_is_called() -> None:
    @dataclass
    class Output(Item):
        output: Any = None

    rule = Guard(Policy.parse("rules: [{id: w, words: [secret1], replacement: '#'}]"))
    given = {"name": "secret1", "of": [{"id": "secret1"}]}
    (told,) = rule.wrap_sync([ItemEvent(Output({"type": "function_call_output"}, output=given))])
    assert told.item.output == {"name": "#######", "of": [{"id": "#######"}]}  # type: ignore[attr-defined]


def of_events(event: Any) -> str:
    return str(event.data.get("delta", "")) if isinstance(event, Raw) else ""


Make = Callable[[Sequence[str]], Iterator[Any]]

FRAMEWORKS: list[tuple[str, Make, Callable[[Any], str]]] = [
    ("llama_index", llama_index, lambda each: each.delta),
    ("smolagents", smolagents, lambda each: getattr(each, "content", None) or ""),
    ("autogen", autogen, lambda each: getattr(each, "content", None) or ""),
    ("haystack", haystack, lambda each: each.content),
    ("dspy", dspy, lambda each: getattr(each, "chunk", "")),
    ("openai_agents", openai_agents, of_events),
]


class Tokens(BaseModel):
    input_tokens: int = 7
    output_tokens: int = 3


LAST = {
    "llama_index": ChatResponse(
        message=Message(blocks=[TextBlock(text=TEXT)]), raw={"usage": Tokens()}, delta=""
    ),
    "smolagents": Delta(token_usage=Tokens()),
    "autogen": Event(content=TEXT, type="TextMessage", models_usage=Tokens()),
    "haystack": StreamingChunk("", {"usage": {"prompt_tokens": 7, "completion_tokens": 3}}),
}
"""Chunks at the end that count tokens."""


@pytest.mark.parametrize("name", LAST)
def test_tokens_are_counted(name: str) -> None:
    make = next(make for each, make, _ in FRAMEWORKS if each == name)
    stream = GUARD.wrap_sync([*make([TEXT]), LAST[name]])
    assert (stream.stats.tokens_in, stream.stats.tokens_out) == (None, None)
    list(stream)
    assert (stream.stats.tokens_in, stream.stats.tokens_out) == (7, 3)


def test_a_call_with_more_fields_than_smolagents_has_is_another_format() -> None:
    """Chatlas yields its calls among its texts."""

    @dataclass
    class Request(StepCall):
        content_type: str = "tool_request"

    for pieces in cuttings(TEXT):
        stream = GUARD.wrap_sync([Request("run", {}, "c1"), *pieces])
        assert "".join(each for each in stream if isinstance(each, str)) == MASKED
        assert stream.result.text == MASKED


@pytest.mark.anyio
async def test_arguments_that_grow_later_do_not_show_in_responses_that_went_out() -> None:
    def told(responses: Sequence[Any]) -> list[str]:
        return [
            each.message.additional_kwargs["tool_calls"][0].function.arguments for each in responses
        ]

    for pieces in cuttings('{"q": "a secret"}'):
        out = list(GUARD.wrap_sync(calling(pieces)))
        assert not left_raw([each.model_dump() for each in out])
        assert told(out)[-1] == '{"q": "a ######"}'

    async def source() -> AsyncIterator[Any]:
        for each in calling(['{"q": ', '"bad"}']):
            yield each

    judged = gate(source(), lambda text, _: "bad" not in text)
    assert "bad" not in str([each.model_dump() async for each in judged])


class Requested(Event):
    content: list[dict[str, str]]  # type: ignore[assignment]
    type: str = "ToolCallRequestEvent"


def test_the_calls_that_an_agent_requests_are_complete() -> None:
    told: list[Any] = []
    calls = [
        {"id": f"c{number}", "name": name, "arguments": '{"q": "a secret"}'}
        for number, name in enumerate(("find", "look"))
    ]
    source = [Event(content="so"), Requested(content=calls), Event(content="it is")]
    assert unchanged(source)
    stream = GUARD.wrap_sync(source, on_tool_call=told.append)
    for place, event in enumerate(stream):
        assert len(told) == (2 if place else 0)
        assert not left_raw([event])
    assert [(call.name, call.id, call.arguments) for call in told] == [
        ("find", "c0", '{"q": "a ######"}'),
        ("look", "c1", '{"q": "a ######"}'),
    ]

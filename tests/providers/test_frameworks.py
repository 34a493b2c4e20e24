"""The events of agent frameworks, as objects of classes that have the frameworks' fields."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import pytest
from pydantic import BaseModel

from guardstream import Guard, Policy
from guardstream.gate import gate
from guardstream.providers import detect
from tests.providers.laws import GUARD, cuttings, left_raw, unchanged

TEXT = "a secret, no sec"
MASKED = "a ######, no sec"


class TextBlock(BaseModel):
    block_type: str = "text"
    text: str = ""


class Message(BaseModel):
    role: str = "assistant"
    blocks: list[TextBlock]
    additional_kwargs: dict[str, Any] = {}


class ChatResponse(BaseModel):
    message: Any
    raw: Any = None
    delta: str | None = None
    logprobs: Any = None
    additional_kwargs: dict[str, Any] = {}


def llama_index(pieces: Sequence[str]) -> Iterator[Any]:
    said = ""
    for piece in pieces:
        said += piece
        raw = {"choices": [{"delta": {"content": piece}}]}
        yield ChatResponse(message=Message(blocks=[TextBlock(text=said)]), raw=raw, delta=piece)


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


def told_as_a_whole(pieces: Sequence[str]) -> Iterator[Any]:
    for response in llama_index(pieces):
        yield response.model_copy(update={"delta": None, "raw": None})


@dataclass
class Delta:
    content: str | None = None
    tool_calls: list[Any] | None = None
    token_usage: Any = None


@dataclass
class ActionStep:
    step_number: int
    timing: Any
    model_output_message: Any
    model_output: Any


def smolagents(pieces: Sequence[str]) -> Iterator[Any]:
    for piece in pieces:
        yield Delta(piece)
    yield ActionStep(1, None, {"role": "assistant", "content": "a secret"}, "".join(pieces))
    for piece in pieces:
        yield Delta(piece)


@dataclass
class StepCall:
    name: str
    arguments: Any
    id: str


class Event(BaseModel):
    id: str = "e"
    source: str = "agent"
    models_usage: Any = None
    metadata: dict[str, str] = {}
    content: str
    type: str = "ModelClientStreamingChunkEvent"


class TaskResult(BaseModel):
    messages: list[Any]
    stop_reason: str | None = None


def autogen(pieces: Sequence[str]) -> Iterator[Any]:
    for piece in pieces:
        yield Event(content=piece)
    message = Event(content="".join(pieces), type="TextMessage")
    yield message
    yield TaskResult(messages=[message])


@dataclass(frozen=True)
class Component:
    type: str
    name: str


@dataclass
class StreamingChunk:
    content: str
    meta: dict[str, Any] = field(default_factory=dict)
    component_info: Component | None = None
    finish_reason: str | None = None


def haystack(pieces: Sequence[str]) -> Iterator[Any]:
    for piece in pieces:
        yield StreamingChunk(piece, {"delta": {"content": piece}}, Component("secret", "secret"))
    yield StreamingChunk("", finish_reason="stop")


@dataclass
class StreamResponse:
    predict_name: str
    signature_field_name: str
    chunk: str
    is_last_chunk: bool = False


@dataclass
class StatusMessage:
    message: str


def dspy(pieces: Sequence[str]) -> Iterator[Any]:
    yield StatusMessage("a secret")
    for piece in pieces:
        yield StreamResponse("p", "answer", piece)
    yield StreamResponse("p", "answer", "", is_last_chunk=True)


@dataclass
class Completions:
    signature: Any
    _completions: dict[str, list[str]]


@dataclass
class Prediction:
    _store: dict[str, Any]
    _completions: Completions | None


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


def test_a_prediction_may_come_alone() -> None:
    source = [Prediction({"answer": "a secret"}, Completions(None, {"answer": ["a secret"]}))]
    (out,) = GUARD.wrap_sync(source)
    assert out == Prediction({"answer": "a ######"}, Completions(None, {"answer": ["a ######"]}))


def test_the_log_probabilities_of_a_prediction_go_with_its_text() -> None:
    def told(tokens: list[str]) -> Prediction:
        return Prediction({"answer": "".join(tokens), "logprobs": {"tokens": tokens}}, None)

    begun = StatusMessage("so")
    assert list(GUARD.wrap_sync([begun, told(["a sec", "ret"])]))[1]._store == {
        "answer": "a ######",
        "logprobs": None,
    }
    clean = told(["a sec", "ond"])
    assert list(GUARD.wrap_sync([begun, clean]))[1] is clean


@dataclass
class Raw:
    data: dict[str, Any]
    type: str = "raw_response_event"


@dataclass
class Item:
    raw_item: Any
    agent: Any = None
    type: str = "message_output_item"


@dataclass
class ItemEvent:
    item: Item
    name: str = "message_output_created"
    type: str = "run_item_stream_event"


def openai_agents(pieces: Sequence[str]) -> Iterator[Any]:
    place = {"item_id": "m", "output_index": 0, "content_index": 0}
    text = "".join(pieces)
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"id": "m", "type": "message", "role": "assistant", "content": [part]}
    for _ in range(2):
        yield Raw({"type": "response.created", "response": {"id": "r", "output": []}})
        for piece in pieces:
            yield Raw({"type": "response.output_text.delta", "delta": piece, **place})
        yield Raw({"type": "response.output_text.done", "text": text, **place})
        ended = {"id": "r", "status": "completed", "output": [item]}
        yield Raw({"type": "response.completed", "response": ended})
        yield ItemEvent(Item(item, agent={"instructions": "be brief"}))


def test_what_a_tool_gave_an_agent_is_text_whatever_it_is_called() -> None:
    @dataclass
    class Output(Item):
        output: Any = None

    rule = Guard(Policy.parse("rules: [{id: w, words: [secret1], replacement: '#'}]"))
    given = {"name": "secret1", "of": [{"id": "secret1"}]}
    (told,) = rule.wrap_sync([ItemEvent(Output({"type": "function_call_output"}, output=given))])
    assert told.item.output == {"name": "#######", "of": [{"id": "#######"}]}  # type: ignore[attr-defined]


def test_reasoning_that_its_announcement_already_contains_is_said_once() -> None:
    place = {"item_id": "f", "output_index": 0, "summary_index": 0}
    summary: list[Any] = []
    item = {"id": "f", "type": "reasoning", "summary": summary}
    kind = "response.reasoning_summary"
    events = [
        Raw({"type": "response.output_item.added", "output_index": 0, "item": item}),
        Raw({"type": f"{kind}_part.added", "part": {"type": "summary_text", "text": ""}, **place}),
        *(Raw({"type": f"{kind}_text.delta", "delta": cut, **place}) for cut in ("blue", "bird")),
        Raw(
            {
                "type": f"{kind}_part.done",
                "part": {"type": "summary_text", "text": "bluebird"},
                **place,
            }
        ),
        Raw({"type": "response.output_item.done", "output_index": 0, "item": item}),
    ]
    summary.append({"type": "summary_text", "text": "bluebird"})  # as the SDK does meanwhile
    guard = Guard(Policy.parse("rules: [{id: w, words: [bluebird], replacement: '#'}]"))
    stream = guard.wrap_sync(events)
    out = [event.data for event in stream]
    assert "bluebird" not in str(out)
    assert out[0]["item"]["summary"] == []
    assert stream.result.thinking == "########"
    assert out[-1]["item"]["summary"][0]["text"] == "########"


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
TWICE = {"smolagents", "autogen", "openai_agents"}
"""Whose streams say the text once more."""


@pytest.mark.parametrize(("name", "make", "said"), FRAMEWORKS)
def test_text_is_guarded_in_any_cut(name: str, make: Make, said: Callable[[Any], str]) -> None:
    for pieces in cuttings(TEXT):
        source = list(make(pieces))
        assert type(detect(source[0])).name == name
        assert unchanged(source)
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        assert "".join(map(said, out)) == MASKED * (2 if name in TWICE else 1)
        assert {type(each) for each in out} <= {type(each) for each in source}
        assert not any(left_raw(vars(each), "a secret") for each in out)


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


@pytest.mark.parametrize(("make", "count"), [(smolagents, 3), (autogen, 1)])
def test_what_is_told_again_is_reported_once(make: Make, count: int) -> None:
    """Smolagents' source says two texts with the word, and a step one of its own."""
    for pieces in cuttings(TEXT):
        stream = GUARD.wrap_sync(list(make(pieces)))
        out = list(stream)
        assert not left_raw([vars(each) for each in out], "a secret")
        assert len(stream.findings) == count


@pytest.mark.parametrize("arguments", ["print('a secret')", {"q": "a secret"}])
def test_what_an_agents_step_calls_a_tool_with_is_no_document(arguments: Any) -> None:
    policy = "rules: [{id: w, words: [secret]}]\njson: {tools: {'*': {}}}"
    stream = Guard(Policy.parse(policy)).wrap_sync([StepCall("run", arguments, "c1")])
    assert "a [w]" in str(list(stream))
    assert stream.blocked_by is None


def test_a_call_with_more_fields_than_smolagents_has_is_another_format() -> None:
    """Chatlas yields its calls among its texts."""

    @dataclass
    class Request(StepCall):
        content_type: str = "tool_request"

    for pieces in cuttings(TEXT):
        stream = GUARD.wrap_sync([Request("run", {}, "c1"), *pieces])
        assert "".join(each for each in stream if isinstance(each, str)) == MASKED
        assert stream.result.text == MASKED


def test_what_is_told_so_far_becomes_what_was_released_so_far() -> None:
    for make in (llama_index, told_as_a_whole):
        for pieces in cuttings(TEXT):
            stream = GUARD.wrap_sync(make(pieces))
            texts = [each.message.blocks[0].text for each in stream]
            assert texts[-1] == MASKED
            assert all(MASKED.startswith(text) for text in texts)
            assert stream.result.text == MASKED


def test_a_message_that_begins_again_goes_on_with_the_text_before() -> None:
    parts = ["the sec", "the sec and", "ret"]
    source = [ChatResponse(message=Message(blocks=[TextBlock(text=part)])) for part in parts]
    out = list(GUARD.wrap_sync(source))
    assert not left_raw([each.model_dump() for each in out])
    tokens = ["a s", "ecr", "et", "!", "!"]
    source = [ChatResponse(message=Message(blocks=[TextBlock(text=part)])) for part in tokens]
    out = list(GUARD.wrap_sync(source))
    assert "".join(each.message.blocks[0].text for each in out) == "a ######!!"


def test_responses_without_what_is_new_are_read_either_way() -> None:
    guard = Guard(Policy.parse("rules: [{id: card, words: ['11234'], replacement: '#'}]"))

    def said(values: Sequence[str]) -> list[str]:
        made = [ChatResponse(message=Message(blocks=[TextBlock(text=each)])) for each in values]
        return [each.message.blocks[0].text for each in guard.wrap_sync(made)]

    assert "".join(said(["1", "1", "2", "34", " ok"])) == "##### ok"
    assert said(["1", "11", "112", "1123", "11234"])[-1] == "#####"
    assert said(["1", "11", "112", "1123", "1123 is all"])[-1] == "1123 is all"
    assert said(["1", "12"])[-1] == "12"


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


def test_arguments_so_far_become_what_was_released_so_far() -> None:
    whole = '{"q": "a secret", "r": 5}'
    for pieces in cuttings(whole):
        source: list[Any] = []
        for said in accumulate(pieces):
            call = {"index": 0, "id": "c", "function": {"name": "find", "arguments": said}}
            message = Message(blocks=[], additional_kwargs={"tool_calls": [call]})
            source.append(ChatResponse(message=message))
        assert unchanged(source)
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        told = [
            each.message.additional_kwargs["tool_calls"][0]["function"]["arguments"] for each in out
        ]
        assert told[-1] == '{"q": "a ######", "r": 5}'
        assert all(told[-1].startswith(each) for each in told)
        assert len(stream.findings) == 1
        (found,) = stream.result.tool_calls
        assert (found.name, found.id, found.arguments) == ("find", "c", told[-1])
        assert found.complete
    for pieces in (["a sec", "a secret"], ["a ", "a secret", "a secret, no"]):
        blocks = [ToolCallBlock(tool_kwargs=said) for said in pieces]
        made = [ChatResponse(message=ToolMessage(blocks=[each])) for each in blocks]
        stream = GUARD.wrap_sync(made)
        out = list(stream)
        assert out[-1].message.blocks[0].tool_kwargs.startswith("a ######")
        assert [call.arguments for call in stream.result.tool_calls] == [
            out[-1].message.blocks[0].tool_kwargs
        ]


def test_calls_without_ids_may_follow_each_other() -> None:
    source = [
        {"message": {"blocks": [{"block_type": "tool_call", **call}]}, "delta": "", "raw": None}
        for call in (
            {"tool_call_id": "", "tool_name": "find", "tool_kwargs": {"q": "a secret"}},
            {"tool_call_id": "", "tool_name": "look", "tool_kwargs": {"q": "no sec"}},
            {"tool_call_id": "c", "tool_name": "look", "tool_kwargs": {"q": "a secret"}},
        )
    ]
    assert unchanged(source)
    stream = GUARD.wrap_sync(source)
    assert not left_raw(list(stream))
    assert [(call.name, call.id) for call in stream.result.tool_calls] == [
        ("find", None),
        ("look", "c"),
    ]


class Requested(Event):
    content: list[dict[str, str]]  # type: ignore[assignment]
    type: str = "ToolCallRequestEvent"


class Structured(Event):
    content: dict[str, str]  # type: ignore[assignment]
    type: str = "StructuredMessage[Answer]"


def test_a_structured_message_is_text_whatever_its_fields_are_called() -> None:
    rule = Guard(Policy.parse("rules: [{id: w, words: [secret1], replacement: '#'}]"))
    (told,) = rule.wrap_sync([Structured(content={"id": "secret1", "source": "secret1"})])
    assert told.content == {"id": "#######", "source": "#######"}


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


class ToolCallBlock(BaseModel):
    block_type: str = "tool_call"
    tool_call_id: str = "c"
    tool_name: str = "find"
    tool_kwargs: str


class ToolMessage(BaseModel):
    role: str = "assistant"
    blocks: list[ToolCallBlock]
    additional_kwargs: dict[str, Any] = {}


def test_a_block_ends_the_stream() -> None:
    for name, make, said in FRAMEWORKS:
        out = list(GUARD.wrap_sync(make(["all for", "bidden fruit"])))
        assert "".join(map(said, out)) == "all ", name


def called(pieces: Sequence[str], *, raw: bool) -> Iterator[Any]:
    """A call of OpenAI's agents, and the item that tells it once more, or the item alone."""
    call = {"id": "f1", "type": "function_call", "call_id": "call_1", "name": "find"}
    whole = {**call, "arguments": "".join(pieces), "status": "completed"}
    here = {"item_id": "f1", "output_index": 0}
    if raw:
        begun = {**call, "arguments": "", "status": "in_progress"}
        yield Raw({"type": "response.created", "response": {"id": "r", "output": []}})
        yield Raw({"type": "response.output_item.added", "output_index": 0, "item": begun})
        for piece in pieces:
            yield Raw({"type": "response.function_call_arguments.delta", "delta": piece, **here})
        yield Raw({"type": "response.output_item.done", "output_index": 0, "item": whole})
    yield ItemEvent(Item(whole, type="tool_call_item"), name="tool_called")


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("arguments", ['{"q": "a secret"}', r'{"q": "a s\u0065cret"}'])
def test_an_item_tells_a_call_as_it_streamed(arguments: str, raw: bool) -> None:
    guard = Guard(
        Policy.parse("rules: [{id: w, words: [secret], replacement: '#', channels: [tool_args]}]")
    )
    for pieces in cuttings(arguments):
        *_, item = guard.wrap_sync(called(pieces, raw=raw))
        assert item.item.raw_item["arguments"] == '{"q": "a ######"}'
    assert unchanged(list(called([arguments], raw=raw)))


@pytest.mark.parametrize("raw", [True, False])
def test_an_item_with_a_call_that_is_cut_does_not_go_out(raw: bool) -> None:
    stream = GUARD.wrap_sync(called(['{"q": "so for', 'bidden"}'], raw=raw))
    assert not any(isinstance(each, ItemEvent) for each in stream)
    assert stream.finish == "content_filter"


OF_CHANNELS = {
    "mcp_call": ("tool_args", {"arguments": r'{"q": "s\u0065cret"}'}),
    "mcp_approval_request": ("tool_args", {"arguments": r'{"q": "s\u0065cret"}'}),
    "custom_tool_call": ("tool_args", {"input": "a secret"}),
    "shell_call": ("tool_args", {"action": {"commands": ["cat", "a secret"]}}),
    "apply_patch_call": ("tool_args", {"operation": {"type": "create_file", "diff": "+secret"}}),
    "reasoning": ("thinking", {"summary": [{"type": "summary_text", "text": "a secret"}]}),
    "message": ("refusal", {"content": [{"type": "refusal", "refusal": "a secret"}]}),
}


@pytest.mark.parametrize("kind", OF_CHANNELS)
def test_an_item_has_the_channels_of_the_responses_api(kind: str) -> None:
    channel, fields = OF_CHANNELS[kind]
    rule = f"{{id: w, words: [secret], replacement: '#', channels: [{channel}]}}"
    guard = Guard(Policy.parse(f"rules: [{rule}]"))
    item = {"id": "i1", "type": kind, "status": "completed", **fields}
    events = [
        Raw({"type": "response.created", "response": {"id": "r1", "output": []}}),
        Raw({"type": "response.output_item.done", "item": item, "output_index": 0}),
        ItemEvent(Item(item)),
    ]
    for source in (events, events[-1:]):
        assert unchanged(source)
        *_, told = guard.wrap_sync(source)
        assert "######" in str(told)
        assert not left_raw(told.item.raw_item, r"s\u0065cret")
        assert not left_raw(told.item.raw_item, "secret")


OTHERS = {"id": "secret1", "name": "secret1", "of": [{"type": "secret1", "status": "secret1"}]}

OF_OTHERS: list[dict[str, Any]] = [
    {"type": "file_search_call", "results": [{"file_id": "f1", "attributes": OTHERS}]},
    {"type": "local_shell_call", "action": {"type": "exec", "env": OTHERS}},
    {"type": "tool_search_call", "arguments": OTHERS},
    {"type": "mcp_list_tools", "tools": [{"name": "find", "annotations": OTHERS}]},
    {"type": "mcp_list_tools", "tools": [{"input_schema": {"type": "object", "default": OTHERS}}]},
    {"type": "shell_call_output", "output": [], "provider_data": OTHERS},
    {"type": "an_item_of_tomorrow", "result": OTHERS},
]


@pytest.mark.parametrize("item", OF_OTHERS)
def test_what_others_put_into_an_item_has_no_fields_that_pass(item: dict[str, Any]) -> None:
    rule = Guard(Policy.parse("rules: [{id: w, words: [secret1], replacement: '#'}]"))
    source = [ItemEvent(Item({"id": "i1", **item}))]
    assert unchanged(source)
    (told,) = rule.wrap_sync(source)
    assert not left_raw(told.item.raw_item, "secret1")
    assert told.item.raw_item["id"] == "i1"

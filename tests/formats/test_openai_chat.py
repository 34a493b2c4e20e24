"""Chat-completion chunks: the text is guarded, everything else passes, in order."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from guardstream import AdapterError, Guard, Policy, StageError
from guardstream.formats import OpenAIChat, detect
from guardstream.formats.detection.table import formats_of
from guardstream.stream.result import ToolCall
from tests.formats.chunks import accumulate, call, chunk, model, whole
from tests.support.sources import Source, broken_guard

POLICY = """
rules:
  - {id: word, words: [secret], replacement: "*"}
  - {id: bad, words: [forbidden], action: block}
  - {id: enough, words: [enough], action: stop}
"""

Make = Callable[[dict[str, Any]], Any]


@pytest.fixture(params=[pytest.param(copy.deepcopy, id="dict"), pytest.param(model, id="object")])
def make(request: pytest.FixtureRequest) -> Make:
    """Chunks as plain dicts and as the SDK's objects."""
    made: Make = request.param
    return made


def guarded(chunks: list[Any], **options: Any) -> list[Any]:
    return list(Guard(Policy.parse(POLICY)).wrap_sync(chunks, **options))


def plain(chunks: list[Any]) -> list[dict[str, Any]]:
    return [
        item if isinstance(item, dict) else item.model_dump(exclude_unset=True) for item in chunks
    ]


def calling(chunks: list[Any]) -> list[dict[str, Any]]:
    choices = [choice for item in plain(chunks) for choice in item["choices"]]
    return [choice for choice in choices if choice["delta"].get("tool_calls")]


def stream(text: list[str], *, finish: str = "stop") -> list[dict[str, Any]]:
    """A usual answer: role, text, finish reason, usage."""
    return [
        chunk({"role": "assistant", "content": "", "refusal": None}),
        *[chunk({"content": part}) for part in text],
        chunk({}, finish=finish),
        whole([], usage={"total_tokens": 7}),
    ]


SCHEMAS = """
rules: [{id: word, words: [secret], replacement: "*"}]
json: {tools: {find: {schema: {required: [q]}}, send: {schema: {required: [to]}}}}
"""


def test_calls_that_take_the_same_index_are_told_apart_by_their_ids(make: Make) -> None:
    first, second, masked = '{"q": "a secret"}', '{"to": "secret"}', '{"to": "******"}'
    for cut in range(1, len(second) + 1):
        called: list[ToolCall] = []
        source = [
            make(chunk(call(0, first[:cut], id="a", type="function", name="find"))),
            make(chunk(call(0, first[cut:]))),
            make(chunk(call(0, second[:cut], id="b", type="function", name="send"))),
            make(chunk(call(0, second[cut:]))),
            make(chunk(call(0, second, id="c", type="function", name="send"))),
            make(chunk(finish="tool_calls")),
        ]
        stream = Guard(Policy.parse(SCHEMAS)).wrap_sync(source, on_tool_call=called.append)
        out = list(stream)
        assert stream.finish == "tool_calls"
        assert [(each.id, each.name, each.arguments) for each in called] == [
            ("a", "find", '{"q": "a ******"}'),
            ("b", "send", masked),
            ("c", "send", masked),
        ]
        assert stream.result.tool_calls == tuple(called)
        assert {each["delta"]["tool_calls"][0]["index"] for each in calling(out)} == {0}


@pytest.mark.parametrize("action", ["block", "stop"])
def test_a_call_that_begins_with_the_end_of_a_text_that_a_rule_ends_is_left_out(
    make: Make, action: str
) -> None:
    policy = f"rules: [{{id: bad, words: [forbidden], action: {action}}}]"
    last = chunk(call(0, "{}", id="c", type="function", name="find"), finish="tool_calls")
    source = [chunk({"content": "so forbidden"}), last]
    out = Guard(Policy.parse(policy)).wrap_sync(map(make, source))
    chunks = list(out)
    assert accumulate(chunks) == {(0, "content"): "so "}
    assert not calling(chunks)
    assert out.result.tool_calls == (ToolCall("find", "", "c"),)


def test_a_stage_that_raises_blocks_wherever_it_does(make: Make) -> None:
    boom = make(chunk({"content": "boom"}))
    whole_boom = chunk({"executed_tools": ["boom"]})
    for source in ([boom], [whole_boom]):
        broken = broken_guard().wrap_sync(source)
        with pytest.raises(StageError):
            list(broken)
        assert broken.finish == "error"
    for last in (chunk(finish="stop"), whole([])):
        broken = broken_guard(finishes=False).wrap_sync([make(chunk({"content": "x"})), make(last)])
        assert plain([next(broken)]) == [chunk({"content": "x"})]
        with pytest.raises(StageError):
            list(broken)


@pytest.mark.anyio
async def test_an_asynchronous_stream_is_guarded_alike(make: Make) -> None:
    source = Source([make(item) for item in stream(["my sec", "ret", " sec"])])
    async with Guard(Policy.parse(POLICY)).wrap(source) as out:
        chunks = [item async for item in out]
    assert accumulate(chunks)[0, "content"] == "my ****** sec"
    assert (out.result.text, out.finish, source.closed) == ("my ****** sec", "stop", 1)


def test_an_adapter_that_fails_at_the_end_blocks() -> None:
    class Broken(OpenAIChat):
        def extra(self, chunk: Any, slot: Any, text: str, released: Any) -> Any:  # noqa: ARG002
            raise LookupError

    out = Guard(Policy.parse(POLICY)).wrap_sync([chunk({"content": "sec"})], format=Broken())
    with pytest.raises(AdapterError, match="LookupError"):
        list(out)
    assert out.finish == "error"


UNKNOWN = {
    "delta": chunk({"musings": "text"}),
    "nested delta": chunk({"audio": {"id": "", "lyrics": "text"}}),
    "choice": whole([{"index": 0, "delta": {}, "said": "text"}]),
    "chunk": {**chunk({"content": "x"}), "footnotes": ["text"]},
    "tool call": chunk({"tool_calls": [{"index": 0, "note": "text"}]}),
    "function": chunk({"tool_calls": [{"index": 0, "function": {"notes": {"q": "text"}}}]}),
    "part": chunk({"content": [{"type": "image", "caption": "text"}]}),
    "inner part": chunk({"content": [{"type": "thinking", "thinking": [{"note": "text"}]}]}),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_fields_with_text_are_refused_unless_let_through(make: Make, name: str) -> None:
    source = [make(UNKNOWN[name])]
    with pytest.raises(AdapterError, match="is not known"):
        guarded(source, format="openai_chat", unknown="refuse")
    assert guarded(source, format=OpenAIChat(unknown="pass")) == source


@pytest.mark.parametrize(
    "item",
    [
        chunk({"content": "x"}),
        model(chunk({"content": "x"})),
        SimpleNamespace(choices=[SimpleNamespace(index=0, delta=SimpleNamespace(content="x"))]),
        {"choices": [], "object": ""},
    ],
)
def test_chunks_are_detected(item: Any) -> None:
    assert isinstance(detect(item), OpenAIChat)


@pytest.mark.parametrize(
    "item",
    [
        {"type": "message_start"},
        {"choices": [{"index": 0, "text": "legacy"}], "object": "text_completion"},
        {"choices": [], "object": "text_completion"},
        {"choices": None},
        b"data: {}",
        5,
    ],
)
def test_other_chunks_are_not_taken_for_chat(item: Any) -> None:
    assert "openai_chat" not in formats_of(item)

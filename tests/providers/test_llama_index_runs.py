"""The events of a run of LlamaIndex's agents, as objects of classes that have their fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

import pytest
from pydantic import BaseModel, PrivateAttr

from guardstream import Guard, Policy
from guardstream.providers import detect
from tests.providers.laws import EMPTY, GUARD, cuttings, left_raw
from tests.providers.test_frameworks import MASKED, TEXT, Message, TextBlock


class AgentInput(BaseModel):
    input: list[Message]
    current_agent_name: str = "helper"


class AgentStream(BaseModel):
    delta: str
    response: str
    current_agent_name: str = "helper"
    tool_calls: list[Any] = []
    raw: Any = None


class ToolSelection(BaseModel):
    tool_id: str = "1"
    tool_name: str = "find"
    tool_kwargs: dict[str, Any]


class AgentOutput(BaseModel):
    response: Message
    current_agent_name: str = "helper"
    tool_calls: list[ToolSelection] = []
    raw: Any = None


class ToolCallResult(ToolSelection):
    tool_output: Any = None
    return_direct: bool = False


class StopEvent(BaseModel):
    _result: Any = PrivateAttr(None)

    @property
    def result(self) -> Any:
        return self._result


def said(text: str, role: str = "assistant") -> Message:
    return Message(role=role, blocks=[TextBlock(text=text)])


def run(pieces: Sequence[str]) -> Iterator[Any]:
    """A question, a call of a tool, what it gave, and the answer."""
    whole = "".join(pieces)
    asked = said("is it forbidden?", "user")
    yield AgentInput(input=[asked])
    yield from streamed(pieces)
    call = ToolSelection(tool_kwargs={"q": whole})
    yield AgentOutput(response=said(whole), tool_calls=[call], raw={"text": whole})
    yield call
    yield ToolCallResult(tool_kwargs={"q": whole}, tool_output={"content": whole})
    yield AgentInput(input=[asked, said(whole), said(whole, "tool")])
    yield from streamed(pieces)
    yield AgentOutput(response=said(whole))
    last = StopEvent()
    last._result = said(whole)
    yield last


def streamed(pieces: Sequence[str]) -> Iterator[AgentStream]:
    text = ""
    for piece in pieces:
        text += piece
        yield AgentStream(delta=piece, response=text, raw={"delta": piece})


def deltas(chunks: Sequence[Any]) -> str:
    return "".join(each.delta for each in chunks if isinstance(each, AgentStream))


def test_a_run_is_guarded_and_keeps_its_classes() -> None:
    counts = set()
    for pieces in cuttings(TEXT):
        source = list(run(pieces))
        before = deepcopy(source)
        assert detect(source[0]).name == "llama_index"  # type: ignore[attr-defined]
        assert list(EMPTY.wrap_sync(source)) == source
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        assert deltas(out) == MASKED * 2 == stream.result.text
        assert not left_raw(out)
        assert "secret" not in repr(out[-1].result)
        assert {type(each) for each in out} == {type(each) for each in source}
        assert source == before
        counts.add((stream.finish, len(stream.findings)))
    assert len(counts) == 1
    assert stream.finish == "stop"


def test_calls_are_those_of_an_agents_output() -> None:
    """Its stream tells them so far, as they can be read; the last output is told all once more."""
    for pieces in cuttings(TEXT):
        whole = "".join(pieces)
        so_far = [None, whole, whole]
        stream = [
            AgentStream(
                delta="", response="", tool_calls=[ToolSelection(tool_kwargs={"q": each})], raw={}
            )
            for each in so_far
        ]
        calls = [ToolSelection(tool_kwargs={"q": whole})]
        last = AgentOutput(response=said("so"))

        def source(
            stream: Sequence[Any] = stream, calls: Any = calls, last: AgentOutput = last
        ) -> Iterator[Any]:
            yield from stream
            yield AgentOutput(response=said(""), tool_calls=calls)
            yield last
            last.tool_calls.extend(calls)  # as its agent does

        guarded = GUARD.wrap_sync(source())
        out = list(guarded)
        assert not left_raw(out)
        assert [each.arguments for each in guarded.result.tool_calls] == [
            '{"q":"a ######, no sec"}'
        ]
        again = GUARD.wrap_sync([*out[:-1], last])
        list(again)
        assert len(again.result.tool_calls) == 1


def test_text_that_repeats_while_a_call_is_told_is_no_new_text() -> None:
    for pieces in cuttings(TEXT):
        calls = [ToolSelection(tool_kwargs={"q": "a" * size}) for size in range(60)]
        repeats = [AgentStream(delta="", response=TEXT, tool_calls=[each]) for each in calls]
        source = [*streamed(pieces), *repeats]
        assert list(EMPTY.wrap_sync(source)) == source
        stream = GUARD.wrap_sync([*source, AgentOutput(response=said(TEXT))])
        out = list(stream)
        assert deltas(out) == MASKED == stream.result.text
        assert all(MASKED.startswith(each.response) for each in out[:-1])
        assert out[-1].response.blocks[0].text == MASKED


def test_what_stops_a_run_tells_no_more_than_its_output() -> None:
    last = StopEvent()
    last._result = AgentOutput(response=said("a secret"), raw={"delta": "ret"})
    out = list(GUARD.wrap_sync([*streamed(["a sec", "ret"]), last]))
    assert out[-1].result.response.blocks[0].text == "a ######"
    assert out[-1].result.raw is None


@pytest.mark.parametrize("at", range(5))
def test_a_block_ends_a_run(at: int) -> None:
    source = list(run(["all for", "bidden fruit"]))
    stream = GUARD.wrap_sync(source[at:])
    out = list(stream)
    assert stream.finish == "content_filter"
    assert "forbidden" not in repr(out)


KEY = "AKIAIOSFODNN7EXAMPLE"
BY_KEY = Guard(Policy.parse("rules: [{id: key, pattern: 'AKIA[A-Z0-9]{16}'}]"))


@pytest.mark.parametrize("name", ["raw_input", "raw_output"])
def test_no_field_of_a_tools_own_value_is_taken_for_a_mark(name: str) -> None:
    output = {"blocks": [], "tool_name": "find", name: {"rows": [{"id": KEY, "role": KEY}]}}
    called = {"tool_name": "find", "tool_kwargs": {"id": "a"}, "tool_id": "c1"}
    typed = {"current_agent_name": "a", "response": {"role": "assistant", "blocks": []}}
    events = [{**called, "tool_output": output}, {**typed, "structured_response": {"id": KEY}}]
    for event in events:
        assert KEY not in str(list(BY_KEY.wrap_sync([event], provider="llama_index")))

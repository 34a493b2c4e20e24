"""The events of an AG2 agent's run, as objects with the fields of its own, and as dicts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.formats import detect
from guardstream.formats.frameworks.ag2 import AG2
from tests.laws.asked import ARGUMENTS, EMPTY, GUARD, MASKED, cuttings, left_raw, unchanged
from tests.support.samples.ag2 import (
    Announcement,
    BaseEvent,
    ModelMessage,
    ModelMessageChunk,
    ModelReasoning,
    ModelRequest,
    ModelResponse,
    OpenAIReasoningEvent,
    OpenAIShellCommandChunk,
    TaskCompleted,
    TaskProgress,
    TextInput,
    ToolCallEvent,
    ToolCallsEvent,
    ToolErrorEvent,
    ToolResult,
    ToolResultEvent,
    ToolResultsEvent,
    TranscriptionChunkEvent,
    TranscriptionCompletedEvent,
)
from tests.support.samples.agents import BLOCKED, TEXT, guarded

SAID = "a ######, no sec"


@pytest.fixture(autouse=True)
def _package(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("ag2.events.types")
    for kind in (ModelMessageChunk, ModelMessage, ModelResponse):
        setattr(module, kind.__name__, kind)
    monkeypatch.setitem(sys.modules, "ag2.events.types", module)


def run(
    pieces: Sequence[str], arguments: str = ARGUMENTS, *, streams: bool = True
) -> Iterator[BaseEvent]:
    """A run with reasoning, a call, its result, and an answer; each response repeats its text."""
    text = "".join(pieces)
    yield ModelRequest([TextInput("what is it?")])
    calls = ToolCallsEvent([ToolCallEvent("find", arguments)])
    result = ToolResultEvent("c1", "find", ToolResult([TextInput("it is a secret")]))
    for called in (calls, ToolCallsEvent()):
        if streams:
            yield from map(ModelReasoning, pieces)
            yield from map(ModelMessageChunk, pieces)
            yield ModelMessage(text)
        yield ModelResponse(ModelMessage(text), called, {"total_tokens": 7})
        if called:
            yield from (called, called.calls[0], result, ToolResultsEvent([result]))


def as_dicts(value: Any) -> Any:
    """Events as AG2 stores them."""
    if isinstance(value, list):
        return [*map(as_dicts, value)]
    if not hasattr(value, "__dict__"):
        return value
    kind = {"__event__": f"ag2.events.{type(value).__name__}"}
    own = {name: each for name, each in vars(value).items() if not name.startswith("_")}
    return kind | {name: as_dicts(each) for name, each in own.items()}


def told(out: Sequence[Any], kind: type[Any] = ModelMessageChunk) -> str:
    return "".join(each.content for each in out if isinstance(each, kind))


@pytest.mark.parametrize("streams", [True, False])
def test_a_run_is_guarded_piece_by_piece_and_where_it_is_repeated(streams: bool) -> None:
    for pieces in cuttings(TEXT):
        source = [*run(pieces, streams=streams)]
        assert isinstance(detect(source[0]), AG2)
        assert list(EMPTY.wrap_sync(source)) == source
        assert unchanged(as_dicts(source))
        out, result = guarded(source)
        assert not left_raw(out)
        assert not left_raw(guarded(as_dicts(source))[0])
        said = SAID * 2
        assert (result.text, result.finish, result.usage) == (said, "stop", {"total_tokens": 7})
        assert [(each.name, each.id, each.arguments) for each in result.tool_calls] == [
            ("find", "c1", MASKED)
        ]
        responses = [each for each in out if isinstance(each, ModelResponse)]
        assert [each.message and each.message.content for each in responses] == [SAID, SAID]
        if streams:
            assert (told(out), told(out, ModelReasoning)) == (said, said)


def test_a_text_goes_on_in_the_next_response() -> None:
    for cut in range(1, 6):
        pieces = "a secret"[: 2 + cut], "a secret"[2 + cut :]
        source = [
            event
            for piece in pieces
            for event in (ModelMessageChunk(piece), ModelResponse(ModelMessage(piece)))
        ]
        for events in (source, source[1::2]):
            out, result = guarded(events)
            assert "secret" not in result.text
            assert "secret" not in told(out)


def test_a_call_is_copied_because_its_agent_adds_to_it_what_its_arguments_say() -> None:
    call = ToolCallEvent("find", ARGUMENTS)
    source = [ModelResponse(None, ToolCallsEvent([call])), ToolCallsEvent([call]), call]
    out: list[Any] = []
    for event in GUARD.wrap_sync(source):
        out.append(event)
        assert "secret" in str(call.serialized_arguments)
    assert not left_raw(out)
    assert out[-1].serialized_arguments == json.loads(MASKED)
    assert vars(call)["_serialized_arguments"] is not None


def test_what_the_provider_sent_goes_where_the_text_changed() -> None:
    item = {"summary": [{"text": TEXT}], "encrypted_content": TEXT}
    out, result = guarded([OpenAIReasoningEvent(TEXT, item)])
    assert not left_raw(out)
    assert {type(each) for each in out} == {OpenAIReasoningEvent}
    assert result.thinking == told(out, ModelReasoning) == SAID


def test_what_a_task_says_is_a_text_of_its_own() -> None:
    for pieces in cuttings(TEXT):
        source: list[Any] = []
        for piece in pieces:
            source += [TaskProgress("t1", piece), TaskProgress("t2", piece), ModelMessageChunk("b")]
        source += [TaskCompleted("t1", TEXT), TaskCompleted("t2", {"id": TEXT})]
        assert unchanged(source)
        out, result = guarded(source)
        assert not left_raw(out)
        assert result.text == "b" * len(pieces)
        for task in ("t1", "t2"):
            parts = [each for each in out if isinstance(each, TaskProgress)]
            assert "".join(each.content for each in parts if each.task_id == task) == SAID
        over = [each.result for each in out if isinstance(each, TaskCompleted)]
        assert over == [SAID, {"id": SAID}]


def test_what_a_task_says_goes_on_after_a_response() -> None:
    response = ModelResponse(ModelMessage("so"))
    source = [TaskProgress("t1", "a sec"), response, TaskProgress("t1", "ret, no")]
    out, _ = guarded(source)
    told = [each.content for each in out if isinstance(each, TaskProgress)]
    assert "".join(told) == "a ######, no"


def test_what_the_user_says_is_a_text_of_its_own() -> None:
    for pieces in cuttings(TEXT):
        said = [*map(TranscriptionChunkEvent, pieces), TranscriptionCompletedEvent(TEXT)]
        out, result = guarded([*said, *said])
        assert not left_raw(out)
        assert result.text == ""
        chunks = [each.content for each in out if isinstance(each, TranscriptionChunkEvent)]
        assert "".join(chunks) == SAID * 2


def test_commands_are_what_a_tool_is_asked() -> None:
    for pieces in cuttings(TEXT):
        source = [OpenAIShellCommandChunk(each, place) for each in pieces for place in (0, 1)]
        out, result = guarded(source)
        for place in (0, 1):
            assert "".join(each.content for each in out if each.command_index == place) == SAID
        assert {each.channel for each in result.findings} == {"tool_args"}


def test_errors_and_unknown_events_are_guarded() -> None:
    failed = ToolErrorEvent("c1", "find", ToolResult([TextInput(TEXT)]), ValueError("a secret"))
    (out, other), _ = guarded([failed, Announcement("a secret")])
    assert not left_raw([vars(out), vars(out.result), out.error.args, other])


def test_a_question_of_the_caller_is_its_own() -> None:
    blocks = Guard(Policy.parse("rules: [{id: b, words: [forbidden], action: block}]"))
    asked = ModelRequest([TextInput("what is forbidden?")])
    out, result = guarded([asked, ModelMessageChunk("so")], blocks)
    assert (result.finish, out) == ("stop", [ModelMessageChunk("so")])


def test_a_block_ends_with_a_response() -> None:
    for pieces in cuttings(BLOCKED):
        source = [*map(ModelMessageChunk, pieces)]
        out, result = guarded(source)
        assert result.finish == out[-1].finish_reason == "content_filter"
        assert told(out) == out[-1].message.content == "well for\n"
        out, _ = guarded(as_dicts(source))
        assert out[-1]["finish_reason"] == "content_filter"


def test_a_blocks_message_is_a_piece_of_text() -> None:
    blocks = Guard(
        Policy.parse("block_message: No.\nrules: [{id: b, words: [forbidden], action: block}]")
    )
    out, _ = guarded([ModelRequest([TextInput("hi")]), ModelMessage("forbidden")], blocks)
    assert out[-2] == ModelMessageChunk("No.")
    assert not left_raw(out, "forbidden")


def test_a_stop_ends_with_the_text_so_far() -> None:
    stops = Guard(Policy.parse("limits: {stop: [', no']}"))
    out, result = guarded([*run([TEXT])], stops)
    assert (result.finish, out[-1].finish_reason) == ("stop", "stop")
    assert not left_raw(out, ", no")

"""AG-UI's events as objects of the `ag-ui-protocol` package."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import pytest
from pydantic import TypeAdapter

from guardstream import AdapterError
from guardstream.providers import detect
from tests.providers.laws import ARGUMENTS, EMPTY, GUARD, MASKED, cuttings, left_raw, unchanged
from tests.providers.test_interfaces import Event, ag_ui
from tests.support.optional import optional

core = optional("ag_ui.core")

EVENT: Any = TypeAdapter(core.Event)


def told(pieces: Sequence[str]) -> list[Any]:
    """A run: thinking, an answer, a call, what comes after it."""
    run = [each for each in ag_ui(pieces) if not each["type"].startswith("THINKING")]
    thinking: list[Event] = [
        {"type": "REASONING_START", "messageId": "n"},
        {"type": "REASONING_MESSAGE_START", "messageId": "n", "role": "reasoning"},
        *(
            {"type": "REASONING_MESSAGE_CONTENT", "messageId": "n", "delta": piece}
            for piece in pieces
        ),
        {"type": "REASONING_MESSAGE_END", "messageId": "n"},
        {"type": "REASONING_END", "messageId": "n"},
    ]
    call = {"id": "call_1", "function": {"name": "find", "arguments": "".join(pieces)}}
    said = {"id": "m", "role": "assistant", "content": "".join(pieces), "toolCalls": [call]}
    rest: list[Event] = [
        {"type": "MESSAGES_SNAPSHOT", "messages": [said]},
        {"type": "CUSTOM", "name": "note", "value": {"a secret": ["a secret"]}},
    ]
    last = {**run[-1], "result": "a secret", "outcome": {"type": "success"}}
    events = [run[0], *thinking, *run[1:-1], *rest, last]
    return [EVENT.validate_python({"messageId": "m", **each}) for each in events]


def deltas(chunks: Sequence[Any], kind: type[Any]) -> str:
    return "".join(each.delta for each in chunks if isinstance(each, kind))


def test_objects_of_ag_ui_are_guarded_and_keep_their_classes() -> None:
    for pieces in cuttings(ARGUMENTS):
        source = told(pieces)
        before = deepcopy(source)
        assert detect(source[0]).name == "ag_ui"  # type: ignore[attr-defined]
        assert unchanged(source)
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        for kind in (
            core.TextMessageContentEvent,
            core.ReasoningMessageContentEvent,
            core.ToolCallArgsEvent,
        ):
            assert deltas(out, kind) == MASKED
        assert stream.result.text == MASKED
        assert not left_raw(out)
        assert {type(each) for each in out} == {type(each) for each in source}
        assert source == before


def test_what_the_caller_asked_does_not_end_a_run() -> None:
    asked = {
        **{"threadId": "t", "runId": "r", "state": {}, "tools": [], "context": []},
        "messages": [{"id": "u", "role": "user", "content": "forbidden"}],
        "forwardedProps": {},
    }
    begun = {"type": "RUN_STARTED", "threadId": "t", "runId": "r"}
    source = [EVENT.validate_python({**begun, "input": asked}), *told(["so"])[1:]]
    stream = GUARD.wrap_sync(source)
    out = list(stream)
    assert stream.finish == "stop"
    assert "forbidden" not in str(out)


def test_a_block_ends_the_run_with_its_ids() -> None:
    class Mine(core.TextMessageContentEvent):
        pass

    source: list[Any] = [
        Mine(**dict(each)) if isinstance(each, core.TextMessageContentEvent) else each
        for each in told(["all for", "bidden fruit", "!"])
    ]
    source = [each for each in source if "REASONING" not in each.type]
    stream = GUARD.wrap_sync(source)
    out = list(stream)
    assert [type(each) for each in out[-2:]] == [core.TextMessageEndEvent, core.RunFinishedEvent]
    assert (out[-1].thread_id, out[-1].run_id) == ("t", "r")
    assert deltas(out, Mine) == "all "
    assert stream.finish == "content_filter"


def test_a_block_ends_a_part_of_a_run_with_its_message() -> None:
    source = [each for each in told(["all forbidden"]) if "TEXT" in each.type]
    out = list(GUARD.wrap_sync(source))
    assert isinstance(out[-1], core.TextMessageEndEvent)
    assert deltas(out, core.TextMessageContentEvent) == "all "


def test_objects_that_stand_for_no_json_are_guarded_by_their_fields() -> None:
    class Raw:
        def __init__(self, said: str) -> None:
            self.said = said

    def source(said: str) -> list[Any]:
        return [
            core.TextMessageStartEvent(message_id="m", role="assistant"),
            core.TextMessageContentEvent(message_id="m", delta="so", raw_event=Raw(said)),
        ]

    assert unchanged(source("no more"))
    assert list(EMPTY.wrap_sync(source("a secret")))[1].raw_event.said == "a secret"
    out = list(GUARD.wrap_sync(source("a secret")))
    assert "a secret" not in str([vars(each) for each in out])
    assert out[1].delta == "so"


def test_an_object_that_is_no_event_is_refused() -> None:
    source = [*told(["so"])[:2], object()]
    with pytest.raises(AdapterError, match="ag_ui: a 'object' is not an event"):
        list(GUARD.wrap_sync(source))


def test_a_blocked_run_of_objects_ends_its_steps() -> None:
    run = told(['"so ', 'forbidden"'])
    source = [run[0], core.StepStartedEvent(step_name="plan"), *run[1:]]
    stream = GUARD.wrap_sync(source)
    last = list(stream)[-2:]
    assert stream.finish == "content_filter"
    assert [type(each) for each in last] == [core.StepFinishedEvent, core.RunFinishedEvent]
    assert last[0].step_name == "plan"


def test_a_run_of_objects_in_which_a_call_is_cut_fails() -> None:
    begun, *_ = told(["so"])
    call = core.ToolCallStartEvent(tool_call_id="c", tool_call_name="find")
    args = core.ToolCallArgsEvent(tool_call_id="c", delta='{"q": "forbidden"}')
    last = list(GUARD.wrap_sync([begun, call, args]))[-1]
    assert isinstance(last, core.RunErrorEvent)
    assert "content_filter" in last.message

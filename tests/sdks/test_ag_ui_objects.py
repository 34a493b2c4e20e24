"""AG-UI's events as objects of the `ag-ui-protocol` package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import TypeAdapter

from guardstream import AdapterError
from tests.laws.asked import EMPTY, GUARD, unchanged
from tests.support.optional import optional
from tests.support.samples.interfaces import Event, ag_ui

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

"""AgentScope's events, the responses of its models, and the messages that its agents print."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from itertools import accumulate
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, create_model

from guardstream import AdapterError
from guardstream.formats import detect
from tests.laws.asked import ARGUMENTS, GUARD, MASKED, cuttings, guarded, left_raw, unchanged
from tests.support.samples.agentscope import Message

Event = dict[str, Any]

# The events of a reply


def said(kind: str, **fields: Any) -> Event:
    return {
        **{"id": "e1", "created_at": "2026-01-01T00:00:00", "metadata": {}},
        **{"type": kind, "reply_id": "r1", **fields},
    }


def streamed(name: str, pieces: Sequence[str], begun: Event, **own: Any) -> list[Event]:
    return [
        said(f"{name}_START", **own, **begun),
        *(said(f"{name}_DELTA", **own, delta=piece) for piece in pieces),
        said(f"{name}_END", **own),
    ]


def blocks(pieces: Sequence[str]) -> list[Event]:
    """All of a reply once more."""
    whole = "".join(pieces)
    return [
        {"type": "thinking", "id": "b0", "thinking": whole},
        {"type": "text", "id": "b1", "text": whole},
        call("".join(pieces)),
        {"type": "tool_result", "id": "call_1", "name": "find", "output": "so a secret"},
    ]


def call(arguments: str) -> Event:
    return {"type": "tool_call", "id": "call_1", "name": "find", "input": arguments}


def reply(pieces: Sequence[str]) -> list[Event]:
    returned = ("so a sec", "ret")
    end = said("TEXT_BLOCK_END", block_id="b1", text="".join(pieces))
    return [
        said("REPLY_START", session_id="s1", name="Friday", role="assistant"),
        said("MODEL_CALL_START", model_name="m-1"),
        *streamed("THINKING_BLOCK", pieces, {}, block_id="b0"),
        *streamed("TEXT_BLOCK", pieces, {}, block_id="b1")[:-1],
        end,
        *streamed("TOOL_CALL", pieces, {"tool_call_name": "find"}, tool_call_id="call_1"),
        said("MODEL_CALL_END", input_tokens=3, output_tokens=4),
        said("REQUIRE_USER_CONFIRM", tool_calls=[call("".join(pieces))]),
        said("TOOL_RESULT_START", tool_call_id="call_1", tool_call_name="find"),
        *(said("TOOL_RESULT_TEXT_DELTA", tool_call_id="call_1", delta=each) for each in returned),
        said("TOOL_RESULT_END", tool_call_id="call_1", state="success"),
        said("HINT_BLOCK", block_id="b2", source="alice", hint="a secret"),
        said("HINT_BLOCK", block_id="b3", hint=[{"type": "text", "text": "a secret"}]),
        said("CUSTOM", name="mcp_progress", value={"message": "a secret"}),
        said("REPLY_END", session_id="s1", finished_reason="completed", error=None),
    ]


def message(pieces: Sequence[str]) -> Event:
    """The message that may come last."""
    return {"name": "Friday", "role": "assistant", "id": "r1", "content": blocks(pieces)}


class Reported(BaseModel):
    model_config = ConfigDict(extra="allow")

    type: str
    reply_id: str
    id: str = "e1"


def test_objects_are_guarded_and_keep_their_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("agentscope.event")
    monkeypatch.setitem(sys.modules, "agentscope.event", module)

    def made(event: Event) -> Any:
        name = event["type"].title().replace("_", "") + "Event"
        if not hasattr(module, name):
            kind = create_model(name, __base__=Reported, __module__="agentscope.event")
            setattr(module, name, kind)
        return getattr(module, name)(**event)

    for pieces in cuttings(ARGUMENTS):
        source = list(map(made, reply(pieces)))
        assert type(detect(source[0])).name == "agentscope"
        out = list(GUARD.wrap_sync(source))
        assert {type(each) for each in out} == {type(each) for each in source}
        assert not left_raw([each.model_dump() for each in out])
        said_so = [each.delta for each in out if each.type == "TEXT_BLOCK_DELTA"]
        assert "".join(said_so) == MASKED
    assert unchanged(list(map(made, reply(["{}"]))))
    with pytest.raises(AdapterError, match="agentscope: a 'object' is not an event"):
        list(GUARD.wrap_sync([made(reply(["{}"])[0]), object()]))


# Responses of models


def response(*content: Event, is_last: bool = False, **fields: Any) -> Event:
    """A response as of version 2, with what is new."""
    stamps = {"id": "resp1", "created_at": "2026-01-01T00:00:00", "type": "chat_response"}
    more = {"usage": None, "finished_reason": "completed", "metadata": {}}
    return {"content": [*content], "is_last": is_last, **stamps, **more, **fields}


def text(said: str, *, is_last: bool = False) -> Event:
    """A response with a piece of text, or all of it."""
    return response({"type": "text", "id": "b1", "text": said}, is_last=is_last)


USAGE = {"input_tokens": 1, "output_tokens": 2, "time": 0.5, "type": "chat"}


def told(out: Sequence[Event], kind: str, key: str) -> list[str]:
    return [
        block[key]
        for each in out
        if not each["is_last"]
        for block in each["content"]
        if block["type"] == kind
    ]


# Before version 2: all so far


def contents(pieces: Sequence[str]) -> Iterator[list[Event]]:
    whole = "".join(pieces)
    thinking = {"type": "thinking", "thinking": whole}
    text = {"type": "text", "text": whole}
    for so_far in accumulate(pieces):
        yield [{"type": "thinking", "thinking": so_far}]
    for so_far in accumulate(pieces):
        yield [thinking, {"type": "text", "text": so_far}]
    for so_far in accumulate(pieces):
        use = {"type": "tool_use", "id": "call_1", "name": "find"}
        yield [thinking, text, {**use, "input": parsed(so_far), "raw_input": so_far}]


def parsed(raw: str) -> Any:
    """The arguments so far, of which the end may be missing."""
    for rest in ("", "}", '"}', ': ""}', '": ""}'):
        try:
            return json.loads(raw + rest)
        except ValueError:
            continue
    return {}


def so_far(pieces: Sequence[str]) -> list[Event]:
    stamps = {"id": "resp1", "created_at": "2026-01-01 00:00:00.000", "type": "chat"}
    more = {"usage": USAGE, "metadata": None}
    return [{"content": content, **stamps, **more} for content in contents(pieces)]


def printed(pieces: Sequence[str]) -> list[tuple[Message, bool]]:
    told = [Message(content) for content in contents(pieces)]
    results = [
        Message(
            [
                {
                    **{"type": "tool_result", "id": "call_1", "name": "find"},
                    "output": [{"type": "text", "text": text}],
                }
            ],
            **{"name": "system", "role": "system", "id": "m2"},
        )
        for text in accumulate(("so a sec", "ret"))
    ]
    return [
        *((each, False) for each in told),
        (told[-1], True),
        *((each, False) for each in results),
        (results[-1], True),
    ]


@pytest.mark.parametrize("make", [so_far, printed])
def test_texts_so_far_show_no_part_of_a_match(make: Callable[..., list[Any]]) -> None:
    for pieces in cuttings(ARGUMENTS):
        source = make(pieces)
        before = deepcopy(source)
        out, result = guarded(source, "agentscope_messages")
        assert source == before
        assert result.finish == "stop"
        assert {type(each) for each in out} == {type(each) for each in source}
        last = next(each[0] for each in out if each[1]) if make is printed else out[-1]
        thinking, text, use = last.content if make is printed else last["content"]
        assert (thinking["thinking"], text["text"], use["raw_input"]) == (MASKED, MASKED, MASKED)
        assert use["input"] == json.loads(MASKED)
        for each in out:
            content = each[0].content if make is printed else each["content"]
            assert '"a s' not in json.dumps(content).replace("\\", "")
        if make is printed:
            assert out[-1][0].content[0]["output"][0]["text"] == "so a ######"
            assert [each[1] for each in out].count(True) == 2
    assert unchanged(make(['{"q": "so', '"}']))

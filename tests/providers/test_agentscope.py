"""AgentScope's events, the responses of its models, and the messages that its agents print."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import accumulate
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, create_model

from guardstream import AdapterError, Guard, Policy
from guardstream.providers import detect
from tests.providers.laws import (
    ARGUMENTS,
    GUARD,
    MASKED,
    cuttings,
    events,
    guarded,
    in_any_cut,
    left_raw,
    unchanged,
)

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


def answer(pieces: Sequence[str]) -> list[Event]:
    """A reply that has only text."""
    return [
        said("REPLY_START", session_id="s1", name="Friday", role="assistant"),
        *streamed("TEXT_BLOCK", pieces, {}, block_id="b1"),
        said("REPLY_END", session_id="s1", finished_reason="completed"),
    ]


def message(pieces: Sequence[str]) -> Event:
    """The message that may come last."""
    return {"name": "Friday", "role": "assistant", "id": "r1", "content": blocks(pieces)}


def deltas(out: Sequence[Event], kind: str) -> str:
    return "".join(each["delta"] for each in out if each.get("type") == kind)


def test_every_text_of_a_reply_is_masked_in_any_cut() -> None:
    for pieces in cuttings(ARGUMENTS):
        source = [*reply(pieces), message(pieces)]
        before = deepcopy(source)
        out, result = guarded(source, "agentscope")
        assert source == before
        assert deltas(out, "TOOL_RESULT_TEXT_DELTA") == "so a ######"
        assert [each["text"] for each in out if "text" in each] == [MASKED]
        told = [block[name] for block, name in zip(out[-1]["content"], KEYS, strict=True)]
        assert told == [MASKED, MASKED, MASKED, "so a ######"]
        assert result.usage == {"input_tokens": 3, "output_tokens": 4}
        assert result.finish == "stop"


KEYS = ("thinking", "text", "input", "output")


def test_an_empty_policy_changes_no_event() -> None:
    source = [*reply(['{"q": ', "1}"]), message(['{"q": ', "1}"])]
    assert unchanged(source)
    wire = events(*source)
    assert in_any_cut(wire) == wire


def test_a_block_ends_the_open_block_and_the_reply() -> None:
    out = list(GUARD.wrap_sync(reply(["all for", "bidden fruit"])[:2] + reply(["x"])[5:6]))
    assert not any(each["type"] == "REPLY_END" for each in out)
    stream = GUARD.wrap_sync(
        [each for each in reply(["all for", "bidden!"]) if "THINK" not in str(each)]
    )
    out = list(stream)
    assert stream.finish == "content_filter"
    assert deltas(out, "TEXT_BLOCK_DELTA") == "all "
    assert [each["type"] for each in out[-2:]] == ["TEXT_BLOCK_END", "REPLY_END"]
    assert out[-1]["finished_reason"] == "interrupted"
    assert (out[-1]["reply_id"], out[-1]["session_id"]) == ("r1", "s1")


def test_a_reply_that_failed_drops_what_is_held() -> None:
    failed = said(
        "REPLY_END", finished_reason="error", error={"type": "upstream", "message": "a secret"}
    )
    source = [*reply(["a sec"])[5:7], failed]
    stream = GUARD.wrap_sync(source)
    out = list(stream)
    assert stream.finish == "error"
    assert out[-1]["error"]["message"] == "a ######"
    assert deltas(out, "TEXT_BLOCK_DELTA") == "a "


def test_another_reply_in_the_same_stream_is_guarded_too() -> None:
    second = [{**each, "reply_id": "r2"} for each in reply(["no secret"])]
    out = list(GUARD.wrap_sync([*reply(["so "]), *second]))
    assert not left_raw(out)
    assert deltas(out, "TEXT_BLOCK_DELTA") == "so no ######"


def test_ids_that_were_left_out_are_in_no_added_event() -> None:
    result = streamed("TOOL_RESULT_TEXT", ["a sec"], {}, tool_call_id="the secret")
    result[0] = said("TOOL_RESULT_START", tool_call_id="the secret", tool_call_name="find")
    result[-1] = said("TOOL_RESULT_END", tool_call_id="the secret", state="success")
    for source in (result, [said("REPLY_START", session_id="the secret"), *result[:2]]):
        out = list(GUARD.wrap_sync(source))
        assert deltas(out, "TOOL_RESULT_TEXT_DELTA") == "a sec"
        assert "secret" not in str(out)


class Block(BaseModel):
    model_config = ConfigDict(extra="allow")

    type: str


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


def responses(pieces: Sequence[str]) -> list[Event]:
    return [
        *(response({"type": "thinking", "id": "b0", "thinking": piece}) for piece in pieces),
        *(response({"type": "text", "id": "b1", "text": piece}) for piece in pieces),
        *(response(call(piece)) for piece in pieces),
        response(usage=USAGE),
        response(*blocks(pieces)[:-1], is_last=True, usage=USAGE),
    ]


def told(out: Sequence[Event], kind: str, key: str) -> list[str]:
    return [
        block[key]
        for each in out
        if not each["is_last"]
        for block in each["content"]
        if block["type"] == kind
    ]


def test_every_text_of_a_response_is_masked_in_any_cut() -> None:
    for pieces in cuttings(ARGUMENTS):
        source = responses(pieces)
        before = deepcopy(source)
        out, result = guarded(source, "agentscope_messages")
        assert source == before
        for kind, key in (("text", "text"), ("thinking", "thinking"), ("tool_call", "input")):
            assert "".join(told(out, kind, key)) == MASKED
        last = out[-1]
        assert last["is_last"]
        assert [block[key] for block, key in zip(last["content"], KEYS, strict=False)] == [
            MASKED
        ] * 3
        assert result.usage == USAGE
        assert result.finish == "stop"
    assert unchanged(responses(['{"q": ', "1}"]))


def test_a_blocked_response_ends_without_calls() -> None:
    source = responses(['{"q": "so for', 'bidden"}'])[2:]
    stream = GUARD.wrap_sync(source)
    out = list(stream)
    assert stream.finish == "content_filter"
    assert "call" not in str(out[-1])
    text = {"type": "text", "id": "b1", "text": '{"q": "so '}
    assert out[-1] == response(text, is_last=True, finished_reason="interrupted")


def test_a_block_at_the_end_of_a_text_leaves_out_the_call_after_it() -> None:
    source = [
        response({"type": "text", "id": "b1", "text": "all forbidden"}),
        response({"type": "text", "id": "b1", "text": "all forbidden"}, call("{}"), is_last=True),
    ]
    out = list(GUARD.wrap_sync(source))
    assert "call" not in str(out)
    assert out[-1]["content"] == [{"type": "text", "id": "b1", "text": "all "}]
    assert out[-1]["is_last"]


def test_usage_goes_out_without_the_text_that_is_held() -> None:
    source = [text("a "), {**text("sec"), "usage": USAGE}, text("ret")]
    out = list(GUARD.wrap_sync(source))
    assert [each["usage"] for each in out if each["usage"]] == [USAGE]
    assert "".join(told(out, "text", "text")) == "a ######"


def test_thinking_is_not_held_until_the_end() -> None:
    """A text that begins ends the one before it."""
    out = list(GUARD.wrap_sync(responses(["a sec"])[:2]))
    assert [each["content"][0].get("thinking") for each in out[:2]] == ["a ", "sec"]


# Before version 2: all so far


@dataclass
class Message:
    """A message as agents print it."""

    content: Any
    name: str = "Friday"
    role: str = "assistant"
    metadata: Any = field(default_factory=dict)
    id: str = "m1"
    timestamp: str = "2026-01-01 00:00:00.000"
    invocation_id: Any = None


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


@pytest.mark.parametrize("make", [so_far, printed])
def test_the_last_of_a_blocked_stream_has_no_call(make: Callable[..., list[Any]]) -> None:
    stream = GUARD.wrap_sync(make(['{"q": "so it", "p": "for', 'bidden"}'])[4:])
    out = list(stream)
    assert stream.finish == "content_filter"
    assert "tool_use" not in str(out[-1])
    if make is printed:
        assert out[-1][1] is True


def test_messages_of_several_agents_may_alternate() -> None:
    texts = [
        ("m1", "a sec"),
        ("m2", "so"),
        ("m1", "a secret"),
        ("m2", "so a sec"),
        ("m2", "so a secret"),
    ]
    source = [(Message([{"type": "text", "text": text}], id=own), False) for own, text in texts]
    out = list(GUARD.wrap_sync(source))
    last = {each.id: each.content[0]["text"] for each, _ in out}
    assert last == {"m1": "a ######", "m2": "so a ######"}
    assert not any("sec" in str(each) for each, _ in out)


def test_a_message_may_be_a_plain_text_and_have_speech() -> None:
    spoken = {
        "type": "audio",
        "source": {"type": "base64", "media_type": "audio/wav", "data": "QUJD1"},
    }
    source = [(Message("a sec"), False, None), (Message("a secret"), True, spoken)]
    out = list(GUARD.wrap_sync(source))
    assert out == [(Message("a "), False, None), (Message("a ######"), True, spoken)]


def test_arguments_that_are_no_json_are_guarded_as_a_whole() -> None:
    use = {"type": "tool_use", "id": "call_1", "name": "find"}
    raw = "q is a secret"
    source = [(Message([{**use, "input": {"q": "a secret"}, "raw_input": raw}]), True)]
    assert not left_raw([each.content for each, _ in GUARD.wrap_sync(source)])


@pytest.mark.parametrize("action", ["block", "stop"])
def test_a_call_that_is_cut_does_not_end(action: str) -> None:
    guard = Guard(Policy.parse(f"rules: [{{id: w, words: [forbidden], action: {action}}}]"))
    own = {"tool_call_id": "call_1"}
    source = [
        said("REPLY_START", session_id="s1", name="agent"),
        said("TOOL_CALL_START", tool_call_name="find", **own),
        *(said("TOOL_CALL_DELTA", delta=each, **own) for each in ('{"q": "so for', 'bidden"}')),
        said("TOOL_CALL_END", **own),
        said("REPLY_END", session_id="s1", finished_reason="completed"),
    ]
    out = list(guard.wrap_sync(source))
    kinds = [each["type"] for each in out]
    assert kinds == ["REPLY_START", "TOOL_CALL_START", "TOOL_CALL_DELTA", "REPLY_END"]
    assert out[-1]["finished_reason"] == "interrupted"

"""The messages of Letta's agents, as objects of classes that have their fields, and on the wire."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from copy import deepcopy
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

from guardstream import Guard, Policy
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

DATE = datetime(2026, 1, 1, tzinfo=UTC)


class Delta(BaseModel):
    arguments: str | None = None
    name: str | None = None
    tool_call_id: str | None = None


class Message(BaseModel):
    """A message of any type; what another type has is left out."""

    id: str = "message-1"
    date: datetime = DATE
    message_type: str
    name: str | None = None
    otid: str | None = None
    run_id: str | None = None
    seq_id: int | None = None


class Assistant(Message):
    message_type: str = "assistant_message"
    content: str | list[dict[str, Any]]


class Reasoning(Message):
    message_type: str = "reasoning_message"
    reasoning: str
    signature: str | None = None
    source: str | None = "reasoner_model"


class Calling(Message):
    message_type: str = "tool_call_message"
    tool_call: Delta
    tool_calls: list[Delta] | Delta | None = None


class Returned(Message):
    message_type: str = "tool_return_message"
    status: str = "success"
    tool_call_id: str = "call_1"
    tool_return: str
    stdout: list[str] | None = None
    tool_returns: list[dict[str, Any]] | None = None


class Stop(BaseModel):
    stop_reason: str = "end_turn"
    message_type: str = "stop_reason"


class Usage(BaseModel):
    message_type: str = "usage_statistics"
    completion_tokens: int = 3


def said(pieces: Sequence[str], own: str = "message-1") -> list[Any]:
    return [Assistant(id=own, content=piece) for piece in pieces]


def called(pieces: Sequence[str], own: str = "call_1", **more: Any) -> list[Any]:
    begun = Calling(tool_call=Delta(name="find", arguments="", tool_call_id=own), **more)
    rest = [Calling(tool_call=Delta(arguments=piece, tool_call_id=own), **more) for piece in pieces]
    return [begun, *rest]


def step(pieces: Sequence[str]) -> list[Any]:
    returned: dict[str, Any] = {"tool_return": "a secret", "stdout": ["a secret"]}
    result = {"type": "tool", "status": "success", "tool_call_id": "call_1", **returned}
    return [
        *(Reasoning(reasoning=piece) for piece in pieces),
        *called(pieces),
        Message(message_type="ping", id="ping-1"),
        Returned(id="message-2", **returned, tool_returns=[result]),
        *said(pieces, "message-3"),
        Stop(),
        Usage(),
    ]


def as_dicts(source: Sequence[Any]) -> list[dict[str, Any]]:
    return [json.loads(each.model_dump_json(exclude_none=True)) for each in source]


def text(chunks: Sequence[Any], own: str | None = None) -> str:
    found = [each for each in chunks if isinstance(each, Assistant) and own in (None, each.id)]
    return "".join(each.content if isinstance(each.content, str) else "|" for each in found)


def arguments(chunks: Sequence[Any], own: str = "call_1") -> str:
    found = [each.tool_call for each in chunks if isinstance(each, Calling)]
    return "".join(call.arguments or "" for call in found if call.tool_call_id == own)


def test_every_text_is_masked_in_any_cut() -> None:
    for pieces in cuttings(ARGUMENTS):
        source = step(pieces)
        before = deepcopy(source)
        out, result = guarded(source, "letta")
        assert (text(out), arguments(out)) == (MASKED, MASKED)
        assert result.finish == "stop"
        assert [type(each) for each in out[-2:]] == [Stop, Usage]
        assert {each.message_type for each in out} == {each.message_type for each in source}
        assert source == before


def test_dicts_and_bytes_say_the_same() -> None:
    for pieces in cuttings(ARGUMENTS):
        told = as_dicts(list(GUARD.wrap_sync(step(pieces))))
        out, _ = guarded(as_dicts(step(pieces)), "letta")
        assert as_dicts([Message(**each) for each in out if "id" in each]) == as_dicts(
            [Message(**each) for each in told if "id" in each]
        )
    wire = events(*as_dicts(step(['"a sec', 'ret"']))) + b"data: [DONE]\n\n"
    assert b"secret" not in in_any_cut(wire, GUARD)
    assert in_any_cut(wire) == wire


def test_an_empty_policy_changes_nothing() -> None:
    signed = Reasoning(reasoning="", signature="EqoBCkgIBRAB")
    assert unchanged([*step(['{"a"', ": 1}"]), signed])
    assert unchanged(as_dicts([*step(['{"a"', ": 1}"]), signed]))


@pytest.mark.parametrize("first", [*step(["so"]), Message(message_type="user_message")])
def test_a_stream_may_begin_with_any_message(first: Any) -> None:
    assert detect(first).name == "letta"  # type: ignore[attr-defined]


def test_other_formats_may_have_types_of_the_same_names() -> None:
    for kind in ("ping", "assistant_message", "stop_reason"):
        first = {"message_type": kind, "content": "so"}
        assert detect(first).name == "json"  # type: ignore[attr-defined]


def test_a_message_ends_before_the_next_but_not_at_a_ping() -> None:
    ping = Message(message_type="ping", id="ping-1")
    out = list(GUARD.wrap_sync([*said(["a sec"]), ping, *said(["ret sec"]), *said(["ret"], "m-2")]))
    assert (text(out, "message-1"), text(out, "m-2")) == ("a ###### sec", "ret")
    assert [each.id for each in out][-1] == "m-2"


def test_parts_of_a_step_with_one_id_are_texts_of_their_own() -> None:
    source = [Reasoning(reasoning="a sec"), *said(["ret"])]
    assert left_raw(source, "ret")
    out: list[Any] = list(GUARD.wrap_sync(source))
    assert "".join(each.reasoning for each in out[:-1]) == "a sec"
    assert text(out) == "ret"


def test_a_text_may_come_in_lists() -> None:
    first, second = ([{"type": "text", "text": piece}] for piece in ("a sec", "ret so"))
    out: list[Any] = list(GUARD.wrap_sync([Assistant(content=first), Assistant(content=second)]))
    assert "".join(each.content[0]["text"] for each in out) == "a ###### so"
    assert [len(each.content) for each in out] == [1] * len(out)


@pytest.mark.parametrize("many", [False, True])
def test_a_call_may_be_told_in_two_fields(many: bool) -> None:
    for pieces in cuttings(ARGUMENTS):
        source = called(pieces)
        for each in source:
            also = each.tool_call.model_copy()
            each.tool_calls = [also] if many else also
        stream = GUARD.wrap_sync(source)
        out: list[Any] = list(stream)
        also = [each.tool_calls for each in out if each.tool_calls]
        found = [each for told in also for each in (told if many else [told])]
        assert arguments(out) == "".join(each.arguments for each in found) == MASKED
        [call] = stream.result.tool_calls
        assert (call.name, call.id, call.arguments) == ("find", "call_1", MASKED)


def test_the_end_of_a_call_that_is_cut_off_goes_out_in_its_list() -> None:
    source = called(['{"q": "a secret, a sec'])
    for each in source:
        each.tool_calls = [each.tool_call.model_copy()]
    out: list[Any] = list(GUARD.wrap_sync([*source, *said(["so"], "message-2")]))
    told = [call for each in out[:-1] for call in each.tool_calls or ()]
    assert "".join(call.arguments for call in told) == arguments(out) == '{"q": "a ######, a sec'
    assert {call.tool_call_id for call in told} == {"call_1"}


@pytest.mark.parametrize("one", [{}, {"tool_call": None}])
@pytest.mark.parametrize("rest", ['ret"}', None])
def test_calls_may_be_told_in_the_newer_field_alone(one: dict[str, Any], rest: str | None) -> None:
    first, *_ = as_dicts(called([]))
    del first["tool_call"]
    pieces = ['{"q": "a sec'] if rest is None else ['{"q": "a sec', rest]
    told = [{"name": "find", "arguments": piece, "tool_call_id": "c1"} for piece in pieces]
    source = [{**first, **one, "tool_calls": [each]} for each in told]
    stream = GUARD.wrap_sync([*source, *as_dicts(said(["so"], "message-2"))])
    out: Any = list(stream)
    masked = '{"q": "a sec' if rest is None else '{"q": "a ######"}'
    assert "".join(each["tool_calls"][0]["arguments"] for each in out[:-1]) == masked
    assert [(call.id, call.arguments) for call in stream.result.tool_calls] == [("c1", masked)]


def test_each_of_several_calls_in_a_list_is_told() -> None:
    [first, *_] = called([])
    first.tool_calls = [
        Delta(name=name, arguments='{"q": "a secret"}', tool_call_id=own)
        for name, own in (("find", "call_1"), ("send", "call_2"))
    ]
    first.tool_call = first.tool_calls[0].model_copy()
    stream = GUARD.wrap_sync([first])
    assert not left_raw(list(stream))
    calls = {call.id: (call.name, call.arguments) for call in stream.result.tool_calls}
    masked = '{"q": "a ######"}'
    assert calls == {"call_1": ("find", masked), "call_2": ("send", masked)}


def test_calls_of_one_message_are_texts_of_their_own() -> None:
    one, two = called(['{"q": "a sec', 'ret"}'], "c1"), called(['{"q": "no sec', 'ret"}'], "c2")
    out = list(GUARD.wrap_sync([*one[:2], *two[:2], one[2], two[2]]))
    assert arguments(out, "c1") == '{"q": "a ######"}'
    assert arguments(out, "c2") == '{"q": "no ######"}'


def test_a_later_part_of_a_call_may_leave_out_its_id() -> None:
    source = called(['{"q": "a sec', 'ret"}'])
    source[-1].tool_call.tool_call_id = None
    stream = GUARD.wrap_sync(source)
    assert not left_raw(list(stream))
    assert [call.arguments for call in stream.result.tool_calls] == ['{"q": "a ######"}']


def test_an_error_drops_what_is_held() -> None:
    error = {"message_type": "error_message", "error_type": "llm", "message": "a secret"}
    stream = GUARD.wrap_sync([*as_dicts(said(["so sec"])), {**error, "run_id": "run-1"}])
    out: Any = list(stream)
    assert (out[0]["content"], out[-1]["message"], len(out)) == ("so ", "a ######", 2)
    assert stream.finish == "error"


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("end_turn", "stop"), ("max_tokens_exceeded", "length"), ("requires_approval", "tool_calls")],
)
def test_the_reason_tells_how_a_stream_ended(reason: str, finish: str) -> None:
    source = [*said(["so"]), Stop(stop_reason=reason), Usage()]
    stream = GUARD.wrap_sync(source)
    assert list(stream) == source
    assert (stream.finish, stream.result.usage) == (finish, source[-1])


def test_a_block_ends_dicts_with_a_reason_and_objects_without() -> None:
    source = said(["so ", "forbidden"])
    assert text(list(GUARD.wrap_sync(source))) == "so "
    out = list(GUARD.wrap_sync(as_dicts(source)))
    assert out[-1] == {"message_type": "stop_reason", "stop_reason": "end_turn"}
    limited = Guard(Policy.parse("limits: {max_chars: 4}"))
    out = list(limited.wrap_sync(as_dicts(source)))
    assert out[-1] == {"message_type": "stop_reason", "stop_reason": "max_tokens_exceeded"}
    assert in_any_cut(events(*as_dicts(source)), GUARD).endswith(b"data: [DONE]\n\n")


def test_a_message_of_the_policy_is_one_to_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    beside = ModuleType("assistant_message")
    beside.AssistantMessage = Assistant  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, f"{__package__}.assistant_message", beside)
    policy = "block_message: no more\nrules: [{id: b, words: [bad], action: block}]"
    guard = Guard(Policy.parse(policy))
    for source in (called(['{"q": "so ', 'bad"']), said(["so ", "bad"])):
        out = list(guard.wrap_sync(source))
        assert text(out).endswith("no more")
        dicts = [each for each in guard.wrap_sync(as_dicts(source)) if "content" in each]
        assert dicts[-1] == as_dicts(out)[-1]

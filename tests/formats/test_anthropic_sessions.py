"""Sessions of Anthropic's managed agents: events as dicts, as objects, and over the wire."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from guardstream import Guard, Policy
from tests.formats.served import Body, http_of, sse, transport
from tests.laws.asked import GUARD, cuttings, left_raw
from tests.support.optional import optional

anthropic = optional("anthropic")

Event = dict[str, Any]
NAME = "anthropic_sessions"
TIME = "2026-03-01T00:00:00Z"


def event(kind: str, number: int = 1, **fields: Any) -> Event:
    return {"type": kind, "id": f"sevt_{number}", "processed_at": TIME, **fields}


def start(number: int = 1) -> Event:
    return {"type": "event_start", "event": {"id": f"sevt_{number}", "type": "agent.message"}}


def said(piece: str, number: int = 1, part: int = 0) -> Event:
    delta = {"type": "content_delta", "index": part, "content": {"type": "text", "text": piece}}
    return {"type": "event_delta", "event_id": f"sevt_{number}", "delta": delta}


def message(*texts: str, number: int = 1) -> Event:
    content = [{"type": "text", "text": text} for text in texts]
    return event("agent.message", number, content=content)


def call(query: str, number: int = 2, name: str = "find") -> Event:
    return event("agent.custom_tool_use", number, name=name, input={"q": query})


def idle(why: str = "end_turn", **fields: Any) -> Event:
    return event("session.status_idle", 9, stop_reason={"type": why, **fields})


def answer(pieces: Sequence[str]) -> list[Event]:
    return [start(), *map(said, pieces), message("".join(pieces)), idle()]


def objects(source: Sequence[Event]) -> list[Any]:
    """The events that the package gives for a body."""
    http = http_of(anthropic).Client(transport=transport(Body(sse(source, named=True)), anthropic))
    client = anthropic.Anthropic(api_key="none", http_client=http, max_retries=0)
    return list(client.beta.sessions.events.stream("session_1"))


def inner(each: Any) -> Event:
    found: Event = each if isinstance(each, dict) else json.loads(each.model_dump_json())
    return found


def joined(source: Any) -> dict[str, str]:
    """What a client joins of the deltas, by their event."""
    found: dict[str, str] = {}
    for each in map(inner, source):
        if each["type"] == "event_delta":
            own = each["event_id"]
            found[own] = found.get(own, "") + each["delta"]["content"]["text"]
    return found


def texts(each: Any) -> list[str]:
    return [part["text"] for part in inner(each)["content"]]


MAKE = pytest.mark.parametrize("make", [list, objects], ids=["dict", "object"])


@MAKE
def test_previewed_text_is_masked_in_any_cut_and_repeated_so(make: Any) -> None:
    for pieces in cuttings("a secret, no sec"):
        stream = GUARD.wrap_sync(make(answer(pieces)))
        out = list(stream)
        assert stream.state.flow is not None
        assert stream.state.flow.format == NAME
        assert not left_raw(out)
        assert joined(out) == {"sevt_1": "a ######, no sec"}
        assert texts(out[-2]) == ["a ######, no sec"]
        assert (stream.result.text, stream.finish) == ("a ######, no sec", "stop")


@MAKE
def test_messages_without_previews_are_masked(make: Any) -> None:
    stream = GUARD.wrap_sync(make([message("a secret, no sec"), idle()]))
    out = list(stream)
    assert texts(out[0]) == ["a ######, no sec"]
    assert (len(out), stream.result.text) == (2, "a ######, no sec")


@MAKE
def test_entries_of_a_message_are_one_text(make: Any) -> None:
    source = [start(), said("a sec"), said("ret thing", part=1), message("a sec", "ret thing")]
    for events in (source, source[-1:]):
        stream = GUARD.wrap_sync(make([*events, idle()]))
        out = list(stream)
        assert "".join(texts(out[-2])) == "a ###### thing"
        assert not left_raw(out)


@MAKE
def test_entries_of_a_message_that_comes_again_are_one_text(make: Any) -> None:
    whole = message("a sec", "ret thing")
    previewed = [start(), said("a sec"), said("ret thing", part=1), whole]
    for events in ([whole, whole], [*previewed, whole], [whole, *previewed]):
        out = list(GUARD.wrap_sync(make([*events, idle()])))
        assert not left_raw(out)
        for each in out:
            if inner(each)["type"] == "agent.message":
                assert "".join(texts(each)) == "a ###### thing"


@MAKE
@pytest.mark.parametrize("previewed", [["a sec"], ["a s"], ["a ", "sec"], [""], ["a sec", "r"]])
def test_entries_of_a_message_whose_preview_stopped_early_are_one_text(
    make: Any, previewed: list[str]
) -> None:
    deltas = [said(piece, part=part) for part, piece in enumerate(previewed)]
    out = list(GUARD.wrap_sync(make([start(), *deltas, message("a sec", "ret thing"), idle()])))
    assert "".join(texts(out[-2])) == "a ###### thing"
    assert not left_raw(out)


@MAKE
def test_calls_are_masked_whole(make: Any) -> None:
    stream = GUARD.wrap_sync(make([call("a secret"), idle("requires_action", event_ids=[])]))
    out = list(stream)
    assert inner(out[0])["input"] == {"q": "a ######"}
    first = stream.result.tool_calls[0]
    assert (first.name, first.id, first.complete) == ("find", "sevt_2", True)
    assert json.loads(first.arguments) == {"q": "a ######"}
    assert stream.finish == "tool_calls"


@MAKE
def test_what_tools_give_and_threads_say_is_masked(make: Any) -> None:
    given = [{"type": "text", "text": "the secret"}]
    source = [
        event("agent.tool_result", 1, tool_use_id="sevt_0", content=given),
        event("agent.thread_message_sent", 2, to_session_thread_id="t_1", content=given),
        event("session.error", 3, error={"type": "unknown_error", "message": "the secret",
                                         "retry_status": {"type": "retrying"}}),
    ]  # fmt: skip
    stream = GUARD.wrap_sync(make([*source, idle()]))
    assert not left_raw(list(stream))
    assert len(stream.findings) == 3
    assert stream.finish == "stop"


@MAKE
def test_a_block_ends_the_message_and_the_session_rests(make: Any) -> None:
    out = list(stream := GUARD.wrap_sync(make(answer(["so for", "bidden ", "unread"]))))
    assert not left_raw(out, "forbidden")
    assert (texts(out[-2]), inner(out[-2])["id"]) == (["so "], "sevt_1")
    last = inner(out[-1])
    assert (last["type"], last["stop_reason"]) == ("session.status_idle", {"type": "refusal"})
    assert stream.finish == "content_filter"
    again = GUARD.wrap_sync(out)
    assert list(again) == out
    assert again.finish == "content_filter"


@MAKE
def test_a_block_in_a_whole_message_or_a_call_shows_nothing_after_it(make: Any) -> None:
    for bad in (message("so forbidden"), call("forbidden"), call("so", name="forbidden")):
        stream = GUARD.wrap_sync(make([bad, message("unread", number=3), idle()]))
        out = list(stream)
        assert not left_raw(out, "forbidden")
        assert not left_raw(out, "unread")
        assert stream.finish == "content_filter"


@MAKE
def test_a_stop_and_a_limit_end_the_turn(make: Any) -> None:
    stream = GUARD.wrap_sync(make(answer(["so enough ", "unread"])))
    assert inner(list(stream)[-1])["stop_reason"] == {"type": "end_turn"}
    assert (stream.result.text, stream.finish) == ("so ", "stop")
    stream = Guard(Policy.parse("limits: {max_chars: 4}")).wrap_sync(make(answer(["so far "])))
    assert texts(list(stream)[-2]) == ["so f"]
    assert stream.finish == "length"


@MAKE
def test_a_block_message_is_said_in_the_message_or_in_its_own(make: Any) -> None:
    policy = "block_message: no\nrules: [{id: b, words: [forbidden], action: block}]"
    guard = Guard(Policy.parse(policy))
    out = list(guard.wrap_sync(make(answer(["so ", "forbidden"]))))
    assert (joined(out), texts(out[-2])) == ({"sevt_1": "so no"}, ["so no"])
    out = list(guard.wrap_sync(make([call("forbidden"), idle()])))
    assert texts(out[-2]) == ["no"]

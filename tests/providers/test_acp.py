"""ACP: what an agent sends to an editor, as JSON and as objects of its package."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import pytest

from guardstream import AdapterError
from guardstream.providers import detect
from tests.providers.changes import leaves, put
from tests.providers.laws import EMPTY, GUARD, cuttings, in_any_cut, left_raw, lines, unchanged
from tests.support.optional import optional

schema = optional("acp.schema")

TEXT = "a secret, no sec"
MASKED = "a ######, no sec"

Event = dict[str, Any]

OVER: Event = {"jsonrpc": "2.0", "id": 3, "result": {"stopReason": "end_turn"}}

CALL: Event = {
    "sessionUpdate": "tool_call",
    "toolCallId": "call_1",
    "title": "Reading",
    "kind": "read",
    "status": "pending",
    "locations": [{"path": "/a/b.py", "line": 3}],
    "rawInput": {"path": "/a"},
}
CALLED: Event = {
    "sessionUpdate": "tool_call_update",
    "toolCallId": "call_1",
    "status": "completed",
    "content": [
        {"type": "content", "content": {"type": "text", "text": "out"}},
        {"type": "diff", "path": "/a/b.py", "oldText": "old", "newText": "new"},
        {"type": "terminal", "terminalId": "term_1"},
    ],
    "rawOutput": {"lines": ["out"]},
}
PLAN: Event = {
    "sessionUpdate": "plan",
    "entries": [{"content": "do it", "priority": "high", "status": "pending"}],
}
OTHERS: list[Event] = [
    {
        "sessionUpdate": "available_commands_update",
        "availableCommands": [{"name": "web", "description": "finds", "input": {"hint": "what"}}],
    },
    {"sessionUpdate": "current_mode_update", "currentModeId": "code"},
    {"sessionUpdate": "session_info_update", "title": "so", "updatedAt": "2026-01-01T00:00:00Z"},
    {"sessionUpdate": "usage_update", "used": 1, "size": 5},
    {
        "sessionUpdate": "config_option_update",
        "configOptions": [
            {
                "id": "mode",
                "name": "Mode",
                "type": "select",
                "currentValue": "ask",
                "options": [{"value": "ask", "name": "Ask", "description": "asks"}],
            }
        ],
    },
]
REQUESTS: list[Event] = [
    {
        "method": "session/request_permission",
        "params": {
            "toolCall": {name: value for name, value in CALLED.items() if name != "sessionUpdate"},
            "options": [{"optionId": "allow-1", "name": "Allow", "kind": "allow_once"}],
        },
    },
    {"method": "fs/write_text_file", "params": {"path": "/a", "content": "body"}},
    {
        "method": "terminal/create",
        "params": {"command": "ls", "args": ["-l"], "env": [{"name": "K", "value": "v"}]},
    },
]


def note(update: Event, session: str = "s1") -> Event:
    params = {"sessionId": session, "update": update}
    return {"jsonrpc": "2.0", "method": "session/update", "params": params}


def piece(text: str, kind: str = "message", own: str | None = None) -> Event:
    update = {
        "sessionUpdate": f"agent_{kind}_chunk",
        "content": {"type": "text", "text": text},
    }
    return {**update, **({"messageId": own} if own else {})}


def said(text: str) -> Event:
    return note(piece(text))


def turn(pieces: Sequence[str]) -> list[Event]:
    thoughts = [note(piece(text, "thought")) for text in pieces]
    texts = [note(piece(text)) for text in pieces]
    return [note(PLAN), *thoughts, *texts, note(CALL), note(CALLED), note(PLAN), OVER]


def every_kind() -> list[Event]:
    """An event of each kind."""
    asked = [
        {"jsonrpc": "2.0", "id": at, **each, "params": {"sessionId": "s1", **each["params"]}}
        for at, each in enumerate(REQUESTS)
    ]
    return [*turn(["so"]), *map(note, OTHERS), *asked]


def text_of(chunks: Sequence[Event], kind: str = "message", session: str = "s1") -> str:
    told = [chunk["params"] for chunk in chunks if chunk.get("method") == "session/update"]
    updates = [each["update"] for each in told if each["sessionId"] == session]
    return "".join(
        each["content"]["text"]
        for each in updates
        if each["sessionUpdate"] == f"agent_{kind}_chunk"
    )


def test_messages_and_thoughts_are_texts_over_their_updates() -> None:
    for pieces in cuttings(TEXT):
        source = turn(pieces)
        assert detect(source[0]).name == "acp"  # type: ignore[attr-defined]
        assert unchanged(source)
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        assert text_of(out) == text_of(out, "thought") == MASKED
        assert (stream.result.text, stream.result.thinking) == (MASKED, MASKED)
        assert stream.finish == "stop"
        assert [each for each in out if "chunk" not in str(each)][-4:] == source[-4:]
    in_any_cut(lines(*turn(["a sec", "ret, no", " sec"])), GUARD)
    whole = lines(*every_kind())
    assert in_any_cut(whole) == whole


def test_what_is_held_comes_before_a_call_and_the_rest_after_it_is_masked() -> None:
    source = [note(piece("a sec")), note(CALL), note(piece("ret, so")), OVER]
    out = list(GUARD.wrap_sync(source))
    assert text_of(out[: out.index(source[1])]) == "a sec"
    assert text_of(out[out.index(source[1]) :]) == "######, so"


def test_messages_are_told_apart_by_their_ids_and_their_sessions() -> None:
    source = [note(piece(text, own=own)) for own, text in (("1", "a sec"), ("2", "ret"))]
    assert text_of(list(GUARD.wrap_sync([*source, OVER]))) == "a secret"
    source = [note(piece(text), at) for at, text in (("a", "a sec"), ("b", "so"), ("a", "ret"))]
    out = list(GUARD.wrap_sync(source))
    assert (text_of(out, session="a"), text_of(out, session="b")) == ("a ######", "so")
    again = [note(piece("a sec")), OVER, note(piece("a sec")), note(piece("ret")), OVER]
    assert text_of(list(GUARD.wrap_sync(again))) == "a seca ######"


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("max_tokens", "length"), ("refusal", "content_filter"), ("cancelled", "cancelled")],
)
def test_the_reason_of_an_answer_is_the_streams(reason: str, finish: str) -> None:
    stream = GUARD.wrap_sync([note(piece("so")), {**OVER, "result": {"stopReason": reason}}])
    list(stream)
    assert stream.finish == finish


def test_a_block_ends_with_an_error_of_json_rpc() -> None:
    stream = GUARD.wrap_sync([note(piece("all for")), note(piece("bidden so")), OVER])
    out = list(stream)
    assert text_of(out) == "all "
    assert out[-1]["error"]["code"] == -32000
    assert stream.finish == "content_filter"


def test_of_a_request_in_which_the_stream_ends_nothing_goes_out() -> None:
    for method in ("_vendor/run", "terminal/create"):
        params = {"sessionId": "s1", "command": "remove forbidden"}
        request = {"jsonrpc": "2.0", "id": 3, "method": method, "params": params}
        (out,) = GUARD.wrap_sync([request], provider="acp")
        assert out["error"]["code"] == -32000


def test_a_block_at_the_end_changes_the_answers_reason() -> None:
    source = [note(piece("all for")), note(piece("bidden")), OVER]
    for made in (list, notifications):
        out = list(GUARD.wrap_sync(made(source)))
        assert len(out) == 2
        answer = notifications([out[-1]])[0] if made is list else out[-1]
        assert answer.stop_reason == "refusal"


def test_no_secret_in_place_of_any_value_passes() -> None:
    source = every_kind()
    for place, event in enumerate(source):
        for way in leaves(event):
            changed = [*source[:place], put(event, way, "a secret"), *source[place + 1 :]]
            assert not left_raw(list(GUARD.wrap_sync(changed, provider="acp"))), way


def test_what_the_user_said_passes() -> None:
    source = [note({**piece("so"), "sessionUpdate": "user_message_chunk"}), note(piece("so"))]
    assert unchanged(source)


def test_requests_and_answers_begin_a_stream() -> None:
    answers = [{"agentCapabilities": {}}, {"protocolVersion": 1}, {"sessionId": "s"}]
    firsts = [{"jsonrpc": "2.0", "id": 0, "result": each} for each in answers]
    for first in (*firsts, *every_kind()[-len(REQUESTS) :]):
        assert detect(first).name == "acp"  # type: ignore[attr-defined]
    sampled = {"role": "assistant", "content": {}, "model": "m-1", "stopReason": "endTurn"}
    for result in (sampled, {"protocolVersion": "2025-06-18"}):
        answer = {"jsonrpc": "2.0", "id": 0, "result": result}
        assert detect(answer).name == "mcp"  # type: ignore[attr-defined]


def notifications(source: Sequence[Event]) -> list[Any]:
    return [
        schema.SessionNotification.model_validate(each["params"])
        if "params" in each
        else schema.PromptResponse.model_validate(each["result"])
        for each in source
    ]


def updates(source: Sequence[Event]) -> list[Any]:
    return [getattr(each, "update", each) for each in notifications(source)]


@pytest.mark.parametrize("made", [notifications, updates])
def test_objects_are_guarded_and_keep_their_classes(made: Any) -> None:
    for pieces in cuttings(TEXT):
        source = made(turn(pieces))
        before = deepcopy(source)
        assert unchanged(source)
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        assert "secret" not in repr(out)
        assert {type(each) for each in out} == {type(each) for each in source}
        assert (stream.result.text, stream.result.thinking) == (MASKED, MASKED)
        assert source == before
    source = made([note(each) for each in OTHERS])
    assert list(EMPTY.wrap_sync(source, provider="acp")) == source
    stopped = GUARD.wrap_sync(made([note(piece("all for")), note(piece("bidden"))]))
    assert "bidden" not in repr(list(stopped))
    assert stopped.finish == "content_filter"


def test_an_object_that_is_no_update_is_refused() -> None:
    with pytest.raises(AdapterError, match="is not an update"):
        list(
            GUARD.wrap_sync(
                [schema.PlanEntry(content="a", priority="low", status="pending")], provider="acp"
            )
        )

"""Sessions of OpenAI's agents: events as dicts, as the package gives them, and over the wire."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from guardstream import AdapterError, Guard, Policy
from guardstream.providers import detect
from guardstream.providers.openai.agent_sessions import AgentSessions
from tests.providers.laws import (
    ARGUMENTS,
    GUARD,
    MASKED,
    cuttings,
    guarded,
    in_any_cut,
    left_raw,
    unchanged,
)
from tests.providers.served import Body, openai_client, sse

Event = dict[str, Any]
NAME = "openai_agent_sessions"
TURN = "agent.session.turn"
MADE: Event = {
    "id": "turn_1",
    "object": TURN,
    "agent_id": "agent_1",
    "session_id": "session_1",
    "created_at": 1,
    "status": "in_progress",
}
TOKENS: Event = {
    "input_tokens": 3,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 2,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 5,
}


def event(kind: str, **fields: Any) -> Event:
    """An event; `numbered` gives it its id."""
    return {"type": kind, "session_id": "session_1", "turn_id": "turn_1", **fields}


def turn(state: str, **fields: Any) -> Event:
    status = {"created": "queued"}.get(state, state)
    return event(f"{TURN}.{state}", turn={**MADE, "status": status, **fields})


BEGUN, DONE = turn("created"), {**turn("completed"), "usage": TOKENS}


def at(output: int, part: int = 0, index: str = "content_index") -> Event:
    return {"item_id": f"item_{output}", "output_index": output, index: part}


def item(state: str, number: int, kind: str, **fields: Any) -> Event:
    own = {"id": f"item_{number}", "turn_id": "turn_1", "type": kind}
    status = "in_progress" if state == "added" else "completed"
    return event(
        f"{TURN}.item.{state}", output_index=number, item={**own, "status": status, **fields}
    )


def said(piece: str, output: int = 0, part: int = 0) -> Event:
    return event(f"{TURN}.output_text.delta", delta=piece, **at(output, part))


def thought(piece: str, output: int = 1) -> Event:
    place = at(output, 0, "summary_index")
    return event(f"{TURN}.reasoning_summary_text.delta", delta=piece, **place)


def message(pieces: Sequence[str], output: int = 0) -> list[Event]:
    """A message of one part, with all that is said about it."""
    parts = [{"type": "output_text", "text": "".join(pieces)}]
    place = at(output)
    return [
        item("added", output, "message", role="assistant", content=[]),
        event(f"{TURN}.content_part.added", part={"type": "output_text", "text": ""}, **place),
        *(said(piece, output) for piece in pieces),
        event(f"{TURN}.output_text.done", text="".join(pieces), **place),
        event(f"{TURN}.content_part.done", part=parts[0], **place),
        item("done", output, "message", role="assistant", content=parts),
    ]


def thinking(pieces: Sequence[str], output: int = 1) -> list[Event]:
    parts = [{"type": "summary_text", "text": "".join(pieces)}]
    place = at(output, 0, "summary_index")
    name = f"{TURN}.reasoning_summary_part"
    return [
        item("added", output, "reasoning", summary=[]),
        event(f"{name}.added", part={"type": "summary_text", "text": ""}, **place),
        *(thought(piece, output) for piece in pieces),
        event(f"{TURN}.reasoning_summary_text.done", text="".join(pieces), **place),
        event(f"{name}.done", part=parts[0], **place),
        item("done", output, "reasoning", summary=parts),
    ]


def call(arguments: str = ARGUMENTS, output: int = 2, name: str = "find") -> list[Event]:
    told = {"call_id": "call_1", "name": name, "arguments": arguments}
    return [item(state, output, "function_call", **told) for state in ("added", "done")]


def numbered(source: Sequence[Event]) -> list[Event]:
    return [{**each, "event_id": f"event_{number}"} for number, each in enumerate(source)]


def answer(pieces: Sequence[str]) -> list[Event]:
    return numbered([BEGUN, *message(pieces), DONE])


def objects(source: Sequence[Event]) -> list[Any]:
    """The events that the package gives for a body."""
    client = openai_client(Body(sse(source, named=True)))
    return list(client.beta.agents.sessions.events.stream("session_1"))


def inner(each: Any) -> Event:
    found: Event = each if isinstance(each, dict) else each.model_dump(exclude_unset=True)
    return found


def joined(source: Any) -> dict[tuple[str, str], str]:
    """What a client joins of the deltas, by their kind and item."""
    found: dict[tuple[str, str], str] = {}
    for each in map(inner, source):
        if each["type"].endswith(".delta"):
            key = each["type"].split(".")[-2], each["item_id"]
            found[key] = found.get(key, "") + each["delta"]
    return found


MAKE = pytest.mark.parametrize("make", [list, objects], ids=["dict", "object"])


@MAKE
def test_text_thinking_and_calls_are_masked_in_any_cut(make: Any) -> None:
    for pieces in cuttings(ARGUMENTS):
        source = numbered([BEGUN, *message(pieces), *thinking(pieces), *call(), DONE])
        out, result = guarded(make(source), NAME)
        assert joined(out) == {
            ("output_text", "item_0"): MASKED,
            ("reasoning_summary_text", "item_1"): MASKED,
        }
        assert (result.finish, result.usage is not None) == ("stop", True)


@MAKE
def test_what_no_rule_touches_passes_as_it_is(make: Any) -> None:
    agent = {"id": "agent_1", "instructions": "be brief", "tools": []}
    session = {"id": "session_1", "object": "agent.session", "agent": agent, "status": "idle"}
    source = numbered(
        [
            event("agent.session.created", session=session),
            BEGUN,
            item("added", 0, "message", role="user", content=[{"type": "input_text", "text": "a"}]),
            *message(["so ", "it is"], 1),
            *thinking(["hm"], 2),
            *call(output=3),
            item("done", 4, "web_search_call", action={"type": "search", "query": "a"}),
            item("done", 5, "command_execution", command="ls", cwd="/", output="a", exit_code=0),
            DONE,
            event("agent.session.idle", session=session),
        ]
    )
    made = make(source)
    assert isinstance(detect(made[0]), AgentSessions)
    assert unchanged(made)


def test_over_the_wire_the_bytes_may_be_cut_anywhere() -> None:
    body = sse(answer(["a se", "cret, no sec"]), named=True)
    assert in_any_cut(body) == body
    rows = in_any_cut(body, GUARD).decode().splitlines()
    told = [json.loads(row[6:]) for row in rows if row.startswith("data: ")]
    assert joined(told) == {("output_text", "item_0"): "a ######, no sec"}
    assert not left_raw(told)


@MAKE
def test_messages_that_are_said_by_turns_stay_apart(make: Any) -> None:
    source = numbered([BEGUN, said("a sec", 0), said("a sec", 1), said("ret", 0), said("ond", 1)])
    assert joined(GUARD.wrap_sync(make(source))) == {
        ("output_text", "item_0"): "a ######",
        ("output_text", "item_1"): "a second",
    }


@MAKE
def test_output_of_commands_streams_and_is_rebuilt(make: Any) -> None:
    told = {"command": "cat secret", "cwd": "/"}
    source = [
        BEGUN,
        item("added", 0, "command_execution", **told),
        *(
            event(
                "agent.output.command_execution_output.delta",
                delta=piece, item_id="item_0", output_index=0,
            )
            for piece in ("a sec", "ret thing")
        ),
        item("done", 0, "command_execution", **told, output="a secret thing"),
        DONE,
    ]  # fmt: skip
    stream = GUARD.wrap_sync(make(numbered(source)))
    out = list(stream)
    assert not left_raw(out)
    assert joined(out) == {("command_execution_output", "item_0"): "a ###### thing"}
    assert inner(out[-2])["item"]["output"] == "a ###### thing"
    assert [finding.channel for finding in stream.findings] == ["tool_args", "text"]


@MAKE
def test_what_tools_give_and_agents_say_to_each_other_is_masked(make: Any) -> None:
    given = [{"type": "output_text", "text": "the secret"}]
    agents = {"sender_agent_id": "agent_1", "recipient_agent_id": "agent_2"}
    source = [
        item("done", 0, "function_call_output", call_id="call_1", output="the secret"),
        item("done", 1, "web_search_call", action={"type": "search", "queries": ["the secret"]}),
        item("done", 2, "agent_message", content=given, **agents),
        item("done", 3, "mcp_call", name="find", server_label="s1", arguments="{}",
             output="the secret"),
    ]  # fmt: skip
    stream = GUARD.wrap_sync(make(numbered([BEGUN, *source, DONE])))
    assert not left_raw(list(stream))
    assert len(stream.findings) == 4


@MAKE
def test_a_block_ends_the_message_and_fails_the_turn(make: Any) -> None:
    source = answer(["so for", "bidden ", "unread"])
    stream = GUARD.wrap_sync(make(source))
    out = list(stream)
    assert not left_raw(out, "forbidden")
    done, cut, last = map(inner, out[-3:])
    assert (done["type"], done["text"]) == (f"{TURN}.output_text.done", "so ")
    assert (cut["type"], cut["item"]["status"]) == (f"{TURN}.item.done", "incomplete")
    assert cut["item"]["content"] == [{"type": "output_text", "text": "so "}]
    assert (last["type"], last["turn"]["status"]) == (f"{TURN}.failed", "failed")
    assert "content_filter" in last["turn"]["error"]["message"]
    assert stream.finish == "content_filter"
    ids = [inner(each)["event_id"] for each in out]
    assert len(set(ids)) == len(ids)
    again = GUARD.wrap_sync(out)
    assert list(again) == out
    assert again.finish == "error"


@MAKE
def test_a_stop_completes_the_turn_and_a_limit_fails_it(make: Any) -> None:
    stream = GUARD.wrap_sync(make(answer(["so enough ", "unread"])))
    assert inner(list(stream)[-1])["type"] == f"{TURN}.completed"
    assert (stream.result.text, stream.finish) == ("so ", "stop")
    stream = Guard(Policy.parse("limits: {max_chars: 4}")).wrap_sync(make(answer(["so far "])))
    assert inner(list(stream)[-1])["turn"]["error"]["code"] == "max_output_tokens"
    assert (stream.result.text, stream.finish) == ("so f", "length")


@MAKE
def test_a_message_that_is_cut_has_its_parts_that_are_over(make: Any) -> None:
    first = event(f"{TURN}.output_text.done", text="one ", **at(0))
    source = numbered([BEGUN, said("one "), first, said("two for", 0, 1), said("bidden", 0, 1)])
    out = list(GUARD.wrap_sync(make(source)))
    texts = [part["text"] for part in inner(out[-2])["item"]["content"]]
    assert texts == ["one ", "two "]


@MAKE
def test_a_block_message_is_said_in_the_message_or_in_its_own(make: Any) -> None:
    policy = "block_message: no\nrules: [{id: b, words: [forbidden], action: block}]"
    guard = Guard(Policy.parse(policy))
    out = list(guard.wrap_sync(make(answer(["so ", "forbidden"]))))
    assert joined(out) == {("output_text", "item_0"): "so no"}
    out = list(guard.wrap_sync(make(numbered([BEGUN, *call('{"q": "forbidden"}'), DONE]))))
    assert list(joined(out).values()) == ["no"]
    assert not left_raw(out, "forbidden")


def test_the_turn_of_a_subagent_ends_nothing() -> None:
    other = turn("completed", id="turn_2", subagent_id="agent_2")
    stream = GUARD.wrap_sync(numbered([BEGUN, said("a sec"), other, said("ret"), DONE]))
    assert joined(list(stream)) == {("output_text", "item_0"): "a ######"}
    assert stream.finish == "stop"


def test_a_turn_after_another_begins_anew() -> None:
    source = [BEGUN, *message(["a sec"]), DONE, turn("created", id="turn_2"), *message(["ret"], 1)]
    stream = GUARD.wrap_sync(numbered([*source, DONE]))
    assert list(joined(list(stream)).values()) == ["a sec", "ret"]


def test_a_turn_that_waits_for_the_client_ends_with_its_calls() -> None:
    needs = [{"type": "function_call", "call_id": "call_1", "name": "find", "arguments": ARGUMENTS,
              "turn_id": "turn_1"}]  # fmt: skip
    session = {"id": "session_1", "status": "requires_action", "required_actions": needs}
    waits = event("agent.session.requires_action", session=session)
    stream = GUARD.wrap_sync(numbered([BEGUN, *call(), waits]))
    assert not left_raw(list(stream))
    assert stream.finish == "tool_calls"


def test_a_failed_session_is_an_error() -> None:
    session = {"id": "session_1", "status": "failed", "error": "the secret"}
    told = {"type": "server_error", "code": "e1", "message": "the secret"}
    source = [BEGUN, event("error", error=told), event("agent.session.failed", session=session)]
    stream = GUARD.wrap_sync(numbered(source))
    assert not left_raw(list(stream))
    assert stream.finish == "error"


def test_settings_of_the_agent_and_words_of_users_end_nothing() -> None:
    agent = {"id": "agent_1", "instructions": "never say forbidden", "tools": []}
    session = {"id": "session_1", "agent": agent, "status": "idle"}
    asked = [{"type": "input_text", "text": "what is forbidden?"}]
    source = [
        event("agent.session.created", session=session),
        item("added", 0, "message", role="user", content=asked),
        *message(["so"], 1),
        DONE,
    ]
    stream = GUARD.wrap_sync(numbered(source))
    assert not left_raw(list(stream), "forbidden")
    assert (stream.finish, stream.findings) == ("stop", ())


def test_a_forbidden_name_of_a_tool_blocks() -> None:
    stream = GUARD.wrap_sync(numbered([BEGUN, *call("{}", name="forbidden")]))
    assert not left_raw(list(stream), "forbidden")
    assert stream.finish == "content_filter"


def test_events_that_are_not_known_are_guarded() -> None:
    new = event("agent.session.turn.hologram", content="the secret")
    stream = GUARD.wrap_sync(numbered([BEGUN, new, DONE]))
    assert not left_raw(list(stream))
    with pytest.raises(AdapterError, match="is not known"):
        list(GUARD.wrap_sync(numbered([BEGUN, new, DONE]), unknown="refuse"))


@pytest.mark.parametrize("own", ["", None])
def test_items_without_ids_are_told_apart_by_their_places(own: str | None) -> None:
    def without_id(each: Event) -> Event:
        return {**each, "item_id": own, "item": {**each.get("item", {}), "id": own}}

    first, second = message(["a sec", "ret"], 0), message(["x ", "y"], 1)
    source = [*first[:3], *second[:4], first[3], *first[4:], *second[4:]]
    out = list(GUARD.wrap_sync(numbered([BEGUN, *map(without_id, source), DONE])))
    deltas = [(each["output_index"], each["delta"]) for each in out if "delta" in each]
    assert "".join(text for place, text in deltas if place == 0) == "a ######"
    assert "".join(text for place, text in deltas if place == 1) == "x y"
    ends = [each["text"] for each in out if each["type"].endswith("output_text.done")]
    assert ends == ["a ######", "x y"]

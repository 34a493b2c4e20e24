"""Sessions of OpenAI's agents: events as dicts, as the package gives them, and over the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from guardstream import Guard, Policy
from tests.formats.served import Body, openai_client, sse
from tests.laws.asked import ARGUMENTS, GUARD, MASKED, cuttings, guarded, left_raw
from tests.support.samples.agent_sessions import (
    BEGUN,
    DONE,
    TURN,
    Event,
    answer,
    at,
    event,
    item,
    message,
    numbered,
    said,
)

NAME = "openai_agent_sessions"


def thought(piece: str, output: int = 1) -> Event:
    place = at(output, 0, "summary_index")
    return event(f"{TURN}.reasoning_summary_text.delta", delta=piece, **place)


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

"""Mistral's conversations: events as dicts, as the package gives them, and over the wire."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from guardstream import AdapterError, Guard, Policy, extract
from guardstream.providers import detect
from guardstream.providers.mistral.conversations import Conversations
from tests.extract.test_extract import collect
from tests.providers.laws import (
    ARGUMENTS,
    GUARD,
    MASKED,
    check_masked,
    cuttings,
    guarded,
    in_any_cut,
    left_raw,
    unchanged,
)
from tests.support.optional import optional

Client = optional("mistralai.client", "Mistral")
models = optional("mistralai.client.models")

Event = dict[str, Any]
NAME = "mistral_conversations"

STARTED: Event = {"type": "conversation.response.started", "conversation_id": "conv_1"}
DONE: Event = {
    "type": "conversation.response.done",
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}


def said(content: Any, output: int = 0, part: int = 0, **fields: Any) -> Event:
    place = {"id": f"msg_{output}", "output_index": output, "content_index": part}
    about = {"created_at": "2025-05-27T11:43:05Z", "role": "assistant", **fields}
    return {"type": "message.output.delta", **place, "content": content, **about}


def text(piece: str, output: int = 0, part: int = 0) -> Event:
    return said({"type": "text", "text": piece}, output, part)


def thinking(piece: str, output: int = 0) -> Event:
    return said({"type": "thinking", "thinking": [{"type": "text", "text": piece}]}, output)


def reference(title: str, output: int = 0, part: int = 1) -> Event:
    cited = {"type": "tool_reference", "tool": "web_search", "title": title, "url": "https://a.b"}
    return said(cited, output, part)


def call(arguments: str, output: int = 1, name: str = "find") -> Event:
    own = {"id": f"fc_{output}", "tool_call_id": f"call_{output}", "output_index": output}
    return {"type": "function.call.delta", **own, "name": name, "arguments": arguments}


def tool(state: str, output: int = 1, **fields: Any) -> Event:
    own = {"id": f"tool_{output}", "name": "web_search", "output_index": output}
    return {"type": f"tool.execution.{state}", **own, **fields}


def response(*events: Event) -> list[Event]:
    return [STARTED, *events, DONE]


def answer(pieces: Sequence[str]) -> list[Event]:
    return response(*map(said, pieces))


def body(source: Sequence[Event]) -> bytes:
    """The events as they come over the wire."""
    made = [f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in source]
    return "".join(made).encode()


def objects(source: Sequence[Event]) -> list[Any]:
    """The events that the package gives for a body."""

    def handle(_: httpx.Request) -> httpx.Response:
        headers = {"content-type": "text/event-stream"}
        return httpx.Response(200, content=body(source), headers=headers)

    http = httpx.Client(transport=httpx.MockTransport(handle))
    client = Client(api_key="none", client=http)
    with client.beta.conversations.start_stream(inputs="q", model="m") as stream:
        return list(stream)


def wrapped(source: Sequence[Event]) -> list[Event]:
    return [{"event": each["type"], "data": each} for each in source]


def inner(each: Any) -> Event:
    """An event's data as a dict."""
    plain: Event = each if isinstance(each, dict) else json.loads(each.model_dump_json())
    found: Event = plain.get("data", plain)
    return found


def joined(source: Any) -> dict[Any, str]:
    """What a client joins, by channel and output."""
    found: dict[Any, str] = {}
    for each in map(inner, source):
        key, piece = None, ""
        if each["type"] == "message.output.delta":
            content = each["content"]
            content = {"type": "text", "text": content} if isinstance(content, str) else content
            key = content["type"]
            piece = content.get("text", "") or "".join(
                part.get("text", "") for part in content.get("thinking", ())
            )
        elif each["type"] in ("function.call.delta", "tool.execution.delta"):
            key, piece = "tool_args", each["arguments"]
        if piece:
            place = (key, each["output_index"])
            found[place] = found.get(place, "") + piece
    return found


MAKE = pytest.mark.parametrize(
    "make", [list, wrapped, objects], ids=["data", "event and data", "object"]
)


@MAKE
@pytest.mark.parametrize("say", [said, text])
def test_text_thinking_and_calls_are_masked_in_any_cut(make: Any, say: Any) -> None:
    for pieces in cuttings(ARGUMENTS):
        source = [STARTED, *map(thinking, pieces), *map(say, pieces)]
        source += [*map(call, pieces), DONE]
        for event in source:
            if "tool_call_id" in event:
                event["tool_call_id"] = "call_1"
        out, result = guarded(make(source), NAME)
        assert joined(out) == {
            ("thinking", 0): MASKED,
            ("text", 0): MASKED,
            ("tool_args", 1): MASKED,
        }
        assert result.finish == "tool_calls"
        assert result.usage is not None


def test_over_the_wire_the_bytes_may_be_cut_anywhere() -> None:
    source = response(*map(said, ("a se", "cret, no sec")), *map(call, ('{"q": "sec', 'ret"}')))
    assert in_any_cut(body(source)) == body(source)
    out = in_any_cut(body(source), GUARD)
    assert b"a ######" not in out  # in two deltas
    told = [json.loads(row[6:]) for row in out.decode().splitlines() if row.startswith("data: ")]
    assert joined(told) == {("text", 0): "a ######, no sec", ("tool_args", 1): '{"q": "######"}'}


@MAKE
def test_what_no_rule_touches_passes_as_it_is(make: Any) -> None:
    source = response(
        {"type": "agent.handoff.started", "id": "h", "previous_agent_id": "ag_1",
         "previous_agent_name": "first", "output_index": 0},
        {"type": "agent.handoff.done", "id": "h", "next_agent_id": "ag_2",
         "next_agent_name": "second", "output_index": 0},
        tool("started", arguments=""), tool("delta", arguments='{"query": "a"}'),
        tool("done", info={"code": "print(1)", "code_output": "1"}),
        thinking("hm", 2), said("so ", 2), reference("A page", 2), said("it is", 2, 2),
        said({"type": "tool_file", "tool": "image_generation", "file_id": "f_1",
              "file_name": "picture", "file_type": "png"}, 2, 3),
        said({"type": "document_url", "document_url": "https://a.b/c"}, 2, 4),
        call("", 3), call('{"q": 1}', 3),
    )  # fmt: skip
    made = make(source)
    assert isinstance(detect(made[0]), Conversations)
    assert unchanged(made)


@MAKE
def test_a_word_around_a_reference_is_one_word(make: Any) -> None:
    source = response(said("a sec"), reference("the page"), said("ret thing", 0, 2))
    out = list(GUARD.wrap_sync(make(source)))
    assert "".join(joined(out).values()) == "a ###### thing"
    assert not left_raw(out)


@MAKE
def test_held_text_goes_out_before_a_tool_and_in_its_own_message(make: Any) -> None:
    for after in (tool("started", arguments=""), call("{}"), DONE):
        out = list(GUARD.wrap_sync(make([STARTED, said("a sec"), after])))
        kinds = [inner(each)["type"] for each in out]
        deltas = ["message.output.delta", "message.output.delta"]
        assert kinds[1:4] == [*deltas, after["type"]]
        assert joined(out)["text", 0] == "a sec"
        assert inner(out[2])["id"] == "msg_0"


@MAKE
def test_what_tools_give_and_what_is_cited_is_masked(make: Any) -> None:
    thought = [{"type": "tool_reference", "tool": "web_search", "title": "the secret"}]
    source = response(
        tool("done", info={"code_output": "the secret"}),
        reference("the secret"),
        said({"type": "thinking", "thinking": thought}),
        said({"type": "tool_file", "tool": "t", "file_id": "f", "file_name": "secret.png"}),
        said({"type": "document_url", "document_url": "d", "document_name": "secret"}),
    )
    stream = GUARD.wrap_sync(make(source))
    assert not left_raw(list(stream))
    assert len(stream.findings) == 5
    told = {"type": "conversation.response.error", "code": 500, "message": "the secret"}
    stream = GUARD.wrap_sync(make([STARTED, said("a sec"), told]))
    assert not left_raw(list(stream))
    assert stream.finish == "error"


def test_a_runs_own_results_are_masked() -> None:
    given = {"type": "function.result", "tool_call_id": "call_1", "result": "the secret"}
    source = wrapped([STARTED, call("{}"), DONE, given, STARTED, said("so"), DONE])
    stream = GUARD.wrap_sync(source)
    assert not left_raw(list(stream))
    assert (stream.result.text, stream.finish) == ("so", "stop")


@MAKE
def test_tools_that_mistral_runs_are_calls(make: Any) -> None:
    for pieces in cuttings(ARGUMENTS):
        source = response(
            tool("started", arguments=""),
            *(tool("delta", arguments=piece) for piece in pieces),
            tool("done", info={}),
            said("so", 2),
        )
        stream = GUARD.wrap_sync(make(source))
        assert not left_raw(list(stream))
        first = stream.result.tool_calls[0]
        assert (first.name, first.id, first.arguments) == ("web_search", "tool_1", MASKED)
        assert first.complete
        assert (stream.result.text, stream.finish) == ("so", "stop")


@MAKE
def test_calls_that_are_made_by_turns_stay_apart(make: Any) -> None:
    source = response(
        call('{"q": "sec', 1), call('{"q": "for', 2), call('ret"}', 1), call('mal"}', 2)
    )
    stream = GUARD.wrap_sync(make(source))
    assert joined(list(stream)) == {
        ("tool_args", 1): '{"q": "######"}',
        ("tool_args", 2): '{"q": "formal"}',
    }
    assert [each.id for each in stream.result.tool_calls] == ["call_1", "call_2"]


@MAKE
def test_a_block_ends_the_response_with_an_error(make: Any) -> None:
    source = response(said("so for"), said("bidden "), said("unread"))
    stream = GUARD.wrap_sync(make(source))
    out = list(stream)
    assert joined(out) == {("text", 0): "so "}
    last = inner(out[-1])
    assert last["type"] == "conversation.response.error"
    assert "content_filter" in last["message"]
    assert stream.finish == "content_filter"
    assert type(out[-1]) is type(make(source)[0])
    again = GUARD.wrap_sync(out)
    assert list(again) == out
    assert again.finish == "error"


@MAKE
def test_a_stop_and_a_limit_end_the_response(make: Any) -> None:
    stream = GUARD.wrap_sync(make(response(said("so enough "), said("unread"))))
    out = [inner(each) for each in stream]
    assert out[-1]["type"] == "conversation.response.done"
    assert (joined(out), stream.finish) == ({("text", 0): "so "}, "stop")
    guard = Guard(Policy.parse("limits: {max_chars: 4}"))
    stream = guard.wrap_sync(make(response(said("so far "), said("unread"))))
    assert inner(list(stream)[-1])["type"] == "conversation.response.done"
    assert stream.finish == "length"


@MAKE
def test_a_block_message_is_said_in_the_message_or_in_its_own(make: Any) -> None:
    guard = Guard(
        Policy.parse("block_message: no\nrules: [{id: b, words: [forbidden], action: block}]")
    )
    out = list(guard.wrap_sync(make(response(said("so "), said("forbidden")))))
    assert joined(out) == {("text", 0): "so no"}
    out = list(guard.wrap_sync(make(response(call('{"q": "forbidden"}')))))
    assert joined(out) == {("tool_args", 1): '{"q": "', ("text", 2): "no"}


def test_a_response_after_another_begins_anew() -> None:
    source = [STARTED, said("a sec"), call("{}"), DONE, STARTED, said("ret"), DONE]
    for made in (source, objects(source)):
        stream = GUARD.wrap_sync(made)
        out = list(stream)
        assert [inner(each)["content"] for each in out if "content" in inner(each)] == [
            "a ", "sec", "ret"
        ]  # fmt: skip
        assert stream.finish == "stop"


def test_a_tools_name_is_said_again_with_each_delta() -> None:
    guard = Guard(Policy.parse("rules: [{id: b, pattern: findfind}]"))
    source = response(*map(call, ('{"q": ', '"so "', "}")))
    assert list(guard.wrap_sync(source)) == source
    stream = GUARD.wrap_sync(response(call("{}", name="forbidden")))
    assert not left_raw(list(stream), "forbidden")
    assert stream.finish == "content_filter"


def test_events_that_the_package_does_not_know_are_guarded() -> None:
    new = {"type": "message.output.hologram", "id": "m", "content": "the secret"}
    for made in (response(new), wrapped(response(new)), objects(response(new))):
        stream = GUARD.wrap_sync(made)
        out = list(stream)
        assert not left_raw(out)
        assert len(out) == 3
    with pytest.raises(AdapterError, match="is not known"):
        list(GUARD.wrap_sync(response(new), unknown="refuse"))
    source = response(new)
    assert list(GUARD.wrap_sync(source, provider=Conversations(unknown="pass"))) == source


def test_the_packages_events_may_come_without_what_is_around_them() -> None:
    source = [each.data for each in objects(answer(["a se", "cret ", "forbidden"]))]
    stream = GUARD.wrap_sync(source)
    out = list(stream)
    assert joined(out) == {("text", 0): "a ###### "}
    assert isinstance(out[-1], models.ResponseErrorEvent)


def test_what_a_client_joins_is_what_the_guard_makes_of_it() -> None:
    pieces = ["one ", "secret ", "word and ", "another ", "word of ", "words"]
    source = response(*map(thinking, pieces), *map(said, pieces), *map(call, ("{", '"a": 1', "}")))
    check_masked(source, joined)
    check_masked(objects(source), joined)


def test_a_calls_arguments_are_extracted() -> None:
    source = response(call('{"rows": [1'), call(",2]}"))
    assert collect(lambda: extract.items(source, "rows.item", tool="find")) == [1, 2]

"""LangGraph's streams in every mode, in the process and over HTTP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from guardstream import Guard, Policy
from guardstream.providers import detect
from tests.providers.laws import GUARD, cuttings, in_any_cut, left_raw, on_the_wire, unchanged
from tests.support.optional import optional

Document = optional("langchain_core.documents", "Document")
AIMessage, AIMessageChunk, HumanMessage, ToolMessage = optional(
    "langchain_core.messages", "AIMessage", "AIMessageChunk", "HumanMessage", "ToolMessage"
)

TEXT = "a secret, no sec"
MASKED = "a ######, no sec"


def chunk(text: str, **fields: Any) -> AIMessageChunk:
    return AIMessageChunk(text, id="run-1", **fields)


def messages(pieces: Sequence[str]) -> list[Any]:
    told = [chunk(piece) for piece in pieces]
    return [(each, {"langgraph_node": "n"}) for each in (*told, chunk("", chunk_position="last"))]


def state(text: str) -> dict[str, Any]:
    return {"messages": [HumanMessage("of a secret?"), AIMessage(text, id="run-1")]}


def wrapped(shape: str, mode: str, data: Any) -> Any:
    if shape == "modes":
        return (mode, data)
    if shape == "subgraphs":
        return (("outer:1",), mode, data)
    return {"type": mode, "ns": (), "data": data}


@pytest.mark.parametrize("shape", ["modes", "subgraphs", "version 2"])
def test_messages_states_and_what_nodes_write_are_guarded(shape: str) -> None:
    for pieces in cuttings(TEXT):
        source = [
            wrapped(shape, "custom", {"progress": "so"}),
            *(wrapped(shape, "messages", each) for each in messages(pieces)),
            wrapped(shape, "updates", {"n": {"messages": [AIMessage(TEXT, id="run-1")]}}),
            wrapped(shape, "values", state(TEXT)),
            wrapped(shape, "custom", "a secret"),
        ]
        assert detect(source[0]).name == "langgraph"  # type: ignore[attr-defined]
        assert unchanged(source)
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        assert stream.result.text == MASKED
        assert {type(each) for each in out} == {type(source[0])}
        values = next(
            each["data"] if isinstance(each, dict) else each[-1]
            for each in out
            if "values" in (each["type"] if isinstance(each, dict) else each)
        )
        asked, answer = values["messages"]
        assert (asked.content, answer.content) == ("of a secret?", MASKED)
        assert not left_raw(out[-1])


def test_a_namespace_alone_holds_any_mode() -> None:
    source = [((), each) for each in messages(["a sec", "ret"])]
    out = list(GUARD.wrap_sync(source))
    assert "".join(message.content for _, (message, _) in out) == "a ######"
    held = [((), state("a secret")), ((), {"note": "a secret"})]
    found = list(GUARD.wrap_sync(held))
    assert not left_raw(found[0][1]["messages"][1])
    assert not left_raw(found[1])


def test_states_alone_leave_what_the_user_said() -> None:
    out = list(GUARD.wrap_sync([state("so"), state("a secret")]))
    assert out[0]["messages"][0].content == "of a secret?"
    assert out[1]["messages"][1].content == "a ######"


def test_what_an_interrupted_graph_asks_is_guarded_beside_the_state_of_version_2() -> None:
    def asked(*texts: str) -> dict[str, Any]:
        interrupts = tuple({"value": {"ask": text}, "id": "1"} for text in texts)
        return {**wrapped("version 2", "values", state("so")), "interrupts": interrupts}

    out = list(GUARD.wrap_sync([asked(), asked("is a secret fine?")]))
    assert out[1] == asked("is a ###### fine?")
    stream = GUARD.wrap_sync([asked(), asked("a forbidden one")])
    assert not left_raw(list(stream), "forbidden")
    assert stream.finish == "content_filter"


@pytest.mark.parametrize("name", ["logprobs", "logprobsResult", "prompt_logprobs"])
def test_log_probabilities_in_a_state_go_with_the_text_that_they_spell(name: str) -> None:
    def told(tokens: list[str]) -> tuple[str, Any]:
        about = {name: {"content": [{"token": each, "logprob": -1.0} for each in tokens]}}
        answer = AIMessage(content="".join(tokens), id="run-1", response_metadata=about)
        return "updates", {"n": {"messages": [answer]}}

    clean = told(["a sec", "ond"])
    masked = next(iter(GUARD.wrap_sync([told(["a sec", "ret"])])))[1]["n"]["messages"][0]
    assert masked.content == "a ######"
    assert masked.response_metadata == {name: None}
    assert list(GUARD.wrap_sync([clean])) == [clean]


def test_tokens_that_end_inside_a_character_are_read_by_their_bytes() -> None:
    raw = "a geheimé".encode()
    guard = Guard(Policy.parse("rules: [{id: w, words: [geheimé], replacement: '#'}]"))
    tokens = [
        {"token": each.decode(errors="backslashreplace"), "bytes": list(each)}
        for each in (raw[:-1], raw[-1:])
    ]
    about = {"logprobs": {"content": tokens}}
    answer = AIMessage(content=raw.decode(), id="run-1", response_metadata=about)
    told = next(iter(guard.wrap_sync([("updates", {"n": {"messages": [answer]}})])))
    masked = told[1]["n"]["messages"][0]
    assert masked.content == "a #######"
    assert masked.response_metadata == {"logprobs": None}


def test_a_block_ends_the_message() -> None:
    stream = GUARD.wrap_sync([("messages", each) for each in messages(["all for", "bidden"])])
    out = list(stream)
    assert "".join(message.content for _, (message, _) in out) == "all "
    assert out[-1][1][0].response_metadata["finish_reason"] == "content_filter"


# The server's events


def named(event: str, data: Any) -> bytes:
    return f"event: {event}\ndata: {json.dumps(data)}\n\n".encode()


def as_json(text: str, kind: str = "AIMessageChunk", **fields: Any) -> dict[str, Any]:
    about = {"additional_kwargs": {}, "response_metadata": {}, "tool_calls": [], "name": None}
    return {"content": text, **about, "type": kind, "id": "run-1", **fields}


START = named("metadata", {"run_id": "r", "attempt": 1})


def events(data: bytes) -> list[tuple[str, Any]]:
    found = [block.split("\n", 1) for block in data.decode().split("\n\n") if block]
    return [(name[7:], json.loads(told[6:])) for name, told in found]


@pytest.mark.parametrize("name", ["messages", "messages|outer:1"])
def test_message_chunks_of_a_server_are_guarded(name: str) -> None:
    for pieces in cuttings(TEXT):
        data = START + b"".join(named(name, [as_json(piece), {"n": 1}]) for piece in pieces)
        data += named("values", {"messages": [as_json("so", "human"), as_json(TEXT, "ai")]})
        assert on_the_wire(data) == data
        found = events(in_any_cut(data, GUARD))
        said = [told[0]["content"] for event, told in found if event == name]
        assert "".join(said) == MASKED
        assert not left_raw(found)
        assert {event for event, _ in found} == {"metadata", name, "values"}


def test_messages_so_far_become_what_was_released_so_far() -> None:
    for pieces in cuttings(TEXT):
        told = [named("messages/partial", [as_json(text, "ai")]) for text in accumulate(pieces)]
        data = START + b"".join(told) + named("messages/complete", [as_json(TEXT, "ai")])
        assert on_the_wire(data) == data
        found = events(in_any_cut(data, GUARD))
        said = [told[0]["content"] for event, told in found if event.startswith("messages/")]
        assert said[-1] == MASKED
        assert all(MASKED.startswith(text) for text in said)


def test_arguments_of_a_servers_messages_are_guarded() -> None:
    def call(args: str) -> dict[str, Any]:
        part = {"name": None, "args": args, "id": None, "index": 0, "type": "tool_call_chunk"}
        return as_json("", tool_call_chunks=[part], invalid_tool_calls=[])

    first = call('{"q": "a sec')
    first["tool_call_chunks"][0] |= {"name": "find", "id": "c"}
    first["tool_calls"] = [
        {"name": "find", "args": {"q": "a secret"}, "id": "c", "type": "tool_call"}
    ]
    data = START + named("messages", [first, {}]) + named("messages", [call('ret"}'), {}])
    assert on_the_wire(data) == data
    found = events(in_any_cut(data, GUARD))
    args = [
        part["args"]
        for event, told in found
        if event == "messages"
        for part in told[0].get("tool_call_chunks") or ()
    ]
    assert json.loads("".join(args)) == {"q": "a ######"}
    assert not left_raw(found)


def test_an_error_and_what_is_not_known_are_guarded() -> None:
    data = START + named("custom", {"token": "a sec"}) + named("custom", {"token": "ret"})
    data += named("error", {"error": "ValueError", "message": "a secret"})
    out = in_any_cut(data, GUARD)
    assert not left_raw(out.decode())
    assert [event for event, _ in events(out)] == ["metadata", "custom", "custom", "error"]
    begun = named("metadata", {"run_id": "r", "note": "a secret"})
    assert not left_raw(in_any_cut(begun, GUARD).decode())


def test_a_text_of_an_event_stays_json() -> None:
    out = in_any_cut(START + named("custom", "a secret") + named("custom", 'say "so"'), GUARD)
    assert [told for _, told in events(out)[1:]] == ["a ######", 'say "so"']


OWN = {
    **dict.fromkeys(("id", "type", "name", "status", "run_id", "tool_call_id"), "key 12345678"),
    "index": "12345678",
    "rows": [{"id": "12345678", "type": "12345678", "data": "12345678"}],
}
"""What a model asks a tool with, and what a tool gives."""

CALL_ID, RUN_ID = "call_87654321", "run-87654321"


class Row(BaseModel):
    id: str
    type: str


class Pair(NamedTuple):
    id: str
    rows: list[Row]


def told(as_json: bool) -> dict[str, Any]:
    call = {"name": "find", "args": OWN, "id": CALL_ID, "type": "tool_call"}
    use = {"type": "tool_use", "id": CALL_ID, "name": "find", "input": OWN}
    asked = AIMessage([use], id=RUN_ID, tool_calls=[call])
    gave = ToolMessage(
        "", tool_call_id=CALL_ID, id=RUN_ID, artifact=OWN, additional_kwargs={**OWN, "of": OWN}
    )
    pair = Pair("12345678", [Row(id="12345678", type="12345678")])
    found = Document("", id="87654321", metadata=OWN)
    objects = {"messages": [asked, gave], "row": OWN, "pair": pair, "documents": [found]}
    return to_jsonable_python(objects) if as_json else objects


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: ("values", state),
        lambda state: ("updates", {"node": state}),
        lambda state: ("tasks", {"id": "87654321", "name": "n", "triggers": [], "input": state}),
        lambda state: {"type": "values", "ns": (), "data": state},
        lambda state: {"event": "on_chain_end", "run_id": RUN_ID, "data": {"output": state}},
        lambda state: {"event": "on_tool_start", "run_id": RUN_ID, "data": {"input": state}},
        lambda state: {"event": "on_custom_event", "run_id": RUN_ID, "data": state},
    ],
)
def test_fields_that_tools_and_nodes_name_do_not_pass(wrap: Any, as_json: bool) -> None:
    guard = Guard(Policy.parse("rules: [{id: number, pattern: '1[0-9]{7}', replacement: '#'}]"))
    source = [wrap(told(as_json))]
    if "event" in source[0]:
        source[0]["parent_ids"] = ["run-1"]
    assert unchanged(source)
    (out,) = guard.wrap_sync(source)
    assert not left_raw(out, "12345678")
    assert str(out).count("########") == str(source).count("12345678")


def test_ids_of_a_graph_and_its_messages_pass() -> None:
    guard = Guard(Policy.parse("rules: [{id: number, pattern: '[0-9]{8}', replacement: '#'}]"))
    asked = [{"value": {"id": "12345678"}, "id": "87654321"}]
    task = {"id": "87654321", "name": "n", "interrupts": asked}
    call = {"name": "find", "args": {}, "id": CALL_ID, "type": "tool_call"}
    state = {"messages": [AIMessage("", id=RUN_ID, tool_calls=[call])], "__interrupt__": asked}
    out = list(guard.wrap_sync([("values", state), ("tasks", task)]))
    new = [{"value": {"id": "########"}, "id": "87654321"}]
    assert out == [
        ("values", {**state, "__interrupt__": new}),
        ("tasks", {**task, "interrupts": new}),
    ]


@pytest.mark.parametrize("mode", ["updates", "values"])
def test_a_message_in_a_state_is_complete_though_nothing_ends_it(mode: str) -> None:
    first, second = "a secret, no sec", "ret so"
    for pieces in cuttings(first):
        source = [
            *(("messages", (chunk(piece), {})) for piece in pieces),
            (mode, {"n": state(first)} if mode == "updates" else state(first)),
            ("messages", (AIMessageChunk(second, id="run-2"), {})),
        ]
        *streamed, told, last = GUARD.wrap_sync(source)
        assert "".join(each[1][0].content for each in streamed) == MASKED
        answer = (told[1]["n"] if mode == "updates" else told[1])["messages"][-1]
        assert answer.content == MASKED
        assert last == source[-1]


def test_a_servers_end_comes_after_all_text() -> None:
    data = START + named("messages", [as_json("no sec"), {"n": 1}]) + named("end", None)
    *_, said, end = events(in_any_cut(data, GUARD))
    assert said[1][0]["content"] == "sec"
    assert end[0] == "end"


@pytest.mark.parametrize("mode", ["updates", "values"])
def test_messages_that_nothing_has_streamed_are_the_answer(mode: str) -> None:
    told = [AIMessage("a secret,", id="1"), AIMessage([{"type": "text", "text": " two"}], id="2")]
    first, both = ({"messages": [HumanMessage("of a secret?"), *told[:n]]} for n in (1, 2))
    for source in ([first, both], [both, both]):
        data = source if mode == "values" else [{"n": each} for each in source]
        stream = GUARD.wrap_sync([(mode, each) for each in data])
        list(stream)
        assert stream.result.text == "a ######, two"

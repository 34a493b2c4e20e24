"""LangChain's event protocol: a model's own events, and those of a graph around them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

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

Event = dict[str, Any]

SAYS = {"text": "text-delta", "reasoning": "reasoning-delta", "args": "tool-call-delta"}
BLOCKING = Guard(Policy.parse("block_message: no\nrules: [{id: b, words: [bad], action: block}]"))


def block(
    index: int, field: str, pieces: Sequence[str], start: Event, whole: Event | None = None
) -> list[Event]:
    """The events of a block of one field."""
    says = [{"type": SAYS[field], field: piece} for piece in pieces]
    content = whole or {**start, field: "".join(pieces)}
    return [
        {"event": "content-block-start", "index": index, "content": {**start, field: ""}},
        *({"event": "content-block-delta", "index": index, "delta": delta} for delta in says),
        {"event": "content-block-finish", "index": index, "content": content},
    ]


def begin(own: str = "m1") -> Event:
    return {"event": "message-start", "role": "ai", "id": own, "metadata": {"model": "m-1"}}


def finish(reason: str = "stop") -> Event:
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    return {"event": "message-finish", "usage": usage, "metadata": {"finish_reason": reason}}


def say(*pieces: str, index: int = 0) -> list[Event]:
    return block(index, "text", pieces, {"type": "text"})


def call(pieces: Sequence[str], index: int = 2) -> list[Event]:
    start = {"type": "tool_call_chunk", "id": "call_1", "name": "find"}
    whole = {"type": "tool_call", "id": "call_1", "name": "find"}
    args = "".join(pieces)
    try:
        whole["args"] = json.loads(args)
    except ValueError:
        whole = {**whole, "type": "invalid_tool_call", "args": args, "error": "not JSON"}
    return block(index, "args", pieces, start, whole)


def told(pieces: Sequence[str], reason: str = "tool_calls") -> list[Event]:
    """A message that thinks, says something, and asks for a tool."""
    return [
        begin(),
        *block(0, "reasoning", pieces, {"type": "reasoning"}),
        *say(*pieces, index=1),
        *call(pieces),
        finish(reason),
    ]


def event(method: str, data: Any, *namespace: str) -> Event:
    params = {"namespace": list(namespace), "timestamp": 5, "data": data}
    return {"type": "event", "method": method, "params": params}


def graph(pieces: Sequence[str], messages: Sequence[Event] | None = None) -> list[Event]:
    """What a graph sends: its state, a message, what a tool does, and its end."""
    said = {"type": "ai", "content": "".join(pieces), "id": "m1"}
    tool = {"tool_call_id": "call_1"}
    return [
        event("lifecycle", {"event": "started", "graph_name": "agent"}),
        event("values", {"messages": [{"type": "human", "content": "my own", "id": "h1"}]}),
        *(event("messages", each) for each in messages or told(pieces)),
        event("tools", {"event": "tool-started", "tool_name": "find", "input": {}, **tool}),
        *(event("tools", {"event": "tool-output-delta", "delta": p, **tool}) for p in pieces),
        event("tools", {"event": "tool-finished", "output": {"a": "it"}, **tool}),
        event("values", {"messages": [said]}),
        event("lifecycle", {"event": "completed"}),
    ]


def in_process(pieces: Sequence[str]) -> list[Event]:
    """Events as they come in the graph's own process: with what it says of their message."""
    about = {"langgraph_node": "model", "run_id": "r1", "langgraph_path": ("pull", "model")}
    return [event("messages", (each, about)) for each in told(pieces)]


FORMATS: dict[str, Callable[[Sequence[str]], list[Event]]] = {
    "bare": told,
    "graph": graph,
    "in_process": in_process,
}


def inner(chunks: Sequence[Event]) -> list[Event]:
    """The data of events, without what stands around them."""
    found = [each["params"]["data"] if "method" in each else each for each in chunks]
    return [each[0] if isinstance(each, tuple) else each for each in found]


def joined(chunks: Sequence[Event], kind: str) -> str:
    """What the deltas of a kind say."""
    deltas = [each.get("delta") for each in inner(chunks)]
    said = [each for each in deltas if isinstance(each, dict) and each["type"] == kind]
    return "".join(
        each[kind.split("-")[0] if kind != "tool-call-delta" else "args"] for each in said
    )


def finished(chunks: Sequence[Event]) -> list[Event]:
    return [e["content"] for e in inner(chunks) if e.get("event") == "content-block-finish"]


@pytest.mark.parametrize("name", FORMATS)
def test_every_text_is_masked_in_any_cut(name: str) -> None:
    for pieces in cuttings(ARGUMENTS):
        out, result = guarded(FORMATS[name](pieces), "langchain_protocol")
        for kind in SAYS.values():
            assert joined(out, kind) == MASKED
        thought, text, called = finished(out)
        assert (thought["reasoning"], text["text"]) == (MASKED, MASKED)
        assert called["args"] == json.loads(MASKED)
        assert result.finish == "tool_calls"
        assert result.usage is not None


def test_what_a_tool_says_and_states_repeat_is_masked_in_its_place() -> None:
    for pieces in cuttings("a secret, no sec"):
        out = list(GUARD.wrap_sync(graph(pieces)))
        outputs = [e["delta"] for e in inner(out) if e.get("event") == "tool-output-delta"]
        assert "".join(outputs) == "a ######, no sec"
        kinds = [each.get("event") for each in inner(out)]
        assert kinds.index("tool-finished") > max(
            at for at, kind in enumerate(kinds) if kind == "tool-output-delta"
        )
        assert inner(out)[-2]["messages"][0]["content"] == "a ######, no sec"


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_policy_changes_nothing(name: str) -> None:
    source = FORMATS[name](['{"a"', ": 1}"])
    assert unchanged(source)
    assert detect(source[0]).name == "langchain_protocol"  # type: ignore[attr-defined]
    wire = events(*source)
    if name != "in_process":
        assert in_any_cut(wire) == wire


def test_events_on_the_wire_are_masked() -> None:
    wire = in_any_cut(events(*graph(["a sec", "ret"])), GUARD)
    assert b"secret" not in wire
    assert wire.count(b'"completed"') == 1


@pytest.mark.parametrize("name", FORMATS)
def test_a_block_ends_what_is_open(name: str) -> None:
    stream = BLOCKING.wrap_sync(FORMATS[name](['"so ', 'bad "']))
    out = list(stream)
    assert "bad" not in str(out)
    assert stream.finish == "content_filter"
    found = inner(out)
    starts = [e["index"] for e in found if e.get("event") == "content-block-start"]
    ends = [e["index"] for e in found if e.get("event") == "content-block-finish"]
    assert sorted(starts) == sorted(ends)
    assert joined(out, "text-delta") == "no"
    last = [e for e in found if e.get("event") == "message-finish"]
    assert [each["metadata"]["finish_reason"] for each in last] == ["content_filter"]
    assert finished(out)[-1] == {"type": "text", "text": "no"}
    if name == "graph":
        assert out[-1] == event("lifecycle", {"event": "completed"})


def test_a_block_in_a_text_says_the_message_there() -> None:
    source = [begin(), *say("so ", "it ", "bad "), finish()]
    out = list(BLOCKING.wrap_sync(source))
    assert out[-2]["content"] == {"type": "text", "text": joined(out, "text-delta")}
    assert joined(out, "text-delta").endswith("no")


def test_a_call_that_the_guard_cuts_is_not_made() -> None:
    source = [begin(), *call(['{"q": "so ', 'bad"}'], 0), finish()]
    out = list(BLOCKING.wrap_sync(source))
    assert finished(out)[0]["type"] == "invalid_tool_call"
    assert finished(out)[0]["name"] == "find"


def test_a_word_over_two_blocks_of_text_is_found() -> None:
    source = [begin(), *say("a sec"), *say("ret b", index=1), finish()]
    out = list(GUARD.wrap_sync(source))
    assert joined(out, "text-delta") == "a ###### b"
    assert "".join(each["text"] for each in finished(out)) == "a ###### b"


def test_messages_at_the_same_time_do_not_mix() -> None:
    first = [event("messages", e) for e in [begin("m1"), *say("a sec", "ret"), finish()]]
    other = [event("messages", e, "tools:1") for e in [begin("m2"), *say("x sec", "y"), finish()]]
    mixed = [each for both in zip(first, other, strict=True) for each in both]
    stream = GUARD.wrap_sync(mixed)
    out = list(stream)
    assert [each["text"] for each in finished(out)] == ["a ######", "x secy"]
    assert stream.result.text == "a ######"


def test_a_block_ends_each_message_and_then_the_run() -> None:
    first = [event("messages", e) for e in [begin("m1"), *say("a ", "bad"), finish()]]
    other = [event("messages", e, "tools:1") for e in [begin("m2"), *say("x ", "y"), finish()]]
    mixed = [each for both in zip(first, other, strict=True) for each in both]
    out = list(BLOCKING.wrap_sync([event("lifecycle", {"event": "started"}), *mixed]))
    kinds = [(each.get("event"), each.get("index")) for each in inner(out)]
    for place in ([], ["tools:1"]):
        own = [e for e in out[1:-1] if e["params"]["namespace"] == place]
        starts = [e["index"] for e in inner(own) if e["event"] == "content-block-start"]
        assert starts == [e["index"] for e in inner(own) if e["event"] == "content-block-finish"]
        assert len(starts) == len(set(starts))
    assert kinds.count(("message-finish", None)) == 2
    assert kinds[-1] == ("completed", None)


def test_messages_one_after_another_are_the_answer() -> None:
    source = [begin("m1"), *say("a "), finish(), begin("m2"), *say("b secret"), finish()]
    stream = GUARD.wrap_sync(source)
    out = list(stream)
    assert stream.result.text == "a b ######"
    assert [each["text"] for each in finished(out)] == ["a ", "b ######"]


def test_arguments_told_as_a_whole_come_with_the_end_of_their_call() -> None:
    start, *_, end = call([ARGUMENTS], 0)
    told_so_far = [
        {
            "event": "content-block-delta",
            "index": 0,
            "delta": {
                "type": "block-delta",
                "fields": {"type": "tool_call_chunk", "name": "find", "args": ARGUMENTS[:size]},
            },
        }
        for size in (8, 14, len(ARGUMENTS))
    ]
    stream = GUARD.wrap_sync([begin(), start, *told_so_far, end, finish("tool_calls")])
    out = list(stream)
    assert not left_raw(out)
    assert "a sec" not in str(out[:-2])
    assert finished(out)[0]["args"] == json.loads(MASKED)
    first = stream.result.tool_calls[0]
    assert (first.name, json.loads(first.arguments)) == ("find", json.loads(MASKED))


def test_unknown_fields_and_events_are_guarded() -> None:
    source = [
        {**begin(), "note": "a secret"},
        {"event": "message-mood", "mood": "a secret"},
        {**say("so")[1], "more": {"deep": "a secret"}},
        finish(),
        event("custom", {"name": "n", "payload": {"text": "a secret"}}),
        event("input.requested", {"interrupt_id": "i1", "payload": "a secret"}),
        event("new.method", {"say": "a secret"}),
        event("lifecycle", {"event": "failed", "error": "a secret"}),
    ]
    out = list(GUARD.wrap_sync(source))
    assert len(out) == len(source)
    assert not left_raw(out)


def test_an_error_ends_a_message() -> None:
    stream = GUARD.wrap_sync([begin(), *say("so ")[:2], {"event": "error", "message": "a secret"}])
    out = list(stream)
    assert not left_raw(out)
    assert stream.finish == "error"


def test_a_stop_ends_the_message_well() -> None:
    source = [begin(), *say("so ", "enough", " more"), finish()]
    stream = GUARD.wrap_sync(source)
    out = list(stream)
    assert stream.finish == "stop"
    assert out[-2]["content"]["text"] == joined(out, "text-delta")
    assert out[-1]["metadata"] == {"finish_reason": "stop"}
    assert "more" not in str(out)

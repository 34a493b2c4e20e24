"""Anthropic message streams: blocks are guarded, kept in order, and closed as clients expect."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any

import anyio
import pytest

from guardstream import AdapterError, Guard, Policy, extract
from guardstream.http.stream import WireGuard
from guardstream.providers import detect
from guardstream.providers.anthropic.messages import Anthropic
from tests.providers.messages import beta_model, message, model, text, thinking, tool, whole
from tests.providers.promises import (
    GUARD,
    POLICY,
    guarded_bytes,
    has_word,
    passes_on_the_wire,
    passes_unchanged,
    plain,
)
from tests.providers.served import sse
from tests.support.chunking import one_by_one, random_split

Make = Callable[[dict[str, Any]], Any]

FOUND = {"type": "web_search_result", "title": "the secret", "url": "u", "encrypted_content": "x"}
RESULT = {"type": "web_search_tool_result", "tool_use_id": "t", "content": [FOUND]}


@pytest.fixture(
    params=[
        pytest.param(copy.deepcopy, id="dict"),
        pytest.param(model, id="object"),
        pytest.param(beta_model, id="beta"),
    ]
)
def make(request: pytest.FixtureRequest) -> Make:
    """Events as plain dicts and as the SDK's objects."""
    made: Make = request.param
    return made


def guarded(
    events: list[dict[str, Any]], make: Make, guard: Guard = GUARD, **options: Any
) -> list[dict[str, Any]]:
    made = [make(event) for event in events]
    return [plain(event) for event in guard.wrap_sync(made, **options)]


def types(events: list[dict[str, Any]]) -> list[str]:
    short = {"content_block_start": "start", "content_block_delta": "delta"}
    short |= {"content_block_stop": "stop"}
    return [short.get(event["type"], event["type"]) for event in events]


def blocks(events: list[dict[str, Any]]) -> list[str]:
    """The text of each block, as the deltas say it, in the order in which blocks begin."""
    texts: list[str] = []
    index = None
    for event in events:
        if event["type"] == "content_block_start":
            index = event["index"]
            assert index == len(texts), "blocks are numbered in order"
            texts.append(event["content_block"].get("text") or "")
        elif event["type"] == "content_block_delta":
            assert event["index"] == index, "a delta of a block that is not open"
            delta = event["delta"]
            texts[-1] += next(
                (delta[name] for name in ("text", "thinking", "partial_json") if name in delta), ""
            )
        elif event["type"] == "content_block_stop":
            assert event["index"] == index, "the end of a block that is not open"
            index = None
    assert index is None, "a block is left open"
    return texts


def test_what_no_rule_touches_passes_as_it_is(make: Make) -> None:
    source = message(thinking("h", "m"), text("a ", "b"), tool("find", '{"q"', ": 1}"))
    source.insert(2, {"type": "ping"})
    passes_unchanged([make(event) for event in source])
    passes_on_the_wire(sse(source, named=True))


def test_the_adapter_is_found_by_the_first_event(make: Make) -> None:
    assert isinstance(detect(make(message()[0])), Anthropic)


@pytest.mark.parametrize("cut", ["whole", "letters", "random"])
def test_text_is_masked_in_every_block(make: Make, cut: str) -> None:
    thought, answer, arguments = "a secret!", "so the secret, a secret", '{"q": ["a secret"]}'
    random = Random(7)
    ways: dict[str, Callable[[str], list[str]]] = {
        "whole": lambda value: [value],
        "letters": one_by_one,
        "random": lambda value: random_split(value, random),
    }
    parts = ways[cut]
    source = message(thinking(*parts(thought)), text(*parts(answer)), tool("f", *parts(arguments)))
    stream = GUARD.wrap_sync([make(event) for event in source])
    out = [plain(event) for event in stream]
    assert blocks(out) == [
        "a ******!",
        "so the ******, a ******",
        GUARD.check(arguments, "tool_args").text,
    ]
    assert not any(has_word("secret", event) for event in out)
    assert [finding.channel for finding in stream.findings] == [
        "thinking",
        "text",
        "text",
        "tool_args",
    ]
    (call,) = stream.result.tool_calls
    assert (call.name, call.id, call.complete) == ("f", "toolu_f", True)
    assert call.parse() == {"q": ["a ******"]}
    assert stream.result.thinking == "a ******!"


def test_usage_is_that_of_the_whole_message(make: Make) -> None:
    stream = GUARD.wrap_sync([make(event) for event in message(text("so"))])
    list(stream)
    usage = plain(stream.result.usage)
    assert (usage["input_tokens"], usage["output_tokens"]) == (5, 9)


def test_held_text_comes_before_the_end_of_its_block(make: Make) -> None:
    out = guarded(message(text("a sec"), tool("f", '{"q": "sec')), make)
    assert types(out) == [
        "message_start",
        *["start", "delta", "delta", "stop"] * 2,
        "message_delta",
        "message_stop",
    ]
    assert blocks(out) == ["a sec", '{"q": "sec']


def test_a_word_is_masked_over_two_blocks_of_text(make: Make) -> None:
    source = message(text("my sec"), text("ret"), text("!"))
    source.insert(4, {"type": "ping"})
    out = guarded(source, make)
    assert "".join(blocks(out)) == "my ******!"
    assert types(out).count("ping") == 1


def test_held_text_stays_in_its_block_before_one_without_text(make: Make) -> None:
    assert blocks(guarded(message(text("a sec"), text()), make)) == ["a sec", ""]
    assert blocks(guarded(message(text("a sec"), text(), text("ret")), make)) == [
        "a ",
        "",
        "******",
    ]


@pytest.mark.parametrize("content", ["a sec", "a secret"])
def test_a_compaction_stays_in_its_one_delta(make: Make, content: str) -> None:
    deltas = [{"type": "compaction_delta", "content": content, "encrypted_content": "Zm9v1"}]
    source = message(({"type": "compaction", "content": None}, deltas), text("so"))
    out = guarded(source, make)
    assert types(out) == types(source)
    assert out[2]["delta"]["content"] == content.replace("secret", "******")


def test_what_signs_a_compaction_passes(make: Make) -> None:
    block = {"type": "compaction", "content": None, "signature": "Zm9/secret+1="}
    reference = {"type": "tool_reference", "name": "find"}
    block["tool_changes"] = [{"type": "tool_addition", "tool": reference}]
    deltas = [{"type": "compaction_delta", "content": "so", "encrypted_content": None}]
    source = message((block, deltas), text("so "))
    assert guarded(source, make) == [plain(make(event)) for event in source]


def test_the_tools_that_a_server_lists_are_guarded_once(make: Make) -> None:
    schema = {"type": "object", "properties": {"q": {"description": "a secret"}}}
    listed = {"name": "find", "description": "the secret", "input_schema": schema}
    block = {"type": "mcp_tool_listing", "mcp_server_name": "files", "tools": [listed]}
    source = message(whole(block), text("so "))
    source[2] = {**source[2], "content_block": block}
    stream = GUARD.wrap_sync([make(event) for event in source])
    out = [plain(event) for event in stream]
    assert not any(has_word("secret", event) for event in out)
    assert out[1]["content_block"]["tools"][0]["description"] == "the ******"
    assert [found.rule for found in stream.findings] == ["word", "word"]


def test_a_tool_between_two_blocks_parts_them(make: Make) -> None:
    out = guarded(message(text("my sec"), tool("f", "{}"), text("ret")), make)
    assert blocks(out) == ["my sec", "{}", "ret"]


def test_what_tools_give_and_citations_are_guarded(make: Make) -> None:
    cited = {"type": "web_search_result_location", "cited_text": "a secret", "title": "t"}
    cited |= {"url": "u", "encrypted_index": "e"}
    begun, deltas = text("so")
    deltas.insert(0, {"type": "citations_delta", "citation": cited})
    stream = GUARD.wrap_sync([make(event) for event in message(whole(RESULT), (begun, deltas))])
    out = [plain(event) for event in stream]
    assert not any(has_word("secret", event) for event in out)
    assert out[1]["content_block"]["content"][0]["title"] == "the ******"
    assert out[1]["content_block"]["content"][0]["encrypted_content"] == "x"
    assert out[4]["delta"]["citation"]["cited_text"] == "a ******"
    assert len(stream.findings) == 2


def test_a_tools_whole_input_is_guarded_and_in_the_result(make: Make) -> None:
    block = {"type": "tool_use", "id": "t", "name": "f", "input": {"q": "a secret"}}
    stream = GUARD.wrap_sync([make(event) for event in message(whole(block))])
    out = [plain(event) for event in stream]
    assert out[1]["content_block"]["input"] == {"q": "a ******"}
    assert stream.result.tool_calls[0].parse() == {"q": "a ******"}


def test_a_block_closes_the_open_block_and_the_message(make: Make) -> None:
    source = message(thinking("hm"), text("so ", "forbidden", " unread", " more"))
    stream = GUARD.wrap_sync([make(event) for event in source])
    out = [plain(event) for event in stream]
    assert blocks(out) == ["hm", "so "]
    assert types(out)[-3:] == ["stop", "message_delta", "message_stop"]
    assert out[-2]["delta"]["stop_reason"] == "refusal"
    assert stream.finish == "content_filter"


def test_a_block_where_the_next_block_begins_ends_the_one_before_first(make: Make) -> None:
    for following in (thinking("x"), tool("f", "{}")):
        out = guarded(message(text("so forbidden"), following), make)
        found = [(each["type"].rpartition("_")[2], each.get("index")) for each in out[1:-2]]
        assert found == sorted(found, key=lambda each: each[1] or 0)
        assert found[-1][0] == "stop"


@pytest.mark.parametrize(
    "blocked", [thinking("forbidden "), tool("f", '{"q": "forbidden"}'), text("forbidden")]
)
def test_a_block_in_any_channel_ends_the_message(make: Make, blocked: Any) -> None:
    out = guarded(message(text("so "), blocked), make)
    assert blocks(out)[0] == "so "
    assert out[-2]["delta"]["stop_reason"] == "refusal"
    assert not any(has_word("forbidden", event) for event in out)


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ([text("no: forbidden", " x")], ["no: sorry"]),
        ([text("no: forbidden")], ["no: ", "sorry"]),
        ([tool("f", '{"q": "forbidden"}')], ['{"q": "', "sorry"]),
        ([text("a"), tool("f", '{"q": "forbidden"}')], ["a", '{"q": "', " sorry"]),
        ([thinking("forbidden ")], ["", "sorry"]),
        ([whole({**RESULT, "content": [{**FOUND, "title": "forbidden"}]})], ["", "sorry"]),
    ],
)
def test_the_block_message_is_said(make: Make, source: list[Any], texts: list[str]) -> None:
    guard = Guard(Policy.parse(f"block_message: sorry\n{POLICY}"))
    out = guarded(message(*source), make, guard)
    assert blocks(out) == texts
    assert types(out)[-2:] == ["message_delta", "message_stop"]


def test_a_stop_and_a_limit_end_the_message(make: Make) -> None:
    out = guarded(message(text("that is enough", " more")), make)
    assert (blocks(out), out[-2]["delta"]["stop_reason"]) == (["that is "], "end_turn")
    guard = Guard(Policy.parse("limits: {max_chars: 5}"))
    out = guarded(message(text("one two", " three")), make, guard)
    assert (blocks(out), out[-2]["delta"]["stop_reason"]) == (["one t"], "max_tokens")


def test_an_unknown_event_is_refused_and_passed_if_asked() -> None:
    source: list[Any] = message(text("so"))
    source.insert(2, {"type": "dream", "text": "secret"})
    with pytest.raises(AdapterError, match="is not known"):
        list(GUARD.wrap_sync(source, unknown="refuse"))
    assert list(GUARD.wrap_sync(source, unknown="pass")) == source


def test_an_unknown_field_with_text_is_refused(make: Make) -> None:
    source = message(whole({"type": "text", "text": "", "dream": "secret"}))
    with pytest.raises(AdapterError, match="is not known"):
        guarded(source, make, unknown="refuse")
    source = message(whole({"type": "dream", "text": "secret"}))
    with pytest.raises(AdapterError, match="is not known"):
        guarded(source, copy.deepcopy, unknown="refuse")


def test_an_error_lets_no_held_text_out() -> None:
    error = {"type": "overloaded_error", "message": "a secret is overloaded"}
    source = [*message(text("a sec"))[:3], {"type": "error", "error": error}]
    stream = GUARD.wrap_sync(source)
    out = list(stream)
    assert [event["delta"]["text"] for event in out if event["type"] == "content_block_delta"] == [
        "a "
    ]
    assert out[-1]["error"]["message"] == "a ****** is overloaded"
    assert stream.finish == "error"


def test_two_messages_in_one_stream_stay_apart(make: Make) -> None:
    first = message(text("my sec"))[:3]  # cut off
    out = guarded([*first, *message(text("ret secret"), name="msg_2")], make)
    said = [event["delta"]["text"] for event in out if event["type"] == "content_block_delta"]
    assert said == ["my ", "sec", "ret ", "******"]
    assert types(out).index("message_start", 1) == 4


def test_a_signature_and_encrypted_thinking_pass(make: Make) -> None:
    hidden = {"type": "redacted_thinking", "data": "c2VjcmV0"}
    out = guarded(message(thinking("a secret", signature="c2ln"), whole(hidden)), make)
    assert [e["delta"].get("signature") for e in out if e["type"] == "content_block_delta"][-1] == (
        "c2ln"
    )
    assert [e["content_block"].get("data") for e in out if e["type"] == "content_block_start"] == [
        None,
        "c2VjcmV0",
    ]


def test_it_is_extracted_from() -> None:
    source = message(text("[0]"), tool("find", '[1, "sec', 'ret"]'))

    async def play() -> AsyncIterator[Any]:
        for event in source:
            yield event

    async def values() -> list[Any]:
        items: AsyncIterator[Any] = extract.items(GUARD.wrap(play()), "item", tool="find")
        return [item async for item in items]

    assert anyio.run(values) == [1, "******"]


def test_a_body_is_masked_alike_in_any_cut() -> None:
    source = message(
        thinking("a sec", "ret"), text("my sec", "ret is"), tool("f", '{"q": "secret"}')
    )
    out = guarded_bytes(sse(source, named=True))
    assert not has_word("secret", out)
    assert '"text":"****** is"' in out


def test_a_blocked_body_ends_as_it_should_on_the_wire() -> None:
    data = sse(message(text("so ", "forbidden", " more")), named=True)
    for cut in ([data], [data[at : at + 1] for at in range(len(data))]):
        wire = WireGuard(GUARD)
        out = b"".join(frame for piece in cut for frame in wire.feed(piece))
        lines = out.decode().strip().split("\n")
        assert lines[-2:] == ["event: message_stop", 'data: {"type":"message_stop"}']
        assert json.loads(lines[-4].removeprefix("data: "))["delta"]["stop_reason"] == "refusal"
        assert wire.ended == "content_filter"

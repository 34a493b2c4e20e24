"""Extraction from provider streams and guarded ones: the answer's text, or a tool's arguments."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest
from pydantic import BaseModel

from guardstream import Guard, extract
from guardstream.errors import AdapterError
from guardstream.policy import Policy
from tests.formats.chunks import call, chunk, model
from tests.support.extracting import Source, collect

ARGUMENTS = '{"orders": [{"id": 1, "to": "Ann secret"}, {"id": 2, "to": "\\u0073ecret"}]}'
POLICY = """\
rules:
  - {id: w, words: [secret], replacement: "***"}
  - {id: b, words: [forbidden], action: block}
"""


class Order(BaseModel):
    id: int
    to: str


def guard(text: str = POLICY) -> Guard:
    return Guard(Policy.parse(text))


def texts(text: str, size: int = 3) -> list[dict[str, Any]]:
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    return [*(chunk({"content": piece}) for piece in pieces), chunk(finish="stop")]


def calls(*arguments: str, size: int = 3) -> list[dict[str, Any]]:
    """Chunks of tool calls side by side, named `tool_0`, `tool_1`; the last is `create_order`."""
    last = len(arguments) - 1
    found = [
        chunk(call(at, "", id=f"c{at}", name="create_order" if at == last else f"tool_{at}"))
        for at in range(len(arguments))
    ]
    for place in range(0, max(map(len, arguments)), size):
        for at, text in enumerate(arguments):
            if place < len(text):
                found.append(chunk(call(at, text[place : place + size])))
    return [*found, chunk(finish="tool_calls")]


def test_the_text_of_chunks_is_read():
    chunks = texts(ARGUMENTS)
    assert collect(lambda: extract.items(Source(chunks), "orders.item", Order))[0].id == 1
    assert "".join(collect(lambda: extract.text(chunks, "orders.item.to"))) == "Ann secretsecret"
    assert collect(lambda: extract.snapshots(map(model, chunks), dict))[-1] == json.loads(ARGUMENTS)


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_tool_call_is_read_by_its_name(size):
    chunks = calls('{"x": [{"id": 9}]}', ARGUMENTS, size=size)
    found = collect(lambda: extract.items(chunks, "orders.item", Order, tool="create_order"))
    assert [order.id for order in found] == [1, 2]


def test_only_the_first_choice_and_only_text_is_read():
    chunks = [
        chunk({"content": "no"}, choice=1),
        chunk({"reasoning_content": "[0,"}),
        *texts("[1, 2]"),
    ]
    assert collect(lambda: extract.items(chunks, "item")) == [1, 2]


def test_a_tool_that_is_not_called_is_an_error():
    said = "the tool 'other' was not called, but these were: 'tool_0', 'create_order'$"
    with pytest.raises(extract.ExtractError, match=said):
        collect(lambda: extract.items(calls("[]", "[]"), "item", tool="other"))
    with pytest.raises(extract.ExtractError, match=r"the tool 'other' was not called$"):
        collect(lambda: extract.items(texts("[]"), "item", tool="other"))


@pytest.mark.parametrize(
    ("finish", "said"),
    [
        ("length", "cut at a limit of its length: allow more$"),
        ("content_filter", "a content filter ended the answer$"),
        ("stop", r"unexpected end of text at line 1, column 9 \(/0/id\)$"),
    ],
)
def test_a_document_that_is_cut_says_how_the_answer_ended(finish, said):
    chunks = [*texts('[{"id": ')[:-1], chunk(finish=finish)]
    for stream in (chunks, guard().wrap_sync(iter(chunks))):
        with pytest.raises(extract.ExtractError, match=said) as caught:
            extract.final_sync(stream, list[Order])
        assert caught.value.partial == [{}]


def test_the_limit_of_a_policy_says_that_it_cut_the_document():
    stream = guard("limits: {max_chars: 5}").wrap_sync(['{"id": 1', "}"])
    with pytest.raises(extract.ExtractError, match="cut at a limit of its length"):
        extract.final_sync(stream, dict)


def test_an_answer_without_text_says_what_came_instead():
    with pytest.raises(extract.ExtractError, match="only tool calls: 'create_order'; tool='create"):
        extract.final_sync(calls("[]"), list[Order])
    refusal = [chunk({"refusal": "I cannot"}), chunk(finish="stop")]
    with pytest.raises(
        extract.ExtractError, match="no document in the stream: the model refused"
    ) as caught:
        extract.final_sync(refusal, list[Order])
    assert "I cannot" not in str(caught.value)
    with pytest.raises(extract.ExtractError, match="no text came; the answer was cut"):
        extract.final_sync([chunk(finish="length")], list[Order])


def test_a_stream_of_text_has_no_tools():
    with pytest.raises(TypeError, match="no tool calls"):
        collect(lambda: extract.items(["[]"], "item", tool="other"))


def test_unknown_chunks_are_refused():
    with pytest.raises(AdapterError, match="no adapter knows"):
        collect(lambda: extract.items([{"some": "text"}], "item"))


def test_the_adapter_can_be_named():
    chunks = texts("[1]")
    assert collect(lambda: extract.items(chunks, "item", format="openai_chat")) == [1]


@pytest.mark.parametrize("tool", [None, "create_order"])
def test_a_guarded_stream_gives_guarded_values(tool):
    chunks = calls(ARGUMENTS) if tool else texts(ARGUMENTS)
    policy = POLICY + "json: {channels: [text, tool_args]}\n"

    async def run():
        source = Source(chunks)
        stream = guard(policy).wrap(source)
        found = [each async for each in extract.items(stream, "orders.item", Order, tool=tool)]
        return found, source.closed, len(stream.findings)

    found, closed, findings = anyio.run(run)
    assert [order.to for order in found] == ["Ann ***", "***"]
    assert closed
    assert findings == 2


def test_a_plain_guarded_stream_is_read_too():
    chunks = texts(ARGUMENTS.replace("\\u0073", "s"))
    stream = guard().wrap_sync(iter(chunks))
    found = collect(lambda: extract.items(stream, "orders.item", Order))
    assert [order.to for order in found] == ["Ann ***", "***"]


def test_a_blocked_stream_is_an_error_that_names_the_rule():
    text = '[{"id": 1, "to": "x"}, {"id": 2, "to": "forbidden"}]'

    async def run():
        items = extract.items(guard().wrap(Source(texts(text))), "item", Order)
        first = await anext(items)
        with pytest.raises(extract.ExtractError, match="blocked by rule 'b'") as caught:
            await anext(items)
        return first, caught.value.partial

    first, partial = anyio.run(run)
    assert first == Order(id=1, to="x")
    assert partial == [{"id": 1, "to": "x"}, {"id": 2}]


def test_it_ends_the_guarded_stream_and_the_source_early():
    async def run():
        source = Source([*texts("[1]")[:-1], *texts(" and more")])
        stream = guard().wrap(source)
        found = await extract.final(stream, list[int])
        return found, source.closed, source.read, stream.finish

    assert anyio.run(run) == ([1], True, 1, "cancelled")

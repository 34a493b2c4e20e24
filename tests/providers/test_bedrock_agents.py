"""Events of Bedrock's agents, flows and knowledge bases: an answer in bytes, and what is beside."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from guardstream import AdapterError
from guardstream.framing import aws
from guardstream.providers import detect
from tests.providers.laws import EMPTY, GUARD, cuttings, in_any_cut, left_raw, unchanged
from tests.support.optional import optional

EventStreamBuffer = optional("botocore.eventstream", "EventStreamBuffer")

TEXT = "a secret, no sec"
MASKED = "a ######, no sec"
TRACE = {"trace": {"sessionId": "s", "agentId": "A", "trace": {"step": {"text": "a secret"}}}}

Event = dict[str, Any]
Make = Callable[[Sequence[str]], list[Event]]


def parts(pieces: Sequence[str]) -> list[Event]:
    return [{"chunk": {"bytes": piece.encode()}} for piece in pieces]


def parts_on_the_wire(pieces: Sequence[str]) -> list[Event]:
    return [{"chunk": {"bytes": b64encode(piece.encode()).decode()}} for piece in pieces]


def outputs(pieces: Sequence[str]) -> list[Event]:
    return [{"output": {"text": piece}} for piece in pieces]


def responses(pieces: Sequence[str]) -> list[Event]:
    return [{"responseEvent": {"text": piece}} for piece in pieces]


MAKERS: list[Make] = [parts, parts_on_the_wire, outputs, responses]


def texts(events: Sequence[Event]) -> list[str]:
    found = []
    for event in events:
        (said,) = event.values()
        data = said.get("bytes", said.get("text", ""))
        if "bytes" in said:
            data = (b64decode(data) if isinstance(data, str) else data).decode()
        found.append(data)
    return found


@pytest.mark.parametrize("make", MAKERS)
def test_the_answer_is_guarded(make: Make) -> None:
    for pieces in cuttings(TEXT):
        source = make(pieces)
        assert detect(source[0]).name == "bedrock_agent"  # type: ignore[attr-defined]
        assert unchanged(source)
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        assert "".join(texts(out)) == stream.result.text == MASKED
        assert {type(each["chunk"]["bytes"]) for each in out if "chunk" in each} <= {
            type(each["chunk"]["bytes"]) for each in source if "chunk" in each
        }


@pytest.mark.parametrize("make", MAKERS)
def test_a_block_ends_the_answer(make: Make) -> None:
    stream = GUARD.wrap_sync(make(["all ", "forbid", "den", "!"]))
    assert texts(list(stream)) == ["all "]
    assert stream.finish == "content_filter"


def test_what_comes_first_may_be_a_trace() -> None:
    source = [TRACE, *parts(["a sec", "ret"])]
    out = list(GUARD.wrap_sync(source))
    assert not left_raw(out[0])
    assert "".join(texts(out[1:])) == "a ######"


def test_all_that_is_beside_the_answer_is_guarded() -> None:
    sources = {"citations": [{"retrievedReferences": [{"content": {"text": "a secret"}}]}]}
    call = {"function": "f", "parameters": [{"name": "a", "type": "string", "value": "secret"}]}
    said = {"nodeName": "n", "nodeType": "FlowOutputNode", "content": {"document": ["secret"]}}
    beside: list[Event] = [
        {"chunk": {"bytes": b"so", "attribution": sources}},
        {"trace": {**TRACE["trace"], "eventTime": datetime(2026, 1, 1, tzinfo=UTC)}},
        {"returnControl": {"invocationId": "i", "invocationInputs": [{"x": call}]}},
        {"citation": sources},
        {"flowOutputEvent": said},
        {"flowMultiTurnInputRequestEvent": said},
        {"flowTraceEvent": {"trace": {"nodeInputTrace": {"fields": ["secret"]}}}},
        {"another": {"deep": ["a secret"]}},
        {"dependencyFailedException": {"message": "a secret"}},
    ]
    assert left_raw(beside)
    out = list(GUARD.wrap_sync([*parts(["so"]), *beside]))
    assert len(out) == len(beside) + 1
    assert not left_raw(out)


@pytest.mark.parametrize("wire", [False, True])
def test_files_are_guarded_if_they_are_text(wire: bool) -> None:
    def file(data: bytes) -> Event:
        given = b64encode(data).decode() if wire else data
        return {"name": "x", "type": "t", "bytes": given}

    source = [{"files": {"files": [file(b"a,secret\n"), file(b"\x89PNG\xff")]}}]
    make = parts_on_the_wire if wire else parts
    out = list(GUARD.wrap_sync([*make(["so"]), *source]))[1]["files"]["files"]
    assert [each["bytes"] for each in out] == [
        file(b"a,######\n")["bytes"],
        file(b"\x89PNG\xff")["bytes"],
    ]


def test_an_answer_that_is_a_json_object_is_guarded_with_what_follows() -> None:
    out = list(GUARD.wrap_sync([*parts(['{"a": "a secret"}']), TRACE]))
    assert json.loads(out[0]["chunk"]["bytes"]) == {"a": "a ######"}
    assert not left_raw(out[1])


def test_the_wire_carries_the_events() -> None:
    source = [TRACE, *parts_on_the_wire(["a sec", "ret"])]
    messages = [(kind, json.dumps(said)) for event in source for kind, said in event.items()]
    data = b"".join(aws.message(kind, said.encode()) for kind, said in messages)
    assert in_any_cut(data) == data
    out = in_any_cut(data, GUARD)
    events = [aws.event(headers, payload) for _, headers, payload in aws.Messages().feed(out)]
    assert not left_raw(events[0])
    assert "".join(texts(events[1:])) == "a ######"


def cut(text: str) -> list[Event]:
    """Parts of a text of which each has one byte."""
    return [{"chunk": {"bytes": bytes([byte])}} for byte in text.encode()]


def test_characters_may_be_cut_by_events() -> None:
    text = "é 世界 a secret"
    assert b"".join(each["chunk"]["bytes"] for each in EMPTY.wrap_sync(cut(text))) == text.encode()
    out = list(GUARD.wrap_sync(cut(text)))
    assert b"".join(each["chunk"]["bytes"] for each in out).decode() == "é 世界 a ######"


def test_an_answer_that_ends_inside_a_character_is_refused() -> None:
    with pytest.raises(AdapterError, match="end inside a character"):
        list(GUARD.wrap_sync(cut("so 世")[:-1]))


def test_what_follows_half_a_character_must_be_the_rest_of_it() -> None:
    with pytest.raises(AdapterError, match="not text in UTF-8"):
        list(GUARD.wrap_sync([*cut("so 世")[:-1], *parts(["so"])]))


def test_text_beside_the_bytes_is_guarded_and_kept() -> None:
    part = {"bytes": b"a secret.", "text": "a secret"}
    out = list(GUARD.wrap_sync([{"chunk": part}]))
    assert out == [{"chunk": {"bytes": b"a ######.", "text": "a ######"}}]
    assert unchanged([{"chunk": {"bytes": b"so", "text": "so"}}])
    files = {"files": [{"name": "x", **part}]}
    out = list(GUARD.wrap_sync([TRACE, {"files": files}]))
    assert out[1]["files"]["files"][0] == {"name": "x", "bytes": b"a ######.", "text": "a ######"}


def test_text_may_follow_an_answer_that_begins_as_a_json_object() -> None:
    out = list(GUARD.wrap_sync(parts(['{"a": 1}', " is a sec", "ret"])))
    assert "".join(texts(out)) == '{"a": 1} is a ######'


def test_held_text_comes_as_the_answer_does() -> None:
    out = list(GUARD.wrap_sync([*outputs(["a sec"]), {"citation": {"x": "so"}}]))
    assert [name for each in out for name in each] == ["output", "citation", "output"]


def test_an_exception_that_is_masked_stays_one() -> None:
    for kind in ("exception", "error"):
        said = b'{"message": "a secret"}' if kind == "exception" else b""
        why = "a secret" if kind == "error" else None
        data = aws.message("chunk", b'{"bytes": "c28="}')
        data += aws.message("throttlingException", said, kind, why)
        assert in_any_cut(data) == data
        buffer = EventStreamBuffer()
        buffer.add_data(in_any_cut(data, GUARD))
        first, last = buffer
        assert first.to_response_dict()["status_code"] == 200
        assert last.to_response_dict()["status_code"] == 400
        assert "secret" not in str(last.headers) + str(last.payload)
        assert "######" in str(last.headers) + str(last.payload)


def test_a_fault_drops_what_is_held() -> None:
    stream = GUARD.wrap_sync([*parts(["a sec"]), {"accessDeniedException": {"message": "no"}}])
    assert texts(list(stream)[:-1]) == ["a "]
    assert stream.finish == "error"


def test_bytes_that_are_no_text_are_refused() -> None:
    for data in (b"\xff", "????", "é", "YQ==\n"):
        with pytest.raises(AdapterError, match="not text in UTF-8"):
            list(GUARD.wrap_sync([{"chunk": {"bytes": data}}]))
        with pytest.raises(AdapterError, match="not text in UTF-8"):
            list(GUARD.wrap_sync([*parts(["so"]), {"chunk": {"bytes": data}}]))

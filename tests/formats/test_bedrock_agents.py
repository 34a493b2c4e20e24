"""Events of Bedrock's agents, flows and knowledge bases: an answer in bytes, and what is beside."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence

from guardstream.framing import aws
from tests.laws.asked import GUARD, in_any_cut, left_raw
from tests.support.optional import optional
from tests.support.samples.bedrock_agents import Event

EventStreamBuffer = optional("botocore.eventstream", "EventStreamBuffer")

TRACE = {"trace": {"sessionId": "s", "agentId": "A", "trace": {"step": {"text": "a secret"}}}}


def parts_on_the_wire(pieces: Sequence[str]) -> list[Event]:
    return [{"chunk": {"bytes": b64encode(piece.encode()).decode()}} for piece in pieces]


def texts(events: Sequence[Event]) -> list[str]:
    found = []
    for event in events:
        (said,) = event.values()
        data = said.get("bytes", said.get("text", ""))
        if "bytes" in said:
            data = (b64decode(data) if isinstance(data, str) else data).decode()
        found.append(data)
    return found


def test_the_wire_carries_the_events() -> None:
    source = [TRACE, *parts_on_the_wire(["a sec", "ret"])]
    messages = [(kind, json.dumps(said)) for event in source for kind, said in event.items()]
    data = b"".join(aws.message(kind, said.encode()) for kind, said in messages)
    assert in_any_cut(data) == data
    out = in_any_cut(data, GUARD)
    events = [aws.event(headers, payload) for _, headers, payload in aws.Messages().feed(out)]
    assert not left_raw(events[0])
    assert "".join(texts(events[1:])) == "a ######"


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

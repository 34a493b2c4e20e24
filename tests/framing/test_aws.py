"""Amazon's event streams, as `botocore` reads and as models on Bedrock write them."""

from __future__ import annotations

import json
import struct
from typing import Any
from zlib import crc32

import pytest

from guardstream import AdapterError, Guard, Policy
from guardstream.framing import aws
from guardstream.http import WireGuard
from tests.providers.laws import EMPTY, GUARD, in_any_cut, on_the_wire
from tests.support.optional import optional

EventStreamBuffer = optional("botocore.eventstream", "EventStreamBuffer")


def body(*events: dict[str, Any]) -> bytes:
    return b"".join(
        aws.message(name, json.dumps(value).encode())
        for event in events
        for name, value in event.items()
    )


def read(data: bytes) -> list[dict[str, Any]]:
    """What `botocore` makes of a body."""
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return [{str(each.headers[":event-type"]): json.loads(each.payload)} for each in buffer]


def delta(text: str) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": text}, "p": "abc"}}


STREAM = [
    {"messageStart": {"role": "assistant"}},
    delta("a sec"),
    delta("ret, no"),
    {"contentBlockStop": {"contentBlockIndex": 0}},
    {"messageStop": {"stopReason": "end_turn"}},
]


def test_what_is_written_is_read_by_botocore() -> None:
    assert read(body(*STREAM)) == STREAM


def test_bytes_are_guarded_in_any_cut() -> None:
    assert in_any_cut(body(*STREAM)) == body(*STREAM)
    events = read(in_any_cut(body(*STREAM), GUARD))
    said = [
        each["contentBlockDelta"]["delta"]["text"] for each in events if "contentBlockDelta" in each
    ]
    assert "".join(said) == "a ######, no"
    assert events[0] == STREAM[0]


def test_a_block_ends_the_message() -> None:
    events = read(in_any_cut(body(delta("all forbidden"), delta("!")), GUARD))
    assert events[-1] == {"messageStop": {"stopReason": "content_filtered"}}


def test_headers_of_any_type_are_read() -> None:
    others = b"\x01n\x04\x00\x00\x00\x05" + b"\x01t\x00" + b"\x01b\x06\x00\x02ab"
    headers = others + b"\x0b:event-type\x07\x00\x0cmessageStart"
    start = struct.pack(">II", len(headers) + 18, len(headers))
    data = start + struct.pack(">I", crc32(start)) + headers + b"{}"
    data += struct.pack(">I", crc32(data))
    assert in_any_cut(data, provider="bedrock") == data


@pytest.mark.parametrize("at", [0, 9, 14, 40, -1])
def test_a_wrong_byte_is_a_fault(at: int) -> None:
    data = bytearray(body(STREAM[0]))
    data[at] ^= 1
    with pytest.raises(AdapterError, match="event stream"):
        on_the_wire(bytes(data) + body(STREAM[1]), EMPTY, media="event_stream")


def test_a_message_that_is_cut_is_left_out_where_anything_is_guarded() -> None:
    cut = body(*STREAM)[:-3]
    idle = Guard(Policy.parse("rules: [{id: never, words: [zzqxzzqx]}]"))
    for guard, shown in ((EMPTY, cut), (idle, body(*STREAM[:-1]))):
        wire = WireGuard(guard)
        assert b"".join([*wire.feed(cut), *wire.finish()]) == shown
        assert wire.ended == "incomplete"


def with_headers(*headers: tuple[str, int, bytes]) -> bytes:
    """A message of no payload, with headers of a name, a type and a value."""
    said = b"".join(
        bytes([len(name)])
        + name.encode()
        + bytes([kind])
        + (struct.pack(">H", len(value)) + value if kind else b"")
        for name, kind, value in headers
    )
    prelude = struct.pack(">II", len(said) + 16, len(said))
    rest = prelude + struct.pack(">I", crc32(prelude)) + said
    return rest + struct.pack(">I", crc32(rest))


EVENT = (":event-type", 7, b"messageStart")


def test_a_header_that_a_rule_matches_ends_the_stream() -> None:
    for header in [("x", 7, b"a secret"), ("secret", 7, b"x"), (":message-type", 7, b"secret"),
                   (":error-message", 7, b"secret"), ("x", 6, b"\xff secret"),
                   ("a secret", 0, b"")]:  # fmt: skip
        data = with_headers(EVENT, header)
        assert in_any_cut(data) == data
        assert in_any_cut(data, GUARD) == b""


def test_a_header_that_comes_twice_is_refused() -> None:
    with pytest.raises(AdapterError, match="repeats a header"):
        on_the_wire(with_headers(EVENT, EVENT))

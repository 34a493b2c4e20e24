"""The last event often lacks the blank line at its end: it goes out as it came."""

from __future__ import annotations

import json

import pytest

from guardstream import Guard, Policy
from guardstream.http import WireGuard
from tests.providers.chunks import chunk

GUARD = Guard(Policy.parse("rules: [{id: bird, words: [bluebird]}]"))


def event(text: str, finish: str | None = None) -> bytes:
    return b"data: %b\n\n" % json.dumps(chunk({"content": text}, finish=finish)).encode()


def guarded(body: bytes) -> bytes:
    wire = WireGuard(GUARD)
    return b"".join([*wire.feed(body), *wire.finish()])


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n"])
@pytest.mark.parametrize("last", [event("so it is", "stop"), b"data: [DONE]\n\n"])
def test_a_last_event_without_its_end_goes_out_as_it_came(last: bytes, end: bytes) -> None:
    body = event("so it is") + last.rstrip() + end
    assert guarded(body) == body


def test_what_the_guard_adds_after_it_is_an_event_of_its_own() -> None:
    body = event("so it is") + event("", "length") + event("the blue").rstrip()
    data = [line[6:] for line in guarded(body).splitlines() if line.startswith(b"data: ")]
    texts = [json.loads(each)["choices"][0]["delta"]["content"] for each in data]
    assert texts == ["so it is", "", "the ", "blue"]


def test_events_with_names_may_have_one_line_feed_between_them() -> None:
    kind = {"type": "content_block_delta", "index": 0}
    deltas = [{**kind, "delta": {"type": "text_delta", "text": text}} for text in ("the ", "end")]
    lines = [f"event: {each['type']}\ndata: {json.dumps(each)}\n" for each in deltas]
    body = "".join(lines).encode() + b"\n"
    assert guarded(body) == body

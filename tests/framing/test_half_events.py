"""A source that ends inside an event: half of it helps no client, and is nobody's failure."""

from __future__ import annotations

import json
from random import Random

import pytest

from guardstream import Guard, Policy
from guardstream.errors import AdapterError
from guardstream.http import WireGuard
from tests.laws.recordings import Recording, parsed, recordings, texts, wire

EMPTY = Guard(Policy.parse("version: 1"))
GUARD = Guard(Policy.parse("rules: [{id: w, words: [zzqxzzqx]}]"))
OWN = [each for each in recordings() if each.own]


def ended(guard: Guard, data: bytes) -> tuple[bytes, str | None]:
    body = WireGuard(guard)
    return b"".join([*body.feed(data), *body.finish()]), body.ended


def in_an_array(recording: Recording) -> bytes:
    items = [json.dumps(each.data) for each in recording.events if isinstance(each.data, dict)]
    return f"[{','.join(items)}]".encode()


@pytest.mark.parametrize("framing", [wire, in_an_array], ids=["events", "array"])
@pytest.mark.parametrize("recording", OWN, ids=lambda each: each.name)
def test_any_cut_loses_half_an_event_at_most(recording: Recording, framing: object) -> None:
    assert callable(framing)
    data, random = framing(recording), Random(1)
    for at in random.sample(range(8, len(data)), 25):
        cut = data[:at]
        assert ended(EMPTY, cut)[0] == cut
        shown, reason = ended(GUARD, cut)
        if framing is wire:  # half a JSON object has no text
            assert texts(parsed(shown), recording.shape) == texts(parsed(cut), recording.shape)
        is_half = framing is in_an_array or not cut.endswith((b"\n", b"}", b"]"))
        assert reason == "incomplete" or not is_half


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b'data: {"x": "a"}\n\ndata: {"x": "\xe2\x82', b'data: {"x": "a"}\n\n'),
        (b'data: {"x": "a"}\n\nda', b'data: {"x": "a"}\n\n'),
        (b'data: {"x": "a"}\n\ndata: {"x": "b"}', b'data: {"x": "a"}\n\ndata: {"x": "b"}'),
        (b'{"x": "a"}\n{"x": "b', b'{"x": "a"}\n'),
        (b'{"x": "a"}\n{"x": "b"}', b'{"x": "a"}\n{"x": "b"}'),
        (b'{\n"x": "a"\n}\n{\n"x": ', b'{\n"x": "a"\n}\n'),
        (b'0:"a"\n0:"b', b'0:"a"\n'),
    ],
)
def test_half_is_left_out_and_whole_json_is_not_half(data: bytes, shown: bytes) -> None:
    assert ended(GUARD, data)[0] == shown
    assert ended(EMPTY, data)[0] == data


@pytest.mark.parametrize("data", [b"no event", b'data: {"x": "a"}data: {"x": "b"}'])
def test_what_never_was_an_event_is_still_refused(data: bytes) -> None:
    body = WireGuard(GUARD, media="sse")
    with pytest.raises(AdapterError):
        [*body.feed(data), *body.finish()]


def test_no_call_is_complete_that_is_cut() -> None:
    """In a format whose calls end with the source."""
    call = {"functionCall": {"name": "rm", "args": {"path": "a"}}}
    said = {"candidates": [{"content": {"parts": [call], "role": "model"}, "index": 0}]}
    body = WireGuard(GUARD)
    body.feed(b"data: %b\n\ndata: {" % json.dumps(said).encode())
    body.finish()
    assert body.ended == "incomplete"

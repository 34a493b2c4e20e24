"""What is let go of a long chunk: nobody misses it, and nothing holds it."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.http.stream import WireGuard
from guardstream.stream.flows.chunks import ChunkFlow
from guardstream.stream.flows.text import TextFlow
from guardstream.stream.result import Meter
from tests.vault.test_formats import FORMATS

GUARD = Guard(Policy.parse("rules: [{id: word, words: [bluebird], replacement: '<w>'}]"))
LONG = 300_000
PIECES = ("a blue", "bird and ", "a blue", "d, ", "blue")


def said(chunks: list[Any], *, forgets: bool, provider: str | None = None) -> list[Any]:
    """All that goes out of a stream whose chunks are forgotten, or not."""
    made = GUARD.flow(provider=provider)(chunks[0], Meter())
    assert isinstance(made, (ChunkFlow, TextFlow))
    sent: list[Any] = []
    for chunk in chunks:
        sent += made.feed(chunk)
        if forgets and made.ended is None:
            made.forget()
    sent += made.finish() if made.ended is None else []
    return [(each.chunk, each.text, each.parts) for each in sent]


OBJECTS = [name for name in FORMATS if not isinstance(FORMATS[name](PIECES)[0], bytes)]


@pytest.mark.parametrize("name", OBJECTS)
def test_a_stream_goes_on_as_if_its_chunks_were_kept(name: str) -> None:
    named = name if name == "cumulative_text" else None  # its chunks do not tell
    first = said(list(FORMATS[name](PIECES)), forgets=False, provider=named)
    again = said(list(FORMATS[name](PIECES)), forgets=True, provider=named)
    assert list(map(repr, again)) == list(map(repr, first))


def _chunk(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    event = {"object": "chat.completion.chunk", "choices": [choice]}
    return f"data: {json.dumps(event)}\n\n".encode()


def _long_texts() -> Iterator[object]:
    """What of that length anything holds, also in a tuple, of which the collector may not know.

    It is looked at one by one: a list of it would hold itself, and keep all of it.
    """
    for each in gc.get_objects():
        for inner in gc.get_referents(each):
            for held in inner if type(inner) is tuple else (inner,):
                if issubclass(type(held), (str, bytes)) and LONG < len(held) < 2 * LONG:
                    yield held


@pytest.mark.parametrize("event", [_chunk, lambda text: f"data: {text}\n\n".encode()])
@pytest.mark.parametrize("word", ["x ", "bluebird "])
def test_nothing_holds_a_long_text(event: Any, word: str) -> None:
    made = GUARD.flow(media="sse")(b"", Meter())
    gc.collect()
    before = len(list(_long_texts()))
    for times in (1, LONG // len(word) + 100, 1):
        assert made.feed(event(word * times))
        assert len(list(_long_texts())) <= before  # others' may go


@pytest.mark.parametrize("word", ["x ", "bluebird "])
def test_what_follows_a_long_event_does_not_depend_on_where_the_bytes_were_cut(word: str) -> None:
    long = word * (LONG // len(word) + 100)
    events = [_chunk(text) for text in ("a ", "bluebird ", long, "a blue", "bird ", "blue")]
    ways = set()
    for count in range(len(events)):
        for cuts in combinations(range(1, len(events)), count):
            wire = WireGuard(GUARD, media="sse")
            parts = [events[start:end] for start, end in pairwise([0, *cuts, len(events)])]
            frames = [frame for part in parts for frame in wire.feed(b"".join(part))]
            ways.add(b"".join(frames + wire.finish()))
    assert len(ways) == 1


def test_what_goes_out_does_not_depend_on_when_a_delivered_text_is_forgotten() -> None:
    events = [_chunk(text) for text in ("a ", "bluebird ", "x " * LONG, "a blue", "bird ", "blue")]
    ways = set()
    for step in range(1, len(events) + 2):
        stream = GUARD.wrap_sync(iter(events), framing="sse")
        out = []
        for place, frame in enumerate(stream, 1):
            out.append(frame)
            if place % step == 0:
                stream.state.forget()
        ways.add(b"".join(out))
    assert len(ways) == 1

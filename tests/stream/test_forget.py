"""What is let go of a long chunk: nobody misses it, and nothing holds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import combinations, pairwise
from multiprocessing import get_context
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.http.stream import WireGuard
from guardstream.stream.flows.chunks import ChunkFlow
from guardstream.stream.flows.text import TextFlow
from guardstream.stream.result import Meter
from tests.stream.holding import LONG, POLICY, chunk_event, holds_a_long_text, text_event
from tests.support.samples.formats import FORMATS

GUARD = Guard(Policy.parse(POLICY))
PIECES = ("a blue", "bird and ", "a blue", "d, ", "blue")


def said(chunks: list[Any], *, forgets: bool, format: str | None = None) -> list[Any]:
    """All that goes out of a stream whose chunks are forgotten, or not."""
    made = GUARD.flow(format=format)(chunks[0], Meter())
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
    first = said(list(FORMATS[name](PIECES)), forgets=False, format=named)
    again = said(list(FORMATS[name](PIECES)), forgets=True, format=named)
    assert list(map(repr, again)) == list(map(repr, first))


@pytest.fixture(scope="module")
def small_process() -> Iterator[ProcessPoolExecutor]:
    """A process that holds little, so that all of it can be looked at."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.mark.parametrize("event", [chunk_event, text_event])
@pytest.mark.parametrize("word", ["x ", "bluebird "])
def test_nothing_holds_a_long_text(
    event: Callable[[str], bytes], word: str, small_process: ProcessPoolExecutor
) -> None:
    assert not small_process.submit(holds_a_long_text, event, word).result()


@pytest.mark.parametrize("word", ["x ", "bluebird "])
def test_what_follows_a_long_event_does_not_depend_on_where_the_bytes_were_cut(word: str) -> None:
    long = word * (LONG // len(word) + 100)
    events = [chunk_event(text) for text in ("a ", "bluebird ", long, "a blue", "bird ", "blue")]
    ways = set()
    for count in range(len(events)):
        for cuts in combinations(range(1, len(events)), count):
            wire = WireGuard(GUARD, media="sse")
            parts = [events[start:end] for start, end in pairwise([0, *cuts, len(events)])]
            frames = [frame for part in parts for frame in wire.feed(b"".join(part))]
            ways.add(b"".join(frames + wire.finish()))
    assert len(ways) == 1


def test_what_goes_out_does_not_depend_on_when_a_delivered_text_is_forgotten() -> None:
    events = [
        chunk_event(text) for text in ("a ", "bluebird ", "x " * LONG, "a blue", "bird ", "blue")
    ]
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

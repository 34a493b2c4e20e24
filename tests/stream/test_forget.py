"""What is let go of a long chunk: nobody misses it, and nothing holds it."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.stream.result import Meter
from tests.vault.test_formats import FORMATS

GUARD = Guard(Policy.parse("rules: [{id: word, words: [bluebird], replacement: '<w>'}]"))
LONG = 300_000
PIECES = ("a blue", "bird and ", "a blue", "d, ", "blue")


def said(chunks: list[Any], *, forgets: bool) -> list[Any]:
    """All that goes out of a stream whose chunks are forgotten, or not."""
    made = GUARD.flow()(chunks[0], Meter())
    sent: list[Any] = []
    for chunk in chunks:
        sent += made.feed(chunk)
        if forgets and made.ended is None:
            made.forget()
    sent += made.finish() if made.ended is None else []
    return [(each.chunk, each.text, each.parts) for each in sent]


@pytest.mark.parametrize("name", FORMATS)
def test_a_stream_goes_on_as_if_its_chunks_were_kept(name: str) -> None:
    first = said(list(FORMATS[name](PIECES)), forgets=False)
    again = said(list(FORMATS[name](PIECES)), forgets=True)
    assert list(map(repr, again)) == list(map(repr, first))


def _chunk(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    event = {"object": "chat.completion.chunk", "choices": [choice]}
    return f"data: {json.dumps(event)}\n\n".encode()


def _long_texts() -> Iterator[object]:
    """What of that length anything holds."""
    for each in gc.get_objects():
        for inner in gc.get_referents(each):
            if issubclass(type(inner), (str, bytes)) and LONG < len(inner) < 2 * LONG:
                yield inner


@pytest.mark.parametrize("event", [_chunk, lambda text: f"data: {text}\n\n".encode()])
@pytest.mark.parametrize("word", ["x ", "bluebird "])
def test_nothing_holds_a_long_text(event: Any, word: str) -> None:
    made = GUARD.flow(media="sse")(b"", Meter())
    before = len(list(_long_texts()))
    for times in (1, LONG // len(word) + 100, 1):
        assert made.feed(event(word * times))
        made.forget()
        assert len(list(_long_texts())) == before

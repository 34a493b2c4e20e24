"""Server-sent events: the parser cases of three projects, and every split of them."""

from __future__ import annotations

import base64
import json
import re
import tracemalloc
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardstream.errors import SSEError
from guardstream.framing import sse
from guardstream.framing.sse import Blank, Comment, Decoder, Event, Item, encode
from tests.support.corpora import CORPORA, needs_corpora

CASES = CORPORA / "sse" / "sse_cases.json"

AGAINST_THE_STANDARD = "test_iter_sse_id_retry"
"""httpx-sse dispatches an event for `retry:` alone; the standard dispatches none without data."""


def cases() -> list[Any]:
    if not CASES.is_file():
        return []
    return list(json.loads(CASES.read_text(encoding="utf-8")))


def decode(chunks: Iterable[bytes], **options: Any) -> tuple[list[Item], bytes]:
    """All items of a stream, and what its end cut off."""
    decoder = Decoder(**options)
    items = [item for chunk in chunks for item in decoder.feed(chunk)]
    items += decoder.finish()
    return items, decoder.dropped


def events(items: Iterable[Item]) -> list[Event]:
    return [item for item in items if isinstance(item, Event)]


def in_bytes(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def at_random(data: bytes, random: Random) -> list[bytes]:
    places = sorted(random.choices(range(len(data) + 1), k=random.randrange(1, 9)))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


def splits(data: bytes, count: int = 10) -> list[list[bytes]]:
    random = Random(len(data))
    return [[data], in_bytes(data), *(at_random(data, random) for _ in range(count))]


def exactly(items: Sequence[Item]) -> list[tuple[Any, ...]]:
    """Everything an item says, the fields that equality leaves out too."""
    return [
        (item, item.raw, *(getattr(item, k, None) for k in ("plain", "last_id"))) for item in items
    ]


@needs_corpora
@pytest.mark.corpus
@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case['suite']}/{case['name']}")
def test_the_parser_cases_hold_in_every_split(case: Any) -> None:
    chunks = [base64.b64decode(chunk) for chunk in case["chunks_b64"]]
    expected = case["expected"] if case["name"] != AGAINST_THE_STANDARD else []
    data = b"".join(chunks)
    whole, _ = decode([data])
    for cut in [chunks, *splits(data)]:
        items, dropped = decode(cut)
        assert exactly(items) == exactly(whole)
        assert b"".join(item.raw for item in items) + dropped == data
        found = events(items)
        assert [(e.event, e.data) for e in found] == [(e["event"], e["data"]) for e in expected]
        for event, wanted in zip(found, expected, strict=True):
            assert event.last_id == wanted.get("id", event.last_id)
            assert event.retry == wanted.get("retry", event.retry)


@needs_corpora
@pytest.mark.corpus
def test_all_parser_cases_are_there() -> None:
    assert len(cases()) == 119


LINES = [b"data: a", b"data:b", b"data", b"id: 7", b"id", b"event: x", b"retry: 5", b": note", b":"]
LINES += [b"", b"", b"", b"data: \xe2\x82\xac", b"\xff", b"data: \xf0\x9f", b"id: \0"]
LINES += [b"\xef\xbb\xbfdata: c"]

ENDS = [b"\n", b"\n", b"\r\n", b"\r\n", b"\r"]


@given(
    st.lists(st.tuples(st.sampled_from(LINES), st.sampled_from(ENDS))),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_items_do_not_depend_on_the_split(
    lines: list[tuple[bytes, bytes]], bom: bool, random: Random
) -> None:
    data = b"\xef\xbb\xbf" * bom + b"".join(line + end for line, end in lines)
    whole, dropped = decode([data])
    assert b"".join(item.raw for item in whole) + dropped == data
    for cut in (in_bytes(data), at_random(data, random)):
        items, rest = decode(cut)
        assert (exactly(items), rest) == (exactly(whole), dropped)


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_an_event_comes_with_its_last_byte(end: str) -> None:
    decoder = Decoder()
    decoder.feed(f"data: warm up{end}{end}".encode())
    data = f"id: 1{end}data: a{end}{end}".encode()
    early = [item for byte in in_bytes(data)[:-1] for item in decoder.feed(byte)]
    assert events(early) == []
    assert events(decoder.feed(data[-1:])) == [Event("a", id="1")]


def test_a_comment_comes_at_once_and_apart() -> None:
    decoder = Decoder()
    assert decoder.feed(b": ping\n") == [Comment("ping")]
    assert decoder.feed(b"\ndata: a\n\n") == [Blank(), Event("a")]


def test_fields_without_data_are_no_event_but_count() -> None:
    items, _ = decode([b"retry: 10\nid: 4\n\ndata: a\n\n"])
    assert items == [Blank(id="4", retry=10), Event("a")]
    assert events(items)[0].last_id == "4"


def test_the_end_of_the_stream_drops_an_unfinished_event() -> None:
    items, dropped = decode([b"data: a\n\n", b"data: [DO", b"NE]\n"])
    assert items == [Event("a")]
    assert dropped == b"data: [DONE]\n"


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"data: a\n\n", b"data: a\r\r\n", b": x\r"])
def test_a_stream_that_ends_between_events_drops_nothing(data: bytes) -> None:
    for cut in splits(data):
        items, dropped = decode(cut)
        assert dropped == b""
        assert b"".join(item.raw for item in items) == data


HIDDEN = [b"secret: x", b": x", b"id: \0", b"retry: soon", b"id: 1\nid: 2", b"event: a\nevent: b"]
HIDDEN += [b"data: \xff", b"retry: " + b"9" * 5000]


@pytest.mark.parametrize("hidden", HIDDEN, ids=range(len(HIDDEN)))
def test_raw_bytes_that_say_more_than_the_fields_are_told(hidden: bytes) -> None:
    items, _ = decode([b"data: a\n" + hidden + b"\n\ndata: b\n\n"])
    assert [event.plain for event in events(items)] == [False, True]


def test_invalid_utf8_is_replaced_as_the_standard_says() -> None:
    items, _ = decode([b"data: a\xf0\x9f\ndata: \xc0\x80b\n\n"])
    assert items == [Event("a\ufffd\n\ufffd\ufffdb")]


@pytest.mark.parametrize("bad", [b"data: \xff", b"event: \xff", b"id: \xff", b": \xff"])
def test_strict_refuses_invalid_utf8_after_what_came_before(bad: bytes) -> None:
    for cut in splits(b"data: a\n\n" + bad + b"\n\n"):
        found, said = failing(Decoder(strict=True), cut)
        assert found == [Event("a")]
        assert said == "invalid UTF-8 in an event stream, line at byte 9"


def failing(decoder: Decoder, cut: Iterable[bytes]) -> tuple[list[Item], str]:
    """The items before a decoder's error, and its message; the error stays."""
    found: list[Item] = []
    with suppress(SSEError):
        for chunk in cut:
            found += decoder.feed(chunk)
    with pytest.raises(SSEError) as caught:
        decoder.finish()
    assert decoder.error is caught.value
    return found, str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"data: 12345\n\n", "a line of more than 10 bytes in an event stream, from byte 9 on"),
        (b"data: 1\n" * 4, "an event of more than 25 bytes in an event stream, from byte 9 on"),
        (b"data: 1\n" * 3 + b"data: 123456\n", "an event of more than 25 bytes .*, from byte 9 on"),
        (b":23456789ab", "a line of more than 10 bytes in an event stream, from byte 9 on"),
    ],
)
def test_what_is_too_long_is_refused_after_what_came_before(data: bytes, message: str) -> None:
    data = b"data: a\n\n" + data
    for cut in splits(data):
        found, said = failing(Decoder(max_line=10, max_event=25), cut)
        assert found == [Event("a")]
        assert re.fullmatch(message, said)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_what_is_just_short_enough_is_read(end: bytes) -> None:
    data = (b"data: 1234" + end) * 2 + end
    for cut in splits(data):
        items, _ = decode(cut, max_line=10, max_event=25)
        assert items == [Event("1234\n1234")]


def test_memory_is_bounded_by_the_limits() -> None:
    decoder = Decoder()
    chunk = b"x" * 65536
    tracemalloc.start()
    try:
        found, _ = failing(decoder, [chunk] * 160)
        assert found == []
        assert tracemalloc.get_traced_memory()[1] < 3 * sse.MAX_LINE
    finally:
        tracemalloc.stop()


def test_nothing_is_kept_of_what_was_returned() -> None:
    decoder = Decoder()
    tracemalloc.start()
    try:
        for _ in range(2000):
            decoder.feed(b"data: " + b"y" * 1000 + b"\n\ndata: un")
            decoder.feed(b"finished\n\n")
        assert tracemalloc.get_traced_memory()[0] < 100_000
    finally:
        tracemalloc.stop()


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)

NAME = TEXT.filter(lambda name: not set(name) & set("\r\n\0"))


@given(TEXT, NAME, st.none() | NAME, st.none() | st.integers(0, 10**14))
def test_what_is_encoded_is_decoded(
    data: str, name: str, own_id: str | None, retry: int | None
) -> None:
    event = Event(data, name or "message", own_id, retry)
    items, dropped = decode(in_bytes(encode(event)))
    lines = data.replace("\r\n", "\n").replace("\r", "\n")
    assert (items, dropped) == ([Event(lines, event.event, own_id, retry)], b"")
    assert events(items)[0].plain


@given(TEXT)
def test_a_comment_is_only_a_comment(text: str) -> None:
    items, dropped = decode([encode(Comment(text)), b"data: a\n\n"])
    assert (events(items), dropped) == ([Event("a")], b"")


def test_a_heartbeat_looks_like_one() -> None:
    assert encode(Comment("ping")) == b": ping\n\n"


def test_fields_alone_are_encoded() -> None:
    assert encode(Blank(retry=3000)) == b"retry: 3000\n\n"
    assert encode(Blank()) == b"\n"


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (Event("", event="a\nb"), "'event' of an event"),
        (Event("", id="a\rb"), "'id' of an event"),
        (Event("", id="\0"), "NUL"),
        (Blank(retry=-1), "'retry' is -1"),
        (Event("\ud800"), "an unpaired surrogate"),
    ],
)
def test_what_the_format_cannot_say_is_refused(item: Item, message: str) -> None:
    with pytest.raises(SSEError, match=message) as caught:
        encode(item)
    assert caught.value.__cause__ is None


NAMED: list[tuple[Callable[[], Event], str]] = [
    (lambda: sse.start("s1", model="m"), 'event: start\ndata: {"id":"s1","model":"m"}\n\n'),
    (lambda: sse.content("é\n"), 'event: content\ndata: {"text":"é\\n"}\n\n'),
    (lambda: sse.complete(), 'event: complete\ndata: {"finish":"stop"}\n\n'),
    (
        lambda: sse.error("blocked", "no"),
        'event: error\ndata: {"code":"blocked","message":"no"}\n\n',
    ),
]


@pytest.mark.parametrize(("make", "text"), NAMED)
def test_the_named_events_of_an_answer(make: Callable[[], Event], text: str) -> None:
    assert encode(make()).decode() == text
